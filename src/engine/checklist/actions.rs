//! What items do: the engine's own commands, with parameters from the runbook. A document names them and defines none.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::facts;
use super::run::Run;
use super::sight::Sight;
use crate::model::ServiceName;
use crate::runbook::{Facts, Item, Kind, Param, Value};

/// The parameters of an action as they are now.
///
/// # Errors
/// Which of them has no value, and what would give it one.
pub(super) fn resolved(
    run: &Run,
    params: &BTreeMap<String, Param>,
    sight: &Sight<'_>,
) -> Result<BTreeMap<String, String>, String> {
    let mut values = BTreeMap::new();
    for (name, param) in params {
        let value = match param {
            Param::Literal(text) => text.clone(),
            Param::Record(record) => run.records.get(record).cloned().ok_or_else(|| {
                format!("`{name}` is what is recorded as `{record}`, and nothing is: record it first")
            })?,
            Param::Live(path) => {
                let sensed = sight.read(path);
                match sensed.value {
                    Some(Value::Text(text)) => text,
                    Some(value) => value.to_string(),
                    None => {
                        let why = sensed.told.unwrap_or_else(|| "it is not known".to_owned());
                        return Err(format!("`{name}` is `{path}`: {why}"));
                    }
                }
            }
        };
        values.insert(name.clone(), value);
    }
    Ok(values)
}

/// The service that an action names, if it names one that has a value now.
pub(super) fn service(run: &Run, params: &BTreeMap<String, Param>, sight: &Sight<'_>) -> Option<ServiceName> {
    let only: BTreeMap<String, Param> =
        params.get("service").map(|param| ("service".to_owned(), param.clone())).into_iter().collect();
    resolved(run, &only, sight).ok()?.remove("service").map(ServiceName::from)
}

/// What a person agrees to when they begin an action, digested: the action and its parameters, the release that it leaves, what
/// is seen of its conditions, the runbook and the item. A figure that moves within its limit changes nothing.
pub(super) fn digest(
    run: &Run,
    item: &Item,
    action: &str,
    values: &BTreeMap<String, String>,
    sight: &Sight<'_>,
) -> String {
    let Kind::Action { verify, .. } = &item.kind else { return String::new() };
    let mut hash = Sha256::new();
    let mut add = |text: &str| {
        hash.update(text.len().to_le_bytes());
        hash.update(text.as_bytes());
    };
    add(action);
    for (name, value) in values {
        add(name);
        add(value);
    }
    let service = values.get("service").map(|name| ServiceName::from(name.as_str()));
    let service = service.or_else(|| sight.to_roll_back());
    let known = service.as_ref().and_then(|service| sight.state.service(service));
    if let (Some(service), Some((_, release))) = (&service, known.and_then(|known| known.suspect())) {
        add(service.as_str());
        add(release.reference.as_str());
    }
    for condition in verify.iter().chain(&item.when) {
        add(condition.source());
        add(match facts::holds(condition, sight) {
            Some(true) => "true",
            Some(false) => "false",
            None => "unknown",
        });
    }
    add(&run.sha256);
    add(item.id.as_str());
    hex::encode(hash.finalize())
}
