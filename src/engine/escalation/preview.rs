//! Who would be told if somebody escalated now: named before anything is sent, by what would then be done.

use jiff::Timestamp;

use super::targets::{self, reaches};
use super::{Standing, following};
use crate::config::Config;
use crate::engine::state::State;
use crate::model::PolicyName;
use crate::model::escalation::{PolicySpec, TargetSpec};
use crate::model::incident::Incident;

/// Who would be told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Preview {
    /// By which policy.
    pub policy: PolicyName,
    /// The level, from 1; none: all levels were told, and it is the last resort.
    pub level: Option<usize>,
    /// Who, through which channel: `mira (schedule:payments, phone) through pager`.
    pub told: Vec<String>,
    /// Targets that reach nobody, each with why.
    pub unreachable: Vec<String>,
}

/// Who would be told if an incident were escalated now: to a level, or to the one that follows.
///
/// # Errors
/// Where there is no policy or no such level.
pub fn preview(
    state: &State,
    config: &Config,
    incident: &Incident,
    level: Option<usize>,
    now: Timestamp,
) -> Result<Preview, String> {
    let running = state.escalations.get(&incident.id);
    let running = running.filter(|escalation| !matches!(escalation.standing, Standing::Stopped { .. }));
    let (policy, spec) = match running {
        Some(escalation) => (&escalation.policy, &escalation.levels),
        None => {
            let policy = config.escalation.policy_for(incident.level);
            let policy = policy.ok_or_else(|| format!("no policy is for {}", incident.level))?;
            let spec = config.policy.get(policy).ok_or_else(|| format!("no policy `{policy}`"))?;
            (policy, spec)
        }
    };
    let is_for =
        |place: &usize| spec.level[*place].severity.is_none_or(|worst| incident.level.number() <= worst);
    let turn = match (level, running) {
        (Some(level), _) if level == 0 || level > spec.level.len() => {
            return Err(format!("there is no level {level}; there are {}", spec.level.len()));
        }
        (Some(level), running) => Some((level, running.map_or(1, |escalation| escalation.pass.max(1)))),
        (None, Some(escalation)) => following(escalation, incident, (escalation.level, escalation.pass)),
        (None, None) => (0..spec.level.len()).find(is_for).map(|place| (place + 1, 1)),
    };
    let generation = running.map_or(1, |escalation| escalation.generation);
    Ok(told(config, incident, policy, spec, turn, generation, now))
}

fn told(
    config: &Config,
    incident: &Incident,
    policy: &PolicyName,
    spec: &PolicySpec,
    turn: Option<(usize, u8)>,
    generation: u32,
    now: Timestamp,
) -> Preview {
    let mut preview = Preview {
        policy: policy.clone(),
        level: turn.map(|(level, _)| level),
        told: Vec::new(),
        unreachable: Vec::new(),
    };
    let mut add = |target: &TargetSpec| match reaches(config, incident, target, now) {
        Ok(found) => {
            preview.told.extend(found.iter().map(|reach| format!("{} through {}", reach.who, reach.channel)));
        }
        Err(why) => preview.unreachable.push(format!("{target}: {why}")),
    };
    if let Some((level, pass)) = turn {
        targets::of_level(&spec.level[level - 1], pass, generation).into_iter().for_each(&mut add);
    }
    if preview.told.is_empty() {
        // A level that reaches nobody falls to the last resort, and so does what comes after the last level.
        match reaches(config, incident, &spec.last_resort, now) {
            Ok(found) => {
                preview
                    .told
                    .extend(found.iter().map(|reach| format!("{} through {}", reach.who, reach.channel)));
            }
            Err(why) => preview.unreachable.push(format!("{}: {why}", spec.last_resort)),
        }
    }
    preview
}
