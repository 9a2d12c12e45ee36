//! Everything that a person can do in the console, as one table. The footer, the help, the palette, the config's check and
//! the documentation are drawn from it, so they cannot disagree.

mod table;

use super::scene::Scene;
use super::ui::Pane;

pub use table::COMMANDS;

/// One thing that a person can do.
#[derive(Clone, Copy)]
pub struct Command {
    /// Its name in the palette and in the config.
    pub id: &'static str,
    /// What it does, in the fewest words: the footer's.
    pub title: &'static str,
    /// What it does, in a sentence: the help's.
    pub doc: &'static str,
    /// Its keys unless the config says otherwise, as [`super::key::Sequence::parse`] reads them.
    pub keys: &'static [&'static str],
    /// What it takes in the palette.
    pub args: &'static [Arg],
    /// Where it belongs in the help.
    pub group: Group,
    /// How much harm it can do.
    pub danger: Danger,
    /// What it is to [`super::update`].
    pub action: Action,
    /// Whether it can be done now, and if not, why not.
    pub available: fn(&Scene<'_>) -> Result<(), Reason>,
    /// How much it belongs in the footer now; 0: not at all.
    pub hint: fn(&Scene<'_>) -> u8,
}

impl std::fmt::Debug for Command {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.id)
    }
}

/// Why something cannot be done now, ready to be read.
pub type Reason = String;

/// What a command takes in the palette.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Arg {
    /// A service; the selected one if it is left out.
    Service,
    /// A version of that service; the engine chooses if it is left out.
    Version,
    /// A way to bring a release in.
    Strategy,
    /// A theme.
    Theme,
    /// A severity, 1 to 4.
    Level,
    /// What somebody is in an incident.
    Role,
    /// A runbook.
    Runbook,
    /// Another incident that is open.
    Incident,
    /// An operation.
    Operation,
    /// How many instances of that service are to run.
    Instances,
    /// The rest of the line.
    Text,
}

impl Arg {
    /// Its name in the help.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Service => "SERVICE",
            Self::Version => "VERSION",
            Self::Strategy => "STRATEGY",
            Self::Theme => "THEME",
            Self::Level => "1-4",
            Self::Role => "ROLE",
            Self::Runbook => "RUNBOOK",
            Self::Incident => "INCIDENT",
            Self::Operation => "OPERATION",
            Self::Instances => "NUMBER",
            Self::Text => "TEXT",
        }
    }
}

/// The parts of the help.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Group {
    /// Taking back and steering.
    Act,
    /// The incident and its checklist.
    Incident,
    /// Looking closer.
    Look,
    /// Moving about.
    Move,
    /// The program itself.
    Console,
}

impl Group {
    /// All, in the help's order.
    pub const ALL: [Self; 5] = [Self::Act, Self::Incident, Self::Look, Self::Move, Self::Console];

    /// Its heading.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Act => "Act",
            Self::Incident => "Incident and checklist",
            Self::Look => "Look closer",
            Self::Move => "Move",
            Self::Console => "Console",
        }
    }
}

/// How much harm something can do, and what it asks for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Danger {
    /// Can be undone, or changes nothing: no question.
    None,
    /// Changes what happens to a service: `y`.
    Service,
    /// Changes what users get: the service's name, typed.
    Production,
}

/// Where a selection moves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "they are what they are called")]
pub enum Motion {
    Up,
    Down,
    HalfUp,
    HalfDown,
    Top,
    Bottom,
}

/// What a command is to the part that carries it out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "the table says what each does")]
pub enum Action {
    Move(Motion),
    Left,
    Right,
    NextPane,
    PreviousPane,
    Focus(Pane),
    Open,
    Back,
    Filter,
    NextMatch,
    PreviousMatch,
    Help,
    Palette,
    Quit,
    ForceQuit,
    RollBack,
    Promote,
    Deploy,
    Confirm,
    Pause,
    Resume,
    Cancel,
    Settle,
    Maintenance,
    /// Another number of instances.
    Scale,
    FreezeRollbacks,
    ThawRollbacks,
    Automatic,
    Reset,
    MarkGood,
    MarkBad,
    OpenIncident,
    Acknowledge,
    Tick,
    NotApplicable,
    Override,
    Defer,
    Reopen,
    /// Begin what takes back what the selected line did.
    TakeBack,
    NoteBeside,
    Claim,
    LetGo,
    Seen,
    Attach,
    Severity,
    Note,
    Message,
    Resolve,
    Escalate,
    Snooze,
    StopEscalation,
    Declare,
    FalseAlarm,
    Merge,
    ReopenIncident,
    Close,
    TakeRole,
    OfferRole,
    GiveRole,
    AddService,
    LinkOperation,
    Onset,
    Rebase,
    Incident,
    Why,
    Detail,
    Operation,
    Timeline,
    Sources,
    Delivery,
    Log,
    History,
    WindowShorter,
    WindowLonger,
    Zoom,
    Freeze,
    Refresh,
    CopyId,
    CopyCommand,
    Theme,
    Glyphs,
    Mouse,
    Repaint,
    Suspend,
}

/// The command with this id.
pub fn find(id: &str) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.id == id)
}

/// The command with this action.
pub fn of(action: Action) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.action == action)
}
