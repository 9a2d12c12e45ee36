//! Keys and sequences of keys: how they are written in the command table, the config and on screen, and how a terminal's
//! events become them.

use std::fmt;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// One key, with what is held down.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Key {
    /// Which.
    pub code: Code,
    /// With Control.
    pub control: bool,
    /// With Alt.
    pub alt: bool,
}

/// Which key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[expect(missing_docs, reason = "they are called what is written on them")]
pub enum Code {
    /// A character, as typed: `R` is Shift and r.
    Char(char),
    Enter,
    Esc,
    Tab,
    /// Shift and Tab.
    BackTab,
    Up,
    Down,
    Left,
    Right,
    Home,
    End,
    PageUp,
    PageDown,
    Backspace,
    Delete,
    Insert,
    /// A function key.
    F(u8),
}

/// Their names in the config, and on screen where there is no shorter sign.
const NAMED: &[(&str, Code)] = &[
    ("Enter", Code::Enter),
    ("Esc", Code::Esc),
    ("Tab", Code::Tab),
    ("S-Tab", Code::BackTab),
    ("Up", Code::Up),
    ("Down", Code::Down),
    ("Left", Code::Left),
    ("Right", Code::Right),
    ("Home", Code::Home),
    ("End", Code::End),
    ("PageUp", Code::PageUp),
    ("PageDown", Code::PageDown),
    ("Backspace", Code::Backspace),
    ("Delete", Code::Delete),
    ("Insert", Code::Insert),
    ("Space", Code::Char(' ')),
];

impl Key {
    /// A key with nothing held down.
    pub const fn plain(code: Code) -> Self {
        Self { code, control: false, alt: false }
    }

    /// A character with nothing held down.
    pub const fn char(char: char) -> Self {
        Self::plain(Code::Char(char))
    }

    /// A character with Control.
    pub const fn control(char: char) -> Self {
        Self { code: Code::Char(char), control: true, alt: false }
    }

    /// The character that typing this key puts into a field; none if it is not text.
    pub const fn text(self) -> Option<char> {
        match self.code {
            Code::Char(char) if !self.control && !self.alt => Some(char),
            _ => None,
        }
    }

    /// The key that the terminal reports, if it is one that this program knows.
    pub fn of(event: &KeyEvent) -> Option<Self> {
        let control = event.modifiers.contains(KeyModifiers::CONTROL);
        let alt = event.modifiers.contains(KeyModifiers::ALT);
        let code = match event.code {
            // Control makes no difference between cases.
            KeyCode::Char(char) if control => Code::Char(char.to_ascii_lowercase()),
            KeyCode::Char(char) => Code::Char(char),
            KeyCode::Enter => Code::Enter,
            KeyCode::Esc => Code::Esc,
            KeyCode::Tab if event.modifiers.contains(KeyModifiers::SHIFT) => Code::BackTab,
            KeyCode::Tab => Code::Tab,
            KeyCode::BackTab => Code::BackTab,
            KeyCode::Up => Code::Up,
            KeyCode::Down => Code::Down,
            KeyCode::Left => Code::Left,
            KeyCode::Right => Code::Right,
            KeyCode::Home => Code::Home,
            KeyCode::End => Code::End,
            KeyCode::PageUp => Code::PageUp,
            KeyCode::PageDown => Code::PageDown,
            KeyCode::Backspace => Code::Backspace,
            KeyCode::Delete => Code::Delete,
            KeyCode::Insert => Code::Insert,
            KeyCode::F(number) => Code::F(number),
            _ => return None,
        };
        Some(Self { code, control, alt })
    }

    /// Reads one key: `j`, `^d`, `M-x` (with Alt), `Enter`, `F5`.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(rest) = text.strip_prefix("M-").filter(|rest| !rest.is_empty()) {
            return Self::parse(rest).map(|key| Self { alt: true, ..key });
        }
        let mut chars = text.chars();
        match (chars.next(), chars.next(), chars.next()) {
            (Some(char), None, _) => return Some(Self::char(char)),
            (Some('^'), Some(char), None) => return Some(Self::control(char.to_ascii_lowercase())),
            _ => {}
        }
        if let Some(number) = text.strip_prefix('F').and_then(|number| number.parse().ok()) {
            return (1..=24).contains(&number).then_some(Self::plain(Code::F(number)));
        }
        let named = NAMED.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
        named.map(|(_, code)| Self::plain(*code))
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.alt {
            f.write_str("M-")?;
        }
        match (self.code, self.control) {
            (Code::Char(' '), false) => f.write_str("Space"),
            (Code::Char(char), true) => write!(f, "^{char}"),
            (Code::Char(char), false) => write!(f, "{char}"),
            (Code::F(number), _) => write!(f, "F{number}"),
            (code, _) => {
                let name = NAMED.iter().find(|(_, named)| *named == code).map_or("?", |(name, _)| name);
                f.write_str(name)
            }
        }
    }
}

/// Keys pressed one after the other: `g g`, `! p`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Sequence(pub Vec<Key>);

impl Sequence {
    /// Reads a sequence: one key as [`Key::parse`] has it, keys with blanks between them, or characters in a row (`!p`).
    pub fn parse(text: &str) -> Option<Self> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let keys: Option<Vec<Key>> = match words.as_slice() {
            [] => None,
            [word] => match Key::parse(word) {
                Some(key) => Some(vec![key]),
                // A misspelt name is not a sequence of its letters.
                None if word.chars().count() <= 2 => Some(word.chars().map(Key::char).collect()),
                None => None,
            },
            words => words.iter().map(|word| Key::parse(word)).collect(),
        };
        keys.map(Self)
    }
}

impl fmt::Display for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_text = self.0.iter().all(|key| key.text().is_some_and(|char| char != ' '));
        for (index, key) in self.0.iter().enumerate() {
            if index > 0 && !is_text {
                f.write_str(" ")?;
            }
            write!(f, "{key}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_and_read_again() {
        for text in
            ["j", "R", "^d", "Enter", "S-Tab", "!p", "F5", "M-x", "Space", "gg", "^x Enter", "?", ":", "^"]
        {
            let sequence = Sequence::parse(text);
            assert_eq!(sequence.map(|sequence| sequence.to_string()).as_deref(), Some(text));
        }
    }

    #[test]
    fn what_is_no_key() {
        for text in ["", "Entr", "F25", "quit"] {
            assert_eq!(Sequence::parse(text), None, "{text}");
        }
    }
}
