//! Sums of numbers that are kept as logarithms, so that neither very small nor very large wealth is lost.

/// `ln(e^a + e^b)`. Minus infinity stands for zero.
pub(crate) fn log_add(a: f64, b: f64) -> f64 {
    let (high, low) = if a >= b { (a, b) } else { (b, a) };
    if low == f64::NEG_INFINITY { high } else { high + (low - high).exp().ln_1p() }
}

/// `ln` of the sum of `e^x` over all; minus infinity when there are none.
pub(crate) fn log_sum(logs: impl Iterator<Item = f64> + Clone) -> f64 {
    let highest = logs.clone().fold(f64::NEG_INFINITY, f64::max);
    if highest == f64::NEG_INFINITY {
        return highest;
    }
    highest + logs.map(|log| (log - highest).exp()).sum::<f64>().ln()
}

/// `e^log` for showing: the largest finite number stands for everything above it.
pub(crate) fn exp_finite(log: f64) -> f64 {
    log.exp().min(f64::MAX)
}
