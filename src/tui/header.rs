//! The line at the top: where this is, what people work on, who leads, and how old the data are.

use jiff::Timestamp;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::escalating;
use super::scene::Scene;
use super::theme::Tone;
use super::widgets::text::{self, Cut, age, clean, fit, minutes, put_line, width};
use crate::engine::checklist;
use crate::engine::runtime::Leadership;

/// A part of the line. What is less important goes first where there is no room; no word is cut.
struct Part {
    text: String,
    tone: Tone,
    /// 0 stays, the highest goes first.
    rank: u8,
}

fn part(rank: u8, tone: Tone, text: impl Into<String>) -> Part {
    Part { text: clean(&text.into()).into_owned(), tone, rank }
}

/// Draws it.
///
/// ```text
///  shop · INC-17 SEV1 not acknowledged 00:41 · leader guard@ops-1 · you: ana        data 1 s · 3/3 sources · 14:01:41
/// ```
pub fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let area = Rect { height: area.height.min(1), ..area };
    let look = scene.look();
    buf.set_style(text::clip(buf, area), look.style(Tone::Header));
    let room = usize::from(area.width).saturating_sub(2);
    let (mut left, mut right) = (left(scene), right(scene));
    let separator = format!(" {} ", look.glyphs.separator);
    let length = |parts: &[Part]| {
        let texts: usize = parts.iter().map(|part| width(&part.text)).sum();
        texts + parts.len().saturating_sub(1) * width(&separator)
    };
    if let Some(trouble) = &scene.view().trouble {
        right = Vec::new();
        // Its reason is worth more than who sits here, its name more than anything.
        let (least, wanted) = (width(TROUBLE), width(TROUBLE) + 26);
        while length(&left) + GAP + wanted > room && drop_least(&mut left, &mut right, NEEDED) {}
        while length(&left) + GAP + least > room && drop_least(&mut left, &mut right, 0) {}
        let rest = room.saturating_sub(length(&left) + if left.is_empty() { 0 } else { GAP });
        let words = format!("{TROUBLE}: {}", clean(trouble));
        let words = if rest < least + 14 { TROUBLE.to_owned() } else { words };
        right.push(part(0, Tone::Fail, fit(&words, rest, Cut::End, look.glyphs.ellipsis)));
    }
    let gap = |right: &[Part]| if right.is_empty() { 0 } else { GAP };
    while length(&left) + length(&right) + gap(&right) > room && drop_least(&mut left, &mut right, 0) {}
    let line = |parts: &[Part]| {
        let mut spans = Vec::new();
        for (number, part) in parts.iter().enumerate() {
            if number > 0 {
                spans.push(Span::styled(separator.clone(), look.style(Tone::Dim)));
            }
            spans.push(Span::styled(part.text.clone(), look.style(part.tone)));
        }
        Line::from(spans)
    };
    let end = put_line(buf, area, (1, 0), &line(&left), area.width.saturating_sub(1), look.glyphs.ellipsis);
    let taken = length(&right) as u16;
    let from = area.width.saturating_sub(taken + 1);
    if taken > 0 && from > end {
        put_line(buf, area, (from, 0), &line(&right).style(Style::new()), taken, look.glyphs.ellipsis);
    }
}

const TROUBLE: &str = "JOURNAL TROUBLE";
/// A journal that was not read for so long is said: it is read every second.
const UNREAD: std::time::Duration = std::time::Duration::from_secs(10);
/// Columns between left and right.
const GAP: usize = 2;
/// Parts up to this rank stay when the journal is in trouble.
const NEEDED: u8 = 4;

/// Leaves the least important part out, of those above a rank; says whether there was one.
fn drop_least(left: &mut Vec<Part>, right: &mut Vec<Part>, keep: u8) -> bool {
    let least = |parts: &[Part]| {
        let ranks = parts.iter().enumerate().map(|(at, part)| (part.rank, at));
        ranks.filter(|(rank, _)| *rank > keep).max()
    };
    match (least(left), least(right)) {
        (Some((rank, at)), other) if other.is_none_or(|(other, _)| rank > other) => drop(left.remove(at)),
        (_, Some((_, at))) => drop(right.remove(at)),
        _ => return false,
    }
    true
}

