//! Shares of the traffic where a platform does not divide it by percent.

use crate::model::ReleaseRef;
use crate::model::release::{Arm, Share};

/// All the traffic to what serves, if anything does.
pub(super) fn all_to(live: Option<ReleaseRef>) -> Vec<Share> {
    live.map(|reference| Share { reference, arm: Arm::Stable, percent: 100 }).into_iter().collect()
}

/// Whole percents that add up to 100, by instances that run. The first is what is being rolled out: while others have
/// instances it is their canary. Nothing runs: the first gets it all.
pub(super) fn by_count(counts: &[(&str, u64)]) -> Vec<Share> {
    let mut sums: Vec<(&str, u64)> = Vec::new();
    for (reference, count) in counts {
        match sums.iter_mut().find(|(known, _)| known == reference) {
            Some((_, sum)) => *sum += count,
            None => sums.push((reference, *count)),
        }
    }
    let total: u64 = sums.iter().map(|(_, count)| count).sum();
    let whole = |count: u64| {
        count
            .saturating_mul(100)
            .checked_div(total)
            .and_then(|percent| u8::try_from(percent).ok())
            .unwrap_or(0)
    };
    let mut percents: Vec<u8> = sums.iter().map(|(_, count)| whole(*count)).collect();
    // What rounding left over goes to whoever has most.
    let most = sums.iter().map(|(_, count)| count).max();
    if let Some(index) = sums.iter().position(|(_, count)| Some(count) == most) {
        percents[index] += 100 - percents.iter().sum::<u8>();
    }
    let rolls = percents.iter().skip(1).any(|percent| *percent > 0);
    let mut shares = Vec::new();
    for (index, ((reference, _), percent)) in sums.iter().zip(percents).enumerate() {
        if index == 0 || percent > 0 {
            let arm = if rolls && index == 0 { Arm::Canary } else { Arm::Stable };
            shares.push(Share { reference: (*reference).into(), arm, percent });
        }
    }
    shares
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn percents(counts: &[(&str, u64)]) -> Vec<(Arm, u8)> {
        by_count(counts).iter().map(|share| (share.arm, share.percent)).collect()
    }

    /// Shares follow what runs.
    #[test]
    fn shares_follow_what_runs() {
        assert_eq!(percents(&[("a", 3)]), [(Arm::Stable, 100)]);
        assert_eq!(percents(&[("a", 0)]), [(Arm::Stable, 100)]);
        assert_eq!(percents(&[("b", 1), ("a", 2)]), [(Arm::Canary, 33), (Arm::Stable, 67)]);
        assert_eq!(percents(&[("b", 1), ("a", 0)]), [(Arm::Stable, 100)]);
        assert_eq!(
            percents(&[("c", 0), ("b", 1), ("a", 2)]),
            [(Arm::Canary, 0), (Arm::Stable, 33), (Arm::Stable, 67)]
        );
        assert_eq!(percents(&[("a", 1), ("b", 1), ("a", 2)]), [(Arm::Canary, 75), (Arm::Stable, 25)]);
        assert_eq!(percents(&[]), []);
    }

    proptest! {
        /// They add up to a hundred whatever the counts are.
        #[test]
        fn shares_add_up(counts in prop::collection::vec(0..1_000_000_u64, 1..8)) {
            let names: Vec<String> = (0..counts.len()).map(|index| index.to_string()).collect();
            let counts: Vec<_> = names.iter().map(String::as_str).zip(counts).collect();
            prop_assert_eq!(by_count(&counts).iter().map(|share| u32::from(share.percent)).sum::<u32>(), 100);
        }
    }
}
