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
    let n = (log_e.len() as f64).ln();
    let acted_on = (1..=order.len())
        .rev()
        .find(|k| log_e[order[k - 1]] >= n - (*k as f64).ln() - alpha.ln())
        .unwrap_or(0);
    order.truncate(acted_on);
    order
}
