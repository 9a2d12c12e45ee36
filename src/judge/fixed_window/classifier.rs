//! From two windows of values to High, Low or Pass.

use serde::{Deserialize, Serialize};

use super::effect_size::Effect;
use super::mann_whitney::{MannWhitney, mann_whitney};
use super::samples::{NanStrategy, clean, without_outliers};

/// Which change of a metric is a failure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// More of it, such as errors.
    Increase,
    /// Less of it, such as successes.
    Decrease,
    /// Any.
    #[default]
    Either,
}

/// How two windows are compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Test {
    /// By the interval of the Mann-Whitney test.
    #[default]
    MannWhitney,
    /// By which mean is larger; any difference counts.
    MeanInequality,
}

/// What a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// No failure was found.
    Pass,
    /// The canary is higher.
    High,
    /// The canary is lower.
    Low,
    /// There was nothing to compare; it does not count.
    Nodata,
    /// There was nothing to compare, and that counts as a failure of the metric.
    NodataFailMetric,
    /// It could not be computed.
    Error,
}

/// What a metric is, and what that rests on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Classification {
    /// What it is.
    pub class: Class,
    /// Whether it fails the whole comparison.
    pub is_critical: bool,
    /// The size of the difference; none when it cannot be told, as with a mean of zero.
    pub effect: Option<f64>,
    /// The interval, where one was computed.
    pub interval: Option<MannWhitney>,
}

/// The rules for one metric.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Classifier {
    /// How the windows are compared.
    pub test: Test,
    /// Which change is a failure.
    pub direction: Direction,
    /// What becomes of missing values.
    pub nan: NanStrategy,
    /// Outliers beyond so many interquartile ranges are removed, 3 where it is used; none keeps them.
    pub outlier_factor: Option<f64>,
    /// Whether a failure of this metric fails the whole comparison.
    pub is_critical: bool,
    /// Whether having no data is a failure.
    pub must_have_data: bool,
    /// The interval has to be further from zero than this share of the estimate.
    pub tolerance: f64,
    /// The confidence of the interval.
    pub confidence: f64,
    /// How differences are measured.
    pub effect: Effect,
    /// Differences up to here pass: below no effect, and above. None is no effect itself.
    pub allowed: (Option<f64>, Option<f64>),
    /// Differences from here on are critical, for a critical metric. None is no effect itself.
    pub critical: (Option<f64>, Option<f64>),
}

impl Default for Classifier {
    fn default() -> Self {
        Self {
            test: Test::MannWhitney,
            direction: Direction::Either,
            nan: NanStrategy::Remove,
            outlier_factor: None,
            is_critical: false,
            must_have_data: false,
            tolerance: 0.25,
            confidence: 0.98,
            effect: Effect::MeanRatio,
            allowed: (None, None),
            critical: (None, None),
        }
    }
}

impl Classifier {
    /// Compares a window of the canary with one of stable: one value an interval, NaN where it is missing.
    pub fn classify(&self, canary: &[f64], stable: &[f64]) -> Classification {
        let prepare = |values: &[f64]| {
            let cleaned = clean(values, self.nan);
            self.outlier_factor.map_or(cleaned.clone(), |factor| without_outliers(&cleaned, factor))
        };
        let (canary, stable) = (prepare(canary), prepare(stable));
        let plain = |class, is_critical| Classification { class, is_critical, effect: None, interval: None };
        if canary.is_empty() || stable.is_empty() {
            return match self.nan {
                NanStrategy::Replace => plain(Class::Pass, false),
                NanStrategy::Remove if self.must_have_data && !self.is_critical => {
                    plain(Class::NodataFailMetric, false)
                }
                NanStrategy::Remove => plain(Class::Nodata, self.is_critical),
            };
        }
        match self.test {
            Test::MannWhitney => self.by_ranks(&canary, &stable),
            Test::MeanInequality => {
                let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
                let difference = mean(&canary) - mean(&stable);
                let class = if difference > 0.0 && self.direction != Direction::Decrease {
                    Class::High
                } else if difference < 0.0 && self.direction != Direction::Increase {
                    Class::Low
                } else {
                    Class::Pass
                };
                plain(class, false)
            }
        }
    }

    fn by_ranks(&self, canary: &[f64], stable: &[f64]) -> Classification {
        if is_same(canary, stable) {
            let effect = Some(1.0);
            return Classification { class: Class::Pass, is_critical: false, effect, interval: None };
        }
        let size = self.effect.of(canary, stable);
        let effect = Some(size).filter(|size| size.is_finite());
        let Ok(interval) = mann_whitney(canary, stable, self.confidence) else {
            return Classification {
                class: Class::Error,
                is_critical: self.is_critical,
                effect,
                interval: None,
            };
        };
        let margin = self.tolerance * interval.estimate.abs();
        let none = self.effect.none();
        let is_at_least = |limit: Option<f64>| size.is_nan() || size >= limit.unwrap_or(none);
        let is_at_most = |limit: Option<f64>| size.is_nan() || size <= limit.unwrap_or(none);
        let is_higher =
            self.direction != Direction::Decrease && interval.lower > margin && is_at_least(self.allowed.1);
        let is_lower =
            self.direction != Direction::Increase && interval.upper < -margin && is_at_most(self.allowed.0);
        let (class, is_beyond) = if is_higher {
            (Class::High, is_at_least(self.critical.1))
        } else if is_lower {
            (Class::Low, is_at_most(self.critical.0))
        } else {
            (Class::Pass, false)
        };
        Classification { class, is_critical: self.is_critical && is_beyond, effect, interval: Some(interval) }
    }
}

/// Whether both have the same values, in any order, or there is one value in all. Neither may be empty.
fn is_same(canary: &[f64], stable: &[f64]) -> bool {
    let sorted = |values: &[f64]| {
        // Zeros of both signs are one value.
        let mut values: Vec<f64> = values.iter().map(|value| value + 0.0).collect();
        values.sort_by(f64::total_cmp);
        values
    };
    let (canary, stable) = (sorted(canary), sorted(stable));
    let least = canary[0].min(stable[0]);
    let is_one_value = canary.iter().chain(&stable).all(|value| *value <= least);
    is_one_value || canary == stable
}
