//! `unship lab`: runs the embedded fleet in this terminal, for trying the others against it.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use jiff::Timestamp;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use super::{Exit, Global};
use crate::lab::{Facts, Lab, LabEvent, LabHandle, LabOptions, Scenario};

/// Run a fleet of real HTTP services on loopback, with traffic and a release that goes wrong.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// What goes wrong: a built-in scenario (see --list) or a file.
    #[arg(long, default_value = "bad-canary", value_name = "NAME|FILE")]
    pub scenario: String,
    /// Print the built-in scenarios.
    #[arg(long)]
    pub list: bool,
    /// The seed of what is random: when requests come, and which of them fail.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Where `unship.toml` for this fleet is written.
    #[arg(long, default_value = "unship-lab", value_name = "DIR")]
    pub dir: PathBuf,
    /// The admin interface's port; the routers take the ports after it. Without it free ones are taken.
    #[arg(long)]
    pub port: Option<u16>,
    /// Begin the timeline again at its end, with new versions.
    #[arg(long, conflicts_with = "once")]
    pub repeat: bool,
    /// Stop at the end of the timeline.
    #[arg(long)]
    pub once: bool,
}

/// Runs the fleet until Ctrl-C or SIGTERM; with `--once` until the end of the timeline.
pub async fn run(args: Args, global: &Global) -> anyhow::Result<Exit> {
    let mut out = io::stdout();
    if args.list {
        list(&mut out, global.json)?;
        return Ok(Exit::Fine);
    }
    let scenario = match Scenario::find(&args.scenario) {
        Ok(scenario) => scenario,
        Err(error) => {
            writeln!(io::stderr(), "{error}")?;
            return Ok(Exit::Usage);
        }
    };
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for Ctrl-C")?;
    let options = LabOptions { seed: args.seed, port: args.port, repeat: args.repeat };
    let duration = scenario.duration;
    let mut lab = Lab::start_with(scenario.clone(), options).await?;
    let file = write_config(&lab, &args.dir)?;
    begin(&mut out, &lab, &scenario, &args, &file, global.json)?;
    let end = tokio::time::sleep(duration);
    tokio::pin!(end);
    loop {
        tokio::select! {
            // The signals first, then what happened before the end: the order of lines is that of events.
            biased;
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            event = lab.next_event() => match event {
                Some(event) => show(&mut out, &event, global.json)?,
                None => break,
            },
            () = &mut end, if args.once => break,
        }
    }
    let facts = lab.facts();
    lab.shutdown().await;
    finish(&mut out, &facts, global.json)?;
    Ok(Exit::Fine)
}

fn list(out: &mut impl Write, as_json: bool) -> anyhow::Result<()> {
    let all = Scenario::builtin();
    if as_json {
        let all: Vec<_> = all
            .iter()
            .map(|scenario| {
                json!({
                    "name": scenario.name, "doc": scenario.doc, "expect": scenario.expect.word(),
                    "seconds": scenario.duration.as_secs_f64(),
                })
            })
            .collect();
        writeln!(out, "{}", serde_json::to_string_pretty(&all)?)?;
        return Ok(());
    }
    for scenario in all {
        let Scenario { name, doc, expect, .. } = &scenario;
        writeln!(out, "{name:<16} {:<12} {doc}", expect.word())?;
    }
    Ok(())
}

/// Writes `unship.toml` whole or not at all, so that a guard that starts meanwhile never reads half of it.
fn write_config(lab: &LabHandle, dir: &Path) -> anyhow::Result<PathBuf> {
    std::fs::create_dir_all(dir).with_context(|| format!("cannot make the folder `{}`", dir.display()))?;
    let file = dir.join("unship.toml");
    let part = dir.join(".unship.toml.part");
    std::fs::write(&part, lab.config_toml(dir))
        .and_then(|()| std::fs::rename(&part, &file))
        .with_context(|| format!("cannot write `{}`", file.display()))?;
    Ok(file)
}

fn begin(
    out: &mut impl Write,
    lab: &LabHandle,
    scenario: &Scenario,
    args: &Args,
    file: &Path,
    as_json: bool,
) -> anyhow::Result<()> {
    let admin = lab.admin_url();
    let services = lab.services();
    if as_json {
        let services: Vec<_> = services
            .iter()
            .map(|service| json!({ "name": service.name, "url": service.url, "stable": service.stable }))
            .collect();
        let line = json!({
            "lab": scenario.name, "seed": args.seed, "expect": scenario.expect.word(), "admin": admin,
            "config": file, "services": services,
        });
        writeln!(out, "{line}")?;
        out.flush()?;
        return Ok(());
    }
    writeln!(out, "The lab runs the scenario {} (seed {}).", scenario.name, args.seed)?;
    writeln!(out, "{} Expected end: {}.\n", scenario.doc, scenario.expect.word())?;
    for service in &services {
        let stable = service.stable.as_deref().unwrap_or("-");
        writeln!(out, "  {:<10} {}  {stable}, {} requests/s", service.name, service.url, service.rps)?;
    }
    writeln!(out, "  {:<10} {admin}  /admin/services, /admin/facts, /metrics", "admin")?;
    writeln!(out, "  {:<10} {}\n", "config", file.display())?;
    let config = file.display();
    writeln!(out, "In other terminals:")?;
    writeln!(out, "  unship --config {config} guard      watches, and takes bad releases back")?;
    writeln!(out, "  unship --config {config} status     says how everything is")?;
    writeln!(out, "  curl {admin}/admin/facts            says what truly happened")?;
    if let Some(service) = services.first() {
        writeln!(
            out,
            "  curl {admin}/admin/services/{}/fault -d '{{\"kind\":\"errors\",\"rate\":0.3}}'   breaks something",
            service.name
        )?;
    }
    if args.dir.join("unship.db").exists() {
        let journal = args.dir.join("unship.db");
        writeln!(
            out,
            "\nA journal of an earlier run is there; for a fresh start delete {}*.",
            journal.display()
        )?;
    }
    writeln!(out, "\nWhat happens (stop with Ctrl-C):")?;
    out.flush()?;
    Ok(())
}

