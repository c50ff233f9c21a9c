//! Campaigns: their drafts, and the steps of their life.
//!
//! Law: what becomes active could fire; every reason why it could not is told at once.

use std::sync::Arc;

use super::{
    campaign_check::obstacles,
    resources::{EditError, Obstacle, Resources, find},
};
use crate::{
    domain::{
        audience::MAX_TERMS_IN_ALL,
        campaign::{Campaign, CampaignState},
        name::CampaignName,
        organization::Organization,
        violation::Violations,
    },
    engine::{
        catalog::{Catalog, Entry},
        faults,
    },
};

/// Edits the campaigns of brands.
pub struct Campaigns {
    resources: Arc<Resources>,
}

impl Campaigns {
    pub fn new(resources: Arc<Resources>) -> Self {
        Self { resources }
    }

    /// For reading, which asks for nothing more.
    pub fn resources(&self) -> &Resources {
        &self.resources
    }

    /// Files it as a draft, whatever its state says. A draft may be anything but too large to be asked.
    pub async fn create(&self, campaign: Campaign, author: &str) -> Result<Entry<Campaign>, EditError> {
        let brand = campaign.name.organization();
        let draft = Campaign { state: CampaignState::Draft, ..campaign };
        let asked = draft.clone();
        let check = move |catalog: &Catalog| {
            find::<Organization>(catalog, &brand)?;
            check_audience(&asked, catalog)
        };
        self.resources.create(draft, author, check).await
    }

    /// As [`Resources::update`]; the state stays what it is. An active campaign must remain one that could be activated.
    pub async fn update(
        &self,
        name: &CampaignName,
        etag: Option<u64>,
        author: &str,
        change: impl Fn(&Campaign) -> Result<Campaign, Violations>,
    ) -> Result<Entry<Campaign>, EditError> {
        self.resources
            .update(name, etag, author, |campaign: &Campaign, catalog| {
                let state = campaign.state;
                if state == CampaignState::Archived {
                    return Err(wrong_state(campaign, "is archived, and stays as it is"));
                }
                let next = Campaign { state, ..change(campaign).map_err(EditError::Invalid)? };
                if next.audience != campaign.audience {
                    check_audience(&next, catalog)?;
                }
                let kept = campaign.coupon.as_ref().filter(|_| state != CampaignState::Draft);
                if let Some(why) = kept.and_then(|coupon| coupon.cannot_become(next.coupon.as_ref())) {
                    return Err(EditError::Refused(vec![Obstacle::new(
                        "COUPON_STAYS",
                        &campaign.name,
                        why.to_owned(),
                    )]));
                }
                if state == CampaignState::Active && next != *campaign {
                    self.check_edit(campaign, &next, catalog)?;
                }
                Ok(next)
            })
            .await
    }

    /// Takes the step to `state`. To become active it is checked; nothing happens if it is there already.
    pub async fn become_state(
        &self,
        name: &CampaignName,
        state: CampaignState,
        etag: Option<u64>,
        author: &str,
    ) -> Result<Entry<Campaign>, EditError> {
        self.resources
            .update(name, etag, author, |campaign: &Campaign, catalog| {
                if !campaign.state.may_become(state) {
                    let why = format!("is {} and cannot become {}", campaign.state.as_str(), state.as_str());
                    return Err(wrong_state(campaign, &why));
                }
                if state == CampaignState::Active && campaign.state != state {
                    self.check(campaign, catalog)?;
                }
                Ok(Campaign { state, ..campaign.clone() })
            })
            .await
    }

    /// Deletes a draft, and the codes in its pool, if no active campaign asks about offers of it.
    pub async fn delete(&self, name: &CampaignName, etag: Option<u64>, author: &str) -> Result<(), EditError> {
        self.resources
            .delete(name, etag, author, |campaign: &Campaign, catalog| match campaign.state {
                CampaignState::Draft => {
                    let found = naming(catalog, &campaign.name);
                    if found.is_empty() { Ok(Vec::new()) } else { Err(EditError::Refused(found)) }
                }
                CampaignState::Archived => Err(wrong_state(
                    campaign,
                    "is archived, and stays for what was offered of it; only drafts are deleted",
                )),
                state => {
                    Err(wrong_state(campaign, &format!("is {}; only drafts are deleted: archive it", state.as_str())))
                }
            })
            .await
    }

