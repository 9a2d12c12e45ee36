//! Whether a limit makes sense for what it is compared with. A limit in the wrong unit is a trigger that never fires,
//! or one that always does.

use crate::config::problem::quoted;
use crate::model::source::{GaugeUnit, SeriesSpec};
use crate::model::{Quantity, Unit};

/// What a limit is compared with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// A share of events, never above one.
    Ratio,
    /// Events a second.
    Rate,
    /// A value in a unit of its own.
    Gauge,
    /// A value that is a share by its unit.
    Share,
    /// A value divided by another, usually a share.
    Divided,
    /// A value that is a time by its unit.
    Time,
    /// Milliseconds.
    Latency,
    /// The share of probes that succeed.
    Availability,
}

impl Kind {
    /// What an indicator measures.
    pub(super) const fn of(series: &SeriesSpec) -> Self {
        match series {
            SeriesSpec::Ratio { .. } => Self::Ratio,
            SeriesSpec::Rate { .. } => Self::Rate,
            SeriesSpec::Gauge { divide_by: Some(_), .. } => Self::Divided,
            SeriesSpec::Gauge { unit: GaugeUnit::Plain, .. } => Self::Gauge,
            SeriesSpec::Gauge { unit: GaugeUnit::Share | GaugeUnit::Percent, .. } => Self::Share,
            SeriesSpec::Gauge { unit: GaugeUnit::Seconds | GaugeUnit::Milliseconds, .. } => Self::Time,
            SeriesSpec::Latency { .. } => Self::Latency,
        }
    }

    /// With its article, for a message.
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::Ratio => "a ratio",
            Self::Rate => "a rate",
            Self::Gauge => "a gauge",
            Self::Share => "a gauge that is a share",
            Self::Divided => "a gauge divided by another",
            Self::Time => "a gauge that is a time",
            Self::Latency => "a latency",
            Self::Availability => "the share of probes that succeed",
        }
    }

    /// Whether it is a reading of a value, and not a count.
    pub(super) const fn is_gauge(self) -> bool {
        matches!(self, Self::Gauge | Self::Share | Self::Divided | Self::Time)
    }

    const fn is_share(self) -> bool {
        matches!(self, Self::Ratio | Self::Availability | Self::Divided | Self::Share)
    }

    const fn is_time(self) -> bool {
        matches!(self, Self::Latency | Self::Time)
    }
}

/// What is wrong with a limit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Fault {
    /// What it is.
    pub(super) message: String,
    /// How to mend it.
    pub(super) hint: String,
    /// Whether it may be meant.
    pub(super) warning: bool,
}

