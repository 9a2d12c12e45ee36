//! An engine's core on simulated time, with the platforms and the traffic that it looks at.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::config::Config;
use crate::engine::input::Settings;
use crate::engine::runtime::{Entry, Leadership, Lease, View};
use crate::engine::{Core, Effect, Input, PlatformFacts, RunStep, StepFinished, StepResult};
use crate::model::command::{Actor, Command, Envelope};
use crate::model::platform::{Capabilities, Declares, PlatformAction};
use crate::model::probe::{Health, ProbeOutcome, ProbeResult};
use crate::model::release::{Arm, Inventory, Release, Share};
use crate::model::source::{Reading, Sample, SampleValue, SourceFault, SourceReport, Subject};
use crate::model::{CommandId, ServiceName, SourceName};
use crate::tui::glyphs::Glyphs;
use crate::tui::keymap::Keymap;
use crate::tui::roster::{Filter, Roster};
use crate::tui::scene::Picture;
use crate::tui::theme;
use crate::tui::trends::Trends;

/// Who sits at the console.
pub(crate) const ME: &str = "ana";

/// What one release does with its traffic.
#[derive(Clone, Copy)]
pub(crate) struct Load {
    /// The share of its requests that fail, 0 to 1.
    pub(crate) errors: f64,
    /// The typical latency, in milliseconds; one request in twenty takes two to three times as long.
    pub(crate) latency_ms: f64,
    /// The share of its memory that it uses, 0 to 1.
    pub(crate) memory: f64,
}

/// A release without any trouble.
pub(crate) const WELL: Load = Load { errors: 0.002, latency_ms: 280.0, memory: 0.48 };

/// The core, its time, everything that it ever said, and what it looks at.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) core: Core,
    pub(crate) now: Timestamp,
    pub(crate) timeline: VecDeque<Arc<Entry>>,
    pub(crate) trends: Trends,
    /// Steps that the platform was asked for and has not answered.
    pub(crate) steps: Vec<RunStep>,
    /// What each platform says.
    pub(crate) platforms: BTreeMap<ServiceName, Inventory>,
    /// What each version of each service does with its traffic.
    pub(crate) loads: BTreeMap<(ServiceName, String), Load>,
    /// Sources that cannot be read, and why.
    pub(crate) faults: BTreeMap<SourceName, String>,
    /// What the probe of a service answers, where it is not well.
    pub(crate) probes: BTreeMap<ServiceName, (Health, String)>,
    commands: u64,
}

/// A platform with weights, whose changes a reading shows.
pub(crate) fn facts(observable: bool) -> PlatformFacts {
    let declares = Declares { observable, idempotent: observable };
    PlatformFacts {
        capabilities: Capabilities {
            weights: true,
            deploy: true,
            restore: false,
            maintenance: true,
            scale: true,
            ..Capabilities::default()
        },
        deploy: declares,
        shift: declares,
        restore: declares,
        maintenance: declares,
    }
}

/// The settings of a config, whose platforms show what happens on them, or do not.
pub(crate) fn settings(config: Config, observable: bool) -> Arc<Settings> {
    let platforms = config.services.keys().map(|name| (name.clone(), facts(observable))).collect();
    Arc::new(Settings {
        config: Arc::new(config),
        runbooks: BTreeMap::new(),
        templates: Arc::default(),
        drill: false,
        platforms,
        by_itself: true,
    })
}

/// A moment.
pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A release that its platform has.
pub(crate) fn release(version: &str, author: &str, created: &str) -> Release {
    let digest = version
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    Release {
        version: version.into(),
        reference: format!("sha256:{digest:016x}").into(),
        created_at: at(created),
        author: Some(author.to_owned()),
        schema: None,
        running: true,
    }
}

impl World {
    pub(crate) fn new(settings: Arc<Settings>, now: Timestamp) -> Self {
        Self {
            core: Core::new(settings, Arc::default()),
            now,
            timeline: VecDeque::new(),
            trends: Trends::default(),
            steps: Vec::new(),
            platforms: BTreeMap::new(),
            loads: BTreeMap::new(),
            faults: BTreeMap::new(),
            probes: BTreeMap::new(),
            commands: 0,
        }
    }

    pub(crate) fn give(&mut self, input: Input) {
        let turn = self.core.step(input, self.now);
        for event in turn.events {
            let seq = self.timeline.len() as u64 + 1;
            let entry = Entry { seq, at: self.now, token: 1, event, hash: format!("{seq:064x}") };
            self.timeline.push_back(Arc::new(entry));
        }
        for effect in turn.effects {
            if let Effect::RunStep(step) = effect {
                self.steps.push(step);
            }
        }
    }

