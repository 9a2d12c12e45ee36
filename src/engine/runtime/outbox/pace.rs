//! How fast a channel may be written to: a bucket of tokens, filled again at the pace that the other side can take.

use jiff::Timestamp;

use crate::model::channel::ChannelSpec;

/// How many at once, and how many a second after that.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Pace {
    pub(super) burst: f64,
    pub(super) per_second: f64,
}

impl Pace {
    /// What the makers of each kind say that they take, or less; for mail and the desktop, what people can bear.
    pub(super) const fn of(spec: &ChannelSpec) -> Self {
        let (burst, per_second) = match spec {
            ChannelSpec::Webhook(_) => (10.0, 10.0),
            // One a second, with short bursts.
            ChannelSpec::Slack(_) | ChannelSpec::Desktop(_) => (5.0, 1.0),
            ChannelSpec::Teams(_) => (4.0, 4.0),
            // Five in two seconds.
            ChannelSpec::Discord(_) => (5.0, 2.5),
            // About 480 a minute.
            ChannelSpec::Pagerduty(_) => (16.0, 8.0),
            ChannelSpec::Email(_) => (20.0, 1.0),
        };
        Self { burst, per_second }
    }
}

/// A bucket of tokens.
#[derive(Clone, Debug)]
pub(super) struct Bucket {
    pace: Pace,
    tokens: f64,
    filled_at: Timestamp,
}

impl Bucket {
    /// A full one.
    pub(super) const fn new(pace: Pace, now: Timestamp) -> Self {
        Self { pace, tokens: pace.burst, filled_at: now }
    }

    /// Whether there is a token.
    pub(super) fn has_one(&mut self, now: Timestamp) -> bool {
        // After a clock that was set back it goes on from there.
        let passed = now.duration_since(self.filled_at).as_secs_f64().max(0.0);
        self.tokens = (self.tokens + passed * self.pace.per_second).min(self.pace.burst);
        self.filled_at = now;
        // A tick may come a hair before the time at which a whole one is there.
        self.tokens >= 1.0 - 1e-9
    }

    /// Takes the token that [`Bucket::has_one`] saw.
    pub(super) fn take(&mut self) {
        self.tokens = (self.tokens - 1.0).max(0.0);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(1_800_000_000_000 + ms).unwrap()
    }

    /// A burst passes, what comes after it waits for its turn, and a clock that is set back neither stops it nor fills it.
    #[test]
    fn a_burst_and_then_a_pace() {
        let mut bucket = Bucket::new(Pace { burst: 3.0, per_second: 2.0 }, at(0));
        let mut take = |ms| {
            let has_one = bucket.has_one(at(ms));
            if has_one {
                bucket.take();
            }
            has_one
        };
        assert_eq!([0, 0, 0, 0].map(&mut take), [true, true, true, false]);
        assert_eq!([400, 500, 600, 1_000].map(&mut take), [false, true, false, true]);
        assert_eq!([-5_000, -4_600, -4_500, -4_400].map(&mut take), [false, false, true, false]);
    }

    proptest! {
        /// Never more than the burst and what the pace gave since, whatever the times are.
        #[test]
        fn it_keeps_its_pace(waits in proptest::collection::vec(0_i64..3_000, 1..100)) {
            let pace = Pace { burst: 5.0, per_second: 2.5 };
            let mut bucket = Bucket::new(pace, at(0));
            let (mut now, mut taken) = (0, 0.0);
            for wait in waits {
                now += wait;
                while bucket.has_one(at(now)) {
                    bucket.take();
                    taken += 1.0;
                }
                prop_assert!(taken <= pace.burst + pace.per_second * now as f64 / 1_000.0 + 1e-3);
            }
        }
    }
}
