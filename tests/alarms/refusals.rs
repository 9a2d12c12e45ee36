//! What the listener does not take, and how it says so.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use unship::engine::runtime::Lead;

use crate::harness::PATIENCE;
use crate::listener::{Listener, TOKEN, alert, message};

const WEBHOOK: &str = "/api/v1/alarms/alertmanager";

async fn secured(more: &str) -> Listener {
    let api = format!("token = \"env:TOKEN\"\n{more}");
    Listener::start_with(&api, Lead::Auto, Arc::new(TempDir::new().unwrap())).await
}

/// What is not understood is refused for good, with the reason; a sample of it is kept, without our secrets in it.
#[tokio::test(flavor = "multi_thread")]
async fn malformed() {
    let listener = Listener::start().await;
    let mut old = message(json!([]));
    old["version"] = json!("3");
    let mut broken = alert(1, "firing", 1);
    broken["startsAt"] = json!("yesterday");
    let cases: [(&str, String, &str); 6] = [
        (WEBHOOK, format!("{{\"token\": \"{TOKEN}\", "), "the body is not JSON"),
        (WEBHOOK, "\"\\ud800\"".to_owned(), "the body is not JSON"),
        (WEBHOOK, old.to_string(), "`version` is `3`, expected `4`"),
        (
            WEBHOOK,
            message(vec![alert(1, "firing", 1), broken]).to_string(),
            "`alerts[1].startsAt` is no time",
        ),
        (WEBHOOK, "[".repeat(100_000), "the body is not JSON"),
        ("/api/v1/alarms", json!({ "name": "a" }).to_string(), "missing field `status`"),
    ];
    for (path, body, said) in cases {
        let request = listener.client.post(listener.url(path)).header("content-type", "application/json");
        let answer = request.body(body).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 400, "{said}");
        let answer: Value = answer.json().await.unwrap();
        let why = answer["error"]["message"].as_str().unwrap();
        assert!(why.contains(said), "{why:?} lacks {said:?}");
    }
    let mut kept = String::new();
    for entry in std::fs::read_dir(listener.samples()).unwrap() {
        let entry = entry.unwrap();
        assert!(entry.metadata().unwrap().len() < 70_000, "a sample is cut");
        kept.push_str(&std::fs::read_to_string(entry.path()).unwrap());
    }
    assert!(kept.contains("yesterday") && kept.contains("[redacted]"), "{kept:.2000}");
    assert!(!kept.contains(TOKEN));
    let state = listener.engine.view().borrow().state.clone();
    assert_eq!(state.alarms.all().count(), 0, "nothing is taken in half");
}

/// However much is sent that is not understood, only a few samples are kept.
#[tokio::test(flavor = "multi_thread")]
async fn few_samples() {
    let listener = Listener::start().await;
    for _ in 0..25 {
        assert_eq!(listener.post(WEBHOOK, &json!({})).await.0, 400);
    }
    assert_eq!(std::fs::read_dir(listener.samples()).unwrap().count(), 10);
}

/// What is too large is refused before it is read into memory, and so is what holds too many alarms.
#[tokio::test(flavor = "multi_thread")]
async fn oversized() {
    let listener = Listener::start().await;
    let (status, answer) =
        listener.webhook((0..10_001).map(|number| alert(number, "firing", 1)).collect()).await;
    assert_eq!(status, 413);
    assert!(answer["error"]["message"].as_str().unwrap().contains("10001 alarms"), "{answer}");
    // One that says how large it is, and one that does not.
    let head = |more: &str| {
        format!("POST {WEBHOOK} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{more}\r\n")
    };
    let announced = exchange(listener.api.address(), &[head("Content-Length: 8388609\r\n").as_bytes()]).await;
    assert!(announced.starts_with("HTTP/1.1 413"), "{announced}");
    let mut parts = vec![head("Transfer-Encoding: chunked\r\n").into_bytes()];
    let chunk = [b"100000\r\n".to_vec(), vec![b' '; 1_048_576], b"\r\n".to_vec()].concat();
    parts.extend(std::iter::repeat_n(chunk, 9));
    let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    let streamed = exchange(listener.api.address(), &parts).await;
    assert!(streamed.starts_with("HTTP/1.1 413"), "{streamed}");
}

