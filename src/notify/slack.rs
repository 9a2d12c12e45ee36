//! A Slack incoming webhook: text, and the same as blocks.
//!
//! It has no place for a key, so the text carries `[INC-12 #3]`. It answers 200 with `ok`; a refusal is one word, like
//! `no_service`. Nothing can be edited or threaded by such a webhook.
//!
//! Sources: <https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>,
//! <https://docs.slack.dev/reference/block-kit/blocks>.

use async_trait::async_trait;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use super::http::{Address, Poster};
use super::text::{fit, shorten, slack as escape};
use super::{Accepted, Channel, SendError};
use crate::model::channel::SlackSpec;
use crate::model::notification::{Notification, fact};
use crate::model::secret::Secrets;

/// Slack recommends no more; past 40,000 it cuts by itself.
const TEXT: usize = 4_000;
/// A section's text.
const SECTION: usize = 3_000;
/// A header's text.
const HEADER: usize = 150;

/// A Slack channel.
#[derive(Debug)]
pub struct Slack(Poster);

impl Slack {
    /// Takes the address. Nothing is sent yet.
    ///
    /// # Errors
    /// [`SendError::Permanent`] when the secret was not read or is no address.
    pub fn new(spec: &SlackSpec, secrets: &Secrets) -> Result<Self, SendError> {
        let address = Address::secret("slack", &spec.secret_url, secrets)?;
        Ok(Self(Poster::new(address, spec.timeout, secrets)))
    }
}

#[async_trait]
impl Channel for Slack {
    async fn send(&self, notification: &Notification) -> Result<Accepted, SendError> {
        let answer = self.0.post(HeaderMap::new(), body(notification).to_string()).await?;
        self.0.judge(answer.status, &answer.headers, &word(&answer.body))?;
        Ok(Accepted::default())
    }

    fn host(&self) -> String {
        self.0.address.host()
    }
}

/// A refusal is one word. Anything else is the page of somebody in between.
fn word(body: &str) -> String {
    let word = body.trim();
    let is_word = word.len() <= 60 && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    if is_word { word.to_owned() } else { String::new() }
}

fn body(notification: &Notification) -> Value {
    let mut told = notification.marked_text();
    if let Some(tag) = notification.tag() {
        // In front, where it is never what is cut off.
        told = format!("{tag} {told}");
    }
    let section =
        |text: String| json!({"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": true}});
    let mut blocks = Vec::new();
    if notification.subject.is_some() {
        let heading = shorten(&notification.heading(), HEADER);
        blocks
            .push(json!({"type": "header", "text": {"type": "plain_text", "text": heading, "emoji": false}}));
    }
    blocks.push(section(fit(&told, SECTION, escape)));
    let about = [
        Some(notification.environment.as_str()),
        notification.service.as_ref().map(crate::model::ServiceName::as_str),
        Some(notification.severity.word()),
        notification.facts.get(fact::URL).map(String::as_str),
    ];
    let about = about.into_iter().flatten().collect::<Vec<_>>().join(" · ");
    blocks.push(json!({
        "type": "context",
        "elements": [{"type": "mrkdwn", "text": fit(&about, SECTION, escape), "verbatim": true}],
    }));
    json!({"text": fit(&told, TEXT, escape), "blocks": blocks, "unfurl_links": false, "unfurl_media": false})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::tests::notification;
    use crate::notify::text::length;

    /// What arrives can be recognised as a repetition, mentions nobody, and says that it is a drill.
    #[test]
    fn the_text_is_safe_and_tagged() {
        let mut message = notification();
        message.text = "<!channel> a & b".to_owned();
        message.incident = Some("INC-12".into());
        message.seq = 3;
        message.drill = true;
        message.subject = Some("checkout <down>".to_owned());
        let body = body(&message);
        assert_eq!(body["text"], "[INC-12 #3] [DRILL] &lt;!channel&gt; a &amp; b");
        // A header is plain text already.
        assert_eq!(body["blocks"][0]["text"]["text"], "[DRILL] checkout <down>");
        assert_eq!(body["blocks"][1]["text"]["text"], body["text"]);
        assert_eq!(body["blocks"][2]["elements"][0]["text"], "production · checkout · high");
    }

    /// A message of any length fits into every place, so that Slack does not refuse it whole.
    #[test]
    fn everything_fits() {
        let mut message = notification();
        message.text = "&".repeat(50_000);
        message.subject = Some("é".repeat(500));
        message.environment = "x".repeat(5_000);
        let body = body(&message);
        let text = |value: &Value| length(value.as_str().unwrap());
        assert!(text(&body["text"]) <= TEXT && text(&body["blocks"][0]["text"]["text"]) <= HEADER);
        assert!(text(&body["blocks"][1]["text"]["text"]) <= SECTION);
        assert!(text(&body["blocks"][2]["elements"][0]["text"]) <= SECTION);
        // Whole messages are refused from 13,200 characters of blocks on.
        assert!(body["blocks"].to_string().len() < 13_000, "{}", body["blocks"].to_string().len());
        assert!(body["text"].as_str().unwrap().ends_with("… [shortened]"));
    }

    /// Only Slack's own word is repeated, not a proxy's page.
    #[test]
    fn only_words_are_repeated() {
        for (body, expected) in [
            ("no_service", "no_service"),
            ("invalid_payload\n", "invalid_payload"),
            ("<html>no</html>", ""),
            ("", ""),
        ] {
            assert_eq!(word(body), expected);
        }
    }
}
