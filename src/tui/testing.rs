//! Pictures for tests. The engine's own core makes them on simulated time, from samples, probes, platforms and commands as
//! the adapters and the faces give them: nothing here has a shape that a running console could not have.
//!
//! Each state goes on from the one before it: [`rest`], [`incident`], [`running`], [`recovered`], [`resolved`].

pub(crate) mod worked;
mod world;

use std::sync::OnceLock;

pub(crate) use world::{Load, World, at, release, settings};

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::scene::{Picture, Scene};
use super::theme;
use super::ui::Ui;
use crate::config::{self, Config};
use crate::model::command::{Command, RollBack};
use crate::model::operation::Strategy;
use crate::model::release::Arm;

/// An environment of four services and three sources, in which a person has the last word.
pub(crate) const CONFIG: &str = r#"
[environment]
name = "shop-prod"
automatic = false

[guardrails]
cooldown = "60s"
maximum = 3
stale_after = "10s"

[rollback]
good_after = "5s"
watch = "10s"
verify_hold = "5s"
verify_deadline = "60s"

[sources.metrics]
kind = "scrape"
url = "http://127.0.0.1:1/metrics"
interval = "1s"
arms = { label = "version", by_version = true }

[sources.edge]
kind = "scrape"
url = "http://127.0.0.1:2/metrics"
interval = "1s"
arms = { label = "version", by_version = true }

[sources.ledger]
kind = "scrape"
url = "http://127.0.0.1:3/metrics"
interval = "1s"
arms = { label = "version", by_version = true }

[services.checkout]
criticality = "critical"
depends_on = ["payments"]
platform = { kind = "lab", admin = "http://127.0.0.1:1", service = "checkout" }
probes.health = { url = "http://127.0.0.1:1/health", interval = "1s", timeout = "1s" }
indicators.errors = { source = "metrics", read = { kind = "ratio", bad = "e", total = "t" } }
indicators.latency = { source = "metrics", read = { kind = "latency", histogram = "l" } }
indicators.traffic = { source = "metrics", read = { kind = "rate", counter = "t" } }
indicators.memory = { source = "metrics", read = { kind = "gauge", series = "m", divide_by = "n" } }

[services.cart]
platform = { kind = "lab", admin = "http://127.0.0.1:1", service = "cart" }
probes.health = { url = "http://127.0.0.1:1/health", interval = "1s", timeout = "1s" }
indicators.errors = { source = "edge", read = { kind = "ratio", bad = "e", total = "t" } }
indicators.latency = { source = "edge", read = { kind = "latency", histogram = "l" } }

[services.search]
criticality = "low"
platform = { kind = "lab", admin = "http://127.0.0.1:1", service = "search" }
probes.health = { url = "http://127.0.0.1:1/health", interval = "1s", timeout = "1s" }
indicators.errors = { source = "edge", read = { kind = "ratio", bad = "e", total = "t" } }
indicators.latency = { source = "edge", read = { kind = "latency", histogram = "l" } }

[services.payments]
platform = { kind = "lab", admin = "http://127.0.0.1:1", service = "payments" }
indicators.errors = { source = "ledger", read = { kind = "ratio", bad = "e", total = "t" } }
indicators.latency = { source = "ledger", read = { kind = "latency", histogram = "l" } }

[triggers.errors]
when = { kind = "threshold", indicator = "errors", above = "5%", over = "10s", for = "5s" }
action = "immediate"
severity = "critical"
min_samples = 50

[triggers.slow]
when = { kind = "threshold", indicator = "latency", above = "1s", over = "10s", for = "5s" }
action = "gradual"
severity = "high"
services = ["checkout", "search", "payments"]
min_samples = 50

[triggers.sluggish]
when = { kind = "threshold", indicator = "latency", above = "1.5s", over = "10s", quantile = 0.99 }
action = "watch"
severity = "medium"
services = ["cart"]
min_samples = 50

[triggers.memory]
when = { kind = "threshold", indicator = "memory", above = "90%", over = "10s" }
action = "gradual"

[triggers.down]
when = { kind = "consecutive", failures = 3, within = "10s" }
action = "immediate"
"#;

