//! Everything about one service: how it is and why, its releases' traffic, what it depends on, every indicator, probe and
//! trigger, and what may keep it from being rolled back.

use std::time::Duration;

use jiff::Timestamp;
use ratatui::text::{Line, Span};

use super::sheet::{Sheet, Writer};
use super::why::write_finding;
use crate::engine::ServiceState;
use crate::engine::account::traffic;
use crate::engine::state::Freeze;
use crate::engine::{baseline, evidence};
use crate::model::probe::ProbeOutcome;
use crate::model::reading::{IndicatorReading, ServiceReading};
use crate::model::release::Arm;
use crate::model::trigger::{Condition as Rule, Evaluation, Status, TriggerAction, Verdict};
use crate::model::units::human;
use crate::model::{ServiceName, Unit};
use crate::tui::roster::{Condition, age};
use crate::tui::scene::Scene;
use crate::tui::signs::Sign;
use crate::tui::theme::Tone;
use crate::tui::widgets::spark::{self, Spark};
use crate::tui::widgets::table::Column;
use crate::tui::widgets::text;

/// Columns of a sparkline, and seconds of data in each.
const SPARK: (u16, usize) = (20, 6);

/// Writes it.
pub(super) fn write<'a>(of: &ServiceName, scene: &Scene<'a>, columns: usize) -> Sheet<'a> {
    let mut page = Writer::new(scene.look(), columns);
    let known = scene.state().service(of);
    let reading = scene.view().readings.get(of).map(|(_, reading)| reading.as_ref());
    verdict(&mut page, of, known, scene);
    if let Some(known) = known {
        attention(&mut page, known, scene);
    }
    releases(&mut page, of, known, reading, scene);
    dependencies(&mut page, of, reading, scene);
    if let Some(reading) = reading {
        indicators(&mut page, of, reading, scene);
        probes(&mut page, reading, scene);
        triggers(&mut page, reading, scene);
        judge(&mut page, reading);
    }
    baseline(&mut page, of, known, scene);
    if let Some(known) = known.filter(|known| !known.findings.is_empty()) {
        page.heading("findings");
        for finding in known.findings.values() {
            write_finding(&mut page, finding, scene);
        }
    }
    guard(&mut page, of, known, scene);
    Sheet { stale: scene.stale_words(of), ..Sheet::new(scene.titled("Service", of.as_str()), page.finish()) }
}

/// How it is, since when, and why.
fn verdict(page: &mut Writer<'_>, of: &ServiceName, known: Option<&ServiceState>, scene: &Scene<'_>) {
    let look = page.look;
    let sign = Sign::condition(scene.condition(of), look.glyphs);
    let since = known.and_then(|known| known.verdict.as_ref()).map_or_else(String::new, |(_, since)| {
        format!("since {}, {}", scene.moment(*since), text::age(age(*since, scene.now())))
    });
    let verdict = scene.verdict(of);
    // What was known and is too old is told as what it was.
    let words = match (verdict, scene.stale_words(of)) {
        (Some(verdict), Some(stale)) if !matches!(verdict, Verdict::Unknown { .. }) => {
            format!("{}: {stale}; it was {}", sign.word, verdict.word())
        }
        (_, Some(stale)) => format!("{}: {stale}", sign.word),
        (_, None) => sign.word.to_owned(),
    };
    page.both_ends(
        vec![Span::raw("  "), sign.saying(look, &words)],
        Span::styled(since, look.style(Tone::Dim)),
    );
    for reason in verdict.map(Verdict::reasons).unwrap_or_default() {
        page.bullet(&Span::styled(look.glyphs.separator, look.style(Tone::Dim)), Tone::Text, reason);
    }
}

/// What a person has to know before anything else.
fn attention(page: &mut Writer<'_>, known: &ServiceState, scene: &Scene<'_>) {
    let look = page.look;
    if let Some(operation) = known.operation.as_ref().and_then(|id| scene.state().operation(id)) {
        let sign = Sign::operation(operation, look.glyphs);
        let words = format!("{}: {}, {}", operation.id, operation.plan.purpose, sign.word);
        page.bullet(&sign.mark(look), sign.tone, &words);
    }
    if let Some(why) = &known.needs_person {
        let mark = Span::styled(look.glyphs.warn, look.style(Tone::Warn));
        page.bullet(&mark, Tone::Warn, &format!("needs a person: {why}"));
    }
    if let Some(fault) = &known.platform_fault {
        let mark = Span::styled(look.glyphs.warn, look.style(Tone::Warn));
        let since = scene.moment(fault.since);
        page.bullet(
            &mark,
            Tone::Warn,
            &format!("the platform cannot be read since {since}: {}", fault.reason),
        );
    }
}

