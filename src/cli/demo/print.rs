//! What the demo shows: the scene, the walk ping by ping, and what came of it.
//!
//! Law: on a terminal a little colour, in a pipe plain lines; everything printed was in an answer or a receipt.

use std::{collections::BTreeMap, net::SocketAddr, path::Path, time::Duration};

use anyhow::Result;

use super::{
    people::{CHARACTERS, Heard},
    walk::Street,
    world::World,
};
use crate::{
    // A story without a listener ends.
    cli::output::{Paint, say_to_reader as say},
    domain::{
        content::Money,
        time::{TimeZone, Timestamp},
    },
    grpc::{
        pb::{Decision, Offer, Transition, considered_campaign::Verdict, transition::Kind},
        wire::optional_timestamp,
    },
};

/// Inside Kauppakeskus Kluuvi, where everybody is welcome.
const INSIDE: &str = "60.16929,24.94803";

/// Keeps what was printed already, so that nothing is said twice, and counts for the summary.
pub struct Printer {
    paint: Paint,
    zone: TimeZone,
    /// Names of places and campaigns that were seen in answers.
    titles: BTreeMap<String, String>,
    offered: BTreeMap<&'static str, Vec<String>>,
    /// Refusals by person, campaign and code: how often, and in words.
    refused: BTreeMap<(&'static str, String, String), (u32, String)>,
    transitions: usize,
}

impl Printer {
    pub fn new() -> Self {
        Self {
            paint: Paint::for_stdout(),
            zone: TimeZone::new("Europe/Helsinki").unwrap_or_else(|_| TimeZone::utc()),
            titles: BTreeMap::new(),
            offered: BTreeMap::new(),
            refused: BTreeMap::new(),
            transitions: 0,
        }
    }

    /// The scene, which begins at `now`.
    pub fn scene(&mut self, address: &SocketAddr, folder: &Path, world: &World, now: Timestamp) -> Result<()> {
        self.titles.extend(world.titles.clone());
        let imported = &world.imported;
        say(self.paint.title("Dintorni demo: two people, two streets, the real shops of central Helsinki"))?;
        say(format_args!("  server     {address}, everything embedded in {}", folder.display()))?;
        say(format_args!("  imported   {} places in {:.2} s", imported.created, world.import_took.as_secs_f64()))?;
        for small in &imported.small_geofences {
            let what =
                self.paint.faint(format_args!("warning: {}: {}", self.title(&small.geofence), small.description));
            say(format_args!("             {what}"))?;
        }
        say(format_args!("  campaigns  {}", world.campaigns.join(" · ")))?;
        for character in &CHARACTERS {
            say(format_args!("  {:<10} {}", character.name, character.story))?;
        }
        say(format_args!("  time       from {} until now, told fast", self.zone.clock(now)))?;
        Ok(())
    }

    pub fn street(&mut self, street: &Street) -> Result<()> {
        let minutes = street.duration().as_secs() / 60;
        say("")?;
        say(self.paint.title(format_args!("{} ({:.0} m, {minutes} min)", street.name, street.length())))?;
        Ok(())
    }

