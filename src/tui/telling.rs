//! What is told first about a service: the one thing that says most about how it is doing, and what to do now. The health
//! pane, the footer, the smallest screen and the summaries take their words from here, so that they say the same.

use std::time::Duration;

use jiff::Timestamp;

use super::scene::Scene;
use super::theme::Tone;
use super::trends::KEPT;
use super::widgets::text::{figure, value};
use crate::engine::incidents::IncidentStatus;
use crate::model::database::DataKind;
use crate::model::decision::Recommendation;
use crate::model::operation::{Operation, OperationStatus, PlanKind};
use crate::model::reading::ServiceReading;
use crate::model::release::Arm;
use crate::model::trigger::{Condition as When, Evaluation, Evidence, Status, Verdict};
use crate::model::{IndicatorName, ServiceName, TriggerName, Unit};

use super::roster::Condition;

/// The one thing that says most about a service now.
#[derive(Clone, PartialEq, Debug)]
pub struct Telling {
    /// In a few words, with its figure: `errors 7.1 %`, `p95 12 ms`.
    pub text: String,
    /// The series that shows it; none where it is not a figure.
    pub series: Option<Subject>,
}

/// A series, and what it is held against.
#[derive(Clone, PartialEq, Debug)]
pub struct Subject {
    /// Which.
    pub indicator: IndicatorName,
    /// Of which arm; none for the service as a whole.
    pub arm: Option<Arm>,
    /// The limit of the trigger on it, if there is one.
    pub limit: Option<f64>,
    /// The trigger holds above the limit, else below it.
    pub above: bool,
}

/// The most telling thing about a service.
pub fn telling(scene: &Scene<'_>, service: &ServiceName) -> Telling {
    let reading = scene.reading_of(service);
    let condition = scene.condition(service);
    if condition == Condition::Unknown {
        return Telling { text: unknown(scene, service), series: None };
    }
    if let Some(worst) = reading.and_then(worst) {
        return of_evaluation(scene, service, worst);
    }
    if condition != Condition::Healthy {
        // Without a reading of our own the journal has the words.
        let reason = scene.verdict(service).and_then(|verdict| verdict.reasons().first()).cloned();
        return Telling { text: reason.unwrap_or_default(), series: None };
    }
    reading.and_then(|reading| healthy(scene, reading)).unwrap_or_default()
}

impl Default for Telling {
    fn default() -> Self {
        Self { text: "healthy".to_owned(), series: None }
    }
}

/// Why nothing is known: since when, or what is missing.
fn unknown(scene: &Scene<'_>, service: &ServiceName) -> String {
    let newest = scene.reading_of(service).and_then(|reading| reading.newest);
    if let Some(newest) = newest.filter(|_| scene.is_stale(service)) {
        return format!("since {}", scene.short_moment(newest));
    }
    match scene.verdict(service) {
        Some(Verdict::Unknown { reasons }) => {
            reasons.first().cloned().unwrap_or_else(|| "nothing is known".to_owned())
        }
        _ => "nothing was read yet".to_owned(),
    }
}

/// The evaluation that is worst, among those that are not well.
fn worst(reading: &ServiceReading) -> Option<&Evaluation> {
    let rank = |evaluation: &Evaluation| match evaluation.status {
        Status::Breach { .. } => Some((evaluation.action.rolls_back(), true)),
        Status::Pending { .. } => Some((false, false)),
        Status::Ok | Status::Unknown { .. } => None,
    };
    let bad = reading.evaluations.iter().filter_map(|evaluation| Some((rank(evaluation)?, evaluation)));
    bad.max_by_key(|(rank, evaluation)| (*rank, evaluation.action, evaluation.severity))
        .map(|(_, evaluation)| evaluation)
}

