//! Syncs and sources on the wire.
//!
//! Law 8: every field is decided upon, and everything wrong with a sync is said at once.

use crate::{
    app::imports::{Changed, Emptied, Held, Move, Renumbered, Sync},
    domain::{
        name::{CampaignName, SourceName},
        place::PlaceName,
        source::{Kept, KeptWhy, Source},
        violation::{Invalid, Violations, at_most},
    },
    engine::catalog::Entry,
    grpc::{
        pb,
        resource::Wire,
        wire::{optional_timestamp, position_to_wire, required, timestamp_to_wire},
    },
};

/// Most places that one unread row may mean.
const MAX_MEANT: usize = 10;

/// Takes the sync of an import apart.
pub fn read(wire: &pb::ImportSync) -> Result<Sync, Violations> {
    let pb::ImportSync { source, as_of, allow_removals, max_removed_percent, allow_moves, .. } = wire;
    let pb::ImportSync { max_moved_percent, max_refused_percent, force, allow_emptied, .. } = wire;
    let mut wrong = Violations::default();
    let name = if source.is_empty() { Err(required()) } else { SourceName::parse(source) };
    let name = wrong.take("source", name);
    let as_of = wrong.take("as_of", optional_timestamp(*as_of));
    let mut percent = |field, said: &Option<u32>| wrong.take(field, said.map(percent).transpose());
    let removed = percent("max_removed_percent", max_removed_percent);
    let moved = percent("max_moved_percent", max_moved_percent);
    let refused = percent("max_refused_percent", max_refused_percent);
    let sync = || {
        let usual = Sync::of(name?);
        Some(Sync {
            as_of: as_of?,
            allow_removals: *allow_removals,
            max_removed_percent: removed?.unwrap_or(usual.max_removed_percent),
            allow_moves: *allow_moves,
            max_moved_percent: moved?.unwrap_or(usual.max_moved_percent),
            allow_emptied: *allow_emptied,
            max_refused_percent: refused?.unwrap_or(usual.max_refused_percent),
            force: *force,
            ..usual
        })
    };
    let sync = sync();
    wrong.finish(sync)
}

fn percent(percent: u32) -> Result<u32, Invalid> {
    if percent <= 100 { Ok(percent) } else { Err(Invalid::new(format!("must be 0 to 100, was {percent}"))) }
}

/// A row that its sender could not read: it was told what is wrong, and the places are of use alone.
pub fn unread(wire: &pb::UnreadRow) -> (Vec<PlaceName>, Violations) {
    let mut wrong = Violations::default();
    wrong.take("unread.places", at_most(MAX_MEANT, wire.places.len()));
    let places = wire.places.iter().take(MAX_MEANT).enumerate();
    let places = places.filter_map(|(i, place)| wrong.take(format!("unread.places[{i}]"), PlaceName::parse(place)));
    let places = places.collect();
    // What it may mean is not told if some of it is wrong.
    if wrong.is_empty() { (places, wrong) } else { (Vec::new(), wrong) }
}

pub fn kept_to_wire(Kept { place, why }: Kept) -> pb::KeptPlace {
    let (why, campaigns) = match why {
        KeptWhy::RowRefused => (pb::KeptWhy::RowRefused, Vec::new()),
        KeptWhy::RowUntold => (pb::KeptWhy::RowUntold, Vec::new()),
        KeptWhy::Targeted(campaigns) => {
            (pb::KeptWhy::Targeted, campaigns.iter().map(CampaignName::to_string).collect())
        }
        KeptWhy::HasDependents => (pb::KeptWhy::HasDependents, Vec::new()),
    };
    pb::KeptPlace { place: place.to_string(), why: why.into(), campaigns }
}

