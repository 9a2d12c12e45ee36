//! The load generator: real requests to every router, at a steady mean rate whatever comes back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How often requests are sent; those that fall into one turn go together.
const TURN: Duration = Duration::from_millis(10);
/// Most requests that are open at once, for one service. More are not sent, and counted.
const OPEN: usize = 512;
/// What users ask for.
const PATHS: [&str; 4] = ["/", "/items", "/items/17", "/orders"];

/// Sends `rps` requests a second in the mean to `base` until `stop`. Arrivals are random and follow the seed.
pub(super) async fn generate(
    client: reqwest::Client,
    base: String,
    rps: f64,
    seed: u64,
    unsent: Arc<AtomicU64>,
    stop: CancellationToken,
) {
    if rps <= 0.0 {
        return;
    }
    let mut rng = StdRng::seed_from_u64(seed);
    let open = Arc::new(Semaphore::new(OPEN));
    let mut tasks = JoinSet::new();
    let mut turns = tokio::time::interval(TURN);
    turns.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut last = Instant::now();
    // Seconds until the next arrival; the gaps are exponential, so that arrivals are independent of each other.
    let mut gap = 0.0;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = turns.tick() => {}
        }
        while tasks.try_join_next().is_some() {}
        let now = Instant::now();
        // A machine that slept does not send everything that it missed.
        gap -= now.duration_since(last).as_secs_f64().min(0.25);
        last = now;
        while gap <= 0.0 {
            gap += -(1.0 - rng.random::<f64>()).ln() / rps;
            let path = PATHS[rng.random_range(0..PATHS.len())];
            let Ok(permit) = Arc::clone(&open).try_acquire_owned() else {
                unsent.fetch_add(1, Ordering::Relaxed);
                continue;
            };
            let request = client.get(format!("{base}{path}"));
            tasks.spawn(async move {
                // The router has measured what came back; the body is read so that the connection can be kept.
                if let Ok(answer) = request.send().await {
                    let _ = answer.bytes().await;
                }
                drop(permit);
            });
        }
    }
}
