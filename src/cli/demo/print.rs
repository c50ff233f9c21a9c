//! What the demo shows: the scene, the walk ping by ping, and what came of it.
//!
//! Law: on a terminal a little colour, in a pipe plain lines; everything printed was in an answer or a receipt.

use std::{
    collections::BTreeMap,
    io::{IsTerminal, stdout},
    net::SocketAddr,
    path::Path,
    time::Duration,
};

use super::{
    people::{CHARACTERS, Heard},
    walk::Street,
    world::World,
};
use crate::{
    domain::{
        content::Money,
        time::{TimeZone, Timestamp},
    },
    grpc::pb::{Decision, Offer, Transition, considered_campaign::Verdict, transition::Kind},
};

/// Keeps what was printed already, so that nothing is said twice, and counts for the summary.
pub struct Printer {
    colour: bool,
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
            colour: stdout().is_terminal(),
            zone: TimeZone::new("Europe/Helsinki").unwrap_or_else(|_| TimeZone::utc()),
            titles: BTreeMap::new(),
            offered: BTreeMap::new(),
            refused: BTreeMap::new(),
            transitions: 0,
        }
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    pub fn scene(&mut self, address: &SocketAddr, folder: &Path, world: &World) {
        let imported = &world.imported;
        println!("{}", self.paint("1", "Dintorni demo: two people, two streets, the real shops of central Helsinki"));
        println!("  server     {address}, everything embedded in {}", folder.display());
        println!("  imported   {} places in {:.2} s", imported.created, world.import_took.as_secs_f64());
        for small in &imported.small_geofences {
            println!("             {}: {}", short(&small.geofence), small.description);
        }
        println!("  campaigns  {}", world.campaigns.join(" · "));
        for character in &CHARACTERS {
            println!("  {:<10} {}", character.name, character.story);
        }
        self.titles.extend(world.titles.clone());
    }

    pub fn street(&mut self, street: &Street) {
        let minutes = street.duration().as_secs() / 60;
        println!();
        println!("{}", self.paint("1", &format!("{} ({:.0} m, {minutes} min)", street.name, street.length())));
    }

    /// What everybody heard at one step of the walk; what is the same for all is said once, what is nothing not at all.
    pub fn step(&mut self, walked: Duration, now: Timestamp, heard: &[(&'static str, Heard)]) {
        let blocks: Vec<(&str, Vec<String>)> = heard
            .iter()
            .map(|(who, heard)| (*who, self.lines(who, heard)))
            .filter(|(_, lines)| !lines.is_empty())
            .collect();
        let same = blocks.len() > 1 && blocks.windows(2).all(|pair| pair[0].1 == pair[1].1);
        let clock = self.zone.local(now).strftime("%H:%M:%S").to_string();
        let mut when = format!("  {clock} {:>4} s ", walked.as_secs());
        for (who, lines) in if same { &blocks[..1] } else { &blocks[..] } {
            let mut who = if same { "both" } else { who };
            for line in lines {
                println!("{when} {who:<6} {line}");
                (when, who) = (" ".repeat(when.len()), "");
            }
        }
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
            (Kind::Exited, None) => Some(format!("left {place} after {seconds} s")),
            (Kind::Heard, _) => Some(format!("heard the beacon at the {place}")),
            (Kind::Exited, Some(_)) | (Kind::Unspecified, _) => None,
        }
    }

    fn offer(&mut self, who: &'static str, offer: &Offer) -> [String; 2] {
        let price = offer.price.as_ref().and_then(|price| Money::new(&price.currency, price.minor_units).ok());
        let price = price.map(|price| format!("  {price}")).unwrap_or_default();
        let store = offer.store.as_ref().map(|store| format!("  {}", store.display_name)).unwrap_or_default();
        let distance = offer.distance_m.filter(|&metres| metres >= 1.0).map(|metres| format!(", {metres:.0} m"));
        self.offered.entry(who).or_default().push(offer.title.clone());
        let title = self.paint("1;32", &format!("★ {}", offer.title));
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
                lines.push(self.paint("2", &format!("– not \"{title}\": {}", refusal.description)));
            }
        }
        lines
    }

    fn title(&self, name: &str) -> String {
        self.titles.get(name).cloned().unwrap_or_else(|| short(name).to_owned())
    }

    pub fn summary(&self, world: &World) {
        println!();
        println!("{}", self.paint("1", "What came of it"));
        for phone in &world.phones {
            let (name, fixes, pings) = (phone.owner.name, phone.fixes, phone.pings());
            let offers = self.offered.get(name).map_or(&[][..], Vec::as_slice);
            println!(
                "  {name}: {} offers; {pings} of {fixes} fixes were sent, no other could change anything",
                offers.len()
            );
            for title in offers {
                println!("    got      {title}");
            }
            let refused = self.refused.iter().filter(|((who, ..), _)| *who == name);
            for ((_, campaign, code), (times, words)) in refused {
                println!("    not      {} ({code}, {times} ×): {words}", self.title(campaign));
            }
        }
        println!("  {} transitions; each offer has a receipt that names every campaign considered", self.transitions);
    }

    pub fn what_next(&self) {
        println!();
        println!("Next: `cargo run --release -- demo --keep` leaves it running and prints how to call it;");
        println!("      the README has clients in Python and Node; `cargo run --release -- serve` is the real thing.");
    }

    pub fn how_to_call(&self, address: &SocketAddr, operator_key: &str, app_key: &str) {
        println!();
        println!("The server is still running on {address}; Ctrl-C ends it and removes its folder.");
        println!("  the operator key  {operator_key}");
        println!("  the app's key     {app_key}");
        println!();
        println!("  grpcurl -plaintext {address} list");
        println!("  grpcurl -plaintext -H 'authorization: Bearer {operator_key}' \\");
        println!(
            "    -d '{{\"parent\":\"organizations/paahto\"}}' {address} dintorni.v1.CampaignService/ListCampaigns"
        );
        println!("  grpcurl -plaintext -H 'authorization: Bearer {app_key}' \\");
        println!("    -d '{{\"installation_secret\":\"MDEyMzQ1Njc4OWFiY2RlZg==\",\"language\":\"en\",\"platform\":3,");
        println!("         \"consents\":[{{\"purpose\":1,\"granted\":true,\"text_version\":\"1\"}}]}}' \\");
        println!("    {address} dintorni.v1.DeviceService/RegisterDevice");
    }
}

/// The last part of a name.
fn short(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}
