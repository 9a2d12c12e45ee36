//! Where there is no room for panes: the worst service, what is being done or to be done, and the keys.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::panes::checklist;
use super::scene::Scene;
use super::signs::Sign;
use super::telling::{Advice, advice, counted, since, telling};
use super::theme::Tone;
use super::widgets::text::{Cut, age, clip, fit, plain, put, width, wrap};
use super::{footer, header, roster};
use crate::model::ServiceName;
use crate::model::operation::{Operation, OperationStatus};

/// Below this there is a line, and how much room is needed if there is a second one.
const LEAST: (u16, u16) = (24, 5);

/// Draws it.
pub fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let area = clip(buf, area);
    if area.is_empty() {
        return;
    }
    if area.width < LEAST.0 || area.height < LEAST.1 {
        return least(scene, area, buf);
    }
    header::draw(scene, Rect { height: 1, ..area }, buf);
    let body = Rect { x: area.x + 1, y: area.y + 1, width: area.width - 2, height: area.height - 2 };
    let mut lines = Lines { body, y: 0 };
    let roomy = body.height >= 7;
    if roomy {
        lines.skip();
    }
    match scene.service() {
        Some(service) => one(scene, service, &mut lines, buf, roomy),
        None => lines.wrapped(scene, buf, "No service is shown. Esc clears the filter.", Tone::Dim, 2),
    }
    footer::draw(scene, Rect { y: area.y + 1, height: area.height - 1, ..area }, buf);
}

/// Where the next line goes.
struct Lines {
    body: Rect,
    y: u16,
}

impl Lines {
    const fn skip(&mut self) {
        self.y += 1;
    }

    const fn left(&self) -> u16 {
        self.body.height.saturating_sub(self.y)
    }

    fn wrapped(&mut self, scene: &Scene<'_>, buf: &mut Buffer, text: &str, tone: Tone, most: usize) {
        let room = usize::from(self.body.width);
        let lines = wrap(text, room);
        let most = most.min(usize::from(self.left()));
        let ellipsis = scene.picture.glyphs.ellipsis;
        for (number, line) in lines.iter().take(most).enumerate() {
            let is_last = number + 1 == most;
            // The last line goes on with what has none of its own, and says that it was cut.
            let line = if is_last { lines[number..].join(" ") } else { line.clone() };
            put(buf, self.body, (0, self.y), &fit(&line, room, Cut::End, ellipsis), scene.look().style(tone));
            self.y += 1;
        }
    }
}

fn one(scene: &Scene<'_>, service: &ServiceName, lines: &mut Lines, buf: &mut Buffer, roomy: bool) {
    let look = scene.look();
    let condition = scene.condition(service);
    let sign = Sign::condition(condition, look.glyphs);
    let words = format!("{} {}", sign.symbol, sign.word);
    let x = put(buf, lines.body, (0, lines.y), &words, look.style(sign.tone));
    let since = since(scene, service).filter(|_| !scene.is_stale(service));
    let lasts = since.map(|at| age(roster::age(at, scene.now()))).unwrap_or_default();
    let room = usize::from(lines.body.width).saturating_sub(usize::from(x) + 2);
    let name = fit(service.as_str(), room, Cut::Middle, look.glyphs.ellipsis);
    let end = put(buf, lines.body, (x + 2, lines.y), &name, look.style(Tone::Title));
    let from = lines.body.width.saturating_sub(width(&lasts) as u16);
    if from > end + 1 {
        put(buf, lines.body, (from, lines.y), &lasts, look.style(Tone::Dim));
    }
    lines.skip();
    lines.wrapped(scene, buf, &telling(scene, service).text, sign.tone, 2);
    if roomy {
        lines.skip();
    }
    if let Some((words, tone)) = step(scene) {
        lines.wrapped(scene, buf, &words, tone, 2);
    }
    if lines.left() > 1 && roomy {
        lines.skip();
    }
    let roster = &scene.picture.roster;
    let failing = roster.count(roster::Condition::Failing);
    let counts = format!(
        "{}{}",
        counted(roster.total(), "service"),
        if failing > 0 { format!(" {} {failing} failing", look.glyphs.separator) } else { String::new() }
    );
    if lines.left() > 0 {
        lines.wrapped(scene, buf, &counts, Tone::Dim, 1);
    }
    // What room there is goes to the others, worst first.
    let others = roster.rows().iter().filter(|row| &row.service != service);
    for row in others.take(usize::from(lines.left())) {
        let Sign { symbol, word, tone } = Sign::condition(scene.condition(&row.service), look.glyphs);
        let text = format!("{symbol} {word} {} {}", row.service, telling(scene, &row.service).text);
        lines.wrapped(scene, buf, &text, tone, 1);
    }
}

