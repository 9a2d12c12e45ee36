//! How long each step of a drill took, against its time.

use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;

use super::player::Player;
use crate::cli::Exit;
use crate::cli::output::table;
use crate::model::operation::{OperationStatus, Outcome};
use crate::model::units::human;

/// How a drill went.
#[derive(Serialize)]
pub(super) struct Account {
    incident: Option<String>,
    operations: Vec<OperationAccount>,
    sections: Vec<SectionAccount>,
}

#[derive(Serialize)]
struct OperationAccount {
    id: String,
    purpose: String,
    outcome: String,
    verified: bool,
    took_ms: Option<u64>,
    steps: Vec<StepAccount>,
}

#[derive(Serialize)]
struct StepAccount {
    title: String,
    took_ms: Option<u64>,
    limit_ms: u64,
}

#[derive(Serialize)]
struct SectionAccount {
    title: String,
    until_ms: Option<u64>,
    late: bool,
    items: Vec<ItemAccount>,
}

#[derive(Serialize)]
struct ItemAccount {
    item: String,
    title: String,
    /// Since the incident was declared.
    after_ms: Option<u64>,
    open: bool,
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn shown(ms: Option<u64>) -> String {
    ms.map_or_else(|| "-".to_owned(), |ms| human(Duration::from_millis(ms / 10 * 10)))
}

impl Account {
    pub(super) fn of(player: &Player) -> Self {
        let incident = player.incident.as_ref().and_then(|id| player.state.incident(id));
        let operations = player
            .operations()
            .map(|operation| {
                let (outcome, verified, took_ms) = match &operation.status {
                    OperationStatus::Ended { outcome, at, .. } => (
                        outcome.words().to_owned(),
                        *outcome == Outcome::Verified,
                        Some(ms(at.duration_since(operation.at).unsigned_abs())),
                    ),
                    _ => ("not ended".to_owned(), false, None),
                };
                let steps = operation.plan.steps.iter().enumerate().map(|(index, step)| {
                    let times = player.steps.get(&(operation.id.to_string(), index));
                    let took =
                        times.and_then(|(from, to)| Some(to.as_ref()?.duration_since(*from).unsigned_abs()));
                    StepAccount {
                        title: step.title.clone(),
                        took_ms: took.map(ms),
                        limit_ms: ms(*step.timeout),
                    }
                });
                OperationAccount {
                    id: operation.id.to_string(),
                    purpose: operation.plan.purpose.clone(),
                    outcome,
                    verified,
                    took_ms,
                    steps: steps.collect(),
                }
            })
            .collect();
        let sections = player.checklist.iter().flat_map(|list| &list.phases).map(|phase| SectionAccount {
            title: phase.title.clone(),
            until_ms: phase.until.map(ms),
            late: phase.overdue,
            items: phase
                .items
                .iter()
                .filter(|item| item.counts)
                .map(|item| ItemAccount {
                    item: item.key.clone(),
                    title: item.title.clone(),
                    after_ms: incident.zip(player.settled.get(&item.key)).map(|(incident, at)| {
                        let passed = at.duration_since(incident.opened_at);
                        if passed.is_negative() { 0 } else { ms(passed.unsigned_abs()) }
                    }),
                    open: !item.is_settled(),
                })
                .collect(),
        });
        Self {
            incident: incident.map(|incident| incident.id.to_string()),
            operations,
            sections: sections.collect(),
        }
    }

    /// As a table.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for operation in &self.operations {
            let _ = writeln!(
                text,
                "{} {}: {}, {}",
                operation.id,
                operation.purpose,
                operation.outcome,
                shown(operation.took_ms)
            );
            let mut rows = vec![["  step", "took", "limit"].map(str::to_owned).to_vec()];
            rows.extend(operation.steps.iter().map(|step| {
                vec![format!("  {}", step.title), shown(step.took_ms), shown(Some(step.limit_ms))]
            }));
            text.push_str(&table(&rows));
        }
        if self.operations.is_empty() {
            text.push_str("nothing was rolled back\n");
        }
        for section in &self.sections {
            let window =
                section.until_ms.map_or_else(String::new, |until| format!(", by {}", shown(Some(until))));
            let late = if section.late { ", LATE" } else { "" };
            let _ = writeln!(text, "{}{window}{late}", section.title);
            let rows: Vec<_> = section
                .items
                .iter()
                .map(|item| {
                    let when =
                        if item.open { "open".to_owned() } else { format!("after {}", shown(item.after_ms)) };
                    vec![format!("  {}", item.item), when, item.title.clone()]
                })
                .collect();
            text.push_str(&table(&rows));
        }
        text
    }

    /// How that ends.
    pub(super) fn exit(&self) -> Exit {
        if self.operations.iter().any(|operation| !operation.verified) {
            return Exit::Failed;
        }
        let is_open =
            self.sections.iter().any(|section| section.late || section.items.iter().any(|item| item.open));
        if is_open || self.operations.is_empty() { Exit::Unhealthy } else { Exit::Fine }
    }
}
