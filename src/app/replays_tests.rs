//! What was decided is decided again the same, whatever changed since; and what is not the same is told by its path.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use async_trait::async_trait;

use super::{
    aside,
    differences::Difference,
    fakes::{AUTHOR, FakeCatalog, Standing},
    live_catalog::LiveCatalog,
    past_catalogs::PastCatalogs,
    replays::{ReplayError, Replays},
};
use crate::{
    domain::{
        budget::{AccountId, Budget, Period, Spot, Unit},
        campaign::{Campaign, Limits, On, Target, Trigger},
        cap::{Cap, Within},
        catalog::{Resource, ResourceName},
        consent::Purpose,
        decision::{Decision, Reason, Verdict},
        experiment::Experiment,
        inputs::Inputs,
        name::{DeviceName, ProfileName},
        offer::DecisionId,
        organization::App,
        ping::{AppEvent, Ping, PingId},
        profile::Profile,
        text::{EventKey, ExperimentId},
        time::Timestamp,
    },
    engine::{
        decide::{Effect, Question, decide},
        fixture::{
            DAY, acme, app, app_name, at, campaign, consents, device_name, geofence, here, metres, person, store,
        },
    },
    ports::{Answer, Commit, Committed, Edit, Expected, Past, Records, StoreError},
};

/// Receipts, and what they were made of.
#[derive(Default)]
struct Kept {
    decisions: Mutex<BTreeMap<String, (Decision, Option<Inputs>)>>,
    /// What of all consents everybody took back, on a node that knows of no inputs.
    withdrawn: Mutex<Vec<Purpose>>,
}

impl Kept {
    fn change(&self, id: &DecisionId, change: impl FnOnce(&mut Decision, &mut Option<Inputs>)) {
        let mut kept = self.decisions.lock().expect("sound");
        let (decision, inputs) = kept.get_mut(&id.to_string()).expect("there");
        change(decision, inputs);
    }
}

fn not_asked<T>() -> Result<T, StoreError> {
    Err(StoreError::Unavailable("no replay asks this".to_owned()))
}

#[async_trait]
impl Records for Kept {
    async fn profile(&self, _: &ProfileName) -> Result<Option<Profile>, StoreError> {
        let withdrawn = self.withdrawn.lock().expect("sound");
        let left: Vec<Purpose> = Purpose::ALL.into_iter().filter(|purpose| !withdrawn.contains(purpose)).collect();
        let mut person = person();
        person.consents = consents(&left);
        Ok(Some(person))
    }
    async fn profile_version(&self, _: &ProfileName) -> Result<Option<u64>, StoreError> {
        not_asked()
    }
    async fn is_erased(&self, _: &ProfileName) -> Result<bool, StoreError> {
        not_asked()
    }
    async fn profile_of(&self, _: &DeviceName) -> Result<Option<ProfileName>, StoreError> {
        not_asked()
    }
    async fn answer(&self, _: &DeviceName, _: &PingId) -> Result<Option<Answer>, StoreError> {
        not_asked()
    }
    async fn decision(&self, id: &DecisionId, _: Timestamp) -> Result<Option<Decision>, StoreError> {
        Ok(self.decisions.lock().expect("sound").get(&id.to_string()).map(|(decision, _)| decision.clone()))
    }
    fn keeps_inputs(&self) -> bool {
        true
    }
    async fn inputs(&self, id: &DecisionId, _: Timestamp) -> Result<Option<Inputs>, StoreError> {
        Ok(self.decisions.lock().expect("sound").get(&id.to_string()).and_then(|(_, inputs)| inputs.clone()))
    }
    async fn commit(&self, _: Commit) -> Result<Committed, StoreError> {
        not_asked()
    }
    async fn erase(&self, _: &ProfileName, _: Timestamp) -> Result<Option<u64>, StoreError> {
        not_asked()
    }
    async fn secret(&self, _: &str, _: [u8; 32]) -> Result<[u8; 32], StoreError> {
        not_asked()
    }
    async fn sweep(&self, _: Past, _: Timestamp, _: u32) -> Result<u64, StoreError> {
        not_asked()
    }
}

