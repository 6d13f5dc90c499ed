//! Axes: what range a picture shows, where its ticks are, and how their numbers are written. One for all pictures, so
//! that a chart in the terminal and its counterpart in SVG agree.

/// Numbers beyond this are drawn at this: they are not read off, and the arithmetic of ranges stays finite.
const LIMIT: f64 = 1e300;

/// One axis of a picture.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Axis {
    pub(super) low: f64,
    pub(super) high: f64,
    /// Where ticks stand, at least one, in ascending order.
    pub(super) ticks: Vec<f64>,
    step: f64,
}

impl Axis {
    /// The range of the values themselves, with about `count` ticks in it.
    pub(super) fn tight(values: impl IntoIterator<Item = f64>, count: usize) -> Self {
        Self::new(values, count, false)
    }

    /// The range of the values, widened to whole ticks.
    pub(super) fn rounded(values: impl IntoIterator<Item = f64>, count: usize) -> Self {
        Self::new(values, count, true)
    }

    fn new(values: impl IntoIterator<Item = f64>, count: usize, rounded: bool) -> Self {
        let values = values.into_iter().filter(|value| value.is_finite()).map(|value| value.clamp(-LIMIT, LIMIT));
        let range = values.fold(None, |range, value| {
            let (low, high, whole) = range.unwrap_or((value, value, true));
            Some((value.min(low), value.max(high), whole && value.fract() == 0.0))
        });
        let (mut low, mut high, whole) = range.unwrap_or((0.0, 1.0, true));
        let largest = low.abs().max(high.abs());
        if high - low <= largest * 1e-12 || high - low < 1e-290 {
            // One value: it is in the middle and is the only tick.
            let around = if largest > 0.0 { largest / 10.0 } else { 1.0 };
            return Self { low: low - around, high: high + around, ticks: vec![low], step: round_step(around / 100.0) };
        }
        // Between integers (steps, counts) there is nothing to tick.
        let step = round_step(((high - low) / count.max(1) as f64).max(if whole { 1.0 } else { 0.0 }));
        if rounded {
            (low, high) = ((low / step).floor() * step, (high / step).ceil() * step);
        }
        // A tick that rounding pushes a hair over the end still belongs to the axis.
        let (first, last) = ((low / step - 1e-9).ceil() as i64, (high / step + 1e-9).floor() as i64);
        let ticks = (first..=last).map(|index| index as f64 * step).collect();
        Self { low, high, ticks, step }
    }

    /// Where a value stands between the ends, from 0 to 1.
    pub(super) fn share(&self, value: f64) -> f64 {
        ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0)
    }

    /// How the number of a tick is written: with as many digits as tell the ticks apart.
    pub(super) fn label(&self, value: f64) -> String {
        let largest = self.low.abs().max(self.high.abs());
        if value == 0.0 {
            return "0".to_owned();
        }
        if largest >= 1e15 || self.step < 1e-6 {
            let digits = (largest.log10() - self.step.log10()).ceil().clamp(0.0, 6.0) as usize;
            return format!("{value:.digits$e}");
        }
        let (unit, suffix) = match largest {
            ..1e4 => (1.0, ""),
            ..1e6 => (1e3, "k"),
            ..1e9 => (1e6, "M"),
            ..1e12 => (1e9, "G"),
            _ => (1e12, "T"),
        };
        let digits = (-(self.step / unit).log10().floor()).max(0.0) as usize;
        let number = format!("{:.digits$}", value / unit);
        // A value alone on its axis needs no zeros to be distinguished from others.
        let number = if self.ticks.len() == 1 && digits > 0 {
            number.trim_end_matches('0').trim_end_matches('.')
        } else {
            &number
        };
        format!("{number}{suffix}")
    }
}

/// The smallest of 1, 2, 5 and 10 times a power of ten that is not below `least`.
pub(super) fn round_step(least: f64) -> f64 {
    let power = 10_f64.powf(least.log10().floor());
    let multiple = [1.0, 2.0, 5.0].into_iter().find(|multiple| multiple * power >= least * (1.0 - 1e-9));
    multiple.unwrap_or(10.0) * power
}
