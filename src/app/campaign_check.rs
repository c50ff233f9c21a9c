//! Why a campaign could not fire, or its coupon not be redeemed: its targets, its grants, its time.
//!
//! Law: every reason is told at once, with the name of what it is about; they are the engine's own reasons, so that
//! what is activated is what fires.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    aside::{Aside, Place, Refused},
    resources::{Obstacle, Resources},
    turns::Turns,
};
use crate::{
    domain::{
        campaign::{Campaign, CampaignState},
        coupon::RedeemedAt,
        name::{CampaignName, OrganizationName, StoreName},
        time::Timestamp,
    },
    engine::{
        catalog::{Catalog, Entry},
        faults,
        foremost::LeftOut,
    },
};

/// Calls that ask what keeps campaigns from firing, or wait for it.
const AT_ONCE: usize = 256;

/// Tells what keeps active campaigns from doing all that they were meant to.
pub struct CampaignCheck {
    resources: Arc<Resources>,
    aside: Aside,
}

impl CampaignCheck {
    pub fn new(resources: Arc<Resources>, turns: Arc<Turns>) -> Self {
        Self { resources, aside: Aside::new("questions about campaigns", AT_ONCE, turns) }
    }

    /// A place to ask for campaigns of the brand. An edit takes it first: what is refused for want of one has not happened.
    ///
    /// # Errors
    /// As [`Aside::enter`].
    pub fn enter(&self, brand: &OrganizationName) -> Result<Place<'_>, Refused> {
        self.aside.enter(brand.clone())
    }

    /// As of now. Who is left out of crowds is asked beside the pings: it may take as long as there are places.
    pub async fn problems(&self, place: &Place<'_>) -> Result<Problems, Refused> {
        let (catalog, now) = (self.resources.snapshot(), self.resources.now());
        let brand = place.organization().clone();
        let left_out = match catalog.areas.has_crowds(&brand) {
            true => {
                let catalog = catalog.clone();
                place.run(move || LeftOut::of(&catalog.areas, brand.as_str(), now)).await?
            }
            false => LeftOut::default(),
        };
        Ok(Problems { catalog, left_out })
    }
}

/// What is wrong with the campaigns of one organization, as of one moment: who reads a thousand of them asks once what
/// depends on them all.
#[derive(Default)]
pub struct Problems {
    catalog: Arc<Catalog>,
    left_out: LeftOut,
}

impl Problems {
    /// What has come since an active campaign was checked that keeps it from firing, or its coupon from being redeemed,
    /// where it was meant to; none of one that is not active. That others come before it keeps none from being activated.
    pub fn tell(&self, name: &CampaignName) -> Vec<Obstacle> {
        let Some(Entry { value: campaign, .. }) = self.catalog.campaigns.get(name) else { return Vec::new() };
        if campaign.state != CampaignState::Active {
            return Vec::new();
        }
        let crowd = faults::of_crowd(&self.left_out, name);
        let faults = self.catalog.areas.problems_of(name).iter().chain(crowd.as_ref());
        let faults = faults.map(|fault| Obstacle::new(fault.code, &fault.subject, &*fault.why));
        faults.chain(of_coupon(campaign, &self.catalog)).collect()
    }
}

/// Everything that keeps `campaign` from firing under this catalog; none if it may become active.
pub fn obstacles(campaign: &Campaign, catalog: &Catalog, now: Timestamp) -> Vec<Obstacle> {
    let ended = campaign
        .limits
        .ends_at
        .filter(|&ends_at| ends_at <= now)
        .map(|ends_at| Obstacle::new("ENDED", &campaign.name, format!("limits.end_time is past: {ends_at}")));
    let faults = faults::of(catalog.areas.targets(), catalog, campaign)
        .into_iter()
        .map(|fault| Obstacle::new(fault.code, fault.subject, fault.why));
    ended.into_iter().chain(faults).chain(of_coupon(campaign, catalog)).collect()
}

