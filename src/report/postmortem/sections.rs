//! The generated regions: the facts of a record, each with the entries it rests on.

use std::fmt::Write as _;

use jiff::civil::Weekday;
use jiff::tz::TimeZone;

use crate::model::ChannelName;
use crate::model::incident::Level;
use crate::report::Millis;
use crate::report::incident::times::Instant;
use crate::report::incident::{Record, UpdateRecord, Weight};
use crate::report::markdown::{code, counted, entry, inline, table, when};

pub(super) fn header(record: &Record) -> String {
    let mut out = format!("# {}: {}\n\n", record.id, inline(&record.title));
    if record.drill {
        out.push_str("**This was a drill.**\n\n");
    }
    let services: Vec<String> = record.services.iter().map(|service| inline(service.as_str())).collect();
    let services = if services.is_empty() { "none named".to_owned() } else { services.join(", ") };
    let worst =
        if record.worst == record.level { String::new() } else { format!(", at the worst {}", record.worst) };
    let mut facts = vec![
        ("id", record.id.to_string()),
        ("date", format!("{} UTC", when(record.opened_at))),
        ("incident", format!("{}{}", record.status.words(), reopened(record))),
        ("severity", format!("{}{worst}", record.level)),
        ("services", services),
        ("opened by", inline(&record.by)),
        ("roles", roles(record)),
    ];
    if let Some(due) = review_due(record) {
        facts.push(("review", due));
    }
    let rows: Vec<Vec<String>> = facts.into_iter().map(|(name, fact)| vec![name.to_owned(), fact]).collect();
    out.push_str(&table(&["", ""], &rows));
    out.push_str(
        "\n`#n` is entry n of the journal (`unship journal export --from n`). Times are UTC. What stands in a region whose name \
         begins with `facts:` is written again by `unship report incident`; everything else is yours.\n",
    );
    out
}

fn reopened(record: &Record) -> String {
    match record.reopened.len() {
        0 => String::new(),
        1 => ", opened again once".to_owned(),
        times => format!(", opened again {times} times"),
    }
}

fn roles(record: &Record) -> String {
    if record.roles.is_empty() {
        return "nobody took one".to_owned();
    }
    let held = record.roles.iter().map(|held| {
        let until = held.until.map_or_else(String::new, |until| format!(" until {}", when(until)));
        // Called by the role already.
        let who =
            if held.name == held.role.word() { String::new() } else { format!(": {}", inline(&held.name)) };
        format!("{}{who} since {}{until} {}", held.role, when(held.since), entry(held.seq))
    });
    held.collect::<Vec<_>>().join("; ")
}

/// Until when those who were there should have met.
fn review_due(record: &Record) -> Option<String> {
    let resolved = record.instants.resolve.as_ref()?.at.to_zoned(TimeZone::UTC).date();
    let mut day = resolved;
    match record.worst {
        Level::Sev1 => {
            for _ in 0..3 {
                day = day.tomorrow().ok()?;
            }
        }
        Level::Sev2 => {
            let mut left = 5;
            while left > 0 {
                day = day.tomorrow().ok()?;
                if !matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday) {
                    left -= 1;
                }
            }
        }
        Level::Sev3 | Level::Sev4 => return None,
    }
    let within = if record.worst == Level::Sev1 { "3 days" } else { "5 working days" };
    Some(format!("due by {day}: within {within} of the end of a {}", record.worst))
}

pub(super) fn impact(record: &Record) -> String {
    let mut out = String::new();
    if record.in_each_level.is_empty() {
        out.push_str("It was in no severity for any time.\n");
    } else {
        let rows: Vec<Vec<String>> = record
            .in_each_level
            .iter()
            .map(|spent| vec![spent.level.to_string(), minutes(spent.lasted), spent.lasted.to_string()])
            .collect();
        out.push_str(&table(&["severity", "minutes", "that is"], &rows));
    }
    if record.levels.len() > 1 {
        out.push_str("\nSeverity:\n\n");
        for set in &record.levels {
            let why =
                if set.reason.is_empty() { String::new() } else { format!(": {}", inline(&set.reason)) };
            let _ = writeln!(
                out,
                "- {} {} by {}{why} {}",
                when(set.at),
                set.level,
                inline(&set.by),
                entry(set.seq)
            );
        }
    }
    out
}

