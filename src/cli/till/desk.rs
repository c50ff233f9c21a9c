//! What a till asks of the server.
//!
//! Law 2: a request id is drawn once for what is asked, and stays with it however often it is asked for.

use std::time::Duration;

use tonic::transport::Channel;

use super::{
    insist::{Outcome, insist},
    unreadable,
};
use crate::{
    cli::connection::Connection,
    clock::SystemEntropy,
    domain::{
        content::Money,
        name::StoreName,
        redemption::TillId,
        time::{TimeZone, Timestamp},
    },
    grpc::{
        pb::{self, redemption_service_client::RedemptionServiceClient},
        wire::{duration_to_wire, money_to_wire, optional_timestamp, timestamp_to_wire},
    },
    ports::Entropy,
};

/// Redemptions of one page of a list.
const PAGE: i32 = 1_000;
/// No civil day is longer.
const LONGEST_DAY: Duration = Duration::from_secs(25 * 3_600);

/// Since when a list goes.
#[derive(Debug, Clone, Copy)]
pub enum Since {
    Ever,
    /// The shop's midnight before this moment.
    TodayOf(Timestamp),
}

impl Since {
    /// A time before which nothing is wanted, whatever the clock of the shop.
    fn at_the_earliest(self) -> Option<Timestamp> {
        match self {
            Since::Ever => None,
            Since::TodayOf(now) => Some(now - LONGEST_DAY),
        }
    }

    fn has(self, redemption: &pb::Redemption, shop: &TimeZone) -> bool {
        match (self, optional_timestamp(redemption.redeem_time).ok().flatten()) {
            (Since::TodayOf(now), Some(at)) => at >= shop.day_start(now),
            (Since::Ever, _) | (_, None) => true,
        }
    }
}

/// What was redeemed, newest first, and the clock of the shop.
#[derive(Debug)]
pub struct Listed {
    pub redemptions: Vec<pb::Redemption>,
    pub zone: TimeZone,
}

/// A till at a store, connected.
pub struct Desk {
    connection: Connection,
    client: RedemptionServiceClient<Channel>,
    entropy: SystemEntropy,
    pub store: StoreName,
    pub till: TillId,
}

/// A change that is asked for, with its request id. Not to be printed: it has the code.
#[derive(Clone)]
pub enum Asked {
    Redeem(pb::RedeemOfferRequest),
    Reverse(pb::ReverseRedemptionRequest),
}

impl Asked {
    pub fn request_id(&self) -> &str {
        match self {
            Asked::Redeem(request) => &request.request_id,
            Asked::Reverse(request) => &request.request_id,
        }
    }

    /// What is done when it is done.
    pub fn verb(&self) -> &'static str {
        match self {
            Asked::Redeem(_) => "redeemed",
            Asked::Reverse(_) => "taken back",
        }
    }
}

impl Desk {
    pub fn new(connection: Connection, channel: Channel, store: StoreName, till: TillId) -> anyhow::Result<Self> {
        let entropy = SystemEntropy::new().map_err(|_| anyhow::anyhow!("the system gives no random numbers"))?;
        // Fails now rather than at the first customer.
        connection.request(())?;
        Ok(Self { connection, client: RedemptionServiceClient::new(channel), entropy, store, till })
    }

    /// What a coupon is worth, or why nothing. `lock` as in CheckOffer.
    pub async fn check(
        &self,
        presented: pb::Presented,
        lock: Option<Duration>,
        give_up: impl Future<Output = ()>,
        tell: impl FnMut(&str),
    ) -> Outcome<pb::CheckOfferResponse> {
        if let Some(refusal) = unreadable(&presented) {
            return Outcome::Done(pb::CheckOfferResponse { refusal: Some(refusal), ..Default::default() });
        }
        let (store, till, lock) = (self.store.to_string(), self.till.to_string(), lock.map(duration_to_wire));
        let request = pb::CheckOfferRequest { store, till, presented: Some(presented), lock };
        let call = || async { self.client.clone().check_offer(self.bearing(request.clone())?).await };
        insist(false, give_up, tell, call).await
    }

    /// A redemption to ask for; a request id is drawn unless one is given.
    pub fn redeem(
        &self,
        presented: pb::Presented,
        amount: Option<&Money>,
        reference: &str,
        request_id: Option<String>,
    ) -> Asked {
        Asked::Redeem(pb::RedeemOfferRequest {
            request_id: request_id.unwrap_or_else(|| self.draw()),
            store: self.store.to_string(),
            till: self.till.to_string(),
            presented: Some(presented),
            amount: amount.map(money_to_wire),
            till_reference: reference.to_owned(),
        })
    }

