//! Figures about several values, and shares of a whole.

use std::fmt::Write as _;

use serde::Serialize;

use crate::report::Millis;

/// Below so many values they are listed instead of summed up.
pub const FEW: usize = 5;

/// What several times are like.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct Figures {
    /// How many are known.
    pub n: usize,
    /// All of them, the shortest first, when there are fewer than [`FEW`].
    pub values_ms: Vec<Millis>,
    /// The middle one; the mean of both where there are two. None below [`FEW`].
    pub median_ms: Option<Millis>,
    /// The least value that nine of ten do not exceed (nearest rank). None below [`FEW`].
    pub p90_ms: Option<Millis>,
    /// None below [`FEW`].
    pub mean_ms: Option<Millis>,
    /// How many of them are negative.
    pub negative: usize,
    /// What has not ended: each has lasted at least this long. They are not in the figures, which are too good by that.
    pub open_ms: Vec<Millis>,
    /// How many cannot be told, as an instant is missing. They are not in the figures.
    pub incomplete: usize,
    #[serde(skip)]
    middle: Option<Millis>,
}

impl Figures {
    /// Of these values.
    pub fn of(mut values: Vec<Millis>, mut open: Vec<Millis>, incomplete: usize) -> Self {
        values.sort();
        open.sort();
        let n = values.len();
        let middle = median(&values);
        let is_many = n >= FEW;
        let rank = (n * 9).div_ceil(10);
        let sum: i128 = values.iter().map(|value| i128::from(value.0)).sum();
        let mean = i64::try_from(sum / i128::from(n.max(1) as u64)).map(Millis).ok();
        Self {
            n,
            median_ms: middle.filter(|_| is_many),
            p90_ms: rank.checked_sub(1).and_then(|index| values.get(index)).copied().filter(|_| is_many),
            mean_ms: mean.filter(|_| is_many),
            negative: values.iter().filter(|value| value.0 < 0).count(),
            values_ms: if is_many { Vec::new() } else { values },
            open_ms: open,
            incomplete,
            middle,
        }
    }

    /// The median, also of few: what an objective is compared with.
    pub const fn middle(&self) -> Option<Millis> {
        self.middle
    }

    /// In words: `n 12, median 4 m, p90 21 m, mean 7 m`; `n 2: 4 m, 9 m`; `no data`. With what is left out.
    pub fn words(&self) -> String {
        let mut words = match (self.n, self.median_ms, self.p90_ms, self.mean_ms) {
            (0, ..) => "no data".to_owned(),
            (n, Some(median), Some(p90), Some(mean)) => {
                format!("n {n}, median {median}, p90 {p90}, mean {mean}")
            }
            (n, ..) => format!("n {n}: {}", listed(&self.values_ms, "")),
        };
        if self.negative > 0 {
            let _ = write!(words, "; {} negative", self.negative);
        }
        if !self.open_ms.is_empty() {
            let shown = &self.open_ms[self.open_ms.len().saturating_sub(FEW)..];
            let _ = write!(words, "; {} open: {}", self.open_ms.len(), listed(shown, "> "));
        }
        if self.incomplete > 0 {
            let _ = write!(words, "; {} incomplete, left out", self.incomplete);
        }
        words
    }
}

fn listed(values: &[Millis], before: &str) -> String {
    values.iter().map(|value| format!("{before}{value}")).collect::<Vec<_>>().join(", ")
}

/// The median of sorted values.
pub(crate) fn median(sorted: &[Millis]) -> Option<Millis> {
    let upper = *sorted.get(sorted.len() / 2)?;
    if sorted.len() % 2 == 1 {
        return Some(upper);
    }
    let lower = sorted[sorted.len() / 2 - 1];
    let sum = i128::from(lower.0) + i128::from(upper.0);
    i64::try_from(sum / 2).map(Millis).ok()
}

/// A part of a whole.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct Ratio {
    /// The part.
    pub part: usize,
    /// The whole.
    pub of: usize,
    /// The share, 0 to 1; none of nothing.
    pub share: Option<f64>,
}

impl Ratio {
    /// So many of so many.
    pub fn of(part: usize, of: usize) -> Self {
        Self { part, of, share: (of > 0).then(|| part as f64 / of as f64) }
    }

    /// `25 % (1 of 4)`, or `no data`.
    pub fn words(&self) -> String {
        match self.share {
            Some(share) => format!("{} % ({} of {})", percent(share), self.part, self.of),
            None => "no data".to_owned(),
        }
    }
}

/// A share as percent, with a digit where it needs one.
fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if (percent - percent.round()).abs() < 0.05 { format!("{percent:.0}") } else { format!("{percent:.1}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minutes(values: &[i64]) -> Vec<Millis> {
        values.iter().map(|value| Millis(value * 60_000)).collect()
    }

    /// Few values are listed and not summed up; none is no data and no zero; what is left out is counted.
    #[test]
    fn figures() {
        for (values, open, incomplete, expected) in [
            (&[][..], &[][..], 0, "no data"),
            (&[], &[90], 2, "no data; 1 open: > 1 h 30 m; 2 incomplete, left out"),
            (&[9, 4], &[], 0, "n 2: 4 m, 9 m"),
            (&[3, -1], &[], 0, "n 2: -1 m, 3 m; 1 negative"),
            (&[1, 2, 3, 4, 40], &[], 1, "n 5, median 3 m, p90 40 m, mean 10 m; 1 incomplete, left out"),
            (&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10], &[], 0, "n 10, median 5 m 30 s, p90 9 m, mean 5 m 30 s"),
        ] {
            let figures = Figures::of(minutes(values), minutes(open), incomplete);
            assert_eq!(figures.words(), expected, "{values:?}");
        }
        assert_eq!(Figures::of(minutes(&[2, 4]), Vec::new(), 0).middle(), Some(Millis(180_000)));
        assert_eq!(Figures::default().middle(), None);
        let far = Figures::of(vec![Millis(i64::MAX); 6], Vec::new(), 0);
        assert_eq!(far.mean_ms, Some(Millis(i64::MAX)));
    }

    /// A share of nothing is no data, and small shares do not become zero.
    #[test]
    fn ratios() {
        assert_eq!(Ratio::of(0, 0).words(), "no data");
        assert_eq!(Ratio::of(0, 7).words(), "0 % (0 of 7)");
        assert_eq!(Ratio::of(1, 300).words(), "0.3 % (1 of 300)");
        assert_eq!(Ratio::of(19, 20).words(), "95 % (19 of 20)");
    }
}
