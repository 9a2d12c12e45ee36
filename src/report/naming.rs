//! Who is called what: by name, or by what they were in the incident. A post-mortem blames nobody, and says roles unless asked for
//! names.
//!
//! Names are marked in an event before it is put into words, so that they can be told from the same letters in a text; which role
//! somebody had is only known at the end. Names inside what people wrote are found as whole words.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::model::command::Actor;
use crate::model::escalation::IncidentRole;
use crate::model::event::Event;

/// Whether people are called by their names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Naming {
    /// By their names.
    Names,
    /// By what they were in the incident: commander, responder 1.
    Roles,
}

/// Around a name in a text that is not finished. Private use: no text of people has them.
const BEGIN: char = '\u{e000}';
const END: char = '\u{e001}';

/// Logins that are words, or nobody's: they hide nobody, and in a text they mean something else.
const NOBODY: [&str; 8] = ["admin", "deploy", "ec2-user", "nobody", "operator", "root", "ubuntu", "unship"];

/// Who takes part in an incident.
#[derive(Clone, Debug, Default)]
pub(super) struct People {
    /// In the order in which they first did something.
    persons: Vec<String>,
    /// Who had which role first; a person with several has the first of them in the order of roles.
    roles: BTreeMap<String, (IncidentRole, usize)>,
    /// How often somebody took one.
    taken: usize,
    /// Those who were only called.
    called: Vec<String>,
}

impl People {
    /// The event with every name of a person marked.
    pub(super) fn mark(&mut self, event: &Event) -> Event {
        let Ok(mut value) = serde_json::to_value(event) else { return event.clone() };
        self.walk(&mut value);
        serde_json::from_value(value).unwrap_or_else(|_| event.clone())
    }

    /// Somebody's name, marked.
    pub(super) fn mark_actor(&mut self, actor: &Actor) -> String {
        match actor {
            Actor::Engine => actor.to_string(),
            Actor::Person { name } => {
                self.appears(name);
                format!("{BEGIN}{name}{END}")
            }
        }
    }

    /// Looks at data instead of types, so that an event that is still to be invented leaks no name.
    fn walk(&mut self, value: &mut Value) {
        match value {
            Value::Object(fields) => {
                let is = |key: &str, words: &[&str]| {
                    fields.get(key).and_then(Value::as_str).is_some_and(|word| words.contains(&word))
                };
                let names: &[&str] = if is("kind", &["person"]) || is("what", &["role_taken"]) {
                    &["name"]
                } else if is("what", &["role_offered", "offer_lapsed"]) || is("ask", &["offer"]) {
                    &["to"]
                } else if is("ask", &["take"]) {
                    &["who"]
                } else {
                    &[]
                };
                for key in names {
                    if let Some(Value::String(name)) = fields.get_mut(*key)
                        && !name.starts_with(BEGIN)
                    {
                        self.appears(name);
                        *name = format!("{BEGIN}{name}{END}");
                    }
                }
                fields.values_mut().for_each(|value| self.walk(value));
            }
            Value::Array(values) => values.iter_mut().for_each(|value| self.walk(value)),
            _ => {}
        }
    }

    fn appears(&mut self, name: &str) {
        if !self.persons.iter().any(|known| known == name) {
            self.persons.push(name.to_owned());
        }
    }

    /// Somebody has a role. The name may be marked.
    pub(super) fn has_role(&mut self, name: &str, role: IncidentRole) {
        let name = name.trim_matches([BEGIN, END]).to_owned();
        self.appears(&name);
        self.taken += 1;
        let order = self.taken;
        let held = self.roles.entry(name).or_insert((role, order));
        if role < held.0 {
            *held = (role, order);
        }
    }

    /// Somebody was called, as the record of an escalation names them: `mira (schedule:payments, phone)`.
    pub(super) fn was_called(&mut self, who: &str) {
        let name = who.split_once(" (").map_or(who, |(name, _)| name);
        let name = name.strip_prefix("contact:").unwrap_or(name);
        let is_one = !name.is_empty() && !name.contains(':');
        if is_one && !self.called.iter().any(|known| known == name) {
            self.called.push(name.to_owned());
        }
    }

