//! Plays a recording: every tick to the monitors, and after each the watch is asked for its decision.

use super::agreement::{Agreement, Expected, Seen};
use super::recording::Recording;
use crate::judge::watch::{Decision, MetricKind, Reading, Verdict, Watch, WatchSettings};
use crate::judge::{DataProblem, Discard, Evidence, Preset};

/// The path of the evidence, one point a tick.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    pub(super) at_s: f64,
    /// Natural logarithm of the combined e-value.
    pub(super) log_e: f64,
    /// Of the metric that is the least safe; none where safety is not tested.
    pub(super) log_e_safe: Option<f64>,
    /// The largest divisor of the evidence.
    pub(super) phi: f64,
}

/// An interval that was not taken.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct LeftOut {
    /// None in the history.
    pub(super) tick: Option<usize>,
    /// In a table of counts.
    pub(super) line: Option<usize>,
    pub(super) because: Discard,
}

/// What became of a recording.
pub(super) struct Played {
    pub(super) about: String,
    pub(super) compares: &'static str,
    pub(super) preset: Option<Preset>,
    pub(super) history_s: f64,
    pub(super) rules: WatchSettings,
    pub(super) path: Vec<Point>,
    pub(super) left_out: Vec<LeftOut>,
    /// Each change of the action, the first decision among them.
    pub(super) changes: Vec<(usize, Decision)>,
    pub(super) last: Option<Decision>,
    pub(super) evidence: Vec<(MetricKind, Evidence)>,
    pub(super) agreement: Option<Agreement>,
    /// Why nothing is compared although the file expects something.
    pub(super) not_compared: Option<&'static str>,
}

impl Played {
    /// What holds at the end. Harm stays decided; safe has to hold then.
    pub(super) fn verdict(&self) -> Verdict {
        self.last.as_ref().map_or(Verdict::Unknown, |last| last.verdict)
    }

    /// Since when the verdict holds, in seconds since the watch began: a rollback since it was first decided, also when
    /// it became a more urgent one later.
    pub(super) fn reached_s(&self) -> Option<f64> {
        self.first_rollback()
            .or_else(|| self.changes.last().map(|(_, change)| change))
            .map(|change| change.at_s)
    }

    /// The decision that first took the canary back.
    pub(super) fn first_rollback(&self) -> Option<&Decision> {
        self.changes.iter().map(|(_, change)| change).find(|change| change.action.is_rollback())
    }

    /// When the e-value first was this large.
    pub(super) fn crossed(&self, e_value: f64) -> Option<f64> {
        let needed = e_value.ln();
        self.path.iter().find(|point| point.log_e >= needed).map(|point| point.at_s)
    }
}

pub(super) fn play(recording: Recording) -> Played {
    let Recording {
        about,
        mut stream,
        rules,
        preset,
        history_s,
        lines,
        mut left_out,
        expected,
        not_compared,
    } = recording;
    let mut watch = Watch::new(rules.clone());
    let mut path = Vec::with_capacity(stream.ticks());
    let mut changes: Vec<(usize, Decision)> = Vec::new();
    let mut last: Option<Decision> = None;
    let mut agreement = expected.as_ref().map(|_| Agreement::default());
    for tick in 0..stream.ticks() {
        if let Err(because) = stream.take(tick) {
            left_out.push(LeftOut { tick: Some(tick), line: lines.get(tick).copied(), because });
        }
        let at_s = stream.end_s(tick);
        let metrics = stream.readings();
        let safe = metrics.iter().map(|metric| metric.log_e_safe).reduce(|a, b| Some(a?.min(b?))).flatten();
        let decision = watch.decide(&Reading {
            at_s,
            metrics,
            // Where requests are not known they cannot be asked for.
            canary_requests: stream.canary_requests().unwrap_or(rules.min_canary_requests),
            known_s: stream.known_s(at_s),
            problem: stream.problem(tick).map(|_| DataProblem::Empty),
            ..Reading::default()
        });
        let phi = stream.evidence().iter().map(|(_, evidence)| evidence.phi).fold(1.0, f64::max);
        path.push(Point { at_s, log_e: decision.log_e, log_e_safe: safe, phi });
        if let (Some(agreement), Some(expected)) = (&mut agreement, &expected) {
            expected.compare_at(tick, decision.log_e, &stream, agreement);
        }
        if changes.last().is_none_or(|(_, before)| before.action != decision.action) {
            changes.push((tick, decision.clone()));
        }
        last = Some(decision);
    }
    if let (Some(agreement), Some(expected)) = (&mut agreement, &expected) {
        let log_e: Vec<f64> = path.iter().map(|point| point.log_e).collect();
        Expected::compare_whole(expected, &Seen { log_e: &log_e, changes: &changes }, agreement);
    }
    Played {
        about,
        compares: stream.about(),
        preset,
        history_s,
        rules,
        path,
        left_out,
        changes,
        last,
        evidence: stream.evidence(),
        agreement,
        not_compared,
    }
}
