//! Fields of which a row says nothing: its file has no column for them, its feature no property, its element no tag.
//!
//! Laws: what is not said stays as it is in places that are there, and is empty in new ones; what is said to be empty becomes
//! empty.

use std::{borrow::Cow, fmt};

use super::Row;
use crate::{
    domain::{
        name::StoreName,
        opening::OpeningHours,
        place::{Geofence, PlaceName, Store},
        text::quoted,
        violation::{Invalid, Violations},
    },
    engine::catalog::Catalog,
};

/// A field that a row need not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Optional {
    Address,
    Brand,
    OpeningHours,
    Country,
    Tags,
    /// Every store has one: it may be unsaid, and never empty.
    TimeZone,
    /// The store of a geofence.
    Store,
}

/// What a row does not say. There is one for each row, so it is small.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Unsaid(u8);

/// Beside a bit for each field.
const ZONELESS: u8 = 1 << 7;

impl Unsaid {
    pub fn contains(self, field: Optional) -> bool {
        self.0 & (1 << field as u8) != 0
    }

    pub fn with(self, field: Optional) -> Self {
        Self(self.0 | (1 << field as u8))
    }

    /// Nor does the row say a zone for a store that is new: the one that stands in it means nothing.
    pub fn zoneless(self) -> Self {
        Self(self.0 | ZONELESS)
    }

    pub fn is_zoneless(self) -> bool {
        self.0 & ZONELESS != 0
    }

    /// Those of a store, and then those of a geofence that no store has.
    pub fn iter(self) -> impl Iterator<Item = Optional> {
        let all = Optional::OF_STORES.into_iter().chain([Optional::Store]);
        all.filter(move |field| self.contains(*field))
    }
}

impl FromIterator<Optional> for Unsaid {
    fn from_iter<I: IntoIterator<Item = Optional>>(fields: I) -> Self {
        fields.into_iter().fold(Self::default(), Self::with)
    }
}

impl Optional {
    pub const OF_STORES: [Self; 6] =
        [Self::Address, Self::Brand, Self::OpeningHours, Self::Country, Self::Tags, Self::TimeZone];
    pub const OF_GEOFENCES: [Self; 2] = [Self::Tags, Self::Store];

    /// As the API names it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Brand => "brand",
            Self::OpeningHours => "opening_hours",
            Self::Country => "country",
            Self::Tags => "tags",
            Self::TimeZone => "time_zone",
            Self::Store => "store",
        }
    }

    /// Those that a place of this kind has.
    pub fn of(row: &Row) -> &'static [Self] {
        match row {
            Row::Store(_) => &Self::OF_STORES,
            Row::Geofence(_) => &Self::OF_GEOFENCES,
        }
    }

    /// The one of this name among those that a kind of place has.
    pub fn parse(text: &str, among: &[Self]) -> Result<Self, Invalid> {
        let found = among.iter().find(|field| field.as_str() == text);
        let known = || among.iter().map(|field| field.as_str()).collect::<Vec<_>>().join(", ");
        found.copied().ok_or_else(|| Invalid::new(format!("must be one of {}, was {}", known(), quoted(text))))
    }
}

