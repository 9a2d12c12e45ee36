//! What is read in a runbook, with the line of everything, and what is wrong with it.

use std::collections::BTreeMap;
use std::io::Write;

use serde_json::{Value, json};

use super::plain;
use crate::model::units::human;
use crate::runbook::{
    Anchor, Command, Counts, Item, Kind, Offer, Param, Problem, RecordKind, Runbook, Section, Tier, Window,
    WindowForm,
};

type Read = (String, Result<Runbook, String>);

fn counts_line(counts: &Counts) -> String {
    let Counts { sections_with_items, nested, fences_bound, fences_offered, .. } = counts;
    let count = |number: usize, what: &str| {
        if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
    };
    format!(
        "{} ({sections_with_items} with items), {} ({nested} nested), {}, {} ({fences_bound} bound, {fences_offered} offered), \
         {}, {}",
        count(counts.sections, "section"),
        count(counts.items, "item"),
        count(counts.windows, "window"),
        count(counts.fences, "fence"),
        count(counts.errors, "error"),
        count(counts.warnings, "warning"),
    )
}

/// The answer as one JSON object.
pub(super) fn json(read: &[Read], out: &mut dyn Write) -> anyhow::Result<()> {
    let files: Vec<Value> = read
        .iter()
        .map(|(file, result)| match result {
            Ok(runbook) => file_json(file, runbook),
            Err(error) => Ok(json!({ "file": file, "ok": false, "error": error })),
        })
        .collect::<Result<_, _>>()?;
    let ok = read.iter().all(|(_, result)| result.as_ref().is_ok_and(|runbook| !runbook.has_errors()));
    writeln!(out, "{}", serde_json::to_string_pretty(&json!({ "ok": ok, "files": files }))?)?;
    Ok(())
}

fn file_json(file: &str, runbook: &Runbook) -> serde_json::Result<Value> {
    let mut value = serde_json::to_value(runbook)?;
    value["file"] = json!(file);
    value["ok"] = json!(!runbook.has_errors());
    value["counts"] = serde_json::to_value(runbook.counts())?;
    Ok(value)
}

/// The answer for people: the structure on `out`, and what cannot be read on `err`.
pub(super) fn text(read: &[Read], out: &mut dyn Write, err: &mut dyn Write) -> anyhow::Result<()> {
    let mut is_first = true;
    for (file, result) in read {
        if !is_first {
            writeln!(out)?;
        }
        is_first = false;
        match result {
            Ok(runbook) => one(file, runbook, out)?,
            Err(error) => writeln!(err, "{error}")?,
        }
    }
    Ok(())
}

fn one(file: &str, runbook: &Runbook, out: &mut dyn Write) -> anyhow::Result<()> {
    let tier = match runbook.tier {
        Tier::Tasks => "tasks are its items",
        Tier::Steps => "numbered steps are its items",
        Tier::Headings => "headings are its items",
    };
    let title = runbook.title.as_ref().map_or_else(String::new, |title| format!("{}, ", plain(title)));
    writeln!(out, "{}: {title}{tier}", plain(file))?;
    let mut lines: Vec<(usize, String)> = Vec::new();
    for (index, section) in runbook.sections.iter().enumerate() {
        lines.push((section.line, section_line(section)));
        for item in runbook.items.iter().filter(|item| item.section == index) {
            lines.push((item.line, item_line(runbook, item)));
            for command in &item.commands {
                lines.push((command.line, format!("    fence {}, of {}", fence(command), item.id)));
            }
        }
    }
    for command in &runbook.unbound {
        lines.push((command.line, format!("    fence {}, of no item", fence(command))));
    }
    // As in the file; a section stands before its items, which may stand in its own line.
    lines.sort_by_key(|(line, _)| *line);
    for (line, text) in lines {
        writeln!(out, "{line:>5}  {}", plain(&text))?;
    }
    for problem in &runbook.problems {
        writeln!(out, "{}", plain(&shown(file, problem)))?;
    }
    writeln!(out, "{}", counts_line(&runbook.counts()))?;
    Ok(())
}

fn shown(file: &str, problem: &Problem) -> String {
    if problem.file.is_some() { problem.to_string() } else { format!("{file}:{problem}") }
}

fn section_line(section: &Section) -> String {
    let mut parts = vec![format!("{} {}", "#".repeat(usize::from(section.level).max(1)), section.title)];
    parts.push(section.id.clone());
    if let Some(window) = &section.window {
        parts.push(window_words(window, section.anchor));
    }
    if let Some(every) = section.every {
        parts.push(format!("every {}", human(every)));
    }
    if section.pause {
        parts.push("pause".to_owned());
    }
    if section.strict {
        parts.push("strict order".to_owned());
    }
    parts.extend(section.when.as_ref().map(|when| format!("when {when}")));
    parts.extend(section.role.as_ref().map(|role| format!("role {role}")));
    parts.extend(section.escalate.as_ref().map(|to| format!("escalates to {}@{}", to.policy, to.level)));
    parts.join(" | ")
}

