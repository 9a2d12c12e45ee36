//! `unship themes`: what there is, what it looks like, and what is wrong with one.

use std::path::Path;
use std::process::{Command, Output};

fn themes(home: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_unship"))
        .arg("themes")
        .args(arguments)
        .env("HOME", home)
        .env("XDG_STATE_HOME", home)
        .env("XDG_CONFIG_HOME", home)
        .env_remove("NO_COLOR")
        .output()
        .unwrap()
}

/// The five themes are listed, each can be shown without colours where there is no terminal, and `--json` is JSON alone.
#[test]
fn the_built_in_themes_are_there() {
    let home = tempfile::tempdir().unwrap();
    let listed = String::from_utf8(themes(home.path(), &["list"]).stdout).unwrap();
    for name in ["dark", "light", "colour-blind", "high-contrast", "mono"] {
        assert!(listed.lines().any(|line| line.starts_with(name) && line.ends_with("built in")), "{listed}");
        let shown = themes(home.path(), &["show", name]);
        let text = String::from_utf8(shown.stdout).unwrap();
        assert!(shown.status.success() && text.contains("fail") && !text.contains('\u{1b}'), "{text}");
    }
    let json = themes(home.path(), &["list", "--json"]).stdout;
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(json["themes"].as_array().unwrap().len(), 5);
}

/// A file of one's own is checked with every mistake at once, by file, line and key; one in the folder is listed with its place.
#[test]
fn a_theme_of_ones_own_is_checked() {
    let home = tempfile::tempdir().unwrap();
    let bad = home.path().join("bad.toml");
    std::fs::write(&bad, "parent = \"dark\"\n[tones]\nfial = { fg = \"red\" }\nok = { fg = \"gren\" }\n")
        .unwrap();
    let checked = themes(home.path(), &["check", bad.to_str().unwrap()]);
    let said = String::from_utf8_lossy(&[checked.stdout, checked.stderr].concat()).into_owned();
    assert_eq!(checked.status.code(), Some(2), "{said}");
    for words in ["bad.toml:3:1", "there is no tone `fial`", "bad.toml:4:13", "did you mean `green`"] {
        assert!(said.contains(words), "{words} in {said}");
    }
    let folder = home.path().join("unship/themes");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("mine.toml"), "parent = \"light\"\n[tones]\nok = { fg = \"blue\" }\n")
        .unwrap();
    let listed = String::from_utf8(themes(home.path(), &["list"]).stdout).unwrap();
    let mine = listed.lines().find(|line| line.starts_with("mine")).unwrap();
    assert!(mine.ends_with("unship/themes/mine.toml"), "{listed}");
    assert!(themes(home.path(), &["check", folder.join("mine.toml").to_str().unwrap()]).status.success());
}
