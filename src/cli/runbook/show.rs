//! A runbook as the person sees it who works by it.

use std::io::Write;

use super::check::{kind_words, window_words};
use super::plain;
use crate::runbook::{Item, Kind, Level, Offer, Runbook};

/// Prints the checklist.
pub(super) fn text(
    file: &str,
    runbook: &Runbook,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> anyhow::Result<()> {
    writeln!(out, "{}", plain(runbook.title.as_deref().unwrap_or(&runbook.name)))?;
    for note in &runbook.notes {
        indented(out, 2, note)?;
    }
    let title = runbook.title.as_deref();
    for section in &runbook.sections {
        // The title of the document stands above already.
        let is_title = section.level == 1
            && title == Some(section.title.as_str())
            && section.window.is_none()
            && section.every.is_none()
            && !section.pause;
        if !is_title && section.level > 0 {
            let mut heading = section.title.clone();
            if let Some(window) = &section.window {
                heading = format!("{heading}  ({})", window_words(window, section.anchor));
            }
            if let Some(every) = section.every {
                heading = format!("{heading}  (every {})", crate::model::units::human(every));
            }
            if section.pause {
                heading.push_str("  [pause]");
            }
            writeln!(out, "\n{}", plain(&heading))?;
        }
        for note in &section.notes {
            indented(out, 2, note)?;
        }
        items(runbook, &section.items, 2, out)?;
    }
    let errors = runbook.problems.iter().filter(|problem| problem.level == Level::Error).count();
    if errors > 0 {
        let them = if errors == 1 { "an error" } else { "errors" };
        writeln!(err, "it has {them} and cannot be used; `unship runbook check {}` says where", plain(file))?;
    }
    Ok(())
}

/// Items beside each other, with the label of each group above its first.
fn items(runbook: &Runbook, list: &[usize], indent: usize, out: &mut dyn Write) -> anyhow::Result<()> {
    let mut group = None;
    for item in list.iter().map(|index| &runbook.items[*index]) {
        if item.group != group {
            group.clone_from(&item.group);
            if let Some(label) = &item.group {
                let window = item.window.as_ref().map_or_else(String::new, |window| {
                    format!("  ({})", window_words(window, runbook.sections[item.section].anchor))
                });
                writeln!(out, "{:indent$}{}{window}", "", plain(label))?;
            }
        }
        show(runbook, item, indent, out)?;
    }
    Ok(())
}

fn show(runbook: &Runbook, item: &Item, indent: usize, out: &mut dyn Write) -> anyhow::Result<()> {
    let mark = match (&item.kind, item.countable) {
        (_, false) => " - ",
        (Kind::Action { .. }, _) => "[>]",
        (Kind::Sensed { .. } | Kind::Hold { .. }, _) => "[~]",
        (Kind::Decision { .. }, _) => "[?]",
        _ => "[ ]",
    };
    let critical = if item.critical { "  (critical)" } else { "" };
    writeln!(out, "{:indent$}{mark} {}{critical}", "", plain(&item.text))?;
    let inner = indent + 4;
    if let Some(words) = kind_words(runbook, &item.kind) {
        writeln!(out, "{:inner$}{}: {}", "", item.kind.word(), plain(&words))?;
    }
    if let Some(when) = &item.when {
        writeln!(out, "{:inner$}when {}", "", plain(&when.to_string()))?;
    }
    for note in &item.notes {
        indented(out, inner, note)?;
    }
    for command in &item.commands {
        let sign = if command.offered == Offer::Offered { "$ " } else { "  " };
        for line in command.text.lines() {
            writeln!(out, "{:inner$}{sign}{}", "", plain(line))?;
        }
        if let Offer::Refused(why) = &command.offered {
            writeln!(out, "{:inner$}  ({})", "", plain(why))?;
        }
    }
    items(runbook, &item.children, inner, out)
}

fn indented(out: &mut dyn Write, indent: usize, text: &str) -> anyhow::Result<()> {
    for line in text.lines() {
        writeln!(out, "{:indent$}{}", "", plain(line))?;
    }
    Ok(())
}
