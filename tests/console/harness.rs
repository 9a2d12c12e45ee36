//! A program in a real terminal (a pty), and the terminal it draws on: keys in, screen out.
//!
//! Nothing here sleeps and hopes: a thread reads what the program writes, and who waits is woken by it.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use portable_pty::{CommandBuilder, ExitStatus, MasterPty, PtySize, native_pty_system};
use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use rustix::termios::{Termios, tcgetattr};
use tempfile::TempDir;

/// The longest that anything here may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);

/// Between Esc and the next key, as with a person. Without it the two would be one key with Alt, as in any terminal.
const AFTER_ESC: Duration = Duration::from_millis(80);

/// What of the environment changes what a program shows.
const LOOKS: &[&str] = &["NO_COLOR", "CLICOLOR_FORCE", "COLORTERM", "LINES", "COLUMNS", "RUST_BACKTRACE"];

/// A program with a terminal of its own. It is killed when this is dropped.
pub(crate) struct Console {
    shared: Arc<Shared>,
    master: Mutex<Option<Box<dyn MasterPty + Send>>>,
    /// Keeps the terminal, and with it its settings, when the program has ended.
    slave: Mutex<Option<OwnedFd>>,
    before: Termios,
    after: Mutex<Option<Termios>>,
    pid: Pid,
    esc_at: Mutex<Option<Instant>>,
    home: TempDir,
}

/// What the threads share.
struct Shared {
    seen: Mutex<Seen>,
    changed: Condvar,
    writer: Mutex<Option<Box<dyn Write + Send>>>,
}

struct Seen {
    terminal: vt100::Parser<Modes>,
    raw: Vec<u8>,
    /// Whether the reader may go on; it stands still while not.
    reads: bool,
    /// Whether the reader is to end at the next thing that it reads.
    closing: bool,
    ended: bool,
    status: Option<ExitStatus>,
}

/// What the emulator does not keep itself.
#[derive(Default)]
struct Modes {
    /// Private modes that are on.
    on: BTreeSet<u16>,
    /// How often the keyboard's protocol was pushed and not popped.
    keyboard: i32,
    /// What was copied, as sent: in base64.
    copied: Vec<String>,
    /// Answers to the program's questions.
    answers: Vec<u8>,
}

impl vt100::Callbacks for Modes {
    fn copy_to_clipboard(&mut self, _: &mut vt100::Screen, _: &[u8], data: &[u8]) {
        self.copied.push(String::from_utf8_lossy(data).into_owned());
    }

    fn unhandled_csi(
        &mut self,
        screen: &mut vt100::Screen,
        first: Option<u8>,
        second: Option<u8>,
        params: &[&[u16]],
        last: char,
    ) {
        let numbers = || params.iter().filter_map(|param| param.first().copied());
        let number = numbers().next().unwrap_or(0);
        match (first, second, last) {
            (Some(b'?'), None, 'h') => self.on.extend(numbers()),
            (Some(b'?'), None, 'l') => self.on.retain(|mode| !numbers().any(|off| off == *mode)),
            (Some(b'>'), None, 'u') => self.keyboard += 1,
            (Some(b'<'), None, 'u') => self.keyboard -= 1,
            // What kind of terminal this is.
            (None, None, 'c') => self.answers.extend_from_slice(b"\x1b[?62;22c"),
            (Some(b'>'), None, 'c') => self.answers.extend_from_slice(b"\x1b[>1;10;0c"),
            // How it is, and where its cursor is.
            (None, None, 'n') if number == 5 => self.answers.extend_from_slice(b"\x1b[0n"),
            (None, None, 'n') if number == 6 => {
                let (row, column) = screen.cursor_position();
                self.answers.extend_from_slice(format!("\x1b[{};{}R", row + 1, column + 1).as_bytes());
            }
            // Whether it knows a mode.
            (Some(b'?'), Some(b'$'), 'p') => {
                let state = if self.on.contains(&number) { 1 } else { 2 };
                self.answers.extend_from_slice(format!("\x1b[?{number};{state}$y").as_bytes());
            }
            _ => {}
        }
    }
}

