//! Recordings as JSON: a stream of counts, samples or buckets with what is to be made of it.
//!
//! Rows are arrays, so that hours fit into a file; serde says line and column of what does not fit.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{self, IgnoredAny, Visitor};
use serde::{Deserialize, Deserializer};

use super::agreement::Expected;
use super::play::LeftOut;
use super::stream::{Both, Errors, Stream, Values, counts};
use super::{Mistake, Mistakes};
use crate::judge::latency::{HistogramLatency, LatencySettings, RawLatency};
use crate::judge::watch::WatchSettings;
use crate::judge::{
    GaugeMonitor, GaugeSettings, OneArmMonitor, PairMonitor, Preset, Settings, SplitMonitor, Tick, Tolerance,
    block_length_s,
};

/// A recording that can be played.
pub(super) struct Recording {
    pub(super) about: String,
    pub(super) stream: Stream,
    pub(super) rules: WatchSettings,
    /// None when the recording has tolerances of its own.
    pub(super) preset: Option<Preset>,
    pub(super) history_s: f64,
    /// The line of each tick, where a line is a tick.
    pub(super) lines: Vec<usize>,
    /// What was left out of the history.
    pub(super) left_out: Vec<LeftOut>,
    pub(super) expected: Option<Expected>,
    pub(super) not_compared: Option<&'static str>,
}

/// A number of a recording: NaN and infinity are spelled out, `null` is a missing sample.
#[derive(Clone, Copy, Debug)]
struct Number(f64);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumberVisitor;
        impl Visitor<'_> for NumberVisitor {
            type Value = Number;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number, \"NaN\" or null")
            }
            fn visit_f64<E: de::Error>(self, value: f64) -> Result<Number, E> {
                Ok(Number(value))
            }
            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Number, E> {
                Ok(Number(value as f64))
            }
            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Number, E> {
                Ok(Number(value as f64))
            }
            fn visit_unit<E: de::Error>(self) -> Result<Number, E> {
                Ok(Number(f64::NAN))
            }
            fn visit_str<E: de::Error>(self, value: &str) -> Result<Number, E> {
                match value {
                    "NaN" => Ok(Number(f64::NAN)),
                    "+Inf" => Ok(Number(f64::INFINITY)),
                    other => Err(E::invalid_value(de::Unexpected::Str(other), &self)),
                }
            }
        }
        deserializer.deserialize_any(NumberVisitor)
    }
}

type Numbers = Vec<Number>;

fn plain(numbers: &[Number]) -> Vec<f64> {
    numbers.iter().map(|number| number.0).collect()
}

/// Samples that are there.
fn present(numbers: &[Number]) -> Vec<f64> {
    numbers.iter().map(|number| number.0).filter(|value| value.is_finite()).collect()
}

#[derive(Deserialize)]
#[serde(expecting = "a row [length, requests, bad] of the history")]
struct CountsBefore(Number, Number, Number);

#[derive(Deserialize)]
#[serde(expecting = "a row [length, values of stable] of the history")]
struct ValuesBefore(Number, Numbers);

#[derive(Deserialize)]
#[serde(expecting = "a row [length, stable requests, stable bad, stable buckets] of the history")]
struct BothBefore(Number, Number, Number, Numbers);

#[derive(Deserialize)]
#[serde(expecting = "a row [start, length, canary requests, canary bad, stable requests, stable bad]")]
struct PairRow(Number, Number, Number, Number, Number, Number);

#[derive(Deserialize)]
#[serde(expecting = "a row [start, length, requests, bad]")]
struct ArmRow(Number, Number, Number, Number, #[serde(default)] IgnoredAny, #[serde(default)] IgnoredAny);

#[derive(Deserialize)]
#[serde(expecting = "a row [start, length, canary bad, stable bad, share of the canary]")]
struct SplitRow(Number, Number, Number, Number, Number);

#[derive(Deserialize)]
#[serde(expecting = "a row [start, length, values of the canary, values of stable]")]
struct ValuesRow(Number, Number, Numbers, Numbers);

#[derive(Deserialize)]
#[serde(expecting = "a row [length, samples of the canary, samples of stable]")]
struct GaugeRow(Number, Numbers, Numbers);

#[derive(Deserialize)]
#[serde(
    expecting = "a row [start, length, canary requests, canary bad, stable requests, stable bad, canary buckets, stable buckets]"
)]
struct BothRow(
    Number,
    Number,
    Number,
    Number,
    Number,
    Number,
    Numbers,
    Numbers,
    #[serde(default)] Option<String>,
);

