/// Cuts every entry of every gradient to at most the limit: replace this line by what your clipper does.
///
/// ```toml
/// [[clipper]]
/// type = "@name@"
/// limit = 5.0
/// ```
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct @Type@ {
    /// The largest absolute value of an entry.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub limit: f64,
}

impl Clipper for @Type@ {
    fn clip(&self, gradients: Gradients) -> Gradients {
        gradients.map(|_, gradient| gradient.clamp(-self.limit, self.limit))
    }
}
