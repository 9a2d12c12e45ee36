//! From the series that a source shows to samples, whatever the source: [`readings`] keeps what was shown last, [`growth`]
//! says what counters grew by. How a source is asked, and how it writes its series, is its own file's.
//!
//! # How counters become samples
//!
//! - A sample is what a counter grew by since the last reading that succeeded; after readings that failed it spans all of
//!   the gap.
//! - A counter that is smaller than before has been reset: what it shows has happened since.
//! - On the first reading there is nothing to compare with, so there are no samples of counters, and nothing is missing.
//! - A series that was not there at the reading before is new and counts in full, as far as the source's [`Habits`] say so.
//! - A series that vanishes is not reported; its value is remembered for a while, so that one that was only left out for a
//!   moment does not count its whole life again.
//!
//! A value that is infinite or not a number is missing, for its subject; it is never zero.

mod growth;
mod readings;

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::model::release::Arm;
use crate::model::source::{ArmLabel, Subject};

pub(super) use readings::{Readings, Role, Slot};

/// The series that one question found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// By identity: whatever tells one series from another, but a bucket's bound.
    pub(super) series: BTreeMap<String, One>,
    /// A series that was found and speaks for nobody, and why.
    pub(super) foreign: Option<String>,
    /// Why nothing was found, where there is more to say than that nothing matches.
    pub(super) fault: Option<String>,
    /// How to say that nothing is there, if not as "no series matches".
    pub(super) absent: Option<String>,
    /// Why a subject has no value.
    pub(super) failed: BTreeMap<Subject, String>,
    /// It was not asked this time, so that nothing is missing.
    pub(super) is_held: bool,
}

/// One series.
#[derive(Debug)]
pub(super) struct One {
    /// Whom it speaks for.
    pub(super) subject: Subject,
    /// The value; for a histogram nothing.
    pub(super) value: f64,
    /// For a histogram: bounds and cumulative counts, in the order they are written.
    pub(super) buckets: Vec<(f64, f64)>,
    /// When it was measured, where the source knows; otherwise at the reading.
    pub(super) at: Option<Timestamp>,
}

impl One {
    /// A value that was measured at the reading.
    pub(super) const fn new(subject: Subject, value: f64) -> Self {
        Self { subject, value, buckets: Vec::new(), at: None }
    }
}

/// How a source treats series that come and go.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Habits {
    /// How many readings a series that has vanished is remembered for.
    pub(super) remembered: u32,
    /// A series that is new counts in full only while another series of its indicator has stayed. Without that, it may be
    /// the source that had lost sight of everything, and what it shows now was counted long ago: it is counted from then on.
    pub(super) careful: bool,
}

/// The arm or the version that a label's value stands for. `name` is the series, for the words.
pub(super) fn subject(arms: Option<&ArmLabel>, name: &str, value: Option<&str>) -> Result<Subject, String> {
    let Some((arms, label)) = arms.and_then(|arms| Some((arms, arms.label.as_deref()?))) else {
        return Ok(Subject::Whole);
    };
    let Some(value) = value.filter(|value| !value.is_empty()) else {
        return Err(format!("`{name}` has no label `{label}`"));
    };
    if arms.by_version {
        Ok(Subject::Version(value.into()))
    } else if value == arms.stable {
        Ok(Subject::Arm(Arm::Stable))
    } else if value == arms.canary {
        Ok(Subject::Arm(Arm::Canary))
    } else {
        Err(format!(
            "the label `{label}` of `{name}` is `{value}`, neither `{}` nor `{}`",
            arms.stable, arms.canary
        ))
    }
}
