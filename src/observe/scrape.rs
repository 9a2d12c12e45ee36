//! Reading a Prometheus exposition endpoint: one GET feeds all indicators of the source.
//! What its counters say is in [`super::series`].

mod collect;
mod reading;

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::model::source::{Reading, ScrapeSpec};

use super::exposition;
use super::http::{Client, Description, Endpoint, Line};
use super::schedule::ObserveError;
use super::source::{Indicators, Read};
use reading::Readings;

/// An endpoint that is ready to be read, again and again.
pub(super) struct Scrape {
    spec: ScrapeSpec,
    line: Result<Line, String>,
    readings: Readings,
}

/// A text larger than this is read on a thread for blocking work, so that it does not hold up the probes.
const LARGE: usize = 512 * 1024;

impl Scrape {
    pub(super) fn new(
        spec: ScrapeSpec,
        indicators: Indicators,
        client: &Client,
    ) -> Result<Self, ObserveError> {
        let readings = Readings::new(indicators, spec.arms.clone())?;
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
        Ok(Self { line: endpoint.map(Line::new), spec, readings })
    }

    /// Reads it once.
    pub(super) async fn read(&mut self, client: &Client) -> Read {
        let line = match &mut self.line {
            Err(reason) => return Read::refused(reason),
            Ok(line) => line,
        };
        let exchange = line.ask(client, self.spec.timeout.0, self.spec.max_body).await;
        let hung = exchange.hung(self.spec.timeout.0);
        let shown = line.endpoint().shown.clone();
        let result = match (exchange.status, exchange.body) {
            (Some(200), Ok(body)) => self.understand(body, exchange.at).await,
            (Some(status), Ok(_)) => Err(format!("status {status}")),
            (_, Err(failure)) => Err(failure.words().to_owned()),
            (None, Ok(_)) => Err("an answer without a status".to_owned()),
        };
        Read { at: exchange.at, hung, result: result.map_err(|reason| format!("`{shown}`: {reason}")) }
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
