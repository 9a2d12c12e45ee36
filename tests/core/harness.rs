//! A core on simulated time, and the words to drive it with.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use unship::config::Config;
use unship::engine::{
    Core, Effect, Input, PlatformFacts, RunStep, RunValidation, Settings, State, StepFinished, StepResult,
    Turn,
};
use unship::model::command::{Actor, Command, Envelope, Override, Promote, RollBack};
use unship::model::decision::Guardrail;
use unship::model::event::Event;
use unship::model::operation::{Operation, OperationStatus, Outcome, Strategy};
use unship::model::platform::{Capabilities, Declares, PlatformAction};
use unship::model::probe::{Health, ProbeOutcome, ProbeResult};
use unship::model::release::{Arm, Inventory, Release, Share};
use unship::model::source::{Reading, Sample, SampleValue, SourceFault, SourceReport, Subject};
use unship::model::{CommandId, ServiceName, Version};

pub(crate) const CONFIG: &str = r#"
[environment]
name = "test"

[guardrails]
cooldown = "60s"
maximum = 3
stale_after = "10s"

[rollback]
good_after = "5s"
watch = "5s"
verify_hold = "3s"
verify_deadline = "30s"
retries = 2

[sources.metrics]
kind = "scrape"
url = "http://127.0.0.1:1/metrics"
interval = "1s"
arms = { label = "version", by_version = true }

[services.shop]
platform = { kind = "lab", admin = "http://127.0.0.1:1", service = "shop" }
depends_on = ["pay"]
probes.live = { url = "http://127.0.0.1:1/health", interval = "1s", timeout = "1s" }
indicators.errors = { source = "metrics", read = { kind = "ratio", bad = "e", total = "t" } }

[services.pay]
platform = { kind = "lab", admin = "http://127.0.0.1:1", service = "pay" }
indicators.errors = { source = "metrics", read = { kind = "ratio", bad = "e", total = "t" } }

[services.swap]
platform = { kind = "lab", admin = "http://127.0.0.1:1", service = "swap" }
indicators.errors = { source = "metrics", read = { kind = "ratio", bad = "e", total = "t" } }

[triggers.errors]
when = { kind = "threshold", indicator = "errors", above = "5%", over = "3s", for = "1s" }
action = "immediate"
severity = "critical"
min_samples = 20

[triggers.slow]
when = { kind = "threshold", indicator = "errors", above = "2%", over = "10s", for = "4s" }
action = "gradual"
min_samples = 20

[triggers.down]
when = { kind = "consecutive", failures = 3, within = "10s" }
action = "immediate"
services = ["shop"]

[channels.hook]
kind = "webhook"
url = "http://127.0.0.1:1/hook"
"#;

/// A platform that declares this of everything it can do.
pub(crate) fn facts(weights: bool, observable: bool, idempotent: bool) -> PlatformFacts {
    let declares = Declares { observable, idempotent };
    PlatformFacts {
        capabilities: Capabilities {
            weights,
            deploy: weights,
            restore: !weights,
            maintenance: weights,
            ..Capabilities::default()
        },
        deploy: declares,
        shift: declares,
        restore: declares,
        maintenance: declares,
    }
}

pub(crate) fn settings(change: impl FnOnce(&mut Config)) -> Arc<Settings> {
    let mut config: Config = toml::from_str(CONFIG).expect("the test's config");
    change(&mut config);
    let platforms = BTreeMap::from([
        ("shop".into(), facts(true, true, true)),
        ("pay".into(), facts(false, true, false)),
        ("swap".into(), facts(false, false, false)),
    ]);
    Arc::new(Settings {
        config: Arc::new(config),
        runbooks: BTreeMap::new(),
        templates: Arc::default(),
        drill: false,
        platforms,
        by_itself: true,
    })
}

pub(crate) fn start() -> Timestamp {
    "2026-11-21T09:00:00Z".parse().expect("a time")
}

pub(crate) fn release(version: &str, age_hours: i64) -> Release {
    Release {
        version: version.into(),
        reference: format!("ref-{version}").into(),
        created_at: start() - Duration::from_secs(age_hours as u64 * 3_600),
        author: None,
        schema: None,
        running: true,
    }
}

/// Four releases, newest first, and the traffic between them.
pub(crate) fn inventory(shares: &[(&str, Arm, u8)]) -> Inventory {
    let releases = vec![release("4.0", 1), release("3.0", 10), release("2.0", 20), release("1.0", 30)];
    let traffic = shares
        .iter()
        .map(|(version, arm, percent)| Share {
            reference: format!("ref-{version}").into(),
            arm: *arm,
            percent: *percent,
        })
        .collect();
    Inventory { releases, traffic, settled: true, ..Inventory::default() }
}

