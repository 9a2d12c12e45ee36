//! A gauge that grows steadily towards its limit, such as memory that is never given back.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::block_samples::{BlockSamples, median};

const MINUTE_S: f64 = 60.0;
/// Looks back over so many minutes.
const MINUTES: i64 = 15;
/// And needs so many of them.
const LEAST_MINUTES: usize = 10;
/// A limit that is reached within this time is a reason to hold.
const SOON_S: f64 = 1800.0;

/// Where a gauge is heading.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Leak {
    /// Growth in the gauge's unit a second.
    pub slope_per_s: f64,
    /// Seconds until the limit is reached, seen from the last whole minute; 0 when it is.
    pub reaches_limit_in_s: f64,
}

/// The slope of a gauge from its one-minute medians over 15 minutes. Bounded memory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LeakWatch {
    limit: f64,
    minute: Option<i64>,
    samples: BlockSamples,
    medians: VecDeque<(i64, f64)>,
}

impl LeakWatch {
    /// Watches for a limit, in the gauge's unit.
    pub fn new(limit: f64) -> Self {
        Self { limit, minute: None, samples: BlockSamples::default(), medians: VecDeque::new() }
    }

    /// Takes a sample, in the order of time, and says whether the limit will be reached within half an hour. What is no
    /// number or belongs to an earlier minute is left out.
    pub fn observe(&mut self, at_s: f64, value: f64) -> Option<Leak> {
        let minute = (at_s / MINUTE_S).floor();
        if !value.is_finite() || minute.abs() > 1e12 {
            return self.leak();
        }
        let minute = minute as i64;
        match self.minute {
            Some(current) if minute < current => return self.leak(),
            Some(current) if minute > current => {
                if let Some(median) = self.samples.median() {
                    self.medians.push_back((current, median));
                }
                self.samples.clear();
                while self.medians.front().is_some_and(|(first, _)| minute - first > MINUTES) {
                    self.medians.pop_front();
                }
            }
            _ => {}
        }
        self.minute = Some(minute);
        self.samples.add(value);
        self.leak()
    }

    /// Whether the limit will be reached within half an hour.
    pub fn leak(&self) -> Option<Leak> {
        let (_, last) = self.medians.back()?;
        if self.medians.len() < LEAST_MINUTES {
            return None;
        }
        let points: Vec<(f64, f64)> =
            self.medians.iter().map(|(minute, value)| (*minute as f64 * MINUTE_S, *value)).collect();
        let slope_per_s = theil_sen(&points)?;
        let reaches_limit_in_s = if *last >= self.limit { 0.0 } else { (self.limit - last) / slope_per_s };
        let is_soon = slope_per_s > 0.0 && reaches_limit_in_s <= SOON_S;
        is_soon.then_some(Leak { slope_per_s, reaches_limit_in_s })
    }
}

/// The median of the slopes between all pairs of points with different x (Theil 1950, Sen 1968): single outliers do not
/// move it. None without such a pair.
pub fn theil_sen(points: &[(f64, f64)]) -> Option<f64> {
    let mut slopes = Vec::with_capacity(points.len() * points.len().saturating_sub(1) / 2);
    for (i, (x1, y1)) in points.iter().enumerate() {
        for (x2, y2) in &points[i + 1..] {
            let slope = (y2 - y1) / (x2 - x1);
            if slope.is_finite() {
                slopes.push(slope);
            }
        }
    }
    median(&mut slopes)
}
