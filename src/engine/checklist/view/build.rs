//! How far an incident is in its checklists, made of its runs, of what is known and of what is seen.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::run::{ItemRun, Run, Standing};
use super::super::sight::{self, Sight};
use super::super::windows::{self, Times};
use super::super::{Fact, actions, elapsed, facts, gate};
use super::{Acts, Checklist, Choice, Deed, Head, Item, ItemKind, ItemState, Phase, Progress, clock};
use crate::engine::incidents::{asks_for_rollback, whole};
use crate::model::ItemId;
use crate::model::command::Actor;
use crate::model::units::human;
use crate::runbook::{Item as Line, Kind, Offer, RecordKind};

/// How far an incident is in its checklists, as `sight` has it.
pub(in crate::engine::checklist) fn checklist(sight: &Sight<'_>) -> Checklist {
    let runs = sight.state.runs_of(&sight.incident.id);
    let mut phases = Vec::new();
    let mut heads = Vec::new();
    for run in &runs {
        let first = phases.len();
        phases.extend(sections(run, sight, runs.len() > 1));
        let mut progress = Progress::default();
        let items = phases[first..].iter().flat_map(|phase: &Phase| &phase.items);
        items.filter(|item| item.counts).for_each(|item| progress.add(item));
        let title = run.book().title.clone().unwrap_or_else(|| run.runbook.to_string());
        heads.push(Head {
            id: run.id.clone(),
            title,
            sha256: run.sha256.clone(),
            progress,
            removed: run.removed.clone(),
        });
    }
    name(&mut phases, &runs);
    let mut current = None;
    let next = phases.iter().enumerate().find_map(|(place, phase)| {
        let is_next = |item: &usize| {
            let it = &phase.items[*item];
            it.counts && it.is_open() && it.gate.is_none() && !waits_for_others(&phase.items[*item..])
        };
        (0..phase.items.len()).find(is_next).map(|item| (place, item))
    });
    if let Some((phase, item)) = next {
        let item = &mut phases[phase].items[item];
        if item.state == ItemState::Open {
            item.state = ItemState::Current;
        }
        current = Some(ItemId::from(item.key.as_str()));
    }
    Checklist {
        incident: sight.incident.id.clone(),
        runs: heads,
        phases,
        current,
        clock: clock(sight.incident, sight.now),
    }
}

/// Whether the first of these is settled when those below it are, and one of them is not. A decision comes before what lies
/// on its ways.
fn waits_for_others(items: &[Item]) -> bool {
    let Some((first, rest)) = items.split_first() else { return false };
    let mut below = rest.iter().take_while(|item| item.depth > first.depth);
    !matches!(first.kind, ItemKind::Decision { .. }) && below.any(|item| item.counts && !item.is_settled())
}

/// Names that several runs have are told apart.
fn name(phases: &mut [Phase], runs: &[&Run]) {
    if runs.len() < 2 {
        return;
    }
    let is_in_another = |item: &Item| {
        runs.iter().any(|run| run.id != item.run && run.book().item(item.id.as_str()).is_some())
    };
    for item in phases.iter_mut().flat_map(|phase| &mut phase.items) {
        if is_in_another(item) {
            let runbook = item.run.as_str().split_once('/').map_or(item.run.as_str(), |(_, runbook)| runbook);
            item.key = format!("{runbook}:{}", item.id);
        }
    }
}

