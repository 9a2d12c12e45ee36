//! Whether a text is asked for, and what it is.

/// The text that a question asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Text {
    /// It is needed; its name.
    Needed(&'static str),
    /// It may be left empty.
    Optional(&'static str),
    /// None is asked for.
    Not,
}

impl Text {
    /// Its name in front of the field.
    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::Needed(label) | Self::Optional(label) => label,
            Self::Not => "",
        }
    }
}
