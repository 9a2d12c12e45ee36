//! What README.md promises, checked against the program: its example config, its tables and its worked example.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use serde_json::Value;
use unship::cli::Exit;
use unship::config::{self, Config, json_schema};
use unship::model::decision::Guardrail;
use unship::model::platform::{CommandSpec, PlatformAction};
use unship::model::secret::Secrets;
use unship::model::{IdempotencyKey, ReleaseRef, ServiceName};
use unship::platform::command::Command as CommandPlatform;
use unship::platform::{Call, Platform, PlatformError, Progress};

const README: &str = include_str!("../README.md");

/// The fenced blocks of a language, in order.
fn blocks(language: &str) -> Vec<&'static str> {
    README.split("\n```").filter_map(|part| part.strip_prefix(language)?.strip_prefix('\n')).collect()
}

/// The block of a language that holds a text.
#[track_caller]
fn block(language: &str, holding: &str) -> &'static str {
    let found: Vec<_> = blocks(language).into_iter().filter(|block| block.contains(holding)).collect();
    assert_eq!(found.len(), 1, "blocks of {language} with {holding:?}");
    found[0]
}

/// The rows of the table that begins with this header, cell by cell, without the marks of code.
#[track_caller]
fn table(header: &str) -> Vec<Vec<String>> {
    let (_, rest) =
        README.split_once(&format!("\n{header}\n")).unwrap_or_else(|| panic!("no table {header}"));
    rest.lines()
        .skip(1)
        .take_while(|line| line.starts_with('|'))
        .map(|line| {
            line.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`').to_owned()).collect()
        })
        .collect()
}

fn example() -> Config {
    match config::parse(block("toml", "[environment]"), "README.md") {
        Ok((config, warnings)) if warnings.is_empty() => config,
        Ok((_, problems)) | Err(problems) => panic!("{}", config::render(&problems)),
    }
}

/// Whoever copies the example config gets one that is taken without a word.
#[test]
fn the_example_config_is_taken() {
    let config = example();
    assert_eq!(config.environment.name, "production");
    assert_eq!(config.services.len(), 2);
}

/// A line that is marked as the default can be left out: the config stays the same.
#[test]
fn the_defaults_are_the_defaults() {
    let text = block("toml", "[environment]");
    let kept: Vec<_> = text.lines().filter(|line| !line.contains("# default")).collect();
    let without = kept.join("\n");
    assert!(text.lines().count() > without.lines().count() + 25, "hardly a line is marked");
    let parsed = config::parse(&without, "README.md").map_err(|problems| config::render(&problems));
    assert_eq!(parsed.unwrap().0, example());
}

/// Every key that a config can have is named, so that nobody has to read the schema to find one.
#[test]
fn every_key_is_named() {
    fn collect(schema: &Value, into: &mut BTreeSet<String>) {
        match schema {
            Value::Object(fields) => {
                if let Some(Value::Object(properties)) = fields.get("properties") {
                    into.extend(properties.keys().cloned());
                }
                fields.values().for_each(|value| collect(value, into));
            }
            Value::Array(values) => values.iter().for_each(|value| collect(value, into)),
            _ => {}
        }
    }
    let mut keys = BTreeSet::new();
    collect(&serde_json::to_value(json_schema()).unwrap(), &mut keys);
    assert!(keys.len() > 60, "{keys:?}");
    let text: String =
        blocks("toml").into_iter().map(str::to_owned).chain(platform_pages().into_values()).collect();
    let words: BTreeSet<&str> = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).collect();
    let missing: Vec<_> = keys.iter().filter(|key| !words.contains(key.as_str())).collect();
    assert!(missing.is_empty(), "not in the example: {missing:?}");
}

/// The example config of each platform's page.
fn platform_pages() -> BTreeMap<String, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/platforms");
    let page = |file: std::fs::DirEntry| {
        let path = file.path();
        let kind = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let text = std::fs::read_to_string(path).unwrap();
        let block = text.split("\n```").find_map(|part| part.strip_prefix("toml\n"));
        (kind, block.unwrap_or_else(|| panic!("no example")).to_owned())
    };
    std::fs::read_dir(folder).unwrap().map(|file| page(file.unwrap())).collect()
}

/// Every platform that has a page has an example there that is taken, and every kind has a page.
#[test]
fn the_platform_pages_are_taken() {
    let pages = platform_pages();
    for (kind, example) in &pages {
        let name = example.split("[services.").nth(1).unwrap().split('.').next().unwrap();
        let text = format!(
            "[environment]\nname = \"x\"\n[services.{name}.probes.live]\nurl = \"http://127.0.0.1/\"\n{example}\n\
             [triggers.down]\nwhen = {{ kind = \"consecutive\", failures = 3, within = \"1m\" }}\naction = \"watch\"\n"
        );
        match config::parse(&text, "example") {
            Ok((config, problems)) => {
                assert!(problems.is_empty(), "{kind}: {}", config::render(&problems));
                assert_eq!(config.services[&ServiceName::from(name)].platform.kind(), kind);
            }
            Err(problems) => panic!("{kind}: {}", config::render(&problems)),
        }
    }
    let pages: Vec<_> = pages.keys().map(String::as_str).collect();
    let mut kinds = unship::config::scaffold::KINDS.to_vec();
    kinds.push("http");
    kinds.retain(|kind| *kind != "command");
    kinds.sort_unstable();
    assert_eq!(pages, kinds);
}

/// Scripts are written against this table of exit codes.
#[test]
fn the_exit_codes_are_the_programs() {
    let shown: Vec<(String, String)> = table("| code | meaning | for example |")
        .into_iter()
        .map(|row| (row[0].clone(), row[1].clone()))
        .collect();
    let codes = Exit::ALL.map(|(exit, words)| ((exit as u8).to_string(), words.to_owned()));
    assert_eq!(shown, codes);
}

/// The guardrails are all there, in the order in which they are consulted, and those that can be overridden are right.
#[test]
fn the_guardrails_are_the_programs() {
    let shown: Vec<(String, bool)> = table("| guardrail | forbids when | `--override` |")
        .into_iter()
        .map(|row| (row[0].clone(), row[2].starts_with("yes")))
        .collect();
    let guardrails = Guardrail::ALL.map(|guardrail| (guardrail.word().to_owned(), guardrail.can_override()));
    assert_eq!(shown, guardrails);
}

/// Every subcommand that the program has is named.
#[test]
fn every_command_is_named() {
    let help = Command::new(env!("CARGO_BIN_EXE_unship")).arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let (_, list) = help.split_once("Commands:\n").unwrap();
    let commands: Vec<_> = list
        .lines()
        .take_while(|line| !line.is_empty())
        // Lines that go on are indented further.
        .filter_map(|line| line.strip_prefix("  ").filter(|line| !line.starts_with(' ')))
        .map(|line| line.split(' ').next().unwrap())
        .filter(|command| *command != "help")
        .collect();
    assert!(commands.len() > 10, "{help}");
    for command in commands {
        assert!(README.contains(&format!("`{command}`")), "`{command}` is not in README.md");
    }
}

/// The worked example of a platform does what is said of it: it reads, it rolls back, and it refuses what is not there.
#[tokio::test]
async fn the_example_platform_works() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    std::fs::write(root.join("platform.sh"), block("sh", "#!/bin/sh")).unwrap();
    release(root, "2.8.0", "2026-01-24T12:00:00Z");
    release(root, "2.8.1", "2026-01-31T12:00:00Z");
    std::os::unix::fs::symlink("releases/2.8.1", root.join("current")).unwrap();

    let service: toml::Value = toml::from_str(block("toml", "platform.sh")).unwrap();
    let mut platform = service["services"]["checkout"]["platform"].clone();
    assert_eq!(platform["kind"].as_str(), Some("command"));
    platform.as_table_mut().unwrap().remove("kind");
    let mut spec: CommandSpec = platform.try_into().unwrap();
    spec.dir = Some(root.to_str().unwrap().to_owned());
    let name = ServiceName::new("checkout");
    let platform = CommandPlatform::new(&name, &spec, Arc::new(Secrets::default())).unwrap();

    let inventory = platform.read().await.unwrap();
    let versions: Vec<_> = inventory.releases.iter().map(|release| release.version.as_str()).collect();
    assert_eq!(versions, ["2.8.1", "2.8.0"], "newest first");
    assert!(inventory.serves_all(&"2.8.1".into()));

    let call = Call {
        key: IdempotencyKey::new("k"),
        token: 1,
        revision: None,
        may_have_happened: false,
        progress: Progress::default(),
    };
    let back = PlatformAction::Restore { release: ReleaseRef::new("2.8.0") };
    assert!(platform.declares(&back).idempotent && platform.declares(&back).observable);
    // Twice, as after a crash.
    for _ in 0..2 {
        assert_eq!(platform.act(&back, &call).await.unwrap(), "current is 2.8.0");
        assert!(back.holds_in(&platform.read().await.unwrap()));
    }
    let gone = PlatformAction::Restore { release: ReleaseRef::new("2.7.0") };
    let error = platform.act(&gone, &call).await.unwrap_err();
    assert!(matches!(&error, PlatformError::Permanent(text) if text.contains("no release 2.7.0")), "{error}");
    assert!(back.holds_in(&platform.read().await.unwrap()), "a refusal changes nothing");
}

