//! What we believe about a device at the areas around it, and the transitions between beliefs.
//!
//! Law 3: illegal transitions cannot be made. An area that is absent from [`DevicePresence`] is outside (or unknown);
//! only an [`Belief::Inside`] can be left, and only what is not inside can be entered.

use std::{collections::BTreeMap, fmt, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    beliefs::Beliefs,
    dwelt::Dwelt,
    geo::Position,
    name::{BeaconName, GeofenceName, StoreName},
    ping::{Accuracy, Fix, Ping, Reading},
    text::quoted,
    time::Timestamp,
    violation::Invalid,
};

/// What no name of an area looks like.
const ANYWHERE: &str = "anywhere";

/// Where presence can be, or an app event happen: a geofence, the circle of so many metres around a store, or the reach of a beacon.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Area {
    Geofence(GeofenceName),
    Around(StoreName, u32),
    Beacon(BeaconName),
    /// A store itself: only app events happen there.
    Store(StoreName),
    /// Wherever an app event happens.
    Anywhere,
}

impl Area {
    /// Reads what [`fmt::Display`] writes.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let unknown = || Invalid::new(format!("must name an area, was {}", quoted(text)));
        if let Some((store, radius)) = text.split_once('@') {
            let radius = radius.strip_suffix('m').and_then(|r| r.parse().ok()).ok_or_else(unknown)?;
            return Ok(Self::Around(StoreName::parse(store)?, radius));
        }
        match text.split('/').nth(2) {
            Some("geofences") => GeofenceName::parse(text).map(Self::Geofence),
            Some("beacons") => BeaconName::parse(text).map(Self::Beacon),
            Some("stores") => StoreName::parse(text).map(Self::Store),
            None if text == ANYWHERE => Ok(Self::Anywhere),
            _ => Err(unknown()),
        }
    }

    /// The name of the network whose it is; none of anywhere.
    pub fn owner(&self) -> Option<&str> {
        match self {
            Self::Geofence(name) => Some(name.owner()),
            Self::Around(store, _) | Self::Store(store) => Some(store.owner()),
            Self::Beacon(name) => Some(name.owner()),
            Self::Anywhere => None,
        }
    }
}

impl fmt::Display for Area {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Geofence(name) => name.fmt(f),
            Self::Around(store, radius) => write!(f, "{store}@{radius}m"),
            Self::Beacon(name) => name.fmt(f),
            Self::Store(name) => name.fmt(f),
            Self::Anywhere => f.write_str(ANYWHERE),
        }
    }
}

impl TryFrom<String> for Area {
    type Error = Invalid;
    fn try_from(text: String) -> Result<Self, Invalid> {
        Self::parse(&text)
    }
}

impl From<Area> for String {
    fn from(area: Area) -> String {
        area.to_string()
    }
}

/// What we believe about one device at one geofence or store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Belief {
    /// Outside, with a first fix inside that waits for what confirms it.
    Entering(Arrival),
    /// Inside.
    Inside(Visit),
}

/// What may become an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// The first fix inside.
    pub since: Timestamp,
    /// As [`Visit::not_before`].
    pub not_before: Timestamp,
    /// Nothing was known of the device before that fix.
    pub initial: bool,
}

/// An open visit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Visit {
    /// No fix that arrives late makes the visit begin before this: then the device was known elsewhere, or nothing was
    /// known of it.
    pub not_before: Timestamp,
    pub entered_at: Timestamp,
    /// The newest fix that was inside; the exit's time, when it comes.
    pub last_inside: Timestamp,
    /// The first of the fixes outside that may become an exit.
    pub leaving_since: Option<Timestamp>,
    /// The dwells that were reported already.
    pub dwelt: Dwelt,
}

/// When a beacon was heard. Its reach is left by silence alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hearing {
    /// First reading of this visit.
    pub first: Timestamp,
    pub last: Timestamp,
    /// Whether two readings far enough apart have made it a transition.
    pub confirmed: bool,
}

