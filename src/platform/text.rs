//! Text that comes from outside, made fit to be shown.

pub(super) use crate::model::output::escape;

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

    /// No character is cut apart.
    #[test]
    fn the_ends_of_a_text() {
        assert_eq!((first("aé", 2), last("éa", 2)), ("a", "a"));
    }
}
