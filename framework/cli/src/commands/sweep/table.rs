//! `hatchery sweep table`: what is known of every variant, in the form that was asked for.

use std::path::Path;

use hatchery::{
    error::{Problem, Result},
    sweep::{
        Equal, Folder, Plan, Row, Scores, Standing, Summary, Verdict, importance, is_chosen, levelled, score, standing,
        table,
    },
};
use serde_json::{Value, json};

use crate::{
    arguments::{EqualForm, TableForm},
    show::{self, Column},
};

/// What a table is made of.
struct Shown {
    plan: Plan,
    stands: Standing,
    rows: Vec<Row>,
    scores: Scores,
}

/// Prints the table of a sweep.
pub(crate) fn print(folder: &Path, form: TableForm, equal: Option<EqualForm>, keys: bool) -> Result<()> {
    let folder = Folder::new(folder);
    let plan = folder.plan()?;
    let outcomes = folder.outcomes(&plan)?;
    let stands = standing(&plan, &outcomes);
    let mut rows = table(&plan, &outcomes, &stands);
    if let Some(equal) = equal {
        let by = if equal == EqualForm::Time { Equal::Time } else { Equal::Updates };
        let (levelled, limit) = levelled(&folder, &plan, &outcomes, &stands, by)?;
        rows = levelled;
        match equal {
            EqualForm::Time if limit.is_finite() => say!("after {limit:.1} seconds, as measured here and there:"),
            EqualForm::Updates if limit.is_finite() => say!("after {limit} updates:"),
            _ => return Err(Problem::new("no trial has a report yet").hint("hatchery sweep work").into()),
        }
    }
    if keys {
        print_importance(&plan, &rows, form);
        return Ok(());
    }
    let shown = Shown { scores: folder.scores()?, plan, stands, rows };
    if form == TableForm::Json {
        (0..shown.rows.len()).for_each(|at| out!("{}", shown.object(at)));
        return Ok(());
    }
    let cells: Vec<Vec<String>> = (0..shown.rows.len()).map(|at| shown.cells(at)).collect();
    lines(&shown.heads(), &cells, form);
    Ok(())
}

fn print_importance(plan: &Plan, rows: &[Row], form: TableForm) {
    let found = importance(plan, rows);
    if form == TableForm::Json {
        found.iter().for_each(|(key, share)| out!("{}", json!({ "key": key, "importance": share })));
        return;
    }
    let cells: Vec<_> = found.iter().map(|(key, share)| vec![key.clone(), format!("{share:.3}")]).collect();
    lines(&["key", "importance"], &cells, form);
}

/// Prints rows under their heads: the first column holds words, and so does one that is named `verdict`.
fn lines(heads: &[&str], cells: &[Vec<String>], form: TableForm) {
    match form {
        TableForm::Markdown => {
            let rule = |at: usize| if at == 0 { " --- |" } else { " ---: |" };
            out!("| {} |", heads.join(" | "));
            out!("|{}", (0..heads.len()).map(rule).collect::<String>());
            cells.iter().for_each(|row| out!("| {} |", row.join(" | ")));
        }
        TableForm::Csv => {
            let quoted = |cell: &String| {
                if cell.contains([',', '"']) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell.clone() }
            };
            out!("{}", heads.join(","));
            cells.iter().for_each(|row| out!("{}", row.iter().map(quoted).collect::<Vec<_>>().join(",")));
        }
        TableForm::Latex => {
            let escaped = |cell: &str| cell.replace('%', "\\%").replace('_', "\\_").replace('<', "$<$");
            out!("\\begin{{tabular}}{{l{}}}", "r".repeat(heads.len() - 1));
            out!("{} \\\\ \\hline", escaped(&heads.join(" & ")));
            cells.iter().for_each(|row| out!("{} \\\\", escaped(&row.join(" & "))));
            out!("\\end{{tabular}}");
        }
        TableForm::Text | TableForm::Json => {
            let column = |(at, head): (usize, &&str)| {
                let cells = cells.iter().map(|row| row[at].clone()).collect();
                if at == 0 || *head == "verdict" { Column::left(head, cells) } else { Column::right(head, cells) }
            };
            let columns: Vec<_> = heads.iter().enumerate().map(column).collect();
            show::table(&columns).iter().for_each(|line| out!("{line}"));
        }
    }
}

