//! What is asked about an incident: telling others, its roles, how it begins and ends, its runbooks. Whoever would be told is
//! named before anything is sent, and if that changes nothing is.

use std::time::Duration;

use jiff::Timestamp;

use super::changed::{Changed, changed, differs, name_of};
use super::onset;
use super::text::Text;
use crate::engine::checklist::Difference;
use crate::engine::escalation::{Preview, preview};
use crate::model::command::Command;
use crate::model::escalation::IncidentRole;
use crate::model::incident::{Incident, IncidentAsk};
use crate::model::units::human;
use crate::model::{IncidentId, OperationId, RunbookName, ServiceName};
use crate::tui::available;
use crate::tui::commands::{Action, Danger, Reason};
use crate::tui::escalating;
use crate::tui::panes::checklist as pane;
use crate::tui::scene::Scene;

/// What is asked about an incident.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct OnIncident {
    incident: IncidentId,
    ask: Ask,
}

#[derive(Clone, PartialEq, Debug)]
enum Ask {
    /// Each level that could be told, the next one first, with who stands behind it.
    Escalate(Vec<(Option<usize>, Preview)>),
    Snooze,
    Stop,
    Declare,
    FalseAlarm,
    Merge(Vec<(IncidentId, String)>),
    Reopen,
    Close,
    Role(How, Vec<String>),
    AddService(ServiceName),
    Attach(Vec<RunbookName>),
    /// Operations, each with what it is for.
    Link(Vec<(OperationId, String)>),
    /// Moments at which it may have begun, with what happened then.
    Onset(Vec<(String, Timestamp, String)>),
    Rebase(Vec<Changed>),
}

/// How somebody comes to a role.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum How {
    Take,
    Offer,
    Give,
}

/// How long nobody is told.
const SNOOZES: [Duration; 5] = [
    Duration::from_secs(10 * 60),
    Duration::from_secs(30 * 60),
    Duration::from_secs(3_600),
    Duration::from_secs(4 * 3_600),
    Duration::from_secs(24 * 3_600),
];

impl OnIncident {
    /// What a command of the table asks about the incident; none where it is about something else.
    pub(super) fn catch(scene: &Scene<'_>, action: Action, args: &[String]) -> Option<Result<Self, Reason>> {
        let open = || scene.incident_to_act_on();
        let at_hand = || scene.incident_at_hand().ok_or_else(|| "no incident is open".to_owned());
        let found: Result<(&Incident, Ask), Reason> = match action {
            Action::Escalate => open().and_then(|it| Ok((it, Ask::Escalate(levels(scene, it)?)))),
            Action::Snooze => open().map(|it| (it, Ask::Snooze)),
            Action::StopEscalation => open().map(|it| (it, Ask::Stop)),
            Action::Declare => open().map(|it| (it, Ask::Declare)),
            Action::FalseAlarm => open().map(|it| (it, Ask::FalseAlarm)),
            Action::Merge => open().map(|it| {
                let others = available::others(scene).into_iter();
                let others = others.map(|other| (other.id.clone(), other.title.clone())).collect();
                (it, Ask::Merge(others))
            }),
            Action::ReopenIncident => available::reopenable(scene).map(|it| (it, Ask::Reopen)),
            Action::Close => available::closable(scene).map(|it| (it, Ask::Close)),
            Action::TakeRole => at_hand().map(|it| (it, Ask::Role(How::Take, holders(it)))),
            Action::OfferRole => at_hand().map(|it| (it, Ask::Role(How::Offer, holders(it)))),
            Action::GiveRole => at_hand().map(|it| (it, Ask::Role(How::Give, holders(it)))),
            Action::AddService => open().and_then(|it| {
                let service = scene.service().cloned().ok_or_else(|| "no service is shown".to_owned())?;
                Ok((it, Ask::AddService(service)))
            }),
            Action::Attach => {
                let incident = pane::incident(scene).ok_or_else(|| "no incident is open".to_owned());
                incident.map(|it| (it, Ask::Attach(available::attachable(scene))))
            }
            Action::LinkOperation => at_hand().map(|it| {
                let operations = available::linkable(scene).into_iter();
                let named = operations.map(|it| (it.id.clone(), it.plan.purpose.clone()));
                (it, Ask::Link(named.collect()))
            }),
            Action::Onset => at_hand().map(|it| (it, Ask::Onset(onset::moments(scene, it, args)))),
            Action::Rebase => {
                let incident = pane::incident(scene).ok_or_else(|| "no incident is open".to_owned());
                incident.map(|it| (it, Ask::Rebase(changed(scene))))
            }
            _ => return None,
        };
        Some(found.map(|(incident, ask)| Self { incident: incident.id.clone(), ask }))
    }

