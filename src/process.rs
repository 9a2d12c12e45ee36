//! Programs that adapters start: nothing of what they started is left behind.

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::Child;

/// Kills a program with all that it started, when dropped. The program has to lead a process group of its own.
pub(crate) struct Group(Option<Pid>);

impl Group {
    /// Of a program that was just started.
    pub(crate) fn of(child: &Child) -> Self {
        Self(child.id().and_then(|id| Pid::from_raw(id.cast_signed())))
    }

    /// All of it has ended.
    pub(crate) const fn disarm(&mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // Nobody left to kill is what is wanted.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}