/// Where the traffic goes, and how each arm is.
fn releases(
    page: &mut Writer<'_>,
    of: &ServiceName,
    known: Option<&ServiceState>,
    reading: Option<&ServiceReading>,
    scene: &Scene<'_>,
) {
    let look = page.look;
    page.heading("releases");
    let Some((known, inventory)) = known.and_then(|known| Some((known, known.inventory.as_ref()?))) else {
        page.text(Tone::Dim, "The platform has not been read yet.");
        return;
    };
    page.field("traffic", Tone::Text, &traffic(inventory));
    for arm in Arm::ALL {
        let Some(release) = inventory.on_arm(arm) else { continue };
        let journaled = known.arms.get(&arm).map(|(verdict, _)| verdict);
        let verdict = reading.and_then(|reading| reading.arms.get(&arm)).or(journaled);
        let condition = match verdict {
            Some(verdict) if !scene.is_stale(of) => Condition::of(verdict),
            _ => Condition::Unknown,
        };
        let sign = Sign::condition(condition, look.glyphs);
        let tone = if arm == Arm::Canary { Tone::Canary } else { Tone::Stable };
        let since = known
            .arms_since
            .get(&arm)
            .map_or_else(String::new, |since| format!("  for {}", text::age(age(*since, scene.now()))));
        let mut spans = vec![
            Span::styled(format!("{}  ", release.version), look.style(tone)),
            sign.span(look),
            Span::styled(since, look.style(Tone::Dim)),
        ];
        if let Some(reason) = verdict.and_then(|verdict| verdict.reasons().first()) {
            spans.push(Span::raw(format!("  {reason}")));
        }
        page.field_line(arm.word(), spans);
    }
    let mut platform = match scene.config().services.get(of) {
        Some(spec) => vec![spec.platform.kind().to_owned()],
        None => Vec::new(),
    };
    platform.push(if known.platform_fault.is_some() { "cannot be read" } else { "readable" }.to_owned());
    platform.push(if inventory.settled { "settled" } else { "changing" }.to_owned());
    if let Some(on) = inventory.maintenance {
        platform.push(format!("maintenance page {}", if on { "on" } else { "off" }));
    }
    if let Some(schema) = inventory.schema {
        platform.push(format!("database schema {schema}"));
    }
    page.field("platform", Tone::Text, &platform.join(", "));
}

/// What it needs and what needs it, by the config and by its own word.
fn dependencies(
    page: &mut Writer<'_>,
    of: &ServiceName,
    reading: Option<&ServiceReading>,
    scene: &Scene<'_>,
) {
    let look = page.look;
    let services = &scene.config().services;
    let needs: Vec<&ServiceName> =
        services.get(of).map(|spec| spec.depends_on.iter().collect()).unwrap_or_default();
    let needed: Vec<&ServiceName> =
        services.iter().filter(|(_, spec)| spec.depends_on.contains(of)).map(|(name, _)| name).collect();
    let documents = reading.into_iter().flat_map(|reading| reading.probes.values());
    let mut said: Vec<_> = documents
        .filter_map(|probe| probe.last.document.as_ref())
        .flat_map(|document| &document.dependencies)
        .collect();
    // Two probes may show the same document.
    said.dedup_by(|a, b| a.name == b.name);
    if needs.is_empty() && needed.is_empty() && said.is_empty() {
        return;
    }
    page.heading("dependencies");
    for (title, names) in [("depends on", needs), ("needed by", needed)] {
        if names.is_empty() {
            continue;
        }
        let spans = names.into_iter().flat_map(|name| {
            let sign = Sign::condition(scene.condition(name), look.glyphs);
            [Span::raw(format!("{name} ")), sign.span(look), Span::raw("   ")]
        });
        page.field_line(title, spans.collect());
    }
    for (index, dependency) in said.into_iter().enumerate() {
        let sign = Sign::health(dependency.health, look.glyphs);
        let mut spans = vec![Span::raw(format!("{} ", dependency.name)), sign.span(look)];
        if let Some(ms) = dependency.response_ms {
            spans.push(Span::raw(format!("  {}", text::value(ms, crate::model::Unit::Millis))));
        }
        if let Some(error) = &dependency.error {
            spans.push(Span::styled(format!("  {error}"), look.style(sign.tone)));
        }
        page.field_line(if index == 0 { "by its word" } else { "" }, spans);
    }
}

