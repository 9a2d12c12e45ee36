//! The plan that brings a release in.

use std::time::Duration;

use super::{Draft, data};
use crate::model::database::Migration;
use crate::model::deploy::{DeploySpec, DeployStrategy, Phase};
use crate::model::operation::{Action, Plan, PlanKind, Step};
use crate::model::platform::PlatformAction;
use crate::model::release::{Arm, Share};
use crate::model::units::human;
use crate::model::validation::Validation;
use crate::model::{DatabaseName, LoadName, Span, SuiteName};

/// What a deployment is made from beside its two ends.
#[derive(Clone, Debug)]
pub struct Forward<'a> {
    /// By which strategy.
    pub how: DeployStrategy,
    /// Stages and times.
    pub spec: &'a DeploySpec,
    /// Whether the service has checks, and whether it has critical ones.
    pub checks: (bool, bool),
    /// The smoke suites of the service, and whether each can be run before the release has traffic.
    pub suites: Vec<(SuiteName, bool)>,
    /// How long each load run takes.
    pub loads: Vec<(LoadName, Span)>,
    /// The databases of the service: whether each has checks, and how long a backup may take where there is to be one.
    pub databases: Vec<(DatabaseName, bool, Option<Span>)>,
    /// A person has said go in advance.
    pub confirmed: bool,
    /// Migrations that are applied before the release is brought up, with the time for each step.
    pub migrations: Vec<(&'a DatabaseName, &'a [Migration], Span)>,
}

/// Makes the plan of a deployment, or says why the platform cannot do it.
///
/// Checks; the release is brought up and tested where it answers without users; a person says go before a blue/green switch;
/// traffic moves in the strategy's stages, each watched; the release is verified with all the traffic and looked at in the
/// phases that the config asks for. A canary that is there already goes on from the share that it has.
pub fn deploy(draft: Draft<'_>, forward: &Forward<'_>) -> Result<Plan, String> {
    let Draft { service, to, platform, inventory, .. } = draft;
    let can = platform.capabilities;
    let how = forward.how;
    if !can.weights && !can.restore {
        return Err(format!("the platform of `{service}` can neither move traffic nor make a release serve"));
    }
    if !can.weights && matches!(how, DeployStrategy::BlueGreen | DeployStrategy::Canary) {
        return Err(format!(
            "the platform of `{service}` cannot move traffic by weights: use `--strategy rolling`, which is its own, or `emergency`"
        ));
    }
    let mut plan = Building { draft, forward, steps: Vec::new() };
    let (any, critical) = forward.checks;
    let only_critical = how == DeployStrategy::Emergency;
    if if only_critical { critical } else { any } {
        let what = Validation::Checks { only_critical };
        let title = if only_critical { "run the critical checks" } else { "run the checks" };
        plan.validate(Phase::Preparation, title.to_owned(), what, forward.spec.budget.preparation);
    }
    for (database, has_checks, backup) in forward.databases.iter().filter(|_| !only_critical) {
        if *has_checks {
            let what = Validation::Data { database: database.clone() };
            let title = format!("check the data of {database}");
            plan.validate(Phase::Preparation, title, what, forward.spec.budget.preparation);
        }
        if let Some(limit) = backup {
            let what = Validation::Backup { database: database.clone() };
            plan.validate(
                Phase::Preparation,
                format!("back {database} up, and read that again"),
                what,
                *limit,
            );
        }
    }
    if can.variables && forward.spec.variables.is_some() && !only_critical {
        let title = "keep the environment variables of what serves".to_owned();
        plan.validate(Phase::Preparation, title, Validation::Variables, forward.spec.budget.preparation);
    }
    for (database, migrations, timeout) in &forward.migrations {
        plan.migrate(database, migrations, *timeout)?;
    }
    if can.weights && !to.running && can.deploy {
        let action = PlatformAction::Deploy { release: to.reference.clone() };
        plan.act(Phase::Candidate, format!("bring `{}` up", to.version), action);
    }
    if can.weights && !only_critical {
        for (suite, has_candidate) in &forward.suites {
            if *has_candidate {
                let what = Validation::Smoke { suite: suite.clone(), candidate: true };
                let title = format!("test `{}` before it has traffic: {suite}", to.version);
                plan.validate(Phase::Candidate, title, what, forward.spec.budget.candidate);
            }
        }
    }
    if how == DeployStrategy::BlueGreen && forward.spec.confirm && !forward.confirmed {
        let action = Action::Confirm { deadline: forward.spec.confirm_within };
        plan.wait(Phase::Switch, "wait for a person to say go".to_owned(), action);
    }
    if can.weights {
        plan.switch(inventory.percent(&to.reference));
    } else {
        let title = format!("make `{}` serve", to.version);
        plan.act(Phase::Switch, title, PlatformAction::Restore { release: to.reference.clone() });
    }
    if can.purge {
        // What the edge still holds is the release that was there before.
        plan.act(Phase::Switch, "make the caches in front forget".to_owned(), PlatformAction::Purge);
    }
    let verify = Action::Verify {
        hold: forward.spec.verify_hold,
        deadline: forward.spec.verify_deadline,
        probes_only: inventory.maintenance == Some(true),
    };
    plan.wait(Phase::Validation, format!("verify that `{}` is healthy", to.version), verify);
    plan.validation()?;
    Ok(plan.finish())
}

/// The steps as they come together.
struct Building<'d, 'f> {
    draft: Draft<'d>,
    forward: &'f Forward<'d>,
    steps: Vec<Step>,
}

