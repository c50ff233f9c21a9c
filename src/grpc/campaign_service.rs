//! CampaignService: drafts and their life over gRPC.
//!
//! Law: every call begins with `CampaignGrpc::access`; whose campaign it is is asked before the campaign is.

use std::{pin::Pin, sync::Arc};

use futures_util::stream::{self, Stream};
use tonic::{Extensions, Request, Response, Status, Streaming};

use crate::{
    app::{
        campaign_check::{CampaignCheck, Problems},
        campaign_versions::CampaignVersions,
        campaigns::Campaigns,
        pools::Pools,
        resources::Obstacle,
    },
    domain::{
        budget::{AccountId, Unit},
        campaign::{Campaign, CampaignState},
        name::CampaignName,
        organization::Scope,
        violation::{Invalid, Violations},
    },
    engine::catalog::Entry,
    grpc::{
        access::{Access, Work},
        campaign_wire::state_filter,
        code_upload::CodeUpload,
        experiment_wire::results_to_wire,
        open_streams::OpenStreams,
        pages,
        pb::{self, campaign_service_server::CampaignService},
        resource::{self, ListRequest, Patch, Wire},
        status::Problem,
        versions,
    },
    ports::{AccountUse, Ledger},
};

/// Serves campaigns.
pub struct CampaignGrpc {
    pub campaigns: Arc<Campaigns>,
    pub check: CampaignCheck,
    pub versions: Arc<CampaignVersions>,
    pub pools: Arc<Pools>,
    pub ledger: Arc<dyn Ledger>,
    pub streams: OpenStreams,
}

/// Most accounts of one answer; the rest is on further pages.
const MAX_ACCOUNTS: u32 = 10_000;

/// Most problems that one campaign tells: as many as a refused activation names.
const MAX_PROBLEMS: usize = resource::MAX_OBSTACLES;

type Answer<T> = Result<Response<T>, Status>;

impl CampaignGrpc {
    fn access(extensions: &Extensions) -> Result<Access, Status> {
        Access::to(Work::Campaigns, extensions)
    }

    async fn step(&self, access: Access, name: &str, etag: &str, state: CampaignState) -> Answer<pb::Campaign> {
        let (name, etag) = resource::versioned::<Campaign>(&access, name, etag)?;
        let campaign = self.versions.become_state(&name, state, etag, access.author()).await?;
        self.edited(&campaign).await
    }

    /// What is made is made: its answer is never a refusal.
    async fn edited(&self, campaign: &Entry<Campaign>) -> Answer<pb::Campaign> {
        Ok(Response::new(with_problems(campaign, &self.check.problems_after_edit(campaign).await)))
    }
}

#[tonic::async_trait]
impl CampaignService for CampaignGrpc {
    async fn create_campaign(&self, request: Request<pb::CreateCampaignRequest>) -> Answer<pb::Campaign> {
        let access = Self::access(request.extensions())?;
        let pb::CreateCampaignRequest { parent, campaign_id, campaign } = request.into_inner();
        let id = ("campaign_id", campaign_id.as_str());
        let draft = resource::wanted::<Campaign>(&access, Some(&parent), id, campaign)?;
        let campaign = self.campaigns.create(draft, access.author()).await?;
        // Who creates again may have activated it meanwhile.
        self.edited(&campaign).await
    }

    async fn get_campaign(&self, request: Request<pb::GetCampaignRequest>) -> Answer<pb::Campaign> {
        let access = Self::access(request.extensions())?;
        let name = &request.get_ref().name;
        let campaign = resource::entry::<Campaign>(&access, self.campaigns.resources(), name).await?;
        let problems = self.check.problems(std::slice::from_ref(&campaign)).await?;
        Ok(Response::new(with_problems(&campaign, &problems)))
    }

