//! One incident: what it is and since when, what was promised, who does what, how far the escalation is and who was told, its
//! alarms, operations, runbooks and notes, and what is left until it is closed.

use jiff::Timestamp;
use ratatui::text::{Line, Span};

use super::sheet::{Sheet, Writer};
use crate::engine::checklist::{self, Difference, Item, ItemState};
use crate::engine::escalation::preview;
use crate::engine::incidents::{self, IncidentStatus};
use crate::engine::received;
use crate::model::IncidentId;
use crate::model::escalation::{Escalation, IncidentRole, Standing};
use crate::model::event::Event;
use crate::model::incident::{Ended, Incident};
use crate::model::received::AlarmStatus;
use crate::model::units::human;
use crate::tui::available;
use crate::tui::escalating;
use crate::tui::panes::checklist as pane;
use crate::tui::roster::age;
use crate::tui::scene::Scene;
use crate::tui::signs::Sign;
use crate::tui::theme::Tone;
use crate::tui::widgets::table::Column;
use crate::tui::widgets::text::{self, left, minutes};

/// Writes it.
pub(super) fn write<'a>(of: &IncidentId, scene: &Scene<'a>, columns: usize) -> Sheet<'a> {
    let mut page = Writer::new(scene.look(), columns);
    let title = scene.titled("Incident", of.as_str());
    let Some(incident) = scene.state().incident(of) else {
        page.text(Tone::Text, &format!("{of} is not remembered any more."));
        page.text(Tone::Dim, "The journal has it: `unship journal tail` shows every entry.");
        return Sheet::new(title, page.finish());
    };
    status(&mut page, incident, scene);
    escalation(&mut page, incident, scene);
    people(&mut page, incident, scene);
    runs(&mut page, incident, scene);
    what(&mut page, incident, scene);
    severities(&mut page, incident, scene);
    operations(&mut page, incident, scene);
    alarms(&mut page, incident, scene);
    notes(&mut page, incident, scene);
    Sheet::new(scene.titled(&title, incident.level.to_string().as_str()), page.finish())
}

/// The key of a command, or how it is typed.
fn key_of(scene: &Scene<'_>, id: &str) -> String {
    scene.picture.keymap.key_of(id).unwrap_or_else(|| format!(":{id}"))
}

/// Where it stands, its clock and its promise, and what is left to do about the whole.
fn status(page: &mut Writer<'_>, incident: &Incident, scene: &Scene<'_>) {
    let look = page.look;
    let status = incidents::status(incident, scene.state(), scene.now());
    let tone = match status {
        IncidentStatus::Declared | IncidentStatus::Suspected => Tone::Fail,
        IncidentStatus::Mitigating => Tone::Warn,
        IncidentStatus::Monitoring { .. } => Tone::Accent,
        _ => Tone::Ok,
    };
    let clock = checklist::clock(incident, scene.now());
    let lasts = if incident.is_open() { "for" } else { "lasted" };
    let words = vec![
        Span::raw("  "),
        Span::styled(incident.level.to_string(), look.style(tone)),
        Span::styled(format!(" {}", status.word()), look.style(tone)),
    ];
    page.both_ends(words, Span::styled(format!("{lasts} {}", minutes(clock.elapsed)), look.style(Tone::Dim)));
    page.text(Tone::Text, &incident.title);
    if incident.drill {
        page.text(Tone::Warn, "This is a drill.");
    }
    let key = |id: &str| key_of(scene, id);
    match (&incident.acknowledged, clock.promise) {
        (Some(taken), promise) => {
            let after = left(age(incident.opened_at, taken.at));
            let (tone, kept) = match promise.and_then(|promise| Some((promise.within, promise.kept?))) {
                Some((within, true)) => {
                    (Tone::Ok, format!(", within the {} that are promised", human(within)))
                }
                Some((within, false)) => {
                    (Tone::Warn, format!(", later than the {} that are promised", human(within)))
                }
                None => (Tone::Text, String::new()),
            };
            page.field("answered", tone, &format!("by {} after {after}{kept}", taken.by));
        }
        (None, Some(promise)) => {
            let (tone, words) = match promise.within.checked_sub(clock.elapsed).filter(|time| !time.is_zero())
            {
                Some(time) => {
                    (Tone::Warn, format!("not yet; {} of {} left", left(time), human(promise.within)))
                }
                None => (Tone::Fail, format!("by nobody, and {} were promised", human(promise.within))),
            };
            let more = if incident.is_open() {
                format!("; {} acknowledges", key("acknowledge"))
            } else {
                String::new()
            };
            page.field("answered", tone, &format!("{words}{more}"));
        }
        (None, None) => page.field("answered", Tone::Text, "not yet; nothing is promised"),
    }
    if incident.told_unacknowledged && incident.acknowledged.is_none() {
        page.field("", Tone::Fail, "every channel was told that nobody acknowledged");
    }
    if let Some(lead) = &incident.told_with {
        page.field("", Tone::Warn, &format!("people hear of it with {lead}: too many at once"));
    }
    if let Some(storm) = &incident.storm {
        let words = match (storm.told.len(), storm.passed) {
            (0, false) => "those that follow are told with this one: too many at once".to_owned(),
            (0, true) => "the last of too many at once".to_owned(),
            (count, _) => format!("{count} others were told with this one: too many at once"),
        };
        page.field("", Tone::Warn, &words);
    }
    ending(page, incident, scene, status);
}

