//! The transaction of a ping, and of everything else that changes a profile.
//!
//! Law: the steps come in one order on every node (answers, profiles, devices, receipt, offers, till, units), and within a
//! step in the order of names, so that two of them wait for each other but never in a circle. The first step that is
//! refused ends it, and nothing has happened.

use async_trait::async_trait;

use super::{
    Retention, arms,
    batch::{Batch, Halt},
    change::{Change, Outcome},
    conn::{Conn, values},
    coupons::till_answer,
    error::unsound,
    inputs, read, receipts, till,
    units::{self, Units},
};
use crate::{
    domain::{
        budget::{Holder, Unit},
        decision::Decision,
        offer::Offer,
        time::Timestamp,
    },
    ports::{Absorbed, Answer, Commit, Committed, EngagementMark, Handover, ProfileWrite, StoreError, TillChange},
    storage::codec,
};

pub struct Recorded {
    pub commit: Commit,
    pub keep: Retention,
}

#[async_trait]
impl Change for Recorded {
    type Output = Committed;

    async fn apply(&self, conn: &mut Conn<'_>) -> Result<Outcome<Committed>, StoreError> {
        match self.steps(&mut Batch::new(conn)).await {
            Ok(()) => Ok(Outcome::Keep(Committed::Done)),
            Err(Halt::Refused(why)) => Ok(Outcome::Undo(why)),
            Err(Halt::Used) => self.used(conn).await.map(Outcome::Undo),
            Err(Halt::Failed(fault)) => Err(fault),
        }
    }
}

impl Recorded {
    async fn steps(&self, batch: &mut Batch<'_, '_>) -> Result<(), Halt> {
        if let Some(answer) = &self.commit.answer {
            self.claim(batch, answer).await?;
        }
        if let Some(change) = &self.commit.till {
            till::ask(batch, change, self.commit.at, self.keep).await?;
        }
        self.write_profiles(batch).await?;
        self.write_devices(batch).await?;
        if let Some(decision) = &self.commit.decision {
            receipts::write(batch, decision, decision.at + self.keep.receipts).await?;
            if let Some((inputs, kept)) = self.commit.inputs.as_ref().zip(self.keep.inputs) {
                inputs::write(batch, decision, inputs, decision.at + kept).await?;
            }
            for offer in &decision.offers {
                self.write_offer(batch, decision, offer).await?;
            }
            for ghost in &decision.ghosts {
                arms::write_ghost(batch, decision, ghost, decision.at + self.keep.offers).await?;
            }
        }
        let (mut units, at) = (Units::default(), self.commit.at);
        if let Some(claim) = &self.commit.claim {
            till::begin_claim(batch, claim, at).await?;
        }
        self.write_marks(batch, &mut units).await?;
        if let Some(change) = &self.commit.till {
            till::change(batch, change, (at, self.commit.takes.len()), self.keep, &mut units).await?;
        }
        let until = at + self.keep.offers;
        match self.commit.till {
            Some(TillChange::Redeem(..)) => units.confirm(batch, &self.commit.takes, until).await?,
            _ => units.take(batch, &self.commit.takes, until).await?,
        }
        units.settle(batch).await?;
        units::ask(batch, &self.commit.wanted).await?;
        if let Some(claim) = &self.commit.claim {
            till::claim(batch, claim).await?;
        }
        batch.run().await
    }

    /// What the ping or request was answered the first time.
    async fn used(&self, conn: &mut Conn<'_>) -> Result<Committed, StoreError> {
        let first = match (&self.commit.answer, self.commit.till.as_ref().and_then(TillChange::request)) {
            (Some(answer), _) => read::answer(conn, &answer.device, &answer.ping).await?.map(Committed::Repeated),
            (None, Some(request)) => till_answer(conn, request).await?.map(|first| Committed::Asked(Box::new(first))),
            (None, None) => None,
        };
        // It was swept between the two statements: a retry finds the way free.
        first.ok_or_else(|| StoreError::Unavailable("the answer expired just now".to_owned()))
    }

