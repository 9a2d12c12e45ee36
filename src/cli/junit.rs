//! JUnit XML, as continuous integration reads it: a `testsuite` of each report and a `testcase` of each trial.
//!
//! Format: the de facto schema of the Ant JUnit task, as Jenkins, GitLab and GitHub's reporters take it.

use std::fmt::Write as _;

use crate::model::validation::{TrialOutcome, TrialReport};

/// The whole document.
pub(crate) fn write(reports: &[TrialReport]) -> String {
    let count = |wanted: fn(TrialOutcome) -> bool| {
        reports.iter().flat_map(|report| &report.trials).filter(|trial| wanted(trial.outcome)).count()
    };
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let took: f64 = reports.iter().map(|report| report.took_ms).sum::<f64>() / 1e3;
    let failures = count(|outcome| outcome == TrialOutcome::Failed);
    let skipped = count(|outcome| outcome == TrialOutcome::NotRun);
    let tests = count(|_| true);
    let _ = writeln!(
        text,
        "<testsuites name=\"unship\" tests=\"{tests}\" failures=\"{failures}\" errors=\"{skipped}\" time=\"{took:.3}\">"
    );
    for report in reports {
        suite(&mut text, report);
    }
    text.push_str("</testsuites>\n");
    text
}

fn suite(text: &mut String, report: &TrialReport) {
    let count = |outcome| report.trials.iter().filter(|trial| trial.outcome == outcome).count();
    let name = escape(&report.name);
    let _ = writeln!(
        text,
        "  <testsuite name=\"{name}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" time=\"{:.3}\" timestamp=\"{:.0}\">",
        report.trials.len(),
        count(TrialOutcome::Failed),
        count(TrialOutcome::NotRun),
        report.took_ms / 1e3,
        report.at
    );
    for trial in &report.trials {
        let (case, detail) = (escape(&trial.name), escape(&trial.detail));
        let _ = write!(
            text,
            "    <testcase classname=\"{name}\" name=\"{case}\" time=\"{:.3}\"",
            trial.took_ms / 1e3
        );
        let _ = match trial.outcome {
            TrialOutcome::Passed => writeln!(text, "/>"),
            TrialOutcome::Failed => writeln!(text, "><failure message=\"{detail}\"/></testcase>"),
            // What could not be tried shows nothing: it counts against the release.
            TrialOutcome::NotRun => writeln!(text, "><error message=\"{detail}\"/></testcase>"),
            TrialOutcome::Warned => writeln!(text, "><system-out>{detail}</system-out></testcase>"),
        };
    }
    text.push_str("  </testsuite>\n");
}

/// Text as it may stand in an attribute. Characters that XML does not allow at all are left out.
fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\n' => safe.push_str("&#10;"),
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => {}
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::validation::Trial;

    /// Every outcome as CI reads it, and nothing from outside breaks the document.
    #[test]
    fn a_document() {
        let trial = |name: &str, outcome, detail: &str| Trial {
            name: name.to_owned(),
            outcome,
            took_ms: 12.0,
            detail: detail.to_owned(),
        };
        let report = TrialReport {
            name: "shop".to_owned(),
            address: None,
            at: "2026-11-26T10:00:00Z".parse().unwrap(),
            took_ms: 48.0,
            trials: vec![
                trial("health", TrialOutcome::Passed, "200"),
                trial("login", TrialOutcome::Failed, "expected \"<500\", got 503 & \u{1}more"),
                trial("cart", TrialOutcome::NotRun, "needs {token}"),
                trial("load", TrialOutcome::Warned, "slow"),
            ],
            latency: None,
        };
        insta::assert_snapshot!(write(&[report]));
    }
}
