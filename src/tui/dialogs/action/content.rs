//! What is shown of what is asked, line by line, in any width: both ends, what else changes, the plan, the guardrails, what
//! happens if it fails.

use std::time::Duration;

use ratatui::text::{Line, Span};

use super::subject::Subject;
use super::{ActionDialog, Proposed, Stop, can_take, words};
use crate::engine::{Proposal, ServiceState};
use crate::model::operation::{Action, Plan, Strategy};
use crate::model::platform::PlatformAction;
use crate::model::release::{Arm, Quality, Release};
use crate::model::units::human;
use crate::tui::roster::age;
use crate::tui::scene::Scene;
use crate::tui::theme::Tone;
use crate::tui::widgets::Look;
use crate::tui::widgets::text::{self, clean, pad, wrap};

/// From this width on the ends are side by side.
const SIDE_BY_SIDE: usize = 62;

/// The lines of a dialog.
pub(super) struct Lines<'a> {
    pub(super) rows: Vec<Line<'static>>,
    look: Look<'a>,
    width: usize,
}

impl<'a> Lines<'a> {
    fn new(look: Look<'a>, width: usize) -> Self {
        Self { rows: Vec::new(), look, width }
    }

    fn heading(&mut self, text: &str, beside: &str) {
        if !self.rows.is_empty() {
            self.rows.push(Line::default());
        }
        let mut spans = vec![Span::styled(text.to_owned(), self.look.style(Tone::Title))];
        if !beside.is_empty() {
            spans.push(Span::styled(format!("  {beside}"), self.look.style(Tone::Dim)));
        }
        self.rows.push(Line::from(spans));
    }

    /// A text in as many lines as it needs, the later ones as far in as the first begins.
    fn text(&mut self, mark: &str, mark_tone: Tone, text: &str, tone: Tone) {
        let text = clean(text);
        let lead = text::width(mark);
        for (index, line) in wrap(&text, self.width.saturating_sub(lead)).into_iter().enumerate() {
            let mark = if index == 0 { mark.to_owned() } else { " ".repeat(lead) };
            self.rows.push(Line::from(vec![
                Span::styled(mark, self.look.style(mark_tone)),
                Span::styled(line, self.look.style(tone)),
            ]));
        }
    }
}

/// Everything above the fields.
pub(super) fn lines<'a>(dialog: &ActionDialog, scene: &Scene<'a>, look: Look<'a>, width: usize) -> Lines<'a> {
    let mut out = Lines::new(look, width);
    for sentence in words::will(scene, &dialog.subject, dialog.choice) {
        out.text("", Tone::Text, &sentence, Tone::Text);
    }
    if matches!(dialog.subject, Subject::RollBack { .. } | Subject::Promote { .. } | Subject::Deploy { .. }) {
        ends(dialog, scene, &mut out);
    }
    choices(dialog, scene, &mut out);
    match &dialog.proposal {
        Proposed::Not => {}
        Proposed::Waiting(_) => {
            out.heading("Plan", "");
            out.text("", Tone::Text, "asking the platform and the engine what it would do", Tone::Dim);
        }
        Proposed::Here(proposal) => {
            plan(dialog, proposal, &mut out);
            guardrails(dialog, scene, proposal, &mut out);
            if let Ok(plan) = &proposal.plan {
                consequences(scene, plan, &mut out);
            }
        }
    }
    out
}

/// One end, in words, in the order of [`LABELS`].
struct End {
    tone: Tone,
    cells: Vec<(String, Tone)>,
}

const LABELS: [&str; 7] = ["release", "reference", "age", "author", "schema", "quality", "traffic"];

