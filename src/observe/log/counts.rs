//! What lines are counted for. Pure.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::Value;

use crate::model::release::Arm;
use crate::model::source::lines::{LineSeries, number_of, text_of};
use crate::model::source::{ArmLabel, LatencyUnit, Subject};
use crate::model::{ServiceName, placeholder};
use crate::observe::durations::Durations;
use crate::observe::series::{Found, One, Role};

use super::lines::Line;

/// Versions that are told apart at most; a log that names another with every line is not one of versions.
const VERSIONS: usize = 32;

/// What is looked for.
#[derive(Clone, Debug)]
pub(super) struct Counts {
    wanted: Vec<Wanted>,
    arms: Option<ArmLabel>,
    /// Who was heard of, where lines name versions.
    heard: BTreeSet<Subject>,
}

#[derive(Clone, Debug)]
struct Wanted {
    series: LineSeries,
    role: Role,
    shown: String,
    /// A value was seen once, so that one that does not come again is only not new.
    has_been: bool,
}

/// What lines gave.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    lines: u64,
    not_json: u64,
    too_long: u64,
    /// Why the first line that was not JSON is not.
    why: Option<String>,
    /// Lines that speak for nobody, and why the first does.
    foreign: u64,
    foreign_why: Option<String>,
    slots: Vec<BTreeMap<Subject, Counted>>,
    heard: BTreeSet<Subject>,
}

/// What lines gave for one series and subject.
#[derive(Clone, Debug, Default)]
struct Counted {
    lines: f64,
    durations: Durations,
    value: Option<f64>,
    /// Why a line has no value.
    unusable: Option<String>,
}

impl Counts {
    pub(super) const fn new(arms: Option<ArmLabel>) -> Self {
        Self { wanted: Vec::new(), arms, heard: BTreeSet::new() }
    }

    /// Adds a series: its place, how it is shown, and whether it shows what has grown.
    pub(super) fn add(
        &mut self,
        service: &ServiceName,
        role: Role,
        text: &str,
    ) -> Result<(usize, String, bool), String> {
        let shown = placeholder::fill(text.trim(), |name| {
            (name == placeholder::SERVICE).then(|| Cow::Borrowed(service.as_str()))
        });
        let series = match role {
            Role::Counter => LineSeries::count(&shown),
            Role::Value | Role::Histogram(_) => LineSeries::number(&shown),
        };
        let series = series.map_err(|fault| format!("`{shown}` cannot be looked for in a line: {fault}"))?;
        self.wanted.push(Wanted { series, role, shown: shown.clone(), has_been: false });
        Ok((self.wanted.len() - 1, shown, role != Role::Value))
    }

    /// Nothing yet.
    pub(super) fn tally(&self) -> Tally {
        Tally { slots: vec![BTreeMap::new(); self.wanted.len()], ..Tally::default() }
    }

    /// Counts a line.
    pub(super) fn take(&self, tally: &mut Tally, line: Line<'_>) {
        tally.lines += 1;
        let Line::Whole(line) = line else {
            tally.too_long += 1;
            return;
        };
        let line: Value = match serde_json::from_slice(line) {
            Ok(line) => line,
            Err(error) => {
                tally.not_json += 1;
                // The words of the library hold nothing of the line, which may hold anything.
                tally.why.get_or_insert_with(|| error.to_string());
                return;
            }
        };
        let subject = match self.subject(&line) {
            Ok(subject) => subject,
            Err(reason) => {
                tally.foreign += 1;
                tally.foreign_why.get_or_insert(reason);
                return;
            }
        };
        if matches!(subject, Subject::Version(_)) && !tally.heard.contains(&subject) {
            if tally.heard.len() >= VERSIONS {
                tally.foreign += 1;
                tally.foreign_why.get_or_insert(format!("they name more than {VERSIONS} versions"));
                return;
            }
            tally.heard.insert(subject.clone());
        }
        for (wanted, slot) in self.wanted.iter().zip(&mut tally.slots) {
            if wanted.series.matches(&line) {
                wanted.count(slot.entry(subject.clone()).or_default(), &line);
            }
        }
    }

