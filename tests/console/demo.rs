//! The demo, played as a person plays it.

use super::harness::Console;

/// Sees the fault, asks why, takes the release back by typing the service's name, watches it verified, and leaves.
#[test]
fn a_person_takes_the_release_back() {
    let console = Console::start(&["demo", "--seed", "7", "--as", "mara"], (120, 40), &[]);
    console.wait_for("Health");
    console.wait_for("this console leads");
    console.wait_for("A new release comes");
    console.wait_until("the canary's fault", |screen| {
        screen.contains("FAIL")
            && screen.contains("ROLL BACK NOW")
            && screen.contains("Something is wrong with checkout")
    });
    console.press("w");
    console.wait_for("what would change it");
    console.press("Esc");
    console.wait_gone("what would change it");
    console.press("a");
    console.wait_for("by mara");
    console.press("R");
    console.wait_for("Abort 2.9.0 of checkout");
    console.wait_for("all pass");
    console.type_text("checkout");
    console.wait_for("checkout ✓");
    console.press("y");
    console.wait_for("op-1");
    console.wait_for("verified");
    console.press("Esc");
    console.wait_for("is back on 2.8.0 and verified healthy");
    console.press("t");
    console.wait_for("op-1 ended: verified");
    console.press("q");
    assert_eq!(console.exit_status().exit_code(), 0);
    console.assert_restored();
    let left = console.screen();
    for words in [
        "traffic back",
        "verified",
        "op-1  roll back checkout from 2.9.0 to 2.8.0 (by mara): verified",
        "the record is",
    ] {
        assert!(left.contains(words), "{words} in {left}");
    }
}

/// The engine takes it back by itself when it is asked to, and the console shows it.
#[test]
fn the_engine_takes_the_release_back() {
    let console = Console::start(&["demo", "--auto", "--seed", "7"], (80, 24), &[]);
    console.wait_for("Health");
    console.press("t");
    console.wait_for("op-1 ended: verified");
    console.press("q");
    assert_eq!(console.exit_status().exit_code(), 0);
    console.assert_restored();
}
