//! The symbols of the screen, as data: one set for terminals with a usual font, one of ASCII alone.
//!
//! Every symbol is one column wide, none is an emoji (those spill over their cell), and each is in DejaVu Sans Mono and its
//! like. Some are of "ambiguous" width, as all box lines and blocks are: a terminal that is told to draw those two columns
//! wide wants `glyphs = "ascii"`.

use ratatui::symbols::border::{self, Set};

use crate::config::schema::GlyphSet;

/// What the dots of a chart are made of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ChartMarks {
    /// Braille: 2 × 4 dots a cell.
    Braille,
    /// Half blocks: 1 × 2 dots a cell, for fonts without braille.
    Block,
    /// `*` and `+`: one dot a cell.
    Ascii,
}

/// A set of symbols. All are one column wide.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Glyphs {
    /// All is well.
    pub ok: &'static str,
    /// Something to look at.
    pub warn: &'static str,
    /// Failing.
    pub fail: &'static str,
    /// Nobody knows: no data, or a step whose outcome is not known.
    pub unknown: &'static str,
    /// In front of the selected row.
    pub selected: &'static str,
    /// A step that is done.
    pub ticked: &'static str,
    /// A step that is still open.
    pub open: &'static str,
    /// The step that is next.
    pub current: &'static str,
    /// A step that was left out.
    pub skipped: &'static str,
    /// A line that is left as it is, against what it says.
    pub overridden: &'static str,
    /// A line that is done later.
    pub deferred: &'static str,
    /// A step that failed.
    pub failed: &'static str,
    /// Work under way.
    pub running: &'static str,
    /// A step that was done and no longer holds.
    pub regressed: &'static str,
    /// From one release to another.
    pub arrow: &'static str,
    /// The release that a rollback would go to.
    pub target: &'static str,
    /// More above; rising.
    pub up: &'static str,
    /// More below; falling.
    pub down: &'static str,
    /// Text was cut here.
    pub ellipsis: &'static str,
    /// A filled cell of a bar.
    pub bar_full: &'static str,
    /// An empty cell of a bar.
    pub bar_empty: &'static str,
    /// A cell of a bar filled by one eighth to eight eighths.
    pub bar_part: [&'static str; 8],
    /// The limit in a bar.
    pub bar_limit: &'static str,
    /// Heights of a sparkline, lowest first.
    pub spark: [&'static str; 8],
    /// A missing sample in a sparkline.
    pub gap: &'static str,
    /// Between two parts of a line.
    pub separator: &'static str,
    /// The limit line of a chart.
    pub limit_line: &'static str,
    /// The line of an event in a chart.
    pub event_line: &'static str,
    /// The frame of a pane.
    pub border: Set<'static>,
    /// The frame of the focused pane: another shape, so that focus is seen without colour too.
    pub border_focus: Set<'static>,
    /// What charts are drawn with.
    pub chart: ChartMarks,
}

/// Symbols for terminals with a usual font.
pub const UNICODE: Glyphs = Glyphs {
    ok: "●",
    warn: "▲",
    fail: "✘",
    unknown: "?",
    selected: "▸",
    ticked: "✓",
    open: "○",
    current: "▸",
    skipped: "⊘",
    overridden: "⊗",
    deferred: "↷",
    failed: "✘",
    running: "↻",
    regressed: "↺",
    arrow: "→",
    target: "◉",
    up: "↑",
    down: "↓",
    ellipsis: "…",
    bar_full: "█",
    bar_empty: "░",
    bar_part: ["▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"],
    bar_limit: "│",
    spark: ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"],
    gap: "·",
    separator: "·",
    limit_line: "─",
    event_line: "╎",
    border: border::ROUNDED,
    border_focus: border::THICK,
    chart: ChartMarks::Braille,
};

/// [`UNICODE`] for fonts without braille.
pub const BLOCKS: Glyphs = Glyphs { chart: ChartMarks::Block, ..UNICODE };

/// Lines of ASCII.
const ASCII_BORDER: Set<'static> = Set {
    top_left: "+",
    top_right: "+",
    bottom_left: "+",
    bottom_right: "+",
    vertical_left: "|",
    vertical_right: "|",
    horizontal_top: "-",
    horizontal_bottom: "-",
};

