//! One operation: what it is for and who asked, its two ends, every step and where it stands, how far it is verified.

mod trials;

use std::time::Duration;

use jiff::Timestamp;
use ratatui::text::{Line, Span};

use super::sheet::{Sheet, Writer};
use crate::engine::proposal;
use crate::engine::watching;
use crate::model::OperationId;
use crate::model::operation::{Action, Operation, OperationStatus, StepState};
use crate::model::release::{Arm, Release};
use crate::model::trigger::Verdict;
use crate::model::units::human;
use crate::tui::roster::age;
use crate::tui::scene::Scene;
use crate::tui::signs::Sign;
use crate::tui::theme::Tone;
use crate::tui::widgets::table::Column;
use crate::tui::widgets::text;

/// Writes it.
pub(super) fn write<'a>(of: &OperationId, scene: &Scene<'a>, columns: usize) -> Sheet<'a> {
    let mut page = Writer::new(scene.look(), columns);
    let Some(operation) = scene.state().operation(of) else {
        page.text(Tone::Text, &format!("{of} is not remembered any more."));
        page.text(Tone::Dim, "The journal has it: `unship journal tail` shows every entry.");
        return Sheet::new(scene.titled("Operation", of.as_str()), page.finish());
    };
    // What is looked for first comes first.
    status(&mut page, operation, scene);
    steps(&mut page, operation, scene);
    waiting(&mut page, operation, scene);
    trials::write(&mut page, operation, scene);
    together(&mut page, operation, scene);
    phases(&mut page, operation, scene);
    afterwards(&mut page, operation, scene);
    ends(&mut page, operation, scene);
    header(&mut page, operation, scene);
    // Last, so that the end of the page, once it is gone to, is where new lines come.
    output(&mut page, operation, scene);
    let title = scene.titled(&capital(operation.plan.kind.noun()), of.as_str());
    let title = scene.titled(&title, operation.plan.service.as_str());
    Sheet { stale: scene.stale_words(&operation.plan.service), ..Sheet::new(title, page.finish()) }
}

