//! Policies on synthetic pasts: what they would have taken back, how soon, and how often for nothing.

use std::time::Duration;

use jiff::Timestamp;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use unship::config::Config;
use unship::engine::State;
use unship::engine::backtest::{Incidents, Marked, Moment, Origin, Policy, Replay, Report, score};
use unship::model::Span;
use unship::model::command::Actor;
use unship::model::decision::Guardrail;
use unship::model::event::Event;
use unship::model::incident::Level;
use unship::model::judge::JudgeSpec;
use unship::model::release::{Arm, Quality};
use unship::model::source::{Reading, Sample, SampleValue, SourceReport, Subject};

use crate::harness::{self, settings, start};

/// A past that is written second by second.
struct Past {
    moments: Vec<(Timestamp, Moment)>,
    now: Timestamp,
    random: StdRng,
}

impl Past {
    /// 2.0 serves `shop` and is known to be good.
    fn new() -> Self {
        let mut past = Self { moments: Vec::new(), now: start(), random: StdRng::seed_from_u64(17) };
        past.serves(&[("2.0", Arm::Stable, 100)]);
        past.event(Event::ReleaseMarked {
            service: "shop".into(),
            version: "2.0".into(),
            release: "ref-2.0".into(),
            quality: Quality::Good,
            by: Actor::Engine,
            reason: "healthy as stable".into(),
        });
        past
    }

    fn event(&mut self, event: Event) {
        self.moments.push((self.now, Moment::Event(Box::new(event))));
    }

    fn serves(&mut self, shares: &[(&str, Arm, u8)]) {
        let inventory = harness::inventory(shares);
        self.event(Event::InventoryChanged { service: "shop".into(), inventory });
    }

    /// Readings of versions with so many requests a second and such a share of errors.
    fn runs(&mut self, times: u32, every: u64, traffic: &[(&str, u32, f64)]) {
        for _ in 0..times {
            let from = self.now;
            self.now += Duration::from_secs(every);
            let mut samples = Vec::new();
            for (version, rate, errors) in traffic {
                let total = rate * every as u32;
                let bad = (0..total).filter(|_| self.random.random_bool(*errors)).count() as u32;
                samples.push(Sample {
                    service: "shop".into(),
                    indicator: "errors".into(),
                    subject: Subject::Version((*version).into()),
                    from,
                    at: self.now,
                    value: SampleValue::Ratio { bad: f64::from(bad), total: f64::from(total) },
                });
            }
            let result = Ok(Reading { samples, ..Reading::default() });
            let report = SourceReport { source: "metrics".into(), at: self.now, result };
            self.moments.push((self.now, Moment::Read(report)));
        }
    }

    /// Plays it to policies, with incidents that were marked by hand.
    fn play(&self, policies: &[Policy], marked: &[Marked]) -> Report {
        let from = start();
        let mut recorded = State::default();
        let mut incidents = Incidents::new(&recorded, from);
        let mut replays: Vec<Replay> =
            policies.iter().map(|policy| Replay::new(policy, &recorded, from)).collect();
        for (at, moment) in &self.moments {
            if let Moment::Event(event) = moment {
                incidents.take(*at, event, &recorded);
                recorded.apply(event, *at);
            }
            for replay in &mut replays {
                replay.take(*at, moment, &recorded);
            }
        }
        let outcomes = replays.into_iter().map(|replay| replay.finish(self.now)).collect();
        score((from, self.now), incidents.finish(marked.to_vec(), self.now), outcomes, Vec::new())
    }
}

/// A policy: the tests' config without its triggers, changed.
fn policy(name: &str, change: impl FnOnce(&mut Config)) -> Policy {
    let settings = settings(|config| {
        config.triggers.retain(|name, _| name.as_str() == "down");
        change(config);
    });
    Policy::new(name, &settings.config, &settings.platforms)
}

fn judge() -> Policy {
    policy("judge", |config| config.judge = Some(JudgeSpec::default()))
}

fn with_trigger(name: &str, text: &str) -> Policy {
    let trigger = toml::from_str(text).unwrap();
    policy(name, |config| {
        config.triggers.insert("it".into(), trigger);
    })
}

/// More than 5 % of errors for a minute.
fn plain() -> Policy {
    with_trigger(
        "plain",
        r#"when = { kind = "threshold", indicator = "errors", above = "5%", over = "60s", for = "60s" }
        action = "immediate"
        min_samples = 20"#,
    )
}

/// Anything that looks worse than stable.
fn eager() -> Policy {
    with_trigger(
        "eager",
        r#"when = { kind = "comparison", indicator = "errors", with = "stable", more_than = "0.5%", over = "5s" }
        action = "immediate"
        min_samples = 20"#,
    )
}

