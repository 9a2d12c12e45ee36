//! Canary against stable, of the service that is looked at; without a canary, the live release against its limits.
//!
//! - `indicators`: each indicator of both arms against its limit. `course`: the chart of the one that tells most.

mod course;
mod indicators;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::engine::evidence;
use crate::engine::state::ServiceState;
use crate::model::ServiceName;
use crate::model::decision::{Decision, Recommendation};
use crate::model::judge::{Advice, Comparison, Conclusion};
use crate::model::operation::OperationStatus;
use crate::model::release::Arm;
use crate::model::trigger::{Finding, Severity, TriggerAction};
use crate::model::units::human;
use crate::tui::roster;
use crate::tui::scene::Scene;
use crate::tui::telling;
use crate::tui::theme::Tone;
use crate::tui::ui::Pane;
use crate::tui::widgets::Look;
use crate::tui::widgets::bar::{self, Bar};
use crate::tui::widgets::panel::{self, Frame, Panel};
use crate::tui::widgets::text::{self, Cut, age, clean, fit, percent, put, put_line, width, wrap};

/// Below this the chart says nothing.
const SMALLEST_CHART: u16 = 6;
/// Lines of an explanation.
const EXPLAINED: usize = 3;
/// Cells of the bar of the judge's evidence.
const EVIDENCE: u16 = 8;
/// Findings that are listed; more are counted.
const FINDINGS: usize = 3;

/// Draws it.
///
/// ```text
/// ╭2 Canary vs stable · checkout ──────────────────────── last 2 m · 1 s ╮
/// │ weight  ██░░░░░░░░ 20 %   2.8.0 → 2.8.1                              │
/// │ indicators: canary, stable, limit                                   │
/// │ findings, and what they add up to                                   │
/// │ chart                                                               │
/// ╰─────────────────────────────────────────────────────────────────────╯
/// ```
pub fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let look = scene.look();
    let service = scene.service();
    let has_canary = scene.known().is_some_and(|known| known.canary().is_some());
    let what = if has_canary || service.is_none() { Pane::Comparison.title() } else { "Live release" };
    let separator = look.glyphs.separator;
    let title = service.map_or_else(|| what.to_owned(), |service| format!("{what} {separator} {service}"));
    let old = service.and_then(|service| scene.age(service));
    let stale = old.filter(|age| scene.is_too_old(*age)).map(|old| format!("no data for {}", age(old)));
    let fresh = old.filter(|_| stale.is_none()).map(|old| format!("data {}", text::freshness(old)));
    let window = format!("last {}", human(scene.ui.window()));
    let both = fresh.as_ref().map(|fresh| format!("{window} {separator} {fresh}"));
    let room = super::info_room(area, &title);
    let info = [both, fresh, Some(window)].into_iter().flatten().find(|info| width(info) <= room);
    let panel = Panel {
        number: Some(Pane::Comparison.number() as u8),
        title: &title,
        info: Line::from(info.unwrap_or_default()),
        frame: if scene.ui.focus == Pane::Comparison { Frame::Focused } else { Frame::Quiet },
        stale: stale.as_deref(),
    };
    let inner = panel::draw(buf, area, &panel, look);
    // A column of air on both sides.
    let body = Rect { x: inner.x.saturating_add(1), width: inner.width.saturating_sub(2), ..inner };
    if body.is_empty() {
        return;
    }
    let known = service.and_then(|service| scene.state().service(service));
    match (service, known) {
        (Some(service), Some(known)) if known.inventory.is_some() || scene.reading_of(service).is_some() => {
            content(scene, service, known, body, buf);
        }
        _ => nothing(scene, body, buf),
    }
    if stale.is_some() {
        panel::fade(buf, body, look);
    }
}

