//! What a phone reports: fixes, beacon sightings, events of its app, and how much it wants back.
//!
//! Law 3: event time = received − (sent_at − fix_at), both of the same device clock, so a wrong phone clock harms nobody.

#[cfg(test)]
mod tests;

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    geo::Position,
    place::{BeaconIdentity, PlaceName},
    text::{EventKey, quoted},
    time::Timestamp,
    violation::Invalid,
};

/// Most fixes in one ping: a night's offline buffer at one fix every five minutes is 96.
pub const MAX_FIXES: usize = 120;
/// Most beacon sightings in one ping.
pub const MAX_SIGHTINGS: usize = 200;
/// Most offers one ping may ask for.
pub const MAX_OFFERS: u32 = 10;
/// Longest ping id, in characters; a UUID has 36.
pub const MAX_PING_ID: usize = 64;
/// A reading older than this at receipt makes transitions but fires no campaign.
pub const STALE_AFTER: Duration = Duration::from_secs(120);

/// A ping is on its way for less than this: clients give up earlier. What seems younger by more is younger.
const LONGEST_WAY: Duration = Duration::from_secs(60);
/// The clock that a phone stamps positions by and the one that it sends by mostly differ by less.
const CLOCKS_DIFFER: Duration = Duration::from_secs(60);
/// Readings of one ping that are further apart were not stamped by one clock.
const LONGEST_BACKLOG: Duration = Duration::from_secs(24 * 3_600);
/// Some phones send whole seconds: what is later than the sending by no more than this need not be.
const ROUNDING: Duration = Duration::from_secs(1);

/// Chosen by the device, new for every ping and the same for its retries.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PingId(String);

impl PingId {
    pub fn new(text: &str) -> Result<Self, Invalid> {
        let sound = (8..=MAX_PING_ID).contains(&text.len())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
        if sound {
            return Ok(Self(text.to_owned()));
        }
        Err(Invalid::new(format!(
            "must be 8 to {MAX_PING_ID} letters, digits, - _ . (a UUID is best), was {}",
            quoted(text)
        )))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for PingId {
    type Error = Invalid;
    fn try_from(text: String) -> Result<Self, Invalid> {
        Self::new(&text)
    }
}

impl From<PingId> for String {
    fn from(id: PingId) -> String {
        id.0
    }
}

/// When something was read: by the device's clock, and in event time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// As the device stamped it: the same reading bears the same stamp whenever it is sent.
    pub stamp: Timestamp,
    /// That by the device's own clock, which orders its readings: a stamp from ahead counts as made when it was sent.
    pub device: Timestamp,
    /// Event time: comparable between devices and with the server's clock; never after receipt.
    pub event: Timestamp,
}

impl Reading {
    /// With a stamp by the clock that pings are sent by.
    pub fn new(device: Timestamp, event: Timestamp) -> Self {
        Self { stamp: device, device, event }
    }

    /// Whether this is that reading of the device, whenever each of the two arrived.
    pub fn is_same(self, known: Reading) -> bool {
        self.stamp == known.stamp
    }

    /// Whether its stamp is from ahead of when it was first sent: so it is by another clock.
    pub fn is_ahead(self) -> bool {
        self.stamp > self.device
    }

    /// Whether this was read after `known`: by the device's clock, whose readings no slow network can swap. That clock
    /// may have been set back; so what is younger in event time than any delay explains was read after it as well.
    pub fn is_after(self, known: Reading) -> bool {
        let is_later = match (self.is_ahead(), known.is_ahead()) {
            // Both were stamped by another clock than the one they were sent by.
            (true, true) => self.stamp > known.stamp,
            // That its own clock tells it was read before what the device's tells of the other: see [`Ping::in_order`].
            (true, false) if self.event < known.event => false,
            _ => (self.device, self.stamp) > (known.device, known.stamp),
        };
        !self.is_same(known) && (is_later || self.is_younger_than(known))
    }

    /// Whether no way is so long that this was read before `known`, whatever the device's clock says.
    pub fn is_younger_than(self, known: Reading) -> bool {
        self.event.since(known.event) > LONGEST_WAY
    }

    /// What was read next after `known`. When one from ahead was made is only guessed from those it was sent with: it is no
    /// earlier than what came before it.
    pub fn next_after(self, known: Option<Reading>) -> Self {
        let earliest = known.filter(|_| self.is_ahead()).map_or(self.event, |known| known.event);
        Self { event: self.event.max(earliest), ..self }
    }

