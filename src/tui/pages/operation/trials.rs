//! What the steps of an operation have tried: checks, smoke suites and what has to be true in a database as a table, load runs
//! as a chart.

use std::time::Duration;

use ratatui::text::Span;

use super::super::sheet::Writer;
use crate::model::operation::Operation;
use crate::model::output::Figure;
use crate::model::units::human;
use crate::model::validation::{LoadFigures, Trial, TrialOutcome};
use crate::tui::scene::Scene;
use crate::tui::signs::Sign;
use crate::tui::theme::Tone;
use crate::tui::widgets::text;

/// Columns of the longest bar.
const BAR: usize = 40;

/// Writes it, step by step.
pub(super) fn write(page: &mut Writer<'_>, operation: &Operation, scene: &Scene<'_>) {
    let Some(lines) = scene.view().output.get(&operation.id) else { return };
    for (index, step) in operation.plan.steps.iter().enumerate() {
        // What was tried again counts as it was the last time.
        let (mut trials, mut load): (Vec<&Trial>, Option<&LoadFigures>) = (Vec::new(), None);
        for figure in lines.iter().filter(|line| line.step == index).filter_map(|line| line.figure.as_ref()) {
            match figure {
                Figure::Trial(trial) => match trials.iter_mut().find(|known| known.name == trial.name) {
                    Some(known) => *known = trial,
                    None => trials.push(trial),
                },
                Figure::Load(figures) => load = Some(figures),
            }
        }
        if trials.is_empty() && load.is_none() {
            continue;
        }
        page.heading(&format!("step {}: {}", index + 1, text::plain(&step.title)));
        table(page, &trials);
        if let Some(load) = load {
            chart(page, load);
        }
    }
}

/// A line each: how it went, how long it took, what was seen.
fn table(page: &mut Writer<'_>, trials: &[&Trial]) {
    let look = page.look;
    let took = |trial: &Trial| match trial.outcome {
        TrialOutcome::NotRun => String::new(),
        _ => human(Duration::from_secs_f64((trial.took_ms.max(0.0) / 1e3).min(1e9))),
    };
    let widest = trials.iter().map(|trial| text::width(&took(trial))).max().unwrap_or(0);
    let rows = trials.iter().map(|trial| {
        let sign = Sign::trial(trial.outcome, look.glyphs);
        let cells = vec![
            sign.span(look),
            Span::styled(text::plain(&trial.name), look.style(Tone::Text)),
            Span::styled(format!("{:>widest$}", took(trial)), look.style(Tone::Dim)),
        ];
        let tone = if trial.outcome.stops() { sign.tone } else { Tone::Text };
        (cells, tone, text::plain(&trial.detail))
    });
    page.sentences(rows.collect());
}

/// How long the answers took under load.
fn chart(page: &mut Writer<'_>, load: &LoadFigures) {
    let look = page.look;
    let tone = if load.failed > 0 { Tone::Warn } else { Tone::Text };
    page.field("requests", tone, &load.words());
    page.field("answers", Tone::Text, &load.took());
    let most = page.columns().saturating_sub(26).min(BAR);
    for (bound, count, share) in load.bars() {
        let bar = look.glyphs.bar_full.repeat((share * most as f64).ceil() as usize);
        page.line(vec![
            Span::styled(format!("  {bound:>12} {count:>8}  "), look.style(Tone::Dim)),
            Span::styled(bar, look.style(Tone::Accent)),
        ]);
    }
}
