//! The adapters of an environment, made from its config.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::config::{Config, Loaded};
use crate::database::Database;
use crate::model::platform::{Declares, PlatformAction};
use crate::model::secret::Secrets;
use crate::model::{ChannelName, DatabaseName, ReleaseRef, ServiceName};
use crate::notify::{self, Channel, Heartbeat};
use crate::observe::{Alertmanager, ProbeTarget, SourceTarget};
use crate::platform::{self, Platform};

use super::super::input::{PlatformFacts, Settings};
use super::EngineError;
use super::with_schema::WithSchema;

/// Everything that the engine can sense with, act on and talk through.
#[derive(Clone)]
pub struct World {
    /// What the core has to know.
    pub settings: Arc<Settings>,
    /// The secrets of the config.
    pub secrets: Arc<Secrets>,
    /// Each service's platform.
    pub platforms: BTreeMap<ServiceName, Arc<dyn Platform>>,
    /// The channels.
    pub channels: BTreeMap<ChannelName, Arc<dyn Channel>>,
    /// What is probed.
    pub probes: Vec<ProbeTarget>,
    /// What is read.
    pub sources: Vec<SourceTarget>,
    /// Who is asked which alarms there are.
    pub alertmanager: Option<Arc<Alertmanager>>,
    /// Who hears that somebody leads.
    pub heartbeat: Option<Arc<Heartbeat>>,
    /// The databases of the services.
    pub databases: BTreeMap<DatabaseName, Database>,
}

impl World {
    /// Makes the adapters. Connects to nothing yet. `by_itself`: whether this process may act without being asked.
    pub fn build(config: Arc<Config>, secrets: Arc<Secrets>, by_itself: bool) -> Result<Self, EngineError> {
        let mut platforms = BTreeMap::new();
        let mut facts = BTreeMap::new();
        let mut probes = Vec::new();
        let mut databases = BTreeMap::new();
        for (name, spec) in &config.databases {
            let database = Database::new(name, spec, &secrets)
                .map_err(|reason| EngineError::Adapter { part: format!("databases.{name}"), reason })?;
            databases.insert(name.clone(), database);
        }
        for (name, spec) in &config.services {
            let platform = platform::build(name, &spec.platform, &secrets).map_err(|error| {
                EngineError::Adapter { part: format!("services.{name}.platform"), reason: error.to_string() }
            })?;
            let mut of_service =
                databases.values().filter(|database| database.spec().services.contains(name));
            let platform: Arc<dyn Platform> = match of_service.next() {
                Some(database) => Arc::new(WithSchema::new(platform, database.clone())),
                None => platform,
            };
            facts.insert(name.clone(), facts_of(platform.as_ref()));
            platforms.insert(name.clone(), platform);
            probes.extend(spec.probes.iter().map(|(probe, spec)| ProbeTarget {
                service: name.clone(),
                probe: probe.clone(),
                spec: spec.clone(),
            }));
        }
        let mut channels = BTreeMap::new();
        for (name, spec) in &config.channels {
            let channel = notify::build(spec, &secrets).map_err(|error| EngineError::Adapter {
                part: format!("channels.{name}"),
                reason: error.to_string(),
            })?;
            channels.insert(name.clone(), channel);
        }
        let sources = config.sources.iter().map(|(name, spec)| SourceTarget {
            source: name.clone(),
            spec: spec.clone(),
            indicators: config
                .services
                .iter()
                .flat_map(|(service, spec)| {
                    spec.indicators.iter().map(move |(indicator, spec)| (service, indicator, spec))
                })
                .filter(|(_, _, spec)| &spec.source == name)
                .map(|(service, indicator, spec)| (service.clone(), indicator.clone(), spec.read.clone()))
                .collect(),
            alarms: crate::engine::alarms::watched(&config, name),
        });
        let sources: Vec<_> = sources.collect();
        crate::observe::validate(&probes, &sources)?;
        let alertmanager = config.alarms.alertmanager.as_ref().map(|spec| Alertmanager::new(spec, &secrets));
        let alertmanager = alertmanager
            .transpose()
            .map_err(|reason| EngineError::Adapter { part: "alarms.alertmanager".to_owned(), reason })?;
        let alertmanager = alertmanager.map(Arc::new);
        let heartbeat = config.heartbeat.as_ref().map(|spec| Heartbeat::new(spec, &secrets)).transpose();
        let heartbeat = heartbeat.map_err(|error| EngineError::Adapter {
            part: "heartbeat".to_owned(),
            reason: error.to_string(),
        })?;
        let heartbeat = heartbeat.map(Arc::new);
        let settings = Arc::new(Settings {
            config,
            runbooks: BTreeMap::new(),
            templates: Arc::default(),
            drill: false,
            platforms: facts,
            by_itself,
        });
        Ok(Self {
            settings,
            secrets,
            platforms,
            channels,
            probes,
            sources,
            alertmanager,
            heartbeat,
            databases,
        })
    }

    /// As a drill: its incidents and its messages say so.
    #[must_use]
    pub fn as_drill(mut self) -> Self {
        Arc::make_mut(&mut self.settings).drill = true;
        self
    }

    /// With the runbooks and the texts of messages that were read with the config.
    #[must_use]
    pub fn with_texts(mut self, loaded: &Loaded) -> Self {
        let settings = Arc::make_mut(&mut self.settings);
        settings.runbooks = loaded.runbooks.clone();
        settings.templates = Arc::clone(&loaded.templates);
        self
    }
}

fn facts_of(platform: &dyn Platform) -> PlatformFacts {
    let any = ReleaseRef::from("any");
    let declares = |action: PlatformAction| -> Declares { platform.declares(&action) };
    PlatformFacts {
        capabilities: platform.capabilities(),
        deploy: declares(PlatformAction::Deploy { release: any.clone() }),
        shift: declares(PlatformAction::ShiftTraffic { shares: Vec::new() }),
        restore: declares(PlatformAction::Restore { release: any }),
        maintenance: declares(PlatformAction::Maintenance { on: true }),
    }
}
