//! Would this person get this campaign? Asked before it happens, of real people and of made-up ones.
//!
//! Law 10: who may ask what is for [`super::explain_access`]. Nothing is recorded.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use super::{
    aside::{self, Aside},
    decisions::{Reader, knows_budgets},
    explain_access::{allowed, classify, knows, sound},
    live_catalog::LiveCatalog,
    people::{People, PeopleError},
    turns::Turns,
};
use crate::{
    domain::{
        budget::AccountId,
        campaign::{Campaign, CampaignState},
        name::{AppName, CampaignName, DeviceName, OrganizationName, ProfileName},
        organization::App,
        place::PlaceName,
        profile::{Device, Platform, Profile},
        time::Timestamp,
        violation::Violations,
    },
    engine::{
        catalog::Catalog,
        eligibility::Standing,
        explain::{Case, Explanation, accounts, explain},
    },
    ports::{Clock, Ledger, StoreError},
};

/// How far ahead may be asked.
const AHEAD: Duration = Duration::from_secs(366 * 86_400);
/// How long ago counts as now: of real people what was is in their receipts.
const JUST_NOW: Duration = Duration::from_secs(60);

/// Computed or waiting to be: some seconds' worth of the longest there are.
const WAITING: usize = 32;

/// What is asked.
#[derive(Debug, Clone)]
pub struct Wanted {
    pub campaign: CampaignName,
    pub whom: Whom,
    /// Where the campaign's trigger happens.
    pub place: PlaceName,
    /// Now, if it is not said.
    pub at: Option<Timestamp>,
    /// Metres to the store, else into the geofence.
    pub distance_m: f64,
}

#[derive(Debug, Clone)]
pub enum Whom {
    /// On this device, or the one registered last.
    Person(ProfileName, Option<DeviceName>),
    /// Somebody made up.
    Persona(Box<Profile>, Box<Device>),
}

impl Whom {
    pub fn app(&self) -> AppName {
        match self {
            Whom::Person(name, _) => name.app(),
            Whom::Persona(profile, _) => profile.name.app(),
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    #[error("{0}")]
    Denied(String),
    #[error("{0}")]
    Invalid(Violations),
    #[error(transparent)]
    Aside(#[from] aside::Refused),
    #[error(transparent)]
    People(#[from] PeopleError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Explains campaigns.
pub struct Explanations {
    people: Arc<People>,
    live: Arc<LiveCatalog>,
    ledger: Arc<dyn Ledger>,
    clock: Arc<dyn Clock>,
    aside: Aside,
}

impl Explanations {
    pub fn new(
        people: Arc<People>,
        live: Arc<LiveCatalog>,
        ledger: Arc<dyn Ledger>,
        clock: Arc<dyn Clock>,
        turns: Arc<Turns>,
    ) -> Self {
        Self { people, live, ledger, clock, aside: Aside::new("explanations", WAITING, turns) }
    }

    /// What every gate says, and what would have to be otherwise; and of which moment.
    pub async fn explain(&self, wanted: &Wanted, reader: &Reader) -> Result<(Explanation, Timestamp), ExplainError> {
        let snapshot = self.live.having(|catalog| knows(catalog, wanted)).await?;
        let app = allowed(&snapshot, wanted, reader)?;
        let now = self.moment(wanted)?;
        let missing = || PeopleError::NotFound(wanted.campaign.to_string());
        let campaign = snapshot.campaigns.get(&wanted.campaign).ok_or_else(missing)?.value.clone();
        sound(&snapshot, &app, wanted, reader)?;
        let (mut profile, device) = self.whom(&wanted.whom, now).await?;
        if matches!(wanted.whom, Whom::Persona(..)) {
            classify(&snapshot, &mut profile, reader);
        }
        let (state, active) = (campaign.state, Campaign { state: CampaignState::Active, ..Campaign::clone(&campaign) });
        let (place, distance_m) = (wanted.place.clone(), wanted.distance_m);
        let scene =
            Scene { catalog: snapshot, app, profile, device, campaign: active.into(), state, place, distance_m };
        let (scene, today) = (Arc::new(scene), self.now());
        let asked = scene.clone();
        // A year is looked through moment by moment.
        let place = self.aside.enter(asking(reader, wanted))?;
        let named = place.run(move || asked.suppose(now, &BTreeSet::new(), |case| accounts(case, today))).await?;
        let named: Vec<AccountId> = named.into_iter().collect();
        let exhausted = self.ledger.spent(&named).await?.into_iter().collect();
        let mut explained = place.run(move || scene.suppose(now, &exhausted, explain)).await?;
        if !knows_budgets(reader, &wanted.campaign) {
            explained.forget_budgets();
        }
        Ok((explained, now))
    }

    /// What stands for the time if it is not said.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn moment(&self, wanted: &Wanted) -> Result<Timestamp, ExplainError> {
        let now = self.now();
        let at = wanted.at.unwrap_or(now);
        let is_past = matches!(wanted.whom, Whom::Person(..)) && at + JUST_NOW < now;
        if is_past || at > now + AHEAD {
            let said = format!("must be from now to 366 days ahead, of a persona also earlier; was {at}");
            return Err(ExplainError::Invalid(Violations::one("time", said)));
        }
        Ok(at)
    }

    async fn whom(&self, whom: &Whom, now: Timestamp) -> Result<(Profile, Device), ExplainError> {
        let (name, named) = match whom {
            Whom::Persona(profile, device) => return Ok((Profile::clone(profile), Device::clone(device))),
            Whom::Person(name, device) => (name, device),
        };
        let profile = self.people.get(name).await?;
        let device = match named {
            Some(named) => profile.devices.get(named).cloned(),
            None => profile.devices.values().max_by_key(|device| device.registered_at).cloned(),
        };
        let device = match (device, named) {
            (None, Some(named)) => return Err(PeopleError::NotFound(format!("{named} of {name}")).into()),
            (found, _) => found.unwrap_or_else(|| no_device(now)),
        };
        Ok((profile, device))
    }
}

/// All that an explanation depends on but the moment and what is used up.
struct Scene {
    catalog: Arc<Catalog>,
    app: Arc<App>,
    profile: Profile,
    device: Device,
    /// As if it were active.
    campaign: Arc<Campaign>,
    /// What it really is.
    state: CampaignState,
    place: PlaceName,
    distance_m: f64,
}

impl Scene {
    fn suppose<T>(&self, now: Timestamp, exhausted: &BTreeSet<AccountId>, ask: impl FnOnce(&Case<'_>) -> T) -> T {
        let Self { catalog, app, profile, device, campaign, state, place, distance_m } = self;
        let standing = Standing { catalog, app, profile, device, now, is_suspect: false, exhausted };
        ask(&Case { standing, campaign, state: *state, place, distance_m: *distance_m })
    }
}

/// Whose share of the places it takes; of an operator the campaign's.
fn asking(reader: &Reader, wanted: &Wanted) -> OrganizationName {
    match reader {
        Reader::Operator => wanted.campaign.organization(),
        Reader::Person(profile) => profile.organization(),
        Reader::Server(app) => app.organization(),
        Reader::Owner(own) | Reader::Brand(own) => own.clone(),
    }
}

/// Of a person without devices: nothing is known of what they will use.
pub(super) fn no_device(now: Timestamp) -> Device {
    Device {
        language: String::new(),
        platform: Platform::Other,
        time_zone: None,
        app_version: None,
        test: false,
        token_epoch: 0,
        registered_at: now,
        presence: Default::default(),
    }
}
