//! What is asked, with everything that it is about as it was when the key was pressed, and whether that still holds.

use std::time::Duration;

use jiff::Timestamp;

use super::on_incident::OnIncident;
use super::on_item::OnItem;
use super::text::Text;
use crate::engine::{State, instances, target};
use crate::model::command::{Command, Deploy, Override, Promote, RollBack, Scale, Settlement};
use crate::model::deploy::DeployStrategy;
use crate::model::incident::Level;
use crate::model::operation::{OperationStatus, Strategy};
use crate::model::release::{Arm, Quality, Release};
use crate::model::units::human;
use crate::model::{IncidentId, OperationId, ReleaseRef, ServiceName, Version};
use crate::tui::commands::{Action, Danger, Reason};
use crate::tui::scene::Scene;

/// What is asked. Everything in it is named by its identity.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Subject {
    /// Take a release back.
    RollBack {
        service: ServiceName,
        from: Release,
        arm: Arm,
        /// The version that the person named.
        asked: Option<Version>,
        /// What the engine would choose, as far as the state said.
        target: Option<ReleaseRef>,
        busy: Option<OperationId>,
    },
    /// Give the canary all the traffic.
    Promote { service: ServiceName, canary: Release, busy: Option<OperationId> },
    /// Bring a release in.
    Deploy { service: ServiceName, release: Release, from: Release, busy: Option<OperationId> },
    /// Say go to a deployment that waits for it.
    Confirm { operation: OperationId, service: ServiceName },
    /// Turn the maintenance page on or off.
    Maintenance { service: ServiceName, on: bool, busy: Option<OperationId> },
    /// Let another number of instances run.
    Scale { service: ServiceName, instances: u32, now: u32, busy: Option<OperationId> },
    /// Hold, let go on, or stop an operation.
    Steer { how: Steer, operation: OperationId, service: ServiceName },
    /// Say what happened.
    Settle { operation: OperationId, service: ServiceName, step: usize },
    /// Say what a release is worth.
    Mark { service: ServiceName, release: ReleaseRef, version: Version, quality: Quality },
    /// Forbid rollbacks.
    Freeze { service: ServiceName },
    /// Allow them again.
    Thaw { service: ServiceName },
    /// Rolling back by itself, on or off.
    Automatic { on: bool },
    /// The count of rollbacks back to zero.
    Reset { service: ServiceName, rollbacks: u32 },
    /// Declare an incident.
    OpenIncident { service: ServiceName },
    /// How bad it is.
    Severity { incident: IncidentId, level: Level },
    /// It is over.
    Resolve { incident: IncidentId },
    /// A line for its timeline.
    Note { incident: IncidentId },
    /// Anything else about it.
    Incident(OnIncident),
    /// Something about a line of a checklist.
    Item(OnItem),
}

/// What is done to an operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Steer {
    Pause,
    Resume,
    Cancel,
}

/// What the person has said so far.
#[derive(Clone, Debug)]
pub(super) struct Answers {
    /// When it was said.
    pub now: Timestamp,
    /// The text.
    pub reason: String,
    /// Which of [`Subject::choices`].
    pub choice: Option<usize>,
    /// Guardrails taken upon oneself.
    pub overrides: Vec<Override>,
    /// The version that was shown as the target.
    pub to: Option<Version>,
}

impl Answers {
    /// Nothing yet.
    pub(super) const fn at(now: Timestamp) -> Self {
        Self { now, reason: String::new(), choice: None, overrides: Vec::new(), to: None }
    }
}

const STRATEGIES: [Strategy; 3] = [Strategy::Immediate, Strategy::Gradual, Strategy::Emergency];
const SETTLEMENTS: [Settlement; 3] = [Settlement::Retry, Settlement::Done, Settlement::Abort];
/// How long a freeze holds; none until it is lifted.
const FREEZES: [Option<Duration>; 4] = [
    None,
    Some(Duration::from_secs(30 * 60)),
    Some(Duration::from_secs(2 * 3_600)),
    Some(Duration::from_secs(8 * 3_600)),
];