/// How it ended, or what ends it.
fn ending(page: &mut Writer<'_>, incident: &Incident, scene: &Scene<'_>, status: IncidentStatus) {
    let key = |id: &str| key_of(scene, id);
    if let IncidentStatus::Monitoring { since, propose_resolve } = status {
        let lasts = left(age(since, scene.now()));
        let (tone, more) = if propose_resolve {
            (Tone::Ok, format!("; {} resolves it", key("resolve")))
        } else {
            (Tone::Text, String::new())
        };
        page.field("healthy", tone, &format!("all services, for {lasts}{more}"));
    }
    if let Some(resolved) = &incident.resolved {
        let how = match &incident.ended {
            None => "resolved".to_owned(),
            Some(Ended::FalseAlarm) => "called a false alarm".to_owned(),
            Some(Ended::Merged { into }) => format!("merged into {into}"),
        };
        let at = scene.moment(resolved.at);
        page.field("ended", Tone::Ok, &format!("{how} by {} at {at}: {}", resolved.by, resolved.reason));
    }
    match (&incident.closed, &incident.resolved, &incident.ended) {
        (Some(closed), ..) => {
            let why = if closed.reason.is_empty() { String::new() } else { format!(": {}", closed.reason) };
            page.field(
                "closed",
                Tone::Text,
                &format!("by {} at {}{why}", closed.by, scene.moment(closed.at)),
            );
        }
        (None, Some(_), None) => {
            let open =
                pane::of(scene, incident).items().filter(|item| item.counts && !item.is_settled()).count();
            let lines = match open {
                0 => "nothing in its checklists is open".to_owned(),
                1 => "1 line of its checklists is open".to_owned(),
                more => format!("{more} lines of its checklists are open"),
            };
            page.field("closed", Tone::Text, &format!("not yet: {lines}; {} closes it", key("close")));
        }
        _ => {}
    }
    if incident.reopened > 0 {
        let times =
            if incident.reopened == 1 { "once".to_owned() } else { format!("{} times", incident.reopened) };
        page.field("reopened", Tone::Warn, &times);
    }
}

fn what(page: &mut Writer<'_>, incident: &Incident, scene: &Scene<'_>) {
    page.heading("what and since when");
    if !incident.reason.is_empty() && incident.reason != incident.title {
        page.field("reason", Tone::Text, &text::plain(&incident.reason));
    }
    let services: Vec<String> = incident.services.iter().map(ToString::to_string).collect();
    let services = if services.is_empty() { "not known yet".to_owned() } else { services.join(", ") };
    page.field("services", Tone::Text, &services);
    page.field("declared", Tone::Text, &format!("{} by {}", scene.moment(incident.opened_at), incident.by));
    if let Some(onset) = incident.onset {
        page.field("began", Tone::Text, &scene.moment(onset));
    }
    if let Some(at) = incident.mitigated_at {
        let after = left(age(incident.opened_at, at));
        page.field("mitigated", Tone::Ok, &format!("{}, after {after}", scene.moment(at)));
    }
}

