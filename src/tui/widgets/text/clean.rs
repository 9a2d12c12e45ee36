//! Text that others wrote (platforms, services, people) made safe to draw.

use std::borrow::Cow;

/// The text without escape sequences, control characters, marks that turn the direction of writing around and characters
/// that nobody sees. Line ends and tabs become spaces. Nothing that a platform prints may move the cursor, change a title, or
/// make a version look like another.
pub fn clean(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_harmful) {
        return Cow::Borrowed(text);
    }
    let mut cleaned = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => skip_escape(&mut chars),
            // The same sequences begun by a single control character.
            '\u{9b}' => skip_parameters(&mut chars),
            '\u{90}' | '\u{98}' | '\u{9d}' | '\u{9e}' | '\u{9f}' => skip_string(&mut chars),
            '\r' if chars.peek() == Some(&'\n') => {}
            '\n' | '\r' | '\t' | '\u{2028}' | '\u{2029}' => cleaned.push(' '),
            c if is_harmful(c) => {}
            c => cleaned.push(c),
        }
    }
    Cow::Owned(cleaned)
}

type Chars<'t> = std::iter::Peekable<std::str::Chars<'t>>;

/// Behind `ESC`.
fn skip_escape(chars: &mut Chars<'_>) {
    match chars.peek() {
        Some('[') => {
            chars.next();
            skip_parameters(chars);
        }
        Some('P' | 'X' | ']' | '^' | '_') => {
            chars.next();
            skip_string(chars);
        }
        // Intermediate characters and one that ends the sequence; anything else is no sequence.
        Some(' '..='~') => {
            while chars.next_if(|c| (' '..='/').contains(c)).is_some() {}
            chars.next_if(|c| ('0'..='~').contains(c));
        }
        _ => {}
    }
}

/// Parameters and the letter that ends a control sequence. One that breaks off takes nothing with it.
fn skip_parameters(chars: &mut Chars<'_>) {
    while chars.next_if(|c| (' '..='?').contains(c)).is_some() {}
    chars.next_if(|c| ('@'..='~').contains(c));
}

/// A string for the terminal, up to its end. One without an end goes to the end of the line: a terminal would swallow it too.
fn skip_string(chars: &mut Chars<'_>) {
    while let Some(c) = chars.next_if(|c| *c != '\n') {
        match c {
            '\u{7}' | '\u{9c}' => return,
            '\u{1b}' => {
                chars.next_if_eq(&'\\');
                return;
            }
            _ => {}
        }
    }
}

fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c,
            // Marks that turn the direction of writing around.
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
            // Line ends that are no control characters.
            | '\u{2028}' | '\u{2029}'
            // What nobody sees, and so makes two names look the same.
            | '\u{ad}' | '\u{34f}' | '\u{180e}' | '\u{200b}' | '\u{2060}'..='\u{2064}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Sequences vanish as a whole, and what stands around them stays.
    #[test]
    fn sequences_vanish() {
        for (text, cleaned) in [
            ("plain ä 日本", "plain ä 日本"),
            ("\u{1b}[31mred\u{1b}[0m", "red"),
            ("\u{1b}]0;title\u{7}after", "after"),
            ("\u{1b}]52;c;aGk=\u{1b}\\after", "after"),
            ("\u{9b}2Jafter", "after"),
            ("\u{1b}(Bafter\u{1b}7", "after"),
            ("a\r\nb\tc\nd", "a b c d"),
            ("1.2\u{202e}3", "1.23"),
            ("a\u{200b}b\u{8}c\u{7f}", "abc"),
            ("\u{1b}[31", ""),
            ("\u{1b}", ""),
            ("\u{1b}]0;no end\nnext", " next"),
        ] {
            assert_eq!(clean(text), cleaned, "{text:?}");
        }
        assert!(matches!(clean("plain ä 日本"), Cow::Borrowed(_)));
    }

    proptest! {
        /// Whatever comes in, nothing harmful comes out; cleaning twice changes nothing more.
        #[test]
        fn nothing_harmful_passes(text in "([ -~]|\\PC|[\u{0}-\u{1f}\u{7f}-\u{9f}\u{200b}-\u{202e}]|\u{1b}[\\[\\]P(]){0,40}") {
            let once = clean(&text).into_owned();
            prop_assert!(!once.chars().any(is_harmful), "{once:?}");
            prop_assert_eq!(clean(&once), once.clone());
        }
    }
}
