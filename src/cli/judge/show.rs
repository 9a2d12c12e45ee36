//! The answer: a thinned table of the path, then what was decided and on what it rests.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;

use serde_json::{Value, json};

use super::play::{Played, Point};
use crate::cli::Exit;
use crate::cli::output::table;
use crate::judge::watch::{Action, MetricKind, Verdict};
use crate::judge::{Conclusion, Evidence, Method, Preset};

/// An e-value as people read it.
fn size(log_e: f64) -> String {
    let e = log_e.exp();
    if e < 0.005 {
        "<0.01".to_owned()
    } else if e < 10.0 {
        format!("{e:.2}")
    } else if e < 1e6 {
        format!("{e:.0}")
    } else {
        // Beyond what a double holds, too.
        format!("1e{:.0}", (log_e / std::f64::consts::LN_10).floor())
    }
}

fn seconds(at_s: f64) -> String {
    let rounded = (at_s * 1000.0).round() / 1000.0;
    format!("{rounded} s")
}

const fn action(action: Action) -> &'static str {
    match action {
        Action::Promote => "promote",
        Action::KeepWatching => "keep watching",
        Action::Hold => "hold",
        Action::RollbackGradual => "roll back gradually",
        Action::RollbackImmediate => "roll back now",
    }
}

const fn preset(preset: Option<Preset>) -> &'static str {
    match preset {
        Some(Preset::Default) => "preset default",
        Some(Preset::Strict) => "preset strict",
        Some(Preset::Relaxed) => "preset relaxed",
        None => "tolerances of the recording",
    }
}

const fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Undecided => "undecided",
        Verdict::Unknown => "unknown",
        Verdict::Safe => "safe",
        Verdict::Harm => "harm",
    }
}

/// The ticks to show: evenly spread, with the first, the last, and those where something happened.
fn shown(played: &Played, rows: usize) -> BTreeSet<usize> {
    let ticks = played.path.len();
    let Some(last) = ticks.checked_sub(1) else { return BTreeSet::new() };
    let mut shown: BTreeSet<usize> = marks(played).into_iter().map(|(tick, _)| tick).collect();
    if shown.len() > rows {
        // A decision that changes all the time: how it began and how it ended.
        let (begin, end) = (rows / 2, shown.len() - rows / 2);
        let kept = shown.into_iter().enumerate().filter(|(i, _)| *i < begin || *i >= end);
        shown = kept.map(|(_, tick)| tick).collect();
    }
    shown.extend([0, last]);
    // Places in between, largest gap first, so that they are spread however the marks lie.
    while shown.len() < rows.min(ticks) {
        let pairs = shown.iter().zip(shown.iter().skip(1));
        let Some((from, to)) = pairs.max_by_key(|(from, to)| *to - *from) else { break };
        let middle = usize::midpoint(*from, *to);
        if !shown.insert(middle) {
            break;
        }
    }
    shown
}

/// Ticks where something happened, with words for it.
fn marks(played: &Played) -> Vec<(usize, String)> {
    let mut marks = Vec::new();
    let needed = 1.0 / played.rules.alpha;
    for e in [played.rules.hold_e, needed] {
        if let Some(tick) = played.path.iter().position(|point| point.log_e >= e.ln()) {
            marks.push((tick, format!("evidence {} of {}", size(e.ln()), size(needed.ln()))));
        }
    }
    for (tick, decision) in &played.changes {
        marks.push((*tick, action(decision.action).to_owned()));
    }
    marks
}

fn path(played: &Played, rows: usize) -> String {
    let has_safe = played.path.iter().any(|point| point.log_e_safe.is_some());
    let mut head = vec!["time".to_owned(), "evidence of harm".to_owned()];
    if has_safe {
        head.push("of safe".to_owned());
    }
    head.extend(["bursts".to_owned(), String::new()]);
    let marks = marks(played);
    let mut lines = vec![head];
    for tick in shown(played, rows) {
        let Some(Point { at_s, log_e, log_e_safe, phi }) = played.path.get(tick) else { continue };
        let mut row = vec![seconds(*at_s), size(*log_e)];
        if has_safe {
            row.push(log_e_safe.map_or_else(String::new, size));
        }
        row.push(if *phi > 1.05 { format!("1/{phi:.1}") } else { String::new() });
        let words: Vec<&str> =
            marks.iter().filter(|(at, _)| *at == tick).map(|(_, words)| words.as_str()).collect();
        row.push(words.join(", "));
        lines.push(row);
    }
    table(&lines)
}

