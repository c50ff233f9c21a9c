//! The stream of UploadCodes: each message of codes is answered when its codes are durable.
//!
//! Laws: one message at a time, so that what is held is bounded; a stream that is cut off has added what was answered. A
//! pause that is too long is told as such, and not as the end of all codes.

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
        open_streams::{Heard, Messages, OpenStreams},
        overload::Guard,
        pb::{self, refused_code::Reason},
        status::Problem,
    },
};

/// One upload.
pub struct CodeUpload {
    access: Access,
    pools: Arc<Pools>,
    guard: Guard,
    requests: Messages<pb::UploadCodesRequest>,
    /// Named in the first message.
    campaign: Option<CampaignName>,
}

impl CodeUpload {
    pub fn open(
        streams: &OpenStreams,
        access: Access,
        pools: Arc<Pools>,
        requests: Streaming<pb::UploadCodesRequest>,
    ) -> Self {
        let (guard, requests) = (streams.guard.clone(), streams.messages(requests));
        Self { access, pools, guard, requests, campaign: None }
    }

    /// The answer to the next message; none if there are no more. An error ends the stream.
    pub async fn next(&mut self) -> Result<Option<pb::UploadCodesResponse>, Status> {
        let request = match self.requests.next().await? {
            Heard::Message(request) => request,
            Heard::End => return Ok(None),
            Heard::Silence => return Err(Problem::TooSlow.says("no codes came for too long; send the rest again")),
        };
        let guard = self.guard.clone();
        guard.run(self.answer(request)).await.map(Some)
    }

    async fn answer(&mut self, request: pb::UploadCodesRequest) -> Result<pb::UploadCodesResponse, Status> {
        let pb::UploadCodesRequest { campaign, codes } = request;
        let campaign = self.campaign(&campaign)?;
        // It may be deleted, or get codes of another kind, while the stream goes on.
        self.pools.check(&campaign).await?;
        at_most(MAX_CODES, codes.len()).map_err(|invalid| Violations::one("codes", invalid))?;
        let rows = codes.iter().map(|code| Code::parse(code)).collect();
        Ok(report_to_wire(&self.pools.add(&campaign, rows).await?))
    }

    /// The one the stream is about.
    fn campaign(&mut self, said: &str) -> Result<CampaignName, Status> {
        match &self.campaign {
            Some(campaign) if said.is_empty() || said == campaign.as_str() => Ok(campaign.clone()),
            Some(campaign) => {
                let invalid = format!("must be {campaign} in the whole stream, or empty after the first message");
                Err(Violations::one("campaign", invalid).into())
            }
            None => {
                let campaign = CampaignName::parse(said).map_err(|invalid| Violations::one("campaign", invalid))?;
                self.access.reaches(&campaign.organization())?;
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
