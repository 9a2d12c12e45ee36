//! Scenarios: the services of a fleet, and what happens to them when.
//!
//! A scenario is a TOML file. The built-in ones are beside this file; any other is read from disk. Every mistake is
//! reported with its line before anything starts.

mod file;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

pub(super) use file::check_version;

use super::faults::Fault;
use crate::model::Span;

macro_rules! builtin {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("scenarios/", $name, ".toml")))),*]
    };
}

/// The built-in scenarios, the default first.
const BUILTIN: [(&str, &str); 13] = builtin![
    "bad-canary",
    "bad-release",
    "slow-canary",
    "hang",
    "crash",
    "memory-leak",
    "flapping",
    "dependency-down",
    "both-bad",
    "no-traffic",
    "healthy",
    "forward",
    "forward-bad",
];

/// A checked scenario.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// What it is called.
    pub name: String,
    /// What happens, in one line.
    pub doc: String,
    /// How long the timeline is, with the time that its end needs to show.
    pub duration: Duration,
    /// How a guard that works well ends it.
    pub expect: Expect,
    /// How long a deployment takes.
    pub settle: Duration,
    /// The services, in the order of the file.
    pub services: Vec<Arc<ServiceSpec>>,
    /// What happens, in order of time.
    pub timeline: Vec<Event>,
}

/// How a scenario ends under a guard that works well.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Expect {
    /// The bad release was taken back.
    RolledBack,
    /// Something is wrong that a rollback would not mend: nothing is changed, people are told.
    Held,
    /// There is not enough evidence to say.
    Unknown,
    /// Nothing is wrong, nothing is done.
    Quiet,
    /// A release waits, is asked for, and is brought in.
    Deployed,
    /// A release waits, is asked for, fails on its way in, and goes back.
    TakenBack,
}

impl Expect {
    /// The word in the file.
    pub const fn word(self) -> &'static str {
        match self {
            Self::RolledBack => "rolled-back",
            Self::Held => "held",
            Self::Unknown => "unknown",
            Self::Quiet => "quiet",
            Self::Deployed => "deployed",
            Self::TakenBack => "taken-back",
        }
    }
}

/// A service of a scenario.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceSpec {
    /// Its name: small letters, digits and hyphens.
    pub name: String,
    /// Requests a second that the load generator sends.
    #[serde(default = "two_hundred")]
    pub rps: f64,
    /// Mean time that a healthy backend takes for a request.
    #[serde(default = "eight_ms")]
    pub latency: Span,
    /// The share of requests that fail even on a healthy release, 0 to 1.
    #[serde(default)]
    pub errors: f64,
    /// What its health document names.
    #[serde(default = "postgres")]
    pub dependencies: Vec<String>,
    /// Memory that a backend may use.
    #[serde(default = "half_a_gib")]
    pub memory_limit_mb: u32,
    /// How much depends on it: `low`, `normal` or `critical`.
    #[serde(default)]
    pub criticality: Criticality,
    /// Services it cannot work without.
    #[serde(default)]
    pub depends_on: Vec<String>,
    /// Its releases, newest first; the first one serves.
    #[serde(rename = "release")]
    pub releases: Vec<ReleaseSpec>,
}

const fn two_hundred() -> f64 {
    200.0
}

const fn eight_ms() -> Span {
    Span::millis(8)
}

fn postgres() -> Vec<String> {
    vec!["postgres".to_owned()]
}

const fn half_a_gib() -> u32 {
    512
}

/// How much depends on a service.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Criticality {
    /// Can wait.
    Low,
    /// Users notice.
    #[default]
    Normal,
    /// The business stops.
    Critical,
}

impl Criticality {
    /// The word in the config.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Normal => "normal",
            Self::Critical => "critical",
        }
    }
}

/// A release that exists from the start.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReleaseSpec {
    /// Its version.
    pub version: String,
    /// How long ago it was made.
    #[serde(default = "a_day")]
    pub age: Span,
    /// Who made it.
    #[serde(default)]
    pub author: Option<String>,
    /// The database schema it needs.
    #[serde(default)]
    pub schema: Option<u64>,
    /// Whether it is up from the start, without traffic; the first one always is.
    #[serde(default)]
    pub running: bool,
}

