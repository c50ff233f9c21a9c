//! Floor 2: contracts with the outside, each with its laws in its docs.
//!
//! To add a port: write the trait here with its laws, write one conformance suite for them in
//! `tests/it/conformance`, then write adapters in `storage`, and run the suite on each. A port speaks of domain
//! types only; how they are encoded is the adapter's business.

mod cache;
mod catalog_store;
mod clock;
mod coupons;
mod error;
mod history;
mod ledger;
mod receipts;
mod records;

pub use cache::{CachedProfile, ProfileCache};
pub use catalog_store::{Appended, CatalogStore, Edit, Expected, NEWEST};
pub use clock::{Clock, Entropy};
pub use coupons::{Coupons, OfferQuery, OfferState, RedemptionQuery, RedemptionsOf, Uploaded};
pub use error::StoreError;
pub use history::{Action, ChangeRecord, History, HistoryOf, HistoryQuery};
pub use ledger::{AccountUse, ArmResult, Ledger, LedgerFault, LedgerFaultKind, LedgerProof};
pub use receipts::{CountQuery, FoundReceipts, ReceiptOrder, ReceiptQuery, Receipts, ReceiptsOf, VerdictCount};
pub use records::{
    Absorbed, Answer, Claim, Commit, Committed, EngagementMark, Handover, NewCode, Past, ProfileWrite, Records,
    TillAnswer, TillChange,
};