/// Why there is nothing to see, and what to do about it.
fn nothing(scene: &Scene<'_>, body: Rect, buf: &mut Buffer) {
    let look = scene.look();
    let (what, way_on) = match scene.service() {
        None => ("No service is shown.".to_owned(), key_line(scene, "back", "clears the filter.")),
        Some(service) => {
            let fault = scene.known().and_then(|known| known.platform_fault.as_ref());
            let what = match fault {
                Some(fault) => format!("The platform of {service} cannot be read: {}", fault.reason),
                None => format!("Nothing was read of {service} yet."),
            };
            (what, key_line(scene, "refresh", "reads its platform now."))
        }
    };
    let mut y = 0;
    for (text, tone) in [(what, Tone::Unknown), (way_on, Tone::Dim)] {
        for line in wrap(&text, usize::from(body.width)) {
            put(buf, body, (0, y), &line, look.style(tone));
            y += 1;
        }
    }
}

fn key_line(scene: &Scene<'_>, id: &str, does: &str) -> String {
    let key = scene.picture.keymap.key_of(id);
    key.map_or_else(|| format!(":{id} {does}"), |key| format!("{key} {does}"))
}

/// What comes first is never left out for what comes after it.
fn content(scene: &Scene<'_>, service: &ServiceName, known: &ServiceState, body: Rect, buf: &mut Buffer) {
    let look = scene.look();
    put_line(buf, body, (0, 0), &weight(scene, known, body.width), body.width, look.glyphs.ellipsis);
    let mut y = 1;
    let rest = |y: u16| Rect {
        y: body.y.saturating_add(y).min(body.bottom()),
        height: body.height.saturating_sub(y),
        ..body
    };
    let lines: Vec<Line<'static>> = conclusion(scene, known, look)
        .into_iter()
        .flat_map(|said| said.lines(usize::from(body.width), look))
        .collect();
    let indicators = indicators::indicators(scene, service, known);
    // With room to spare the parts stand apart.
    let wanted = 1 + indicators.len() + 1 + lines.len();
    let air = u16::from(usize::from(body.height) >= wanted + usize::from(SMALLEST_CHART) + 3);
    y += air;
    y += indicators::draw(scene, known, &indicators, rest(y), buf);
    if !lines.is_empty() {
        y += air;
    }
    for line in &lines {
        put_line(buf, rest(y), (0, 0), line, body.width, look.glyphs.ellipsis);
        y += 1;
    }
    y += air;
    let chart = rest(y);
    if chart.height >= SMALLEST_CHART {
        course::draw(scene, service, known, &indicators, chart, buf);
    }
}

