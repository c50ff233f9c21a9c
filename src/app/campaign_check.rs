//! Why a campaign could not fire, or its coupon not be redeemed: its targets, its grants, its time.
//!
//! Law: every reason is told at once, with the name of what it is about; they are the engine's own reasons, so that
//! what is activated is what fires. No edit waits for a reason, nor is refused for want of one that others' reads keep away.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use tokio::time::timeout;

use super::{
    aside::Refused,
    crowds::Crowds,
    resources::{Obstacle, Resources},
    turns::Turns,
};
use crate::{
    domain::{
        campaign::{Campaign, CampaignState},
        coupon::RedeemedAt,
        name::{OrganizationName, StoreName},
        time::Timestamp,
    },
    engine::{
        catalog::{Catalog, Entry},
        faults,
        foremost::LeftOut,
    },
};

/// How long an edit that is made waits to be told who is left out: whoever edits wants to know that it is done, long before
/// the call takes longer than calls may.
const AFTER_AN_EDIT: Duration = Duration::from_secs(1);

/// Tells what keeps active campaigns from doing all that they were meant to.
pub struct CampaignCheck {
    resources: Arc<Resources>,
    crowds: Crowds,
}

impl CampaignCheck {
    pub fn new(resources: Arc<Resources>, turns: Arc<Turns>) -> Self {
        Self { crowds: Crowds::new(resources.clone(), turns), resources }
    }

    /// Of these campaigns of one organization, as of now.
    ///
    /// # Errors
    /// Only where somebody must ask who is left out of crowds: if too many ask.
    pub async fn problems(&self, campaigns: &[Entry<Campaign>]) -> Result<Problems, Refused> {
        let catalog = self.resources.snapshot();
        match asks(&catalog, campaigns) {
            Some(brand) => {
                let (catalog, left_out) = self.crowds.of(&brand).await?;
                Ok(Problems { catalog, left_out: Some(left_out) })
            }
            None => Ok(Problems { catalog, left_out: None }),
        }
    }

    /// Of a campaign after an edit, which is made whatever can be told of it: where it takes too long to tell who is left
    /// out of crowds, that is not told.
    pub async fn problems_after_edit(&self, campaign: &Entry<Campaign>) -> Problems {
        let asked = timeout(AFTER_AN_EDIT, self.problems(std::slice::from_ref(campaign))).await;
        let untold = || Problems { catalog: self.resources.snapshot(), left_out: None };
        asked.ok().and_then(Result::ok).unwrap_or_else(untold)
    }
}

/// Whose crowds must be asked to tell the problems of these: only what is active is told any.
fn asks(catalog: &Catalog, campaigns: &[Entry<Campaign>]) -> Option<OrganizationName> {
    let active = campaigns.iter().find(|campaign| campaign.value.state == CampaignState::Active)?;
    Some(active.value.name.organization()).filter(|brand| catalog.areas.has_crowds(brand))
}

/// What is wrong with the campaigns of one organization, as of one moment: who reads a thousand of them asks once what
/// depends on them all.
pub struct Problems {
    catalog: Arc<Catalog>,
    /// None if nobody was asked for, or it is not told.
    left_out: Option<Arc<LeftOut>>,
}

impl Problems {
    /// What has come since an active campaign was checked that keeps it from firing, or its coupon from being redeemed,
    /// where it was meant to; none of one that is not active. That others come before it keeps none from being activated.
    pub fn tell(&self, campaign: &Campaign) -> Vec<Obstacle> {
        if campaign.state != CampaignState::Active {
            return Vec::new();
        }
        let crowd = self.left_out.as_deref().and_then(|left_out| faults::of_crowd(left_out, &campaign.name));
        let faults = self.catalog.areas.problems_of(&campaign.name).iter().chain(crowd.as_ref());
        let faults = faults.map(|fault| Obstacle::new(fault.code, &fault.subject, &*fault.why));
        faults.chain(of_coupon(campaign, &self.catalog)).collect()
    }
}