    /// What everybody heard at one step of the walk; what is the same for all is said once, what is nothing not at all.
    pub fn step(&mut self, walked: Duration, now: Timestamp, heard: &[(&'static str, Heard)]) -> Result<()> {
        let blocks: Vec<(&str, Vec<String>)> = heard
            .iter()
            .map(|(who, heard)| (*who, self.lines(who, heard)))
            .filter(|(_, lines)| !lines.is_empty())
            .collect();
        let same = blocks.len() > 1 && blocks.windows(2).all(|pair| pair[0].1 == pair[1].1);
        let mut when = format!("  {} {:>4} s ", self.zone.clock(now), walked.as_secs());
        for (who, lines) in if same { &blocks[..1] } else { &blocks[..] } {
            let mut who = if same { "both" } else { who };
            for line in lines {
                say(format_args!("{when} {who:<6} {line}"))?;
                (when, who) = (" ".repeat(when.len()), "");
            }
        }
        Ok(())
    }

    fn lines(&mut self, who: &'static str, heard: &Heard) -> Vec<String> {
        let Some(receipt) = &heard.receipt else { return Vec::new() };
        self.transitions += heard.answer.transitions.len();
        let mut lines = Vec::new();
        let told: Vec<String> = heard.answer.transitions.iter().filter_map(|t| self.transition(t)).collect();
        if !told.is_empty() {
            lines.push(told.join("; "));
        }
        for offer in &heard.answer.offers {
            lines.extend(self.offer(who, offer));
        }
        lines.extend(self.refusals(who, receipt));
        lines
    }

    /// In words. Leaving the circle around a shop is not worth a line.
    fn transition(&self, transition: &Transition) -> Option<String> {
        let place = self.title(&transition.place);
        let seconds = transition.duration.as_ref().map_or(0, |duration| duration.seconds);
        match (transition.kind(), transition.radius_m) {
            (Kind::Entered, Some(_)) => Some(format!("at {place}")),
            (Kind::Entered, None) => Some(format!("entered {place}")),
            (Kind::Dwelt, _) => Some(format!("stayed {seconds} s in {place}")),
            (Kind::Exited, None) => {
                let last = optional_timestamp(transition.at).ok().flatten().map(|at| self.zone.clock(at));
                let last = last.map(|last| format!(": last seen inside at {last}, after {seconds} s"));
                Some(format!("left {place}{}", last.unwrap_or_default()))
            }
            (Kind::Heard, _) => Some(format!("heard the beacon at the {place}")),
            (Kind::Crossed, None) => Some(format!("passed through {place}")),
            (Kind::Exited | Kind::Crossed, Some(_)) | (Kind::Unspecified, _) => None,
        }
    }

    fn offer(&mut self, who: &'static str, offer: &Offer) -> [String; 2] {
        let price = offer.price.as_ref().and_then(|price| Money::new(&price.currency, price.minor_units).ok());
        let price = price.map(|price| format!("  {price}")).unwrap_or_default();
        let store = offer.store.as_ref().map(|store| format!("  {}", store.display_name)).unwrap_or_default();
        let distance = offer.distance_m.filter(|&metres| metres >= 1.0).map(|metres| format!(", {metres:.0} m"));
        self.offered.entry(who).or_default().push(offer.title.clone());
        let title = self.paint.good(format_args!("★ {}", offer.title));
        [format!("{title}{price}{store}{}", distance.unwrap_or_default()), format!("  because: {}", offer.reason)]
    }

    /// Each refusal is shown once for each person; the summary counts them all.
    fn refusals(&mut self, who: &'static str, receipt: &Decision) -> Vec<String> {
        let mut lines = Vec::new();
        for considered in &receipt.considered {
            let Some(Verdict::Refused(refusal)) = &considered.verdict else { continue };
            let key = (who, considered.campaign.clone(), refusal.code.clone());
            let times = &mut self.refused.entry(key).or_insert((0, refusal.description.clone())).0;
            *times += 1;
            if *times == 1 {
                let title = self.title(&considered.campaign);
                lines.push(self.paint.faint(format_args!("– not \"{title}\": {}", refusal.description)));
            }
        }
        lines
    }

    fn title(&self, name: &str) -> String {
        self.titles.get(name).cloned().unwrap_or_else(|| short(name).to_owned())
    }

    pub fn summary(&self, world: &World) -> Result<()> {
        say("")?;
        say(self.paint.title("What came of it"))?;
        for phone in &world.phones {
            let (name, fixes, pings) = (phone.owner.name, phone.fixes, phone.pings());
            let offers = self.offered.get(name).map_or(&[][..], Vec::as_slice);
            say(format_args!(
                "  {name}: {} offers; {pings} of {fixes} fixes were sent, no other could change anything",
                offers.len()
            ))?;
            for title in offers {
                say(format_args!("    got      {title}"))?;
            }
            let refused = self.refused.iter().filter(|((who, ..), _)| *who == name);
            for ((_, campaign, code), (times, words)) in refused {
                say(format_args!("    not      {} ({code}, {times} ×): {words}", self.title(campaign)))?;
            }
        }
        say(format_args!(
            "  {} transitions; each offer has a receipt that names every campaign considered",
            self.transitions
        ))?;
        Ok(())
    }

    pub fn what_next(&self) -> Result<()> {
        say("")?;
        say("Next: `cargo run --release -- demo --keep` leaves it running and prints how to call it;")?;
        say("      the README has clients in Python and Node; `cargo run --release -- serve` is the real thing.")?;
        Ok(())
    }

    pub fn how_to_call(&self, address: &SocketAddr, operator_key: &str, app_key: &str) -> Result<()> {
        say("")?;
        say(format_args!(
            "The server is still running on {address}, by the true time; Ctrl-C ends it and removes its folder."
        ))?;
        say(format_args!("  the operator key  {operator_key}"))?;
        say(format_args!("  the app's key     {app_key}"))?;
        say("")?;
        say("A phone enters Kauppakeskus Kluuvi, and gets an offer:")?;
        say(format_args!("  DINTORNI_KEY={app_key} \\"))?;
        say(format_args!("    dintorni ping --server http://{address} --at {INSIDE} --explain"))?;
        say("The same server by grpcurl: what it has, a brand's campaigns, a new phone and its token:")?;
        say(format_args!("  grpcurl -plaintext {address} list"))?;
        say(format_args!("  grpcurl -plaintext -H 'authorization: Bearer {operator_key}' \\"))?;
        say(format_args!(
            "    -d '{{\"parent\":\"organizations/paahto\"}}' {address} dintorni.v1.CampaignService/ListCampaigns"
        ))?;
        say(format_args!("  grpcurl -plaintext -H 'authorization: Bearer {app_key}' \\"))?;
        say(format_args!(
            "    -d '{{\"installation_secret\":\"MDEyMzQ1Njc4OWFiY2RlZg==\",\"language\":\"en\",\"platform\":3,"
        ))?;
        let consents = [1, 2, 3].map(|purpose| format!(r#"{{"purpose":{purpose},"granted":true,"text_version":"1"}}"#));
        let [location, marketing, profiling] = consents;
        say(format_args!("         \"consents\":[{location},"))?;
        say(format_args!("           {marketing},"))?;
        say(format_args!("           {profiling}]}}' \\"))?;
        say(format_args!("    {address} dintorni.v1.DeviceService/RegisterDevice"))?;
        Ok(())
    }
}

/// The last part of a name.
fn short(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}
