//! `unship journal`: checks, prints and follows a journal's file. It only reads, so it works beside a guard that runs and
//! on a copy of a file that cannot be written.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use clap::{Subcommand, ValueEnum};
use jiff::Timestamp;
use serde::Serialize;

use super::{Exit, Global};
use crate::journal::{Entry, Journal, Position, SqliteJournal, Verification, tail};
use crate::model::event::{Event, encode};

/// Verify, export or follow the journal.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// What to do with it.
    #[command(subcommand)]
    pub action: Action,
}

/// What can be done with a journal.
#[derive(Subcommand, Clone, Debug)]
pub enum Action {
    /// Read everything and check that nothing was changed, taken out or put in.
    Verify,
    /// Print every entry, one JSON object a line.
    Export {
        /// Begin with this entry.
        #[arg(long, value_name = "N", default_value_t = 1)]
        from: Position,
        /// The form of the output.
        #[arg(long, value_enum, default_value_t = Format::Jsonl)]
        format: Format,
    },
    /// Print the last entries.
    Tail {
        /// Begin with this entry; without it, with the tenth from the end.
        #[arg(long, value_name = "N")]
        from: Option<Position>,
        /// Go on printing what is appended, by whichever process.
        #[arg(long, short)]
        follow: bool,
    },
}

/// How entries are exported.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// One JSON object a line.
    Jsonl,
}

/// Entries that `tail` shows without `--from`.
const SHOWN: u64 = 10;

/// Entries that are read at a time.
const BATCH: usize = 500;

/// Runs the subcommand on the journal in this file, printing to standard output.
pub async fn run(args: &Args, global: &Global, path: &Path) -> anyhow::Result<Exit> {
    run_to(args, global, path, &mut io::stdout()).await
}

/// Runs the subcommand, printing to `out`. A reader of `out` that has gone away (`| head`) is no error.
pub async fn run_to<W: Write + Send>(
    args: &Args,
    global: &Global,
    path: &Path,
    out: &mut W,
) -> anyhow::Result<Exit> {
    let journal = Arc::new(SqliteJournal::open_read_only(path).await?);
    let done = match args.action {
        Action::Verify => verify(journal.as_ref(), global.json, path, out).await,
        Action::Export { from, format: Format::Jsonl } => export(journal.as_ref(), from, out).await,
        Action::Tail { from, follow } => show(journal.clone(), from, follow, global.json, out).await,
    };
    journal.close().await;
    match done {
        Err(error) if is_broken_pipe(&error) => Ok(Exit::Fine),
        done => done,
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// What `verify --json` prints.
#[derive(Serialize)]
struct Report<'a> {
    path: String,
    ok: bool,
    #[serde(flatten)]
    verification: &'a Verification,
}

async fn verify<W: Write>(
    journal: &dyn Journal,
    json: bool,
    path: &Path,
    out: &mut W,
) -> anyhow::Result<Exit> {
    let verification = journal.verify().await?;
    let ok = verification.faults.is_empty();
    if json {
        let report = Report { path: path.display().to_string(), ok, verification: &verification };
        line(out, &serde_json::to_string(&report).context("the report cannot be written as JSON")?)?;
    } else {
        let Verification { entries, head, faults } = &verification;
        let path = path.display();
        if ok && *entries == 0 {
            line(out, &format!("`{path}` is whole: no entries yet"))?;
        } else if ok {
            line(out, &format!("`{path}` is whole: {entries} entries, head {head}"))?;
        } else {
            let count = faults.len();
            let noun = if count == 1 { "fault" } else { "faults" };
            line(out, &format!("`{path}` is not whole: {count} {noun}; {entries} entries could be read"))?;
            for fault in faults {
                line(out, &format!("  {}", printable(fault)))?;
            }
        }
    }
    out.flush()?;
    Ok(if ok { Exit::Fine } else { Exit::Error })
}

/// An entry as it is exported. The event is as the journal holds it, its kind also beside it for easy filtering.
#[derive(Serialize)]
struct Exported<'a> {
    seq: Position,
    at: Timestamp,
    token: u64,
    r#type: &'a str,
    event: &'a Event,
    hash: &'a str,
}

fn exported(entry: &Entry) -> anyhow::Result<String> {
    let line = Exported {
        seq: entry.seq,
        at: entry.at,
        token: entry.token,
        r#type: &entry.event.kind(),
        event: &entry.event,
        hash: &entry.hash,
    };
    serde_json::to_string(&line).with_context(|| format!("entry {} cannot be written as JSON", entry.seq))
}

