//! `unship together`: several services change in the order of what depends on what; what fails is taken back.

use super::follow::Follower;
use super::operate::{self, parse_override};
use super::output::note;
use super::session;
use super::{Exit, Global};
use crate::engine::joint;
use crate::engine::runtime::{Engine, Lead, Leadership};
use crate::model::command::{Command, Override};
use crate::model::deploy::DeployStrategy;
use crate::model::event::Event;
use crate::model::joint::{JointChange, JointKind, JointPart, Together};
use crate::model::operation::{Outcome, Strategy};
use crate::model::{CommandId, JointId};

/// Change several services together: what others depend on first, and back if one fails.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand, Clone, Debug)]
enum What {
    /// Bring a release in to each. If one fails, those before it are taken back, the last one first.
    Deploy {
        /// The services with the versions that they get: `payments=1.4.0 checkout=2.9.0`.
        #[arg(value_name = "SERVICE=VERSION", required = true, value_parser = parse_part)]
        parts: Vec<JointPart>,
        /// How: `blue-green`, `canary`, `rolling` or `emergency`. Without it: as the config says of each.
        #[arg(long, value_name = "STRATEGY")]
        strategy: Option<DeployStrategy>,
        /// Say go in advance: a blue/green switch waits for nobody.
        #[arg(long)]
        go: bool,
        #[command(flatten)]
        conduct: Conduct,
    },
    /// Take the release of each back, those first that depend on others. If one fails, it stops there.
    Rollback {
        /// The services, each with the version to return to if you name one: `checkout payments=1.3.9`.
        #[arg(value_name = "SERVICE[=VERSION]", required = true, value_parser = parse_any)]
        parts: Vec<JointPart>,
        /// How: `immediate`, `gradual` or `emergency`.
        #[arg(long, value_name = "STRATEGY", default_value = "immediate", value_parser = parse_strategy)]
        strategy: Strategy,
        #[command(flatten)]
        conduct: Conduct,
    },
}

/// What both have in common.
#[derive(clap::Args, Clone, Debug)]
struct Conduct {
    /// Why, for the others and for the record.
    #[arg(long)]
    reason: String,
    /// Show the plans and the guardrails and stop.
    #[arg(long)]
    dry_run: bool,
    /// Do not ask. Without a terminal to ask on, this is required.
    #[arg(long)]
    yes: bool,
    /// Go on although a guardrail forbids it for one of them, with a reason.
    #[arg(long = "override", value_name = "GUARDRAIL=REASON", value_parser = parse_override)]
    overrides: Vec<Override>,
}

fn parse_any(text: &str) -> Result<JointPart, String> {
    let (service, version) = match text.split_once('=') {
        Some((service, version)) => (service, Some(version)),
        None => (text, None),
    };
    if service.is_empty() || version == Some("") {
        return Err("write SERVICE=VERSION".to_owned());
    }
    Ok(JointPart { service: service.into(), version: version.map(Into::into), from: None })
}

fn parse_part(text: &str) -> Result<JointPart, String> {
    let part = parse_any(text)?;
    if part.version.is_none() {
        return Err(format!("which version? write {text}=VERSION"));
    }
    Ok(part)
}

fn parse_strategy(text: &str) -> Result<Strategy, String> {
    let all = [Strategy::Immediate, Strategy::Gradual, Strategy::Emergency];
    all.into_iter()
        .find(|strategy| strategy.word() == text)
        .ok_or_else(|| "immediate, gradual or emergency".to_owned())
}

/// Exit codes: 0 all verified, 2 no such service, 4 failed, cancelled or taken back, 5 refused, 7 waited too long.
pub async fn run(args: &Args, global: &Global) -> anyhow::Result<Exit> {
    let by = session::actor(global)?;
    let loaded = session::load(global)?;
    let (kind, parts, conduct) = match &args.what {
        What::Deploy { parts, strategy, go, conduct } => {
            (JointKind::Deploy { how: *strategy, confirmed: *go }, parts, conduct)
        }
        What::Rollback { parts, strategy, conduct } => {
            (JointKind::RollBack { strategy: *strategy }, parts, conduct)
        }
    };
    let mut asked = Together {
        kind,
        parts: parts.clone(),
        reason: conduct.reason.clone(),
        overrides: conduct.overrides.clone(),
    };
    asked.parts = match joint::in_order(&loaded.config, &asked) {
        Ok(parts) => parts,
        Err(why) => {
            note!("{why}");
            return Ok(Exit::Usage);
        }
    };
    let engine = if conduct.dry_run {
        session::look(&loaded, "together").await?
    } else {
        session::start(&loaded, "together", Lead::Auto).await?
    };
    let mut refused = None;
    for part in 0..asked.parts.len() {
        let command = joint::command(&loaded.config, &asked, &asked.parts[part]);
        let proposal = engine.propose(&command).await;
        if conduct.dry_run || !global.json {
            operate::show(&command, &proposal, global)?;
        }
        if let Some(why) = proposal.refusal() {
            refused.get_or_insert(format!("{}: {why}", asked.parts[part].service));
        }
        // What is asked for is what was shown.
        asked.parts[part].from = proposal.from.map(|release| release.reference);
        asked.parts[part].version = proposal.target.release.map(|release| release.version);
    }
    if let Some(why) = refused {
        note!("refused: {why}");
        engine.shutdown().await;
        return Ok(Exit::Refused);
    }
    if conduct.dry_run {
        engine.shutdown().await;
        return Ok(Exit::Fine);
    }
    if !conduct.yes && !operate::confirm_word("`together`", verb(kind), "together")? {
        engine.shutdown().await;
        return Ok(Exit::Usage);
    }
    let leadership = operate::who_acts(&engine, &loaded).await?;
    let mut follower = Follower::from_now(&engine);
    let command = engine.send(by, Command::Together(asked)).await?;
    let exit = operate::stoppable(follow(&engine, &mut follower, &command, global)).await?;
    if matches!(leadership, Leadership::Ours(_)) {
        operate::deliver_messages(&engine).await;
    }
    engine.shutdown().await;
    Ok(exit)
}

const fn verb(kind: JointKind) -> &'static str {
    match kind {
        JointKind::Deploy { .. } => "to deploy them",
        JointKind::RollBack { .. } => "to roll them back",
    }
}

/// Tells what happens to any of them, to the end.
async fn follow(
    engine: &Engine,
    follower: &mut Follower<'_>,
    command: &CommandId,
    global: &Global,
) -> anyhow::Result<Exit> {
    if let Some(exit) = operate::not_taken_up(engine, follower, command, global).await? {
        return Ok(exit);
    }
    let mut ours: Option<JointId> = None;
    loop {
        let entry = follower.next().await?;
        if let Event::JointChanged { joint, change: JointChange::Planned { command: by, .. } } = &entry.event
            && by == command
        {
            ours = Some(joint.clone());
        }
        let state = follower.state();
        let Some(joint) = ours.as_ref().and_then(|id| state.joints.get(id)) else { continue };
        let concerns = match &entry.event {
            Event::JointChanged { joint: of, .. } => *of == joint.id,
            event => event.operation().and_then(|id| state.operation(id)).is_some_and(|operation| {
                joint.parts.iter().any(|part| part.service == operation.plan.service)
            }),
        };
        if !concerns {
            continue;
        }
        operate::print(&entry, state, global);
        if let Event::JointChanged { change: JointChange::Ended { outcome, .. }, .. } = &entry.event {
            return Ok(if *outcome == Outcome::Verified { Exit::Fine } else { Exit::Failed });
        }
        operate::note_what_is_asked(&entry.event, state);
    }
}
