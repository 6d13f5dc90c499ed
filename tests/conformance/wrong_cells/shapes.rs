//! Shapes that do not fit.

use hatchery_plugin::prelude::*;

use crate::{done, plain, wrong};

// check, with its line: can be recorded|the product of `x` [3, 5] and `wx` [8, 5] does not fit|did you mean `linear_no_bias(x, wx)`?
// train: did you mean `linear_no_bias(x, wx)`?
wrong!(Transpose "transpose", "No transpose.\n\n```toml\n[cell]\ntype = \"transpose\"\nhidden = 8\n```", |self, params, x, state| {
    let h = (x.matmul(params.get("wx")) + linear_no_bias(state.get("h"), params.get("wh")) + params.get("b")).tanh();
    done(h)
});

// check: can be recorded|`b` is [8, 1]|a bias is a row, [1, outputs]: `bias("b", 8)`
// train: a bias is a row, [1, outputs]
wrong!(Column "column", "A bias as a column, as in the notebooks.\n\n```toml\n[cell]\ntype = \"column\"\nhidden = 8\n```", {  },
    |this, inputs| vec![
        weight("wx", [this.hidden, inputs]),
        recurrent("wh", this.hidden),
        ParamSpec::new("b", [this.hidden, 1], Initializer::Zeros),
    ],
    |_this| Ok(()),
    |self, params, x, state| {
    let h = (linear(x, params.get("wx"), params.get("b")) + linear_no_bias(state.get("h"), params.get("wh"))).tanh();
    done(h)
});

// check: can be recorded|`h` is [3, 16] after the step, declared is [3, 8]
// train: after the step, declared is
wrong!(Grows "grows", "The state grows.\n\n```toml\n[cell]\ntype = \"grows\"\nhidden = 8\n```", |self, params, x, state| {
    let h = plain(params, x, &state);
    let grown = Tensor::cat(vec![state.get("h"), h.clone()], 1);
    (h, State::from([("h", grown)]))
});

// check: can be recorded|`output` is [3, 16] after the step, declared is [3, 8]
wrong!(TooWide "too-wide", "An output of another width.\n\n```toml\n[cell]\ntype = \"too-wide\"\nhidden = 8\n```", |self, params, x, state| {
    let h = plain(params, x, &state);
    (Tensor::cat(vec![h.clone(), h.clone()], 1), State::from([("h", h)]))
});

// check: can be recorded|`h` is [6, 8] after the step, declared is [3, 8]
wrong!(StacksRows "stacks-rows", "Puts matrices below each other.\n\n```toml\n[cell]\ntype = \"stacks-rows\"\nhidden = 8\n```", |self, params, x, state| {
    let h = plain(params, x, &state);
    let below = Tensor::cat(vec![h.clone(), h.clone()], 0);
    (h, State::from([("h", below)]))
});

// check, with its line: can be recorded|with batch 3 and 5 inputs
wrong!(Sixteen "sixteen", "Knows the batch.\n\n```toml\n[cell]\ntype = \"sixteen\"\nhidden = 8\n```", |self, params, x, state| {
    done(plain(params, x, &state).reshape([16, 8]))
});

// check, with its line: can be recorded|with batch 3 and 5 inputs
wrong!(Narrow "narrow", "Columns that are not there.\n\n```toml\n[cell]\ntype = \"narrow\"\nhidden = 8\n```", |self, params, x, state| {
    let h = plain(params, x, &state);
    done(h.narrow(1, 4, 8))
});

// check, with its line: can be recorded|8 columns cannot be split into 3 equal parts
wrong!(Chunk "chunk", "A number of gates that does not divide.\n\n```toml\n[cell]\ntype = \"chunk\"\nhidden = 8\n```", |self, params, x, state| {
    let [a, b, _c] = chunk(plain(params, x, &state));
    done(a * b)
});

// check, with its line: can be recorded|with batch 3 and 5 inputs
wrong!(SumOfWidths "sum-of-widths", "A sum of input and state.\n\n```toml\n[cell]\ntype = \"sum-of-widths\"\nhidden = 8\n```", |self, params, x, state| {
    let h = plain(params, x.clone(), &state);
    done(h + x)
});

// check: can be recorded|`output` is [1, 8] after the step, declared is [3, 8]
wrong!(OneRow "one-row", "Takes the first row of the batch.\n\n```toml\n[cell]\ntype = \"one-row\"\nhidden = 8\n```", |self, params, x, state| {
    let h = plain(params, x, &state);
    done(h.narrow(0, 0, 1))
});