/// How traffic is shared, between which releases, and how far that is.
fn weight(scene: &Scene<'_>, known: &ServiceState, room: u16) -> Line<'static> {
    let look = scene.look();
    let dim = look.style(Tone::Dim);
    let Some(inventory) = &known.inventory else {
        let words = match &known.platform_fault {
            Some(fault) => format!("the platform cannot be read: {}", fault.reason),
            None => "the platform has not been read yet".to_owned(),
        };
        return Line::styled(words, look.style(Tone::Unknown));
    };
    let version = |arm: Arm| inventory.on_arm(arm).map_or("unknown".to_owned(), |it| it.version.to_string());
    let mut spans = Vec::new();
    if let Some(canary) = inventory.share(Arm::Canary).filter(|share| share.percent > 0) {
        let bar = Bar { value: Some(f64::from(canary.percent)), max: 100.0, limit: None, tone: Tone::Canary };
        let (label, cells) = match room {
            0..40 => ("", 4),
            40..80 => ("weight  ", 10),
            80.. => ("weight  ", 20),
        };
        spans.push(Span::styled(label, dim));
        spans.extend(bar::line(&bar, cells, look).spans);
        spans.push(Span::styled(format!(" {} %", canary.percent), look.style(Tone::Canary)));
        spans.push(Span::raw("  "));
        spans.push(Span::styled(version(Arm::Stable), look.style(Tone::Stable)));
        spans.push(Span::styled(format!(" {} ", look.glyphs.arrow), dim));
        spans.push(Span::styled(version(Arm::Canary), look.style(Tone::Canary)));
    } else {
        let share = inventory.share(Arm::Stable).map_or(0, |share| share.percent);
        spans.push(Span::styled("live  ", dim));
        spans.push(Span::styled(version(Arm::Stable), look.style(Tone::Stable)));
        spans.push(Span::raw(format!("  {share} % of the traffic")));
        spans.push(Span::styled("  no canary", dim));
    }
    if let Some(operation) = scene.open_operation() {
        let step = operation.current().unwrap_or(0) + 1;
        let text = format!("  step {step}/{}", operation.steps.len());
        spans.push(Span::styled(text, look.style(Tone::Accent)));
    } else if !inventory.settled {
        spans.push(Span::styled("  the platform is still changing", look.style(Tone::Warn)));
    }
    if inventory.maintenance == Some(true) {
        spans.push(Span::styled("  maintenance on", look.style(Tone::Warn)));
    }
    Line::from(spans)
}

/// One thing that is said: what has to be read, and what explains it.
struct Said {
    head: Line<'static>,
    more: String,
    /// Where there is no room beside the head the explanation has lines of its own; else it is left out.
    is_needed: bool,
}

impl Said {
    fn lines(self, room: usize, look: Look<'_>) -> Vec<Line<'static>> {
        let dim = look.style(Tone::Dim);
        let more = clean(&self.more).into_owned();
        let mut head = self.head;
        let taken: usize = head.spans.iter().map(|span| width(&clean(&span.content))).sum();
        if more.is_empty() || taken + 2 + width(&more) <= room {
            head.push_span(Span::styled(format!("  {more}"), dim));
            return vec![head];
        }
        let mut lines = vec![head];
        if self.is_needed {
            let room = room.saturating_sub(2);
            let wrapped = wrap(&more, room);
            for number in 0..wrapped.len().min(EXPLAINED) {
                let is_last = number + 1 == EXPLAINED;
                let line = if is_last { wrapped[number..].join(" ") } else { wrapped[number].clone() };
                let line = fit(&line, room, Cut::End, look.glyphs.ellipsis);
                lines.push(Line::styled(format!("  {line}"), dim));
            }
        }
        lines
    }
}

/// The findings, and what they add up to.
fn conclusion(scene: &Scene<'_>, known: &ServiceState, look: Look<'_>) -> Vec<Said> {
    let mut findings: Vec<&Finding> = known.findings.values().collect();
    findings.sort_by_key(|finding| std::cmp::Reverse((finding.action, finding.severity)));
    let more = findings.len().saturating_sub(FINDINGS);
    let mut said: Vec<Said> = of_the_judge(scene, look).into_iter().collect();
    said.extend(findings.iter().take(FINDINGS).map(|finding| of_finding(scene, finding)));
    if more > 0 {
        let head = Line::styled(format!("  and {more} more"), look.style(Tone::Dim));
        said.push(Said { head, more: String::new(), is_needed: false });
    }
    if let Some(operation) = scene.open_operation()
        && let OperationStatus::NeedsDecision { facts, .. } = &operation.status
    {
        let words = format!("{} {} needs a decision", look.glyphs.unknown, operation.id);
        let head = Line::from(Span::styled(words, look.style(Tone::Fail)));
        said.push(Said { head, more: facts.clone(), is_needed: true });
    }
    if let Some(decision) = known.decision.as_deref().filter(|_| known.operation.is_none()) {
        said.extend(of_decision(decision, known, look));
    }
    if let Some(why) = &known.needs_person {
        let words = format!("{} nothing automatic until a person has looked", look.glyphs.warn);
        let head = Line::from(Span::styled(words, look.style(Tone::Warn)));
        said.push(Said { head, more: why.clone(), is_needed: true });
    }
    said
}

/// What the judge has to say while it has not found the canary to be worse; then its finding says it.
fn of_the_judge(scene: &Scene<'_>, look: Look<'_>) -> Option<Said> {
    let judgement = scene.reading()?.judgement()?;
    let tone = match (judgement.conclusion, judgement.advice) {
        (Conclusion::Harm, _) => return None,
        (Conclusion::Unknown, _) => Tone::Unknown,
        (_, Advice::Hold) => Tone::Warn,
        (Conclusion::Safe, _) => Tone::Ok,
        (Conclusion::Undecided, _) => Tone::Text,
    };
    // Evidence multiplies, so its bar is one of powers, with the mark at what it takes.
    let limit = judgement.limit.ln();
    let bar =
        Bar { value: Some(judgement.e_value.max(1.0).ln()), max: 2.0 * limit, limit: Some(limit), tone };
    let mut head = Line::from(Span::styled("judge  ", look.style(Tone::Dim)));
    head.spans.extend(bar::line(&bar, EVIDENCE, look).spans);
    head.push_span(Span::raw("  "));
    head.push_span(Span::styled(evidence::judged(judgement), look.style(tone)));
    let reason = || judgement.reasons.first().cloned().unwrap_or_default();
    let more = evidence::outlook(judgement).unwrap_or_else(reason);
    Some(Said { head, more, is_needed: true })
}

/// `✘ errors on canary 6.91 % > 5 %  for 41 s  share of errors over 10 s, 800 samples`.
fn of_finding(scene: &Scene<'_>, finding: &Finding) -> Said {
    let look = scene.look();
    let (symbol, tone) = match (finding.action, finding.severity) {
        (TriggerAction::Watch, _) | (_, Severity::Low | Severity::Medium) => (look.glyphs.warn, Tone::Warn),
        _ => (look.glyphs.fail, Tone::Fail),
    };
    // The figure of now, where there is one; that of its beginning else.
    let now = scene.reading().and_then(|reading| {
        reading.evaluations.iter().find(|it| it.trigger == finding.trigger && it.arm == finding.arm)
    });
    let evidence = now.map_or(&finding.evidence, |now| &now.evidence);
    let whom = finding.arm.map(|arm| format!(" on {arm}")).unwrap_or_default();
    let lasts = age(roster::age(finding.since, scene.now()));
    let samples = telling::counted(evidence.samples.round() as usize, "sample");
    let (value, more) = match evidence.judgement.as_deref() {
        None => (evidence.line(), format!("{}, {samples}", evidence.query)),
        Some(judgement) => {
            let strongest = judgement.strongest().map(Comparison::line);
            (judgement.evidence(), strongest.unwrap_or_else(|| evidence.query.clone()))
        }
    };
    let head = Line::from(vec![
        Span::styled(format!("{symbol} {}{whom} {value}", finding.trigger), look.style(tone)),
        Span::styled(format!("  for {lasts}"), look.style(Tone::Text)),
    ]);
    Said { head, more, is_needed: false }
}

/// What is recommended, how sure that is, and what stands in its way.
fn of_decision(decision: &Decision, known: &ServiceState, look: Look<'_>) -> Option<Said> {
    let Decision { recommendation, confidence, findings, unknowns, guardrails, reasons, .. } = decision;
    let acts = recommendation.acts();
    if known.findings.is_empty() && *recommendation == Recommendation::Watch {
        return None;
    }
    let tone = match recommendation {
        Recommendation::RollBackImmediately | Recommendation::RollBackGradually => Tone::Fail,
        Recommendation::Hold | Recommendation::ScaleOut => Tone::Warn,
        Recommendation::Watch => Tone::Text,
    };
    let mut words = format!("{} {}", look.glyphs.arrow, recommendation.words());
    if let Some(to) = decision.to.as_ref().filter(|_| recommendation.rolls_back()) {
        words = format!("{words} to {}", to.version);
    }
    // Each span by itself: a line's own style would be that of what is added to it too.
    let mut head = Line::from(Span::styled(words, look.style(tone)));
    if acts {
        head.push_span(Span::styled(format!("  {} sure", percent(*confidence)), look.style(Tone::Text)));
    }
    // The words after the findings' own: what speaks against acting.
    let against = reasons.get(findings.len()).filter(|_| *recommendation == Recommendation::Hold).cloned();
    let blocks = guardrails.iter().find(|check| check.blocks()).filter(|_| acts);
    let blocks = blocks.map(|check| check.detail.clone());
    let unknown = unknowns.first().map(|unknown| format!("not known: {unknown}"));
    let more = against.or(blocks).or(unknown).unwrap_or_default();
    Some(Said { head, more, is_needed: true })
}

/// One line, for where the pane has no room.
pub fn summary(scene: &Scene<'_>) -> String {
    let Some(known) = scene.known() else { return "nothing was read yet".to_owned() };
    let service = scene.service().map(ToString::to_string).unwrap_or_default();
    let Some(inventory) = &known.inventory else { return format!("{service}: platform not read yet") };
    let stable = known.stable().map_or_else(|| "unknown".to_owned(), |it| it.version.to_string());
    let glyphs = scene.picture.glyphs;
    let mut text = match (known.canary(), inventory.share(Arm::Canary)) {
        (Some(canary), Some(share)) => {
            format!("{service} {stable} {} {} {} %", glyphs.arrow, canary.version, share.percent)
        }
        _ => format!("{service} {stable}, no canary"),
    };
    let told = scene.service().map(|service| telling::telling(scene, service).text);
    if let Some(told) = told.filter(|told| width(told) > 0) {
        text = format!("{text} {} {told}", glyphs.separator);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::testing::{self, drawn, gallery, in_mono, styles};
    use crate::tui::ui::Ui;

    /// Every state at the size that the pane gets on a usual screen.
    #[test]
    fn every_state() {
        let ui = Ui::new((120, 40));
        let states = [
            ("at rest", testing::rest()),
            ("incident", testing::incident()),
            ("rollback", testing::running()),
            ("needs a decision", testing::needs_decision()),
            ("recovered", testing::recovered()),
            ("stale", testing::stale()),
            ("beginning", testing::beginning()),
        ];
        let states: Vec<_> = states.iter().map(|(name, picture)| (*name, picture, &ui)).collect();
        insta::assert_snapshot!(gallery(&states, &[(70, 19)], draw));
    }

    /// What the judge has to say, while it watches and when it has found something.
    #[test]
    fn the_judge_speaks() {
        let mut ui = Ui::new((120, 40));
        ui.service.what = Some("checkout".into());
        let (watched, judged) = (testing::watched(), testing::judged());
        let states = [("watched", &watched, &ui), ("judged", &judged, &ui)];
        insta::assert_snapshot!(gallery(&states, &[(70, 22), (93, 26), (46, 12)], draw));
    }

    /// With less room, what matters least goes: first air, then the chart, then findings; columns before words.
    #[test]
    fn less_room() {
        let ui = Ui::new((120, 40));
        let picture = testing::incident();
        let sizes = [(93, 26), (80, 19), (70, 12), (50, 9), (38, 6), (24, 4)];
        insta::assert_snapshot!(gallery(&[("incident", &picture, &ui)], &sizes, draw));
    }

    /// Canary and stable keep their looks, and are told apart without colour.
    #[test]
    fn the_arms_have_their_looks() {
        let ui = Ui::new((120, 40));
        let dark = styles(&drawn(&testing::incident(), &ui, (93, 20), draw));
        let mono = styles(&drawn(&in_mono(testing::incident()), &ui, (93, 20), draw));
        insta::assert_snapshot!(format!("dark\n{dark}\nmono\n{mono}"));
    }

    #[test]
    fn in_one_line() {
        let ui = Ui::new((80, 24));
        let line = |picture| summary(&Scene::new(&picture, &ui));
        insta::assert_snapshot!(line(testing::rest()), @"cart 5.2.0, no canary · p95 280 ms");
        insta::assert_snapshot!(line(testing::incident()), @"checkout 2.8.0 → 2.8.1 20 % · errors 7.22 %");
        insta::assert_snapshot!(line(testing::beginning()), @"nothing was read yet");
    }
}
