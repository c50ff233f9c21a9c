//! A ping, or an event of the app, from the edge to the record and back.
//!
//! Laws 1 and 2: what is answered is durable; a ping happens once, on any node, and its retries get the same answer.
//! Pings of one person are serialised within the node; the profile's version serialises them between nodes.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use super::{
    live_catalog::LiveCatalog,
    opened::Opened,
    profile_store::{ProfileStore, Read},
    spent::Spent,
    stages::{Stage, Stages},
    stripes::Stripes,
};
use crate::{
    domain::{
        budget::AccountId,
        decision::{Considered, Decision},
        inputs::Inputs,
        name::{CampaignName, DeviceName, ProfileName},
        ping::{Ping, PingId},
        profile::Profile,
        time::Timestamp,
    },
    engine::{
        catalog::Catalog,
        decide::{self, Effect, Outcome, Question},
    },
    ports::{Answer, CachedProfile, Commit, Committed, EngagementMark, Entropy, Ledger, ProfileWrite, StoreError},
};

/// Times a decision is made anew because the profile changed meanwhile.
const MAX_TRIES: u32 = 3;

/// Who pings, as its token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceCaller {
    pub device: DeviceName,
    pub profile: ProfileName,
    pub token_epoch: u64,
}

/// What a ping is answered.
#[derive(Debug, Clone)]
pub struct Answered {
    pub decision: Decision,
    /// Whether there is a receipt; a ping that changed nothing has none.
    pub recorded: bool,
    /// Whom the device belongs to now; the token may still name another.
    pub profile: ProfileName,
    /// The epoch a fresh token must have.
    pub token_epoch: u64,
}

#[derive(Debug, thiserror::Error)]
pub enum PingError {
    #[error("the device's token is revoked; register the device again")]
    Revoked,
    /// Nobody has the device any more.
    #[error("the profile of the device was erased")]
    Erased,
    #[error("this id was used for another ping or event")]
    AnotherBody,
    #[error("the profile is changing too fast; try again")]
    Busy,
    /// The profile could not be read.
    #[error("the cache is away, and too many profiles are read from the database already")]
    Overloaded,
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[derive(Debug, Default)]
pub struct IngestCounters {
    pub pings: AtomicU64,
    pub repeated: AtomicU64,
    pub committed: AtomicU64,
    pub stale: AtomicU64,
    pub exhausted: AtomicU64,
    pub offers: AtomicU64,
}

/// Answers pings.
pub struct Ingest {
    profiles: Arc<ProfileStore>,
    catalog: Arc<LiveCatalog>,
    entropy: Arc<dyn Entropy>,
    stripes: Arc<Stripes>,
    spent: Arc<Spent>,
    pub counters: IngestCounters,
    pub stages: Stages,
}

/// One ping while it is answered.
struct Visitor<'a> {
    device: &'a DeviceName,
    token_epoch: u64,
    ping: &'a Ping,
    stream: Option<&'a Opened>,
    fingerprint: &'a Fingerprint<'a>,
    /// Up to this version the catalog was looked for: what of it is missing now is nowhere.
    looked_for: u64,
}

/// Computes what tells a retry from another ping under the same id; most pings change nothing, and need none.
pub type Fingerprint<'a> = dyn Fn() -> [u8; 32] + Send + Sync + 'a;

/// How one try at a decision ended.
enum Tried {
    Answered(Box<Answered>),
    /// The device belongs to this profile now.
    Moved(ProfileName),
    Stale,
    /// What is known of the device is of this catalog, and ours is older.
    Lagging(u64),
}

/// Only the record may refuse a device: a copy may be of another time, or of another database.
fn refused(by_record: bool, why: PingError) -> Result<Tried, PingError> {
    if by_record { Err(why) } else { Ok(Tried::Stale) }
}

impl Ingest {
    pub fn new(
        profiles: Arc<ProfileStore>,
        catalog: Arc<LiveCatalog>,
        entropy: Arc<dyn Entropy>,
        stripes: Arc<Stripes>,
        spent: Arc<Spent>,
    ) -> Self {
        let (counters, stages) = (IngestCounters::default(), Stages::default());
        Self { profiles, catalog, entropy, stripes, spent, counters, stages }
    }

