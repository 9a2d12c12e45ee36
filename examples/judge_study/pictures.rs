//! The pictures of docs/judge.md, from the same streams as the study: the path of the evidence, and the interval that
//! narrows.

use std::fmt::Write as _;
use std::path::Path;

use unship::judge::{ArmCounts, PairMonitor, Settings, Tick};

use crate::{BASE, HISTORY_S, Scenario, Service};

/// How long a picture is, in seconds, and when the canary turns bad in it.
const SECONDS: u32 = 600;
const ONSET_S: u32 = 120;

const WIDTH: f64 = 840.0;
const HEIGHT: f64 = 340.0;
const LEFT: f64 = 78.0;
const RIGHT: f64 = 150.0;
const TOP: f64 = 46.0;
const BOTTOM: f64 = 44.0;

/// A second of a watch.
struct Point {
    at_s: f64,
    log_e: f64,
    lower: f64,
    upper: f64,
}

/// A canary that is healthy until it turns into something else.
fn watch(then: Scenario, seed: u64) -> Vec<Point> {
    let mut service = Service::new(Scenario::Plain, seed);
    let mut monitor = PairMonitor::new(Settings::default());
    for second in 0..HISTORY_S {
        let (_, stable) = service.second(second);
        let _ = monitor.history(1.0, ArmCounts::new(stable.counts.requests, stable.counts.failed));
    }
    let observe = |second: u32| {
        if second == ONSET_S {
            service.scenario = then;
        }
        let (canary, stable) = service.second(HISTORY_S + second);
        let [canary, stable] =
            [canary, stable].map(|arm| ArmCounts::new(arm.counts.requests, arm.counts.failed));
        let tick = Tick { start_s: f64::from(second), length_s: 1.0, canary, stable };
        let _ = monitor.observe(&tick);
        let interval = monitor.interval();
        Point { at_s: tick.end_s(), log_e: monitor.log_e(), lower: interval.lower, upper: interval.upper }
    };
    (0..SECONDS).map(observe).collect()
}

/// An axis: what is shown from where to where.
#[derive(Clone, Copy)]
struct Axis {
    low: f64,
    high: f64,
}

impl Axis {
    fn y(self, value: f64) -> f64 {
        let share = (value.clamp(self.low, self.high) - self.low) / (self.high - self.low);
        HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - TOP)
    }
}

fn x(at_s: f64) -> f64 {
    LEFT + at_s / f64::from(SECONDS) * (WIDTH - LEFT - RIGHT)
}

fn line(points: impl Iterator<Item = (f64, f64)>, class: &str) -> String {
    let mut path = String::new();
    for (i, (x, y)) in points.enumerate() {
        let _ = write!(path, "{}{x:.1} {y:.1}", if i == 0 { "M" } else { "L" });
    }
    format!("<path class=\"{class}\" d=\"{path}\"/>\n")
}

fn text(x: f64, y: f64, class: &str, words: &str) -> String {
    format!("<text x=\"{x:.1}\" y=\"{y:.1}\" class=\"{class}\">{words}</text>\n")
}

/// The frame: a card with its own ground, in light or dark as the reader has it, a title, and the axis of time.
fn frame(title: &str, marks: &[(f64, &str)], axis: Axis) -> String {
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\">\n<title>{title}</title>\n"
    );
    svg.push_str(
        "<style>\ntext{font:13px system-ui,'DejaVu Sans',sans-serif;fill:#24303c}\n.title{font-weight:600;font-size:15px}\n\
         .end{text-anchor:end}.mid{text-anchor:middle}.dim{fill:#5b6875}\npath{fill:none;stroke-width:2}\n.ground{fill:#f7f9fb}\n\
         .grid{stroke:#d5dce3;stroke-width:1}.limit{stroke:#5b6875;stroke-width:1.2;stroke-dasharray:5 4}\n\
         .a{stroke:#c2362b}.b{stroke:#b06f00}.c{stroke:#1d6fb8}.ta{fill:#c2362b}.tb{fill:#8f5a00}.tc{fill:#1d6fb8}\n\
         .band{fill:#c2362b;fill-opacity:.14;stroke:none}\n@media (prefers-color-scheme:dark){\ntext{fill:#c6d0db}.dim{fill:#8b96a3}\
         .ground{fill:#14181d}.grid{stroke:#2b3540}.limit{stroke:#8b96a3}\n\
         .a{stroke:#ff6b68}.b{stroke:#e5b454}.c{stroke:#5cb3ff}.ta{fill:#ff6b68}.tb{fill:#e5b454}.tc{fill:#5cb3ff}.band{fill:#ff6b68}}\n</style>\n",
    );
    let _ = writeln!(svg, "<rect class=\"ground\" width=\"100%\" height=\"100%\" rx=\"8\"/>");
    svg.push_str(&text(LEFT, 26.0, "title", title));
    for (value, words) in marks {
        let y = axis.y(*value);
        svg.push_str(&line([(LEFT, y), (WIDTH - RIGHT, y)].into_iter(), "grid"));
        svg.push_str(&text(LEFT - 8.0, y + 4.5, "end dim", words));
    }
    for minute in (0..=SECONDS / 60).step_by(2) {
        let at = x(f64::from(minute) * 60.0);
        svg.push_str(&text(at, HEIGHT - BOTTOM + 19.0, "mid dim", &format!("{minute} min")));
    }
    let at = x(f64::from(ONSET_S));
    svg.push_str(&line([(at, TOP), (at, HEIGHT - BOTTOM)].into_iter(), "limit"));
    svg.push_str(&text(at + 6.0, HEIGHT - BOTTOM - 8.0, "dim", "the canary turns bad"));
    svg
}

