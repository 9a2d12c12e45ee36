//! Quantiles to show, with ranges that hold at all times together.

use serde::{Deserialize, Serialize};

/// How many samples the prior of a rank is worth.
const PRIOR_SAMPLES: f64 = 20.0;
/// The chance that a range ever misses.
const LEVEL: f64 = 0.05;

/// A quantile of what one arm did since the watch began.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct QuantileRange {
    /// Which: 0.95 for p95.
    pub quantile: f64,
    /// The value in seconds, interpolated inside its bucket.
    pub estimate_s: f64,
    /// The true quantile is not below this, in seconds.
    pub lower_s: f64,
    /// Nor above this; none when the samples do not tell yet, or it lies above the last bound.
    pub upper_s: Option<f64>,
}

/// The quantile of counts in buckets with these upper bounds; a last count without a bound is allowed. None without
/// samples.
pub(super) fn range(bounds_s: &[f64], counts: &[f64], quantile: f64) -> Option<QuantileRange> {
    let total: f64 = counts.iter().sum();
    if total < 1.0 || bounds_s.is_empty() {
        return None;
    }
    let bucket_of = |rank: f64| {
        let mut below = 0.0;
        for (i, count) in counts.iter().enumerate() {
            if *count > 0.0 && below + count >= rank - 1e-9 {
                return (i, ((rank - below) / count).clamp(0.0, 1.0));
            }
            below += count;
        }
        (counts.len().saturating_sub(1), 1.0)
    };
    let lower_bound = |i: usize| if i == 0 { 0.0 } else { bounds_s[(i - 1).min(bounds_s.len() - 1)] };
    let (i, part) = bucket_of(quantile * total);
    let low = lower_bound(i);
    let estimate_s = bounds_s.get(i).map_or(low, |high| low + (high - low) * part);
    let (first, last) = kept_ranks(total.floor(), quantile);
    let lower_s = if first < 1.0 { 0.0 } else { lower_bound(bucket_of(first).0) };
    let upper_s = if last + 1.0 > total { None } else { bounds_s.get(bucket_of(last + 1.0).0).copied() };
    Some(QuantileRange { quantile, estimate_s, lower_s, upper_s })
}

/// The smallest and the largest number of samples below the true quantile that the samples do not speak against.
///
/// The number is binomial; a Beta prior over its share, divided by the likelihood of the true share, is a test martingale
/// (Robbins' mixture), so all ranks whose ratio stays below `1/level` make a confidence sequence.
fn kept_ranks(n: f64, quantile: f64) -> (f64, f64) {
    let (a, b) = (PRIOR_SAMPLES * quantile, PRIOR_SAMPLES * (1.0 - quantile));
    let start = ln_beta(a, b);
    let is_kept = |k: f64| {
        ln_beta(a + k, b + n - k) - start - k * quantile.ln() - (n - k) * (-quantile).ln_1p() < -LEVEL.ln()
    };
    // The ratio is convex in the rank, with its lowest place near the middle.
    let middle = (quantile * n).floor();
    let search = |mut inside: f64, mut outside: f64| {
        if is_kept(outside) {
            return outside;
        }
        while (outside - inside).abs() > 1.0 {
            let between = f64::midpoint(inside, outside).floor();
            if is_kept(between) {
                inside = between;
            } else {
                outside = between;
            }
        }
        inside
    };
    (search(middle, 0.0), search(middle, n))
}

fn ln_beta(a: f64, b: f64) -> f64 {
    ln_gamma(a) + ln_gamma(b) - ln_gamma(a + b)
}

/// `ln Γ(x)` for x > 0 by Lanczos' approximation (g = 7, nine terms), good to about 15 digits.
fn ln_gamma(x: f64) -> f64 {
    const TERMS: [f64; 8] = [
        676.520_368_121_885_1,
        -1_259.139_216_722_402_8,
        771.323_428_777_653_1,
        -176.615_029_162_140_6,
        12.507_343_278_686_905,
        -0.138_571_095_265_720_12,
        9.984_369_578_019_572e-6,
        1.505_632_735_149_311_6e-7,
    ];
    let x = x - 1.0;
    let sum = TERMS
        .iter()
        .enumerate()
        .fold(0.999_999_999_999_809_9, |sum, (i, term)| sum + term / (x + i as f64 + 1.0));
    let t = x + 7.5;
    0.5 * std::f64::consts::TAU.ln() + (x + 0.5) * t.ln() - t + sum.ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// If the gamma function is off, every range of a quantile is.
    #[test]
    fn the_gamma_function_is_right() {
        for (x, expected) in [(1.0, 0.0), (0.5, 0.572_364_942_924_700_1), (10.0, 12.801_827_480_081_469)] {
            assert!((ln_gamma(x) - expected).abs() < 1e-12, "{x}");
        }
    }

    /// A range holds its quantile, tightens with samples, and has no upper end before there is enough to say so.
    #[test]
    fn ranges_tighten() {
        let mut widths = Vec::new();
        for n in [10.0, 100.0, 1_000.0, 1e6] {
            let (low, high) = kept_ranks(n, 0.95);
            assert!(low <= 0.95 * n && 0.95 * n <= high && high <= n, "{n}: {low} to {high}");
            widths.push((high - low) / n);
        }
        assert!(widths.windows(2).all(|pair| pair[1] < pair[0]), "{widths:?}");
        assert!((kept_ranks(10.0, 0.99).1 - 10.0).abs() < 1e-12);
        let bounds = [0.1, 0.2, 0.4];
        let range = range(&bounds, &[50.0, 50.0, 0.0, 0.0], 0.95).unwrap();
        assert!((range.estimate_s - 0.19).abs() < 1e-12 && range.lower_s <= 0.19);
        assert_eq!(super::range(&bounds, &[0.0; 4], 0.95), None);
    }
}
