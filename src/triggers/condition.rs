//! From single readings to "beyond its limit for long enough".

use std::collections::VecDeque;
use std::time::Duration;

use jiff::Timestamp;

use crate::model::trigger::{OutOf, Status};

/// The memory of a threshold: since when it is beyond its limit, and the last evaluations.
#[derive(Clone, Debug, Default)]
pub struct Sustained {
    since: Option<Timestamp>,
    recent: VecDeque<bool>,
    last: Option<Timestamp>,
}

impl Sustained {
    /// Takes the evaluation of a new reading and says where the condition stands.
    ///
    /// `beyond` is none when the reading allows no conclusion (too few events): it neither counts nor clears. A reading more
    /// than `max_gap` after the one before begins anew: what happened meanwhile is not known.
    pub fn reading(
        &mut self,
        at: Timestamp,
        beyond: Option<bool>,
        hold: Duration,
        out_of: Option<OutOf>,
        max_gap: Duration,
    ) -> Option<Status> {
        if self.last.is_some_and(|last| at.duration_since(last).unsigned_abs() > max_gap) {
            self.clear();
        }
        self.last = Some(at);
        let beyond = beyond?;
        if let Some(out_of) = out_of {
            self.recent.push_back(beyond);
            while self.recent.len() > out_of.evaluations as usize {
                self.recent.pop_front();
            }
            let breaches = self.recent.iter().filter(|beyond| **beyond).count();
            if breaches == 0 {
                self.since = None;
                return Some(Status::Ok);
            }
            let since = *self.since.get_or_insert(at);
            return Some(if breaches >= out_of.breaches as usize {
                Status::Breach { since }
            } else {
                Status::Pending { since }
            });
        }
        if !beyond {
            self.since = None;
            return Some(Status::Ok);
        }
        let since = *self.since.get_or_insert(at);
        Some(if at.duration_since(since).unsigned_abs() >= hold {
            Status::Breach { since }
        } else {
            Status::Pending { since }
        })
    }

    /// Forgets everything: another release, or a gap.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GAP: Duration = Duration::from_secs(5);

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn run(readings: &[(i64, Option<bool>)], hold: u64, out_of: Option<OutOf>) -> Option<Status> {
        let mut memory = Sustained::default();
        let mut status = None;
        for (second, beyond) in readings {
            if let Some(new) = memory.reading(at(*second), *beyond, Duration::from_secs(hold), out_of, GAP) {
                status = Some(new);
            }
        }
        status
    }

    /// It holds once it was beyond at every reading for the whole time, and not a reading earlier.
    #[test]
    fn sustained_for_its_time() {
        let yes = Some(true);
        assert_eq!(run(&[(0, yes), (1, yes), (2, yes)], 3, None), Some(Status::Pending { since: at(0) }));
        assert_eq!(
            run(&[(0, yes), (1, yes), (2, yes), (3, yes)], 3, None),
            Some(Status::Breach { since: at(0) })
        );
        assert_eq!(run(&[(0, yes)], 0, None), Some(Status::Breach { since: at(0) }));
        assert_eq!(
            run(&[(0, yes), (1, Some(false)), (2, yes), (4, yes)], 3, None),
            Some(Status::Pending { since: at(2) })
        );
    }

    /// A reading without a conclusion neither counts nor clears; a long gap begins anew.
    #[test]
    fn missing_neither_counts_nor_clears() {
        let yes = Some(true);
        assert_eq!(run(&[(0, yes), (1, None), (3, yes)], 3, None), Some(Status::Breach { since: at(0) }));
        assert_eq!(run(&[(0, yes), (2, yes), (8, yes)], 3, None), Some(Status::Pending { since: at(8) }));
    }

    /// M of N holds with gaps between the breaches and lets go when they have left the N.
    #[test]
    fn m_of_n() {
        let out_of = Some(OutOf { breaches: 2, evaluations: 4 });
        let (yes, no) = (Some(true), Some(false));
        assert_eq!(run(&[(0, yes), (1, no)], 0, out_of), Some(Status::Pending { since: at(0) }));
        assert_eq!(run(&[(0, yes), (1, no), (2, yes)], 0, out_of), Some(Status::Breach { since: at(0) }));
        assert_eq!(run(&[(0, yes), (1, no), (2, no), (3, no), (4, no)], 0, out_of), Some(Status::Ok));
    }
}
