//! A device and what we believe about where it is, as messages and back.

use std::{collections::BTreeMap, time::Duration};

use super::{Undecodable, at, state};
use crate::domain::{
    app_version::AppVersion,
    dwelt::Dwelt,
    geo::Position,
    name::{BeaconName, DeviceName},
    ping::{Accuracy, Reading},
    presence::{Area, Arrival, Belief, DevicePresence, Hearing, LastSeen, Visit},
    profile::{Device, Platform},
    time::{TimeZone, Timestamp},
};

impl From<(&DeviceName, &Device)> for state::Device {
    fn from((name, device): (&DeviceName, &Device)) -> Self {
        let platform = match device.platform {
            Platform::Ios => state::Platform::Ios,
            Platform::Android => state::Platform::Android,
            Platform::Other => state::Platform::Other,
        };
        Self {
            name: name.to_string(),
            language: device.language.clone(),
            platform: platform.into(),
            time_zone: device.time_zone.as_ref().map(|zone| zone.name().to_owned()),
            test: device.test,
            token_epoch: device.token_epoch,
            app_version: device.app_version.map(|version| version.to_string()),
            registered_at: device.registered_at.micros(),
            presence: Some((&device.presence).into()),
        }
    }
}

pub fn read(message: state::Device) -> Result<(DeviceName, Device), Undecodable> {
    let platform = match message.platform() {
        state::Platform::Ios => Platform::Ios,
        state::Platform::Android => Platform::Android,
        state::Platform::Other => Platform::Other,
        state::Platform::Unspecified => return Err(Undecodable::missing("devices.platform")),
    };
    let zone = message.time_zone.map(|zone| at("devices.time_zone", TimeZone::new(&zone)));
    let version = message.app_version.map(|version| at("devices.app_version", AppVersion::parse(&version)));
    let device = Device {
        language: message.language,
        platform,
        time_zone: zone.transpose()?,
        app_version: version.transpose()?,
        test: message.test,
        token_epoch: message.token_epoch,
        registered_at: Timestamp::from_micros(message.registered_at),
        presence: message.presence.unwrap_or_default().try_into()?,
    };
    Ok((at("devices.name", DeviceName::parse(&message.name))?, device))
}

impl From<&DevicePresence> for state::Presence {
    fn from(presence: &DevicePresence) -> Self {
        Self {
            newest_fix: presence.newest_fix.map(|read| read.device.micros()),
            newest_fix_event: presence.newest_fix.map(|read| read.event.micros()),
            newest_fix_stamp: presence.newest_fix.and_then(stamp),
            newest_sighting: presence.newest_sighting.map(|read| read.device.micros()),
            newest_sighting_event: presence.newest_sighting.map(|read| read.event.micros()),
            newest_sighting_stamp: presence.newest_sighting.and_then(stamp),
            ahead: presence.ahead.map(|read| state::Reading {
                stamp: read.stamp.micros(),
                device_at: read.device.micros(),
                at: read.event.micros(),
            }),
            clock_offset: presence.clock_offset,
            saved_at: presence.saved_at.map(Timestamp::micros),
            last_seen: presence.last_seen.map(last_seen),
            doubted: presence.doubted.map(last_seen),
            anchor: presence.anchor.map(last_seen),
            slow_since: presence.slow_since.map(Timestamp::micros),
            areas: presence.areas.iter().map(belief).collect(),
            heard: presence.heard.iter().map(hearing).collect(),
            catalog_version: presence.catalog_version,
            since: presence.since.map(Timestamp::micros),
            located_since: presence.located_since.map(Timestamp::micros),
        }
    }
}

impl TryFrom<state::Presence> for DevicePresence {
    type Error = Undecodable;

    fn try_from(message: state::Presence) -> Result<Self, Undecodable> {
        let offset = message.clock_offset;
        let seen = |seen| read_last_seen(seen, offset);
        Ok(Self {
            newest_fix: message
                .newest_fix
                .map(|fix| reading(fix, message.newest_fix_event, message.newest_fix_stamp, offset)),
            newest_sighting: message
                .newest_sighting
                .map(|read| reading(read, message.newest_sighting_event, message.newest_sighting_stamp, offset)),
            ahead: message.ahead.map(|read| reading(read.device_at, Some(read.at), Some(read.stamp), offset)),
            clock_offset: offset,
            saved_at: message.saved_at.map(Timestamp::from_micros),
            last_seen: message.last_seen.map(seen).transpose()?,
            doubted: message.doubted.map(seen).transpose()?,
            anchor: message.anchor.map(seen).transpose()?,
            slow_since: message.slow_since.map(Timestamp::from_micros),
            areas: message.areas.into_iter().map(read_belief).collect::<Result<_, _>>()?,
            heard: message.heard.into_iter().map(read_hearing).collect::<Result<BTreeMap<_, _>, _>>()?,
            catalog_version: message.catalog_version,
            since: message.since.map(Timestamp::from_micros),
            located_since: message.located_since.map(Timestamp::from_micros),
        })
    }
}

