//! Asking for an operation: shows both ends, the plan and the guardrails; asks; hands the command to the leader, or leads;
//! follows it to its end. What `unship rollback`, `promote` and `maintenance` have in common.

use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::time::Duration;

use serde_json::json;

use super::account::{self, date};
use super::follow::Follower;
use super::output::{entry_json, note, out, print_json};
use super::session;
use super::{Exit, Global};
use crate::config::{Config, Loaded};
use crate::engine::runtime::{Engine, EngineError, Entry, Lead, Leadership};
use crate::engine::{Expected, Proposal, State};
use crate::model::command::{Command, Override};
use crate::model::decision::Guardrail;
use crate::model::event::Event;
use crate::model::operation::{Action, Operation, Outcome, PlanKind};
use crate::model::release::Release;
use crate::model::units::human;
use crate::model::{CommandId, OperationId, ServiceName, Span};

/// How an operation is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Conduct {
    /// What this process calls itself.
    pub(crate) role: &'static str,
    /// What is asked first.
    pub(crate) ask: Ask,
    /// Show it and stop.
    pub(crate) dry_run: bool,
    /// Stop waiting for the end after this.
    pub(crate) timeout: Option<Span>,
}

/// What is asked before a command is sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ask {
    /// Nothing.
    Nothing,
    /// To type the service's name.
    ServiceName,
}

/// Reads `GUARDRAIL=REASON`.
pub(crate) fn parse_override(text: &str) -> Result<Override, String> {
    let (word, reason) = text.split_once('=').ok_or("write GUARDRAIL=REASON")?;
    let guardrail =
        Guardrail::ALL.into_iter().find(|guardrail| guardrail.word() == word.trim()).ok_or_else(|| {
            let words: Vec<_> = Guardrail::ALL
                .into_iter()
                .filter(|guardrail| guardrail.can_override())
                .map(Guardrail::word)
                .collect();
            format!("no guardrail `{}`; those that can be overridden: {}", word.trim(), words.join(", "))
        })?;
    if !guardrail.can_override() {
        return Err(format!("`{}` cannot be overridden", guardrail.word()));
    }
    if reason.trim().is_empty() {
        return Err(format!("say why: {}=REASON", guardrail.word()));
    }
    Ok(Override { guardrail, reason: reason.trim().to_owned() })
}

/// Exit codes: 0 verified, 4 failed or not recovered, 5 refused, 6 unverified, 7 waited too long.
pub(crate) async fn run(asked: Command, conduct: Conduct, global: &Global) -> anyhow::Result<Exit> {
    run_for(|_| asked, conduct, global).await
}

/// The same for a command that depends on the config.
pub(crate) async fn run_for(
    asked: impl FnOnce(&Config) -> Command,
    conduct: Conduct,
    global: &Global,
) -> anyhow::Result<Exit> {
    let by = session::actor(global)?;
    let loaded = session::load(global)?;
    let mut asked = asked(&loaded.config);
    if let Some(service) = asked.service()
        && !session::has_service(&loaded, service.as_str())
    {
        return Ok(Exit::Usage);
    }
    // A dry run changes nothing, not even who leads.
    let engine = if conduct.dry_run {
        session::look(&loaded, conduct.role).await?
    } else {
        session::start(&loaded, conduct.role, Lead::Auto).await?
    };
    let proposal = engine.propose(&asked).await;
    let refusal = proposal.refusal();
    // A program gets either the proposal or what came of it.
    if conduct.dry_run || refusal.is_some() || !global.json {
        show(&asked, &proposal, global)?;
    }
    if let Some(why) = refusal {
        note!("refused: {why}");
        engine.shutdown().await;
        return Ok(Exit::Refused);
    }
    if conduct.dry_run {
        engine.shutdown().await;
        return Ok(Exit::Fine);
    }
    name_what_was_shown(&mut asked, &proposal);
    if let (Ask::ServiceName, Ok(plan)) = (conduct.ask, &proposal.plan)
        && !confirm(plan.kind, &plan.service)?
    {
        engine.shutdown().await;
        return Ok(Exit::Usage);
    }
    let leadership = who_acts(&engine, &loaded).await?;
    let mut follower = Follower::from_now(&engine);
    let command = engine.send(by, asked).await?;
    let followed = follow(&engine, &mut follower, &command, global);
    let exit = match conduct.timeout {
        None => stoppable(followed).await?,
        Some(limit) => match tokio::time::timeout(*limit, stoppable(followed)).await {
            Ok(exit) => exit?,
            Err(_) => {
                note!("stopped waiting after {limit}; `unship status` says how it goes on");
                Exit::TimedOut
            }
        },
    };
    if matches!(leadership, Leadership::Ours(_)) {
        deliver_messages(&engine).await;
    }
    engine.shutdown().await;
    Ok(exit)
}

