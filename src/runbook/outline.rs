//! Which blocks of a document are sections, items, notes and commands.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use sha2::{Digest as _, Sha256};

use super::attributes::{Attribute, Attributes, Place};
use super::blocks::{self, Block, Entry};
use super::braces::{self, Found};
use super::document::{Anchor, Command, Item, Kind, Runbook, Section, Tier, Window};
use super::inline::Inline;
use super::place::Lines;
use super::problem::{Level, Problem, TooBig};
use super::window::{self, Written};
use super::{DEEPEST, MOST_BYTES, MOST_ITEMS, fence, front};

/// Reads a document without what its attributes mean.
pub(super) fn read(name: &str, text: &str, tier: Option<Tier>) -> Result<Runbook, TooBig> {
    if text.len() > MOST_BYTES {
        return Err(TooBig::Bytes { name: name.to_owned(), bytes: text.len() });
    }
    let front = front::read(text);
    let lines = Lines::new(text);
    let too_deep = |at: usize| TooBig::Depth { name: name.to_owned(), line: lines.line(at) };
    let blocks = blocks::read(&text[front.length..], front.length).map_err(|error| too_deep(error.0))?;
    let natural = natural_tier(&blocks, text);
    let mut outline = Outline {
        name,
        text,
        lines: &lines,
        tier: tier.or(front.tier).unwrap_or(natural),
        sections: Vec::new(),
        items: Vec::new(),
        unbound: Vec::new(),
        notes: Vec::new(),
        found: Vec::new(),
        counted: Vec::new(),
        slugs: BTreeMap::new(),
    };
    if let Some((at, value)) = &front.odd_tier {
        outline.problem(
            Level::Error,
            "bad-value",
            *at,
            format!("`checklist: {value}` is none of tasks, steps, headings"),
        );
    }
    let placed = outline.sections(&blocks);
    outline.items(&placed)?;
    let h1 = outline.sections.iter().find(|section| section.level == 1 && !section.title.is_empty());
    let title = front.title.or_else(|| h1.map(|section| section.title.clone()));
    outline.finish();
    let Outline { tier, sections, items, unbound, notes, found, .. } = outline;
    Ok(Runbook {
        name: name.to_owned(),
        sha256: hex::encode(Sha256::digest(text.as_bytes())),
        title,
        tier,
        notes,
        sections,
        items,
        unbound,
        problems: Vec::new(),
        found,
    })
}

/// What counts as an item where nobody says it.
fn natural_tier(blocks: &[Block], text: &str) -> Tier {
    if any_entry(blocks, &|_, entry| task(entry, text).is_some()) {
        Tier::Tasks
    } else if any_entry(blocks, &|ordered, _| ordered) {
        Tier::Steps
    } else {
        Tier::Headings
    }
}

/// Whether an entry of any list is so, however deep.
fn any_entry(blocks: &[Block], is_so: &dyn Fn(bool, &Entry) -> bool) -> bool {
    blocks.iter().any(|block| match block {
        Block::List { ordered, entries, .. } => {
            entries.iter().any(|entry| is_so(*ordered, entry) || any_entry(&entry.blocks, is_so))
        }
        _ => false,
    })
}

/// The mark of a task: whether it is ticked, and the byte behind it.
fn task(entry: &Entry, text: &str) -> Option<(bool, usize)> {
    let Some(Block::Paragraph { inline, .. }) = entry.blocks.first() else { return None };
    let start = inline.range.start;
    if text[..start].ends_with('\\') {
        return None;
    }
    let mut chars = text[start..].chars();
    let mark = (chars.next()?, chars.next()?, chars.next()?);
    let ('[', tick @ (' ' | 'x' | 'X'), ']') = mark else { return None };
    // At the end of the file, too, the line ends.
    chars.next().is_none_or(char::is_whitespace).then_some((tick != ' ', start + 3))
}

