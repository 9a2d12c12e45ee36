//! Triggers on alarms that a source keeps by itself.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use crate::config::Config;
use crate::model::source::{AlarmReading, AlarmState, SourceReport};
use crate::model::trigger::{Condition, Evaluation, Evidence, Status, Unknown};
use crate::model::{ServiceName, SourceName};

use super::super::watched;
use super::{Missing, Watcher};

/// The alarms that triggers watch, as they were read last.
#[derive(Clone, Debug, Default)]
pub(in crate::engine::senses) struct Alarms(BTreeMap<(SourceName, String), Seen>);

#[derive(Clone, Debug)]
struct Seen {
    alarm: AlarmReading,
    at: Timestamp,
    /// How long it says something: until another reading or two are overdue.
    lasts: Duration,
}

impl Alarms {
    /// Takes what a source says of its alarms.
    pub(in crate::engine::senses) fn take(
        &mut self,
        report: &SourceReport,
        alarms: &[AlarmReading],
        config: &Config,
    ) {
        let lasts =
            config.sources.get(&report.source).map_or(Duration::ZERO, |source| *source.interval() * 2);
        for alarm in alarms {
            let seen = Seen { alarm: alarm.clone(), at: report.at, lasts };
            self.0.insert((report.source.clone(), alarm.name.clone()), seen);
        }
    }
}

/// The services that triggers on alarms of a source watch.
pub(in crate::engine::senses) fn watching<'a>(
    config: &'a Config,
    source: &'a SourceName,
) -> impl Iterator<Item = ServiceName> + 'a {
    let on_alarms = config.triggers.values().filter(
        move |spec| matches!(&spec.when, Condition::Alarm { source: watched, .. } if watched == source),
    );
    on_alarms.flat_map(|spec| watched(config, spec).cloned())
}

