//! The laws of [`Records`], on SQLite and on PostgreSQL.

use std::sync::Arc;

use dintorni::{
    domain::{budget::Take, name::CampaignName, offer::DecisionId, ping::PingId},
    ports::{Absorbed, CatalogStore, Commit, Committed, Edit, Expected, Past, Records},
};
use tokio::task::JoinSet;

use super::on_every_engine;
use crate::support::{
    databases::Database,
    samples::{Person, app, at, campaign, campaign_name, handed_over, offer_id, person, returned, take},
};

on_every_engine! {
    what_is_committed_is_read_back_after_a_restart
    of_racing_commits_on_one_version_exactly_one_is_done
    a_device_is_handed_over_by_whom_it_belongs_to_alone
    a_refused_commit_leaves_nothing
    a_ping_is_answered_once
    concurrent_takes_never_exceed_the_limit
    a_returned_offer_gives_its_unit_back_once
    a_limit_may_be_lowered_below_what_is_taken
    a_campaign_without_an_account_has_no_limit
    erasure_leaves_a_tombstone_and_nothing_else
    an_absorbed_profile_ends_in_another
    what_is_past_its_time_is_swept_and_the_sums_stay_true
    what_gives_back_goes_a_few_at_once
    the_first_secret_is_kept
    a_caller_who_goes_away_loses_nothing
}

async fn commit(database: &Database, commit: Commit) -> Committed {
    database.sql.commit(commit).await.expect("the database answers")
}

/// Gives a campaign this budget.
async fn set_budget(database: &Database, id: &str, budget: Option<u64>) -> CampaignName {
    let edit = Edit::put(campaign(id, budget), Expected::Anything);
    database.sql.append(vec![edit], "tests", at(0)).await.expect("the catalog takes it");
    campaign_name(id)
}

/// Units taken of the campaign's budget, after checking law 5 on every account.
async fn taken(database: &Database, campaign: &CampaignName) -> u64 {
    let balances = database.sql.balances().await.expect("read");
    for balance in &balances {
        assert_eq!(balance.taken, balance.held, "{}", balance.account);
    }
    let account = format!("{campaign}/offers");
    balances.iter().find(|balance| balance.account == account).expect("it has an account").taken
}

async fn what_is_committed_is_read_back_after_a_restart(database: Database) {
    let ada = person(&app(), "ada");
    let coffee = campaign_name("coffee");
    let asked = ada.answers(1, "ping-0001", &[(offer_id(), &coffee)]);
    assert_eq!(commit(&database, asked.clone()).await, Committed::Done);

    let database = database.reopen().await;
    let sql = &database.sql;
    assert_eq!(sql.profile(&ada.name).await.expect("read"), Some(ada.profile(1)));
    assert_eq!(sql.profile_version(&ada.name).await.expect("read"), Some(1));
    assert_eq!(sql.profile_of(&ada.device).await.expect("read"), Some(ada.name.clone()));
    let (answer, decision) = (asked.answer.expect("given"), asked.decision.expect("given"));
    assert_eq!(sql.decision(&answer.decision, at(0)).await.expect("read"), Some(decision));
    assert_eq!(sql.answer(&ada.device, &answer.ping).await.expect("read"), Some(answer));
}

async fn of_racing_commits_on_one_version_exactly_one_is_done(database: Database) {
    let ada = person(&app(), "ada");
    for version in 1..=5 {
        let mut racers = JoinSet::new();
        for _ in 0..8 {
            let (sql, commit) = (Arc::clone(&database.sql), ada.writes(version));
            racers.spawn(async move { sql.commit(commit).await.expect("the database answers") });
        }
        let results = racers.join_all().await;
        assert_eq!(results.iter().filter(|result| **result == Committed::Done).count(), 1);
        assert_eq!(results.iter().filter(|result| **result == Committed::Stale).count(), 7);
    }
    assert_eq!(database.sql.profile_version(&ada.name).await.expect("read"), Some(5));
}

