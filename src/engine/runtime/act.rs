//! Carrying one step out: read, act, read.
//!
//! The platform is read first; what already holds is not done again. After the call it is read until the post-condition
//! holds, because a platform that answered has not yet done anything, and one whose answer was lost may have.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

use crate::model::operation::Requirement;
use crate::model::release::Inventory;
use crate::platform::{Call, Platform, PlatformError, Progress};

use super::super::input::{RunStep, StepFinished, StepResult};
use super::tenure::Tenure;

/// The first pause between two readings while waiting for an effect; it doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// The longest pause between two readings.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Time for one reading.
const READ_TIMEOUT: Duration = Duration::from_secs(15);

/// Carries a step out. Ends within the step's timeout, and never acts when the lease has run out or was taken.
pub(super) async fn run(
    platform: &dyn Platform,
    step: RunStep,
    token: u64,
    tenure: &Tenure,
    progress: Progress,
) -> StepFinished {
    let deadline = Instant::now() + *step.timeout;
    let mut attempt = Attempt { platform, step: &step, token, tenure, progress, deadline, last: None };
    let result = attempt.carry_out().await;
    StepFinished {
        operation: step.operation.clone(),
        step: step.step,
        attempt: step.attempt,
        result,
        inventory: attempt.last,
    }
}

struct Attempt<'a> {
    platform: &'a dyn Platform,
    step: &'a RunStep,
    token: u64,
    tenure: &'a Tenure,
    progress: Progress,
    deadline: Instant,
    last: Option<Inventory>,
}

