//! Who sees which receipts, and what of them.

use super::*;
use crate::domain::{
    decision::{Considered, Next, Reason, Verdict},
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
        trial: false,
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

fn of_brand(decision: Decision, reader: &Reader) -> BrandReceipt {
    match seen_by(decision, reader) {
        Some(Receipt::OfBrand(seen)) => seen,
        other => panic!("as a brand sees it, not {other:?}"),
    }
}

#[test]
fn a_brand_sees_its_own_campaigns_only() {
    assert_eq!(of_brand(decision(), &Reader::Brand(organization("x"))).lines.len(), 1);
    assert_eq!(seen_by(decision(), &Reader::Brand(organization("z"))), None);
    assert_eq!(seen_by(decision(), &Reader::Brand(organization("pub"))), None, "a brand key of the publisher");
}

/// Five hours after the beginning of 1970.
fn now() -> Timestamp {
    Timestamp::from_micros(5 * 3_600_000_000)
}

fn wanted(verdict: &str) -> Wanted {
    let campaign = Some(CampaignName::parse("organizations/x/campaigns/1").expect("sound"));
    let at = |minutes: i64| Some(Timestamp::from_micros(minutes * 60_000_000));
    let (from, until) = (at(61), at(119));
    let verdict = Some(verdict.to_owned());
    Wanted { profile: None, campaign, store: None, verdict, from, until, after: None, most: 10 }
}

#[test]
fn a_brand_asks_for_whole_hours_and_for_codes_that_it_is_shown() {
    let brand = Reader::Brand(organization("x"));
    let hours = |hours: i64| Some(Timestamp::from_micros(hours * 3_600_000_000));
    let query = |verdict: &str, now| queries(wanted(verdict), &brand, now).map(|mut lists| lists.remove(0));
    let asked = query("CHOSEN", now()).expect("its own");
    assert_eq!(asked.order, ReceiptOrder::Hours, "no page tells when in its hour a line was");
    assert_eq!((asked.from, asked.until, asked.verdicts), (hours(1), hours(2), vec!["CHOSEN".to_owned()]));
    let half_past_one = Timestamp::from_micros(90 * 60_000_000);
    let asked = query("CHOSEN", half_past_one).expect("its own");
    assert_eq!(asked.until, hours(1), "the hour that goes on would tell who comes just now");
    let folded = query(NOT_ELIGIBLE, now()).expect("what it reads").verdicts;
    for code in Reason::CODES {
        let answer = query(code, now());
        match folded.iter().any(|other| other == code) {
            true => assert!(matches!(answer, Err(ListError::Invalid(_))), "{code}"),
            false => assert_eq!(answer.expect("told").verdicts, [code.to_string()]),
        }
    }
    assert!(folded.iter().any(|code| code == "AUDIENCE") && !folded.iter().any(|code| code == "ENDED"));
}

#[test]
fn an_owner_asks_by_what_people_are_only_of_its_own() {
    let owner = Reader::Owner(organization("x"));
    let (own, others) = (ReceiptsOf::Publisher(organization("x")), ReceiptsOf::Others(organization("x")));
    let asked = |verdict: &str| {
        let lists = queries(wanted(verdict), &owner, now()).expect("its own");
        lists.into_iter().map(|list| (list.of, list.from)).collect::<Vec<_>>()
    };
    let (exactly, hour) = (wanted("").from, wanted("").from.map(brand_view::hour));
    assert_eq!(asked("AUDIENCE"), [(own.clone(), exactly)]);
    assert_eq!(asked(NOT_ELIGIBLE), [(others.clone(), hour)]);
    assert_eq!(asked("ENDED"), [(own, exactly), (others, hour)], "its own people first");
    assert!(queries(wanted(NOT_ELIGIBLE), &Reader::Operator, now()).is_err(), "nobody whole is told that");
}

#[test]
fn a_page_goes_on_in_its_own_list() {
    let owner = Reader::Owner(organization("x"));
    let behind = |order| Cursor { order, last: DecisionId::new(Timestamp::default(), 7) };
    let asked = |reader: &Reader, after: Cursor| {
        let lists = queries(Wanted { after: Some(after), ..wanted("ENDED") }, reader, now())?;
        Ok::<_, ListError>(lists.into_iter().map(|list| (list.order, list.after)).collect::<Vec<_>>())
    };
    let (newest, hours) = (behind(ReceiptOrder::Newest), behind(ReceiptOrder::Hours));
    let both = [(newest.order, Some(newest.last)), (hours.order, None)];
    assert_eq!(asked(&owner, newest).expect("its own people, then others"), both);
    assert_eq!(asked(&owner, hours).expect("others"), [(hours.order, Some(hours.last))]);
    let brand = Reader::Brand(organization("x"));
    assert!(matches!(asked(&brand, newest), Err(ListError::Invalid(_))), "it has no such list");
    for cursor in [newest, hours] {
        assert_eq!(Cursor::parse(&cursor.to_string()), Ok(cursor));
    }
    assert!(Cursor::parse(&newest.last.to_string()).is_err() && Cursor::parse("hours x").is_err());
}

#[test]
fn what_may_not_reach_the_person_is_its_brands_own_affair() {
    let ungranted = || {
        let mut decision = decision();
        decision.considered[0].verdict = Verdict::Refused(Reason::NotGranted);
        (decision.considered[0].campaign.clone(), decision)
    };
    let (campaign, all) = ungranted();
    let told = |reader: &Reader| match seen_by(ungranted().1, reader) {
        Some(Receipt::Whole(decision)) => decision.considered.iter().any(|one| one.campaign == campaign),
        Some(Receipt::OfBrand(receipt)) => receipt.lines.iter().any(|line| line.campaign == campaign),
        None => false,
    };
    assert!(told(&Reader::Operator) && told(&Reader::Brand(campaign.organization())));
    assert!(!told(&Reader::Person(all.profile.clone())) && !told(&Reader::Owner(organization("pub"))));
    assert!(!told(&Reader::Server(all.profile.app())));
}

#[test]
fn whose_people_they_are_sees_all_of_it() {
    let whole = Some(Receipt::Whole(Box::new(decision())));
    assert_eq!(seen_by(decision(), &Reader::Owner(organization("pub"))), whole);
    assert_eq!(seen_by(decision(), &Reader::Person(decision().profile)), whole);
    let server = Reader::Server(decision().profile.app());
    for reader in [Reader::Operator, server] {
        assert_eq!(seen_by(decision(), &reader), whole, "{reader:?}");
    }
    let other = decision().profile.app().profile("q").expect("sound");
    assert_eq!(seen_by(decision(), &Reader::Person(other)), None);
}

#[test]
fn how_large_a_budget_is_is_its_brands_own_affair() {
    let spent = Reason::UnitsExhausted { most: 5, place: None, period: None };
    let told = |reader: &Reader| {
        let mut decision = decision();
        decision.considered.iter_mut().for_each(|one| one.verdict = Verdict::Refused(spent.clone()));
        let Some(Receipt::Whole(seen)) = seen_by(decision, reader) else { panic!("{reader:?}") };
        seen.considered.into_iter().map(|one| one.verdict).collect::<Vec<_>>()
    };
    let (person, app) = (decision().profile, decision().profile.app());
    let (publisher, server) = (Reader::Owner(organization("pub")), Reader::Server(app));
    for reader in [&publisher, &server, &Reader::Person(person)] {
        let seen = told(reader);
        assert!(seen.iter().all(|verdict| *verdict == Verdict::Refused(Reason::BudgetExhausted)), "{reader:?}");
    }
    assert!(told(&Reader::Operator).iter().all(|verdict| *verdict == Verdict::Refused(spent.clone())));
    let own = organization("pub").campaign("1").expect("sound");
    assert!(knows_budgets(&publisher, &own) && knows_budgets(&server, &own));
}