/// A reading; encoding 1 has no event time beside the device's own, and before encoding 7 none has a stamp.
fn reading(device: i64, event: Option<i64>, stamp: Option<i64>, offset: i64) -> Reading {
    let event = event.unwrap_or(device.saturating_add(offset));
    let [stamp, device, event] = [stamp.unwrap_or(device), device, event].map(Timestamp::from_micros);
    Reading { stamp, device, event }
}

/// The stamp of a reading, if it is not the time by the device's clock.
fn stamp(read: Reading) -> Option<i64> {
    (read.stamp != read.device).then_some(read.stamp.micros())
}

fn last_seen(seen: LastSeen) -> state::LastSeen {
    state::LastSeen {
        at: seen.read.event.micros(),
        device_at: Some(seen.read.device.micros()),
        stamp: stamp(seen.read),
        latitude: seen.position.latitude(),
        longitude: seen.position.longitude(),
        accuracy_m: seen.accuracy.metres(),
    }
}

fn read_last_seen(message: state::LastSeen, offset: i64) -> Result<LastSeen, Undecodable> {
    let position = at("last_seen.position", Position::new(message.latitude, message.longitude))?;
    let device = message.device_at.unwrap_or(message.at.saturating_sub(offset));
    Ok(LastSeen {
        read: reading(device, Some(message.at), message.stamp, offset),
        position,
        accuracy: at("last_seen.accuracy_m", Accuracy::new(message.accuracy_m))?,
    })
}

fn belief((area, belief): (&Area, &Belief)) -> state::AreaBelief {
    let belief = match belief {
        Belief::Entering(Arrival { since, not_before, initial }) => {
            let (since, not_before) = (since.micros(), not_before.micros());
            state::area_belief::Belief::Arrival(state::Arrival { since, not_before, initial: *initial })
        }
        Belief::Inside(visit) => state::area_belief::Belief::Visit(state::Visit {
            not_before: Some(visit.not_before.micros()),
            entered_at: visit.entered_at.micros(),
            last_inside: visit.last_inside.micros(),
            leaving_since: visit.leaving_since.map(Timestamp::micros),
            dwelt_nanos: nanos(visit.dwelt.all_to()),
            also_dwelt_nanos: visit.dwelt.longer().map(nanos).collect(),
        }),
    };
    state::AreaBelief { area: area.to_string(), belief: Some(belief) }
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

fn read_belief(message: state::AreaBelief) -> Result<(Area, Belief), Undecodable> {
    let belief = match message.belief.ok_or(Undecodable::missing("areas.belief"))? {
        state::area_belief::Belief::EnteringSince(since) => {
            let since = Timestamp::from_micros(since);
            Belief::Entering(Arrival { since, not_before: since, initial: false })
        }
        state::area_belief::Belief::Arrival(state::Arrival { since, not_before, initial }) => {
            let [since, not_before] = [since, not_before].map(Timestamp::from_micros);
            Belief::Entering(Arrival { since, not_before, initial })
        }
        state::area_belief::Belief::Visit(visit) => Belief::Inside(Visit {
            not_before: Timestamp::from_micros(visit.not_before.unwrap_or(visit.entered_at)),
            entered_at: Timestamp::from_micros(visit.entered_at),
            last_inside: Timestamp::from_micros(visit.last_inside),
            leaving_since: visit.leaving_since.map(Timestamp::from_micros),
            dwelt: Dwelt::new(
                Duration::from_nanos(visit.dwelt_nanos),
                visit.also_dwelt_nanos.into_iter().map(Duration::from_nanos),
            ),
        }),
    };
    Ok((at("areas.area", Area::parse(&message.area))?, belief))
}

fn hearing((beacon, hearing): (&BeaconName, &Hearing)) -> state::Hearing {
    state::Hearing {
        beacon: beacon.to_string(),
        first: hearing.first.micros(),
        last: hearing.last.micros(),
        confirmed: hearing.confirmed,
    }
}

fn read_hearing(message: state::Hearing) -> Result<(BeaconName, Hearing), Undecodable> {
    let hearing = Hearing {
        first: Timestamp::from_micros(message.first),
        last: Timestamp::from_micros(message.last),
        confirmed: message.confirmed,
    };
    Ok((at("heard.beacon", BeaconName::parse(&message.beacon))?, hearing))
}
