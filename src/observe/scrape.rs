//! Reading a Prometheus exposition endpoint: one GET feeds all indicators of the source.
//!
//! # How counters become samples
//!
//! - A sample is what a counter grew by since the last reading that succeeded; after readings that failed it spans all of
//!   the gap.
//! - A counter that is smaller than before has been reset: what it shows has happened since.
//! - On the first reading there is nothing to compare with, so there are no samples of counters, and nothing is missing.
//! - A series that was not there at the reading before is new and counts in full: a canary's series appear with its first
//!   requests, and these are the ones to look at.
//! - A series that vanishes is not reported; its value is remembered for ten readings, so that one that was only left out
//!   for a moment does not count its whole life again.
//!
//! A value that is infinite or not a number is missing, for its subject; it is never zero.

mod collect;
mod growth;
mod reading;

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use crate::model::SourceName;
use crate::model::source::{Reading, ScrapeSpec, SourceFault, SourceReport, SourceSpec};

use super::http::{Client, Description, Endpoint, Line};
use super::schedule::ObserveError;
use super::{SourceTarget, exposition};
use reading::Readings;

/// A source that is ready to be read, again and again.
pub(super) struct Source {
    name: SourceName,
    spec: ScrapeSpec,
    line: Result<Line, String>,
    readings: Readings,
}

/// A report, and whether the source kept its connection waiting to the end.
pub(super) struct Read {
    pub(super) report: SourceReport,
    pub(super) hung: bool,
}

/// A text larger than this is read on a thread for blocking work, so that it does not hold up the probes.
const LARGE: usize = 512 * 1024;

impl Source {
    /// Prepares a source.
    pub(super) fn new(target: SourceTarget, client: &Client) -> Result<Self, ObserveError> {
        let SourceSpec::Scrape(spec) = target.spec;
        for (what, time) in [("interval", spec.interval), ("timeout", spec.timeout)] {
            if time.is_zero() {
                return Err(ObserveError::SourceTime { source_name: target.source, what });
            }
        }
        let readings = Readings::new(target.indicators, spec.arms.clone())?;
        let endpoint = Endpoint::new(
            &Description {
                url: &spec.url,
                method: "GET",
                accept: "text/plain;version=0.0.4, application/openmetrics-text;version=1.0.0;q=0.8, */*;q=0.1",
                headers: &BTreeMap::new(),
                secret_headers: &spec.secret_headers,
                keep: true,
            },
            client.secrets(),
        );
        Ok(Self { name: target.source, line: endpoint.map(Line::new), spec, readings })
    }

    /// Time between two readings.
    pub(super) fn interval(&self) -> Duration {
        self.spec.interval.0
    }

    /// Reads it once.
    pub(super) async fn read(&mut self, client: &Client) -> Read {
        let (at, hung, result) = match &mut self.line {
            Err(reason) => (Timestamp::now(), false, Err(reason.clone())),
            Ok(line) => {
                let exchange = line.ask(client, self.spec.timeout.0, self.spec.max_body).await;
                let hung = exchange.hung(self.spec.timeout.0);
                let shown = line.endpoint().shown.clone();
                let result = match (exchange.status, exchange.body) {
                    (Some(200), Ok(body)) => self.understand(body, exchange.at).await,
                    (Some(status), Ok(_)) => Err(format!("status {status}")),
                    (_, Err(failure)) => Err(failure.words().to_owned()),
                    (None, Ok(_)) => Err("an answer without a status".to_owned()),
                };
                (exchange.at, hung, result.map_err(|reason| format!("`{shown}`: {reason}")))
            }
        };
        let result = result.map_err(|reason| SourceFault { reason: client.secrets().redact(&reason) });
        Read { report: SourceReport { source: self.name.clone(), at, result }, hung }
    }

    async fn understand(&mut self, body: Vec<u8>, at: Timestamp) -> Result<Reading, String> {
        if body.len() <= LARGE {
            return take(&mut self.readings, &body, at);
        }
        let mut readings = std::mem::take(&mut self.readings);
        let task = tokio::task::spawn_blocking(move || {
            let result = take(&mut readings, &body, at);
            (readings, result)
        });
        let (readings, result) = task.await.map_err(|_| "the reading was cancelled".to_owned())?;
        self.readings = readings;
        result
    }
}

fn take(readings: &mut Readings, body: &[u8], at: Timestamp) -> Result<Reading, String> {
    let text = std::str::from_utf8(body)
        .map_err(|error| format!("not text: byte {} is not UTF-8", error.valid_up_to() + 1))?;
    readings.take(text, at).map_err(|error: exposition::ExpositionError| error.to_string())
}

#[cfg(test)]
mod tests;
