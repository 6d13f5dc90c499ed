//! The importance of each varied key: how much of the differences between the variants it explains.

use super::{plan::Plan, table::Row};

/// Values of a key above which numbers are taken together in groups.
const MOST_LEVELS: usize = 5;
/// Groups of numbers.
const GROUPS: usize = 4;

/// The share of the variance of the variants' means that each varied key explains by itself: epsilon squared of an analysis
/// of variance with one factor (Kelley, 1935), which is about 0 for a key without effect. A key with more than five values,
/// all numbers, counts by its quarters. Keys in the order of their importance; empty with fewer than three variants.
pub fn importance(plan: &Plan, rows: &[Row]) -> Vec<(String, f64)> {
    let known = |row: &Row| Some((row.variant, row.summary?.mean)).filter(|(_, mean)| mean.is_finite());
    let means: Vec<(usize, f64)> = rows.iter().filter_map(known).collect();
    let mut keys: Vec<&str> = Vec::new();
    for (key, _) in plan.variants.iter().flat_map(|variant| &variant.settings) {
        if !keys.contains(&&**key) {
            keys.push(key);
        }
    }
    if means.len() < 3 {
        return Vec::new();
    }
    let of_key = |key: &str| {
        let value = |variant: usize| {
            let settings = &plan.variants[variant].settings;
            settings.iter().find(|(known, _)| known == key).map_or("", |(_, value)| &**value)
        };
        let values: Vec<_> = means.iter().map(|(variant, _)| value(*variant)).collect();
        explained(&levels(&values), &means.iter().map(|(_, mean)| *mean).collect::<Vec<_>>())
    };
    let mut found: Vec<_> = keys.into_iter().filter_map(|key| Some((key.to_owned(), of_key(key)?))).collect();
    found.sort_by(|one, other| other.1.total_cmp(&one.1));
    found
}

/// The level of each value: its index among the different ones, or its quarter.
fn levels(values: &[&str]) -> Vec<usize> {
    let mut different: Vec<&str> = values.to_vec();
    different.sort_unstable();
    different.dedup();
    let numbers: Option<Vec<f64>> = values.iter().map(|value| value.parse().ok()).collect();
    match numbers.filter(|_| different.len() > MOST_LEVELS) {
        Some(numbers) => {
            let below = |number: f64| numbers.iter().filter(|other| **other < number).count();
            numbers.iter().map(|number| below(*number) * GROUPS / numbers.len()).collect()
        }
        None => values.iter().map(|value| different.binary_search(value).unwrap_or(0)).collect(),
    }
}

/// Epsilon squared; none where there is but one level, or each value is one of its own.
fn explained(levels: &[usize], values: &[f64]) -> Option<f64> {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let squares = |values: &[f64]| {
        let mean = mean(values);
        values.iter().map(|value| (value - mean).powi(2)).sum::<f64>()
    };
    let mut groups = std::collections::BTreeMap::<usize, Vec<f64>>::new();
    for (level, value) in levels.iter().zip(values) {
        groups.entry(*level).or_default().push(*value);
    }
    let (all, count) = (values.len(), groups.len());
    if count < 2 || count == all {
        return None;
    }
    let (total, within) = (squares(values), groups.values().map(|group| squares(group)).sum::<f64>());
    let mean_within = within / (all - count) as f64;
    let between = total - within - (count - 1) as f64 * mean_within;
    Some(if total == 0.0 { 0.0 } else { (between / total).max(0.0) })
}
