//! Contacts, schedules, escalation policies and the runbooks of incidents.

use super::Checker;
use crate::config::problem::quoted;
use crate::config::spanned::{Path, place};
use crate::model::escalation::{LevelMode, TargetSpec};
use crate::model::units::human;
use crate::model::{ChannelName, ContactName, PolicyName, ScheduleName, ServiceName, Span};

/// The longest and the shortest that a level may wait for an answer.
const DELAYS: (Span, Span) = (Span::secs(60), Span::secs(86_400));
/// How often the levels may be gone through again.
const REPEATS: u8 = 5;

/// Checks all of it.
pub(super) fn check(checker: &mut Checker<'_>) {
    contacts(checker);
    schedules(checker);
    policies(checker);
    escalation(checker);
    runbooks(checker);
}

fn contacts(checker: &mut Checker<'_>) {
    let config = checker.config;
    for (name, contact) in &config.contacts {
        let at = place!["contacts"].then(name.as_str());
        let ways = [("chat", &contact.chat), ("email", &contact.email), ("phone", &contact.phone)];
        for (key, way) in ways {
            let Some(way) = way else { continue };
            if !config.channels.contains_key(&way.channel) {
                let names = config.channels.keys().map(ChannelName::as_str);
                checker.unknown(&at.then(key).then("channel"), "channel", way.channel.as_str(), names);
            }
            if way.address.as_deref().is_some_and(|address| address.trim().is_empty()) {
                checker
                    .error(&at.then(key).then("address"), "the address is empty")
                    .hint("leave it away where the channel needs none");
            }
        }
        if contact.ways().next().is_none() {
            checker
                .error_at_key(&at, format!("{} cannot be reached", quoted(name.as_str())))
                .hint("give them `chat`, `email` or `phone`, each with a `channel`");
        }
    }
}

fn contact(checker: &mut Checker<'_>, path: &Path, name: &ContactName) {
    let config = checker.config;
    if !config.contacts.contains_key(name) {
        checker.unknown(path, "contact", name.as_str(), config.contacts.keys().map(ContactName::as_str));
    }
}

fn schedules(checker: &mut Checker<'_>) {
    let config = checker.config;
    for (name, schedule) in &config.schedules {
        let at = place!["schedules"].then(name.as_str());
        checker.positive(&at.then("turn"), schedule.turn);
        if schedule.contacts.is_empty() {
            checker
                .error(&at.then("contacts"), "nobody takes turns")
                .hint("name contacts, in the order of their turns");
        }
        for (index, name) in schedule.contacts.iter().enumerate() {
            contact(checker, &at.then("contacts").then(index), name);
        }
        for (index, turn) in schedule.overrides.iter().enumerate() {
            let at = at.then("overrides").then(index);
            contact(checker, &at.then("contact"), &turn.contact);
            if turn.from >= turn.to {
                checker
                    .error(&at.then("to"), "the turn ends before it begins")
                    .hint(format!("`to` has to be later than `from`, which is {}", turn.from));
            }
        }
    }
}

fn target(checker: &mut Checker<'_>, path: &Path, target: &TargetSpec) {
    let config = checker.config;
    match target {
        TargetSpec::Contact(name) => contact(checker, path, name),
        TargetSpec::Schedule(name) if !config.schedules.contains_key(name) => {
            let names = config.schedules.keys().map(ScheduleName::as_str);
            checker.unknown(path, "schedule", name.as_str(), names);
        }
        TargetSpec::Channel(name) if !config.channels.contains_key(name) => {
            let names = config.channels.keys().map(ChannelName::as_str);
            checker.unknown(path, "channel", name.as_str(), names);
        }
        TargetSpec::Schedule(_) | TargetSpec::Channel(_) | TargetSpec::Role(_) => {}
        TargetSpec::Other(text) => {
            let why = text.parse::<TargetSpec>().err().unwrap_or_default();
            checker
                .error(path, why)
                .hint("like `contact:mira`, `schedule:payments`, `role:commander`, `channel:team`");
        }
    }
}

