//! `WalletService`: what a person holds and has used.

use std::sync::Arc;

use tonic::{Code, Request, Response, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::{
    app::{
        ingest::DeviceCaller,
        people::People,
        tokens::{Tokens, Verified},
        wallet::{ClaimError, Held, Wallet},
    },
    domain::{
        offer::OfferId,
        place::Store,
        profile::Profile,
        time::Timestamp,
        violation::{Invalid, Violations},
    },
    grpc::{
        auth::Principal,
        content_wire::{custom_to_wire, survey_to_wire},
        device_service::token_to_wire,
        pages,
        pb::{self, wallet_offer::State, wallet_service_server::WalletService},
        redemption_wire::{place_in_list, read_place},
        status::{DOMAIN, Problem},
        wire::{money_to_wire, not_one_of, position_to_wire, timestamp_to_wire},
    },
    ports::{Clock, OfferQuery, OfferState},
};

/// Answers [`WalletService`].
pub struct WalletGrpc {
    pub tokens: Arc<Tokens>,
    pub people: Arc<People>,
    pub wallet: Wallet,
    pub clock: Arc<dyn Clock>,
}

#[tonic::async_trait]
impl WalletService for WalletGrpc {
    async fn list_offers(
        &self,
        request: Request<pb::ListOffersRequest>,
    ) -> Result<Response<pb::ListOffersResponse>, Status> {
        let now = self.clock.now();
        let verified = Principal::device(request.extensions())?;
        let asked = asked(&request.into_inner())?;
        let Asked { state, after, most, bound } = asked;
        let query = |profile: &Profile| OfferQuery { profile: profile.name.clone(), state, now, after, most };
        let (profile, held) = self.listed(&verified.caller, query).await?;
        let full = held.len() >= most as usize;
        let last = held.last().filter(|_| full).map(|held| &held.offer);
        let token = last.map(|last| pages::token(&place_in_list(last.offered_at, last.id), &bound));
        Ok(Response::new(pb::ListOffersResponse {
            offers: held.iter().map(|held| held_to_wire(held, now)).collect(),
            next_page_token: token.unwrap_or_default(),
            renewed_token: self.renewal(&verified, &profile, now),
        }))
    }

    async fn claim_offer(
        &self,
        request: Request<pb::ClaimOfferRequest>,
    ) -> Result<Response<pb::ClaimOfferResponse>, Status> {
        let now = self.clock.now();
        let verified = Principal::device(request.extensions())?;
        let pb::ClaimOfferRequest { offer } = request.into_inner();
        let id = OfferId::parse(&offer).map_err(|invalid| Violations::one("offer", invalid))?;
        let (profile, held) = self.claimed(&verified.caller, id).await?;
        let renewed_token = self.renewal(&verified, &profile, now);
        Ok(Response::new(pb::ClaimOfferResponse { offer: Some(held_to_wire(&held, now)), renewed_token }))
    }
}

impl WalletGrpc {
    /// The person's offers, and who that is: somebody may log in meanwhile, who takes them along.
    async fn listed(
        &self,
        caller: &DeviceCaller,
        query: impl Fn(&Profile) -> OfferQuery,
    ) -> Result<(Profile, Vec<Held>), Status> {
        let mut profile = self.people.own(caller).await?;
        loop {
            let held = self.wallet.list(&query(&profile), (&profile, &caller.device)).await?;
            let now = self.people.own(caller).await?;
            if now.name == profile.name {
                return Ok((profile, held));
            }
            profile = now;
        }
    }

    /// The offer with its code, and whose it is now: somebody may log in meanwhile, who takes the offer along.
    async fn claimed(&self, caller: &DeviceCaller, id: OfferId) -> Result<(Profile, Held), Status> {
        let mut profile = self.people.own(caller).await?;
        loop {
            match self.wallet.claim((&profile, &caller.device), id).await {
                Err(ClaimError::NotFound) => {
                    let now = self.people.own(caller).await?;
                    if now.name == profile.name {
                        return Err(ClaimError::NotFound.into());
                    }
                    profile = now;
                }
                done => return Ok((profile, done?)),
            }
        }
    }

    fn renewal(&self, verified: &Verified, profile: &Profile, now: Timestamp) -> Option<pb::DeviceToken> {
        let epoch = profile.devices.get(&verified.caller.device).map_or(0, |device| device.token_epoch);
        self.tokens.renewal(verified, &profile.name, epoch, now).map(token_to_wire)
    }
}

/// Most offers of a page: with the longest texts it still fits into what gRPC clients take.
const MOST: u32 = 200;

/// What a list is asked for.
struct Asked {
    state: Option<OfferState>,
    after: Option<(Timestamp, OfferId)>,
    most: u32,
    /// What its page tokens are bound to.
    bound: String,
}

fn asked(request: &pb::ListOffersRequest) -> Result<Asked, Violations> {
    let pb::ListOffersRequest { page_size, page_token, state: wanted } = request;
    let mut wrong = Violations::default();
    let state = wrong.take("state", state(*wanted));
    let bound = format!("offers {wanted}");
    let parse = |text: &str| read_place(text, OfferId::parse);
    let window = wrong.nest("", pages::window_of(*page_size, page_token, &bound, parse));
    let asked = state.zip(window).map(|(state, window)| {
        let most = u32::try_from(window.limit).unwrap_or(u32::MAX).min(MOST);
        Asked { state, after: window.after, most, bound }
    });
    wrong.finish(asked)
}

fn state(wire: i32) -> Result<Option<OfferState>, Invalid> {
    match State::try_from(wire) {
        Ok(State::Unspecified) => Ok(None),
        Ok(State::Open) => Ok(Some(OfferState::Open)),
        Ok(State::Redeemed) => Ok(Some(OfferState::Redeemed)),
        Ok(State::Ended) => Ok(Some(OfferState::Ended)),
        Ok(State::Returned) => Ok(Some(OfferState::Returned)),
        Err(_) => Err(not_one_of(wire, State::as_str_name)),
    }
}

fn held_to_wire(held: &Held, now: Timestamp) -> pb::WalletOffer {
    let offer = &held.offer;
    let state = match OfferState::of(offer, now) {
        OfferState::Open => State::Open,
        OfferState::Redeemed => State::Redeemed,
        OfferState::Ended => State::Ended,
        OfferState::Returned => State::Returned,
    };
    let said = held.message.clone().unwrap_or_default();
    pb::WalletOffer {
        id: offer.id.to_string(),
        campaign: offer.campaign.to_string(),
        state: state.into(),
        title: said.title,
        body: said.body,
        image_url: said.image_url,
        link: said.link,
        price: said.price.as_ref().map(money_to_wire),
        store: held.store.as_deref().map(store_to_wire),
        coupon: held.coupon.as_ref().map(|coupon| pb::OfferCoupon {
            code: held.code().unwrap_or_default(),
            instruction: coupon.instruction.clone(),
            valid_from: Some(timestamp_to_wire(offer.valid_from)),
        }),
        offer_time: Some(timestamp_to_wire(offer.offered_at)),
        show_by: Some(timestamp_to_wire(offer.show_by)),
        valid_until: Some(timestamp_to_wire(offer.valid_until)),
        show_time: offer.shown_at.map(timestamp_to_wire),
        open_time: offer.opened_at.map(timestamp_to_wire),
        dismiss_time: offer.dismissed_at.map(timestamp_to_wire),
        claim_time: offer.claimed_at.map(timestamp_to_wire),
        redeem_time: offer.redeemed_at.map(timestamp_to_wire),
        reverse_time: offer.reversed_at.map(timestamp_to_wire),
        language: said.language,
        call_to_action: said.call_to_action,
        survey: survey_to_wire(said.survey.as_ref()),
        custom_json: custom_to_wire(said.custom.as_ref()),
        trial: offer.trial,
    }
}

fn store_to_wire(store: &Store) -> pb::OfferStore {
    pb::OfferStore {
        name: store.name.to_string(),
        display_name: store.display_name.clone(),
        address: store.address.clone(),
        position: Some(position_to_wire(store.position)),
    }
}

impl From<ClaimError> for Status {
    fn from(error: ClaimError) -> Self {
        match error {
            ClaimError::NotFound => Problem::NotFound.says(error.to_string()),
            ClaimError::Refused(refusal) => {
                let details = ErrorDetails::with_error_info(refusal.code(), DOMAIN, []);
                Status::with_error_details(Code::FailedPrecondition, refusal.message(), details)
            }
            ClaimError::Busy => Problem::Busy.says("the profile is changing too fast; send the same request again"),
            ClaimError::Store(error) => error.into(),
        }
    }
}