impl Watcher {
    /// The evaluation of a condition on an alarm. `arrived`: when what serves now began to. An alarm that went off before
    /// that speaks of what served then.
    pub(in crate::engine::senses) fn alarm_evaluation(
        &self,
        alarms: &Alarms,
        now: Timestamp,
        stale_after: Duration,
        fault: Option<&str>,
        arrived: Option<Timestamp>,
        expected: Option<Timestamp>,
    ) -> Evaluation {
        let watched = self.service.as_ref().and_then(|service| self.spec.when.alarm(service));
        let Some((source, name)) = watched else {
            return self.unknown(Unknown::NoData, None, Duration::ZERO);
        };
        let seen = alarms.0.get(&(source.clone(), name.clone()));
        let lasts = stale_after.max(seen.map_or(Duration::ZERO, |seen| seen.lasts));
        let missing = Missing { expected, after: lasts, now };
        let evidence = |newest| Evidence {
            query: format!("alarm {name} of {source}"),
            ..self.nothing(newest, Duration::ZERO)
        };
        let unknown = |reason: Unknown, newest: Option<Timestamp>| {
            self.answer(Status::Unknown { reason }, evidence(newest), missing)
        };
        let Some(Seen { alarm, at, .. }) = seen else {
            let reason =
                fault.map_or(Unknown::NoData, |reason| Unknown::SourceError { reason: reason.to_owned() });
            return unknown(reason, None);
        };
        if *at < now && now.duration_since(*at).unsigned_abs() > lasts {
            let reason = match fault {
                Some(reason) => Unknown::SourceError { reason: reason.to_owned() },
                None => Unknown::Stale { since: *at },
            };
            return unknown(reason, Some(*at));
        }
        let stated = |status, value, said: &str| {
            let said = Some(said.to_owned());
            self.stated(status, Evidence { value: Some(value), said, ..evidence(Some(*at)) })
        };
        match &alarm.state {
            Ok(AlarmState::Ok) => stated(Status::Ok, 0.0, "OK"),
            Ok(AlarmState::Alarm) => {
                let since = alarm.since.unwrap_or(*at).min(now);
                if arrived.is_some_and(|arrived| since < arrived) {
                    let reason = format!(
                        "the alarm {name} went off at {since:.0}, before what serves now: it does not speak of it"
                    );
                    return stated(Status::Unknown { reason: Unknown::Alarm { reason } }, 1.0, "ALARM");
                }
                stated(Status::Breach { since }, 1.0, "ALARM")
            }
            Ok(AlarmState::InsufficientData) => {
                let reason = format!("the alarm {name} has too few data (INSUFFICIENT_DATA)");
                unknown(Unknown::Alarm { reason }, Some(*at))
            }
            Err(reason) => unknown(Unknown::Alarm { reason: reason.clone() }, Some(*at)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::config;
    use crate::engine::senses::Senses;
    use crate::engine::state::ServiceState;
    use crate::model::release::Arm;
    use crate::model::source::{Reading, SourceFault};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn environment(more: &str) -> Config {
        let text = format!(
            "[environment]\nname = \"production\"\n[guardrails]\nstale_after = \"4m\"\n\
             [sources.aws]\nkind = \"cloudwatch\"\nregion = \"eu-central-1\"\n\
             [services.checkout]\nplatform = {{ kind = \"lab\", admin = \"http://127.0.0.1:1\", service = \"a\" }}\n\
             [triggers.alarm]\nwhen = {{ kind = \"alarm\", source = \"aws\", alarm = \"{{service}}-errors\" }}\n\
             action = \"immediate\"\n{more}"
        );
        config::parse(&text, "unship.toml")
            .unwrap_or_else(|problems| panic!("{}", config::render(&problems)))
            .0
    }

    fn report(second: i64, result: Result<(Result<AlarmState, String>, i64), &str>) -> SourceReport {
        let result = match result {
            Ok((state, since)) => {
                let alarm =
                    AlarmReading { name: "checkout-errors".to_owned(), state, since: Some(at(since)) };
                Ok(Reading { alarms: vec![alarm], ..Reading::default() })
            }
            Err(reason) => Err(SourceFault { reason: reason.to_owned() }),
        };
        SourceReport { source: "aws".into(), at: at(second), result }
    }

    /// The evaluation after a report, at a time; what serves has served since second 0.
    fn evaluated(config: &Config, reports: &[SourceReport], second: i64) -> Evaluation {
        let service: ServiceName = "checkout".into();
        let mut senses = Senses::new(config);
        let state =
            ServiceState { arms_since: BTreeMap::from([(Arm::Stable, at(0))]), ..ServiceState::default() };
        senses.follow_arms(&service, &state);
        senses.evaluate(&service, Some(&state), at(0));
        for report in reports {
            let touched = senses.take_source(report, config, &BTreeMap::new());
            assert!(touched.contains(&service), "nobody was told of {report:?}");
        }
        senses.evaluate(&service, Some(&state), at(second));
        senses.reading(&service).unwrap().evaluations[0].clone()
    }

    /// OK passes, ALARM holds since it went off, and everything else is not known, each for its own reason.
    #[test]
    fn states_of_an_alarm() {
        let config = environment("");
        let alarm = |reason: &str| Status::Unknown { reason: Unknown::Alarm { reason: reason.to_owned() } };
        let fault = Status::Unknown { reason: Unknown::SourceError { reason: "no answer".to_owned() } };
        let read = |state, since| report(90, Ok((state, since)));
        for (reports, second, status) in [
            (vec![read(Ok(AlarmState::Ok), 10)], 100, Status::Ok),
            (vec![read(Ok(AlarmState::Alarm), 60)], 100, Status::Breach { since: at(60) }),
            (
                vec![read(Ok(AlarmState::Alarm), -60)],
                100,
                alarm(
                    "the alarm checkout-errors went off at 2027-01-15T07:59:00Z, before what serves now: it does not speak of it",
                ),
            ),
            (
                vec![read(Ok(AlarmState::InsufficientData), 10)],
                100,
                alarm("the alarm checkout-errors has too few data (INSUFFICIENT_DATA)"),
            ),
            (vec![read(Err("there is no alarm".to_owned()), 10)], 100, alarm("there is no alarm")),
            (vec![read(Ok(AlarmState::Ok), 10), report(150, Err("no answer"))], 160, Status::Ok),
            (vec![read(Ok(AlarmState::Ok), 10), report(150, Err("no answer"))], 400, fault.clone()),
            (vec![report(90, Err("no answer"))], 100, fault),
            (
                vec![read(Ok(AlarmState::Ok), 10)],
                400,
                Status::Unknown { reason: Unknown::Stale { since: at(90) } },
            ),
            (vec![], 100, Status::Unknown { reason: Unknown::NoData }),
        ] {
            assert_eq!(evaluated(&config, &reports, second).status, status, "{reports:?}");
        }
        let evaluation = evaluated(&config, &[read(Ok(AlarmState::Alarm), 60)], 100);
        assert_eq!(evaluation.evidence.query, "alarm checkout-errors of aws");
        assert_eq!(evaluation.evidence.line(), "ALARM");
    }

    /// What missing data mean is the trigger's to say; an alarm that speaks of something else is not missing.
    #[test]
    fn no_data_of_an_alarm() {
        let few = report(90, Ok((Ok(AlarmState::InsufficientData), 10)));
        let old = report(390, Ok((Ok(AlarmState::Alarm), -60)));
        let config = environment("no_data = \"breach\"");
        assert!(matches!(evaluated(&config, std::slice::from_ref(&few), 100).status, Status::Unknown { .. }));
        let few_still = report(390, Ok((Ok(AlarmState::InsufficientData), 10)));
        assert_eq!(
            evaluated(&config, &[few, few_still.clone()], 400).status,
            Status::Breach { since: at(0) }
        );
        assert!(matches!(evaluated(&config, &[old], 400).status, Status::Unknown { .. }));
        assert_eq!(evaluated(&environment("no_data = \"ok\""), &[few_still], 400).status, Status::Ok);
    }
}
