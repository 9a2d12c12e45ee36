//! How what is asked is said: titles, what will happen, what to do instead.

use jiff::tz::TimeZone;

use super::subject::{Steer, Subject};
use crate::config::Config;
use crate::engine::ServiceState;
use crate::model::checklist::ItemAct;
use crate::model::command::Command;
use crate::model::decision::{Guardrail, GuardrailCheck};
use crate::model::operation::{OperationStatus, PlanKind};
use crate::model::release::{Arm, Quality};
use crate::model::trigger::{Condition, Finding};
use crate::tui::scene::Scene;

/// The dialog's title.
pub(super) fn title(subject: &Subject) -> String {
    match subject {
        Subject::RollBack { service, from, arm: Arm::Canary, .. } => {
            format!("Abort {} of {service}", from.version)
        }
        Subject::RollBack { service, .. } => format!("Roll back {service}"),
        Subject::Promote { service, canary, .. } => format!("Promote {} of {service}", canary.version),
        Subject::Deploy { service, release, .. } => format!("Deploy {} of {service}", release.version),
        Subject::Confirm { operation, .. } => format!("Say go to {operation}"),
        Subject::Maintenance { service, on: true, .. } => format!("Maintenance page of {service} on"),
        Subject::Maintenance { service, on: false, .. } => format!("Maintenance page of {service} off"),
        Subject::Scale { service, instances, .. } => format!("Scale {service} to {instances}"),
        Subject::Steer { how: Steer::Pause, operation, .. } => format!("Pause {operation}"),
        Subject::Steer { how: Steer::Resume, operation, .. } => format!("Resume {operation}"),
        Subject::Steer { how: Steer::Cancel, operation, .. } => format!("Cancel {operation}"),
        Subject::Settle { operation, .. } => format!("What happened in {operation}"),
        Subject::Mark { service, version, quality, .. } => {
            format!("Mark {version} of {service} {}", quality.word())
        }
        Subject::Freeze { service } => format!("Freeze rollbacks of {service}"),
        Subject::Thaw { service } => format!("Lift the freeze on {service}"),
        Subject::Automatic { on: true } => "Automatic rollbacks on".to_owned(),
        Subject::Automatic { on: false } => "Automatic rollbacks off".to_owned(),
        Subject::Reset { service, .. } => format!("Reset the count of {service}"),
        Subject::OpenIncident { service } => format!("Open an incident on {service}"),
        Subject::Severity { incident, .. } => format!("Severity of {incident}"),
        Subject::Resolve { incident } => format!("Resolve {incident}"),
        Subject::Note { incident } => format!("Note in {incident}"),
        Subject::Incident(asked) => asked.title(),
        Subject::Item(asked) => asked.title(),
    }
}

/// What was asked, for the message about its answer.
pub(super) fn of_subject(subject: &Subject) -> String {
    match subject {
        Subject::RollBack { service, .. } => format!("roll back {service}"),
        Subject::Promote { service, .. } => format!("promote {service}"),
        Subject::Deploy { service, release, .. } => format!("deploy {} of {service}", release.version),
        Subject::Confirm { operation, .. } => format!("go for {operation}"),
        Subject::Maintenance { service, on, .. } => {
            format!("maintenance page of {service} {}", if *on { "on" } else { "off" })
        }
        Subject::Scale { service, instances, .. } => format!("scale {service} to {instances}"),
        Subject::Steer { how, operation, .. } => format!("{} {operation}", steering(*how)),
        Subject::Settle { operation, .. } => format!("settle {operation}"),
        Subject::Mark { version, quality, .. } => format!("mark {version} {}", quality.word()),
        Subject::Freeze { service } => format!("freeze rollbacks of {service}"),
        Subject::Thaw { service } => format!("lift the freeze on {service}"),
        Subject::Automatic { on } => format!("automatic {}", if *on { "on" } else { "off" }),
        Subject::Reset { service, .. } => format!("reset the count of {service}"),
        Subject::OpenIncident { service } => format!("open an incident on {service}"),
        Subject::Severity { incident, .. } => format!("severity of {incident}"),
        Subject::Resolve { incident } => format!("resolve {incident}"),
        Subject::Note { incident } => format!("note in {incident}"),
        Subject::Incident(asked) => asked.words(),
        Subject::Item(asked) => asked.words(),
    }
}

