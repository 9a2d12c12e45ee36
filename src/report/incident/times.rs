//! The instants of an incident and the intervals between them.
//!
//! An interval is never made up: where an instant is missing it says which one, where the incident is open it is known to be
//! longer than until now, and where the second instant came first it is negative and shown so.

use jiff::Timestamp;
use serde::Serialize;

use crate::report::Millis;

/// An instant, with where it is known from.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Instant {
    /// When.
    pub at: Timestamp,
    /// The entry that says so.
    pub seq: u64,
    /// Where it is known from, in words.
    pub source: String,
}

impl Instant {
    pub(crate) const fn new(at: Timestamp, seq: u64, source: String) -> Self {
        Self { at, seq, source }
    }
}

/// The instants of an incident.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Instants {
    /// Its impact began: the first limit that was crossed, or what a person said.
    pub onset: Option<Instant>,
    /// It was noticed: the first finding or alarm, or a person's report.
    pub detect: Option<Instant>,
    /// The first page was accepted by its channel; where no policy pages, the first message that tells of it.
    pub notify: Option<Instant>,
    /// A person acknowledged it.
    pub ack: Option<Instant>,
    /// It was declared.
    pub declare: Option<Instant>,
    /// A person first did something beyond acknowledging it.
    pub engage: Option<Instant>,
    /// Its impact was over.
    pub mitigate: Option<Instant>,
    /// A person said that it is over; the last time, if it was opened again.
    pub resolve: Option<Instant>,
    /// Nothing was left to do.
    pub close: Option<Instant>,
}

impl Instants {
    /// All, with the word for each, in the order in which they are to be expected.
    pub fn all(&self) -> [(&'static str, &Option<Instant>); 9] {
        [
            ("onset", &self.onset),
            ("detect", &self.detect),
            ("notify", &self.notify),
            ("ack", &self.ack),
            ("declare", &self.declare),
            ("engage", &self.engage),
            ("mitigate", &self.mitigate),
            ("resolve", &self.resolve),
            ("close", &self.close),
        ]
    }

    pub(crate) fn sources_mut(&mut self) -> impl Iterator<Item = &mut String> {
        let all = [
            &mut self.onset,
            &mut self.detect,
            &mut self.notify,
            &mut self.ack,
            &mut self.declare,
            &mut self.engage,
            &mut self.mitigate,
            &mut self.resolve,
            &mut self.close,
        ];
        all.into_iter().flatten().map(|instant| &mut instant.source)
    }
}

/// The time between two instants.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum Interval {
    /// Known; negative where the second instant came first.
    Known {
        /// How long.
        ms: Millis,
    },
    /// The incident is open and the second instant is still to come.
    Open {
        /// It is at least this long.
        more_than_ms: Millis,
    },
    /// It cannot be told.
    Incomplete {
        /// The instants that are not known.
        missing: Vec<&'static str>,
    },
}

impl Interval {
    /// `4 m 12 s`, `-40 s`, `> 3 h 12 m`, `not known: no onset`.
    pub fn words(&self) -> String {
        match self {
            Self::Known { ms } => ms.to_string(),
            Self::Open { more_than_ms } => format!("> {more_than_ms}"),
            Self::Incomplete { missing } => format!("not known: no {}", missing.join(", no ")),
        }
    }

    /// How long, if that is known.
    pub const fn known(&self) -> Option<Millis> {
        match self {
            Self::Known { ms } => Some(*ms),
            _ => None,
        }
    }
}

/// Which interval.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Metric {
    /// From the onset until it was noticed.
    Ttd,
    /// From noticed until people were told.
    Ttn,
    /// From told until somebody acknowledged.
    Tta,
    /// From acknowledged until somebody did something.
    Tte,
    /// From the onset until its impact was over.
    Ttm,
    /// From the onset until it was resolved.
    Ttr,
}

impl Metric {
    /// All, in their order.
    pub const ALL: [Self; 6] = [Self::Ttd, Self::Ttn, Self::Tta, Self::Tte, Self::Ttm, Self::Ttr];

    /// The letters.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ttd => "TTD",
            Self::Ttn => "TTN",
            Self::Tta => "TTA",
            Self::Tte => "TTE",
            Self::Ttm => "TTM",
            Self::Ttr => "TTR",
        }
    }

    /// From which instant to which.
    pub const fn ends(self) -> (&'static str, &'static str) {
        match self {
            Self::Ttd => ("onset", "detect"),
            Self::Ttn => ("detect", "notify"),
            Self::Tta => ("notify", "ack"),
            Self::Tte => ("ack", "engage"),
            Self::Ttm => ("onset", "mitigate"),
            Self::Ttr => ("onset", "resolve"),
        }
    }

    /// What it is, for people.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Ttd => "time to detect",
            Self::Ttn => "time to notify",
            Self::Tta => "time to acknowledge",
            Self::Tte => "time to engage",
            Self::Ttm => "time to mitigate",
            Self::Ttr => "time to resolve",
        }
    }

    /// The interval between these instants. `is_open`: nobody has said that the incident is over.
    pub fn of(self, instants: &Instants, is_open: bool, now: Timestamp) -> Interval {
        let (from, to) = self.ends();
        let get = |word: &str| {
            instants
                .all()
                .into_iter()
                .find(|(name, _)| *name == word)
                .and_then(|(_, instant)| instant.as_ref())
        };
        match (get(from), get(to)) {
            (Some(start), Some(end)) => Interval::Known { ms: Millis::between(start.at, end.at) },
            (Some(start), None) if is_open => {
                Interval::Open { more_than_ms: Millis::between(start.at, now).at_least_zero() }
            }
            (Some(_), None) => Interval::Incomplete { missing: vec![to] },
            (None, Some(_)) => Interval::Incomplete { missing: vec![from] },
            (None, None) => Interval::Incomplete { missing: vec![from, to] },
        }
    }
}

/// An interval by its name.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Measured {
    /// Which.
    pub metric: Metric,
    /// How long.
    #[serde(flatten)]
    pub interval: Interval,
}

/// All intervals of an incident.
pub(crate) fn measured(instants: &Instants, is_open: bool, now: Timestamp) -> Vec<Measured> {
    let of = |metric: Metric| Measured { metric, interval: metric.of(instants, is_open, now) };
    Metric::ALL.into_iter().map(of).collect()
}
