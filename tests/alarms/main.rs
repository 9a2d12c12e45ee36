//! Alarms on their way in: the listener over real sockets, guards that die, and a real Alertmanager. What is not installed is
//! skipped, and the test says so.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

mod alertmanager;
mod guard;
#[expect(dead_code, reason = "the fleet of the process tests; some of it is of no use here")]
#[path = "../processes/harness.rs"]
mod harness;
mod listener;
mod looks;
mod refusals;

/// Says that a test is skipped, and why; unless the server is among those that have to be there.
fn skip(server: &str, why: &str) {
    let required = std::env::var("UNSHIP_TEST_REQUIRES").unwrap_or_default();
    assert!(!required.split(' ').any(|name| name == server), "not skipped here: {why}");
    eprintln!("skipped: {why}");
}
