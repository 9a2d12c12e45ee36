//! What the tasks write, out of CloudWatch Logs
//! (<https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html>).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::super::PlatformError;
use super::api::Json;
use crate::model::platform::{EcsSpec, LogLine, LogQuery};
use crate::model::secret::Secrets;

const TARGET: &str = "Logs_20140328";
/// How far back lines are looked for when no time is given.
const BACK: Duration = Duration::from_mins(30);
/// Lines come late and out of order between tasks: this much is read again each time.
const OVERLAP: i64 = 30_000;
/// Time between two questions while following. CloudWatch allows five a second to everybody together.
const PAUSE: Duration = Duration::from_secs(2);

/// Where a container writes.
pub(super) struct Group {
    pub(super) name: String,
    /// What the names of its streams begin with.
    pub(super) prefix: Option<String>,
}

/// CloudWatch Logs.
#[derive(Debug)]
pub(super) struct Logs(Json);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    #[serde(default)]
    events: Vec<Event>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    #[serde(default, rename = "eventId")]
    id: String,
    #[serde(default)]
    log_stream_name: String,
    #[serde(default)]
    timestamp: i64,
    #[serde(default)]
    message: String,
}

impl Logs {
    pub(super) fn new(spec: &EcsSpec, secrets: &Arc<Secrets>) -> Result<Self, String> {
        Json::new(spec, "logs", spec.logs_endpoint.as_deref(), TARGET, secrets).map(Self)
    }

    fn body(group: &Group, from: i64) -> Value {
        let mut body = json!({ "logGroupName": group.name, "startTime": from });
        if let Some(prefix) = &group.prefix {
            body["logStreamNamePrefix"] = json!(prefix);
        }
        body
    }

    /// Whether the group may be read.
    pub(super) async fn probe(&self, group: &Group) -> Result<(), PlatformError> {
        let mut body = Self::body(group, Timestamp::now().as_millisecond() - 1000);
        body["limit"] = json!(1);
        self.0.read::<Value>("read the log group", "FilterLogEvents", &body).await.map(drop)
    }

    pub(super) async fn follow(
        &self,
        group: &Group,
        query: &LogQuery,
        out: &mpsc::Sender<LogLine>,
    ) -> Result<(), PlatformError> {
        let since = query.since.unwrap_or_else(|| Timestamp::now() - BACK).as_millisecond();
        let mut seen: BTreeMap<String, i64> = BTreeMap::new();
        let mut newest = since;
        let mut is_first = true;
        loop {
            let from = if is_first { since } else { (newest - OVERLAP).max(since) };
            let mut events = match self.events(group, from).await {
                Ok(events) => events,
                // What is followed goes on when the network is back.
                Err(PlatformError::Transient(_)) if query.follow && !is_first => Vec::new(),
                Err(error) => return Err(error),
            };
            events.retain(|event| seen.insert(event.id.clone(), event.timestamp).is_none());
            events.sort_by_key(|event| event.timestamp);
            let skip = if is_first { events.len().saturating_sub(query.tail as usize) } else { 0 };
            newest = events.iter().map(|event| event.timestamp).fold(newest, i64::max);
            seen.retain(|_, at| *at >= newest - OVERLAP);
            for event in events.into_iter().skip(skip) {
                let instance = event.log_stream_name.rsplit_once('/').map(|(_, task)| task.to_owned());
                let line = LogLine {
                    at: Timestamp::from_millisecond(event.timestamp).ok(),
                    instance: instance.unwrap_or(event.log_stream_name),
                    text: event.message.trim_end_matches(['\r', '\n']).to_owned(),
                };
                if out.send(line).await.is_err() {
                    return Ok(());
                }
            }
            is_first = false;
            if !query.follow {
                return Ok(());
            }
            tokio::select! {
                () = sleep(PAUSE) => {}
                () = out.closed() => return Ok(()),
            }
        }
    }

    async fn events(&self, group: &Group, from: i64) -> Result<Vec<Event>, PlatformError> {
        let mut body = Self::body(group, from);
        let mut all = Vec::new();
        loop {
            let page: Page = self.0.read("read the log", "FilterLogEvents", &body).await?;
            let is_of = |event: &Event| {
                group.prefix.as_ref().is_none_or(|prefix| event.log_stream_name.starts_with(prefix))
            };
            all.extend(page.events.into_iter().filter(is_of));
            match page.next_token {
                Some(token) => body["nextToken"] = json!(token),
                None => return Ok(all),
            }
        }
    }
}
