//! What a service writes, followed for a person: a file, or what a program prints.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use crate::model::platform::{LogLine, LogQuery, ServiceLog};
use crate::process::start;

use super::lines::{Line, Lines};
use super::tail::Tail;

/// The longest line that is shown, in bytes; of a longer one is said that it was there.
const LONGEST: usize = 64 * 1024;
/// Bytes before a file's end in which its last lines are looked for.
const BACK: u64 = 1024 * 1024;
/// How often a file is looked at.
const LOOK: Duration = Duration::from_millis(250);
/// How long a program that goes on for ever is listened to by somebody who does not want to follow it.
const QUIET: Duration = Duration::from_secs(2);

/// Gives the last lines, and those that come if they are asked for, until nobody takes them any more.
///
/// # Errors
///
/// In words: the file cannot be read, the program cannot be started or ended as if something had gone wrong.
pub async fn follow(log: &ServiceLog, query: &LogQuery, out: &mpsc::Sender<LogLine>) -> Result<(), String> {
    match (&log.file, &log.command) {
        (Some(file), _) => of_file(file, query, out).await,
        (None, command) => of_program(command.as_deref().unwrap_or_default(), query, out).await,
    }
}

fn text(line: Line<'_>) -> String {
    match line {
        Line::Whole(bytes) => String::from_utf8_lossy(bytes).trim_end_matches('\r').to_owned(),
        Line::TooLong => format!("(a line of more than {} KiB)", LONGEST / 1024),
    }
}

/// Gives lines on; whether anybody still takes them.
async fn give(lines: impl IntoIterator<Item = String>, out: &mpsc::Sender<LogLine>) -> bool {
    for text in lines {
        if out.send(LogLine { at: None, instance: String::new(), text }).await.is_err() {
            return false;
        }
    }
    true
}

async fn of_file(file: &str, query: &LogQuery, out: &mpsc::Sender<LogLine>) -> Result<(), String> {
    let mut tail = Tail::new(file.to_owned(), LONGEST).begin_before_the_end(BACK);
    let mut lines = Vec::new();
    tail.read(&mut |line| lines.push(text(line)))?;
    let last = lines.len().saturating_sub(query.tail as usize);
    if !give(lines.drain(..).skip(last), out).await || !query.follow {
        return Ok(());
    }
    loop {
        tokio::select! {
            () = sleep(LOOK) => {}
            () = out.closed() => return Ok(()),
        }
        // It may be gone for a moment, while it is moved away.
        let read = tail.read(&mut |line| lines.push(text(line)));
        if !give(lines.drain(..), out).await {
            return Ok(());
        }
        read?;
    }
}

async fn of_program(argv: &[String], query: &LogQuery, out: &mpsc::Sender<LogLine>) -> Result<(), String> {
    let Some((program, arguments)) = argv.split_first() else {
        return Err("the log's `command` names no program".to_owned());
    };
    let tail = query.tail.to_string();
    let mut command = Command::new(program);
    command.args(arguments.iter().map(|argument| argument.replace("{tail}", &tail)));
    let started = start(&mut command);
    let (mut child, mut group) =
        started.map_err(|error| format!("`{program}` cannot be started: {error}"))?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let (printed, mut lines) = mpsc::channel(256);
    let pumps = async {
        tokio::join!(pump(stdout, printed.clone()), pump(stderr, printed));
    };
    let mut kept = Vec::new();
    let listen = async {
        loop {
            let next = if query.follow { Ok(lines.recv().await) } else { timeout(QUIET, lines.recv()).await };
            match next {
                Ok(Some(line)) if query.follow => {
                    if !give([line], out).await {
                        return false;
                    }
                }
                Ok(Some(line)) => kept.push(line),
                Ok(None) => return true,
                Err(_) => return false,
            }
        }
    };
    let has_ended = tokio::select! {
        has_ended = listen => has_ended,
        // The lines that are left are listened to by the branch above.
        () = async { pumps.await; std::future::pending::<()>().await } => true,
        () = out.closed() => false,
    };
    let last = kept.len().saturating_sub(query.tail as usize);
    if !give(kept.into_iter().skip(last), out).await || !has_ended {
        return Ok(());
    }
    let status = timeout(QUIET, child.wait()).await;
    match status {
        Ok(Ok(status)) => {
            group.disarm();
            if status.success() { Ok(()) } else { Err(format!("`{program}` ended with {status}")) }
        }
        Ok(Err(error)) => Err(format!("`{program}`: {error}")),
        Err(_) => Err(format!("`{program}` closed its output")),
    }
}

