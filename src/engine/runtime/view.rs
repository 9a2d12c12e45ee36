//! What the faces look at: one value, replaced whole.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;

use crate::journal::{Lease, Position};
use crate::model::ServiceName;
use crate::model::breaker::Dependency;
use crate::model::delivery::Delivery;
use crate::model::reading::ServiceReading;

use super::super::state::State;
use super::output::Output;

/// Who leads, as this process sees it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Leadership {
    /// This process, with this token.
    Ours(Lease),
    /// Another process.
    Theirs(Lease),
    /// Nobody: the lease was never taken, was given back, or has run out.
    Nobody,
}

/// When something was asked, and how long the answer took.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Asked {
    /// When it was asked.
    pub at: Timestamp,
    /// How long the answer took.
    pub took: Duration,
}

/// What is known now.
#[derive(Clone, Debug)]
pub struct View {
    /// The fold of the journal.
    pub state: Arc<State>,
    /// The last entry that is in it.
    pub position: Position,
    /// What is sensed, service by service, and when that was.
    pub readings: BTreeMap<ServiceName, (Timestamp, Arc<ServiceReading>)>,
    /// What platforms say while steps of the newest operations are carried out, oldest first; the newest lines of each.
    pub output: Output,
    /// Messages that were tried and have not ended, if this process leads; it alone knows.
    pub deliveries: Vec<Delivery>,
    /// When sources and platforms were asked last, where this process does that.
    pub asked: BTreeMap<Dependency, Asked>,
    /// Who leads.
    pub leadership: Leadership,
    /// The journal cannot be used, and why.
    pub trouble: Option<String>,
}

impl View {
    pub(super) fn of((state, position): (Arc<State>, Position), lease: Option<Lease>) -> Self {
        let leadership = Leadership::seen(lease);
        Self {
            state,
            position,
            readings: BTreeMap::new(),
            output: Output::new(),
            deliveries: Vec::new(),
            asked: BTreeMap::new(),
            leadership,
            trouble: None,
        }
    }

    pub(super) fn set_trouble(view: &watch::Sender<Arc<Self>>, trouble: String) {
        view.send_modify(|view| Arc::make_mut(view).trouble = Some(trouble));
    }
}

impl Leadership {
    /// The lease as another process's, if it still runs.
    pub(super) fn seen(lease: Option<Lease>) -> Self {
        match lease {
            Some(lease) if lease.until > Timestamp::now() => Self::Theirs(lease),
            _ => Self::Nobody,
        }
    }

    /// The one who leads, by name.
    pub fn holder(&self) -> Option<&str> {
        match self {
            Self::Ours(lease) | Self::Theirs(lease) => Some(&lease.holder),
            Self::Nobody => None,
        }
    }
}
