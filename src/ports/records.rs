//! The durable record of people: profiles, answers, offers, holds and receipts, changed one transaction at a time.
//!
//! Laws:
//! 1. A [`Commit`] happens whole or not at all, and is durable when its result is known.
//! 2. It happens only if every profile in it still has the expected version, and every device still belongs to whom it
//!    did: else [`Committed::Stale`].
//! 3. A (device, ping) is answered once: a second commit under it is [`Committed::Repeated`], with the first answer.
//! 4. No account takes more units than the limit of its budget, and one that is wanted has a unit left: else
//!    [`Committed::Exhausted`], and nothing happened.
//!    Units that a holder has for a while are confirmed by a take of the same holder, not taken again.
//! 5. For every account, taken = Σ (units − returned) of its holds, at any moment.
//! 6. An erased profile leaves a tombstone: its name, and nothing else in any table.
//! 7. An offer is redeemed only if it is not, was not returned, is its profile's, and no other till holds it; and claimed
//!    only if it is not, was not returned or redeemed: else [`Committed::Stale`]. A
//!    till's request happens once: a second commit under it is [`Committed::Asked`], with the first answer.
//! 8. What a decision was made of is kept only if that is wanted, with its receipt and never longer; and gone once its
//!    person is written without consent to location, and if it was profiled, without consent to profiling. A commit with a
//!    decision, with what became known of offers, with a claim or of a till changes no consent.

use std::sync::Arc;

use async_trait::async_trait;

use super::error::StoreError;
use crate::domain::{
    budget::{Account, AccountId, Take},
    code::Code,
    decision::Decision,
    inputs::Inputs,
    name::{CampaignName, DeviceName, ProfileName},
    offer::{DecisionId, GivenOffer, OfferId},
    ping::PingId,
    profile::Profile,
    redemption::{Lock, Redemption, TillRequest},
    time::Timestamp,
};

/// One change of the record.
#[derive(Debug, Clone, Default)]
pub struct Commit {
    /// When it is made, by the server's clock.
    pub at: Timestamp,
    pub profiles: Vec<ProfileWrite>,
    pub devices: Vec<Handover>,
    /// A profile that ends in one of those written.
    pub absorbed: Option<Absorbed>,
    /// The ping this answers, if one is answered.
    pub answer: Option<Answer>,
    /// The receipt; its offers are recorded with it.
    pub decision: Option<Decision>,
    /// What the decision was made of; not kept unless [`Records::keeps_inputs`].
    pub inputs: Option<Arc<Inputs>>,
    /// Units for offers of the decision, the claim or the redemption.
    pub takes: Vec<Take>,
    /// Accounts that must have a unit left after these takes, though none is taken: of what would have been offered.
    pub wanted: Vec<Account>,
    /// What became known of offers made earlier.
    pub engagement: Vec<EngagementMark>,
    pub claim: Option<Claim>,
    pub till: Option<TillChange>,
}

/// A device belongs to a profile from now on, or still.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Handover {
    pub device: DeviceName,
    /// Whose it was when it was read, whether or not that profile is there; none if it is new. If it is somebody else's
    /// by now, the commit is stale.
    pub from: Option<ProfileName>,
    pub to: ProfileName,
}

/// An offer's code is given to its person.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    pub offer: OfferId,
    pub code: NewCode,
}

/// Which one.
#[derive(Debug, Clone, PartialEq)]
pub enum NewCode {
    This(Code),
    /// The next of the campaign's pool; the commit takes a unit of it.
    Next(CampaignName),
    /// The campaign's own, which is not kept with each offer.
    Everyones,
}

/// What a till does to an offer.
#[derive(Debug, Clone, PartialEq)]
pub enum TillChange {
    /// Locks it, or ends this till's lock by one of no duration.
    Lock(OfferId, Lock),
    /// Redeems it; its takes are the commit's.
    Redeem(TillRequest, Redemption),
    /// Takes so many minor units more back of a redemption that is as given, and of the same person; all that is left makes
    /// the offer good again, and gives every unit back that the redemption took.
    Reverse { request: TillRequest, redemption: Redemption, units: u64 },
}

impl TillChange {
    /// The request that it does; none for a lock, which may be done again.
    pub fn request(&self) -> Option<&TillRequest> {
        match self {
            TillChange::Lock(..) => None,
            TillChange::Redeem(request, _) | TillChange::Reverse { request, .. } => Some(request),
        }
    }
}

/// How a till's request was answered.
#[derive(Debug, Clone, PartialEq)]
pub struct TillAnswer {
    pub fingerprint: [u8; 32],
    /// As it was then.
    pub redemption: Redemption,
}

/// A profile as it shall be; `profile.revision.version` is `expected + 1`.
#[derive(Debug, Clone)]
pub struct ProfileWrite {
    /// The version it has in the record; 0 if it is not there yet.
    pub expected: u64,
    pub profile: Profile,
}

