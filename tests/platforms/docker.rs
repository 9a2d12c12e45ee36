//! A real Docker engine of the test's own, with containers of busybox.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};
use unship::model::platform::{LogQuery, PlatformAction, PlatformSpec};
use unship::model::secret::Secrets;
use unship::platform::{Platform, PlatformError};

use super::guard::{Guard, Users, until, until_recorded};
use super::nginx::{Nginx, client};
use super::{act, act_on, has, restore, skip, split, traffic};

/// An engine without networks of its own: containers use the host's, which needs no rights on its packet filter.
struct Engine {
    dir: TempDir,
    child: Child,
}

impl Drop for Engine {
    fn drop(&mut self) {
        // It ends its containers and its containerd before it ends itself.
        let pid = rustix::process::Pid::from_child(&self.child);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ = self.child.wait();
    }
}

fn busybox() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join("busybox")).find(|file| file.is_file())
}

impl Engine {
    /// Starts one where that is possible: it takes the programs, and root.
    async fn start() -> Option<Self> {
        let how = "needs root, and apt-get install docker.io busybox-static";
        let found =
            has("dockerd") && has("docker") && busybox().is_some() && rustix::process::geteuid().is_root();
        if skip("docker", found, how) {
            return None;
        }
        let dir = TempDir::new().unwrap();
        let at = |name: &str| dir.path().join(name).display().to_string();
        let log = std::fs::File::create(at("log")).unwrap();
        let mut command = Command::new("dockerd");
        command.args(["--host", &format!("unix://{}", at("d.sock"))]);
        command.args(["--data-root", &at("data"), "--exec-root", &at("exec"), "--pidfile", &at("pid")]);
        command.args([
            "--storage-driver",
            "vfs",
            "--bridge",
            "none",
            "--iptables=false",
            "--ip6tables=false",
        ]);
        let child =
            command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        let mut engine = Self { dir, child };
        let until = Instant::now() + Duration::from_mins(1);
        while !engine.docker(&["version"]).status.success() {
            let log = std::fs::read_to_string(engine.dir.path().join("log")).unwrap();
            let is_over = engine.child.try_wait().unwrap().is_some() || Instant::now() > until;
            if is_over && skip("docker", false, &format!("it does not start here: {log}")) {
                return None;
            }
            sleep(Duration::from_millis(100)).await;
        }
        engine.image();
        Some(engine)
    }

    fn host(&self) -> String {
        format!("unix://{}", self.dir.path().join("d.sock").display())
    }

    fn docker(&self, args: &[&str]) -> std::process::Output {
        Command::new("docker").args(["--host", &self.host()]).args(args).output().unwrap()
    }

