//! TRIGGER: which transition, or which event of the app, at which places, on which visit.
//!
//! Law: only transitions and app events fire campaigns, and an event alone can happen anywhere.

use std::{collections::BTreeSet, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    name::OrganizationName,
    place::PlaceName,
    shape::Shape,
    text::{EventKey, Tag},
    violation::{Invalid, Violations},
};

/// Most places one campaign names one by one; a tag has no such bound.
pub const MAX_TARGETS: usize = 1_000;
/// Most corners of an area that a campaign targets: every place that is edited is asked whether it lies inside.
pub const MAX_CORNERS: usize = 1_000;
/// Smallest and largest radius of a `near` trigger, in metres: phones know no less, people walk no more.
pub const NEAR_RADIUS_M: std::ops::RangeInclusive<u32> = 20..=10_000;
/// Shortest and longest dwell.
pub const DWELL: std::ops::RangeInclusive<Duration> = Duration::from_secs(30)..=Duration::from_secs(12 * 3_600);
/// Most visits that are waited for: of 90 days, no more than that are remembered.
pub const MAX_VISITS: u32 = super::visits::MAX_VISITS as u32;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trigger {
    pub on: On,
    pub at: Target,
    #[serde(default, skip_serializing_if = "NthVisit::is_any")]
    pub visit: NthVisit,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum On {
    Entered,
    Exited,
    Dwelt {
        after: Duration,
    },
    Near {
        radius_m: u32,
    },
    Heard,
    Crossed,
    /// The app says so.
    AppEvent {
        key: EventKey,
    },
}

impl On {
    /// Whether geofences are what it happens at.
    pub fn is_at_geofences(&self) -> bool {
        match self {
            On::Entered | On::Exited | On::Dwelt { .. } | On::Crossed => true,
            On::Near { .. } | On::Heard | On::AppEvent { .. } => false,
        }
    }

    pub fn check(self) -> Result<Self, Invalid> {
        match self {
            On::Near { radius_m } if !NEAR_RADIUS_M.contains(&radius_m) => Err(Invalid::new(format!(
                "radius must be {} to {} metres, was {radius_m}",
                NEAR_RADIUS_M.start(),
                NEAR_RADIUS_M.end()
            ))),
            On::Dwelt { after } if !DWELL.contains(&after) => Err(Invalid::new(format!(
                "dwell must be {} to {} seconds, was {}",
                DWELL.start().as_secs(),
                DWELL.end().as_secs(),
                after.as_secs_f64()
            ))),
            sound => Ok(sound),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// These places. A store stands for its geofences (entered, exited, dwelt, crossed), for the circle around it (near),
    /// for its beacons (heard), and for itself and all of them (app event).
    Places(BTreeSet<PlaceName>),
    /// Every place of the network that has all of the tags, or belongs to a store that has.
    Tagged { network: OrganizationName, tags: BTreeSet<Tag> },
    /// Every place of the network.
    Network(OrganizationName),
    /// Every place inside, of the brand itself and of networks that granted theirs: stores by their position, geofences
    /// without a store by their middle.
    Within(Shape),
    /// Wherever it happens: of app events alone.
    Anywhere,
}

/// Which visit to the place it is, as far as the last 90 days are remembered: on each by default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NthVisit {
    /// From this visit on; 0 and 1 are every visit.
    pub at_least: u32,
    /// From this visit on since the last offer of the campaign; 0 and 1 are every visit.
    pub every: u32,
}

impl NthVisit {
    pub fn is_any(&self) -> bool {
        self.at_least <= 1 && self.every <= 1
    }
}

impl Trigger {
    /// Whether its parts go together.
    pub fn check(self) -> Result<Self, Violations> {
        let mut wrong = Violations::default();
        let is_event = matches!(self.on, On::AppEvent { .. });
        if self.at == Target::Anywhere && !is_event {
            wrong.add("anywhere", "is for app events; a transition needs places, tags of them, a network or an area");
        }
        if let Target::Within(Shape::Polygons(polygons)) = &self.at {
            wrong.nest("within.shape", check_corners(polygons.geometry().iter().map(corners).sum()));
        }
        for (field, visits) in [("min_visits", self.visit.at_least), ("every_nth_visit", self.visit.every)] {
            if visits > MAX_VISITS {
                wrong.add(field, format!("must be at most {MAX_VISITS}, was {visits}"));
            } else if visits > 1 && self.at == Target::Anywhere {
                wrong.add(field, "needs places, tags of them, a network or an area: nobody visits anywhere");
            }
        }
        wrong.finish(Some(self))
    }
}

/// Whether the polygons of an area have so many corners at most as it may have.
pub fn check_corners(corners: usize) -> Result<(), Violations> {
    if corners <= MAX_CORNERS {
        return Ok(());
    }
    Err(Violations::one("polygons", format!("must have at most {MAX_CORNERS} corners, had {corners}")))
}

fn corners(polygon: &geo::Polygon) -> usize {
    polygon.exterior().0.len() + polygon.interiors().iter().map(|ring| ring.0.len()).sum::<usize>()
}
