//! A real Prometheus server that scrapes the lab.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use serde_json::Value;
use tokio::sync::mpsc;
use unship::config;
use unship::engine::runtime::World;
use unship::model::operation::Outcome;
use unship::model::source::SourceReport;
use unship::observe::{Observation, Observer};

use crate::harness::{
    Fleet, PATIENCE, Process, count, entries, eventually, has, journal_says, outcome, read, text,
};

/// A server with its folder; it scrapes the lab four times a second.
struct Server {
    process: Process,
    dir: PathBuf,
    address: String,
}

impl Server {
    /// Starts it on a free port, where Prometheus is installed.
    async fn start(fleet: &Fleet) -> Option<Self> {
        if Command::new("prometheus")
            .arg("--version")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_err()
        {
            crate::skip("prometheus", "`prometheus` is not installed (apt-get install prometheus)");
            return None;
        }
        let dir = fleet.path().join("prometheus");
        std::fs::create_dir(&dir).unwrap();
        configure(&dir, fleet, "");
        let (process, address) = launch(&dir, "127.0.0.1:0").await;
        Some(Self { process, dir, address })
    }

    async fn start_again(&mut self) {
        let (process, _) = launch(&self.dir, &self.address).await;
        self.process = process;
    }

    /// What the server itself answers.
    async fn shows(&self, query: &str) -> usize {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        let url = format!("http://{}/api/v1/query", self.address);
        let mut url = reqwest::Url::parse(&url).unwrap();
        url.query_pairs_mut().append_pair("query", query);
        let answer: Value = client.get(url).send().await.unwrap().json().await.unwrap();
        answer["data"]["result"].as_array().unwrap().len()
    }
}

fn configure(dir: &Path, fleet: &Fleet, relabel: &str) {
    let target = fleet.lab.admin_url().trim_start_matches("http://").to_owned();
    let text = format!(
        "global: {{ scrape_interval: 250ms, scrape_timeout: 250ms }}\n\
         scrape_configs:\n\
         - job_name: lab\n  static_configs: [{{ targets: ['{target}'] }}]\n{relabel}"
    );
    std::fs::write(dir.join("prometheus.yml"), text).unwrap();
}

async fn launch(dir: &Path, address: &str) -> (Process, String) {
    let log = dir.join(format!("{}.log", std::fs::read_dir(dir).unwrap().count()));
    let mut command = Command::new("prometheus");
    command
        .arg(format!("--config.file={}", dir.join("prometheus.yml").display()))
        .arg(format!("--storage.tsdb.path={}", dir.join("data").display()))
        .arg(format!("--web.listen-address={address}"))
        .stdin(Stdio::null());
    let process = Process::speaking(command, &log);
    let listens = || {
        let said = read(&log);
        let line = said.lines().find(|line| line.contains("msg=\"Listening on\""))?.to_owned();
        let ready = said.contains("Server is ready to receive web requests");
        let address = line.split("address=").nth(1)?.split(' ').next()?.to_owned();
        ready.then_some(address)
    };
    eventually("Prometheus is ready", || listens().is_some()).await;
    (process, listens().unwrap())
}

/// The lab's config, its figures by way of the server.
fn reconfigure(fleet: &Fleet, server: &Server) {
    let url = format!("url = \"http://{}\"", server.address);
    fleet.reconfigure(|config| {
        let mut changed = String::new();
        for line in config.lines() {
            let line = match line {
                "kind = \"scrape\"" => "kind = \"prometheus\"\nstale_after = \"5s\"",
                line if line.ends_with("/metrics\"") => &url,
                line => line,
            };
            writeln!(changed, "{line}").unwrap();
        }
        changed
    });
}

async fn status(fleet: &Fleet) -> Value {
    let output = fleet.run(&["status", "--json"]).await;
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}{}", text(&output.stdout), text(&output.stderr)))
}

/// Waits until the status is so.
pub(crate) async fn status_says(fleet: &Fleet, what: &str, says: impl Fn(&Value) -> bool) -> Value {
    let begun = std::time::Instant::now();
    loop {
        let now = status(fleet).await;
        if says(&now) {
            return now;
        }
        assert!(begun.elapsed() < PATIENCE, "waited in vain until {what}: {now:#}");
    }
}

fn verdict(status: &Value) -> &str {
    status["services"][0]["verdict"]["verdict"].as_str().unwrap_or_default()
}

