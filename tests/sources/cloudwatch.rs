//! CloudWatch as moto has it, a server of other people's making: <https://docs.getmoto.org>. It checks signatures and policies
//! where it is told to. What it does not have is tested beside the source itself: percentiles, metric math, partial answers.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use unship::config;
use unship::engine::runtime::World;
use unship::model::operation::Outcome;
use unship::model::release::Arm;
use unship::model::source::{AlarmState, Reading, SampleValue, SourceReport, Subject};
use unship::observe::read_once;

use crate::harness::{
    Fleet, PATIENCE, Process, count, entries, eventually, has, journal_says, outcome, read, text,
};

/// A server; it keeps what it is told in memory.
struct Moto {
    _process: Process,
    _dir: TempDir,
    url: String,
    client: reqwest::Client,
}

impl Moto {
    /// Starts one where moto is installed. It believes every signature, but for the `trusting` number of calls if one is given:
    /// after those it checks.
    async fn start(trusting: Option<u32>) -> Option<Self> {
        let program =
            std::env::var_os("UNSHIP_TEST_MOTO").map_or_else(|| "moto_server".into(), PathBuf::from);
        let is_there =
            Command::new(&program).arg("--help").stdout(Stdio::null()).stderr(Stdio::null()).status();
        if is_there.is_err() {
            let what = "`moto_server` is not installed (pip install 'moto[server]'; or its path in UNSHIP_TEST_MOTO)";
            crate::skip("moto", what);
            return None;
        }
        let dir = TempDir::new().unwrap();
        let log = dir.path().join("moto.txt");
        let mut command = Command::new(&program);
        command.args(["-H", "127.0.0.1", "-p", "0"]).stdin(Stdio::null());
        if let Some(calls) = trusting {
            command.env("INITIAL_NO_AUTH_ACTION_COUNT", calls.to_string());
        }
        let process = Process::speaking(command, &log);
        let listens = || {
            let said = read(&log);
            let line = said.lines().find(|line| line.contains("Running on http"))?;
            Some(line.split("Running on ").nth(1)?.trim().to_owned())
        };
        eventually("moto is ready", || listens().is_some()).await;
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        Some(Self { _process: process, _dir: dir, url: listens().unwrap(), client })
    }

    /// A call as some other program would make it, with a signature that nobody checks.
    async fn asks(&self, operation: &str, body: Value) -> Value {
        put(&self.client, &self.url, operation, body).await
    }

    async fn alarm(&self, name: &str, state: &str) {
        let body = json!({ "AlarmName": name, "StateValue": state, "StateReason": "a test" });
        self.asks("SetAlarmState", body).await;
    }

    async fn make_alarm(&self, name: &str) {
        let body = json!({
            "AlarmName": name, "Namespace": "Shop", "MetricName": "Errors", "Statistic": "Sum", "Period": 60,
            "EvaluationPeriods": 1, "Threshold": 5, "ComparisonOperator": "GreaterThanThreshold",
        });
        self.asks("PutMetricAlarm", body).await;
    }

    /// Data points whose periods have ended, oldest first, the last one two minutes ago.
    async fn points(&self, metric: &str, arm: &str, values: &[Option<f64>]) {
        let last = Timestamp::now().as_second().div_euclid(60) * 60 - 180;
        for (back, value) in (0_i64..).zip(values.iter().rev()) {
            let Some(value) = value else { continue };
            let datum = datum(metric, arm, *value, Some(last - 60 * back));
            self.asks("PutMetricData", json!({ "Namespace": "Shop", "MetricData": [datum] })).await;
        }
    }

