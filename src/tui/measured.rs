//! The measures of delivery, made from the whole journal when a person looks at them: they change by the day, not by the second.

use std::time::Duration;

use jiff::Timestamp;

use crate::engine::runtime::Engine;
use crate::report::Entry;
use crate::report::delivery::{Delivery, Period, Recorder};

/// How far back they go: a quarter, in whole weeks.
pub const PERIOD: Duration = Duration::from_secs(13 * 7 * 86_400);

/// Entries that are read at a time.
const BATCH: usize = 2_000;

/// What was found, or why it cannot be read.
pub type Measured = Result<Box<Delivery>, String>;

/// Reads the journal and measures.
pub(super) async fn measure(engine: &Engine) -> Measured {
    let mut recorder = Recorder::default();
    let mut after = 0;
    loop {
        let entries = engine.read(after, BATCH).await.map_err(|error| error.to_string())?;
        let Some(last) = entries.last() else { break };
        after = last.seq;
        for entry in &entries {
            recorder.take(&Entry { seq: entry.seq, at: entry.at, event: &entry.event, hash: &entry.hash });
        }
        // A journal of years takes a while; the screen does not wait for it.
        tokio::task::yield_now().await;
    }
    let now = Timestamp::now();
    let from = now.checked_sub(PERIOD).unwrap_or(Timestamp::UNIX_EPOCH);
    Ok(Box::new(recorder.finish(Period { from, to: now }, None, now)))
}
