//! Programs of yours that speak for a platform, one for each verb.
//!
//! # What a program gets
//!
//! An argv array is run as it is, without a shell. Placeholders inside its arguments (not in the program's name) are
//! replaced; the same values are in its environment. What the verb has no value for is refused when the config is read.
//!
//! | verb | asked for | placeholders |
//! |---|---|---|
//! | `observe`, `releases`, `current` | reading | `{service}` |
//! | `deploy` | bring a release up without traffic | `{service}` `{release}` `{version}` `{key}` `{token}` |
//! | `roll_back` | one release serves everything | `{service}` `{release}` `{version}` `{key}` `{token}` |
//! | `set_weight` | traffic by percent | `{service}` `{release}` `{version}` `{percent}` `{shares}` `{key}` `{token}` |
//! | `maintenance` | the maintenance page | `{service}` `{on}` `{key}` `{token}` |
//! | `purge` | every cache in front forgets; always taken to be idempotent and not observable | `{service}` `{key}` `{token}` |
//!
//! | placeholder | variable | value |
//! |---|---|---|
//! | `{service}` | `UNSHIP_SERVICE` | the service as the config calls it |
//! | `{release}` | `UNSHIP_RELEASE` | the `reference` of the release, as a reading named it; for `set_weight` that of the first stable share (of the first share when none is stable) |
//! | `{version}` | `UNSHIP_VERSION` | the version of that release; the variable is absent when no reading has named it and no argument asks for it |
//! | `{percent}` | `UNSHIP_PERCENT` | the percent of that same share, `0` to `100` |
//! | `{shares}` | `UNSHIP_SHARES` | all shares as compact JSON: `[{"reference":"r1","arm":"stable","percent":50},…]`; a release that is not there gets nothing |
//! | `{on}` | `UNSHIP_ON` | `true` or `false` |
//! | `{key}` | `UNSHIP_KEY` | the idempotency key, the same for every attempt of a step, also after a crash |
//! | `{token}` | `UNSHIP_TOKEN` | the leader's fencing token; a platform that has seen a greater one can refuse |
//! | | `UNSHIP_VERB` | the verb |
//! | | `UNSHIP_REVISION` | the `revision` of the reading right before an act, where it printed one |
//!
//! A value is one argument or a part of one. As many programs take an argument that begins with `-` for an option,
//! `--release={release}` is safer than `{release}` alone. Beside these a program inherits unship's own environment, then
//! `env`, then `secret_env`; secrets never go into an argument, where every user of the machine can see them. Standard
//! input is empty. A program named with a `/` is found from `dir`.
//!
//! # What a program says
//!
//! The reading programs print an [`Inventory`] as JSON:
//!
//! ```json
//! {"releases": [{"version": "2.8.1", "reference": "sha256:9f…", "created_at": "2026-01-31T12:00:00Z",
//!                "author": "kim", "schema": 7, "running": true}],
//!  "traffic": [{"reference": "sha256:9f…", "arm": "stable", "percent": 100}],
//!  "settled": true, "schema": 7, "maintenance": false, "revision": "41"}
//! ```
//!
//! `failed` says why what was asked for last has failed; a step that waits for its effect then ends at once. It has to name
//! the attempt (a number, an id), so that the next failure reads otherwise.
//!
//! Needed are `version`, `reference` and `created_at` of a release, `reference` and `percent` of a share; with several
//! shares also `arm`. Unknown fields are ignored, `null` is the same as missing. Missing `settled` is true; missing
//! `running` is true for a release that has traffic. `releases` and `current` are run for `releases` and
//! `traffic` if `observe` does not print those, and may print the bare array; `current` also just the reference of the
//! one release that serves everything, as a JSON string.
//!
//! Exit code 0 is success, 75 (`EX_TEMPFAIL`) means that nothing happened and that it may be tried again, any other is a
//! refusal. A program that acts and does not end by itself (a signal, the time-out) leaves open whether it has happened.
//! Standard error is for people: its last lines go into the error. While a program acts, people can read along every line
//! that it writes, to standard output or standard error.

mod argv;
mod inventory;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::ErrorKind;
use std::os::unix::process::ExitStatusExt as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use self::argv::{Placeholder, Template, Values};
use super::process::{self, Capture, End, Finished, Job};
use super::text::{escape, first, last};
use super::{Call, Platform, PlatformError, Progress};
use crate::model::platform::{
    Capabilities, CommandSpec, CommandVerb, Declares, PlatformAction, Variable, VariableValue,
};
use crate::model::release::{Arm, Inventory};
use crate::model::secret::{Secret, Secrets};
use crate::model::units::human;
use crate::model::{ReleaseRef, ServiceName, Version};

