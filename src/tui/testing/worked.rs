//! An incident that is worked through by a runbook with a line of every kind, and told by an escalation of three levels.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::world::{Load, WELL, World, at, release, settings};
use super::{CONFIG, config};
use crate::config::RunbookText;
use crate::engine::input::Settings;
use crate::model::checklist::ItemAct;
use crate::model::command::{Actor, Command, Envelope};
use crate::model::incident::IncidentAsk;
use crate::model::release::Arm;

/// The runbook.
const RUNBOOK: &str = include_str!("worked.md");

/// What is added to the usual environment.
const ADDED: &str = r#"
[channels.pager]
kind = "webhook"
url = "http://127.0.0.1:1/pager"

[channels.team]
kind = "webhook"
url = "http://127.0.0.1:1/team"

[contacts.mira]
phone = { channel = "pager", address = "+49 170 1" }

[contacts.jonas]
phone = { channel = "pager", address = "+49 170 2" }

[schedules.payments]
contacts = ["jonas", "mira"]
since = "2026-11-16T08:00:00Z"

[escalation]
policy = "primary"

[policy.primary]
repeat = 1
last_resort = "channel:team"

[[policy.primary.level]]
targets = ["contact:mira"]
delay = "5m"

[[policy.primary.level]]
targets = ["schedule:payments"]
delay = "5m"

[[policy.primary.level]]
targets = ["role:commander", "channel:team"]
delay = "10m"
"#;

/// The text of the runbook.
pub(crate) const fn source() -> &'static str {
    RUNBOOK
}

/// A runbook that is attached to every incident, and one that a person attaches.
fn with_runbooks() -> Arc<Settings> {
    let mut usual = Settings::clone(&settings(config(&format!("{CONFIG}{ADDED}")), true));
    let text = |source: &str| RunbookText { source: source.to_owned(), ..RunbookText::emergency() };
    let mut config = (*usual.config).clone();
    let named = |attach: bool| crate::config::schema::RunbookSpec {
        file: "checkout.md".to_owned(),
        services: Vec::new(),
        severities: Vec::new(),
        attach,
    };
    config.runbooks = BTreeMap::from([("checkout".into(), named(true)), ("network".into(), named(false))]);
    usual.config = Arc::new(config);
    usual.runbooks = BTreeMap::from([
        ("checkout".into(), text(RUNBOOK)),
        (
            "network".into(),
            text("# The network\n\n- [ ] Ping the router {#ping}\n- [ ] It answers {#answers}\n"),
        ),
    ]);
    Arc::new(usual)
}

/// The canary of `checkout` fails, and `mira` was told.
pub(crate) fn begun() -> World {
    let mut world = World::new(with_runbooks(), at("2026-11-21T13:58:30Z"));
    world.lead();
    for (service, version) in
        [("cart", "5.2.0"), ("search", "11.0.3"), ("payments", "3.9.1"), ("checkout", "2.8.0")]
    {
        let release = release(version, "kim", "2026-11-12T10:00:00Z");
        world.load(service, version, WELL);
        world.serve(service, Some(release), &[(version, Arm::Stable, 100)]);
    }
    world.pass(60);
    let new = release("2.8.1", "lee", "2026-11-21T13:54:00Z");
    world.load("checkout", "2.8.1", Load { errors: 0.071, latency_ms: 292.0, memory: 0.52 });
    world.serve("checkout", Some(new), &[("2.8.0", Arm::Stable, 80), ("2.8.1", Arm::Canary, 20)]);
    world.pass(41);
    world
}

impl World {
    /// A person does something to a line of the checklist.
    pub(crate) fn item(&mut self, item: &str, act: ItemAct) {
        self.item_by(super::world::ME, item, act);
    }

    /// Somebody does something to a line of the checklist.
    pub(crate) fn item_by(&mut self, who: &str, item: &str, act: ItemAct) {
        let incident = self.core.state().incidents_in_order().pop().unwrap().id.clone();
        self.send_by(who, Command::Item { incident, run: None, item: item.into(), seen: None, act });
    }

    /// Somebody asks something about the incident.
    pub(crate) fn ask(&mut self, ask: IncidentAsk) {
        let incident = self.core.state().incidents_in_order().pop().unwrap().id.clone();
        self.send(Command::Incident { incident, ask });
    }

    /// Somebody sends a command; it is taken up.
    pub(crate) fn send_by(&mut self, who: &str, command: Command) {
        let id = format!("w-{}", self.timeline.len()).into();
        let by = Actor::Person { name: who.to_owned() };
        let envelope = Envelope { id, by, at: self.now, command };
        self.give(crate::engine::Input::Command(envelope));
        let refused = self.timeline.iter().rev().take(3).find_map(|entry| match &entry.event {
            crate::model::event::Event::CommandRefused { reason, .. } => Some(reason.clone()),
            _ => None,
        });
        assert_eq!(refused, None);
    }
}

/// Triage is through, with a line of each way in which one is settled; the decision is made, a wait and a hold run.
pub(crate) fn underway() -> World {
    let mut world = begun();
    world.item("ack", ItemAct::Done);
    world.item("errors", ItemAct::Override { reason: "the canary is the patient, not the nurse".to_owned() });
    world.item("traffic", ItemAct::Done);
    world.item("calls", ItemAct::Record { value: "17".to_owned() });
    world.item("region", ItemAct::NotApplicable { reason: "all of them".to_owned() });
    world.pass(20);
    world.item("cause", ItemAct::Choose { option: "yes".into(), reason: String::new() });
    world.item_by("mira", "rb", ItemAct::Claim);
    world.item("caches", ItemAct::Begin);
    world.item("stay", ItemAct::Begin);
    world.item(
        "logs",
        ItemAct::Defer { until: "resolved".to_owned(), reason: "nobody has the access".to_owned() },
    );
    world.item_by("mira", "caches", ItemAct::Note { text: "the first request takes 9 s".to_owned() });
    world.pass(34);
    world
}

/// [`underway`], and it is taken back; the caches are warm and the hold is over.
pub(crate) fn taken_back() -> World {
    let mut world = underway();
    // A freeze would forbid the rollback.
    world.item("freeze", ItemAct::NotApplicable { reason: String::new() });
    world.roll_back("2.8.0", "5xx on the canary");
    for _ in 0..200 {
        if !world.steps.is_empty() {
            world.done();
        }
        world.pass(1);
    }
    world
}

/// [`begun`], and nobody answers for so many times five minutes.
pub(crate) fn unanswered(times: u64) -> World {
    let mut world = begun();
    for _ in 0..times {
        let later = world.now + std::time::Duration::from_secs(300);
        world.jump(&later.to_string());
    }
    world
}