    /// The same as far as stamps tell: when one from ahead was made is not known, only when it was sent.
    fn is_surely_after(self, known: Reading) -> bool {
        let is_later = known.is_ahead() && self.stamp > known.stamp;
        self.is_after(known) && (!self.is_ahead() || is_later)
    }

    /// The time from `earlier` to this. Event times bear the delays of their pings, and the device's clock may be set
    /// between them: the longer span of the two accuses nobody.
    pub fn elapsed_since(self, earlier: Reading) -> Duration {
        let elapsed = self.device.since(earlier.device).max(self.event.since(earlier.event));
        // Those from ahead of the clock they were sent by have its time, and their own clock tells how far apart they are. So
        // it does where only one of them is ahead, if both may be by that clock: it is no further ahead than clocks differ.
        let is_by_one_clock = earlier.is_ahead() || self.stamp.since(self.device) <= CLOCKS_DIFFER;
        if self.is_ahead() && is_by_one_clock { elapsed.max(self.stamp.since(earlier.stamp)) } else { elapsed }
    }
}

/// How a device's clock relates to the server's, at one ping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockReading {
    pub sent_at: Timestamp,
    pub received_at: Timestamp,
}

impl ClockReading {
    /// A reading from the future (the satellites' clock is right and the phone's is slow, or it rolled over) counts as made
    /// now; of several of one ping the newest, see [`Ping::in_order`].
    pub fn reading(self, stamp: Timestamp) -> Reading {
        let device = stamp.min(self.sent_at);
        let event = self.received_at - self.sent_at.since(device);
        Reading { stamp, device, event }
    }

    /// Event time up to which the device says that it has reported everything. Nobody can say so of later than now: the clock
    /// was set back since, and what it had reported by then nobody knows.
    pub fn reported(self, through: Timestamp) -> Option<Timestamp> {
        (through <= self.sent_at + ROUNDING).then(|| self.reading(through).event)
    }

    /// Server time minus device time, in microseconds.
    pub fn offset(self) -> i64 {
        self.received_at.micros() - self.sent_at.micros()
    }
}

/// One position fix.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fix {
    pub position: Position,
    pub accuracy: Accuracy,
    pub speed_mps: Option<f64>,
    /// The platform says that the position was set by a tool.
    pub mocked: bool,
    pub read: Reading,
}

/// The radius in metres in which the true position lies with 68 % probability.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Accuracy(f64);

impl Accuracy {
    /// The worst accuracy a phone may state: wider than any cell.
    pub const MAX_M: f64 = 1_000_000.0;

    pub fn new(metres: f64) -> Result<Self, Invalid> {
        if metres > 0.0 && metres <= Self::MAX_M {
            return Ok(Self(metres));
        }
        Err(Invalid::new(format!("must be more than 0 and at most {} metres, was {metres}", Self::MAX_M)))
    }

    pub fn metres(self) -> f64 {
        self.0
    }
}

/// One beacon heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sighting {
    pub beacon: BeaconIdentity,
    /// Received signal strength in dBm, if the platform says.
    pub rssi_dbm: Option<i32>,
    pub read: Reading,
}

/// Something that happened in the app: a totem was scanned, a tag touched, a cart left.
#[derive(Debug, Clone, PartialEq)]
pub struct AppEvent {
    pub key: EventKey,
    /// Where, as the app says: nobody has checked it.
    pub place: Option<PlaceName>,
    pub read: Reading,
}

/// A ping, sound in itself. Fixes and sightings are in the order of the device's clock, one fix for each moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Ping {
    pub id: PingId,
    pub clock: ClockReading,
    pub fixes: Vec<Fix>,
    pub sightings: Vec<Sighting>,
    /// What the app says beside where the device is.
    pub event: Option<AppEvent>,
    pub max_offers: u32,
    /// Event time up to which the device has reported everything it showed.
    pub reported_through: Option<Timestamp>,
}