impl Subject {
    /// What a command of the table is about, now. The newest state counts, also while the picture is held.
    pub(super) fn catch(scene: &Scene<'_>, action: Action, args: &[String]) -> Result<Self, Reason> {
        let state = &scene.picture.live.state;
        let service = || scene.service().cloned().ok_or_else(|| "no service is shown".to_owned());
        let known = |service: &ServiceName| {
            state.service(service).ok_or_else(|| format!("nothing is known of {service} yet"))
        };
        let open = || -> Result<(OperationId, ServiceName), Reason> {
            let service = service()?;
            let operation = known(&service)?.operation.clone();
            operation.map(|id| (id, service)).ok_or_else(|| "no operation is going on".to_owned())
        };
        let incident = || scene.incident_to_act_on().map(|incident| incident.id.clone());
        let steer = |how| open().map(|(operation, service)| Self::Steer { how, operation, service });
        let mark = |quality| {
            let service = service()?;
            let reference = scene.ui.release.what.as_ref().ok_or("select a release in pane 3 first")?;
            let inventory = known(&service)?.inventory.as_ref();
            let release = inventory.and_then(|inventory| inventory.release(reference));
            let release = release.ok_or("the platform no longer has the selected release")?;
            let version = release.version.clone();
            Ok(Self::Mark { service, release: reference.clone(), version, quality })
        };
        if let Some(asked) = OnItem::catch(scene, action) {
            return asked.map(Self::Item);
        }
        if let Some(asked) = OnIncident::catch(scene, action, args) {
            return asked.map(Self::Incident);
        }
        match action {
            Action::RollBack => {
                let service = service()?;
                let known = known(&service)?;
                let Some((arm, from)) = known.suspect() else {
                    return Err("nothing is known to be live: the platform shows no traffic".to_owned());
                };
                let asked = args.get(1).map(|version| Version::from(version.as_str()));
                let target = target::choose(known, &from.reference, asked.as_ref()).release;
                Ok(Self::RollBack {
                    from: from.clone(),
                    arm,
                    asked,
                    target: target.map(|release| release.reference),
                    busy: known.operation.clone(),
                    service,
                })
            }
            Action::Promote => {
                let service = service()?;
                let known = known(&service)?;
                let canary = known.canary().ok_or("there is no canary")?.clone();
                Ok(Self::Promote { canary, busy: known.operation.clone(), service })
            }
            Action::Deploy => {
                let service = service()?;
                let known = known(&service)?;
                let from = known.stable().ok_or("nothing is known to be live")?.clone();
                let named = args.get(1).map(|version| Version::from(version.as_str()));
                let selected = || {
                    let reference = scene.ui.release.what.as_ref()?;
                    Some(known.inventory.as_ref()?.release(reference)?.version.clone())
                };
                let version =
                    named.or_else(selected).ok_or("name a version, or select a release in pane 3")?;
                let target = target::incoming(known, &version);
                let release = target.release.ok_or_else(|| target.problem.unwrap_or_default())?;
                Ok(Self::Deploy { release, from, busy: known.operation.clone(), service })
            }
            Action::Confirm => {
                let (operation, service) = open()?;
                Ok(Self::Confirm { operation, service })
            }
            Action::Maintenance => {
                let service = service()?;
                let known = known(&service)?;
                let page = known.inventory.as_ref().and_then(|inventory| inventory.maintenance);
                let on = !page.ok_or("this platform has no maintenance page")?;
                Ok(Self::Maintenance { on, busy: known.operation.clone(), service })
            }
            Action::Scale => {
                let service = service()?;
                let known = known(&service)?;
                let now = known.inventory.as_ref().and_then(|inventory| inventory.instances);
                let now = now.ok_or("this platform does not tell how many instances run")?;
                let instances = match args.get(1) {
                    Some(number) => {
                        number.parse().map_err(|_| format!("{number} is no number of instances"))?
                    }
                    None => instances::next(scene.config(), &service, Some(known)).ok_or_else(|| {
                        format!("{now} run; say how many are to, like :scale {service} {}", now + 1)
                    })?,
                };
                if instances == now {
                    return Err(format!("{now} instances run already"));
                }
                Ok(Self::Scale { instances, now, busy: known.operation.clone(), service })
            }
            Action::Pause => steer(Steer::Pause),
            Action::Resume => steer(Steer::Resume),
            Action::Cancel => steer(Steer::Cancel),
            Action::Settle => {
                let (operation, service) = open()?;
                match state.operation(&operation).map(|operation| &operation.status) {
                    Some(OperationStatus::NeedsDecision { step, .. }) => {
                        Ok(Self::Settle { step: *step, operation, service })
                    }
                    _ => Err("no operation waits for a person".to_owned()),
                }
            }
            Action::MarkGood => mark(Quality::Good),
            Action::MarkBad => mark(Quality::Bad),
            Action::FreezeRollbacks => Ok(Self::Freeze { service: service()? }),
            Action::ThawRollbacks => Ok(Self::Thaw { service: service()? }),
            Action::Automatic => Ok(Self::Automatic { on: !is_automatic(scene, state) }),
            Action::Reset => {
                let service = service()?;
                let rollbacks = state.service(&service).map_or(0, |known| known.rollbacks);
                Ok(Self::Reset { service, rollbacks })
            }
            Action::OpenIncident => Ok(Self::OpenIncident { service: service()? }),
            Action::Severity => {
                let incident = incident()?;
                let level = state.incident(&incident).map_or(Level::Sev3, |incident| incident.level);
                Ok(Self::Severity { incident, level })
            }
            Action::Resolve => Ok(Self::Resolve { incident: incident()? }),
            Action::Note => Ok(Self::Note { incident: incident()? }),
            _ => Err("this asks nothing".to_owned()),
        }
    }