async fn a_device_is_handed_over_by_whom_it_belongs_to_alone(database: Database) {
    let app = app();
    let ada = person(&app, "ada");
    let [twin, eve] = ["twin", "eve"].map(|id| Person { device: ada.device.clone(), ..person(&app, id) });
    assert_eq!(commit(&database, ada.writes(1)).await, Committed::Done);
    assert_eq!(commit(&database, twin.writes(1)).await, Committed::Stale, "it is new to nobody else");
    let from_twin = handed_over(Some(&twin), eve.writes(1));
    assert_eq!(commit(&database, from_twin).await, Committed::Stale, "it was never theirs");
    let sql = &database.sql;
    assert_eq!(sql.profile(&twin.name).await.expect("read"), None, "nothing of it stands");
    assert_eq!(sql.profile_of(&ada.device).await.expect("read"), Some(ada.name.clone()));
    assert_eq!(commit(&database, handed_over(Some(&ada), eve.writes(1))).await, Committed::Done);
    assert_eq!(sql.profile_of(&ada.device).await.expect("read"), Some(eve.name));
}

async fn a_refused_commit_leaves_nothing(database: Database) {
    let app = app();
    let (ada, bob) = (person(&app, "ada"), person(&app, "bob"));
    let coffee = set_budget(&database, "coffee", Some(1)).await;
    assert_eq!(commit(&database, bob.writes(1)).await, Committed::Done);

    // Ada's half would do, Bob's is stale.
    let mut stale = ada.answers(1, "ping-0001", &[(offer_id(), &coffee)]);
    stale.profiles.extend(bob.writes(1).profiles);
    assert_eq!(commit(&database, stale.clone()).await, Committed::Stale);
    // The last step is refused, after all others were done.
    let exhausted = ada.answers(1, "ping-0001", &[(offer_id(), &coffee), (offer_id(), &coffee)]);
    assert_eq!(commit(&database, exhausted).await, Committed::Exhausted(take(offer_id(), &coffee).account.id));

    let sql = &database.sql;
    let answer = stale.answer.expect("given");
    assert_eq!(sql.profile(&ada.name).await.expect("read"), None);
    assert_eq!(sql.profile_of(&ada.device).await.expect("read"), None);
    assert_eq!(sql.answer(&ada.device, &answer.ping).await.expect("read"), None);
    assert_eq!(sql.decision(&answer.decision, at(0)).await.expect("read"), None);
    assert_eq!(taken(&database, &coffee).await, 0);
}

async fn a_ping_is_answered_once(database: Database) {
    let ada = person(&app(), "ada");
    let coffee = set_budget(&database, "coffee", Some(10)).await;
    let first = ada.answers(1, "ping-0001", &[(offer_id(), &coffee)]);
    assert_eq!(commit(&database, first.clone()).await, Committed::Done);
    // A retry that read the new profile, and one that did not: both hear of the first answer, before any version.
    for version in [2, 1] {
        let again = ada.answers(version, "ping-0001", &[(offer_id(), &coffee)]);
        let expected = Committed::Repeated(first.answer.clone().expect("given"));
        assert_eq!(commit(&database, again).await, expected);
    }
    assert_eq!(taken(&database, &coffee).await, 1);
    assert_eq!(commit(&database, ada.answers(2, "ping-0002", &[])).await, Committed::Done);
}

async fn concurrent_takes_never_exceed_the_limit(database: Database) {
    const LIMIT: u64 = 7;
    let app = app();
    let coffee = set_budget(&database, "coffee", Some(LIMIT)).await;
    let tea = set_budget(&database, "tea", Some(1_000)).await;
    let mut takers = JoinSet::new();
    for i in 0..24 {
        let taker = person(&app, &format!("p{i}"));
        // In both orders, so that takers who wait for each other would be found.
        let mut offers = [(offer_id(), &coffee), (offer_id(), &tea)];
        offers.rotate_left(i % 2);
        let (sql, commit) = (Arc::clone(&database.sql), taker.answers(1, "ping-0001", &offers));
        takers.spawn(async move { sql.commit(commit).await.expect("the database answers") });
    }
    let results = takers.join_all().await;
    assert_eq!(results.iter().filter(|result| **result == Committed::Done).count() as u64, LIMIT);
    assert!(results.iter().all(|result| matches!(result, Committed::Done | Committed::Exhausted(_))));
    assert_eq!(taken(&database, &coffee).await, LIMIT);
    assert_eq!(taken(&database, &tea).await, LIMIT);
}

