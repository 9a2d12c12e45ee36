//! Two finished windows by ranks: `unship judge --method mann-whitney`.

use serde_json::json;

use super::counts_table::{Cell, rows};
use super::{Mistake, Mistakes};
use crate::cli::output::{out, print_json, table};
use crate::cli::{Exit, Global};
use crate::judge::fixed_window::{
    Class, Classification, Classifier, Direction, Effect, NanStrategy, Thresholds,
};

/// Their place in the help.
const RANKS: &str = "Options of --method mann-whitney";

/// How two windows are compared.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct Options {
    /// Which change is a failure.
    #[arg(long, value_enum, default_value_t = DirectionArg::Either, help_heading = RANKS)]
    direction: DirectionArg,
    /// How differences are measured: mean of the canary over mean of stable, or the chance that a value of the canary is
    /// above one of stable.
    #[arg(long, value_enum, default_value_t = EffectArg::MeanRatio, help_heading = RANKS)]
    effect: EffectArg,
    /// A rise up to here passes, in the measure of `--effect`. Without it: no rise.
    #[arg(long, value_name = "SIZE", value_parser = finite, help_heading = RANKS)]
    allowed_increase: Option<f64>,
    /// A fall down to here passes. Without it: no fall.
    #[arg(long, value_name = "SIZE", value_parser = finite, help_heading = RANKS)]
    allowed_decrease: Option<f64>,
    /// The interval has to be further from zero than this share of the estimate.
    #[arg(long, default_value_t = 0.25, value_parser = share, help_heading = RANKS)]
    tolerance: f64,
    /// The confidence of the interval, between 0.5 and 1.
    #[arg(long, default_value_t = 0.98, value_parser = confidence, help_heading = RANKS)]
    confidence: f64,
    /// What becomes of missing values: left out, or counted as 0.
    #[arg(long, value_enum, default_value_t = NanArg::Remove, help_heading = RANKS)]
    nan: NanArg,
    /// What becomes of outliers.
    #[arg(long, value_enum, default_value_t = OutliersArg::Keep, help_heading = RANKS)]
    outliers: OutliersArg,
    /// An outlier is so many interquartile ranges outside the quartiles.
    #[arg(long, default_value_t = 3.0, value_parser = share, help_heading = RANKS)]
    outlier_factor: f64,
    /// A window without values is a failure.
    #[arg(long, help_heading = RANKS)]
    must_have_data: bool,
}

#[derive(clap::ValueEnum, Clone, Copy, Debug)]
enum DirectionArg {
    Increase,
    Decrease,
    Either,
}

#[derive(clap::ValueEnum, Clone, Copy, Debug)]
enum EffectArg {
    MeanRatio,
    Cles,
}

#[derive(clap::ValueEnum, Clone, Copy, Debug)]
enum NanArg {
    Remove,
    Replace,
}

#[derive(clap::ValueEnum, Clone, Copy, Debug)]
enum OutliersArg {
    Keep,
    Remove,
}

fn finite(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number: &f64| number.is_finite());
    number.ok_or_else(|| "expected a number".to_owned())
}

fn share(text: &str) -> Result<f64, String> {
    finite(text).and_then(|number| {
        if number >= 0.0 { Ok(number) } else { Err("expected a number of at least 0".to_owned()) }
    })
}

fn confidence(text: &str) -> Result<f64, String> {
    finite(text).and_then(|number| {
        let is_one = number > 0.5 && number < 1.0;
        if is_one { Ok(number) } else { Err("expected a number above 0.5 and below 1".to_owned()) }
    })
}

impl Options {
    fn classifier(&self) -> Classifier {
        Classifier {
            direction: match self.direction {
                DirectionArg::Increase => Direction::Increase,
                DirectionArg::Decrease => Direction::Decrease,
                DirectionArg::Either => Direction::Either,
            },
            nan: match self.nan {
                NanArg::Remove => NanStrategy::Remove,
                NanArg::Replace => NanStrategy::Replace,
            },
            outlier_factor: match self.outliers {
                OutliersArg::Keep => None,
                OutliersArg::Remove => Some(self.outlier_factor),
            },
            must_have_data: self.must_have_data,
            tolerance: self.tolerance,
            confidence: self.confidence,
            effect: match self.effect {
                EffectArg::MeanRatio => Effect::MeanRatio,
                EffectArg::Cles => Effect::CommonLanguage,
            },
            allowed: (self.allowed_decrease, self.allowed_increase),
            ..Classifier::default()
        }
    }
}

/// The values of both windows.
#[derive(Debug, PartialEq)]
pub(super) struct Windows {
    canary: Vec<f64>,
    stable: Vec<f64>,
}