    fn run(&self, args: &[&str]) -> String {
        let output = self.docker(args);
        assert!(output.status.success(), "docker {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// busybox and nothing else, under a name for each version, with a word in it so that the images differ.
    fn image(&self) {
        let root = self.dir.path().join("root");
        std::fs::create_dir_all(root.join("bin")).unwrap();
        std::fs::copy(busybox().unwrap(), root.join("bin/busybox")).unwrap();
        std::os::unix::fs::symlink("busybox", root.join("bin/sh")).unwrap();
        std::fs::create_dir_all(root.join("www")).unwrap();
        for version in ["2.8.0", "2.8.1", "ends"] {
            std::fs::write(root.join("www/version"), version).unwrap();
            let tar = self.dir.path().join("image.tar");
            let done =
                Command::new("tar").arg("-cf").arg(&tar).arg("-C").arg(&root).arg(".").status().unwrap();
            assert!(done.success());
            self.run(&["import", tar.to_str().unwrap(), &format!("shop:{version}")]);
        }
    }

    /// A container of a colour that serves on this port once it is started, and becomes healthy then.
    fn creates(&self, colour: &str, version: &str, port: u16) {
        let (label, name) = (format!("unship.colour={colour}"), format!("shop-{colour}-1"));
        let serve = format!("echo {version} begins; exec busybox httpd -f -p 127.0.0.1:{port} -h /www");
        let command = if version == "ends" { "echo it cannot; exit 3" } else { &serve };
        let check = format!("busybox wget -q -O /dev/null http://127.0.0.1:{port}/version");
        let image = format!("shop:{version}");
        self.run(&[
            "create",
            "--name",
            &name,
            "--label",
            "app=shop",
            "--label",
            &label,
            "--env",
            "SHOP_MODE=live",
            "--network",
            "host",
            "--health-cmd",
            &check,
            "--health-interval",
            "200ms",
            "--health-start-period",
            "5s",
            &image,
            "/bin/sh",
            "-c",
            command,
        ]);
    }

    fn state(&self, colour: &str) -> String {
        self.run(&["inspect", "--format", "{{.State.Status}}", &format!("shop-{colour}-1")])
    }

    fn platform(&self, ports: &[(&str, u16)], nginx: Option<&Nginx>) -> Arc<dyn Platform> {
        let colours: BTreeMap<_, _> = ports
            .iter()
            .map(|(colour, port)| {
                let labels = json!({ "app": "shop", "unship.colour": colour });
                let servers = if nginx.is_some() { json!([format!("127.0.0.1:{port}")]) } else { json!([]) };
                (*colour, json!({ "labels": labels, "servers": servers }))
            })
            .collect();
        let mut spec =
            json!({ "kind": "docker", "host": self.host(), "colours": colours, "stop_within": "1s" });
        if let Some(nginx) = nginx {
            spec["traffic"] = nginx.traffic();
        }
        let spec: PlatformSpec = serde_json::from_value(spec).unwrap();
        unship::platform::build(&"shop".into(), &spec, &Arc::new(Secrets::default())).unwrap()
    }
}

fn port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

async fn reference(platform: &Arc<dyn Platform>, version: &str) -> String {
    let seen = platform.read().await.unwrap();
    seen.by_version(&version.into()).unwrap_or_else(|| panic!("no {version}: {seen:?}")).reference.to_string()
}

/// Without nginx the traffic is with whichever colour runs: a rollback starts the other one, waits for its health, and stops the
/// one that served. What ends at once is told, and nothing is stopped for it.
#[tokio::test]
async fn without_nginx() {
    let Some(engine) = Engine::start().await else { return };
    let ports = [("blue", port()), ("green", port()), ("red", port())];
    engine.creates("blue", "2.8.1", ports[0].1);
    engine.creates("green", "2.8.0", ports[1].1);
    engine.creates("red", "ends", ports[2].1);
    engine.run(&["start", "shop-blue-1"]);
    let platform = engine.platform(&ports, None);
    let until = Instant::now() + Duration::from_secs(30);
    let seen = loop {
        let seen = platform.read().await.unwrap();
        if seen.settled || Instant::now() > until {
            break seen;
        }
        sleep(Duration::from_millis(50)).await;
    };
    assert_eq!((traffic(&seen).as_str(), seen.releases.len(), seen.failed), ("2.8.1 stable 100", 3, None));
    let (good, ends) = (reference(&platform, "2.8.0").await, reference(&platform, "ends").await);

    let error = act(&platform, &restore(&ends)).await.unwrap_err();
    assert!(
        matches!(&error, PlatformError::Permanent(why) if why.contains("shop-red-1 ended at once (exited with 3)")),
        "{error}"
    );
    assert_eq!((engine.state("blue").as_str(), engine.state("green").as_str()), ("running", "created"));

    let back = restore(&good);
    act(&platform, &back).await.unwrap();
    assert_eq!((engine.state("blue").as_str(), engine.state("green").as_str()), ("exited", "running"));
    let seen = platform.read().await.unwrap();
    assert!(back.holds_in(&seen), "{seen:?}");
    act(&platform, &back).await.unwrap();
    assert_eq!(engine.state("green"), "running");

    // Somebody starts the other one: what was read no longer holds.
    engine.run(&["start", "shop-blue-1"]);
    let blue = reference(&platform, "2.8.1").await;
    let error = act_on(&platform, &restore(&blue), seen.revision).await.unwrap_err();
    assert!(
        matches!(&error, PlatformError::Transient(why) if why.contains("other containers run meanwhile")),
        "{error}"
    );
    // And somebody makes it of another image.
    engine.run(&["rm", "-f", "shop-blue-1"]);
    engine.creates("blue", "2.8.0", ports[0].1);
    let error = act(&platform, &restore(&blue)).await.unwrap_err();
    assert!(
        matches!(&error, PlatformError::Permanent(why) if why.contains("is gone: `blue` holds")),
        "{error}"
    );

    let containers = platform.instances().await.unwrap();
    let green = containers.iter().find(|one| one.name == "shop-green-1").unwrap();
    assert!(green.ready && green.memory_bytes.is_some() && green.since.is_some(), "{green:?}");
    let (out, mut lines) = mpsc::channel(16);
    platform.logs(&LogQuery { tail: 10, since: None, follow: false, release: None }, &out).await.unwrap();
    let line = lines.recv().await.unwrap();
    assert_eq!(
        (line.instance.as_str(), line.text.as_str(), line.at.is_some()),
        ("shop-green-1", "2.8.0 begins", true)
    );
    let said = serde_json::to_string(&platform.check().await).unwrap();
    for part in ["Docker ", "2.8.0 in 1 container(s), running", "find the containers of `red`"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    drop(engine);
    let error = platform.read().await.unwrap_err();
    assert!(matches!(&error, PlatformError::Transient(_)), "{error}");
}

/// With a real nginx in front: the stopped colour is started and healthy before it gets any traffic, a part of it or all.
#[tokio::test]
async fn with_nginx() {
    if skip("nginx", has("nginx"), "apt-get install nginx-light") {
        return;
    }
    let Some(engine) = Engine::start().await else { return };
    let ports = [("blue", port()), ("green", port())];
    engine.creates("blue", "2.8.1", ports[0].1);
    engine.creates("green", "2.8.0", ports[1].1);
    engine.run(&["start", "shop-blue-1"]);
    let nginx = Nginx::before(&format!("127.0.0.1:{}", ports[0].1)).await;
    let platform = engine.platform(&ports, Some(&nginx));
    let (good, bad) = (reference(&platform, "2.8.0").await, reference(&platform, "2.8.1").await);
    assert_eq!(traffic(&platform.read().await.unwrap()), "2.8.1 stable 100");
    let error = act(&platform, &split(&bad, &good, 25)).await.unwrap_err();
    assert!(
        matches!(&error, PlatformError::Permanent(why) if why.contains("`green` is not ready")),
        "{error}"
    );
    let deploy = PlatformAction::Deploy { release: good.as_str().into() };
    act(&platform, &deploy).await.unwrap();
    let until = Instant::now() + Duration::from_secs(30);
    while !deploy.holds_in(&platform.read().await.unwrap()) {
        assert!(Instant::now() < until, "it is not up");
        sleep(Duration::from_millis(50)).await;
    }
    act(&platform, &split(&bad, &good, 25)).await.unwrap();
    assert_eq!(traffic(&platform.read().await.unwrap()), "2.8.1 stable 75, 2.8.0 canary 25");
    act(&platform, &restore(&good)).await.unwrap();
    assert!(restore(&good).holds_in(&platform.read().await.unwrap()));
    let answer = client().get(nginx.url("/version")).send().await.unwrap().text().await.unwrap();
    assert_eq!(answer, "2.8.0");
    // The colour that served goes on, so that going forward again is as quick.
    assert_eq!(engine.state("blue"), "running");
    // What serves is told with what its image and its maker have set, and not what the other colour has.
    let seen = platform.variables().await.unwrap();
    let of: Vec<_> = seen.iter().map(|one| (one.container.as_deref().unwrap(), one.name.as_str())).collect();
    assert!(of.contains(&("shop-green-1", "SHOP_MODE")), "{of:?}");
    assert!(of.iter().all(|(container, _)| *container == "shop-green-1"), "{of:?}");
    // That the one which was left falls ill says nothing of what was asked for; that the one falls ill which is asked for does.
    let blue = |command: &str| engine.run(&["exec", "shop-blue-1", "/bin/sh", "-c", command]);
    blue("busybox rm /www/version");
    let health = || engine.run(&["inspect", "--format", "{{.State.Health.Status}}", "shop-blue-1"]);
    while health() != "unhealthy" {
        assert!(Instant::now() < until + Duration::from_secs(60), "it is {}", health());
        sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(platform.read().await.unwrap().failed, None);
    act(&platform, &PlatformAction::Deploy { release: bad.as_str().into() }).await.unwrap();
    let failed = platform.read().await.unwrap().failed.unwrap();
    assert!(failed.contains("shop-blue-1 is unhealthy"), "{failed}");
    blue("echo 2.8.1 > /www/version");
    // Until somebody has it stopped. To do that again is nothing, and it comes up again for the way back.
    let stop = PlatformAction::Stop { release: bad.as_str().into() };
    act(&platform, &stop).await.unwrap();
    assert!(stop.holds_in(&platform.read().await.unwrap()));
    assert_eq!((engine.state("blue"), engine.state("green")), ("exited".to_owned(), "running".to_owned()));
    act(&platform, &stop).await.unwrap();
    act(&platform, &restore(&bad)).await.unwrap();
    // For a moment the workers that go answer beside those that come.
    super::guard::until(&platform, "2.8.1 stable 100").await;
}

/// The whole way, with a guard over a real engine and a real nginx: a colour is brought in, the one before it is stopped once
/// that is due, and when the new one falls ill it is started again, healthy, and gets the traffic back. No request is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guard_takes_a_colour_back() {
    if skip("nginx", has("nginx"), "apt-get install nginx-light") {
        return;
    }
    let Some(engine) = Engine::start().await else { return };
    let ports = [("blue", port()), ("green", port())];
    engine.creates("blue", "2.8.0", ports[0].1);
    engine.creates("green", "2.8.1", ports[1].1);
    engine.run(&["start", "shop-blue-1"]);
    let nginx = Nginx::before(&format!("127.0.0.1:{}", ports[0].1)).await;
    let platform = engine.platform(&ports, Some(&nginx));
    let colours = ports.iter().map(|(colour, port)| {
        format!(
            "\n[services.shop.platform.colours.{colour}]\nlabels = {{ app = \"shop\", \"unship.colour\" = \"{colour}\" }}\n\
             servers = [\"127.0.0.1:{port}\"]\n"
        )
    });
    let kind = format!("kind = \"docker\"\nhost = \"{}\"\nstop_within = \"1s\"", engine.host());
    let (colours, deploy) = (colours.collect::<String>(), "stop_old_after = \"300ms\"");
    let probes = [("users", nginx.url("/version"), "")];
    let _guard = Guard::over(&nginx, &kind, &colours, deploy, &probes);
    until_recorded(&nginx).await;
    let users = Users::come_to(&nginx, "/version");
    let args = ["--as", "ana", "deploy", "shop", "2.8.1", "--strategy", "blue-green", "--go", "--yes"];
    let command = Guard::unship(&nginx, &[&args[..], &["--reason", "sprint 12"]].concat()).spawn().unwrap();
    assert_eq!(Guard(command).code().await, Some(0), "{}", Guard::journal(&nginx).await);
    until(&platform, "2.8.1 stable 100").await;
    let due = Instant::now() + Duration::from_secs(30);
    while engine.state("blue") != "exited" {
        assert!(Instant::now() < due, "it is not stopped: {}", Guard::journal(&nginx).await);
        sleep(Duration::from_millis(100)).await;
    }
    let began = Instant::now();
    engine.run(&["exec", "shop-green-1", "/bin/busybox", "rm", "/www/version"]);
    while !platform.read().await.is_ok_and(|seen| traffic(&seen) == "2.8.0 stable 100" && seen.settled) {
        assert!(
            began.elapsed() < Duration::from_secs(30),
            "it is not back: {}",
            Guard::journal(&nginx).await
        );
        sleep(Duration::from_millis(50)).await;
    }
    let took = began.elapsed();
    let (good, bad, lost) = users.go().await;
    eprintln!("docker: {good} good, {bad} answered by the ill release, {lost} lost; back after {took:?}");
    assert!(good > 50 && lost == 0, "{good} good, {bad} bad, {lost} lost");
    assert_eq!(engine.state("blue"), "running");
}
