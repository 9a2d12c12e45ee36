//! Alarms that a metric service keeps by itself, made from the triggers: what is there against what is wanted, and making it
//! so. Beside the core: an alarm of others is no part of an incident's state.

use std::time::Duration;

use crate::engine::alarms::wanted;
use crate::model::alarm::{AlarmChange, AlarmDefinition, LeftOut};
use crate::observe;

use super::World;

/// How often an alarm that was made is looked at until it is there as it should be.
const LOOKS: u32 = 5;

/// The time between two such looks.
const PAUSE: Duration = Duration::from_millis(500);

/// The alarms of an environment, against what is there.
#[derive(Debug)]
pub struct AlarmsPlan {
    /// Each alarm, and what making it would change, or why that cannot be said.
    pub alarms: Vec<(AlarmDefinition, Result<AlarmChange, String>)>,
    /// Triggers that no alarm can do the work of.
    pub left_out: Vec<LeftOut>,
}

/// Compares the alarms that the triggers ask for with those that are there. Changes nothing.
pub async fn plan_alarms(world: &World) -> AlarmsPlan {
    let (wanted, left_out) = wanted(&world.settings.config);
    let mut alarms: Vec<(AlarmDefinition, Result<AlarmChange, String>)> = Vec::with_capacity(wanted.len());
    for source in &world.sources {
        let here: Vec<&AlarmDefinition> =
            wanted.iter().filter(|alarm| alarm.source == source.source).collect();
        if here.is_empty() {
            continue;
        }
        let changes = match observe::compare_alarms(source, &world.secrets, &here).await {
            Ok(changes) => changes.into_iter().map(Ok).collect(),
            Err(reason) => vec![Err(reason); here.len()],
        };
        alarms.extend(here.into_iter().cloned().zip(changes));
    }
    AlarmsPlan { alarms, left_out }
}

/// Makes an alarm, and looks whether it is there then. An error is in words.
pub async fn make_alarm(world: &World, alarm: &AlarmDefinition) -> Result<(), String> {
    if world.settings.config.environment.read_only {
        return Err("the environment is read-only".to_owned());
    }
    let source = world
        .sources
        .iter()
        .find(|source| source.source == alarm.source)
        .ok_or_else(|| format!("there is no source `{}`", alarm.source))?;
    observe::put_alarm(source, &world.secrets, alarm).await?;
    let mut last = AlarmChange::Create;
    for look in 0..LOOKS {
        if look > 0 {
            tokio::time::sleep(PAUSE).await;
        }
        let changes = observe::compare_alarms(source, &world.secrets, &[alarm]).await;
        last = changes.map_err(|reason| format!("made, but it cannot be read: {reason}"))?.remove(0);
        if last == AlarmChange::Unchanged {
            return Ok(());
        }
    }
    Err(match last {
        AlarmChange::Update { differences } => {
            format!("made, but it is otherwise: {}", differences.join("; "))
        }
        _ => "made, but it is not there".to_owned(),
    })
}
