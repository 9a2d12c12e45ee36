//! Durations and quantities as people write them in a config: `30s`, `5 %`, `1500ms`.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A duration with its unit in the text: `250ms`, `30s`, `1m30s`, `2h`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span(pub Duration);

impl Span {
    /// A span of whole seconds.
    pub const fn secs(secs: u64) -> Self {
        Self(Duration::from_secs(secs))
    }

    /// A span of whole milliseconds.
    pub const fn millis(millis: u64) -> Self {
        Self(Duration::from_millis(millis))
    }
}

impl Deref for Span {
    type Target = Duration;

    fn deref(&self) -> &Duration {
        &self.0
    }
}

/// Writes a duration the way a person would say it: `250 ms`, `30 s`, `1 m 30 s`. At most two units.
pub fn human(duration: Duration) -> String {
    let ms = duration.as_millis();
    if ms < 1_000 {
        return format!("{ms} ms");
    }
    if ms < 60_000 {
        return if ms.is_multiple_of(1_000) {
            format!("{} s", ms / 1_000)
        } else {
            format!("{:.1} s", duration.as_secs_f64())
        };
    }
    let secs = duration.as_secs();
    let (big, big_unit, small, small_unit) = match secs {
        0..3_600 => (secs / 60, "m", secs % 60, "s"),
        3_600..86_400 => (secs / 3_600, "h", secs % 3_600 / 60, "m"),
        _ => (secs / 86_400, "d", secs % 86_400 / 3_600, "h"),
    };
    if small == 0 { format!("{big} {big_unit}") } else { format!("{big} {big_unit} {small} {small_unit}") }
}

impl fmt::Display for Span {
    /// The form that [`FromStr`] reads: whole units without spaces, `1m30s`, `250ms`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut left = self.0.as_millis();
        if left == 0 {
            return f.write_str("0s");
        }
        for (unit, ms) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)] {
            if left >= ms {
                write!(f, "{}{unit}", left / ms)?;
                left %= ms;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!("`{text}` is not a duration; write a number with a unit, like `30s`, `500ms` or `1m30s`")
        };
        let mut rest = text.trim();
        if rest.is_empty() {
            return Err(wrong());
        }
        let mut total = Duration::ZERO;
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?;
            let number: f64 = rest[..digits].parse().map_err(|_| wrong())?;
            rest = rest[digits..].trim_start();
            let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
            let seconds = match &rest[..letters] {
                "ms" => 0.001,
                "s" | "sec" => 1.0,
                "m" | "min" => 60.0,
                "h" => 3_600.0,
                "d" => 86_400.0,
                _ => return Err(wrong()),
            };
            rest = rest[letters..].trim_start();
            let part = Duration::try_from_secs_f64(number * seconds).map_err(|_| wrong())?;
            total = total.checked_add(part).ok_or_else(wrong)?;
        }
        // A journal stores milliseconds; anything over ten years is a slip of the keyboard.
        if total > Duration::from_secs(10 * 365 * 86_400) {
            return Err(format!("`{text}` is longer than ten years"));
        }
        Ok(Self(Duration::from_millis(u64::try_from(total.as_millis()).map_err(|_| wrong())?)))
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Span {
    fn schema_name() -> Cow<'static, str> {
        "Span".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "format": "unship-span",
            "description": "a duration with its unit: `250ms`, `30s`, `1m30s`, `2h`",
            "pattern": r"^\s*([0-9.]+\s*(ms|s|sec|m|min|h|d)\s*)+$",
        })
    }
}

/// A number that is compared with an indicator: a plain number, a share (`5%` is 0.05), or a latency
/// (`2s` is 2000: latencies are in milliseconds).
#[derive(Clone, Copy, PartialEq, PartialOrd, Debug)]
pub struct Quantity {
    /// The number that is compared.
    pub value: f64,
    /// How it was written, and so how it is shown.
    pub unit: Unit,
}

/// How a quantity is written and shown.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// A number without a unit.
    #[default]
    Plain,
    /// A share, 0 to 1, shown in percent.
    Share,
    /// Milliseconds.
    Millis,
}

impl Unit {
    /// Shows a value in this unit: `7.1 %`, `840 ms`, `1.9 s`, `12`.
    pub fn show(self, value: f64) -> String {
        match self {
            Self::Plain => trim_number(value),
            Self::Share => format!("{} %", trim_number(value * 100.0)),
            Self::Millis if value.abs() >= 1_000.0 => format!("{} s", trim_number(value / 1_000.0)),
            Self::Millis => format!("{} ms", trim_number(value)),
        }
    }
}

/// At most two digits after the point, none when they would be zero.
fn trim_number(value: f64) -> String {
    let digits = if value.abs() >= 100.0 {
        0
    } else if value.abs() >= 10.0 {
        1
    } else {
        2
    };
    let text = format!("{value:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.unit.show(self.value))
    }
}

