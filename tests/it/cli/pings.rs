//! `dintorni ping`.

use serde_json::Value;

use super::{Ran, call, dintorni, is_plain, run};
use crate::support::harness::{HERE, TestServer};

fn here() -> String {
    format!("{},{}", HERE.latitude, HERE.longitude)
}

fn json(ran: &Ran) -> Value {
    assert_eq!(ran.code, Some(0), "{ran:?}");
    serde_json::from_str(&ran.out).expect("JSON")
}

#[tokio::test]
async fn the_first_ping_of_a_newcomer_shows_the_offer_and_why() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    let campaign = acme.cafe().await;
    let ran = call(server.address, &acme.key, &["ping", "--at", &here(), "--accuracy", "8", "--explain"]).await;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    for part in
        ["offer      An espresso on us\n", "happened   entered the 60 m around organizations/acme/stores/brera at "]
    {
        assert!(ran.out.contains(part), "{part} is not in:\n{}", ran.out);
    }
    assert!(ran.out.contains(&format!("chosen   {campaign}\n")), "{}", ran.out);
    assert!(is_plain(&ran) && ran.out.contains(" UTC"), "{}", ran.out);
    let ran =
        call(server.address, &acme.key, &["ping", "--at", &here(), "--time-zone", "Europe/Rome", "--explain"]).await;
    assert!(ran.out.contains(" (Europe/Rome)") && !ran.out.contains("UTC"), "its own clock: {}", ran.out);
    let ran = call(server.address, &acme.key, &["ping", "--at", &here(), "--time-zone", "Rome"]).await;
    assert!(ran.code == Some(64) && ran.err.contains("--time-zone"), "{ran:?}");
}

#[tokio::test]
async fn a_named_device_is_the_same_person_again_and_others_are_new() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    acme.cafe().await;
    let at = here();
    let ping = async |more: &[&str]| {
        let arguments = [["ping", "--at", &at, "--json", "--explain"].as_slice(), more].concat();
        json(&call(server.address, &acme.key, &arguments).await)
    };
    let first = ping(&["--device", "aino"]).await;
    assert_eq!(first["answer"]["offers"][0]["title"], "An espresso on us", "{first}");
    assert_eq!(first["receipt"]["test"], true);
    let again = ping(&["--device", "aino"]).await;
    assert_eq!(again["device"], first["device"]);
    assert_eq!((again["answer"]["offers"].as_array().map(Vec::len), &again["receipt"]), (Some(0), &Value::Null));
    let other = ping(&["--without", "marketing"]).await;
    assert_ne!(other["profile"], first["profile"]);
    assert_eq!(other["receipt"]["considered"][0]["refused"]["code"], "NO_MARKETING_CONSENT", "{other}");
}

#[tokio::test]
async fn a_token_pings_without_registering_anybody() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    acme.cafe().await;
    let phone = acme.phone(1).await;
    let mut command = dintorni(&["ping", "--at", &here(), "--json"]);
    command.env("DINTORNI_SERVER", format!("http://{}", server.address)).env("DINTORNI_TOKEN", &phone.token);
    let answer = json(&run(command).await);
    assert_eq!((&answer["device"], answer.get("receipt")), (&Value::Null, None));
    assert_eq!(answer["answer"]["transitions"][0]["kind"], "ENTERED", "{answer}");
}

#[tokio::test]
async fn what_is_wrong_is_said_before_or_by_the_server() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    let ran = call(server.address, &acme.key, &["ping", "--at", "45"]).await;
    assert_eq!(ran.code, Some(64), "{ran:?}");
    for accuracy in ["-1", "0", "far"] {
        let ran = call(server.address, &acme.key, &["ping", "--at", "45,9", "--accuracy", accuracy]).await;
        assert!(ran.code == Some(64) && ran.err.contains("--accuracy"), "{ran:?}");
    }
    // An empty variable is none.
    let ran = call(server.address, "", &["ping", "--at", "45,9"]).await;
    assert!(ran.code == Some(64) && ran.err.contains("--key") && ran.err.contains("DINTORNI_KEY"), "{ran:?}");
    let ran = call(server.address, &server.operator, &["ping", "--at", "45,9"]).await;
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.err.contains("PermissionDenied"), "{ran:?}");
}
