//! One channel and what waits for it: a lane for each incident, the channel's pace, its breaker, and what is known of its
//! config.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use jiff::Timestamp;

use crate::model::breaker::{Breaker, BreakerLimits, BreakerState, BreakerStatus, Pause};
use crate::model::channel::ChannelSpec;
use crate::model::notification::{MessageKind, Notification};
use crate::model::{IncidentId, NotificationId};

use super::pace::{Bucket, Pace};

/// A channel that failed so often in a row is left alone for a while, and then tried once.
const BREAKER: BreakerLimits = BreakerLimits {
    failures: 5,
    successes: 1,
    pause: Pause { first: Duration::from_secs(30), longest: Duration::from_secs(30) },
};
/// Incidents that are remembered to have reached the channel.
const REACHED: usize = 256;

/// What has its order: the messages of one incident to one place. Outside incidents, those of one service or one topic.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct LaneKey {
    subject: (u8, String),
    to: Vec<String>,
}

impl LaneKey {
    pub(super) fn of(message: &Notification) -> Self {
        let subject = match (&message.incident, &message.service) {
            (Some(incident), _) => (0, incident.to_string()),
            (None, Some(service)) => (1, service.to_string()),
            (None, None) => (2, message.topic.clone()),
        };
        Self { subject, to: message.to.clone() }
    }
}

/// Where a message is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum JobState {
    /// It has not been sent yet.
    Queued,
    /// It is on its way.
    Sending,
    /// It was not taken, and is sent again then.
    RetryAt(Timestamp),
}

/// A message and how far it is.
#[derive(Clone, Debug)]
pub(super) struct Job {
    pub(super) message: Notification,
    pub(super) state: JobState,
    /// Which came first.
    pub(super) order: u64,
    /// Attempts that were begun.
    pub(super) attempt: u32,
    /// Why the last one failed.
    pub(super) reason: String,
    /// Its channel's fallback has it, too.
    pub(super) fell_over: bool,
    /// Nobody wants it any more; known while it is on its way.
    pub(super) withdrawn: Option<String>,
    /// How many left-out messages it told of.
    pub(super) tells: u32,
}

impl Job {
    pub(super) const fn new(message: Notification, order: u64) -> Self {
        Self {
            message,
            state: JobState::Queued,
            order,
            attempt: 0,
            reason: String::new(),
            fell_over: false,
            withdrawn: None,
            tells: 0,
        }
    }

    /// How old it is. A message from the future (the clock was set back) is a new one.
    pub(super) fn age(&self, now: Timestamp) -> Duration {
        Duration::try_from(now.duration_since(self.message.at)).unwrap_or_default()
    }

    /// How long it is still worth sending.
    pub(super) fn left(&self, now: Timestamp) -> Duration {
        self.message.kind.ttl().saturating_sub(self.age(now))
    }

    pub(super) const fn is_page(&self) -> bool {
        matches!(self.message.kind, MessageKind::Page)
    }

    /// Whether it may still be replaced or left out without anybody having seen it.
    pub(super) fn is_untouched(&self) -> bool {
        self.state == JobState::Queued && self.attempt == 0
    }

    fn is_due(&self, now: Timestamp) -> bool {
        match self.state {
            JobState::Queued => true,
            JobState::Sending => false,
            JobState::RetryAt(at) => at <= now,
        }
    }
}

/// One channel.
#[derive(Debug)]
pub(super) struct Destination {
    /// What it takes counts as accepted.
    pub(super) counts: bool,
    pub(super) has_fallback: bool,
    pub(super) lanes: BTreeMap<LaneKey, VecDeque<Job>>,
    pub(super) in_flight: usize,
    /// Messages that were left out and that nobody there was told of.
    pub(super) left_out: u32,
    pub(super) breaker: Breaker,
    bucket: Bucket,
    /// The other side's wish.
    blocked_until: Option<Timestamp>,
    /// It refuses messages for good: since when, why, and whether it said that it wants nothing more.
    pub(super) refuses: Option<(Timestamp, String, bool)>,
    told_refusal: Option<(Timestamp, String, bool)>,
    reached: VecDeque<IncidentId>,
}

impl Destination {
    pub(super) fn new(spec: &ChannelSpec, now: Timestamp) -> Self {
        Self {
            counts: spec.counts(),
            has_fallback: spec.fallback().is_some(),
            lanes: BTreeMap::new(),
            in_flight: 0,
            left_out: 0,
            breaker: Breaker::new(BREAKER, now),
            bucket: Bucket::new(Pace::of(spec), now),
            blocked_until: None,
            refuses: None,
            told_refusal: None,
            reached: VecDeque::new(),
        }
    }