impl fmt::Display for Optional {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whether the store has something in a field that may be empty.
pub fn store_has(store: &Store, field: Optional) -> bool {
    match field {
        Optional::Address => !store.address.is_empty(),
        Optional::Brand => !store.brand.is_empty(),
        Optional::OpeningHours => store.opening_hours != OpeningHours::default(),
        Optional::Country => store.country.is_some(),
        Optional::Tags => !store.tags.is_empty(),
        Optional::TimeZone | Optional::Store => false,
    }
}

/// Whether the geofence has something in a field that may be empty.
pub fn geofence_has(fence: &Geofence, field: Optional) -> bool {
    match field {
        Optional::Tags => !fence.tags.is_empty(),
        Optional::Store => fence.store.is_some(),
        _ => false,
    }
}

/// Refuses what a row says though it is named as unsaid: one of the two is a mistake.
pub fn check_unsaid(row: &Row, unsaid: Unsaid) -> Result<(), Violations> {
    let (kind, has): (_, &dyn Fn(Optional) -> bool) = match row {
        Row::Store(store) => ("store", &|field| store_has(store, field)),
        Row::Geofence(fence) => ("geofence", &|field| geofence_has(fence, field)),
    };
    let mut wrong = Violations::default();
    for field in unsaid.iter().filter(|field| has(*field)) {
        wrong.add(format!("{kind}.{field}"), "must be empty, for the row's unsaid_fields name it");
    }
    wrong.finish(Some(()))
}

/// Refuses a store that has no zone: it is new, and there is none to keep.
pub fn check_zone(place: &PlaceName, unsaid: Unsaid, catalog: &Catalog) -> Result<(), Violations> {
    match place {
        PlaceName::Store(store) if unsaid.is_zoneless() && !catalog.stores.contains_key(store) => {
            Err(Violations::one("store.time_zone", "must be given: the store is new, and has none that could stay"))
        }
        PlaceName::Store(_) | PlaceName::Geofence(_) | PlaceName::Beacon(_) => Ok(()),
    }
}

/// The row with what it does not say as it is in the catalog.
pub fn filled_in<'a>(row: &'a Row, unsaid: Unsaid, catalog: &Catalog) -> Cow<'a, Row> {
    let filled = match row {
        _ if unsaid == Unsaid::default() => None,
        Row::Store(store) => {
            catalog.stores.get(&store.name).map(|had| Row::Store(filled_store(store, &had.value, unsaid)))
        }
        Row::Geofence(fence) => {
            let had = catalog.geofences.get(&fence.name);
            had.and_then(|had| filled_geofence(fence, &had.value, unsaid)).map(Row::Geofence)
        }
    };
    filled.map_or(Cow::Borrowed(row), Cow::Owned)
}

fn filled_store(wanted: &Store, had: &Store, unsaid: Unsaid) -> Store {
    let mut store = wanted.clone();
    for field in unsaid.iter() {
        match field {
            Optional::Address => store.address.clone_from(&had.address),
            Optional::Brand => store.brand.clone_from(&had.brand),
            Optional::OpeningHours => store.opening_hours.clone_from(&had.opening_hours),
            Optional::Country => store.country = had.country,
            Optional::Tags => store.tags.clone_from(&had.tags),
            Optional::TimeZone => store.time_zone = had.time_zone.clone(),
            Optional::Store => {}
        }
    }
    store
}

/// None if nothing is to be filled in: shapes are large.
fn filled_geofence(wanted: &Geofence, had: &Geofence, unsaid: Unsaid) -> Option<Geofence> {
    let tags = if unsaid.contains(Optional::Tags) { &had.tags } else { &wanted.tags };
    let store = if unsaid.contains(Optional::Store) { &had.store } else { &wanted.store };
    let is_same = *tags == wanted.tags && *store == wanted.store;
    (!is_same).then(|| Geofence { tags: tags.clone(), store: store.clone(), ..wanted.clone() })
}

