//! The Mann-Whitney test with an interval for the shift between two samples, by the normal approximation with ties and a
//! correction for continuity, as R's `wilcox.test` and Kayenta have it.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::normal;
use super::zeroin;

/// The shift of the first sample against the second, with its interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MannWhitney {
    /// The lower end. With many ties it can lie above the upper one by the width of the search.
    pub lower: f64,
    /// The upper end.
    pub upper: f64,
    /// The Hodges-Lehmann estimate.
    pub estimate: f64,
}

/// Why there is no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WilcoxonError {
    /// A sample is empty.
    Empty,
    /// A value is NaN or infinite.
    NotFinite,
    /// All values are the same, so that ranks have no spread.
    NoSpread,
}

impl fmt::Display for WilcoxonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "a sample is empty",
            Self::NotFinite => "a value is not a number",
            Self::NoSpread => "all values are the same",
        })
    }
}

impl std::error::Error for WilcoxonError {}

/// The standardised rank sum of `x - shift` among `x - shift` and `y`, minus `quantile`; ties have average ranks.
pub fn wilcoxon(x: &[f64], y: &[f64], shift: f64, quantile: f64) -> Result<f64, WilcoxonError> {
    check(x, y)?;
    let mut scratch = Vec::with_capacity(x.len() + y.len());
    statistic(x, y, shift, &mut scratch).map(|statistic| statistic - quantile).ok_or(WilcoxonError::NoSpread)
}

/// The interval of the shift at a confidence such as 0.98. Values below about 0.001 are beneath its resolution of
/// 0.0001: give rates in percent.
pub fn mann_whitney(x: &[f64], y: &[f64], confidence: f64) -> Result<MannWhitney, WilcoxonError> {
    check(x, y)?;
    let (min_x, max_x) = ends(x);
    let (min_y, max_y) = ends(y);
    if min_x >= max_x && min_y >= max_y {
        let shift = min_x - min_y;
        return Ok(MannWhitney { lower: shift, upper: shift, estimate: shift });
    }
    let (low, high) = (min_x - max_y, max_x - min_y);
    let z = normal::quantile(1.0 - (1.0 - confidence) / 2.0);
    let scratch = std::cell::RefCell::new(Vec::with_capacity(x.len() + y.len()));
    // With the constant samples gone there is a spread at every shift.
    let at = |shift: f64, quantile: f64| {
        statistic(x, y, shift, &mut scratch.borrow_mut()).map_or(0.0, |statistic| statistic - quantile)
    };
    let root = |quantile: f64| {
        if at(low, quantile) <= 0.0 {
            low
        } else if at(high, quantile) >= 0.0 {
            high
        } else {
            zeroin::root(|shift| at(shift, quantile), low, high)
        }
    };
    Ok(MannWhitney { lower: root(z), upper: root(-z), estimate: root(0.0) })
}

fn check(x: &[f64], y: &[f64]) -> Result<(), WilcoxonError> {
    if x.is_empty() || y.is_empty() {
        Err(WilcoxonError::Empty)
    } else if x.iter().chain(y).any(|value| !value.is_finite()) {
        Err(WilcoxonError::NotFinite)
    } else {
        Ok(())
    }
}

fn ends(values: &[f64]) -> (f64, f64) {
    values
        .iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(*value), high.max(*value)))
}

fn statistic(x: &[f64], y: &[f64], shift: f64, scratch: &mut Vec<(f64, bool)>) -> Option<f64> {
    scratch.clear();
    scratch.extend(x.iter().map(|value| (value - shift, true)));
    scratch.extend(y.iter().map(|value| (*value, false)));
    let RankSum { sum, ties } = rank_sum(scratch);
    let (m, n) = (x.len() as f64, y.len() as f64);
    let all = m + n;
    let dz = sum - m * (m + 1.0) / 2.0 - m * n / 2.0;
    let variance = m * n / 12.0 * ((all + 1.0) - ties / (all * (all - 1.0)));
    let correction = if dz == 0.0 { 0.0 } else { 0.5_f64.copysign(dz) };
    (variance > 0.0).then(|| (dz - correction) / variance.sqrt())
}

/// The ranks of marked values, and what ties take from the spread.
pub(super) struct RankSum {
    /// The sum of the average ranks of the marked values.
    pub(super) sum: f64,
    /// `Σ(t³ - t)` over groups of equal values.
    ties: f64,
}

/// Sorts the values.
pub(super) fn rank_sum(values: &mut [(f64, bool)]) -> RankSum {
    values.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut sum, mut ties, mut below) = (0.0, 0.0, 0.0);
    for group in values.chunk_by(|a, b| a.0 >= b.0) {
        let size = group.len() as f64;
        let marked = group.iter().filter(|(_, is_marked)| *is_marked).count() as f64;
        sum += marked * (below + f64::midpoint(size, 1.0));
        ties += size * size * size - size;
        below += size;
    }
    RankSum { sum, ties }
}
