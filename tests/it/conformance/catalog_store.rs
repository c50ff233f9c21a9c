//! The laws of [`CatalogStore`], on SQLite and on PostgreSQL.

use std::sync::Arc;

use dintorni::{
    domain::{
        campaign::Campaign,
        catalog::{CatalogChange, Resource, ResourceName},
        name::OrganizationName,
        organization::Organization,
    },
    ports::{Action, Appended, CatalogStore, Edit, Expected, History, HistoryOf, HistoryQuery},
};
use tokio::task::JoinSet;

use super::on_every_engine;
use crate::support::{
    databases::Database,
    samples::{at, campaign, campaign_name},
};

on_every_engine! {
    versions_have_no_gaps_and_carry_their_changes
    an_edit_that_does_not_hold_makes_the_whole_append_a_conflict
    an_append_of_thousands_is_as_whole_as_one_of_two
    racing_appends_see_whole_versions_in_order
    only_the_last_change_of_a_resource_is_given
    the_past_is_given_up_to_a_version
    a_budget_has_its_account_at_once
    the_past_is_told_newest_first_with_who_and_what
}

async fn append(database: &Database, edits: Vec<Edit>) -> Appended {
    database.sql.append(edits, "organizations/acme/keys/tests", at(0)).await.expect("the database answers")
}

fn name(id: &str) -> ResourceName {
    campaign_name(id).into()
}

fn change(version: u64, campaign: Campaign) -> CatalogChange {
    let resource = Resource::from(campaign);
    CatalogChange { version, name: resource.name(), resource: Some(resource) }
}

async fn versions_have_no_gaps_and_carry_their_changes(database: Database) {
    assert_eq!(database.sql.head().await.expect("read"), 0);
    assert_eq!(database.sql.changes_since(0).await.expect("read"), []);
    let both = vec![
        Edit::put(campaign("tea", None), Expected::Absent),
        Edit::put(campaign("coffee", Some(5)), Expected::Absent),
    ];
    assert_eq!(append(&database, both).await, Appended::Version(1));
    assert_eq!(append(&database, Vec::new()).await, Appended::Version(1), "nothing to append makes no version");
    let one = vec![Edit::put(campaign("milk", None), Expected::Anything)];
    assert_eq!(append(&database, one).await, Appended::Version(2));

    let database = database.reopen().await;
    let (coffee, tea) = (change(1, campaign("coffee", Some(5))), change(1, campaign("tea", None)));
    let milk = change(2, campaign("milk", None));
    assert_eq!(database.sql.head().await.expect("read"), 2);
    assert_eq!(database.sql.changes_since(0).await.expect("read"), [coffee, tea, milk.clone()]);
    assert_eq!(database.sql.changes_since(1).await.expect("read"), [milk]);
    assert_eq!(database.sql.changes_since(2).await.expect("read"), []);
}

async fn an_edit_that_does_not_hold_makes_the_whole_append_a_conflict(database: Database) {
    let put = |id: &str, expected| Edit::put(campaign(id, None), expected);
    assert_eq!(append(&database, vec![put("coffee", Expected::Absent)]).await, Appended::Version(1));
    for expected in [Expected::Absent, Expected::Version(2), Expected::Version(0)] {
        let edits = vec![put("tea", Expected::Absent), put("coffee", expected)];
        assert_eq!(append(&database, edits).await, Appended::Conflict(name("coffee")));
    }
    let missing = vec![put("milk", Expected::Version(1))];
    assert_eq!(append(&database, missing).await, Appended::Conflict(name("milk")));
    assert_eq!(database.sql.head().await.expect("read"), 1);
    assert_eq!(database.sql.changes_since(0).await.expect("read"), [change(1, campaign("coffee", None))]);

    let deletion = vec![Edit::delete(campaign_name("coffee"), Expected::Version(1))];
    assert_eq!(append(&database, deletion).await, Appended::Version(2));
    let stale = vec![put("coffee", Expected::Version(2))];
    assert_eq!(append(&database, stale).await, Appended::Conflict(name("coffee")), "a deleted one has no version");
    assert_eq!(append(&database, vec![put("coffee", Expected::Absent)]).await, Appended::Version(3));
}

