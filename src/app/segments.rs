//! Segments: audiences with names, and whom they serve.
//!
//! Law: what a campaign names stays; a segment goes when no campaign that may still run names it.

use std::sync::Arc;

use super::resources::{EditError, Obstacle, Resources, find};
use crate::{
    domain::{
        campaign::{Campaign, CampaignState},
        name::SegmentName,
        organization::Organization,
        segment::Segment,
        violation::Violations,
    },
    engine::{
        catalog::{Catalog, Entry},
        faults::{self, Fault},
    },
};

/// Edits the segments of brands.
pub struct Segments {
    resources: Arc<Resources>,
}

impl Segments {
    pub fn new(resources: Arc<Resources>) -> Self {
        Self { resources }
    }

    /// For reading, which asks for nothing more.
    pub fn resources(&self) -> &Resources {
        &self.resources
    }

    /// Makes it, or finds it as it is wanted.
    pub async fn create(&self, segment: Segment, author: &str) -> Result<Entry<Segment>, EditError> {
        let brand = segment.name.organization();
        self.resources.create(segment, author, move |catalog| find::<Organization>(catalog, &brand).map(drop)).await
    }

    /// As [`Resources::update`]. Active campaigns that name it must remain ones that could be activated.
    pub async fn update(
        &self,
        name: &SegmentName,
        etag: Option<u64>,
        author: &str,
        change: impl Fn(&Segment) -> Result<Segment, Violations>,
    ) -> Result<Entry<Segment>, EditError> {
        self.resources
            .update(name, etag, author, |segment, catalog| {
                let next = change(segment).map_err(EditError::Invalid)?;
                let found = broken_by(&next, catalog);
                if found.is_empty() { Ok(next) } else { Err(EditError::Refused(found)) }
            })
            .await
    }

    /// Deletes it, if no campaign names it that is not archived.
    pub async fn delete(&self, name: &SegmentName, etag: Option<u64>, author: &str) -> Result<(), EditError> {
        self.resources
            .delete(name, etag, author, |segment: &Segment, catalog| {
                let found = in_need(catalog, &segment.name);
                if found.is_empty() { Ok(Vec::new()) } else { Err(EditError::Refused(found)) }
            })
            .await
    }
}

/// What would keep active campaigns from being activated, and does not now.
fn broken_by(segment: &Segment, catalog: &Catalog) -> Vec<Obstacle> {
    // No area depends on a segment, so nothing is compiled.
    let mut next = catalog.clone();
    next.segments.insert(segment.name.clone(), Entry { etag: catalog.version, value: Arc::new(segment.clone()) });
    let active = naming(catalog, &segment.name).filter(|campaign| campaign.state == CampaignState::Active);
    let new = |campaign: &Arc<Campaign>| {
        let known = faults::of(catalog.areas.targets(), catalog, campaign);
        // Of an audience that is too large already the number of its terms is no news.
        let is_new = move |fault: &Fault| !known.iter().any(|f| (f.code, &f.subject) == (fault.code, &fault.subject));
        let found = faults::of(next.areas.targets(), &next, campaign).into_iter().filter(is_new);
        let name = campaign.name.clone();
        found.map(move |fault| Obstacle::new(fault.code, fault.subject, format!("{name}: {}", fault.why)))
    };
    active.flat_map(new).collect()
}

/// The campaigns that name it: of its own organization, for no other may.
fn naming<'a>(catalog: &'a Catalog, name: &'a SegmentName) -> impl Iterator<Item = &'a Arc<Campaign>> {
    let own = catalog.campaigns.values().map(|entry| &entry.value);
    let own = own.filter(|campaign| campaign.name.owner() == name.owner());
    own.filter(move |campaign| campaign.audience.segments().any(|named| named == name))
}