    /// Accounts of which nothing was left when this node asked last.
    pub fn exhausted(&self, now: Timestamp) -> Arc<BTreeSet<AccountId>> {
        self.spent.accounts(now)
    }

    /// Asks the ledger whether that is still so.
    pub async fn ask_of_spent(&self, ledger: &dyn Ledger, now: Timestamp) -> Result<(), StoreError> {
        self.spent.ask(ledger, now).await
    }

    /// Asks the ledger of which coupons none can be claimed any more, if that may have changed.
    pub async fn look_for_spent(&self, ledger: &dyn Ledger, now: Timestamp) -> Result<(), StoreError> {
        self.spent.look(&self.catalog.snapshot(), ledger, now).await
    }

    /// Whether the ping, or event, is on record as answered: a retry costs nothing new.
    pub async fn is_answered(&self, device: &DeviceName, ping: &PingId) -> Result<bool, StoreError> {
        Ok(self.profiles.records.answer(device, ping).await?.is_some())
    }

    /// Pings of this profile await no cache while what is returned is kept.
    pub fn open(&self, profile: &ProfileName) -> Opened {
        self.profiles.open(profile)
    }

    /// Decides about a ping, makes the decision durable if it changed anything, and answers. `stream` is what was
    /// [`Self::open`]ed for the stream that it came on.
    pub async fn ping(
        &self,
        caller: &DeviceCaller,
        (ping, stream): (&Ping, Option<&Opened>),
        fingerprint: &Fingerprint<'_>,
    ) -> Result<Answered, PingError> {
        self.counters.pings.fetch_add(1, Relaxed);
        let DeviceCaller { device, token_epoch, .. } = caller;
        // Before its turn: nobody else waits while an app is looked for.
        self.catalog.having(|catalog| catalog.app_of(device).is_some()).await?;
        let mut visitor = Visitor { device, token_epoch: *token_epoch, ping, stream, fingerprint, looked_for: 0 };
        let mut profile = caller.profile.clone();
        // Only a stale copy sends a try past the cache: what a linked device's profile has there counts as well.
        let mut stale = false;
        let mut tries = 0;
        while tries < MAX_TRIES {
            match self.serialised(&visitor, &profile, stale).await? {
                Tried::Answered(answered) => return Ok(*answered),
                Tried::Moved(other) => {
                    profile = other;
                    tries += 1;
                }
                Tried::Stale => {
                    stale = true;
                    tries += 1;
                    self.counters.stale.fetch_add(1, Relaxed);
                }
                // Not in its turn either. Nothing was decided, so it was no try.
                Tried::Lagging(version) => {
                    self.catalog.look_again().await?;
                    visitor.looked_for = version;
                }
            }
        }
        Err(PingError::Busy)
    }

    async fn serialised(&self, visitor: &Visitor<'_>, name: &ProfileName, stale: bool) -> Result<Tried, PingError> {
        let _turn = self.stripes.turn(name).await;
        let now = visitor.ping.clock.received_at;
        let stale = stale || self.profiles.may_come_from_elsewhere(name, visitor.stream);
        let read = match stale {
            true => self.stages.wait(Stage::Read, self.profiles.from_record(name, now)).await?,
            false => self.stages.wait(Stage::Read, self.profiles.read(name, now)).await?,
        };
        let copy = match read {
            Read::Found(copy) => copy,
            Read::Absent => return self.moved(visitor, name, stale).await,
            Read::Overloaded => return Err(PingError::Overloaded),
        };
        visitor.stream.inspect(|stream| stream.has_read(name));
        let Some(device) = copy.profile.devices.get(visitor.device) else {
            return self.moved(visitor, name, stale).await;
        };
        if visitor.token_epoch < device.token_epoch {
            return refused(stale, PingError::Revoked);
        }
        let known = &device.presence;
        if !visitor.ping.is_newer_than([known.newest_fix, known.newest_sighting, known.ahead])
            && let Some(answer) = self.profiles.records.answer(visitor.device, &visitor.ping.id).await?
        {
            return self.repeat(visitor, &copy.profile, &answer, stale).await;
        }
        self.decide(visitor, &copy, stale).await
    }

