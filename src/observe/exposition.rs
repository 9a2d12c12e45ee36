//! Reading the Prometheus text format 0.0.4 and OpenMetrics text. Pure.
//!
//! Line by line over the text; only an escaped label value is copied. Comments, types and help are passed over, and so are
//! timestamps and exemplars: a reading speaks for the moment it was asked for. One broken line fails the whole text, as it
//! does in Prometheus: half a reading would look like series that have vanished.
//! <https://prometheus.io/docs/instrumenting/exposition_formats/>,
//! <https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md>

use std::borrow::Cow;

use super::health::clip;

/// One line of an exposition.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Series<'a> {
    /// The metric's name.
    pub name: Cow<'a, str>,
    /// Its labels, in the order they are written.
    pub labels: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    /// Its value; may be infinite or not a number.
    pub value: f64,
}

impl Series<'_> {
    /// The value of a label.
    pub fn label(&self, wanted: &str) -> Option<&str> {
        self.labels.iter().find(|(label, _)| label == wanted).map(|(_, value)| value.as_ref())
    }
}

/// A line that is not in the format.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("line {line} is not in the Prometheus text format ({problem}): `{text}`")]
pub struct ExpositionError {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub problem: &'static str,
    /// Its first 80 characters.
    pub text: String,
}

/// Gives every series of a text to `take`, in order, until the text ends or says `# EOF`.
pub fn parse<'a>(text: &'a str, mut take: impl FnMut(&Series<'a>)) -> Result<(), ExpositionError> {
    let mut series = Series::default();
    for (number, line) in text.split('\n').enumerate() {
        let line = line.trim_matches(BLANKS);
        if line.is_empty() {
            continue;
        }
        if let Some(comment) = line.strip_prefix('#') {
            if comment == " EOF" {
                break;
            }
            continue;
        }
        read_line(line, &mut series).map_err(|problem| ExpositionError {
            line: number + 1,
            problem,
            text: clip(line, 80),
        })?;
        take(&series);
    }
    Ok(())
}

/// What may stand between the parts of a line; a carriage return comes from a text with the line ends of Windows.
const BLANKS: [char; 3] = [' ', '\t', '\r'];

fn read_line<'a>(line: &'a str, series: &mut Series<'a>) -> Result<(), &'static str> {
    series.labels.clear();
    let (name, rest) = bare(line, true);
    series.name = Cow::Borrowed(name);
    let mut rest = rest.trim_start_matches(BLANKS);
    if let Some(inside) = rest.strip_prefix('{') {
        rest = labels(inside, series)?;
    }
    if series.name.is_empty() {
        return Err("no metric name");
    }
    let mut parts = rest.split(BLANKS).filter(|part| !part.is_empty());
    series.value = number(parts.next().ok_or("no value")?).ok_or("the value is not a number")?;
    match parts.next() {
        None | Some("#") => return Ok(()),
        Some(stamp) if number(stamp).is_some() => {}
        Some(_) => return Err("the timestamp is not a number"),
    }
    match parts.next() {
        None | Some("#") => Ok(()),
        Some(_) => Err("something follows the timestamp"),
    }
}

/// Labels up to the closing brace; answers with what follows it.
fn labels<'a>(mut rest: &'a str, series: &mut Series<'a>) -> Result<&'a str, &'static str> {
    loop {
        rest = rest.trim_start_matches(BLANKS);
        if let Some(after) = rest.strip_prefix('}') {
            return Ok(after);
        }
        let (label, after): (Cow<'a, str>, &str) = if rest.starts_with('"') {
            let (label, after) = string(rest)?;
            let next = after.trim_start_matches(BLANKS);
            if series.name.is_empty() && next.starts_with([',', '}']) {
                series.name = label;
                rest = next.strip_prefix(',').unwrap_or(next);
                continue;
            }
            (label, after)
        } else {
            let (label, after) = bare(rest, false);
            (Cow::Borrowed(label), after)
        };
        if label.is_empty() {
            return Err("a label is missing");
        }
        let after = after.trim_start_matches(BLANKS).strip_prefix('=').ok_or("no `=` after a label")?;
        let after = after.trim_start_matches(BLANKS);
        if !after.starts_with('"') {
            return Err("a label's value is not in quotes");
        }
        let (value, after) = string(after)?;
        if series.labels.iter().any(|(there, _)| *there == label) {
            return Err("a label occurs twice");
        }
        series.labels.push((label, value));
        rest = after.trim_start_matches(BLANKS);
        match rest.strip_prefix(',') {
            Some(after) => rest = after,
            None if rest.starts_with('}') => {}
            None => return Err("no `,` or `}` after a label"),
        }
    }
}

/// The name at the front, and what follows. Colons are for metric names only.
fn bare(text: &str, colon: bool) -> (&str, &str) {
    let end = text
        .bytes()
        .enumerate()
        .position(|(at, byte)| {
            !(byte.is_ascii_alphabetic()
                || byte == b'_'
                || (colon && byte == b':')
                || (at > 0 && byte.is_ascii_digit()))
        })
        .unwrap_or(text.len());
    text.split_at(end)
}

