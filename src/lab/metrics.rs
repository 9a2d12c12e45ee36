//! What the routers measured, in the Prometheus text format.
//!
//! A counter belongs to a service, a version and the arm that the version served on; it outlives restarts of the
//! backend. A version that was never routed to has no series, and the error counter appears with the first error,
//! as the client libraries do it for a labelled counter.
//! Format: <https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::model::release::Arm;

/// Upper bounds of the latency buckets in milliseconds.
const BOUNDS_MS: [u64; 12] = [5, 10, 25, 50, 100, 250, 500, 1_000, 1_500, 2_000, 2_500, 5_000];

/// What a series is about.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Key {
    pub(super) service: Arc<str>,
    pub(super) version: Arc<str>,
    pub(super) arm: Arm,
}

/// The counters of one key.
#[derive(Default, Debug)]
struct Series {
    requests: AtomicU64,
    errors: AtomicU64,
    sum_us: AtomicU64,
    /// By bucket, not cumulative; the last is beyond all bounds.
    buckets: [AtomicU64; BOUNDS_MS.len() + 1],
}

/// The process figures of one running backend.
#[derive(Clone, Copy, Debug)]
pub(super) struct Process {
    /// Bytes in use.
    pub(super) memory: f64,
    /// Bytes it may use.
    pub(super) memory_limit: f64,
    /// Share of a core, 0 to 1.
    pub(super) cpu: f64,
}

/// Reads one figure of a process.
type Figure = fn(&Process) -> f64;

/// All counters of the fleet.
#[derive(Default, Debug)]
pub(super) struct Metrics(Mutex<BTreeMap<Key, Arc<Series>>>);

impl Metrics {
    /// Counts one answer, or the lack of one.
    pub(super) fn count(&self, key: &Key, took: Duration, error: bool) {
        let series = {
            let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            match all.get(key) {
                Some(series) => Arc::clone(series),
                None => Arc::clone(all.entry(key.clone()).or_default()),
            }
        };
        // Requests first: a reading in between must never see more errors than requests.
        series.requests.fetch_add(1, Ordering::SeqCst);
        if error {
            series.errors.fetch_add(1, Ordering::SeqCst);
        }
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        series.sum_us.fetch_add(us, Ordering::SeqCst);
        let bucket = BOUNDS_MS.iter().position(|bound| us <= bound * 1_000).unwrap_or(BOUNDS_MS.len());
        series.buckets[bucket].fetch_add(1, Ordering::SeqCst);
    }

    /// Requests and errors of each version of a service, arms added up.
    pub(super) fn totals(&self, service: &str) -> BTreeMap<String, (u64, u64)> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut totals = BTreeMap::<String, (u64, u64)>::new();
        for (key, series) in all.iter().filter(|(key, _)| &*key.service == service) {
            let errors = series.errors.load(Ordering::SeqCst);
            let total = totals.entry(key.version.to_string()).or_default();
            total.0 += series.requests.load(Ordering::SeqCst);
            total.1 += errors;
        }
        totals
    }

    /// The whole page. `processes` holds the running backends by service and version.
    pub(super) fn page(&self, processes: &BTreeMap<(Arc<str>, Arc<str>), Process>) -> String {
        let all: Vec<(Key, Arc<Series>)> = {
            let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            all.iter().map(|(key, series)| (key.clone(), Arc::clone(series))).collect()
        };
        let mut page = String::with_capacity(512 + all.len() * 1_800);
        // Errors are read before requests, for the same reason as they are written after.
        let mut errors = String::new();
        for (key, series) in &all {
            let count = series.errors.load(Ordering::SeqCst);
            if count > 0 {
                let _ = writeln!(errors, "http_request_errors_total{{{}}} {count}", labels(key));
            }
        }
        head(&mut page, "http_requests_total", "counter", "Requests that the router sent to a version.");
        for (key, series) in &all {
            let count = series.requests.load(Ordering::SeqCst);
            let _ = writeln!(page, "http_requests_total{{{}}} {count}", labels(key));
        }
        head(
            &mut page,
            "http_request_errors_total",
            "counter",
            "Answers with status 5xx, time-outs and broken connections.",
        );
        page.push_str(&errors);
        head(&mut page, "http_request_duration_seconds", "histogram", "Time to the last byte of the answer.");
        for (key, series) in &all {
            let labels = labels(key);
            let mut cumulative = 0;
            for (bound, bucket) in BOUNDS_MS.iter().zip(&series.buckets) {
                cumulative += bucket.load(Ordering::SeqCst);
                let bound = *bound as f64 / 1_000.0;
                let _ = writeln!(
                    page,
                    "http_request_duration_seconds_bucket{{{labels},le=\"{bound}\"}} {cumulative}"
                );
            }
            cumulative += series.buckets[BOUNDS_MS.len()].load(Ordering::SeqCst);
            let sum = series.sum_us.load(Ordering::SeqCst) as f64 / 1e6;
            let _ =
                writeln!(page, "http_request_duration_seconds_bucket{{{labels},le=\"+Inf\"}} {cumulative}");
            let _ = writeln!(page, "http_request_duration_seconds_sum{{{labels}}} {sum}");
            let _ = writeln!(page, "http_request_duration_seconds_count{{{labels}}} {cumulative}");
        }
        let figures: [(&str, &str, Figure); 3] = [
            ("process_memory_bytes", "Memory in use.", |process| process.memory.round()),
            ("process_memory_limit_bytes", "Memory that may be used.", |process| process.memory_limit),
            ("process_cpu_ratio", "Share of a core in use.", |process| process.cpu),
        ];
        for (name, help, figure) in figures {
            head(&mut page, name, "gauge", help);
            for ((service, version), process) in processes {
                let _ = writeln!(
                    page,
                    "{name}{{service=\"{service}\",version=\"{version}\"}} {}",
                    figure(process)
                );
            }
        }
        page
    }
}

fn head(page: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(page, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

/// Names and versions are checked when they are registered: nothing in them needs escaping.
fn labels(key: &Key) -> String {
    format!("service=\"{}\",version=\"{}\",arm=\"{}\"", key.service, key.version, key.arm.word())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(version: &str, arm: Arm) -> Key {
        Key { service: "checkout".into(), version: version.into(), arm }
    }

    /// Buckets are cumulative, the last holds everything, and an error counter that never counted is absent.
    #[test]
    fn the_page_follows_the_format() {
        let metrics = Metrics::default();
        metrics.count(&key("1", Arm::Stable), Duration::from_millis(7), false);
        metrics.count(&key("1", Arm::Stable), Duration::from_secs(9), false);
        metrics.count(&key("2", Arm::Canary), Duration::from_millis(1), true);
        let page = metrics.page(&BTreeMap::new());
        for line in [
            r#"http_requests_total{service="checkout",version="1",arm="stable"} 2"#,
            r#"http_request_errors_total{service="checkout",version="2",arm="canary"} 1"#,
            r#"http_request_duration_seconds_bucket{service="checkout",version="1",arm="stable",le="0.005"} 0"#,
            r#"http_request_duration_seconds_bucket{service="checkout",version="1",arm="stable",le="0.01"} 1"#,
            r#"http_request_duration_seconds_bucket{service="checkout",version="1",arm="stable",le="+Inf"} 2"#,
            r#"http_request_duration_seconds_count{service="checkout",version="1",arm="stable"} 2"#,
        ] {
            assert!(page.lines().any(|seen| seen == line), "no line {line} in\n{page}");
        }
        assert!(!page.contains(r#"errors_total{service="checkout",version="1""#), "{page}");
        assert_eq!(metrics.totals("checkout")["2"], (1, 1));
    }
}
