//! A theme file: its text to a sheet of tones and colours, with every mistake at its place.

use std::collections::BTreeMap;
use std::ops::Range;

use ratatui::style::{Color, Modifier, Style};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::colour::{self, NAMED};
use super::tone::Tone;
use crate::config::positions::{Draft, Path, Report, choice, integer, quoted};

/// What a theme file says, its parents' parts included once they are merged.
#[derive(Clone, Default, Debug)]
pub(super) struct Sheet {
    /// The theme to inherit from, and where that is written.
    pub(super) parent: Option<(String, Range<usize>)>,
    palette: BTreeMap<String, Color>,
    tones: BTreeMap<Tone, Look>,
}

/// A style whose colours may still be names.
#[derive(Clone, Default, Debug)]
struct Look {
    fg: Option<Ink>,
    bg: Option<Ink>,
    modifiers: Modifier,
}

#[derive(Clone, Debug)]
enum Ink {
    Colour(Color),
    /// A name of the palette or a named colour, and where it is written.
    Name(String, Range<usize>),
}

/// The switches of a tone.
const SWITCHES: [(&str, Modifier); 5] = [
    ("bold", Modifier::BOLD),
    ("dim", Modifier::DIM),
    ("italic", Modifier::ITALIC),
    ("underline", Modifier::UNDERLINED),
    ("reverse", Modifier::REVERSED),
];

/// What may be said of a tone.
fn look_keys() -> impl Iterator<Item = &'static str> + Clone {
    ["fg", "bg"].into_iter().chain(SWITCHES.map(|(key, _)| key))
}

const COLOUR_FORMS: &str = "a colour is `\"#rrggbb\"`, a number from 0 to 255, `\"default\"`, a named colour like `\"bright_blue\"`, \
     or a name of the `[palette]`";

/// Reads a file's own part.
pub(super) fn sheet(root: &DeTable<'_>, report: &mut Report) -> Sheet {
    let mut sheet = Sheet::default();
    let top = Path::default();
    for (key, value) in root {
        let name = key.get_ref().as_ref();
        let path = top.then(name);
        match (name, value.get_ref()) {
            ("parent", DeValue::String(parent)) => {
                sheet.parent = Some((parent.to_string(), value.span()));
            }
            ("parent", other) => {
                wrong(report, value.span(), &path, "the name of a theme in quotes", other);
            }
            ("palette", DeValue::Table(table)) => palette(&mut sheet, table, &path, report),
            ("tones", DeValue::Table(table)) => tones(&mut sheet, table, &path, report),
            ("palette" | "tones", other) => {
                wrong(report, value.span(), &path, "a table", other);
            }
            _ => {
                let draft = report.error(key.span(), &path, format!("unknown key {}", quoted(name)));
                draft.hint(choice(name, "valid keys", ["parent", "palette", "tones"]).unwrap_or_default());
            }
        }
    }
    sheet
}

fn palette(sheet: &mut Sheet, table: &DeTable<'_>, path: &Path, report: &mut Report) {
    for (key, value) in table {
        let name = key.get_ref().as_ref();
        let path = path.then(name);
        let colour = match ink(value, &path, report) {
            Some(Ink::Colour(colour)) => Some(colour),
            Some(Ink::Name(text, span)) => {
                let colour = colour::parse(&text);
                if colour.is_none() {
                    report.error(span, &path, format!("{} is not a colour", quoted(&text))).hint(
                        "a palette holds colours: `\"#rrggbb\"`, 0 to 255, `\"default\"` or a named colour",
                    );
                }
                colour
            }
            None => None,
        };
        // The name is known even so: what uses it is not a second mistake.
        sheet.palette.insert(name.to_owned(), colour.unwrap_or_default());
    }
}

fn tones(sheet: &mut Sheet, table: &DeTable<'_>, path: &Path, report: &mut Report) {
    for (key, value) in table {
        let name = key.get_ref().as_ref();
        let path = path.then(name);
        let Some(tone) = Tone::of_key(name) else {
            let valid = Tone::ALL.iter().map(|tone| tone.key());
            report
                .error(key.span(), &path, format!("there is no tone {}", quoted(name)))
                .hint(choice(name, "tones", valid).unwrap_or_default());
            continue;
        };
        let look = match value.get_ref() {
            DeValue::Table(table) => look(table, &path, report),
            DeValue::String(_) | DeValue::Integer(_) => {
                Look { fg: ink(value, &path, report), ..Look::default() }
            }
            other => {
                wrong(report, value.span(), &path, "a colour or a table like `{ fg = \"red\" }`", other)
                    .hint(COLOUR_FORMS);
                continue;
            }
        };
        sheet.tones.insert(tone, look);
    }
}