/// The config of a text, checked as a file's would be.
pub(crate) fn config(text: &str) -> Config {
    match config::parse(text, "unship.toml") {
        Ok((config, _)) => config,
        Err(problems) => panic!("{}", config::render(&problems)),
    }
}

/// Four services at rest, with what happened to `checkout` before: 2.7.9 was taken back on Nov 19, 2.8.0 serves since
/// this morning. It is 14:01.
pub(crate) fn at_rest() -> World {
    static REST: OnceLock<World> = OnceLock::new();
    REST.get_or_init(|| make_rest(CONFIG, true)).clone()
}

fn make_rest(text: &str, observable: bool) -> World {
    let mut world = World::new(settings(config(text), observable), at("2026-11-18T16:20:00Z"));
    world.lead();
    world.load("cart", "5.2.0", Load { latency_ms: 150.0, ..world::WELL });
    world.load("search", "11.0.3", Load { latency_ms: 6.0, errors: 0.0004, ..world::WELL });
    world.load("payments", "3.9.1", Load { latency_ms: 90.0, errors: 0.0, ..world::WELL });
    for (service, version) in [("cart", "5.2.0"), ("search", "11.0.3"), ("payments", "3.9.1")] {
        let release = release(version, "kim", "2026-11-12T10:00:00Z");
        world.serve(service, Some(release), &[(version, Arm::Stable, 100)]);
    }
    let first = release("2.7.8", "kim", "2026-11-18T16:15:00Z");
    world.serve("checkout", Some(first), &[("2.7.8", Arm::Stable, 100)]);
    world.pass(12);
    world.jump("2026-11-19T10:40:00Z");
    let bad = release("2.7.9", "lee", "2026-11-19T10:31:00Z");
    world.serve("checkout", Some(bad), &[("2.7.9", Arm::Stable, 100)]);
    world.pass(3);
    world.roll_back("2.7.8", "the cart's totals are wrong");
    world.finish_rollback();
    world.pass(2);
    world.jump("2026-11-21T09:12:00Z");
    let good = release("2.8.0", "kim", "2026-11-21T09:05:00Z");
    world.serve("checkout", Some(good), &[("2.8.0", Arm::Stable, 100)]);
    world.pass(20);
    world.jump("2026-11-21T13:58:30Z");
    for service in ["cart", "search", "payments", "checkout"] {
        world.read_platform(service);
    }
    world.pass(150);
    world
}

/// [`at_rest`], and then 2.8.1 as the canary of `checkout` with a fifth of the traffic and 7.1 % of errors; `cart` is slow,
/// and nothing is known of `payments`. It is 14:01:41.
pub(crate) fn in_incident() -> World {
    static INCIDENT: OnceLock<World> = OnceLock::new();
    INCIDENT.get_or_init(|| make_incident(at_rest())).clone()
}

fn make_incident(mut world: World) -> World {
    let new = release("2.8.1", "lee", "2026-11-21T13:54:00Z");
    world.load("checkout", "2.8.1", Load { errors: 0.071, latency_ms: 292.0, memory: 0.52 });
    world.serve("checkout", Some(new), &[("2.8.0", Arm::Stable, 80), ("2.8.1", Arm::Canary, 20)]);
    world.pass(3);
    world.faults.insert("ledger".into(), "http://127.0.0.1:3/metrics: connection refused".to_owned());
    world.load("cart", "5.2.0", Load { latency_ms: 660.0, ..world::WELL });
    world.pass(38);
    world
}

/// [`in_incident`], and the rollback that a person asked for is giving 2.8.0 its traffic.
pub(crate) fn in_rollback() -> World {
    let mut world = in_incident();
    world.acknowledge();
    world.roll_back("2.8.0", "5xx on the canary");
    world.pass(4);
    world
}

/// [`in_rollback`], and it has ended well.
pub(crate) fn after_rollback() -> World {
    let mut world = in_rollback();
    world.finish_rollback();
    world.faults.clear();
    world.load("cart", "5.2.0", Load { latency_ms: 150.0, ..world::WELL });
    world.pass(95);
    world
}

impl World {
    /// A person takes the canary of `checkout` (or what is live) back.
    pub(crate) fn roll_back(&mut self, to: &str, reason: &str) {
        self.send(Command::RollBack(RollBack {
            service: "checkout".into(),
            from: None,
            to: Some(to.into()),
            strategy: Strategy::Emergency,
            reason: reason.to_owned(),
            overrides: Vec::new(),
        }));
        // The maintenance page first.
        self.pass(1);
        self.done();
        self.pass(1);
    }

