//! A console beside a guard: it shows the same, sends its commands to the leader, and takes over when it dies.

use super::fleet::Fleet;

/// The guard leads, the person acts from the console, and the guard carries it out; then it dies and the console leads.
#[test]
fn a_console_follows_and_takes_over() {
    let fleet = Fleet::start("healthy");
    let mut guard = fleet.guard();
    let console = fleet.console(&[], (120, 40));
    console.wait_for("leader guard@");
    console.wait_until("what the guard reads", |screen| screen.matches("OK").count() >= 4);
    // The first row: one of the healthy services, frozen by the person through the guard.
    console.keys(&["j", "k", "!", "f"]);
    console.wait_for("a reason is needed");
    console.type_text("a drill");
    console.wait_for("a drill");
    console.press("Tab");
    // Out of the field, where `y` is text no more.
    console.wait_no_cursor();
    console.press("y");
    console.wait_for("accepted");
    guard.kill();
    console.wait_for("this console leads");
    console.wait_until("what this console reads", |screen| screen.matches("OK").count() >= 4);
    console.press("q");
    assert_eq!(console.exit_status().exit_code(), 0);
    console.assert_restored();
}

/// One that may not lead says so, and stays as it is when the guard dies.
#[test]
fn a_console_that_may_not_lead_does_not() {
    let fleet = Fleet::start("healthy");
    let mut guard = fleet.guard();
    let console = fleet.console(&["--lead", "never"], (120, 40));
    console.wait_for("leader guard@");
    console.wait_until("what the guard reads", |screen| screen.matches("OK").count() >= 4);
    guard.kill();
    console.wait_for("NOBODY LEADS");
    console
        .wait_until("old data", |screen| screen.contains("NO DATA since") || screen.contains("no data for"));
    console.press("R");
    console.wait_for("nobody leads");
    console.keys(&["Esc", "q"]);
    assert_eq!(console.exit_status().exit_code(), 0);
}

/// `--lead now` takes the lead from a guard that is there.
#[test]
fn a_console_takes_the_lead_at_once() {
    let fleet = Fleet::start("healthy");
    let _guard = fleet.guard();
    let looking = fleet.console(&["--lead", "never"], (80, 24));
    looking.wait_for("guard@");
    let taking = fleet.console(&["--lead", "now"], (120, 40));
    taking.wait_for("this console leads");
    looking.wait_for("console@");
    taking.press("q");
    assert_eq!(taking.exit_status().exit_code(), 0);
    looking.press("q");
    assert_eq!(looking.exit_status().exit_code(), 0);
}
