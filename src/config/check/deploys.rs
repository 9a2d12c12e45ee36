//! Deployments, and what shows that a release may go on: checks, smoke suites, load runs.

use std::collections::BTreeSet;

use super::{Checker, sources};
use crate::config::problem::quoted;
use crate::config::spanned::{Path, place};
use crate::model::database::{DatabaseSpec, EngineSpec};
use crate::model::deploy::{DeploySpec, StageSpec};
use crate::model::validation::{CheckSpec, LoadSpec, SmokeSpec, SmokeTest, status_rule};
use crate::model::{ServiceName, Span, placeholder};

/// Checks all of it.
pub(super) fn check(checker: &mut Checker<'_>) {
    let config = checker.config;
    spec(checker, &config.deploy, &place!["deploy"]);
    for (name, service) in &config.services {
        if let Some(own) = &service.deploy {
            spec(checker, own, &place!["services", name, "deploy"]);
        }
    }
    for (name, check) in &config.checks {
        one_check(checker, check, &place!["checks", name]);
    }
    for (name, suite) in &config.smoke {
        one_suite(checker, suite, &place!["smoke", name]);
    }
    for (name, database) in &config.databases {
        one_database(checker, database, &place!["databases", name]);
    }
    for (name, load) in &config.load {
        one_load(checker, load, &place!["load", name]);
    }
}

fn services(checker: &mut Checker<'_>, at: &Path, named: &[ServiceName]) {
    let config = checker.config;
    for (index, name) in named.iter().enumerate() {
        if !config.services.contains_key(name) {
            let known = config.services.keys().map(ServiceName::as_str);
            checker.unknown(&at.then("services").then(index), "service", name.as_str(), known);
        }
    }
}

/// Each look comes after the one before.
fn windows(checker: &mut Checker<'_>, at: &Path, windows: &[Span]) {
    let mut before = None;
    for (index, window) in windows.iter().enumerate() {
        let at = at.then(index);
        checker.positive(&at, *window);
        if before.is_some_and(|before| *window <= before) {
            checker
                .error(&at, format!("{window} does not come after {}", before.unwrap_or(*window)))
                .hint("the earliest first, like `[\"5m\", \"30m\", \"24h\"]`");
        }
        before = Some(*window);
    }
}

fn folder_of_secrets(checker: &mut Checker<'_>, at: &Path, folder: &str) {
    if folder.trim().is_empty() || folder.contains('\0') {
        checker
            .error(at, format!("`variables` cannot be {}", quoted(folder)))
            .hint("name a folder that only unship's user may enter, like `/var/backups/shop/variables`");
    } else if !std::path::Path::new(folder).is_absolute() {
        checker
            .warn(at, format!("{} depends on where unship is started", quoted(folder)))
            .hint("write the whole path, from `/` on");
    }
}

fn stages(checker: &mut Checker<'_>, at: &Path, stages: &[StageSpec]) {
    let mut before = 0;
    for (index, stage) in stages.iter().enumerate() {
        let at = at.then(index);
        checker.positive(&at.then("watch"), stage.watch);
        if !(1..=99).contains(&stage.percent) {
            checker
                .error(&at.then("percent"), format!("`percent` is {}, expected 1 to 99", stage.percent))
                .hint("all the traffic comes after the last stage by itself");
        } else if stage.percent <= before {
            checker
                .error(&at.then("percent"), format!("{} % comes after {before} %", stage.percent))
                .hint("each stage gives the release more than the one before");
        }
        before = stage.percent;
    }
}

