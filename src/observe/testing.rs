//! Servers of every kind of manners, for the tests of the senses.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::Timestamp;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::{ProbeTarget, once};
use crate::model::Span;
use crate::model::probe::{BodyRule, Health, ProbeOutcome, ProbeResult, ProbeSpec};
use crate::model::secret::Secrets;
use crate::model::source::{Reading, SampleValue};

/// A server on loopback that gives each connection to `answer`; ends when it is dropped.
pub(super) struct Server {
    pub(super) url: String,
    pub(super) connections: Arc<AtomicUsize>,
    _tasks: JoinSet<()>,
}

pub(super) async fn server<F, A>(answer: F) -> Server
where
    F: Fn(TcpStream) -> A + Send + 'static,
    A: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/health", listener.local_addr().unwrap());
    let connections = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&connections);
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut open = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::SeqCst);
            open.spawn(answer(stream));
            while open.try_join_next().is_some() {}
        }
    });
    Server { url, connections, _tasks: tasks }
}

/// Samples as `subject from..at value`, then what is missing.
pub(super) fn told(reading: Reading, time: impl Fn(Timestamp) -> String) -> Vec<String> {
    let samples = reading.samples.into_iter().map(|sample| {
        let value = match sample.value {
            SampleValue::Ratio { bad, total } => format!("{bad}/{total}"),
            SampleValue::Count(count) => format!("+{count}"),
            SampleValue::Gauge(value) => format!("{value}"),
            SampleValue::Histogram { bounds_ms, counts } => format!("{bounds_ms:?} {counts:?}"),
        };
        format!("{} {}..{} {value}", sample.subject.word(), time(sample.from), time(sample.at))
    });
    samples.chain(reading.missing.into_iter().map(|(_, _, reason)| format!("missing: {reason}"))).collect()
}

/// Reads one request's head; false when the other side has closed.
pub(super) async fn head(stream: &mut TcpStream) -> Option<String> {
    let mut text = Vec::new();
    let mut byte = [0];
    while !text.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).await.ok()? == 0 {
            return None;
        }
        text.push(byte[0]);
    }
    Some(String::from_utf8(text).unwrap())
}

/// Answers every request of every connection with these bytes.
pub(super) async fn says(bytes: impl Into<Vec<u8>>) -> Server {
    let bytes: Arc<[u8]> = bytes.into().into();
    server(move |mut stream| {
        let bytes = Arc::clone(&bytes);
        async move {
            while head(&mut stream).await.is_some() {
                if stream.write_all(&bytes).await.is_err() {
                    return;
                }
            }
        }
    })
    .await
}

pub(super) fn http(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

pub(super) fn spec(url: &str) -> ProbeSpec {
    ProbeSpec {
        url: url.to_owned(),
        arm: None,
        method: "GET".to_owned(),
        interval: Span::secs(1),
        timeout: Span::secs(20),
        status: Vec::new(),
        body: BodyRule::Auto,
        contains: None,
        headers: BTreeMap::new(),
        secret_headers: BTreeMap::new(),
        max_body: 1_000,
        keep_alive: false,
    }
}

pub(super) fn target(name: &str, spec: ProbeSpec) -> ProbeTarget {
    ProbeTarget { service: "checkout".into(), probe: name.into(), spec }
}

pub(super) async fn run(spec: ProbeSpec) -> ProbeResult {
    run_with(spec, &Secrets::default()).await
}

pub(super) async fn run_with(spec: ProbeSpec, secrets: &Secrets) -> ProbeResult {
    once(&[target("http", spec)], secrets).await.remove(0)
}

pub(super) fn words(result: &ProbeResult) -> (Option<Health>, &str) {
    match &result.outcome {
        ProbeOutcome::Answered { health, reason } => (Some(*health), reason),
        ProbeOutcome::NotRun { reason } => (None, reason),
    }
}
