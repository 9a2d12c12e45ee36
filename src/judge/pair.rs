//! Two arms, from counts: is the canary worse than stable, and is it safe?

use serde::{Deserialize, Serialize};

use super::betting::{self, HARM_RATIOS, Played, SAFE_RATIOS};
use super::burst_guard::BurstGuard;
use super::burst_limit::BurstLimit;
use super::carry::{Carry, Terms};
use super::confidence::{Confidence, Interval};
use super::counts::{ArmCounts, Discard, Taken, Tick, check_counts, check_interval};
use super::evidence::{Conclusion, Evidence, Method, Outlook, p_value};
use super::log_space::log_sum;
use super::onset::Onset;
use super::reference::Faded;
use super::settings::{Preset, Settings, Tolerance};

/// Who is compared with what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Arms {
    /// Canary and stable.
    Two,
    /// The watched arm alone.
    One,
    /// Canary and stable, of which only errors were counted; the requests stand for the split.
    Shares,
}

/// What a caller knows better than the monitor, for one tick: settled before its counts are seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Plan {
    /// The usual rate of stable.
    pub(crate) reference: Option<f64>,
    /// The tolerated ratio, for harm and for safe.
    pub(crate) ratio: Option<f64>,
}

/// One part of the traffic, such as a route or a zone, that is compared with itself only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Stratum {
    usual: Faded,
    carry: Option<Carry>,
}

/// Compares a canary with stable from counts, tick by tick.
///
/// Harm: `pC > r·pS + d` at some time. The chance that its e-value ever reaches `1/α` without harm is at most α,
/// however often it is looked at, whatever the split does and however the stable rate moves (Ville's inequality for a
/// test supermartingale; independent requests within a tick, clusters are discounted by [`BurstGuard`]). Safe: `pC <
/// r1·pS + d1` at every tick since the last step of the traffic, with the same guarantee for calling a canary safe that
/// is not.
///
/// Memory and time per tick are constant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PairMonitor {
    settings: Settings,
    arms: Arms,
    harm: [f64; HARM_RATIOS.len()],
    safe: [f64; SAFE_RATIOS.len()],
    /// The slot up to which late bets were placed.
    slot: u64,
    strata: Vec<Stratum>,
    guard: BurstGuard,
    burst_limit: BurstLimit,
    confidence: Confidence,
    canary_lately: Faded,
    stable_lately: Faded,
    canary: ArmCounts,
    stable: ArmCounts,
    /// Seconds of data of stable, or of the one arm, that were ever seen, history included.
    known_s: f64,
    last_end_s: Option<f64>,
    /// What was settled for the last tick.
    plan: Plan,
    log_e: f64,
    max_log_e: f64,
}

impl PairMonitor {
    /// A monitor that has seen nothing.
    pub fn new(settings: Settings) -> Self {
        Self::make(settings, Arms::Two, 1)
    }

    /// A monitor with a preset's constants.
    pub fn of(preset: Preset) -> Self {
        Self::new(Settings::of(preset))
    }

    /// A monitor of several parts of the traffic, at least one. Each is compared with itself and their evidence adds
    /// up, so that a canary with another mix of traffic is not taken for a worse one.
    pub fn stratified(settings: Settings, strata: usize) -> Self {
        Self::make(settings, Arms::Two, strata)
    }

    pub(crate) fn make(settings: Settings, arms: Arms, strata: usize) -> Self {
        Self {
            settings: settings.sound(),
            arms,
            harm: [Onset::start(HARM_RATIOS.len()); HARM_RATIOS.len()],
            safe: fresh_safe(),
            slot: 0,
            strata: vec![Stratum::default(); strata.max(1)],
            guard: BurstGuard::new(),
            burst_limit: BurstLimit::default(),
            confidence: Confidence::default(),
            canary_lately: Faded::default(),
            stable_lately: Faded::default(),
            canary: ArmCounts::default(),
            stable: ArmCounts::default(),
            known_s: 0.0,
            last_end_s: None,
            plan: Plan::default(),
            log_e: 0.0,
            max_log_e: 0.0,
        }
    }

