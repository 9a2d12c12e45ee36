//! Changing databases: the plan, what holds it back, and a process that dies in the middle of it.

use unship::engine::input::{RunChange, StepFinished};
use unship::engine::{Effect, Input, StepResult};
use unship::model::command::{Command, DataChange, Deploy};
use unship::model::database::{DataAsk, Migration, Undo};
use unship::model::decision::Guardrail;
use unship::model::deploy::DeployStrategy;
use unship::model::operation::{Action, Operation, OperationStatus, Outcome, StepState};
use unship::model::release::Arm;

use crate::harness::{World, settings};

fn migration(version: u64, transactional: bool, undo: bool) -> Migration {
    Migration {
        version,
        name: format!("m{version}"),
        checksum: "ab".to_owned(),
        transactional,
        drops: version == 3,
        undo: undo.then(|| Undo { checksum: "cd".to_owned(), transactional: true, drops: true }),
    }
}

/// A database that `shop` and `pay` work with. Nobody has read a platform yet.
fn world(more: &str) -> World {
    World::new(settings(|config| {
        let spec = format!(
            "services = [\"shop\", \"pay\"]\nengine = {{ kind = \"sqlite\", file = \"/srv/shop.db\" }}\nbackups = \"/b\"\n\
             migrations = {{ folder = \"/m\" }}\n{more}"
        );
        config.databases.insert("data".into(), toml::from_str(&spec).unwrap());
    }))
}

fn asked(what: DataAsk) -> DataChange {
    DataChange {
        database: "data".into(),
        service: "shop".into(),
        what,
        backup: true,
        reason: "sprint 12".to_owned(),
        overrides: Vec::new(),
    }
}

fn migrate(migrations: Vec<Migration>) -> Command {
    Command::Database(asked(DataAsk::Migrate { migrations }))
}

fn first(world: &World) -> Operation {
    world.core.state().operation(&"op-1".into()).unwrap().clone()
}

fn titles(world: &World) -> Vec<String> {
    first(world).plan.steps.iter().map(|step| step.title.clone()).collect()
}

/// The change that was asked for last.
fn change(effects: &[Effect]) -> RunChange {
    let found = effects.iter().rev().find_map(|effect| match effect {
        Effect::Change(change) => Some(change.clone()),
        _ => None,
    });
    found.expect("a change is asked for")
}

fn end(world: &mut World, change: &RunChange, result: StepResult) -> Vec<Effect> {
    let RunChange { operation, step, attempt, .. } = change.clone();
    let finished = StepFinished { operation, step, attempt, result, inventory: None };
    world.give(Input::StepFinished(finished)).effects
}

fn well() -> StepResult {
    StepResult::Done { adopted: false, detail: "ok".into() }
}

/// Lets the trial that runs end well; what follows from it.
fn tried(world: &mut World) -> Vec<Effect> {
    let trial = world.trials.last().unwrap().clone();
    let finished = StepFinished {
        operation: trial.operation,
        step: trial.step,
        attempt: trial.attempt,
        result: well(),
        inventory: None,
    };
    world.give(Input::StepFinished(finished)).effects
}

/// Looked at, backed up, changed, looked at; scripts that run in a transaction come together, and what cannot be undone is said.
#[test]
fn a_plan_says_what_cannot_be_undone() {
    let mut world = world("checks = [{ name = \"it\", sql = \"SELECT 1\", equals = \"1\" }]");
    let all = vec![
        migration(1, true, true),
        migration(2, true, false),
        migration(3, false, true),
        migration(4, true, true),
    ];
    world.send(migrate(all));
    assert_eq!(world.refusal(), None);
    assert_eq!(
        titles(&world),
        [
            "check the data of data",
            "back data up, and read that again",
            "apply 1 m1, 2 m2 (no way back but the backup), in one transaction",
            "apply 3 m3 (drops data), outside a transaction: what it does before it fails stays",
            "apply 4 m4, in a transaction",
            "check the data of data",
        ]
    );
    tried(&mut world);
    let effects = tried(&mut world);
    let effects = end(&mut world, &change(&effects), well());
    let effects = end(&mut world, &change(&effects), well());
    end(&mut world, &change(&effects), well());
    tried(&mut world);
    let OperationStatus::Ended { outcome, detail, .. } = first(&world).status else { panic!() };
    assert_eq!((outcome, detail.as_str()), (Outcome::Verified, "done: apply 4 migrations to data"));
    assert_eq!(&world.folded, world.core.state().as_ref(), "a fold");
}

