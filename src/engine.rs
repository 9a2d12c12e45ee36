//! The engine: senses and commands go in, decisions and operations come out.
//!
//! [`runtime`] is the handle that the faces hold and the only part with I/O.
//!
//! [`core`] is pure: `(State, Input, now) -> (events, effects)`. [`state`] is the fold of the events, with the [`history`] of
//! the releases in it, which people read as [`deployments()`]. Beside it:
//! [`senses`] (the fold of the samples: windows, evaluations, verdicts), [`decide`] (what findings add up to),
//! [`guardrails`] and [`target`] (what may forbid acting, and where to), [`planner`] and [`executor`] (plans and their
//! steps), [`proposal`] (what an operation would be), [`series`] (indicators over time), [`commands`] (what people ask),
//! [`messages`] (what people are told), [`incidents`] and [`checklist`] (what people work on, and how far they are),
//! [`received`] (alarms that others send), how many [`instances`] run, [`joint`] (services that change together), [`account`], [`baseline`] and [`evidence`] (what all that is in words). [`alarms`] says which alarms of others the triggers
//! watch, and which ones could do their work. [`backtest`] plays the past back to the same core under other configs.

pub mod account;
pub mod alarms;
pub mod backtest;
pub mod baseline;
pub mod checklist;
pub mod commands;
pub mod core;
pub mod decide;
mod deliveries;
pub mod deployments;
pub mod escalation;
pub mod evidence;
pub mod executor;
pub mod guardrails;
pub mod history;
pub mod incidents;
pub mod input;
pub mod instances;
pub mod joint;
pub mod messages;
pub mod planner;
pub mod proposal;
pub mod received;
pub mod runtime;
pub mod senses;
pub mod series;
pub mod state;
pub mod target;
pub mod watching;

pub use core::{Core, Turn};
pub use deployments::{Deployment, Fate, deployments};
pub use input::{
    DeliveryEnd, Effect, Input, PlatformFacts, RunStep, RunValidation, Settings, StepFinished, StepResult,
};
pub use proposal::{Expected, Proposal};
pub use state::{ServiceState, State};