fn show(out: &mut impl Write, event: &LabEvent, as_json: bool) -> anyhow::Result<()> {
    let LabEvent { at, service, text } = event;
    if as_json {
        let line = json!({ "at_ms": at.as_millis() as u64, "service": service, "text": text });
        writeln!(out, "{line}")?;
    } else {
        writeln!(out, "  {:>7.2} s  {service:<10} {text}", at.as_secs_f64())?;
    }
    out.flush()?;
    Ok(())
}

/// The truth in a few lines.
fn finish(out: &mut impl Write, facts: &Facts, as_json: bool) -> anyhow::Result<()> {
    if as_json {
        writeln!(out, "{}", json!({ "facts": facts }))?;
        return Ok(());
    }
    writeln!(out, "\nThe lab has stopped. {} requests, {} errors.", facts.requests, facts.errors)?;
    for (name, service) in &facts.services {
        let Some(first) = service.first_bad_response_at else { continue };
        let since =
            |at: Timestamp| Duration::try_from(at.duration_since(first)).unwrap_or_default().as_secs_f64();
        let began = Duration::try_from(first.duration_since(facts.started_at)).unwrap_or_default();
        writeln!(
            out,
            "  {name}: the first bad answer came at {:.2} s, {} in all, the last one {:.2} s after the first",
            began.as_secs_f64(),
            service.bad_responses,
            service.last_bad_response_at.map_or(0.0, since),
        )?;
        for (version, at) in &service.last_routed_at {
            writeln!(out, "    last request to {version} {:.2} s after the first bad answer", since(*at))?;
        }
    }
    let repeated: u64 = facts.effects.iter().map(|effect| effect.times_repeated).sum();
    if !facts.effects.is_empty() || facts.refused_stale_tokens > 0 {
        writeln!(
            out,
            "  changing calls: {} carried out, {repeated} repeated without a second effect, {} refused for an old token",
            facts.effects.len(),
            facts.refused_stale_tokens
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    /// Without options the lab runs the bad canary and goes on; `--once` and `--repeat` exclude each other.
    #[test]
    fn the_options_have_their_defaults() {
        let args = Line::parse_from(["lab"]).args;
        assert_eq!((args.scenario.as_str(), args.seed, args.once), ("bad-canary", 1, false));
        assert_eq!(args.dir, PathBuf::from("unship-lab"));
        assert!(Line::try_parse_from(["lab", "--once", "--repeat"]).is_err());
    }

    /// The list is one line a scenario, the default first, and the same as data.
    #[test]
    fn the_list_names_every_scenario() {
        let mut text = Vec::new();
        list(&mut text, false).unwrap();
        let text = String::from_utf8(text).unwrap();
        assert!(text.starts_with("bad-canary       rolled-back  "), "{text}");
        assert_eq!(text.lines().count(), Scenario::builtin().len());
        let mut data = Vec::new();
        list(&mut data, true).unwrap();
        let data: Vec<serde_json::Value> = serde_json::from_slice(&data).unwrap();
        assert_eq!(data[0]["expect"], "rolled-back");
    }

    /// The config lands in the folder whole, and says at the end what truly happened.
    #[tokio::test]
    async fn the_lines_say_where_everything_is() {
        let dir = tempfile::tempdir().unwrap();
        let scenario = Scenario::find("healthy").unwrap();
        let lab = Lab::start(scenario.clone(), 1).await.unwrap();
        let args = Line::parse_from(["lab"]).args;
        let file = write_config(&lab, dir.path()).unwrap();
        assert!(std::fs::read_to_string(&file).unwrap().contains(&lab.admin_url()));
        let mut text = Vec::new();
        begin(&mut text, &lab, &scenario, &args, &file, false).unwrap();
        let event =
            LabEvent { at: Duration::from_millis(6_240), service: "checkout".into(), text: "is fine".into() };
        show(&mut text, &event, false).unwrap();
        finish(&mut text, &lab.facts(), false).unwrap();
        let text = String::from_utf8(text).unwrap();
        assert!(text.contains("checkout") && text.contains(&lab.admin_url()), "{text}");
        assert!(text.contains("     6.24 s  checkout   is fine\n"), "{text}");
        assert!(text.contains("The lab has stopped."), "{text}");
    }
}
