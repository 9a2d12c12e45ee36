//! What is asked about a line of a checklist: with the line as it was when the key was pressed, so that whatever somebody else
//! does to it meanwhile is seen before anything is sent.

use super::text::Text;
use crate::engine::checklist::{Acts, Checklist, Choice, Item, ItemKind, ItemState, checklist};
use crate::engine::target;
use crate::model::checklist::{ItemAct, REASON_LEAST};
use crate::model::command::Command;
use crate::model::{IncidentId, ItemId, RunId, ServiceName};
use crate::tui::commands::{Action, Danger, Reason};
use crate::tui::panes::checklist::{self as pane, space::Asks};
use crate::tui::scene::Scene;
use crate::tui::widgets::text::plain;

/// What is asked about a line.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct OnItem {
    incident: IncidentId,
    run: RunId,
    item: ItemId,
    title: String,
    /// How often it had changed.
    seen: u64,
    ask: Ask,
}

/// What.
#[derive(Clone, PartialEq, Debug)]
enum Ask {
    NotApplicable,
    Override,
    /// Until when can be chosen: what is sent, and what that means.
    Defer {
        until: Vec<(String, String)>,
        first: Option<usize>,
    },
    Reopen,
    Note,
    Choose {
        options: Vec<(Choice, String)>,
        first: Option<usize>,
    },
    Record {
        name: String,
        choices: Vec<String>,
    },
    Dispatch {
        acts: Acts,
        service: Option<ServiceName>,
        ends: Option<String>,
        two: Two,
        /// It takes back what the line did.
        back: bool,
    },
}

/// How many people an action takes, as far as that is.
#[derive(Clone, PartialEq, Debug)]
enum Two {
    /// One is enough.
    No,
    /// Two, and nobody has asked yet.
    First,
    /// Two, and this person has asked.
    Second(String),
}

/// The line at hand, with the incident that it is of.
fn at_hand(scene: &Scene<'_>) -> Result<(IncidentId, Checklist, Item), Reason> {
    let incident = pane::incident(scene).ok_or("no incident is open")?;
    let list = pane::of(scene, incident);
    let key = pane::at_hand(scene).ok_or("select a line of the checklist first")?;
    let item = list.item(&key).cloned().ok_or("select a line of the checklist first")?;
    Ok((incident.id.clone(), list, item))
}

/// What the line at hand asks for and needs no question.
pub(super) fn at_once(scene: &Scene<'_>, action: Action, args: &[String]) -> Result<Option<Command>, Reason> {
    let (incident, _, item) = at_hand(scene)?;
    let act = match action {
        Action::Tick => match pane::asks(scene) {
            Some(Asks::Act(act)) => act,
            Some(Asks::Nothing(why)) => return Err(why),
            _ => return Ok(None),
        },
        Action::Claim => ItemAct::Claim,
        Action::LetGo => ItemAct::Release,
        Action::Seen => ItemAct::AcknowledgeRegression,
        Action::NoteBeside if !args.is_empty() => ItemAct::Note { text: args.join(" ") },
        _ => return Ok(None),
    };
    Ok(Some(command(incident, &item, act)))
}

fn command(incident: IncidentId, item: &Item, act: ItemAct) -> Command {
    Command::Item {
        incident,
        run: Some(item.run.clone()),
        item: item.id.clone(),
        // Whoever was quicker is not overruled.
        seen: Some(item.changes),
        act,
    }
}

impl OnItem {
    /// What a command of the table asks about the line at hand; none where it is about something else.
    pub(super) fn catch(scene: &Scene<'_>, action: Action) -> Option<Result<Self, Reason>> {
        let is_ours = matches!(
            action,
            Action::Tick
                | Action::NotApplicable
                | Action::Override
                | Action::Defer
                | Action::Reopen
                | Action::TakeBack
                | Action::NoteBeside
        );
        is_ours.then(|| Self::of(scene, action))
    }

