//! Real sockets: what every kind of answer, and of silence, means.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::model::Span;
use crate::model::probe::{Health, ProbeSpec};
use crate::model::secret::{Secret, SecretRef, Secrets};
use crate::observe::testing::{head, http, run, run_with, says, server, spec, words};

const UNHEALTHY: Option<Health> = Some(Health::Unhealthy);

/// An answer that has a body is judged by both, also when the status is an error.
#[tokio::test]
async fn answers_are_judged() {
    let up = says(http("200 OK", r#"{"status":"healthy","version":"2.8.1"}"#)).await;
    let result = run(spec(&up.url)).await;
    assert_eq!((result.status, words(&result)), (Some(200), (Some(Health::Healthy), "")));
    assert_eq!(result.document.unwrap().version.as_deref(), Some("2.8.1"));
    let down = says(http("503 Service Unavailable", r#"{"status":"degraded"}"#)).await;
    let result = run(spec(&down.url)).await;
    assert_eq!(result.status, Some(503));
    assert_eq!(words(&result), (Some(Health::Degraded), "status 503: the body says `degraded`"));
}

/// A redirect is an answer; whoever it points to is not asked.
#[tokio::test]
async fn redirects_are_not_followed() {
    let other = says(http("200 OK", "ok")).await;
    let here =
        says(format!("HTTP/1.1 302 Found\r\nlocation: {}\r\ncontent-length: 0\r\n\r\n", other.url)).await;
    let result = run(spec(&here.url)).await;
    assert_eq!(words(&result), (UNHEALTHY, "status 302, a redirect; redirects are not followed"));
    assert_eq!(other.connections.load(Ordering::SeqCst), 0);
    let result = run(ProbeSpec { status: vec![302], ..spec(&here.url) }).await;
    assert_eq!(words(&result), (Some(Health::Healthy), ""));
}

/// A target that is silent, before its answer or in the middle of it, has failed when the time is over.
#[tokio::test]
async fn silence_is_a_failure() {
    let silent = server(|mut stream| async move {
        head(&mut stream).await;
        std::future::pending::<()>().await;
    })
    .await;
    let result = run(ProbeSpec { timeout: Span::millis(400), ..spec(&silent.url) }).await;
    assert_eq!((result.status, words(&result)), (None, (UNHEALTHY, "no answer within 400 ms")));
    let dripping = server(|mut stream| async move {
        head(&mut stream).await;
        let mut bytes = &b"HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n"[..];
        while stream.write_all(bytes).await.is_ok() {
            bytes = b"x";
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let result = run(ProbeSpec { timeout: Span::millis(400), ..spec(&dripping.url) }).await;
    assert_eq!((result.status, words(&result)), (Some(200), (UNHEALTHY, "no full answer within 400 ms")));
}

/// A body without an end cannot fill the memory, whether its size is announced or not.
#[tokio::test]
async fn huge_bodies_are_given_up() {
    let announced = says("HTTP/1.1 200 OK\r\ncontent-length: 9999999999\r\n\r\n").await;
    let endless = server(|mut stream| async move {
        head(&mut stream).await;
        let mut bytes = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
        while stream.write_all(&bytes).await.is_ok() {
            bytes = vec![b'x'; 4_096];
        }
    })
    .await;
    for server in [announced, endless] {
        let result = run(spec(&server.url)).await;
        assert_eq!(
            (result.status, words(&result)),
            (Some(200), (UNHEALTHY, "the body is larger than 1000 bytes"))
        );
    }
}

/// Refused, broken off, reset, not HTTP, not TLS: all of these are the target's failure, in words.
#[tokio::test]
async fn broken_targets_are_unhealthy() {
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        format!("http://{}/", listener.local_addr().unwrap())
    };
    assert_eq!(words(&run(spec(&closed)).await), (UNHEALTHY, "connection refused"));

    let gone = server(|mut stream| async move {
        head(&mut stream).await;
    })
    .await;
    let result = run(spec(&gone.url)).await;
    assert_eq!(words(&result), (UNHEALTHY, "the connection was closed before the answer was complete"));

    let half = server(|mut stream| async move {
        head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nok").await.unwrap();
    })
    .await;
    let result = run(spec(&half.url)).await;
    assert_eq!(words(&result), (UNHEALTHY, "the connection was closed before the answer was complete"));

    // Closing with unread data in the socket makes the kernel send a reset.
    let reset = server(|mut stream| async move {
        let mut byte = [0];
        let _ = stream.read(&mut byte).await;
    })
    .await;
    let result = run(spec(&reset.url)).await;
    assert_eq!(words(&result), (UNHEALTHY, "the connection was reset"));

    let garbage = says("\x00\x01\x02 not http at all\r\n\r\n").await;
    assert_eq!(words(&run(spec(&garbage.url)).await), (UNHEALTHY, "the answer is not HTTP"));
}

/// A certificate that nobody vouches for, and a port that does not speak TLS at all, fail the check in words.
#[tokio::test]
async fn broken_tls_is_unhealthy() {
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};

    let pem = include_bytes!("self_signed.pem");
    let config =
        rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![CertificateDer::from_pem_slice(pem).unwrap()],
                PrivateKeyDer::from_pem_slice(pem).unwrap(),
            )
            .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let self_signed = server(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            let _ = acceptor.accept(stream).await;
        }
    })
    .await;
    let plain = server(|mut stream| async move {
        let _ = stream.write_all(http("400 Bad Request", "").as_bytes()).await;
        head(&mut stream).await;
    })
    .await;
    for (server, wanted) in [(self_signed, "TLS failed: invalid peer certificate"), (plain, "TLS failed: ")] {
        let result = run(spec(&server.url.replace("http:", "https:"))).await;
        match words(&result) {
            // On a machine without any certificates nothing can be trusted or mistrusted.
            (None, reason) => assert!(reason.starts_with("the machine's certificates"), "{reason}"),
            (health, reason) => assert!(health == UNHEALTHY && reason.starts_with(wanted), "{reason}"),
        }
    }
}

/// What cannot be asked from here says nothing about the target.
#[tokio::test]
async fn what_cannot_be_run_counts_for_nothing() {
    let with_header = |name: &str, value: &str| ProbeSpec {
        headers: BTreeMap::from([(name.to_owned(), value.to_owned())]),
        ..spec("http://127.0.0.1:1/")
    };
    let secret = ProbeSpec {
        secret_headers: BTreeMap::from([("authorization".to_owned(), SecretRef::Env("TOKEN".to_owned()))]),
        ..spec("http://127.0.0.1:1/")
    };
    for (spec, wanted) in [
        (spec("http://unship.invalid/"), "no name resolution of `unship.invalid`"),
        (spec("not a url"), "not an address"),
        (spec("ftp://127.0.0.1/"), "`ftp` is not `http` or `https`"),
        (spec("http://me:hunter2@127.0.0.1/"), "the address carries a user name"),
        (ProbeSpec { method: "G T".to_owned(), ..spec("http://127.0.0.1/") }, "`G T` is not a method"),
        (with_header("a b", "c"), "`a b` is not a header's name"),
        (with_header("a", "c\nd"), "the value of the header `a` has characters that a header cannot carry"),
        (secret, "the secret `env:TOKEN` was not read"),
    ] {
        let result = run(spec).await;
        let (health, reason) = words(&result);
        assert!(health.is_none() && reason.starts_with(wanted), "{health:?} {reason}");
        assert!(!reason.contains("hunter2"), "{reason}");
    }
}

/// Headers, secret ones too, reach the target; a secret that it sends back reaches nobody.
#[tokio::test]
async fn headers_are_sent_and_secrets_kept() {
    let echo = server(|mut stream| async move {
        let head = head(&mut stream).await.unwrap();
        let token = head.lines().find(|line| line.starts_with("x-token")).unwrap_or("none");
        let body = format!(
            r#"{{"status":"down","version":"{token}","dependencies":{{"db":{{"status":"down","error":"{token}"}}}},"first":"{}"}}"#,
            head.lines().next().unwrap()
        );
        stream.write_all(http("200 OK", &body).as_bytes()).await.unwrap();
    })
    .await;
    let reference: SecretRef = "env:TOKEN".parse().unwrap();
    let mut secrets = Secrets::default();
    secrets.insert(reference.clone(), Secret::new("hunter2hunter2"));
    let spec = ProbeSpec {
        method: "POST".to_owned(),
        headers: BTreeMap::from([("x-plain".to_owned(), "yes".to_owned())]),
        secret_headers: BTreeMap::from([("x-token".to_owned(), reference)]),
        contains: Some("POST /health?deep=1 HTTP/1.1".to_owned()),
        ..spec(&format!("{}?deep=1", echo.url))
    };
    let result = run_with(spec, &secrets).await;
    assert_eq!(words(&result), (UNHEALTHY, "the body says `down` (db: x-token: [redacted])"));
    assert!(!format!("{result:?}").contains("hunter2"), "{result:?}");
}

/// A host name with several addresses is reached at the one that answers.
#[tokio::test]
async fn names_are_resolved() {
    let up = says(http("200 OK", "ok")).await;
    let result = run(spec(&up.url.replace("127.0.0.1", "localhost"))).await;
    assert_eq!(words(&result), (Some(Health::Healthy), ""));
}
