//! What the judge found, as the data and the words that people are shown.

use std::time::Duration;

use crate::judge::watch::{Action, Concern, Decision, HardTrigger, Reason, Verdict};
use crate::judge::{Conclusion as Drawing, DataProblem, Evidence, Method};
use crate::model::Unit;
use crate::model::judge::{Advice, Compared as What, Comparison, Conclusion, Judgement};
use crate::model::units::human;

use super::compared::Compared;

pub(super) const fn conclusion(verdict: Verdict) -> Conclusion {
    match verdict {
        Verdict::Undecided => Conclusion::Undecided,
        Verdict::Unknown => Conclusion::Unknown,
        Verdict::Safe => Conclusion::Safe,
        Verdict::Harm => Conclusion::Harm,
    }
}

pub(super) const fn advice(action: Action) -> Advice {
    match action {
        Action::Promote => Advice::Promote,
        Action::KeepWatching => Advice::KeepWatching,
        Action::Hold => Advice::Hold,
        Action::RollbackGradual => Advice::RollBackGradually,
        Action::RollbackImmediate => Advice::RollBackImmediately,
    }
}

/// A comparison as it is shown.
pub(super) fn comparison(
    compared: &Compared,
    evidence: Option<&Evidence>,
    problem: Option<String>,
) -> Comparison {
    let blank = Comparison {
        indicator: compared.indicator().clone(),
        against: compared.against(),
        what: What::BadEvents,
        muted: compared.is_muted(),
        e_value: 1.0,
        p_value: 1.0,
        safe_e_value: None,
        canary: 0.0,
        canary_bad: 0.0,
        stable: None,
        stable_bad: None,
        interval: None,
        bursts: 1.0,
        suspected_ratio: None,
        needs: None,
        problem,
    };
    let Some(evidence) = evidence else {
        let problem = blank.problem.or_else(|| Some("nothing can be compared yet".to_owned()));
        return Comparison { problem, ..blank };
    };
    Comparison {
        what: match evidence.method {
            Method::LatencyArms => What::Slow,
            Method::Medians => What::Blocks,
            _ if compared.metric().kind == crate::judge::watch::MetricKind::LatencyObjective => What::Slow,
            _ => What::BadEvents,
        },
        e_value: evidence.e_value,
        p_value: evidence.p_value,
        safe_e_value: evidence.log_e_safe.map(|log_e| log_e.min(700.0).exp()),
        canary: evidence.canary.requests,
        canary_bad: evidence.canary.bad,
        stable: evidence.stable.map(|counts| counts.requests),
        stable_bad: evidence.stable.map(|counts| counts.bad),
        interval: evidence.interval.map(|interval| [interval.lower, interval.upper]),
        bursts: evidence.phi,
        suspected_ratio: evidence.suspected_ratio.filter(|_| evidence.log_e > 0.0),
        needs: evidence.outlook.map(|outlook| {
            let conclusion = match outlook.conclusion {
                Drawing::Harm => Conclusion::Harm,
                Drawing::Safe => Conclusion::Safe,
            };
            (outlook.requests, conclusion)
        }),
        ..blank
    }
}

/// Why, in words. `trouble` says of the data more than the judge knows.
pub(super) fn reasons(decision: &Decision, trouble: Option<&str>) -> Vec<String> {
    decision.reasons.iter().map(|reason| words(reason, trouble)).collect()
}

fn words(reason: &Reason, trouble: Option<&str>) -> String {
    let seconds = |seconds: f64| human(Duration::from_secs_f64(seconds.clamp(0.0, 1e9).round()));
    let evidence = |log_e: f64| Judgement::show(log_e.min(709.0).exp());
    match reason {
        Reason::Hard(HardTrigger::Probe(what) | HardTrigger::Limit(what) | HardTrigger::Operator(what)) => {
            what.clone()
        }
        Reason::EvidenceOfHarm { log_e, needed } => {
            format!("the canary is worse than stable: evidence {} of {}", evidence(*log_e), evidence(*needed))
        }
        Reason::Severe { lower, .. } => {
            format!("at least {} more of its requests fail than of stable's", Unit::Share.show(*lower))
        }
        Reason::TooLittleHistory { known_s, needed_s } => {
            let (known, needed) = (seconds(*known_s), seconds(*needed_s));
            format!("stable has been seen for {known} only; it takes {needed} to know how its errors cluster")
        }
        Reason::Data(problem) => trouble.map_or_else(|| data(problem), str::to_owned),
        Reason::Concern(Concern::LostTraffic { expected, seen }) => {
            format!("the canary lost its traffic: {seen:.0} requests in 30 s, {expected:.0} are its share")
        }
        Reason::Concern(Concern::Leak(leak)) => {
            format!("a gauge of the canary reaches its limit in {}", seconds(leak.reaches_limit_in_s))
        }
        Reason::Suspicion { log_e, limit } => {
            format!(
                "the canary is suspicious: evidence {}, held from {} on",
                evidence(*log_e),
                evidence(*limit)
            )
        }
        Reason::Calming { quiet_s, needed_s } => {
            format!("the suspicion is gone for {} of {}", seconds(*quiet_s), seconds(*needed_s))
        }
        Reason::MetricSafe { metric, log_e } => format!("{metric}: safe, evidence {}", evidence(*log_e)),
        Reason::MetricNotYetSafe { metric, log_e, needed } => {
            let has = log_e.map_or_else(|| "none".to_owned(), evidence);
            format!("{metric}: not shown to be safe yet, evidence {has} of {}", evidence(*needed))
        }
        Reason::TooEarly { at_s, needed_s } => {
            format!("watched for {}, at least {} before a promotion", seconds(*at_s), seconds(*needed_s))
        }
        Reason::TooFewRequests { requests, needed } => {
            format!("{requests:.0} requests of the canary, at least {needed:.0} before a promotion")
        }
        Reason::NotQuiet { log_e, limit } => {
            format!("evidence {} of harm, below {} before a promotion", evidence(*log_e), evidence(*limit))
        }
        Reason::NothingToShow => "no indicator can show that it is safe".to_owned(),
        Reason::StepEnded => "the step ended by its own clock".to_owned(),
    }
}

/// What is wrong with the data, where nothing more is known.
fn data(problem: &DataProblem) -> String {
    match problem {
        DataProblem::Stale { .. } => "the newest reading is old".to_owned(),
        DataProblem::Absent { .. } => "nothing has been read for minutes".to_owned(),
        DataProblem::Empty => "the source answers with nothing".to_owned(),
        DataProblem::NotANumber => "the source answers with no number".to_owned(),
        DataProblem::SeveralSeries { count } => format!("the source answers with {count} series"),
        DataProblem::ErrorsMissing => "there is no counter of errors".to_owned(),
        DataProblem::Unreachable => "the source cannot be read".to_owned(),
        DataProblem::SplitUnknown => "the split of the traffic is not known".to_owned(),
    }
}
