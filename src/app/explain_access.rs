//! Who may ask whether somebody would get a campaign, and whether what the question names is there.
//!
//! Law 10: of real people only whose they are may ask; a brand asks of people it makes up, or it could read anyone's
//! traits by asking often enough. Somebody else's campaign can be asked about only where it may make offers. What is not
//! there is told as what is not the reader's. Law 8: a name that is none looks like an answer, so it is refused.

use std::sync::Arc;

use super::{
    decisions::Reader,
    explanations::{ExplainError, Wanted, Whom},
    people::PeopleError,
};
use crate::{
    domain::{
        campaign::CampaignState,
        name::{AppName, CampaignName, StoreName},
        organization::App,
        place::PlaceName,
        profile::Profile,
        violation::Violations,
        visits::VisitedPlace,
    },
    engine::catalog::Catalog,
};

/// The app whose rules hold, if the reader may ask that.
pub fn allowed(catalog: &Catalog, wanted: &Wanted, reader: &Reader) -> Result<Arc<App>, ExplainError> {
    let Wanted { campaign, whom, .. } = wanted;
    let (app, brand) = (whom.app(), campaign.organization());
    let (is_publisher, is_brand) = (is_publisher(&app, reader), is_owner(campaign, reader));
    let is_person = matches!(whom, Whom::Person(..));
    let reaches = catalog.areas.grants().reach(&app).has(brand.as_str());
    let found = catalog.apps.get(&app).map(|entry| entry.value.clone());
    let is_active = is_active(catalog, campaign);
    let denied = match reader {
        Reader::Operator if found.is_none() => return Err(PeopleError::NotFound(app.to_string()).into()),
        Reader::Operator => None,
        _ if is_publisher && (is_brand || (reaches && is_active)) && found.is_some() => None,
        Reader::Server(own) if is_publisher && found.is_some() && own.organization() == brand && !is_active => {
            Some(format!("{campaign} is not active: an owner key explains it all the same"))
        }
        _ if is_publisher => {
            Some(format!("there is no {app}, or {campaign} is not active or may not reach its people"))
        }
        _ if !is_brand => Some(format!("this credential opens neither {campaign} nor people of {app}")),
        _ if is_person => Some("a brand asks about people that it makes up: give a persona".to_owned()),
        _ if reaches && found.is_some() => None,
        _ => Some(format!("there is no {app}, or its publisher does not let {brand} reach its people")),
    };
    match (denied, found) {
        (None, Some(app)) => Ok(app),
        (denied, _) => Err(ExplainError::Denied(denied.unwrap_or_else(|| format!("there is no {app}")))),
    }
}

fn is_publisher(app: &AppName, reader: &Reader) -> bool {
    match reader {
        Reader::Operator => true,
        Reader::Server(own) => own == app,
        Reader::Owner(owner) => app.organization() == *owner,
        Reader::Brand(_) | Reader::Person(_) => false,
    }
}

/// Whether the campaign is the reader's own.
fn is_owner(campaign: &CampaignName, reader: &Reader) -> bool {
    matches!(reader, Reader::Owner(own) | Reader::Brand(own) if *own == campaign.organization())
}

fn is_active(catalog: &Catalog, campaign: &CampaignName) -> bool {
    catalog.campaigns.get(campaign).is_some_and(|entry| entry.value.state == CampaignState::Active)
}

/// Gives a persona's offers the classes of their campaigns, where the reader may ask about those: of others nothing is
/// told, and their class is the usual one.
pub fn classify(catalog: &Catalog, persona: &mut Profile, reader: &Reader) {
    let app = persona.name.app();
    let reach = catalog.areas.grants().reach(&app);
    let may_ask = |campaign: &CampaignName| {
        let is_live = || is_active(catalog, campaign) && reach.has(campaign.owner());
        *reader == Reader::Operator || is_owner(campaign, reader) || (is_publisher(&app, reader) && is_live())
    };
    for offer in Arc::<Vec<_>>::make_mut(&mut persona.offers) {
        let known = catalog.campaigns.get(&offer.campaign).filter(|_| may_ask(&offer.campaign));
        offer.priority = known.map(|entry| entry.value.priority).unwrap_or_default();
    }
}

