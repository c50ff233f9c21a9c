//! Fields of which a file says nothing, for it has no column for them.
//!
//! Law: what is not said stays as it is in places that are there; what is said to be empty becomes empty.

use std::{borrow::Cow, collections::BTreeSet, fmt, str::FromStr};

use super::Row;
use crate::{
    domain::{
        name::StoreName,
        place::{Geofence, Store},
        text::quoted,
        violation::Invalid,
    },
    engine::catalog::Catalog,
};

/// A field that a place may have or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Optional {
    Address,
    Brand,
    OpeningHours,
    Country,
    Tags,
    /// The store of a geofence.
    Store,
}

/// What no row of a file says.
pub type Unsaid = BTreeSet<Optional>;

impl Optional {
    pub const ALL: [Self; 6] = [Self::Address, Self::Brand, Self::OpeningHours, Self::Country, Self::Tags, Self::Store];

    /// As the API names it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Brand => "brand",
            Self::OpeningHours => "opening_hours",
            Self::Country => "country",
            Self::Tags => "tags",
            Self::Store => "store",
        }
    }
}

impl fmt::Display for Optional {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Optional {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let found = Self::ALL.into_iter().find(|field| field.as_str() == text);
        let known = Self::ALL.map(Self::as_str).join(", ");
        found.ok_or_else(|| Invalid::new(format!("must be one of {known}, was {}", quoted(text))))
    }
}

/// The row with what it does not say as it is in the catalog.
pub fn filled_in<'a>(row: &'a Row, unsaid: &Unsaid, catalog: &Catalog) -> Cow<'a, Row> {
    let filled = match row {
        _ if unsaid.is_empty() => None,
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

fn filled_store(wanted: &Store, had: &Store, unsaid: &Unsaid) -> Store {
    let mut store = wanted.clone();
    for field in unsaid {
        match field {
            Optional::Address => store.address.clone_from(&had.address),
            Optional::Brand => store.brand.clone_from(&had.brand),
            Optional::OpeningHours => store.opening_hours.clone_from(&had.opening_hours),
            Optional::Country => store.country = had.country,
            Optional::Tags => store.tags.clone_from(&had.tags),
            Optional::Store => {}
        }
    }
    store
}

/// None if nothing is to be filled in: shapes are large.
fn filled_geofence(wanted: &Geofence, had: &Geofence, unsaid: &Unsaid) -> Option<Geofence> {
    let tags = if unsaid.contains(&Optional::Tags) { &had.tags } else { &wanted.tags };
    let store = if unsaid.contains(&Optional::Store) { &had.store } else { &wanted.store };
    let is_same = *tags == wanted.tags && *store == wanted.store;
    (!is_same).then(|| Geofence { tags: tags.clone(), store: store.clone(), ..wanted.clone() })
}

/// The store that a geofence will belong to.
pub fn store_of<'a>(fence: &'a Geofence, unsaid: &Unsaid, catalog: &'a Catalog) -> Option<&'a StoreName> {
    let had = catalog.geofences.get(&fence.name).filter(|_| unsaid.contains(&Optional::Store));
    had.map_or(fence.store.as_ref(), |had| had.value.store.as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        app::{
            fakes::{AUTHOR, geofence, geofence_name, owner, resources, store, store_name},
            imports::{Imports, Numbered, Options, Sync},
        },
        domain::{opening::OpeningHours, text::Tag},
    };

    #[tokio::test]
    async fn what_a_file_has_no_column_for_stays_as_it_was_set_by_hand() {
        let imports = Imports::new(resources().await);
        let tagged = |word: &str| BTreeSet::from([Tag::new(word).expect("sound")]);
        let cafe = Store {
            address: "Via Po 7".into(),
            brand: "Q8".into(),
            opening_hours: OpeningHours::new("Mo-Fr 08:00-20:00").expect("sound"),
            tags: tagged("terrace"),
            ..store("1", "Cafe")
        };
        let yard = Geofence { tags: tagged("yard"), ..geofence("g", Some("1"), 80.0) };
        imports.resources.create(cafe.clone(), AUTHOR, |_| Ok(())).await.expect("made");
        imports.resources.create(yard.clone(), AUTHOR, |_| Ok(())).await.expect("made");
        let bare = Store { tags: BTreeSet::new(), ..store("1", "Bar") };
        let run = async |unsaid: &[Optional]| {
            let rows = [Row::Store(bare.clone()), Row::Geofence(geofence("g", None, 90.0))];
            let rows = (1..).zip(rows).map(|(number, row)| Numbered::sound(number, row)).collect();
            let unsaid = unsaid.iter().copied().collect();
            let options = Options { network: owner("acme"), dry_run: false, allow_partial: false, unsaid, sync: None };
            let report = imports.run(&options, rows, AUTHOR).await.expect("applied");
            let store = imports.resources.get::<Store>(&store_name("1")).await.expect("there").value;
            let fence = imports.resources.get::<Geofence>(&geofence_name("g")).await.expect("there").value;
            (report.changed, Store::clone(&store), Geofence::clone(&fence))
        };
        let (shape, kept) = (geofence("g", None, 90.0).shape, Store { display_name: "Bar".into(), ..cafe.clone() });
        let drawn = Geofence { shape, ..yard.clone() };
        assert_eq!(run(&Optional::ALL).await, (2, kept.clone(), drawn.clone()), "but what is said is as it says");
        assert_eq!(run(&Optional::ALL).await, (0, kept.clone(), drawn.clone()));
        let said = [Optional::Address, Optional::Tags];
        let half = Store { brand: String::new(), opening_hours: OpeningHours::default(), ..kept };
        assert_eq!(run(&said).await, (2, half, Geofence { store: None, ..drawn.clone() }));
        assert_eq!(run(&[]).await, (2, bare.clone(), geofence("g", None, 90.0)), "a column that is empty empties");
    }

    #[tokio::test]
    async fn a_store_is_kept_for_a_geofence_of_the_file_that_says_no_store() {
        let imports = Imports::new(resources().await);
        let source = owner("acme").source("erp").expect("sound");
        let run = async |rows: Vec<Row>, unsaid: Unsaid| {
            let rows = (1..).zip(rows).map(|(number, row)| Numbered::sound(number, row)).collect();
            let sync = Some(Sync { allow_removals: true, ..Sync::of(source.clone()) });
            let options = Options { network: owner("acme"), dry_run: false, allow_partial: false, unsaid, sync };
            imports.run(&options, rows, AUTHOR).await.expect("applied")
        };
        let both = vec![Row::Store(store("1", "Cafe")), Row::Geofence(geofence("g", Some("1"), 80.0))];
        run(both, Unsaid::new()).await;
        let alone = || vec![Row::Geofence(geofence("g", None, 80.0))];
        let report = run(alone(), [Optional::Store].into()).await;
        assert_eq!((report.removed, report.kept, report.unchanged), (0, 1, 1));
        let report = run(alone(), Unsaid::new()).await;
        assert_eq!((report.removed, report.kept, report.changed), (1, 0, 1), "it stands alone from then on");
    }

    #[test]
    fn fields_are_read_as_they_are_written() {
        for field in Optional::ALL {
            assert_eq!(field.to_string().parse(), Ok(field));
        }
        assert!("position".parse::<Optional>().is_err());
    }
}
