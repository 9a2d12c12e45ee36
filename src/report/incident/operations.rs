//! The record of the operations that belong to an incident.

use jiff::Timestamp;
use serde::Serialize;

use crate::model::operation::{Operation, OperationStatus, Outcome, PlanKind};
use crate::model::{OperationId, ServiceName, Version};
use crate::report::Millis;

/// An operation.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct OperationRecord {
    /// Its id.
    pub id: OperationId,
    /// What it was.
    pub kind: PlanKind,
    /// The service.
    pub service: ServiceName,
    /// The version that was left.
    pub from: Version,
    /// The version that got the traffic.
    pub to: Version,
    /// How.
    pub strategy: &'static str,
    /// What it was for, in words.
    pub purpose: String,
    /// Who asked.
    pub by: String,
    /// Why.
    pub reason: String,
    /// When it was planned.
    pub at: Timestamp,
    /// The entry that planned it.
    pub seq: u64,
    /// When all traffic was where it was to go.
    pub traffic_back_at: Option<Timestamp>,
    /// How it ended.
    pub end: Option<OperationEnd>,
    /// What was agreed to when it was begun from a checklist, digested.
    pub digest: Option<String>,
}

/// How an operation ended.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct OperationEnd {
    /// How.
    pub outcome: Outcome,
    /// In words.
    pub detail: String,
    /// When.
    pub at: Timestamp,
    /// The entry.
    pub seq: u64,
}

impl OperationRecord {
    /// An operation as the state knows it. `by` is who asked, as the record names them.
    pub(super) fn of(operation: &Operation, by: String, seq: u64, ended_seq: Option<u64>) -> Self {
        let plan = &operation.plan;
        let end = match &operation.status {
            OperationStatus::Ended { outcome, detail, at } => Some(OperationEnd {
                outcome: *outcome,
                detail: detail.clone(),
                at: *at,
                seq: ended_seq.unwrap_or(seq),
            }),
            _ => None,
        };
        Self {
            id: operation.id.clone(),
            kind: plan.kind,
            service: plan.service.clone(),
            from: plan.from.version.clone(),
            to: plan.to.version.clone(),
            strategy: plan.how(),
            purpose: plan.purpose.clone(),
            by,
            reason: operation.reason.clone(),
            at: operation.at,
            seq,
            traffic_back_at: operation.traffic_back_at,
            end,
            digest: None,
        }
    }

    /// How long until all traffic was where it was to go; none while it is not.
    pub fn until_traffic(&self) -> Option<Millis> {
        Some(Millis::between(self.at, self.traffic_back_at?))
    }

    /// How it ended, in words.
    pub fn words(&self) -> String {
        match &self.end {
            Some(end) => format!("{}: {}", end.outcome.words(), end.detail),
            None => "goes on".to_owned(),
        }
    }
}