    /// The command, as far as it is answered; none while a choice is open that it cannot be made without.
    pub(super) fn command(&self, answers: &Answers) -> Option<Command> {
        let reason = answers.reason.trim().to_owned();
        let overrides = answers.overrides.clone();
        Some(match self.clone() {
            Self::RollBack { service, from, asked, .. } => Command::RollBack(RollBack {
                service,
                from: Some(from.reference),
                to: answers.to.clone().or(asked),
                strategy: *STRATEGIES.get(answers.choice.unwrap_or(0))?,
                reason,
                overrides,
            }),
            Self::Promote { service, canary, .. } => {
                Command::Promote(Promote { service, release: Some(canary.reference), reason, overrides })
            }
            Self::Deploy { service, release, from, .. } => Command::Deploy(Deploy {
                service,
                version: release.version,
                strategy: *DeployStrategy::ALL.get(answers.choice?)?,
                from: Some(from.reference),
                confirmed: false,
                migrations: Vec::new(),
                reason,
                overrides,
            }),
            Self::Confirm { operation, .. } => Command::Confirm { operation, reason },
            Self::Maintenance { service, on, .. } => Command::Maintenance { service, on, reason },
            Self::Scale { service, instances, now, .. } => {
                Command::Scale(Scale { service, instances, seen: Some(now), reason, overrides })
            }
            Self::Steer { how, operation, .. } => match how {
                Steer::Pause => Command::Pause { operation, reason },
                Steer::Resume => Command::Resume { operation, reason },
                Steer::Cancel => Command::Cancel { operation, reason },
            },
            Self::Settle { operation, .. } => {
                Command::Settle { operation, choice: *SETTLEMENTS.get(answers.choice?)?, reason }
            }
            Self::Mark { service, version, quality, .. } => {
                Command::Mark { service, version, quality, reason }
            }
            Self::Freeze { service } => {
                let lasts = *FREEZES.get(answers.choice.unwrap_or(0))?;
                let until = lasts.map(|lasts| answers.now.checked_add(lasts).unwrap_or(Timestamp::MAX));
                Command::Freeze { service: Some(service), until, reason }
            }
            Self::Thaw { service } => Command::Thaw { service: Some(service), reason },
            Self::Automatic { on } => Command::Automatic { on, reason },
            Self::Reset { service, .. } => Command::Reset { service, reason },
            Self::OpenIncident { service } => Command::OpenIncident {
                services: vec![service],
                title: reason,
                level: *Level::ALL.get(answers.choice?)?,
            },
            Self::Severity { incident, .. } => {
                Command::SetLevel { incident, level: *Level::ALL.get(answers.choice?)?, reason }
            }
            Self::Resolve { incident } => Command::Resolve { incident, reason },
            Self::Note { incident } => Command::Note { incident, text: reason },
            Self::Incident(asked) => asked.command(&reason, answers.choice, answers.now)?,
            Self::Item(asked) => asked.command(&reason, answers.choice)?,
        })
    }

