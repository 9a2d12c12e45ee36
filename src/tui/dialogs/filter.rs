//! The filter's line: the services are filtered as it is typed.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use tui_input::{Input, InputRequest};

use super::Reaction;
use crate::tui::key::{Code, Key};
use crate::tui::roster::Filter;
use crate::tui::scene::Scene;
use crate::tui::theme::Tone;

/// The filter's line.
#[derive(Debug)]
pub struct FilterLine {
    input: Input,
    before: Filter,
}

impl FilterLine {
    /// With the filter that holds.
    pub fn new(filter: &Filter) -> Self {
        Self { input: Input::new(filter.text.clone()), before: filter.clone() }
    }

    fn changed(&self) -> Reaction {
        Reaction::Filter(Filter { text: self.input.value().to_owned() })
    }

    /// Enter keeps the filter, Esc takes back what was typed.
    pub fn key(&mut self, _: &Scene<'_>, key: Key) -> Reaction {
        match key.code {
            Code::Enter => Reaction::Close,
            Code::Esc if self.input.value() == self.before.text => Reaction::Close,
            Code::Esc => {
                self.input = Input::new(self.before.text.clone());
                self.changed()
            }
            _ => {
                edit(&mut self.input, key);
                self.changed()
            }
        }
    }

    /// Puts text into the line.
    pub fn paste(&mut self, text: &str) -> Reaction {
        insert(&mut self.input, text);
        self.changed()
    }

    /// Over the footer.
    pub fn draw(&self, scene: &Scene<'_>, area: Rect, buf: &mut Buffer) -> Option<Position> {
        let line = Rect { y: area.bottom().saturating_sub(1), height: area.height.min(1), ..area };
        if line.is_empty() {
            return None;
        }
        let theme = &scene.picture.theme;
        for x in line.left()..line.right() {
            buf[(x, line.y)].reset();
        }
        buf.set_stringn(line.x, line.y, " /", usize::from(line.width), theme.style(Tone::Key));
        let room = line.width.saturating_sub(3);
        let scroll = self.input.visual_scroll(usize::from(room));
        let shown: String = self.input.value().chars().skip(scroll).collect();
        buf.set_stringn(line.x + 2, line.y, shown, usize::from(room), theme.style(Tone::Input));
        let column = self.input.visual_cursor().saturating_sub(scroll) as u16;
        Some(Position::new((line.x + 2 + column).min(line.right().saturating_sub(1)), line.y))
    }
}

/// Edits a line of text as a shell does.
pub(super) fn edit(input: &mut Input, key: Key) {
    let request = match (key.code, key.control) {
        (Code::Backspace, _) | (Code::Char('h'), true) => InputRequest::DeletePrevChar,
        (Code::Delete, _) | (Code::Char('d'), true) => InputRequest::DeleteNextChar,
        (Code::Left, false) | (Code::Char('b'), true) => InputRequest::GoToPrevChar,
        (Code::Right, false) | (Code::Char('f'), true) => InputRequest::GoToNextChar,
        (Code::Left, true) => InputRequest::GoToPrevWord,
        (Code::Right, true) => InputRequest::GoToNextWord,
        (Code::Home, _) | (Code::Char('a'), true) => InputRequest::GoToStart,
        (Code::End, _) | (Code::Char('e'), true) => InputRequest::GoToEnd,
        (Code::Char('u'), true) => InputRequest::DeleteLine,
        (Code::Char('w'), true) => InputRequest::DeletePrevWord,
        (Code::Char('k'), true) => InputRequest::DeleteTillEnd,
        _ => match key.text() {
            Some(char) => InputRequest::InsertChar(char),
            None => return,
        },
    };
    input.handle(request);
}

/// Puts text in where the cursor is.
pub(super) fn insert(input: &mut Input, text: &str) {
    for char in text.chars() {
        input.handle(InputRequest::InsertChar(char));
    }
}
