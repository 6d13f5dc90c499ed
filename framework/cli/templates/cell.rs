/// h' = tanh(Wx x + Wh h + b): replace this line by what your cell computes, and where it was published.
///
/// ```toml
/// [cell]
/// type = "@name@"
/// hidden = 64
/// ```
#[plugin(cell = "@name@")]
pub struct @Type@ {
    /// Width of the hidden state.
    #[plugin(min = 1)]
    pub hidden: usize,
}

impl Cell for @Type@ {
    fn params(&self, inputs: usize) -> Vec<ParamSpec> {
        let h = self.hidden;
        vec![weight("wx", [h, inputs]), recurrent("wh", h), bias("b", h)]
    }

    fn state(&self, _inputs: usize) -> Vec<StateSpec> {
        vec![zeros("h", self.hidden)]
    }

    fn step(&self, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        let [wx, wh, b] = params.get(["wx", "wh", "b"]);
        let h = state.get("h"); // [batch, hidden]
        let h = (linear(x, wx, b) + linear_no_bias(h, wh)).tanh(); // [batch, hidden]
        (h.clone(), State::from([("h", h)]))
    }
}