impl Console {
    /// Starts `unship` with these arguments in a terminal of so many columns and rows.
    #[track_caller]
    pub(crate) fn start(args: &[&str], size: (u16, u16), env: &[(&str, &str)]) -> Self {
        let mut command = program(env!("CARGO_BIN_EXE_unship"));
        command.args(args);
        for (name, value) in env {
            command.env(name, value);
        }
        Self::run(command, size)
    }

    /// Starts a [`program`] in an empty home.
    #[track_caller]
    pub(crate) fn run(mut command: CommandBuilder, (columns, rows): (u16, u16)) -> Self {
        let home = tempfile::tempdir().unwrap();
        command.env("HOME", home.path());
        command.env("XDG_STATE_HOME", home.path());
        command.env("XDG_CONFIG_HOME", home.path());
        command.cwd(home.path());

        let pair = native_pty_system().openpty(pty_size(columns, rows)).unwrap();
        let name = pair.master.tty_name().unwrap();
        let slave =
            rustix::fs::open(name, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty()).unwrap();
        let before = tcgetattr(&slave).unwrap();
        let mut child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let pid = Pid::from_raw(i32::try_from(child.process_id().unwrap()).unwrap()).unwrap();

        let (rows, columns) = emulated(columns, rows);
        let shared = Arc::new(Shared {
            seen: Mutex::new(Seen {
                terminal: vt100::Parser::new_with_callbacks(rows, columns, 0, Modes::default()),
                raw: Vec::new(),
                reads: true,
                closing: false,
                ended: false,
                status: None,
            }),
            changed: Condvar::new(),
            writer: Mutex::new(Some(pair.master.take_writer().unwrap())),
        });
        let reader = pair.master.try_clone_reader().unwrap();
        thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                shared.read(reader);
                shared.seen().ended = true;
                shared.changed.notify_all();
            }
        });
        thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                let status = child.wait().unwrap();
                shared.seen().status = Some(status);
                shared.changed.notify_all();
            }
        });
        Self {
            shared,
            master: Mutex::new(Some(pair.master)),
            slave: Mutex::new(Some(slave)),
            before,
            after: Mutex::new(None),
            pid,
            esc_at: Mutex::new(None),
            home,
        }
    }

    /// The program's home, and the folder of its state.
    pub(crate) fn home(&self) -> &std::path::Path {
        self.home.path()
    }

    /// Sends bytes as the keyboard would.
    #[track_caller]
    pub(crate) fn send(&self, bytes: &[u8]) {
        let mut esc_at = self.esc_at.lock().unwrap();
        if let Some(at) = esc_at.take() {
            thread::sleep(AFTER_ESC.saturating_sub(at.elapsed()));
        }
        self.shared.write(bytes).unwrap();
        *esc_at = bytes.ends_with(b"\x1b").then(Instant::now);
    }

    /// Presses a key: a character, `Enter`, `Esc`, `Tab`, `BackTab`, `Up`, `PageDown`, `F5`, `C-z`, `A-x` and the like.
    #[track_caller]
    pub(crate) fn press(&self, key: &str) {
        self.send(&encoded(key));
    }

    /// Presses one key after the other.
    #[track_caller]
    pub(crate) fn keys(&self, keys: &[&str]) {
        for key in keys {
            self.press(key);
        }
    }

    /// Types every character of a text.
    #[track_caller]
    pub(crate) fn type_text(&self, text: &str) {
        self.send(text.as_bytes());
    }

    /// Pastes, marked as a paste if the program asked for that.
    #[track_caller]
    pub(crate) fn paste(&self, text: &str) {
        let marked = self.shared.seen().terminal.screen().bracketed_paste();
        let text = if marked { format!("\x1b[200~{text}\x1b[201~") } else { text.to_owned() };
        self.send(text.as_bytes());
    }

    /// Waits until a text is on the screen.
    #[track_caller]
    pub(crate) fn wait_for(&self, text: &str) {
        self.wait_until(&format!("{text:?} on the screen"), |screen| screen.contains(text));
    }

    /// Waits until a text is no longer on the screen.
    #[track_caller]
    pub(crate) fn wait_gone(&self, text: &str) {
        self.wait_until(&format!("{text:?} to go"), |screen| !screen.contains(text));
    }

    /// Waits until the screen is as it should be. A frame is looked at when it is complete.
    #[track_caller]
    pub(crate) fn wait_until(&self, what: &str, is_so: impl Fn(&str) -> bool) {
        let is_so = |seen: &Seen| !seen.is_drawing() && is_so(&seen.terminal.screen().contents());
        let seen = self.shared.wait(|seen| is_so(seen) || seen.ended);
        if !is_so(&seen) {
            let reason = if seen.ended { "the program ended" } else { "waited in vain" };
            panic!("{reason}; expected {what}\n{}", seen.dump());
        }
    }

    /// Waits until what was written so far, seen as bytes, is as it should be.
    #[track_caller]
    pub(crate) fn wait_raw(&self, what: &str, is_so: impl Fn(&[u8]) -> bool) {
        let seen = self.shared.wait(|seen| is_so(&seen.raw) || seen.ended);
        assert!(is_so(&seen.raw), "waited in vain for {what}\n{}", seen.dump());
    }

    /// Looks at the whole screen with its styles.
    pub(crate) fn with_screen<T>(&self, look: impl FnOnce(&vt100::Screen) -> T) -> T {
        look(self.shared.seen().terminal.screen())
    }

    /// The text on the screen.
    pub(crate) fn screen(&self) -> String {
        self.with_screen(vt100::Screen::contents)
    }

    /// One cell with its style, by column and row from 0.
    #[track_caller]
    pub(crate) fn cell(&self, x: u16, y: u16) -> vt100::Cell {
        let seen = self.shared.seen();
        let cell = seen.terminal.screen().cell(y, x).cloned();
        cell.unwrap_or_else(|| panic!("no cell at column {x}, row {y}\n{}", seen.dump()))
    }

    /// Where the cursor is shown, as column and row; none if it is hidden.
    pub(crate) fn cursor(&self) -> Option<(u16, u16)> {
        self.with_screen(|screen| {
            let (row, column) = screen.cursor_position();
            (!screen.hide_cursor()).then_some((column, row))
        })
    }

    /// Waits until no field is edited.
    #[track_caller]
    pub(crate) fn wait_no_cursor(&self) {
        let seen = self.shared.wait(|seen| seen.terminal.screen().hide_cursor() || seen.ended);
        assert!(seen.terminal.screen().hide_cursor(), "a field is still edited\n{}", seen.dump());
    }

    /// Everything that the program has written.
    pub(crate) fn raw_bytes(&self) -> Vec<u8> {
        self.shared.seen().raw.clone()
    }

    /// What the program copied, in base64, oldest first.
    pub(crate) fn copied(&self) -> Vec<String> {
        self.shared.seen().terminal.callbacks().copied.clone()
    }

    /// Whether the mouse is reported.
    pub(crate) fn mouse(&self) -> bool {
        self.with_screen(vt100::Screen::mouse_protocol_mode) != vt100::MouseProtocolMode::None
    }

    /// Whether the program is on the alternate screen.
    pub(crate) fn is_taken(&self) -> bool {
        self.with_screen(vt100::Screen::alternate_screen)
    }

    /// Changes the size to so many columns and rows.
    #[track_caller]
    pub(crate) fn resize(&self, columns: u16, rows: u16) {
        {
            // First what draws, so that a frame of the new size finds its room.
            let mut seen = self.shared.seen();
            let (rows, columns) = emulated(columns, rows);
            seen.terminal.screen_mut().set_size(rows, columns);
        }
        self.master.lock().unwrap().as_ref().unwrap().resize(pty_size(columns, rows)).unwrap();
    }

    /// The group that has the terminal now: with a shell, the job in the foreground.
    #[track_caller]
    pub(crate) fn foreground(&self) -> Pid {
        let master = self.master.lock().unwrap();
        Pid::from_raw(master.as_ref().unwrap().process_group_leader().unwrap()).unwrap()
    }

    #[track_caller]
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid, signal).unwrap();
    }

    /// The terminal takes nothing more, as over a network that has gone quiet.
    pub(crate) fn stall(&self) {
        self.shared.seen().reads = false;
    }

    /// The terminal takes again.
    pub(crate) fn go_on(&self) {
        self.shared.seen().reads = true;
        self.shared.changed.notify_all();
    }

    /// The terminal goes away, as when its window is closed.
    #[track_caller]
    pub(crate) fn vanish(&self) {
        self.shared.seen().closing = true;
        // The reader has to come back from the terminal to let go of it.
        self.resize(79, 23);
        let seen = self.shared.wait(|seen| seen.ended);
        assert!(seen.ended, "nothing was drawn at another size\n{}", seen.dump());
        drop(seen);
        *self.slave.lock().unwrap() = None;
        *self.shared.writer.lock().unwrap() = None;
        *self.master.lock().unwrap() = None;
    }

    /// Waits for the end of the program and of what it wrote.
    #[track_caller]
    pub(crate) fn exit_status(&self) -> ExitStatus {
        let status = {
            let seen = self.shared.wait(|seen| seen.status.is_some());
            seen.status.clone().unwrap_or_else(|| panic!("it did not end\n{}", seen.dump()))
        };
        if let Some(slave) = self.slave.lock().unwrap().take() {
            *self.after.lock().unwrap() = Some(tcgetattr(&slave).unwrap());
        }
        let seen = self.shared.wait(|seen| seen.ended || !seen.reads);
        assert!(seen.ended || !seen.reads, "somebody still has the terminal\n{}", seen.dump());
        status
    }

    /// The terminal is as it was before: its settings, its screen, its cursor, no modes.
    #[track_caller]
    pub(crate) fn assert_restored(&self) {
        self.assert_settings_restored();
        self.assert_screen_restored();
    }

    /// The settings of the terminal are as they were before.
    #[track_caller]
    pub(crate) fn assert_settings_restored(&self) {
        let after = match &*self.slave.lock().unwrap() {
            Some(slave) => tcgetattr(slave).unwrap(),
            None => self.after.lock().unwrap().clone().expect("the settings were read at the end"),
        };
        assert_eq!(
            settings(&after),
            settings(&self.before),
            "the terminal's settings\n{}",
            self.shared.seen().dump()
        );
    }

    /// The screen of the terminal is the usual one, with a cursor and no modes.
    #[track_caller]
    pub(crate) fn assert_screen_restored(&self) {
        let seen = self.shared.seen();
        let (screen, modes) = (seen.terminal.screen(), seen.terminal.callbacks());
        let dump = seen.dump();
        assert!(!screen.alternate_screen(), "still on the alternate screen\n{dump}");
        assert!(!screen.hide_cursor(), "the cursor is hidden\n{dump}");
        assert!(!screen.bracketed_paste(), "pastes are still marked\n{dump}");
        assert_eq!(screen.mouse_protocol_mode(), vt100::MouseProtocolMode::None, "the mouse\n{dump}");
        assert!(!screen.application_cursor() && !screen.application_keypad(), "the keypad\n{dump}");
        let plain = (vt100::Color::Default, vt100::Color::Default, false, false, false, false, false);
        let style = (
            screen.fgcolor(),
            screen.bgcolor(),
            screen.bold(),
            screen.dim(),
            screen.italic(),
            screen.underline(),
            screen.inverse(),
        );
        assert_eq!(style, plain, "colours and attributes\n{dump}");
        assert!(modes.on.is_empty(), "modes {:?} are still on\n{dump}", modes.on);
        assert_eq!(modes.keyboard, 0, "the keyboard's protocol\n{dump}");
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        let is_running = self.shared.seen().status.is_none();
        if is_running {
            // It leads a session and a group; what a shell started is in groups of its own, and hears of the terminal's
            // end.
            let _ = kill_process_group(self.pid, Signal::KILL);
        }
        self.go_on();
    }
}