async fn a_returned_offer_gives_its_unit_back_once(database: Database) {
    let ada = person(&app(), "ada");
    let coffee = set_budget(&database, "coffee", Some(1)).await;
    let offer = offer_id();
    commit(&database, ada.answers(1, "ping-0001", &[(offer, &coffee)])).await;
    for version in 2..=3 {
        let mut back = ada.writes(version);
        back.engagement = vec![returned(offer, at(version))];
        assert_eq!(commit(&database, back).await, Committed::Done);
        assert_eq!(taken(&database, &coffee).await, 0);
    }
    // The unit is free again, even for the transaction that gives another one back.
    let second = offer_id();
    commit(&database, ada.answers(4, "ping-0002", &[(second, &coffee)])).await;
    let mut swap = ada.answers(5, "ping-0003", &[(offer_id(), &coffee)]);
    swap.engagement = vec![returned(second, at(5))];
    assert_eq!(commit(&database, swap).await, Committed::Done);
    assert_eq!(taken(&database, &coffee).await, 1);
}

async fn a_limit_may_be_lowered_below_what_is_taken(database: Database) {
    let ada = person(&app(), "ada");
    let coffee = set_budget(&database, "coffee", Some(2)).await;
    let (first, second) = (offer_id(), offer_id());
    commit(&database, ada.answers(1, "ping-0001", &[(first, &coffee), (second, &coffee)])).await;
    set_budget(&database, "coffee", Some(1)).await;

    // A return is never refused; a take is, even beside a return that would leave as many taken as before.
    let mut swap = ada.answers(2, "ping-0002", &[(offer_id(), &coffee)]);
    swap.engagement = vec![returned(first, at(2))];
    assert_eq!(commit(&database, swap).await, Committed::Exhausted(take(offer_id(), &coffee).account.id));
    let mut back = ada.writes(2);
    back.engagement = vec![returned(first, at(2))];
    assert_eq!(commit(&database, back).await, Committed::Done);
    assert_eq!(taken(&database, &coffee).await, 1);

    set_budget(&database, "coffee", None).await;
    assert_eq!(commit(&database, ada.answers(3, "ping-0003", &[(offer_id(), &coffee)])).await, Committed::Done);
    assert_eq!(taken(&database, &coffee).await, 2);
}

async fn a_campaign_without_an_account_has_no_limit(database: Database) {
    let ada = person(&app(), "ada");
    let free = campaign_name("free");
    assert_eq!(commit(&database, ada.answers(1, "ping-0001", &[(offer_id(), &free)])).await, Committed::Done);
    assert_eq!(database.sql.balances().await.expect("read"), []);
}