    async fn write_marks(&self, batch: &mut Batch<'_, '_>, units: &mut Units) -> Result<(), Halt> {
        let mut marks: Vec<&EngagementMark> = self.commit.engagement.iter().collect();
        marks.sort_by_key(|mark| mark.offer);
        for mark in marks {
            if mark.shown_at.is_some() && is_overrun(batch, mark).await? {
                units.overrun(batch, &mark.offer).await?;
            }
            write_mark(batch, mark).await?;
            if mark.returned_at.is_some() {
                units.release(batch, Holder::Offer(mark.offer), Unit::Offers, u64::MAX).await?;
            }
        }
        Ok(())
    }

    /// Claims the ping for this transaction.
    async fn claim(&self, batch: &mut Batch<'_, '_>, answer: &Answer) -> Result<(), Halt> {
        const SQL: &str = "INSERT INTO answer (device_id, ping_id, fingerprint, decision_id, expires_at)
            VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING";
        let (device, ping) = (answer.device.as_str(), answer.ping.as_str());
        let until = self.commit.at + self.keep.answers;
        let fingerprint = answer.fingerprint.as_slice();
        batch.must(SQL, values![device, ping, fingerprint, &answer.decision, until], Halt::Used).await
    }

    /// In the order of names, whether they are written or end.
    async fn write_profiles(&self, batch: &mut Batch<'_, '_>) -> Result<(), Halt> {
        let mut profiles: Vec<&ProfileWrite> = self.commit.profiles.iter().collect();
        profiles.sort_by(|a, b| a.profile.name.cmp(&b.profile.name));
        let mut ending = self.commit.absorbed.as_ref();
        for write in profiles {
            if let Some(absorbed) = ending.take_if(|absorbed| absorbed.name < write.profile.name) {
                absorb(batch, absorbed, self.commit.at).await?;
            }
            write_profile(batch, write).await?;
        }
        if let Some(absorbed) = ending {
            absorb(batch, absorbed, self.commit.at).await?;
        }
        // Last, for what was absorbed is theirs as well. A report, a claim or a till changes no consent.
        let Commit { decision, engagement, claim, till, .. } = &self.commit;
        if decision.is_none() && engagement.is_empty() && claim.is_none() && till.is_none() {
            for write in &self.commit.profiles {
                inputs::keep_agreed(batch, &write.profile).await?;
            }
        }
        Ok(())
    }

    /// Guarded by whose they were: of two who read the same, the second is stale.
    async fn write_devices(&self, batch: &mut Batch<'_, '_>) -> Result<(), Halt> {
        const NEW: &str = "INSERT INTO device (id, profile_id) VALUES ($1, $2) ON CONFLICT DO NOTHING";
        const NEXT: &str = "UPDATE device SET profile_id = $2 WHERE id = $1 AND profile_id = $3";
        let mut devices: Vec<_> = self.commit.devices.iter().collect();
        devices.sort();
        for Handover { device, from, to } in devices {
            let (device, to) = (device.as_str(), to.as_str());
            match from {
                None => batch.must(NEW, values![device, to], STALE).await?,
                Some(from) => batch.must(NEXT, values![device, to, from.as_str()], STALE).await?,
            }
        }
        Ok(())
    }

    async fn write_offer(&self, batch: &mut Batch<'_, '_>, decision: &Decision, offer: &Offer) -> Result<(), Halt> {
        const SQL: &str =
            "INSERT INTO offer (id, profile_id, given_to, campaign_id, decision_id, catalog_version, store_id,
                test, accounts, offered_at, show_by, valid_from, valid_until, expires_at, arm)
            VALUES ($1, $2, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)";
        let (profile, campaign) = (decision.profile.as_str(), offer.campaign.as_str());
        let store = offer.store.as_ref().map(|store| store.name.to_string());
        let holder = Holder::Offer(offer.id);
        let accounts = self.commit.takes.iter().filter(|take| take.holder == holder).count() as u64;
        let arm = offer.arm.as_ref().map(arms::key);
        let valid_from = offer.coupon.as_ref().map_or(decision.at, |coupon| coupon.valid_from);
        let values = values![
            &offer.id,
            profile,
            campaign,
            &decision.id,
            decision.catalog_version,
            store.as_ref(),
            i64::from(offer.trial),
            accounts,
            decision.at,
            offer.show_by,
            valid_from,
            offer.valid_until,
            decision.at + self.keep.offers,
            arm.as_ref(),
        ];
        batch.add(SQL, values).await
    }
}

