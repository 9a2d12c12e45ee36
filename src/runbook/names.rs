//! The names that conditions may use, as a registry that is built from data: which services there are, with their indicators,
//! and which alarms. `docs/runbooks.md` lists them for people.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::Unit;
use crate::model::source::SeriesSpec;

use super::condition::{Names, Part, Path, UnknownName, ValueKind};
use super::suggest::nearest;

/// The states of a rollback, as `rollback.state` says them.
pub const ROLLBACK_STATES: [&str; 10] = [
    "none",
    "planned",
    "running",
    "paused",
    "needs_decision",
    "verified",
    "not_recovered",
    "unverified",
    "failed",
    "cancelled",
];
/// The verdicts on a service or an arm, as `health` says them. What is not known is no word: it is unknown.
pub const HEALTH_WORDS: [&str; 3] = ["healthy", "degraded", "failing"];

impl From<&SeriesSpec> for ValueKind {
    /// What an indicator that is read like this is compared with.
    fn from(series: &SeriesSpec) -> Self {
        match (series, series.unit()) {
            (SeriesSpec::Rate { .. }, _) => Self::Rate,
            (_, Unit::Share) => Self::Share,
            (_, Unit::Millis) => Self::Duration,
            (_, Unit::Plain) => Self::Number,
        }
    }
}

/// What may be named, from the config, or without one.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Registry {
    services: Option<BTreeMap<String, BTreeMap<String, ValueKind>>>,
    alarms: Option<BTreeSet<String>>,
}

impl Registry {
    /// Every service, indicator and alarm may be named: for a runbook that is checked without a config.
    pub fn unchecked() -> Self {
        Self::default()
    }

    /// These services, each with its indicators by name. Any alarm.
    pub fn of(services: BTreeMap<String, BTreeMap<String, ValueKind>>) -> Self {
        Self { services: Some(services), alarms: None }
    }

    /// These alarms and no other.
    #[must_use]
    pub fn with_alarms(mut self, alarms: impl IntoIterator<Item = String>) -> Self {
        self.alarms = Some(alarms.into_iter().collect());
        self
    }

    fn service(&self, name: &str) -> Result<(), UnknownName> {
        match &self.services {
            Some(services) if !services.contains_key(name) => {
                Err(absent("service", name, services.keys().map(String::as_str)))
            }
            _ => Ok(()),
        }
    }

    /// The kind of an indicator, of one service or of any.
    fn indicator(&self, service: Option<&str>, name: &str) -> Result<ValueKind, UnknownName> {
        let Some(services) = &self.services else { return Ok(ValueKind::Any) };
        let theirs: Vec<_> =
            services.iter().filter(|(other, _)| service.is_none_or(|service| service == *other)).collect();
        let mut kinds = theirs.iter().filter_map(|(_, indicators)| indicators.get(name));
        match kinds.next() {
            // The services disagree on what it is, so it is known only when it is read.
            Some(kind) if kinds.any(|other| other != kind) => Ok(ValueKind::Any),
            Some(kind) => Ok(kind.clone()),
            None => {
                let all: BTreeSet<&str> =
                    theirs.iter().flat_map(|(_, indicators)| indicators.keys()).map(String::as_str).collect();
                Err(absent("indicator", name, all))
            }
        }
    }

    /// What is behind `canary.`, `stable.` and the same of a service.
    fn arm(&self, service: Option<&str>, arm: &str, rest: &[Part]) -> Result<Option<ValueKind>, UnknownName> {
        Ok(Some(match rest {
            [Part::Name(name)] => match name.as_str() {
                "error_rate" | "traffic" => ValueKind::Share,
                "p50" | "p95" | "p99" => ValueKind::Duration,
                "requests" => ValueKind::Rate,
                "version" => ValueKind::Text(Vec::new()),
                "health" => words(&HEALTH_WORDS),
                "present" if arm == "canary" => ValueKind::Bool,
                _ => return Ok(None),
            },
            [Part::Name(name), Part::Key(key)] if name == "indicator" => self.indicator(service, key)?,
            _ => return Ok(None),
        }))
    }
}

impl Names for Registry {
    fn quantity(&self, path: &Path) -> Result<ValueKind, UnknownName> {
        let unknown = || unknown(path);
        match path.parts() {
            [Part::Name(root), Part::Key(key)] => match root.as_str() {
                "freeze" => self.service(key).map(|()| ValueKind::Bool),
                _ => Err(unknown()),
            },
            [Part::Name(root), Part::Key(key), Part::Name(name)] if root == "alarm" && name == "firing" => {
                match &self.alarms {
                    Some(alarms) if !alarms.contains(key) => {
                        Err(absent("alarm", key, alarms.iter().map(String::as_str)))
                    }
                    _ => Ok(ValueKind::Bool),
                }
            }
            [Part::Name(root), Part::Key(key), rest @ ..] if root == "service" => {
                self.service(key)?;
                match rest {
                    [Part::Name(arm), rest @ ..] if !rest.is_empty() && is_arm(arm) => {
                        self.arm(Some(key), arm, rest)?.ok_or_else(unknown)
                    }
                    [Part::Name(name)] => match name.as_str() {
                        "health" => Ok(words(&HEALTH_WORDS)),
                        "version" => Ok(ValueKind::Text(Vec::new())),
                        "maintenance" => Ok(ValueKind::Bool),
                        "rollback" => Ok(words(&ROLLBACK_STATES)),
                        _ => Err(unknown()),
                    },
                    _ => Err(unknown()),
                }
            }
            [Part::Name(arm), rest @ ..] if is_arm(arm) => self.arm(None, arm, rest)?.ok_or_else(unknown),
            [Part::Name(root), Part::Name(name)] => of_the_incident(root, name).ok_or_else(unknown),
            _ => Err(unknown()),
        }
    }
}

