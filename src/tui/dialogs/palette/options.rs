//! What may stand where the palette's cursor is: commands, then what they take.

use crate::model::ServiceName;
use crate::model::escalation::IncidentRole;
use crate::model::incident::Level;
use crate::tui::available;
use crate::tui::commands::{self, Arg, COMMANDS, Command};
use crate::tui::dialogs::search::{Found, Search};
use crate::tui::scene::Scene;
use crate::tui::ui::Ui;

/// Something that may stand there.
#[derive(Clone, Debug)]
pub(super) struct Choice {
    /// As it stands in the line.
    pub(super) word: String,
    pub(super) in_word: Found,
    /// What it is.
    pub(super) beside: String,
    pub(super) in_beside: Found,
    /// Its key.
    pub(super) right: String,
    /// The command, if it is one.
    pub(super) command: Option<&'static Command>,
    /// It cannot be done now.
    pub(super) disabled: bool,
    /// Something may follow it.
    pub(super) takes_more: bool,
}

/// The looking that a line asks for: at the service that it names.
pub(super) struct Looking(Option<Ui>);

impl Looking {
    pub(super) fn scene<'a>(&'a self, scene: &Scene<'a>) -> Scene<'a> {
        match &self.0 {
            Some(ui) => Scene::new(scene.picture, ui),
            None => *scene,
        }
    }
}

/// Whether a command is available is asked of the service that it names.
pub(super) fn with_service(scene: &Scene<'_>, command: &Command, args: &[String]) -> Looking {
    let named = args.first().filter(|_| command.args.first() == Some(&Arg::Service));
    Looking(named.map(|name| {
        let mut ui = Ui::new(scene.ui.size);
        ui.service.what = Some(ServiceName::from(name.as_str()));
        ui.release.what.clone_from(&scene.ui.release.what);
        ui.item.what.clone_from(&scene.ui.item.what);
        ui
    }))
}

/// What fits the word at the end of a line, the best first.
pub(super) fn options(scene: &Scene<'_>, line: &str) -> Vec<Choice> {
    let line = line.trim_start();
    let Some((id, rest)) = line.split_once(char::is_whitespace) else { return of_commands(scene, line) };
    let Some(command) = commands::find(id) else { return Vec::new() };
    let before: Vec<&str> = rest.split_whitespace().collect();
    let word = rest.rsplit(char::is_whitespace).next().unwrap_or("");
    let place = before.len() - usize::from(!word.is_empty());
    let Some(arg) = command.args.get(place) else { return Vec::new() };
    let takes_more = command.args.len() > place + 1;
    let candidates: Vec<(String, String)> = match arg {
        Arg::Service => services(scene),
        Arg::Version => before.first().map_or_else(Vec::new, |service| versions(scene, service)),
        Arg::Strategy => crate::model::deploy::DeployStrategy::ALL
            .into_iter()
            .map(|strategy| (strategy.word().to_owned(), String::new()))
            .collect(),
        Arg::Theme => scene.picture.themes.iter().map(|name| (name.clone(), String::new())).collect(),
        Arg::Level => levels(),
        Arg::Role => roles(scene),
        Arg::Runbook if command.id == "rebase" => {
            let changed = available::rebasable(scene).into_iter();
            changed.map(|(run, ..)| (run.runbook.to_string(), String::new())).collect()
        }
        Arg::Operation => {
            let operations = available::linkable(scene).into_iter();
            operations.map(|it| (it.id.to_string(), it.plan.purpose.clone())).collect()
        }
        Arg::Instances => before.first().map_or_else(Vec::new, |service| instances(scene, service)),
        Arg::Runbook => {
            available::attachable(scene).into_iter().map(|name| (name.to_string(), String::new())).collect()
        }
        Arg::Incident => {
            let others = available::others(scene).into_iter();
            others.map(|other| (other.id.to_string(), other.title.clone())).collect()
        }
        Arg::Text => Vec::new(),
    };
    let mut search = Search::new(word);
    let mut found: Vec<Choice> = candidates
        .into_iter()
        .filter_map(|(word, beside)| {
            let in_word = search.find(&word)?;
            Some(Choice {
                word,
                in_word,
                beside,
                in_beside: Found::default(),
                right: String::new(),
                command: None,
                disabled: false,
                takes_more,
            })
        })
        .collect();
    // Stable: what fits as well as another keeps its place.
    found.sort_by_key(|choice| std::cmp::Reverse(choice.in_word.score));
    found
}