struct Outline<'t> {
    name: &'t str,
    text: &'t str,
    lines: &'t Lines<'t>,
    tier: Tier,
    sections: Vec<Section>,
    items: Vec<Item>,
    unbound: Vec<Command>,
    notes: Vec<String>,
    found: Vec<Problem>,
    /// How many items each section has so far, nested ones included.
    counted: Vec<usize>,
    /// The ids of sections that are taken, each with the number that the next one of its name may get.
    slugs: BTreeMap<String, usize>,
}

/// Where the entries of a list belong.
#[derive(Clone, Copy)]
struct Under<'w> {
    section: usize,
    parent: Option<usize>,
    /// How many items it is in.
    depth: usize,
    /// Of the numbered group that it is in, where the group is no item itself.
    window: Option<&'w Window>,
}

impl Outline<'_> {
    fn problem(&mut self, level: Level, rule: &'static str, at: usize, text: String) {
        let (line, column) = self.lines.place(at);
        self.found.push(Problem { level, rule, file: None, line, column, text });
    }

    /// The attributes at the end of a text, with their places; what only looks like some is a warning.
    fn attributes(&mut self, inline: &mut Inline) -> Attributes {
        let Found { attributes, near_misses } = braces::cut(self.text, inline);
        for (at, why) in near_misses {
            self.problem(Level::Warning, "near-miss", at, why);
        }
        let placed = attributes.into_iter().map(|(at, attribute)| {
            let (line, column) = self.lines.place(at);
            (attribute, Place { file: None, line, column })
        });
        Attributes(placed.collect())
    }

    /// Makes the sections, and says of every other block in which one it is.
    fn sections<'b>(&mut self, blocks: &'b [Block]) -> Vec<(Option<usize>, &'b Block)> {
        let mut placed = Vec::new();
        let mut current = None;
        let mut heading_level = 0;
        let first_heading = blocks.iter().position(|block| matches!(block, Block::Heading { .. }));
        let before = &blocks[..first_heading.unwrap_or(blocks.len())];
        let is_pseudo = |index: usize| {
            matches!(&blocks[index], Block::Paragraph { inline, .. } if is_pseudo_heading(self.text, inline))
                && blocks[index + 1..]
                    .iter()
                    .find(|block| !matches!(block, Block::Comment { .. }))
                    .is_some_and(|next| matches!(next, Block::List { .. }))
        };
        let pseudo: Vec<bool> = (0..blocks.len()).map(is_pseudo).collect();
        self.reserve_ids(blocks);
        // Items before any heading need a section to be in.
        let lead = &before[..pseudo.iter().position(|is| *is).unwrap_or(before.len()).min(before.len())];
        if self.tier != Tier::Headings && self.has_items(lead) {
            let at = lead.iter().find_map(|block| match block {
                Block::List { range, .. } => Some(range.start),
                _ => None,
            });
            let title = Inline::default();
            current = Some(self.section(0, title, at.unwrap_or_default()));
        }
        for (index, block) in blocks.iter().enumerate() {
            match block {
                Block::Heading { level, inline, range } => {
                    heading_level = *level;
                    current = Some(self.section(*level, inline.clone(), range.start));
                }
                Block::Paragraph { inline, range } if pseudo[index] => {
                    current = Some(self.section(heading_level + 1, inline.clone(), range.start));
                }
                Block::Comment { text, at } => self.comment(text, *at),
                other => placed.push((current, other)),
            }
        }
        placed
    }

    /// An id that is written down is kept from being made of a title before it.
    fn reserve_ids(&mut self, blocks: &[Block]) {
        for block in blocks {
            if let Block::Heading { inline, .. } | Block::Paragraph { inline, .. } = block {
                let found = braces::cut(self.text, &mut inline.clone());
                self.slugs.extend(found.attributes.into_iter().filter_map(
                    |(_, attribute)| match attribute {
                        Attribute::Id(id) => Some((id, 2)),
                        _ => None,
                    },
                ));
            }
        }
    }

    fn comment(&mut self, text: &str, at: usize) {
        if let Some(why) = braces::near_miss(text) {
            self.problem(Level::Warning, "near-miss", at, why);
        }
    }

    fn has_items(&self, blocks: &[Block]) -> bool {
        any_entry(blocks, &|ordered, entry| self.item_mark(ordered, entry, false).is_some())
    }

    /// Whether an entry is an item: its tick and where its text begins.
    fn item_mark(&self, ordered: bool, entry: &Entry, has_steps: bool) -> Option<(bool, usize)> {
        let task = task(entry, self.text);
        let is_step = ordered && task.is_none();
        match self.tier {
            Tier::Tasks if has_steps && is_step => Some((false, entry.range.start)),
            Tier::Tasks => task,
            Tier::Steps => is_step.then_some((false, entry.range.start)),
            Tier::Headings => None,
        }
    }

    fn section(&mut self, level: u8, mut inline: Inline, at: usize) -> usize {
        let attributes = self.attributes(&mut inline);
        let line = self.lines.line(at);
        // With `window=none` the parenthesis is part of the title.
        let is_cancelled = attributes.0.iter().any(|(attribute, _)| {
            matches!(attribute, Attribute::Pair(key, value) if key == "window" && value.eq_ignore_ascii_case("none"))
        });
        let (title, written) =
            if is_cancelled { (without_colon(&inline.text()), None) } else { self.title(&mut inline, at) };
        let title = if level == 0 { self.name.to_owned() } else { title };
        let parent = if level == 0 {
            None
        } else {
            // The sections before it from the inside out; the level of an open one is below those in it.
            let mut outer = self.sections.len().checked_sub(1);
            while let Some(index) =
                outer.filter(|index| self.sections[*index].level >= level || self.sections[*index].level == 0)
            {
                outer = self.sections[index].parent;
            }
            outer
        };
        let id = explicit_id(&attributes).unwrap_or_else(|| {
            let slug = slug(&title);
            let mut id = slug.clone();
            // From where the last search for this slug ended, so that a thousand equal headings are no square of it.
            while self.slugs.contains_key(&id) {
                let next = self.slugs.entry(slug.clone()).or_insert(2);
                id = format!("{slug}-{next}");
                *next += 1;
            }
            id
        });
        self.slugs.entry(id.clone()).or_insert(2);
        self.sections.push(Section {
            id,
            title,
            level,
            parent,
            line,
            window: None,
            anchor: Anchor::Declared,
            pause: false,
            strict: false,
            when: None,
            role: None,
            escalate: None,
            every: None,
            items: Vec::new(),
            notes: Vec::new(),
            attributes,
            written,
        });
        self.counted.push(0);
        self.sections.len() - 1
    }

    /// The title of a heading without its window, and the window.
    fn title(&mut self, inline: &mut Inline, at: usize) -> (String, Option<Window>) {
        let all = 0..inline.letters.len();
        if let Some(parenthesis) = inline.last_parenthesis(all) {
            let text = inline.slice(parenthesis.start + 1..parenthesis.end - 1);
            if let Some(written) = window::parse(&text, true) {
                let window = self.window(written, text, at);
                inline.remove(parenthesis);
                let title = without_colon(&inline.text());
                // Nothing but the parenthesis: it is the title as well.
                let title = if title.is_empty() {
                    window.as_ref().map_or(title, |window| window.text.clone())
                } else {
                    title
                };
                return (title, window);
            }
        }
        let title = without_colon(&inline.text());
        let is_plain = |length: usize| !inline.letters.iter().take(length).any(|letter| letter.is_literal);
        if let Some(written) = window::parse(&title, false).filter(|_| is_plain(usize::MAX)) {
            let window = self.window(written, title.clone(), at);
            return (title, window);
        }
        if let Some((written, length)) = window::leading(&title).filter(|(_, length)| is_plain(*length)) {
            let text = title[..length].trim_end_matches(|c: char| {
                c.is_whitespace() || matches!(c, ':' | '-' | '–' | '—' | '.' | ',')
            });
            let window = self.window(written, text.to_owned(), at);
            let rest = title[length..].to_owned();
            return (if rest.is_empty() { title } else { rest }, window);
        }
        (title, None)
    }

    /// A window with its place; one that ends before it begins is told and not used.
    fn window(&mut self, written: Written, text: String, at: usize) -> Option<Window> {
        if written.is_inverted() {
            let why = format!("the window `{text}` ends before it begins and is not used; turn it around");
            self.problem(Level::Warning, "window-inverted", at, why);
            return None;
        }
        let Written { form, lead, from, until, warn_at } = written;
        Some(Window { form, text, line: self.lines.line(at), lead, from, until, warn_at })
    }

    /// Makes the items, and gives every other block to what it belongs to.
    fn items(&mut self, placed: &[(Option<usize>, &Block)]) -> Result<(), TooBig> {
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
                    let under = Under { section: *section, parent: leaf, depth: 0, window: None };
                    let steps = with_steps.contains(section);
                    let item = self.list(*ordered, entries, range, under, steps)?;
                    last = item.map(|item| (Some(*section), item));
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
    fn leaf_sections(&mut self) -> Result<(), TooBig> {
        let parents: BTreeSet<usize> = self.sections.iter().filter_map(|section| section.parent).collect();
        for index in (0..self.sections.len()).filter(|index| !parents.contains(index)) {
            let section = &self.sections[index];
            let (line, text, attributes) = (section.line, section.title.clone(), section.attributes.clone());
            let under = Under { section: index, parent: None, depth: 0, window: None };
            self.item(under, line, text, attributes)?;
        }
        Ok(())
    }

    /// Sections with `.steps` and without a task: their numbered entries are items beside the tasks of the others.
    fn sections_with_steps(&mut self, placed: &[(Option<usize>, &Block)]) -> BTreeSet<usize> {
        let wants = |attributes: &Attributes| {
            attributes
                .0
                .iter()
                .find(|(attribute, _)| *attribute == Attribute::Flag("steps".to_owned()))
                .map(|(_, place)| place.clone())
        };
        let mut with_steps = BTreeSet::new();
        for index in 0..self.sections.len() {
            let Some(place) = wants(&self.sections[index].attributes) else { continue };
            let has_task = placed.iter().any(|(section, block)| {
                *section == Some(index)
                    && any_entry(std::slice::from_ref(*block), &|_, entry| task(entry, self.text).is_some())
            });
            if has_task {
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
    fn list(
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
            self.fences_below(entries, under);
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
    fn entry(
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
            self.items[index].notes.push("ticked in source".to_owned());
            let text = "it is ticked in the file and starts open all the same; write `[ ]`".to_owned();
            self.problem(Level::Warning, "ticked-in-source", at, text);
        }
        let lead = usize::from(entry.lead().is_some());
        let inner = Under { parent: Some(index), depth: under.depth + 1, window: None, ..under };
        self.body(&entry.blocks[lead..], inner, steps)?;
        Ok(index)
    }

    /// An entry that is none: its text is a note, and what is in it is looked at.
    fn plain_entry(
        &mut self,
        ordered: bool,
        entry: &Entry,
        under: Under<'_>,
        steps: bool,
    ) -> Result<Option<usize>, TooBig> {
        let mut inline = entry.lead().cloned().unwrap_or_default();
        let has_children =
            any_entry(&entry.blocks, &|ordered, entry| self.item_mark(ordered, entry, steps).is_some());
        self.near_task(&inline);
        let own =
            if ordered && has_children { self.group_window(&mut inline, entry.range.start) } else { None };
        let text = inline.text();
        let is_choice = !ordered && !has_children;
        if let (Some(parent), true) = (under.parent, is_choice) {
            self.items[parent].bullets.push(text.clone());
        }
        self.note((!text.is_empty()).then_some(text), under.parent, Some(under.section));
        let lead = usize::from(entry.lead().is_some());
        self.body(&entry.blocks[lead..], Under { window: own.as_ref().or(under.window), ..under }, steps)
    }

    /// What is in an entry behind its first paragraph. Gives the last item in it.
    fn body(&mut self, blocks: &[Block], under: Under<'_>, steps: bool) -> Result<Option<usize>, TooBig> {
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

    fn item(
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
    fn group_window(&mut self, inline: &mut Inline, at: usize) -> Option<Window> {
        let parenthesis = inline.last_parenthesis(inline.strong_lead()?)?;
        let text = inline.slice(parenthesis.start + 1..parenthesis.end - 1);
        let written = window::parse(&text, true)?;
        inline.remove(parenthesis);
        self.window(written, text, at)
    }

    fn fence(
        &mut self,
        info: &str,
        text: &str,
        range: &Range<usize>,
        item: Option<usize>,
        section: Option<usize>,
    ) {
        let (command, odd) = fence::command(info, text, self.lines.line(range.start));
        for (_, attribute) in odd {
            let text = format!(
                "`{}` means nothing on a fence; a fence takes `.note`, which keeps it from being offered",
                attribute.name()
            );
            self.problem(Level::Error, "misplaced-attribute", range.start, text);
        }
        if let Some(item) = item {
            self.items[item].commands.push(command);
        } else {
            let note = self.source(range);
            self.note(Some(note), None, section);
            self.unbound.push(command);
        }
    }

    /// The fences in entries that are no items.
    fn fences_below(&mut self, entries: &[Entry], under: Under<'_>) {
        for block in entries.iter().flat_map(|entry| &entry.blocks) {
            match block {
                Block::Fence { info, text, range } => {
                    let (command, _) = fence::command(info, text, self.lines.line(range.start));
                    match under.parent {
                        Some(parent) => self.items[parent].commands.push(command),
                        None => self.unbound.push(command),
                    }
                }
                Block::List { entries, .. } => self.fences_below(entries, under),
                Block::Comment { text, at } => self.comment(text, *at),
                _ => {}
            }
        }
        for entry in entries {
            if let Some(inline) = entry.lead() {
                self.near_task(inline);
            }
        }
    }

    fn bullets(&mut self, ordered: bool, entries: &[Entry], parent: Option<usize>) {
        if let (Some(parent), false) = (parent, ordered) {
            let texts = entries.iter().filter_map(|entry| entry.lead()).map(Inline::text);
            let texts: Vec<String> = texts.filter(|text| !text.is_empty()).collect();
            self.items[parent].bullets.extend(texts);
        }
    }

    /// `[]` and `[ ]x`, which are no tasks.
    fn near_task(&mut self, inline: &Inline) {
        let text = &self.text[inline.range.clone()];
        let is_empty = text.starts_with("[] ");
        let is_joined = ["[ ]", "[x]", "[X]"]
            .iter()
            .any(|mark| text.strip_prefix(mark).is_some_and(|rest| rest.starts_with(char::is_alphanumeric)));
        if is_empty || is_joined {
            let text = "this is no task and stays text; a task begins with `[ ]` and a space".to_owned();
            self.problem(Level::Warning, "near-miss", inline.range.start, text);
        }
    }

    fn note(&mut self, note: Option<String>, item: Option<usize>, section: Option<usize>) {
        let Some(note) = note.filter(|note| !note.is_empty()) else { return };
        match (item, section) {
            (Some(item), _) => self.items[item].notes.push(note),
            (None, Some(section)) => self.sections[section].notes.push(note),
            (None, None) => self.notes.push(note),
        }
    }

    /// What a block that is looked no further into says.
    fn note_of(&mut self, block: &Block) -> Option<String> {
        match block {
            Block::Paragraph { inline, .. } | Block::Heading { inline, .. } => {
                for (at, why) in braces::cut(self.text, &mut inline.clone()).near_misses {
                    self.problem(Level::Warning, "near-miss", at, why);
                }
                Some(inline.text())
            }
            Block::Quote(range) => {
                let source = self.source(range);
                if quoted_task(&source) {
                    let text = "a task in a quote is not read; take it out of the quote".to_owned();
                    self.problem(Level::Warning, "task-in-quote", range.start, text);
                }
                Some(source)
            }
            Block::Other(range) => Some(without_tags(&self.source(range))),
            Block::List { range, .. } | Block::Fence { range, .. } => Some(self.source(range)),
            Block::Comment { .. } | Block::Nothing => None,
        }
    }

    /// A block as it is written, moved to the left as far as its first line.
    fn source(&self, range: &Range<usize>) -> String {
        let indent = self.text[self.lines.start_of_line(range.start)..range.start].chars().count();
        let mut text = String::new();
        for (index, line) in self.text[range.clone()].lines().enumerate() {
            let blanks = line
                .chars()
                .take(indent)
                .take_while(|c| c.is_whitespace())
                .map(char::len_utf8)
                .sum::<usize>();
            if index > 0 {
                text.push('\n');
            }
            text.push_str(if index > 0 { line[blanks..].trim_end() } else { line.trim_end() });
        }
        text.trim_end().to_owned()
    }

    /// What can be said only when everything is there.
    fn finish(&mut self) {
        for item in &mut self.items {
            let mut hash = Sha256::new();
            let commands = item.commands.iter().map(|command| &command.text);
            for part in std::iter::once(&item.text).chain(&item.notes).chain(commands) {
                hash.update(part.as_bytes());
                hash.update([0]);
            }
            item.hash = hex::encode(hash.finalize());
        }
        let empty: Vec<(usize, usize)> = self
            .items
            .iter()
            .enumerate()
            .filter(|(_, item)| item.text.is_empty())
            .map(|(index, item)| (index, item.line))
            .collect();
        for (index, line) in empty {
            let item = &mut self.items[index];
            let shown = item.commands.first().and_then(|command| command.text.lines().next());
            item.text = shown.unwrap_or("(no text)").to_owned();
            let text = "it says nothing; write what is to be done or to be true".to_owned();
            self.found.push(Problem {
                level: Level::Warning,
                rule: "empty-item",
                file: None,
                line,
                column: 1,
                text,
            });
        }
        if self.items.is_empty() {
            let text = "nothing in it is an item: no task, no numbered step, no heading".to_owned();
            self.problem(Level::Warning, "no-items", 0, text);
        }
    }
}

fn explicit_id(attributes: &Attributes) -> Option<String> {
    attributes.0.iter().find_map(|(attribute, _)| match attribute {
        Attribute::Id(id) => Some(id.clone()),
        _ => None,
    })
}

/// A paragraph that is one strong span, but for attributes behind it.
fn is_pseudo_heading(source: &str, inline: &Inline) -> bool {
    if inline.strong.len() != 1 {
        return false;
    }
    let mut inline = inline.clone();
    braces::cut(source, &mut inline);
    inline.is_one_strong_span()
}

fn without_colon(title: &str) -> String {
    title.trim().trim_end_matches(':').trim_end().replace(" :", ":")
}

fn quoted_task(source: &str) -> bool {
    source.lines().any(|line| {
        let line = line.trim_start_matches(|c: char| c == '>' || c.is_whitespace());
        let rest = line.trim_start_matches(|c: char| {
            c.is_ascii_digit() || matches!(c, '-' | '*' | '+' | '.' | ')' | ' ')
        });
        rest.len() < line.len() && ["[ ] ", "[x] ", "[X] "].iter().any(|mark| rest.starts_with(mark))
    })
}

/// HTML without its tags and comments; anything else as it is.
fn without_tags(source: &str) -> String {
    if !source.starts_with('<') {
        return source.to_owned();
    }
    let mut text = String::new();
    let mut rest = source;
    while let Some(open) = rest.find('<') {
        text.push_str(&rest[..open]);
        let end = if rest[open..].starts_with("<!--") { "-->" } else { ">" };
        rest = rest[open..].find(end).map_or("", |close| &rest[open + close + end.len()..]);
    }
    text.push_str(rest);
    text.trim().to_owned()
}

/// A title as an id: lower case, words joined by hyphens.
pub(super) fn slug(title: &str) -> String {
    let mut slug = String::new();
    for c in title.to_lowercase().chars() {
        if c.is_alphanumeric() || c == '_' {
            slug.push(c);
        } else if (c.is_whitespace() || c == '-' || c == '/') && !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.truncate(slug.trim_end_matches('-').len());
    if slug.is_empty() { "section".to_owned() } else { slug }
}
