//! Law 5 of [`Records`] under long random histories: every unit that is taken has its hold, and no take goes past a
//! limit. A model beside the database knows what each account must say after each step.

use std::{collections::BTreeMap, sync::Arc};

use dintorni::{
    domain::{name::CampaignName, offer::OfferId},
    ports::{CatalogStore, Commit, Committed, Edit, Expected, Past, Records},
};
use tokio::task::JoinSet;

use crate::support::{
    databases::{self, Database},
    samples::{Dice, Person, app, at, campaign, campaign_name, offer_id, person, returned, take},
};

const PEOPLE: u64 = 5;
const CAMPAIGNS: [&str; 3] = ["coffee", "milk", "tea"];

/// What the database must agree with.
struct Model {
    database: Database,
    dice: Dice,
    people: Vec<Known>,
    limits: BTreeMap<CampaignName, u64>,
    taken: BTreeMap<CampaignName, u64>,
}

/// What the model knows of one person.
struct Known {
    person: Person,
    version: u64,
    /// Every commit that answered a ping.
    answered: Vec<Commit>,
    /// Offers that hold a unit, and of which campaign.
    holding: Vec<(OfferId, CampaignName)>,
    returned: Vec<OfferId>,
    erased: bool,
}

impl Model {
    async fn new(database: Database, seed: u64) -> Self {
        let app = app();
        let known = |i| Known {
            person: person(&app, &format!("p{i}")),
            version: 0,
            answered: Vec::new(),
            holding: Vec::new(),
            returned: Vec::new(),
            erased: false,
        };
        let people = (0..PEOPLE).map(known).collect();
        let (limits, taken) = (BTreeMap::new(), BTreeMap::new());
        let mut model = Self { database, dice: Dice::new(seed), people, limits, taken };
        for id in CAMPAIGNS {
            model.set_limit(id, 6).await;
        }
        model
    }

    async fn set_limit(&mut self, id: &str, limit: u64) {
        let edit = Edit::put(campaign(id, Some(limit)), Expected::Anything);
        self.database.sql.append(vec![edit], "tests", at(0)).await.expect("appended");
        self.limits.insert(campaign_name(id), limit);
        self.taken.entry(campaign_name(id)).or_default();
    }

    /// One random step, and the database agrees.
    async fn step(&mut self, number: u64) {
        let who = self.dice.below(PEOPLE) as usize;
        match self.dice.below(20) {
            0..=9 => self.answer(who, number).await,
            10..=13 => self.give_back(who).await,
            14..=15 => self.repeat(who).await,
            16 => self.commit_stale(who).await,
            17 => {
                let id = CAMPAIGNS[self.dice.below(3) as usize];
                let limit = self.dice.below(12);
                self.set_limit(id, limit).await;
            }
            18 if number.is_multiple_of(7) => self.erase(who).await,
            // Past every time that is kept: all holds are folded.
            _ if number.is_multiple_of(11) => self.sweep().await,
            _ => {}
        }
        self.agree(number).await;
    }

    async fn commit(&self, commit: Commit) -> Committed {
        self.database.sql.commit(commit).await.expect("the database answers")
    }

    async fn answer(&mut self, who: usize, number: u64) {
        let campaigns: Vec<CampaignName> =
            (0..=self.dice.below(3)).map(|_| campaign_name(CAMPAIGNS[self.dice.below(3) as usize])).collect();
        let offers: Vec<_> = campaigns.iter().map(|campaign| (offer_id(), campaign)).collect();
        let known = &self.people[who];
        let asked = known.person.answers(known.version + 1, &format!("ping-{number:04}"), &offers);
        let mut after = self.taken.clone();
        campaigns.iter().for_each(|campaign| *after.entry(campaign.clone()).or_default() += 1);
        let first_full = campaigns.iter().filter(|campaign| after[*campaign] > self.limits[*campaign]).min();
        let expected = match first_full {
            _ if known.erased => Committed::Stale,
            Some(campaign) => Committed::Exhausted(take(offer_id(), campaign).account.id),
            None => Committed::Done,
        };
        assert_eq!(self.commit(asked.clone()).await, expected, "step {number}");
        if expected == Committed::Done {
            let known = &mut self.people[who];
            known.version += 1;
            known.answered.push(asked);
            known.holding.extend(offers.iter().map(|(offer, campaign)| (*offer, (*campaign).clone())));
            self.taken = after;
        }
    }

    /// Returns an offer that holds a unit, or one that was returned before.
    async fn give_back(&mut self, who: usize) {
        let again = self.dice.below(3) == 0;
        let known = &mut self.people[who];
        if known.erased || known.version == 0 {
            return;
        }
        let offer = if again {
            known.returned.last().copied()
        } else {
            known.holding.pop().map(|(offer, campaign)| {
                *self.taken.entry(campaign).or_default() -= 1;
                known.returned.push(offer);
                offer
            })
        };
        let Some(offer) = offer else { return };
        known.version += 1;
        let mut back = known.person.writes(known.version);
        back.engagement = vec![returned(offer, at(9))];
        assert_eq!(self.commit(back).await, Committed::Done);
    }

