//! The rest of the line at hand: its whole title, all that is seen of it, who said what, what is written in it, its commands.

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::{line, mark};
use crate::engine::checklist::{Checklist, Item, ItemState, Offer, Phase};
use crate::model::command::Actor;
use crate::tui::scene::Scene;
use crate::tui::theme::Tone;
use crate::tui::widgets::text::{self, plain, wrap};

/// What stands in the row of the item of its title, where that takes more than one row, and the rows below it: at most so
/// many. Everything there is to say where the pane has the focus; else only the title.
pub(super) fn of(
    scene: &Scene<'_>,
    checklist: &Checklist,
    item: &Item,
    width: u16,
    most: usize,
    everything: bool,
) -> (Option<String>, Vec<Line<'static>>) {
    let look = scene.look();
    let indent = usize::from(line::indent(item, width)) + 2;
    let columns = usize::from(width).saturating_sub(indent + 2);
    let mut out = Lines { rows: Vec::new(), indent, columns };
    let line::Widths { title: room, is_whole } = line::widths(scene, checklist, item, width);
    let title = text::clean(&item.title).into_owned();
    let mut first = None;
    let mut beside: Vec<Span<'static>> = Vec::new();
    if text::width(&title) > room && most > 0 {
        // Its words have the row to themselves; what stands beside them otherwise comes below.
        let mut lines = wrap(&title, columns.max(8)).into_iter();
        first = lines.next();
        let style = look.style(line::tone(item));
        lines.for_each(|line| out.raw(vec![Span::styled(line, style)]));
        beside = line::beside(scene, checklist, item, columns);
        if !beside.is_empty() {
            out.raw(beside.clone());
        }
    }
    let is_said = matches!(item.state, ItemState::Overridden { .. } | ItemState::NotApplicable { .. });
    if everything {
        if !is_whole
            && !is_said
            && let Some(said) = line::said(scene, item)
            && !beside.iter().any(|span| span.content == said.content)
        {
            out.text("", Style::new(), &said.content, said.style);
        }
        // A reason that stands beside the title is not said again.
        rest(scene, item, is_said && first.is_some(), &mut out);
    }
    let mut rows = out.rows;
    if rows.len() > most {
        rows.truncate(most);
        // What was left out is said where it is missed.
        if let Some(last) = rows.last_mut() {
            last.spans.push(Span::styled(format!(" {}", look.glyphs.ellipsis), look.style(Tone::Dim)));
        }
    }
    (first, rows)
}

/// What is written in a section beside its items, in at most so many rows; whole, or not at all.
pub(super) fn notes(scene: &Scene<'_>, phase: &Phase, width: u16, most: usize) -> Vec<Line<'static>> {
    let dim = scene.look().style(Tone::Dim);
    let mut out = Lines { rows: Vec::new(), indent: 2, columns: usize::from(width).saturating_sub(4) };
    for words in &phase.notes {
        let before = out.rows.len();
        out.text("", dim, &plain(words), dim);
        if out.rows.len() > most {
            out.rows.truncate(before);
            break;
        }
    }
    out.rows
}

fn rest(scene: &Scene<'_>, item: &Item, is_said: bool, out: &mut Lines) {
    let look = scene.look();
    let dim = look.style(Tone::Dim);
    let sign = mark(&item.state, scene);
    let said = match &item.state {
        ItemState::Done { by, at }
        | ItemState::NotApplicable { by, at }
        | ItemState::Overridden { by, at } => Some(format!("{} by {by} at {}", sign.word, scene.moment(*at))),
        ItemState::Regressed { by, at } => Some(format!("was settled by {by} at {}", scene.moment(*at))),
        ItemState::Deferred { until, by } => Some(format!("deferred by {by} until {until}")),
        ItemState::Running { since } => Some(format!("being done since {}", scene.moment(*since))),
        _ => None,
    };
    // What the engine saw stands in the line.
    let by_engine = matches!(&item.state, ItemState::Done { by: Actor::Engine, .. });
    let is_open = matches!(item.state, ItemState::Open | ItemState::Current);
    let why = item.note.as_ref().filter(|_| !is_open && !by_engine && !is_said);
    if let Some(said) = said {
        let why = why.map_or_else(String::new, |why| format!(": {}", plain(why)));
        out.text("", dim, &format!("{said}{why}"), dim);
    }
    let mut kept = Vec::new();
    kept.extend(item.critical.then(|| "critical: neither deferred nor left out".to_owned()));
    kept.extend(item.role.as_ref().map(|role| format!("for the {role}")));
    if !kept.is_empty() {
        out.text("", dim, &kept.join("; "), look.style(Tone::Warn));
    }
    if let Some(acts) = &item.action
        && !item.is_settled()
    {
        let with: Vec<String> = acts.with.iter().map(|(name, value)| format!("{name} {value}")).collect();
        if let Some(lacks) = &acts.lacks {
            out.text("", dim, &plain(lacks), look.style(Tone::Warn));
        } else if !with.is_empty() {
            out.text("", dim, &format!("{}: {}", acts.action, with.join(", ")), dim);
        }
    }
    for words in &item.prose {
        out.text("", dim, &plain(words), look.style(Tone::Text));
    }
    let copies = scene.picture.keymap.key_of("copy-id");
    for command in &item.commands {
        let lines = command.text.lines().filter(|line| !line.trim().is_empty());
        for (place, line) in lines.enumerate() {
            let lead = if place == 0 { "$ " } else { "  " };
            out.text(lead, look.style(Tone::Key), line, look.style(Tone::Text));
        }
        if let Offer::Refused(why) = &command.offered {
            out.text("  ", dim, &format!("to be filled in: {}", plain(why)), look.style(Tone::Warn));
        }
    }
    if let Some(key) = copies.filter(|_| !item.commands.is_empty()) {
        let words = if item.commands.len() > 1 {
            " copies the command, again the next"
        } else {
            " copies the command"
        };
        out.raw(vec![Span::styled(key, look.style(Tone::Key)), Span::styled(words, dim)]);
    }
    if let Some(asked) = &item.asked {
        let words = format!(
            "{} at {}; another person has to agree by {}",
            asked.by,
            scene.short_moment(asked.at),
            scene.short_moment(asked.until)
        );
        out.text("asked by ", dim, &words, look.style(Tone::Accent));
    }
    if let Some(older) = &item.older {
        out.text("was ", dim, older, look.style(Tone::Warn));
    }
    for note in &item.notes {
        let lead = format!("{} {}: ", scene.short_moment(note.at), note.by);
        out.text(&lead, dim, &note.text, look.style(Tone::Text));
    }
}

/// Rows below a title.
struct Lines {
    rows: Vec<Line<'static>>,
    indent: usize,
    columns: usize,
}

impl Lines {
    fn raw(&mut self, spans: Vec<Span<'static>>) {
        let mut all = vec![Span::raw(" ".repeat(self.indent))];
        all.extend(spans);
        self.rows.push(Line::from(all));
    }

    /// A text in as many rows as it takes, behind something.
    fn text(&mut self, lead: &str, lead_style: Style, words: &str, style: Style) {
        let words = text::clean(words);
        let wide = text::width(lead);
        for (number, row) in wrap(&words, self.columns.saturating_sub(wide).max(8)).into_iter().enumerate() {
            let lead = if number == 0 { lead.to_owned() } else { " ".repeat(wide) };
            self.rows.push(Line::from(vec![
                Span::raw(" ".repeat(self.indent)),
                Span::styled(lead, lead_style),
                Span::styled(row, style),
            ]));
        }
    }
}
