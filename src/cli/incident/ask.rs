//! What people ask about an incident beyond the first steps, as typed.

use jiff::Timestamp;

use crate::model::Span;
use crate::model::escalation::IncidentRole;
use crate::model::incident::IncidentAsk;

/// What is asked, as typed.
#[derive(clap::Subcommand, Clone, Debug)]
pub(super) enum What {
    /// Say that what was suspected is an incident.
    Declare {
        /// The incident. Without it: the one that is open.
        id: Option<String>,
    },
    /// Say that it was none.
    FalseAlarm {
        /// The incident. Without it: the one that is open.
        id: Option<String>,
        /// Why, for the others and for the record.
        #[arg(long)]
        reason: String,
    },
    /// Let another incident go on with it: its services and operations become part of that one.
    Merge {
        /// The incident that ends.
        id: String,
        /// The incident that goes on.
        #[arg(long, value_name = "ID")]
        into: String,
        /// Why, for the others and for the record.
        #[arg(long)]
        reason: String,
    },
    /// Say that it is not over after all, within a day.
    Reopen {
        /// The incident.
        id: String,
        /// Why, for the others and for the record.
        #[arg(long)]
        reason: String,
    },
    /// Say that nothing is left to do about it: it is resolved, and the post-mortem is written.
    Close {
        /// The incident.
        id: String,
        /// What was done after it was resolved.
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Take a role, give it to somebody, or offer it to somebody who takes it.
    Role {
        /// commander, deputy, scribe, liaison or operator.
        role: IncidentRole,
        /// The incident. Without it: the one that is open.
        id: Option<String>,
        /// Whom it is given to. Without it: to you.
        #[arg(long, value_name = "NAME", conflicts_with = "offer")]
        give: Option<String>,
        /// Whom it is offered to; they take it within 5 minutes, or it stays where it is.
        #[arg(long, value_name = "NAME")]
        offer: Option<String>,
    },
    /// Make a service part of it.
    Add {
        /// The service.
        service: String,
        /// The incident. Without it: the one that is open.
        id: Option<String>,
    },
    /// Make an operation part of it.
    Link {
        /// The operation, like `op-3`.
        operation: String,
        /// The incident. Without it: the one that is open.
        id: Option<String>,
    },
    /// Say when its impact began.
    Onset {
        /// When, like `2026-11-27T18:00:00Z`.
        at: Timestamp,
        /// The incident. Without it: the one that is open.
        id: Option<String>,
        /// How that is known.
        #[arg(long)]
        reason: String,
    },
    /// Tell the next level of the escalation now, or a certain one.
    Escalate {
        /// The incident. Without it: the one that is open.
        id: Option<String>,
        /// The level, from 1. Without it: the next.
        #[arg(long)]
        level: Option<usize>,
        /// The policy. Without it: the one that runs, else the one for the incident's severity.
        #[arg(long)]
        policy: Option<String>,
        /// Why, for those who are told and for the record.
        #[arg(long)]
        reason: String,
    },
    /// Let nobody be told for a while, 24 h at most.
    Snooze {
        /// How long, like `30m`.
        time: Span,
        /// The incident. Without it: the one that is open.
        id: Option<String>,
        /// Why, for the others and for the record.
        #[arg(long)]
        reason: String,
    },
    /// Let nobody be told any more.
    StopEscalation {
        /// The incident. Without it: the one that is open.
        id: Option<String>,
        /// Why, for the others and for the record.
        #[arg(long)]
        reason: String,
    },
}

impl What {
    /// The incident that is named, and what is asked.
    pub(super) fn into_ask(self, now: Timestamp) -> (Option<String>, IncidentAsk) {
        match self {
            Self::Declare { id } => (id, IncidentAsk::Declare),
            Self::FalseAlarm { id, reason } => (id, IncidentAsk::FalseAlarm { reason }),
            Self::Merge { id, into, reason } => (Some(id), IncidentAsk::Merge { into: into.into(), reason }),
            Self::Reopen { id, reason } => (Some(id), IncidentAsk::Reopen { reason }),
            Self::Close { id, reason } => (Some(id), IncidentAsk::Close { reason }),
            Self::Role { role, id, give, offer } => match offer {
                Some(to) => (id, IncidentAsk::Offer { role, to }),
                None => (id, IncidentAsk::Take { role, who: give }),
            },
            Self::Add { service, id } => (id, IncidentAsk::AddService { service: service.into() }),
            Self::Link { operation, id } => (id, IncidentAsk::Link { operation: operation.into() }),
            Self::Onset { at, id, reason } => (id, IncidentAsk::Onset { at, reason }),
            Self::Escalate { id, level, policy, reason } => {
                (id, IncidentAsk::Escalate { level, policy: policy.map(Into::into), reason })
            }
            Self::Snooze { time, id, reason } => {
                let until = now.checked_add(*time).unwrap_or(Timestamp::MAX);
                (id, IncidentAsk::Snooze { until, reason })
            }
            Self::StopEscalation { id, reason } => (id, IncidentAsk::StopEscalation { reason }),
        }
    }
}
