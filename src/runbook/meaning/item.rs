//! What attributes make of an item: its kind, its flags, its deadline.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::model::Span;
use crate::runbook::actions;
use crate::runbook::attributes::Attributes;
use crate::runbook::document::{Item, Kind, Param, RecordKind, Runbook, Undo};

use super::{On, Place, Reader, action, is_heading, section, warn_at};

/// How soon an action has to show where nothing is said.
const SOON: Duration = Duration::from_secs(300);
/// The most often that an action is begun again by itself.
const MOST_RETRIES: u8 = 5;
/// Keys that make an item of a kind; an item has one of them, but for `sense` beside `do`.
const KINDS: [&str; 7] = ["sense", "do", "decide", "wait", "hold", "ask", "every"];

pub(super) fn apply(reader: &mut Reader<'_>, runbook: &mut Runbook) {
    // Names that are asked for, by the line from which on they are known.
    let mut records: BTreeMap<String, usize> = BTreeMap::new();
    for index in 0..runbook.items.len() {
        let mut item = runbook.items[index].clone();
        let attributes = item.attributes.clone();
        let heading = is_heading(runbook, item.section, item.line);
        if !heading {
            reader.names(&attributes, On::Item);
        }
        let kind = kind(reader, &item, &attributes, heading);
        if let Kind::Record { name, .. } = &kind {
            if let Some(line) = records.get(name) {
                let text = format!("`ask={name}` is asked for in line {line} already; give it another name");
                reader.error("duplicate-record", &place_of(&attributes, "ask"), text);
            }
            records.insert(name.clone(), item.line);
        }
        for (key, back) in [("do", false), ("undo", true)] {
            let params = kind.deed(back).map(|(_, params)| params).into_iter().flatten();
            for (_, param) in params {
                if let Param::Record(name) = param
                    && !records.contains_key(name)
                {
                    let text =
                        format!("`${name}` is not entered by any item before; add one with `ask={name}`");
                    reader.error("unknown-record", &place_of(&attributes, key), text);
                }
            }
        }
        item.kind = kind;
        flags(&mut item, &attributes);
        common(reader, runbook, &mut item, &attributes, heading);
        beside(reader, runbook, &item, &attributes);
        runbook.items[index] = item;
    }
    decisions(reader, runbook);
    targets(reader, runbook);
}

fn flags(item: &mut Item, attributes: &Attributes) {
    let has = |flag| attributes.flag(flag).is_some();
    item.critical = has("critical");
    item.memory = has("memory");
    item.cross_check = has("cross-check");
    item.latch = has("latch");
    item.countable = !has("note");
}

/// What items of every kind have. On a heading it is the section's.
fn common(
    reader: &mut Reader<'_>,
    runbook: &Runbook,
    item: &mut Item,
    attributes: &Attributes,
    heading: bool,
) {
    item.stale = attributes.value("stale").and_then(|(value, place)| reader.duration("stale", value, place));
    item.defer = attributes.value("defer").map(|(value, _)| value.to_owned());
    item.approve = approve(reader, attributes);
    let by_two = [("approve", item.approve > 1), ("cross-check", item.cross_check)];
    if let Some(people) = reader.actions.people().filter(|people| *people < 2) {
        for (name, _) in by_two.iter().filter(|(_, asks)| *asks) {
            let text =
                format!("`{name}` takes two people, and the config has {people} who may act (`operators`)");
            reader.error("too-few-people", &place_of(attributes, name), text);
        }
    }
    item.window = item.written.clone();
    if heading {
        item.window = None;
        return;
    }
    item.when = attributes.value("when").and_then(|(value, place)| reader.condition("when", value, place));
    item.role = reader.role(attributes);
    item.escalate = reader.escalate(attributes);
    item.warn = reader.warn(attributes);
    let is_option =
        item.parent.is_some_and(|parent| runbook.items[parent].attributes.flag("decide").is_some());
    item.when_held = match attributes.value("for") {
        Some((value, place)) if is_option && item.when.is_some() => {
            reader.duration("for", value, place).unwrap_or_default()
        }
        _ => Duration::ZERO,
    };
    if !matches!(item.kind, Kind::Action { .. }) {
        item.within =
            attributes.value("within").and_then(|(value, place)| reader.duration("within", value, place));
    }
    if let Some((value, place)) = attributes.value("window") {
        item.window = section::said_window(reader, value, place, item.line);
    }
    if let Some(window) = &mut item.window
        && window.warn_at.is_none()
    {
        window.warn_at = warn_at(window.from, window.until, item.warn);
    }
}

/// How many people have to agree to an action.
fn approve(reader: &mut Reader<'_>, attributes: &Attributes) -> u8 {
    let Some((value, place)) = attributes.value("approve") else { return 1 };
    match value {
        "1" => 1,
        "2" => 2,
        other => {
            let text = format!("`approve` is 2: whoever begins it and one more, not `{other}`");
            reader.error("bad-value", place, text);
            2
        }
    }
}