    /// What everybody is called.
    pub(super) fn names(self, naming: Naming) -> Names {
        if naming == Naming::Names {
            return Names::default();
        }
        let mut called: Vec<(String, String)> = Vec::new();
        for role in IncidentRole::ALL {
            let mut holders: Vec<_> = self.roles.iter().filter(|(_, (held, _))| *held == role).collect();
            holders.sort_by_key(|(_, (_, order))| *order);
            for (index, (name, _)) in holders.into_iter().enumerate() {
                let nth = if index == 0 { String::new() } else { format!(" {}", index + 1) };
                called.push((name.clone(), format!("{role}{nth}")));
            }
        }
        let is_new =
            |called: &[(String, String)], name: &String| !called.iter().any(|(known, _)| known == name);
        for (names, word) in [(&self.persons, "responder"), (&self.called, "on-call")] {
            let mut count = 0;
            for name in names {
                if is_new(&called, name) {
                    count += 1;
                    called.push((name.clone(), format!("{word} {count}")));
                }
            }
        }
        // `ana maria` before `ana`.
        called.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
        Names { called }
    }
}

/// What everybody is called.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    /// A name and what is said instead, the longest names first. Empty: everybody is called by their name.
    called: Vec<(String, String)>,
}

impl Names {
    /// A text with marks, finished.
    pub(super) fn finish(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once(BEGIN) {
            out.push_str(&self.hidden(before));
            let (name, after) = after.split_once(END).unwrap_or((after, ""));
            out.push_str(self.instead(name));
            rest = after;
        }
        out.push_str(&self.hidden(rest));
        out
    }

    /// The same where there may be no text.
    pub(super) fn finish_all<'a>(&self, texts: impl IntoIterator<Item = &'a mut String>) {
        for text in texts {
            *text = self.finish(text);
        }
    }

    fn instead<'a>(&'a self, name: &'a str) -> &'a str {
        self.called.iter().find(|(known, _)| known == name).map_or(name, |(_, instead)| instead)
    }

    /// A text without names in it.
    fn hidden(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (name, instead) in &self.called {
            if name.chars().count() > 1 && !NOBODY.contains(&name.to_ascii_lowercase().as_str()) {
                text = replaced(&text, name, instead);
            }
        }
        text
    }
}

/// Replaces a whole word, whatever its case.
fn replaced(text: &str, word: &str, instead: &str) -> String {
    // ASCII letters alone change, so the places stay.
    let (low, word) = (text.to_ascii_lowercase(), word.to_ascii_lowercase());
    let is_letter = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    let mut from = 0;
    while let Some(found) = low[from..].find(&word) {
        let (start, end) = (from + found, from + found + word.len());
        from = end;
        let is_whole = !low[..start].chars().next_back().is_some_and(is_letter)
            && !low[end..].chars().next().is_some_and(is_letter);
        if is_whole {
            out.push_str(&text[done..start]);
            out.push_str(instead);
            done = end;
        }
    }
    out.push_str(&text[done..]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noted(name: &str, text: &str) -> Event {
        Event::IncidentNoted {
            incident: "INC-1".into(),
            by: Actor::Person { name: name.to_owned() },
            text: text.to_owned(),
        }
    }

    /// With roles no name is left, in no field and in no text; words that only look like a name stay.
    #[test]
    fn roles_hide_names() {
        let mut people = People::default();
        for (name, text) in [("root", "a"), ("ana", "b"), ("Ana Maria", "c"), ("jo", "d")] {
            people.mark(&noted(name, text));
        }
        people.has_role("jo", IncidentRole::Scribe);
        people.has_role("jo", IncidentRole::Commander);
        people.has_role("ana", IncidentRole::Commander);
        people.was_called("mira (schedule:payments, phone)");
        people.was_called("channel:team");
        let marked =
            people.mark(&noted("root", "Ana and ana maria found the root cause; mira was asleep, banana"));
        let names = people.clone().names(Naming::Roles);
        let Event::IncidentNoted { by, text, .. } = &marked else { panic!("{marked:?}") };
        assert_eq!(names.finish(&by.to_string()), "responder 1");
        assert_eq!(
            names.finish(text),
            "commander 2 and responder 2 found the root cause; on-call 1 was asleep, banana"
        );
        let with_names = people.names(Naming::Names);
        assert_eq!(with_names.finish(&format!("{by}: {text}")), format!("root: {text}"));
    }
}