impl Shared {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        // A failed assertion in one thread is no reason to hide its dump in another.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until something is so, or patience ends: the caller looks which.
    fn wait(&self, is_so: impl Fn(&Seen) -> bool) -> MutexGuard<'_, Seen> {
        let seen = self.seen();
        self.changed
            .wait_timeout_while(seen, PATIENCE, |seen| !is_so(seen))
            .unwrap_or_else(PoisonError::into_inner)
            .0
    }

    fn write(&self, bytes: &[u8]) -> std::io::Result<()> {
        match self.writer.lock().unwrap().as_mut() {
            Some(writer) => writer.write_all(bytes),
            None => Ok(()),
        }
    }

    fn read(&self, mut reader: Box<dyn Read + Send>) {
        let mut chunk = vec![0; 64 * 1024];
        loop {
            let count = match reader.read(&mut chunk) {
                Ok(0) | Err(_) => return,
                Ok(count) => count,
            };
            let answers = {
                let mut seen = self.seen();
                seen.raw.extend_from_slice(&chunk[..count]);
                seen.terminal.process(&chunk[..count]);
                if seen.closing {
                    return;
                }
                std::mem::take(&mut seen.terminal.callbacks_mut().answers)
            };
            self.changed.notify_all();
            if !answers.is_empty() && self.write(&answers).is_err() {
                return;
            }
            let seen = self.seen();
            drop(self.changed.wait_while(seen, |seen| !seen.reads));
        }
    }
}

