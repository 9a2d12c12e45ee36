//! The built-in themes as a designer would check them, and the mistakes that a person's own can have.

use std::ffi::OsString;
use std::path::PathBuf;

use ratatui::style::{Color, Modifier, Style};
use tempfile::TempDir;

use super::colour::contrast;
use super::*;

/// The backgrounds that the themes without one of their own are chosen for, with the text colour to expect there.
const ASSUMED: [(&str, Color, Color); 3] = [
    ("dark", Color::Rgb(0x10, 0x14, 0x18), Color::Rgb(0xd0, 0xd4, 0xd8)),
    ("colour-blind", Color::Rgb(0x10, 0x14, 0x18), Color::Rgb(0xd0, 0xd4, 0xd8)),
    ("light", Color::Rgb(0xff, 0xff, 0xff), Color::Rgb(0x20, 0x20, 0x20)),
];

/// Tones that are there to stand back.
const QUIET: [Tone; 5] = [Tone::Dim, Tone::Border, Tone::Disabled, Tone::Muted, Tone::Stale];

fn all() -> Vec<Theme> {
    let whole = BUILT_IN.map(|(name, _)| find(name, &[]).unwrap_or_else(|error| panic!("{error}")));
    let mapped = whole.clone().map(Theme::in_256_colours);
    whole.into_iter().chain(mapped).collect()
}

/// A folder of themes.
fn folder(files: &[(&str, &str)]) -> (TempDir, Vec<PathBuf>) {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(format!("{name}.toml")), text).unwrap();
    }
    let dirs = vec![folder.path().to_owned()];
    (folder, dirs)
}

/// The message for a theme that cannot be used, without the folder.
fn refused(files: &[(&str, &str)], name: &str) -> String {
    let (folder, dirs) = folder(files);
    let error = find(name, &dirs).expect_err(name);
    error.to_string().replace(&format!("{}/", folder.path().display()), "")
}

/// Text can be read wherever a theme sets what is behind it: 4.5:1, also in 256 colours.
#[test]
fn text_has_contrast_on_its_own_background() {
    let mut pairs = 0;
    for theme in all() {
        for tone in Tone::ALL {
            let Style { fg: Some(fg), bg: Some(bg), .. } = theme.style(*tone) else { continue };
            let ratio = contrast(fg, bg).unwrap_or_else(|| panic!("{} {tone}: not certain", theme.name()));
            assert!(ratio >= 4.5, "{} {tone}: {ratio:.2}", theme.name());
            pairs += 1;
        }
    }
    assert!(pairs > 30, "{pairs}");
}

/// What sets no background can be read on the one it will stand on: the screen's, and that of a selected row.
#[test]
fn text_has_contrast_on_what_is_below_it() {
    for theme in all().iter().filter(|theme| theme.has_colour()) {
        let assumed = ASSUMED.iter().find(|(name, ..)| *name == theme.name());
        let text = theme.style(Tone::Text);
        let screen = text.bg.or(assumed.map(|(_, bg, _)| *bg)).unwrap();
        let ink = text.fg.or(assumed.map(|(.., fg)| *fg)).unwrap();
        let selection = theme.style(Tone::Selection);
        for tone in Tone::ALL {
            let style = theme.style(*tone);
            let least = if QUIET.contains(tone) { 3.0 } else { 4.5 };
            if style.bg.is_none() {
                let ratio = contrast(style.fg.unwrap_or(ink), screen).unwrap();
                assert!(ratio >= least, "{} {tone} on the screen: {ratio:.2}", theme.name());
            }
            let row = style.patch(selection);
            let ratio = contrast(row.fg.unwrap_or(ink), row.bg.unwrap()).unwrap();
            // The quiet ones are seldom in a selected row, but are not to vanish there.
            let least = if QUIET.contains(tone) { 2.4 } else { 4.0 };
            let is_row_text = style.bg.is_none();
            assert!(!is_row_text || ratio >= least, "{} {tone} selected: {ratio:.2}", theme.name());
        }
    }
}

/// Only high-contrast paints the whole screen; the others leave a person's terminal as it is.
#[test]
fn default_text_is_the_terminals_own() {
    for theme in all() {
        let text = theme.style(Tone::Text);
        let paints = theme.name() == "high-contrast";
        assert_eq!((text.fg.is_some(), text.bg.is_some()), (paints, paints), "{}", theme.name());
    }
}

