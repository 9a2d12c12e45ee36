//! What panes are built from: functions that draw data into a rectangle. They keep no state, read no clock, and never write
//! outside their rectangle, however small it is.
//!
//! - [`text`]: columns, cutting, wrapping, and cleaning of text that others wrote; [`table`]: rows and columns.
//! - [`panel`]: the frame of a pane. [`bar`], [`spark`], [`chart`]: numbers as pictures.

pub mod bar;
pub mod chart;
pub mod panel;
pub mod spark;
#[cfg(test)]
mod specimen;
pub mod table;
#[cfg(test)]
mod testing;
pub mod text;

use ratatui::style::{Modifier, Style};

use super::glyphs::Glyphs;
use super::theme::{Theme, Tone};

/// What everything is drawn with.
#[derive(Clone, Copy, Debug)]
pub struct Look<'a> {
    /// The colours.
    pub theme: &'a Theme,
    /// The symbols.
    pub glyphs: &'a Glyphs,
}

impl Look<'_> {
    /// What a tone looks like.
    pub fn style(&self, tone: Tone) -> Style {
        self.theme.style(tone)
    }

    /// The same for what is drawn and not written. A full block that is reversed looks empty, and one that is underlined
    /// looks cut.
    pub fn ink(&self, tone: Tone) -> Style {
        let style = self.style(tone);
        let only_for_text = Modifier::REVERSED | Modifier::UNDERLINED;
        Style { add_modifier: style.add_modifier - only_for_text, ..style }
    }
}
