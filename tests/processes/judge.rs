//! `unship judge`: a recorded comparison, judged offline.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::text;

fn command(home: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_unship"));
    command
        .arg("judge")
        .args(arguments)
        .env("HOME", home)
        .env("XDG_STATE_HOME", home)
        .env_remove("UNSHIP_CONFIG");
    command
}

/// Runs it on a file with this content.
fn judge(content: &str, arguments: &[&str]) -> Output {
    let home = TempDir::new().unwrap();
    let file = home.path().join("recording");
    std::fs::write(&file, content).unwrap();
    command(home.path(), &[&[file.to_str().unwrap()], arguments].concat()).output().unwrap()
}

#[track_caller]
fn assert_said(output: &Output, code: i32, words: &[&str]) {
    let said = text(&output.stdout) + &text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    for words in words {
        assert!(said.contains(words), "{words:?} is not in\n{said}");
    }
}

/// Ten minutes of history in steps of ten seconds, then five minutes with a canary that fails so often of 200 requests.
fn counts(canary_bad: u32) -> String {
    let mut table = "time,canary_requests,canary_bad,stable_requests,stable_bad\n".to_owned();
    for i in 0..60 {
        writeln!(table, "{},0,0,800,{}", 1000 + i * 10, 7 + i % 3).unwrap();
    }
    for i in 60..90 {
        writeln!(table, "{},200,{canary_bad},800,{}", 1000 + i * 10, 7 + i % 3).unwrap();
    }
    table
}

/// Where the reference recordings are: outside the project, and not everywhere.
fn vectors() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/vectors");
    if !path.is_dir() {
        println!("skipped: there is no {}", path.display());
        return None;
    }
    Some(path)
}

/// When it fails, a recording of a known regression is read otherwise than it was meant, or its end is told wrongly.
#[test]
fn reference_recordings_agree() {
    let Some(vectors) = vectors() else { return };
    let home = TempDir::new().unwrap();
    let mut judged = 0;
    for (name, code, words) in [
        ("judge_pair_plus5pp.json", 3, "harm: roll back"),
        ("judge_pair_healthy_spikes.json", 0, "safe: promote"),
        ("judge_one_arm_slo.json", 3, "harm: roll back"),
        ("judge_latency_hist_x2.json", 3, "harm: roll back"),
        ("judge_gauge_step.json", 3, "harm: roll back"),
        ("judge_watch_regression_at_200.json", 3, "harm: roll back gradually, reached at 227 s"),
    ] {
        let file = vectors.join(name);
        if !file.exists() {
            continue;
        }
        let output = command(home.path(), &[file.to_str().unwrap()]).output().unwrap();
        assert_said(&output, code, &[words, "agrees with all"]);
        assert!(!text(&output.stdout).contains("not known here"), "{}", text(&output.stdout));
        judged += 1;
    }
    println!("{judged} recordings");
}

/// A table of counts ends with harm, safe or undecided, by the exit code and in words; times count from the canary's start.
#[test]
fn a_table_of_counts_is_judged() {
    let harm = judge(&counts(12), &[]);
    assert_said(&harm, 3, &["600 s of history", "harm: roll back", "preset default", "of 100 at the end"]);
    assert_said(&judge(&counts(1), &[]), 0, &["safe: promote", "canary - stable"]);
    let undecided = counts(3).lines().take(63).collect::<Vec<_>>().join("\n");
    assert_said(&judge(&undecided, &[]), 6, &["undecided: keep watching", "more canary requests to call it"]);
    // Twice the errors are tolerated by nobody but whoever says so; and a smaller alpha takes longer.
    assert_said(&judge(&counts(3), &["--preset", "relaxed"]), 0, &["preset relaxed", "safe: promote"]);
    let reached = |alpha: &str| {
        let output = judge(&counts(12), &["--json", "--alpha", alpha]);
        let json: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(json["exit"], 3, "{json}");
        json["reached_s"].as_f64().unwrap()
    };
    assert!(reached("0.01") < reached("1e-9"));
}

/// The path is thinned to the rows that were asked for and keeps the ones where something happened.
#[test]
fn the_path_is_thinned() {
    let output = judge(&counts(12), &["--rows", "6"]);
    let said = text(&output.stdout);
    let rows =
        said.lines().filter(|line| line.split_once(" s ").is_some_and(|(at, _)| at.parse::<f64>().is_ok()));
    assert!((4..=7).contains(&rows.count()), "{said}");
    assert_said(&output, 3, &["of 100", "10 s", "300 s"]);
}

