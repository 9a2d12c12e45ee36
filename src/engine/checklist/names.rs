//! What the names of conditions stand for now. What is not known, or was looked at too long ago, has no value.

use std::time::Duration;

use super::sight::{Health, Sight, words};
use super::{Fact, elapsed};
use crate::engine::senses::display_window;
use crate::engine::state::ServiceState;
use crate::model::operation::{Operation, OperationStatus};
use crate::model::reading::{IndicatorReading, ServiceReading};
use crate::model::release::Arm;
use crate::model::source::SeriesSpec;
use crate::model::trigger::Verdict;
use crate::model::{IndicatorName, ServiceName, Unit};
use crate::runbook::{Facts, Part, Path, Sensed, Value};

impl Facts for Sight<'_> {
    fn read(&self, path: &Path) -> Sensed {
        let parts: Vec<&str> = path
            .parts()
            .iter()
            .map(|part| match part {
                Part::Name(text) | Part::Key(text) => text.as_str(),
            })
            .collect();
        match parts.as_slice() {
            ["incident", what] => self.incident_value(what),
            [arm @ ("canary" | "stable"), rest @ ..] => match self.subject() {
                Some(service) => self.arm_value(&service, arm, rest),
                None => told("no service is named"),
            },
            ["service", service, arm @ ("canary" | "stable"), rest @ ..] => {
                self.arm_value(&ServiceName::from(*service), arm, rest)
            }
            ["service", service, what] => self.service_value(&ServiceName::from(*service), what),
            ["services", what] => self.services_value(what),
            ["limits", "exceeded"] => self.limits(),
            ["rollback", what] => self.rollback_value(what),
            ["freeze", service] => self.frozen(&ServiceName::from(*service)),
            ["findings", "count"] => self.findings(),
            ["alarm", name, "firing"] => self.alarm(name),
            _ => told("nothing has this name"),
        }
    }
}

fn told(why: impl Into<String>) -> Sensed {
    Sensed { value: None, at: None, told: Some(why.into()) }
}

fn value(value: Value) -> Sensed {
    Sensed { value: Some(value), at: None, told: None }
}

/// A fact as a value: true, false, or not known, with its words.
fn of_fact(fact: Fact) -> Sensed {
    Sensed { value: fact.holds.map(Value::Bool), at: fact.at, told: Some(fact.text) }
}

