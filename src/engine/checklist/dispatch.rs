//! Beginning what an item does: by the engine's own commands, with the same guardrails as when a person types them.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::run::Run;
use super::sight::Sight;
use super::{Refusal, act, actions, emit};
use crate::engine::commands::{self, accept};
use crate::engine::core::Work;
use crate::engine::{escalation, messages};
use crate::model::checklist::{ASKED, ChecklistChange};
use crate::model::command::{Actor, Command, Envelope, Promote, RollBack, Scale};
use crate::model::escalation::Standing;
use crate::model::event::Event;
use crate::model::incident::{Audience, Incident};
use crate::model::operation::Strategy;
use crate::model::{OperationId, PolicyName, ServiceName, Span};
use crate::runbook::{Escalate, Item, Kind};

/// Who begins an action.
#[derive(Clone, Copy)]
enum Begins<'a> {
    /// A person, by a command.
    Person(&'a Envelope),
    /// The engine, once more.
    Again,
}

/// An action of an item that is to be begun: everything resolved.
struct Dispatch<'a> {
    begins: Begins<'a>,
    run: &'a Run,
    item: &'a Item,
    sight: &'a Sight<'a>,
    /// It takes back what the item did.
    back: bool,
    action: &'a str,
    values: BTreeMap<String, String>,
    digest: String,
}

/// Begins the action of an item, or with `back` what takes it back.
pub(super) fn dispatch(
    work: &mut Work<'_>,
    envelope: &Envelope,
    run: &Run,
    index: usize,
    sight: &Sight<'_>,
    back: bool,
) -> Result<(), Refusal> {
    let dispatch = Dispatch::of(Begins::Person(envelope), run, index, sight, back)?;
    if dispatch.item.approve > 1 && !agreed(work, envelope, run, index, sight, &dispatch.digest)? {
        return Ok(());
    }
    dispatch.begin(work)
}

/// Begins an action that failed again, as the runbook asks for. Where that cannot be, the item says why.
pub(super) fn again(work: &mut Work<'_>, run: &Run, index: usize, sight: &Sight<'_>) {
    let item = &run.book().items[index];
    let agreed_to = run.items.get(&item.id).and_then(|it| it.digest.as_ref());
    let begun = Dispatch::of(Begins::Again, run, index, sight, false).and_then(|dispatch| {
        if item.approve > 1 && agreed_to != Some(&dispatch.digest) {
            return Err(Refusal::because("it would do something else than what was agreed to".to_owned()));
        }
        dispatch.begin(work)
    });
    if let Err(Refusal { why, .. }) = begun {
        let detail = format!("it is not begun again: {why}");
        let change = ChecklistChange::Outcome {
            item: item.id.clone(),
            succeeded: Some(false),
            detail,
            again_at: None,
        };
        emit(work, &sight.incident.id, &run.id, &Actor::Engine, change);
    }
}

impl<'a> Dispatch<'a> {
    fn of(
        begins: Begins<'a>,
        run: &'a Run,
        index: usize,
        sight: &'a Sight<'a>,
        back: bool,
    ) -> Result<Self, Refusal> {
        let item = &run.book().items[index];
        let Some((action, params)) = item.kind.deed(back) else {
            let what = if back { "nothing that takes it back" } else { "no action" };
            return Err(Refusal::because(format!("`{}` has {what}", item.id)));
        };
        let values = actions::resolved(run, params, sight)?;
        let digest = actions::digest(run, item, action, &values, sight);
        Ok(Self { begins, run, item, sight, back, action, values, digest })
    }

    fn by(&self) -> Actor {
        match self.begins {
            Begins::Person(envelope) => envelope.by.clone(),
            Begins::Again => Actor::Engine,
        }
    }

