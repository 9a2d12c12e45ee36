//! What a platform says while a step is carried out, for people to look at. It is not journaled: what it comes to is.

use jiff::Timestamp;

/// Lines of an operation that are kept, the newest.
pub const LINES_KEPT: usize = 200;

/// Operations whose lines are kept, the newest.
pub const OPERATIONS_KEPT: usize = 20;

/// The longest that a line is kept, in bytes.
pub const LINE_LIMIT: usize = 2 * 1024;

/// A line that a platform, or a program that speaks for it, said. Without secrets, and without anything that a terminal
/// would act upon.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OutputLine {
    /// When it was said.
    pub at: Timestamp,
    /// The step of the operation, from 0.
    pub step: usize,
    /// The text, without its line end.
    pub text: String,
}
