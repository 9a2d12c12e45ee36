//! Colours: how a theme file writes them, how far apart they are, and what a terminal of 256 colours makes of them.

use ratatui::style::Color;

/// The sixteen colours that every terminal has, by the names of a theme file.
pub const NAMED: [(&str, Color); 16] = [
    ("black", Color::Black),
    ("red", Color::Red),
    ("green", Color::Green),
    ("yellow", Color::Yellow),
    ("blue", Color::Blue),
    ("magenta", Color::Magenta),
    ("cyan", Color::Cyan),
    ("white", Color::Gray),
    ("bright_black", Color::DarkGray),
    ("bright_red", Color::LightRed),
    ("bright_green", Color::LightGreen),
    ("bright_yellow", Color::LightYellow),
    ("bright_blue", Color::LightBlue),
    ("bright_magenta", Color::LightMagenta),
    ("bright_cyan", Color::LightCyan),
    ("bright_white", Color::White),
];

/// What a theme file calls the terminal's own foreground or background.
pub(super) const DEFAULT: &str = "default";

/// A colour that needs no palette: `#rrggbb`, `default`, or one of [`NAMED`].
pub(super) fn parse(text: &str) -> Option<Color> {
    if let Some(digits) = text.strip_prefix('#') {
        if digits.len() != 6 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let number = u32::from_str_radix(digits, 16).ok()?;
        let [_, red, green, blue] = number.to_be_bytes();
        return Some(Color::Rgb(red, green, blue));
    }
    if text == DEFAULT {
        return Some(Color::Reset);
    }
    NAMED.iter().find(|(name, _)| *name == text).map(|(_, colour)| *colour)
}

/// Red, green and blue, where they are certain. What the sixteen named colours look like is each terminal's own affair.
pub(super) fn rgb(colour: Color) -> Option<[u8; 3]> {
    match colour {
        Color::Rgb(red, green, blue) => Some([red, green, blue]),
        Color::Indexed(index) => indexed(index),
        _ => None,
    }
}

/// The levels of the colour cube of 256-colour terminals.
const LEVELS: [u8; 6] = [0, 95, 135, 175, 215, 255];

/// The colour of an index from 16 on.
fn indexed(index: u8) -> Option<[u8; 3]> {
    match index {
        0..16 => None,
        16..232 => {
            let cube = usize::from(index - 16);
            Some([LEVELS[cube / 36], LEVELS[cube / 6 % 6], LEVELS[cube % 6]])
        }
        232.. => Some([8 + (index - 232) * 10; 3]),
    }
}

/// The nearest of the 240 certain colours of a 256-colour terminal; any other colour stays as it is.
pub(super) fn nearest_of_256(colour: Color) -> Color {
    let Color::Rgb(red, green, blue) = colour else { return colour };
    let wanted = [red, green, blue];
    let nearest = (16..=255_u8).min_by_key(|index| distance(wanted, indexed(*index).unwrap_or_default()));
    nearest.map_or(colour, Color::Indexed)
}

/// How different two colours look: red, green and blue weighted by a cheap approximation of the eye ("redmean").
fn distance(a: [u8; 3], b: [u8; 3]) -> u32 {
    let [red, green, blue] = [0, 1, 2].map(|at| u32::from(a[at].abs_diff(b[at])).pow(2));
    let mean = u32::midpoint(u32::from(a[0]), u32::from(b[0]));
    (512 + mean) * red / 256 + 4 * green + (767 - mean) * blue / 256
}

/// The contrast of two colours after WCAG 2: 1 for none, 21 for black on white. None where a colour is not certain.
pub fn contrast(a: Color, b: Color) -> Option<f64> {
    let (a, b) = (luminance(rgb(a)?), luminance(rgb(b)?));
    Some((a.max(b) + 0.05) / (a.min(b) + 0.05))
}

/// The relative luminance, 0 to 1.
fn luminance(rgb: [u8; 3]) -> f64 {
    let [red, green, blue] = rgb.map(|part| {
        let part = f64::from(part) / 255.0;
        if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
    });
    0.2126 * red + 0.7152 * green + 0.0722 * blue
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Every way to write a colour, and what is none.
    #[test]
    fn colours_are_read() {
        for (text, colour) in [
            ("#102030", Some(Color::Rgb(0x10, 0x20, 0x30))),
            ("#FFFFFF", Some(Color::Rgb(255, 255, 255))),
            ("default", Some(Color::Reset)),
            ("white", Some(Color::Gray)),
            ("bright_white", Some(Color::White)),
            ("#fff", None),
            ("#+12345", None),
            ("#ééé", None),
            ("Red", None),
            ("", None),
        ] {
            assert_eq!(parse(text), colour, "{text}");
        }
    }

    /// The two ends of the scale, and a pair that the standard's own tools give.
    #[test]
    fn contrast_is_that_of_the_standard() {
        let (black, white) = (Color::Rgb(0, 0, 0), Color::Rgb(255, 255, 255));
        assert!((contrast(black, white).unwrap() - 21.0).abs() < 1e-9);
        assert!((contrast(white, white).unwrap() - 1.0).abs() < 1e-9);
        let grey = contrast(Color::Rgb(0x76, 0x76, 0x76), white).unwrap();
        assert!((grey - 4.54).abs() < 0.005, "{grey}");
        assert_eq!(contrast(Color::Red, white), None);
    }

    proptest! {
        /// A colour of the 256 is its own nearest, and no channel moves further than the widest step.
        #[test]
        fn the_nearest_colour_is_near(red: u8, green: u8, blue: u8, index in 16_u8..) {
            let near = rgb(nearest_of_256(Color::Rgb(red, green, blue))).unwrap();
            for (part, wanted) in near.into_iter().zip([red, green, blue]) {
                prop_assert!(part.abs_diff(wanted) <= 95, "{near:?}");
            }
            let [red, green, blue] = indexed(index).unwrap();
            prop_assert_eq!(rgb(nearest_of_256(Color::Rgb(red, green, blue))), Some([red, green, blue]));
        }
    }
}
