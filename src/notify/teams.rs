//! Microsoft Teams, by a workflow that begins with `When a Teams webhook request is received`: an Adaptive Card in a message.
//!
//! A workflow answers 202, which does not prove that anything was posted. Older connectors answer 200 whatever happened, and
//! say in the body `Microsoft Teams endpoint returned HTTP error 429`: that is read.
//!
//! Sources: <https://learn.microsoft.com/en-us/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using>,
//! <https://adaptivecards.io/explorer/AdaptiveCard.html>.

use async_trait::async_trait;
use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use super::http::{Address, Poster};
use super::text::{cut_mark, fit, longest, markdown};
use super::{Accepted, Channel, SendError};
use crate::model::channel::TeamsSpec;
use crate::model::notification::{Notification, fact};
use crate::model::secret::Secrets;

/// Bytes of a message. Teams refuses one of more than 28 KB.
const MESSAGE: usize = 27_000;
/// A heading that is longer helps nobody.
const HEADING: usize = 200;
/// A value in the table of facts.
const FACT: usize = 300;
/// What the other side says in a body with a fine status.
const RETURNED: &str = "returned HTTP error ";

/// A Teams channel.
#[derive(Debug)]
pub struct Teams(Poster);

impl Teams {
    /// Takes the address. Nothing is sent yet.
    ///
    /// # Errors
    /// [`SendError::Permanent`] when the secret was not read or is no address.
    pub fn new(spec: &TeamsSpec, secrets: &Secrets) -> Result<Self, SendError> {
        let address = Address::secret("teams", &spec.secret_url, secrets)?;
        Ok(Self(Poster::new(address, spec.timeout, secrets)))
    }
}

#[async_trait]
impl Channel for Teams {
    async fn send(&self, notification: &Notification) -> Result<Accepted, SendError> {
        let answer = self.0.post(HeaderMap::new(), body(notification)).await?;
        self.0.judge(answer.status, &answer.headers, "")?;
        if let Some(status) = returned(&answer.body) {
            self.0.judge(status, &answer.headers, "as the body of the answer says")?;
            return Ok(Accepted::default());
        }
        if !answer.is_whole {
            let reason =
                format!("{} answered {}, then the connection was lost", self.0.address.shown, answer.status);
            return Err(SendError::Unknown { reason });
        }
        Ok(Accepted::default())
    }

    fn host(&self) -> String {
        self.0.address.host()
    }
}

/// The status that a fine answer tells of in its body.
fn returned(body: &str) -> Option<StatusCode> {
    let (_, rest) = body.split_once(RETURNED)?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse::<u16>().ok().and_then(|status| StatusCode::from_u16(status).ok())
}

fn body(notification: &Notification) -> String {
    longest(&notification.marked_text(), |text, is_cut| {
        let body = card(notification, &cut_mark(&markdown(text), is_cut)).to_string();
        (body.len() <= MESSAGE).then_some(body)
    })
    .unwrap_or_default()
}

fn card(notification: &Notification, text: &str) -> Value {
    // One line end is a space in a card.
    let text = text.replace('\n', "\n\n");
    let tag = notification.tag().map(|tag| format!("{} ", markdown(&tag))).unwrap_or_default();
    let heading = format!("{tag}{}", fit(&notification.heading(), HEADING, markdown));
    let fact = |title: &str, value: &str| json!({"title": title, "value": fit(value, FACT, markdown)});
    let mut facts = vec![fact("environment", &notification.environment)];
    if let Some(service) = &notification.service {
        facts.push(fact("service", service.as_str()));
    }
    facts.push(fact("severity", notification.severity.word()));
    if let Some(url) = notification.facts.get(fact::URL) {
        facts.push(fact("more", url));
    }
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "msteams": {"width": "Full"},
                "body": [
                    {"type": "TextBlock", "text": heading, "weight": "Bolder", "size": "Medium", "wrap": true},
                    {"type": "TextBlock", "text": text, "wrap": true},
                    {"type": "FactSet", "facts": facts},
                ],
            },
        }],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::tests::notification;

    /// A card of any text is below the limit, as Teams refuses a larger one whole.
    #[test]
    fn a_card_fits() {
        for text in ["x".repeat(60_000), "*é\n".repeat(20_000), "\u{1b}".repeat(30_000), String::new()] {
            let mut message = notification();
            message.text = text;
            message.subject = Some("s".repeat(5_000));
            message.environment = "e".repeat(5_000);
            let body = body(&message);
            assert!((1..=MESSAGE).contains(&body.len()));
            let body: Value = serde_json::from_str(&body).unwrap();
            assert_eq!(body["attachments"][0]["content"]["type"], "AdaptiveCard");
        }
    }

    /// Markup in a text is text, and a repetition can be recognised.
    #[test]
    fn the_card_is_safe_and_tagged() {
        let mut message = notification();
        message.text = "**no** [link](https://evil.example)\nnext".to_owned();
        message.incident = Some("INC-12".into());
        message.seq = 3;
        message.test = true;
        let body: Value = serde_json::from_str(&body(&message)).unwrap();
        let content = &body["attachments"][0]["content"]["body"];
        assert_eq!(
            content[1]["text"],
            "\\[TEST\\] \\*\\*no\\*\\* \\[link\\]\\(https://evil.example\\)\n\nnext"
        );
        assert!(content[0]["text"].as_str().unwrap().starts_with("\\[INC-12 #3\\] \\[TEST\\] "));
    }

    /// A fine status with a bad one in its body is a bad one.
    #[test]
    fn the_body_is_read() {
        let said = "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429 with ContextId x";
        assert_eq!(returned(said), Some(StatusCode::TOO_MANY_REQUESTS));
        assert_eq!(returned("1"), None);
        assert_eq!(returned("returned HTTP error soon"), None);
    }
}
