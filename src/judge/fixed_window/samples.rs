//! What is done with samples before they are compared.

use serde::{Deserialize, Serialize};

/// What becomes of a missing value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NanStrategy {
    /// It is left out.
    #[default]
    Remove,
    /// It is zero, as for counters that exist only while something happens.
    Replace,
}

/// The samples without NaN.
pub fn clean(values: &[f64], strategy: NanStrategy) -> Vec<f64> {
    let values = values.iter().copied();
    match strategy {
        NanStrategy::Remove => values.filter(|value| !value.is_nan()).collect(),
        NanStrategy::Replace => values.map(|value| if value.is_nan() { 0.0 } else { value }).collect(),
    }
}

/// A percentile (0 to 100), linear between the ranks (type 7 of Hyndman and Fan 1996). NaN of nothing.
pub fn percentile(values: &[f64], percent: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let place = (percent / 100.0).clamp(0.0, 1.0) * last as f64;
    let below = place.floor() as usize;
    let low = sorted[below.min(last)];
    let high = sorted[(below + 1).min(last)];
    low + (high - low) * (place - below as f64)
}

/// Whether each value lies more than `factor` interquartile ranges outside the quartiles (Tukey's fences).
pub fn is_iqr_outlier(values: &[f64], factor: f64) -> Vec<bool> {
    let (low, high) = fences(values, factor);
    values.iter().map(|value| *value < low || *value > high).collect()
}

/// Whether each value lies more than `factor` standard deviations, of the population, from the mean.
pub fn is_sigma_outlier(values: &[f64], factor: f64) -> Vec<bool> {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let deviation = (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / n).sqrt();
    values.iter().map(|value| (value - mean).abs() > factor * deviation).collect()
}

/// The values inside Tukey's fences, which are never narrower than from the first to the last percentile. `factor` is
/// usually 3.
pub fn without_outliers(values: &[f64], factor: f64) -> Vec<f64> {
    let (low, high) = fences(values, factor);
    let (low, high) = (low.min(percentile(values, 1.0)), high.max(percentile(values, 99.0)));
    values.iter().copied().filter(|value| (low..=high).contains(value)).collect()
}

fn fences(values: &[f64], factor: f64) -> (f64, f64) {
    let (first, third) = (percentile(values, 25.0), percentile(values, 75.0));
    let range = factor * (third - first);
    (first - range, third + range)
}