    async fn repeat(&mut self, who: usize) {
        let Some(earlier) = self.people[who].answered.last().cloned() else { return };
        let expected = Committed::Repeated(earlier.answer.clone().expect("it answers"));
        assert_eq!(self.commit(earlier).await, expected);
    }

    async fn commit_stale(&mut self, who: usize) {
        let known = &self.people[who];
        let far_ahead = known.person.answers(known.version + 2, "ping-stale", &[(offer_id(), &campaign_name("tea"))]);
        assert_eq!(self.commit(far_ahead).await, Committed::Stale);
    }

    async fn erase(&mut self, who: usize) {
        let known = &mut self.people[who];
        let expected = (known.version > 0 && !known.erased).then_some(known.version);
        let erased = self.database.sql.erase(&known.person.name, at(9)).await.expect("erased");
        assert_eq!(erased, expected);
        if erased.is_some() {
            known.erased = true;
            known.answered.clear();
        }
    }

    async fn sweep(&mut self) {
        while self.database.sweep(at(500 * 86_400), 3).await > 0 {}
        for known in &mut self.people {
            known.answered.clear();
            known.holding.clear();
        }
    }

    async fn agree(&self, number: u64) {
        let balances = self.database.sql.balances().await.expect("read");
        for (balance, (campaign, taken)) in balances.iter().zip(&self.taken) {
            assert_eq!(balance.account, format!("{campaign}/offers"));
            assert_eq!((balance.taken, balance.held), (*taken, *taken), "{campaign} after step {number}");
        }
        assert_eq!(balances.len(), self.taken.len());
    }
}

async fn random_histories(database: Database, seed: u64) {
    let mut model = Model::new(database, seed).await;
    for number in 0..250 {
        model.step(number).await;
    }
    assert!(model.taken.values().sum::<u64>() > 0, "the history did something");
}

#[tokio::test]
async fn sums_are_true_after_random_histories_on_sqlite() {
    for seed in 1..=4 {
        random_histories(databases::sqlite().await, seed).await;
    }
}

#[tokio::test]
async fn sums_are_true_after_random_histories_on_postgres() {
    for seed in 5..=6 {
        random_histories(databases::postgres().await, seed).await;
    }
}

/// People who take, return and are erased at once, while the sweep folds what they held.
async fn concurrent_histories(database: Database) {
    const LIMIT: u64 = 9;
    for id in CAMPAIGNS {
        let edit = Edit::put(campaign(id, Some(LIMIT)), Expected::Anything);
        database.sql.append(vec![edit], "tests", at(0)).await.expect("appended");
    }
    let app = app();
    let mut workers = JoinSet::new();
    for i in 0..6 {
        let (sql, person) = (Arc::clone(&database.sql), person(&app, &format!("p{i}")));
        workers.spawn(live(sql, person, Dice::new(i + 1)));
    }
    let mut steps = 0_u64;
    while !workers.is_empty() {
        while let Some(done) = workers.try_join_next() {
            done.expect("the worker has no fault");
        }
        for balance in database.sql.balances().await.expect("read") {
            assert_eq!(balance.taken, balance.held, "{} after {steps} looks", balance.account);
            assert!(balance.taken <= LIMIT, "{balance:?}");
        }
        if steps.is_multiple_of(50) {
            // An engine may refuse one of two who wait for each other; nothing has happened then.
            for past in Past::ALL {
                drop(database.sql.sweep(past, at(500 * 86_400), 2).await);
            }
        }
        steps += 1;
    }
}

async fn live(sql: Arc<dintorni::storage::sql::Sql>, person: Person, mut dice: Dice) {
    let (mut version, mut holding) = (0, Vec::new());
    for number in 0..30 {
        let campaigns: Vec<CampaignName> =
            (0..=dice.below(3)).map(|_| campaign_name(CAMPAIGNS[dice.below(3) as usize])).collect();
        let offers: Vec<_> = campaigns.iter().map(|campaign| (offer_id(), campaign)).collect();
        let mut asked = person.answers(version + 1, &format!("ping-{number:04}"), &offers);
        let back = (dice.below(2) == 0).then(|| holding.pop()).flatten();
        asked.engagement.extend(back.map(|offer| returned(offer, at(9))));
        if let Ok(Committed::Done) = sql.commit(asked).await {
            version += 1;
            holding.extend(offers.iter().map(|(offer, _)| *offer));
        }
    }
    if dice.below(2) == 0 {
        drop(sql.erase(&person.name, at(99)).await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sums_are_true_at_every_moment_on_sqlite() {
    concurrent_histories(databases::sqlite().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sums_are_true_at_every_moment_on_postgres() {
    concurrent_histories(databases::postgres().await).await;
}