    /// A guard begins to lead, here or anew after a crash.
    pub(crate) fn lead(&mut self) {
        let state = Arc::clone(self.core.state());
        self.core = Core::new(Arc::clone(self.core.settings()), state);
        self.give(Input::Leading { holder: HOLDER.to_owned(), program: "0.1.0".to_owned() });
    }

    /// The platform of a service has another release, and traffic goes where it is said.
    pub(crate) fn serve(&mut self, service: &str, new: Option<Release>, shares: &[(&str, Arm, u8)]) {
        let inventory = self.platforms.entry(service.into()).or_default();
        inventory.settled = true;
        inventory.maintenance = Some(false);
        if let Some(release) = new {
            inventory.releases.insert(0, release);
        }
        inventory.traffic = shares
            .iter()
            .map(|(version, arm, percent)| Share {
                reference: inventory.by_version(&(*version).into()).unwrap().reference.clone(),
                arm: *arm,
                percent: *percent,
            })
            .collect();
        self.read_platform(service);
    }

    pub(crate) fn read_platform(&mut self, service: &str) {
        let inventory = self.platforms[service].clone();
        self.give(Input::Inventory { service: service.into(), at: self.now, result: Ok(inventory) });
    }

    pub(crate) fn load(&mut self, service: &str, version: &str, load: Load) {
        self.loads.insert((service.into(), version.to_owned()), load);
    }

    /// Traffic, read every second, for some seconds.
    pub(crate) fn pass(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.second();
        }
    }

    /// Nobody looks for a time.
    pub(crate) fn jump(&mut self, to: &str) {
        self.now = at(to);
        self.give(Input::Tick);
    }

    fn second(&mut self) {
        let from = self.now;
        self.now += Duration::from_secs(1);
        self.give(Input::Tick);
        if self.now.as_second() % 5 == 0 {
            let services: Vec<ServiceName> = self.platforms.keys().cloned().collect();
            for service in services {
                self.read_platform(service.as_str());
            }
        }
        let config = Arc::clone(&self.core.settings().config);
        for source in config.sources.keys() {
            let result = match self.faults.get(source) {
                Some(reason) => Err(SourceFault { reason: reason.clone() }),
                None => Ok(Reading { samples: self.samples(&config, source, from), ..Reading::default() }),
            };
            self.give(Input::Source(SourceReport { source: source.clone(), at: self.now, result }));
        }
        for (service, spec) in &config.services {
            for probe in spec.probes.keys() {
                let outcome = match self.probes.get(service) {
                    None => ProbeOutcome::Answered { health: Health::Healthy, reason: String::new() },
                    Some((health, reason)) => {
                        ProbeOutcome::Answered { health: *health, reason: reason.clone() }
                    }
                };
                self.give(Input::Probe(ProbeResult {
                    service: service.clone(),
                    probe: probe.clone(),
                    arm: None,
                    at: self.now,
                    latency_ms: 4.0,
                    status: Some(200),
                    outcome,
                    document: None,
                }));
            }
        }
        self.trends.take(&self.view());
    }

    fn samples(&self, config: &Config, source: &SourceName, from: Timestamp) -> Vec<Sample> {
        let mut samples = Vec::new();
        for (service, inventory) in &self.platforms {
            let Some(spec) = config.services.get(service) else { continue };
            for share in inventory.traffic.iter().filter(|share| share.percent > 0) {
                let version = &inventory.release(&share.reference).unwrap().version;
                let load = self.loads.get(&(service.clone(), version.to_string())).copied().unwrap_or(WELL);
                let values = values(load, 4.0 * f64::from(share.percent), wobble(self.now, version.as_str()));
                for (indicator, value) in values {
                    if spec.indicators.get(indicator).is_none_or(|spec| &spec.source != source) {
                        continue;
                    }
                    let is_gauge = matches!(value, SampleValue::Gauge(_));
                    samples.push(Sample {
                        service: service.clone(),
                        indicator: indicator.into(),
                        subject: Subject::Version(version.clone()),
                        from: if is_gauge { self.now } else { from },
                        at: self.now,
                        value,
                    });
                }
            }
        }
        samples
    }

    pub(crate) fn send(&mut self, command: Command) {
        self.commands += 1;
        let id = CommandId::from(format!("c-{}", self.commands));
        let by = Actor::Person { name: ME.to_owned() };
        let at = self.now;
        self.give(Input::Command(Envelope { id, by, at, command }));
    }

    /// The platform does the step that it was asked for last, as asked.
    pub(crate) fn done(&mut self) {
        let said = self.timeline.back().map(|entry| &entry.event);
        let step = self.steps.pop().unwrap_or_else(|| panic!("no step was asked for: {said:#?}"));
        let inventory = self.platforms.get_mut(&step.service).unwrap();
        match &step.action {
            PlatformAction::ShiftTraffic { shares } => inventory.traffic.clone_from(shares),
            PlatformAction::Restore { release } => {
                inventory.traffic =
                    vec![Share { reference: release.clone(), arm: Arm::Stable, percent: 100 }];
            }
            PlatformAction::Maintenance { on } => inventory.maintenance = Some(*on),
            PlatformAction::Scale { instances } => inventory.instances = Some(*instances),
            PlatformAction::Purge
            | PlatformAction::Deploy { .. }
            | PlatformAction::Stop { .. }
            | PlatformAction::Remove { .. } => {}
        }
        let inventory = Some(inventory.clone());
        self.give(Input::StepFinished(StepFinished {
            operation: step.operation,
            step: step.step,
            attempt: step.attempt,
            result: StepResult::Done { adopted: false, detail: "the router took it".to_owned() },
            inventory,
        }));
    }

    /// What the runtime would publish.
    pub(crate) fn view(&self) -> View {
        let senses = self.core.senses();
        let readings = senses
            .readings()
            .into_iter()
            .filter_map(|(name, reading)| Some((name.clone(), (senses.evaluated_at(&name)?, reading))))
            .collect();
        let until = self.now + Duration::from_secs(10);
        View {
            state: Arc::clone(self.core.state()),
            position: self.timeline.len() as u64,
            readings,
            output: BTreeMap::new(),
            deliveries: Vec::new(),
            asked: BTreeMap::new(),
            leadership: Leadership::Theirs(Lease { holder: HOLDER.to_owned(), token: 1, until }),
            trouble: None,
        }
    }

    /// What the console shows of it.
    pub(crate) fn picture(&self) -> Picture {
        let live = Arc::new(self.view());
        let settings = Arc::clone(self.core.settings());
        let filter = Filter::default();
        Picture {
            roster: Roster::new(&settings.config, &live, &filter),
            settings,
            config_path: PathBuf::from("unship.toml"),
            live,
            looked_at: self.now,
            past: None,
            delivery: None,
            log: None,
            trends: self.trends.clone(),
            runbooks: self.core.settings().runbooks.clone(),
            timeline: self.timeline.clone(),
            me: Actor::Person { name: ME.to_owned() },
            now: self.now,
            zone: TimeZone::UTC,
            theme: theme::find("dark", &[]).unwrap(),
            glyphs: Glyphs::unicode(),
            keymap: Keymap::new(&BTreeMap::new()).unwrap(),
            themes: theme::names(&[]),
        }
    }
}