    async fn list_campaigns(&self, request: Request<pb::ListCampaignsRequest>) -> Answer<pb::ListCampaignsResponse> {
        let access = Self::access(request.extensions())?;
        let pb::ListCampaignsRequest { parent, page_size, page_token, state } = request.get_ref();
        let mut wrong = Violations::default();
        let wanted = wrong.take("state", state_filter(*state)).flatten();
        let request =
            ListRequest { parent: Some(parent), page_size: *page_size, page_token, filter: state.to_string() };
        let keep = |campaign: &Campaign| wanted.is_none_or(|wanted| campaign.state == wanted);
        let page = resource::page(&access, self.campaigns.resources(), &request, wrong, keep).await?;
        // Asked afterwards: then all that are listed are known.
        let problems = self.check.problems(page.entries()).await?;
        let (campaigns, next_page_token) = page.write(|campaign| with_problems(campaign, &problems));
        Ok(Response::new(pb::ListCampaignsResponse { campaigns, next_page_token }))
    }

    async fn update_campaign(&self, request: Request<pb::UpdateCampaignRequest>) -> Answer<pb::Campaign> {
        let access = Self::access(request.extensions())?;
        let pb::UpdateCampaignRequest { campaign, update_mask } = request.into_inner();
        let patch = Patch::<Campaign>::read(&access, campaign, update_mask)?;
        let change = |campaign: &Campaign| patch.apply(campaign);
        let campaign = self.campaigns.update(&patch.name, patch.etag, access.author(), change).await?;
        self.edited(&campaign).await
    }

    async fn delete_campaign(&self, request: Request<pb::DeleteCampaignRequest>) -> Answer<pb::DeleteCampaignResponse> {
        let access = Self::access(request.extensions())?;
        let pb::DeleteCampaignRequest { name, etag } = request.get_ref();
        let (name, etag) = resource::versioned::<Campaign>(&access, name, etag)?;
        self.campaigns.delete(&name, etag, access.author()).await?;
        Ok(Response::new(pb::DeleteCampaignResponse {}))
    }

    async fn activate_campaign(&self, request: Request<pb::ActivateCampaignRequest>) -> Answer<pb::Campaign> {
        let access = Self::access(request.extensions())?;
        let pb::ActivateCampaignRequest { name, etag } = request.get_ref();
        self.step(access, name, etag, CampaignState::Active).await
    }

    async fn pause_campaign(&self, request: Request<pb::PauseCampaignRequest>) -> Answer<pb::Campaign> {
        let access = Self::access(request.extensions())?;
        let pb::PauseCampaignRequest { name, etag } = request.get_ref();
        self.step(access, name, etag, CampaignState::Paused).await
    }

    async fn archive_campaign(&self, request: Request<pb::ArchiveCampaignRequest>) -> Answer<pb::Campaign> {
        let access = Self::access(request.extensions())?;
        let pb::ArchiveCampaignRequest { name, etag } = request.get_ref();
        self.step(access, name, etag, CampaignState::Archived).await
    }

    async fn list_campaign_versions(
        &self,
        request: Request<pb::ListCampaignVersionsRequest>,
    ) -> Answer<pb::ListCampaignVersionsResponse> {
        let access = Self::access(request.extensions())?;
        versions::list(&access, &self.versions, request.get_ref()).await.map(Response::new)
    }

    async fn rollback_campaign(&self, request: Request<pb::RollbackCampaignRequest>) -> Answer<pb::Campaign> {
        let access = Self::access(request.extensions())?;
        let wanted = versions::Wanted::read(&access, request.get_ref())?;
        let versions::Wanted { name, version, etag } = wanted;
        let author = access.author();
        let campaign = self.versions.roll_back(&name, version, etag, author, resource::read_again).await?;
        self.edited(&campaign).await
    }

