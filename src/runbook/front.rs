//! What stands before the document: a byte order mark and front matter, of which only the keys that mean something here are read.

use super::document::Tier;

/// What was cut off, and what it said.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct Front {
    /// Bytes before the document itself.
    pub(super) length: usize,
    pub(super) title: Option<String>,
    pub(super) tier: Option<Tier>,
    /// A `checklist` that is none of the three, with the byte of its line.
    pub(super) odd_tier: Option<(usize, String)>,
}

/// Reads what stands before the document.
pub(super) fn read(text: &str) -> Front {
    let mut front =
        Front { length: text.len() - text.trim_start_matches('\u{feff}').len(), ..Front::default() };
    let start = front.length;
    let mut at = start;
    let mut lines = text[start..].split_inclusive('\n');
    let Some(fence) = lines.next() else { return front };
    at += fence.len();
    let (fence, closings) = match fence.trim_end() {
        "---" => ("---", ["---", "..."]),
        "+++" => ("+++", ["+++", "+++"]),
        _ => return front,
    };
    let separator = if fence == "---" { ':' } else { '=' };
    let mut found = Front { length: 0, ..Front::default() };
    let mut has_key = false;
    for line in lines {
        let begin = at;
        at += line.len();
        let line = line.trim_end();
        if closings.contains(&line) {
            found.length = at;
            return found;
        }
        if !looks_like_data(line, separator, has_key) {
            return front;
        }
        has_key |= line.contains(separator);
        let Some((key, value)) = line.split_once(separator) else { continue };
        let value = unquoted(value.trim());
        match key.trim_end() {
            "title" if !value.is_empty() => found.title = Some(value.to_owned()),
            "checklist" => match value {
                "tasks" => found.tier = Some(Tier::Tasks),
                "steps" => found.tier = Some(Tier::Steps),
                "headings" => found.tier = Some(Tier::Headings),
                _ => found.odd_tier = Some((begin, value.to_owned())),
            },
            _ => {}
        }
    }
    // Never closed: a rule, and then the document.
    front.length = start;
    front
}

/// A line of YAML or TOML. Before the first key only comments are; behind it anything may go on, but no checklist.
fn looks_like_data(line: &str, separator: char, has_key: bool) -> bool {
    let trimmed = line.trim_start();
    let is_document = trimmed.starts_with("## ")
        || trimmed.starts_with("```")
        || ["[ ] ", "[x] ", "[X] "]
            .iter()
            .any(|mark| trimmed.get(2..).is_some_and(|rest| rest.starts_with(mark)));
    let is_key = line.split_once(separator).is_some_and(|(key, _)| {
        !key.is_empty()
            && key.trim_end().chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '"'))
    });
    let is_table = separator == '=' && trimmed.starts_with('[');
    !is_document && (has_key || is_key || is_table || trimmed.is_empty() || trimmed.starts_with('#'))
}

fn unquoted(value: &str) -> &str {
    for quote in ['"', '\''] {
        if let Some(inner) = value.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote)) {
            return inner;
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What stands before the document is cut off and its known keys are read; a rule at the top is part of the document.
    #[test]
    fn front_matter_is_cut_off() {
        for (text, length, title, tier) in [
            ("# A\n", 0, None, None),
            ("\u{feff}# A\n", 3, None, None),
            (
                "---\ntitle: \"Check out\"\nchecklist: steps\ntags:\n- a\n---\n# A\n",
                54,
                Some("Check out"),
                Some(Tier::Steps),
            ),
            ("\u{feff}---\r\nchecklist: tasks\r\n---\r\n# A\r\n", 31, None, Some(Tier::Tasks)),
            ("+++\ntitle = 'A'\n+++\n", 20, Some("A"), None),
            ("---\nowner: x\n...\nrest", 17, None, None),
            ("---\n---\n", 8, None, None),
            // Never closed, or prose between rules.
            ("---\ntitle: A\n", 0, None, None),
            ("---\nThis is prose.\n---\n", 0, None, None),
            ("---\n- [ ] a\n---\n", 0, None, None),
            ("---\nNote: read this\n- [ ] a\n---\n", 0, None, None),
            // A value may go on in ways that only YAML knows.
            ("---\na: 'long\ngoes on'\n{b: c}\n---\n", 33, None, None),
            ("", 0, None, None),
        ] {
            let front = read(text);
            assert_eq!((front.length, front.title.as_deref(), front.tier), (length, title, tier), "{text:?}");
        }
        assert_eq!(read("---\nchecklist: task\n---\n").odd_tier, Some((4, "task".to_owned())));
    }
}
