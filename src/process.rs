//! Programs that adapters start: nothing of what they started is left behind.

use std::io;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, Command};

/// Starts a program in a process group of its own, with nothing to read and both of its outputs to listen to. It and all that
/// it started end with the [`Group`], which has to be dropped before the child: the group is killed while its leader's number is
/// still taken.
pub(crate) fn start(command: &mut Command) -> io::Result<(Child, Group)> {
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()?;
    let group = Group::of(&child);
    Ok((child, group))
}

/// Kills a program with all that it started, when dropped. The program has to lead a process group of its own.
pub(crate) struct Group(Option<Pid>);

impl Group {
    /// Of a program that was just started.
    fn of(child: &Child) -> Self {
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