    /// Whether something may be sent now; if so, it has to be.
    pub(super) fn may_send(&mut self, now: Timestamp) -> bool {
        if self.blocked_until.is_some_and(|until| until > now) || !self.bucket.has_one(now) {
            return false;
        }
        // Asked last: who is told that it may be tried has to try.
        let may = self.breaker.may_try(now);
        if may {
            self.bucket.take();
        }
        may
    }

    /// The first messages of the lanes that are due, pages before the rest, older before newer.
    pub(super) fn due(&self, now: Timestamp) -> Vec<(LaneKey, NotificationId)> {
        let mut due: Vec<_> = self
            .lanes
            .iter()
            .filter_map(|(key, lane)| Some((key, lane.front().filter(|job| job.is_due(now))?)))
            .collect();
        due.sort_by_key(|(_, job)| (!job.is_page(), job.order));
        due.into_iter().map(|(key, job)| (key.clone(), job.message.id.clone())).collect()
    }

    pub(super) fn jobs(&self) -> impl Iterator<Item = &Job> {
        self.lanes.values().flatten()
    }

    pub(super) fn jobs_mut(&mut self) -> impl Iterator<Item = &mut Job> {
        self.lanes.values_mut().flatten()
    }

    pub(super) fn job_mut(&mut self, id: &NotificationId) -> Option<&mut Job> {
        self.jobs_mut().find(|job| job.message.id == *id)
    }

    /// Takes a message out. One that is on its way stays to be answered for.
    pub(super) fn remove(&mut self, id: &NotificationId) -> Option<Job> {
        let mut removed = None;
        for lane in self.lanes.values_mut() {
            if let Some(at) = lane.iter().position(|job| job.message.id == *id) {
                removed = lane.remove(at);
                break;
            }
        }
        self.lanes.retain(|_, lane| !lane.is_empty());
        removed
    }

    /// Takes all out that are not on their way and of which this holds.
    pub(super) fn remove_if(&mut self, mut is_meant: impl FnMut(&Job) -> bool) -> Vec<Job> {
        let mut removed = Vec::new();
        for lane in self.lanes.values_mut() {
            let mut kept = VecDeque::with_capacity(lane.len());
            for job in lane.drain(..) {
                if job.state != JobState::Sending && is_meant(&job) {
                    removed.push(job);
                } else {
                    kept.push_back(job);
                }
            }
            *lane = kept;
        }
        self.lanes.retain(|_, lane| !lane.is_empty());
        removed.sort_by_key(|job| job.order);
        removed
    }

    /// Nothing is sent there before then.
    pub(super) fn block(&mut self, until: Option<Timestamp>) {
        self.blocked_until = self.blocked_until.max(until);
    }

    /// Whether pages cannot wait for it.
    pub(super) fn is_out(&self) -> Option<String> {
        if let Some((_, reason, true)) = &self.refuses {
            return Some(reason.clone());
        }
        let status = self.breaker.status();
        (status.state == BreakerState::Open)
            .then(|| format!("it is left alone (breaker open): {}", status.reason))
    }

    pub(super) fn has_reached(&self, incident: &IncidentId) -> bool {
        self.reached.contains(incident)
    }

    /// Something of the incident was taken there.
    pub(super) fn reach(&mut self, incident: &IncidentId) {
        if !self.has_reached(incident) {
            if self.reached.len() == REACHED {
                self.reached.pop_front();
            }
            self.reached.push_back(incident.clone());
        }
    }

    /// What has changed since this was asked last and is worth telling.
    pub(super) fn news(&mut self) -> Option<BreakerStatus> {
        let news = self.breaker.news();
        if self.refuses != self.told_refusal {
            self.told_refusal.clone_from(&self.refuses);
            return Some(match &self.refuses {
                Some((since, reason, _)) => refusal(*since, reason),
                None => self.breaker.status().clone(),
            });
        }
        // What is wrong with it says more than that it is left alone.
        news.filter(|_| self.refuses.is_none())
    }
}

/// A channel that refuses messages, in the shape in which everything outside is shown: open, and never tried by itself.
fn refusal(since: Timestamp, reason: &str) -> BreakerStatus {
    BreakerStatus { state: BreakerState::Open, since, next_try: None, pause: None, reason: reason.to_owned() }
}
