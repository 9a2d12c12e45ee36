//! How often a plain threshold takes back a healthy release, to show beside the evidence of a judge that does not.

/// The chance that one check of a healthy canary fails: more than `limit` of its requests are bad.
///
/// `requests` a check, of which each is bad with chance `rate` (Poisson; exact sums).
pub fn check_fails(requests: f64, rate: f64, limit: f64) -> f64 {
    let mean = requests * rate;
    let allowed = (limit * requests + 1e-9).floor();
    if !(mean > 0.0 && mean.is_finite() && allowed.is_finite()) {
        return 0.0;
    }
    if allowed < 0.0 {
        return 1.0;
    }
    // Term by term from the logarithm, so that a large mean does not vanish.
    let mut log_term = -mean;
    let mut below = log_term.exp();
    let mut k = 0.0;
    while k < allowed && k < mean + 60.0 * mean.sqrt() + 60.0 {
        k += 1.0;
        log_term += mean.ln() - k.ln();
        below += log_term.exp();
    }
    (1.0 - below).clamp(0.0, 1.0)
}

/// The chance that a healthy canary is taken back: at least `failures` of `checks` independent checks fail.
pub fn false_rollback(check_fails: f64, checks: u32, failures: u32) -> f64 {
    let (p, q) = (check_fails.clamp(0.0, 1.0), 1.0 - check_fails.clamp(0.0, 1.0));
    let mut fewer = 0.0;
    let mut ways = 1.0;
    for k in 0..failures.min(checks + 1) {
        fewer += ways * p.powf(f64::from(k)) * q.powf(f64::from(checks - k));
        ways *= f64::from(checks - k) / f64::from(k + 1);
    }
    (1.0 - fewer).clamp(0.0, 1.0)
}
