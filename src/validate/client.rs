//! The HTTP client of smoke suites and load runs. It follows no redirect: a page that was moved is what users would see, and
//! credentials go nowhere that nobody named.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Response};

use crate::model::fault::causes;
use crate::model::secret::{SecretRef, Secrets};

/// The largest answer that is read, in bytes.
const MOST: usize = 4 * 1024 * 1024;

/// A client with connections of its own.
pub(super) fn client() -> Result<Client, String> {
    // The one provider of the house. Whoever was first has installed the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = Client::builder().redirect(Policy::none()).user_agent("unship");
    builder.build().map_err(|error| format!("no HTTP client: {}", causes(&error)))
}

/// Headers, of which some are secrets.
pub(super) fn headers(
    plain: &BTreeMap<String, String>,
    secret: &BTreeMap<String, SecretRef>,
    secrets: &Secrets,
) -> Result<HeaderMap, String> {
    let mut map = HeaderMap::new();
    let mut put = |name: &str, value: &str, is_secret: bool| -> Result<(), String> {
        let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("`{name}` is no header"))?;
        let mut value =
            HeaderValue::from_str(value).map_err(|_| format!("the value of `{name}` cannot be sent"))?;
        value.set_sensitive(is_secret);
        map.insert(key, value);
        Ok(())
    };
    for (name, value) in plain {
        put(name, value, false)?;
    }
    for (name, reference) in secret {
        let value = secrets.get(reference).ok_or_else(|| format!("the secret of `{name}` is not there"))?;
        put(name, value.expose(), true)?;
    }
    Ok(map)
}

/// An answer, complete.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

/// Asks and reads the whole answer.
pub(super) async fn ask(request: RequestBuilder, limit: Duration) -> Result<Answer, String> {
    let exchange = async {
        let mut response: Response = request.send().await.map_err(|error| causes(&error.without_url()))?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let mut body = Vec::new();
        while let Some(part) = response.chunk().await.map_err(|error| causes(&error.without_url()))? {
            if body.len() + part.len() > MOST {
                return Err(format!("the answer is larger than {} MiB", MOST >> 20));
            }
            body.extend_from_slice(&part);
        }
        Ok(Answer { status, headers, body })
    };
    match tokio::time::timeout(limit, exchange).await {
        Ok(answer) => answer,
        Err(_) => Err(format!("no answer within {}", crate::model::units::human(limit))),
    }
}
