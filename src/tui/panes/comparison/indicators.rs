//! Each indicator of both arms, against its limit: a row an indicator, those that are worst first.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use crate::engine::state::ServiceState;
use crate::model::judge::Judgement;
use crate::model::reading::{IndicatorReading, ServiceReading};
use crate::model::release::Arm;
use crate::model::trigger::{Evaluation, Status, TriggerAction};
use crate::model::{IndicatorName, Quantity, ServiceName, Unit};
use crate::tui::scene::Scene;
use crate::tui::telling::{indicator_of, quantile};
use crate::tui::theme::Tone;
use crate::tui::widgets::bar::{self, Bar};
use crate::tui::widgets::table::{self, Column, Table};
use crate::tui::widgets::text::{figure, value, width};

/// One indicator of a service: what it is on each arm, and the limit that is nearest.
#[derive(Clone, Debug)]
pub(super) struct Indicator {
    /// Its name.
    pub(super) name: IndicatorName,
    /// What a row calls it: for a latency with its quantile.
    title: String,
    /// On the arm that is judged: the canary, or the live release without one.
    pub(super) judged: Seen,
    /// On stable, beside a canary.
    other: Seen,
    /// The limit, and whether it is one that must not be exceeded (else: fallen below).
    pub(super) limit: Option<(Quantity, bool)>,
    /// How bad it is: 0 breaks its limit and asks for acting, 3 is well, 4 has no limit.
    pub(super) rank: u8,
    /// How the values are shown.
    pub(super) unit: Unit,
    /// What the judge has of it: the evidence that the canary is worse, and whether it counts.
    evidence: Option<(f64, bool)>,
}

/// A value, and how many samples it is of.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Seen {
    value: Option<f64>,
    samples: f64,
    /// The arm that it is of; none for the service as a whole.
    pub(super) arm: Option<Arm>,
}

/// What is known of each indicator, the worst first.
pub(super) fn indicators(scene: &Scene<'_>, service: &ServiceName, known: &ServiceState) -> Vec<Indicator> {
    let Some(spec) = scene.config().services.get(service) else { return Vec::new() };
    let reading = scene.reading_of(service);
    let has_canary = known.canary().is_some();
    let mut all: Vec<Indicator> = spec
        .indicators
        .keys()
        .map(|name| indicator(scene, reading, name, has_canary))
        .filter(|it| it.judged.value.is_some() || it.other.value.is_some() || it.limit.is_some())
        .collect();
    all.sort_by_key(|indicator| indicator.rank);
    all
}

fn indicator(
    scene: &Scene<'_>,
    reading: Option<&ServiceReading>,
    name: &IndicatorName,
    has_canary: bool,
) -> Indicator {
    let evaluations: Vec<&Evaluation> = reading
        .into_iter()
        .flat_map(|reading| &reading.evaluations)
        .filter(|evaluation| indicator_of(scene, &evaluation.trigger) == Some(name))
        .collect();
    let of = |arm: Arm| {
        let fits = |it: &&&Evaluation| it.arm == Some(arm) || it.arm.is_none();
        // The worst of several triggers on one indicator; among equals the one that asks for more.
        evaluations
            .iter()
            .copied()
            .filter(|it| fits(&it))
            .min_by_key(|it| (rank(it), std::cmp::Reverse(it.action)))
    };
    let shown = |arm: Arm| {
        let readings =
            || reading.into_iter().flat_map(|reading| &reading.indicators).filter(|it| &it.indicator == name);
        readings().find(|it| it.arm == Some(arm)).or_else(|| readings().find(|it| it.arm.is_none()))
    };
    let judged_arm = if has_canary { Arm::Canary } else { Arm::Stable };
    let judged = of(judged_arm);
    let seen = |evaluation: Option<&Evaluation>, reading: Option<&IndicatorReading>| Seen {
        // The figure that was judged, rather than that of another window.
        value: evaluation.and_then(|it| it.evidence.value).or_else(|| reading.and_then(|it| it.value)),
        samples: evaluation.map_or_else(|| reading.map_or(0.0, |it| it.samples), |it| it.evidence.samples),
        arm: reading.map_or_else(|| evaluation.and_then(|it| it.arm), |it| it.arm),
    };
    let reading_of_it = shown(judged_arm);
    let unit =
        judged.map_or_else(|| reading_of_it.map_or(Unit::Plain, |it| it.unit), |it| it.evidence.limit.unit);
    let quantile = judged.and_then(|it| quantile(&it.evidence));
    let is_latency = unit == Unit::Millis;
    Indicator {
        title: match quantile {
            Some(quantile) => format!("{name} {quantile}"),
            // What is read of a histogram without a trigger is its 95th percentile.
            None if is_latency => format!("{name} p95"),
            None => name.to_string(),
        },
        name: name.clone(),
        judged: seen(judged, reading_of_it),
        other: if has_canary { seen(of(Arm::Stable), shown(Arm::Stable)) } else { Seen::default() },
        limit: judged.map(|it| (it.evidence.limit, it.evidence.above)),
        rank: judged.map_or(4, rank),
        unit,
        evidence: reading.and_then(|reading| evidence(reading, name)),
    }
}