    /// A user who may read metrics and nothing else, with their key. Uses up three calls. AWS calls the right
    /// `cloudwatch:GetMetricData`; moto takes its first half from the signature.
    async fn user(&self) -> (String, String) {
        let policy = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"monitoring:GetMetricData","Resource":"*"}]}"#;
        let iam = async |pairs: &[(&str, &str)]| {
            let mut url = reqwest::Url::parse(&self.url).unwrap();
            url.query_pairs_mut().extend_pairs(pairs).append_pair("Version", "2010-05-08");
            let form = url.query().unwrap().to_owned();
            let post = self.client.post(&self.url).body(form);
            let answer = post
                .header("content-type", "application/x-www-form-urlencoded")
                .header("authorization", unchecked("iam"))
                .send()
                .await
                .unwrap();
            let (status, body) = (answer.status(), answer.text().await.unwrap());
            assert!(status.is_success(), "{body}");
            body
        };
        iam(&[("Action", "CreateUser"), ("UserName", "reader")]).await;
        iam(&[
            ("Action", "PutUserPolicy"),
            ("UserName", "reader"),
            ("PolicyName", "read"),
            ("PolicyDocument", policy),
        ])
        .await;
        let key = iam(&[("Action", "CreateAccessKey"), ("UserName", "reader")]).await;
        let of = |tag: &str| {
            let rest = key.split_once(&format!("<{tag}>")).unwrap().1;
            rest.split_once('<').unwrap().0.to_owned()
        };
        (of("AccessKeyId"), of("SecretAccessKey"))
    }
}

fn unchecked(service: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential=a/20260101/eu-central-1/{service}/aws4_request, SignedHeaders=host, Signature=x"
    )
}

async fn put(client: &reqwest::Client, url: &str, operation: &str, body: Value) -> Value {
    let answer = client
        .post(url)
        .header("x-amz-target", format!("GraniteServiceVersion20100801.{operation}"))
        .header("content-type", "application/x-amz-json-1.0")
        .header("authorization", unchecked("monitoring"))
        .body(body.to_string())
        .send()
        .await
        .unwrap();
    let (status, text) = (answer.status(), answer.text().await.unwrap());
    assert!(status.is_success(), "{operation}: {text}");
    serde_json::from_str(&text).unwrap_or_default()
}

fn datum(metric: &str, arm: &str, value: f64, at: Option<i64>) -> Value {
    let dimensions = [("Service", "checkout"), ("Arm", arm)];
    let dimensions = dimensions.map(|(name, value)| json!({ "Name": name, "Value": value }));
    let mut datum = json!({ "MetricName": metric, "Dimensions": dimensions, "Value": value });
    if let Some(at) = at {
        datum["Timestamp"] = at.into();
    }
    datum
}

/// A config of one service that is seen through CloudWatch alone, with its key beside it.
fn environment(url: &str, key: (&str, &str), more: &str) -> TempDir {
    let dir = TempDir::new().unwrap();
    keys(dir.path(), key);
    let config = format!(
        r#"
[environment]
name = "production"
[guardrails]
stale_after = "10m"
[sources.aws]
kind = "cloudwatch"
region = "eu-central-1"
endpoint = "{url}"
keys = {{ access_key_id = "file:id", secret_access_key = "file:secret" }}
alarms = {{ actions = ["arn:aws:sns:eu-central-1:123456789012:on-call"] }}
[services.checkout]
platform = {{ kind = "lab", admin = "http://127.0.0.1:1", service = "checkout" }}
{INDICATORS}
[triggers.errors]
when = {{ kind = "threshold", indicator = "errors", above = "5%", over = "2m", for = "4m" }}
min_samples = 20
action = "immediate"
[triggers.slow]
when = {{ kind = "threshold", indicator = "latency", above = "1s", over = "5m" }}
action = "gradual"
[triggers.alarm]
when = {{ kind = "alarm", source = "aws", alarm = "{{service}}-errors" }}
action = "immediate"
{more}"#
    );
    std::fs::write(dir.path().join("unship.toml"), config).unwrap();
    dir
}

const INDICATORS: &str = r#"
[services.checkout.indicators.errors]
source = "aws"
read = { kind = "ratio", bad = '["Shop", "Errors", "Service", "{service}", "Arm", "{arm}"]', total = '["Shop", "Requests", "Service", "{service}", "Arm", "{arm}"]' }
[services.checkout.indicators.latency]
source = "aws"
read = { kind = "gauge", series = '["Shop", "Latency", "Service", "{service}", "Arm", "{arm}", { "stat": "Maximum" }]', unit = "seconds" }
"#;

