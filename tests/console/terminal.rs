//! The terminal is always given back, a frame is one piece, and nothing that comes in is too much.

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use rustix::process::Signal;

use super::harness::{Console, program};
use super::part;

/// The beginning and the end of a frame.
const BEGIN: &[u8] = b"\x1b[?2026h";
const END: &[u8] = b"\x1b[?2026l";

fn start(part: &str) -> Console {
    let console = Console::run(part::command(part), (80, 24));
    console.wait_for("the part plays");
    console
}

fn count(bytes: &[u8], what: &[u8]) -> usize {
    bytes.windows(what.len()).filter(|window| *window == what).count()
}

/// The usual end gives everything back.
#[test]
fn it_is_given_back_at_the_end() {
    let console = start("usual");
    assert!(console.is_taken());
    assert_eq!(console.cursor(), None, "no field, no cursor");
    assert!(!console.mouse(), "the mouse is the person's at first");
    let cell = console.cell(0, 0);
    assert_eq!((cell.contents(), cell.fgcolor(), cell.bold()), ("t", vt100::Color::Idx(1), true));
    console.keys(&["m", "c"]);
    console.wait_for("last c");
    assert!(console.mouse());
    assert_eq!(console.cursor(), Some((3, 2)));
    console.press("q");
    assert_eq!(console.exit_status().exit_code(), 0);
    console.assert_restored();
}

/// An error is read on the usual screen.
#[test]
fn it_is_given_back_after_an_error() {
    let console = start("usual");
    console.press("e");
    assert_eq!(console.exit_status().exit_code(), 1);
    console.assert_restored();
    assert!(console.screen().contains("part: an error"), "{}", console.screen());
}

/// Wherever it happens, a panic leaves a usable terminal with the message on it, and the exit code of a panic.
#[test]
fn it_is_given_back_after_a_panic() {
    for (key, message) in [("p", "on the main thread"), ("d", "while drawing"), ("t", "in a task")] {
        let console = start("usual");
        console.press("m");
        console.press(key);
        assert_eq!(console.exit_status().exit_code(), 101, "{message}");
        console.assert_restored();
        let screen = console.screen();
        assert!(screen.contains(message) && screen.contains("the log is in `/the/log`"), "{screen}");
        assert!(screen.contains("part.rs:"), "{screen}");
    }
}

/// The switch with which a released program is made to panic does that, in the second frame.
#[test]
fn a_panic_can_be_forced() {
    for (place, message) in [("draw", "forced while drawing"), ("task", "forced in a task")] {
        let mut command = part::command("usual");
        command.env("UNSHIP_TEST_PANIC", place);
        let console = Console::run(command, (80, 24));
        console.wait_for("the part plays");
        console.press("x");
        assert_eq!(console.exit_status().exit_code(), 101, "{place}");
        console.assert_restored();
        assert!(console.screen().contains(message), "{}", console.screen());
    }
}

/// A signal that ends the program lets it give the terminal back, and a shell sees which it was.
#[test]
fn it_is_given_back_after_a_signal() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130), (Signal::HUP, 129), (Signal::QUIT, 131)] {
        let console = start("usual");
        console.signal(signal);
        assert_eq!(console.exit_status().exit_code(), code, "{signal:?}");
        console.assert_restored();
    }
}

/// When its terminal goes away the program ends by itself, whether it hears the signal or only finds nobody there.
#[test]
fn it_ends_with_its_terminal() {
    for (part, code) in [("usual", [129, 9]), ("deaf", [9, 9])] {
        let console = start(part);
        console.vanish();
        let status = console.exit_status().exit_code();
        assert!(code.contains(&status), "{part}: {status}");
    }
}

/// A shell in a terminal, with the part started from it.
fn in_a_shell() -> Console {
    let mut bash = program("bash");
    bash.args(["--norc", "--noprofile", "--noediting", "-i"]);
    bash.env("PS1", "shell> ");
    bash.env_remove("PROMPT_COMMAND");
    let console = Console::run(bash, (100, 24));
    console.wait_for("shell>");
    console.type_text(&format!("{}\r", part::command_line("usual")));
    console.wait_for("the part plays");
    console
}

/// Ctrl-Z gives the terminal to the shell, with keys that came too early dropped, and `fg` brings the same picture back.
#[test]
fn ctrl_z_and_back() {
    let console = in_a_shell();
    for _ in 0..2 {
        console.press("C-z");
        console.wait_for("Stopped");
        console.assert_screen_restored();
        console.type_text("stty -a; echo 'seen': \"$(jobs)\"\r");
        console.wait_until("a shell that works", |screen| {
            screen.contains("seen:") && screen.contains(" icanon")
        });
        assert!(!console.screen().contains(" -echo "), "{}", console.screen());
        console.type_text("clear; fg\r");
        console.wait_for("the part plays");
        console.wait_for("back");
        assert!(console.is_taken());
        console.press("x");
        console.wait_for("last x");
    }
    console.type_text("q");
    console.wait_for("shell>");
    console.assert_screen_restored();
    console.type_text("exit\r");
    assert_eq!(console.exit_status().exit_code(), 0);
    console.assert_restored();
}

