//! Logging in and out: whose the device is, and that caps do not start anew.

use dintorni::{domain::name::ProfileName, grpc::pb};
use tonic::Code;

use super::{coffee, get, link, offered, refusals, revoke, server_key, unlink, update, visit};
use crate::support::harness::{TestServer, bearing, ping, refusal, registration};

#[tokio::test]
async fn no_cap_is_reset_by_logging_in_and_out() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    coffee(&server, &acme, None).await;
    let (phone, tablet) = (acme.phone(1).await, acme.phone(2).await);
    let key = server_key(&acme).await;
    offered(&server, &phone, "first").await;

    let ada = link(&server, &key, &phone.device, "ada").await.expect("linked");
    assert_eq!((ada.name.as_str(), ada.devices), (&*format!("{}/profiles/ada", acme.app), vec![phone.device.clone()]));
    let capped = ["CAMPAIGN_CAP"];
    assert_eq!(refusals(&server, &visit(&server, &phone, "logged-in").await).await, capped, "logged in");
    let nobody = unlink(&server, &key, &phone.device).await.expect("unlinked");
    let phone = acme.phone(1).await;
    assert_eq!(refusals(&server, &visit(&server, &phone, "logged-out").await).await, capped, "logged out");
    link(&server, &key, &phone.device, "bob").await.expect("linked");
    assert_eq!(refusals(&server, &visit(&server, &phone, "as-bob").await).await, capped, "somebody else, same phone");
    // And the person keeps it, on whatever device.
    link(&server, &key, &tablet.device, "ada").await.expect("linked");
    assert_eq!(refusals(&server, &visit(&server, &tablet, "by-tablet").await).await, capped, "another phone");
    let absorbed = get(&server, &key, &nobody.name).await.expect_err("it has ended");
    assert_eq!(absorbed.code(), Code::NotFound);
}

#[tokio::test]
async fn going_in_and_out_again_repeats_no_offer() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    coffee(&server, &acme, None).await;
    let phone = acme.phone(1).await;
    let key = server_key(&acme).await;
    offered(&server, &phone, "first").await;
    for _ in 0..3 {
        let ada = link(&server, &key, &phone.device, "ada").await.expect("linked");
        let again = link(&server, &key, &phone.device, "ada").await.expect("linked already");
        assert_eq!(again, ada);
        let name = ProfileName::parse(&ada.name).expect("sound");
        let profile = server.ports.records.profile(&name).await.expect("read").expect("there");
        assert_eq!(profile.offers.len(), 1);
        let out = unlink(&server, &key, &phone.device).await.expect("unlinked");
        assert_eq!(unlink(&server, &key, &phone.device).await.expect("unlinked already"), out);
    }
}

#[tokio::test]
async fn a_person_keeps_what_is_theirs_and_gains_what_is_not_known_yet() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    let (phone, tablet) = (acme.phone(1).await, acme.phone(2).await);
    let key = server_key(&acme).await;
    let likes = |tea, topic: &str| pb::Profile {
        interests: [("tea".to_owned(), tea), (topic.to_owned(), 0.1)].into(),
        ..Default::default()
    };
    update(&server, &phone.token, likes(0.9, "running"), &[]).await.expect("written");
    update(&server, &tablet.token, likes(0.2, "books"), &[]).await.expect("written");
    let refusal = pb::Consent {
        purpose: pb::Purpose::Marketing.into(),
        granted: false,
        text_version: "2026-01".into(),
        given_at: None,
    };
    let refuses = pb::Profile { consents: vec![refusal], ..Default::default() };
    update(&server, &tablet.token, refuses, &[]).await.expect("written");

    let new = link(&server, &key, &phone.device, "ada").await.expect("linked");
    assert!(new.consents.iter().all(|consent| consent.granted), "a new person has those of the device");
    let ada = link(&server, &key, &tablet.device, "ada").await.expect("linked");
    assert_eq!(ada.consents, new.consents, "a known person keeps theirs");
    assert_eq!(ada.interests, [("tea", 0.9), ("running", 0.1), ("books", 0.1)].map(|(t, s)| (t.to_owned(), s)).into());

    let out = unlink(&server, &key, &tablet.device).await.expect("unlinked");
    assert_eq!((out.consents, out.interests.len(), out.devices), (vec![], 0, vec![tablet.device.clone()]));
    assert_eq!(get(&server, &tablet.token, "").await.expect("by the old token").name, out.name);
    assert_eq!(
        get(&server, &phone.token, "").await.expect("by the old token").devices,
        std::slice::from_ref(&phone.device)
    );
    let old = get(&server, &tablet.token, &ada.name).await.expect_err("not its own any more");
    assert_eq!(old.code(), Code::PermissionDenied);
}