    fn accept(&self, work: &mut Work<'_>) {
        if let Begins::Person(envelope) = self.begins {
            accept(work, envelope.clone());
        }
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// The service that it is about.
    fn service(&self, work: &Work<'_>) -> Result<ServiceName, Refusal> {
        let service = match self.get("service") {
            Some(name) => Some(known_service(work, name)?),
            None => self.sight.to_roll_back().or_else(|| only(self.sight.incident)),
        };
        service.ok_or_else(|| {
            Refusal::because(format!(
                "nothing says which service `{}` is about: name it where the command is typed",
                self.item.id
            ))
        })
    }

    fn reason(&self) -> String {
        format!("{}: {}", self.sight.incident.id, self.item.text)
    }

    /// After what time, counted from now, a parameter says.
    fn until(&self, work: &Work<'_>, name: &str) -> Result<Option<Timestamp>, Refusal> {
        let Some(time) = self.get(name) else { return Ok(None) };
        let time: Span = time.parse().map_err(|why: String| Refusal::because(format!("`{name}`: {why}")))?;
        let until = work.now.checked_add(*time).map_err(|error| Refusal::because(error.to_string()))?;
        Ok(Some(until))
    }

    fn emit(&self, work: &mut Work<'_>, by: &Actor, change: ChecklistChange) {
        emit(work, &self.sight.incident.id, &self.run.id, by, change);
    }

    /// Says that it has begun.
    fn begun(&self, work: &mut Work<'_>, operation: Option<OperationId>) {
        let generation = self.run.items.get(&self.item.id).map_or(0, |it| it.generation) + 1;
        let change = ChecklistChange::Dispatched {
            item: self.item.id.clone(),
            generation,
            operation,
            digest: self.digest.clone(),
            undo: self.back,
        };
        self.emit(work, &self.by(), change);
    }

    /// What was done at once has ended at once.
    fn ended(&self, work: &mut Work<'_>, detail: &str) {
        let item = self.item.id.clone();
        let (succeeded, detail) = (Some(true), detail.to_owned());
        let outcome = ChecklistChange::Outcome {
            item: item.clone(),
            succeeded,
            detail: detail.clone(),
            again_at: None,
        };
        self.emit(work, &self.by(), outcome);
        if self.back {
            let reason = format!("taken back: {detail}");
            self.emit(work, &self.by(), ChecklistChange::Reopened { item, reason });
        } else if matches!(&self.item.kind, Kind::Action { verify: None, .. }) {
            let change =
                ChecklistChange::Done { item, unsensed: false, fact: Some(detail), do_confirm: false };
            self.emit(work, &self.by(), change);
        }
    }

    fn begin(&self, work: &mut Work<'_>) -> Result<(), Refusal> {
        match self.command(work)? {
            Some(command) => self.operate(work, &command),
            None => self.at_once(work),
        }
    }

    /// The command that is the same as this, where it begins an operation.
    fn command(&self, work: &Work<'_>) -> Result<Option<Command>, Refusal> {
        let reason = self.reason();
        Ok(Some(match self.action {
            "rollback" => {
                let service = self.service(work)?;
                let strategy = match self.get("strategy") {
                    Some("gradual") => Strategy::Gradual,
                    _ => Strategy::Immediate,
                };
                let known = self.sight.state.service(&service).and_then(|known| known.suspect());
                Command::RollBack(RollBack {
                    from: known.map(|(_, release)| release.reference.clone()),
                    to: self.get("to").map(Into::into),
                    service,
                    strategy,
                    reason,
                    overrides: Vec::new(),
                })
            }
            "promote" => Command::Promote(Promote {
                service: self.service(work)?,
                release: None,
                reason,
                overrides: Vec::new(),
            }),
            "maintenance" => Command::Maintenance {
                service: self.service(work)?,
                on: self.get("on") != Some("false"),
                reason,
            },
            "scale" => {
                let to = self.get("to").unwrap_or_default();
                let instances = to.parse().map_err(|_| {
                    Refusal::because(format!("`to` is `{to}`, which is no number of instances"))
                })?;
                let service = self.service(work)?;
                Command::Scale(Scale { service, instances, seen: None, reason, overrides: Vec::new() })
            }
            _ => return Ok(None),
        }))
    }

    fn operate(&self, work: &mut Work<'_>, command: &Command) -> Result<(), Refusal> {
        let planned = commands::plan(work, command)
            .map_err(|(why, guardrails)| Refusal { why: format!("`{}`: {why}", self.item.id), guardrails })?;
        self.accept(work);
        let operation = work.state.next_operation();
        self.begun(work, Some(operation.clone()));
        let asked = match self.begins {
            Begins::Person(envelope) => Some(&envelope.id),
            Begins::Again => None,
        };
        commands::begin(work, planned, &operation, asked, &self.by(), &self.reason());
        Ok(())
    }

    /// What is done in the same moment.
    fn at_once(&self, work: &mut Work<'_>) -> Result<(), Refusal> {
        let (by, reason) = (self.by(), self.reason());
        let service = || self.get("service").map(ServiceName::from);
        match self.action {
            "acknowledge" => self.acknowledge(work),
            "freeze" => {
                let until = self.until(work, "for")?;
                self.accept(work);
                self.begun(work, None);
                work.emit(Event::FreezeSet { service: service(), until, by, reason });
                self.ended(work, "done");
            }
            "thaw" => {
                self.accept(work);
                self.begun(work, None);
                work.emit(Event::FreezeLifted { service: service(), by, reason });
                self.ended(work, "done");
            }
            "page" => self.page(work)?,
            "message" => self.message(work)?,
            other => {
                return Err(Refusal::because(format!("`{other}` is no action of this unship")));
            }
        }
        Ok(())
    }

    fn acknowledge(&self, work: &mut Work<'_>) {
        let (by, incident) = (self.by(), self.sight.incident);
        self.accept(work);
        if incident.acknowledged.is_none() {
            work.emit(Event::IncidentAcknowledged { incident: incident.id.clone(), by: by.clone() });
        }
        escalation::acknowledge(work, &incident.id, &by);
        let change = ChecklistChange::Done {
            item: self.item.id.clone(),
            unsensed: false,
            fact: None,
            do_confirm: self.item.memory,
        };
        self.emit(work, &by, change);
    }

    fn page(&self, work: &mut Work<'_>) -> Result<(), Refusal> {
        let (by, incident) = (self.by(), self.sight.incident);
        let policy = self.get("policy").map(PolicyName::from);
        let level = level_of(self.get("level"))?;
        escalation::may_escalate(work, incident, level, policy.as_ref())?;
        self.accept(work);
        self.begun(work, None);
        let why = format!("{by} escalates: {}", self.item.text);
        escalation::by_hand(work, &incident.id, level, policy.as_ref(), &why);
        self.ended(work, "people are told");
        Ok(())
    }

    /// What is known now is told to all that listen to what is so urgent.
    fn message(&self, work: &mut Work<'_>) -> Result<(), Refusal> {
        let (by, incident) = (self.by(), self.sight.incident);
        let next = self.until(work, "next")?;
        let channels = messages::may_tell(work, incident, &[], next)?;
        let told = messages::drafted(work, incident, next)?;
        let audience = match self.get("audience") {
            Some("external") => Audience::External,
            _ => Audience::Internal,
        };
        self.accept(work);
        self.begun(work, None);
        let count = channels.len();
        messages::send_update(work, &incident.id, &by, audience, &told, channels, next);
        let through = if count == 1 { "1 channel".to_owned() } else { format!("{count} channels") };
        self.ended(work, &format!("handed to {through}"));
        Ok(())
    }
}

fn known_service(work: &Work<'_>, name: &str) -> Result<ServiceName, Refusal> {
    let service = ServiceName::from(name);
    if work.config().services.contains_key(&service) {
        return Ok(service);
    }
    let names: Vec<_> = work.config().services.keys().map(ServiceName::as_str).collect();
    Err(Refusal::because(format!("no service `{name}`; services: {}", names.join(", "))))
}

fn only(incident: &Incident) -> Option<ServiceName> {
    match incident.services.as_slice() {
        [one] => Some(one.clone()),
        _ => None,
    }
}

fn level_of(level: Option<&str>) -> Result<Option<usize>, Refusal> {
    level
        .map(|level| {
            level.parse().map_err(|_| Refusal::because(format!("`level` is a number, not `{level}`")))
        })
        .transpose()
}

/// The time of something is over: those that the runbook names are told, and told `again` until somebody answers.
pub(super) fn overrun(
    work: &mut Work<'_>,
    incident: &Incident,
    title: &str,
    escalate: &Escalate,
    again: bool,
) {
    let running = work.state.escalations.get(&incident.id);
    let is_answered =
        running.is_some_and(|running| matches!(running.standing, Standing::Acknowledged { .. }));
    if incident.drill || !incident.is_open() || again && is_answered {
        return;
    }
    let policy = PolicyName::from(escalate.policy.as_str());
    let level = Some(usize::from(escalate.level));
    if escalation::may_escalate(work, incident, level, Some(&policy)).is_ok() {
        let still = if again { "still over" } else { "over" };
        let reason = format!("the time of `{title}` is {still}");
        escalation::by_hand(work, &incident.id, level, Some(&policy), &reason);
    }
}

/// Whether another person agrees to an action by this. Else it is asked for, and those who listen hear of it. What was asked for and
/// is something else by now is not agreed to.
fn agreed(
    work: &mut Work<'_>,
    envelope: &Envelope,
    run: &Run,
    index: usize,
    sight: &Sight<'_>,
    digest: &str,
) -> Result<bool, Refusal> {
    let item = &run.book().items[index];
    let asked = run.items.get(&item.id).and_then(|it| it.asked.as_ref());
    if let Some(asked) = asked.filter(|asked| asked.until > sight.now) {
        act::is_another(&item.id, asked, &envelope.by, sight)?;
        if asked.digest.as_deref() == Some(digest) {
            return Ok(true);
        }
        let reason = "what would be done is something else by now".to_owned();
        let change = ChecklistChange::AskEnded { item: item.id.clone(), reason };
        emit(work, &sight.incident.id, &run.id, &Actor::Engine, change);
        return Err(Refusal::because(format!(
            "what `{}` would do is something else than what {} asked for: ask again",
            item.id, asked.by
        )));
    }
    let until = work.now.checked_add(ASKED).map_err(|error| Refusal::because(error.to_string()))?;
    accept(work, envelope.clone());
    let change =
        ChecklistChange::Asked { item: item.id.clone(), until, value: None, digest: Some(digest.to_owned()) };
    emit(work, &sight.incident.id, &run.id, &envelope.by, change);
    messages::agreement(work, sight.incident, &envelope.by, item);
    Ok(false)
}
