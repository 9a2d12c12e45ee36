//! The small commands: freeze, thaw, automatic, reset, mark, cancel, settle. Each goes the same way as a rollback: into the
//! inbox, to whoever leads.

use std::time::Duration;

use jiff::Timestamp;

use super::output::entry_json;
use super::session;
use super::{Exit, Global};
use crate::engine::runtime::{Lead, Leadership};
use crate::model::Span;
use crate::model::command::{Command, Settlement};
use crate::model::event::Event;
use crate::model::release::Quality;

/// What is asked, as typed.
#[derive(clap::Subcommand, Clone, Debug)]
pub enum Act {
    /// Forbid rollbacks for a time.
    Freeze {
        /// Only this service.
        service: Option<String>,
        /// For how long; without it until lifted.
        #[arg(long = "for", value_name = "SPAN")]
        lasts: Option<Span>,
        /// Why.
        #[arg(long)]
        reason: String,
    },
    /// Lift a freeze.
    Thaw {
        /// Only this service's.
        service: Option<String>,
        /// Why.
        #[arg(long)]
        reason: String,
    },
    /// Turn automatic action on or off.
    Automatic {
        /// On or off.
        #[arg(value_enum)]
        switch: OnOff,
        /// Why.
        #[arg(long)]
        reason: String,
    },
    /// Set a service's count of rollbacks back to zero: a person has looked.
    Reset {
        /// The service.
        service: String,
        /// Why.
        #[arg(long)]
        reason: String,
    },
    /// Say what a release is worth.
    Mark {
        /// The service.
        service: String,
        /// The version.
        version: String,
        /// What it is worth.
        #[arg(value_enum)]
        quality: Worth,
        /// Why.
        #[arg(long)]
        reason: String,
    },
    /// Stop an operation at its next step.
    Cancel {
        /// The operation.
        operation: String,
        /// Why.
        #[arg(long)]
        reason: String,
    },
    /// Say what happened to a step where nobody can know.
    Settle {
        /// The operation.
        operation: String,
        /// What to do.
        #[arg(value_enum)]
        choice: Choice,
        /// Why.
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
    /// It happened: go on.
    Done,
    /// It did not happen: do it.
    Retry,
    /// Stop here.
    Abort,
}

impl Act {
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
            Self::Cancel { operation, reason } => Command::Cancel { operation: operation.into(), reason },
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
    let engine = session::start(&loaded, "command", Lead::Auto).await?;
    let after = engine.view().borrow().position;
    let leadership = session::leader(&engine, *loaded.config.store.lease).await?;
    if matches!(leadership, Leadership::Ours(_)) {
        eprintln!("nobody leads: it is journaled from here, and holds for the next leader");
    }
    let command = engine.send(by, act.command()?).await?;
    let answer = engine.answer(&command, after, Duration::from_secs(15)).await;
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) => {
            eprintln!("{error}");
            return Ok(Exit::TimedOut);
        }
    };
    engine.shutdown().await;
    if global.json {
        println!("{}", entry_json(&answer));
    }
    Ok(match &answer.event {
        Event::CommandRefused { reason, .. } => {
            eprintln!("refused: {reason}");
            Exit::Refused
        }
        _ => {
            eprintln!("taken up");
            Exit::Fine
        }
    })
}
