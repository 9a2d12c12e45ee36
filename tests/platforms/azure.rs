//! App Service, played by a server with an app's state: what each slot holds, what is going on, and what was called.

use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::{Json, Router};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};
use unship::model::platform::{CheckOutcome, LogQuery, PlatformAction, PlatformSpec, VariableValue};
use unship::model::secret::{Secret, Secrets};
use unship::platform::{Platform, PlatformError};

use super::prism::{Judge, without_nulls};
use super::{act, act_on, again, restore, split, traffic};

const SITE: &str = "/subscriptions/sub/resourceGroups/rg/providers/Microsoft.Web/sites/shop";
const PLAN: &str = "/subscriptions/sub/resourceGroups/plans/providers/Microsoft.Web/serverfarms/shared";
const SECRET: &str = "client-secret-that-nobody-sees";
const TOKEN: &str = "eyJ-a-token-that-nobody-sees";

/// How the next swap goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Fault {
    #[default]
    None,
    /// It is begun, and nobody ever hears of it.
    Hangs,
    /// It is begun, and the answer is a proxy's.
    LostAnswer,
    /// Another operation runs.
    Conflict,
    Forbidden,
    /// It is taken, and fails later.
    FailsLater,
    /// The first phase fails.
    NoPreview,
}

#[derive(Default)]
struct App {
    production: String,
    staging: String,
    /// Looks until the swap that goes on is over.
    swapping: u32,
    swaps: u32,
    fails: bool,
    previewed: bool,
    rules: Value,
    fault: Fault,
    calls: Vec<String>,
    tokens: u32,
    /// Says nothing with `null`.
    is_judged: bool,
    plan: Value,
    autoscale: Value,
}

impl App {
    /// What goes on goes on while somebody looks.
    fn looked(&mut self) {
        if self.swapping > 0 {
            self.swapping -= 1;
            if self.swapping == 0 && !self.fails {
                std::mem::swap(&mut self.production, &mut self.staging);
                self.swaps += 1;
                self.previewed = false;
            }
        }
    }
}

type Shared = Arc<Mutex<App>>;

struct Fake {
    url: String,
    app: Shared,
}

fn refused(status: u16, code: &str, message: &str) -> Response {
    let body = json!({ "error": { "code": code, "message": message } });
    (StatusCode::from_u16(status).unwrap(), Json(body)).into_response()
}

