//! The small commands: freeze, thaw, automatic, reset, mark, pause, resume, cancel, settle. Each goes the same way as a rollback: into the
//! inbox, to whoever leads.

use std::time::Duration;

use jiff::Timestamp;

use super::output::{entry_json, note, out};
use super::session;
use super::{Exit, Global};
use crate::config::Loaded;
use crate::engine::runtime::{Engine, Lead, Leadership};
use crate::model::Span;
use crate::model::command::{Actor, Command, Settlement};
use crate::model::event::Event;
use crate::model::release::Quality;

/// What is asked, as typed.
#[derive(clap::Subcommand, Clone, Debug)]
pub enum Act {
    /// Forbid rollbacks (automatic ones and those of people) and promotions, until lifted or for a time.
    Freeze {
        /// Only this service. Without it: all of them.
        service: Option<String>,
        /// For how long, like `30m` or `2h`. Without it: until `unship thaw`.
        #[arg(long = "for", value_name = "DURATION")]
        lasts: Option<Span>,
        /// Why, for the others and for the record.
        #[arg(long)]
        reason: String,
    },
    /// Lift a freeze.
    Thaw {
        /// The freeze on this service. Without it: the one on all of them.
        service: Option<String>,
        /// Why, for the others and for the record.
        #[arg(long)]
        reason: String,
    },
    /// Let the guard act by itself, or only watch and tell.
    Automatic {
        /// Whether it rolls back by itself, or watches and tells while only people roll back.
        #[arg(value_enum)]
        switch: OnOff,
        /// Why, for the others and for the record.
        #[arg(long)]
        reason: String,
    },
    /// Set a service's count of rollbacks back to zero: a person has looked.
    Reset {
        /// The service.
        service: String,
        /// Why, for the others and for the record.
        #[arg(long)]
        reason: String,
    },
    /// Record that a release is good or bad, so that it is returned to or never again.
    Mark {
        /// The service.
        service: String,
        /// The version.
        version: String,
        /// What it is worth.
        #[arg(value_enum)]
        quality: Worth,
        /// Why, for the others and for the record.
        #[arg(long)]
        reason: String,
    },
    /// Hold an operation before its next step, until it is resumed.
    Pause {
        /// The operation, like `op-2`.
        operation: String,
        /// Why, for the others and for the record.
        #[arg(long)]
        reason: String,
    },
    /// Let a paused operation go on.
    Resume {
        /// The operation, like `op-2`.
        operation: String,
        /// Why, for the others and for the record.
        #[arg(long)]
        reason: String,
    },
    /// Stop an operation before its next step. What has happened stays so, except that a deployment goes back.
    Cancel {
        /// The operation, like `op-2`.
        operation: String,
        /// Why, for the others and for the record.
        #[arg(long)]
        reason: String,
    },
    /// Say go to a deployment that waits for it before it moves any traffic.
    Confirm {
        /// The operation, like `op-2`.
        operation: String,
        /// Why, for the others and for the record.
        #[arg(long)]
        reason: String,
    },
    /// Answer an operation that needs a decision: has its step happened or not?
    Settle {
        /// The operation, like `op-2`.
        operation: String,
        /// What you found on the platform.
        #[arg(value_enum)]
        choice: Choice,
        /// Why, for the others and for the record.
        #[arg(long)]
        reason: String,
    },
}

/// On or off.
#[derive(clap::ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum OnOff {
    /// On.
    On,
    /// Off.
    Off,
}

/// What a release is worth.
#[derive(clap::ValueEnum, Clone, Copy, Debug)]
pub enum Worth {
    /// It can be returned to.
    Good,
    /// It must not be returned to.
    Bad,
    /// Forget what was recorded.
    Unknown,
}

/// What happened.
#[derive(clap::ValueEnum, Clone, Copy, Debug)]
pub enum Choice {
    /// The step has happened: go on after it.
    Done,
    /// The step has not happened: do it.
    Retry,
    /// Stop here and change nothing more.
    Abort,
}

impl Act {
    fn service(&self) -> Option<&str> {
        match self {
            Self::Freeze { service, .. } | Self::Thaw { service, .. } => service.as_deref(),
            Self::Reset { service, .. } | Self::Mark { service, .. } => Some(service),
            Self::Automatic { .. }
            | Self::Pause { .. }
            | Self::Resume { .. }
            | Self::Cancel { .. }
            | Self::Confirm { .. }
            | Self::Settle { .. } => None,
        }
    }

    fn command(&self) -> anyhow::Result<Command> {
        Ok(match self.clone() {
            Self::Freeze { service, lasts, reason } => {
                let until = lasts.map(|lasts| Timestamp::now().checked_add(*lasts)).transpose()?;
                Command::Freeze { service: service.map(Into::into), until, reason }
            }
            Self::Thaw { service, reason } => Command::Thaw { service: service.map(Into::into), reason },
            Self::Automatic { switch, reason } => Command::Automatic { on: switch == OnOff::On, reason },
            Self::Reset { service, reason } => Command::Reset { service: service.into(), reason },
            Self::Mark { service, version, quality, reason } => {
                let quality = match quality {
                    Worth::Good => Quality::Good,
                    Worth::Bad => Quality::Bad,
                    Worth::Unknown => Quality::Unknown,
                };
                Command::Mark { service: service.into(), version: version.into(), quality, reason }
            }
            Self::Pause { operation, reason } => Command::Pause { operation: operation.into(), reason },
            Self::Resume { operation, reason } => Command::Resume { operation: operation.into(), reason },
            Self::Cancel { operation, reason } => Command::Cancel { operation: operation.into(), reason },
            Self::Confirm { operation, reason } => Command::Confirm { operation: operation.into(), reason },
            Self::Settle { operation, choice, reason } => {
                let choice = match choice {
                    Choice::Done => Settlement::Done,
                    Choice::Retry => Settlement::Retry,
                    Choice::Abort => Settlement::Abort,
                };
                Command::Settle { operation: operation.into(), choice, reason }
            }
        })
    }
}

/// Sends it and waits for the answer.
pub async fn run(act: &Act, global: &Global) -> anyhow::Result<Exit> {
    let by = session::actor(global)?;
    let loaded = session::load(global)?;
    if let Some(service) = act.service()
        && !session::has_service(&loaded, service)
    {
        return Ok(Exit::Usage);
    }
    let engine = session::start(&loaded, "command", Lead::Auto).await?;
    deliver(engine, &loaded, by, act.command()?, global).await
}

/// Sends a command to whoever leads, waits for the answer, says it, and stops the engine.
pub(super) async fn deliver(
    engine: Engine,
    loaded: &Loaded,
    by: Actor,
    command: Command,
    global: &Global,
) -> anyhow::Result<Exit> {
    let after = engine.view().borrow().position;
    let leadership = session::leader(&engine, *loaded.config.store.lease).await?;
    let command = engine.send(by, command).await?;
    let answer = engine.answer(&command, after, Duration::from_secs(15)).await;
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => {
            note!("{error}");
            engine.shutdown().await;
            return Ok(Exit::TimedOut);
        }
    };
    engine.shutdown().await;
    if global.json {
        out!("{}", entry_json(&answer));
    }
    Ok(match &answer.event {
        Event::CommandRefused { reason, .. } => {
            note!("refused: {reason}");
            Exit::Refused
        }
        _ => {
            let ours = matches!(leadership, Leadership::Ours(_));
            let note = if ours { "; nobody leads, it holds for whoever does next" } else { "" };
            note!("taken up{note}");
            Exit::Fine
        }
    })
}
