//! Carrying out one change of a database.

use std::time::Duration;

use super::World;
use super::tenure::Tenure;
use super::validations::database_of;
use crate::database::ChangeError;
use crate::engine::input::StepResult;
use crate::model::database::DataAction;
use crate::model::units::human;

/// Makes the change, for no longer than `limit`, and never when the lease has run out or was taken.
pub(super) async fn run(world: &World, what: &DataAction, limit: Duration, tenure: &Tenure) -> StepResult {
    let database = match database_of(world, what.database()) {
        Ok(database) => database,
        Err(why) => return StepResult::Failed(why),
    };
    if !tenure.lasts().await {
        return StepResult::Transient("the lease was lost before the call; nothing was done".to_owned());
    }
    let redacted = |why: String| world.secrets.redact(&why);
    match tokio::time::timeout(limit, database.change(what)).await {
        Ok(Ok(detail)) => StepResult::Done { adopted: false, detail: redacted(detail) },
        Ok(Err(ChangeError::Transient(why))) => StepResult::Transient(redacted(why)),
        Ok(Err(ChangeError::Failed(why))) => StepResult::Failed(redacted(why)),
        Ok(Err(ChangeError::Unclear(why))) => StepResult::Unclear(redacted(why)),
        // What was given up is undone by the database where it is one transaction; whether it was, the next look tells.
        Err(_) => StepResult::Unclear(format!("no end within {}", human(limit))),
    }
}