    fn of(scene: &Scene<'_>, action: Action) -> Result<Self, Reason> {
        let (incident, list, item) = at_hand(scene)?;
        let (item, ask) = match action {
            Action::NotApplicable => (item, Ask::NotApplicable),
            Action::Override => (item, Ask::Override),
            Action::Defer => {
                let (until, first) = untils(&list, &item);
                (item, Ask::Defer { until, first })
            }
            Action::Reopen => (item, Ask::Reopen),
            Action::NoteBeside => (item, Ask::Note),
            Action::TakeBack => {
                let ask = dispatch(scene, &item, true)?;
                (item, ask)
            }
            _ => match pane::asks(scene) {
                Some(Asks::Choice { item, option }) => {
                    let ask = choose(&list, &item, option.as_ref())?;
                    (*item, ask)
                }
                Some(Asks::Value) => {
                    let ItemKind::Record { name, choices } = item.kind.clone() else {
                        return Err("this line asks for no value".to_owned());
                    };
                    (item, Ask::Record { name, choices })
                }
                Some(Asks::Dispatch) => {
                    let ask = dispatch(scene, &item, false)?;
                    (item, ask)
                }
                Some(Asks::Nothing(why)) => return Err(why),
                _ => return Err("this asks nothing".to_owned()),
            },
        };
        let Item { run, id, title, changes, .. } = item;
        Ok(Self { incident, run, item: id, title, seen: changes, ask })
    }

    /// The checklists of its incident, as they are now.
    fn list(&self, scene: &Scene<'_>) -> Option<Checklist> {
        let view = &scene.picture.live;
        let incident = view.state.incident(&self.incident)?;
        Some(checklist(incident, &view.state, scene.config(), &view.readings, scene.picture.now))
    }

    /// The line, as it is now.
    fn now(&self, scene: &Scene<'_>) -> Option<Item> {
        let mut items = self.list(scene)?.phases.into_iter().flat_map(|phase| phase.items);
        items.find(|item| item.run == self.run && item.id == self.item)
    }

    /// The same with what is seen now: figures move while somebody thinks about them.
    pub(super) fn seen_now(&self, scene: &Scene<'_>) -> Self {
        let mut now = self.clone();
        if let Ask::Choose { options, .. } = &mut now.ask
            && let Some(list) = self.list(scene)
            && let Some(item) = list.items().find(|item| item.run == self.run && item.id == self.item)
            && let Ok(Ask::Choose { options: seen, .. }) = choose(&list, item, None)
            && seen.iter().map(|(choice, _)| &choice.id).eq(options.iter().map(|(choice, _)| &choice.id))
        {
            *options = seen;
        }
        now
    }

    /// What has changed since, in a few words.
    pub(super) fn changed(&self, scene: &Scene<'_>) -> Option<String> {
        let state = &scene.picture.live.state;
        if state.incident(&self.incident).is_none_or(|incident| incident.is_closed()) {
            return Some(format!("{} is closed", self.incident));
        }
        let Some(now) = self.now(scene) else { return Some(format!("{} is not there any more", self.item)) };
        if now.changes != self.seen {
            let by = match &now.state {
                ItemState::Done { by, .. }
                | ItemState::NotApplicable { by, .. }
                | ItemState::Overridden { by, .. }
                | ItemState::Deferred { by, .. }
                | ItemState::Regressed { by, .. } => format!(", says {by}"),
                _ => String::new(),
            };
            let word = match now.state {
                ItemState::Current => "open",
                ref state => pane::word(state),
            };
            return Some(format!("it is {word} now{by}"));
        }
        if let Ask::Dispatch { acts, service, ends, back, .. } = &self.ask {
            let acts_now = if *back { &now.undo } else { &now.action };
            if acts_now.as_ref() != Some(acts) {
                return Some("what it would do is something else now".to_owned());
            }
            if service.as_ref().and_then(|service| rollback_ends(scene, acts, service)) != *ends {
                return Some("the releases are others now".to_owned());
            }
        }
        None
    }

    /// How much harm it can do.
    pub(super) fn danger(&self) -> Danger {
        match &self.ask {
            Ask::Dispatch { acts, service: Some(_), .. }
                if matches!(acts.action.as_str(), "rollback" | "promote" | "maintenance" | "scale") =>
            {
                Danger::Production
            }
            Ask::Override | Ask::Dispatch { .. } => Danger::Service,
            _ => Danger::None,
        }
    }

