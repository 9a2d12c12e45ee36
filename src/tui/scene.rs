//! What is drawn and asked about: what the engine knows, as this console has it, and where the person is looking. Everything
//! that looks at both goes through here, so that the screen, the keys and the dialogs speak of the same things.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::glyphs::Glyphs;
use super::keymap::Keymap;
use super::measured::Measured;
use super::past::{self, Past};
use super::roster::{Condition, Roster, age};
use super::tail::Tail;
use super::theme::Theme;
use super::trends::Trends;
use super::ui::{Page, Ui};
use super::widgets::{Look, text};
use crate::config::{Config, RunbookText};
use crate::engine::incidents::{self, IncidentStatus};
use crate::engine::input::Settings;
use crate::engine::runtime::{Entry, View};
use crate::engine::state::{ServiceState, State};
use crate::model::command::Actor;
use crate::model::decision::Recommendation;
use crate::model::incident::Incident;
use crate::model::operation::Operation;
use crate::model::reading::ServiceReading;
use crate::model::release::Arm;
use crate::model::trigger::Verdict;
use crate::model::{IndicatorName, RunbookName, ServiceName};

/// Entries of the journal that the timeline keeps.
pub const TIMELINE_KEPT: usize = 2_000;

/// What the engine knows, as this console has it, and how it is shown.
pub struct Picture {
    /// The environment, and what its platforms can do.
    pub settings: Arc<Settings>,
    /// The config's file, as typed, for command lines.
    pub config_path: PathBuf,
    /// The newest that is known.
    pub live: Arc<View>,
    /// When the journal was last read.
    pub looked_at: Timestamp,
    /// The services in order, of the view that is shown.
    pub roster: Roster,
    /// What the indicators were.
    pub trends: Trends,
    /// What the indicators of the service that is looked at were before, as far as that was asked for.
    pub past: Option<Past>,
    /// The measures of delivery, as they were when a person looked at them last.
    pub delivery: Option<Measured>,
    /// The log that is read, if one is.
    pub log: Option<Tail>,
    /// The runbooks as they are on disk, as far as they could be read.
    pub runbooks: BTreeMap<RunbookName, RunbookText>,
    /// What happened, oldest first.
    pub timeline: VecDeque<Arc<Entry>>,
    /// Who sits here.
    pub me: Actor,
    /// Now.
    pub now: Timestamp,
    /// The zone that times are shown in.
    pub zone: TimeZone,
    /// Colours.
    pub theme: Theme,
    /// Symbols.
    pub glyphs: &'static Glyphs,
    /// Keys.
    pub keymap: Keymap,
    /// The themes that there are.
    pub themes: Vec<String>,
}

/// What is drawn and asked about.
#[derive(Clone, Copy)]
pub struct Scene<'a> {
    /// What the engine knows.
    pub picture: &'a Picture,
    /// Where the person is looking.
    pub ui: &'a Ui,
}

impl<'a> Scene<'a> {
    /// Both together.
    pub const fn new(picture: &'a Picture, ui: &'a Ui) -> Self {
        Self { picture, ui }
    }

