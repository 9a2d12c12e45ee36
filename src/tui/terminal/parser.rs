//! What a terminal sends, as events. Pure: bytes go in, events come out, and a byte that makes no sense is dropped.
//!
//! crossterm's own reader is not used: when the terminal goes away it reads without end and without a pause, and its
//! thread takes keys from a shell while the console is suspended. The events are crossterm's, so that whatever
//! understands those understands these.
//!
//! The forms are those of xterm's `ctlseqs`, the Linux console and the keyboard protocol of kitty.

use std::collections::VecDeque;
use std::time::Duration;

use crossterm::event::{
    Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEvent, MouseEventKind,
};

/// How long after ESC the rest of a sequence may come. Shorter, and a slow line turns an arrow into Esc and letters;
/// longer, and Esc itself is felt to be late.
const ESCAPE: Duration = Duration::from_millis(25);
/// How long a paste may pause before it counts as over.
const PASTE: Duration = Duration::from_secs(1);
/// The longest sequence that is understood, in bytes. Longer ones are dropped whole.
const LONGEST: usize = 64;
/// The longest paste that is kept, in bytes; the rest of it is dropped.
pub(crate) const LONGEST_PASTE: usize = 64 * 1024;
/// What ends a paste.
const PASTE_END: &[u8] = b"\x1b[201~";

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Ground,
    /// Within a character of this many bytes.
    Utf8(usize),
    Escape,
    /// After ESC O.
    Ss3,
    /// After ESC [, with what came since in the buffer.
    Csi,
    /// A sequence that is too long, until its end.
    Dropped,
    /// Function keys of the Linux console, after ESC [ [.
    Linux,
    /// The three bytes of an old mouse report, so many of them left.
    OldMouse(u8),
    /// An answer of the terminal, begun by this byte; dropped.
    Answer(u8),
    /// ESC within an answer.
    AnswerEscape,
    /// A paste, with so many bytes of its end matched.
    Paste(usize),
}

/// Turns bytes into events.
#[derive(Debug)]
pub(crate) struct Parser {
    state: State,
    /// What belongs to the state.
    buffer: Vec<u8>,
    /// Whether the character being read came after ESC.
    alt: bool,
    events: VecDeque<Event>,
}

impl Parser {
    pub(crate) const fn new() -> Self {
        Self { state: State::Ground, buffer: Vec::new(), alt: false, events: VecDeque::new() }
    }

