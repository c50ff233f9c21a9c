//! The stream of UploadCodes: each message of codes is answered when its codes are durable.
//!
//! Law: one message at a time, so that what is held is bounded; a stream that is cut off has added what was answered.

use std::sync::Arc;

use tonic::{Status, Streaming};

use crate::{
    app::pools::{MAX_CODES, Pools, Refused, Report},
    domain::{
        code::Code,
        name::CampaignName,
        violation::{Violations, at_most},
    },
    grpc::{
        access::Access,
        overload::Guard,
        pb::{self, refused_code::Reason},
    },
};

/// One upload.
pub struct CodeUpload {
    pub access: Access,
    pub pools: Arc<Pools>,
    pub guard: Guard,
    pub requests: Streaming<pb::UploadCodesRequest>,
    /// Named in the first message.
    campaign: Option<CampaignName>,
}

impl CodeUpload {
    pub fn new(access: Access, pools: Arc<Pools>, guard: Guard, requests: Streaming<pb::UploadCodesRequest>) -> Self {
        Self { access, pools, guard, requests, campaign: None }
    }

    /// The answer to the next message; none if there are no more.
    pub async fn next(&mut self) -> Result<Option<pb::UploadCodesResponse>, Status> {
        let Some(request) = self.requests.message().await? else { return Ok(None) };
        let pb::UploadCodesRequest { campaign, codes } = request;
        let campaign = self.campaign(&campaign).await?;
        at_most(MAX_CODES, codes.len()).map_err(|invalid| Violations::one("codes", invalid))?;
        let rows = codes.iter().map(|code| Code::parse(code)).collect();
        let report = self.guard.run(async { Ok(self.pools.add(&campaign, rows).await?) }).await?;
        Ok(Some(report_to_wire(&report)))
    }

    /// The one the stream is about.
    async fn campaign(&mut self, said: &str) -> Result<CampaignName, Status> {
        match &self.campaign {
            Some(campaign) if said.is_empty() || said == campaign.as_str() => Ok(campaign.clone()),
            Some(campaign) => {
                let invalid = format!("must be {campaign} in the whole stream, or empty after the first message");
                Err(Violations::one("campaign", invalid).into())
            }
            None => {
                let campaign = CampaignName::parse(said).map_err(|invalid| Violations::one("campaign", invalid))?;
                self.access.reaches(&campaign.organization())?;
                self.pools.check(&campaign).await?;
                Ok(self.campaign.insert(campaign).clone())
            }
        }
    }
}

fn report_to_wire(report: &Report) -> pb::UploadCodesResponse {
    let refused = |&(row, why): &(usize, Refused)| pb::RefusedCode {
        row: u32::try_from(row).unwrap_or(u32::MAX),
        reason: match why {
            Refused::Malformed => Reason::Malformed,
            Refused::Duplicate => Reason::Duplicate,
        }
        .into(),
    };
    pb::UploadCodesResponse {
        added: u32::try_from(report.added).unwrap_or(u32::MAX),
        refused: report.refused.iter().map(refused).collect(),
        pool_size: report.pool_size,
    }
}
