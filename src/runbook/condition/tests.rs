//! Conditions: what is read, what is refused, and the laws of three values.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::runbook::Registry;

/// A world of a few values.
struct World(BTreeMap<String, Value>);

impl Facts for World {
    fn read(&self, path: &Path) -> Sensed {
        Sensed { value: self.0.get(&path.to_string()).cloned(), at: None, told: None }
    }
}

fn truth(text: &str, world: &[(&str, Value)]) -> Truth {
    let world = World(world.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect());
    Condition::parse(text).unwrap().evaluate(&world).truth
}

/// A condition means what a person reads in it: `and` binds tighter than `or`, units are units, unknown is neither.
#[test]
fn conditions_mean_what_they_say() {
    use Truth::{False, True, Unknown};
    let world = [
        ("canary.error_rate", Value::Share(0.0042)),
        ("canary.p99", Value::Duration(0.25)),
        ("canary.requests", Value::Rate(12.0)),
        ("incident.sev", Value::Number(2.0)),
        ("canary.health", Value::Text("healthy".to_owned())),
        ("yes", Value::Bool(true)),
        ("no", Value::Bool(false)),
        ("freeze[\"check out\"]", Value::Bool(false)),
        ("odd", Value::Number(f64::NAN)),
    ];
    for (text, expected) in [
        ("canary.error_rate < 1%", True),
        ("canary.error_rate<0.42 %", False),
        ("canary.error_rate <= 0.42%", True),
        ("canary.p99 >= 250ms and canary.p99 < 1s and canary.p99 != 1m", True),
        ("canary.requests > 10/s", True),
        ("incident.sev == 2", True),
        ("incident.sev != 2", False),
        ("canary.health == \"healthy\"", True),
        ("canary.health == 'failing'", False),
        ("freeze['check out'] == false", True),
        ("not freeze[\"check out\"]", True),
        ("yes or no and no", True),
        ("(yes or no) and no", False),
        ("gone", Unknown),
        ("gone and no", False),
        ("gone and yes", Unknown),
        ("gone or yes", True),
        ("gone or no", Unknown),
        ("not gone", Unknown),
        ("gone == gone", Unknown),
        ("yes == no", False),
        // Of another kind at the moment of asking: nothing is known.
        ("incident.sev == 2%", Unknown),
        ("canary.health", Unknown),
        ("odd == 1", Unknown),
        ("odd != 1", Unknown),
    ] {
        assert_eq!(truth(text, &world), expected, "{text}");
    }
}

/// What cannot be read is refused with the place and what was expected.
#[test]
fn what_is_no_condition_is_refused() {
    for (text, at, part) in [
        ("", 0, "expected a name"),
        ("canary.", 7, "behind the dot"),
        ("canary.p99 <", 12, "expected a value"),
        ("canary.p99 = 1s", 11, "`==`"),
        ("!yes", 0, "`not`"),
        ("a b", 2, "expected `and`"),
        ("a and", 5, "expected a name"),
        ("(a", 2, "expected `)`"),
        ("a[b]", 2, "in quotes"),
        ("a[\"b\"", 5, "expected `]`"),
        ("a == \"b", 5, "not closed"),
        ("a < 5h", 4, "no unit"),
        ("a < -", 4, "behind `-`"),
        ("not not a", 4, "expected a name"),
        ("true", 0, "expected a name"),
        ("a; b", 1, "no meaning"),
        ("f(x)", 1, "expected `and`"),
    ] {
        let error = Condition::parse(text).unwrap_err();
        assert!(error.text.contains(part), "{text}: {error}");
        assert_eq!(error.at, at, "{text}: {error}");
    }
    assert!(Condition::parse(&"(".repeat(1_000)).unwrap_err().text.contains("deep"));
    assert!(Condition::parse(&"a or ".repeat(1_000)).unwrap_err().text.contains("bytes"));
}

/// A typo, a wrong unit or a word that is never said fails when the runbook is loaded, with what would be right.
#[test]
fn names_and_units_are_checked() {
    let names = Registry::unchecked();
    for text in [
        "incident.sev <= 2 and not incident.acknowledged",
        "canary.error_rate > stable.error_rate",
        "canary.version != stable.version",
        "service[\"x\"].canary.p99 < 300ms",
        "canary.indicator[\"anything\"] < 3",
        "canary.requests > 10/s",
        "rollback.state == \"verified\"",
    ] {
        assert_eq!(Condition::parse(text).unwrap().check(&names), [], "{text}");
    }
    for (text, rule, part) in [
        ("canary.eror_rate < 1%", "unknown-name", "did you mean `canary.error_rate`"),
        (
            "canary.error_rate < 0.01",
            "unit",
            "`canary.error_rate` is compared with percent, like `1%`, not with `0.01`",
        ),
        ("canary.p99 < 300", "unit", "a time"),
        ("canary.requests > 10", "unit", "events a second"),
        ("canary.error_rate", "unit", "not true or false"),
        ("canary.health > \"degraded\"", "unit", "no order"),
        ("canary.health == \"fine\"", "unknown-name", "one of healthy, degraded, failing"),
        ("canary.health == healthy", "condition", "in quotes"),
        ("canary.p99 < canary.error_rate", "unit", "is not that"),
        ("weather.rain == true", "unknown-name", "weather.rain"),
    ] {
        let wrong = Condition::parse(text).unwrap().check(&names);
        assert_eq!(wrong.len(), 1, "{text}: {wrong:?}");
        assert_eq!(wrong[0].rule, rule, "{text}: {wrong:?}");
        assert!(wrong[0].text.contains(part), "{text}: {}", wrong[0].text);
    }
    // Each of them, with its place.
    let wrong = Condition::parse("yes and canary.p50 < 3").unwrap().check(&names);
    assert_eq!(wrong.iter().map(|wrong| wrong.at).collect::<Vec<_>>(), [0, 8]);
}