fn minutes(lasted: Millis) -> String {
    format!("{:.1}", lasted.0 as f64 / 60_000.0)
}

pub(super) fn detection(record: &Record) -> String {
    let mut out = String::new();
    for (what, instant) in [("Began", &record.instants.onset), ("Noticed", &record.instants.detect)] {
        match instant {
            Some(instant) => {
                let _ = writeln!(out, "- {what}: {}", told(instant));
            }
            None => {
                let _ = writeln!(
                    out,
                    "- {what}: not known. `unship incident onset` says when, and keeps what was said before."
                );
            }
        }
    }
    if !record.reason.is_empty() {
        let _ = writeln!(out, "- Declared for: {}", inline(&record.reason));
    }
    for alarm in &record.alarms {
        let _ = writeln!(out, "- Alarm: {}", inline(alarm));
    }
    for other in &record.merged {
        let _ = writeln!(out, "- {other} went on in this incident.");
    }
    for correction in &record.corrections {
        let before = correction.before.as_ref().map_or_else(|| "not known".to_owned(), told);
        let _ = writeln!(
            out,
            "- The beginning was corrected at {} {}; before: {before}",
            when(correction.at),
            entry(correction.seq)
        );
    }
    out
}

fn told(instant: &Instant) -> String {
    format!("{}, {} {}", when(instant.at), inline(&instant.source), entry(instant.seq))
}

pub(super) fn resolution(record: &Record) -> String {
    let mut out = String::new();
    if record.end_reason.is_empty() {
        out.push_str("It is not over.\n");
    } else {
        let _ = writeln!(out, "Ended: {}", inline(&record.end_reason));
    }
    for again in &record.reopened {
        let _ = writeln!(
            out,
            "\nOpened again at {} by {}: {} {}",
            when(again.at),
            inline(&again.by),
            inline(&again.reason),
            entry(again.seq)
        );
    }
    if record.operations.is_empty() {
        out.push_str("\nNo operation belongs to it.\n");
    } else {
        let rows: Vec<Vec<String>> = record
            .operations
            .iter()
            .map(|operation| {
                let until =
                    operation.until_traffic().map_or_else(|| "never".to_owned(), |took| took.to_string());
                let end =
                    operation.end.as_ref().map_or_else(String::new, |end| format!(" {}", entry(end.seq)));
                vec![
                    operation.id.to_string(),
                    inline(&operation.purpose),
                    format!("{} {}", when(operation.at), entry(operation.seq)),
                    format!("{}: {}", inline(&operation.by), inline(&operation.reason)),
                    until,
                    format!("{}{end}", inline(&operation.words())),
                    operation.digest.as_deref().map_or_else(String::new, code),
                ]
            })
            .collect();
        out.push('\n');
        out.push_str(&table(
            &["operation", "what", "planned", "asked for by", "traffic back after", "outcome", "digest"],
            &rows,
        ));
    }
    let other: Vec<Vec<String>> = record
        .dispatches
        .iter()
        .map(|begun| {
            let end = match begun.succeeded {
                Some(true) => format!("worked: {}", inline(&begun.detail)),
                Some(false) => format!("FAILED: {}", inline(&begun.detail)),
                None if begun.operation.is_some() => "see its operation".to_owned(),
                None => "nobody knows how it ended".to_owned(),
            };
            let operation = begun.operation.as_ref().map_or_else(String::new, ToString::to_string);
            vec![
                inline(begun.item.as_str()),
                format!("{} {}", when(begun.at), entry(begun.seq)),
                inline(&begun.by),
                operation,
                end,
                code(&begun.digest),
            ]
        })
        .collect();
    if !other.is_empty() {
        out.push_str("\nActions begun from a checklist:\n\n");
        out.push_str(&table(&["item", "when", "by", "operation", "outcome", "digest"], &other));
    }
    out
}