impl FromStr for Quantity {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let finite = |value: f64, unit| {
            if value.is_finite() {
                Ok(Self { value, unit })
            } else {
                Err(format!("`{text}` is not a finite number"))
            }
        };
        if let Some(number) = text.strip_suffix('%') {
            let percent: f64 =
                number.trim().parse().map_err(|_| format!("`{text}` is not a percentage like `5%`"))?;
            return finite(percent / 100.0, Unit::Share);
        }
        if let Ok(value) = text.parse::<f64>() {
            return finite(value, Unit::Plain);
        }
        let span: Span = text.parse().map_err(|_| {
            format!(
                "`{text}` is not a quantity; write a number, a percentage like `5%` or a latency like `2s`"
            )
        })?;
        finite(span.as_secs_f64() * 1_000.0, Unit::Millis)
    }
}

impl Serialize for Quantity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.unit {
            Unit::Plain => serializer.serialize_f64(self.value),
            // Rounded so that 5 % does not come back as 5.000000000000001 %.
            Unit::Share => {
                let percent = (self.value * 1e12).round() / 1e10;
                // What is too large to be rounded is not written as "infinite", which nobody could read back.
                let percent = if percent.is_finite() { percent } else { self.value * 100.0 };
                serializer.collect_str(&format_args!("{}%", percent.clamp(f64::MIN, f64::MAX)))
            }
            Unit::Millis => serializer.collect_str(&format_args!("{}ms", self.value)),
        }
    }
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Raw {
            Number(f64),
            Text(String),
        }
        match Raw::deserialize(deserializer)? {
            // TOML has `inf` and `nan`. Nothing can be compared with those, and no journal keeps them.
            Raw::Number(value) if !value.is_finite() => {
                Err(de::Error::custom(format!("`{value}` is not a finite number")))
            }
            Raw::Number(value) => Ok(Self { value, unit: Unit::Plain }),
            Raw::Text(text) => text.parse().map_err(de::Error::custom),
        }
    }
}

impl JsonSchema for Quantity {
    fn schema_name() -> Cow<'static, str> {
        "Quantity".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["number", "string"],
            "format": "unship-quantity",
            "description": "a number, a percentage like `5%`, or a latency like `2s`",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a person writes as a duration is what the engine waits.
    #[test]
    fn spans_read_and_print() {
        for (text, ms, printed) in [
            ("250ms", 250, "250ms"),
            ("30s", 30_000, "30s"),
            ("1m30s", 90_000, "1m30s"),
            ("1.5h", 5_400_000, "1h30m"),
            ("2 min", 120_000, "2m"),
            ("0s", 0, "0s"),
        ] {
            let span: Span = text.parse().unwrap();
            assert_eq!(span.as_millis(), ms, "{text}");
            assert_eq!(span.to_string(), printed);
            assert_eq!(printed.parse::<Span>().unwrap(), span);
        }
        for text in ["", "5", "5 parsecs", "-3s", "1e400s", "s", "..s", "400000d"] {
            assert!(text.parse::<Span>().is_err(), "{text} was taken");
        }
    }

    /// A percentage is a share of one and a latency is in milliseconds, whatever unit it was written in.
    #[test]
    fn quantities_read_and_print() {
        for (text, value, shown) in [
            ("5%", 0.05, "5 %"),
            ("0.5 %", 0.005, "0.5 %"),
            ("2s", 2_000.0, "2 s"),
            ("12", 12.0, "12"),
            ("840ms", 840.0, "840 ms"),
        ] {
            let quantity: Quantity = text.parse().unwrap();
            assert!((quantity.value - value).abs() < 1e-12, "{text}");
            assert_eq!(quantity.to_string(), shown);
            let json = serde_json::to_string(&quantity).unwrap();
            assert_eq!(serde_json::from_str::<Quantity>(&json).unwrap(), quantity, "{json}");
        }
        for text in ["", "NaN", "inf", "five", "5%%"] {
            assert!(text.parse::<Quantity>().is_err(), "{text} was taken");
        }
        for text in ["inf", "-inf", "nan"] {
            let table = format!("limit = {text}");
            let read = toml::from_str::<std::collections::BTreeMap<String, Quantity>>(&table);
            assert!(read.is_err(), "{text} was taken as a TOML number");
        }
    }

    /// Whatever limit a trigger has, an event that holds it can be read back from the journal.
    #[test]
    fn huge_shares_read_back() {
        for value in [1e200, 1e298, f64::MAX, f64::MIN] {
            let quantity = Quantity { value, unit: Unit::Share };
            let json = serde_json::to_string(&quantity).unwrap();
            let back = serde_json::from_str::<Quantity>(&json).unwrap();
            assert!(back.value.is_finite() && back.unit == Unit::Share, "{json}");
        }
    }
}
