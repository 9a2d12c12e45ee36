//! The Wilson score interval of a share (Wilson 1927): honest also for few requests and rates near zero.

use super::confidence::Interval;
use super::counts::ArmCounts;

/// The interval at this squared normal quantile; none without requests or with counts that are none.
pub(crate) fn interval(counts: ArmCounts, z2: f64) -> Option<Interval> {
    let n = counts.requests;
    let rate = counts.rate().filter(|rate| (0.0..=1.0).contains(rate))?;
    if !n.is_finite() {
        return None;
    }
    let middle = rate + z2 / (2.0 * n);
    let half = (z2 * (rate * (1.0 - rate) / n + z2 / (4.0 * n * n))).sqrt();
    let scale = 1.0 + z2 / n;
    let interval = Interval { lower: (middle - half) / scale, upper: (middle + half) / scale };
    (interval.lower.is_finite() && interval.upper.is_finite()).then(|| interval.within(0.0, 1.0))
}
