//! What the engine does about checklists as time passes: it notes what it sees, ticks what it may, and lets clocks run.

use std::time::Duration;

use jiff::Timestamp;

use super::run::{ItemRun, Run, Standing};
use super::sight::{self, Sight};
use super::{Fact, elapsed, facts, gate};
use crate::engine::incidents::late_ms;
use crate::model::ItemId;
use crate::model::checklist::ChecklistChange;
use crate::model::command::Actor;
use crate::model::operation::{OperationStatus, Outcome};
use crate::model::units::human;
use crate::runbook::{Item, Kind};

/// What is to be noted about the items of a run now.
pub(super) fn watch(run: &Run, sight: &Sight<'_>) -> Vec<ChecklistChange> {
    let mut changes = Vec::new();
    let nothing = ItemRun::default();
    for (index, item) in run.book().items.iter().enumerate() {
        let it = run.items.get(&item.id).unwrap_or(&nothing);
        Look { run, index, item, it, sight, changes: &mut changes }.look();
    }
    changes
}

/// How long an action that failed is left before it is begun again; twice as long every time.
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// The items whose action is to be begun again now.
pub(super) fn to_begin_again(run: &Run, now: Timestamp) -> Vec<usize> {
    let is_due = |item: &Item| {
        let it = run.items.get(&item.id);
        it.is_some_and(|it| it.standing == Standing::Failed && it.again_at.is_some_and(|at| at <= now))
    };
    let items = run.book().items.iter().enumerate();
    items.filter(|(_, item)| is_due(item)).map(|(index, _)| index).collect()
}

/// What an action has to keep to.
#[derive(Clone, Copy)]
struct Limits {
    /// How soon after it what it is for has to be seen.
    verify_within: Duration,
    /// After what time it is not known any more what becomes of it.
    timeout: Option<Duration>,
    /// How often it is begun again by itself.
    retries: u8,
}

/// One item, looked at.
struct Look<'a> {
    run: &'a Run,
    index: usize,
    item: &'a Item,
    it: &'a ItemRun,
    sight: &'a Sight<'a>,
    changes: &'a mut Vec<ChecklistChange>,
}

