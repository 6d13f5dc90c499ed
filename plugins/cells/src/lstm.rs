//! Long short-term memory: a cell state that gates write to, keep and read.

use hatchery_plugin::prelude::*;

use crate::heads::{all, spread, standardized};

/// Long short-term memory (Hochreiter and Schmidhuber 1997) with a forget gate (Gers et al. 2000).
///
/// `i, f, o = σ(W x + U h + b)`, `g = tanh(W x + U h + b)`, `c' = f c + i g`, `h' = o tanh(c')`; the rows of the
/// matrices are the gates in the order i, f, g, o, as in `PyTorch` and Keras. With `peepholes` (Gers and Schmidhuber
/// 2000) the gates see the cell state too: i and f see c, o sees c'. `coupled`, `without` and `peepholes` are the variants that
/// Greff et al. (2015, arXiv 1503.04069) compare; the rows of a gate that is left out are left out too. `layer-norm` normalizes
/// the two products over all their rows, and c' for the output (Ba et al. 2016, arXiv 1607.06450, equations 20 to 22).
///
/// ```toml
/// [cell]
/// type = "lstm"
/// hidden = 128
/// forget-bias = 1.0
/// ```
#[plugin(cell = "lstm", family = "gates")]
#[derive(Clone, Debug)]
pub struct Lstm {
    /// Width of the hidden state and of the cell state.
    #[plugin(min = 1)]
    pub hidden: usize,
    /// First value of the forget gate's bias (Jozefowicz et al. 2015 recommend 1).
    #[plugin(default = 1.0)]
    pub forget_bias: f64,
    /// The function that the gates apply.
    #[plugin(default)]
    pub gate_activation: GateActivation,
    /// Let the gates see the cell state.
    #[plugin(default)]
    pub peepholes: bool,
    /// The input gate is `1 − f`.
    #[plugin(default)]
    pub coupled: bool,
    /// What is left out: a gate is 1 then, an activation is the identity.
    pub without: Option<Without>,
    /// Normalize the sums and the cell state.
    #[plugin(default)]
    pub layer_norm: bool,
    /// The largest magnitude of the cell state; without it there is none.
    #[plugin(above = 0.0)]
    pub cell_clip: Option<f64>,
    /// The longest time that is to be remembered, for the first values of the gates' biases in place of `forget-bias`: those of f
    /// are spread from 0 to `ln(chrono − 1)`, those of i are their negatives (Tallec and Ollivier 2018, arXiv 1804.11188).
    #[plugin(min = 3)]
    pub chrono: Option<usize>,
}

/// The function that a gate applies.
#[plugin(key)]
#[derive(Clone, Copy, Debug, Default)]
pub enum GateActivation {
    /// The logistic function.
    #[default]
    Sigmoid,
    /// `clip(0.2 x + 0.5, 0, 1)`, as early Keras has it.
    HardSigmoid,
}

/// A part of the LSTM.
#[plugin(key)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Without {
    /// `c' = f c + g`.
    InputGate,
    /// `c' = c + i g`.
    ForgetGate,
    /// `h' = tanh(c')`.
    OutputGate,
    /// `g = W x + U h + b`.
    InputActivation,
    /// `h' = o c'`.
    OutputActivation,
}

/// The first value of a forget gate's bias, by its unit.
pub(crate) fn chrono(longest: usize, unit: usize, units: usize) -> f64 {
    (1.0 + (longest as f64 - 2.0) * spread(unit, units)).ln()
}

/// Cell state and output of an LSTM whose sums are in the order i, f, g, o: `h'` and `c'`, each `[batch, hidden]`.
pub(crate) fn lstm(sums: Tensor<2>, c: Tensor<2>) -> (Tensor<2>, Tensor<2>) {
    let [i, f, g, o] = chunk(sums); // each [batch, hidden]
    let c = sigmoid(f) * c + sigmoid(i) * g.tanh(); // [batch, hidden]
    (sigmoid(o) * c.clone().tanh(), c)
}

/// First values of an LSTM's bias: those of the forget gate are one.
pub(crate) fn forgetting(name: impl Into<Name>, width: usize) -> ParamSpec {
    crate::heads::blocks(name, width, &[0.0, 1.0, 0.0, 0.0])
}

// ANCHOR: cell
impl Cell for Lstm {
    fn validate(&self) -> Result<(), PluginError> {
        if self.coupled && matches!(self.without, Some(Without::InputGate | Without::ForgetGate)) {
            return Err(PluginError::new(
                "`coupled` makes the input gate of the forget gate, and `without` leaves one out",
            )
            .hint("leave one of the two keys out"));
        }
        Ok(())
    }

