//! What waits to be sent, in which order, and what is to be done next. Pure: time and chance are given to it.
//!
//! - Messages of one incident to one place keep their order; a message that fails holds those behind it up, and no others.
//! - A newer update takes the place of one that has not been begun.
//! - A resolve is left out where nothing that it could end was accepted.
//! - A page goes to its channel's fallback, too, when it is not accepted within 30 s, when its channel is left alone or gone,
//!   and when it is given up.
//! - What is too old is given up; each message ends exactly once.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use crate::model::breaker::{BreakerStatus, Dependency};
use crate::model::channel::ChannelSpec;
use crate::model::delivery::{Delivery, DeliveryState};
use crate::model::notification::{MessageKind, Notification};
use crate::model::units::human;
use crate::model::{ChannelName, NotificationId};
use crate::notify::{Accepted, Fault, SendError, backoff};

use super::super::super::input::{DeliveryEnd, Input};
use super::destination::{Destination, Job, JobState, LaneKey};

/// A page that is not accepted within this goes to the fallback as well.
const FAIL_OVER: Duration = Duration::from_secs(30);
/// Messages on their way to one channel at once.
const IN_FLIGHT: usize = 16;
/// Messages that wait for one channel; beyond that some are left out.
const WAITING: usize = 1_000;

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    /// Send this, and say how that went.
    Send(Box<Notification>),
    /// Tell the core.
    Tell(Input),
}

/// All that waits.
#[derive(Debug, Default)]
pub(super) struct Queue {
    destinations: BTreeMap<ChannelName, Destination>,
    pushed: u64,
}

impl Queue {
    pub(super) fn new(channels: &BTreeMap<ChannelName, ChannelSpec>, now: Timestamp) -> Self {
        let destinations = channels.iter().map(|(name, spec)| (name.clone(), Destination::new(spec, now)));
        Self { destinations: destinations.collect(), pushed: 0 }
    }

    /// Takes a message. `has_reached`: whether its channel is known to have taken something of its incident.
    pub(super) fn push(&mut self, message: Notification, has_reached: bool) -> Vec<Step> {
        let Some(destination) = self.destinations.get_mut(&message.channel) else {
            let reason = format!("the config has no channel `{}` any more", message.channel);
            return vec![tell(message.id, 0, DeliveryEnd::Failed(reason))];
        };
        if destination.job_mut(&message.id).is_some() {
            return Vec::new();
        }
        if let Some(incident) = message.incident.as_ref().filter(|_| has_reached) {
            destination.reach(incident);
        }
        let mut steps = Vec::new();
        let lane = LaneKey::of(&message);
        if message.kind == MessageKind::Update && message.incident.is_some() {
            let waiting = destination.lanes.get(&lane).into_iter().flatten();
            let is_older = |job: &&Job| job.message.kind == MessageKind::Update && job.is_untouched();
            let older: Vec<_> = waiting.filter(is_older).map(|job| job.message.id.clone()).collect();
            for id in older {
                steps.extend(leave_out(destination, &id, "a newer update took its place"));
            }
        }
        if destination.jobs().count() >= WAITING {
            // Pages last, the oldest first.
            let untouched = destination.jobs().filter(|job| job.is_untouched());
            let victim = untouched.min_by_key(|job| (job.is_page(), job.order));
            let storm = format!("storm: more than {WAITING} messages wait for this channel");
            match victim.filter(|victim| !victim.is_page() || message.kind == MessageKind::Page) {
                Some(victim) => {
                    let id = victim.message.id.clone();
                    steps.extend(leave_out(destination, &id, &storm));
                }
                None => {
                    destination.left_out += 1;
                    steps.push(tell(message.id, 0, DeliveryEnd::Suppressed(storm)));
                    return steps;
                }
            }
        }
        self.pushed += 1;
        destination.lanes.entry(lane).or_default().push_back(Job::new(message, self.pushed));
        steps
    }

    /// Leaves out what waits under a key, or below it. What is on its way is not sent again.
    pub(super) fn withdraw(&mut self, key: &str, pages_only: bool, reason: &str) -> Vec<Step> {
        let is_meant = |job: &Job| job.message.is_below(key) && (!pages_only || job.is_page());
        let mut steps = Vec::new();
        for destination in self.destinations.values_mut() {
            for job in destination.jobs_mut().filter(|job| job.state == JobState::Sending && is_meant(job)) {
                job.withdrawn = Some(reason.to_owned());
            }
            steps.extend(
                destination
                    .remove_if(is_meant)
                    .into_iter()
                    .map(|job| tell(job.message.id, job.attempt, DeliveryEnd::Suppressed(reason.to_owned()))),
            );
        }
        steps
    }

