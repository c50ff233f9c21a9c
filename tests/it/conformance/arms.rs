//! Arms of experiments in [`Records`] and [`Ledger`]: what is counted, and what goes with its person and its time.

use dintorni::{
    domain::{
        experiment::Arm,
        offer::Ghost,
        presence::Area,
        text::{ExperimentId, VariantId},
    },
    ports::{ArmResult, CatalogStore, Commit, Committed, Edit, EngagementMark, Expected, Ledger, Records},
};

use super::on_every_engine;
use crate::support::{
    databases::Database,
    samples::{app, at, campaign, campaign_name, offer_id, organization, person, returned, take},
};

on_every_engine! {
    people_are_counted_alike_however_often_an_offer_comes_back_unseen
    each_arm_is_counted_until_its_people_or_its_time_are_gone
    nobody_is_held_out_of_what_is_spent
}

fn arm(experiment: &str, variant: Option<&str>) -> Arm {
    let variant = variant.map(|variant| VariantId::new(variant).expect("sound"));
    Arm { experiment: ExperimentId::new(experiment).expect("sound"), variant }
}

fn ghost(of: Arm) -> Ghost {
    let area = Area::Geofence(organization().geofence("square").expect("sound"));
    Ghost { id: offer_id(), campaign: campaign_name("coffee"), arm: of, area, store: None }
}

/// The variants of the experiment, with offers, ghosts and those shown.
async fn counts(database: &Database, experiment: &str) -> Vec<(String, u64, u64, u64)> {
    let id = ExperimentId::new(experiment).expect("sound");
    let arms = database.sql.arms(&campaign_name("coffee"), &id).await.expect("read");
    let count = |ArmResult { variant, offers, ghosts, shown, .. }: ArmResult| {
        (variant.map(|variant| variant.to_string()).unwrap_or_default(), offers, ghosts, shown)
    };
    arms.into_iter().map(count).collect()
}

async fn people_are_counted_alike_however_often_an_offer_comes_back_unseen(database: Database) {
    let (app, coffee) = (app(), campaign_name("coffee"));
    let (ada, bob) = (person(&app, "ada"), person(&app, "bob"));
    let id = ExperimentId::new("spring").expect("sound");
    // Ada's phone shows nothing until it is offered a third time, and reports the second late; Bob is held out.
    let (first, second, third) = (offer_id(), offer_id(), offer_id());
    let mut back: Vec<EngagementMark> = Vec::new();
    for (number, offer) in [first, second, third].into_iter().enumerate() {
        let version = number as u64 + 1;
        let mut commit = ada.answers(version, &format!("ping-000{version}"), &[(offer, &coffee)]);
        commit.takes.clear();
        commit.engagement = std::mem::take(&mut back);
        commit.decision.as_mut().expect("made").offers[0].arm = Some(arm("spring", None));
        assert_eq!(database.sql.commit(commit).await.expect("answers"), Committed::Done);
        back.push(returned(offer, at(version + 1)));
    }
    let mut commit = bob.answers(1, "ping-0001", &[]);
    commit.decision.as_mut().expect("made").ghosts = vec![ghost(arm("spring", None))];
    assert_eq!(database.sql.commit(commit).await.expect("answers"), Committed::Done);

    let told = |offers, shown| {
        let (people, held_out, ghosts, opened, redeemed) = (1, 1, 1, 0, 0);
        [ArmResult { variant: None, people, held_out, offers, ghosts, shown, opened, redeemed }]
    };
    assert_eq!(database.sql.arms(&coffee, &id).await.expect("read"), told(1, 0));
    let mut late = ada.writes(4);
    late.engagement = vec![EngagementMark { shown_at: Some(at(3)), returned_at: None, ..returned(second, at(9)) }];
    assert_eq!(database.sql.commit(late).await.expect("answers"), Committed::Done);
    assert_eq!(database.sql.arms(&coffee, &id).await.expect("read"), told(2, 1), "it was shown after all");
}

