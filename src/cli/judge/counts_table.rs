//! Counts as a table: CSV with a header and a row an interval. Also the columns of numbers for the comparison by ranks.

use super::play::LeftOut;
use super::recording::Recording;
use super::stream::{Stream, counts};
use super::{Mistake, Mistakes};
use crate::judge::watch::{MetricKind, WatchSettings};
use crate::judge::{PairMonitor, Preset, Settings, Tick};

/// A cell with its place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cell<'a> {
    pub(super) text: &'a str,
    pub(super) line: usize,
    /// In characters, from 1.
    pub(super) column: usize,
}

impl Cell<'_> {
    pub(super) fn mistake(&self, message: String) -> Mistake {
        Mistake { at: Some((self.line, self.column)), message }
    }

    /// The number in it; an empty cell is a missing value.
    pub(super) fn number(&self, what: &str) -> Result<f64, Mistake> {
        match self.text {
            "" | "NaN" | "nan" | "null" | "-" => Ok(f64::NAN),
            text => {
                text.parse().map_err(|_| self.mistake(format!("found `{text}`, expected a number: {what}")))
            }
        }
    }
}

/// A line that is neither empty nor a comment.
#[derive(Debug)]
pub(super) struct Row<'a> {
    pub(super) line: usize,
    pub(super) cells: Vec<Cell<'a>>,
}

/// Cuts a text into rows and cells. The separator is a tab, a semicolon or a comma, whichever the first row has; without
/// any, blanks. Quotes around a cell are taken off.
pub(super) fn rows(text: &str) -> Vec<Row<'_>> {
    let mut separator = None;
    let lines = text.trim_start_matches('\u{feff}').lines().enumerate();
    lines
        .map(|(i, line)| (i + 1, line))
        .filter(|(_, line)| !line.trim().is_empty() && !line.trim_start().starts_with('#'))
        .map(|(number, line)| {
            let separator = *separator
                .get_or_insert_with(|| ['\t', ';', ','].into_iter().find(|mark| line.contains(*mark)));
            let is_separator =
                |c: char| separator.map_or_else(|| c.is_whitespace(), |separator| c == separator);
            let mut cells = Vec::new();
            for part in line.split(is_separator) {
                let offset = part.as_ptr() as usize - line.as_ptr() as usize;
                let blank = part.len() - part.trim_start().len();
                let text = part.trim().trim_matches('"').trim();
                if separator.is_some() || !text.is_empty() {
                    let column = line[..offset + blank].chars().count() + 1;
                    cells.push(Cell { text, line: number, column });
                }
            }
            Row { line: number, cells }
        })
        .collect()
}

/// A column of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    Time,
    Length,
    CanaryRequests,
    CanaryBad,
    StableRequests,
    StableBad,
}

