//! Bodies of many dialects, and bodies of no good will.

use proptest::prelude::*;

use super::*;

fn auto(status: u16, body: &str) -> Judgement {
    judge(status, body.as_bytes(), &Expected::default())
}

fn by(rule: BodyRule, status: u16, body: &str) -> Judgement {
    judge(status, body.as_bytes(), &Expected { body: rule, ..Expected::default() })
}

/// A service's own words are understood, whatever framework wrote them.
#[test]
fn dialects() {
    use Health::{Degraded, Healthy, Unhealthy};
    for (body, wanted) in [
        (r#"{"status":"healthy"}"#, Healthy),
        (r#"{"status":"Degraded"}"#, Degraded),
        (r#"{"status":"UNHEALTHY"}"#, Unhealthy),
        (r#"{"status":"ok"}"#, Healthy),
        (r#"{"status":"warning"}"#, Degraded),
        (r#"{"status":"error"}"#, Unhealthy),
        (r#"{"status":"UP","components":{"db":{"status":"UP"}}}"#, Healthy),
        (r#"{"status":"DOWN"}"#, Unhealthy),
        (r#"{"status":"OUT_OF_SERVICE"}"#, Unhealthy),
        (r#"{"status":"UNKNOWN"}"#, Degraded),
        (r#"{"status":{"code":"DOWN","description":""}}"#, Unhealthy),
        (r#"{"status":"pass","version":"1"}"#, Healthy),
        (r#"{"status":"warn"}"#, Degraded),
        (r#"{"status":"fail"}"#, Unhealthy),
        (r#"{"status":"green"}"#, Healthy),
        (r#"{"status":"yellow"}"#, Degraded),
        (r#"{"status":"red"}"#, Unhealthy),
        (r#"{"healthy":true}"#, Healthy),
        (r#"{"healthy":false}"#, Unhealthy),
        (r#"{"ok":true}"#, Healthy),
        (r#"{"state":"running"}"#, Healthy),
        (r#""Healthy""#, Healthy),
        ("\u{feff}{\"status\":\"down\"}", Unhealthy),
        ("  OK\n", Healthy),
        ("Healthy", Healthy),
        ("Degraded", Degraded),
        ("not ready", Unhealthy),
        ("fail", Unhealthy),
        // Not a health document: the status alone decides.
        ("", Healthy),
        ("<html>down</html>", Healthy),
        ("error budget: 98 %", Healthy),
        (r#"{"status":200}"#, Healthy),
        (r#"{"status":"shipped"}"#, Healthy),
        (r#"{"status":"dow"#, Healthy),
        ("[]", Healthy),
    ] {
        assert_eq!(auto(200, body).health, wanted, "{body}");
    }
}

/// Dependencies are judged where the service does not judge itself: none down, up to half of them, more.
#[test]
fn dependencies_speak_for_a_service_without_a_status() {
    use Health::{Degraded, Healthy, Unhealthy};
    for (body, wanted) in [
        (r#"{"dependencies":{"db":"connected","redis":"connected"}}"#, Healthy),
        (r#"{"dependencies":{"db":"connected","redis":"disconnected"}}"#, Degraded),
        (r#"{"dependencies":{"db":"disconnected","redis":"disconnected","mq":"up"}}"#, Unhealthy),
        (r#"{"dependencies":[{"name":"db","status":"up"},{"name":"mq","status":"degraded"}]}"#, Degraded),
        (r#"{"services":{"db":true,"mq":false,"mail":true}}"#, Degraded),
        (r#"{"checks":{"db:time":[{"status":"pass"},{"status":"fail"}]}}"#, Unhealthy),
        (r#"{"checks":[{"name":"db","status":"DOWN"}]}"#, Unhealthy),
        (r#"{"components":{"config":{"status":"UNKNOWN"},"db":{"status":"UP"}}}"#, Healthy),
        (r#"{"dependencies":{"db":null,"x":7}}"#, Healthy),
        // Its own word counts for more: only the service knows what it can do without.
        (r#"{"status":"ok","dependencies":{"mail":"down"}}"#, Healthy),
    ] {
        assert_eq!(auto(200, body).health, wanted, "{body}");
    }
}

/// A status that was not expected is a failure, and only a JSON body that says "degraded" makes it less.
#[test]
fn status_and_body_together() {
    use Health::{Degraded, Healthy, Unhealthy};
    for (status, body, wanted, reason) in [
        (200, "", Healthy, ""),
        (204, "", Healthy, ""),
        (503, "", Unhealthy, "status 503"),
        (503, "<html>", Unhealthy, "status 503"),
        (302, "", Unhealthy, "status 302, a redirect; redirects are not followed"),
        (503, r#"{"status":"healthy"}"#, Unhealthy, "status 503, although the body says `healthy`"),
        (503, r#"{"status":"degraded"}"#, Degraded, "status 503: the body says `degraded`"),
        (503, "degraded", Unhealthy, "status 503: the body says `degraded`"),
        (503, r#"{"status":"unhealthy"}"#, Unhealthy, "status 503: the body says `unhealthy`"),
        (200, r#"{"status":"DOWN"}"#, Unhealthy, "the body says `DOWN`"),
        (
            503,
            r#"{"dependencies":{"db":"connected","redis":"disconnected"}}"#,
            Degraded,
            "status 503: the body says that 1 of 2 dependencies are down (redis unhealthy)",
        ),
        (
            503,
            r#"{"status":"degraded","dependencies":[{"name":"redis","status":"down","error":"timeout"}]}"#,
            Degraded,
            "status 503: the body says `degraded` (redis: timeout)",
        ),
    ] {
        let judged = auto(status, body);
        assert_eq!((judged.health, judged.reason.as_str()), (wanted, reason), "{status} {body}");
    }
    let expected = Expected { status: &[401], ..Expected::default() };
    assert_eq!(judge(401, b"", &expected).health, Healthy);
    assert_eq!(judge(200, b"", &expected).health, Unhealthy);
}

/// The rule of a probe decides what a body has to be.
#[test]
fn rules() {
    for (rule, body, reason) in [
        (BodyRule::Json, r#"{"status":"ok"}"#, ""),
        (BodyRule::Json, "", "the body is empty, not JSON"),
        (BodyRule::Json, "ok", "the body is not JSON"),
        (BodyRule::Json, "{}", "the body has no status"),
        (BodyRule::Json, r#"{"status":"shipped"}"#, "the body's status `shipped` is not a known word"),
        (BodyRule::Text, "ok", ""),
        (BodyRule::Text, "", "the body is empty"),
        (BodyRule::Text, "<html>", "the body `<html>` is not a known word"),
        (BodyRule::Ignore, "down", ""),
    ] {
        assert_eq!(by(rule, 200, body).reason, reason, "{rule:?} {body}");
    }
    let contains = Expected { contains: Some("db: up"), ..Expected::default() };
    assert_eq!(judge(200, b"x db: up x", &contains).health, Health::Healthy);
    assert_eq!(judge(200, b"ok", &contains).reason, "`db: up` is not in the body");
    assert_eq!(
        judge(500, b"ok", &contains).reason,
        "status 500, although the body says `ok`; `db: up` is not in the body"
    );
}

/// Everything that a person would want from a document is taken over.
#[test]
fn documents_are_read() {
    let body = r#"{"status":"degraded","version":"2.8.1","uptime":3600.5,
        "dependencies":[
            {"name":"postgres","status":"connected","response_ms":4},
            {"name":"redis","state":"timeout","latency":"2s","error":"no answer\u001b[31m"}],
        "metrics":{"requests":12,"rate":0.5,"name":"x"}}"#;
    let document = auto(200, body).document.unwrap();
    assert_eq!(document.version.as_deref(), Some("2.8.1"));
    assert_eq!(document.uptime_s, Some(3600.5));
    let redis = &document.dependencies[1];
    assert_eq!((redis.health, redis.response_ms), (Health::Unhealthy, Some(2_000.0)));
    assert_eq!(redis.error.as_deref(), Some("no answer [31m"), "control characters reach a terminal");
    assert_eq!(document.dependencies[0].response_ms, Some(4.0));
    assert_eq!(
        document.metrics.into_iter().collect::<Vec<_>>(),
        [("rate".to_owned(), 0.5), ("requests".to_owned(), 12.0)]
    );

    let health_json = r#"{"status":"pass","version":"1","releaseId":"1.2.2",
        "checks":{"cassandra:responseTime":[{"observedValue":250,"observedUnit":"ms","status":"warn","output":"slow"}],
                  "uptime":[{"observedValue":1209600.245,"observedUnit":"s","status":"pass"}]}}"#;
    let document = auto(200, health_json).document.unwrap();
    assert_eq!(document.version.as_deref(), Some("1.2.2"));
    let names: Vec<_> = document.dependencies.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["cassandra:responseTime", "uptime"]);
    assert_eq!(document.dependencies[0].response_ms, Some(250.0));
    assert_eq!(document.dependencies[0].error.as_deref(), Some("slow"));

    let spring = r#"{"status":"DOWN","components":{"db":{"status":"DOWN","details":{"error":"refused"}}}}"#;
    let judged = auto(503, spring);
    assert_eq!(judged.reason, "status 503: the body says `DOWN` (db: refused)");
}

/// A body that wants to do harm is judged like any other.
#[test]
fn hostile_bodies() {
    let deep = "[".repeat(200_000);
    let deep_object = format!("{}1{}", "{\"dependencies\":".repeat(5_000), "}".repeat(5_000));
    for body in
        [deep.as_str(), deep_object.as_str(), "{\"status\":1e999}", "\"\\ud800\"", "{\"a\":1,\"a\":2}"]
    {
        assert_eq!(auto(200, body).health, Health::Healthy);
        assert_eq!(by(BodyRule::Json, 200, body).health, Health::Unhealthy);
    }
    let many: Vec<String> = (0..10_000).map(|n| format!("\"d{n}\":\"down\"")).collect();
    let long = "x".repeat(100_000);
    let body =
        format!("{{\"status\":\"down\",\"version\":\"{long}\",\"dependencies\":{{{}}}}}", many.join(","));
    let judged = auto(200, &body);
    let document = judged.document.unwrap();
    assert!(document.dependencies.len() <= 64 && document.version.unwrap().len() < 100, "a document grew");
    assert!(judged.reason.len() < 400, "{}", judged.reason);
    assert_eq!(judge(200, &[0xff, 0xfe, b'{'], &Expected::default()).health, Health::Healthy);
}

proptest! {
    /// No body makes the judge panic, whatever the rule.
    #[test]
    fn any_body_is_judged(status: u16, bytes in prop::collection::vec(any::<u8>(), 0..200), text in r#"[{}\[\]":,a-z0-9 ]{0,80}"#) {
        for body in [BodyRule::Auto, BodyRule::Json, BodyRule::Text, BodyRule::Ignore] {
            let expected = Expected { body, contains: Some("a"), ..Expected::default() };
            for judged in [judge(status, &bytes, &expected), judge(status, text.as_bytes(), &expected)] {
                prop_assert_eq!(judged.health == Health::Healthy, judged.reason.is_empty());
            }
        }
    }
}
