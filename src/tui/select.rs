//! Moving selections: by what is selected, never by its row, so that nothing that comes in moves them.

use ratatui::layout::Rect;

use super::commands::Motion;
use super::roster::Condition;
use super::scene::{Picture, Scene};
use super::ui::{Page, Pane, Scroll, Selected, Ui};
use super::update::Effect;

/// Lines that a pane of the board shows of its list, for half pages and the place of the selection.
fn seen(ui: &Ui) -> usize {
    let rows = usize::from(ui.size.1);
    if ui.is_wide() && !ui.zoom { (rows / 2).saturating_sub(3).max(1) } else { rows.saturating_sub(6).max(1) }
}

/// Moves the selection of the focused list, or scrolls the page that is open.
pub(super) fn moved(ui: &mut Ui, picture: &Picture, motion: Motion) {
    let seen = seen(ui);
    if let Some((page, scroll)) = ui.pages.last() {
        let rows = ui.size.1.saturating_sub(2);
        let body = Rect { x: 0, y: 1, width: ui.size.0, height: rows };
        // From where it is seen, so that no key is lost beyond either end.
        let (now, last) = super::pages::place(page, *scroll, &Scene::new(picture, ui), body);
        let half = (usize::from(rows) / 2).max(1);
        let top = match motion {
            Motion::Up => now.saturating_sub(1),
            Motion::Down => now.saturating_add(1).min(last),
            Motion::HalfUp => now.saturating_sub(half),
            Motion::HalfDown => now.saturating_add(half).min(last),
            Motion::Top => 0,
            Motion::Bottom => last,
        };
        // Whoever is at the end of what still grows stays there.
        let follows = motion == Motion::Bottom || (scroll.follows && top == last);
        if let Some((_, scroll)) = ui.pages.last_mut() {
            *scroll = Scroll { top, follows };
        }
        return;
    }
    let scene = Scene::new(picture, ui);
    match ui.focus {
        Pane::Health => {
            let rows = picture.roster.rows();
            let now = scene.service().and_then(|service| picture.roster.place(service));
            let to = step(now, rows.len(), seen, motion);
            let what = to.and_then(|to| rows.get(to)).map(|row| row.service.clone());
            take(&mut ui.service, what, now, to, seen);
            // The other panes speak of another service now.
            ui.release = Selected::default();
        }
        // The comparison is of one service; what moves is which one.
        Pane::Comparison => {
            ui.focus = Pane::Health;
            moved(ui, picture, motion);
            ui.focus = Pane::Comparison;
        }
        Pane::Deployments => {
            let releases: Vec<_> = super::panes::deployments::listed(&scene);
            let now = ui.release.what.as_ref().and_then(|it| releases.iter().position(|id| id == it));
            let to = step(now, releases.len(), seen, motion);
            let what = to.and_then(|to| releases.get(to)).cloned();
            take(&mut ui.release, what, now, to, seen);
        }
        Pane::Checklist => {
            let items = super::panes::checklist::listed(&scene);
            let now =
                super::panes::checklist::at_hand(&scene).and_then(|it| items.iter().position(|id| *id == it));
            let to = step(now, items.len(), seen, motion);
            let what = to.and_then(|to| items.get(to)).cloned();
            take(&mut ui.item, what, now, to, seen);
        }
    }
}

fn step(now: Option<usize>, total: usize, seen: usize, motion: Motion) -> Option<usize> {
    let last = total.checked_sub(1)?;
    let Some(now) = now else {
        return Some(if motion == Motion::Bottom { last } else { 0 });
    };
    Some(match motion {
        Motion::Up => now.saturating_sub(1),
        Motion::Down => (now + 1).min(last),
        Motion::HalfUp => now.saturating_sub((seen / 2).max(1)),
        Motion::HalfDown => (now + (seen / 2).max(1)).min(last),
        Motion::Top => 0,
        Motion::Bottom => last,
    })
}

fn take<T>(selected: &mut Selected<T>, what: Option<T>, from: Option<usize>, to: Option<usize>, seen: usize) {
    let (from, to) = (from.unwrap_or(0), to.unwrap_or(0));
    let row = if to >= from { selected.row + (to - from) } else { selected.row.saturating_sub(from - to) };
    selected.row = row.min(seen.saturating_sub(1));
    selected.what = what;
}

/// Selects the next service (or the one before) that is not well, and goes on at the other end.
pub(super) fn trouble(ui: &mut Ui, picture: &Picture, motion: Motion) -> Vec<Effect> {
    let rows = picture.roster.rows();
    let now = Scene::new(picture, ui).service().and_then(|service| picture.roster.place(service));
    let start = now.unwrap_or(0);
    let order = (1..=rows.len()).map(|ahead| match motion {
        Motion::Up => (start + rows.len() - ahead % rows.len().max(1)) % rows.len(),
        _ => (start + ahead) % rows.len(),
    });
    let found = order.into_iter().find(|place| rows[*place].condition != Condition::Healthy);
    if let Some(to) = found {
        let seen = seen(ui);
        take(&mut ui.service, Some(rows[to].service.clone()), now, Some(to), seen);
        ui.release = Selected::default();
    }
    Vec::new()
}

/// The name or id of what is selected.
pub(super) fn id(scene: &Scene<'_>) -> Option<String> {
    match scene.ui.page() {
        Some(Page::Operation(id)) => return Some(id.to_string()),
        Some(Page::Incident(id)) => return Some(id.to_string()),
        _ => {}
    }
    match scene.ui.focus {
        Pane::Deployments if scene.ui.release.what.is_some() => {
            scene.ui.release.what.as_ref().map(ToString::to_string)
        }
        Pane::Checklist => {
            super::panes::checklist::at_hand(scene).or_else(|| scene.service().map(ToString::to_string))
        }
        _ => scene.service().map(ToString::to_string),
    }
}