pub(super) fn times(record: &Record) -> String {
    let rows: Vec<Vec<String>> = record
        .instants
        .all()
        .into_iter()
        .map(|(name, instant)| match instant {
            Some(instant) => {
                vec![name.to_owned(), when(instant.at), inline(&instant.source), entry(instant.seq)]
            }
            None => vec![name.to_owned(), "not known".to_owned(), String::new(), String::new()],
        })
        .collect();
    let mut out = table(&["instant", "UTC", "from", "entry"], &rows);
    let rows: Vec<Vec<String>> = record
        .intervals
        .iter()
        .map(|measured| {
            let (from, to) = measured.metric.ends();
            vec![
                measured.metric.word().to_owned(),
                measured.metric.meaning().to_owned(),
                format!("{from} to {to}"),
                measured.interval.words(),
            ]
        })
        .collect();
    out.push('\n');
    out.push_str(&table(&["", "what", "between", "how long"], &rows));
    out
}

pub(super) fn timeline(record: &Record) -> String {
    let rows: Vec<Vec<String>> = record
        .timeline
        .iter()
        .map(|row| {
            let words = inline(&row.words);
            let (words, link) = match &row.collapsed {
                Some(of) => {
                    let until = when(of.last_at);
                    let link = format!("`#{}–{}`", row.seq, of.last_seq);
                    (format!("{} until {until}: {words}", counted(of.rows, "entry", "entries")), link)
                }
                None if row.weight == Weight::Person => (format!("**{words}**"), entry(row.seq)),
                None => (words, entry(row.seq)),
            };
            vec![when(row.at), words, inline(&row.actor), link]
        })
        .collect();
    table(&["UTC", "what", "who", "entry"], &rows)
}

pub(super) fn checklist(record: &Record) -> String {
    let mut out = String::new();
    if record.checklists.is_empty() {
        out.push_str("No checklist was worked through.\n");
    }
    for run in &record.checklists {
        let _ = writeln!(out, "### {}\n", inline(run.runbook.as_str()));
        let digest =
            if run.sha256.is_empty() { String::new() } else { format!(", text {}", code(&run.sha256)) };
        let _ = writeln!(out, "Begun {}{digest}.\n", when(run.attached_at));
        let rows: Vec<Vec<String>> = run
            .items
            .iter()
            .map(|item| {
                let took = item.took.map_or_else(String::new, |took| took.to_string());
                vec![
                    titled(item.item.as_str(), &item.title),
                    item.end.word().to_owned(),
                    inline(&item.by),
                    when(item.at),
                    took,
                    entry(item.seq),
                ]
            })
            .collect();
        out.push_str(&table(&["item", "ended as", "by", "UTC", "took", "entry"], &rows));
        for section in &run.sections {
            let how = match (section.overrun_at, section.through_at, section.late) {
                (Some(at), Some(through), _) => {
                    format!("OVERRUN at {}, through at {}", when(at), when(through))
                }
                (Some(at), None, _) => format!("OVERRUN at {}, not through", when(at)),
                (None, _, true) => "through after its time".to_owned(),
                (None, _, false) => "in time".to_owned(),
            };
            let _ = writeln!(out, "\nSection {}: {how}", inline(&section.section));
        }
        out.push('\n');
    }
    out.push_str("### Deviations\n\n");
    if record.deviations.is_empty() {
        out.push_str("None.\n");
    } else {
        let rows: Vec<Vec<String>> = record
            .deviations
            .iter()
            .map(|left| {
                vec![
                    when(left.at),
                    left.kind.words().to_owned(),
                    titled(&left.what, &left.title),
                    inline(&left.by),
                    inline(&left.reason),
                    entry(left.seq),
                ]
            })
            .collect();
        out.push_str(&table(&["UTC", "how", "what", "who", "why", "entry"], &rows));
    }
    out
}

