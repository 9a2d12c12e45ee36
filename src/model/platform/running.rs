//! What a platform says of a service besides its releases: its instances, what they write, and what may be done there.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::ReleaseRef;
use crate::model::secret::Secret;

/// One running copy of a service: a pod, a container, a task, a machine.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Instance {
    /// What the platform calls it.
    pub name: String,
    /// The release that it runs, where the platform tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<ReleaseRef>,
    /// Its state in the platform's own word.
    pub state: String,
    /// Whether it may get traffic.
    pub ready: bool,
    /// How often it was started again, where the platform counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restarts: Option<u32>,
    /// Processor time that it uses, in cores.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_cores: Option<f64>,
    /// Memory that it uses, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// Since when it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
}

/// An environment variable of what serves.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Variable {
    /// The container that has it, where there are several.
    pub container: Option<String>,
    /// Its name.
    pub name: String,
    /// What it is set to.
    pub value: VariableValue,
}

/// What a variable is set to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum VariableValue {
    /// This.
    Plain(Secret),
    /// Whatever is there when it starts: `secret shop, key password`.
    From(String),
}

/// Where a service writes, if its platform cannot tell or not well enough: one of `file` and `command`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServiceLog {
    /// The file, followed also when it is moved away or cut off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The program that prints it, with its arguments, without a shell: `["journalctl", "-u", "web", "-n", "{tail}", "-f"]`.
    /// `{tail}` is replaced by the number of lines to begin with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<Vec<String>>,
}

/// Which lines of a service's log are wanted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogQuery {
    /// How many of the last lines to begin with, of each instance where the platform keeps them apart.
    pub tail: u32,
    /// Only lines from here on.
    pub since: Option<Timestamp>,
    /// Whether to go on with what comes.
    pub follow: bool,
    /// Only instances of this release, where the platform can tell them apart.
    pub release: Option<ReleaseRef>,
}

/// A line that a service wrote.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LogLine {
    /// When, where the platform says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// The instance that wrote it; empty where the platform does not say.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub instance: String,
    /// The line, without its end. Text from outside: it may hold anything.
    pub text: String,
}

/// One thing that was tried, or asked for, to see whether unship can work with a platform.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Check {
    /// What: `list the deployments`, `permission to patch deployments`.
    pub what: String,
    /// How it went.
    #[serde(flatten)]
    pub outcome: CheckOutcome,
}

/// How a check of a platform went.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "outcome", content = "detail", rename_all = "snake_case")]
pub enum CheckOutcome {
    /// It works; with what was seen.
    Passed(String),
    /// It works, but something there will bite in an incident.
    Warning(String),
    /// It does not work; with what to do about it.
    Failed(String),
    /// The platform offers no way to find out without changing something; with what is needed there.
    Unknown(String),
}
