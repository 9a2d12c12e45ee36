//! A sign of life to a monitor outside, which tells people when it stays away: the one alarm that a guard cannot raise itself.

use std::time::Duration;

use reqwest::header::HeaderMap;
use serde_json::json;
use tokio::time::{MissedTickBehavior, interval};

use super::SendError;
use super::http::{Address, Poster};
use crate::model::channel::HeartbeatSpec;
use crate::model::secret::Secrets;

/// A heart, and where it is heard.
#[derive(Debug)]
pub struct Heartbeat {
    poster: Poster,
    every: Duration,
}

impl Heartbeat {
    /// Connects to nothing yet.
    ///
    /// # Errors
    ///
    /// If the secret is not there, or holds no address.
    pub fn new(spec: &HeartbeatSpec, secrets: &Secrets) -> Result<Self, SendError> {
        let address = Address::secret("heartbeat", &spec.secret_url, secrets)?;
        Ok(Self { poster: Poster::new(address, spec.timeout, secrets), every: *spec.interval })
    }

    /// Beats until it is dropped. One that is not heard is said in the log, once; the monitor says it to people.
    pub async fn beat(&self, environment: &str, holder: &str) {
        let mut beats = interval(self.every);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut was_heard = true;
        loop {
            beats.tick().await;
            let body = json!({ "environment": environment, "leader": holder }).to_string();
            let heard = match self.poster.post(HeaderMap::new(), body).await {
                Ok(answer) => self.poster.judge(answer.status, &answer.headers, ""),
                Err(error) => Err(error),
            };
            match heard {
                Ok(()) => was_heard = true,
                Err(error) => {
                    if was_heard {
                        tracing::warn!(%error, "the heartbeat is not heard");
                    }
                    was_heard = false;
                }
            }
        }
    }
}