    fn finish_rollback(&mut self) {
        for _ in 0..60 {
            if self.core.state().open_operations().next().is_none() {
                return;
            }
            if !self.steps.is_empty() {
                self.done();
            }
            self.pass(1);
        }
        panic!("the rollback goes on: {:?}", self.core.state().open_operations().next());
    }

    pub(crate) fn acknowledge(&mut self) {
        let incident = self.core.state().open_incident().unwrap().id.clone();
        self.send(Command::Acknowledge { incident });
    }
}

/// Nothing is wrong.
pub(crate) fn rest() -> Picture {
    at_rest().picture()
}

/// The canary of `checkout` fails, and nothing has been done yet.
pub(crate) fn incident() -> Picture {
    in_incident().picture()
}

/// [`in_incident`], with a channel that those who wait listen to.
pub(crate) fn awaited() -> World {
    let channel = "[channels.chat]\nkind = \"webhook\"\nurl = \"http://127.0.0.1:9/hook\"\n";
    make_incident(make_rest(&format!("{CONFIG}\n{channel}"), true))
}

/// A judge watches 2.8.1, which is as well as 2.8.0: neither safe nor worse, so far.
pub(crate) fn watched() -> Picture {
    let mut world = make_rest(&format!("{CONFIG}\n[judge]\n"), true);
    let new = release("2.8.1", "lee", "2026-11-21T13:54:00Z");
    world.load("checkout", "2.8.1", world::WELL);
    world.serve("checkout", Some(new), &[("2.8.0", Arm::Stable, 80), ("2.8.1", Arm::Canary, 20)]);
    world.pass(75);
    world.picture()
}

/// [`incident`], and a judge has found the canary to be worse.
pub(crate) fn judged() -> Picture {
    make_incident(make_rest(&format!("{CONFIG}\n[judge]\n"), true)).picture()
}

/// A rollback is going on, at its second step of four.
pub(crate) fn running() -> Picture {
    in_rollback().picture()
}

/// The rollback is verified, everything is well, and the incident is still open.
pub(crate) fn recovered() -> Picture {
    after_rollback().picture()
}

/// [`recovered`], and a person has said that it is over.
pub(crate) fn resolved() -> Picture {
    let mut world = after_rollback();
    let incident = world.core.state().open_incident().unwrap().id.clone();
    world.send(Command::Resolve { incident, reason: "2.8.0 serves again".to_owned() });
    world.pass(2);
    world.picture()
}

/// The guard died in the middle of a step of which nobody can see whether it has happened.
pub(crate) fn needs_decision() -> Picture {
    undecided().picture()
}

/// What [`needs_decision`] is a picture of.
pub(crate) fn undecided() -> World {
    let mut world = make_incident(make_rest(CONFIG, false));
    world.roll_back("2.8.0", "5xx on the canary");
    world.lead();
    for service in ["cart", "search", "payments", "checkout"] {
        world.read_platform(service);
    }
    world.pass(8);
    world
}

/// Nothing has come in for a minute and a half: no source answers.
pub(crate) fn stale() -> Picture {
    let mut world = at_rest();
    world.jump("2026-11-21T14:02:30Z");
    world.picture()
}

/// Nothing has been read yet.
pub(crate) fn beginning() -> Picture {
    World::new(settings(config(CONFIG), true), at("2026-11-21T14:01:00Z")).picture()
}

