//! How many instances run: the App Service plan says so, for every app on it. Azure takes the plan as a whole, so it is read right
//! before, and sent back with another number (<https://learn.microsoft.com/rest/api/appservice/app-service-plans/create-or-update>). Where the plan scales
//! by itself, that would put its own number back, so that it is left alone.

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::rest::Ask;
use super::super::text::escape;
use super::super::{Call, PlatformError};
use super::site::{Permissions, Site};
use super::{Azure, VERSION};
use crate::model::platform::{Check, CheckOutcome};

/// The version of the API of autoscale settings that is spoken.
const AUTOSCALE: &str = "2022-10-01";
/// What sets the number.
const SCALE: &str = "Microsoft.Web/serverfarms/Write";

/// A plan as it was read: all of it, to be sent back.
pub(super) struct Plan {
    /// Its path, as Azure names it.
    id: String,
    whole: Value,
}

impl Plan {
    fn name(&self) -> String {
        escape(self.id.rsplit('/').next().unwrap_or_default())
    }

    fn property(&self, name: &str) -> &Value {
        &self.whole["properties"][name]
    }

    /// How many instances it has, or is to have.
    pub(super) fn instances(&self) -> Option<u32> {
        u32::try_from(self.whole["sku"]["capacity"].as_u64()?).ok()
    }

    /// Whether another number is on its way.
    pub(super) fn is_changing(&self) -> bool {
        self.property("provisioningState").as_str().is_some_and(|state| state == "InProgress")
    }

    /// The steps of its path.
    fn path(&self) -> Vec<&str> {
        self.id.split('/').filter(|part| !part.is_empty()).collect()
    }
}

impl Azure {
    /// The plan that the app runs on.
    pub(super) async fn plan(&self, site: &Site) -> Result<Plan, PlatformError> {
        let id = site.properties.server_farm_id.clone().unwrap_or_default();
        let is_one = id.to_lowercase().contains("/providers/microsoft.web/serverfarms/");
        if !id.starts_with("/subscriptions/") || !is_one {
            return Err(PlatformError::Permanent("Azure does not say on which plan the app runs".to_owned()));
        }
        let mut plan = Plan { id, whole: Value::Null };
        let ask = Ask::get("read the plan", plan.path()).query("api-version", VERSION);
        plan.whole = self.rest.read(&ask).await?;
        // What is sent back has to be what a plan is.
        if plan.instances().is_none() {
            let name = plan.name();
            return Err(PlatformError::Permanent(format!(
                "Azure does not say how many instances {name} has"
            )));
        }
        Ok(plan)
    }

    /// The same, with the app read first.
    async fn own_plan(&self) -> Result<Plan, PlatformError> {
        let site: Site = self.rest.read(&self.ask(Method::GET, "read the app", false, &[])).await?;
        self.plan(&site).await
    }

    /// Gives the plan another number of instances.
    pub(super) async fn scale(&self, instances: u32, call: &Call) -> Result<String, PlatformError> {
        let plan = self.own_plan().await?;
        if plan.instances() == Some(instances) {
            return Ok(format!("the plan {} has {instances} instances already", plan.name()));
        }
        if plan.is_changing() {
            return Err(PlatformError::Transient(format!("the plan {} is being changed", plan.name())));
        }
        let most = plan.property("maximumNumberOfWorkers").as_u64().filter(|most| *most > 0);
        if let Some(most) = most.filter(|most| u64::from(instances) > *most) {
            return Err(PlatformError::Permanent(format!(
                "the plan {} can have {most} instances and no more",
                plan.name()
            )));
        }
        match self.autoscaler(&plan).await {
            Ok(Some(scaler)) => {
                return Err(PlatformError::Permanent(format!(
                    "{scaler} says how many instances there are, and would put its own number back: change its limits"
                )));
            }
            Ok(None) => {}
            // Whoever may scale need not be allowed to see who else does.
            Err(error @ PlatformError::Permanent(_)) => {
                call.progress.line(&format!("whether the plan scales by itself is not known: {error}"));
            }
            Err(error) => return Err(error),
        }
        let mut whole = plan.whole.clone();
        whole["sku"]["capacity"] = json!(instances);
        let ask = Ask::new(Method::PUT, "scale the plan", plan.path()).query("api-version", VERSION);
        self.send(&ask.body(&whole), call).await?;
        Ok(format!("the plan {} is to have {instances} instances", plan.name()))
    }