fn of_evaluation(scene: &Scene<'_>, service: &ServiceName, evaluation: &Evaluation) -> Telling {
    match indicator_of(scene, &evaluation.trigger) {
        Some(indicator) => {
            let Evidence { value: number, limit, above, .. } = &evaluation.evidence;
            let name = quantile(&evaluation.evidence).unwrap_or(indicator.as_str());
            let text = match number {
                Some(number) => format!("{name} {}", value(*number, limit.unit)),
                None => format!("{name}: no value"),
            };
            let series = Subject {
                indicator: indicator.clone(),
                arm: evaluation.arm,
                limit: Some(limit.value),
                above: *above,
            };
            Telling { text, series: Some(series) }
        }
        None if evaluation.evidence.said.is_some() => {
            let Evidence { query, .. } = &evaluation.evidence;
            Telling { text: format!("{query}: {}", evaluation.evidence.line()), series: None }
        }
        None if is_availability(scene, &evaluation.trigger) => {
            let Evidence { value: number, limit, .. } = &evaluation.evidence;
            let passing = number.map_or_else(|| "no value".to_owned(), |number| value(number, limit.unit));
            Telling { text: format!("checks pass {passing}"), series: None }
        }
        None => {
            let reasons = scene.verdict(service).map(Verdict::reasons).unwrap_or_default();
            let probe = reasons.iter().find(|reason| reason.starts_with("probe "));
            let reason = probe.or_else(|| reasons.first()).cloned();
            Telling { text: reason.unwrap_or_else(|| evaluation.trigger.to_string()), series: None }
        }
    }
}

/// What of a latency is judged: `p99`.
pub fn quantile(evidence: &Evidence) -> Option<&str> {
    let (quantile, _) = evidence.query.split_once(" of ")?;
    (evidence.limit.unit == Unit::Millis && quantile.starts_with('p')).then_some(quantile)
}

/// Of a service without trouble: how fast it answers, else how often it fails, else whatever is read of it.
fn healthy(scene: &Scene<'_>, reading: &ServiceReading) -> Option<Telling> {
    let rank = |unit: Unit| match unit {
        Unit::Millis => 0,
        Unit::Share => 1,
        Unit::Plain => 2,
    };
    let seen = reading.indicators.iter().filter(|seen| seen.arm != Some(Arm::Canary));
    let (number, seen) =
        seen.filter_map(|seen| Some((seen.value?, seen))).min_by_key(|(_, seen)| rank(seen.unit))?;
    let judged = reading.evaluations.iter().find(|evaluation| {
        evaluation.arm == seen.arm && indicator_of(scene, &evaluation.trigger) == Some(&seen.indicator)
    });
    // What is read of a histogram is its 95th percentile.
    let name = if seen.unit == Unit::Millis { "p95" } else { seen.indicator.as_str() };
    let series = Subject {
        indicator: seen.indicator.clone(),
        arm: seen.arm,
        limit: judged.map(|judged| judged.evidence.limit.value),
        above: judged.is_none_or(|judged| judged.evidence.above),
    };
    Some(Telling { text: format!("{name} {}", figure(number, seen.unit)), series: Some(series) })
}

/// The indicator that a trigger sets a fixed limit; none for one that compares, or watches probes.
pub fn indicator_of<'a>(scene: &Scene<'a>, trigger: &TriggerName) -> Option<&'a IndicatorName> {
    match &scene.config().triggers.get(trigger)?.when {
        When::Threshold { indicator, .. } => Some(indicator),
        When::Comparison { .. }
        | When::Consecutive { .. }
        | When::Availability { .. }
        | When::Alarm { .. } => None,
    }
}

fn is_availability(scene: &Scene<'_>, trigger: &TriggerName) -> bool {
    let spec = scene.config().triggers.get(trigger);
    spec.is_some_and(|spec| matches!(spec.when, When::Availability { .. }))
}

/// A series in so many cells, the newest last: the last minute, or five where a source is read seldom. A cell is the worst of
/// its time; it is empty where nothing was read for longer than its source takes.
pub fn trend(scene: &Scene<'_>, service: &ServiceName, of: &Subject, cells: usize) -> Vec<Option<f64>> {
    let held = interval(scene, service, &of.indicator).as_secs().max(1) as usize;
    let seconds = if held <= 5 { 60 } else { KEPT };
    let trends = &scene.picture.trends;
    let mut values = trends.last(service, &of.indicator, of.arm, scene.now(), seconds);
    let mut last: Option<(usize, f64)> = None;
    for (place, value) in values.iter_mut().enumerate() {
        match *value {
            Some(number) => last = Some((place, number)),
            // A second's jitter is no gap.
            None => *value = last.filter(|(at, _)| place - at <= held).map(|(_, number)| number),
        }
    }
    let worse = |a: f64, b: f64| if of.above { a.max(b) } else { a.min(b) };
    (0..cells)
        .map(|cell| {
            let range =
                cell * seconds / cells..((cell + 1) * seconds / cells).max(cell * seconds / cells + 1);
            values[range].iter().copied().flatten().reduce(worse)
        })
        .collect()
}