fn ends(dialog: &ActionDialog, scene: &Scene<'_>, out: &mut Lines<'_>) {
    let proposal = dialog.proposal();
    let state = &scene.picture.live.state;
    let Some(known) = dialog.subject.service().and_then(|service| state.service(service)) else { return };
    let inventory = known.inventory.as_ref();
    let (from, to) = match &dialog.subject {
        Subject::RollBack { from, target, .. } => {
            let chosen = target.as_ref().and_then(|target| inventory?.release(target));
            (Some(from), proposal.map_or(chosen, |proposal| proposal.target.release.as_ref()))
        }
        Subject::Promote { canary, .. } => (known.stable(), Some(canary)),
        Subject::Deploy { from, release, .. } => (Some(from), Some(release)),
        _ => return,
    };
    let (left, right) = match &dialog.subject {
        Subject::Promote { .. } => ("leaves", "gets all the traffic"),
        Subject::Deploy { .. } => ("gives way", "is brought in"),
        _ => ("leaves", "returns to"),
    };
    let from = end(scene, known, from);
    let to = end(scene, known, to);
    let arrow = out.look.glyphs.arrow;
    if out.width >= SIDE_BY_SIDE {
        let label = 10;
        let half = (out.width - label) / 2;
        let dim = out.look.style(Tone::Dim);
        let ellipsis = out.look.glyphs.ellipsis;
        out.rows.push(Line::from(vec![
            Span::raw(" ".repeat(label)),
            Span::styled(pad(left, half - 2, ellipsis), dim),
            Span::styled(format!("{arrow} {right}"), dim),
        ]));
        for (index, name) in LABELS.into_iter().enumerate() {
            let cells =
                [&from, &to].map(|end| end.cells.get(index).cloned().unwrap_or((String::new(), Tone::Dim)));
            let wrapped = cells.map(|(text, tone)| (wrap(&text, half - 2), tone));
            let rows = wrapped.iter().map(|(lines, _)| lines.len()).max().unwrap_or(0);
            for row in 0..rows {
                let cell = |(lines, tone): &(Vec<String>, Tone)| {
                    let text = lines.get(row).map_or("", String::as_str);
                    Span::styled(pad(text, half, ellipsis), out.look.style(*tone))
                };
                let name = if row == 0 { name } else { "" };
                let line =
                    vec![Span::styled(pad(name, label, ellipsis), dim), cell(&wrapped[0]), cell(&wrapped[1])];
                out.rows.push(Line::from(line));
            }
        }
    } else {
        for (word, end) in [(left, &from), (right, &to)] {
            let mut cells = end.cells.iter();
            if let Some((version, _)) = cells.next() {
                out.text(&format!("{word} "), Tone::Dim, version, end.tone);
            }
            for (index, (text, tone)) in cells.enumerate() {
                out.text(&format!("  {} ", pad(LABELS[index + 1], 9, "")), Tone::Dim, text, *tone);
            }
        }
    }
}

fn end(scene: &Scene<'_>, known: &ServiceState, release: Option<&Release>) -> End {
    let Some(release) = release else {
        return End { tone: Tone::Fail, cells: vec![("no release".to_owned(), Tone::Fail)] };
    };
    let inventory = known.inventory.as_ref();
    let share = inventory.and_then(|it| it.traffic.iter().find(|share| share.reference == release.reference));
    let (arm, tone) = match share.map(|share| share.arm) {
        Some(Arm::Canary) => (" canary", Tone::Canary),
        Some(Arm::Stable) => (" stable", Tone::Stable),
        None => ("", Tone::Text),
    };
    let mark = known.qualities.get(&release.reference);
    let quality = match mark {
        Some(mark) => (format!("{}: {}", mark.quality.word(), mark.reason), tone_of(mark.quality)),
        None => ("unknown: nothing is recorded".to_owned(), Tone::Unknown),
    };
    let schema = match (release.schema, inventory.and_then(|inventory| inventory.schema)) {
        (Some(needs), Some(has)) => (format!("{needs}, the database is at {has}"), Tone::Text),
        (Some(needs), None) => (needs.to_string(), Tone::Text),
        (None, _) => ("none named".to_owned(), Tone::Dim),
    };
    let percent = share.map_or(0, |share| share.percent);
    let up = if release.running { "" } else { ", not running" };
    let made = release.created_at.to_zoned(scene.picture.zone.clone()).strftime("%b %-d %H:%M");
    let cells = vec![
        (format!("{}{arm}", release.version), tone),
        (release.reference.to_string(), Tone::Text),
        (format!("{}, made {made}", text::age(age(release.created_at, scene.picture.now))), Tone::Text),
        release.author.clone().map_or(("not known".to_owned(), Tone::Dim), |author| (author, Tone::Text)),
        schema,
        quality,
        (format!("{percent} %{up}"), Tone::Text),
    ];
    End { tone, cells: cells.into_iter().map(|(text, tone)| (clean(&text).into_owned(), tone)).collect() }
}

const fn tone_of(quality: Quality) -> Tone {
    match quality {
        Quality::Good => Tone::Good,
        Quality::Bad => Tone::Bad,
        Quality::Unknown => Tone::Unknown,
    }
}

