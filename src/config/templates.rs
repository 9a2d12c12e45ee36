//! The texts of messages that a config has of its own, read when it is loaded, so that an unknown placeholder is found then.

use std::path::Path as FilePath;

use super::problem::Report;
use super::schema::Config;
use super::spanned::{Tree, place};
use super::suggest::choice;
use crate::templates::{Kind, Template, Templates};

/// The largest template, in bytes.
const LARGEST: u64 = 64 * 1024;

/// Reads the templates of a config. What is wrong with one is a problem of the config, at the place where it is named.
pub(super) fn load(config: &Config, tree: &Tree<'_>, folder: &FilePath, report: &mut Report) -> Templates {
    let mut templates = Templates::default();
    for (name, spec) in &config.templates {
        let at = place!["templates"].then(name.as_str());
        let Some(kind) = Kind::of_name(name) else {
            let names = Kind::ALL.map(Kind::name);
            let hint = choice(name, "templates", names).unwrap_or_default();
            report.error(tree.key_span(&at), &at, format!("there is no template `{name}`")).hint(hint);
            continue;
        };
        let at = at.then("file");
        let span = tree.value_span(&at);
        let path = folder.join(&spec.file);
        let text = match std::fs::metadata(&path) {
            Ok(meta) if meta.len() > LARGEST => Err("it is larger than 64 KiB".to_owned()),
            Ok(_) => std::fs::read_to_string(&path).map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        let text = match text {
            Ok(text) => text,
            Err(why) => {
                report
                    .error(span, &at, format!("`{}` cannot be read: {why}", path.display()))
                    .hint("name a file, relative to the folder of the config");
                continue;
            }
        };
        match Template::read(kind, &text) {
            Ok(template) => templates.put(template),
            Err(faults) => {
                for fault in faults {
                    let text = format!("`{}` line {}: {}", spec.file, fault.line, fault.text);
                    report
                        .error(span.clone(), &at, text)
                        .hint(format!("`unship template check {name}` tells what there is"));
                }
            }
        }
    }
    templates
}
