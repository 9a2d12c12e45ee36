//! Real files in every manner of rotation, and real programs.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;

use super::*;
use crate::model::Span;
use crate::model::source::{ArmLabel, GaugeUnit, LatencyUnit, SampleValue, SeriesSpec, Subject};

struct Fixture {
    dir: TempDir,
    log: Log,
}

fn spec() -> LogSpec {
    LogSpec { file: None, command: None, interval: Span::secs(5), arms: None, max_line: 200 }
}

fn ratio(bad: &str, total: &str) -> SeriesSpec {
    SeriesSpec::Ratio { bad: bad.to_owned(), total: total.to_owned(), absent_is_zero: false }
}

fn rate(counter: &str) -> SeriesSpec {
    SeriesSpec::Rate { counter: counter.to_owned() }
}

fn log(spec: LogSpec, reads: &[SeriesSpec]) -> Log {
    let indicators = reads.iter().map(|read| ("checkout".into(), "it".into(), read.clone())).collect();
    Log::new(spec, indicators).unwrap()
}

fn append(path: &Path, text: &str) {
    let mut file = fs::OpenOptions::new().append(true).create(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

impl Fixture {
    /// A file with a line in it, that was read once.
    async fn new(arms: Option<ArmLabel>, reads: &[SeriesSpec]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        append(&path, "{\"status\": 500}\n");
        let file = Some(path.to_str().unwrap().to_owned());
        let mut it = Self { log: log(LogSpec { file, arms, ..spec() }, reads), dir };
        it.read().await;
        it
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("log")
    }

    async fn read(&mut self) -> Vec<String> {
        let dir = self.dir.path().display().to_string();
        read(&mut self.log).await.into_iter().map(|line| line.replace(&dir, "DIR")).collect()
    }
}

/// Each sample as its subject and its value; then what is missing, and what is remarked; or why nothing could be read.
async fn read(log: &mut Log) -> Vec<String> {
    let reading = match log.read().await.result {
        Ok(reading) => reading,
        Err(reason) => return vec![format!("fault: {reason}")],
    };
    let samples = reading.samples.into_iter().map(|sample| {
        let subject = match sample.subject {
            Subject::Arm(arm) => arm.word().to_owned(),
            Subject::Version(version) => version.to_string(),
            Subject::Whole => "whole".to_owned(),
        };
        match sample.value {
            SampleValue::Ratio { bad, total } => format!("{subject} {bad} of {total}"),
            SampleValue::Count(count) => format!("{subject} +{count}"),
            SampleValue::Gauge(value) => format!("{subject} {value}"),
            SampleValue::Histogram { bounds_ms, counts } => {
                let filled = bounds_ms.iter().zip(&counts).filter(|(_, count)| **count > 0.0);
                let filled: Vec<String> =
                    filled.map(|(bound, count)| format!("{bound} ms: {count}")).collect();
                format!("{subject} {}", filled.join(", "))
            }
        }
    });
    samples
        .chain(reading.missing.into_iter().map(|(_, _, reason)| format!("missing: {reason}")))
        .chain(reading.remarks.into_iter().map(|remark| format!("remark: {remark}")))
        .collect()
}

/// What is in the file already is old; what comes after is counted once, a line only when it is complete.
#[tokio::test]
async fn lines_are_counted_once() {
    let mut it = Fixture::new(None, &[ratio("/status >= 500", "/status")]).await;
    assert_eq!(it.read().await, ["whole 0 of 0"]);
    append(&it.path(), "{\"status\": 200}\n{\"status\": \"503\"}\n{\"sta");
    assert_eq!(it.read().await, ["whole 1 of 2"]);
    append(&it.path(), "tus\": 500}\n");
    assert_eq!(it.read().await, ["whole 1 of 1"]);
    assert_eq!(it.read().await, ["whole 0 of 0"]);
}

/// A line that is no JSON, or too long, is left out and said; the others count.
#[tokio::test]
async fn odd_lines_are_said() {
    let mut it = Fixture::new(None, &[rate("*")]).await;
    append(&it.path(), &format!("{{}}\nhunter2 logged in\n\n{{\"a\": \"{}\"}}\n{{}}\n", "x".repeat(200)));
    assert_eq!(
        it.read().await,
        [
            "whole +2",
            "remark: 1 of 4 lines are not JSON, the first: expected value at line 1 column 1",
            "remark: 1 of 4 lines are longer than `max_line`"
        ]
    );
}

/// A file that is moved away and made anew is read to its end, also what its writer adds before it opens the new one.
#[tokio::test]
async fn a_file_is_moved_away() {
    let mut it = Fixture::new(None, &[rate("*")]).await;
    let old = it.dir.path().join("log.1");
    append(&it.path(), "{}\n");
    fs::rename(it.path(), &old).unwrap();
    append(&old, "{}\n");
    // For a moment there is none.
    assert_eq!(
        it.read().await,
        ["whole +2", "remark: `DIR/log` is gone; the file that it was is still read"]
    );
    append(&old, "{}\n");
    append(&it.path(), "{}\n{}\n");
    assert_eq!(it.read().await, ["whole +3"]);
    append(&old, "{}\n");
    append(&it.path(), "{}\n");
    assert_eq!(it.read().await, ["whole +2"]);
    append(&it.path(), "{}\n");
    assert_eq!(it.read().await, ["whole +1"]);
}

/// A file that is cut off begins anew, also if it has grown longer than it was before anybody looked again.
#[tokio::test]
async fn a_file_is_cut_off() {
    let mut it = Fixture::new(None, &[rate("/n")]).await;
    append(&it.path(), "{\"n\": 1}\n{\"n\": 2");
    assert_eq!(it.read().await, ["whole +1"]);
    fs::copy(it.path(), it.dir.path().join("log.1")).unwrap();
    fs::write(it.path(), "{\"n\": 3}\n").unwrap();
    assert_eq!(it.read().await, ["whole +1"]);
    fs::write(it.path(), "{\"n\": 4}\n{\"n\": 5}\n{\"n\": 6}\n").unwrap();
    assert_eq!(it.read().await, ["whole +3"]);
}

/// A file that is gone for longer, or none, is a source that cannot be read; when it comes, all of it is new.
#[tokio::test]
async fn a_file_that_is_not_there() {
    let mut it = Fixture::new(None, &[rate("*")]).await;
    fs::remove_file(it.path()).unwrap();
    assert_eq!(
        it.read().await,
        ["whole +0", "remark: `DIR/log` is gone; the file that it was is still read"]
    );
    assert_eq!(it.read().await, ["fault: `DIR/log`: there is no such file"]);
    append(&it.path(), "{}\n");
    assert_eq!(it.read().await, ["whole +1"]);
    fs::remove_file(it.path()).unwrap();
    fs::create_dir(it.path()).unwrap();
    assert_eq!(it.read().await, ["fault: `DIR/log` is not a file"]);
}

/// Lines speak for the arm that they name; one that names none speaks for nobody, and that is said.
#[tokio::test]
async fn lines_name_their_arm() {
    let arms = |by_version| ArmLabel {
        label: Some("/track".to_owned()),
        by_version,
        stable: "blue".to_owned(),
        canary: "green".to_owned(),
    };
    let lines =
        "{\"track\": \"blue\"}\n{\"track\": \"green\"}\n{\"track\": \"red\"}\n{}\n{\"track\": \"green\"}\n";
    let mut it = Fixture::new(Some(arms(false)), &[rate("*")]).await;
    append(&it.path(), lines);
    let remark = "remark: 2 of 5 lines speak for no arm: `/track` is neither `blue` nor `green`";
    assert_eq!(it.read().await, ["stable +1", "canary +2", remark]);
    assert_eq!(it.read().await, ["stable +0", "canary +0"]);

    let mut it = Fixture::new(Some(arms(true)), &[rate("*")]).await;
    assert_eq!(it.read().await, ["missing: no line has told a version yet"]);
    append(&it.path(), lines);
    let remark = "remark: 1 of 5 lines speak for no arm: they have nothing at `/track`";
    assert_eq!(it.read().await, ["blue +1", "green +2", "red +1", remark]);
    assert_eq!(it.read().await, ["blue +0", "green +0", "red +0"]);
}

/// However many versions a log names, only so many are remembered.
#[tokio::test]
async fn versions_are_bounded() {
    let arms = ArmLabel {
        label: Some("/id".to_owned()),
        by_version: true,
        stable: "stable".to_owned(),
        canary: "canary".to_owned(),
    };
    let mut it = Fixture::new(Some(arms), &[rate("*")]).await;
    let lines: Vec<String> = (0..1_000).map(|id| format!("{{\"id\": {id}}}\n")).collect();
    append(&it.path(), &lines.concat());
    let said = it.read().await;
    assert_eq!(said.len(), 33);
    assert_eq!(said[32], "remark: 968 of 1000 lines speak for no arm: they name more than 32 versions");
}

/// Times and values: of some lines, in the unit that is said; what is none is missing and no zero.
#[tokio::test]
async fn numbers_in_lines() {
    let latency = SeriesSpec::Latency {
        histogram: "/took where /service = \"{service}\"".to_owned(),
        unit: LatencyUnit::Seconds,
    };
    let gauge = SeriesSpec::Gauge { series: "/queue".to_owned(), divide_by: None, unit: GaugeUnit::Plain };
    let mut it = Fixture::new(None, &[latency, gauge]).await;
    assert_eq!(it.read().await, ["whole ", "missing: no line has told `/queue` yet"]);
    append(
        &it.path(),
        "{\"service\": \"checkout\", \"took\": \"0.004\", \"queue\": 7}\n\
         {\"service\": \"checkout\", \"took\": 2}\n{\"service\": \"other\", \"took\": 9, \"queue\": 8}\n",
    );
    assert_eq!(it.read().await, ["whole 5 ms: 1, 2500 ms: 1", "whole 8"]);
    // No new value is not a missing one.
    assert_eq!(it.read().await, ["whole "]);
    append(&it.path(), "{\"service\": \"checkout\", \"took\": null, \"queue\": \"long\"}\n");
    assert_eq!(
        it.read().await,
        ["missing: `/took` is null in a line", "missing: `/queue` is no number in a line"]
    );
}

/// Reads until it says something that is looked for. Returns what had been counted by then.
async fn until(log: &mut Log, says: impl Fn(&str) -> bool) -> (f64, String) {
    let mut counted = 0.0;
    let found = tokio::time::timeout(Duration::from_secs(60), async {
        loop {
            for line in read(log).await {
                counted += line.strip_prefix("whole +").map_or(0.0, |count| count.parse::<f64>().unwrap());
                if says(&line) {
                    return line;
                }
            }
            tokio::task::yield_now().await;
        }
    });
    let line = found.await.unwrap_or_else(|_| panic!("waited in vain; {counted} were counted"));
    (counted, line)
}

fn program(script: &str) -> LogSpec {
    let argv = ["sh", "-c", script].map(str::to_owned).to_vec();
    LogSpec { command: Some(argv), ..spec() }
}

/// A program's lines are counted as they come; when it ends that is said with its last words, and it is started again.
#[tokio::test]
async fn a_program_is_followed() {
    let dir = tempfile::tempdir().unwrap();
    let starts = dir.path().join("starts");
    let script =
        format!("echo x >> '{}'; echo '{{}}'; echo '{{}}'; echo out of luck >&2; exit 3", starts.display());
    let mut log = log(program(&script), &[rate("*")]);
    let (_, said) = until(&mut log, |line| line.starts_with("fault")).await;
    assert!(
        said.starts_with("fault: `sh` ended with exit status: 3: out of luck; it is started again within "),
        "{said}"
    );
    while fs::read_to_string(&starts).unwrap().lines().count() < 2 {
        tokio::task::yield_now().await;
    }
}

/// A program that goes on is ended with the source, and so is what it has started.
#[tokio::test]
async fn a_program_ends_with_its_source() {
    let dir = tempfile::tempdir().unwrap();
    let pid = dir.path().join("pid");
    let script = format!("sleep 600 & echo $! > '{}'; echo '{{}}'; wait", pid.display());
    let mut log = log(program(&script), &[rate("*")]);
    let (_, _) = until(&mut log, |line| line == "whole +1").await;
    let child: i32 = fs::read_to_string(&pid).unwrap().trim().parse().unwrap();
    let child = rustix::process::Pid::from_raw(child).unwrap();
    drop(log);
    let has_gone = || {
        // A killed process that nobody waits for yet is a zombie.
        let stat = fs::read_to_string(format!("/proc/{}/stat", child.as_raw_nonzero()));
        stat.map_or(true, |stat| stat.contains(") Z "))
    };
    while !has_gone() {
        tokio::task::yield_now().await;
    }
}

/// A program that is not there says so.
#[tokio::test]
async fn a_program_that_is_not_there() {
    let argv = vec!["/nowhere/at/all".to_owned()];
    let mut log = log(LogSpec { command: Some(argv), ..spec() }, &[rate("*")]);
    let (_, said) = until(&mut log, |line| line.starts_with("fault")).await;
    assert!(said.starts_with("fault: `/nowhere/at/all` cannot be started: No such file"), "{said}");
}
