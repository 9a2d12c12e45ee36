//! The shape of `unship.toml`. The JSON Schema for editors and the checker's messages are made from these types.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::channel::{ChannelSpec, HeartbeatSpec, NotifySpec};
use crate::model::database::DatabaseSpec;
use crate::model::deploy::DeploySpec;
use crate::model::escalation::{ContactSpec, EscalationSpec, PolicySpec, ScheduleSpec};
use crate::model::incident::Level;
use crate::model::judge::JudgeSpec;
use crate::model::platform::{PlatformSpec, ServiceLog};
use crate::model::probe::ProbeSpec;
use crate::model::received::spec::{AlarmsSpec, ApiSpec};
use crate::model::source::{IndicatorSpec, SourceSpec};
use crate::model::trigger::TriggerSpec;
use crate::model::validation::{CheckSpec, LoadSpec, SmokeSpec};
use crate::model::{
    ChannelName, CheckName, ContactName, DatabaseName, IndicatorName, LoadName, PolicyName, ProbeName,
    RunbookName, ScheduleName, ServiceName, SourceName, Span, SuiteName, TriggerName,
};

/// One environment.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "unship.toml")]
pub struct Config {
    /// What this environment is.
    pub environment: EnvironmentSpec,
    /// Where the journal is kept.
    #[serde(default)]
    pub store: StoreSpec,
    /// What may forbid an action.
    #[serde(default)]
    pub guardrails: GuardrailSpec,
    /// How findings become a decision, and how a rollback is carried out and verified.
    #[serde(default)]
    pub rollback: RollbackSpec,
    /// Where indicators come from.
    #[serde(default)]
    pub sources: BTreeMap<SourceName, SourceSpec>,
    /// What is watched.
    pub services: BTreeMap<ServiceName, ServiceSpec>,
    /// What counts as wrong.
    #[serde(default)]
    pub triggers: BTreeMap<TriggerName, TriggerSpec>,
    /// How canaries are compared with stable, beside the triggers. Without this section they are not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judge: Option<JudgeSpec>,
    /// Whom to tell.
    #[serde(default)]
    pub channels: BTreeMap<ChannelName, ChannelSpec>,
    /// Who can be reached, and how.
    #[serde(default)]
    pub contacts: BTreeMap<ContactName, ContactSpec>,
    /// Who is on call when.
    #[serde(default)]
    pub schedules: BTreeMap<ScheduleName, ScheduleSpec>,
    /// Who is told that nobody has answered, in which order.
    #[serde(default)]
    pub policy: BTreeMap<PolicyName, PolicySpec>,
    /// Which policy there is for which incident.
    #[serde(default)]
    pub escalation: EscalationSpec,
    /// The runbooks that are worked through in incidents. `emergency` is built in.
    #[serde(default)]
    pub runbooks: BTreeMap<RunbookName, RunbookSpec>,
    /// Texts of messages in place of those that are built in: `rollback-started`, `performance-degraded`, `update`, `resolved`,
    /// `escalation`, `approval`.
    #[serde(default)]
    pub templates: BTreeMap<String, TemplateSpec>,
    /// How checklists run.
    #[serde(default)]
    pub checklists: ChecklistsSpec,
    /// How releases are brought in.
    #[serde(default)]
    pub deploy: DeploySpec,
    /// What has to be true before a deployment.
    #[serde(default)]
    pub checks: BTreeMap<CheckName, CheckSpec>,
    /// Requests that show whether a release works for users.
    #[serde(default)]
    pub smoke: BTreeMap<SuiteName, SmokeSpec>,
    /// The databases of services.
    #[serde(default)]
    pub databases: BTreeMap<DatabaseName, DatabaseSpec>,
    /// Load runs.
    #[serde(default)]
    pub load: BTreeMap<LoadName, LoadSpec>,
    /// What concerns all channels.
    #[serde(default)]
    pub notify: NotifySpec,
    /// Who hears again and again that a guard leads, and tells people when it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heartbeat: Option<HeartbeatSpec>,
    /// Where the guard listens: for alarms, health checks and metrics. Without this section it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api: Option<ApiSpec>,
    /// What received alarms mean here.
    #[serde(default)]
    pub alarms: AlarmsSpec,
    /// Who may act. When there are any, only they may; without any, everyone who can run the program may.
    #[serde(default)]
    pub operators: BTreeMap<String, OperatorSpec>,
    /// What the console looks like.
    #[serde(default)]
    pub console: ConsoleSpec,
}