    /// What has changed since, in a few words; none while all is as it was.
    pub(super) fn changed(&self, scene: &Scene<'_>) -> Option<String> {
        let state = &scene.picture.live.state;
        match self {
            Self::RollBack { service, from, arm, asked, target, busy } => {
                let known = state.service(service)?;
                match known.suspect() {
                    None => return Some("nothing gets traffic now".to_owned()),
                    Some((now, live)) if (now, &live.reference) != (*arm, &from.reference) => {
                        return Some(is_now(now, &live.version));
                    }
                    Some(_) => {}
                }
                if let Some(target) = target {
                    let now = target::choose(known, &from.reference, asked.as_ref()).release;
                    match now {
                        None => return Some("there is no release to return to now".to_owned()),
                        Some(now) if &now.reference != target => {
                            return Some(format!("{} would be returned to now", now.version));
                        }
                        Some(_) => {}
                    }
                }
                other_operation(state, service, busy.as_ref())
            }
            Self::Promote { service, canary, busy } => match state.service(service)?.canary() {
                None => Some("there is no canary now".to_owned()),
                Some(now) if now.reference != canary.reference => Some(is_now(Arm::Canary, &now.version)),
                Some(_) => other_operation(state, service, busy.as_ref()),
            },
            Self::Deploy { service, release, from, busy } => {
                let known = state.service(service)?;
                match known.stable() {
                    None => Some("nothing is known to be live now".to_owned()),
                    Some(live) if live.reference != from.reference => {
                        Some(is_now(Arm::Stable, &live.version))
                    }
                    Some(_) if known.inventory.as_ref()?.release(&release.reference).is_none() => {
                        Some(format!("the platform has no {} any more", release.version))
                    }
                    Some(_) => other_operation(state, service, busy.as_ref()),
                }
            }
            Self::Confirm { operation, .. } => {
                let waits = state
                    .operation(operation)
                    .is_some_and(crate::model::operation::Operation::awaits_confirmation);
                (!waits).then(|| ended(state, operation))
            }
            Self::Maintenance { service, on, busy } => {
                let page =
                    state.service(service)?.inventory.as_ref().and_then(|inventory| inventory.maintenance);
                match page {
                    Some(now) if now == *on => {
                        Some(format!("the page is {} already", if now { "on" } else { "off" }))
                    }
                    None => Some("the platform shows no maintenance page now".to_owned()),
                    Some(_) => other_operation(state, service, busy.as_ref()),
                }
            }
            Self::Scale { service, now: seen, busy, .. } => {
                let now =
                    state.service(service)?.inventory.as_ref().and_then(|inventory| inventory.instances);
                match now {
                    Some(now) if now == *seen => other_operation(state, service, busy.as_ref()),
                    Some(now) => Some(format!("{now} instances run now")),
                    None => Some("the platform does not tell how many instances run now".to_owned()),
                }
            }
            Self::Steer { how, operation, .. } => {
                let Some(now) = state.operation(operation).filter(|operation| operation.is_open()) else {
                    return Some(ended(state, operation));
                };
                match how {
                    Steer::Pause if now.paused.is_some() => Some(format!("{operation} is paused already")),
                    Steer::Resume if now.paused.is_none() => Some(format!("{operation} goes on already")),
                    Steer::Cancel if now.cancelling => Some(format!("{operation} is being stopped already")),
                    _ => None,
                }
            }
            Self::Settle { operation, step, .. } => match state.operation(operation).map(|now| &now.status) {
                Some(OperationStatus::NeedsDecision { step: now, .. }) if now == step => None,
                Some(OperationStatus::Ended { .. }) | None => Some(ended(state, operation)),
                Some(_) => Some(format!("{operation} no longer waits for an answer to this")),
            },
            Self::Mark { service, release, version, .. } => {
                let inventory = state.service(service).and_then(|known| known.inventory.as_ref());
                let now = inventory.and_then(|inventory| inventory.by_version(version));
                match now {
                    Some(now) if &now.reference == release => None,
                    Some(_) => Some(format!("{version} names another release now")),
                    None => Some(format!("the platform no longer has {version}")),
                }
            }
            Self::Freeze { .. } | Self::OpenIncident { .. } => None,
            Self::Thaw { service } => {
                let holds = state.service(service).is_some_and(|known| known.freeze.is_some());
                (!holds).then(|| "the freeze is lifted already".to_owned())
            }
            Self::Automatic { on } => (is_automatic(scene, state) == *on)
                .then(|| format!("automatic action is {} already", if *on { "on" } else { "off" })),
            Self::Reset { service, rollbacks } => {
                let now = state.service(service).map_or(0, |known| known.rollbacks);
                (now != *rollbacks).then(|| format!("the count is {now} now"))
            }
            Self::Severity { incident, level } => match state.incident(incident) {
                Some(now) if !now.is_open() => Some(format!("{incident} is resolved")),
                Some(now) if now.level != *level => Some(format!("{incident} is {} now", now.level)),
                _ => None,
            },
            Self::Resolve { incident } | Self::Note { incident } => {
                let is_open = state.incident(incident).is_some_and(|now| now.is_open());
                (!is_open).then(|| format!("{incident} is resolved"))
            }
            Self::Incident(asked) => asked.changed(scene),
            Self::Item(asked) => asked.changed(scene),
        }
    }