/// It reads what is piped into it.
#[test]
fn standard_input_is_read() {
    let home = TempDir::new().unwrap();
    let mut child = command(home.path(), &["-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(counts(12).as_bytes()).unwrap();
    assert_said(&child.wait_with_output().unwrap(), 3, &["standard input", "harm"]);
}

/// What does not fit is said with line, column and what was expected: all of it at once.
#[test]
fn mistakes_have_a_place() {
    let table = "length,canary_requests,canary_bad,stable_requests,stable_bad\n10,20,x,80,1\n10,20,1,80\n";
    let said = judge(table, &[]);
    assert_said(
        &said,
        2,
        &["recording:2:7: found `x`, expected a number: canary_bad", "recording:3:1: 4 cells, expected 5"],
    );
    let table = "time,canary_requests,canary_bad,stable_bad\n";
    assert_said(&judge(table, &[]), 2, &["recording:1:1: the header has no column `stable_requests`"]);
    assert_said(&judge("", &[]), 2, &["there is nothing in it"]);
    let recording = "{\"kind\": \"pair\", \"ticks\": [\n[0, 1, 10, \"many\", 90, 1]]}";
    assert_said(&judge(recording, &[]), 2, &["recording:2:", "expected a number"]);
    assert_said(
        &judge("{\"kind\": \"pairs\", \"ticks\": []}", &[]),
        2,
        &["`kind` is `pairs`, expected one of pair,"],
    );
    let recording = "{\"kind\": \"pair\", \"config\": {\"slop\": 1}, \"ticks\": []}";
    assert_said(&judge(recording, &[]), 2, &["recording:1:", "unknown field `slop`, expected"]);
    assert_said(&judge("", &["--alpha", "2"]), 2, &["above 0 and at most 0.5"]);
}

/// A tick that is none, as after a counter was reset, is left out and named, never repaired.
#[test]
fn what_is_no_tick_is_left_out() {
    let reset = counts(1).replacen("1650,200,1,800", "1650,-200,1,800", 1);
    assert_said(&judge(&reset, &[]), 0, &["1 interval (line 67: a count is negative"]);
    // A missing count is no zero.
    let missing = counts(1).replacen("1650,200,1,800", "1650,200,,800", 1);
    assert_said(&judge(&missing, &[]), 0, &["1 interval (line 67: a number is missing"]);
    // Nor in the history.
    let missing = counts(1).replacen("1100,0,0,800,", "1100,0,0,,", 1);
    assert_said(&judge(&missing, &[]), 0, &["1 interval (line 12: a number is missing", "590 s of history"]);
}

/// Figures that differ from what a file expects end with an error that names them.
#[test]
fn disagreement_is_an_error() {
    let tick = |i: u32| json!([i, 1, 10, 8, 90, 1]);
    let mut recording = json!({
        "kind": "pair",
        "history": vec![json!([1, 90, 1]); 300],
        "ticks": (0..10).map(tick).collect::<Vec<_>>(),
        "expect": { "first_tick_with_log_e_at_least_ln100": 1 },
    });
    assert_said(&judge(&recording.to_string(), &[]), 3, &["agrees with all 1 figures"]);
    recording["expect"]["checkpoints"] = json!([{ "tick": 4, "log_e": 0.5 }]);
    assert_said(
        &judge(&recording.to_string(), &[]),
        1,
        &["DOES NOT AGREE", "tick 4 log_e is", "expected 0.5"],
    );
    // With other settings the file's figures mean nothing.
    assert_said(&judge(&recording.to_string(), &["--preset", "strict"]), 3, &["not compared"]);
}

/// Two columns of numbers are compared by ranks, with the class as the exit code.
#[test]
fn two_windows_are_compared_by_ranks() {
    let ranks =
        |content: &str, more: &[&str]| judge(content, &[&["--method", "mann-whitney"], more].concat());
    let worse = "canary,stable\n21,10\n23,11\n20,9\n25,12\n22,10\n24,NaN\n";
    assert_said(&ranks(worse, &[]), 3, &["class      high", "effect     2."]);
    assert_said(&ranks(worse, &["--direction", "decrease"]), 0, &["class      pass"]);
    assert_said(&ranks(worse, &["--allowed-increase", "3"]), 0, &["class      pass"]);
    assert_said(&ranks("1 2\n2 1\n3 3\n", &[]), 0, &["class      pass"]);
    assert_said(&ranks("canary,stable\n1,NaN\n2,NaN\n", &[]), 6, &["class      no data"]);
    assert_said(&ranks("canary,stable\n1,NaN\n2,NaN\n", &["--nan", "replace"]), 3, &["class      high"]);
    assert_said(&ranks("1,2\n1,b\n", &[]), 2, &["recording:2:3: found `b`, expected a number: stable"]);
    let json = ranks(worse, &["--json"]);
    let json: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json["class"], "high", "{json}");
}
