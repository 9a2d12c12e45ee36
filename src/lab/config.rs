//! The `unship.toml` of a running lab, with figures that suit a demonstration of seconds.

use std::fmt::Write as _;
use std::path::Path;

use super::fleet::Fleet;
use super::service::Service;

/// The part that is the same for every fleet. From the first bad answer to the decision it takes a bad canary about
/// 1.5 s: the window of the error trigger fills, holds for half a second, and is read four times a second.
const HEAD: &str = r#"
[environment]
name = "lab"

[store]
path = "unship.db"
lease = "2s"

[guardrails]
cooldown = "30s"
maximum = 10
stale_after = "5s"

[rollback]
good_after = "3s"
first_percent = 50
watch = "3s"
verify_hold = "2s"
verify_deadline = "20s"
step_timeout = "10s"
read_every = "500ms"

[triggers.errors]
when = { kind = "threshold", indicator = "errors", above = "5%", over = "1s", for = "500ms" }
min_samples = 20
action = "immediate"
severity = "critical"
scope = "arm"

[triggers.latency]
when = { kind = "threshold", indicator = "latency", above = "1s", over = "2s", quantile = 0.95 }
min_samples = 20
action = "immediate"
severity = "high"
scope = "arm"

[triggers.memory]
when = { kind = "threshold", indicator = "memory", above = "90%", over = "1s", for = "3s" }
action = "gradual"
severity = "high"
scope = "arm"

[triggers.health]
when = { kind = "consecutive", failures = 3, within = "5s" }
action = "immediate"
severity = "critical"

[triggers.availability]
when = { kind = "availability", below = "95%", over = "10s" }
min_samples = 4
action = "watch"
severity = "medium"

# Waits and holds of runbooks are a tenth as long as they are written.
[checklists]
pace = 0.1

[judge]
alpha = 0.01

# A deployment of seconds. Its stages begin where the lab's few requests are enough for the triggers' windows of a second:
# with less a release would not be seen healthy, and go back.
[deploy]
canary = [{ percent = 40, watch = "4s" }, { percent = 60, watch = "2s" }, { percent = 80, watch = "2s" }]
rolling = [{ percent = 50, watch = "2s" }]
confirm_within = "10m"
patience = "10s"
verify_hold = "2s"
verify_deadline = "20s"
budget = { preparation = "5s", candidate = "10s", switch = "10s", validation = "15s" }
"#;

/// Writes the file. Names and addresses are the lab's own and need no escaping.
pub(super) fn toml(fleet: &Fleet, admin: &str, dir: &Path) -> String {
    let mut text = format!(
        "# The lab's environment (scenario {}, seed {}). `unship lab` writes this file anew when it starts.\n\
         # Use it with `unship --config {} …`.\n{HEAD}",
        fleet.scenario,
        fleet.seed,
        dir.join("unship.toml").display().to_string().replace(char::is_control, "?"),
    );
    let _ = write!(
        text,
        "\n[sources.fleet]\nkind = \"scrape\"\nurl = \"{admin}/metrics\"\ninterval = \"250ms\"\n\
         timeout = \"1s\"\narms = {{ label = \"version\", by_version = true }}\n"
    );
    for service in fleet.services.values() {
        one(&mut text, service, admin);
    }
    text
}

fn one(text: &mut String, service: &Service, admin: &str) {
    let spec = &service.spec;
    let name = &spec.name;
    let depends: Vec<String> = spec.depends_on.iter().map(|other| format!("\"{other}\"")).collect();
    let series = |series: &str| format!("'{series}{{service=\"{name}\"}}'");
    let _ = write!(
        text,
        r#"
[services.{name}]
criticality = "{criticality}"
depends_on = [{depends}]
platform = {{ kind = "lab", admin = "{admin}", service = "{name}" }}

[services.{name}.probes.health]
url = "http://{router}/health"
interval = "500ms"
timeout = "400ms"

[services.{name}.indicators]
errors = {{ source = "fleet", read = {{ kind = "ratio", bad = {bad}, total = {total}, absent_is_zero = true }} }}
latency = {{ source = "fleet", read = {{ kind = "latency", histogram = {histogram} }} }}
traffic = {{ source = "fleet", read = {{ kind = "rate", counter = {total} }} }}
memory = {{ source = "fleet", read = {{ kind = "gauge", series = {memory}, divide_by = {limit} }} }}
cpu = {{ source = "fleet", read = {{ kind = "gauge", series = {cpu} }} }}

[checks.{name}-answers]
services = ["{name}"]
critical = true
http = "http://{router}/live"

[smoke.{name}]
services = ["{name}"]
url = "http://{router}"
candidate = "{admin}/at/{name}/{{version}}"

[[smoke.{name}.tests]]
name = "health"
path = "/health"
expect = {{ "/status" = "healthy" }}
limit = "5s"

[[smoke.{name}.tests]]
name = "login"
method = "POST"
path = "/login"
json = {{ user = "smoke" }}
capture = {{ token = "/token" }}

[[smoke.{name}.tests]]
name = "account"
path = "/account"
headers = {{ authorization = "Bearer {{token}}" }}
expect = {{ "/user" = "smoke" }}

# Without a token it is turned away: an answer below 500 says that the service works.
[[smoke.{name}.tests]]
name = "a stranger"
path = "/account"
status = "<500"

[load.{name}]
url = "http://{router}/"
users = 4
rate = 80.0
duration = "3s"
"#,
        criticality = spec.criticality.word(),
        depends = depends.join(", "),
        router = service.router,
        bad = series("http_request_errors_total"),
        total = series("http_requests_total"),
        histogram = series("http_request_duration_seconds"),
        memory = series("process_memory_bytes"),
        limit = series("process_memory_limit_bytes"),
        cpu = series("process_cpu_ratio"),
    );
}