    /// The same with what is seen now, where what is asked shows figures.
    pub(super) fn seen_now(&self, scene: &Scene<'_>) -> Self {
        match self {
            Self::Item(asked) => Self::Item(asked.seen_now(scene)),
            other => other.clone(),
        }
    }

    /// How much harm it can do, where that is not the same for all that the command asks.
    pub(super) fn danger(&self) -> Option<Danger> {
        match self {
            Self::Incident(asked) => Some(asked.danger()),
            Self::Item(asked) => Some(asked.danger()),
            _ => None,
        }
    }

    /// The text that is asked for, with this chosen.
    pub(super) fn text(&self, choice: Option<usize>) -> Text {
        match self {
            Self::OpenIncident { .. } => Text::Needed("title"),
            Self::Note { .. } => Text::Needed("note"),
            Self::Incident(asked) => asked.text(),
            Self::Item(asked) => asked.text(choice),
            _ => Text::Needed("reason"),
        }
    }

    /// What is wrong with the text, beyond that it is missing.
    pub(super) fn lacks(&self, text: &str) -> Option<String> {
        match self {
            Self::Item(asked) => asked.lacks(text),
            _ => None,
        }
    }

    /// The engine is asked what it would do.
    pub(super) const fn is_proposed(&self) -> bool {
        matches!(
            self,
            Self::RollBack { .. }
                | Self::Promote { .. }
                | Self::Maintenance { .. }
                | Self::Deploy { .. }
                | Self::Scale { .. }
        )
    }

    /// The service whose traffic it touches.
    pub(super) const fn service(&self) -> Option<&ServiceName> {
        match self {
            Self::RollBack { service, .. }
            | Self::Promote { service, .. }
            | Self::Deploy { service, .. }
            | Self::Confirm { service, .. }
            | Self::Maintenance { service, .. }
            | Self::Scale { service, .. }
            | Self::Steer { service, .. }
            | Self::Settle { service, .. }
            | Self::Mark { service, .. }
            | Self::Freeze { service }
            | Self::Thaw { service }
            | Self::Reset { service, .. }
            | Self::OpenIncident { service } => Some(service),
            Self::Item(asked) => asked.service(),
            Self::Automatic { .. }
            | Self::Severity { .. }
            | Self::Resolve { .. }
            | Self::Note { .. }
            | Self::Incident(_) => None,
        }
    }

