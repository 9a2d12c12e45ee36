//! A lab of its own for a test, as its own process, and consoles on it.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use super::harness::{Console, PATIENCE};

/// A running lab. It ends when this is dropped.
pub(crate) struct Fleet {
    lab: Option<Child>,
    folder: tempfile::TempDir,
    arguments: Vec<String>,
}

impl Fleet {
    /// Starts a scenario, and waits until its config is there.
    #[track_caller]
    pub(crate) fn start(scenario: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let arguments = ["lab", "--scenario", scenario, "--seed", "7"].map(str::to_owned).to_vec();
        let mut fleet = Self { lab: None, folder, arguments };
        fleet.go();
        fleet
    }

    /// The same on ports that it can come back to.
    #[track_caller]
    pub(crate) fn start_to_return(scenario: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // The admin interface, and a router for each of four services; below the ports that the system gives out.
        let is_free = |first: &u16| (0..5).all(|port| TcpListener::bind(("127.0.0.1", first + port)).is_ok());
        let port =
            (0..1_000).map(|_| rand::random_range(20_000..30_000_u16)).find(is_free).unwrap().to_string();
        let arguments =
            ["lab", "--scenario", scenario, "--seed", "7", "--port", &port].map(str::to_owned).to_vec();
        let mut fleet = Self { lab: None, folder, arguments };
        fleet.go();
        fleet
    }

    /// Starts the lab, also anew.
    #[track_caller]
    pub(crate) fn go(&mut self) {
        let mut lab = unship(self.folder.path())
            .args(&self.arguments)
            .args(["--dir", self.folder.path().to_str().unwrap()])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // It has printed everything that it has to say at first when the config is named.
        let mut lines = BufReader::new(lab.stdout.take().unwrap()).lines();
        let named = lines.by_ref().map_while(Result::ok).any(|line| line.trim_start().starts_with("config"));
        assert!(named, "the lab did not start");
        // What it says later is not kept from being said.
        std::thread::spawn(move || lines.for_each(drop));
        self.lab = Some(lab);
    }

    /// Kills the lab.
    pub(crate) fn stop(&mut self) {
        if let Some(mut lab) = self.lab.take() {
            let _ = lab.kill();
            let _ = lab.wait();
        }
    }

    /// Has its config leave acting to people.
    pub(crate) fn by_hand(&self) {
        let config = std::fs::read_to_string(self.config()).unwrap();
        let changed = config.replacen("[environment]", "[environment]\nautomatic = false", 1);
        assert_ne!(config, changed);
        std::fs::write(self.config(), changed).unwrap();
    }

    /// Writes a file beside its config, and adds to that.
    pub(crate) fn add(&self, name: &str, text: &str, config: &str) {
        std::fs::write(self.folder.path().join(name), text).unwrap();
        let before = std::fs::read_to_string(self.config()).unwrap();
        std::fs::write(self.config(), format!("{before}\n{config}")).unwrap();
    }

    /// Its config.
    pub(crate) fn config(&self) -> PathBuf {
        self.folder.path().join("unship.toml")
    }

    /// Its journal.
    pub(crate) fn journal(&self) -> PathBuf {
        self.folder.path().join("unship.db")
    }

    /// Opens a console on it.
    pub(crate) fn console(&self, arguments: &[&str], size: (u16, u16)) -> Console {
        let config = self.config();
        let mut all = vec!["-c", config.to_str().unwrap(), "--as", "mara", "console"];
        all.extend(arguments);
        Console::start(&all, size, &[])
    }

    /// A guard on it, that leads.
    pub(crate) fn guard(&self) -> Guard {
        let guard = unship(self.folder.path())
            .args(["-c", self.config().to_str().unwrap(), "guard"])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let guard = Guard(guard);
        let begun = Instant::now();
        while !self.is_led_by_a_guard() {
            assert!(begun.elapsed() < PATIENCE, "the guard does not lead");
        }
        guard
    }

    fn is_led_by_a_guard(&self) -> bool {
        let config = self.config();
        let status = unship(self.folder.path())
            .args(["-c", config.to_str().unwrap(), "status", "--json"])
            .output()
            .unwrap();
        String::from_utf8_lossy(&status.stdout).contains("guard@")
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A running guard. It is killed when this is dropped.
pub(crate) struct Guard(Child);

impl Guard {
    /// Kills it, as a machine that fails would.
    pub(crate) fn kill(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.kill();
    }
}

fn unship(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_unship"));
    command.env("HOME", home).env("XDG_STATE_HOME", home).stderr(Stdio::null()).stdin(Stdio::null());
    command
}
