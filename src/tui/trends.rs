//! What the indicators were in the last minutes, remembered from the readings as they come, for sparklines and charts.
//! Bounded: a point a second, a few minutes, a few bytes each. What is older is the journal's: [`super::past`].

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;

use crate::engine::runtime::View;
use crate::model::reading::ServiceReading;
use crate::model::release::Arm;
use crate::model::{IndicatorName, ServiceName};

/// Points of one series that are kept: five minutes of seconds.
pub const KEPT: usize = 300;

/// One series: a value in a second since 1970. Four bytes are enough for a picture.
type Points = VecDeque<(u32, f32)>;

/// What is remembered of one service.
#[derive(Clone, Debug, Default)]
struct Remembered {
    taken: Option<Timestamp>,
    series: BTreeMap<(IndicatorName, Option<Arm>), Points>,
}

/// What the indicators were.
#[derive(Clone, Debug, Default)]
pub struct Trends {
    services: BTreeMap<ServiceName, Remembered>,
}

impl Trends {
    /// Remembers what is new in a view.
    pub fn take(&mut self, view: &View) {
        for (service, (at, reading)) in &view.readings {
            // Found first, so that nothing is copied for a service that has nothing new.
            if !self.services.contains_key(service) {
                self.services.insert(service.clone(), Remembered::default());
            }
            let Some(remembered) = self.services.get_mut(service) else { continue };
            if remembered.taken != Some(*at) {
                remembered.taken = Some(*at);
                remembered.take(reading);
            }
        }
    }

    /// A series, a value for each of the last `seconds`, oldest first; none where nothing was read.
    pub fn last(
        &self,
        service: &ServiceName,
        indicator: &IndicatorName,
        arm: Option<Arm>,
        now: Timestamp,
        seconds: usize,
    ) -> Vec<Option<f64>> {
        let mut values = vec![None; seconds];
        let points = self.services.get(service).and_then(|known| known.series.get(&(indicator.clone(), arm)));
        let Some(points) = points else { return values };
        let now = second(now);
        for (at, value) in points.iter().rev() {
            let Some(ago) = now.checked_sub(*at) else { continue };
            let Some(place) = (seconds).checked_sub(1 + ago as usize) else { break };
            values[place] = Some(f64::from(*value));
        }
        values
    }

    /// A series with its times, oldest first.
    pub fn points(
        &self,
        service: &ServiceName,
        indicator: &IndicatorName,
        arm: Option<Arm>,
    ) -> impl Iterator<Item = (Timestamp, f64)> {
        let points = self.services.get(service).and_then(|known| known.series.get(&(indicator.clone(), arm)));
        points
            .into_iter()
            .flatten()
            .filter_map(|(at, value)| Some((Timestamp::from_second(i64::from(*at)).ok()?, f64::from(*value))))
    }
}

impl Remembered {
    fn take(&mut self, reading: &ServiceReading) {
        for indicator in &reading.indicators {
            let Some(value) = indicator.value else { continue };
            let points = self.series.entry((indicator.indicator.clone(), indicator.arm)).or_default();
            let at = second(indicator.at);
            match points.back_mut() {
                // The second's last word counts.
                Some(last) if last.0 >= at => last.1 = value as f32,
                _ => points.push_back((at, value as f32)),
            }
            if points.len() > KEPT {
                points.pop_front();
            }
        }
        // A release that is gone leaves no series behind for ever.
        let newest = self.series.values().filter_map(|points| points.back()).map(|(at, _)| *at).max();
        if let Some(newest) = newest {
            self.series.retain(|_, points| points.back().is_some_and(|(at, _)| newest - at <= KEPT as u32));
        }
    }
}

fn second(at: Timestamp) -> u32 {
    u32::try_from(at.as_second()).unwrap_or(0)
}
