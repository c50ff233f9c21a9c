//! `dintorni ping`: one ping from the command line, as a phone sends it.
//!
//! Law: it goes the way of every phone, through the public API, with a test device: no budget is taken, and no statistic
//! knows of it.

mod answer;
mod device;
pub(super) mod receipt;

use std::process::ExitCode;

use clap::Args;
use serde_json::json;
use tonic::transport::Channel;

use self::device::{Caller, Device};
use super::{
    connection::{Server, bearing},
    json::to_json,
    output::{Paint, refusal, say},
};
use crate::{
    clock::{SystemClock, SystemEntropy},
    domain::{
        geo::Position,
        ping::{Accuracy, MAX_OFFERS},
    },
    grpc::{
        pb::{self, decision_service_client::DecisionServiceClient, proximity_service_client::ProximityServiceClient},
        wire::{position_to_wire, timestamp_to_wire},
    },
    ports::{Clock, Entropy},
};

/// Send one ping as a phone does, and show what comes of it
///
/// It registers a test device with an app key, pings, and prints the offers, what happened at which place, and when the
/// phone should ask again. A test device takes no budget, and its offers are worth nothing.
///
/// For example: DINTORNI_KEY=dk_… dintorni ping --at 45.4719,9.1881 --explain
#[derive(Debug, Args)]
pub struct Ping {
    /// Where the phone is, in degrees, such as 45.4719,9.1881
    #[arg(long, value_name = "LAT,LNG", value_parser = position, allow_hyphen_values = true)]
    #[arg(required_unless_present = "beacon")]
    at: Option<Position>,
    /// How well the phone knows that, in metres: 68 % of true positions are at least that near
    #[arg(long, value_name = "METRES", default_value_t = 10.0, value_parser = accuracy, allow_negative_numbers = true)]
    accuracy: f64,
    /// A beacon that the phone hears, ibeacon:UUID:MAJOR:MINOR or eddystone-uid:NAMESPACE:INSTANCE; may be repeated
    #[arg(long, value_name = "BEACON")]
    beacon: Vec<String>,
    /// Most offers wanted
    #[arg(long, value_name = "NUMBER", default_value_t = 3)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_OFFERS)))]
    max_offers: u32,
    /// Fetch the receipt too, and say why each campaign was chosen or refused
    #[arg(long)]
    explain: bool,
    /// Print JSON, as protobuf spells it: device, profile, answer, and receipt with --explain
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    device: Device,
    #[command(flatten)]
    server: Server,
}

/// `45.4719,9.1881`; spaces beside the comma do no harm.
pub(super) fn position(text: &str) -> Result<Position, String> {
    let shape = || "must be LATITUDE,LONGITUDE in degrees, such as 45.4719,9.1881".to_owned();
    let (latitude, longitude) = text.split_once(',').ok_or_else(shape)?;
    let degrees = |text: &str| text.trim().parse::<f64>().map_err(|_| shape());
    Position::new(degrees(latitude)?, degrees(longitude)?).map_err(|invalid| invalid.to_string())
}

fn accuracy(text: &str) -> Result<f64, String> {
    let metres = text.parse().map_err(|_| "must be a number of metres".to_owned())?;
    Accuracy::new(metres).map(Accuracy::metres).map_err(|invalid| invalid.to_string())
}

impl Ping {
    /// Pings, and prints the answer.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        self.device.check()?;
        let entropy = SystemEntropy::new().map_err(|_| anyhow::anyhow!("the system gives no random numbers"))?;
        let channel = self.server.open().await?;
        let caller = self.device.caller(&channel, &entropy).await?;
        let request = bearing(&caller.token, self.message(&entropy))?;
        let answer = ProximityServiceClient::new(channel.clone()).ping(request).await;
        let answer = answer.map_err(|status| refusal(&status))?.into_inner();
        let receipt = match self.explain && !answer.decision.is_empty() {
            true => Some(fetch(channel, &caller, &answer.decision).await?),
            false => None,
        };
        if self.json {
            say(self.as_json(&caller, &answer, receipt.as_ref())?)?;
            return Ok(ExitCode::SUCCESS);
        }
        let (paint, zoned) = (Paint::for_stdout(), self.device.zoned());
        say(answer::tell(paint, &zoned, &caller, &answer))?;
        if self.explain {
            say(format!("\n{}", receipt::tell(paint, &zoned, receipt.as_ref())))?;
        } else if !answer.decision.is_empty() {
            say("           --explain tells why")?;
        }
        Ok(ExitCode::SUCCESS)
    }

    fn message(&self, entropy: &SystemEntropy) -> pb::PingRequest {
        let now = Some(timestamp_to_wire(SystemClock.now()));
        let mut id = [0; 16];
        id.copy_from_slice(&entropy.bytes()[..16]);
        let fix = |at| pb::Fix {
            position: Some(position_to_wire(at)),
            accuracy_m: self.accuracy,
            fix_at: now,
            ..Default::default()
        };
        let heard = |beacon: &String| pb::BeaconSighting { beacon: beacon.clone(), heard_at: now, rssi_dbm: None };
        pb::PingRequest {
            ping_id: uuid::Builder::from_random_bytes(id).into_uuid().to_string(),
            sent_at: now,
            fixes: self.at.map(fix).into_iter().collect(),
            beacon_sightings: self.beacon.iter().map(heard).collect(),
            max_offers: self.max_offers,
            ..Default::default()
        }
    }

    fn as_json(
        &self,
        caller: &Caller,
        answer: &pb::PingResponse,
        receipt: Option<&pb::Decision>,
    ) -> anyhow::Result<String> {
        let mut all = json!({
            "device": caller.device,
            "profile": caller.profile,
            "answer": to_json("dintorni.v1.PingResponse", answer)?,
        });
        if self.explain {
            all["receipt"] = receipt.map(|receipt| to_json("dintorni.v1.Decision", receipt)).transpose()?.into();
        }
        Ok(serde_json::to_string_pretty(&all)?)
    }
}

async fn fetch(channel: Channel, caller: &Caller, decision: &str) -> anyhow::Result<pb::Decision> {
    let request = bearing(&caller.token, pb::GetDecisionRequest { decision: decision.to_owned() })?;
    let receipt = DecisionServiceClient::new(channel).get_decision(request).await;
    Ok(receipt.map_err(|status| refusal(&status))?.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_is_two_numbers_in_range() {
        assert_eq!(position("-45.5, 170"), Ok(Position::new(-45.5, 170.0).expect("sound")));
        for wrong in ["", "45.4", "45,4719,9,1881", "north,east", "91,0", "nan,0"] {
            assert!(position(wrong).is_err(), "{wrong}");
        }
    }
}