impl Column {
    const ALL: [(Self, &'static str, &'static [&'static str]); 6] = [
        (Self::Time, "time", &["time_s", "t", "start", "start_s", "seconds"]),
        (Self::Length, "length", &["length_s", "dt", "interval", "interval_s", "duration"]),
        (Self::CanaryRequests, "canary_requests", &["canary_total", "canary"]),
        (Self::CanaryBad, "canary_bad", &["canary_errors", "canary_failed"]),
        (Self::StableRequests, "stable_requests", &["stable_total", "stable"]),
        (Self::StableBad, "stable_bad", &["stable_errors", "stable_failed"]),
    ];

    fn named(text: &str) -> Option<Self> {
        let name: String =
            text.to_lowercase().chars().map(|c| if c == ' ' || c == '-' { '_' } else { c }).collect();
        let row = Self::ALL.iter().find(|(_, own, others)| *own == name || others.contains(&name.as_str()));
        row.map(|(column, ..)| *column)
    }
}

fn header(row: &Row<'_>) -> Result<Vec<Option<Column>>, Mistakes> {
    let columns: Vec<Option<Column>> = row.cells.iter().map(|cell| Column::named(cell.text)).collect();
    let mut mistakes = Vec::new();
    let first = |message: String| Mistake { at: Some((row.line, 1)), message };
    if columns.iter().all(Option::is_none) {
        return Err(Mistakes(vec![first(
            "expected a header: time or length, canary_requests, canary_bad, stable_requests, stable_bad"
                .to_owned(),
        )]));
    }
    for (i, (column, cell)) in columns.iter().zip(&row.cells).enumerate() {
        if column.is_some() && columns[..i].contains(column) {
            mistakes.push(cell.mistake(format!("a second column `{}`", cell.text)));
        }
    }
    for (column, name, _) in Column::ALL {
        let is_time = matches!(column, Column::Time | Column::Length);
        if !is_time && !columns.contains(&Some(column)) {
            mistakes.push(first(format!("the header has no column `{name}`")));
        }
    }
    if !columns.contains(&Some(Column::Time)) && !columns.contains(&Some(Column::Length)) {
        mistakes.push(first("the header has neither `time` nor `length`, in seconds".to_owned()));
    }
    if mistakes.is_empty() { Ok(columns) } else { Err(Mistakes(mistakes)) }
}

/// The numbers of a row, NaN where there is none.
struct Numbers {
    line: usize,
    values: [f64; Column::ALL.len()],
}

impl Numbers {
    const fn of(&self, column: Column) -> f64 {
        self.values[column as usize]
    }
}

/// Reads a table of counts.
pub(super) fn parse(text: &str, alpha: Option<f64>, preset: Option<Preset>) -> Result<Recording, Mistakes> {
    let rows = rows(text);
    let Some((head, body)) = rows.split_first() else {
        return Err(Mistakes(vec![Mistake { at: None, message: "there is nothing in it".to_owned() }]));
    };
    let columns = header(head)?;
    let mut mistakes = Vec::new();
    let mut table: Vec<Numbers> = Vec::new();
    for row in body {
        if row.cells.len() != columns.len() {
            mistakes.push(Mistake {
                at: Some((row.line, 1)),
                message: format!("{} cells, expected {} as in the header", row.cells.len(), columns.len()),
            });
            continue;
        }
        let mut numbers = Numbers { line: row.line, values: [f64::NAN; Column::ALL.len()] };
        for (cell, column) in row.cells.iter().zip(&columns) {
            let Some(column) = column else { continue };
            let (_, name, _) = Column::ALL[*column as usize];
            match cell.number(name) {
                Ok(value) => numbers.values[*column as usize] = value,
                Err(mistake) => mistakes.push(mistake),
            }
            let is_time = matches!(column, Column::Time | Column::Length);
            if is_time && numbers.of(*column).is_nan() && cell.number(name).is_ok() {
                mistakes.push(cell.mistake(format!("no value, expected seconds: {name}")));
            }
        }
        table.push(numbers);
    }
    if body.is_empty() {
        mistakes.push(Mistake { at: Some((head.line, 1)), message: "a header and no rows".to_owned() });
    }
    if !mistakes.is_empty() {
        return Err(Mistakes(mistakes));
    }
    recording(&table, &columns, alpha, preset)
}

/// When each row begins, and how long it is.
fn times(table: &[Numbers], columns: &[Option<Column>]) -> Result<Vec<(f64, f64)>, Mistakes> {
    let has = |column: Column| columns.contains(&Some(column));
    let mut times: Vec<(f64, f64)> = Vec::with_capacity(table.len());
    for (i, row) in table.iter().enumerate() {
        let start_s = if has(Column::Time) {
            row.of(Column::Time)
        } else {
            times.last().map_or(0.0, |(start_s, length_s)| start_s + length_s)
        };
        let length_s = if has(Column::Length) {
            row.of(Column::Length)
        } else if let Some(next) = table.get(i + 1) {
            next.of(Column::Time) - start_s
        } else {
            // The last one is taken to be as long as the one before.
            times.last().map_or(f64::NAN, |(_, length_s)| *length_s)
        };
        if length_s.is_nan() {
            let message = "one row and no `length`: how long it is cannot be known".to_owned();
            return Err(Mistakes(vec![Mistake { at: Some((row.line, 1)), message }]));
        }
        times.push((start_s, length_s));
    }
    Ok(times)
}

fn recording(
    table: &[Numbers],
    columns: &[Option<Column>],
    alpha: Option<f64>,
    preset: Option<Preset>,
) -> Result<Recording, Mistakes> {
    let times = times(table, columns)?;
    let preset = preset.unwrap_or_default();
    let settings = Settings::of(preset);
    let settings = Settings { alpha: alpha.unwrap_or(settings.alpha), ..settings };
    let mut monitor = PairMonitor::new(settings);
    // What is before the canary's first request teaches what is usual.
    let watch = table.iter().position(|row| row.of(Column::CanaryRequests) > 0.0).unwrap_or(table.len());
    let mut left_out = Vec::new();
    for (row, (_, length_s)) in table.iter().zip(&times).take(watch) {
        let stable = counts(row.of(Column::StableRequests), row.of(Column::StableBad));
        if let Err(because) = monitor.history(*length_s, stable) {
            left_out.push(LeftOut { tick: None, line: Some(row.line), because });
        }
    }
    let begin_s = times.get(watch).map_or(0.0, |(start_s, _)| *start_s);
    let tick = |(row, (start_s, length_s)): (&Numbers, &(f64, f64))| Tick {
        start_s: start_s - begin_s,
        length_s: *length_s,
        canary: counts(row.of(Column::CanaryRequests), row.of(Column::CanaryBad)),
        stable: counts(row.of(Column::StableRequests), row.of(Column::StableBad)),
    };
    let history_s = monitor.known_s();
    let rules = WatchSettings::of([MetricKind::Errors]);
    Ok(Recording {
        about: String::new(),
        stream: Stream::Pair(Box::new(monitor), table.iter().zip(&times).skip(watch).map(tick).collect()),
        rules: WatchSettings { alpha: alpha.unwrap_or(rules.alpha), ..rules },
        preset: Some(preset),
        history_s,
        lines: table.iter().skip(watch).map(|row| row.line).collect(),
        left_out,
        expected: None,
        not_compared: None,
    })
}
