//! Declarations that fail.

use hatchery_plugin::prelude::*;

use crate::{done, plain, wrong};

// check, with its line: declaration|heads must divide hidden
// train: heads must divide hidden
wrong!(Heads "heads", "Heads that do not divide, by an assertion.\n\n```toml\n[cell]\ntype = \"heads\"\nhidden = 8\nheads = 3\n```", { /// Parts of the hidden state.
    pub heads: usize, },
    |this, inputs| {
        assert!(this.hidden % this.heads == 0, "heads must divide hidden");
        crate::params(this.hidden, inputs)
    },
    |_this| Ok(()),
    |self, params, x, state| {
    done(plain(params, x, &state))
});

// check: built|heads must divide hidden
// train: refuses its keys: heads must divide hidden
wrong!(Validated "validated", "Heads that do not divide, said in time.\n\n```toml\n[cell]\ntype = \"validated\"\nhidden = 8\nheads = 3\n```", { /// Parts of the hidden state.
    pub heads: usize, },
    |this, inputs| crate::params(this.hidden, inputs),
    |this| if this.hidden % this.heads == 0 {
        Ok(())
    } else {
        Err(PluginError::new("heads must divide hidden").hint("choose 2 or 4 heads"))
    },
    |self, params, x, state| {
    done(plain(params, x, &state))
});

// check: batch rows independent|changing row 0 of the batch changes others
wrong!(Option "option", "A mistake in the branch of an option.\n\n```toml\n[cell]\ntype = \"option\"\nhidden = 8\n```", { /// Another branch.
    #[plugin(default)]
    pub other: bool, },
    |this, inputs| crate::params(this.hidden, inputs),
    |_this| Ok(()),
    |self, params, x, state| {
    let h = plain(params, x, &state);
    if self.other { done(h.clone() - h.mean_dim(0)) } else { done(h) }
});