fn left(scene: &Scene<'_>) -> Vec<Part> {
    let mut parts = Vec::new();
    if let Some(frozen) = &scene.ui.frozen {
        let held = super::roster::age(frozen.since, scene.picture.now);
        parts.push(part(0, Tone::Banner, format!(" FROZEN {} ", age(held))));
    }
    let environment = &scene.config().environment;
    parts.push(part(3, Tone::Title, environment.name.clone()));
    if environment.read_only {
        parts.push(part(4, Tone::Banner, " READ ONLY "));
    }
    if let Some(incident) = scene.incident() {
        let clock = checklist::clock(incident, scene.now());
        let tone = if incident.level.number() <= 2 { Tone::Fail } else { Tone::Warn };
        parts.push(part(2, tone, format!("{} {}", incident.id, incident.level)));
        let time = minutes(clock.elapsed);
        if incident.suspected {
            parts.push(part(5, Tone::Warn, format!("suspected {time}")));
        } else {
            parts.push(match (&incident.acknowledged, clock.promise) {
                (Some(taken), _) => part(6, Tone::Text, format!("ack {} {time}", taken.by)),
                // Every channel was told so.
                (None, _) if incident.told_unacknowledged => {
                    part(2, Tone::Fail, format!("NOBODY ACKNOWLEDGED {time}"))
                }
                (None, Some(promise)) => {
                    let tone = if promise.kept == Some(false) { Tone::Fail } else { Tone::Warn };
                    part(5, tone, format!("not acknowledged {time} of {}", minutes(promise.within)))
                }
                (None, None) => part(5, Tone::Warn, format!("not acknowledged {time}")),
            });
        }
        if let Some(escalation) = escalating::of(scene, incident) {
            let words = escalating::words(escalation, scene.now());
            let rank = match (words.loud, words.tone) {
                (true, _) => 1,
                (false, Tone::Warn) => 5,
                (false, _) => 10,
            };
            parts.push(part(rank, words.tone, words.text));
        }
    }
    parts.push(leader(scene));
    if let Some(down) = scene.state().alarms.path_down() {
        let lasts = super::roster::age(down.since, scene.now());
        parts.push(part(3, Tone::Fail, format!("NO ALARMS ARRIVE {}", age(lasts))));
    }
    if let Some(off) = automatic(scene) {
        parts.push(part(7, Tone::Warn, off));
    }
    parts.push(part(11, Tone::Dim, format!("you: {}", scene.picture.me)));
    parts
}

fn leader(scene: &Scene<'_>) -> Part {
    match &scene.view().leadership {
        Leadership::Ours(_) => part(9, Tone::Text, "this console leads"),
        Leadership::Theirs(lease) => {
            let name = lease.holder.rsplit_once(':').map_or(lease.holder.as_str(), |(name, _)| name);
            part(9, Tone::Text, format!("leader {name}"))
        }
        Leadership::Nobody => part(1, Tone::Fail, "NOBODY LEADS"),
    }
}

