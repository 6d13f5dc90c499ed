//! The names of a plugin's crate, module and type, derived from the name of the plugin.

use hatchery::error::{Problem, Result};
use hatchery_plugin::Kind;

/// Words that cannot name a crate or a module: the keywords of Rust, reserved ones included.
const KEYWORDS: &str = "abstract as async await become box break const continue crate do dyn else enum extern false final fn for gen if \
    impl in let loop macro match mod move mut override priv pub ref return self static struct super trait true try \
    type typeof unsafe unsized use virtual where while yield";

/// Names of crates that a crate of the same name would shadow, and names that files cannot have on some systems.
const CRATES: &str = "alloc aux con core hatchery-plugin hatchery-plugin-macros nul prn proc-macro std test";

/// Names that a template uses or that are in Rust's prelude: a type of the same name would shadow them.
const TYPES: &str = "AsMut AsRef Box Cell Clipper Clone Copy Dataset Debug Default Documents DoubleEndedIterator Drop Eq Err \
    ExactSizeIterator Extend Fn FnMut FnOnce Framing From FromIterator Future Gradients Hash Initializer Into \
    IntoFuture IntoIterator Iterator JsonSchema Keys Kind None Ok Option Ord ParamSpec Params PartialEq PartialOrd \
    Plugin PluginError Predict Provider Result Sampler Self Send Serialize Sized Some Source State StateSpec String \
    Sync Tensor ToOwned ToString Token TryFrom TryInto Unpin Variant Vec";

/// Checks that a plugin's name can be that of its crate and module.
///
/// # Errors
/// When it cannot.
pub(super) fn check(kind: Kind, name: &str) -> Result<()> {
    let problem = || Problem::new(format!("`{name}` cannot be the name of a plugin and its crate"));
    let sign = |sign: char| sign.is_ascii_lowercase() || sign.is_ascii_digit() || sign == '-';
    let is_kebab = name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.chars().all(sign)
        && !name.ends_with('-')
        && !name.contains("--");
    if !is_kebab {
        return Err(problem().hint("use lower-case words with hyphens between them: `mgu`, `layer-norm-lstm`").into());
    }
    let reason = if listed(KEYWORDS, name) {
        "it is a word of the Rust language"
    } else if listed(CRATES, name) {
        "it is the name of something that the crate needs, or of no file"
    } else {
        return Ok(());
    };
    Err(problem().note(reason).hint(format!("add a word: `{name}-{kind}`")).into())
}

/// The name of the plugin's type: `layer-norm-lstm` → `LayerNormLstm`. The kind is added where the name alone would
/// shadow one that the source uses: `vec` → `VecCell`. `is_taken` decides for names that not every source uses.
pub(super) fn type_name(kind: Kind, name: &str, is_taken: impl Fn(&str) -> bool) -> String {
    let own = camel_case(name);
    if listed(TYPES, &own) || is_taken(&own) { own + &camel_case(kind.word()) } else { own }
}

/// The name of the plugin's module and of its library: `layer-norm-lstm` → `layer_norm_lstm`.
pub(super) fn module(name: &str) -> String {
    name.replace('-', "_")
}

fn listed(list: &str, name: &str) -> bool {
    list.split_whitespace().any(|known| known == name)
}

fn camel_case(name: &str) -> String {
    let capital = |word: &str| word[..1].to_uppercase() + &word[1..];
    name.split('-').filter(|word| !word.is_empty()).map(capital).collect()
}