fn choices(dialog: &ActionDialog, scene: &Scene<'_>, out: &mut Lines<'_>) {
    let choices = dialog.subject.seen_now(scene).choices();
    if choices.is_empty() {
        return;
    }
    let is_strategy = matches!(dialog.subject, Subject::RollBack { .. } | Subject::Deploy { .. });
    let has_focus = dialog.focus == Stop::Choice;
    let keys = if has_focus { "Left and Right choose" } else { "Tab goes there" };
    out.heading(if is_strategy { "Strategy" } else { "Choose" }, keys);
    let wide = choices.iter().map(|(word, _)| text::width(word)).max().unwrap_or(0);
    for (index, (word, does)) in choices.iter().enumerate() {
        let is_chosen = dialog.choice == Some(index);
        let glyphs = out.look.glyphs;
        let mark = if is_chosen { glyphs.selected } else { " " };
        let tone = match (is_chosen, has_focus) {
            (true, true) => Tone::Focus,
            (true, false) => Tone::Accent,
            (false, _) => Tone::Text,
        };
        let doing = if is_chosen { Tone::Text } else { Tone::Dim };
        out.text(&format!("{mark} {}  ", pad(word, wide, "")), tone, does, doing);
    }
}

fn plan(dialog: &ActionDialog, proposal: &Proposal, out: &mut Lines<'_>) {
    let expected = match proposal.expected {
        Some(expected) => {
            format!("{}, the median of {} earlier", human(rounded(expected.lasts)), expected.from)
        }
        None => "no earlier one to go by".to_owned(),
    };
    out.heading("Plan", &expected);
    match &proposal.plan {
        Ok(plan) => {
            for (index, step) in plan.steps.iter().enumerate() {
                let within = match &step.action {
                    Action::Watch { lasts } | Action::Stage { lasts, .. } => {
                        format!("for {}", human(**lasts))
                    }
                    Action::Verify { hold, deadline, .. } => {
                        format!("for {}, within {}", human(**hold), human(**deadline))
                    }
                    Action::Platform { .. }
                    | Action::Confirm { .. }
                    | Action::Validate { .. }
                    | Action::Data { .. } => {
                        format!("within {}", human(*step.timeout))
                    }
                };
                let title = step.title.replace('`', "");
                out.text(&format!("{}. ", index + 1), Tone::Dim, &format!("{title}, {within}"), Tone::Text);
            }
        }
        Err(why) => {
            let mark = format!("{} ", out.look.glyphs.fail);
            out.text(&mark, Tone::Fail, &format!("no plan: {}", why.replace('`', "")), Tone::Fail);
            if matches!(dialog.subject, Subject::RollBack { .. }) {
                let next = "name a version yourself (`: roll-back SERVICE VERSION`), or look at the platform";
                out.text("  ", Tone::Dim, next, Tone::Dim);
            }
        }
    }
    if let Some(problem) = &proposal.target.problem {
        let mark = format!("{} ", out.look.glyphs.warn);
        out.text(&mark, Tone::Warn, &problem.replace('`', ""), Tone::Warn);
    } else if !proposal.target.evidence.is_empty() {
        let mark = format!("{} ", out.look.glyphs.target);
        out.text(&mark, Tone::Good, &proposal.target.evidence.replace('`', ""), Tone::Dim);
    }
}

/// A median of milliseconds is not known to the millisecond.
fn rounded(lasts: Duration) -> Duration {
    if lasts < Duration::from_secs(1) {
        lasts
    } else {
        Duration::from_secs((lasts.as_secs_f64()).round() as u64)
    }
}

fn guardrails(dialog: &ActionDialog, scene: &Scene<'_>, proposal: &Proposal, out: &mut Lines<'_>) {
    if proposal.guardrails.is_empty() {
        return;
    }
    let blocking = proposal.guardrails.iter().filter(|check| check.blocks()).count();
    let words = if blocking == 0 { "all pass".to_owned() } else { format!("{blocking} of them block") };
    out.heading("Guardrails", &words);
    // What blocks is seen first.
    let (blocks, passes): (Vec<_>, Vec<_>) = proposal.guardrails.iter().partition(|check| check.blocks());
    for check in blocks.into_iter().chain(passes) {
        let glyphs = out.look.glyphs;
        let taken = dialog.is_taken(check.guardrail);
        let (glyph, word, tone) = match (check.blocks(), taken) {
            (false, _) => (glyphs.ok, "passes", Tone::Ok),
            (true, true) => (glyphs.warn, "overridden", Tone::Warn),
            (true, false) => (glyphs.fail, "blocks", Tone::Fail),
        };
        let left = check.until.filter(|_| check.blocks()).map(|until| {
            let left = age(scene.picture.now, until);
            format!(" ({} left)", human(Duration::from_secs(left.as_secs())))
        });
        let detail = format!("{}{}", check.detail.replace('`', ""), left.unwrap_or_default());
        let mark = format!("{glyph} {} {} ", pad(check.guardrail.word(), 10, ""), pad(word, 10, ""));
        out.text(&mark, tone, &detail, if check.blocks() { Tone::Text } else { Tone::Dim });
        if check.blocks() && !can_take(check, proposal) {
            out.text("    ", Tone::Dim, &words::instead(check), Tone::Dim);
        } else if check.blocks() && !taken {
            out.text("    ", Tone::Dim, "^o overrides it, with a reason of its own", Tone::Key);
        }
    }
}

