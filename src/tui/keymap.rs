//! From keys to commands: pure. A sequence of keys is a command, the beginning of one, or nothing.

use std::collections::BTreeMap;

use super::commands::{COMMANDS, Command};
use super::key::{Key, Sequence};

/// What the keys pressed so far are.
#[derive(Clone, Debug)]
pub enum Lookup {
    /// A command.
    Hit(&'static Command),
    /// The beginning of these: the key that follows, and the command.
    Prefix(Vec<(Key, &'static Command)>),
    /// Nothing.
    None,
}

/// Which keys do what.
#[derive(Clone, Debug)]
pub struct Keymap {
    by_keys: BTreeMap<Sequence, &'static Command>,
}

/// Why the keys of a config cannot be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum KeyProblem {
    /// There is no such command.
    #[error("`console.keys.{id}`: no such command{}", did_you_mean(.near))]
    Unknown {
        /// As written.
        id: String,
        /// The nearest that there is.
        near: Option<&'static str>,
    },
    /// It is not a key.
    #[error(
        "`console.keys.{id}`: `{text}` is no key; keys are written like `R`, `^d`, `Enter`, `F5`, `!p` or `g g`"
    )]
    NotAKey {
        /// The command.
        id: String,
        /// As written.
        text: String,
    },
    /// Two commands want the same keys.
    #[error("`{keys}` is both `{first}` and `{second}`; give one of them another key in `console.keys`")]
    Taken {
        /// The keys.
        keys: String,
        /// A command.
        first: &'static str,
        /// Another.
        second: &'static str,
    },
    /// The keys of one command are the beginning of another's, which could never be typed.
    #[error(
        "`{keys}` ({first}) begins `{longer}` ({second}), which could never be typed; change one of them in `console.keys`"
    )]
    Hidden {
        /// The shorter.
        keys: String,
        /// Its command.
        first: &'static str,
        /// The longer.
        longer: String,
        /// Its command.
        second: &'static str,
    },
    /// A command that has to stay reachable has no key.
    #[error("`console.keys.{id}`: this command needs a key, else nobody gets out; give it one")]
    Needed {
        /// The command.
        id: &'static str,
    },
}

#[expect(clippy::ref_option_ref, reason = "an error's field is formatted by reference")]
fn did_you_mean(near: &Option<&'static str>) -> String {
    near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"))
}

/// Commands that always have a key.
const NEEDED: [&str; 4] = ["quit", "back", "help", "palette"];

impl Keymap {
    /// The table's keys, with the config's instead where it names a command: `roll-back = ["B"]`; an empty list takes a
    /// command's keys away.
    ///
    /// # Errors
    ///
    /// All problems at once.
    pub fn new(changed: &BTreeMap<String, Vec<String>>) -> Result<Self, Vec<KeyProblem>> {
        let mut problems = Vec::new();
        for id in changed.keys() {
            if super::commands::find(id).is_none() {
                let near = COMMANDS
                    .iter()
                    .map(|command| (strsim::damerau_levenshtein(command.id, id), command.id))
                    .filter(|(distance, _)| *distance <= 3)
                    .min();
                problems.push(KeyProblem::Unknown { id: id.clone(), near: near.map(|(_, id)| id) });
            }
        }
        let mut by_keys: BTreeMap<Sequence, &'static Command> = BTreeMap::new();
        for command in COMMANDS {
            let texts: Vec<&str> = changed
                .get(command.id)
                .map_or_else(|| command.keys.to_vec(), |keys| keys.iter().map(String::as_str).collect());
            if texts.is_empty() && NEEDED.contains(&command.id) {
                problems.push(KeyProblem::Needed { id: command.id });
            }
            for text in texts {
                let Some(keys) = Sequence::parse(text) else {
                    problems.push(KeyProblem::NotAKey { id: command.id.to_owned(), text: text.to_owned() });
                    continue;
                };
                if let Some(first) = by_keys.get(&keys).filter(|first| first.id != command.id) {
                    problems.push(KeyProblem::Taken {
                        keys: keys.to_string(),
                        first: first.id,
                        second: command.id,
                    });
                    continue;
                }
                by_keys.insert(keys, command);
            }
        }
        for (keys, command) in &by_keys {
            for (longer, other) in &by_keys {
                if longer.0.len() > keys.0.len() && longer.0.starts_with(&keys.0) {
                    problems.push(KeyProblem::Hidden {
                        keys: keys.to_string(),
                        first: command.id,
                        longer: longer.to_string(),
                        second: other.id,
                    });
                }
            }
        }
        if problems.is_empty() { Ok(Self { by_keys }) } else { Err(problems) }
    }