/// A guard that sees the fleet only through a Prometheus server takes a bad canary back; with the server killed it knows
/// nothing and does nothing, and with the server back it knows again.
#[tokio::test(flavor = "multi_thread")]
async fn a_guard_on_prometheus() {
    let fleet = Fleet::start().await;
    let Some(mut server) = Server::start(&fleet).await else { return };
    reconfigure(&fleet, &server);
    let _guard = Process::speaking(fleet.unship(&["guard"]), &fleet.path().join("guard.txt"));
    let journal = fleet.journal().await;
    status_says(&fleet, "all is healthy", |status| verdict(status) == "healthy").await;
    journal_says(journal.as_ref(), "a good release", |entries| has(entries, "release_marked")).await;

    let fault = serde_json::json!({ "version": "2.9.0", "kind": "errors", "rate": 0.5 });
    fleet.ask("/admin/services/checkout/fault", fault).await;
    journal_says(journal.as_ref(), "the canary is taken back", |entries| outcome(entries).is_some()).await;
    assert_eq!(outcome(&entries(journal.as_ref()).await), Some(Outcome::Verified));
    assert_eq!((fleet.percent("2.9.0"), fleet.percent("2.8.0")), (0, 100));

    drop(std::mem::replace(&mut server.process, Process(Command::new("true").spawn().unwrap())));
    let down = status_says(&fleet, "nothing is known", |status| {
        verdict(status) == "unknown" && status["source_faults"]["fleet"].is_object()
    })
    .await;
    let reason = down["source_faults"]["fleet"]["reason"].as_str().unwrap().to_owned();
    assert!(reason.starts_with(&format!("`http://{}/`: ", server.address)), "{reason}");

    server.start_again().await;
    status_says(&fleet, "all is healthy again", |status| verdict(status) == "healthy").await;
    let begun = count(&entries(journal.as_ref()).await, "operation_planned");
    assert_eq!(begun, 1, "something was done without knowing");
}

/// A past that only the server knows is played: with the releases of the journal, the bad canary is found in it, also where
/// nobody would have taken it back.
#[tokio::test(flavor = "multi_thread")]
async fn a_back_test_on_prometheus() {
    let fleet = Fleet::start().await;
    let Some(server) = Server::start(&fleet).await else { return };
    reconfigure(&fleet, &server);
    fleet.reconfigure(|config| config.replacen("[environment]", "[environment]\nautomatic = false", 1));
    let guard = Process::speaking(fleet.unship(&["guard"]), &fleet.path().join("guard.txt"));
    let journal = fleet.journal().await;
    journal_says(journal.as_ref(), "a good release", |entries| has(entries, "release_marked")).await;
    let fault = serde_json::json!({ "version": "2.9.0", "kind": "errors", "rate": 0.5 });
    fleet.ask("/admin/services/checkout/fault", fault).await;
    journal_says(journal.as_ref(), "the canary is bad", |entries| has(entries, "decision_made")).await;
    drop(guard);

    let begun = std::time::Instant::now();
    loop {
        let output = fleet.run(&["backtest", "--from", "5m", "--source", "prometheus", "--json"]).await;
        let said = format!("{}{}", text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(0), "{said}");
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let rollbacks = report["policies"][0]["rollbacks"].as_array().unwrap();
        if let [rollback] = &rollbacks[..] {
            assert_eq!((&rollback["from"][0], &rollback["to"]), (&"2.9.0".into(), &"2.8.0".into()), "{said}");
            break;
        }
        assert!(rollbacks.is_empty(), "one bad release is one rollback: {said}");
        assert!(begun.elapsed() < PATIENCE, "waited in vain until the canary is found: {said}");
    }
}

/// A label that was renamed leaves the series empty: the first reading that the server answers so says so, for every
/// indicator that asked by it, and nothing is taken for a zero.
#[tokio::test(flavor = "multi_thread")]
async fn a_renamed_label_is_said() {
    let fleet = Fleet::start().await;
    let Some(server) = Server::start(&fleet).await else { return };
    reconfigure(&fleet, &server);
    let loaded = config::load(&fleet.config()).unwrap();
    let world = World::build(Arc::new(loaded.config), Arc::clone(&loaded.secrets), false).unwrap();
    let (out, mut seen) = mpsc::channel(1);
    let _observer =
        Observer::start(Vec::new(), world.sources.clone(), Arc::clone(&world.secrets), out).unwrap();
    let mut next = async || match seen.recv().await {
        Some(Observation::Source(report)) => report,
        other => panic!("no more readings: {other:?}"),
    };
    let is_whole = |report: &SourceReport| {
        report.result.as_ref().is_ok_and(|reading| reading.missing.is_empty() && reading.samples.len() >= 10)
    };
    while !is_whole(&next().await) {}

    let rename = "  metric_relabel_configs:\n  \
                  - { source_labels: [service], target_label: app }\n  \
                  - { regex: service, action: labeldrop }\n";
    configure(&server.dir, &fleet, rename);
    rustix::process::kill_process(server.process.pid(), rustix::process::Signal::HUP).unwrap();
    while server.shows("http_requests_total{service=\"checkout\"}").await > 0 {}
    let empty_since = jiff::Timestamp::now();
    let report = loop {
        let report = next().await;
        if report.at >= empty_since {
            break report;
        }
    };
    let reading = report.result.unwrap();
    assert!(reading.samples.is_empty(), "{:?}", reading.samples);
    let reasons: Vec<&str> = reading.missing.iter().map(|(_, _, reason)| reason.as_str()).collect();
    assert_eq!(reasons.len(), 5, "{reasons:?}");
    assert!(
        reasons.contains(&"no series matches `http_requests_total{service=\"checkout\"}`"),
        "{reasons:?}"
    );
}