    /// Refuses what the edit breaks. What became of its places meanwhile keeps nobody from mending the rest.
    fn check_edit(&self, campaign: &Campaign, next: &Campaign, catalog: &Catalog) -> Result<(), EditError> {
        let now = self.resources.now();
        let mut found = obstacles(next, catalog, now);
        if !found.is_empty() {
            let before = obstacles(campaign, catalog, now);
            found.retain(|obstacle| !before.contains(obstacle));
        }
        if found.is_empty() { Ok(()) } else { Err(EditError::Refused(found)) }
    }

    fn check(&self, campaign: &Campaign, catalog: &Catalog) -> Result<(), EditError> {
        let found = obstacles(campaign, catalog, self.resources.now());
        if found.is_empty() { Ok(()) } else { Err(EditError::Refused(found)) }
    }
}

/// Whether the audience and its segments together are small enough, as far as those are there.
fn check_audience(campaign: &Campaign, catalog: &Catalog) -> Result<(), EditError> {
    let Some(terms) = faults::too_many_terms(catalog, campaign) else { return Ok(()) };
    let invalid =
        format!("must have at most {MAX_TERMS_IN_ALL} terms with those of the segments it names, had {terms}");
    Err(EditError::Invalid(Violations::one("campaign.audience", invalid)))
}

/// The active campaigns that ask about offers of it: of its own organization, for no other may.
fn naming(catalog: &Catalog, name: &CampaignName) -> Vec<Obstacle> {
    let own = catalog.campaigns.values().map(|entry| &entry.value);
    let own = own.filter(|campaign| campaign.name.owner() == name.owner());
    let active = own.filter(|campaign| campaign.state == CampaignState::Active);
    let asks = |campaign: &Campaign| {
        faults::audiences(catalog, campaign).any(|audience| audience.offering().any(|asked| asked == name))
    };
    let why = |campaign: &Campaign| format!("{} ({}) asks about its offers", campaign.name, campaign.state.as_str());
    let obstacle = |campaign: &Arc<Campaign>| Obstacle::new("NAMED_BY_CAMPAIGN", &campaign.name, why(campaign));
    active.filter(|campaign| asks(campaign)).map(obstacle).collect()
}

