//! A program whose end says whether something is so.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;
use tokio::time::timeout;

use crate::model::output::escape;
use crate::model::units::human;
use crate::process::start;

/// Bytes of its last words that are repeated.
const WORDS: usize = 400;
/// How long its last words are waited for when it has ended: what it left behind may hold the pipe for ever.
const LAST: Duration = Duration::from_millis(500);

/// Runs a program to its end; it and all that it started are killed when its time is up. Answers its last line, or how it
/// failed.
pub(super) async fn run(argv: &[String], dir: Option<&str>, limit: Duration) -> Result<String, String> {
    let Some((program, arguments)) = argv.split_first() else { return Err("names no program".to_owned()) };
    let mut command = Command::new(program);
    if let Some(dir) = dir {
        command.current_dir(dir);
    }
    let started = start(command.args(arguments));
    let (mut child, mut group) =
        started.map_err(|error| format!("`{program}` cannot be started: {error}"))?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let mut words = (Vec::new(), Vec::new());
    let ended = {
        let pumps = async { tokio::join!(pump(stdout, &mut words.0), pump(stderr, &mut words.1)) };
        tokio::pin!(pumps);
        let ended = async {
            let mut is_read = false;
            loop {
                tokio::select! {
                    status = child.wait() => {
                        if !is_read {
                            let _ = timeout(LAST, &mut pumps).await;
                        }
                        return status;
                    }
                    _ = &mut pumps, if !is_read => is_read = true,
                }
            }
        };
        timeout(limit, ended).await
    };
    let last = |words: &[u8]| {
        let text = String::from_utf8_lossy(words).into_owned();
        let line = text.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or_default().to_owned();
        escape(&line)
    };
    let said = Some(last(&words.1)).filter(|line| !line.is_empty()).unwrap_or_else(|| last(&words.0));
    match ended {
        Ok(Ok(status)) => {
            group.disarm();
            if status.success() {
                return Ok(last(&words.0));
            }
            Err(if said.is_empty() {
                format!("ended with {status}")
            } else {
                format!("ended with {status}: {said}")
            })
        }
        Ok(Err(error)) => Err(format!("`{program}`: {error}")),
        Err(_) => Err(format!("did not end within {}", human(limit))),
    }
}

/// Reads to the end of a pipe and keeps its last words. An error is an end.
async fn pump(pipe: Option<impl AsyncRead + Unpin>, words: &mut Vec<u8>) {
    let Some(mut pipe) = pipe else { return };
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(count @ 1..) = pipe.read(&mut buffer).await {
        words.extend_from_slice(&buffer[..count]);
        words.drain(..words.len().saturating_sub(WORDS));
    }
}
