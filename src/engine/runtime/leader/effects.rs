//! What the core wants done, carried out beside the loop: steps, trials, changes of databases, and the readers of platforms.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::FutureExt as _;
use tokio::sync::{Notify, mpsc};
use tokio::time::timeout;

use super::super::super::input::{
    Effect, Input, RunChange, RunStep, RunValidation, StepFinished, StepResult,
};
use super::super::output::Listener;
use super::super::tenure::Tenure;
use super::super::validations::{self, Subject, Watcher};
use super::super::{act, data, now, output, received};
use super::{Leader, TICK};
use crate::model::ServiceName;
use crate::model::breaker::{Breaker, BreakerLimits, Dependency};
use crate::model::output::{Figure, LINES_KEPT, OPERATIONS_KEPT};
use crate::model::validation::TrialReport;
use crate::platform::Platform;

impl Leader<'_> {
    pub(super) fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::RunStep(step) => self.run_step(step),
            Effect::Validate(asked) => self.validate(asked),
            Effect::Change(asked) => self.change(asked),
            Effect::ReadPlatform(service) => {
                if let Some(poller) = self.pollers.get(&service) {
                    poller.notify_one();
                }
            }
            Effect::AskAlarms => self.ask_alarms.notify_one(),
            Effect::Notify(notification) => {
                let reached = &self.core.state().reached;
                let has_reached = notification
                    .incident
                    .as_ref()
                    .and_then(|incident| reached.get(incident))
                    .is_some_and(|channels| channels.contains(&notification.channel));
                self.outbox.push(notification, has_reached);
            }
            Effect::Withdraw { key, pages_only, reason } => self.outbox.withdraw(&key, pages_only, &reason),
        }
    }

    fn run_step(&mut self, step: RunStep) {
        // Whoever leads next finds the step begun and looks whether it has happened.
        if self.stopping {
            return;
        }
        let platform = self.shared.world.platforms.get(&step.service).map(Arc::clone);
        let (inputs, token) = (self.inputs.clone(), self.token);
        let tenure = Tenure::new(self.clock.clone(), token, &self.shared.journal);
        let in_flight = InFlight::new(&self.steps_in_flight);
        let secrets = Arc::clone(&self.shared.world.secrets);
        let listener = Listener::new(self.output.clone(), secrets, step.operation.clone(), step.step);
        let progress = listener.progress();
        self.tasks.spawn(async move {
            let (operation, attempt) = (step.operation.clone(), step.attempt);
            let lost = |result| StepFinished { operation, step: step.step, attempt, result, inventory: None };
            let finished = match platform {
                // Every begun step has to end, or its operation would wait for ever.
                None => lost(StepResult::Failed(format!("there is no platform for `{}`", step.service))),
                Some(platform) => {
                    let run = act::run(platform.as_ref(), step.clone(), token, &tenure, progress);
                    AssertUnwindSafe(run).catch_unwind().await.unwrap_or_else(|_| {
                        let reason = "the platform's adapter failed (a defect of unship; the log has it)";
                        lost(StepResult::Unclear(reason.to_owned()))
                    })
                }
            };
            let _ = inputs.send(Input::StepFinished(finished)).await;
            drop(in_flight);
        });
    }

    /// Tries whether a release may go on. It is given up when its operation ends before it does.
    /// Changes a database. Like a step on a platform it is begun under the lease alone, and ends in every case.
    fn change(&mut self, asked: RunChange) {
        if self.stopping {
            return;
        }
        let (inputs, world) = (self.inputs.clone(), self.shared.world.clone());
        let tenure = Tenure::new(self.clock.clone(), self.token, &self.shared.journal);
        let in_flight = InFlight::new(&self.steps_in_flight);
        self.tasks.spawn(async move {
            let changing = data::run(&world, &asked.what, *asked.timeout, &tenure);
            let result = AssertUnwindSafe(changing)
                .catch_unwind()
                .await
                .unwrap_or_else(|_| StepResult::Unclear("a defect of unship; the log has it".to_owned()));
            let RunChange { operation, step, attempt, .. } = asked;
            let finished = StepFinished { operation, step, attempt, result, inventory: None };
            let _ = inputs.send(Input::StepFinished(finished)).await;
            drop(in_flight);
        });
    }

    fn validate(&mut self, asked: RunValidation) {
        if self.stopping {
            return;
        }
        let (inputs, world) = (self.inputs.clone(), self.shared.world.clone());
        let secrets = Arc::clone(&self.shared.world.secrets);
        let listener = Listener::new(self.output.clone(), secrets, asked.operation.clone(), asked.step);
        let told = listener.clone();
        let watcher = Watcher::new(move |trial| {
            let words = format!("{} {}: {}", trial.name, trial.outcome.word(), trial.detail);
            told.say(&words, Some(Figure::Trial(trial.clone())));
        });
        let mut view = self.shared.view.subscribe();
        self.tasks.spawn(async move {
            let subject = Subject { service: asked.service.clone(), release: Some(asked.release.clone()) };
            let trying = validations::run(&world, &asked.what, &subject, *asked.timeout, &watcher);
            let report = tokio::select! {
                report = AssertUnwindSafe(trying).catch_unwind() => report,
                // Nobody waits for it any more.
                _ = view.wait_for(|view| {
                    view.state.operation(&asked.operation).is_some_and(|operation| !operation.is_open())
                }) => return,
            };
            if let Ok(TrialReport { name, latency: Some(figures), .. }) = &report {
                listener.say(&format!("{name}: {}", figures.words()), Some(Figure::Load(figures.clone())));
            }
            let result = match report {
                Ok(report) if report.passed() => {
                    StepResult::Done { adopted: false, detail: world.secrets.redact(&report.words()) }
                }
                Ok(report) => StepResult::Failed(world.secrets.redact(&report.words())),
                Err(_) => StepResult::Failed("a defect of unship; the log has it".to_owned()),
            };
            let RunValidation { operation, step, attempt, .. } = asked;
            let finished = StepFinished { operation, step, attempt, result, inventory: None };
            let _ = inputs.send(Input::StepFinished(finished)).await;
        });
    }

    /// Shows what platforms have said since the last time; many lines at once wake those who look once.
    pub(super) fn show_output(&mut self) {
        let lines: Vec<_> = std::iter::from_fn(|| self.heard.try_recv().ok()).collect();
        if lines.is_empty() {
            return;
        }
        self.shared
            .view
            .send_modify(|view| output::add(&mut Arc::make_mut(view).output, lines.iter().cloned()));
        self.said.extend(lines);
        // As much as is kept of one operation; more can only have come from a journal that takes nothing.
        let surplus = self.said.len().saturating_sub(LINES_KEPT * OPERATIONS_KEPT);
        self.said.drain(..surplus);
    }

    /// Whoever leads for a single command is no guard: that it comes and goes is as it should be.
    pub(super) fn start_heartbeat(&mut self, holder: &str) {
        let settings = &self.shared.world.settings;
        let Some(heartbeat) = self.shared.world.heartbeat.clone().filter(|_| settings.by_itself) else {
            return;
        };
        let (environment, holder) = (settings.config.environment.name.clone(), holder.to_owned());
        self.tasks.spawn(async move { heartbeat.beat(&environment, &holder).await });
    }

    pub(super) fn start_pollers(&mut self) {
        let every = *self.shared.world.settings.config.rollback.read_every;
        for (service, platform) in &self.shared.world.platforms {
            let poke = Arc::new(Notify::new());
            self.pollers.insert(service.clone(), Arc::clone(&poke));
            let poller = poll(service.clone(), Arc::clone(platform), poke, every, self.inputs.clone());
            self.tasks.spawn(poller);
        }
        if let Some(alertmanager) = &self.shared.world.alertmanager {
            let poke = Arc::clone(&self.ask_alarms);
            self.tasks.spawn(received::poll(Arc::clone(alertmanager), poke, self.inputs.clone()));
        }
    }
}

