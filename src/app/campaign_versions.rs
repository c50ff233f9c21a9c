//! What a campaign was, going back to it, and knowing a step again that was taken.
//!
//! Laws: a version is never changed; going back is one more edit, under the same checks as any. A step that is repeated
//! with its etag is answered as it was, as long as nothing came behind it.

use std::sync::Arc;

use super::{
    campaigns::Campaigns,
    resources::{EditError, Obstacle},
};
use crate::{
    domain::{
        campaign::{Campaign, CampaignState},
        catalog::Resource,
        name::CampaignName,
        violation::Violations,
    },
    engine::catalog::Entry,
    ports::{ChangeRecord, History, HistoryOf, HistoryQuery, StoreError},
};

/// Reads and restores versions of campaigns.
pub struct CampaignVersions {
    campaigns: Arc<Campaigns>,
    history: Arc<dyn History>,
}

impl CampaignVersions {
    pub fn new(campaigns: Arc<Campaigns>, history: Arc<dyn History>) -> Self {
        Self { campaigns, history }
    }

    /// Versions of the campaign before a version of the catalog, newest first.
    pub async fn list(
        &self,
        name: &CampaignName,
        before: Option<u64>,
        most: u32,
    ) -> Result<Vec<ChangeRecord>, StoreError> {
        let of = HistoryOf::Resource(name.clone().into());
        let before = before.map(|version| (version, String::new()));
        self.history.changes(&HistoryQuery { of, before, most }).await
    }

    /// Makes the campaign what it was in that version, but for its state. `read` reads it again, as if it were sent now: an
    /// older server may have taken what is refused today.
    pub async fn roll_back(
        &self,
        name: &CampaignName,
        version: u64,
        etag: Option<u64>,
        author: &str,
        read: impl Fn(&Campaign) -> Result<Campaign, Violations>,
    ) -> Result<Entry<Campaign>, EditError> {
        let found = self.list(name, version.checked_add(1), 1).await?.pop();
        let was = found.filter(|change| change.version == version).and_then(|change| change.resource);
        let Some(Resource::Campaign(was)) = was else {
            let why = format!("{name} has no version {version}: ListCampaignVersions tells those it has");
            return Err(EditError::Refused(vec![Obstacle::new("NO_VERSION", name, why)]));
        };
        // The fields are the version's, and not of what was asked.
        let refused = |error| match error {
            EditError::Invalid(wrong) => {
                let why = format!("version {version} of {name} would be refused today: {wrong}");
                EditError::Refused(vec![Obstacle::new("VERSION_INVALID", name, why)])
            }
            other => other,
        };
        self.campaigns.update(name, etag, author, |_| read(&was)).await.map_err(refused)
    }

    /// As [`Campaigns::become_state`], but whoever took the step from that etag may repeat it.
    pub async fn become_state(
        &self,
        name: &CampaignName,
        state: CampaignState,
        etag: Option<u64>,
        author: &str,
    ) -> Result<Entry<Campaign>, EditError> {
        match (self.campaigns.become_state(name, state, etag, author).await, etag) {
            (Err(EditError::Changed(changed)), Some(etag)) => {
                let taken = self.last_step(name, author).await?;
                let taken = taken.filter(|(from, to)| *from == etag && to.value.state == state);
                taken.map(|(_, to)| to).ok_or(EditError::Changed(changed))
            }
            (told, _) => told,
        }
    }

