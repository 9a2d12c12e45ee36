//! What the reading programs print. The form is [`Inventory`] as JSON, taken a little more generously than unship writes
//! it: whoever writes these programs has `jq` at hand, not a schema.
//!
//! Every mistake is named by the path to it, like `releases[2].created_at`.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::Value;

use crate::model::release::{Arm, Inventory, Release, Share};
use crate::model::{ReleaseRef, Version};

/// What one program printed. What is none was left out (or `null`).
#[derive(Debug, Default, PartialEq)]
pub(super) struct Printed {
    pub(super) releases: Option<Vec<PrintedRelease>>,
    pub(super) traffic: Option<Vec<Share>>,
    settled: Option<bool>,
    failed: Option<String>,
    schema: Option<u64>,
    maintenance: Option<bool>,
    instances: Option<u32>,
    revision: Option<String>,
}

/// A release, of which it may not be known whether it runs.
#[derive(Debug, PartialEq)]
pub(super) struct PrintedRelease {
    release: Release,
    running: Option<bool>,
}

/// What `observe` printed: an object.
pub(super) fn observe(output: &[u8]) -> Result<Printed, String> {
    let value = parse(output)?;
    let top = At { path: String::new(), value: &value };
    let release = |entry: &At<'_>| {
        Ok::<_, String>(PrintedRelease {
            release: Release {
                version: Version::new(entry.need("version")?.name()?),
                reference: ReleaseRef::new(entry.need("reference")?.name()?),
                created_at: entry.need("created_at")?.timestamp()?,
                author: entry.get("author")?.map(|author| author.name()).transpose()?,
                schema: entry.get("schema")?.map(|schema| schema.whole()).transpose()?,
                running: false,
            },
            running: entry.get("running")?.map(|running| running.yes_or_no()).transpose()?,
        })
    };
    Ok(Printed {
        releases: top
            .get("releases")?
            .map(|list| list.entries()?.iter().map(release).collect())
            .transpose()?,
        traffic: top.get("traffic")?.map(|list| traffic(&list)).transpose()?,
        settled: top.get("settled")?.map(|settled| settled.yes_or_no()).transpose()?,
        failed: top.get("failed")?.map(|reason| reason.name()).transpose()?,
        schema: top.get("schema")?.map(|schema| schema.whole()).transpose()?,
        maintenance: top.get("maintenance")?.map(|on| on.yes_or_no()).transpose()?,
        instances: top.get("instances")?.map(|count| count.count()).transpose()?,
        revision: top.get("revision")?.map(|revision| revision.name()).transpose()?,
    })
}

/// What `releases` printed: an array of releases, or an object as from `observe`.
pub(super) fn releases(output: &[u8]) -> Result<Printed, String> {
    wrapped("releases", output)
}

/// What `current` printed: an array of shares, an object as from `observe`, or just the reference of the one release
/// that serves everything as a string.
pub(super) fn current(output: &[u8]) -> Result<Printed, String> {
    if let Value::String(reference) = parse(output)? {
        let reference = ReleaseRef::new(reference);
        let share = Share { reference, arm: Arm::Stable, percent: 100 };
        return Ok(Printed { traffic: Some(vec![share]), ..Printed::default() });
    }
    wrapped("traffic", output)
}

/// Reads an array as if it stood under `field` of an object. The object has to have this field.
fn wrapped(field: &str, output: &[u8]) -> Result<Printed, String> {
    let value = parse(output)?;
    let bytes = if value.is_array() {
        serde_json::json!({ field: value }).to_string().into_bytes()
    } else {
        At { path: String::new(), value: &value }.need(field)?;
        output.to_vec()
    };
    observe(&bytes)
}

impl Printed {
    /// Takes from another what this one left out.
    pub(super) fn or(self, other: Self) -> Self {
        Self {
            releases: self.releases.or(other.releases),
            traffic: self.traffic.or(other.traffic),
            settled: self.settled.or(other.settled),
            failed: self.failed.or(other.failed),
            schema: self.schema.or(other.schema),
            maintenance: self.maintenance.or(other.maintenance),
            instances: self.instances.or(other.instances),
            revision: self.revision.or(other.revision),
        }
    }

