//! A drill reaches nobody who is not in it, and says how long each step took.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::harness::{run, text, unship};

/// A receiver that takes every message and keeps it.
fn receiver() -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let taken = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&taken);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let kept = Arc::clone(&kept);
            std::thread::spawn(move || {
                let mut reader = BufReader::new(stream.try_clone().ok()?);
                let mut stream = stream;
                loop {
                    let mut length = 0;
                    loop {
                        let mut line = String::new();
                        if reader.read_line(&mut line).ok()? == 0 {
                            return Some(());
                        }
                        let lower = line.to_ascii_lowercase();
                        if let Some(value) = lower.strip_prefix("content-length:") {
                            length = value.trim().parse().ok()?;
                        }
                        if line == "\r\n" {
                            break;
                        }
                    }
                    let mut body = vec![0; length];
                    reader.read_exact(&mut body).ok()?;
                    kept.lock().unwrap().push(String::from_utf8_lossy(&body).into_owned());
                    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").ok()?;
                }
            });
        }
    });
    (url, taken)
}

/// Everything that a drill says goes to the channel for tests and is marked; the channel that wakes people hears nothing. Each
/// step has how long it took, and the runbook that was named is the one that is worked through.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drill_wakes_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let ((wakes, woken), (tests, taken)) = (receiver(), receiver());
    let runbook = "# Take it back\n## First (0-5 min)\n\
        - [ ] The page is answered {do=acknowledge verify=\"incident.acknowledged\"}\n\
        - [ ] The traffic is back {sense=\"rollback.traffic_back\" confirm=auto}\n\
        ## Then (5-15 min)\n\
        - [ ] The services stay healthy {hold=\"services.unhealthy == 0\" for=20s}\n\
        - [ ] The ticket is known {ask=\"ticket\" type=number}\n";
    std::fs::write(dir.path().join("take-back.md"), runbook).unwrap();
    let config = format!(
        "[environment]\nname = \"production\"\n\
        [services.shop]\nplatform = {{ kind = \"lab\", admin = \"http://127.0.0.1:1\", service = \"shop\" }}\n\
        [channels.pager]\nkind = \"webhook\"\nurl = \"{wakes}\"\n\
        [channels.tests]\nkind = \"webhook\"\nurl = \"{tests}\"\n\
        [notify]\ntest = \"tests\"\n\
        [contacts.mira]\nphone = {{ channel = \"pager\", address = \"+491\" }}\n\
        [policy.primary]\nlast_resort = \"channel:pager\"\n\
        [[policy.primary.level]]\ntargets = [\"contact:mira\"]\ndelay = \"5m\"\n\
        [escalation]\npolicy = \"primary\"\n\
        [runbooks.take-back]\nfile = \"take-back.md\"\nservices = [\"shop\"]\n"
    );
    std::fs::write(dir.path().join("unship.toml"), config).unwrap();
    let record = dir.path().join("drill");
    let record = record.to_str().unwrap();
    let drill =
        unship(dir.path(), &["drill", "--json", "--pace", "0.05", "--within", "90s", "--dir", record]);
    let drilled = run(drill).await;
    let said = text(&drilled.stderr);
    assert_eq!(drilled.status.code(), Some(0), "{said}");
    let account: Value = serde_json::from_slice(&drilled.stdout).unwrap();
    assert_eq!(account["operations"][0]["verified"], true, "{account}");
    assert!(account["operations"][0]["steps"][0]["took_ms"].is_u64(), "{account}");
    let sections = account["sections"].as_array().unwrap();
    assert_eq!(sections.len(), 2, "{account}");
    assert_eq!(
        (&sections[0]["until_ms"], &sections[0]["late"]),
        (&300_000.into(), &false.into()),
        "{account}"
    );
    assert!(
        sections
            .iter()
            .flat_map(|section| section["items"].as_array().unwrap())
            .all(|item| { item["open"] == false && item["after_ms"].is_u64() })
    );
    assert!(woken.lock().unwrap().is_empty(), "nobody is woken: {:?}", woken.lock().unwrap());
    let taken = taken.lock().unwrap().clone();
    assert!(!taken.is_empty(), "{said}");
    assert!(taken.iter().all(|body| body.contains("[DRILL]")), "{taken:?}");
    assert!(taken.iter().any(|body| body.contains("waits for mira")), "the policy is followed: {taken:?}");
    assert!(said.contains("messages went to tests, marked as a drill"), "{said}");
}

/// A real environment is rolled back only by somebody who says that it is one to rehearse on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drill_asks_before_it_is_real() {
    let dir = tempfile::tempdir().unwrap();
    let config = "[environment]\nname = \"staging\"\n[services.shop]\n\
        platform = { kind = \"lab\", admin = \"http://127.0.0.1:1\", service = \"shop\" }\n";
    std::fs::write(dir.path().join("unship.toml"), config).unwrap();
    let asked = run(unship(dir.path(), &["drill", "--service", "shop"])).await;
    assert_eq!(asked.status.code(), Some(2));
    assert!(text(&asked.stderr).contains("rolls shop back in staging, for real"), "{}", text(&asked.stderr));
    let unknown = run(unship(dir.path(), &["drill", "--service", "nope", "--yes"])).await;
    assert_eq!(unknown.status.code(), Some(2));
    assert!(!dir.path().join("unship.db").exists(), "nothing was begun");
}