/// Refuses names of what is not there, of the place and of a persona's past, and traits that the app does not declare.
pub fn sound(catalog: &Catalog, app: &App, wanted: &Wanted, reader: &Reader) -> Result<(), ExplainError> {
    let mut wrong = Violations::default();
    if !is_known(catalog, &wanted.place, wanted, reader) {
        wrong.add("place", unknown(&wanted.place, wanted));
    }
    if let Whom::Persona(persona, _) = &wanted.whom {
        declared(app, persona, &mut wrong);
        for VisitedPlace { place, .. } in persona.visits_of_record().iter() {
            if !is_known(catalog, place, wanted, reader) {
                wrong.add("persona.visits", unknown(place, wanted));
            } else if let Some(store) = store_of(catalog, place) {
                let said = format!("{place} belongs to {store}: whoever is there visits the store, so name that");
                wrong.add("persona.visits", said);
            }
        }
        let brand = wanted.campaign.organization();
        // Which campaigns there are that nobody sees yet is the brand's own to know.
        let may_know = *reader == Reader::Operator || is_owner(&wanted.campaign, reader);
        for offer in persona.offers.iter().filter(|offer| offer.campaign.organization() == brand) {
            if may_know && catalog.campaigns.get(&offer.campaign).is_none() {
                wrong.add("persona.offers", format!("there is no {}", offer.campaign));
            }
        }
    }
    wrong.finish(Some(())).map_err(ExplainError::Invalid)
}

fn unknown(place: &PlaceName, wanted: &Wanted) -> String {
    format!("there is no {place}, or its network does not let {} target its places", wanted.campaign.organization())
}

/// Whether the place is there, for those who may know.
fn is_known(catalog: &Catalog, place: &PlaceName, wanted: &Wanted, reader: &Reader) -> bool {
    let network = place.organization();
    let may_know = match reader {
        Reader::Operator => true,
        Reader::Owner(own) | Reader::Brand(own) if *own == network => true,
        Reader::Server(app) if app.organization() == network => true,
        _ => catalog.areas.grants().may_target(&wanted.campaign.organization(), &network),
    };
    may_know && is_there(catalog, place)
}

fn is_there(catalog: &Catalog, place: &PlaceName) -> bool {
    match place {
        PlaceName::Store(name) => catalog.stores.get(name).is_some(),
        PlaceName::Geofence(name) => catalog.geofences.get(name).is_some(),
        PlaceName::Beacon(name) => catalog.beacons.get(name).is_some(),
    }
}

/// The store that real visits to a geofence or beacon are remembered by, if it belongs to one.
fn store_of<'a>(catalog: &'a Catalog, place: &PlaceName) -> Option<&'a StoreName> {
    match place {
        PlaceName::Store(_) => None,
        PlaceName::Geofence(name) => catalog.geofences.get(name)?.value.store.as_ref(),
        PlaceName::Beacon(name) => catalog.beacons.get(name)?.value.store.as_ref(),
    }
}

/// Whether the catalog has all that the question names first: if not, a newer one may.
pub fn knows(catalog: &Catalog, wanted: &Wanted) -> bool {
    let has_app = catalog.apps.get(&wanted.whom.app()).is_some();
    has_app && catalog.campaigns.get(&wanted.campaign).is_some() && is_there(catalog, &wanted.place)
}