fn capital(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// Where the whole stands, and what a person has to say.
fn status(page: &mut Writer<'_>, operation: &Operation, scene: &Scene<'_>) {
    let look = page.look;
    let sign = Sign::operation(operation, look.glyphs);
    let total = operation.steps.len();
    let words = match (&operation.status, operation.current()) {
        (OperationStatus::Ended { detail, .. }, _) => format!("{}: {detail}", sign.word),
        (OperationStatus::NeedsDecision { step, .. }, _) => {
            format!("{}, step {} of {total}", sign.word, step + 1)
        }
        (_, Some(step)) => format!("{}, step {} of {total}", sign.word, step + 1),
        (_, None) => sign.word.to_owned(),
    };
    let end = match &operation.status {
        OperationStatus::Ended { at, .. } => *at,
        _ => scene.now(),
    };
    let lasts = if operation.is_open() { "for" } else { "took" };
    let took = format!("{lasts} {}", seconds(operation.at, end));
    // A long detail takes its own lines; the time then stands with the other times.
    let is_short = text::width(&words) + text::width(&took) + 8 < page.columns();
    if is_short {
        let left = vec![Span::raw("  "), sign.saying(look, &words)];
        page.both_ends(left, Span::styled(took, look.style(Tone::Dim)));
    } else {
        page.bullet(&sign.mark(look), sign.tone, &words);
        page.text(Tone::Dim, &took);
    }
    if let OperationStatus::NeedsDecision { facts, .. } = &operation.status {
        page.text(Tone::Fail, facts);
        let key = scene.picture.keymap.key_of("decide").unwrap_or_else(|| ":decide".to_owned());
        page.marked(
            Span::styled(format!("  {key} "), look.style(Tone::Key)),
            Tone::Text,
            "says what happened; until then nothing is changed",
        );
    }
    if let Some(paused) = &operation.paused {
        let since = scene.moment(paused.at);
        let mark = Span::styled(look.glyphs.warn, look.style(Tone::Warn));
        let words = format!("paused by {} at {since}: {}", paused.by, paused.reason);
        page.bullet(&mark, Tone::Warn, &words);
    }
}

/// The services that change together with this one.
fn together(page: &mut Writer<'_>, operation: &Operation, scene: &Scene<'_>) {
    let joints = &scene.state().joints;
    let Some(joint) = joints.values().rev().find(|joint| joint.part_of(&operation.id).is_some()) else {
        return;
    };
    let look = page.look;
    page.heading(&format!("together ({})", joint.id));
    let rows: Vec<_> = joint
        .parts
        .iter()
        .zip(&joint.states)
        .enumerate()
        .map(|(index, (part, state))| {
            let sign = Sign::part(state, look.glyphs);
            let version = part.version.as_ref().map_or_else(String::new, ToString::to_string);
            let operation = state.operation().map_or_else(String::new, ToString::to_string);
            vec![
                Line::raw(format!("{}", index + 1)),
                Line::from(sign.span(look)),
                Line::raw(format!("{} {version}", part.service)),
                Line::raw(operation),
            ]
        })
        .collect();
    let columns = [
        Column::new("", 1, 2, 0).at_right(),
        Column::new("state", 11, 13, 0),
        Column::new("service", 20, 60, 0),
        Column::new("operation", 5, 10, 1),
    ];
    page.table(&columns, &rows);
    let reasons = joint.states.iter().zip(&joint.parts).filter_map(|(state, part)| {
        Some((Sign::part(state, look.glyphs), format!("{}: {}", part.service, state.reason()?)))
    });
    for (sign, words) in reasons {
        page.bullet(&sign.mark(look), sign.tone, &words);
    }
    if let Some((reason, _)) = &joint.turned {
        page.text(Tone::Warn, &format!("goes no further: {reason}"));
    }
}

fn header(page: &mut Writer<'_>, operation: &Operation, scene: &Scene<'_>) {
    let plan = &operation.plan;
    page.heading("what and why");
    page.field("purpose", Tone::Text, &plan.purpose);
    page.field("asked by", Tone::Text, &operation.by.to_string());
    page.field("reason", Tone::Text, &operation.reason);
    if let Some(decision) = &operation.decision {
        page.field("decision", Tone::Text, decision.as_str());
    }
    page.field("strategy", Tone::Text, plan.how());
    let since = text::age(age(operation.at, scene.now()));
    page.field("since", Tone::Text, &format!("{}, {since} ago", scene.moment(operation.at)));
    if !operation.is_open() {
        return;
    }
    let expected = proposal::expected(scene.state(), &plan.service, plan.kind, plan.strategy);
    let expected = expected.map_or_else(
        || "not known: none like it has ended yet".to_owned(),
        |expected| {
            let lasts = human(Duration::from_secs(expected.lasts.as_secs().max(1)));
            format!("{lasts}, by {} like it", expected.from)
        },
    );
    page.field("expected", Tone::Text, &expected);
}

/// The release that is left and the one that gets the traffic.
fn ends(page: &mut Writer<'_>, operation: &Operation, scene: &Scene<'_>) {
    let look = page.look;
    let plan = &operation.plan;
    if !plan.kind.moves_traffic() {
        return;
    }
    page.heading("releases");
    let known = scene.state().service(&plan.service);
    let ends: [(&str, &Release); 2] = [("from", &plan.from), ("to", &plan.to)];
    for (name, release) in ends {
        let quality = known.map_or_else(Default::default, |known| known.quality(&release.reference));
        let sign = Sign::quality(quality, look.glyphs);
        let percent = known
            .and_then(|known| known.inventory.as_ref())
            .map_or_else(String::new, |inventory| format!("{} %", inventory.percent(&release.reference)));
        let made = format!("  made {}", scene.moment(release.created_at));
        let by = release.author.as_ref().map_or_else(String::new, |author| format!(" by {author}"));
        let schema = release.schema.map_or_else(String::new, |schema| format!(", schema {schema}"));
        page.field_line(
            name,
            vec![
                Span::raw(format!("{}  ", release.version)),
                sign.span(look),
                Span::raw(format!("  {percent}")),
                Span::styled(format!("{made}{by}{schema}"), look.style(Tone::Dim)),
            ],
        );
    }
    let (tone, traffic) = match operation.traffic_back_at {
        Some(at) => {
            let after = seconds(operation.at, at);
            (
                Tone::Ok,
                format!(
                    "{} all on {} at {}, after {after}",
                    look.glyphs.ticked,
                    plan.to.version,
                    scene.moment(at)
                ),
            )
        }
        None => (Tone::Text, format!("not all on {} yet", plan.to.version)),
    };
    page.field("traffic", tone, &traffic);
}

/// Every step, and where it stands.
fn steps(page: &mut Writer<'_>, operation: &Operation, scene: &Scene<'_>) {
    let look = page.look;
    page.heading("steps");
    let current = operation.current().filter(|_| operation.is_open());
    let now = scene.now();
    // A step that has ended is known by its end alone: it began when the one before it ended.
    let mut began = operation.at;
    let (mut rows, mut remarks) = (Vec::new(), Vec::new());
    for (index, (step, state)) in operation.plan.steps.iter().zip(&operation.steps).enumerate() {
        let sign = Sign::step(state, look.glyphs);
        let title = if current == Some(index) { Tone::Accent } else { Tone::Text };
        let took = match state {
            StepState::Pending | StepState::Skipped { .. } => String::new(),
            StepState::Started { at, .. }
            | StepState::Waiting { started_at: at, .. }
            | StepState::Unknown { started_at: at, .. } => seconds(*at, now),
            StepState::Succeeded { at, .. } | StepState::Failed { at, .. } => {
                seconds(std::mem::replace(&mut began, *at), *at)
            }
        };
        rows.push(vec![
            Line::raw(format!("{}", index + 1)),
            Line::from(sign.span(look)),
            Line::styled(text::plain(&step.title), look.style(title)),
            Line::raw(took),
        ]);
        if let Some(words) = remark(state, step.retries, now) {
            remarks.push((sign, format!("step {} {}: {words}", index + 1, sign.word)));
        }
    }
    let columns = [
        Column::new("", 1, 2, 0).at_right(),
        Column::new("state", 11, 13, 0),
        Column::new("step", 20, 60, 0),
        Column::new("time", 5, 10, 1).at_right(),
    ];
    page.table(&columns, &rows);
    for (sign, words) in remarks {
        page.bullet(&sign.mark(look), sign.tone, &words);
    }
}

/// What there is to say of a step beside where it stands.
fn remark(state: &StepState, retries: u32, now: Timestamp) -> Option<String> {
    let attempt = |attempt: u32| format!("attempt {attempt} of {}", retries.saturating_add(1));
    Some(match state {
        StepState::Started { attempt: number, .. } if *number > 1 => attempt(*number),
        StepState::Waiting { attempt: number, until, .. } if *until > now => {
            format!("{} failed, the next is in {}", attempt(*number), seconds(now, *until))
        }
        StepState::Waiting { attempt: number, .. } => format!("{} failed, the next is due", attempt(*number)),
        StepState::Succeeded { adopted: true, .. } => {
            "it had happened already and was not done again".to_owned()
        }
        StepState::Failed { reason, .. } | StepState::Skipped { reason } => reason.clone(),
        StepState::Unknown { .. } => "the process that began it is gone".to_owned(),
        StepState::Pending | StepState::Started { .. } | StepState::Succeeded { .. } => return None,
    })
}

/// How far a step that only waits and looks has got.
fn waiting(page: &mut Writer<'_>, operation: &Operation, scene: &Scene<'_>) {
    let Some(index) = operation.current().filter(|_| operation.is_open()) else { return };
    let (Some(step), Some(StepState::Started { at, .. })) =
        (operation.plan.steps.get(index), operation.steps.get(index))
    else {
        return;
    };
    let now = scene.now();
    match step.action {
        Action::Platform { .. } => {}
        Action::Data { .. } => {
            page.heading("changing the database");
            page.field(
                "for",
                Tone::Text,
                &format!("{} of at most {}", seconds(*at, now), human(*step.timeout)),
            );
        }
        Action::Validate { .. } => {
            page.heading("trying");
            page.field(
                "for",
                Tone::Text,
                &format!("{} of at most {}", seconds(*at, now), human(*step.timeout)),
            );
        }
        Action::Confirm { deadline } => {
            page.heading("waiting for a person");
            let key = scene.picture.keymap.key_of("confirm").unwrap_or_else(|| ":confirm".to_owned());
            page.marked(
                Span::styled(format!("  {key} "), page.look.style(Tone::Key)),
                Tone::Text,
                "says go; until then no traffic moves",
            );
            page.field("given up in", Tone::Text, &left(*at, deadline, now));
        }
        Action::Stage { percent, lasts, patience } => {
            page.heading("stage");
            let arm = if percent < 100 { Arm::Canary } else { Arm::Stable };
            let service = &operation.plan.service;
            let verdict = scene.state().service(service).and_then(|known| known.arms.get(&arm));
            let (tone, words) = match verdict {
                Some((Verdict::Healthy, _)) if !scene.is_stale(service) => (Tone::Ok, "healthy".to_owned()),
                Some((verdict, _)) => {
                    let why = verdict.reasons().first().map_or_else(String::new, |why| format!(": {why}"));
                    let tone =
                        if matches!(verdict, Verdict::Failing { .. }) { Tone::Fail } else { Tone::Warn };
                    (tone, format!("{}{why}", verdict.word()))
                }
                None => (Tone::Unknown, "nothing is known of it yet".to_owned()),
            };
            page.field("traffic", Tone::Text, &format!("{percent} % on {}", operation.plan.to.version));
            page.field("verdict", tone, &words);
            let watched = format!("{} of {}", seconds(*at, now), human(*lasts));
            page.field("watched", Tone::Text, &watched);
            if age(*at, now) > *lasts {
                let until = crate::model::Span(*lasts + *patience);
                page.field("given up in", Tone::Text, &left(*at, until, now));
            }
        }
        Action::Watch { lasts } => {
            page.heading("watching");
            page.field("watched", Tone::Text, &format!("{} of {}", seconds(*at, now), human(*lasts)));
        }
        Action::Verify { hold, deadline, probes_only } => {
            page.heading("verification");
            let service = &operation.plan.service;
            let verdict = scene.state().service(service).and_then(|known| known.verdict.as_ref());
            let (tone, words) = match verdict {
                _ if probes_only => {
                    (Tone::Text, format!("by probes alone, {} without a failure", human(*hold)))
                }
                Some((Verdict::Healthy, since)) if !scene.is_stale(service) => {
                    // What was seen before the step began was seen of the traffic as it was.
                    let held = seconds((*since).max(*at), now);
                    (Tone::Ok, format!("{held} of {}", human(*hold)))
                }
                Some((verdict, _)) => {
                    let sign = Sign::condition(scene.condition(service), page.look.glyphs);
                    let why = verdict.reasons().first().map_or_else(String::new, |why| format!(": {why}"));
                    (sign.tone, format!("not yet, it is {}{why}", verdict.word()))
                }
                None => (Tone::Unknown, "not yet, nothing is known".to_owned()),
            };
            page.field("healthy for", tone, &words);
            page.field("given up in", Tone::Text, &left(*at, deadline, now));
        }
    }
}

/// What is left of a time that began then.
fn left(since: Timestamp, lasts: crate::model::Span, now: Timestamp) -> String {
    let left = age(now, since.checked_add(*lasts).unwrap_or(since));
    format!("{} of {}", human(Duration::from_secs(left.as_secs())), human(*lasts))
}

/// The phases of a deployment: how long each has taken, and what it should take.
fn phases(page: &mut Writer<'_>, operation: &Operation, scene: &Scene<'_>) {
    if operation.plan.budgets.is_empty() {
        return;
    }
    let look = page.look;
    page.heading("phases");
    let current = operation.current().filter(|_| operation.is_open());
    let mut began = operation.at;
    let mut rows = Vec::new();
    for (phase, budget) in &operation.plan.budgets {
        let of_phase = |index: &usize| operation.plan.steps[*index].phase == Some(*phase);
        let indexes: Vec<usize> = (0..operation.plan.steps.len()).filter(of_phase).collect();
        let ended = indexes.iter().filter_map(|index| match &operation.steps[*index] {
            StepState::Succeeded { at, .. } | StepState::Failed { at, .. } => Some(*at),
            _ => None,
        });
        let (is_now, last) = (current.is_some_and(|step| indexes.contains(&step)), ended.max());
        let until = if is_now { Some(scene.now()) } else { last };
        let is_over = until.is_some_and(|until| age(began, until) > **budget);
        let tone = if is_over { Tone::Warn } else { Tone::Text };
        let words = until.map_or_else(String::new, |until| seconds(began, until));
        let title = if is_now { Tone::Accent } else { Tone::Text };
        rows.push(vec![
            Line::styled(phase.word(), look.style(title)),
            Line::styled(words, look.style(tone)),
            Line::styled(human(**budget), look.style(Tone::Dim)),
            Line::styled(if is_over { "over its time" } else { "" }, look.style(Tone::Warn)),
        ]);
        if let Some(at) = last {
            began = at;
        }
    }
    let columns = [
        Column::new("phase", 8, 14, 0),
        Column::new("took", 5, 10, 0).at_right(),
        Column::new("should take", 11, 14, 0).at_right(),
        Column::new("", 0, 16, 1),
    ];
    page.table(&columns, &rows);
}

/// How the release was that it brought in, later.
fn afterwards(page: &mut Writer<'_>, operation: &Operation, scene: &Scene<'_>) {
    let next = watching::next(operation, scene.state(), scene.config());
    if operation.watched.is_empty() && next.is_none() {
        return;
    }
    page.heading("afterwards");
    for watched in &operation.watched {
        let tone = match (&watched.verdict, watched.raised.is_empty()) {
            (Verdict::Healthy, true) => Tone::Ok,
            _ => Tone::Warn,
        };
        page.field(&format!("after {}", human(*watched.window)), tone, &watched.words());
    }
    if let Some((window, due)) = next {
        let left = human(Duration::from_secs(age(scene.now(), due).as_secs()));
        page.field(&format!("after {}", human(*window)), Tone::Dim, &format!("in {left}"));
    }
}

/// What the platform says while it works, the newest last.
fn output(page: &mut Writer<'_>, operation: &Operation, scene: &Scene<'_>) {
    let lines = scene.view().output.get(&operation.id).into_iter().flat_map(|lines| lines.iter());
    let lines: Vec<_> = lines.filter(|line| line.figure.is_none()).collect();
    if lines.is_empty() {
        return;
    }
    let look = page.look;
    page.heading("output");
    for line in lines {
        let when = format!("  {}  step {}  ", text::clock(line.at, &scene.picture.zone), line.step + 1);
        page.marked(Span::styled(when, look.style(Tone::Dim)), Tone::Text, &line.text);
    }
}

/// The time between two moments in whole seconds, or in milliseconds when it is less than one.
fn seconds(from: Timestamp, until: Timestamp) -> String {
    let lasted = age(from, until);
    if lasted > Duration::ZERO && lasted < Duration::from_secs(1) {
        human(Duration::from_millis(u64::try_from(lasted.as_millis()).unwrap_or(0)))
    } else if lasted.is_zero() {
        "0 s".to_owned()
    } else {
        human(Duration::from_secs(lasted.as_secs()))
    }
}
