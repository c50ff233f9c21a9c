//! Reads receipts for those who may see them.
//!
//! Law 10: a brand sees its own campaigns in a receipt, never positions, other brands, or people it cannot name. Whoever
//! may not see a receipt learns nothing of its being there.

use std::sync::Arc;

use crate::{
    app::ingest::DeviceCaller,
    domain::{
        decision::Decision,
        name::{AppName, OrganizationName, ProfileName},
        offer::DecisionId,
    },
    ports::{Records, StoreError},
};

/// Who wants to see a receipt.
#[derive(Debug, Clone, PartialEq)]
pub enum Viewer {
    /// Sees decisions of its own profile.
    Device(DeviceCaller),
    /// Sees everything.
    Operator,
    /// Sees its apps' decisions whole, and in others what concerns its own campaigns.
    Owner(OrganizationName),
    /// Sees the app's decisions whole.
    Server(AppName),
    /// Sees what concerns its own campaigns.
    Brand(OrganizationName),
}

/// A receipt, or the part of it that the viewer may see.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    pub decision: Decision,
    /// The viewer may not know whose it is: profile, device, ping, notes, transitions and `next` are not for it.
    pub person_hidden: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("the device token was revoked")]
    Revoked,
    #[error("there is no such decision, or no more, or it is not yours to see")]
    NotFound,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Reads receipts.
pub struct Decisions {
    records: Arc<dyn Records>,
}

impl Decisions {
    pub fn new(records: Arc<dyn Records>) -> Self {
        Self { records }
    }

    pub async fn read(&self, viewer: &Viewer, id: &DecisionId) -> Result<Seen, ReadError> {
        let own = match viewer {
            Viewer::Device(caller) => Some(self.profile_of(caller).await?),
            _ => None,
        };
        let decision = self.records.decision(id).await?.ok_or(ReadError::NotFound)?;
        let app = decision.profile.app();
        let whole = match viewer {
            Viewer::Device(_) => own.as_ref() == Some(&decision.profile),
            Viewer::Operator => true,
            Viewer::Server(server) => *server == app,
            Viewer::Owner(owner) => *owner == app.organization(),
            Viewer::Brand(_) => false,
        };
        match viewer {
            _ if whole => Ok(Seen { decision, person_hidden: false }),
            Viewer::Owner(brand) | Viewer::Brand(brand) => of_brand(decision, brand).ok_or(ReadError::NotFound),
            _ => Err(ReadError::NotFound),
        }
    }

    /// The profile the device belongs to now, if its token still holds.
    async fn profile_of(&self, caller: &DeviceCaller) -> Result<ProfileName, ReadError> {
        let name = self.records.profile_of(&caller.device).await?.ok_or(ReadError::Revoked)?;
        let profile = self.records.profile(&name).await?.ok_or(ReadError::Revoked)?;
        let device = profile.devices.get(&caller.device).ok_or(ReadError::Revoked)?;
        if caller.token_epoch < device.token_epoch { Err(ReadError::Revoked) } else { Ok(name) }
    }
}

/// What concerns the brand's own campaigns; none if nothing does.
fn of_brand(mut decision: Decision, brand: &OrganizationName) -> Option<Seen> {
    decision.considered.retain(|considered| considered.campaign.organization() == *brand);
    decision.offers.retain(|offer| offer.campaign.organization() == *brand);
    for offer in &mut decision.offers {
        // Distances to several stores would give the position away.
        offer.distance_m = None;
    }
    decision.transitions.clear();
    decision.notes.clear();
    (!decision.considered.is_empty()).then_some(Seen { decision, person_hidden: true })
}