/// Counts a step that is being carried out, until dropped.
struct InFlight(Arc<AtomicUsize>);

impl InFlight {
    pub(super) fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::AcqRel);
        Self(Arc::clone(count))
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Reads one platform again and again.
async fn poll(
    service: ServiceName,
    platform: Arc<dyn Platform>,
    poke: Arc<Notify>,
    every: Duration,
    inputs: mpsc::Sender<Input>,
) {
    let mut breaker = Breaker::new(BreakerLimits::default(), now());
    loop {
        let at = now();
        let read = AssertUnwindSafe(platform.read()).catch_unwind();
        let result = match timeout(Duration::from_secs(30), read).await {
            Ok(Ok(result)) => result.map_err(|error| error.to_string()),
            Ok(Err(_)) => {
                Err("the platform's adapter failed (a defect of unship; the log has it)".to_owned())
            }
            Err(_) => Err("the platform does not answer within 30 s".to_owned()),
        };
        match &result {
            Ok(_) => breaker.succeeded(now()),
            Err(reason) => breaker.failed(now(), reason, rand::random()),
        }
        if inputs.send(Input::Inventory { service: service.clone(), at, result }).await.is_err() {
            return;
        }
        if let Some(status) = breaker.news() {
            let dependency = Dependency::Platform(service.clone());
            if inputs.send(Input::Breaker { dependency, status }).await.is_err() {
                return;
            }
        }
        // A tenth of jitter, so that many services do not ask at once.
        let pause = every.mul_f64(0.95 + 0.1 * rand::random::<f64>());
        tokio::select! {
            // Who needs to know now does not wait for a breaker: an operation, or a person.
            () = poke.notified() => {
                breaker.may_try(now());
            }
            () = until_tried(&mut breaker, pause) => {}
        }
    }
}

/// Waits for the next turn, and as long as the breaker leaves the platform alone.
async fn until_tried(breaker: &mut Breaker, pause: Duration) {
    tokio::time::sleep(pause.max(breaker.wait(now()))).await;
    while !breaker.may_try(now()) {
        tokio::time::sleep(TICK.max(breaker.wait(now()).min(pause))).await;
    }
}
