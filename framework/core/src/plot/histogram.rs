//! How often values fall into equal intervals, the widths of which are round numbers.

use super::axis::round_step;

/// Counts of values in equal intervals.
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram {
    /// Where the first interval starts.
    pub start: f64,
    /// Width of an interval; its start belongs to it, its end to the next.
    pub width: f64,
    /// How many values fall into each.
    pub counts: Vec<u64>,
    /// Whether all values are integers: lengths, say.
    pub whole: bool,
}

impl Histogram {
    /// Counts values in at most about `intervals` intervals. What is not finite is left out.
    pub fn of(values: impl IntoIterator<Item = f64>, intervals: usize) -> Self {
        let values: Vec<_> = values.into_iter().filter(|value| value.is_finite() && value.abs() < 1e300).collect();
        let (low, high) = values
            .iter()
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (value.min(low), value.max(high)));
        if values.is_empty() {
            return Self { start: 0.0, width: 1.0, counts: Vec::new(), whole: true };
        }
        let whole = values.iter().all(|value| value.fract() == 0.0);
        // An integer fills an interval of width 1, so that lengths from 3 to 9 need seven.
        let range = if whole { high - low + 1.0 } else { high - low };
        // Below this, the labels of adjacent intervals would be too long to tell apart; and if all values are the
        // same, any width will do that shows which.
        let largest = low.abs().max(high.abs());
        let finest = if whole { 1.0 } else { largest * if high > low { 1e-6 } else { 1e-2 } };
        let width = round_step((range / intervals.max(1) as f64).max(finest).max(1e-290));
        let start = (low / width + 1e-9).floor() * width;
        let index = |value: f64| ((value - start) / width + 1e-9).max(0.0) as usize;
        let mut counts = vec![0; index(high) + 1];
        for value in values {
            counts[index(value)] += 1;
        }
        Self { start, width, counts, whole }
    }

    /// Where interval number `index` starts.
    pub fn edge(&self, index: usize) -> f64 {
        self.start + index as f64 * self.width
    }

    /// What interval number `index` holds: `7`, `10–19`, or `0.5–1.0`.
    pub fn label(&self, index: usize) -> String {
        let (from, to) = (self.edge(index), self.edge(index + 1));
        if self.whole {
            return if self.width > 1.0 { format!("{from}–{}", to - 1.0) } else { from.to_string() };
        }
        if self.width < 1e-6 || self.width >= 1e15 {
            return format!("{from:.2e}–{to:.2e}");
        }
        let digits = (-self.width.log10().floor()).max(0.0) as usize;
        format!("{from:.digits$}–{to:.digits$}")
    }
}