/// The exit code that says "nothing happened, try again": `EX_TEMPFAIL` of `sysexits.h`.
const TEMPFAIL: i32 = 75;
/// Most of an output that is shown, in bytes.
const SHOWN: usize = 2 * 1024;
/// Lines of standard error that are shown.
const LINES: usize = 5;

/// A service whose platform is reached through programs.
#[derive(Debug)]
pub struct Command {
    service: ServiceName,
    observe: Program,
    releases: Option<Program>,
    current: Option<Program>,
    deploy: Option<Program>,
    set_weight: Option<Program>,
    roll_back: Option<Program>,
    maintenance: Option<Program>,
    purge: Option<Program>,
    scale: Option<Program>,
    stop: Option<Program>,
    remove: Option<Program>,
    variables: Option<Program>,
    dir: Option<String>,
    env: BTreeMap<String, String>,
    secret_env: BTreeMap<String, Secret>,
    timeout: Duration,
    idempotent: Vec<CommandVerb>,
    unobservable: Vec<CommandVerb>,
    secrets: Arc<Secrets>,
    /// The versions that the last reading named; an action names only the reference.
    versions: Mutex<BTreeMap<ReleaseRef, Version>>,
}

/// A verb's program.
#[derive(Debug)]
struct Program {
    verb: &'static str,
    template: Template,
}