/// Differences from the defaults.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    slope: Option<f64>,
    intercept: Option<f64>,
    safe_slope: Option<f64>,
    safe_intercept: Option<f64>,
    horizon: Option<f64>,
    slot: Option<f64>,
    guard: Option<bool>,
    rho: Option<f64>,
    tol: Option<f64>,
    block: Option<f64>,
    errors: Option<Box<Config>>,
    judge: Option<Rules>,
}

/// Differences from the default rules of a watch.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rules {
    alpha: Option<f64>,
    beta: Option<f64>,
    hold_e: Option<f64>,
    release_e: Option<f64>,
    release_s: Option<f64>,
    min_watch_s: Option<f64>,
    min_canary_requests: Option<f64>,
    severe_diff: Option<f64>,
}

#[derive(Deserialize)]
struct Kind {
    kind: String,
}

#[derive(Deserialize)]
struct File<B, T> {
    #[serde(default)]
    about: String,
    #[serde(default)]
    config: Config,
    #[serde(default = "Vec::new")]
    history: Vec<B>,
    ticks: Vec<T>,
    rho: Option<f64>,
    edges: Option<Vec<f64>>,
    weights: Option<BTreeMap<String, f64>>,
    #[serde(default)]
    series: Numbers,
    scrape: Option<f64>,
    expect: Option<serde_json::Value>,
    #[serde(default)]
    tolerance: BTreeMap<String, f64>,
}

const KINDS: &str = "pair, one_arm, counts_only, latency_hist, latency_raw, gauge, judge";

fn whole(message: impl Into<String>) -> Mistakes {
    Mistakes(vec![Mistake { at: None, message: message.into() }])
}

impl From<serde_json::Error> for Mistakes {
    fn from(error: serde_json::Error) -> Self {
        let (line, column) = (error.line(), error.column());
        // The place is said first, as for every file.
        let text = error.to_string();
        let message = text.split(" at line ").next().unwrap_or(&text).to_owned();
        Self(vec![Mistake { at: (line > 0).then_some((line, column)), message }])
    }
}

/// What the command line asks for besides.
#[derive(Clone, Copy)]
struct Asked {
    alpha: Option<f64>,
    preset: Option<Preset>,
}

impl Recording {
    /// Reads a recording. An alpha or preset that is asked for takes the place of what the recording says.
    pub(super) fn parse(text: &str, alpha: Option<f64>, preset: Option<Preset>) -> Result<Self, Mistakes> {
        let asked = Asked { alpha, preset };
        let Kind { kind } = serde_json::from_str(text)?;
        match kind.as_str() {
            "pair" => pair(&serde_json::from_str(text)?, asked),
            "one_arm" => one_arm(&serde_json::from_str(text)?, asked),
            "counts_only" => split(&serde_json::from_str(text)?, asked),
            "latency_hist" => buckets(&serde_json::from_str(text)?, asked),
            "latency_raw" => samples(&serde_json::from_str(text)?, asked),
            "gauge" => gauge(&serde_json::from_str(text)?, asked),
            "judge" => service(&serde_json::from_str(text)?, asked),
            other => Err(whole(format!("`kind` is `{other}`, expected one of {KINDS}"))),
        }
    }
}

impl Asked {
    fn settings(self, config: &Config) -> Settings {
        let base = Settings::of(self.preset.unwrap_or_default());
        let own = if self.preset.is_none() { config.clone() } else { Config::default() };
        let rules = config.judge.clone().unwrap_or_default();
        Settings {
            harm: Tolerance::new(
                own.slope.unwrap_or(base.harm.ratio),
                own.intercept.unwrap_or(base.harm.difference),
            ),
            safe: Tolerance::new(
                own.safe_slope.unwrap_or(base.safe.ratio),
                own.safe_intercept.unwrap_or(base.safe.difference),
            ),
            horizon_s: config.horizon.unwrap_or(base.horizon_s),
            slot_s: config.slot.unwrap_or(base.slot_s),
            is_guarded: config.guard.unwrap_or(base.is_guarded),
            alpha: self.alpha.or(rules.alpha).unwrap_or(base.alpha),
            beta: rules.beta.unwrap_or(base.beta),
            ..base
        }
    }

    fn slowdown(self, recorded: Option<f64>) -> f64 {
        match self.preset {
            Some(preset) => preset.slowdown(),
            None => recorded.unwrap_or(Preset::Default.slowdown()),
        }
    }