fn name() -> impl Strategy<Value = String> {
    "[a-z][a-z0-9_-]{0,6}"
        .prop_filter("a keyword", |name| !matches!(name.as_str(), "and" | "or" | "not" | "true" | "false"))
}

fn a_path() -> impl Strategy<Value = Path> {
    let part = prop_oneof![name().prop_map(Part::Name), ".{0,6}".prop_map(Part::Key)];
    (name(), prop::collection::vec(part, 0..3))
        .prop_map(|(first, rest)| Path { parts: std::iter::once(Part::Name(first)).chain(rest).collect() })
}

fn a_number() -> impl Strategy<Value = f64> {
    prop_oneof![0.0..1_000.0_f64, (0_u32..100_000).prop_map(|number| f64::from(number) / 100.0)]
}

fn a_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        a_number().prop_map(Value::Number),
        a_number().prop_map(|percent| Value::Share(percent / 100.0)),
        a_number().prop_map(Value::Duration),
        (0_u32..5_000).prop_map(|ms| Value::Duration(f64::from(ms) / 1_000.0)),
        a_number().prop_map(Value::Rate),
        ".{0,8}".prop_map(Value::Text),
        any::<bool>().prop_map(Value::Bool),
    ]
}

fn an_op() -> impl Strategy<Value = Op> {
    prop::sample::select(vec![Op::Less, Op::AtMost, Op::More, Op::AtLeast, Op::Is, Op::IsNot])
}

fn an_expression() -> impl Strategy<Value = Expression> {
    let target = prop_oneof![a_value().prop_map(Target::Value), a_path().prop_map(Target::Path)];
    let leaf = (a_path(), prop::option::of((an_op(), target)))
        .prop_map(|(path, target)| Expression::Compare(Comparison { path, target }));
    leaf.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(Expression::Or),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Expression::And),
            inner.prop_map(|inner| Expression::Not(Box::new(inner))),
        ]
    })
}

fn a_truth() -> impl Strategy<Value = Truth> {
    prop::sample::select(vec![Truth::True, Truth::False, Truth::Unknown])
}

proptest! {
    /// A condition that is printed, as in a journal or a sidecar, reads back as the same condition.
    #[test]
    fn printing_loses_nothing(expression in an_expression()) {
        let text = expression.to_string();
        if text.len() <= 2_000 {
            let back = Condition::parse(&text).map_err(|error| TestCaseError::fail(format!("{text}: {error}")))?;
            prop_assert_eq!(back.expression(), &expression, "{}", text);
        }
    }

    /// No text, however odd, makes the reader panic, and its error points into the text.
    #[test]
    fn reading_is_total(text in r#"([a-z.<>=!%"'\[\]() 0-9-]|and|or|not|\PC){0,40}"#) {
        if let Err(error) = Condition::parse(&text) {
            prop_assert!(error.at <= text.len());
        }
    }

    /// Whatever the world holds, evaluation gives an answer, and one comparison for each that is written.
    #[test]
    fn evaluation_is_total(expression in an_expression(), value in prop::option::of(a_value())) {
        struct All(Option<Value>);
        impl Facts for All {
            fn read(&self, _: &Path) -> Sensed {
                Sensed { value: self.0.clone(), at: None, told: None }
            }
        }
        let mut written = 0;
        check::each(&expression, &mut |_| written += 1);
        let condition = Condition { source: expression.to_string(), expression };
        let evaluation = condition.evaluate(&All(value.clone()));
        prop_assert_eq!(evaluation.comparisons.len(), written);
        // Nothing known, nothing said.
        if value.is_none() {
            prop_assert_eq!(evaluation.truth, Truth::Unknown);
        }
    }

    /// Kleene's laws: De Morgan, double negation, order does not matter, unknown never decides.
    #[test]
    fn three_values_keep_their_laws(a in a_truth(), b in a_truth(), c in a_truth()) {
        prop_assert_eq!(!Truth::all([a, b]), Truth::any([!a, !b]));
        prop_assert_eq!(!!a, a);
        prop_assert_eq!(Truth::all([a, b]), Truth::all([b, a]));
        prop_assert_eq!(Truth::any([a, Truth::all([b, c])]), Truth::all([Truth::any([a, b]), Truth::any([a, c])]));
        prop_assert_eq!(Truth::all([a, Truth::Unknown]) == Truth::False, a == Truth::False);
        prop_assert_eq!(Truth::any([a, Truth::Unknown]) == Truth::True, a == Truth::True);
    }
}