impl Config {
    /// How releases of a service are brought in: as its own `deploy` says, else as that of all.
    pub fn deploy_of(&self, service: &ServiceName) -> &DeploySpec {
        self.services.get(service).and_then(|spec| spec.deploy.as_ref()).unwrap_or(&self.deploy)
    }
}

/// The environment itself.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EnvironmentSpec {
    /// Its name, as people say it: `production`.
    pub name: String,
    /// Look, decide and tell, but never change anything, whoever asks.
    #[serde(default)]
    pub read_only: bool,
    /// Whether the guard rolls back by itself. A person can turn it off and on while it runs.
    #[serde(default = "yes")]
    pub automatic: bool,
}

const fn yes() -> bool {
    true
}

/// The journal.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct StoreSpec {
    /// The file, relative to the config file.
    pub path: String,
    /// How long samples are kept. Events are kept for ever.
    pub retention: Span,
    /// How long a leader that says nothing keeps the lead.
    pub lease: Span,
}

impl Default for StoreSpec {
    fn default() -> Self {
        Self { path: "unship.db".to_owned(), retention: Span::secs(7 * 86_400), lease: Span::secs(10) }
    }
}

/// What may forbid an action.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GuardrailSpec {
    /// Least time between two rollbacks of a service.
    pub cooldown: Span,
    /// Most rollbacks of a service until a person resets the count.
    pub maximum: u32,
    /// Data older than this are not acted on.
    pub stale_after: Span,
    /// Times in which nothing is rolled back without a person.
    pub freeze: Vec<FreezeSpec>,
}

impl Default for GuardrailSpec {
    fn default() -> Self {
        Self { cooldown: Span::secs(300), maximum: 3, stale_after: Span::secs(60), freeze: Vec::new() }
    }
}

/// A planned freeze.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FreezeSpec {
    /// First instant, as `2026-11-27T18:00:00Z`.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub from: Timestamp,
    /// Last instant.
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub to: Timestamp,
    /// Why, for the person who runs into it.
    pub reason: String,
}

/// Deciding, rolling back, verifying.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RollbackSpec {
    /// How many findings that ask only to watch add up to a gradual rollback; 0: never.
    pub findings: u32,
    /// How long a release has to serve stable's traffic and be healthy before it counts as good.
    pub good_after: Span,
    /// For a gradual rollback: percent of the traffic given back first.
    #[schemars(range(min = 1, max = 99))]
    pub first_percent: u8,
    /// For a gradual rollback: how long the first part is watched.
    pub watch: Span,
    /// How long the release has to be healthy, without a break, to be called verified.
    pub verify_hold: Span,
    /// After this the verification is given up.
    pub verify_deadline: Span,
    /// Time for one change on the platform, from the call to the moment it shows.
    pub step_timeout: Span,
    /// How often a change that failed in passing is tried again.
    pub retries: u32,
    /// How often the platform is asked for releases and traffic.
    pub read_every: Span,
}

impl Default for RollbackSpec {
    fn default() -> Self {
        Self {
            findings: 3,
            good_after: Span::secs(60),
            first_percent: 50,
            watch: Span::secs(120),
            verify_hold: Span::secs(30),
            verify_deadline: Span::secs(300),
            step_timeout: Span::secs(300),
            retries: 4,
            read_every: Span::secs(10),
        }
    }
}

