//! Many services at once: which of them to act on.

/// The places of those to act on so that, of all that are acted on, at most a share of `alpha` is expected to be
/// without harm: the e-BH procedure (Wang and Ramdas 2022), under any dependence between the services.
///
/// `log_e` are the natural logarithms of their e-values, all read at the same instant. The strongest come first.
pub fn discoveries(log_e: &[f64], alpha: f64) -> Vec<usize> {
    if alpha.is_nan() || alpha <= 0.0 {
        return Vec::new();
    }
    let mut order: Vec<usize> = (0..log_e.len()).filter(|i| !log_e[*i].is_nan()).collect();
    order.sort_by(|a, b| log_e[*b].total_cmp(&log_e[*a]).then(a.cmp(b)));
    let acted_on =
        (1..=order.len()).rev().find(|k| log_e[order[k - 1]] >= limit(log_e.len(), *k, alpha)).unwrap_or(0);
    order.truncate(acted_on);
    order
}

/// Natural logarithm of the e-value that one service needs to be among them, beside what the others have now: from
/// `n/alpha` alone down to `1/alpha` when all are as bad.
pub fn needed(others: &[f64], alpha: f64) -> f64 {
    let n = others.len() + 1;
    let as_strong = |k: usize| others.iter().filter(|log_e| **log_e >= limit(n, k, alpha)).count() + 1;
    let acted_on = (1..=n).rev().find(|k| as_strong(*k) >= *k).unwrap_or(1);
    limit(n, acted_on, alpha)
}

/// Natural logarithm of `n/(k·alpha)`: what each of `k` of `n` needs.
fn limit(n: usize, k: usize, alpha: f64) -> f64 {
    (n as f64).ln() - (k as f64).ln() - alpha.ln()
}