impl Seen {
    /// Whether a frame has begun and not ended.
    fn is_drawing(&self) -> bool {
        self.terminal.callbacks().on.contains(&2026)
    }

    /// For a person who looks into a failure.
    fn dump(&self) -> String {
        let screen = self.terminal.screen();
        let (rows, columns) = screen.size();
        let text = screen.contents();
        let lines: Vec<_> = text.lines().map(|line| format!("│{line}")).collect();
        let tail = &self.raw[self.raw.len().saturating_sub(300)..];
        format!(
            "screen {columns}×{rows}, {}{}, {} bytes written, status {:?}\n{}\nlast bytes: {:?}",
            if screen.alternate_screen() { "alternate" } else { "usual" },
            if self.is_drawing() { ", within a frame" } else { "" },
            self.raw.len(),
            self.status,
            lines.join("\n"),
            String::from_utf8_lossy(tail),
        )
    }
}

fn pty_size(columns: u16, rows: u16) -> PtySize {
    PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 }
}

/// The emulator has no terminal without cells.
fn emulated(columns: u16, rows: u16) -> (NonZeroU16, NonZeroU16) {
    (NonZeroU16::new(rows).unwrap_or(NonZeroU16::MIN), NonZeroU16::new(columns).unwrap_or(NonZeroU16::MIN))
}

