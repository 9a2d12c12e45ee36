//! Load runs: users who ask one after the other, side by side, for a time; how long the answers took and how many failed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::client::{ask, client, headers};
use super::{Subject, Trying, Watcher, began, programs, report};
use crate::model::LoadName;
use crate::model::secret::Secrets;
use crate::model::units::human;
use crate::model::validation::{LoadFigures, LoadSpec, Trial, TrialOutcome, TrialReport};

/// Bounds of the histogram that is shown, in milliseconds; above the last is the rest.
const BOUNDS: [f64; 14] =
    [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1e3, 2e3, 5e3, 1e4, f64::INFINITY];

/// Runs a load run to its end. `address` takes the place of the spec's own.
pub async fn load(
    name: &LoadName,
    spec: &LoadSpec,
    address: Option<&str>,
    subject: &Subject,
    secrets: &Secrets,
    watcher: &Watcher,
) -> TrialReport {
    let at = began();
    let address = address.map_or_else(|| subject.fill(&spec.url), str::to_owned);
    if let Some(command) = &spec.command {
        let argv: Vec<String> =
            command.iter().map(|argument| subject.fill(argument).replace("{url}", &address)).collect();
        let trying = Trying::begin("command");
        // It ends by itself; twice its time is an end, too.
        let trial = trying.end(programs::run(&argv, None, *spec.duration * 2).await);
        watcher.saw(&trial);
        return report(name.as_str(), Some(&address), at, vec![trial]);
    }
    let taken = match drive(spec, &address, secrets).await {
        Ok(taken) => taken,
        Err(reason) => {
            let trial = Trying::begin("requests").end(Err(reason));
            return report(name.as_str(), Some(&address), at, vec![trial]);
        }
    };
    let figures = figures(&taken, at.1.elapsed());
    let trials = judge(spec, &figures);
    for trial in &trials {
        watcher.saw(trial);
    }
    TrialReport { latency: Some(figures), ..report(name.as_str(), Some(&address), at, trials) }
}

/// What the users saw: how long each answer took, in milliseconds, and how many failed.
#[derive(Debug, Default)]
struct Taken {
    took: Vec<f64>,
    failed: u64,
}

/// Lets no more than so many requests begin in a second.
struct Pace {
    gap: Option<Duration>,
    next: Mutex<Instant>,
}

impl Pace {
    async fn turn(&self) {
        let Some(gap) = self.gap else { return };
        let at = {
            let mut next = self.next.lock().await;
            let at = (*next).max(Instant::now());
            *next = at + gap;
            at
        };
        sleep(at.saturating_duration_since(Instant::now())).await;
    }
}

async fn drive(spec: &LoadSpec, address: &str, secrets: &Secrets) -> Result<Taken, String> {
    let (client, headers) = (client()?, headers(&spec.headers, &spec.secret_headers, secrets)?);
    let start = Instant::now();
    let until = start + *spec.duration;
    let gap = spec.rate.filter(|rate| *rate > 0.0).map(|rate| Duration::from_secs_f64(1.0 / rate));
    let pace = Arc::new(Pace { gap, next: Mutex::new(start) });
    let mut users = JoinSet::new();
    for user in 0..spec.users {
        let (client, headers, pace) = (client.clone(), headers.clone(), Arc::clone(&pace));
        let (address, limit) = (address.to_owned(), *spec.timeout);
        let comes = *spec.ramp * user / spec.users.max(1);
        users.spawn(async move {
            sleep(comes).await;
            let mut taken = Taken::default();
            loop {
                pace.turn().await;
                let began = Instant::now();
                if began >= until {
                    return taken;
                }
                let answer = ask(client.get(&address).headers(headers.clone()), limit).await;
                taken.took.push(began.elapsed().as_secs_f64() * 1e3);
                if answer.is_err() {
                    // A place that refuses at once is not asked a million times.
                    sleep(Duration::from_millis(10)).await;
                }
                if answer.map_or(true, |answer| answer.status >= 500) {
                    taken.failed += 1;
                }
            }
        });
    }
    let mut all = Taken::default();
    while let Some(taken) = users.join_next().await {
        let taken = taken.map_err(|error| error.to_string())?;
        all.took.extend(taken.took);
        all.failed += taken.failed;
    }
    all.took.sort_unstable_by(f64::total_cmp);
    Ok(all)
}

