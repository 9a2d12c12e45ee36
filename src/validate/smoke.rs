//! Smoke suites: requests one after the other, each of which may use what an earlier one got. One that fails stops no other,
//! except those that need what it did not get.

use std::collections::BTreeMap;

use serde_json::Value;

use super::client::{Answer, ask, client, headers};
use super::{Subject, Trying, Watcher, began, programs, report};
use crate::model::SuiteName;
use crate::model::output::escape;
use crate::model::secret::Secrets;
use crate::model::validation::{SmokeSpec, SmokeTest, Trial, TrialOutcome, TrialReport, status_rule};

/// Characters of an answer that are shown.
const SHOWN: usize = 120;

/// Where a release answers before it has traffic.
///
/// # Errors
///
/// In words: the suite does not say.
pub fn candidate(suite: &SuiteName, spec: &SmokeSpec, subject: &Subject) -> Result<String, String> {
    let reference = subject.release.as_ref().map(|release| release.reference.to_string());
    let named = reference.as_ref().and_then(|reference| spec.candidates.get(reference));
    if let Some(address) = named {
        return Ok(address.clone());
    }
    match &spec.candidate {
        Some(pattern) => Ok(subject.fill(pattern)),
        None => Err(format!(
            "smoke suite `{suite}` does not say where `{}` answers: add `candidate` or `candidates`",
            reference.unwrap_or_default()
        )),
    }
}

/// Runs a suite against an address.
pub async fn smoke(
    name: &SuiteName,
    spec: &SmokeSpec,
    address: &str,
    secrets: &Secrets,
    watcher: &Watcher,
) -> TrialReport {
    let at = began();
    let mut run = Run { spec, address: address.trim_end_matches('/'), secrets, values: BTreeMap::new() };
    for (key, reference) in &spec.secrets {
        if let Some(secret) = secrets.get(reference) {
            run.values.insert(key.clone(), secret.expose().to_owned());
        }
    }
    let mut trials = Vec::with_capacity(spec.tests.len());
    for test in &spec.tests {
        let mut trial = run.one(test).await;
        // What an answer said may repeat what was sent.
        trial.detail = run.clean(&trial.detail);
        watcher.saw(&trial);
        trials.push(trial);
    }
    report(name.as_str(), Some(address), at, trials)
}

/// A suite while it runs.
struct Run<'a> {
    spec: &'a SmokeSpec,
    address: &'a str,
    secrets: &'a Secrets,
    /// What was captured, and the suite's secrets.
    values: BTreeMap<String, String>,
}

impl Run<'_> {
    async fn one(&mut self, test: &SmokeTest) -> Trial {
        let trying = Trying::begin(&test.name);
        if let Some(missing) = self.missing(test) {
            let detail = format!("needs `{{{missing}}}`, which no test before has given");
            return trying.conclude(TrialOutcome::NotRun, detail);
        }
        let result = match &test.command {
            Some(command) => {
                let argv: Vec<String> = command.iter().map(|argument| self.fill(argument)).collect();
                programs::run(&argv, None, *test.limit).await
            }
            None => self.request(test).await,
        };
        trying.end(result)
    }

    async fn request(&mut self, test: &SmokeTest) -> Result<String, String> {
        let path = self.fill(test.path.as_deref().unwrap_or("/"));
        let method = reqwest::Method::from_bytes(test.method.as_bytes())
            .map_err(|_| format!("`{}` is no method", test.method))?;
        let mut plain = self.spec.headers.clone();
        plain.extend(test.headers.iter().map(|(name, value)| (name.clone(), self.fill(value))));
        let map = headers(&plain, &self.spec.secret_headers, self.secrets)?;
        let mut request = client()?.request(method, format!("{}{path}", self.address)).headers(map);
        if let Some(json) = &test.json {
            request = request.json(&self.fill_json(json));
        } else if let Some(body) = &test.body {
            request = request.body(self.fill(body));
        }
        let answer = ask(request, *test.limit).await?;
        let seen = judge(test, &answer)?;
        self.capture(test, &answer)?;
        Ok(seen)
    }

    fn capture(&mut self, test: &SmokeTest, answer: &Answer) -> Result<(), String> {
        for (name, from) in &test.capture {
            let value = match from.strip_prefix("header:") {
                Some(header) => {
                    let value = answer.headers.get(header).and_then(|value| value.to_str().ok());
                    value.map(str::to_owned)
                }
                None => json(answer)?.pointer(from).and_then(plain),
            };
            let value = value.ok_or_else(|| format!("nothing to capture at `{from}` for `{{{name}}}`"))?;
            self.values.insert(name.clone(), value);
        }
        Ok(())
    }

    /// The first value that a test needs and that is not there.
    fn missing(&self, test: &SmokeTest) -> Option<String> {
        let json = test.json.as_ref().map(Value::to_string);
        let texts = [test.path.as_deref(), test.body.as_deref(), json.as_deref()].into_iter().flatten();
        let texts = texts.chain(test.headers.values().map(String::as_str));
        let texts = texts.chain(test.command.iter().flatten().map(String::as_str));
        let captured = self.spec.tests.iter().flat_map(|test| test.capture.keys());
        // Only what some test would have captured, or a secret, is a placeholder; other braces are text.
        let named = captured.chain(self.spec.secrets.keys()).cloned();
        let named: Vec<String> = named.filter(|name| !self.values.contains_key(name)).collect();
        texts
            .flat_map(|text| named.iter().filter(|name| text.contains(&format!("{{{name}}}"))))
            .next()
            .cloned()
    }

    fn fill(&self, text: &str) -> String {
        let mut text = text.replace("{url}", self.address);
        for (name, value) in &self.values {
            text = text.replace(&format!("{{{name}}}"), value);
        }
        text
    }

    fn fill_json(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.fill(text)),
            Value::Array(items) => items.iter().map(|item| self.fill_json(item)).collect(),
            Value::Object(fields) => {
                fields.iter().map(|(name, value)| (name.clone(), self.fill_json(value))).collect()
            }
            other => other.clone(),
        }
    }

    /// Without secrets, and without what was captured: a token is one, too.
    fn clean(&self, text: &str) -> String {
        let mut text = self.secrets.redact(text);
        for value in self.values.values().filter(|value| value.len() >= 8) {
            text = text.replace(value.as_str(), "[captured]");
        }
        text
    }
}