/// What keeps the engine from rolling back by itself, if something does for all services.
fn automatic(scene: &Scene<'_>) -> Option<&'static str> {
    let state = scene.state();
    let is_on = state.automatic.as_ref().map_or(scene.config().environment.automatic, |switch| switch.on);
    let holds = |until: Option<Timestamp>| until.is_none_or(|until| until > scene.now());
    if state.freeze.as_ref().is_some_and(|freeze| holds(freeze.until)) {
        return Some("rollbacks frozen");
    }
    (!is_on).then_some("automatic off")
}

fn right(scene: &Scene<'_>) -> Vec<Part> {
    let mut parts = Vec::new();
    match scene.picture.roster.newest() {
        Some(newest) => {
            let old = super::roster::age(newest, scene.now());
            let (rank, tone) = if scene.is_too_old(old) { (4, Tone::Warn) } else { (8, Tone::Text) };
            parts.push(part(rank, tone, format!("data {}", text::freshness(old))));
        }
        None => parts.push(part(4, Tone::Unknown, "no data yet")),
    }
    let unread = super::roster::age(scene.picture.looked_at, scene.picture.now);
    if unread >= UNREAD {
        parts.push(part(3, Tone::Warn, format!("journal not read for {}", age(unread))));
    }
    let sources = &scene.config().sources;
    let faults = &scene.state().source_faults;
    let bad = sources.keys().filter(|source| faults.contains_key(*source)).count();
    if !sources.is_empty() {
        let (rank, tone) = if bad > 0 { (6, Tone::Warn) } else { (10, Tone::Text) };
        parts.push(part(rank, tone, format!("{}/{} sources", sources.len() - bad, sources.len())));
    }
    parts.push(part(7, Tone::Dim, text::clock(scene.now(), &scene.picture.zone)));
    parts
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::engine::runtime::{Lease, View};
    use crate::tui::scene::Picture;
    use crate::tui::testing::{self, drawn, gallery, styles, text};
    use crate::tui::ui::{Frozen, Ui};

    fn with(mut picture: Picture, change: impl FnOnce(&mut View)) -> Picture {
        change(Arc::make_mut(&mut picture.live));
        picture
    }

    /// What matters least goes first, whole, as the screen gets narrower.
    #[test]
    fn every_state_at_every_width() {
        let ui = Ui::new((120, 40));
        let lease = Lease { holder: "console@laptop:77".to_owned(), token: 2, until: Timestamp::MAX };
        let trouble = "cannot write the journal `/var/lib/unship/unship.db`: no space left on device";
        let mut old_incident = testing::incident();
        old_incident.now += std::time::Duration::from_secs(400);
        old_incident.looked_at = old_incident.now;
        let states = [
            ("at rest", testing::rest()),
            ("incident", testing::incident()),
            ("nobody answers", old_incident),
            ("acknowledged", testing::running()),
            ("nobody leads", with(testing::rest(), |view| view.leadership = Leadership::Nobody)),
            ("ours", with(testing::rest(), |view| view.leadership = Leadership::Ours(lease))),
            ("trouble", with(testing::incident(), |view| view.trouble = Some(trouble.to_owned()))),
            ("beginning", testing::beginning()),
            ("nothing is read", {
                let picture = testing::rest();
                Picture { looked_at: picture.now - std::time::Duration::from_secs(12), ..picture }
            }),
        ];
        let states: Vec<_> = states.iter().map(|(name, picture)| (*name, picture, &ui)).collect();
        insta::assert_snapshot!(gallery(&states, &[(160, 1), (100, 1), (60, 1), (40, 1), (24, 1)], draw));
    }

    /// How far people were told stands behind the clock, and what must not be overlooked stays the longest.
    #[test]
    fn escalations() {
        use crate::model::incident::IncidentAsk;
        let ui = Ui::new((120, 40));
        let begun = testing::worked::begun;
        let mut acknowledged = begun();
        acknowledged.acknowledge();
        let mut snoozed = begun();
        let until = snoozed.now + std::time::Duration::from_secs(720);
        snoozed.ask(IncidentAsk::Snooze { until, reason: "mira is on it".to_owned() });
        let states = [
            ("told", begun().picture()),
            ("level 2", testing::worked::unanswered(1).picture()),
            ("acknowledged", acknowledged.picture()),
            ("snoozed", snoozed.picture()),
            ("exhausted", testing::worked::unanswered(12).picture()),
        ];
        let states: Vec<_> = states.iter().map(|(name, picture)| (*name, picture, &ui)).collect();
        insta::assert_snapshot!(gallery(&states, &[(160, 1), (120, 1), (80, 1), (40, 1)], draw));
    }

    /// A picture that is held says so before anything else, and for how long.
    #[test]
    fn a_held_picture_says_so() {
        let mut picture = testing::incident();
        let mut ui = Ui::new((120, 40));
        ui.frozen = Some(Frozen { since: picture.now, view: Arc::clone(&picture.live) });
        picture.now += std::time::Duration::from_secs(23);
        picture.looked_at = picture.now;
        let frozen = drawn(&picture, &ui, (100, 1), draw);
        insta::assert_snapshot!(format!("{}\n{}", text(&frozen), styles(&frozen)));
    }
}