fn of_commands(scene: &Scene<'_>, word: &str) -> Vec<Choice> {
    let mut search = Search::new(word);
    let mut found: Vec<Choice> = COMMANDS
        .iter()
        .filter_map(|command| {
            let (in_id, in_title) = (search.find(command.id), search.find(command.title));
            if in_id.is_none() && in_title.is_none() {
                return None;
            }
            Some(Choice {
                word: command.id.to_owned(),
                in_word: in_id.unwrap_or_default(),
                beside: command.title.to_owned(),
                in_beside: in_title.unwrap_or_default(),
                right: scene.picture.keymap.key_of(command.id).unwrap_or_default(),
                command: Some(command),
                disabled: (command.available)(scene).is_err(),
                takes_more: !command.args.is_empty(),
            })
        })
        .collect();
    // What is typed in full is what is meant; then what can be done: what begins so before what only has the letters somewhere.
    let letters = |text: &str| text.replace('-', "").to_lowercase();
    let typed = letters(word);
    found.sort_by_key(|choice| {
        let score = choice.in_word.score.max(choice.in_beside.score);
        let begins = letters(&choice.word).starts_with(&typed);
        (choice.word != word, choice.disabled, !begins, std::cmp::Reverse(score))
    });
    found
}

/// Worst first, as they are listed.
fn services(scene: &Scene<'_>) -> Vec<(String, String)> {
    let shown = scene.picture.roster.rows().iter();
    let mut all: Vec<(String, String)> =
        shown.map(|row| (row.service.to_string(), row.condition.word().to_owned())).collect();
    // A filter hides nothing from who names it.
    for service in scene.config().services.keys() {
        if scene.picture.roster.place(service).is_none() {
            all.push((service.to_string(), scene.condition(service).word().to_owned()));
        }
    }
    all
}

fn versions(scene: &Scene<'_>, service: &str) -> Vec<(String, String)> {
    let Some(known) = scene.picture.live.state.service(&ServiceName::from(service)) else {
        return Vec::new();
    };
    let live = known.suspect().map(|(_, release)| &release.reference);
    let releases = known.inventory.iter().flat_map(|inventory| &inventory.releases);
    releases
        // Nothing is rolled back to what is left.
        .filter(|release| Some(&release.reference) != live)
        .map(|release| (release.version.to_string(), known.quality(&release.reference).word().to_owned()))
        .collect()
}

/// What the scaling of a service asks for next.
fn instances(scene: &Scene<'_>, service: &str) -> Vec<(String, String)> {
    let service = ServiceName::from(service);
    let known = scene.picture.live.state.service(&service);
    let now = known.and_then(|known| known.inventory.as_ref()?.instances);
    let next = crate::engine::instances::next(scene.config(), &service, known);
    next.filter(|next| Some(*next) != now)
        .map(|next| (next.to_string(), now.map_or_else(String::new, |now| format!("now {now}"))))
        .into_iter()
        .collect()
}

/// The roles, with who has each.
fn roles(scene: &Scene<'_>) -> Vec<(String, String)> {
    let held = |role: &IncidentRole| scene.incident_at_hand().and_then(|incident| incident.roles.get(role));
    let words =
        |role: IncidentRole| held(&role).map_or_else(|| "nobody".to_owned(), |held| held.name.clone());
    IncidentRole::ALL.into_iter().map(|role| (role.to_string(), words(role))).collect()
}

fn levels() -> Vec<(String, String)> {
    let words = ["the business stops", "users notice", "it can wait for some hours", "nobody is waited for"];
    Level::ALL
        .iter()
        .zip(words)
        .map(|(level, words)| (level.number().to_string(), words.to_owned()))
        .collect()
}
