//! The question before leaving while something would stop with this console.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use super::{Overlay, Reaction, frame};
use crate::engine::runtime::Leadership;
use crate::tui::commands::Action;
use crate::tui::key::{Code, Key};
use crate::tui::scene::{Picture, Scene};
use crate::tui::theme::Tone;
use crate::tui::ui::Ui;
use crate::tui::update::{Effect, Invocation};
use crate::tui::widgets::panel::Frame;
use crate::tui::widgets::text::{clean, put, wrap};

/// The question before leaving.
#[derive(Debug)]
pub struct Leave {
    /// What would stop.
    pub stops: Vec<String>,
    /// The key that leaves.
    confirm: char,
    seen: bool,
}

/// Leaves, or asks first if an operation runs that would stop with this console; `^c` in the question leaves.
pub fn quit(ui: &mut Ui, picture: &Picture, asked: &Invocation) -> Vec<Effect> {
    let was_asked = matches!(ui.overlay, Overlay::Leave(_));
    let stops: Vec<String> = match picture.live.leadership {
        Leadership::Ours(_) => picture
            .live
            .state
            .open_operations()
            .map(|operation| format!("{}: {}", operation.id, operation.plan.purpose))
            .collect(),
        _ => Vec::new(),
    };
    if stops.is_empty() || (was_asked && asked.action == Action::ForceQuit) {
        return vec![Effect::Quit];
    }
    // The key that asked is not the one that leaves.
    let confirm = if asked.by == Some(Key::char('y')) { 'Y' } else { 'y' };
    ui.overlay = Overlay::Leave(Leave { stops, confirm, seen: false });
    Vec::new()
}

impl Leave {
    /// `y` leaves.
    pub fn key(&mut self, key: Key) -> Reaction {
        match key.code {
            Code::Esc | Code::Char('n') => Reaction::Close,
            _ if self.seen && key == Key::char(self.confirm) => Reaction::CloseAnd(vec![Effect::Quit]),
            _ => Reaction::Stay,
        }
    }

    /// A frame with it has been seen.
    pub const fn seen(&mut self) {
        self.seen = true;
    }

    /// In the middle. What leaves is said at every size.
    pub fn draw(&self, scene: &Scene<'_>, area: Rect, buf: &mut Buffer) -> Option<Position> {
        let look = scene.look();
        let columns = 66;
        let (_, inner) = frame::place(area, columns, u16::MAX);
        let width = usize::from(inner.width);
        let mut lines: Vec<(String, Tone)> = Vec::new();
        let mut say = |text: &str, tone| {
            lines.extend(wrap(&clean(text).replace('`', ""), width).into_iter().map(|line| (line, tone)));
        };
        let is_narrow = inner.width < 36;
        say(
            if is_narrow {
                "stops with it:"
            } else {
                "This console leads. What goes on here stops when it leaves:"
            },
            Tone::Text,
        );
        for stop in &self.stops {
            say(stop, Tone::Warn);
        }
        say(
            "It stands where it is until somebody leads again, and then goes on: a guard does (`unship guard`), and so does the next console.",
            Tone::Dim,
        );
        let title = "Leave";
        let rows = u16::try_from(lines.len()).unwrap_or(u16::MAX).saturating_add(2);
        let (outer, inner) = frame::place(area, columns, rows);
        frame::open(scene, (outer, inner), buf, title, Frame::Focused);
        let separator = look.glyphs.separator;
        let confirms = if is_narrow {
            format!("{} leaves", self.confirm)
        } else {
            format!("{} leaves {separator} ^c too {separator} Esc stays", self.confirm)
        };
        let room = inner.height.saturating_sub(1);
        for (row, (line, tone)) in lines.iter().take(usize::from(room)).enumerate() {
            put(buf, inner, (0, u16::try_from(row).unwrap_or(0)), line, look.style(*tone));
        }
        if inner.height > 0 {
            put(buf, inner, (0, inner.height - 1), &confirms, look.style(Tone::Key));
        }
        None
    }
}
