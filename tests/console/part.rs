//! This test program, started again in a terminal: the smallest program that does with it what the console does.

use std::io::{self, Write as _};

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use portable_pty::CommandBuilder;
use ratatui::Frame;
use ratatui::layout::Position;
use ratatui::style::Style;
use ratatui::text::Line;
use unship::tui::terminal::{self, Input, Options, PANICKED, Signal, Signals, Terminal};

use super::harness::program;

const PART: &str = "UNSHIP_TEST_PART";

/// What to run to play a part: `usual`, `deaf` (it does not hear SIGHUP), `flood` (only F12 does something) or `full`
/// (every event changes the whole screen).
pub(crate) fn command(part: &str) -> CommandBuilder {
    let mut command = program(std::env::current_exe().unwrap());
    command.args(["part::part", "--exact", "--nocapture", "--test-threads=1"]);
    command.env(PART, part);
    command
}

/// The same for a shell.
pub(crate) fn command_line(part: &str) -> String {
    let program = std::env::current_exe().unwrap();
    format!("{PART}={part} '{}' part::part --exact --nocapture --test-threads=1", program.display())
}

/// Not a test by itself: what the other process does. Without a part it does nothing.
#[test]
fn part() {
    let Ok(part) = std::env::var(PART) else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let code = match runtime.block_on(play(&part)) {
        Ok(code) => code,
        Err(error) if terminal::is_gone(&error) => 9,
        Err(error) => {
            // Nobody may be there to read it.
            let _ = writeln!(io::stderr(), "part: {error}");
            1
        }
    };
    std::process::exit(code.into());
}

struct Picture {
    events: u64,
    last: String,
    /// Where the cursor is shown.
    cursor: Option<Position>,
    panics: bool,
    is_full: bool,
    heard: &'static str,
}

impl Picture {
    fn draw(&self, frame: &mut Frame<'_>) {
        let area = frame.area();
        let lines = [
            "the part plays".to_owned(),
            format!("size {}x{}", area.width, area.height),
            format!("last {}", self.last),
            format!("events {}", self.events),
            self.heard.to_owned(),
        ];
        for (y, line) in (area.y..area.bottom()).zip(&lines) {
            let style = if y == 0 { Style::new().red().bold() } else { Style::new() };
            frame.buffer_mut().set_line(area.x, y, &Line::styled(line.as_str(), style), area.width);
        }
        if self.is_full {
            let letter = ["a", "b", "c", "d", "e"][(self.events % 5) as usize];
            for position in area.positions().filter(|position| usize::from(position.y) >= lines.len()) {
                frame.buffer_mut()[position].set_symbol(letter);
            }
        }
        if let Some(cursor) = self.cursor {
            frame.set_cursor_position(cursor);
        }
        assert!(!self.panics, "while drawing");
    }
}

async fn suspend(
    terminal: &mut Terminal,
    signals: &mut Signals,
    input: &mut Input,
) -> io::Result<&'static str> {
    Ok(if terminal.suspend(signals, input).await? { "back" } else { "no shell" })
}

async fn play(part: &str) -> io::Result<u8> {
    let mut signals = Signals::listen()?;
    let mut terminal = Terminal::take(Options { mouse: false, log: Some("/the/log".into()) })?;
    let mut input = terminal.input()?;
    let mut picture = Picture {
        events: 0,
        last: "none".to_owned(),
        cursor: None,
        panics: false,
        is_full: part == "full",
        heard: "",
    };
    loop {
        terminal.draw(|frame| picture.draw(frame))?;
        let events = tokio::select! {
            signal = signals.next() => {
                match signal {
                    Signal::Stop(terminal::StopReason::HungUp) if part == "deaf" => {}
                    Signal::Stop(reason) => return Ok(reason.exit_code()),
                    Signal::Suspend => picture.heard = suspend(&mut terminal, &mut signals, &mut input).await?,
                    Signal::Continue => {
                        terminal.resume()?;
                        picture.heard = "continued";
                    }
                    Signal::Panicked(_) => return Ok(PANICKED),
                }
                continue;
            }
            caught_up = terminal.caught_up() => {
                caught_up?;
                continue;
            }
            event = input.next() => {
                let mut events = vec![event?];
                events.append(&mut input.drain(256));
                events
            }
        };
        for event in events {
            picture.events += 1;
            match event {
                Event::Key(KeyEvent { code: KeyCode::F(12), .. }) if part == "flood" => return Ok(0),
                Event::Key(key) if part != "flood" => {
                    picture.last =
                        format!("{}{}", if key.modifiers.is_empty() { "" } else { "modified " }, key.code);
                    match (key.code, key.modifiers) {
                        (KeyCode::Char('q'), _) => return Ok(0),
                        (KeyCode::Char('e'), _) => return Err(io::Error::other("an error")),
                        (KeyCode::Char('p'), _) => panic!("on the main thread"),
                        // Not ^D, which a terminal that is closed may send as its last.
                        (KeyCode::Char('d'), KeyModifiers::NONE) => picture.panics = true,
                        (KeyCode::Char('t'), _) => {
                            tokio::spawn(async { panic!("in a task") });
                        }
                        (KeyCode::Char('u'), _) => {
                            // The picture with this key in it, and then the same again and again.
                            for _ in 0..100 {
                                terminal.draw(|frame| picture.draw(frame))?;
                            }
                        }
                        (KeyCode::Char('c'), _) => {
                            picture.cursor = picture.cursor.xor(Some(Position { x: 3, y: 2 }));
                        }
                        (KeyCode::Char('m'), _) => {
                            let on = !terminal.mouse();
                            terminal.set_mouse(on)?;
                        }
                        (KeyCode::Char('y'), _) => terminal.copy("checkout").map_err(io::Error::other)?,
                        (KeyCode::Char('z'), KeyModifiers::CONTROL) => {
                            picture.heard = suspend(&mut terminal, &mut signals, &mut input).await?;
                            break;
                        }
                        (KeyCode::Char('l'), KeyModifiers::CONTROL) => terminal.repaint()?,
                        _ => {}
                    }
                }
                Event::Paste(text) => picture.last = format!("paste of {text:?}"),
                Event::Mouse(mouse) => picture.last = format!("mouse at {} {}", mouse.column, mouse.row),
                _ => {}
            }
        }
    }
}