/// What one metric's evidence says, a line each.
fn metric(kind: MetricKind, evidence: &Evidence) -> Vec<(String, String)> {
    let mut lines = Vec::new();
    let what = kind.word();
    let rate = |counts: crate::judge::ArmCounts| {
        counts.rate().map(|rate| format!("{} of {}, {:.2} %", counts.bad, counts.requests, 100.0 * rate))
    };
    let has_requests = !matches!(evidence.method, Method::Split | Method::Medians);
    let unit = if matches!(evidence.method, Method::LatencyArms) { "slow" } else { "bad" };
    if has_requests {
        if let Some(canary) = rate(evidence.canary) {
            lines.push((what.to_owned(), format!("canary: {canary} {unit}")));
        }
        if let Some(stable) = evidence.stable.and_then(rate) {
            lines.push((String::new(), format!("stable: {stable} {unit}")));
        }
    } else if evidence.method == Method::Medians {
        let (blocks, above) = (evidence.canary.requests, evidence.canary.bad);
        lines.push((what.to_owned(), format!("the canary is above in {above} of {blocks} blocks")));
    } else {
        let stable = evidence.stable.map_or(0.0, |stable| stable.bad);
        lines.push((what.to_owned(), format!("canary: {} bad, stable: {stable} bad", evidence.canary.bad)));
    }
    if let Some(interval) = evidence.interval {
        let of = if evidence.stable.is_some() { "canary - stable" } else { "rate" };
        let mark = if evidence.stable.is_some() { "+" } else { "" };
        let side = |share: f64| {
            let text = format!("{:.2}", 100.0 * share);
            if share >= 0.0 { format!("{mark}{text}") } else { text }
        };
        lines.push((
            of.to_owned(),
            format!(
                "{} to {} points, at all times together (95 %)",
                side(interval.lower),
                side(interval.upper)
            ),
        ));
    }
    if let Some(ratio) = evidence.suspected_ratio.filter(|_| evidence.log_e > 0.0) {
        lines.push(("suspected".to_owned(), format!("about {ratio} times what is tolerated")));
    }
    if evidence.is_bursty() {
        lines.push((
            "bursts".to_owned(),
            format!("errors arrive in bursts, the evidence of the next tick counts 1/{:.1}", evidence.phi),
        ));
    }
    if let Some(outlook) = evidence.outlook.filter(|outlook| outlook.requests >= 1.0) {
        let conclusion = match outlook.conclusion {
            Conclusion::Harm => "harmful",
            Conclusion::Safe => "safe",
        };
        let requests = outlook.requests.ceil();
        let about = if requests < 1e9 { format!("about {requests}") } else { "far too many".to_owned() };
        lines.push((
            "to decide".to_owned(),
            format!("{about} more canary requests to call it {conclusion}, if things stay as they are"),
        ));
    }
    lines
}

fn left_out(played: &Played) -> Vec<(String, String)> {
    let few = played.left_out.iter().take(3).map(|left| {
        let place = left
            .line
            .map_or_else(|| format!("tick {}", left.tick.unwrap_or_default()), |line| format!("line {line}"));
        format!("{place}: {}", left.because)
    });
    let few: Vec<String> = few.collect();
    if few.is_empty() {
        return Vec::new();
    }
    let more = if played.left_out.len() > few.len() { ", ..." } else { "" };
    let many = if played.left_out.len() == 1 { "" } else { "s" };
    let words = format!("{} interval{many} ({}{more})", played.left_out.len(), few.join("; "));
    vec![("left out".to_owned(), words)]
}

/// What was decided, and when that was reached.
fn decision(played: &Played) -> String {
    let mut words = verdict(played.verdict()).to_owned();
    let (Some(last), Some(reached_s)) = (&played.last, played.reached_s()) else { return words };
    let first = played.first_rollback().unwrap_or(last);
    let is_final = first.action.is_rollback() || last.verdict == Verdict::Safe;
    let reached = if is_final { "reached at" } else { "since" };
    let _ = write!(words, ": {}, {reached} {}", action(first.action), seconds(reached_s));
    if let Some((_, change)) = played.changes.last().filter(|(_, change)| change.action > first.action) {
        let _ = write!(words, ", {} at {}", action(change.action), seconds(change.at_s));
    }
    let was_safe =
        played.changes.iter().map(|(_, change)| change).find(|change| change.verdict == Verdict::Safe);
    if let Some(was_safe) = was_safe.filter(|change| last.verdict == Verdict::Safe && change.at_s < reached_s)
    {
        let _ = write!(words, ", for the first time at {}", seconds(was_safe.at_s));
    }
    words
}