/// A core with its simulated time, everything it ever said, and the fold of that.
pub(crate) struct World {
    pub(crate) core: Core,
    pub(crate) now: Timestamp,
    pub(crate) events: Vec<(Timestamp, Event)>,
    pub(crate) folded: State,
    pub(crate) steps: Vec<RunStep>,
    pub(crate) trials: Vec<RunValidation>,
    commands: u64,
}

impl World {
    pub(crate) fn new(settings: Arc<Settings>) -> Self {
        let core = Core::new(settings, Arc::default());
        Self {
            core,
            now: start(),
            events: Vec::new(),
            folded: State::default(),
            steps: Vec::new(),
            trials: Vec::new(),
            commands: 0,
        }
    }

    pub(crate) fn give(&mut self, input: Input) -> Turn {
        let turn = self.core.step(input, self.now);
        for event in &turn.events {
            self.folded.apply(event, self.now);
            self.events.push((self.now, event.clone()));
        }
        for effect in &turn.effects {
            match effect {
                Effect::RunStep(step) => self.steps.push(step.clone()),
                Effect::Validate(trial) => self.trials.push(trial.clone()),
                _ => {}
            }
        }
        turn
    }

    pub(crate) fn pass(&mut self, ms: u64) {
        self.now += Duration::from_millis(ms);
        self.give(Input::Tick);
    }

    pub(crate) fn inventory(&mut self, service: &str, shares: &[(&str, Arm, u8)]) -> Turn {
        let at = self.now;
        self.give(Input::Inventory { service: service.into(), at, result: Ok(inventory(shares)) })
    }

    /// One second of traffic on some versions: requests and errors of each.
    pub(crate) fn second(&mut self, service: &str, traffic: &[(&str, f64, f64)]) {
        self.span(1_000, service, traffic);
    }

    /// So many milliseconds of traffic.
    pub(crate) fn span(&mut self, ms: u64, service: &str, traffic: &[(&str, f64, f64)]) {
        let from = self.now;
        self.pass(ms);
        let samples = traffic
            .iter()
            .map(|(version, total, bad)| Sample {
                service: service.into(),
                indicator: "errors".into(),
                subject: Subject::Version(Version::from(*version)),
                from,
                at: self.now,
                value: SampleValue::Ratio { bad: *bad, total: *total },
            })
            .collect();
        let report = SourceReport {
            source: "metrics".into(),
            at: self.now,
            result: Ok(Reading { samples, ..Reading::default() }),
        };
        self.give(Input::Source(report));
        if service == "shop" {
            self.probe(Some(Health::Healthy));
        }
    }

    pub(crate) fn source_fault(&mut self) {
        let at = self.now;
        let result = Err(SourceFault { reason: "connection refused".into() });
        self.give(Input::Source(SourceReport { source: "metrics".into(), at, result }));
    }

    pub(crate) fn probe(&mut self, health: Option<Health>) {
        let outcome = health.map_or(ProbeOutcome::NotRun { reason: "no network".into() }, |health| {
            ProbeOutcome::Answered { health, reason: format!("answered {}", health.word()) }
        });
        let result = ProbeResult {
            service: "shop".into(),
            probe: "live".into(),
            arm: None,
            at: self.now,
            latency_ms: 3.0,
            status: Some(200),
            outcome,
            document: None,
        };
        self.give(Input::Probe(result));
    }

    pub(crate) fn send(&mut self, command: Command) -> Turn {
        self.commands += 1;
        let id = CommandId::from(format!("c-{}", self.commands));
        let by = Actor::Person { name: "ana".into() };
        let at = self.now;
        self.give(Input::Command(Envelope { id, by, at, command }))
    }

    pub(crate) fn roll_back(&mut self, service: &str, to: Option<&str>, overrides: &[Guardrail]) -> Turn {
        let overrides = overrides
            .iter()
            .map(|guardrail| Override { guardrail: *guardrail, reason: "I looked".into() })
            .collect();
        self.send(Command::RollBack(RollBack {
            service: service.into(),
            from: None,
            to: to.map(Version::from),
            strategy: Strategy::Immediate,
            reason: "5xx".into(),
            overrides,
        }))
    }

    pub(crate) fn promote(&mut self, service: &str, release: Option<&str>, overrides: &[Guardrail]) -> Turn {
        let overrides = overrides
            .iter()
            .map(|guardrail| Override { guardrail: *guardrail, reason: "I looked".into() })
            .collect();
        self.send(Command::Promote(Promote {
            service: service.into(),
            release: release.map(|version| format!("ref-{version}").into()),
            reason: "it is fine".into(),
            overrides,
        }))
    }

