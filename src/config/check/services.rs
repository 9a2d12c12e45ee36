//! Services: where they run, what they depend on, how they are probed and measured.

use std::collections::{BTreeMap, BTreeSet};

use super::Checker;
use super::{indicators, platforms, sources};
use crate::config::problem::quoted;
use crate::config::schema::ServiceSpec;
use crate::config::spanned::{Path, place};
use crate::config::suggest::nearest;
use crate::config::syntax::is_sensitive;
use crate::model::ServiceName;
use crate::model::platform::{CommandSpec, CommandVerb, PlatformSpec};
use crate::model::probe::{BodyRule, ProbeSpec};
use crate::model::trigger::Condition;

/// What may stand in braces in an argument of a program.
const PLACEHOLDERS: [&str; 8] =
    ["{service}", "{release}", "{version}", "{percent}", "{shares}", "{on}", "{key}", "{token}"];

/// Checks every service.
pub(super) fn check(checker: &mut Checker<'_>) {
    let config = checker.config;
    if config.services.is_empty() {
        checker
            .error_at_key(&place!["services"], "there is no service")
            .hint("add one: `[services.NAME]` with a `platform`");
    }
    let mut targets: BTreeMap<(&str, &str), &ServiceName> = BTreeMap::new();
    for (name, service) in &config.services {
        let at = place!["services", name];
        match &service.platform {
            PlatformSpec::Lab(lab) => {
                checker.address(&at.then("platform").then("admin"), &lab.admin);
                let path = at.then("platform").then("service");
                if lab.service.trim().is_empty() {
                    checker.error(&path, "`service` is empty").hint("name the service as the lab calls it");
                } else if let Some(other) = targets.insert((&lab.admin, &lab.service), name) {
                    checker
                        .warn(
                            &path,
                            format!(
                                "{} and `{other}` are the same service of the lab",
                                quoted(name.as_str())
                            ),
                        )
                        .hint("two services that move the same traffic undo each other's rollbacks");
                }
            }
            PlatformSpec::Command(command) => programs(checker, command, &at.then("platform")),
            PlatformSpec::Azure(spec) => platforms::azure(checker, spec, &at.then("platform")),
            PlatformSpec::Docker(spec) => platforms::docker(checker, spec, &at.then("platform")),
            PlatformSpec::Ecs(spec) => platforms::ecs(checker, spec, &at.then("platform")),
            PlatformSpec::Github(spec) => platforms::github(checker, spec, &at.then("platform")),
            PlatformSpec::Http(spec) => platforms::http(checker, spec, &at.then("platform")),
            PlatformSpec::Kubernetes(spec) => platforms::kubernetes(checker, spec, &at.then("platform")),
            PlatformSpec::Netlify(spec) => platforms::netlify(checker, spec, &at.then("platform")),
            PlatformSpec::Railway(spec) => platforms::railway(checker, spec, &at.then("platform")),
            PlatformSpec::Nginx(spec) => platforms::nginx(checker, spec, &at.then("platform")),
        }
        let has_alarm = config.triggers.values().any(|trigger| {
            matches!(trigger.when, Condition::Alarm { .. })
                && trigger.services.as_ref().is_none_or(|services| services.contains(name))
        });
        if service.probes.is_empty() && service.indicators.is_empty() && !has_alarm {
            checker
                .warn_at_key(
                    &at,
                    format!(
                        "{} has neither probes nor indicators: nothing is known of it",
                        quoted(name.as_str())
                    ),
                )
                .hint(
                    "add `[services.NAME.probes.…]` or `[services.NAME.indicators.…]`"
                        .replace("NAME", name.as_str()),
                );
        }
        for (probe, spec) in &service.probes {
            one_probe(checker, spec, &at.then("probes").then(probe));
        }
        if let Some(log) = &service.log {
            sources::place_of_lines(checker, &at.then("log"), log.file.as_ref(), log.command.as_ref());
        }
        scaling(checker, service, &at.then("scaling"));
        indicators::check(checker, service, &at);
        dependencies(checker, name, service, &at);
    }
    cycles(checker);
}

fn scaling(checker: &mut Checker<'_>, service: &ServiceSpec, at: &Path) {
    if service.scaling.is_none() {
        return;
    }
    let can = match &service.platform {
        PlatformSpec::Ecs(_) | PlatformSpec::Kubernetes(_) => true,
        PlatformSpec::Command(command) => command.scale.is_some(),
        _ => false,
    };
    if !can {
        let kind = service.platform.kind();
        checker
            .warn_at_key(
                at,
                format!("unship cannot say how many instances run on `{kind}`: this does nothing"),
            )
            .hint("take it out, or (for `command`) give a program under `platform.scale`");
    }
}

