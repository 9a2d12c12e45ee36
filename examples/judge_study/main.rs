//! The judge beside what people use instead, on the same streams: how often each takes back a healthy canary within an
//! hour, and how long each lets a harmful one run.
//!
//! `cargo run --release --example judge_study -- [streams] [seed]`, and with `pictures FOLDER` the pictures of
//! docs/judge.md.
//!
//! The service gets 100 requests a second, a tenth of them on the canary; 1 % fail, and latency is log-normal. There
//! are ten minutes of history, and ticks of a second. Everything follows from the seed.

mod pictures;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use unship::judge::fixed_window::{Class, Classifier, Direction, mann_whitney};
use unship::judge::latency::{HistogramLatency, LatencySettings, RawLatency};
use unship::judge::watch::{MetricKind, MetricReading, Reading, Watch, WatchSettings};
use unship::judge::{ArmCounts, PairMonitor, Preset, Tick};

/// Upper bounds of the latency buckets in seconds: the usual ones of Prometheus clients.
const BOUNDS_S: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
const BUCKETS: usize = BOUNDS_S.len() + 1;
const HISTORY_S: u32 = 600;
const HOUR_S: u32 = 3600;
const BASE: f64 = 0.01;
const MEDIAN_S: f64 = 0.08;
/// Of the logarithm of the latency: the p99 is 3.2 times the median.
const SPREAD: f64 = 0.5;

/// What one arm did in a second.
struct Second {
    counts: Arm,
    latencies_s: Vec<f64>,
}

/// Requests of one arm, counted.
#[derive(Clone, Copy, Default)]
struct Arm {
    requests: f64,
    failed: f64,
    buckets: [f64; BUCKETS],
}

impl Arm {
    fn add(&mut self, more: &Self) {
        self.requests += more.requests;
        self.failed += more.failed;
        for (count, more) in self.buckets.iter_mut().zip(more.buckets) {
            *count += more;
        }
    }

    fn rate(&self) -> f64 {
        if self.requests > 0.0 { self.failed / self.requests } else { f64::NAN }
    }

    /// A quantile of the latency, linear inside its bucket.
    fn quantile(&self, quantile: f64) -> f64 {
        let needed = quantile * self.buckets.iter().sum::<f64>();
        let mut below = 0.0;
        for (i, count) in self.buckets.iter().enumerate() {
            if *count > 0.0 && below + count >= needed {
                let low = if i == 0 { 0.0 } else { BOUNDS_S[i - 1] };
                let high = BOUNDS_S.get(i).copied().unwrap_or(low);
                return low + (high - low) * (needed - below) / count;
            }
            below += count;
        }
        f64::NAN
    }
}

/// What happens to a service.
#[derive(Clone, Copy)]
enum Scenario {
    /// Nothing.
    Plain,
    /// All errors come in clusters of five within ten seconds, each on one arm.
    Clusters,
    /// To errors that come one by one, bursts within ten seconds, each on one arm: so many seconds apart, of this size.
    RareBursts(f64, f64),
    /// Traffic and errors swing together over the hour.
    Diurnal,
    /// Ten times the errors for 20 s every four minutes, on both arms.
    SharedSpikes,
    /// Two requests a second.
    LowTraffic,
    /// The canary fails so often.
    Failing(f64),
    /// The canary is so many times slower.
    Slower(f64),
}

/// A service as it is drawn.
struct Service {
    random: StdRng,
    scenario: Scenario,
    /// Errors of canary and stable that clusters bring in the coming seconds.
    coming: [[f64; 2]; CLUSTER_S],
}

const CLUSTER_S: usize = 10;

impl Service {
    fn new(scenario: Scenario, seed: u64) -> Self {
        Self { random: StdRng::seed_from_u64(seed), scenario, coming: [[0.0; 2]; CLUSTER_S] }
    }

    fn unit(&mut self) -> f64 {
        self.random.random()
    }

