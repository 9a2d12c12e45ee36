//! What probing costs, and whether thousands of targets keep to their schedule.
//!
//! The targets are a loopback nginx that this program starts for itself, with a JSON body of 80 bytes that every probe
//! judges. Processor time is this process's own, user and system, and includes the schedule and the channel; nginx's
//! is not in it. `cargo bench --bench probes`

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use tokio::sync::mpsc;
use unship::model::probe::{BodyRule, Health, ProbeOutcome, ProbeResult, ProbeSpec};
use unship::model::{ProbeName, Span};
use unship::observe::{Observation, Observer, ProbeTarget, once};

const BODY: &str = r#"{"status":"healthy","version":"2.8.100","dependencies":{"postgres":"connected"}}"#;
const PROBES: usize = 10_000;
const TARGETS: usize = 5_000;
const SECONDS: usize = 20;

fn main() {
    // `cargo test --benches` only wants to know that it runs.
    let quick = std::env::args().any(|argument| argument == "--test");
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return println!("skipped: no runtime: {error}"),
    };
    let directory = match tempfile::tempdir() {
        Ok(directory) => directory,
        Err(error) => return println!("skipped: no temporary directory: {error}"),
    };
    let nginx = match Nginx::start(directory.path()) {
        Ok(nginx) => nginx,
        Err(reason) => return println!("skipped: {reason}"),
    };
    if let Err(reason) = runtime.block_on(nginx.answers()) {
        return println!("skipped: {reason}");
    }
    let (probes, seconds) = if quick { (200, 2) } else { (PROBES, SECONDS) };
    println!("body of {} bytes, judged as JSON", BODY.len());
    println!("\n{:<34} {:>9} {:>12} {:>10}", "processor time", "probes", "CPU seconds", "µs each");
    for (name, keep) in [("kept connections", true), ("a new connection each", false)] {
        let cost = runtime.block_on(cost(&nginx, keep, probes));
        let each = cost.as_secs_f64() * 1e6 / probes as f64;
        println!("{name:<34} {probes:>9} {:>12.3} {each:>10.1}", cost.as_secs_f64());
    }
    let targets = if quick { 50 } else { TARGETS };
    println!("\n{targets} targets, one check a second each, for {seconds} s");
    println!(
        "{:<34} {:>9} {:>9} {:>9} {:>9} {:>6} {:>7} {:>9}",
        "distance from the due time, in ms", "p50", "p99", "worst", "checks", "late", "failed", "CPU s/s"
    );
    for (name, keep) in [("kept connections", true), ("a new connection each", false)] {
        runtime.block_on(schedule(name, &nginx, keep, targets, seconds));
    }
}

/// A hundred targets at 10 ms each, which is as fast as the schedule allows, until all checks are done.
async fn cost(nginx: &Nginx, keep: bool, probes: usize) -> Duration {
    let targets = (0..100).map(|n| nginx.target(n, keep, Span::millis(10))).collect();
    let (out, mut results) = mpsc::channel(1_024);
    let observer = Observer::start(targets, Vec::new(), Arc::default(), out).expect("times are not zero");
    // The first round opens the connections that are kept; it is not part of what is measured.
    for _ in 0..200 {
        results.recv().await;
    }
    let before = processor_time();
    for _ in 0..probes {
        if let Some(Observation::Probe(result)) = results.recv().await {
            assert!(healthy(&result), "a probe failed: {:?}", result.outcome);
        }
    }
    let cost = processor_time().saturating_sub(before);
    drop(observer);
    cost
}

