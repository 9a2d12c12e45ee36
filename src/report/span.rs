//! Times between two instants, which may be negative: somebody acknowledged before the page went out.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::model::units::human;

/// Milliseconds from one instant to another; negative when the other came first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Millis(pub i64);

impl Millis {
    /// From one instant to another.
    pub fn between(from: Timestamp, to: Timestamp) -> Self {
        Self(to.as_millisecond().saturating_sub(from.as_millisecond()))
    }

    /// Added up.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// Never less than nothing: for what cannot have lasted less, like the time that a severity held.
    #[must_use]
    pub fn at_least_zero(self) -> Self {
        Self(self.0.max(0))
    }
}

impl fmt::Display for Millis {
    /// `3 h 12 m`, `-40 s`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        f.pad(&format!("{sign}{}", human(Duration::from_millis(self.0.unsigned_abs()))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What came before is shown as that, and nothing overflows at the ends of the calendar.
    #[test]
    fn negative_times_stay_negative() {
        let at = |text: &str| -> Timestamp { text.parse().unwrap() };
        let (early, late) = (at("2026-01-01T00:00:00Z"), at("2026-01-01T03:12:00Z"));
        assert_eq!(Millis::between(early, late).to_string(), "3 h 12 m");
        assert_eq!(Millis::between(late, early).to_string(), "-3 h 12 m");
        assert_eq!(Millis(0).to_string(), "0 ms");
        assert!(Millis::between(Timestamp::MAX, Timestamp::MIN).0 < 0);
        assert_eq!(Millis(i64::MAX).plus(Millis(1)).0, i64::MAX);
        assert_eq!(Millis(-5).at_least_zero(), Millis(0));
    }
}