    fn poisson(&mut self, mean: f64) -> f64 {
        let (mut left, mut count) = (mean, 0.0);
        while left > 0.0 {
            let part = left.min(30.0);
            left -= part;
            let limit = (-part).exp();
            let mut product = self.unit();
            while product > limit {
                count += 1.0;
                product *= self.unit();
            }
        }
        count
    }

    /// Lets clusters begin, so many a second and of this mean size, each on the arm that the split gives it.
    fn begin_clusters(&mut self, rate: f64, size: f64, share: f64) {
        for _ in 0..self.poisson(rate) as u32 {
            let arm = usize::from(self.unit() >= share);
            loop {
                let place = (self.unit() * CLUSTER_S as f64) as usize;
                self.coming[place][arm] += 1.0;
                if self.unit() < 1.0 / size {
                    break;
                }
            }
        }
    }

    /// A second of both arms. Before second `HISTORY_S` the canary is not there.
    fn second(&mut self, second: u32) -> (Second, Second) {
        let share = if second >= HISTORY_S { 0.1 } else { 0.0 };
        let (mut traffic, mut rate) = (100.0, BASE);
        let turn = f64::from(second) / f64::from(HOUR_S) * std::f64::consts::TAU;
        match self.scenario {
            Scenario::Diurnal => {
                traffic *= 1.0 + 0.5 * turn.sin();
                rate *= 2.0 + turn.cos();
            }
            Scenario::SharedSpikes if second % 240 < 20 => rate *= 10.0,
            Scenario::LowTraffic => traffic = 2.0,
            Scenario::Clusters => {
                self.begin_clusters(BASE * traffic / 5.0, 5.0, share);
                rate = 0.0;
            }
            Scenario::RareBursts(apart_s, size) => self.begin_clusters(1.0 / apart_s, size, share),
            _ => {}
        }
        let (mut canary_rate, mut slowdown) = (rate, 1.0);
        match self.scenario {
            Scenario::Failing(failing) => canary_rate = failing,
            Scenario::Slower(factor) => slowdown = factor,
            _ => {}
        }
        let [of_canary, of_stable] = self.coming[0];
        self.coming.rotate_left(1);
        self.coming[CLUSTER_S - 1] = [0.0; 2];
        let canary = self.arm(share * traffic, canary_rate, slowdown, of_canary);
        let stable = self.arm((1.0 - share) * traffic, rate, 1.0, of_stable);
        (canary, stable)
    }

    fn arm(&mut self, traffic: f64, rate: f64, slowdown: f64, clustered: f64) -> Second {
        let failed = self.poisson(traffic * rate) + clustered;
        let good = self.poisson(traffic * (1.0 - rate)) as usize;
        let mut latencies_s = Vec::with_capacity(good + 1);
        while latencies_s.len() < good {
            // Box and Muller: two normal deviates of two uniform ones.
            let length = SPREAD * (-2.0 * (1.0 - self.unit()).ln()).sqrt();
            let (sin, cos) = (std::f64::consts::TAU * self.unit()).sin_cos();
            latencies_s.extend([length * sin, length * cos].map(|z: f64| slowdown * MEDIAN_S * z.exp()));
        }
        latencies_s.truncate(good);
        let mut counts = Arm { requests: failed + good as f64, failed, ..Arm::default() };
        for latency_s in &latencies_s {
            counts.buckets[BOUNDS_S.partition_point(|bound| bound < latency_s)] += 1.0;
        }
        Second { counts, latencies_s }
    }
}

/// What decides over a canary, second by second; `second` counts from its start.
trait Decides {
    fn history(&mut self, _stable: &Second) {}
    fn takes_back(&mut self, second: u32, canary: &Second, stable: &Second) -> bool;
}

/// What the judge sees of latency.
enum Latency {
    Samples(Box<RawLatency>),
    Buckets(Box<HistogramLatency>),
}

/// Errors and latency combined, as a watch does by default, or one of them alone.
struct Judge {
    errors: PairMonitor,
    latency: Latency,
    watch: Watch,
}

