//! What a line of a checklist asks for: the one key that does it asks here, and so do the footer and the line itself.

use crate::engine::checklist::{Checklist, Deed, Item, ItemKind, ItemState};
use crate::model::checklist::ItemAct;
use crate::model::{ItemId, ServiceName};
use crate::tui::widgets::text::{left, plain};

/// What a line asks for.
#[derive(Clone, PartialEq, Debug)]
pub enum Asks {
    /// This, without a question.
    Act(ItemAct),
    /// A rollback, by the question that every rollback is asked with.
    RollBack(Option<ServiceName>),
    /// Which option; that of the line where it is one.
    Choice {
        /// The line that is decided.
        item: Box<Item>,
        /// The option that the line is.
        option: Option<ItemId>,
    },
    /// A value.
    Value,
    /// Its action, with a question.
    Dispatch,
    /// Nothing that a person could do now, and why.
    Nothing(String),
}

impl Asks {
    /// What the key does, for the footer: `Space ticks`.
    pub const fn verb(&self, item: &Item) -> &'static str {
        match self {
            Self::Act(ItemAct::Done) => match (&item.kind, &item.state) {
                (ItemKind::Does { deed: Deed::Acknowledge { .. } }, _) => "acknowledge",
                (_, ItemState::Unknown { .. }) => "it has happened",
                (ItemKind::Sensed { .. } | ItemKind::Hold { .. }, _) => "confirm",
                _ => "tick",
            },
            Self::Act(ItemAct::Begin) => "begin",
            Self::Act(ItemAct::AcknowledgeRegression) => "seen",
            Self::Act(_) => "open it again",
            Self::RollBack(_) => "roll back",
            Self::Choice { .. } => "decide",
            Self::Value => "enter",
            Self::Dispatch => "do it",
            Self::Nothing(_) => "tick",
        }
    }
}

/// The decision that an item is an option of.
fn decision<'a>(checklist: &'a Checklist, item: &Item) -> Option<&'a Item> {
    checklist.items().find(|other| {
        let is_option = matches!(&other.kind, ItemKind::Decision { options }
            if options.iter().any(|option| option.id == item.id));
        other.run == item.run && is_option
    })
}

/// Whether what is seen speaks for an option of a decision that is open, or against it; none where nothing is seen, and for
/// what is no such option.
pub(super) fn recommended(checklist: &Checklist, item: &Item) -> Option<bool> {
    let decision = decision(checklist, item).filter(|decision| !decision.is_settled())?;
    match &decision.kind {
        ItemKind::Decision { options } => options.iter().find(|option| option.id == item.id)?.recommended,
        _ => None,
    }
}

/// How many lines in it are not settled.
fn below(checklist: &Checklist, item: &Item) -> usize {
    let phase = checklist.phases.iter().find(|phase| phase.items.iter().any(|it| it.key == item.key));
    let items = phase.map(|phase| phase.items.as_slice()).unwrap_or_default();
    let after = items.iter().skip_while(|it| it.key != item.key).skip(1);
    after.take_while(|it| it.depth > item.depth).filter(|it| it.counts && !it.is_settled()).count()
}

/// What a line asks for, as it stands.
pub fn of(checklist: &Checklist, item: &Item) -> Asks {
    match &item.state {
        ItemState::Done { .. } if matches!(item.kind, ItemKind::Record { .. }) => return Asks::Value,
        ItemState::Done { .. }
        | ItemState::NotApplicable { .. }
        | ItemState::Overridden { .. }
        | ItemState::Deferred { .. } => return Asks::Act(ItemAct::Reopen { reason: String::new() }),
        ItemState::Waiting { passed, of } => {
            let passed = std::time::Duration::from_secs(passed.as_secs());
            return Asks::Nothing(format!("its time passes: {} of {}", left(passed), left(*of)));
        }
        ItemState::Running { .. } => return Asks::Nothing("it is being done".to_owned()),
        ItemState::Regressed { .. } if !item.acknowledged => {
            return Asks::Act(ItemAct::AcknowledgeRegression);
        }
        ItemState::Unknown { .. } => return Asks::Act(ItemAct::Done),
        _ => {}
    }
    if let Some(gate) = &item.gate {
        return Asks::Nothing(format!("it waits: {}", plain(gate)));
    }
    if let Some(decision) = decision(checklist, item)
        && !decision.is_settled()
    {
        return Asks::Choice { item: Box::new(decision.clone()), option: Some(item.id.clone()) };
    }
    let below = below(checklist, item);
    if below > 0 && !matches!(item.kind, ItemKind::Decision { .. }) {
        let lines = if below == 1 { "1 line".to_owned() } else { format!("{below} lines") };
        return Asks::Nothing(format!("{lines} below it come first"));
    }
    let holds = item.fact.as_ref().and_then(|fact| fact.holds);
    let is_not_so = || {
        let fact = item.fact.as_ref().map_or("", |fact| fact.text.as_str());
        Asks::Nothing(format!("it is not so: {}", plain(fact)))
    };
    match &item.kind {
        ItemKind::Sensed { .. } if holds == Some(false) => is_not_so(),
        // What acknowledges is ticked by that.
        ItemKind::Manual | ItemKind::Sensed { .. } | ItemKind::Does { deed: Deed::Acknowledge { .. } } => {
            Asks::Act(ItemAct::Done)
        }
        ItemKind::Hold { .. } if item.state == ItemState::Satisfied => Asks::Act(ItemAct::Done),
        ItemKind::Wait { .. } | ItemKind::Hold { .. } => Asks::Act(ItemAct::Begin),
        ItemKind::Decision { .. } => Asks::Choice { item: Box::new(item.clone()), option: None },
        ItemKind::Record { .. } => Asks::Value,
        // It is so already; a person says that this is it.
        ItemKind::Does { .. }
            if holds == Some(true) && item.action.as_ref().is_some_and(|acts| acts.verified) =>
        {
            Asks::Act(ItemAct::Done)
        }
        // What it asks for is seen, so the rollback (where one person is enough) may be begun by the question with both ends.
        ItemKind::Does { deed: Deed::RollBack { service } }
            if item.action.as_ref().is_some_and(|acts| acts.verified) && !item.by_two =>
        {
            Asks::RollBack(service.clone())
        }
        ItemKind::Does { .. } => match item.action.as_ref().and_then(|acts| acts.lacks.as_ref()) {
            Some(lacks) => Asks::Nothing(plain(lacks)),
            None => Asks::Dispatch,
        },
    }
}