async fn export<W: Write>(journal: &dyn Journal, from: Position, out: &mut W) -> anyhow::Result<Exit> {
    let mut after = from.saturating_sub(1);
    loop {
        let entries = match journal.read(after, BATCH).await {
            Ok(entries) => entries,
            Err(error) => {
                out.flush()?;
                return Err(error).with_context(|| format!("the export ends after entry {after}"));
            }
        };
        let Some(last) = entries.last() else { break };
        after = last.seq;
        for entry in &entries {
            line(out, &exported(entry)?)?;
        }
    }
    out.flush()?;
    Ok(Exit::Fine)
}

async fn show<W: Write>(
    journal: Arc<dyn Journal>,
    from: Option<Position>,
    follow: bool,
    json: bool,
    out: &mut W,
) -> anyhow::Result<Exit> {
    let after = match from {
        Some(from) => from.saturating_sub(1),
        None => journal.last().await?.saturating_sub(SHOWN),
    };
    let mut tail = tail(journal, after);
    loop {
        let entry = match tail.next_now().await? {
            Some(entry) => entry,
            None if follow => {
                // Everything is printed before waiting.
                out.flush()?;
                tail.next().await?
            }
            None => break,
        };
        line(out, &if json { exported(&entry)? } else { plain(&entry)? })?;
    }
    out.flush()?;
    Ok(Exit::Fine)
}

/// An entry for people: place, time, kind, content.
fn plain(entry: &Entry) -> anyhow::Result<String> {
    let body =
        encode(&entry.event).with_context(|| format!("entry {} cannot be written as JSON", entry.seq))?;
    let kind = entry.event.kind();
    // The kind has its own column.
    let rest = body.replacen(&format!("\"type\":\"{kind}\""), "", 1).replacen("{,", "{", 1);
    Ok(format!("{:>6}  {:.3}  {kind:<20}  {}", entry.seq, entry.at, printable(&rest)))
}

/// Control characters would be obeyed by a terminal; they are shown instead.
fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() {
            shown.extend(c.escape_unicode());
        } else {
            shown.push(c);
        }
    }
    shown
}

