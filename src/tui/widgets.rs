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

use ratatui::style::Style;

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
}
