//! A generic webhook: JSON by POST, signed as Standard Webhooks describes.
//!
//! The body is the [`Notification`] with `"schema": "incident-event/1"` in front, below 16 KiB; what had to be cut for
//! that is named in `truncated`. Its headers:
//!
//! | header | value |
//! |---|---|
//! | `webhook-id` | the message's id: the same on every retry, for the receiver to recognise what it has already seen |
//! | `webhook-timestamp` | seconds since 1970 at this attempt |
//! | `webhook-signature` | `v1,` and base64 of HMAC-SHA256 over `id.timestamp.body`; only with a key |
//!
//! How an answer is judged is in [`http`](super::http).
//!
//! Source: <https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md>.

mod body;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac as _};
use jiff::Timestamp;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use sha2::Sha256;

use super::http::{self, Address, Poster};
use super::{Accepted, Channel, SendError};
use crate::model::notification::{Notification, WebhookSpec};
use crate::model::secret::Secrets;

/// A webhook.
#[derive(Debug)]
pub struct Webhook {
    poster: Poster,
    key: Option<Key>,
    headers: HeaderMap,
}

impl Webhook {
    /// Checks the spec and takes its secrets. Nothing is sent yet.
    ///
    /// # Errors
    /// [`SendError::Permanent`], naming what is wrong: not exactly one of `url` and `secret_url`, an address that is not
    /// HTTP, a key that is not `whsec_` and base64, a header that cannot be sent, a secret that was not read.
    pub fn new(spec: &WebhookSpec, secrets: &Secrets) -> Result<Self, SendError> {
        let read = |reference| http::read("webhook", reference, secrets);
        let address = match (&spec.url, &spec.secret_url) {
            (Some(url), None) => {
                Address::parse(url, false).map_err(|reason| permanent(format!("webhook: `url` {reason}")))?
            }
            (None, Some(reference)) => Address::secret("webhook", reference, secrets)?,
            (None, None) => return Err(permanent("webhook: give it a `url` or a `secret_url`".to_owned())),
            (Some(_), Some(_)) => {
                return Err(permanent("webhook: give it a `url` or a `secret_url`, not both".to_owned()));
            }
        };
        let key = match &spec.key {
            Some(reference) => Some(Key::parse(read(reference)?).ok_or_else(|| {
                permanent(format!("webhook: the key in `{reference}` is not `whsec_` followed by base64"))
            })?),
            None => None,
        };
        let mut headers = HeaderMap::new();
        for (name, reference) in &spec.secret_headers {
            let wrong = |what| permanent(format!("webhook: `secret_headers.{name}` {what}"));
            let header: HeaderName =
                name.parse().map_err(|_| wrong("is not the name of a header".to_owned()))?;
            let mut value = HeaderValue::from_str(read(reference)?).map_err(|_| {
                wrong(format!("cannot be sent: `{reference}` has characters that no header has"))
            })?;
            value.set_sensitive(true);
            headers.insert(header, value);
        }
        Ok(Self { poster: Poster::new(address, spec.timeout, secrets), key, headers })
    }
}

#[async_trait]
impl Channel for Webhook {
    async fn send(&self, notification: &Notification) -> Result<Accepted, SendError> {
        let address = &self.poster.address.shown;
        let body = body::of(notification).ok_or_else(|| {
            SendError::message(format!(
                "{address}: `{}` does not fit into {} bytes",
                notification.id,
                body::LIMIT
            ))
        })?;
        let id = HeaderValue::from_str(notification.key()).map_err(|_| {
            SendError::message(format!("{address}: the key {:?} cannot be a header", notification.key()))
        })?;
        let timestamp = Timestamp::now().as_second();
        let mut headers = self.headers.clone();
        headers.insert("webhook-id", id);
        headers.insert("webhook-timestamp", HeaderValue::from(timestamp));
        if let Some(key) = &self.key {
            let signature = key.sign(notification.key(), timestamp, &body);
            let signature = HeaderValue::from_str(&signature).expect("base64 has only plain characters");
            headers.insert("webhook-signature", signature);
        }
        let answer = self.poster.post(headers, body).await?;
        self.poster.judge(answer.status, &answer.headers, "")?;
        Ok(Accepted::default())
    }

    fn host(&self) -> String {
        self.poster.address.host()
    }
}

/// The key that signs.
struct Key(Vec<u8>);