    /// The service whose name is typed.
    pub(super) const fn service(&self) -> Option<&ServiceName> {
        match &self.ask {
            Ask::Dispatch { service, .. } => service.as_ref(),
            _ => None,
        }
    }

    /// The dialog's title.
    pub(super) fn title(&self) -> String {
        let what = match &self.ask {
            Ask::NotApplicable => "Not applicable",
            Ask::Override => "Override",
            Ask::Defer { .. } => "Do it later",
            Ask::Reopen => "Open it again",
            Ask::Note => "Note beside it",
            Ask::Choose { .. } => "Decide",
            Ask::Record { .. } => "Enter",
            Ask::Dispatch { back: true, .. } => "Take it back",
            Ask::Dispatch { .. } => "Do it",
        };
        format!("{what}: {}", self.item)
    }

    /// What was asked, for the message about its answer.
    pub(super) fn words(&self) -> String {
        let id = &self.item;
        match &self.ask {
            Ask::NotApplicable => format!("{id} not applicable"),
            Ask::Override => format!("override {id}"),
            Ask::Defer { .. } => format!("defer {id}"),
            Ask::Reopen => format!("open {id} again"),
            Ask::Note => format!("note beside {id}"),
            Ask::Choose { .. } => format!("decide {id}"),
            Ask::Record { .. } => format!("enter {id}"),
            Ask::Dispatch { back: true, .. } => format!("take {id} back"),
            Ask::Dispatch { .. } => format!("do {id}"),
        }
    }

    /// What the confirming key does, after the key.
    /// What is chosen is in it: the list may be out of sight.
    pub(super) fn does(&self, choice: Option<usize>) -> String {
        let chosen = |what: Option<String>| what.map_or_else(String::new, |what| format!(": {what}"));
        match &self.ask {
            Ask::NotApplicable => "says so".to_owned(),
            Ask::Override => "overrides it".to_owned(),
            Ask::Defer { until, .. } => {
                let until = choice.and_then(|at| until.get(at)).map(|(word, _)| word.clone());
                format!("defers it{}", chosen(until))
            }
            Ask::Reopen => "opens it".to_owned(),
            Ask::Note => "writes it".to_owned(),
            Ask::Choose { options, .. } => {
                let option = choice.and_then(|at| options.get(at)).map(|(option, _)| option.title.clone());
                format!("decides{}", chosen(option))
            }
            Ask::Record { choices, .. } => {
                format!("enters it{}", chosen(choice.and_then(|at| choices.get(at)).cloned()))
            }
            Ask::Dispatch { two: Two::First, .. } => "asks for it".to_owned(),
            Ask::Dispatch { two: Two::Second(_), .. } => "agrees".to_owned(),
            Ask::Dispatch { back: true, .. } => "takes it back".to_owned(),
            Ask::Dispatch { .. } => "does it".to_owned(),
        }
    }

    /// What will happen, in sentences.
    pub(super) fn will(&self) -> Vec<String> {
        let stop = if self.title.ends_with(['.', '?', '!', ':']) { "" } else { "." };
        let mut lines = vec![format!("{}{stop}", self.title)];
        lines.extend(match &self.ask {
            Ask::NotApplicable => {
                vec!["It does not concern this incident, and counts as settled. Say why where that is not plain.".to_owned()]
            }
            Ask::Override => vec![
                "It is left as it is, against what it says. It never counts as done, and the post-mortem lists it.".to_owned(),
                format!("The reason has at least {REASON_LEAST} characters."),
            ],
            Ask::Defer { .. } => vec!["It stays open and comes back then; until it is settled the incident cannot be closed.".to_owned()],
            Ask::Reopen => vec!["Nothing that was done is undone by that.".to_owned()],
            Ask::Note => vec!["A line for the others and for the record.".to_owned()],
            Ask::Choose { .. } => vec!["The other ways, and all that lies on them, do not apply then.".to_owned()],
            Ask::Record { name, choices } if choices.is_empty() => {
                vec![format!("What is entered is `{name}` for the lines that follow, and stands in the record.").replace('`', "")]
            }
            Ask::Record { name, .. } => vec![format!("One of these is {name} for the lines that follow.")],
            Ask::Dispatch { acts, ends, two, back, .. } => {
                let mut lines = Vec::new();
                let with: Vec<String> = acts.with.iter().map(|(name, value)| format!("{name} {value}")).collect();
                let with = if with.is_empty() { String::new() } else { format!(": {}", with.join(", ")) };
                match two {
                    Two::No => lines.push(format!("It begins {}{with}.", acts.action)),
                    Two::First => {
                        lines.push(format!("You ask for {}{with}; nothing is begun before another person agrees.", acts.action));
                        lines.push("That is waited for ten minutes; those who listen hear of it.".to_owned());
                    }
                    Two::Second(by) => {
                        lines.push(format!("{by} asked for {}{with}; you agree, and it is begun.", acts.action));
                    }
                }
                lines.extend(ends.clone());
                if *back {
                    lines.push("The line is open again once that has worked.".to_owned());
                }
                lines.push("It passes the same guardrails as when it is asked for elsewhere.".to_owned());
                lines
            }
        });
        lines
    }

