//! What `unship.toml` may say and what is said of one that is wrong.

use std::fmt::Write as _;

use proptest::prelude::*;
use unship::config::{Level, Problem, parse, render};

const FULL: &str = include_str!("fixtures/full.toml");

/// A small config without a fault or a warning; the cases below change one thing in it.
const GOOD: &str = r#"[environment]
name = "production"

[sources.metrics]
kind = "scrape"
url = "http://127.0.0.1:9090/metrics"

[services.checkout]
depends_on = ["auth"]

[services.checkout.platform]
kind = "lab"
admin = "http://127.0.0.1:7070"
service = "checkout"

[services.checkout.probes.live]
url = "http://127.0.0.1:8080/health"

[services.checkout.indicators.errors]
source = "metrics"
read = { kind = "ratio", bad = 'bad_total{service="checkout"}', total = "all_total" }

[services.checkout.indicators.latency]
source = "metrics"
read = { kind = "latency", histogram = "duration_seconds" }

[services.checkout.indicators.memory]
source = "metrics"
read = { kind = "gauge", series = "memory_bytes" }

[services.auth]
platform = { kind = "command", observe = ["observe"], roll_back = ["back", "{release}"] }

[services.auth.probes.ready]
url = "http://127.0.0.1:8081/ready"

[triggers.errors]
action = "immediate"
when = { kind = "threshold", indicator = "errors", above = "5%", over = "30s" }

[triggers.slow]
action = "gradual"
when = { kind = "threshold", indicator = "latency", above = "2s", over = "30s", quantile = 0.99 }

[triggers.memory]
action = "watch"
when = { kind = "threshold", indicator = "memory", above = 1e9, over = "30s", aggregate = "max" }

[triggers.down]
action = "immediate"
when = { kind = "consecutive", failures = 3, within = "1m" }

[triggers.flaky]
action = "watch"
when = { kind = "availability", below = "99%", over = "5m" }

[channels.oncall]
kind = "webhook"
url = "https://example.com/hook"
"#;

fn problems(text: &str) -> Vec<Problem> {
    match parse(text, "unship.toml") {
        Ok((_, warnings)) => warnings,
        Err(problems) => problems,
    }
}

/// `GOOD` with one piece exchanged.
fn with(from: &str, to: &str) -> String {
    assert_eq!(GOOD.matches(from).count(), 1, "{from:?} is not in the good config exactly once");
    GOOD.replace(from, to)
}

const SERVER: &str = "server = \"mail.example.com\"";

/// A channel that writes mail, with this server and more.
fn mail(server: &str, more: &str) -> String {
    format!(
        "[channels.b]\nkind = \"email\"\nfrom = \"a@b.example\"\nto = [\"c@d.example\"]\n{server}\n{more}"
    )
}

/// `GOOD` on a Prometheus server, with one piece exchanged.
fn prometheus(from: &str, to: &str) -> String {
    with(from, to).replace("kind = \"scrape\"", "kind = \"prometheus\"\ninterval = \"10s\"")
}

/// `GOOD` with arms that are told apart, and more.
fn by_arm(more: &str) -> String {
    plus(more).replace("/metrics\"", "/metrics\"\narms = { label = \"track\" }")
}

/// `GOOD` with a CloudWatch source and an indicator that reads it, with one piece exchanged.
fn cloudwatch(from: &str, to: &str) -> String {
    assert_eq!(CLOUDWATCH.matches(from).count(), 1, "{from:?} is not in the source exactly once");
    format!("{GOOD}\n[guardrails]\nstale_after = \"5m\"\n{}", CLOUDWATCH.replace(from, to))
}

/// A source, an indicator and a trigger for each of what there is of CloudWatch.
const CLOUDWATCH: &str = r#"
[sources.aws]
kind = "cloudwatch"
region = "eu-central-1"

[services.checkout.indicators.bad]
source = "aws"
read = { kind = "ratio", bad = '["Shop", "Errors", "Arm", "{arm}"]', total = '["Shop", "Requests", "Arm", "{arm}"]' }

[triggers.alarm]
when = { kind = "alarm", source = "aws", alarm = "{service}-errors" }
action = "watch"
"#;

/// `GOOD` with its errors from a source of another kind.
fn errors_from(source: &str, read: &str) -> String {
    let from = "source = \"metrics\"\nread = { kind = \"ratio\", bad = 'bad_total{service=\"checkout\"}', total = \"all_total\" }";
    with(from, &format!("source = \"other\"\nread = {{ kind = \"ratio\", {read} }}"))
        .replace("[services.checkout]\n", &format!("[sources.other]\n{source}\n\n[services.checkout]\n"))
}

fn probes(bad: &str, total: &str) -> String {
    errors_from("kind = \"probe\"", &format!("{bad}, {total}"))
}

fn json(more: &str, bad: &str, total: &str) -> String {
    let source = format!("kind = \"json\"\nurl = \"http://127.0.0.1:9091/stats/\"\n{more}");
    errors_from(&source, &format!("{bad}, {total}"))
}

fn log(more: &str, bad: &str, total: &str) -> String {
    errors_from(&format!("kind = \"log\"\n{more}"), &format!("{bad}, {total}"))
}

/// The good config with `auth` on another platform.
fn runs_on(platform: &str) -> String {
    with(
        "platform = { kind = \"command\", observe = [\"observe\"], roll_back = [\"back\", \"{release}\"] }",
        &format!("platform = {platform}"),
    )
}

fn http(body: &str) -> String {
    format!(
        "{{ kind = \"http\", base_url = \"http://a/\", releases = {{ path = \"/r\", reference = \"/id\" }}, \
         current = {{ path = \"/c\", reference = \"/id\" }}, roll_back = {{ path = \"/b\", body = {body} }} }}"
    )
}

fn plus(more: &str) -> String {
    format!("{GOOD}\n{more}\n")
}

