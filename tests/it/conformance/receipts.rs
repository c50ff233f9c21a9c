//! Finding receipts, beside a filter over all of them.

use std::{cmp::Reverse, collections::BTreeSet, time::Duration};

use dintorni::{
    domain::{
        decision::{Considered, Decision, Reason, Verdict},
        name::{AppName, OrganizationName, StoreName},
        offer::DecisionId,
        presence::Area,
        time::{HOUR, Timestamp},
    },
    ports::{
        Commit, CountQuery, FoundReceipts, ProfileWrite, ReceiptOrder, ReceiptQuery, Receipts, ReceiptsOf, Records,
        VerdictCount,
    },
};

use super::on_every_engine;
use crate::support::{
    databases::Database,
    samples::{Dice, app, at, campaign_name, offer_id, organization, person},
};

const DECISIONS: u64 = 60;
const QUERIES: u64 = 150;
/// How long receipts are.
const KEPT: Duration = Duration::from_secs(30 * 86_400);

on_every_engine! {
    receipts_are_found_by_what_they_are_about
    receipts_go_with_their_person
    a_list_of_large_receipts_is_short_and_goes_on
    a_list_by_hours_goes_on_with_the_hours_before
}

fn store(number: u64) -> StoreName {
    organization().store(&format!("s{number}")).expect("sound")
}

/// Up to twenty campaigns at stores, each with one of three verdicts.
fn considered(dice: &mut Dice) -> Vec<Considered> {
    let one = |dice: &mut Dice| Considered {
        campaign: campaign_name(&format!("c{}", dice.below(3))),
        area: Area::Around(store(0), 60),
        store: Some(store(dice.below(2))).filter(|_| dice.below(4) > 0),
        verdict: match dice.below(3) {
            0 => Verdict::Chosen(offer_id()),
            1 => Verdict::Refused(Reason::Muted),
            _ => Verdict::Refused(Reason::BudgetExhausted),
        },
        rank: None,
        trial: false,
    };
    let count = if dice.below(4) == 0 { 20 } else { dice.below(3) };
    (0..count).map(|_| one(dice)).collect()
}

/// Some of the three verdicts that there are, by the bits of a number from 0 to 6.
fn some_codes(number: u64) -> Vec<String> {
    let codes = ["CHOSEN", "MUTED", "BUDGET_EXHAUSTED"].into_iter().enumerate();
    codes.filter(|(bit, _)| (number + 1) >> bit & 1 == 1).map(|(_, code)| code.to_owned()).collect()
}

/// Whether the receipt is one of those, as the port's docs say.
fn is_wanted(query: &ReceiptQuery, decision: &Decision) -> bool {
    let is_whose = match &query.of {
        ReceiptsOf::Everybody => true,
        ReceiptsOf::Publisher(organization) => decision.profile.organization() == *organization,
        ReceiptsOf::Others(organization) => decision.profile.organization() != *organization,
        ReceiptsOf::App(app) => decision.profile.app() == *app,
        ReceiptsOf::Person(profile) => decision.profile == *profile,
    };
    let is_about = |one: &Considered| {
        query.campaign.as_ref().is_none_or(|campaign| one.campaign == *campaign)
            && query.store.as_ref().is_none_or(|store| one.store.as_ref() == Some(store))
            && (query.verdicts.is_empty() || query.verdicts.iter().any(|code| one.verdict.code() == code))
    };
    let anything = query.campaign.is_none() && query.store.is_none() && query.verdicts.is_empty();
    is_whose
        && (anything || decision.considered.iter().any(is_about))
        && decision.at + KEPT > query.now
        && query.from.is_none_or(|from| decision.at >= from)
        && query.until.is_none_or(|until| decision.at < until)
        && query.after.is_none_or(|after| place(query.order, &decision.id) > place(query.order, &after))
}

/// By what lists of that order are sorted.
fn place(order: ReceiptOrder, id: &DecisionId) -> (Reverse<Timestamp>, String) {
    let (hour, text) = (id.made_at().begun(HOUR), id.to_string());
    match order {
        ReceiptOrder::Newest => (Reverse(id.made_at()), text.bytes().map(|byte| char::from(255 - byte)).collect()),
        ReceiptOrder::Hours => (Reverse(hour), text[14..].to_owned()),
    }
}

/// The same of one campaign, whatever the verdict.
fn count_query(query: &ReceiptQuery) -> CountQuery {
    let ReceiptQuery { of, campaign, store, from, until, now, .. } = query.clone();
    CountQuery { of, campaign: campaign.unwrap_or_else(|| campaign_name("c0")), store, from, until, now }
}

