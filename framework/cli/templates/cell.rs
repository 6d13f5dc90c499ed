/// h' = tanh(Wx x + Wh h + b): replace this line by what your cell computes, and where it was published.
///
/// ```toml
/// [cell]
/// type = "@name@"
/// hidden = 64
/// ```
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct @Type@ {
    /// Width of the hidden state.
    #[schemars(range(min = 1))]
    pub hidden: usize,
}

impl Cell for @Type@ {
    fn params(&self, inputs: usize) -> Vec<ParamSpec> {
        vec![
            ParamSpec::new("wx", [self.hidden, inputs], Initializer::XavierUniform),
            ParamSpec::new("wh", [self.hidden, self.hidden], Initializer::Orthogonal),
            ParamSpec::new("b", [1, self.hidden], Initializer::Zeros),
        ]
    }

    fn state(&self) -> Vec<StateSpec> {
        vec![StateSpec::new("h", self.hidden)]
    }

    fn outputs(&self) -> usize {
        self.hidden
    }

    fn step(&self, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        let recurrent = project(state.get("h"), params.get("wh")); // [batch, hidden]
        let h = (linear(x, params.get("wx"), params.get("b")) + recurrent).tanh(); // [batch, hidden]
        (h.clone(), State::from([("h", h)]))
    }
}
