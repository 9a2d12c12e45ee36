//! The releases of the service that is looked at, newest first: what each is now, what it is worth, and which one a rollback
//! would return to.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::engine::deployments::{Deployment, Fate, deployments};
use crate::model::ReleaseRef;
use crate::model::operation::{Operation, PlanKind};
use crate::model::release::Arm;
use crate::tui::scene::Scene;
use crate::tui::signs::Sign;
use crate::tui::theme::Tone;
use crate::tui::ui::Pane;
use crate::tui::widgets::panel::{self, Frame, Panel};
use crate::tui::widgets::table::{self, Column, Table};
use crate::tui::widgets::{Look, text};

/// The releases that are listed, in their order.
pub fn listed(scene: &Scene<'_>) -> Vec<ReleaseRef> {
    all(scene).into_iter().map(|deployment| deployment.reference).collect()
}

fn all(scene: &Scene<'_>) -> Vec<Deployment> {
    scene.service().map(|service| deployments(scene.state(), service)).unwrap_or_default()
}

/// Draws it.
pub fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let look = scene.look();
    let all = all(scene);
    let fault = scene.known().and_then(|known| known.platform_fault.as_ref());
    let stale = fault.map(|fault| format!("platform not readable since {}", scene.short_moment(fault.since)));
    let title = match scene.service() {
        Some(service) => format!("{} {} {service}", Pane::Deployments.title(), look.glyphs.separator),
        None => Pane::Deployments.title().to_owned(),
    };
    let frame = Panel {
        number: Some(Pane::Deployments.number() as u8),
        title: &title,
        info: Line::default(),
        frame: if scene.ui.focus == Pane::Deployments { Frame::Focused } else { Frame::Quiet },
        stale: stale.as_deref(),
    };
    let inner = panel::draw(buf, area, &frame, look);
    if all.is_empty() {
        for (y, line) in (0..).zip(text::wrap(nothing(scene), usize::from(inner.width.saturating_sub(2)))) {
            text::put(buf, inner, (1, y), &line, look.style(Tone::Dim));
        }
        return;
    }
    rows(scene, &all, inner, buf);
}

