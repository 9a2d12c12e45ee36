//! The guard with a real nginx between users and three versions of a small service: blue/green, and a canary step by step. A fault
//! begins in the middle, the guard takes the release back, and nobody's request is lost on the way.

use std::fmt::Write as _;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep};
use unship::model::platform::PlatformAction;
use unship::platform::Platform;

use super::nginx::{Nginx, client};
use super::wrk::Wrk;
use super::{act, has, restore, skip, split, traffic};

/// A version of the service; its health and its answers can turn bad.
struct Version {
    address: String,
    is_ill: Arc<AtomicBool>,
}

impl Version {
    async fn start(version: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let is_ill = Arc::new(AtomicBool::new(false));
        let ill = Arc::clone(&is_ill);
        let answer = move || {
            let status =
                if ill.load(Ordering::Relaxed) { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::OK };
            async move { (status, version) }
        };
        let router = Router::new()
            .route("/", get(answer.clone()))
            .route("/health", get(answer))
            .route("/version", get(move || async move { version }));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, is_ill }
    }
}

/// A guard of the built program, until it is dropped.
pub(super) struct Guard(pub(super) Child);

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Guard {
    /// Over versions behind nginx, with these probes besides: name, address, arm.
    fn start(nginx: &Nginx, backends: &[(&str, &Version)], probes: &[(&str, String, &str)]) -> Self {
        let backends = backends.iter().map(|(name, version)| {
            let address = &version.address;
            format!(
                "\n[services.shop.platform.backends.{name}]\nservers = [\"{address}\"]\nversion = \"http://{address}/version\"\n"
            )
        });
        Self::over(nginx, "kind = \"nginx\"", &backends.collect::<String>(), "", probes)
    }

    /// Over a platform of this kind, with its backends, and more of how releases are brought in.
    pub(super) fn over(
        nginx: &Nginx,
        kind: &str,
        backends: &str,
        deploy: &str,
        probes: &[(&str, String, &str)],
    ) -> Self {
        let spec = nginx.traffic();
        let text = |key: &str| spec[key].as_str().unwrap().to_owned();
        let program: Vec<_> = spec["program"].as_array().unwrap().iter().map(ToString::to_string).collect();
        let mut config = format!(
            r#"
[environment]
name = "production"

[store]
lease = "1s"

[guardrails]
cooldown = "0s"
stale_after = "5s"

[rollback]
good_after = "500ms"
verify_hold = "300ms"
verify_deadline = "30s"
read_every = "100ms"

[services.shop.platform]
{kind}

[services.shop.platform.traffic]
file = "{}"
generation = "{}"
error_log = "{}"
maintenance = true
program = [{}]

[deploy]
canary = [
    {{ percent = 5, watch = "{watch}" }},
    {{ percent = 10, watch = "{watch}" }},
    {{ percent = 25, watch = "{watch}" }},
    {{ percent = 50, watch = "{watch}" }},
    {{ percent = 75, watch = "{watch}" }},
]
rolling = [{{ percent = 50, watch = "{watch}" }}]
patience = "10s"
verify_hold = "300ms"
verify_deadline = "20s"
{deploy}

[triggers.down]
action = "immediate"
when = {{ kind = "consecutive", failures = 3, within = "2s" }}
"#,
            text("file"),
            text("generation"),
            text("error_log"),
            program.join(", "),
            watch = "700ms",
        );
        config.push_str(backends);
        for (name, url, arm) in probes {
            let arm = if arm.is_empty() { String::new() } else { format!("arm = \"{arm}\"\n") };
            let _ = write!(
                config,
                "\n[services.shop.probes.{name}]\nurl = \"{url}\"\n{arm}interval = \"100ms\"\ntimeout = \"1s\"\n"
            );
        }
        std::fs::write(nginx.folder().join("unship.toml"), config).unwrap();
        Self(Self::unship(nginx, &["guard"]).spawn().unwrap())
    }

    pub(super) fn unship(nginx: &Nginx, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_unship"));
        command.args(args).current_dir(nginx.folder()).env("HOME", nginx.folder()).stdin(Stdio::null());
        command.env("XDG_STATE_HOME", nginx.folder()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// What the journal holds.
    pub(super) async fn journal(nginx: &Nginx) -> String {
        let mut command = Self::unship(nginx, &["journal", "export"]);
        command.stdout(Stdio::piped());
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        String::from_utf8(output.stdout).unwrap()
    }
}

/// Users who ask all the time, each request on a connection of its own, and wrk beside them.
pub(super) struct Users {
    lost: Arc<AtomicU32>,
    good: Arc<AtomicU32>,
    bad: Arc<AtomicU32>,
    stop: Arc<AtomicBool>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
    wrk: Option<Wrk>,
}

impl Users {
    fn come(nginx: &Nginx) -> Self {
        Self::come_to(nginx, "/")
    }

    /// To this path.
    pub(super) fn come_to(nginx: &Nginx, path: &str) -> Self {
        let counter = || Arc::new(AtomicU32::new(0));
        let (lost, good, bad) = (counter(), counter(), counter());
        let stop = Arc::new(AtomicBool::new(false));
        let tasks = (0..4).map(|_| {
            let (lost, good, bad, stop) = (lost.clone(), good.clone(), bad.clone(), stop.clone());
            let url = nginx.url(path);
            tokio::spawn(async move {
                let client = client();
                while !stop.load(Ordering::Relaxed) {
                    let counter = match client.get(&url).send().await {
                        Ok(answer) if answer.status() == StatusCode::OK => &good,
                        // What the ill release itself says is its fault, not the switch's; nginx says 502 and above.
                        Ok(answer) if answer.status() <= StatusCode::INTERNAL_SERVER_ERROR => &bad,
                        _ => &lost,
                    };
                    counter.fetch_add(1, Ordering::Relaxed);
                    sleep(Duration::from_millis(2)).await;
                }
            })
        });
        let tasks = tasks.collect();
        Self { lost, good, bad, stop, tasks, wrk: Wrk::start(&nginx.url(path)) }
    }

    /// They go; what they saw: good, bad, lost.
    pub(super) async fn go(self) -> (u32, u32, u32) {
        self.stop.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await.unwrap();
        }
        let count = |counter: &AtomicU32| counter.load(Ordering::Relaxed);
        let seen = (count(&self.good), count(&self.bad), count(&self.lost));
        let Some(wrk) = self.wrk else { return seen };
        let figures = tokio::task::spawn_blocking(|| wrk.end()).await.unwrap();
        eprintln!("wrk: {figures:?}");
        (seen.0 + figures.requests - figures.refused, seen.1 + figures.refused, seen.2 + figures.lost)
    }
}

pub(super) async fn until(platform: &Arc<dyn Platform>, expected: &str) {
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        // While nginx loads what another has just written, the two are apart for a moment.
        let seen = platform.read().await;
        if seen.as_ref().is_ok_and(|seen| traffic(seen) == expected && seen.settled) {
            return;
        }
        assert!(Instant::now() < until, "not {expected}: {seen:?}");
        sleep(Duration::from_millis(20)).await;
    }
}