    fn subject(&self, line: &Value) -> Result<Subject, String> {
        let Some((arms, pointer)) = self.arms.as_ref().and_then(|arms| Some((arms, arms.label.as_deref()?)))
        else {
            return Ok(Subject::Whole);
        };
        let value = line.pointer(pointer).and_then(text_of);
        let value = value.filter(|value| !value.is_empty());
        let value = value.ok_or_else(|| format!("they have nothing at `{pointer}`"))?;
        if arms.by_version {
            Ok(Subject::Version(value.as_ref().into()))
        } else if value == arms.stable {
            Ok(Subject::Arm(Arm::Stable))
        } else if value == arms.canary {
            Ok(Subject::Arm(Arm::Canary))
        } else {
            Err(format!("`{pointer}` is neither `{}` nor `{}`", arms.stable, arms.canary))
        }
    }

    /// What the lines of one reading show.
    pub(super) fn found(&mut self, tally: Tally, at: Timestamp) -> Vec<Found> {
        // Versions that this reading names are known from now on; past the limit those that it does not name are forgotten.
        self.heard.extend(tally.heard.iter().cloned());
        if self.heard.len() > VERSIONS {
            self.heard = tally.heard;
        }
        let subjects: Vec<Subject> = match &self.arms {
            Some(ArmLabel { label: Some(_), by_version: true, .. }) => self.heard.iter().cloned().collect(),
            Some(ArmLabel { label: Some(_), .. }) => {
                vec![Subject::Arm(Arm::Stable), Subject::Arm(Arm::Canary)]
            }
            _ => vec![Subject::Whole],
        };
        let slots = self.wanted.iter_mut().zip(tally.slots);
        slots.map(|(wanted, slot)| wanted.find(slot, &subjects, at)).collect()
    }
}

impl Wanted {
    fn count(&self, counted: &mut Counted, line: &Value) {
        counted.lines += 1.0;
        let Some(pointer) = &self.series.number else { return };
        let value = line.pointer(pointer);
        let Some(number) = value.and_then(number_of) else {
            let what = match value {
                None => "is not in a line",
                Some(Value::Null) => "is null in a line",
                Some(_) => "is no number in a line",
            };
            counted.unusable.get_or_insert_with(|| format!("`{pointer}` {what}"));
            return;
        };
        match self.role {
            Role::Histogram(LatencyUnit::Seconds) => counted.durations.push(number * 1_000.0),
            Role::Histogram(LatencyUnit::Milliseconds) => counted.durations.push(number),
            Role::Counter | Role::Value => {}
        }
        counted.value = Some(number);
    }

    fn find(&mut self, mut slot: BTreeMap<Subject, Counted>, subjects: &[Subject], at: Timestamp) -> Found {
        let is_value = self.role == Role::Value;
        let mut found = Found::default();
        for subject in subjects {
            let counted = slot.remove(subject).unwrap_or_default();
            if let (None, Some(reason)) = (counted.value, counted.unusable) {
                found.failed.insert(subject.clone(), reason);
                continue;
            }
            self.has_been |= counted.value.is_some();
            let number = if is_value {
                // Of a value that no line had there is nothing new, which is not the same as nothing.
                let Some(value) = counted.value else { continue };
                value
            } else {
                counted.lines
            };
            let mut one = One::new(subject.clone(), number);
            if let Role::Histogram(unit) = self.role {
                one.buckets = counted.durations.cumulative(unit);
            }
            if is_value {
                one.at = Some(at);
            }
            found.series.insert(format!("{subject:?}"), one);
        }
        if subjects.is_empty() {
            found.absent = Some("no line has told a version yet".to_owned());
        } else if is_value {
            found.is_held = self.has_been;
            found.absent = Some(format!("no line has told `{}` yet", self.shown));
        }
        found
    }
}

impl Tally {
    /// What is to be said of the lines.
    pub(super) fn remarks(&self) -> Vec<String> {
        let of = self.lines;
        let mut remarks = Vec::new();
        if self.not_json > 0 {
            let why = self.why.as_deref().unwrap_or_default();
            remarks.push(format!("{} of {of} lines are not JSON, the first: {why}", self.not_json));
        }
        if self.too_long > 0 {
            remarks.push(format!("{} of {of} lines are longer than `max_line`", self.too_long));
        }
        if let Some(why) = &self.foreign_why {
            remarks.push(format!("{} of {of} lines speak for no arm: {why}", self.foreign));
        }
        remarks
    }
}
