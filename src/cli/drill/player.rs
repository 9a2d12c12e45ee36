//! Whoever works through the checklist in a drill: acknowledges, ticks what only people can see, decides, lets clocks run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use tokio::time::{Instant, sleep_until};

use super::QUIET;
use crate::cli::account;
use crate::cli::follow::Follower;
use crate::cli::output::note;
use crate::config::Config;
use crate::engine::State;
use crate::engine::checklist::{Checklist, Item, ItemKind, ItemState, checklist};
use crate::engine::runtime::{Engine, View, now};
use crate::model::checklist::ItemAct;
use crate::model::command::{Actor, Command, RollBack};
use crate::model::event::Event;
use crate::model::incident::Level;
use crate::model::operation::{Operation, Strategy};
use crate::model::{IncidentId, ServiceName};

/// What a drill has seen, and what is still to be done in it.
pub(super) struct Player {
    by: Actor,
    /// The service that is rolled back on purpose; none when something goes wrong by itself.
    service: Option<ServiceName>,
    /// The incident of the drill.
    pub(super) incident: Option<IncidentId>,
    /// What was known at the end.
    pub(super) state: State,
    /// The checklist at the end.
    pub(super) checklist: Option<Checklist>,
    /// When each item was settled, by its key.
    pub(super) settled: BTreeMap<String, Timestamp>,
    /// When each step of an operation began and ended.
    pub(super) steps: BTreeMap<(String, usize), (Timestamp, Option<Timestamp>)>,
    /// How many messages were put into the outbox.
    pub(super) messages: usize,
    /// Items that were tried, and refused.
    tried: BTreeSet<(String, u64)>,
}

impl Player {
    pub(super) fn new(engine: &Engine, by: Actor, service: Option<ServiceName>) -> Self {
        let state = State::clone(&engine.view().borrow().state);
        Self {
            by,
            service,
            incident: None,
            state,
            checklist: None,
            settled: BTreeMap::new(),
            steps: BTreeMap::new(),
            messages: 0,
            tried: BTreeSet::new(),
        }
    }

    /// Works until nothing is left to do, or nothing has changed for a while.
    pub(super) async fn play(&mut self, engine: &Engine) -> anyhow::Result<()> {
        let mut follower = Follower::from_now(engine);
        if let Some(service) = self.service.clone() {
            let title = format!("drill: {service} is rolled back on purpose");
            let open = Command::OpenIncident { services: vec![service], title, level: Level::Sev3 };
            engine.send(self.by.clone(), open).await?;
        }
        let mut quiet_since = Instant::now();
        let mut look = tokio::time::interval(std::time::Duration::from_millis(500));
        loop {
            tokio::select! {
                entry = follower.next() => {
                    let entry = entry?;
                    if let Some(line) = account::line(&entry, follower.state()) {
                        note!("{line}");
                    }
                    self.take(&entry.event, entry.at);
                    self.state = follower.state().clone();
                    quiet_since = Instant::now();
                }
                _ = look.tick() => {
                    let view = Arc::clone(&engine.view().borrow());
                    if self.work(engine, &view).await? {
                        quiet_since = Instant::now();
                    }
                    if self.is_over() {
                        return Ok(());
                    }
                }
                () = sleep_until(quiet_since + QUIET * 6), if self.incident.is_some() => return Ok(()),
            }
        }
    }

    fn take(&mut self, event: &Event, at: Timestamp) {
        match event {
            Event::IncidentOpened { incident, .. } => {
                self.incident.get_or_insert(incident.clone());
            }
            Event::StepStarted { operation, step, .. } => {
                self.steps.entry((operation.to_string(), *step)).or_insert((at, None));
            }
            Event::StepSucceeded { operation, step, .. }
            | Event::StepFailed { operation, step, .. }
            | Event::StepSkipped { operation, step, .. } => {
                let ended = self.steps.entry((operation.to_string(), *step)).or_insert((at, None));
                ended.1 = Some(at);
            }
            Event::NotificationQueued { .. } => self.messages += 1,
            _ => {}
        }
    }