/// Every indicator of every arm, against the limit that is nearest, with the last minutes.
fn indicators(page: &mut Writer<'_>, of: &ServiceName, reading: &ServiceReading, scene: &Scene<'_>) {
    if reading.indicators.is_empty() {
        return;
    }
    let look = page.look;
    page.heading("indicators");
    let rows: Vec<Vec<Line<'static>>> = reading
        .indicators
        .iter()
        .map(|indicator| {
            let limit = limit(indicator, reading, scene);
            let is_beyond = |value: f64| limit.is_some_and(|(limit, above)| (value > limit) == above);
            let tone = match indicator.value {
                None => Tone::Unknown,
                Some(value) if is_beyond(value) => Tone::Fail,
                Some(_) => Tone::Text,
            };
            let value = indicator.value.unwrap_or(f64::NAN);
            let shown = match limit {
                Some((limit, true)) => indicator.unit.show(limit),
                Some((limit, false)) => format!("at least {}", indicator.unit.show(limit)),
                None => "none".to_owned(),
            };
            let limit_tone = if limit.is_some() { Tone::Limit } else { Tone::Muted };
            vec![
                Line::raw(indicator.indicator.to_string()),
                arm_cell(indicator.arm, page),
                Line::styled(text::value(value, indicator.unit), look.style(tone)),
                Line::styled(shown, look.style(limit_tone)),
                Line::raw(format!("{:.0}", indicator.samples)),
                trend(of, indicator, limit, scene),
                age_cell(Some(indicator.at), scene),
            ]
        })
        .collect();
    let columns = [
        Column::new("indicator", 8, 20, 0),
        Column::new("arm", 6, 6, 0),
        Column::new("value", 7, 10, 0).at_right(),
        Column::new("limit", 7, 16, 1).at_right(),
        Column::new("samples", 7, 9, 3).at_right(),
        Column::new("last 2 m", SPARK.0, SPARK.0, 2),
        Column::new("age", 4, 5, 2).at_right(),
    ];
    page.table(&columns, &rows);
}

/// The limit that a trigger puts on an indicator, and whether values above it are the bad ones. Of several the strictest.
fn limit(indicator: &IndicatorReading, reading: &ServiceReading, scene: &Scene<'_>) -> Option<(f64, bool)> {
    let triggers = &scene.config().triggers;
    let of_it = reading.evaluations.iter().filter(|evaluation| {
        let rule = triggers.get(&evaluation.trigger).map(|trigger| &trigger.when);
        evaluation.arm == indicator.arm
            && matches!(rule, Some(Rule::Threshold { indicator: name, .. }) if *name == indicator.indicator)
    });
    of_it
        .map(|evaluation| (evaluation.evidence.limit.value, evaluation.evidence.above))
        .reduce(|a, b| if (a.1 && b.0 < a.0) || (!a.1 && b.0 > a.0) { b } else { a })
}

/// The last two minutes: in each column the worst of its seconds.
fn trend(
    of: &ServiceName,
    indicator: &IndicatorReading,
    limit: Option<(f64, bool)>,
    scene: &Scene<'_>,
) -> Line<'static> {
    let (columns, each) = SPARK;
    let seconds = usize::from(columns) * each;
    let values = scene.picture.trends.last(of, &indicator.indicator, indicator.arm, scene.now(), seconds);
    let values: Vec<Option<f64>> =
        values.chunks(each).map(|seconds| seconds.iter().flatten().copied().reduce(f64::max)).collect();
    let above = limit.filter(|(_, above)| *above).map(|(limit, _)| limit);
    let tone = match indicator.arm {
        Some(Arm::Canary) => Tone::Canary,
        Some(Arm::Stable) => Tone::Stable,
        None => Tone::Text,
    };
    // Without a limit the largest is half the height: full columns would run into the row above.
    let largest = values.iter().flatten().copied().fold(0.0, f64::max);
    let full = above.unwrap_or(largest * 2.0);
    let spark = Spark { values: &values, full, limit: above, tone, over: Tone::Fail };
    spark::line(&spark, columns, scene.look())
}

