//! The past, read from the journal or from a Prometheus server, for policies to be tried on. Read a stretch at a time, so that
//! a long past needs no more memory than a short one.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::config::Config;
use crate::journal::{Entry, Journal, JournalError, Position};
use crate::model::release::Arm;
use crate::model::source::{Reading, Sample, SourceReport, SourceSpec};
use crate::model::units::human;
use crate::model::{IndicatorName, ServiceName, SourceName, TriggerName};
use crate::observe;

use super::super::backtest::{Incidents, Marked, Moment, Origin, Policy, Replay, Report, score};
use super::super::state::State;
use super::World;
use super::memory::{self, ago};

/// Entries read at once.
const BATCH: usize = 2_000;
/// How much of the recorded samples is held at once.
const STRETCH: Duration = Duration::from_secs(600);
/// How much of the past a server is asked for at once.
const ASKED_AT_ONCE: Duration = Duration::from_secs(3_600);

/// Where the past of the indicators comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PastSource {
    /// The samples that the guard has recorded.
    Journal,
    /// The Prometheus servers of the config.
    Prometheus,
}

/// What is to be tried on which past.
#[derive(Clone, Debug)]
pub struct BacktestRequest {
    /// Where it begins.
    pub from: Timestamp,
    /// Where it ends.
    pub to: Timestamp,
    /// Where the indicators come from.
    pub source: PastSource,
    /// The policies, each with its name.
    pub policies: Vec<(String, Arc<Config>)>,
    /// Incidents that are marked by hand. Without any: those that the journal knows.
    pub incidents: Vec<Marked>,
}

/// Why nothing could be tried.
#[derive(Debug, thiserror::Error)]
pub enum BacktestError {
    /// The journal said no.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// What was asked makes no sense.
    #[error("{0}")]
    Asked(String),
    /// There is no such past.
    #[error("{0}")]
    Nothing(String),
    /// A server cannot be asked, or says no.
    #[error("the source `{source_name}`: {reason}")]
    Source {
        /// Which.
        source_name: SourceName,
        /// What it says.
        reason: String,
    },
}

/// Plays the past to each policy and compares them. `progress` is told how far it is.
pub async fn backtest(
    world: &World,
    journal: &dyn Journal,
    request: BacktestRequest,
    progress: &mut (dyn FnMut(Timestamp) + Send),
) -> Result<Report, BacktestError> {
    check(world, &request)?;
    let BacktestRequest { from, to, source, policies, incidents: by_hand } = request;
    let mut past = Past::new(world, journal, source, &policies)?;
    let mut events = Events::new(journal);
    let mut recorded = State::default();
    while let Some(entry) = events.next_until(from).await? {
        recorded.apply(&entry.event, entry.at);
    }
    let mut incidents = Incidents::new(&recorded, from);
    let platforms = &world.settings.platforms;
    let policies: Vec<(Policy, Arc<Config>)> =
        policies.into_iter().map(|(name, config)| (Policy::new(name, &config, platforms), config)).collect();
    let mut replays: Vec<Replay> =
        policies.iter().map(|(policy, _)| Replay::new(policy, &recorded, from)).collect();

    let since = remembered_since(&policies, &recorded, from);
    past.begin(since);
    let mut at = since;
    while at < from {
        at = (at.checked_add(past.stretch).unwrap_or(from)).min(from);
        for (_, report) in past.read_until(at).await? {
            let samples = report.result.map(|reading| reading.samples).unwrap_or_default();
            for replay in &mut replays {
                replay.remember(&samples);
            }
        }
    }

    let mut seen = Seen::default();
    let mut at = from;
    while at < to {
        at = (at.checked_add(past.stretch).unwrap_or(to)).min(to);
        for (read_at, report) in past.read_until(at).await? {
            while let Some(entry) = events.next_until(read_at).await? {
                play_event(entry, &mut recorded, &mut incidents, &mut replays);
            }
            seen.note(read_at, &report);
            let moment = Moment::Read(report);
            for replay in &mut replays {
                replay.take(read_at, &moment, &recorded);
            }
        }
        while let Some(entry) = events.next_until(at).await? {
            play_event(entry, &mut recorded, &mut incidents, &mut replays);
        }
        progress(at);
        tokio::task::yield_now().await;
    }
    let Some((first, last)) = seen.span.filter(|(first, last)| first < last) else {
        return Err(BacktestError::Nothing(nothing(world, source, from, to)));
    };
    let outcomes: Vec<_> = replays.into_iter().map(|replay| replay.finish(to)).collect();
    let incidents = incidents.finish(by_hand, to);
    let mut remarks = remarks(world, source, &policies, &recorded, &seen, &incidents);
    // A rate over a time that nobody recorded would look better than it is.
    let is_far = |one: Timestamp, other: Timestamp| one.duration_since(other).unsigned_abs() > STRETCH;
    let span = if is_far(first, from) || is_far(to, last) {
        remarks.insert(
            0,
            format!("data are there from {first:.0} to {last:.0} only: that is the past that counts"),
        );
        (first, last)
    } else {
        (from, to)
    };
    Ok(score(span, incidents, outcomes, remarks))
}

