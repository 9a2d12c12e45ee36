//! From the classes of all metrics to one score: Kayenta's weighted sum of groups.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::classifier::Class;

/// A metric that was classified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScoredMetric {
    /// What it is.
    pub class: Class,
    /// The groups it counts for.
    pub groups: Vec<String>,
    /// Whether a failure fails everything.
    pub is_critical: bool,
    /// Whether it is left out.
    pub is_muted: bool,
}

/// The score of a group of metrics.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupScore {
    /// Its name.
    pub name: String,
    /// 0 to 100; none when no metric of it had data. It then counts as 100.
    pub score: Option<f64>,
    /// Its part of the whole, in percent.
    pub weight: f64,
}

/// The score of a comparison.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// 0 to 100, with two decimals.
    pub total: f64,
    /// The groups, by name.
    pub groups: Vec<GroupScore>,
    /// A critical metric failed, so the score is 0.
    pub is_critical: bool,
    /// Half of the metrics or more had no data, so the score is 0.
    pub lacks_data: bool,
}

/// The score of metrics. `weights` are those of groups, in percent; groups without one share the rest.
pub fn score(metrics: &[ScoredMetric], weights: &BTreeMap<String, f64>) -> Score {
    let counted: Vec<&ScoredMetric> = metrics.iter().filter(|metric| !metric.is_muted).collect();
    let mut members: BTreeMap<&str, Vec<Class>> = BTreeMap::new();
    for metric in &counted {
        for group in &metric.groups {
            members.entry(group).or_default().push(metric.class);
        }
    }
    let given = |name: &str| weights.get(name).copied().filter(|weight| weight.is_finite() && *weight >= 0.0);
    let taken: f64 = members.keys().filter_map(|name| given(name)).sum();
    let unnamed = members.keys().filter(|name| given(name).is_none()).count();
    let rest = (100.0 - taken).max(0.0) / unnamed.max(1) as f64;
    let groups: Vec<GroupScore> = members
        .iter()
        .map(|(name, classes)| GroupScore {
            name: (*name).to_owned(),
            score: group_score(classes),
            weight: given(name).unwrap_or(rest),
        })
        .collect();
    let is_critical = counted.iter().any(|metric| metric.is_critical && metric.class != Class::Pass);
    let without_data = counted.iter().filter(|metric| metric.class == Class::Nodata).count();
    let lacks_data = 2 * without_data >= counted.len();
    let sum: f64 = groups.iter().map(|group| group.score.unwrap_or(100.0) * group.weight / 100.0).sum();
    let total = if is_critical || lacks_data { 0.0 } else { (sum * 100.0).round() / 100.0 };
    Score { total, groups, is_critical, lacks_data }
}

fn group_score(classes: &[Class]) -> Option<f64> {
    let count = |wanted: &[Class]| classes.iter().filter(|class| wanted.contains(class)).count() as f64;
    let counted = count(&[Class::Pass, Class::High, Class::Low, Class::NodataFailMetric]);
    (counted > 0.0).then(|| 100.0 * count(&[Class::Pass]) / counted)
}

/// What a score means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grade {
    /// Below marginal.
    Fail,
    /// At least marginal.
    Marginal,
    /// At least pass.
    Pass,
}

/// From which scores on a comparison passes or is marginal. A threshold that is not given is met by every score.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Thresholds {
    /// From here on it passes.
    pub pass: Option<f64>,
    /// From here on it is marginal.
    pub marginal: Option<f64>,
}

impl Thresholds {
    /// What a score means. A score on a threshold meets it.
    pub fn grade(&self, score: f64) -> Grade {
        let meets = |threshold: Option<f64>| threshold.is_none_or(|threshold| score >= threshold);
        if meets(self.pass) {
            Grade::Pass
        } else if meets(self.marginal) {
            Grade::Marginal
        } else {
            Grade::Fail
        }
    }
}
