//! What the management API says of an app and its slots, as far as it matters here.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;

/// An app, or one of its slots.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Site {
    #[serde(default)]
    pub(super) properties: Properties,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Properties {
    pub(super) state: Option<String>,
    pub(super) default_host_name: Option<String>,
    /// The path of the plan that it runs on.
    pub(super) server_farm_id: Option<String>,
    /// A preview of a swap is pending with this slot.
    pub(super) target_swap_slot: Option<String>,
    pub(super) in_progress_operation_id: Option<String>,
    pub(super) slot_swap_status: Option<SwapStatus>,
    pub(super) site_config: Option<SiteConfig>,
}

/// The last swap that went well.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SwapStatus {
    #[serde(default)]
    pub(super) timestamp_utc: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct SiteConfig {
    pub(super) auto_swap_slot_name: Option<String>,
}

/// `config/web`, as far as traffic goes.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Web {
    #[serde(default)]
    pub(super) properties: WebProperties,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct WebProperties {
    pub(super) experiments: Option<Experiments>,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Experiments {
    #[serde(rename = "rampUpRules")]
    pub(super) rules: Option<Vec<Rule>>,
}

/// A slot's share of production's traffic.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Rule {
    pub(super) name: Option<String>,
    #[serde(default)]
    pub(super) reroute_percentage: f64,
}

impl Rule {
    /// The share in whole percent.
    pub(super) fn percent(&self) -> u8 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and 100 after the clamp"
        )]
        let percent = self.reroute_percentage.round().clamp(0.0, 100.0) as u8;
        percent
    }
}

/// The application settings.
#[derive(Deserialize)]
pub(super) struct Settings {
    #[serde(default)]
    pub(super) properties: BTreeMap<String, String>,
}

/// A page of deployments.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Deployments {
    #[serde(default)]
    pub(super) value: Vec<Deployment>,
    #[serde(rename = "nextLink")]
    pub(super) next: Option<String>,
}

/// A deployment to a slot.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Deployment {
    #[serde(default)]
    pub(super) name: String,
    #[serde(default)]
    pub(super) properties: DeploymentProperties,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct DeploymentProperties {
    pub(super) active: Option<bool>,
    pub(super) author: Option<String>,
    pub(super) start_time: Option<Timestamp>,
    pub(super) end_time: Option<Timestamp>,
}

/// What somebody may do, by Azure's resource provider.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Permissions {
    #[serde(default)]
    pub(super) value: Vec<Permission>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Permission {
    #[serde(default)]
    actions: Vec<String>,
    #[serde(default)]
    not_actions: Vec<String>,
}

impl Permissions {
    /// Whether one of the roles allows an operation.
    pub(super) fn allow(&self, operation: &str) -> bool {
        self.value.iter().any(|permission| {
            let is_in = |list: &[String]| list.iter().any(|pattern| matches(pattern, operation));
            is_in(&permission.actions) && !is_in(&permission.not_actions)
        })
    }
}

/// Whether an operation is meant by a pattern like `Microsoft.Web/sites/*`. Case does not count.
fn matches(pattern: &str, operation: &str) -> bool {
    let (pattern, operation) = (pattern.to_lowercase(), operation.to_lowercase());
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| operation.strip_prefix(first)) else { return false };
    let parts: Vec<_> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Azure's patterns may have stars anywhere.
    #[test]
    fn patterns_of_permissions() {
        let swap = "Microsoft.Web/sites/slots/slotsswap/Action";
        for (pattern, is_meant) in [
            ("*", true),
            ("Microsoft.Web/*", true),
            ("microsoft.web/sites/slots/*/action", true),
            ("*/action", true),
            ("*/read", false),
            ("Microsoft.Web/sites/slots/slotsswap/action", true),
            ("Microsoft.Web/sites/slots/slotsswap", false),
            ("Microsoft.Compute/*", false),
        ] {
            assert_eq!(matches(pattern, swap), is_meant, "{pattern}");
        }
        let permissions: Permissions = serde_json::from_value(serde_json::json!({ "value": [
            { "actions": ["*/read"] }, { "actions": ["Microsoft.Web/*"], "notActions": ["Microsoft.Web/sites/slots/*"] },
        ] }))
        .unwrap();
        assert!(!permissions.allow(swap) && permissions.allow("Microsoft.Web/sites/config/write"));
    }
}