    /// What everything is drawn with.
    pub fn look(&self) -> Look<'a> {
        Look { theme: &self.picture.theme, glyphs: self.picture.glyphs }
    }

    /// The view that is shown: the held one, or the newest.
    pub fn view(&self) -> &'a View {
        self.ui.frozen.as_ref().map_or(&self.picture.live, |frozen| &frozen.view)
    }

    /// The state that is shown.
    pub fn state(&self) -> &'a State {
        &self.view().state
    }

    /// The moment that is shown.
    pub fn now(&self) -> Timestamp {
        self.ui.frozen.as_ref().map_or(self.picture.now, |frozen| frozen.since)
    }

    /// The environment's config.
    pub fn config(&self) -> &'a Config {
        &self.picture.settings.config
    }

    /// The service that is looked at: of the page, else the chosen one, else the worst.
    pub fn service(&self) -> Option<&'a ServiceName> {
        match self.ui.page() {
            Some(
                Page::Service(service) | Page::Why(service) | Page::History(service) | Page::Log(service),
            ) => {
                return Some(service);
            }
            Some(Page::Operation(id)) => {
                if let Some(operation) = self.state().operation(id) {
                    return Some(&operation.plan.service);
                }
            }
            Some(Page::Timeline | Page::Sources | Page::Delivery | Page::Incident(_)) | None => {}
        }
        let chosen = self.ui.service.what.as_ref();
        let chosen = chosen.filter(|service| self.config().services.contains_key(*service));
        // Nothing is wrong any more: what people worked on until now is what they want to see.
        let worst = self.picture.roster.worst();
        let worked_on = || {
            let is_well = worst.is_some_and(|row| row.condition == Condition::Healthy);
            let mut services = self.incident().filter(|_| is_well)?.services.iter();
            services.find(|service| self.picture.roster.place(service).is_some())
        };
        chosen.or_else(worked_on).or_else(|| worst.map(|row| &row.service))
    }

    /// What is known of the service that is looked at.
    pub fn known(&self) -> Option<&'a ServiceState> {
        self.state().service(self.service()?)
    }

    /// What is sensed of the service that is looked at.
    pub fn reading(&self) -> Option<&'a ServiceReading> {
        self.reading_of(self.service()?)
    }

    /// The operation that is open on the service that is looked at.
    pub fn open_operation(&self) -> Option<&'a Operation> {
        self.state().operation(self.known()?.operation.as_ref()?)
    }

    /// The newest operation of the service that is looked at, or the one whose page is open.
    pub fn newest_operation(&self) -> Option<&'a Operation> {
        if let Some(Page::Operation(id)) = self.ui.page() {
            return self.state().operation(id);
        }
        let service = self.service()?;
        self.state().operations_in_order().rev().find(|operation| &operation.plan.service == service)
    }

    /// What is known of a service, with what is too old to be known taken for unknown.
    pub fn condition(&self, service: &ServiceName) -> Condition {
        let verdict = super::roster::verdict(self.view(), service);
        match verdict {
            Some(_) if self.is_stale(service) => Condition::Unknown,
            Some(verdict) => Condition::of(verdict),
            None => Condition::Unknown,
        }
    }

    /// The verdict that the journal and the readings give, whatever its age.
    pub fn verdict(&self, service: &ServiceName) -> Option<&'a Verdict> {
        super::roster::verdict(self.view(), service)
    }

    /// How old the newest reading of a service is; none if there never was one.
    pub fn age(&self, service: &ServiceName) -> Option<Duration> {
        let newest = self.view().readings.get(service)?.1.newest?;
        Some(age(newest, self.now()))
    }

    /// Whether what is known of a service is too old to be called known.
    pub fn is_stale(&self, service: &ServiceName) -> bool {
        self.age(service).is_none_or(|age| self.is_too_old(age))
    }

    /// Whether data of this age are too old to be called known.
    pub fn is_too_old(&self, age: Duration) -> bool {
        age > (*self.config().guardrails.stale_after).max(Duration::from_secs(5))
    }

    /// Why what is known of a service is not new enough, if it is not: `no data for 23 s`.
    pub fn stale_words(&self, service: &ServiceName) -> Option<String> {
        self.is_stale(service).then(|| match self.age(service) {
            Some(age) => format!("no data for {}", text::age(age)),
            None => "no data yet".to_owned(),
        })
    }

    /// What something is, and of what: `Why · checkout`.
    pub fn titled(&self, what: &str, of: &str) -> String {
        format!("{what} {} {of}", self.picture.glyphs.separator)
    }

    /// A moment to the second: with its day unless that is today.
    pub fn moment(&self, at: Timestamp) -> String {
        self.told(at, "%H:%M:%S", "%b %-d %H:%M:%S")
    }

    /// A moment in as few columns as say it: `14:01` today, `Nov 19` earlier, with the year if it is another.
    pub fn short_moment(&self, at: Timestamp) -> String {
        self.told(at, "%H:%M", "%b %-d")
    }

    fn told(&self, at: Timestamp, today: &str, earlier: &str) -> String {
        let (at, now) =
            (at.to_zoned(self.picture.zone.clone()), self.now().to_zoned(self.picture.zone.clone()));
        let format = if at.date() == now.date() {
            today
        } else if at.year() == now.year() {
            earlier
        } else {
            "%b %-d %Y"
        };
        at.strftime(format).to_string()
    }

    /// The last decision asks for a rollback of the service that is looked at, and none is going on.
    pub fn wants_rollback(&self) -> bool {
        self.is_asked_for(Recommendation::rolls_back)
    }

    /// The last decision asks for more instances of the service that is looked at, and nothing is done about it.
    pub fn wants_more(&self) -> bool {
        self.is_asked_for(|asked| asked == Recommendation::ScaleOut)
    }

    fn is_asked_for(&self, what: impl Fn(Recommendation) -> bool) -> bool {
        self.known().is_some_and(|known| {
            known.operation.is_none()
                && known.decision.as_ref().is_some_and(|decision| what(decision.recommendation))
        })
    }

    /// What people are working on.
    pub fn incident(&self) -> Option<&'a Incident> {
        self.state().open_incident().map(Arc::as_ref)
    }

    /// The incident that is looked at: of the page, else the open one, else the newest.
    pub fn incident_at_hand(&self) -> Option<&'a Incident> {
        let of_page = match self.ui.page() {
            Some(Page::Incident(id)) => self.state().incident(id).map(Arc::as_ref),
            _ => None,
        };
        let newest = || self.state().incidents_in_order().pop().map(Arc::as_ref);
        of_page.or_else(|| self.incident()).or_else(newest)
    }

    /// The incident that a command is about, as it is now: of the page, else the open one.
    ///
    /// # Errors
    ///
    /// In words: it is over, or there is none.
    pub fn incident_to_act_on(&self) -> Result<&'a Incident, String> {
        let state = &self.picture.live.state;
        if let Some(Page::Incident(id)) = self.ui.page()
            && let Some(incident) = state.incident(id)
        {
            return if incident.is_open() { Ok(incident) } else { Err(format!("{id} is not open")) };
        }
        state.open_incident().map(Arc::as_ref).ok_or_else(|| "no incident is open".to_owned())
    }

    /// Where the open incident stands.
    pub fn incident_status(&self) -> Option<IncidentStatus> {
        Some(incidents::status(self.incident()?, self.state(), self.now()))
    }

    /// Every service of the open incident is well again, and has been for long enough.
    pub fn is_recovered(&self) -> bool {
        matches!(self.incident_status(), Some(IncidentStatus::Monitoring { propose_resolve: true, .. }))
    }

    /// People are working on something.
    pub fn incident_is_open(&self) -> bool {
        self.incident().is_some()
    }

    /// Everything is well, and nothing is under way that somebody would watch.
    pub fn is_calm(&self) -> bool {
        let roster = &self.picture.roster;
        roster.count(Condition::Healthy) == roster.total()
            && !self.incident_is_open()
            && self.state().open_operations().next().is_none()
            && self.known().is_none_or(|known| known.canary().is_none())
    }

    /// What is sensed of a service.
    pub fn reading_of(&self, service: &ServiceName) -> Option<&'a ServiceReading> {
        self.view().readings.get(service).map(|(_, reading)| reading.as_ref())
    }

    /// An indicator of a service in the last `window`, oldest first. Where nothing was read there is no point.
    pub fn points(
        &self,
        service: &ServiceName,
        indicator: &IndicatorName,
        arm: Option<Arm>,
        window: Duration,
    ) -> Vec<(Timestamp, Option<f64>)> {
        let now = self.now();
        let from = now.checked_sub(window).unwrap_or(Timestamp::MIN);
        let seen = self.picture.trends.points(service, indicator, arm);
        let seen: Vec<_> = seen.filter(|(at, _)| (from..=now).contains(at)).collect();
        let Some(past) = self.past(service, window) else {
            return seen.into_iter().map(|(at, value)| (at, Some(value))).collect();
        };
        // What was seen here is finer; in a long window that would only be uneven.
        let seam = match seen.first() {
            Some((first, _)) if !past::is_long(window) => *first,
            Some(_) => past.of.to,
            None => now,
        };
        let earlier = past.series(indicator, arm).map(|series| series.points.as_slice()).unwrap_or_default();
        let earlier = earlier.iter().filter(|(at, _)| (from..seam).contains(at)).copied();
        let later = seen.into_iter().filter(|(at, _)| *at >= seam).map(|(at, value)| (at, Some(value)));
        earlier.chain(later).collect()
    }

    /// The journal's part of what is drawn, if it is here.
    pub fn past(&self, service: &ServiceName, window: Duration) -> Option<&'a Past> {
        self.picture.past.as_ref().filter(|past| past.is_of(service, window))
    }

    /// One pane at a time.
    pub const fn is_narrow(&self) -> bool {
        !self.ui.is_wide()
    }
}
