//! Ten more, thought up when the others had their messages.

use hatchery_plugin::prelude::*;

use crate::{done, plain, wrong};

// check, with its line: can be recorded|the product of `x` [3, 5] and `wx` [8, 5] does not fit|did you mean `linear_no_bias(x, wx)`?
wrong!(TransposedTwice "transposed-twice", "Transposes for `linear`.\n\n```toml\n[cell]\ntype = \"transposed-twice\"\nhidden = 8\n```", |self, params, x, state| {
    let wx = params.get("wx").transpose();
    done((linear(x, wx, params.get("b")) + linear_no_bias(state.get("h"), params.get("wh"))).tanh())
});

// check, with its line: can be recorded|with batch 3 and 5 inputs
wrong!(Sideways "sideways", "A state that is transposed.\n\n```toml\n[cell]\ntype = \"sideways\"\nhidden = 8\n```", |self, params, x, state| {
    let h = plain(params, x, &state);
    done(h + state.get("h").transpose())
});

// check, with its line: can be recorded|with batch 3 and 5 inputs
wrong!(NoWeights "no-weights", "A bias that is added to the input.\n\n```toml\n[cell]\ntype = \"no-weights\"\nhidden = 8\n```", |self, params, x, state| {
    let h = x + params.get("b") + linear_no_bias(state.get("h"), params.get("wh"));
    done(h.tanh())
});

// check: batch rows independent|changing row 0 of the batch changes others
wrong!(MeanOfAll "mean-of-all", "A mean over everything.\n\n```toml\n[cell]\ntype = \"mean-of-all\"\nhidden = 8\n```", |self, params, x, state| {
    let h = plain(params, x, &state);
    let mean: Tensor<2> = h.clone().mean().reshape([1, 1]);
    done(h - mean)
});

// check: finite for large inputs|look for an `exp`
wrong!(SoftmaxByHand "softmax-by-hand", "A softmax without the maximum taken off.\n\n```toml\n[cell]\ntype = \"softmax-by-hand\"\nhidden = 8\n```", |self, params, x, state| {
    let a = linear(x, params.get("wx"), params.get("b")) + linear_no_bias(state.get("h"), params.get("wh"));
    let e = (a * 20.0).exp();
    done(e.clone() / e.sum_dim(1))
});

// check: finite for ordinary inputs|is NaN
wrong!(RootOfNegative "root-of-negative", "A root of negative numbers.\n\n```toml\n[cell]\ntype = \"root-of-negative\"\nhidden = 8\n```", |self, params, x, state| {
    done((plain(params, x, &state) - 1.0).sqrt())
});

// check, among others: finite at first values|after step 1
wrong!(DividesByState "divides-by-state", "Divides by a state that begins at zero.\n\n```toml\n[cell]\ntype = \"divides-by-state\"\nhidden = 8\n```", |self, params, x, state| {
    let h = plain(params, x, &state);
    done((h.clone() / (state.get("h") * 0.5)).tanh() * 0.5 + h * 0.5)
});

// check, with its line: shapes kept|assertion
wrong!(KnowsItsSizes "knows-its-sizes", "An assertion about sizes.\n\n```toml\n[cell]\ntype = \"knows-its-sizes\"\nhidden = 8\n```", |self, params, x, state| {
    assert_eq!(x.dims()[0], 3);
    done(plain(params, x, &state))
});

// check, with its line: can be recorded|not yet implemented
wrong!(Unfinished "unfinished", "Not written yet.\n\n```toml\n[cell]\ntype = \"unfinished\"\nhidden = 8\n```", |self, params, x, state| {
    let _h = plain(params, x, &state);
    todo!()
});

// check: can be recorded|`step` returns a state `c`, which `state` does not declare
wrong!(OneMore "one-more", "A vector that was not declared.\n\n```toml\n[cell]\ntype = \"one-more\"\nhidden = 8\n```", |self, params, x, state| {
    let h = plain(params, x, &state);
    (h.clone(), State::from([("h", h.clone()), ("c", h)]))
});