fn sections(run: &Run, sight: &Sight<'_>, several: bool) -> Vec<Phase> {
    let book = run.book();
    let mut phases = Vec::new();
    for (index, section) in book.sections.iter().enumerate() {
        let mut lines: Vec<usize> =
            (0..book.items.len()).filter(|item| book.items[*item].section == index).collect();
        // What is done from memory is shown first; what lies in another line stays with that.
        lines.sort_by_key(|line| {
            let item = &book.items[*line];
            !(item.memory && item.parent.is_none() && item.children.is_empty())
        });
        if lines.is_empty() {
            continue;
        }
        let items: Vec<Item> = lines.iter().map(|line| item(run, *line, sight)).collect();
        let Times { anchor, from, until } = windows::times(run, sight.incident, index);
        let passed = anchor.map(|anchor| elapsed(anchor, sight.now));
        let is_over = matches!((passed, until), (Some(passed), Some(until)) if passed > until);
        let passed_before = windows::passed_before(run, sight.incident, index);
        let is_open = items.iter().any(|item| item.counts && !item.is_settled());
        let title = if several && book.sections.len() > 1 {
            format!("{}: {}", run.runbook, section.title)
        } else {
            section.title.clone()
        };
        phases.push(Phase {
            run: run.id.clone(),
            section: section.id.clone(),
            title,
            from,
            until,
            anchor: section.anchor,
            elapsed: passed,
            overdue: is_over && is_open && !passed_before,
            passed_before,
            // What is done from memory waits for nothing, and says nothing of the others.
            gate: lines.iter().find(|line| !book.items[**line].memory).and_then(|line| gate::of(run, *line)),
            notes: section.notes.clone(),
            items,
        });
    }
    phases
}

fn item(run: &Run, index: usize, sight: &Sight<'_>) -> Item {
    let line = &run.book().items[index];
    let nothing = ItemRun::default();
    let it = run.items.get(&line.id).unwrap_or(&nothing);
    let mut depth = 0;
    let mut above = line.parent;
    while let Some(parent) = above {
        depth += 1;
        above = run.book().items[parent].parent;
    }
    let fact = fact(run, line, it, sight);
    Item {
        id: line.id.clone(),
        run: run.id.clone(),
        key: line.id.to_string(),
        title: title(line, sight),
        depth,
        counts: line.countable,
        critical: line.critical,
        kind: kind(run, line, sight),
        state: state(run, line, it, sight),
        fact,
        note: it.words.clone(),
        notes: it.notes.clone(),
        role: line.role.clone(),
        claimed: it.claim.as_ref().filter(|(_, until)| *until > sight.now).map(|(by, _)| by.clone()),
        changes: it.changes,
        unsensed: it.unsensed,
        gate: gate::of(run, index),
        commands: line
            .commands
            .iter()
            .filter(|command| !matches!(command.offered, Offer::Never))
            .cloned()
            .collect(),
        prose: line.notes.clone(),
        action: acts(run, line, sight, false),
        undo: acts(run, line, sight, true).filter(|_| it.standing == Standing::Failed),
        acknowledged: it.regression.as_ref().is_some_and(|regression| regression.acknowledged),
        defer: line.defer.clone(),
        older: it.older.clone().filter(|_| !it.standing.is_settled()),
        asked: it.asked.clone().filter(|asked| asked.until > sight.now),
        memory: line.memory,
        by_two: line.cross_check || line.approve > 1,
    }
}

fn acts(run: &Run, line: &Line, sight: &Sight<'_>, back: bool) -> Option<Acts> {
    let (action, params) = line.kind.deed(back)?;
    let (with, lacks) = match actions::resolved(run, params, sight) {
        Ok(with) => (with, None),
        Err(why) => (BTreeMap::new(), Some(why)),
    };
    let verified = !back && matches!(line.kind, Kind::Action { verify: Some(_), .. });
    Some(Acts { action: action.to_owned(), with, lacks, verified })
}

/// What is to be done, with what is known of it: `roll checkout back to 2.8.0`.
fn title(line: &Line, sight: &Sight<'_>) -> String {
    let names_its_service =
        matches!(&line.kind, Kind::Action { params, .. } if params.contains_key("service"));
    if is_action(line, "rollback")
        && !names_its_service
        && let Some(service) = sight.to_roll_back()
    {
        let known = sight.state.service(&service);
        let decision = known.and_then(|known| asks_for_rollback(sight.state, known));
        let to = decision.and_then(|decision| decision.to.as_ref());
        let to = to.map_or_else(String::new, |to| format!(" to {}", to.version));
        return format!("{} ({service}{to})", line.text);
    }
    line.text.clone()
}

fn is_action(line: &Line, name: &str) -> bool {
    matches!(&line.kind, Kind::Action { action, .. } if action == name)
}

