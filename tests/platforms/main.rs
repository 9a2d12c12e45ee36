//! The platforms against what they speak to: real servers where they can be had, else what is held to the published contract.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]
#![expect(clippy::unused_async, reason = "what answers a request is async for its caller")]

mod azure;
#[cfg(feature = "docker")]
mod docker;
mod ecs;
mod github;
mod guard;
mod http;
#[cfg(feature = "kubernetes")]
mod kubernetes;
mod netlify;
mod nginx;
mod prism;
mod railway;
mod wrk;

use std::sync::Arc;

use unship::model::IdempotencyKey;
use unship::model::platform::PlatformAction;
use unship::model::release::{Arm, Inventory, Share};
use unship::platform::{Call, Platform, PlatformError, Progress};

/// Whether the test of a server is left out, with a word about it. What `UNSHIP_TEST_REQUIRES` names is never left out.
#[track_caller]
fn skip(server: &str, found: bool, how: &str) -> bool {
    let required = std::env::var("UNSHIP_TEST_REQUIRES").unwrap_or_default();
    assert!(
        found || !required.split_whitespace().any(|name| name == server),
        "UNSHIP_TEST_REQUIRES names {server}, but there is none: {how}"
    );
    if !found {
        eprintln!("skipped: there is no {server}; {how}");
    }
    !found
}

/// Whether a program can be run.
fn has(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let sbin = ["/usr/sbin", "/sbin"].map(std::path::PathBuf::from);
    std::env::split_paths(&path).chain(sbin).any(|dir| dir.join(program).is_file())
}

/// Asks for an action as the engine does: with the revision of a reading right before.
async fn act(platform: &Arc<dyn Platform>, action: &PlatformAction) -> Result<String, PlatformError> {
    let revision = platform.read().await?.revision;
    act_on(platform, action, revision).await
}

async fn act_on(
    platform: &Arc<dyn Platform>,
    action: &PlatformAction,
    revision: Option<String>,
) -> Result<String, PlatformError> {
    platform.act(action, &call(revision, false)).await
}

/// The same attempt again, by somebody who does not know how the one before ended.
async fn again(platform: &Arc<dyn Platform>, action: &PlatformAction) -> Result<String, PlatformError> {
    let revision = platform.read().await?.revision;
    platform.act(action, &call(revision, true)).await
}

fn call(revision: Option<String>, may_have_happened: bool) -> Call {
    let key = IdempotencyKey::new("op-1/0");
    Call { key, token: 1, revision, may_have_happened, progress: Progress::default() }
}

/// The versions that can be named as a target, newest first.
fn versions(inventory: &Inventory) -> Vec<&str> {
    inventory.releases.iter().map(|release| release.version.as_str()).collect()
}

/// The shares as one line: `2.8.0 stable 90, 2.8.1 canary 10`.
fn traffic(inventory: &Inventory) -> String {
    let version = |share: &Share| {
        inventory.release(&share.reference).map_or("?".to_owned(), |release| release.version.to_string())
    };
    let shares = inventory.traffic.iter();
    let shares: Vec<_> =
        shares.map(|share| format!("{} {} {}", version(share), share.arm, share.percent)).collect();
    shares.join(", ")
}

/// Traffic between two releases.
fn split(stable: &str, canary: &str, percent: u8) -> PlatformAction {
    PlatformAction::ShiftTraffic {
        shares: vec![
            Share { reference: stable.into(), arm: Arm::Stable, percent: 100 - percent },
            Share { reference: canary.into(), arm: Arm::Canary, percent },
        ],
    }
}

/// All the traffic to one release.
fn restore(release: &str) -> PlatformAction {
    PlatformAction::Restore { release: release.into() }
}
