//! How large a difference is.

use serde::{Deserialize, Serialize};

use super::mann_whitney::rank_sum;

/// The measure of a difference.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Mean of the canary over mean of stable.
    #[default]
    MeanRatio,
    /// The chance that a value of the canary is above one of stable, ties counting half.
    CommonLanguage,
}

impl Effect {
    /// The size of the difference between two samples that are not empty.
    pub fn of(self, canary: &[f64], stable: &[f64]) -> f64 {
        match self {
            Self::MeanRatio => mean_ratio(canary, stable),
            Self::CommonLanguage => common_language(canary, stable),
        }
    }

    /// Where there is no difference.
    pub const fn none(self) -> f64 {
        match self {
            Self::MeanRatio => 1.0,
            Self::CommonLanguage => 0.5,
        }
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Mean of the canary over mean of stable; NaN when either is 0 or a sample is empty.
pub fn mean_ratio(canary: &[f64], stable: &[f64]) -> f64 {
    let (canary, stable) = (mean(canary), mean(stable));
    if canary == 0.0 || stable == 0.0 { f64::NAN } else { canary / stable }
}

/// The common language effect size (McGraw and Wong 1992) from ranks: the chance that a value of the canary is above
/// one of stable. NaN when a sample is empty.
pub fn common_language(canary: &[f64], stable: &[f64]) -> f64 {
    let (m, n) = (canary.len() as f64, stable.len() as f64);
    let mut values: Vec<(f64, bool)> = canary.iter().map(|value| (*value, true)).collect();
    values.extend(stable.iter().map(|value| (*value, false)));
    (2.0 * rank_sum(&mut values).sum - m * (m + 1.0)) / (2.0 * m * n)
}

/// Cohen's d: the difference of the means over the pooled standard deviation. NaN when there is no spread.
pub fn cohens_d(canary: &[f64], stable: &[f64]) -> f64 {
    let squares = |values: &[f64]| {
        let mean = mean(values);
        values.iter().map(|value| (value - mean).powi(2)).sum::<f64>()
    };
    let freedom = (canary.len() + stable.len()) as f64 - 2.0;
    let pooled = ((squares(canary) + squares(stable)) / freedom).sqrt();
    (mean(canary) - mean(stable)) / pooled
}