/// Everything that keeps `campaign` from firing under this catalog; none if it may become active.
pub fn obstacles(campaign: &Campaign, catalog: &Catalog, now: Timestamp) -> Vec<Obstacle> {
    let is_over = campaign.last_offers_at().is_some_and(|last| last <= now);
    let ended = campaign.limits.ends_at.filter(|_| is_over).map(|ends_at| {
        let why = match ends_at <= now {
            true => format!("limits.end_time is past: {ends_at}"),
            false => format!("limits.end_time ({ends_at}) comes before any coupon is good: see coupon.redeem_after"),
        };
        Obstacle::new("ENDED", &campaign.name, why)
    });
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
pub mod tests {
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
            name::CampaignName,
            place::Store,
        },
        engine::foremost::MOST_CONSIDERED,
    };

    fn check(resources: &Arc<Resources>) -> CampaignCheck {
        CampaignCheck::new(resources.clone(), turns())
    }

    fn entry(check: &CampaignCheck, name: &CampaignName) -> Entry<Campaign> {
        check.resources.snapshot().campaigns.get(name).expect("there").clone()
    }

    fn codes_of(problems: &Problems, campaign: &Campaign) -> Vec<&'static str> {
        problems.tell(campaign).iter().map(|problem| problem.code).collect()
    }

    async fn told(check: &CampaignCheck, name: &CampaignName) -> Vec<&'static str> {
        let entry = entry(check, name);
        let problems = check.problems(std::slice::from_ref(&entry)).await.expect("told");
        codes_of(&problems, &entry.value)
    }

    async fn told_after_edit(check: &CampaignCheck, name: &CampaignName) -> Vec<&'static str> {
        let entry = entry(check, name);
        codes_of(&check.problems_after_edit(&entry).await, &entry.value)
    }

    pub fn crowd_name(i: usize) -> CampaignName {
        owner("brand").campaign(&format!("c{i:03}")).expect("sound")
    }

    /// A brand that has one campaign more at one place than counts.
    pub async fn crowd() -> Arc<Resources> {
        let resources = resources().await;
        let (places, campaigns) = (Places::new(resources.clone()), Campaigns::new(resources.clone()));
        granted(&resources).await;
        places.create(geofence("g", None, 80.0), AUTHOR).await.expect("made");
        for i in 0..=MOST_CONSIDERED {
            let name = crowd_name(i);
            let draft = Campaign { name: name.clone(), ..campaign(On::Entered, &["geofences/g"]) };
            campaigns.create(draft, AUTHOR).await.expect("made");
            campaigns.become_state(&name, CampaignState::Active, None, AUTHOR).await.expect("sound");
        }
        resources
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
        let turns = Turns::new(1);
        let check = CampaignCheck::new(crowd().await, turns.clone());
        let turn = turns.take(&owner("acme")).await;
        assert!(told(&check, &crowd_name(0)).now_or_never().is_none(), "it waits for its turn");
        drop(turn);
        assert_eq!(told(&check, &crowd_name(MOST_CONSIDERED)).await, ["TOO_MANY_CAMPAIGNS"]);
        assert!(told(&check, &crowd_name(0)).await.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn an_edit_is_answered_whoever_asks_about_crowds() {
        let (resources, turns) = (crowd().await, Turns::new(1));
        let campaigns = Campaigns::new(resources.clone());
        let check = CampaignCheck::new(resources, turns.clone());
        let (last, others) = (crowd_name(MOST_CONSIDERED), owner("acme"));
        assert_eq!(told_after_edit(&check, &last).await, ["TOO_MANY_CAMPAIGNS"], "while nobody asks");
        let paused = owner("brand").campaign("paused").expect("sound");
        let draft = Campaign { name: paused.clone(), ..campaign(On::Exited, &["geofences/g"]) };
        campaigns.create(draft, AUTHOR).await.expect("made");
        let turn = turns.take(&others).await;
        assert!(told_after_edit(&check, &last).await.is_empty(), "it does not wait for long");
        let full: Vec<_> = std::iter::from_fn(|| check.crowds.aside.enter(owner("brand")).ok()).collect();
        let refused = check.problems(&[entry(&check, &last)]).await.err();
        assert!(matches!(refused, Some(Refused::Crowded(_))), "a read of what is active needs a place");
        assert_eq!(told_after_edit(&check, &last).now_or_never(), Some(vec![]), "an edit needs none");
        assert_eq!(told(&check, &paused).now_or_never(), Some(vec![]), "nor does what is not active");
        drop((full, turn));
        assert_eq!(told(&check, &last).await, ["TOO_MANY_CAMPAIGNS"]);
    }
}
