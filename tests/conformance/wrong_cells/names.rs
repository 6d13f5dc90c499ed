//! Names that were not declared.

use hatchery_plugin::prelude::*;

use crate::{done, plain, wrong};

// check, with its line: can be recorded|no matrix is named `bias`; there are `wx`, `wh`, `b`: did you mean `b`?
// train: did you mean `b`?
wrong!(Undeclared "undeclared", "A parameter that was not declared.\n\n```toml\n[cell]\ntype = \"undeclared\"\nhidden = 8\n```", |self, params, x, state| {
    let h = linear(x, params.get("wx"), params.get("bias")) + linear_no_bias(state.get("h"), params.get("wh"));
    done(h.tanh())
});

// check, with its line: can be recorded|no matrix is named `wX`; there are `wx`, `wh`, `b`: did you mean `wx`?
wrong!(Mistyped "mistyped", "A name with a capital letter.\n\n```toml\n[cell]\ntype = \"mistyped\"\nhidden = 8\n```", |self, params, x, state| {
    let [wx, b] = params.get(["wX", "b"]);
    done((linear(x, wx, b) + linear_no_bias(state.get("h"), params.get("wh"))).tanh())
});

// check, with its line: can be recorded|no matrix is named `c`; there are `h`
// train: no matrix is named `c`
wrong!(NoSuchState "no-such-state", "A state that was not declared.\n\n```toml\n[cell]\ntype = \"no-such-state\"\nhidden = 8\n```", |self, params, x, state| {
    let c = state.get("c");
    done((linear(x, params.get("wx"), params.get("b")) + linear_no_bias(c, params.get("wh"))).tanh())
});

// check: can be recorded|`step` does not return the state `h`, it returns `hidden`
// train: it returns `hidden`
wrong!(Renames "renames", "Another name returned.\n\n```toml\n[cell]\ntype = \"renames\"\nhidden = 8\n```", |self, params, x, state| {
    let h = plain(params, x, &state);
    (h.clone(), State::from([("hidden", h)]))
});

// check: can be recorded|`step` does not return the state `h`, it returns no vector
wrong!(Forgets "forgets", "No state returned.\n\n```toml\n[cell]\ntype = \"forgets\"\nhidden = 8\n```", |self, params, x, state| {
    (plain(params, x, &state), State::default())
});

// check: declaration|`wx`
// train: `wx`
wrong!(Twice "twice", "A name that stands twice.\n\n```toml\n[cell]\ntype = \"twice\"\nhidden = 8\n```", {  },
    |this, inputs| vec![weight("wx", [this.hidden, inputs]), recurrent("wx", this.hidden), bias("b", this.hidden)],
    |_this| Ok(()),
    |self, params, x, state| {
    done(plain(params, x, &state))
});
