//! What a campaign was, and going back to it.
//!
//! Law: a version is never changed; going back is one more edit, under the same checks as any.

use std::sync::Arc;

use super::{
    campaigns::Campaigns,
    resources::{EditError, Obstacle},
};
use crate::{
    domain::{campaign::Campaign, catalog::Resource, name::CampaignName},
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

    /// Makes the campaign what it was in that version, but for its state.
    pub async fn roll_back(
        &self,
        name: &CampaignName,
        version: u64,
        etag: Option<u64>,
        author: &str,
    ) -> Result<Entry<Campaign>, EditError> {
        let found = self.list(name, version.checked_add(1), 1).await?.pop();
        let was = found.filter(|change| change.version == version).and_then(|change| change.resource);
        let Some(Resource::Campaign(was)) = was else {
            let why = format!("{name} has no version {version}: ListCampaignVersions tells those it has");
            return Err(EditError::Refused(vec![Obstacle::new("NO_VERSION", name, why)]));
        };
        self.campaigns.update(name, etag, author, |_| Ok(Campaign::clone(&was))).await
    }
}
