//! Who stands behind a target now, and how they are reached.

use jiff::Timestamp;

use crate::config::Config;
use crate::model::escalation::{LevelMode, LevelSpec, TargetSpec};
use crate::model::incident::Incident;
use crate::model::{ChannelName, ContactName};

/// A way to somebody.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::engine) struct Reach {
    /// Who, as the record names them: `mira (schedule:payments, phone)`.
    pub(in crate::engine) who: String,
    /// The channel.
    pub(in crate::engine) channel: ChannelName,
    /// Whom the channel is to reach, where it wants an address.
    pub(in crate::engine) address: Option<String>,
    /// Whose phone it rings, if it rings one.
    pub(in crate::engine) phone_of: Option<ContactName>,
}

/// The targets of a level that are told in a pass.
pub(super) fn of_level(spec: &LevelSpec, pass: u8, generation: u32) -> Vec<&TargetSpec> {
    match spec.mode {
        LevelMode::All => spec.targets.iter().collect(),
        LevelMode::RoundRobin => {
            let turn = usize::from(pass.saturating_sub(1)) + generation.saturating_sub(1) as usize;
            spec.targets.get(turn % spec.targets.len().max(1)).into_iter().collect()
        }
    }
}

/// Every way to whoever a target stands for.
///
/// # Errors
/// Why nobody can be reached through it.
pub(super) fn reaches(
    config: &Config,
    incident: &Incident,
    target: &TargetSpec,
    now: Timestamp,
) -> Result<Vec<Reach>, String> {
    match target {
        TargetSpec::Contact(name) => of_contact(config, name, &target.to_string()),
        TargetSpec::Channel(name) if config.channels.contains_key(name) => {
            Ok(vec![Reach { who: target.to_string(), channel: name.clone(), address: None, phone_of: None }])
        }
        TargetSpec::Channel(name) => Err(format!("the config has no channel `{name}`")),
        TargetSpec::Other(text) => Err(format!("`{text}` is no target")),
        TargetSpec::Schedule(name) => {
            let Some(schedule) = config.schedules.get(name) else {
                return Err(format!("the config has no schedule `{name}`"));
            };
            let contact = schedule.on_call(now).ok_or("nobody is on call")?;
            of_contact(config, contact, &target.to_string())
        }
        TargetSpec::Role(role) => {
            let held = incident.roles.get(role).ok_or_else(|| format!("nobody is {role}"))?;
            of_contact(config, &held.name.as_str().into(), &target.to_string())
        }
    }
}

/// Every way to a contact.
pub(in crate::engine) fn of_contact(
    config: &Config,
    name: &ContactName,
    target: &str,
) -> Result<Vec<Reach>, String> {
    let contact = config.contacts.get(name).ok_or_else(|| format!("the config has no contact `{name}`"))?;
    let ways: Vec<Reach> = contact
        .ways()
        .filter(|(_, way)| config.channels.contains_key(&way.channel))
        .map(|(word, way)| Reach {
            who: if target == format!("contact:{name}") {
                format!("{name} ({word})")
            } else {
                format!("{name} ({target}, {word})")
            },
            channel: way.channel.clone(),
            address: way.address.clone(),
            phone_of: (word == "phone").then(|| name.clone()),
        })
        .collect();
    if ways.is_empty() { Err(format!("`{name}` has no way to be reached")) } else { Ok(ways) }
}
