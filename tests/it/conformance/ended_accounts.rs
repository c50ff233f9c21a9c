//! Accounts of periods that are over: they go when nothing refers to them, and the proof stays what it is.

use dintorni::{
    domain::{
        budget::{Account, Budget, Holder, Period, Spot, Take},
        campaign::{Campaign, Limits},
        time::Timestamp,
    },
    ports::{CatalogStore, Committed, Edit, Expected, Ledger, Records},
};

use super::on_every_engine;
use crate::support::{
    databases::Database,
    samples::{Person, app, at, campaign, campaign_name, offer_id, offers, person},
};

on_every_engine! {
    an_account_goes_when_its_period_is_over_and_nobody_has_anything_of_it
    accounts_with_nothing_left_are_told_apart
}

const DAY: u64 = 86_400;

fn daily(limit: u64) -> Budget {
    Budget { period: Period::Day, ..offers(limit) }
}

fn account(budget: &Budget, moment: Timestamp) -> Account {
    budget.account(&campaign_name("coffee"), Spot { place: "", time_zone: None, at: moment })
}

async fn coffee(database: &Database, budgets: Vec<Budget>) {
    let coffee = Campaign { limits: Limits { budgets, ..Limits::default() }, ..campaign("coffee", None) };
    database.sql.append(vec![Edit::put(coffee, Expected::Anything)], "tests", at(0)).await.expect("appended");
}

/// Somebody is offered a coffee on that day, which takes a unit of each account.
async fn takes(database: &Database, who: &Person, accounts: &[Account]) {
    let offer = offer_id();
    let mut made = who.answers(1, "ping-0001", &[(offer, &campaign_name("coffee"))]);
    let take = |account: &Account| {
        let (account, holder) = (account.clone(), Holder::Offer(offer));
        Take { account, holder, units: 1, lapses_at: None }
    };
    made.takes = accounts.iter().map(take).collect();
    assert_eq!(database.sql.commit(made).await.expect("the database answers"), Committed::Done);
}

/// What is left after sweeps at that time; the proof finds nothing wrong.
async fn left(database: &Database, now: Timestamp) -> Vec<String> {
    // So few at once that the sweep goes around more than once.
    for _ in 0..8 {
        while database.sweep(now, 2).await > 0 {}
    }
    let proof = database.sql.prove(now).await.expect("read");
    assert_eq!(proof.faults, []);
    database.sql.balances().await.expect("read").into_iter().map(|balance| balance.account).collect()
}

async fn an_account_goes_when_its_period_is_over_and_nobody_has_anything_of_it(database: Database) {
    let (whole, today) = (account(&offers(9), at(0)), account(&daily(5), at(0)));
    let (tomorrow, later) = (account(&daily(5), at(DAY)), account(&daily(5), at(600 * DAY)));
    let [ada, bea, cia, dora] = ["ada", "bea", "cia", "dora"].map(|id| person(&app(), id));
    coffee(&database, vec![offers(9), daily(5)]).await;
    takes(&database, &ada, &[whole.clone(), today.clone()]).await;
    takes(&database, &bea, &[whole.clone(), today.clone()]).await;
    takes(&database, &cia, &[whole.clone(), tomorrow.clone()]).await;
    takes(&database, &dora, &[whole.clone(), later.clone()]).await;
    let ids = |accounts: &[&Account]| accounts.iter().map(|account| account.id.as_str().to_owned()).collect::<Vec<_>>();
    // Over, but the offers are kept.
    assert_eq!(left(&database, at(5 * DAY)).await, ids(&[&whole, &today, &tomorrow, &later]));
    // An erased person has nothing, and the other still has.
    for gone in [&ada, &cia] {
        assert_eq!(database.sql.erase(&gone.name, at(5 * DAY)).await.expect("erased"), Some(1));
    }
    assert_eq!(left(&database, at(5 * DAY)).await, ids(&[&whole, &today, &later]));
    // All offers are past their time; one account's day is yet to come.
    assert_eq!(left(&database, at(500 * DAY)).await, ids(&[&whole, &later]));
    let balances = database.sql.balances().await.expect("read");
    assert_eq!(balances.iter().map(|balance| (balance.taken, balance.held)).collect::<Vec<_>>(), [(4, 4), (1, 1)]);
    assert_eq!(left(&database, at(700 * DAY)).await, ids(&[&whole]));
}

async fn accounts_with_nothing_left_are_told_apart(database: Database) {
    let days: Vec<Account> = (0..23).map(|day| account(&daily(1), at(day * DAY))).collect();
    coffee(&database, vec![daily(1)]).await;
    for (number, day) in days.iter().enumerate().filter(|(number, _)| number % 2 == 0) {
        takes(&database, &person(&app(), &format!("p{number}")), std::slice::from_ref(day)).await;
    }
    let asked: Vec<_> = days.iter().map(|day| day.id.clone()).collect();
    let even: Vec<_> = asked.iter().step_by(2).cloned().collect();
    let mut spent = database.sql.spent(&asked).await.expect("read");
    spent.sort();
    assert_eq!(spent, even);
    coffee(&database, vec![daily(2)]).await;
    assert_eq!(database.sql.spent(&asked).await.expect("read"), []);
    coffee(&database, Vec::new()).await;
    assert_eq!(database.sql.spent(&asked).await.expect("read"), [], "without a limit nothing is spent");
}