/// Every probe's last answer.
fn probes(page: &mut Writer<'_>, reading: &ServiceReading, scene: &Scene<'_>) {
    if reading.probes.is_empty() {
        return;
    }
    let look = page.look;
    page.heading("probes");
    let rows: Vec<Vec<Line<'static>>> = reading
        .probes
        .iter()
        .map(|(name, probe)| {
            let sign = Sign::probe(&probe.last.outcome, look.glyphs);
            let (ProbeOutcome::Answered { reason, .. } | ProbeOutcome::NotRun { reason }) =
                &probe.last.outcome;
            let status = probe.last.status.map_or_else(String::new, |status| status.to_string());
            let failures = if probe.failures > 0 {
                Line::styled(format!("{} failed", probe.failures), look.style(Tone::Fail))
            } else {
                Line::raw("")
            };
            vec![
                Line::raw(name.to_string()),
                arm_cell(probe.last.arm, page),
                Line::from(sign.span(look)),
                Line::raw(text::value(probe.last.latency_ms, crate::model::Unit::Millis)),
                failures,
                Line::raw(status),
                age_cell(Some(probe.last.at), scene),
                Line::raw(reason.clone()),
            ]
        })
        .collect();
    let columns = [
        Column::new("probe", 8, 20, 0),
        Column::new("arm", 6, 6, 2),
        Column::new("answer", 11, 12, 0),
        Column::new("latency", 7, 9, 1).at_right(),
        Column::new("in a row", 9, 10, 1).at_right(),
        Column::new("status", 6, 6, 3).at_right(),
        Column::new("age", 4, 5, 1).at_right(),
        Column::new("", 10, 200, 4),
    ];
    page.table(&columns, &rows);
}

/// Every trigger that watches it, evaluated.
fn triggers(page: &mut Writer<'_>, reading: &ServiceReading, scene: &Scene<'_>) {
    if reading.evaluations.is_empty() {
        return;
    }
    let look = page.look;
    page.heading("triggers");
    let rows: Vec<Vec<Line<'static>>> = reading
        .evaluations
        .iter()
        .map(|evaluation| {
            let sign = Sign::status(&evaluation.status, look.glyphs);
            let asks = match evaluation.action {
                TriggerAction::Watch => "watch",
                TriggerAction::ScaleOut => "scale out",
                TriggerAction::Gradual => "gradual",
                TriggerAction::Immediate => "immediate",
            };
            vec![
                Line::raw(evaluation.trigger.to_string()),
                arm_cell(evaluation.arm, page),
                Line::from(sign.saying(look, &standing(evaluation, scene))),
                Line::raw(evaluation.evidence.line()),
                Line::raw(format!("{:.0}", evaluation.evidence.samples)),
                Line::raw(asks),
                Line::styled(evaluation.evidence.query.clone(), look.style(Tone::Dim)),
            ]
        })
        .collect();
    let columns = [
        Column::new("trigger", 10, 24, 0),
        Column::new("arm", 6, 6, 1),
        Column::new("state", 10, 30, 0),
        Column::new("value", 14, 24, 0),
        Column::new("samples", 7, 9, 4).at_right(),
        Column::new("asks for", 9, 9, 3),
        Column::new("", 16, 60, 5),
    ];
    page.table(&columns, &rows);
}

/// Where a trigger stands: `holds for 23 s`, `sustained for 12 s of 30 s`, `within`, `no data`.
fn standing(evaluation: &Evaluation, scene: &Scene<'_>) -> String {
    let seconds = |since: Timestamp| human(Duration::from_secs(age(since, scene.now()).as_secs()));
    match &evaluation.status {
        Status::Ok => "within".to_owned(),
        Status::Breach { since } => format!("holds for {}", seconds(*since)),
        Status::Pending { since } => {
            let rule = scene.config().triggers.get(&evaluation.trigger).map(|trigger| &trigger.when);
            match rule {
                Some(Rule::Threshold { hold, out_of: None, .. }) if !hold.is_zero() => {
                    format!("sustained for {} of {}", seconds(*since), human(**hold))
                }
                _ => format!("beyond for {}", seconds(*since)),
            }
        }
        Status::Unknown { reason } => reason.to_string(),
    }
}

