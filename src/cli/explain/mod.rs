//! `dintorni explain`: why somebody got a campaign or not, and whether somebody would.
//!
//! Law: it asks the server and adds nothing of its own but words; what a credential may not see it does not tell.

mod gates;
mod past;
mod persona;
mod tell;

use std::process::ExitCode;

use clap::Args;

use self::persona::MadeUp;
use super::{
    connection::Connection,
    json::to_json,
    moments, names,
    output::{Paint, refusal, say},
    ping::receipt,
    zoned::Zoned,
};
use crate::{
    clock::SystemClock,
    config::Mistakes,
    domain::{
        offer::DecisionId,
        time::{TimeZone, Timestamp},
    },
    grpc::{
        pb::{self, decision_service_client::DecisionServiceClient, explain_campaign_request::Whom},
        wire::timestamp_to_wire,
    },
    ports::Clock,
};

/// Say why a campaign was chosen or refused, or would be
///
/// With the id of a decision it prints the receipt: each campaign that was considered, best first, with the verdict, the
/// numbers behind it, and what would have changed it. With a campaign alone it counts the people who met each verdict: to
/// brands in whole tens, and until yesterday. With a person too it asks whether they would get it at a place: a real one
/// (--profile, with a server, owner or operator key) or one that is made up (--persona, with a brand key too). Nothing is
/// recorded.
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
    /// On which of their phones, organizations/O/apps/A/devices/D; without it the one registered last
    #[arg(long, value_name = "DEVICE", requires = "profile")]
    device: Option<String>,
    #[command(flatten)]
    persona: MadeUp,
    /// Where the campaign's trigger happens, such as organizations/acme/stores/0042 or acme/stores/0042
    #[arg(long, value_name = "PLACE")]
    at: Option<String>,
    /// When, such as 2026-11-22T18:30:00Z; without it now
    #[arg(long, value_name = "TIME", value_parser = moments::moment)]
    time: Option<Timestamp>,
    /// Metres from the person to the place, for conditions and rank; that the campaign's trigger happens is supposed
    #[arg(long, value_name = "METRES", default_value_t = 0.0)]
    distance: f64,
    /// On whose clock times are told, such as Europe/Rome: the person's or the store's. Times of day alone ("it was 23:00
    /// for the person") are on the clock that the words name
    #[arg(long, value_name = "ZONE", default_value = "UTC", value_parser = TimeZone::new)]
    time_zone: TimeZone,
    /// Name the gates that let the person pass as well
    #[arg(short, long)]
    verbose: bool,
    /// Print JSON, as protobuf spells Decision, VerdictCounts or Explanation
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connection: Connection,
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
        say(tell::counts(&self.zoned(), counts))
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
        say(tell::whose(&receipt, &self.zoned()))?;
        say(receipt::tell(Paint::for_stdout(), &self.zoned(), Some(&receipt)))
    }

    async fn campaign(&self) -> anyhow::Result<()> {
        let request = self.question()?;
        let mut client = DecisionServiceClient::new(self.connection.open().await?);
        let answer = client.explain_campaign(self.connection.request(request)?).await;
        let answer = answer.map_err(|status| refusal(&status))?.into_inner();
        if self.json {
            return say(serde_json::to_string_pretty(&to_json("dintorni.v1.Explanation", &answer)?)?);
        }
        say(tell::explanation(Paint::for_stdout(), &self.zoned(), &answer, self.verbose))
    }

    fn zoned(&self) -> Zoned {
        Zoned::new(self.time_zone.clone())
    }

    fn question(&self) -> Result<pb::ExplainCampaignRequest, Mistakes> {
        let mut wrong = Vec::new();
        let campaign = names::campaign(&self.what);
        if let Err(invalid) = &campaign {
            wrong.push(format!("{:?} is neither a decision's id nor a campaign: {invalid}", self.what));
        }
        let asked = self.time.unwrap_or_else(|| SystemClock.now());
        let whom = match (&self.profile, self.persona.persona(asked, &mut wrong)) {
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
            device: self.device.as_deref().map(names::whole).unwrap_or_default(),
        })
    }
}
