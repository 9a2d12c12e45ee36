//! Indicators that are read from JSON: by pointers in an answer, by conditions on lines.

use crate::config::check::Checker;
use crate::config::problem::quoted;
use crate::config::spanned::Path;
use crate::model::source::lines::LineSeries;
use crate::model::source::{IndicatorSpec, JsonSpec, SeriesSpec};
use crate::model::{placeholder, pointer};

/// Checks an indicator of a `json` source. False when it cannot be understood.
pub(super) fn json(
    checker: &mut Checker<'_>,
    source: &JsonSpec,
    indicator: &IndicatorSpec,
    read: &Path,
) -> bool {
    if matches!(indicator.read, SeriesSpec::Latency { .. }) {
        checker
            .error(&read.then("kind"), "an answer in JSON has no histograms: there is no `latency` in it")
            .hint("read a quantile that it holds: `kind = \"gauge\", series = \"/p95\", unit = \"milliseconds\"`");
        return false;
    }
    let mut fine = true;
    for (key, text) in indicator.read.series() {
        let path = read.then(key);
        if let Some(fault) = pointer::fault(text) {
            checker
                .error(&path, format!("`{key}` is not a JSON pointer: {fault}"))
                .hint("write where the number is in the answer, like `/http/errors`");
            fine = false;
        } else {
            let known = [placeholder::SERVICE, placeholder::ARM];
            fine = super::placeholders(checker, &path, text, &known) && fine;
        }
    }
    let mut by_arm =
        indicator.read.series().into_iter().map(|(_, text)| placeholder::has(text, placeholder::ARM));
    let first = by_arm.next();
    if fine
        && !placeholder::has(&source.url, placeholder::ARM)
        && by_arm.any(|is_by_arm| Some(is_by_arm) != first)
    {
        checker
            .error_at_key(read, "one pointer has `{arm}`, the other has not")
            .hint("write it in both: they have to speak for the same");
        fine = false;
    }
    fine
}

/// Checks an indicator of a `log` source. False when it cannot be understood.
pub(super) fn log(checker: &mut Checker<'_>, indicator: &IndicatorSpec, read: &Path) -> bool {
    let counts = matches!(indicator.read, SeriesSpec::Ratio { .. } | SeriesSpec::Rate { .. });
    let mut fine = true;
    for (key, text) in indicator.read.series() {
        let path = read.then(key);
        if !super::placeholders(checker, &path, text, &[placeholder::SERVICE]) {
            fine = false;
            continue;
        }
        let series = if counts { LineSeries::count(text) } else { LineSeries::number(text) };
        if let Err(fault) = series {
            let hint = if counts {
                "write conditions on a line, like '/status >= 500, /service = \"checkout\"', or `*` for all"
            } else {
                "write where a line has the number, and which lines: '/took where /status < 500'"
            };
            checker.error(&path, format!("`{key}` cannot be looked for in a line: {fault}")).hint(hint);
            fine = false;
        }
    }
    if let (true, SeriesSpec::Gauge { divide_by: Some(by), .. }) = (fine, &indicator.read) {
        checker
            .error(&read.then("divide_by"), format!("lines are not divided by each other: {}", quoted(by)))
            .hint("let the line hold the share, and take `divide_by` out");
        fine = false;
    }
    fine
}
