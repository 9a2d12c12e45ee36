//! Headings, and strong paragraphs that are some, with their titles, ids and windows.

use super::{Outline, any_entry, explicit_id, task};
use crate::runbook::attributes::Attribute;
use crate::runbook::blocks::{Block, Entry};
use crate::runbook::braces;
use crate::runbook::document::{Anchor, Section, Tier, Window};
use crate::runbook::inline::Inline;
use crate::runbook::problem::Level;
use crate::runbook::window::{self, Written};

impl Outline<'_> {
    /// Makes the sections, and says of every other block in which one it is.
    pub(super) fn sections<'b>(&mut self, blocks: &'b [Block]) -> Vec<(Option<usize>, &'b Block)> {
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
                    let index = self.section(*level, inline.clone(), range.start);
                    current = Some(index);
                    let title = &self.sections[index].title;
                    if *level == 1 && self.title.is_none() && !title.is_empty() {
                        self.title = Some(title.clone());
                    }
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
    pub(super) fn reserve_ids(&mut self, blocks: &[Block]) {
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

    pub(super) fn comment(&mut self, text: &str, at: usize) {
        if let Some(why) = braces::near_miss(text) {
            self.problem(Level::Warning, "near-miss", at, why);
        }
    }

    pub(super) fn has_items(&self, blocks: &[Block]) -> bool {
        any_entry(blocks, &|ordered, entry| self.item_mark(ordered, entry, false).is_some())
    }

    /// Whether an entry is an item: its tick and where its text begins.
    pub(super) fn item_mark(&self, ordered: bool, entry: &Entry, has_steps: bool) -> Option<(bool, usize)> {
        let task = task(entry, self.text);
        let is_step = ordered && task.is_none();
        match self.tier {
            Tier::Tasks if has_steps && is_step => Some((false, entry.range.start)),
            Tier::Tasks => task,
            Tier::Steps => is_step.then_some((false, entry.range.start)),
            Tier::Headings => None,
        }
    }

    pub(super) fn section(&mut self, level: u8, mut inline: Inline, at: usize) -> usize {
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
    pub(super) fn title(&mut self, inline: &mut Inline, at: usize) -> (String, Option<Window>) {
        let all = 0..inline.letters.len();
        if let Some(parenthesis) = inline.last_parenthesis(all) {
            let text = inline.slice(parenthesis.start + 1..parenthesis.end - 1);
            if let Some(written) = window::parse(&text, true) {
                let window = self.window(&written, text, at);
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
            let window = self.window(&written, title.clone(), at);
            return (title, window);
        }
        if let Some((written, length)) = window::leading(&title).filter(|(_, length)| is_plain(*length)) {
            let text = title[..length].trim_end_matches(|c: char| {
                c.is_whitespace() || matches!(c, ':' | '-' | '–' | '—' | '.' | ',')
            });
            let window = self.window(&written, text.to_owned(), at);
            let rest = title[length..].to_owned();
            return (if rest.is_empty() { title } else { rest }, window);
        }
        (title, None)
    }

    /// A window with its place; one that ends before it begins is told and not used.
    pub(super) fn window(&mut self, written: &Written, text: String, at: usize) -> Option<Window> {
        if written.is_inverted() {
            let why = format!("the window `{text}` ends before it begins and is not used; turn it around");
            self.problem(Level::Warning, "window-inverted", at, why);
            return None;
        }
        let Written { form, lead, from, until, warn_at } = *written;
        Some(Window { form, text, line: self.lines.line(at), lead, from, until, warn_at })
    }
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

/// A title as an id: lower case, words joined by hyphens.
pub(super) fn slug(title: &str) -> String {
    let mut slug = String::new();
    for c in title.to_lowercase().chars() {
        if c.is_alphanumeric() || c == '_' {
            slug.push(c);
        } else if (c.is_whitespace() || matches!(c, '-' | '–' | '—' | '/'))
            && !slug.is_empty()
            && !slug.ends_with('-')
        {
            slug.push('-');
        }
    }
    slug.truncate(slug.trim_end_matches('-').len());
    if slug.is_empty() { "section".to_owned() } else { slug }
}
