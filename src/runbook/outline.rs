//! Which blocks of a document are sections, items, notes and commands.
//!
//! First the sections, with what is in each; then the lists of each section, entry by entry.

mod lists;
mod notes;
mod sections;

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use super::attributes::{Attribute, Attributes, Place};
use super::blocks::{self, Block, Entry};
use super::braces::{self, Found};
use super::document::{Command, Item, Runbook, Section, Tier, Window};
use super::inline::Inline;
use super::place::Lines;
use super::problem::{Level, Problem, TooBig};
use super::{MOST_BYTES, front};

/// Reads a document without what its attributes mean.
pub(super) fn read(name: &str, text: &str, tier: Option<Tier>) -> Result<Runbook, TooBig> {
    if text.len() > MOST_BYTES {
        return Err(TooBig::Bytes { name: name.to_owned(), bytes: text.len() });
    }
    let sha256 = hex::encode(Sha256::digest(text.as_bytes()));
    // Lines end in one way from here on; lines and columns stay what they are.
    let unix;
    let text = if text.contains('\r') {
        unix = text.replace("\r\n", "\n").replace('\r', "\n");
        unix.as_str()
    } else {
        text
    };
    let front = front::read(text);
    let lines = Lines::new(text);
    let too_deep = |at: usize| TooBig::Depth { name: name.to_owned(), line: lines.line(at) };
    let blocks = blocks::read(&text[front.length..], front.length).map_err(|error| too_deep(error.0))?;
    let natural = natural_tier(&blocks, text);
    let mut outline = Outline {
        name,
        text,
        title: None,
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
    let title = front.title.or(outline.title.take());
    outline.finish();
    let Outline { tier, sections, items, unbound, notes, found, .. } = outline;
    Ok(Runbook {
        name: name.to_owned(),
        sha256,
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

/// The note of an item that is ticked in the file.
const TICKED: &str = "ticked in source";

struct Outline<'t> {
    name: &'t str,
    text: &'t str,
    /// The first heading of level 1.
    title: Option<String>,
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
    /// What that group, or any plain entry around it, is called.
    group: Option<&'w str>,
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

    /// What can be said only when everything is there.
    fn finish(&mut self) {
        for item in &mut self.items {
            let mut hash = Sha256::new();
            let commands = item.commands.iter().map(|command| &command.text);
            // A tick in the file makes no other item of it.
            let notes = item.notes.iter().filter(|note| *note != TICKED);
            for part in std::iter::once(&item.text).chain(notes).chain(commands) {
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