    /// The inventory, with what was left out filled in: nothing is in progress unless said, and a release with traffic
    /// runs unless said.
    pub(super) fn complete(self) -> Result<Inventory, String> {
        let missing = |field: &str, program: &str| {
            format!("`{field}`: missing; print it there, or give a program under `{program}` that does")
        };
        let printed = self.releases.ok_or_else(|| missing("releases", "releases"))?;
        let traffic = self.traffic.ok_or_else(|| missing("traffic", "current"))?;
        let sum: u32 = traffic.iter().map(|share| u32::from(share.percent)).sum();
        if !traffic.is_empty() && sum != 100 {
            return Err(format!("`traffic`: the percents add up to {sum}, expected 100"));
        }
        let mut seen = BTreeSet::new();
        for (index, entry) in printed.iter().enumerate() {
            let reference = &entry.release.reference;
            if !seen.insert(reference.clone()) {
                return Err(format!("`releases[{index}].reference`: {reference:?} is there twice"));
            }
        }
        let mut inventory = Inventory {
            releases: Vec::new(),
            traffic,
            settled: self.settled.unwrap_or(true),
            failed: self.failed,
            schema: self.schema,
            maintenance: self.maintenance,
            instances: self.instances,
            revision: self.revision,
        };
        inventory.releases = printed
            .into_iter()
            .map(|PrintedRelease { release, running }| Release {
                running: running.unwrap_or_else(|| inventory.percent(&release.reference) > 0),
                ..release
            })
            .collect();
        // Newest first is what the rest of the house relies on; programs list in any order.
        inventory.releases.sort_by_key(|release| std::cmp::Reverse(release.created_at));
        Ok(inventory)
    }
}

fn traffic(list: &At<'_>) -> Result<Vec<Share>, String> {
    let entries = list.entries()?;
    let alone = entries.len() == 1;
    entries
        .iter()
        .map(|entry| {
            Ok(Share {
                reference: ReleaseRef::new(entry.need("reference")?.name()?),
                arm: match entry.get("arm")? {
                    Some(arm) => arm.arm()?,
                    // A release that is alone is not being compared with anything.
                    None if alone => Arm::Stable,
                    None => return Err(entry.missing("arm")),
                },
                percent: entry.need("percent")?.percent()?,
            })
        })
        .collect()
}

fn parse(output: &[u8]) -> Result<Value, String> {
    if output.trim_ascii().is_empty() {
        return Err("nothing was printed".to_owned());
    }
    serde_json::from_slice(output).map_err(|error| format!("not JSON: {error}"))
}

/// A value and the way to it.
struct At<'a> {
    path: String,
    value: &'a Value,
}

