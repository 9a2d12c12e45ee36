//! The regions of a document: which there are, how they are marked, and how the generated ones are replaced in a text that people
//! have worked on.
//!
//! A marker is a line of its own: `<!-- unship:begin ID -->`, `<!-- unship:end ID -->`. When one is not as it has to be, nobody can
//! tell what belongs to whom, so nothing is replaced at all.

use std::collections::BTreeMap;

/// A region.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    /// Its id.
    pub id: &'static str,
    /// The heading before it, with the number of the part; empty where the part goes on.
    heading: &'static str,
}

/// All regions, in their order.
pub const PARTS: [Part; 19] = [
    Part { id: "facts:header", heading: "" },
    Part { id: "status", heading: "" },
    Part { id: "summary", heading: "2. Summary" },
    Part { id: "facts:impact", heading: "3. Impact" },
    Part { id: "impact", heading: "" },
    Part { id: "facts:detection", heading: "4. Trigger, contributing factors, detection" },
    Part { id: "causes", heading: "" },
    Part { id: "facts:resolution", heading: "5. Resolution and recovery" },
    Part { id: "recovery", heading: "" },
    Part { id: "facts:times", heading: "6. Times" },
    Part { id: "facts:timeline", heading: "7. Timeline" },
    Part { id: "facts:checklist", heading: "8. Checklist record" },
    Part { id: "facts:communications", heading: "9. Communications" },
    Part { id: "lessons", heading: "10. What went well, what went wrong, where we got lucky" },
    Part { id: "actions", heading: "11. Action items" },
    Part { id: "facts:runbook", heading: "12. Runbook corrections" },
    Part { id: "runbook", heading: "" },
    Part { id: "graphs", heading: "13. Supporting graphs and journal" },
    Part { id: "facts:evidence", heading: "" },
];

impl Part {
    /// Whether it is generated; else people write it.
    pub fn is_generated(&self) -> bool {
        is_generated(self.id)
    }

    /// The heading before it, if a part begins with it.
    pub fn heading(&self) -> Option<&'static str> {
        Some(self.heading).filter(|heading| !heading.is_empty())
    }
}

fn is_generated(id: &str) -> bool {
    id.starts_with("facts:")
}

/// Why a document cannot be generated again. Lines count from 1.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RegionError {
    /// A line looks like a marker and is none.
    #[error(
        "line {line}: `{text}` is not a marker; write `<!-- unship:begin ID -->` or `<!-- unship:end ID -->` on a line of its own, or take the word out"
    )]
    Broken {
        /// The line.
        line: usize,
        /// What it says.
        text: String,
    },
    /// No such region.
    #[error("line {line}: no region `{id}`; regions: {}", ids())]
    Unknown {
        /// The line.
        line: usize,
        /// The id.
        id: String,
    },
    /// A region is there twice.
    #[error("line {line}: region `{id}` began already in line {first}; take one of them out")]
    Twice {
        /// The line.
        line: usize,
        /// The id.
        id: String,
        /// Where it is first.
        first: usize,
    },
    /// A region begins in another.
    #[error(
        "line {line}: region `{id}` begins while `{open}`, begun in line {since}, has not ended; put `<!-- unship:end {open} -->` before it"
    )]
    Inside {
        /// The line.
        line: usize,
        /// The id.
        id: String,
        /// The region that it begins in.
        open: String,
        /// Where that began.
        since: usize,
    },
    /// A region ends that has not begun.
    #[error(
        "line {line}: region `{id}` ends and has not begun; put `<!-- unship:begin {id} -->` before its text"
    )]
    NotBegun {
        /// The line.
        line: usize,
        /// The id.
        id: String,
    },
    /// A region has no end.
    #[error(
        "line {line}: region `{id}` begins and does not end; put `<!-- unship:end {id} -->` after its text"
    )]
    NotEnded {
        /// Where it begins.
        line: usize,
        /// The id.
        id: String,
    },
    /// A region is not there.
    #[error(
        "after line {line}: region `{id}` is missing; put `<!-- unship:begin {id} -->` and `<!-- unship:end {id} -->` back, each on a line of its own"
    )]
    Missing {
        /// After which line it belongs.
        line: usize,
        /// The id.
        id: &'static str,
    },
    /// The document does not say which incident it is about.
    #[error("line 1: `<!-- unship:post-mortem {id} -->` is missing; put it back on a line of its own")]
    NoHeader {
        /// The incident.
        id: String,
    },
    /// The document says it twice.
    #[error(
        "line {line}: the document says which incident it is about already in line {first}; take one of them out"
    )]
    HeaderTwice {
        /// The line.
        line: usize,
        /// Where it is first.
        first: usize,
    },
    /// The document is about another incident.
    #[error("line {line}: the document is about {found}, not about {id}; give another file")]
    Other {
        /// The line.
        line: usize,
        /// What it is about.
        found: String,
        /// What was asked for.
        id: String,
    },
}

