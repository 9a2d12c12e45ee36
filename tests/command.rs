//! The `command` platform with real programs: what they get, what is made of what they say, and that nothing of them
//! is left behind.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use unship::model::platform::{CommandSpec, PlatformAction};
use unship::model::release::{Arm, Share};
use unship::model::secret::{Secret, SecretRef, Secrets};
use unship::model::{IdempotencyKey, ReleaseRef, ServiceName, Span};
use unship::platform::command::Command;
use unship::platform::{Call, Platform, PlatformError, Progress};

const INVENTORY: &str = r#"{"releases": [
    {"version": "2.8.1", "reference": "r2", "created_at": "2026-01-02T00:00:00Z"},
    {"version": "2.8.0", "reference": "r1", "created_at": "2026-01-01T00:00:00Z"}],
  "traffic": [{"reference": "r2", "percent": 100}]}"#;

/// A directory of scripts and the spec that names them.
struct Bench {
    dir: TempDir,
    spec: CommandSpec,
    secrets: Secrets,
}

impl Bench {
    fn new() -> Self {
        let spec = serde_json::from_value(serde_json::json!({ "observe": ["true"] })).unwrap();
        let mut bench = Self { dir: TempDir::new().unwrap(), spec, secrets: Secrets::default() };
        std::fs::write(bench.path("inventory.json"), INVENTORY).unwrap();
        bench.spec.observe = vec!["cat".to_owned(), bench.text("inventory.json")];
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    /// Writes a shell script and gives the argv that runs it; `DIR` in it is the directory.
    fn sh(&self, name: &str, script: &str, arguments: &[&str]) -> Vec<String> {
        std::fs::write(self.path(name), script.replace("DIR", self.dir.path().to_str().unwrap())).unwrap();
        let mut argv = vec!["sh".to_owned(), self.text(name)];
        argv.extend(arguments.iter().map(|&argument| argument.to_owned()));
        argv
    }

    fn secret(&mut self, name: &str, content: &str) -> SecretRef {
        let reference = SecretRef::Env(name.to_owned());
        self.secrets.insert(reference.clone(), Secret::new(content));
        reference
    }

    #[track_caller]
    fn platform(&self) -> Command {
        self.try_platform().unwrap()
    }

    fn try_platform(&self) -> Result<Command, PlatformError> {
        Command::new(&ServiceName::new("checkout"), &self.spec, Arc::new(self.secrets.clone()))
    }

    fn file(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_default()
    }
}

fn call() -> Call {
    Call {
        key: IdempotencyKey::new("op-12/2"),
        token: 7,
        revision: None,
        may_have_happened: false,
        progress: Progress::default(),
    }
}

fn restore(reference: &str) -> PlatformAction {
    PlatformAction::Restore { release: ReleaseRef::new(reference) }
}

/// Waits until something holds, and says what did not.
async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..1_000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("did not come true: {what}");
}

/// Whether a process is there, not counting one that has ended and was not collected.
fn runs(pid: &str) -> bool {
    std::fs::read_to_string(format!("/proc/{}/stat", pid.trim()))
        .is_ok_and(|stat| !stat.rsplit(") ").next().unwrap().starts_with('Z'))
}

fn exists(pid: &str) -> bool {
    std::path::Path::new(&format!("/proc/{}", pid.trim())).exists()
}

/// The document that `observe` prints arrives as the inventory.
#[tokio::test]
async fn observe_is_read() {
    let inventory = Bench::new().platform().read().await.unwrap();
    assert_eq!(inventory.releases.len(), 2);
    assert!(inventory.serves_all(&ReleaseRef::new("r2")));
}

