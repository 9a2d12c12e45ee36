//! Real sockets: exporters of every kind.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;

use crate::model::Span;
use crate::model::secret::Secrets;
use crate::model::source::{GaugeUnit, ScrapeSpec, SeriesSpec, SourceSpec};
use crate::observe::testing::{head, http, says, server};
use crate::observe::{Observation, Observer, SourceTarget, read_once};

fn source(url: &str) -> SourceTarget {
    SourceTarget {
        source: "metrics".into(),
        spec: SourceSpec::Scrape(ScrapeSpec {
            url: url.to_owned(),
            interval: Span::millis(10),
            timeout: Span::millis(400),
            arms: None,
            secret_headers: BTreeMap::new(),
            max_body: 1_000_000,
        }),
        indicators: vec![
            ("checkout".into(), "requests".into(), SeriesSpec::Rate { counter: "requests_total".to_owned() }),
            (
                "checkout".into(),
                "up".into(),
                SeriesSpec::Gauge { series: "up".to_owned(), divide_by: None, unit: GaugeUnit::Plain },
            ),
        ],
        alarms: Vec::new(),
    }
}

/// A source that cannot be read says why, with its address but not its query, which may hold a secret.
#[tokio::test]
async fn sources_that_cannot_be_read() {
    let silent = server(|mut stream| async move {
        head(&mut stream).await;
        std::future::pending::<()>().await;
    })
    .await;
    for (server, wanted) in [
        (says(http("404 Not Found", "up 1")).await, "status 404"),
        (
            says(http("200 OK", "<html>")).await,
            "line 1 is not in the Prometheus text format (no metric name): `<html>`",
        ),
        (
            says(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nup \xff".to_vec()).await,
            "not text: byte 4 is not UTF-8",
        ),
        (says(http("200 OK", &"x".repeat(1_000_001))).await, "the body is larger than 1000000 bytes"),
        (silent, "no answer within 400 ms"),
    ] {
        let report =
            read_once(&source(&format!("{}?key=hunter2", server.url)), &Secrets::default()).await.unwrap();
        assert_eq!(report.result.unwrap_err().reason, format!("`{}`: {wanted}", server.url));
    }
}

/// A source is read again and again, one request for all its indicators, a large text too.
#[tokio::test]
async fn sources_are_read_on_schedule() {
    let requests = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&requests);
    let exporter = server(move |mut stream| {
        let count = Arc::clone(&count);
        async move {
            while head(&mut stream).await.is_some() {
                let n = count.fetch_add(1, Ordering::SeqCst) + 1;
                // The second one is large enough to be read on another thread.
                let filler = if n == 2 { "filler{a=\"b\"} 1\n".repeat(50_000) } else { String::new() };
                let text = http("200 OK", &format!("requests_total {}\nup 1\n{filler}", n * 10));
                if stream.write_all(text.as_bytes()).await.is_err() {
                    return;
                }
            }
        }
    })
    .await;
    let (out, mut results) = mpsc::channel(1);
    let mut slow = source(&exporter.url);
    let SourceSpec::Scrape(spec) = &mut slow.spec else { unreachable!() };
    spec.timeout = Span::secs(20);
    let _observer = Observer::start(Vec::new(), vec![slow], Arc::default(), out).unwrap();
    for reading in 0..4 {
        let Some(Observation::Source(report)) = results.recv().await else { panic!("no report") };
        let result = report.result.unwrap();
        assert!(result.missing.is_empty(), "{result:?}");
        assert_eq!(result.samples.len(), if reading == 0 { 1 } else { 2 }, "a first reading has no counters");
        assert!(result.samples.iter().all(|sample| sample.at == report.at));
    }
    assert_eq!(exporter.connections.load(Ordering::SeqCst), 1);
}
