//! The environment variables of what serves: kept in a file before a deployment, and compared with what was kept.
//!
//! What they are set to is secret as far as anybody knows. It is in the file, which is for its owner alone, and nowhere else: the
//! journal, the log and the screen get names and numbers.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::World;
use crate::model::ServiceName;
use crate::model::platform::{Variable, VariableValue};

/// The form of the file.
const FORM: u32 = 1;

/// What was kept, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Kept {
    /// The file.
    pub file: String,
    /// How many variables are in it.
    pub variables: usize,
    /// Of those, how many are only named, because their value comes from elsewhere.
    pub named: usize,
    /// The file's SHA-256.
    pub sha256: String,
}

impl Kept {
    /// In a line.
    pub fn words(&self) -> String {
        let named = if self.named == 0 { String::new() } else { format!(" ({} only by name)", self.named) };
        format!("{}, {} variables{named}, sha256 {}", self.file, self.variables, self.sha256)
    }
}

/// The file.
#[derive(Debug, Serialize, Deserialize)]
struct File {
    form: u32,
    service: ServiceName,
    at: Timestamp,
    variables: Vec<Line>,
}

/// A variable in the file. Either `value` or `from` is there.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    container: Option<String>,
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<String>,
}

/// The variables of what serves now.
///
/// # Errors
/// In words: the platform does not tell them, or cannot be read.
pub async fn read(world: &World, service: &ServiceName) -> Result<Vec<Variable>, String> {
    let platform = world.platforms.get(service).ok_or_else(|| format!("no service `{service}`"))?;
    if !platform.capabilities().variables {
        return Err(format!("the platform of `{service}` does not tell environment variables"));
    }
    platform.variables().await.map_err(|error| error.to_string())
}

/// Writes the variables of what serves now into a file of their own in `folder`, which is made if it is not there. Reads it again
/// before it says so.
///
/// # Errors
/// In words: see [`read`]; or the file cannot be written.
pub async fn keep(world: &World, service: &ServiceName, folder: &Path) -> Result<Kept, String> {
    let variables = read(world, service).await?;
    let (service, folder, at) = (service.clone(), folder.to_owned(), Timestamp::now());
    let writing = tokio::task::spawn_blocking(move || write(&service, &variables, &folder, at));
    writing.await.map_err(|_| "a defect of unship; the log has it".to_owned())?
}

fn write(
    service: &ServiceName,
    variables: &[Variable],
    folder: &Path,
    at: Timestamp,
) -> Result<Kept, String> {
    let failed = |path: &Path, error: std::io::Error| format!("{}: {error}", path.display());
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|error| failed(folder, error))?;
    let lines: Vec<Line> = variables.iter().map(line).collect();
    let named = lines.iter().filter(|line| line.value.is_none()).count();
    let file = File { form: FORM, service: service.clone(), at, variables: lines };
    let text = serde_json::to_vec_pretty(&file).map_err(|error| error.to_string())?;
    let (path, mut to) = create(service, folder, at)?;
    to.write_all(&text).and_then(|()| to.sync_all()).map_err(|error| failed(&path, error))?;
    let again = std::fs::read(&path).map_err(|error| failed(&path, error))?;
    if again != text {
        return Err(format!("{} does not read as it was written", path.display()));
    }
    Ok(Kept {
        file: path.display().to_string(),
        variables: variables.len(),
        named,
        sha256: hex::encode(Sha256::digest(&text)),
    })
}

/// A new file: none is ever written over.
fn create(service: &ServiceName, folder: &Path, at: Timestamp) -> Result<(PathBuf, std::fs::File), String> {
    let safe: String = service
        .as_str()
        .chars()
        .map(|letter| if letter.is_ascii_alphanumeric() || "-_.".contains(letter) { letter } else { '_' })
        .collect();
    let stamp = at.strftime("%Y%m%dT%H%M%SZ");
    let mut attempt = 0;
    loop {
        let again = if attempt == 0 { String::new() } else { format!("-{attempt}") };
        let path = folder.join(format!("{safe}-{stamp}{again}.json"));
        let made = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        match made {
            Ok(file) => return Ok((path, file)),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists && attempt < 100 => attempt += 1,
            Err(error) => return Err(format!("{}: {error}", path.display())),
        }
    }
}

fn line(variable: &Variable) -> Line {
    let (value, from) = match &variable.value {
        VariableValue::Plain(value) => (Some(value.expose().to_owned()), None),
        VariableValue::From(from) => (None, Some(from.clone())),
    };
    Line { container: variable.container.clone(), name: variable.name.clone(), value, from }
}