/// Who has which role.
fn people(page: &mut Writer<'_>, incident: &Incident, scene: &Scene<'_>) {
    page.heading("roles");
    if incident.roles.is_empty() && incident.offers.is_empty() {
        page.text(Tone::Dim, "Nobody has one; :take-role takes one, :offer-role offers one.");
        return;
    }
    for role in IncidentRole::ALL {
        let held = incident.roles.get(&role);
        let offer = incident.offers.get(&role);
        if held.is_none() && offer.is_none() {
            continue;
        }
        let held = held.map_or_else(
            || "nobody".to_owned(),
            |held| format!("{}, since {}", held.name, scene.short_moment(held.at)),
        );
        let offered =
            offer.map_or_else(String::new, |offer| format!("; offered to {} by {}", offer.to, offer.by));
        let is_away = role == IncidentRole::Commander && incident.commander_away.is_some();
        page.field(role.word(), Tone::Text, &format!("{held}{offered}"));
        if let Some(since) = incident.commander_silent_since().filter(|_| is_away) {
            let silent = left(age(since, scene.now()));
            page.field("", Tone::Fail, &format!("has done nothing for {silent}: the deputy may take over"));
        }
    }
}

/// How bad it was said to be, when and by whom: as far as the timeline goes back.
fn severities(page: &mut Writer<'_>, incident: &Incident, scene: &Scene<'_>) {
    let last = scene.ui.frozen.as_ref().map(|frozen| frozen.view.position);
    let entries = scene.picture.timeline.iter().take_while(|entry| last.is_none_or(|last| entry.seq <= last));
    let changes: Vec<(Timestamp, String)> = entries
        .filter_map(|entry| match &entry.event {
            Event::IncidentOpened { incident: id, level, by, .. } if *id == incident.id => {
                Some((entry.at, format!("{level} at first, by {by}")))
            }
            Event::IncidentLevelSet { incident: id, level, by, reason } if *id == incident.id => {
                Some((entry.at, format!("{level} by {by}: {reason}")))
            }
            _ => None,
        })
        .collect();
    if changes.len() < 2 {
        return;
    }
    page.heading("severity");
    let dim = page.look.style(Tone::Dim);
    page.sentences(
        changes
            .into_iter()
            .map(|(at, words)| (vec![Span::styled(scene.moment(at), dim)], Tone::Text, text::plain(&words)))
            .collect(),
    );
}

/// How far people were told, who was told when, and who is next.
fn escalation(page: &mut Writer<'_>, incident: &Incident, scene: &Scene<'_>) {
    let Some(escalation) = escalating::of(scene, incident) else {
        page.heading("escalation");
        page.text(Tone::Dim, "No policy is followed: every channel hears of it as the config says.");
        return;
    };
    page.heading(&format!("escalation {} {}", page.look.glyphs.separator, escalation.policy));
    standing(page, escalation, scene);
    levels(page, escalation, incident, scene);
    let mut said: Vec<&String> = Vec::new();
    for target in escalation.unreachable.iter().rev() {
        // The same at each pass is said once.
        if !said.contains(&target) {
            said.push(target);
            page.field("not reached", Tone::Warn, &text::plain(target));
        }
    }
    if escalation.generation > 1 {
        page.field("began", Tone::Text, &format!("{} times for this incident", escalation.generation));
    }
}

fn standing(page: &mut Writer<'_>, escalation: &Escalation, scene: &Scene<'_>) {
    let words = escalating::words(escalation, scene.now());
    let (tone, said) = match &escalation.standing {
        Standing::Paging => (Tone::Warn, words.text),
        Standing::Acknowledged { by, at, .. } => {
            (Tone::Ok, format!("answered by {by} at {}; {}", scene.moment(*at), words.text))
        }
        Standing::Snoozed { until, by, reason } => {
            (Tone::Warn, format!("nobody is told until {}, says {by}: {reason}", scene.moment(*until)))
        }
        Standing::Exhausted { at } => (
            Tone::Fail,
            format!("EXHAUSTED since {}: everybody was told and nobody answered", scene.moment(*at)),
        ),
        Standing::Stopped { reason } => (Tone::Dim, format!("over: {reason}")),
    };
    page.field("stands", tone, &said);
    let passes = escalation.levels.repeat + 1;
    if escalation.pass > 1 {
        page.field("pass", Tone::Text, &format!("{} of {passes}", escalation.pass));
    }
}