    /// The constants that it was made with.
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// A monitor for another watch: it has no evidence, and knows what this one knows of stable.
    #[must_use]
    pub fn renewed(&self) -> Self {
        let mut new = Self::make(self.settings, self.arms, self.strata.len());
        for (stratum, known) in new.strata.iter_mut().zip(&self.strata) {
            stratum.usual = known.usual;
        }
        new.guard = self.guard.clone();
        new.stable_lately = self.stable_lately;
        new.known_s = self.known_s;
        new
    }

    /// Takes what stable did before the watch began, oldest first. It brings no evidence; it teaches what is usual and
    /// how errors cluster. Ten minutes or more are good.
    pub fn history(&mut self, length_s: f64, stable: ArmCounts) -> Result<(), Discard> {
        self.history_of(length_s, &[stable])
    }

    /// The same for every stratum.
    pub fn history_of(&mut self, length_s: f64, stable: &[ArmCounts]) -> Result<(), Discard> {
        if stable.len() != self.strata.len() {
            return Err(Discard::OtherStrata);
        }
        check_interval(0.0, length_s, None)?;
        let mut sum = ArmCounts::default();
        for counts in stable {
            check_counts(ArmCounts::default(), *counts)?;
            sum.add(*counts);
        }
        self.learn(length_s, ArmCounts::default(), sum, stable.iter().copied());
        Ok(())
    }

    /// Takes a tick. One that is not sound is left out, with the reason.
    pub fn observe(&mut self, tick: &Tick) -> Result<Taken, Discard> {
        self.observe_planned(tick, Plan::default())
    }

    pub(crate) fn observe_planned(&mut self, tick: &Tick, plan: Plan) -> Result<Taken, Discard> {
        self.take(tick.start_s, tick.length_s, &[(tick.canary, tick.stable)], plan)
    }

    /// Takes a tick of a stratified monitor: canary and stable of every stratum, in the same order each time.
    pub fn observe_strata(
        &mut self,
        start_s: f64,
        length_s: f64,
        strata: &[(ArmCounts, ArmCounts)],
    ) -> Result<Taken, Discard> {
        self.take(start_s, length_s, strata, Plan::default())
    }

    fn take(
        &mut self,
        start_s: f64,
        length_s: f64,
        strata: &[(ArmCounts, ArmCounts)],
        plan: Plan,
    ) -> Result<Taken, Discard> {
        if strata.len() != self.strata.len() {
            return Err(Discard::OtherStrata);
        }
        check_interval(start_s, length_s, self.last_end_s)?;
        let (mut canary, mut stable) = (ArmCounts::default(), ArmCounts::default());
        for (c, s) in strata {
            check_counts(*c, *s)?;
            canary.add(*c);
            stable.add(*s);
        }
        self.last_end_s = Some(start_s + length_s);
        self.plan = plan;

        // Everything the bets depend on is from before this tick.
        let phi = self.phi();
        let mut ready = Vec::new();
        for (stratum, (canary, stable)) in self.strata.iter_mut().zip(strata) {
            if stratum.carry.is_some_and(|carry| start_s - carry.start_s > self.settings.carry_max_s) {
                stratum.carry = None;
            }
            let usual = match self.arms {
                Arms::Two => stratum.usual.rate(self.settings.prior_requests),
                Arms::One | Arms::Shares => 0.0,
            };
            let carry = stratum.carry.get_or_insert_with(|| Carry {
                start_s,
                length_s: 0.0,
                canary: ArmCounts::default(),
                stable: ArmCounts::default(),
                terms: Terms { phi, reference: plan.reference.unwrap_or(usual), ratio: plan.ratio },
                is_of_last_step: false,
            });
            carry.add(length_s, *canary, *stable);
            let has_stable = carry.stable.requests >= 1.0 || self.arms == Arms::One;
            if carry.canary.requests >= 1.0 && has_stable {
                ready.extend(stratum.carry.take());
            }
        }
        let taken = if ready.is_empty() { Taken::Carried } else { Taken::Counted };
        self.weigh(&ready);
        self.learn(length_s, canary, stable, strata.iter().map(|(_, stable)| *stable));
        self.canary.add(canary);
        self.stable.add(stable);
        self.log_e = log_sum(self.harm.into_iter().chain([self.onset().log_cash(self.slot)]));
        self.max_log_e = self.max_log_e.max(self.log_e);
        Ok(taken)
    }