impl Shown {
    fn heads(&self) -> Vec<&'static str> {
        let mut heads =
            vec!["variant", "parameters", "updates", "seeds", "nats", "deviation", "95 % interval", "wins", "p"];
        heads.extend((!self.scores.is_empty()).then_some("test"));
        heads.push("verdict");
        heads
    }

    /// The score of the row's variant on the test split, if it was chosen.
    fn score(&self, at: usize) -> Option<Summary> {
        score(&self.plan, &self.scores, self.rows[at].variant).filter(|_| is_chosen(&self.rows[at], at))
    }

    /// The cells of a row.
    fn cells(&self, at: usize) -> Vec<String> {
        let row = &self.rows[at];
        let variant = &self.plan.variants[row.variant];
        let summary = row.summary.as_ref();
        let dash = || "–".to_owned();
        let mut cells = vec![
            variant.label(),
            variant.parameters.to_string(),
            row.updates.to_string(),
            summary.map_or_else(|| "0".to_owned(), |summary| summary.count.to_string()),
            summary.map_or_else(dash, |summary| show::loss(summary.mean, 4)),
            summary.and_then(|summary| summary.deviation).map_or_else(dash, |deviation| format!("{deviation:.4}")),
            summary
                .and_then(|summary| summary.interval)
                .map_or_else(dash, |[from, to]| format!("{} to {}", show::loss(from, 4), show::loss(to, 4))),
            row.wins.to_string(),
            row.p.map_or_else(dash, probability),
        ];
        if !self.scores.is_empty() {
            cells.push(self.score(at).map_or_else(dash, |score| show::loss(score.mean, 4)));
        }
        cells.push(self.verdict(row, at));
        cells
    }

    /// The verdict on a variant, in words.
    fn verdict(&self, row: &Row, at: usize) -> String {
        let verdict = match &row.left {
            Some(Verdict::Rung(updates)) => format!("left behind after {updates} updates"),
            Some(Verdict::Behind { of, seeds, p }) => {
                let of = self.plan.variants[*of].label();
                format!("behind {of} over {seeds} seeds (p {})", probability(*p))
            }
            None if !self.stands.is_done() => "not yet".to_owned(),
            None if at == 0 => "lowest mean".to_owned(),
            None => match row.p {
                Some(p) if p < 0.05 => "behind the first".to_owned(),
                Some(_) => "no difference found".to_owned(),
                None => String::new(),
            },
        };
        let failed = (row.failed > 0).then(|| format!("{} failed", row.failed));
        [verdict].into_iter().chain(failed).filter(|part| !part.is_empty()).collect::<Vec<_>>().join("; ")
    }

    fn object(&self, at: usize) -> Value {
        let row = &self.rows[at];
        let variant = &self.plan.variants[row.variant];
        let summary = row.summary.as_ref();
        json!({
            "variant": variant.label(),
            "settings": variant.settings.iter().cloned().collect::<std::collections::BTreeMap<_, _>>(),
            "parameters": variant.parameters,
            "updates": row.updates,
            "seeds": summary.map_or(0, |summary| summary.count),
            "mean": summary.map(|summary| summary.mean),
            "deviation": summary.and_then(|summary| summary.deviation),
            "interval": summary.and_then(|summary| summary.interval),
            "wins": row.wins,
            "p": row.p,
            "failed": row.failed,
            "left_behind": row.left.is_some(),
            "test": self.score(at).map(|score| score.mean),
        })
    }
}

fn probability(p: f64) -> String {
    if p < 0.001 { "< 0.001".to_owned() } else { format!("{p:.3}") }
}
