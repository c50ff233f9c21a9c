//! Would this person get this campaign? Asked before it happens, of real people and of made-up ones.
//!
//! Law 10: of real people only whose they are may ask; a brand asks of people it makes up, or it could read anyone's
//! traits by asking often enough. Somebody else's campaign can be asked about only where it may make offers. Nothing is
//! recorded.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use super::{
    decisions::Reader,
    live_catalog::LiveCatalog,
    people::{People, PeopleError},
};
use crate::{
    domain::{
        budget::{AccountId, Unit},
        campaign::{Campaign, CampaignState},
        catalog::{CatalogChange, Resource},
        name::{AppName, CampaignName, DeviceName, ProfileName},
        organization::App,
        place::PlaceName,
        profile::{Device, Platform, Profile},
        time::Timestamp,
        violation::Violations,
    },
    engine::{
        catalog::Catalog,
        eligibility::Standing,
        explain::{Case, Explanation, explain},
    },
    ports::{Clock, Ledger, StoreError},
};

/// How far ahead may be asked.
const AHEAD: Duration = Duration::from_secs(366 * 86_400);
/// How long ago counts as now: of real people what was is in their receipts.
const JUST_NOW: Duration = Duration::from_secs(60);
/// Accounts of a campaign that are read at once.
const ACCOUNTS_AT_ONCE: u32 = 10_000;

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
    fn app(&self) -> AppName {
        match self {
            Whom::Person(name, _) => name.app(),
            Whom::Persona(profile, _) => profile.name.app(),
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    #[error("{0}")]
    Denied(&'static str),
    #[error("{0}")]
    Invalid(Violations),
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
}

impl Explanations {
    pub fn new(people: Arc<People>, live: Arc<LiveCatalog>, ledger: Arc<dyn Ledger>, clock: Arc<dyn Clock>) -> Self {
        Self { people, live, ledger, clock }
    }

    /// What every gate says, and what would have to be otherwise; and of which moment.
    pub async fn explain(&self, wanted: &Wanted, reader: &Reader) -> Result<(Explanation, Timestamp), ExplainError> {
        let snapshot = self.live.snapshot();
        let app = allowed(&snapshot, wanted, reader)?;
        let now = self.moment(wanted)?;
        if let Whom::Persona(persona, _) = &wanted.whom {
            declared(&app, persona)?;
        }
        let missing = || PeopleError::NotFound(wanted.campaign.to_string());
        let campaign = snapshot.campaigns.get(&wanted.campaign).ok_or_else(missing)?.value.clone();
        let (profile, device) = self.whom(&wanted.whom, now).await?;
        let exhausted = self.exhausted(&wanted.campaign).await?;
        let (catalog, active) = supposed_active(&snapshot, &campaign);
        let (profile, device) = (&profile, &device);
        let catalog = catalog.as_ref().unwrap_or(&snapshot);
        let standing = Standing { catalog, app: &app, profile, device, now, is_suspect: false, exhausted: &exhausted };
        let Wanted { place, distance_m, .. } = wanted;
        let case = Case { standing, campaign: &active, state: campaign.state, place, distance_m: *distance_m };
        Ok((explain(&case), now))
    }

    fn moment(&self, wanted: &Wanted) -> Result<Timestamp, ExplainError> {
        let now = self.clock.now();
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

    /// Accounts of offers of which nothing is left now.
    async fn exhausted(&self, campaign: &CampaignName) -> Result<BTreeSet<AccountId>, StoreError> {
        let (mut empty, mut last) = (BTreeSet::new(), None);
        loop {
            let accounts = self.ledger.accounts(campaign, last.as_ref(), ACCOUNTS_AT_ONCE).await?;
            last = accounts.last().map(|account| account.account.id.clone());
            let is_last = accounts.len() < ACCOUNTS_AT_ONCE as usize;
            let of_offers = accounts.into_iter().filter(|account| account.unit == Some(Unit::Offers));
            let spent = of_offers.filter(|account| account.limit.is_some_and(|limit| account.taken >= limit));
            empty.extend(spent.map(|account| account.account.id));
            if is_last {
                return Ok(empty);
            }
        }
    }
}

/// The app whose rules hold, if the reader may ask that. What is not there is refused as what is not the reader's.
fn allowed(catalog: &Catalog, wanted: &Wanted, reader: &Reader) -> Result<Arc<App>, ExplainError> {
    let (app, brand) = (wanted.whom.app(), wanted.campaign.organization());
    let is_publisher = match reader {
        Reader::Operator => true,
        Reader::Server(own) => *own == app,
        Reader::Owner(owner) => app.organization() == *owner,
        Reader::Brand(_) | Reader::Person(_) => false,
    };
    let is_brand = matches!(reader, Reader::Owner(own) | Reader::Brand(own) if *own == brand);
    let is_person = matches!(wanted.whom, Whom::Person(..));
    let reaches = catalog.areas.grants().reach(&app).has(brand.as_str());
    let is_active =
        catalog.campaigns.get(&wanted.campaign).is_some_and(|entry| entry.value.state == CampaignState::Active);
    let may_ask = match reader {
        Reader::Operator => true,
        _ if is_publisher => is_brand || (reaches && is_active),
        _ => is_brand && reaches && !is_person,
    };
    let found = catalog.apps.get(&app).map(|entry| entry.value.clone()).filter(|_| may_ask);
    found.ok_or(ExplainError::Denied(match is_brand && is_person {
        true => "a brand asks about people that it makes up: give a persona",
        false => "this credential does not ask that of that campaign and app",
    }))
}

/// Whether people of the app may have the persona's traits: others are missing of everybody, which would look like an
/// answer.
fn declared(app: &App, persona: &Profile) -> Result<(), ExplainError> {
    let mut wrong = Violations::default();
    for (key, value) in &persona.personal_of_record().traits {
        let field = || format!("persona.traits[{:?}]", key.as_str());
        match app.traits.get(key) {
            None => wrong.add(field(), format!("must be a trait that {} declares", app.name)),
            Some(declared) if !app.declares(key, value) => {
                wrong.add(field(), format!("must be a {}, as {} declares it", declared.kind.as_str(), app.name));
            }
            Some(_) => {}
        }
    }
    wrong.finish(Some(())).map_err(ExplainError::Invalid)
}

/// The catalog as if the campaign were active, if it is not; and the campaign then.
fn supposed_active(catalog: &Catalog, campaign: &Arc<Campaign>) -> (Option<Catalog>, Arc<Campaign>) {
    if campaign.state == CampaignState::Active {
        return (None, campaign.clone());
    }
    let active = Arc::new(Campaign { state: CampaignState::Active, ..Campaign::clone(campaign) });
    let resource = Resource::Campaign(active.clone());
    let change = CatalogChange { version: catalog.version, name: resource.name(), resource: Some(resource) };
    (Some(catalog.after(&[change])), active)
}

/// Of a person without devices: nothing is known of what they will use.
fn no_device(now: Timestamp) -> Device {
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
