//! `unship template`: the texts of messages, checked and filled in to be looked at.

use std::path::PathBuf;

use anyhow::Context as _;
use jiff::Timestamp;
use serde_json::json;

use super::incident::{find, look};
use super::output::{note, out, print_json, table};
use super::session;
use super::{Exit, Global};
use crate::engine::messages::{fill, update};
use crate::templates::{Kind, Template, Templates, examples};

/// Check the texts of messages, or fill one in.
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

/// What is asked, as typed.
#[derive(clap::Subcommand, Clone, Debug)]
enum What {
    /// Check a template; without a file, show what there is and which placeholders it has.
    Check {
        /// rollback-started, performance-degraded, update, resolved, escalation or approval. Without it: all.
        name: Option<String>,
        /// The file. Without it: the config's own, else the one that is built in.
        file: Option<PathBuf>,
    },
    /// Fill a template in, with examples or with what is known of an incident.
    Render {
        /// Which.
        name: String,
        /// The file. Without it: the config's own, else the one that is built in.
        #[arg(long)]
        file: Option<PathBuf>,
        /// The incident that an `update` tells of.
        #[arg(long, value_name = "ID")]
        incident: Option<String>,
        /// A placeholder and what it stands for; can be given several times.
        #[arg(long, value_name = "NAME=VALUE")]
        set: Vec<String>,
        /// Print the text that is built in, to begin one's own with.
        #[arg(long, conflicts_with_all = ["file", "incident", "set"])]
        built_in: bool,
    },
}

/// Exit codes: 0 fine, 1 there is no such incident, 2 wrong or unknown.
pub async fn run(args: &Args, global: &Global) -> anyhow::Result<Exit> {
    match &args.what {
        What::Check { name, file } => check(name.as_deref(), file.as_ref(), global),
        What::Render { name, built_in: true, .. } => match kind(name) {
            Some(kind) => {
                out!("{}", kind.built_in().trim_end());
                Ok(Exit::Fine)
            }
            None => Ok(Exit::Usage),
        },
        What::Render { name, file, incident, set, .. } => {
            let Some(kind) = kind(name) else { return Ok(Exit::Usage) };
            render(kind, file.as_ref(), incident.as_deref(), set, global).await
        }
    }
}

fn kind(name: &str) -> Option<Kind> {
    let kind = Kind::of_name(name);
    if kind.is_none() {
        note!("no template `{name}`; templates: {}", Kind::ALL.map(Kind::name).join(", "));
    }
    kind
}

/// The texts of the config, if there is one; its own mistakes are said where it is loaded.
fn own(global: &Global) -> anyhow::Result<Templates> {
    if !global.config.exists() {
        return Ok(Templates::default());
    }
    Ok(Templates::clone(&session::load(global)?.templates))
}

fn check(name: Option<&str>, file: Option<&PathBuf>, global: &Global) -> anyhow::Result<Exit> {
    let kinds = match name {
        None => Kind::ALL.to_vec(),
        Some(name) => match kind(name) {
            Some(kind) => vec![kind],
            None => return Ok(Exit::Usage),
        },
    };
    if let (Some(file), [kind]) = (file, kinds.as_slice()) {
        return check_file(*kind, file, global);
    }
    own(global)?;
    if global.json {
        let all: Vec<_> = kinds
            .iter()
            .map(|kind| {
                let placeholders: Vec<_> = kind
                    .placeholders()
                    .map(|(name, means)| json!({ "name": name, "means": means }))
                    .collect();
                json!({ "template": kind.name(), "placeholders": placeholders })
            })
            .collect();
        print_json(&json!(all))?;
        return Ok(Exit::Fine);
    }
    for kind in kinds {
        out!("{}", kind.name());
        let rows: Vec<_> =
            kind.placeholders().map(|(name, means)| vec![format!("  {name}"), means.to_owned()]).collect();
        out!("{}", table(&rows).trim_end());
    }
    Ok(Exit::Fine)
}

fn check_file(kind: Kind, file: &PathBuf, global: &Global) -> anyhow::Result<Exit> {
    let text =
        std::fs::read_to_string(file).with_context(|| format!("`{}` cannot be read", file.display()))?;
    let faults = Template::read(kind, &text).err().unwrap_or_default();
    if global.json {
        let faults: Vec<_> =
            faults.iter().map(|fault| json!({ "line": fault.line, "text": fault.text })).collect();
        print_json(&json!({ "template": kind.name(), "file": file, "faults": faults }))?;
    } else if faults.is_empty() {
        out!("{}: fine", file.display());
    }
    for fault in &faults {
        note!("{}:{}: {}", file.display(), fault.line, fault.text);
    }
    Ok(if faults.is_empty() { Exit::Fine } else { Exit::Usage })
}

async fn render(
    kind: Kind,
    file: Option<&PathBuf>,
    incident: Option<&str>,
    set: &[String],
    global: &Global,
) -> anyhow::Result<Exit> {
    let mut templates = own(global)?;
    if let Some(file) = file {
        let text =
            std::fs::read_to_string(file).with_context(|| format!("`{}` cannot be read", file.display()))?;
        match Template::read(kind, &text) {
            Ok(template) => templates.put(template),
            Err(faults) => {
                for fault in faults {
                    note!("{}:{}: {}", file.display(), fault.line, fault.text);
                }
                return Ok(Exit::Usage);
            }
        }
    }
    let now = Timestamp::now();
    let mut values = examples(kind);
    let mut environment = "production".to_owned();
    if let Some(id) = incident {
        if kind != Kind::Update {
            note!("only `update` is filled in from an incident; `{}` is shown with examples", kind.name());
            return Ok(Exit::Usage);
        }
        let (loaded, view) = look(global).await?;
        let incident = match find(&view, Some(id)) {
            Ok(incident) => incident,
            Err(exit) => return Ok(exit),
        };
        values = update(&incident, &view.state, None, now);
        environment = loaded.config.environment.name.clone();
    }
    for pair in set {
        let known = pair.split_once('=').and_then(|(name, value)| {
            let (known, _) = kind.placeholders().find(|(known, _)| *known == name)?;
            Some((known, value))
        });
        match known {
            Some(("environment", value)) => environment = value.to_owned(),
            Some((name, value)) => {
                values.insert(name, json!(value));
            }
            None => {
                let names: Vec<_> = kind.placeholders().map(|(name, _)| name).collect();
                note!("`{pair}` names no placeholder of `{}`: {}", kind.name(), names.join(", "));
                return Ok(Exit::Usage);
            }
        }
    }
    let rendered = fill(&templates, &environment, kind, values, now).map_err(anyhow::Error::msg)?;
    if global.json {
        print_json(&json!({ "subject": rendered.subject, "text": rendered.text }))?;
        return Ok(Exit::Fine);
    }
    if let Some(subject) = rendered.subject {
        out!("{subject}\n");
    }
    out!("{}", rendered.text);
    Ok(Exit::Fine)
}
