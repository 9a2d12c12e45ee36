//! The nouns of the product as plain data: what a service, a release, a finding, an operation, an event *is*.
//!
//! Nothing here does I/O, reads a clock or decides anything. Everything else may import this module; it imports
//! nothing of ours. The parts that appear in `unship.toml` carry their JSON Schema, so the file's checker, the
//! editors' schema and the engine read one definition.

pub mod alarm;
pub mod baseline;
pub mod breaker;
pub mod channel;
pub mod checklist;
pub mod command;
pub mod database;
pub mod decision;
pub mod delivery;
pub mod deploy;
pub mod escalation;
pub mod event;
pub mod fault;
pub mod incident;
pub mod joint;
pub mod judge;
pub mod names;
pub mod notification;
pub mod operation;
pub mod output;
pub mod placeholder;
pub mod platform;
pub mod pointer;
pub mod probe;
pub mod reading;
pub mod received;
pub mod release;
pub mod retry;
pub mod secret;
pub mod series;
pub mod source;
pub mod trigger;
pub mod units;
pub mod validation;

pub use names::{
    AlarmId, ChannelName, CheckName, CommandId, ContactName, DatabaseName, DecisionId, FindingId,
    IdempotencyKey, IncidentId, IndicatorName, ItemId, JointId, LoadName, NotificationId, OperationId,
    PolicyName, ProbeName, ReleaseRef, RunId, RunbookName, ScheduleName, ServiceName, SourceName, SuiteName,
    TriggerName, Version,
};
pub use units::{Quantity, Span, Unit};
