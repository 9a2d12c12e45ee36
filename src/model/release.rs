//! Releases and where traffic goes: what a platform says about one service.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ReleaseRef, Version};

/// One side of a comparison.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Arm {
    /// What carries the traffic and was there before; for blue/green the live colour.
    Stable,
    /// What is being tried; for blue/green the candidate colour.
    Canary,
}

impl Arm {
    /// Both, stable first.
    pub const ALL: [Self; 2] = [Self::Stable, Self::Canary];

    /// The word on screen.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Stable => "stable",
            Self::Canary => "canary",
        }
    }
}

impl std::fmt::Display for Arm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.word())
    }
}

/// A version of a service that exists on its platform and can serve again.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Release {
    /// What people call it.
    pub version: Version,
    /// What the platform calls it; a rollback names this, never "previous".
    pub reference: ReleaseRef,
    /// When the platform made it.
    pub created_at: Timestamp,
    /// Who released it, where the platform knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// The database schema it needs, as a number that only grows; none where the service has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<u64>,
    /// Whether instances of it are up now, so that traffic can go there at once.
    #[serde(default)]
    pub running: bool,
}

/// The share of a service's traffic that one release gets.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Share {
    /// The release.
    pub reference: ReleaseRef,
    /// Which side of the comparison it is.
    pub arm: Arm,
    /// Percent of the traffic, 0 to 100. All shares of a service add up to 100.
    pub percent: u8,
}

/// One reading of a platform about one service.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, Default)]
pub struct Inventory {
    /// Every release that can be named as a target, newest first.
    pub releases: Vec<Release>,
    /// Where traffic goes. A release without a share gets none.
    pub traffic: Vec<Share>,
    /// Whether the platform says that nothing is in progress.
    pub settled: bool,
    /// Why the platform says that what it was asked for last has failed: a rollout that is stuck, a deployment that was taken
    /// back by itself. It names that attempt, so that a later failure reads otherwise; none while nothing has failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
    /// The schema version that the database has now, where the platform knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<u64>,
    /// Whether the maintenance page is on; none where the platform has no such page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maintenance: Option<bool>,
    /// How many instances of what serves are asked for, where the platform knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instances: Option<u32>,
    /// The platform's version of this state (resourceVersion, etag, generation), to be sent back as a precondition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
}

impl Inventory {
    /// The release with this reference.
    pub fn release(&self, reference: &ReleaseRef) -> Option<&Release> {
        self.releases.iter().find(|release| &release.reference == reference)
    }

    /// The newest release with this version.
    pub fn by_version(&self, version: &Version) -> Option<&Release> {
        self.releases.iter().find(|release| &release.version == version)
    }

    /// The share of an arm.
    pub fn share(&self, arm: Arm) -> Option<&Share> {
        self.traffic.iter().find(|share| share.arm == arm)
    }

    /// The release that serves as an arm, whatever its share.
    pub fn on_arm(&self, arm: Arm) -> Option<&Release> {
        self.release(&self.share(arm)?.reference)
    }

    /// The arm that a version serves on, if it does.
    pub fn arm_of(&self, version: &Version) -> Option<Arm> {
        self.traffic
            .iter()
            .find(|share| self.release(&share.reference).is_some_and(|release| &release.version == version))
            .map(|share| share.arm)
    }

    /// Percent of the traffic that a release gets; 0 when it has no share. Shares that add up to nonsense end at 255, which
    /// is not all the traffic either.
    pub fn percent(&self, reference: &ReleaseRef) -> u8 {
        let shares = self.traffic.iter().filter(|share| &share.reference == reference);
        shares.fold(0, |sum, share| sum.saturating_add(share.percent))
    }

    /// Whether this release gets all the traffic and the platform has settled.
    pub fn serves_all(&self, reference: &ReleaseRef) -> bool {
        self.settled && self.percent(reference) == 100
    }
}

/// What is known of a release's quality.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Quality {
    /// It served all of stable's traffic and was healthy for long enough, or a person said so.
    Good,
    /// It was rolled back, or a person said so.
    Bad,
    /// Nothing was recorded.
    #[default]
    Unknown,
}

impl Quality {
    /// The word on screen.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Bad => "bad",
            Self::Unknown => "unknown",
        }
    }
}
