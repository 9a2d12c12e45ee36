//! What unship knows and has done, as Prometheus text (0.0.4). Counters count from the start of this process.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use crate::engine::runtime::{Leadership, View};
use crate::model::incident::Level;
use crate::model::probe::{Health, ProbeOutcome};
use crate::model::trigger::Verdict;

use super::tally::Journaled;
use super::{Shared, tally};

/// Everything, as Prometheus reads it.
pub(super) async fn metrics(State(shared): State<Arc<Shared>>) -> Response {
    let text = text(&shared, &shared.door.view());
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

/// A page in the making.
#[derive(Default)]
struct Page(String);

impl Page {
    /// Begins a metric: its name, its type and what it means.
    fn metric(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn value(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        self.0.push_str(name);
        for (index, (label, text)) in labels.iter().enumerate() {
            let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = write!(self.0, "{}{label}=\"{text}\"", if index == 0 { '{' } else { ',' });
        }
        let _ = writeln!(self.0, "{} {value}", if labels.is_empty() { "" } else { "}" });
    }

    fn gauge(&mut self, name: &str, help: &str, value: f64) {
        self.metric(name, "gauge", help);
        self.value(name, &[], value);
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) {
        self.metric(name, "counter", help);
        self.value(name, &[], value as f64);
    }
}

const fn one(is: bool) -> f64 {
    if is { 1.0 } else { 0.0 }
}

fn text(shared: &Shared, view: &View) -> String {
    let mut page = Page::default();
    page.metric("unship_build_info", "gauge", "The program's version, as a label.");
    let environment = shared.door.config().environment.name.as_str();
    let build = [("version", env!("CARGO_PKG_VERSION")), ("environment", environment)];
    page.value("unship_build_info", &build, 1.0);
    let leads = matches!(view.leadership, Leadership::Ours(_));
    page.gauge("unship_leading", "Whether this process leads.", one(leads));
    let is_led = view.leadership != Leadership::Nobody;
    page.gauge("unship_led", "Whether any process leads.", one(is_led));
    page.gauge("unship_journal_position", "The newest entry of the journal.", view.position as f64);
    page.gauge("unship_journal_usable", "Whether the journal can be used.", one(view.trouble.is_none()));
    services(&mut page, shared, view);
    work(&mut page, view);
    alarms(&mut page, view);
    let journaled = shared.tally.journaled();
    sources(&mut page, shared, view, &journaled);
    counted(&mut page, &journaled);
    own(&mut page, shared);
    page.0
}

fn services(page: &mut Page, shared: &Shared, view: &View) {
    let config = shared.door.config();
    let mut counts = [("healthy", 0), ("degraded", 0), ("failing", 0), ("unknown", 0)];
    let mut findings = view.state.findings.len();
    for name in config.services.keys() {
        let known = view.state.service(name);
        findings += known.map_or(0, |known| known.findings.len());
        let place = match known.and_then(|known| known.verdict.as_ref()) {
            Some((Verdict::Healthy, _)) => 0,
            Some((Verdict::Degraded { .. }, _)) => 1,
            Some((Verdict::Failing { .. }, _)) => 2,
            Some((Verdict::Unknown { .. }, _)) | None => 3,
        };
        counts[place].1 += 1;
    }
    page.metric("unship_services", "gauge", "Services by verdict.");
    for (verdict, count) in counts {
        page.value("unship_services", &[("verdict", verdict)], f64::from(count));
    }
    page.gauge("unship_findings", "Triggers that hold now.", findings as f64);
    page.metric("unship_probe_up", "gauge", "Whether the newest answer of a health check was well.");
    let probes = || {
        let readings = view.readings.iter();
        readings.flat_map(|(service, (_, reading))| {
            reading.probes.iter().map(move |(probe, seen)| (service, probe, seen))
        })
    };
    for (service, probe, seen) in probes() {
        let is_up = matches!(seen.last.outcome, ProbeOutcome::Answered { health: Health::Healthy, .. });
        page.value(
            "unship_probe_up",
            &[("service", service.as_str()), ("probe", probe.as_str())],
            one(is_up),
        );
    }
    page.metric("unship_probe_failures", "gauge", "Failures of a health check in a row, up to now.");
    for (service, probe, seen) in probes() {
        let labels = [("service", service.as_str()), ("probe", probe.as_str())];
        page.value("unship_probe_failures", &labels, f64::from(seen.failures));
    }
    page.metric("unship_platform_up", "gauge", "Whether the platform of a service can be read.");
    for name in config.services.keys() {
        let is_up = view.state.service(name).is_none_or(|known| known.platform_fault.is_none());
        page.value("unship_platform_up", &[("service", name.as_str())], one(is_up));
    }
}

fn work(page: &mut Page, view: &View) {
    page.metric("unship_incidents_open", "gauge", "Open incidents by severity; 1 is the worst.");
    let open = || view.state.incidents.values().filter(|incident| incident.is_open());
    for level in Level::ALL {
        let count = open().filter(|incident| incident.level == level).count();
        page.value("unship_incidents_open", &[("severity", &level.number().to_string())], count as f64);
    }
    let suspected = open().filter(|incident| incident.suspected).count();
    page.gauge("unship_incidents_suspected", "Open incidents that nobody has declared.", suspected as f64);
    page.gauge(
        "unship_operations_open",
        "Operations that go on.",
        view.state.open_operations().count() as f64,
    );
    page.gauge(
        "unship_outbox_waiting",
        "Messages that no channel has taken yet.",
        view.state.outbox.len() as f64,
    );
}

fn alarms(page: &mut Page, view: &View) {
    let alarms = &view.state.alarms;
    page.gauge("unship_alarms_firing", "Received alarms that fire.", alarms.firing().count() as f64);
    let stale = alarms.firing().filter(|alarm| alarm.stale.is_some()).count();
    page.gauge("unship_alarms_stale", "Those of them that may be over.", stale as f64);
    let muted = alarms.firing().filter(|alarm| alarm.muted.is_some()).count();
    page.gauge("unship_alarms_muted", "Those of them that are silenced or inhibited.", muted as f64);
    let path_is_up = alarms.path_down().is_none();
    page.gauge("unship_alarm_path_up", "0 while the alarm that always fires is absent.", one(path_is_up));
}

fn sources(page: &mut Page, shared: &Shared, view: &View, journaled: &Journaled) {
    let sources = &shared.door.config().sources;
    page.metric("unship_source_up", "gauge", "Whether a source can be read.");
    for name in sources.keys() {
        let is_up = !view.state.source_faults.contains_key(name);
        page.value("unship_source_up", &[("source", name.as_str())], one(is_up));
    }
    page.metric("unship_source_failures_total", "counter", "How often a source became unreadable.");
    for name in sources.keys() {
        let count = journaled.source_failures.get(name).copied().unwrap_or(0);
        page.value("unship_source_failures_total", &[("source", name.as_str())], count as f64);
    }
}

fn counted(page: &mut Page, journaled: &Journaled) {
    page.metric("unship_messages_total", "counter", "Messages to people, by how they ended.");
    for (end, count) in
        [("accepted", journaled.accepted), ("failed", journaled.failed), ("suppressed", journaled.suppressed)]
    {
        page.value("unship_messages_total", &[("end", end)], count as f64);
    }
    page.metric("unship_operations_total", "counter", "Operations that ended, by kind and outcome.");
    for ((kind, outcome), count) in &journaled.operations {
        page.value("unship_operations_total", &[("kind", kind), ("outcome", outcome)], *count as f64);
    }
    page.counter("unship_alarms_fired_total", "Received alarms that began.", journaled.fired);
    page.counter("unship_alarms_resolved_total", "Received alarms that ended.", journaled.resolved);
    page.counter(
        "unship_entries_missed_total",
        "Entries that came too fast and are in no counter.",
        journaled.missed,
    );
}

/// What this process itself does.
fn own(page: &mut Page, shared: &Shared) {
    let tally = &shared.tally;
    page.counter(
        "unship_alarms_received_total",
        "Alarms in messages that were taken, repeats too.",
        tally.alarms.load(Ordering::Relaxed),
    );
    page.counter(
        "unship_alarms_malformed_total",
        "Messages with alarms that were not understood.",
        tally.malformed.load(Ordering::Relaxed),
    );
    page.metric(
        "unship_http_requests_total",
        "counter",
        "Requests to this listener, by how they were answered.",
    );
    for (class, count) in [("2xx", &tally.fine), ("4xx", &tally.refused), ("5xx", &tally.failed)] {
        page.value("unship_http_requests_total", &[("class", class)], count.load(Ordering::Relaxed) as f64);
    }
    let connections = tally.connections.load(Ordering::Relaxed);
    page.gauge("unship_http_connections", "Connections to this listener.", connections as f64);
    let started = shared.began_at.as_millisecond() as f64 / 1_000.0;
    page.gauge(
        "process_start_time_seconds",
        "When this process began to listen, in seconds since 1970.",
        started,
    );
    let (cpu, memory) = tally::process();
    if let Some(cpu) = cpu {
        page.metric("process_cpu_seconds_total", "counter", "Processor time used.");
        page.value("process_cpu_seconds_total", &[], cpu);
    }
    if let Some(memory) = memory {
        page.gauge("process_resident_memory_bytes", "Memory in use.", memory as f64);
    }
}