/// What else changes, and what happens if it fails: as the planner and the executor have it.
fn consequences(scene: &Scene<'_>, plan: &Plan, out: &mut Lines<'_>) {
    let is = |wanted: fn(&Action) -> bool| plan.steps.iter().any(|step| wanted(&step.action));
    let page =
        is(|action| matches!(action, Action::Platform { action: PlatformAction::Maintenance { on: true } }));
    let deploys = is(|action| matches!(action, Action::Platform { action: PlatformAction::Deploy { .. } }));
    let verifies = is(|action| matches!(action, Action::Verify { .. }));
    let rolls_back = plan.kind == crate::model::operation::PlanKind::RollBack;
    let (from, to) = (&plan.from.version, &plan.to.version);
    let settings = &scene.config().rollback;
    let mut also = Vec::new();
    if rolls_back {
        also.push(format!(
            "{from} is recorded as bad once the traffic is on {to}: nothing returns to it by itself."
        ));
    }
    if deploys {
        also.push(format!("Instances of {to} are started; those of {from} keep running without traffic."));
    }
    if page && verifies {
        also.push("Users get the maintenance page until health is seen.".to_owned());
    }
    if verifies {
        also.push("The database stays as it is.".to_owned());
    }
    let others: Vec<String> = other_shares(scene, plan);
    if !others.is_empty() {
        also.push(format!("{} lose their traffic, too.", others.join(" and ")));
    }
    if !also.is_empty() {
        out.heading("What else changes", "");
        for line in also {
            out.text("- ", Tone::Dim, &line, Tone::Text);
        }
    }
    out.heading("If it fails", "");
    if matches!(plan.kind, crate::model::operation::PlanKind::Deploy { .. }) {
        let lines = [
            format!("Before any traffic has moved, nothing is put back: {from} serves as it did."),
            format!(
                "After that the ordinary rollback to {from} begins by itself, without any stage; so it does when you cancel."
            ),
        ];
        for line in lines {
            out.text("- ", Tone::Dim, &line, Tone::Text);
        }
        return;
    }
    let what =
        if plan.kind.moves_traffic() { "the traffic may be where it was" } else { "all may be as it was" };
    let mut fails = vec![format!(
        "A step that fails in passing is tried {} times more, then the operation ends as failed: {what}, and a person has to look.",
        settings.retries
    )];
    if plan.strategy == Strategy::Gradual {
        fails.push(format!(
            "If {to} fails while it is watched, it stops there: both releases keep their part of the traffic."
        ));
    }
    if verifies {
        let deadline = human(*settings.verify_deadline);
        fails.push(format!(
            "If {to} is not healthy within {deadline}, the traffic stays on it, the operation ends as not recovered (or unverified, without data), and a person has to decide what next. Nothing goes back by itself."
        ));
    }
    if page && verifies {
        fails.push("The maintenance page then stays on until a person turns it off.".to_owned());
    }
    fails.push(
        "If nobody can know whether a step happened, the operation waits for a person to say.".to_owned(),
    );
    for line in fails {
        out.text("- ", Tone::Dim, &line, Tone::Text);
    }
}

/// Releases with traffic that are neither end of the plan.
fn other_shares(scene: &Scene<'_>, plan: &Plan) -> Vec<String> {
    let known = scene.picture.live.state.service(&plan.service);
    let Some(inventory) = known.and_then(|known| known.inventory.as_ref()) else { return Vec::new() };
    inventory
        .traffic
        .iter()
        .filter(|share| share.percent > 0)
        .filter(|share| share.reference != plan.from.reference && share.reference != plan.to.reference)
        .filter_map(|share| inventory.release(&share.reference))
        .map(|release| clean(release.version.as_str()).into_owned())
        .collect()
}
