//! The stream of ImportPlaces: options, rows, the end; and the report.
//!
//! Laws: a wrong stream is refused as a whole; a wrong row is one line of the report; what is held while the stream
//! lasts is bounded.

use tonic::{Status, Streaming};

use crate::{
    app::imports::{MAX_ROWS, Numbered, Optional, Options, Problem, Report, Row, SmallGeofence, Unsaid},
    domain::{
        name::{GeofenceName, OrganizationName, SourceName, StoreName},
        place::{Geofence, PlaceName, Store},
        time::TimeZone,
        violation::{Invalid, Violations, at_most},
    },
    engine::catalog::Entry,
    grpc::{
        access::Access,
        detection_wire::distances_to_wire,
        importing::{Import, Importing},
        pb::{self, import_places_request::Part, import_row::Place},
        reading::Reading,
        resource::{Wire, read_under},
        sync_wire::{
            self, changed_to_wire, emptied_to_wire, held_to_wire, kept_to_wire, moved_to_wire, renumbered_to_wire,
        },
        wire::required,
    },
};

/// Most rows of one message.
pub const MAX_ROWS_A_MESSAGE: usize = 1_000;
/// Most corners of one import: its shapes are held until the last row has been looked at.
const MAX_CORNERS: usize = 5_000_000;

/// Most bytes of one import, as they are sent: twice as many are held.
const MAX_BYTES: usize = 128 << 20;

/// A client closes a message when it has so many bytes; one geofence alone may have more.
const FULL: usize = 256 << 10;

/// Reads the whole stream. What it returns first is to be kept for as long as the rows are.
pub(super) async fn receive(
    access: &Access,
    (importing, reading): (&Importing, &Reading),
    mut stream: Streaming<pb::ImportPlacesRequest>,
) -> Result<(Import, Options, Vec<Numbered>), Status> {
    let first = importing.next(&mut stream).await?.and_then(|message| message.part);
    let Some(Part::Options(wire)) = first else {
        return Err(Violations::one("options", "must be in the first message").into());
    };
    let options = options(access, &wire)?;
    let import = importing.begin(&options.network)?;
    let mut received = Received::default();
    while let Some(message) = importing.next(&mut stream).await? {
        match message.part {
            Some(Part::Rows(rows)) => {
                let bytes = prost::Message::encoded_len(&rows);
                received = reading.of(access, bytes, move || received.add(rows)).await??;
            }
            Some(Part::End(end)) => {
                received.ended(&end)?;
                return match importing.next(&mut stream).await? {
                    None => Ok((import, options, received.rows)),
                    Some(_) => Err(Violations::one("end", "must be in the last message only").into()),
                };
            }
            Some(Part::Options(_)) => {
                return Err(Violations::one("options", "must be in the first message only").into());
            }
            None => return Err(Violations::one("rows", required()).into()),
        }
    }
    // A cancelled call looks like the end of its stream.
    Err(Violations::one("end", "must be in the last message: the stream was cut off, and nothing was changed").into())
}

fn options(access: &Access, wire: &pb::ImportOptions) -> Result<Options, Status> {
    let pb::ImportOptions { parent, dry_run, allow_partial, sync } = wire;
    let mut wrong = Violations::default();
    let network = wrong.take("options.parent", OrganizationName::parse(parent));
    network.iter().try_for_each(|network| access.reaches(network))?;
    let sync = wrong.nest("options.sync", sync.as_ref().map(sync_wire::read).transpose());
    let (network, sync) = wrong.finish(network.zip(sync))?;
    Ok(Options { network, dry_run: *dry_run, allow_partial: *allow_partial, sync })
}

#[derive(Default)]
struct Received {
    rows: Vec<Numbered>,
    corners: usize,
    bytes: usize,
}

impl Received {
    fn ended(&self, end: &pb::ImportEnd) -> Result<(), Status> {
        let (said, received) = (end.rows, self.rows.len() as u64);
        if said == received {
            return Ok(());
        }
        let said = format!("must be the number of rows sent, {received}, was {said}");
        Err(Violations::one("end.rows", said).into())
    }

