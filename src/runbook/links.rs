//! Where the links of a document lead, and which headings can be led to.

use std::collections::{BTreeMap, BTreeSet};

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use super::place::Lines;

/// The links of a document, and what links can lead to in it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Links {
    /// Each with the line where it begins, from 1.
    pub links: Vec<(usize, String)>,
    /// The names of its headings, as GitHub makes them, and of its HTML anchors.
    pub anchors: BTreeSet<String>,
}

impl Links {
    /// Reads them.
    pub fn of(source: &str) -> Self {
        let lines = Lines::new(source);
        let mut found = Self::default();
        let mut taken: BTreeMap<String, usize> = BTreeMap::new();
        let mut heading: Option<String> = None;
        for (event, range) in Parser::new_ext(source, Options::ENABLE_TABLES).into_offset_iter() {
            match event {
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                    found.links.push((lines.line(range.start), dest_url.into_string()));
                }
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::End(TagEnd::Heading(_)) => {
                    let text = heading.take().unwrap_or_default();
                    // What stands in braces behind it is ours, and part of it for GitHub.
                    let bare = text.rfind(" {").map_or(text.as_str(), |at| &text[..at]);
                    for text in BTreeSet::from([text.as_str(), bare]) {
                        let slug = slug(text);
                        let count = taken.entry(slug.clone()).or_default();
                        found.anchors.insert(if *count == 0 { slug } else { format!("{slug}-{count}") });
                        *count += 1;
                    }
                }
                Event::Text(text) | Event::Code(text) => {
                    if let Some(heading) = &mut heading {
                        heading.push_str(&text);
                    }
                }
                Event::Html(html) | Event::InlineHtml(html) => found.anchors.extend(anchor(&html)),
                _ => {}
            }
        }
        found
    }
}

/// What GitHub makes of a heading.
fn slug(text: &str) -> String {
    let kept = text.trim().chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// The name that an HTML element gives its place.
fn anchor(html: &str) -> Option<String> {
    let at = ["id=\"", "name=\""].iter().find_map(|key| html.find(key).map(|at| at + key.len()))?;
    html[at..].split('"').next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Links are found where they are read as links; headings are named as GitHub names them, a second one with a number.
    #[test]
    fn links_and_anchors() {
        let found = Links::of(
            "# Immediate (0-5 min) {#now}\n[a](b.md#c) and ![d](e.png)\n\n## `kubectl` & friends\n## Step\n## Step\n\
             <a name=\"here\"></a>\n\n```sh\n[no](no.md)\n```\n| x |\n|---|\n| [t](u.md) |\n<!-- [no](no.md) -->\n",
        );
        let expected = [(2, "b.md#c"), (2, "e.png"), (14, "u.md")];
        assert_eq!(found.links, expected.map(|(line, to)| (line, to.to_owned())));
        for anchor in ["immediate-0-5-min", "kubectl--friends", "step", "step-1", "here"] {
            assert!(found.anchors.contains(anchor), "{anchor}: {:?}", found.anchors);
        }
    }
}