    /// What says by itself how many instances a plan has, if anything does.
    async fn autoscaler(&self, plan: &Plan) -> Result<Option<String>, PlatformError> {
        #[derive(Deserialize)]
        struct All {
            #[serde(default)]
            value: Vec<Setting>,
        }
        #[derive(Deserialize)]
        struct Setting {
            #[serde(default)]
            name: String,
            #[serde(default)]
            properties: Value,
        }
        if plan.property("elasticScaleEnabled").as_bool() == Some(true) {
            return Ok(Some(format!("the plan {} with its automatic scaling", plan.name())));
        }
        // Those of its resource group: that is where the portal puts them.
        let mut path: Vec<&str> = plan.path().into_iter().take(4).collect();
        path.extend(["providers", "Microsoft.Insights", "autoscalesettings"]);
        let ask = Ask::get("list the autoscale settings", path).query("api-version", AUTOSCALE);
        let all: All = self.rest.read(&ask).await?;
        let is_of_this = |setting: &&Setting| {
            let target = setting.properties["targetResourceUri"].as_str().unwrap_or_default();
            target.eq_ignore_ascii_case(&plan.id) && setting.properties["enabled"].as_bool() != Some(false)
        };
        let found = all.value.iter().find(is_of_this);
        Ok(found.map(|setting| format!("the autoscale setting {}", escape(&setting.name))))
    }

    /// What speaks for and against scaling the plan.
    pub(super) async fn check_plan(&self) -> Vec<Check> {
        let check = |what: &str, outcome: CheckOutcome| Check { what: what.to_owned(), outcome };
        let plan = match self.own_plan().await {
            Ok(plan) => plan,
            Err(error) => {
                return vec![check("the plan can be read", CheckOutcome::Failed(error.to_string()))];
            }
        };
        let apps = plan.property("numberOfSites").as_u64().unwrap_or(1);
        let shared = if apps > 1 {
            CheckOutcome::Warning(format!("{apps} apps run on {}: all of them are scaled", plan.name()))
        } else {
            CheckOutcome::Passed(format!("nothing else runs on {}", plan.name()))
        };
        let scaler = match self.autoscaler(&plan).await {
            Ok(None) => CheckOutcome::Passed("nothing scales the plan by itself".to_owned()),
            Ok(Some(scaler)) => CheckOutcome::Warning(format!(
                "{scaler} says how many: `unship scale` is refused, and its limits are the ones to change"
            )),
            Err(error) => {
                CheckOutcome::Unknown(format!("{error}; an autoscale setting would put the number back"))
            }
        };
        let mut path = plan.path();
        path.extend(["providers", "Microsoft.Authorization", "permissions"]);
        let ask = Ask::get("read the permissions on the plan", path).query("api-version", "2022-04-01");
        let allowed = match self.rest.read::<Permissions>(&ask).await {
            Ok(permissions) if permissions.allow(SCALE) => CheckOutcome::Passed(SCALE.to_owned()),
            Ok(_) => CheckOutcome::Failed(format!(
                "no role allows {SCALE} on {}; `Website Contributor` and `Web Plan Contributor` do",
                plan.name()
            )),
            Err(error) => CheckOutcome::Unknown(format!("{error}; it needs {SCALE}")),
        };
        vec![
            check("the plan is the app's alone", shared),
            check("the number of instances stays", scaler),
            check("permission to scale", allowed),
        ]
    }
}
