//! Reads the secrets that a config refers to. Their content goes into [`Secrets`] and nowhere else.

use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use reqwest::header::HeaderValue;

use super::check::address_fault;
use super::problem::{Level, Report};
use super::walk::Reference;
use crate::model::secret::{Secret, SecretRef, Secrets};

/// The largest secret, in bytes. A key or a token is far smaller; a log file given by mistake is not.
const LARGEST: u64 = 64 * 1024;

/// The shortest secret that can be kept out of texts: shorter ones occur everywhere.
const SHORTEST: usize = 4;

/// Reads every secret; what cannot be read is a problem of the given level.
pub(super) fn resolve(
    references: &[Reference],
    folder: &Path,
    variable: &dyn Fn(&str) -> Option<OsString>,
    level: Level,
    report: &mut Report,
) -> Secrets {
    let mut secrets = Secrets::default();
    for reference in references {
        let Reference { secret, path, span } = reference;
        let place = format!("`{secret}`");
        let read = match secret {
            SecretRef::Env(name) => from_variable(name, variable),
            SecretRef::File(file) => {
                let file = folder.join(file);
                // A certificate is for everyone to see.
                if path.last_key() != Some("ca") && is_open_to_all(&file) {
                    report
                        .add(
                            Level::Warning,
                            span.clone(),
                            path,
                            format!("everyone on this machine can read {place}"),
                        )
                        .hint(format!("`chmod 600 {}`", file.display()));
                }
                from_file(&file)
            }
        };
        let content = match read {
            Ok(content) => content,
            Err(Fault { what, hint }) => {
                report.add(level, span.clone(), path, format!("the secret {place} {what}")).hint(hint);
                continue;
            }
        };
        if content.len() < SHORTEST {
            report
                .add(
                    Level::Warning,
                    span.clone(),
                    path,
                    format!("the secret {place} is shorter than {SHORTEST} characters"),
                )
                .hint("it cannot be kept out of logs, and it is easy to guess");
        }
        if path.has_key("secret_headers") && HeaderValue::from_str(&content).is_err() {
            report
                .add(level, span.clone(), path, format!("the secret {place} cannot be sent in a header"))
                .hint("a header is one line without control characters");
        }
        if path.last_key() == Some("secret_url")
            && let Some((fault, hint)) = address_fault(&content)
        {
            report
                .add(level, span.clone(), path, format!("the address in the secret {place} {fault}"))
                .hint(hint);
        }
        if content.contains('\0') {
            report
                .add(level, span.clone(), path, format!("the secret {place} holds a NUL character"))
                .hint("is it the right file?");
        }
        secrets.insert(secret.clone(), Secret::new(content));
    }
    secrets
}

struct Fault {
    what: String,
    hint: String,
}

fn fault(what: impl Into<String>, hint: impl Into<String>) -> Fault {
    Fault { what: what.into(), hint: hint.into() }
}

fn from_variable(name: &str, variable: &dyn Fn(&str) -> Option<OsString>) -> Result<String, Fault> {
    // A name that the system cannot hold is a variable that is not set.
    let value = if name.contains(['=', '\0']) { None } else { variable(name) };
    let value = value
        .ok_or_else(|| fault("is not set", format!("set the variable before starting: `export {name}=…`")))?;
    let text = value.into_string().map_err(|_| fault("is not UTF-8 text", "a secret is text"))?;
    if text.len() as u64 > LARGEST {
        return Err(too_large());
    }
    without_line_end(text)
}

fn from_file(file: &Path) -> Result<String, Fault> {
    let shown = file.display();
    let cannot = |error: &std::io::Error| {
        fault(format!("cannot be read from `{shown}`: {error}"), "paths are relative to the config's folder")
    };
    // Asked before opening: opening a pipe would wait for its other end.
    if !std::fs::metadata(file).map_err(|error| cannot(&error))?.is_file() {
        return Err(fault(format!("is not a file: `{shown}`"), "name a file that holds the secret alone"));
    }
    let mut bytes = Vec::new();
    let read = File::open(file).and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes));
    read.map_err(|error| cannot(&error))?;
    if bytes.len() as u64 > LARGEST {
        return Err(too_large());
    }
    let text = String::from_utf8(bytes).map_err(|_| fault("is not UTF-8 text", "a secret is text"))?;
    without_line_end(text)
}

fn too_large() -> Fault {
    fault(format!("is larger than {} KiB", LARGEST / 1024), "is it the right one?")
}

/// Takes one line end off: editors and `echo` add it.
fn without_line_end(mut text: String) -> Result<String, Fault> {
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    if text.trim().is_empty() { Err(fault("is empty", "put the secret in it")) } else { Ok(text) }
}

#[cfg(unix)]
fn is_open_to_all(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(file).is_ok_and(|about| about.is_file() && about.permissions().mode() & 0o004 != 0)
}

#[cfg(not(unix))]
fn is_open_to_all(_: &Path) -> bool {
    false
}
