//! A runbook that was changed while it is worked through: what differs, and taking the run over to the text as it is now. That
//! is always a person's act; what was ticked stays ticked where the text is the same, and is open again where it is another.

use std::collections::BTreeSet;

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::run::{ItemRun, Removed, Run, Standing};
use super::{Refusal, emit};
use crate::config::{RunbookText, runbooks};
use crate::engine::commands::accept;
use crate::engine::core::Work;
use crate::engine::incidents;
use crate::model::ItemId;
use crate::model::checklist::ChecklistChange;
use crate::model::command::{Envelope, Rebase};
use crate::runbook::{ActionTable, Item, Level, Registry, Runbook};

/// What a text changes about a run.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Difference {
    /// How many items stand as they stood.
    pub kept: usize,
    /// Items that say something else: they will be open again.
    pub changed: Vec<Line>,
    /// Items that were not there.
    pub added: Vec<Line>,
    /// Items that are gone.
    pub removed: Vec<Line>,
}

/// An item that a text changes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Line {
    /// Its id: the new one, for what is gone the old one.
    pub id: ItemId,
    /// What it says; what is gone, said.
    pub text: String,
    /// Where it stands.
    pub standing: Standing,
}

impl Line {
    /// Behind its text: how it was settled and what becomes of that, ` (done, open again)`; nothing for one that was not.
    pub fn settled(&self, then: &str) -> String {
        if self.standing.is_settled() {
            format!(" ({}, {then})", self.standing.word())
        } else {
            String::new()
        }
    }
}

/// What a text would change about a run; none where it is the text that the run has.
pub fn difference(run: &Run, text: &RunbookText) -> Option<Difference> {
    if run.has_text(&text.source, text.bindings.as_ref()) {
        return None;
    }
    Some(compared(run, &read(run, text)?).0)
}

/// What differs, and which items stand for the same and have another id: the old one and the new one.
fn compared(run: &Run, new: &Runbook) -> (Difference, Vec<(ItemId, ItemId)>) {
    let pairs = Pairs::of(run.book(), new);
    let line = |id: &ItemId, text: &str, old: Option<&ItemId>| Line {
        id: id.clone(),
        text: text.to_owned(),
        standing: old.map_or(Standing::Open, |old| run.standing(old)),
    };
    let (mut difference, mut moved) = (Difference::default(), Vec::new());
    for (item, pair) in new.items.iter().zip(&pairs.of_new) {
        let Some(before) = pair.map(|old| &run.book().items[old]) else {
            difference.added.push(line(&item.id, &item.text, None));
            continue;
        };
        if before.hash == item.hash {
            difference.kept += 1;
        } else {
            difference.changed.push(line(&item.id, &item.text, Some(&before.id)));
        }
        if before.id != item.id {
            moved.push((before.id.clone(), item.id.clone()));
        }
    }
    for old in pairs.gone {
        let item = &run.book().items[old];
        difference.removed.push(line(&item.id, &item.text, Some(&item.id)));
    }
    (difference, moved)
}

/// What is asked for when a run is to go on with a text.
pub fn asking(run: &Run, text: &RunbookText) -> Rebase {
    Rebase {
        incident: run.incident.clone(),
        run: run.id.clone(),
        from: run.sha256.clone(),
        source: text.source.clone(),
        bindings: text.bindings.clone(),
    }
}

/// The text as a runbook. It is checked where it matters; a name that nothing has is no reason to show no difference.
fn read(run: &Run, text: &RunbookText) -> Option<Runbook> {
    let (names, actions) = (Registry::unchecked(), ActionTable::unchecked());
    let mut new = Runbook::parse(run.runbook.as_str(), &text.source, &names, &actions).ok()?;
    if let Some((file, bindings)) = &text.bindings {
        new.bind(file, bindings, &names, &actions);
    }
    Some(new)
}

/// Whether an item of the old text is one of the new.
type Rule<'a> = &'a dyn Fn(&Item, &Item) -> bool;

/// Which items of two texts are the same.
struct Pairs {
    /// For each item of the new text the one of the old.
    of_new: Vec<Option<usize>>,
    /// The items of the old text that are in the new one no more.
    gone: Vec<usize>,
}

impl Pairs {
    /// By `#id` where an item has one; else by its section and what it says; else by its section and its number there.
    fn of(old: &Runbook, new: &Runbook) -> Self {
        let mut left: BTreeSet<usize> = (0..old.items.len()).collect();
        let mut of_new = vec![None; new.items.len()];
        let section = |book: &Runbook, item: &Item| book.sections[item.section].id.clone();
        let rules: [Rule<'_>; 3] = [
            &|before, now| is_named(new, now) && before.id == now.id,
            &|before, now| {
                !is_named(new, now)
                    && !is_named(old, before)
                    && before.hash == now.hash
                    && section(old, before) == section(new, now)
            },
            &|before, now| !is_named(new, now) && !is_named(old, before) && before.id == now.id,
        ];
        for rule in rules {
            for (place, item) in new.items.iter().enumerate() {
                if of_new[place].is_some() {
                    continue;
                }
                let found = left.iter().copied().find(|before| rule(&old.items[*before], item));
                if let Some(found) = found {
                    left.remove(&found);
                    of_new[place] = Some(found);
                }
            }
        }
        Self { of_new, gone: left.into_iter().collect() }
    }
}

