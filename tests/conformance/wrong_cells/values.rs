//! What cannot be recorded.

use hatchery_plugin::prelude::*;
use hatchery_plugin::burn::tensor::Distribution;

use crate::{done, plain, wrong};

// check, with its line: can be recorded|it reads the value of a tensor|use `mask_where`
// train: use `mask_where`
wrong!(Looks "looks", "Looks at a value.\n\n```toml\n[cell]\ntype = \"looks\"\nhidden = 8\n```", |self, params, x, state| {
    let h = plain(params, x, &state);
    let norm: f64 = h.clone().square().sum().into_scalar::<f64>();
    if norm > 1.0 { done(h / norm) } else { done(h) }
});

// check, with its line: can be recorded|it reads the value of a tensor|use `mask_where`
wrong!(ReadsAll "reads-all", "Takes the numbers out.\n\n```toml\n[cell]\ntype = \"reads-all\"\nhidden = 8\n```", |self, params, x, state| {
    let h = plain(params, x, &state);
    let largest = h.clone().into_data().iter::<f64>().fold(0.0, f64::max);
    done(h / largest)
});

// check, with its line: can be recorded|index out of bounds: the len is 0 but the index is 3
// train: index out of bounds
wrong!(Index "index", "Index out of bounds.\n\n```toml\n[cell]\ntype = \"index\"\nhidden = 8\n```", |self, params, x, state| {
    let widths: Vec<usize> = Vec::new();
    let h = plain(params, x, &state);
    done(h * (widths[3] as f64))
});

// check, with its line: can be recorded|called `Option::unwrap()` on a `None` value
wrong!(Unwraps "unwraps", "Unwraps nothing.\n\n```toml\n[cell]\ntype = \"unwraps\"\nhidden = 8\n```", |self, params, x, state| {
    let scale: Option<f64> = None;
    done(plain(params, x, &state) * scale.unwrap())
});

// check: it draws random numbers|`normal("z", width)`
// train: declare what it needs in `noise`
wrong!(Draws "draws", "Noise by Burn.\n\n```toml\n[cell]\ntype = \"draws\"\nhidden = 8\n```", |self, params, x, state| {
    let h = plain(params, x, &state);
    done(h.clone() + h.random_like(Distribution::Normal(0.0, 0.1)))
});

// check: it uses the operation `TopK`, which is not covered
// train: `TopK`
wrong!(Topk "topk", "Keeps the largest.\n\n```toml\n[cell]\ntype = \"topk\"\nhidden = 8\n```", |self, params, x, state| {
    let h = plain(params, x, &state);
    let least = h.clone().topk(4, 1).narrow(1, 3, 1);
    let small = h.clone().lower(least);
    done(h.mask_fill(small, 0.0))
});

// check: ok
wrong!(Prints "prints", "Prints a tensor.\n\n```toml\n[cell]\ntype = \"prints\"\nhidden = 8\n```", |self, params, x, state| {
    let h = plain(params, x, &state);
    println!("h = {h}");
    done(h)
});
