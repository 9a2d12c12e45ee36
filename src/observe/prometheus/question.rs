//! One series of an indicator as the queries that ask for it, and what their answers say.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::time::Duration;

use jiff::Timestamp;

use crate::model::release::Arm;
use crate::model::source::{ArmLabel, Subject};
use crate::model::units::human;
use crate::model::{ServiceName, placeholder};
use crate::observe::selector;
use crate::observe::series::{Found, One, Role, subject};

use super::Answers;
use super::answer::{Answer, Labels};

/// How the answer is to be understood.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Style {
    /// Series as they were scraped, with their own times.
    Series,
    /// What happened in the window.
    Grown,
    /// One value for each arm.
    Value,
}

/// One series of an indicator.
#[derive(Debug)]
pub(super) struct Question {
    /// As it is written, the service filled in.
    pub(super) shown: String,
    pub(super) style: Style,
    role: Role,
    arms: Option<ArmLabel>,
    /// The queries, each with the arm that it is about; `{window}` is still open.
    asked: Vec<(Option<Arm>, String)>,
}

impl Question {
    pub(super) fn new(
        service: &ServiceName,
        role: Role,
        text: &str,
        arms: Option<&ArmLabel>,
    ) -> Result<Self, String> {
        let mut shown = placeholder::fill(text.trim(), |name| {
            (name == placeholder::SERVICE).then(|| Cow::Borrowed(service.as_str()))
        });
        let style = match selector::parse(&shown) {
            Ok(selector) => {
                if matches!(role, Role::Histogram(_)) && !selector.name().ends_with("_bucket") {
                    let name = format!("{}_bucket", selector.name());
                    shown = selector.renamed(name).to_string();
                }
                Style::Series
            }
            Err(_) if placeholder::has(&shown, placeholder::WINDOW) && role != Role::Value => Style::Grown,
            Err(_) if role == Role::Value => Style::Value,
            Err(error) => return Err(error.to_string()),
        };
        let word = |arm| match (arms, arm) {
            (Some(arms), Arm::Stable) => arms.stable.clone(),
            (Some(arms), Arm::Canary) => arms.canary.clone(),
            (None, arm) => arm.word().to_owned(),
        };
        let asked = if placeholder::has(&shown, placeholder::ARM) {
            let by_arm = |arm| {
                let filled = placeholder::fill(&shown, |name| {
                    (name == placeholder::ARM).then(|| Cow::Owned(word(arm)))
                });
                (Some(arm), filled)
            };
            vec![by_arm(Arm::Stable), by_arm(Arm::Canary)]
        } else {
            vec![(None, shown.clone())]
        };
        Ok(Self { style, role, arms: arms.cloned(), asked, shown })
    }

    /// What is asked, by arm. Without a window, what needs one is not asked.
    pub(super) fn queries(&self, window: Option<Duration>) -> Vec<(Option<Arm>, String)> {
        let mut queries = Vec::new();
        for (arm, query) in &self.asked {
            let Some(filled) = with_window(query, window) else { continue };
            if self.style == Style::Series {
                queries.push((*arm, timestamp(&filled)));
            }
            queries.push((*arm, filled));
        }
        queries
    }

    /// What the answers say. Series that were measured more than `stale_after` before `at` are not taken.
    pub(super) fn found(
        &self,
        answers: &Answers,
        window: Option<Duration>,
        at: Timestamp,
        stale_after: Duration,
    ) -> Found {
        let mut found = Found::default();
        let mut is_asked = false;
        for (arm, query) in &self.asked {
            let Some(query) = with_window(query, window) else { continue };
            is_asked = true;
            let answer = match answers.get(&query) {
                Some(Ok(answer)) => answer,
                Some(Err(reason)) => {
                    fail(&mut found, *arm, reason);
                    continue;
                }
                None => continue,
            };
            match self.style {
                Style::Series => match answers.get(&timestamp(&query)) {
                    Some(Ok(times)) => self.note_series(&mut found, *arm, answer, times, at, stale_after),
                    Some(Err(reason)) => fail(&mut found, *arm, reason),
                    None => {}
                },
                Style::Grown => self.note_grown(&mut found, *arm, answer),
                Style::Value => self.note_values(&mut found, *arm, answer),
            }
        }
        found.is_held = !is_asked;
        let is_bare = found.series.is_empty() && found.failed.is_empty() && found.foreign.is_none();
        if is_bare && is_asked && found.fault.is_none() && self.style != Style::Series {
            let why = if self.style == Style::Grown || self.shown.contains('[') {
                "the result is empty: nothing matches, or there are too few scrapes in the window"
            } else {
                "the result is empty"
            };
            found.fault = Some(why.to_owned());
        }
        found
    }