/// An environment of `count` services; each fiftieth is failing, each fiftieth is slow.
pub(crate) fn many(count: usize) -> Picture {
    use std::fmt::Write as _;
    let (head, rest) = CONFIG.split_once("[services.checkout]").unwrap();
    let (_, triggers) = rest.split_once("[triggers.errors]").unwrap();
    let mut text = format!("{head}[triggers.errors]{triggers}")
        .replace("services = [\"checkout\", \"search\", \"payments\"]\n", "services = [\"svc-0000\"]\n")
        .replace("services = [\"cart\"]\n", "")
        .replace("[triggers.memory]\nwhen = { kind = \"threshold\", indicator = \"memory\", above = \"90%\", over = \"10s\" }\naction = \"gradual\"\n", "");
    for index in 0..count {
        let _ = write!(
            text,
            "[services.svc-{index:04}]\n\
             platform = {{ kind = \"lab\", admin = \"http://127.0.0.1:1\", service = \"svc-{index:04}\" }}\n\
             probes.health = {{ url = \"http://127.0.0.1:1/health\", interval = \"1s\", timeout = \"1s\" }}\n\
             indicators.errors = {{ source = \"metrics\", read = {{ kind = \"ratio\", bad = \"e\", total = \"t\" }} }}\n\
             indicators.latency = {{ source = \"edge\", read = {{ kind = \"latency\", histogram = \"l\" }} }}\n"
        );
    }
    let mut world = World::new(settings(config(&text), true), at("2026-11-21T14:00:00Z"));
    world.lead();
    for index in 0..count {
        let service = format!("svc-{index:04}");
        let load = match index % 50 {
            7 => Load { errors: 0.12, ..world::WELL },
            23 => Load { latency_ms: 660.0, ..world::WELL },
            _ => world::WELL,
        };
        world.load(&service, "1.0.0", load);
        let release = release("1.0.0", "kim", "2026-11-12T10:00:00Z");
        world.serve(&service, Some(release), &[("1.0.0", Arm::Stable, 100)]);
    }
    world.pass(8);
    world.picture()
}

/// Without any colour.
pub(crate) fn in_mono(picture: Picture) -> Picture {
    Picture { theme: theme::find("mono", &[]).unwrap(), ..picture }
}

