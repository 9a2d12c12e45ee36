//! When each probe runs and each source is read.
//!
//! Every target is one task with its own connection and its own place on the clock: due times lie on a grid of its
//! interval, so that nothing drifts, and the places of the targets are spread evenly over the interval. The first run comes
//! within a second. A target whose run takes longer than its interval skips the turns it missed; it never runs twice at the
//! same time. tokio's timer wheel is the only queue: a sleeping target costs its memory and nothing else.
//!
//! # How a target that hangs is kept from delaying the others
//!
//! What targets share is this process's file handles, so only so many may be in an exchange at a time, by the limit of
//! open files. A target whose last run got no answer in time has to queue for a small, separate set of places until it
//! answers again. So however many targets hang, they can only hold each other up; those that answer wait at most once for
//! as long as a time-out, at the moment when many begin to hang together.
//!
//! # What cannot be read
//!
//! Around every source is a [`Breaker`]: one that fails again and again is left out of its turns for a while, each time for
//! longer. What was said of it last stands meanwhile.
//!
//! # When the receiver is slow
//!
//! The channel is bounded and each task waits until its result is taken, before it runs again. Nothing piles up: there is
//! at most one result for each target outside the channel.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use jiff::Timestamp;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::model::breaker::{Breaker, BreakerLimits};
use crate::model::probe::ProbeResult;
use crate::model::secret::Secrets;
use crate::model::source::{Reading, SourceReport, SourceSpec};
use crate::model::{IndicatorName, ProbeName, ServiceName, SourceName};

use super::checks::Tallies;
use super::http::Client;
use super::probe::Probe;
use super::source::Source;
use super::{Observation, ProbeTarget, SourceTarget};

/// Why observing cannot begin.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ObserveError {
    /// A time of a probe is zero.
    #[error("the {what} of the probe `{probe}` of `{service}` is zero; give it a time, like `10s`")]
    ProbeTime {
        /// The service.
        service: ServiceName,
        /// The probe.
        probe: ProbeName,
        /// `interval` or `timeout`.
        what: &'static str,
    },
    /// A time of a source is zero.
    #[error("the {what} of the source `{source_name}` is zero; give it a time, like `10s`")]
    SourceTime {
        /// The source.
        source_name: SourceName,
        /// `interval` or `timeout`.
        what: &'static str,
    },
    /// A series of an indicator cannot be read.
    #[error("the indicator `{indicator}` of `{service}`: {reason}")]
    Series {
        /// The service.
        service: ServiceName,
        /// The indicator.
        indicator: IndicatorName,
        /// What is wrong with it.
        reason: String,
    },
}

/// Probes and sources being run. Dropping it ends all of them, also in the middle of an exchange.
#[derive(Debug)]
pub struct Observer {
    /// One task a target; ends what it holds when it is dropped.
    _tasks: JoinSet<()>,
}

impl Observer {
    /// Begins to observe. Results go to `out`; when its receiver is gone, the tasks end by themselves.
    ///
    /// Raises the process's own limit of open files to the hard limit, where the targets could need more than there are.
    /// Has to be called inside a tokio runtime.
    pub fn start(
        probes: Vec<ProbeTarget>,
        sources: Vec<SourceTarget>,
        secrets: Arc<Secrets>,
        out: mpsc::Sender<Observation>,
    ) -> Result<Self, ObserveError> {
        for target in &probes {
            check(target)?;
        }
        let shared = Shared::new(probes.len() + sources.len(), secrets);
        let sources = sources
            .into_iter()
            .map(|target| Source::new(target, &shared.client, &shared.tallies))
            .collect::<Result<Vec<_>, _>>()?;
        let house = Arc::new((shared, out));
        let began = Instant::now();
        let mut tasks = JoinSet::new();
        let mut places = places();
        for target in probes {
            let turns = Turns::new(began, target.spec.interval.0, places());
            tasks.spawn(watch(Probe::new(target, &house.0.client), turns, Arc::clone(&house)));
        }
        for source in sources {
            let turns = Turns::new(began, source.interval(), places());
            tasks.spawn(follow(source, turns, Arc::clone(&house)));
        }
        Ok(Self { _tasks: tasks })
    }
}

/// Runs each probe once, many at a time, and answers in their order.
pub async fn once(probes: &[ProbeTarget], secrets: &Secrets) -> Vec<ProbeResult> {
    let shared = Shared::new(probes.len(), Arc::new(secrets.clone()));
    join_all(probes.iter().map(|target| async {
        let mut probe = Probe::new(target.clone(), &shared.client);
        shared.run(false, probe.run(&shared.client)).await.result
    }))
    .await
}

/// Reads a source once. There is nothing before it to compare with, so that it has no counters.
pub async fn read_once(source: &SourceTarget, secrets: &Secrets) -> Result<SourceReport, ObserveError> {
    let client = Client::new(0, Arc::new(secrets.clone()));
    Ok(Source::new(source.clone(), &client, &Tallies::default())?.read(&client).await.report)
}

/// What readings of a source at every interval from `from` to `to` would have said; only a source that keeps the past can
/// tell. An error is in words.
pub async fn history(
    source: &SourceTarget,
    secrets: &Secrets,
    from: Timestamp,
    to: Timestamp,
) -> Result<Vec<(Timestamp, Reading)>, String> {
    let client = Client::new(0, Arc::new(secrets.clone()));
    let SourceSpec::Prometheus(spec) = &source.spec else {
        return Err(format!("the source `{}` keeps no past", source.source));
    };
    let past = super::prometheus::history(spec.clone(), source.indicators.clone(), &client, from, to).await;
    past.map_err(|reason| secrets.redact(&reason))
}

