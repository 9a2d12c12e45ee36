//! Sources: where they are, how often they are read, how their series tell the arms apart.

use std::collections::BTreeMap;

use super::Checker;
use crate::config::problem::quoted;
use crate::config::spanned::{Path, place};
use crate::model::secret::SecretRef;
use crate::model::source::{ArmLabel, SourceSpec};
use crate::model::trigger::Condition;
use crate::model::{SourceName, Span};

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
}

fn arms(checker: &mut Checker<'_>, at: &Path, arms: Option<&ArmLabel>, labels: Labels) {
    let Some(arms) = arms else { return };
    let at = at.then("arms");
    if let Some(label) = &arms.label {
        let valid = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if label.is_empty() || !label.chars().all(valid) || label.starts_with(|c: char| c.is_ascii_digit()) {
            checker
                .error(&at.then("label"), format!("{} cannot be the name of a label", quoted(label)))
                .hint("use letters, digits and `_`");
        }
    } else if labels == Labels::Needed || arms.by_version {
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
