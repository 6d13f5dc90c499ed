//! Ordered neurons: an LSTM whose units are erased from one end, so that some live longer than others.

use hatchery_plugin::{burn::tensor::activation::softmax, prelude::*};

use crate::heads::{blocks, divide};

/// Ordered-neurons LSTM: master gates `f = cumax(W x + U h + b)` and `i = 1 − cumax(W x + U h + b)` rise and fall over the
/// units, and the gates of an LSTM act where both are open (Shen et al. 2018, arXiv 1810.09536, equations 9 to 14).
///
/// `cumax` is the running sum of a softmax, `ω = f i`, `c' = (σ(f) ω + f − ω) c + (σ(i) ω + i − ω) tanh(g)`. Each entry of a
/// master gate holds for `chunk` units. The rows are i, f, g, o, then the master gates f and i.
///
/// ```toml
/// [cell]
/// type = "on-lstm"
/// hidden = 128
/// ```
#[plugin(cell = "on-lstm", family = "several time scales")]
pub struct OnLstm {
    /// Width of the hidden state.
    #[plugin(min = 1)]
    pub hidden: usize,
    /// Units that share an entry of the master gates, of which `hidden` is a multiple.
    #[plugin(default = 1, min = 1)]
    pub chunk: usize,
}

impl Cell for OnLstm {
    fn validate(&self) -> Result<(), PluginError> {
        divide(self.hidden, self.chunk)
    }

    fn params(&self, inputs: usize) -> Vec<ParamSpec> {
        let (h, all) = (self.hidden, 4 * self.hidden + 2 * self.hidden / self.chunk);
        let master = 2 * self.hidden / self.chunk;
        let values = [vec![0.0; h], vec![1.0; h], vec![0.0; 2 * h + master]].concat();
        vec![weight("wx", [all, inputs]), weight("wh", [all, h]), blocks("b", 1, &values)]
    }

    fn state(&self, _inputs: usize) -> Vec<StateSpec> {
        vec![zeros("h", self.hidden), zeros("c", self.hidden)]
    }

    fn step(&self, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        let [wx, wh, b] = params.get(["wx", "wh", "b"]);
        let [h, c] = state.get(["h", "c"]);
        let ([batch, own], entries) = (h.dims(), self.hidden / self.chunk);
        let sums = linear(x, wx, b) + linear_no_bias(h, wh); // [batch, 4 hidden + 2 entries]
        let cumax = |gate: usize| {
            let sum = sums.clone().narrow(1, 4 * own + gate * entries, entries); // [batch, entries]
            let risen = softmax(sum, 1).cumsum(1).reshape([batch, entries, 1]);
            risen.expand([batch, entries, self.chunk]).reshape([batch, own]) // [batch, hidden]
        };
        let (f_master, i_master) = (cumax(0), cumax(1).neg() + 1.0);
        let both = f_master.clone() * i_master.clone(); // [batch, hidden]
        let [i, f, g, o] = chunk(sums.clone().narrow(1, 0, 4 * own)); // each [batch, hidden]
        let f = sigmoid(f) * both.clone() + (f_master - both.clone()); // [batch, hidden]
        let i = sigmoid(i) * both.clone() + (i_master - both); // [batch, hidden]
        let c = f * c + i * g.tanh(); // [batch, hidden]
        let h = sigmoid(o) * c.clone().tanh(); // [batch, hidden]
        (h.clone(), State::from([("h", h), ("c", c)]))
    }
}
