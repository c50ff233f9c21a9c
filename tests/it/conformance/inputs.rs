//! What decisions were made of: kept if it is wanted, and no longer than its person agrees to it.

use std::sync::Arc;

use dintorni::{
    domain::{
        consent::{Consent, Consents, Purpose},
        geo::Position,
        inputs::Inputs,
        offer::DecisionId,
        ping::{Accuracy, ClockReading, Fix, Ping, PingId},
    },
    ports::{Absorbed, Commit, Committed, Records},
};

use super::on_every_engine;
use crate::support::{
    databases::Database,
    samples::{Person, app, at, campaign_name, handed_over, offer_id, person, take},
};

on_every_engine! {
    inputs_are_kept_with_their_receipt_if_that_is_wanted
    a_refused_commit_keeps_no_inputs
    inputs_are_swept_by_their_time_and_never_outlive_their_receipt
    inputs_go_with_their_person
    inputs_go_with_the_consent_they_rest_on
    inputs_of_an_absorbed_profile_are_the_others
}

const DAY: u64 = 86_400;
const NO_PROFILING: [Purpose; 2] = [Purpose::Location, Purpose::Marketing];
const NO_LOCATION: [Purpose; 2] = [Purpose::Marketing, Purpose::Profiling];

fn consents(purposes: &[Purpose]) -> Consents {
    let mut consents = Consents::default();
    for purpose in purposes {
        consents.set(*purpose, Consent { granted: true, text_version: "1".into(), given_at: at(0) });
    }
    consents
}

/// The commit of people who agree to that.
fn agreeing(mut commit: Commit, purposes: &[Purpose]) -> Commit {
    commit.profiles.iter_mut().for_each(|write| write.profile.consents = consents(purposes));
    commit
}

/// A ping answered at `version`, of a person who agrees to that, with what its decision was made of.
fn answers(person: &Person, version: u64, purposes: &[Purpose]) -> Commit {
    let commit = agreeing(person.answers(version, &format!("ping-{version:04}"), &[]), purposes);
    let clock = ClockReading { sent_at: at(version), received_at: at(version) };
    let fix = Fix {
        position: Position::new(60.0 + 1.0 / 3.0, 24.9).expect("sound"),
        accuracy: Accuracy::new(5.1).expect("sound"),
        speed_mps: Some(0.1 + 0.2),
        mocked: false,
        read: clock.reading(at(version)),
    };
    let id = PingId::new(&format!("ping-{version:04}")).expect("sound");
    let (fixes, sightings) = (vec![fix], Vec::new());
    let ping = Ping { id, clock, fixes, sightings, event: None, max_offers: 3, reported_through: None };
    let mut profile = person.profile(version - 1);
    profile.consents = consents(purposes);
    let exhausted = [take(offer_id(), &campaign_name("coffee")).account.id].into();
    let inputs = Inputs { profile, device: person.device.clone(), ping, exhausted };
    Commit { inputs: Some(Arc::new(inputs)), ..commit }
}

fn id(commit: &Commit) -> DecisionId {
    commit.decision.as_ref().expect("given").id
}

async fn commit(database: &Database, commit: Commit) {
    assert_eq!(database.sql.commit(commit).await.expect("the database answers"), Committed::Done);
}

/// Commits a ping; returns the id of its decision.
async fn ping(database: &Database, person: &Person, version: u64, purposes: &[Purpose]) -> DecisionId {
    let asked = answers(person, version, purposes);
    let decision = id(&asked);
    commit(database, asked).await;
    decision
}

/// Of which of the decisions the inputs are there.
async fn kept<const N: usize>(database: &Database, decisions: [DecisionId; N]) -> [bool; N] {
    let mut kept = [false; N];
    for (kept, decision) in kept.iter_mut().zip(decisions) {
        *kept = database.sql.inputs(&decision, at(0)).await.expect("read").is_some();
    }
    kept
}

async fn inputs_are_kept_with_their_receipt_if_that_is_wanted(database: Database) {
    let ada = person(&app(), "ada");
    assert!(!database.sql.keeps_inputs());
    let unwanted = ping(&database, &ada, 1, &Purpose::ALL).await;
    assert_eq!(database.sql.inputs(&unwanted, at(0)).await.expect("read"), None);

    let database = database.keeping_inputs(7).await;
    assert!(database.sql.keeps_inputs());
    let asked = answers(&ada, 2, &Purpose::ALL);
    commit(&database, asked.clone()).await;
    let database = database.reopen().await;
    let found = database.sql.inputs(&id(&asked), at(0)).await.expect("read");
    assert_eq!(found.as_ref(), asked.inputs.as_deref());
    assert_eq!(kept(&database, [unwanted]).await, [false]);
}

async fn a_refused_commit_keeps_no_inputs(database: Database) {
    let database = database.keeping_inputs(7).await;
    let ada = person(&app(), "ada");
    ping(&database, &ada, 1, &Purpose::ALL).await;
    let stale = answers(&ada, 4, &Purpose::ALL);
    assert_eq!(database.sql.commit(stale.clone()).await.expect("answered"), Committed::Stale);
    assert_eq!(kept(&database, [id(&stale)]).await, [false]);
}