    /// What can be chosen: its word, and what it does.
    pub(super) fn choices(&self) -> Vec<(String, String)> {
        match self {
            Self::RollBack { .. } => STRATEGIES
                .into_iter()
                .map(|strategy| {
                    let does = match strategy {
                        Strategy::Immediate => "all the traffic at once",
                        Strategy::Gradual => "a part of the traffic, watched, then all of it",
                        Strategy::Emergency => {
                            "the maintenance page first, where the platform has one; it goes when health is seen"
                        }
                    };
                    (strategy.word().to_owned(), does.to_owned())
                })
                .collect(),
            Self::Deploy { .. } => DeployStrategy::ALL
                .into_iter()
                .map(|strategy| {
                    let does = match strategy {
                        DeployStrategy::BlueGreen => "tested beside the live release, then all the traffic once a person says go",
                        DeployStrategy::Canary => "a small part first, then more, each part judged",
                        DeployStrategy::Rolling => "part by part, or as the platform rolls",
                        DeployStrategy::Emergency => "at once, after the critical checks alone",
                    };
                    (strategy.word().to_owned(), does.to_owned())
                })
                .collect(),
            Self::Settle { .. } => [
                ("retry", "it did not happen: the step is done again, and the operation goes on"),
                ("done", "it happened: the step counts as done, and the operation goes on after it"),
                ("abort", "the operation ends here; what is on the platform stays as it is, and a person looks after it"),
            ]
            .into_iter()
            .map(|(word, does)| (word.to_owned(), does.to_owned()))
            .collect(),
            Self::Freeze { .. } => FREEZES
                .into_iter()
                .map(|lasts| match lasts {
                    None => ("until lifted".to_owned(), "it holds until somebody lifts it".to_owned()),
                    Some(lasts) => (human(lasts), "it ends by itself; it can be lifted earlier".to_owned()),
                })
                .collect(),
            Self::OpenIncident { .. } | Self::Severity { .. } => Level::ALL
                .into_iter()
                .map(|level| {
                    let does = match level {
                        Level::Sev1 => "the business stops; acknowledged within 5 m",
                        Level::Sev2 => "users notice; acknowledged within 15 m",
                        Level::Sev3 => "it can wait for some hours; acknowledged within 2 h",
                        Level::Sev4 => "nobody is waited for",
                    };
                    (level.to_string(), does.to_owned())
                })
                .collect(),
            Self::Incident(asked) => asked.choices(),
            Self::Item(asked) => asked.choices(),
            _ => Vec::new(),
        }
    }

    /// What is chosen at first: a strategy has a usual one; what a person has to know has none.
    pub(super) fn first_choice(&self, args: &[String]) -> Option<usize> {
        match self {
            Self::RollBack { .. } | Self::Freeze { .. } => Some(0),
            Self::Deploy { .. } => {
                let named = args.get(2).and_then(|word| word.parse::<DeployStrategy>().ok());
                DeployStrategy::ALL.iter().position(|strategy| *strategy == named.unwrap_or_default())
            }
            Self::Severity { .. } => {
                let level: Level = args.first()?.parse().ok()?;
                Level::ALL.iter().position(|known| *known == level)
            }
            Self::Incident(asked) => asked.first_choice(args),
            Self::Item(asked) => asked.first_choice(),
            _ => None,
        }
    }
}

/// Whether the guard rolls back by itself.
fn is_automatic(scene: &Scene<'_>, state: &State) -> bool {
    state.automatic.as_ref().map_or(scene.config().environment.automatic, |switch| switch.on)
}

pub(super) fn is_now(arm: Arm, version: &Version) -> String {
    match arm {
        Arm::Stable => format!("{version} is live now"),
        Arm::Canary => format!("{version} is the canary now"),
    }
}

fn ended(state: &State, id: &OperationId) -> String {
    match state.operation(id).map(|operation| &operation.status) {
        Some(OperationStatus::Ended { outcome, .. }) => format!("{id} has ended: {}", outcome.words()),
        _ => format!("{id} has ended"),
    }
}

fn other_operation(state: &State, service: &ServiceName, before: Option<&OperationId>) -> Option<String> {
    let now = state.service(service).and_then(|known| known.operation.as_ref());
    match (before, now) {
        (before, now) if before == now => None,
        (_, Some(now)) => Some(format!("{now} is going on now")),
        (Some(before), None) => Some(ended(state, before)),
        (None, None) => None,
    }
}
