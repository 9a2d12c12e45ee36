//! Every service, worst first: how it is doing, what is worst about it, since when, and where that is going.

use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::model::ServiceName;
use crate::model::operation::OperationStatus;
use crate::tui::glyphs::Glyphs;
use crate::tui::roster::{self, Condition};
use crate::tui::scene::Scene;
use crate::tui::signs::Sign;
use crate::tui::telling::{self, Telling, counted, since, telling, trend};
use crate::tui::theme::Tone;
use crate::tui::ui::Pane;
use crate::tui::widgets::panel::{self, Frame, Panel};
use crate::tui::widgets::spark::{self, Spark};
use crate::tui::widgets::table::{self, Column, Table};
use crate::tui::widgets::text::{age, clauses, clip, freshness, pad, put, width as wide, wrap};

/// Columns of a row that are not the trend: the mark, the gaps.
const AROUND: usize = 2;
/// Columns between two columns.
const GAP: usize = 2;
/// The widest name.
const WIDEST_NAME: u16 = 32;
/// The most that is said of a service in a row.
const WIDEST_WORDS: u16 = 48;
/// The widest trend: one cell a second.
const WIDEST_TREND: usize = 60;
/// The narrowest trend that says anything.
const NARROWEST_TREND: usize = 4;

/// Draws it.
pub fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let look = scene.look();
    let newest = scene.picture.roster.newest().map(|newest| roster::age(newest, scene.now()));
    let stale = newest.filter(|age| scene.is_too_old(*age)).map(|old| format!("no data for {}", age(old)));
    let panel = Panel {
        number: Some(Pane::Health.number() as u8),
        title: Pane::Health.title(),
        info: info(scene, newest.filter(|_| stale.is_none()), super::info_room(area, Pane::Health.title())),
        frame: if scene.ui.focus == Pane::Health { Frame::Focused } else { Frame::Quiet },
        stale: stale.as_deref(),
    };
    let inner = panel::draw(buf, area, &panel, look);
    let roster = &scene.picture.roster;
    if roster.rows().is_empty() {
        let words = if roster.total() == 0 {
            "The config has no services."
        } else {
            "No service matches the filter. Esc clears it."
        };
        for (y, line) in wrap(words, usize::from(inner.width.saturating_sub(2))).iter().enumerate() {
            put(buf, inner, (1, y as u16), line, look.style(Tone::Dim));
        }
        return;
    }
    rows(scene, inner, buf);
}

/// `4 services · 1 failing · data 1 s`, as much of it as there is room for.
fn info(scene: &Scene<'_>, newest: Option<Duration>, room: usize) -> Line<'static> {
    let look = scene.look();
    let roster = &scene.picture.roster;
    // The most important first; they are shown in another order.
    let mut parts = Vec::new();
    let failing = roster.count(Condition::Failing);
    if failing > 0 {
        parts.push((1, Span::styled(format!("{failing} failing"), look.style(Tone::Fail))));
    }
    if roster.rows().len() < roster.total() {
        let text = format!("/{} shows {}", scene.ui.filter.text, roster.rows().len());
        parts.push((2, Span::styled(text, look.style(Tone::Accent))));
    }
    if let Some(newest) = newest {
        parts.push((3, Span::raw(format!("data {}", freshness(newest)))));
    }
    parts.push((0, Span::raw(counted(roster.total(), "service"))));
    let separator = format!(" {} ", look.glyphs.separator);
    let mut left = room + wide(&separator);
    parts.retain(|(_, part)| {
        let taken = wide(&part.content) + wide(&separator);
        let fits = taken <= left;
        left = if fits { left - taken } else { 0 };
        fits
    });
    parts.sort_by_key(|(place, _)| *place);
    let mut spans = Vec::new();
    for (_, part) in parts {
        if !spans.is_empty() {
            spans.push(Span::raw(separator.clone()));
        }
        spans.push(part);
    }
    Line::from(spans)
}

/// What one row says. Made for the rows that are seen, and for no other.
struct Row<'a> {
    service: &'a ServiceName,
    condition: Condition,
    telling: Telling,
    doing: Option<(String, Tone)>,
    lasts: String,
}

impl<'a> Row<'a> {
    fn new(scene: &Scene<'_>, service: &'a ServiceName) -> Self {
        let condition = scene.condition(service);
        let lasts = match since(scene, service) {
            // The age of what is not known is in its words.
            Some(at) if !scene.is_stale(service) => lasted(condition, roster::age(at, scene.now())),
            _ => String::new(),
        };
        Self { service, condition, telling: telling(scene, service), doing: doing(scene, service), lasts }
    }

    fn words(&self, glyphs: &Glyphs) -> (String, Tone) {
        let tone = match self.condition {
            Condition::Healthy => Tone::Text,
            condition => Sign::condition(condition, glyphs).tone,
        };
        match &self.doing {
            Some(doing) => doing.clone(),
            None => (self.telling.text.clone(), tone),
        }
    }
}

/// For how long. Of what is well nobody counts the seconds.
fn lasted(condition: Condition, lasts: Duration) -> String {
    if condition == Condition::Healthy && lasts < Duration::from_secs(60) {
        "< 1 m".to_owned()
    } else {
        age(lasts)
    }
}

