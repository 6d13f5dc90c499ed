//! The arguments of `#[plugin(…)]` on a type.

use proc_macro2::Span;
use syn::{
    Error, Ident, LitStr, Result, Token,
    parse::{Parse, ParseStream},
};

/// The arguments of the attribute on a type.
#[derive(Debug)]
pub(crate) enum Arguments {
    /// `cell = "mgu"`: the type is a plugin.
    Plugin {
        /// The function of `hatchery_plugin::Variant` that makes the entry of this kind.
        kind: Ident,
        /// The name in experiment files.
        name: LitStr,
        /// The group in which it is listed.
        family: Option<LitStr>,
    },
    /// `key`: the type is the value of a plugin's key.
    Key,
}

/// The kinds, and the wrapper, which is a form of cell.
const KINDS: [&str; 5] = ["dataset", "cell", "wrapper", "clipper", "sampler"];

impl Parse for Arguments {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        if input.is_empty() {
            let usage = "a plugin has a kind and a name: `#[plugin(cell = \"my-cell\")]`; the type of a key is \
                         `#[plugin(key)]`";
            return Err(Error::new(Span::call_site(), usage));
        }
        let kind: Ident = input.parse()?;
        if kind == "key" {
            return end(input).map(|()| Self::Key);
        }
        if !KINDS.iter().any(|known| kind == known) {
            let wrong =
                format!("`{kind}` is not a kind of plugin: the kinds are dataset, cell, wrapper, clipper and sampler");
            return Err(Error::new(kind.span(), wrong));
        }
        if !input.peek(Token![=]) {
            return Err(Error::new(kind.span(), format!("the {kind} needs a name: `{kind} = \"my-{kind}\"`")));
        }
        input.parse::<Token![=]>()?;
        let name: LitStr = input
            .parse()
            .map_err(|error| Error::new(error.span(), format!("the name of a {kind} is a string: \"my-{kind}\"")))?;
        if !is_kebab_case(&name.value()) {
            let wrong = "a name consists of lower-case words with hyphens between them, as \"layer-norm-lstm\"";
            return Err(Error::new(name.span(), wrong));
        }
        let family = family(input)?;
        end(input).map(|()| Self::Plugin { kind, name, family })
    }
}

/// `, family = "gated"`, if it stands there.
fn family(input: ParseStream<'_>) -> Result<Option<LitStr>> {
    if !(input.peek(Token![,]) && input.peek2(Ident)) {
        return Ok(None);
    }
    input.parse::<Token![,]>()?;
    let word: Ident = input.parse()?;
    if word != "family" {
        return Err(Error::new(word.span(), "one type is one plugin: only `family = \"…\"` may follow its name"));
    }
    input.parse::<Token![=]>()?;
    input.parse().map(Some)
}

fn end(input: ParseStream<'_>) -> Result<()> {
    let _ = input.parse::<Option<Token![,]>>()?;
    if input.is_empty() { Ok(()) } else { Err(input.error("one type is one plugin: nothing else stands here")) }
}

fn is_kebab_case(name: &str) -> bool {
    let is_word = |word: &str| {
        !word.is_empty() && word.chars().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit())
    };
    name.starts_with(|first: char| first.is_ascii_lowercase()) && name.split('-').all(is_word)
}