fn is_arm(name: &str) -> bool {
    matches!(name, "canary" | "stable")
}

fn of_the_incident(root: &str, name: &str) -> Option<ValueKind> {
    Some(match (root, name) {
        ("incident", "sev")
        | ("services", "unhealthy" | "failing")
        | ("limits", "exceeded")
        | ("findings", "count") => ValueKind::Number,
        ("incident", "age") => ValueKind::Duration,
        ("incident", "acknowledged" | "scoped" | "resolved") | ("rollback", "started" | "traffic_back") => {
            ValueKind::Bool
        }
        ("rollback", "state") => words(&ROLLBACK_STATES),
        _ => return None,
    })
}

fn words(words: &[&str]) -> ValueKind {
    ValueKind::Text(words.iter().map(|word| (*word).to_owned()).collect())
}

/// Every name that needs no key, and those with one as they are written.
const ALL: &[&str] = &[
    "incident.sev",
    "incident.acknowledged",
    "incident.age",
    "incident.scoped",
    "incident.resolved",
    "services.unhealthy",
    "services.failing",
    "limits.exceeded",
    "findings.count",
    "rollback.state",
    "rollback.started",
    "rollback.traffic_back",
];
const ARM: &[&str] =
    &["error_rate", "p50", "p95", "p99", "requests", "traffic", "version", "health", "indicator[\"NAME\"]"];
const SERVICE: &[&str] = &["health", "version", "maintenance", "rollback", "canary", "stable"];

fn unknown(path: &Path) -> UnknownName {
    let parts = path.parts();
    let written = path.to_string();
    let shown = |part: Option<&Part>| match part {
        Some(Part::Name(name)) => name.clone(),
        Some(Part::Key(key)) => format!("[\"{key}\"]"),
        None => String::new(),
    };
    // The names at the place where the path leaves what there is.
    let (before, word, there): (String, String, Vec<String>) = match parts {
        [Part::Name(arm), rest @ ..] if is_arm(arm) => {
            (format!("{arm}."), shown(rest.first()), arm_names(arm))
        }
        [Part::Name(root), Part::Key(key), Part::Name(arm), rest @ ..]
            if root == "service" && is_arm(arm) =>
        {
            (format!("service[\"{key}\"].{arm}."), shown(rest.first()), arm_names(arm))
        }
        [Part::Name(root), Part::Key(key), rest @ ..] if root == "service" => {
            let there = SERVICE.iter().map(|name| (*name).to_owned()).collect();
            (format!("service[\"{key}\"]."), shown(rest.first()), there)
        }
        _ => {
            let there = ALL.iter().map(|name| (*name).to_owned()).chain(
                ["canary", "stable"]
                    .iter()
                    .flat_map(|arm| arm_names(arm).into_iter().map(move |name| format!("{arm}.{name}"))),
            );
            let keyed = ["service[\"NAME\"].health", "alarm[\"NAME\"].firing", "freeze[\"SERVICE\"]"];
            let there: Vec<String> = there.chain(keyed.map(str::to_owned)).collect();
            if let Some(near) = nearest(&written, there.iter().map(String::as_str)) {
                return UnknownName { text: format!("`{written}` is not known; did you mean `{near}`?") };
            }
            let roots = "incident, canary, stable, service[\"NAME\"], services, limits, rollback, alarm[\"NAME\"], \
                         freeze[\"SERVICE\"], findings";
            return UnknownName { text: format!("`{written}` is not known; names begin with {roots}") };
        }
    };
    let text = match nearest(&word, there.iter().map(String::as_str)) {
        Some(near) => format!("`{written}` is not known; did you mean `{before}{near}`?"),
        None => format!("`{written}` is not known; behind `{before}` there are {}", there.join(", ")),
    };
    UnknownName { text }
}

fn arm_names(arm: &str) -> Vec<String> {
    let present = (arm == "canary").then_some("present");
    ARM.iter().copied().chain(present).map(str::to_owned).collect()
}