    /// What is to be done now.
    pub(super) fn next(&mut self, now: Timestamp) -> Vec<Step> {
        let mut steps = Vec::new();
        for (name, destination) in &mut self.destinations {
            fail_over(destination, now, &mut steps);
            for job in destination.remove_if(|job| job.left(now).is_zero()) {
                let ttl = human(job.message.kind.ttl());
                let tried = if job.reason.is_empty() { "never sent".to_owned() } else { job.reason };
                let reason = format!("given up after {ttl} and {}: {tried}", attempts(job.attempt));
                steps.push(tell(job.message.id, job.attempt, DeliveryEnd::Failed(reason)));
            }
            if let Some((_, reason, true)) = destination.refuses.clone() {
                for job in destination.remove_if(|_| true) {
                    steps.push(tell(job.message.id, job.attempt, DeliveryEnd::Failed(reason.clone())));
                }
            }
            send(destination, now, &mut steps);
            if let Some(status) = destination.news() {
                steps.push(breaker(name, status));
            }
        }
        steps
    }

    /// How an attempt went. `random`, 0 to 1, spreads the next one.
    pub(super) fn finished(
        &mut self,
        id: &NotificationId,
        result: Result<Accepted, SendError>,
        now: Timestamp,
        random: f64,
    ) -> Vec<Step> {
        let found = self.destinations.values_mut().find(|destination| {
            destination.jobs().any(|job| job.message.id == *id && job.state == JobState::Sending)
        });
        let Some(destination) = found else { return Vec::new() };
        destination.in_flight = destination.in_flight.saturating_sub(1);
        match result {
            Ok(accepted) => taken(destination, id, accepted, now),
            Err(error) => failed(destination, id, &error, now, random),
        }
    }

    /// What waits or is on its way after a first attempt, for people to see.
    pub(super) fn deliveries(&self) -> Vec<Delivery> {
        let all = self.destinations.values().flat_map(Destination::jobs);
        let mut jobs: Vec<&Job> = all.filter(|job| job.attempt > 0).collect();
        jobs.sort_by_key(|job| job.order);
        let delivery = |job: &Job| Delivery {
            notification: job.message.id.clone(),
            channel: job.message.channel.clone(),
            kind: job.message.kind,
            attempt: job.attempt,
            state: match job.state {
                JobState::RetryAt(at) => DeliveryState::RetryAt(at),
                JobState::Queued | JobState::Sending => DeliveryState::Sending,
            },
            reason: job.reason.clone(),
        };
        jobs.into_iter().map(delivery).collect()
    }
}

fn tell(id: NotificationId, attempt: u32, end: DeliveryEnd) -> Step {
    Step::Tell(Input::NotificationFinished { id, attempt, end })
}

fn breaker(name: &ChannelName, status: BreakerStatus) -> Step {
    Step::Tell(Input::Breaker { dependency: Dependency::Channel(name.clone()), status })
}

fn attempts(count: u32) -> String {
    if count == 1 { "1 attempt".to_owned() } else { format!("{count} attempts") }
}

/// Leaves a waiting message out, and counts it for the next one to tell.
fn leave_out(destination: &mut Destination, id: &NotificationId, reason: &str) -> Option<Step> {
    let job = destination.remove(id)?;
    destination.left_out = destination.left_out.saturating_add(1);
    Some(tell(job.message.id, job.attempt, DeliveryEnd::Suppressed(reason.to_owned())))
}

/// Hands pages that cannot wait to the fallback.
fn fail_over(destination: &mut Destination, now: Timestamp, steps: &mut Vec<Step>) {
    if !destination.has_fallback {
        return;
    }
    let out = destination.is_out();
    let waits = |job: &&mut Job| job.is_page() && !job.fell_over && job.withdrawn.is_none();
    for job in destination.jobs_mut().filter(waits) {
        let reason = match &out {
            Some(reason) => reason.clone(),
            None if job.age(now) >= FAIL_OVER => format!("not accepted within {}", human(FAIL_OVER)),
            None => continue,
        };
        job.fell_over = true;
        steps.push(Step::Tell(Input::NotificationFellOver { id: job.message.id.clone(), reason }));
    }
}

