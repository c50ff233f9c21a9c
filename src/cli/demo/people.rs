//! The two people of the demo: who they are, and the phones they carry.

use prost_types::Timestamp as WireTime;
use tonic::transport::Channel;

use super::{api::Api, walk};
use crate::{
    domain::{geo::Position, time::Timestamp},
    grpc::pb::{
        BeaconSighting, Consent, Decision, Fix, LatLng, Next, PingRequest, PingResponse, Platform, Purpose,
        RegisterDeviceRequest, TraitValue, trait_value,
    },
};

/// How far a phone hears the demo's beacon, in metres.
const BEACON_REACH_M: f64 = 15.0;

/// Somebody, as the publisher knows them.
pub struct Character {
    pub name: &'static str,
    pub story: &'static str,
    pub interests: &'static [(&'static str, f64)],
    pub tier: &'static str,
}

pub const CHARACTERS: [Character; 2] = [
    Character {
        name: "Aino",
        story: "drinks coffee, gold member",
        interests: &[("coffee", 0.9), ("design", 0.6)],
        tier: "gold",
    },
    Character {
        name: "Mikko",
        story: "runs, new here",
        interests: &[("running", 0.8), ("design", 0.3)],
        tier: "basic",
    },
];

impl Character {
    pub fn traits(&self) -> std::collections::HashMap<String, TraitValue> {
        let tier = TraitValue { value: Some(trait_value::Value::Text(self.tier.to_owned())) };
        [("tier".to_owned(), tier)].into()
    }
}

/// A registered phone in somebody's pocket.
pub struct Phone {
    pub owner: &'static Character,
    pub profile: String,
    api: Api,
    /// Where and when the next ping can matter, as the last answer said.
    quiet: Option<(Position, Next)>,
    pings: u32,
    pub fixes: u32,
}

/// What a ping came to.
pub struct Heard {
    pub answer: PingResponse,
    /// The receipt, if the ping changed anything.
    pub receipt: Option<Decision>,
}

impl Phone {
    /// Registers the phone with the app's key; its owner agrees to everything.
    pub async fn register(
        owner: &'static Character,
        channel: Channel,
        app_key: &str,
        secret: [u8; 16],
    ) -> anyhow::Result<Self> {
        let consent = |purpose: Purpose| Consent {
            purpose: purpose.into(),
            granted: true,
            text_version: "demo".into(),
            given_at: None,
        };
        let request = RegisterDeviceRequest {
            installation_secret: secret.to_vec(),
            consents: [Purpose::Location, Purpose::Marketing, Purpose::Profiling].map(consent).to_vec(),
            language: "en".into(),
            platform: Platform::Other.into(),
            time_zone: "Europe/Helsinki".into(),
            ..RegisterDeviceRequest::default()
        };
        let registered = Api::new(channel.clone(), app_key)?.devices().register_device(request).await?.into_inner();
        let token = registered.token.unwrap_or_default().value;
        let api = Api::new(channel, &token)?;
        Ok(Self { owner, profile: registered.profile, api, quiet: None, pings: 0, fixes: 0 })
    }

    /// Takes a fix; pings if the last answer says that it can matter. `beacon` is where the demo's beacon hangs.
    pub async fn at(&mut self, position: Position, now: Timestamp, beacon: Position) -> anyhow::Result<Option<Heard>> {
        self.fixes += 1;
        let hears = position.distance_to(beacon) <= BEACON_REACH_M;
        if !hears && self.may_stay_silent(position, now) {
            return Ok(None);
        }
        self.pings += 1;
        let request = self.request(position, now, hears);
        let answer = self.api.proximity().ping(request).await?.into_inner();
        self.quiet = answer.next.map(|next| (position, next));
        let receipt = match answer.decision.as_str() {
            "" => None,
            decision => Some(self.api.receipt(decision).await?),
        };
        Ok(Some(Heard { answer, receipt }))
    }

    fn may_stay_silent(&self, position: Position, now: Timestamp) -> bool {
        self.quiet.as_ref().is_some_and(|(from, next)| {
            let until = next.at.as_ref().map_or(0, micros);
            from.distance_to(position) < next.safe_radius_m && now.micros() < until
        })
    }

    fn request(&self, position: Position, now: Timestamp, hears_beacon: bool) -> PingRequest {
        let (seen, accuracy_m) = walk::as_a_phone_sees_it(position, self.fixes);
        let position = Some(LatLng { latitude: seen.latitude(), longitude: seen.longitude() });
        let sighting =
            BeaconSighting { beacon: super::campaigns::BEACON.into(), heard_at: Some(wire(now)), rssi_dbm: Some(-68) };
        PingRequest {
            ping_id: format!("{}-{:06}", self.owner.name, self.pings),
            sent_at: Some(wire(now)),
            fixes: vec![Fix { position, accuracy_m, fix_at: Some(wire(now)), speed_mps: Some(1.2), mocked: false }],
            beacon_sightings: if hears_beacon { vec![sighting] } else { Vec::new() },
            ..PingRequest::default()
        }
    }

    pub fn pings(&self) -> u32 {
        self.pings
    }
}

fn wire(at: Timestamp) -> WireTime {
    let (seconds, micros) = (at.micros().div_euclid(1_000_000), at.micros().rem_euclid(1_000_000));
    WireTime { seconds, nanos: i32::try_from(micros * 1_000).unwrap_or(0) }
}

fn micros(wire: &WireTime) -> i64 {
    wire.seconds * 1_000_000 + i64::from(wire.nanos) / 1_000
}