/// A person who walks, in a catalog that others edit.
struct Town {
    live: Arc<LiveCatalog>,
    kept: Arc<Kept>,
    replays: Replays,
    profile: Profile,
    exhausted: BTreeSet<AccountId>,
    seed: u64,
}

impl Town {
    async fn new(resources: Vec<Resource>) -> Self {
        let fake = Arc::<FakeCatalog>::default();
        let live = Arc::new(LiveCatalog::load(fake.clone()).await.expect("read"));
        let (kept, turns) = (Arc::<Kept>::default(), aside::turns());
        let past = PastCatalogs::new(fake, live.clone());
        let replays = Replays::new(kept.clone(), past, turns, Arc::new(Standing(0)));
        let town = Self { live, kept, replays, profile: person(), exhausted: BTreeSet::new(), seed: 7 };
        town.put(App { daily_offers: 20, ..app() }).await;
        for resource in resources {
            town.put(resource).await;
        }
        town
    }

    async fn put(&self, resource: impl Into<Resource>) {
        self.edit(Edit::put(resource, Expected::Anything)).await;
    }

    async fn delete(&self, name: impl Into<ResourceName>) {
        self.edit(Edit::delete(name, Expected::Anything)).await;
    }

    async fn edit(&self, edit: Edit) {
        self.live.edit(vec![edit], AUTHOR, at(0)).await.expect("made");
    }

    /// The ping as it is decided; recorded if anything durable came of it.
    fn ping(&mut self, ping: &Ping) -> Decision {
        let (catalog, device) = (self.live.snapshot(), device_name());
        let app = catalog.app_of(&device).expect("there");
        let (profile, exhausted, seed) = (&self.profile, &self.exhausted, self.seed);
        let outcome = decide(&Question { catalog: &catalog, app, profile, device: &device, ping, seed, exhausted });
        if outcome.effect == Effect::Durable {
            let permit = self.profile.consents.permit().expect("agreed");
            let inputs = Inputs::of(permit, &self.profile, &device, ping, (&outcome.decision.considered, exhausted));
            // As the record gives it back.
            let receipt = serde_json::to_string(&outcome.decision).expect("spelt");
            let receipt = serde_json::from_str(&receipt).expect("read");
            self.kept.decisions.lock().expect("sound").insert(outcome.decision.id.to_string(), (receipt, inputs));
        }
        self.profile = outcome.profile;
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        outcome.decision
    }

    fn all(&self) -> Vec<DecisionId> {
        let kept = self.kept.decisions.lock().expect("sound");
        kept.values().map(|(decision, _)| decision.id).collect()
    }

    async fn differences(&self, id: &DecisionId) -> Vec<Difference> {
        let replayed = self.replays.replay(id).await.expect("replayed");
        assert_eq!(replayed.differences.count == 0, replayed.differences.told.is_empty());
        replayed.differences.told
    }
}

fn held_out(id: &str, holdout_percent: u32) -> Campaign {
    let id_of_it = ExperimentId::new(id).expect("sound");
    let experiment = Experiment { id: id_of_it, variants: Vec::new(), holdout_percent };
    Campaign { experiment: Some(experiment), ..campaign(id, On::Entered, "geofences/quay") }
}

fn limited(id: &str) -> Campaign {
    let budget = Budget { unit: Unit::Offers, limit: 5, period: Period::Whole, per_store: false, time_zone: None };
    let limits = Limits { budgets: vec![budget], ..Limits::default() };
    Campaign { limits, ..campaign(id, On::Entered, "geofences/quay") }
}

fn capped(id: &str) -> Campaign {
    let cap = Cap { offers: 1, within: Within::Window(DAY) };
    let limits = Limits { per_profile: vec![cap], ..Limits::default() };
    Campaign { limits, ..campaign(id, On::Entered, "geofences/quay") }
}