impl Command {
    /// Checks what the config says and takes its secrets. Nothing is run yet.
    ///
    /// # Errors
    /// [`PlatformError::Permanent`], naming the key in the config: an empty argv, a placeholder that is unknown or that
    /// the verb has no value for, a variable given twice, a secret that was not read.
    pub fn new(
        service: &ServiceName,
        spec: &CommandSpec,
        secrets: Arc<Secrets>,
    ) -> Result<Self, PlatformError> {
        use Placeholder::{Instances, Key, On, Percent, Release, Service, Shares, Token, Version};
        let wrong = |text: String| PlatformError::Permanent(format!("service `{service}`: {text}"));
        let program = |verb, argv: &[String], allowed: &[Placeholder]| {
            let template =
                Template::parse(argv, allowed).map_err(|reason| wrong(format!("`{verb}` {reason}")))?;
            Ok::<_, PlatformError>(Program { verb, template })
        };
        let optional = |verb, argv: &Option<Vec<String>>, allowed: &[Placeholder]| {
            argv.as_ref().map(|argv| program(verb, argv, allowed)).transpose()
        };
        if spec.timeout.is_zero() {
            return Err(wrong("`timeout` is zero; give the programs some time, like `30s`".to_owned()));
        }
        let mut secret_env = BTreeMap::new();
        for (name, reference) in &spec.secret_env {
            let secret = secrets.get(reference).ok_or_else(|| {
                wrong(format!("`secret_env.{name}`: the secret `{reference}` was not read"))
            })?;
            if spec.env.contains_key(name) {
                return Err(wrong(format!("`{name}` is in both `env` and `secret_env`; keep one")));
            }
            secret_env.insert(name.clone(), secret.clone());
        }
        let exposed = secret_env.iter().map(|(name, secret)| (name.as_str(), secret.expose()));
        let plain = spec.env.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        for (name, value) in exposed.chain(plain) {
            if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
                return Err(wrong(format!("`{name}` cannot be an environment variable")));
            }
        }
        Ok(Self {
            service: service.clone(),
            observe: program("observe", &spec.observe, &[Service])?,
            releases: optional("releases", &spec.releases, &[Service])?,
            current: optional("current", &spec.current, &[Service])?,
            deploy: optional("deploy", &spec.deploy, &[Service, Release, Version, Key, Token])?,
            set_weight: optional(
                "set_weight",
                &spec.set_weight,
                &[Service, Release, Version, Percent, Shares, Key, Token],
            )?,
            roll_back: optional("roll_back", &spec.roll_back, &[Service, Release, Version, Key, Token])?,
            maintenance: optional("maintenance", &spec.maintenance, &[Service, On, Key, Token])?,
            purge: optional("purge", &spec.purge, &[Service, Key, Token])?,
            scale: optional("scale", &spec.scale, &[Service, Instances, Key, Token])?,
            stop: optional("stop", &spec.stop, &[Service, Release, Version, Key, Token])?,
            remove: optional("remove", &spec.remove, &[Service, Release, Version, Key, Token])?,
            variables: optional("variables", &spec.variables, &[Service])?,
            dir: spec.dir.clone(),
            env: spec.env.clone(),
            secret_env,
            timeout: *spec.timeout,
            idempotent: spec.idempotent.clone(),
            unobservable: spec.unobservable.clone(),
            secrets,
            versions: Mutex::default(),
        })
    }

    /// Runs a verb's program. The error says that it was not started, so that nothing has happened.
    async fn run(
        &self,
        program: &Program,
        values: &Values,
        revision: Option<&str>,
        progress: &Progress,
    ) -> Result<Finished, PlatformError> {
        let mut env: Vec<(String, String)> = self.env.clone().into_iter().collect();
        env.extend(self.secret_env.iter().map(|(name, secret)| (name.clone(), secret.expose().to_owned())));
        env.push(("UNSHIP_VERB".to_owned(), program.verb.to_owned()));
        env.extend(values.iter().map(|(placeholder, value)| (placeholder.variable(), value.clone())));
        env.extend(revision.map(|revision| ("UNSHIP_REVISION".to_owned(), revision.to_owned())));
        let job = Job {
            program: program.template.program().to_owned(),
            arguments: program.template.arguments(values),
            dir: self.dir.clone(),
            env,
            timeout: self.timeout,
        };
        let hear = |line: &str| progress.line(&self.safe(line));
        process::run(&job, &hear).await.map_err(|error| {
            let mut text = format!("{} could not be started: {error}", self.name(program));
            let missing_dir = self.dir.as_ref().filter(|dir| !std::path::Path::new(dir).is_dir());
            if let Some(dir) = missing_dir {
                let _ = write!(text, "; there is no directory `{dir}`");
            } else if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::PermissionDenied) {
                let _ = write!(text, "; check that `{}` is there and may be executed", job.program);
            }
            match error.kind() {
                // Out of processes, memory or file handles: another moment may be better.
                ErrorKind::WouldBlock | ErrorKind::OutOfMemory | ErrorKind::ExecutableFileBusy => {
                    PlatformError::Transient(text)
                }
                _ if error.raw_os_error() == Some(rustix::io::Errno::MFILE.raw_os_error()) => {
                    PlatformError::Transient(text)
                }
                _ => PlatformError::Permanent(text),
            }
        })
    }

    /// Runs a program that prints JSON and reads it.
    async fn print<T>(
        &self,
        program: &Program,
        parse: fn(&[u8]) -> Result<T, String>,
    ) -> Result<T, PlatformError> {
        let values = Values::from([(Placeholder::Service, self.service.to_string())]);
        let Finished { end, stdout, stderr } = self.run(program, &values, None, &Progress::default()).await?;
        match &end {
            End::Exited(status) if status.success() => {
                let parsed = stdout
                    .whole()
                    .ok_or_else(|| {
                        let limit = (Capture::HEAD + Capture::TAIL) / 1024;
                        format!("more than {limit} KiB were printed, {} bytes too many", stdout.dropped())
                    })
                    .and_then(|output| parse(&output));
                parsed.map_err(|mistake| self.misprint(program, &mistake, &stdout))
            }
            End::Exited(status) if status.code().is_some_and(|code| code != TEMPFAIL) => {
                Err(PlatformError::Permanent(self.ending(program, &end, &stderr)))
            }
            // Reading changes nothing, so whatever else cut it short, it can be done again.
            _ => Err(PlatformError::Transient(self.ending(program, &end, &stderr))),
        }
    }

    fn misprint(&self, program: &Program, mistake: &str, stdout: &Capture) -> PlatformError {
        if program.verb == "variables" {
            // What they are set to is for nobody's eyes.
            return PlatformError::Permanent(format!(
                "the output of {} is not the JSON that was expected: {}",
                self.name(program),
                self.safe(mistake)
            ));
        }
        let output = self.safe(&stdout.text());
        let shown = first(&output, SHOWN);
        let more = if shown.len() < output.len() { "…" } else { "" };
        PlatformError::Permanent(format!(
            "the output of {} is not the JSON that was expected: {}; it printed \"{shown}{more}\"",
            self.name(program),
            self.safe(mistake)
        ))
    }

    /// `roll_back` of `checkout`.
    fn name(&self, program: &Program) -> String {
        format!("`{}` of `{}`", program.verb, self.service)
    }

    /// How a program ended and the last that it said.
    fn ending(&self, program: &Program, end: &End, stderr: &Capture) -> String {
        let mut text = match end {
            End::Exited(status) => match (status.code(), status.signal()) {
                (Some(TEMPFAIL), _) => {
                    format!("{} asks to try again (exit code {TEMPFAIL})", self.name(program))
                }
                (Some(code), _) => format!("{} ended with exit code {code}", self.name(program)),
                (None, Some(signal)) => format!("{} was killed by signal {signal}", self.name(program)),
                (None, None) => format!("{} ended in an unknown way", self.name(program)),
            },
            End::TimedOut => {
                format!("{} did not end within {} and was killed", self.name(program), human(self.timeout))
            }
            End::Lost(error) => format!("{} was lost sight of: {error}", self.name(program)),
        };
        // Redacted before it is cut into lines: a secret may have several.
        let said = self.secrets.redact(&stderr.text());
        let lines: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty()).collect();
        if lines.is_empty() {
            text.push_str("; nothing on stderr");
        } else {
            let ending = escape(&lines[lines.len().saturating_sub(LINES)..].join("\n"));
            let _ = write!(text, "; stderr ends \"{}\"", last(&ending, SHOWN));
        }
        text
    }

    /// Text from outside, without secrets and without anything that a terminal would act upon.
    fn safe(&self, text: &str) -> String {
        escape(&self.secrets.redact(text))
    }

    fn known_version(&self, reference: &ReleaseRef) -> Option<Version> {
        self.versions.lock().unwrap_or_else(PoisonError::into_inner).get(reference).cloned()
    }

    /// Fills in the version of a release: from the last reading, or, where an argument cannot do without it, from a new one.
    async fn add_release(
        &self,
        program: &Program,
        reference: &ReleaseRef,
        values: &mut Values,
    ) -> Result<(), PlatformError> {
        let mut version = self.known_version(reference);
        if version.is_none() && program.template.uses(Placeholder::Version) {
            // Nothing has been asked for yet, so an error of the reading is an error before the act.
            let inventory = self.read().await?;
            let release = inventory.release(reference).ok_or_else(|| {
                PlatformError::Permanent(format!(
                    "{} needs the version of {reference:?}, but no reading names such a release",
                    self.name(program)
                ))
            })?;
            version = Some(release.version.clone());
        }
        values.insert(Placeholder::Release, reference.to_string());
        values.extend(version.map(|version| (Placeholder::Version, version.to_string())));
        Ok(())
    }

    fn program_for(&self, action: &PlatformAction) -> Result<&Program, PlatformError> {
        let (program, key) = match action {
            PlatformAction::Deploy { .. } => (&self.deploy, "deploy"),
            PlatformAction::ShiftTraffic { .. } => (&self.set_weight, "set_weight"),
            PlatformAction::Restore { .. } => (&self.roll_back, "roll_back"),
            PlatformAction::Maintenance { .. } => (&self.maintenance, "maintenance"),
            PlatformAction::Purge => (&self.purge, "purge"),
            PlatformAction::Scale { .. } => (&self.scale, "scale"),
            PlatformAction::Stop { .. } => (&self.stop, "stop"),
            PlatformAction::Remove { .. } => (&self.remove, "remove"),
        };
        program.as_ref().ok_or_else(|| {
            PlatformError::Permanent(format!(
                "service `{}` has no program for `{}`; give one under `platform.{key}`",
                self.service,
                action.verb()
            ))
        })
    }
}