/// The path of the evidence of three canaries.
fn evidence(seed: u64) -> String {
    let axis = Axis { low: 0.01_f64.ln(), high: 1e5_f64.ln() };
    let marks = [0.01, 0.1, 1.0, 10.0, 100.0, 1e3, 1e4, 1e5];
    let words = ["1/100", "1/10", "1", "10", "100", "1 000", "10 000", "100 000"];
    let marks: Vec<(f64, &str)> = marks.map(f64::ln).into_iter().zip(words).collect();
    let mut svg = frame("Evidence of harm, a tenth of 100 requests a second on the canary", &marks, axis);
    for (limit, words) in [(10.0_f64, "hold"), (100.0, "roll back")] {
        let y = axis.y(limit.ln());
        svg.push_str(&line([(LEFT, y), (WIDTH - RIGHT, y)].into_iter(), "limit"));
        svg.push_str(&text(LEFT + 6.0, y - 5.0, "dim", words));
    }
    for (then, class, name) in [
        (Scenario::Plain, "c", "healthy"),
        (Scenario::Failing(2.0 * BASE), "b", "twice the errors"),
        (Scenario::Failing(BASE + 0.05), "a", "5 points more"),
    ] {
        let path = watch(then, seed);
        let shown: Vec<&Point> = path
            .iter()
            .scan(true, |is_inside, point| {
                let was_inside = *is_inside;
                *is_inside = point.log_e < axis.high;
                was_inside.then_some(point)
            })
            .collect();
        svg.push_str(&line(shown.iter().map(|point| (x(point.at_s), axis.y(point.log_e))), class));
        if let Some(last) = shown.last() {
            // Beside a line that leaves through the top, below the edge.
            let below = if last.log_e >= axis.high { 20.0 } else { 5.0 };
            let place = (x(last.at_s) + 6.0, axis.y(last.log_e) + below);
            svg.push_str(&text(place.0, place.1, &format!("t{class}"), name));
        }
    }
    svg.push_str("</svg>\n");
    svg
}

/// The interval for the difference, narrowing around the truth.
fn interval(seed: u64) -> String {
    let axis = Axis { low: -0.05, high: 0.15 };
    let marks = [(-0.05, "-5"), (0.0, "0"), (0.05, "+5"), (0.1, "+10"), (0.15, "+15")];
    let mut svg = frame("How much more the canary fails, in points of the error rate", &marks, axis);
    let path = watch(Scenario::Failing(BASE + 0.05), seed);
    let upper = path.iter().map(|point| (x(point.at_s), axis.y(point.upper)));
    let lower = path.iter().map(|point| (x(point.at_s), axis.y(point.lower)));
    svg.push_str(&line(upper.clone().chain(lower.clone().rev()), "band"));
    svg.push_str(&line(upper, "a"));
    svg.push_str(&line(lower, "a"));
    // The mean so far is what the interval is about.
    let mean = |at_s: f64| (0.05 * (at_s - f64::from(ONSET_S)) / at_s).max(0.0);
    let truth = path.iter().map(|point| (x(point.at_s), axis.y(mean(point.at_s))));
    svg.push_str(&line(truth, "c"));
    if let Some(last) = path.last() {
        svg.push_str(&text(x(last.at_s) + 6.0, axis.y(last.upper) - 2.0, "ta", "at most"));
        svg.push_str(&text(x(last.at_s) + 6.0, axis.y(last.lower) + 12.0, "ta", "at least"));
        svg.push_str(&text(x(last.at_s) + 6.0, axis.y(mean(last.at_s)) + 5.0, "tc", "mean so far"));
    }
    svg.push_str("</svg>\n");
    svg
}

/// Writes the pictures into a folder.
pub(crate) fn write(folder: &Path, seed: u64) -> std::io::Result<()> {
    std::fs::write(folder.join("judge-evidence.svg"), evidence(seed))?;
    std::fs::write(folder.join("judge-interval.svg"), interval(seed))
}