async fn an_append_of_thousands_is_as_whole_as_one_of_two(database: Database) {
    // More than twice what is read at once.
    const MANY: u64 = 12_777;
    let organization = |i: u64, display_name: &str| Organization {
        name: OrganizationName::parse(&format!("organizations/o{i:05}")).expect("sound"),
        display_name: display_name.to_owned(),
        brand_limits: Default::default(),
    };
    let put = |i, expected| Edit::put(organization(i, &format!("Number {i}")), expected);
    let all = |expected| (0..MANY).map(|i| put(i, expected)).collect::<Vec<_>>();
    assert_eq!(append(&database, all(Expected::Absent)).await, Appended::Version(1));
    let made = database.sql.changes_since(0).await.expect("read");
    assert_eq!(made.len() as u64, MANY);
    for (i, change) in (0..).zip(&made) {
        assert_eq!(change.resource, Some(Resource::from(organization(i, &format!("Number {i}")))));
    }

    // Of one that changed meanwhile only the last change is given, behind the others; of the past as it was.
    assert_eq!(append(&database, vec![put(7, Expected::Version(1))]).await, Appended::Version(2));
    let after = database.sql.changes_since(0).await.expect("read");
    assert_eq!(after.len() as u64, MANY);
    assert!(after[..7] == made[..7] && after[7..MANY as usize - 1] == made[8..]);
    let last = after.last().expect("some");
    assert_eq!((last.version, &last.name), (2, &made[7].name));
    assert_eq!(database.sql.changes_between(0, 1).await.expect("read"), made);
    assert_eq!(database.sql.changes_since(1).await.expect("read"), after[MANY as usize - 1..]);

    // The first that does not hold is named, wherever it stands, and nothing of the others is done.
    let at_first = |i| if i == 7 { Expected::Version(2) } else { Expected::Version(1) };
    let mut edits: Vec<Edit> = (0..MANY).map(|i| put(i, at_first(i))).collect();
    edits[2_770] = put(2_770, Expected::Version(9));
    edits[1_234] = put(1_234, Expected::Absent);
    let conflict = Appended::Conflict(organization(1_234, "").name.into());
    assert_eq!(append(&database, edits).await, conflict);
    assert_eq!(database.sql.changes_since(2).await.expect("read"), []);
    // An edit sees those before it.
    let twice = vec![put(5, Expected::Version(1)), put(5, Expected::Version(1))];
    assert_eq!(append(&database, twice).await, Appended::Conflict(organization(5, "").name.into()));

    let gone = (0..MANY).map(|i| Edit::delete(organization(i, "").name, at_first(i))).collect();
    assert_eq!(append(&database, gone).await, Appended::Version(3));
    assert!(database.sql.changes_since(2).await.expect("read").iter().all(|change| change.resource.is_none()));
    assert_eq!(append(&database, all(Expected::Absent)).await, Appended::Version(4));
}

async fn racing_appends_see_whole_versions_in_order(database: Database) {
    const WRITERS: u64 = 6;
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let sql = Arc::clone(&database.sql);
        writers.spawn(async move {
            for round in 0..5 {
                let edit = |half: &str| {
                    let id = format!("w{writer}-{round}-{half}");
                    Edit::put(campaign(&id, None), Expected::Absent)
                };
                sql.append(vec![edit("a"), edit("b")], "tests", at(round)).await.expect("appended");
            }
        });
    }
    // A reader in between sees each version with both of its changes, and none before the one ahead of it.
    let mut seen = 0;
    let mut running = true;
    while running {
        running =
            writers.try_join_next().map(|done| done.expect("the writer has no fault")).is_some() || !writers.is_empty();
        let changes = database.sql.changes_since(seen).await.expect("read");
        for pair in changes.chunks(2) {
            seen += 1;
            assert!(pair.len() == 2 && pair.iter().all(|change| change.version == seen), "{pair:?}");
        }
    }
    assert_eq!(seen, WRITERS * 5);
}

async fn only_the_last_change_of_a_resource_is_given(database: Database) {
    for budget in 1..=3 {
        append(&database, vec![Edit::put(campaign("coffee", Some(budget)), Expected::Anything)]).await;
    }
    append(&database, vec![Edit::put(campaign("tea", None), Expected::Absent)]).await;
    append(&database, vec![Edit::delete(campaign_name("tea"), Expected::Anything)]).await;
    let gone = CatalogChange { version: 5, name: name("tea"), resource: None };
    let coffee = change(3, campaign("coffee", Some(3)));
    assert_eq!(database.sql.changes_since(0).await.expect("read"), [coffee.clone(), gone.clone()]);
    assert_eq!(database.sql.changes_since(2).await.expect("read"), [coffee, gone.clone()]);
    assert_eq!(database.sql.changes_since(3).await.expect("read"), [gone]);
}

