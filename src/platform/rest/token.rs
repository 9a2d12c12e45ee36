//! Bearer tokens that run out.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use serde_json::Value;

use super::super::PlatformError;
use super::super::process::{self, End, Job};
use super::super::text::{escape, first};
use crate::model::secret::Secret;

/// A token is renewed this long before it runs out.
pub(crate) const MARGIN: Duration = Duration::from_mins(2);
/// A token that does not say when it runs out is asked for again after this time.
const UNDATED: Duration = Duration::from_mins(5);
/// Time for the program that prints a token.
const PATIENCE: Duration = Duration::from_secs(30);

/// Hands out a bearer token.
#[async_trait]
pub(crate) trait TokenSource: Send + Sync + std::fmt::Debug {
    /// A token that is good now. `fresh`: the last one was refused.
    async fn token(&self, fresh: bool) -> Result<Secret, PlatformError>;

    /// Replaces every token that was handed out and occurs in the text.
    fn redact(&self, text: &str) -> String;
}

/// A token, and when it runs out; none: it does not say.
pub(crate) type Handed = (Secret, Option<Timestamp>);

/// The token that was handed out last.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    /// It, and how long it is used.
    last: Mutex<Option<(Secret, Timestamp)>>,
    /// One question at a time: calls side by side wait for the same token.
    asking: tokio::sync::Mutex<()>,
}

impl Kept {
    /// The one that is kept while it is good, else what the question gives. `fresh`: the one that is kept was refused.
    pub(crate) async fn or_ask(
        &self,
        fresh: bool,
        ask: impl Future<Output = Result<Handed, PlatformError>> + Send,
    ) -> Result<Secret, PlatformError> {
        let _asking = self.asking.lock().await;
        let now = Timestamp::now();
        if let Some(token) = self.get(now).filter(|_| !fresh) {
            return Ok(token);
        }
        let (token, runs_out) = ask.await?;
        let until = runs_out.and_then(|at| at.checked_sub(MARGIN).ok());
        let until = until.or_else(|| now.checked_add(UNDATED).ok()).unwrap_or(now);
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((token.clone(), until));
        Ok(token)
    }

    fn get(&self, now: Timestamp) -> Option<Secret> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.as_ref().filter(|(_, until)| now < *until).map(|(token, _)| token.clone())
    }

    /// Replaces it in a text.
    pub(crate) fn redact(&self, text: &str) -> String {
        match &*self.last.lock().unwrap_or_else(PoisonError::into_inner) {
            Some((token, _)) if token.expose().len() >= 8 => text.replace(token.expose(), "[redacted]"),
            _ => text.to_owned(),
        }
    }
}

/// A program that prints a token: alone, or in the JSON of `az account get-access-token`, of an OAuth answer or of
/// `gcloud`: `accessToken` or `access_token` or `token`, with `expires_on` (seconds since 1970) or `expires_in` (seconds).
#[derive(Debug)]
pub(crate) struct FromCommand {
    argv: Vec<String>,
    kept: Kept,
}

impl FromCommand {
    /// Runs nothing yet.
    ///
    /// # Errors
    /// When there is no program.
    pub(crate) fn new(argv: &[String]) -> Result<Self, String> {
        match argv.first() {
            Some(program) if !program.trim().is_empty() => {
                Ok(Self { argv: argv.to_vec(), kept: Kept::default() })
            }
            _ => {
                Err("names no program; write it and its arguments: `[\"program\", \"argument\"]`".to_owned())
            }
        }
    }
}

#[async_trait]
impl TokenSource for FromCommand {
    async fn token(&self, fresh: bool) -> Result<Secret, PlatformError> {
        self.kept.or_ask(fresh, self.run()).await
    }

    fn redact(&self, text: &str) -> String {
        self.kept.redact(text)
    }
}

