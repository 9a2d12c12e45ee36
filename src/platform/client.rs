//! An HTTP client that is made when it is first needed: it reads all the certificates that the system trusts, which a service
//! that is never asked need not wait for.

use std::sync::OnceLock;

use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder};

use super::PlatformError;
use crate::model::fault::causes;

/// A client, and how it is made.
pub(super) struct LazyClient {
    made: OnceLock<Result<Client, String>>,
    with: fn(ClientBuilder) -> ClientBuilder,
}

impl std::fmt::Debug for LazyClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LazyClient")
    }
}

impl LazyClient {
    /// One that follows no redirect, for they would carry credentials to a place that nobody named.
    pub(super) const fn new(with: fn(ClientBuilder) -> ClientBuilder) -> Self {
        Self { made: OnceLock::new(), with }
    }

    pub(super) fn get(&self) -> Result<&Client, PlatformError> {
        let made = self.made.get_or_init(|| {
            // The one provider of the house. Whoever was first has installed the same.
            let _ = rustls::crypto::ring::default_provider().install_default();
            let builder = Client::builder().redirect(Policy::none());
            (self.with)(builder).build().map_err(|error| causes(&error))
        });
        made.as_ref().map_err(|reason| PlatformError::Permanent(format!("no HTTP client: {reason}")))
    }
}
