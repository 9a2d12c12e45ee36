//! Whether the links of a runbook lead anywhere: to files beside it, and to headings. What is on the net is not asked.

use std::path::Path;

use reqwest::Url;

use crate::runbook::{Level, Links, Problem};

/// The links of a file that lead nowhere.
pub(super) fn broken(file: &Path, source: &str) -> Vec<Problem> {
    let Some(own) = std::path::absolute(file).ok().and_then(|path| Url::from_file_path(path).ok()) else {
        return Vec::new();
    };
    let links = Links::of(source);
    let wrong = links.links.iter().filter_map(|(line, to)| Some((*line, wrong(&own, &links, to)?)));
    wrong
        .map(|(line, text)| Problem {
            level: Level::Warning,
            rule: "broken-link",
            file: None,
            line,
            column: 1,
            text,
        })
        .collect()
}

/// What is wrong with one; none if nothing is, or if it leads elsewhere.
fn wrong(own: &Url, links: &Links, to: &str) -> Option<String> {
    // From the root of a site or a repository, which nobody here knows.
    if to.starts_with('/') {
        return None;
    }
    let target = own.join(to).ok().filter(|target| target.scheme() == "file")?;
    let path = target.to_file_path().ok()?;
    if !path.exists() {
        return Some(format!("`{to}` leads to no file; write it as it lies beside this one"));
    }
    let anchor = target.fragment().filter(|anchor| !anchor.is_empty())?;
    let is_there = if target.path() == own.path() {
        links.anchors.contains(anchor)
    } else if path.extension().is_some_and(|extension| extension == "md") {
        let text = std::fs::read_to_string(&path).ok()?;
        Links::of(&text).anchors.contains(anchor)
    } else {
        true
    };
    (!is_there).then(|| format!("`{to}` leads to no heading of that name"))
}