    /// What has changed since, in a few words.
    pub(super) fn changed(&self, scene: &Scene<'_>) -> Option<String> {
        let id = &self.incident;
        let Some(now) = scene.picture.live.state.incident(id) else {
            return Some(format!("{id} is not known any more"));
        };
        let is_over = |over: bool, word: &str| over.then(|| format!("{id} is {word}"));
        match &self.ask {
            Ask::Reopen => is_over(now.is_open(), "open").or_else(|| is_over(now.ended.is_some(), "closed")),
            Ask::Close => is_over(now.is_open(), "open again").or_else(|| is_over(now.is_closed(), "closed")),
            Ask::Role(_, before) => is_over(now.is_closed(), "closed")
                .or_else(|| (holders(now) != *before).then(|| "the roles are others".to_owned())),
            Ask::Attach(_) | Ask::Onset(_) => is_over(now.is_closed(), "closed"),
            Ask::Link(before) => {
                let belongs = before.iter().find(|(operation, _)| now.operations.contains(operation));
                belongs.map(|(operation, _)| format!("{operation} belongs to {id}"))
            }
            Ask::Rebase(before) => {
                (changed(scene) != *before).then(|| "what differs is something else".to_owned())
            }
            _ if !now.is_open() => Some(format!("{id} is resolved")),
            Ask::Escalate(before) => match levels(scene, now) {
                Ok(levels) if levels == *before => None,
                _ => Some("others would be told".to_owned()),
            },
            Ask::Snooze | Ask::Stop => {
                let running = scene.picture.live.state.escalations.get(id);
                let is_running = running.is_some_and(|escalation| escalating::is_running(escalation));
                (!is_running).then(|| "nobody is being told".to_owned())
            }
            Ask::Declare => (!now.suspected).then(|| format!("{id} is declared")),
            Ask::Merge(others) => {
                let is_gone = |other: &&(IncidentId, String)| {
                    scene.picture.live.state.incident(&other.0).is_none_or(|it| !it.is_open())
                };
                others.iter().find(is_gone).map(|(other, _)| format!("{other} is resolved"))
            }
            Ask::AddService(service) => now.has(service).then(|| format!("{service} is part of {id}")),
            Ask::FalseAlarm => None,
        }
    }

    /// How much harm it can do.
    pub(super) const fn danger(&self) -> Danger {
        match self.ask {
            Ask::Role(..) | Ask::Attach(_) | Ask::Link(_) | Ask::Onset(_) | Ask::Rebase(_) => Danger::None,
            _ => Danger::Service,
        }
    }

    /// The dialog's title.
    pub(super) fn title(&self) -> String {
        let id = &self.incident;
        match &self.ask {
            Ask::Escalate(_) => format!("Escalate {id}"),
            Ask::Snooze => format!("Tell nobody of {id} for a while"),
            Ask::Stop => format!("Tell nobody of {id} any more"),
            Ask::Declare => format!("Declare {id}"),
            Ask::FalseAlarm => format!("{id} is a false alarm"),
            Ask::Merge(_) => format!("Merge {id} into another one"),
            Ask::Reopen => format!("Reopen {id}"),
            Ask::Close => format!("Close {id}"),
            Ask::Role(How::Take, _) => format!("Take a role in {id}"),
            Ask::Role(How::Offer, _) => format!("Offer a role in {id}"),
            Ask::Role(How::Give, _) => format!("Give a role in {id}"),
            Ask::AddService(service) => format!("Add {service} to {id}"),
            Ask::Attach(_) => format!("Attach a runbook to {id}"),
            Ask::Link(_) => format!("Link an operation to {id}"),
            Ask::Onset(_) => format!("When {id} began"),
            Ask::Rebase(_) => format!("Take a runbook of {id} over"),
        }
    }