    /// The next event.
    pub(crate) fn pop(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Forgets everything that was read.
    pub(crate) fn clear(&mut self) {
        *self = Self::new();
    }

    /// How long the rest of what has begun may take; none if nothing has begun.
    pub(crate) const fn patience(&self) -> Option<Duration> {
        match self.state {
            State::Ground => None,
            State::Paste(_) => Some(PASTE),
            _ => Some(ESCAPE),
        }
    }

    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.take(byte);
        }
    }

    /// The rest of what has begun did not come in time: a lone ESC is a key, the rest is dropped.
    pub(crate) fn give_up(&mut self) {
        let state = std::mem::replace(&mut self.state, State::Ground);
        match state {
            State::Escape => self.key(KeyCode::Esc, KeyModifiers::NONE),
            State::Ss3 => self.character('O', KeyModifiers::ALT),
            State::Csi if self.buffer.is_empty() => self.character('[', KeyModifiers::ALT),
            State::Answer(first) if self.buffer.is_empty() => {
                self.character(char::from(first), KeyModifiers::ALT);
            }
            State::Paste(_) => self.paste(),
            _ => {}
        }
        self.buffer.clear();
        self.alt = false;
    }

    fn take(&mut self, byte: u8) {
        match self.state {
            State::Ground => self.ground(byte),
            State::Utf8(length) => self.utf8(byte, length),
            State::Escape => self.escape(byte),
            State::Ss3 => {
                self.state = State::Ground;
                if byte == 0x1b {
                    self.character('O', KeyModifiers::ALT);
                    self.state = State::Escape;
                } else {
                    self.ss3(byte);
                }
            }
            State::Csi => self.csi(byte),
            State::Dropped => match byte {
                0x40..=0x7e => self.state = State::Ground,
                0x1b => self.begin(State::Escape),
                _ => {}
            },
            State::Linux => {
                self.state = State::Ground;
                match byte {
                    b'A'..=b'E' => self.key(KeyCode::F(byte - b'A' + 1), KeyModifiers::NONE),
                    0x1b => self.begin(State::Escape),
                    _ => {}
                }
            }
            State::OldMouse(left) => {
                self.state = if left > 1 { State::OldMouse(left - 1) } else { State::Ground };
            }
            State::Answer(first) => match byte {
                0x07 | 0x18 | 0x1a => self.begin(State::Ground),
                0x1b if self.buffer.is_empty() => {
                    self.character(char::from(first), KeyModifiers::ALT);
                    self.begin(State::Escape);
                }
                0x1b => self.state = State::AnswerEscape,
                // Only that it has begun matters.
                _ => {
                    self.buffer.clear();
                    self.buffer.push(byte);
                }
            },
            State::AnswerEscape => {
                self.begin(State::Escape);
                if byte == b'\\' {
                    self.begin(State::Ground);
                } else {
                    self.take(byte);
                }
            }
            State::Paste(matched) => self.pasted(byte, matched),
        }
    }

    fn begin(&mut self, state: State) {
        self.buffer.clear();
        self.state = state;
    }

    fn ground(&mut self, byte: u8) {
        let modifiers = if std::mem::take(&mut self.alt) { KeyModifiers::ALT } else { KeyModifiers::NONE };
        let control = modifiers | KeyModifiers::CONTROL;
        match byte {
            0x1b => self.begin(State::Escape),
            b'\r' => self.key(KeyCode::Enter, modifiers),
            b'\t' => self.key(KeyCode::Tab, modifiers),
            0x7f => self.key(KeyCode::Backspace, modifiers),
            0x00 => self.key(KeyCode::Char(' '), control),
            0x01..=0x1a => self.key(KeyCode::Char(char::from(byte - 1 + b'a')), control),
            // ^\ ^] ^^ ^_ under the names that crossterm has for them.
            0x1c..=0x1f => self.key(KeyCode::Char(char::from(byte - 0x1c + b'4')), control),
            0x20..=0x7e => self.character(char::from(byte), modifiers),
            _ => {
                let length = match byte {
                    0xc2..=0xdf => 2,
                    0xe0..=0xef => 3,
                    0xf0..=0xf4 => 4,
                    // No character begins like this.
                    _ => return,
                };
                self.alt = !modifiers.is_empty();
                self.begin(State::Utf8(length));
                self.buffer.push(byte);
            }
        }
    }

    fn utf8(&mut self, byte: u8, length: usize) {
        if !(0x80..=0xbf).contains(&byte) {
            // Cut off: what comes now is something else.
            self.alt = false;
            self.begin(State::Ground);
            return self.take(byte);
        }
        self.buffer.push(byte);
        if self.buffer.len() == length {
            let c = std::str::from_utf8(&self.buffer).ok().and_then(|text| text.chars().next());
            let modifiers =
                if std::mem::take(&mut self.alt) { KeyModifiers::ALT } else { KeyModifiers::NONE };
            self.begin(State::Ground);
            if let Some(c) = c {
                self.character(c, modifiers);
            }
        }
    }

    fn escape(&mut self, byte: u8) {
        match byte {
            b'[' => self.begin(State::Csi),
            b'O' => self.begin(State::Ss3),
            b']' | b'P' | b'X' | b'^' | b'_' => self.begin(State::Answer(byte)),
            0x1b => self.key(KeyCode::Esc, KeyModifiers::NONE),
            _ => {
                self.begin(State::Ground);
                self.alt = true;
                self.ground(byte);
            }
        }
    }

    fn ss3(&mut self, byte: u8) {
        let code = match byte {
            b'P'..=b'S' => KeyCode::F(byte - b'P' + 1),
            // The keypad in application mode.
            b'M' => KeyCode::Enter,
            b'j'..=b'y' => KeyCode::Char(char::from(byte - b'j' + b'*')),
            _ => match cursor_key(byte) {
                Some(code) => code,
                None => return,
            },
        };
        self.key(code, KeyModifiers::NONE);
    }

    fn csi(&mut self, byte: u8) {
        match byte {
            0x20..=0x3f if self.buffer.len() < LONGEST => self.buffer.push(byte),
            0x20..=0x3f => self.begin(State::Dropped),
            b'[' if self.buffer.is_empty() => self.begin(State::Linux),
            b'M' if self.buffer.is_empty() => self.begin(State::OldMouse(3)),
            0x40..=0x7e => {
                self.state = State::Ground;
                let parameters = std::mem::take(&mut self.buffer);
                self.sequence(&parameters, byte);
                // Its room is used again.
                self.buffer = parameters;
                self.buffer.clear();
            }
            // Broken off: what comes now is something else.
            _ => {
                self.begin(State::Ground);
                self.ground(byte);
            }
        }
    }

    /// A whole sequence: what stood between ESC [ and its last byte.
    fn sequence(&mut self, parameters: &[u8], last: u8) {
        if let Some(report) = parameters.strip_prefix(b"<") {
            if let Some(event) = mouse(report, last) {
                self.events.push_back(Event::Mouse(event));
            }
            return;
        }
        // Anything else with a mark of its own is an answer to a question nobody asked.
        if parameters.iter().any(|byte| !(byte.is_ascii_digit() || matches!(byte, b';' | b':'))) {
            return;
        }
        let first = number(parameters, 0, 0);
        let modified = number(parameters, 1, 0).unwrap_or(1);
        let mut modifiers = modifiers(modified);
        let kind = match number(parameters, 1, 1) {
            Some(2) => KeyEventKind::Repeat,
            Some(3) => return,
            _ => KeyEventKind::Press,
        };
        let code = match last {
            b'A'..=b'F' | b'H' => cursor_key(last),
            b'P' | b'Q' | b'S' => Some(KeyCode::F(last - b'P' + 1)),
            // Without modifiers it would be a report of the cursor's place.
            b'R' if first == Some(1) && modified > 1 => Some(KeyCode::F(3)),
            b'Z' => {
                modifiers |= KeyModifiers::SHIFT;
                Some(KeyCode::BackTab)
            }
            b'u' => first.and_then(coded_key),
            b'~' if first == Some(200) => return self.begin(State::Paste(0)),
            // xterm's `modifyOtherKeys`.
            b'~' if first == Some(27) => number(parameters, 2, 0).and_then(coded_key),
            b'~' => first.and_then(numbered_key),
            _ => None,
        };
        match code {
            Some(KeyCode::Tab) if modifiers.contains(KeyModifiers::SHIFT) => {
                self.keyed(KeyCode::BackTab, modifiers, kind);
            }
            Some(KeyCode::Char(c)) => {
                let c = if modifiers.contains(KeyModifiers::SHIFT) { shifted(c) } else { c };
                self.keyed(KeyCode::Char(c), modifiers, kind);
            }
            Some(code) => self.keyed(code, modifiers, kind),
            None => {}
        }
    }

    fn pasted(&mut self, byte: u8, matched: usize) {
        if byte == PASTE_END[matched] {
            self.state = State::Paste(matched + 1);
            if matched + 1 == PASTE_END.len() {
                self.state = State::Ground;
                self.paste();
            }
            return;
        }
        // It only looked like the end. ESC is nowhere but at its beginning, so a new match can only begin now.
        self.keep(&PASTE_END[..matched]);
        self.state = State::Paste(usize::from(byte == PASTE_END[0]));
        if byte != PASTE_END[0] {
            self.keep(&[byte]);
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = LONGEST_PASTE.saturating_sub(self.buffer.len());
        self.buffer.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn paste(&mut self) {
        let text = String::from_utf8_lossy(&self.buffer).into_owned();
        // A large paste leaves no large buffer behind.
        self.buffer = Vec::new();
        self.events.push_back(Event::Paste(text));
    }

    fn character(&mut self, c: char, modifiers: KeyModifiers) {
        let shift = if c.is_uppercase() { KeyModifiers::SHIFT } else { KeyModifiers::NONE };
        self.key(KeyCode::Char(c), modifiers | shift);
    }

    fn key(&mut self, code: KeyCode, modifiers: KeyModifiers) {
        self.keyed(code, modifiers, KeyEventKind::Press);
    }

    fn keyed(&mut self, code: KeyCode, modifiers: KeyModifiers, kind: KeyEventKind) {
        self.events.push_back(Event::Key(KeyEvent::new_with_kind(code, modifiers, kind)));
    }
}

/// Part `sub` (from 0, parted by `:`) of parameter `index` (from 0, parted by `;`).
fn number(parameters: &[u8], index: usize, sub: usize) -> Option<u32> {
    let parameter = parameters.split(|byte| *byte == b';').nth(index)?;
    let part = parameter.split(|byte| *byte == b':').nth(sub)?;
    std::str::from_utf8(part).ok()?.parse().ok()
}

/// Modifiers are sent as their bits plus one.
fn modifiers(number: u32) -> KeyModifiers {
    let bits = number.saturating_sub(1);
    [
        (1, KeyModifiers::SHIFT),
        (2, KeyModifiers::ALT),
        (4, KeyModifiers::CONTROL),
        (8, KeyModifiers::SUPER),
        (16, KeyModifiers::HYPER),
        (32, KeyModifiers::META),
    ]
    .into_iter()
    .filter(|(bit, _)| bits & bit != 0)
    .fold(KeyModifiers::NONE, |all, (_, modifier)| all | modifier)
}

const fn cursor_key(byte: u8) -> Option<KeyCode> {
    Some(match byte {
        b'A' => KeyCode::Up,
        b'B' => KeyCode::Down,
        b'C' => KeyCode::Right,
        b'D' => KeyCode::Left,
        b'E' => KeyCode::KeypadBegin,
        b'F' => KeyCode::End,
        b'H' => KeyCode::Home,
        _ => return None,
    })
}

/// The keys of the VT220 and its successors, `ESC [ number ~`.
fn numbered_key(number: u32) -> Option<KeyCode> {
    let function = |base: u32| u8::try_from(number - base).ok().map(KeyCode::F);
    match number {
        1 | 7 => Some(KeyCode::Home),
        2 => Some(KeyCode::Insert),
        3 => Some(KeyCode::Delete),
        4 | 8 => Some(KeyCode::End),
        5 => Some(KeyCode::PageUp),
        6 => Some(KeyCode::PageDown),
        // The numbers have gaps.
        11..=15 => function(10),
        17..=21 => function(11),
        23..=26 => function(12),
        28..=29 => function(13),
        31..=34 => function(14),
        _ => None,
    }
}

/// A key by its character's number.
fn coded_key(number: u32) -> Option<KeyCode> {
    match number {
        9 => Some(KeyCode::Tab),
        13 => Some(KeyCode::Enter),
        27 => Some(KeyCode::Esc),
        8 | 127 => Some(KeyCode::Backspace),
        // Keys without a character, in Unicode's private range.
        0xe000..=0xf8ff => None,
        _ => char::from_u32(number).filter(|c| !c.is_control()).map(KeyCode::Char),
    }
}

fn shifted(c: char) -> char {
    let mut upper = c.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(upper), None) => upper,
        _ => c,
    }
}