    /// Does what a person would do next. Whether something was done.
    async fn work(&mut self, engine: &Engine, view: &View) -> anyhow::Result<bool> {
        let Some(incident) = self.incident.as_ref().and_then(|id| view.state.incident(id)).cloned() else {
            return Ok(false);
        };
        let config = &engine.settings().config;
        let list = checklist(&incident, &view.state, config, &view.readings, now());
        for item in list.items().filter(|item| item.is_settled()) {
            self.settled.entry(item.key.clone()).or_insert_with(now);
        }
        let next = list.items().find_map(|item| {
            let act = self.act(item)?;
            Some((item.key.clone(), item.changes, self.who(item, config), act))
        });
        self.checklist = Some(list);
        let Some((key, changes, by, command)) = next else { return Ok(false) };
        self.tried.insert((key, changes));
        let command = match command {
            Do::Item(item, act) => Command::Item {
                incident: incident.id.clone(),
                run: Some(item.0),
                item: item.1,
                seen: Some(changes),
                act,
            },
            Do::RollBack(service) => Command::RollBack(RollBack {
                service,
                from: None,
                to: None,
                strategy: Strategy::Immediate,
                reason: format!("{}: a drill", incident.id),
                overrides: Vec::new(),
            }),
            Do::Acknowledge => Command::Acknowledge { incident: incident.id.clone() },
        };
        engine.send(by, command).await?;
        Ok(true)
    }

    /// Who does it: what takes two people, another operator confirms.
    fn who(&self, item: &Item, config: &Config) -> Actor {
        if item.asked.as_ref().is_none_or(|asked| asked.by != self.by) {
            return self.by.clone();
        }
        let is_me = |name: &&String| matches!(&self.by, Actor::Person { name: me } if me == *name);
        let other = config.operators.keys().find(|name| !is_me(name)).cloned();
        Actor::Person { name: other.unwrap_or_else(|| "second person".to_owned()) }
    }

    /// What a person does about an item now, if anything is to be done.
    fn act(&self, item: &Item) -> Option<Do> {
        if item.is_settled() || item.gate.is_some() || self.tried.contains(&(item.key.clone(), item.changes))
        {
            return None;
        }
        let of = || (item.run.clone(), item.id.clone());
        let is_open = matches!(item.state, ItemState::Open | ItemState::Current | ItemState::Satisfied);
        match (&item.kind, &item.state) {
            (_, ItemState::Satisfied) => Some(Do::Item(of(), ItemAct::Done)),
            (ItemKind::Manual, _) if is_open => Some(Do::Item(of(), ItemAct::Done)),
            (ItemKind::Wait { .. }, _) if is_open => Some(Do::Item(of(), ItemAct::Begin)),
            (ItemKind::Record { choices, .. }, _) if is_open => {
                let value = choices.first().cloned().unwrap_or_else(|| "1".to_owned());
                Some(Do::Item(of(), ItemAct::Record { value }))
            }
            (ItemKind::Decision { options }, _) if is_open => {
                let option =
                    options.iter().find(|option| option.recommended == Some(true)).or(options.first())?;
                let reason = "a drill".to_owned();
                Some(Do::Item(of(), ItemAct::Choose { option: option.id.clone(), reason }))
            }
            (ItemKind::Does { deed }, _) if is_open => match deed {
                crate::engine::checklist::Deed::Acknowledge { .. } => Some(Do::Acknowledge),
                crate::engine::checklist::Deed::RollBack { service } => {
                    // What goes wrong by itself is taken back by itself, unless nothing does.
                    let service = self.service.clone().or_else(|| service.clone())?;
                    let has_begun = self.operations().any(|operation| operation.plan.service == service);
                    (!has_begun).then_some(Do::RollBack(service))
                }
                // A page reaches people: a drill tells them by its own incident alone.
                crate::engine::checklist::Deed::Other { action, .. } if action == "page" => {
                    let reason = "a drill".to_owned();
                    Some(Do::Item(of(), ItemAct::NotApplicable { reason }))
                }
                crate::engine::checklist::Deed::Other { .. } => Some(Do::Item(of(), ItemAct::Dispatch)),
            },
            _ => None,
        }
    }

    /// The operations of the drill's incident.
    pub(super) fn operations(&self) -> impl Iterator<Item = &Operation> {
        let incident = self.incident.as_ref().and_then(|id| self.state.incident(id));
        let ids = incident.map(|incident| incident.operations.clone()).unwrap_or_default();
        self.state.operations_in_order().filter(move |operation| ids.contains(&operation.id))
    }

    fn is_over(&self) -> bool {
        let Some(list) = &self.checklist else { return false };
        let (settled, all) = list.progress();
        let has_ended = self.operations().next().is_some() && self.operations().all(|it| !it.is_open());
        settled == all && has_ended
    }
}

/// What a person does.
enum Do {
    Item((crate::model::RunId, crate::model::ItemId), ItemAct),
    RollBack(ServiceName),
    Acknowledge,
}
