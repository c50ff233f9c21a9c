//! Reading receipts, each role as far as it may.
//!
//! Law 10: a brand sees its own campaigns in a receipt, never where somebody was, other brands, or people it cannot
//! name. Whoever may not see a receipt is told that there is none.

use std::sync::Arc;

use crate::{
    domain::{
        content::Message,
        decision::{Considered, Decision, Reason, Verdict},
        name::{AppName, CampaignName, OrganizationName, ProfileName, StoreName},
        offer::DecisionId,
        time::Timestamp,
    },
    ports::{ReceiptQuery, Receipts, ReceiptsOf, Records, StoreError},
};

/// Who reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reader {
    Operator,
    /// The person, by one of its devices.
    Person(ProfileName),
    /// The publisher's own server.
    Server(AppName),
    /// The organization: all of its apps' receipts, and its campaigns in those of others.
    Owner(OrganizationName),
    /// Its campaigns, in whatever receipt.
    Brand(OrganizationName),
}

/// A receipt as one reader may see it.
#[derive(Debug, Clone, PartialEq)]
pub enum Receipt {
    Whole(Decision),
    /// Only what concerns one brand's campaigns: no person, device, ping, transition or next time may be shown of it, and
    /// its reasons only by [`Reason::without_others`].
    OfBrand(Decision),
}

/// What a list of receipts asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    pub profile: Option<ProfileName>,
    pub campaign: Option<CampaignName>,
    pub store: Option<StoreName>,
    pub verdict: Option<String>,
    pub from: Option<Timestamp>,
    pub until: Option<Timestamp>,
    pub before: Option<DecisionId>,
    pub most: u32,
}

/// The reader may not ask for that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    #[error("this credential does not open that person's receipts")]
    Person,
    #[error("a brand key lists receipts of its own campaigns only: name one")]
    Campaign,
}

#[derive(Debug, thiserror::Error)]
pub enum ListError {
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Finds receipts.
pub struct Decisions {
    records: Arc<dyn Records>,
    receipts: Arc<dyn Receipts>,
}

impl Decisions {
    pub fn new(records: Arc<dyn Records>, receipts: Arc<dyn Receipts>) -> Self {
        Self { records, receipts }
    }

    /// The receipts, newest first, as the reader may see each; and the last that was looked at, if there may be more.
    pub async fn list(&self, wanted: Wanted, reader: &Reader) -> Result<(Vec<Receipt>, Option<DecisionId>), ListError> {
        let of = whose(&wanted, reader)?;
        let Wanted { profile: _, campaign, store, verdict, from, until, before, most } = wanted;
        let query = ReceiptQuery { of, campaign, store, verdict, from, until, before, most };
        let decisions = self.receipts.decisions(&query).await?;
        let last = decisions.last().filter(|_| decisions.len() >= most as usize).map(|last| last.id);
        Ok((decisions.into_iter().filter_map(|decision| seen_by(decision, reader)).collect(), last))
    }

