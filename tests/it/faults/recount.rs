//! What must be so after a storm, counted from the phones' own logs and held against the record.

use std::collections::{BTreeMap, BTreeSet};

use dintorni::{grpc::pb, storage::sql::Sql};
use tokio::task::JoinSet;

use super::{
    phone::{Phone, Told},
    world::{CAMPAIGNS, Rules, Spot},
};

/// What nodes may have believed while a storm went on.
#[derive(Clone, Copy, PartialEq)]
pub enum Copies {
    /// What the record says.
    Sound,
    /// What was in the cache once: somebody put back its backup.
    Old,
}

/// Everything offered is in the record, every ping sent again is answered as before, and no limit is broken. Returns
/// the phones, since checking asks each of them to ping again.
pub async fn recount(phones: Vec<Phone>, copies: Copies) -> Vec<Phone> {
    let mut checks = JoinSet::new();
    for phone in phones {
        checks.spawn(check(phone, copies));
    }
    let phones = checks.join_all().await;
    let mut ids = BTreeSet::new();
    for offer in phones.iter().flat_map(|phone| &phone.log).flat_map(|told| &told.answer.offers) {
        assert!(ids.insert(&offer.id), "offer {} was made twice", offer.id);
    }
    for rules in &CAMPAIGNS {
        if let Some(budget) = rules.budget {
            assert_eq!(offered(&phones, rules), budget, "{}: the demand was more than its budget", rules.id);
        }
    }
    phones
}

/// What the accounts say is what the phones were told.
pub async fn must_balance(sql: &Sql, phones: &[Phone]) {
    let balances = sql.balances().await.expect("read");
    let accounts: BTreeMap<&str, _> = balances.iter().map(|balance| (balance.account.as_str(), balance)).collect();
    for rules in CAMPAIGNS.iter().filter(|rules| rules.budget.is_some()) {
        let account = format!("{}/offers", rules.name());
        let balance = accounts.get(account.as_str()).unwrap_or_else(|| panic!("no {account} in {balances:?}"));
        let said = offered(phones, rules);
        assert_eq!((balance.limit, balance.taken, balance.held), (rules.budget, said, said), "{account}");
    }
}

/// The transitions each phone was told are those of its walk: each arrival and departure once, and nothing else.
pub fn must_tell_the_walk(phones: &[Phone]) {
    for phone in phones {
        let mut inside = None;
        for told in &phone.log {
            let there = told.spot.geofence();
            let expected = if inside == there { Vec::new() } else { moved(inside, there) };
            let said: Vec<_> = told.answer.transitions.iter().map(|t| (t.kind(), t.place.as_str())).collect();
            assert_eq!(said, expected, "{} of {}", told.request.ping_id, phone.registered.profile);
            inside = there;
        }
    }
}

fn moved<'a>(from: Option<&'a str>, to: Option<&'a str>) -> Vec<(pb::transition::Kind, &'a str)> {
    use pb::transition::Kind;
    let left = from.map(|place| (Kind::Exited, place));
    left.into_iter().chain(to.map(|place| (Kind::Entered, place))).collect()
}

fn offered(phones: &[Phone], rules: &Rules) -> u64 {
    let name = rules.name();
    let offers = phones.iter().flat_map(|phone| &phone.log).flat_map(|told| &told.answer.offers);
    offers.filter(|offer| offer.campaign == name).count() as u64
}

fn must_keep_caps(phone: &Phone) {
    for rules in &CAMPAIGNS {
        let given = offered(std::slice::from_ref(phone), rules);
        assert!(given <= rules.cap.into(), "{}: {given} offers of {}", phone.registered.profile, rules.id);
    }
    let strays = phone.log.iter().filter(|told| told.spot == Spot::Home && !told.answer.offers.is_empty());
    assert_eq!(strays.count(), 0, "there is nothing on offer at home");
}

async fn check(mut phone: Phone, copies: Copies) -> Phone {
    must_keep_caps(&phone);
    let log = std::mem::take(&mut phone.log);
    for told in &log {
        if told.answer.decision.is_empty() {
            assert!(told.answer.offers.is_empty() && told.answer.transitions.is_empty(), "{:?}", told.answer);
        } else {
            must_be_in_the_record(&mut phone, told).await;
        }
        must_be_repeated(&mut phone, told, copies).await;
    }
    phone.log = log;
    phone
}

async fn must_be_in_the_record(phone: &mut Phone, told: &Told) {
    let receipt = phone.receipt(&told.answer.decision).await;
    assert_eq!(receipt.offers, told.answer.offers);
    assert_eq!(receipt.transitions, told.answer.transitions);
    assert_eq!((&receipt.ping_id, &receipt.profile), (&told.request.ping_id, &phone.registered.profile));
}

/// The same ping sent again is answered as before.
async fn must_be_repeated(phone: &mut Phone, Told { request, answer, .. }: &Told, copies: Copies) {
    let again = phone.until_answered(request).await;
    // What changed nothing is not kept; the same ping still changes nothing, unless it did so by an old copy.
    let same = match answer.decision.is_empty() {
        true if copies == Copies::Old => again.offers.is_empty(),
        true => again.decision.is_empty() && again.offers.is_empty() && again.transitions.is_empty(),
        false => again == *answer,
    };
    assert!(same, "{}: first {answer:#?}, then {again:#?}", request.ping_id);
}
