//! Gradients that do not arrive.

use hatchery_plugin::prelude::*;

use crate::{done, plain, wrong};

// check: everything gets a gradient|for `b`
// train: does not conform
wrong!(Unused "unused", "A parameter that is never used.\n\n```toml\n[cell]\ntype = \"unused\"\nhidden = 8\n```", |self, params, x, state| {
    done((linear_no_bias(x, params.get("wx")) + linear_no_bias(state.get("h"), params.get("wh"))).tanh())
});

// check, among others: everything gets a gradient|for 
wrong!(Sign "sign", "Binary units.\n\n```toml\n[cell]\ntype = \"sign\"\nhidden = 8\n```", |self, params, x, state| {
    done(plain(params, x, &state).sign())
});
