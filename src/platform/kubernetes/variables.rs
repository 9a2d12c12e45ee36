//! The environment variables of a pod template. What comes from elsewhere is named and not looked up: who may read a workload
//! need not be allowed to read its secrets.

use serde_json::Value;

use crate::model::platform::{Variable, VariableValue};
use crate::model::secret::Secret;

/// Those of all containers, in their order.
pub(super) fn of(workload: &Value) -> Vec<Variable> {
    let containers = workload["spec"]["template"]["spec"]["containers"].as_array();
    containers.into_iter().flatten().flat_map(of_container).collect()
}

fn of_container(container: &Value) -> Vec<Variable> {
    let holder = container["name"].as_str();
    let variable =
        |name: &str, value| Variable { container: holder.map(str::to_owned), name: name.to_owned(), value };
    let whole = container["envFrom"].as_array().into_iter().flatten().filter_map(|from| {
        let (kind, of) = ["secretRef", "configMapRef"]
            .into_iter()
            .find_map(|kind| from[kind]["name"].as_str().map(|name| (kind, name)))?;
        let prefix = from["prefix"].as_str().unwrap_or_default();
        Some(variable(&format!("{prefix}*"), VariableValue::From(format!("{} {of}", word(kind)))))
    });
    let each = container["env"].as_array().into_iter().flatten().filter_map(|one| {
        let name = one["name"].as_str()?;
        let value = match one["valueFrom"].as_object().and_then(|from| from.iter().next()) {
            None => VariableValue::Plain(Secret::new(one["value"].as_str().unwrap_or_default())),
            Some((kind, from)) => VariableValue::From(match from["fieldPath"].as_str() {
                Some(field) => format!("field {field}"),
                None => format!(
                    "{} {}, key {}",
                    word(kind),
                    from["name"].as_str().or_else(|| from["resource"].as_str()).unwrap_or_default(),
                    from["key"].as_str().unwrap_or_default()
                ),
            }),
        };
        Some(variable(name, value))
    });
    whole.chain(each).collect()
}

fn word(kind: &str) -> &str {
    match kind {
        "secretRef" | "secretKeyRef" => "secret",
        "configMapRef" | "configMapKeyRef" => "config map",
        "resourceFieldRef" => "resource",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Values are values; what comes from a secret or a field is named, of whichever container.
    #[test]
    fn what_a_template_has() {
        let workload = json!({ "spec": { "template": { "spec": { "containers": [
            { "name": "web", "env": [
                { "name": "MODE", "value": "live" },
                { "name": "EMPTY" },
                { "name": "PASSWORD", "valueFrom": { "secretKeyRef": { "name": "shop", "key": "db" } } },
                { "name": "NODE", "valueFrom": { "fieldRef": { "fieldPath": "spec.nodeName" } } },
            ], "envFrom": [{ "prefix": "S_", "configMapRef": { "name": "settings" } }] },
            { "name": "side" },
        ] } } } });
        let seen: Vec<(String, String)> = of(&workload)
            .into_iter()
            .map(|variable| {
                assert_eq!(variable.container.as_deref(), Some("web"));
                let value = match variable.value {
                    VariableValue::Plain(value) => format!("={}", value.expose()),
                    VariableValue::From(from) => from,
                };
                (variable.name, value)
            })
            .collect();
        let expected = [
            ("S_*", "config map settings"),
            ("MODE", "=live"),
            ("EMPTY", "="),
            ("PASSWORD", "secret shop, key db"),
            ("NODE", "field spec.nodeName"),
        ];
        assert_eq!(seen, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }
}
