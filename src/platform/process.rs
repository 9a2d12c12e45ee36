//! Running one program: in a process group of its own, with bounded output, a time limit, and nothing left behind.

use std::collections::VecDeque;
use std::io;
use std::pin::pin;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use futures::future::{FusedFuture, FutureExt};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Child;
use tokio::time::timeout;

/// Time between asking a group to end and killing it.
const GRACE: Duration = Duration::from_secs(2);
/// How long output is still read after the program has ended: a process that it left behind may hold the pipe for ever.
const DRAIN: Duration = Duration::from_millis(500);
/// How often a group that was asked to end is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// What is run.
pub(super) struct Job {
    pub(super) program: String,
    pub(super) arguments: Vec<String>,
    pub(super) dir: Option<String>,
    /// On top of our own environment; a later one wins.
    pub(super) env: Vec<(String, String)>,
    pub(super) timeout: Duration,
}

/// What came of it.
pub(super) struct Finished {
    pub(super) end: End,
    pub(super) stdout: Capture,
    pub(super) stderr: Capture,
}

/// How it ended.
pub(super) enum End {
    /// By itself.
    Exited(ExitStatus),
    /// By us, with everything in its group.
    TimedOut,
    /// The system does not say.
    Lost(io::Error),
}

/// Runs a program to its end. An error means that it was not started. Every line that it writes, to either of its outputs,
/// is given to `hear` as soon as it is complete.
///
/// What it starts stays in its process group unless it leaves on purpose (`setsid`); the whole group is asked to end
/// and then killed on a time-out, and killed at once when this future is dropped. A process that is left behind in the
/// background by a program that ended is not killed, and not waited for.
pub(super) async fn run(job: &Job, hear: &(dyn Fn(&str) + Sync)) -> io::Result<Finished> {
    let mut command = tokio::process::Command::new(&job.program);
    if let Some(dir) = &job.dir {
        command.current_dir(dir);
    }
    let mut child = command
        .args(&job.arguments)
        .envs(job.env.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()?;
    // Declared after the child, so dropped before it: the group is killed while its leader's number is still taken.
    let mut group = Group::of(&child);
    let (mut stdout, mut stderr) = (Capture::default(), Capture::default());
    let (out_pipe, err_pipe) = (child.stdout.take(), child.stderr.take());
    let end = {
        let mut drain = pin!(
            async { tokio::join!(pump(out_pipe, &mut stdout, hear), pump(err_pipe, &mut stderr, hear)) }
                .fuse()
        );
        let ended = async {
            loop {
                tokio::select! {
                    status = child.wait() => return status,
                    _ = &mut drain => {}
                }
            }
        };
        let end = match timeout(job.timeout, ended).await {
            Ok(Ok(status)) => End::Exited(status),
            Ok(Err(error)) => End::Lost(error),
            Err(_) => {
                group.signal(Signal::TERM);
                let gone = async {
                    if !drain.is_terminated() {
                        (&mut drain).await;
                    }
                    group.leader_ended().await;
                };
                let _ = timeout(GRACE, gone).await;
                group.signal(Signal::KILL);
                let _ = timeout(DRAIN, child.wait()).await;
                End::TimedOut
            }
        };
        group.disarm();
        if !drain.is_terminated() {
            let _ = timeout(DRAIN, drain).await;
        }
        end
    };
    Ok(Finished { end, stdout, stderr })
}

/// Reads to the end of a pipe. An error is an end: what was read before it counts.
async fn pump(pipe: Option<impl AsyncRead + Unpin>, capture: &mut Capture, hear: &(dyn Fn(&str) + Sync)) {
    let Some(mut pipe) = pipe else { return };
    let mut buffer = vec![0; 16 * 1024];
    let mut lines = Lines::default();
    while let Ok(read @ 1..) = pipe.read(&mut buffer).await {
        capture.push(&buffer[..read]);
        lines.push(&buffer[..read], hear);
    }
    lines.finish(hear);
}

/// Cuts an output into lines as it arrives. Of a line that is written over itself, like a progress bar, what stands at its
/// end counts; empty lines do not.
#[derive(Default)]
struct Lines {
    open: Vec<u8>,
}

impl Lines {
    /// Bytes of a line after which it is cut.
    const LONGEST: usize = 4 * 1024;

    fn push(&mut self, bytes: &[u8], hear: &(dyn Fn(&str) + Sync)) {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            for part in part.chunks(Self::LONGEST) {
                if self.open.len() + part.len() > Self::LONGEST {
                    self.finish(hear);
                }
                self.open.extend_from_slice(part);
            }
            if self.open.ends_with(b"\n") {
                self.finish(hear);
            }
        }
    }

    /// Gives what there is.
    fn finish(&mut self, hear: &(dyn Fn(&str) + Sync)) {
        let line = String::from_utf8_lossy(&self.open);
        let shown = line.trim_end().rsplit('\r').map(str::trim_end).find(|part| !part.is_empty());
        if let Some(shown) = shown {
            hear(shown);
        }
        self.open.clear();
    }
}

