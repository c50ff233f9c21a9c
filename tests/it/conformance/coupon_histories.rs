//! Claims, redemptions, reversals, returns and sweeps in any order, and a model beside the database that knows what must be
//! taken after each step.

use std::collections::BTreeMap;

use dintorni::{
    domain::{offer::OfferId, redemption::Redemption},
    ports::{Commit, Committed},
};

use super::{
    coupons::{VALUE, claim, commit, limits, offered, redeem, redemption, reverse, taken},
    on_every_engine,
};
use crate::support::{
    databases::Database,
    samples::{Dice, app, at, person, returned},
};

/// Redemptions that the budgets have room for, at their full value.
const LIMIT: u64 = 4;

on_every_engine! {
    sums_are_true_after_random_histories
}

/// What the model knows of one offer.
#[derive(Default)]
struct Known {
    /// Once and for all.
    was_claimed: bool,
    /// When what the claim holds lapses.
    claimed: Option<u64>,
    returned: bool,
    used: Option<Redemption>,
    /// Redemptions and money that it holds.
    holds: (u64, u64),
}

impl Known {
    fn is_over(&self) -> bool {
        self.used.is_some() || self.returned
    }
}

struct Model {
    database: Database,
    offers: BTreeMap<OfferId, Known>,
    dice: Dice,
    now: u64,
}

impl Model {
    fn sum(&self) -> (u64, u64) {
        self.offers.values().fold((0, 0), |sum, known| (sum.0 + known.holds.0, sum.1 + known.holds.1))
    }

    /// Whether there is room for the offer to hold so much.
    fn fits(&self, id: OfferId, holds: (u64, u64)) -> bool {
        let (sum, own) = (self.sum(), self.offers[&id].holds);
        sum.0 + holds.0 - own.0 <= LIMIT && sum.1 + holds.1 - own.1 <= LIMIT * VALUE
    }

    fn known(&mut self, id: OfferId) -> &mut Known {
        self.offers.get_mut(&id).expect("known")
    }

    async fn step(&mut self, step: u64) {
        self.now += self.dice.below(40);
        let nth = self.dice.below(self.offers.len() as u64) as usize;
        let id = *self.offers.keys().nth(nth).expect("there");
        match self.dice.below(6) {
            0 => self.claim(id, step).await,
            1 | 2 if !self.offers[&id].is_over() => self.redeem(id, step).await,
            3 => self.reverse(id, step).await,
            4 if !self.offers[&id].is_over() && self.offers[&id].claimed.is_none() => self.give_back(id).await,
            _ => self.sweep().await,
        }
    }

    async fn claim(&mut self, id: OfferId, step: u64) {
        let known = &self.offers[&id];
        let done = commit(&self.database, claim(id, self.now)).await;
        if known.was_claimed || known.is_over() {
            return assert_eq!(done, Committed::Stale, "step {step}");
        }
        let fits = self.fits(id, (1, VALUE));
        assert_eq!(done == Committed::Done, fits, "step {step}: {done:?}");
        if fits {
            let until = self.now + 100;
            let known = self.known(id);
            (known.was_claimed, known.claimed, known.holds) = (true, Some(until), (1, VALUE));
        }
    }

    async fn redeem(&mut self, id: OfferId, step: u64) {
        let redeemed = redemption(id, 1 + self.dice.below(VALUE), self.now);
        let fits = self.fits(id, (1, redeemed.units()));
        let done = commit(&self.database, redeem(&format!("r{step}"), &redeemed)).await;
        assert_eq!(done == Committed::Done, fits, "step {step}: {done:?}");
        if fits {
            let known = self.known(id);
            known.holds = (1, redeemed.units());
            known.used = Some(redeemed);
        }
    }

    async fn reverse(&mut self, id: OfferId, step: u64) {
        let Some(used) = self.known(id).used.take() else { return };
        let units = 1 + self.dice.below(used.left());
        let done = commit(&self.database, reverse(&format!("v{step}"), &used, units, self.now)).await;
        assert_eq!(done, Committed::Done, "step {step}");
        let after = used.less(units, at(self.now));
        let known = self.known(id);
        known.holds = if after.reversed_at.is_some() { (0, 0) } else { (1, after.left()) };
        known.claimed = None;
        known.used = after.reversed_at.is_none().then_some(after);
    }

    /// Seldom, or soon nothing would be left.
    async fn give_back(&mut self, id: OfferId) {
        if self.dice.below(6) == 0 {
            let now = at(self.now);
            let back = Commit { at: now, engagement: vec![returned(id, now)], ..Commit::default() };
            assert_eq!(commit(&self.database, back).await, Committed::Done);
            self.known(id).returned = true;
        }
    }

    async fn sweep(&mut self) {
        let (now, most) = (self.now, 3 + self.dice.below(9) as u32);
        while self.database.sweep(at(now), most).await > 0 {}
        for known in self.offers.values_mut().filter(|known| known.used.is_none()) {
            if known.claimed.is_some_and(|until| until <= now) {
                known.holds = (0, 0);
            }
        }
    }
}

async fn sums_are_true_after_random_histories(database: Database) {
    limits(&database, 99, LIMIT, LIMIT * VALUE).await;
    let (app, mut offers) = (app(), BTreeMap::new());
    for number in 0..8 {
        offers.insert(offered(&database, &person(&app, &format!("p{number}"))).await, Known::default());
    }
    let mut model = Model { database, offers, dice: Dice::new(11), now: 100 };
    for step in 0..220 {
        model.step(step).await;
        assert_eq!(taken(&model.database).await, model.sum(), "step {step}");
    }
}
