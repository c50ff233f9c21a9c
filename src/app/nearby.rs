//! The stores around a position.
//!
//! Law 4: whoever looks around is not located: nothing of the question is kept, so no consent is asked for.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    aside::{Aside, Refused},
    live_catalog::LiveCatalog,
    turns::Turns,
};
use crate::{
    domain::{geo::Position, name::OrganizationName, place::Store, text::Tag},
    engine::catalog::Catalog,
};

/// Most stores that are looked at, the nearest: a tenth of a second of work for whoever wants what none of them has.
const MAX_LOOKED_AT: usize = 200_000;
/// Questions that are answered, or wait to be.
const AT_ONCE: usize = 256;

/// What is looked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Around {
    pub position: Position,
    /// Metres.
    pub radius_m: f64,
    /// Most stores wanted.
    pub limit: usize,
    /// A store must have all of them.
    pub tags: BTreeSet<Tag>,
    /// Whose stores; none for everybody's.
    pub network: Option<OrganizationName>,
}

impl Around {
    fn wants(&self, store: &Store) -> bool {
        let of_network = self.network.as_ref().is_none_or(|network| store.name.organization() == *network);
        of_network && self.tags.is_subset(&store.tags)
    }
}

/// Looks around.
pub struct Nearby {
    catalog: Arc<LiveCatalog>,
    aside: Aside,
}

impl Nearby {
    pub fn new(catalog: Arc<LiveCatalog>, turns: Arc<Turns>) -> Self {
        Self { catalog, aside: Aside::new("looks around", AT_ONCE, turns) }
    }

    /// The stores and their great-circle distances in metres, nearest first, for somebody of that publisher.
    pub async fn stores(&self, publisher: OrganizationName, around: Around) -> Result<Vec<(Arc<Store>, f64)>, Refused> {
        let catalog = self.catalog.snapshot();
        self.aside.enter(publisher)?.run(move || stores(&catalog, &around)).await
    }
}

fn stores(catalog: &Catalog, around: &Around) -> Vec<(Arc<Store>, f64)> {
    let nearest = catalog.areas.nearest_stores(around.position);
    nearest
        .take(MAX_LOOKED_AT)
        .take_while(|(_, metres)| *metres <= around.radius_m)
        .filter(|(store, _)| around.wants(store))
        .take(around.limit)
        .map(|(store, metres)| (store.clone(), metres))
        .collect()
}
