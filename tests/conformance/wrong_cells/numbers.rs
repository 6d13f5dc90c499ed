//! Numbers that are not finite, or of another type.

use hatchery_plugin::prelude::*;
use hatchery_plugin::burn::tensor::FloatDType;

use crate::{done, plain, wrong};

// check: finite for ordinary inputs|is NaN
// train: NaN
wrong!(Log "log", "Logarithm of negative numbers.\n\n```toml\n[cell]\ntype = \"log\"\nhidden = 8\n```", |self, params, x, state| {
    done(plain(params, x, &state).log())
});

// check: finite at first values|the gradient of|add a small number within the root
// train: `Sqrt` of 0 has no finite slope
wrong!(NormZero "norm-zero", "Square root at zero.\n\n```toml\n[cell]\ntype = \"norm-zero\"\nhidden = 8\n```", |self, params, x, state| {
    let h = state.get("h");
    let norm = h.clone().square().sum_dim(1).sqrt();
    done((linear(x, params.get("wx"), params.get("b")) + linear_no_bias(h, params.get("wh"))).tanh() / (norm + 1.0))
});

// check: finite at first values|is NaN|add a small number within the root
// train: no update was made yet
wrong!(NormPlain "norm-plain", "Layer norm without epsilon.\n\n```toml\n[cell]\ntype = \"norm-plain\"\nhidden = 8\n```", |self, params, x, state| {
    let a = linear(x, params.get("wx"), params.get("b")) + linear_no_bias(state.get("h"), params.get("wh"));
    let c = a.clone() - a.mean_dim(1);
    let v = c.clone().square().mean_dim(1);
    done((c / v.sqrt()).tanh())
});

// check: finite at first values|the gradient of|add a small number within the root
// train: `Sqrt` of 0 has no finite slope
wrong!(NormOutside "norm-outside", "Layer norm with epsilon outside of the root.\n\n```toml\n[cell]\ntype = \"norm-outside\"\nhidden = 8\n```", |self, params, x, state| {
    let a = linear(x, params.get("wx"), params.get("b")) + linear_no_bias(state.get("h"), params.get("wh"));
    let c = a.clone() - a.mean_dim(1);
    let v = c.clone().square().mean_dim(1);
    done((c / (v.sqrt() + 1e-5)).tanh())
});

// check: finite for large inputs|look for an `exp`
wrong!(Exp "exp", "An exponential without a brake.\n\n```toml\n[cell]\ntype = \"exp\"\nhidden = 8\n```", |self, params, x, state| {
    let a = linear(x, params.get("wx"), params.get("b")) + linear_no_bias(state.get("h"), params.get("wh"));
    let e = (a * 10.0).exp();
    done(e.clone() / (e + 1.0))
});

// check, with its line: can be recorded|two tensors have different element types|`constant(&x, [[0.5, 2.0]])`
wrong!(Single "single", "A constant of its own type.\n\n```toml\n[cell]\ntype = \"single\"\nhidden = 2\n```", |self, params, x, state| {
    let h = plain(params, x, &state);
    let scale = Tensor::<2>::from_floats([[0.5, 2.0]], &h.device());
    done(h * scale)
});

// check, among others: double precision used|single precision
wrong!(Rounds "rounds", "Rounds to single precision.\n\n```toml\n[cell]\ntype = \"rounds\"\nhidden = 8\n```", |self, params, x, state| {
    let h = plain(params, x, &state);
    let dtype = h.dtype();
    done(h.cast(FloatDType::F32).cast(dtype))
});
