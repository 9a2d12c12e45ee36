//! Round numbers for the axes.

use jiff::Timestamp;

use super::Times;

/// The top of the value axis: the smallest of 1, 2, 2.5, 5 times a power of ten that is not below the largest number. 1 if
/// nothing is above zero.
pub(super) fn top(highest: f64) -> f64 {
    if !highest.is_finite() || highest <= 0.0 {
        return 1.0;
    }
    let power = 10_f64.powf(highest.log10().floor());
    let round = [1.0, 2.0, 2.5, 5.0, 10.0].map(|step| step * power);
    // Rounding must not lift 0.05 above its own step.
    let found = round.into_iter().find(|step| *step >= highest * (1.0 - 1e-9));
    found.filter(|top| top.is_finite() && *top > 0.0).unwrap_or(highest)
}

/// Distances of instants that people find round, in seconds.
const STEPS: [i64; 20] = [
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400,
    172_800, 604_800,
];

/// At most so many instants of a window that are round, with their labels, in the order of time.
pub(super) fn ticks(from: Timestamp, to: Timestamp, most: usize, times: &Times) -> Vec<(Timestamp, String)> {
    let whole = to.as_second().saturating_sub(from.as_second());
    if whole <= 0 {
        return Vec::new();
    }
    let least = whole / i64::try_from(most.max(1)).unwrap_or(i64::MAX);
    // Beyond weeks, whatever it is: a chart of years has other troubles.
    let step = STEPS.into_iter().find(|step| *step > least).unwrap_or(least + 1);
    let first = match times {
        Times::Clock(_) => from.as_second().div_euclid(step) * step,
        Times::Before => to.as_second() - whole.div_euclid(step) * step,
    };
    let count = (to.as_second() - first) / step;
    (0..=count)
        .map(|count| first + count * step)
        .filter_map(|second| Timestamp::from_second(second).ok())
        .filter(|at| *at >= from)
        .map(|at| (at, label(at, to, step, times)))
        .collect()
}

fn label(at: Timestamp, to: Timestamp, step: i64, times: &Times) -> String {
    match times {
        Times::Clock(zone) => {
            let at = at.to_zoned(zone.clone());
            at.strftime(if step < 60 {
                "%H:%M:%S"
            } else if step < 86_400 {
                "%H:%M"
            } else {
                "%b %d"
            })
            .to_string()
        }
        Times::Before => {
            let before = to.as_second() - at.as_second();
            match before {
                0 => "now".to_owned(),
                _ if before % 86_400 == 0 => format!("-{}d", before / 86_400),
                _ if before % 3_600 == 0 => format!("-{}h", before / 3_600),
                _ if before % 60 == 0 => format!("-{}m", before / 60),
                60.. => format!("-{}m{:02}s", before / 60, before % 60),
                _ => format!("-{before}s"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;
    use proptest::prelude::*;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// Round, and never below what is to be seen.
    #[test]
    fn the_top_is_round() {
        for (highest, round) in [
            (0.0, 1.0),
            (-3.0, 1.0),
            (0.071, 0.1),
            (0.05, 0.05),
            (7.1, 10.0),
            (840.0, 1_000.0),
            (2_400.0, 2_500.0),
        ] {
            assert!((top(highest) - round).abs() < round * 1e-9, "{highest}: {}", top(highest));
        }
    }

    /// Instants are round on the clock, or counted back from the end.
    #[test]
    fn ticks_are_round() {
        let labels = |times: Times, from: i64, to: i64| {
            let ticks = ticks(at(from), at(to), 4, &times);
            ticks.into_iter().map(|(_, label)| label).collect::<Vec<_>>().join(" ")
        };
        let clock = || Times::Clock(TimeZone::UTC);
        assert_eq!(labels(clock(), 50_467, 50_767), "14:02 14:04 14:06");
        assert_eq!(labels(clock(), 50_467, 50_497), "14:01:10 14:01:20 14:01:30");
        assert_eq!(labels(Times::Before, 50_467, 50_767), "-4m -2m now");
        assert_eq!(labels(Times::Before, 0, 90), "-1m30s -1m -30s now");
        assert_eq!(labels(clock(), 5, 5), "");
    }

    proptest! {
        /// No window has more ticks than asked for and one, and all are inside.
        #[test]
        fn ticks_are_few(from in -1_000_000_000_i64..4_000_000_000, length in 0_i64..2_000_000_000, most in 0_usize..20) {
            for times in [Times::Before, Times::Clock(TimeZone::UTC)] {
                let ticks = ticks(at(from), at(from + length), most, &times);
                prop_assert!(ticks.len() <= most.max(1) + 1, "{}", ticks.len());
                prop_assert!(ticks.iter().all(|(when, _)| (at(from)..=at(from + length)).contains(when)));
            }
        }

        /// Any number has a top that can be divided by.
        #[test]
        fn the_top_can_be_divided_by(highest: f64) {
            let top = top(highest);
            prop_assert!(top.is_finite() && top > 0.0);
            prop_assert!(!highest.is_finite() || top >= highest * (1.0 - 1e-6));
        }
    }
}