/// Attributes that mean something only beside others.
fn beside(reader: &mut Reader<'_>, runbook: &Runbook, item: &Item, attributes: &Attributes) {
    let has = |name: &str| attributes.value(name).is_some() || attributes.flag(name).is_some();
    let is_option =
        item.parent.is_some_and(|parent| runbook.items[parent].attributes.flag("decide").is_some());
    let has_condition = ["sense", "hold", "verify", "when"].iter().any(|key| has(key));
    let for_fits =
        has("sense") || has("hold") || has("verify") || has("decide") || (is_option && has("when"));
    let window = item.window.as_ref().is_some_and(|window| window.until.is_some());
    for (name, fits, needed) in [
        ("for", for_fits, "`sense`, `hold`, `verify` or `.decide`, or on an option `when`"),
        ("confirm", has("sense") || has("decide"), "`sense` or `.decide`"),
        ("stale", has_condition, "a condition"),
        ("type", has("ask"), "`ask`"),
        ("verify", has("do"), "`do`"),
        ("latch", has("sense"), "`sense`"),
        ("approve", has("do"), "`do`"),
        ("timeout", has("do"), "`do`"),
        ("retry", has("do"), "`do`"),
        ("undo", has("do"), "`do`"),
        (
            "cross-check",
            matches!(item.kind, Kind::Manual | Kind::Sensed { .. } | Kind::Record { .. }),
            "an item that a person confirms: manual, `sense` or `ask`",
        ),
        (
            "warn",
            item.within.is_some() || window || is_heading(runbook, item.section, item.line),
            "`within` or a window that ends",
        ),
    ] {
        if has(name) && !fits {
            let text = format!("`{name}` means nothing here; it needs {needed}");
            reader.error("misplaced-attribute", &place_of(attributes, name), text);
        }
    }
    if has("confirm") && has("do") && has("sense") {
        let text =
            "`confirm` means nothing beside `do`: an action is done when its outcome is known".to_owned();
        reader.error("misplaced-attribute", &place_of(attributes, "confirm"), text);
    }
}

fn place_of(attributes: &Attributes, name: &str) -> Place {
    let place = attributes.value(name).map(|(_, place)| place).or_else(|| attributes.flag(name));
    place.cloned().unwrap_or(Place { file: None, line: 1, column: 1 })
}

fn kind(reader: &mut Reader<'_>, item: &Item, attributes: &Attributes, heading: bool) -> Kind {
    let given: Vec<&str> = KINDS
        .into_iter()
        // On a heading it is the section's.
        .filter(|name| !(heading && *name == "every"))
        .filter(|name| {
            if *name == "decide" { attributes.flag(name).is_some() } else { attributes.value(name).is_some() }
        })
        .collect();
    let chosen = match given.as_slice() {
        [] => return Kind::Manual,
        [only] => *only,
        ["sense", "do"] => "do",
        [first, second, ..] => {
            let text = format!(
                "`{first}` and `{second}` make it two kinds of item; an item is one, so make two of it"
            );
            reader.error("attribute-conflict", &place_of(attributes, second), text);
            return Kind::Manual;
        }
    };
    let (value, place) = match attributes.value(chosen) {
        Some((value, place)) => (value, place.clone()),
        None => ("", place_of(attributes, chosen)),
    };
    let auto = match attributes.value("confirm") {
        Some((value, place)) => reader.word("confirm", value, place, &["operator", "auto"]) == Some("auto"),
        None => false,
    };
    let held = attributes.value("for").and_then(|(value, place)| reader.duration("for", value, place));
    let made = match chosen {
        "sense" => reader.condition("sense", value, &place).map(|sense| {
            let held = held.unwrap_or_default();
            Kind::Sensed { sense, held, auto }
        }),
        "do" => action_kind(reader, attributes, value, &place, held.unwrap_or_default()),
        "decide" => {
            Some(Kind::Decision { options: item.children.clone(), held: held.unwrap_or_default(), auto })
        }
        "wait" => reader.duration("wait", value, &place).map(|time| Kind::Wait { time }),
        "hold" => {
            if held.is_none() && attributes.value("for").is_none() {
                reader.error(
                    "bad-value",
                    &place,
                    "`hold` needs `for`: how long it has to be true without a break",
                );
            }
            reader
                .condition("hold", value, &place)
                .map(|hold| Kind::Hold { hold, held: held.unwrap_or_default() })
        }
        "ask" => record(reader, item, attributes, value, &place),
        _ => reader.duration("every", value, &place).map(|every| Kind::Cadence { every }),
    };
    made.unwrap_or(Kind::Manual)
}

fn action_kind(
    reader: &mut Reader<'_>,
    attributes: &Attributes,
    value: &str,
    place: &Place,
    held: Duration,
) -> Option<Kind> {
    let (action, params) = deed(reader, "do", value, place)?;
    if let (Some(_), Some((_, place))) = (attributes.value("verify"), attributes.value("sense")) {
        reader.error(
            "attribute-conflict",
            place,
            "`sense` beside `do` is what verifies it, so `verify` is one too many",
        );
    }
    let key = if attributes.value("verify").is_some() { "verify" } else { "sense" };
    let verify = attributes.value(key).and_then(|(value, place)| reader.condition(key, value, place));
    let within =
        attributes.value("within").and_then(|(value, place)| reader.duration("within", value, place));
    let undo = attributes.value("undo").and_then(|(value, place)| deed(reader, "undo", value, place));
    Some(Kind::Action {
        timeout: timeout(reader, attributes, &action),
        retries: retries(reader, attributes, &action),
        undo: undo.map(|(action, params)| Undo { action, params }),
        action,
        params,
        verify,
        held,
        verify_within: within.unwrap_or(SOON),
    })
}