    /// With these rows.
    fn add(mut self, wire: pb::ImportRows) -> Result<Self, Status> {
        let count = wire.rows.len();
        if !(1..=MAX_ROWS_A_MESSAGE).contains(&count) {
            let said = format!("must be 1 to {MAX_ROWS_A_MESSAGE} a message, were {count}");
            return Err(Violations::one("rows.rows", said).into());
        }
        self.bytes += prost::Message::encoded_len(&wire);
        if self.bytes > MAX_BYTES {
            let said = format!("must have at most {} MiB in all; nothing was changed", MAX_BYTES >> 20);
            return Err(Violations::one("rows", said).into());
        }
        for row in wire.rows {
            let number = if row.row == 0 { self.rows.len() as u64 + 1 } else { row.row };
            let row = row_from_wire(row, number);
            self.corners += row.row.as_ref().map_or(0, Row::corners);
            self.rows.push(row);
        }
        if self.rows.len() > MAX_ROWS || self.corners > MAX_CORNERS {
            let said = format!("must be at most {MAX_ROWS}, of {MAX_CORNERS} corners in all; nothing was changed");
            return Err(Violations::one("rows", said).into());
        }
        Ok(self)
    }
}

fn row_from_wire(wire: pb::ImportRow, number: u64) -> Numbered {
    let fields = &wire.unsaid_fields;
    let is_zoneless = is_zoneless(&wire);
    let (may_be, row) = match wire.place {
        None => (Vec::new(), Err(Violations::one("place", required()))),
        Some(Place::Store(message)) => {
            let name = StoreName::parse(&message.name);
            let may_be = name.clone().map(PlaceName::Store).into_iter().collect();
            (may_be, store(name, message, fields, is_zoneless))
        }
        Some(Place::Geofence(message)) => {
            let name = GeofenceName::parse(&message.name);
            let may_be = name.clone().map(PlaceName::Geofence).into_iter().collect();
            (may_be, with_unsaid(place(name, message).map(Row::Geofence), fields, &Optional::OF_GEOFENCES))
        }
        Some(Place::Unread(message)) => {
            let (may_be, wrong) = sync_wire::unread(&message);
            (may_be, Err(wrong))
        }
    };
    let read = Numbered::read(number, row, may_be);
    // Of a refused one, too: whether it is new is known later, and all its faults are told at once.
    Numbered { unsaid: if is_zoneless { read.unsaid.zoneless() } else { read.unsaid }, ..read }
}

/// Whether it is a store that says no zone, and that it says none.
fn is_zoneless(row: &pb::ImportRow) -> bool {
    let has_none = matches!(&row.place, Some(Place::Store(store)) if store.time_zone.is_empty());
    has_none && row.unsaid_fields.iter().any(|field| field == Optional::TimeZone.as_str())
}

fn store(
    name: Result<StoreName, Invalid>,
    mut message: pb::Store,
    fields: &[String],
    is_zoneless: bool,
) -> Result<(Row, Unsaid), Violations> {
    if is_zoneless {
        TimeZone::utc().name().clone_into(&mut message.time_zone);
    }
    with_unsaid(place(name, message).map(Row::Store), fields, &Optional::OF_STORES)
}

/// The row with the fields that it does not say, of those that such a place has.
fn with_unsaid(
    row: Result<Row, Violations>,
    fields: &[String],
    among: &[Optional],
) -> Result<(Row, Unsaid), Violations> {
    let mut wrong = Violations::default();
    let row = wrong.nest("", row);
    wrong.take("unsaid_fields", at_most(among.len(), fields.len()));
    let fields = fields.iter().take(among.len()).enumerate();
    let unsaid =
        fields.filter_map(|(i, field)| wrong.take(format!("unsaid_fields[{i}]"), Optional::parse(field, among)));
    let unsaid = unsaid.collect();
    wrong.finish(row.map(|row| (row, unsaid)))
}

/// The place of a row; if its name is wrong, its other faults are told as well.
fn place<P: Wire>(name: Result<P::Name, Invalid>, message: P::Message) -> Result<P, Violations> {
    let mut wrong = Violations::default();
    let name = wrong.take(format!("{}.name", P::FIELD), name);
    let read = read_under(&mut wrong, message, name);
    wrong.finish(read)
}