/// A mouse report in SGR form, `ESC [ < buttons ; column ; row` and `M` (pressed) or `m` (released).
fn mouse(report: &[u8], last: u8) -> Option<MouseEvent> {
    let pressed = match last {
        b'M' => true,
        b'm' => false,
        _ => return None,
    };
    let bits = number(report, 0, 0)?;
    let place = |index| number(report, index, 0).and_then(|n| u16::try_from(n.saturating_sub(1)).ok());
    let (column, row) = (place(1)?, place(2)?);
    let button = match bits & 3 {
        0 => Some(MouseButton::Left),
        1 => Some(MouseButton::Middle),
        2 => Some(MouseButton::Right),
        _ => None,
    };
    let kind = match (bits & 0b1100_0000, bits & 32 != 0, button) {
        (64, _, _) => match bits & 3 {
            0 => MouseEventKind::ScrollUp,
            1 => MouseEventKind::ScrollDown,
            2 => MouseEventKind::ScrollLeft,
            _ => MouseEventKind::ScrollRight,
        },
        (0, true, Some(button)) => MouseEventKind::Drag(button),
        (0, true, None) => MouseEventKind::Moved,
        (0, false, Some(button)) if pressed => MouseEventKind::Down(button),
        (0, false, Some(button)) => MouseEventKind::Up(button),
        _ => return None,
    };
    let mut held = KeyModifiers::NONE;
    for (bit, modifier) in [(4, KeyModifiers::SHIFT), (8, KeyModifiers::ALT), (16, KeyModifiers::CONTROL)] {
        if bits & bit != 0 {
            held |= modifier;
        }
    }
    Some(MouseEvent { kind, column, row, modifiers: held })
}

#[cfg(test)]
mod tests;
