//! Which colour themes there are, by name and place. What is in them is the console's matter.

use std::ffi::OsString;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::problem::{Level, Report, quoted};
use super::spanned::place;
use super::suggest::choice;

/// The themes in the program, the default first.
pub const THEMES: [&str; 5] = ["dark", "light", "colour-blind", "high-contrast", "mono"];

/// The folders of a person's own themes: `$XDG_CONFIG_HOME/unship/themes`, without that variable `~/.config/unship/themes`.
pub fn theme_dirs(variable: &dyn Fn(&str) -> Option<OsString>) -> Vec<PathBuf> {
    // The XDG Base Directory Specification has relative paths ignored.
    let folder = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let config = folder("XDG_CONFIG_HOME").or_else(|| folder("HOME").map(|home| home.join(".config")));
    config.map(|config| config.join("unship/themes")).into_iter().collect()
}

/// Whether a text may be the name of a theme: no path, nothing hidden.
pub fn is_theme_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}

/// The theme's file in a folder.
pub fn theme_file(folder: &Path, name: &str) -> Option<PathBuf> {
    let file = folder.join(format!("{name}.toml"));
    (is_theme_name(name) && file.is_file()).then_some(file)
}

/// Warns of a theme that is not there. No error: the guard reads the same config on machines where nobody has themes.
pub(super) fn check(
    name: &str,
    span: Range<usize>,
    variable: &dyn Fn(&str) -> Option<OsString>,
    report: &mut Report,
) {
    let dirs = theme_dirs(variable);
    if THEMES.contains(&name) || dirs.iter().any(|folder| theme_file(folder, name).is_some()) {
        return;
    }
    let mut hint = choice(name, "themes", THEMES).unwrap_or_default();
    if let Some(folder) = dirs.first()
        && is_theme_name(name)
    {
        hint = format!("{hint}; your own would be `{}`", folder.join(format!("{name}.toml")).display());
    }
    let message = format!("there is no theme {}; the console would use `{}`", quoted(name), THEMES[0]);
    report.add(Level::Warning, span, &place!["console", "theme"], message).hint(hint);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The folder is where the XDG specification puts a program's configuration.
    #[test]
    fn themes_are_where_configuration_is() {
        let dirs = |config: Option<&str>, home: Option<&str>| {
            theme_dirs(&|name| if name == "HOME" { home } else { config }.map(OsString::from))
        };
        assert_eq!(dirs(Some("/c"), Some("/h")), [PathBuf::from("/c/unship/themes")]);
        assert_eq!(dirs(Some("c"), Some("/h")), [PathBuf::from("/h/.config/unship/themes")]);
        assert_eq!(dirs(None, Some("/h")), [PathBuf::from("/h/.config/unship/themes")]);
        assert!(dirs(None, None).is_empty() && dirs(Some(""), Some("")).is_empty());
    }
}
