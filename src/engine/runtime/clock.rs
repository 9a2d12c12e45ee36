//! The leader's time.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

/// A clock that was set back by this much is worth a line in the log.
const NOTABLE: Duration = Duration::from_secs(1);

/// The wall clock, made to go forward only. It may be set back while we lead; time must then neither go back, because what
/// has happened would lie in the future, nor stand still, because nothing would grow old any more: data that no longer
/// arrive would pass for new.
///
/// While the wall clock is behind, time goes on at half its pace until the wall clock has caught up.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct HouseClock {
    last: Option<(Timestamp, Instant)>,
    is_ahead: bool,
}

impl HouseClock {
    /// The time to the millisecond, which is what a journal keeps, from what the wall clock and the one that cannot be
    /// set say now.
    pub(super) fn read(&mut self, wall: Timestamp, instant: Instant) -> Timestamp {
        let now = self.last.map_or(wall, |(last, at)| {
            let slow = instant.saturating_duration_since(at) / 2;
            wall.max(last.checked_add(slow).unwrap_or(last))
        });
        let is_ahead = now.duration_since(wall).unsigned_abs() > NOTABLE;
        if is_ahead && !self.is_ahead {
            tracing::warn!(%wall, %now, "the clock was set back; data are taken for old until it has caught up");
        }
        *self = Self { last: Some((now, instant)), is_ahead };
        Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A clock that is set back neither takes time back nor stops it, and is caught up with.
    #[test]
    fn a_clock_that_is_set_back() {
        let wall = |seconds: i64| Timestamp::from_second(1_800_000_000 + seconds).unwrap();
        let began = Instant::now();
        let mut clock = HouseClock::default();
        let mut read = |at: i64, passed: u64| clock.read(wall(at), began + Duration::from_secs(passed));
        assert_eq!(read(0, 0), wall(0));
        assert_eq!(read(10, 10), wall(10));
        // Set back by a minute.
        assert_eq!(read(-48, 12), wall(11));
        assert_eq!(read(10, 70), wall(40));
        assert_eq!(read(70, 130), wall(70));
        assert_eq!(read(80, 140), wall(80));
        // Set forward: that is the time.
        assert_eq!(read(1_000, 141), wall(1_000));
    }

    /// Readings in quick succession do not add up to standing still.
    #[test]
    fn small_steps_add_up() {
        let wall = Timestamp::from_second(1_800_000_000).unwrap();
        let began = Instant::now();
        let mut clock = HouseClock::default();
        clock.read(wall, began);
        let mut now = wall;
        for step in 1..=10_000 {
            now = clock.read(wall, began + Duration::from_micros(step * 100));
        }
        assert_eq!(now, wall + Duration::from_millis(500));
    }
}