fn spec(checker: &mut Checker<'_>, spec: &DeploySpec, at: &Path) {
    windows(checker, &at.then("windows"), &spec.windows);
    if let Some(folder) = &spec.variables {
        folder_of_secrets(checker, &at.then("variables"), folder);
    }
    let config = checker.config;
    for (key, list) in
        [("canary", &spec.canary), ("blue_green", &spec.blue_green), ("rolling", &spec.rolling)]
    {
        stages(checker, &at.then(key), list);
    }
    if spec.canary.is_empty() {
        checker
            .warn(&at.then("canary"), "a canary without stages gets all the traffic at once")
            .hint("give it stages: `canary = [{ percent = 5, watch = \"15m\" }]`");
    }
    checker.positive(&at.then("verify_hold"), spec.verify_hold);
    if spec.verify_deadline < spec.verify_hold {
        checker
            .error(
                &at.then("verify_deadline"),
                "`verify_deadline` is shorter than `verify_hold`: it can never be met",
            )
            .hint("make it longer than `verify_hold`");
    }
    checker.positive(&at.then("confirm_within"), spec.confirm_within);
    for (index, phase) in spec.validation.iter().enumerate() {
        let at = at.then("validation").then(index);
        if phase.name.trim().is_empty() {
            checker.error(&at.then("name"), "the phase has no name").hint("name it, like `health`");
        }
        if let Some(watch) = phase.watch {
            checker.positive(&at.then("watch"), watch);
        }
        if phase.watch.is_none() && phase.smoke.is_none() && phase.load.is_none() {
            checker
                .error_at_key(&at, format!("phase {} looks at nothing", quoted(&phase.name)))
                .hint("give it `watch`, `smoke` or `load`");
        }
        if let Some(suite) = &phase.smoke
            && !config.smoke.contains_key(suite)
        {
            let known: Vec<&str> = config.smoke.keys().map(crate::model::SuiteName::as_str).collect();
            checker.unknown(&at.then("smoke"), "smoke suite", suite.as_str(), known);
        }
        if let Some(load) = &phase.load
            && !config.load.contains_key(load)
        {
            let known: Vec<&str> = config.load.keys().map(crate::model::LoadName::as_str).collect();
            checker.unknown(&at.then("load"), "load run", load.as_str(), known);
        }
    }
}

fn one_check(checker: &mut Checker<'_>, check: &CheckSpec, at: &Path) {
    services(checker, at, &check.services);
    checker.positive(&at.then("timeout"), check.timeout);
    let has_any = check.command.is_some()
        || !check.env.is_empty()
        || check.http.is_some()
        || check.tcp.is_some()
        || check.disk.is_some();
    if !has_any {
        checker
            .error_at_key(at, "the check looks at nothing")
            .hint("give it one of `command`, `env`, `http`, `tcp`, `disk`");
    }
    if let Some(command) = &check.command {
        sources::place_of_lines(checker, at, None, Some(command));
    }
    if let Some(url) = &check.http
        && !url.contains('{')
    {
        checker.address(&at.then("http"), url);
    }
    if let Some(address) = &check.tcp
        && !address.contains('{')
        && address.rsplit_once(':').is_none_or(|(host, port)| host.is_empty() || port.parse::<u16>().is_err())
    {
        checker
            .error(&at.then("tcp"), format!("{} is no `host:port`", quoted(address)))
            .hint("write it like `db.example.com:5432`");
    }
    if let Some(disk) = &check.disk
        && disk.path.trim().is_empty()
    {
        checker.error(&at.then("disk").then("path"), "`path` is empty").hint("name a place on the disk");
    }
}

fn one_suite(checker: &mut Checker<'_>, suite: &SmokeSpec, at: &Path) {
    services(checker, at, &suite.services);
    checker.address(&at.then("url"), &suite.url);
    checker.headers(at, &suite.headers, &suite.secret_headers);
    if let Some(pattern) = &suite.candidate {
        if let Some((_, name)) =
            placeholder::names(pattern).find(|(_, name)| !["service", "version", "release"].contains(name))
        {
            checker
                .error(
                    &at.then("candidate"),
                    format!("{} is not replaced by anything", quoted(&format!("{{{name}}}"))),
                )
                .hint("valid: `{service}`, `{version}`, `{release}`");
        }
        if !pattern.contains('{') {
            checker.address(&at.then("candidate"), pattern);
        }
    }
    for (release, address) in &suite.candidates {
        checker.address(&at.then("candidates").then(release), address);
    }
    if suite.tests.is_empty() {
        checker
            .error_at_key(&at.then("tests"), "the suite has no test: it would pass whatever happens")
            .hint("add `[[smoke.NAME.tests]]` with a `name` and a `path`");
    }
    let mut names = BTreeSet::new();
    for (index, test) in suite.tests.iter().enumerate() {
        let at = at.then("tests").then(index);
        if !names.insert(test.name.as_str()) {
            checker
                .error(&at.then("name"), format!("there is a test {} already", quoted(&test.name)))
                .hint("each test has a name of its own");
        }
        one_test(checker, test, &at);
    }
}

