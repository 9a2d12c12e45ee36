//! What people do to the items of a checklist: taken up, or refused with the reason and the way on.

use std::time::Duration;

use super::run::{Asked, ItemRun, Run, Standing};
use super::sight::Sight;
use super::{actions, elapsed, facts, gate};
use crate::engine::incidents::{self, NOTE_LIMIT, whole};
use crate::model::checklist::{ASKED, CLAIM, ChecklistChange, ItemAct, REASON_LEAST};
use crate::model::command::Actor;
use crate::model::units::human;
use crate::model::{ItemId, Span};
use crate::runbook::{Item, Kind, RecordKind};

/// What a person wants to do to an item.
pub(super) struct Attempt<'a> {
    pub(super) run: &'a Run,
    pub(super) index: usize,
    pub(super) sight: &'a Sight<'a>,
    pub(super) by: &'a Actor,
    /// How often the item had changed when they looked.
    pub(super) seen: Option<u64>,
}

/// What follows from what a person does.
pub(super) enum Follows {
    /// This has happened to the item.
    Change(ChecklistChange),
    /// Its action is begun, or what takes that back.
    Dispatch {
        /// What takes it back.
        back: bool,
    },
}

impl Attempt<'_> {
    fn item(&self) -> &Item {
        &self.run.book().items[self.index]
    }

    fn it(&self) -> ItemRun {
        self.run.items.get(&self.item().id).cloned().unwrap_or_default()
    }

    /// What it leads to, or why to nothing.
    pub(super) fn answer(&self, act: &ItemAct) -> Result<Follows, String> {
        let id = self.item().id.clone();
        let it = self.it();
        if self.seen.is_some_and(|seen| seen != it.changes) {
            return Err(self.conflict(&it));
        }
        let change = match act {
            ItemAct::Done => return self.done(&it),
            ItemAct::Dispatch => {
                self.is_not_gated()?;
                self.is_an_action()?;
                match it.standing {
                    Standing::Open | Standing::Satisfied | Standing::Failed => {
                        return Ok(Follows::Dispatch { back: false });
                    }
                    Standing::Running => return Err(format!("`{id}` is being done{}", ago(&it, self.sight))),
                    Standing::Unknown => {
                        return Err(format!(
                            "nobody knows whether `{id}` has happened: look, then tick it or reopen it"
                        ));
                    }
                    _ => return Err(self.is_settled(&it)),
                }
            }
            ItemAct::Undo => {
                self.is_an_action()?;
                if self.item().kind.deed(true).is_none() {
                    return Err(format!("the runbook does not say what takes `{id}` back (`undo`)"));
                }
                match it.standing {
                    Standing::Failed => return Ok(Follows::Dispatch { back: true }),
                    Standing::Running => return Err(format!("`{id}` is being done{}", ago(&it, self.sight))),
                    standing => {
                        return Err(format!(
                            "`{id}` is {}: only what has failed is taken back",
                            standing.word()
                        ));
                    }
                }
            }
            ItemAct::NotApplicable { reason } => {
                if self.item().critical {
                    return Err(format!("`{id}` is critical: do it, or override it with a reason"));
                }
                self.is_acknowledgement()?;
                match it.standing {
                    Standing::Running | Standing::Unknown => {
                        return Err(format!("`{id}` is being done{}", ago(&it, self.sight)));
                    }
                    Standing::Inactive | Standing::Done | Standing::Overridden => {
                        return Err(self.is_settled(&it));
                    }
                    _ => ChecklistChange::Inactive { item: id, reason: optional(reason)? },
                }
            }
            ItemAct::Reopen { reason } => {
                self.may_reopen(&it)?;
                ChecklistChange::Reopened { item: id, reason: optional(reason)? }
            }
            ItemAct::Override { reason } => {
                self.may_override(&it, reason)?;
                ChecklistChange::Overridden { item: id, reason: reason.trim().to_owned() }
            }
            ItemAct::Defer { until, reason } => self.defer(&it, until, reason)?,
            ItemAct::Begin => {
                self.is_not_gated()?;
                if !matches!(self.item().kind, Kind::Wait { .. } | Kind::Hold { .. }) {
                    return Err(format!("`{id}` has no time that could pass: tick it when it is done"));
                }
                match it.standing {
                    Standing::Open => ChecklistChange::Began { item: id },
                    Standing::Waiting => return Err(format!("`{id}` has begun{}", ago(&it, self.sight))),
                    _ => return Err(self.is_settled(&it)),
                }
            }
            ItemAct::Choose { option, reason } => self.choose(&it, option, reason)?,
            ItemAct::Record { value } => self.record(&it, value)?,
            ItemAct::AcknowledgeRegression => match &it.regression {
                Some(regression) if !regression.acknowledged => {
                    ChecklistChange::RegressionAcknowledged { item: id }
                }
                Some(_) => return Err(format!("that `{id}` is no longer so was seen already")),
                None => return Err(format!("nothing has changed about `{id}` since it was done")),
            },
            ItemAct::Note { text } => {
                ChecklistChange::Noted { item: id, text: incidents::text(text, NOTE_LIMIT, "a note")? }
            }
            ItemAct::Claim => {
                let until = self.sight.now.checked_add(CLAIM).map_err(|error| error.to_string())?;
                ChecklistChange::Claimed { item: id, until }
            }
            ItemAct::Release => {
                if it.claim.is_none() {
                    return Err(format!("nobody has taken `{id}` upon themselves"));
                }
                ChecklistChange::Released { item: id }
            }
        };
        Ok(Follows::Change(change))
    }

    /// Somebody else was quicker.
    fn conflict(&self, it: &ItemRun) -> String {
        let id = &self.item().id;
        match &it.by {
            Some((by, _)) => {
                format!(
                    "{by} changed `{id}`{}: it is {} now; look again",
                    ago(it, self.sight),
                    it.standing.word()
                )
            }
            None => format!("`{id}` has changed since you looked; look again"),
        }
    }

    fn is_settled(&self, it: &ItemRun) -> String {
        let id = &self.item().id;
        let (by, at) = it.by.clone().unwrap_or((Actor::Engine, self.run.attached_at));
        let ago = human(whole(elapsed(at, self.sight.now)));
        match it.standing {
            Standing::Done if by == Actor::Engine => {
                let fact = it.words.as_deref().unwrap_or("it is so");
                format!("unship sees `{id}` done: {fact}")
            }
            Standing::Done => format!("{by} ticked `{id}` {ago} ago"),
            standing => format!("`{id}` is {} since {ago}, says {by}: reopen it first", standing.word()),
        }
    }

    fn is_not_gated(&self) -> Result<(), String> {
        match gate::of(self.run, self.index) {
            Some(why) => Err(format!("`{}` waits: {why}; or override what comes before it", self.item().id)),
            None => Ok(()),
        }
    }

    fn is_an_action(&self) -> Result<(), String> {
        if matches!(self.item().kind, Kind::Action { .. }) {
            return Ok(());
        }
        Err(format!("`{}` has no action: tick it when it is done", self.item().id))
    }

    fn is_acknowledgement(&self) -> Result<(), String> {
        if matches!(&self.item().kind, Kind::Action { action, .. } if action == "acknowledge") {
            return Err("somebody has to acknowledge: tick it, or `unship incident ack`".to_owned());
        }
        Ok(())
    }

    fn done(&self, it: &ItemRun) -> Result<Follows, String> {
        let item = self.item();
        let id = item.id.clone();
        if it.standing.is_settled() && it.regression.is_none() {
            return Err(self.is_settled(it));
        }
        self.is_not_gated()?;
        let open = item
            .children
            .iter()
            .map(|child| &self.run.book().items[*child])
            .filter(|child| child.countable && !self.run.is_settled(child))
            .count();
        if open > 0 && !matches!(item.kind, Kind::Decision { .. }) {
            let what = if open == 1 { "1 item".to_owned() } else { format!("{open} items") };
            return Err(format!("{what} below `{id}` have to be settled first"));
        }
        let fact = match &item.kind {
            // Ticking it is what it asks for.
            Kind::Action { action, .. } if action == "acknowledge" => {
                return Ok(Follows::Dispatch { back: false });
            }
            Kind::Action { verify, .. } => {
                let fact = verify.as_ref().map(|verify| facts::fact(verify, self.sight));
                // What nobody can see a person may have seen.
                if it.standing == Standing::Unknown
                    || fact.as_ref().is_some_and(|fact| fact.holds == Some(true))
                {
                    fact
                } else {
                    let seen = fact.map_or_else(String::new, |fact| format!(" is not so: {};", fact.text));
                    return Err(format!("`{id}`{seen} {}", self.way_on()));
                }
            }
            Kind::Decision { options, .. } => {
                let options: Vec<_> =
                    options.iter().map(|option| self.run.book().items[*option].id.as_str()).collect();
                return Err(format!(
                    "`{id}` asks for a decision: `unship checklist choose {id} OPTION`; options: {}",
                    options.join(", ")
                ));
            }
            Kind::Wait { .. } => {
                let way = if it.standing == Standing::Waiting {
                    "it is ticked when its time has passed"
                } else {
                    "begin it"
                };
                return Err(format!("`{id}` is a wait: {way}, or override it with a reason"));
            }
            Kind::Record { name, .. } => {
                return Err(format!("`{id}` asks for {name}: `unship checklist record {id} VALUE`"));
            }
            Kind::Sensed { sense, .. } => Some(facts::fact(sense, self.sight)),
            Kind::Hold { hold, .. } => {
                let fact = facts::fact(hold, self.sight);
                if it.standing != Standing::Satisfied && fact.holds == Some(true) {
                    return Err(format!(
                        "`{id}` is ticked when it has been so for long enough; or override it with a reason"
                    ));
                }
                Some(fact)
            }
            Kind::Manual | Kind::Cadence { .. } => None,
        };
        let is_sensed = matches!(item.kind, Kind::Sensed { .. } | Kind::Hold { .. } | Kind::Action { .. });
        let unsensed = is_sensed && fact.as_ref().is_none_or(|fact| fact.holds.is_none());
        if let Some(fact) = fact.as_ref().filter(|fact| fact.holds == Some(false)) {
            return Err(format!("`{id}` is not so: {}; {}", fact.text, self.way_on()));
        }
        let fact = fact.map(|fact| fact.text);
        if item.cross_check
            && let Some(asked) = self.second(it, None)?
        {
            return Ok(Follows::Change(asked));
        }
        Ok(Follows::Change(ChecklistChange::Done { item: id, unsensed, fact, do_confirm: item.memory }))
    }

    /// What is read back by one person is confirmed by another: the first one's act, or nothing where this is the second.
    fn second(&self, it: &ItemRun, value: Option<&str>) -> Result<Option<ChecklistChange>, String> {
        let id = self.item().id.clone();
        let Some(asked) = it.asked.as_ref().filter(|asked| asked.until > self.sight.now) else {
            let until = self.sight.now.checked_add(ASKED).map_err(|error| error.to_string())?;
            let value = value.map(str::to_owned);
            return Ok(Some(ChecklistChange::Asked { item: id, until, value, digest: None }));
        };
        is_another(&id, asked, self.by, self.sight)?;
        match (&asked.value, value) {
            (Some(first), Some(second)) if first != second => {
                Err(format!("{} entered `{first}` for `{id}`: read it again", asked.by))
            }
            _ => Ok(None),
        }
    }

    /// What settles it while it is not so.
    fn way_on(&self) -> String {
        let id = &self.item().id;
        match &self.item().kind {
            Kind::Action { action, params, .. } => {
                let line = match action.as_str() {
                    "rollback" => {
                        let service = actions::service(self.run, params, self.sight)
                            .or_else(|| self.sight.to_roll_back());
                        let service = service.map_or_else(|| "SERVICE".to_owned(), |it| it.to_string());
                        format!("unship rollback {service} --reason \"…\"")
                    }
                    _ => format!("unship checklist do {id}"),
                };
                format!("`{line}` does it, or tick it as not applicable")
            }
            Kind::Sensed { auto: true, .. } => {
                "it is ticked by itself when that changes, or tick it as not applicable".to_owned()
            }
            _ => "confirm it when that changes, or override it with a reason".to_owned(),
        }
    }

    fn may_reopen(&self, it: &ItemRun) -> Result<(), String> {
        let id = &self.item().id;
        match it.standing {
            Standing::Running => return Err(format!("`{id}` is being done{}", ago(it, self.sight))),
            // What waits for another person is withdrawn, or refused by them.
            Standing::Open | Standing::Satisfied | Standing::Failed if it.asked.is_some() => return Ok(()),
            Standing::Open if it.regression.is_none() => return Err(format!("`{id}` is not ticked")),
            _ => {}
        }
        let sensed = match &self.item().kind {
            Kind::Sensed { sense, auto: true, .. } => Some(sense),
            Kind::Action { verify, .. } => verify.as_ref(),
            _ => None,
        };
        let fact = sensed.map(|sense| facts::fact(sense, self.sight));
        if it.standing == Standing::Done
            && let Some(fact) = fact.filter(|fact| fact.holds == Some(true))
        {
            if matches!(&self.item().kind, Kind::Action { action, .. } if action == "acknowledge") {
                return Err("an acknowledgement cannot be taken back; note who takes over".to_owned());
            }
            return Err(format!("unship sees `{id}` done: {}; it cannot be unticked", fact.text));
        }
        Ok(())
    }

    fn may_override(&self, it: &ItemRun, reason: &str) -> Result<(), String> {
        let item = self.item();
        let id = &item.id;
        match it.standing {
            Standing::Open
            | Standing::Satisfied
            | Standing::Failed
            | Standing::Waiting
            | Standing::Unknown => {}
            Standing::Running => return Err(format!("`{id}` is being done{}", ago(it, self.sight))),
            _ => return Err(self.is_settled(it)),
        }
        let length = reason.trim().chars().count();
        if length < REASON_LEAST {
            return Err(format!(
                "an override is read in the post-mortem: say why in at least {REASON_LEAST} characters, this has {length}"
            ));
        }
        if item.critical {
            let commander = self.sight.incident.commander();
            let Actor::Person { name } = self.by else {
                return Err(format!("`{id}` is critical: only the commander overrides it"));
            };
            match commander {
                Some(commander) if commander == name => {}
                Some(commander) => {
                    return Err(format!("`{id}` is critical: only the commander, {commander}, overrides it"));
                }
                None => {
                    return Err(format!(
                        "`{id}` is critical: only the commander overrides it, and nobody is; `unship incident role commander`"
                    ));
                }
            }
        }
        Ok(())
    }

    fn defer(&self, it: &ItemRun, until: &str, reason: &str) -> Result<ChecklistChange, String> {
        let item = self.item();
        let id = item.id.clone();
        if item.critical || item.memory {
            return Err(format!("`{id}` is critical: it cannot be deferred"));
        }
        match it.standing {
            Standing::Open | Standing::Satisfied | Standing::Failed => {}
            _ => return Err(self.is_settled(it)),
        }
        let until = until.trim();
        let until = if until.is_empty() { item.defer.as_deref().unwrap_or_default() } else { until };
        let due = if until == "resolved" {
            None
        } else if let Some(place) = self.run.book().sections.iter().position(|section| section.id == until) {
            if place <= item.section {
                return Err(format!("`{until}` comes before `{id}`; name a section after it"));
            }
            None
        } else {
            let time: Span = until.parse().map_err(|_| {
                let sections: Vec<_> = self.run.book().sections[item.section..]
                    .iter()
                    .skip(1)
                    .map(|section| section.id.as_str())
                    .collect();
                format!(
                    "`{until}` says not until when: write `resolved`, a time like `30m`, or a section after it: {}",
                    sections.join(", ")
                )
            })?;
            Some(self.sight.now.checked_add(*time).map_err(|error| error.to_string())?)
        };
        let reason = incidents::text(reason, NOTE_LIMIT, "a reason")?;
        Ok(ChecklistChange::Deferred { item: id, until: until.to_owned(), due, reason })
    }

    fn choose(&self, it: &ItemRun, option: &ItemId, reason: &str) -> Result<ChecklistChange, String> {
        self.is_not_gated()?;
        let item = self.item();
        let id = item.id.clone();
        let Kind::Decision { options, .. } = &item.kind else {
            return Err(format!("`{id}` asks for no decision"));
        };
        if it.standing != Standing::Open {
            return Err(self.is_settled(it));
        }
        let options: Vec<&Item> = options.iter().map(|option| &self.run.book().items[*option]).collect();
        // By its id, its number or the first word of it: `yes`.
        let named = option.as_str();
        let is_it = |number: usize, candidate: &Item| {
            candidate.id.as_str() == named
                || (number + 1).to_string() == named
                || first_word(&candidate.text).eq_ignore_ascii_case(named)
        };
        let found = options.iter().enumerate().find(|(number, candidate)| is_it(*number, candidate));
        let Some((_, chosen)) = found else {
            let ids: Vec<_> = options.iter().map(|option| option.id.as_str()).collect();
            return Err(format!("`{named}` is no option of `{id}`; options: {}", ids.join(", ")));
        };
        let against = chosen.when.as_ref().map(|when| facts::fact(when, self.sight));
        if let Some(fact) = against.filter(|fact| fact.holds == Some(false))
            && reason.trim().is_empty()
        {
            return Err(format!(
                "what is seen speaks against `{}`: {}; say why with `--reason`",
                chosen.id, fact.text
            ));
        }
        Ok(ChecklistChange::Chosen { item: id, option: chosen.id.clone(), reason: optional(reason)? })
    }

    fn record(&self, it: &ItemRun, value: &str) -> Result<ChecklistChange, String> {
        self.is_not_gated()?;
        let id = self.item().id.clone();
        let Kind::Record { name, value: kind } = &self.item().kind else {
            return Err(format!("`{id}` asks for no value; tick it when it is done"));
        };
        if !matches!(it.standing, Standing::Open | Standing::Done) {
            return Err(self.is_settled(it));
        }
        let value = incidents::text(value, NOTE_LIMIT, "a value")?;
        match kind {
            RecordKind::Text => {}
            RecordKind::Number => {
                let number = value.parse::<f64>().ok().filter(|number| number.is_finite());
                number.ok_or_else(|| format!("{name} is a number; `{value}` is none"))?;
            }
            RecordKind::Choice { choices } => {
                if !choices.contains(&value) {
                    return Err(format!("{name} is one of: {}", choices.join(", ")));
                }
            }
            RecordKind::Time => {
                value.parse::<jiff::Timestamp>().map_err(|_| {
                    format!("{name} is a moment, like `2026-11-27T18:00:00Z`; `{value}` is none")
                })?;
            }
        }
        if self.item().cross_check
            && let Some(asked) = self.second(it, Some(&value))?
        {
            return Ok(asked);
        }
        Ok(ChecklistChange::Recorded { item: id, name: name.clone(), value })
    }
}

/// Whoever agrees is somebody else than whoever asked.
pub(super) fn is_another(id: &ItemId, asked: &Asked, by: &Actor, sight: &Sight<'_>) -> Result<(), String> {
    if asked.by != *by {
        return Ok(());
    }
    let ago = human(whole(elapsed(asked.at, sight.now)).max(Duration::from_secs(1)));
    Err(format!("`{id}` waits for another person to agree: you asked {ago} ago"))
}

fn first_word(text: &str) -> &str {
    text.split(|char: char| !char.is_alphanumeric()).find(|word| !word.is_empty()).unwrap_or_default()
}

fn optional(reason: &str) -> Result<String, String> {
    if reason.trim().is_empty() { Ok(String::new()) } else { incidents::text(reason, NOTE_LIMIT, "a reason") }
}

fn ago(it: &ItemRun, sight: &Sight<'_>) -> String {
    let Some((_, at)) = &it.by else { return String::new() };
    format!(" {} ago", human(whole(elapsed(*at, sight.now)).max(Duration::from_secs(1))))
}