fn scanned(seconds: i64) -> Ping {
    let ping = here(seconds, metres(0.0, 0.0));
    let event = AppEvent { key: EventKey::new("scan").expect("sound"), place: None, read: ping.fixes[0].read };
    Ping { event: Some(event), fixes: Vec::new(), ..ping }
}

/// With campaigns of which each meets another verdict.
async fn town() -> Town {
    let scan = On::AppEvent { key: EventKey::new("scan").expect("sound") };
    let anywhere = Trigger { on: scan.clone(), at: Target::Anywhere, visit: Default::default() };
    // People are drawn by the experiment's id: of ten halves this person is held out of some.
    let mut resources: Vec<Resource> = (0..10).map(|number| held_out(&format!("half-{number}"), 50).into()).collect();
    resources.extend([
        Resource::from(geofence("quay", 0.0, 100.0)),
        Resource::from(store("cafe", 20.0)),
        Resource::from(campaign("hello", On::Entered, "geofences/quay")),
        Resource::from(campaign("bye", On::Exited, "geofences/quay")),
        Resource::from(Campaign { trigger: anywhere, ..campaign("totem", scan, "stores/cafe") }),
        Resource::from(limited("few")),
        Resource::from(capped("once")),
    ]);
    Town::new(resources).await
}

/// The person comes and goes, scans, and gives back what was not shown, while brands edit; returns all verdicts met.
async fn day(town: &mut Town) -> BTreeSet<&'static str> {
    let (inside, outside) = (metres(0.0, 0.0), metres(900.0, 0.0));
    let account = account();
    let mut verdicts = BTreeSet::new();
    for round in 0..6 {
        let start = round * 7_200;
        let returns = |ping: Ping| Ping { reported_through: Some(ping.clock.received_at), ..ping };
        let pings = [here(start, inside), scanned(start + 60), here(start + 600, outside), here(start + 700, outside)];
        for ping in pings {
            let ping = if round == 3 { returns(ping) } else { ping };
            verdicts.extend(town.ping(&ping).considered.iter().map(|one| one.verdict.code()));
        }
        match round {
            0 => {
                town.put(Campaign { display_name: "New".into(), ..campaign("hello", On::Exited, "geofences/quay") })
                    .await
            }
            1 => town.exhausted = [account.clone()].into(),
            2 => town.put(geofence("quay", 30.0, 200.0)).await,
            4 => town.delete(acme().campaign("bye").expect("sound")).await,
            _ => {}
        }
    }
    town.delete(acme().geofence("quay").expect("sound")).await;
    verdicts
}

/// That of the limited campaign.
fn account() -> AccountId {
    let few = limited("few");
    few.limits.budgets[0].account(&few.name, Spot { place: "", time_zone: None, at: at(0) }).id
}

#[tokio::test]
async fn whatever_was_edited_since_the_same_is_decided_again() {
    let mut town = town().await;
    let verdicts = day(&mut town).await;
    for met in ["CHOSEN", "BUDGET_EXHAUSTED", "HOLDOUT", "CAMPAIGN_CAP", "OUTRANKED"] {
        assert!(verdicts.contains(met), "{met} is not among {verdicts:?}");
    }
    let all = town.all();
    assert!(all.len() > 15, "{} were recorded", all.len());
    for id in all.iter().chain(all.iter().rev().step_by(5)) {
        assert_eq!(town.differences(id).await, [], "{id}");
    }
}

#[tokio::test]
async fn what_nobody_could_decide_by_is_not_missed() {
    let mut town = town().await;
    let coffee = person().personal_of_record().interests.keys().cloned().collect();
    town.put(Campaign { topics: coffee, ..campaign("coffee", On::Entered, "geofences/quay") }).await;
    town.profile.consents = consents(&[Purpose::Location, Purpose::Marketing]);
    let shy = town.ping(&here(0, metres(0.0, 0.0))).id;
    assert_eq!(town.differences(&shy).await, []);
    let kept = town.kept.inputs(&shy, at(0)).await.expect("read").expect("kept");
    assert!(kept.profile.personal_of_record().interests.is_empty());
}