/// Every check, by an example of what it finds: the name, the text, and how many problems there are.
fn cases() -> Vec<(&'static str, String, usize)> {
    vec![
        // The text as TOML.
        ("a value without quotes", with("\"30s\", quantile", "30s, quantile"), 1),
        ("a string without end", with("\"https://example.com/hook\"", "\"https://example.com/hook"), 1),
        ("a bracket without end", with("[\"auth\"]", "[\"auth\""), 1),
        ("a key without value", with("name = \"production\"", "name"), 1),
        ("a date that is none", plus("[[guardrails.freeze]]\nfrom = 2026-13-01T00:00:00Z\nto = 2026-12-02T00:00:00Z\nreason = \"x\""), 1),
        ("a table twice", plus("[services.checkout.probes.live]\nurl = \"http://x/\"").replace("\nurl = \"http://x/\"", ""), 1),
        ("a key twice", with("name = \"production\"", "name = \"production\"\nname = \"staging\""), 1),
        ("a key twice in braces", with("kind = \"command\",", "kind = \"command\", kind = \"lab\","), 1),
        // Against the schema.
        ("an unknown key", with("url = \"http://127.0.0.1:8080/health\"", "url = \"http://127.0.0.1:8080/health\"\n    intervall = \"5s\""), 1),
        ("an unknown key that resembles none", plus("[colour]\nred = 1"), 1),
        ("a missing key", with("action = \"watch\"\nwhen = { kind = \"av", "when = { kind = \"av"), 1),
        ("a missing kind", with("kind = \"lab\"\n", ""), 1),
        ("a missing table", GOOD.replace("[environment]\nname = \"production\"\n", ""), 1),
        ("a wrong kind", with("kind = \"lab\"", "kind = \"lap\""), 1),
        ("a wrong word", with("action = \"gradual\"", "action = \"gradually\""), 1),
        ("a number for a string", with("name = \"production\"", "name = 5"), 1),
        ("a string for a table", with("[services.auth.probes.ready]\nurl = \"http://127.0.0.1:8081/ready\"", "[services.auth.probes]\nready = \"http://127.0.0.1:8081/ready\""), 1),
        ("a string for argv", with("[\"observe\"]", "\"observe --all\""), 1),
        ("a number without a unit", plus("[rollback]\nwatch = 120"), 1),
        ("a duration in words", plus("[rollback]\nwatch = \"2 minutes\""), 1),
        ("a negative duration", plus("[rollback]\nwatch = \"-2m\""), 1),
        ("a very long duration", plus("[rollback]\nwatch = \"9999d\""), 1),
        ("a percentage out of range", plus("[rollback]\nfirst_percent = 100"), 1),
        ("a negative count", plus("[rollback]\nretries = -1"), 1),
        ("a quantity that is none", with("\"5%\"", "\"five percent\""), 1),
        ("a number that is not finite", with("0.99", "nan"), 1),
        ("a date without a time zone", plus("[[guardrails.freeze]]\nfrom = 2026-12-01T00:00:00\nto = 2026-12-02T00:00:00Z\nreason = \"x\""), 1),
        ("a table where an array belongs", plus("[guardrails.freeze]\nfrom = 2026-12-01T00:00:00Z"), 1),
        ("a pasted secret", plus("[channels.b]\nkind = \"webhook\"\nsecret_url = \"https://hunter2.example.com\""), 1),
        // Names.
        ("a name with a space", GOOD.replace("[services.auth.", "[services.\"au th\".").replace("[services.auth]", "[services.\"au th\"]").replace("depends_on = [\"auth\"]", ""), 1),
        ("a name with a slash", plus("[channels.\"a/b\"]\nkind = \"webhook\"\nurl = \"https://x/\""), 1),
        ("an empty name", plus("[channels.\"\"]\nkind = \"webhook\"\nurl = \"https://x/\""), 1),
        ("a slack address that is pasted", plus("[channels.b]\nkind = \"slack\"\nsecret_url = \"https://hunter2.example.com\""), 1),
        ("a channel without what it needs", plus("[channels.b]\nkind = \"pagerduty\""), 1),
        ("an address of pagerduty that is none", plus("[channels.b]\nkind = \"pagerduty\"\nkey = \"env:K\"\nendpoint = \"events.example.com\""), 1),
        ("a discord thread by its name", plus("[channels.b]\nkind = \"discord\"\nsecret_url = \"env:U\"\nthread = \"releases\""), 1),
        ("a channel that waits for nothing", plus("[channels.b]\nkind = \"teams\"\nsecret_url = \"env:U\"\ntimeout = \"0s\""), 1),
        ("a mail server as an address", plus(&mail("server = \"smtps://mail.example.com\"", "")), 1),
        ("a mail port of zero", plus(&mail(SERVER, "port = 0")), 1),
        ("a sender and a recipient that are none", plus("[channels.b]\nkind = \"email\"\nserver = \"a.example\"\nfrom = \"unship\"\nto = [\"a@b.example\", \"Ada <ada@>\", \"a@b.example, c@d.example\"]"), 3),
        ("a mail to nobody", plus("[channels.b]\nkind = \"email\"\nserver = \"a.example\"\nfrom = \"a@b.example\"\nto = []"), 1),
        ("a mail user without a password", plus(&mail(SERVER, "user = \"unship\"")), 1),
        ("a mail password without a user", plus(&mail(SERVER, "password = \"env:P\"")), 1),
        ("a mail password in plain text", plus(&mail(SERVER, "user = \"unship\"\npassword = \"env:P\"\ntls = \"none\"")), 1),
        ("certificates for no encryption", plus(&mail(SERVER, "ca = \"file:ca.pem\"\ntls = \"none\"")), 1),
        ("a fallback that is not there", plus(&mail(SERVER, "fallback = \"oncal\"")), 1),
        ("a fallback to itself", plus(&mail(SERVER, "fallback = \"b\"")), 1),
        ("fallbacks in a circle", plus(&format!("{}\n[channels.c]\nkind = \"slack\"\nsecret_url = \"env:U\"\nfallback = \"b\"", mail(SERVER, "fallback = \"c\""))), 2),
        ("a fallback that proves nothing", plus(&format!("{}\n[channels.c]\nkind = \"desktop\"", mail(SERVER, "fallback = \"c\""))), 1),
        ("a desktop with a fallback", plus("[channels.b]\nkind = \"desktop\"\nfallback = \"oncall\""), 1),
        ("tests to nowhere", plus("[notify]\ntest = \"onkall\""), 1),
        ("an environment without name", with("\"production\"", "\" \""), 1),
        // Indicators of probes.
        ("a word that no check has", probes("bad = \"fails\"", "total = \"checks\""), 1),
        ("a count with something behind it", probes("bad = \"failed live\"", "total = \"checks\""), 1),
        ("a probe that is not there", probes("bad = \"failed of life\"", "total = \"checks\""), 1),
        ("a time as a count", probes("bad = \"duration\"", "total = \"checks\""), 1),
        ("a gauge of checks", probes("bad = \"failed\"", "total = \"checks\"").replace("kind = \"ratio\", bad = \"failed\", total", "kind = \"gauge\", series"), 1),
        ("checks of no probes", probes("bad = \"failed\"", "total = \"checks\"").replace("[services.checkout.probes.live]\nurl = \"http://127.0.0.1:8080/health\"\n", ""), 1),
        ("a probe without an arm beside one with", probes("bad = \"failed of new\"", "total = \"checks\"").replace("[services.auth]\n", "[services.checkout.probes.new]\nurl = \"http://127.0.0.1:8082/\"\narm = \"canary\"\n\n[services.auth]\n"), 1),
        // Indicators in JSON.
        ("a pointer that is none", json("", "bad = \"$.bad\"", "total = \"/all\""), 1),
        ("a pointer with a wrong escape", json("", "bad = \"/a~b\"", "total = \"/all\""), 1),
        ("a pointer for one arm and one for all", json("", "bad = \"/{arm}/bad\"", "total = \"/all\""), 1),
        ("a placeholder that no pointer has", json("", "bad = \"/{window}/bad\"", "total = \"/all\""), 1),
        ("a label of JSON", json("arms = { label = \"track\" }", "bad = \"/{arm}/bad\"", "total = \"/{arm}/all\""), 1),
        ("arms by version of JSON", json("arms = { by_version = true }", "bad = \"/{arm}/bad\"", "total = \"/{arm}/all\""), 1),
        ("a histogram in JSON", json("", "bad = \"/a\"", "total = \"/b\"").replace("kind = \"ratio\", bad = \"/a\", total", "kind = \"latency\", histogram").replace("above = \"5%\"", "above = \"2s\""), 1),
        ("an address with an odd placeholder", json("", "bad = \"/a\"", "total = \"/b\"").replace("/stats/", "/stats/{versoin}"), 1),
        // Indicators of lines.
        ("a log without anything", log("", "bad = \"/e\"", "total = \"*\""), 1),
        ("a log with both", log("file = \"/a\"\ncommand = [\"a\"]", "bad = \"/e\"", "total = \"*\""), 1),
        ("a log of no file", log("file = \"\"", "bad = \"/e\"", "total = \"*\""), 1),
        ("a log of some folder", log("file = \"access.json\"", "bad = \"/e\"", "total = \"*\""), 1),
        ("a log of no program", log("command = []", "bad = \"/e\"", "total = \"*\""), 1),
        ("lines of any length", log("file = \"/a\"\nmax_line = 0", "bad = \"/e\"", "total = \"*\""), 1),
        ("a condition that compares nothing", log("file = \"/a\"", "bad = \"/status >=\"", "total = \"*\""), 1),
        ("a condition without a pointer", log("file = \"/a\"", "bad = \"status >= 500\"", "total = \"*\""), 1),
        ("arms of lines by a label", log("file = \"/a\"\narms = { label = \"track\" }", "bad = \"/e\"", "total = \"*\""), 1),
        ("arms of lines by nothing", log("file = \"/a\"\narms = { stable = \"blue\" }", "bad = \"/e\"", "total = \"*\""), 1),
        ("a number of lines with conditions alone", log("file = \"/a\"", "bad = \"/a > 1\"", "total = \"*\"").replace("kind = \"ratio\", bad = \"/a > 1\", total = \"*\"", "kind = \"gauge\", series = \"/a > 1\"").replace("above = \"5%\"", "above = 5"), 1),
        ("lines divided by lines", log("file = \"/a\"", "bad = \"/a\"", "total = \"*\"").replace("kind = \"ratio\", bad = \"/a\", total = \"*\"", "kind = \"gauge\", series = \"/a\", divide_by = \"/b\""), 1),
        // Services.
        ("no service", "[environment]\nname = \"a\"\n[services]\n[triggers.a]\naction = \"watch\"\nwhen = { kind = \"threshold\", indicator = \"e\", above = 1, over = \"1m\" }\n".to_owned(), 1),
        ("a dependency on nothing", with("[\"auth\"]", "[\"auht\"]"), 1),
        ("a dependency on itself", with("[\"auth\"]", "[\"checkout\"]"), 1),
        ("a dependency twice", with("[\"auth\"]", "[\"auth\", \"auth\"]"), 1),
        ("a circle of dependencies", with("[services.auth]\n", "[services.auth]\ndepends_on = [\"checkout\"]\n"), 1),
        ("a service that nothing is known of", plus("[services.blind]\nplatform = { kind = \"lab\", admin = \"http://127.0.0.1:1\", service = \"b\" }"), 1),
        ("two services in one place", plus("[services.twin]\nplatform = { kind = \"lab\", admin = \"http://127.0.0.1:7070\", service = \"checkout\" }\nprobes.live.url = \"http://127.0.0.1/\""), 1),
        ("an empty argv", with("[\"observe\"]", "[]"), 1),
        ("no way to roll back", with(", roll_back = [\"back\", \"{release}\"]", ""), 1),
        ("a placeholder that is none", with("\"{release}\"", "\"{relaese}\""), 1),
        ("a verb without program", with("observe = [\"observe\"]", "observe = [\"observe\"], idempotent = [\"deploy\"]"), 1),
        ("a variable that looks like a secret", with("observe = [\"observe\"]", "observe = [\"observe\"], env = { API_TOKEN = \"hunter2\" }"), 1),
        ("a variable with an impossible name", with("observe = [\"observe\"]", "observe = [\"observe\"], env = { \"A=B\" = \"c\" }"), 1),
        // Probes.
        ("an address without scheme", with("http://127.0.0.1:8080/health", "127.0.0.1:8080/health"), 1),
        ("an address that reads as another scheme", with("http://127.0.0.1:8080/health", "localhost:8080/health"), 1),
        ("an address with a password", with("http://127.0.0.1:8080/health", "http://me:hunter2@127.0.0.1/health"), 1),
        ("an address of another kind", with("http://127.0.0.1:8080/health", "ftp://127.0.0.1/health"), 1),
        ("a wrong method", with("127.0.0.1:8080/health\"", "127.0.0.1:8080/health\"\nmethod = \"get\""), 1),
        ("a wrong header", with("127.0.0.1:8080/health\"", "127.0.0.1:8080/health\"\nheaders = { \"a b\" = \"c\" }"), 1),
        ("a secret in a plain header", with("127.0.0.1:8080/health\"", "127.0.0.1:8080/health\"\nheaders = { Authorization = \"Bearer hunter2\" }"), 1),
        ("a header twice", with("127.0.0.1:8080/health\"", "127.0.0.1:8080/health\"\nheaders = { X-A = \"b\" }\nsecret_headers = { x-a = \"env:A\" }"), 1),
        ("an interval of zero", with("127.0.0.1:8080/health\"", "127.0.0.1:8080/health\"\ninterval = \"0s\""), 1),
        ("a timeout longer than the interval", with("127.0.0.1:8080/health\"", "127.0.0.1:8080/health\"\ntimeout = \"20s\""), 1),
        ("a status that is none", with("127.0.0.1:8080/health\"", "127.0.0.1:8080/health\"\nstatus = [200, 20]"), 1),
        ("a body where there is none", with("127.0.0.1:8080/health\"", "127.0.0.1:8080/health\"\nmethod = \"HEAD\"\ncontains = \"ok\""), 1),
        ("a body of no bytes", with("127.0.0.1:8080/health\"", "127.0.0.1:8080/health\"\nmax_body = 0"), 1),
        // Sources and indicators.
        ("an indicator of no source", with("[services.checkout.indicators.memory]\nsource = \"metrics\"", "[services.checkout.indicators.memory]\nsource = \"metric\""), 1),
        ("a series that is none", with("\"memory_bytes\"", "\"rate(memory_bytes[5m])\""), 1),
        ("a part of a histogram", with("\"duration_seconds\"", "\"duration_seconds_bucket\""), 1),
        ("a ratio of a series to itself", with("'bad_total{service=\"checkout\"}'", "\"all_total\""), 1),
        ("a source that nobody reads", plus("[sources.idle]\nkind = \"scrape\"\nurl = \"http://127.0.0.1/\""), 1),
        ("arms that look alike", with("/metrics\"", "/metrics\"\narms = { label = \"track\", canary = \"stable\" }"), 1),
        ("an arm by version and by word", with("/metrics\"", "/metrics\"\narms = { label = \"track\", by_version = true, canary = \"next\" }"), 1),
        ("arms without a label", with("/metrics\"", "/metrics\"\narms = { stable = \"blue\" }"), 1),
        ("a gauge of two units", with("\"memory_bytes\"", "\"memory_bytes\", divide_by = \"limit_bytes\", unit = \"percent\"").replace("above = 1e9", "above = \"90%\""), 1),
        ("a plain number for a time", with("\"memory_bytes\"", "\"lag_seconds\", unit = \"seconds\""), 1),
        // Prometheus.
        ("a query that counts nothing", prometheus("\"all_total\"", "\"sum(all_total)\""), 1),
        ("a window on one side only", prometheus("\"all_total\"", "\"sum(increase(all_total[{window}]))\""), 1),
        ("a placeholder of a query that is none", prometheus("\"memory_bytes\"", "'max(memory_bytes{service=\"{servcie}\"})'"), 1),
        ("a version in a query", prometheus("\"memory_bytes\"", "'max(memory_bytes{version=\"{version}\"})'"), 1),
        ("an empty query", prometheus("\"memory_bytes\"", "\" \""), 1),
        ("the address of the API", prometheus("9090/metrics", "9090/prom/api/v1/query"), 1),
        ("an address with a query", prometheus("9090/metrics", "9090/?tenant=a"), 1),
        ("a series that is too old at once", prometheus("/metrics\"", "/metrics\"\nstale_after = \"0s\""), 1),
        // CloudWatch.
        ("a region that is none", cloudwatch("eu-central-1", "Frankfurt"), 1),
        ("credentials twice", cloudwatch("region", "profile = \"a\"\nkeys = { access_key_id = \"env:A\", secret_access_key = \"env:B\" }\nregion"), 1),
        ("a key that is pasted", cloudwatch("region", "keys = { access_key_id = \"env:A\", secret_access_key = \"hunter2\" }\nregion"), 1),
        ("a period that CloudWatch does not have", cloudwatch("region", "period = \"90s\"\nregion"), 1),
        ("points that are too old at once", cloudwatch("region", "stale_after = \"30s\"\nregion"), 1),
        ("points that are always too old", format!("{GOOD}{CLOUDWATCH}"), 1),
        ("arms by a label of CloudWatch", cloudwatch("region", "arms = { label = \"track\" }\nregion"), 1),
        ("an alarm that tells nobody", cloudwatch("region", "alarms = { actions = [\"on-call\"] }\nregion"), 1),
        ("an endpoint without scheme", cloudwatch("region", "endpoint = \"localhost:4566\"\nregion"), 1),
        ("a metric that is none", cloudwatch("'[\"Shop\", \"Errors\", \"Arm\", \"{arm}\"]'", "\"Shop/Errors\""), 1),
        ("a metric with half a dimension", cloudwatch("\"Errors\", \"Arm\", \"{arm}\"]", "\"Errors\", \"Arm\"]"), 1),
        ("a metric by a placeholder that is none", cloudwatch("\"Errors\", \"Arm\", \"{arm}\"", "\"Errors\", \"Arm\", \"{amr}\""), 1),
        ("a metric that counts nothing", cloudwatch("\"Requests\", \"Arm\", \"{arm}\"", "\"Requests\", \"Arm\", \"{arm}\", { \"stat\": \"p95\" }"), 1),
        ("arms on one side only", cloudwatch("\"Requests\", \"Arm\", \"{arm}\"", "\"Requests\""), 1),
        ("a histogram in CloudWatch", plus("[sources.aws]\nkind = \"cloudwatch\"\nregion = \"eu-central-1\"\ninterval = \"10s\"\nperiod = \"10s\"\ndelay = \"0s\"\n[services.checkout.indicators.slow]\nsource = \"aws\"\nread = { kind = \"latency\", histogram = '[\"Shop\", \"Latency\"]' }"), 1),
        ("an alarm of a source without", cloudwatch("source = \"aws\", alarm", "source = \"metrics\", alarm"), 1),
        ("an alarm of no source", cloudwatch("source = \"aws\", alarm", "source = \"asw\", alarm"), 1),
        ("an alarm of all services", cloudwatch("{service}-errors", "errors"), 1),
        ("an alarm of the environment", cloudwatch("action", "scope = \"environment\"\naction"), 1),
        ("an alarm without a name", cloudwatch("{service}-errors", " "), 1),
        ("samples of an alarm", cloudwatch("action", "min_samples = 5\naction"), 1),
        // Triggers.
        ("no trigger", GOOD.split("[triggers.errors]").next().unwrap_or_default().to_owned(), 1),
        ("a trigger on an unknown service", with("action = \"gradual\"", "action = \"gradual\"\nservices = [\"chekout\"]"), 1),
        ("a trigger on no service", with("action = \"gradual\"", "action = \"gradual\"\nservices = []"), 1),
        ("a trigger on an unknown indicator", with("indicator = \"latency\"", "indicator = \"latencies\""), 1),
        ("a trigger on another service's indicator", with("action = \"gradual\"", "action = \"gradual\"\nservices = [\"auth\"]"), 1),
        ("a trigger on an indicator that one service lacks", with("action = \"gradual\"", "action = \"gradual\"\nservices = [\"checkout\", \"auth\"]"), 1),
        ("a trigger on an unknown probe", with("failures = 3,", "failures = 3, probe = \"alive\","), 1),
        ("a trigger on probes of a service without", plus("[services.blind]\nplatform = { kind = \"lab\", admin = \"http://127.0.0.1:1\", service = \"b\" }\nindicators.up = { source = \"metrics\", read = { kind = \"gauge\", series = \"up\" } }\n[triggers.blind]\naction = \"watch\"\nservices = [\"blind\"]\nwhen = { kind = \"consecutive\", failures = 1, within = \"1m\" }"), 1),
        ("no limit", with(" above = \"5%\",", ""), 1),
        ("two limits", with("above = \"5%\",", "above = \"5%\", below = \"1%\","), 1),
        ("a plain number for a share", with("\"5%\"", "5"), 1),
        ("a duration for a share", with("\"5%\"", "\"5s\""), 1),
        ("a percentage for a latency", with("\"2s\"", "\"2%\""), 1),
        ("a latency without a unit", with("\"2s\"", "500"), 1),
        ("a duration for a gauge", with("1e9", "\"2s\""), 1),
        ("a plain number for availability", with("\"99%\"", "99"), 1),
        ("a share that cannot be exceeded", with("\"5%\"", "\"100%\""), 1),
        ("a percentile for a quantile", with("0.99", "99"), 1),
        ("a quantile of a ratio", with("above = \"5%\",", "above = \"5%\", quantile = 0.5,"), 1),
        ("an aggregate of a latency", with("quantile = 0.99", "aggregate = \"max\""), 1),
        ("a window shorter than two readings", with("above = \"5%\", over = \"30s\"", "above = \"5%\", over = \"8s\""), 1),
        ("a window of nothing", with("above = \"5%\", over = \"30s\"", "above = \"5%\", over = \"0s\""), 1),
        ("more breaches than evaluations", with("quantile = 0.99", "out_of = { breaches = 4, evaluations = 3 }"), 1),
        ("no breaches", with("quantile = 0.99", "out_of = { breaches = 0, evaluations = 3 }"), 1),
        ("very many evaluations", with("quantile = 0.99", "out_of = { breaches = 1, evaluations = 5000 }"), 1),
        ("both for and out_of", with("quantile = 0.99", "for = \"1m\", out_of = { breaches = 1, evaluations = 3 }"), 1),
        ("no samples", with("action = \"gradual\"", "action = \"gradual\"\nmin_samples = 0"), 1),
        ("more samples than there can be", with("action = \"watch\"\nwhen = { kind = \"threshold\"", "action = \"watch\"\nmin_samples = 50\nwhen = { kind = \"threshold\""), 1),
        ("more checks than there can be", with("action = \"watch\"\nwhen = { kind = \"availability\"", "action = \"watch\"\nmin_samples = 50\nwhen = { kind = \"availability\""), 1),
        ("an arm without its scope", with("action = \"gradual\"", "action = \"gradual\"\nscope = \"service\"\narm = \"canary\""), 1),
        ("an arm that nobody tells of", with("action = \"gradual\"", "action = \"gradual\"\narm = \"canary\""), 1),
        ("an arm that no probe reaches", with("action = \"immediate\"\nwhen = { kind = \"consecutive\"", "action = \"immediate\"\narm = \"canary\"\nwhen = { kind = \"consecutive\""), 1),
        ("no failures", with("failures = 3", "failures = 0"), 1),
        ("more failures than fit", with("within = \"1m\"", "within = \"15s\""), 1),
        ("availability over a moment", with("over = \"5m\"", "over = \"15s\""), 1),
        // Comparisons and the judge.
        ("a comparison without a limit", with("kind = \"threshold\", indicator = \"errors\", above = \"5%\",", "kind = \"comparison\", indicator = \"errors\", with = \"baseline\","), 1),
        ("a comparison with two limits", with("kind = \"threshold\", indicator = \"errors\", above = \"5%\",", "kind = \"comparison\", indicator = \"errors\", with = \"baseline\", more_than = \"2%\", times = 2.0,"), 1),
        ("a comparison with nothing known", with("kind = \"threshold\", indicator = \"errors\", above = \"5%\",", "kind = \"comparison\", indicator = \"errors\", with = \"yesterday\", times = 2.0,"), 1),
        ("so many times less than nothing", with("kind = \"threshold\", indicator = \"errors\", above = \"5%\",", "kind = \"comparison\", indicator = \"errors\", with = \"baseline\", times = -1.0,"), 1),
        ("a plain number for points", with("kind = \"threshold\", indicator = \"errors\", above = \"5%\",", "kind = \"comparison\", indicator = \"errors\", with = \"baseline\", more_than = 2,"), 1),
        ("percent of a latency", with("kind = \"threshold\", indicator = \"latency\", above = \"2s\",", "kind = \"comparison\", indicator = \"latency\", with = \"baseline\", more_than = \"20%\","), 1),
        ("a comparison of arms that nobody tells apart", with("kind = \"threshold\", indicator = \"errors\", above = \"5%\",", "kind = \"comparison\", indicator = \"errors\", with = \"stable\", times = 2.0,"), 1),
        ("an environment compared", with("action = \"immediate\"\nwhen = { kind = \"threshold\", indicator = \"errors\", above = \"5%\",", "action = \"immediate\"\nscope = \"environment\"\nwhen = { kind = \"comparison\", indicator = \"errors\", with = \"baseline\", times = 2.0,"), 1),
        ("a judge with nothing to compare", plus("[judge]"), 1),
        ("a chance in percent", by_arm("[judge]\nalpha = 1"), 1),
        ("a chance of nothing", by_arm("[judge]\nbeta = 0.0"), 1),
        ("a tolerance that is none", by_arm("[judge]\ntolerance = \"loose\""), 1),
        ("a trigger named like the judge", by_arm("[judge]").replace("[triggers.slow]", "[triggers.judge]"), 1),
        ("a judged indicator without a judge", with("[services.checkout.indicators.latency]\nsource = \"metrics\"", "[services.checkout.indicators.latency]\nsource = \"metrics\"\njudge = \"off\""), 1),
        ("an objective of a gauge", by_arm("[judge]").replace("read = { kind = \"gauge\"", "objective = { below = 1 }\nread = { kind = \"gauge\""), 1),
        ("an objective of the wrong unit", by_arm("[judge]").replace("read = { kind = \"latency\"", "objective = { below = \"2%\" }\nread = { kind = \"latency\""), 1),
        ("an objective that is always kept", by_arm("[judge]").replace("read = { kind = \"ratio\"", "objective = { below = \"100%\" }\nread = { kind = \"ratio\""), 1),
        // The rest.
        ("a short lease", plus("[store]\nlease = \"500ms\""), 1),
        ("no journal", plus("[store]\npath = \"\""), 1),
        ("no rollback allowed", plus("[guardrails]\nmaximum = 0"), 1),
        ("data that are always too old", plus("[guardrails]\nstale_after = \"5s\""), 1),
        ("a freeze that ends before it begins", plus("[[guardrails.freeze]]\nfrom = 2026-12-03T00:00:00Z\nto = 2026-12-02T00:00:00Z\nreason = \"x\""), 1),
        ("a freeze without reason", plus("[[guardrails.freeze]]\nfrom = 2026-12-01T00:00:00Z\nto = 2026-12-02T00:00:00Z\nreason = \"\""), 1),
        ("a verification that cannot end", plus("[rollback]\nverify_hold = \"10m\""), 1),
        ("a step shorter than a reading", plus("[rollback]\nstep_timeout = \"5s\""), 1),
        ("a webhook without address", with("url = \"https://example.com/hook\"\n", ""), 1),
        ("a webhook with two addresses", plus("secret_url = \"env:HOOK\""), 1),
        ("a site without a token", runs_on("{ kind = \"netlify\", site = \"a\" }"), 1),
        ("a site with two tokens", runs_on("{ kind = \"netlify\", site = \"a\", token = \"env:PATH\", token_command = [\"t\"] }"), 1),
        ("nginx with one backend", runs_on("{ kind = \"nginx\", traffic = { file = \"/a.conf\", generation = \"http://a/g\" }, backends.blue = { servers = [\"a:1\"], version = \"http://a/v\" } }"), 1),
        ("containers that nothing tells apart", runs_on("{ kind = \"docker\", colours = { blue = { labels = { a = \"b\" } }, green = { labels = { a = \"b\" } } } }"), 1),
        ("servers that nobody uses", runs_on("{ kind = \"docker\", colours = { blue = { labels = { a = \"b\" }, servers = [\"a:1\"] }, green = { labels = { a = \"c\" } } } }"), 1),
        ("an engine at no address", runs_on("{ kind = \"docker\", host = \"localhost\", colours = { blue = { labels = { a = \"b\" } }, green = { labels = { a = \"c\" } } } }"), 1),
        ("nothing to roll back in Kubernetes", runs_on("{ kind = \"kubernetes\", context = \"c\" }"), 1),
        ("two things to roll back in Kubernetes", runs_on("{ kind = \"kubernetes\", context = \"c\", deployment = \"a\", rollout = \"a\" }"), 1),
        ("whatever cluster is current", runs_on("{ kind = \"kubernetes\", deployment = \"a\" }"), 1),
        ("a region that is none", runs_on("{ kind = \"aws-ecs\", region = \"Frankfurt\", service = \"a\" }"), 1),
        ("credentials for ECS twice", runs_on("{ kind = \"aws-ecs\", region = \"eu-central-1\", service = \"a\", profile = \"p\", keys = { access_key_id = \"env:PATH\", secret_access_key = \"env:PATH\" } }"), 1),
        ("production swapped with itself", runs_on("{ kind = \"azure-app-service\", subscription = \"s\", resource_group = \"r\", app = \"a\", slot = \"Production\" }"), 1),
        ("half of a client", runs_on("{ kind = \"azure-app-service\", subscription = \"s\", resource_group = \"r\", app = \"a\", tenant = \"t\" }"), 1),
        ("one slot that tells and one that does not", runs_on("{ kind = \"azure-app-service\", subscription = \"s\", resource_group = \"r\", app = \"a\", serving = { url = \"http://a/v\" } }"), 1),
        ("three tokens for Railway", runs_on("{ kind = \"railway\", project = \"p\", environment = \"e\", service = \"s\", token = \"env:PATH\", project_token = \"env:PATH\" }"), 1),
        ("a workflow that is not told the target", runs_on("{ kind = \"github-actions\", repository = \"a/b\", environment = \"e\", workflow = \"w.yml\", inputs = { a = \"b\" }, key_input = \"k\", token = \"env:PATH\" }"), 1),
        ("a workflow by its path", runs_on("{ kind = \"github-actions\", repository = \"a/b\", environment = \"e\", workflow = \".github/workflows/w.yml\", inputs = { a = \"{release}\" }, key_input = \"k\", token = \"env:PATH\" }"), 1),
        ("a placeholder that a workflow has not", runs_on("{ kind = \"github-actions\", repository = \"a/b\", environment = \"e\", workflow = \"w.yml\", inputs = { a = \"{release} {tag}\" }, key_input = \"k\", token = \"env:PATH\" }"), 1),
        ("a workflow that cannot be found again", runs_on("{ kind = \"github-actions\", repository = \"a/b\", environment = \"e\", workflow = \"w.yml\", inputs = { a = \"{release}\" }, token = \"env:PATH\" }"), 1),
        ("a body that is not JSON", runs_on(&http("'{ \"to\": {release} }'")), 1),
        ("a body without a target", runs_on(&http("'{ \"to\": \"{service}\" }'")), 1),
        ("a placeholder that a body has not", runs_on(&http("'{ \"to\": \"{release}\", \"by\": \"{user}\" }'")), 1),
        ("nobody may act", plus("[operators.ada]\nrole = \"observer\""), 1),
        // Bringing releases in, and what shows that one may go on.
        ("a stage that gives everything", plus("[deploy]\ncanary = [{ percent = 100, watch = \"1m\" }]"), 1),
        ("a stage that gives less than before", plus("[deploy]\nrolling = [{ percent = 50, watch = \"1m\" }, { percent = 50, watch = \"1m\" }]"), 1),
        ("a stage that lasts no time", plus("[services.checkout.deploy]\nblue_green = [{ percent = 10, watch = \"0s\" }]"), 1),
        ("a strategy that is none", plus("[deploy]\nstrategy = \"canari\""), 1),
        ("a verification that can never be met", plus("[deploy]\nverify_hold = \"3m\""), 1),
        ("a phase that looks at nothing", plus("[deploy]\nvalidation = [{ name = \"health\" }]"), 1),
        ("a phase with a suite that is not there", plus("[deploy]\nvalidation = [{ name = \"features\", smoke = \"shp\" }]\n[smoke.shop]\nurl = \"http://a/\"\ntests = [{ name = \"a\", path = \"/\" }]"), 1),
        ("a phase with a load run that is not there", plus("[deploy]\nvalidation = [{ name = \"load\", load = \"peak\" }]"), 1),
        ("a check that looks at nothing", plus("[checks.a]\ncritical = true"), 1),
        ("a check of a service that is not there", plus("[checks.a]\nservices = [\"chekout\"]\ncommand = [\"true\"]"), 1),
        ("a port that is none", plus("[checks.a]\ntcp = \"db.example.com\""), 1),
        ("a check without a program", plus("[checks.a]\ncommand = []"), 1),
        ("a suite without tests", plus("[smoke.a]\nurl = \"http://a/\"\ntests = []"), 1),
        ("a suite without an address", plus("[smoke.a]\nurl = \"a\"\ntests = [{ name = \"a\", path = \"/\" }]"), 1),
        ("a placeholder that an address has not", plus("[smoke.a]\nurl = \"http://a/\"\ncandidate = \"http://{slot}.a/\"\ntests = [{ name = \"a\", path = \"/\" }]"), 1),
        ("two tests of one name", plus("[smoke.a]\nurl = \"http://a/\"\ntests = [{ name = \"a\", path = \"/\" }, { name = \"a\", path = \"/\" }]"), 1),
        ("a test that asks for nothing", plus("[smoke.a]\nurl = \"http://a/\"\ntests = [{ name = \"a\" }]"), 1),
        ("a test that asks twice", plus("[smoke.a]\nurl = \"http://a/\"\ntests = [{ name = \"a\", path = \"/\", command = [\"true\"] }]"), 1),
        ("a path without a slash", plus("[smoke.a]\nurl = \"http://a/\"\ntests = [{ name = \"a\", path = \"login\" }]"), 1),
        ("two bodies", plus("[smoke.a]\nurl = \"http://a/\"\ntests = [{ name = \"a\", path = \"/\", body = \"x\", json = { a = 1 } }]"), 1),
        ("a status that is none", plus("[smoke.a]\nurl = \"http://a/\"\ntests = [{ name = \"a\", path = \"/\", status = \"200, okay\" }]"), 1),
        ("a pointer that is none", plus("[smoke.a]\nurl = \"http://a/\"\ntests = [{ name = \"a\", path = \"/\", capture = { token = \"token\" } }]"), 1),
        ("users who never come", plus("[load.a]\nurl = \"http://a/\"\nramp = \"2m\""), 1),
        ("a load without users", plus("[load.a]\nurl = \"http://a/\"\nusers = 0"), 1),
        ("a share of errors beyond all", plus("[load.a]\nurl = \"http://a/\"\nmax_errors = 120.0"), 1),
        ("an engine that is none", plus("[databases.a]\nengine = { kind = \"mysql\", url = \"env:PATH\" }"), 1),
        ("a password in an address", plus("[databases.a]\nengine = { kind = \"postgres\", url = \"postgres://a:hunter2@b/c\" }"), 1),
        ("a file by a relative path", plus("[databases.a]\nengine = { kind = \"sqlite\", file = \"shop.db\" }"), 1),
        ("a value that may be anything", plus("[databases.a]\nengine = { kind = \"sqlite\", file = \"/a.db\" }\nchecks = [{ name = \"a\", sql = \"SELECT 1\" }]"), 1),
        ("a value that has to be two things", plus("[databases.a]\nengine = { kind = \"sqlite\", file = \"/a.db\" }\nchecks = [{ name = \"a\", sql = \"SELECT 1\", equals = \"1\", at_most = 3.0 }]"), 1),
        ("nothing is kept", plus("[deploy]\nkeep = 1"), 1),
        ("no folder for variables", plus("[deploy]\nvariables = \" \""), 1),
        ("limits of nothing", plus("[services.checkout.scaling]\nmost = 0\nadd_percent = 0"), 2),
        ("a limit where nobody scales", plus("[services.checkout.scaling]\nmost = 3"), 1),
        ("more of what nobody limits", with("action = \"gradual\"", "action = \"scale_out\""), 1),
        ("a look before the one before", plus("[deploy]\nwindows = [\"30m\", \"5m\"]"), 1),
        ("migrations of a database that nothing works with", plus("[databases.a]\nengine = { kind = \"sqlite\", file = \"/a.db\" }\nmigrations = { folder = \"/m\" }"), 1),
        ("scripts and programs", plus("[databases.a]\nservices = [\"auth\"]\nengine = { kind = \"sqlite\", file = \"/a.db\" }\nmigrations = { folder = \"/m\", apply = [\"up\"] }"), 1),
        ("neither scripts nor programs", plus("[databases.a]\nservices = [\"auth\"]\nengine = { kind = \"sqlite\", file = \"/a.db\" }\nmigrations = { undo = [\"down\"] }"), 1),
        ("programs without a name", plus("[databases.a]\nservices = [\"auth\"]\npoint_in_time = []\nengine = { kind = \"sqlite\", file = \"/a.db\" }\nmigrations = { apply = [] }"), 2),
        ("a database to agree with that is not there", plus("[databases.a]\nengine = { kind = \"sqlite\", file = \"/a.db\" }\nchecks = [{ name = \"a\", sql = \"SELECT 1\", agrees_with = { database = \"b\", sql = \"SELECT 1\" } }]"), 1),
        ("a heart that does not stop", plus("[heartbeat]\nsecret_url = \"env:PATH\"\ninterval = \"0s\""), 1),
        ("a log from nowhere", plus("[services.checkout.log]"), 1),
    ]
}

