//! The line to PostgreSQL breaks or hangs at the worst moments: what was asked for happens once, the retry is told so, and
//! nothing is stuck.

use std::time::Duration;

use dintorni::{
    app::imports::PART,
    domain::{name::OrganizationName, organization::Organization},
    grpc::{
        pb::{self, budget::Unit, campaign_service_client::CampaignServiceClient, key::Scope},
        wire::timestamp_to_wire,
    },
    ports::{Appended, CatalogStore, Clock, Edit, Expected},
    storage::{
        Address,
        sql::{SqlConfig, open},
    },
};
use tonic::{Code, Status};

use super::{
    process::LONGEST,
    proxy::{Fault, Proxy},
};
use crate::{
    cli::call,
    support::{
        databases::{self, Database},
        harness::{TestServer, bearing, refusal},
        samples::at,
        servers::shared_postgres,
    },
    tills::{Shops, budget, by_code, claim, generated},
};

const SECOND: Duration = Duration::from_secs(1);
/// Shorter than the default, so that a hang is over soon; few connections, so that all of them hang. No sweep meanwhile.
const SETTINGS: [(&str, &str); 3] =
    [("server.timeout_ms", "1500"), ("storage.connections", "3"), ("sweep.every_seconds", "3600")];

/// A server whose database is behind a door.
struct Behind {
    server: TestServer,
    proxy: Proxy,
    database: Database,
}

impl Behind {
    async fn start() -> Self {
        Self::start_with(&SETTINGS).await
    }

    async fn start_with(settings: &[(&str, &str)]) -> Self {
        let database = databases::postgres().await;
        let proxy = Proxy::to(shared_postgres().port).await;
        let url = proxy.before(database.config.url.reveal());
        let server = TestServer::start_with(&[&[("storage.url", &*url)], settings].concat()).await;
        Self { server, proxy, database }
    }
}

/// The server may only say that the same should be sent again.
fn must_pass(status: &Status) {
    assert!(matches!(status.code(), Code::Unavailable | Code::DeadlineExceeded), "{status:?}");
}

