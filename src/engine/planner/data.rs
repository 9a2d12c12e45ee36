//! The plan that changes a database: looked at first, backed up, changed, looked at again. What cannot be undone is said in the
//! step, before anybody agrees to it. The same scripts can be part of a deployment.

use crate::model::command::DataChange;
use crate::model::database::{DataAction, DataAsk, DatabaseSpec, Migration};
use crate::model::operation::{Action, Plan, PlanKind, Step, Strategy};
use crate::model::platform::Declares;
use crate::model::release::Release;
use crate::model::units::human;
use crate::model::validation::Validation;
use crate::model::{DatabaseName, IdempotencyKey, Span};

/// How often a script that did not get its lock is tried again.
const RETRIES: u32 = 2;

/// Makes the plan of a change, or says why there is none. `release`: what serves meanwhile, and stays. `key`: what every step's
/// idempotency key begins with.
pub fn change(asked: &DataChange, spec: &DatabaseSpec, release: &Release, key: &str) -> Result<Plan, String> {
    let mut plan = Building { asked, spec, key, steps: Vec::new() };
    plan.check();
    plan.backup()?;
    let database = &asked.database;
    let purpose = match &asked.what {
        DataAsk::Migrate { migrations } => {
            plan.migrate(migrations)?;
            match migrations.as_slice() {
                [one] => format!("apply migration {} to {database}", one.version),
                many => format!("apply {} migrations to {database}", many.len()),
            }
        }
        DataAsk::Undo { migrations } => {
            plan.undo(migrations)?;
            match migrations.as_slice() {
                [one] => format!("take migration {} of {database} back", one.version),
                many => format!("take {} migrations of {database} back", many.len()),
            }
        }
        DataAsk::Program { undo, version } => plan.program(*undo, version.as_deref())?,
        DataAsk::Restore { file, sha256 } => {
            let what = DataAction::Restore {
                database: database.clone(),
                file: file.clone(),
                sha256: sha256.clone(),
            };
            let title = format!("put {file} in the place of what is there; everything since then is lost");
            // The same backup again gives the same.
            let declares = Declares { observable: false, idempotent: true };
            plan.change(title, what, spec.restore_timeout, declares, 0);
            format!("restore {database} from {file}")
        }
        DataAsk::PointInTime { to } => {
            if spec.point_in_time.is_none() {
                return Err(format!("`{database}` has no program for that in the config: `point_in_time`"));
            }
            let what = DataAction::PointInTime { database: database.clone(), to: *to };
            let title = format!("take it back to {to:.0}; everything since then is lost");
            plan.change(title, what, spec.restore_timeout, NEITHER, 0);
            format!("take {database} back to {to:.0}")
        }
    };
    plan.check();
    Ok(Plan {
        kind: PlanKind::Database { change: asked.what.kind() },
        service: asked.service.clone(),
        purpose,
        strategy: Strategy::Immediate,
        from: release.clone(),
        to: release.clone(),
        steps: plan.steps,
        budgets: Vec::new(),
        spares: false,
    })
}

/// Nothing shows whether it has happened, and it must not happen twice.
const NEITHER: Declares = Declares { observable: false, idempotent: false };
/// The database shows what it has.
const SHOWN: Declares = Declares { observable: true, idempotent: false };

struct Building<'a> {
    asked: &'a DataChange,
    spec: &'a DatabaseSpec,
    key: &'a str,
    steps: Vec<Step>,
}