/// Judges a limit. `above`: the trigger holds above it, else below it.
pub(super) fn fault(limit: Quantity, above: bool, kind: Kind) -> Option<Fault> {
    let shown = written(limit);
    let wrong = |message: String, hint: String| Some(Fault { message, hint, warning: false });
    let words = kind.words();
    match (limit.unit, kind) {
        (Unit::Millis, Kind::Gauge) => {
            return Some(Fault {
                message: format!(
                    "{shown} is a duration, and a gauge is compared as it is: with {}",
                    limit.value
                ),
                hint: "write the number in the gauge's own unit".to_owned(),
                warning: true,
            });
        }
        (Unit::Millis, kind) if !kind.is_time() => {
            let example = if kind == Kind::Rate {
                "a plain number of events a second"
            } else {
                "a percentage like `5%`"
            };
            return wrong(format!("{shown} is a duration, but this is {words}"), format!("write {example}"));
        }
        (Unit::Share, Kind::Latency | Kind::Time) => {
            return wrong(
                format!("{shown} is a percentage, but this is {words}"),
                "write a time like `500ms` or `2s`".to_owned(),
            );
        }
        (Unit::Share, Kind::Rate) => {
            return wrong(
                format!("{shown} is a percentage, but this is a rate in events a second"),
                "write a plain number; for a share of events use an indicator of the kind `ratio`".to_owned(),
            );
        }
        (Unit::Plain, Kind::Latency | Kind::Time) => {
            let number = limit.value;
            return wrong(
                format!("{shown} has no unit, but this is {words}"),
                format!("did you mean `{number}ms` or `{number}s`?"),
            );
        }
        (Unit::Plain, kind) if kind.is_share() && limit.value >= 1.0 => {
            let number = limit.value;
            return wrong(
                format!(
                    "{shown} has no unit, but this is {}, from 0 to 1",
                    if matches!(kind, Kind::Divided | Kind::Share) { "a share" } else { words }
                ),
                format!("did you mean `{number}%`?"),
            );
        }
        _ => {}
    }
    let never = |hint: &str| {
        let side = if above { "above" } else { "below" };
        wrong(format!("{words} is never {side} {}", limit.unit.show(limit.value)), hint.to_owned())
    };
    let bounded = matches!(kind, Kind::Ratio | Kind::Availability);
    if above && bounded && limit.value >= 1.0 {
        return never("write a limit under 100 %");
    }
    // Only a plain gauge can be negative.
    if !above && kind != Kind::Gauge && limit.value <= 0.0 {
        return never("write a limit over zero");
    }
    if !above && bounded && limit.value > 1.0 {
        return wrong(
            format!("{words} is always below {}", limit.unit.show(limit.value)),
            "write a limit of at most 100 %".to_owned(),
        );
    }
    if above && kind != Kind::Gauge && limit.value < 0.0 {
        return wrong(
            format!("{words} is always above {}", limit.unit.show(limit.value)),
            "write a limit that is not negative".to_owned(),
        );
    }
    None
}

fn written(limit: Quantity) -> String {
    match limit.unit {
        Unit::Plain => quoted(&limit.value.to_string()),
        unit => quoted(&unit.show(limit.value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A limit in the unit of its indicator passes; one that would never or always hold does not.
    #[test]
    fn limits() {
        for (text, above, kind, words) in [
            ("5%", true, Kind::Ratio, None),
            ("0.05", true, Kind::Ratio, None),
            ("0", true, Kind::Ratio, None),
            ("5", true, Kind::Ratio, Some("did you mean `5%`")),
            ("1", true, Kind::Ratio, Some("did you mean `1%`")),
            ("2s", true, Kind::Ratio, Some("percentage like")),
            ("100%", true, Kind::Ratio, Some("under 100 %")),
            ("-1%", true, Kind::Ratio, Some("not negative")),
            ("500ms", true, Kind::Latency, None),
            ("500", true, Kind::Latency, Some("`500ms` or `500s`")),
            ("5%", true, Kind::Latency, Some("500ms")),
            ("10", false, Kind::Rate, None),
            ("0", false, Kind::Rate, Some("over zero")),
            ("5%", true, Kind::Rate, Some("`ratio`")),
            ("1s", true, Kind::Rate, Some("events a second")),
            ("-3", false, Kind::Gauge, None),
            ("90%", true, Kind::Gauge, None),
            ("2s", true, Kind::Gauge, Some("own unit")),
            ("90%", true, Kind::Divided, None),
            ("150%", true, Kind::Divided, None),
            ("90", true, Kind::Divided, Some("did you mean `90%`")),
            ("99.5%", false, Kind::Availability, None),
            ("100%", false, Kind::Availability, None),
            ("101%", false, Kind::Availability, Some("at most 100 %")),
            ("99", false, Kind::Availability, Some("did you mean `99%`")),
            ("0%", false, Kind::Availability, Some("over zero")),
        ] {
            let found = fault(text.parse().unwrap(), above, kind);
            match (words, &found) {
                (None, None) => {}
                (Some(words), Some(fault)) if fault.hint.contains(words) => {}
                _ => panic!("{text} for {kind:?}: {found:?}"),
            }
        }
    }
}
