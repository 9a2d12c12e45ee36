//! What is shown of the checklists in so many rows: all of it; else with the sections folded that are not at hand. The line at
//! hand may take more rows than one.

use ratatui::text::Line;

use super::detail;
use crate::engine::checklist::{Checklist, Head, Item, ItemState, Phase};
use crate::tui::scene::Scene;
use crate::tui::ui::Pane;

/// A row of the pane.
pub(super) enum Row<'a> {
    /// A runbook, where several are worked through.
    Run(&'a Head),
    /// A section; its lines follow unless it is folded.
    Phase(&'a Phase),
    /// A line to tick.
    Item(&'a Item),
    /// More of the line at hand.
    More(Line<'static>),
    /// What is written in a section.
    Note(Line<'static>),
}

/// The rows, and which of them are seen.
pub(super) struct Rows<'a> {
    all: Vec<Row<'a>>,
    top: usize,
    height: usize,
    /// The line that is at hand.
    pub(super) at_hand: Option<String>,
    /// What stands in the first row of its title, where that takes several.
    pub(super) title: Option<String>,
}

impl<'a> Rows<'a> {
    pub(super) fn new(scene: &Scene<'_>, checklist: &'a Checklist, (width, height): (u16, usize)) -> Self {
        let at_hand = super::at_hand_of(scene, checklist);
        let item = at_hand.as_deref().and_then(|key| checklist.item(key));
        let whole = whole(checklist);
        let is_focused = scene.ui.focus == Pane::Checklist;
        // What is looked at may push others out; what is only next takes what nobody needs.
        let spare = height.saturating_sub(whole);
        let most =
            if is_focused { spare.max((height / 2).min(height.saturating_sub(3))) } else { spare.min(3) };
        let (title, more) = item
            .map_or((None, Vec::new()), |item| detail::of(scene, checklist, item, width, most, is_focused));
        let mut rows = folded(checklist, at_hand.as_deref(), height.saturating_sub(more.len()));
        let is_at_hand =
            |row: &Row<'_>| matches!(row, Row::Item(item) if Some(item.key.as_str()) == at_hand.as_deref());
        let mut place = rows.iter().position(is_at_hand).unwrap_or(0);
        // What is written in a section stands below its heading where there is room for it.
        let head = rows[..place].iter().rposition(|row| matches!(row, Row::Phase(_)));
        if is_focused
            && let Some(head) = head
            && let Some(Row::Phase(phase)) = rows.get(head)
        {
            let left = height.saturating_sub(rows.len() + more.len());
            let notes = detail::notes(scene, phase, width, left);
            place += notes.len();
            let below = head + 1;
            rows.splice(below..below, notes.into_iter().map(Row::Note));
        }
        let extra = more.len();
        if extra > 0 {
            let below = place + 1;
            rows.splice(below..below, more.into_iter().map(Row::More));
        }
        // One that nobody chose stands in the middle; a chosen one stays where it was put.
        let last = rows.len().saturating_sub(height);
        let top = if scene.ui.item.what.is_some() {
            scene.ui.item.top(place, rows.len(), height)
        } else {
            place.saturating_sub(height / 2).min(last)
        };
        let top = top.max((place + 1 + extra).saturating_sub(height)).min(place);
        // A heading that would be just out of sight says more than the row at the other end.
        let is_head = |at: usize| matches!(rows.get(at), Some(Row::Phase(_)));
        let top = if top > 0 && is_head(top - 1) && place + extra < top - 1 + height { top - 1 } else { top };
        Self { all: rows, top, height, at_hand, title }
    }

    /// The rows that are seen.
    pub(super) fn seen(&self) -> impl Iterator<Item = &Row<'a>> {
        self.all.iter().skip(self.top).take(self.height)
    }

    pub(super) const fn is_more_above(&self) -> bool {
        self.top > 0
    }

    pub(super) const fn is_more_below(&self) -> bool {
        self.top + self.height < self.all.len()
    }
}

/// Whether a runbook has a heading of its own: not where it is the only one, or where its only section says the same.
fn has_heading(checklist: &Checklist, head: &Head) -> bool {
    let mut sections = checklist.phases.iter().filter(|phase| phase.run == head.id);
    let says_the_same =
        sections.next().is_some_and(|first| first.title == head.title) && sections.next().is_none();
    checklist.runs.len() > 1 && !says_the_same
}

fn heads(checklist: &Checklist) -> usize {
    checklist.runs.iter().filter(|head| has_heading(checklist, head)).count()
}

/// The rows of all there is, the line at hand in one.
fn whole(checklist: &Checklist) -> usize {
    heads(checklist) + checklist.phases.len() + checklist.items().count()
}

fn folded<'a>(checklist: &'a Checklist, at_hand: Option<&str>, height: usize) -> Vec<Row<'a>> {
    let holds =
        |phase: &Phase, id: Option<&str>| phase.items.iter().any(|item| Some(item.key.as_str()) == id);
    let now = checklist.current.as_ref().map(crate::model::ItemId::as_str);
    let must: Vec<bool> =
        checklist.phases.iter().map(|phase| holds(phase, now) || holds(phase, at_hand)).collect();
    let mut open = vec![true; checklist.phases.len()];
    let total = |open: &[bool]| -> usize {
        let items = checklist.phases.iter().zip(open).filter(|(_, open)| **open);
        heads(checklist) + checklist.phases.len() + items.map(|(phase, _)| phase.items.len()).sum::<usize>()
    };
    // What is not reached yet goes first, the furthest ahead before the nearest; then what is behind, the oldest first; last
    // of all where a clock runs or something is being done.
    let is_busy = |place: &usize| {
        let is = |item: &Item| matches!(item.state, ItemState::Waiting { .. } | ItemState::Running { .. });
        checklist.phases[*place].items.iter().any(is)
    };
    let middle = must.iter().position(|must| *must).unwrap_or(0);
    let order = || (middle..open.len()).rev().chain(0..middle);
    let order: Vec<usize> = order().filter(|place| !is_busy(place)).chain(order().filter(is_busy)).collect();
    for index in order {
        if total(&open) <= height {
            break;
        }
        open[index] = must[index];
    }
    let mut rows = Vec::new();
    let mut run = None;
    for (phase, open) in checklist.phases.iter().zip(open) {
        if heads(checklist) > 0 && run != Some(&phase.run) {
            let head = checklist.runs.iter().find(|head| head.id == phase.run);
            rows.extend(head.filter(|head| has_heading(checklist, head)).map(Row::Run));
            run = Some(&phase.run);
        }
        rows.push(Row::Phase(phase));
        if open {
            rows.extend(phase.items.iter().map(Row::Item));
        }
    }
    rows
}