/// Sends what is due, as far as the channel's pace and its breaker allow.
fn send(destination: &mut Destination, now: Timestamp, steps: &mut Vec<Step>) {
    // Again after each resolve that was left out: what is behind it is due, too.
    loop {
        let mut has_left_out = false;
        for (lane, id) in destination.due(now) {
            let Some(job) = destination.lanes.get(&lane).and_then(|lane| lane.front()) else { continue };
            let is_vain = job.message.kind == MessageKind::Resolve
                && job.message.incident.as_ref().is_some_and(|incident| !destination.has_reached(incident));
            if is_vain {
                let incident = job.message.incident.clone();
                let Some(job) = destination.remove(&id) else { continue };
                let what = incident.map_or_else(String::new, |incident| incident.to_string());
                let reason = format!("nothing of {what} was accepted there, so that there is nothing to end");
                steps.push(tell(id, job.attempt, DeliveryEnd::Suppressed(reason)));
                has_left_out = true;
                continue;
            }
            if destination.in_flight >= IN_FLIGHT || !destination.may_send(now) {
                return;
            }
            destination.in_flight += 1;
            // Told once; if this one is not taken, by the next.
            let left_out = std::mem::take(&mut destination.left_out);
            let Some(job) = destination.job_mut(&id) else { continue };
            job.state = JobState::Sending;
            job.attempt = job.attempt.saturating_add(1);
            job.tells = left_out;
            steps.push(Step::Send(Box::new(with_count(&job.message, left_out))));
        }
        if !has_left_out {
            return;
        }
    }
}

/// The message, telling of those that were left out before it.
fn with_count(message: &Notification, left_out: u32) -> Notification {
    let mut message = message.clone();
    if left_out > 0 {
        let many =
            if left_out == 1 { "1 message was".to_owned() } else { format!("{left_out} messages were") };
        message.text = format!(
            "{}\n({many} left out here: newer ones took their place, or there were too many)",
            message.text
        );
        message.facts.insert("left_out".to_owned(), left_out.to_string());
    }
    message
}

fn taken(
    destination: &mut Destination,
    id: &NotificationId,
    accepted: Accepted,
    now: Timestamp,
) -> Vec<Step> {
    destination.breaker.succeeded(now);
    destination.refuses = None;
    let Some(job) = destination.remove(id) else { return Vec::new() };
    let end = if destination.counts {
        if let Some(incident) = &job.message.incident {
            destination.reach(incident);
        }
        DeliveryEnd::Accepted { detail: accepted.detail }
    } else {
        DeliveryEnd::Suppressed(
            "shown as a notice on this machine, which is best effort and never counts as accepted".to_owned(),
        )
    };
    vec![tell(job.message.id, job.attempt, end)]
}

fn failed(
    destination: &mut Destination,
    id: &NotificationId,
    error: &SendError,
    now: Timestamp,
    random: f64,
) -> Vec<Step> {
    let reason = error.to_string();
    let (is_final, after) = match error {
        SendError::Permanent { fault, .. } => {
            match fault {
                // It answered, and the next message may fare better.
                Fault::Message => destination.breaker.succeeded(now),
                Fault::Config | Fault::Gone => {
                    let since = destination.refuses.as_ref().map_or(now, |(since, ..)| *since);
                    destination.refuses = Some((since, reason.clone(), *fault == Fault::Gone));
                    destination.breaker.failed(now, &reason, 1.0);
                }
            }
            (true, None)
        }
        SendError::Retry { after, .. } => {
            destination.breaker.failed(now, &reason, 1.0);
            (false, *after)
        }
        SendError::Unknown { .. } => {
            destination.breaker.failed(now, &reason, 1.0);
            (false, None)
        }
    };
    let has_fallback = destination.has_fallback;
    let Some(job) = destination.job_mut(id) else { return Vec::new() };
    let (attempt, left, tells) = (job.attempt, job.left(now), std::mem::take(&mut job.tells));
    destination.left_out = destination.left_out.saturating_add(tells);
    let Some(job) = destination.job_mut(id) else { return Vec::new() };
    if let Some(why) = job.withdrawn.take() {
        destination.remove(id);
        return vec![tell(id.clone(), attempt, DeliveryEnd::Suppressed(why))];
    }
    // What the other side asks for is a floor; for longer than it is worth sending, nothing waits.
    let wait = backoff(attempt.saturating_sub(1), random).max(after.unwrap_or_default());
    if !is_final && wait < left {
        job.state = JobState::RetryAt(now + wait);
        job.reason = reason;
        destination.block(after.map(|after| now + after.min(left)));
        return Vec::new();
    }
    let must_fall_over = has_fallback && job.is_page() && !job.fell_over;
    destination.block(after.map(|after| now + after.min(left)));
    destination.remove(id);
    let reason = if is_final { reason } else { format!("given up after {}: {reason}", attempts(attempt)) };
    let mut steps = Vec::new();
    if must_fall_over {
        // Before its end: what has ended is not in the outbox any more.
        let reason = reason.clone();
        steps.push(Step::Tell(Input::NotificationFellOver { id: id.clone(), reason }));
    }
    steps.push(tell(id.clone(), attempt, DeliveryEnd::Failed(reason)));
    steps
}

#[cfg(test)]
mod tests;