/// What is not there is not planned; and while one of its services is busy, frozen, or the environment read-only, nothing is.
#[test]
fn what_holds_it_back() {
    let mut world = world("");
    for (what, why) in [
        (DataAsk::Migrate { migrations: Vec::new() }, "no migration was named"),
        (DataAsk::Undo { migrations: vec![migration(2, true, false)] }, "migration 2 (m2) has no way back"),
        (DataAsk::Program { undo: false, version: None }, "`migrations.apply`"),
        (DataAsk::PointInTime { to: world.now - std::time::Duration::from_secs(60) }, "`point_in_time`"),
        (DataAsk::PointInTime { to: world.now + std::time::Duration::from_secs(60) }, "is still to come"),
    ] {
        world.send(Command::Database(asked(what)));
        assert!(world.refusal().unwrap().contains(why), "{why}: {:?}", world.refusal());
    }
    let elsewhere = DataChange {
        service: "swap".into(),
        ..asked(DataAsk::Migrate { migrations: vec![migration(1, true, true)] })
    };
    world.send(Command::Database(elsewhere));
    assert!(world.refusal().unwrap().contains("does not work with the database"), "{:?}", world.refusal());
    world.send(Command::Freeze { service: Some("shop".into()), until: None, reason: "a sale".into() });
    world.send(migrate(vec![migration(1, true, true)]));
    assert!(world.refusal().unwrap().contains("freeze"), "{:?}", world.refusal());
    world.send(Command::Thaw { service: Some("shop".into()), reason: "over".into() });

    // A rollback of the other service that works with it runs: the data wait.
    world.inventory("pay", &[("3.0", Arm::Stable, 100)]);
    world.roll_back("pay", Some("2.0"), &[Guardrail::Target]);
    assert_eq!(world.refusal(), None);
    world.send(migrate(vec![migration(1, true, true)]));
    assert!(world.refusal().unwrap().contains("concerns the same database"), "{:?}", world.refusal());
    world.done();
    world.send(Command::Cancel { operation: "op-1".into(), reason: "enough".into() });
    world.pass(1_000);
    // And the other way round.
    world.send(migrate(vec![migration(1, true, true)]));
    assert_eq!(world.refusal(), None);
    world.roll_back("pay", Some("1.0"), &Guardrail::ALL);
    assert!(world.refusal().unwrap().contains("concerns the same database"), "{:?}", world.refusal());
}

/// The process dies while a script runs. What runs in a transaction is looked for and done; what does not, a person has to say.
#[test]
fn a_process_that_dies() {
    let mut world = world("");
    let without = |migrations| {
        Command::Database(DataChange { backup: false, ..asked(DataAsk::Migrate { migrations }) })
    };
    let turn = world.send(without(vec![migration(1, true, true)]));
    let begun = change(&turn.effects);
    let turn = world.crash();
    let again = change(&turn.effects);
    assert_eq!((again.step, again.attempt, &again.what), (begun.step, 2, &begun.what));
    // The answer to the first one, if it still came, would change nothing.
    end(&mut world, &begun, StepResult::Failed("late".into()));
    assert!(first(&world).is_open());
    // Nobody knows how the commit went: it is looked for again, a moment later.
    end(&mut world, &again, StepResult::Unclear("while it was committed".into()));
    assert!(matches!(first(&world).steps[0], StepState::Waiting { .. }));
    world.now += std::time::Duration::from_secs(2);
    let turn = world.give(Input::Tick);
    end(&mut world, &change(&turn.effects), well());
    assert!(matches!(first(&world).status, OperationStatus::Ended { outcome: Outcome::Verified, .. }));

    world.send(without(vec![migration(2, false, true)]));
    let turn = world.crash();
    assert!(!turn.effects.iter().any(|effect| matches!(effect, Effect::Change(_))), "not a second time");
    let open = world.core.state().operation(&"op-2".into()).unwrap();
    assert!(matches!(open.status, OperationStatus::NeedsDecision { .. }), "{:?}", open.status);
    assert!(matches!(open.plan.steps[0].action, Action::Data { .. }));
}

/// A change that fails says where the backup is that was made before, and nothing goes on.
#[test]
fn a_change_that_fails() {
    let mut world = world("");
    world.send(migrate(vec![migration(1, true, true), migration(2, false, true)]));
    let effects = tried(&mut world);
    end(
        &mut world,
        &change(&effects),
        StepResult::Failed("migration 1 (m1): no; nothing was changed".into()),
    );
    let OperationStatus::Ended { outcome, detail, .. } = first(&world).status else { panic!() };
    assert_eq!(outcome, Outcome::Failed);
    assert!(
        detail.contains("nothing was changed; the backup that was made before is named in op-1"),
        "{detail}"
    );
    assert_eq!(first(&world).steps[2], StepState::Pending);
}

/// A deployment that brings migrations: after the backup, before the release is up; one that fails moves nothing.
#[test]
fn in_a_deployment() {
    let mut world = world("");
    world.inventory("shop", &[("3.0", Arm::Stable, 100)]);
    for _ in 0..8 {
        world.second("shop", &[("3.0", 100.0, 0.0)]);
    }
    let deploy = |database: &str| {
        Command::Deploy(Deploy {
            service: "shop".into(),
            version: "4.0".into(),
            strategy: DeployStrategy::Rolling,
            from: None,
            confirmed: true,
            migrations: vec![(database.into(), vec![migration(1, true, true), migration(2, true, false)])],
            reason: "sprint 12".into(),
            overrides: Vec::new(),
        })
    };
    world.send(deploy("other"));
    assert!(world.refusal().unwrap().contains("works with no database `other`"), "{:?}", world.refusal());
    world.send(deploy("data"));
    assert_eq!(world.refusal(), None);
    assert_eq!(
        titles(&world)[..2],
        [
            "back data up, and read that again",
            "data: apply 1 m1, 2 m2 (no way back but the backup), in one transaction; it stays when the release goes back",
        ]
    );
    let effects = tried(&mut world);
    end(
        &mut world,
        &change(&effects),
        StepResult::Failed("migration 2 (m2): no; nothing was changed".into()),
    );
    let OperationStatus::Ended { outcome, .. } = first(&world).status else { panic!() };
    assert_eq!(outcome, Outcome::Failed);
    assert!(
        world.steps.is_empty() && world.core.state().operation(&"op-2".into()).is_none(),
        "nothing to go back from"
    );
}