#[tokio::test]
async fn presence_and_receipts_come_along() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    coffee(&server, &acme, None).await;
    let phone = acme.phone(1).await;
    let first = visit(&server, &phone, "first").await;
    link(&server, &server_key(&acme).await, &phone.device, "ada").await.expect("linked");
    server.clock.advance(super::MINUTE);
    let inside = phone.ping("still-here").await.expect("answered");
    assert_eq!(inside.transitions, [], "no second entry");
    assert!(inside.renewed_token.is_some(), "one that names the person");
    let request = pb::GetDecisionRequest { decision: first.decision };
    let receipt = server.decisions().get_decision(bearing(&phone.token, request)).await.expect("still readable");
    assert_eq!(receipt.into_inner().profile, format!("{}/profiles/ada", acme.app));
}

#[tokio::test]
async fn who_logs_in_is_told_nothing_of_what_was_read_without_consent() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    coffee(&server, &acme, None).await;
    let (tablet, key) = (acme.phone(2).await, server_key(&acme).await);
    link(&server, &key, &tablet.device, "ada").await.expect("linked");
    for (installation, agrees) in [(3, true), (4, false)] {
        let asked = registration(installation);
        let consents = if agrees { asked.consents.clone() } else { vec![] };
        let asked = pb::RegisterDeviceRequest { consents, ..asked };
        let phone = server.devices().register_device(bearing(&acme.key, asked)).await.expect("registered");
        let pb::RegisterDeviceResponse { device, token, .. } = phone.into_inner();
        let kept = ping(&format!("kept-by-{installation}"), server.now());
        server.clock.advance(super::MINUTE);
        link(&server, &key, &device, "ada").await.expect("linked");
        let sent = pb::PingRequest { sent_at: server.now(), ..kept };
        let answer = server.proximity().ping(bearing(&token.expect("given").value, sent)).await.expect("answered");
        assert_eq!(answer.into_inner().transitions.len(), usize::from(agrees), "{installation}");
    }
}

#[tokio::test]
async fn an_erased_person_is_never_brought_back() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    let (phone, tablet) = (acme.phone(1).await, acme.phone(2).await);
    let key = server_key(&acme).await;
    let ada = link(&server, &key, &phone.device, "ada").await.expect("linked");
    super::erase(&server, &key, &ada.name).await.expect("erased");
    let status = link(&server, &key, &tablet.device, "ada").await.expect_err("refused");
    assert_eq!(refusal(&status), (Code::FailedPrecondition, "PRECONDITION".into()));
    assert_eq!(get(&server, &tablet.token, "").await.expect("untouched").name, tablet.profile);
}

