//! What the core costs with 1,000 services: a second of time passing, a reading of a source, an answer of a probe.
//!
//! Every service has a canary, a probe, an error ratio, a latency and its memory, and five triggers watch it; two more watch
//! the whole environment. The readings come from ten sources, each of a hundred services.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use jiff::Timestamp;
use unship::config::Config;
use unship::engine::{Core, Input, PlatformFacts, Settings};
use unship::model::platform::{Capabilities, Declares};
use unship::model::probe::{Health, ProbeOutcome, ProbeResult};
use unship::model::release::{Arm, Inventory, Release, Share};
use unship::model::source::{Reading, Sample, SampleValue, SourceReport, Subject};
use unship::model::{ServiceName, SourceName};

const SERVICES: usize = 1_000;
const SOURCES: usize = 10;

const TRIGGERS: &str = r#"
[environment]
name = "bench"

[triggers.errors]
when = { kind = "threshold", indicator = "errors", above = "5%", over = "30s", for = "5s" }
action = "immediate"
min_samples = 20

[triggers.rising]
when = { kind = "threshold", indicator = "errors", above = "2%", over = "60s", for = "30s" }
action = "gradual"
min_samples = 20

[triggers.slow]
when = { kind = "threshold", indicator = "latency", above = "800ms", over = "60s", for = "30s" }
action = "gradual"
min_samples = 20

[triggers.down]
when = { kind = "consecutive", failures = 3, within = "30s" }
action = "immediate"

[triggers.available]
when = { kind = "availability", below = "95%", over = "60s" }
action = "watch"

[triggers.everywhere]
when = { kind = "threshold", indicator = "errors", above = "5%", over = "60s", for = "30s" }
action = "watch"
scope = "environment"
min_samples = 20

[triggers.full]
when = { kind = "threshold", indicator = "memory", above = "90%", over = "60s", for = "30s" }
action = "watch"
scope = "environment"
"#;

struct Fleet {
    core: Core,
    now: Timestamp,
    services: Vec<ServiceName>,
}

fn config() -> Config {
    let mut text = TRIGGERS.to_owned();
    for source in 0..SOURCES {
        let _ = write!(
            text,
            "[sources.metrics-{source}]\nkind = \"scrape\"\nurl = \"http://127.0.0.1:1/metrics\"\ninterval = \"1s\"\n\
             arms = {{ label = \"version\", by_version = true }}\n"
        );
    }
    for service in 0..SERVICES {
        let source = service % SOURCES;
        let _ = write!(
            text,
            "[services.s{service:04}]\n\
             platform = {{ kind = \"lab\", admin = \"http://127.0.0.1:1\", service = \"s\" }}\n\
             probes.live = {{ url = \"http://127.0.0.1:1/\", interval = \"1s\", timeout = \"1s\" }}\n\
             indicators.errors = {{ source = \"metrics-{source}\", read = {{ kind = \"ratio\", bad = \"e\", total = \"t\" }} }}\n\
             indicators.latency = {{ source = \"metrics-{source}\", read = {{ kind = \"latency\", histogram = \"h\" }} }}\n\
             indicators.memory = {{ source = \"metrics-{source}\", read = {{ kind = \"gauge\", series = \"m\", divide_by = \"n\" }} }}\n"
        );
    }
    toml::from_str(&text).expect("the bench's config")
}

fn inventory() -> Inventory {
    let at = Timestamp::from_second(1_800_000_000).expect("a time");
    let release = |version: &str| Release {
        version: version.into(),
        reference: version.into(),
        created_at: at,
        author: None,
        schema: None,
        running: true,
    };
    let share = |version: &str, arm, percent| Share { reference: version.into(), arm, percent };
    Inventory {
        releases: vec![release("2.0"), release("1.0")],
        traffic: vec![share("1.0", Arm::Stable, 80), share("2.0", Arm::Canary, 20)],
        settled: true,
        ..Inventory::default()
    }
}

