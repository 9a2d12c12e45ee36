//! Text that fits: into a limit, and into the markup of the other side.

/// Stands where something was cut off.
const CUT: &str = "… [shortened]";

/// How long the other sides count a text: in UTF-16 units, as most of them do; whoever counts characters counts fewer.
pub(super) fn length(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

/// The text, or its beginning with a mark, no longer than the limit.
pub(super) fn shorten(text: &str, limit: usize) -> String {
    fit(text, limit, str::to_owned)
}

/// The escaped text, or its escaped beginning with a mark, no longer than the limit. Whole escapes only: it is the text that
/// is cut, not what it became.
pub(super) fn fit(text: &str, limit: usize, escape: impl Fn(&str) -> String) -> String {
    longest(text, |beginning, is_cut| {
        let mut escaped = escape(beginning);
        if is_cut {
            escaped.push_str(CUT);
        }
        (length(&escaped) <= limit).then_some(escaped)
    })
    // A limit that has no room even for the mark.
    .unwrap_or_default()
}

/// What is made of the whole text or, where that is refused, of its longest beginning that is not. Found by halving, as how
/// long a text gets depends on its characters.
pub(super) fn longest<T>(text: &str, make: impl Fn(&str, bool) -> Option<T>) -> Option<T> {
    if let Some(whole) = make(text, false) {
        return Some(whole);
    }
    let (mut least, mut past) = (0, text.len());
    let mut fitting = None;
    while least < past {
        let middle = usize::midpoint(least, past);
        match make(&text[..text.floor_char_boundary(middle)], true) {
            Some(made) => {
                fitting = Some(made);
                least = middle + 1;
            }
            None => past = middle,
        }
    }
    fitting
}

/// The text with its mark of a cut, for those who build more around it.
pub(super) fn cut_mark(beginning: &str, is_cut: bool) -> String {
    if is_cut { format!("{beginning}{CUT}") } else { beginning.to_owned() }
}

/// For Slack: <https://docs.slack.dev/messaging/formatting-message-text>. Without a `<` nobody is mentioned.
pub(super) fn slack(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// For Discord and Teams: a backslash before everything that is markup. A word that is an address stays as it is, so that it
/// can be followed.
pub(super) fn markdown(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + text.len() / 8);
    for (index, line) in text.split('\n').enumerate() {
        if index > 0 {
            escaped.push('\n');
        }
        let mut begins = true;
        for piece in line.split_inclusive(' ') {
            let word = piece.trim_end_matches(' ');
            if is_address(word) {
                escaped.push_str(piece);
            } else {
                escape_word(piece, begins, &mut escaped);
            }
            begins &= word.is_empty();
        }
    }
    escaped
}

fn is_address(word: &str) -> bool {
    let rest = word.strip_prefix("https://").or_else(|| word.strip_prefix("http://"));
    rest.is_some_and(|rest| {
        rest.chars().all(|c| c.is_ascii_alphanumeric() || "-._~:/?#@!$&'+,;=%".contains(c))
    })
}

/// `begins`: whether only spaces stand before it on its line, where more is markup.
fn escape_word(word: &str, begins: bool, escaped: &mut String) {
    let is_number = word
        .trim_end_matches(' ')
        .strip_suffix(['.', ')'])
        .is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()));
    let last = word.trim_end_matches(' ').chars().count().saturating_sub(1);
    for (index, c) in word.chars().enumerate() {
        let is_markup = "\\*_~`|[]()<>".contains(c)
            || (begins && index == 0 && "#-+=".contains(c))
            || (begins && is_number && index == last);
        if is_markup {
            escaped.push('\\');
        }
        escaped.push(c);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Markup in a log line or a reason is text where it arrives: it makes nothing bold, links nowhere and calls nobody.
    #[test]
    fn markup_is_text() {
        for (text, expected) in [
            ("<!channel> & <@U1>", "&lt;!channel&gt; &amp; &lt;@U1&gt;"),
            ("5 > 4", "5 &gt; 4"),
            ("&lt;", "&amp;lt;"),
        ] {
            assert_eq!(slack(text), expected);
        }
        for (text, expected) in [
            ("**bold** _it_ ~no~ `code`", r"\*\*bold\*\* \_it\_ \~no\~ \`code\`"),
            ("[here](https://evil.example)", r"\[here\]\(https://evil.example\)"),
            ("<@123> ||spoiler||", r"\<@123\> \|\|spoiler\|\|"),
            ("see https://a.example/x_y?b=1#c now", "see https://a.example/x_y?b=1#c now"),
            ("# heading\n- item\n1. one\n> quote", "\\# heading\n\\- item\n1\\. one\n\\> quote"),
            ("2.8.0 - 2.9.0", "2.8.0 - 2.9.0"),
            ("a\\b", "a\\\\b"),
        ] {
            assert_eq!(markdown(text), expected);
        }
    }

    /// A text at the limit is whole, one past it says that it was cut, and an escape is never cut in two.
    #[test]
    fn long_texts_are_cut_with_a_mark() {
        assert_eq!(shorten("1234567890", 10), "1234567890");
        assert_eq!(shorten(&"x".repeat(30), 20), format!("{}… [shortened]", "x".repeat(7)));
        assert_eq!(fit(&"&".repeat(9), 40, slack), format!("{}… [shortened]", "&amp;".repeat(5)));
        assert_eq!(shorten("longer than that", 3), "");
        // An emoji counts twice, as it does on the other side.
        assert_eq!(length("🚒é"), 3);
    }

    proptest! {
        /// Whatever the text and the limit, the result fits, and what is left of the text is its beginning.
        #[test]
        fn it_always_fits(text in ".{0,200}", limit in 0_usize..200) {
            let plain = shorten(&text, limit);
            for made in [&fit(&text, limit, slack), &fit(&text, limit, markdown), &plain] {
                prop_assert!(length(made) <= limit);
            }
            prop_assert!(text.starts_with(plain.strip_suffix(CUT).unwrap_or(&plain)));
        }
    }
}
