//! `NAME.bind.toml` beside `NAME.md`: attributes for the items of a runbook that belongs to somebody else, without touching it.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use super::MOST_BYTES;
use super::attributes::{Attribute, FLAGS, KEYS, Place};
use super::document::{Runbook, Tier};
use super::place::Lines;
use super::problem::{Level, Problem};
use super::suggest::nearest;

struct Sidecar<'t> {
    file: Arc<str>,
    lines: Lines<'t>,
    problems: Vec<Problem>,
}

/// Adds the attributes of a sidecar, and gives what is wrong with its form.
pub(super) fn bind(runbook: &mut Runbook, file: &str, text: &str) -> Vec<Problem> {
    let mut sidecar = Sidecar { file: Arc::from(file), lines: Lines::new(text), problems: Vec::new() };
    if text.len() > MOST_BYTES {
        sidecar.error(
            "sidecar-syntax",
            &(0..0),
            format!("it has more than {MOST_BYTES} bytes; split the runbook"),
        );
        return sidecar.problems;
    }
    let (root, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let at = error.span().unwrap_or_default();
        sidecar.error("sidecar-syntax", &at, format!("this is no TOML: {}", error.message()));
    }
    // A file that cannot be read is not half bound.
    if !errors.is_empty() {
        return sidecar.problems;
    }
    // The first of its name, as elsewhere.
    let mut items: BTreeMap<String, usize> = BTreeMap::new();
    for (index, item) in runbook.items.iter().enumerate() {
        items.entry(item.id.to_string()).or_insert(index);
    }
    let mut sections: BTreeMap<String, usize> = BTreeMap::new();
    for (index, section) in runbook.sections.iter().enumerate() {
        sections.entry(section.id.clone()).or_insert(index);
    }
    for (id, value) in root.get_ref() {
        let name: &str = id.get_ref();
        let DeValue::Table(table) = value.get_ref() else {
            let text = format!("`{name}` is no table; write `[\"section/1\"]` and its attributes below");
            sidecar.error("sidecar-syntax", &id.span(), text);
            continue;
        };
        let (item, section) = (items.get(name).copied(), sections.get(name).copied());
        if item.is_none() && section.is_none() {
            // A few are worth a search, a thousand are another file.
            let ids =
                items.keys().chain(sections.keys()).take(if sidecar.problems.len() < 20 { 4_000 } else { 0 });
            let text = match nearest(name, ids.map(String::as_str)) {
                Some(near) => format!("no item `{name}` in `{}`; did you mean `{near}`?", runbook.name),
                None => {
                    format!("no item `{name}` in `{}`; `unship runbook check` lists their ids", runbook.name)
                }
            };
            sidecar.error("unknown-item", &id.span(), text);
            continue;
        }
        let added = sidecar.attributes(table);
        // A heading that is an item is both.
        let is_both = runbook.tier == Tier::Headings;
        if let Some(item) = item {
            add(&mut runbook.items[item].attributes.0, &added);
            if is_both {
                let section = runbook.items[item].section;
                add(&mut runbook.sections[section].attributes.0, &added);
            }
        } else if let Some(section) = section {
            add(&mut runbook.sections[section].attributes.0, &added);
            if let Some(item) = runbook.sections[section].items.first().copied().filter(|_| is_both) {
                add(&mut runbook.items[item].attributes.0, &added);
            }
        }
    }
    sidecar.problems
}

/// What is said, and whether it takes a flag away.
type Added = (Attribute, bool, Place);

/// What is said later outweighs what was said before.
fn add(attributes: &mut Vec<(Attribute, Place)>, added: &[Added]) {
    for (attribute, is_taken_away, place) in added {
        if *is_taken_away {
            attributes.retain(|(other, _)| other != attribute);
        } else {
            attributes.insert(0, (attribute.clone(), place.clone()));
        }
    }
}

impl Sidecar<'_> {
    fn place(&self, span: &Range<usize>) -> Place {
        let (line, column) = self.lines.place(span.start);
        Place { file: Some(Arc::clone(&self.file)), line, column }
    }

    fn error(&mut self, rule: &'static str, span: &Range<usize>, text: String) {
        let (line, column) = self.lines.place(span.start);
        let file = Some(self.file.to_string());
        self.problems.push(Problem { level: Level::Error, rule, file, line, column, text });
    }

    fn attributes(&mut self, table: &DeTable<'_>) -> Vec<Added> {
        let mut added = Vec::new();
        for (key, value) in table {
            let name: &str = key.get_ref();
            let attribute = match value.get_ref() {
                _ if !FLAGS.contains(&name) && !KEYS.contains(&name) => {
                    let text = match nearest(name, FLAGS.iter().chain(KEYS).copied()) {
                        Some(near) => format!("`{name}` is no attribute; did you mean `{near}`?"),
                        None => format!("`{name}` is no attribute; docs/runbooks.md lists them"),
                    };
                    self.error("unknown-attribute", &key.span(), text);
                    continue;
                }
                DeValue::Boolean(is_set) if FLAGS.contains(&name) => {
                    added.push((Attribute::Flag(name.to_owned()), !is_set, self.place(&key.span())));
                    continue;
                }
                DeValue::String(text) if KEYS.contains(&name) => {
                    Attribute::Pair(name.to_owned(), text.to_string())
                }
                _ => {
                    let form = if FLAGS.contains(&name) { "true" } else { "\"…\"" };
                    self.error("bad-value", &key.span(), format!("write `{name} = {form}`"));
                    continue;
                }
            };
            added.push((attribute, false, self.place(&key.span())));
        }
        added
    }
}