    fn recording<B, T>(
        self,
        file: &File<B, T>,
        stream: Stream,
        history_s: f64,
    ) -> Result<Recording, Mistakes> {
        let own = file.config.judge.clone().unwrap_or_default();
        let mut rules = WatchSettings::of(stream.kinds());
        for metric in &mut rules.metrics {
            if let Some(weight) = file.weights.as_ref().and_then(|weights| weights.get(&metric.metric.name)) {
                metric.weight = *weight;
            }
        }
        let rules = WatchSettings {
            alpha: self.alpha.or(own.alpha).unwrap_or(rules.alpha),
            beta: own.beta.unwrap_or(rules.beta),
            hold_e: own.hold_e.unwrap_or(rules.hold_e),
            release_e: own.release_e.unwrap_or(rules.release_e),
            release_s: own.release_s.unwrap_or(rules.release_s),
            min_watch_s: own.min_watch_s.unwrap_or(rules.min_watch_s),
            min_canary_requests: own.min_canary_requests.unwrap_or(rules.min_canary_requests),
            severe_difference: own.severe_diff.unwrap_or(rules.severe_difference),
            ..rules
        };
        let has_own_tolerance = {
            let Config { slope, intercept, safe_slope, safe_intercept, rho, tol, errors, .. } = &file.config;
            [slope, intercept, safe_slope, safe_intercept, rho, tol].iter().any(|value| value.is_some())
                || errors.is_some()
        };
        let is_asked = self.alpha.is_some() || self.preset.is_some();
        let expected = match &file.expect {
            Some(expect) if !is_asked => Some(
                Expected::read(expect, file.tolerance.clone())
                    .map_err(|message| whole(format!("`expect`: {message}")))?,
            ),
            _ => None,
        };
        Ok(Recording {
            about: file.about.clone(),
            stream,
            rules,
            preset: self.preset.or((!has_own_tolerance).then_some(Preset::Default)),
            history_s,
            lines: Vec::new(),
            left_out: Vec::new(),
            expected,
            not_compared: (file.expect.is_some() && is_asked)
                .then_some("the file's figures are for its own settings, not for those that were asked for"),
        })
    }
}

/// Something in the history that a monitor refuses.
fn before(row: usize, because: crate::judge::Discard) -> Mistakes {
    whole(format!("row {row} of `history`, counted from 0: {because}"))
}

fn tick(start_s: Number, length_s: Number, canary: [Number; 2], stable: [Number; 2]) -> Tick {
    Tick {
        start_s: start_s.0,
        length_s: length_s.0,
        canary: counts(canary[0].0, canary[1].0),
        stable: counts(stable[0].0, stable[1].0),
    }
}

fn pair(file: &File<CountsBefore, PairRow>, asked: Asked) -> Result<Recording, Mistakes> {
    let mut monitor = PairMonitor::new(asked.settings(&file.config));
    for (i, CountsBefore(length_s, n, x)) in file.history.iter().enumerate() {
        monitor.history(length_s.0, counts(n.0, x.0)).map_err(|because| before(i, because))?;
    }
    let row = |row: &PairRow| tick(row.0, row.1, [row.2, row.3], [row.4, row.5]);
    let ticks = file.ticks.iter().map(row).collect();
    let history_s = monitor.known_s();
    asked.recording(file, Stream::Pair(Box::new(monitor), ticks), history_s)
}

fn one_arm(file: &File<CountsBefore, ArmRow>, asked: Asked) -> Result<Recording, Mistakes> {
    let settings = asked.settings(&file.config);
    let Some(limit) = file.config.intercept else {
        return Err(whole("`config.intercept` is missing: the limit that the arm is compared with, a share"));
    };
    let safe = file.config.safe_intercept.unwrap_or(1.5 * limit);
    let mut monitor = OneArmMonitor::between(limit, safe, settings);
    for (i, CountsBefore(length_s, n, x)) in file.history.iter().enumerate() {
        monitor.history(length_s.0, counts(n.0, x.0)).map_err(|because| before(i, because))?;
    }
    let none = [Number(0.0); 2];
    let ticks = file.ticks.iter().map(|row| tick(row.0, row.1, [row.2, row.3], none)).collect();
    let history_s = monitor.known_s();
    asked.recording(file, Stream::OneArm(Box::new(monitor), ticks), history_s)
}

fn split(file: &File<IgnoredAny, SplitRow>, asked: Asked) -> Result<Recording, Mistakes> {
    let monitor = SplitMonitor::new(asked.settings(&file.config));
    let row = |row: &SplitRow| Errors {
        start_s: row.0.0,
        length_s: row.1.0,
        canary: row.2.0,
        stable: row.3.0,
        share: row.4.0,
    };
    let ticks = file.ticks.iter().map(row).collect();
    asked.recording(file, Stream::Split(Box::new(monitor), ticks), 0.0)
}

fn latency_settings<B, T>(file: &File<B, T>, asked: Asked) -> LatencySettings {
    let preset = asked.preset.unwrap_or_default();
    let pair = asked.settings(&file.config);
    LatencySettings { slowdown: asked.slowdown(file.rho), pair, ..LatencySettings::of(preset) }
}

