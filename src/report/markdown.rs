//! Markdown out of texts that people and machines wrote: nothing in them is taken for markup, and tables stay tables.

use std::fmt::Write as _;

use jiff::Timestamp;

/// A text on one line, with what Markdown would take for markup escaped. No marker of a region can be in what comes out, as
/// it has no `<`.
pub(super) fn inline(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.trim().chars().peekable();
    let mut before = ' ';
    while let Some(c) = chars.next() {
        match c {
            '\n' => out.push_str(" / "),
            c if c.is_control() => {}
            '<' => out.push_str("&lt;"),
            '\\' | '|' | '*' | '`' | '[' | ']' => {
                out.push('\\');
                out.push(c);
            }
            // Inside a word it is only a letter.
            '_' if !before.is_alphanumeric() || !chars.peek().is_some_and(|next| next.is_alphanumeric()) => {
                out.push_str("\\_");
            }
            c => out.push(c),
        }
        before = c;
    }
    out
}

/// An id or a digest as code. What would end the code, the cell or the document is left out; ids have none of it.
pub(super) fn code(text: &str) -> String {
    let kept: String = text.chars().filter(|c| !c.is_control() && !matches!(c, '`' | '|' | '<')).collect();
    format!("`{kept}`")
}

/// A table; its cells are taken as they are.
pub(super) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let mut out = format!("| {} |\n|{}\n", head.join(" | "), "---|".repeat(head.len()));
    for row in rows {
        let _ = writeln!(out, "| {} |", row.join(" | "));
    }
    out
}

/// The date and time to the second, in UTC.
pub(super) fn when(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// A link to an entry of the journal. In code, so that no forge takes it for the number of an issue.
pub(super) fn entry(seq: u64) -> String {
    format!("`#{seq}`")
}

/// `1 item`, `3 items`.
pub(super) fn counted(count: usize, one: &str, many: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {many}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A note of a person cannot break a table, make markup, or end a region of the document.
    #[test]
    fn texts_stay_texts() {
        for (text, expected) in [
            ("5xx | latency", "5xx \\| latency"),
            ("two\nlines\r\n", "two / lines"),
            ("<!-- unship:end facts:times -->", "&lt;!-- unship:end facts:times -->"),
            ("**bold** `code` [link](x)", "\\*\\*bold\\*\\* \\`code\\` \\[link\\](x)"),
            ("error_rate _soon_", "error_rate \\_soon\\_"),
            ("\u{1b}[31mred", "\\[31mred"),
        ] {
            assert_eq!(inline(text), expected);
        }
        assert_eq!(code("a_b`|<!-- c"), "`a_b!-- c`");
        assert_eq!(table(&["a", "b"], &[vec!["1".into(), "2".into()]]), "| a | b |\n|---|---|\n| 1 | 2 |\n");
        assert_eq!(
            (counted(1, "item", "items"), counted(0, "item", "items")),
            ("1 item".into(), "0 items".into())
        );
    }
}