/// A program to run. Nothing of this process's environment changes how it looks or what it does.
pub(crate) fn program(path: impl AsRef<OsStr>) -> CommandBuilder {
    let mut command = CommandBuilder::new(path);
    let inherited: Vec<_> = command.iter_full_env_as_str().map(|(name, _)| name.to_owned()).collect();
    for name in inherited {
        if name.starts_with("LC_") || name.starts_with("UNSHIP_") || LOOKS.contains(&name.as_str()) {
            command.env_remove(name);
        }
    }
    command.env("LANG", "C.UTF-8");
    command.env("TERM", "xterm-256color");
    command
}

/// All settings, in a form that can be compared.
fn settings(termios: &Termios) -> String {
    format!("{termios:?}")
}

/// What xterm sends for a key.
fn encoded(key: &str) -> Vec<u8> {
    let named: &[u8] = match key {
        "Enter" => b"\r",
        // On a busy machine the next key comes in the same read, and would be one with Alt: what follows here is the end
        // of a paste that never began, which means nothing.
        "Esc" => b"\x1b\x1b[201~",
        "Tab" => b"\t",
        "BackTab" => b"\x1b[Z",
        "Backspace" => b"\x7f",
        "Space" => b" ",
        "Up" => b"\x1b[A",
        "Down" => b"\x1b[B",
        "Right" => b"\x1b[C",
        "Left" => b"\x1b[D",
        "Home" => b"\x1b[H",
        "End" => b"\x1b[F",
        "Insert" => b"\x1b[2~",
        "Delete" => b"\x1b[3~",
        "PageUp" => b"\x1b[5~",
        "PageDown" => b"\x1b[6~",
        "F1" => b"\x1bOP",
        "F2" => b"\x1bOQ",
        "F5" => b"\x1b[15~",
        "F12" => b"\x1b[24~",
        _ => b"",
    };
    if !named.is_empty() {
        return named.to_vec();
    }
    if let Some(rest) = key.strip_prefix("C-") {
        let byte = rest.bytes().next().unwrap_or_else(|| panic!("no key is called {key:?}"));
        return vec![byte & 0x1f];
    }
    if let Some(rest) = key.strip_prefix("A-") {
        return [b"\x1b", encoded(rest).as_slice()].concat();
    }
    assert_eq!(key.chars().count(), 1, "no key is called {key:?}");
    key.as_bytes().to_vec()
}
