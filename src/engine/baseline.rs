//! Baselines: when what a release was like is recorded, and the words that every face uses for it.

use crate::model::baseline::{Baseline, Figure};
use crate::model::command::Actor;
use crate::model::event::Event;
use crate::model::release::{Arm, Inventory, Quality};
use crate::model::{ServiceName, Unit};
use crate::triggers::figure;

use super::core::Work;

/// Records what a good release was like when another takes its place as stable.
pub(super) fn record_before(work: &mut Work<'_>, service: &ServiceName, next: &Inventory) {
    let Some(known) = work.state.service(service) else { return };
    let (Some(before), Some(after)) = (known.stable(), next.on_arm(Arm::Stable)) else { return };
    // What is being taken back is nothing to compare with.
    let is_good = known.quality(&before.reference) == Quality::Good && work.state.leaving(service).is_none();
    if is_good && before.reference != after.reference {
        record(work, service, "it was good when the next one came");
    }
}

/// Records what the first good release is like: something to compare with is better than nothing. From then on the release
/// before is.
pub(super) fn record_first(work: &mut Work<'_>, service: &ServiceName) {
    if work.state.service(service).is_some_and(|known| known.baseline.is_none()) {
        record(work, service, "the first good release");
    }
}

fn record(work: &mut Work<'_>, service: &ServiceName, reason: &str) {
    if let Ok(baseline) = present(work, service, Actor::Engine) {
        work.emit(Event::BaselineRecorded { service: service.clone(), baseline, reason: reason.to_owned() });
    }
}

/// What serves as stable now, as a baseline.
pub(super) fn present(work: &Work<'_>, service: &ServiceName, by: Actor) -> Result<Baseline, String> {
    let release = work.state.service(service).and_then(|known| known.stable());
    let release = release.ok_or_else(|| format!("it is not known what serves as stable of {service}"))?;
    let baseline = work.senses.baseline(service, release, by, work.now);
    baseline.ok_or_else(|| {
        format!(
            "too little has been read of {service} as it is now: it takes 200 events, or 10 readings of a gauge or a rate"
        )
    })
}

/// What serves as stable now beside the release of the baseline, indicator by indicator; none where there is nothing to compare.
///
/// `errors 0.2 % (0.1 % before, 2 times), memory 61 % (47 % before, 1.3 times)`
pub(super) fn beside(work: &Work<'_>, service: &ServiceName) -> Option<String> {
    let before = work.state.service(service)?.baseline.as_ref()?;
    let now = present(work, service, Actor::Engine).ok().filter(|now| now.release != before.release)?;
    let indicators = &work.config().services.get(service)?.indicators;
    let lines = now.figures.iter().filter_map(|(name, figure)| {
        let old = before.figures.get(name)?;
        let unit = indicators.get(name)?.read.unit();
        let times = match (figure::value(figure, 0.95), figure::value(old, 0.95)) {
            (Some(now), Some(old)) if old > 0.0 => format!(", {:.2} times", now / old),
            _ => String::new(),
        };
        Some(format!("{name} {} ({} before{times})", shown(figure, unit), shown(old, unit)))
    });
    let lines: Vec<String> = lines.collect();
    (!lines.is_empty()).then(|| format!("beside {}: {}", before.version, lines.join(", ")))
}

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
