//! What attributes mean: they make sections and items what they are. Read anew whenever a sidecar was bound.

mod action;
mod item;
mod section;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::Span;

use super::actions::Actions;
use super::attributes::{Attribute, Attributes, FLAGS, KEYS, Place};
use super::condition::{Condition, Names};
use super::document::{Escalate, Runbook, Warn};
use super::problem::{Level, Problem};
use super::suggest::nearest;

/// What is only a section's, only an item's, and either's.
const OF_SECTIONS: &[&str] = &["pause", "steps", "anchor", "window", "order"];
const OF_BOTH: &[&str] = &["when", "within", "every", "warn", "role", "escalate"];
/// Whose an item can be.
const ROLES: [&str; 6] = ["ic", "deputy", "scribe", "liaison", "operator", "observer"];

/// Makes everything of the attributes, and tells what is wrong with them.
pub(super) fn apply(runbook: &mut Runbook, names: &dyn Names, actions: &dyn Actions) -> Vec<Problem> {
    let mut reader = Reader { problems: Vec::new(), names, actions };
    reader.ids(runbook);
    section::apply(&mut reader, runbook);
    item::apply(&mut reader, runbook);
    reader.problems
}

struct Reader<'w> {
    problems: Vec<Problem>,
    names: &'w dyn Names,
    actions: &'w dyn Actions,
}

/// What an attribute is on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum On {
    Section,
    Item,
    /// A heading that is an item, in a document of headings.
    Both,
}