    fn params(&self, inputs: usize) -> Vec<ParamSpec> {
        let (h, gates) = (self.hidden, self.gates());
        let first = |(gate, unit)| match (gate, self.chrono) {
            ('f', None) => self.forget_bias,
            ('f', Some(longest)) => chrono(longest, unit, h),
            ('i', Some(longest)) => -chrono(longest, unit, h),
            _ => 0.0,
        };
        let values = gates.iter().flat_map(|gate| (0..h).map(move |unit| (*gate, unit))).map(first).collect();
        let mut params = vec![
            weight("wx", [h, inputs]).gates(gates.len()),
            recurrent("wh", h).gates(gates.len()),
            bias("b", gates.len() * h).initializer(Initializer::Values { values }),
        ];
        if self.peepholes {
            params.extend(
                ['i', 'f', 'o'].iter().filter(|gate| gates.contains(gate)).map(|gate| bias(format!("p{gate}"), h)),
            );
        }
        if self.layer_norm {
            params.extend([all("gx", gates.len() * h, 1.0), all("gh", gates.len() * h, 1.0)]);
            params.extend([all("gc", h, 1.0), bias("bc", h)]);
        }
        params
    }

    fn state(&self, _inputs: usize) -> Vec<StateSpec> {
        vec![zeros("h", self.hidden), zeros("c", self.hidden)]
    }

    fn step(&self, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        let [h, c] = state.get(["h", "c"]);
        let sums = self.sums(params, x, h); // [batch, gates × hidden]
        let gate = |gate, c: &Tensor<2>| {
            let sum = self.part(&sums, gate)?;
            let sees = self.peepholes.then(|| params.get(&format!("p{gate}")) * c.clone());
            Some(self.activate(sees.into_iter().fold(sum, |sum, seen| sum + seen)))
        };
        // A gate that is left out is 1.
        let times = |gate: Option<Tensor<2>>, x: Tensor<2>| gate.map_or(x.clone(), |gate| gate * x);
        let g = self.part(&sums, 'g').expect("every form has it"); // [batch, hidden]
        let g = if self.without == Some(Without::InputActivation) { g } else { g.tanh() };
        // ANCHOR: gates
        let f = gate('f', &c);
        let i = if self.coupled { f.clone().map(|f| f.neg() + 1.0) } else { gate('i', &c) };
        let c = self.clipped(times(f, c) + times(i, g)); // [batch, hidden]
        let o = gate('o', &c);
        let h = times(o, self.put_out(params, c.clone())); // [batch, hidden]
        // ANCHOR_END: gates
        (h.clone(), State::from([("h", h), ("c", c)]))
    }
}

impl Lstm {
    /// The gates that there are, in the order of the rows.
    fn gates(&self) -> Vec<char> {
        let is_there = |gate: &char| match gate {
            'i' => !self.coupled && self.without != Some(Without::InputGate),
            'f' => self.without != Some(Without::ForgetGate),
            'o' => self.without != Some(Without::OutputGate),
            _ => true,
        };
        ['i', 'f', 'g', 'o'].into_iter().filter(is_there).collect()
    }

    /// The sums of all gates: `[batch, gates × hidden]`.
    fn sums(&self, params: &Params, x: Tensor<2>, h: Tensor<2>) -> Tensor<2> {
        let [wx, wh, b] = params.get(["wx", "wh", "b"]);
        if !self.layer_norm {
            return linear(x, wx, b) + linear_no_bias(h, wh);
        }
        let [gx, gh] = params.get(["gx", "gh"]);
        standardized(linear_no_bias(x, wx)) * gx + standardized(linear_no_bias(h, wh)) * gh + b
    }

    /// The sum of one gate, if there is that: `[batch, hidden]`.
    fn part(&self, sums: &Tensor<2>, gate: char) -> Option<Tensor<2>> {
        let at = self.gates().iter().position(|known| *known == gate)?;
        Some(sums.clone().narrow(1, at * self.hidden, self.hidden))
    }

    fn activate(&self, sum: Tensor<2>) -> Tensor<2> {
        match self.gate_activation {
            GateActivation::Sigmoid => sigmoid(sum),
            GateActivation::HardSigmoid => hard_sigmoid(sum),
        }
    }

    fn clipped(&self, c: Tensor<2>) -> Tensor<2> {
        match self.cell_clip {
            Some(limit) => c.clamp(-limit, limit),
            None => c,
        }
    }

    /// What the output gate lets through: `[batch, hidden]`.
    fn put_out(&self, params: &Params, c: Tensor<2>) -> Tensor<2> {
        let c = if self.layer_norm { standardized(c) * params.get("gc") + params.get("bc") } else { c };
        if self.without == Some(Without::OutputActivation) { c } else { c.tanh() }
    }
}
// ANCHOR_END: cell