impl Building<'_, '_> {
    fn act(&mut self, phase: Phase, title: String, action: PlatformAction) {
        let step = self.draft.step(self.steps.len(), title, action);
        self.steps.push(Step { phase: Some(phase), ..step });
    }

    fn wait(&mut self, phase: Phase, title: String, action: Action) {
        let step = self.draft.wait(self.steps.len(), title, action);
        self.steps.push(Step { phase: Some(phase), ..step });
    }

    /// The schema goes up before the release comes that needs it; it stays when the release goes back.
    fn migrate(
        &mut self,
        database: &DatabaseName,
        migrations: &[Migration],
        timeout: Span,
    ) -> Result<(), String> {
        for scripts in data::scripts(database, migrations, timeout)? {
            let data::Scripts { title, what, timeout, declares, retries } = scripts;
            let title = format!("{database}: {title}; it stays when the release goes back");
            let step = self.draft.wait(self.steps.len(), title, Action::Data { what });
            let phase = Some(Phase::Preparation);
            self.steps.push(Step { timeout, retries, declares, phase, ..step });
        }
        Ok(())
    }

    fn validate(&mut self, phase: Phase, title: String, what: Validation, timeout: Span) {
        let step = self.draft.wait(self.steps.len(), title, Action::Validate { what });
        self.steps.push(Step { phase: Some(phase), timeout, ..step });
    }

    /// The strategy's stages above the share that the release has already, then everything.
    fn switch(&mut self, now: u8) {
        let (from, to, spec) = (self.draft.from, self.draft.to, self.forward.spec);
        for stage in spec.stages(self.forward.how).iter().filter(|stage| stage.percent >= now) {
            let shares = vec![
                Share { reference: from.reference.clone(), arm: Arm::Stable, percent: 100 - stage.percent },
                Share { reference: to.reference.clone(), arm: Arm::Canary, percent: stage.percent },
            ];
            let title = format!("give `{}` {} % of the traffic", to.version, stage.percent);
            self.act(Phase::Switch, title, PlatformAction::ShiftTraffic { shares });
            let action =
                Action::Stage { percent: stage.percent, lasts: stage.watch, patience: spec.patience };
            let title = format!("watch it at {} % for {}", stage.percent, human(*stage.watch));
            self.wait(Phase::Switch, title, action);
        }
        let shares = vec![Share { reference: to.reference.clone(), arm: Arm::Stable, percent: 100 }];
        let title = format!("give `{}` all the traffic", to.version);
        self.act(Phase::Switch, title, PlatformAction::ShiftTraffic { shares });
    }

    /// The suites of the service against the live address, and the phases that the config asks for.
    fn validation(&mut self) -> Result<(), String> {
        let (spec, version) = (self.forward.spec, &self.draft.to.version);
        if self.forward.how == DeployStrategy::Emergency {
            return Ok(());
        }
        let asked: Vec<&SuiteName> =
            spec.validation.iter().filter_map(|phase| phase.smoke.as_ref()).collect();
        for (suite, _) in &self.forward.suites {
            if !asked.contains(&suite) {
                let what = Validation::Smoke { suite: suite.clone(), candidate: false };
                let title = format!("test `{version}` with traffic: {suite}");
                self.validate(Phase::Validation, title, what, spec.budget.validation);
            }
        }
        for (database, _, _) in self.forward.databases.iter().filter(|(_, has_checks, _)| *has_checks) {
            let what = Validation::Data { database: database.clone() };
            let title = format!("check the data of {database}");
            self.validate(Phase::Validation, title, what, spec.budget.validation);
        }
        for phase in &spec.validation {
            let name = &phase.name;
            if let Some(lasts) = phase.watch {
                let action = Action::Stage { percent: 100, lasts, patience: spec.patience };
                self.wait(Phase::Validation, format!("{name}: watch it for {}", human(*lasts)), action);
            }
            if let Some(suite) = &phase.smoke {
                let what = Validation::Smoke { suite: suite.clone(), candidate: false };
                self.validate(Phase::Validation, format!("{name}: {suite}"), what, spec.budget.validation);
            }
            if let Some(load) = &phase.load {
                let lasts = self.forward.loads.iter().find(|(name, _)| name == load).map(|(_, lasts)| *lasts);
                let lasts = lasts.ok_or_else(|| format!("the config has no load run `{load}`"))?;
                let what = Validation::Load { load: load.clone() };
                // Answers that are on their way when the time is up are waited for.
                let timeout = Span(*lasts + Duration::from_secs(60));
                self.validate(Phase::Validation, format!("{name}: load run {load}"), what, timeout);
            }
        }
        Ok(())
    }

    fn finish(self) -> Plan {
        let Draft { service, from, to, .. } = self.draft;
        let how = self.forward.how;
        let budgets = Phase::ALL
            .into_iter()
            .filter(|phase| self.steps.iter().any(|step| step.phase == Some(*phase)))
            .map(|phase| {
                let waits = self.steps.iter().filter(|step| step.phase == Some(phase)).map(|step| match step
                    .action
                {
                    Action::Stage { lasts, .. } => *lasts,
                    // A person takes the time that they need.
                    Action::Confirm { deadline } => *deadline,
                    _ => Duration::ZERO,
                });
                (phase, Span(*self.forward.spec.budget.of(phase) + waits.sum::<Duration>()))
            })
            .collect();
        let purpose = format!("deploy {} of {service} in place of {}", to.version, from.version);
        let plan = self.draft.finish(PlanKind::Deploy { how }, purpose, self.steps);
        Plan { budgets, ..plan }
    }
}
