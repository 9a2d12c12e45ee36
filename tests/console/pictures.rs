//! The pictures of the README, from the real program. They are made again with
//! `cargo test --test console -- --ignored pictures`.

use std::path::Path;

use super::harness::Console;
use super::incidents;
use super::svg::{self, DARK, LIGHT};

/// Writes what is on the screen.
fn keep(console: &Console, name: &str, terminal: &svg::Terminal, title: &str) {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/pictures");
    std::fs::create_dir_all(&dir).unwrap();
    let picture = console.with_screen(|screen| svg::picture(screen, terminal, title));
    std::fs::write(dir.join(format!("{name}.svg")), picture).unwrap();
}

#[test]
#[ignore = "writes into docs/pictures; for whoever changes the screen"]
fn pictures() {
    let colours = [("COLORTERM", "truecolor")];
    let console = Console::start(&["demo", "--seed", "7", "--as", "mara"], (130, 36), &colours);
    console.wait_for("ROLL BACK NOW");
    console.press("a");
    console.wait_for("ack");
    keep(&console, "incident", &DARK, "A canary of checkout fails; the console recommends to roll it back");
    console.press("w");
    console.wait_for("what would change it");
    keep(
        &console,
        "why",
        &DARK,
        "Why: the findings, their evidence, the guardrails, and what would change it",
    );
    console.press("Esc");
    console.press("R");
    console.wait_for("all pass");
    console.type_text("checkout");
    console.wait_for("checkout ✓");
    keep(
        &console,
        "rollback",
        &DARK,
        "The rollback dialog: both ends, the plan, the guardrails, the typed name",
    );
    console.press("y");
    console.wait_for("verify");
    keep(&console, "operation", &DARK, "The operation, step by step");
    console.wait_for("verified");
    console.press("q");
    assert_eq!(console.exit_status().exit_code(), 0);

    let console =
        Console::start(&["demo", "--seed", "7", "--as", "mara", "--theme", "light"], (80, 24), &colours);
    console.wait_for("ROLL BACK NOW");
    keep(&console, "narrow-light", &LIGHT, "The console in 80 columns, in the light theme");
    console.press("q");
    assert_eq!(console.exit_status().exit_code(), 0);
}

/// The stages of an incident that is worked through by a runbook.
#[test]
#[ignore = "writes into docs/pictures; for whoever changes the screen"]
fn pictures_of_an_incident() {
    let fleet = incidents::fleet();
    let console = fleet.console(&[], (130, 38));
    incidents::begin(&console);
    console.press("z");
    console.wait_for("Stabilise");
    keep(&console, "checklist", &DARK, "A runbook as a checklist, with what is seen beside each line");
    console.press("Space");
    console.wait_for("by mara after");
    console.keys(&["j", "j", "j"]);
    console.press("Space");
    console.wait_for("Decide: cause");
    console.wait_for("(recommended)");
    keep(&console, "decision", &DARK, "A decision, with what is seen for and against each way");
    console.press("Esc");
    console.keys(&["!", "e"]);
    console.wait_for("jonas (phone) through pager");
    keep(&console, "escalation", &DARK, "Who is told is named before anything is sent");
    console.press("Esc");
    console.press("I");
    console.wait_for("last resort");
    keep(&console, "incident-page", &DARK, "The incident: escalation, roles, checklists, notes");
    console.keys(&["Esc", "q"]);
    assert_eq!(console.exit_status().exit_code(), 0);
}