/// Reads a pipe to its end, line by line. An error is an end.
async fn pump(pipe: Option<impl AsyncRead + Unpin>, out: mpsc::Sender<String>) {
    let Some(mut pipe) = pipe else { return };
    let mut lines = Lines::new(LONGEST);
    let mut buffer = vec![0; 16 * 1024];
    let mut complete = Vec::new();
    loop {
        let count = pipe.read(&mut buffer).await.unwrap_or(0);
        if count == 0 {
            lines.finish(&mut |line| complete.push(text(line)));
        } else {
            lines.push(&buffer[..count], &mut |line| complete.push(text(line)));
        }
        for line in complete.drain(..) {
            if out.send(line).await.is_err() {
                return;
            }
        }
        if count == 0 {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(tail: u32, follow: bool) -> LogQuery {
        LogQuery { tail, since: None, follow, release: None }
    }

    async fn all(log: &ServiceLog, query: &LogQuery) -> (Vec<String>, Result<(), String>) {
        let (out, mut lines) = mpsc::channel(1);
        let mut got = Vec::new();
        let ended = tokio::join!(async { follow(log, query, &{ out }).await }, async {
            while let Some(line) = lines.recv().await {
                got.push(line.text);
            }
        });
        (got, ended.0)
    }

    fn program(script: &str) -> ServiceLog {
        ServiceLog { command: Some(["sh", "-c", script].map(str::to_owned).to_vec()), file: None }
    }

    fn file(path: &std::path::Path) -> ServiceLog {
        ServiceLog { file: Some(path.to_str().unwrap().to_owned()), command: None }
    }

    /// The last lines, then every line that comes, over rotation; a line that is not finished is no line yet.
    #[tokio::test]
    async fn a_file_over_rotation() {
        use std::io::Write as _;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("web.log");
        std::fs::write(&path, "one\ntwo\r\nthree\n").unwrap();
        let log = file(&path);
        assert_eq!(all(&log, &query(2, false)).await, (vec!["two".to_owned(), "three".to_owned()], Ok(())));

        let (out, mut lines) = mpsc::channel(8);
        let following = tokio::spawn({
            let log = log.clone();
            async move { follow(&log, &query(1, true), &out).await }
        });
        assert_eq!(lines.recv().await.unwrap().text, "three");
        std::fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"four\nfi").unwrap();
        assert_eq!(lines.recv().await.unwrap().text, "four");
        std::fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"ve\n").unwrap();
        assert_eq!(lines.recv().await.unwrap().text, "five");
        std::fs::rename(&path, dir.path().join("web.log.1")).unwrap();
        std::fs::write(&path, "six\n").unwrap();
        assert_eq!(lines.recv().await.unwrap().text, "six");
        drop(lines);
        following.await.unwrap().unwrap();

        let none = file(&dir.path().join("none"));
        let (_, ended) = all(&none, &query(2, true)).await;
        assert!(ended.unwrap_err().contains("there is no such file"));
    }

    /// Both outputs of a program; how it ended; and what cannot be started.
    #[tokio::test]
    async fn a_program() {
        let (lines, ended) = all(&program("echo a; echo b >&2; echo c"), &query(10, true)).await;
        assert_eq!((lines.len(), ended), (3, Ok(())));
        let (lines, ended) = all(&program("printf 'x\\ny\\nz'; exit 3"), &query(2, false)).await;
        assert_eq!(lines, ["y", "z"]);
        assert!(ended.unwrap_err().contains("exit status: 3"));
        let (lines, ended) = all(&program("echo {tail}"), &query(7, true)).await;
        assert_eq!((lines, ended), (vec!["7".to_owned()], Ok(())));
        let missing = ServiceLog { command: Some(vec!["/no/such/program".to_owned()]), file: None };
        assert!(all(&missing, &query(1, true)).await.1.unwrap_err().contains("cannot be started"));
    }

    /// Whoever goes away takes the program along, with everything that it started.
    #[tokio::test]
    async fn nothing_is_left_behind() {
        let dir = tempfile::tempdir().unwrap();
        let alive = dir.path().join("alive");
        let script =
            format!("(while :; do date +%s%N > {0}; sleep 0.05; done) & echo up; wait", alive.display());
        let log = program(&script);
        let (out, mut lines) = mpsc::channel(8);
        let following = tokio::spawn(async move { follow(&log, &query(1, true), &out).await });
        assert_eq!(lines.recv().await.unwrap().text, "up");
        drop(lines);
        following.await.unwrap().unwrap();
        let read = || std::fs::read_to_string(&alive).unwrap_or_default();
        // Two looks in a row at which nothing has moved: the writer writes twenty times a second.
        let mut last = read();
        for _ in 0..50 {
            sleep(Duration::from_millis(300)).await;
            let now = read();
            if now == last {
                return;
            }
            last = now;
        }
        panic!("it goes on writing");
    }
}