/// Who leads, which is said.
pub(super) async fn who_acts(engine: &Engine, loaded: &Loaded) -> anyhow::Result<Leadership> {
    let leadership = session::leader(engine, *loaded.config.store.lease).await?;
    match &leadership {
        Leadership::Theirs(lease) => note!("handing it to {}", lease.holder),
        Leadership::Ours(_) => note!("nobody leads: acting from here; keep this running until it ends"),
        Leadership::Nobody => {}
    }
    Ok(leadership)
}

/// What is asked for is what was shown: by name, so that it is refused when the world has moved on.
fn name_what_was_shown(asked: &mut Command, proposal: &Proposal) {
    let to = proposal.target.release.as_ref();
    match asked {
        Command::RollBack(asked) => {
            asked.from = proposal.from.as_ref().map(|release| release.reference.clone());
            asked.to = to.map(|release| release.version.clone());
        }
        Command::Deploy(asked) => {
            asked.from = proposal.from.as_ref().map(|release| release.reference.clone());
        }
        Command::Promote(asked) => asked.release = to.map(|release| release.reference.clone()),
        _ => {}
    }
}

/// The operation goes on in the journal whatever happens to this process; whoever leads next takes it up.
pub(super) async fn stoppable(followed: impl Future<Output = anyhow::Result<Exit>>) -> anyhow::Result<Exit> {
    tokio::select! {
        exit = followed => exit,
        () = session::asked_to_stop() => {
            note!("not waiting any more; what has begun goes on when a guard leads (`unship status`)");
            Ok(Exit::TimedOut)
        }
    }
}

/// The leader's last duty: what it wanted to tell people.
pub(super) async fn deliver_messages(engine: &Engine) {
    let mut view = engine.view();
    let delivered = view.wait_for(|view| view.state.outbox.is_empty());
    if tokio::time::timeout(Duration::from_secs(5), delivered).await.is_err() {
        note!("some messages are not accepted yet; they stay in the journal for the next leader");
    }
}

/// Waits for what the leader says to a command: the exit code when it was not taken up, which is said.
pub(super) async fn not_taken_up(
    engine: &Engine,
    follower: &Follower<'_>,
    command: &CommandId,
    global: &Global,
) -> anyhow::Result<Option<Exit>> {
    // The leader looks into the inbox ten times a second; a new one may first have to take the lease.
    let answer = engine.answer(command, follower.position(), Duration::from_secs(15)).await;
    let answer = match answer {
        Ok(answer) => answer,
        Err(error @ EngineError::NoAnswer(_)) => {
            note!("{error}");
            return Ok(Some(Exit::TimedOut));
        }
        Err(error) => return Err(error.into()),
    };
    if let Event::CommandRefused { reason, .. } = &answer.event {
        if global.json {
            out!("{}", entry_json(&answer));
        }
        note!("refused: {reason}");
        return Ok(Some(Exit::Refused));
    }
    Ok(None)
}

/// An entry as a line: for programs, or in the account's words where it has any.
pub(super) fn print(entry: &Entry, state: &State, global: &Global) {
    if global.json {
        out!("{}", entry_json(entry));
    } else if let Some(line) = account::line(entry, state) {
        out!("{line}");
    }
}