/// What is seen of a part at a size: drawn into a rectangle of its own.
pub(crate) fn drawn(
    picture: &Picture,
    ui: &Ui,
    (width, height): (u16, u16),
    draw: impl Fn(&Scene<'_>, Rect, &mut Buffer),
) -> Buffer {
    let area = Rect::new(0, 0, width, height);
    let mut buf = Buffer::empty(area);
    draw(&Scene::new(picture, ui), area, &mut buf);
    buf
}

/// A part in several states and sizes, one below the other, for a snapshot.
pub(crate) fn gallery(
    states: &[(&str, &Picture, &Ui)],
    sizes: &[(u16, u16)],
    draw: impl Fn(&Scene<'_>, Rect, &mut Buffer),
) -> String {
    use std::fmt::Write as _;
    let mut out = String::new();
    for (name, picture, ui) in states {
        for size in sizes {
            let picture = text(&drawn(picture, ui, *size, &draw));
            let _ = write!(out, "{name} {}x{}\n{picture}\n\n", size.0, size.1);
        }
    }
    out
}

/// Draws a part into rectangles of all kinds, small, far off and beyond the buffer, and fails if it writes outside.
pub(crate) fn stays_inside(picture: &Picture, ui: &Ui, draw: impl Fn(&Scene<'_>, Rect, &mut Buffer)) {
    let whole = Rect::new(0, 0, 200, 60);
    let mut mark = ratatui::buffer::Cell::new("▒");
    mark.set_fg(ratatui::style::Color::Magenta);
    let sizes =
        [(0, 0), (1, 1), (2, 2), (3, 1), (1, 9), (7, 3), (12, 5), (23, 4), (40, 10), (61, 17), (120, 40)];
    for (width, height) in sizes {
        for (x, y) in [(0, 0), (5, 3), (198, 58), (77, 19)] {
            let area = Rect::new(x, y, width, height).intersection(whole);
            let mut buf = Buffer::filled(whole, mark.clone());
            draw(&Scene::new(picture, ui), area, &mut buf);
            for (at, cell) in buf.content().iter().enumerate() {
                let at = ((at % 200) as u16, (at / 200) as u16);
                assert!(area.contains(at.into()) || *cell == mark, "{at:?} is outside {area:?}");
            }
        }
    }
}

/// The text of a buffer, a line for a line, without the spaces at the end.
pub(crate) fn text(buf: &Buffer) -> String {
    let columns = usize::from(buf.area.width.max(1));
    let mut lines = Vec::new();
    for row in buf.content().chunks(columns) {
        let (mut line, mut skip) = (String::new(), 0);
        for cell in row {
            if skip > 0 {
                skip -= 1;
                continue;
            }
            line.push_str(cell.symbol());
            skip = usize::from(ratatui::buffer::CellWidth::cell_width(cell.symbol())).saturating_sub(1);
        }
        lines.push(line.trim_end().to_owned());
    }
    lines.join("\n")
}

/// The styles of a buffer: a line for each run of cells that look alike and are not blank.
pub(crate) fn styles(buf: &Buffer) -> String {
    use std::fmt::Write as _;
    let columns = usize::from(buf.area.width.max(1));
    let mut out = String::new();
    for (y, row) in buf.content().chunks(columns).enumerate() {
        let mut x = 0;
        while x < row.len() {
            let style = row[x].style();
            let end = (x..row.len()).find(|at| row[*at].style() != style).unwrap_or(row.len());
            let run: String = row[x..end].iter().map(ratatui::buffer::Cell::symbol).collect();
            if !run.trim().is_empty() {
                let mut look = Vec::new();
                look.extend(
                    style.fg.filter(|fg| *fg != ratatui::style::Color::Reset).map(|fg| fg.to_string()),
                );
                look.extend(
                    style.bg.filter(|bg| *bg != ratatui::style::Color::Reset).map(|bg| format!("on {bg}")),
                );
                if !style.add_modifier.is_empty() {
                    look.push(format!("{:?}", style.add_modifier));
                }
                let _ = writeln!(out, "{y:>2} {:>3} {:?} {}", x, run.trim_end(), look.join(" "));
            }
            x = end;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::decision::Recommendation;
    use crate::model::operation::OperationStatus;
    use crate::model::release::Quality;
    use crate::tui::roster::Condition;

    fn ui() -> Ui {
        Ui::new((120, 40))
    }

    /// The states are what they are called.
    #[test]
    fn the_states_are_what_they_are_called() {
        let ui = ui();
        let picture = rest();
        let scene = Scene::new(&picture, &ui);
        for service in ["checkout", "cart", "search", "payments"] {
            assert_eq!(
                scene.condition(&service.into()),
                Condition::Healthy,
                "{service}: {:?}",
                scene.verdict(&service.into())
            );
        }
        assert!(scene.state().open_incident().is_none());

        let picture = incident();
        let scene = Scene::new(&picture, &ui);
        let conditions = ["checkout", "cart", "search", "payments"].map(|name| scene.condition(&name.into()));
        let expected = [Condition::Failing, Condition::Degraded, Condition::Healthy, Condition::Unknown];
        assert_eq!(conditions, expected);
        let known = scene.known().unwrap();
        assert!(scene.wants_rollback(), "{known:#?}");
        let decision = known.decision.as_ref().unwrap();
        assert_eq!(decision.recommendation, Recommendation::RollBackImmediately);
        assert!(!decision.findings.is_empty() && !decision.guardrails.is_empty());
        let inventory = known.inventory.as_ref().unwrap();
        let quality =
            |version: &str| known.quality(&inventory.by_version(&version.into()).unwrap().reference);
        assert_eq!(quality("2.7.9"), Quality::Bad);
        assert_eq!(quality("2.8.0"), Quality::Good);
        assert!(scene.state().open_incident().is_some());

        let picture = running();
        let scene = Scene::new(&picture, &ui);
        let operation = scene.open_operation().unwrap();
        assert_eq!((operation.current(), operation.steps.len()), (Some(1), 4));

        let picture = recovered();
        let scene = Scene::new(&picture, &ui);
        assert!(scene.state().open_incident().is_some());
        assert_eq!(scene.picture.roster.count(Condition::Healthy), 4, "{:?}", scene.picture.roster);

        let picture = resolved();
        assert!(picture.live.state.open_incident().is_none());
        assert_eq!(picture.live.state.incidents_in_order().len(), 1);

        let picture = needs_decision();
        let scene = Scene::new(&picture, &ui);
        assert!(matches!(scene.open_operation().unwrap().status, OperationStatus::NeedsDecision { .. }));
        assert_eq!(scene.service(), Some(&"checkout".into()));

        let picture = stale();
        let scene = Scene::new(&picture, &ui);
        assert!(scene.is_stale(&"checkout".into()));
        assert_eq!(many(100).roster.count(Condition::Failing), 2);
        assert_eq!(beginning().roster.count(Condition::Unknown), 4);
    }
}
