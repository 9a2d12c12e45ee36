//! Indicators of a `probe` source: whether there are such probes, and whether they speak for arms.

use crate::config::check::Checker;
use crate::config::problem::quoted;
use crate::config::schema::ServiceSpec;
use crate::config::spanned::Path;
use crate::config::suggest::choice;
use crate::model::ProbeName;
use crate::model::source::checks::{CheckSeries, Counted};
use crate::model::source::{IndicatorSpec, SeriesSpec};

/// Checks an indicator. False when it cannot be understood.
pub(super) fn check(
    checker: &mut Checker<'_>,
    service: &ServiceSpec,
    indicator: &IndicatorSpec,
    read: &Path,
) -> bool {
    if matches!(indicator.read, SeriesSpec::Gauge { .. }) {
        checker
            .error(&read.then("kind"), "checks are counted and timed: there is no `gauge` in them")
            .hint("use `ratio`, `rate` or `latency`");
        return false;
    }
    if service.probes.is_empty() {
        checker
            .error_at_key(read, "the service has no probes, so there are no checks to count")
            .hint("add one: `[services.NAME.probes.live]` with a `url`");
        return false;
    }
    let mut fine = true;
    for (key, text) in indicator.read.series() {
        fine = one(checker, service, &read.then(key), key, text) && fine;
    }
    fine
}

fn one(checker: &mut Checker<'_>, service: &ServiceSpec, path: &Path, key: &str, text: &str) -> bool {
    let wants_time = key == "histogram";
    let valid = || {
        let all =
            Counted::ALL.into_iter().filter(|(_, counted)| (*counted == Counted::Duration) == wants_time);
        all.map(|(word, _)| word)
    };
    let series = match CheckSeries::parse(text) {
        Ok(series) => series,
        Err(fault) => {
            let word = text.trim().split(char::is_whitespace).next().unwrap_or_default();
            let is_known = Counted::ALL.iter().any(|(known, _)| *known == word);
            let hint = if is_known {
                format!("write `{word}`, or `{word} of live, ready`")
            } else {
                choice(word, "valid words", valid()).unwrap_or_default()
            };
            checker.error(path, format!("`{key}` counts no checks: {fault}")).hint(hint);
            return false;
        }
    };
    if (series.counted == Counted::Duration) != wants_time {
        let all: Vec<String> = valid().map(quoted).collect();
        let (message, hint) = if wants_time {
            (
                format!("`{key}` has to be a time, and {} is a count", quoted(text)),
                "write `duration`".to_owned(),
            )
        } else {
            (
                format!("`{key}` has to count checks, and `duration` is a time"),
                format!("use one of {}", all.join(", ")),
            )
        };
        checker.error(path, message).hint(hint);
        return false;
    }
    let mut fine = true;
    for name in series.probes.iter().filter(|name| !service.probes.contains_key(*name)) {
        let probes = service.probes.keys().map(ProbeName::as_str);
        checker.unknown(path, "probe", name.as_str(), probes);
        fine = false;
    }
    if !fine {
        return false;
    }
    let mut counted = service.probes.iter().filter(|(name, _)| series.counts(name));
    let has_arm = counted.clone().any(|(_, probe)| probe.arm.is_some());
    if let Some((name, _)) = counted.find(|(_, probe)| has_arm && probe.arm.is_none()) {
        checker
            .warn(
                path,
                format!(
                    "other probes have an arm, {} has none: no trigger hears it here",
                    quoted(name.as_str())
                ),
            )
            .hint(format!("give it an `arm`, or leave it out: `{key} = \"… of PROBE\"`"));
    }
    true
}