/// What was asked without a question.
pub(super) fn of_command(command: &Command) -> String {
    match command {
        Command::Acknowledge { incident } => format!("acknowledge {incident}"),
        Command::Item { item, act, .. } => match act {
            ItemAct::Done => format!("tick {item}"),
            ItemAct::Reopen { .. } => format!("open {item} again"),
            ItemAct::Begin => format!("begin {item}"),
            ItemAct::Claim => format!("take {item}"),
            ItemAct::Release => format!("let {item} go"),
            ItemAct::AcknowledgeRegression => format!("{item} seen"),
            ItemAct::Note { .. } => format!("note beside {item}"),
            act => format!("{} ({item})", act.verb()),
        },
        Command::Note { incident, .. } => format!("note in {incident}"),
        other => other.verb().to_owned(),
    }
}

const fn steering(how: Steer) -> &'static str {
    match how {
        Steer::Pause => "pause",
        Steer::Resume => "resume",
        Steer::Cancel => "cancel",
    }
}

/// What the confirming key does, after the key: `y rolls back`.
pub(super) fn does(subject: &Subject, choice: Option<usize>) -> String {
    match subject {
        Subject::RollBack { arm: Arm::Canary, .. } => "aborts it".to_owned(),
        Subject::RollBack { .. } => "rolls back".to_owned(),
        Subject::Promote { .. } => "promotes".to_owned(),
        Subject::Deploy { .. } => "deploys".to_owned(),
        Subject::Confirm { .. } => "says go".to_owned(),
        Subject::Maintenance { on, .. } | Subject::Automatic { on } => {
            format!("turns it {}", if *on { "on" } else { "off" })
        }
        Subject::Scale { .. } => "scales".to_owned(),
        Subject::Steer { how: Steer::Pause, .. } => "pauses".to_owned(),
        Subject::Steer { how: Steer::Resume, .. } => "resumes".to_owned(),
        Subject::Steer { how: Steer::Cancel, .. } => "cancels".to_owned(),
        Subject::Settle { .. } => {
            let choices = subject.choices();
            let word = choice.and_then(|at| choices.get(at)).map_or("answers", |(word, _)| word.as_str());
            format!("says {word}")
        }
        Subject::Mark { quality, .. } => format!("marks it {}", quality.word()),
        Subject::Freeze { .. } => "freezes".to_owned(),
        Subject::Thaw { .. } => "lifts it".to_owned(),
        Subject::Reset { .. } => "resets".to_owned(),
        Subject::OpenIncident { .. } => "opens it".to_owned(),
        Subject::Severity { .. } => "sets it".to_owned(),
        Subject::Resolve { .. } => "resolves".to_owned(),
        Subject::Note { .. } => "writes it".to_owned(),
        Subject::Incident(asked) => asked.does(choice),
        Subject::Item(asked) => asked.does(choice),
    }
}

/// What is wrong with the name as it is typed.
pub(super) fn name_missing(subject: &Subject, typed: &str) -> String {
    let Some(service) = subject.service() else { return String::new() };
    if service.as_str().starts_with(typed) {
        format!("type {service}")
    } else {
        format!("that is not {service}")
    }
}

/// What to do where a guardrail blocks that nobody can override from here.
pub(super) fn instead(check: &GuardrailCheck) -> String {
    let detail = &check.detail;
    match check.guardrail {
        Guardrail::ReadOnly => {
            format!("{detail}; nobody overrides that from here: `environment.read_only` in the config does")
        }
        Guardrail::Busy => {
            format!(
                "{detail}; nobody overrides that: pause or cancel the one that is going on, or let it end"
            )
        }
        Guardrail::Target => {
            format!(
                "{detail}; without a release to go to there is nothing to override: name one with `: roll-back SERVICE VERSION`"
            )
        }
        _ => format!("{detail}; nobody overrides that from here"),
    }
}

