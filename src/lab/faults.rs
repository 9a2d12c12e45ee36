//! What can be wrong with a version, and since when.

use std::sync::Arc;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::model::Span;

/// A way in which a version can be bad.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// A share of the work requests, 0 to 1, is answered with status 500.
    Errors {
        /// The share.
        rate: f64,
    },
    /// Every work request takes this much longer.
    Latency {
        /// How much.
        extra: Span,
    },
    /// Requests of every kind are taken and never answered.
    Hang,
    /// The process is gone: its port refuses, its connections break.
    Crash,
    /// Memory grows, up to 99 % of the limit.
    MemoryLeak {
        /// Share of the limit that is lost each second.
        per_second: f64,
    },
    /// The health document says unhealthy and healthy by turns, unhealthy first.
    FlappingHealth {
        /// Length of one turn of both.
        period: Span,
    },
    /// A dependency does not answer: the health document says so, and the requests that need it fail. With `n`
    /// dependencies every `n`th request needs this one.
    DependencyDown {
        /// The dependency.
        name: String,
    },
    /// The router counts the version's weight but sends it nothing.
    NoTraffic,
}

impl Fault {
    /// What is wrong with the figures, if anything.
    pub(super) fn check(&self) -> Result<(), String> {
        match self {
            Self::Errors { rate } if !(0.0..=1.0).contains(rate) => {
                Err(format!("an error rate is between 0 and 1, not {rate}"))
            }
            Self::MemoryLeak { per_second } if !(0.0..=1.0).contains(per_second) => {
                Err(format!("a leak is between 0 and 1 of the limit each second, not {per_second}"))
            }
            Self::FlappingHealth { period } if period.as_millis() < 2 => {
                Err(format!("`{period}` is too short a period; it needs at least 2ms"))
            }
            _ => Ok(()),
        }
    }

    /// Whether the other one takes this one's place on the same version.
    pub(super) fn is_same_kind(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::DependencyDown { name }, Self::DependencyDown { name: other }) => name == other,
            _ => std::mem::discriminant(self) == std::mem::discriminant(other),
        }
    }

    /// In words, for the list of events.
    pub fn words(&self) -> String {
        match self {
            Self::Errors { rate } => format!("{:.0} % errors", rate * 100.0),
            Self::Latency { extra } => format!("{extra} slower"),
            Self::Hang => "hangs".to_owned(),
            Self::Crash => "crashes".to_owned(),
            Self::MemoryLeak { per_second } => {
                format!("leaks {:.0} % of its memory a second", per_second * 100.0)
            }
            Self::FlappingHealth { period } => format!("health flaps every {period}"),
            Self::DependencyDown { name } => format!("loses its dependency {name}"),
            Self::NoTraffic => "gets no traffic in spite of its weight".to_owned(),
        }
    }
}

/// A fault in force.
#[derive(Clone, Debug)]
pub(super) struct Active {
    /// The version it is about; every version without one.
    pub(super) version: Option<String>,
    /// What is wrong.
    pub(super) fault: Fault,
    /// Since when.
    pub(super) since: Instant,
}

impl Active {
    /// Whether it is about this version.
    pub(super) fn hits(&self, version: &str) -> bool {
        self.version.as_deref().is_none_or(|hit| hit == version)
    }
}

/// The faults of one version, as its backend sees them.
#[derive(Clone, Debug, Default)]
pub(super) struct Faults(Arc<[Active]>);

impl Faults {
    /// Those of `all` that are about this version.
    pub(super) fn of(version: &str, all: &[Active]) -> Self {
        Self(all.iter().filter(|active| active.hits(version)).cloned().collect())
    }

    /// Each with the time it began.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Fault, Instant)> {
        self.0.iter().map(|active| (&active.fault, active.since))
    }

    /// Whether one of them is this.
    pub(super) fn any(&self, which: impl Fn(&Fault) -> bool) -> bool {
        self.iter().any(|(fault, _)| which(fault))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A fault without a version is a fault of every version; one with a version is nobody else's.
    #[test]
    fn a_fault_hits_whom_it_names() {
        let all = [
            Active { version: None, fault: Fault::Hang, since: Instant::now() },
            Active { version: Some("2".into()), fault: Fault::Crash, since: Instant::now() },
        ];
        assert!(Faults::of("1", &all).any(|fault| *fault == Fault::Hang));
        assert!(!Faults::of("1", &all).any(|fault| *fault == Fault::Crash));
        assert!(Faults::of("2", &all).any(|fault| *fault == Fault::Crash));
    }

    /// A figure that makes no sense is refused before it does anything.
    #[test]
    fn odd_figures_are_refused() {
        assert!(Fault::Errors { rate: 1.2 }.check().is_err());
        assert!(Fault::Errors { rate: f64::NAN }.check().is_err());
        assert!(Fault::MemoryLeak { per_second: -0.1 }.check().is_err());
        assert!(Fault::FlappingHealth { period: Span::millis(0) }.check().is_err());
        assert!(Fault::Errors { rate: 0.3 }.check().is_ok());
    }
}
