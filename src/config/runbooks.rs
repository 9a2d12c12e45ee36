//! The runbooks of a config: read from their files when the config is loaded, and checked against its names, so that a typo
//! is found then and not in an incident.

use std::collections::BTreeMap;
use std::path::Path as FilePath;

use sha2::{Digest, Sha256};

use super::problem::{Draft, Report};
use super::schema::{Config, Role, ServiceSpec};
use super::spanned::{Tree, place};
use crate::model::RunbookName;
use crate::runbook::{ActionTable, EMERGENCY, Level, Registry, Runbook, ValueKind};

/// The largest runbook and the largest file of bindings, in bytes.
const LARGEST: u64 = 1024 * 1024;

/// A runbook as it was read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RunbookText {
    /// The file, as the config names it.
    pub file: String,
    /// What it says.
    pub source: String,
    /// The bindings beside it: the file's name and what it says.
    pub bindings: Option<(String, String)>,
    /// The digest of what it says.
    pub sha256: String,
}

impl RunbookText {
    /// The runbook that is built in.
    pub fn emergency() -> Self {
        Self {
            file: "emergency.md".to_owned(),
            source: EMERGENCY.to_owned(),
            bindings: None,
            sha256: hex::encode(Sha256::digest(EMERGENCY)),
        }
    }
}

/// What the conditions of runbooks may name in an environment. An alarm may have any name: what sends alarms is not ours.
pub fn names(config: &Config) -> Registry {
    let indicators = |spec: &ServiceSpec| {
        let kinds = spec.indicators.iter();
        kinds.map(|(name, spec)| (name.to_string(), ValueKind::from(&spec.read))).collect()
    };
    Registry::of(config.services.iter().map(|(name, spec)| (name.to_string(), indicators(spec))).collect())
}

/// What the actions of runbooks may name in an environment.
pub fn actions(config: &Config) -> ActionTable {
    let table = ActionTable::of(config.services.keys().map(ToString::to_string));
    let policies = config.policy.iter().map(|(name, spec)| (name.to_string(), spec.level.len()));
    let table = table.with_policies(policies);
    if config.operators.is_empty() {
        return table;
    }
    table.with_people(config.operators.values().filter(|person| person.role != Role::Observer).count())
}

/// Reads the runbooks of a config. What is wrong with one is a problem of the config, at the place where it is named.
pub(super) fn load(
    config: &Config,
    tree: &Tree<'_>,
    folder: &FilePath,
    report: &mut Report,
) -> BTreeMap<RunbookName, RunbookText> {
    let names = names(config);
    let actions = actions(config);
    let mut texts = BTreeMap::new();
    for (name, spec) in &config.runbooks {
        let at = place!["runbooks"].then(name.as_str()).then("file");
        let span = tree.value_span(&at);
        let path = folder.join(&spec.file);
        let source = match read(&path) {
            Ok(Some(source)) => source,
            Ok(None) => {
                report
                    .error(span, &at, format!("there is no file `{}`", path.display()))
                    .hint("name a Markdown file, relative to the folder of the config");
                continue;
            }
            Err(why) => {
                report.error(span, &at, format!("`{}` cannot be read: {why}", path.display()));
                continue;
            }
        };
        let beside = path.with_extension("bind.toml");
        let bindings = match read(&beside) {
            Ok(text) => text.map(|text| (shown(&beside), text)),
            Err(why) => {
                report.error(span, &at, format!("`{}` cannot be read: {why}", beside.display()));
                continue;
            }
        };
        let mut book = match Runbook::parse(name.as_str(), &source, &names, &actions) {
            Ok(book) => book,
            Err(error) => {
                report.error(span, &at, format!("`{}`: {error}", spec.file));
                continue;
            }
        };
        if let Some((file, text)) = &bindings {
            book.bind(file, text, &names, &actions);
        }
        for problem in book.problems.iter().filter(|problem| problem.level == Level::Error) {
            let file = problem.file.as_deref().unwrap_or(&spec.file);
            let draft: &mut Draft =
                report.error(span.clone(), &at, format!("`{file}` line {}: {}", problem.line, problem.text));
            draft.hint(format!("`unship runbook check {}` shows all of it", path.display()));
        }
        let by_two = book.items.iter().find(|item| item.cross_check || item.approve > 1);
        if let Some(item) = by_two.filter(|_| config.operators.len() == 1) {
            let text = format!(
                "`{}` line {}: it needs two people, and the config has one operator",
                spec.file, item.line
            );
            report
                .error(span.clone(), &at, text)
                .hint("name another one under `operators`, or leave `approve` and `.cross-check` out");
        }
        let sha256 = book.sha256.clone();
        texts.insert(name.clone(), RunbookText { file: spec.file.clone(), source, bindings, sha256 });
    }
    texts
}

/// Reads the runbooks again, as they are on disk now. One that cannot be read is left out: whoever asks goes on with what they
/// have. What they say is not checked here.
pub fn read_again(config: &Config, folder: &FilePath) -> BTreeMap<RunbookName, RunbookText> {
    let read_one = |file: &str| -> Option<RunbookText> {
        let path = folder.join(file);
        let source = read(&path).ok()??;
        Runbook::parse(file, &source, &Registry::unchecked(), &ActionTable::unchecked()).ok()?;
        let beside = path.with_extension("bind.toml");
        let bindings = read(&beside).ok()?.map(|text| (shown(&beside), text));
        let sha256 = hex::encode(Sha256::digest(&source));
        Some(RunbookText { file: file.to_owned(), source, bindings, sha256 })
    };
    let runbooks = config.runbooks.iter();
    runbooks.filter_map(|(name, spec)| Some((name.clone(), read_one(&spec.file)?))).collect()
}

fn shown(path: &FilePath) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}

/// What a file says; none where there is none.
fn read(path: &FilePath) -> Result<Option<String>, String> {
    match std::fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.to_string()),
        Ok(meta) if meta.len() > LARGEST => return Err("it is larger than 1 MiB".to_owned()),
        Ok(_) => {}
    }
    std::fs::read_to_string(path).map(Some).map_err(|error| error.to_string())
}
