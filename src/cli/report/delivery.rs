//! `unship report delivery`: DORA's measures, the times of incidents, and the objectives, over a time.

use std::fmt::Write as _;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::super::output::{note, out, print_json, table};
use super::super::session;
use super::{Exit, Global, read};
use crate::config::Loaded;
use crate::model::{ServiceName, Span};
use crate::report::delivery::measures::{LEAD_FROM, RECOVERY_FROM};
use crate::report::delivery::{Delivery, Measures, Period, Recorder, RunbookMeasures};

#[derive(clap::Args, Clone, Debug)]
pub(super) struct Args {
    /// Begin here: a date like `2026-11-01` (UTC), a time, or so long ago, like `30d`.
    #[arg(long, value_name = "WHEN", default_value = "30d")]
    from: String,
    /// End here, in the same forms; a date is whole. Without it: now.
    #[arg(long, value_name = "WHEN")]
    to: Option<String>,
    /// Only this service.
    #[arg(long, value_name = "SERVICE")]
    service: Option<String>,
}

pub(super) async fn run(args: &Args, loaded: &Loaded, global: &Global) -> anyhow::Result<Exit> {
    if let Some(service) = &args.service
        && !session::has_service(loaded, service)
    {
        return Ok(Exit::Usage);
    }
    let now = Timestamp::now();
    let asked = match period(&args.from, args.to.as_deref(), now) {
        Ok(asked) => asked,
        Err(why) => {
            note!("{why}");
            return Ok(Exit::Usage);
        }
    };
    let only: Option<ServiceName> = args.service.as_deref().map(ServiceName::from);
    let mut recorder = Recorder::default();
    read(&loaded.journal_path, |entry| recorder.take(entry)).await?;
    let delivery = recorder.finish(asked, only.as_ref(), now);
    if global.json {
        print_json(&serde_json::to_value(&delivery)?)?;
    } else {
        out!("{}", shown(&delivery).trim_end());
    }
    Ok(Exit::Fine)
}

/// The period that was asked for.
pub(super) fn period(from: &str, to: Option<&str>, now: Timestamp) -> Result<Period, String> {
    let begin = instant("--from", from, now, false)?;
    let end = to.map_or(Ok(now), |to| instant("--to", to, now, true))?;
    if begin >= end {
        return Err(format!(
            "`--from {from}` is not before its end; give an earlier `--from` or a later `--to`"
        ));
    }
    Ok(Period { from: begin, to: end })
}

fn instant(option: &str, text: &str, now: Timestamp, is_end: bool) -> Result<Timestamp, String> {
    let text = text.trim();
    let wrong = || {
        format!(
            "`{option} {text}` is no time; write a date like `2026-11-01`, a time like `2026-11-01T08:00:00Z`, or so long ago like `30d`"
        )
    };
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    if let Ok(date) = text.parse::<Date>() {
        let day = if is_end { date.tomorrow().map_err(|_| wrong())? } else { date };
        return Ok(day.to_zoned(TimeZone::UTC).map_err(|_| wrong())?.timestamp());
    }
    let ago: Span = text.parse().map_err(|_| wrong())?;
    now.checked_sub(*ago).map_err(|_| wrong())
}

fn shown(delivery: &Delivery) -> String {
    let mut text = format!("delivery from {:.0} to {:.0}\n", delivery.asked.from, delivery.asked.to);
    measures(&mut text, &delivery.all);
    for service in &delivery.services {
        // Of one service alone it would be the same again.
        if delivery.services.len() > 1 {
            measures(&mut text, service);
        }
    }
    for book in &delivery.runbooks {
        runbook(&mut text, book);
    }
    if !delivery.notes.is_empty() {
        text.push_str("\nwhat the journal cannot know\n");
    }
    for note in &delivery.notes {
        let _ = writeln!(text, "  {note}");
    }
    text
}

