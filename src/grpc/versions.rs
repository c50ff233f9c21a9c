//! Versions of campaigns over the wire.
//!
//! Law: a version is named by what the campaign's etag was then.

use std::sync::Arc;

use prost::Message;
use tonic::Status;

use crate::{
    app::campaign_versions::CampaignVersions,
    domain::{
        campaign::Campaign,
        catalog::Resource,
        name::CampaignName,
        violation::{Invalid, Violations},
    },
    engine::catalog::Entry,
    grpc::{
        access::Access,
        pages::{self, MAX_BYTES},
        pb,
        resource::{Wire, etag, named},
        wire::{required, timestamp_to_wire},
    },
    ports::ChangeRecord,
};

/// What a rollback asks for.
pub struct Wanted {
    pub name: CampaignName,
    pub version: u64,
    pub etag: Option<u64>,
}

impl Wanted {
    pub fn read(access: &Access, request: &pb::RollbackCampaignRequest) -> Result<Self, Status> {
        let mut wrong = Violations::default();
        let name = named::<Campaign>(access, &mut wrong, "name", &request.name)?;
        let version = wrong.take("version", version(&request.version));
        let etag = wrong.take("etag", etag(&request.etag));
        let wanted = (|| Some(Self { name: name?, version: version?, etag: etag? }))();
        Ok(wrong.finish(wanted)?)
    }
}

fn version(text: &str) -> Result<u64, Invalid> {
    if text.is_empty() {
        return Err(required());
    }
    text.parse().map_err(|_| Invalid::new("must be a version as ListCampaignVersions tells it"))
}

/// Versions that are read at once: each may be as large as a message.
const STEP: usize = 8;

/// A page of the campaign's versions.
pub async fn list(
    access: &Access,
    versions: &CampaignVersions,
    request: &pb::ListCampaignVersionsRequest,
) -> Result<pb::ListCampaignVersionsResponse, Status> {
    let pb::ListCampaignVersionsRequest { name, page_size, page_token } = request;
    let mut wrong = Violations::default();
    let campaign = named::<Campaign>(access, &mut wrong, "name", name)?;
    let of = format!("versions {name}");
    let window = wrong.nest("", pages::window_of(*page_size, page_token, &of, version));
    let (campaign, window) = wrong.finish(campaign.zip(window))?;
    let (mut page, mut bytes, mut after, mut is_full) = (Vec::new(), 0, window.after, false);
    while !is_full {
        let step = STEP.min(window.limit - page.len());
        let changes = versions.list(&campaign, after, step as u32).await?;
        after = changes.last().map(|change| change.version);
        for version in changes.iter().map(version_to_wire) {
            bytes += version.encoded_len();
            is_full |= bytes > MAX_BYTES && !page.is_empty();
            if !is_full {
                page.push(version);
            }
        }
        is_full |= page.len() == window.limit;
        if changes.len() < step {
            break;
        }
    }
    let last = page.last().filter(|_| is_full);
    let next_page_token = last.map(|last: &pb::CampaignVersion| pages::token(&last.version, &of)).unwrap_or_default();
    Ok(pb::ListCampaignVersionsResponse { versions: page, next_page_token })
}

fn version_to_wire(change: &ChangeRecord) -> pb::CampaignVersion {
    let campaign = match &change.resource {
        Some(Resource::Campaign(campaign)) => {
            Some(Campaign::write(&Entry { value: Arc::clone(campaign), etag: change.version }))
        }
        _ => None,
    };
    pb::CampaignVersion {
        version: change.version.to_string(),
        create_time: Some(timestamp_to_wire(change.at)),
        author: change.author.clone(),
        campaign,
    }
}