    /// The return of a redemption to ask for.
    pub fn reverse(&self, redemption: &str, amount: Option<&Money>, request_id: Option<String>) -> Asked {
        Asked::Reverse(pb::ReverseRedemptionRequest {
            request_id: request_id.unwrap_or_else(|| self.draw()),
            store: self.store.to_string(),
            redemption: redemption.to_owned(),
            amount: amount.map(money_to_wire),
        })
    }

    /// Asks for it until it is answered: the redemption as it is then. `again` if it was asked for before.
    pub async fn ask(
        &self,
        asked: &Asked,
        again: bool,
        give_up: impl Future<Output = ()>,
        tell: impl FnMut(&str),
    ) -> Outcome<pb::Redemption> {
        if let Asked::Redeem(pb::RedeemOfferRequest { presented: Some(presented), .. }) = asked
            && let Some(refusal) = unreadable(presented)
        {
            return Outcome::Refused(refusal);
        }
        let call = || async {
            let mut client = self.client.clone();
            match asked.clone() {
                Asked::Redeem(request) => client.redeem_offer(self.bearing(request)?).await,
                Asked::Reverse(request) => {
                    let answer = client.reverse_redemption(self.bearing(request)?).await?;
                    Ok(answer.map(|answer| answer.redemption.unwrap_or_default()))
                }
            }
        };
        insist(again, give_up, tell, call).await
    }

    /// Redemptions at the store, newest first, from then on; until `enough` says that one is the last wanted.
    pub async fn list(
        &self,
        since: Since,
        give_up: impl Future<Output = ()>,
        enough: impl Fn(&pb::Redemption) -> bool,
    ) -> Outcome<Listed> {
        let (mut found, mut page_token) = (Vec::new(), String::new());
        let mut give_up = std::pin::pin!(give_up);
        loop {
            let request = pb::ListRedemptionsRequest {
                parent: self.store.to_string(),
                page_size: PAGE,
                page_token,
                start_time: since.at_the_earliest().map(timestamp_to_wire),
                end_time: None,
            };
            let call = || async { self.client.clone().list_redemptions(self.bearing(request.clone())?).await };
            let page = match insist(false, &mut give_up, |_| {}, call).await {
                Outcome::Done(page) => page,
                Outcome::Refused(refusal) => return Outcome::Refused(refusal),
                Outcome::Failed(why) => return Outcome::Failed(why),
                Outcome::Unknown(why) => return Outcome::Unknown(why),
            };
            // A store that is deleted has no clock any more.
            let zone = TimeZone::new(&page.time_zone).unwrap_or_else(|_| TimeZone::utc());
            let older = page.redemptions.iter().position(|one| !since.has(one, &zone));
            let last = page.redemptions.iter().position(&enough).map(|last| last + 1);
            let end = older.into_iter().chain(last).min();
            found.extend(page.redemptions.into_iter().take(end.unwrap_or(usize::MAX)));
            page_token = page.next_page_token;
            if page_token.is_empty() || end.is_some() {
                return Outcome::Done(Listed { redemptions: found, zone });
            }
        }
    }

    fn bearing<T>(&self, message: T) -> Result<tonic::Request<T>, tonic::Status> {
        self.connection.request(message).map_err(|fault| tonic::Status::unauthenticated(fault.to_string()))
    }

    /// 128 random bits.
    fn draw(&self) -> String {
        self.entropy.bytes().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::redemption::RequestId;

    #[tokio::test]
    async fn each_request_has_an_id_of_its_own() {
        let channel = Channel::from_static("http://127.0.0.1:1").connect_lazy();
        let store = StoreName::parse("organizations/acme/stores/brera").expect("sound");
        let till = TillId::parse("till-1").expect("sound");
        let desk = Desk::new(Connection::of("http://127.0.0.1:1", "dk_x"), channel, store, till).expect("sound");
        let ids = [0, 1].map(|_| desk.redeem(pb::Presented::default(), None, "", None).request_id().to_owned());
        assert!(ids[0] != ids[1] && ids.iter().all(|id| id.len() == 32 && RequestId::parse(id).is_ok()), "{ids:?}");
        let given = desk.reverse("r", None, Some("mine".to_owned()));
        assert_eq!(given.request_id(), "mine");
    }
}
