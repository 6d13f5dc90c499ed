//! Means with their intervals, and paired tests.

use statrs::distribution::{ContinuousCDF, StudentsT};

use crate::random::Stream;

/// A list of numbers in short.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    /// How many.
    pub count: usize,
    /// Their mean.
    pub mean: f64,
    /// Their standard deviation, with n − 1; none of fewer than two.
    pub deviation: Option<f64>,
    /// The 95 % interval of the mean, by the bootstrap (percentiles); none of fewer than two.
    pub interval: Option<[f64; 2]>,
}

/// A comparison of paired numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Paired {
    /// The mean of the first less the mean of the second.
    pub difference: f64,
    /// The two-sided p-value of Student's paired t-test: 1 where nothing can be said.
    pub p: f64,
}

/// Resamples of the bootstrap.
const RESAMPLES: usize = 2000;

impl Summary {
    /// The summary of some numbers, the interval drawn from a seed.
    pub fn of(values: &[f64], seed: u64) -> Self {
        let mean = mean(values);
        let spread = values.len() > 1 && values.iter().all(|value| value.is_finite());
        let deviation = spread.then(|| variance(values).sqrt());
        Self { count: values.len(), mean, deviation, interval: spread.then(|| bootstrap(values, seed)) }
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn variance(values: &[f64]) -> f64 {
    let mean = mean(values);
    values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (values.len() - 1) as f64
}

fn bootstrap(values: &[f64], seed: u64) -> [f64; 2] {
    let mut stream = Stream::new(seed, "bootstrap", 0);
    let mut means: Vec<f64> = (0..RESAMPLES)
        .map(|_| (0..values.len()).map(|_| values[stream.below(values.len())]).sum::<f64>() / values.len() as f64)
        .collect();
    means.sort_by(f64::total_cmp);
    [0.025, 0.975].map(|share| means[((RESAMPLES - 1) as f64 * share).round() as usize])
}

/// A curve: places and values.
pub type Curve = Vec<(f64, f64)>;
/// The band about a curve: places, lower and upper ends.
pub type Band = Vec<(f64, f64, f64)>;

/// The mean of several curves at the places that all of them have, and a band of one standard deviation about it; the band is
/// empty for fewer than two.
pub fn mean_curve(curves: &[Curve]) -> (Curve, Band) {
    let Some((first, others)) = curves.split_first() else { return Default::default() };
    let at = |curve: &Curve, place: f64| {
        let found = curve.binary_search_by(|(known, _)| known.total_cmp(&place)).ok()?;
        Some(curve[found].1)
    };
    let (mut points, mut band) = (Vec::new(), Vec::new());
    for &(place, value) in first {
        let values: Option<Vec<f64>> =
            [Some(value)].into_iter().chain(others.iter().map(|curve| at(curve, place))).collect();
        let Some(values) = values.filter(|values| values.iter().all(|value| value.is_finite())) else { continue };
        let mean = mean(&values);
        points.push((place, mean));
        if values.len() > 1 {
            let deviation = variance(&values).sqrt();
            band.push((place, mean - deviation, mean + deviation));
        }
    }
    (points, band)
}

/// Student's paired t-test. An infinite number stands for a trial that failed: where all of one side failed and not all of
/// the other, that decides; otherwise nothing can be said.
pub fn paired(one: &[f64], other: &[f64]) -> Paired {
    let difference = mean(one) - mean(other);
    let differences: Vec<f64> = one.iter().zip(other).map(|(one, other)| one - other).collect();
    if differences.iter().any(|difference| !difference.is_finite()) {
        let fails = |values: &[f64]| values.iter().all(|value| value.is_infinite());
        let decided = differences.len() > 1 && fails(one) != fails(other);
        let difference = if fails(one) { f64::INFINITY } else { f64::NEG_INFINITY };
        return if decided { Paired { difference, p: 0.0 } } else { Paired { difference: 0.0, p: 1.0 } };
    }
    let count = differences.len() as f64;
    if differences.len() < 2 {
        return Paired { difference, p: 1.0 };
    }
    let error = (variance(&differences) / count).sqrt();
    if error == 0.0 {
        // Every seed gives the same difference.
        return Paired { difference, p: if difference == 0.0 { 1.0 } else { 0.0 } };
    }
    let p = StudentsT::new(0.0, 1.0, count - 1.0).map_or(1.0, |t| 2.0 * t.sf((difference / error).abs()));
    Paired { difference, p }
}

/// p-values corrected for their number, by Holm (1979): the smallest times all, the next times one less, never falling.
pub fn holm(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&one, &other| p[one].total_cmp(&p[other]));
    let mut corrected = vec![1.0; p.len()];
    let mut largest: f64 = 0.0;
    for (rank, &at) in order.iter().enumerate() {
        largest = largest.max((p[at] * (p.len() - rank) as f64).min(1.0));
        corrected[at] = largest;
    }
    corrected
}
