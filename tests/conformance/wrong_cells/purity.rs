//! Cells that are no function of each row.

use hatchery_plugin::prelude::*;
use hatchery_plugin::burn::tensor::activation::softmax;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::{done, plain, wrong};

static STEPS: AtomicUsize = AtomicUsize::new(0);

// check: nothing but the arguments|two cells of the same keys differ
wrong!(Clock "clock", "Noise by the clock.\n\n```toml\n[cell]\ntype = \"clock\"\nhidden = 8\n```", |self, params, x, state| {
    let h = plain(params, x, &state);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().subsec_nanos();
    done(h * (1.0 + f64::from(now % 1000) * 1e-4))
});

// check: nothing but the arguments|two cells of the same keys differ
wrong!(Global "global", "Counts its steps.\n\n```toml\n[cell]\ntype = \"global\"\nhidden = 8\n```", |self, params, x, state| {
    let h = plain(params, x, &state);
    let t = STEPS.fetch_add(1, Ordering::Relaxed);
    if t % 4 == 0 { done(h) } else { done(h * 0.5 + state.get("h") * 0.5) }
});

// check: batch rows independent|changing row 0 of the batch changes others
// train: does not conform
wrong!(BatchMean "batch-mean", "Mean over the batch.\n\n```toml\n[cell]\ntype = \"batch-mean\"\nhidden = 8\n```", |self, params, x, state| {
    let h = plain(params, x, &state);
    done(h.clone() - h.mean_dim(0))
});

// check: batch rows independent|changing row 0 of the batch changes others
wrong!(BatchSoftmax "batch-softmax", "A softmax along the batch.\n\n```toml\n[cell]\ntype = \"batch-softmax\"\nhidden = 8\n```", |self, params, x, state| {
    done(softmax(plain(params, x, &state), 0))
});

// check: batch rows independent|changing row 0 of the batch changes others
wrong!(Flips "flips", "Rows in another order.\n\n```toml\n[cell]\ntype = \"flips\"\nhidden = 8\n```", |self, params, x, state| {
    done(plain(params, x, &state).flip([0]))
});
