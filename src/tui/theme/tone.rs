//! What a style can mean. Panes ask for a meaning; a theme says what it looks like.

use std::fmt;

macro_rules! tones {
    ($($(#[doc = $doc:literal])+ $tone:ident = $key:literal,)*) => {
        /// What a piece of the screen means.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum Tone {
            $($(#[doc = $doc])+ $tone,)*
        }

        impl Tone {
            /// All of them, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$tone),*];

            /// Its key in a theme file.
            pub const fn key(self) -> &'static str {
                match self {
                    $(Self::$tone => $key,)*
                }
            }

            /// What it is for, as the documentation says it.
            pub const fn meaning(self) -> &'static str {
                match self {
                    $(Self::$tone => concat!($($doc),+).trim_ascii(),)*
                }
            }
        }
    };
}

tones! {
    /// Everything that nothing else is said of. Its background, if it has one, is that of the whole screen.
    Text = "text",
    /// Secondary text: units, explanations, what is read second.
    Dim = "dim",
    /// What is there to fill: the empty part of a bar, the axis of a chart, what does not matter now.
    Muted = "muted",
    /// The title of a pane or of a dialog.
    Title = "title",
    /// The frame of a pane.
    Border = "border",
    /// Frame and title of the pane that has the focus.
    Focus = "focus",
    /// The selected row, laid over the colours that the row has.
    Selection = "selection",
    /// A key in the footer, in the help, in a dialog.
    Key = "key",
    /// The line at the top.
    Header = "header",
    /// The line at the bottom.
    Footer = "footer",
    /// What asks for the eye without a judgement: a link, the service at hand, work under way.
    Accent = "accent",
    /// Healthy, succeeded.
    Ok = "ok",
    /// To be looked at; not failing yet.
    Warn = "warn",
    /// Failing. The strongest of all.
    Fail = "fail",
    /// Nobody knows: no data, or an outcome that is not known.
    Unknown = "unknown",
    /// The stable arm: its name, its numbers, its series in a chart.
    Stable = "stable",
    /// The canary arm: its name, its numbers, its series in a chart.
    Canary = "canary",
    /// The limit in a chart or a bar.
    Limit = "limit",
    /// A release known to be good.
    Good = "good",
    /// A release known to be bad.
    Bad = "bad",
    /// Frame and title of a dialog about something dangerous.
    Danger = "danger",
    /// A line that must not be overlooked: FROZEN, READ ONLY.
    Banner = "banner",
    /// A field that text is typed into.
    Input = "input",
    /// The letters that a search matched.
    Match = "match",
    /// Data that are too old to be trusted.
    Stale = "stale",
    /// A command that cannot be used now.
    Disabled = "disabled",
}

impl Tone {
    /// The tone of a key in a theme file.
    pub fn of_key(key: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|tone| tone.key() == key)
    }

    /// Its place in [`Tone::ALL`].
    pub(super) const fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for Tone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keys are unique and lead back; places are those of the list.
    #[test]
    fn keys_lead_back() {
        for (at, tone) in Tone::ALL.iter().enumerate() {
            assert_eq!(Tone::of_key(tone.key()), Some(*tone));
            assert_eq!(tone.index(), at);
            assert!(tone.meaning().ends_with('.'), "{tone}");
        }
        assert_eq!(Tone::of_key("colour"), None);
    }
}