/// Environment variables as a JSON object of texts. A mistake names the variable and not what it is set to.
fn variables(output: &[u8]) -> Result<Vec<Variable>, String> {
    let value: serde_json::Value = serde_json::from_slice(output)
        .map_err(|error| format!("not JSON (line {}, column {})", error.line(), error.column()))?;
    let fields = value.as_object().ok_or("expected an object of texts, by name")?;
    let variable = |(name, value): (&String, &serde_json::Value)| {
        let value = value.as_str().ok_or_else(|| format!("`{name}`: expected a text"))?;
        Ok(Variable { container: None, name: name.clone(), value: VariableValue::Plain(Secret::new(value)) })
    };
    fields.iter().map(variable).collect()
}

const fn verb_of(action: &PlatformAction) -> CommandVerb {
    match action {
        PlatformAction::Deploy { .. } => CommandVerb::Deploy,
        PlatformAction::ShiftTraffic { .. } => CommandVerb::SetWeight,
        PlatformAction::Restore { .. } => CommandVerb::RollBack,
        PlatformAction::Maintenance { .. } => CommandVerb::Maintenance,
        PlatformAction::Purge => CommandVerb::Purge,
        PlatformAction::Scale { .. } => CommandVerb::Scale,
        PlatformAction::Stop { .. } => CommandVerb::Stop,
        PlatformAction::Remove { .. } => CommandVerb::Remove,
    }
}

