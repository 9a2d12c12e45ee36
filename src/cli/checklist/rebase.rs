//! `unship checklist rebase`: a runbook was changed while it is worked through, and the run goes on with the text as it is.

use std::fmt::Write as _;

use serde_json::json;

use super::super::output::{note, out, print_json};
use super::super::{Exit, Global, act, incident, session};
use crate::engine::checklist::{ChangedLine, Difference, Run, asking, difference};
use crate::engine::runtime::Lead;
use crate::model::command::Command;

/// Exit codes: 0 taken over, or shown; 1 there is nothing to take over; 5 refused.
pub(super) async fn run(
    id: Option<&str>,
    runbook: Option<&str>,
    dry_run: bool,
    global: &Global,
) -> anyhow::Result<Exit> {
    let (loaded, view) = incident::look(global).await?;
    let incident = match incident::find(&view, id) {
        Ok(incident) => incident,
        Err(exit) => return Ok(exit),
    };
    let runs: Vec<&Run> = view.state.runs_of(&incident.id).into_iter().filter(|run| !run.closed).collect();
    let is_meant = |run: &&&Run| runbook.is_none_or(|name| run.runbook.as_str() == name);
    let mut changed = runs.iter().filter(is_meant).filter_map(|run| {
        let text = loaded.runbooks.get(&run.runbook)?;
        Some((*run, text, difference(run, text)?))
    });
    let Some((run, text, difference)) = changed.next() else {
        let names: Vec<&str> = runs.iter().map(|run| run.runbook.as_str()).collect();
        match runbook {
            Some(name) if !names.contains(&name) => {
                note!("`{name}` is not worked through in {}; runbooks: {}", incident.id, names.join(", "));
            }
            _ => note!("nothing to take over: {} has the text that is on disk", names.join(", ")),
        }
        return Ok(Exit::Error);
    };
    if let (Some((other, ..)), None) = (changed.next(), runbook) {
        note!("{} and {} have changed; name one", run.runbook, other.runbook);
        return Ok(Exit::Error);
    }
    if global.json && dry_run {
        print_json(&json!({"run": run.id, "difference": difference}))?;
    } else if !global.json {
        out!("{}", shown(run, &difference).trim_end());
    }
    if dry_run {
        return Ok(Exit::Fine);
    }
    let by = session::actor(global)?;
    let command = Command::Rebase(asking(run, text));
    let engine = session::start(&loaded, "command", Lead::Auto).await?;
    act::deliver(engine, &loaded, by, command, global).await
}

/// What differs, a line an item.
fn shown(run: &Run, difference: &Difference) -> String {
    let Difference { kept, changed, added, removed } = difference;
    let mut text = format!("{}: {kept} as they were\n", run.id);
    let mut lines = |mark: &str, lines: &[ChangedLine], after: &dyn Fn(&ChangedLine) -> String| {
        for line in lines {
            let _ = writeln!(text, "  {mark} {}: {}{}", line.id, line.text, after(line));
        }
    };
    lines("~", changed, &|line| line.settled("open again"));
    lines("+", added, &|_| String::new());
    lines("-", removed, &|line| line.settled("kept in the record"));
    text
}
