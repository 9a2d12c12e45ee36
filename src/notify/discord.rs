//! A Discord webhook. It is asked to wait until the message is kept (`wait=true`), and to call nobody.
//!
//! Too much is answered with 429 and how long to wait, as a number of seconds with a fraction. Who goes on all the same is
//! banned, which is what the outbox's pauses and its breaker are for.
//!
//! Sources: <https://docs.discord.com/developers/resources/webhook#execute-webhook>,
//! <https://docs.discord.com/developers/topics/rate-limits>.

use std::time::Duration;

use async_trait::async_trait;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use super::http::{Address, Poster};
use super::text::{fit, markdown};
use super::{Accepted, Channel, SendError};
use crate::model::channel::DiscordSpec;
use crate::model::notification::{Notification, fact};
use crate::model::secret::Secrets;

/// A message's content.
const CONTENT: usize = 2_000;
/// No pictures of the pages behind links.
const SUPPRESS_EMBEDS: u32 = 1 << 2;
/// The longest wish that is believed.
const LONGEST_WISH: f64 = 86_400.0;

/// A Discord channel.
#[derive(Debug)]
pub struct Discord(Poster);

impl Discord {
    /// Takes the address. Nothing is sent yet.
    ///
    /// # Errors
    /// [`SendError::Permanent`] when the secret was not read or is no address.
    pub fn new(spec: &DiscordSpec, secrets: &Secrets) -> Result<Self, SendError> {
        let mut address = Address::secret("discord", &spec.secret_url, secrets)?;
        {
            let mut query = address.url.query_pairs_mut();
            query.append_pair("wait", "true");
            if let Some(thread) = &spec.thread {
                query.append_pair("thread_id", thread);
            }
        }
        Ok(Self(Poster::new(address, spec.timeout, secrets)))
    }
}

#[async_trait]
impl Channel for Discord {
    async fn send(&self, notification: &Notification) -> Result<Accepted, SendError> {
        let answer = self.0.post(HeaderMap::new(), body(notification).to_string()).await?;
        let said: Value = serde_json::from_str(&answer.body).unwrap_or_default();
        let message = said["message"].as_str().map(|message| self.0.quote(message)).unwrap_or_default();
        match self.0.judge(answer.status, &answer.headers, &message) {
            Err(SendError::Retry { reason, after }) => {
                Err(SendError::Retry { reason, after: after.max(retry_after(&said)) })
            }
            Err(error) => Err(error),
            Ok(()) => Ok(Accepted::default()),
        }
    }

    fn host(&self) -> String {
        self.0.address.host()
    }
}

/// The wish in the body: seconds with a fraction.
fn retry_after(said: &Value) -> Option<Duration> {
    let seconds = said["retry_after"].as_f64()?;
    (seconds >= 0.0).then(|| Duration::from_secs_f64(seconds.min(LONGEST_WISH)))
}

fn body(notification: &Notification) -> Value {
    let mut told = notification.marked_text();
    if let Some(subject) = &notification.subject {
        told = format!("{subject}\n{told}");
    }
    if let Some(tag) = notification.tag() {
        told = format!("{tag} {told}");
    }
    if let Some(url) = notification.facts.get(fact::URL) {
        told = format!("{told}\n{url}");
    }
    json!({
        "content": fit(&told, CONTENT, markdown),
        "allowed_mentions": {"parse": []},
        "flags": SUPPRESS_EMBEDS,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::tests::notification;
    use crate::notify::text::length;

    /// A message of any length is taken, and nobody is called by what is in it.
    #[test]
    fn the_content_is_safe_and_fits() {
        let mut message = notification();
        message.text = "@everyone *x* ".repeat(1_000);
        message.incident = Some("INC-12".into());
        message.seq = 3;
        message.test = true;
        message.subject = Some("checkout is down".to_owned());
        let body = body(&message);
        let content = body["content"].as_str().unwrap();
        assert!(
            content.starts_with("\\[INC-12 #3\\] checkout is down\n\\[TEST\\] @everyone \\*x\\* "),
            "{content}"
        );
        assert!(length(content) <= CONTENT && content.ends_with("… [shortened]"));
        assert_eq!(body["allowed_mentions"], json!({"parse": []}));
    }

    /// The wish is a number with a fraction; what is none, or makes no sense, is no wish.
    #[test]
    fn wishes_are_read() {
        for (said, expected) in [
            (json!({"retry_after": 1.337}), Some(Duration::from_secs_f64(1.337))),
            (json!({"retry_after": 3}), Some(Duration::from_secs(3))),
            (json!({"retry_after": 1e300}), Some(Duration::from_secs(86_400))),
            (json!({"retry_after": -1}), None),
            (json!({"retry_after": "soon"}), None),
            (Value::Null, None),
        ] {
            assert_eq!(retry_after(&said), expected, "{said}");
        }
    }
}