/// Why the coupon could never be redeemed where it was meant to be.
fn of_coupon(campaign: &Campaign, catalog: &Catalog) -> Vec<Obstacle> {
    let brand = campaign.name.organization();
    let granted = |network: &OrganizationName| catalog.areas.grants().may_target(&brand, network);
    let foreign = |network: &OrganizationName| {
        let why = format!("{network} has not granted its places to {brand}, so coupons are not redeemed at its stores");
        Obstacle::new("NOT_GRANTED", network, why)
    };
    let targets = catalog.areas.targets();
    let nowhere = |whose: &OrganizationName, why: String| {
        vec![Obstacle::new("STORE_MISSING", whose, format!("{why}, so the coupon is not redeemed anywhere"))]
    };
    match campaign.coupon.as_ref().map(|coupon| &coupon.at) {
        None => Vec::new(),
        Some(RedeemedAt::Anywhere) if targets.has_store_for(catalog, &brand) => Vec::new(),
        Some(RedeemedAt::Anywhere) => {
            nowhere(&brand, format!("neither {brand} nor a network that granted it its places has a store"))
        }
        Some(RedeemedAt::Tagged { network, .. }) if !granted(network) => vec![foreign(network)],
        Some(RedeemedAt::Tagged { network, tags }) if targets.has_store_tagged(catalog, network, tags) => Vec::new(),
        Some(RedeemedAt::Tagged { network, tags }) => {
            let tags: Vec<String> = tags.iter().map(ToString::to_string).collect();
            nowhere(network, format!("no store of {network} is tagged {}", tags.join(" and ")))
        }
        Some(RedeemedAt::Stores(stores)) => {
            let networks: BTreeSet<OrganizationName> = stores.iter().map(StoreName::organization).collect();
            let foreign = networks.iter().filter(|network| !granted(network)).map(foreign);
            let missing =
                stores.iter().filter(|store| granted(&store.organization()) && !catalog.stores.contains_key(store));
            let missing = missing.map(|store| {
                let why = format!("{store} does not exist, so the coupon is not redeemed there");
                Obstacle::new("STORE_MISSING", store, why)
            });
            foreign.chain(missing).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;
    use crate::{
        app::{
            aside::turns,
            campaigns::{
                Campaigns,
                tests::{campaign, codes, granted},
            },
            fakes::{AUTHOR, geofence, owner, resources, store},
            organizations::Organizations,
            places::Places,
            resources::EditError,
        },
        domain::{
            campaign::{CampaignState, Limits, On, Target, Trigger},
            coupon::{Codes, Coupon, RedeemedAt},
            place::Store,
        },
        engine::foremost::MOST_CONSIDERED,
    };

    fn check(resources: &Arc<Resources>) -> CampaignCheck {
        CampaignCheck::new(resources.clone(), turns())
    }

    async fn told(check: &CampaignCheck, name: &CampaignName) -> Vec<&'static str> {
        let place = check.enter(&name.organization()).expect("free");
        let problems = check.problems(&place).await.expect("told").tell(name);
        problems.iter().map(|problem| problem.code).collect()
    }

    #[tokio::test]
    async fn an_active_campaign_says_what_has_come_between() {
        let resources = resources().await;
        let (places, campaigns) = (Places::new(resources.clone()), Campaigns::new(resources.clone()));
        granted(&resources).await;
        places.create(store("1", "Cafe"), AUTHOR).await.expect("made");
        let trigger =
            Trigger { on: On::Near { radius_m: 60 }, at: Target::Network(owner("acme")), visit: Default::default() };
        let draft = Campaign { trigger, ..campaign(On::Entered, &[]) };
        let name = campaigns.create(draft, AUTHOR).await.expect("made").value.name.clone();
        let check = check(&resources);
        let told = async || told(&check, &name).await;
        campaigns.become_state(&name, CampaignState::Active, None, AUTHOR).await.expect("sound");
        assert!(told().await.is_empty());
        let cafe = store("1", "Cafe").name;
        places.delete::<Store>(&cafe, None, true, AUTHOR).await.expect("gone");
        assert_eq!(told().await, ["TARGET_MISSING"], "the network has no store left");
        let edited = |ends_at| {
            move |campaign: &Campaign| {
                let limits = Limits { ends_at: Some(crate::app::fakes::at(ends_at)), ..campaign.limits.clone() };
                Ok(Campaign { limits, ..campaign.clone() })
            }
        };
        campaigns.update(&name, None, AUTHOR, edited(99_999)).await.expect("that was no fault of hers");
        assert_eq!(codes(campaigns.update(&name, None, AUTHOR, edited(999)).await), ["ENDED"], "this one is");
        let organizations = Organizations::new(resources.clone(), Arc::new(crate::app::fakes::Counting::default()));
        let grant = owner("acme").grant("to-brand").expect("sound");
        organizations.delete_grant(&grant, None, AUTHOR).await.expect("gone");
        assert_eq!(told().await, ["NOT_GRANTED"], "what the network has is its own affair again");
        campaigns.become_state(&name, CampaignState::Paused, None, AUTHOR).await.expect("allowed");
        assert!(told().await.is_empty(), "ActivateCampaign tells");
    }

    #[tokio::test]
    async fn a_coupon_needs_a_store_to_be_redeemed_at() {
        let resources = resources().await;
        let (places, campaigns) = (Places::new(resources.clone()), Campaigns::new(resources.clone()));
        granted(&resources).await;
        places.create(geofence("g", None, 80.0), AUTHOR).await.expect("made");
        let create = async |id: &str, at: RedeemedAt| {
            let coupon = Coupon {
                codes: Codes::Generated,
                instruction: "One free".into(),
                value: None,
                redeem_after: Default::default(),
                holder_only: false,
                at,
            };
            let name = owner("brand").campaign(id).expect("sound");
            let draft = Campaign { name, coupon: Some(coupon), ..campaign(On::Entered, &["geofences/g"]) };
            campaigns.create(draft, AUTHOR).await.expect("made").value.name.clone()
        };
        let tagged = |tag| {
            let tags = [crate::domain::text::Tag::new(tag).expect("sound")].into();
            RedeemedAt::Tagged { network: owner("acme"), tags }
        };
        let anywhere = create("anywhere", RedeemedAt::Anywhere).await;
        let (sound, mistyped) = (create("sound", tagged("cafe")).await, create("mistyped", tagged("caffe")).await);
        let activate = async |name| campaigns.become_state(name, CampaignState::Active, None, AUTHOR).await;
        for name in [&anywhere, &sound, &mistyped] {
            assert_eq!(codes(activate(name).await), ["STORE_MISSING"], "{name}: there is no store at all");
        }
        places.create(store("1", "Cafe"), AUTHOR).await.expect("made");
        activate(&anywhere).await.expect("there is one");
        activate(&sound).await.expect("and it is tagged so");
        let Err(EditError::Refused(found)) = activate(&mistyped).await else { panic!("no store is tagged so") };
        let why = "no store of organizations/acme is tagged caffe, so the coupon is not redeemed anywhere";
        assert_eq!((found.len(), &*found[0].subject, &*found[0].description), (1, "organizations/acme", why));
        places.delete::<Store>(&store("1", "Cafe").name, None, true, AUTHOR).await.expect("gone");
        for name in [&anywhere, &sound] {
            let told = told(&check(&resources), name).await;
            assert_eq!(told, ["STORE_MISSING"], "{name}");
        }
    }

    #[tokio::test]
    async fn who_is_left_out_of_a_crowd_is_asked_beside_the_pings() {
        let resources = resources().await;
        let (places, campaigns) = (Places::new(resources.clone()), Campaigns::new(resources.clone()));
        granted(&resources).await;
        places.create(geofence("g", None, 80.0), AUTHOR).await.expect("made");
        let name = |i: usize| owner("brand").campaign(&format!("c{i:03}")).expect("sound");
        for i in 0..=MOST_CONSIDERED {
            campaigns
                .create(Campaign { name: name(i), ..campaign(On::Entered, &["geofences/g"]) }, AUTHOR)
                .await
                .expect("made");
            campaigns.become_state(&name(i), CampaignState::Active, None, AUTHOR).await.expect("sound");
        }
        let turns = Turns::new(1);
        let check = CampaignCheck::new(resources, turns.clone());
        let turn = turns.take(&owner("acme")).await;
        assert!(told(&check, &name(0)).now_or_never().is_none(), "it waits for its turn");
        drop(turn);
        assert_eq!(told(&check, &name(MOST_CONSIDERED)).await, ["TOO_MANY_CAMPAIGNS"]);
        assert!(told(&check, &name(0)).await.is_empty());
    }
}
