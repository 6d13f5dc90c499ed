//! Clippers that do nothing, each with another mistake in its documentation or keys.

use hatchery_plugin::{
    Provider, Variant,
    prelude::*,
    schemars::JsonSchema,
    serde::{Deserialize, Serialize},
    serde_json::{Value, json},
};

use super::{assert_failures, report};

/// A type with its keys; the clipper that it is keeps gradients as they are.
macro_rules! keys {
    ($(#[$attribute:meta])* struct $name:ident { $($(#[$of_field:meta])* $field:ident: $type:ty,)* }) => {
        #[derive(Serialize, Deserialize, JsonSchema)]
        #[serde(crate = "hatchery_plugin::serde")]
        #[schemars(crate = "hatchery_plugin::schemars")]
        $(#[$attribute])*
        struct $name { $($(#[$of_field])* $field: $type,)* }

        impl Clipper for $name {
            fn clip(&self, gradients: Gradients) -> Gradients {
                gradients
            }
        }
    };
}

keys! {
    /// Keeps gradients as they are.
    ///
    /// ```toml
    /// # The clipper of the example, after another table.
    /// [train]
    /// type = "other"
    /// steps = 3
    ///
    /// [[clipper]]
    /// type = "sound" # this one
    /// half-width = 1.5
    /// start.value = 0.0
    /// ```
    #[serde(deny_unknown_fields, rename_all = "kebab-case")]
    struct Sound {
        /// An ordinary key.
        #[serde(default)]
        half_width: f64,
        /// A key with documentation of its own, of a type with documentation of its own.
        #[serde(default = "zeros")]
        start: Initializer,
    }
}

fn zeros() -> Initializer {
    Initializer::Zeros
}

keys! {
    /// Accepts everything.
    ///
    /// ```toml
    /// type = "lenient"
    /// ```
    #[serde(rename_all = "kebab-case")]
    struct Lenient {
        /// A key.
        #[serde(default)]
        limit: f64,
    }
}

keys! {
    /// Says nothing of its key.
    ///
    /// ```toml
    /// type = "silent"
    /// ```
    #[serde(deny_unknown_fields, rename_all = "kebab-case")]
    struct Silent {
        #[serde(default)]
        limit: f64,
    }
}

keys! {
    #[serde(deny_unknown_fields, rename_all = "kebab-case")]
    struct Undocumented {}
}

keys! {
    /// Has an example with a key that was renamed.
    ///
    /// ```toml
    /// type = "stale"
    /// maximum = 5.0
    /// ```
    #[serde(deny_unknown_fields, rename_all = "kebab-case")]
    struct Stale {
        /// A key.
        #[serde(default)]
        limit: f64,
    }
}

keys! {
    /// Has the example of another.
    ///
    /// ```toml
    /// type = "stale"
    /// ```
    #[serde(deny_unknown_fields, rename_all = "kebab-case")]
    struct Copied {}
}

keys! {
    /// Writes its keys as Rust does.
    ///
    /// ```toml
    /// type = "snake"
    /// ```
    #[serde(deny_unknown_fields)]
    struct Snake {
        /// A key.
        #[serde(default)]
        half_width: f64,
    }
}

keys! {
    /// Reads a share and writes per cent.
    ///
    /// ```toml
    /// type = "per-cent"
    /// ```
    #[serde(deny_unknown_fields, rename_all = "kebab-case")]
    struct PerCent {
        /// A share.
        #[serde(default = "one", serialize_with = "per_cent")]
        share: f64,
    }
}

fn one() -> f64 {
    1.0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn per_cent<S: hatchery_plugin::serde::Serializer>(share: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(share * 100.0)
}

keys! {
    /// Forgets a key that it was given.
    ///
    /// ```toml
    /// type = "forgetful"
    /// ```
    #[serde(deny_unknown_fields, rename_all = "kebab-case")]
    struct Forgetful {
        /// A key.
        #[serde(default, skip_serializing_if = "Option::is_some")]
        limit: Option<f64>,
    }
}

/// Listed without `#[plugin]`, which makes most of these mistakes impossible.
fn plugins() -> Provider {
    let variants = vec![
        Variant::clipper::<Sound>("sound"),
        Variant::clipper::<Lenient>("lenient"),
        Variant::clipper::<Silent>("silent"),
        Variant::clipper::<Undocumented>("undocumented"),
        Variant::clipper::<Stale>("stale"),
        Variant::clipper::<Copied>("copied"),
        Variant::clipper::<Snake>("snake"),
        Variant::clipper::<PerCent>("per-cent"),
        Variant::clipper::<Forgetful>("forgetful"),
        Variant::clipper::<Sound>("Not Kebab"),
    ];
    Provider { package: "keys", version: "0.1.0", variants }
}

#[track_caller]
fn fails(name: &str, keys: Value, expected: &[(&str, &str)]) {
    assert_failures(&report(&plugins(), Kind::Clipper, name, keys), expected);
}

/// Guards against checks that are too strict: other tables in the example, keys of keys, types with documentation.
#[test]
fn sound_keys_pass() {
    hatchery_plugin::conformance!(plugins(), clipper "sound");
    hatchery_plugin::conformance!(plugins(), clipper "sound", { "half-width": 2.5, "start": { "type": "zeros" } });
}

#[test]
fn keys_that_are_refused_leave_nothing_to_check() {
    fails("sound", json!({ "half-width": "wide" }), &[("built", "it refuses {\"half-width\":\"wide\"}")]);
}

/// The first promise of Hatchery's files is that a typo is caught.
#[test]
fn a_plugin_that_accepts_unknown_keys_is_found() {
    fails("lenient", json!({}), &[("unknown key refused", "put `#[serde(deny_unknown_fields)]` on the type")]);
}

#[test]
fn missing_documentation_is_found() {
    fails("silent", json!({}), &[("keys documented", "without documentation: `limit`")]);
    fails("undocumented", json!({}), &[("documented", ""), ("documented with an example", "type = \"undocumented\"")]);
}

#[test]
fn an_example_that_does_not_work_is_found() {
    fails("stale", json!({}), &[("documented with an example", "sets `maximum`, which this clipper does not have")]);
    fails("copied", json!({}), &[("documented with an example", "no line `type = \"copied\"`")]);
}

#[test]
fn names_that_are_not_kebab_case_are_found() {
    fails("snake", json!({}), &[("kebab-case", "the key `half_width`")]);
    fails("Not Kebab", json!({}), &[("kebab-case", "`Not Kebab`"), ("documented with an example", "")]);
}

/// What a checkpoint holds must build the same plugin.
#[test]
fn keys_that_are_written_otherwise_than_read_are_found() {
    fails("per-cent", json!({}), &[("built again from its resolved keys", "each other's inverse")]);
    fails("forgetful", json!({ "limit": 1.0 }), &[("built again from its resolved keys", "`limit` was given")]);
}
