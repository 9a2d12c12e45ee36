//! What a person does by mistake does nothing.

use super::fleet::Fleet;
use super::harness::Console;

/// A console in the middle of the incident, without anything that acts by itself.
fn in_trouble(size: (u16, u16)) -> Console {
    let console = Console::start(&["demo", "--seed", "7", "--as", "mara"], size, &[]);
    console.wait_for("ROLL BACK NOW");
    console
}

/// Nothing was done to any release.
#[track_caller]
fn leaves_untouched(console: &Console) {
    console.press("Esc");
    console.press("Esc");
    console.press("q");
    assert_eq!(console.exit_status().exit_code(), 0);
    let left = console.screen();
    assert!(left.contains("the record is") && !left.contains("op-1"), "{left}");
}

/// Enter on everything opens and never changes.
#[test]
fn enter_changes_nothing() {
    let console = in_trouble((120, 40));
    for pane in ["1", "2", "3", "4"] {
        console.keys(&[pane, "Enter", "Enter", "Esc", "j", "Enter", "Esc"]);
    }
    for menu in ["R", "!P", "!m", "!f", "!0", "!x"] {
        let keys: Vec<String> = menu.chars().map(String::from).collect();
        console.keys(&keys.iter().map(String::as_str).collect::<Vec<_>>());
        console.keys(&["Enter", "Enter", "Enter", "Esc", "Esc"]);
    }
    leaves_untouched(&console);
}

/// The dialog's own key held down, `y` at once, and `y` after a wrong name: nothing.
#[test]
fn the_dialogs_key_held_down_does_nothing() {
    let console = in_trouble((120, 40));
    // What a keyboard sends whose key is not let go, and a `y` that was typed before the dialog was seen.
    console.send(b"RRRRRRRRRRRRRRRRRRRRRRRRRRRRyyyy");
    console.wait_for("Abort 2.9.0 of checkout");
    console.keys(&["y", "Enter", "y"]);
    console.press("Esc");
    console.wait_gone("Abort 2.9.0 of checkout");
    console.press("R");
    console.wait_for("all pass");
    console.type_text("checkou");
    console.keys(&["Enter", "y", "Enter", "y"]);
    console.press("Esc");
    console.wait_gone("Abort 2.9.0 of checkout");
    leaves_untouched(&console);
}

/// What is pasted is text, whatever it holds: a name that arms the dialog is not confirmed by the paste that brings it.
#[test]
fn a_paste_confirms_nothing() {
    let console = in_trouble((120, 40));
    console.paste("Rcheckouty");
    console.press("R");
    console.wait_for("all pass");
    console.paste("checkout\ny\r\ny");
    console.paste("\x1b[A\x1b]0;owned\x07");
    console.press("Esc");
    console.wait_gone("Abort 2.9.0 of checkout");
    leaves_untouched(&console);
}

/// A release that changed after the key was pressed is not acted on: the dialog says so and cannot be confirmed.
#[test]
fn a_stale_target_is_not_acted_on() {
    let fleet = Fleet::start("bad-canary");
    fleet.by_hand();
    let console = fleet.console(&["--lead", "auto"], (120, 40));
    console.wait_for("automatic off");
    console.wait_for("ROLL BACK NOW");
    console.press("R");
    console.wait_for("all pass");
    // Somebody else takes it back meanwhile.
    let config = fleet.config();
    let status = std::process::Command::new(env!("CARGO_BIN_EXE_unship"))
        .args([
            "-c",
            config.to_str().unwrap(),
            "--as",
            "jon",
            "rollback",
            "checkout",
            "--yes",
            "--reason",
            "faster",
        ])
        .env("XDG_STATE_HOME", console.home())
        .output()
        .unwrap();
    assert!(status.status.success(), "{}", String::from_utf8_lossy(&status.stderr));
    console.wait_for("changed since");
    console.type_text("checkout");
    console.press("y");
    console.press("Esc");
    console.wait_gone("changed since");
    console.press("q");
    assert_eq!(console.exit_status().exit_code(), 0);
    let left = console.screen();
    assert!(left.contains("op-1") && !left.contains("op-2"), "{left}");
}