async fn each_arm_is_counted_until_its_people_or_its_time_are_gone(database: Database) {
    let app = app();
    let (coffee, people) = (campaign_name("coffee"), ["ada", "bob"].map(|id| person(&app, id)));
    for (number, person) in people.iter().enumerate() {
        let offer = offer_id();
        let mut commit = person.answers(1, "ping-0001", &[(offer, &coffee)]);
        commit.takes.clear();
        let decision = commit.decision.as_mut().expect("made");
        decision.offers[0].arm = Some(arm("spring", Some(["tea", "cake"][number])));
        decision.ghosts = vec![ghost(arm("spring", Some("tea"))), ghost(arm("spring-2", None))];
        assert_eq!(database.sql.commit(commit).await.expect("answers"), Committed::Done);
        let shown_at = Some(at(2));
        let mut seen = person.writes(2);
        seen.engagement = vec![EngagementMark { shown_at, returned_at: None, ..returned(offer, at(2)) }];
        assert_eq!(database.sql.commit(seen).await.expect("answers"), Committed::Done);
    }
    let mut tested = people[0].answers(3, "ping-0003", &[]);
    let decision = tested.decision.as_mut().expect("made");
    (decision.test, decision.ghosts) = (true, vec![ghost(arm("spring", Some("tea")))]);
    assert_eq!(database.sql.commit(tested).await.expect("answers"), Committed::Done);

    let cake = ("cake".to_owned(), 1, 0, 1);
    assert_eq!(counts(&database, "spring").await, [cake.clone(), ("tea".to_owned(), 1, 2, 1)], "and no tests");
    assert_eq!(counts(&database, "spring-2").await, [(String::new(), 0, 2, 0)]);
    assert_eq!(counts(&database, "sprin").await, []);
    database.sql.erase(&people[0].name, at(9)).await.expect("erased").expect("there");
    assert_eq!(counts(&database, "spring").await, [cake, ("tea".to_owned(), 0, 1, 0)]);
    database.sweep(at(500 * 86_400), 1_000).await;
    assert_eq!(counts(&database, "spring").await, []);
}

async fn nobody_is_held_out_of_what_is_spent(database: Database) {
    let (app, coffee) = (app(), campaign_name("coffee"));
    let (ada, bob) = (person(&app, "ada"), person(&app, "bob"));
    let edit = Edit::put(campaign("coffee", Some(1)), Expected::Anything);
    database.sql.append(vec![edit], "tests", at(0)).await.expect("appended");
    let held_out = |version: u64| {
        let mut commit = bob.answers(version, &format!("ping-000{version}"), &[]);
        commit.decision.as_mut().expect("made").ghosts = vec![ghost(arm("spring", None))];
        commit.wanted = vec![take(offer_id(), &coffee).account];
        commit
    };
    let commit = async |commit| database.sql.commit(commit).await.expect("answers");
    let offer = offer_id();
    assert_eq!(commit(held_out(1)).await, Committed::Done, "nothing is taken yet");
    assert_eq!(commit(ada.answers(1, "ping-0001", &[(offer, &coffee)])).await, Committed::Done, "it took none");
    let spent = Committed::Exhausted(take(offer, &coffee).account.id);
    assert_eq!(commit(held_out(2)).await, spent);
    let back = ada.answers(2, "ping-0002", &[]);
    assert_eq!(commit(Commit { engagement: vec![returned(offer, at(9))], ..back }).await, Committed::Done);
    assert_eq!(commit(held_out(2)).await, Committed::Done, "nothing had happened");

    let edit = Edit::put(campaign("milk", Some(0)), Expected::Anything);
    database.sql.append(vec![edit], "tests", at(10)).await.expect("appended");
    let milk = take(offer_id(), &campaign_name("milk")).account;
    let commit = commit(Commit { wanted: vec![milk.clone()], ..held_out(3) }).await;
    assert_eq!(commit, Committed::Exhausted(milk.id.clone()), "of nothing there is nothing, taken or not");
    assert_eq!(database.sql.spent(std::slice::from_ref(&milk.id)).await.expect("read"), [milk.id]);
}
