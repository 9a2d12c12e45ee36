//! Everything that is no item: fences, bullets, prose, tables and quotes, kept where it was written.

use std::ops::Range;

use super::Outline;
use crate::runbook::attributes::Attribute;
use crate::runbook::blocks::{Block, Entry};
use crate::runbook::braces::{self, Found};
use crate::runbook::fence;
use crate::runbook::inline::Inline;
use crate::runbook::problem::Level;

impl Outline<'_> {
    pub(super) fn fence(
        &mut self,
        info: &str,
        text: &str,
        range: &Range<usize>,
        item: Option<usize>,
        section: Option<usize>,
    ) {
        let (command, odd) = fence::command(info, text, self.lines.line(range.start));
        // What is not ours is another program's: `{#listing .numbered}`.
        for (_, attribute) in odd.into_iter().filter(|(_, attribute)| attribute.is_ours()) {
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
    pub(super) fn fences_below(&mut self, entries: &[Entry], parent: Option<usize>) {
        for block in entries.iter().flat_map(|entry| &entry.blocks) {
            match block {
                Block::Fence { info, text, range } => {
                    let (command, _) = fence::command(info, text, self.lines.line(range.start));
                    match parent {
                        Some(parent) => self.items[parent].commands.push(command),
                        None => self.unbound.push(command),
                    }
                }
                Block::List { entries, .. } => self.fences_below(entries, parent),
                Block::Comment { text, at } => self.comment(text, *at),
                _ => {}
            }
        }
        for entry in entries {
            if let Some(inline) = entry.lead() {
                self.no_item(inline);
            }
        }
    }

    pub(super) fn bullets(&mut self, ordered: bool, entries: &[Entry], parent: Option<usize>) {
        if let (Some(parent), false) = (parent, ordered) {
            let texts = entries.iter().filter_map(|entry| entry.lead()).map(Inline::text);
            let texts: Vec<String> = texts.filter(|text| !text.is_empty()).collect();
            self.items[parent].bullets.extend(texts);
        }
    }

    /// Text that is no item, and was perhaps meant to be one: `[]` and `[ ]x` are no tasks, and attributes mean nothing on it.
    pub(super) fn no_item(&mut self, inline: &Inline) {
        self.no_attributes(inline);
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

    fn no_attributes(&mut self, inline: &Inline) {
        let Found { attributes, near_misses } = braces::cut(self.text, &mut inline.clone());
        for (at, why) in near_misses {
            self.problem(Level::Warning, "near-miss", at, why);
        }
        // A name alone is what other programs give to any text.
        let meant = attributes.iter().find(|(_, attribute)| !matches!(attribute, Attribute::Id(_)));
        if let Some((at, _)) = meant {
            let text =
                "these attributes are on text that is no item; they belong on a heading, a task or a step"
                    .to_owned();
            self.problem(Level::Warning, "near-miss", *at, text);
        }
    }

    pub(super) fn note(&mut self, note: Option<String>, item: Option<usize>, section: Option<usize>) {
        let Some(note) = note.filter(|note| !note.is_empty()) else { return };
        match (item, section) {
            (Some(item), _) => self.items[item].notes.push(note),
            (None, Some(section)) => self.sections[section].notes.push(note),
            (None, None) => self.notes.push(note),
        }
    }

    /// What a block that is looked no further into says.
    pub(super) fn note_of(&mut self, block: &Block) -> Option<String> {
        match block {
            Block::Paragraph { inline, .. } | Block::Heading { inline, .. } => {
                self.no_attributes(inline);
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
    pub(super) fn source(&self, range: &Range<usize>) -> String {
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
