//! Baselines in the words that every face uses.

use crate::model::Unit;
use crate::model::baseline::Figure;
use crate::triggers::figure;

/// A figure's value: `0.4 %`, `p95 120 ms`, `77 a second`.
pub fn shown(figure: &Figure, unit: Unit) -> String {
    let Some(value) = figure::value(figure, 0.95) else { return "too few samples".to_owned() };
    let shown = unit.show(value);
    match figure {
        Figure::Latency { .. } => format!("p95 {shown}"),
        Figure::Rate { .. } => format!("{shown} a second"),
        Figure::Ratio { .. } | Figure::Gauge { .. } => shown,
    }
}

/// What a figure rests on: `12000 events`, `40 readings`.
pub fn rests_on(figure: &Figure) -> String {
    let samples = figure::samples(figure);
    match figure {
        Figure::Ratio { .. } | Figure::Latency { .. } => format!("{samples:.0} events"),
        Figure::Rate { .. } | Figure::Gauge { .. } => format!("{samples:.0} readings"),
    }
}