fn wrong_state(campaign: &Campaign, why: &str) -> EditError {
    EditError::Refused(vec![Obstacle::new("CAMPAIGN_STATE", &campaign.name, format!("{} {why}", campaign.name))])
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::{
        app::{
            fakes::{AUTHOR, geofence, owner, resources, store},
            organizations::Organizations,
            places::Places,
        },
        domain::{
            audience::{
                Audience, Rule,
                condition::{Count, OfferEvent, OffersOf},
            },
            campaign::{Limits, On, Target, Trigger, Weight},
            content::Content,
            organization::{Grant, Permission},
            place::{PlaceName, Store},
        },
    };

    /// A campaign of `brand` at places of `acme`.
    pub fn campaign(on: On, places: &[&str]) -> Campaign {
        let place = |place: &&str| PlaceName::parse(&format!("organizations/acme/{place}")).expect("sound");
        Campaign {
            name: owner("brand").campaign("coffee").expect("sound"),
            display_name: "Coffee".into(),
            state: CampaignState::Draft,
            audience: Audience::everyone(),
            content: Content::new("One free", "", "", "", None).expect("sound"),
            topics: Default::default(),
            trigger: Trigger { on, at: Target::Places(places.iter().map(place).collect()), visit: Default::default() },
            limits: Limits::default(),
            weight: Weight::default(),
            priority: Default::default(),
            coupon: None,
            experiment: None,
            testers: Default::default(),
        }
    }

    pub async fn granted(resources: &Arc<Resources>) {
        let name = owner("acme").grant("to-brand").expect("sound");
        let grant = Grant { name, grantee: owner("brand"), permission: Permission::TargetPlaces };
        let organizations = Organizations::new(resources.clone(), Arc::new(crate::app::fakes::Counting::default()));
        organizations.create_grant(grant, AUTHOR).await.expect("made");
    }

    pub fn codes(refused: Result<Entry<Campaign>, EditError>) -> Vec<&'static str> {
        match refused {
            Err(EditError::Refused(obstacles)) => obstacles.iter().map(|obstacle| obstacle.code).collect(),
            other => panic!("not refused: {:?}", other.map(|entry| entry.value)),
        }
    }

    #[tokio::test]
    async fn every_reason_against_activation_is_told() {
        let resources = resources().await;
        let (places, campaigns) = (Places::new(resources.clone()), Campaigns::new(resources.clone()));
        places.create(store("bare", "Cafe"), AUTHOR).await.expect("made");
        let limits = Limits { ends_at: Some(crate::app::fakes::at(999)), ..Limits::default() };
        let draft = Campaign { limits, ..campaign(On::Entered, &["stores/bare", "stores/gone", "beacons/gone"]) };
        let name = campaigns.create(draft, AUTHOR).await.expect("a draft may be anything").value.name.clone();
        let activate = || campaigns.become_state(&name, CampaignState::Active, None, AUTHOR);
        assert_eq!(codes(activate().await), ["ENDED", "NOT_GRANTED"], "nothing of places that are not for it to know");
        granted(&resources).await;
        let told = codes(activate().await);
        assert_eq!(told, ["ENDED", "TARGET_CANNOT_FIRE", "TARGET_MISSING", "TARGET_MISSING"]);
    }

    #[tokio::test]
    async fn a_campaign_of_open_stores_needs_to_know_when_they_are_open() {
        let resources = resources().await;
        let (places, campaigns) = (Places::new(resources.clone()), Campaigns::new(resources.clone()));
        granted(&resources).await;
        let hours = crate::domain::opening::OpeningHours::new("Mo-Fr 08:00-20:00").expect("sound");
        let tagged = |id, opening_hours| Store {
            opening_hours,
            tags: [crate::domain::text::Tag::new("cafe").expect("sound")].into(),
            ..store(id, "Cafe")
        };
        places.create(tagged("unknown", Default::default()), AUTHOR).await.expect("made");
        places.create(geofence("yard", Some("unknown"), 80.0), AUTHOR).await.expect("made");
        let mut limits = Limits::default();
        limits.schedule.only_while_open = Some(Default::default());
        let near = On::Near { radius_m: 100 };
        let by_name = Campaign { limits: limits.clone(), ..campaign(near.clone(), &["stores/unknown"]) };
        let tags = [crate::domain::text::Tag::new("cafe").expect("sound")].into();
        let at = Target::Tagged { network: owner("acme"), tags };
        let trigger = Trigger { on: near, at, visit: Default::default() };
        let by_tag = Campaign { name: owner("brand").campaign("tag").expect("sound"), trigger, ..by_name.clone() };
        for draft in [by_name.clone(), by_tag.clone()] {
            campaigns.create(draft, AUTHOR).await.expect("made");
        }
        let activate = async |name| campaigns.become_state(name, CampaignState::Active, None, AUTHOR).await;
        assert_eq!(codes(activate(&by_name.name).await), ["NO_OPENING_HOURS"]);
        assert_eq!(codes(activate(&by_tag.name).await), ["NO_OPENING_HOURS"]);
        places.create(tagged("known", hours), AUTHOR).await.expect("made");
        assert_eq!(codes(activate(&by_name.name).await), ["NO_OPENING_HOURS"], "it names the one without");
        activate(&by_tag.name).await.expect("some of them are known");
    }

    #[tokio::test]
    async fn a_network_that_granted_nothing_does_not_tell_its_tags() {
        let resources = resources().await;
        let (places, campaigns) = (Places::new(resources.clone()), Campaigns::new(resources.clone()));
        places.create(store("1", "Cafe"), AUTHOR).await.expect("made");
        for tag in ["cafe", "unheard-of"] {
            let tags = [crate::domain::text::Tag::new(tag).expect("sound")].into();
            let trigger = Trigger {
                on: On::Near { radius_m: 100 },
                at: Target::Tagged { network: owner("acme"), tags },
                visit: Default::default(),
            };
            let name = owner("brand").campaign(tag).expect("sound");
            let draft = Campaign { name: name.clone(), trigger, ..campaign(On::Entered, &[]) };
            campaigns.create(draft, AUTHOR).await.expect("made");
            let told = codes(campaigns.become_state(&name, CampaignState::Active, None, AUTHOR).await);
            assert_eq!(told, ["NOT_GRANTED"], "{tag}");
        }
    }

    #[tokio::test]
    async fn a_campaign_whose_offers_are_asked_about_must_be_there() {
        let resources = resources().await;
        let (places, campaigns) = (Places::new(resources.clone()), Campaigns::new(resources.clone()));
        granted(&resources).await;
        places.create(store("1", "Cafe"), AUTHOR).await.expect("made");
        let tea = owner("brand").campaign("tea").expect("sound");
        let of = OffersOf::Campaign(tea.clone());
        let rule = Rule::Offers { of, event: OfferEvent::Shown, within_days: 7, count: Count::AtMost(0) };
        let near = || campaign(On::Near { radius_m: 60 }, &["stores/1"]);
        let asking = Campaign { audience: Audience::new(rule).expect("sound"), ..near() };
        let coffee = campaigns.create(asking.clone(), AUTHOR).await.expect("made").value.name.clone();
        let activate = || campaigns.become_state(&coffee, CampaignState::Active, None, AUTHOR);
        assert_eq!(codes(activate().await), ["CAMPAIGN_MISSING"]);
        campaigns.create(Campaign { name: tea.clone(), ..near() }, AUTHOR).await.expect("made");
        activate().await.expect("it is there");
        let Err(EditError::Refused(found)) = campaigns.delete(&tea, None, AUTHOR).await else { panic!("it is named") };
        assert_eq!((found[0].code, &found[0].subject), ("NAMED_BY_CAMPAIGN", &coffee.to_string()));
        let rivals = Campaign { name: owner("acme").campaign("coffee").expect("sound"), ..asking };
        let rivals = campaigns.create(rivals, AUTHOR).await.expect("made").value.name.clone();
        campaigns.become_state(&rivals, CampaignState::Active, None, AUTHOR).await.expect("sound");
        campaigns.become_state(&coffee, CampaignState::Paused, None, AUTHOR).await.expect("allowed");
        campaigns.delete(&tea, None, AUTHOR).await.expect("no other organization holds it fast");
    }

    #[tokio::test]
    async fn a_campaign_lives_its_life() {
        use CampaignState::{Active, Archived, Paused};
        let resources = resources().await;
        let (places, campaigns) = (Places::new(resources.clone()), Campaigns::new(resources.clone()));
        granted(&resources).await;
        places.create(store("1", "Cafe"), AUTHOR).await.expect("made");
        places.create(geofence("g", Some("1"), 80.0), AUTHOR).await.expect("made");
        let wanted = || campaign(On::Entered, &["stores/1", "geofences/g"]);
        let name = campaigns.create(wanted(), AUTHOR).await.expect("made").value.name.clone();
        let step = |state| campaigns.become_state(&name, state, None, AUTHOR);
        let active = step(Active).await.expect("sound").etag;
        assert_eq!(step(Active).await.expect("the same").etag, active);
        assert_eq!(campaigns.create(wanted(), AUTHOR).await.expect("harmless").value.state, Active);
        assert!(matches!(campaigns.delete(&name, None, AUTHOR).await, Err(EditError::Refused(_))));

        // What an active campaign becomes must be able to fire as well.
        let to_missing = |_: &Campaign| Ok(campaign(On::Entered, &["stores/gone"]));
        assert_eq!(codes(campaigns.update(&name, None, AUTHOR, to_missing).await), ["TARGET_MISSING"]);
        step(Paused).await.expect("allowed");
        campaigns.update(&name, None, AUTHOR, to_missing).await.expect("paused ones may be anything");
        step(Archived).await.expect("allowed");
        assert_eq!(codes(step(Active).await), ["CAMPAIGN_STATE"]);
        assert_eq!(codes(campaigns.update(&name, None, AUTHOR, to_missing).await), ["CAMPAIGN_STATE"]);
    }
}