fn play_event(entry: Entry, recorded: &mut State, incidents: &mut Incidents, replays: &mut [Replay]) {
    incidents.take(entry.at, &entry.event, recorded);
    recorded.apply(&entry.event, entry.at);
    let moment = Moment::Event(Box::new(entry.event));
    for replay in replays {
        replay.take(entry.at, &moment, recorded);
    }
}

fn check(world: &World, request: &BacktestRequest) -> Result<(), BacktestError> {
    let (from, to) = (request.from, request.to);
    if from >= to {
        return Err(BacktestError::Asked(format!(
            "the past has to begin before it ends: {from:.0} to {to:.0}"
        )));
    }
    let ours: BTreeSet<&ServiceName> = world.settings.config.services.keys().collect();
    let names = |services: &BTreeSet<&ServiceName>| {
        let names: Vec<String> = services.iter().map(|name| format!("`{name}`")).collect();
        names.join(", ")
    };
    for (name, config) in &request.policies {
        let theirs: BTreeSet<&ServiceName> = config.services.keys().collect();
        let more: BTreeSet<_> = theirs.difference(&ours).copied().collect();
        let fewer: BTreeSet<_> = ours.difference(&theirs).copied().collect();
        let what = match (more.is_empty(), fewer.is_empty()) {
            (true, true) => continue,
            (false, true) => format!("has {}, which the present config has not", names(&more)),
            (true, false) => format!("lacks {}, which the present config has", names(&fewer)),
            (false, false) => format!("has {} instead of {}", names(&more), names(&fewer)),
        };
        return Err(BacktestError::Asked(format!(
            "the policy `{name}` {what}; policies are compared over the same services"
        )));
    }
    for incident in &request.incidents {
        if incident.from > incident.to {
            return Err(BacktestError::Asked(format!(
                "the incident at {:.0} ends before it begins",
                incident.from
            )));
        }
        if let Some(unknown) = incident.services.iter().find(|name| !ours.contains(name)) {
            return Err(BacktestError::Asked(format!(
                "the incident at {:.0}: no service `{unknown}`; services: {}",
                incident.from,
                names(&ours)
            )));
        }
        if incident.to < from || incident.from > to {
            return Err(BacktestError::Asked(format!(
                "the incident at {:.0} is outside of the past from {from:.0} to {to:.0}",
                incident.from
            )));
        }
    }
    Ok(())
}

fn nothing(world: &World, source: PastSource, from: Timestamp, to: Timestamp) -> String {
    match source {
        PastSource::Journal => format!(
            "nothing is recorded between {from:.0} and {to:.0}: the journal keeps samples for {} (`store.retention`), and \
             only while a guard runs; a Prometheus server may know more (`--source prometheus`)",
            human(*world.settings.config.store.retention)
        ),
        PastSource::Prometheus => {
            format!(
                "the server has nothing between {from:.0} and {to:.0} for any indicator; is that within its retention?"
            )
        }
    }
}

/// From when on what was read before the past's begin is of use.
fn remembered_since(policies: &[(Policy, Arc<Config>)], known: &State, from: Timestamp) -> Timestamp {
    let mut since = from;
    for (policy, _) in policies {
        let config = &policy.settings.config;
        since = since.min(ago(from, memory::window(config)));
        if config.judge.is_some() {
            since = since.min(ago(from, memory::BEFORE_A_CANARY));
            let canaries = known.services.values().filter(|service| service.canary().is_some());
            for began in canaries.filter_map(|service| service.arms_since.get(&Arm::Canary)) {
                since = since.min(ago(*began, memory::BEFORE_A_CANARY));
            }
        }
    }
    since.max(ago(from, memory::LONGEST))
}