async fn erasure_leaves_a_tombstone_and_nothing_else(database: Database) {
    let app = app();
    let (ada, bob) = (person(&app, "ada"), person(&app, "bob"));
    let coffee = set_budget(&database, "coffee", Some(10)).await;
    let (kept, back) = (offer_id(), offer_id());
    let asked = ada.answers(1, "ping-0001", &[(kept, &coffee), (back, &coffee)]);
    commit(&database, asked.clone()).await;
    let mut gives_back = ada.writes(2);
    gives_back.engagement = vec![returned(back, at(2))];
    commit(&database, gives_back).await;
    // The device goes to Bob before the erasure; what it asked for Ada must go all the same.
    let of_bob = Person { device: ada.device.clone(), ..bob.clone() };
    commit(&database, handed_over(Some(&ada), of_bob.answers(1, "ping-0002", &[(offer_id(), &coffee)]))).await;

    let sql = &database.sql;
    assert_eq!(sql.erase(&ada.name, at(9)).await.expect("erased"), Some(2));
    assert_eq!(sql.erase(&ada.name, at(9)).await.expect("nothing left"), None);
    assert_eq!(sql.profile(&ada.name).await.expect("read"), None);
    assert_eq!(sql.profile_version(&ada.name).await.expect("read"), None);
    let answer = asked.answer.expect("given");
    assert_eq!(sql.answer(&ada.device, &answer.ping).await.expect("read"), None);
    assert_eq!(sql.decision(&answer.decision, at(0)).await.expect("read"), None);
    for version in [1, 3] {
        assert_eq!(commit(&database, ada.writes(version)).await, Committed::Stale, "a tombstone is no profile");
    }
    // Bob keeps what is his, and the units stay taken.
    assert_eq!(sql.profile_of(&ada.device).await.expect("read"), Some(bob.name.clone()));
    let ping = PingId::new("ping-0002").expect("sound");
    assert!(sql.answer(&ada.device, &ping).await.expect("read").is_some());
    assert_eq!(taken(&database, &coffee).await, 2);
}

async fn an_absorbed_profile_ends_in_another(database: Database) {
    let app = app();
    let (anon, ada) = (person(&app, "anon"), person(&app, "ada"));
    let coffee = set_budget(&database, "coffee", Some(10)).await;
    let (kept, back) = (offer_id(), offer_id());
    let asked = anon.answers(1, "ping-0001", &[(kept, &coffee), (back, &coffee)]);
    commit(&database, asked.clone()).await;
    let login = |expected| {
        let mut login = Person { device: anon.device.clone(), ..ada.clone() }.writes(1);
        login.absorbed = Some(Absorbed { name: anon.name.clone(), expected, by: ada.name.clone() });
        handed_over(Some(&anon), login)
    };
    let sql = &database.sql;
    assert_eq!(commit(&database, login(2)).await, Committed::Stale);
    assert_eq!(sql.profile(&ada.name).await.expect("read"), None, "neither of the two happened");
    assert_eq!(commit(&database, login(1)).await, Committed::Done);
    assert_eq!(sql.profile(&anon.name).await.expect("read"), None);
    assert!(sql.is_erased(&anon.name).await.expect("read") && !sql.is_erased(&ada.name).await.expect("read"));
    assert_eq!(sql.profile_of(&anon.device).await.expect("read"), Some(ada.name.clone()));
    let decision = asked.decision.expect("given").id;
    let receipt = sql.decision(&decision, at(0)).await.expect("read").expect("kept");
    assert_eq!(receipt.profile, ada.name);

    // Its offers are the other's: they give their units back, and go with the other's erasure.
    let mut gives_back = Commit { devices: Vec::new(), ..ada.writes(2) };
    gives_back.engagement = vec![returned(back, at(2))];
    assert_eq!(commit(&database, gives_back).await, Committed::Done);
    assert_eq!(taken(&database, &coffee).await, 1);
    sql.erase(&ada.name, at(9)).await.expect("erased");
    assert_eq!(sql.decision(&decision, at(0)).await.expect("read"), None);
    assert_eq!(sql.answer(&anon.device, &asked.answer.expect("given").ping).await.expect("read"), None);
    assert_eq!(taken(&database, &coffee).await, 1);
}