/// Reads two columns of numbers: canary and stable, or as a header says. One that is shorter ends in empty cells.
pub(super) fn read(text: &str) -> Result<Windows, Mistakes> {
    let rows = rows(text);
    let Some(first) = rows.first() else {
        return Err(Mistakes(vec![Mistake { at: None, message: "there is nothing in it".to_owned() }]));
    };
    let mut mistakes = Vec::new();
    let names: Vec<String> = first.cells.iter().map(|cell| cell.text.to_lowercase()).collect();
    let is_header = names.iter().any(|name| name.contains("canary") || name.contains("stable"));
    let (mut canary, mut stable) = (0, 1);
    if is_header {
        let place = |word: &str| names.iter().position(|name| name.contains(word));
        match (place("canary"), place("stable")) {
            (Some(c), Some(s)) if c != s => (canary, stable) = (c, s),
            _ => mistakes.push(Mistake {
                at: Some((first.line, 1)),
                message: "expected a header with a column `canary` and a column `stable`".to_owned(),
            }),
        }
    }
    let columns = if is_header { first.cells.len() } else { 2 };
    let mut windows = Windows { canary: Vec::new(), stable: Vec::new() };
    for row in rows.iter().skip(usize::from(is_header)) {
        if row.cells.len() != columns {
            mistakes.push(Mistake {
                at: Some((row.line, 1)),
                message: format!(
                    "{} cells, expected {columns}: a value of the canary and one of stable",
                    row.cells.len()
                ),
            });
            continue;
        }
        for (values, cell, name) in
            [(&mut windows.canary, canary, "canary"), (&mut windows.stable, stable, "stable")]
        {
            // An empty cell is where the other column is longer; NaN is a value that is missing.
            let Some(cell) = row.cells.get(cell).filter(|cell| !cell.text.is_empty()) else { continue };
            match value(cell, name) {
                Ok(value) => values.push(value),
                Err(mistake) => mistakes.push(mistake),
            }
        }
    }
    if mistakes.is_empty() { Ok(windows) } else { Err(Mistakes(mistakes)) }
}

fn value(cell: &Cell<'_>, name: &str) -> Result<f64, Mistake> {
    let value = cell.number(name)?;
    if value.is_infinite() {
        return Err(cell.mistake(format!("found `{}`, expected a finite number: {name}", cell.text)));
    }
    Ok(value)
}

const fn word(class: Class) -> &'static str {
    match class {
        Class::Pass => "pass",
        Class::High => "high",
        Class::Low => "low",
        Class::Nodata => "no data",
        Class::NodataFailMetric => "no data, which is a failure",
        Class::Error => "error",
    }
}

/// Compares and prints.
pub(super) fn run(name: &str, windows: &Windows, options: &Options, global: &Global) -> anyhow::Result<Exit> {
    let classifier = options.classifier();
    let found = classifier.classify(&windows.canary, &windows.stable);
    let exit = match found.class {
        Class::Pass => Exit::Fine,
        Class::High | Class::Low | Class::NodataFailMetric => Exit::Unhealthy,
        Class::Nodata | Class::Error => Exit::Unknown,
    };
    // One metric alone: all or nothing.
    let score = match found.class {
        Class::Pass => 100.0,
        _ => 0.0,
    };
    if global.json {
        print_json(&json!({
            "file": name,
            "method": "mann_whitney",
            "class": found.class,
            "interval": found.interval,
            "effect": found.effect,
            "score": score,
            "grade": Thresholds::default().grade(score),
            "canary": windows.canary.len(),
            "stable": windows.stable.len(),
            "rules": classifier,
            "exit": exit as u8,
        }))?;
        return Ok(exit);
    }
    print(name, windows, &classifier, &found);
    Ok(exit)
}

fn print(name: &str, windows: &Windows, classifier: &Classifier, found: &Classification) {
    out!("{name}: two windows by ranks (Mann-Whitney)\n");
    let missing = |values: &[f64]| values.iter().filter(|value| value.is_nan()).count();
    let row = |name: &str, values: &[f64]| {
        let there: Vec<f64> = values.iter().copied().filter(|value| !value.is_nan()).collect();
        let mean = there.iter().sum::<f64>() / there.len().max(1) as f64;
        vec![name.to_owned(), there.len().to_string(), missing(values).to_string(), format!("{mean:.4}")]
    };
    let head = ["", "values", "missing", "mean"].map(str::to_owned).to_vec();
    out!("{}", table(&[head, row("canary", &windows.canary), row("stable", &windows.stable)]));
    if let Some(interval) = found.interval {
        out!(
            "shift      {:.4}, from {:.4} to {:.4} at {} %",
            interval.estimate,
            interval.lower,
            interval.upper,
            100.0 * classifier.confidence
        );
    }
    if let Some(effect) = found.effect {
        let name = match classifier.effect {
            Effect::MeanRatio => "mean of the canary over mean of stable",
            Effect::CommonLanguage => "chance that a value of the canary is above one of stable",
        };
        out!("effect     {effect:.3}, the {name}");
    }
    out!("class      {}", word(found.class));
    out!("\nThis judges a finished window once; looked at again and again, its error adds up.");
}