/// The guard's own words that the stable release is good: before, it has nothing to go back to.
pub(super) async fn until_recorded(nginx: &Nginx) {
    until_journaled(nginx, "\"release_marked\"").await;
}

/// What the platform shows is journaled a moment later.
async fn until_journaled(nginx: &Nginx, kind: &str) {
    let until = Instant::now() + Duration::from_secs(30);
    while !Guard::journal(nginx).await.contains(kind) {
        assert!(Instant::now() < until, "no {kind}: {}", Guard::journal(nginx).await);
        sleep(Duration::from_millis(200)).await;
    }
}

/// Two versions behind an nginx, of which blue has all the traffic.
struct Shop {
    blue: Version,
    green: Version,
    nginx: Nginx,
    platform: Arc<dyn Platform>,
}

impl Shop {
    /// Where there is an nginx.
    async fn open() -> Option<Self> {
        if skip("nginx", has("nginx"), "apt-get install nginx-light") {
            return None;
        }
        let (blue, green) = (Version::start("2.8.1").await, Version::start("2.9.0").await);
        let nginx = Nginx::before(&blue.address).await;
        let named = [("blue", &blue), ("green", &green)];
        let named = named.iter().map(|(name, version)| (*name, vec![version.address.clone()])).collect();
        let platform = nginx.platform(&named);
        Some(Self { blue, green, nginx, platform })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_canary_is_taken_back() {
    let Some(Shop { blue, green, nginx, platform }) = Shop::open().await else { return };
    let backends = [("blue", &blue), ("green", &green)];
    let health = |version: &Version| format!("http://{}/health", version.address);
    let probes = [("stable", health(&blue), "stable"), ("canary", health(&green), "canary")];
    let _guard = Guard::start(&nginx, &backends, &probes);
    until_recorded(&nginx).await;
    let users = Users::come(&nginx);
    for percent in [5, 10, 25] {
        act(&platform, &split("blue@2.8.1", "green@2.9.0", percent)).await.unwrap();
        sleep(Duration::from_millis(300)).await;
    }
    let began = Instant::now();
    green.is_ill.store(true, Ordering::Relaxed);
    until(&platform, "2.8.1 stable 100").await;
    let took = began.elapsed();
    let (good, bad, lost) = users.go().await;
    eprintln!("canary: {good} good, {bad} answered by the ill release, {lost} lost; back after {took:?}");
    assert!(good > 100 && lost == 0, "{good} good, {bad} bad, {lost} lost");
    until_journaled(&nginx, "\"traffic_back\"").await;
}

/// A whole switch to the new colour, which then falls ill with all the traffic: the guard switches back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blue_and_green_and_back() {
    let Some(Shop { blue, green, nginx, platform }) = Shop::open().await else { return };
    let backends = [("blue", &blue), ("green", &green)];
    let _guard = Guard::start(&nginx, &backends, &[("users", nginx.url("/health"), "")]);
    until_recorded(&nginx).await;
    let users = Users::come(&nginx);
    let switch: PlatformAction = restore("green@2.9.0");
    act(&platform, &switch).await.unwrap();
    until(&platform, "2.9.0 stable 100").await;
    let began = Instant::now();
    green.is_ill.store(true, Ordering::Relaxed);
    until(&platform, "2.8.1 stable 100").await;
    let took = began.elapsed();
    let (good, bad, lost) = users.go().await;
    eprintln!("blue/green: {good} good, {bad} answered by the ill release, {lost} lost; back after {took:?}");
    assert!(good > 50 && lost == 0, "{good} good, {bad} bad, {lost} lost");
}

impl Shop {
    /// With a guard that has the record of blue, and users.
    async fn open_with_users() -> Option<(Self, Guard, Users)> {
        let shop = Self::open().await?;
        let guard = shop.guard();
        until_recorded(&shop.nginx).await;
        let users = Users::come(&shop.nginx);
        Some((shop, guard, users))
    }

