//! One probe: an exchange, judged.

use std::time::Duration;

use crate::model::probe::{BodyRule, Health, HealthDocument, ProbeOutcome, ProbeResult};
use crate::model::secret::Secrets;

use super::ProbeTarget;
use super::health::{Expected, judge};
use super::http::{Client, Description, Endpoint, Exchange, Failure, Line};

/// A probe that is ready to run, again and again.
pub(crate) struct Probe {
    target: ProbeTarget,
    /// The connection, or why the probe can never be run as it is configured.
    line: Result<Line, String>,
}

/// A result, and whether the target kept its connection waiting to the end.
pub(crate) struct Run {
    pub(crate) result: ProbeResult,
    pub(crate) hung: bool,
}

impl Probe {
    /// Prepares a probe. What is wrong with it comes out of every run: a probe that cannot be run is not a healthy one.
    pub(crate) fn new(target: ProbeTarget, client: &Client) -> Self {
        let spec = &target.spec;
        let endpoint = Endpoint::new(
            &Description {
                url: &spec.url,
                method: &spec.method,
                accept: "*/*",
                headers: &spec.headers,
                secret_headers: &spec.secret_headers,
                keep: spec.keep_alive,
            },
            client.secrets(),
        );
        Self { line: endpoint.map(Line::new), target }
    }

    /// The longest that a check takes.
    pub(crate) const fn timeout(&self) -> Duration {
        self.target.spec.timeout.0
    }

    /// Runs it once.
    pub(crate) async fn run(&mut self, client: &Client) -> Run {
        let spec = &self.target.spec;
        let exchange = match &mut self.line {
            Ok(line) => line.ask(client, spec.timeout.0, spec.max_body).await,
            Err(reason) => Exchange {
                at: jiff::Timestamp::now(),
                took: Duration::ZERO,
                status: None,
                body: Err(Failure::NotRun(reason.clone())),
            },
        };
        let hung = exchange.hung(spec.timeout.0);
        Run { result: self.result(exchange, client.secrets()), hung }
    }

    fn result(&self, exchange: Exchange, secrets: &Secrets) -> ProbeResult {
        let spec = &self.target.spec;
        let (outcome, document) = match (exchange.status, exchange.body) {
            (Some(status), Ok(body)) => {
                let expected = Expected {
                    status: &spec.status,
                    // A HEAD has no body that could be judged.
                    body: if spec.method == "HEAD" { BodyRule::Ignore } else { spec.body },
                    contains: spec.contains.as_deref(),
                };
                let mut judged = judge(status, &body, &expected);
                // A target can send a secret header back in its answer; without one there is nothing to look for.
                if !spec.secret_headers.is_empty() {
                    judged.reason = secrets.redact(&judged.reason);
                    judged.document = judged.document.map(|document| redacted(document, secrets));
                }
                (ProbeOutcome::Answered { health: judged.health, reason: judged.reason }, judged.document)
            }
            (_, Err(Failure::NotRun(reason))) => (ProbeOutcome::NotRun { reason }, None),
            (_, Err(Failure::Failed(reason))) => (failed(reason), None),
            (None, Ok(_)) => (failed("an answer without a status".to_owned()), None),
        };
        ProbeResult {
            service: self.target.service.clone(),
            probe: self.target.probe.clone(),
            arm: spec.arm,
            at: exchange.at,
            latency_ms: exchange.took.as_secs_f64() * 1_000.0,
            status: exchange.status,
            outcome,
            document,
        }
    }
}

fn redacted(mut document: HealthDocument, secrets: &Secrets) -> HealthDocument {
    document.version = document.version.map(|text| secrets.redact(&text));
    for one in &mut document.dependencies {
        one.name = secrets.redact(&one.name);
        one.error = one.error.as_deref().map(|text| secrets.redact(text));
    }
    document.metrics =
        document.metrics.into_iter().map(|(name, value)| (secrets.redact(&name), value)).collect();
    document
}

fn failed(reason: String) -> ProbeOutcome {
    ProbeOutcome::Answered { health: Health::Unhealthy, reason }
}

#[cfg(test)]
mod tests;
