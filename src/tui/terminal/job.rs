//! This process as a job of a shell: stopped with Ctrl-Z, continued with `fg`.

use std::io;

use rustix::process::{Pid, Signal, getpgid, getpgrp, getppid, getsid, kill_current_process_group};

/// How far up the parents are followed.
const FARTHEST: usize = 32;

/// Stops this process and the others of its job: a shell waits for the script or the pipeline that it is a part of. It may
/// take effect after this returns.
///
/// Not by SIGTSTP, which is caught; and not by SIGSTOP, which would also stop a process that nobody can continue.
pub(super) fn stop() -> io::Result<()> {
    Ok(kill_current_process_group(Signal::TTOU)?)
}

/// Whether somebody in this session can continue the process. Alone in a terminal, a container or an SSH session it
/// leads the session itself, and the system ignores a request to stop.
pub(super) fn can_be_continued() -> bool {
    let Ok(session) = getsid(None) else { return true };
    let group = getpgrp();
    let mut ancestor = getppid();
    for _ in 0..FARTHEST {
        let Some(pid) = ancestor else { return false };
        // A process that cannot be asked is not in this session.
        if getsid(Some(pid)) != Ok(session) {
            return false;
        }
        if getpgid(Some(pid)) != Ok(group) {
            return true;
        }
        // A script of the same job: whoever started it is the one.
        match parent(pid) {
            Ok(parent) => ancestor = parent,
            // Not to be found out here; the system will know.
            Err(_) => return true,
        }
    }
    true
}

/// The parent of a process, by `/proc/<pid>/stat`; none if it has none.
fn parent(pid: Pid) -> io::Result<Option<Pid>> {
    let text = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()))?;
    parent_in(&text).ok_or_else(|| io::ErrorKind::InvalidData.into()).map(Pid::from_raw)
}

/// The second field after the name, which is in parentheses and may hold anything, also parentheses.
fn parent_in(stat: &str) -> Option<i32> {
    stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A program's name may look like the fields around it.
    #[test]
    fn the_parent_is_found_behind_any_name() {
        assert_eq!(parent_in("17 (sh) S 4 17 17 34816 17"), Some(4));
        assert_eq!(parent_in("17 (a) S 9 (b) ) R 4 17 17"), Some(4));
        assert_eq!(parent_in("17 (sh"), None);
        assert_eq!(parent_in("17 (sh) S"), None);
    }
}
