//! What a brand sees of a decision.
//!
//! Law 10: a brand is told what is so of its campaign, the place and the moment, and that an offer was made. Whatever is
//! so of the person is in lists one code, [`NOT_ELIGIBLE`], or probes of one condition each would read people who get
//! nothing of them; which code it was is told of a decision that whoever was answered it named, without its numbers, and
//! of many people together. The time is a whole hour, and nothing tells two lines of one decision, or a line and a
//! redemption, for what they are: no offer, no variant, no version of the catalog, and in lists no id.

use std::time::Duration;

use crate::{
    domain::{
        decision::{Considered, Decision, Reason, Verdict},
        name::{CampaignName, OrganizationName, StoreName},
        offer::DecisionId,
        presence::Area,
        reason::{NOT_ELIGIBLE, Of},
        time::{HOUR, Timestamp},
    },
    ports::ReceiptQuery,
};

const DAY: Duration = Duration::from_secs(86_400);
/// Counts below this are hidden: with fewer people a brand may guess who they are.
const FEW: u64 = 10;

/// What a brand may see of one decision.
#[derive(Debug, Clone, PartialEq)]
pub struct BrandReceipt {
    /// Of a decision that the brand could name, for whoever was answered it told it; in lists none.
    pub id: Option<DecisionId>,
    /// The whole hour in which it was made.
    pub hour: Timestamp,
    pub test: bool,
    /// In the order of campaigns and places.
    pub lines: Vec<BrandLine>,
}

/// One of the brand's campaigns at one place.
#[derive(Debug, Clone, PartialEq)]
pub struct BrandLine {
    pub campaign: CampaignName,
    pub area: Area,
    pub store: Option<StoreName>,
    pub verdict: BrandVerdict,
    /// The campaign was not active, and the device tries it.
    pub trial: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub enum BrandVerdict {
    Chosen,
    /// For a reason of the person, and which is not told.
    NotEligible,
    /// For one of which the code is told, and no number: it was told the decision, or tries the campaign on that device.
    OfPerson(Reason),
    /// For one that is so whoever comes.
    Refused(Reason),
}

impl BrandReceipt {
    /// What somebody sees who named the decision: all campaigns of the brand.
    pub fn named(decision: &Decision, brand: &OrganizationName) -> Option<Self> {
        let seen = decision.considered.iter().filter(|considered| considered.campaign.organization() == *brand);
        let mut lines: Vec<BrandLine> = seen.map(|considered| BrandLine::of(considered, true)).collect();
        // Better ranked lines come first in the decision, and rank is of the person.
        lines.sort_by(|a, b| (&a.campaign, &a.area).cmp(&(&b.campaign, &b.area)));
        let (id, hour, test) = (Some(decision.id), hour(decision.at), decision.test);
        (!lines.is_empty()).then_some(Self { id, hour, test, lines })
    }

