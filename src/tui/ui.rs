//! What the console itself remembers: where the person is looking. Everything else is the engine's.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::dialogs::Overlay;
use super::key::Key;
use super::roster::Filter;
use crate::engine::runtime::View;
use crate::model::{IncidentId, OperationId, ReleaseRef, ServiceName};

/// The four panes of the board.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Pane {
    /// Every service.
    #[default]
    Health,
    /// Canary against stable, of the selected service.
    Comparison,
    /// The releases of the selected service.
    Deployments,
    /// What to do.
    Checklist,
}

impl Pane {
    /// All, in the order of their numbers.
    pub const ALL: [Self; 4] = [Self::Health, Self::Comparison, Self::Deployments, Self::Checklist];

    /// Its number, from 1.
    pub const fn number(self) -> usize {
        self as usize + 1
    }

    /// Its name on screen.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Health => "Health",
            Self::Comparison => "Canary vs stable",
            Self::Deployments => "Deployments",
            Self::Checklist => "Checklist",
        }
    }

    /// The next one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self::ALL[(self as usize + 1) % Self::ALL.len()]
    }

    /// The one before.
    #[must_use]
    pub const fn previous(self) -> Self {
        Self::ALL[(self as usize + Self::ALL.len() - 1) % Self::ALL.len()]
    }
}

/// A view of one thing, in place of the board.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Page {
    /// Everything about the selected service.
    Service(ServiceName),
    /// Its last decision.
    Why(ServiceName),
    /// An operation: steps and output.
    Operation(OperationId),
    /// What happened.
    Timeline,
    /// An incident: people, escalation, checklists.
    Incident(IncidentId),
    /// Where the figures come from.
    Sources,
    /// How well deployments and incidents went, over a quarter.
    Delivery,
    /// A service's releases, in full.
    History(ServiceName),
    /// What a service writes.
    Log(ServiceName),
}

/// A list's selection: by what it is, never by its row, and where on the screen it is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Selected<T> {
    /// What; none until the person has chosen.
    pub what: Option<T>,
    /// Rows between the top of the list and the selection.
    pub row: usize,
}

impl<T> Default for Selected<T> {
    fn default() -> Self {
        Self { what: None, row: 0 }
    }
}

impl<T> Selected<T> {
    /// The first line that is seen, when the selection is the line `index` of `total` and `height` lines are seen. The
    /// selection stays where it is on the screen, whatever goes on around it.
    pub fn top(&self, index: usize, total: usize, height: usize) -> usize {
        let row = self.row.min(height.saturating_sub(1));
        index.saturating_sub(row).min(total.saturating_sub(height))
    }
}

/// How much time a chart shows.
pub const WINDOWS: [Duration; 6] = [
    Duration::from_secs(60),
    Duration::from_secs(2 * 60),
    Duration::from_secs(5 * 60),
    Duration::from_secs(15 * 60),
    Duration::from_secs(60 * 60),
    Duration::from_secs(6 * 60 * 60),
];

/// A message to the person, over the footer for a time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Toast {
    /// What.
    pub text: String,
    /// How it is meant.
    pub kind: ToastKind,
    /// Since when.
    pub at: Timestamp,
}

/// How a message is meant.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum ToastKind {
    /// For the person's information; goes by itself.
    Said,
    /// Something was done; goes by itself.
    Done,
    /// Something was refused or failed; stays until Esc.
    Refused,
}

/// An operation that was asked for here and has not begun, as far as is known.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Awaited {
    /// What was asked, as the answer has it.
    pub asked: String,
    /// The service.
    pub service: ServiceName,
    /// The operation that was open when it was asked, which is not the one.
    pub before: Option<OperationId>,
    /// The page that was open: whoever left it went elsewhere.
    pub from: Option<Page>,
    /// It was accepted.
    pub accepted: bool,
}

/// A picture that is held.
#[derive(Clone, Debug)]
pub struct Frozen {
    /// Since when.
    pub since: Timestamp,
    /// The picture.
    pub view: Arc<View>,
}

/// Where the person is looking.
#[derive(Debug, Default)]
pub struct Ui {
    /// The pane that keys speak to.
    pub focus: Pane,
    /// The service that the person chose. Until then the worst one is looked at.
    pub service: Selected<ServiceName>,
    /// The release that is selected.
    pub release: Selected<ReleaseRef>,
    /// The line of the checklist that is selected.
    pub item: Selected<String>,
    /// Pages that were opened, the newest last.
    pub pages: Vec<(Page, Scroll)>,
    /// What is over everything else.
    pub overlay: Overlay,
    /// Which services are shown.
    pub filter: Filter,
    /// The focused pane has the whole screen.
    pub zoom: bool,
    /// Which of [`WINDOWS`].
    pub window: usize,
    /// The picture that is held, if it is.
    pub frozen: Option<Frozen>,
    /// Keys that begin a command.
    pub pending: Vec<Key>,
    /// A message.
    pub toast: Option<Toast>,
    /// The size of the screen, in columns and rows.
    pub size: (u16, u16),
    /// The mouse is taken.
    pub mouse: bool,
    /// What the demo's guide knows of the person; none without a guide.
    pub guide: Option<super::guide::Guide>,
    /// The line of the checklist whose command was copied last, and which of its commands: the next time it is the next one.
    pub copied: Option<(String, usize)>,
    /// What was last asked of the engine, as a command line.
    pub last_action: Option<String>,
    /// A message that was begun and not sent.
    pub draft: Option<Box<super::dialogs::Compose>>,
    /// An operation that was asked for here.
    pub awaited: Option<Awaited>,
    /// Lines that were run in the palette, oldest first.
    pub palette_history: Vec<String>,
}

/// Where a page is scrolled to.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Scroll {
    /// Lines above the screen.
    pub top: usize,
    /// It stays at the end as lines come.
    pub follows: bool,
}

/// From this size on the four panes are side by side.
pub const WIDE: (u16, u16) = (100, 28);

impl Ui {
    /// A console that was just opened.
    pub fn new(size: (u16, u16)) -> Self {
        Self { size, window: 1, ..Self::default() }
    }

    /// The page that is open.
    pub fn page(&self) -> Option<&Page> {
        self.pages.last().map(|(page, _)| page)
    }

    /// How much time a chart shows.
    pub fn window(&self) -> Duration {
        WINDOWS[self.window.min(WINDOWS.len() - 1)]
    }

    /// Whether the four panes are side by side.
    pub const fn is_wide(&self) -> bool {
        self.size.0 >= WIDE.0 && self.size.1 >= WIDE.1
    }
}