async fn inputs_are_swept_by_their_time_and_never_outlive_their_receipt(database: Database) {
    let database = database.keeping_inputs(7).await;
    let ada = person(&app(), "ada");
    let both = [ping(&database, &ada, 1, &Purpose::ALL).await, ping(&database, &ada, 2, &Purpose::ALL).await];
    for (seconds, is_kept) in [(7 * DAY, true), (7 * DAY + 1, false)] {
        let inputs = database.sql.inputs(&both[0], at(seconds)).await.expect("read");
        assert_eq!(inputs.is_some(), is_kept, "swept or not");
    }
    assert_eq!(database.sweep(at(7 * DAY), 100).await, 2, "two answers, and nothing of seven days");
    assert_eq!(database.sweep(at(7 * DAY + 1), 100).await, 1);
    assert_eq!(kept(&database, both).await, [false, true]);
    assert!(database.sql.decision(&both[0], at(0)).await.expect("read").is_some(), "receipts are kept longer");

    // Longer than a setting may say.
    let database = database.keeping_inputs(60).await;
    let third = ping(&database, &ada, 3, &Purpose::ALL).await;
    assert_eq!(database.sweep(at(40 * DAY), 1).await, 3, "an answer, older inputs, and a receipt");
    while database.sweep(at(40 * DAY), 1).await > 0 {}
    assert_eq!(database.sql.decision(&third, at(0)).await.expect("read"), None);
    assert_eq!(kept(&database, [third]).await, [false]);
}

async fn inputs_go_with_their_person(database: Database) {
    let database = database.keeping_inputs(7).await;
    let app = app();
    let (ada, bob) = (person(&app, "ada"), person(&app, "bob"));
    let both = [ping(&database, &ada, 1, &Purpose::ALL).await, ping(&database, &bob, 1, &Purpose::ALL).await];
    database.sql.erase(&ada.name, at(9)).await.expect("erased");
    assert_eq!(kept(&database, both).await, [false, true]);
}

async fn inputs_go_with_the_consent_they_rest_on(database: Database) {
    let database = database.keeping_inputs(7).await;
    let app = app();
    let (ada, bob) = (person(&app, "ada"), person(&app, "bob"));
    let of_bob = ping(&database, &bob, 1, &Purpose::ALL).await;
    let profiled = ping(&database, &ada, 1, &Purpose::ALL).await;
    let shy = ping(&database, &ada, 2, &NO_PROFILING).await;
    let all = [of_bob, profiled, shy];
    commit(&database, agreeing(ada.writes(3), &Purpose::ALL)).await;
    assert_eq!(kept(&database, all).await, [true; 3], "what is agreed to stays");
    commit(&database, agreeing(ada.writes(4), &NO_PROFILING)).await;
    assert_eq!(kept(&database, all).await, [true, false, true]);
    let stale = agreeing(ada.writes(4), &NO_LOCATION);
    assert_eq!(database.sql.commit(stale).await.expect("answered"), Committed::Stale);
    assert_eq!(kept(&database, all).await, [true, false, true], "what did not happen ends nothing");
    commit(&database, agreeing(ada.writes(5), &NO_LOCATION)).await;
    assert_eq!(kept(&database, all).await, [true, false, false]);
    assert!(
        database.sql.decision(&shy, at(0)).await.expect("read").is_some(),
        "the receipt has no position, and stays"
    );

    // Though it was switched off since.
    let database = database.keeping_inputs(0).await;
    commit(&database, agreeing(bob.writes(2), &NO_LOCATION)).await;
    assert_eq!(kept(&database, all).await, [false; 3]);
}

async fn inputs_of_an_absorbed_profile_are_the_others(database: Database) {
    let database = database.keeping_inputs(7).await;
    let app = app();
    for (number, purposes, is_kept) in [(1, Purpose::ALL.as_slice(), true), (2, &NO_PROFILING, false)] {
        let (anon, ada) = (person(&app, &format!("anon-{number}")), person(&app, &format!("ada-{number}")));
        let asked = answers(&anon, 1, &Purpose::ALL);
        let decision = id(&asked);
        commit(&database, asked.clone()).await;
        let mut login = Person { device: anon.device.clone(), ..ada.clone() }.writes(1);
        login.absorbed = Some(Absorbed { name: anon.name.clone(), expected: 1, by: ada.name.clone() });
        commit(&database, agreeing(handed_over(Some(&anon), login), purposes)).await;
        assert_eq!(kept(&database, [decision]).await, [is_kept], "by whom it is now: {purposes:?}");
        if is_kept {
            let found = database.sql.inputs(&decision, at(0)).await.expect("read");
            assert_eq!(found.as_ref(), asked.inputs.as_deref(), "as they were then");
        }
        database.sql.erase(&ada.name, at(9)).await.expect("erased");
        assert_eq!(kept(&database, [decision]).await, [false]);
    }
}
