//! A text as an experiment wants it read: the ends of its lines, its normal form, characters that are left out.

use std::borrow::Cow;

use unicode_normalization::{
    IsNormalized, UnicodeNormalization, is_nfc_quick, is_nfd_quick, is_nfkc_quick, is_nfkd_quick,
};

use crate::experiment::{Newlines, Normalize, Vocabulary};

/// The text as it is read; the same where nothing in it changes.
pub(super) fn normalized<'a>(text: &'a str, settings: &Vocabulary) -> Cow<'a, str> {
    let mut text = Cow::Borrowed(text);
    if settings.newlines == Newlines::Fold && text.contains('\r') {
        text = Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n"));
    }
    if let Some(form) = normal_form(&text, settings.normalize) {
        text = Cow::Owned(form);
    }
    let removed = |symbol: char| settings.remove.contains(symbol);
    if !settings.remove.is_empty() && text.contains(removed) {
        text = Cow::Owned(text.replace(removed, ""));
    }
    text
}

/// The normal form of a text that is not in it.
fn normal_form(text: &str, form: Normalize) -> Option<String> {
    let symbols = || text.chars();
    let is_normal = match form {
        Normalize::None => return None,
        Normalize::Nfc => is_nfc_quick(symbols()),
        Normalize::Nfd => is_nfd_quick(symbols()),
        Normalize::Nfkc => is_nfkc_quick(symbols()),
        Normalize::Nfkd => is_nfkd_quick(symbols()),
    };
    (is_normal != IsNormalized::Yes).then(|| match form {
        Normalize::None | Normalize::Nfc => text.nfc().collect(),
        Normalize::Nfd => text.nfd().collect(),
        Normalize::Nfkc => text.nfkc().collect(),
        Normalize::Nfkd => text.nfkd().collect(),
    })
}
