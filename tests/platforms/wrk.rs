//! wrk as one more user, with counts that are not ours: <https://github.com/wg/wrk>.
//!
//! Each request comes on a connection of its own. A reload makes nginx close kept connections that are idle, at once; who sends in
//! that moment has to repeat, as browsers do (RFC 9112, 9.3.1) and wrk does not.

use std::fs::File;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::{has, skip};

/// A breath between two requests, so that it does not take the machine for itself.
const SCRIPT: &str = "function delay() return 4 end\n";

/// A run that goes on until it is asked for its figures.
pub(super) struct Wrk {
    child: Child,
    dir: TempDir,
}

/// What it says at the end.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Figures {
    pub(super) requests: u32,
    /// Connections that were refused, cut, or timed out.
    pub(super) lost: u32,
    /// Answers other than 2xx and 3xx.
    pub(super) refused: u32,
}

impl Drop for Wrk {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Wrk {
    /// None where there is no wrk, which is said.
    pub(super) fn start(url: &str) -> Option<Self> {
        if skip("wrk", has("wrk"), "apt-get install wrk") {
            return None;
        }
        let dir = TempDir::new().unwrap();
        let script = dir.path().join("breath.lua");
        std::fs::write(&script, SCRIPT).unwrap();
        let said = File::create(dir.path().join("said")).unwrap();
        let mut command = Command::new("wrk");
        command.args("--threads 1 --connections 4 --duration 10m --timeout 5s".split(' '));
        command.args(["--header", "Connection: close", "--script"]);
        let child = command.arg(script).arg(url).stdin(Stdio::null()).stdout(said).stderr(Stdio::null());
        Some(Self { child: child.spawn().unwrap(), dir })
    }

    /// Ends it, and takes its figures.
    pub(super) fn end(mut self) -> Figures {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::INT).unwrap();
        self.child.wait().unwrap();
        let text = std::fs::read_to_string(self.dir.path().join("said")).unwrap();
        Figures::read(&text)
    }
}

impl Figures {
    fn read(text: &str) -> Self {
        let line = |begins: &str| text.lines().map(str::trim).find_map(|line| line.strip_prefix(begins));
        let number = |text: &str| text.trim().parse::<u32>().unwrap();
        let requests = text.lines().find_map(|line| line.trim().split_once(" requests in"));
        let errors = line("Socket errors:").unwrap_or_default();
        let lost = errors.split(',').filter_map(|one| one.trim().rsplit_once(' '));
        Self {
            requests: number(requests.unwrap_or_else(|| panic!("wrk said: {text}")).0),
            lost: lost.map(|(_, count)| number(count)).sum(),
            refused: line("Non-2xx or 3xx responses:").map_or(0, number),
        }
    }
}

/// As wrk writes them.
#[test]
fn what_it_says_is_read() {
    let said = "Running 10m test @ http://127.0.0.1/\n  1 threads and 4 connections\n  Thread Stats   Avg\n  1834 requests in 3.10s, 270KB read\n  \
                Socket errors: connect 1, read 2, write 0, timeout 3\n  Non-2xx or 3xx responses: 12\nRequests/sec: 591.2\n";
    assert_eq!(Figures::read(said), Figures { requests: 1834, lost: 6, refused: 12 });
    let clean = "  90 requests in 1.00s, 2KB read\nRequests/sec: 90\n";
    assert_eq!(Figures::read(clean), Figures { requests: 90, lost: 0, refused: 0 });
}
