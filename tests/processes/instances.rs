//! How many instances run, and what they are set to, by the real program on a platform made of shell scripts.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::harness::{run, text, unship};

const CONFIG: &str = r#"
[environment]
name = "shop"

[deploy]
variables = "DIR/kept"

[services.shop]
scaling = { most = 6 }

[services.shop.platform]
kind = "command"
observe = ["cat", "state.json"]
roll_back = ["true"]
scale = ["sh", "-c", "sed \"s/: [0-9]*,/: $UNSHIP_INSTANCES,/\" state.json > new && mv new state.json"]
variables = ["cat", "variables.json"]
dir = "DIR"

[services.shop.probes.health]
url = "http://127.0.0.1:1/health"
"#;

const STATE: &str = r#"{"instances": 3, "releases": [{"version": "1.0", "reference": "r1", "created_at": "2026-01-01T00:00:00Z"}],
 "traffic": [{"reference": "r1", "percent": 100}]}"#;

async fn says(dir: &Path, args: &[&str]) -> (Option<i32>, String, String) {
    let output = run(unship(dir, args)).await;
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// Two more instances, one too many, and one too many with a reason.
#[tokio::test]
async fn more_of_them() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("unship.toml"), CONFIG.replace("DIR", dir.path().to_str().unwrap())).unwrap();
    fs::write(dir.path().join("state.json"), STATE).unwrap();
    let scale = ["scale", "shop", "5", "--from", "3", "--reason", "a sale begins"];
    let (code, out, err) = says(dir.path(), &scale).await;
    assert_eq!(code, Some(0), "{out}{err}");
    assert!(err.contains("5 instances, now 3, at most 6") && err.contains("run 5 instances, now 3"), "{err}");
    assert!(out.contains("5 instances of shop are asked for"), "{out}");
    assert!(fs::read_to_string(dir.path().join("state.json")).unwrap().contains("\"instances\": 5"));
    let (code, _, err) = says(dir.path(), &scale).await;
    assert_eq!(code, Some(5), "{err}");
    assert!(err.contains("5 instances are asked for now, not the 3 that you saw"), "{err}");
    let (code, _, err) = says(dir.path(), &["scale", "shop", "9", "--reason", "a sale begins"]).await;
    assert_eq!(code, Some(5), "{err}");
    let ask = ["scale", "shop", "9", "--reason", "a sale", "--override", "target=the owner asks for it"];
    let (code, out, err) = says(dir.path(), &ask).await;
    assert_eq!(code, Some(0), "{out}{err}");
}

/// They are kept in a file for the owner alone, compared by name, and printed nowhere, in no journal and no log either.
#[tokio::test]
async fn what_they_are_set_to() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("unship.toml"), CONFIG.replace("DIR", dir.path().to_str().unwrap())).unwrap();
    fs::write(dir.path().join("state.json"), STATE).unwrap();
    let set = |text: &str| fs::write(dir.path().join("variables.json"), text).unwrap();
    set(r#"{"MODE": "hunter2", "OLD": "hunter3"}"#);
    let (code, kept, err) = says(dir.path(), &["variables", "shop", "--keep"]).await;
    assert_eq!(code, Some(0), "{kept}{err}");
    let file = kept.split(", ").next().unwrap().trim().to_owned();
    assert!(fs::read_to_string(&file).unwrap().contains("hunter2"));
    let (code, same, _) = says(dir.path(), &["variables", "shop", "--against", &file]).await;
    assert_eq!(code, Some(0), "{same}");
    set(r#"{"MODE": "hunter4", "NEW": "x"}"#);
    let (code, differs, _) = says(dir.path(), &["variables", "shop", "--against", &file]).await;
    assert_eq!(code, Some(3), "{differs}");
    for line in ["added    NEW", "removed  OLD", "changed  MODE"] {
        assert!(differs.contains(line), "{line}: {differs}");
    }
    let (_, listed, _) = says(dir.path(), &["variables", "shop"]).await;
    set("hunter5");
    let (code, _, broken) = says(dir.path(), &["variables", "shop"]).await;
    assert_eq!(code, Some(6), "{broken}");
    for said in [&kept, &differs, &listed, &broken, &err] {
        assert!(!said.contains("hunter"), "{said}");
    }
    for entry in fs::read_dir(dir.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() && path.file_name().unwrap() != "variables.json" {
            assert!(
                !String::from_utf8_lossy(&fs::read(&path).unwrap()).contains("hunter"),
                "{}",
                path.display()
            );
        }
    }
}
