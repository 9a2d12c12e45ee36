//! What the indicators of a service were, as the journal has it: for the charts that reach further back than this console
//! remembers, because it was opened later or because the window is longer.

use std::time::Duration;

use jiff::Timestamp;

use super::trends;
use crate::model::release::Arm;
use crate::model::series::{Series, SeriesRequest};
use crate::model::{IndicatorName, ServiceName};

/// Points of a series: two for each column of a wide chart.
const POINTS: usize = 240;

/// The past of one service.
#[derive(Clone, PartialEq, Debug)]
pub struct Past {
    /// How much of it.
    pub window: Duration,
    /// What was asked for.
    pub of: SeriesRequest,
    /// What came back.
    pub series: Vec<Series>,
}

/// What to ask the journal for, to draw this much of a service's past.
pub fn request(service: ServiceName, window: Duration, now: Timestamp) -> SeriesRequest {
    let from = now.checked_sub(window).unwrap_or(Timestamp::MIN);
    SeriesRequest { service, from, to: now, points: POINTS }
}

/// Whether a window reaches further back than is remembered of it at any time, so that the journal is asked again and again.
pub const fn is_long(window: Duration) -> bool {
    window.as_secs() > trends::KEPT as u64
}

impl Past {
    /// Whether this is the past of that service, in a window of that length.
    pub fn is_of(&self, service: &ServiceName, window: Duration) -> bool {
        self.of.service == *service && self.window == window
    }

    /// Whether a chart of it would be a point behind by now.
    pub fn is_old(&self, now: Timestamp) -> bool {
        let step = self.window / u32::try_from(POINTS).unwrap_or(u32::MAX);
        is_long(self.window) && now > self.of.to && now.duration_since(self.of.to).unsigned_abs() > step
    }

    /// One series; none if nothing was read of it.
    pub fn series(&self, indicator: &IndicatorName, arm: Option<Arm>) -> Option<&Series> {
        self.series.iter().find(|series| series.indicator == *indicator && series.arm == arm)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Unit;
    use crate::tui::scene::Scene;
    use crate::tui::testing;
    use crate::tui::ui::{Ui, WINDOWS};

    /// A picture whose journal has a point every `step` seconds, all of them 0.5.
    fn with_past(window: Duration, step: u64, gap: std::ops::Range<usize>) -> crate::tui::scene::Picture {
        let mut picture = testing::rest();
        let of = request("checkout".into(), window, picture.now);
        let points = (0..window.as_secs() / step).map(|at| {
            let missing = gap.contains(&(at as usize));
            (of.from + Duration::from_secs(at * step), (!missing).then_some(0.5))
        });
        let series = Series {
            indicator: "errors".into(),
            arm: Some(Arm::Stable),
            unit: Unit::Share,
            step: Duration::from_secs(step),
            limits: Vec::new(),
            points: points.collect(),
        };
        picture.past = Some(Past { window, of, series: vec![series] });
        picture
    }

    fn drawn(picture: &crate::tui::scene::Picture, window: Duration) -> Vec<(Timestamp, Option<f64>)> {
        let ui = Ui::new((120, 40));
        Scene::new(picture, &ui).points(&"checkout".into(), &"errors".into(), Some(Arm::Stable), window)
    }

    /// In a short window what this console saw is drawn, and before that what the journal has; never both, never unordered.
    #[test]
    fn a_short_window_begins_with_the_journal() {
        let window = WINDOWS[2];
        let picture = with_past(window, 2, 3..6);
        let points = drawn(&picture, window);
        assert!(points.is_sorted_by(|(a, _), (b, _)| a < b), "{points:?}");
        let earlier = points.iter().filter(|(_, value)| *value == Some(0.5)).count();
        assert!(earlier > 20 && points.len() > earlier + 100, "{earlier} of {}", points.len());
        assert_eq!(points.iter().filter(|(_, value)| value.is_none()).count(), 3, "gaps stay gaps");
        assert_eq!(points.first().unwrap().0, picture.now - window);
    }

    /// In a long window everything up to the last question is the journal's, so that it is drawn evenly.
    #[test]
    fn a_long_window_is_the_journals() {
        let window = WINDOWS[4];
        let mut picture = with_past(window, 15, 0..0);
        let other = |points: &[(Timestamp, Option<f64>)]| {
            points.iter().filter(|(_, value)| *value != Some(0.5)).count()
        };
        assert!(other(&drawn(&picture, window)) <= 1, "the newest may be of this very moment");
        let past = picture.past.as_ref().unwrap();
        assert!(!past.is_old(picture.now) && past.is_old(picture.now + Duration::from_secs(16)));
        // What came after it was asked for is seen all the same.
        picture.past.as_mut().unwrap().of.to = picture.now - Duration::from_secs(20);
        let points = drawn(&picture, window);
        assert!(points.last().unwrap().0 > picture.now - Duration::from_secs(3), "{points:?}");
        // Another window's past is none of this one's.
        assert!(drawn(&picture, WINDOWS[0]).iter().all(|(_, value)| *value != Some(0.5)));
    }
}