impl FromCommand {
    async fn run(&self) -> Result<Handed, PlatformError> {
        let now = Timestamp::now();
        let (program, arguments) = self.argv.split_first().unwrap_or((&self.argv[0], &[]));
        let job = Job {
            program: program.clone(),
            arguments: arguments.to_vec(),
            dir: None,
            env: Vec::new(),
            timeout: PATIENCE,
        };
        let name = escape(program);
        let finished = process::run(&job, &|_| {}).await.map_err(|error| {
            PlatformError::Permanent(format!(
                "`{name}`, which prints the token, could not be started: {error}"
            ))
        })?;
        match finished.end {
            End::Exited(status) if status.success() => {}
            // What it wrote to standard error is for people; standard output may hold a token.
            End::Exited(status) => {
                let said = escape(first(finished.stderr.text().trim(), 400));
                return Err(PlatformError::Permanent(format!(
                    "`{name}`, which prints the token, failed ({status}): {said}"
                )));
            }
            End::TimedOut | End::Lost(_) => {
                return Err(PlatformError::Transient(format!(
                    "`{name}`, which prints the token, did not end within {} s",
                    PATIENCE.as_secs()
                )));
            }
        }
        parse(&finished.stdout.text(), now).ok_or_else(|| {
            PlatformError::Permanent(format!(
                "`{name}` printed no token: expected the token alone, or JSON with `accessToken`, `access_token` or `token`"
            ))
        })
    }
}

/// A token and when it runs out.
pub(crate) fn parse(text: &str, now: Timestamp) -> Option<Handed> {
    let text = text.trim();
    if !text.starts_with('{') {
        let plain = !text.is_empty() && !text.contains(char::is_whitespace);
        return plain.then(|| (Secret::new(text), None));
    }
    let value: Value = serde_json::from_str(text).ok()?;
    let token = ["accessToken", "access_token", "token"]
        .into_iter()
        .find_map(|name| value[name].as_str().filter(|token| !token.is_empty()))?;
    // Seconds come as numbers or as text, by whoever wrote them.
    let seconds = |name: &str| {
        let field = &value[name];
        field.as_i64().or_else(|| field.as_str()?.trim().parse().ok())
    };
    let at = seconds("expires_on").and_then(|at| Timestamp::from_second(at).ok());
    let within = || {
        let seconds = u64::try_from(seconds("expires_in")?).ok()?;
        now.checked_add(Duration::from_secs(seconds)).ok()
    };
    Some((Secret::new(token), at.or_else(within)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every form that the usual tools print is read, and what is none of them is refused.
    #[test]
    fn forms_of_a_token() {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let at = |second| Some(Timestamp::from_second(second).unwrap());
        for (text, expected) in [
            ("abc.def\n", Some(("abc.def", None))),
            (
                r#"{"accessToken":"t1","expires_on":1800003600,"tokenType":"Bearer"}"#,
                Some(("t1", at(1_800_003_600))),
            ),
            (r#"{"access_token":"t2","expires_in":"3599"}"#, Some(("t2", at(1_800_003_599)))),
            (r#"{"token":"t3"}"#, Some(("t3", None))),
            ("Please log in first", None),
            ("", None),
            (r#"{"error":"interaction_required"}"#, None),
        ] {
            let parsed = parse(text, now);
            let parsed = parsed.as_ref().map(|(token, at)| (token.expose(), *at));
            assert_eq!(parsed, expected, "{text}");
        }
    }

    /// A token is kept until shortly before it runs out, then asked for again; one that was refused is not used again.
    #[tokio::test]
    async fn a_program_is_asked_when_needed() {
        let dir = tempfile::tempdir().unwrap();
        let count = dir.path().join("count");
        let script = format!(
            "echo x >> {0}; echo \"{{\\\"accessToken\\\":\\\"a-token-$(wc -l < {0})\\\",\\\"expires_in\\\":3600}}\"",
            count.display()
        );
        let source = FromCommand::new(&["sh".to_owned(), "-c".to_owned(), script]).unwrap();
        assert_eq!(source.token(false).await.unwrap().expose(), "a-token-1");
        assert_eq!(source.token(false).await.unwrap().expose(), "a-token-1");
        assert_eq!(source.token(true).await.unwrap().expose(), "a-token-2");
        assert_eq!(source.redact("is a-token-2 leaked"), "is [redacted] leaked".to_owned());
        let failing =
            FromCommand::new(&["sh".to_owned(), "-c".to_owned(), "echo log in first >&2; exit 1".to_owned()]);
        let error = failing.unwrap().token(false).await.unwrap_err().to_string();
        assert!(error.contains("log in first"), "{error}");
    }
}