#[tokio::test]
async fn nothing_of_what_a_person_did_goes_to_who_has_the_phone_next() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    coffee(&server, &acme, None).await;
    let phone = acme.phone(1).await;
    let key = server_key(&acme).await;
    let offer = offered(&server, &phone, "first").await;
    let profile = async |name: &str| {
        let name = ProfileName::parse(name).expect("sound");
        server.ports.records.profile(&name).await.expect("read").expect("there")
    };
    let ada = link(&server, &key, &phone.device, "ada").await.expect("linked").name;
    let shown =
        pb::EngagementEvent { offer: offer.id, kind: pb::engagement_event::Kind::Shown.into(), at: server.now() };
    let request = pb::ReportEngagementRequest { sent_at: server.now(), events: vec![shown], reported_through: None };
    server.engagement().report_engagement(bearing(&phone.token, request)).await.expect("recorded");
    let hers = profile(&ada).await.offers;
    assert!(hers[0].shown_at.is_some());
    for straight in [true, false, true] {
        if !straight {
            unlink(&server, &key, &phone.device).await.expect("unlinked");
        }
        let bob = link(&server, &key, &phone.device, "bob").await.expect("linked").name;
        let his = profile(&bob).await.offers;
        assert_eq!(his.len(), 1, "caps count it, once");
        assert_eq!((&his[0].campaign, his[0].offered_at), (&hers[0].campaign, hers[0].offered_at));
        assert_ne!(his[0].id, hers[0].id);
        assert_eq!((his[0].shown_at, his[0].opened_at), (None, None));
        link(&server, &key, &phone.device, "ada").await.expect("linked");
        assert_eq!(profile(&ada).await.offers, hers, "and she keeps hers as they were");
    }
}

#[tokio::test]
async fn a_revoked_token_is_dead_at_once_and_the_phone_gets_a_good_one() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    let phone = acme.phone(1).await;
    let key = server_key(&acme).await;
    phone.ping("before-revoking").await.expect("still good");
    revoke(&server, &key, &phone.device).await.expect("revoked");
    let revoked = (Code::Unauthenticated, "TOKEN_REVOKED".to_owned());
    assert_eq!(refusal(&phone.ping("after-revoking").await.expect_err("refused")), revoked);
    assert_eq!(refusal(&get(&server, &phone.token, "").await.expect_err("refused")), revoked);
    let again = acme.phone(1).await;
    assert_eq!((&again.device, &again.profile), (&phone.device, &phone.profile));
    again.ping("with-a-new-token").await.expect("good");
    let unknown = format!("{}/devices/unknown", acme.app);
    assert_eq!(revoke(&server, &key, &unknown).await.expect_err("missing").code(), Code::NotFound);
}

#[tokio::test]
async fn registering_again_takes_back_no_refusal_of_a_known_person() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    let phone = acme.phone(1).await;
    let key = server_key(&acme).await;
    let ada = link(&server, &key, &phone.device, "ada").await.expect("linked");
    let marketing = i32::from(pb::Purpose::Marketing);
    let says = async |granted| {
        let text_version = "by-the-account-page".to_owned();
        let consent = pb::Consent { purpose: marketing, granted, text_version, given_at: None };
        let profile = pb::Profile { name: ada.name.clone(), consents: vec![consent], ..Default::default() };
        update(&server, &key, profile, &[]).await.expect("written")
    };
    let refused = says(false).await;
    // The phone does not know of it, and says what it always said.
    acme.phone(1).await;
    assert_eq!(get(&server, &key, &ada.name).await.expect("there").consents, refused.consents);
    let granted = says(true).await;
    assert!(granted.consents.iter().all(|consent| consent.granted));
}

#[tokio::test]
async fn who_has_the_phone_next_hears_nothing_of_where_it_was() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    coffee(&server, &acme, None).await;
    let (phone, key) = (acme.phone(1).await, server_key(&acme).await);
    link(&server, &key, &phone.device, "ada").await.expect("linked");
    let first = visit(&server, &phone, "first").await;
    let then = server.now();
    assert_eq!((first.transitions.len(), first.offers.len()), (1, 1));
    unlink(&server, &key, &phone.device).await.expect("unlinked");
    let again = server.proximity().ping(bearing(&phone.token, ping("first-is-here", then))).await;
    let reused = (Code::AlreadyExists, "PING_ID_REUSED".to_owned());
    assert_eq!(refusal(&again.expect_err("it was answered to Ada")), reused);

    server.clock.advance(super::MINUTE);
    let phone = acme.phone(1).await;
    link(&server, &key, &phone.device, "bob").await.expect("linked");
    server.clock.advance(super::MINUTE);
    // The phone kept a fix of Ada's.
    let mut kept = ping("of-bob-and-ada", server.now());
    kept.fixes[0].position = Some(pb::LatLng { latitude: 45.6, longitude: 9.3 });
    kept.fixes.splice(0..0, ping("anything", then).fixes);
    let answer = server.proximity().ping(bearing(&phone.token, kept)).await.expect("answered").into_inner();
    assert_eq!(answer.transitions, [], "neither that she was there nor that she left");
    let came = visit(&server, &phone, "second").await;
    assert_eq!(came.transitions.len(), 1, "he comes for the first time");
}