fn by_hand(from: Timestamp, to: Timestamp) -> Marked {
    Marked::by_hand(1, vec!["shop".into()], from, Some(to))
}

/// A good canary that was promoted, and one with five points more errors that a person took back after five minutes; the
/// second is the incident.
fn a_good_and_a_bad_one() -> (Past, Marked) {
    let mut past = Past::new();
    past.runs(300, 1, &[("2.0", 100, 0.01)]);
    past.serves(&[("2.0", Arm::Stable, 90), ("3.0", Arm::Canary, 10)]);
    past.runs(600, 1, &[("2.0", 90, 0.01), ("3.0", 10, 0.01)]);
    past.serves(&[("3.0", Arm::Stable, 100)]);
    past.event(Event::ReleaseMarked {
        service: "shop".into(),
        version: "3.0".into(),
        release: "ref-3.0".into(),
        quality: Quality::Good,
        by: Actor::Engine,
        reason: "healthy as stable".into(),
    });
    past.runs(7_200, 1, &[("3.0", 100, 0.01)]);
    let began = past.now;
    past.serves(&[("3.0", Arm::Stable, 90), ("4.0", Arm::Canary, 10)]);
    past.runs(300, 1, &[("3.0", 90, 0.01), ("4.0", 10, 0.06)]);
    past.serves(&[("3.0", Arm::Stable, 100)]);
    let incident = by_hand(began, past.now);
    past.runs(300, 1, &[("3.0", 100, 0.01)]);
    (past, incident)
}

/// The judge finds five points more errors within a minute and leaves the good canary alone; a limit of 5 % needs two
/// minutes at least; what takes every difference for harm takes the good one back too, once for all its time.
#[test]
fn policies_are_compared_over_the_same_past() {
    let (past, incident) = a_good_and_a_bad_one();
    let began = incident.from;
    let report = past.play(&[judge(), plain(), eager()], &[incident]);
    let [judge, plain, eager] = &report.policies[..] else { panic!("{report:?}") };

    assert_eq!((judge.found, judge.rolled_back, judge.false_alarms), (1, 1, 0), "{judge:?}");
    assert_eq!(judge.rollbacks.len(), 1, "one incident is one rollback");
    let rollback = &judge.rollbacks[0];
    assert_eq!(rollback.from.as_ref().unwrap().0.as_str(), "4.0");
    assert_eq!(rollback.to.as_ref().unwrap().as_str(), "3.0");
    assert_eq!(rollback.triggers, ["judge".into()]);
    assert_eq!(rollback.incident.as_ref().unwrap().as_str(), "#1");
    let took = judge.met[0].rolled_back_after_ms.unwrap();
    assert!((2_000..=60_000).contains(&took), "{took} ms");
    assert_eq!(rollback.at, began + Duration::from_millis(took.unsigned_abs()));
    assert_eq!(rollback.until, Some(began + Duration::from_secs(300)), "then the past took it back itself");

    assert_eq!(plain.false_alarms, 0, "{plain:?}");
    assert!(plain.met[0].rolled_back_after_ms.is_none_or(|plain| plain > took), "{plain:?}");

    assert_eq!(eager.rollbacks.len(), 2, "{eager:?}");
    assert_eq!((eager.false_alarms, eager.rolled_back), (1, 1), "{eager:?}");
    assert_eq!(eager.rollbacks[0].incident, None);
    assert_eq!(eager.rollbacks[0].until, Some(began), "until the next release: {eager:?}");
    let weeks = 8_700.0 / (7.0 * 86_400.0);
    assert!((eager.false_alarms_a_week - 1.0 / weeks).abs() < 1e-6, "{}", eager.false_alarms_a_week);
}

/// A week with a good release every day: no false alarm, by the judge nor by a limit.
#[test]
fn a_healthy_week_has_no_false_alarm() {
    let mut past = Past::new();
    for day in 0..7 {
        let (stable, canary) = if day % 2 == 0 { ("2.0", "3.0") } else { ("3.0", "2.0") };
        past.serves(&[(stable, Arm::Stable, 90), (canary, Arm::Canary, 10)]);
        past.runs(120, 60, &[(stable, 18, 0.01), (canary, 2, 0.01)]);
        past.serves(&[(canary, Arm::Stable, 100)]);
        past.runs(1_320, 60, &[(canary, 20, 0.01)]);
    }
    let minutely = |policy: Policy| {
        let mut config = (*policy.settings.config).clone();
        config.guardrails.stale_after = Span::secs(180);
        for source in config.sources.values_mut() {
            let unship::model::source::SourceSpec::Scrape(scrape) = source else { panic!() };
            scrape.interval = Span::secs(60);
        }
        Policy::new(policy.name.clone(), &config, &policy.settings.platforms)
    };
    let limit = with_trigger(
        "limit",
        r#"when = { kind = "threshold", indicator = "errors", above = "5%", over = "5m" }
        action = "immediate"
        min_samples = 20"#,
    );
    let report = past.play(&[minutely(judge()), minutely(limit)], &[]);
    for policy in &report.policies {
        assert_eq!((policy.rollbacks.len(), policy.false_alarms), (0, 0), "{policy:?}");
        assert!(policy.held_back.is_empty() && policy.found == 0, "{policy:?}");
    }
    assert!(report.to.duration_since(report.from).as_secs() == 7 * 86_400);
}

