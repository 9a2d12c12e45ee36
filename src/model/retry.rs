//! When something that failed is tried again: a delivery, a call to a platform.

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// The longest that is waited before a delivery is tried again, unless the other side asks for more.
const LONGEST: Duration = Duration::from_mins(1);

/// How long to wait after a failed attempt, before any wish of the other side: full jitter,
/// `random · min(60 s, 1 s · 2^attempt)`.
///
/// `attempt` counts from 0; `random` is uniform in 0..=1, anything else is taken for the nearest of these (not a number
/// for 1). Spreading over the whole range keeps many senders that failed together from coming back together
/// ("Exponential Backoff and Jitter", AWS Architecture Blog, 2015).
pub fn backoff(attempt: u32, random: f64) -> Duration {
    let most =
        1_u64.checked_shl(attempt).map_or(LONGEST, |seconds| LONGEST.min(Duration::from_secs(seconds)));
    // Clamping keeps a NaN, and multiplying with one panics.
    most.mul_f64(if random.is_nan() { 1.0 } else { random.clamp(0.0, 1.0) })
}

/// The longest wish of the other side that is believed; a message older than a day helps nobody.
const LONGEST_WISH: Duration = Duration::from_hours(24);

/// Reads `Retry-After`: seconds, or a date in any of the three forms of RFC 9110, section 5.6.7. A date that has passed
/// means now; one that cannot be read means nothing.
pub fn retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // Digits that do not fit into the number are a very long time.
        let wish = value.parse().map_or(LONGEST_WISH, Duration::from_secs);
        return Some(wish.min(LONGEST_WISH));
    }
    let at = ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"]
        .into_iter()
        .find_map(|form| DateTime::strptime(form, value).ok())?
        .to_zoned(TimeZone::UTC)
        .ok()?
        .timestamp();
    let wish = Duration::try_from(at.duration_since(now)).unwrap_or(Duration::ZERO);
    Some(wish.min(LONGEST_WISH))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Waiting grows to a minute and no further, whatever the attempt and the random number are.
    #[test]
    fn waiting_grows_and_is_bounded() {
        for (attempt, random, expected) in [
            (0, 1.0, 1_000),
            (0, 0.5, 500),
            (3, 1.0, 8_000),
            (5, 1.0, 32_000),
            (6, 1.0, 60_000),
            (63, 0.25, 15_000),
            (64, 1.0, 60_000),
            (u32::MAX, 1.0, 60_000),
            (4, 0.0, 0),
            (4, -3.0, 0),
            (4, 7.0, 16_000),
            (4, f64::NAN, 16_000),
            (4, f64::NEG_INFINITY, 0),
        ] {
            assert_eq!(backoff(attempt, random), Duration::from_millis(expected), "{attempt} {random}");
        }
    }

    /// The other side's wish is understood in every form that it may have, and a wild one is bounded.
    #[test]
    fn wishes_are_read() {
        let now: Timestamp = "1994-11-06T08:49:07Z".parse().unwrap();
        let day = 24 * 3_600;
        for (value, expected) in [
            ("0", Some(0)),
            ("120", Some(120)),
            (" 7 ", Some(7)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(30)),
            ("Sunday, 06-Nov-94 08:49:37 GMT", Some(30)),
            ("Sun Nov  6 08:49:37 1994", Some(30)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            ("Fri, 31 Dec 1999 23:59:59 GMT", Some(day)),
            ("99999999999999999999999999", Some(day)),
            ("100000", Some(day)),
            ("", None),
            ("-1", None),
            ("1.5", None),
            ("soon", None),
            ("Sun, 06 Nov 1994 08:49:37 CET", None),
        ] {
            assert_eq!(retry_after(value, now), expected.map(Duration::from_secs), "{value}");
        }
    }
}
