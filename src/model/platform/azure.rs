//! Azure App Service: an app whose releases are in its production slot and in one other.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ServingSpec;
use crate::model::secret::SecretRef;

/// An app with two slots.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AzureSpec {
    /// The subscription's id.
    pub subscription: String,
    /// The resource group.
    pub resource_group: String,
    /// The app's name.
    pub app: String,
    /// The slot that production is swapped with.
    #[serde(default = "staging", skip_serializing_if = "is_staging")]
    pub slot: String,
    /// Where production says its version. Without it, the id of the slot's active deployment stands for the version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serving: Option<ServingSpec>,
    /// Where the other slot says its version. It goes with `serving`: both or none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot_serving: Option<ServingSpec>,
    /// Whether a swap is done in two phases: the slot first gets production's settings and restarts with them, and only
    /// when that went well the two are swapped. Not with the app's own authentication.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub preview: bool,
    /// Whether the number of instances may be changed. It is that of the App Service plan, which other apps may share.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub scale_plan: bool,
    /// The directory of the client, with `client_id` and `client_secret`. Without these and without `token_command`: the
    /// variables `AZURE_TENANT_ID`, `AZURE_CLIENT_ID` and `AZURE_CLIENT_SECRET` or `AZURE_FEDERATED_TOKEN_FILE`, else the
    /// managed identity of the machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// The client, an app registration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// Its secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<SecretRef>,
    /// A program that prints a token, like
    /// `["az", "account", "get-access-token", "--resource", "https://management.azure.com"]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_command: Option<Vec<String>>,
    /// The management API, where it is not the public cloud's.
    #[serde(default = "api", skip_serializing_if = "is_api")]
    pub base_url: String,
    /// Where tokens are given out, where it is not the public cloud's.
    #[serde(default = "login", skip_serializing_if = "is_login")]
    pub login_url: String,
    /// The app's site for its log (Kudu), where it is not `https://APP.scm.azurewebsites.net`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scm_url: Option<String>,
}

fn staging() -> String {
    "staging".to_owned()
}

fn is_staging(slot: &str) -> bool {
    slot == "staging"
}

fn api() -> String {
    "https://management.azure.com".to_owned()
}

fn is_api(url: &str) -> bool {
    url == api()
}

fn login() -> String {
    "https://login.microsoftonline.com".to_owned()
}

fn is_login(url: &str) -> bool {
    url == login()
}