    fn guard(&self) -> Guard {
        let backends = [("blue", &self.blue), ("green", &self.green)];
        let green = format!("http://{}/health", self.green.address);
        let probes = [("users", self.nginx.url("/health"), ""), ("canary", green, "canary")];
        Guard::start(&self.nginx, &backends, &probes)
    }

    fn deploy(&self, strategy: &str) -> Guard {
        let args =
            ["deploy", "shop", "2.9.0", "--strategy", strategy, "--go", "--yes", "--reason", "sprint 12"];
        Guard(Guard::unship(&self.nginx, &[&["--as", "ana"], &args[..]].concat()).spawn().unwrap())
    }

    /// Waits until green has this share.
    async fn until_at(&self, percent: u8) {
        until(&self.platform, &format!("2.8.1 stable {}, 2.9.0 canary {percent}", 100 - percent)).await;
    }
}

impl Guard {
    pub(super) async fn code(mut self) -> Option<i32> {
        let until = Instant::now() + Duration::from_secs(60);
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status.code();
            }
            assert!(Instant::now() < until, "it does not end");
            sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Every strategy to its end, with users all the way: not one request is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_strategy_forward() {
    for strategy in ["blue-green", "canary", "rolling", "emergency"] {
        let Some((shop, _guard, users)) = Shop::open_with_users().await else { return };
        let began = Instant::now();
        assert_eq!(
            shop.deploy(strategy).code().await,
            Some(0),
            "{strategy}: {}",
            Guard::journal(&shop.nginx).await
        );
        let took = began.elapsed();
        until(&shop.platform, "2.9.0 stable 100").await;
        let (good, bad, lost) = users.go().await;
        eprintln!("{strategy} forward: {good} good, {bad} bad, {lost} lost, verified after {took:?}");
        assert!(good > 50 && bad == 0 && lost == 0, "{strategy}: {good} good, {bad} bad, {lost} lost");
    }
}

/// At each stage in turn: by a fault, by a person, by the guard's death. The first two lead back to the old release, after the
/// third another guard goes on to the end. Nothing is half switched, and not one request is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_stage_is_left() {
    for percent in [5, 25, 75] {
        let Some((shop, _guard, users)) = Shop::open_with_users().await else { return };
        let command = shop.deploy("canary");
        shop.until_at(percent).await;
        let began = Instant::now();
        shop.green.is_ill.store(true, Ordering::Relaxed);
        until(&shop.platform, "2.8.1 stable 100").await;
        let took = began.elapsed();
        assert_eq!(command.code().await, Some(4));
        let (good, bad, lost) = users.go().await;
        eprintln!(
            "ill at {percent} %: {good} good, {bad} by the ill release, {lost} lost; back after {took:?}"
        );
        assert_eq!(lost, 0, "ill at {percent} %");

        let Some((shop, _guard, users)) = Shop::open_with_users().await else { return };
        let command = shop.deploy("canary");
        shop.until_at(percent).await;
        let began = Instant::now();
        let args = ["--as", "ana", "cancel", "op-1", "--reason", "marketing calls"];
        assert_eq!(Guard(Guard::unship(&shop.nginx, &args).spawn().unwrap()).code().await, Some(0));
        until(&shop.platform, "2.8.1 stable 100").await;
        let took = began.elapsed();
        assert_eq!(command.code().await, Some(4));
        let (good, bad, lost) = users.go().await;
        eprintln!("cancelled at {percent} %: {good} good, {bad} bad, {lost} lost; back after {took:?}");
        assert_eq!((bad, lost), (0, 0), "cancelled at {percent} %");

        let Some((shop, mut guard, users)) = Shop::open_with_users().await else { return };
        let command = shop.deploy("canary");
        shop.until_at(percent).await;
        guard.0.kill().unwrap();
        guard.0.wait().unwrap();
        let _next = shop.guard();
        assert_eq!(command.code().await, Some(0), "{}", Guard::journal(&shop.nginx).await);
        until(&shop.platform, "2.9.0 stable 100").await;
        let (good, bad, lost) = users.go().await;
        eprintln!("killed at {percent} %: {good} good, {bad} bad, {lost} lost; it went on");
        assert_eq!((bad, lost), (0, 0), "killed at {percent} %");
    }
}