/// Who leads.
const HOLDER: &str = "guard@ops-1:4121";

/// A small movement that is the same in every run: -1 to 1.
fn wobble(now: Timestamp, seed: &str) -> f64 {
    let seed: u64 = seed.bytes().map(u64::from).sum();
    let step = now.as_second().unsigned_abs().wrapping_mul(2_654_435_761).wrapping_add(seed * 977) % 1_000;
    step as f64 / 500.0 - 1.0
}

/// Upper bounds of the latency's buckets, in milliseconds.
const BOUNDS: [f64; 14] =
    [2.0, 5.0, 10.0, 25.0, 50.0, 100.0, 200.0, 400.0, 700.0, 850.0, 1_000.0, 1_500.0, 2_000.0, 5_000.0];

/// What a second of traffic leaves in the indicators.
fn values(load: Load, total: f64, wobble: f64) -> [(&'static str, SampleValue); 4] {
    let mut counts = vec![0.0; BOUNDS.len() + 1];
    for (share, times) in [(0.60, 1.0), (0.33, 1.2), (0.05, 2.2), (0.02, 2.9)] {
        let ms = load.latency_ms * times * (1.0 + 0.05 * wobble);
        let bucket = BOUNDS.iter().position(|bound| ms <= *bound).unwrap_or(BOUNDS.len());
        counts[bucket] += share * total;
    }
    [
        ("errors", SampleValue::Ratio { bad: load.errors * total * (1.0 + 0.15 * wobble), total }),
        ("latency", SampleValue::Histogram { bounds_ms: BOUNDS.into(), counts }),
        ("traffic", SampleValue::Count(total * (1.0 + 0.02 * wobble))),
        ("memory", SampleValue::Gauge(load.memory + 0.005 * wobble)),
    ]
}
