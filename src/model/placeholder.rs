//! Placeholders in queries and addresses: `{service}`. A word in braces and nothing else is one, so that the braces of
//! PromQL, which hold a condition or nothing, stay what they are.

use std::borrow::Cow;

/// Stands for the service.
pub const SERVICE: &str = "service";
/// Stands for the arm: the question is asked once for each.
pub const ARM: &str = "arm";
/// Stands for the time since the reading before.
pub const WINDOW: &str = "window";

/// The placeholders in a text, in order, each with the byte that its brace is at.
pub fn names(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.match_indices('{').filter_map(|(at, _)| {
        let word = &text[at + 1..];
        let word = &word[..word.find('}')?];
        let is_word = word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && word.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
        is_word.then_some((at, word))
    })
}

/// Whether a placeholder is in a text.
pub fn has(text: &str, name: &str) -> bool {
    names(text).any(|(_, found)| found == name)
}

/// The text with what `value` gives for each placeholder; one that it gives nothing for stays.
pub fn fill<'v>(text: &str, value: impl Fn(&str) -> Option<Cow<'v, str>>) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut done = 0;
    for (at, name) in names(text) {
        if let Some(value) = value(name) {
            filled.push_str(&text[done..at]);
            filled.push_str(&value);
            done = at + name.len() + 2;
        }
    }
    filled.push_str(&text[done..]);
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Only a word in braces is a placeholder: the matchers of a series, empty braces and a count in a pattern are not.
    #[test]
    fn placeholders_are_found_and_filled() {
        let text =
            r#"sum(increase(a{service="{service}",code=~"5.{2}"}[{window}])) / b{} + {typo} + {"c.d"} {"#;
        assert_eq!(names(text).map(|(_, name)| name).collect::<Vec<_>>(), ["service", "window", "typo"]);
        assert!(has(text, "window") && !has(text, "arm"));
        let filled = fill(text, |name| match name {
            "service" => Some("checkout".into()),
            "window" => Some("15s".into()),
            _ => None,
        });
        assert_eq!(
            filled,
            r#"sum(increase(a{service="checkout",code=~"5.{2}"}[15s])) / b{} + {typo} + {"c.d"} {"#
        );
    }
}