fn json(answer: &Answer) -> Result<Value, String> {
    serde_json::from_slice(&answer.body).map_err(|_| format!("the answer is not JSON: {}", beginning(answer)))
}

/// A value as it stands in an address or a header.
fn plain(value: &Value) -> Option<String> {
    match value {
        Value::Null | Value::Array(_) | Value::Object(_) => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

fn beginning(answer: &Answer) -> String {
    let text = String::from_utf8_lossy(&answer.body);
    let first: String = text.chars().take(SHOWN).collect();
    escape(first.trim())
}

/// Whether an answer is as a test expects it.
fn judge(test: &SmokeTest, answer: &Answer) -> Result<String, String> {
    let status = answer.status;
    let rule = test.status.as_deref().unwrap_or("2xx");
    if !is_among(rule, status)? {
        return Err(format!("expected status {rule}, got {status}: {}", beginning(answer)));
    }
    for (name, expected) in &test.expect_headers {
        let value = answer.headers.get(name).and_then(|value| value.to_str().ok());
        match value {
            None => return Err(format!("the answer has no header `{name}`")),
            Some(value) if !expected.is_empty() && value != expected => {
                return Err(format!("header `{name}`: expected `{expected}`, got `{}`", escape(value)));
            }
            Some(_) => {}
        }
    }
    if let Some(text) = &test.contains
        && !String::from_utf8_lossy(&answer.body).contains(text.as_str())
    {
        return Err(format!("`{text}` is not in the answer: {}", beginning(answer)));
    }
    if !test.expect.is_empty() {
        let document = json(answer)?;
        for (pointer, expected) in &test.expect {
            let found = document.pointer(pointer).filter(|value| !value.is_null());
            let holds = match (expected, found) {
                (Value::Bool(true), Some(found)) => *found != Value::Bool(false),
                (expected, found) => found == Some(expected),
            };
            if !holds {
                let found = found.map_or_else(|| "nothing".to_owned(), ToString::to_string);
                let found: String = found.chars().take(SHOWN).collect();
                return Err(format!("`{pointer}`: expected {expected}, found {}", escape(&found)));
            }
        }
    }
    Ok(format!("{status}"))
}

/// Whether a status is among those of a rule: `200`, `2xx`, `<500`, several with commas.
fn is_among(rule: &str, status: u16) -> Result<bool, String> {
    for part in rule.split(',').map(str::trim) {
        let holds = status_rule(part)
            .ok_or_else(|| format!("`{part}` is no status rule; write `200`, `2xx` or `<500`"))?;
        if holds.contains(&status) {
            return Ok(true);
        }
    }
    Ok(false)
}
