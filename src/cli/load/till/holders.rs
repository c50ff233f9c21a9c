//! The phones of a load of tills: each comes to a store, gets its offers, and claims their codes.

#![expect(clippy::disallowed_methods, reason = "how long it takes is told, and nothing is decided by it")]

use std::{sync::Arc, time::Instant};

use anyhow::Context;
use ring::digest::{SHA256, digest};
use tokio::task::JoinSet;
use tonic::transport::Channel;

use super::{
    hopeless,
    scene::{CAMPAIGNS, Scene},
};
use crate::{
    cli::{
        connection::bearing,
        import::progress::Progress,
        load::walker::{REGISTRATION_LIMITS, registration},
        output::note,
    },
    clock::SystemClock,
    grpc::{
        pb::{
            self, device_service_client::DeviceServiceClient, proximity_service_client::ProximityServiceClient,
            wallet_service_client::WalletServiceClient,
        },
        wire::timestamp_to_wire,
    },
    ports::Clock,
};

/// Phones at once.
const AT_ONCE: usize = 32;

/// What is redeemed.
pub struct Coupon {
    pub offer: String,
    pub code: String,
}

/// What phones share.
struct Phones {
    app_key: String,
    places: Vec<pb::LatLng>,
    run: String,
    /// How many codes in all.
    wanted: usize,
}

/// So many claimed coupons.
pub async fn claim(channels: &[Channel], scene: &Scene, run: &str, wanted: usize) -> anyhow::Result<Vec<Coupon>> {
    let (app_key, places, run) = (scene.app_key.clone(), scene.places.clone(), run.to_owned());
    let phones = Arc::new(Phones { app_key, places, run, wanted });
    let (begun, mut progress) = (Instant::now(), Progress::new(wanted as u64, "codes claimed"));
    let count = wanted.div_ceil(CAMPAIGNS as usize);
    let (mut numbers, mut under_way, mut coupons) = (0..count, JoinSet::new(), Vec::with_capacity(wanted));
    loop {
        while under_way.len() < AT_ONCE
            && let Some(number) = numbers.next()
        {
            let (phones, channel) = (phones.clone(), channels[number % channels.len()].clone());
            under_way.spawn(async move { phones.one(channel, number).await });
        }
        let Some(claimed) = under_way.join_next().await else { break };
        let claimed: Vec<Coupon> = claimed??;
        progress.add(claimed.len() as u64);
        coupons.extend(claimed);
    }
    note(format!("{count} phones claimed {} codes in {:.1} s", coupons.len(), begun.elapsed().as_secs_f64()));
    Ok(coupons)
}

impl Phones {
    async fn one(&self, channel: Channel, number: usize) -> anyhow::Result<Vec<Coupon>> {
        let secret = digest(&SHA256, format!("dintorni load till {} {number}", self.run).as_bytes());
        let request = bearing(&self.app_key, registration(secret.as_ref(), false))?;
        let registered = DeviceServiceClient::new(channel.clone()).register_device(request).await;
        let registered = registered.map_err(|status| hopeless(&status, REGISTRATION_LIMITS))?.into_inner();
        let token = registered.token.unwrap_or_default().value;
        let most = (CAMPAIGNS as usize).min(self.wanted - number * CAMPAIGNS as usize);
        let offers = self.offers(&channel, &token, number).await?;
        anyhow::ensure!(offers.len() >= most, "a phone at a store got {} offers of {most}", offers.len());
        let mut coupons = Vec::with_capacity(most);
        let mut wallet = WalletServiceClient::new(channel);
        for offer in offers.into_iter().take(most) {
            let request = pb::ClaimOfferRequest { offer: offer.id.clone() };
            let claimed = wallet.claim_offer(bearing(&token, request)?).await;
            let claimed = claimed.map_err(|status| hopeless(&status, REGISTRATION_LIMITS))?.into_inner();
            let coupon = claimed.offer.and_then(|offer| offer.coupon).context("a claimed offer has no coupon")?;
            coupons.push(Coupon { offer: offer.id, code: coupon.code });
        }
        Ok(coupons)
    }

    /// Comes to its store.
    async fn offers(&self, channel: &Channel, token: &str, number: usize) -> anyhow::Result<Vec<pb::Offer>> {
        let mut client = ProximityServiceClient::new(channel.clone());
        let now = Some(timestamp_to_wire(SystemClock.now()));
        let position = Some(self.places[number % self.places.len()]);
        let fix = pb::Fix { position, accuracy_m: 5.0, fix_at: now, speed_mps: None, mocked: false };
        let ping = pb::PingRequest {
            ping_id: format!("{}-{number:08}", self.run),
            sent_at: now,
            fixes: vec![fix],
            max_offers: CAMPAIGNS,
            ..Default::default()
        };
        let answer = client.ping(bearing(token, ping)?).await;
        Ok(answer.map_err(|status| hopeless(&status, REGISTRATION_LIMITS))?.into_inner().offers)
    }
}