#[tokio::test]
async fn what_was_recorded_otherwise_is_told_by_its_path() {
    let mut town = town().await;
    let id = town.ping(&here(0, metres(0.0, 0.0))).id;
    let was = town.kept.decision(&id, at(0)).await.expect("read").expect("there");
    town.kept.change(&id, |decision, _| {
        decision.considered[1].verdict = Verdict::Refused(Reason::Muted);
        decision.offers.swap(0, 1);
        decision.next.safe_radius_m += 1e-9;
        // Whoever logged in since has it.
        decision.profile = app_name().profile("ada").expect("sound");
    });
    let told = town.differences(&id).await;
    let verdict = told.iter().find(|one| one.path == "considered[1].verdict").expect("told");
    assert_eq!((&*verdict.recorded, verdict.replayed.contains("chosen")), (r#"{"refused":"muted"}"#, true));
    let has = |path: &str| told.iter().any(|one| one.path == path);
    assert!(has("offers[0].id") && has("offers[1].campaign") && has("next.safe_radius_m"), "{told:?}");
    assert!(!has("profile") && told.iter().all(|one| !one.path.starts_with("considered[0]")), "{told:?}");

    town.kept.change(&id, |decision, _| *decision = Decision { seed: was.seed ^ 1, ..was.clone() });
    let told = town.differences(&id).await;
    assert!(told.iter().any(|one| one.path == "id"), "all chance in it is another: {told:?}");
}

#[tokio::test]
async fn of_other_inputs_something_else_is_decided() {
    let mut town = town().await;
    town.exhausted = [AccountId::of_record("organizations/acme/campaigns/elsewhere/offers")].into();
    let id = town.ping(&here(0, metres(0.0, 0.0))).id;
    assert_eq!(town.differences(&id).await, []);
    let inputs = town.kept.inputs(&id, at(0)).await.expect("read").expect("kept");
    assert!(inputs.exhausted.is_empty(), "no campaign of that account was considered");
    let changes: [fn(&mut Inputs); 4] = [
        |inputs| inputs.ping.fixes[0].position = metres(900.0, 0.0),
        |inputs| inputs.profile.consents = Default::default(),
        |inputs| inputs.ping.max_offers = 1,
        |inputs| inputs.exhausted = [account()].into(),
    ];
    for (number, change) in changes.into_iter().enumerate() {
        town.kept.change(&id, |_, kept| change(kept.insert(inputs.clone())));
        assert_ne!(town.differences(&id).await, [], "change {number}");
    }
}

#[tokio::test]
async fn what_cannot_be_replayed_says_why() {
    let mut town = town().await;
    let unknown = DecisionId::new(at(0), 1);
    assert!(matches!(town.replays.replay(&unknown).await, Err(ReplayError::Missing)));
    let id = town.ping(&here(0, metres(0.0, 0.0))).id;
    town.kept.change(&id, |decision, _| decision.catalog_version = 0);
    let no_app = town.replays.replay(&id).await.expect_err("there was none yet").to_string();
    assert_eq!(no_app, "the catalog of version 0 has no organizations/acme/apps/shopper, so nobody can decide for it");
    for withdrawn in [Purpose::Location, Purpose::Profiling] {
        *town.kept.withdrawn.lock().expect("sound") = vec![withdrawn];
        let not_agreed = town.replays.replay(&id).await.expect_err("it was taken back");
        assert!(matches!(not_agreed, ReplayError::NotKept), "{withdrawn:?}");
    }
    town.kept.withdrawn.lock().expect("sound").clear();
    town.kept.change(&id, |_, inputs| *inputs = None);
    let not_kept = town.replays.replay(&id).await.expect_err("nothing is there");
    assert!(matches!(not_kept, ReplayError::NotKept) && not_kept.to_string().contains("storage.replay_days"));
}
