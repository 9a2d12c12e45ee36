//! What the JSON Schema of [`Config`] asks of a value, in the few forms that occur in it.

use std::sync::LazyLock;

use serde_json::Value as Json;

use super::Config;

/// The JSON Schema of `unship.toml`, as editors read it.
pub fn json_schema() -> &'static Json {
    static SCHEMA: LazyLock<Json> = LazyLock::new(|| schemars::schema_for!(Config).to_value());
    &SCHEMA
}

/// What a value has to be.
#[derive(Debug)]
pub(super) enum Shape {
    /// A table of known keys.
    Keys {
        /// Each key with the schema of its value.
        keys: Vec<(&'static str, &'static Json)>,
        /// Those that must be there.
        required: Vec<&'static str>,
    },
    /// A table whose keys are names.
    Names(&'static Json),
    /// A table of one of several forms, told apart by a key.
    Tagged {
        /// The key.
        tag: &'static str,
        /// Its values, each with the schema of the whole table.
        forms: Vec<(&'static str, &'static Json)>,
    },
    /// One of some words.
    Words(Vec<&'static str>),
    /// An array.
    List(&'static Json),
    /// A string.
    Text,
    /// A duration.
    Span,
    /// A number, a percentage or a latency.
    Quantity,
    /// A reference to a secret.
    Secret,
    /// An instant.
    Instant,
    /// A whole number.
    Integer {
        /// The least.
        least: i64,
        /// The most.
        most: i64,
    },
    /// A number.
    Number,
    /// Yes or no.
    Boolean,
    /// Nothing is asked.
    Anything,
}

impl Shape {
    /// Reads a schema.
    pub(super) fn of(schema: &'static Json) -> Self {
        let schema = resolve(schema);
        if let Some(forms) = schema.get("oneOf").or_else(|| schema.get("anyOf")).and_then(Json::as_array) {
            return one_of(forms);
        }
        if let Some(words) = words(schema) {
            return Self::Words(words);
        }
        match schema.get("format").and_then(Json::as_str) {
            Some("unship-span") => return Self::Span,
            Some("unship-quantity") => return Self::Quantity,
            Some("unship-secret") => return Self::Secret,
            Some("date-time") => return Self::Instant,
            _ => {}
        }
        match kind(schema) {
            Some("object") => table(schema),
            Some("array") => schema.get("items").map_or(Self::Anything, Self::List),
            Some("string") => Self::Text,
            Some("integer") => integer(schema),
            Some("number") => Self::Number,
            Some("boolean") => Self::Boolean,
            _ => Self::Anything,
        }
    }

    /// What is expected, for a message.
    pub(super) fn expected(&self) -> String {
        match self {
            Self::Keys { .. } | Self::Names(_) | Self::Tagged { .. } => "a table".to_owned(),
            Self::Words(words) => format!("one of {}", words.join(", ")),
            Self::List(items) => match Self::of(items) {
                Self::Text => "an array of strings".to_owned(),
                Self::Keys { .. } => "an array of tables".to_owned(),
                other => format!("an array, each item {}", other.expected()),
            },
            Self::Text => "a string".to_owned(),
            Self::Span => "a duration with its unit, like `30s`, `500ms` or `1m30s`".to_owned(),
            Self::Quantity => "a number, a percentage like `5%` or a latency like `2s`".to_owned(),
            Self::Secret => "a reference to a secret, `env:NAME` or `file:PATH`".to_owned(),
            Self::Instant => "an instant like `2026-11-27T18:00:00Z`".to_owned(),
            Self::Integer { least, most: i64::MAX } => format!("a whole number, at least {least}"),
            Self::Integer { least, most } => format!("a whole number from {least} to {most}"),
            Self::Number => "a number".to_owned(),
            Self::Boolean => "`true` or `false`".to_owned(),
            Self::Anything => "anything".to_owned(),
        }
    }
}

/// Follows references, and looks through "this or null": in TOML an absent value is absent.
fn resolve(schema: &'static Json) -> &'static Json {
    let mut schema = schema;
    // The schema of a config is not that deep; a circle of references would end here.
    for _ in 0..16 {
        if let Some(name) = schema.get("$ref").and_then(Json::as_str) {
            let Some(target) = name.strip_prefix('#').and_then(|pointer| json_schema().pointer(pointer))
            else {
                return schema;
            };
            schema = target;
        } else if let Some([one]) =
            schema.get("anyOf").and_then(Json::as_array).map(|forms| without_null(forms)).as_deref()
        {
            schema = one;
        } else {
            return schema;
        }
    }
    schema
}

fn without_null(forms: &'static [Json]) -> Vec<&'static Json> {
    forms.iter().filter(|form| form.get("type").and_then(Json::as_str) != Some("null")).collect()
}

/// The type, without "or null".
fn kind(schema: &'static Json) -> Option<&'static str> {
    match schema.get("type")? {
        Json::String(kind) => Some(kind),
        Json::Array(kinds) => kinds.iter().filter_map(Json::as_str).find(|kind| *kind != "null"),
        _ => None,
    }
}

/// The words of an enum without content.
fn words(schema: &'static Json) -> Option<Vec<&'static str>> {
    if let Some(word) = schema.get("const").and_then(Json::as_str) {
        return Some(vec![word]);
    }
    schema.get("enum").and_then(Json::as_array).map(|words| words.iter().filter_map(Json::as_str).collect())
}

fn one_of(forms: &'static [Json]) -> Shape {
    let forms = without_null(forms);
    let all: Option<Vec<_>> = forms.iter().map(|form| words(resolve(form))).collect();
    if let Some(all) = all {
        return Shape::Words(all.into_iter().flatten().collect());
    }
    let mut tagged = Vec::new();
    let mut tag = None;
    for form in forms {
        let constant = resolve(form).get("properties").and_then(Json::as_object).and_then(|properties| {
            properties.iter().find_map(|(key, value)| Some((key.as_str(), value.get("const")?.as_str()?)))
        });
        let Some((key, word)) = constant else {
            return Shape::Anything;
        };
        tag = Some(key);
        tagged.push((word, form));
    }
    tag.map_or(Shape::Anything, |tag| Shape::Tagged { tag, forms: tagged })
}

fn table(schema: &'static Json) -> Shape {
    let Some(properties) = schema.get("properties").and_then(Json::as_object) else {
        return schema
            .get("additionalProperties")
            .filter(|rest| rest.is_object())
            .map_or(Shape::Anything, Shape::Names);
    };
    let required = schema.get("required").and_then(Json::as_array);
    Shape::Keys {
        keys: properties.iter().map(|(key, value)| (key.as_str(), value)).collect(),
        required: required.into_iter().flatten().filter_map(Json::as_str).collect(),
    }
}

fn integer(schema: &'static Json) -> Shape {
    let (least, most) = match schema.get("format").and_then(Json::as_str) {
        Some("uint8") => (0, i64::from(u8::MAX)),
        Some("uint16") => (0, i64::from(u16::MAX)),
        Some("uint32") => (0, i64::from(u32::MAX)),
        Some("uint64" | "uint") => (0, i64::MAX),
        Some("int32") => (i64::from(i32::MIN), i64::from(i32::MAX)),
        _ => (i64::MIN, i64::MAX),
    };
    let bound = |name: &str| schema.get(name).and_then(Json::as_i64);
    Shape::Integer {
        least: bound("minimum").unwrap_or(least).max(least),
        most: bound("maximum").unwrap_or(most).min(most),
    }
}

/// The first sentence of what the schema says of a key.
pub(super) fn description(schema: &'static Json) -> Option<&'static str> {
    let text = schema.get("description").or_else(|| resolve(schema).get("description"))?.as_str()?;
    let end = text.find(". ").or_else(|| text.find(".\n"));
    Some(text[..end.unwrap_or(text.len())].trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What stands for a document of somebody else's, which may be anything.
    const FREE: [&str; 2] = [".smoke.*.tests.*.json", ".smoke.*.tests.*.expect"];

    /// Every part of the schema is of a form that the checker understands: nothing in the file goes unchecked.
    #[test]
    fn nothing_is_anything() {
        fn look(schema: &'static Json, path: &str) {
            match Shape::of(schema) {
                Shape::Anything if FREE.contains(&path) => {}
                Shape::Anything => panic!("`{path}` is not checked"),
                Shape::Keys { keys, .. } => {
                    for (key, schema) in keys {
                        assert!(
                            description(schema).is_some() || key == "kind",
                            "`{path}.{key}` has no description"
                        );
                        look(schema, &format!("{path}.{key}"));
                    }
                }
                Shape::Tagged { forms, .. } => {
                    for (word, schema) in forms {
                        look(schema, &format!("{path}({word})"));
                    }
                }
                Shape::Names(schema) | Shape::List(schema) => look(schema, &format!("{path}.*")),
                _ => {}
            }
        }
        look(json_schema(), "");
    }
}