    async fn get_campaign_use(&self, request: Request<pb::GetCampaignUseRequest>) -> Answer<pb::CampaignUse> {
        let access = Self::access(request.extensions())?;
        let pb::GetCampaignUseRequest { name, page_token } = request.get_ref();
        let campaign = resource::entry::<Campaign>(&access, self.campaigns.resources(), name).await?;
        let (campaign, of) = (&campaign.value.name, format!("use {name}"));
        let before = pages::window_of(0, page_token, &of, |text| account(campaign, text))?.after;
        let accounts = self.ledger.accounts(campaign, before.as_ref(), MAX_ACCOUNTS).await?;
        let last = accounts.last().filter(|_| accounts.len() == MAX_ACCOUNTS as usize);
        let next_page_token = last.map(|last| pages::token(last.account.id.as_str(), &of)).unwrap_or_default();
        let accounts = accounts.iter().map(account_use_to_wire).collect();
        Ok(Response::new(pb::CampaignUse { accounts, next_page_token }))
    }

    async fn get_experiment_results(
        &self,
        request: Request<pb::GetExperimentResultsRequest>,
    ) -> Answer<pb::ExperimentResults> {
        let access = Self::access(request.extensions())?;
        let campaign =
            resource::entry::<Campaign>(&access, self.campaigns.resources(), &request.get_ref().name).await?.value;
        let missing = || Problem::Precondition.says(format!("{} makes no experiment", campaign.name));
        let experiment = campaign.experiment.as_ref().ok_or_else(missing)?;
        let arms = self.ledger.arms(&campaign.name, &experiment.id).await?;
        let is_operator = access.scope == Scope::Operator;
        Ok(Response::new(results_to_wire(&experiment.id, &arms, is_operator)))
    }

    type UploadCodesStream = Pin<Box<dyn Stream<Item = Result<pb::UploadCodesResponse, Status>> + Send>>;

    async fn upload_codes(
        &self,
        request: Request<Streaming<pb::UploadCodesRequest>>,
    ) -> Answer<Self::UploadCodesStream> {
        let access = Self::access(request.extensions())?;
        let upload = CodeUpload::open(&self.streams, access, self.pools.clone(), request.into_inner());
        let answers =
            stream::try_unfold(
                upload,
                |mut upload| async move { Ok(upload.next().await?.map(|answer| (answer, upload))) },
            );
        Ok(Response::new(Box::pin(answers)))
    }
}

/// With what keeps it from firing now.
fn with_problems(campaign: &Entry<Campaign>, problems: &Problems) -> pb::Campaign {
    let problems = problems.tell(&campaign.value).into_iter().take(MAX_PROBLEMS).map(problem_to_wire).collect();
    pb::Campaign { problems, ..Campaign::write(campaign) }
}

fn problem_to_wire(problem: Obstacle) -> pb::CampaignProblem {
    let Obstacle { code, subject, description } = problem;
    pb::CampaignProblem { code: code.to_owned(), subject, description }
}

/// Where the accounts of a campaign go on.
fn account(campaign: &CampaignName, text: &str) -> Result<AccountId, Invalid> {
    let is_own = text.strip_prefix(campaign.as_str()).is_some_and(|rest| rest.starts_with('/'));
    if is_own { Ok(AccountId::of_record(text)) } else { Err(Invalid::new("must be an account of the campaign")) }
}

fn account_use_to_wire(account: &AccountUse) -> pb::AccountUse {
    use pb::account_use::Unit as Wire;
    let unit = match account.unit {
        Some(Unit::Offers) => Wire::Offers,
        Some(Unit::Redemptions) => Wire::Redemptions,
        Some(Unit::Money) => Wire::Money,
        None => Wire::Codes,
    };
    let (place, period) = account.account.parts();
    pb::AccountUse {
        unit: unit.into(),
        place: place.to_owned(),
        period: period.to_owned(),
        taken: account.taken,
        limit: account.limit,
        late_overrun: account.late_overrun,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_go_on_behind_one_of_the_same_campaign_only() {
        let campaign = CampaignName::parse("organizations/acme/campaigns/rain").expect("sound");
        assert!(account(&campaign, "organizations/acme/campaigns/rain/offers.day/2026-06-15").is_ok());
        for other in ["", "organizations/acme/campaigns/rain", "organizations/acme/campaigns/rainy/offers"] {
            assert!(account(&campaign, other).is_err(), "{other}");
        }
    }
}
