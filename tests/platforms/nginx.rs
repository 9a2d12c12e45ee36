//! A real nginx in front of small real servers.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use serde_json::json;
use tempfile::TempDir;
use tokio::net::TcpListener;
use unship::model::platform::{PlatformAction, PlatformSpec};
use unship::model::secret::Secrets;
use unship::platform::{Platform, PlatformError};

use super::{act, act_on, has, restore, skip, split, traffic};

/// A backend that says its version, until it is dropped.
struct Backend {
    address: SocketAddr,
    version: Arc<Mutex<String>>,
    task: tokio::task::JoinHandle<()>,
}

impl Backend {
    async fn start(version: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let version = Arc::new(Mutex::new(version.to_owned()));
        let says = Arc::clone(&version);
        let page = move || {
            let version = says.lock().unwrap().clone();
            async move { version }
        };
        let router = Router::new().route("/", get(page.clone())).route("/version", get(page));
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, version, task }
    }

    fn is_now(&self, version: &str) {
        version.clone_into(&mut self.version.lock().unwrap());
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A running nginx with a generated file.
pub(super) struct Nginx {
    dir: TempDir,
    child: Child,
    port: u16,
}

impl Nginx {
    /// Starts it with all the traffic on this backend.
    async fn start(blue: &Backend) -> Self {
        Self::before(&blue.address.to_string()).await
    }

    /// Starts it with all the traffic on the backend `blue` at this address.
    pub(super) async fn before(blue: &str) -> Self {
        let dir = TempDir::new().unwrap();
        // Held for as long as nginx needs to take it over would be in the way; nobody else asks for it in between.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        std::fs::write(
            dir.path().join("shop.conf"),
            format!(
                "map \"\" $unship_shop_generation {{ default \"1\"; }}\n\
                 map \"\" $unship_shop_maintenance {{ default \"0\"; }}\n\
                 upstream shop {{\n    # blue stable\n    server {blue};\n}}\n"
            ),
        )
        .unwrap();
        std::fs::create_dir(dir.path().join("tmp")).unwrap();
        let nginx = Self { child: spawn(dir.path(), port, ""), dir, port };
        nginx.until_it_answers().await;
        nginx
    }

    async fn until_it_answers(&self) {
        let until = tokio::time::Instant::now() + Duration::from_secs(20);
        while client().get(self.url("/-/generation")).send().await.is_err() {
            assert!(tokio::time::Instant::now() < until, "nginx does not answer: {}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("shop.conf")
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("error.log")).unwrap_or_default()
    }

    /// How unship moves its traffic, as a config says it.
    pub(super) fn traffic(&self) -> serde_json::Value {
        let folder = format!("{}/", self.dir.path().display());
        json!({
            "file": self.file(),
            "generation": self.url("/-/generation"),
            "program": ["nginx", "-p", folder, "-c", "nginx.conf"],
            "error_log": self.dir.path().join("error.log"),
            "maintenance": true,
        })
    }

    pub(super) fn folder(&self) -> &Path {
        self.dir.path()
    }

    pub(super) fn platform(&self, backends: &BTreeMap<&str, Vec<String>>) -> Arc<dyn Platform> {
        let backends: serde_json::Map<_, _> = backends
            .iter()
            .map(|(name, servers)| {
                let version = format!("http://{}/version", servers[0]);
                ((*name).to_owned(), json!({ "servers": servers, "version": version }))
            })
            .collect();
        let spec: PlatformSpec = serde_json::from_value(json!({
            "kind": "nginx",
            "traffic": self.traffic(),
            "backends": backends,
        }))
        .unwrap();
        unship::platform::build(&"shop".into(), &spec, &Arc::new(Secrets::default())).unwrap()
    }

    /// What this many requests were answered, by answer.
    async fn answers(&self, count: u32) -> BTreeMap<String, u32> {
        let client = client();
        let mut answers = BTreeMap::new();
        for _ in 0..count {
            let answer = client.get(self.url("/")).send().await.unwrap();
            let text = if answer.status().is_success() {
                answer.text().await.unwrap()
            } else {
                answer.status().as_u16().to_string()
            };
            *answers.entry(text).or_default() += 1;
        }
        answers
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let quit = ["-p", &format!("{}/", self.dir.path().display()), "-c", "nginx.conf", "-s", "stop"]
            .map(str::to_owned);
        // Its workers would outlive a master that is killed.
        let stopped = Command::new("nginx").args(quit).stderr(Stdio::null()).status();
        if !stopped.is_ok_and(|status| status.success()) {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}

/// A client that makes a connection a request.
pub(super) fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().pool_max_idle_per_host(0).no_proxy().tls_certs_only([]).build().unwrap()
}

/// Starts nginx in the foreground. `more` goes into its `server` block.
fn spawn(dir: &Path, port: u16, more: &str) -> Child {
    configure(dir, port, more);
    let folder = format!("{}/", dir.display());
    Command::new("nginx")
        .args(["-p", &folder, "-c", "nginx.conf", "-g", "daemon off;"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn configure(dir: &Path, port: u16, more: &str) {
    let root = if rustix::process::getuid().is_root() { "user root;" } else { "" };
    let config = format!(
        "{root} worker_processes 2; pid nginx.pid; error_log error.log; worker_shutdown_timeout 10s;
        events {{ worker_connections 256; }}
        http {{
            access_log off;
            client_body_temp_path tmp; proxy_temp_path tmp; fastcgi_temp_path tmp; uwsgi_temp_path tmp; scgi_temp_path tmp;
            include shop.conf;
            server {{
                listen 127.0.0.1:{port}; {more}
                location = /-/generation {{ return 200 \"$unship_shop_generation\"; }}
                location / {{
                    if ($unship_shop_maintenance) {{ return 503; }}
                    proxy_next_upstream off;
                    proxy_pass http://shop;
                }}
            }}
        }}"
    );
    std::fs::write(dir.join("nginx.conf"), config).unwrap();
}

fn backends<'a>(named: &[(&'a str, &Backend)]) -> BTreeMap<&'a str, Vec<String>> {
    named.iter().map(|(name, backend)| (*name, vec![backend.address.to_string()])).collect()
}

fn no_nginx() -> bool {
    skip("nginx", has("nginx"), "install nginx (Debian: nginx-light)")
}

/// Traffic is where it was sent when the call is answered, exactly by the weights, and another look says the same.
#[tokio::test]
async fn weights_hold_exactly() {
    if no_nginx() {
        return;
    }
    let (blue, green) = (Backend::start("2.8.0").await, Backend::start("2.8.1").await);
    let nginx = Nginx::start(&blue).await;
    let platform = nginx.platform(&backends(&[("blue", &blue), ("green", &green)]));
    let seen = platform.read().await.unwrap();
    assert_eq!(
        (traffic(&seen).as_str(), seen.settled, seen.maintenance),
        ("2.8.0 stable 100", true, Some(false))
    );
    assert_eq!(seen.releases.len(), 2);

    let canary = split("blue@2.8.0", "green@2.8.1", 10);
    act(&platform, &canary).await.unwrap();
    let seen = platform.read().await.unwrap();
    assert_eq!(traffic(&seen), "2.8.0 stable 90, 2.8.1 canary 10");
    assert!(canary.holds_in(&seen));
    assert_eq!(nginx.answers(200).await, BTreeMap::from([("2.8.0".into(), 180), ("2.8.1".into(), 20)]));

    // The same again is a change of the generation only.
    act(&platform, &canary).await.unwrap();
    act(&platform, &restore("blue@2.8.0")).await.unwrap();
    let seen = platform.read().await.unwrap();
    assert_eq!((traffic(&seen).as_str(), seen.revision.as_deref()), ("2.8.0 stable 100", Some("4")));
    assert_eq!(nginx.answers(20).await, BTreeMap::from([("2.8.0".into(), 20)]));
}

/// The maintenance page comes and goes, and the traffic behind it stays as it was.
#[tokio::test]
async fn the_maintenance_page() {
    if no_nginx() {
        return;
    }
    let blue = Backend::start("2.8.0").await;
    let nginx = Nginx::start(&blue).await;
    let platform = nginx.platform(&backends(&[("blue", &blue)]));
    act(&platform, &PlatformAction::Maintenance { on: true }).await.unwrap();
    let seen = platform.read().await.unwrap();
    assert_eq!((seen.maintenance, traffic(&seen).as_str()), (Some(true), "2.8.0 stable 100"));
    assert_eq!(nginx.answers(3).await, BTreeMap::from([("503".into(), 3)]));
    act(&platform, &PlatformAction::Maintenance { on: false }).await.unwrap();
    assert_eq!(nginx.answers(3).await, BTreeMap::from([("2.8.0".into(), 3)]));
}

/// A configuration that nginx refuses changes nothing, and its reason is told.
#[tokio::test]
async fn a_refused_configuration() {
    if no_nginx() {
        return;
    }
    let (blue, green) = (Backend::start("2.8.0").await, Backend::start("2.8.1").await);
    let nginx = Nginx::start(&blue).await;
    let mut named = backends(&[("blue", &blue), ("green", &green)]);
    named.get_mut("green").unwrap().push("127.0.0.1:99999".to_owned());
    let platform = nginx.platform(&named);
    let before = std::fs::read_to_string(nginx.file()).unwrap();
    let error = act(&platform, &restore("green@2.8.1")).await.unwrap_err();
    assert!(matches!(&error, PlatformError::Permanent(reason) if reason.contains("invalid port")), "{error}");
    let seen = platform.read().await.unwrap();
    assert_eq!((traffic(&seen).as_str(), seen.settled, seen.failed), ("2.8.0 stable 100", true, None));
    assert_eq!(nginx.answers(3).await, BTreeMap::from([("2.8.0".into(), 3)]));
    // What is there now means what was there, in the words of this program.
    let after = std::fs::read_to_string(nginx.file()).unwrap();
    assert!(after.contains("default \"1\"") && before.contains("default \"1\""), "{after}");
}

/// nginx goes on with its old configuration when a port is taken, although its test and its reload end well: that is seen, the
/// old file is put back, and the reason is told.
#[tokio::test]
async fn a_reload_without_effect() {
    if no_nginx() {
        return;
    }
    let (blue, green) = (Backend::start("2.8.0").await, Backend::start("2.8.1").await);
    let nginx = Nginx::start(&blue).await;
    let platform = nginx.platform(&backends(&[("blue", &blue), ("green", &green)]));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = format!("listen {};", taken.local_addr().unwrap());
    configure(nginx.dir.path(), nginx.port, &listen);
    let error = act(&platform, &restore("green@2.8.1")).await.unwrap_err();
    let said = error.to_string();
    assert!(matches!(error, PlatformError::Permanent(_)), "{said}");
    assert!(said.contains("still runs generation 1") && said.contains("[emerg]"), "{said}");
    let seen = platform.read().await.unwrap();
    assert_eq!((traffic(&seen).as_str(), seen.settled), ("2.8.0 stable 100", true));
    assert_eq!(nginx.answers(3).await, BTreeMap::from([("2.8.0".into(), 3)]));
    // Once the port is free, the same call works.
    drop(taken);
    act(&platform, &restore("green@2.8.1")).await.unwrap();
    assert_eq!(nginx.answers(3).await, BTreeMap::from([("2.8.1".into(), 3)]));
}

/// A process that dies after writing and before loading leaves a file that nginx does not run: what nginx runs is told, with
/// that the file was not loaded, and the next call goes above it.
#[tokio::test]
async fn killed_between_file_and_reload() {
    if no_nginx() {
        return;
    }
    let (blue, green) = (Backend::start("2.8.0").await, Backend::start("2.8.1").await);
    let nginx = Nginx::start(&blue).await;
    let platform = nginx.platform(&backends(&[("blue", &blue), ("green", &green)]));
    act(&platform, &split("blue@2.8.0", "green@2.8.1", 25)).await.unwrap();
    let loaded = std::fs::read_to_string(nginx.file()).unwrap();
    act(&platform, &restore("blue@2.8.0")).await.unwrap();
    let written = std::fs::read_to_string(nginx.file()).unwrap();
    // As it would be: nginx has loaded the one before, the next is written.
    let reload = |text: &str| {
        std::fs::write(nginx.file(), text).unwrap();
        let folder = format!("{}/", nginx.dir.path().display());
        let done =
            Command::new("nginx").args(["-p", &folder, "-c", "nginx.conf", "-s", "reload"]).status().unwrap();
        assert!(done.success());
    };
    reload(&loaded);
    let until = tokio::time::Instant::now() + Duration::from_secs(10);
    // The workers before may answer for a while after the first of the new ones.
    let mut in_a_row = 0;
    while in_a_row < 10 {
        let said = client().get(nginx.url("/-/generation")).send().await.unwrap().text().await.unwrap();
        in_a_row = if said == "2" { in_a_row + 1 } else { 0 };
        assert!(tokio::time::Instant::now() < until, "nginx did not go back: {}", nginx.log());
    }
    std::fs::write(nginx.dir.path().join("shop.conf.before"), &loaded).unwrap();
    std::fs::write(nginx.file(), &written).unwrap();
    let another = nginx.platform(&backends(&[("blue", &blue), ("green", &green)]));
    let seen = another.read().await.unwrap();
    assert_eq!(traffic(&seen), "2.8.0 stable 75, 2.8.1 canary 25");
    assert_eq!((seen.settled, seen.failed), (false, None), "whoever wrote it may be about to load it");
    let file = std::fs::File::options().write(true).open(nginx.file()).unwrap();
    file.set_modified(std::time::SystemTime::now() - Duration::from_secs(10)).unwrap();
    let seen = another.read().await.unwrap();
    assert!(!seen.settled);
    assert!(
        seen.failed.as_deref().is_some_and(|why| why.contains("generation 3, but nginx runs 2")),
        "{seen:?}"
    );
    act(&another, &restore("blue@2.8.0")).await.unwrap();
    let seen = another.read().await.unwrap();
    assert_eq!((traffic(&seen).as_str(), seen.settled, seen.failed), ("2.8.0 stable 100", true, None));
    assert_eq!(seen.revision.as_deref(), Some("4"));
}

/// What somebody else has changed since it was read is not overwritten, and a backend that was given another version is no
/// longer the release that was named.
#[tokio::test]
async fn changed_by_somebody_else() {
    if no_nginx() {
        return;
    }
    let (blue, green) = (Backend::start("2.8.0").await, Backend::start("2.8.1").await);
    let nginx = Nginx::start(&blue).await;
    let named = backends(&[("blue", &blue), ("green", &green)]);
    let (ours, theirs) = (nginx.platform(&named), nginx.platform(&named));
    let revision = ours.read().await.unwrap().revision;
    act(&theirs, &split("blue@2.8.0", "green@2.8.1", 50)).await.unwrap();
    let error = act_on(&ours, &restore("green@2.8.1"), revision).await.unwrap_err();
    assert!(matches!(&error, PlatformError::Transient(why) if why.contains("changed meanwhile")), "{error}");
    assert_eq!(traffic(&ours.read().await.unwrap()), "2.8.0 stable 50, 2.8.1 canary 50");

    green.is_now("2.9.0");
    let error = act(&ours, &restore("green@2.8.1")).await.unwrap_err();
    assert!(
        matches!(&error, PlatformError::Permanent(why) if why.contains("serves `2.9.0` by now")),
        "{error}"
    );
}

/// A backend that does not answer keeps the name of what it said last, also for a process that starts later; without nginx
/// nothing is known.
#[tokio::test]
async fn silence() {
    if no_nginx() {
        return;
    }
    let (blue, green) = (Backend::start("2.8.0").await, Backend::start("2.8.1").await);
    let nginx = Nginx::start(&blue).await;
    let named = backends(&[("blue", &blue), ("green", &green)]);
    let platform = nginx.platform(&named);
    act(&platform, &split("blue@2.8.0", "green@2.8.1", 10)).await.unwrap();
    drop(green);
    let later = nginx.platform(&named);
    for platform in [&platform, &later] {
        let seen = platform.read().await.unwrap();
        assert_eq!(traffic(&seen), "2.8.0 stable 90, 2.8.1 canary 10");
        assert!(!seen.release(&"green@2.8.1".into()).unwrap().running);
    }
    let checks = later.check().await;
    let said = serde_json::to_string(&checks).unwrap();
    assert!(said.contains("ask `green`") && said.contains("no answer with a version"), "{said}");
    assert!(said.contains("the folder can be written"), "{said}");
    drop(nginx);
    let error = later.read().await.unwrap_err();
    assert!(matches!(error, PlatformError::Transient(_) | PlatformError::Permanent(_)), "{error}");
}