/// Whether an item has an id of its own, and not its number in its section.
fn is_named(book: &Runbook, item: &Item) -> bool {
    let numbered = item
        .id
        .as_str()
        .strip_prefix(book.sections[item.section].id.as_str())
        .and_then(|rest| rest.strip_prefix('/'));
    !numbered.is_some_and(|number| number.chars().all(|digit| digit.is_ascii_digit()))
}

/// Takes a run over, or says why not.
pub(super) fn handle(work: &mut Work<'_>, envelope: &Envelope, asked: &Rebase) -> Result<(), Refusal> {
    let Rebase { incident: id, run, from, source, bindings } = asked;
    let incident = incidents::known(work, id)?;
    if incident.is_closed() {
        return Err(format!("{id} is closed").into());
    }
    let run = match work.state.runs.get(run) {
        Some(known) if known.incident == *id && !known.closed => known.clone(),
        _ => return Err(format!("`{run}` is not worked through in {id}").into()),
    };
    if run.sha256 != *from {
        return Err(format!("{} was taken over meanwhile; look at what differs now", run.id).into());
    }
    let new = check(work, &run, source, bindings.as_ref())?;
    if run.has_text(source, bindings.as_ref()) {
        return Err(format!("{} has that text already", run.id).into());
    }
    let (difference, moved) = compared(&run, &new);
    let busy = difference.changed.iter().chain(&difference.removed);
    if let Some(busy) = busy.into_iter().find(|line| line.standing == Standing::Running) {
        return Err(format!("`{}` is being done; take the run over when it has ended", busy.id).into());
    }
    let ids = |lines: &[Line]| lines.iter().map(|line| line.id.clone()).collect::<Vec<_>>();
    accept(work, envelope.clone());
    let change = ChecklistChange::Rebased {
        source: source.clone(),
        bindings: bindings.clone(),
        sha256: hex::encode(Sha256::digest(source)),
        moved,
        changed: ids(&difference.changed),
        added: ids(&difference.added),
        removed: ids(&difference.removed),
    };
    emit(work, id, &run.id, &envelope.by, change);
    Ok(())
}

/// A text that the environment cannot work through is refused as it would be in the config.
fn check(
    work: &Work<'_>,
    run: &Run,
    source: &str,
    bindings: Option<&(String, String)>,
) -> Result<Runbook, Refusal> {
    let (names, actions) = (runbooks::names(work.config()), runbooks::actions(work.config()));
    let mut book = Runbook::parse(run.runbook.as_str(), source, &names, &actions)
        .map_err(|error| Refusal::because(format!("the new text of {}: {error}", run.runbook)))?;
    if let Some((file, text)) = bindings {
        book.bind(file, text, &names, &actions);
    }
    match book.problems.iter().find(|problem| problem.level == Level::Error) {
        Some(problem) => Err(Refusal::because(format!(
            "the new text of {}, line {}: {}",
            run.runbook, problem.line, problem.text
        ))),
        None => Ok(book),
    }
}

/// Takes the change into a run. Only what the event names is used: how items are paired may change with the program.
pub(super) fn fold(run: &mut Run, change: &ChecklistChange) {
    let ChecklistChange::Rebased { source, bindings, sha256, moved, changed, added, removed } = change else {
        return;
    };
    let before = std::sync::Arc::clone(run.book());
    let new_id = |old: &ItemId| {
        moved.iter().find(|(known, _)| known == old).map_or_else(|| old.clone(), |(_, new)| new.clone())
    };
    let old = std::mem::take(&mut run.items);
    run.set_text(source, bindings.as_ref(), sha256);
    for (id, mut it) in old {
        if removed.contains(&id) {
            if it.touched || it.standing.is_settled() {
                let text = before.item(id.as_str()).map_or_else(String::new, |item| item.text.clone());
                let ItemRun { standing, by, words, .. } = it;
                run.removed.push(Removed { id, text, standing, by, words });
            }
            continue;
        }
        if let Some(chosen) = it.chosen.take() {
            if removed.contains(&chosen) {
                it = reopened(it);
            } else {
                it.chosen = Some(new_id(&chosen));
            }
        }
        let id = new_id(&id);
        if changed.contains(&id) {
            it = reopened(it);
        }
        run.items.insert(id, it);
    }
    // A section with something new in it is not through.
    let book = std::sync::Arc::clone(run.book());
    for item in book.items.iter().filter(|item| changed.contains(&item.id) || added.contains(&item.id)) {
        let mut within = Some(item.section);
        while let Some(section) = within.map(|section| &book.sections[section]) {
            if let Some(section) = run.sections.get_mut(&section.id) {
                section.met = None;
            }
            within = section.parent;
        }
    }
}

/// An item whose text is another one: open, with what was done before beside it.
fn reopened(it: ItemRun) -> ItemRun {
    let older = (it.touched || it.standing.is_settled()).then(|| {
        let by = it.by.as_ref().map_or_else(String::new, |(by, _)| format!(" by {by}"));
        let words = it.words.as_ref().map_or_else(String::new, |words| format!(": {words}"));
        format!("{}{by} on an older text{words}", it.standing.word())
    });
    ItemRun {
        notes: it.notes,
        claim: it.claim,
        generation: it.generation,
        changes: it.changes + 1,
        older: older.or(it.older),
        ..ItemRun::default()
    }
}