/// What the judge has of its canary, comparison by comparison.
fn judge(page: &mut Writer<'_>, reading: &ServiceReading) {
    let Some(judgement) = reading.judgement() else { return };
    let look = page.look;
    page.heading("judge");
    let outlook = evidence::outlook(judgement).map_or_else(String::new, |words| format!("; {words}"));
    page.field("canary", Tone::Text, &format!("{}{outlook}", evidence::judged(judgement)));
    for one in &judgement.comparisons {
        let tone = if one.muted || one.problem.is_some() { Tone::Muted } else { Tone::Text };
        page.field("by", tone, &evidence::comparison(one));
    }
    let mark = Span::styled(look.glyphs.separator, look.style(Tone::Dim));
    for reason in &judgement.reasons {
        page.bullet(&mark, Tone::Text, reason);
    }
}

/// What the last good release was like.
fn baseline(page: &mut Writer<'_>, of: &ServiceName, known: Option<&ServiceState>, scene: &Scene<'_>) {
    let Some(recorded) = known.and_then(|known| known.baseline.as_deref()) else { return };
    let look = page.look;
    page.heading("baseline");
    let (version, at, by) = (&recorded.version, scene.moment(recorded.at), &recorded.by);
    page.field("of", Tone::Text, &format!("{version}, recorded {at} by {by}"));
    let rows: Vec<Vec<Line<'static>>> = recorded
        .figures
        .iter()
        .map(|(indicator, figure)| {
            let spec = scene.config().services.get(of).and_then(|spec| spec.indicators.get(indicator));
            let unit = spec.map_or(Unit::Plain, |spec| spec.read.unit());
            vec![
                Line::raw(indicator.to_string()),
                Line::raw(baseline::shown(figure, unit)),
                Line::styled(baseline::rests_on(figure), look.style(Tone::Dim)),
            ]
        })
        .collect();
    let columns = [
        Column::new("indicator", 8, 24, 0),
        Column::new("value", 8, 16, 0).at_right(),
        Column::new("rests on", 8, 16, 1).at_right(),
    ];
    page.table(&columns, &rows);
}

/// What may keep it from being rolled back.
fn guard(page: &mut Writer<'_>, of: &ServiceName, known: Option<&ServiceState>, scene: &Scene<'_>) {
    let look = page.look;
    page.heading("rollbacks");
    let now = scene.now();
    let (count, most) = (known.map_or(0, |known| known.rollbacks), scene.config().guardrails.maximum);
    let tone = if count >= most { Tone::Warn } else { Tone::Text };
    page.field("count", tone, &format!("{count} of {most} since a person last reset the count"));
    let last = known.and_then(|known| known.last_rollback).map_or_else(
        || "never".to_owned(),
        |at| format!("{}, {} ago", scene.moment(at), text::age(age(at, now))),
    );
    page.field("last", Tone::Text, &last);
    let planned =
        scene.config().guardrails.freeze.iter().find(|freeze| freeze.from <= now && now <= freeze.to);
    let mut freezes: Vec<String> = Vec::new();
    if let Some(freeze) = planned {
        freezes.push(format!("planned until {}: {}", scene.moment(freeze.to), freeze.reason));
    }
    let own = known.and_then(|known| known.freeze.as_ref());
    for (freeze, what) in [(own, of.as_str()), (scene.state().freeze.as_ref(), "everything")] {
        if let Some(freeze) = freeze.filter(|freeze| freeze.until.is_none_or(|until| now < until)) {
            freezes.push(frozen(freeze, what, scene));
        }
    }
    match freezes.as_slice() {
        [] => page.field("freeze", Tone::Text, "none"),
        freezes => {
            for words in freezes {
                page.field("freeze", Tone::Warn, &format!("{} {words}", look.glyphs.warn));
            }
        }
    }
}

fn frozen(freeze: &Freeze, what: &str, scene: &Scene<'_>) -> String {
    let until = freeze
        .until
        .map_or_else(|| "until lifted".to_owned(), |until| format!("until {}", scene.moment(until)));
    format!("{what} frozen by {} {until}: {}", freeze.by, freeze.reason)
}

fn arm_cell(arm: Option<Arm>, page: &Writer<'_>) -> Line<'static> {
    match arm {
        None => Line::styled("all", page.look.style(Tone::Dim)),
        Some(Arm::Stable) => Line::styled("stable", page.look.style(Tone::Stable)),
        Some(Arm::Canary) => Line::styled("canary", page.look.style(Tone::Canary)),
    }
}

fn age_cell(at: Option<Timestamp>, scene: &Scene<'_>) -> Line<'static> {
    let words = at.map_or_else(|| "never".to_owned(), |at| text::age(age(at, scene.now())));
    Line::styled(words, scene.look().style(Tone::Dim))
}