fn keys(dir: &std::path::Path, (id, secret): (&str, &str)) {
    use std::os::unix::fs::PermissionsExt;
    for (name, content) in [("id", id), ("secret", secret)] {
        let file = dir.join(name);
        std::fs::write(&file, content).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
}

async fn reads(dir: &TempDir) -> SourceReport {
    let loaded = config::load(&dir.path().join("unship.toml")).unwrap();
    let world = World::build(Arc::new(loaded.config), Arc::clone(&loaded.secrets), false).unwrap();
    read_once(&world.sources[0], &world.secrets).await.unwrap()
}

/// The samples in words, with how long before now their periods ended, in minutes.
fn told(reading: &Reading) -> Vec<String> {
    let now = Timestamp::now();
    let samples = reading.samples.iter().map(|sample| {
        let arm = match &sample.subject {
            Subject::Arm(Arm::Stable) => "stable",
            Subject::Arm(Arm::Canary) => "canary",
            other => panic!("{other:?}"),
        };
        let ago = now.duration_since(sample.at).as_secs() / 60;
        let value = match &sample.value {
            SampleValue::Ratio { bad, total } => format!("{bad}/{total}"),
            SampleValue::Gauge(value) => format!("{value}"),
            other => panic!("{other:?}"),
        };
        format!("{} {arm} {value}, {ago} min ago", sample.indicator)
    });
    samples.collect()
}

/// Every data point is a sample of its arm with the time of its period; what has none is missing and says so.
#[tokio::test(flavor = "multi_thread")]
async fn metrics_arrive_per_arm() {
    let Some(moto) = Moto::start(None).await else { return };
    moto.points("Requests", "stable", &[Some(100.0), Some(80.0)]).await;
    moto.points("Errors", "stable", &[Some(1.0), Some(0.0)]).await;
    moto.points("Requests", "canary", &[Some(20.0), None, Some(10.0)]).await;
    moto.points("Latency", "stable", &[Some(0.25)]).await;
    let dir = environment(&moto.url, ("id-of-a-key", "secret-of-a-key"), "");
    let report = reads(&dir).await;
    let reading = report.result.unwrap();
    assert_eq!(
        told(&reading),
        ["errors stable 1/100, 3 min ago", "errors stable 0/80, 2 min ago", "latency stable 250, 2 min ago"]
    );
    let missing: Vec<String> =
        reading.missing.iter().map(|(_, indicator, reason)| format!("{indicator} {reason}")).collect();
    let bad = "Sum of Shop Errors (Service=checkout, Arm=canary)";
    let slow = "Maximum of Shop Latency (Service=checkout, Arm=canary)";
    assert_eq!(
        missing,
        [
            format!(
                "errors canary: no data point of `{bad}` beside the total; where none means that nothing was bad, say \
                 `absent_is_zero = true`"
            ),
            format!("latency canary: no data point of `{slow}` in 10 m"),
        ]
    );
    assert_eq!(reading.alarms[0].state, Err("there is no alarm `checkout-errors`".to_owned()));
}

/// Who is not known, who signs wrongly and who may not is told apart, and no text holds the secret.
#[tokio::test(flavor = "multi_thread")]
async fn credentials_are_checked() {
    let Some(moto) = Moto::start(Some(3)).await else { return };
    let (id, secret) = moto.user().await;
    let fault = async |key: (&str, &str)| {
        let report = reads(&environment(&moto.url, key, "")).await;
        let reason = report.result.unwrap_err().reason;
        assert!(!reason.contains(key.1), "{reason}");
        reason
    };
    let start = format!("`{}/`: AWS does not accept the credentials: ", moto.url.trim_end_matches('/'));
    let wrong = fault((&id, "not-the-secret-of-this-key")).await;
    assert!(wrong.starts_with(&format!("{start}SignatureDoesNotMatch: ")), "{wrong}");
    let unknown = fault(("AKIAIOSFODNN7EXAMPLE", &secret)).await;
    assert!(unknown.starts_with(&format!("{start}InvalidClientTokenId: ")), "{unknown}");

    // The key may read metrics, which there are none of, and may not read alarms.
    let reading = reads(&environment(&moto.url, (&id, &secret), "")).await.result.unwrap();
    assert_eq!(reading.missing.len(), 4, "{:?}", reading.missing);
    let denied = reading.alarms[0].state.as_ref().unwrap_err();
    assert!(
        denied.starts_with("DescribeAlarms is not allowed with these credentials: AccessDenied: "),
        "{denied}"
    );
    assert!(denied.contains("monitoring:DescribeAlarms"), "{denied}");

    // Nobody is there.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let gone = reads(&environment(&format!("http://{free}"), (&id, &secret), "")).await;
    assert_eq!(gone.result.unwrap_err().reason, format!("`http://{free}/`: connection refused"));
}

/// The states of alarms arrive as they are, with the time at which they were entered.
#[tokio::test(flavor = "multi_thread")]
async fn alarms_are_read() {
    let Some(moto) = Moto::start(None).await else { return };
    moto.make_alarm("checkout-errors").await;
    let begun = Timestamp::now();
    for (word, state) in [
        ("ALARM", AlarmState::Alarm),
        ("INSUFFICIENT_DATA", AlarmState::InsufficientData),
        ("OK", AlarmState::Ok),
    ] {
        moto.alarm("checkout-errors", word).await;
        let reading =
            reads(&environment(&moto.url, ("id-of-a-key", "secret-of-a-key"), "")).await.result.unwrap();
        assert_eq!(reading.alarms.len(), 1);
        assert_eq!(
            (reading.alarms[0].name.as_str(), &reading.alarms[0].state),
            ("checkout-errors", &Ok(state))
        );
        assert!(reading.alarms[0].since.unwrap() >= begun.checked_sub(Duration::from_secs(1)).unwrap());
    }
}

/// Writes what both arms do, ten times a second, until it is dropped.
struct Traffic {
    /// Of twenty requests of the canary.
    bad: Arc<AtomicU32>,
    task: JoinHandle<()>,
}

impl Traffic {
    fn start(moto: &Moto) -> Self {
        let (client, url) = (moto.client.clone(), moto.url.clone());
        let bad = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&bad);
        let task = tokio::spawn(async move {
            let mut due = tokio::time::interval(Duration::from_millis(100));
            loop {
                due.tick().await;
                let bad = f64::from(counted.load(Ordering::Relaxed));
                let data = [
                    datum("Requests", "stable", 20.0, None),
                    datum("Errors", "stable", 0.0, None),
                    datum("Requests", "canary", 20.0, None),
                    datum("Errors", "canary", bad, None),
                ];
                put(&client, &url, "PutMetricData", json!({ "Namespace": "Shop", "MetricData": data })).await;
            }
        });
        Self { bad, task }
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The lab's config with CloudWatch beside its own source.
fn reconfigure(fleet: &Fleet, moto: &Moto, errors: &str, more: &str) {
    keys(fleet.path(), ("id-of-a-key", "secret-of-a-key"));
    fleet.reconfigure(|config| {
        let lines = config.lines().map(|line| if line.starts_with("errors = ") { errors } else { line });
        let config: Vec<&str> = lines.collect();
        let config = config.join("\n").replace("over = \"1s\", for = \"500ms\"", "over = \"2s\"");
        format!(
            "{config}\n[sources.aws]\nkind = \"cloudwatch\"\nregion = \"eu-central-1\"\nendpoint = \"{}\"\n\
             keys = {{ access_key_id = \"file:id\", secret_access_key = \"file:secret\" }}\n\
             interval = \"500ms\"\nperiod = \"1s\"\ndelay = \"0s\"\nstale_after = \"20s\"\ntimeout = \"5s\"\n{more}",
            moto.url
        )
    });
}

async fn verdict(fleet: &Fleet, what: &str, says: impl Fn(&str, &str) -> bool) {
    let begun = std::time::Instant::now();
    loop {
        let output = fleet.run(&["status", "--json"]).await;
        // Whoever comes first may meet a journal that the guard is just making.
        let status: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let verdict = &status["services"][0]["verdict"];
        if says(verdict["verdict"].as_str().unwrap_or_default(), &verdict["reasons"].to_string()) {
            return;
        }
        assert!(
            begun.elapsed() < PATIENCE,
            "waited in vain until {what}: {status:#}{}",
            text(&output.stderr)
        );
    }
}

/// A canary that CloudWatch alone shows to be bad is taken back, and stable, which is well, is left.
#[tokio::test(flavor = "multi_thread")]
async fn a_guard_on_metrics() {
    let Some(moto) = Moto::start(None).await else { return };
    let fleet = Fleet::start().await;
    let errors = r#"errors = { source = "aws", read = { kind = "ratio", bad = '["Shop", "Errors", "Service", "{service}", "Arm", "{arm}"]', total = '["Shop", "Requests", "Service", "{service}", "Arm", "{arm}"]' } }"#;
    reconfigure(&fleet, &moto, errors, "");
    let traffic = Traffic::start(&moto);
    let _guard = Process::speaking(fleet.unship(&["guard"]), &fleet.path().join("guard.txt"));
    verdict(&fleet, "all is healthy", |word, _| word == "healthy").await;
    let journal = fleet.journal().await;
    journal_says(journal.as_ref(), "a good release", |entries| has(entries, "release_marked")).await;

    traffic.bad.store(8, Ordering::Relaxed);
    let said =
        journal_says(journal.as_ref(), "the canary is taken back", |entries| outcome(entries).is_some())
            .await;
    assert_eq!(outcome(&said), Some(Outcome::Verified), "{}", read(&fleet.path().join("guard.txt")));
    assert_eq!((fleet.percent("2.9.0"), fleet.percent("2.8.0")), (0, 100));
}

/// An alarm with too few data says nothing, one in OK says that all is well, and one in ALARM takes the release back, once:
/// that it is still in ALARM afterwards does not speak of what serves then.
#[tokio::test(flavor = "multi_thread")]
async fn a_guard_on_an_alarm() {
    let Some(moto) = Moto::start(None).await else { return };
    let fleet = Fleet::start().await;
    let of_the_lab = std::fs::read_to_string(fleet.config()).unwrap();
    let errors = of_the_lab.lines().find(|line| line.starts_with("errors = ")).unwrap().to_owned();
    let trigger = "[triggers.alarm]\nwhen = { kind = \"alarm\", source = \"aws\", alarm = \"{service}-errors\" }\n\
                   arm = \"canary\"\naction = \"immediate\"\nseverity = \"critical\"\n";
    reconfigure(&fleet, &moto, &errors, trigger);
    moto.make_alarm("checkout-errors").await;
    moto.alarm("checkout-errors", "INSUFFICIENT_DATA").await;
    let _guard = Process::speaking(fleet.unship(&["guard"]), &fleet.path().join("guard.txt"));
    verdict(&fleet, "nothing is known", |word, reasons| {
        word == "unknown"
            && reasons.contains("the alarm checkout-errors has too few data (INSUFFICIENT_DATA)")
    })
    .await;
    moto.alarm("checkout-errors", "OK").await;
    verdict(&fleet, "all is healthy", |word, _| word == "healthy").await;
    let journal = fleet.journal().await;
    journal_says(journal.as_ref(), "a good release", |entries| has(entries, "release_marked")).await;

    moto.alarm("checkout-errors", "ALARM").await;
    let said =
        journal_says(journal.as_ref(), "the canary is taken back", |entries| outcome(entries).is_some())
            .await;
    assert_eq!(outcome(&said), Some(Outcome::Verified), "{}", read(&fleet.path().join("guard.txt")));
    assert_eq!((fleet.percent("2.9.0"), fleet.percent("2.8.0")), (0, 100));
    assert_eq!(count(&entries(journal.as_ref()).await, "operation_planned"), 1);
}

/// The alarms of the triggers are shown, made, found unchanged the second time, and mended when somebody has changed one.
#[tokio::test(flavor = "multi_thread")]
async fn alarms_are_applied() {
    let Some(moto) = Moto::start(None).await else { return };
    let everywhere = "[triggers.everywhere]\nwhen = { kind = \"threshold\", indicator = \"latency\", above = \"2s\", over = \"5m\" }\n\
                      action = \"watch\"\nscope = \"environment\"\n";
    let dir = environment(&moto.url, ("id-of-a-key", "secret-of-a-key"), everywhere);
    let apply = async |args: &[&str]| {
        let args: Vec<&str> = ["alarms", "apply"].iter().chain(args).copied().collect();
        let output = crate::harness::run(crate::harness::unship(dir.path(), &args)).await;
        let (out, said) = (text(&output.stdout), text(&output.stderr));
        (output.status.code(), serde_json::from_str::<Value>(&out).unwrap_or_default(), said)
    };
    let changes = |answer: &Value| -> Vec<String> {
        let alarms = answer["alarms"].as_array().unwrap().iter();
        alarms.map(|alarm| format!("{} {}", alarm["change"], alarm["name"]).replace('"', "")).collect()
    };
    let all = |change: &str| {
        ["errors-stable", "errors-canary", "slow-stable", "slow-canary"]
            .map(|end| format!("{change} unship-production-checkout-{end}"))
            .to_vec()
    };

    let (code, answer, _) = apply(&["--dry-run", "--json"]).await;
    assert_eq!((code, changes(&answer)), (Some(0), all("create")));
    assert_eq!(answer["left_out"][0]["trigger"], "everywhere");
    let (code, _, said) = apply(&[]).await;
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("there is no terminal to ask on: add --yes"), "{said}");
    let there = moto.asks("DescribeAlarms", json!({})).await;
    assert_eq!(there["MetricAlarms"], json!([]), "something was made without a yes");

    let (code, answer, said) = apply(&["--yes", "--json"]).await;
    assert_eq!((code, changes(&answer)), (Some(0), all("create")), "{said}");
    assert!(answer["alarms"].as_array().unwrap().iter().all(|alarm| alarm["made"] == true), "{answer:#}");
    let there = moto
        .asks("DescribeAlarms", json!({ "AlarmNames": ["unship-production-checkout-errors-canary"] }))
        .await;
    let alarm = &there["MetricAlarms"][0];
    assert_eq!(alarm["Metrics"][2]["Expression"], "IF(total >= 20, bad / total)");
    assert_eq!(alarm["Metrics"][0]["MetricStat"]["Period"], 120);
    assert_eq!((&alarm["Threshold"], &alarm["EvaluationPeriods"]), (&json!(0.05), &json!(3)));
    assert_eq!(alarm["AlarmActions"], json!(["arn:aws:sns:eu-central-1:123456789012:on-call"]));

    let (code, answer, said) = apply(&["--yes", "--json"]).await;
    assert_eq!((code, changes(&answer)), (Some(0), all("unchanged")), "{said}");

    let changed = json!({
        "AlarmName": "unship-production-checkout-slow-stable", "Namespace": "Shop", "MetricName": "Latency",
        "Statistic": "Maximum", "Period": 300, "EvaluationPeriods": 1, "Threshold": 9,
        "ComparisonOperator": "GreaterThanThreshold",
    });
    moto.asks("PutMetricAlarm", changed).await;
    let (code, _, said) = apply(&["--yes"]).await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("update     unship-production-checkout-slow-stable\n"), "{said}");
    assert!(said.contains("`Threshold`: 9.0 → 1.0\n"), "{said}");
    let (_, answer, _) = apply(&["--dry-run", "--json"]).await;
    assert_eq!(changes(&answer), all("unchanged"));

    let gone = environment("http://127.0.0.1:9", ("id-of-a-key", "secret-of-a-key"), "");
    let output =
        crate::harness::run(crate::harness::unship(gone.path(), &["alarms", "apply", "--yes"])).await;
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
}