async fn follow(
    engine: &Engine,
    follower: &mut Follower<'_>,
    command: &CommandId,
    global: &Global,
) -> anyhow::Result<Exit> {
    if let Some(exit) = not_taken_up(engine, follower, command, global).await? {
        return Ok(exit);
    }
    let mut ours: Option<OperationId> = None;
    // A deployment that went wrong goes back by an operation of its own, which is followed, too.
    let mut failed: Option<ServiceName> = None;
    loop {
        let entry = match &failed {
            None => follower.next().await?,
            Some(_) => match tokio::time::timeout(WAY_BACK, follower.next()).await {
                Ok(entry) => entry?,
                Err(_) if ours.is_none() => {
                    note!("the way back did not begin; `unship status` shows where the traffic is");
                    return Ok(Exit::Failed);
                }
                Err(_) => continue,
            },
        };
        if let (Event::OperationPlanned { operation, plan, .. }, Some(service)) = (&entry.event, &failed)
            && ours.is_none()
            && plan.kind == PlanKind::RollBack
            && plan.service == *service
        {
            ours = Some(operation.clone());
        }
        if let Event::OperationPlanned { operation, command: Some(by), .. } = &entry.event
            && by == command
        {
            ours = Some(operation.clone());
        }
        let Some(id) = &ours else { continue };
        print(&entry, follower.state(), global);
        match &entry.event {
            Event::OperationEnded { operation, outcome, .. }
                if operation == id && goes_back(follower.state().operation(id), *outcome) =>
            {
                failed = follower.state().operation(id).map(|operation| operation.plan.service.clone());
                ours = None;
            }
            Event::OperationEnded { operation, .. } if operation == id && failed.is_some() => {
                return Ok(Exit::Failed);
            }
            Event::OperationEnded { operation, outcome, .. } if operation == id => {
                return Ok(match outcome {
                    Outcome::Verified => Exit::Fine,
                    Outcome::Unverified => Exit::Unknown,
                    Outcome::NotRecovered | Outcome::Failed | Outcome::Cancelled => Exit::Failed,
                });
            }
            Event::DecisionNeeded { operation, .. } if operation == id => {
                note_what_is_asked(&entry.event, follower.state());
                return Ok(Exit::Failed);
            }
            event if event.operation() == Some(id) => note_what_is_asked(event, follower.state()),
            _ => {}
        }
    }
}

/// Says what a person can say now, where an operation waits for that.
pub(super) fn note_what_is_asked(event: &Event, state: &State) {
    match event {
        Event::StepStarted { operation: id, step, .. } => {
            let waits = state.operation(id).and_then(|operation| operation.plan.steps.get(*step));
            if waits.is_some_and(|step| matches!(step.action, Action::Confirm { .. })) {
                note!("say go with `unship confirm {id} --reason …`, or `unship cancel {id} --reason …`");
            }
        }
        Event::DecisionNeeded { operation: id, .. } => {
            note!("say what happened with `unship settle {id} done|retry|abort --reason …`");
        }
        _ => {}
    }
}

/// How long the way back of a deployment is waited for: it is planned in the moment in which the deployment ends.
const WAY_BACK: Duration = Duration::from_secs(5);

/// Whether this operation, having ended so, is followed by its way back.
fn goes_back(operation: Option<&Operation>, outcome: Outcome) -> bool {
    operation.is_some_and(|operation| {
        matches!(operation.plan.kind, PlanKind::Deploy { .. })
            && matches!(outcome, Outcome::Failed | Outcome::NotRecovered | Outcome::Cancelled)
            && operation.may_have_moved()
    })
}

fn confirm(kind: PlanKind, service: &ServiceName) -> anyhow::Result<bool> {
    let what = match kind {
        PlanKind::RollBack => "to roll it back",
        PlanKind::Promote => "to promote its canary",
        PlanKind::Deploy { .. } => "to deploy it",
        PlanKind::Maintenance { on: true } => "to turn its maintenance page on",
        PlanKind::Maintenance { on: false } => "to turn its maintenance page off",
        PlanKind::Database { .. } => "whose data that concerns",
        PlanKind::Scale { .. } => "to run so many instances of it",
        PlanKind::CleanUp => "to stop what it has left running",
    };
    confirm_word("the service's name", what, service.as_str())
}