    /// The receipt, while it is kept; none for whoever may see nothing of it.
    pub async fn get(&self, id: &DecisionId, reader: &Reader) -> Result<Option<Receipt>, StoreError> {
        Ok(self.records.decision(id).await?.and_then(|decision| seen_by(decision, reader)))
    }
}

/// Of whose receipts the reader may see something.
fn whose(wanted: &Wanted, reader: &Reader) -> Result<ReceiptsOf, Denied> {
    let is_own = |brand: &OrganizationName| wanted.campaign.as_ref().is_some_and(|own| own.organization() == *brand);
    match (&wanted.profile, reader) {
        (None, Reader::Brand(brand)) if !is_own(brand) => Err(Denied::Campaign),
        (Some(profile), _) if opens(reader, profile) => Ok(ReceiptsOf::Person(profile.clone())),
        (Some(_), _) => Err(Denied::Person),
        (None, Reader::Operator | Reader::Brand(_)) => Ok(ReceiptsOf::Everybody),
        (None, Reader::Owner(owner)) if is_own(owner) => Ok(ReceiptsOf::Everybody),
        (None, Reader::Owner(owner)) => Ok(ReceiptsOf::Publisher(owner.clone())),
        (None, Reader::Server(app)) => Ok(ReceiptsOf::App(app.clone())),
        (None, Reader::Person(own)) => Ok(ReceiptsOf::Person(own.clone())),
    }
}

/// Whether the reader sees the whole of that person's receipts.
fn opens(reader: &Reader, profile: &ProfileName) -> bool {
    match reader {
        Reader::Operator => true,
        Reader::Person(own) => profile == own,
        Reader::Server(app) => profile.app() == *app,
        Reader::Owner(owner) => profile.organization() == *owner,
        Reader::Brand(_) => false,
    }
}

fn seen_by(decision: Decision, reader: &Reader) -> Option<Receipt> {
    match reader {
        _ if opens(reader, &decision.profile) => Some(Receipt::Whole(decision)),
        Reader::Owner(brand) | Reader::Brand(brand) => of_brand(decision, brand),
        _ => None,
    }
}

fn of_brand(mut decision: Decision, brand: &OrganizationName) -> Option<Receipt> {
    decision.considered.retain(|considered| considered.campaign.organization() == *brand);
    decision.offers.retain(|offer| offer.campaign.organization() == *brand);
    decision.ghosts.retain(|ghost| ghost.campaign.organization() == *brand);
    decision.considered.iter_mut().for_each(hide_from_brand);
    for offer in &mut decision.offers {
        offer.distance_m = None;
        offer.reason.clear();
        hide_words(&mut offer.content);
    }
    decision.transitions.clear();
    decision.event = None;
    decision.notes.clear();
    (!decision.considered.is_empty()).then_some(Receipt::OfBrand(decision))
}

/// What is known of the person stays in their offer.
fn hide_words(message: &mut Message) {
    if message.personal {
        [&mut message.title, &mut message.body, &mut message.call_to_action].into_iter().for_each(String::clear);
    }
}

/// Nearness is the distance in other words, affinity the person's interest, a failed condition what is known of them, and
/// some counts are of other brands' offers.
fn hide_from_brand(considered: &mut Considered) {
    considered.rank = None;
    if let Verdict::Refused(reason) = &mut considered.verdict {
        hide(reason);
    }
}

fn hide(reason: &mut Reason) {
    match reason {
        Reason::DailyOffers { given, .. } => *given = 0,
        Reason::Outranked { rank, .. } => *rank = 0,
        Reason::Audience { term } => *term = "".into(),
        Reason::Visit { visit, .. } => *visit = None,
        Reason::Holdout { otherwise: Some(otherwise), .. } => hide(otherwise),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        decision::{Next, Rank},
        ping::PingId,
        presence::Area,
    };

    fn decision() -> Decision {
        let app = AppName::parse("organizations/pub/apps/a").expect("sound");
        let considered = |campaign: &str| Considered {
            campaign: CampaignName::parse(campaign).expect("sound"),
            area: Area::parse("organizations/net/geofences/g").expect("sound"),
            store: None,
            verdict: Verdict::Refused(Reason::Muted),
            rank: None,
        };
        Decision {
            id: DecisionId::new(Timestamp::default(), 1),
            profile: app.profile("p").expect("sound"),
            device: app.device("d").expect("sound"),
            ping: PingId::new("12345678").expect("sound"),
            at: Timestamp::default(),
            catalog_version: 1,
            seed: 0,
            test: false,
            event: None,
            transitions: Vec::new(),
            notes: Vec::new(),
            considered: vec![considered("organizations/x/campaigns/1"), considered("organizations/y/campaigns/1")],
            offers: Vec::new(),
            ghosts: Vec::new(),
            next: Next { safe_radius_m: 0.0, at: Timestamp::default() },
        }
    }

    fn organization(id: &str) -> OrganizationName {
        OrganizationName::parse(&format!("organizations/{id}")).expect("sound")
    }

    #[test]
    fn a_brand_sees_its_own_campaigns_only() {
        let Some(Receipt::OfBrand(seen)) = seen_by(decision(), &Reader::Brand(organization("x"))) else {
            panic!("the brand has a campaign in it")
        };
        assert_eq!(seen.considered.len(), 1);
        assert_eq!(seen_by(decision(), &Reader::Brand(organization("z"))), None);
        assert_eq!(seen_by(decision(), &Reader::Brand(organization("pub"))), None, "a brand key of the publisher");
    }

    #[test]
    fn a_brand_learns_neither_nearness_nor_interest_nor_what_others_gave() {
        let mut decision = decision();
        let rank = Rank { score: 1.0, priority: Default::default(), weight: 1.0, affinity: 0.4, nearness: 0.8 };
        decision.considered[0].rank = Some(rank);
        for reason in [Reason::DailyOffers { given: 3, most: 5 }, Reason::Outranked { rank: 3, most: 5 }] {
            decision.considered[0].verdict = Verdict::Refused(reason.clone());
            let Some(Receipt::OfBrand(seen)) = seen_by(decision.clone(), &Reader::Brand(organization("x"))) else {
                panic!("the brand has a campaign in it")
            };
            let Verdict::Refused(told) = &seen.considered[0].verdict else { panic!("refused it was") };
            assert_eq!(seen.considered[0].rank, None);
            assert_eq!(told.code(), reason.code());
            assert!(!format!("{told:?} {}", told.without_others()).contains('3'), "{told:?}");
            assert!(!told.without_others().contains(|c: char| c.is_ascii_digit()), "{}", told.without_others());
        }
    }

    #[test]
    fn a_brand_does_not_read_people_by_its_conditions() {
        let mut decision = decision();
        decision.considered[0].verdict = Verdict::Refused(Reason::Audience { term: "tier = \"gold\"".into() });
        let Some(Receipt::OfBrand(seen)) = seen_by(decision.clone(), &Reader::Brand(organization("x"))) else {
            panic!("the brand has a campaign in it")
        };
        let Verdict::Refused(told) = &seen.considered[0].verdict else { panic!("refused it was") };
        assert!(!format!("{told:?} {}", told.without_others()).contains("tier"), "{told:?}");
        assert_eq!((told.code(), told.without_others().as_str()), ("AUDIENCE", "the person is not in the audience"));
        let server = Reader::Server(decision.profile.app());
        for reader in [Reader::Operator, server, Reader::Owner(organization("pub"))] {
            assert_eq!(seen_by(decision.clone(), &reader), Some(Receipt::Whole(decision.clone())), "{reader:?}");
        }
    }

    #[test]
    fn a_brand_does_not_read_people_by_its_own_words() {
        let said = Message { title: "Ciao Aino".into(), body: "5 m".into(), link: "l".into(), ..Message::default() };
        let mut personal = Message { personal: true, call_to_action: "Aino".into(), ..said.clone() };
        hide_words(&mut personal);
        assert_eq!(personal, Message { personal: true, link: "l".into(), ..Message::default() });
        let mut plain = said.clone();
        hide_words(&mut plain);
        assert_eq!(plain, said);
    }

    #[test]
    fn whose_people_they_are_sees_all_of_it() {
        let whole = Some(Receipt::Whole(decision()));
        assert_eq!(seen_by(decision(), &Reader::Owner(organization("pub"))), whole);
        assert_eq!(seen_by(decision(), &Reader::Person(decision().profile)), whole);
        let other = decision().profile.app().profile("q").expect("sound");
        assert_eq!(seen_by(decision(), &Reader::Person(other)), None);
    }
}
