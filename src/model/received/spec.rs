//! How `unship.toml` speaks of received alarms, and of the listener that they come in by.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::incident::Level;
use crate::model::secret::SecretRef;
use crate::model::{ServiceName, Span};

/// The guard's HTTP listener.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApiSpec {
    /// Where to listen, like `127.0.0.1:9094`; with port 0 the system chooses one. Any other than a loopback address needs a
    /// `token`.
    pub listen: String,
    /// What callers have to show, as `Authorization: Bearer …`. Only `/health/live` and `/health/ready` need none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<SecretRef>,
    /// Requests that are answered at once; beyond that callers are told to come again (503).
    #[serde(default = "requests")]
    #[schemars(range(min = 1, max = 1024))]
    pub requests: u16,
}

const fn requests() -> u16 {
    32
}

/// What follows when an alarm fires.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnFiring {
    /// An incident is suspected, which a person declares or calls a false alarm.
    #[default]
    Suspect,
    /// An incident is declared, and people are told.
    Declare,
    /// It is noted in the incident that is open on its service; where none is, nothing follows.
    Note,
}

/// What received alarms mean here.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AlarmsSpec {
    /// What follows when one fires.
    pub on_firing: OnFiring,
    /// The labels that name the service, the first that does counts.
    pub service_labels: Vec<String>,
    /// The service of a label's value, where that is not the service's own name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub services: BTreeMap<String, ServiceName>,
    /// The severity that a value of the label `severity` suggests. `critical`, `error`, `warning` and `info` suggest 1 to 4
    /// unless they are here.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub severity: BTreeMap<String, Level>,
    /// The severity of an alarm whose labels suggest none.
    pub unlabelled: Level,
    /// The alarm that always fires, to show that alarms arrive. Once it was heard of, its absence is told. Empty: none.
    pub watchdog: String,
    /// How long it may be absent.
    pub watchdog_within: Span,
    /// The Alertmanager to ask which alarms there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alertmanager: Option<AlertmanagerSpec>,
}

impl Default for AlarmsSpec {
    fn default() -> Self {
        Self {
            on_firing: OnFiring::default(),
            service_labels: ["service", "job", "namespace"].map(str::to_owned).to_vec(),
            services: BTreeMap::new(),
            severity: BTreeMap::new(),
            unlabelled: Level::Sev3,
            watchdog: "Watchdog".to_owned(),
            watchdog_within: Span::secs(300),
            alertmanager: None,
        }
    }
}

impl AlarmsSpec {
    /// The severity that a value of the label `severity` suggests.
    pub fn level(&self, word: &str) -> Option<Level> {
        self.severity.get(word).copied().or(match word.to_ascii_lowercase().as_str() {
            "critical" => Some(Level::Sev1),
            "error" => Some(Level::Sev2),
            "warning" => Some(Level::Sev3),
            "info" => Some(Level::Sev4),
            _ => None,
        })
    }

    /// Whether an alarm of this name is the one that always fires.
    pub fn is_watchdog(&self, name: &str) -> bool {
        !self.watchdog.is_empty() && self.watchdog == name
    }
}

/// An Alertmanager, with all its peers.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AlertmanagerSpec {
    /// The address of every peer, as of their web pages: `http://127.0.0.1:9093`. An alarm is over when none of them has it.
    pub urls: Vec<String>,
    /// Headers whose values are secrets, like `Authorization`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secret_headers: BTreeMap<String, SecretRef>,
    /// How often they are asked.
    #[serde(default = "interval")]
    pub interval: Span,
    /// How long an answer may take.
    #[serde(default = "timeout")]
    pub timeout: Span,
}

const fn interval() -> Span {
    Span::secs(30)
}

const fn timeout() -> Span {
    Span::secs(10)
}