fn policies(checker: &mut Checker<'_>) {
    let config = checker.config;
    for (name, policy) in &config.policy {
        let at = place!["policy"].then(name.as_str());
        if policy.repeat > REPEATS {
            checker
                .error(
                    &at.then("repeat"),
                    format!("`repeat` is {}, expected at most {REPEATS}", policy.repeat),
                )
                .hint("whoever was told so often is not there; let `last_resort` be somebody else");
        }
        target(checker, &at.then("last_resort"), &policy.last_resort);
        if matches!(policy.last_resort, TargetSpec::Role(_)) {
            checker
                .error(&at.then("last_resort"), "the last resort is a role, which nobody may have")
                .hint("name a contact, a schedule or a channel");
        }
        if policy.level.is_empty() {
            checker.error_at_key(&at, format!("the policy {} has no level", quoted(name.as_str()))).hint(
                format!(
                    "add `[[policy.{name}.level]]` with `targets = [\"contact:…\"]` and `delay = \"5m\"`"
                ),
            );
        }
        for (index, level) in policy.level.iter().enumerate() {
            let at = at.then("level").then(index);
            if level.targets.is_empty() {
                checker
                    .error(&at.then("targets"), "the level tells nobody")
                    .hint("name targets, like `contact:mira` or `schedule:payments`");
            }
            for (index, spec) in level.targets.iter().enumerate() {
                target(checker, &at.then("targets").then(index), spec);
            }
            let (least, most) = DELAYS;
            if level.delay < least || level.delay > most {
                checker
                    .error(
                        &at.then("delay"),
                        format!(
                            "`delay` is {}, expected {} to {}",
                            human(*level.delay),
                            human(*least),
                            human(*most)
                        ),
                    )
                    .hint("it is how long people have to answer before the next level is told");
            }
            if level.severity.is_some_and(|severity| !(1..=4).contains(&severity)) {
                checker
                    .error(&at.then("severity"), "expected a severity from 1 to 4")
                    .hint("the level is told of incidents at least this bad; 1 is the worst");
            }
            if level.mode == LevelMode::RoundRobin && level.targets.len() == 1 {
                checker
                    .warn(&at.then("mode"), "one target takes turns with itself")
                    .hint("name more targets, or leave `mode` away");
            }
        }
        let only_channels = policy
            .level
            .iter()
            .flat_map(|level| &level.targets)
            .all(|target| matches!(target, TargetSpec::Channel(_) | TargetSpec::Other(_)));
        if only_channels && !policy.level.is_empty() {
            checker
                .warn_at_key(&at, format!("the policy {} wakes nobody", quoted(name.as_str())))
                .hint("every target is a channel: name a contact or a schedule, so that a person is told");
        }
    }
}

fn escalation(checker: &mut Checker<'_>) {
    let config = checker.config;
    let spec = &config.escalation;
    let named = [
        ("policy", &spec.policy),
        ("sev1", &spec.sev1),
        ("sev2", &spec.sev2),
        ("sev3", &spec.sev3),
        ("sev4", &spec.sev4),
    ];
    for (key, policy) in named {
        if let Some(policy) = policy
            && !config.policy.contains_key(policy)
        {
            let names = config.policy.keys().map(PolicyName::as_str);
            checker.unknown(&place!["escalation"].then(key), "policy", policy.as_str(), names);
        }
    }
    if !config.policy.is_empty() && named.iter().all(|(_, policy)| policy.is_none()) {
        checker
            .warn_at_key(&place!["policy"], "no policy is followed by itself")
            .hint("name one in `[escalation] policy = \"…\"`; without it people escalate by hand");
    }
}

fn runbooks(checker: &mut Checker<'_>) {
    let config = checker.config;
    for (name, runbook) in &config.runbooks {
        let at = place!["runbooks"].then(name.as_str());
        for (index, service) in runbook.services.iter().enumerate() {
            if !config.services.contains_key(service) {
                let names = config.services.keys().map(ServiceName::as_str);
                checker.unknown(&at.then("services").then(index), "service", service.as_str(), names);
            }
        }
        if runbook.file.trim().is_empty() {
            checker
                .error(&at.then("file"), "`file` is empty")
                .hint("name the Markdown file, like `runbooks/checkout.md`");
        }
    }
}
