//! `dintorni explain`: why somebody got a campaign or not, and whether somebody would.
//!
//! Law: it asks the server and adds nothing of its own but words; what a credential may not see it does not tell.

mod persona;
mod tell;

use std::process::ExitCode;

use clap::Args;

use self::persona::MadeUp;
use super::{
    connection::Connection,
    json::to_json,
    names,
    output::{Paint, refusal, say},
    ping::receipt,
};
use crate::{
    config::Mistakes,
    domain::{
        offer::DecisionId,
        time::{TimeZone, Timestamp},
    },
    grpc::{
        pb::{self, decision_service_client::DecisionServiceClient, explain_campaign_request::Whom},
        wire::timestamp_to_wire,
    },
};

/// Say why a campaign was chosen or refused, or would be
///
/// With the id of a decision it prints the receipt: each campaign that was considered, best first, with the verdict, the
/// numbers behind it, and what would have changed it. With a campaign alone it counts the people who met each verdict; with
/// a person too it asks whether they would get it at a place: a real one (--profile, with a server, owner or operator key)
/// or one that is made up (--persona, with a brand key too). Nothing is recorded.
///
/// For example: dintorni explain acme/espresso --persona acme/shopper --trait tier=gold --at acme/stores/0042
#[derive(Debug, Args)]
pub struct Explain {
    /// The id of a decision, or a campaign such as acme/espresso
    #[arg(value_name = "DECISION|CAMPAIGN")]
    what: String,
    /// A real person, organizations/O/apps/A/profiles/P
    #[arg(long, value_name = "PROFILE", conflicts_with = "persona")]
    profile: Option<String>,
    #[command(flatten)]
    persona: MadeUp,
    /// Where the campaign's trigger happens, such as organizations/acme/stores/0042 or acme/stores/0042
    #[arg(long, value_name = "PLACE")]
    at: Option<String>,
    /// When, such as 2026-11-22T18:30:00Z; without it now
    #[arg(long, value_name = "TIME", value_parser = moment)]
    time: Option<Timestamp>,
    /// Metres from the person to the place, for conditions and rank; that the campaign's trigger happens is supposed
    #[arg(long, value_name = "METRES", default_value_t = 0.0)]
    distance: f64,
    /// On whose clock times are told, such as Europe/Rome: the person's or the store's
    #[arg(long, value_name = "ZONE", default_value = "UTC", value_parser = zone)]
    time_zone: TimeZone,
    /// Print JSON, as protobuf spells Decision, VerdictCounts or Explanation
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: Connection,
}

fn moment(text: &str) -> Result<Timestamp, String> {
    let wrong = || "must be a time such as 2026-11-22T18:30:00Z or 2026-11-22T19:30:00+01:00".to_owned();
    let read: jiff::Timestamp = text.parse().map_err(|_| wrong())?;
    Ok(Timestamp::from_micros(read.as_microsecond()))
}

fn zone(text: &str) -> Result<TimeZone, String> {
    TimeZone::new(text).map_err(|invalid| invalid.to_string())
}

impl Explain {
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        self.connection.check()?;
        match DecisionId::parse(&self.what) {
            Ok(_) => self.receipt().await?,
            Err(_) if self.asks_of_nobody() => self.counts().await?,
            Err(_) => self.campaign().await?,
        }
        Ok(ExitCode::SUCCESS)
    }

    fn asks_of_nobody(&self) -> bool {
        self.profile.is_none() && self.persona.app.is_none() && self.at.is_none() && self.time.is_none()
    }

    async fn counts(&self) -> anyhow::Result<()> {
        let neither =
            |invalid| Mistakes(vec![format!("{:?} is neither a decision's id nor a campaign: {invalid}", self.what)]);
        let campaign = names::campaign(&self.what).map_err(neither)?.to_string();
        let mut client = DecisionServiceClient::new(self.connection.open().await?);
        let request = self.connection.request(pb::CountVerdictsRequest { campaign, ..Default::default() })?;
        let counts = client.count_verdicts(request).await.map_err(|status| refusal(&status))?.into_inner();
        if self.json {
            return say(serde_json::to_string_pretty(&to_json("dintorni.v1.VerdictCounts", &counts)?)?);
        }
        say(tell::counts(counts))
    }

    async fn receipt(&self) -> anyhow::Result<()> {
        if !self.asks_of_nobody() {
            let said = "a decision is what happened: --profile, --persona, --at and --time are for campaigns";
            return Err(Mistakes(vec![said.to_owned()]).into());
        }
        let mut client = DecisionServiceClient::new(self.connection.open().await?);
        let request = self.connection.request(pb::GetDecisionRequest { decision: self.what.clone() })?;
        let receipt = client.get_decision(request).await.map_err(|status| refusal(&status))?.into_inner();
        if self.json {
            return say(serde_json::to_string_pretty(&to_json("dintorni.v1.Decision", &receipt)?)?);
        }
        let paint = Paint::for_stdout();
        say(tell::whose(&receipt, &self.time_zone))?;
        say(receipt::tell(paint, Some(&receipt)))
    }

    async fn campaign(&self) -> anyhow::Result<()> {
        let request = self.question()?;
        let mut client = DecisionServiceClient::new(self.connection.open().await?);
        let answer = client.explain_campaign(self.connection.request(request)?).await;
        let answer = answer.map_err(|status| refusal(&status))?.into_inner();
        if self.json {
            return say(serde_json::to_string_pretty(&to_json("dintorni.v1.Explanation", &answer)?)?);
        }
        say(tell::explanation(Paint::for_stdout(), &self.time_zone, &answer))
    }

    fn question(&self) -> Result<pb::ExplainCampaignRequest, Mistakes> {
        let mut wrong = Vec::new();
        let campaign = names::campaign(&self.what);
        if let Err(invalid) = &campaign {
            wrong.push(format!("{:?} is neither a decision's id nor a campaign: {invalid}", self.what));
        }
        let whom = match (&self.profile, self.persona.persona(&mut wrong)) {
            (Some(profile), _) => Some(Whom::Profile(names::whole(profile))),
            (None, Some(persona)) => Some(Whom::Persona(Box::new(persona))),
            (None, None) => None,
        };
        if whom.is_none() && wrong.is_empty() {
            wrong.push("who is missing: give --profile, or --persona with an app".to_owned());
        }
        let Some(at) = &self.at else {
            wrong.push("the place is missing: give --at".to_owned());
            return Err(Mistakes(wrong));
        };
        if !wrong.is_empty() {
            return Err(Mistakes(wrong));
        }
        Ok(pb::ExplainCampaignRequest {
            campaign: campaign.map(|name| name.to_string()).unwrap_or_default(),
            whom,
            place: names::whole(at),
            time: self.time.map(timestamp_to_wire),
            distance_m: Some(self.distance),
            device: String::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_a_zone() {
        assert_eq!(moment("2026-11-22T19:30:00+01:00"), moment("2026-11-22T18:30:00Z"));
        for wrong in ["", "tomorrow", "2026-11-22", "2026-11-22T18:30:00"] {
            assert!(moment(wrong).is_err(), "{wrong}");
        }
    }
}
