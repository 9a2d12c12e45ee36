//! An incident worked through in a real terminal: a runbook of the team, an escalation, the keys.

use std::time::{Duration, Instant};

use super::fleet::Fleet;
use super::harness::Console;

/// A fleet whose canary fails, with a runbook and an escalation; people act, not the guard.
pub(crate) fn fleet() -> Fleet {
    let fleet = Fleet::start("bad-canary");
    fleet.by_hand();
    fleet.add(
        "checkout.md",
        include_str!("checkout.md"),
        r#"
[runbooks.checkout]
file = "checkout.md"

[channels.pager]
kind = "webhook"
url = "http://127.0.0.1:9/pager"

[contacts.mira]
phone = { channel = "pager", address = "+49 170 1" }

[contacts.jonas]
phone = { channel = "pager", address = "+49 170 2" }

[escalation]
policy = "primary"

[policy.primary]
last_resort = "channel:pager"

[[policy.primary.level]]
targets = ["contact:mira"]
delay = "5m"

[[policy.primary.level]]
targets = ["contact:jonas"]
delay = "5m"
"#,
    );
    fleet
}

/// Waits until the canary fails and the checklist is there, and goes to it.
pub(crate) fn begin(console: &Console) {
    console.wait_for("ROLL BACK NOW");
    console.wait_for("The incident is acknowledged");
    console.press("4");
}

/// What the service writes, followed in its page: the last lines, those that come, a person further up left where they are.
#[test]
fn a_log_is_followed() {
    use std::io::Write as _;
    let fleet = Fleet::start("bad-canary");
    let path = fleet.journal().with_file_name("checkout.log");
    let begun: Vec<String> = (1..=200).map(|number| format!("request {number} served\n")).collect();
    std::fs::write(&path, begun.concat()).unwrap();
    let place = format!("[services.checkout.log]\nfile = {:?}\n", path.to_str().unwrap());
    fleet.add("unused", "", &place);
    let console = fleet.console(&[], (100, 30));
    console.wait_for("checkout");
    console.type_text(":log checkout\r");
    console.wait_for("Log · checkout");
    console.wait_for("request 200 served");
    let write = |text: &str| {
        std::fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(text.as_bytes()).unwrap();
    };
    write("\u{1b}[31mout of memory\n");
    console.wait_for("\\u{1b}[31mout of memory");
    console.press("g");
    console.wait_for("request 1 served");
    write("after the end\n");
    // The number of lines grows, and what is read stays.
    console.wait_for("of 202");
    console.wait_for("request 1 served");
    console.press("G");
    console.wait_for("after the end");
    console.press("Esc");
    console.wait_gone("Log · checkout");
}

/// A message written with keys: who for, what, looked at once more, sent.
#[test]
fn a_message_is_written() {
    let fleet = fleet();
    let console = fleet.console(&[], (120, 40));
    begin(&console);
    console.press("m");
    console.wait_for("Message");
    console.press("C-u");
    console.type_text("Half of the carts cannot be paid.");
    console.wait_for("Half of the carts cannot be paid.");
    // Nothing goes out of a half-written text, and Esc loses nothing of it.
    console.press("Esc");
    console.wait_gone("Half of the carts");
    console.press("m");
    console.wait_for("Half of the carts cannot be paid.");
    console.press("C-s");
    console.wait_for("y sends");
    console.press("y");
    console.wait_for("accepted");
    console.press("t");
    console.wait_for("mara sends an internal message by pager");
}

/// Ticks, overrides, records and decides with keys, each seen before the next; the engine takes it up.
#[test]
fn a_runbook_is_worked_through() {
    let fleet = fleet();
    let console = fleet.console(&[], (120, 40));
    begin(&console);
    console.wait_for("acknowledge");
    console.press("Space");
    console.wait_for("by mara after");
    // The next line is what a person cannot tick: it is not so.
    console.keys(&["c", "o"]);
    console.wait_for("Override: errors");
    console.type_text("the canary is the patient");
    console.press("Tab");
    console.wait_no_cursor();
    console.press("y");
    console.wait_for("(overridden)");
    console.press("Space");
    console.wait_for("Enter: calls");
    console.type_text("17");
    console.wait_for("value  17");
    console.press("Enter");
    console.wait_gone("Enter: calls");
    console.wait_for("3/");
    console.press("Space");
    console.wait_for("Decide: cause");
    // What is seen moves, and so does what it speaks for.
    console.press("1");
    console.wait_for("decides: Yes");
    // Figures move four times a second: Enter on what was not on the screen yet is refused, and pressed again.
    for _ in 0..20 {
        console.press("Enter");
        let is_decided = || console.screen().contains("(not applicable)");
        let until = Instant::now() + Duration::from_secs(2);
        while !is_decided() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(20));
        }
        if is_decided() || !console.screen().contains("press it again") {
            break;
        }
    }
    console.wait_for("(not applicable)");
    // Telling others is asked with their names.
    console.keys(&["!", "e"]);
    console.wait_for("jonas (phone) through pager");
    console.press("Esc");
    console.press("I");
    console.wait_for("escalation");
    console.wait_for("answered by mara");
    console.keys(&["Esc", "q"]);
    assert_eq!(console.exit_status().exit_code(), 0);
    console.assert_restored();
}