/// Asks for a word, which shows that somebody means it.
pub(super) fn confirm_word(whose: &str, what: &str, word: &str) -> anyhow::Result<bool> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        note!("there is no terminal to ask on: add --yes");
        return Ok(false);
    }
    write!(std::io::stderr(), "type {whose} {what}: ")?;
    std::io::stderr().flush()?;
    let mut line = String::new();
    stdin.lock().read_line(&mut line)?;
    let is_right = line.trim() == word;
    if !is_right {
        note!("that is not `{word}`: nothing was done");
    }
    Ok(is_right)
}

pub(super) fn show(asked: &Command, proposal: &Proposal, global: &Global) -> anyhow::Result<()> {
    let service = asked.service();
    let strategy = match asked {
        Command::RollBack(asked) => Some(asked.strategy.word()),
        Command::Deploy(asked) => Some(asked.strategy.word()),
        _ => None,
    };
    if global.json {
        return print_json(&json!({
            "do": asked.verb(),
            "service": service,
            "strategy": strategy,
            "from": proposal.from,
            "to": proposal.target.release,
            "evidence": proposal.target.evidence,
            "plan": proposal.plan.as_ref().ok().map(|plan| &plan.steps),
            "expected": proposal.expected.map(|expected| json!({
                "lasts_ms": expected.lasts.as_millis() as u64,
                "from": expected.from,
            })),
            "guardrails": proposal.guardrails,
            "refused": proposal.refusal(),
        }));
    }
    let mut out = std::io::stderr().lock();
    let how = strategy.map_or_else(String::new, |strategy| format!(" ({strategy})"));
    writeln!(out, "{} {}{how}", asked.verb(), service.map_or("", ServiceName::as_str))?;
    if !matches!(
        asked,
        Command::Maintenance { .. } | Command::Database(_) | Command::Scale(_) | Command::CleanUp { .. }
    ) {
        writeln!(out, "  from  {}", end(proposal.from.as_ref()))?;
        writeln!(out, "  to    {}", end(proposal.target.release.as_ref()))?;
    }
    if !proposal.target.evidence.is_empty() {
        writeln!(out, "        {}", proposal.target.evidence)?;
    }
    match &proposal.plan {
        Ok(plan) => {
            writeln!(out, "  plan{}", proposal.expected.map_or_else(String::new, expected))?;
            for (index, step) in plan.steps.iter().enumerate() {
                writeln!(out, "    {}. {} (within {})", index + 1, step.title, step.timeout)?;
            }
        }
        Err(why) => writeln!(out, "  no plan: {why}")?,
    }
    writeln!(out, "  guardrails")?;
    for check in &proposal.guardrails {
        let mark = match (check.passes, &check.overridden) {
            (true, _) => "passes",
            (false, Some(_)) => "overridden",
            (false, None) => "FORBIDS",
        };
        writeln!(out, "    {mark:<10} {:<10} {}", check.guardrail.word(), check.detail)?;
    }
    Ok(())
}

fn expected(expected: Expected) -> String {
    let Expected { lasts, from } = expected;
    let of = if from == 1 { "the one before took".to_owned() } else { format!("median of {from} before:") };
    format!(" ({of} {})", human(lasts))
}

fn end(release: Option<&Release>) -> String {
    release.map_or_else(
        || "nothing".to_owned(),
        |release| {
            let author = release.author.as_ref().map_or_else(String::new, |author| format!(", by {author}"));
            let schema = release.schema.map_or_else(String::new, |schema| format!(", schema {schema}"));
            format!(
                "{} ({}), made {}{author}{schema}",
                release.version,
                release.reference,
                date(release.created_at)
            )
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An override needs a guardrail that may be overridden, and a reason.
    #[test]
    fn overrides_are_checked() {
        let taken = parse_override("stale-data=the source is down, I looked myself").unwrap();
        assert_eq!(taken.guardrail, Guardrail::StaleData);
        for (text, says) in [
            ("cooldown", "GUARDRAIL=REASON"),
            ("cooldown= ", "say why"),
            ("cooldwn=x", "no guardrail `cooldwn`"),
            ("busy=x", "cannot be overridden"),
            ("read-only=x", "cannot be overridden"),
        ] {
            assert!(parse_override(text).unwrap_err().contains(says), "{text}");
        }
    }
}