fn line<W: Write>(out: &mut W, text: &str) -> io::Result<()> {
    out.write_all(text.as_bytes())?;
    out.write_all(b"\n")
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::Mutex;
    use std::time::Duration;

    use clap::Parser;
    use tempfile::TempDir;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        global: Global,
        #[command(flatten)]
        args: Args,
    }

    fn line_of(words: &str) -> Line {
        Line::try_parse_from(["journal"].into_iter().chain(words.split(' '))).unwrap()
    }

    fn event(number: u64) -> Event {
        Event::LeaderChanged { holder: format!("guard@test:{number}"), program: "0.1\u{9b}2J".to_owned() }
    }

    async fn journal(count: u64) -> (TempDir, PathBuf, SqliteJournal, u64) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("unship.db");
        let journal = SqliteJournal::open(&path).await.unwrap();
        let token = journal.acquire("a", Duration::from_mins(1)).await.unwrap().token;
        let events: Vec<_> = (1..=count).map(event).collect();
        journal.append(token, Timestamp::UNIX_EPOCH, &events, &[]).await.unwrap();
        (dir, path, journal, token)
    }

    async fn printed(words: &str, path: &Path) -> (Exit, String) {
        let Line { global, args } = line_of(words);
        let mut out = Vec::new();
        let exit = run_to(&args, &global, path, &mut out).await.unwrap();
        (exit, String::from_utf8(out).unwrap())
    }

    async fn meddle(path: &Path, sql: &'static str) {
        use sqlx::{ConnectOptions as _, Connection as _};
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
        let mut connection = options.connect().await.unwrap();
        sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }

    /// `verify` says that a journal is whole, beside a process that has it open, and scripts can rely on the exit code.
    #[tokio::test]
    async fn verify_says_whole() {
        let (_dir, path, journal, _) = journal(3).await;
        let (exit, text) = printed("verify", &path).await;
        let head = journal.read(2, 1).await.unwrap()[0].hash.clone();
        assert_eq!(exit, Exit::Fine);
        assert!(text.ends_with(&format!("is whole: 3 entries, head {head}\n")), "{text}");
        let (exit, text) = printed("verify --json", &path).await;
        let report: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(exit, Exit::Fine);
        assert_eq!(
            (&report["ok"], &report["entries"], &report["head"]),
            (&true.into(), &3.into(), &head.into())
        );
    }

    /// `verify` lists every fault and ends with an error.
    #[tokio::test]
    async fn verify_lists_faults() {
        let (_dir, path, _journal, _) = journal(5).await;
        meddle(&path, "UPDATE entries SET at = 7 WHERE seq = 2; DELETE FROM entries WHERE seq = 4").await;
        let (exit, text) = printed("verify", &path).await;
        assert_eq!(exit, Exit::Error);
        assert!(text.contains("is not whole: 2 faults; 4 entries could be read\n  entry 2: "), "{text}");
        assert!(text.contains("\n  entry 4: it is missing\n"), "{text}");
        let (exit, text) = printed("verify --json", &path).await;
        let report: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(exit, Exit::Error);
        assert_eq!(report["ok"], false);
        assert_eq!(report["faults"].as_array().unwrap().len(), 2);
    }

    /// An export has one object a line with everything that the journal says of an entry.
    #[tokio::test]
    async fn export_prints_every_entry() {
        let (_dir, path, journal, _) = journal(BATCH as u64 + 20).await;
        let (exit, text) = printed("export --format jsonl", &path).await;
        assert_eq!(exit, Exit::Fine);
        assert_eq!(text.lines().count(), BATCH + 20);
        let (_, text) = printed("export --from 3", &path).await;
        let first: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
        let entry = &journal.read(2, 1).await.unwrap()[0];
        let expected = serde_json::json!({
            "seq": 3,
            "at": "1970-01-01T00:00:00Z",
            "token": 1,
            "type": "leader_changed",
            "event": entry.event,
            "hash": entry.hash,
        });
        assert_eq!(first, expected);
    }

    /// An export of a journal that cannot be read to its end prints what comes before, and says where it ends.
    #[tokio::test]
    async fn export_ends_at_the_first_unreadable_entry() {
        let (_dir, path, _journal, _) = journal(5).await;
        meddle(&path, "UPDATE entries SET body = '{}' WHERE seq = 4").await;
        let Line { global, args } = line_of("export");
        let mut out = Vec::new();
        let error = run_to(&args, &global, &path, &mut out).await.unwrap_err();
        assert_eq!(String::from_utf8(out).unwrap().lines().count(), 3);
        let error = format!("{error:#}");
        assert!(error.contains("ends after entry 3") && error.contains("entry 4"), "{error}");
    }

    /// `tail` prints the last ten, or from where it is told; what a terminal would obey is shown instead.
    #[tokio::test]
    async fn tail_prints_the_end() {
        let (_dir, path, _journal, _) = journal(25).await;
        let (_, text) = printed("tail", &path).await;
        assert_eq!(text.lines().count(), 10);
        let first = text.lines().next().unwrap();
        assert!(
            first.starts_with("    16  1970-01-01T00:00:00.000Z  leader_changed        {\"holder\":"),
            "{first}"
        );
        assert!(!text.contains('\u{9b}') && first.contains("\\u{9b}2J"), "{first}");
        let (_, text) = printed("tail --from 24 --json", &path).await;
        let places: Vec<_> = text
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["seq"].clone())
            .collect();
        assert_eq!(places, [24, 25]);
        let (_, text) = printed("tail --from 99", &path).await;
        assert_eq!(text, "");
    }

    /// What was written so far, readable from outside; goes away after some lines.
    #[derive(Clone, Default)]
    struct Pipe(Arc<Mutex<Vec<u8>>>, Option<usize>);

    impl Pipe {
        fn lines(&self) -> usize {
            String::from_utf8_lossy(&self.0.lock().unwrap()).lines().count()
        }
    }

    impl Write for Pipe {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.1.is_some_and(|most| self.lines() >= most) {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// `| head` is no error.
    #[tokio::test]
    async fn a_reader_that_goes_away_ends_it_quietly() {
        let (_dir, path, _journal, _) = journal(25).await;
        for words in ["export", "tail --from 1 --follow", "tail --from 1 --json"] {
            let Line { global, args } = line_of(words);
            let mut out = Pipe(Arc::default(), Some(3));
            assert_eq!(run_to(&args, &global, &path, &mut out).await.unwrap(), Exit::Fine, "{words}");
            assert_eq!(out.lines(), 3);
        }
    }

    /// `tail --follow` goes on with what is appended after it was started.
    #[tokio::test]
    async fn follow_goes_on() {
        let (_dir, path, journal, token) = journal(2).await;
        let Line { global, args } = line_of("tail --follow");
        let mut out = Pipe::default();
        let seen = out.clone();
        let until = async |count| {
            while seen.lines() < count {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::select! {
            ended = run_to(&args, &global, &path, &mut out) => panic!("{ended:?}"),
            () = async {
                until(2).await;
                journal.append(token, Timestamp::UNIX_EPOCH, &[event(3), event(4)], &[]).await.unwrap();
                until(4).await;
            } => {}
        }
        assert_eq!(out.lines(), 4);
    }

    /// A path that holds no journal is an error that names it; nothing is made there.
    #[tokio::test]
    async fn a_missing_journal_is_not_made() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("none.db");
        let Line { global, args } = line_of("verify");
        let error = run_to(&args, &global, &path, &mut Vec::new()).await.unwrap_err();
        assert!(error.to_string().ends_with("none.db`: it does not exist"), "{error}");
        assert!(!path.exists());
    }
}
