//! A service's releases in full: what each is and is worth, who says so and why; what was done about them; and what happened
//! to them, one after the other.

use std::time::Duration;

use jiff::Timestamp;
use ratatui::text::{Line, Span};

use super::sheet::{Sheet, Writer};
use crate::engine::account::happened;
use crate::engine::deployments::deployments;
use crate::model::ServiceName;
use crate::model::operation::{Operation, OperationStatus};
use crate::model::units::human;
use crate::tui::panes::deployments::{now, record, role};
use crate::tui::roster::age;
use crate::tui::scene::Scene;
use crate::tui::signs::Sign;
use crate::tui::theme::Tone;
use crate::tui::widgets::table::Column;

/// Writes it.
pub(super) fn write<'a>(of: &ServiceName, scene: &Scene<'a>, columns: usize) -> Sheet<'a> {
    let mut page = Writer::new(scene.look(), columns);
    releases(&mut page, of, scene);
    operations(&mut page, of, scene);
    events(&mut page, of, scene);
    if page.is_empty() {
        page.text(Tone::Text, &format!("Nothing is known of the releases of {of} yet."));
        page.text(Tone::Dim, "They are told here once its platform has been read.");
    }
    Sheet::new(scene.titled("History", of.as_str()), page.finish())
}

fn releases(page: &mut Writer<'_>, of: &ServiceName, scene: &Scene<'_>) {
    let look = page.look;
    let all = deployments(scene.state(), of);
    if all.is_empty() {
        return;
    }
    page.heading("releases");
    let rows: Vec<Vec<Line<'static>>> = all
        .iter()
        .map(|deployment| {
            let made = deployment.created_at.map_or_else(|| "gone".to_owned(), |at| scene.moment(at));
            let mark = deployment.mark.as_ref();
            let says = mark.map_or_else(String::new, |mark| {
                format!("{}: {} ({})", mark.by, mark.reason, scene.moment(mark.at))
            });
            let operation = deployment.operation.as_ref().map(ToString::to_string).unwrap_or_default();
            vec![
                Line::raw(deployment.version.to_string()),
                Line::from(now(deployment, look)),
                Line::styled(scene.moment(deployment.at), look.style(Tone::Dim)),
                Line::from(record(deployment, look)),
                Line::from(role(scene, deployment)),
                Line::raw(made),
                Line::raw(deployment.author.clone().unwrap_or_default()),
                Line::raw(deployment.schema.map_or_else(String::new, |schema| schema.to_string())),
                Line::raw(operation),
                Line::styled(says, look.style(Tone::Dim)),
            ]
        })
        .collect();
    let columns = [
        Column::new("release", 6, 24, 0),
        Column::new("now", 10, 22, 0),
        Column::new("since", 8, 15, 1),
        Column::new("record", 9, 10, 0),
        Column::new("", 8, 22, 1),
        Column::new("made", 8, 15, 2),
        Column::new("by", 4, 16, 2),
        Column::new("schema", 6, 8, 4).at_right(),
        Column::new("operation", 9, 12, 4),
        Column::new("who says so", 20, 120, 3),
    ];
    page.table(&columns, &rows);
}

fn operations(page: &mut Writer<'_>, of: &ServiceName, scene: &Scene<'_>) {
    let look = page.look;
    let all: Vec<&Operation> =
        scene.state().operations_in_order().rev().filter(|operation| operation.plan.service == *of).collect();
    if all.is_empty() {
        return;
    }
    page.heading("operations");
    let rows: Vec<Vec<Line<'static>>> = all
        .into_iter()
        .map(|operation| {
            let plan = &operation.plan;
            let sign = Sign::operation(operation, look.glyphs);
            let end = match &operation.status {
                OperationStatus::Ended { at, .. } => *at,
                _ => scene.now(),
            };
            vec![
                Line::raw(operation.id.to_string()),
                Line::from(sign.span(look)),
                Line::raw(format!("{} {} {}", plan.from.version, look.glyphs.arrow, plan.to.version)),
                Line::raw(plan.kind.noun()),
                Line::styled(scene.moment(operation.at), look.style(Tone::Dim)),
                Line::raw(took(operation.at, end)),
                Line::raw(operation.by.to_string()),
                Line::styled(operation.reason.clone(), look.style(Tone::Dim)),
            ]
        })
        .collect();
    let columns = [
        Column::new("operation", 6, 12, 0),
        Column::new("outcome", 12, 18, 0),
        Column::new("releases", 12, 40, 1),
        Column::new("kind", 8, 11, 4),
        Column::new("begun", 8, 15, 1),
        Column::new("took", 5, 10, 1).at_right(),
        Column::new("asked by", 8, 16, 2),
        Column::new("reason", 12, 120, 3),
    ];
    page.table(&columns, &rows);
}

fn events(page: &mut Writer<'_>, of: &ServiceName, scene: &Scene<'_>) {
    let look = page.look;
    let Some(known) = scene.state().service(of).filter(|known| !known.history.is_empty()) else { return };
    page.heading("what happened, newest first");
    let told = known.history.iter().rev().map(|entry| {
        let at = Span::styled(scene.moment(entry.at), look.style(Tone::Dim));
        (vec![at, Span::raw(entry.version.to_string())], Tone::Text, happened(&entry.what))
    });
    page.sentences(told.collect());
}

/// In whole seconds.
fn took(from: Timestamp, until: Timestamp) -> String {
    human(Duration::from_secs(age(from, until).as_secs()))
}
