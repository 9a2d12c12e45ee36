//! A line of text as Markdown reads it: its letters with their place in the file and what they are part of, so that what stands
//! in code or in a link is never taken for an attribute or a window.

use std::ops::Range;

use pulldown_cmark::{Event, Tag, TagEnd};

/// One letter.
#[derive(Clone, Copy, Debug)]
pub(super) struct Letter {
    pub(super) c: char,
    /// The byte in the file.
    pub(super) at: usize,
    /// In code or a link.
    pub(super) is_literal: bool,
}

/// The text of a paragraph or a heading.
#[derive(Clone, Debug, Default)]
pub(super) struct Inline {
    pub(super) letters: Vec<Letter>,
    /// HTML comments in it: their place in the file and what is in them.
    pub(super) comments: Vec<(Range<usize>, String)>,
    /// Strong spans, as ranges of `letters`.
    pub(super) strong: Vec<Range<usize>>,
    /// From the first thing in it to the last, as bytes of the file.
    pub(super) range: Range<usize>,
    strong_depth: usize,
    link_depth: usize,
}

impl Inline {
    /// Takes the next event. Block events do not come here.
    pub(super) fn take(&mut self, event: &Event<'_>, range: Range<usize>) {
        if self.range.is_empty() {
            self.range = range.clone();
        }
        self.range.end = self.range.end.max(range.end);
        match event {
            Event::Text(text) => self.push(text, &range, false),
            Event::Code(text) => self.push(text, &range, true),
            Event::SoftBreak | Event::HardBreak => self.push(" ", &range, false),
            Event::InlineHtml(html) => {
                if let Some(comment) = comment(html) {
                    self.comments.push((range, comment.to_owned()));
                }
            }
            Event::Start(Tag::Strong) => {
                if self.strong_depth == 0 {
                    self.strong.push(self.letters.len()..self.letters.len());
                }
                self.strong_depth += 1;
            }
            Event::End(TagEnd::Strong) => {
                self.strong_depth = self.strong_depth.saturating_sub(1);
                if let Some(span) = self.strong.last_mut()
                    && self.strong_depth == 0
                {
                    span.end = self.letters.len();
                }
            }
            Event::Start(Tag::Link { .. } | Tag::Image { .. }) => self.link_depth += 1,
            Event::End(TagEnd::Link | TagEnd::Image) => self.link_depth = self.link_depth.saturating_sub(1),
            _ => {}
        }
    }

    fn push(&mut self, text: &str, range: &Range<usize>, is_code: bool) {
        let is_literal = is_code || self.link_depth > 0;
        // An entity is longer in the file than in the text; its letters all stand where it begins.
        let is_verbatim = text.len() == range.len();
        for (offset, c) in text.char_indices() {
            let at = if is_verbatim { range.start + offset } else { range.start };
            let c = if c.is_whitespace() { ' ' } else { c };
            self.letters.push(Letter { c, at, is_literal });
        }
    }

    /// The text, with single spaces.
    pub(super) fn text(&self) -> String {
        tidy(&self.letters)
    }

    /// Drops what stands before a byte of the file.
    pub(super) fn drop_before(&mut self, byte: usize) {
        let kept = self.letters.iter().position(|letter| letter.at >= byte).unwrap_or(self.letters.len());
        self.remove(0..kept);
    }

    /// Drops what stands at or behind a byte of the file.
    pub(super) fn drop_from(&mut self, byte: usize) {
        let from = self.letters.iter().position(|letter| letter.at >= byte).unwrap_or(self.letters.len());
        self.remove(from..self.letters.len());
    }

    /// Drops letters; the strong spans stay where they were.
    pub(super) fn remove(&mut self, range: Range<usize>) {
        let moved = |index: usize| {
            if index <= range.start {
                index
            } else {
                range.start + index.saturating_sub(range.end.min(index))
            }
        };
        for span in &mut self.strong {
            *span = moved(span.start)..moved(span.end);
        }
        self.letters.drain(range);
    }

    /// The one strong span that it consists of, but for a colon and spaces.
    pub(super) fn is_one_strong_span(&self) -> bool {
        let [span] = self.strong.as_slice() else { return false };
        let is_blank = |letter: &Letter| letter.c == ' ';
        let behind: String = self.letters[span.end..].iter().map(|letter| letter.c).collect();
        !span.is_empty()
            && self.letters[..span.start].iter().all(is_blank)
            && matches!(behind.trim(), "" | ":")
            && !self.letters[span.clone()].iter().all(is_blank)
    }

    /// The strong span that it begins with.
    pub(super) fn strong_lead(&self) -> Option<Range<usize>> {
        let span = self.strong.first()?;
        self.letters[..span.start].iter().all(|letter| letter.c == ' ').then(|| span.clone())
    }

    /// The last parenthesis within some letters, if none of it is code or a link: the letters from `(` to `)`.
    pub(super) fn last_parenthesis(&self, within: Range<usize>) -> Option<Range<usize>> {
        let letters = &self.letters[within.clone()];
        let close = letters.iter().rposition(|letter| letter.c == ')' && !letter.is_literal)?;
        let mut depth = 0_usize;
        for open in (0..=close).rev() {
            if letters[open].is_literal {
                return None;
            }
            match letters[open].c {
                ')' => depth += 1,
                '(' => {
                    depth -= 1;
                    if depth == 0 {
                        return Some(within.start + open..within.start + close + 1);
                    }
                }
                _ => {}
            }
        }
        None
    }

    /// Some of its letters as text.
    pub(super) fn slice(&self, range: Range<usize>) -> String {
        tidy(&self.letters[range])
    }
}

fn tidy(letters: &[Letter]) -> String {
    let mut text = String::with_capacity(letters.len());
    for letter in letters {
        if letter.c != ' ' || !(text.is_empty() || text.ends_with(' ')) {
            text.push(letter.c);
        }
    }
    text.truncate(text.trim_end().len());
    text
}

/// What is in an HTML comment, if it is one.
pub(super) fn comment(html: &str) -> Option<&str> {
    html.trim().strip_prefix("<!--")?.strip_suffix("-->").map(str::trim)
}