impl Attempt<'_> {
    async fn carry_out(&mut self) -> StepResult {
        let mut revision = None;
        let mut failed = None;
        if self.step.declares.observable {
            let inventory = match self.read().await {
                Ok(inventory) => inventory,
                Err(error) => return from_read(&error),
            };
            if self.step.action.holds_in(&inventory) {
                self.last = Some(inventory);
                return StepResult::Done { adopted: true, detail: "it was already so".to_owned() };
            }
            // What an earlier attempt asked for may still be going on.
            if self.step.may_have_happened && !inventory.settled {
                match self.wait_until_it_holds(true, inventory.failed.as_deref()).await {
                    Waited::Holds => {
                        return StepResult::Done {
                            adopted: true,
                            detail: "it had been asked for before".to_owned(),
                        };
                    }
                    Waited::Settled => {}
                    Waited::Failed(why) => return StepResult::Failed(why),
                    Waited::TimedOut(why) => return StepResult::Unclear(why),
                }
            } else {
                self.last = Some(inventory);
            }
            if let Some(inventory) = &self.last {
                if let Err(reason) = self.require(inventory) {
                    return StepResult::Failed(reason);
                }
                revision.clone_from(&inventory.revision);
                failed.clone_from(&inventory.failed);
            }
        }
        // Somebody else may act from here on if the lease has run out or was taken: leave it to them.
        if !self.tenure.lasts().await {
            return StepResult::Transient("the lease was lost before the call; nothing was done".to_owned());
        }
        // What was read before the call says nothing of the platform after it.
        self.last = None;
        let progress = self.progress.clone();
        let call = Call {
            key: self.step.key.clone(),
            token: self.token,
            revision,
            may_have_happened: self.step.may_have_happened,
            progress,
        };
        let acted = timeout_at(self.deadline, self.platform.act(&self.step.action, &call)).await;
        let said = match acted {
            Ok(Ok(said)) => said,
            Ok(Err(PlatformError::Transient(reason))) => return StepResult::Transient(reason),
            Ok(Err(PlatformError::Permanent(reason))) => return StepResult::Failed(reason),
            Ok(Err(PlatformError::Unclear(reason))) => {
                return self.after_lost_answer(reason, failed.as_deref()).await;
            }
            Err(_) => return StepResult::Unclear("no answer in time".to_owned()),
        };
        if !self.step.declares.observable {
            return StepResult::Done { adopted: false, detail: said };
        }
        match self.wait_until_it_holds(false, failed.as_deref()).await {
            Waited::Holds => StepResult::Done { adopted: false, detail: said },
            Waited::Failed(reason) => {
                StepResult::Failed(format!("the platform took the call ({said}), then: {reason}"))
            }
            Waited::Settled | Waited::TimedOut(_) => StepResult::Failed(format!(
                "the platform took the call ({said}) but does not show its effect within {}",
                crate::model::units::human(*self.step.timeout)
            )),
        }
    }

    /// The call may have happened: only a reading can tell.
    async fn after_lost_answer(&mut self, reason: String, failed: Option<&str>) -> StepResult {
        if !self.step.declares.observable {
            return StepResult::Unclear(reason);
        }
        // An effect shows soon after its call or not at all; the rest of the time is for the next attempt.
        self.deadline = self.deadline.min(Instant::now() + Duration::from_secs(10));
        match self.wait_until_it_holds(false, failed).await {
            Waited::Failed(why) => StepResult::Failed(format!("the answer was lost ({reason}), then: {why}")),
            Waited::Holds => StepResult::Done {
                adopted: false,
                detail: format!("the answer was lost ({reason}), the effect is there"),
            },
            Waited::Settled | Waited::TimedOut(_) => StepResult::Unclear(reason),
        }
    }

    fn require(&self, inventory: &Inventory) -> Result<(), String> {
        let Some(Requirement::OnlyTheseServe { releases }) = &self.step.requires else { return Ok(()) };
        let mut others = inventory
            .traffic
            .iter()
            .filter(|share| share.percent > 0 && !releases.contains(&share.reference))
            .map(|share| {
                inventory
                    .release(&share.reference)
                    .map_or(share.reference.as_str(), |release| release.version.as_str())
            });
        match others.next() {
            None => Ok(()),
            Some(other) => {
                Err(format!("`{other}` gets traffic by now: this plan was not made for it, make a new one"))
            }
        }
    }

    async fn read(&mut self) -> Result<Inventory, PlatformError> {
        let mut pause = FIRST_PAUSE;
        loop {
            let limit = self.deadline.min(Instant::now() + READ_TIMEOUT);
            // Only what the very last reading said is handed on: whoever polls the platform may know more by then.
            self.last = None;
            let read = timeout_at(limit, self.platform.read()).await;
            let error = match read {
                Ok(Ok(inventory)) => return Ok(inventory),
                Ok(Err(error @ PlatformError::Permanent(_))) => return Err(error),
                Ok(Err(error)) => error,
                Err(_) => PlatformError::Transient("the platform does not answer".to_owned()),
            };
            if Instant::now() + pause >= self.deadline {
                return Err(error);
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Reads until the post-condition holds, or (if asked) until the platform has settled without it, or until it says that
    /// what it was asked for has failed. A failure that was there `before` is not this call's.
    async fn wait_until_it_holds(&mut self, or_settled: bool, before: Option<&str>) -> Waited {
        let mut pause = FIRST_PAUSE;
        loop {
            let why = match self.read().await {
                Ok(inventory) => {
                    let (holds, settled) = (self.step.action.holds_in(&inventory), inventory.settled);
                    let failed = inventory.failed.clone().filter(|reason| Some(reason.as_str()) != before);
                    self.last = Some(inventory);
                    if holds {
                        return Waited::Holds;
                    }
                    if let Some(reason) = failed {
                        return Waited::Failed(reason);
                    }
                    if or_settled && settled {
                        return Waited::Settled;
                    }
                    "it does not show yet".to_owned()
                }
                Err(error) => error.to_string(),
            };
            if Instant::now() + pause >= self.deadline {
                return Waited::TimedOut(why);
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

enum Waited {
    Holds,
    Settled,
    Failed(String),
    TimedOut(String),
}

/// Nothing was done yet when a reading failed.
fn from_read(error: &PlatformError) -> StepResult {
    match error {
        PlatformError::Permanent(reason) => {
            StepResult::Failed(format!("the platform cannot be read: {reason}"))
        }
        PlatformError::Transient(reason) | PlatformError::Unclear(reason) => {
            StepResult::Transient(format!("the platform cannot be read: {reason}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use async_trait::async_trait;
    use jiff::Timestamp;

    use super::super::tenure::LeaseClock;
    use super::*;
    use crate::journal::Lease;
    use crate::model::Span;
    use crate::model::platform::{Capabilities, Declares, PlatformAction};
    use crate::model::release::{Arm, Share};

    const DECLARES: Declares = Declares { observable: true, idempotent: false };

    /// Gives these readings one after the other, and this answer to every call.
    struct Scripted {
        readings: Mutex<Vec<Result<Inventory, PlatformError>>>,
        answer: Result<String, PlatformError>,
    }

    #[async_trait]
    impl Platform for Scripted {
        fn capabilities(&self) -> Capabilities {
            Capabilities { restore: true, ..Capabilities::default() }
        }

        fn declares(&self, _: &PlatformAction) -> Declares {
            DECLARES
        }

        async fn read(&self) -> Result<Inventory, PlatformError> {
            let mut readings = self.readings.lock().unwrap();
            if readings.is_empty() {
                Err(PlatformError::Transient("no route".into()))
            } else {
                readings.remove(0)
            }
        }

        async fn act(&self, _: &PlatformAction, _: &Call) -> Result<String, PlatformError> {
            self.answer.clone()
        }
    }

    async fn run_scripted(
        readings: Vec<Result<Inventory, PlatformError>>,
        answer: Result<String, PlatformError>,
    ) -> StepFinished {
        let lease =
            Lease { holder: "test".into(), token: 1, until: Timestamp::now() + Duration::from_secs(3_600) };
        run_under(lease, readings, answer).await
    }

    /// Carries a step out under token 1, while the journal says that this is the lease.
    async fn run_under(
        lease: Lease,
        readings: Vec<Result<Inventory, PlatformError>>,
        answer: Result<String, PlatformError>,
    ) -> StepFinished {
        let clock = LeaseClock::new(&lease, Duration::from_secs(3_600), Instant::now());
        let tenure = Tenure::of(clock, 1, lease);
        let step = RunStep {
            operation: "op-1".into(),
            step: 0,
            attempt: 1,
            service: "shop".into(),
            action: PlatformAction::Restore { release: "r1".into() },
            requires: None,
            key: "k".into(),
            timeout: Span::secs(30),
            declares: DECLARES,
            may_have_happened: false,
        };
        run(&Scripted { readings: Mutex::new(readings), answer }, step, 1, &tenure, Progress::default()).await
    }

    /// A leader whose lease was taken does not call, although its own time is not over and nobody has told it.
    #[tokio::test(start_paused = true)]
    async fn a_taken_lease_stops_the_call() {
        let settled = || Ok(Inventory { settled: true, ..Inventory::default() });
        let until = Timestamp::now() + Duration::from_secs(3_600);
        let lease = |token| Lease { holder: "test".into(), token, until };
        // The one reading after the call is the difference.
        let finished = run_under(lease(2), vec![settled()], Ok("taken".into())).await;
        assert!(
            matches!(&finished.result, StepResult::Transient(why) if why.contains("nothing was done")),
            "{:?}",
            finished.result
        );
        let finished = run_under(lease(1), vec![settled()], Ok("taken".into())).await;
        assert!(matches!(finished.result, StepResult::Failed(_)), "it was called: {:?}", finished.result);
    }

    /// What was read before the call is not handed on as the state after it: the platform may have changed, and whoever
    /// polls it may have seen that already.
    #[tokio::test(start_paused = true)]
    async fn an_old_reading_is_not_handed_on() {
        let before = Inventory { settled: true, ..Inventory::default() };
        let refused = Err(PlatformError::Permanent("no".into()));
        let finished = run_scripted(vec![Ok(before.clone())], refused).await;
        assert!(matches!(finished.result, StepResult::Failed(_)), "{:?}", finished.result);
        assert_eq!(finished.inventory, None);
        // Read once after the call, and then for a long time not any more.
        let finished = run_scripted(vec![Ok(before.clone()), Ok(before)], Ok("taken".into())).await;
        assert!(matches!(finished.result, StepResult::Failed(_)), "{:?}", finished.result);
        assert_eq!(finished.inventory, None);
    }

    /// A platform that says that the call has failed ends the wait at once; a failure that was there before the call is not
    /// the call's.
    #[tokio::test(start_paused = true)]
    async fn a_failure_that_the_platform_tells() {
        let reading =
            |failed: &str| Ok(Inventory { failed: Some(failed.to_owned()), ..Inventory::default() });
        let finished = run_scripted(
            vec![reading("rollout 7 is stuck"), reading("rollout 8 is stuck")],
            Ok("taken".into()),
        )
        .await;
        assert!(
            matches!(&finished.result, StepResult::Failed(why) if why.contains("rollout 8 is stuck")),
            "{:?}",
            finished.result
        );
        let serves = Share { reference: "r1".into(), arm: Arm::Stable, percent: 100 };
        let done = Inventory { settled: true, traffic: vec![serves], ..Inventory::default() };
        let readings = vec![reading("rollout 7 is stuck"), reading("rollout 7 is stuck"), Ok(done)];
        let finished = run_scripted(readings, Ok("taken".into())).await;
        assert!(matches!(finished.result, StepResult::Done { .. }), "{:?}", finished.result);
    }
}