fn ids() -> String {
    PARTS.map(|part| part.id).join(", ")
}

/// The line that says which incident a document is about.
pub fn header(incident: &str) -> String {
    format!("<!-- unship:post-mortem {incident} -->")
}

/// A region with its markers.
pub fn region(id: &str, content: &str) -> String {
    format!("<!-- unship:begin {id} -->\n{}<!-- unship:end {id} -->\n", ended(content))
}

/// A text that ends with a line, or nothing.
fn ended(text: &str) -> String {
    let text = text.trim_end();
    if text.is_empty() { String::new() } else { format!("{text}\n") }
}

/// Whether a line is a marker, or wants to be one.
pub fn is_marker(line: &str) -> bool {
    line.match_indices("<!--").any(|(at, open)| line[at + open.len()..].trim_start().starts_with("unship:"))
}

enum Marker<'a> {
    Header(&'a str),
    Begin(&'a str),
    End(&'a str),
}

fn marker(line: &str) -> Option<Marker<'_>> {
    let inside = line.trim().strip_prefix("<!-- unship:")?.strip_suffix(" -->")?;
    let (word, id) = inside.split_once(' ')?;
    if id.is_empty() || id.contains(char::is_whitespace) || id.contains("--") {
        return None;
    }
    match word {
        "post-mortem" => Some(Marker::Header(id)),
        "begin" => Some(Marker::Begin(id)),
        "end" => Some(Marker::End(id)),
        _ => None,
    }
}

/// Puts what `content` gives for a region in the place of what is in it; regions it gives nothing for stay as they are.
///
/// # Errors
/// A marker is not as it has to be.
pub fn regenerate(
    old: &str,
    incident: &str,
    content: impl Fn(&str) -> Option<String>,
) -> Result<String, RegionError> {
    let mut out = String::with_capacity(old.len());
    let mut header_at = None;
    // Where each region begins, and where the last one has ended.
    let mut begun: BTreeMap<&str, usize> = BTreeMap::new();
    let mut ended_at: BTreeMap<&str, usize> = BTreeMap::new();
    let mut open: Option<(&str, usize, Option<String>)> = None;
    for (index, raw) in old.split_inclusive('\n').enumerate() {
        let line = index + 1;
        if !is_marker(raw) {
            if !matches!(open, Some((.., Some(_)))) {
                out.push_str(raw);
            }
            continue;
        }
        let broken = || RegionError::Broken { line, text: raw.trim().to_owned() };
        match marker(raw).ok_or_else(broken)? {
            Marker::Header(found) => {
                if let Some(first) = header_at {
                    return Err(RegionError::HeaderTwice { line, first });
                }
                if found != incident {
                    let (found, id) = (found.to_owned(), incident.to_owned());
                    return Err(RegionError::Other { line, found, id });
                }
                header_at = Some(line);
                out.push_str(raw);
            }
            Marker::Begin(id) => {
                let owned = || id.to_owned();
                if !PARTS.iter().any(|part| part.id == id) {
                    return Err(RegionError::Unknown { line, id: owned() });
                }
                if let Some((open, since, _)) = &open {
                    let (open, since) = ((*open).to_owned(), *since);
                    return Err(RegionError::Inside { line, id: owned(), open, since });
                }
                if let Some(first) = begun.insert(id, line) {
                    return Err(RegionError::Twice { line, id: owned(), first });
                }
                out.push_str(raw);
                open = Some((id, line, content(id)));
            }
            Marker::End(id) => {
                match open.take() {
                    Some((inside, _, new)) if inside == id => {
                        if let Some(new) = new {
                            out.push_str(&ended(&new));
                        }
                    }
                    // The end of another region stands where this one's should.
                    Some((inside, since, _)) => {
                        return Err(RegionError::NotEnded { line: since, id: inside.to_owned() });
                    }
                    None => return Err(RegionError::NotBegun { line, id: id.to_owned() }),
                }
                ended_at.insert(id, line);
                out.push_str(raw);
            }
        }
    }
    if let Some((id, since, _)) = open {
        return Err(RegionError::NotEnded { line: since, id: id.to_owned() });
    }
    if header_at.is_none() {
        return Err(RegionError::NoHeader { id: incident.to_owned() });
    }
    let mut after = header_at.unwrap_or(1);
    for part in &PARTS {
        match ended_at.get(part.id) {
            Some(line) => after = *line,
            None => return Err(RegionError::Missing { line: after, id: part.id }),
        }
    }
    Ok(out)
}
