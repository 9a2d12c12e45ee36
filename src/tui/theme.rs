//! Themes: what each meaning looks like. `docs/themes.md` describes the files.
//!
//! - [`tone`]: the meanings; `colour`: colours and contrast; `file`: a file's text to a sheet of both.
//!
//! A theme is found by name: a person's own folder first, then those in the program.

pub mod colour;
mod file;
#[cfg(test)]
mod tests;
pub mod tone;

use std::ffi::OsString;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use ratatui::style::Style;

pub use self::tone::Tone;
use crate::config::positions::{self, Report, Source, choice, quoted};
use crate::config::{Problem, is_theme_name, theme_file};

/// The theme of those who choose none.
pub const DEFAULT: &str = crate::config::THEMES[0];

/// The theme without any colour, which `NO_COLOR` selects.
pub const MONO: &str = "mono";

/// The themes in the program.
const BUILT_IN: [(&str, &str); 5] = [
    ("dark", include_str!("../../themes/dark.toml")),
    ("light", include_str!("../../themes/light.toml")),
    ("colour-blind", include_str!("../../themes/colour-blind.toml")),
    ("high-contrast", include_str!("../../themes/high-contrast.toml")),
    (MONO, include_str!("../../themes/mono.toml")),
];

/// The largest theme file, in bytes.
const LARGEST: u64 = 256 * 1024;

/// What each [`Tone`] looks like.
#[derive(Clone, PartialEq, Debug)]
pub struct Theme {
    name: String,
    /// In the order of [`Tone::ALL`].
    styles: Vec<Style>,
}

impl Theme {
    /// Its name, as the config and the palette know it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What a tone looks like. To be patched over what is below it: what it does not set shows through.
    pub fn style(&self, tone: Tone) -> Style {
        self.styles.get(tone.index()).copied().unwrap_or_default()
    }

    /// Whether any tone sets a colour.
    pub fn has_colour(&self) -> bool {
        self.styles.iter().any(|style| style.fg.is_some() || style.bg.is_some())
    }

    /// The same theme for a terminal of 256 colours.
    #[must_use]
    pub fn in_256_colours(mut self) -> Self {
        for style in &mut self.styles {
            style.fg = style.fg.map(colour::nearest_of_256);
            style.bg = style.bg.map(colour::nearest_of_256);
        }
        self
    }
}

/// Why there is no theme.
#[derive(Debug, thiserror::Error)]
pub enum ThemeError {
    /// No file and no built-in theme has this name.
    #[error("there is no theme {}; {}", quoted(.name), choice(.name, "themes", .names.iter().map(String::as_str)).unwrap_or_default())]
    Unknown {
        /// What was asked for.
        name: String,
        /// What there is.
        names: Vec<String>,
    },
    /// The file cannot be read.
    #[error("cannot read the theme `{}`: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// Something in the file is wrong. Never empty.
    #[error("{}", crate::config::render(.0))]
    Problems(Vec<Problem>),
}

/// Finds a theme by name: `NAME.toml` in the folders, in their order, then in the program.
///
/// # Errors
///
/// If there is none of this name, or its file (or a parent's) cannot be used.
pub fn find(name: &str, dirs: &[PathBuf]) -> Result<Theme, ThemeError> {
    let mut search = Search { dirs, read: Vec::new() };
    let Some(origin) = search.origin(name) else {
        return Err(ThemeError::Unknown { name: name.to_owned(), names: names(dirs) });
    };
    search.theme(name, origin)
}

/// Reads a theme from a file, wherever it is. Its name is the file's, without `.toml`.
///
/// # Errors
///
/// If the file, or a parent's, cannot be used.
pub fn read(path: &Path, dirs: &[PathBuf]) -> Result<Theme, ThemeError> {
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    Search { dirs, read: Vec::new() }.theme(&name, Origin::File(path.to_owned()))
}

/// The names of all themes: those in the program, then a person's own in the order of the alphabet. No name comes twice.
pub fn names(dirs: &[PathBuf]) -> Vec<String> {
    let mut own: Vec<String> = dirs
        .iter()
        .filter_map(|dir| std::fs::read_dir(dir).ok())
        .flat_map(|entries| entries.filter_map(Result::ok))
        .filter_map(|entry| Some(entry.file_name().to_str()?.strip_suffix(".toml")?.to_owned()))
        .filter(|name| is_theme_name(name) && !BUILT_IN.iter().any(|(built_in, _)| built_in == name))
        .collect();
    own.sort();
    own.dedup();
    BUILT_IN.iter().map(|(name, _)| (*name).to_owned()).chain(own).collect()
}

/// The file that a name stands for in the person's folders; none if it is one in the program, or no theme at all.
pub fn file_of(name: &str, dirs: &[PathBuf]) -> Option<PathBuf> {
    match (Search { dirs, read: Vec::new() }).origin(name)? {
        Origin::File(path) => Some(path),
        Origin::BuiltIn(_) => None,
    }
}

