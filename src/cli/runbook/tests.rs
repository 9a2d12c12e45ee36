//! `unship runbook` as a person and as a program use it.

use std::path::PathBuf;

use clap::Parser as _;
use serde_json::Value;

use super::*;
use crate::cli::{Cli, Subcommand};

const FULL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/full.toml");

/// What is printed for these arguments, in a folder of its own with these files.
fn run(
    words: &[&str],
    files: &[(&str, &str)],
    config: Option<&str>,
) -> (Exit, String, String, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let words: Vec<String> = ["unship", "runbook"]
        .into_iter()
        .chain(words.iter().copied())
        .map(|word| word.replace('@', &format!("{}/", folder.path().display())))
        .collect();
    let cli = Cli::try_parse_from(words).unwrap_or_else(|error| panic!("{error}"));
    let Subcommand::Runbook(args) = cli.command else { panic!("another command") };
    let config = config.map_or_else(|| PathBuf::from("unship.toml"), PathBuf::from);
    let global = Global { config, ..cli.global };
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let exit = run_to(&args, &global, &mut out, &mut err).unwrap();
    let text =
        |bytes| String::from_utf8(bytes).unwrap().replace(&format!("{}/", folder.path().display()), "");
    (exit, text(out), text(err), folder)
}

const GOOD: &str = "\
# Checkout errors
## Immediate (0-5 minutes) {.pause}
- [ ] Acknowledge the page {do=acknowledge}
- [ ] Error rate is below 1% <!-- {#low sense=\"canary.error_rate < 1%\" for=30s .critical} -->
  - [ ] Logs are read
  ```bash
  kubectl logs deploy/checkout
  ```
```promql
up
```
## Follow-up (Every 15 min)
text
```sh
echo <name>
```
1. [ ] The incident is closed
";

/// What is printed has every section, item and fence with its line, and ends with the counts.
#[test]
fn check_prints_what_is_read() {
    let (exit, out, err, _folder) = run(&["check", "@a.md"], &[("a.md", GOOD)], None);
    assert_eq!((exit, err.as_str()), (Exit::Fine, ""));
    assert_eq!(
        out,
        "\
a.md: Checkout errors, tasks are its items
    1  # Checkout errors | checkout-errors
    2  ## Immediate | immediate | 0 to 5 m after the declaration, warns at 4 m | pause
    3    Acknowledge the page | immediate/1 | action | acknowledge
    4    Error rate is below 1% | low | sensed | canary.error_rate < 1% for 30 s | critical
    5      Logs are read | immediate/3 | manual
    6      fence bash, offered, of low
    9      fence promql, never offered, of low
   12  ## Follow-up | follow-up | every 15 m
   14      fence sh, refused: fill in `<name>`, of no item
   17    The incident is closed | follow-up/1 | manual
a.md:4:1: warning: a critical item comes after an ordinary one in line 3; put it first (critical-not-first)
a.md:14:1: warning: this cannot be run as it stands: fill in `<name>` (command-placeholder)
3 sections (2 with items), 4 items (1 nested), 2 windows, 3 fences (2 bound, 1 offered), 0 errors, 2 warnings
"
    );
}

/// An error is exit code 1, for people and for programs; a file that cannot be read does not hide the others.
#[test]
fn errors_are_exit_code_1() {
    let files = [("a.md", "- [ ] a {sense=\"nothing.here\"}\n"), ("b.md", GOOD)];
    let (exit, out, err, _folder) = run(&["check", "@a.md", "@gone.md", "@b.md"], &files, None);
    assert_eq!(exit, Exit::Error);
    assert!(out.contains("a.md:1:10: error: `sense`: `nothing.here` is not known"), "{out}");
    assert!(out.contains("\n\nb.md: Checkout errors"), "{out}");
    assert!(err.starts_with("cannot read `gone.md`"), "{err}");
    for (text, part) in [
        (b"ok\n\xff\n".to_vec(), "is no UTF-8 from line 2 on"),
        (vec![b'a'; MOST_BYTES + 1], "has more than 1048576 bytes"),
        ("- [ ] a\n".repeat(2_001).into_bytes(), "has more than 2000 items"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.md");
        std::fs::write(&file, text).unwrap();
        let (exit, _, err, _folder) = run(&["check", file.to_str().unwrap()], &[], None);
        assert_eq!(exit, Exit::Error);
        assert!(err.contains(part), "{err}");
    }
}

/// A program gets everything as one object, with lines and counts.
#[test]
fn check_answers_in_json() {
    let (exit, out, err, _folder) = run(&["check", "--json", "@a.md", "@gone.md"], &[("a.md", GOOD)], None);
    assert_eq!((exit, err.as_str()), (Exit::Error, ""));
    let answer: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(answer["ok"], false);
    let read = &answer["files"][0];
    assert_eq!((&read["ok"], &read["file"], &read["tier"]), (&true.into(), &"a.md".into(), &"tasks".into()));
    assert_eq!(read["counts"]["items"], 4);
    assert_eq!(read["items"][1]["id"], "low");
    assert_eq!(read["items"][1]["line"], 4);
    assert_eq!(read["items"][1]["commands"][0]["line"], 6);
    assert_eq!(read["sections"][1]["window"]["until_ms"], 300_000);
    assert_eq!(read["problems"][0]["rule"], "critical-not-first");
    assert_eq!(read["unbound"][0]["line"], 14);
    assert!(answer["files"][1]["error"].as_str().unwrap().contains("cannot read"));
}

/// With a config, names are those of the config; a config that was asked for and is not there is an error.
#[test]
fn names_are_those_of_the_config() {
    let text = "- [ ] a {sense=\"service['checkout'].health == 'healthy'\"}\n- [ ] b {sense=\"service['zzz'].health == 'healthy'\"}\n\
                - [ ] c {do=\"freeze service=zzz\"}\n- [ ] Done\n";
    let (exit, out, ..) = run(&["check", "@a.md"], &[("a.md", text)], Some(FULL));
    assert_eq!(exit, Exit::Error);
    assert!(out.contains("a.md:2:10: error: `sense`: no service `zzz`"), "{out}");
    assert!(out.contains("no service `zzz`") && out.contains("2 errors"), "{out}");
    let (exit, ..) = run(&["check", "@a.md"], &[("a.md", text)], None);
    assert_eq!(exit, Exit::Fine, "without a config any service may be named");
    let global = Global { config: "/nowhere/unship.toml".into(), ..Global::default() };
    let args = Args { action: Action::Show { file: None, checklist: None, builtin: true } };
    let error = run_to(&args, &global, &mut Vec::new(), &mut Vec::new()).unwrap_err();
    assert!(error.to_string().contains("cannot read `/nowhere/unship.toml`"), "{error}");
}

/// A sidecar beside the file is read with it, and its mistakes have its name.
#[test]
fn a_sidecar_is_read() {
    let text = "- [ ] a\n- [ ] Done\n";
    let bind = "['a/1']\nsense = 'incident.scoped'\n['a/2']\nsens = 'x'\n";
    let (exit, out, ..) = run(&["check", "@a.md"], &[("a.md", text), ("a.bind.toml", bind)], None);
    assert_eq!(exit, Exit::Error);
    assert!(out.contains("a | a/1 | sensed | incident.scoped"), "{out}");
    assert!(out.contains("\na.bind.toml:4:1: error: `sens` is no attribute; did you mean `sense`?"), "{out}");
}

/// A person may say what counts as an item.
#[test]
fn the_items_can_be_chosen() {
    let text = "# A\n1. one\n2. two\n- [ ] Done\n";
    for (words, items) in
        [(&["check", "@a.md"][..], "1 item "), (&["check", "--checklist", "steps", "@a.md"], "2 items ")]
    {
        let (_, out, ..) = run(words, &[("a.md", text)], None);
        assert!(out.contains(items), "{out}");
    }
}

/// The checklist is shown as a person works by it, the built-in one without any file.
#[test]
fn show_prints_the_checklist() {
    let (exit, out, err, _folder) = run(&["show", "@a.md"], &[("a.md", GOOD)], None);
    assert_eq!((exit, err.as_str()), (Exit::Fine, ""));
    assert_eq!(
        out,
        "\
Checkout errors

Immediate  (0 to 5 m after the declaration, warns at 4 m)  [pause]
  [>] Acknowledge the page
      action: acknowledge
  [~] Error rate is below 1%  (critical)
      sensed: canary.error_rate < 1% for 30 s
      $ kubectl logs deploy/checkout
        up
      [ ] Logs are read

Follow-up  (every 15 m)
  text
  ```sh
  echo <name>
  ```
  [ ] The incident is closed
"
    );
    // Items of a group stand below its label.
    let groups = "1. **Triage (0-5 min)**\n   - [ ] a\n   - [ ] b\n- Access\n  - [ ] c\n- [ ] Done\n";
    let (_, out, ..) = run(&["show", "@a.md"], &[("a.md", groups)], None);
    assert_eq!(
        out,
        "a\n  Triage  (0 to 5 m after the declaration, warns at 4 m)\n  [ ] a\n  [ ] b\n  Access\n  [ ] c\n  [ ] Done\n"
    );
    let (exit, out, ..) = run(&["show", "--builtin"], &[], None);
    assert_eq!(exit, Exit::Fine);
    assert!(out.contains("[~] The services are healthy\n"), "{out}");
    let (_, out, ..) = run(&["show", "--builtin", "--json"], &[], None);
    assert_eq!(serde_json::from_str::<Value>(&out).unwrap()["name"], "emergency");
    let (exit, out, ..) = run(&["check", "--builtin"], &[], None);
    assert_eq!(exit, Exit::Fine);
    assert!(out.ends_with("0 errors, 0 warnings\n"), "{out}");
    let (exit, _, err, _folder) = run(&["show", "@a.md"], &[("a.md", "- [ ] a {wait=x}\n")], None);
    assert_eq!(exit, Exit::Fine);
    assert!(err.contains("it has an error and cannot be used; `unship runbook check a.md`"), "{err}");
}

/// Nothing in a document moves the cursor of whoever looks at it.
#[test]
fn documents_do_not_reach_the_terminal() {
    let text =
        "# A\u{1b}[2J\n- [ ] done\u{9b}31m\u{202e}x {ask=a}\n\n  note\u{7}\n  ```sh\n  ls\u{1b}c\n  ```\n";
    for words in [&["check", "@a.md"][..], &["show", "@a.md"]] {
        let (_, out, ..) = run(words, &[("a.md", text)], None);
        assert!(out.chars().all(|c| c == '\n' || !(c.is_control() || c == '\u{202e}')), "{out:?}");
        assert!(out.contains("\\u{1b}"), "{out}");
    }
}

/// Links are followed where that is asked for: to files and headings, and nowhere else.
#[test]
fn links_are_followed() {
    let text = "# Errors\n- [ ] See [the map](map.md#east%20side), [the other](gone.md), [above](#errors) and [below](#below)\n\
                - [ ] Call [them](https://example.com/none), [us](mailto:us@example.com) or [the wiki](/wiki)\n\
                - [ ] Read [west](map.md#west) and the [plan](a%20plan.txt)\n\nThe incident is resolved.\n";
    let files = [("errors.md", text), ("map.md", "# East\n# West\n"), ("a plan.txt", "")];
    let (_, out, _, _) = run(&["check", "@errors.md"], &files, None);
    assert!(!out.contains("broken-link"), "{out}");
    let (exit, out, _, _) = run(&["check", "@errors.md", "--links"], &files, None);
    let broken: Vec<&str> = out.lines().filter(|line| line.contains("broken-link")).collect();
    assert_eq!((exit, broken.len()), (Exit::Fine, 3), "{out}");
    for (line, part) in broken.iter().zip([
        "map.md#east%20side` leads to no heading",
        "gone.md` leads to no file",
        "#below` leads to no heading",
    ]) {
        assert!(line.contains(part) && line.contains("2:1"), "{line}");
    }
}

/// A runbook that the config names is checked although it is wrong: the config that it spoils is what it is checked against.
#[test]
fn a_runbook_of_the_config_is_checked() {
    let folder = tempfile::tempdir().unwrap();
    let config = std::fs::read_to_string(FULL).unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("unship.toml"), format!("{config}\n[runbooks.broken]\nfile = \"broken.md\"\n"))
        .unwrap();
    std::fs::write(at("broken.md"), "- [ ] a {do=rolback}\n").unwrap();
    let file = at("broken.md").display().to_string();
    let (exit, out, err, _) = run(&["check", &file], &[], at("unship.toml").to_str());
    assert_eq!(exit, Exit::Error, "{err}");
    assert!(out.contains("did you mean `rollback`?"), "{out} {err}");
}