fn nothing(scene: &Scene<'_>) -> &'static str {
    if scene.service().is_none() {
        "No service is chosen."
    } else if scene.known().is_some_and(|known| known.platform_fault.is_some()) {
        "The platform cannot be read, so its releases are not known."
    } else {
        "The platform has not been read yet."
    }
}

fn rows(scene: &Scene<'_>, all: &[Deployment], inner: Rect, buf: &mut Buffer) {
    let look = scene.look();
    // A blank column at the right, as at the left.
    let area = Rect { width: inner.width.saturating_sub(1), ..inner };
    let ids: Vec<&ReleaseRef> = all.iter().map(|deployment| &deployment.reference).collect();
    let selected =
        scene.ui.release.what.as_ref().and_then(|what| ids.iter().position(|reference| *reference == what));
    // Titles only where they push nothing off the screen.
    let header = usize::from(area.height) > all.len();
    let height = usize::from(area.height) - usize::from(header);
    let top = scene.ui.release.top(selected.unwrap_or(0), all.len(), height);
    let widest = |least: usize, most: usize, of: &dyn Fn(&Deployment) -> usize| {
        all.iter().map(of).fold(least, usize::max).min(most) as u16
    };
    let since = widest(5, 11, &|it| text::width(&scene.short_moment(it.at)));
    let version = widest(7, 16, &|it| text::width(it.version.as_str()));
    let serves = widest(6, 12, &|it| it.serves.map_or(0, |serves| text::width(&share(serves))));
    // The mark, the gaps, and what shows that there is more.
    let more = if all.len() > height { 2 } else { 0 };
    let room = area.width.saturating_sub(since + version + serves + 2 + 3 * 2 + more);
    let columns = [
        Column::new("since", since, 11, 1),
        Column::new("release", version, 24, 0),
        Column::new("serves", serves, 12, 0),
        Column::new("record", 8, 60, 0),
    ];
    let table = Table {
        columns: &columns,
        rows: &ids,
        selected: selected.and_then(|selected| ids.get(selected)),
        top: ids.get(top),
        header,
        focused: scene.ui.focus == Pane::Deployments,
    };
    let find = |id: &ReleaseRef| all.iter().find(|deployment| &deployment.reference == id);
    let cell = |id: &&ReleaseRef, column: usize| {
        let Some(deployment) = find(id) else { return Line::default() };
        let tone = arm_tone(deployment);
        match column {
            0 => Line::styled(scene.short_moment(deployment.at), look.style(Tone::Dim)),
            1 => Line::styled(deployment.version.to_string(), look.style(tone)),
            2 => Line::styled(deployment.serves.map(share).unwrap_or_default(), look.style(tone)),
            _ => standing(scene, deployment, room),
        }
    };
    table::draw(buf, area, &table, cell, look);
}

/// What it is worth and what became of it, in so much room: `● good ◉ target`, `✘ bad, fast rolled back`. With too little, the
/// record is the symbol alone.
fn standing(scene: &Scene<'_>, deployment: &Deployment, room: u16) -> Line<'static> {
    let look = scene.look();
    let sign = Sign::quality(deployment.quality(), look.glyphs);
    let role = role(scene, deployment);
    if role.content.is_empty() {
        let fate = deployment.fate.words();
        if deployment.serves.is_some() && deployment.fate != Fate::Promoted {
            return Line::from(sign.span(look));
        }
        let long = Line::from(sign.saying(look, &format!("{}, {fate}", sign.word)));
        if long.width() <= usize::from(room) {
            return long;
        }
        let short = if deployment.fate == Fate::FastRolledBack { "fast rollback" } else { fate };
        return Line::from(sign.saying(look, short));
    }
    let long = Line::from(vec![sign.span(look), Span::raw(" "), role.clone()]);
    if long.width() <= usize::from(room) { long } else { Line::from(role) }
}

/// `canary 20 %`.
fn share((arm, percent): (Arm, u8)) -> String {
    if percent == 100 { arm.to_string() } else { format!("{arm} {percent} %") }
}

fn arm_tone(deployment: &Deployment) -> Tone {
    match deployment.serves {
        Some((Arm::Canary, _)) => Tone::Canary,
        Some((Arm::Stable, _)) => Tone::Stable,
        None => Tone::Text,
    }
}

/// What it is now: its arm and share while it gets traffic, else what became of it.
pub fn now(deployment: &Deployment, look: Look<'_>) -> Span<'static> {
    let glyphs = look.glyphs;
    match (deployment.serves, deployment.fate) {
        (Some(serves), fate) => {
            let how = if fate == Fate::Promoted { ", promoted" } else { "" };
            Span::styled(format!("{}{how}", share(serves)), look.style(arm_tone(deployment)))
        }
        (None, fate) => {
            let (symbol, tone) = match fate {
                Fate::RolledBack | Fate::FastRolledBack | Fate::Aborted => (glyphs.regressed, Tone::Bad),
                Fate::Superseded | Fate::Withdrawn => (glyphs.skipped, Tone::Dim),
                Fate::Live(_) | Fate::Promoted => (glyphs.ok, Tone::Text),
                Fate::Never => (glyphs.open, Tone::Dim),
            };
            Span::styled(format!("{symbol} {}", fate.words()), look.style(tone))
        }
    }
}

/// What it is worth.
pub fn record(deployment: &Deployment, look: Look<'_>) -> Span<'static> {
    Sign::quality(deployment.quality(), look.glyphs).span(look)
}

/// What it is in what goes on, or would be in a rollback.
pub fn role(scene: &Scene<'_>, deployment: &Deployment) -> Span<'static> {
    let look = scene.look();
    let open = deployment.operation.as_ref().and_then(|id| scene.state().operation(id));
    if let Some(open) = open.filter(|open| open.is_open()) {
        let is_left = open.plan.from.reference == deployment.reference;
        return Span::styled(
            format!("{} {}", look.glyphs.running, doing(open, is_left)),
            look.style(Tone::Accent),
        );
    }
    if deployment.is_target && scene.known().is_some_and(|known| known.operation.is_none()) {
        return Span::styled(format!("{} target", look.glyphs.target), look.style(Tone::Accent));
    }
    Span::default()
}

const fn doing(operation: &Operation, is_left: bool) -> &'static str {
    match (operation.plan.kind, is_left) {
        (PlanKind::RollBack, true) => "rolling back",
        (PlanKind::RollBack, false) => "taking over",
        (PlanKind::Promote | PlanKind::Deploy { .. }, true) => "giving way",
        (PlanKind::Promote, false) => "being promoted",
        (PlanKind::Maintenance { .. }, _) => "maintenance",
        (PlanKind::Database { .. }, _) => "database",
        (PlanKind::Scale { .. }, _) => "scaling",
        (PlanKind::CleanUp, _) => "clean-up",
        (PlanKind::Deploy { .. }, false) => "being deployed",
    }
}

/// One line, for where the pane has no room.
pub fn summary(scene: &Scene<'_>) -> String {
    let all = all(scene);
    let serving = all.iter().filter_map(|deployment| {
        let (arm, percent) = deployment.serves?;
        Some(format!("{} {arm} {percent} %", deployment.version))
    });
    let mut parts: Vec<String> = serving.collect();
    if let Some(target) = all.iter().find(|deployment| deployment.is_target) {
        parts.push(format!("target {}", target.version));
    }
    if parts.is_empty() {
        return nothing(scene).to_owned();
    }
    parts.join(&format!(" {} ", scene.picture.glyphs.separator))
}

#[cfg(test)]
mod tests;
