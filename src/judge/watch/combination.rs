//! Several metrics of one service as one e-value.
//!
//! A weighted mean of e-values is an e-value whatever the dependence between them, when the weights are fixed before
//! the data. It beats dividing the error by the number of metrics.

use serde::{Deserialize, Serialize};

use super::decision::{Blame, Metric};
use crate::judge::log_space::log_sum;

/// A metric and what was last heard of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Weighed {
    pub(super) metric: Metric,
    pub(super) is_required: bool,
    log_weight: f64,
    pub(super) log_e: f64,
    pub(super) log_e_safe: Option<f64>,
}

/// All metrics of a watch, with weights that add up to 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Combination {
    pub(super) metrics: Vec<Weighed>,
}

impl Combination {
    /// Metrics with their weights and whether they are required. Weights that are none count as the default ones.
    pub(super) fn new(metrics: impl Iterator<Item = (Metric, f64, bool)>) -> Self {
        let mut metrics: Vec<Weighed> = metrics
            .map(|(metric, weight, is_required)| {
                let is_weight = weight.is_finite() && weight > 0.0;
                let weight = if is_weight { weight } else { metric.kind.default_weight() };
                Weighed { metric, is_required, log_weight: weight.ln(), log_e: 0.0, log_e_safe: None }
            })
            .collect();
        let total = log_sum(metrics.iter().map(|weighed| weighed.log_weight));
        for weighed in &mut metrics {
            weighed.log_weight -= total;
        }
        Self { metrics }
    }

    /// Takes what is new of a metric. One that was not there at the start has no weight; what is no number is no news.
    pub(super) fn take(&mut self, metric: &Metric, log_e: f64, log_e_safe: Option<f64>) {
        if let Some(weighed) = self.metrics.iter_mut().find(|weighed| weighed.metric == *metric) {
            if log_e.is_finite() {
                weighed.log_e = log_e;
            }
            weighed.log_e_safe = log_e_safe.filter(|log_e| log_e.is_finite());
        }
    }

    /// The combined evidence: 0 without metrics.
    pub(super) fn log_e(&self) -> f64 {
        if self.metrics.is_empty() {
            return 0.0;
        }
        log_sum(self.metrics.iter().map(|weighed| weighed.log_weight + weighed.log_e))
    }

    /// The metric with the largest part.
    pub(super) fn blame(&self) -> Option<Blame> {
        let part = |weighed: &Weighed| weighed.log_weight + weighed.log_e;
        let most = self.metrics.iter().max_by(|a, b| part(a).total_cmp(&part(b)))?;
        let share = (part(most) - self.log_e()).exp().min(1.0);
        Some(Blame { metric: most.metric.clone(), log_e: most.log_e, part: share })
    }

    /// Forgets the evidence for safe.
    pub(super) fn restart_safe(&mut self) {
        for weighed in &mut self.metrics {
            weighed.log_e_safe = None;
        }
    }
}
