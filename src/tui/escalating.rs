//! How far an escalation is, in few words: who was told, what comes next, and what must not be overlooked. The header and the
//! incident's page take their words from here.

use std::time::Duration;

use jiff::Timestamp;

use super::scene::Scene;
use super::theme::Tone;
use super::widgets::text::left;
use crate::model::escalation::{Escalation, Standing};
use crate::model::incident::Incident;

/// What there is to say.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Words {
    /// The words.
    pub text: String,
    /// How they are meant.
    pub tone: Tone,
    /// It stays on the screen when other things have to go.
    pub loud: bool,
}

/// The escalation of an incident, if there is one.
pub fn of<'a>(scene: &Scene<'a>, incident: &Incident) -> Option<&'a Escalation> {
    scene.state().escalations.get(&incident.id).map(AsRef::as_ref)
}

/// Whether people are asked for again, although somebody had answered.
pub fn asks_again(escalation: Option<&Escalation>) -> bool {
    escalation.is_some_and(|escalation| {
        matches!(
            escalation.standing,
            Standing::Paging | Standing::Exhausted { .. } | Standing::Snoozed { .. }
        )
    })
}

/// Whether it is still on its way.
pub const fn is_running(escalation: &Escalation) -> bool {
    !matches!(escalation.standing, Standing::Stopped { .. })
}

/// Until a moment; none once it is there.
fn until(at: Option<Timestamp>, now: Timestamp) -> Option<Duration> {
    let at = at.filter(|at| *at > now)?;
    Some(at.duration_since(now).unsigned_abs())
}

/// How far it is.
pub fn words(escalation: &Escalation, now: Timestamp) -> Words {
    let say = |tone, text: String| Words { text, tone, loud: false };
    match &escalation.standing {
        Standing::Paging => {
            let told = match escalation.level {
                0 => "nobody told yet".to_owned(),
                level => format!("level {level} told"),
            };
            let next = match (until(escalation.next_at, now), escalation.next_at) {
                (Some(time), _) => format!(", next {}", left(time)),
                (None, Some(_)) => ", next now".to_owned(),
                (None, None) => String::new(),
            };
            say(Tone::Warn, format!("{told}{next}"))
        }
        Standing::Acknowledged { until: until_at, .. } => match until(*until_at, now) {
            Some(time) => say(Tone::Dim, format!("asks again {}", left(time))),
            None => say(Tone::Dim, "nobody is told".to_owned()),
        },
        Standing::Snoozed { until: until_at, .. } => {
            let time = until(Some(*until_at), now).map_or_else(|| "over".to_owned(), left);
            say(Tone::Warn, format!("snoozed {time}"))
        }
        Standing::Exhausted { .. } => {
            Words { text: " EXHAUSTED ".to_owned(), tone: Tone::Banner, loud: true }
        }
        Standing::Stopped { .. } => say(Tone::Dim, "escalation stopped".to_owned()),
    }
}