/// The stream a client sends: options, the rows in messages that every server takes (what it could not read itself only with
/// what it may be), and the end. `sent` hears how many rows each
/// message has as it goes.
pub fn messages(
    options: pb::ImportOptions,
    rows: Vec<Numbered>,
    mut sent: impl FnMut(u64) + Send,
) -> impl Iterator<Item = pb::ImportPlacesRequest> + Send {
    let end = Part::End(pb::ImportEnd { rows: rows.len() as u64 });
    let mut rows = rows.into_iter();
    let parts = std::iter::from_fn(move || {
        let part = next_part(&mut rows)?;
        sent(part.rows.len() as u64);
        Some(Part::Rows(part))
    });
    let parts = std::iter::once(Part::Options(options)).chain(parts).chain(std::iter::once(end));
    parts.map(|part| pb::ImportPlacesRequest { part: Some(part) })
}

/// Made as it is sent, so that only one message is held beside the rows.
fn next_part(rows: &mut impl Iterator<Item = Numbered>) -> Option<pb::ImportRows> {
    let (mut part, mut bytes) = (Vec::new(), 0);
    while bytes < FULL && part.len() < MAX_ROWS_A_MESSAGE {
        let Some(row) = rows.next() else { break };
        let row = row_to_wire(row);
        bytes += prost::Message::encoded_len(&row);
        part.push(row);
    }
    (!part.is_empty()).then_some(pb::ImportRows { rows: part })
}

fn row_to_wire(Numbered { number, row, unsaid, may_be }: Numbered) -> pb::ImportRow {
    fn message<P: Wire>(place: P) -> P::Message {
        P::write(&Entry { etag: 0, value: std::sync::Arc::new(place) })
    }
    let place = match row {
        Ok(Row::Store(store)) => {
            let message = message::<Store>(store);
            let time_zone = if unsaid.is_zoneless() { String::new() } else { message.time_zone.clone() };
            Place::Store(pb::Store { etag: String::new(), time_zone, ..message })
        }
        Ok(Row::Geofence(geofence)) => {
            Place::Geofence(pb::Geofence { etag: String::new(), ..message::<Geofence>(geofence) })
        }
        Err(_) => Place::Unread(pb::UnreadRow { places: may_be.iter().map(PlaceName::to_string).collect() }),
    };
    let unsaid_fields = unsaid.iter().map(|field| field.to_string()).collect();
    pb::ImportRow { row: number, unsaid_fields, place: Some(place) }
}

/// What became of an import, as its caller reads it.
pub fn report_to_wire(report: Report) -> pb::ImportPlacesResponse {
    let Report { applied, created, creations, changed, changes, unchanged, .. } = report;
    let Report { refused, problems, small, catalog_version, .. } = report;
    let Report { adopted, adoptions, first_sync, sources, emptied, .. } = report;
    let Report { moved, moves, removed, removals, kept, keeps, renumbered, renumberings, held, .. } = report;
    let problem = |Problem { number, violation }| pb::ImportProblem {
        row: number,
        field: violation.field,
        description: violation.description,
    };
    let small_geofence = |SmallGeofence { number, name, effective_radius_m, why, distances }| pb::SmallGeofence {
        row: number,
        geofence: name.to_string(),
        effective_radius_m,
        description: why.to_owned(),
        effective_distances: distances.iter().map(distances_to_wire).collect(),
    };
    pb::ImportPlacesResponse {
        applied,
        created,
        changed,
        unchanged,
        refused,
        problems: problems.into_iter().map(problem).collect(),
        small_geofences: small.into_iter().map(small_geofence).collect(),
        catalog_version,
        removed,
        removed_places: removals.iter().map(PlaceName::to_string).collect(),
        kept,
        kept_places: keeps.into_iter().map(kept_to_wire).collect(),
        held: held.into_iter().map(held_to_wire).collect(),
        moved,
        moved_places: moves.into_iter().map(moved_to_wire).collect(),
        adopted,
        adopted_places: adoptions.iter().map(PlaceName::to_string).collect(),
        first_sync,
        sources: sources.iter().map(SourceName::to_string).collect(),
        renumbered,
        emptied_fields: emptied.into_iter().map(emptied_to_wire).collect(),
        renumbered_stores: renumberings.into_iter().map(renumbered_to_wire).collect(),
        created_places: creations.iter().map(PlaceName::to_string).collect(),
        changed_places: changes.into_iter().map(changed_to_wire).collect(),
    }
}
