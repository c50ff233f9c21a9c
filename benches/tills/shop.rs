//! A record full of claimed offers, and the tills that redeem them.

use std::{path::Path, sync::Arc, time::Duration};

use dintorni::{
    app::{
        coupon_search::What,
        live_catalog::LiveCatalog,
        lockouts::{Lockouts, LockoutsConfig},
        profile_edits::ProfileEdits,
        profile_store::{ProfileStore, ProfileStoreConfig},
        promises::Promises,
        sharing::Sharing,
        stripes::Stripes,
        tills::{AtTill, Sale, Tills},
    },
    clock::{SystemClock, SystemEntropy},
    domain::{
        audience::Audience,
        budget::{Budget, Holder, Period, Spot, Take, Unit},
        campaign::{Campaign, CampaignState, Limits, On, Target, Trigger, Weight},
        code::Code,
        consent::Consents,
        content::{Content, Message, Money},
        coupon::{Codes, Coupon, RedeemedAt},
        decision::{Decision, Next},
        geo::Position,
        name::{AppName, CampaignName, DeviceName, KeyName, OrganizationName, ProfileName, StoreName},
        offer::{DecisionId, GivenOffer, Offer, OfferCoupon, OfferId, OfferStore},
        place::Store,
        presence::Area,
        profile::{Personal, Profile},
        redemption::{RequestId, TillId, TillRequest},
        time::{TimeZone, Timestamp},
    },
    ports::{
        CatalogStore, Claim, Clock, Commit, Committed, Edit, EngagementMark, Entropy, Expected, NewCode, ProfileWrite,
        Records,
    },
    storage::{
        Address,
        memory::{MemoryCache, MemoryConfig},
        sql::{Sql, SqlConfig, open},
    },
};
use tokio::task::JoinSet;

const DAY: Duration = Duration::from_secs(86_400);
/// Minor units that one redemption costs, which is all that its claim held.
const VALUE: i64 = 500;

/// The tills of one store.
pub struct Shop {
    sql: Arc<Sql>,
    tills: Tills,
    entropy: Arc<dyn Entropy>,
}

impl Shop {
    /// With the people's profiles in memory, as after their claims.
    pub async fn open(file: &Path, people: usize) -> Self {
        let sql = record(file).await;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy::new().expect("random numbers"));
        let live = Arc::new(LiveCatalog::load(sql.clone()).await.expect("read"));
        let cache = Arc::new(MemoryCache::new(&MemoryConfig::default(), clock.clone()));
        let profiles = Arc::new(ProfileStore::new(sql.clone(), cache, Sharing::Alone, &ProfileStoreConfig::default()));
        for number in 0..people {
            profiles.copy(&person(number).0, clock.now()).await.expect("read").expect("there");
        }
        let edits = Arc::new(ProfileEdits::new(profiles, clock, Arc::new(Stripes::default())));
        let lockouts = Lockouts::new(LockoutsConfig { till: 10, store: 50, period: DAY });
        let tills = Tills::new(edits, sql.clone(), live, entropy.clone(), Promises::new(sql.clone()), lockouts);
        Self { sql, tills, entropy }
    }

    pub fn transactions(&self) -> u64 {
        self.sql.counts().transactions
    }

    pub async fn redeem(&self, till: usize, code: &str) {
        let at = AtTill {
            store: store().name,
            till: TillId::parse(&format!("till-{till}")).expect("sound"),
            what: What::Code(Code::parse(code).expect("sound")),
            customer: None,
        };
        let id = RequestId::parse(&random(&*self.entropy).to_string()).expect("sound");
        let key = KeyName::parse("organizations/acme/keys/tills").expect("sound");
        let request = TillRequest { key, id, fingerprint: self.entropy.bytes() };
        let sale = Sale { request, amount: None, reference: String::new() };
        self.tills.redeem(&at, &sale).await.expect("redeemed");
    }

    pub async fn close(&self) {
        self.sql.close().await;
    }
}

/// Makes a record with so many claimed offers of as many people; returns their codes.
pub async fn prepare(file: &Path, people: usize) -> Vec<String> {
    let sql = record(file).await;
    let edits = vec![Edit::put(store(), Expected::Absent), Edit::put(campaign(), Expected::Absent)];
    sql.append(edits, "bench", now()).await.expect("appended");
    let mut claimed = JoinSet::new();
    let mut codes = Vec::with_capacity(people);
    for number in 0..people {
        let sql = sql.clone();
        claimed.spawn(async move { claim(&sql, number).await });
        if claimed.len() > 256 {
            codes.push(claimed.join_next().await.expect("one").expect("claimed"));
        }
    }
    codes.extend(claimed.join_all().await);
    sql.close().await;
    codes
}

async fn record(file: &Path) -> Arc<Sql> {
    let url = Address::new(format!("sqlite:{}", file.display()));
    open(&SqlConfig { url, ..SqlConfig::default() }).await.expect("it opens")
}

