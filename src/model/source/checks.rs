//! What a `probe` source counts, as it is written: `failed`, or `failed of live, ready`.

use crate::model::ProbeName;

/// A count over the checks of a service.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CheckSeries {
    /// What is counted.
    pub counted: Counted,
    /// The probes whose checks count; empty: all of the service.
    pub probes: Vec<ProbeName>,
}

/// What is counted of checks. One that could not be run counts nowhere.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Counted {
    /// All of them.
    Checks,
    /// Those that found the service unhealthy.
    Failed,
    /// Those that found it degraded.
    Degraded,
    /// How long they took: those that were answered, and those that were waited for to the end of their time.
    Duration,
}

impl Counted {
    /// All that can be counted, with their words.
    pub const ALL: [(&'static str, Self); 4] = [
        ("checks", Self::Checks),
        ("failed", Self::Failed),
        ("degraded", Self::Degraded),
        ("duration", Self::Duration),
    ];
}

impl CheckSeries {
    /// Reads it.
    ///
    /// # Errors
    ///
    /// What is wrong with it, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut words = text.trim().splitn(2, char::is_whitespace);
        let word = words.next().unwrap_or_default();
        let rest = words.next().unwrap_or_default().trim();
        let Some((_, counted)) = Counted::ALL.into_iter().find(|(known, _)| *known == word) else {
            return Err(if word.is_empty() {
                "it is empty".to_owned()
            } else {
                format!("nothing of a check is called `{word}`")
            });
        };
        if rest.is_empty() {
            return Ok(Self { counted, probes: Vec::new() });
        }
        let Some(names) = rest.strip_prefix("of").filter(|names| names.starts_with(char::is_whitespace))
        else {
            return Err(format!("behind `{word}` there can only be `of` and the names of probes"));
        };
        let probes: Vec<ProbeName> = names.split(',').map(|name| ProbeName::from(name.trim())).collect();
        if probes.iter().any(|name| name.as_str().is_empty()) {
            return Err("behind `of` the name of a probe is missing".to_owned());
        }
        Ok(Self { counted, probes })
    }

    /// Whether the checks of a probe count.
    pub fn counts(&self, probe: &ProbeName) -> bool {
        self.probes.is_empty() || self.probes.contains(probe)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A word, and which probes; everything else is refused in words.
    #[test]
    fn written_and_read() {
        let read = |text: &str| CheckSeries::parse(text);
        assert_eq!(read("failed"), Ok(CheckSeries { counted: Counted::Failed, probes: Vec::new() }));
        let two = CheckSeries { counted: Counted::Checks, probes: vec!["live".into(), "ready".into()] };
        assert_eq!(read(" checks  of live , ready "), Ok(two));
        for (text, wanted) in [
            ("", "it is empty"),
            ("fails", "nothing of a check is called `fails`"),
            ("failed live", "behind `failed` there can only be `of` and the names of probes"),
            ("failed often", "behind `failed` there can only be `of` and the names of probes"),
            ("failed of ", "behind `failed` there can only be `of` and the names of probes"),
            ("failed of live,", "behind `of` the name of a probe is missing"),
        ] {
            assert_eq!(read(text), Err(wanted.to_owned()), "{text}");
        }
    }
}