impl Judge {
    /// What is not among the metrics has no weight.
    fn new(preset: Preset, latency: Latency, metrics: &[MetricKind]) -> Self {
        let watch = Watch::new(WatchSettings::of(metrics.iter().copied()));
        Self { errors: PairMonitor::of(preset), latency, watch }
    }
}

const BOTH: [MetricKind; 2] = [MetricKind::Errors, MetricKind::Latency];

fn samples(preset: Preset) -> Latency {
    Latency::Samples(Box::new(RawLatency::new(LatencySettings::of(preset))))
}

fn buckets() -> Latency {
    let latency = HistogramLatency::new(BOUNDS_S.to_vec(), LatencySettings::default());
    Latency::Buckets(Box::new(latency.expect("the bounds ascend")))
}

impl Decides for Judge {
    fn history(&mut self, stable: &Second) {
        let counts = &stable.counts;
        let _ = self.errors.history(1.0, ArmCounts::new(counts.requests, counts.failed));
        let _ = match &mut self.latency {
            Latency::Samples(latency) => latency.history(1.0, &stable.latencies_s),
            Latency::Buckets(latency) => latency.history(1.0, &counts.buckets),
        };
    }

    fn takes_back(&mut self, second: u32, canary: &Second, stable: &Second) -> bool {
        let start_s = f64::from(second);
        let counts = |second: &Second| ArmCounts::new(second.counts.requests, second.counts.failed);
        let tick = Tick { start_s, length_s: 1.0, canary: counts(canary), stable: counts(stable) };
        let _ = self.errors.observe(&tick);
        let (log_e, log_e_safe) = match &mut self.latency {
            Latency::Samples(latency) => {
                let _ = latency.observe(start_s, 1.0, &canary.latencies_s, &stable.latencies_s);
                (latency.log_e(), latency.log_e_safe())
            }
            Latency::Buckets(latency) => {
                let _ = latency.observe(start_s, 1.0, &canary.counts.buckets, &stable.counts.buckets);
                (latency.log_e(), latency.log_e_safe())
            }
        };
        let metric = |metric, log_e, log_e_safe| MetricReading {
            metric,
            log_e,
            log_e_safe: Some(log_e_safe),
            lower_difference: None,
        };
        let reading = Reading {
            at_s: start_s + 1.0,
            metrics: vec![
                metric(MetricKind::Errors.into(), self.errors.log_e(), self.errors.log_e_safe()),
                metric(MetricKind::Latency.into(), log_e, log_e_safe),
            ],
            canary_requests: self.errors.canary().requests,
            known_s: self.errors.known_s(),
            ..Reading::default()
        };
        self.watch.decide(&reading).action.is_rollback()
    }
}

/// Threshold times count, as Argo Rollouts and Flagger do it: every minute, more than twice the usual errors or a p99 above
/// 500 ms is a failed check; the canary is taken back after so many, in a row or not.
#[derive(Default)]
struct FailedChecks {
    allowed: u32,
    minute: Arm,
    failed: u32,
}

impl Decides for FailedChecks {
    fn takes_back(&mut self, second: u32, canary: &Second, _stable: &Second) -> bool {
        self.minute.add(&canary.counts);
        if second % 60 == 59 {
            self.failed += u32::from(self.minute.rate() > 2.0 * BASE || self.minute.quantile(0.99) > 0.5);
            self.minute = Arm::default();
        }
        self.failed >= self.allowed
    }
}

/// Kayenta's classifier on one value a minute, looked at every minute.
#[derive(Default)]
struct RankTest {
    minute: [Arm; 2],
    errors: [Vec<f64>; 2],
    latency: [Vec<f64>; 2],
}