/// A profile that ends: its receipts and offers are another one's from now on, and a tombstone stays of it. Units that
/// its offers hold stay with the offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Absorbed {
    pub name: ProfileName,
    /// The version it has in the record.
    pub expected: u64,
    /// Whose the rest is.
    pub by: ProfileName,
}

/// That a ping was answered, and by which decision.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub device: DeviceName,
    pub ping: PingId,
    /// SHA-256 of what the ping said, but for `sent_at`: another body under the same id is refused.
    pub fingerprint: [u8; 32],
    pub decision: DecisionId,
}

/// The times of one offer as they are known now. An offer marked returned gives its unit back, once.
#[derive(Debug, Clone, PartialEq)]
pub struct EngagementMark {
    pub offer: OfferId,
    pub shown_at: Option<Timestamp>,
    pub opened_at: Option<Timestamp>,
    pub dismissed_at: Option<Timestamp>,
    pub returned_at: Option<Timestamp>,
    pub claimed_at: Option<Timestamp>,
}

impl EngagementMark {
    /// That the device says the offer was never shown.
    pub fn returned(offer: OfferId, at: Timestamp) -> Self {
        let (shown_at, opened_at, dismissed_at, claimed_at) = (None, None, None, None);
        Self { offer, shown_at, opened_at, dismissed_at, returned_at: Some(at), claimed_at }
    }
}

impl From<&GivenOffer> for EngagementMark {
    fn from(given: &GivenOffer) -> Self {
        Self {
            offer: given.id,
            shown_at: given.shown_at,
            opened_at: given.opened_at,
            dismissed_at: given.dismissed_at,
            returned_at: given.returned_at,
            claimed_at: given.claimed_at,
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub enum Committed {
    Done,
    /// The ping was answered before, so nothing happened now.
    Repeated(Answer),
    /// A profile changed meanwhile (or was erased): read again, decide again.
    Stale,
    /// This account has not so much left: decide again without it.
    Exhausted(AccountId),
    /// The till's request was answered before, so nothing happened now.
    Asked(Box<TillAnswer>),
}

/// What a sweep is of. Each is swept by itself, so that one which fails stops no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Past {
    /// What was held until now and not confirmed: its units go back.
    Lapsed,
    /// Offers that nobody reported as shown within the grace, if one is set: their units go back.
    Unshown,
    /// Holds that are past their time.
    Holds,
    /// Accounts of periods that are over.
    Accounts,
    /// Answers, receipts, what they were made of, offers, redemptions and tills' requests. The last, and once it was swept nothing that was deleted
    /// can be read in any file.
    Records,
}

impl Past {
    /// In the order in which they are swept.
    pub const ALL: [Past; 5] = [Past::Lapsed, Past::Unshown, Past::Holds, Past::Accounts, Past::Records];
}

#[async_trait]
pub trait Records: Send + Sync {
    /// The profile as last committed; none if it never was, or was erased.
    async fn profile(&self, name: &ProfileName) -> Result<Option<Profile>, StoreError>;

    /// Its version alone, to confirm a cached copy.
    async fn profile_version(&self, name: &ProfileName) -> Result<Option<u64>, StoreError>;

    /// Whether that name is a tombstone's: nobody can have it any more.
    async fn is_erased(&self, name: &ProfileName) -> Result<bool, StoreError>;

    /// The profile a device belongs to.
    async fn profile_of(&self, device: &DeviceName) -> Result<Option<ProfileName>, StoreError>;

    /// How a ping was answered, if that is not longer ago than answers are kept.
    async fn answer(&self, device: &DeviceName, ping: &PingId) -> Result<Option<Answer>, StoreError>;

    /// The receipt, if it is kept at that time; its profile is the one it belongs to now.
    async fn decision(&self, id: &DecisionId, now: Timestamp) -> Result<Option<Decision>, StoreError>;

    /// Whether commits shall bring what their decision was made of.
    fn keeps_inputs(&self) -> bool;

    /// What the decision was made of, if it is kept at that time; its profile is the one that was decided about.
    async fn inputs(&self, id: &DecisionId, now: Timestamp) -> Result<Option<Inputs>, StoreError>;

    async fn commit(&self, commit: Commit) -> Result<Committed, StoreError>;

    /// Erases a profile with its devices, answers, offers, receipts and what these were made of, and leaves a tombstone. Units its offers hold
    /// stay taken. Returns the version it had; none if there is no such profile.
    async fn erase(&self, name: &ProfileName, at: Timestamp) -> Result<Option<u64>, StoreError>;

    /// The secret of that label: the one kept, or `fresh`, which is kept from now on.
    async fn secret(&self, label: &str, fresh: [u8; 32]) -> Result<[u8; 32], StoreError>;

    /// Deletes what is past its time, or gives it back, at most `most` rows of a table; returns how many that were. What it
    /// did before a fault may stay done.
    async fn sweep(&self, past: Past, now: Timestamp, most: u32) -> Result<u64, StoreError>;
}
