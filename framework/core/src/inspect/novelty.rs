//! The novelty of samples: whether they are new or copied from the training split.

use std::collections::HashSet;

use hatchery_plugin::{Framing, Token};

use super::generate::GeneratedText;
use crate::data::Data;

/// The comparison of one sample with the training split.
#[derive(Clone, Debug, PartialEq)]
pub struct NoveltyReport {
    /// Whether the sample is a verbatim copy: of a document, or of a part of a continuous text.
    pub is_verbatim: bool,
    /// The nearest training document and its edit distance, in characters; `None` for a continuous text, which has no
    /// documents.
    pub nearest: Option<(String, usize)>,
    /// The longest run of characters that also occurs in the training split.
    pub longest_run: String,
}

/// Compares samples with the training split, in time proportional to the product of their lengths.
pub fn novelty(data: &Data, samples: &[GeneratedText]) -> Vec<NoveltyReport> {
    let documents = data.train.documents();
    let are_documents = matches!(data.framing, Framing::Documents { .. });
    let whole: HashSet<&[Token]> = documents.iter().map(Vec::as_slice).collect();
    let decode = |tokens: &[Token]| data.vocabulary.decode(tokens);
    let compare = |sample: &GeneratedText| {
        let tokens = sample.tokens.as_slice();
        let run = longest_run(tokens, &documents);
        let distance = |document: &Vec<Token>| strsim::generic_levenshtein(document, &sample.tokens);
        let nearest = documents.iter().map(|document| (distance(document), document)).min_by_key(|(far, _)| *far);
        NoveltyReport {
            is_verbatim: if are_documents { whole.contains(tokens) } else { run.len() == tokens.len() },
            nearest: nearest.filter(|_| are_documents).map(|(far, document)| (decode(document), far)),
            longest_run: decode(run),
        }
    };
    samples.iter().map(compare).collect()
}

/// The longest part of the sample that occurs in one of the documents.
fn longest_run<'a>(sample: &'a [Token], documents: &[Vec<Token>]) -> &'a [Token] {
    let (mut end, mut length) = (0, 0);
    // Element i: the number of tokens before token i of the sample that equal those before the current place in the
    // document.
    let mut agreeing = vec![0; sample.len() + 1];
    for document in documents {
        agreeing.fill(0);
        for token in document {
            for at in (0..sample.len()).rev() {
                agreeing[at + 1] = if sample[at] == *token { agreeing[at] + 1 } else { 0 };
                if agreeing[at + 1] > length {
                    (end, length) = (at + 1, agreeing[at + 1]);
                }
            }
        }
    }
    &sample[end - length..end]
}
