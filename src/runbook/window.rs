//! The grammar of windows: `0-5 minutes`, `first 5 min`, `30+ minutes`, `within 15 min`, `10 min`, `T+15-30`, `every 20 min`.
//! Only the whole of a text is a window: with any other word in it, it is none.

use std::time::Duration;

use super::document::WindowForm;

/// A window as it is written, before it is known what it is counted from.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Written {
    pub(super) form: WindowForm,
    pub(super) lead: Duration,
    pub(super) from: Duration,
    pub(super) until: Option<Duration>,
    pub(super) warn_at: Option<Duration>,
}

impl Written {
    /// It ends before it begins, or as it begins.
    pub(super) fn is_inverted(&self) -> bool {
        self.lead.is_zero() && self.until.is_some_and(|until| until <= self.from)
    }
}

/// Reads the whole of a text. A plain duration is a window only in a parenthesis.
pub(super) fn parse(text: &str, in_parenthesis: bool) -> Option<Written> {
    let whole = |read: fn(&mut Cursor<'_>) -> Option<Written>| {
        let mut cursor = Cursor { rest: text };
        let written = read(&mut cursor)?;
        cursor.spaces();
        cursor.rest.is_empty().then_some(written)
    };
    whole(range)
        .or_else(|| whole(first))
        .or_else(|| whole(open))
        .or_else(|| whole(within))
        .or_else(|| whole(t_plus))
        .or_else(|| whole(every))
        .or_else(|| if in_parenthesis { whole(budget) } else { None })
}

/// Reads `T+15` at the beginning of a text, and how many bytes it and what separates it from the rest have.
pub(super) fn leading(text: &str) -> Option<(Written, usize)> {
    let mut cursor = Cursor { rest: text };
    let written = t_plus(&mut cursor)?;
    if cursor
        .rest
        .starts_with(|c: char| !(c.is_whitespace() || matches!(c, ':' | '-' | '–' | '—' | '.' | ',')))
    {
        return None;
    }
    let rest = cursor
        .rest
        .trim_start_matches(|c: char| c.is_whitespace() || matches!(c, ':' | '-' | '–' | '—' | '.' | ','));
    Some((written, text.len() - rest.len()))
}

/// `first 5-10 minutes`, `minutes 0-5`, `5 min - 2 h`.
fn range(cursor: &mut Cursor<'_>) -> Option<Written> {
    let is_first = cursor.word("first");
    let says_minutes = !is_first && cursor.word("minutes");
    let left = cursor.number()?;
    let left_unit = cursor.unit();
    cursor.dash()?;
    let right = cursor.number()?;
    let right_unit = cursor.unit();
    let said = says_minutes.then_some(60.0);
    let unit = right_unit.or(left_unit).or(said)?;
    let from = seconds(left, left_unit.or(right_unit).unwrap_or(unit))?;
    let until = seconds(right, unit)?;
    let (from, warn_at) = if is_first { (Duration::ZERO, Some(from)) } else { (from, None) };
    Some(Written { form: WindowForm::Range, lead: Duration::ZERO, from, until: Some(until), warn_at })
}

fn first(cursor: &mut Cursor<'_>) -> Option<Written> {
    cursor.word("first").then_some(())?;
    ends(WindowForm::First, cursor.duration()?)
}

fn within(cursor: &mut Cursor<'_>) -> Option<Written> {
    let is_one = cursor.word("within")
        || cursor.word("by")
        || cursor.word("under")
        || cursor.sign("<=")
        || cursor.sign("<");
    is_one.then_some(())?;
    ends(WindowForm::Within, cursor.duration()?)
}

fn budget(cursor: &mut Cursor<'_>) -> Option<Written> {
    ends(WindowForm::Budget, cursor.duration()?)
}

/// `30+ minutes`, `after 30 min`, `> 30 min`.
fn open(cursor: &mut Cursor<'_>) -> Option<Written> {
    let from = if cursor.word("after") || cursor.sign(">") {
        cursor.duration()?
    } else {
        let number = cursor.number()?;
        cursor.sign("+").then_some(())?;
        seconds(number, cursor.unit()?)?
    };
    Some(Written { form: WindowForm::Open, lead: Duration::ZERO, from, until: None, warn_at: None })
}

fn every(cursor: &mut Cursor<'_>) -> Option<Written> {
    cursor.word("every").then_some(())?;
    let from = cursor.duration().filter(|every| !every.is_zero())?;
    Some(Written { form: WindowForm::Every, lead: Duration::ZERO, from, until: None, warn_at: None })
}