fn release(root: &Path, version: &str, at: &str) {
    let folder = root.join("releases").join(version);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("released_at"), at).unwrap();
}

/// The JSON that `observe` is said to print is read, whole.
#[tokio::test]
async fn the_example_inventory_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("inventory.json");
    std::fs::write(&file, block("json", "\"releases\"")).unwrap();
    let spec = serde_json::json!({ "observe": ["cat", file] });
    let spec: CommandSpec = serde_json::from_value(spec).unwrap();
    let name = ServiceName::new("checkout");
    let inventory = CommandPlatform::new(&name, &spec, Arc::default()).unwrap().read().await.unwrap();
    assert_eq!(inventory.releases.len(), 2);
    assert!(inventory.serves_all(&"sha256:9f2c".into()));
    assert_eq!((inventory.schema, inventory.maintenance), (Some(7), Some(false)));
    assert_eq!(inventory.revision.as_deref(), Some("41"));
}

/// The commands of the console as Markdown, one table for each part of the help.
fn keys() -> String {
    use std::fmt::Write as _;
    use unship::tui::commands::{COMMANDS, Group};
    let keymap = unship::tui::Keymap::new(&std::collections::BTreeMap::new()).unwrap();
    let mut text = String::new();
    for group in Group::ALL {
        writeln!(text, "\n| {} | command | |\n|---|---|---|", group.title()).unwrap();
        for command in COMMANDS.iter().filter(|command| command.group == group) {
            let keys: Vec<_> = keymap
                .keys_of(command.id)
                .iter()
                .map(|keys| format!("`{keys}`").replace('|', "\\|"))
                .collect();
            writeln!(text, "| {} | `{}` | {} |", keys.join(" "), command.id, command.doc).unwrap();
        }
    }
    text.push('\n');
    text
}

/// The keys in README are those of the program.
#[test]
fn the_keys_are_the_programs() {
    let (before, rest) = README.split_once("<!-- keys: ").unwrap();
    let (mark, rest) = rest.split_once("-->\n").unwrap();
    let (written, after) = rest.split_once("<!-- /keys -->").unwrap();
    let keys = keys();
    if std::env::var_os("UNSHIP_BLESS").is_some() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
        let text = format!("{before}<!-- keys: {mark}-->\n{keys}<!-- /keys -->{after}");
        std::fs::write(path, text).unwrap();
        return;
    }
    assert_eq!(written, keys, "run once with UNSHIP_BLESS=1 to write the tables anew");
}