/// What cannot be played is named: probes are not recorded. A past in which somebody had turned automatic action off is
/// played all the same.
#[test]
fn what_was_switched_off_then_is_played() {
    let judge = judge();
    assert_eq!(judge.left_out, ["down".into()]);
    let mut past = Past::new();
    past.event(Event::AutomaticSet {
        on: false,
        by: Actor::Person { name: "ana".into() },
        reason: "we only look".into(),
    });
    past.runs(300, 1, &[("2.0", 100, 0.01)]);
    past.serves(&[("2.0", Arm::Stable, 90), ("3.0", Arm::Canary, 10)]);
    past.runs(60, 1, &[("2.0", 90, 0.01), ("3.0", 10, 0.9)]);
    assert_eq!(past.play(&[judge], &[]).policies[0].rollbacks.len(), 1);
}

/// A freeze of the past holds in it, and what it forbade is counted; found is found all the same.
#[test]
fn a_freeze_holds_back() {
    let mut past = Past::new();
    past.event(Event::FreezeSet {
        service: Some("shop".into()),
        until: None,
        by: Actor::Person { name: "ana".into() },
        reason: "a move".into(),
    });
    past.runs(300, 1, &[("2.0", 100, 0.01)]);
    let began = past.now;
    past.serves(&[("2.0", Arm::Stable, 90), ("3.0", Arm::Canary, 10)]);
    past.runs(60, 1, &[("2.0", 90, 0.01), ("3.0", 10, 0.9)]);
    let report = past.play(&[judge()], &[by_hand(began, past.now)]);
    let policy = &report.policies[0];
    assert!(policy.rollbacks.is_empty(), "{policy:?}");
    assert_eq!(policy.held_back[0].guardrails, [Guardrail::Freeze]);
    assert_eq!((policy.found, policy.rolled_back), (1, 0));
    assert!(policy.met[0].detected_after_ms.unwrap() < 30_000, "{policy:?}");
}

/// The incidents of the journal: what the guard declared began with its finding, and a rollback inside is not another one.
/// A policy that is slower than the past finds nothing left, and that is told.
#[test]
fn the_incidents_of_the_journal() {
    let mut past = Past::new();
    past.runs(300, 1, &[("2.0", 100, 0.01)]);
    past.serves(&[("2.0", Arm::Stable, 90), ("3.0", Arm::Canary, 10)]);
    past.runs(30, 1, &[("2.0", 90, 0.01), ("3.0", 10, 0.9)]);
    let opened = past.now;
    past.event(Event::IncidentOpened {
        incident: "INC-7".into(),
        title: "shop is failing".into(),
        level: Level::Sev2,
        services: vec!["shop".into()],
        by: Actor::Person { name: "ana".into() },
        reason: String::new(),
    });
    past.runs(20, 1, &[("2.0", 90, 0.01), ("3.0", 10, 0.9)]);
    let plan = {
        let mut world = harness::World::with_canary();
        world.roll_back("shop", None, &[Guardrail::Target]);
        let mut plan = world.operation().plan.clone();
        plan.from = harness::release("3.0", 10);
        plan
    };
    past.event(Event::OperationPlanned {
        operation: "op-1".into(),
        plan,
        by: Actor::Person { name: "ana".into() },
        reason: "5xx".into(),
        decision: None,
        command: None,
        guardrails: Vec::new(),
    });
    let taken_back = past.now;
    past.serves(&[("2.0", Arm::Stable, 100)]);
    past.runs(120, 1, &[("2.0", 100, 0.01)]);
    past.event(Event::IncidentResolved {
        incident: "INC-7".into(),
        by: Actor::Person { name: "ana".into() },
        reason: "over".into(),
    });
    past.runs(60, 1, &[("2.0", 100, 0.01)]);
    let report = past.play(&[judge(), plain()], &[]);
    let [incident] = &report.incidents[..] else { panic!("{report:?}") };
    assert_eq!((incident.id.as_str(), incident.origin, incident.from), ("INC-7", Origin::Person, opened));
    assert_eq!(incident.taken_back_at, Some(taken_back));
    let [judge, plain] = &report.policies[..] else { panic!() };
    // Before a person noticed: that is early, not false.
    assert!(judge.met[0].rolled_back_after_ms.unwrap() < 0, "{judge:?}");
    assert_eq!((judge.false_alarms, judge.rolled_back), (0, 1));
    assert_eq!((plain.found, plain.rollbacks.len()), (0, 0), "{plain:?}");
}

