//! The client against a server that answers whatever a platform in trouble does.

use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::json;
use wiremock::matchers::{header, method, path, query_param};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use super::*;
use crate::model::secret::SecretRef;

const TOKEN: &str = "hunter2-hunter2";

fn secrets() -> Arc<Secrets> {
    let mut secrets = Secrets::default();
    secrets.insert("env:TOKEN".parse::<SecretRef>().unwrap(), Secret::new(TOKEN));
    Arc::new(secrets)
}

fn rest(server: &MockServer) -> Rest {
    Rest::new(&server.uri(), Auth::bearer(&Secret::new(TOKEN)).unwrap(), secrets()).unwrap()
}

async fn answering(status: u16, body: &str) -> MockServer {
    let server = MockServer::start().await;
    let answer = ResponseTemplate::new(status).set_body_string(body);
    Mock::given(method("POST")).respond_with(answer).mount(&server).await;
    server
}

/// What an answer means for a call that changes something, with the platform's own words, whatever their form.
#[tokio::test]
async fn answers_to_a_changing_call() {
    let azure = r#"{"error":{"code":"Conflict","message":"another operation runs"}}"#;
    let plain = r#"{"code":404,"message":"Not Found"}"#;
    let page = "<html>\u{1b}[2J bad gateway";
    for (status, body, expected, words) in [
        (202, "{}", "taken", ""),
        (409, azure, "permanent", "Conflict: another operation runs"),
        (404, plain, "permanent", "Not Found"),
        (401, "", "permanent", "an expired token"),
        (403, azure, "permanent", "lack a permission"),
        (429, plain, "transient", "Not Found"),
        (503, page, "transient", "\\u{1b}[2J bad gateway"),
        (502, page, "unclear", "bad gateway"),
        (500, r#"{"message":"echo hunter2-hunter2"}"#, "unclear", "echo [redacted]"),
    ] {
        let server = answering(status, body).await;
        let ask = Ask::new(Method::POST, "swap the slots", ["swap"]);
        let (kind, said) = match rest(&server).act(&ask).await.unwrap().taken() {
            Ok(_) => ("taken", String::new()),
            Err(PlatformError::Permanent(said)) => ("permanent", said),
            Err(PlatformError::Transient(said)) => ("transient", said),
            Err(PlatformError::Unclear(said)) => ("unclear", said),
        };
        assert_eq!(kind, expected, "{status} {said}");
        assert!(said.contains(words), "{status}: {said}");
        assert!(!said.contains(TOKEN), "{said}");
    }
}

/// A call that nobody was there for did not happen; one that was cut off may have.
#[tokio::test]
async fn no_answer() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let rest = Rest::new(&address, Auth::None, secrets()).unwrap();
    let ask = Ask::new(Method::POST, "swap the slots", ["swap"]);
    let hang_up = async {
        let (stream, _) = listener.accept().await.unwrap();
        stream.readable().await.unwrap();
    };
    let (cut, ()) = tokio::join!(rest.act(&ask), hang_up);
    assert!(matches!(cut, Err(PlatformError::Unclear(_))), "{cut:?}");
    drop(listener);
    let refused = rest.act(&ask).await;
    assert!(matches!(refused, Err(PlatformError::Transient(_))), "{refused:?}");
}

/// A reading is tried again, no sooner than the other side asks for.
#[tokio::test]
async fn readings_are_tried_again() {
    let server = MockServer::start().await;
    let asked = Arc::new(AtomicU32::new(0));
    let counting = Arc::clone(&asked);
    Mock::given(method("GET"))
        .and(path("/a%2Fb"))
        .and(query_param("page", "1"))
        .and(header("authorization", format!("Bearer {TOKEN}").as_str()))
        .respond_with(move |_: &Request| match counting.fetch_add(1, Ordering::Relaxed) {
            0 => ResponseTemplate::new(429).insert_header("retry-after", "0"),
            1 => ResponseTemplate::new(502),
            _ => ResponseTemplate::new(200)
                .insert_header(
                    "link",
                    "<http://elsewhere.example/2>; rel=\"prev\", <http://h/3>; rel=\"next\"",
                )
                .set_body_json(json!([1, 2])),
        })
        .mount(&server)
        .await;
    let rest = rest(&server);
    let ask = Ask::get("list the pages", ["a/b"]).query("page", "1");
    let reply = rest.ask(&ask).await.unwrap();
    assert_eq!((reply.json::<Vec<u8>>().unwrap(), asked.load(Ordering::Relaxed)), (vec![1, 2], 3));
}

/// A platform that wants to be left alone for longer than anybody waits is told about, with the time that it wants.
#[tokio::test]
async fn a_long_wish_is_passed_on() {
    let server = MockServer::start().await;
    let answer = ResponseTemplate::new(429).insert_header("retry-after", "600");
    Mock::given(method("GET")).respond_with(answer).mount(&server).await;
    let error = rest(&server).ask(&Ask::get("list", ["x"])).await.unwrap_err();
    assert!(
        matches!(&error, PlatformError::Transient(reason) if reason.contains("asks to wait 10 m")),
        "{error}"
    );
}
