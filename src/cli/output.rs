//! Forms of output that several subcommands share: JSON of an entry, and a table of aligned columns.

use serde_json::{Value, json};

use crate::engine::runtime::Entry;

/// A line on stderr, as far as anybody reads it. What is being done never ends because a terminal or a pipe is gone, as it
/// would with `eprintln!`, which panics then.
macro_rules! note {
    ($($words:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr().lock(), $($words)*);
    }};
}

/// A line on stdout, as far as anybody reads it: as [`note`].
macro_rules! out {
    ($($words:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stdout().lock(), $($words)*);
    }};
}

pub(crate) use {note, out};

/// A journal entry as one JSON object.
pub(crate) fn entry_json(entry: &Entry) -> Value {
    let mut object = json!({ "seq": entry.seq, "at": entry.at, "token": entry.token, "hash": entry.hash });
    if let (Some(object), Ok(Value::Object(event))) =
        (object.as_object_mut(), serde_json::to_value(&entry.event))
    {
        object.extend(event);
    }
    object
}

/// Lines with columns as wide as their widest cell, two spaces between.
pub(crate) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let widths: Vec<usize> = (0..columns)
        .map(|column| {
            rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
        })
        .collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(cell);
            line.push_str(&" ".repeat(width - cell.chars().count() + 2));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Pretty JSON on stdout.
pub(crate) fn print_json(value: &Value) -> anyhow::Result<()> {
    use std::io::Write as _;
    writeln!(std::io::stdout().lock(), "{}", serde_json::to_string_pretty(value)?)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    /// Columns line up whatever is in them, and no line ends in spaces.
    #[test]
    fn tables_line_up() {
        let rows = [vec!["a", "bb", ""], vec!["äöü", "b", "c"]]
            .map(|row| row.into_iter().map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(super::table(&rows), "a    bb\näöü  b   c\n");
    }
}