/// How variables differ from those that were kept. Names alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// When they were kept.
    pub since: Option<Timestamp>,
    /// Those that were not there.
    pub added: Vec<String>,
    /// Those that are not there any more.
    pub removed: Vec<String>,
    /// Those that are set to something else.
    pub changed: Vec<String>,
}

impl Difference {
    /// Whether there is none.
    pub const fn is_none(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty()
    }
}

/// Compares what serves with a file of before.
///
/// # Errors
/// In words: the file cannot be read, is no such file, or is of another service.
pub fn compare(service: &ServiceName, now: &[Variable], file: &Path) -> Result<Difference, String> {
    let shown = file.display();
    let text = std::fs::read(file).map_err(|error| format!("{shown}: {error}"))?;
    // The error of the parser would quote what it stumbled over.
    let kept: File = serde_json::from_slice(&text).map_err(|error| {
        format!(
            "{shown}, line {}: not a file of kept environment variables (`unship variables SERVICE --keep` writes one)",
            error.line()
        )
    })?;
    if kept.form != FORM {
        return Err(format!("{shown}: form {} is of another version of unship", kept.form));
    }
    if kept.service != *service {
        return Err(format!("{shown}: these are of `{}`, not of `{service}`", kept.service));
    }
    // A container's name may change with every start, where it is one of several alike.
    let containers = |lines: &[Line]| {
        let mut names: Vec<_> = lines.iter().map(|line| line.container.clone()).collect();
        names.sort();
        names.dedup();
        names.len()
    };
    let now: Vec<Line> = now.iter().map(line).collect();
    let by_container = containers(&now) > 1 || containers(&kept.variables) > 1;
    let named = |lines: Vec<Line>| -> BTreeMap<String, (Option<String>, Option<String>)> {
        let name = |line: &Line| match &line.container {
            Some(container) if by_container => format!("{container}/{}", line.name),
            _ => line.name.clone(),
        };
        lines.into_iter().map(|line| (name(&line), (line.value, line.from))).collect()
    };
    let (before, now) = (named(kept.variables), named(now));
    let only = |a: &BTreeMap<String, _>, b: &BTreeMap<String, _>| {
        a.keys().filter(|name| !b.contains_key(*name)).cloned().collect()
    };
    let changed = now.iter().filter(|(name, value)| before.get(*name).is_some_and(|was| was != *value));
    Ok(Difference {
        since: Some(kept.at),
        added: only(&now, &before),
        removed: only(&before, &now),
        changed: changed.map(|(name, _)| name.clone()).collect(),
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::model::secret::Secret;

    fn plain(name: &str, value: &str) -> Variable {
        Variable { container: None, name: name.to_owned(), value: VariableValue::Plain(Secret::new(value)) }
    }

    /// What was kept is for its owner alone, is not written over, and says by name what has changed since.
    #[test]
    fn kept_and_compared() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("deep/down");
        let at: Timestamp = "2026-11-27T10:00:00Z".parse().unwrap();
        let service = ServiceName::new("shop");
        let from = VariableValue::From("secret shop, key db".to_owned());
        let password = Variable { container: None, name: "PASSWORD".to_owned(), value: from };
        let before = [plain("MODE", "live"), plain("OLD", "x"), password.clone()];
        let kept = write(&service, &before, &place, at).unwrap();
        assert_eq!((kept.variables, kept.named), (3, 1));
        let mode = std::fs::metadata(&kept.file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let second = write(&service, &before, &place, at).unwrap();
        assert_ne!(second.file, kept.file, "the same second, another file");
        assert!(!kept.words().contains("live"), "{}", kept.words());

        let now = [plain("MODE", "test"), plain("NEW", "1"), password];
        let found = compare(&service, &now, Path::new(&kept.file)).unwrap();
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let expected = Difference {
            since: Some(at),
            added: names(&["NEW"]),
            removed: names(&["OLD"]),
            changed: names(&["MODE"]),
        };
        assert_eq!(found, expected);
        assert!(compare(&service, &before, Path::new(&kept.file)).unwrap().is_none());
    }

    /// A file of something else is refused, and what is in it is not quoted.
    #[test]
    fn other_files() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("x.json");
        let refused = |text: &str| {
            std::fs::write(&file, text).unwrap();
            compare(&ServiceName::new("shop"), &[], &file).unwrap_err()
        };
        let of_other = r#"{ "form": 1, "service": "cart", "at": "2026-11-27T10:00:00Z", "variables": [] }"#;
        assert!(refused(of_other).contains("these are of `cart`"));
        let said = refused(r#"{ "form": "hunter2" }"#);
        assert!(said.contains("line 1: not a file of kept") && !said.contains("hunter2"), "{said}");
    }
}