    /// What was asked, for the message about its answer.
    pub(super) fn words(&self) -> String {
        let id = &self.incident;
        match &self.ask {
            Ask::Escalate(_) => format!("escalate {id}"),
            Ask::Snooze => format!("snooze {id}"),
            Ask::Stop => format!("stop telling of {id}"),
            Ask::Declare => format!("declare {id}"),
            Ask::FalseAlarm => format!("false alarm {id}"),
            Ask::Merge(_) => format!("merge {id}"),
            Ask::Reopen => format!("reopen {id}"),
            Ask::Close => format!("close {id}"),
            Ask::Role(..) => format!("role in {id}"),
            Ask::AddService(service) => format!("add {service} to {id}"),
            Ask::Attach(_) => format!("attach a runbook to {id}"),
            Ask::Link(_) => format!("link an operation to {id}"),
            Ask::Onset(_) => format!("say when {id} began"),
            Ask::Rebase(_) => format!("take a runbook of {id} over"),
        }
    }

    /// What the confirming key does, after the key.
    /// What is chosen is in it: the list may be out of sight.
    pub(super) fn does(&self, choice: Option<usize>) -> String {
        let chosen = |otherwise: &str| {
            let word = choice.and_then(|at| self.choices().into_iter().nth(at)).map(|(word, _)| word);
            word.unwrap_or_else(|| otherwise.to_owned())
        };
        match &self.ask {
            Ask::Escalate(levels) => match choice.and_then(|at| levels.get(at)).map(|(_, told)| told.level) {
                Some(Some(level)) => format!("tells level {level}"),
                Some(None) => "tells the last resort".to_owned(),
                None => "tells them".to_owned(),
            },
            Ask::Snooze => format!("snoozes for {}", chosen("a while")),
            Ask::Stop => "stops it".to_owned(),
            Ask::Declare => "declares it".to_owned(),
            Ask::FalseAlarm => "says so".to_owned(),
            Ask::Merge(_) => format!("merges into {}", chosen("another one")),
            Ask::Reopen => "reopens it".to_owned(),
            Ask::Close => "closes it".to_owned(),
            Ask::Role(How::Take, _) => format!("takes {}", chosen("it")),
            Ask::Role(How::Offer, _) => format!("offers {}", chosen("it")),
            Ask::Role(How::Give, _) => format!("gives {}", chosen("it")),
            Ask::AddService(_) => "adds it".to_owned(),
            Ask::Attach(_) => format!("attaches {}", chosen("it")),
            Ask::Link(_) => format!("links {}", chosen("it")),
            Ask::Onset(_) => format!("says {}", chosen("so")),
            Ask::Rebase(_) => format!("goes on with {}", chosen("it")),
        }
    }