/// What an item says, with its id.
fn titled(id: &str, title: &str) -> String {
    if title.is_empty() { inline(id) } else { format!("{} ({})", inline(title), code(id)) }
}

pub(super) fn communications(record: &Record) -> String {
    let mut out = String::new();
    for escalation in &record.escalations {
        let _ = writeln!(
            out,
            "### Escalation by {}, begun {}: {} {}\n",
            inline(escalation.policy.as_str()),
            when(escalation.began_at),
            inline(&escalation.reason),
            entry(escalation.seq)
        );
        let rows: Vec<Vec<String>> = escalation
            .happened
            .iter()
            .map(|happened| vec![when(happened.at), inline(&happened.what.words()), entry(happened.seq)])
            .collect();
        out.push_str(&table(&["UTC", "what", "entry"], &rows));
        out.push('\n');
    }
    if !record.updates.is_empty() {
        out.push_str("### Told to those who wait\n\n");
        let rows: Vec<Vec<String>> = record.updates.iter().map(update).collect();
        out.push_str(&table(&["UTC", "whom", "text", "by", "next promised", "entry"], &rows));
        out.push('\n');
    }
    if record.messages.is_empty() {
        out.push_str("### Messages\n\nNone was queued.\n");
        return out;
    }
    let missed = record.missed().count();
    let _ = writeln!(
        out,
        "### Messages\n\n{}, {missed} not accepted. Accepted means that the channel took it; that somebody read it only an acknowledgement says.\n",
        counted(record.messages.len(), "message", "messages")
    );
    let rows: Vec<Vec<String>> = record
        .messages
        .iter()
        .map(|message| {
            vec![
                when(message.at),
                format!("{} ({})", inline(message.channel.as_str()), message.kind.word()),
                inline(&message.text),
                inline(&message.end.words()),
                entry(message.seq),
            ]
        })
        .collect();
    out.push_str(&table(&["UTC", "channel", "text", "what became of it", "entry"], &rows));
    out
}

fn update(update: &UpdateRecord) -> Vec<String> {
    let text = match update.missed {
        Some(due) => format!("**MISSED: one was due at {}**", when(due)),
        None => inline(&update.text),
    };
    let channels: Vec<&str> = update.channels.iter().map(ChannelName::as_str).collect();
    let by = if channels.is_empty() { String::new() } else { format!(" by {}", channels.join(", ")) };
    vec![
        when(update.at),
        update.audience.word().to_owned(),
        text,
        inline(&format!("{}{by}", update.by)),
        update.next.map_or_else(String::new, when),
        entry(update.seq),
    ]
}

pub(super) fn runbook(record: &Record) -> String {
    let mut out = String::new();
    for run in &record.checklists {
        for item in &run.items {
            for note in &item.notes {
                let _ = writeln!(
                    out,
                    "- {}, {}: {} ({}) {}",
                    inline(run.runbook.as_str()),
                    titled(item.item.as_str(), &item.title),
                    inline(&note.text),
                    inline(&note.by),
                    entry(note.seq)
                );
            }
        }
    }
    if out.is_empty() {
        return "Nobody wrote anything beside an item.\n".to_owned();
    }
    format!("Written beside items while they were worked on:\n\n{out}")
}

pub(super) fn evidence(record: &Record) -> String {
    let journal = &record.journal;
    let hash = if journal.hash.is_empty() { "not known".to_owned() } else { code(&journal.hash) };
    format!(
        "Made from the journal up to entry {} of {} UTC; its hash is {hash}. `unship journal verify` checks that nothing before it was changed.\n",
        entry(journal.seq),
        when(journal.at)
    )
}