    /// The profile that the device belongs to, if that is another one than its token names.
    async fn moved(&self, visitor: &Visitor<'_>, name: &ProfileName, stale: bool) -> Result<Tried, PingError> {
        match self.profiles.records.profile_of(visitor.device).await? {
            Some(other) if other != *name => Ok(Tried::Moved(other)),
            Some(_) => refused(stale, PingError::Revoked),
            None => Err(PingError::Erased),
        }
    }

    /// What the ping was answered, to whom it was answered: who logs in takes along the answers from before, and nobody
    /// else is told.
    async fn repeat(
        &self,
        visitor: &Visitor<'_>,
        profile: &Profile,
        answer: &Answer,
        stale: bool,
    ) -> Result<Tried, PingError> {
        if answer.fingerprint != (visitor.fingerprint)() {
            return Err(PingError::AnotherBody);
        }
        let records = &self.profiles.records;
        let Some(decision) = records.decision(&answer.decision, visitor.ping.clock.received_at).await? else {
            // Their time is over, or the person was erased: either way the answer goes too, and then the id is free.
            return refused(stale, StoreError::Unavailable(format!("{} is no more", answer.decision)).into());
        };
        // The copy may be from before a log-in or a log-out, on whatever node that was.
        let owner = records.profile_of(visitor.device).await?;
        if decision.profile != profile.name || owner.as_ref() != Some(&profile.name) {
            return refused(stale, PingError::AnotherBody);
        }
        self.counters.repeated.fetch_add(1, Relaxed);
        Ok(answered(visitor, profile, decision, true))
    }

    async fn decide(&self, visitor: &Visitor<'_>, copy: &CachedProfile, stale: bool) -> Result<Tried, PingError> {
        let profile = &copy.profile;
        let snapshot = self.catalog.snapshot();
        if let Some(version) = missed(&snapshot, profile, visitor.device).filter(|missed| *missed > visitor.looked_for)
        {
            return Ok(Tried::Lagging(version));
        }
        let mut exhausted = self.exhausted_for(visitor, profile);
        loop {
            let outcome = self.outcome(&snapshot, visitor, profile, &exhausted)?;
            match outcome.effect {
                Effect::Nothing => return Ok(answered(visitor, profile, outcome.decision, false)),
                Effect::Soft => {
                    let mut soft = outcome.profile;
                    soft.revision.soft += 1;
                    let soft = CachedProfile { profile: Arc::new(soft), ..copy.clone() };
                    self.profiles.keep_soft(soft).await;
                    return Ok(answered(visitor, profile, outcome.decision, false));
                }
                Effect::Durable => {}
            }
            let inputs = self.inputs(visitor, profile, (&outcome.decision.considered, &exhausted));
            let commit = Commit { inputs, ..commit(visitor, profile, outcome) };
            match self.stages.wait(Stage::Commit, self.profiles.commit(commit.clone())).await? {
                Committed::Done => return Ok(self.done(visitor, commit)),
                Committed::Repeated(answer) => return self.repeat(visitor, profile, &answer, stale).await,
                Committed::Stale => return Ok(Tried::Stale),
                Committed::Exhausted(account) => {
                    self.counters.exhausted.fetch_add(1, Relaxed);
                    self.spent.note(account.clone(), visitor.ping.clock.received_at);
                    if !Arc::make_mut(&mut exhausted).insert(account) {
                        return Err(PingError::Busy);
                    }
                }
                Committed::Asked(_) => return Err(StoreError::Corrupt("no till asks for a ping".to_owned()).into()),
            }
        }
    }

    /// What may be kept of what the decision is made of, if any of it is.
    fn inputs(
        &self,
        visitor: &Visitor<'_>,
        profile: &Profile,
        spent: (&[Considered], &BTreeSet<AccountId>),
    ) -> Option<Arc<Inputs>> {
        let permit = profile.consents.permit().filter(|_| self.profiles.records.keeps_inputs())?;
        Inputs::of(permit, profile, visitor.device, visitor.ping, spent).map(Arc::new)
    }