    /// What can be chosen: its word, and what it does.
    pub(super) fn choices(&self) -> Vec<(String, String)> {
        match &self.ask {
            Ask::Defer { until, .. } => until.clone(),
            Ask::Choose { options, .. } => options
                .iter()
                .enumerate()
                .map(|(place, (option, seen))| {
                    let advice = match option.recommended {
                        Some(true) => " (recommended)",
                        Some(false) => " (not advised)",
                        None => "",
                    };
                    let seen = if seen.is_empty() { String::new() } else { format!("; {seen}") };
                    ((place + 1).to_string(), format!("{}{advice}{seen}", option.title))
                })
                .collect(),
            Ask::Record { choices, .. } => choices
                .iter()
                .enumerate()
                .map(|(place, choice)| ((place + 1).to_string(), choice.clone()))
                .collect(),
            _ => Vec::new(),
        }
    }

    /// What is chosen at first.
    pub(super) const fn first_choice(&self) -> Option<usize> {
        match &self.ask {
            Ask::Defer { first, .. } | Ask::Choose { first, .. } => *first,
            _ => None,
        }
    }

    /// The text that is asked for.
    pub(super) fn text(&self, choice: Option<usize>) -> Text {
        match &self.ask {
            Ask::NotApplicable | Ask::Reopen => Text::Optional("reason"),
            Ask::Override | Ask::Defer { .. } => Text::Needed("reason"),
            Ask::Note => Text::Needed("note"),
            Ask::Record { choices, .. } if choices.is_empty() => Text::Needed("value"),
            Ask::Record { .. } | Ask::Dispatch { .. } => Text::Not,
            Ask::Choose { options, .. } => {
                let chosen = choice.and_then(|at| options.get(at));
                // Against what is seen is for whoever can say why.
                match chosen.map(|(option, _)| option.recommended) {
                    Some(Some(false)) => Text::Needed("reason"),
                    _ => Text::Optional("reason"),
                }
            }
        }
    }

    /// What is wrong with the text, beyond that it is missing.
    pub(super) fn lacks(&self, text: &str) -> Option<String> {
        let length = text.trim().chars().count();
        (matches!(self.ask, Ask::Override) && length < REASON_LEAST)
            .then(|| format!("say why in at least {REASON_LEAST} characters, this has {length}"))
    }

    /// The command, as far as it is answered.
    pub(super) fn command(&self, text: &str, choice: Option<usize>) -> Option<Command> {
        let text = text.trim().to_owned();
        let act = match &self.ask {
            Ask::NotApplicable => ItemAct::NotApplicable { reason: text },
            Ask::Override => ItemAct::Override { reason: text },
            Ask::Defer { until, .. } => ItemAct::Defer { until: until.get(choice?)?.0.clone(), reason: text },
            Ask::Reopen => ItemAct::Reopen { reason: text },
            Ask::Note => ItemAct::Note { text },
            Ask::Choose { options, .. } => {
                ItemAct::Choose { option: options.get(choice?)?.0.id.clone(), reason: text }
            }
            Ask::Record { choices, .. } if choices.is_empty() => ItemAct::Record { value: text },
            Ask::Record { choices, .. } => ItemAct::Record { value: choices.get(choice?)?.clone() },
            Ask::Dispatch { back: true, .. } => ItemAct::Undo,
            Ask::Dispatch { .. } => ItemAct::Dispatch,
        };
        Some(Command::Item {
            incident: self.incident.clone(),
            run: Some(self.run.clone()),
            item: self.item.clone(),
            seen: Some(self.seen),
            act,
        })
    }
}