/// A theme as this terminal can show it: [`MONO`] if `NO_COLOR` is set and not empty, whatever is asked for; and in 256
/// colours where `COLORTERM` does not promise 24-bit colour.
///
/// # Errors
///
/// As [`find`].
pub fn for_terminal(
    name: &str,
    dirs: &[PathBuf],
    variable: &dyn Fn(&str) -> Option<OsString>,
) -> Result<Theme, ThemeError> {
    if variable("NO_COLOR").is_some_and(|value| !value.is_empty()) {
        // Not looked up in the folders: a person's own `mono` might set a colour.
        return Ok(built_in(MONO));
    }
    let theme = find(name, dirs)?;
    let is_full = variable("COLORTERM").is_some_and(|value| value == "truecolor" || value == "24bit");
    Ok(if is_full { theme } else { theme.in_256_colours() })
}

/// [`for_terminal`], and [`DEFAULT`] with the reason if that theme cannot be used: nobody stays out of an incident for a
/// colour.
pub fn choose(
    name: &str,
    dirs: &[PathBuf],
    variable: &dyn Fn(&str) -> Option<OsString>,
) -> (Theme, Option<ThemeError>) {
    match for_terminal(name, dirs, variable) {
        Ok(theme) => (theme, None),
        Err(error) => {
            let usable = for_terminal(DEFAULT, &[], variable).unwrap_or_else(|_| built_in(MONO));
            (usable, Some(error))
        }
    }
}

/// One of the themes in the program. A test reads them all, so the way without a theme is never taken.
fn built_in(name: &str) -> Theme {
    find(name, &[]).unwrap_or_else(|_| Theme { name: name.to_owned(), styles: Vec::new() })
}

/// Where a theme is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Origin {
    File(PathBuf),
    BuiltIn(&'static str),
}

/// A search through the folders, with what was read on the way from child to parent.
struct Search<'d> {
    dirs: &'d [PathBuf],
    read: Vec<Origin>,
}

impl Search<'_> {
    /// The first place with this name that was not read yet. So `dark` in a person's folder can have the parent `dark`:
    /// the one in the program.
    fn origin(&self, name: &str) -> Option<Origin> {
        if !is_theme_name(name) {
            return None;
        }
        let files = self.dirs.iter().filter_map(|dir| theme_file(dir, name));
        let built_in = BUILT_IN.iter().find(|(built_in, _)| *built_in == name);
        files
            .map(Origin::File)
            .chain(built_in.map(|(_, text)| Origin::BuiltIn(text)))
            .find(|origin| !self.read.contains(origin))
    }

    fn theme(&mut self, name: &str, origin: Origin) -> Result<Theme, ThemeError> {
        let sheet = self.sheet(name, origin)?;
        let styles = Tone::ALL.iter().map(|tone| sheet.style(*tone)).collect();
        Ok(Theme { name: name.to_owned(), styles })
    }

    /// Reads a theme with everything that it inherits.
    fn sheet(&mut self, name: &str, origin: Origin) -> Result<file::Sheet, ThemeError> {
        let (text, file) = match &origin {
            Origin::File(path) => (content(path)?, path.display().to_string()),
            Origin::BuiltIn(text) => ((*text).to_owned(), format!("themes/{name}.toml")),
        };
        self.read.push(origin);
        let source = Source::new(text.strip_prefix('\u{feff}').unwrap_or(&text), &file);
        let mut report = Report::default();
        let (tree, _) = positions::parse(&source, &mut report);
        report.show_all();
        if report.has_errors() {
            return Err(ThemeError::Problems(report.problems(&source)));
        }
        let mut sheet = file::sheet(&tree.root, &mut report);
        let mut parent = None;
        if let Some((name, span)) = sheet.parent.take() {
            match self.origin(&name) {
                Some(origin) => parent = Some(self.sheet(&name, origin)?),
                None => {
                    let known = names(self.dirs);
                    let circle = known.contains(&name);
                    let message = if circle {
                        format!("{} is among those that inherit from this theme", quoted(&name))
                    } else {
                        format!("there is no theme {}", quoted(&name))
                    };
                    report
                        .error(span, &positions::Path::default().then("parent"), message)
                        .hint(choice(&name, "themes", known.iter().map(String::as_str)).unwrap_or_default());
                }
            }
        }
        sheet.check_names(parent.as_ref(), &mut report);
        if let Some(parent) = parent {
            sheet.inherit(parent);
        }
        let missing = sheet.missing();
        if !report.has_errors() && !missing.is_empty() {
            report
                .error(
                    0..0,
                    &positions::Path::default(),
                    format!("tones are missing: {}", missing.join(", ")),
                )
                .hint(format!("define them, or inherit them: `parent = \"{DEFAULT}\"`"));
        }
        if report.has_errors() {
            return Err(ThemeError::Problems(report.problems(&source)));
        }
        Ok(sheet)
    }
}

fn content(path: &Path) -> Result<String, ThemeError> {
    let failed = |reason: String| ThemeError::Unreadable { path: path.to_owned(), reason };
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes))
        .map_err(|error| failed(error.to_string()))?;
    if bytes.len() as u64 > LARGEST {
        return Err(failed(format!("it is larger than {} KiB", LARGEST / 1024)));
    }
    String::from_utf8(bytes).map_err(|_| failed("it is not UTF-8 text".to_owned()))
}