/// Every check's distance from the grid that its target's first checks set.
async fn schedule(name: &str, nginx: &Nginx, keep: bool, targets: usize, seconds: usize) {
    let probes = (0..targets).map(|n| nginx.target(n, keep, Span::secs(1))).collect();
    let (out, mut results) = mpsc::channel(1_024);
    let processor = processor_time();
    let began = Instant::now();
    let observer = Observer::start(probes, Vec::new(), Arc::default(), out).expect("times are not zero");
    let mut seen: HashMap<ProbeName, Vec<f64>> = HashMap::new();
    let mut failed = 0;
    let end = tokio::time::sleep(Duration::from_secs(seconds as u64));
    tokio::pin!(end);
    loop {
        tokio::select! {
            () = &mut end => break,
            Some(observation) = results.recv() => if let Observation::Probe(result) = observation {
                failed += usize::from(!healthy(&result));
                let at = result.at.as_nanosecond() as f64 / 1e6;
                seen.entry(result.probe).or_default().push(at);
            },
        }
    }
    let share = processor_time().saturating_sub(processor).as_secs_f64() / began.elapsed().as_secs_f64();
    drop(observer);
    let mut errors = Vec::new();
    for times in seen.values() {
        // The earliest place on the grid that any of its checks shows is the target's due time.
        let phase = times.iter().enumerate().map(|(n, at)| at - n as f64 * 1_000.0).fold(f64::MAX, f64::min);
        errors.extend(times.iter().enumerate().map(|(n, at)| at - n as f64 * 1_000.0 - phase));
    }
    errors.sort_by(f64::total_cmp);
    let at =
        |share: f64| errors.get(((errors.len() as f64 * share) as usize).min(errors.len().saturating_sub(1)));
    let quantile = |share| at(share).copied().unwrap_or(f64::NAN);
    let late = errors.iter().filter(|error| **error > 100.0).count();
    println!(
        "{name:<34} {:>9.2} {:>9.2} {:>9.2} {:>9} {late:>6} {failed:>7} {share:>9.2}",
        quantile(0.5),
        quantile(0.99),
        quantile(1.0),
        errors.len(),
    );
    println!(
        "  late: more than 100 ms; a skipped turn counts as 1,000 ms. {} of {targets} targets seen",
        seen.len()
    );
}

fn healthy(result: &ProbeResult) -> bool {
    matches!(&result.outcome, ProbeOutcome::Answered { health: Health::Healthy, .. })
}

fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// An nginx of this program's own, ended with it.
struct Nginx {
    child: Child,
    port: u16,
}

impl Nginx {
    fn start(directory: &Path) -> Result<Self, String> {
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .map_err(|error| format!("no free port: {error}"))?
            .port();
        let config = format!(
            "daemon off; pid nginx.pid; error_log stderr crit; worker_processes 1; worker_rlimit_nofile 16384;
            events {{ worker_connections 8192; }}
            http {{
                access_log off; keepalive_requests 1000000; keepalive_timeout 300s;
                client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
                uwsgi_temp_path uwsgi; scgi_temp_path scgi;
                server {{
                    listen 127.0.0.1:{port} backlog=4096;
                    location / {{ default_type application/json; return 200 '{BODY}'; }}
                }}
            }}"
        );
        let file = directory.join("nginx.conf");
        fs::write(&file, config).map_err(|error| format!("no config for nginx: {error}"))?;
        let child = Command::new("nginx")
            .arg("-p")
            .arg(directory)
            .arg("-c")
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn()
            .map_err(|error| format!("nginx cannot be started: {error}"))?;
        Ok(Self { child, port })
    }

    /// Waits until it answers.
    async fn answers(&self) -> Result<(), String> {
        let target = [self.target(0, false, Span::secs(1))];
        for _ in 0..100 {
            if once(&target, &unship::model::secret::Secrets::default()).await.iter().all(healthy) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Err("nginx does not answer".to_owned())
    }

    fn target(&self, number: usize, keep_alive: bool, interval: Span) -> ProbeTarget {
        ProbeTarget {
            service: format!("service-{}", number / 10).into(),
            probe: format!("probe-{number}").into(),
            spec: ProbeSpec {
                url: format!("http://127.0.0.1:{}/health", self.port),
                arm: None,
                method: "GET".to_owned(),
                interval,
                timeout: Span::secs(5),
                status: Vec::new(),
                body: BodyRule::Json,
                contains: None,
                headers: BTreeMap::new(),
                secret_headers: BTreeMap::new(),
                max_body: 64 * 1024,
                keep_alive,
            },
        }
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // The master ends its workers when it is asked to, not when it is killed.
        let asked = rustix::process::Pid::from_child(&self.child);
        let _ = rustix::process::kill_process(asked, rustix::process::Signal::TERM);
        let _ = self.child.wait();
    }
}