impl Ping {
    /// Puts the readings in the order of the device's clock, and tells those from ahead apart, fixes and sightings each by
    /// themselves: they may be by different clocks. Of several fixes of one moment the most accurate speaks for all,
    /// whichever came first; one that a tool set makes it suspect.
    pub fn in_order(mut self) -> Self {
        let accuracy = |a: &Fix, b: &Fix| a.accuracy.metres().total_cmp(&b.accuracy.metres());
        let order = |read: Reading| (read.device, read.stamp);
        self.fixes.sort_by(|a, b| order(a.read).cmp(&order(b.read)).then_with(|| accuracy(a, b)));
        self.fixes.dedup_by(|worse, best| {
            let is_of_one_moment = worse.read.is_same(best.read);
            best.mocked |= is_of_one_moment && worse.mocked;
            is_of_one_moment
        });
        self.sightings.sort_by_key(|sighting| order(sighting.read));
        spread(self.fixes.iter_mut().map(|fix| &mut fix.read));
        spread(self.sightings.iter_mut().map(|sighting| &mut sighting.read));
        self
    }

    /// The fix that decides.
    pub fn newest_fix(&self) -> Option<&Fix> {
        self.fixes.last()
    }

    /// Whether any of its positions was set by a tool: then none of them is to be believed.
    pub fn is_suspect(&self) -> bool {
        self.fixes.iter().any(|fix| fix.mocked)
    }

    /// How many of its fixes are known if these are: they, and what was read before them.
    pub fn known_fixes(&self, known: [Option<Reading>; 2]) -> usize {
        known_of(self.fixes.iter().map(|fix| fix.read), known)
    }

    /// As [`Self::known_fixes`], of what it heard.
    pub fn known_sightings(&self, known: [Option<Reading>; 2]) -> usize {
        known_of(self.heard().iter().map(|sighting| sighting.read), known)
    }

    /// Of what was stamped ahead of the clock it was sent by, that which was stamped last.
    pub fn newest_ahead(&self) -> Option<Reading> {
        let readings = self.fixes.iter().map(|fix| fix.read).chain(self.heard().iter().map(|sighting| sighting.read));
        readings.filter(|read| read.is_ahead()).max_by_key(|read| read.stamp)
    }

    /// What it heard. Whoever sets positions with a tool makes up beacons as well: of a suspect ping there is nothing, so that
    /// the same sightings tell something when they are sent without one.
    pub fn heard(&self) -> &[Sighting] {
        if self.is_suspect() { &[] } else { &self.sightings }
    }

    /// The newest fix, and the newest sighting of [`Self::heard`], by the device's clock.
    pub fn newest_readings(&self) -> (Option<Reading>, Option<Reading>) {
        (self.fixes.last().map(|fix| fix.read), self.heard().last().map(|sighting| sighting.read))
    }

    /// Whether it surely has a reading newer than these, the third of which was stamped ahead: by now that may be forgotten,
    /// and no longer to be seen. A retry never has.
    pub fn is_newer_than(&self, [fix, sighting, ahead]: [Option<Reading>; 3]) -> bool {
        let is_newer = |newest: Option<Reading>, known: Option<Reading>| {
            newest.is_some_and(|newest| {
                ahead.is_none_or(|ahead| newest.stamp > ahead.stamp)
                    && known.is_none_or(|known| newest.is_surely_after(known))
            })
        };
        let (newest_fix, newest_sighting) = self.newest_readings();
        is_newer(newest_fix, fix) || is_newer(newest_sighting, sighting)
    }
}

/// Tells event times of readings of one ping, in their order: of those from the future only the newest can have been made
/// now, and the others as much before it as the clock tells that stamped them. None comes before those that are not from
/// the future, which may be by another clock.
fn spread<'r>(reads: impl Iterator<Item = &'r mut Reading>) {
    let mut reads: Vec<&mut Reading> = reads.collect();
    let first_ahead = reads.partition_point(|read| !read.is_ahead());
    let (known, ahead) = reads.split_at_mut(first_ahead);
    let earliest = known.last().map(|read| read.event);
    let mut later: Option<Reading> = None;
    for read in ahead.iter_mut().rev() {
        let before = later.map(|later| (later.event, later.stamp.since(read.stamp)));
        if let Some((event, apart)) = before.filter(|(_, apart)| *apart <= LONGEST_BACKLOG) {
            read.event = earliest.map_or(event - apart, |earliest| earliest.max(event - apart));
        }
        later = Some(**read);
    }
}

fn known_of(
    mut readings: impl ExactSizeIterator<Item = Reading> + DoubleEndedIterator,
    known: [Option<Reading>; 2],
) -> usize {
    let newest = readings.rposition(|read| known.into_iter().flatten().any(|known| read.is_same(known)));
    newest.map_or(0, |newest| newest + 1)
}