impl Fleet {
    /// A fleet that was read for long enough that every window is full and every verdict stands.
    fn new() -> Self {
        let declares = Declares { observable: true, idempotent: true };
        let facts = PlatformFacts {
            capabilities: Capabilities { weights: true, ..Capabilities::default() },
            deploy: declares,
            shift: declares,
            restore: declares,
            maintenance: declares,
        };
        let config = Arc::new(config());
        let services: Vec<_> = config.services.keys().cloned().collect();
        let platforms = services.iter().map(|name| (name.clone(), facts)).collect();
        let settings = Settings {
            config,
            runbooks: BTreeMap::new(),
            templates: Arc::default(),
            drill: false,
            platforms,
            by_itself: true,
        };
        let now = Timestamp::from_second(1_800_000_000).expect("a time");
        let mut fleet = Self { core: Core::new(Arc::new(settings), Arc::default()), now, services };
        for service in fleet.services.clone() {
            fleet.give(Input::Inventory { service, at: now, result: Ok(inventory()) });
        }
        for _ in 0..65 {
            fleet.now += Duration::from_secs(1);
            for source in 0..SOURCES {
                let report = fleet.report(source);
                fleet.give(Input::Source(report));
            }
            for index in 0..fleet.services.len() {
                let result = fleet.probe(index);
                fleet.give(Input::Probe(result));
            }
            fleet.give(Input::Tick);
        }
        fleet
    }

    fn give(&mut self, input: Input) {
        black_box(self.core.step(input, self.now));
    }

    /// One second of one source: 100 services, two arms, three indicators each.
    fn report(&self, source: usize) -> SourceReport {
        let bounds: Arc<[f64]> = (1..=14).map(|bound| 2_f64.powi(bound)).collect();
        let mut samples = Vec::new();
        for service in self.services.iter().skip(source).step_by(SOURCES) {
            for version in ["1.0", "2.0"] {
                let mut sample = |indicator: &str, value| {
                    let is_gauge = matches!(value, SampleValue::Gauge(_));
                    samples.push(Sample {
                        service: service.clone(),
                        indicator: indicator.into(),
                        subject: Subject::Version(version.into()),
                        from: if is_gauge { self.now } else { self.now - Duration::from_secs(1) },
                        at: self.now,
                        value,
                    });
                };
                sample("memory", SampleValue::Gauge(0.5));
                sample("errors", SampleValue::Ratio { bad: 0.0, total: 50.0 });
                let counts = (0..15).map(|bucket| f64::from(15 - bucket)).collect();
                sample("latency", SampleValue::Histogram { bounds_ms: Arc::clone(&bounds), counts });
            }
        }
        let source = SourceName::from(format!("metrics-{source}"));
        SourceReport { source, at: self.now, result: Ok(Reading { samples, ..Reading::default() }) }
    }

    fn probe(&self, index: usize) -> ProbeResult {
        ProbeResult {
            service: self.services[index].clone(),
            probe: "live".into(),
            arm: None,
            at: self.now,
            latency_ms: 3.0,
            status: Some(200),
            outcome: ProbeOutcome::Answered { health: Health::Healthy, reason: String::new() },
            document: None,
        }
    }
}

fn core(criterion: &mut Criterion) {
    let mut fleet = Fleet::new();
    let mut group = criterion.benchmark_group("core_1000_services");
    group.sample_size(20);
    group.throughput(Throughput::Elements(SERVICES as u64));
    // Every service is looked at anew.
    group.bench_function("second_passes", |bencher| {
        bencher.iter(|| {
            fleet.now += Duration::from_secs(1);
            fleet.give(Input::Tick);
        });
    });
    // Nothing is due: what ten ticks a second cost besides.
    group.throughput(Throughput::Elements(1));
    group.bench_function("tick", |bencher| bencher.iter(|| fleet.give(Input::Tick)));
    let mut fleet = Fleet::new();
    let mut source = 0;
    group.throughput(Throughput::Elements(600));
    group.bench_function("report_of_600_samples", |bencher| {
        bencher.iter_custom(|rounds| {
            let mut spent = Duration::ZERO;
            for _ in 0..rounds {
                source = (source + 1) % SOURCES;
                if source == 0 {
                    fleet.now += Duration::from_secs(1);
                }
                let report = fleet.report(source);
                let began = Instant::now();
                fleet.give(Input::Source(report));
                spent += began.elapsed();
            }
            spent
        });
    });
    let mut index = 0;
    group.throughput(Throughput::Elements(1));
    group.bench_function("probe_result", |bencher| {
        bencher.iter(|| {
            index = (index + 1) % SERVICES;
            if index == 0 {
                fleet.now += Duration::from_secs(1);
            }
            let result = fleet.probe(index);
            fleet.give(Input::Probe(result));
        });
    });
    group.finish();
}

criterion_group!(benches, core);
criterion_main!(benches);
