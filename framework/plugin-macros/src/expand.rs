//! From a type with `#[plugin(…)]` to the same type with all that a plugin needs.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::{
    Attribute, Data, DeriveInput, Error, Fields, Generics, Ident, LitStr, Meta, Path, Result, Token, parse_quote,
    parse2, punctuated::Punctuated,
};

use crate::{arguments::Arguments, keys};

/// Expands the attribute. An error becomes a `compile_error!` at the place that it is about; the type stays as it is
/// beside it, so that nothing else is reported missing.
pub(crate) fn plugin(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let arguments = parse2::<Arguments>(arguments);
    let input = match parse2::<DeriveInput>(item.clone()) {
        Ok(input) => input,
        Err(error) => {
            let error =
                Error::new(error.span(), "#[plugin] stands on a struct, or on an enum that is the type of a key");
            let error = error.into_compile_error();
            return quote!(#item #error);
        }
    };
    let bare = bare(&input);
    match arguments.and_then(|arguments| expand(&arguments, input)) {
        Ok(expanded) => expanded,
        Err(error) => {
            let error = error.into_compile_error();
            quote!(#bare #error)
        }
    }
}

fn expand(arguments: &Arguments, mut input: DeriveInput) -> Result<TokenStream> {
    derived_already(&input.attrs)?;
    let defaults = match arguments {
        Arguments::Plugin { kind, .. } => fields_of_plugin(kind, &mut input)?,
        Arguments::Key => fields_of_key(&mut input)?,
    };
    let serde: Attribute = match &input.data {
        Data::Enum(_) => parse_quote!(#[serde(crate = "::hatchery_plugin::serde", rename_all = "kebab-case")]),
        _ => parse_quote! {
            #[serde(crate = "::hatchery_plugin::serde", deny_unknown_fields, rename_all = "kebab-case")]
        },
    };
    let name = &input.ident;
    let defaults = (!defaults.is_empty()).then(|| quote!(impl #name { #(#defaults)* }));
    let (entry, family) = match arguments {
        Arguments::Plugin { kind, name: plugin, family } => (Some(entry(name, kind, plugin)), family.as_ref()),
        Arguments::Key => (None, None),
    };
    // In the schema, so that it comes with the keys from a library too.
    let family = family.map(|family| quote!(, extend("family" = #family)));
    Ok(quote! {
        #[derive(
            ::hatchery_plugin::serde::Serialize,
            ::hatchery_plugin::serde::Deserialize,
            ::hatchery_plugin::schemars::JsonSchema,
        )]
        #serde
        #[schemars(crate = "::hatchery_plugin::schemars" #family)]
        #input
        #defaults
        #entry
    })
}

/// The type's place in the list of its crate. A missing `impl Cell` is reported at the type's name.
fn entry(name: &Ident, kind: &Ident, plugin: &LitStr) -> TokenStream {
    let kind = Ident::new(&kind.to_string(), name.span());
    quote_spanned! {name.span()=>
        impl ::hatchery_plugin::Plugin for #name {
            fn variant() -> ::hatchery_plugin::Variant {
                ::hatchery_plugin::Variant::#kind::<#name>(#plugin)
            }
        }
    }
}

fn fields_of_plugin(kind: &Ident, input: &mut DeriveInput) -> Result<Vec<TokenStream>> {
    no_parameters(&input.generics)?;
    let name = input.ident.clone();
    let Data::Struct(data) = &mut input.data else {
        return Err(Error::new(name.span(), format!("a {kind} is a struct: its fields are its keys")));
    };
    if let Fields::Unit = data.fields {
        let wrong = format!("a {kind} without keys has an empty table of them: `struct {name} {{}}`");
        return Err(Error::new(name.span(), wrong));
    }
    fields(&name, &mut data.fields)
}

fn fields_of_key(input: &mut DeriveInput) -> Result<Vec<TokenStream>> {
    no_parameters(&input.generics)?;
    let name = input.ident.clone();
    match &mut input.data {
        Data::Struct(data) => fields(&name, &mut data.fields),
        Data::Enum(data) => match data.variants.iter().find(|variant| !matches!(variant.fields, Fields::Unit)) {
            Some(variant) => {
                Err(Error::new_spanned(variant, "the values of a key are names: a variant here has no fields"))
            }
            None => Ok(Vec::new()),
        },
        Data::Union(_) => Err(Error::new(name.span(), "the type of a key is a struct or an enum")),
    }
}

/// The functions that give defaults.
fn fields(name: &Ident, fields: &mut Fields) -> Result<Vec<TokenStream>> {
    let Fields::Named(named) = fields else { return Err(keys::unnamed(fields)) };
    let mut defaults = Vec::new();
    let mut errors: Option<Error> = None;
    for field in &mut named.named {
        match keys::expand(name, field) {
            Ok(default) => defaults.extend(default),
            Err(error) => match &mut errors {
                Some(errors) => errors.combine(error),
                None => errors = Some(error),
            },
        }
    }
    errors.map_or(Ok(defaults), Err)
}

fn no_parameters(generics: &Generics) -> Result<()> {
    if generics.params.is_empty() {
        return Ok(());
    }
    Err(Error::new_spanned(generics, "this type is built from an experiment's table and has no parameters"))
}

/// What the attribute derives, by the last word of its path.
const DERIVED: [&str; 3] = ["Serialize", "Deserialize", "JsonSchema"];

/// Names the derive that `#[plugin]` brings and that stands there a second time.
fn derived_already(attributes: &[Attribute]) -> Result<()> {
    match attributes.iter().flat_map(derives).find_map(|path| Some((derived(&path)?, path))) {
        Some((name, path)) => {
            Err(Error::new_spanned(path, format!("#[plugin] derives `{name}` already: leave it out here")))
        }
        None => Ok(()),
    }
}

/// The paths of a `#[derive(…)]`.
fn derives(attribute: &Attribute) -> Vec<Path> {
    match &attribute.meta {
        Meta::List(list) if attribute.path().is_ident("derive") => list
            .parse_args_with(Punctuated::<Path, Token![,]>::parse_terminated)
            .map(|paths| paths.into_iter().collect())
            .unwrap_or_default(),
        _ => Vec::new(),
    }
}

/// Which of [`DERIVED`] a path is.
fn derived(path: &Path) -> Option<&'static str> {
    DERIVED.into_iter().find(|name| path.segments.last().is_some_and(|last| last.ident == name))
}

/// The type without any `#[plugin(…)]` in it, and without derives that would be errors of their own.
fn bare(input: &DeriveInput) -> DeriveInput {
    let mut input = input.clone();
    for attribute in input.attrs.iter_mut().filter(|attribute| attribute.path().is_ident("derive")) {
        let others = derives(attribute).into_iter().filter(|path| derived(path).is_none());
        *attribute = parse_quote!(#[derive(#(#others),*)]);
    }
    let strip = |fields: &mut Fields| {
        fields.iter_mut().for_each(|field| field.attrs.retain(|attribute| !keys::is_own(attribute.path())));
    };
    match &mut input.data {
        Data::Struct(data) => strip(&mut data.fields),
        Data::Enum(data) => data.variants.iter_mut().for_each(|variant| strip(&mut variant.fields)),
        Data::Union(_) => {}
    }
    input
}