/// Whether observing could begin: what [`Observer::start`] would refuse, without starting anything.
pub fn validate(probes: &[ProbeTarget], sources: &[SourceTarget]) -> Result<(), ObserveError> {
    probes.iter().try_for_each(check)?;
    let client = Client::new(0, Arc::default());
    sources
        .iter()
        .try_for_each(|source| Source::new(source.clone(), &client, &Tallies::default()).map(|_| ()))
}

fn check(target: &ProbeTarget) -> Result<(), ObserveError> {
    for (what, time) in [("interval", target.spec.interval), ("timeout", target.spec.timeout)] {
        if time.is_zero() {
            let (service, probe) = (target.service.clone(), target.probe.clone());
            return Err(ObserveError::ProbeTime { service, probe, what });
        }
    }
    Ok(())
}

/// What all targets share.
struct Shared {
    client: Client,
    /// Places for targets whose last run was answered.
    answering: Semaphore,
    /// Places for targets whose last run was not answered in time.
    hanging: Semaphore,
    /// What the checks have given.
    tallies: Tallies,
}

impl Shared {
    fn new(targets: usize, secrets: Arc<Secrets>) -> Self {
        let handles = handles_for(targets);
        Self {
            client: Client::new(handles / 2, secrets),
            answering: Semaphore::new((handles / 4).clamp(8, 4_096)),
            hanging: Semaphore::new((handles / 8).clamp(4, 1_024)),
            tallies: Tallies::default(),
        }
    }

    async fn run<R>(&self, hung: bool, run: impl Future<Output = R>) -> R {
        let places = if hung { &self.hanging } else { &self.answering };
        // Never closed; and without a place the run would only be less orderly.
        let _place = places.acquire().await;
        run.await
    }
}

/// What is left for journals, platforms, faces and the programs they call.
const OTHER_HANDLES: usize = 128;

/// How many file handles the senses may use, after raising the limit if the targets could need that: one for a kept
/// connection and one for an exchange.
fn handles_for(targets: usize) -> usize {
    let limit = getrlimit(Resource::Nofile);
    let wanted = targets as u64 * 4 + OTHER_HANDLES as u64;
    let mut now = limit.current.unwrap_or(u64::MAX);
    if now < wanted {
        let more = limit.maximum.map_or(wanted, |maximum| maximum.min(wanted));
        let raised = Rlimit { current: Some(more), maximum: limit.maximum };
        if more > now && setrlimit(Resource::Nofile, raised).is_ok() {
            now = more;
        }
    }
    usize::try_from(now).unwrap_or(usize::MAX).saturating_sub(OTHER_HANDLES).clamp(32, 1 << 20)
}

/// Places between 0 and 1, each new one in the largest gap that is left: the fractions of the multiples of the golden
/// ratio. Neighbours in the list, which are often of one service, come to lie far apart.
fn places() -> impl FnMut() -> f64 {
    let mut place = 0.0;
    move || {
        let this = place;
        place = (place + 0.618_033_988_749_894_9_f64).fract();
        this
    }
}

/// The due times of one target.
#[derive(Debug)]
struct Turns {
    due: Instant,
    interval: Duration,
    /// The grid, once the first run is over.
    grid: Option<Instant>,
}

impl Turns {
    fn new(began: Instant, interval: Duration, place: f64) -> Self {
        let first = began + interval.min(Duration::from_secs(1)).mul_f64(place);
        Self { due: first, interval, grid: Some(began + interval.mul_f64(place)) }
    }

    /// The first due time after `now`. Turns that have passed are skipped.
    fn next(&mut self, now: Instant) -> Instant {
        // After the quick first run the target goes to its own place on the grid, at least half an interval later.
        let (from, at_least) = match self.grid.take() {
            Some(grid) => (grid, now.max(self.due + self.interval / 2)),
            None => (self.due, now),
        };
        self.due = if at_least < from {
            from
        } else {
            let passed = (at_least - from).as_nanos() / self.interval.as_nanos().max(1) + 1;
            from + self.interval.saturating_mul(u32::try_from(passed).unwrap_or(u32::MAX))
        };
        self.due
    }
}

async fn watch(mut probe: Probe, mut turns: Turns, house: Arc<(Shared, mpsc::Sender<Observation>)>) {
    let (shared, out) = &*house;
    let mut hung = false;
    let mut due = turns.due;
    loop {
        sleep_until(due).await;
        let run = shared.run(hung, probe.run(&shared.client)).await;
        hung = run.hung;
        shared.tallies.note(&run.result, probe.timeout());
        if out.send(Observation::Probe(run.result)).await.is_err() {
            return;
        }
        due = turns.next(Instant::now());
    }
}

async fn follow(mut source: Source, mut turns: Turns, house: Arc<(Shared, mpsc::Sender<Observation>)>) {
    let (shared, out) = &*house;
    let mut hung = false;
    let mut due = turns.due;
    let mut breaker = Breaker::new(BreakerLimits::default(), Timestamp::now());
    loop {
        sleep_until(due).await;
        if !breaker.may_try(Timestamp::now()) {
            due = turns.next(Instant::now());
            continue;
        }
        let read = shared.run(hung, source.read(&shared.client)).await;
        hung = read.hung;
        match &read.report.result {
            Ok(_) => breaker.succeeded(Timestamp::now()),
            Err(fault) => breaker.failed(Timestamp::now(), &fault.reason, rand::random()),
        }
        let name = read.report.source.clone();
        if out.send(Observation::Source(read.report)).await.is_err() {
            return;
        }
        if let Some(status) = breaker.news()
            && out.send(Observation::Breaker(name, status)).await.is_err()
        {
            return;
        }
        due = turns.next(Instant::now());
    }
}

#[cfg(test)]
mod tests;