impl<'a> At<'a> {
    /// A field of an object; none if it is missing or `null`.
    fn get(&self, field: &str) -> Result<Option<At<'a>>, String> {
        let Value::Object(fields) = self.value else { return Err(self.expected("an object")) };
        Ok(fields
            .get(field)
            .filter(|value| !value.is_null())
            .map(|value| At { path: self.below(field), value }))
    }

    fn need(&self, field: &str) -> Result<At<'a>, String> {
        self.get(field)?.ok_or_else(|| self.missing(field))
    }

    fn below(&self, field: &str) -> String {
        if self.path.is_empty() { field.to_owned() } else { format!("{}.{field}", self.path) }
    }

    fn missing(&self, field: &str) -> String {
        format!("`{}`: missing", self.below(field))
    }

    fn expected(&self, what: &str) -> String {
        let found = match self.value {
            Value::Null => "null",
            Value::Bool(true) => "true",
            Value::Bool(false) => "false",
            Value::Number(number) => return format!("{}expected {what}, found {number}", self.place()),
            Value::String(_) => "a string",
            Value::Array(_) => "an array",
            Value::Object(_) => "an object",
        };
        format!("{}expected {what}, found {found}", self.place())
    }

    fn place(&self) -> String {
        if self.path.is_empty() { String::new() } else { format!("`{}`: ", self.path) }
    }

    fn entries(&self) -> Result<Vec<At<'a>>, String> {
        let Value::Array(entries) = self.value else { return Err(self.expected("an array")) };
        let entry = |(index, value)| At { path: format!("{}[{index}]", self.path), value };
        Ok(entries.iter().enumerate().map(entry).collect())
    }

    /// A string that is not empty. A whole number will do: build numbers are often printed as such.
    fn name(&self) -> Result<String, String> {
        match self.value {
            Value::String(text) if !text.is_empty() => Ok(text.clone()),
            Value::String(_) => Err(format!("{}expected a string, found an empty one", self.place())),
            Value::Number(number) if number.is_u64() => Ok(number.to_string()),
            // 1.10 would arrive as 1.1.
            _ => Err(self.expected("a string")),
        }
    }

    fn timestamp(&self) -> Result<Timestamp, String> {
        const WHAT: &str = "a time like `2026-01-31T12:00:00Z`";
        let Value::String(text) = self.value else { return Err(self.expected(WHAT)) };
        text.parse().map_err(|error| format!("{}expected {WHAT}: {error}", self.place()))
    }

    fn yes_or_no(&self) -> Result<bool, String> {
        self.value.as_bool().ok_or_else(|| self.expected("true or false"))
    }

    fn whole(&self) -> Result<u64, String> {
        self.value.as_u64().ok_or_else(|| self.expected("a whole number, 0 or more"))
    }

    fn count(&self) -> Result<u32, String> {
        u32::try_from(self.whole()?).map_err(|_| self.expected("a number of instances"))
    }

    fn percent(&self) -> Result<u8, String> {
        let whole =
            self.value.as_f64().filter(|number| (0.0..=100.0).contains(number) && number.fract() == 0.0);
        whole.map(|number| number as u8).ok_or_else(|| self.expected("a whole number from 0 to 100"))
    }

    fn arm(&self) -> Result<Arm, String> {
        const WHAT: &str = "`stable` or `canary`";
        match self.value {
            Value::String(word) => Arm::ALL
                .into_iter()
                .find(|arm| arm.word() == word)
                .ok_or_else(|| format!("{}expected {WHAT}, found `{word}`", self.place())),
            _ => Err(self.expected(WHAT)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: &str = r#"{
        "releases": [
            {"version": "2.8.0", "reference": "r1", "created_at": "2026-01-01T00:00:00Z", "colour": "blue"},
            {"version": 281, "reference": "r2", "created_at": "2026-01-02T00:00:00+01:00", "author": "kim", "schema": 7}
        ],
        "traffic": [
            {"reference": "r1", "arm": "stable", "percent": 100},
            {"reference": "r2", "arm": "canary", "percent": 0}
        ],
        "schema": null, "extra": {"anything": []}
    }"#;

    /// What a hand-written program prints is read with the defaults that the documentation promises.
    #[test]
    fn lenient_forms_are_read() {
        let inventory = observe(FULL.as_bytes()).unwrap().complete().unwrap();
        let newest = &inventory.releases[0];
        assert_eq!(
            (newest.version.as_str(), newest.reference.as_str(), newest.running, newest.schema),
            ("281", "r2", false, Some(7))
        );
        assert!(inventory.releases[1].running && inventory.settled && inventory.schema.is_none());
        assert!(inventory.serves_all(&ReleaseRef::new("r1")));
    }

    /// What unship itself writes as an inventory is read back as the same.
    #[test]
    fn the_own_form_is_read() {
        let mut inventory = observe(FULL.as_bytes()).unwrap().complete().unwrap();
        inventory.settled = false;
        inventory.maintenance = Some(true);
        inventory.revision = Some("41".to_owned());
        let text = serde_json::to_vec(&inventory).unwrap();
        assert_eq!(observe(&text).unwrap().complete().unwrap(), inventory);
    }

    /// `releases` and `current` may print the bare list, and `current` just the one reference.
    #[test]
    fn parts_are_read() {
        let list = br#"[{"version": "1", "reference": "a", "created_at": "2026-01-01T00:00:00Z"}]"#;
        for traffic in [
            &br#"[{"reference": "a", "percent": 100}]"#[..],
            br#"{"traffic": [{"reference": "a", "arm": "stable", "percent": 100.0}], "settled": true}"#,
            br#""a""#,
        ] {
            let printed = observe(b"{}").unwrap().or(releases(list).unwrap()).or(current(traffic).unwrap());
            let inventory = printed.complete().unwrap();
            assert!(inventory.serves_all(&ReleaseRef::new("a")) && inventory.releases[0].running);
        }
        assert_eq!(releases(b"{}").unwrap_err(), "`releases`: missing");
        assert_eq!(current(b"3").unwrap_err(), "expected an object, found 3");
    }

    /// Whoever writes the program is told where it is wrong and what belongs there.
    #[test]
    fn mistakes_are_named_by_their_path() {
        let release = |fields: &str| format!(r#"{{"releases": [{{{fields}}}], "traffic": []}}"#);
        let traffic = |shares: &str| format!(r#"{{"releases": [], "traffic": {shares}}}"#);
        for (output, expected) in [
            (String::new(), "nothing was printed"),
            ("ok".to_owned(), "not JSON: expected value at line 1 column 1"),
            ("[]".to_owned(), "expected an object, found an array"),
            ("{}".to_owned(), "`releases`: missing; print it there, or give a program under `releases`"),
            (
                r#"{"releases": []}"#.to_owned(),
                "`traffic`: missing; print it there, or give a program under `current`",
            ),
            (r#"{"releases": {}}"#.to_owned(), "`releases`: expected an array, found an object"),
            (release(""), "`releases[0].version`: missing"),
            (release(r#""version": 1.10"#), "`releases[0].version`: expected a string, found 1.1"),
            (
                release(r#""version": "1", "reference": """#),
                "`releases[0].reference`: expected a string, found an empty one",
            ),
            (
                release(r#""version": "1", "reference": "a", "created_at": "yesterday""#),
                "`releases[0].created_at`: expected a time like `2026-01-31T12:00:00Z`",
            ),
            (
                traffic(r#"[{"reference": "a", "percent": 101}]"#),
                "`traffic[0].percent`: expected a whole number from 0 to 100, found 101",
            ),
            (traffic(r#"[{"reference": "a", "percent": 50}]"#), "the percents add up to 50, expected 100"),
            (
                traffic(r#"[{"reference": "a", "arm": "green", "percent": 50}]"#),
                "`traffic[0].arm`: expected `stable` or `canary`, found `green`",
            ),
            (
                traffic(r#"[{"reference": "a", "percent": 50}, {"reference": "b", "percent": 50}]"#),
                "`traffic[0].arm`: missing",
            ),
            (
                r#"{"traffic": [], "settled": "yes", "releases": []}"#.to_owned(),
                "`settled`: expected true or false, found a string",
            ),
        ] {
            let error = observe(output.as_bytes()).and_then(Printed::complete).unwrap_err();
            assert!(error.contains(expected), "{output}: {error}");
        }
    }

    /// A reference that stands for two releases cannot be a target.
    #[test]
    fn a_reference_names_one_release() {
        let one = r#"{"version": "1", "reference": "a", "created_at": "2026-01-01T00:00:00Z"}"#;
        let output = format!(r#"{{"releases": [{one}, {one}], "traffic": []}}"#);
        let error = observe(output.as_bytes()).and_then(Printed::complete).unwrap_err();
        assert_eq!(error, "`releases[1].reference`: `a` is there twice");
    }
}