/// What it means that a guarded row is not as it was read.
pub const STALE: Halt = Halt::Refused(Committed::Stale);

/// Guarded by the version: of two transactions that read the same one, the second is stale.
async fn write_profile(batch: &mut Batch<'_, '_>, write: &ProfileWrite) -> Result<(), Halt> {
    const NEW: &str = "INSERT INTO profile (id, version, state) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
    const NEXT: &str =
        "UPDATE profile SET version = $2, state = $3 WHERE id = $1 AND version = $4 AND state IS NOT NULL";
    let (name, version) = (write.profile.name.as_str(), write.profile.revision.version);
    if Some(version) != write.expected.checked_add(1) {
        let expected = write.expected;
        return Err(unsound(format!("{name} shall be version {version}, which does not follow {expected}")).into());
    }
    let state = codec::encode_for_record(&write.profile);
    let state = state.as_slice();
    match write.expected {
        0 => batch.must(NEW, values![name, version, state], STALE).await,
        expected => batch.must(NEXT, values![name, version, state, expected], STALE).await,
    }
}

/// Guarded by the version as well; what it had of receipts and offers is handed on.
async fn absorb(batch: &mut Batch<'_, '_>, absorbed: &Absorbed, at: Timestamp) -> Result<(), Halt> {
    const TOMBSTONE: &str = "UPDATE profile SET state = NULL, erased_at = $2
        WHERE id = $1 AND version = $3 AND state IS NOT NULL";
    let (name, by) = (absorbed.name.as_str(), absorbed.by.as_str());
    batch.must(TOMBSTONE, values![name, at, absorbed.expected], STALE).await?;
    for sql in [
        "UPDATE offer SET profile_id = $2 WHERE profile_id = $1",
        "UPDATE redemption SET profile_id = $2 WHERE profile_id = $1",
        "UPDATE ghost SET profile_id = $2 WHERE profile_id = $1",
        "UPDATE decision SET profile_id = $2 WHERE profile_id = $1",
    ] {
        batch.add(sql, values![name, by]).await?;
    }
    Ok(())
}

/// A time that is known stays known. An offer that was swept has nothing left to mark.
async fn write_mark(batch: &mut Batch<'_, '_>, mark: &EngagementMark) -> Result<(), Halt> {
    const SQL: &str = "UPDATE offer SET shown_at = COALESCE($2, shown_at), opened_at = COALESCE($3, opened_at),
        dismissed_at = COALESCE($4, dismissed_at), returned_at = COALESCE($5, returned_at),
        claimed_at = COALESCE($6, claimed_at) WHERE id = $1";
    let EngagementMark { offer, shown_at, opened_at, dismissed_at, returned_at, claimed_at } = mark;
    let values = values![offer, *shown_at, *opened_at, *dismissed_at, *returned_at, *claimed_at];
    batch.add(SQL, values).await
}

/// Whether it is heard only now that the offer was shown, after its units had gone back.
async fn is_overrun(batch: &mut Batch<'_, '_>, mark: &EngagementMark) -> Result<bool, Halt> {
    const SQL: &str = "SELECT 1 FROM offer WHERE id = $1 AND shown_at IS NULL
        AND (returned_at IS NOT NULL OR units_returned_at IS NOT NULL)";
    Ok(!batch.rows(SQL, values![&mark.offer]).await?.is_empty())
}
