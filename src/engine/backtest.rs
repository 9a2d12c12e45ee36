//! The back-test: what a policy would have done in the past. Pure: the past comes as [`Moment`]s, in order.
//!
//! A policy is a config. [`Replay`] drives the same core that the guard runs through the past, on the past's own time;
//! [`Incidents`] says what really was wrong then, as far as the journal or a person knows it; [`score()`] holds the one
//! against the other.
//!
//! What is counterfactual. A rollback that a policy would have begun counts at that moment, and is taken to have been carried
//! out at once: from then on the release that it leaves gets no traffic. The past knows nothing of that, so what was recorded
//! of that release is ignored, and nothing more of the service is decided, until another release gets traffic or that one
//! gets none any more. So one bad release is one rollback. From then on the past is taken as it was recorded: what the
//! release was marked is forgotten again, and the count of `maximum` begins anew, as if a person had looked in between.
//! What happened in the past because of the guard of that time (its own rollbacks, above all) stays in the past: a policy
//! that is slower than it finds nothing left to find, and the incident says when that was.
//!
//! What is taken from the past: releases and traffic, samples, sources and platforms that could not be read, what releases
//! and baselines were recorded, freezes, and counts that were reset. What is not: whether automatic action was on, and
//! whether the environment was read-only, because what is asked is what would be if it could act; and probes and alarms,
//! which are not recorded: triggers on them are left out, and [`Policy::left_out`] names them.

mod incidents;
mod replay;
mod score;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use crate::config::Config;
use crate::model::decision::Guardrail;
use crate::model::event::Event;
use crate::model::operation::Strategy;
use crate::model::source::SourceReport;
use crate::model::trigger::Condition;
use crate::model::{IncidentId, ReleaseRef, ServiceName, TriggerName, Version};

use super::input::{PlatformFacts, Settings};

pub use incidents::{Incidents, Marked, Origin};
pub use replay::Replay;
pub use score::{Met, Report, Score, score};

/// Something that happened in the past.
#[derive(Clone, Debug, PartialEq)]
pub enum Moment {
    /// It was journaled.
    Event(Box<Event>),
    /// A source was read.
    Read(SourceReport),
}

/// A config that is tried on the past.
#[derive(Clone, Debug)]
pub struct Policy {
    /// What people call it: the name of its file.
    pub name: String,
    /// The config as it is played, and what the platforms can do.
    pub settings: Arc<Settings>,
    /// Triggers that cannot be played, because what they watch is not recorded.
    pub left_out: Vec<TriggerName>,
}

impl Policy {
    /// Makes a policy of a config.
    pub fn new(
        name: impl Into<String>,
        config: &Config,
        platforms: &BTreeMap<ServiceName, PlatformFacts>,
    ) -> Self {
        let mut config = config.clone();
        config.environment.automatic = true;
        config.environment.read_only = false;
        // Nobody is told.
        config.channels.clear();
        config.policy.clear();
        config.escalation = crate::model::escalation::EscalationSpec::default();
        // Probes that never answer would make everything unknown.
        for service in config.services.values_mut() {
            service.probes.clear();
        }
        let is_recorded =
            |when: &Condition| matches!(when, Condition::Threshold { .. } | Condition::Comparison { .. });
        let left_out = config.triggers.iter().filter(|(_, spec)| !is_recorded(&spec.when));
        let left_out = left_out.map(|(name, _)| name.clone()).collect();
        config.triggers.retain(|_, spec| is_recorded(&spec.when));
        let settings = Settings {
            config: Arc::new(config),
            runbooks: BTreeMap::new(),
            templates: Arc::default(),
            drill: false,
            platforms: platforms.clone(),
            by_itself: true,
        };
        Self { name: name.into(), settings: Arc::new(settings), left_out }
    }
}

/// What a policy would have done.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// Its name.
    pub name: String,
    /// Triggers that were left out.
    pub left_out: Vec<TriggerName>,
    /// Rollbacks that it would have begun, in order.
    pub rollbacks: Vec<WouldRollBack>,
    /// Rollbacks that it wanted and a guardrail forbade, in order.
    pub held: Vec<HeldBack>,
    /// What it found, in order.
    pub found: Vec<Found>,
}

/// A rollback that would have begun.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WouldRollBack {
    /// When.
    pub at: Timestamp,
    /// Of which service.
    pub service: ServiceName,
    /// The release that would have been left; none where the past knows no releases of the service.
    pub from: Option<(Version, ReleaseRef)>,
    /// The release that would have got the traffic.
    pub to: Option<Version>,
    /// How.
    pub strategy: Strategy,
    /// The triggers that held; `judge` for the judge.
    pub triggers: Vec<TriggerName>,
    /// Why, in words.
    pub reason: String,
    /// Until when the past was ignored because of it; none: to its end.
    pub until: Option<Timestamp>,
    /// The incident that it belongs to; none: a false alarm.
    pub incident: Option<IncidentId>,
}

/// A rollback that was wanted and did not pass the guardrails.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HeldBack {
    /// When.
    pub at: Timestamp,
    /// Of which service.
    pub service: ServiceName,
    /// What forbade it.
    pub guardrails: Vec<Guardrail>,
}

/// A trigger that began to hold, whatever it asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Found {
    /// When.
    pub at: Timestamp,
    /// On which service; none: over the whole environment.
    pub service: Option<ServiceName>,
    /// Which.
    pub trigger: TriggerName,
}