/// The quoted text at the front, and what follows its closing quote.
fn string(text: &str) -> Result<(Cow<'_, str>, &str), &'static str> {
    let inside = &text[1..];
    let end = inside.find(['"', '\\']).ok_or("a quote is not closed")?;
    if inside.as_bytes()[end] == b'"' {
        return Ok((Cow::Borrowed(&inside[..end]), &inside[end + 1..]));
    }
    let mut out = inside[..end].to_owned();
    let mut chars = inside[end..].char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return Ok((Cow::Owned(out), &inside[end + at + 1..])),
            '\\' => match chars.next() {
                Some((_, 'n')) => out.push('\n'),
                Some((_, char @ ('"' | '\\'))) => out.push(char),
                // Not an escape: both characters stand for themselves, as in Prometheus.
                Some((_, char)) => out.extend(['\\', char]),
                None => break,
            },
            _ => out.push(char),
        }
    }
    Err("a quote is not closed")
}

/// A number as Go writes it: `+Inf` and `NaN` included.
fn number(text: &str) -> Option<f64> {
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<Vec<(String, f64)>, ExpositionError> {
        let mut out = Vec::new();
        parse(text, |series| {
            let mut shown = series.name.to_string();
            for (label, value) in &series.labels {
                write!(shown, " {label}={value}").unwrap();
            }
            out.push((shown, series.value));
        })?;
        Ok(out)
    }

    /// Everything that the two formats allow on a line is understood.
    #[test]
    fn lines_of_both_formats() {
        let text = "# HELP requests_total How many.\n# TYPE requests_total counter\n\
            requests_total 3\n\
            requests_total{code=\"200\",path=\"/a b\"} 1027 1395066363000\n\
            requests_total { code = \"500\" , } 3.5e2\r\n\
            \t requests_total{} +Inf  \n\n#\n# a comment\n\
            escaped{path=\"C:\\\\DIR\\n\\\"x\\\" \\d\"} -Inf\n\
            latency_bucket{le=\"+Inf\"} 17 # {trace=\"a\"} 0.67 1.5\n\
            latency_bucket{le=\"1\"} 17 1520879607.789 # {} 1\n\
            a:rule 0.25\n\
            {\"http.requests\",\"the zone\"=\"a\"} 4\n\
            # EOF\nthis is not read";
        let read = read(text).unwrap();
        let wanted = [
            ("requests_total", 3.0),
            ("requests_total code=200 path=/a b", 1027.0),
            ("requests_total code=500", 350.0),
            ("requests_total", f64::INFINITY),
            ("escaped path=C:\\DIR\n\"x\" \\d", f64::NEG_INFINITY),
            ("latency_bucket le=+Inf", 17.0),
            ("latency_bucket le=1", 17.0),
            ("a:rule", 0.25),
            ("http.requests the zone=a", 4.0),
        ];
        assert_eq!(read, wanted.map(|(name, value)| (name.to_owned(), value)));
    }

    /// A value that is not a number is passed on as such, to be called missing by whoever asked for it.
    #[test]
    fn not_a_number_is_a_value() {
        assert!(read("up NaN").unwrap()[0].1.is_nan());
    }

    /// A broken line is named by its number and its text, so that the exporter's author can find it.
    #[test]
    fn a_broken_line_is_named() {
        for (line, problem) in [
            ("<html>", "no metric name"),
            ("up", "no value"),
            ("up one", "the value is not a number"),
            ("up 1 now", "the timestamp is not a number"),
            ("up 1 2 3", "something follows the timestamp"),
            ("up{a=1} 1", "a label's value is not in quotes"),
            ("up{a=\"1} 1", "a quote is not closed"),
            ("up{a=\"1\\", "a quote is not closed"),
            ("up{a} 1", "no `=` after a label"),
            ("up{=\"1\"} 1", "a label is missing"),
            ("up{a=\"1\" b=\"2\"} 1", "no `,` or `}` after a label"),
            ("up{a=\"1\",a=\"2\"} 1", "a label occurs twice"),
            ("up{a=\"1\"", "no `,` or `}` after a label"),
            ("up{", "a label is missing"),
        ] {
            let error = read(&format!("good 1\n{line}\ngood 1\n")).unwrap_err();
            assert_eq!((error.line, error.problem, error.text.as_str()), (2, problem, line));
        }
        let long = format!("up {}", "x".repeat(200));
        assert_eq!(read(&long).unwrap_err().text.chars().count(), 81);
    }

    fn escape(value: &str) -> String {
        value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
    }

    proptest! {
        /// No text makes the reader panic.
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,60}", lines in r#"([a-z{}="\\# ,0-9.\n]|ä){0,60}"#) {
            let _ = parse(&text, |_| ());
            let _ = parse(&lines, |_| ());
        }

        /// What is printed by the rules of the format is read back unchanged.
        #[test]
        fn printed_and_read(
            name in "[a-zA-Z_:][a-zA-Z0-9_:]{0,12}",
            labels in prop::collection::btree_map("[a-zA-Z_][a-zA-Z0-9_]{0,8}", any::<String>(), 0..4),
            value in any::<f64>(),
            stamp in prop::option::of(any::<i64>()),
        ) {
            let inside: Vec<String> =
                labels.iter().map(|(label, value)| format!("{label}=\"{}\"", escape(value))).collect();
            let stamp = stamp.map(|stamp| format!(" {stamp}")).unwrap_or_default();
            let text = format!("{name}{{{}}} {value:?}{stamp}\n", inside.join(","));
            let mut seen = 0;
            parse(&text, |series| {
                seen += 1;
                assert_eq!(series.name, name);
                assert!(series.value.to_bits() == value.to_bits() || (series.value.is_nan() && value.is_nan()));
                let read: Vec<_> =
                    series.labels.iter().map(|(label, value)| (label.to_string(), value.to_string())).collect();
                assert_eq!(read, labels.clone().into_iter().collect::<Vec<_>>());
            }).unwrap();
            prop_assert_eq!(seen, 1);
        }
    }
}