const fn a_day() -> Span {
    Span::secs(86_400)
}

/// Something that happens.
#[derive(Clone, PartialEq, Debug)]
pub struct Event {
    /// When, from the start.
    pub at: Duration,
    /// To which service.
    pub service: String,
    /// What.
    pub action: Action,
}

/// What happens.
#[derive(Clone, PartialEq, Debug)]
pub enum Action {
    /// A new release is made, brought up, and given traffic; the rest stays with the release that is stable then.
    Deploy {
        /// Its version.
        version: String,
        /// Percent of the traffic.
        percent: u8,
        /// Who made it.
        author: Option<String>,
        /// The database schema it needs.
        schema: Option<u64>,
    },
    /// Weights are set by hand.
    Traffic(BTreeMap<String, u8>),
    /// A fault begins.
    Fault {
        /// On this version; on every one without it.
        version: Option<String>,
        /// What is wrong.
        fault: Fault,
    },
    /// Faults end.
    Clear {
        /// Of this version; all of them without it.
        version: Option<String>,
    },
}

/// Why a scenario cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// There is neither a built-in scenario nor a file of this name.
    #[error(
        "there is no scenario `{name}`; the built-in ones are {}; anything else has to be a file",
        list()
    )]
    Unknown {
        /// What was asked for.
        name: String,
    },
    /// The file cannot be read.
    #[error("cannot read the scenario `{file}`: {source}")]
    Read {
        /// The file.
        file: String,
        /// Why.
        source: std::io::Error,
    },
    /// Something in it is wrong.
    #[error("`{file}` line {line}: {message}")]
    Invalid {
        /// The file.
        file: String,
        /// The line, from 1.
        line: usize,
        /// What.
        message: String,
    },
}

fn list() -> String {
    BUILTIN.map(|(name, _)| name).join(", ")
}

impl Scenario {
    /// The names and lines of the built-in scenarios, the default first.
    pub fn builtin() -> Vec<Self> {
        BUILTIN.iter().filter_map(|(name, text)| Self::parse(&format!("{name}.toml"), text).ok()).collect()
    }

    /// A built-in scenario by its name, otherwise a file.
    pub fn find(name: &str) -> Result<Self, ScenarioError> {
        if let Some((_, text)) = BUILTIN.iter().find(|(builtin, _)| *builtin == name) {
            return Self::parse(&format!("{name}.toml"), text);
        }
        let path = Path::new(name);
        match std::fs::read_to_string(path) {
            Ok(text) => Self::parse(name, &text),
            // A bare word is more likely a misspelt scenario than a missing file.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && path.extension().is_none() => {
                Err(ScenarioError::Unknown { name: name.to_owned() })
            }
            Err(source) => Err(ScenarioError::Read { file: name.to_owned(), source }),
        }
    }

    /// Reads and checks a scenario. `file` is the name in error messages.
    pub fn parse(file: &str, text: &str) -> Result<Self, ScenarioError> {
        file::parse(file, text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every scenario that is built in can be used, and is called what its file is called.
    #[test]
    fn the_built_in_scenarios_are_right() {
        for (name, text) in BUILTIN {
            let scenario = Scenario::parse(name, text).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(scenario.name, name);
            assert!(!scenario.doc.is_empty() && scenario.duration >= Duration::from_secs(10), "{name}");
        }
        assert_eq!(Scenario::builtin().len(), BUILTIN.len());
    }

    /// A misspelt name is answered with the names there are; a missing file is a missing file.
    #[test]
    fn an_unknown_scenario_names_the_known_ones() {
        let error = Scenario::find("bad-canry").unwrap_err().to_string();
        assert!(error.contains("bad-canary, bad-release"), "{error}");
        let error = Scenario::find("nowhere/mine.toml").unwrap_err().to_string();
        assert!(error.contains("cannot read the scenario `nowhere/mine.toml`"), "{error}");
    }
}
