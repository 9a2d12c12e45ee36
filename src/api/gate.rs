//! What every request passes: who may ask, and how many at once.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use crate::model::secret::Secret;

use super::{Shared, refuse};

/// What callers have to show, as its hash: comparing hashes in constant time tells nothing of the token, not even its length.
pub(super) struct Token([u8; 32]);

impl Token {
    pub(super) fn new(secret: &Secret) -> Self {
        Self(Sha256::digest(secret.expose().as_bytes()).into())
    }

    fn is(&self, shown: &str) -> bool {
        let shown: [u8; 32] = Sha256::digest(shown.as_bytes()).into();
        let differing = self.0.iter().zip(shown).fold(0, |bits, (ours, theirs)| bits | (ours ^ theirs));
        std::hint::black_box(differing) == 0
    }
}

/// Lets a request pass, or refuses it.
pub(super) async fn gate(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    // Whoever looks whether the process lives has no token, and is answered under any load.
    let path = request.uri().path();
    let is_open = matches!(path, "/health/live" | "/health/ready");
    let response = if is_open {
        next.run(request).await
    } else if let Some(refused) = refused(&shared, request.headers()) {
        refused
    } else if let Ok(_place) = shared.requests.try_acquire() {
        next.run(request).await
    } else {
        busy("too many requests are being answered; send it again")
    };
    let counter = match response.status().as_u16() {
        200..=299 => &shared.tally.fine,
        400..=499 => &shared.tally.refused,
        _ => &shared.tally.failed,
    };
    counter.fetch_add(1, Ordering::Relaxed);
    response
}

/// Why this caller may not ask; none when they may.
fn refused(shared: &Shared, headers: &HeaderMap) -> Option<Response> {
    // A page in a browser on this machine could send alarms otherwise.
    if headers.contains_key(header::ORIGIN) {
        return Some(refuse(StatusCode::FORBIDDEN, "forbidden", "browsers may not ask here"));
    }
    let token = shared.token.as_ref()?;
    let shown = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let shown = shown.and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
    });
    if shown.is_some_and(|shown| token.is(shown)) {
        return None;
    }
    let message = "show the token of `api.token`, as `Authorization: Bearer TOKEN`";
    let refused = refuse(StatusCode::UNAUTHORIZED, "unauthorised", message);
    Some(([(header::WWW_AUTHENTICATE, "Bearer")], refused).into_response())
}

/// A refusal of what may be sent again.
pub(super) fn busy(message: &str) -> Response {
    let refused = refuse(StatusCode::SERVICE_UNAVAILABLE, "busy", message);
    ([(header::RETRY_AFTER, "1")], refused).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Only the whole token is the token.
    #[test]
    fn tokens() {
        let token = Token::new(&Secret::new("correct-horse"));
        assert!(token.is("correct-horse"));
        for other in ["", "correct-hors", "correct-horse ", "correct-horsf", "Correct-horse"] {
            assert!(!token.is(other), "{other:?}");
        }
    }
}
