//! HTTP: addresses, pointers and placeholders.

use serde_json::Value;

use super::super::Checker;
use crate::config::problem::quoted;
use crate::config::spanned::Path;
use crate::model::platform::{CallSpec, HttpSpec};
use crate::model::pointer;

/// Checks an API of somebody's own. `at` is its platform.
pub(in crate::config::check) fn http(checker: &mut Checker<'_>, spec: &HttpSpec, at: &Path) {
    checker.address(&at.then("base_url"), &spec.base_url);
    if spec.token.is_some() || spec.token_command.is_some() {
        super::token(checker, at, spec.token.as_ref(), spec.token_command.as_deref(), "DEPLOY_TOKEN");
    }
    super::serving(checker, at, "serving", spec.serving.as_ref());
    let (releases, current) = (&spec.releases, &spec.current);
    let pointers = [
        ("releases", "list", Some(&releases.list)),
        ("releases", "reference", Some(&releases.reference)),
        ("releases", "version", releases.version.as_ref()),
        ("releases", "created", releases.created.as_ref()),
        ("releases", "author", releases.author.as_ref()),
        ("current", "reference", Some(&current.reference)),
        ("current", "state", current.state.as_ref()),
    ];
    for (table, key, pointer) in pointers {
        if let Some(fault) = pointer.and_then(|pointer| pointer::fault(pointer)) {
            checker
                .error(&at.then(table).then(key), format!("`{key}` is not a JSON pointer: {fault}"))
                .hint("write the way to the value, like `/items` or `/build/version`");
        }
    }
    if current.state.is_none() && !(current.busy.is_empty() && current.failed.is_empty()) {
        checker
            .error_at_key(&at.then("current"), "there are states, but nothing says where the state is")
            .hint("add `state = \"/deployment/status\"`");
    }
    placeholders(checker, &at.then("releases").then("path"), &releases.path, &["service"]);
    placeholders(checker, &at.then("current").then("path"), &current.path, &["service"]);
    call(checker, &at.then("roll_back"), &spec.roll_back, &["service", "release", "version", "key"]);
    if !names_release(&spec.roll_back) {
        checker
            .error_at_key(&at.then("roll_back"), "the platform is not told what to go back to")
            .hint("put `{release}` or `{version}` into `path` or into `body`");
    }
    if let Some(purge) = &spec.purge {
        call(checker, &at.then("purge"), purge, &["service", "key"]);
    }
}

fn call(checker: &mut Checker<'_>, at: &Path, spec: &CallSpec, names: &[&str]) {
    checker.method(&at.then("method"), &spec.method);
    placeholders(checker, &at.then("path"), &spec.path, names);
    match body(spec) {
        None => {}
        Some(Err(error)) => {
            checker
                .error(&at.then("body"), format!("`body` is not JSON: {error}"))
                .hint("write it like '{\"target\": \"{release}\"}'");
        }
        Some(Ok(body)) => {
            let mut texts = Vec::new();
            collect(&body, &mut texts);
            for text in texts {
                placeholders(checker, &at.then("body"), text, names);
            }
        }
    }
}

fn body(spec: &CallSpec) -> Option<serde_json::Result<Value>> {
    spec.body.as_deref().map(serde_json::from_str)
}

fn names_release(spec: &CallSpec) -> bool {
    let texts = [spec.path.as_str(), spec.body.as_deref().unwrap_or_default()];
    texts.iter().any(|text| text.contains("{release}") || text.contains("{version}"))
}

/// Every text inside a value.
fn collect<'a>(value: &'a Value, into: &mut Vec<&'a str>) {
    match value {
        Value::String(text) => into.push(text),
        Value::Array(items) => items.iter().for_each(|item| collect(item, into)),
        Value::Object(fields) => fields.values().for_each(|value| collect(value, into)),
        _ => {}
    }
}

/// Checks that every placeholder of a text is one of these.
fn placeholders(checker: &mut Checker<'_>, at: &Path, text: &str, names: &[&str]) {
    for name in super::unknown_placeholders(text, names) {
        let valid: Vec<_> = names.iter().map(|name| format!("`{{{name}}}`")).collect();
        checker
            .error(at, format!("{} is no placeholder here", quoted(&format!("{{{name}}}"))))
            .hint(format!("there are {}", valid.join(", ")));
    }
}
