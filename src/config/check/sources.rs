//! Sources: where they are, how often they are read, how their series tell the arms apart.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::Checker;
use super::indicators;
use crate::config::problem::quoted;
use crate::config::spanned::{Path, place};
use crate::model::secret::SecretRef;
use crate::model::source::{ArmLabel, LogSpec, SourceSpec};
use crate::model::trigger::Condition;
use crate::model::{SourceName, Span, placeholder, pointer};

/// Checks every source.
pub(super) fn check(checker: &mut Checker<'_>) {
    let config = checker.config;
    for (name, source) in &config.sources {
        let at = place!["sources", name];
        for (key, time) in source.times() {
            checker.positive(&at.then(key), time);
        }
        match source {
            SourceSpec::Scrape(scrape) => {
                http(checker, &at, &scrape.url, &scrape.secret_headers, scrape.max_body);
                patience(checker, &at, scrape.timeout, scrape.interval);
                arms(checker, &at, scrape.arms.as_ref(), Labels::Needed);
            }
            SourceSpec::Prometheus(prometheus) => {
                http(checker, &at, &prometheus.url, &prometheus.secret_headers, prometheus.max_body);
                patience(checker, &at, prometheus.timeout, prometheus.interval);
                arms(checker, &at, prometheus.arms.as_ref(), Labels::Possible);
                server(checker, &at.then("url"), &prometheus.url);
            }
            SourceSpec::Cloudwatch(cloudwatch) => {
                patience(checker, &at, cloudwatch.timeout, cloudwatch.interval);
                arms(checker, &at, cloudwatch.arms.as_ref(), Labels::Possible);
                super::cloudwatch::source(checker, &at, cloudwatch);
            }
            SourceSpec::Probe(_) => {}
            SourceSpec::Json(json) => {
                let url = filled(checker, &at.then("url"), &json.url);
                http(checker, &at, &url, &json.secret_headers, json.max_body);
                patience(checker, &at, json.timeout, json.interval);
                arms(checker, &at, json.arms.as_ref(), Labels::Impossible);
            }
            SourceSpec::Log(log) => {
                feed(checker, &at, log);
                arms(checker, &at, log.arms.as_ref(), Labels::Pointers);
            }
        }
        unread(checker, name, &at);
    }
}

fn http(
    checker: &mut Checker<'_>,
    at: &Path,
    url: &str,
    secret_headers: &BTreeMap<String, SecretRef>,
    max_body: u64,
) {
    checker.address(&at.then("url"), url);
    checker.headers(at, &BTreeMap::new(), secret_headers);
    checker.body_limit(&at.then("max_body"), max_body);
}

fn patience(checker: &mut Checker<'_>, at: &Path, timeout: Span, interval: Span) {
    if !interval.is_zero() && timeout > interval {
        checker.timeout_warning(at, timeout, interval);
    }
}

/// The address of a Prometheus server is that of its root.
fn server(checker: &mut Checker<'_>, path: &Path, url: &str) {
    let Ok(parsed) = reqwest::Url::parse(url) else { return };
    if let Some((root, _)) = url.split_once("/api/v1") {
        checker
            .error(path, format!("`url` holds the path of the API: {}", quoted(url)))
            .hint(format!("write {}; the rest is added", quoted(root)));
    } else if parsed.query().is_some() {
        checker
            .error(path, format!("`url` holds a query, which would not be sent: {}", quoted(url)))
            .hint("take it out; what the server wants beside the address goes into `secret_headers`");
    }
}

/// Whether arms can be told by a label.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Labels {
    /// There is no other way.
    Needed,
    /// Or by `{arm}`.
    Possible,
    /// Only by `{arm}`.
    Impossible,
    /// There is no other way, and they are JSON pointers.
    Pointers,
}

/// An address with its placeholders filled in, as far as they are known.
fn filled(checker: &mut Checker<'_>, path: &Path, url: &str) -> String {
    indicators::placeholders(checker, path, url, &[placeholder::SERVICE, placeholder::ARM]);
    placeholder::fill(url, |name| Some(Cow::Owned(name.to_owned())))
}

fn feed(checker: &mut Checker<'_>, at: &Path, log: &LogSpec) {
    place_of_lines(checker, at, log.file.as_ref(), log.command.as_ref());
    if !(64..=LONGEST_LINE).contains(&log.max_line) {
        checker
            .error(
                &at.then("max_line"),
                format!("`max_line` is {}, expected 64 to {LONGEST_LINE}", log.max_line),
            )
            .hint("it is in bytes; 65536 is a good start");
    }
}