/// The reason that is offered: what was found, where it is a release that is taken back.
pub(super) fn first_reason(scene: &Scene<'_>, subject: &Subject, args: &[String]) -> String {
    if let Subject::Incident(asked) = subject {
        return asked.first_text(args);
    }
    let Subject::RollBack { service, arm, .. } = subject else { return String::new() };
    let Some(known) = scene.picture.live.state.service(service) else { return String::new() };
    worst_finding(known, *arm)
        .map(|finding| finding_words(scene.config(), finding, &scene.picture.zone))
        .unwrap_or_default()
}

/// What asks for the most, on the arm that is left before the others.
fn worst_finding(known: &ServiceState, arm: Arm) -> Option<&Finding> {
    known.findings.values().max_by_key(|finding| {
        (finding.action, finding.severity, finding.arm == Some(arm), std::cmp::Reverse(finding.since))
    })
}

/// A finding as a person would say it: `errors 7.1 % above 5 % on the canary since 14:01`.
fn finding_words(config: &Config, finding: &Finding, zone: &TimeZone) -> String {
    let since = finding.since.to_zoned(zone.clone()).strftime("%H:%M").to_string();
    let arm = finding.arm.map_or_else(String::new, |arm| format!(" on the {arm}"));
    let evidence = &finding.evidence;
    let limit = evidence.limit;
    let what = match config.triggers.get(&finding.trigger).map(|trigger| &trigger.when) {
        Some(Condition::Threshold { indicator, .. }) => indicator.to_string(),
        _ => evidence.query.clone(),
    };
    let side = if evidence.above { "above" } else { "below" };
    match evidence.value {
        Some(value) => format!("{what} {} {side} {limit}{arm} since {since}", limit.unit.show(value)),
        None => format!("{what} without data, limit {limit}{arm} since {since}"),
    }
}

