//! Making a recorded decision again, and comparing the two.
//!
//! Law 5: of the same inputs, under the catalog as it was, by the seed in the receipt, the same must come; whatever of it
//! does not is told. Nothing is recorded. The work is done beside pings.

use std::sync::Arc;

use super::{
    aside::{self, Aside},
    differences::Differences,
    past_catalogs::PastCatalogs,
    turns::Turns,
};
use crate::{
    domain::{decision::Decision, inputs::Inputs, name::AppName, offer::DecisionId},
    engine::{
        catalog::Catalog,
        decide::{Question, decide},
    },
    ports::{Clock, Records, StoreError},
};

/// Computed or waiting to be: as many as of explanations.
const WAITING: usize = 32;

/// What came of a replay.
#[derive(Debug, Clone, PartialEq)]
pub struct Replayed {
    /// The version of the catalog that was rebuilt.
    pub catalog_version: u64,
    /// What is otherwise now: none if it was decided the same.
    pub differences: Differences,
}

#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    #[error("there is no such decision, or no more")]
    Missing,
    #[error(
        "what this decision was made of is not kept, or no more: storage.replay_days says for how long it is, and only of \
         people who agree to location"
    )]
    NotKept,
    #[error("the catalog of version {1} has no {0}, so nobody can decide for it")]
    NoApp(AppName, u64),
    #[error(transparent)]
    Aside(#[from] aside::Refused),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Makes decisions again.
pub struct Replays {
    records: Arc<dyn Records>,
    past: PastCatalogs,
    aside: Aside,
    clock: Arc<dyn Clock>,
}

impl Replays {
    pub fn new(records: Arc<dyn Records>, past: PastCatalogs, turns: Arc<Turns>, clock: Arc<dyn Clock>) -> Self {
        Self { records, past, aside: Aside::new("replays", WAITING, turns), clock }
    }

    pub async fn replay(&self, id: &DecisionId) -> Result<Replayed, ReplayError> {
        let now = self.clock.now();
        let recorded = self.records.decision(id, now).await?.ok_or(ReplayError::Missing)?;
        let organization = recorded.profile.organization();
        let place = self.aside.enter(organization)?;
        let inputs = self.records.inputs(id, now).await?;
        // A withdrawal ends them; but one by a node of before they were kept does not.
        let person = self.records.profile(&recorded.profile).await?;
        let is_agreed = |inputs: &Inputs| person.is_some_and(|person| inputs.is_agreed_by(&person));
        let inputs = inputs.filter(is_agreed).ok_or(ReplayError::NotKept)?;
        let catalog = self.past.at(recorded.catalog_version).await?;
        place.run(move || compare(recorded, &inputs, &catalog)).await?
    }

    /// Lets go what nobody used for a while.
    pub fn prune(&self) {
        self.past.prune();
    }
}

fn compare(recorded: Decision, inputs: &Inputs, catalog: &Catalog) -> Result<Replayed, ReplayError> {
    let Inputs { profile, device, ping, exhausted } = inputs;
    let (seed, catalog_version) = (recorded.seed, recorded.catalog_version);
    let app = catalog.app_of(device).ok_or_else(|| ReplayError::NoApp(device.app(), catalog_version))?;
    let replayed = decide(&Question { catalog, app, profile, device, ping, seed, exhausted }).decision;
    // It may belong to whoever logged in since.
    let recorded = Decision { profile: profile.name.clone(), ..recorded };
    let differences = difference(&recorded, &replayed).map_err(|fault| StoreError::Corrupt(fault.to_string()))?;
    Ok(Replayed { catalog_version, differences })
}

/// Between the two as the record spells them, for a receipt was written down and read.
fn difference(recorded: &Decision, replayed: &Decision) -> serde_json::Result<Differences> {
    let replayed: Decision = serde_json::from_str(&serde_json::to_string(replayed)?)?;
    Ok(Differences::between(&serde_json::to_value(recorded)?, &serde_json::to_value(replayed)?))
}