impl Decides for RankTest {
    fn takes_back(&mut self, second: u32, canary: &Second, stable: &Second) -> bool {
        self.minute[0].add(&canary.counts);
        self.minute[1].add(&stable.counts);
        if second % 60 != 59 {
            return false;
        }
        for (i, minute) in std::mem::take(&mut self.minute).iter().enumerate() {
            self.errors[i].push(100.0 * minute.rate());
            self.latency[i].push(1000.0 * minute.quantile(0.95));
        }
        let classifier = Classifier { direction: Direction::Increase, ..Classifier::default() };
        let is_high = |[canary, stable]: &[Vec<f64>; 2]| {
            // Two values a side are the fewest that have a spread.
            canary.len() > 1
                && mann_whitney(canary, stable, 0.98).is_ok()
                && classifier.classify(canary, stable).class == Class::High
        };
        is_high(&self.errors) || is_high(&self.latency)
    }
}

/// The last 60 s: two points more errors than stable, or a p95 above 1.2 times its.
#[derive(Default)]
struct Window {
    seconds: Vec<(Arm, Arm)>,
}

impl Decides for Window {
    fn takes_back(&mut self, second: u32, canary: &Second, stable: &Second) -> bool {
        let counts = (canary.counts, stable.counts);
        if self.seconds.len() < 60 {
            self.seconds.push(counts);
        } else {
            self.seconds[second as usize % 60] = counts;
        }
        let (mut canary, mut stable) = (Arm::default(), Arm::default());
        for (c, s) in &self.seconds {
            canary.add(c);
            stable.add(s);
        }
        let is_worse =
            canary.rate() > stable.rate() + 0.02 || canary.quantile(0.95) > 1.2 * stable.quantile(0.95);
        self.seconds.len() == 60 && is_worse
    }
}

