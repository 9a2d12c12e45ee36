//! Reading a scenario's file: its shape, and the checks that name a line.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Deserialize;
use toml::Spanned;

use super::{Action, Event, Expect, Scenario, ScenarioError, ServiceSpec};
use crate::lab::faults::Fault;
use crate::model::Span;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    doc: String,
    duration: Span,
    expect: Expect,
    #[serde(default = "settle")]
    settle: Span,
    #[serde(rename = "service")]
    services: Vec<Spanned<ServiceSpec>>,
    #[serde(default, rename = "at")]
    timeline: Vec<Spanned<Entry>>,
}

const fn settle() -> Span {
    Span::millis(200)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    at: Span,
    #[serde(rename = "do")]
    verb: Verb,
    service: String,
    version: Option<String>,
    percent: Option<u8>,
    author: Option<String>,
    schema: Option<u64>,
    weights: Option<BTreeMap<String, u8>>,
    fault: Option<Fault>,
}

#[derive(Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Verb {
    Deploy,
    Traffic,
    Fault,
    Clear,
}

/// Reads and checks a scenario. `file` is the name in error messages.
pub(super) fn parse(file: &str, text: &str) -> Result<Scenario, ScenarioError> {
    let wrong = |offset: usize, message: String| ScenarioError::Invalid {
        file: file.to_owned(),
        line: text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1,
        message,
    };
    let raw: File = toml::from_str(text)
        .map_err(|error| wrong(error.span().map_or(0, |span| span.start), error.message().to_owned()))?;
    let mut known = BTreeMap::<String, BTreeSet<String>>::new();
    for service in &raw.services {
        let at = service.span().start;
        check_service(service.get_ref()).map_err(|message| wrong(at, message))?;
        let versions = service.get_ref().releases.iter().map(|release| release.version.clone()).collect();
        if known.insert(service.get_ref().name.clone(), versions).is_some() {
            return Err(wrong(at, format!("`{}` is there twice", service.get_ref().name)));
        }
    }
    if known.is_empty() {
        return Err(wrong(0, "a fleet needs at least one `[[service]]`".to_owned()));
    }
    for service in &raw.services {
        for other in &service.get_ref().depends_on {
            if !known.contains_key(other) {
                let message =
                    format!("`{}` depends on `{other}`, which is not there", service.get_ref().name);
                return Err(wrong(service.span().start, message));
            }
        }
    }
    let mut entries = raw.timeline;
    entries.sort_by_key(|entry| entry.get_ref().at);
    let mut timeline = Vec::with_capacity(entries.len());
    for entry in entries {
        let at = entry.span().start;
        let event = check_entry(entry.into_inner(), raw.duration, &raw.services, &mut known)
            .map_err(|message| wrong(at, message))?;
        timeline.push(event);
    }
    Ok(Scenario {
        name: raw.name,
        doc: raw.doc,
        duration: raw.duration.0,
        expect: raw.expect,
        settle: raw.settle.0,
        services: raw.services.into_iter().map(|service| Arc::new(service.into_inner())).collect(),
        timeline,
    })
}

/// A service name goes into addresses, labels and a config.
fn check_name(name: &str) -> Result<(), String> {
    let fine = !name.is_empty()
        && name.len() <= 40
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if fine { Ok(()) } else { Err(format!("`{name}` is not a name of small letters, digits and hyphens")) }
}

/// A version goes into headers and labels.
pub(in crate::lab) fn check_version(version: &str) -> Result<(), String> {
    let fine = !version.is_empty()
        && version.len() <= 60
        && version.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-+_".contains(&byte));
    if fine { Ok(()) } else { Err(format!("`{version}` is not a version of letters, digits and `.-+_`")) }
}

fn check_service(service: &ServiceSpec) -> Result<(), String> {
    let name = &service.name;
    check_name(name)?;
    if !(0.0..=5_000.0).contains(&service.rps) {
        return Err(format!("`{name}`: rps is between 0 and 5000, not {}", service.rps));
    }
    if !(0.0..=1.0).contains(&service.errors) {
        return Err(format!("`{name}`: errors is between 0 and 1, not {}", service.errors));
    }
    if service.memory_limit_mb == 0 {
        return Err(format!("`{name}`: memory_limit_mb is at least 1"));
    }
    if service.releases.is_empty() {
        return Err(format!("`{name}` needs at least one `[[service.release]]`"));
    }
    let mut seen = BTreeSet::new();
    for release in &service.releases {
        check_version(&release.version).map_err(|message| format!("`{name}`: {message}"))?;
        if !seen.insert(&release.version) {
            return Err(format!("`{name}` has the version `{}` twice", release.version));
        }
    }
    if let Some(pair) = service.releases.windows(2).find(|pair| pair[0].age > pair[1].age) {
        return Err(format!(
            "`{name}`: releases go newest first, but `{}` is older than `{}`",
            pair[0].version, pair[1].version
        ));
    }
    Ok(())
}