fn look(table: &DeTable<'_>, path: &Path, report: &mut Report) -> Look {
    let mut look = Look::default();
    for (key, value) in table {
        let name = key.get_ref().as_ref();
        let path = path.then(name);
        match name {
            "fg" => look.fg = ink(value, &path, report),
            "bg" => look.bg = ink(value, &path, report),
            _ => {
                let Some((_, modifier)) = SWITCHES.iter().find(|(switch, _)| *switch == name) else {
                    report
                        .error(key.span(), &path, format!("unknown key {}", quoted(name)))
                        .hint(choice(name, "valid keys", look_keys()).unwrap_or_default());
                    continue;
                };
                match value.get_ref() {
                    DeValue::Boolean(on) => look.modifiers.set(*modifier, *on),
                    other => {
                        wrong(report, value.span(), &path, "`true` or `false`", other);
                    }
                }
            }
        }
    }
    look
}

/// A colour, or what may be a name of the palette.
fn ink(value: &Spanned<DeValue<'_>>, path: &Path, report: &mut Report) -> Option<Ink> {
    match value.get_ref() {
        // A word may be a name of a palette that is not known yet.
        DeValue::String(text) if !text.starts_with('#') => Some(Ink::Name(text.to_string(), value.span())),
        DeValue::String(text) => {
            let colour = colour::parse(text);
            if colour.is_none() {
                report
                    .error(value.span(), path, format!("{} is not a colour", quoted(text)))
                    .hint("expected `#` and six hexadecimal digits, like `#56b4e9`");
            }
            colour.map(Ink::Colour)
        }
        DeValue::Integer(number) => {
            let index = integer(number).and_then(|number| u8::try_from(number).ok());
            if index.is_none() {
                report
                    .error(value.span(), path, format!("`{number}` is not a colour"))
                    .hint("a number is a place in the terminal's palette: 0 to 255");
            }
            index.map(|index| Ink::Colour(Color::Indexed(index)))
        }
        other => {
            wrong(report, value.span(), path, "a colour", other).hint(COLOUR_FORMS);
            None
        }
    }
}

/// A value of the wrong kind.
fn wrong<'r>(
    report: &'r mut Report,
    span: Range<usize>,
    path: &Path,
    expected: &str,
    found: &DeValue<'_>,
) -> &'r mut Draft {
    let found = match found {
        DeValue::String(text) => quoted(text),
        DeValue::Integer(_) | DeValue::Float(_) => "a number".to_owned(),
        DeValue::Boolean(value) => format!("`{value}`"),
        DeValue::Datetime(_) => "a date".to_owned(),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    };
    report.error(span, path, format!("expected {expected}, found {found}"))
}

impl Sheet {
    /// Puts the parent's part under this one's. A colour that this palette changes changes the parent's tones as well.
    pub(super) fn inherit(&mut self, parent: Self) {
        for (name, colour) in parent.palette {
            self.palette.entry(name).or_insert(colour);
        }
        for (tone, look) in parent.tones {
            self.tones.entry(tone).or_insert(look);
        }
    }

    /// Names of colours that are in no palette. Call it before [`Sheet::inherit`], with what the parents define.
    pub(super) fn check_names(&self, parent: Option<&Self>, report: &mut Report) {
        let known = |name: &str| {
            self.palette.contains_key(name)
                || parent.is_some_and(|parent| parent.palette.contains_key(name))
                || colour::parse(name).is_some()
        };
        for (tone, look) in &self.tones {
            for (field, ink) in [("fg", &look.fg), ("bg", &look.bg)] {
                let Some(Ink::Name(name, span)) = ink else { continue };
                if known(name) {
                    continue;
                }
                let valid: Vec<&str> = self
                    .palette
                    .keys()
                    .chain(parent.iter().flat_map(|parent| parent.palette.keys()))
                    .map(String::as_str)
                    .chain(NAMED.map(|(name, _)| name))
                    .chain([colour::DEFAULT])
                    .collect();
                let path = Path::default().then("tones").then(tone.key()).then(field);
                report
                    .error(span.clone(), &path, format!("there is no colour {}", quoted(name)))
                    .hint(choice(name, "colours", valid).unwrap_or_default());
            }
        }
    }

    /// The tones that nobody defines.
    pub(super) fn missing(&self) -> Vec<&'static str> {
        Tone::ALL.iter().filter(|tone| !self.tones.contains_key(tone)).map(|tone| tone.key()).collect()
    }

    /// The style of a tone.
    pub(super) fn style(&self, tone: Tone) -> Style {
        let Some(look) = self.tones.get(&tone) else { return Style::new() };
        let colour = |ink: &Option<Ink>| match ink {
            Some(Ink::Colour(colour)) => Some(*colour),
            Some(Ink::Name(name, _)) => self.palette.get(name).copied().or_else(|| colour::parse(name)),
            None => None,
        };
        Style { fg: colour(&look.fg), bg: colour(&look.bg), add_modifier: look.modifiers, ..Style::new() }
    }
}
