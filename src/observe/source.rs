//! A source of any kind, ready to be read again and again.

use std::time::Duration;

use jiff::Timestamp;

use crate::model::source::{Reading, SeriesSpec, SourceFault, SourceReport, SourceSpec};
use crate::model::{IndicatorName, ServiceName, SourceName};

use super::SourceTarget;
use super::checks::{Checks, Tallies};
use super::cloudwatch::Cloudwatch;
use super::http::Client;
use super::json::Json;
use super::log::Log;
use super::prometheus::Prometheus;
use super::schedule::ObserveError;
use super::scrape::Scrape;

/// What is read from a source.
pub(super) type Indicators = Vec<(ServiceName, IndicatorName, SeriesSpec)>;

/// One reading, however it went.
pub(super) struct Read {
    /// When it was asked for.
    pub(super) at: Timestamp,
    /// The source kept us waiting to the end.
    pub(super) hung: bool,
    /// What was read, or why nothing could be, in words and with the address.
    pub(super) result: Result<Reading, String>,
}

impl Read {
    /// A source that cannot be read as it is configured.
    pub(super) fn refused(reason: &str) -> Self {
        Self { at: Timestamp::now(), hung: false, result: Err(reason.to_owned()) }
    }
}

/// A source that is ready to be read.
pub(super) struct Source {
    name: SourceName,
    interval: Duration,
    kind: Kind,
}

enum Kind {
    Scrape(Box<Scrape>),
    Prometheus(Box<Prometheus>),
    Cloudwatch(Box<Cloudwatch>),
    Probe(Box<Checks>),
    Json(Box<Json>),
    Log(Box<Log>),
}

/// A report, and whether the source kept its connection waiting to the end.
pub(super) struct Report {
    pub(super) report: SourceReport,
    pub(super) hung: bool,
}

impl Source {
    /// Prepares a source. `tallies` are the checks that are run beside it.
    pub(super) fn new(
        target: SourceTarget,
        client: &Client,
        tallies: &Tallies,
    ) -> Result<Self, ObserveError> {
        let SourceTarget { source: name, spec, indicators, alarms } = target;
        for (what, time) in spec.times() {
            if time.is_zero() {
                return Err(ObserveError::SourceTime { source_name: name, what });
            }
        }
        let interval = spec.interval().0;
        let kind = match spec {
            SourceSpec::Scrape(spec) => Kind::Scrape(Box::new(Scrape::new(spec, indicators, client)?)),
            SourceSpec::Prometheus(spec) => {
                Kind::Prometheus(Box::new(Prometheus::new(spec, indicators, client)?))
            }
            SourceSpec::Cloudwatch(spec) => {
                Kind::Cloudwatch(Box::new(Cloudwatch::new(*spec, indicators, alarms, client)?))
            }
            SourceSpec::Json(spec) => Kind::Json(Box::new(Json::new(spec, indicators, client)?)),
            SourceSpec::Log(spec) => Kind::Log(Box::new(Log::new(spec, indicators)?)),
            SourceSpec::Probe(_) => Kind::Probe(Box::new(Checks::new(indicators, tallies)?)),
        };
        Ok(Self { name, interval, kind })
    }

    /// Time between two readings.
    pub(super) const fn interval(&self) -> Duration {
        self.interval
    }

    /// Reads it once.
    pub(super) async fn read(&mut self, client: &Client) -> Report {
        let Read { at, hung, result } = match &mut self.kind {
            Kind::Scrape(scrape) => scrape.read(client).await,
            Kind::Prometheus(prometheus) => prometheus.read(client).await,
            Kind::Cloudwatch(cloudwatch) => cloudwatch.read(client).await,
            Kind::Probe(checks) => checks.read(),
            Kind::Json(json) => json.read(client).await,
            Kind::Log(log) => log.read().await,
        };
        // Whatever a source says comes from outside.
        let secrets = client.secrets();
        let result = match result {
            Ok(mut reading) => {
                let texts = reading.missing.iter_mut().map(|(_, _, reason)| reason);
                let alarms = reading.alarms.iter_mut().filter_map(|alarm| alarm.state.as_mut().err());
                for text in texts.chain(&mut reading.remarks).chain(alarms) {
                    *text = secrets.redact(text);
                }
                Ok(reading)
            }
            Err(reason) => Err(SourceFault { reason: secrets.redact(&reason) }),
        };
        Report { report: SourceReport { source: self.name.clone(), at, result }, hung }
    }
}