impl Key {
    fn parse(text: &str) -> Option<Self> {
        let bytes = STANDARD.decode(text.trim().strip_prefix("whsec_")?).ok()?;
        (!bytes.is_empty()).then_some(Self(bytes))
    }

    /// The value of `webhook-signature`.
    fn sign(&self, id: &str, timestamp: i64, body: &str) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        mac.update(format!("{id}.{timestamp}.{body}").as_bytes());
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

fn permanent(reason: String) -> SendError {
    SendError::config(reason)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;
    use wiremock::matchers::{header, method, path};
    use wiremock::{Mock, MockServer, Request, ResponseTemplate};

    use super::*;
    use crate::model::secret::Secret;
    use crate::notify::tests::notification;

    /// The example of the Standard Webhooks specification.
    const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    fn webhook(spec: serde_json::Value) -> Webhook {
        try_webhook(spec).unwrap()
    }

    /// Makes a webhook; `env:KEY`, `env:TOKEN` and `env:URL…` can be referred to.
    fn try_webhook(spec: serde_json::Value) -> Result<Webhook, SendError> {
        let mut secrets = Secrets::default();
        for (name, content) in [
            ("KEY", KEY),
            ("TOKEN", "Bearer hunter2"),
            ("URL", "http://kim:hunter2@127.0.0.1:1/services/hunter2?token=hunter2#hunter2"),
            ("BAD_URL", "hunter2 is not an address"),
            ("BAD_HEADER", "hunter2\nhunter2"),
        ] {
            secrets.insert(format!("env:{name}").parse().unwrap(), Secret::new(content));
        }
        Webhook::new(&serde_json::from_value(spec).unwrap(), &secrets)
    }

    async fn answer(template: ResponseTemplate) -> (MockServer, Webhook) {
        let server = MockServer::start().await;
        Mock::given(method("POST")).and(path("/hook")).respond_with(template).mount(&server).await;
        let webhook = webhook(json!({"url": format!("{}/hook?token=hunter2", server.uri())}));
        (server, webhook)
    }

    fn text<'a>(request: &'a Request, header: &str) -> &'a str {
        request.headers[header].to_str().unwrap()
    }

    /// A receiver that follows the specification accepts what we sign.
    #[test]
    fn the_signature_is_the_specified_one() {
        let key = Key::parse(KEY).unwrap();
        let signature = key.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    /// What arrives is complete: the body, its id, a signature that fits it, and the secret headers.
    #[tokio::test]
    async fn a_message_arrives_signed() {
        let server = MockServer::start().await;
        Mock::given(method("POST"))
            .and(path("/hook"))
            .and(header("content-type", "application/json"))
            .and(header("authorization", "Bearer hunter2"))
            .respond_with(ResponseTemplate::new(202))
            .expect(2)
            .mount(&server)
            .await;
        let webhook = webhook(json!({
            "url": format!("{}/hook", server.uri()),
            "key": "env:KEY",
            "secret_headers": {"Authorization": "env:TOKEN"},
        }));
        // Twice, as after a lost answer: the id is the same.
        webhook.send(&notification()).await.unwrap();
        webhook.send(&notification()).await.unwrap();
        for request in server.received_requests().await.unwrap() {
            assert_eq!(text(&request, "webhook-id"), "n-1");
            let timestamp = text(&request, "webhook-timestamp").parse().unwrap();
            let body = std::str::from_utf8(&request.body).unwrap();
            let expected = Key::parse(KEY).unwrap().sign("n-1", timestamp, body);
            assert_eq!(text(&request, "webhook-signature"), expected);
            assert!(body.starts_with(r#"{"schema":"incident-event/1","id":"n-1""#), "{body}");
        }
    }

    /// Without a key nothing is claimed about the sender.
    #[tokio::test]
    async fn no_key_no_signature() {
        let (server, webhook) = answer(ResponseTemplate::new(204)).await;
        webhook.send(&notification()).await.unwrap();
        let requests = server.received_requests().await.unwrap();
        assert!(!requests[0].headers.contains_key("webhook-signature"));
    }

    /// The status decides whether the outbox tries again, and when.
    #[tokio::test]
    async fn statuses_are_judged() {
        for status in [200, 201, 202, 204, 299] {
            let (_server, webhook) = answer(ResponseTemplate::new(status)).await;
            assert!(webhook.send(&notification()).await.is_ok(), "{status}");
        }
        for status in [408, 425, 429, 500, 502, 503, 504] {
            let template = ResponseTemplate::new(status).insert_header("retry-after", "17");
            let (_server, webhook) = answer(template).await;
            let result = webhook.send(&notification()).await;
            let Err(SendError::Retry { reason, after }) = result else { panic!("{status}: {result:?}") };
            assert_eq!(after, Some(Duration::from_secs(17)));
            assert!(reason.contains(&status.to_string()) && !reason.contains("hunter2"), "{reason}");
        }
        for status in [300, 304, 400, 401, 403, 404, 409, 410, 413, 422] {
            let template = ResponseTemplate::new(status).set_body_string("<html>no</html>");
            let (_server, webhook) = answer(template).await;
            let result = webhook.send(&notification()).await;
            let Err(SendError::Permanent { reason, .. }) = result else { panic!("{status}: {result:?}") };
            assert!(reason.contains(&status.to_string()) && !reason.contains("html"), "{reason}");
        }
        let (_server, webhook) = answer(ResponseTemplate::new(503)).await;
        assert!(matches!(webhook.send(&notification()).await, Err(SendError::Retry { after: None, .. })));
    }

    /// A message, and the secrets that go with it, do not follow a redirect.
    #[tokio::test]
    async fn redirects_are_not_followed() {
        let elsewhere = MockServer::start().await;
        let (_server, webhook) =
            answer(ResponseTemplate::new(307).insert_header("location", elsewhere.uri())).await;
        let error = webhook.send(&notification()).await.unwrap_err();
        assert!(matches!(&error, SendError::Permanent { reason, .. } if reason.contains("final address")));
        assert!(elsewhere.received_requests().await.unwrap().is_empty());
    }

    /// Nobody there: it may work later. Somebody who does not answer in time: it may have arrived.
    #[tokio::test]
    async fn silence_is_told_from_absence() {
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let silent = silent.local_addr().unwrap().to_string();
        for (address, arrived) in [("127.0.0.1:1", false), (silent.as_str(), true)] {
            let webhook = webhook(json!({"url": format!("http://{address}/hook"), "timeout": "300ms"}));
            let (reason, was_sent) = match webhook.send(&notification()).await {
                Err(SendError::Retry { reason, after: None }) => (reason, false),
                Err(SendError::Unknown { reason }) => (reason, true),
                other => panic!("{other:?}"),
            };
            assert_eq!(was_sent, arrived, "{reason}");
            assert!(reason.starts_with(&format!("http://{address}/hook: ")), "{reason}");
        }
    }

    /// An address that is a secret shows only where it leads, in an error, in a log and in a mistake.
    #[tokio::test]
    async fn a_secret_address_is_not_told() {
        let webhook = webhook(
            json!({"secret_url": "env:URL", "key": "env:KEY", "secret_headers": {"X-Token": "env:TOKEN"}}),
        );
        let error = webhook.send(&notification()).await.unwrap_err();
        assert!(error.to_string().starts_with("http://127.0.0.1:1: "), "{error}");
        for text in [format!("{error:?}"), format!("{webhook:?}")] {
            assert!(
                !text.contains("hunter2") && !text.contains("kim") && !text.contains("services"),
                "{text}"
            );
            assert!(!text.contains("MfKQ9r8"), "{text}");
        }
    }

    /// A mistake in the config is named when the channel is made, without repeating what may be a secret.
    #[test]
    fn mistakes_are_found_early() {
        for (spec, expected) in [
            (json!({}), "give it a `url` or a `secret_url`"),
            (json!({"url": "http://a/", "secret_url": "env:URL"}), "not both"),
            (json!({"url": "hunter2"}), "`url` is not an address"),
            (json!({"url": "ftp://hunter2/"}), "does not begin with `http://`"),
            (json!({"secret_url": "env:BAD_URL"}), "the address in `env:BAD_URL` is not an address"),
            (json!({"secret_url": "env:NONE"}), "the secret `env:NONE` was not read"),
            (
                json!({"url": "http://a/", "key": "env:TOKEN"}),
                "`env:TOKEN` is not `whsec_` followed by base64",
            ),
            (json!({"url": "http://a/", "secret_headers": {"a b": "env:TOKEN"}}), "not the name of a header"),
            (json!({"url": "http://a/", "secret_headers": {"X": "env:BAD_HEADER"}}), "cannot be sent"),
        ] {
            let error = try_webhook(spec).unwrap_err();
            let SendError::Permanent { reason, .. } = &error else { panic!("{error:?}") };
            assert!(reason.contains(expected) && !reason.contains("hunter2"), "{reason}");
        }
    }
}