/// SIGTSTP from elsewhere does the same as the key.
#[test]
fn a_stop_from_elsewhere_and_back() {
    let console = in_a_shell();
    // The shell's only child leads the terminal's foreground group.
    let group = console.foreground();
    rustix::process::kill_process(group, Signal::TSTP).unwrap();
    console.wait_for("Stopped");
    console.assert_screen_restored();
    console.type_text("clear; fg\r");
    console.wait_for("the part plays");
    console.press("x");
    console.wait_for("last x");
    // SIGSTOP cannot be answered; what can is being continued.
    rustix::process::kill_process(group, Signal::STOP).unwrap();
    console.wait_raw("the shell's word", |raw| count(raw, b"Stopped") >= 2);
    console.type_text("fg\r");
    console.wait_for("continued");
    assert!(console.is_taken());
    console.press("q");
    console.wait_for("shell>");
    console.assert_screen_restored();
}

/// A stop followed by the end leaves the shell alone: its own settings stay, and nothing stops a second time.
#[test]
fn it_ends_while_the_shell_has_the_terminal() {
    let console = in_a_shell();
    let group = console.foreground();
    rustix::process::kill_process(group, Signal::STOP).unwrap();
    console.wait_for("Stopped");
    // `wait %1` would only say that it is stopped.
    console.type_text(
        "p=$(jobs -p); kill %1; while kill -0 $p; do sleep 0.05; done 2>/dev/null; echo 'it' ended\r",
    );
    console.wait_for("it ended");
    console.assert_screen_restored();
}

/// Where no shell could bring it back, Ctrl-Z neither stops the program nor gives the terminal away: what is typed next
/// is a key, not a line for nobody and not an interrupt.
#[test]
fn ctrl_z_without_a_shell() {
    let console = start("usual");
    let before = console.raw_bytes().len();
    console.send(b"\x1a\x03");
    console.wait_for("no shell");
    let written = console.raw_bytes().split_off(before);
    assert_eq!(count(&written, b"\x1b[?1049l"), 0, "{:?}", String::from_utf8_lossy(&written));
    console.signal(Signal::TSTP);
    console.press("x");
    console.wait_for("last x");
    console.press("q");
    assert_eq!(console.exit_status().exit_code(), 0);
    console.assert_restored();
}

/// A frame is one synchronised update, and a frame without a change is nothing at all.
#[test]
fn an_unchanged_frame_writes_nothing() {
    let console = start("usual");
    let before = console.raw_bytes().len();
    // One hundred unchanged frames between two that show a key.
    console.press("u");
    console.wait_for("last u");
    console.press("k");
    console.wait_for("last k");
    let written = console.raw_bytes().split_off(before);
    assert_eq!(
        (count(&written, BEGIN), count(&written, END)),
        (2, 2),
        "{:?}",
        String::from_utf8_lossy(&written)
    );
    assert!(written.starts_with(BEGIN) && written.ends_with(END));
    assert!(!written.windows(6).any(|window| window == b"\x1b[?25l" || window == b"\x1b[?25h"));
    // The same with a cursor, which is placed again only after it was moved.
    console.press("c");
    console.wait_for("last c");
    let before = console.raw_bytes().len();
    console.press("u");
    console.wait_for("last u");
    console.press("k");
    console.wait_for("last k");
    let written = console.raw_bytes().split_off(before);
    assert_eq!(count(&written, BEGIN), 2, "{:?}", String::from_utf8_lossy(&written));
    assert_eq!(console.cursor(), Some((3, 2)));
}

/// Ctrl-L draws everything again, over whatever another program left on the screen.
#[test]
fn a_repaint_is_whole() {
    let console = start("usual");
    let before = console.raw_bytes().len();
    console.press("C-l");
    console.wait_for("last modified l");
    let written = String::from_utf8(console.raw_bytes().split_off(before)).unwrap();
    assert!(written.contains("\x1b[2J") && written.contains("the part plays"), "{written:?}");
    assert_eq!(count(written.as_bytes(), BEGIN), 1);
}