/// `T+15`, `T+15-30 min`, `T-30`, `T+1h - T+2h`.
fn t_plus(cursor: &mut Cursor<'_>) -> Option<Written> {
    cursor.spaces();
    let rest = cursor.rest.strip_prefix(['T', 't'])?;
    let is_before = rest.starts_with(['-', '−']);
    cursor.rest = rest.strip_prefix(['+', '-', '−'])?;
    cursor.rest.starts_with(|c: char| c.is_ascii_digit()).then_some(())?;
    let left = cursor.number()?;
    let left_unit = cursor.unit();
    let mut ahead = Cursor { rest: cursor.rest };
    let right = ahead.dash().and_then(|()| {
        ahead.spaces();
        if let Some(rest) = ahead.rest.strip_prefix("T+").or_else(|| ahead.rest.strip_prefix("t+")) {
            ahead.rest = rest;
        }
        let number = ahead.number()?;
        let unit = ahead.unit();
        Some((number, unit))
    });
    let minutes = 60.0;
    // `T+5 - 3 replicas` has no second time.
    let right =
        right.filter(|(number, unit)| is_before || unit.is_some() || left_unit.is_some() || *number > left);
    let right_unit = right.and_then(|(_, unit)| unit);
    let left = seconds(left, left_unit.or(right_unit).unwrap_or(minutes))?;
    let until = match right {
        Some((number, unit)) => {
            cursor.rest = ahead.rest;
            Some(seconds(number, unit.or(left_unit).unwrap_or(minutes))?)
        }
        // What is to be done before the moment ends with it.
        None if is_before => Some(Duration::ZERO),
        None => None,
    };
    let (lead, from) = if is_before { (left, Duration::ZERO) } else { (Duration::ZERO, left) };
    Some(Written { form: WindowForm::TPlus, lead, from, until, warn_at: None })
}

fn ends(form: WindowForm, until: Duration) -> Option<Written> {
    (!until.is_zero()).then_some(Written {
        form,
        lead: Duration::ZERO,
        from: Duration::ZERO,
        until: Some(until),
        warn_at: None,
    })
}

/// More than ten years is no window.
fn seconds(number: f64, unit: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(number * unit).ok().filter(|time| *time <= Duration::from_secs(315_360_000))
}

struct Cursor<'t> {
    rest: &'t str,
}

impl Cursor<'_> {
    fn spaces(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn sign(&mut self, sign: &str) -> bool {
        self.spaces();
        let found = self.rest.strip_prefix(sign);
        self.rest = found.unwrap_or(self.rest);
        found.is_some()
    }

    /// A whole word, however it is capitalised.
    fn word(&mut self, word: &str) -> bool {
        self.spaces();
        let length = letters(self.rest);
        let found = self.rest[..length].eq_ignore_ascii_case(word);
        if found {
            self.rest = &self.rest[length..];
        }
        found
    }

    fn number(&mut self) -> Option<f64> {
        self.spaces();
        let digits = |text: &str| text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let mut end = digits(self.rest);
        if end == 0 {
            return None;
        }
        // `0..5` is a range, `0.5` is a number.
        if let Some(fraction) = self.rest[end..].strip_prefix('.')
            && digits(fraction) > 0
        {
            end += 1 + digits(fraction);
        }
        let number = self.rest[..end].parse().ok();
        self.rest = &self.rest[end..];
        number
    }

    /// A unit, as seconds.
    fn unit(&mut self) -> Option<f64> {
        let text = self.rest.trim_start();
        let length = letters(text);
        let seconds = match text[..length].to_ascii_lowercase().as_str() {
            "s" | "sec" | "second" | "seconds" => 1.0,
            "m" | "min" | "mins" | "minute" | "minutes" => 60.0,
            "h" | "hr" | "hrs" | "hour" | "hours" => 3_600.0,
            "d" | "day" | "days" => 86_400.0,
            "w" | "week" | "weeks" => 604_800.0,
            _ => return None,
        };
        let rest = &text[length..];
        // `5 m2` has no unit.
        if rest.starts_with(|c: char| c.is_alphanumeric() || c == '_') {
            return None;
        }
        self.rest = rest;
        Some(seconds)
    }

    fn duration(&mut self) -> Option<Duration> {
        let number = self.number()?;
        seconds(number, self.unit()?)
    }

    fn dash(&mut self) -> Option<()> {
        if self.word("to") {
            return Some(());
        }
        ["..", "-", "–", "—", "−"].iter().any(|dash| self.sign(dash)).then_some(())
    }
}