/// Where a device was, and how sure its phone was of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LastSeen {
    pub read: Reading,
    pub position: Position,
    pub accuracy: Accuracy,
}

impl From<&Fix> for LastSeen {
    fn from(fix: &Fix) -> Self {
        Self { read: fix.read, position: fix.position, accuracy: fix.accuracy }
    }
}

/// Everything we believe about where one device is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DevicePresence {
    /// The newest fix: one that is not after it is out of order or a repetition.
    pub newest_fix: Option<Reading>,
    /// The same of beacon sightings, which phones report at another pace.
    pub newest_sighting: Option<Reading>,
    /// Of the readings of two days that were stamped ahead of the clock they were sent by, that which was stamped last: when
    /// that clock has come as far, nothing else tells that they are known.
    pub ahead: Option<Reading>,
    /// Server time minus device time at the newest ping, in microseconds.
    pub clock_offset: i64,
    /// When the record last took over what is believed here.
    pub saved_at: Option<Timestamp>,
    /// Where the newest usable fix was. Only the cache knows; a commit leaves it out.
    pub last_seen: Option<LastSeen>,
    /// A newer fix that nobody can have travelled to from there: the next one tells which of the two is wrong. Only the
    /// cache knows it.
    pub doubted: Option<LastSeen>,
    /// The fix from which the way is measured that tells whether the device drives. Only the cache knows it.
    pub anchor: Option<LastSeen>,
    /// Since when the device has not been driving; none if it is, or if nobody knows.
    pub slow_since: Option<Timestamp>,
    pub areas: Beliefs,
    pub heard: BTreeMap<BeaconName, Hearing>,
    /// Since when whoever has the device has it, if somebody had it before: what was read until then tells nothing of them.
    /// By our clock, so that it holds whatever the device's is set to; a reading is compared by its event time, which the
    /// ping that brings it makes of that clock as it is then.
    pub since: Option<Timestamp>,
    /// Since when whoever has it agrees to location, if they did not before: what was read until then tells nothing of where
    /// they were. By our clock, as [`Self::since`].
    pub located_since: Option<Timestamp>,
    /// The newest version of the catalog that any of this was concluded from: an older one does not know all of the places.
    pub catalog_version: u64,
}

impl DevicePresence {
    /// For whoever has the device from now on: nothing of where it was, and what was read before now comes too late.
    pub fn without_places(&self, now: Timestamp) -> Self {
        let device = Timestamp::from_micros(now.micros().saturating_sub(self.clock_offset));
        // Event times are late by their ping's way, and this one by that of the newest ping: so the shorter way counts.
        let newest = Some(Reading::new(device, now));
        let (ahead, clock_offset, since) = (self.ahead, self.clock_offset, Some(now));
        Self { newest_fix: newest, newest_sighting: newest, ahead, clock_offset, since, ..Self::default() }
    }

    /// For who did not agree to location until now: nothing of where they were, but when readings were, so that none comes
    /// twice. If they agree from some time on, what was read before it comes too late.
    pub fn unlocated(&self, agreed: Option<Timestamp>) -> Self {
        let Self { newest_fix, newest_sighting, ahead, clock_offset, since, located_since, catalog_version, .. } =
            *self;
        let located_since = agreed.or(located_since);
        let kept = Self { newest_fix, newest_sighting, ahead, clock_offset, catalog_version, ..Self::default() };
        Self { since, located_since, ..kept }
    }

    /// Remembers what a ping brought that was stamped ahead.
    pub fn note_ahead(&mut self, ping: &Ping) {
        /// As long as the ids of pings are kept: so long may a retry come.
        const KEPT: Duration = Duration::from_secs(48 * 3_600);
        let known = self.ahead.filter(|known| ping.clock.received_at.since(known.event) <= KEPT);
        self.ahead = known.into_iter().chain(ping.newest_ahead()).max_by_key(|read| read.stamp);
    }