impl Fake {
    /// 2.8.1 is in production, and 2.8.0 is what was swapped out.
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let app = App {
            production: "2.8.1".to_owned(),
            staging: "2.8.0".to_owned(),
            swaps: 1,
            rules: json!([]),
            plan: json!({
                "id": PLAN, "name": "shared", "kind": "linux", "location": "West Europe", "tags": { "team": "shop" },
                "sku": { "name": "P1v3", "tier": "PremiumV3", "size": "P1v3", "family": "Pv3", "capacity": 2 },
                "properties": {
                    "reserved": true, "perSiteScaling": false, "elasticScaleEnabled": false, "numberOfSites": 2,
                    "maximumNumberOfWorkers": 30, "provisioningState": "Succeeded",
                },
            }),
            autoscale: json!({ "value": [{ "name": "of-another", "properties": {
                "enabled": true, "targetResourceUri": format!("{PLAN}-of-another"),
            } }] }),
            ..App::default()
        };
        let app = Shared::new(Mutex::new(app));
        let router = Router::new().fallback(Self::answer).with_state((Arc::clone(&app), url.clone()));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, app }
    }

    async fn answer(State((app, url)): State<(Shared, String)>, request: Request) -> Response {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let query = request.uri().query().unwrap_or_default().to_owned();
        let bearer = request.headers().get("authorization").map(|value| value.to_str().unwrap().to_owned());
        let body = axum::body::to_bytes(request.into_body(), 1 << 20).await.unwrap();
        if path == "/tenant/oauth2/v2.0/token" {
            let form = String::from_utf8(body.to_vec()).unwrap();
            if !form.contains(SECRET) {
                return refused(401, "invalid_client", "AADSTS7000215: Invalid client secret");
            }
            assert!(form.contains("scope=") && form.contains("%2F.default"), "{form}");
            app.lock().unwrap().tokens += 1;
            return Json(json!({ "token_type": "Bearer", "expires_in": 3599, "access_token": TOKEN }))
                .into_response();
        }
        if path == "/healthy" {
            let good = app.lock().unwrap().production == "2.8.0";
            return if good { StatusCode::OK } else { StatusCode::INTERNAL_SERVER_ERROR }.into_response();
        }
        if path == "/version" {
            assert!(query.contains("x-ms-routing-name=self"), "a rule would answer for production: {query}");
            return app.lock().unwrap().production.clone().into_response();
        }
        if path == "/staging/version" {
            return app.lock().unwrap().staging.clone().into_response();
        }
        if bearer.as_deref() != Some(&format!("Bearer {TOKEN}")) {
            return refused(401, "ExpiredAuthenticationToken", "The access token has expired.");
        }
        if path == "/api/logstream" {
            return "2026-11-20T10:00:00Z first line\nno time here\n".into_response();
        }
        assert!(query.contains("api-version=20"), "{path} without a version");
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        if let Some(of_plan) = path.strip_prefix("/subscriptions/sub/resourceGroups/plans") {
            return Self::plan_speaks(&mut app.lock().unwrap(), &method, of_plan, body);
        }
        let Some(rest) = path.strip_prefix(SITE) else { return refused(404, "ResourceNotFound", &path) };
        let hangs = {
            let mut app = app.lock().unwrap();
            if method != Method::GET {
                app.calls.push(format!("{method} {rest} {body}"));
            }
            let hangs = app.fault == Fault::Hangs && rest.ends_with("/slotsswap");
            let answer = Self::speaks(&mut app, &url, &method, rest, &body);
            if !hangs {
                return answer;
            }
            hangs
        };
        assert!(hangs);
        sleep(Duration::from_hours(1)).await;
        StatusCode::OK.into_response()
    }

    fn speaks(app: &mut App, url: &str, method: &Method, rest: &str, body: &Value) -> Response {
        let site = |app: &App, slot: bool| {
            let progress =
                if app.swapping > 0 { json!("0b8a5a8e-0d2f-4f0f-9a52-1f7d6c3f0001") } else { Value::Null };
            let pending = if slot && app.previewed { json!("production") } else { Value::Null };
            json!({ "properties": {
                "state": "Running", "serverFarmId": PLAN, "defaultHostName": if slot { "shop-staging.example" } else { "shop.example" },
                "inProgressOperationId": progress, "targetSwapSlot": pending, "siteConfig": null,
                "slotSwapStatus": { "timestampUtc": format!("2026-11-20T10:{:02}:00Z", app.swaps),
                    "sourceSlotName": "staging", "destinationSlotName": "production" },
            } })
        };
        let deployments = |holds: &str| {
            let one = |name: &str, active: bool| {
                json!({ "name": name, "properties": { "active": active, "status": 4, "author": "kim",
                    "end_time": "2026-11-20T10:00:00Z" } })
            };
            json!({ "value": [one("an-older-one", false), one(&format!("build-{holds}"), true)], "nextLink": null })
        };
        let is_judged = app.is_judged;
        let json = |value: Value| Json(if is_judged { without_nulls(value) } else { value }).into_response();
        match (method.as_str(), rest) {
            ("GET", "") => {
                app.looked();
                json(site(app, false))
            }
            ("GET", "/slots/staging") => json(site(app, true)),
            ("GET", "/config/web") => {
                json(json!({ "properties": { "experiments": { "rampUpRules": app.rules } } }))
            }
            ("PATCH", "/config/web") => {
                app.rules = body["properties"]["experiments"]["rampUpRules"].clone();
                json(json!({ "properties": { "experiments": { "rampUpRules": app.rules } } }))
            }
            ("GET", "/deployments") => json(deployments(&app.production)),
            ("GET", "/slots/staging/deployments") => json(deployments(&app.staging)),
            ("GET", "/providers/Microsoft.Authorization/permissions") => json(
                json!({ "value": [{ "actions": ["*/read", "Microsoft.Web/sites/config/*"], "notActions": [] }] }),
            ),
            ("POST", "/config/appsettings/list") => json(json!({ "properties": {
                "LOG_LEVEL": "info", "DB": "@Microsoft.KeyVault(VaultName=shop;SecretName=db)",
            } })),
            ("GET", "/operations/1") => {
                app.looked();
                match (app.swapping, app.fails) {
                    (0, true) => refused(409, "SwapFailed", "The worker did not answer the warm-up"),
                    (0, false) => StatusCode::OK.into_response(),
                    _ => (StatusCode::ACCEPTED, [("retry-after", "0")]).into_response(),
                }
            }
            ("POST", "/slots/staging/applySlotConfig") if app.fault == Fault::NoPreview => {
                app.fault = Fault::None;
                refused(400, "BadRequest", "The slot could not be started with these settings")
            }
            ("POST", "/slots/staging/applySlotConfig") => {
                app.previewed = true;
                StatusCode::OK.into_response()
            }
            ("POST", "/slots/staging/resetSlotConfig") => {
                app.previewed = false;
                StatusCode::OK.into_response()
            }
            ("POST", "/slots/staging/slotsswap") => {
                assert_eq!(body, &json!({ "targetSlot": "production", "preserveVnet": true }));
                let fault = std::mem::take(&mut app.fault);
                match fault {
                    Fault::Conflict => {
                        return refused(
                            409,
                            "Conflict",
                            "Cannot modify this site because another operation is in progress.",
                        );
                    }
                    Fault::Forbidden => {
                        return refused(
                            403,
                            "AuthorizationFailed",
                            "The client does not have authorization to perform action 'Microsoft.Web/sites/slots/slotsswap/action'",
                        );
                    }
                    _ => {}
                }
                app.swapping = 3;
                app.fails = fault == Fault::FailsLater;
                if fault == Fault::LostAnswer {
                    return (StatusCode::BAD_GATEWAY, "<html>bad gateway</html>").into_response();
                }
                let place = format!("{url}{SITE}/operations/1?api-version=2025-05-01");
                (StatusCode::ACCEPTED, [("location", place), ("retry-after", "0".to_owned())]).into_response()
            }
            _ => refused(404, "NotFound", &format!("{method} {rest}")),
        }
    }

    /// The plan, with two apps on it.
    fn plan_speaks(app: &mut App, method: &Method, rest: &str, body: Value) -> Response {
        match (method.as_str(), rest) {
            ("GET", "/providers/Microsoft.Web/serverfarms/shared") if app.plan.is_null() => {
                refused(403, "AuthorizationFailed", "The client may not read the plan")
            }
            ("GET", "/providers/Microsoft.Web/serverfarms/shared") => Json(app.plan.clone()).into_response(),
            ("PUT", "/providers/Microsoft.Web/serverfarms/shared") => {
                app.calls.push(format!("PUT plan {}", body["sku"]));
                app.plan = body;
                StatusCode::ACCEPTED.into_response()
            }
            ("GET", "/providers/Microsoft.Insights/autoscalesettings") => {
                Json(app.autoscale.clone()).into_response()
            }
            (
                "GET",
                "/providers/Microsoft.Web/serverfarms/shared/providers/Microsoft.Authorization/permissions",
            ) => Json(json!({ "value": [{ "actions": ["*/read"], "notActions": [] }] })).into_response(),
            _ => refused(404, "NotFound", &format!("{method} {rest}")),
        }
    }

    fn platform(&self) -> Arc<dyn Platform> {
        self.with(SECRET, &json!({}))
    }

    fn with(&self, secret: &str, more: &Value) -> Arc<dyn Platform> {
        let mut spec = json!({
            "kind": "azure-app-service", "subscription": "sub", "resource_group": "rg", "app": "shop",
            "serving": { "url": format!("{}/version", self.url) },
            "slot_serving": { "url": format!("{}/staging/version", self.url) },
            "tenant": "tenant", "client_id": "client", "client_secret": "env:AZURE",
            "base_url": self.url, "login_url": self.url, "scm_url": self.url,
        });
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        spec.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        let spec: PlatformSpec = serde_json::from_value(spec).unwrap();
        let mut secrets = Secrets::default();
        secrets.insert("env:AZURE".parse().unwrap(), Secret::new(secret));
        unship::platform::build(&"shop".into(), &spec, &Arc::new(secrets)).unwrap()
    }

    fn will(&self, fault: Fault) {
        self.app.lock().unwrap().fault = fault;
    }

    /// The changing calls since the last question, without the bodies of swaps.
    fn calls(&self) -> Vec<String> {
        let calls = std::mem::take(&mut self.app.lock().unwrap().calls);
        let short = |call: String| match call.split_once(' ').unwrap() {
            ("POST", rest) => rest.split(' ').next().unwrap().rsplit('/').next().unwrap().to_owned(),
            _ => call,
        };
        calls.into_iter().map(short).collect()
    }
}