async fn what_is_past_its_time_is_swept_and_the_sums_stay_true(database: Database) {
    const DAY: u64 = 86_400;
    let ada = person(&app(), "ada");
    let coffee = set_budget(&database, "coffee", Some(10)).await;
    let mut decisions: Vec<DecisionId> = Vec::new();
    for version in 1..=3 {
        let asked = ada.answers(version, &format!("ping-000{version}"), &[(offer_id(), &coffee)]);
        decisions.push(asked.decision.as_ref().expect("given").id);
        commit(&database, asked).await;
    }
    let kept = async |number: usize, seconds| {
        let found = database.sql.decision(&decisions[number], at(seconds)).await.expect("read");
        found.is_some()
    };
    assert!(kept(0, 30 * DAY).await && !kept(0, 30 * DAY + 1).await, "its time is over before it is swept");
    let sweep = async |seconds, most| database.sweep(at(seconds), most).await;
    assert_eq!(sweep(2 * DAY, 10).await, 0, "answers are kept 48 hours");
    assert_eq!(sweep(2 * DAY + 3, 2).await, 2, "in batches");
    assert_eq!(sweep(2 * DAY + 3, 2).await, 1);
    assert_eq!(sweep(30 * DAY + 2, 10).await, 2, "receipts are kept 30 days");
    assert_eq!(database.sql.decision(&decisions[1], at(0)).await.expect("read"), None);
    assert!(database.sql.decision(&decisions[2], at(0)).await.expect("read").is_some());
    assert_eq!(sweep(400 * DAY + 1, 10).await, 3, "one receipt, one offer and its hold");
    assert_eq!(taken(&database, &coffee).await, 3);
    assert_eq!(sweep(500 * DAY, 10).await, 4, "two offers and their holds");
    assert_eq!(taken(&database, &coffee).await, 3, "what was given stays given");
    assert_eq!(sweep(500 * DAY, 10).await, 0);
}

async fn what_gives_back_goes_a_few_at_once(database: Database) {
    const HOLDS: u64 = 120;
    let coffee = set_budget(&database, "coffee", Some(HOLDS)).await;
    let held = |_| Take { lapses_at: Some(at(10)), ..take(offer_id(), &coffee) };
    let takes = Commit { at: at(1), takes: (0..HOLDS).map(held).collect(), ..Commit::default() };
    assert_eq!(commit(&database, takes).await, Committed::Done);
    assert_eq!(taken(&database, &coffee).await, HOLDS);
    let before = database.sql.counts().transactions;
    assert_eq!(database.sql.sweep(Past::Lapsed, at(10), 1_000).await.expect("swept"), HOLDS);
    assert_eq!(database.sql.counts().transactions - before, 3, "each is to end in time on a slow line");
    assert_eq!(taken(&database, &coffee).await, 0);
}

async fn the_first_secret_is_kept(database: Database) {
    assert_eq!(database.sql.secret("tokens", [1; 32]).await.expect("kept"), [1; 32]);
    assert_eq!(database.sql.secret("tokens", [2; 32]).await.expect("kept"), [1; 32]);
    assert_eq!(database.sql.secret("codes", [3; 32]).await.expect("kept"), [3; 32]);
    let database = database.reopen().await;
    assert_eq!(database.sql.secret("tokens", [4; 32]).await.expect("kept"), [1; 32]);
}

async fn a_caller_who_goes_away_loses_nothing(database: Database) {
    let app = app();
    let coffee = set_budget(&database, "coffee", Some(100)).await;
    let people: Vec<Person> = (0..20).map(|i| person(&app, &format!("p{i}"))).collect();
    for (i, person) in people.iter().enumerate() {
        let asked = database.sql.commit(person.answers(1, "ping-0001", &[(offer_id(), &coffee)]));
        // Polled a few times, then dropped at whatever step it had reached.
        let few_polls = async {
            for _ in 0..i {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! { biased; _ = asked => {} () = few_polls => {} }
    }
    let database = database.reopen().await;
    let mut there = 0;
    for person in &people {
        let whole = database.sql.profile(&person.name).await.expect("read").is_some();
        let ping = PingId::new("ping-0001").expect("sound");
        assert_eq!(database.sql.answer(&person.device, &ping).await.expect("read").is_some(), whole);
        there += u64::from(whole);
    }
    assert_eq!(taken(&database, &coffee).await, there);
}