    /// What the keys pressed so far are.
    pub fn lookup(&self, keys: &[Key]) -> Lookup {
        let pressed = Sequence(keys.to_vec());
        if let Some(command) = self.by_keys.get(&pressed) {
            return Lookup::Hit(command);
        }
        let follow: Vec<_> = self
            .by_keys
            .range(pressed..)
            .take_while(|(sequence, _)| sequence.0.starts_with(keys))
            .filter_map(|(sequence, command)| Some((*sequence.0.get(keys.len())?, *command)))
            .collect();
        if follow.is_empty() { Lookup::None } else { Lookup::Prefix(follow) }
    }

    /// The keys of a command, shortest first.
    pub fn keys_of(&self, id: &str) -> Vec<&Sequence> {
        let mut keys: Vec<&Sequence> =
            self.by_keys.iter().filter(|(_, command)| command.id == id).map(|(keys, _)| keys).collect();
        // The table's first key is the one that people are taught.
        let first = super::commands::find(id).and_then(|command| command.keys.first());
        keys.sort_by_key(|keys| (first.is_none_or(|first| *first != keys.to_string()), keys.0.len()));
        keys
    }

    /// The key to show for a command; none if it has none.
    pub fn key_of(&self, id: &str) -> Option<String> {
        self.keys_of(id).first().map(ToString::to_string)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(id: &str, keys: &[&str]) -> BTreeMap<String, Vec<String>> {
        BTreeMap::from([(id.to_owned(), keys.iter().map(|key| (*key).to_owned()).collect())])
    }

    fn keys(text: &str) -> Vec<Key> {
        Sequence::parse(text).unwrap().0
    }

    #[test]
    fn the_table_has_no_conflict_and_every_id_once() {
        Keymap::new(&BTreeMap::new()).unwrap();
        let ids: std::collections::BTreeSet<_> = COMMANDS.iter().map(|command| command.id).collect();
        assert_eq!(ids.len(), COMMANDS.len());
    }

    #[test]
    fn a_key_a_beginning_and_nothing() {
        let keymap = Keymap::new(&BTreeMap::new()).unwrap();
        assert!(matches!(keymap.lookup(&keys("R")), Lookup::Hit(command) if command.id == "roll-back"));
        assert!(matches!(keymap.lookup(&keys("!p")), Lookup::Hit(command) if command.id == "pause"));
        let Lookup::Prefix(follow) = keymap.lookup(&keys("!")) else { panic!("! begins a menu") };
        assert!(follow.iter().any(|(key, command)| *key == Key::char('m') && command.id == "maintenance"));
        assert!(matches!(keymap.lookup(&keys("r")), Lookup::None));
        assert!(matches!(keymap.lookup(&keys("F9")), Lookup::None));
    }

    #[test]
    fn a_config_moves_a_key() {
        let keymap = Keymap::new(&changed("roll-back", &["B"])).unwrap();
        assert!(matches!(keymap.lookup(&keys("B")), Lookup::Hit(command) if command.id == "roll-back"));
        assert!(matches!(keymap.lookup(&keys("R")), Lookup::None));
        assert_eq!(keymap.key_of("roll-back").as_deref(), Some("B"));
    }

    #[test]
    fn conflicts_are_named() {
        let said = |id, keys| {
            let problems = Keymap::new(&changed(id, keys)).unwrap_err();
            problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
        };
        insta::assert_snapshot!(said("zoom", &["R"]), @"`R` is both `roll-back` and `zoom`; give one of them another key in `console.keys`");
        insta::assert_snapshot!(said("rol-back", &["B"]), @"`console.keys.rol-back`: no such command; did you mean `roll-back`?");
        insta::assert_snapshot!(said("zoom", &["Entr"]), @"`console.keys.zoom`: `Entr` is no key; keys are written like `R`, `^d`, `Enter`, `F5`, `!p` or `g g`");
        insta::assert_snapshot!(said("quit", &[]), @"`console.keys.quit`: this command needs a key, else nobody gets out; give it one");
        assert!(said("zoom", &["!"]).contains("begins `!p` (pause), which could never be typed"));
    }
}
