//! The durable record and the catalog's truth in SQL: SQLite for one machine, PostgreSQL for several, by one code.
//!
//! Laws: those of [`Records`], [`Coupons`], [`Ledger`] and [`CatalogStore`]. One SQL text serves both engines; `conn` alone knows which one runs.
//!
//! | file | what |
//! |---|---|
//! | `config` | the settings, and how long things are kept |
//! | `open`, `schema` | opening a database and bringing its tables up to date |
//! | `engine`, `writer`, `change` | how changes are run: a transaction each, or SQLite's groups |
//! | `turns` | who may go through much at once |
//! | `commit`, `units`, `till` | the transaction of a ping, a claim, a redemption |
//! | `read`, `receipts`, `listing`, `inputs`, `coupons`, `pool`, `catalog`, `erase`, `sweep`, `ended`, `secret` | the other statements |
//! | `several` | statements about many rows |
//! | `backup` | a copy while the server runs, and its return |
//! | `accounts` | what is taken of budgets |
//! | `audit` | the proof that nothing was oversold |
//! | `proof` | the same from outside of a server |

mod accounts;
mod arms;
mod audit;
mod backup;
mod batch;
mod catalog;
mod change;
mod commit;
mod config;
mod conn;
mod counters;
mod coupons;
mod ended;
mod engine;
mod erase;
mod error;
mod history;
mod inputs;
mod listing;
mod open;
mod pool;
mod proof;
mod read;
mod receipts;
mod schema;
mod script;
mod secret;
mod several;
mod sweep;
mod till;
mod turns;
mod units;
mod writer;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use tokio::sync::SemaphorePermit;

pub use accounts::Balance;
pub use backup::{BackupError, Checked, Restored, backup, prepare};
pub use config::{Retention, SqlConfig};
pub use counters::SqlCounts;
pub use error::OpenError;
pub use open::open;
pub use proof::{ProofError, prove};

use crate::{
    domain::{
        budget::AccountId,
        catalog::CatalogChange,
        code::Code,
        decision::Decision,
        inputs::Inputs,
        name::{CampaignName, DeviceName, ProfileName},
        offer::{DecisionId, OfferId, RedemptionId},
        ping::PingId,
        profile::Profile,
        redemption::{KeptOffer, Redemption, TillRequest},
        text::ExperimentId,
        time::Timestamp,
    },
    ports::{
        AccountUse, Answer, Appended, ArmResult, CatalogStore, ChangeRecord, Commit, Committed, CountQuery, Coupons,
        Edit, FoundReceipts, History, HistoryQuery, Ledger, LedgerProof, OfferQuery, Past, ReceiptQuery, Receipts,
        Records, RedemptionQuery, StoreError, TillAnswer, Uploaded, VerdictCount,
    },
};
use counters::Counters;
use engine::{Engine, Reader, in_time};
use turns::Turns;

/// An open database.
pub struct Sql {
    engine: Engine,
    keep: Retention,
    counters: Arc<Counters>,
    /// How far accounts of periods that are over were looked for.
    swept: Arc<ended::Place>,
    turns: Turns,
    /// As [`SqlConfig::longest_call`].
    longest_call: Duration,
}

impl Sql {
    pub fn counts(&self) -> SqlCounts {
        self.counters.read()
    }

    /// Every account with what it says is taken and what its holds say; the two are equal, or law 5 is broken.
    pub async fn balances(&self) -> Result<Vec<Balance>, StoreError> {
        accounts::balances(&mut self.engine.reader().await?.conn()).await
    }

    /// A connection for what may be much, and the turn to use it, which lasts as long.
    async fn lister(&self) -> Result<(SemaphorePermit<'_>, Reader), StoreError> {
        let turn = self.turns.to_list().await?;
        Ok((turn, self.engine.lister().await?))
    }

    /// Ends what is under way and lets the database go; whatever comes later is refused as unavailable.
    pub async fn close(&self) {
        self.engine.close().await;
    }
}

#[async_trait]
impl Records for Sql {
    async fn profile(&self, name: &ProfileName) -> Result<Option<Profile>, StoreError> {
        read::profile(&mut self.engine.reader().await?.conn(), name).await
    }

    async fn profile_version(&self, name: &ProfileName) -> Result<Option<u64>, StoreError> {
        read::profile_version(&mut self.engine.reader().await?.conn(), name).await
    }

    async fn is_erased(&self, name: &ProfileName) -> Result<bool, StoreError> {
        read::is_erased(&mut self.engine.reader().await?.conn(), name).await
    }

    async fn profile_of(&self, device: &DeviceName) -> Result<Option<ProfileName>, StoreError> {
        read::profile_of(&mut self.engine.reader().await?.conn(), device).await
    }

    async fn answer(&self, device: &DeviceName, ping: &PingId) -> Result<Option<Answer>, StoreError> {
        read::answer(&mut self.engine.reader().await?.conn(), device, ping).await
    }

    async fn decision(&self, id: &DecisionId, now: Timestamp) -> Result<Option<Decision>, StoreError> {
        receipts::decision(&mut self.engine.reader().await?.conn(), id, now).await
    }

    fn keeps_inputs(&self) -> bool {
        self.keep.inputs.is_some()
    }

    async fn inputs(&self, id: &DecisionId, now: Timestamp) -> Result<Option<Inputs>, StoreError> {
        inputs::read(&mut self.engine.reader().await?.conn(), id, now).await
    }