    /// Not those of campaigns of which this ping gives units back: the commit knows whether one is left then.
    fn exhausted_for(&self, visitor: &Visitor<'_>, profile: &Profile) -> Arc<BTreeSet<AccountId>> {
        let mut exhausted = self.spent.accounts(visitor.ping.clock.received_at);
        if !exhausted.is_empty() {
            let given_back: Vec<&CampaignName> =
                decide::unshown(profile, visitor.device, visitor.ping).map(|offer| &offer.campaign).collect();
            let comes_back = |account: &AccountId| given_back.iter().any(|campaign| account.is_of(campaign));
            let is_left = |account: &AccountId| !(account.counts_offers() && comes_back(account));
            if !exhausted.iter().all(is_left) {
                Arc::make_mut(&mut exhausted).retain(is_left);
            }
        }
        exhausted
    }

    fn outcome(
        &self,
        catalog: &Catalog,
        visitor: &Visitor<'_>,
        profile: &Profile,
        exhausted: &BTreeSet<AccountId>,
    ) -> Result<Outcome, PingError> {
        // An app that was deleted takes its devices' access with it.
        let app = catalog.app_of(visitor.device).ok_or(PingError::Revoked)?;
        let (device, ping, seed) = (visitor.device, visitor.ping, self.entropy.seed());
        let question = Question { catalog, app, profile, device, ping, seed, exhausted };
        let mut outcome = self.stages.time(Stage::Decide, || decide::decide(&question));
        if outcome.effect == Effect::Durable {
            outcome.profile.keep_declared(app);
        }
        Ok(outcome)
    }

    fn done(&self, visitor: &Visitor<'_>, commit: Commit) -> Tried {
        self.counters.committed.fetch_add(1, Relaxed);
        let Commit { profiles, decision, .. } = commit;
        let (Some(write), Some(decision)) = (profiles.into_iter().next(), decision) else { return Tried::Stale };
        self.counters.offers.fetch_add(decision.offers.len() as u64, Relaxed);
        answered(visitor, &write.profile, decision, true)
    }
}

/// The version that had all places which the device was seen at, if the catalog is older and has not: the device would be
/// told to have left them.
fn missed(catalog: &Catalog, profile: &Profile, device: &DeviceName) -> Option<u64> {
    let presence = &profile.devices.get(device)?.presence;
    let newer = Some(presence.catalog_version).filter(|version| *version > catalog.version)?;
    presence.areas.areas().iter().any(|area| catalog.areas.get(area).is_none()).then_some(newer)
}

fn answered(visitor: &Visitor<'_>, profile: &Profile, decision: Decision, recorded: bool) -> Tried {
    let token_epoch = profile.devices.get(visitor.device).map_or(0, |device| device.token_epoch);
    let profile = profile.name.clone();
    Tried::Answered(Box::new(Answered { decision, recorded, profile, token_epoch }))
}

/// What the record shall be after the decision.
fn commit(visitor: &Visitor<'_>, before: &Profile, outcome: Outcome) -> Commit {
    let Outcome { decision, mut profile, takes, wanted, returned, .. } = outcome;
    let expected = before.revision.version;
    profile.revision.version = expected + 1;
    profile.revision.soft = 0;
    // From the ids: the profile may have forgotten them by now, and their units go back all the same.
    let marked = returned.into_iter().map(|offer| EngagementMark::returned(offer, visitor.ping.clock.received_at));
    Commit {
        at: visitor.ping.clock.received_at,
        engagement: marked.collect(),
        answer: Some(Answer {
            device: visitor.device.clone(),
            ping: visitor.ping.id.clone(),
            fingerprint: (visitor.fingerprint)(),
            decision: decision.id,
        }),
        takes,
        wanted,
        decision: Some(decision),
        profiles: vec![ProfileWrite { expected, profile }],
        ..Commit::default()
    }
}
