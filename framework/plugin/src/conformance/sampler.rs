//! What every sampler must keep to.
//!
//! | check | finds |
//! | --- | --- |
//! | any logits and history | an index out of bounds for a small vocabulary or an empty history |
//! | something remains | a threshold that rules out every token: the draw would have nothing to draw |
//! | numbers only | NaN from infinity minus infinity, or a logit of +infinity, either of which spoils the softmax |
//! | ruled out stays out | a token revived that the sampler before had ruled out |
//! | nothing but the arguments | hidden memory, a draw of its own |

use super::{
    numbers::SplitMix,
    report::{Report, Verdict, attempt},
};
use crate::{Rng, Token, host::HostSampler};

/// Makes the checks of this file. `twin` is built from the same keys.
pub(super) fn check(report: &mut Report, sampler: &dyn HostSampler, twin: &dyn HostSampler) {
    let cases = cases();
    let made = report.run("any logits and history", || {
        for case in &cases {
            attempt(|| case.processed(sampler)).flatten().map_err(|panic| format!("for {}: {panic}", case.what))?;
        }
        Ok(format!("{} lists of logits", cases.len()))
    });
    if !made {
        return;
    }
    report.run("something remains", || over_all(&cases, sampler, something_remains));
    report.run("numbers only", || over_all(&cases, sampler, numbers_only));
    report.run("ruled out stays out", || over_all(&cases, sampler, ruled_out));
    report.run("nothing but the arguments", || nothing_else(&cases, sampler, twin));
}

/// Logits and a history as generation could meet them.
struct Case {
    what: String,
    logits: Vec<f64>,
    history: Vec<Token>,
}

impl Case {
    fn new(what: impl Into<String>, logits: Vec<f64>, history: impl IntoIterator<Item = Token>) -> Self {
        Self { what: what.into(), logits, history: history.into_iter().collect() }
    }

    fn processed(&self, sampler: &dyn HostSampler) -> Result<Vec<f64>, String> {
        let mut logits = self.logits.clone();
        sampler.process(&mut logits, &self.history)?;
        Ok(logits)
    }
}

fn cases() -> Vec<Case> {
    const OUT: f64 = f64::NEG_INFINITY;
    let mut rng = SplitMix::new(1);
    let mut cases = vec![
        Case::new("two tokens and no history", vec![0.3, -0.2], []),
        Case::new("two tokens, one of them seen", vec![0.3, -0.2], [1]),
        Case::new("two tokens, both seen", vec![0.3, -0.2], [1, 0, 0]),
        Case::new("a tie of all tokens", vec![0.7; 5], [2]),
        Case::new("a tie of zeros", vec![0.0; 5], []),
        Case::new("a tie for the largest", vec![1.0, 3.0, 3.0, -2.0], [1, 1]),
        Case::new("only negative logits", vec![-5.0, -4.0, -30.0], [0, 1]),
        Case::new("one token so likely that the others round to nothing", vec![900.0, 0.0, -900.0], [0]),
        Case::new("logits of ±1e300", vec![1e300, -1e300, 0.0, 1e300], [0, 1]),
        Case::new("one token left", vec![OUT, OUT, -3.0, OUT], [2, 2, 2]),
        Case::new("two tokens left, both seen", vec![OUT, 0.5, OUT, 0.1], [1, 3, 1, 3, 0]),
        Case::new("the last token left of two", vec![OUT, -1e300], []),
    ];
    for (tokens, seen) in [(5, 0), (27, 3), (27, 200), (1000, 50)] {
        let mut logits: Vec<f64> = (0..tokens).map(|_| 3.0 * rng.normal()).collect();
        let history: Vec<Token> = (0..seen).map(|_| (rng.uniform() * f64::from(tokens)) as Token).collect();
        cases.push(Case::new(format!("{tokens} tokens after {seen}"), logits.clone(), history.clone()));
        logits.iter_mut().step_by(3).for_each(|logit| *logit = OUT);
        cases.push(Case::new(format!("{tokens} tokens after {seen}, a third of them ruled out"), logits, history));
    }
    cases
}

type Answer = Result<(), String>;

fn over_all(cases: &[Case], sampler: &dyn HostSampler, ask: impl Fn(&[f64], &[f64]) -> Answer) -> Verdict {
    for case in cases {
        case.processed(sampler)
            .and_then(|after| ask(&case.logits, &after))
            .map_err(|wrong| format!("for {}: {wrong}", case.what))?;
    }
    Ok(format!("{} lists of logits", cases.len()))
}

fn something_remains(_: &[f64], after: &[f64]) -> Answer {
    if after.iter().any(|logit| *logit > f64::NEG_INFINITY) {
        Ok(())
    } else {
        Err("no token is left to draw; always keep the most likely one".into())
    }
}

fn numbers_only(_: &[f64], after: &[f64]) -> Answer {
    match after.iter().position(|logit| logit.is_nan() || *logit == f64::INFINITY) {
        Some(token) => Err(format!(
            "the logit of token {token} becomes {}; take the largest off before an `exp` or a division, and mind that \
             ruled out is -infinity",
            after[token]
        )),
        None => Ok(()),
    }
}

fn ruled_out(before: &[f64], after: &[f64]) -> Answer {
    let revived = |(before, after): (&f64, &f64)| *before == f64::NEG_INFINITY && *after > f64::NEG_INFINITY;
    match before.iter().zip(after).position(revived) {
        Some(token) => Err(format!(
            "token {token} was ruled out and has logit {} now; samplers chain, and what one rules out stays so",
            after[token]
        )),
        None => Ok(()),
    }
}

fn nothing_else(cases: &[Case], sampler: &dyn HostSampler, twin: &dyn HostSampler) -> Verdict {
    let first: Vec<_> = cases.iter().map(|case| case.processed(sampler)).collect::<Result<_, _>>()?;
    for (what, plugin) in [("again", sampler), ("by a second sampler of the same keys", twin)] {
        // In the other order, so that what one call leaves behind meets another.
        for (case, first) in cases.iter().zip(&first).rev() {
            let second = case.processed(plugin)?;
            let differs = |(a, b): (&f64, &f64)| a.to_bits() != b.to_bits();
            if let Some(token) = first.iter().zip(&second).position(differs) {
                return Err(format!(
                    "{} processed {what}: token {token} has logit {} and then {}; a sampler never draws and remembers \
                     nothing",
                    case.what, first[token], second[token]
                ));
            }
        }
    }
    Ok(format!("{} lists of logits, twice and by a second sampler", cases.len()))
}
