//! What was not understood, kept for whoever has to find out why: the newest few, cut short, without our secrets.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::body::Bytes;
use jiff::Timestamp;

use crate::api::Shared;

/// Samples that are kept; the next one replaces the oldest.
const KEPT: u64 = 10;
/// The longest sample, in bytes.
const LONGEST: usize = 64 * 1024;

/// Keeps a body that was not understood. Where that fails, the log says so.
pub(super) async fn keep(shared: &Arc<Shared>, source: &str, why: &str, body: Bytes) {
    tracing::warn!(source, why, bytes = body.len(), "alarms were not understood");
    let Some(folder) = shared.samples.clone() else { return };
    let number = shared.sampled.fetch_add(1, Ordering::Relaxed) % KEPT;
    let (shared, head) = (Arc::clone(shared), format!("# {} {source}: {why}\n", Timestamp::now()));
    let kept = tokio::task::spawn_blocking(move || {
        // First the secrets go, then it is cut: half a secret would not be found.
        let text = shared.secrets.redact(&String::from_utf8_lossy(&body));
        let mut end = text.len().min(LONGEST);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let mark = if end < text.len() { "\n# … the rest was left out\n" } else { "\n" };
        std::fs::create_dir_all(&folder)?;
        let file = folder.join(format!("alarm-{number}.txt"));
        std::fs::write(file, format!("{}{}{mark}", shared.secrets.redact(&head), &text[..end]))
    });
    if let Ok(Err(error)) = kept.await {
        tracing::warn!(%error, "what was not understood could not be kept");
    }
}