    /// Lets the bettors play.
    fn weigh(&mut self, ready: &[Carry]) {
        let Some(first) = ready.first() else { return };
        let slot = self.onset().slot(first.start_s);
        if slot > self.slot {
            self.onset().pay(&mut self.harm, self.slot, slot);
            self.slot = slot;
        }
        let (mut harm, mut safe) = ([0.0; HARM_RATIOS.len()], [0.0; SAFE_RATIOS.len()]);
        let mut longest = 0.0_f64;
        for carry in ready {
            let played = self.played(carry.canary, carry.stable);
            let Terms { phi, reference, ratio } = carry.terms;
            let (harmful, safely) = self.tolerances(ratio);
            add(&mut harm, betting::harm_gains(&played, harmful, reference), phi);
            if !carry.is_of_last_step {
                add(&mut safe, betting::safe_gains(&played, safely, reference), phi);
            }
            self.confidence.add(&played, phi);
            longest = longest.max(carry.length_s);
        }
        let cap = betting::cap(longest);
        self.burst_limit.refill(longest);
        // With one arm the watched one would limit itself.
        let binds = self.settings.is_guarded
            && self.settings.is_burst_limited
            && self.arms != Arms::One
            && self.guard.has_bursts();
        for (bettor, (log, gain)) in self.harm.iter_mut().zip(harm).enumerate() {
            *log += self.burst_limit.take(bettor, gain.min(cap), binds);
        }
        for (log, gain) in self.safe.iter_mut().zip(safe) {
            *log += gain.min(cap);
        }
    }

    /// Teaches what is usual, after the bets.
    fn learn(
        &mut self,
        length_s: f64,
        canary: ArmCounts,
        stable: ArmCounts,
        strata: impl Iterator<Item = ArmCounts>,
    ) {
        let half_life_s = self.settings.half_life_s;
        for (stratum, counts) in self.strata.iter_mut().zip(strata) {
            stratum.usual.add(length_s, half_life_s, counts);
        }
        self.canary_lately.add(length_s, half_life_s, canary);
        self.stable_lately.add(length_s, half_life_s, stable);
        let known = if self.arms == Arms::One && canary.requests > 0.0 { canary } else { stable };
        if known.requests > 0.0 {
            self.known_s += length_s;
        }
        match self.arms {
            Arms::One => self.guard.record(length_s, known),
            Arms::Two | Arms::Shares => self.guard.add(length_s, canary, stable),
        }
    }

    /// What is tolerated for harm and for safe, with the ratio of the tick if it has one.
    fn tolerances(&self, ratio: Option<f64>) -> (Tolerance, Tolerance) {
        let with = |tolerance: Tolerance| Tolerance { ratio: ratio.unwrap_or(tolerance.ratio), ..tolerance };
        (with(self.settings.harm), with(self.settings.safe))
    }

    fn played(&self, canary: ArmCounts, stable: ArmCounts) -> Played {
        match self.arms {
            Arms::One => Played::single(canary),
            Arms::Two | Arms::Shares => Played::pair(canary, stable),
        }
    }

    const fn onset(&self) -> Onset {
        Onset { horizon_s: self.settings.horizon_s, slot_s: self.settings.slot_s }
    }

    /// Forgets the evidence for safe: a step of the traffic needs evidence of its own.
    pub fn restart_safe(&mut self) {
        self.safe = fresh_safe();
        for carry in self.strata.iter_mut().filter_map(|stratum| stratum.carry.as_mut()) {
            carry.is_of_last_step = true;
        }
    }

    /// Natural logarithm of the e-value against "no harm".
    pub const fn log_e(&self) -> f64 {
        self.log_e
    }

    /// Natural logarithm of the e-value against "not safe", since the last [`restart_safe`](Self::restart_safe).
    pub fn log_e_safe(&self) -> f64 {
        log_sum(self.safe.into_iter())
    }

    /// The always-valid p-value, from the best evidence so far.
    pub fn p_value(&self) -> f64 {
        p_value(self.max_log_e)
    }

    /// What the evidence of the next tick will be divided by.
    pub fn phi(&self) -> f64 {
        if self.settings.is_guarded { self.guard.phi() } else { 1.0 }
    }

