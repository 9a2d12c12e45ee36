//! `unship judge`: judges a recorded comparison offline, as a watch would have done it live. It reads a file and acts on
//! nothing.

mod agreement;
mod counts_table;
mod play;
mod recording;
mod show;
mod stream;
mod two_windows;

use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::builder::PossibleValuesParser;
use clap::builder::TypedValueParser as _;

use super::output::{note, print_json};
use super::{Exit, Global};
use crate::judge::Preset;
use crate::judge::watch::Verdict;
use play::Played;
use recording::Recording;

const DETAILS: &str = "\
Files:
  JSON     a recording: `kind` (pair, one_arm, counts_only, latency_hist, latency_raw, gauge, judge), `ticks`, and
           optionally `history`, `config` and `expect`; with `expect` it is said whether the figures agree
  CSV      a header and a row an interval: `time` or `length` in seconds (or both), `canary_requests`, `canary_bad`,
           `stable_requests`, `stable_bad`, each for that interval alone; rows before the canary's first request are history
  columns  with --method mann-whitney: a value of the canary and one of stable a row, `NaN` where one is missing

Ends with 0 when the canary is safe (mann-whitney: pass), 3 when it is harmful (high or low), 6 when that is not decided (no
data), 1 when the figures do not agree with those that the file expects, 2 when the file cannot be understood.";

/// Judge a recorded comparison of a canary with stable.
#[derive(clap::Args, Clone, Debug)]
#[command(after_long_help = DETAILS, after_help = "`unship judge --help` tells what the file may hold and how it ends.")]
pub struct Args {
    /// The recording; `-` is standard input.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// How to judge: by evidence, tick by tick, or once by ranks.
    #[arg(long, value_enum, default_value_t = Method::Evidence)]
    pub method: Method,
    /// The chance of a false alarm that is accepted for the whole watch, above 0 and at most 0.5. Without it: 0.01, or what
    /// the recording says.
    #[arg(long, value_parser = chance)]
    pub alpha: Option<f64>,
    /// How much worse a canary may be: default, strict or relaxed. Without it: default, or what the recording says.
    #[arg(
        long,
        value_parser = PossibleValuesParser::new(["default", "strict", "relaxed"]).map(|word| preset(&word))
    )]
    pub preset: Option<Preset>,
    /// How many rows of the path to print, at most.
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub rows: usize,
    #[command(flatten)]
    ranks: two_windows::Options,
}

/// How a recording is judged.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Evidence that may be looked at at any time.
    Evidence,
    /// The comparison of two finished windows by ranks, as Kayenta does it.
    MannWhitney,
}

fn preset(word: &str) -> Preset {
    match word {
        "strict" => Preset::Strict,
        "relaxed" => Preset::Relaxed,
        _ => Preset::Default,
    }
}

fn chance(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(chance) if chance > 0.0 && chance <= 0.5 => Ok(chance),
        _ => Err("expected a number above 0 and at most 0.5, such as 0.01".to_owned()),
    }
}

/// A mistake in a file, with its place; what `unship judge` ends with 2 for.
#[derive(Debug, thiserror::Error)]
#[error("{}", lines(.0))]
struct Mistakes(Vec<Mistake>);

/// One mistake.
#[derive(Clone, Debug, PartialEq)]
struct Mistake {
    /// Line and column, counted from 1; none when it is the file as a whole.
    at: Option<(usize, usize)>,
    /// What was found and what was expected.
    message: String,
}

/// More would not be read.
const SHOWN_MISTAKES: usize = 10;

fn lines(mistakes: &[Mistake]) -> String {
    let mut text: Vec<String> = mistakes.iter().take(SHOWN_MISTAKES).map(|m| m.message.clone()).collect();
    if mistakes.len() > SHOWN_MISTAKES {
        text.push(format!("and {} more", mistakes.len() - SHOWN_MISTAKES));
    }
    text.join("\n")
}

/// Runs `unship judge`.
///
/// # Errors
///
/// If the file cannot be read or the answer cannot be written. A mistake in the file is an answer, with [`Exit::Usage`].
pub fn run(args: &Args, global: &Global) -> anyhow::Result<Exit> {
    let name = name_of(&args.file);
    let text = read(&args.file).with_context(|| format!("cannot read {name}"))?;
    if args.method == Method::MannWhitney {
        return match two_windows::read(&text) {
            Ok(windows) => two_windows::run(&name, &windows, &args.ranks, global),
            Err(mistakes) => Ok(refuse(&name, mistakes)),
        };
    }
    let is_json = text.trim_start().starts_with('{');
    let read = if is_json {
        Recording::parse(&text, args.alpha, args.preset)
    } else {
        counts_table::parse(&text, args.alpha, args.preset)
    };
    let recording = match read {
        Ok(recording) => recording,
        Err(mistakes) => return Ok(refuse(&name, mistakes)),
    };
    let played = play::play(recording);
    let exit = exit_of(&played);
    if global.json {
        print_json(&show::json(&name, &played, exit))?;
    } else {
        show::print(&name, &played, args.rows)?;
    }
    Ok(exit)
}

fn exit_of(played: &Played) -> Exit {
    if played.agreement.as_ref().is_some_and(|agreement| !agreement.differences.is_empty()) {
        return Exit::Error;
    }
    match played.verdict() {
        Verdict::Harm => Exit::Unhealthy,
        Verdict::Safe => Exit::Fine,
        Verdict::Undecided | Verdict::Unknown => Exit::Unknown,
    }
}

fn name_of(file: &Path) -> String {
    if file == Path::new("-") { "standard input".to_owned() } else { file.display().to_string() }
}

fn read(file: &Path) -> std::io::Result<String> {
    if file == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().lock().read_to_string(&mut text)?;
        return Ok(text);
    }
    std::fs::read_to_string(file)
}

/// Says every mistake with its file, line and column.
fn refuse(name: &str, mistakes: Mistakes) -> Exit {
    let placed = mistakes.0.into_iter().map(|Mistake { at, message }| {
        let place = at.map_or_else(|| name.to_owned(), |(line, column)| format!("{name}:{line}:{column}"));
        Mistake { at, message: format!("{place}: {message}") }
    });
    note!("{}", Mistakes(placed.collect()));
    Exit::Usage
}
