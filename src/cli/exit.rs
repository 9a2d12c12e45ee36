//! Exit codes: one enum, the same for every subcommand.

use std::process::ExitCode;

/// How a run of the program ended, for scripts and CI.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Exit {
    /// All is well.
    Fine = 0,
    /// Something went wrong that none of the others says.
    Error = 1,
    /// The command line or the config is wrong.
    Usage = 2,
    /// A service is unhealthy, or a gate rolled back.
    Unhealthy = 3,
    /// An action failed; a person is needed.
    Failed = 4,
    /// A guardrail refused.
    Refused = 5,
    /// Not enough evidence to say.
    Unknown = 6,
    /// Time ran out.
    TimedOut = 7,
    /// Another leader holds the lease.
    NotLeader = 8,
}

impl Exit {
    /// All of them, with the words that the documentation uses.
    pub const ALL: [(Self, &'static str); 9] = [
        (Self::Fine, "fine"),
        (Self::Error, "error"),
        (Self::Usage, "usage or config"),
        (Self::Unhealthy, "unhealthy, or rolled back by a gate"),
        (Self::Failed, "action failed, a person is needed"),
        (Self::Refused, "refused by a guardrail"),
        (Self::Unknown, "unknown, not enough evidence"),
        (Self::TimedOut, "timed out"),
        (Self::NotLeader, "another leader holds the lease"),
    ];
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Scripts depend on these numbers: they never change.
    #[test]
    fn the_codes_are_the_documented_ones() {
        for (code, (exit, _)) in Exit::ALL.into_iter().enumerate() {
            assert_eq!(exit as usize, code);
        }
    }
}
