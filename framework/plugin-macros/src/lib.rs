//! The attribute `#[plugin]`, which `hatchery_plugin` exports and documents.

mod arguments;
mod expand;
mod keys;
#[cfg(test)]
mod tests;

use proc_macro::TokenStream;

/// Makes a struct a plugin, or a type the value of a plugin's key: see `hatchery_plugin::plugin`.
#[proc_macro_attribute]
pub fn plugin(arguments: TokenStream, item: TokenStream) -> TokenStream {
    expand::plugin(arguments.into(), item.into()).into()
}