    async fn commit(&self, commit: Commit) -> Result<Committed, StoreError> {
        let result = self.engine.write(commit::Recorded { commit, keep: self.keep }).await;
        self.counters.commit(&result);
        result
    }

    async fn erase(&self, name: &ProfileName, at: Timestamp) -> Result<Option<u64>, StoreError> {
        self.engine.write(erase::Erasure { name: name.clone(), at }).await
    }

    async fn secret(&self, label: &str, fresh: [u8; 32]) -> Result<[u8; 32], StoreError> {
        self.engine.write(secret::Secret { label: label.to_owned(), fresh }).await
    }

    async fn sweep(&self, past: Past, now: Timestamp, most: u32) -> Result<u64, StoreError> {
        let unshown = self.keep.unshown.map(|grace| now - grace);
        sweep::Sweep { past, now, most, unshown, accounts: self.swept.clone() }.run(&self.engine).await
    }
}

#[async_trait]
impl Coupons for Sql {
    async fn offer(&self, id: &OfferId) -> Result<Option<KeptOffer>, StoreError> {
        coupons::offer(&mut self.engine.reader().await?.conn(), id).await
    }

    async fn offers_with_code(&self, code: &Code) -> Result<Vec<KeptOffer>, StoreError> {
        coupons::offers_with_code(&mut self.engine.reader().await?.conn(), code).await
    }

    async fn offer_to(
        &self,
        profile: &ProfileName,
        campaign: &CampaignName,
        now: Timestamp,
    ) -> Result<Option<KeptOffer>, StoreError> {
        coupons::offer_to(&mut self.engine.reader().await?.conn(), profile, campaign, now).await
    }

    async fn offers(&self, query: &OfferQuery) -> Result<Vec<KeptOffer>, StoreError> {
        coupons::offers(&mut self.engine.reader().await?.conn(), query).await
    }

    async fn redemption(&self, id: &RedemptionId) -> Result<Option<Redemption>, StoreError> {
        coupons::redemption(&mut self.engine.reader().await?.conn(), id).await
    }

    async fn redemptions(&self, query: &RedemptionQuery) -> Result<Vec<Redemption>, StoreError> {
        coupons::redemptions(&mut self.engine.reader().await?.conn(), query).await
    }

    async fn till_answer(&self, request: &TillRequest) -> Result<Option<TillAnswer>, StoreError> {
        coupons::till_answer(&mut self.engine.reader().await?.conn(), request).await
    }

    async fn add_codes(&self, campaign: &CampaignName, codes: Vec<Code>) -> Result<Option<Uploaded>, StoreError> {
        self.engine.write(pool::Upload { campaign: campaign.clone(), codes }).await
    }
}

#[async_trait]
impl Ledger for Sql {
    async fn accounts(
        &self,
        campaign: &CampaignName,
        before: Option<&AccountId>,
        most: u32,
    ) -> Result<Vec<AccountUse>, StoreError> {
        accounts::of_campaign(&mut self.engine.reader().await?.conn(), campaign, before, most).await
    }

    async fn spent(&self, of: &[AccountId]) -> Result<Vec<AccountId>, StoreError> {
        accounts::spent(&mut self.engine.reader().await?.conn(), of).await
    }

    async fn arms(&self, campaign: &CampaignName, experiment: &ExperimentId) -> Result<Vec<ArmResult>, StoreError> {
        let (_turn, mut lister) = self.lister().await?;
        in_time(arms::of_experiment(&mut lister.conn(), campaign, experiment)).await
    }

    async fn prove(&self, at: Timestamp) -> Result<LedgerProof, StoreError> {
        let _turn = self.turns.to_prove().await?;
        let mut snapshot = self.engine.snapshot_aside(self.longest_call).await?;
        audit::prove(&mut snapshot.conn(), at).await
    }
}

#[async_trait]
impl Receipts for Sql {
    async fn decisions(&self, query: &ReceiptQuery) -> Result<FoundReceipts, StoreError> {
        let (_turn, mut lister) = self.lister().await?;
        in_time(listing::decisions(&mut lister.conn(), query)).await
    }

    async fn verdicts(&self, query: &CountQuery) -> Result<Vec<VerdictCount>, StoreError> {
        let (_turn, mut lister) = self.lister().await?;
        in_time(receipts::verdicts(&mut lister.conn(), query)).await
    }
}

#[async_trait]
impl History for Sql {
    async fn changes(&self, query: &HistoryQuery) -> Result<Vec<ChangeRecord>, StoreError> {
        history::changes(&mut self.engine.reader().await?.conn(), query).await
    }
}

#[async_trait]
impl CatalogStore for Sql {
    async fn head(&self) -> Result<u64, StoreError> {
        catalog::head(&mut self.engine.reader().await?.conn()).await
    }

    async fn changes_between(&self, after: u64, until: u64) -> Result<Vec<CatalogChange>, StoreError> {
        let mut snapshot = self.engine.snapshot(catalog::LONGEST_READ).await?;
        catalog::changes_between(&mut snapshot.conn(), (after, until), &self.counters).await
    }

    async fn append(&self, edits: Vec<Edit>, author: &str, at: Timestamp) -> Result<Appended, StoreError> {
        self.engine.write(catalog::Append { edits, author: author.to_owned(), at }).await
    }
}