fn measures(text: &mut String, measures: &Measures) {
    let name = measures.service.as_ref().map_or("all services", ServiceName::as_str);
    let made = &measures.deployments;
    let _ = write!(text, "\n{name}: deployments\n");
    let per_week = match (made.per_week, made.frequency) {
        (Some(per_week), Some(word)) => format!("{per_week:.1} a week, {word}"),
        _ => "no data".to_owned(),
    };
    let counts = format!(
        "planned {}, hotfixes {}, rollbacks {}; completed {}, withdrawn {}, going on {}",
        made.planned, made.hotfixes, made.rollbacks, made.completed, made.withdrawn, made.going
    );
    let mut not_the_cause = String::new();
    if made.not_the_cause > 0 {
        not_the_cause = format!("; {} left out, where the release was not the cause", made.not_the_cause);
    }
    rows(
        text,
        vec![
            ["counted".to_owned(), counts, String::new()],
            ["deployment frequency".to_owned(), per_week, "completed deployments".to_owned()],
            ["change lead time".to_owned(), made.lead.words(), LEAD_FROM.to_owned()],
            [
                "change fail rate".to_owned(),
                made.change_fail_rate.words(),
                "failed of the planned deployments".to_owned(),
            ],
            [
                "failed deployment recovery".to_owned(),
                format!("{}{not_the_cause}", made.recovery.words()),
                RECOVERY_FROM.to_owned(),
            ],
            [
                "deployment rework rate".to_owned(),
                made.rework_rate.words(),
                "rollbacks and hotfixes of all deployments".to_owned(),
            ],
            [
                "deployment success".to_owned(),
                made.success_rate.words(),
                "live and kept, of those that ended".to_owned(),
            ],
            [
                "deployment time".to_owned(),
                made.deployment_time.words(),
                "from first traffic to all of it".to_owned(),
            ],
            [
                "rollback time".to_owned(),
                made.rollback_time.words(),
                "from planned to all traffic back".to_owned(),
            ],
        ],
    );
    let incidents = &measures.incidents;
    let _ = write!(text, "\n{name}: incidents\n");
    let levels: Vec<String> =
        incidents.by_level.iter().map(|(level, count)| format!("{count} {level}")).collect();
    let levels = if levels.is_empty() { String::new() } else { format!(" ({})", levels.join(", ")) };
    let counts = format!(
        "declared {}{levels}, open {}, opened again {}",
        incidents.n, incidents.open, incidents.reopened
    );
    let apart = format!(
        "false alarms {}, merged {}, only suspected {}, drills {}",
        incidents.false_alarms, incidents.merged, incidents.suspected, incidents.drills
    );
    let mut table = vec![
        ["counted".to_owned(), counts, String::new()],
        ["counted apart".to_owned(), apart, "in no figure below but the alert accuracy".to_owned()],
    ];
    for time in &incidents.times {
        let (from, to) = time.metric.ends();
        let name = format!("{} {}", time.metric.word(), time.metric.meaning());
        table.push([name, time.figures.words(), format!("{from} to {to}")]);
    }
    table.push(["response".to_owned(), incidents.response.words(), "declared to acknowledged".to_owned()]);
    if let Some(between) = &incidents.between {
        table.push([
            "between incidents".to_owned(),
            between.words(),
            "resolved to the next onset".to_owned(),
        ]);
    }
    table.push([
        "alert accuracy".to_owned(),
        incidents.alert_accuracy.words(),
        "no false alarm, of what the engine raised and has ended".to_owned(),
    ]);
    rows(text, table);
    let _ = write!(text, "\n{name}: objectives\n");
    let objectives = measures.objectives.iter();
    let objectives = objectives.map(|objective| {
        [
            objective.name.to_owned(),
            format!("{} {}", objective.limit, objective.verdict.words()),
            objective.value.clone(),
        ]
    });
    rows(text, objectives.collect());
}

fn runbook(text: &mut String, book: &RunbookMeasures) {
    let _ = write!(text, "\nchecklist {}, runs {}\n", book.runbook, book.runs);
    let sections = book.sections.iter().map(|section| {
        [
            format!("section {}", section.section),
            format!("overrun {}", section.overruns.words()),
            String::new(),
        ]
    });
    let items = book.items.iter().map(|item| {
        let mut left = Vec::new();
        for (word, ratio) in [
            ("overridden", &item.overridden),
            ("deferred", &item.deferred),
            ("not applicable", &item.not_applicable),
        ] {
            if ratio.part > 0 {
                left.push(format!("{word} {}", ratio.words()));
            }
        }
        for (word, count) in [
            ("regressions", item.regressions),
            ("confirmed unseen", item.unsensed),
            ("refused as not so", item.disagreements),
        ] {
            if count > 0 {
                left.push(format!("{word} {count}"));
            }
        }
        [item.item.to_string(), item.took.words(), left.join(", ")]
    });
    rows(text, sections.chain(items).collect());
}

fn rows(text: &mut String, rows: Vec<[String; 3]>) {
    let rows: Vec<Vec<String>> = rows.into_iter().map(Vec::from).collect();
    for line in table(&rows).lines() {
        let _ = writeln!(text, "  {line}");
    }
}
