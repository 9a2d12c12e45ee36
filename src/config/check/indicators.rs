//! Indicators: whether what they read is written in the language of their source.

mod checks;
mod documents;

use super::Checker;
use super::{cloudwatch, selector};
use crate::config::problem::quoted;
use crate::config::schema::ServiceSpec;
use crate::config::spanned::Path;
use crate::config::suggest::choice;
use crate::model::source::{GaugeUnit, IndicatorSpec, SeriesSpec, SourceSpec};
use crate::model::{SourceName, placeholder};

/// Checks the indicators of a service.
pub(super) fn check(checker: &mut Checker<'_>, service: &ServiceSpec, at: &Path) {
    let config = checker.config;
    for (name, indicator) in &service.indicators {
        let at = at.then("indicators").then(name);
        let source = config.sources.get(&indicator.source);
        if source.is_none() {
            let sources = config.sources.keys().map(SourceName::as_str);
            checker.unknown(&at.then("source"), "source", indicator.source.as_str(), sources);
        }
        one(checker, service, indicator, source, &at.then("read"));
    }
}

fn one(
    checker: &mut Checker<'_>,
    service: &ServiceSpec,
    indicator: &IndicatorSpec,
    source: Option<&SourceSpec>,
    read: &Path,
) {
    let fine = match source {
        Some(SourceSpec::Scrape(_)) => each(checker, indicator, read, series),
        Some(SourceSpec::Prometheus(_)) => promql(checker, indicator, read),
        Some(SourceSpec::Cloudwatch(_)) => cloudwatch::metrics(checker, indicator, read),
        Some(SourceSpec::Json(json)) => documents::json(checker, json, indicator, read),
        Some(SourceSpec::Log(_)) => documents::log(checker, indicator, read),
        Some(SourceSpec::Probe(_)) => checks::check(checker, service, indicator, read),
        // In what language it would have to be written, nobody knows.
        None => false,
    };
    if !fine {
        return;
    }
    match &indicator.read {
        SeriesSpec::Ratio { bad, total, .. } if bad.trim() == total.trim() => {
            checker
                .warn(&read.then("bad"), "`bad` and `total` are the same series: the ratio is always 100 %")
                .hint("`bad` counts only what went wrong, like `code=~\"5..\"`");
        }
        SeriesSpec::Latency { histogram, .. }
            if matches!(source, Some(SourceSpec::Scrape(_) | SourceSpec::Prometheus(_))) =>
        {
            part_of_a_histogram(checker, read, histogram);
        }
        SeriesSpec::Gauge { divide_by: Some(_), unit, .. } if *unit != GaugeUnit::Plain => {
            checker
                .warn(&read.then("unit"), "`unit` has no meaning with `divide_by`: the result is a share")
                .hint("take one of the two out");
        }
        _ => {}
    }
}

/// Checks each series of an indicator by itself.
fn each(
    checker: &mut Checker<'_>,
    indicator: &IndicatorSpec,
    read: &Path,
    check: impl Fn(&mut Checker<'_>, &Path, &str) -> bool,
) -> bool {
    let series = indicator.read.series();
    // All of them, so that every mistake is named at once.
    series.into_iter().fold(true, |fine, (key, text)| check(checker, &read.then(key), text) && fine)
}

/// Whether a series can be read.
fn series(checker: &mut Checker<'_>, path: &Path, text: &str) -> bool {
    let Some(fault) = selector::fault(text) else {
        return true;
    };
    let key = path.last_key().unwrap_or_default().to_owned();
    checker
        .error(path, format!("`{key}` is not a series: {fault}"))
        .hint("write a name and labels, like 'http_requests_total{service=\"checkout\",code=~\"5..\"}'");
    false
}

/// Whether the placeholders of a text are among those that are known.
pub(super) fn placeholders(
    checker: &mut Checker<'_>,
    path: &Path,
    text: &str,
    known: &[&'static str],
) -> bool {
    let mut fine = true;
    for (_, name) in placeholder::names(text).filter(|(_, name)| !known.contains(name)) {
        fine = false;
        let key = path.last_key().unwrap_or_default().to_owned();
        let braces: Vec<String> = known.iter().map(|name| format!("{{{name}}}")).collect();
        let word = format!("{{{name}}}");
        let hint = if name == "version" {
            "versions are told apart by a label: `arms = { label = \"version\", by_version = true }` in the source".to_owned()
        } else {
            let valid = || braces.iter().map(String::as_str);
            choice(&word, "valid placeholders", valid()).unwrap_or_else(|| "take it out".to_owned())
        };
        checker.error(path, format!("nothing is known to put for {} in `{key}`", quoted(&word))).hint(hint);
    }
    fine
}

/// Whether queries can be understood as what they are for.
fn promql(checker: &mut Checker<'_>, indicator: &IndicatorSpec, read: &Path) -> bool {
    let mut fine = true;
    let mut styles = Vec::new();
    for (key, text) in indicator.read.series() {
        let path = read.then(key);
        let known = [placeholder::SERVICE, placeholder::ARM, placeholder::WINDOW];
        if text.trim().is_empty() {
            checker.error(&path, format!("`{key}` is empty")).hint("write a series or a query in PromQL");
            fine = false;
            continue;
        }
        if !placeholders(checker, &path, text, &known) {
            fine = false;
            continue;
        }
        let has_window = placeholder::has(text, placeholder::WINDOW);
        let is_series = selector::fault(text).is_none();
        styles.push(has_window);
        if matches!(indicator.read, SeriesSpec::Gauge { .. }) || is_series || has_window {
            continue;
        }
        fine = false;
        checker
            .error(&path, format!("`{key}` has to count events, and this is a query without `{{window}}`"))
            .hint(
                "write the series alone, or what it grew by: 'sum(increase(http_requests_total[{window}]))'",
            );
    }
    let is_ratio = matches!(indicator.read, SeriesSpec::Ratio { .. });
    if fine && is_ratio && styles.windows(2).any(|two| two[0] != two[1]) {
        fine = false;
        checker
            .error_at_key(read, "one of `bad` and `total` is a query with `{window}`, the other is not")
            .hint("write both in the same way: they have to count the same time");
    }
    fine
}

fn part_of_a_histogram(checker: &mut Checker<'_>, read: &Path, histogram: &str) {
    if selector::fault(histogram).is_some() {
        return;
    }
    let name = selector::series_name(histogram);
    let Some(end) = ["_bucket", "_sum", "_count"].iter().find(|end| name.ends_with(**end)) else { return };
    checker
        .error(&read.then("histogram"), format!("{} is one part of a histogram", quoted(name)))
        .hint(format!("leave `{end}` out: `{}`", name.trim_end_matches(end)));
}
