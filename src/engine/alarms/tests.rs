//! Triggers as alarms, and alarms as triggers.

use super::*;
use crate::config;
use crate::model::trigger::NoData;

const HEAD: &str = r#"
[environment]
name = "production"
[guardrails]
stale_after = "30m"
[sources.aws]
kind = "cloudwatch"
region = "eu-central-1"
period = "1m"
arms = { stable = "blue", canary = "green" }
alarms = { prefix = "shop-", actions = ["arn:aws:sns:eu-central-1:1:a"], ok_actions = ["arn:aws:sns:eu-central-1:1:b"] }
[services.checkout]
platform = { kind = "lab", admin = "http://127.0.0.1:1", service = "checkout" }
[services.checkout.indicators]
errors = { source = "aws", read = { kind = "ratio", bad = '["Shop", "Errors", "Arm", "{arm}"]', total = '["Shop", "Requests", "Arm", "{arm}"]', absent_is_zero = true } }
traffic = { source = "aws", read = { kind = "rate", counter = '["Shop", "Requests", "Service", "{service}"]' } }
slow = { source = "aws", read = { kind = "gauge", series = '["Shop", "Latency", { "stat": "p99" }]', unit = "seconds" } }
memory = { source = "aws", read = { kind = "gauge", series = '["Shop", "Memory"]', divide_by = '["Shop", "Limit", { "stat": "Minimum" }]' } }
"#;

fn config(triggers: &str) -> Config {
    let text = format!("{HEAD}{triggers}");
    config::parse(&text, "unship.toml").unwrap_or_else(|problems| panic!("{}", config::render(&problems))).0
}

/// A trigger with this condition, and more lines of its own.
fn trigger(when: &str, more: &str) -> Config {
    config(&format!(
        "[triggers.it]\nwhen = {{ kind = \"threshold\", {when} }}\naction = \"immediate\"\n{more}"
    ))
}

fn shown(alarm: &AlarmDefinition) -> String {
    let measure = match &alarm.measure {
        Measure::Metric(metric) => metric.to_string(),
        Measure::Math { metrics, expression } => {
            let metrics: Vec<String> = metrics.iter().map(|(id, metric)| format!("{id}: {metric}")).collect();
            format!("{expression} ({})", metrics.join("; "))
        }
    };
    let side = if alarm.above { ">" } else { "<" };
    let AlarmDefinition { name, threshold, period, evaluations, breaches, .. } = alarm;
    format!("{name}: {measure} {side} {threshold}, {breaches} of {evaluations} x {period} s")
}

/// What each kind of indicator becomes, for each arm, with the window as the period and the sustained time as data points.
#[test]
fn triggers_become_alarms() {
    for (when, more, wanted) in [
        (
            "indicator = \"errors\", above = \"5%\", over = \"1m\", for = \"2m\"",
            "min_samples = 20",
            &[
                "shop-production-checkout-it-stable: IF(total >= 20, FILL(bad, 0) / total) (bad: Sum of Shop Errors (Arm=blue); \
                 total: Sum of Shop Requests (Arm=blue)) > 0.05, 3 of 3 x 60 s",
                "shop-production-checkout-it-canary: IF(total >= 20, FILL(bad, 0) / total) (bad: Sum of Shop Errors (Arm=green); \
                 total: Sum of Shop Requests (Arm=green)) > 0.05, 3 of 3 x 60 s",
            ][..],
        ),
        (
            "indicator = \"traffic\", below = 0.5, over = \"90s\", out_of = { breaches = 2, evaluations = 3 }",
            "",
            &[
                "shop-production-checkout-it: events / PERIOD(events) (events: Sum of Shop Requests (Service=checkout)) < 0.5, \
                 2 of 3 x 120 s",
            ][..],
        ),
        (
            "indicator = \"slow\", above = \"1500ms\", over = \"5m\"",
            "",
            &["shop-production-checkout-it: p99 of Shop Latency > 1.5, 1 of 1 x 300 s"][..],
        ),
        (
            "indicator = \"memory\", above = \"90%\", over = \"5m\", for = \"6m\"",
            "scope = \"service\"",
            &[
                "shop-production-checkout-it: value / by (value: Average of Shop Memory; by: Minimum of Shop Limit) > 0.9, \
                 3 of 3 x 300 s",
            ][..],
        ),
    ] {
        let (alarms, left_out) = super::wanted(&trigger(when, more));
        assert_eq!(alarms.iter().map(shown).collect::<Vec<_>>(), wanted);
        assert_eq!(left_out, []);
    }
    let when = "indicator = \"errors\", above = \"5%\", over = \"1m\"";
    let (alarms, _) = super::wanted(&trigger(when, "arm = \"canary\"\nno_data = \"breach\""));
    let [alarm] = &alarms[..] else { panic!("{alarms:?}") };
    assert_eq!((alarm.arm, alarm.no_data), (Some(Arm::Canary), NoData::Breach));
    assert_eq!(
        alarm.description,
        "errors of checkout (canary) in production above 5 % over 1 m. Made by unship from its trigger it."
    );
    assert_eq!((alarm.actions.len(), alarm.ok_actions.len()), (1, 1));
}

/// What an alarm cannot do is said, not made otherwise.
#[test]
fn what_no_alarm_can_do() {
    for (when, more, says) in [
        ("indicator = \"errors\", above = \"5%\", over = \"1m\"", "scope = \"service\"", "one arm"),
        ("indicator = \"errors\", above = \"5%\", over = \"1m\"", "scope = \"environment\"", "one service"),
        (
            "indicator = \"slow\", above = \"2s\", over = \"20m\", for = \"25h\"",
            "",
            "looks back over 1 d at most",
        ),
    ] {
        let (alarms, left_out) = super::wanted(&trigger(when, more));
        assert_eq!(alarms, []);
        assert_eq!(left_out.len(), 1);
        assert!(left_out[0].reason.contains(says), "{}", left_out[0].reason);
    }
}

/// The alarms that have to be read are those that triggers watch, for each of their services, each once.
#[test]
fn alarms_that_are_watched() {
    let alarm = |name: &str, alarm: &str| {
        format!(
            "[triggers.{name}]\nwhen = {{ kind = \"alarm\", source = \"aws\", alarm = \"{alarm}\" }}\naction = \"watch\"\n"
        )
    };
    let triggers =
        [alarm("a", "{service}-errors"), alarm("b", "checkout-errors"), alarm("c", "all")].concat();
    assert_eq!(watched(&config(&triggers), &"aws".into()), ["all", "checkout-errors"]);
}