/// Failure is the strongest of the verdicts, and no two verdicts or arms look alike.
#[test]
fn states_are_told_apart() {
    for theme in all() {
        let verdicts = [Tone::Ok, Tone::Warn, Tone::Fail, Tone::Unknown].map(|tone| theme.style(tone));
        let arms = [Tone::Stable, Tone::Canary].map(|tone| theme.style(tone));
        for group in [&verdicts[..], &arms[..]] {
            for (at, style) in group.iter().enumerate() {
                assert!(!group[..at].contains(style), "{}: {style:?} comes twice", theme.name());
            }
        }
        assert!(theme.style(Tone::Fail).add_modifier.contains(Modifier::BOLD), "{}", theme.name());
        if theme.has_colour() {
            for arm in arms {
                assert!(!verdicts[..3].iter().any(|verdict| verdict.fg == arm.fg), "{}", theme.name());
            }
        }
    }
}

/// Without colours there are none, not even the terminal's default asked for by name.
#[test]
fn mono_has_no_colour() {
    let mono = find(MONO, &[]).unwrap();
    assert!(!mono.has_colour());
    for tone in Tone::ALL {
        let style = mono.style(*tone);
        assert_eq!((style.fg, style.bg), (None, None), "{tone}");
    }
    assert!(find(DEFAULT, &[]).unwrap().has_colour());
}

/// The documentation has the tones in its table, all of them, in order, in the words of the code.
#[test]
fn the_documentation_lists_the_tones() {
    let text = include_str!("../../../docs/themes.md");
    let (_, section) = text.split_once("## The tones\n").unwrap();
    let tones: Vec<&str> = section.lines().filter(|line| line.starts_with("| `")).collect();
    let expected: Vec<String> =
        Tone::ALL.iter().map(|tone| format!("| `{tone}` | {} |", tone.meaning())).collect();
    assert_eq!(tones, expected);
    for (name, _) in BUILT_IN {
        assert!(text.contains(&format!("`{name}`")), "{name} is not documented");
    }
    for (name, _) in colour::NAMED {
        assert!(text.contains(&format!("`{name}`")), "{name} is not documented");
    }
}