/// What will happen, in sentences.
pub(super) fn will(scene: &Scene<'_>, subject: &Subject, choice: Option<usize>) -> Vec<String> {
    let state = &scene.picture.live.state;
    let environment = &scene.config().environment.name;
    match subject {
        Subject::RollBack { .. } | Subject::Promote { .. } | Subject::Deploy { .. } => Vec::new(),
        Subject::Confirm { operation, .. } => {
            let Some(now) = state.operation(operation) else { return Vec::new() };
            vec![
                format!("{operation}: {}.", now.plan.purpose.replace('`', "")),
                "The traffic begins to move. A release that fails with users on it is taken back by itself."
                    .to_owned(),
            ]
        }
        Subject::Maintenance { service, on: true, .. } => vec![
            format!("Everybody who comes to {service} gets the maintenance page until it is turned off."),
            "No traffic moves between releases, and nothing turns the page off by itself.".to_owned(),
        ],
        Subject::Maintenance { service, on: false, .. } => {
            vec![format!("Everybody who comes to {service} gets the service again, as it is now.")]
        }
        Subject::Scale { service, instances, now, .. } => vec![
            format!("The platform is asked for {instances} instances of {service}; {now} are asked for now."),
            "That moves no traffic and takes nothing back. Whether they come up is seen by `unship platform instances`."
                .replace('`', ""),
        ],
        Subject::Steer { how, operation, .. } => {
            let Some(now) = state.operation(operation) else { return Vec::new() };
            let total = now.steps.len();
            let current = now.current().map(|at| (at + 1, now.plan.steps.get(at)));
            let step = current.map_or_else(String::new, |(number, step)| {
                format!(
                    "step {number} of {total}, {}",
                    step.map_or("", |step| step.title.as_str()).replace('`', "")
                )
            });
            let what = format!("{operation}: {}.", now.plan.purpose.replace('`', ""));
            let says = match how {
                Steer::Pause => {
                    format!(
                        "It ends what it is at ({step}) and begins no other step until it is resumed. Traffic stays as that leaves it."
                    )
                }
                Steer::Resume => format!("It goes on with {step}."),
                Steer::Cancel if matches!(now.status, OperationStatus::NeedsDecision { .. }) => {
                    "It ends at once, and nobody knows whether its step has happened: look at the platform."
                        .to_owned()
                }
                Steer::Cancel if matches!(now.plan.kind, PlanKind::Deploy { .. }) => {
                    let from = &now.plan.from.version;
                    if now.may_have_moved() {
                        format!("It stops, and all the traffic goes back to {from} at once; it is at {step}.")
                    } else {
                        format!("It stops. No traffic has moved: {from} serves as it did; it is at {step}.")
                    }
                }
                Steer::Cancel => {
                    format!(
                        "It stops before its next step. What it has done stays done, nothing is put back; it is at {step}."
                    )
                }
            };
            let mut lines = vec![what, says];
            if let (Steer::Resume, Some(paused)) = (how, &now.paused) {
                lines.push(format!("Paused by {}: {}", paused.by, paused.reason));
            }
            lines
        }
        Subject::Settle { operation, step, .. } => {
            let Some(now) = state.operation(operation) else { return Vec::new() };
            let mut lines = vec![format!("{operation}: {}.", now.plan.purpose.replace('`', ""))];
            if let Some(planned) = now.plan.steps.get(*step) {
                let title = planned.title.replace('`', "");
                lines.push(format!("Step {} of {}: {title}", step + 1, now.steps.len()));
            }
            if let OperationStatus::NeedsDecision { facts, .. } = &now.status {
                lines.push(facts.replace('`', ""));
            }
            lines
        }
        Subject::Mark { service, version, quality: Quality::Good, .. } => {
            vec![format!("{version} may be returned to when a release of {service} is taken back.")]
        }
        Subject::Mark { service, version, .. } => vec![format!(
            "{version} is not returned to when a release of {service} is taken back. It stays where it is now."
        )],
        Subject::Freeze { service } => vec![
            format!(
                "Rollbacks and promotions of {service} are forbidden while the freeze holds: the automatic ones and those of people."
            ),
            "A person can still override it, with a reason.".to_owned(),
        ],
        Subject::Thaw { service } => {
            let freeze = state.service(service).and_then(|known| known.freeze.as_ref());
            let mut lines = vec![format!("Rollbacks and promotions of {service} are allowed again.")];
            lines.extend(freeze.map(|freeze| format!("Frozen by {}: {}", freeze.by, freeze.reason)));
            lines
        }
        Subject::Automatic { on: true } => {
            vec![format!("The guard rolls back by itself again, in the whole of {environment}.")]
        }
        Subject::Automatic { on: false } => vec![format!(
            "The guard watches and tells, in the whole of {environment}; only people roll back. What is going on goes on."
        )],
        Subject::Reset { service, rollbacks } => vec![
            format!(
                "The count of rollbacks of {service} goes from {rollbacks} back to 0: a person has looked."
            ),
            "Rolling back by itself is possible again if the count was what stopped it.".to_owned(),
        ],
        Subject::OpenIncident { service } => {
            vec![format!(
                "An incident is declared on {service}; its clock and its checklist begin, and people are told."
            )]
        }
        Subject::Severity { incident, level } => {
            vec![format!("{incident} is {level} now. The severity says how soon somebody has to answer.")]
        }
        Subject::Resolve { incident } => {
            vec![format!(
                "{incident} is over: its clock stops, and what is still wrong opens no other by itself."
            )]
        }
        Subject::Note { incident } => {
            vec![format!("A line for the timeline of {incident}. Enter writes it.")]
        }
        Subject::Incident(asked) => asked.will(scene, choice),
        Subject::Item(asked) => asked.will(),
    }
}
