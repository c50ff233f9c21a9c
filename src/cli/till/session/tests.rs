//! The loop against a server that answers what the test says, on a real socket.

use std::{
    collections::VecDeque,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use std::sync::Arc;

use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status, transport::Channel};

use super::*;
use crate::{
    cli::connection::Connection,
    domain::{name::StoreName, redemption::TillId},
    grpc::{
        pb::{
            presented::By,
            redemption_service_server::{RedemptionService, RedemptionServiceServer},
        },
        status::Problem,
        wire::timestamp_to_wire,
    },
};

const CODE: &str = "K7Q2-9XWM-T4RD";

/// What was asked, and how it is answered.
#[derive(Default)]
struct Fake {
    checks: Mutex<Vec<pb::CheckOfferRequest>>,
    redeems: Mutex<Vec<pb::RedeemOfferRequest>>,
    reversals: Mutex<Vec<pb::ReverseRedemptionRequest>>,
    /// So many redemptions are not answered.
    away: AtomicUsize,
    /// The customer must be named.
    holder_only: bool,
}

struct Served(Arc<Fake>);

fn euros(minor_units: i64) -> Option<pb::Money> {
    Some(pb::Money { currency: "EUR".to_owned(), minor_units })
}

fn redemption(till: &str, amount: Option<pb::Money>) -> pb::Redemption {
    pb::Redemption {
        id: "0198f3a2-7c1e-7abc-8def-0123456789ab".to_owned(),
        till: till.to_owned(),
        amount,
        redeem_time: Some(timestamp_to_wire(SystemClock.now())),
        instruction: "10 % off one umbrella".to_owned(),
        ..Default::default()
    }
}

#[tonic::async_trait]
impl RedemptionService for Served {
    async fn check_offer(
        &self,
        request: Request<pb::CheckOfferRequest>,
    ) -> Result<Response<pb::CheckOfferResponse>, Status> {
        let request = request.into_inner();
        let customer = request.presented.clone().unwrap_or_default().customer;
        self.0.checks.lock().expect("sound").push(request);
        let refusal = (self.0.holder_only && customer.is_empty()).then(|| pb::CouponRefusal {
            reason: Reason::CustomerRequired.into(),
            message: "Please scan the customer's card as well.".to_owned(),
            time: None,
        });
        let terms = pb::CouponTerms {
            title: "Umbrellas".to_owned(),
            instruction: "10 % off one umbrella".to_owned(),
            value: euros(500),
            ..Default::default()
        };
        Ok(Response::new(pb::CheckOfferResponse {
            terms: Some(terms),
            refusal,
            time_zone: "Asia/Tokyo".to_owned(),
            ..Default::default()
        }))
    }

    async fn redeem_offer(&self, request: Request<pb::RedeemOfferRequest>) -> Result<Response<pb::Redemption>, Status> {
        let request = request.into_inner();
        let answer = redemption(&request.till, request.amount.clone());
        self.0.redeems.lock().expect("sound").push(request);
        let away = self.0.away.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)).is_ok();
        if away {
            Err(Problem::StoreUnavailable.says_until(Duration::from_millis(5), "away"))
        } else {
            Ok(Response::new(answer))
        }
    }

    async fn reverse_redemption(
        &self,
        request: Request<pb::ReverseRedemptionRequest>,
    ) -> Result<Response<pb::ReverseRedemptionResponse>, Status> {
        let request = request.into_inner();
        let back = request.amount.clone();
        self.0.reversals.lock().expect("sound").push(request);
        let redemption = pb::Redemption { reversed_amount: back, ..redemption("t1", euros(500)) };
        Ok(Response::new(pb::ReverseRedemptionResponse { redemption: Some(redemption) }))
    }

    async fn list_redemptions(
        &self,
        _: Request<pb::ListRedemptionsRequest>,
    ) -> Result<Response<pb::ListRedemptionsResponse>, Status> {
        let days_ago = timestamp_to_wire(SystemClock.now() - Duration::from_secs(2 * 86_400));
        let old = pb::Redemption { redeem_time: Some(days_ago), ..redemption("of old", euros(300)) };
        let redemptions = vec![redemption("another", euros(100)), redemption("t1", euros(500)), old];
        let time_zone = "Asia/Tokyo".to_owned();
        Ok(Response::new(pb::ListRedemptionsResponse { redemptions, time_zone, ..Default::default() }))
    }
}