fn one_test(checker: &mut Checker<'_>, test: &SmokeTest, at: &Path) {
    checker.positive(&at.then("limit"), test.limit);
    match (&test.path, &test.command) {
        (None, None) => {
            checker
                .error_at_key(at, format!("test {} asks for nothing", quoted(&test.name)))
                .hint("give it a `path`, or a `command`");
        }
        (Some(_), Some(_)) => {
            checker
                .error(&at.then("command"), "the test has both `path` and `command`")
                .hint("keep one of the two");
        }
        (Some(path), None) if !path.starts_with('/') => {
            checker
                .error(&at.then("path"), format!("{} does not begin with `/`", quoted(path)))
                .hint("write the path below the suite's address, from `/` on");
        }
        (None, Some(command)) => sources::place_of_lines(checker, at, None, Some(command)),
        _ => {}
    }
    if test.json.is_some() && test.body.is_some() {
        checker.error(&at.then("body"), "the test has both `json` and `body`").hint("keep one of the two");
    }
    for part in test.status.iter().flat_map(|rule| rule.split(',')).map(str::trim) {
        if status_rule(part).is_none() {
            checker
                .error(&at.then("status"), format!("{} is no status rule", quoted(part)))
                .hint("write `200`, `2xx` or `<500`, several with commas");
        }
    }
    let pointers = test.expect.keys().map(|pointer| ("expect", pointer, pointer));
    let captured = test.capture.iter().filter(|(_, from)| !from.starts_with("header:"));
    let wrong: Vec<_> = pointers
        .chain(captured.map(|(name, from)| ("capture", name, from)))
        .filter(|(_, _, pointer)| !pointer.is_empty() && !pointer.starts_with('/'))
        .map(|(table, key, pointer)| (table, key.clone(), pointer.clone()))
        .collect();
    for (table, key, pointer) in wrong {
        checker
            .error(&at.then(table).then(&key), format!("{} is no JSON pointer", quoted(&pointer)))
            .hint("write it like `/user/token`; the empty text is the whole answer");
    }
}

fn one_load(checker: &mut Checker<'_>, load: &LoadSpec, at: &Path) {
    if !load.url.contains('{') {
        checker.address(&at.then("url"), &load.url);
    }
    checker.headers(at, &load.headers, &load.secret_headers);
    for (key, time) in [("duration", load.duration), ("timeout", load.timeout), ("max_p95", load.max_p95)] {
        checker.positive(&at.then(key), time);
    }
    if !(1..=1_000).contains(&load.users) {
        checker
            .error(&at.then("users"), format!("`users` is {}, expected 1 to 1000", load.users))
            .hint("ten are a good start");
    }
    if load.ramp > load.duration {
        checker
            .error(&at.then("ramp"), "`ramp` is longer than `duration`: the last users would never come")
            .hint("make it shorter than `duration`");
    }
    if load.rate.is_some_and(|rate| !(rate > 0.0 && rate.is_finite())) {
        checker.error(&at.then("rate"), "`rate` is not above zero").hint("it is in requests a second");
    }
    if !(0.0..=100.0).contains(&load.max_errors) {
        checker
            .error(&at.then("max_errors"), format!("`max_errors` is {}, expected 0 to 100", load.max_errors))
            .hint("it is in percent");
    }
    if let Some(command) = &load.command {
        sources::place_of_lines(checker, at, None, Some(command));
    }
}