fn figures(taken: &Taken, lasted: Duration) -> LoadFigures {
    let requests = taken.took.len() as u64;
    // The nearest rank: a value that was measured.
    let percentile = |percent: f64| {
        let rank = (percent / 100.0 * taken.took.len() as f64).ceil() as usize;
        taken.took.get(rank.saturating_sub(1)).copied()
    };
    let percentiles = [50.0, 90.0, 95.0, 99.0, 100.0];
    let mut low = 0.0;
    let buckets = BOUNDS.map(|bound| {
        let count = taken.took.iter().filter(|took| **took > low && **took <= bound).count();
        low = bound;
        (bound, count as u64)
    });
    LoadFigures {
        requests,
        failed: taken.failed,
        per_second: requests as f64 / lasted.as_secs_f64().max(1e-9),
        percentiles: percentiles.into_iter().filter_map(|at| Some((at, percentile(at)?))).collect(),
        buckets: buckets.into_iter().filter(|(_, count)| *count > 0).collect(),
    }
}

fn judge(spec: &LoadSpec, figures: &LoadFigures) -> Vec<Trial> {
    let over = if spec.only_warn { TrialOutcome::Warned } else { TrialOutcome::Failed };
    let trial =
        |name: &str, outcome, took_ms, detail| Trial { name: name.to_owned(), outcome, took_ms, detail };
    if figures.requests == 0 {
        return vec![trial("requests", over, 0.0, "not one request was made".to_owned())];
    }
    let share = figures.failed as f64 / figures.requests as f64 * 100.0;
    let errors = if share <= spec.max_errors { TrialOutcome::Passed } else { over };
    let p95 =
        figures.percentiles.iter().find(|(at, _)| (*at - 95.0).abs() < 0.5).map_or(0.0, |(_, took)| *took);
    let slow = if p95 <= spec.max_p95.as_secs_f64() * 1e3 { TrialOutcome::Passed } else { over };
    vec![
        trial(
            "errors",
            errors,
            0.0,
            format!("{share:.2} % of {} failed, limit {} %", figures.requests, spec.max_errors),
        ),
        trial("p95", slow, p95, format!("{p95:.1} ms, limit {}", human(*spec.max_p95))),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Percentiles are values that were measured; nothing is counted twice or lost.
    #[test]
    fn figures_of_a_run() {
        let took: Vec<f64> = (1..=100).map(f64::from).collect();
        let figures = figures(&Taken { took, failed: 5 }, Duration::from_secs(2));
        assert_eq!(
            figures.percentiles,
            [(50.0, 50.0), (90.0, 90.0), (95.0, 95.0), (99.0, 99.0), (100.0, 100.0)]
        );
        assert_eq!(figures.buckets.iter().map(|(_, count)| count).sum::<u64>(), 100);
        assert!((figures.per_second - 50.0).abs() < 1e-9);
    }

    /// Over a limit it fails, or only says so; a run without a request says nothing good.
    #[test]
    fn limits() {
        let spec: LoadSpec =
            serde_json::from_value(serde_json::json!({ "url": "http://x", "max_p95": "90ms" })).unwrap();
        let took: Vec<f64> = (1..=100).map(f64::from).collect();
        let seen = figures(&Taken { took, failed: 6 }, Duration::from_secs(1));
        assert!(judge(&spec, &seen).iter().all(|trial| trial.outcome == TrialOutcome::Failed));
        let lenient = LoadSpec { only_warn: true, ..spec };
        assert!(judge(&lenient, &seen).iter().all(|trial| trial.outcome == TrialOutcome::Warned));
        let none = figures(&Taken::default(), Duration::from_secs(1));
        assert!(judge(&LoadSpec { only_warn: false, ..lenient }, &none)[0].outcome.stops());
    }
}
