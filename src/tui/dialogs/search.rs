//! Finding things by a few of their letters, and marking the letters that were found.

use nucleo_matcher::pattern::{CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};
use ratatui::style::Style;
use ratatui::text::Span;
use unicode_segmentation::UnicodeSegmentation;

use crate::tui::theme::Tone;
use crate::tui::widgets::Look;

/// What is searched for.
pub(super) struct Search {
    matcher: Matcher,
    pattern: Pattern,
}

/// How well something fits, and the places of the characters that do.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Found {
    pub(super) score: u32,
    pub(super) places: Vec<u32>,
}

impl Search {
    /// Words in any order, each as letters in order; the empty search finds everything.
    pub(super) fn new(text: &str) -> Self {
        Self {
            matcher: Matcher::new(Config::DEFAULT),
            pattern: Pattern::parse(text, CaseMatching::Ignore, Normalization::Smart),
        }
    }

    /// How well a text fits; none if it does not.
    pub(super) fn find(&mut self, text: &str) -> Option<Found> {
        let mut chars = Vec::new();
        let mut places = Vec::new();
        let score = self.pattern.indices(Utf32Str::new(text, &mut chars), &mut self.matcher, &mut places)?;
        places.sort_unstable();
        places.dedup();
        Some(Found { score, places })
    }
}

/// A text with the characters at these places marked.
pub(super) fn marked(look: Look<'_>, text: &str, places: &[u32], style: Style) -> Vec<Span<'static>> {
    let mut spans: Vec<Span<'static>> = Vec::new();
    let matched = style.patch(look.style(Tone::Match));
    for (at, grapheme) in text.graphemes(true).enumerate() {
        let is_found = u32::try_from(at).is_ok_and(|at| places.binary_search(&at).is_ok());
        let style = if is_found { matched } else { style };
        match spans.last_mut() {
            Some(last) if last.style == style => last.content.to_mut().push_str(grapheme),
            _ => spans.push(Span::styled(grapheme.to_owned(), style)),
        }
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Letters in order are enough; words may come in any order; others are not found.
    #[test]
    fn a_few_letters() {
        for (text, searched, is_found) in [
            ("roll-back", "rb", true),
            ("roll-back", "ROLL", true),
            ("lift the freeze", "freeze lift", true),
            ("roll-back", "kb", false),
            ("zoom", "", true),
            ("zoom", "zoomy", false),
        ] {
            assert_eq!(Search::new(searched).find(text).is_some(), is_found, "{searched} in {text}");
        }
        assert_eq!(Search::new("rb").find("roll-back").unwrap().places, [0, 5]);
    }
}
