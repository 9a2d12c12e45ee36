//! Secrets: written in a config only as a reference, held in one type that never prints its content.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Where a secret is kept: `env:NAME` or `file:PATH`. Printing it shows the place, never the content.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum SecretRef {
    /// An environment variable of the process.
    Env(String),
    /// A file whose content, without the last line end, is the secret.
    File(String),
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "env:{name}"),
            Self::File(path) => write!(f, "file:{path}"),
        }
    }
}

impl FromStr for SecretRef {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("env", name)) if !name.is_empty() => Ok(Self::Env(name.to_owned())),
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(path.to_owned())),
            // The text may be the secret itself: it is not repeated.
            _ => {
                Err("a secret is written as a reference, `env:NAME` or `file:PATH`, never as itself"
                    .to_owned())
            }
        }
    }
}

impl Serialize for SecretRef {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SecretRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for SecretRef {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "SecretRef".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "format": "unship-secret",
            "pattern": "^(env|file):.+",
            "description": "where a secret is kept: `env:NAME` or `file:PATH`",
        })
    }
}

/// The content of a secret. `Debug` and `Display` print `[redacted]`; it cannot be serialised.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes the content.
    pub fn new(content: impl Into<String>) -> Self {
        Self(content.into())
    }

    /// The content, for the one place that sends it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// The secrets of a config, read once when it is loaded.
#[derive(Clone, Default, Debug)]
pub struct Secrets(BTreeMap<SecretRef, Secret>);

impl Secrets {
    /// Adds one.
    pub fn insert(&mut self, reference: SecretRef, secret: Secret) {
        self.0.insert(reference, secret);
    }

    /// The content behind a reference, if it was read.
    pub fn get(&self, reference: &SecretRef) -> Option<&Secret> {
        self.0.get(reference)
    }

    /// Replaces every secret that occurs in the text. For text that came from outside: an error page, a program's output.
    pub fn redact(&self, text: &str) -> String {
        let mut forms: Vec<String> = Vec::new();
        for secret in self.0.values().filter(|secret| secret.0.len() >= 4) {
            forms.push(secret.0.clone());
            // A program's output comes line by line. Short lines are not peculiar to a secret.
            forms.extend(
                secret.0.lines().filter(|line| line.len() >= 8 && *line != secret.0).map(str::to_owned),
            );
            // As `Debug` writes it, and as JSON does.
            let debug = secret.0.escape_debug().to_string();
            let json = secret.0.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            forms.extend([debug, json].into_iter().filter(|form| *form != secret.0));
        }
        // The longest first: of two secrets that begin alike, the shorter would leave the rest of the longer.
        forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
        let mut text = text.to_owned();
        for form in forms {
            if text.contains(&form) {
                text = text.replace(&form, "[redacted]");
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No formatting of a secret or of what holds it shows its content.
    #[test]
    fn a_secret_never_prints() {
        let mut secrets = Secrets::default();
        let reference: SecretRef = "env:TOKEN".parse().unwrap();
        secrets.insert(reference.clone(), Secret::new("hunter2hunter2"));
        let secret = secrets.get(&reference).unwrap();
        for text in
            [format!("{secret}"), format!("{secret:?}"), format!("{secrets:#?}"), format!("{reference}")]
        {
            assert!(!text.contains("hunter2"), "{text}");
        }
        assert_eq!(secrets.redact("bad token hunter2hunter2!"), "bad token [redacted]!");
        secrets.insert("env:LONGER".parse().unwrap(), Secret::new("hunter2hunter2-and-\"more\""));
        for text in ["hunter2hunter2-and-\"more\"", r#"hunter2hunter2-and-\"more\""#] {
            assert_eq!(secrets.redact(text), "[redacted]");
        }
    }

    /// A secret pasted where a reference belongs is refused without being repeated.
    #[test]
    fn a_pasted_secret_is_not_repeated() {
        let error = "hunter2hunter2".parse::<SecretRef>().unwrap_err();
        assert!(!error.contains("hunter2"), "{error}");
    }
}