/// `releases` and `current` fill in what `observe` leaves out, and are not run when it leaves nothing out.
#[tokio::test]
async fn other_programs_fill_in() {
    let mut bench = Bench::new();
    bench.spec.releases = Some(bench.sh(
        "releases.sh",
        r#"touch DIR/ran; echo '[{"version": "1", "reference": "a", "created_at": "2026-01-01T00:00:00Z"}]'"#,
        &[],
    ));
    bench.spec.current = Some(bench.sh("current.sh", r#"touch DIR/ran; echo '"a"'"#, &[]));
    bench.platform().read().await.unwrap();
    assert!(!bench.path("ran").exists());
    bench.spec.observe = bench.sh("observe.sh", r#"echo '{"schema": 4}'"#, &[]);
    let inventory = bench.platform().read().await.unwrap();
    assert!(inventory.serves_all(&ReleaseRef::new("a")));
    assert_eq!(inventory.schema, Some(4));
}

/// Whoever writes `observe` learns which program printed what, and what belongs there; the screen is safe from it.
#[tokio::test]
async fn bad_output_is_explained() {
    let mut bench = Bench::new();
    let reference = bench.secret("TOKEN", "hunter2hunter2");
    bench.spec.secret_env.insert("TOKEN".to_owned(), reference);
    bench.spec.observe = bench.sh(
        "observe.sh",
        r#"printf '{"releases": [{"version": true}], "x": "\033[2J%s"}' "$TOKEN""#,
        &[],
    );
    let PlatformError::Permanent(text) = bench.platform().read().await.unwrap_err() else { panic!() };
    assert!(text.contains("`observe` of `checkout`"), "{text}");
    // An escape character is not valid inside a JSON string.
    assert!(text.contains("not JSON: control character"), "{text}");
    assert!(text.contains(r"\u{1b}[2J[redacted]"), "{text}");
    bench.spec.observe = bench.sh("observe.sh", r#"echo '{"releases": [{"version": true}]}'"#, &[]);
    let PlatformError::Permanent(text) = bench.platform().read().await.unwrap_err() else { panic!() };
    assert!(text.contains("`releases[0].version`: expected a string, found true"), "{text}");
    bench.spec.observe = bench.sh("observe.sh", "yes é | head -c 100000", &[]);
    let PlatformError::Permanent(text) = bench.platform().read().await.unwrap_err() else { panic!() };
    assert!(text.len() < 2_500, "{} bytes", text.len());
}

/// The exit code of a reading says whether asking again can help.
#[tokio::test]
async fn exit_codes_of_readings() {
    let mut bench = Bench::new();
    bench.spec.observe = bench.sh("observe.sh", "echo one >&2; echo two >&2; exit 3", &[]);
    let PlatformError::Permanent(text) = bench.platform().read().await.unwrap_err() else { panic!() };
    assert_eq!(text, r#"`observe` of `checkout` ended with exit code 3; stderr ends "one\ntwo""#);
    bench.spec.observe = bench.sh("observe.sh", "exit 75", &[]);
    assert!(matches!(bench.platform().read().await, Err(PlatformError::Transient(_))));
    bench.spec.observe = bench.sh("observe.sh", "kill -9 $$", &[]);
    assert!(matches!(bench.platform().read().await, Err(PlatformError::Transient(_))));
    bench.spec.observe = vec!["/nowhere/observe".to_owned()];
    let PlatformError::Permanent(text) = bench.platform().read().await.unwrap_err() else { panic!() };
    assert!(
        text.contains("could not be started") && text.contains("check that `/nowhere/observe`"),
        "{text}"
    );
    bench.spec.dir = Some("/nowhere".to_owned());
    let text = bench.platform().read().await.unwrap_err().to_string();
    assert!(text.contains("there is no directory `/nowhere`"), "{text}");
}

/// The exit code of an act says whether it has happened, or that nobody knows.
#[tokio::test]
async fn exit_codes_of_acts() {
    let mut bench = Bench::new();
    let mut act = async |script: &str| {
        bench.spec.roll_back = Some(bench.sh("roll_back.sh", script, &[]));
        bench.platform().act(&restore("r1"), &call()).await
    };
    assert_eq!(act("echo asked; echo; echo ' revision 41 '").await.unwrap(), "revision 41");
    assert_eq!(act("true").await.unwrap(), "`roll_back` ended well and printed nothing");
    assert!(
        matches!(act("echo no >&2; exit 1").await, Err(PlatformError::Permanent(text)) if text.contains("\"no\""))
    );
    assert!(matches!(act("exit 75").await, Err(PlatformError::Transient(_))));
    let killed = act("kill -9 $$").await;
    assert!(matches!(&killed, Err(PlatformError::Unclear(text)) if text.contains("signal 9")), "{killed:?}");
}

/// Each verb gets what the documentation promises, in its arguments and in its environment.
#[tokio::test]
async fn verbs_get_their_values() {
    let mut bench = Bench::new();
    // What the tests themselves are told stands in the environment too.
    let script = r#"printf '%s|' "$@"; env | grep '^UNSHIP_' | grep -v '^UNSHIP_TEST_' | sort | tr '\n' ' '"#;
    let program = |name: &str, arguments: &[&str]| Some(bench.sh(name, script, arguments));
    let roll_back = program("a.sh", &["{service}", "--to={release}", "{version}", "{key}", "{token}"]);
    let set_weight = program("b.sh", &["{release}", "{percent}", "{shares}"]);
    let maintenance = program("c.sh", &["{on}"]);
    bench.spec.roll_back = roll_back;
    bench.spec.set_weight = set_weight;
    bench.spec.maintenance = maintenance;
    let platform = bench.platform();
    let said =
        platform.act(&restore("r1"), &Call { revision: Some("41".to_owned()), ..call() }).await.unwrap();
    assert_eq!(
        said.trim(),
        "checkout|--to=r1|2.8.0|op-12/2|7|UNSHIP_KEY=op-12/2 UNSHIP_RELEASE=r1 UNSHIP_REVISION=41 UNSHIP_SERVICE=checkout UNSHIP_TOKEN=7 UNSHIP_VERB=roll_back UNSHIP_VERSION=2.8.0"
    );
    let share = |reference: &str, arm, percent| Share { reference: ReleaseRef::new(reference), arm, percent };
    let shares = vec![share("r2", Arm::Canary, 40), share("r1", Arm::Stable, 60)];
    let said = platform.act(&PlatformAction::ShiftTraffic { shares }, &call()).await.unwrap();
    let expected = r#"r1|60|[{"reference":"r2","arm":"canary","percent":40},{"reference":"r1","arm":"stable","percent":60}]|"#;
    assert!(said.starts_with(expected), "{said}");
    let said = platform.act(&PlatformAction::Maintenance { on: true }, &call()).await.unwrap();
    assert!(said.starts_with("true|") && said.contains("UNSHIP_ON=true"), "{said}");
}

/// A version that no reading names is not made up: nothing is run.
#[tokio::test]
async fn an_unknown_version_stops_before_the_act() {
    let mut bench = Bench::new();
    bench.spec.roll_back = Some(bench.sh("roll_back.sh", "touch DIR/ran", &["{version}"]));
    let error = bench.platform().act(&restore("r9"), &call()).await.unwrap_err();
    assert!(matches!(&error, PlatformError::Permanent(text) if text.contains("`r9`")), "{error}");
    assert!(!bench.path("ran").exists());
}

/// A value that looks like shell, like an option or like a placeholder reaches the program as that text.
#[tokio::test]
async fn values_are_not_interpreted() {
    let mut bench = Bench::new();
    let canary = bench.path("canary");
    std::fs::write(&canary, "alive").unwrap();
    let nasty = format!("$(rm {0}) `rm {0}`; rm {0} #{{token}}\n* \"' \\ {{{{x}}}}", canary.display());
    bench.spec.roll_back = Some(bench.sh("roll_back.sh", r#"printf '%s' "$1" > DIR/got"#, &["<{release}>"]));
    bench.platform().act(&restore(&nasty), &call()).await.unwrap();
    assert_eq!(bench.file("got"), format!("<{nasty}>"));
    assert_eq!(bench.file("canary"), "alive");
}

/// A value that no system call takes is an error before anything happened, not a panic.
#[tokio::test]
async fn a_nul_character_is_refused() {
    let mut bench = Bench::new();
    bench.spec.roll_back = Some(bench.sh("roll_back.sh", "true", &["{release}"]));
    let error = bench.platform().act(&restore("a\0b"), &call()).await.unwrap_err();
    assert!(matches!(error, PlatformError::Permanent(_)), "{error}");
}

/// A program sees its secrets in its environment; what it prints of them does not reach the journal.
#[tokio::test]
async fn secrets_are_seen_and_not_told() {
    let mut bench = Bench::new();
    let reference = bench.secret("DEPLOY_TOKEN", "line one\nhunter2hunter2");
    bench.spec.secret_env.insert("TOKEN".to_owned(), reference);
    bench.spec.env.insert("PLAIN".to_owned(), "plain".to_owned());
    bench.spec.roll_back = Some(bench.sh(
        "roll_back.sh",
        r#"printf '%s' "$TOKEN" > DIR/got; echo "$PLAIN: denied for $TOKEN" >&2; echo "$TOKEN"; exit ${CODE:-1}"#,
        &[],
    ));
    let text = bench.platform().act(&restore("r1"), &call()).await.unwrap_err().to_string();
    assert_eq!(bench.file("got"), "line one\nhunter2hunter2");
    assert!(text.contains("plain: denied for [redacted]") && !text.contains("hunter2"), "{text}");
    bench.spec.env.insert("CODE".to_owned(), "0".to_owned());
    assert_eq!(bench.platform().act(&restore("r1"), &call()).await.unwrap(), "[redacted]");
    assert!(!format!("{:?}", bench.platform().read().await).contains("hunter2"));
}

/// However the platform is shown, the secrets of its programs are not.
#[test]
fn debug_shows_no_secret() {
    let mut bench = Bench::new();
    let reference = bench.secret("DEPLOY_TOKEN", "hunter2hunter2");
    bench.spec.secret_env.insert("TOKEN".to_owned(), reference);
    assert!(!format!("{:?}", bench.platform()).contains("hunter2"));
}

/// An act that takes too long ends with everything it started, and leaves open whether it has happened.
#[tokio::test]
async fn a_time_out_kills_the_whole_group() {
    let mut bench = Bench::new();
    bench.spec.timeout = Span::secs(3);
    bench.spec.roll_back = Some(bench.sh(
        "roll_back.sh",
        "sh -c 'trap \"\" TERM; echo $$ > DIR/child; sleep 600' & sleep 600 & echo $! > DIR/grandchild; echo $$ > DIR/leader; echo here >&2; wait",
        &[],
    ));
    let error = bench.platform().act(&restore("r1"), &call()).await.unwrap_err();
    assert!(
        matches!(&error, PlatformError::Unclear(text) if text.contains("did not end within 3 s")),
        "{error}"
    );
    assert!(error.to_string().contains("here"), "{error}");
    for name in ["leader", "child", "grandchild"] {
        let pid = bench.file(name);
        eventually("the process is gone", || !runs(&pid)).await;
    }
    let leader = bench.file("leader");
    eventually("the leader is no zombie", || !exists(&leader)).await;
}

/// A program gets the chance to put things in order, and cannot refuse to end.
#[tokio::test]
async fn a_time_out_asks_first() {
    let mut bench = Bench::new();
    bench.spec.timeout = Span::secs(2);
    bench.spec.roll_back = Some(bench.sh(
        "roll_back.sh",
        "trap 'echo asked > DIR/asked' TERM; echo $$ > DIR/leader; while :; do sleep 0.1; done",
        &[],
    ));
    let error = bench.platform().act(&restore("r1"), &call()).await.unwrap_err();
    assert!(matches!(error, PlatformError::Unclear(_)), "{error}");
    assert_eq!(bench.file("asked"), "asked\n");
    let leader = bench.file("leader");
    assert!(!exists(&leader));
}

/// A reading that takes too long changed nothing and may be tried again.
#[tokio::test]
async fn a_slow_reading_is_transient() {
    let mut bench = Bench::new();
    bench.spec.timeout = Span::millis(200);
    // It closes its output and stays.
    bench.spec.observe = bench.sh("observe.sh", "exec >&- 2>&-; exec sleep 600", &[]);
    assert!(matches!(bench.platform().read().await, Err(PlatformError::Transient(_))));
}

/// Giving up a call stops what it started, at once.
#[tokio::test]
async fn dropping_a_call_kills_the_whole_group() {
    let mut bench = Bench::new();
    bench.spec.roll_back = Some(bench.sh(
        "roll_back.sh",
        "trap '' TERM; sleep 600 & echo $! > DIR/grandchild; echo $$ > DIR/leader; wait",
        &[],
    ));
    let platform = bench.platform();
    let task = tokio::spawn(async move { platform.act(&restore("r1"), &call()).await });
    eventually("the program runs", || bench.file("leader").ends_with('\n')).await;
    let (leader, grandchild) = (bench.file("leader"), bench.file("grandchild"));
    assert!(runs(&leader) && runs(&grandchild));
    task.abort();
    eventually("both are gone", || !runs(&leader) && !runs(&grandchild)).await;
    eventually("the leader is no zombie", || !exists(&leader)).await;
}

/// A process left in the background with the pipe in its hands does not hold the call up.
#[tokio::test]
async fn a_daemon_does_not_hold_the_call() {
    let mut bench = Bench::new();
    bench.spec.timeout = Span::secs(600);
    bench.spec.roll_back = Some(bench.sh("roll_back.sh", "sleep 600 & echo $! > DIR/daemon; echo done", &[]));
    let act = bench.platform();
    let said = tokio::time::timeout(Duration::from_mins(1), act.act(&restore("r1"), &call())).await;
    let daemon = bench.file("daemon");
    assert!(runs(&daemon), "what a program leaves behind on purpose is not killed");
    std::process::Command::new("kill").arg(daemon.trim()).status().unwrap();
    assert_eq!(said.expect("does not wait for the daemon").unwrap(), "done");
}

/// A program that says far too much neither blocks nor fills the memory, and its last words are still heard.
#[tokio::test]
async fn a_flood_is_bounded() {
    let mut bench = Bench::new();
    std::fs::write(
        bench.path("flood.py"),
        "import sys\nfor out in (sys.stdout, sys.stderr):\n    for _ in range(10240): out.write('x' * 1023 + '\\n')\n    out.write('the end\\n')\nsys.exit(int(sys.argv[1]))\n",
    )
    .unwrap();
    let flood = |code: &str| vec!["python3".to_owned(), bench.text("flood.py"), code.to_owned()];
    let (fine, failed) = (flood("0"), flood("1"));
    bench.spec.roll_back = Some(fine.clone());
    assert_eq!(bench.platform().act(&restore("r1"), &call()).await.unwrap(), "the end");
    bench.spec.roll_back = Some(failed);
    let text = bench.platform().act(&restore("r1"), &call()).await.unwrap_err().to_string();
    assert!(text.ends_with("the end\"") && text.len() < 3_000, "{text}");
    bench.spec.observe = fine;
    let text = bench.platform().read().await.unwrap_err().to_string();
    // 10 MiB and 8 bytes were printed, 256 KiB are kept.
    assert!(text.contains(&format!("{} bytes too many", 10 * 1024 * 1024 + 8 - 256 * 1024)), "{text}");
}

/// Standard input is empty, so that a program that asks a question gets its answer at once: none.
#[tokio::test]
async fn nobody_answers_questions() {
    let mut bench = Bench::new();
    bench.spec.roll_back = Some(bench.sh("roll_back.sh", "read answer; echo \"<$answer>\"; pwd", &[]));
    bench.spec.dir = Some("/".to_owned());
    assert_eq!(bench.platform().act(&restore("r1"), &call()).await.unwrap(), "/");
    bench.spec.roll_back = Some(bench.sh("roll_back.sh", "read answer; echo \"<$answer>\"", &[]));
    assert_eq!(bench.platform().act(&restore("r1"), &call()).await.unwrap(), "<>");
}

/// What can be done and repeated follows from what the config names.
#[test]
fn the_spec_decides_what_can_be_done() {
    let mut bench = Bench::new();
    let platform = bench.platform();
    let can = platform.capabilities();
    assert!(!can.restore && !can.weights && !can.deploy && !can.maintenance);
    let declares = platform.declares(&restore("r1"));
    assert!(declares.observable && !declares.idempotent);
    bench.spec = serde_json::from_value(serde_json::json!({
        "observe": ["true"], "roll_back": ["true"], "set_weight": ["true"],
        "idempotent": ["roll_back"], "unobservable": ["roll_back"],
    }))
    .unwrap();
    let platform = bench.platform();
    let can = platform.capabilities();
    assert!(can.restore && can.weights && !can.deploy && !can.maintenance);
    let declares = platform.declares(&restore("r1"));
    assert!(!declares.observable && declares.idempotent);
}

/// A verb without a program is refused with the key that is missing.
#[tokio::test]
async fn a_missing_program_is_named() {
    let error = Bench::new().platform().act(&restore("r1"), &call()).await.unwrap_err();
    assert!(
        matches!(&error, PlatformError::Permanent(text) if text.contains("`platform.roll_back`")),
        "{error}"
    );
}

/// A mistake in the config is found when it is loaded, and says where it is.
#[test]
fn mistakes_in_the_spec_are_found_early() {
    let wrong = |change: fn(&mut Bench), expected: &str| {
        let mut bench = Bench::new();
        change(&mut bench);
        let error = bench.try_platform().unwrap_err();
        assert!(matches!(&error, PlatformError::Permanent(text) if text.contains(expected)), "{error}");
    };
    wrong(|bench| bench.spec.observe.clear(), "service `checkout`: `observe` is empty");
    wrong(|bench| bench.spec.observe.push("{release}".to_owned()), "`observe` has no value for `{release}`");
    wrong(|bench| bench.spec.deploy = Some(vec!["x".into(), "{wat}".into()]), "unknown placeholder `{wat}`");
    wrong(|bench| bench.spec.timeout = Span::secs(0), "`timeout` is zero");
    wrong(
        |bench| drop(bench.spec.secret_env.insert("TOKEN".into(), SecretRef::Env("NOT_READ".into()))),
        "`secret_env.TOKEN`: the secret `env:NOT_READ` was not read",
    );
    wrong(
        |bench| drop(bench.spec.env.insert("A=B".into(), String::new())),
        "cannot be an environment variable",
    );
}

/// People can read along while a program acts: every line when it is written, from both outputs, without secrets (also not
/// one that is printed over several lines) and without what a terminal would act upon. A reading is not read along.
#[tokio::test]
async fn people_can_read_along() {
    let mut bench = Bench::new();
    for (name, content) in [("TOKEN", "hunter2hunter2"), ("KEY", "first-line-of-it\nsecond-line-of-it")] {
        let reference = bench.secret(name, content);
        bench.spec.secret_env.insert(name.to_owned(), reference);
    }
    let script = r#"
        printf 'with %s\n' "$TOKEN"
        printf '%s\n' "$KEY" >&2
        while [ ! -e DIR/go-on ]; do sleep 0.01; done
        printf '\033[2Jdone'
    "#;
    bench.spec.roll_back = Some(bench.sh("roll_back.sh", script, &[]));
    let heard = Arc::new(std::sync::Mutex::new(Vec::new()));
    let progress = {
        let heard = Arc::clone(&heard);
        Progress::new(move |line: &str| heard.lock().unwrap().push(line.to_owned()))
    };
    let platform = bench.platform();
    platform.read().await.unwrap();
    assert_eq!(*heard.lock().unwrap(), [""; 0]);
    let (to, call) = (restore("r1"), Call { progress, ..call() });
    let acted = platform.act(&to, &call);
    let went_on = async {
        eventually("three lines are heard meanwhile", || heard.lock().unwrap().len() == 3).await;
        std::fs::write(bench.path("go-on"), "").unwrap();
    };
    let (acted, ()) = tokio::join!(acted, went_on);
    acted.unwrap();
    let mut heard = heard.lock().unwrap().clone();
    assert_eq!(heard.pop().as_deref(), Some("\\u{1b}[2Jdone"));
    // The two outputs are two pipes: which is read first is open.
    heard.sort();
    assert_eq!(heard, ["[redacted]", "[redacted]", "with [redacted]"]);
}

/// Instances, a release that is to stop, and the environment, each by a program; what the environment is set to is in no error.
#[tokio::test]
async fn instances_and_variables() {
    let mut bench = Bench::new();
    let inventory = INVENTORY.replacen('{', "{\"instances\": 4, ", 1);
    std::fs::write(bench.path("inventory.json"), inventory).unwrap();
    bench.spec.scale = Some(bench.sh("scale", "echo $1 $UNSHIP_INSTANCES >> DIR/did", &["{instances}"]));
    bench.spec.stop = Some(bench.sh("stop", "echo stop $1 $2 >> DIR/did", &["{release}", "{version}"]));
    bench.spec.variables = Some(bench.sh("variables", "echo '{\"MODE\": \"live\", \"EMPTY\": \"\"}'", &[]));
    let platform = bench.platform();
    let can = platform.capabilities();
    assert!(can.scale && can.stop && can.variables);
    assert_eq!(platform.read().await.unwrap().instances, Some(4));
    platform.act(&PlatformAction::Scale { instances: 6 }, &call()).await.unwrap();
    platform.act(&PlatformAction::Stop { release: "r1".into() }, &call()).await.unwrap();
    assert_eq!(bench.file("did"), "6 6\nstop r1 2.8.0\n");
    let seen = platform.variables().await.unwrap();
    let names: Vec<_> = seen.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["MODE", "EMPTY"]);
    for (printed, says) in [
        (r#"{"MODE": 5, "KEY": "hunter2"}"#, "`MODE`: expected a text"),
        (r#"["hunter2"]"#, "expected an object of texts"),
        ("hunter2", "not JSON"),
    ] {
        bench.spec.variables = Some(bench.sh("variables", &format!("echo '{printed}'"), &[]));
        let error = bench.platform().variables().await.unwrap_err().to_string();
        assert!(error.contains(says) && !error.contains("hunter2"), "{error}");
    }
}