fn chance(p_value: f64) -> String {
    if p_value >= 0.01 { format!("{p_value:.2}") } else { format!("{p_value:.0e}") }
}

/// Prints the answer.
pub(super) fn print(name: &str, played: &Played, rows: usize) -> std::io::Result<()> {
    let mut text = String::new();
    let about = if played.about.is_empty() { String::new() } else { format!(": {}", played.about) };
    let needed = 1.0 / played.rules.alpha;
    let _ = writeln!(text, "{name}{about}");
    let history = if played.history_s > 0.0 {
        format!("{} of history", seconds(played.history_s))
    } else {
        "no history".to_owned()
    };
    let _ = writeln!(
        text,
        "{}; {} ticks, {history}; alpha {} (evidence of {} is needed), {}\n",
        played.compares,
        played.path.len(),
        played.rules.alpha,
        size(needed.ln()),
        preset(played.preset)
    );
    if !played.path.is_empty() {
        let _ = writeln!(text, "{}", path(played, rows));
    }
    let mut lines: Vec<(String, String)> = Vec::new();
    lines.push(("decision".to_owned(), decision(played)));
    let crossed = |e: f64| {
        let place =
            played.crossed(e).map_or_else(|| "never".to_owned(), |at_s| format!("at {}", seconds(at_s)));
        format!("{} {place}", size(e.ln()))
    };
    if let Some(last) = &played.last {
        lines.push((
            "evidence".to_owned(),
            format!(
                "{} of {} at the end; crossed {}, {}",
                size(last.log_e),
                size(needed.ln()),
                crossed(played.rules.hold_e),
                crossed(needed)
            ),
        ));
        lines.push((
            "p-value".to_owned(),
            format!(
                "{}, the chance of a false alarm if the best evidence had been acted on",
                chance(last.p_value)
            ),
        ));
    }
    for (kind, evidence) in &played.evidence {
        lines.extend(metric(*kind, evidence));
    }
    lines.extend(left_out(played));
    if let Some(why) = played.not_compared {
        lines.push(("expected".to_owned(), format!("not compared: {why}")));
    }
    if let Some(agreement) = &played.agreement {
        let unknown = match agreement.unknown {
            0 => String::new(),
            many => format!(" ({many} have a name that is not known here)"),
        };
        let words = if agreement.differences.is_empty() {
            format!("agrees with all {} figures that the file expects{unknown}", agreement.compared)
        } else {
            format!(
                "DOES NOT AGREE: {} of {} figures differ{unknown}",
                agreement.differences.len(),
                agreement.compared
            )
        };
        lines.push(("expected".to_owned(), words));
        lines.extend(agreement.differences.iter().take(10).map(|line| (String::new(), line.clone())));
    }
    let rows: Vec<Vec<String>> = lines.into_iter().map(|(name, words)| vec![name, words]).collect();
    let _ = write!(text, "{}", table(&rows));
    std::io::stdout().lock().write_all(text.as_bytes())
}

/// The answer for programs.
pub(super) fn json(name: &str, played: &Played, exit: Exit) -> Value {
    let point = |point: &Point| json!({ "at_s": point.at_s, "log_e": point.log_e, "log_e_safe": point.log_e_safe, "phi": point.phi });
    let evidence: serde_json::Map<String, Value> = played
        .evidence
        .iter()
        .filter_map(|(kind, evidence)| Some((kind.word().to_owned(), serde_json::to_value(evidence).ok()?)))
        .collect();
    let left_out: Vec<Value> = played
        .left_out
        .iter()
        .map(|left| json!({ "tick": left.tick, "line": left.line, "because": left.because }))
        .collect();
    let needed = 1.0 / played.rules.alpha;
    json!({
        "file": name,
        "about": played.about,
        "method": "evidence",
        "preset": played.preset,
        "alpha": played.rules.alpha,
        "needed": needed,
        "history_s": played.history_s,
        "verdict": played.verdict(),
        "reached_s": played.reached_s(),
        "crossed_hold_s": played.crossed(played.rules.hold_e),
        "crossed_needed_s": played.crossed(needed),
        "decision": played.last,
        "changes": played.changes.iter().map(|(_, decision)| decision).collect::<Vec<_>>(),
        "evidence": evidence,
        "path": played.path.iter().map(point).collect::<Vec<_>>(),
        "left_out": left_out,
        "agreement": played.agreement,
        "exit": exit as u8,
    })
}