/// Those of them that may still run.
fn in_need(catalog: &Catalog, name: &SegmentName) -> Vec<Obstacle> {
    let alive = naming(catalog, name).filter(|campaign| campaign.state != CampaignState::Archived);
    let obstacle = |campaign: &Arc<Campaign>| {
        let why = format!("{} ({}) names it", campaign.name, campaign.state.as_str());
        Obstacle::new("NAMED_BY_CAMPAIGN", &campaign.name, why)
    };
    alive.map(obstacle).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        app::{
            campaigns::{
                Campaigns,
                tests::{campaign, granted},
            },
            fakes::{AUTHOR, owner, resources, store},
            places::Places,
        },
        domain::{
            audience::{
                Audience, Rule,
                condition::{Count, Visited},
            },
            campaign::On,
            consent::Purpose,
        },
    };

    fn members(rule: Rule) -> Segment {
        let name = owner("brand").segment("members").expect("sound");
        Segment { name, display_name: "Members".into(), audience: Audience::new(rule).expect("sound") }
    }

    fn told(refused: Result<Entry<Campaign>, EditError>) -> Vec<(&'static str, String)> {
        match refused {
            Err(EditError::Refused(found)) => found.into_iter().map(|one| (one.code, one.subject)).collect(),
            other => panic!("not refused: {:?}", other.map(|entry| entry.value)),
        }
    }

    #[tokio::test]
    async fn a_campaign_needs_the_segment_it_names_and_keeps_it() {
        let resources = resources().await;
        let (segments, campaigns) = (Segments::new(resources.clone()), Campaigns::new(resources.clone()));
        granted(&resources).await;
        Places::new(resources.clone()).create(store("1", "Cafe"), AUTHOR).await.expect("made");
        let name = owner("brand").segment("members").expect("sound");
        let audience = Audience::new(Rule::Not(Box::new(Rule::Segment(name.clone())))).expect("sound");
        let draft = Campaign { audience, ..campaign(On::Near { radius_m: 60 }, &["stores/1"]) };
        let campaign = campaigns.create(draft, AUTHOR).await.expect("a draft may be anything").value.name.clone();
        let become_state = |state| campaigns.become_state(&campaign, state, None, AUTHOR);
        assert_eq!(told(become_state(CampaignState::Active).await), [("SEGMENT_MISSING", name.to_string())]);

        segments.create(members(Rule::Consent(Purpose::Profiling)), AUTHOR).await.expect("made");
        become_state(CampaignState::Active).await.expect("it is there now");
        let Err(EditError::Refused(found)) = segments.delete(&name, None, AUTHOR).await else { panic!("it is named") };
        assert_eq!((found[0].code, &found[0].subject), ("NAMED_BY_CAMPAIGN", &campaign.to_string()));

        become_state(CampaignState::Archived).await.expect("allowed");
        segments.delete(&name, None, AUTHOR).await.expect("nobody needs it");
    }

    #[tokio::test]
    async fn what_a_segment_asks_of_ungranted_places_is_told_of_its_campaigns() {
        let resources = resources().await;
        let (segments, campaigns) = (Segments::new(resources.clone()), Campaigns::new(resources.clone()));
        granted(&resources).await;
        Places::new(resources.clone()).create(store("1", "Cafe"), AUTHOR).await.expect("made");
        let visits = |at| Rule::Visits { at: Visited::Network(at), within_days: 30, count: Count::AtLeast(3) };
        let made = segments.create(members(visits(owner("acme"))), AUTHOR).await.expect("made");
        let audience = Audience::new(Rule::Segment(made.value.name.clone())).expect("sound");
        let draft = Campaign { audience, ..campaign(On::Near { radius_m: 60 }, &["stores/1"]) };
        let campaign = campaigns.create(draft, AUTHOR).await.expect("made").value.name.clone();
        campaigns.become_state(&campaign, CampaignState::Active, None, AUTHOR).await.expect("acme granted its places");
        assert_eq!(resources.snapshot().areas.problems().count(), 0);

        let rival =
            |segment: &Segment| Ok(Segment { audience: members(visits(owner("rival"))).audience, ..segment.clone() });
        let told = segments.update(&made.value.name, Some(made.etag), AUTHOR, rival).await;
        let Err(EditError::Refused(found)) = told else { panic!("an active campaign names it") };
        let ungranted = ("NOT_GRANTED", "organizations/rival".to_owned());
        assert_eq!((found.len(), (found[0].code, found[0].subject.clone())), (1, ungranted));
        assert!(found[0].description.contains(campaign.as_str()), "{}", found[0].description);

        campaigns.become_state(&campaign, CampaignState::Paused, None, AUTHOR).await.expect("allowed");
        segments.update(&made.value.name, None, AUTHOR, rival).await.expect("nobody is asked by it");
        let paused = campaigns.become_state(&campaign, CampaignState::Active, None, AUTHOR).await;
        assert!(matches!(paused, Err(EditError::Refused(_))));
    }

    #[tokio::test]
    async fn an_audience_is_no_larger_with_its_segments_than_a_ping_has_time_for() {
        let resources = resources().await;
        let (segments, campaigns) = (Segments::new(resources.clone()), Campaigns::new(resources.clone()));
        granted(&resources).await;
        Places::new(resources.clone()).create(store("1", "Cafe"), AUTHOR).await.expect("made");
        let named = ["a", "b", "c", "d"].map(|id| owner("brand").segment(id).expect("sound"));
        let sized = |terms: usize| members(Rule::Any(vec![Rule::Consent(Purpose::Profiling); terms - 1])).audience;
        for (name, terms) in named.iter().zip([64, 64, 64, 55]) {
            let segment = Segment { name: name.clone(), display_name: "Some".into(), audience: sized(terms) };
            segments.create(segment, AUTHOR).await.expect("made");
        }
        // Each is named twice: 9 terms, and 247 of the segments.
        let twice = || named.iter().chain(&named).cloned().map(Rule::Segment).collect::<Vec<_>>();
        let of = |more: usize| {
            let rules = twice().into_iter().chain(vec![Rule::Consent(Purpose::Marketing); more]).collect();
            let audience = Audience::new(Rule::All(rules)).expect("small");
            Campaign { audience, ..campaign(On::Near { radius_m: 60 }, &["stores/1"]) }
        };
        let refused = |told: Result<Entry<Campaign>, EditError>| {
            let Err(EditError::Invalid(wrong)) = told else { panic!("it is too large") };
            let told = wrong.to_string();
            assert!(told.contains("campaign.audience") && told.contains("257") && told.contains("256"), "{told}");
        };
        refused(campaigns.create(of(1), AUTHOR).await);
        let name = campaigns.create(of(0), AUTHOR).await.expect("as large as may be").value.name.clone();
        refused(campaigns.update(&name, None, AUTHOR, |_| Ok(of(1))).await);
        campaigns.become_state(&name, CampaignState::Active, None, AUTHOR).await.expect("it may be asked");

        let grown = |segment: &Segment| Ok(Segment { audience: sized(56), ..segment.clone() });
        let Err(EditError::Refused(found)) = segments.update(&named[3], None, AUTHOR, grown).await else {
            panic!("the active campaign would be too large")
        };
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].code, &found[0].subject), ("AUDIENCE_TOO_LARGE", &name.to_string()));
        campaigns.become_state(&name, CampaignState::Paused, None, AUTHOR).await.expect("allowed");
        segments.update(&named[3], None, AUTHOR, grown).await.expect("nobody is asked by it");
        let active = campaigns.become_state(&name, CampaignState::Active, None, AUTHOR).await;
        assert_eq!(told(active), [("AUDIENCE_TOO_LARGE", name.to_string())]);
        let renamed = |campaign: &Campaign| Ok(Campaign { display_name: "Other".into(), ..campaign.clone() });
        campaigns.update(&name, None, AUTHOR, renamed).await.expect("its audience is not what changes");
    }
}