    /// What will happen, in sentences.
    pub(super) fn will(&self, scene: &Scene<'_>, choice: Option<usize>) -> Vec<String> {
        let id = &self.incident;
        let state = &scene.picture.live.state;
        match &self.ask {
            Ask::Escalate(levels) => {
                let mut lines = Vec::new();
                if let Some(escalation) = state.escalations.get(id) {
                    let words = escalating::words(escalation, scene.picture.now);
                    lines.push(format!("{}: {}.", escalation.policy, words.text.trim()));
                }
                if let Some((_, told)) = choice.and_then(|at| levels.get(at)) {
                    match told.told.as_slice() {
                        [] => lines.push("Nobody can be reached.".to_owned()),
                        told => lines.push(format!("Told at once: {}.", told.join("; "))),
                    }
                    lines.extend(
                        told.unreachable.iter().map(|why| format!("Not reached: {why}.").replace('`', "")),
                    );
                }
                lines
            }
            Ask::Snooze => vec![
                "Nobody is told of it until then; what is on its way is withdrawn where that can be done."
                    .to_owned(),
                "The incident stays open, and so does its checklist.".to_owned(),
            ],
            Ask::Stop => {
                vec!["Nobody is told any more unless somebody escalates. The incident stays open.".to_owned()]
            }
            Ask::Declare => {
                vec!["It is an incident: its checklist begins, and people are told.".to_owned()]
            }
            Ask::FalseAlarm => vec!["It was none. It ends, and counts in no measure.".to_owned()],
            Ask::Merge(_) => {
                vec![format!("{id} ends; its services and operations become part of the other one.")]
            }
            Ask::Reopen => {
                vec!["It is not over after all: its clock goes on, and people are told.".to_owned()]
            }
            Ask::Close => {
                vec!["Nothing is left to do about it: what is written stays as it is. It cannot be opened again.".to_owned()]
            }
            Ask::Role(how, _) => {
                let mut lines = vec![match how {
                    How::Take => "What nobody has, what was offered to you, and the command where you are deputy can be taken.",
                    How::Offer => "They take it within five minutes, or it stays where it is.",
                    How::Give => "They are not asked. Whoever has it can give it away.",
                }
                .to_owned()];
                let operators: Vec<&str> = scene.config().operators.keys().map(String::as_str).collect();
                if *how != How::Take && !operators.is_empty() {
                    lines.push(format!("To one of: {}.", operators.join(", ")));
                }
                lines
            }
            Ask::AddService(service) => {
                vec![format!("{service} is hurt too: it is part of {id} from now on.")]
            }
            Ask::Attach(_) => {
                vec!["It is worked through beside the others, with its text as it is now.".to_owned()]
            }
            Ask::Link(_) => vec![format!("It stands in the record of {id}. Nothing is done to it.")],
            Ask::Onset(_) => vec![
                "The times of the record count from then: until it was detected, mitigated, resolved."
                    .to_owned(),
                "Another moment: :onset 14:02, or :onset -20m.".to_owned(),
            ],
            Ask::Rebase(changed) => {
                let chosen = choice.and_then(|at| changed.get(at));
                chosen.map_or_else(Vec::new, |chosen| differs(&chosen.difference))
            }
        }
    }

    /// What can be chosen: its word, and what it does.
    pub(super) fn choices(&self) -> Vec<(String, String)> {
        match &self.ask {
            Ask::Escalate(levels) => levels
                .iter()
                .map(|(level, preview)| {
                    let word = match (level, preview.level) {
                        (None, Some(_)) => "next".to_owned(),
                        (None, None) => "last resort".to_owned(),
                        (Some(level), _) => format!("level {level}"),
                    };
                    let who =
                        if preview.told.is_empty() { "nobody".to_owned() } else { preview.told.join("; ") };
                    let which = match (level, preview.level) {
                        (None, Some(level)) => format!("level {level}: "),
                        _ => String::new(),
                    };
                    (word, format!("{which}{who}"))
                })
                .collect(),
            Ask::Snooze => {
                SNOOZES.iter().map(|time| (human(*time), "then it goes on where it is".to_owned())).collect()
            }
            Ask::Merge(others) => others.iter().map(|(id, title)| (id.to_string(), title.clone())).collect(),
            Ask::Role(_, holders) => IncidentRole::ALL
                .iter()
                .zip(holders)
                .map(|(role, holder)| (role.to_string(), holder.clone()))
                .collect(),
            Ask::Attach(names) => names.iter().map(|name| (name.to_string(), String::new())).collect(),
            Ask::Link(operations) => {
                operations.iter().map(|(id, what)| (id.to_string(), what.clone())).collect()
            }
            Ask::Onset(moments) => {
                moments.iter().map(|(word, _, what)| (word.clone(), what.clone())).collect()
            }
            Ask::Rebase(changed) => changed
                .iter()
                .map(|changed| {
                    let Difference { kept, changed: other, added, removed } = &changed.difference;
                    let (other, added, removed) = (other.len(), added.len(), removed.len());
                    let words =
                        format!("{kept} as they were, {other} changed, {added} added, {removed} removed");
                    (name_of(&changed.asked.run).to_owned(), words)
                })
                .collect(),
            _ => Vec::new(),
        }
    }

    /// What is chosen at first: what was named, else what there is only one of.
    pub(super) fn first_choice(&self, args: &[String]) -> Option<usize> {
        if let Some(named) = args.first() {
            let named = named.to_lowercase();
            let is_it = |(word, _): &(String, String)| word.to_lowercase() == named;
            if let Some(place) = self.choices().iter().position(is_it) {
                return Some(place);
            }
        }
        match &self.ask {
            Ask::Escalate(_) => Some(0),
            Ask::Merge(all) if all.len() == 1 => Some(0),
            Ask::Attach(all) if all.len() == 1 => Some(0),
            Ask::Rebase(all) if all.len() == 1 => Some(0),
            // What was typed is the first of them.
            Ask::Onset(moments) if !args.is_empty() && !moments.is_empty() => Some(0),
            _ => None,
        }
    }