/// Sends parts, as far as they are taken, and reads the beginning of the answer.
async fn exchange(address: SocketAddr, parts: &[&[u8]]) -> String {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut reader, mut writer) = stream.into_split();
    let parts: Vec<Vec<u8>> = parts.iter().map(|part| part.to_vec()).collect();
    let writing = tokio::spawn(async move {
        for part in parts {
            if writer.write_all(&part).await.is_err() {
                break;
            }
        }
        writer
    });
    let mut answer = vec![0; 4_096];
    let read = tokio::time::timeout(PATIENCE, reader.read(&mut answer))
        .await
        .expect("an answer in time")
        .unwrap_or(0);
    writing.abort();
    String::from_utf8_lossy(&answer[..read]).into_owned()
}

/// Without the token nothing is taken and nothing is told, but whether the process lives and is ready.
#[tokio::test(flavor = "multi_thread")]
async fn unauthorised() {
    let listener = secured("").await;
    let body = message(vec![alert(1, "firing", 1)]);
    let send = |shown: Option<&str>| {
        let mut request = listener.client.post(listener.url(WEBHOOK)).json(&body);
        if let Some(shown) = shown {
            request = request.header("authorization", shown);
        }
        request.send()
    };
    for shown in [None, Some(""), Some("Bearer"), Some("Bearer wrong"), Some("Basic YTpi"), Some(TOKEN)] {
        let answer = send(shown).await.unwrap();
        assert_eq!(answer.status().as_u16(), 401, "{shown:?}");
        assert_eq!(answer.headers()["www-authenticate"], "Bearer");
        assert!(!answer.text().await.unwrap().contains(TOKEN));
    }
    assert_eq!(send(Some(&format!("bearer {TOKEN}"))).await.unwrap().status().as_u16(), 200);
    for (path, status) in [("/health", 401), ("/metrics", 401), ("/nothing", 401), ("/health/live", 200)] {
        assert_eq!(listener.get(path).await.0, status, "{path}");
    }
}

/// What no Alertmanager sends is refused: another method, another kind of body, a page in a browser.
#[tokio::test(flavor = "multi_thread")]
async fn odd_requests() {
    let listener = Listener::start().await;
    assert_eq!(listener.get(WEBHOOK).await.0, 405);
    assert_eq!(listener.get("/nothing").await.0, 404);
    let post = || listener.client.post(listener.url(WEBHOOK)).body(message(json!([])).to_string());
    for (name, value, status) in [
        ("content-type", "text/plain", 415),
        ("origin", "https://example.com", 403),
        ("content-type", "application/json; charset=utf-8", 200),
    ] {
        let answer = post().header(name, value).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{name}: {value}");
    }
}

/// Beyond the number of requests that are answered at once callers are told to come again, never with 429, which an
/// Alertmanager would take as final; whether the process lives is answered all the same.
#[tokio::test(flavor = "multi_thread")]
async fn too_many_at_once() {
    let listener = Listener::start_with("requests = 1", Lead::Auto, Arc::new(TempDir::new().unwrap())).await;
    let mut slow = TcpStream::connect(listener.api.address()).await.unwrap();
    let head = format!(
        "POST {WEBHOOK} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\
         Expect: 100-continue\r\n\r\n"
    );
    slow.write_all(head.as_bytes()).await.unwrap();
    // Its body is asked for once it has its place.
    let mut told = [0; 25];
    slow.read_exact(&mut told).await.unwrap();
    assert_eq!(&told, b"HTTP/1.1 100 Continue\r\n\r\n");
    let answer = listener.client.get(listener.url("/metrics")).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), &answer.headers()["retry-after"].to_str().unwrap()), (503, &"1"));
    let begun = Instant::now();
    assert_eq!(listener.get("/health/live").await.0, 200);
    drop(slow);
    loop {
        if listener.get("/metrics").await.0 == 200 {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "a request that broke off keeps its place");
    }
}

/// Who begins a request and does not end it is given up, whether that is its head or its body.
#[tokio::test(flavor = "multi_thread")]
async fn slow_requests() {
    let listener = Listener::start().await;
    let address = listener.api.address();
    let head = async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"POST /api/v1/alarms HTTP/1.1\r\nHost: x\r\n").await.unwrap();
        let mut rest = Vec::new();
        // Closed, with or without a word.
        let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest))
            .await
            .expect("it is closed in time");
        String::from_utf8(rest).unwrap()
    };
    let body = async {
        let head = "POST /api/v1/alarms HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{";
        exchange(address, &[head.as_bytes()]).await
    };
    let (head, body) = tokio::join!(head, body);
    assert!(head.is_empty() || head.starts_with("HTTP/1.1 408"), "{head}");
    assert!(body.starts_with("HTTP/1.1 408"), "{body}");
}