impl Look<'_> {
    fn id(&self) -> ItemId {
        self.item.id.clone()
    }

    fn now(&self) -> Timestamp {
        self.sight.now
    }

    fn look(&mut self) {
        if self.is_left_out() {
            return;
        }
        self.deferred();
        self.asked();
        match &self.item.kind {
            Kind::Sensed { sense, held, auto } => {
                let fact = facts::fact(sense, self.sight);
                let since = self.sense(&fact);
                self.sensed(&fact, elapsed(since, self.now()) >= *held, *auto);
            }
            Kind::Action { verify, held, verify_within, timeout, retries, .. } => {
                let fact = verify.as_ref().map(|verify| facts::fact(verify, self.sight));
                let since = fact.as_ref().map(|fact| self.sense(fact));
                let lasts = since.is_some_and(|since| elapsed(since, self.now()) >= *held);
                let limits = Limits { verify_within: *verify_within, timeout: *timeout, retries: *retries };
                self.action(fact.as_ref(), lasts, limits);
            }
            Kind::Hold { hold, held } => {
                let fact = facts::fact(hold, self.sight);
                self.sense(&fact);
                self.hold(&fact, self.run.paced(*held));
            }
            Kind::Wait { time } => self.wait(self.run.paced(*time)),
            Kind::Decision { options, held, auto } => self.decision(options, *held, *auto),
            Kind::Cadence { every } => self.again(*every),
            Kind::Manual | Kind::Record { .. } => self.parent(),
        }
        // A list that is gone through again and again opens as a whole.
        if let Some(every) = self.run.book().sections[self.item.section].every {
            self.again(every);
        }
    }

    /// What has to be done again and again is open again when its time has come, for as long as the incident is.
    fn again(&mut self, every: Duration) {
        let every = self.run.paced(every);
        let is_open = self.sight.incident.is_open();
        match (self.it.standing, &self.it.by) {
            (Standing::Done, Some((_, at))) if is_open && elapsed(*at, self.now()) >= every => {
                let reason = format!("it is done every {}", human(every));
                self.changes.push(ChecklistChange::Reopened { item: self.id(), reason });
            }
            (Standing::Open, _) if !is_open => {
                let reason = "the incident is over".to_owned();
                self.changes.push(ChecklistChange::Inactive { item: self.id(), reason });
            }
            _ => {}
        }
    }

    /// Whether it does not concern this incident: what it depends on is false. Once a person has touched it, it stays.
    fn is_left_out(&mut self) -> bool {
        let section = &self.run.book().sections[self.item.section];
        let is_option = self
            .item
            .parent
            .is_some_and(|parent| matches!(self.run.book().items[parent].kind, Kind::Decision { .. }));
        // On an option it only recommends.
        let own = self.item.when.as_ref().filter(|_| !is_option);
        let conditions: Vec<Fact> =
            own.into_iter().chain(section.when.as_ref()).map(|when| facts::fact(when, self.sight)).collect();
        let by_engine = matches!(self.it.by, Some((Actor::Engine, _)));
        let is_false = conditions.iter().find(|fact| fact.holds == Some(false));
        match self.it.standing {
            Standing::Open if !self.it.touched => {
                if let Some(fact) = is_false {
                    self.changes
                        .push(ChecklistChange::Inactive { item: self.id(), reason: fact.text.clone() });
                    return true;
                }
                false
            }
            Standing::Inactive => {
                let is_so = !conditions.is_empty() && is_false.is_none();
                if by_engine && !self.it.touched && is_so {
                    let reason = conditions.first().map_or_else(String::new, |fact| fact.text.clone());
                    self.changes.push(ChecklistChange::Reopened { item: self.id(), reason });
                }
                true
            }
            _ => false,
        }
    }

    /// Nobody agreed in time.
    fn asked(&mut self) {
        let Some(asked) = self.it.asked.as_ref().filter(|asked| asked.until <= self.now()) else { return };
        let waited = human(elapsed(asked.at, asked.until));
        let reason = format!("nobody else agreed within {waited}");
        self.changes.push(ChecklistChange::AskEnded { item: self.id(), reason });
    }

    /// Notes what is seen when that changes, and says since when it is so.
    fn sense(&mut self, fact: &Fact) -> Timestamp {
        match &self.it.seen {
            Some(seen) if seen.holds == fact.holds => seen.since,
            // What nobody has seen yet is no news.
            None if fact.holds.is_none() => self.now(),
            _ => {
                self.changes.push(ChecklistChange::Sensed {
                    item: self.id(),
                    holds: fact.holds,
                    fact: fact.text.clone(),
                });
                self.now()
            }
        }
    }

    fn sensed(&mut self, fact: &Fact, lasts: bool, auto: bool) {
        let text = fact.text.clone();
        match (self.it.standing, fact.holds) {
            (Standing::Open | Standing::Satisfied, Some(true))
                if lasts && auto && !self.item.cross_check && self.may_be_ticked() =>
            {
                self.changes.push(done(self.id(), text));
            }
            (Standing::Open, Some(true)) if lasts && !auto => {
                self.changes.push(ChecklistChange::Satisfied { item: self.id(), fact: text });
            }
            (Standing::Satisfied, Some(false) | None) => {
                self.changes.push(ChecklistChange::Unsatisfied { item: self.id(), fact: text });
            }
            (Standing::Done, Some(false)) => self.regress(text),
            _ => {}
        }
    }

    /// What is gated, or has something below it to be done, the engine does not tick.
    fn may_be_ticked(&self) -> bool {
        let below = self.item.children.iter().map(|child| &self.run.book().items[*child]);
        gate::of(self.run, self.index).is_none()
            && below.filter(|child| child.countable).all(|child| self.run.is_settled(child))
    }

    fn regress(&mut self, fact: String) {
        if !self.item.latch && self.it.regression.is_none() {
            self.changes.push(ChecklistChange::Regressed { item: self.id(), fact });
        }
    }

    fn action(&mut self, fact: Option<&Fact>, lasts: bool, limits: Limits) {
        let holds = fact.and_then(|fact| fact.holds);
        let text = || fact.map_or_else(String::new, |fact| fact.text.clone());
        match self.it.standing {
            // The world is as the action would make it: by another way, or by somebody else.
            Standing::Open | Standing::Failed | Standing::Satisfied | Standing::Unknown
                if holds == Some(true) && lasts && self.may_be_ticked() =>
            {
                self.changes.push(done(self.id(), text()));
            }
            Standing::Unknown => self.outcome(limits),
            Standing::Running => match self.it.acted_at {
                None => self.outcome(limits),
                Some(_) if self.it.undoing => {
                    let reason = format!("taken back: {}", self.ended_words());
                    self.changes.push(ChecklistChange::Reopened { item: self.id(), reason });
                }
                Some(at) => match holds {
                    None if fact.is_none() => self.changes.push(done(self.id(), self.ended_words())),
                    Some(true) if lasts => self.changes.push(done(self.id(), text())),
                    _ if elapsed(at, self.now()) >= limits.verify_within => {
                        self.failed(format!("done, and it has not helped: {}", text()), limits);
                    }
                    _ => {}
                },
            },
            Standing::Done if holds == Some(false) => self.regress(text()),
            _ => {}
        }
    }

    /// What became of the operation that was begun. One that nobody knows the end of is looked at for as long as that is so.
    fn outcome(&mut self, limits: Limits) {
        let operation = self.it.operation.as_ref().and_then(|id| self.sight.state.operation(id));
        let Some(operation) = operation else { return };
        let is_known = self.it.standing != Standing::Unknown;
        let OperationStatus::Ended { outcome, detail, .. } = &operation.status else {
            let since = self.it.by.as_ref().map_or(operation.at, |(_, at)| *at);
            if let Some(timeout) = limits.timeout.map(|timeout| self.run.paced(timeout))
                && is_known
                && elapsed(since, self.now()) >= timeout
            {
                let goes_on =
                    format!("{} has not ended within {}, and goes on", operation.id, human(timeout));
                self.ended(None, goes_on);
            }
            return;
        };
        let detail = format!("{} {}: {detail}", operation.id, outcome.words());
        match outcome {
            Outcome::Verified => self.ended(Some(true), detail),
            // A person has stopped it, and the engine begins nothing against that.
            Outcome::Cancelled => self.ended(Some(false), detail),
            Outcome::NotRecovered | Outcome::Failed => self.failed(detail, limits),
            Outcome::Unverified if is_known => self.ended(None, detail),
            Outcome::Unverified => {}
        }
    }

    fn ended(&mut self, succeeded: Option<bool>, detail: String) {
        self.changes.push(ChecklistChange::Outcome { item: self.id(), succeeded, detail, again_at: None });
    }

    /// It has failed, and is begun again in a while where the runbook says so.
    fn failed(&mut self, detail: String, limits: Limits) {
        let detail = if self.it.undoing { format!("taking it back: {detail}") } else { detail };
        if self.it.undoing || self.it.retried >= limits.retries {
            return self.ended(Some(false), detail);
        }
        let wait = self.run.paced(RETRY_AFTER * 2_u32.pow(u32::from(self.it.retried)));
        let again_at = self.now().checked_add(wait).ok();
        let (time, times) = (self.it.retried + 1, limits.retries);
        let detail = format!("{detail}; it is begun again in {}, {time} of {times}", human(wait));
        let (item, succeeded) = (self.id(), Some(false));
        self.changes.push(ChecklistChange::Outcome { item, succeeded, detail, again_at });
    }

    fn ended_words(&self) -> String {
        let operation = self.it.operation.as_ref().and_then(|id| self.sight.state.operation(id));
        operation.map_or_else(|| "done".to_owned(), sight::words)
    }

    fn hold(&mut self, fact: &Fact, of: Duration) {
        let text = || fact.text.clone();
        match (self.it.standing, fact.holds) {
            // It begins by itself when its turn comes.
            (Standing::Open, Some(true)) if self.is_next() => {
                self.changes.push(ChecklistChange::Began { item: self.id() });
            }
            (Standing::Waiting, Some(false)) => self.reset(text()),
            (Standing::Waiting, None) => {
                let stale = self.item.stale.unwrap_or(sight::STALE);
                let since = self.it.seen.as_ref().filter(|seen| seen.holds.is_none()).map(|seen| seen.since);
                if since.is_some_and(|since| elapsed(since, self.now()) >= stale) {
                    self.reset(text());
                }
            }
            (Standing::Waiting, Some(true)) => {
                let passed = self.it.clock.map_or(Duration::ZERO, |clock| clock.passed(self.now()));
                if passed < of {
                    return;
                }
                self.changes.push(if self.item.critical {
                    ChecklistChange::Satisfied { item: self.id(), fact: text() }
                } else {
                    ChecklistChange::Elapsed { item: self.id(), late_ms: late_ms(passed.saturating_sub(of)) }
                });
            }
            (Standing::Satisfied, Some(false)) => {
                self.changes.push(ChecklistChange::Unsatisfied { item: self.id(), fact: text() });
            }
            (Standing::Done, Some(false)) => self.regress(text()),
            _ => {}
        }
    }

    /// Sets the clock of a hold back, once.
    fn reset(&mut self, fact: String) {
        let has_run = self.it.clock.is_some_and(|clock| clock.gathered_ms > 0 || clock.runs_since.is_some());
        if has_run {
            self.changes.push(ChecklistChange::ClockReset { item: self.id(), fact });
        }
    }

    /// Whether everything before it in its section that the engine sees or does is settled. What people do beside it holds no
    /// clock up.
    fn is_next(&self) -> bool {
        let before = &self.run.book().items[..self.index];
        gate::of(self.run, self.index).is_none()
            && before
                .iter()
                .enumerate()
                .filter(|(place, other)| {
                    other.section == self.item.section && !self.run.book().is_within(self.index, *place)
                })
                .filter(|(_, other)| {
                    other.countable && !matches!(other.kind, Kind::Manual | Kind::Record { .. })
                })
                .all(|(_, other)| self.run.is_settled(other))
    }

    fn wait(&mut self, of: Duration) {
        let passed = self.it.clock.map(|clock| clock.passed(self.now()));
        if self.it.standing == Standing::Waiting
            && let Some(passed) = passed
            && passed >= of
        {
            self.changes.push(ChecklistChange::Elapsed {
                item: self.id(),
                late_ms: late_ms(passed.saturating_sub(of)),
            });
        }
    }

    fn decision(&mut self, options: &[usize], held: Duration, auto: bool) {
        let mut speaks_for = Vec::new();
        let mut is_clear = true;
        for option in options {
            let option = &self.run.book().items[*option];
            let Some(when) = &option.when else { continue };
            let fact = facts::fact(when, self.sight);
            let seen = self.run.items.get(&option.id).and_then(|option| option.seen.as_ref());
            let is_news = match seen {
                Some(seen) => seen.holds != fact.holds,
                None => fact.holds.is_some(),
            };
            if is_news {
                let text = fact.text.clone();
                let item = option.id.clone();
                self.changes.push(ChecklistChange::Sensed { item, holds: fact.holds, fact: text });
            }
            is_clear &= fact.holds.is_some();
            let since = seen.filter(|_| !is_news).map_or(self.now(), |seen| seen.since);
            if fact.holds == Some(true) && elapsed(since, self.now()) >= held.max(option.when_held) {
                speaks_for.push((option.id.clone(), fact.text));
            }
        }
        if !auto
            || self.it.standing != Standing::Open
            || !is_clear
            || gate::of(self.run, self.index).is_some()
        {
            return;
        }
        if let [(option, fact)] = speaks_for.as_slice() {
            self.changes.push(ChecklistChange::Chosen {
                item: self.id(),
                option: option.clone(),
                reason: fact.clone(),
            });
        }
    }

    /// The option that was decided for is done when all below it is.
    fn parent(&mut self) {
        let is_chosen = self.item.parent.is_some_and(|parent| {
            let decision = &self.run.book().items[parent];
            self.run.items.get(&decision.id).and_then(|it| it.chosen.as_ref()) == Some(&self.item.id)
        });
        let has_more = !self.item.children.is_empty();
        if is_chosen && has_more && self.it.standing == Standing::Open && self.may_be_ticked() {
            self.changes.push(done(self.id(), "all below it is settled".to_owned()));
        }
    }

    /// What was deferred comes back when its time has come.
    fn deferred(&mut self) {
        if self.it.standing != Standing::Deferred {
            return;
        }
        let Some((until, due)) = &self.it.deferred else { return };
        let is_due = match due {
            Some(due) => *due <= self.now(),
            None if until == "resolved" => !self.sight.incident.is_open(),
            // A section has begun when something is done in it.
            None => self.run.sections.get(until).is_some_and(|section| section.touched_at.is_some()),
        };
        if is_due {
            self.changes.push(ChecklistChange::Due { item: self.id() });
        }
    }
}

fn done(item: ItemId, fact: String) -> ChecklistChange {
    ChecklistChange::Done { item, unsensed: false, fact: Some(fact), do_confirm: false }
}
