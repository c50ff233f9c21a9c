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
        campaign::{Campaign, CampaignState},
        name::CampaignName,
        organization::Organization,
        violation::Violations,
    },
    engine::catalog::{Catalog, Entry},
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

    /// Files it as a draft, whatever its state says.
    pub async fn create(&self, campaign: Campaign, author: &str) -> Result<Entry<Campaign>, EditError> {
        let brand = campaign.name.organization();
        let draft = Campaign { state: CampaignState::Draft, ..campaign };
        self.resources.create(draft, author, move |catalog| find::<Organization>(catalog, &brand).map(drop)).await
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
                if state == CampaignState::Active && next != *campaign {
                    self.check(&next, catalog)?;
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

    /// Deletes a draft.
    pub async fn delete(&self, name: &CampaignName, etag: Option<u64>, author: &str) -> Result<(), EditError> {
        self.resources
            .delete(name, etag, author, |campaign: &Campaign, _| match campaign.state {
                CampaignState::Draft => Ok(Vec::new()),
                state => {
                    Err(wrong_state(campaign, &format!("is {}; only drafts are deleted: archive it", state.as_str())))
                }
            })
            .await
    }

    fn check(&self, campaign: &Campaign, catalog: &Catalog) -> Result<(), EditError> {
        let found = obstacles(campaign, catalog, self.resources.now());
        if found.is_empty() { Ok(()) } else { Err(EditError::Refused(found)) }
    }
}

fn wrong_state(campaign: &Campaign, why: &str) -> EditError {
    EditError::Refused(vec![Obstacle::new("CAMPAIGN_STATE", &campaign.name, format!("{} {why}", campaign.name))])
}
