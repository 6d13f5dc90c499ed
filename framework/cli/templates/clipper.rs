/// Limits every entry of every gradient to the range from -limit to limit: replace this line by what your clipper does.
///
/// ```toml
/// [[clipper]]
/// type = "@name@"
/// limit = 5.0
/// ```
#[plugin(clipper = "@name@")]
pub struct @Type@ {
    /// The largest absolute value of an entry.
    #[plugin(above = 0.0)]
    pub limit: f64,
}

impl Clipper for @Type@ {
    fn clip(&self, gradients: Gradients) -> Gradients {
        gradients.map(|_, gradient| gradient.clamp(-self.limit, self.limit))
    }
}
