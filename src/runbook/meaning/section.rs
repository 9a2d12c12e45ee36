//! What attributes and headings make of a section: its window, what that is counted from, and how it is worked through.

use crate::runbook::document::{Anchor, Runbook, Section, Tier, Window, WindowForm};
use crate::runbook::window;

use super::{On, Reader, warn_at};

/// Words of a heading that make it one of the time after the incident.
const AFTERWARDS: [&str; 8] = [
    "post-incident",
    "post incident",
    "postincident",
    "post-mortem",
    "post mortem",
    "postmortem",
    "retrospective",
    "retrospectives",
];

pub(super) fn apply(reader: &mut Reader<'_>, runbook: &mut Runbook) {
    let anchors = ["declared", "resolved", "section", "detected"];
    // What each section says itself of its anchor; parents come before their children.
    let mut said: Vec<Option<Anchor>> = Vec::with_capacity(runbook.sections.len());
    for index in 0..runbook.sections.len() {
        let attributes = runbook.sections[index].attributes.clone();
        let is_item = runbook.tier == Tier::Headings && !runbook.sections[index].items.is_empty();
        reader.names(&attributes, if is_item { On::Both } else { On::Section });
        let warn = reader.warn(&attributes);
        let written = runbook.sections[index].written.clone();
        let (window, every) = stretch(reader, &runbook.sections[index], written);
        let own = attributes.value("anchor").and_then(|(value, place)| {
            Some(match reader.word("anchor", value, place, &anchors)? {
                "resolved" => Anchor::Resolved,
                "section" => Anchor::Section,
                "detected" => Anchor::Detected,
                _ => Anchor::Declared,
            })
        });
        let parent = runbook.sections[index].parent;
        let inherited = own.or_else(|| parent.and_then(|parent| said[parent]));
        said.push(inherited);
        let is_budget = window.as_ref().is_some_and(|window| window.form == WindowForm::Budget);
        let anchor = match own {
            Some(anchor) => anchor,
            None if is_budget => Anchor::Section,
            None => inherited.unwrap_or_else(|| by_title(runbook, index)),
        };
        let when = attributes.value("when").and_then(|(value, place)| reader.condition("when", value, place));
        let strict = attributes
            .value("order")
            .and_then(|(value, place)| reader.word("order", value, place, &["strict", "free"]));
        let role = reader.role(&attributes);
        let escalate = reader.escalate(&attributes);
        if let Some((_, place)) = attributes.value("warn")
            && window.as_ref().is_none_or(|window| window.until.is_none())
        {
            reader.error("misplaced-attribute", place, "`warn` needs a window that ends, or `within`");
        }
        let window = window.map(|window| {
            let first = window.warn_at.filter(|_| warn.is_none());
            Window { warn_at: first.or_else(|| warn_at(window.from, window.until, warn)), ..window }
        });
        let section = &mut runbook.sections[index];
        section.window = window;
        section.every = every;
        section.anchor = anchor;
        section.pause = attributes.flag("pause").is_some();
        section.strict = strict == Some("strict");
        section.when = when;
        section.role = role;
        section.escalate = escalate;
    }
}

/// The window of a section and how often it opens again: what is said in attributes outweighs the heading.
fn stretch(
    reader: &mut Reader<'_>,
    section: &Section,
    written: Option<Window>,
) -> (Option<Window>, Option<std::time::Duration>) {
    let attributes = &section.attributes;
    let mut window = written;
    if let Some((value, place)) = attributes.value("window") {
        window = said_window(reader, value, place, section.line);
    } else if let Some((value, place)) = attributes.value("within") {
        window = reader.duration("within", value, place).map(|until| Window {
            form: WindowForm::Within,
            text: format!("within {value}"),
            line: section.line,
            lead: std::time::Duration::ZERO,
            from: std::time::Duration::ZERO,
            until: Some(until),
            warn_at: None,
        });
    }
    let mut every =
        attributes.value("every").and_then(|(value, place)| reader.duration("every", value, place));
    if let Some(repeated) = window.take_if(|window| window.form == WindowForm::Every) {
        every = every.or(Some(repeated.from));
    }
    (window, every)
}

/// `window="0-5 min"` and `window=none`.
pub(super) fn said_window(
    reader: &mut Reader<'_>,
    value: &str,
    place: &super::Place,
    line: usize,
) -> Option<Window> {
    if value.eq_ignore_ascii_case("none") {
        return None;
    }
    let Some(written) = window::parse(value, true) else {
        reader.error(
            "bad-value",
            place,
            format!("`{value}` is no window; write one like `0-5 min`, `30+ min` or `none`"),
        );
        return None;
    };
    if written.is_inverted() {
        reader.error("bad-value", place, format!("the window `{value}` ends before it begins"));
        return None;
    }
    let window::Written { form, lead, from, until, warn_at } = written;
    Some(Window { form, text: value.to_owned(), line, lead, from, until, warn_at })
}

/// What times are counted from where nobody says it.
fn by_title(runbook: &Runbook, index: usize) -> Anchor {
    let mut own_or_outer = Some(index);
    let mut is_post = false;
    while let Some(index) = own_or_outer {
        let title = runbook.sections[index].title.to_lowercase();
        if AFTERWARDS.iter().any(|words| has_words(&title, words)) {
            return Anchor::Resolved;
        }
        is_post |= title
            .split(|c: char| !(c.is_alphanumeric() || c == '-'))
            .any(|word| word.strip_prefix("post-").is_some_and(|rest| rest.starts_with(char::is_alphabetic)));
        own_or_outer = runbook.sections[index].parent;
    }
    if is_post { Anchor::Section } else { Anchor::Declared }
}

fn has_words(title: &str, words: &str) -> bool {
    title.match_indices(words).any(|(at, _)| {
        let before = title[..at].chars().next_back();
        let behind = title[at + words.len()..].chars().next();
        let is_apart = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
        // `post-mortems` is one, too.
        is_apart(before) && (is_apart(behind) || behind == Some('s'))
    })
}
