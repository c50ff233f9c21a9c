//! `RedemptionService`: coupons at the till.
//!
//! Laws: which stores a key opens is asked before the store is; a refusal tells one reason of a closed list, and nothing
//! of the person.

use std::sync::Arc;

use tonic::{Code, Extensions, Request, Response, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::{
    app::{reversals::Reversals, till_answers::TillError, tills::Tills},
    domain::{
        name::{CampaignName, StoreName},
        offer::RedemptionId,
        organization::Scope,
        redemption::{Redemption, Refusal},
        time::TimeZone,
        violation::{Invalid, Violations},
    },
    grpc::{
        access::{Access, Work},
        limits::TillLimits,
        pages,
        pb::{self, redemption_service_server::RedemptionService},
        redemption_wire::{
            check, checked_to_wire, place_in_list, read_place, redeem, redemption_to_wire, refusal_to_wire, reverse,
        },
        status::{DOMAIN, Problem, with_detail},
        wire::optional_timestamp,
    },
    ports::{RedemptionQuery, RedemptionsOf},
};

/// Answers [`RedemptionService`].
pub struct RedemptionGrpc {
    pub limits: Arc<TillLimits>,
    pub tills: Arc<Tills>,
    pub reversals: Arc<Reversals>,
}

type Answer<T> = Result<Response<T>, Status>;

impl RedemptionGrpc {
    fn access(&self, extensions: &Extensions) -> Result<Access, Status> {
        let access = Access::to(Work::Tills, extensions)?;
        self.limits.check(&access.key)?;
        Ok(access)
    }
}

#[tonic::async_trait]
impl RedemptionService for RedemptionGrpc {
    async fn check_offer(&self, request: Request<pb::CheckOfferRequest>) -> Answer<pb::CheckOfferResponse> {
        let access = self.access(request.extensions())?;
        let request = request.into_inner();
        access.serves(&request.store)?;
        let (at, lock) = check(request)?;
        Ok(Response::new(checked_to_wire(self.tills.check(&at, lock).await?)))
    }

    async fn redeem_offer(&self, request: Request<pb::RedeemOfferRequest>) -> Answer<pb::Redemption> {
        let access = self.access(request.extensions())?;
        let request = request.into_inner();
        access.serves(&request.store)?;
        let asked = redeem(request, &access.key)?;
        let redemption = self.tills.redeem(&asked.at, &asked.sale).await?;
        Ok(Response::new(redemption_to_wire(&redemption)))
    }

    async fn reverse_redemption(
        &self,
        request: Request<pb::ReverseRedemptionRequest>,
    ) -> Answer<pb::ReverseRedemptionResponse> {
        let access = self.access(request.extensions())?;
        let request = request.into_inner();
        access.serves(&request.store)?;
        let asked = reverse(request, &access.key)?;
        let after = self.reversals.reverse(&asked.store, asked.redemption, &asked.request, asked.amount).await?;
        Ok(Response::new(pb::ReverseRedemptionResponse { redemption: Some(redemption_to_wire(&after)) }))
    }

    async fn list_redemptions(
        &self,
        request: Request<pb::ListRedemptionsRequest>,
    ) -> Answer<pb::ListRedemptionsResponse> {
        let (_, extensions, request) = request.into_parts();
        let mut shows_offers = true;
        let of = match request.parent.split('/').nth(2) {
            Some("campaigns") => {
                let access = Access::to(Work::Campaigns, &extensions)?;
                let name = named("parent", CampaignName::parse(&request.parent))?;
                access.reaches(&name.organization())?;
                shows_offers = access.scope == Scope::Operator;
                RedemptionsOf::Campaign(name)
            }
            _ => {
                let access = self.access(&extensions)?;
                access.serves(&request.parent)?;
                RedemptionsOf::Store(named("parent", StoreName::parse(&request.parent))?)
            }
        };
        let zone = match &of {
            RedemptionsOf::Store(store) => self.tills.zone_of(store),
            RedemptionsOf::Campaign(_) | RedemptionsOf::Person(..) => None,
        };
        let (query, bound) = query(of, &request)?;
        let redemptions = self.tills.list(&query).await?;
        let full = redemptions.len() >= query.most as usize;
        let last = redemptions.last().filter(|_| full);
        let token = last.map(|last| pages::token(&place_in_list(last.redeemed_at, last.id), &bound));
        Ok(Response::new(pb::ListRedemptionsResponse {
            redemptions: redemptions.iter().map(|one| listed_to_wire(one, shows_offers)).collect(),
            next_page_token: token.unwrap_or_default(),
            time_zone: zone.map(|zone| zone.name().to_owned()).unwrap_or_default(),
        }))
    }
}

/// An offer's id tells the millisecond it was made in (law 10): whose tills saw it knows it, and its brand need not.
fn listed_to_wire(redemption: &Redemption, shows_offers: bool) -> pb::Redemption {
    let told = redemption_to_wire(redemption);
    if shows_offers { told } else { pb::Redemption { offer: String::new(), ..told } }
}

fn named<T>(field: &str, name: Result<T, Invalid>) -> Result<T, Status> {
    name.map_err(|invalid| Violations::one(field, invalid).into())
}

/// The query, and what its page tokens are bound to.
fn query(of: RedemptionsOf, request: &pb::ListRedemptionsRequest) -> Result<(RedemptionQuery, String), Violations> {
    let pb::ListRedemptionsRequest { parent, page_size, page_token, start_time, end_time } = request;
    let mut wrong = Violations::default();
    let from = wrong.take("start_time", optional_timestamp(*start_time));
    let until = wrong.take("end_time", optional_timestamp(*end_time));
    let bound = format!("{parent} {start_time:?} {end_time:?}");
    let parse = |text: &str| read_place(text, RedemptionId::parse);
    let window = wrong.nest("", pages::window_of(*page_size, page_token, &bound, parse));
    let query = (|| {
        let (from, until, window) = (from?, until?, window?);
        let most = u32::try_from(window.limit).unwrap_or(u32::MAX);
        Some((RedemptionQuery { of, from, until, after: window.after, most }, bound))
    })();
    wrong.finish(query)
}

/// The refusal of a coupon.
fn refused(refusal: &Refusal, shop: &TimeZone) -> Status {
    let code = match refusal {
        Refusal::UnknownCode { .. } => Code::NotFound,
        _ => Code::FailedPrecondition,
    };
    let details = ErrorDetails::with_error_info(refusal.code(), DOMAIN, []);
    let status = Status::with_error_details(code, refusal.message(shop), details);
    with_detail(status, "dintorni.v1.CouponRefusal", &refusal_to_wire(refusal, shop))
}

impl From<TillError> for Status {
    fn from(error: TillError) -> Self {
        match error {
            TillError::Refused(refusal, shop) => refused(&refusal, &shop),
            TillError::NotFound(_) => Problem::NotFound.says(error.to_string()),
            TillError::AnotherBody => {
                Problem::RequestIdReused.says("request_id was used for another request; draw a new one")
            }
            TillError::NotReversed(why) => Problem::Precondition.says(why),
            TillError::LockedOut(wait) => Problem::LockedOut.says_until(wait, error.to_string()),
            TillError::Busy => Problem::Busy.says("the offer is changing too fast; send the same request again"),
            TillError::Store(error) => error.into(),
        }
    }
}