impl Lines for VecDeque<&str> {
    async fn next(&mut self) -> Option<String> {
        self.pop_front().map(str::to_owned)
    }

    fn forget(&mut self) {}
}

async fn desk(fake: &Arc<Fake>) -> Desk {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    let service = RedemptionServiceServer::new(Served(fake.clone()));
    let serving = tonic::transport::Server::builder().add_service(service);
    tokio::spawn(serving.serve_with_incoming(TcpListenerStream::new(listener)));
    let channel = Channel::from_shared(url.clone()).expect("sound").connect_lazy();
    let store = StoreName::parse("organizations/acme/stores/brera").expect("sound");
    let till = TillId::parse("t1").expect("sound");
    Desk::new(Connection::of(&url, "dk_x"), channel, store, till).expect("sound")
}

/// What is on the terminal after these lines; `while_it_runs` does something meanwhile.
async fn shown(fake: &Arc<Fake>, lines: &[&'static str], while_it_runs: impl AsyncFnOnce(&Interrupts)) -> String {
    let (desk, interrupts, mut out) = (desk(fake).await, Interrupts::default(), Vec::new());
    let lines: VecDeque<&str> = lines.iter().copied().collect();
    let session = Session::new(&desk, lines, &mut out, Paint::off(), interrupts.clone());
    let (ended, ()) = tokio::join!(session.run(), while_it_runs(&interrupts));
    ended.expect("the session ends");
    String::from_utf8(out).expect("text")
}

async fn after(fake: &Arc<Fake>, lines: &[&'static str]) -> String {
    shown(fake, lines, async |_| {}).await
}

#[tokio::test]
async fn enter_redeems_what_was_read_and_an_amount_that() {
    let fake = Arc::new(Fake::default());
    let told = after(&fake, &[CODE, "", CODE, "4,99"]).await;
    assert!(told.contains("Good: 10 % off one umbrella\n      Umbrellas; up to 5.00 EUR\n"), "{told}");
    assert!(told.contains("Redeemed 5.00 EUR: 10 % off") && told.contains("Redeemed 4.99 EUR: 10 % off"), "{told}");
    let redeems = fake.redeems.lock().expect("sound");
    let amounts: Vec<_> = redeems.iter().map(|request| request.amount.clone()).collect();
    assert_eq!(amounts, [euros(500), euros(499)]);
    assert_ne!(redeems[0].request_id, redeems[1].request_id);
    let first = &fake.checks.lock().expect("sound")[0];
    assert_eq!(first.presented.clone().and_then(|presented| presented.by), Some(By::Code(CODE.to_owned())));
    assert_eq!(first.lock.map(|lock| lock.seconds), Some(180));
}

#[tokio::test]
async fn what_is_no_code_is_told_without_asking() {
    let fake = Arc::new(Fake::default());
    let told = after(&fake, &["zzz", "?"]).await;
    assert_eq!(told.matches("No: This is no code").count(), 2, "{told}");
    assert!(fake.checks.lock().expect("sound").is_empty());
}

#[tokio::test]
async fn anything_else_leaves_it_and_ends_the_lock() {
    for answer in ["n", "6.00", "0005", CODE] {
        let fake = Arc::new(Fake::default());
        let told = after(&fake, &[CODE, answer]).await;
        assert!(told.contains("Left: nothing was redeemed.") && !told.contains("Redeemed"), "{answer}: {told}");
        assert!(fake.redeems.lock().expect("sound").is_empty(), "{answer}");
        let checks = fake.checks.lock().expect("sound");
        assert_eq!(checks.last().expect("two").lock, Some(prost_types::Duration::default()), "{answer}");
    }
    // So does the end of the lines: the drawer is left open by nobody.
    let fake = Arc::new(Fake::default());
    after(&fake, &[CODE]).await;
    assert_eq!((fake.checks.lock().expect("sound").len(), fake.redeems.lock().expect("sound").len()), (2, 0));
}

#[tokio::test]
async fn a_lost_answer_is_asked_for_again_with_the_same_id() {
    let fake = Arc::new(Fake { away: 2.into(), ..Fake::default() });
    let told = after(&fake, &[CODE, ""]).await;
    assert!(told.contains("No answer yet") && told.contains("Redeemed 5.00 EUR"), "{told}");
    let redeems = fake.redeems.lock().expect("sound");
    assert!(redeems.len() == 3 && redeems.iter().all(|request| *request == redeems[0]), "{redeems:?}");
}

#[tokio::test]
async fn whoever_gives_up_is_told_that_it_is_not_known_and_can_ask_again() {
    let fake = Arc::new(Fake { away: usize::MAX.into(), ..Fake::default() });
    let give_up = async |interrupts: &Interrupts| {
        while fake.redeems.lock().expect("sound").len() < 2 {
            sleep(Duration::from_millis(1)).await;
        }
        interrupts.interrupt();
        fake.away.store(0, SeqCst);
    };
    let told = shown(&fake, &[CODE, "", "again"], give_up).await;
    let redeems = fake.redeems.lock().expect("sound");
    let (before, after) = told.split_once("  again does that; list").expect("how to ask again");
    assert!(before.contains("NOT KNOWN whether it was redeemed"), "{told}");
    assert!(before.contains(&redeems[0].request_id) && !before.contains("Redeemed"), "{told}");
    assert!(after.contains("Redeemed 5.00 EUR"), "{told}");
    assert!(redeems.iter().all(|request| *request == redeems[0]), "{redeems:?}");
}

#[tokio::test]
async fn who_ends_without_an_answer_is_told_how_to_get_it() {
    let fake = Arc::new(Fake { away: usize::MAX.into(), ..Fake::default() });
    let give_up = async |interrupts: &Interrupts| {
        while fake.redeems.lock().expect("sound").len() < 2 {
            sleep(Duration::from_millis(1)).await;
        }
        interrupts.interrupt();
    };
    let told = shown(&fake, &[CODE, ""], give_up).await;
    let id = &fake.redeems.lock().expect("sound")[0].request_id;
    let at = "--store organizations/acme/stores/brera --till t1";
    assert!(told.ends_with(&format!("redeem CODE {at} --amount \"5.00 EUR\" --request-id {id}\n")), "{told}");
    assert!(!told.contains(CODE), "codes are not shown again: {told}");
}

#[tokio::test]
async fn the_customer_is_asked_for_only_if_the_server_wants_one() {
    let fake = Arc::new(Fake { holder_only: true, ..Fake::default() });
    let told = after(&fake, &[CODE, "4711", ""]).await;
    assert!(told.contains("Customer's id") && told.contains("Redeemed 5.00 EUR"), "{told}");
    let redeemed = fake.redeems.lock().expect("sound")[0].presented.clone().expect("presented");
    assert_eq!(redeemed.customer, "4711");
    let told = after(&fake, &[CODE, ""]).await;
    assert!(told.contains("Left: nothing was redeemed.") && fake.redeems.lock().expect("sound").len() == 1, "{told}");
}

#[tokio::test]
async fn undo_shows_the_last_of_this_till_and_asks() {
    let fake = Arc::new(Fake::default());
    let told = after(&fake, &["undo", "", "undo", "1.50", "undo", "no", "undo 7", "list"]).await;
    assert!(told.contains("5.00 EUR, 10 % off one umbrella; ") && told.contains(" at t1 (redemption 0198"), "{told}");
    assert!(told.contains("Left: nothing was taken back.") && told.contains("There is no such redemption"), "{told}");
    assert!(told.contains("another"), "the list has those of other tills: {told}");
    assert!(told.contains(" JST  t1") && !told.contains("of old"), "today, by the clock of the shop: {told}");
    let reversals = fake.reversals.lock().expect("sound");
    let amounts: Vec<_> = reversals.iter().map(|request| request.amount.clone()).collect();
    assert_eq!(amounts, [None, euros(150)]);
}