/// What is being done to a service.
fn doing(scene: &Scene<'_>, service: &ServiceName) -> Option<(String, Tone)> {
    let state = scene.state();
    let operation = state.operation(state.service(service)?.operation.as_ref()?)?;
    let glyphs = scene.picture.glyphs;
    if let OperationStatus::NeedsDecision { .. } = operation.status {
        return Some((format!("{} needs a decision", glyphs.unknown), Tone::Fail));
    }
    let step = operation.current().unwrap_or(0) + 1;
    let doing = telling::doing(operation);
    Some((format!("{} {doing} {step}/{}", glyphs.running, operation.steps.len()), Tone::Accent))
}

fn rows(scene: &Scene<'_>, inner: Rect, buf: &mut Buffer) {
    let look = scene.look();
    let all = scene.picture.roster.rows();
    let focused = scene.ui.focus == Pane::Health;
    let place = scene.service().and_then(|service| scene.picture.roster.place(service)).unwrap_or(0);
    let header = usize::from(usize::from(inner.height) > all.len() + 1);
    let height = usize::from(inner.height) - header.min(usize::from(inner.height));
    let top = scene.ui.service.top(place, all.len(), height);
    let shown: Vec<Row<'_>> =
        all.iter().skip(top).take(height).map(|row| Row::new(scene, &row.service)).collect();
    let ids: Vec<&ServiceName> = shown.iter().map(|row| row.service).collect();
    let find = |id: &ServiceName| shown.iter().find(|row| row.service == id);
    let scrolls = all.len() > shown.len();
    // A column of air at the end, where an arrow says that there is more.
    let width = inner.width.saturating_sub(1 + u16::from(scrolls));
    let Room { service, state, words, lasts, trend: cells, air } =
        Room::new(&shown, look.glyphs, width, header > 0);
    let with_trend = cells > 0;
    let mut columns = vec![
        Column::new("service", service.min(8), service, 0),
        Column::new("state", state, state, 0),
        Column::new("reading", words.min(16), u16::MAX, 1),
        Column::new("for", lasts, lasts, 2).at_right(),
    ];
    if with_trend {
        columns.insert(3, Column::new("trend", NARROWEST_TREND as u16, cells as u16, 3));
    }
    let cell = |id: &&ServiceName, column: usize| -> Line<'static> {
        let Some(row) = find(id) else { return Line::default() };
        match column {
            0 => Line::from(row.service.to_string()),
            1 => Line::from(Sign::condition(row.condition, look.glyphs).span(look)),
            2 => {
                let (text, tone) = row.words(look.glyphs);
                let room = usize::from(words) + air;
                let text = clauses(&text, room, look.glyphs.ellipsis);
                let text = if air > 0 { pad(&text, room, look.glyphs.ellipsis) } else { text.into_owned() };
                Line::styled(text, look.style(tone))
            }
            3 if with_trend => trend_line(scene, row, cells),
            _ => Line::styled(row.lasts.clone(), look.style(Tone::Dim)),
        }
    };
    // One that was chosen is marked as the table marks it; the worst, looked at because nobody has chosen, otherwise.
    let chosen = scene.ui.service.what.as_ref().filter(|service| scene.service() == Some(service));
    let at_hand = ids.iter().find(|id| scene.service() == Some(id));
    let selected = at_hand.filter(|id| chosen == Some(id));
    let area = Rect { width, ..inner };
    let table = Table { columns: &columns, rows: &ids, selected, top: None, header: header > 0, focused };
    let drawn = table::draw(buf, area, &table, cell, look);
    for (y, row) in (drawn.first_y..).zip(&shown) {
        let line = clip(buf, Rect { y: inner.y + y, height: 1, ..inner });
        if scene.is_stale(row.service) {
            panel::fade(buf, line, look);
        }
        if selected.is_none() && scene.service() == Some(row.service) {
            put(buf, inner, (0, y), look.glyphs.arrow, look.style(Tone::Dim));
        }
    }
    if scrolls && inner.width > 1 {
        let x = inner.width - 1;
        if top > 0 {
            put(buf, inner, (x, 0), look.glyphs.up, look.style(Tone::Dim));
        }
        if top + shown.len() < all.len() {
            put(buf, inner, (x, inner.height.saturating_sub(1)), look.glyphs.down, look.style(Tone::Dim));
        }
    }
}

/// How wide the columns are, and what they leave for the trend.
struct Room {
    service: u16,
    state: u16,
    words: u16,
    lasts: u16,
    /// Cells of the trend; none if it would say nothing.
    trend: usize,
    /// Without a trend, air in front of the last column, so that this stays at the end.
    air: usize,
}

