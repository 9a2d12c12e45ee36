//! The last decision about a service: what is recommended, what it rests on, what forbids it, what would change it. The words
//! are those of `unship why`.

use ratatui::text::Span;

use super::sheet::{Sheet, Writer};
use crate::engine::evidence;
use crate::model::ServiceName;
use crate::model::decision::{Decision, GuardrailCheck};
use crate::model::trigger::Finding;
use crate::model::units::human;
use crate::tui::roster::age;
use crate::tui::scene::Scene;
use crate::tui::signs::Sign;
use crate::tui::theme::Tone;
use crate::tui::widgets::text;

/// Writes it.
pub(super) fn write<'a>(of: &ServiceName, scene: &Scene<'a>, columns: usize) -> Sheet<'a> {
    let mut page = Writer::new(scene.look(), columns);
    let decision = scene.state().service(of).and_then(|known| known.decision.as_deref());
    match decision {
        Some(decision) => card(&mut page, decision, scene),
        None => {
            page.text(Tone::Text, &format!("Nothing has been decided about {of} yet."));
            page.text(
                Tone::Dim,
                "A decision is made when a trigger begins to hold, and when one no longer does.",
            );
        }
    }
    Sheet { stale: scene.stale_words(of), ..Sheet::new(scene.titled("Why", of.as_str()), page.finish()) }
}

fn card(page: &mut Writer<'_>, decision: &Decision, scene: &Scene<'_>) {
    let look = page.look;
    let ago = text::age(age(decision.at, scene.now()));
    let sign = Sign::recommendation(decision.recommendation, look.glyphs);
    let at = Span::styled(
        format!("{} at {}, {ago} ago", decision.id, scene.moment(decision.at)),
        look.style(Tone::Dim),
    );
    page.both_ends(vec![Span::raw("  "), sign.saying(look, &evidence::headline(decision))], at);
    if let Some(ends) = evidence::ends(decision) {
        page.text(Tone::Text, &ends);
    }
    let led_to = scene
        .state()
        .operations_in_order()
        .rev()
        .find(|operation| operation.decision.as_ref() == Some(&decision.id));
    page.text(Tone::Text, &evidence::consequence(decision, led_to));
    if !decision.findings.is_empty() {
        page.heading("findings");
    }
    for finding in &decision.findings {
        write_finding(page, finding, scene);
    }
    let [reasons, unknowns, changes] = evidence::sections(decision);
    for ((title, lines), mark, tone) in [
        (reasons, Span::styled(look.glyphs.separator, look.style(Tone::Dim)), Tone::Text),
        (unknowns, Span::styled(look.glyphs.unknown, look.style(Tone::Unknown)), Tone::Unknown),
    ] {
        if !lines.is_empty() {
            page.heading(title);
        }
        for line in lines {
            page.bullet(&mark, tone, line);
        }
    }
    guardrails(page, &decision.guardrails, scene);
    let (title, lines) = changes;
    if !lines.is_empty() {
        page.heading(title);
    }
    for line in lines {
        page.bullet(&Span::styled(look.glyphs.separator, look.style(Tone::Dim)), Tone::Text, line);
    }
}

/// A finding with what it rests on.
pub(super) fn write_finding(page: &mut Writer<'_>, finding: &Finding, scene: &Scene<'_>) {
    let look = page.look;
    let sign = Sign::severity(finding.severity, look.glyphs);
    let since = format!(
        "since {}, {}",
        text::clock(finding.since, &scene.picture.zone),
        text::age(age(finding.since, scene.now()))
    );
    page.both_ends(
        vec![Span::raw("  "), sign.saying(look, &evidence::title(finding))],
        Span::styled(since, look.style(Tone::Dim)),
    );
    for (name, fact) in evidence::facts(finding) {
        let name = format!("    {name:<8}");
        page.marked(Span::styled(name, look.style(Tone::Dim)), Tone::Text, &fact);
    }
}

fn guardrails(page: &mut Writer<'_>, checks: &[GuardrailCheck], scene: &Scene<'_>) {
    if checks.is_empty() {
        return;
    }
    page.heading("guardrails");
    let look = page.look;
    let rows = checks
        .iter()
        .map(|check| {
            let sign = Sign::guardrail(check, look.glyphs);
            let until = check.until.filter(|until| *until > scene.now()).map(|until| {
                format!(
                    "; passes in {}",
                    human(std::time::Duration::from_secs(age(scene.now(), until).as_secs()))
                )
            });
            let says = format!("{}{}", text::plain(&evidence::looked_at(check)), until.unwrap_or_default());
            (vec![sign.span(look), Span::raw(check.guardrail.word())], Tone::Text, says)
        })
        .collect();
    page.sentences(rows);
}