/// Whether people of the app may have the persona's traits: others are missing of everybody, which would look like an
/// answer.
fn declared(app: &App, persona: &Profile, wrong: &mut Violations) {
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        app::{
            campaigns::tests::campaign,
            explanations::no_device,
            fakes::{at, geofence, geofence_name, owner, store, store_name},
        },
        domain::{
            campaign::{Campaign, On, Priority},
            catalog::{CatalogChange, Resource},
            consent::Consents,
            offer::{GivenOffer, OfferId},
            profile::Personal,
            time::TimeZone,
        },
    };

    fn shopper() -> App {
        App {
            name: owner("brand").app("shopper").expect("sound"),
            display_name: "Shopper".into(),
            time_zone: TimeZone::utc(),
            daily_offers: 3,
            quiet_hours: None,
            quiet_exempt: Default::default(),
            shares: Default::default(),
            cool_down: Default::default(),
            traits: Default::default(),
        }
    }

    #[test]
    fn a_persona_visits_the_store_and_not_what_belongs_to_it() {
        let resources: [Resource; 5] = [
            shopper().into(),
            campaign(On::Entered, &[]).into(),
            store("1", "One").into(),
            geofence("in", Some("1"), 50.0).into(),
            geofence("alone", None, 50.0).into(),
        ];
        let change = |resource: Resource| CatalogChange { version: 1, name: resource.name(), resource: Some(resource) };
        let catalog = Catalog::default().after(&resources.map(change));
        let (shop, app) = (PlaceName::Store(store_name("1")), shopper());
        let refused = |place: PlaceName| {
            let name = app.name.profile("persona").expect("sound");
            let mut persona = Profile::new(name, at(0), Consents::default(), Personal::default());
            persona.visits_of_record_mut().note(&place, at(1), at(1));
            let whom = Whom::Persona(Box::new(persona), Box::new(no_device(at(0))));
            let campaign = campaign(On::Entered, &[]).name;
            let wanted = Wanted { campaign, whom, place: shop.clone(), at: None, distance_m: 0.0 };
            match sound(&catalog, &app, &wanted, &Reader::Operator) {
                Err(ExplainError::Invalid(wrong)) => {
                    wrong.iter().map(|one| format!("{}: {}", one.field, one.description)).collect::<Vec<_>>()
                }
                other => vec![format!("{:?}", other.is_ok())],
            }
        };
        assert_eq!([refused(shop.clone()), refused(PlaceName::Geofence(geofence_name("alone")))], [["true"], ["true"]]);
        let said = refused(PlaceName::Geofence(geofence_name("in"))).remove(0);
        assert!(said.contains("persona.visits") && said.contains("belongs to organizations/acme/stores/1"), "{said}");
    }

    #[test]
    fn a_personas_offers_have_the_classes_that_the_reader_may_know() {
        let of = |id: &str, state, priority| {
            let (brand, id) = id.split_once('/').expect("two");
            let name = owner(brand).campaign(id).expect("sound");
            Campaign { name, state, priority, ..campaign(On::Entered, &[]) }
        };
        let campaigns = [
            of("brand/live", CampaignState::Active, Priority::Low),
            of("brand/draft", CampaignState::Draft, Priority::High),
            of("rival/live", CampaignState::Active, Priority::Low),
        ];
        let resources = campaigns.clone().map(Resource::from).into_iter().chain([shopper().into()]);
        let change = |resource: Resource| CatalogChange { version: 1, name: resource.name(), resource: Some(resource) };
        let catalog = Catalog::default().after(&resources.map(change).collect::<Vec<_>>());
        let (app, brand) = (shopper().name, owner("brand"));
        let classes = |reader| {
            let name = app.profile("persona").expect("sound");
            let mut persona = Profile::new(name, at(0), Consents::default(), Personal::default());
            let device = app.device("persona").expect("sound");
            let given = |c: &Campaign| GivenOffer::new(OfferId::new(at(1), 0), c.name.clone(), device.clone(), at(1));
            persona.offers = campaigns.iter().map(given).collect::<Vec<_>>().into();
            classify(&catalog, &mut persona, &reader);
            persona.offers.iter().map(|offer| offer.priority).collect::<Vec<_>>()
        };
        use Priority::{High, Low, Normal};
        assert_eq!(classes(Reader::Operator), [Low, High, Low]);
        assert_eq!(classes(Reader::Owner(brand.clone())), [Low, High, Normal]);
        assert_eq!(classes(Reader::Brand(brand)), [Low, High, Normal]);
        assert_eq!(classes(Reader::Server(app.clone())), [Low, Normal, Normal]);
        assert_eq!(classes(Reader::Brand(owner("rival"))), [Normal, Normal, Low]);
    }
}