/// Each level: whom it tells, when it was told, whether it is next.
fn levels(page: &mut Writer<'_>, escalation: &Escalation, incident: &Incident, scene: &Scene<'_>) {
    let look = page.look;
    let is_running = escalating::is_running(escalation);
    let next =
        preview(scene.state(), scene.config(), incident, None, scene.now()).ok().filter(|_| is_running);
    let mut rows = Vec::new();
    for (place, level) in escalation.levels.level.iter().enumerate() {
        let number = place + 1;
        let told: Vec<_> = escalation.told.iter().filter(|told| told.level == number).collect();
        let is_for = level.severity.is_none_or(|worst| incident.level.number() <= worst);
        let is_next = matches!(escalation.standing, Standing::Paging)
            && next.as_ref().is_some_and(|next| next.level == Some(number));
        let (sign, words) = match told.last() {
            Some(last) => {
                (Sign { symbol: look.glyphs.ticked, word: "told", tone: Tone::Ok }, scene.moment(last.at))
            }
            None if !is_for => {
                (Sign { symbol: look.glyphs.skipped, word: "not for it", tone: Tone::Dim }, String::new())
            }
            None => (Sign { symbol: look.glyphs.open, word: "not told", tone: Tone::Dim }, String::new()),
        };
        let sign = if is_next && told.is_empty() {
            Sign { symbol: look.glyphs.current, word: "next", tone: Tone::Accent }
        } else {
            sign
        };
        let words = match (is_next, escalation.next_at.filter(|at| *at > scene.now())) {
            (true, Some(at)) => format!(
                "{words}{}in {}",
                if words.is_empty() { "" } else { ", " },
                left(age(scene.now(), at))
            ),
            _ => words,
        };
        let targets: Vec<String> = level.targets.iter().map(ToString::to_string).collect();
        let mut who: Vec<String> = Vec::new();
        for told in &told {
            let words = format!("{} through {}", told.target, told.channel);
            if !who.contains(&words) {
                who.push(words);
            }
        }
        let who = if who.is_empty() { targets.join(", ") } else { who.join("; ") };
        rows.push((
            vec![Span::raw(number.to_string()), sign.span(look), Span::styled(words, look.style(Tone::Dim))],
            Tone::Text,
            who,
        ));
    }
    page.sentences(rows);
    let last = &escalation.levels.last_resort;
    let tone = if matches!(escalation.standing, Standing::Exhausted { .. }) { Tone::Fail } else { Tone::Dim };
    page.field("last resort", tone, &last.to_string());
}

/// The alarms that speak of it, with where each stands.
fn alarms(page: &mut Writer<'_>, incident: &Incident, scene: &Scene<'_>) {
    if incident.alarms.is_empty() {
        return;
    }
    let look = page.look;
    page.heading("alarms");
    let known = &scene.state().alarms;
    let mut rows = Vec::new();
    for id in &incident.alarms {
        let Some(alarm) = known.get(&id.as_str().into()) else {
            let words = "not remembered any more".to_owned();
            rows.push((vec![Span::raw(id.clone()), Span::raw("")], Tone::Dim, words));
            continue;
        };
        let (tone, word) = match alarm.status {
            AlarmStatus::Resolved { at, .. } => (Tone::Ok, format!("over since {}", scene.short_moment(at))),
            AlarmStatus::Firing if known.is_flapping(alarm) => (Tone::Warn, "comes and goes".to_owned()),
            AlarmStatus::Firing if alarm.muted.is_some() => (Tone::Dim, "muted".to_owned()),
            AlarmStatus::Firing => {
                (Tone::Fail, format!("fires since {}", scene.short_moment(alarm.facts.starts_at)))
            }
        };
        let name = vec![Span::raw(text::plain(&alarm.facts.name)), Span::styled(word, look.style(tone))];
        rows.push((name, Tone::Text, alarm.facts.summary().map(text::plain).unwrap_or_default()));
    }
    page.sentences(rows);
    if let Some(at) = received::ends_at(incident, scene.state()) {
        let words = format!("all its alarms are over; it ends by itself in {}", left(age(scene.now(), at)));
        page.field("resolving", Tone::Ok, &words);
    }
}