/// Until when a line can be deferred: the sections behind it, the end of the incident, a time.
fn untils(list: &Checklist, item: &Item) -> (Vec<(String, String)>, Option<usize>) {
    let own = list.phases.iter().position(|phase| phase.items.iter().any(|it| it.key == item.key));
    let after = list.phases.iter().skip(own.map_or(0, |own| own + 1)).filter(|phase| phase.run == item.run);
    let mut until: Vec<(String, String)> = after
        .map(|phase| (phase.section.clone(), format!("with `{}`", phase.title).replace('`', "")))
        .collect();
    until.push(("resolved".to_owned(), "when the incident is resolved".to_owned()));
    for (time, words) in
        [("15m", "in 15 minutes"), ("30m", "in half an hour"), ("1h", "in an hour"), ("4h", "in 4 hours")]
    {
        until.push((time.to_owned(), words.to_owned()));
    }
    // A time that the runbook proposes and that is not listed stands first.
    if let Some(proposed) = &item.defer
        && !until.iter().any(|(known, _)| known == proposed)
    {
        until.insert(0, (proposed.clone(), "as the runbook proposes".to_owned()));
    }
    let first =
        item.defer.as_ref().and_then(|proposed| until.iter().position(|(known, _)| known == proposed));
    (until, first)
}

fn choose(list: &Checklist, item: &Item, option: Option<&ItemId>) -> Result<Ask, Reason> {
    let ItemKind::Decision { options } = &item.kind else {
        return Err("this line asks for no decision".to_owned());
    };
    let seen = |choice: &Choice| {
        let line = list.items().find(|line| line.run == item.run && line.id == choice.id);
        line.and_then(|line| line.fact.as_ref()).map_or_else(String::new, |fact| plain(&fact.text))
    };
    let options: Vec<(Choice, String)> =
        options.iter().map(|choice| (choice.clone(), seen(choice))).collect();
    let mut recommended = options
        .iter()
        .enumerate()
        .filter(|(_, (choice, _))| choice.recommended == Some(true))
        .map(|(at, _)| at);
    // What is asked for by its own line, else the only one that what is seen speaks for.
    let first = match option {
        Some(option) => options.iter().position(|(choice, _)| choice.id == *option),
        None => match (recommended.next(), recommended.next()) {
            (Some(one), None) => Some(one),
            _ => None,
        },
    };
    Ok(Ask::Choose { options, first })
}

fn dispatch(scene: &Scene<'_>, item: &Item, back: bool) -> Result<Ask, Reason> {
    let acts = if back { item.undo.clone() } else { item.action.clone() };
    let acts = acts.ok_or("this line has no such action")?;
    let named = acts.with.get("service").map(|name| ServiceName::from(name.as_str()));
    let service = named.or_else(|| match &item.kind {
        ItemKind::Does { deed: crate::engine::checklist::Deed::RollBack { service } } if !back => {
            service.clone()
        }
        _ => None,
    });
    let ends = service.as_ref().and_then(|service| rollback_ends(scene, &acts, service));
    let two = match &item.asked {
        Some(asked) => Two::Second(asked.by.to_string()),
        None if item.by_two => Two::First,
        None => Two::No,
    };
    Ok(Ask::Dispatch { acts, service, ends, two, back })
}

/// Both ends of a rollback: `2.8.1 (canary) is left, and its traffic goes to 2.8.0.`
fn rollback_ends(scene: &Scene<'_>, acts: &Acts, service: &ServiceName) -> Option<String> {
    if acts.action != "rollback" {
        return None;
    }
    let known = scene.picture.live.state.service(service)?;
    let (arm, from) = known.suspect()?;
    let asked = acts.with.get("to").map(|to| to.as_str().into());
    let to = target::choose(known, &from.reference, asked.as_ref()).release;
    let to = to.map_or_else(|| "nothing that can be returned to".to_owned(), |to| to.version.to_string());
    Some(format!("{} ({arm}) of {service} is left, and its traffic goes to {to}.", from.version))
}