fn programs(checker: &mut Checker<'_>, command: &CommandSpec, at: &Path) {
    let verbs = [
        ("observe", Some(&command.observe)),
        ("roll_back", command.roll_back.as_ref()),
        ("deploy", command.deploy.as_ref()),
        ("set_weight", command.set_weight.as_ref()),
        ("maintenance", command.maintenance.as_ref()),
        ("purge", command.purge.as_ref()),
        ("scale", command.scale.as_ref()),
        ("stop", command.stop.as_ref()),
        ("remove", command.remove.as_ref()),
        ("variables", command.variables.as_ref()),
        ("releases", command.releases.as_ref()),
        ("current", command.current.as_ref()),
    ];
    for (verb, argv) in verbs {
        let Some(argv) = argv else { continue };
        let path = at.then(verb);
        if argv.first().is_none_or(|program| program.trim().is_empty()) {
            checker
                .error(&path, format!("`{verb}` names no program"))
                .hint("write the program and its arguments: `[\"program\", \"argument\"]`");
        }
        for (index, argument) in argv.iter().enumerate() {
            if argument.contains('\0') {
                checker
                    .error(&path.then(index), "an argument cannot hold a NUL character")
                    .hint("take it out");
            }
            for word in braces(argument).filter(|word| !PLACEHOLDERS.contains(word)) {
                if let Some(near) = nearest(word, PLACEHOLDERS) {
                    checker
                        .warn(&path.then(index), format!("{} is not replaced by anything", quoted(word)))
                        .hint(format!("did you mean `{near}`? valid: {}", PLACEHOLDERS.join(", ")));
                }
            }
        }
    }
    if command.roll_back.is_none() && command.set_weight.is_none() {
        checker
            .error_at_key(at, "this platform cannot roll back: it has neither `roll_back` nor `set_weight`")
            .hint("name a program that makes one release serve everything, or one that moves traffic");
    }
    checker.positive(&at.then("timeout"), command.timeout);
    for name in command.env.keys().chain(command.secret_env.keys()) {
        let table = if command.env.contains_key(name) { "env" } else { "secret_env" };
        if name.is_empty() || name.contains(['=', '\0']) {
            checker
                .error_at_key(
                    &at.then(table).then(name),
                    format!("{} cannot be the name of a variable", quoted(name)),
                )
                .hint("use letters, digits and `_`");
        }
    }
    for (name, value) in &command.env {
        if command.secret_env.contains_key(name) {
            checker
                .error_at_key(&at.then("secret_env").then(name), format!("{} is also in `env`", quoted(name)))
                .hint("take it out of one of the two");
        }
        if value.contains('\0') {
            checker
                .error(&at.then("env").then(name), "a variable cannot hold a NUL character")
                .hint("take it out");
        } else if is_sensitive(name) {
            checker
                .warn(&at.then("env").then(name), format!("{} looks like a secret", quoted(name)))
                .hint("if it is one, put it in `secret_env` as `env:NAME` or `file:PATH`");
        }
    }
    let has = |verb: CommandVerb| match verb {
        CommandVerb::Deploy => (command.deploy.is_some(), "deploy"),
        CommandVerb::SetWeight => (command.set_weight.is_some(), "set_weight"),
        CommandVerb::RollBack => (command.roll_back.is_some(), "roll_back"),
        CommandVerb::Maintenance => (command.maintenance.is_some(), "maintenance"),
        CommandVerb::Purge => (command.purge.is_some(), "purge"),
        CommandVerb::Scale => (command.scale.is_some(), "scale"),
        CommandVerb::Stop => (command.stop.is_some(), "stop"),
        CommandVerb::Remove => (command.remove.is_some(), "remove"),
    };
    for (list, verbs) in [("idempotent", &command.idempotent), ("unobservable", &command.unobservable)] {
        for (index, verb) in verbs.iter().enumerate() {
            if let (false, word) = has(*verb) {
                checker
                    .warn(
                        &at.then(list).then(index),
                        format!("`{list}` speaks of `{word}`, for which there is no program"),
                    )
                    .hint(format!("add `{word}`, or take it out here"));
            }
        }
    }
}

