//! Alarms that a metric service keeps by itself: what making them would change, and making them. The one thing here that
//! changes something outside, and only when a person asks for it.

use std::sync::Arc;

use crate::model::alarm::{AlarmChange, AlarmDefinition};
use crate::model::secret::Secrets;
use crate::model::source::SourceSpec;

use super::http::Client;
use super::{SourceTarget, cloudwatch};

/// What making each of the alarms at this source would change, in their order. Changes nothing. An error is in words.
pub async fn compare_alarms(
    source: &SourceTarget,
    secrets: &Secrets,
    alarms: &[&AlarmDefinition],
) -> Result<Vec<AlarmChange>, String> {
    let SourceSpec::Cloudwatch(spec) = &source.spec else { return Err(keeps_none(source)) };
    let compared = cloudwatch::compare(spec, alarms, &client(secrets)).await;
    compared.map_err(|reason| secrets.redact(&reason))
}

/// Makes an alarm at this source, whatever there was of its name. An error is in words.
pub async fn put_alarm(
    source: &SourceTarget,
    secrets: &Secrets,
    alarm: &AlarmDefinition,
) -> Result<(), String> {
    let SourceSpec::Cloudwatch(spec) = &source.spec else { return Err(keeps_none(source)) };
    let made = cloudwatch::apply(spec, alarm, &client(secrets)).await;
    made.map_err(|reason| secrets.redact(&reason))
}

fn client(secrets: &Secrets) -> Client {
    Client::new(0, Arc::new(secrets.clone()))
}

fn keeps_none(source: &SourceTarget) -> String {
    format!("the source `{}` keeps no alarms", source.source)
}