    /// The last edit, if it was the author's and changed the state alone: the etag it was made from, and what it made.
    async fn last_step(&self, name: &CampaignName, author: &str) -> Result<Option<(u64, Entry<Campaign>)>, StoreError> {
        let last = self.list(name, None, 2).await?;
        let [to, from] = last.as_slice() else { return Ok(None) };
        let (Some(Resource::Campaign(after)), Some(Resource::Campaign(before))) = (&to.resource, &from.resource) else {
            return Ok(None);
        };
        let stepped = Campaign { state: after.state, ..Campaign::clone(before) };
        let is_step = to.author == author && before.state != after.state && stepped == **after;
        Ok(is_step.then(|| (from.version, Entry { etag: to.version, value: after.clone() })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        app::{
            campaigns::tests::campaign,
            fakes::{AUTHOR, FakeCatalog, at, node, owner},
        },
        domain::{
            audience::{Audience, Rule},
            campaign::On,
            consent::Purpose,
            organization::Organization,
            segment::Segment,
        },
        ports::{CatalogStore, Edit, Expected},
    };

    #[tokio::test]
    async fn what_would_be_refused_today_is_not_gone_back_to() {
        let (store, brand) = (Arc::<FakeCatalog>::default(), owner("brand"));
        let segment = |i| brand.segment(&format!("s{i}")).expect("sound");
        let asks = Audience::new(Rule::Any((0..5).map(|i| Rule::Segment(segment(i))).collect())).expect("sound");
        let now = campaign(On::Entered, &[]);
        let puts =
            [Campaign { audience: asks, ..now.clone() }, now.clone()].map(|was| Edit::put(was, Expected::Anything));
        let grown = |i| Segment {
            name: segment(i),
            display_name: "Grown".to_owned(),
            audience: Audience::new(Rule::Any(vec![Rule::Consent(Purpose::Profiling); 60])).expect("sound"),
        };
        let grown = (0..5).map(|i| Edit::put(grown(i), Expected::Anything));
        for edit in puts.into_iter().chain(grown) {
            store.append(vec![edit], AUTHOR, at(0)).await.expect("made");
        }
        let campaigns = Arc::new(Campaigns::new(node(&store, 1_000).await));
        let versions = CampaignVersions::new(campaigns, store);
        let refused = async |read: fn(&Campaign) -> Result<Campaign, Violations>| match versions
            .roll_back(&now.name, 1, None, AUTHOR, read)
            .await
        {
            Err(EditError::Refused(found)) => (found[0].code, found[0].description.clone()),
            other => panic!("not refused: {other:?}"),
        };
        let told = |why: &str| ("VERSION_INVALID", format!("version 1 of {} would be refused today: {why}", now.name));
        let unread = |_: &Campaign| Err(Violations::one("campaign.weight", "must be more"));
        assert_eq!(refused(unread).await, told("campaign.weight: must be more"));
        let (code, why) = refused(|was| Ok(was.clone())).await;
        assert!(code == "VERSION_INVALID" && why.contains("campaign.audience: must have at most 256 terms"), "{why}");
    }

    #[tokio::test]
    async fn a_step_may_be_repeated_with_its_etag_until_something_comes_behind_it() {
        let store: Arc<FakeCatalog> = Arc::default();
        let resources = node(&store, 1_000).await;
        let brand =
            Organization { name: owner("brand"), display_name: "Brand".to_owned(), brand_limits: Default::default() };
        resources.create(brand.clone(), AUTHOR, |_| Ok(())).await.expect("made");
        let campaigns = Arc::new(Campaigns::new(resources.clone()));
        let versions = CampaignVersions::new(campaigns.clone(), store);
        let draft = campaigns.create(campaign(On::Entered, &[]), AUTHOR).await.expect("made");
        let name = &draft.value.name;
        // Others edit in between, so that versions of the catalog do not follow each other.
        let between = Organization { name: owner("acme"), ..brand };
        resources.create(between, AUTHOR, |_| Ok(())).await.expect("made");

        let archive = |etag, author| versions.become_state(name, CampaignState::Archived, Some(etag), author);
        let changed = |told: Result<Entry<Campaign>, EditError>| matches!(told, Err(EditError::Changed(_)));
        assert!(changed(archive(draft.etag + 1, AUTHOR).await), "an etag it never had");
        let archived = archive(draft.etag, AUTHOR).await.expect("allowed");
        let again = archive(draft.etag, AUTHOR).await.expect("as it was answered");
        assert_eq!((again.etag, &again.value), (archived.etag, &archived.value));
        assert!(changed(archive(draft.etag, "somebody else").await), "who did not take the step");
        assert!(changed(archive(draft.etag - 1, AUTHOR).await), "not from there");
        let activate = versions.become_state(name, CampaignState::Active, Some(draft.etag), AUTHOR);
        assert!(changed(activate.await), "another step");
    }
}