/// What came by.
#[derive(Default)]
struct Seen {
    span: Option<(Timestamp, Timestamp)>,
    services: BTreeSet<ServiceName>,
}

impl Seen {
    fn note(&mut self, at: Timestamp, report: &SourceReport) {
        let Ok(reading) = &report.result else { return };
        for sample in &reading.samples {
            let (first, last) = self.span.unwrap_or((at, at));
            self.span = Some((first.min(at), last.max(at)));
            if !self.services.contains(&sample.service) {
                self.services.insert(sample.service.clone());
            }
        }
    }
}

fn remarks(
    world: &World,
    source: PastSource,
    policies: &[(Policy, Arc<Config>)],
    recorded: &State,
    seen: &Seen,
    incidents: &[Marked],
) -> Vec<String> {
    let config = &world.settings.config;
    let mut remarks = Vec::new();
    let list = |names: Vec<&str>| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    for (policy, theirs) in policies {
        if !policy.left_out.is_empty() {
            let names = policy.left_out.iter().map(TriggerName::as_str).collect();
            remarks.push(format!(
                "{}: triggers on probes and alarms were not played, because probes and alarms are not recorded: {}",
                policy.name,
                list(names)
            ));
        }
        let others = theirs.services.iter().flat_map(|(service, spec)| {
            let ours = config.services.get(service);
            spec.indicators
                .iter()
                .filter(move |(name, spec)| {
                    ours.and_then(|ours| ours.indicators.get(*name)).is_none_or(|ours| ours.read != spec.read)
                })
                .map(move |(name, _)| format!("{service}.{name}"))
        });
        let others: Vec<String> = others.collect();
        if !others.is_empty() {
            remarks.push(format!(
                "{}: indicators that are read otherwise than in the present config have the present one's data, or none: {}",
                policy.name,
                list(others.iter().map(String::as_str).collect())
            ));
        }
    }
    let silent: Vec<&str> = config
        .services
        .keys()
        .filter(|name| !seen.services.contains(*name))
        .map(ServiceName::as_str)
        .collect();
    if !silent.is_empty() {
        remarks.push(format!("no data of {}", list(silent)));
    }
    let unknown = |name: &&ServiceName| recorded.service(name).is_none_or(|known| known.inventory.is_none());
    let unknown: Vec<&str> = config.services.keys().filter(unknown).map(ServiceName::as_str).collect();
    if !unknown.is_empty() {
        remarks.push(format!(
            "no releases of {} are known in this past: whatever asks for a rollback there counts as one, and no canary is \
             compared",
            list(unknown)
        ));
    }
    if source == PastSource::Prometheus {
        let others = config.sources.iter().filter(|(_, spec)| !matches!(spec, SourceSpec::Prometheus(_)));
        let others: Vec<&str> = others.map(|(name, _)| name.as_str()).collect();
        if !others.is_empty() {
            remarks.push(format!("sources that keep no past were not played: {}", list(others)));
        }
    } else if config.sources.values().any(|spec| matches!(spec, SourceSpec::Cloudwatch(_))) {
        remarks.push(
            "data points of CloudWatch are played at the time that they speak of; a guard gets them later"
                .to_owned(),
        );
    }
    let by_guard = incidents.iter().filter(|incident| incident.origin == Origin::Guard).count();
    if by_guard > 0 {
        remarks.push(format!(
            "{by_guard} of the incidents were declared by the guard of that time: what was a false alarm then counts as an \
             incident. Mark the true ones with `--incident` to see that"
        ));
    }
    if incidents.is_empty() {
        remarks.push(
            "no incident is known in this past, so that every rollback counts as a false alarm; mark incidents with \
             `--incident`"
                .to_owned(),
        );
    }
    remarks
}

/// The events of a journal, in order, a batch at a time.
struct Events<'a> {
    journal: &'a dyn Journal,
    position: Position,
    ready: VecDeque<Entry>,
}

impl<'a> Events<'a> {
    const fn new(journal: &'a dyn Journal) -> Self {
        Self { journal, position: 0, ready: VecDeque::new() }
    }

    /// The next one, if it is from that time or earlier.
    async fn next_until(&mut self, limit: Timestamp) -> Result<Option<Entry>, JournalError> {
        if self.ready.is_empty() {
            self.ready = self.journal.read(self.position, BATCH).await?.into();
            self.position = self.ready.back().map_or(self.position, |entry| entry.seq);
        }
        let is_due = self.ready.front().is_some_and(|entry| entry.at <= limit);
        Ok(if is_due { self.ready.pop_front() } else { None })
    }
}