impl Room {
    fn new(shown: &[Row<'_>], glyphs: &Glyphs, width: u16, header: bool) -> Self {
        let widest = |title: &str, most: u16, of: &dyn Fn(&Row<'_>) -> usize| {
            let title = if header { title.len() } else { 0 };
            u16::try_from(shown.iter().map(of).fold(title, usize::max)).unwrap_or(u16::MAX).min(most)
        };
        let service = widest("service", WIDEST_NAME, &|row| wide(row.service.as_str()));
        let state = widest("state", 9, &|row| 2 + row.condition.word().len());
        let words = widest("reading", WIDEST_WORDS, &|row| wide(&row.words(glyphs).0));
        let lasts = widest("for", 5, &|row| wide(&row.lasts));
        let others = AROUND + usize::from(service + state + words + lasts) + 3 * GAP;
        let left = usize::from(width).saturating_sub(others);
        let trend = left.saturating_sub(GAP).min(WIDEST_TREND);
        let is_drawn = trend >= NARROWEST_TREND && shown.iter().any(|row| row.telling.series.is_some());
        let (trend, air) = if is_drawn { (trend, 0) } else { (0, left) };
        Self { service, state, words, lasts, trend, air }
    }
}

fn trend_line(scene: &Scene<'_>, row: &Row<'_>, cells: usize) -> Line<'static> {
    let Some(series) = row.telling.series.as_ref() else {
        return Line::default();
    };
    let values = trend(scene, row.service, series, cells);
    let over = if row.condition == Condition::Failing { Tone::Fail } else { Tone::Warn };
    let spark = Spark {
        values: &values,
        // Against its limit, so that what is harmless looks harmless.
        full: series.limit.filter(|_| series.above).unwrap_or(0.0),
        limit: series.limit.filter(|_| series.above),
        tone: Tone::Dim,
        over,
    };
    spark::line(&spark, cells as u16, scene.look())
}

/// One line, for where the pane has no room.
pub fn summary(scene: &Scene<'_>) -> String {
    let roster = &scene.picture.roster;
    let separator = scene.picture.glyphs.separator;
    let count = |condition: Condition, word: &str| match roster.count(condition) {
        0 => None,
        count => Some(format!("{count} {word}")),
    };
    let counts = [
        count(Condition::Failing, "failing"),
        count(Condition::Degraded, "degraded"),
        count(Condition::Unknown, "unknown"),
        count(Condition::Healthy, "healthy"),
    ];
    let counts: Vec<String> = counts.into_iter().flatten().collect();
    let worst = roster.worst().filter(|row| scene.condition(&row.service) != Condition::Healthy);
    let worst =
        worst.map(|row| format!(" {separator} {}: {}", row.service, telling(scene, &row.service).text));
    format!("{}{}", counts.join(&format!(" {separator} ")), worst.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::testing::{self, drawn, gallery, in_mono, styles, text};
    use crate::tui::ui::{Selected, Ui};

    /// Every state at the sizes that the pane gets on large, usual and small screens.
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
        insta::assert_snapshot!(gallery(&states, &[(67, 9), (50, 8), (80, 8), (34, 6)], draw));
    }

    /// Without colour the states are told apart by symbol and word; with colour each has its own.
    #[test]
    fn the_states_have_their_looks() {
        let ui = Ui::new((120, 40));
        let dark = styles(&drawn(&testing::incident(), &ui, (67, 9), draw));
        let mono = styles(&drawn(&in_mono(testing::incident()), &ui, (67, 9), draw));
        insta::assert_snapshot!(format!("dark\n{dark}\nmono\n{mono}"));
    }

    /// A service that was chosen is marked, and stays on its row; the worst one, looked at because nobody has chosen, is
    /// marked otherwise. Of a thousand services those that are seen are listed.
    #[test]
    fn what_is_chosen_is_marked() {
        let picture = testing::many(1_000);
        let mut ui = Ui::new((120, 40));
        let top = text(&drawn(&picture, &ui, (50, 8), draw));
        ui.service = Selected { what: Some("svc-0500".into()), row: 2 };
        let middle = text(&drawn(&picture, &ui, (50, 8), draw));
        ui.service = Selected { what: Some("svc-0999".into()), row: 2 };
        let bottom = text(&drawn(&picture, &ui, (50, 8), draw));
        insta::assert_snapshot!(format!("{top}\n{middle}\n{bottom}"));
    }

    /// A filter says so, and what to do when nothing is left.
    #[test]
    fn a_filter_says_so() {
        let mut picture = testing::incident();
        let mut ui = Ui::new((120, 40));
        let mut shown = Vec::new();
        for filter in ["ca", "nobody"] {
            ui.filter.text = filter.to_owned();
            picture.roster = roster::Roster::new(&picture.settings.config, &picture.live, &ui.filter);
            shown.push(text(&drawn(&picture, &ui, (67, 6), draw)));
        }
        insta::assert_snapshot!(shown.join("\n"));
    }

    #[test]
    fn in_one_line() {
        let ui = Ui::new((80, 24));
        let line = |picture| summary(&Scene::new(&picture, &ui));
        insta::assert_snapshot!(line(testing::rest()), @"4 healthy");
        insta::assert_snapshot!(line(testing::incident()), @"1 failing · 1 degraded · 1 unknown · 1 healthy · checkout: errors 7.22 %");
        insta::assert_snapshot!(line(testing::beginning()), @"4 unknown · cart: nothing was read yet");
    }
}