fn kept_from_wire(wire: &pb::KeptPlace) -> Result<Kept, Violations> {
    let mut wrong = Violations::default();
    let place = wrong.take("place", PlaceName::parse(&wire.place));
    let campaigns = wire.campaigns.iter().map(|campaign| CampaignName::parse(campaign));
    let campaigns = wrong.take("campaigns", campaigns.collect::<Result<Vec<_>, _>>());
    let why = match wire.why() {
        pb::KeptWhy::Unspecified => wrong.take("why", Err(required())),
        pb::KeptWhy::RowRefused => Some(KeptWhy::RowRefused),
        pb::KeptWhy::RowUntold => Some(KeptWhy::RowUntold),
        pb::KeptWhy::Targeted => campaigns.map(KeptWhy::Targeted),
        pb::KeptWhy::HasDependents => Some(KeptWhy::HasDependents),
    };
    wrong.finish(place.zip(why).map(|(place, why)| Kept::new(place, why)))
}

pub fn changed_to_wire(Changed { place, fields }: Changed) -> pb::ChangedPlace {
    pb::ChangedPlace { place: place.to_string(), fields: fields.into_iter().map(str::to_owned).collect() }
}

pub fn moved_to_wire(Move { place, from, to }: Move) -> pb::MovedPlace {
    pb::MovedPlace {
        place: place.to_string(),
        from: Some(position_to_wire(from)),
        to: Some(position_to_wire(to)),
        distance_m: from.distance_to(to),
    }
}

pub fn emptied_to_wire(Emptied { field, emptied, places: _ }: Emptied) -> pb::EmptiedField {
    pb::EmptiedField { field: field.to_string(), places: emptied }
}

pub fn renumbered_to_wire(Renumbered { was, is }: Renumbered) -> pb::RenumberedStore {
    pb::RenumberedStore { was: was.to_string(), is: is.to_string() }
}

pub fn held_to_wire(held: Held) -> pb::Held {
    let why = match held {
        Held::Empty => pb::HeldWhy::Empty,
        Held::Unreadable { .. } => pb::HeldWhy::Unreadable,
        Held::Stale { .. } => pb::HeldWhy::Stale,
        Held::TooManyRefused { .. } => pb::HeldWhy::TooManyRefused,
        Held::TooManyRemovals { .. } => pb::HeldWhy::TooManyRemovals,
        Held::TooManyRenumbered { .. } => pb::HeldWhy::TooManyRenumbered,
        Held::TooManyMoves { .. } => pb::HeldWhy::TooManyMoves,
        Held::TooManyEmptied { .. } => pb::HeldWhy::TooManyEmptied,
    };
    pb::Held { why: why.into(), description: held.to_string() }
}

impl Wire for Source {
    type Message = pb::Source;
    const FIELD: &'static str = "source";

    /// No call takes one; it is read so that whoever gets one may compare it.
    fn read(message: pb::Source, name: SourceName) -> Result<Self, Violations> {
        let pb::Source { name: _, as_of, rows, refused, untold, absent, absent_places, sync_time, etag: _ } = message;
        let mut wrong = Violations::default();
        let as_of = wrong.take("as_of", optional_timestamp(as_of));
        let synced_at = wrong.take("sync_time", optional_timestamp(sync_time));
        let absentees = absent_places.iter().enumerate();
        let absentees =
            absentees.filter_map(|(i, kept)| wrong.nest(format!("absent_places[{i}]"), kept_from_wire(kept)));
        let absentees = absentees.collect();
        let times = as_of.zip(synced_at);
        let source = |(as_of, synced_at)| Source { name, as_of, rows, refused, untold, absent, absentees, synced_at };
        wrong.finish(times.map(source))
    }

    fn write(entry: &Entry<Self>) -> pb::Source {
        let Source { name, as_of, rows, refused, untold, absent, absentees, synced_at } = entry.value.as_ref();
        pb::Source {
            name: name.to_string(),
            as_of: as_of.map(timestamp_to_wire),
            rows: *rows,
            refused: *refused,
            untold: *untold,
            absent: *absent,
            absent_places: absentees.iter().cloned().map(kept_to_wire).collect(),
            sync_time: synced_at.map(timestamp_to_wire),
            etag: entry.etag.to_string(),
        }
    }
}