/// Every check finds its mistake, says where it is and how to mend it, and finds nothing else.
#[test]
fn every_mistake_is_found() {
    assert_eq!(problems(GOOD), [], "{}", render(&problems(GOOD)));
    let mut all = String::new();
    let mut wrong = Vec::new();
    for (name, text, count) in cases() {
        let problems = problems(&text);
        if problems.len() != count {
            wrong.push(format!(
                "{name}: {} problems, expected {count}\n{}",
                problems.len(),
                render(&problems)
            ));
        }
        for problem in &problems {
            assert!(problem.hint.is_some(), "no way to mend: {problem}");
            valid_position(problem, &text);
        }
        writeln!(all, "## {name}\n{}\n", render(&problems)).unwrap();
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    assert!(!all.contains("hunter2"), "a secret is repeated");
    insta::assert_snapshot!("mistakes", all);
}

fn valid_position(problem: &Problem, text: &str) {
    let lines: Vec<&str> = text.split('\n').collect();
    assert!((1..=lines.len()).contains(&problem.line), "{problem:?}");
    assert!((1..=lines[problem.line - 1].chars().count() + 1).contains(&problem.column), "{problem:?}");
}

/// A person who made ten mistakes hears of all ten at once, in the order of the file.
#[test]
fn ten_mistakes_are_ten_problems() {
    let text = r#"[environment]
name = 7
[store]
lease = 10
[services.checkout]
platfrom = { kind = "lab", admin = "http://a", service = "b" }
criticality = "urgent"
[services.checkout.probes.live]
url = "http://a"
timeout = "5 parsecs"
status = 200
[services.checkout]
[triggers.a]
action = "imediate"
when = { kind = "threshold", indicator = "e", above = true, over = "1m" }
[channels.c]
kind = "webhook"
key = "hunter2"
"#;
    let found = problems(text);
    assert_eq!(found.len(), 10, "{}", render(&found));
    assert!(found.is_sorted_by_key(|problem| (problem.line, problem.column)));
    let lines: Vec<usize> = found.iter().map(|problem| problem.line).collect();
    assert_eq!(lines, [2, 4, 6, 7, 10, 11, 12, 14, 15, 18]);
}

/// Mistakes of meaning come all at once too.
#[test]
fn mistakes_of_meaning_come_together() {
    let text = GOOD
        .replace("[\"auth\"]", "[\"auht\"]")
        .replace("\"5%\"", "5")
        .replace("0.99", "99")
        .replace("\"https://example.com/hook\"", "\"example.com\"")
        .replace("\"duration_seconds\"", "\"sum(x)\"");
    assert_eq!(problems(&text).len(), 5, "{}", render(&problems(&text)));
}

/// The position is that of the word itself, in the form that editors and terminals make a link of.
#[test]
fn the_position_is_exact() {
    let text = with("127.0.0.1:8080/health\"", "127.0.0.1:8080/health\"\n    intervall = \"5s\"");
    let found = problems(&text);
    let line = text.lines().position(|line| line.contains("intervall")).unwrap() + 1;
    assert_eq!((found[0].line, found[0].column), (line, 5));
    assert_eq!(found[0].path, "services.checkout.probes.live.intervall");
    assert_eq!(
        found[0].to_string(),
        format!(
            "unship.toml:{line}:5: unknown key `intervall` in `services.checkout.probes.live`\n   {line} |     intervall = \"5s\"\n      |     ^^^^^^^^^ did you mean `interval`? valid keys: url, arm, method, interval, timeout, status, body, contains, headers, secret_headers, max_body, keep_alive"
        )
    );
    let json = serde_json::to_value(&found[0]).unwrap();
    assert_eq!(json["severity"], "error");
    assert_eq!(json["line"], line);
}

/// A byte order mark and Windows line ends, as editors write them, do not move positions or break anything.
#[test]
fn windows_files_are_read() {
    let text = format!("\u{feff}{}", GOOD.replace('\n', "\r\n"));
    assert_eq!(problems(&text), []);
    let found = problems(&text.replace("[environment]", "[enviroment]"));
    assert_eq!((found[0].line, found[0].column), (1, 2));
    assert!(!found[0].to_string().contains('\r'));
}

/// The example of everything is good, and what is printed of it is the same config again.
#[test]
fn the_full_example_round_trips() {
    let (config, warnings) =
        parse(FULL, "full.toml").unwrap_or_else(|problems| panic!("{}", render(&problems)));
    assert_eq!(warnings, [], "{}", render(&warnings));
    let shown = toml::to_string_pretty(&config).unwrap();
    let (again, warnings) =
        parse(&shown, "shown.toml").unwrap_or_else(|problems| panic!("{}", render(&problems)));
    assert_eq!(again, config);
    assert!(warnings.iter().all(|problem| problem.severity == Level::Warning));
}

/// The example of everything uses every key that there is, so that nothing is left without an example.
#[test]
fn the_full_example_is_full() {
    fn keys(schema: &serde_json::Value, all: &mut Vec<String>) {
        match schema {
            serde_json::Value::Object(object) => {
                if let Some(serde_json::Value::Object(properties)) = object.get("properties") {
                    all.extend(properties.keys().cloned());
                }
                object.values().for_each(|value| keys(value, all));
            }
            serde_json::Value::Array(items) => items.iter().for_each(|item| keys(item, all)),
            _ => {}
        }
    }
    let mut all = Vec::new();
    keys(unship::config::json_schema(), &mut all);
    for key in all {
        assert!(FULL.contains(&key), "`{key}` is not in the example");
    }
}

/// However a secret is put in the wrong place, or in the right place the wrong way, it is not repeated in any form.
#[test]
fn secrets_are_never_repeated() {
    for text in [
        // Plain, in another type, in a table, over several lines.
        "[channels.c]\nkind = \"webhook\"\nkey = \"hunter2\"",
        "[channels.c]\nkind = \"webhook\"\nkey = hunter2",
        "[channels.c]\nkind = \"webhook\"\nkey = \"hunter2",
        "[channels.c]\nkind = \"webhook\"\nkey = 'env: hunter2'x",
        "[channels.c]\nkind = \"webhook\"\nkey = [\"hunter2\"]",
        "[channels.c]\nkind = \"webhook\"\nkey = { value = \"hunter2\" }",
        "[channels.c]\nkind = \"webhook\"\nkey = \"\"\"\nhunter2\nhunter2\"\"\"",
        "[channels.c]\nkind = \"webhook\"\nkey = \"\"\"\nhunter2\nhunter2",
        "[channels.c]\nkind = \"webhook\"\nkey = \"env:A\"\nkey = \"hunter2\"",
        "[channels.c]\nkind = \"webhook\"\nkey: hunter2",
        "[channels.c]\nkind = \"webhook\"\nkey \"hunter2\"",
        // Beside another mistake on its line.
        "channels.c = { kind = \"webhok\", key = \"hunter2\" }",
        "channels.c = { kind = \"webhook\", key = \"hunter2\", severity = \"hihg\" }",
        "channels.c = { kind = \"webhook\" key = \"hunter2\" }",
        "channels.c = { key = \"hunter2\" }",
        "chanels.c = { kind = \"webhook\", key = \"hunter2\" }",
        // Below a misspelt or unknown name.
        "[services.a.probes.b]\nsecret_header = { cookies = \"hunter2\" }",
        "[services.a.probes.b.secret_headers]\nx = \"hunter2\"",
        "[services.a.probes.b.secretheaders]\nx = \"hunter2\"\ny = 1\ny = 2",
        "[nonsense]\npassword = \"hunter2\"\n[services.a.platform.secret-env]\nX = \"hunter2\"",
        "[services.a.probes.b]\nurl = \"http://me:hunter2@a\"\nheaders = { authorization = \"hunter2\", b = 1 }",
        "[services.a.platform]\nkind = \"command\"\nsecret_env.X = \"hunter2\"\nsecret_env.Y = 5",
    ] {
        for text in
            [text.to_owned(), format!("{text}\n"), format!("{GOOD}\n{text}"), format!("{text}\n{GOOD}")]
        {
            let found = problems(&text);
            assert!(!found.is_empty(), "{text}");
            for shown in [render(&found), format!("{found:?}"), serde_json::to_string(&found).unwrap()] {
                assert!(!shown.contains("hunter2"), "{text}\n---\n{shown}");
            }
        }
    }
}

/// Circles and long chains of dependencies among many services are found without running out of anything.
#[test]
fn many_services_are_checked() {
    let mut text = "[environment]\nname = \"a\"\n".to_owned();
    for index in 0..3_000 {
        let next = (index + 1) % 3_000;
        write!(
            text,
            "[services.s{index}]\nplatform = {{ kind = \"command\", observe = [\"o\"], roll_back = [\"r\"] }}\ndepends_on = [\"s{next}\"]\n"
        )
        .unwrap();
    }
    let found = problems(&text);
    assert_eq!(found.iter().filter(|problem| problem.severity == Level::Error).count(), 1);
}

/// One change to the text, as a slip of the hand makes it.
#[derive(Clone, Debug)]
enum Slip {
    Delete(prop::sample::Index, usize),
    Insert(prop::sample::Index, String),
    Swap(prop::sample::Index, prop::sample::Index),
    Repeat(prop::sample::Index),
    Cut(prop::sample::Index),
}

fn slip() -> impl Strategy<Value = Slip> {
    let piece = prop_oneof![
        prop::sample::select(vec![
            "\"",
            "'",
            "\"\"\"",
            "[",
            "]",
            "[[",
            "]]",
            "{",
            "}",
            "=",
            ".",
            ",",
            "\n",
            "#",
            " ",
            "\\",
            "\0",
            "\r",
            "\t",
            "0",
            "-",
            "%",
            "s",
            "nan",
            "true",
            "1e999",
            "99999999999999999999",
            "2026-01-01",
            "kind",
            "[services]",
            "env:",
            "ü",
            "\u{feff}",
            "key = 1\n",
            "[a.b]\n",
        ])
        .prop_map(str::to_owned),
        any::<String>(),
    ];
    prop_oneof![
        (any::<prop::sample::Index>(), 1_usize..20).prop_map(|(at, length)| Slip::Delete(at, length)),
        (any::<prop::sample::Index>(), piece).prop_map(|(at, text)| Slip::Insert(at, text)),
        (any::<prop::sample::Index>(), any::<prop::sample::Index>()).prop_map(|(a, b)| Slip::Swap(a, b)),
        any::<prop::sample::Index>().prop_map(Slip::Repeat),
        any::<prop::sample::Index>().prop_map(Slip::Cut),
    ]
}

fn apply(text: &str, slip: &Slip) -> String {
    let chars: Vec<char> = text.chars().collect();
    if chars.is_empty() {
        return String::new();
    }
    let mut lines: Vec<&str> = text.lines().collect();
    match slip {
        Slip::Delete(at, length) => {
            let at = at.index(chars.len());
            let end = (at + length).min(chars.len());
            chars[..at].iter().chain(&chars[end..]).collect()
        }
        Slip::Insert(at, more) => {
            let at = at.index(chars.len());
            chars[..at].iter().copied().chain(more.chars()).chain(chars[at..].iter().copied()).collect()
        }
        Slip::Swap(a, b) if !lines.is_empty() => {
            let (a, b) = (a.index(lines.len()), b.index(lines.len()));
            lines.swap(a, b);
            lines.join("\n")
        }
        Slip::Repeat(at) if !lines.is_empty() => {
            let at = at.index(lines.len());
            lines.insert(at, lines[at]);
            lines.join("\n")
        }
        Slip::Cut(at) => chars[..at.index(chars.len())].iter().collect(),
        Slip::Swap(..) | Slip::Repeat(_) => text.to_owned(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Whatever happens to a good file, it is either read or there is a problem with a place in the file; what is read
    /// can be shown and read again.
    #[test]
    fn no_slip_goes_unanswered(slips in prop::collection::vec(slip(), 1..6)) {
        let text = slips.iter().fold(FULL.to_owned(), |text, slip| apply(&text, slip));
        match parse(&text, "unship.toml") {
            Ok((config, _)) => {
                let shown = toml::to_string_pretty(&config).unwrap();
                prop_assert!(parse(&shown, "shown.toml").is_ok(), "{shown}");
            }
            Err(problems) => {
                prop_assert!(problems.iter().any(|problem| problem.severity == Level::Error));
                let bare = text.strip_prefix('\u{feff}').unwrap_or(&text);
                for problem in &problems {
                    valid_position(problem, bare);
                    let escapes = problem.to_string().contains('\u{1b}');
                    prop_assert!(!escapes, "an escape sequence gets through");
                }
            }
        }
    }

    /// Text that has nothing to do with a config does not break the checker.
    #[test]
    fn any_text_is_answered(text in any::<String>()) {
        let problems = parse(&text, "unship.toml").expect_err("nothing is required any more");
        let bare = text.strip_prefix('\u{feff}').unwrap_or(&text);
        for problem in &problems {
            valid_position(problem, bare);
        }
    }
}