/// What the guard declared began when its finding began to hold. A rollback by a person outside of it is an incident of its own,
/// from the release's coming, an hour at most, to its end; marks by hand stand for all of them.
#[test]
fn incidents_begin_where_it_began() {
    let mut world = harness::World::with_canary();
    for _ in 0..10 {
        world.second("shop", &[("3.0", 80.0, 0.0), ("4.0", 20.0, 10.0)]);
        if world.says("incident_opened") > 0 {
            break;
        }
    }
    let mut recorded = State::default();
    let mut incidents = Incidents::new(&recorded, start());
    let mut play = |at: Timestamp, event: &Event| {
        incidents.take(at, event, &recorded);
        recorded.apply(event, at);
    };
    world.events.iter().for_each(|(at, event)| play(*at, event));
    let since = world.events.iter().find_map(|(_, event)| match event {
        Event::FindingRaised { finding } => Some(finding.since),
        _ => None,
    });
    let later = start() + Duration::from_secs(90_000);
    let by = Actor::Person { name: "ana".into() };
    let serves = Event::InventoryChanged {
        service: "swap".into(),
        inventory: harness::inventory(&[("4.0", Arm::Stable, 100)]),
    };
    play(later - Duration::from_secs(600), &serves);
    let mut plan = world.operation().plan.clone();
    plan.service = "swap".into();
    plan.from = harness::release("4.0", 1);
    play(
        later,
        &Event::OperationPlanned {
            operation: "op-9".into(),
            plan,
            by,
            reason: "5xx".into(),
            decision: None,
            command: None,
            guardrails: Vec::new(),
        },
    );
    let end = later + Duration::from_secs(3_600);
    let marked = by_hand(start(), end);
    assert_eq!(incidents.clone().finish(vec![marked.clone()], end).len(), 1);
    let found = incidents.finish(Vec::new(), end);
    let [declared, rollback] = &found[..] else { panic!("{found:?}") };
    assert_eq!((declared.origin, Some(declared.from), declared.to), (Origin::Guard, since, end));
    assert!(declared.taken_back_at.is_some(), "the guard took it back: {declared:?}");
    assert_eq!((rollback.origin, rollback.from), (Origin::Rollback, later - Duration::from_secs(600)));
    assert_eq!((rollback.id.as_str(), rollback.services[0].as_str()), ("op-9", "swap"));
}

/// Where no releases are known, a finding that asks for a rollback stands for one, as long as it holds.
#[test]
fn without_releases_findings_count() {
    let mut past = Past { moments: Vec::new(), now: start(), random: StdRng::seed_from_u64(1) };
    past.runs(60, 1, &[]);
    for errors in [0.01, 0.5, 0.01, 0.5, 0.01] {
        past.runs(120, 1, &[("2.0", 100, errors)]);
    }
    for (_, moment) in &mut past.moments {
        let Moment::Read(SourceReport { result: Ok(reading), .. }) = moment else { continue };
        reading.samples.iter_mut().for_each(|sample| sample.subject = Subject::Whole);
    }
    let limit = with_trigger(
        "limit",
        r#"when = { kind = "threshold", indicator = "errors", above = "5%", over = "5s" }
        action = "gradual"
        min_samples = 20"#,
    );
    let limit = {
        let mut config = (*limit.settings.config).clone();
        for source in config.sources.values_mut() {
            let unship::model::source::SourceSpec::Scrape(scrape) = source else { panic!() };
            scrape.arms = None;
        }
        Policy::new("limit", &config, &limit.settings.platforms)
    };
    let report = past
        .play(&[limit], &[by_hand(start() + Duration::from_secs(180), start() + Duration::from_secs(300))]);
    let policy = &report.policies[0];
    assert_eq!(policy.rollbacks.len(), 2, "{policy:?}");
    assert!(policy.rollbacks.iter().all(|rollback| rollback.from.is_none()));
    assert_eq!((policy.rolled_back, policy.false_alarms), (1, 1));
}
