//! A judge between an adapter and the server that plays its platform: Stoplight's Prism, with the provider's own description of
//! the API. It writes down which requests and answers break it, so that neither the adapter nor the play can drift. A play may
//! leave out what no adapter reads; what it says has to be as described.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use super::skip;

/// Where the providers' descriptions are, beside the project.
const CONTRACTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/contracts");

/// The judge, which goes with the test.
pub(super) struct Judge {
    child: Child,
    said: TempDir,
    /// Where the adapter finds it.
    pub(super) url: String,
}

impl Drop for Judge {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program: by `UNSHIP_TEST_PRISM`.
fn program() -> Option<PathBuf> {
    std::env::var_os("UNSHIP_TEST_PRISM").map(PathBuf::from).filter(|path| path.is_file())
}

impl Judge {
    /// Stands before `upstream`; none where there is no Prism or no description, which is said.
    pub(super) async fn before(upstream: &str, description: &str) -> Option<Self> {
        let file = Path::new(CONTRACTS).join(description);
        let how = "npm install @stoplight/prism-cli@5, and its path in UNSHIP_TEST_PRISM";
        if skip("prism", program().is_some(), how) {
            return None;
        }
        if !file.is_file() {
            eprintln!("skipped: there is no {}", file.display());
            return None;
        }
        let said = TempDir::new().unwrap();
        let log = std::fs::File::create(said.path().join("log")).unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let child = Command::new(program().unwrap())
            .args(["proxy", "--host", "127.0.0.1", "--port", &port.to_string()])
            .arg(file)
            .arg(upstream)
            .stdin(Stdio::null())
            .stderr(log.try_clone().unwrap())
            .stdout(log)
            .spawn()
            .unwrap();
        let judge = Self { child, said, url: format!("http://127.0.0.1:{port}") };
        let until = Instant::now() + Duration::from_mins(1);
        while !judge.log().contains("Prism is listening") {
            assert!(Instant::now() < until, "Prism did not start: {}", judge.log());
            sleep(Duration::from_millis(50)).await;
        }
        Some(judge)
    }

    /// What it has said.
    fn log(&self) -> String {
        std::fs::read_to_string(self.said.path().join("log")).unwrap()
    }

    /// Nothing has broken the description.
    #[track_caller]
    pub(super) fn is_content(&self) {
        let log = self.log();
        let is_left_out =
            |line: &str| line.contains("response") && line.contains("must have required property");
        let violations: Vec<&str> =
            log.lines().filter(|line| line.contains("Violation") && !is_left_out(line)).collect();
        assert!(violations.is_empty(), "{}", violations.join("\n"));
        assert!(log.contains("Request received"), "it has seen nothing: {log}");
    }
}

/// An answer as the description has it. What is nothing is there as `null` in real answers, which no description says.
pub(super) fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (name, without_nulls(value)))
            .collect(),
        Value::Array(items) => items.into_iter().map(without_nulls).collect(),
        other => other,
    }
}
