//! A platform that also says which schema the service's database has, asked of the database itself.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokio::sync::{Mutex, mpsc};

use crate::database::Database;
use crate::model::platform::{
    Capabilities, Check, CheckOutcome, Declares, Instance, LogLine, LogQuery, PlatformAction,
};
use crate::model::release::Inventory;
use crate::platform::{Call, Platform, PlatformError};

/// A schema moves with a migration, and a platform may be read ten times a second.
const FRESH: Duration = Duration::from_secs(5);

/// A platform and the database of its service.
pub(super) struct WithSchema {
    inner: Arc<dyn Platform>,
    database: Database,
    /// The version that was read last, and when. A database that cannot be asked has the one that it had.
    known: Mutex<Option<(Instant, Option<u64>)>>,
}

impl WithSchema {
    pub(super) fn new(inner: Arc<dyn Platform>, database: Database) -> Self {
        Self { inner, database, known: Mutex::default() }
    }

    async fn schema(&self) -> Option<u64> {
        let mut known = self.known.lock().await;
        if let Some((at, version)) = *known
            && at.elapsed() < FRESH
        {
            return version;
        }
        let version = match self.database.schema().await {
            Ok(schema) => schema.version,
            Err(reason) => {
                tracing::warn!(database = ?self.database, %reason, "the schema cannot be read");
                known.and_then(|(_, version)| version)
            }
        };
        *known = Some((Instant::now(), version));
        version
    }
}

#[async_trait]
impl Platform for WithSchema {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn declares(&self, action: &PlatformAction) -> Declares {
        self.inner.declares(action)
    }

    async fn read(&self) -> Result<Inventory, PlatformError> {
        let mut inventory = self.inner.read().await?;
        if inventory.schema.is_none() {
            inventory.schema = self.schema().await;
        }
        Ok(inventory)
    }

    async fn act(&self, action: &PlatformAction, call: &Call) -> Result<String, PlatformError> {
        self.inner.act(action, call).await
    }

    async fn check(&self) -> Vec<Check> {
        let mut checks = self.inner.check().await;
        let outcome = match self.database.schema().await {
            Ok(schema) => match schema.version {
                Some(version) => CheckOutcome::Passed(format!("{version}, says {}", schema.told_by)),
                None => CheckOutcome::Warning("no table of a migration tool was found".to_owned()),
            },
            Err(reason) => CheckOutcome::Failed(reason),
        };
        checks.push(Check { what: "read the schema of the database".to_owned(), outcome });
        checks
    }

    async fn instances(&self) -> Result<Vec<Instance>, PlatformError> {
        self.inner.instances().await
    }

    async fn logs(&self, query: &LogQuery, out: &mpsc::Sender<LogLine>) -> Result<(), PlatformError> {
        self.inner.logs(query, out).await
    }
}