impl Reader<'_> {
    fn error(&mut self, rule: &'static str, place: &Place, text: impl Into<String>) {
        self.problem(Level::Error, rule, place, text.into());
    }

    fn problem(&mut self, level: Level, rule: &'static str, place: &Place, text: String) {
        let file = place.file.as_deref().map(str::to_owned);
        self.problems.push(Problem { level, rule, file, line: place.line, column: place.column, text });
    }

    /// An id names one thing.
    fn ids(&mut self, runbook: &Runbook) {
        let mut taken: BTreeMap<String, usize> = BTreeMap::new();
        let sections = runbook.sections.iter().map(|section| &section.attributes);
        let is_own = |item: &&super::Item| !is_heading(runbook, item.section, item.line);
        let items = runbook.items.iter().filter(is_own).map(|item| &item.attributes);
        for (attribute, place) in sections.chain(items).flat_map(|attributes| &attributes.0) {
            let Attribute::Id(id) = attribute else { continue };
            if let Some(line) = taken.get(id) {
                let text = format!("`#{id}` is taken by line {line}; an id names one thing");
                self.error("duplicate-id", place, text);
            } else {
                taken.insert(id.clone(), place.line);
            }
        }
    }

    /// Tells of attributes that mean nothing here.
    fn names(&mut self, attributes: &Attributes, on: On) {
        let mut seen: Vec<(&str, &Place)> = Vec::new();
        let is_ours = attributes.0.iter().any(|(attribute, _)| attribute.is_ours());
        for (attribute, place) in &attributes.0 {
            let name = attribute.name();
            if let Attribute::Id(_) = attribute {
                if seen.iter().any(|(other, _)| *other == "#") {
                    self.error(
                        "duplicate-attribute",
                        place,
                        format!("`#{name}` is the second id; a thing has one"),
                    );
                }
                seen.push(("#", place));
                continue;
            }
            let is_flag = matches!(attribute, Attribute::Flag(_));
            let (valid, other) = if is_flag { (FLAGS, KEYS) } else { (KEYS, FLAGS) };
            if !valid.contains(&name) {
                let near = nearest(name, FLAGS.iter().chain(KEYS).copied());
                let text = if other.contains(&name) {
                    let form = if is_flag { format!("{name}=…") } else { format!(".{name}") };
                    format!("`{name}` is written `{form}`")
                } else if let Some(near) = near {
                    format!("`{name}` is no attribute; did you mean `{near}`?")
                } else if is_ours {
                    format!("`{name}` is no attribute; docs/runbooks.md lists them")
                } else {
                    // Beside an id alone it is another program's: `{#install .unnumbered}`.
                    let text = format!("`{name}` is no attribute and means nothing here");
                    self.problem(Level::Warning, "near-miss", place, text);
                    continue;
                };
                self.error("unknown-attribute", place, text);
                continue;
            }
            let fits = match on {
                On::Both => true,
                On::Section => OF_SECTIONS.contains(&name) || OF_BOTH.contains(&name),
                On::Item => !OF_SECTIONS.contains(&name) || name == "window",
            };
            if !fits {
                let (where_to, here) =
                    if on == On::Section { ("an item", "a heading") } else { ("a heading", "an item") };
                self.error(
                    "misplaced-attribute",
                    place,
                    format!("`{name}` belongs on {where_to}, not on {here}"),
                );
                continue;
            }
            // A sidecar may say it anew.
            if seen.iter().any(|(other, from)| *other == name && from.file == place.file) {
                self.error("duplicate-attribute", place, format!("`{name}` is given twice; leave one"));
            }
            seen.push((name, place));
        }
    }

    fn duration(&mut self, key: &str, value: &str, place: &Place) -> Option<Duration> {
        match value.parse::<Span>() {
            Ok(span) if span.is_zero() => {
                self.error("bad-value", place, format!("`{key}` is a time above zero, like `5m`"));
                None
            }
            Ok(span) => Some(span.0),
            Err(text) => {
                self.error("bad-value", place, format!("`{key}`: {text}"));
                None
            }
        }
    }

    fn condition(&mut self, key: &str, value: &str, place: &Place) -> Option<Condition> {
        match Condition::parse(value) {
            Ok(condition) => {
                for wrong in condition.check(self.names) {
                    self.error(wrong.rule, place, format!("`{key}`: {}", wrong.text));
                }
                Some(condition)
            }
            Err(wrong) => {
                let column = value[..wrong.at].chars().count() + 1;
                self.error(wrong.rule, place, format!("`{key}` at character {column}: {}", wrong.text));
                None
            }
        }
    }

    fn word(
        &mut self,
        key: &str,
        value: &str,
        place: &Place,
        words: &[&'static str],
    ) -> Option<&'static str> {
        let found = words.iter().copied().find(|word| word.eq_ignore_ascii_case(value));
        if found.is_none() {
            self.error("bad-value", place, format!("`{key}={value}` is none of {}", words.join(", ")));
        }
        found
    }

    fn role(&mut self, attributes: &Attributes) -> Option<String> {
        let (value, place) = attributes.value("role")?;
        self.word("role", value, place, &ROLES).map(str::to_owned)
    }

    fn escalate(&mut self, attributes: &Attributes) -> Option<Escalate> {
        let (value, place) = attributes.value("escalate")?;
        let (policy, level) = value.split_once('@').unwrap_or((value, "1"));
        match level.parse() {
            Ok(level @ 1..=9) if !policy.is_empty() => {
                if let Err(text) = self.actions.policy(policy, level) {
                    self.error("unknown-policy", place, format!("`escalate`: {text}"));
                }
                Some(Escalate { policy: policy.to_owned(), level })
            }
            _ => {
                self.error(
                    "bad-value",
                    place,
                    format!("`escalate={value}` is no policy with a level from 1 to 9, like `primary@2`"),
                );
                None
            }
        }
    }

    fn warn(&mut self, attributes: &Attributes) -> Option<Warn> {
        let (value, place) = attributes.value("warn")?;
        if let Some(percent) = value.strip_suffix('%') {
            return match percent.trim().parse::<f64>() {
                Ok(percent) if (1.0..=100.0).contains(&percent) => Some(Warn::Share(percent / 100.0)),
                _ => {
                    self.error("bad-value", place, format!("`warn={value}` is no share from 1% to 100%"));
                    None
                }
            };
        }
        self.duration("warn", value, place).map(Warn::At)
    }
}

impl Attributes {
    /// The value of a key.
    fn value(&self, key: &str) -> Option<(&str, &Place)> {
        self.0.iter().find_map(|(attribute, place)| match attribute {
            Attribute::Pair(name, value) if name == key => Some((value.as_str(), place)),
            _ => None,
        })
    }

    fn flag(&self, flag: &str) -> Option<&Place> {
        self.0.iter().find_map(|(attribute, place)| match attribute {
            Attribute::Flag(name) if name == flag => Some(place),
            _ => None,
        })
    }
}

/// Whether an item is the heading of its section, as in a document of headings.
fn is_heading(runbook: &Runbook, section: usize, line: usize) -> bool {
    runbook.tier == super::Tier::Headings && runbook.sections[section].line == line
}

/// When to warn of a stretch of time that ends.
fn warn_at(from: Duration, until: Option<Duration>, warn: Option<Warn>) -> Option<Duration> {
    let until = until?;
    match warn {
        Some(Warn::At(at)) => Some(at.min(until)),
        Some(Warn::Share(share)) => Some(from + until.saturating_sub(from).mul_f64(share)),
        None => Some(from + until.saturating_sub(from).mul_f64(0.8)),
    }
}
