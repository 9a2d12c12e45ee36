//! The moments at which an incident may have begun: what was typed, and what is known of its services and alarms.

use jiff::Timestamp;
use jiff::civil::Time;

use crate::model::incident::Incident;
use crate::model::trigger::Verdict;
use crate::model::{Span, release::Arm};
use crate::tui::scene::Scene;

/// Moments that are offered.
const OFFERED: usize = 8;

/// Each with its word and with what happened then: what was typed first, then the earliest first.
pub(super) fn moments(
    scene: &Scene<'_>,
    incident: &Incident,
    args: &[String],
) -> Vec<(String, Timestamp, String)> {
    let typed = args.first().and_then(|text| typed(scene, text));
    let state = &scene.picture.live.state;
    let mut known: Vec<(Timestamp, String)> = Vec::new();
    for name in &incident.services {
        let Some(service) = state.service(name) else { continue };
        if let Some(at) = service.arms_since.get(&Arm::Stable) {
            known.push((*at, format!("{name} got the release that is live")));
        }
        if let Some((verdict @ (Verdict::Degraded { .. } | Verdict::Failing { .. }), at)) = &service.verdict {
            let word = if matches!(verdict, Verdict::Failing { .. }) { "failing" } else { "degraded" };
            known.push((*at, format!("{name} was {word}")));
        }
    }
    for alarm in state.alarms.all().filter(|alarm| alarm.incident.as_ref() == Some(&incident.id)) {
        known.push((alarm.facts.starts_at, format!("the alarm {} began", alarm.facts.name)));
    }
    known.push((incident.opened_at, "it was declared".to_owned()));
    known.retain(|(at, _)| *at <= scene.picture.now);
    known.sort();
    let known = known.into_iter().take(OFFERED).map(|(at, what)| (scene.moment(at), at, what));
    typed.map(|at| (scene.moment(at), at, "as typed".to_owned())).into_iter().chain(known).collect()
}

/// `14:02` and `14:02:30` of today, or of yesterday where that is still to come; `-20m`; a whole timestamp.
fn typed(scene: &Scene<'_>, text: &str) -> Option<Timestamp> {
    let (zone, now) = (&scene.picture.zone, scene.picture.now);
    if let Some(ago) = text.strip_prefix('-') {
        return now.checked_sub(*ago.parse::<Span>().ok()?).ok();
    }
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(at);
    }
    let time: Time = text.parse().ok()?;
    let today = now.to_zoned(zone.clone()).date();
    let at = today.to_datetime(time).to_zoned(zone.clone()).ok()?.timestamp();
    if at <= now {
        return Some(at);
    }
    let yesterday = today.yesterday().ok()?;
    Some(yesterday.to_datetime(time).to_zoned(zone.clone()).ok()?.timestamp())
}