fn counts(query: &ReceiptQuery, all: &[Decision]) -> Vec<VerdictCount> {
    let campaign = Some(count_query(query).campaign);
    let count = |verdict: &str| {
        let verdicts = vec![verdict.to_owned()];
        let met = ReceiptQuery { campaign: campaign.clone(), verdicts, after: None, ..query.clone() };
        let decisions: Vec<&Decision> = all.iter().filter(|one| !one.test && is_wanted(&met, one)).collect();
        let people = decisions.iter().map(|decision| &decision.profile).collect::<BTreeSet<_>>().len() as u64;
        VerdictCount { verdict: verdict.to_owned(), people, decisions: decisions.len() as u64 }
    };
    ["BUDGET_EXHAUSTED", "CHOSEN", "MUTED"].map(count).into_iter().filter(|count| count.people > 0).collect()
}

/// Within some hours, of which ids have the milliseconds.
fn moment(dice: &mut Dice) -> Timestamp {
    at(1_000 + dice.below(50) * 300) + Duration::from_micros(dice.below(3_000))
}

async fn receipts_are_found_by_what_they_are_about(database: Database) {
    let rival = OrganizationName::parse("organizations/rival").expect("sound");
    let (mut dice, apps) = (Dice::new(0xdec1), [app(), app(), rival.app("town").expect("sound")]);
    let people: Vec<_> = (0..9).map(|i| person(&apps[i % 3], ["ada", "ada1", "bob"][i / 3])).collect();
    let (mut all, mut versions) = (Vec::new(), vec![0; people.len()]);
    for number in 0..DECISIONS {
        let who = dice.below(people.len() as u64) as usize;
        versions[who] += 1;
        let mut commit = people[who].answers(versions[who], &format!("receipt-{number:03}"), &[]);
        let when = moment(&mut dice);
        let decision = commit.decision.as_mut().expect("made");
        (decision.id, decision.at) = (DecisionId::new(when, u128::from(dice.below(1 << 40)) << 88), when);
        decision.considered = considered(&mut dice);
        decision.test = dice.below(5) == 0;
        commit.answer.as_mut().expect("made").decision = decision.id;
        all.push(decision.clone());
        database.sql.commit(commit).await.expect("committed");
    }
    let mut found = 0;
    for _ in 0..QUERIES {
        let of = match dice.below(5) {
            0 => ReceiptsOf::Everybody,
            1 => ReceiptsOf::Publisher(organization()),
            2 => ReceiptsOf::Others([organization(), rival.clone()][dice.below(2) as usize].clone()),
            3 => ReceiptsOf::App(apps[dice.below(3) as usize].clone()),
            _ => ReceiptsOf::Person(people[dice.below(9) as usize].name.clone()),
        };
        let order = [ReceiptOrder::Newest, ReceiptOrder::Hours][dice.below(2) as usize];
        let mut sometimes = |one_in: u64, below: u64| (dice.below(one_in) == 0).then(|| dice.below(below));
        let query = ReceiptQuery {
            of,
            order,
            campaign: sometimes(2, 3).map(|n| campaign_name(&format!("c{n}"))),
            store: sometimes(3, 2).map(store),
            verdicts: sometimes(3, 7).map_or_else(Vec::new, some_codes),
            from: sometimes(3, 50).map(|number| all[number as usize].at + Duration::from_micros(number % 2)),
            until: sometimes(3, 50).map(|number| all[number as usize].at + Duration::from_micros(number % 2)),
            now: sometimes(3, 50).map_or(at(0), |number| all[number as usize].at + KEPT),
            after: sometimes(3, DECISIONS).map(|n| all[n as usize].id),
            most: sometimes(2, 5).map_or(100, |n| n as u32 + 1),
        };
        let mut wanted: Vec<&Decision> = all.iter().filter(|decision| is_wanted(&query, decision)).collect();
        wanted.sort_by_key(|decision| place(order, &decision.id));
        let FoundReceipts { decisions, next } = database.sql.decisions(&query).await.expect("read");
        let most = query.most as usize;
        assert!(decisions.iter().eq(wanted.iter().take(most).copied()), "{query:?}");
        let last = wanted.get(most).and_then(|_| decisions.last());
        assert_eq!(next, last.map(|last| last.id), "{query:?}");
        found += decisions.len();
        let counted = database.sql.verdicts(&count_query(&query)).await.expect("read");
        assert_eq!(counted, counts(&query, &all), "{query:?}");
    }
    assert!(found > QUERIES as usize, "most of them found something: {found}");
}

