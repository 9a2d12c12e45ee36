//! What came of a gate, in Markdown, for the page of a pipeline.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::Path;

use crate::cli::Exit;
use crate::model::validation::TrialReport;

/// What an exit code means here.
pub(super) const fn verdict(exit: Exit) -> &'static str {
    match exit {
        Exit::Fine => "passed",
        Exit::Unhealthy => "failed",
        Exit::Failed => "failed, and a person is needed",
        Exit::Unknown => "not known",
        Exit::TimedOut => "out of time",
        Exit::Error | Exit::Usage | Exit::Refused | Exit::NotLeader => "not tried",
    }
}

/// Adds a summary to a file, which may have others in it.
pub(super) fn add(
    file: &Path,
    service: &str,
    what: &str,
    exit: Exit,
    reports: &[TrialReport],
) -> io::Result<()> {
    let mut file = OpenOptions::new().create(true).append(true).open(file)?;
    file.write_all(write(service, what, exit, reports).as_bytes())
}

fn write(service: &str, what: &str, exit: Exit, reports: &[TrialReport]) -> String {
    let mut text = format!("## {what} of {}: {}\n\n", cell(service), verdict(exit));
    text.push_str("| | what | how | took |\n|---|---|---|---|\n");
    for report in reports {
        for trial in &report.trials {
            let _ = writeln!(
                text,
                "| {} | {}: {} | {} | {:.1} s |",
                trial.outcome.word(),
                cell(&report.name),
                cell(&trial.name),
                cell(&trial.detail),
                trial.took_ms / 1e3
            );
        }
    }
    text.push('\n');
    text
}

/// Text in a cell of a table: nothing in it ends the cell, or is taken for HTML.
fn cell(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('|', "\\|")
        .replace('<', "&lt;")
        .replace('`', "'")
        .replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::validation::{Trial, TrialOutcome};

    /// A table that stays one, whatever a service answered.
    #[test]
    fn a_summary() {
        let trial = |name: &str, outcome, detail: &str| Trial {
            name: name.to_owned(),
            outcome,
            took_ms: 1_200.0,
            detail: detail.to_owned(),
        };
        let report = TrialReport {
            name: "health".to_owned(),
            address: None,
            at: "2026-11-26T10:00:00Z".parse().unwrap(),
            took_ms: 1_200.0,
            trials: vec![
                trial("live", TrialOutcome::Passed, "healthy"),
                trial("deep", TrialOutcome::Failed, "503: <b>a | b</b>\nmore"),
            ],
            latency: None,
        };
        insta::assert_snapshot!(write("checkout", "gate", Exit::Unhealthy, &[report]));
    }
}
