//! Which entries of lists are items, in which item they are, and what belongs to them.

use std::collections::BTreeSet;
use std::ops::Range;

use super::{Outline, TICKED, Under, any_entry, explicit_id, task};
use crate::runbook::attributes::{Attribute, Attributes, Place};
use crate::runbook::blocks::{Block, Entry};
use crate::runbook::document::{Item, Kind, Tier, Window};
use crate::runbook::inline::Inline;
use crate::runbook::problem::{Level, Problem, TooBig};
use crate::runbook::window;
use crate::runbook::{DEEPEST, MOST_ITEMS};

impl Outline<'_> {
    /// Makes the items, and gives every other block to what it belongs to.
    pub(super) fn items(&mut self, placed: &[(Option<usize>, &Block)]) -> Result<(), TooBig> {
        if self.tier == Tier::Headings {
            self.leaf_sections()?;
        }
        let with_steps = self.sections_with_steps(placed);
        // The last item of the list that came directly before, in the same section.
        let mut last: Option<(Option<usize>, usize)> = None;
        for (section, block) in placed {
            let before = last.take().filter(|(its, _)| its == section).map(|(_, item)| item);
            let leaf = section
                .filter(|_| self.tier == Tier::Headings)
                .and_then(|section| self.sections[section].items.first().copied());
            match (block, section) {
                (Block::List { ordered, entries, range }, Some(section)) => {
                    let under =
                        Under { section: *section, parent: leaf, depth: 0, window: None, group: None };
                    let steps = with_steps.contains(section);
                    let item = self.list(*ordered, entries, range, under, steps)?;
                    last = item.map(|item| (Some(*section), item));
                }
                // Before the first heading, and without an item.
                (Block::List { entries, range, .. }, None) => {
                    let note = self.source(range);
                    self.note(Some(note), None, None);
                    self.fences_below(entries, None);
                }
                (Block::Fence { info, text, range }, section) => {
                    self.fence(info, text, range, leaf.or(before), *section);
                }
                (block, section) => {
                    let note = self.note_of(block);
                    self.note(note, leaf, *section);
                }
            }
        }
        Ok(())
    }

    /// Each section without one inside is an item.
    pub(super) fn leaf_sections(&mut self) -> Result<(), TooBig> {
        let parents: BTreeSet<usize> = self.sections.iter().filter_map(|section| section.parent).collect();
        for index in (0..self.sections.len()).filter(|index| !parents.contains(index)) {
            let section = &self.sections[index];
            let (line, text, attributes) = (section.line, section.title.clone(), section.attributes.clone());
            let under = Under { section: index, parent: None, depth: 0, window: None, group: None };
            self.item(under, line, text, attributes)?;
        }
        Ok(())
    }

    /// Sections with `.steps` and without a task: their numbered entries are items beside the tasks of the others.
    pub(super) fn sections_with_steps(&mut self, placed: &[(Option<usize>, &Block)]) -> BTreeSet<usize> {
        let wants = |attributes: &Attributes| {
            attributes
                .0
                .iter()
                .find(|(attribute, _)| *attribute == Attribute::Flag("steps".to_owned()))
                .map(|(_, place)| place.clone())
        };
        let mut with_tasks = BTreeSet::new();
        for (section, block) in placed {
            if let Some(section) = section
                && any_entry(std::slice::from_ref(*block), &|_, entry| task(entry, self.text).is_some())
            {
                with_tasks.insert(*section);
            }
        }
        let mut with_steps = BTreeSet::new();
        for index in 0..self.sections.len() {
            let Some(place) = wants(&self.sections[index].attributes) else { continue };
            if with_tasks.contains(&index) {
                let text = "`.steps` has no effect here: the section holds tasks; make the steps tasks, or move one of them".to_owned();
                let Place { line, column, .. } = place;
                self.found.push(Problem {
                    level: Level::Warning,
                    rule: "steps-beside-tasks",
                    file: None,
                    line,
                    column,
                    text,
                });
            } else {
                with_steps.insert(index);
            }
        }
        with_steps
    }

    /// The entries of a list. Gives the item that a fence directly behind the list belongs to.
    pub(super) fn list(
        &mut self,
        ordered: bool,
        entries: &[Entry],
        range: &Range<usize>,
        under: Under<'_>,
        steps: bool,
    ) -> Result<Option<usize>, TooBig> {
        let mut last = None;
        let mut last_inside = None;
        let is_item = |ordered: bool, entry: &Entry| self.item_mark(ordered, entry, steps).is_some();
        if !entries.iter().any(|entry| is_item(ordered, entry) || any_entry(&entry.blocks, &is_item)) {
            let note = self.source(range);
            self.note(Some(note), under.parent, Some(under.section));
            self.bullets(ordered, entries, under.parent);
            self.fences_below(entries, under.parent);
            return Ok(None);
        }
        for entry in entries {
            if let Some((ticked, from)) = self.item_mark(ordered, entry, steps) {
                last = Some(self.entry(ordered, entry, ticked, from, under, steps)?);
            } else if let Some(inside) = self.plain_entry(ordered, entry, under, steps)? {
                last_inside = Some(inside);
            }
        }
        Ok(last.or(last_inside))
    }

    /// An entry that is an item.
    pub(super) fn entry(
        &mut self,
        ordered: bool,
        entry: &Entry,
        ticked: bool,
        from: usize,
        under: Under<'_>,
        steps: bool,
    ) -> Result<usize, TooBig> {
        let at = entry.range.start;
        let mut inline = entry.lead().cloned().unwrap_or_default();
        inline.drop_before(from);
        let attributes = self.attributes(&mut inline);
        let has_children =
            any_entry(&entry.blocks, &|ordered, entry| self.item_mark(ordered, entry, steps).is_some());
        let own = if ordered && has_children { self.group_window(&mut inline, at) } else { None };
        let line = self.lines.line(at);
        let text = if own.is_some() { inline.text().replace(" :", ":") } else { inline.text() };
        let index = self.item(under, line, text, attributes)?;
        self.items[index].ticked_in_source = ticked;
        self.items[index].written = own.or_else(|| under.window.cloned());
        if ticked {
            self.items[index].notes.push(TICKED.to_owned());
            let text = "it is ticked in the file and starts open all the same; write `[ ]`".to_owned();
            self.problem(Level::Warning, "ticked-in-source", at, text);
        }
        let lead = usize::from(entry.lead().is_some());
        let inner = Under { parent: Some(index), depth: under.depth + 1, window: None, group: None, ..under };
        self.body(&entry.blocks[lead..], inner, steps)?;
        Ok(index)
    }

    /// An entry that is none: its text is the label of the items in it, or a note.
    pub(super) fn plain_entry(
        &mut self,
        ordered: bool,
        entry: &Entry,
        under: Under<'_>,
        steps: bool,
    ) -> Result<Option<usize>, TooBig> {
        let mut inline = entry.lead().cloned().unwrap_or_default();
        let has_children =
            any_entry(&entry.blocks, &|ordered, entry| self.item_mark(ordered, entry, steps).is_some());
        self.no_item(&inline);
        let own =
            if ordered && has_children { self.group_window(&mut inline, entry.range.start) } else { None };
        let text = if own.is_some() { inline.text().replace(" :", ":") } else { inline.text() };
        let lead = usize::from(entry.lead().is_some());
        let mut inner = Under { window: own.as_ref().or(under.window), ..under };
        if has_children && !text.is_empty() {
            inner.group = Some(&text);
        } else {
            if let (Some(parent), false) = (under.parent, ordered) {
                self.items[parent].bullets.push(text.clone());
            }
            self.note(Some(text.clone()), under.parent, Some(under.section));
        }
        self.body(&entry.blocks[lead..], inner, steps)
    }

    /// What is in an entry behind its first paragraph. Gives the last item in it.
    pub(super) fn body(
        &mut self,
        blocks: &[Block],
        under: Under<'_>,
        steps: bool,
    ) -> Result<Option<usize>, TooBig> {
        let mut last = None;
        for block in blocks {
            match block {
                Block::List { ordered, entries, range } => {
                    last = self.list(*ordered, entries, range, under, steps)?.or(last);
                }
                Block::Fence { info, text, range } => {
                    self.fence(info, text, range, under.parent, Some(under.section));
                }
                Block::Comment { text, at } => self.comment(text, *at),
                block => {
                    let note = self.note_of(block);
                    self.note(note, under.parent, Some(under.section));
                }
            }
        }
        Ok(last)
    }

    pub(super) fn item(
        &mut self,
        under: Under<'_>,
        line: usize,
        text: String,
        attributes: Attributes,
    ) -> Result<usize, TooBig> {
        if self.items.len() == MOST_ITEMS {
            return Err(TooBig::Items { name: self.name.to_owned(), line });
        }
        if under.depth == DEEPEST {
            return Err(TooBig::Depth { name: self.name.to_owned(), line });
        }
        let index = self.items.len();
        self.counted[under.section] += 1;
        let id = explicit_id(&attributes).unwrap_or_else(|| {
            format!("{}/{}", self.sections[under.section].id, self.counted[under.section])
        });
        match under.parent {
            Some(parent) => self.items[parent].children.push(index),
            None => self.sections[under.section].items.push(index),
        }
        self.items.push(Item {
            id: id.into(),
            hash: String::new(),
            section: under.section,
            parent: under.parent,
            children: Vec::new(),
            group: under.group.map(str::to_owned),
            text,
            line,
            kind: Kind::Manual,
            critical: false,
            memory: false,
            cross_check: false,
            latch: false,
            countable: true,
            when: None,
            when_held: std::time::Duration::ZERO,
            within: None,
            warn: None,
            window: None,
            stale: None,
            role: None,
            approve: 1,
            defer: None,
            escalate: None,
            commands: Vec::new(),
            notes: Vec::new(),
            ticked_in_source: false,
            attributes,
            written: None,
            bullets: Vec::new(),
        });
        Ok(index)
    }

    /// The window in the strong lead of a numbered entry: `1. **Triage (0-5 min)**`.
    pub(super) fn group_window(&mut self, inline: &mut Inline, at: usize) -> Option<Window> {
        let parenthesis = inline.last_parenthesis(inline.strong_lead()?)?;
        let text = inline.slice(parenthesis.start + 1..parenthesis.end - 1);
        let written = window::parse(&text, true)?;
        inline.remove(parenthesis);
        self.window(&written, text, at)
    }
}