/// The examples of the documentation are themes.
#[test]
fn the_documented_examples_work() {
    let text = include_str!("../../../docs/themes.md");
    let examples: Vec<&str> = text
        .split("```toml\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .filter(|example| !example.contains("[console]"))
        .collect();
    assert!(examples.len() >= 2, "{examples:?}");
    for example in examples {
        let (_folder, dirs) = folder(&[("mine", example)]);
        find("mine", &dirs).unwrap_or_else(|error| panic!("{example}\n{error}"));
    }
}

/// A person's own theme wins by name, may build on the one it replaces, and a colour that it changes changes what inherits
/// it.
#[test]
fn own_themes_inherit() {
    let own =
        "parent = \"dark\"\n[palette]\nred = 196\n[tones]\nok = \"mint\"\n[tones.title]\nunderline = true\n";
    let own = own.replace("red = 196", "red = 196\nmint = \"#aaffc3\"");
    let (_folder, dirs) = folder(&[("dark", &own), ("child", "parent = \"dark\"\n"), ("no name", "")]);
    for name in ["dark", "child"] {
        let theme = find(name, &dirs).unwrap();
        assert_eq!(theme.name(), name);
        assert_eq!(theme.style(Tone::Fail).fg, Some(Color::Indexed(196)));
        assert_eq!(theme.style(Tone::Ok).fg, Some(Color::Rgb(0xaa, 0xff, 0xc3)));
        // A tone is replaced as a whole.
        assert_eq!(theme.style(Tone::Title), Style::new().add_modifier(Modifier::UNDERLINED));
        assert_eq!(theme.style(Tone::Warn), find("dark", &[]).unwrap().style(Tone::Warn));
    }
    assert_eq!(names(&dirs), ["dark", "light", "colour-blind", "high-contrast", "mono", "child"]);
    assert_eq!(file_of("dark", &dirs), Some(dirs[0].join("dark.toml")));
    assert_eq!(file_of("light", &dirs), None);
}

/// Every mistake is told with file, line and key, what was expected, and the nearest name; all of them at once.
#[test]
fn mistakes_are_told_with_their_place() {
    let text = r##"parnt = "dark"
parent = "drak"
[palette]
rose = "#ff00"
mauve = "lilac"
many = 256
[tones]
fial = "red"
ok = { fg = "rosee", bold = "yes", blink = true }
warn = 1.5
fail = { fg = true, bg = "#zzzzzz" }
stale = "rosy"
"##;
    insta::assert_snapshot!(refused(&[("mine", text)], "mine"));
}

/// What is no TOML is told as such, with the line shown: a theme holds no secrets, also where a key is called `key`.
#[test]
fn broken_files_are_told() {
    let said = refused(&[("mine", "parent = \"dark\"\n[tones]\nkey = red\n")], "mine");
    assert!(said.starts_with("mine.toml:3:7: ") && said.contains("    3 | key = red\n"), "{said}");
}

/// A theme that builds on nothing has to be whole, and none may build on itself.
#[test]
fn themes_are_whole() {
    let said = refused(&[("mine", "[tones]\ntext = {}\nok = 2\n")], "mine");
    assert!(said.starts_with("mine.toml:1:1: tones are missing: dim, muted, title"), "{said}");
    assert!(said.contains("parent = \"dark\"") && !said.contains("text,"), "{said}");
    let said = refused(&[("a", "parent = \"b\"\n"), ("b", "parent = \"a\"\n")], "a");
    assert!(said.starts_with("b.toml:1:10: `a` is among those that inherit from this theme"), "{said}");
    let said = refused(&[("a", "parent = \"b\"\n"), ("b", "[tones]\nok = 300\n")], "a");
    assert!(said.starts_with("b.toml:2:6: `300` is not a colour"), "{said}");
}

/// A name that is none, whatever it looks like, answers with those there are; it is never a path.
#[test]
fn unknown_names_are_told() {
    let (_folder, dirs) = folder(&[("mine", "parent = \"dark\"\n")]);
    let error = find("ligth", &dirs).unwrap_err().to_string();
    assert_eq!(
        error,
        "there is no theme `ligth`; did you mean `light`? themes: dark, light, colour-blind, high-contrast, mono, mine"
    );
    for name in ["", "../mine", "/etc/passwd", ".", "mine.toml", "a\u{1b}[31m"] {
        let error = find(name, &dirs).unwrap_err();
        assert!(matches!(error, ThemeError::Unknown { .. }), "{name}: {error}");
        assert!(!error.to_string().contains('\u{1b}'));
    }
}

/// The config knows the same names.
#[test]
fn the_config_knows_the_themes() {
    assert_eq!(names(&[]), crate::config::THEMES);
    assert_eq!(crate::config::schema::ConsoleSpec::default().theme, DEFAULT);
}

/// Files that are no text or far too large are refused in words.
#[test]
fn unreadable_files_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mine.toml");
    for (content, words) in [(vec![0xff, 0xfe], "not UTF-8"), (vec![b'#'; 300 * 1024], "larger than 256 KiB")]
    {
        std::fs::write(&path, content).unwrap();
        let said = read(&path, &[]).unwrap_err().to_string();
        assert!(said.contains(words) && said.contains("mine.toml"), "{said}");
    }
    let said = read(&folder.path().join("none.toml"), &[]).unwrap_err().to_string();
    assert!(said.contains("cannot read the theme"), "{said}");
}

/// `NO_COLOR` wins over everything, an empty one over nothing; a theme that cannot be used leaves a usable one and the
/// reason; 24-bit colours only go where the terminal promises them.
#[test]
fn the_terminal_has_a_say() {
    let own = "parent = \"dark\"\n";
    let (_folder, dirs) = folder(&[("mono", own), ("bad", "x")]);
    let choose = |name: &str, variables: &[(&str, &str)]| {
        let variable = |wanted: &str| {
            let found = variables.iter().find(|(name, _)| *name == wanted);
            found.map(|(_, value)| OsString::from(value))
        };
        super::choose(name, &dirs, &variable)
    };
    let full = ("COLORTERM", "truecolor");
    assert_eq!(choose("light", &[full]).0, find("light", &[]).unwrap());
    let (theme, error) = choose("light", &[("NO_COLOR", "1"), full]);
    assert!(theme.name() == MONO && !theme.has_colour() && error.is_none());
    assert_eq!(choose("light", &[("NO_COLOR", ""), full]).0.name(), "light");
    let (theme, error) = choose("bad", &[full]);
    assert_eq!(theme, find(DEFAULT, &[]).unwrap());
    assert!(error.unwrap().to_string().contains("bad.toml:1"));
    let (theme, _) = choose("dark", &[("COLORTERM", "yes")]);
    for tone in Tone::ALL {
        let style = theme.style(*tone);
        let is_24_bit = |colour: Option<Color>| matches!(colour, Some(Color::Rgb(..)));
        assert!(!is_24_bit(style.fg) && !is_24_bit(style.bg), "{tone}");
    }
}