impl Building<'_> {
    fn push(&mut self, title: String, action: Action, timeout: Span, declares: Declares, retries: u32) {
        let key = IdempotencyKey::from(format!("{}/{}", self.key, self.steps.len()));
        self.steps.push(Step { title, action, requires: None, timeout, retries, key, declares, phase: None });
    }

    fn change(&mut self, title: String, what: DataAction, timeout: Span, declares: Declares, retries: u32) {
        self.push(title, Action::Data { what }, timeout, declares, retries);
    }

    /// Looks at the data, where the config says what has to be true in them.
    fn check(&mut self) {
        if self.spec.checks.is_empty() {
            return;
        }
        let what = Validation::Data { database: self.asked.database.clone() };
        let title = format!("check the data of {}", self.asked.database);
        // Each has its own time; all of them this.
        let timeout =
            Span(*self.spec.timeout * u32::try_from(self.spec.checks.len() + 1).unwrap_or(u32::MAX));
        let again = Declares { observable: true, idempotent: true };
        self.push(title, Action::Validate { what }, timeout, again, 0);
    }

    fn backup(&mut self) -> Result<(), String> {
        if !self.asked.backup {
            return Ok(());
        }
        if self.spec.backups.is_none() {
            return Err(format!(
                "`{0}` has no folder for a backup: name one (`backups` of `databases.{0}`), or go without one (`--without-backup`)",
                self.asked.database
            ));
        }
        let what = Validation::Backup { database: self.asked.database.clone() };
        let title = format!("back {} up, and read that again", self.asked.database);
        let again = Declares { observable: true, idempotent: true };
        self.push(title, Action::Validate { what }, self.spec.backup_timeout, again, 0);
        Ok(())
    }

    fn times(&self) -> Result<Span, String> {
        let spec = self.spec.migrations.as_ref();
        spec.map(|spec| spec.timeout)
            .ok_or_else(|| format!("`{0}` has no `migrations` in the config", self.asked.database))
    }

    fn migrate(&mut self, migrations: &[Migration]) -> Result<(), String> {
        let timeout = self.times()?;
        for step in scripts(&self.asked.database, migrations, timeout)? {
            self.scripts(step);
        }
        Ok(())
    }

    fn undo(&mut self, migrations: &[Migration]) -> Result<(), String> {
        let timeout = self.times()?;
        if let Some(stuck) = migrations.iter().find(|migration| migration.undo.is_none()) {
            return Err(format!(
                "migration {} ({}) has no way back: no `.down.sql`. Restore a backup instead",
                stuck.version, stuck.name
            ));
        }
        let is_transactional = |it: &Migration| it.undo.as_ref().is_some_and(|undo| undo.transactional);
        for group in groups(migrations, is_transactional)? {
            let transactional = is_transactional(&group[0]);
            let says = |migration: &Migration| {
                let drops = migration.undo.as_ref().is_some_and(|undo| undo.drops);
                let says: Vec<&str> = drops.then_some("drops data").into_iter().collect();
                marked(migration, &says)
            };
            let title = title("take back", &group, transactional, &says);
            let what = DataAction::Undo { database: self.asked.database.clone(), migrations: group };
            self.scripts(Scripts::new(title, what, timeout, transactional));
        }
        Ok(())
    }

    fn scripts(&mut self, step: Scripts) {
        let Scripts { title, what, timeout, declares, retries } = step;
        self.change(title, what, timeout, declares, retries);
    }

    fn program(&mut self, undo: bool, version: Option<&str>) -> Result<String, String> {
        let timeout = self.times()?;
        let spec = self.spec.migrations.as_ref();
        let argv = spec.and_then(|spec| if undo { spec.undo.as_ref() } else { spec.apply.as_ref() });
        let key = if undo { "undo" } else { "apply" };
        let Some(argv) = argv else {
            return Err(format!("`{}` has no program for that: `migrations.{key}`", self.asked.database));
        };
        let name = argv.first().map_or("", String::as_str);
        let to = version.map_or_else(String::new, |version| format!(" to {version}"));
        let what = DataAction::Program {
            database: self.asked.database.clone(),
            undo,
            version: version.map(str::to_owned),
        };
        let title = format!("run `{name}`{to}; for at most {}", human(*timeout));
        self.change(title, what, timeout, NEITHER, 0);
        let word = if undo { "take back" } else { "bring up" };
        Ok(format!("{word} the schema of {}{to} by `{name}`", self.asked.database))
    }
}

/// What a step does to a database, with its title.
pub(super) struct Scripts {
    pub(super) title: String,
    pub(super) what: DataAction,
    pub(super) timeout: Span,
    pub(super) declares: Declares,
    pub(super) retries: u32,
}

/// The steps that apply migrations; `timeout`: for each.
pub(super) fn scripts(
    database: &DatabaseName,
    migrations: &[Migration],
    timeout: Span,
) -> Result<Vec<Scripts>, String> {
    let steps = groups(migrations, |migration| migration.transactional)?.into_iter().map(|group| {
        let transactional = group[0].transactional;
        let says = |migration: &Migration| {
            let mut says = Vec::new();
            says.extend(migration.undo.is_none().then_some("no way back but the backup"));
            says.extend(migration.drops.then_some("drops data"));
            marked(migration, &says)
        };
        let title = title("apply", &group, transactional, &says);
        let what = DataAction::Migrate { database: database.clone(), migrations: group };
        Scripts::new(title, what, timeout, transactional)
    });
    Ok(steps.collect())
}

impl Scripts {
    const fn new(title: String, what: DataAction, timeout: Span, transactional: bool) -> Self {
        // What ran outside a transaction may be half done: only a person can tell.
        let (declares, retries) = if transactional { (SHOWN, RETRIES) } else { (NEITHER, 0) };
        Self { title, what, timeout, declares, retries }
    }
}

/// Those that run in one transaction together; one that does not comes alone.
fn groups(
    migrations: &[Migration],
    is_transactional: impl Fn(&Migration) -> bool,
) -> Result<Vec<Vec<Migration>>, String> {
    let mut groups: Vec<Vec<Migration>> = Vec::new();
    for migration in migrations {
        let joins = |group: &Vec<Migration>| {
            is_transactional(migration) && group.last().is_some_and(&is_transactional)
        };
        match groups.last_mut() {
            Some(group) if joins(group) => group.push(migration.clone()),
            _ => groups.push(vec![migration.clone()]),
        }
    }
    if groups.is_empty() {
        Err("there is nothing to do: no migration was named".to_owned())
    } else {
        Ok(groups)
    }
}

/// `3 carts (drops data)`.
fn marked(migration: &Migration, says: &[&str]) -> String {
    let says = if says.is_empty() { String::new() } else { format!(" ({})", says.join(", ")) };
    format!("{} {}{says}", migration.version, migration.name)
}

fn title(
    verb: &str,
    group: &[Migration],
    transactional: bool,
    says: &dyn Fn(&Migration) -> String,
) -> String {
    let named: Vec<String> = group.iter().map(says).collect();
    let how = match (transactional, group.len()) {
        (true, 1) => "in a transaction",
        (true, _) => "in one transaction",
        (false, _) => "outside a transaction: what it does before it fails stays",
    };
    format!("{verb} {}, {how}", named.join(", "))
}
