//! What is promised of delivery, and whether it is kept.

use serde::Serialize;

use super::figures::{Figures, Ratio};
use super::measures::{DeploymentMeasures, IncidentMeasures};
use crate::report::Millis;
use crate::report::incident::Metric;

/// An objective.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Objective {
    /// What is promised.
    pub name: &'static str,
    /// The limit, in words.
    pub limit: String,
    /// What it is, in words; `no data`.
    pub value: String,
    /// Of how many that speaks.
    pub n: usize,
    /// Whether it is kept.
    pub verdict: Verdict,
}

/// Whether an objective is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is.
    Met,
    /// It is not.
    Missed,
    /// Nobody knows.
    NoData,
}

impl Verdict {
    /// The words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Met => "met",
            Self::Missed => "MISSED",
            Self::NoData => "no data",
        }
    }
}

/// All objectives, in the order in which they are shown. A limit itself is not within it: more than 95 % is promised.
pub(super) fn objectives(deployments: &DeploymentMeasures, incidents: &IncidentMeasures) -> Vec<Objective> {
    let nothing = Figures::default();
    let detection = incidents.times.iter().find(|time| time.metric == Metric::Ttd);
    let detection = detection.map_or(&nothing, |time| &time.figures);
    vec![
        above("deployment success", &deployments.success_rate, 95),
        below("change failure", &deployments.change_fail_rate, 5),
        within("deployment time", &deployments.deployment_time, 15),
        within("rollback time", &deployments.rollback_time, 5),
        within("time to recovery", &deployments.recovery, 15),
        within("detection time", detection, 2),
        within("response time", &incidents.response, 5),
        above("alert accuracy", &incidents.alert_accuracy, 90),
    ]
}

fn verdict(holds: Option<bool>) -> Verdict {
    match holds {
        Some(true) => Verdict::Met,
        Some(false) => Verdict::Missed,
        None => Verdict::NoData,
    }
}

/// In whole numbers, so that a limit that is met exactly is not met by rounding.
fn above(name: &'static str, ratio: &Ratio, percent: usize) -> Objective {
    let holds = (ratio.of > 0).then(|| ratio.part * 100 > percent * ratio.of);
    let limit = format!("> {percent} %");
    Objective { name, limit, value: ratio.words(), n: ratio.of, verdict: verdict(holds) }
}

fn below(name: &'static str, ratio: &Ratio, percent: usize) -> Objective {
    let holds = (ratio.of > 0).then(|| ratio.part * 100 < percent * ratio.of);
    let limit = format!("< {percent} %");
    Objective { name, limit, value: ratio.words(), n: ratio.of, verdict: verdict(holds) }
}

fn within(name: &'static str, figures: &Figures, minutes: i64) -> Objective {
    let middle = figures.middle();
    let value =
        middle.map_or_else(|| "no data".to_owned(), |middle| format!("median {middle} (n {})", figures.n));
    let holds = middle.map(|middle| middle < Millis(minutes * 60_000));
    Objective { name, limit: format!("< {minutes} m"), value, n: figures.n, verdict: verdict(holds) }
}
