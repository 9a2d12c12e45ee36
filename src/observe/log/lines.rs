//! From bytes, however they arrive, to lines.

/// A line, or that there was one too long to be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Line<'a> {
    Whole(&'a [u8]),
    TooLong,
}

/// Cuts bytes into lines. Holds at most one unfinished line, and no more of it than the limit.
#[derive(Clone, Debug)]
pub(super) struct Lines {
    limit: usize,
    open: Vec<u8>,
    skipped: Skipped,
}

/// Whether the rest of a line is left out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Skipped {
    No,
    /// It began before anybody looked.
    Begun,
    TooLong,
}

impl Lines {
    pub(super) const fn new(limit: usize) -> Self {
        Self { limit, open: Vec::new(), skipped: Skipped::No }
    }

    /// What comes first is the rest of a line that is not of interest.
    pub(super) const fn in_the_middle(limit: usize) -> Self {
        Self { limit, open: Vec::new(), skipped: Skipped::Begun }
    }

    /// Takes bytes, and gives every line that they complete. Empty lines are none.
    pub(super) fn push(&mut self, bytes: &[u8], take: &mut dyn FnMut(Line<'_>)) {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (text, is_end) = match part.strip_suffix(b"\n") {
                Some(text) => (text, true),
                None => (part, false),
            };
            if self.skipped == Skipped::No {
                if self.open.len() + text.len() > self.limit {
                    self.open = Vec::new();
                    self.skipped = Skipped::TooLong;
                } else if is_end && self.open.is_empty() {
                    give(text, take);
                } else {
                    self.open.extend_from_slice(text);
                }
            }
            if is_end {
                self.finish(take);
            }
        }
    }

    /// Nothing more comes of the line that is not finished.
    pub(super) fn finish(&mut self, take: &mut dyn FnMut(Line<'_>)) {
        if self.skipped == Skipped::TooLong {
            take(Line::TooLong);
        }
        give(&self.open, take);
        self.open.clear();
        self.skipped = Skipped::No;
    }
}

fn give(text: &[u8], take: &mut dyn FnMut(Line<'_>)) {
    if !text.iter().all(u8::is_ascii_whitespace) {
        take(Line::Whole(text));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cut(lines: &mut Lines, parts: &[&[u8]]) -> Vec<String> {
        let mut seen = Vec::new();
        let mut take = |line: Line<'_>| {
            seen.push(match line {
                Line::Whole(text) => String::from_utf8_lossy(text).into_owned(),
                Line::TooLong => "too long".to_owned(),
            });
        };
        for part in parts {
            lines.push(part, &mut take);
        }
        lines.finish(&mut take);
        seen
    }

    /// A line that is too long is said once and the next is read; one that was begun before is not said at all.
    #[test]
    fn long_and_begun_lines() {
        assert_eq!(cut(&mut Lines::new(3), &[b"abc\nab", b"cd", b"ef\n\r\nx\n"]), ["abc", "too long", "x"]);
        assert_eq!(cut(&mut Lines::in_the_middle(3), &[b"rest of it", b"\nx"]), ["x"]);
        assert_eq!(cut(&mut Lines::new(3), &[b"abcd"]), ["too long"]);
    }

    proptest! {
        /// However bytes are cut into pieces, the lines are the same, and no more is held than the limit.
        #[test]
        fn pieces_do_not_matter(
            text in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b' '), Just(b'a')], 0..200),
            cuts in proptest::collection::vec(0_usize..200, 0..10),
        ) {
            let whole = cut(&mut Lines::new(8), &[&text]);
            let mut cuts: Vec<usize> = cuts.into_iter().map(|at| at.min(text.len())).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let parts: Vec<&[u8]> = cuts.windows(2).map(|two| &text[two[0]..two[1]]).collect();
            let mut lines = Lines::new(8);
            for part in &parts {
                lines.push(part, &mut |_| {});
                prop_assert!(lines.open.len() <= 8);
            }
            prop_assert_eq!(cut(&mut Lines::new(8), &parts), whole);
        }
    }
}
