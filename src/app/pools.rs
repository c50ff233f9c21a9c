//! Codes that a brand uploads, to be given one by one.

use std::sync::Arc;

use super::resources::{EditError, Obstacle, Resources};
use crate::{
    domain::{
        campaign::Campaign,
        code::Code,
        coupon::{Codes, Coupon},
        name::CampaignName,
        violation::Invalid,
    },
    ports::Coupons,
};

/// Most codes at once.
pub const MAX_CODES: usize = 10_000;
/// Codes of one transaction: others wait for it.
const BATCH: usize = 1_000;

/// What became of codes that were uploaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    pub added: usize,
    /// The rows that were not added.
    pub refused: Vec<(usize, Refused)>,
    /// All codes of the pool, given or not.
    pub pool_size: u64,
}

/// Why a row was not added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// Not of the form codes have.
    Malformed,
    /// The same as an earlier row, or in a pool of this organization already.
    Duplicate,
}

/// Fills pools.
pub struct Pools {
    resources: Arc<Resources>,
    coupons: Arc<dyn Coupons>,
}

impl Pools {
    pub fn new(resources: Arc<Resources>, coupons: Arc<dyn Coupons>) -> Self {
        Self { resources, coupons }
    }

    /// Whether the campaign takes its codes from a pool.
    pub async fn check(&self, name: &CampaignName) -> Result<(), EditError> {
        let campaign = self.resources.get::<Campaign>(name).await?;
        if let Some(Coupon { codes: Codes::Pool, .. }) = &campaign.value.coupon {
            return Ok(());
        }
        let why = format!("{name} has no coupon whose codes come from a pool");
        Err(EditError::Refused(vec![Obstacle::new("NO_POOL", name, why)]))
    }

    /// Adds what was read of each row; what fails half-way can be sent again.
    pub async fn add(&self, campaign: &CampaignName, rows: Vec<Result<Code, Invalid>>) -> Result<Report, EditError> {
        let mut report = Report { added: 0, refused: Vec::new(), pool_size: 0 };
        let mut sound = Vec::with_capacity(rows.len());
        for (row, code) in rows.into_iter().enumerate() {
            match code {
                Ok(code) => sound.push((row, code)),
                Err(_) => report.refused.push((row, Refused::Malformed)),
            }
        }
        let mut batches: Vec<&[(usize, Code)]> = sound.chunks(BATCH).collect();
        if batches.is_empty() {
            // So that the answer knows how many there are.
            batches.push(&[]);
        }
        for batch in batches {
            let codes = batch.iter().map(|(_, code)| code.clone()).collect();
            let uploaded = self.coupons.add_codes(campaign, codes).await?;
            let Some(uploaded) = uploaded else {
                // In the record: this node may not know yet.
                self.resources.newest().await?;
                self.check(campaign).await?;
                return Err(EditError::NotFound(campaign.clone().into()));
            };
            report.pool_size = uploaded.pool_size;
            for ((row, _), added) in batch.iter().zip(uploaded.added) {
                match added {
                    true => report.added += 1,
                    false => report.refused.push((*row, Refused::Duplicate)),
                }
            }
        }
        report.refused.sort_by_key(|(row, _)| *row);
        Ok(report)
    }
}