type Contestant = (&'static str, fn(Scenario) -> Box<dyn Decides>);

const CONTESTANTS: [Contestant; 8] = [
    ("judge", |_| Box::new(Judge::new(Preset::Default, samples(Preset::Default), &BOTH))),
    ("judge, buckets", |_| Box::new(Judge::new(Preset::Default, buckets(), &BOTH))),
    ("judge, one metric", |scenario| {
        let metric =
            if matches!(scenario, Scenario::Slower(_)) { MetricKind::Latency } else { MetricKind::Errors };
        Box::new(Judge::new(Preset::Default, samples(Preset::Default), &[metric]))
    }),
    ("judge, relaxed", |_| Box::new(Judge::new(Preset::Relaxed, samples(Preset::Relaxed), &BOTH))),
    ("5 failed checks", |_| Box::new(FailedChecks { allowed: 5, ..FailedChecks::default() })),
    ("1 failed check", |_| Box::new(FailedChecks { allowed: 1, ..FailedChecks::default() })),
    ("Mann-Whitney", |_| Box::new(RankTest::default())),
    ("window + 2 points", |_| Box::new(Window::default())),
];

/// When a contestant took the canary back, in seconds, and what the canary had done by then.
type Found = Option<(f64, Arm)>;

/// One stream, given to all.
fn run(scenario: Scenario, seed: u64, seconds: u32) -> Vec<Found> {
    let mut service = Service::new(scenario, seed);
    let mut contestants: Vec<Box<dyn Decides>> = CONTESTANTS.iter().map(|(_, make)| make(scenario)).collect();
    let mut found: Vec<Found> = vec![None; contestants.len()];
    for second in 0..HISTORY_S {
        let (_, stable) = service.second(second);
        for contestant in &mut contestants {
            contestant.history(&stable);
        }
    }
    let mut total = Arm::default();
    for second in 0..seconds {
        let (canary, stable) = service.second(HISTORY_S + second);
        total.add(&canary.counts);
        for (contestant, found) in contestants.iter_mut().zip(&mut found) {
            if found.is_none() && contestant.takes_back(second, &canary, &stable) {
                *found = Some((f64::from(second) + 1.0, total));
            }
        }
        if found.iter().all(Option::is_some) {
            break;
        }
    }
    found
}

fn quantile(values: &mut [f64], quantile: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values
        .get(((values.len() as f64 * quantile) as usize).min(values.len().saturating_sub(1)))
        .copied()
        .unwrap_or(f64::NAN)
}

fn print_head(first: &str) {
    print!("| {first} |");
    for (name, _) in CONTESTANTS {
        print!(" {name} |");
    }
    println!("\n|---|{}", "---:|".repeat(CONTESTANTS.len()));
}

fn main() {
    let mut arguments = std::env::args().skip(1).peekable();
    if arguments.next_if_eq("pictures").is_some() {
        let folder = arguments.next().unwrap_or_else(|| "docs/pictures".to_owned());
        // A stream in which nothing unusual happens.
        if let Err(error) = pictures::write(std::path::Path::new(&folder), 11) {
            eprintln!("cannot write into {folder}: {error}");
            std::process::exit(1);
        }
        return;
    }
    let streams: u64 = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(100);
    let seed: u64 = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(1);
    let all = |scenario: Scenario, seconds: u32| -> Vec<Vec<Found>> {
        (0..streams)
            .map(|stream| run(scenario, seed.wrapping_mul(1_000_003).wrapping_add(stream), seconds))
            .collect()
    };

    println!("Healthy canaries taken back within an hour, of {streams} streams\n");
    print_head("scenario");
    for (name, scenario) in [
        ("plain", Scenario::Plain),
        ("clusters", Scenario::Clusters),
        ("rare bursts", Scenario::RareBursts(60.0, 10.0)),
        ("smaller bursts", Scenario::RareBursts(60.0, 5.0)),
        ("rarer bursts", Scenario::RareBursts(300.0, 10.0)),
        ("diurnal", Scenario::Diurnal),
        ("shared spikes", Scenario::SharedSpikes),
        ("low traffic", Scenario::LowTraffic),
    ] {
        let runs = all(scenario, HOUR_S);
        print!("| {name} |");
        for i in 0..CONTESTANTS.len() {
            let taken_back = runs.iter().filter(|found| found[i].is_some()).count();
            print!(" {:.1} % |", 100.0 * taken_back as f64 / streams as f64);
        }
        println!();
    }

    println!(
        "\nHarmful canaries: seconds until taken back (median / p95), failed requests of the canary by then (median; slowed"
    );
    println!("requests where it is only slow), and the share found within an hour\n");
    print_head("regression");
    for (name, scenario) in [
        ("5 points more errors", Scenario::Failing(BASE + 0.05)),
        ("twice the errors", Scenario::Failing(2.0 * BASE)),
        ("hard down", Scenario::Failing(1.0)),
        ("1.5 times slower", Scenario::Slower(1.5)),
        ("3 times slower", Scenario::Slower(3.0)),
    ] {
        let runs = all(scenario, HOUR_S);
        print!("| {name} |");
        for i in 0..CONTESTANTS.len() {
            let found: Vec<(f64, Arm)> = runs.iter().filter_map(|found| found[i]).collect();
            // What was never found counts as an hour and more.
            let mut delays: Vec<f64> =
                runs.iter().map(|found| found[i].map_or(f64::INFINITY, |(delay_s, _)| delay_s)).collect();
            let is_slow = matches!(scenario, Scenario::Slower(_));
            let harm = |arm: &Arm| if is_slow { arm.requests } else { arm.failed };
            let mut harmed: Vec<f64> = found.iter().map(|(_, arm)| harm(arm)).collect();
            let delay =
                |delay_s: f64| if delay_s.is_finite() { format!("{delay_s:.0}") } else { "never".to_owned() };
            let harm = quantile(&mut harmed, 0.5);
            print!(
                " {} / {} s, {}, {:.0} % |",
                delay(quantile(&mut delays, 0.5)),
                delay(quantile(&mut delays, 0.95)),
                if harm.is_nan() { "-".to_owned() } else { format!("{harm:.0}") },
                100.0 * found.len() as f64 / streams as f64
            );
        }
        println!();
    }
}
