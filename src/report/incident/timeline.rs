//! The timeline of an incident: what people did always stands alone, what only happened is collapsed where much of it comes in a row.

use jiff::Timestamp;
use serde::Serialize;

use super::scope::actor;
use crate::engine::account;
use crate::engine::state::State;
use crate::model::checklist::ChecklistChange;
use crate::model::command::Actor;
use crate::model::escalation::EscalationChange;
use crate::model::event::Event;
use crate::report::Entry;

/// Rows of machines in a row from which on they are collapsed.
const COLLAPSED_FROM: usize = 3;

/// What a row weighs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Weight {
    /// A machine says how things are.
    Machine,
    /// A turn of the incident: it stands alone.
    Turn,
    /// A person did it: it is pinned.
    Person,
}

/// A row of the timeline.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Row {
    /// When.
    pub at: Timestamp,
    /// The entry; of collapsed ones the first.
    pub seq: u64,
    /// Who; `unship` for the engine, empty for what only happened.
    pub actor: String,
    /// What happened, in words.
    pub words: String,
    /// What it weighs.
    pub weight: Weight,
    /// Rows that were collapsed into this one; none for a row of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub collapsed: Option<Collapsed>,
    #[serde(skip)]
    pub(super) kind: String,
}

/// Rows in one.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Collapsed {
    /// How many.
    pub rows: usize,
    /// The last entry.
    pub last_seq: u64,
    /// When the last one happened.
    pub last_at: Timestamp,
}

/// The row of an event; none for bookkeeping, and for what another event says again. `state` is the state after it.
pub(super) fn row(entry: &Entry<'_>, event: &Event, state: &State) -> Option<Row> {
    let has_canary = |service: &_| state.service(service).is_some_and(|known| known.canary().is_some());
    if account::is_repetition(event, has_canary) || matches!(event, Event::CommandAccepted { .. }) {
        // What a command led to says it.
        return None;
    }
    let told = account::tell(event, state)?;
    let by = actor(event);
    Some(Row {
        at: entry.at,
        seq: entry.seq,
        actor: by.map_or_else(String::new, ToString::to_string),
        words: told.sentence(),
        weight: weight(event, by),
        collapsed: None,
        kind: event.kind().replace('_', " "),
    })
}

fn weight(event: &Event, by: Option<&Actor>) -> Weight {
    if matches!(by, Some(Actor::Person { .. })) {
        return Weight::Person;
    }
    let turns = match event {
        Event::IncidentOpened { .. }
        | Event::IncidentJoined { .. }
        | Event::IncidentLevelSet { .. }
        | Event::IncidentResolved { .. }
        | Event::IncidentChanged { .. }
        | Event::OperationPlanned { .. }
        | Event::TrafficBack { .. }
        | Event::DecisionNeeded { .. }
        | Event::StepFailed { .. }
        | Event::StepUnknown { .. }
        | Event::OperationEnded { .. }
        | Event::NotificationFailed { .. } => true,
        Event::DecisionMade { decision } => decision.recommendation.acts(),
        Event::EscalationChanged { change, .. } => !matches!(change, EscalationChange::Reminded { .. }),
        Event::ChecklistChanged { change, .. } => matches!(
            change,
            ChecklistChange::Regressed { .. }
                | ChecklistChange::WindowOverrun { .. }
                | ChecklistChange::Outcome { .. }
        ),
        _ => false,
    };
    if turns { Weight::Turn } else { Weight::Machine }
}

/// Rows of machines that follow each other as one, told by what they are.
pub(super) fn collapse(rows: Vec<Row>) -> Vec<Row> {
    let mut out: Vec<Row> = Vec::new();
    let mut waiting: Vec<Row> = Vec::new();
    for row in rows {
        if row.weight == Weight::Machine {
            waiting.push(row);
        } else {
            flush(&mut waiting, &mut out);
            out.push(row);
        }
    }
    flush(&mut waiting, &mut out);
    out
}

fn flush(waiting: &mut Vec<Row>, out: &mut Vec<Row>) {
    let rows = std::mem::take(waiting);
    let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return };
    if rows.len() < COLLAPSED_FROM {
        out.extend(rows);
        return;
    }
    let mut kinds: Vec<(&str, usize)> = Vec::new();
    for row in &rows {
        match kinds.iter_mut().find(|(kind, _)| *kind == row.kind) {
            Some((_, count)) => *count += 1,
            None => kinds.push((&row.kind, 1)),
        }
    }
    let kinds: Vec<String> = kinds.iter().map(|(kind, count)| format!("{count} × {kind}")).collect();
    let collapsed = Collapsed { rows: rows.len(), last_seq: last.seq, last_at: last.at };
    out.push(Row {
        at: first.at,
        seq: first.seq,
        actor: String::new(),
        words: format!("{}; last: {}", kinds.join(", "), last.words),
        weight: Weight::Machine,
        collapsed: Some(collapsed),
        kind: String::new(),
    });
}