    fn note_series(
        &self,
        found: &mut Found,
        arm: Option<Arm>,
        answer: &Answer,
        times: &Answer,
        at: Timestamp,
        stale_after: Duration,
    ) {
        let measured: HashMap<String, f64> = times
            .series
            .iter()
            .filter_map(|(labels, points)| Some((identity(labels, false), points.last()?.1)))
            .collect();
        let mut old: BTreeMap<Subject, Duration> = BTreeMap::new();
        for (labels, points) in &answer.series {
            let Some((_, value)) = points.last() else { continue };
            let subject = match self.subject(labels, arm) {
                Ok(subject) => subject,
                Err(reason) => {
                    found.foreign.get_or_insert(reason);
                    continue;
                }
            };
            let own = measured
                .get(&identity(labels, false))
                .and_then(|seconds| Timestamp::from_millisecond((seconds * 1_000.0).round() as i64).ok());
            // It came between the two questions; the next reading has both.
            let Some(own) = own else { continue };
            let age = if own < at { at.duration_since(own).unsigned_abs() } else { Duration::ZERO };
            if age > stale_after {
                let youngest = old.entry(subject).or_insert(age);
                *youngest = age.min(*youngest);
                continue;
            }
            self.put(found, subject, labels, arm, *value, Some(own));
        }
        for (subject, age) in old {
            if !found.series.values().any(|one| one.subject == subject) {
                let age = human(Duration::from_secs(age.as_secs()));
                let reason = format!("its newest sample is {age} old, limit {}", human(stale_after));
                found.failed.insert(subject, reason);
            }
        }
    }

    fn note_grown(&self, found: &mut Found, arm: Option<Arm>, answer: &Answer) {
        for (labels, points) in &answer.series {
            let Some((_, value)) = points.last() else { continue };
            match self.subject(labels, arm) {
                Ok(subject) => self.put(found, subject, labels, arm, *value, None),
                Err(reason) => {
                    found.foreign.get_or_insert(reason);
                }
            }
        }
    }

    fn note_values(&self, found: &mut Found, arm: Option<Arm>, answer: &Answer) {
        let mut by_subject: BTreeMap<Subject, Vec<(&Labels, f64)>> = BTreeMap::new();
        for (labels, points) in &answer.series {
            let Some((_, value)) = points.last() else { continue };
            match self.subject(labels, arm) {
                Ok(subject) => by_subject.entry(subject).or_default().push((labels, *value)),
                Err(reason) => {
                    found.foreign.get_or_insert(reason);
                }
            }
        }
        for (subject, values) in by_subject {
            if let [(labels, value)] = values.as_slice() {
                self.put(found, subject, labels, arm, *value, None);
            } else {
                let shown: Vec<String> = values.iter().take(2).map(|(labels, _)| braces(labels)).collect();
                let reason = format!(
                    "{} series where one was expected: {}, …; add them up, or take one",
                    values.len(),
                    shown.join(", ")
                );
                found.failed.insert(subject, reason);
            }
        }
    }

    fn put(
        &self,
        found: &mut Found,
        subject: Subject,
        labels: &Labels,
        arm: Option<Arm>,
        value: f64,
        at: Option<Timestamp>,
    ) {
        let is_bucket = matches!(self.role, Role::Histogram(_));
        let identity = format!("{}\u{1f}{}", arm.map_or("", Arm::word), identity(labels, is_bucket));
        let bound = if is_bucket {
            let bound = labels.get("le").and_then(|le| le.parse::<f64>().ok()).filter(|le| !le.is_nan());
            let Some(bound) = bound else {
                found.foreign.get_or_insert(format!("{} has no bound in its label `le`", braces(labels)));
                return;
            };
            Some(bound)
        } else {
            None
        };
        let one = found.series.entry(identity).or_insert(One { at, ..One::new(subject, value) });
        one.at = one.at.min(at);
        if let Some(bound) = bound {
            one.buckets.push((bound, value));
        }
    }

    fn subject(&self, labels: &Labels, arm: Option<Arm>) -> Result<Subject, String> {
        if let Some(arm) = arm {
            return Ok(Subject::Arm(arm));
        }
        let label = self.arms.as_ref().and_then(|arms| arms.label.as_ref());
        let value = label.and_then(|label| labels.get(label)).map(String::as_str);
        subject(self.arms.as_ref(), &braces(labels), value)
    }
}

fn fail(found: &mut Found, arm: Option<Arm>, reason: &str) {
    match arm {
        Some(arm) => {
            found.failed.insert(Subject::Arm(arm), reason.to_owned());
        }
        None => found.fault = Some(reason.to_owned()),
    }
}

fn with_window(query: &str, window: Option<Duration>) -> Option<String> {
    if !placeholder::has(query, placeholder::WINDOW) {
        return Some(query.to_owned());
    }
    let window = format!("{}ms", window?.as_millis());
    Some(placeholder::fill(query, |name| {
        (name == placeholder::WINDOW).then_some(Cow::Borrowed(window.as_str()))
    }))
}

fn timestamp(selector: &str) -> String {
    format!("timestamp({selector})")
}

/// The labels as one text, without the name, which functions take away.
fn identity(labels: &Labels, buckets: bool) -> String {
    let mut out = String::new();
    for (label, value) in labels {
        if label == "__name__" || value.is_empty() || buckets && label == "le" {
            continue;
        }
        // The length keeps values apart that contain separators themselves.
        let _ = write!(out, "{label}={}:{value}\u{1f}", value.len());
    }
    out
}

/// A series as PromQL shows it.
fn braces(labels: &Labels) -> String {
    let name = labels.get("__name__").map_or("", String::as_str);
    let rest: Vec<String> = labels
        .iter()
        .filter(|(label, _)| *label != "__name__")
        .map(|(label, value)| format!("{label}={value:?}"))
        .collect();
    if rest.is_empty() && !name.is_empty() {
        name.to_owned()
    } else {
        format!("{name}{{{}}}", rest.join(","))
    }
}