/// The readings of the past, in order, a stretch at a time.
struct Past<'a> {
    world: &'a World,
    journal: &'a dyn Journal,
    source: PastSource,
    /// The source of each indicator.
    sources: BTreeMap<(ServiceName, IndicatorName), SourceName>,
    stretch: Duration,
    /// What was read of the journal.
    read: Timestamp,
    /// The last step that was read of each server.
    steps: BTreeMap<SourceName, Timestamp>,
}

impl<'a> Past<'a> {
    fn new(
        world: &'a World,
        journal: &'a dyn Journal,
        source: PastSource,
        policies: &[(String, Arc<Config>)],
    ) -> Result<Self, BacktestError> {
        let has_server = world.sources.iter().any(|source| matches!(source.spec, SourceSpec::Prometheus(_)));
        if source == PastSource::Prometheus && !has_server {
            return Err(BacktestError::Asked(
                "the config has no source of `kind = \"prometheus\"`; the journal's own samples are `--source journal`"
                    .to_owned(),
            ));
        }
        let configs = policies.iter().map(|(_, config)| config).chain([&world.settings.config]);
        let indicators = configs.flat_map(|config| &config.services).flat_map(|(service, spec)| {
            let named = spec.indicators.iter();
            named.map(move |(name, spec)| ((service.clone(), name.clone()), spec.source.clone()))
        });
        // The present config comes last and has the last word.
        let sources = indicators.collect();
        let stretch = if source == PastSource::Journal { STRETCH } else { ASKED_AT_ONCE };
        let (read, steps) = (Timestamp::MIN, BTreeMap::new());
        Ok(Self { world, journal, source, sources, stretch, read, steps })
    }

    /// What is read begins there.
    fn begin(&mut self, from: Timestamp) {
        self.read = from;
        for source in &self.world.sources {
            let step = *source.spec.interval();
            // A first reading has no counters: it is taken one step before.
            let before = from.checked_sub(step).unwrap_or(Timestamp::MIN);
            self.steps.insert(source.source.clone(), before);
        }
    }

    /// What comes after what was read, up to a time.
    async fn read_until(&mut self, to: Timestamp) -> Result<Vec<(Timestamp, SourceReport)>, BacktestError> {
        match self.source {
            PastSource::Journal => self.recorded(to).await,
            PastSource::Prometheus => self.asked(to).await,
        }
    }

    async fn recorded(&mut self, to: Timestamp) -> Result<Vec<(Timestamp, SourceReport)>, BacktestError> {
        let mut readings: BTreeMap<(Timestamp, SourceName), Vec<Sample>> = BTreeMap::new();
        let after = self.read.checked_add(Duration::from_nanos(1)).unwrap_or(self.read);
        for service in self.world.settings.config.services.keys() {
            for sample in self.journal.samples_of(service, after, to).await? {
                let key = (sample.service.clone(), sample.indicator.clone());
                // What no policy watches any more is left.
                let Some(source) = self.sources.get(&key) else { continue };
                readings.entry((sample.at, source.clone())).or_default().push(sample);
            }
        }
        self.read = to;
        let report = |((at, source), samples): ((Timestamp, SourceName), Vec<Sample>)| {
            let result = Ok(Reading { samples, ..Reading::default() });
            (at, SourceReport { source, at, result })
        };
        Ok(readings.into_iter().map(report).collect())
    }

    async fn asked(&mut self, to: Timestamp) -> Result<Vec<(Timestamp, SourceReport)>, BacktestError> {
        let mut reports = Vec::new();
        for target in &self.world.sources {
            if !matches!(target.spec, SourceSpec::Prometheus(_)) {
                continue;
            }
            let Some(last) = self.steps.get_mut(&target.source) else { continue };
            let readings = observe::history(target, &self.world.secrets, *last, to).await;
            let readings = readings
                .map_err(|reason| BacktestError::Source { source_name: target.source.clone(), reason })?;
            // The first one was read before; here it is what the next is compared with.
            let readings = readings.into_iter().filter(|(at, _)| at > last).collect::<Vec<_>>();
            if let Some((newest, _)) = readings.last() {
                *last = *newest;
            }
            reports.extend(readings.into_iter().map(|(at, reading)| {
                (at, SourceReport { source: target.source.clone(), at, result: Ok(reading) })
            }));
        }
        reports.sort_by_key(|(at, _)| *at);
        Ok(reports)
    }
}