/// A rollback clears what would send a share to the wrong build, swaps once, and is over when Azure says so; asked for again
/// it does nothing, where a second swap would bring the bad release back.
#[tokio::test]
async fn one_swap() {
    let fake = Fake::start().await;
    let platform = fake.platform();
    act(&platform, &split("2.8.1", "2.8.0", 10)).await.unwrap();
    let seen = platform.read().await.unwrap();
    assert_eq!(traffic(&seen), "2.8.1 stable 90, 2.8.0 canary 10");
    let rule = "PATCH /config/web {\"properties\":{\"experiments\":{\"rampUpRules\":[{\"name\":\"staging\",\"actionHostName\":\"shop-staging.example\",\"reroutePercentage\":10}]}}}";
    assert_eq!(fake.calls(), [rule]);
    let back = restore("2.8.0");
    act(&platform, &back).await.unwrap();
    let seen = platform.read().await.unwrap();
    assert!(back.holds_in(&seen), "{seen:?}");
    assert_eq!(fake.calls().len(), 2, "the rules, then the swap");
    act(&platform, &back).await.unwrap();
    assert_eq!((fake.calls(), fake.app.lock().unwrap().swaps), (vec![], 2));
    assert!(!platform.declares(&back).idempotent);
    assert_eq!(fake.app.lock().unwrap().tokens, 1, "a token is kept");
}

