//! Trying sources out: each is read a few times, an interval apart, so that counters have something to compare with.

use std::sync::Arc;

use futures::future::join_all;
use tokio::time::sleep;

use crate::model::secret::Secrets;
use crate::model::source::SourceReport;

use super::checks::Tallies;
use super::http::Client;
use super::probe::Probe;
use super::schedule::ObserveError;
use super::source::Source;
use super::{ProbeTarget, SourceTarget};

/// How often a source is read at most. A server that scrapes as often as it is asked may have nothing new the second time.
const READINGS: usize = 3;

/// Reads every source until each of its indicators has given a sample or has said why not, and answers the readings of each
/// in its place. A source that cannot be read is asked once more, and no further.
///
/// Checks are run beside them where a source counts checks: `probes` are those of the whole environment.
pub async fn preflight(
    sources: &[SourceTarget],
    probes: &[ProbeTarget],
    secrets: &Secrets,
) -> Result<Vec<Vec<SourceReport>>, ObserveError> {
    let client = Client::new(sources.len() + probes.len(), Arc::new(secrets.clone()));
    let mut ready = Vec::new();
    for target in sources {
        let tallies = Tallies::default();
        ready.push((target, Source::new(target.clone(), &client, &tallies)?, tallies));
    }
    let tried = ready.into_iter().map(|(target, source, tallies)| {
        let counts_checks = matches!(target.spec, crate::model::source::SourceSpec::Probe(_));
        let counted = |probe: &&ProbeTarget| {
            counts_checks && target.indicators.iter().any(|(service, _, _)| *service == probe.service)
        };
        let probes: Vec<&ProbeTarget> = probes.iter().filter(counted).collect();
        one(target, source, probes, tallies, &client)
    });
    Ok(join_all(tried).await)
}

async fn one(
    target: &SourceTarget,
    mut source: Source,
    probes: Vec<&ProbeTarget>,
    tallies: Tallies,
    client: &Client,
) -> Vec<SourceReport> {
    let mut reports: Vec<SourceReport> = Vec::new();
    loop {
        let report = source.read(client).await.report;
        let failed_before = reports.last().is_some_and(|last| last.result.is_err());
        let is_over = report.result.is_err() && failed_before;
        reports.push(report);
        let is_settled = |(service, indicator, _): &(_, _, _)| {
            reports.iter().filter_map(|report| report.result.as_ref().ok()).any(|reading| {
                reading.samples.iter().any(|one| one.service == *service && one.indicator == *indicator)
            })
        };
        if is_over || reports.len() >= READINGS || target.indicators.iter().all(is_settled) {
            return reports;
        }
        sleep(source.interval()).await;
        join_all(probes.iter().map(|probe| async {
            let mut probe = Probe::new((*probe).clone(), client);
            let run = probe.run(client).await;
            tallies.note(&run.result, probe.timeout());
        }))
        .await;
    }
}
