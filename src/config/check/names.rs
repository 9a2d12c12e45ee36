//! Names that can be typed on a command line, shown in a table and used in a path.

use super::Checker;
use crate::config::problem::quoted;
use crate::config::spanned::{Path, place};

/// The longest name, in characters: it has to fit a column.
const LONGEST: usize = 100;

/// Checks every name that the config gives.
pub(super) fn check(checker: &mut Checker<'_>) {
    let config = checker.config;
    for name in config.sources.keys() {
        one(checker, "source", name.as_str(), &place!["sources", name]);
    }
    for (name, service) in &config.services {
        one(checker, "service", name.as_str(), &place!["services", name]);
        for probe in service.probes.keys() {
            one(checker, "probe", probe.as_str(), &place!["services", name, "probes", probe]);
        }
        for indicator in service.indicators.keys() {
            one(checker, "indicator", indicator.as_str(), &place!["services", name, "indicators", indicator]);
        }
    }
    for name in config.triggers.keys() {
        one(checker, "trigger", name.as_str(), &place!["triggers", name]);
    }
    for name in config.channels.keys() {
        one(checker, "channel", name.as_str(), &place!["channels", name]);
    }
    for name in config.operators.keys() {
        let path = place!["operators", name];
        if name.trim().is_empty() || name.chars().any(char::is_control) {
            checker
                .error_at_key(&path, format!("{} cannot be the name of an operator", quoted(name)))
                .hint("write the name they log in with");
        }
    }
}

fn one(checker: &mut Checker<'_>, what: &str, name: &str, path: &Path) {
    let why = if name.is_empty() {
        "it is empty".to_owned()
    } else if name.chars().count() > LONGEST {
        format!("it has more than {LONGEST} characters")
    } else if let Some(bad) = name.chars().find(|c| c.is_whitespace() || c.is_control() || *c == '/') {
        match bad {
            '/' => "it holds a `/`".to_owned(),
            bad if bad.is_whitespace() => "it holds a space".to_owned(),
            _ => "it holds a control character".to_owned(),
        }
    } else if name.starts_with('-') {
        "on a command line it would be an option".to_owned()
    } else {
        return;
    };
    checker
        .error_at_key(
            path,
            format!("{} cannot be the name of a {what}: {why}", quoted(name))
                .replace("of a indicator", "of an indicator"),
        )
        .hint("use letters, digits, `-`, `_` and `.`");
}
