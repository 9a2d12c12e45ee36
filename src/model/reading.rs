//! What the senses say now, for people to look at. Not part of the journaled state: it is made of samples and
//! can be made again from them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::judge::Judgement;
use super::probe::ProbeResult;
use super::release::Arm;
use super::trigger::{Evaluation, Verdict};
use super::{IndicatorName, ProbeName, Unit};

/// One service, as sensed now.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct ServiceReading {
    /// The service as a whole.
    pub verdict: Option<Verdict>,
    /// Each arm that gets traffic.
    pub arms: BTreeMap<Arm, Verdict>,
    /// The newest answer of each probe.
    pub probes: BTreeMap<ProbeName, ProbeReading>,
    /// The newest value of each indicator, per arm.
    pub indicators: Vec<IndicatorReading>,
    /// Every trigger that watches it, evaluated.
    pub evaluations: Vec<Evaluation>,
    /// The newest reading of anything.
    pub newest: Option<Timestamp>,
}

impl ServiceReading {
    /// What the judge says of the canary, where there is one and a judge.
    pub fn judgement(&self) -> Option<&Judgement> {
        self.evaluations.iter().find_map(|evaluation| evaluation.evidence.judgement.as_deref())
    }
}

/// A probe, now.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ProbeReading {
    /// Its newest answer.
    pub last: ProbeResult,
    /// Failures in a row, up to now.
    pub failures: u32,
}

/// An indicator, now.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct IndicatorReading {
    /// The indicator.
    pub indicator: IndicatorName,
    /// The arm; none for the service as a whole.
    pub arm: Option<Arm>,
    /// Its value over the display window, if there was one.
    pub value: Option<f64>,
    /// How the value is shown.
    pub unit: Unit,
    /// Events in the display window.
    pub samples: f64,
    /// The newest reading.
    pub at: Timestamp,
}