/// Whoever comes again after a lost answer sees what goes on, waits for it, and swaps nothing.
#[tokio::test]
async fn lost_in_the_middle() {
    let fake = Fake::start().await;
    fake.will(Fault::LostAnswer);
    let back = restore("2.8.0");
    let error = act(&fake.platform(), &back).await.unwrap_err();
    assert!(matches!(error, PlatformError::Unclear(_)), "{error}");
    let another = fake.platform();
    again(&another, &back).await.unwrap();
    assert!(back.holds_in(&another.read().await.unwrap()));
    assert_eq!((fake.calls(), fake.app.lock().unwrap().swaps), (vec!["slotsswap".to_owned()], 2));
}

/// In two phases; a first one that fails is taken back; one that is pending is gone on with.
#[tokio::test]
async fn with_a_preview() {
    let fake = Fake::start().await;
    let platform = fake.with(SECRET, &json!({ "preview": true }));
    fake.will(Fault::NoPreview);
    let error = act(&platform, &restore("2.8.0")).await.unwrap_err();
    assert!(
        matches!(&error, PlatformError::Permanent(why) if why.contains("could not be started")),
        "{error}"
    );
    assert_eq!(fake.calls(), ["applySlotConfig", "resetSlotConfig"]);
    act(&platform, &restore("2.8.0")).await.unwrap();
    assert_eq!(fake.calls(), ["applySlotConfig", "slotsswap"]);
    assert_eq!(traffic(&platform.read().await.unwrap()), "2.8.0 stable 100");
    fake.app.lock().unwrap().previewed = true;
    assert!(!platform.read().await.unwrap().settled);
    again(&platform, &restore("2.8.1")).await.unwrap();
    assert_eq!(fake.calls(), ["slotsswap"]);
    assert_eq!(traffic(&platform.read().await.unwrap()), "2.8.1 stable 100");
}

