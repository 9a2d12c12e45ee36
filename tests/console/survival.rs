//! The console goes on, or ends in order, whatever happens around it.

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use rustix::process::Signal;

use super::fleet::Fleet;
use super::harness::Console;

fn at_rest(size: (u16, u16)) -> (Fleet, Console) {
    let fleet = Fleet::start("healthy");
    let console = fleet.console(&[], size);
    console.wait_for("this console leads");
    (fleet, console)
}

/// Every size is drawn, and the picture is whole again at the end.
#[test]
fn two_hundred_sizes() {
    let (_fleet, console) = at_rest((120, 40));
    let mut random = StdRng::seed_from_u64(7);
    for _ in 0..200 {
        let (columns, rows) = match random.random_range(0..6) {
            0 => (1, 1),
            1 => (500, 200),
            2 => (500, 1),
            3 => (1, 200),
            _ => (random.random_range(2..200), random.random_range(2..70)),
        };
        console.resize(columns, rows);
        if random.random_range(0..8) == 0 {
            console.press(["R", "?", ":", "w", "d", "z", "Esc"][random.random_range(0..7)]);
        }
    }
    console.resize(120, 40);
    console.keys(&["Esc", "Esc", "Esc", "Esc", "Esc"]);
    console.wait_for("Health");
    console.press("q");
    assert_eq!(console.exit_status().exit_code(), 0);
    console.assert_restored();
}

/// Noise and broken escapes changes nothing that matters, and the console still answers after it.
#[test]
fn noise_does_nothing() {
    let (fleet, console) = at_rest((120, 40));
    let mut random = StdRng::seed_from_u64(11);
    for _ in 0..32 {
        let mut noise: Vec<u8> = (0..4_096).map(|_| random.random::<u8>()).collect();
        for byte in &mut noise {
            // Leaving and stopping are no noise: q, ^c, ^z and ^\\.
            if matches!(*byte, b'q' | 3 | 26 | 28) {
                *byte = b'\x1b';
            }
        }
        console.send(&noise);
    }
    console.keys(&["Esc", "Esc", "Esc", "Esc", "Esc", "Esc"]);
    console.send(b"\x1b[201~");
    console.keys(&["Esc", "Esc", "1"]);
    console.wait_for("Health");
    let state = std::process::Command::new(env!("CARGO_BIN_EXE_unship"))
        .args(["-c", fleet.config().to_str().unwrap(), "status", "--json"])
        .env("XDG_STATE_HOME", console.home())
        .output()
        .unwrap();
    let state = String::from_utf8(state.stdout).unwrap();
    assert!(state.contains("\"services\"") && !state.contains("op-1"), "{state}");
    console.send(&[3]);
    console.exit_status();
    console.assert_restored();
}

/// The fleet goes away and comes back: the picture ages, says so, and is new again.
#[test]
fn a_lost_fleet_comes_back() {
    let mut fleet = Fleet::start_to_return("healthy");
    let console = fleet.console(&[], (120, 40));
    console.wait_for("this console leads");
    console.wait_until("all is well", |screen| screen.matches("OK").count() >= 4);
    fleet.stop();
    console.wait_until("that nothing is known", |screen| {
        screen.matches("FAIL").count() + screen.matches("NO DATA").count() >= 4
    });
    fleet.go();
    console.wait_until("all is well again", |screen| {
        screen.matches("● OK").count() >= 4 && !screen.contains("NO DATA") && !screen.contains("FAIL ")
    });
    console.press("q");
    assert_eq!(console.exit_status().exit_code(), 0);
    console.assert_restored();
}

/// The journal is taken away: the console says so where the person looks, and goes on showing what it knows.
#[test]
fn a_journal_that_is_gone_is_said() {
    let (fleet, console) = at_rest((120, 40));
    console.wait_until("all is well", |screen| screen.matches("OK").count() >= 4);
    for end in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{end}", fleet.journal().display()));
    }
    console.wait_until("the trouble", |screen| screen.contains("deleted") || screen.contains("journal"));
    console.wait_for("checkout");
    console.press("q");
    console.exit_status();
    console.assert_restored();
}

/// Signals end it as a shell expects, with the terminal as it was.
#[test]
fn signals_end_it_in_order() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::HUP, 129), (Signal::INT, 130)] {
        let (_fleet, console) = at_rest((80, 24));
        console.signal(signal);
        assert_eq!(console.exit_status().exit_code(), code);
        console.assert_restored();
        assert!(console.screen().contains("the record is"), "{}", console.screen());
    }
}

/// A panic while drawing gives the terminal back and says where the log is.
#[test]
fn a_panic_gives_the_terminal_back() {
    let fleet = Fleet::start("healthy");
    let config = fleet.config();
    let console = Console::start(
        &["-c", config.to_str().unwrap(), "console"],
        (80, 24),
        &[("UNSHIP_TEST_PANIC", "draw")],
    );
    assert_eq!(console.exit_status().exit_code(), 101);
    console.assert_restored();
    assert!(console.screen().contains("UNSHIP_TEST_PANIC"), "{}", console.screen());
}

/// `NO_COLOR` is obeyed to the letter: not one colour is sent.
#[test]
fn no_color_is_no_colour() {
    let fleet = Fleet::start("healthy");
    let config = fleet.config();
    let console =
        Console::start(&["-c", config.to_str().unwrap(), "console"], (120, 40), &[("NO_COLOR", "1")]);
    console.wait_until("all is well", |screen| screen.matches("OK").count() >= 4);
    console.press("q");
    assert_eq!(console.exit_status().exit_code(), 0);
    let sent = String::from_utf8_lossy(&console.raw_bytes()).into_owned();
    for sequence in sent.split("\x1b[").skip(1) {
        let Some(end) = sequence.find(|char: char| char.is_ascii_alphabetic()) else { continue };
        if !sequence[end..].starts_with('m') {
            continue;
        }
        for code in sequence[..end].split(';') {
            let is_colour = code.parse::<u16>().is_ok_and(|code| matches!(code, 30..=49 | 58 | 90..=107));
            // 39 and 49 are the terminal's own.
            assert!(!is_colour || matches!(code, "39" | "49"), "ESC[{}", &sequence[..=end]);
        }
    }
}

/// What would stop with this console is said before it is left.
#[test]
fn it_is_left_while_a_rollback_runs_only_after_a_question() {
    let console = Console::start(&["demo", "--seed", "7", "--as", "mara"], (120, 40), &[]);
    console.wait_for("ROLL BACK NOW");
    console.press("R");
    console.wait_for("all pass");
    console.type_text("checkout");
    console.wait_for("checkout ✓");
    console.press("y");
    console.wait_for("under way");
    console.press("q");
    console.wait_for("roll back checkout from 2.9.0 to 2.8.0");
    console.press("Esc");
    console.wait_for("verified");
    console.press("q");
    assert_eq!(console.exit_status().exit_code(), 0);
}