/// Symbols for poor fonts and for terminals that draw ambiguous widths wide.
pub const ASCII: Glyphs = Glyphs {
    ok: "o",
    warn: "!",
    fail: "X",
    unknown: "?",
    selected: ">",
    ticked: "x",
    open: "-",
    current: ">",
    skipped: "/",
    overridden: "%",
    deferred: ")",
    failed: "X",
    running: "~",
    regressed: "<",
    arrow: ">",
    target: "*",
    up: "^",
    down: "v",
    ellipsis: "~",
    bar_full: "#",
    bar_empty: ".",
    // One character says either "less than half" or "half or more".
    bar_part: [".", ".", ".", "=", "=", "=", "=", "#"],
    bar_limit: "|",
    spark: ["_", ".", ",", "-", "=", "+", "*", "#"],
    gap: " ",
    separator: "|",
    limit_line: "-",
    event_line: ":",
    border: ASCII_BORDER,
    border_focus: Set { horizontal_top: "=", horizontal_bottom: "=", ..ASCII_BORDER },
    chart: ChartMarks::Ascii,
};

impl Glyphs {
    /// The set that the config asks for.
    pub const fn of(set: GlyphSet) -> &'static Self {
        match set {
            GlyphSet::Unicode => &UNICODE,
            GlyphSet::Blocks => &BLOCKS,
            GlyphSet::Ascii => &ASCII,
        }
    }

    /// The set for terminals with a usual font.
    pub const fn unicode() -> &'static Self {
        &UNICODE
    }

    /// The set of ASCII alone.
    pub const fn ascii() -> &'static Self {
        &ASCII
    }

    /// Every symbol with its name, for tests and for the specimen.
    pub fn all(&self) -> Vec<(&'static str, &'static str)> {
        let mut all = vec![
            ("ok", self.ok),
            ("warn", self.warn),
            ("fail", self.fail),
            ("unknown", self.unknown),
            ("selected", self.selected),
            ("ticked", self.ticked),
            ("open", self.open),
            ("current", self.current),
            ("skipped", self.skipped),
            ("overridden", self.overridden),
            ("deferred", self.deferred),
            ("failed", self.failed),
            ("running", self.running),
            ("regressed", self.regressed),
            ("arrow", self.arrow),
            ("target", self.target),
            ("up", self.up),
            ("down", self.down),
            ("ellipsis", self.ellipsis),
            ("bar_full", self.bar_full),
            ("bar_empty", self.bar_empty),
            ("bar_limit", self.bar_limit),
            ("gap", self.gap),
            ("separator", self.separator),
            ("limit_line", self.limit_line),
            ("event_line", self.event_line),
        ];
        all.extend(self.bar_part.map(|part| ("bar_part", part)));
        all.extend(self.spark.map(|part| ("spark", part)));
        for set in [self.border, self.border_focus] {
            all.extend(
                [
                    set.top_left,
                    set.top_right,
                    set.bottom_left,
                    set.bottom_right,
                    set.vertical_left,
                    set.vertical_right,
                    set.horizontal_top,
                    set.horizontal_bottom,
                ]
                .map(|part| ("border", part)),
            );
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use unicode_width::UnicodeWidthStr;

    use super::*;

    /// A symbol of two columns shifts everything behind it, and one of none makes the row shorter.
    #[test]
    fn every_symbol_is_one_column() {
        for glyphs in [Glyphs::unicode(), Glyphs::ascii()] {
            for (name, symbol) in glyphs.all() {
                assert_eq!(symbol.width(), 1, "{name}: {symbol}");
                assert_eq!(symbol.chars().count(), 1, "{name}: {symbol}");
            }
        }
        assert!(Glyphs::ascii().all().iter().all(|(_, symbol)| symbol.is_ascii()));
    }

    /// Which symbols an East Asian terminal may draw wide is known; beside lines and blocks there are few.
    #[test]
    fn ambiguous_widths_are_counted() {
        let is_line_or_block = |c: char| ('\u{2500}'..='\u{259f}').contains(&c);
        let ambiguous: BTreeSet<&str> = Glyphs::unicode()
            .all()
            .into_iter()
            .map(|(_, symbol)| symbol)
            .filter(|symbol| symbol.width_cjk() != 1 && !symbol.chars().all(is_line_or_block))
            .collect();
        assert_eq!(ambiguous, BTreeSet::from(["·", "…", "→", "↑", "↓", "▲", "○", "●"]));
        assert!(Glyphs::ascii().all().iter().all(|(_, symbol)| symbol.width_cjk() == 1));
    }

    /// States are told apart by their symbols alone.
    #[test]
    fn states_look_different() {
        for glyphs in [Glyphs::unicode(), Glyphs::ascii()] {
            let Glyphs { ok, warn, fail, unknown, ticked, open, skipped, running, regressed, .. } = *glyphs;
            let verdicts = BTreeSet::from([ok, warn, fail, unknown]);
            assert_eq!(verdicts.len(), 4);
            let steps = BTreeSet::from([
                ticked,
                open,
                glyphs.current,
                skipped,
                glyphs.overridden,
                glyphs.deferred,
                glyphs.failed,
                running,
                regressed,
                unknown,
            ]);
            assert_eq!(steps.len(), 10);
        }
    }
}