/// How often an indicator of a service is read.
pub fn interval(scene: &Scene<'_>, service: &ServiceName, indicator: &IndicatorName) -> Duration {
    let config = scene.config();
    let spec = config.services.get(service).and_then(|service| service.indicators.get(indicator));
    spec.and_then(|spec| config.sources.get(&spec.source))
        .map_or(Duration::from_secs(1), |source| *source.spacing())
}

/// What to do about a service now, for the eye.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Advice {
    /// How it is meant.
    pub tone: Tone,
    /// In a few words.
    pub words: String,
    /// What is added where there is room.
    pub more: String,
}

/// What to do about the service that is looked at, or what is being done; none when there is nothing to do.
pub fn advice(scene: &Scene<'_>) -> Option<Advice> {
    let advice = |tone, words: &str, more: String| Some(Advice { tone, words: words.to_owned(), more });
    if let Some(operation) = scene.open_operation() {
        if let OperationStatus::NeedsDecision { .. } = operation.status {
            return advice(Tone::Fail, "DECIDE", format!("{} waits for a person", operation.id));
        }
        let step = operation.current().unwrap_or(0) + 1;
        let words = format!("{} {}", scene.picture.glyphs.running, doing(operation));
        return advice(Tone::Accent, &words, format!("step {step}/{}", operation.steps.len()));
    }
    let decision = scene.known().and_then(|known| known.decision.as_ref());
    let found = decision.map_or(0, |decision| decision.findings.len());
    let findings = counted(found, "finding");
    match decision.map(|decision| decision.recommendation) {
        Some(Recommendation::RollBackImmediately) => return advice(Tone::Fail, "ROLL BACK NOW", findings),
        Some(Recommendation::RollBackGradually) => {
            return advice(Tone::Fail, "ROLL BACK GRADUALLY", findings);
        }
        Some(Recommendation::ScaleOut) => return advice(Tone::Warn, "SCALE OUT", findings),
        Some(Recommendation::Hold) => return advice(Tone::Warn, "HOLD", findings),
        Some(Recommendation::Watch) | None => {}
    }
    match scene.incident_status() {
        Some(IncidentStatus::Monitoring { propose_resolve: true, .. }) => {
            advice(Tone::Ok, "RESOLVE", "everything is healthy again".to_owned())
        }
        _ if found > 0 => advice(Tone::Warn, "WATCH", findings),
        _ => None,
    }
}

/// What an operation is doing.
pub const fn doing(operation: &Operation) -> &'static str {
    if operation.cancelling {
        return "stopping";
    }
    if operation.paused.is_some() {
        return "paused";
    }
    match operation.plan.kind {
        PlanKind::RollBack => "rolling back",
        PlanKind::Promote => "promoting",
        PlanKind::Deploy { .. } => "deploying",
        PlanKind::Maintenance { on: true } => "maintenance on",
        PlanKind::Maintenance { on: false } => "maintenance off",
        PlanKind::Scale { .. } => "scaling",
        PlanKind::CleanUp => "cleaning up",
        PlanKind::Database { change } => match change {
            DataKind::Migrate => "migrating",
            DataKind::Undo => "taking migrations back",
            DataKind::Restore | DataKind::PointInTime => "restoring its data",
        },
    }
}

/// `1 finding`, `2 findings`.
pub fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// Since when a service is in the condition that the journal says.
pub fn since(scene: &Scene<'_>, service: &ServiceName) -> Option<Timestamp> {
    scene.state().service(service)?.verdict.as_ref().map(|(_, at)| *at)
}