fn check_entry(
    entry: Entry,
    duration: Span,
    services: &[Spanned<ServiceSpec>],
    known: &mut BTreeMap<String, BTreeSet<String>>,
) -> Result<Event, String> {
    let Entry { at, verb, service, version, percent, author, schema, weights, fault } = entry;
    let names = || known.keys().cloned().collect::<Vec<_>>().join(", ");
    if at > duration {
        return Err(format!("`{at}` is after the end of the scenario, `{duration}`"));
    }
    let Some(versions) = known.get(&service) else {
        return Err(format!("there is no service `{service}`; there are {}", names()));
    };
    if verb != Verb::Deploy
        && let Some(version) = version
            .iter()
            .chain(weights.iter().flat_map(BTreeMap::keys))
            .find(|version| !versions.contains(*version))
    {
        return Err(format!("`{service}` has no version `{version}` at that time"));
    }
    let allowed = |given: [(&str, bool); 6], takes: &[&str]| match given
        .iter()
        .find(|(name, given)| *given && !takes.contains(name))
    {
        Some((name, _)) => Err(format!("`{name}` means nothing there; it takes {}", takes.join(", "))),
        None => Ok(()),
    };
    let given = [
        ("version", version.is_some()),
        ("percent", percent.is_some()),
        ("author", author.is_some()),
        ("schema", schema.is_some()),
        ("weights", weights.is_some()),
        ("fault", fault.is_some()),
    ];
    let action = match verb {
        Verb::Deploy => {
            allowed(given, &["version", "percent", "author", "schema"])?;
            let version = version.ok_or("`deploy` needs a `version`")?;
            check_version(&version)?;
            let percent = percent.unwrap_or(0);
            if percent > 100 {
                return Err(format!("`percent` is at most 100, not {percent}"));
            }
            if !known.entry(service.clone()).or_default().insert(version.clone()) {
                return Err(format!("`{service}` has the version `{version}` already"));
            }
            Action::Deploy { version, percent, author, schema }
        }
        Verb::Traffic => {
            allowed(given, &["weights"])?;
            let weights =
                weights.ok_or("`traffic` needs `weights`, like `{ \"2.8.0\" = 90, \"2.9.0\" = 10 }`")?;
            let sum: u32 = weights.values().map(|percent| u32::from(*percent)).sum();
            if sum != 100 {
                return Err(format!("`weights` add up to {sum}, not to 100"));
            }
            if weights.values().filter(|percent| **percent > 0).count() > 2 {
                return Err("at most two releases share the traffic".to_owned());
            }
            Action::Traffic(weights)
        }
        Verb::Fault => {
            allowed(given, &["version", "fault"])?;
            let fault = fault.ok_or("`fault` needs a `fault`, like `{ kind = \"errors\", rate = 0.3 }`")?;
            fault.check()?;
            if let Fault::DependencyDown { name } = &fault {
                let spec = services.iter().map(Spanned::get_ref).find(|spec| spec.name == service);
                if !spec.is_some_and(|spec| spec.dependencies.contains(name)) {
                    return Err(format!("`{service}` has no dependency `{name}`"));
                }
            }
            Action::Fault { version, fault }
        }
        Verb::Clear => {
            allowed(given, &["version"])?;
            Action::Clear { version }
        }
    };
    Ok(Event { at: at.0, service, action })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLEET: &str = "name = \"x\"\ndoc = \"x\"\nduration = \"10s\"\nexpect = \"quiet\"\n\
        [[service]]\nname = \"cart\"\n[[service.release]]\nversion = \"1\"\n";

    fn error(text: &str) -> String {
        Scenario::parse("mine.toml", &format!("{FLEET}{text}")).unwrap_err().to_string()
    }

    /// A mistake in a scenario is reported with the file and the line of the entry that it is in.
    #[test]
    fn a_mistake_has_its_line() {
        for (text, line, part) in [
            (
                "[[at]]\nat = \"2s\"\ndo = \"clear\"\nservice = \"kart\"\n",
                9,
                "no service `kart`; there are cart",
            ),
            (
                "\n[[at]]\nat = \"2s\"\ndo = \"explode\"\nservice = \"cart\"\n",
                12,
                "unknown variant `explode`",
            ),
            ("[[at]]\nat = \"soon\"\ndo = \"clear\"\nservice = \"cart\"\n", 10, "`soon` is not a duration"),
            (
                "[[at]]\nat = \"2s\"\ndo = \"fault\"\nservice = \"cart\"\nfault = { kind = \"errors\", rate = 3 }\n",
                9,
                "between 0 and 1",
            ),
            (
                "[[at]]\nat = \"2s\"\ndo = \"clear\"\nservice = \"cart\"\nversion = \"9\"\n",
                9,
                "no version `9`",
            ),
            (
                "[[at]]\nat = \"2s\"\ndo = \"clear\"\nservice = \"cart\"\npercent = 9\n",
                9,
                "`percent` means nothing",
            ),
            ("[[at]]\nat = \"2m\"\ndo = \"clear\"\nservice = \"cart\"\n", 9, "after the end"),
            ("[[at]]\nat = \"1s\"\ndo = \"deploy\"\nservice = \"cart\"\nversion = \"1\"\n", 9, "already"),
            (
                "[[at]]\nat = \"1s\"\ndo = \"traffic\"\nservice = \"cart\"\nweights = { \"1\" = 90 }\n",
                9,
                "add up to 90",
            ),
            ("colour = 1\n", 9, "unknown field `colour`"),
        ] {
            let error = error(text);
            assert!(error.starts_with(&format!("`mine.toml` line {line}: ")), "{text}\n{error}");
            assert!(error.contains(part), "{text}\n{error}");
        }
    }

    /// Events happen in order of time, whatever their order in the file.
    #[test]
    fn events_are_in_order() {
        let text = format!(
            "{FLEET}[[at]]\nat = \"5s\"\ndo = \"clear\"\nservice = \"cart\"\nversion = \"2\"\n\
             [[at]]\nat = \"1s\"\ndo = \"deploy\"\nservice = \"cart\"\nversion = \"2\"\n"
        );
        let scenario = Scenario::parse("mine.toml", &text).unwrap();
        assert!(matches!(scenario.timeline[0].action, Action::Deploy { .. }));
    }
}