/// The longest that a line may be allowed to be, in bytes.
const LONGEST_LINE: u64 = 16 * 1024 * 1024;

fn arms(checker: &mut Checker<'_>, at: &Path, arms: Option<&ArmLabel>, labels: Labels) {
    let Some(arms) = arms else { return };
    let at = at.then("arms");
    if let Some(label) = &arms.label {
        let valid = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if labels == Labels::Impossible {
            checker
                .error_at_key(&at.then("label"), "an answer in JSON has no labels")
                .hint("write `{arm}` in the address or in the pointers; `stable` and `canary` say what stands for it");
        } else if labels == Labels::Pointers {
            let fault = pointer::fault(label).or_else(|| label.is_empty().then(|| "it is empty".to_owned()));
            if let Some(fault) = fault {
                checker
                    .error(&at.then("label"), format!("{} is not a JSON pointer: {fault}", quoted(label)))
                    .hint("write where a line has its arm, like `/version`");
            }
        } else if label.is_empty()
            || !label.chars().all(valid)
            || label.starts_with(|c: char| c.is_ascii_digit())
        {
            checker
                .error(&at.then("label"), format!("{} cannot be the name of a label", quoted(label)))
                .hint("use letters, digits and `_`");
        }
    } else if labels == Labels::Impossible && arms.by_version {
        checker
            .error_at_key(&at.then("by_version"), "`{arm}` stands for an arm, not for a version")
            .hint("take `by_version` out");
    } else if matches!(labels, Labels::Needed | Labels::Pointers) || arms.by_version {
        checker
            .error_at_key(&at, "`arms` names no label")
            .hint("add `label`, the label that tells the arms apart");
    }
    if arms.by_version {
        for key in ["stable", "canary"] {
            if checker.is_written(&at.then(key)) {
                checker
                    .warn(&at.then(key), format!("`{key}` has no meaning with `by_version`"))
                    .hint("the label holds a version, the platform says which arm it is");
            }
        }
    } else if arms.stable == arms.canary {
        checker
            .error(&at.then("canary"), format!("stable and canary are both {}", quoted(&arms.canary)))
            .hint("give the two arms different values");
    }
}

fn unread(checker: &mut Checker<'_>, name: &SourceName, at: &Path) {
    let config = checker.config;
    let reads =
        config.services.values().any(|service| service.indicators.values().any(|i| i.source == *name));
    let watches = config
        .triggers
        .values()
        .any(|trigger| matches!(&trigger.when, Condition::Alarm { source, .. } if source == name));
    if !reads && !watches {
        checker
            .warn_at_key(at, format!("nothing is read from the source {}", quoted(name.as_str())))
            .hint("give a service an indicator with this source, or take it out");
    }
}

/// Where lines come from: a file, or a program that prints them.
pub(super) fn place_of_lines(
    checker: &mut Checker<'_>,
    at: &Path,
    file: Option<&String>,
    command: Option<&Vec<String>>,
) {
    match (file, command) {
        (None, None) => {
            checker
                .error_at_key(at, "the log has neither `file` nor `command`")
                .hint("add one of the two: `file = \"/var/log/checkout.json\"`");
        }
        (Some(_), Some(_)) => {
            checker
                .error_at_key(&at.then("command"), "the log has both `file` and `command`")
                .hint("keep one of the two");
        }
        (Some(file), None) if file.trim().is_empty() || file.contains('\0') => {
            checker
                .error(&at.then("file"), format!("`file` cannot be {}", quoted(file)))
                .hint("name a file, like `/var/log/checkout.json`");
        }
        (Some(file), None) if !std::path::Path::new(file).is_absolute() => {
            checker
                .warn(&at.then("file"), format!("{} depends on where unship is started", quoted(file)))
                .hint("write the whole path, from `/` on");
        }
        (None, Some(argv)) if argv.first().is_none_or(|program| program.trim().is_empty()) => {
            checker
                .error(&at.then("command"), "`command` names no program")
                .hint("write the program and its arguments: `[\"program\", \"argument\"]`");
        }
        _ => {}
    }
    for (index, argument) in command.iter().copied().flatten().enumerate() {
        if argument.contains('\0') {
            checker
                .error(&at.then("command").then(index), "an argument cannot hold a NUL character")
                .hint("take it out");
        }
    }
}