/// A process group that is killed when this is dropped, for as long as its leader has not been waited for. After that
/// its number may belong to somebody else.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Self {
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        // 0 and 1 would mean our own group and everything.
        Self(id.filter(|id| *id > 1).and_then(Pid::from_raw))
    }

    fn signal(&self, signal: Signal) {
        if let Some(pid) = self.0 {
            // The only failure that can happen is that nobody is left.
            let _ = rustix::process::kill_process_group(pid, signal);
        }
    }

    fn disarm(&mut self) {
        self.0 = None;
    }

    /// Waits for the leader to end, without collecting it: as long as it is not, nobody else gets its number.
    async fn leader_ended(&self) {
        let Some(pid) = self.0 else { return };
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        while matches!(rustix::process::waitid(WaitId::Pid(pid), look), Ok(None)) {
            tokio::time::sleep(LOOK).await;
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

/// The first and the last part of an output; what lies between is counted.
#[derive(Default, Debug)]
pub(super) struct Capture {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    dropped: u64,
}

impl Capture {
    /// Bytes kept from the start.
    pub(super) const HEAD: usize = 64 * 1024;
    /// Bytes kept from the end.
    pub(super) const TAIL: usize = 192 * 1024;

    fn push(&mut self, bytes: &[u8]) {
        let (first, rest) = bytes.split_at(bytes.len().min(Self::HEAD - self.head.len()));
        self.head.extend_from_slice(first);
        self.tail.extend(rest);
        let excess = self.tail.len().saturating_sub(Self::TAIL);
        self.tail.drain(..excess);
        self.dropped += excess as u64;
    }

    /// Bytes that were read and not kept.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// The output, if all of it was kept.
    pub(super) fn whole(&self) -> Option<Vec<u8>> {
        (self.dropped == 0).then(|| {
            let mut bytes = self.head.clone();
            bytes.extend(&self.tail);
            bytes
        })
    }

    /// What was kept as text, with a note where something is left out.
    pub(super) fn text(&self) -> String {
        let gap = match self.dropped {
            0 => String::new(),
            dropped => format!("\n[{dropped} bytes left out]\n"),
        };
        let mut bytes = self.head.clone();
        bytes.extend_from_slice(gap.as_bytes());
        bytes.extend(&self.tail);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// However the output arrives, it comes line by line, the last one also without its end; and one without end comes in
    /// pieces.
    #[test]
    fn lines_are_cut() {
        let all = "one\r\n\n  two \n10 %\r20 %\r\nthree\u{e9}\nlast".as_bytes();
        for chunk in [1, 2, 7, 100] {
            let heard = std::sync::Mutex::new(Vec::new());
            let hear = |line: &str| heard.lock().unwrap().push(line.to_owned());
            let mut lines = Lines::default();
            for bytes in all.chunks(chunk) {
                lines.push(bytes, &hear);
            }
            lines.finish(&hear);
            assert_eq!(*heard.lock().unwrap(), ["one", "  two", "20 %", "three\u{e9}", "last"], "{chunk}");
        }
        let lengths = std::sync::Mutex::new(Vec::new());
        let hear = |line: &str| lengths.lock().unwrap().push(line.len());
        let mut lines = Lines::default();
        lines.push(&vec![b'x'; Lines::LONGEST * 2 + 5], &hear);
        lines.finish(&hear);
        assert_eq!(*lengths.lock().unwrap(), [Lines::LONGEST, Lines::LONGEST, 5]);
    }

    /// However the output arrives, its start and its end are kept and the rest is counted.
    #[test]
    fn output_is_bounded() {
        for chunk in [1_000, 16 * 1024, 1_000_003] {
            let all: Vec<u8> = (0..1_000_003_u32).map(|n| (n % 251) as u8).collect();
            let mut capture = Capture::default();
            for bytes in all.chunks(chunk) {
                capture.push(bytes);
            }
            assert_eq!(capture.head, all[..Capture::HEAD]);
            assert_eq!(capture.tail, &all[all.len() - Capture::TAIL..]);
            assert_eq!(capture.dropped(), (all.len() - Capture::HEAD - Capture::TAIL) as u64);
            assert!(capture.whole().is_none());
        }
        let mut capture = Capture::default();
        capture.push(&vec![b'x'; Capture::HEAD + 7]);
        assert_eq!(capture.whole().unwrap().len(), Capture::HEAD + 7);
    }
}