/// The words in braces of an argument, with their braces.
fn braces(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices('{').filter_map(|(at, _)| {
        let word = &text[at..];
        let end = word.find('}')?;
        // `${NAME}` is another program's.
        (!text[..at].ends_with('$')).then(|| &word[..=end])
    })
}

fn one_probe(checker: &mut Checker<'_>, probe: &ProbeSpec, at: &Path) {
    checker.address(&at.then("url"), &probe.url);
    checker.method(&at.then("method"), &probe.method);
    checker.headers(at, &probe.headers, &probe.secret_headers);
    let interval = checker.positive(&at.then("interval"), probe.interval);
    checker.positive(&at.then("timeout"), probe.timeout);
    if interval && probe.timeout > probe.interval {
        checker.timeout_warning(at, probe.timeout, probe.interval);
    }
    checker.body_limit(&at.then("max_body"), probe.max_body);
    for (index, status) in probe.status.iter().enumerate() {
        if !(100..600).contains(status) {
            checker
                .error(&at.then("status").then(index), format!("`{status}` is not an HTTP status"))
                .hint("a status is from 100 to 599");
        }
    }
    if probe.method == "HEAD" {
        for (key, wants) in [
            ("contains", probe.contains.is_some()),
            ("body", matches!(probe.body, BodyRule::Json | BodyRule::Text)),
        ] {
            if wants {
                checker
                    .error(&at.then(key), format!("`{key}` judges a body, and the answer to `HEAD` has none"))
                    .hint("use the method `GET`");
            }
        }
    }
    if probe.contains.as_ref().is_some_and(String::is_empty) {
        checker
            .warn(&at.then("contains"), "`contains` is empty: every body contains that")
            .hint("write the text that a healthy answer has, or take the line out");
    }
}

fn dependencies(checker: &mut Checker<'_>, name: &ServiceName, service: &ServiceSpec, at: &Path) {
    let config = checker.config;
    let mut seen = BTreeSet::new();
    for (index, needed) in service.depends_on.iter().enumerate() {
        let path = at.then("depends_on").then(index);
        if needed == name {
            checker
                .error(&path, format!("{} depends on itself", quoted(name.as_str())))
                .hint("take it out of its own list");
        } else if !config.services.contains_key(needed) {
            let services =
                config.services.keys().map(ServiceName::as_str).filter(|other| *other != name.as_str());
            checker.unknown(&path, "service", needed.as_str(), services);
        } else if !seen.insert(needed) {
            checker.warn(&path, format!("{} is named twice", quoted(needed.as_str()))).hint("once is enough");
        }
    }
}

/// Finds circles of dependencies. Without recursion: a config may name thousands of services.
fn cycles(checker: &mut Checker<'_>) {
    let services = &checker.config.services;
    let mut done: BTreeSet<&ServiceName> = BTreeSet::new();
    let mut circles: Vec<Vec<&ServiceName>> = Vec::new();
    for start in services.keys() {
        // Each entry: a service on the way, and which of its dependencies comes next.
        let mut way: Vec<(&ServiceName, usize)> = vec![(start, 0)];
        let mut places = BTreeMap::from([(start, 0)]);
        while let Some((at, next)) = way.last_mut() {
            let at = *at;
            let needed = services.get(at).and_then(|service| service.depends_on.get(*next));
            *next += 1;
            let Some(needed) = needed else {
                done.insert(at);
                places.remove(at);
                way.pop();
                continue;
            };
            if done.contains(needed) || needed == at || !services.contains_key(needed) {
                continue;
            }
            if let Some(from) = places.get(needed) {
                // More than a few circles are one tangle; naming them all helps nobody.
                if circles.len() < 20 {
                    circles.push(way[*from..].iter().map(|(name, _)| *name).collect());
                }
            } else {
                places.insert(needed, way.len());
                way.push((needed, 0));
            }
        }
    }
    for circle in circles {
        let Some((first, last)) = circle.first().zip(circle.last()) else { continue };
        let words: Vec<&str> = circle.iter().map(|name| name.as_str()).chain([first.as_str()]).collect();
        let index = services
            .get(*last)
            .and_then(|service| service.depends_on.iter().position(|name| name == *first))
            .unwrap_or(0);
        let path = place!["services", *last, "depends_on", index];
        checker
            .error(&path, format!("services depend on each other in a circle: {}", words.join(" → ")))
            .hint("take one of these dependencies out");
    }
}
