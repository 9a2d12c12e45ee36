//! What takes a workload back to the template of an older ReplicaSet, as `kubectl rollout undo` does it: the template without the
//! label that the controller adds, and the ReplicaSet's annotations. Without those, the change-cause of the release that is left
//! would be copied onto the old ReplicaSet for good.

use serde_json::{Map, Value, json};

/// Annotations that are the Deployment's own (`kubectl/pkg/polymorphichelpers/rollback.go`).
const OWN: [&str; 6] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    "deployment.kubernetes.io/revision",
    "deployment.kubernetes.io/revision-history",
    "deployment.kubernetes.io/desired-replicas",
    "deployment.kubernetes.io/max-replicas",
    "rollout.argoproj.io/revision",
];

/// A pod template without the label that makes it a ReplicaSet's.
pub(super) fn template(of: &Value, label: &str) -> Value {
    let mut template = of["spec"]["template"].clone();
    if let Some(labels) = template.pointer_mut("/metadata/labels").and_then(Value::as_object_mut) {
        labels.remove(label);
    }
    template
}

/// The JSON patch (RFC 6902). It is refused if the workload has changed since it was read.
pub(super) fn rollback(workload: &Value, to: &Value, label: &str) -> Value {
    let of = |value: &Value| -> Map<String, Value> {
        value["metadata"]["annotations"].as_object().cloned().unwrap_or_default()
    };
    let is_own = |name: &str| OWN.contains(&name);
    let mut annotations = of(to);
    annotations.retain(|name, _| !is_own(name));
    annotations.extend(of(workload).into_iter().filter(|(name, _)| is_own(name)));
    // An object without annotations has none to replace; `add` replaces what is there.
    json!([
        { "op": "test", "path": "/metadata/resourceVersion", "value": workload["metadata"]["resourceVersion"] },
        { "op": "replace", "path": "/spec/template", "value": template(to, label) },
        { "op": "add", "path": "/metadata/annotations", "value": annotations },
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The deployment's own annotations stay, the release's go with it, and the controller's label does not.
    #[test]
    fn what_goes_along() {
        let deployment = json!({
            "metadata": { "resourceVersion": "9", "annotations": {
                "deployment.kubernetes.io/revision": "3", "kubernetes.io/change-cause": "bad", "team": "a",
            } },
            "spec": { "template": { "metadata": { "labels": { "app": "web" } }, "spec": { "x": 2 } } },
        });
        let set = json!({
            "metadata": { "annotations": { "deployment.kubernetes.io/revision": "2",
                "deployment.kubernetes.io/desired-replicas": "3", "kubernetes.io/change-cause": "good" } },
            "spec": { "template": { "metadata": { "labels": { "app": "web", "pod-template-hash": "f" } }, "spec": { "x": 1 } } },
        });
        let expected = json!([
            { "op": "test", "path": "/metadata/resourceVersion", "value": "9" },
            { "op": "replace", "path": "/spec/template",
                "value": { "metadata": { "labels": { "app": "web" } }, "spec": { "x": 1 } } },
            { "op": "add", "path": "/metadata/annotations",
                "value": { "kubernetes.io/change-cause": "good", "deployment.kubernetes.io/revision": "3" } },
        ]);
        assert_eq!(rollback(&deployment, &set, "pod-template-hash"), expected);
    }

    /// The same patch as the one that a real API server took, made from what that server had shown.
    #[test]
    fn as_recorded() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/contracts/kubernetes/recordings.json");
        let Ok(text) = std::fs::read_to_string(file) else {
            eprintln!("skipped: there are no recordings");
            return;
        };
        let recordings: Vec<Value> = serde_json::from_str(&text).unwrap();
        let find = |title: &str| recordings.iter().find(|one| one["title"] == title).unwrap();
        let deployment = &find("before rollback")["response"]["body"];
        let sets = &find("replica sets of the deployment: the history")["response"]["body"]["items"];
        let is_second =
            |set: &&Value| set["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "2";
        let set = sets.as_array().unwrap().iter().find(is_second).unwrap();
        let recorded = find("rollback to revision 2: template and annotations, guarded by resourceVersion");
        let mut expected = recorded["request"]["body"].clone();
        expected[2]["op"] = json!("add");
        assert_eq!(rollback(deployment, set, "pod-template-hash"), expected);
    }
}