fn kind(run: &Run, line: &Line, sight: &Sight<'_>) -> ItemKind {
    match &line.kind {
        Kind::Manual | Kind::Cadence { .. } => ItemKind::Manual,
        Kind::Sensed { auto, .. } => ItemKind::Sensed { auto: *auto },
        Kind::Action { action, params, .. } => ItemKind::Does {
            deed: match action.as_str() {
                "acknowledge" => Deed::Acknowledge { incident: sight.incident.id.clone() },
                "rollback" => Deed::RollBack {
                    service: actions::service(run, params, sight).or_else(|| sight.to_roll_back()),
                },
                _ => Deed::Other { action: action.clone(), item: line.id.to_string() },
            },
        },
        Kind::Decision { options, .. } => ItemKind::Decision {
            options: options
                .iter()
                .map(|option| {
                    let option = &run.book().items[*option];
                    let recommended = option.when.as_ref().and_then(|when| facts::holds(when, sight));
                    Choice { id: option.id.clone(), title: option.text.clone(), recommended }
                })
                .collect(),
        },
        Kind::Wait { time } => ItemKind::Wait { time: run.paced(*time) },
        Kind::Hold { held, .. } => ItemKind::Hold { time: run.paced(*held) },
        Kind::Record { name, value } => ItemKind::Record {
            name: name.clone(),
            choices: match value {
                RecordKind::Choice { choices } => choices.clone(),
                RecordKind::Text | RecordKind::Number | RecordKind::Time => Vec::new(),
            },
        },
    }
}

fn state(run: &Run, line: &Line, it: &ItemRun, sight: &Sight<'_>) -> ItemState {
    let (by, at) = it.by.clone().unwrap_or((Actor::Engine, run.attached_at));
    let words = || it.words.clone().unwrap_or_default();
    match it.standing {
        Standing::Open | Standing::Done if it.regression.is_some() => ItemState::Regressed { by, at },
        Standing::Open => ItemState::Open,
        Standing::Satisfied => ItemState::Satisfied,
        Standing::Waiting => {
            let of = match &line.kind {
                Kind::Wait { time } => run.paced(*time),
                Kind::Hold { held, .. } => run.paced(*held),
                _ => Duration::ZERO,
            };
            let passed = it.clock.map_or(Duration::ZERO, |clock| clock.passed(sight.now));
            ItemState::Waiting { passed: passed.min(of), of }
        }
        Standing::Running => ItemState::Running { since: at },
        Standing::Failed => ItemState::Failed { why: words() },
        Standing::Unknown => ItemState::Unknown { why: words() },
        Standing::Done => ItemState::Done { by, at },
        Standing::Overridden => ItemState::Overridden { by, at },
        Standing::Inactive => ItemState::NotApplicable { by, at },
        Standing::Deferred => ItemState::Deferred {
            until: it.deferred.as_ref().map_or_else(String::new, |(until, _)| until.clone()),
            by,
        },
    }
}

fn fact(run: &Run, line: &Line, it: &ItemRun, sight: &Sight<'_>) -> Option<Fact> {
    match &line.kind {
        Kind::Sensed { sense, .. } => Some(facts::fact(sense, sight)),
        Kind::Hold { hold, held } => {
            let fact = facts::fact(hold, sight);
            if it.standing == Standing::Waiting {
                let passed = it.clock.map_or(Duration::ZERO, |clock| clock.passed(sight.now));
                let of = run.paced(*held);
                let whole = whole(passed.min(of));
                let text = format!("{} of {}; {}", human(whole), human(of), fact.text);
                return Some(Fact { text, ..fact });
            }
            Some(fact)
        }
        Kind::Action { verify: Some(verify), .. } => Some(facts::fact(verify, sight)),
        Kind::Action { .. } => {
            let operation = it.operation.as_ref().and_then(|id| sight.state.operation(id))?;
            Some(Fact::new(sight::words(operation), None))
        }
        Kind::Manual if line.id.as_str() == "assess-severity" => {
            Some(Fact::new(sight.incident.level.to_string(), None))
        }
        Kind::Manual
        | Kind::Record { .. }
        | Kind::Wait { .. }
        | Kind::Decision { .. }
        | Kind::Cadence { .. } => {
            let when = line.when.as_ref()?;
            Some(facts::fact(when, sight))
        }
    }
}