#[tokio::test]
async fn what_a_phone_says_while_somebody_logs_in_is_not_lost() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    coffee(&server, &acme, None).await;
    let key = server_key(&acme).await;
    for number in 1..=6 {
        let (phone, person) = (acme.phone(number).await, format!("person-{number}"));
        let offer = offered(&server, &phone, "first").await;
        let refusal = pb::Consent {
            purpose: pb::Purpose::Profiling.into(),
            granted: false,
            text_version: "2026-01".into(),
            given_at: None,
        };
        let refuses = pb::Profile { consents: vec![refusal.clone()], ..Default::default() };
        let mute = pb::MuteBrandRequest { name: String::new(), brand: acme.organization.clone() };
        let report = pb::ReportEngagementRequest {
            sent_at: server.now(),
            events: vec![pb::EngagementEvent {
                offer: offer.id.clone(),
                kind: pb::engagement_event::Kind::Shown.into(),
                at: server.now(),
            }],
            reported_through: None,
        };
        let (mut profiles, mut engagement) = (server.profiles(), server.engagement());
        let (linked, updated, muted, reported) = tokio::join!(
            link(&server, &key, &phone.device, &person),
            update(&server, &phone.token, refuses, &[]),
            profiles.mute_brand(bearing(&phone.token, mute)),
            engagement.report_engagement(bearing(&phone.token, report)),
        );
        let name = linked.expect("linked").name;
        updated.expect("written");
        muted.expect("muted");
        assert_eq!(reported.expect("recorded").into_inner().unknown_offers, [""; 0]);
        let person = get(&server, &key, &name).await.expect("there");
        let profiling = person.consents.iter().find(|consent| consent.purpose() == pb::Purpose::Profiling);
        assert_eq!(profiling.map(|consent| consent.granted), Some(false));
        assert_eq!(person.muted_brands, std::slice::from_ref(&acme.organization));
        let name = ProfileName::parse(&name).expect("sound");
        let profile = server.ports.records.profile(&name).await.expect("read").expect("there");
        assert!(profile.offers.iter().all(|offer| offer.shown_at.is_some()));
    }
}

#[tokio::test]
async fn whoever_is_erased_while_logging_in_is_erased() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    let key = server_key(&acme).await;
    for number in 1..=6 {
        let (phone, person) = (acme.phone(number).await, format!("person-{number}"));
        let mut profiles = server.profiles();
        // With its name or without.
        let name = if number % 2 == 0 { String::new() } else { phone.profile.clone() };
        let request = bearing(&phone.token, pb::DeleteProfileRequest { name: name.clone() });
        let (linked, erased) =
            tokio::join!(link(&server, &key, &phone.device, &person), profiles.delete_profile(request));
        match (erased, linked) {
            // Hers by then, and not the one that was named.
            (Err(refused), Ok(_)) => assert_eq!((name.is_empty(), refused.code()), (false, Code::PermissionDenied)),
            (erased, Ok(linked)) => {
                erased.expect("erased");
                assert_eq!(get(&server, &key, &linked.name).await.expect_err("gone").code(), Code::NotFound);
            }
            (erased, Err(_)) => drop(erased.expect("erased")),
        }
        let again = || bearing(&phone.token, pb::DeleteProfileRequest::default());
        server.profiles().delete_profile(again()).await.expect("erased");
        server.profiles().delete_profile(again()).await.expect("erased already");
        let named = bearing(&phone.token, pb::DeleteProfileRequest { name: phone.profile.clone() });
        server.profiles().delete_profile(named).await.expect("erased already");
    }
}