/// Asks again and again until it is done. Nothing passes by itself for longer than the server waits for PostgreSQL.
async fn in_the_end<T, F: Future<Output = Result<T, Status>>>(attempt: impl Fn() -> F) -> T {
    let done = async {
        loop {
            match attempt().await {
                Ok(done) => return done,
                Err(status) => must_pass(&status),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(LONGEST, done).await.expect("it is not stuck")
}

/// A coupon whose COMMITs suffer the fault: what each first try is told, and what its retry.
struct Victim<'a> {
    shops: Shops<'a>,
    proxy: &'a Proxy,
    fault: Fault,
}

impl<'a> Victim<'a> {
    /// With so few units that one taken twice would be missed by the next.
    async fn new(Behind { server, proxy, .. }: &'a Behind, fault: Fault) -> Self {
        let shops = Shops::open(server).await;
        shops.campaign("umbrella", generated(), vec![budget(Unit::Redemptions, 2), budget(Unit::Money, 1_000)]).await;
        Self { shops, proxy, fault }
    }

    /// Whether what the fault strikes has happened.
    fn happens(&self) -> bool {
        matches!(self.fault, Fault::CutAfter | Fault::HangAfter)
    }

    /// The first try is told nothing of use, a second later the next is told the truth; returns it, and when the first was.
    async fn twice<T, F>(&self, attempt: impl Fn() -> F) -> (T, Option<prost_types::Timestamp>)
    where
        F: Future<Output = Result<T, Status>>,
    {
        let (clock, strikes) = (&self.shops.server.clock, self.proxy.strikes());
        self.proxy.at_commits(1, [self.fault]);
        let first = timestamp_to_wire(clock.now());
        must_pass(&attempt().await.err().expect("nobody knows yet"));
        assert_eq!(self.proxy.strikes(), strikes + 1, "the fault struck");
        clock.advance(SECOND);
        (in_the_end(attempt).await, Some(first))
    }

    async fn claim(&self, installation: u8) -> String {
        let (phone, offer) = self.shops.visitor(installation).await;
        let (claimed, first) = self.twice(|| claim(&phone, &offer.id)).await;
        assert_eq!(claimed.claim_time == first, self.happens(), "{claimed:?}");
        let again = claim(&phone, &offer.id).await.expect("claimed");
        assert_eq!(again, claimed, "the same code");
        claimed.coupon.expect("a coupon").code
    }

    async fn redeem(&self, code: &str) -> pb::Redemption {
        let (redeemed, first) = self.twice(|| self.shops.redeem_code("a", code)).await;
        assert_eq!(redeemed.redeem_time == first, self.happens(), "{redeemed:?}");
        let other = self.shops.redeem_code("b", code).await.expect_err("refused");
        assert_eq!(refusal(&other).1, "ALREADY_REDEEMED");
        let reused = pb::RedeemOfferRequest { till_reference: "x".into(), ..self.shops.sale("a", by_code(code)) };
        assert_eq!(refusal(&self.shops.redeem(reused).await.expect_err("refused")).1, "REQUEST_ID_REUSED");
        redeemed
    }

    async fn reverse(&self, redeemed: &pb::Redemption) {
        let (reversed, first) = self.twice(|| self.shops.reverse("c", &redeemed.id, None)).await;
        assert_eq!(reversed.reverse_time == first, self.happens(), "{reversed:?}");
        assert_eq!(reversed.reversed_amount, redeemed.amount);
    }

    /// Nothing more was taken than is known: a second coupon is good, and a third is not.
    async fn must_have_left(&self, redemptions: u64) {
        let (_, second) = self.shops.holder(101).await;
        self.shops.redeem_code("y", &second).await.expect("the second unit is there");
        self.shops.latecomer(102).await;
        assert_eq!(self.shops.proven().await.redemptions, redemptions);
    }
}

/// A coupon's whole life, each step struck once.
async fn a_life_under(fault: Fault) {
    let behind = Behind::start().await;
    let victim = Victim::new(&behind, fault).await;
    let code = victim.claim(1).await;
    let redeemed = victim.redeem(&code).await;
    victim.reverse(&redeemed).await;
    victim.shops.redeem_code("d", &code).await.expect("good again");
    victim.must_have_left(3).await;
}

/// A redemption that is struck: the longest wait is for a line that hangs.
async fn a_redemption_under(fault: Fault) {
    let behind = Behind::start().await;
    let victim = Victim::new(&behind, fault).await;
    let (_, code) = victim.shops.holder(1).await;
    victim.redeem(&code).await;
    victim.must_have_left(2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_that_is_cut_before_the_commit_leaves_nothing() {
    a_life_under(Fault::CutBefore).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_that_is_cut_after_the_commit_leaves_all_of_it() {
    a_life_under(Fault::CutAfter).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_that_hangs_before_the_commit_keeps_nobody_waiting_for_ever() {
    a_redemption_under(Fault::HangBefore).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_that_hangs_after_the_commit_leaves_all_of_it() {
    a_redemption_under(Fault::HangAfter).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_all_lines_hang_calls_end_in_time_and_then_all_goes_on() {
    let Behind { server, proxy, .. } = &Behind::start().await;
    let shops = Shops::open(server).await;
    shops.campaign("umbrella", generated(), vec![budget(Unit::Redemptions, 2)]).await;
    let (_, code) = shops.holder(1).await;
    let (phone, offer) = shops.visitor(2).await;
    let lists = || async {
        let request = pb::ListRedemptionsRequest { parent: shops.stores[0].clone(), ..Default::default() };
        shops.tills().list_redemptions(bearing(&shops.key, request)).await
    };

    proxy.hang();
    let all = async {
        let (redeemed, claimed) = tokio::join!(shops.redeem_code("a", &code), claim(&phone, &offer.id));
        let many = futures_util::future::join_all((0..8).map(|_| lists())).await;
        let listed = many.into_iter().map(|listed| listed.expect_err("no list"));
        listed.chain([redeemed.expect_err("no sale"), claimed.expect_err("no code")]).for_each(|told| must_pass(&told));
    };
    // Twice 1.5 s, and much more for a busy machine.
    tokio::time::timeout(10 * SECOND, all).await.expect("calls end in the server's time");
    proxy.open();

    let redeemed = in_the_end(|| shops.redeem_code("a", &code)).await;
    assert_eq!(shops.redeem_code("a", &code).await.expect("the same"), redeemed);
    in_the_end(|| claim(&phone, &offer.id)).await;
    assert_eq!(in_the_end(lists).await.into_inner().redemptions, [redeemed]);
    assert_eq!(shops.proven().await.redemptions, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_asked_into_a_line_that_hangs_follows_the_catalog_again() {
    let Behind { server, proxy, database } = &Behind::start_with(&[("catalog.poll_ms", "20")]).await;
    let shops = Shops::open(server).await;
    let name = shops.campaign("umbrella", generated(), vec![]).await;
    proxy.hang();
    proxy.unheard().await;
    proxy.open();

    let beside = TestServer::start_with(&[("storage.url", database.config.url.reveal())]).await;
    let mut campaigns = CampaignServiceClient::new(beside.channel.clone());
    let request = pb::PauseCampaignRequest { name: name.clone(), ..Default::default() };
    campaigns.pause_campaign(bearing(&server.operator, request)).await.expect("paused");
    let followed = async {
        loop {
            let request = pb::GetCampaignRequest { name: name.clone() };
            let here = server.campaigns().get_campaign(bearing(&server.operator, request)).await;
            if here.expect("there").into_inner().state() == pb::campaign::State::Paused {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(LONGEST, followed).await.expect("it follows the catalog");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_edits_go_over_the_line_in_tens_of_statements() {
    let database = databases::postgres().await;
    let proxy = Proxy::to(shared_postgres().port).await;
    let url = Address::new(proxy.before(database.config.url.reveal()));
    let sql = open(&SqlConfig { url, ..database.config.clone() }).await.expect("it opens");
    let organization = |i: u32| Organization {
        name: OrganizationName::parse(&format!("organizations/o{i}")).expect("sound"),
        display_name: String::new(),
        brand_limits: Default::default(),
    };
    let before = proxy.statements();
    let edits = (0..4_999).map(|i| Edit::put(organization(i), Expected::Absent)).collect();
    assert_eq!(sql.append(edits, "tests", at(0)).await.expect("appended"), Appended::Version(1));
    let statements = proxy.statements() - before;
    assert!(statements <= 120, "{statements} statements");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_that_breaks_off_says_that_parts_may_be_applied() {
    let Behind { server, proxy, .. } = &Behind::start().await;
    let key = server.publisher("acme").await.key_of(Scope::Network).await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("stores.csv");
    let line = |i: usize| format!("{i},Store {i},45.0,9.{i}\n");
    let lines: String = (0..PART + 1).map(line).collect();
    std::fs::write(&file, format!("id,name,latitude,longitude\n{lines}")).expect("written");
    let file = file.to_str().expect("text");
    let import = async || {
        let flags = ["import", file, "--network", "acme", "--time-zone", "Europe/Rome"];
        call(server.address, &key, &flags).await
    };
    proxy.at_commits(2, [Fault::CutBefore]);
    let broken = import().await;
    assert!(broken.code == Some(4) && broken.err.contains("parts of it may have been applied"), "{broken:?}");
    let again = import().await;
    assert!(again.code == Some(0) && again.out.starts_with("1 created, 0 changed, 5000 unchanged"), "{again:?}");
    let stranger = call(server.address, &key, &["import", file, "--network", "rival", "--time-zone", "UTC"]).await;
    assert!(stranger.code == Some(1) && !stranger.err.contains("parts of it"), "{stranger:?}");
}