/// What is refused says why; what fails later is told when it has; no error shows a secret.
#[tokio::test]
async fn refusals() {
    let fake = Fake::start().await;
    let platform = fake.platform();
    let back = restore("2.8.0");
    fake.will(Fault::Conflict);
    let error = act(&platform, &back).await.unwrap_err();
    assert!(matches!(&error, PlatformError::Transient(why) if why.contains("another operation")), "{error}");
    fake.will(Fault::Forbidden);
    let error = act(&platform, &back).await.unwrap_err();
    assert!(matches!(&error, PlatformError::Permanent(why) if why.contains("slotsswap/action")), "{error}");
    fake.will(Fault::FailsLater);
    let error = act(&platform, &back).await.unwrap_err();
    assert!(
        matches!(&error, PlatformError::Permanent(why) if why.contains("did not answer the warm-up")),
        "{error}"
    );
    let error = act(&platform, &restore("2.7.0")).await.unwrap_err();
    assert!(
        matches!(&error, PlatformError::Permanent(why) if why.contains("neither production (2.8.1) nor")),
        "{error}"
    );
    let error = fake.with("an-old-secret", &json!({})).read().await.unwrap_err();
    assert!(
        matches!(&error, PlatformError::Permanent(why) if why.contains("the client with its secret")),
        "{error}"
    );
    assert!(!error.to_string().contains("an-old-secret"), "{error}");
    assert_eq!(fake.app.lock().unwrap().production, "2.8.1");
}

/// What somebody else has swapped since it was read is not swapped back.
#[tokio::test]
async fn swapped_by_somebody_else() {
    let fake = Fake::start().await;
    let platform = fake.platform();
    let revision = platform.read().await.unwrap().revision;
    fake.app.lock().unwrap().swaps += 2;
    let error = act_on(&platform, &restore("2.8.0"), revision).await.unwrap_err();
    assert!(
        matches!(&error, PlatformError::Transient(why) if why.contains("were changed meanwhile")),
        "{error}"
    );
    assert_eq!(fake.calls(), [""; 0]);
}