/// What is being done, or the next thing to do.
fn step(scene: &Scene<'_>) -> Option<(String, Tone)> {
    if let Some(operation) = scene.open_operation() {
        return Some(current(scene, operation));
    }
    if let Some(Advice { tone, words, more }) = advice(scene).filter(|advice| advice.tone == Tone::Fail) {
        return Some((format!("{words}: {more}"), tone));
    }
    // The line that keys speak to.
    let list = checklist::of(scene, checklist::incident(scene)?);
    let item = list.item(&checklist::at_hand(scene)?)?;
    let (settled, total) = list.progress();
    let glyphs = scene.picture.glyphs;
    Some((format!("{} {} {} {settled}/{total}", glyphs.current, item.title, glyphs.separator), Tone::Text))
}

/// The step of an operation that is being worked on.
fn current(scene: &Scene<'_>, operation: &Operation) -> (String, Tone) {
    let glyphs = scene.picture.glyphs;
    if let OperationStatus::NeedsDecision { facts, .. } = &operation.status {
        return (format!("{} DECIDE: {facts}", glyphs.unknown), Tone::Fail);
    }
    let at = operation.current().unwrap_or(0);
    let title = operation.plan.steps.get(at).map_or("", |step| step.title.as_str());
    let title = plain(title);
    (format!("{} {}/{} {title}", glyphs.running, at + 1, operation.steps.len()), Tone::Accent)
}

/// The worst status, and the room that is needed.
fn least(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let look = scene.look();
    let worst = scene.picture.roster.worst();
    let room = usize::from(area.width);
    let (text, style) = match worst {
        Some(row) => {
            let Sign { symbol, word, tone } = Sign::condition(scene.condition(&row.service), look.glyphs);
            let sign = format!("{symbol} {word}");
            let long = format!("{sign} {} {}", row.service, telling(scene, &row.service).text);
            let short = format!("{sign} {}", row.service);
            let text = [long, short].into_iter().find(|text| width(text) <= room).unwrap_or(sign);
            (text, look.style(tone))
        }
        None => ("no service".to_owned(), Style::new()),
    };
    put(buf, area, (0, 0), &fit(&text, room, Cut::End, look.glyphs.ellipsis), style);
    let needs = format!("needs {}×{}", LEAST.0, LEAST.1);
    if area.height > 1 && width(&needs) <= room {
        put(buf, area, (0, area.height - 1), &needs, look.style(Tone::Dim));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::testing::{self, gallery};
    use crate::tui::ui::Ui;

    /// The worst service and the current step are seen for as long as there is room for them.
    #[test]
    fn every_state() {
        let ui = Ui::new((40, 10));
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
        insta::assert_snapshot!(gallery(&states, &[(40, 10), (59, 15)], draw));
    }

    /// Smaller still there is the worst status, and how much room is needed.
    #[test]
    fn smaller_still() {
        let ui = Ui::new((40, 10));
        let picture = testing::incident();
        let sizes = [(30, 6), (24, 5), (40, 3), (23, 10), (20, 1), (10, 2), (3, 1)];
        insta::assert_snapshot!(gallery(&[("incident", &picture, &ui)], &sizes, draw));
    }
}
