//! Where attributes stand: the last thing of a heading or of an item's first paragraph, visible or in a comment. What only looks
//! like them stays text, with a warning where it was probably meant to be some.

use super::attributes::{self, Attribute, FLAGS, KEYS};
use super::inline::Inline;
use super::suggest::nearest;

/// Longer than any attributes that a person can read.
const LONGEST: usize = 2_000;
/// More than these in one text say nothing new.
const MOST_MISSES: usize = 20;

/// Attributes that were found, each with its byte in the file, and what looked like some.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) attributes: Vec<(usize, Attribute)>,
    pub(super) near_misses: Vec<(usize, String)>,
}

/// Cuts the attributes off a text.
pub(super) fn cut(source: &str, inline: &mut Inline) -> Found {
    let mut found = Found::default();
    let end = inline.range.start + source[inline.range.clone()].trim_end().len();
    let hidden = inline.comments.last().filter(|(range, _)| range.end == end).cloned();
    if let Some((range, text)) = &hidden
        && let Some(attributes) = attributes::braces(text)
    {
        let shift = range.start + source[range.clone()].find('{').unwrap_or_default();
        found.attributes = attributes.into_iter().map(|(at, attribute)| (shift + at, attribute)).collect();
        inline.comments.pop();
    } else if let Some((start, attributes)) = visible(source, inline, end) {
        found.attributes = attributes.into_iter().map(|(at, attribute)| (start + at, attribute)).collect();
        inline.drop_from(start);
        inline.comments.retain(|(range, _)| range.start < start);
    }
    for (range, text) in inline.comments.iter().take(MOST_MISSES) {
        if let Some(why) = near_miss(text) {
            found.near_misses.push((range.start, why));
        }
    }
    found.near_misses.extend(visible_near_misses(source, inline));
    found
}

/// Attributes in braces at the end: where they begin.
fn visible(source: &str, inline: &Inline, end: usize) -> Option<(usize, Vec<(usize, Attribute)>)> {
    if !source[..end].ends_with('}') {
        return None;
    }
    // The file itself says what stands before: a backslash is no letter of the text.
    let is_open = |at: usize| source[..at].ends_with(char::is_whitespace);
    let opens =
        inline.letters.iter().filter(|letter| letter.c == '{' && !letter.is_literal && is_open(letter.at));
    opens.map(|letter| letter.at).filter(|start| *start < end && end - start <= LONGEST).find_map(|start| {
        let text = source.get(start..end)?;
        Some((start, attributes::braces(text)?))
    })
}

/// Braces in a text that were probably meant to be attributes.
fn visible_near_misses(source: &str, inline: &Inline) -> Vec<(usize, String)> {
    let mut misses = Vec::new();
    let letters = &inline.letters;
    let mut index = 0;
    // Only goes on, so that a page of open braces is read once.
    let mut close = 0;
    while index < letters.len() && misses.len() < MOST_MISSES {
        if letters[index].c != '{' || letters[index].is_literal {
            index += 1;
            continue;
        }
        let rest = &letters[index + 1..];
        let is_template = rest.first().is_some_and(|next| matches!(next.c, '{' | '%'))
            || (index > 0 && matches!(letters[index - 1].c, '{' | '$'))
            || source[..letters[index].at].ends_with('\\');
        close = close.max(index + 1);
        while letters.get(close).is_some_and(|letter| letter.c != '}' && !letter.is_literal) {
            close += 1;
        }
        let is_closed = letters.get(close).is_some_and(|letter| !letter.is_literal);
        if !is_closed || close - index > LONGEST {
            index += 1;
            continue;
        }
        if !is_template {
            let text: String = letters[index..=close].iter().map(|letter| letter.c).collect();
            misses.extend(near_miss(&text).map(|why| (letters[index].at, why)));
        }
        index = close + 1;
    }
    misses
}

/// Why braces that were not taken for attributes were probably meant to be some.
pub(super) fn near_miss(text: &str) -> Option<String> {
    if !text.starts_with('{') || !text.ends_with('}') || text.len() > LONGEST {
        return None;
    }
    if attributes::braces(text).is_some() {
        return Some(
            "these attributes are not read: they stand behind a space at the very end of a heading or of an item's first \
             paragraph, one group of them"
                .to_owned(),
        );
    }
    if let Some(tokens) = attributes::tokens(text) {
        return tokens.iter().find_map(|(_, attribute)| {
            let valid = if matches!(attribute, Attribute::Flag(_)) { FLAGS } else { KEYS };
            // Two letters that differ in one are near to half of all words.
            let near =
                nearest(attribute.name(), valid.iter().copied()).filter(|_| attribute.name().len() > 3)?;
            Some(format!(
                "`{}` is no attribute, so this stays text; did you mean `{near}`?",
                attribute.name()
            ))
        });
    }
    let inner = &text[1..text.len() - 1];
    let is_known = inner.split_whitespace().any(|word| {
        word.strip_prefix('.').is_some_and(|flag| FLAGS.contains(&flag))
            || word.split_once('=').is_some_and(|(key, _)| KEYS.contains(&key))
    });
    is_known.then(|| {
        "this cannot be read as attributes and stays text; write `{.flag key=\"a value with spaces\"}`"
            .to_owned()
    })
}