impl Sight<'_> {
    fn incident_value(&self, what: &str) -> Sensed {
        match what {
            "sev" => value(Value::Number(f64::from(self.incident.level.number()))),
            "acknowledged" => of_fact(self.acknowledged()),
            "age" => value(Value::duration(self.incident.lasted(self.now))),
            "scoped" => of_fact(self.scope()),
            "resolved" => value(Value::Bool(!self.incident.is_open())),
            _ => told("nothing has this name"),
        }
    }

    /// The service that `canary` and `stable` speak of: the one to roll back, else the first with a canary, else the first.
    fn subject(&self) -> Option<ServiceName> {
        let services = &self.incident.services;
        let with_canary = services
            .iter()
            .find(|service| self.state.service(service).is_some_and(|known| known.canary().is_some()));
        self.to_roll_back().or_else(|| with_canary.or_else(|| services.first()).cloned())
    }

    fn services_value(&self, what: &str) -> Sensed {
        let fact = self.health();
        let count = |counts: fn(&Verdict) -> bool| {
            let services = self.incident.services.iter();
            services
                .filter_map(|service| self.state.service(service)?.verdict.as_ref())
                .filter(|(verdict, _)| counts(verdict))
                .count() as f64
        };
        let number = match what {
            "unhealthy" => count(|verdict| !matches!(verdict, Verdict::Healthy)),
            "failing" => count(|verdict| matches!(verdict, Verdict::Failing { .. })),
            _ => return told("nothing has this name"),
        };
        // One that is known to be hurt counts; that none is takes knowing all of them.
        let is_known = fact.holds.is_some();
        Sensed { value: is_known.then_some(Value::Number(number)), at: fact.at, told: Some(fact.text) }
    }

    /// What is verified is verified in order: error rates say nothing while something healed is not seen.
    fn limits(&self) -> Sensed {
        let fact = self.error_rates();
        let holds = fact.holds.filter(|holds| !holds || matches!(self.healthy(), Health::Since(_)));
        let number = holds.map(|holds| Value::Number(if holds { 0.0 } else { 1.0 }));
        Sensed { value: number, at: fact.at, told: Some(fact.text) }
    }

    fn rollback_value(&self, what: &str) -> Sensed {
        let last = self.rollbacks().last();
        match what {
            "started" => of_fact(self.rollback_started()),
            "traffic_back" => of_fact(self.traffic_back()),
            "state" => Sensed {
                value: Some(Value::Text(last.map_or("none", state_word).to_owned())),
                at: None,
                told: last.map(words),
            },
            _ => told("nothing has this name"),
        }
    }

    fn frozen(&self, service: &ServiceName) -> Sensed {
        let of_service = self.state.service(service).and_then(|known| known.freeze.as_ref());
        let freezes = [of_service, self.state.freeze.as_ref()];
        let holds =
            freezes.into_iter().flatten().any(|freeze| freeze.until.is_none_or(|until| until > self.now));
        value(Value::Bool(holds))
    }

    fn findings(&self) -> Sensed {
        let services = self.incident.services.iter();
        let of_services: usize =
            services.filter_map(|service| Some(self.state.service(service)?.findings.len())).sum();
        value(Value::Number((of_services + self.state.findings.len()) as f64))
    }

    /// Whether an alarm of this name fires, on a service of the incident if any of them is.
    fn alarm(&self, name: &str) -> Sensed {
        crate::engine::received::sensed(&self.state.alarms, name, &self.incident.services)
    }

    fn service_value(&self, service: &ServiceName, what: &str) -> Sensed {
        let Some(known) = self.state.service(service) else {
            return told(format!("{service} was never looked at"));
        };
        match what {
            "health" => match (&known.verdict, self.fresh(service)) {
                (Some((verdict, _)), Some((at, _))) => health(verdict, *at),
                _ => told(self.not_seen(service)),
            },
            "version" => match known.stable() {
                Some(release) => value(Value::Text(release.version.to_string())),
                None => told(format!("the platform of {service} was not read")),
            },
            "maintenance" => match known.inventory.as_ref().and_then(|inventory| inventory.maintenance) {
                Some(on) => value(Value::Bool(on)),
                None => told(format!("{service} has no maintenance page that can be seen")),
            },
            "rollback" => {
                let last = self.state.operations_in_order().rfind(|operation| {
                    operation.plan.service == *service
                        && operation.plan.kind == crate::model::operation::PlanKind::RollBack
                });
                Sensed {
                    value: Some(Value::Text(last.map_or("none", state_word).to_owned())),
                    at: None,
                    told: last.map(words),
                }
            }
            _ => told("nothing has this name"),
        }
    }

    fn arm_value(&self, service: &ServiceName, arm: &str, rest: &[&str]) -> Sensed {
        let arm = if arm == "canary" { Arm::Canary } else { Arm::Stable };
        let Some(known) = self.state.service(service) else {
            return told(format!("{service} was never looked at"));
        };
        match rest {
            ["present"] => {
                let Some(inventory) = &known.inventory else {
                    return told(format!("the platform of {service} was not read"));
                };
                value(Value::Bool(inventory.share(arm).is_some_and(|share| share.percent > 0)))
            }
            ["traffic"] => {
                let Some(inventory) = &known.inventory else {
                    return told(format!("the platform of {service} was not read"));
                };
                let percent = inventory.share(arm).map_or(0, |share| share.percent);
                value(Value::Share(f64::from(percent) / 100.0))
            }
            ["version"] => match release(known, arm) {
                Some(version) => value(Value::Text(version)),
                None => told(format!("{service} has no {arm}")),
            },
            ["health"] => match (known.arms.get(&arm), self.fresh(service)) {
                (Some((verdict, _)), Some((at, _))) => health(verdict, *at),
                (None, Some(_)) => told(format!("{service} has no {arm}")),
                _ => told(self.not_seen(service)),
            },
            ["indicator", name] => {
                let name = IndicatorName::from(*name);
                let spec = self.config.services.get(service).and_then(|spec| spec.indicators.get(&name));
                let is_rate = spec.is_some_and(|spec| matches!(spec.read, SeriesSpec::Rate { .. }));
                let sensed = self.indicator(service, arm, &name, |seen, _| {
                    seen.value.map(|it| in_unit(it, seen.unit))
                });
                match sensed.value {
                    Some(Value::Number(a_second)) if is_rate => {
                        Sensed { value: Some(Value::Rate(a_second)), ..sensed }
                    }
                    _ => sensed,
                }
            }
            ["error_rate"] => self.of_kind(
                service,
                arm,
                |spec| matches!(spec, SeriesSpec::Ratio { .. }),
                |seen, _| seen.value.map(Value::Share),
            ),
            ["requests"] => self.of_kind(
                service,
                arm,
                |spec| matches!(spec, SeriesSpec::Ratio { .. } | SeriesSpec::Latency { .. }),
                |seen, window| Some(Value::Rate(seen.samples / window.as_secs_f64())),
            ),
            [quantile @ ("p50" | "p95" | "p99")] => self.quantile(service, arm, quantile),
            _ => told("nothing has this name"),
        }
    }

    /// The first indicator of a kind.
    fn of_kind(
        &self,
        service: &ServiceName,
        arm: Arm,
        is_it: fn(&SeriesSpec) -> bool,
        of: fn(&IndicatorReading, Duration) -> Option<Value>,
    ) -> Sensed {
        let spec = self.config.services.get(service);
        let name = spec.and_then(|spec| spec.indicators.iter().find(|(_, spec)| is_it(&spec.read)));
        match name {
            Some((name, _)) => self.indicator(service, arm, name, of),
            None => told(format!("{service} has no indicator of this kind")),
        }
    }

    fn indicator(
        &self,
        service: &ServiceName,
        arm: Arm,
        name: &IndicatorName,
        of: fn(&IndicatorReading, Duration) -> Option<Value>,
    ) -> Sensed {
        let Some((_, reading)) = self.fresh(service) else { return told(self.not_seen(service)) };
        let Some(seen) = seen(reading, arm, name) else {
            return told(format!("{name} of {service} {arm}: no data"));
        };
        let interval = self.interval(service, name);
        let at = Some(seen.at);
        if elapsed(seen.at, self.now) > (interval * 3).max(super::sight::STALE) {
            return Sensed { value: None, at, told: Some(format!("{name} of {service} {arm}: old data")) };
        }
        match of(seen, display_window(interval)) {
            Some(it) => Sensed { value: Some(it), at, told: None },
            None => Sensed { value: None, at, told: Some(format!("{name} of {service} {arm}: no data")) },
        }
    }

    /// How often an indicator is read.
    fn interval(&self, service: &ServiceName, name: &IndicatorName) -> Duration {
        let spec = self.config.services.get(service).and_then(|spec| spec.indicators.get(name));
        let source = spec.and_then(|spec| self.config.sources.get(&spec.source));
        source.map_or(Duration::from_secs(5), |source| *source.spacing())
    }

    /// A quantile of the first latency: the one that is shown, or one that a trigger looks at.
    fn quantile(&self, service: &ServiceName, arm: Arm, quantile: &str) -> Sensed {
        if quantile == "p95" {
            return self.of_kind(
                service,
                arm,
                |spec| matches!(spec, SeriesSpec::Latency { .. }),
                |seen, _| seen.value.map(|ms| Value::Duration(ms / 1_000.0)),
            );
        }
        let Some((_, reading)) = self.fresh(service) else { return told(self.not_seen(service)) };
        let lead = format!("{quantile} of ");
        let found = reading.evaluations.iter().find(|evaluation| {
            evaluation.arm.is_none_or(|its| its == arm)
                && evaluation.evidence.limit.unit == Unit::Millis
                && evaluation.evidence.query.starts_with(&lead)
        });
        match found {
            Some(evaluation) => Sensed {
                value: evaluation.evidence.value.map(|ms| Value::Duration(ms / 1_000.0)),
                at: evaluation.evidence.newest,
                told: None,
            },
            None => told(format!("no trigger looks at the {quantile} of {service}")),
        }
    }
}