fn absent<'a>(what: &str, name: &str, there: impl IntoIterator<Item = &'a str>) -> UnknownName {
    let there: Vec<&str> = there.into_iter().collect();
    let text = match nearest(name, there.iter().copied()) {
        Some(near) => format!("no {what} `{name}`; did you mean `{near}`?"),
        None if there.is_empty() => format!("no {what} `{name}`; the config has none"),
        None => format!("no {what} `{name}`; there are {}", there.join(", ")),
    };
    UnknownName { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registry() -> Registry {
        let checkout = BTreeMap::from([
            ("memory".to_owned(), ValueKind::Share),
            ("queue".to_owned(), ValueKind::Number),
        ]);
        let cart = BTreeMap::from([("memory".to_owned(), ValueKind::Number)]);
        Registry::of(BTreeMap::from([("checkout".to_owned(), checkout), ("cart".to_owned(), cart)]))
            .with_alarms(["HighErrors".to_owned()])
    }

    fn kind(text: &str) -> Result<ValueKind, String> {
        registry().quantity(&Path::parse(text).unwrap()).map_err(|error| error.text)
    }

    /// An indicator is compared with what its series is measured in.
    #[test]
    fn indicators_have_kinds() {
        for (json, expected) in [
            (r#"{"kind":"ratio","bad":"a","total":"b"}"#, ValueKind::Share),
            (r#"{"kind":"rate","counter":"a"}"#, ValueKind::Rate),
            (r#"{"kind":"latency","histogram":"a"}"#, ValueKind::Duration),
            (r#"{"kind":"gauge","series":"a"}"#, ValueKind::Number),
            (r#"{"kind":"gauge","series":"a","divide_by":"b"}"#, ValueKind::Share),
            (r#"{"kind":"gauge","series":"a","unit":"percent"}"#, ValueKind::Share),
            (r#"{"kind":"gauge","series":"a","unit":"seconds"}"#, ValueKind::Duration),
        ] {
            let series: SeriesSpec = serde_json::from_str(json).unwrap();
            assert_eq!(ValueKind::from(&series), expected, "{json}");
        }
    }

    /// Every name that is published has its kind.
    #[test]
    fn published_names_are_known() {
        for (names, expected) in [
            (
                &[
                    "incident.sev",
                    "services.unhealthy",
                    "services.failing",
                    "limits.exceeded",
                    "findings.count",
                ][..],
                ValueKind::Number,
            ),
            (
                &["incident.age", "canary.p50", "stable.p95", "service[\"cart\"].stable.p99"],
                ValueKind::Duration,
            ),
            (
                &[
                    "incident.acknowledged",
                    "incident.scoped",
                    "incident.resolved",
                    "rollback.started",
                    "rollback.traffic_back",
                    "canary.present",
                    "service[\"cart\"].maintenance",
                    "alarm[\"HighErrors\"].firing",
                    "freeze[\"cart\"]",
                ],
                ValueKind::Bool,
            ),
            (
                &["canary.error_rate", "canary.traffic", "service[\"cart\"].canary.error_rate"],
                ValueKind::Share,
            ),
            (&["stable.requests"], ValueKind::Rate),
            (&["stable.version", "service[\"cart\"].version"], ValueKind::Text(Vec::new())),
            (
                &["stable.health", "service[\"cart\"].health", "service[\"cart\"].canary.health"],
                words(&HEALTH_WORDS),
            ),
            (&["rollback.state", "service[\"cart\"].rollback"], words(&ROLLBACK_STATES)),
            (&["stable.indicator[\"queue\"]"], ValueKind::Number),
            (&["service[\"checkout\"].canary.indicator[\"memory\"]"], ValueKind::Share),
            // A share in one service and a number in another.
            (&["canary.indicator[\"memory\"]"], ValueKind::Any),
        ] {
            for name in names {
                assert_eq!(kind(name), Ok(expected.clone()), "{name}");
            }
        }
        // Those that need no key are what the suggestions are made of.
        for name in ALL {
            assert!(kind(name).is_ok(), "{name}");
        }
    }

    /// A name that is not there is refused with the nearest that is, or with what there is.
    #[test]
    fn unknown_names_say_what_there_is() {
        for (name, part) in [
            ("incident.severity", "incident.sev"),
            ("canry.error_rate", "did you mean `canary.error_rate`?"),
            ("stable.present", "behind `stable.` there are error_rate"),
            ("canary", "behind `canary.` there are error_rate"),
            ("service[\"chekout\"].health", "no service `chekout`; did you mean `checkout`?"),
            ("service[\"zzz\"].health", "no service `zzz`; there are cart, checkout"),
            ("service[\"cart\"].helth", "did you mean `service[\"cart\"].health`?"),
            ("service[\"cart\"].canary.p90", "did you mean `service[\"cart\"].canary.p"),
            ("canary.indicator[\"queu\"]", "no indicator `queu`; did you mean `queue`?"),
            ("service[\"cart\"].canary.indicator[\"queue\"]", "no indicator `queue`; there are memory"),
            ("alarm[\"Other\"].firing", "no alarm `Other`; there are HighErrors"),
            ("alarm[\"HighErrors\"]", "`alarm[\"HighErrors\"]` is not known"),
            ("freeze[\"zzz\"]", "no service `zzz`"),
            ("weather", "names begin with incident"),
        ] {
            let text = kind(name).unwrap_err();
            assert!(text.contains(part), "{name}: {text}");
        }
    }
}