/// How many bytes of letters a text begins with.
fn letters(text: &str) -> usize {
    text.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From, until and the first number of `first A-B`, in seconds.
    fn read(text: &str) -> Option<(WindowForm, u64, Option<u64>, Option<u64>)> {
        let written = parse(text, true)?;
        let secs = |time: Duration| time.as_secs();
        Some((written.form, secs(written.from), written.until.map(secs), written.warn_at.map(secs)))
    }

    /// Every form of a window is read, in any case, with any dash, with units on either side.
    #[test]
    fn windows_are_read() {
        use WindowForm::{Budget, Every, First, Open, Range, TPlus, Within};
        for (text, form, from, until, warn) in [
            ("0-5 minutes", Range, 0, Some(300), None),
            ("0–5 min", Range, 0, Some(300), None),
            ("5 — 15 MINUTES", Range, 300, Some(900), None),
            ("5−15m", Range, 300, Some(900), None),
            ("0..5 min", Range, 0, Some(300), None),
            ("5 to 15 mins", Range, 300, Some(900), None),
            ("0.5-1.5 h", Range, 1_800, Some(5_400), None),
            ("15 min – 2 h", Range, 900, Some(7_200), None),
            ("15 min - 30", Range, 900, Some(1_800), None),
            ("minutes 0-5", Range, 0, Some(300), None),
            ("Minutes 5 - 15", Range, 300, Some(900), None),
            ("1-2 weeks", Range, 604_800, Some(1_209_600), None),
            ("First 5–10 Minutes", Range, 0, Some(600), Some(300)),
            ("first 5 minutes", First, 0, Some(300), None),
            ("First 1 hour", First, 0, Some(3_600), None),
            ("30+ minutes", Open, 1_800, None, None),
            ("30 + min", Open, 1_800, None, None),
            ("after 1 h", Open, 3_600, None, None),
            ("> 30 min", Open, 1_800, None, None),
            ("within 15 minutes", Within, 0, Some(900), None),
            ("by 15 min", Within, 0, Some(900), None),
            ("Under 2h", Within, 0, Some(7_200), None),
            ("<15min", Within, 0, Some(900), None),
            ("<= 15 min", Within, 0, Some(900), None),
            ("10 min", Budget, 0, Some(600), None),
            ("90s", Budget, 0, Some(90), None),
            ("T+15", TPlus, 900, None, None),
            ("T+15-30", TPlus, 900, Some(1_800), None),
            ("t+1h – T+2h", TPlus, 3_600, Some(7_200), None),
            ("T+0 to 5 min", TPlus, 0, Some(300), None),
            ("T+30 s", TPlus, 30, None, None),
            ("every 15 min", Every, 900, None, None),
        ] {
            assert_eq!(read(text), Some((form, from, until, warn)), "{text}");
        }
        let before = parse("T-30", true).unwrap();
        assert_eq!(
            (before.lead, before.from, before.until),
            (Duration::from_secs(1_800), Duration::ZERO, Some(Duration::ZERO))
        );
        assert!(!before.is_inverted());
        assert!(parse("15-5 min", true).unwrap().is_inverted());
    }

    /// A text with anything else in it is no window, however much it looks like one.
    #[test]
    fn other_texts_are_no_windows() {
        for text in [
            "",
            "1-3 replicas",
            "80-90%",
            "0-5",
            "first 5",
            "first 5-10",
            "30+",
            "5",
            "minutes",
            "about 5 minutes",
            "0-5 minutes max",
            "0-5 minutes, p99",
            "v1-2 min",
            "5 min 30",
            "T+",
            "T + 5",
            "T+5 replicas",
            "every",
            "every minute",
            "every 0 min",
            "0 min",
            "2024-01-02",
            "1-2-3 min",
            "5 minutesque",
            "within reason",
            "24/7",
            "1e9 h",
            "99999999999999999999 weeks",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
        // A plain duration only fills a parenthesis.
        assert_eq!(parse("10 min", false), None);
        assert!(parse("0-10 min", false).is_some());
    }

    /// A heading may begin with its time; what follows is its title.
    #[test]
    fn a_leading_time_is_cut_off() {
        for (text, rest) in [
            ("T+5: Triage", Some("Triage")),
            ("T+5 Triage", Some("Triage")),
            ("T+0–5 min – Triage", Some("Triage")),
            ("T+5 - 3 replicas", Some("3 replicas")),
            ("T+15 Mitigate", Some("Mitigate")),
            ("T-30 min: Announce", Some("Announce")),
            ("T+5", Some("")),
            ("T+5x: no", None),
            ("Team: no", None),
            ("TCP", None),
        ] {
            assert_eq!(leading(text).map(|(_, length)| &text[length..]), rest, "{text}");
        }
    }
}