    /// What is seen in a list that asks for this: each line by itself, for where somebody was in one ping is a trail.
    pub fn listed(decision: &Decision, query: &ReceiptQuery) -> Vec<Self> {
        let ReceiptQuery { campaign, store, verdicts, .. } = query;
        let is_wanted = |one: &&Considered| {
            campaign.as_ref() == Some(&one.campaign)
                && (store.is_none() || one.store == *store)
                && (verdicts.is_empty() || verdicts.iter().any(|code| code == one.verdict.code()))
        };
        let (hour, test) = (hour(decision.at), decision.test);
        let alone = |one: &Considered| Self { id: None, hour, test, lines: vec![BrandLine::of(one, false)] };
        decision.considered.iter().filter(is_wanted).map(alone).collect()
    }
}

impl BrandLine {
    fn of(considered: &Considered, is_named: bool) -> Self {
        let Considered { campaign, area, store, verdict, rank: _, trial } = considered;
        let verdict = match verdict {
            Verdict::Chosen(_) => BrandVerdict::Chosen,
            Verdict::Refused(reason) => match (reason.of(), is_named || *trial) {
                (Of::Campaign, _) => BrandVerdict::Refused(reason.clone()),
                (Of::Person, true) => BrandVerdict::OfPerson(reason.clone()),
                (Of::Person, false) => BrandVerdict::NotEligible,
            },
        };
        Self { campaign: campaign.clone(), area: area.clone(), store: store.clone(), verdict, trial: *trial }
    }
}

/// The codes of the record that a brand reads as this one; none if it never reads it.
pub fn codes_read_as(code: &str) -> Option<Vec<String>> {
    let mut of_person = Reason::codes_of_person();
    match code {
        NOT_ELIGIBLE => Some(of_person.map(str::to_owned).collect()),
        code if of_person.any(|other| other == code) => None,
        code => Some(vec![code.to_owned()]),
    }
}

/// The whole hour that a time is in: a list that could be cut finer would tell the minute.
pub fn hour(at: Timestamp) -> Timestamp {
    at.begun(HOUR)
}

/// The first whole hour that is not before the time.
pub fn hour_after(at: Timestamp) -> Timestamp {
    next(at, HOUR)
}

/// The day that a time is in, of UTC: the difference of two counts tells no hour.
pub fn day(at: Timestamp) -> Timestamp {
    at.begun(DAY)
}

/// The first midnight that is not before the time.
pub fn day_after(at: Timestamp) -> Timestamp {
    next(at, DAY)
}

fn next(at: Timestamp, span: Duration) -> Timestamp {
    match at.begun(span) {
        whole if whole == at => at,
        whole => whole + span,
    }
}

/// A count as a brand sees it, in whole tens: to the unit, one more would tell what became of the person at the door.
/// None if it is fewer than ten.
pub fn in_tens(count: u64) -> Option<u64> {
    Some(count / FEW * FEW).filter(|&count| count > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        decision::Rank,
        name::{AppName, DeviceName},
        offer::OfferId,
        ping::PingId,
    };
    use crate::ports::{ReceiptOrder, ReceiptsOf};

    const NOON: i64 = 1_795_348_800_000_000;

    fn campaign(id: &str) -> CampaignName {
        CampaignName::parse(&format!("organizations/x/campaigns/{id}")).expect("sound")
    }

    fn considered(id: &str, verdict: Verdict) -> Considered {
        let area = Area::parse("organizations/net/geofences/g").expect("sound");
        let rank = Some(Rank { score: 1.0, priority: Default::default(), weight: 1.0, affinity: 0.4, nearness: 0.8 });
        Considered { campaign: campaign(id), area, store: None, verdict, rank, trial: false }
    }

    /// The only line that a list of the campaign has of the decision.
    fn listed(decision: &Decision, id: &str) -> BrandReceipt {
        let mut lines = BrandReceipt::listed(decision, &about(id));
        assert_eq!(lines.len(), 1);
        lines.remove(0)
    }

    fn about(id: &str) -> ReceiptQuery {
        ReceiptQuery {
            of: ReceiptsOf::Everybody,
            order: ReceiptOrder::Hours,
            campaign: Some(campaign(id)),
            store: None,
            verdicts: Vec::new(),
            from: None,
            until: None,
            now: Timestamp::MIN,
            after: None,
            most: 10,
        }
    }

    #[test]
    fn where_somebody_was_in_one_ping_is_no_trail_in_a_list() {
        let ended = |id| considered(id, Verdict::Refused(Reason::Muted));
        let at = |place: &str| Considered { area: Area::parse(place).expect("sound"), ..ended("a") };
        let all = vec![at("organizations/net/geofences/g"), at("organizations/net/geofences/h"), ended("b")];
        let lines = BrandReceipt::listed(&decision(1, all), &about("a"));
        assert_eq!(lines.iter().map(|receipt| receipt.lines.len()).collect::<Vec<_>>(), [1, 1]);
        let chosen = ReceiptQuery { verdicts: vec!["CHOSEN".into()], ..about("a") };
        assert_eq!(BrandReceipt::listed(&decision(1, vec![ended("a")]), &chosen), []);
    }

    /// Made so many microseconds after noon.
    fn decision(micros: i64, considered: Vec<Considered>) -> Decision {
        let app = AppName::parse("organizations/pub/apps/a").expect("sound");
        let (at, profile) = (Timestamp::from_micros(NOON + micros), app.profile("p").expect("sound"));
        let device: DeviceName = app.device("d").expect("sound");
        let ping = PingId::new("12345678").expect("sound");
        let next = crate::domain::decision::Next { safe_radius_m: 0.0, at };
        Decision {
            id: DecisionId::new(at, 1),
            profile,
            device,
            ping,
            at,
            catalog_version: 1,
            seed: 0,
            test: false,
            event: None,
            transitions: Vec::new(),
            notes: Vec::new(),
            considered,
            offers: Vec::new(),
            ghosts: Vec::new(),
            next,
        }
    }

    #[test]
    fn whatever_of_the_person_refuses_looks_the_same() {
        let until = Timestamp::from_micros(NOON);
        let reasons = [
            Reason::Audience { term: "tier = \"gold\"".into(), found: Some("it is \"silver\"".into()) },
            Reason::Holdout { ghost: Some(OfferId::new(until, 7)), otherwise: None },
            Reason::Outranked { rank: 3, most: 2 },
            Reason::BudgetExhausted,
            Reason::CoolDown { until },
            Reason::NoMarketingConsent,
        ];
        for reason in reasons {
            let decision = decision(5, vec![considered("a", Verdict::Refused(reason))]);
            let seen = listed(&decision, "a");
            assert_eq!(seen.lines[0].verdict, BrandVerdict::NotEligible);
            let named = BrandReceipt::named(&decision, &campaign("a").organization()).expect("its own");
            assert!(matches!(named.lines[0].verdict, BrandVerdict::OfPerson(_)));
        }
        let ended = Reason::Ended { ended_at: until };
        let decision = decision(5, vec![considered("a", Verdict::Refused(ended.clone()))]);
        let seen = listed(&decision, "a");
        assert_eq!(seen.lines[0].verdict, BrandVerdict::Refused(ended));
    }

    #[test]
    fn the_lists_of_two_campaigns_share_nothing_that_is_of_one_decision() {
        let chosen = |id| considered(id, Verdict::Chosen(OfferId::new(Timestamp::from_micros(NOON), 9)));
        let seen = |micros, id: &str| {
            let both = vec![chosen("b"), chosen("a")];
            listed(&decision(micros, both), id)
        };
        let (first, second) = (seen(1, "a"), seen(3_599_999_999, "a"));
        assert_eq!(first, second, "two people of an hour are not told apart");
        assert_eq!((first.id, first.lines.len()), (None, 1));
        assert_eq!(first.hour, Timestamp::from_micros(NOON));
        let named = BrandReceipt::named(&decision(1, vec![chosen("b"), chosen("a")]), &campaign("a").organization());
        let names: Vec<_> = named.expect("its own").lines.into_iter().map(|line| line.campaign).collect();
        assert_eq!(names, [campaign("a"), campaign("b")], "in no order of rank");
    }

    #[test]
    fn hours_and_days_hold_their_times() {
        let at = Timestamp::from_micros;
        for micros in [NOON, NOON + 1, NOON - 1, -1, 0] {
            let hours = (hour(at(micros)), hour_after(at(micros)), HOUR);
            for (from, until, span) in [hours, (day(at(micros)), day_after(at(micros)), DAY)] {
                assert!(from <= at(micros) && at(micros) <= until, "{micros}");
                let whole = micros % span.as_micros() as i64 == 0;
                assert_eq!(until.since(from), if whole { Duration::ZERO } else { span });
            }
        }
    }
}
