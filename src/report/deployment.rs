//! The record of each deployment and rollback of a service: version, when, by whom, how long, how it ended, what was found and how
//! it was verified. As data, and as Markdown.

use std::fmt::Write as _;

use jiff::Timestamp;
use serde::Serialize;

use super::markdown::{code, entry, inline, table, when};
use super::releases::Releases;
pub use super::releases::{Change, ChangeFate, ChangeKind, Failure};
use super::sight::Sight;
use super::{Entry, Millis};
use crate::engine::baseline;
use crate::model::baseline::Figure;
use crate::model::units::human;
use crate::model::{OperationId, ServiceName, Unit};

/// What a record calls itself.
pub const SCHEMA: &str = "unship-deployment-report/1";

/// Deployments and rollbacks, newest first.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Record {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// When this record was made.
    pub made_at: Timestamp,
    /// What happened.
    pub changes: Vec<Change>,
}

/// What is asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Only {
    /// Everything.
    All,
    /// One service.
    Service(ServiceName),
    /// What one operation did.
    Operation(OperationId),
}

/// Makes the record.
#[derive(Debug, Default)]
pub struct Recorder {
    releases: Releases,
    sight: Sight,
}

impl Recorder {
    /// Takes the next entry of the journal.
    pub fn take(&mut self, entry: &Entry<'_>) {
        self.releases.take(entry, &self.sight);
        self.sight.take(entry);
    }

    /// The record as of now.
    pub fn finish(self, only: &Only, now: Timestamp) -> Record {
        let is_asked = |change: &Change| match only {
            Only::All => true,
            Only::Service(service) => change.service == *service,
            Only::Operation(operation) => change.operation.as_ref() == Some(operation),
        };
        let mut changes: Vec<Change> = self.releases.changes.into_iter().filter(is_asked).collect();
        changes.reverse();
        Record { schema: SCHEMA, made_at: now, changes }
    }
}

impl Change {
    /// How it ended, in words: `live`, `rolled back`, `traffic back, verified`.
    pub fn ended(&self) -> String {
        match self.outcome {
            Some(outcome) => format!("{}, {}", self.fate.words(), outcome.words()),
            None => self.fate.words().to_owned(),
        }
    }

    /// How long it took, in words.
    pub fn took_words(&self) -> String {
        match self.took() {
            Some(took) => took.to_string(),
            None if self.at_first_look => "not known: it was there at the first look".to_owned(),
            None if self.at_once => "not known: it was seen at once".to_owned(),
            None => "not all the traffic yet, or never".to_owned(),
        }
    }
}

/// The record as Markdown.
pub fn markdown(record: &Record) -> String {
    let mut out = String::from("# Deployments and rollbacks\n\n");
    let _ = writeln!(out, "As of {} UTC. `#n` is entry n of the journal.", when(record.made_at));
    if record.changes.is_empty() {
        out.push_str("\nThe journal knows of none.\n");
    }
    for change in &record.changes {
        let of = if change.kind == ChangeKind::Rollback { "to" } else { "of" };
        let _ = writeln!(
            out,
            "\n## {}: {} {of} {}\n",
            change.service,
            change.kind.word(),
            inline(change.version.as_str())
        );
        let mut rows = vec![
            fact("began", format!("{} UTC {}", when(change.at), entry(change.seq))),
            fact(
                "from",
                change.from.as_ref().map_or_else(|| "not known".to_owned(), |from| inline(from.as_str())),
            ),
            fact("to", format!("{}, {}", inline(change.version.as_str()), code(change.release.as_str()))),
            fact("by", inline(&change.by)),
            fact("ended", change.ended()),
            fact("until all the traffic was there", change.took_words()),
        ];
        if !change.reason.is_empty() {
            rows.push(fact("why", inline(&change.reason)));
        }
        if let Some(operation) = &change.operation {
            let how = change.strategy.unwrap_or_default();
            rows.push(fact("operation", format!("{operation}, {how}")));
        }
        if let Some(lead) = change.lead().filter(|_| change.kind != ChangeKind::Rollback) {
            rows.push(fact("since the platform made it", lead.to_string()));
        }
        if !change.detail.is_empty() {
            rows.push(fact("verification", inline(&change.detail)));
        }
        for watched in &change.watched {
            rows.push(fact(&format!("after {}", human(*watched.window)), watched.words()));
        }
        if let Some((quality, why)) = &change.quality {
            rows.push(fact("worth", format!("{}: {}", quality.word(), inline(why))));
        }
        if let Some(failure) = &change.failure {
            rows.push(fact("failed", failure.words(change.recovery())));
        }
        for (indicator, figure) in change.metrics.iter().flat_map(|metrics| &metrics.figures) {
            // The unit follows from the kind of figure; that of a gauge only the config knows.
            let unit = match figure {
                Figure::Ratio { .. } => Unit::Share,
                Figure::Latency { .. } => Unit::Millis,
                Figure::Rate { .. } | Figure::Gauge { .. } => Unit::Plain,
            };
            rows.push(fact(&inline(indicator.as_str()), baseline::shown(figure, unit)));
        }
        out.push_str(&table(&["what", "fact"], &rows));
        if !change.findings.is_empty() {
            out.push_str("\nFindings:\n\n");
            for finding in &change.findings {
                let _ = writeln!(out, "- {}", inline(finding));
            }
        }
    }
    out
}

fn fact(what: &str, fact: String) -> Vec<String> {
    vec![what.to_owned(), fact]
}

impl Failure {
    /// In words; `recovery` is how long it took from the first traffic of the failed deployment, where that is known.
    pub fn words(&self, recovery: Option<Millis>) -> String {
        let met = format!("met by a {} at {} UTC {}", self.by.word(), when(self.at), entry(self.seq));
        match self.recovered_at {
            Some(at) => match recovery {
                Some(took) => format!("{met}; recovered {took} after it first got traffic"),
                None => format!("{met}; recovered at {} UTC", when(at)),
            },
            None if self.not_the_cause => {
                format!("{met}; that did not help: it was not the cause, or not alone")
            }
            None => format!("{met}; whether the service has recovered by that is not known"),
        }
    }
}