/// How a database is changed.
fn changes(checker: &mut Checker<'_>, database: &DatabaseSpec, at: &Path) {
    let is_changed = database.migrations.is_some() || database.point_in_time.is_some();
    if is_changed && database.services.is_empty() {
        checker
            .error_at_key(at, "nothing says which services work with this database")
            .hint("name them (`services`): while it is changed nothing else is done to them");
    }
    if database.point_in_time.as_ref().is_some_and(Vec::is_empty) {
        checker
            .error(&at.then("point_in_time"), "`point_in_time` names no program")
            .hint("write a program and its arguments, like `[\"restore-shop\", \"--to\", \"{time}\"]`");
    }
    let Some(spec) = &database.migrations else { return };
    let at = at.then("migrations");
    checker.positive(&at.then("timeout"), spec.timeout);
    checker.positive(&at.then("lock_timeout"), spec.lock_timeout);
    for (key, argv) in [("apply", &spec.apply), ("undo", &spec.undo)] {
        if argv.as_ref().is_some_and(Vec::is_empty) {
            checker.error(&at.then(key), format!("`{key}` names no program")).hint(
                "write a program and its arguments, like `[\"flyway\", \"migrate\", \"-target={version}\"]`",
            );
        }
    }
    match (&spec.folder, &spec.apply, &spec.undo) {
        (Some(_), None, None) | (None, Some(_), _) => {}
        (Some(_), ..) => {
            checker
                .error_at_key(&at, "scripts in a folder, or programs: not both")
                .hint("leave `folder` out, or `apply` and `undo`");
        }
        (None, None, _) => {
            checker
                .error_at_key(&at, "nothing says how the schema is changed")
                .hint("name a `folder` of scripts, or a program (`apply`)");
        }
    }
}

fn one_database(checker: &mut Checker<'_>, database: &DatabaseSpec, at: &Path) {
    let config = checker.config;
    services(checker, at, &database.services);
    checker.positive(&at.then("timeout"), database.timeout);
    checker.positive(&at.then("backup_timeout"), database.backup_timeout);
    for (key, path) in [
        ("backups", database.backups.as_ref()),
        ("file", if let EngineSpec::Sqlite(sqlite) = &database.engine { Some(&sqlite.file) } else { None }),
    ] {
        let Some(path) = path else { continue };
        let place = if key == "file" { at.then("engine").then(key) } else { at.then(key) };
        if path.trim().is_empty() || path.contains('\0') {
            checker
                .error(&place, format!("`{key}` cannot be {}", quoted(path)))
                .hint("name a place, like `/var/backups/shop`");
        } else if !std::path::Path::new(path).is_absolute() {
            checker
                .warn(&place, format!("{} depends on where unship is started", quoted(path)))
                .hint("write the whole path, from `/` on");
        }
    }
    checker.positive(&at.then("restore_timeout"), database.restore_timeout);
    changes(checker, database, at);
    for (index, check) in database.checks.iter().enumerate() {
        let at = at.then("checks").then(index);
        let has_limit = check.at_least.is_some() || check.at_most.is_some();
        let ways = [check.equals.is_some(), check.agrees_with.is_some(), has_limit];
        if ways.into_iter().filter(|is_there| *is_there).count() != 1 {
            checker
                .error_at_key(
                    &at,
                    format!("check {} needs one thing that its value has to be", quoted(&check.name)),
                )
                .hint("give it one of `equals`, `agrees_with`, or `at_least` and `at_most`");
        }
        if check.sql.trim().is_empty() {
            checker.error(&at.then("sql"), "`sql` is empty").hint("write one SELECT with one value");
        }
        if let Some(elsewhere) = &check.agrees_with
            && !config.databases.contains_key(&elsewhere.database)
        {
            let known: Vec<&str> = config.databases.keys().map(crate::model::DatabaseName::as_str).collect();
            let place = at.then("agrees_with").then("database");
            checker.unknown(&place, "database", elsewhere.database.as_str(), known);
        }
    }
}
