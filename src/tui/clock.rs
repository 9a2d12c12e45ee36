//! When the next frame is due: a person's key at once, news at a steady pace, figures of what is well and a clock on the
//! second.

use std::time::{Duration, Instant};

/// The shortest time between two frames that data asks for: 30 a second.
pub const PACE: Duration = Duration::from_nanos(1_000_000_000 / 30);

/// Whether a frame is asked for, and how urgently.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Wanted {
    Nothing,
    /// With the clock: nobody waits for it.
    OnTheSecond,
    /// At the pace of data.
    Soon,
    Now,
}

/// Paces the frames. It reads no clock: whoever asks brings the time.
#[derive(Clone, Debug)]
pub struct FrameClock {
    wanted: Wanted,
    last_frame: Option<Instant>,
    /// When a clock on the last frame shows another second.
    second_ends: Option<Instant>,
}

impl Default for FrameClock {
    fn default() -> Self {
        Self::new()
    }
}

impl FrameClock {
    /// Wants its first frame at once.
    pub const fn new() -> Self {
        Self { wanted: Wanted::Now, last_frame: None, second_ends: None }
    }

    /// Data changed: a frame at the pace of data.
    pub fn data_changed(&mut self) {
        self.wanted = self.wanted.max(Wanted::Soon);
    }

    /// Figures changed of which nobody waits for one: a frame with the clock. While all is well the picture moves once a
    /// second, as a whole.
    pub fn figures_changed(&mut self) {
        self.wanted = self.wanted.max(Wanted::OnTheSecond);
    }

    /// A person did something, or the size changed: a frame at once.
    pub const fn answer_now(&mut self) {
        self.wanted = Wanted::Now;
    }

    /// Whether a frame is asked for that does not wait for the second. While one is, further changes need not be watched.
    pub fn is_dirty(&self) -> bool {
        self.wanted > Wanted::OnTheSecond
    }

    /// A frame was drawn. `into_second` is how much of the present second of the wall clock was over, if a clock or an
    /// age is on screen; none if nothing there changes by itself.
    pub fn drawn(&mut self, now: Instant, into_second: Option<Duration>) {
        self.wanted = Wanted::Nothing;
        self.last_frame = Some(now);
        self.second_ends = into_second.map(|into| {
            let left = Duration::from_secs(1).saturating_sub(into);
            // A leap second or a clock that is being set is no reason to draw without a pause.
            now + left.max(PACE)
        });
    }

    /// When to draw next: a time that has come means now, none means when something happens.
    ///
    /// It stays the same until something is asked for or drawn, so that an interrupted wait can be taken up again.
    pub fn next_deadline(&self, now: Instant) -> Option<Instant> {
        let asked = match self.wanted {
            Wanted::Nothing => None,
            Wanted::OnTheSecond if self.second_ends.is_some() => None,
            Wanted::OnTheSecond => Some(self.last_frame.map_or(now, |last| last + Duration::from_secs(1))),
            Wanted::Soon => Some(self.last_frame.map_or(now, |last| last + PACE)),
            Wanted::Now => Some(now),
        };
        [asked, self.second_ends].into_iter().flatten().min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// The first frame does not wait, and without a reason there is no second one.
    #[test]
    fn the_first_frame_is_at_once_and_alone() {
        let start = Instant::now();
        let mut clock = FrameClock::new();
        assert_eq!(clock.next_deadline(start), Some(start));
        clock.drawn(start, None);
        assert!(!clock.is_dirty());
        assert_eq!(clock.next_deadline(start + ms(5_000)), None);
    }

    /// Data that changes without end gets 30 frames a second; data that changes after a pause does not wait.
    #[test]
    fn data_is_paced() {
        let start = Instant::now();
        let mut clock = FrameClock::new();
        let mut frames = 0;
        for step in 0..1_000 {
            let now = start + ms(step);
            clock.data_changed();
            if clock.next_deadline(now).is_some_and(|due| due <= now) {
                clock.drawn(now, None);
                frames += 1;
            }
        }
        assert!((29..=30).contains(&frames), "{frames}");
        clock.data_changed();
        let later = start + ms(9_000);
        assert!(clock.next_deadline(later).unwrap() <= later);
    }

    /// A key is answered at once, even right after a frame and while data waits.
    #[test]
    fn a_key_does_not_wait() {
        let start = Instant::now();
        let mut clock = FrameClock::new();
        clock.drawn(start, None);
        clock.data_changed();
        assert_eq!(clock.next_deadline(start + ms(1)), Some(start + PACE));
        clock.answer_now();
        clock.data_changed();
        assert_eq!(clock.next_deadline(start + ms(1)), Some(start + ms(1)));
    }

    /// Figures that nobody waits for come with the clock, however often they change; news among them does not wait.
    #[test]
    fn figures_wait_for_the_second() {
        let start = Instant::now();
        let mut clock = FrameClock::new();
        clock.drawn(start, Some(ms(300)));
        for _ in 0..9 {
            clock.figures_changed();
            assert!(!clock.is_dirty(), "news is watched for");
            assert_eq!(clock.next_deadline(start + ms(100)), Some(start + ms(700)));
        }
        clock.data_changed();
        assert_eq!(clock.next_deadline(start + ms(100)), Some(start + PACE));
        clock.drawn(start + PACE, None);
        clock.figures_changed();
        assert_eq!(clock.next_deadline(start + ms(100)), Some(start + PACE + ms(1_000)), "without a clock");
    }

    /// A clock on screen is drawn when the second is full, also when the wait for it is interrupted.
    #[test]
    fn a_clock_ticks_on_the_second() {
        let start = Instant::now();
        let mut clock = FrameClock::new();
        clock.drawn(start, Some(ms(300)));
        for asked in [0, 400, 699, 701, 900] {
            assert_eq!(clock.next_deadline(start + ms(asked)), Some(start + ms(700)), "{asked}");
        }
        clock.data_changed();
        assert_eq!(clock.next_deadline(start), Some(start + PACE), "data comes first");
        clock.drawn(start + ms(700), Some(ms(1_000)));
        assert_eq!(clock.next_deadline(start), Some(start + ms(700) + PACE), "never without a pause");
    }
}