/// What is copied reaches the terminal's clipboard; a paste reaches the program in one piece; the mouse is reported.
#[test]
fn copy_paste_and_mouse() {
    let console = start("usual");
    console.press("y");
    console.wait_for("last y");
    assert_eq!(console.copied(), ["Y2hlY2tvdXQ="]);
    console.paste("checkout\rq");
    console.wait_for("last paste of \"checkout\\rq\"");
    console.press("m");
    console.wait_for("last m");
    console.send(b"\x1b[<0;11;7M");
    console.wait_for("last mouse at 10 6");
    // Alone, it takes a moment to be told from the beginning of something longer.
    console.send(b"\x1b");
    console.wait_for("last Esc");
    console.press("j");
    console.wait_for("last j");
    console.press("A-j");
    console.wait_for("last modified j");
}

/// Any size, in any order, down to none at all, is drawn at, and the last one counts.
#[test]
fn two_hundred_sizes() {
    let console = start("usual");
    let mut random = StdRng::seed_from_u64(7);
    for turn in 0..200 {
        let (columns, rows) = match turn % 10 {
            0 => (1, 1),
            1 => (500, 200),
            2 => (0, 0),
            3 => (1, 200),
            4 => (500, 1),
            _ => (random.random_range(1..=500), random.random_range(1..=200)),
        };
        console.resize(columns, rows);
    }
    console.resize(97, 31);
    console.wait_for("size 97x31");
    console.resize(0, 0);
    console.resize(100, 30);
    console.wait_for("size 100x30");
    console.press("q");
    assert_eq!(console.exit_status().exit_code(), 0);
    console.assert_restored();
}

/// A terminal that says nothing of its size is drawn on as the classic one.
#[test]
fn a_terminal_without_a_size() {
    let console = Console::run(part::command("usual"), (0, 0));
    console.wait_raw("the classic size", |raw| count(raw, b"80x24") == 1);
    console.press("q");
    assert_eq!(console.exit_status().exit_code(), 0);
    console.assert_restored();
}

/// Random bytes and broken escapes are read to their end, and the key after them is a key.
#[test]
fn random_input() {
    let console = Console::run(part::command("flood"), (80, 24));
    console.wait_for("the part plays");
    let mut random = StdRng::seed_from_u64(11);
    let mut bytes = Vec::with_capacity(256 * 1024);
    while bytes.len() < 256 * 1024 {
        match random.random_range(0..8) {
            0 => bytes.extend_from_slice(b"\x1b["),
            1 => bytes.extend_from_slice(b"\x1b]52;"),
            2 => bytes.extend_from_slice(b"\x1b[200~"),
            3 => bytes.extend_from_slice(b"\x1b[201~"),
            _ => bytes.extend((0..random.random_range(0..40)).map(|_| random.random::<u8>())),
        }
    }
    // Ends a paste, an old mouse report and whatever else may be open.
    bytes.extend_from_slice(b"\x1b[201~xxx");
    console.send(&bytes);
    console.press("F12");
    assert_eq!(console.exit_status().exit_code(), 0);
    console.assert_restored();
}

/// A terminal that takes nothing does not hold up the program: it hears a signal, and drops frames until it is heard.
#[test]
fn a_stalled_terminal_does_not_hold_it_up() {
    let stall = || {
        let console = start("full");
        console.resize(400, 150);
        console.wait_for("size 400x150");
        console.stall();
        // Every key changes 58,000 cells: far more than fits on the way.
        for _ in 0..40 {
            console.press("x");
        }
        console
    };
    let console = stall();
    console.signal(Signal::TERM);
    assert_eq!(console.exit_status().exit_code(), 143);
    console.assert_settings_restored();

    let console = stall();
    // A frame was cut off on its way; what comes is its rest, and then the latest one.
    console.go_on();
    console.press("k");
    console.wait_for("last k");
    console.press("q");
    assert_eq!(console.exit_status().exit_code(), 0);
    console.assert_restored();
}

/// Without a terminal it says so, with another way, and leaves what it has alone.
#[test]
fn it_refuses_what_is_no_terminal() {
    let console = {
        let mut bash = program("bash");
        bash.args(["-c", &format!("{} </dev/null", part::command_line("usual"))]);
        Console::run(bash, (200, 24))
    };
    assert_eq!(console.exit_status().exit_code(), 1);
    let screen = console.screen();
    assert!(screen.contains("stdin is none") && screen.contains("unship status"), "{screen}");
    console.assert_restored();
}

/// A subcommand that is no console leaves the terminal alone; its log is in the home that the harness gives it.
#[test]
fn other_subcommands_leave_it_alone() {
    let console = Console::start(&["status"], (80, 24), &[("UNSHIP_LOG", "info")]);
    assert_eq!(console.exit_status().exit_code(), 2);
    console.assert_restored();
    assert!(console.screen().contains("unship.toml"), "{}", console.screen());
    assert!(console.home().join("unship").is_dir());
}