    pub(crate) fn maintenance(&mut self, service: &str, on: bool) -> Turn {
        self.send(Command::Maintenance { service: service.into(), on, reason: "a repair".into() })
    }

    pub(crate) fn pause(&mut self) -> Turn {
        let operation = self.operation().id.clone();
        self.send(Command::Pause { operation, reason: "wait for me".into() })
    }

    pub(crate) fn resume(&mut self) -> Turn {
        let operation = self.operation().id.clone();
        self.send(Command::Resume { operation, reason: "go on".into() })
    }

    /// Why the newest command was refused; none when it was taken up.
    pub(crate) fn refusal(&self) -> Option<&str> {
        self.events.iter().rev().find_map(|(_, event)| match event {
            Event::CommandRefused { reason, .. } => Some(Some(reason.as_str())),
            Event::CommandAccepted { .. } => Some(None),
            _ => None,
        })?
    }

    pub(crate) fn outcome(&self) -> Option<Outcome> {
        match self.operation().status {
            OperationStatus::Ended { outcome, .. } => Some(outcome),
            _ => None,
        }
    }

    /// The process dies and another begins with what the journal has.
    pub(crate) fn crash(&mut self) -> Turn {
        let settings = Arc::clone(self.core.settings());
        self.core = Core::new(settings, Arc::new(self.folded.clone()));
        self.give(Input::Leading { holder: "guard@other:2".into(), program: "test".into() })
    }

    /// Ends the newest step that was asked for, as if the platform had done it.
    pub(crate) fn done(&mut self) -> Turn {
        let step = self.steps.last().expect("a step was asked for").clone();
        let inventory = after(&step);
        let result = StepResult::Done { adopted: false, detail: "ok".into() };
        self.finish(&step, result, Some(inventory))
    }

    /// Ends the newest trial that was asked for.
    pub(crate) fn tried(&mut self, result: StepResult) -> Turn {
        let trial = self.trials.last().expect("a trial was asked for").clone();
        let RunValidation { operation, step, attempt, .. } = trial;
        self.give(Input::StepFinished(StepFinished { operation, step, attempt, result, inventory: None }))
    }

    pub(crate) fn finish(
        &mut self,
        step: &RunStep,
        result: StepResult,
        inventory: Option<Inventory>,
    ) -> Turn {
        self.give(Input::StepFinished(StepFinished {
            operation: step.operation.clone(),
            step: step.step,
            attempt: step.attempt,
            result,
            inventory,
        }))
    }

    pub(crate) fn operation(&self) -> &Operation {
        self.core.state().operations_in_order().last().expect("an operation was planned")
    }

    pub(crate) fn says(&self, kind: &str) -> usize {
        self.events.iter().filter(|(_, event)| event.kind() == kind).count()
    }

    /// `shop` with 3.0 as stable, good, and 4.0 as the canary at 20 %.
    pub(crate) fn with_canary() -> Self {
        let mut world = Self::new(settings(|_| {}));
        world.inventory("shop", &[("3.0", Arm::Stable, 100)]);
        for _ in 0..8 {
            world.second("shop", &[("3.0", 100.0, 0.0)]);
        }
        world.inventory("shop", &[("3.0", Arm::Stable, 80), ("4.0", Arm::Canary, 20)]);
        world
    }
}

/// The platform after a step has been carried out.
pub(crate) fn after(step: &RunStep) -> Inventory {
    match &step.action {
        PlatformAction::ShiftTraffic { shares } => Inventory { traffic: shares.clone(), ..inventory(&[]) },
        PlatformAction::Restore { release } => Inventory {
            traffic: vec![Share { reference: release.clone(), arm: Arm::Stable, percent: 100 }],
            ..inventory(&[])
        },
        PlatformAction::Scale { instances } => {
            Inventory { instances: Some(*instances), ..inventory(&[("4.0", Arm::Stable, 100)]) }
        }
        PlatformAction::Stop { release } => {
            let mut inventory = inventory(&[("4.0", Arm::Stable, 100)]);
            for known in inventory.releases.iter_mut().filter(|known| known.reference == *release) {
                known.running = false;
            }
            inventory
        }
        PlatformAction::Remove { release } => {
            let mut inventory = inventory(&[("4.0", Arm::Stable, 100)]);
            inventory.releases.retain(|known| known.reference != *release);
            inventory
        }
        PlatformAction::Deploy { .. } | PlatformAction::Maintenance { .. } | PlatformAction::Purge => {
            inventory(&[("4.0", Arm::Stable, 100)])
        }
    }
}

pub(crate) fn service(name: &str) -> ServiceName {
    name.into()
}
