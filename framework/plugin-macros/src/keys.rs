//! The fields of a type: the keys of an experiment's table, with their limits and defaults.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::{
    Attribute, Error, Expr, Field, Ident, Path, Result, Token, Type, meta::ParseNestedMeta, parse_quote,
    spanned::Spanned,
};

/// What `#[plugin(…)]` says of a field.
#[derive(Default)]
struct Options {
    min: Option<Expr>,
    max: Option<Expr>,
    above: Option<Expr>,
    default: Option<Fallback>,
}

/// A key that may be left out.
enum Fallback {
    /// `default`: the type's own.
    OfType,
    /// `default = 1.0`.
    Value(Box<Expr>),
}

/// Replaces the `#[plugin(…)]` of a field by what serde and schemars understand. `owner` is the type; returned is the
/// function that gives the field's default, if it has one.
pub(crate) fn expand(owner: &Ident, field: &mut Field) -> Result<Option<TokenStream>> {
    let options = options(field)?;
    let has_serde = field.attrs.iter().any(|attribute| attribute.path().is_ident("serde"));
    let limits: Vec<_> = [("min", &options.min), ("max", &options.max)]
        .into_iter()
        .filter_map(|(name, limit)| {
            let (name, limit) = (format_ident!("{name}"), limit.as_ref()?);
            Some(quote!(#name = #limit))
        })
        .collect();
    if !limits.is_empty() {
        field.attrs.push(parse_quote!(#[schemars(range(#(#limits),*))]));
    }
    if let Some(above) = &options.above {
        field.attrs.push(parse_quote!(#[schemars(extend("exclusiveMinimum" = #above))]));
    }
    match options.default {
        Some(Fallback::OfType) => {
            field.attrs.push(parse_quote!(#[serde(default)]));
            Ok(None)
        }
        Some(Fallback::Value(value)) => {
            let (name, of) = (field.ident.as_ref().expect("the fields have names"), &field.ty);
            let function = format_ident!("__default_{name}");
            let path = format!("{owner}::{function}");
            field.attrs.push(parse_quote!(#[serde(default = #path)]));
            Ok(Some(quote_spanned!(value.span()=> #[doc(hidden)] fn #function() -> #of { #value })))
        }
        None if !has_serde && is_option(&field.ty) => {
            let is_none = "::core::option::Option::is_none";
            field.attrs.push(parse_quote!(#[serde(default, skip_serializing_if = #is_none)]));
            Ok(None)
        }
        None => Ok(None),
    }
}

/// Reads the attributes `#[plugin(…)]` of a field and takes them away.
fn options(field: &mut Field) -> Result<Options> {
    let mut options = Options::default();
    let (own, others): (Vec<Attribute>, Vec<Attribute>) =
        std::mem::take(&mut field.attrs).into_iter().partition(|attribute| is_own(attribute.path()));
    field.attrs = others;
    for attribute in own {
        attribute.parse_nested_meta(|meta| option(&meta, &mut options))?;
    }
    Ok(options)
}

fn option(meta: &ParseNestedMeta<'_>, options: &mut Options) -> Result<()> {
    let name = meta.path.get_ident().map(ToString::to_string).unwrap_or_default();
    let value = || meta.value()?.parse::<Expr>();
    let is_new = match name.as_str() {
        "min" => options.min.replace(value()?).is_none(),
        "max" => options.max.replace(value()?).is_none(),
        "above" => options.above.replace(value()?).is_none(),
        "default" if meta.input.peek(Token![=]) => {
            options.default.replace(Fallback::Value(Box::new(value()?))).is_none()
        }
        "default" => options.default.replace(Fallback::OfType).is_none(),
        _ => return Err(meta.error("unknown: a key has `min`, `max`, `above` and `default`")),
    };
    if is_new { Ok(()) } else { Err(meta.error(format!("`{name}` stands here twice"))) }
}

/// Whether a path is that of this attribute: `plugin` or `hatchery_plugin::plugin`.
pub(crate) fn is_own(path: &Path) -> bool {
    path.segments.last().is_some_and(|last| last.ident == "plugin")
}

fn is_option(of: &Type) -> bool {
    let Type::Path(path) = of else { return false };
    path.path.segments.last().is_some_and(|last| last.ident == "Option")
}

/// The error of a field without a name.
pub(crate) fn unnamed(fields: &impl Spanned) -> Error {
    Error::new(fields.span(), "the fields are keys of a table and need names: `struct Name { key: f64 }`")
}