/// What was done to its services.
fn operations(page: &mut Writer<'_>, incident: &Incident, scene: &Scene<'_>) {
    if incident.operations.is_empty() {
        return;
    }
    let look = page.look;
    page.heading("operations");
    let mut rows = Vec::new();
    for id in &incident.operations {
        let Some(operation) = scene.state().operation(id) else {
            rows.push((
                vec![Span::raw(id.to_string()), Span::raw(""), Span::raw("")],
                Tone::Dim,
                "not remembered any more".to_owned(),
            ));
            continue;
        };
        let sign = Sign::operation(operation, look.glyphs);
        rows.push((
            vec![
                Span::raw(id.to_string()),
                Span::styled(scene.short_moment(operation.at), look.style(Tone::Dim)),
                sign.span(look),
            ],
            Tone::Text,
            text::plain(&operation.plan.purpose),
        ));
    }
    page.sentences(rows);
}

/// The runbooks, with how far each is and what in them went another way.
fn runs(page: &mut Writer<'_>, incident: &Incident, scene: &Scene<'_>) {
    let look = page.look;
    let list = pane::of(scene, incident);
    page.heading("checklists");
    if list.runs.is_empty() {
        page.text(Tone::Dim, "No runbook is worked through.");
        return;
    }
    let rows: Vec<Vec<Line<'static>>> = list
        .runs
        .iter()
        .map(|head| {
            let progress = head.progress;
            let is_done = progress.all > 0 && progress.settled == progress.all;
            let tone = if is_done { Tone::Ok } else { Tone::Text };
            vec![
                Line::raw(head.title.clone()),
                Line::styled(progress.words(), look.style(tone)),
                Line::styled(format!("{:.12}", head.sha256), look.style(Tone::Dim)),
            ]
        })
        .collect();
    let columns = [
        Column::new("runbook", 12, 40, 0),
        Column::new("settled", 8, 60, 0),
        Column::new("digest", 12, 12, 1),
    ];
    page.table(&columns, &rows);
    for changed in available::rebasable(scene) {
        let (run, _, Difference { changed, added, removed, .. }) = changed;
        let (changed, added, removed) = (changed.len(), added.len(), removed.len());
        let words = format!(
            "{}: {changed} changed, {added} added, {removed} removed; {} goes on with it",
            run.runbook,
            key_of(scene, "rebase")
        );
        page.field("on disk", Tone::Warn, &words);
    }
    for gone in list.runs.iter().flat_map(|head| &head.removed) {
        let by = gone.by.as_ref().map_or_else(String::new, |(by, _)| format!(" by {by}"));
        let words = format!("{} ({}{by})", text::plain(&gone.text), gone.standing.word());
        page.field("removed", Tone::Dim, &words);
    }
    let current = list.current.as_ref().and_then(|key| list.item(key.as_str()));
    if let Some(item) = current {
        page.field("next", Tone::Accent, &item.title);
    }
    let went_another_way = |item: &&Item| {
        matches!(
            item.state,
            ItemState::Overridden { .. }
                | ItemState::Deferred { .. }
                | ItemState::Regressed { .. }
                | ItemState::Failed { .. }
        )
    };
    for item in list.items().filter(went_another_way) {
        let why = item.note.as_deref().map_or_else(String::new, |why| format!(": {}", text::plain(why)));
        let tone = if matches!(item.state, ItemState::Deferred { .. }) { Tone::Text } else { Tone::Warn };
        page.field(pane::word(&item.state), tone, &format!("{}{why}", item.title));
    }
}

fn notes(page: &mut Writer<'_>, incident: &Incident, scene: &Scene<'_>) {
    page.heading("notes");
    if incident.notes.is_empty() {
        let key = scene.picture.keymap.key_of("note").unwrap_or_else(|| ":note".to_owned());
        page.text(Tone::Dim, &format!("None yet; {key} writes one."));
        return;
    }
    let dim = page.look.style(Tone::Dim);
    let rows = incident.notes.iter().map(|note| {
        let cells = vec![Span::styled(scene.moment(note.at), dim), Span::raw(note.by.to_string())];
        (cells, Tone::Text, note.text.clone())
    });
    let rows = rows.collect();
    page.sentences(rows);
}
