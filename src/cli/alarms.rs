//! `unship alarms`: alarms in the metric service itself, made from the triggers, so that somebody is told when unship is
//! down; and alarms that others have sent to unship.

mod received;

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use serde_json::{Value, json};

use super::output::{note, print_json};
use super::session;
use super::{Exit, Global};
use crate::engine::runtime::{AlarmsPlan, World, make_alarm, plan_alarms};
use crate::model::alarm::{AlarmChange, AlarmDefinition};

/// List alarms that were received, silence them, or keep alarms in CloudWatch that do the work of the triggers.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand, Clone, Debug)]
enum What {
    /// List the alarms that were received and fire.
    List(received::List),
    /// Silence an alarm at the Alertmanager: show which ones that concerns, ask, and write it down in the incident.
    Silence(received::SilenceArgs),
    /// Make the alarms as the config has them: show what would change, ask, create and update. Deletes nothing.
    Apply(Apply),
}

/// How they are applied.
#[derive(clap::Args, Clone, Debug)]
struct Apply {
    /// Show what would change and stop.
    #[arg(long)]
    dry_run: bool,
    /// Do not ask. Without a terminal to ask on, this is required.
    #[arg(long)]
    yes: bool,
}

/// Exit codes: 0 all as it should be (or would be made so), 1 the alarms cannot be read, 2 not confirmed, 4 an alarm could
/// not be made, 5 the environment is read-only.
pub async fn run(args: &Args, global: &Global) -> anyhow::Result<Exit> {
    let apply = match &args.what {
        What::List(list) => return received::list(list, global).await,
        What::Silence(silence) => return received::silence(silence, global).await,
        What::Apply(apply) => apply,
    };
    let loaded = session::load(global)?;
    let world = World::build(std::sync::Arc::new(loaded.config.clone()), loaded.secrets.clone(), false)?;
    let plan = plan_alarms(&world).await;
    if !global.json || !apply.dry_run {
        show(&plan);
    }
    let is_readable = plan.alarms.iter().all(|(_, change)| change.is_ok());
    let to_make: Vec<&AlarmDefinition> = plan.alarms.iter().filter_map(must_be_made).collect();
    if apply.dry_run || to_make.is_empty() || !is_readable {
        if global.json {
            print_json(&summary(&plan, &[]))?;
        }
        let is_refused =
            plan.alarms.iter().any(|(_, change)| matches!(change, Ok(AlarmChange::Refused { .. })));
        return Ok(match (is_readable, is_refused) {
            (false, _) => Exit::Error,
            (true, true) => Exit::Failed,
            (true, false) => Exit::Fine,
        });
    }
    if loaded.config.environment.read_only {
        note!("refused: the environment is read-only");
        return Ok(Exit::Refused);
    }
    let alarms = if to_make.len() == 1 { "1 alarm".to_owned() } else { format!("{} alarms", to_make.len()) };
    if !apply.yes && !confirm(&loaded.config.environment.name, &format!("make {alarms}"))? {
        return Ok(Exit::Usage);
    }
    let mut made: Vec<(&str, Result<(), String>)> = Vec::new();
    for alarm in to_make {
        let result = make_alarm(&world, alarm).await;
        match &result {
            Ok(()) => note!("made       {}", alarm.name),
            Err(reason) => note!("FAILED     {}: {reason}", alarm.name),
        }
        made.push((alarm.name.as_str(), result));
    }
    if global.json {
        print_json(&summary(&plan, &made))?;
    }
    let has_failed = made.iter().any(|(_, result)| result.is_err())
        || plan.alarms.iter().any(|(_, change)| matches!(change, Ok(AlarmChange::Refused { .. })));
    Ok(if has_failed { Exit::Failed } else { Exit::Fine })
}

fn must_be_made(planned: &(AlarmDefinition, Result<AlarmChange, String>)) -> Option<&AlarmDefinition> {
    matches!(planned.1, Ok(AlarmChange::Create | AlarmChange::Update { .. })).then_some(&planned.0)
}

/// What is there against what is wanted, for people.
fn show(plan: &AlarmsPlan) {
    for (alarm, change) in &plan.alarms {
        match change {
            Ok(AlarmChange::Create) => note!("create     {}: {}", alarm.name, alarm.description),
            Ok(AlarmChange::Update { differences }) => {
                note!("update     {}", alarm.name);
                for difference in differences {
                    note!("             {difference}");
                }
            }
            Ok(AlarmChange::Unchanged) => note!("unchanged  {}", alarm.name),
            Ok(AlarmChange::Refused { reason }) => note!("REFUSED    {}: {reason}", alarm.name),
            Err(reason) => note!("UNKNOWN    {}: {reason}", alarm.name),
        }
    }
    for left in &plan.left_out {
        let service = left.service.as_ref().map_or_else(String::new, |service| format!(" of {service}"));
        note!("left out   trigger {}{service}: {}", left.trigger, left.reason);
    }
    if plan.alarms.is_empty() && plan.left_out.is_empty() {
        note!("no alarms: no trigger watches an indicator of a source of `kind = \"cloudwatch\"`");
    }
}

/// The same for programs, with what came of it.
fn summary(plan: &AlarmsPlan, made: &[(&str, Result<(), String>)]) -> Value {
    let alarms = plan.alarms.iter().map(|(alarm, change)| {
        let mut entry = match change {
            Ok(change) => serde_json::to_value(change).unwrap_or_default(),
            Err(reason) => json!({ "change": "unknown", "reason": reason }),
        };
        entry["name"] = alarm.name.as_str().into();
        entry["source"] = alarm.source.as_str().into();
        entry["trigger"] = alarm.trigger.as_str().into();
        entry["service"] = alarm.service.as_str().into();
        entry["arm"] = alarm.arm.map_or(Value::Null, |arm| arm.word().into());
        if let Some((_, result)) = made.iter().find(|(name, _)| *name == alarm.name) {
            entry["made"] = result.is_ok().into();
            entry["error"] = result.as_ref().err().map_or(Value::Null, |reason| reason.as_str().into());
        }
        entry
    });
    json!({ "alarms": alarms.collect::<Vec<_>>(), "left_out": plan.left_out })
}

fn confirm(environment: &str, what: &str) -> anyhow::Result<bool> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        note!("there is no terminal to ask on: add --yes");
        return Ok(false);
    }
    write!(std::io::stderr(), "type the environment's name to {what}: ")?;
    std::io::stderr().flush()?;
    let mut line = String::new();
    stdin.lock().read_line(&mut line)?;
    let is_right = line.trim() == environment;
    if !is_right {
        note!("that is not `{environment}`: nothing was done");
    }
    Ok(is_right)
}