async fn the_past_is_given_up_to_a_version(database: Database) {
    let put = |id: &str, budget| Edit::put(campaign(id, budget), Expected::Anything);
    append(&database, vec![put("coffee", Some(1)), put("tea", None)]).await;
    append(&database, vec![put("coffee", Some(2))]).await;
    append(&database, vec![Edit::delete(campaign_name("coffee"), Expected::Anything)]).await;
    append(&database, vec![put("coffee", Some(4))]).await;
    let given = async |after, until| database.sql.changes_between(after, until).await.expect("read");
    let coffee = |version, budget| change(version, campaign("coffee", Some(budget)));
    let tea = change(1, campaign("tea", None));
    let gone = CatalogChange { version: 3, name: name("coffee"), resource: None };
    assert_eq!(given(0, 0).await, []);
    assert_eq!(given(0, 1).await, [coffee(1, 1), tea.clone()]);
    assert_eq!(given(0, 2).await, [tea.clone(), coffee(2, 2)], "as if nothing had come later");
    assert_eq!(given(0, 3).await, [tea.clone(), gone.clone()]);
    assert_eq!(given(1, 3).await, [gone]);
    assert_eq!(given(0, 9).await, [tea, coffee(4, 4)]);
    assert_eq!(given(0, u64::MAX).await, database.sql.changes_since(0).await.expect("read"));
    assert_eq!(given(2, 1).await, []);
}

async fn a_budget_has_its_account_at_once(database: Database) {
    let limit = async || {
        let balances = database.sql.balances().await.expect("read");
        balances.first().map(|account| (account.account.clone(), account.limit))
    };
    let account = format!("{}/offers", campaign_name("coffee"));
    let edit = |budget| vec![Edit::put(campaign("coffee", budget), Expected::Anything)];
    append(&database, edit(None)).await;
    assert_eq!(limit().await, None);
    append(&database, edit(Some(5))).await;
    assert_eq!(limit().await, Some((account.clone(), Some(5))));
    let mut refused = edit(Some(9));
    refused.push(Edit::delete(campaign_name("tea"), Expected::Version(1)));
    append(&database, refused).await;
    assert_eq!(limit().await, Some((account.clone(), Some(5))), "a conflict sets no limit");
    append(&database, edit(None)).await;
    assert_eq!(limit().await, Some((account, None)));
}

async fn the_past_is_told_newest_first_with_who_and_what(database: Database) {
    let put = |id, budget| Edit::put(campaign(id, budget), Expected::Anything);
    append(&database, vec![put("tea", None), put("coffee", Some(1))]).await;
    append(&database, vec![put("coffee", Some(2))]).await;
    append(&database, vec![Edit::delete(campaign_name("coffee"), Expected::Anything)]).await;
    append(&database, vec![put("coffee", Some(4))]).await;
    let other = Organization {
        name: OrganizationName::parse("organizations/acme2").expect("sound"),
        display_name: "Another".to_owned(),
        brand_limits: Default::default(),
    };
    append(&database, vec![Edit::put(other, Expected::Absent)]).await;

    let asked = async |of, before, most| database.sql.changes(&HistoryQuery { of, before, most }).await.expect("read");
    let of_coffee = || HistoryOf::Resource(name("coffee"));
    let versions = asked(of_coffee(), None, 9).await;
    let told: Vec<_> = versions.iter().map(|change| (change.version, change.action)).collect();
    use Action::{Changed, Created, Deleted};
    assert_eq!(told, [(4, Created), (3, Deleted), (2, Changed), (1, Created)]);
    assert!(versions.iter().all(|change| change.author == "organizations/acme/keys/tests" && change.at == at(0)));
    assert_eq!(versions[2].resource, Some(Resource::from(campaign("coffee", Some(2)))));
    assert_eq!(versions[1].resource, None);
    let earlier = asked(of_coffee(), Some((3, String::new())), 1).await;
    assert_eq!(earlier, [versions[2].clone()]);

    let of_acme = || HistoryOf::Organization(campaign_name("tea").organization());
    let all: Vec<_> = asked(of_acme(), None, 9).await.iter().map(|one| (one.version, one.name.to_string())).collect();
    let one = |version, id: &str| (version, campaign_name(id).to_string());
    assert_eq!(all, [one(4, "coffee"), one(3, "coffee"), one(2, "coffee"), one(1, "coffee"), one(1, "tea")]);
    let rest = asked(of_acme(), Some((1, campaign_name("coffee").to_string())), 9).await;
    assert_eq!(rest.iter().map(|one| one.name.to_string()).collect::<Vec<_>>(), [campaign_name("tea").to_string()]);
}