/// Without addresses the active deployments say what the slots hold; a check says what is missing.
#[tokio::test]
async fn what_is_known_and_checked() {
    let fake = Fake::start().await;
    let platform = fake.with(SECRET, &json!({ "serving": null, "slot_serving": null }));
    let seen = platform.read().await.unwrap();
    let references: Vec<_> = seen.releases.iter().map(|release| release.reference.as_str()).collect();
    assert_eq!(references, ["build-2.8.1", "build-2.8.0"]);
    act(&platform, &restore("build-2.8.0")).await.unwrap();
    assert!(restore("build-2.8.0").holds_in(&platform.read().await.unwrap()));
    let said = serde_json::to_string(&platform.check().await).unwrap();
    for part in [
        "releases: 2",
        "no auto swap",
        "no role allows Microsoft.Web/sites/slots/slotsswap/Action",
        "\"passed\"",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let (out, mut lines) = mpsc::channel(16);
    let query = LogQuery { tail: 10, since: None, follow: true, release: None };
    let following = tokio::spawn(async move { platform.logs(&query, &out).await });
    let (first, second) = (lines.recv().await.unwrap(), lines.recv().await.unwrap());
    assert_eq!((first.at.is_some(), first.text.as_str()), (true, "first line"));
    assert_eq!((second.at, second.text.as_str()), (None, "no time here"));
    drop(lines);
    following.await.unwrap().unwrap();
}

/// The program is killed between the request and its answer, and started again: one swap has happened.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_between_request_and_answer() {
    let fake = Fake::start().await;
    let dir = TempDir::new().unwrap();
    let config = format!(
        r#"
[environment]
name = "production"

[store]
lease = "1s"

[guardrails]
stale_after = "5s"

[rollback]
verify_hold = "300ms"
verify_deadline = "30s"
read_every = "200ms"

[triggers.down]
when = {{ kind = "consecutive", failures = 3, within = "5s" }}
action = "watch"

[services.shop.probes.health]
url = "{url}/healthy"
interval = "100ms"

[services.shop.platform]
kind = "azure-app-service"
subscription = "sub"
resource_group = "rg"
app = "shop"
serving = {{ url = "{url}/version" }}
slot_serving = {{ url = "{url}/staging/version" }}
tenant = "tenant"
client_id = "client"
client_secret = "env:AZURE"
base_url = "{url}"
login_url = "{url}"
"#,
        url = fake.url
    );
    std::fs::write(dir.path().join("unship.toml"), config).unwrap();
    let unship = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_unship"));
        command.args(args).current_dir(dir.path()).env("AZURE", SECRET).env("HOME", dir.path());
        command
            .env("XDG_STATE_HOME", dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    };
    let roll_back = [
        "rollback",
        "shop",
        "--to",
        "2.8.0",
        "--reason",
        "it is broken",
        "--yes",
        "--override",
        "target=it served before",
    ];
    fake.will(Fault::Hangs);
    let mut child = unship(&roll_back).spawn().unwrap();
    let until = Instant::now() + Duration::from_mins(1);
    while fake.app.lock().unwrap().swapping == 0 {
        if child.try_wait().unwrap().is_some() || Instant::now() > until {
            let output = child.wait_with_output().unwrap();
            panic!("no swap was sent: {}", String::from_utf8_lossy(&[output.stdout, output.stderr].concat()));
        }
        sleep(Duration::from_millis(20)).await;
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let mut guard = unship(&["guard"]).spawn().unwrap();
    let until = Instant::now() + Duration::from_mins(1);
    loop {
        let output = tokio::task::spawn_blocking({
            let mut command = unship(&["history", "--json"]);
            move || command.output().unwrap()
        });
        let text = String::from_utf8(output.await.unwrap().stdout).unwrap();
        if fake.app.lock().unwrap().swaps == 2 && text.contains("2.8.0") {
            break;
        }
        if Instant::now() > until {
            guard.kill().unwrap();
            let output = guard.wait_with_output().unwrap();
            panic!("{text}\n{}", String::from_utf8_lossy(&[output.stdout, output.stderr].concat()));
        }
        sleep(Duration::from_millis(200)).await;
    }
    let _ = guard.kill();
    let _ = guard.wait();
    let calls = fake.calls();
    assert_eq!(calls.iter().filter(|call| *call == "slotsswap").count(), 1, "{calls:?}");
    let app = fake.app.lock().unwrap();
    assert_eq!((app.production.as_str(), app.swaps), ("2.8.0", 2));
}

/// Reads until it holds.
async fn until(platform: &Arc<dyn Platform>, action: &PlatformAction) {
    let until = Instant::now() + Duration::from_secs(20);
    while !action.holds_in(&platform.read().await.unwrap()) {
        assert!(Instant::now() < until, "{} never shows", action.verb());
        sleep(Duration::from_millis(50)).await;
    }
}

/// A share, a swap and a preview, with Azure's own description between the two: nothing that is asked or answered breaks it.
#[tokio::test]
async fn held_to_the_description() {
    let fake = Fake::start().await;
    let Some(judge) = Judge::before(&fake.url, "azure/webapps.json").await else { return };
    fake.app.lock().unwrap().is_judged = true;
    let judged = |more: Value| {
        let mut spec = json!({ "base_url": judge.url });
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        fake.with(SECRET, &spec)
    };
    let platform = judged(json!({}));
    act(&platform, &split("2.8.1", "2.8.0", 10)).await.unwrap();
    act(&platform, &restore("2.8.0")).await.unwrap();
    until(&platform, &restore("2.8.0")).await;
    // By the deployments that the slots hold, and in two phases.
    let platform = judged(json!({ "preview": true, "serving": null, "slot_serving": null }));
    let seen = platform.read().await.unwrap();
    let other = seen.releases.iter().find(|release| seen.percent(&release.reference) == 0).unwrap();
    let back = restore(other.reference.as_str());
    act(&platform, &back).await.unwrap();
    until(&platform, &back).await;
    judge.is_content();
}

/// The plan gets another number and keeps all else; asked for again, nothing is sent; where it scales by itself, or cannot have so
/// many, nothing is; and without the word of the config nobody touches it.
#[tokio::test]
async fn the_plan_is_scaled() {
    let fake = Fake::start().await;
    assert_eq!(fake.platform().read().await.unwrap().instances, None);
    let error = act(&fake.platform(), &PlatformAction::Scale { instances: 4 }).await.unwrap_err();
    assert!(error.to_string().contains("`scale_plan = true` allows it"), "{error}");

    let platform = fake.with(SECRET, &json!({ "scale_plan": true }));
    assert_eq!(platform.read().await.unwrap().instances, Some(2));
    let before = fake.app.lock().unwrap().plan.clone();
    let more = PlatformAction::Scale { instances: 4 };
    act(&platform, &more).await.unwrap();
    assert!(more.holds_in(&platform.read().await.unwrap()));
    act(&platform, &more).await.unwrap();
    assert_eq!(fake.calls().len(), 1, "asked for again, nothing is sent");
    let mut expected = before;
    expected["sku"]["capacity"] = json!(4);
    assert_eq!(fake.app.lock().unwrap().plan, expected);

    let checks = platform.check().await;
    let outcome = |what: &str| checks.iter().find(|check| check.what == what).unwrap().outcome.clone();
    assert!(
        matches!(outcome("the plan is the app's alone"), CheckOutcome::Warning(why) if why.contains("2 apps run on shared"))
    );
    assert!(matches!(outcome("the number of instances stays"), CheckOutcome::Passed(_)));
    assert!(
        matches!(outcome("permission to scale"), CheckOutcome::Failed(why) if why.contains("serverfarms/Write"))
    );

    let refused = |fake: &Fake, words: &'static str| {
        let platform = fake.with(SECRET, &json!({ "scale_plan": true }));
        async move {
            let error = act(&platform, &PlatformAction::Scale { instances: 40 }).await.unwrap_err();
            assert!(error.to_string().contains(words), "{error}");
        }
    };
    refused(&fake, "can have 30 instances and no more").await;
    fake.app.lock().unwrap().plan["properties"]["maximumNumberOfWorkers"] = json!(100);
    fake.app.lock().unwrap().autoscale["value"][0]["properties"]["targetResourceUri"] =
        json!(PLAN.to_uppercase());
    refused(&fake, "the autoscale setting of-another says how many").await;
    fake.app.lock().unwrap().plan["properties"]["elasticScaleEnabled"] = json!(true);
    refused(&fake, "the plan shared with its automatic scaling").await;
    fake.app.lock().unwrap().plan["properties"]["provisioningState"] = json!("InProgress");
    refused(&fake, "is being changed").await;
    assert!(!platform.read().await.unwrap().settled);
    // Whoever may not read the plan may still roll back.
    fake.app.lock().unwrap().plan = Value::Null;
    refused(&fake, "could not read the plan: answered 403").await;
    assert_eq!(platform.read().await.unwrap().instances, None);
    assert_eq!(fake.calls(), [""; 0]);
}

/// Application settings are the app's variables; what is in a vault says so.
#[tokio::test]
async fn the_settings_are_read() {
    let fake = Fake::start().await;
    let variables = fake.platform().variables().await.unwrap();
    let seen: Vec<_> =
        variables.iter().map(|variable| (variable.name.as_str(), variable.value.clone())).collect();
    let vault = "@Microsoft.KeyVault(VaultName=shop;SecretName=db)".to_owned();
    let expected =
        [("DB", VariableValue::From(vault)), ("LOG_LEVEL", VariableValue::Plain(Secret::new("info")))];
    assert_eq!(seen, expected);
}