/// A service.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServiceSpec {
    /// Where it runs.
    pub platform: PlatformSpec,
    /// How much depends on it.
    #[serde(default)]
    pub criticality: Criticality,
    /// Services it cannot work without.
    #[serde(default)]
    pub depends_on: Vec<ServiceName>,
    /// Where its dashboard is, for those who are told about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dashboard: Option<String>,
    /// Where its log is; without it the platform is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<ServiceLog>,
    /// How its releases are brought in, where that differs from `[deploy]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deploy: Option<DeploySpec>,
    /// How many instances may run, for triggers whose action is `scale_out`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scaling: Option<ScalingSpec>,
    /// Its health checks.
    #[serde(default)]
    pub probes: BTreeMap<ProbeName, ProbeSpec>,
    /// Its series.
    #[serde(default)]
    pub indicators: BTreeMap<IndicatorName, IndicatorSpec>,
}

/// How many instances of a service may run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScalingSpec {
    /// Never more than these by themselves.
    #[schemars(range(min = 1))]
    pub most: u32,
    /// How many more each time, in percent of those that run, rounded up. The next time comes after the cooldown.
    #[serde(default = "half_as_many")]
    #[schemars(range(min = 1, max = 1_000))]
    pub add_percent: u32,
}

const fn half_as_many() -> u32 {
    50
}

/// How much depends on a service.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Criticality {
    /// Can wait until morning.
    Low,
    /// Users notice.
    #[default]
    Normal,
    /// The business stops.
    Critical,
}

/// A runbook, and the incidents it is for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunbookSpec {
    /// The Markdown file, relative to the config file. Bindings to what is sensed may lie beside it, as `NAME.bind.toml`.
    pub file: String,
    /// Only for incidents of one of these services; none named: of any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<ServiceName>,
    /// Only for incidents of one of these severities; none named: of any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub severities: Vec<Level>,
    /// Whether it is attached by itself to the incidents that it is for. A person can always attach it.
    #[serde(default = "yes")]
    pub attach: bool,
}

/// The text of a message.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TemplateSpec {
    /// The file, relative to the config file. `unship template check` tells what may be in it.
    pub file: String,
}

/// How checklists run.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ChecklistsSpec {
    /// What the waits and holds of runbooks are multiplied by, for rehearsals: 0.01 to 1. In production it is 1.
    #[schemars(range(min = 0.01, max = 1.0))]
    pub pace: f64,
}

impl Default for ChecklistsSpec {
    fn default() -> Self {
        Self { pace: 1.0 }
    }
}

impl ChecklistsSpec {
    /// The pace in percent.
    pub fn pace_percent(&self) -> u16 {
        (self.pace.clamp(0.01, 1.0) * 100.0).round() as u16
    }
}

/// The look of the console.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ConsoleSpec {
    /// The colour theme: `dark`, `light`, `colour-blind`, `high-contrast`, `mono`, or one of your own.
    pub theme: String,
    /// What symbols and charts are made of.
    pub glyphs: GlyphSet,
    /// Keys of commands, instead of those that they have: `roll-back = ["B"]`. An empty list takes them away.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub keys: BTreeMap<String, Vec<String>>,
}

impl Default for ConsoleSpec {
    fn default() -> Self {
        Self {
            theme: super::themes::THEMES[0].to_owned(),
            glyphs: GlyphSet::default(),
            keys: BTreeMap::new(),
        }
    }
}

/// What symbols and charts are made of.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GlyphSet {
    /// Lines, blocks and signs; charts of braille.
    #[default]
    Unicode,
    /// The same, for fonts without braille: charts of half blocks.
    Blocks,
    /// ASCII alone.
    Ascii,
}

/// A person.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OperatorSpec {
    /// What they may do.
    #[serde(default)]
    pub role: Role,
    /// How to reach them, for people to read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<String>,
}

/// What a person may do.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything.
    #[default]
    Operator,
    /// Look.
    Observer,
}