    /// The text that stands there at first: the name that was given in the palette.
    pub(super) fn first_text(&self, args: &[String]) -> String {
        match self.ask {
            Ask::Role(How::Offer | How::Give, _) => args.get(1..).unwrap_or_default().join(" "),
            _ => String::new(),
        }
    }

    /// The text that is asked for.
    pub(super) const fn text(&self) -> Text {
        match &self.ask {
            Ask::Role(How::Offer | How::Give, _) => Text::Needed("to"),
            Ask::Close => Text::Optional("reason"),
            Ask::Role(How::Take, _)
            | Ask::Declare
            | Ask::AddService(_)
            | Ask::Attach(_)
            | Ask::Link(_)
            | Ask::Rebase(_) => Text::Not,
            _ => Text::Needed("reason"),
        }
    }

    /// The command, as far as it is answered.
    pub(super) fn command(&self, text: &str, choice: Option<usize>, now: Timestamp) -> Option<Command> {
        let reason = text.trim().to_owned();
        let incident = self.incident.clone();
        let ask = match &self.ask {
            Ask::Escalate(levels) => {
                IncidentAsk::Escalate { level: levels.get(choice?)?.0, policy: None, reason }
            }
            Ask::Snooze => {
                let until = now.checked_add(*SNOOZES.get(choice?)?).unwrap_or(Timestamp::MAX);
                IncidentAsk::Snooze { until, reason }
            }
            Ask::Stop => IncidentAsk::StopEscalation { reason },
            Ask::Declare => IncidentAsk::Declare,
            Ask::FalseAlarm => IncidentAsk::FalseAlarm { reason },
            Ask::Merge(others) => IncidentAsk::Merge { into: others.get(choice?)?.0.clone(), reason },
            Ask::Reopen => IncidentAsk::Reopen { reason },
            Ask::Close => IncidentAsk::Close { reason },
            Ask::Role(how, _) => {
                let role = *IncidentRole::ALL.get(choice?)?;
                match how {
                    How::Take => IncidentAsk::Take { role, who: None },
                    How::Offer => IncidentAsk::Offer { role, to: reason },
                    How::Give => IncidentAsk::Take { role, who: Some(reason) },
                }
            }
            Ask::AddService(service) => IncidentAsk::AddService { service: service.clone() },
            Ask::Attach(names) => {
                let runbook = names.get(choice?)?.clone();
                return Some(Command::Attach { incident, runbook });
            }
            Ask::Link(operations) => IncidentAsk::Link { operation: operations.get(choice?)?.0.clone() },
            Ask::Onset(moments) => IncidentAsk::Onset { at: moments.get(choice?)?.1, reason },
            Ask::Rebase(changed) => {
                return Some(Command::Rebase(changed.get(choice?)?.asked.clone()));
            }
        };
        Some(Command::Incident { incident, ask })
    }
}

/// The next level, then each of them by its number, with who would be told.
fn levels(scene: &Scene<'_>, incident: &Incident) -> Result<Vec<(Option<usize>, Preview)>, Reason> {
    let (state, config, now) = (&scene.picture.live.state, scene.config(), scene.picture.now);
    let ask = |level| preview(state, config, incident, level, now);
    let mut levels = vec![(None, ask(None)?)];
    for number in 1.. {
        match ask(Some(number)) {
            Ok(told) => levels.push((Some(number), told)),
            Err(_) => break,
        }
    }
    Ok(levels)
}

/// Who has each role, and to whom it is offered, in the order of the roles.
fn holders(incident: &Incident) -> Vec<String> {
    let words = |role: &IncidentRole| {
        let held = incident.roles.get(role).map_or_else(|| "nobody".to_owned(), |held| held.name.clone());
        match incident.offers.get(role) {
            Some(offer) => format!("{held}, offered to {}", offer.to),
            None => held,
        }
    };
    IncidentRole::ALL.iter().map(words).collect()
}
