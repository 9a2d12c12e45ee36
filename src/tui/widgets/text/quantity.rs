//! Times and numbers as the screen says them: short, with their unit.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::model::units::Unit;

/// How old something is, in one unit, rounded down: `0 s`, `23 s`, `4 m`, `3 h`, `2 d`.
pub fn age(age: Duration) -> String {
    let secs = age.as_secs();
    match secs {
        0..60 => format!("{secs} s"),
        60..3_600 => format!("{} m", secs / 60),
        3_600..86_400 => format!("{} h", secs / 3_600),
        _ => format!("{} d", secs / 86_400),
    }
}

/// How old data are that come in all the time: `1 s` at least, so that what is as new as it can be stands still.
pub fn freshness(old: Duration) -> String {
    age(old.max(Duration::from_secs(1)))
}

/// The time of day to the second.
pub fn clock(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%H:%M:%S").to_string()
}

/// Time that passes or has passed, as a clock shows it: `00:41`, `1:02:09`.
pub fn minutes(time: Duration) -> String {
    let secs = time.as_secs();
    match secs / 3_600 {
        0 => format!("{:02}:{:02}", secs / 60, secs % 60),
        hours => format!("{hours}:{:02}:{:02}", secs % 3_600 / 60, secs % 60),
    }
}

/// Time that is left, in as few figures: `0:34`, `3:10`, `1:02:09`. What is begun counts.
pub fn left(time: Duration) -> String {
    let secs = time.as_secs() + u64::from(time.subsec_nanos() > 0);
    match secs / 3_600 {
        0 => format!("{}:{:02}", secs / 60, secs % 60),
        hours => format!("{hours}:{:02}:{:02}", secs % 3_600 / 60, secs % 60),
    }
}

/// A share, 0 to 1, in percent: `7.1 %`, `0.21 %`; `< 0.01 %` for what is not nothing and would look like it.
pub fn percent(share: f64) -> String {
    if share > 0.0 && share < 0.000_05 { "< 0.01 %".to_owned() } else { value(share, Unit::Share) }
}

/// A number of something that is well, to the digits that a person reads: `9.8 ms`, `24 ms`, `187 ms`, `0.21 %`. Next to a limit
/// every digit counts: [`value`].
pub fn figure(number: f64, unit: Unit) -> String {
    let scale = match unit {
        Unit::Share => 100.0,
        Unit::Millis if number.abs() >= 1_000.0 => 0.001,
        Unit::Millis | Unit::Plain => 1.0,
    };
    let seen = number * scale;
    let step = if seen.abs() >= 10.0 {
        1.0
    } else if seen.abs() >= 1.0 {
        0.1
    } else {
        0.01
    };
    value((seen / step).round() * step / scale, unit)
}

/// A number in its unit, in the words of the findings; `no data` for what is no number.
pub fn value(number: f64, unit: Unit) -> String {
    if number.is_finite() { unit.show(number) } else { "no data".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One unit, never rounded up: an age that is still below a limit does not look as if it were above.
    #[test]
    fn ages_are_short() {
        for (secs, text) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 m"),
            (3_599, "59 m"),
            (3_600, "1 h"),
            (86_399, "23 h"),
            (172_800, "2 d"),
        ] {
            assert_eq!(age(Duration::from_secs(secs)), text);
        }
        assert_eq!(age(Duration::from_millis(1_999)), "1 s");
        assert!(age(Duration::MAX).ends_with(" d"));
    }

    /// The smallest share that is not nothing does not read as nothing.
    #[test]
    fn numbers_have_their_unit() {
        for (share, text) in [
            (0.071, "7.1 %"),
            (0.0021, "0.21 %"),
            (0.000_04, "< 0.01 %"),
            (0.000_06, "0.01 %"),
            (0.0, "0 %"),
            (1.0, "100 %"),
            (f64::NAN, "no data"),
        ] {
            assert_eq!(percent(share), text);
        }
        assert_eq!(value(1_900.0, Unit::Millis), "1.9 s");
        assert_eq!(value(f64::INFINITY, Unit::Plain), "no data");
    }

    /// What is well does not flicker: digits that nobody reads are left out. Nothing becomes zero that is not.
    #[test]
    fn figures_are_calm() {
        for (number, unit, text) in [
            (9.834, Unit::Millis, "9.8 ms"),
            (24.13, Unit::Millis, "24 ms"),
            (187.4, Unit::Millis, "187 ms"),
            (1_934.0, Unit::Millis, "1.9 s"),
            (0.0021, Unit::Share, "0.21 %"),
            (0.0712, Unit::Share, "7.1 %"),
            (0.384, Unit::Share, "38 %"),
            (0.114, Unit::Plain, "0.11"),
            (78.6, Unit::Plain, "79"),
            (0.0, Unit::Share, "0 %"),
            (f64::NAN, Unit::Plain, "no data"),
        ] {
            assert_eq!(figure(number, unit), text);
        }
        assert_eq!(
            (freshness(Duration::ZERO), freshness(Duration::from_secs(7))),
            ("1 s".into(), "7 s".into())
        );
    }

    /// The clock is that of the zone.
    #[test]
    fn the_clock_is_local() {
        let at: Timestamp = "2026-03-01T14:01:07.9Z".parse().unwrap();
        assert_eq!(clock(at, &TimeZone::UTC), "14:01:07");
        assert_eq!(clock(at, &TimeZone::fixed(jiff::tz::offset(2))), "16:01:07");
    }
}
