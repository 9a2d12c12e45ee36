//! The post-mortem of an incident as Markdown: facts from the record, and prompts where people have to judge.
//!
//! The document has regions between markers. Those whose id begins with `facts:` are generated, and are generated again over what is
//! there; all other text, inside the other regions and anywhere between them, belongs to people and stays byte for byte as it is.

mod prompts;
pub mod regions;
mod sections;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use super::incident::Record;
use regions::Part;
pub use regions::RegionError;

/// A new document.
pub fn document(record: &Record) -> String {
    let mut out = format!("{}\n\n", regions::header(record.id.as_str()));
    for part in &regions::PARTS {
        if let Some(heading) = part.heading() {
            let _ = write!(out, "## {heading}\n\n");
        }
        let content = content(part, record);
        out.push_str(&regions::region(part.id, &content));
        out.push('\n');
    }
    out
}

/// The same document with its facts as they are now.
///
/// # Errors
/// A marker is missing, doubled or broken, or the document is that of another incident. Which line that is at is in the error.
pub fn regenerate(old: &str, record: &Record) -> Result<String, RegionError> {
    regions::regenerate(old, record.id.as_str(), |id| {
        let part = regions::PARTS.iter().find(|part| part.id == id)?;
        part.is_generated().then(|| content(part, record))
    })
}

/// Whether a text was made by this, whatever became of it since.
pub fn is_ours(text: &str) -> bool {
    text.lines().any(regions::is_marker)
}

fn content(part: &Part, record: &Record) -> String {
    match part.id {
        "facts:header" => sections::header(record),
        "facts:impact" => sections::impact(record),
        "facts:detection" => sections::detection(record),
        "facts:resolution" => sections::resolution(record),
        "facts:times" => sections::times(record),
        "facts:timeline" => sections::timeline(record),
        "facts:checklist" => sections::checklist(record),
        "facts:communications" => sections::communications(record),
        "facts:runbook" => sections::runbook(record),
        "facts:evidence" => sections::evidence(record),
        human => prompts::prompt(human).to_owned(),
    }
}
