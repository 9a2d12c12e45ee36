//! Platforms, one file each: what the types do not say.

mod azure;
mod docker;
mod ecs;
mod github;
mod http;
mod kubernetes;
mod netlify;
mod nginx;
mod railway;

pub(super) use self::azure::azure;
pub(super) use self::docker::docker;
pub(super) use self::ecs::ecs;
pub(super) use self::github::github;
pub(super) use self::http::http;
pub(super) use self::kubernetes::kubernetes;
pub(super) use self::netlify::netlify;
pub(super) use self::nginx::nginx;
pub(super) use self::railway::railway;

use super::Checker;
use crate::config::spanned::Path;
use crate::model::platform::ServingSpec;
use crate::model::pointer;
use crate::model::secret::SecretRef;

/// Checks that a token is given in one way. `variable` is the usual name of the variable that holds one.
fn token(
    checker: &mut Checker<'_>,
    at: &Path,
    token: Option<&SecretRef>,
    command: Option<&[String]>,
    variable: &str,
) {
    match (token, command) {
        (None, None) => {
            checker
                .error_at_key(at, "there is no token")
                .hint(format!("add `token = \"env:{variable}\"`, or a `token_command`"));
        }
        (Some(_), Some(_)) => {
            checker
                .error_at_key(&at.then("token_command"), "there is a `token` too")
                .hint("keep one of the two");
        }
        (None, Some(argv)) => token_command(checker, at, argv),
        (Some(_), None) => {}
    }
}

/// Checks a program that prints a token.
fn token_command(checker: &mut Checker<'_>, at: &Path, argv: &[String]) {
    if argv.first().is_none_or(|program| program.trim().is_empty()) {
        checker
            .error(&at.then("token_command"), "`token_command` names no program")
            .hint("write the program and its arguments: `[\"program\", \"argument\"]`");
    }
}

/// The words behind the braces of a text that are none of these. A brace that is not closed counts, with all behind it.
fn unknown_placeholders<'t>(text: &'t str, known: &'t [&str]) -> impl Iterator<Item = &'t str> {
    text.match_indices('{')
        .map(|(at, _)| &text[at + 1..])
        .map(|after| after.split_once('}').map_or(after, |(name, _)| name))
        .filter(|name| !known.contains(name))
}

/// Checks where a service says its version.
fn serving(checker: &mut Checker<'_>, at: &Path, key: &str, spec: Option<&ServingSpec>) {
    let Some(spec) = spec else { return };
    let at = at.then(key);
    checker.address(&at.then("url"), &spec.url);
    if spec.pointer.is_some() && spec.header.is_some() {
        checker
            .error_at_key(&at.then("header"), "there is a `pointer` too")
            .hint("the version stands in a header or in the body: keep one of the two");
    }
    if let Some(fault) = spec.pointer.as_deref().and_then(pointer::fault) {
        checker.error(&at.then("pointer"), fault).hint("write it like `/build/version`");
    }
}