/// A window with what it is counted from: `5 m to 15 m after the declaration, warns at 13 m`.
pub(super) fn window_words(window: &Window, anchor: Anchor) -> String {
    let anchor = match anchor {
        Anchor::Declared => "the declaration",
        Anchor::Resolved => "the resolution",
        Anchor::Section => "its begin",
        Anchor::Detected => "the detection",
    };
    let zero = |time: std::time::Duration| if time.is_zero() { "0".to_owned() } else { human(time) };
    let words = match (window.lead.is_zero(), window.until) {
        (false, Some(until)) if until.is_zero() => format!("from {} before {anchor}", human(window.lead)),
        (false, until) => {
            let until = until.map_or_else(String::new, |until| format!(" to {} after it", zero(until)));
            format!("from {} before {anchor}{until}", human(window.lead))
        }
        (true, None) => format!("from {} after {anchor}", zero(window.from)),
        (true, Some(until)) if window.form == WindowForm::Within || window.form == WindowForm::Budget => {
            format!("within {} of {anchor}", human(until))
        }
        (true, Some(until)) => format!("{} to {} after {anchor}", zero(window.from), human(until)),
    };
    match window.warn_at {
        Some(at) => format!("{words}, warns at {}", zero(at)),
        None => words,
    }
}

fn item_line(runbook: &Runbook, item: &Item) -> String {
    let mut depth = 1;
    let mut outer = item.parent;
    while let Some(index) = outer {
        depth += 1;
        outer = runbook.items[index].parent;
    }
    let mut parts = vec![
        format!("{}{}", "  ".repeat(depth), item.text),
        item.id.to_string(),
        item.kind.word().to_owned(),
    ];
    parts.extend(kind_words(runbook, &item.kind));
    let flags = [
        ("critical", item.critical),
        ("latch", item.latch),
        ("not counted", !item.countable),
        ("ticked in source", item.ticked_in_source),
    ];
    parts.extend(flags.into_iter().filter(|(_, is_set)| *is_set).map(|(flag, _)| flag.to_owned()));
    parts.extend(item.when.as_ref().map(|when| {
        let held = item.when_held;
        if held.is_zero() { format!("when {when}") } else { format!("when {when} for {}", human(held)) }
    }));
    if let Some(window) = &item.window {
        parts.push(window_words(window, runbook.sections[item.section].anchor));
    }
    parts.extend(item.within.map(|within| format!("within {}", human(within))));
    parts.extend(item.role.as_ref().map(|role| format!("role {role}")));
    parts.extend(item.defer.as_ref().map(|defer| format!("defers to {defer}")));
    parts.extend(item.escalate.as_ref().map(|to| format!("escalates to {}@{}", to.policy, to.level)));
    parts.join(" | ")
}

/// An action with its parameters, as it is written.
fn deed(action: &str, params: &BTreeMap<String, Param>) -> String {
    let mut words = action.to_owned();
    for (key, param) in params {
        let value = match param {
            Param::Literal(text) => text.clone(),
            Param::Record(name) => format!("${name}"),
            Param::Live(path) => path.to_string(),
        };
        words = format!("{words} {key}={value}");
    }
    words
}

/// What settles an item, beyond its kind.
pub(super) fn kind_words(runbook: &Runbook, kind: &Kind) -> Option<String> {
    let held = |held: &std::time::Duration| {
        if held.is_zero() { String::new() } else { format!(" for {}", human(*held)) }
    };
    Some(match kind {
        Kind::Manual => return None,
        Kind::Sensed { sense, held: time, auto } => {
            let auto = if *auto { ", done by itself" } else { "" };
            format!("{sense}{}{auto}", held(time))
        }
        Kind::Action { action, params, verify, held: time, verify_within, timeout, retries, undo } => {
            let mut words = deed(action, params);
            if let Some(verify) = verify {
                let within = human(*verify_within);
                words = format!("{words}, verified by {verify}{} within {within}", held(time));
            }
            if let Some(timeout) = timeout {
                words = format!("{words}, not known after {}", human(*timeout));
            }
            match retries {
                0 => {}
                1 => words.push_str(", again once"),
                times => words = format!("{words}, again {times} times"),
            }
            if let Some(undo) = undo {
                words = format!("{words}, taken back by {}", deed(&undo.action, &undo.params));
            }
            words
        }
        Kind::Decision { options, held: time, auto } => {
            let ids: Vec<_> = options.iter().map(|option| runbook.items[*option].id.as_str()).collect();
            let auto = if *auto { ", chosen by itself" } else { "" };
            format!("one of {}{}{auto}", ids.join(", "), held(time))
        }
        Kind::Wait { time } => human(*time),
        Kind::Hold { hold, held: time } => format!("{hold}{}", held(time)),
        Kind::Record { name, value } => {
            let value = match value {
                RecordKind::Text => "text".to_owned(),
                RecordKind::Number => "number".to_owned(),
                RecordKind::Time => "time".to_owned(),
                RecordKind::Choice { choices } => format!("one of {}", choices.join(", ")),
            };
            format!("${name}, {value}")
        }
        Kind::Cadence { every } => format!("every {}", human(*every)),
    })
}

fn fence(command: &Command) -> String {
    let language = command.language.as_deref().unwrap_or("without a language");
    let offer = match &command.offered {
        Offer::Offered => "offered".to_owned(),
        Offer::Inspect => "to look at".to_owned(),
        Offer::Never => "never offered".to_owned(),
        Offer::Refused(why) => format!("refused: {why}"),
    };
    format!("{language}, {offer}")
}