/// What is seen of an indicator on an arm; of the service as a whole where its source does not tell arms apart.
fn seen<'a>(reading: &'a ServiceReading, arm: Arm, name: &IndicatorName) -> Option<&'a IndicatorReading> {
    let of = |wanted: Option<Arm>| {
        reading.indicators.iter().find(move |seen| seen.indicator == *name && seen.arm == wanted)
    };
    of(Some(arm)).or_else(|| of(None).filter(|_| arm == Arm::Stable))
}

fn in_unit(number: f64, unit: Unit) -> Value {
    match unit {
        Unit::Plain => Value::Number(number),
        Unit::Share => Value::Share(number),
        Unit::Millis => Value::Duration(number / 1_000.0),
    }
}

fn health(verdict: &Verdict, at: jiff::Timestamp) -> Sensed {
    let word = match verdict {
        Verdict::Healthy => "healthy",
        Verdict::Degraded { .. } => "degraded",
        Verdict::Failing { .. } => "failing",
        Verdict::Unknown { reasons } => {
            let why = reasons.first().map_or("not known", String::as_str);
            return Sensed { value: None, at: Some(at), told: Some(why.to_owned()) };
        }
    };
    Sensed { value: Some(Value::Text(word.to_owned())), at: Some(at), told: None }
}

fn release(known: &ServiceState, arm: Arm) -> Option<String> {
    let release = match arm {
        Arm::Canary => known.canary(),
        Arm::Stable => known.stable(),
    };
    release.map(|release| release.version.to_string())
}

/// The word for where a rollback stands.
fn state_word(operation: &Operation) -> &'static str {
    use crate::model::operation::Outcome;
    match &operation.status {
        OperationStatus::NeedsDecision { .. } => "needs_decision",
        OperationStatus::Planned => "planned",
        OperationStatus::Running if operation.paused.is_some() => "paused",
        OperationStatus::Running => "running",
        OperationStatus::Ended { outcome, .. } => match outcome {
            Outcome::Verified => "verified",
            Outcome::NotRecovered => "not_recovered",
            Outcome::Unverified => "unverified",
            Outcome::Failed => "failed",
            Outcome::Cancelled => "cancelled",
        },
    }
}