/// The store that a geofence will belong to.
pub fn store_of<'a>(fence: &'a Geofence, unsaid: Unsaid, catalog: &'a Catalog) -> Option<&'a StoreName> {
    let had = catalog.geofences.get(&fence.name).filter(|_| unsaid.contains(Optional::Store));
    had.map_or(fence.store.as_ref(), |had| had.value.store.as_ref())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{
        app::{
            fakes::{AUTHOR, geofence, geofence_name, owner, resources, store, store_name},
            imports::{Imports, Numbered, Options, Sync, rows::edit},
            resources::EditError,
        },
        domain::{text::Tag, time::TimeZone},
    };

    #[tokio::test]
    async fn what_a_row_does_not_say_stays_as_it_was_set_by_hand() {
        let imports = Imports::new(resources().await);
        let tagged = |word: &str| BTreeSet::from([Tag::new(word).expect("sound")]);
        let cafe = Store {
            address: "Via Po 7".into(),
            brand: "Q8".into(),
            opening_hours: OpeningHours::new("Mo-Fr 08:00-20:00").expect("sound"),
            tags: tagged("terrace"),
            time_zone: TimeZone::new("Asia/Tokyo").expect("sound"),
            ..store("1", "Cafe")
        };
        let yard = Geofence { tags: tagged("yard"), ..geofence("g", Some("1"), 80.0) };
        imports.resources.create(cafe.clone(), AUTHOR, |_| Ok(())).await.expect("made");
        imports.resources.create(yard.clone(), AUTHOR, |_| Ok(())).await.expect("made");
        let bare = Store { tags: BTreeSet::new(), ..store("1", "Bar") };
        let run = async |unsaid: &[Optional]| {
            let rows = [Row::Store(bare.clone()), Row::Geofence(geofence("g", None, 90.0))];
            let unsaid = unsaid.iter().copied().collect();
            let numbered = |(number, row)| Numbered { unsaid, ..Numbered::sound(number, row) };
            let rows = (1..).zip(rows).map(numbered).collect();
            let options = Options { network: owner("acme"), dry_run: false, allow_partial: false, sync: None };
            let report = imports.run(&options, rows, AUTHOR).await.expect("applied");
            let store = imports.resources.get::<Store>(&store_name("1")).await.expect("there").value;
            let fence = imports.resources.get::<Geofence>(&geofence_name("g")).await.expect("there").value;
            (report.changed, Store::clone(&store), Geofence::clone(&fence))
        };
        let (shape, kept) = (geofence("g", None, 90.0).shape, Store { display_name: "Bar".into(), ..cafe.clone() });
        let drawn = Geofence { shape, ..yard.clone() };
        let all = [&Optional::OF_STORES[..], &Optional::OF_GEOFENCES].concat();
        assert_eq!(run(&all).await, (2, kept.clone(), drawn.clone()), "but what is said is as it says");
        assert_eq!(run(&all).await, (0, kept.clone(), drawn.clone()));
        let said = [Optional::Address, Optional::Tags];
        let zone = bare.time_zone.clone();
        let half = Store { brand: String::new(), opening_hours: OpeningHours::default(), time_zone: zone, ..kept };
        assert_eq!(run(&said).await, (2, half, Geofence { store: None, ..drawn.clone() }));
        assert_eq!(run(&[]).await, (2, bare.clone(), geofence("g", None, 90.0)), "what is said to be empty is emptied");
    }

    #[tokio::test]
    async fn a_store_without_a_zone_keeps_the_one_it_has_and_a_new_one_is_refused() {
        let imports = Imports::new(resources().await);
        let tokyo = Store { time_zone: TimeZone::new("Asia/Tokyo").expect("sound"), ..store("1", "Cafe") };
        imports.resources.create(tokyo.clone(), AUTHOR, |_| Ok(())).await.expect("made");
        let unsaid = Unsaid::default().with(Optional::TimeZone).zoneless();
        let rows = [store("1", "Bar"), store("2", "New"), store("2", "Twice")].map(Row::Store);
        let numbered = |(number, row)| Numbered { unsaid, ..Numbered::sound(number, row) };
        let unread = |number, id: &str| {
            let may_be = vec![PlaceName::Store(store_name(id))];
            let wrong = Violations::one("store.position.latitude", "must be within ±90, was 91");
            Numbered { unsaid, ..Numbered::read(number, Err(wrong), may_be) }
        };
        let mut rows: Vec<Numbered> = (1..).zip(rows).map(numbered).collect();
        rows.extend([unread(4, "4"), unread(5, "1")]);
        let options = Options { network: owner("acme"), dry_run: false, allow_partial: true, sync: None };
        let report = imports.run(&options, rows, AUTHOR).await.expect("applied");
        let told: Vec<_> = report.problems.iter().map(|told| (told.number, told.violation.field.as_str())).collect();
        let latitude = "store.position.latitude";
        let all = [
            (2, "store.time_zone"),
            (3, "store.time_zone"),
            (3, "store.name"),
            (4, latitude),
            (4, "store.time_zone"),
            (5, latitude),
        ];
        assert_eq!((report.changed, report.created, told), (1, 0, all.to_vec()), "all faults of a row at once");
        let kept = imports.resources.get::<Store>(&tokyo.name).await.expect("there").value;
        assert_eq!((&*kept.display_name, &kept.time_zone), ("Bar", &tokyo.time_zone));
        let gone = edit(&Row::Store(store("2", "New")), unsaid, &options, &imports.resources.snapshot());
        assert!(matches!(gone, Err(EditError::Changed(_))), "one that went meanwhile is not made in another zone");
    }

    #[tokio::test]
    async fn what_one_row_says_another_need_not() {
        let imports = Imports::new(resources().await);
        let branded = |id: &str, brand: &str| Store { brand: brand.into(), ..store(id, "Cafe") };
        for id in ["1", "2", "3"] {
            imports.resources.create(branded(id, "Q8"), AUTHOR, |_| Ok(())).await.expect("made");
        }
        let of = |id: &str, number, brand| Numbered::sound(number, Row::Store(branded(id, brand)));
        let silent = Numbered { unsaid: Unsaid::default().with(Optional::Brand), ..of("2", 2, "") };
        let rows = vec![of("1", 1, "Starbucks"), silent, of("3", 3, "")];
        let options = Options { network: owner("acme"), dry_run: false, allow_partial: false, sync: None };
        let report = imports.run(&options, rows, AUTHOR).await.expect("applied");
        assert_eq!((report.changed, report.unchanged), (2, 1));
        let stores = imports.resources.snapshot();
        let brands = stores.stores.values().map(|entry| entry.value.brand.clone()).collect::<BTreeSet<_>>();
        assert_eq!(brands, ["", "Q8", "Starbucks"].map(str::to_owned).into());
        assert_eq!(stores.stores[&store_name("2")].value.brand, "Q8");
    }

    #[tokio::test]
    async fn a_store_is_kept_for_a_geofence_of_the_file_that_says_no_store() {
        let imports = Imports::new(resources().await);
        let source = owner("acme").source("erp").expect("sound");
        let run = async |rows: Vec<Row>, unsaid: Unsaid| {
            let numbered = |(number, row)| Numbered { unsaid, ..Numbered::sound(number, row) };
            let rows = (1..).zip(rows).map(numbered).collect();
            let sync = Some(Sync { allow_removals: true, ..Sync::of(source.clone()) });
            let options = Options { network: owner("acme"), dry_run: false, allow_partial: false, sync };
            imports.run(&options, rows, AUTHOR).await.expect("applied")
        };
        let both = vec![Row::Store(store("1", "Cafe")), Row::Geofence(geofence("g", Some("1"), 80.0))];
        run(both, Unsaid::default()).await;
        let alone = || vec![Row::Geofence(geofence("g", None, 80.0))];
        let report = run(alone(), Unsaid::default().with(Optional::Store)).await;
        assert_eq!((report.removed, report.kept, report.unchanged), (0, 1, 1));
        let report = run(alone(), Unsaid::default()).await;
        assert_eq!((report.removed, report.kept, report.changed), (1, 0, 1), "it stands alone from then on");
    }

    #[tokio::test]
    async fn what_a_row_says_and_does_not_say_at_once_refuses_it() {
        let imports = Imports::new(resources().await);
        let unsaid: Unsaid = [&Optional::OF_STORES[..], &Optional::OF_GEOFENCES].concat().into_iter().collect();
        let cafe = Store { brand: "Q8".into(), ..store("1", "Cafe") };
        let said = [Row::Store(cafe), Row::Geofence(geofence("g", Some("1"), 80.0))];
        let numbered = |(number, row)| Numbered { unsaid, ..Numbered::sound(number, row) };
        let rows = (1..).zip(said).map(numbered).collect();
        let options = Options { network: owner("acme"), dry_run: false, allow_partial: true, sync: None };
        let report = imports.run(&options, rows, AUTHOR).await.expect("looked at");
        let told: Vec<&str> = report.problems.iter().map(|problem| problem.violation.field.as_str()).collect();
        assert_eq!(told, ["store.brand", "store.tags", "geofence.store"], "each store has a zone");
        assert_eq!((report.refused, report.created), (2, 0));
    }

    #[test]
    fn fields_are_read_as_they_are_written() {
        for (fields, other) in [(&Optional::OF_STORES[..], "store"), (&Optional::OF_GEOFENCES, "brand")] {
            for field in fields {
                assert_eq!(Optional::parse(field.as_str(), fields), Ok(*field));
            }
            assert!(Optional::parse(other, fields).is_err(), "{other}");
            assert_eq!(fields.iter().copied().collect::<Unsaid>().iter().collect::<Vec<_>>(), fields);
        }
    }
}