#[async_trait]
impl Platform for Command {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            weights: self.set_weight.is_some(),
            deploy: self.deploy.is_some(),
            restore: self.roll_back.is_some(),
            maintenance: self.maintenance.is_some(),
            purge: self.purge.is_some(),
            scale: self.scale.is_some(),
            stop: self.stop.is_some(),
            remove: self.remove.is_some(),
            variables: self.variables.is_some(),
            ..Capabilities::default()
        }
    }

    fn declares(&self, action: &PlatformAction) -> Declares {
        let verb = verb_of(action);
        Declares {
            observable: !self.unobservable.contains(&verb),
            idempotent: self.idempotent.contains(&verb),
        }
    }

    /// Runs `observe`, then `releases` and `current` for what it leaves out. Three programs are three looks: where the
    /// platform allows it, let `observe` print everything.
    async fn read(&self) -> Result<Inventory, PlatformError> {
        let mut printed = self.print(&self.observe, inventory::observe).await?;
        if let Some(program) = self.releases.as_ref().filter(|_| printed.releases.is_none()) {
            printed = printed.or(self.print(program, inventory::releases).await?);
        }
        if let Some(program) = self.current.as_ref().filter(|_| printed.traffic.is_none()) {
            printed = printed.or(self.print(program, inventory::current).await?);
        }
        let inventory = printed.complete().map_err(|mistake| {
            PlatformError::Permanent(format!(
                "what {} printed cannot be used: {}",
                self.name(&self.observe),
                self.safe(&mistake)
            ))
        })?;
        let named =
            |release: &crate::model::release::Release| (release.reference.clone(), release.version.clone());
        *self.versions.lock().unwrap_or_else(PoisonError::into_inner) =
            inventory.releases.iter().map(named).collect();
        Ok(inventory)
    }

    async fn variables(&self) -> Result<Vec<Variable>, PlatformError> {
        match &self.variables {
            Some(program) => self.print(program, variables).await,
            None => Err(PlatformError::Permanent(format!(
                "service `{}` has no program for that; give one under `platform.variables`",
                self.service
            ))),
        }
    }

    /// Runs the verb's program and waits for its end. Answers with the last line that it printed.
    async fn act(&self, action: &PlatformAction, call: &Call) -> Result<String, PlatformError> {
        let program = self.program_for(action)?;
        let mut values = Values::from([
            (Placeholder::Service, self.service.to_string()),
            (Placeholder::Key, call.key.to_string()),
            (Placeholder::Token, call.token.to_string()),
        ]);
        match action {
            PlatformAction::Deploy { release }
            | PlatformAction::Restore { release }
            | PlatformAction::Stop { release }
            | PlatformAction::Remove { release } => {
                self.add_release(program, release, &mut values).await?;
            }
            PlatformAction::ShiftTraffic { shares } => {
                let share = shares
                    .iter()
                    .find(|share| share.arm == Arm::Stable)
                    .or_else(|| shares.first())
                    .ok_or_else(|| {
                    PlatformError::Permanent(format!("{} was given no shares", self.name(program)))
                })?;
                self.add_release(program, &share.reference, &mut values).await?;
                values.insert(Placeholder::Percent, share.percent.to_string());
                let shares = serde_json::to_string(shares).expect("shares are plain data");
                values.insert(Placeholder::Shares, shares);
            }
            PlatformAction::Maintenance { on } => {
                values.insert(Placeholder::On, on.to_string());
            }
            PlatformAction::Scale { instances } => {
                values.insert(Placeholder::Instances, instances.to_string());
            }
            PlatformAction::Purge => {}
        }
        let (revision, progress) = (call.revision.as_deref(), &call.progress);
        let Finished { end, stdout, stderr } = self.run(program, &values, revision, progress).await?;
        match &end {
            End::Exited(status) if status.success() => {
                let said = self.secrets.redact(&stdout.text());
                let line = said.lines().rev().map(str::trim).find(|line| !line.is_empty());
                Ok(match line {
                    Some(line) => first(&escape(line), 200).to_owned(),
                    None => format!("`{}` ended well and printed nothing", program.verb),
                })
            }
            End::Exited(status) if status.code() == Some(TEMPFAIL) => {
                Err(PlatformError::Transient(self.ending(program, &end, &stderr)))
            }
            End::Exited(status) if status.code().is_some() => {
                Err(PlatformError::Permanent(self.ending(program, &end, &stderr)))
            }
            // It began and nobody said how it went.
            _ => Err(PlatformError::Unclear(self.ending(program, &end, &stderr))),
        }
    }
}