/// Gives a person an offer, and its code; returns that.
async fn claim(sql: &Sql, number: usize) -> String {
    let (name, device) = person(number);
    let offer = offer(number);
    let mut profile = Profile::new(name.clone(), now(), Consents::default(), Personal::default());
    profile.revision.version = 1;
    let given = GivenOffer::new(offer.id, campaign_name(), device.clone(), now());
    profile.offers = Arc::new(vec![given.clone()]);
    let made = Commit {
        at: now(),
        profiles: vec![ProfileWrite { expected: 0, profile: profile.clone() }],
        decision: Some(decision((name, device), offer.clone(), number)),
        ..Commit::default()
    };
    assert_eq!(sql.commit(made).await.expect("committed"), Committed::Done);
    let code = Code::draw(u64::from_be_bytes((number as u64 ^ 0x5DEE_CE66).to_be_bytes()));
    profile.revision.version = 2;
    let spot = Spot { place: "", time_zone: None, at: now() };
    let take = |budget: &Budget, units| Take {
        account: budget.account(&campaign_name(), spot),
        holder: Holder::Offer(offer.id),
        units,
        lapses_at: Some(offer.valid_until),
    };
    let [redemptions, money] = budgets();
    let claimed = Commit {
        at: now(),
        profiles: vec![ProfileWrite { expected: 1, profile }],
        engagement: vec![EngagementMark { claimed_at: Some(now()), ..EngagementMark::from(&given) }],
        takes: vec![take(&redemptions, 1), take(&money, VALUE as u64)],
        claim: Some(Claim { offer: offer.id, code: NewCode::This(code.clone()) }),
        ..Commit::default()
    };
    assert_eq!(sql.commit(claimed).await.expect("committed"), Committed::Done);
    code.as_str().to_owned()
}

fn now() -> Timestamp {
    SystemClock.now()
}

fn random(entropy: &dyn Entropy) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = entropy.bytes();
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

fn acme() -> OrganizationName {
    OrganizationName::parse("organizations/acme").expect("sound")
}

fn campaign_name() -> CampaignName {
    acme().campaign("umbrella").expect("sound")
}

fn person(number: usize) -> (ProfileName, DeviceName) {
    let app: AppName = acme().app("shopper").expect("sound");
    (app.profile(&format!("p{number}")).expect("sound"), app.device(&format!("d{number}")).expect("sound"))
}

fn here() -> Position {
    Position::new(45.4719, 9.1881).expect("sound")
}

fn store() -> Store {
    let name: StoreName = acme().store("one").expect("sound");
    let time_zone = TimeZone::new("Europe/Rome").expect("known");
    Store {
        name,
        display_name: "One".to_owned(),
        position: here(),
        time_zone,
        address: String::new(),
        brand: String::new(),
        opening_hours: Default::default(),
        country: None,
        source: None,
        tags: [].into(),
    }
}

fn budgets() -> [Budget; 2] {
    let whole =
        |unit| Budget { unit, limit: 1_000_000_000_000, period: Period::Whole, per_store: false, time_zone: None };
    [whole(Unit::Redemptions), whole(Unit::Money)]
}

fn campaign() -> Campaign {
    Campaign {
        name: campaign_name(),
        display_name: "Umbrella".to_owned(),
        state: CampaignState::Active,
        audience: Audience::everyone(),
        content: Content::new("An umbrella", "", "", "", None).expect("sound"),
        topics: [].into(),
        trigger: Trigger { on: On::Entered, at: Target::Places([].into()), visit: Default::default() },
        limits: Limits { budgets: budgets().into(), ..Limits::default() },
        weight: Weight::default(),
        priority: Default::default(),
        coupon: Some(Coupon {
            codes: Codes::Generated,
            instruction: "5 EUR off".to_owned(),
            value: Some(Money::new("EUR", VALUE).expect("sound")),
            redeem_after: Duration::ZERO,
            holder_only: false,
            at: RedeemedAt::Anywhere,
        }),
        experiment: None,
        testers: Default::default(),
    }
}

fn offer(number: usize) -> Offer {
    let store = store();
    Offer {
        id: OfferId::new(now(), (number as u128) << 64),
        campaign: campaign_name(),
        content: Message { title: "An umbrella".to_owned(), ..Message::default() },
        area: Area::Around(store.name.clone(), 60),
        store: Some(OfferStore {
            name: store.name,
            display_name: store.display_name,
            address: store.address,
            position: store.position,
        }),
        distance_m: None,
        surface: Default::default(),
        reason: String::new(),
        show_by: now() + DAY,
        valid_until: now() + DAY,
        coupon: Some(OfferCoupon { code: None, instruction: "5 EUR off".to_owned(), valid_from: now() }),
        arm: None,
        trial: false,
    }
}

fn decision((profile, device): (ProfileName, DeviceName), offer: Offer, number: usize) -> Decision {
    Decision {
        id: DecisionId::new(now(), (number as u128) << 64),
        profile,
        device,
        ping: dintorni::domain::ping::PingId::new(&format!("ping-{number:08}")).expect("sound"),
        at: now(),
        catalog_version: 1,
        seed: 0,
        test: false,
        event: None,
        transitions: Vec::new(),
        notes: Vec::new(),
        considered: Vec::new(),
        offers: vec![offer],
        ghosts: Vec::new(),
        next: Next { safe_radius_m: 0.0, at: now() },
    }
}