/// A monitor of latency by buckets, with the recording's bounds.
fn bucket_monitor<B, T>(file: &File<B, T>, asked: Asked) -> Result<HistogramLatency, Mistakes> {
    let Some(edges) = file.edges.clone() else {
        return Err(whole("`edges` is missing: the upper bounds of the buckets in seconds, without +Inf"));
    };
    HistogramLatency::new(edges, latency_settings(file, asked))
        .ok_or_else(|| whole("`edges`: expected finite bounds in seconds above 0, each above the one before"))
}

fn values(start_s: Number, length_s: Number, canary: Vec<f64>, stable: Vec<f64>) -> Values {
    Values { start_s: start_s.0, length_s: length_s.0, canary, stable }
}

fn buckets(file: &File<ValuesBefore, ValuesRow>, asked: Asked) -> Result<Recording, Mistakes> {
    let mut monitor = bucket_monitor(file, asked)?;
    for (i, ValuesBefore(length_s, stable)) in file.history.iter().enumerate() {
        monitor.history(length_s.0, &plain(stable)).map_err(|because| before(i, because))?;
    }
    let row = |row: &ValuesRow| values(row.0, row.1, plain(&row.2), plain(&row.3));
    let ticks = file.ticks.iter().map(row).collect();
    let history_s = file.history.iter().map(|row| row.0.0).sum();
    asked.recording(file, Stream::Buckets(Box::new(monitor), ticks), history_s)
}

fn samples(file: &File<ValuesBefore, ValuesRow>, asked: Asked) -> Result<Recording, Mistakes> {
    let mut monitor = RawLatency::new(latency_settings(file, asked));
    for (i, ValuesBefore(length_s, stable)) in file.history.iter().enumerate() {
        monitor.history(length_s.0, &present(stable)).map_err(|because| before(i, because))?;
    }
    let row = |row: &ValuesRow| values(row.0, row.1, present(&row.2), present(&row.3));
    let ticks = file.ticks.iter().map(row).collect();
    let history_s = file.history.iter().map(|row| row.0.0).sum();
    asked.recording(file, Stream::Samples(Box::new(monitor), ticks), history_s)
}

fn gauge(file: &File<IgnoredAny, GaugeRow>, asked: Asked) -> Result<Recording, Mistakes> {
    let config = &file.config;
    let default = GaugeSettings::default();
    let settings = GaugeSettings {
        ratio: config.rho.unwrap_or(default.ratio),
        offset: config.tol.unwrap_or(default.offset),
        horizon_s: config.horizon.unwrap_or(default.horizon_s),
    };
    let block_s = match config.block {
        Some(block_s) => block_s,
        None => {
            let series = present(&file.series);
            file.scrape.and_then(|scrape| block_length_s(scrape, &series)).ok_or_else(|| {
                whole(
                    "no length of the blocks: give `config.block` in seconds, or a `series` of at least ten samples of stable \
                     with `scrape` seconds between them that does not move too slowly",
                )
            })?
        }
    };
    let mut start_s = 0.0;
    let row = |row: &GaugeRow| {
        let values = values(Number(start_s), row.0, present(&row.1), present(&row.2));
        start_s += row.0.0;
        values
    };
    let ticks = file.ticks.iter().map(row).collect();
    let monitor = GaugeMonitor::new(block_s, settings);
    asked.recording(file, Stream::Gauge(Box::new(monitor), ticks), 0.0)
}

fn service(file: &File<BothBefore, BothRow>, asked: Asked) -> Result<Recording, Mistakes> {
    let mut latency = bucket_monitor(file, asked)?;
    let own = file.config.errors.as_deref().cloned().unwrap_or_default();
    let mut errors = PairMonitor::new(asked.settings(&Config { judge: file.config.judge.clone(), ..own }));
    for (i, BothBefore(length_s, n, x, stable)) in file.history.iter().enumerate() {
        errors.history(length_s.0, counts(n.0, x.0)).map_err(|because| before(i, because))?;
        latency.history(length_s.0, &plain(stable)).map_err(|because| before(i, because))?;
    }
    let row = |row: &BothRow| Both {
        counts: tick(row.0, row.1, [row.2, row.3], [row.4, row.5]),
        buckets: values(row.0, row.1, plain(&row.6), plain(&row.7)),
        problem: row.8.clone(),
    };
    let ticks = file.ticks.iter().map(row).collect();
    let history_s = errors.known_s();
    asked.recording(file, Stream::Service(Box::new(errors), Box::new(latency), ticks), history_s)
}
