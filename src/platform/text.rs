//! Text that comes from outside, made fit to be shown.

/// Writes control characters, and those that turn the direction of text, as escapes.
pub(super) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        {
            safe.extend(c.escape_default());
        } else {
            safe.push(c);
        }
    }
    safe
}

/// At most this many bytes from the start, cut between characters.
pub(super) fn first(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}

/// At most this many bytes from the end, cut between characters.
pub(super) fn last(text: &str, most: usize) -> &str {
    &text[text.ceil_char_boundary(text.len().saturating_sub(most))..]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a program prints cannot colour, clear or turn around the screen that shows it.
    #[test]
    fn outside_text_is_escaped() {
        assert_eq!(escape("a\u{1b}[2Jb\r\nc\u{202e}d\u{9b}é"), "a\\u{1b}[2Jb\\r\\nc\\u{202e}d\\u{9b}é");
        assert_eq!((first("aé", 2), last("éa", 2)), ("a", "a"));
    }
}
