//! This process as a job of a shell: stopped with Ctrl-Z, continued with `fg`.

use std::io;

use rustix::process::{Signal, kill_current_process_group};

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
    // Where the system does not tell, it will know what to do with a stop.
    let Ok(own) = Standing::of("self") else { return true };
    let mut ancestor = own.parent;
    for _ in 0..FARTHEST {
        // Nobody, or somebody outside of this container.
        if ancestor == 0 {
            return false;
        }
        let Ok(standing) = Standing::of(&ancestor.to_string()) else { return true };
        if standing.session != own.session {
            return false;
        }
        if standing.group != own.group {
            return true;
        }
        // A script of the same job: whoever started it is the one.
        ancestor = standing.parent;
    }
    true
}

/// Where a process belongs. Each number is 0 if the system does not show that process here, which happens in containers.
#[derive(Debug, PartialEq, Eq)]
struct Standing {
    parent: u32,
    group: u32,
    session: u32,
}

impl Standing {
    /// By `/proc/<pid>/stat`, see proc_pid_stat(5). Not by `getsid`, which takes a 0 for impossible.
    fn of(pid: &str) -> io::Result<Self> {
        let text = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
        Self::parse(&text).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    /// The name is in parentheses and may hold anything, also parentheses; what is asked for comes behind the state.
    fn parse(stat: &str) -> Option<Self> {
        let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(1).map(str::parse);
        let mut next = || fields.next()?.ok();
        Some(Self { parent: next()?, group: next()?, session: next()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A program's name may look like the fields around it.
    #[test]
    fn the_fields_are_found_behind_any_name() {
        let of = |parent, group, session| Some(Standing { parent, group, session });
        assert_eq!(Standing::parse("17 (sh) S 4 17 16 34816 17"), of(4, 17, 16));
        assert_eq!(Standing::parse("17 (a) S 9 (b) ) R 4 17 16"), of(4, 17, 16));
        assert_eq!(Standing::parse("17 (sh) S 0 0 0 34816 17"), of(0, 0, 0), "in a container");
        assert_eq!(Standing::parse("17 (sh"), None);
        assert_eq!(Standing::parse("17 (sh) S 4 17"), None);
    }
}