fn of_app(app: &AppName) -> ReceiptQuery {
    ReceiptQuery {
        of: ReceiptsOf::App(app.clone()),
        order: ReceiptOrder::Newest,
        campaign: None,
        store: None,
        verdicts: Vec::new(),
        from: None,
        until: None,
        now: at(0),
        after: None,
        most: 1_000,
    }
}

async fn a_list_of_large_receipts_is_short_and_goes_on(database: Database) {
    const RECEIPTS: u64 = 60;
    let app = app();
    let ada = person(&app, "ada");
    let mut dice = Dice::new(5);
    for version in 1..=RECEIPTS {
        let mut commit = ada.answers(version, &format!("receipt-{version:03}"), &[]);
        let large = (0..1_000).flat_map(|_| considered(&mut dice)).take(1_000).collect();
        commit.decision.as_mut().expect("made").considered = large;
        database.sql.commit(commit).await.expect("committed");
    }
    let (mut query, mut ids) = (of_app(&app), Vec::new());
    loop {
        let found = database.sql.decisions(&query).await.expect("read");
        let bytes: usize = found.decisions.iter().map(|one| serde_json::to_string(one).expect("sound").len()).sum();
        assert!(bytes < 8 << 20, "{bytes} bytes at once");
        ids.extend(found.decisions.iter().map(|decision| decision.id.to_string()));
        query.after = found.next;
        if found.next.is_none() {
            break;
        }
        assert!(found.decisions.len() < RECEIPTS as usize && !found.decisions.is_empty());
    }
    assert!(ids.is_sorted_by(|a, b| a > b), "newest first, and each once");
    assert_eq!(ids.len(), RECEIPTS as usize);
}

/// More hours than are looked at at once.
async fn a_list_by_hours_goes_on_with_the_hours_before(database: Database) {
    const RECEIPTS: u64 = 250;
    let app = app();
    let ada = person(&app, "ada");
    for version in 1..=RECEIPTS {
        let mut commit = ada.answers(version, &format!("receipt-{version:03}"), &[]);
        let decision = commit.decision.as_mut().expect("made");
        decision.at = at(version * 3_600);
        decision.id = DecisionId::new(decision.at, u128::from(version) << 88);
        commit.answer.as_mut().expect("made").decision = decision.id;
        database.sql.commit(commit).await.expect("committed");
    }
    let (mut query, mut found) = (ReceiptQuery { order: ReceiptOrder::Hours, ..of_app(&app) }, Vec::new());
    loop {
        let FoundReceipts { decisions, next } = database.sql.decisions(&query).await.expect("read");
        found.extend(decisions.into_iter().map(|decision| decision.at));
        query.after = next;
        if next.is_none() {
            break;
        }
    }
    let all: Vec<Timestamp> = (1..=RECEIPTS).rev().map(|version| at(version * 3_600)).collect();
    assert_eq!(found, all);
}

async fn receipts_go_with_their_person(database: Database) {
    let app = app();
    let (ada, bob) = (person(&app, "ada"), person(&app, "bob"));
    let mut decisions = Vec::new();
    for who in [&ada, &bob] {
        let mut commit = who.answers(1, "receipt-1", &[]);
        let mut dice = Dice::new(7);
        commit.decision.as_mut().expect("made").considered = (0..9).flat_map(|_| considered(&mut dice)).collect();
        decisions.extend(commit.decision.as_ref().map(|decision| decision.id));
        database.sql.commit(commit).await.expect("committed");
    }
    let of_campaign = ReceiptQuery { campaign: Some(campaign_name("c1")), ..of_app(&app) };
    let whose = async || {
        let found = database.sql.decisions(&of_campaign).await.expect("read");
        found.decisions.into_iter().map(|decision| decision.profile).collect::<Vec<_>>()
    };
    assert_eq!(whose().await.len(), 2);
    database.sql.erase(&ada.name, at(1)).await.expect("erased");
    assert_eq!(whose().await, std::slice::from_ref(&bob.name));
    let later = at(10 * 365 * 86_400);
    database.sweep(later, 3).await;
    let left = database.sql.decision(&decisions[1], at(0)).await.expect("read");
    assert!(left.is_some(), "what it considered goes first, three at a time");
    while database.sweep(later, 100).await > 0 {}
    assert_eq!(database.sql.decision(&decisions[1], at(0)).await.expect("read"), None);
    assert!(whose().await.is_empty());
    let again = Commit { profiles: vec![ProfileWrite { expected: 1, profile: bob.profile(2) }], ..bob.writes(2) };
    database.sql.commit(again).await.expect("the person is still there");
}
