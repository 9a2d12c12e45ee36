//! What a frame of the console costs, by the number of services: it should not matter, because only what is seen is drawn.

use std::fmt::Write as _;
use std::hint::black_box;
use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use unship::engine::runtime::{Leadership, View};
use unship::engine::{Settings, State};
use unship::model::command::Actor;
use unship::model::reading::{IndicatorReading, ServiceReading};
use unship::model::trigger::Verdict;
use unship::model::{ServiceName, Unit};
use unship::tui::Keymap;
use unship::tui::glyphs::Glyphs;
use unship::tui::roster::{Filter, Roster};
use unship::tui::scene::{Picture, Scene};
use unship::tui::trends::Trends;
use unship::tui::ui::Ui;

fn picture(services: usize) -> Picture {
    let now: Timestamp = "2026-11-21T14:00:00Z".parse().expect("a time");
    let mut text = String::from("[environment]\nname = \"bench\"\n");
    for index in 0..services {
        let _ = write!(
            text,
            "[services.svc-{index:05}]\nplatform = {{ kind = \"lab\", admin = \"http://127.0.0.1:1\", service = \"a\" }}\n\
             [services.svc-{index:05}.probes.up]\nurl = \"http://127.0.0.1:1/\"\n"
        );
    }
    let (config, _) = unship::config::parse(&text, "bench").unwrap_or_else(|problems| panic!("{problems:?}"));
    let readings = (0..services).map(|index| {
        let verdict = if index % 50 == 0 {
            Verdict::Failing { reasons: vec!["errors: 7.1 % > 5 %".to_owned()] }
        } else {
            Verdict::Healthy
        };
        let indicator = IndicatorReading {
            indicator: "latency".into(),
            arm: None,
            value: Some(12.0),
            unit: Unit::Millis,
            samples: 100.0,
            at: now,
        };
        let reading = ServiceReading {
            verdict: Some(verdict),
            indicators: vec![indicator],
            newest: Some(now),
            ..ServiceReading::default()
        };
        (ServiceName::from(format!("svc-{index:05}")), (now, Arc::new(reading)))
    });
    let view = View {
        state: Arc::new(State::default()),
        position: 0,
        readings: readings.collect(),
        output: std::collections::BTreeMap::new(),
        deliveries: Vec::new(),
        asked: std::collections::BTreeMap::new(),
        leadership: Leadership::Nobody,
        trouble: None,
    };
    let mut trends = Trends::default();
    trends.take(&view);
    Picture {
        roster: Roster::new(&config, &view, &Filter::default()),
        settings: Arc::new(Settings {
            config: Arc::new(config),
            platforms: std::collections::BTreeMap::new(),
            runbooks: std::collections::BTreeMap::new(),
            templates: Arc::default(),
            drill: false,
            by_itself: false,
        }),
        config_path: "unship.toml".into(),
        live: Arc::new(view),
        looked_at: now,
        trends,
        past: None,
        delivery: None,
        log: None,
        runbooks: std::collections::BTreeMap::new(),
        timeline: std::collections::VecDeque::new(),
        me: Actor::Person { name: "mara".to_owned() },
        now,
        zone: TimeZone::UTC,
        theme: unship::tui::theme::find("dark", &[]).expect("it is built in"),
        glyphs: Glyphs::unicode(),
        keymap: Keymap::new(&std::collections::BTreeMap::new()).expect("the table has no conflict"),
        themes: Vec::new(),
    }
}

fn frames(c: &mut Criterion) {
    let area = Rect::new(0, 0, 120, 40);
    let mut group = c.benchmark_group("frame 120x40");
    for services in [10, 100, 1_000, 10_000] {
        let picture = picture(services);
        let ui = Ui::new((area.width, area.height));
        let mut buf = Buffer::empty(area);
        group.bench_function(BenchmarkId::from_parameter(services), |b| {
            b.iter(|| {
                buf.reset();
                black_box(unship::tui::screen::draw(&Scene::new(&picture, &ui), area, &mut buf));
            });
        });
    }
    group.finish();
    let mut group = c.benchmark_group("order the services");
    for services in [1_000, 10_000] {
        let picture = picture(services);
        group.bench_function(BenchmarkId::from_parameter(services), |b| {
            b.iter(|| black_box(Roster::new(&picture.settings.config, &picture.live, &Filter::default())));
        });
    }
    group.finish();
}

criterion_group!(benches, frames);
criterion_main!(benches);