    /// Whether `held` is this with what came after it: of the same person and consent, and of the same save, with no reading
    /// that it does not know. Each of two readings is after the other where the device's clock was set back between them: then
    /// ours tells.
    pub fn goes_on_in(&self, held: &Self) -> bool {
        let of = |presence: &Self| (presence.since, presence.located_since, presence.saved_at);
        let knows = |held: Reading, saved: Reading| !saved.is_after(held) || held.is_younger_than(saved);
        let is_known = |saved: Option<Reading>, held: Option<Reading>| {
            saved.is_none_or(|saved| held.is_some_and(|held| knows(held, saved)))
        };
        let knows_all =
            is_known(self.newest_fix, held.newest_fix) && is_known(self.newest_sighting, held.newest_sighting);
        of(self) == of(held) && knows_all
    }

    /// Whether that tells something of whoever has the device now.
    pub fn is_theirs(&self, read: Reading) -> bool {
        self.since.is_none_or(|since| read.event > since)
    }

    /// Whether that may tell where whoever has the device now was.
    pub fn may_locate(&self, read: Reading) -> bool {
        self.is_theirs(read) && self.located_since.is_none_or(|since| read.event >= since)
    }
}

/// What changed about a device at an area.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Transition {
    pub area: Area,
    pub kind: TransitionKind,
    /// Event time.
    pub at: Timestamp,
    /// Too old at receipt to fire a campaign.
    pub stale: bool,
    /// Nothing was known of the device before: it may have been inside for long. Receipts of old do not say it.
    #[serde(default)]
    pub initial: bool,
    /// Metres from the fix to the geofence's edge (0 inside); none where no one fix made it: of beacons and crossings.
    pub distance_m: Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransitionKind {
    Entered,
    /// Inside for at least this long.
    Dwelt(Duration),
    /// The visit lasted this long, by the fixes seen inside.
    Exited(Duration),
    /// Passed through between two fixes, without one inside.
    Crossed,
    /// A registered beacon, twice.
    Heard,
}

impl TransitionKind {
    pub fn as_str(self) -> &'static str {
        match self {
            TransitionKind::Entered => "entered",
            TransitionKind::Dwelt(_) => "dwelt",
            TransitionKind::Exited(_) => "exited",
            TransitionKind::Crossed => "crossed",
            TransitionKind::Heard => "heard",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    fn read(seconds: i64) -> Option<Reading> {
        Some(Reading::new(at(seconds), at(seconds)))
    }

    #[test]
    fn a_copy_goes_on_from_what_the_record_has_unless_that_is_of_another_or_later() {
        type Change = fn(&mut DevicePresence);
        let saved = DevicePresence { newest_fix: read(10), saved_at: Some(at(10)), ..DevicePresence::default() };
        let held = DevicePresence { newest_fix: read(40), newest_sighting: read(30), ..saved.clone() };
        assert!(saved.goes_on_in(&held) && held.goes_on_in(&held) && !held.goes_on_in(&saved));
        let changes: [(&str, Change); 5] = [
            ("a newer fix", |presence| presence.newest_fix = read(41)),
            ("a newer sighting", |presence| presence.newest_sighting = read(31)),
            ("another save", |presence| presence.saved_at = Some(at(35))),
            ("somebody else", |presence| presence.since = Some(at(5))),
            ("a consent of its own", |presence| presence.located_since = Some(at(5))),
        ];
        for (what, change) in changes {
            let mut written = saved.clone();
            change(&mut written);
            assert!(!written.goes_on_in(&held), "{what}");
        }
    }
    #[test]
    fn a_clock_that_was_set_back_makes_no_copy_older() {
        let presence = |device, event| DevicePresence {
            newest_fix: Some(Reading::new(at(device), at(event))),
            ..DevicePresence::default()
        };
        let saved = presence(9_000, 1_000);
        for (held, goes_on) in [(presence(5, 1_061), true), (presence(5, 1_060), false), (presence(5, 900), false)] {
            assert_eq!((saved.goes_on_in(&held), held.goes_on_in(&saved)), (goes_on, !goes_on), "{held:?}");
        }
    }
}
