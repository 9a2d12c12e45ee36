//! The guide of the interactive demo: says what to do next and with which key, by what is going on and what the person has
//! done already. It teaches five keys: why, roll back, operation, timeline, quit.

use std::collections::BTreeSet;

use super::dialogs::Overlay;
use super::roster::Condition;
use super::scene::Scene;
use super::ui::Page;
use crate::model::operation::{OperationStatus, Outcome, PlanKind};

/// What the person has done already.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Guide {
    /// Commands of the table, by id.
    pub did: BTreeSet<&'static str>,
}

/// What the guide says now; nothing where there is none.
pub fn words(scene: &Scene<'_>) -> Option<String> {
    let guide = scene.ui.guide.as_ref()?;
    let key = |id: &str| scene.picture.keymap.key_of(id).unwrap_or_else(|| format!(":{id}"));
    let did = |id: &str| guide.did.contains(id);
    if let Overlay::Action(_) = scene.ui.overlay {
        return Some(
            "Type the service's name, then y. Enter does nothing here, so that a slip does nothing."
                .to_owned(),
        );
    }
    let operations = || scene.state().operations_in_order().rev();
    if let Some(operation) = scene.state().open_operations().next() {
        return Some(match (&operation.status, scene.ui.page()) {
            (OperationStatus::NeedsDecision { .. }, _) => {
                format!("{} says what happened; the engine cannot know.", key("decide"))
            }
            (_, Some(Page::Operation(_))) => {
                "Step by step, each written down before it is done. Wait for it to be verified.".to_owned()
            }
            _ => format!("{}: look at its steps.", key("operation")),
        });
    }
    if let Some(operation) = operations().find(|operation| operation.plan.kind == PlanKind::RollBack)
        && let OperationStatus::Ended { outcome, .. } = &operation.status
        && !scene.wants_rollback()
    {
        return Some(match outcome {
            Outcome::Verified if did("timeline") => {
                format!("That was it: taken back and verified. {}: leave; the record stays.", key("quit"))
            }
            Outcome::Verified => format!(
                "{} is back on {} and verified healthy. {}: what happened, second by second.",
                operation.plan.service,
                operation.plan.to.version,
                key("timeline")
            ),
            other => format!("The rollback ended {}. {}: what happened.", other.words(), key("timeline")),
        });
    }
    if scene.wants_rollback() {
        return Some(if did("why") {
            if scene.ui.page().is_some() {
                format!("{}: take it back, from here or from the board.", key("roll-back"))
            } else {
                format!("{}: take it back.", key("roll-back"))
            }
        } else {
            format!(
                "Something is wrong with {}. {}: why?  {}: take it back.",
                scene.service().map_or("a service", |service| service.as_str()),
                key("why"),
                key("roll-back")
            )
        });
    }
    match scene.known().and_then(|known| known.canary()) {
        Some(canary) => Some(format!("{} gets a part of the traffic as the canary. Watch.", canary.version)),
        None if scene.picture.roster.worst().is_some_and(|row| row.condition != Condition::Healthy) => None,
        None => Some("All is well. A new release comes in a few seconds.".to_owned()),
    }
}
