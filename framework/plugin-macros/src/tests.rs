//! The expansion on token streams: the derives, and the error for each mistake.

use quote::quote;

use crate::expand::plugin;

/// The message of the `compile_error!` of an expansion.
#[track_caller]
fn error(expanded: &str) -> String {
    let (_, rest) = expanded.split_once("compile_error").unwrap_or_else(|| panic!("it is expanded: {expanded}"));
    let start = rest.find('"').expect("the message is a string") + 1;
    let end = rest.rfind('"').expect("the message is a string");
    rest[start..end].replace("\\\"", "\"")
}

/// Would catch: a derive that needs a crate which a plugin does not depend on, a limit or a default that is lost.
#[test]
fn a_plugin_gets_all_that_it_needs() {
    let item = quote! {
        /// A cell.
        pub struct Mgu {
            /// Width.
            #[plugin(min = 1, max = 9)]
            pub hidden: usize,
            #[plugin(above = 0.0, default = 1.5)]
            scale: f64,
            #[plugin(default)]
            bias: bool,
            window: Option<usize>,
        }
    };
    let expanded = plugin(quote!(cell = "mgu"), item).to_string().replace(' ', "");
    for part in [
        "::hatchery_plugin::serde::Serialize",
        "#[serde(crate=\"::hatchery_plugin::serde\",deny_unknown_fields,rename_all=\"kebab-case\")]",
        "#[schemars(crate=\"::hatchery_plugin::schemars\")]",
        "#[schemars(range(min=1,max=9))]pubhidden",
        "#[schemars(extend(\"exclusiveMinimum\"=0.0))]",
        "#[serde(default=\"Mgu::__default_scale\")]scale",
        "fn__default_scale()->f64{1.5}",
        "#[serde(default)]bias",
        "#[serde(default,skip_serializing_if=\"::core::option::Option::is_none\")]window",
        "::hatchery_plugin::Variant::cell::<Mgu>(\"mgu\")",
    ] {
        assert!(expanded.contains(part), "`{part}` is missing in {expanded}");
    }
    assert!(!expanded.contains("#[plugin"), "{expanded}");
}

/// Would catch: an enum that refuses what is not an unknown field of it, or a key's type that becomes a plugin.
#[test]
fn the_type_of_a_key_is_no_plugin() {
    let expanded = plugin(
        quote!(key),
        quote!(
            pub enum Reset {
                #[default]
                After,
                Before,
            }
        ),
    )
    .to_string();
    assert!(expanded.contains("kebab-case") && !expanded.contains("deny_unknown_fields"), "{expanded}");
    assert!(!expanded.contains("Variant"), "{expanded}");
}

/// Would catch: a field with serde attributes of its own that gets a second default.
#[test]
fn a_field_that_says_how_it_is_read_stays_so() {
    let item = quote!(
        struct Lines {
            #[serde(default, with = "symbol")]
            end: Option<char>,
        }
    );
    let expanded = plugin(quote!(dataset = "lines"), item).to_string();
    assert!(!expanded.contains("skip_serializing_if"), "{expanded}");
}

/// Would catch: a mistake that comes out as an error of generated code.
#[test]
fn a_wrong_attribute_is_named() {
    let named = |arguments| {
        error(
            &plugin(
                arguments,
                quote!(
                    struct Mgu {
                        hidden: usize,
                    }
                ),
            )
            .to_string(),
        )
    };
    for (arguments, words) in [
        (quote!(), "`#[plugin(cell = \"my-cell\")]`"),
        (
            quote!(cel = "mgu"),
            "`cel` is not a kind of plugin: the kinds are dataset, cell, wrapper, clipper and sampler",
        ),
        (quote!(cell), "the cell needs a name: `cell = \"my-cell\"`"),
        (quote!(cell = mgu), "the name of a cell is a string"),
        (quote!(cell = "Mgu"), "lower-case words with hyphens"),
        (quote!(cell = "my--mgu"), "lower-case words with hyphens"),
        (quote!(cell = "mgu", clipper = "mgu"), "one type is one plugin"),
    ] {
        let message = named(arguments);
        assert!(message.contains(words), "{message}");
    }
}

/// Would catch: a type that serde or schemars refuses in words of their own.
#[test]
fn a_wrong_type_is_named() {
    let named = |item| error(&plugin(quote!(cell = "mgu"), item).to_string());
    let cases = [
        ("enum Mgu { A }", "a cell is a struct: its fields are its keys"),
        ("struct Mgu;", "`struct Mgu {}`"),
        ("struct Mgu(usize);", "need names"),
        ("struct Mgu<T> { hidden: T }", "has no parameters"),
        ("fn mgu() {}", "#[plugin] stands on a struct"),
        ("#[derive(Clone, Serialize)] struct Mgu { hidden: usize }", "#[plugin] derives `Serialize` already"),
        ("struct Mgu { #[plugin(minimum = 1)] hidden: usize }", "a key has `min`, `max`, `above` and `default`"),
        ("struct Mgu { #[plugin(min = 1, min = 2)] hidden: usize }", "`min` stands here twice"),
    ];
    for (item, words) in cases {
        let message = named(item.parse().expect("it is Rust"));
        assert!(message.contains(words), "{message}");
    }
    let message = error(
        &plugin(
            quote!(key),
            quote!(
                enum Mode {
                    Fixed,
                    Scaled(f64),
                }
            ),
        )
        .to_string(),
    );
    assert!(message.contains("a variant here has no fields"), "{message}");
}

/// Would catch: errors that appear one by one, and the type that is missing to everything that names it.
#[test]
fn all_wrong_fields_are_named_and_the_type_stays() {
    let item = quote!(
        struct Mgu {
            #[plugin(width = 1)]
            hidden: usize,
            #[plugin(height = 1)]
            depth: usize,
        }
    );
    let expanded = plugin(quote!(cell = "mgu"), item).to_string();
    assert_eq!(expanded.matches("compile_error").count(), 2, "{expanded}");
    assert!(expanded.contains("struct Mgu") && !expanded.contains("# [plugin"), "{expanded}");
}