/// An action of the engine with parameters that it takes; none where it cannot be read at all.
fn deed(
    reader: &mut Reader<'_>,
    key: &str,
    value: &str,
    place: &Place,
) -> Option<(String, BTreeMap<String, Param>)> {
    let parsed = action::parse(value, reader.names);
    let wrong = match &parsed {
        Ok((action, params)) => reader.actions.check(action, params).err(),
        Err(text) => Some(text.clone()),
    };
    if let Some(text) = wrong {
        reader.error("unknown-action", place, format!("`{key}`: {text}"));
    }
    parsed.ok()
}

/// After what time it is not known any more what becomes of an action.
fn timeout(reader: &mut Reader<'_>, attributes: &Attributes, action: &str) -> Option<Duration> {
    let (value, place) = attributes.value("timeout")?;
    if !actions::lasts(action) {
        let text = format!(
            "`{action}` is done at once, so it needs no `timeout`; {} take their time",
            actions::those(actions::lasts)
        );
        reader.error("misplaced-attribute", place, text);
    }
    reader.duration("timeout", value, place)
}

/// How often an action is begun again by itself after it failed.
fn retries(reader: &mut Reader<'_>, attributes: &Attributes, action: &str) -> u8 {
    let Some((value, place)) = attributes.value("retry") else { return 0 };
    if !actions::may_be_repeated(action) {
        let text = format!(
            "`retry` is for what may be done twice ({}); whether `{action}` is done again a person decides",
            actions::those(actions::may_be_repeated)
        );
        reader.error("misplaced-attribute", place, text);
    }
    match value.parse() {
        Ok(times @ 1..=MOST_RETRIES) => times,
        _ => {
            let text = format!("`retry={value}` is no number of times from 1 to {MOST_RETRIES}");
            reader.error("bad-value", place, text);
            0
        }
    }
}

fn record(
    reader: &mut Reader<'_>,
    item: &Item,
    attributes: &Attributes,
    name: &str,
    place: &Place,
) -> Option<Kind> {
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    if !is_name {
        reader.error(
            "bad-value",
            place,
            format!("`ask={name}` is no name; a name has letters, digits, `-` and `_`"),
        );
        return None;
    }
    let word = match attributes.value("type") {
        Some((value, place)) => reader.word("type", value, place, &["text", "number", "choice", "time"])?,
        None => "text",
    };
    let value = match word {
        "number" => RecordKind::Number,
        "time" => RecordKind::Time,
        "choice" => {
            let choices: Vec<String> = item.bullets.clone();
            if choices.len() < 2 {
                let text = "`type=choice` chooses between the plain bullets below the item, and there are fewer than two";
                reader.error("bad-value", place, text);
            }
            RecordKind::Choice { choices }
        }
        _ => RecordKind::Text,
    };
    Some(Kind::Record { name: name.to_owned(), value })
}

/// A decision is one between at least two.
fn decisions(reader: &mut Reader<'_>, runbook: &Runbook) {
    for item in &runbook.items {
        if let Kind::Decision { options, .. } = &item.kind {
            let options = options.iter().filter(|option| runbook.items[**option].countable).count();
            if options < 2 {
                let text = format!("a decision has at least two options below it, and this has {options}");
                reader.error("decision-options", &place_of(&item.attributes, "decide"), text);
            }
        }
    }
}

/// Where items are deferred to: a place that is there, and that does not wait for them.
fn targets(reader: &mut Reader<'_>, runbook: &Runbook) {
    let ids: BTreeMap<&str, usize> =
        runbook.sections.iter().enumerate().map(|(index, section)| (section.id.as_str(), index)).collect();
    let known: BTreeSet<&str> = ids.keys().copied().collect();
    for item in &runbook.items {
        let Some((target, place)) = item.attributes.value("defer") else { continue };
        if target == "resolved" || target.parse::<Span>().is_ok() {
            continue;
        }
        let Some(to) = ids.get(target) else {
            let near = super::nearest(target, known.iter().copied());
            let text = match near {
                Some(near) => format!("no section `{target}` to defer to; did you mean `{near}`?"),
                None => {
                    format!("no section `{target}` to defer to; name a section's id, `resolved` or a time")
                }
            };
            reader.error("unknown-section", place, text);
            continue;
        };
        // What comes after a pause waits until the section with the pause is complete.
        let own = &runbook.sections[item.section];
        if own.pause && *to > item.section && item.countable {
            let text = format!(
                "`{target}` waits until `{}` is complete, and this would wait in `{target}`; take `.pause` or `defer` away",
                own.id
            );
            reader.error("gate-cycle", place, text);
        }
    }
}