    /// The difference of the rates, or the rate of the one arm, valid at all times together; within [-1, 1].
    pub fn interval(&self) -> Interval {
        self.confidence.interval(self.settings.interval_level)
    }

    /// How many times the tolerated rate the canary's looks to be; one of a coarse grid from 1.04 to 100.
    pub fn suspected_ratio(&self) -> f64 {
        let mut best = 0;
        for i in 1..self.harm.len() {
            if self.harm[i] > self.harm[best] {
                best = i;
            }
        }
        HARM_RATIOS[best]
    }

    /// Seconds with stable requests that were ever seen, history included.
    pub const fn known_s(&self) -> f64 {
        self.known_s
    }

    /// What is tolerated whatever stable does, as a share.
    pub(crate) const fn limit(&self) -> f64 {
        self.settings.harm.difference
    }

    /// What was observed of the canary since the watch began, carried counts included.
    pub const fn canary(&self) -> ArmCounts {
        self.canary
    }

    /// The same of stable.
    pub const fn stable(&self) -> ArmCounts {
        self.stable
    }

    /// How many more canary requests it takes to call it harm or safe, at the rates of the last minutes; the nearer of
    /// the two.
    pub fn outlook(&self) -> Option<Outlook> {
        let (canary, stable) = (self.canary_lately.counts(), self.stable_lately.counts());
        let canary_rate = canary.rate()?;
        let (stable_rate, weight) = match self.arms {
            Arms::One => (0.0, 0.0),
            Arms::Two => (stable.rate()?, canary.requests / stable.requests),
            // The requests are not known.
            Arms::Shares => return None,
        };
        let played = Played::expected(canary_rate, stable_rate, weight);
        let reference = match self.arms {
            Arms::Two => {
                self.plan.reference.unwrap_or_else(|| self.stable_lately.rate(self.settings.prior_requests))
            }
            Arms::One | Arms::Shares => 0.0,
        };
        let (harmful, safely) = self.tolerances(self.plan.ratio);
        let phi = self.phi();
        let nearest = |needed: f64, logs: &[f64], gains: &[f64]| {
            let all = logs.iter().zip(gains).filter(|(_, gain)| **gain / phi > 1e-12);
            all.map(|(log, gain)| ((needed - log) / (gain / phi)).max(0.0)).reduce(f64::min)
        };
        let harm =
            nearest(-self.settings.alpha.ln(), &self.harm, &betting::harm_gains(&played, harmful, reference));
        let safe =
            nearest(-self.settings.beta.ln(), &self.safe, &betting::safe_gains(&played, safely, reference));
        let outlook = |conclusion, requests: f64| Outlook { conclusion, requests: requests.min(f64::MAX) };
        match (harm, safe) {
            (Some(harm), Some(safe)) if harm <= safe => Some(outlook(Conclusion::Harm, harm)),
            (_, Some(safe)) => Some(outlook(Conclusion::Safe, safe)),
            (Some(harm), None) => Some(outlook(Conclusion::Harm, harm)),
            (None, None) => None,
        }
    }

    /// Everything that is to be shown.
    pub fn evidence(&self) -> Evidence {
        let (method, range) = match self.arms {
            Arms::Two => (Method::Arms, Some((-1.0, 1.0))),
            Arms::One => (Method::Objective, Some((0.0, 1.0))),
            Arms::Shares => (Method::Split, None),
        };
        Evidence {
            log_e_safe: Some(self.log_e_safe()),
            canary: self.canary,
            stable: (self.arms != Arms::One).then_some(self.stable),
            interval: range.map(|(low, high)| self.interval().within(low, high)),
            phi: self.phi(),
            suspected_ratio: Some(self.suspected_ratio()),
            outlook: self.outlook(),
            ..Evidence::blank(method).with_log_e(self.log_e, self.max_log_e)
        }
    }
}

/// Evidence for safe starts at 1: it is called for from the first request on.
fn fresh_safe() -> [f64; SAFE_RATIOS.len()] {
    [-(SAFE_RATIOS.len() as f64).ln(); SAFE_RATIOS.len()]
}

fn add<const N: usize>(sums: &mut [f64; N], gains: [f64; N], phi: f64) {
    for (sum, gain) in sums.iter_mut().zip(gains) {
        *sum += gain / phi;
    }
}
