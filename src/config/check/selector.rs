//! Whether a series is written as this program reads it: a name and, in braces, what its labels have to be.

/// What is wrong with a series, in words.
///
/// The grammar is that of a vector selector in PromQL without its outer parts (range, offset, functions):
/// `name{label="text",other=~"a.*"}`, see <https://prometheus.io/docs/prometheus/latest/querying/basics/>.
pub(super) fn fault(text: &str) -> Option<String> {
    let text = text.trim();
    if text.is_empty() {
        return Some("it is empty".to_owned());
    }
    let end = text.find(|c: char| !is_name(c)).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    if name.is_empty() {
        return Some("it does not begin with the name of a series".to_owned());
    }
    if name.starts_with(|c: char| c.is_ascii_digit()) {
        return Some("the name of a series cannot begin with a digit".to_owned());
    }
    let rest = rest.trim_start();
    if rest.starts_with('(') {
        return Some(format!("`{name}(…)` is a function; only the series itself is written here"));
    }
    if rest.is_empty() {
        return None;
    }
    let Some(inner) = rest.strip_prefix('{') else {
        let what: String = rest.chars().take(12).flat_map(char::escape_debug).collect();
        return Some(format!("`{what}` does not belong behind the name"));
    };
    labels(inner)
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == ':'
}

/// Reads matchers up to the closing brace.
fn labels(text: &str) -> Option<String> {
    let mut rest = text.trim_start();
    loop {
        if let Some(after) = rest.strip_prefix('}') {
            return (!after.trim().is_empty())
                .then(|| "there is something behind the closing `}`".to_owned());
        }
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
        let (label, after) = rest.split_at(end);
        if rest.is_empty() {
            return Some("the closing `}` is missing".to_owned());
        }
        if label.is_empty() || label.starts_with(|c: char| c.is_ascii_digit()) {
            return Some("a label is missing, like `service=\"checkout\"`".to_owned());
        }
        let after = after.trim_start();
        let Some(value) = ["=~", "!~", "!=", "="].iter().find_map(|sign| after.strip_prefix(sign)) else {
            return Some(format!("behind `{label}` there is none of `=`, `!=`, `=~` and `!~`"));
        };
        let Some(value) = value.trim_start().strip_prefix('"') else {
            return Some(format!("the value of `{label}` is not in double quotes"));
        };
        let Some(end) = closing_quote(value) else {
            return Some(format!("the value of `{label}` has no closing quote"));
        };
        rest = value[end + 1..].trim_start();
        if let Some(after) = rest.strip_prefix(',') {
            rest = after.trim_start();
        } else if !rest.starts_with('}') && !rest.is_empty() {
            return Some(format!("a `,` is missing behind the value of `{label}`"));
        }
    }
}

fn closing_quote(text: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return Some(at),
            _ => {}
        }
    }
    None
}

/// The name of a series, without its labels.
pub(super) fn series_name(text: &str) -> &str {
    let text = text.trim();
    &text[..text.find(|c: char| !is_name(c)).unwrap_or(text.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Prometheus users write is taken; a slip is named.
    #[test]
    fn selectors() {
        for text in [
            "up",
            "job:errors:rate5m",
            "http_requests_total{service=\"checkout\",code=~\"5..\"}",
            "a { b = \"c\" , d != \"e\", }",
            "a{}",
            r#"a{b="quote \" brace } comma ,"}"#,
        ] {
            assert_eq!(fault(text), None, "{text}");
        }
        for (text, words) in [
            ("", "empty"),
            ("{a=\"b\"}", "name of a series"),
            ("5xx", "digit"),
            ("rate(a[5m])", "function"),
            ("a[5m]", "does not belong"),
            ("a{b=\"c\"", "closing `}`"),
            ("a{b=\"c}", "closing quote"),
            ("a{b=c}", "double quotes"),
            ("a{b='c'}", "double quotes"),
            ("a{b}", "none of"),
            ("a{b=\"c\" d=\"e\"}", "`,` is missing"),
            ("a{b=\"c\"} / 2", "behind the closing"),
            ("a{,}", "label is missing"),
            ("a{", "closing `}`"),
            ("ä{b=\"c\"}", "name of a series"),
        ] {
            let found = fault(text).unwrap_or_default();
            assert!(found.contains(words), "{text}: {found}");
        }
    }
}