fn evidence(reading: &ServiceReading, name: &IndicatorName) -> Option<(f64, bool)> {
    let of =
        reading.judgement()?.comparisons.iter().filter(|one| one.indicator == *name && one.problem.is_none());
    of.map(|one| (one.e_value, !one.muted)).reduce(|a, b| if b.0 > a.0 { b } else { a })
}

const fn rank(evaluation: &Evaluation) -> u8 {
    match (&evaluation.status, evaluation.action) {
        (Status::Breach { .. }, TriggerAction::Gradual | TriggerAction::Immediate) => 0,
        (Status::Breach { .. }, TriggerAction::Watch | TriggerAction::ScaleOut)
        | (Status::Pending { .. }, _) => 1,
        (Status::Unknown { .. }, _) => 2,
        (Status::Ok, _) => 3,
    }
}

/// Cells of a bar.
const BAR: u16 = 12;

/// Draws them; answers how many rows that took.
pub(super) fn draw(
    scene: &Scene<'_>,
    known: &ServiceState,
    indicators: &[Indicator],
    area: Rect,
    buf: &mut Buffer,
) -> u16 {
    let look = scene.look();
    if indicators.is_empty() || area.height == 0 {
        return 0;
    }
    let has_canary = known.canary().is_some();
    let widest = indicators.iter().map(|it| width(&it.title)).max().unwrap_or(0).min(20) as u16;
    // How much there is to go by matters where something is compared, or not well.
    let counts = has_canary || indicators.iter().any(|it| it.rank < 3);
    let columns = [
        Column::new("indicator", widest, 20, 0),
        Column::new(if has_canary { "canary" } else { "live" }, 7, 9, 0).at_right(),
        Column::new(if has_canary { "stable" } else { "" }, if has_canary { 7 } else { 0 }, 9, 1).at_right(),
        Column::new("limit", 6, 10, 2).at_right(),
        Column::new("of the limit", BAR, BAR, 3),
        Column::new("samples", 7, 8, 4).at_right(),
        Column::new("evidence", 8, 9, 2).at_right(),
    ];
    let is_judged = indicators.iter().any(|it| it.evidence.is_some());
    let columns = &columns[..match (is_judged, counts) {
        (true, _) => columns.len(),
        (false, true) => columns.len() - 1,
        (false, false) => columns.len() - 2,
    }];
    let height = (indicators.len() + 1).min(usize::from(area.height)) as u16;
    let names: Vec<&IndicatorName> = indicators.iter().map(|it| &it.name).collect();
    let cell = |name: &&IndicatorName, column: usize| -> Line<'static> {
        let Some(it) = indicators.iter().find(|it| &it.name == *name) else { return Line::default() };
        let tone = tone(it, has_canary);
        let shown = if it.rank < 3 { value } else { figure };
        let figure =
            |seen: Seen| seen.value.map_or_else(|| "no data".to_owned(), |number| shown(number, it.unit));
        match column {
            0 => Line::from(it.title.clone()),
            1 => Line::styled(figure(it.judged), look.style(tone)),
            2 if has_canary => Line::styled(figure(it.other), look.style(Tone::Stable)),
            3 => match it.limit {
                Some((limit, above)) => {
                    Line::styled(format!("{} {limit}", if above { ">" } else { "<" }), look.style(Tone::Dim))
                }
                None => Line::styled("none", look.style(Tone::Muted)),
            },
            4 => it.limit.map_or_else(Line::default, |(limit, _)| {
                // Twice the limit fills the bar, so that the mark is at the same place in all of them.
                let bar =
                    Bar { value: it.judged.value, max: limit.value * 2.0, limit: Some(limit.value), tone };
                bar::line(&bar, BAR, look)
            }),
            5 => Line::styled(grouped(it.judged.samples), look.style(Tone::Dim)),
            6 => match it.evidence {
                None => Line::styled("none", look.style(Tone::Muted)),
                Some((_, false)) => Line::styled("muted", look.style(Tone::Muted)),
                Some((evidence, true)) => {
                    // From ten on the canary is held; a hundred is the usual limit.
                    let tone = match evidence {
                        100.0.. => Tone::Fail,
                        10.0.. => Tone::Warn,
                        _ => Tone::Dim,
                    };
                    Line::styled(Judgement::show(evidence), look.style(tone))
                }
            },
            _ => Line::default(),
        }
    };
    // The table keeps two columns for a mark, which nothing here is selected with.
    let area = Rect { x: area.x.saturating_sub(2), width: area.width.saturating_add(2), height, ..area };
    let table = Table { columns, rows: &names, selected: None, top: None, header: true, focused: false };
    table::draw(buf, area, &table, cell, look);
    height
}

fn tone(indicator: &Indicator, has_canary: bool) -> Tone {
    match indicator.rank {
        _ if indicator.judged.value.is_none() => Tone::Unknown,
        0 => Tone::Fail,
        1 => Tone::Warn,
        _ if has_canary => Tone::Canary,
        _ => Tone::Stable,
    }
}

/// `9 999`, in groups of three.
fn grouped(number: f64) -> String {
    let digits = format!("{:.0}", number.max(0.0));
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        for (number, text) in
            [(0.0, "0"), (-3.0, "0"), (999.4, "999"), (9_999.0, "9 999"), (1e6, "1 000 000")]
        {
            assert_eq!(grouped(number), text);
        }
    }
}
