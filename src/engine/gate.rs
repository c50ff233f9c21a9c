//! The gates by name: what a campaign is asked before it makes an offer, and in which order.
//!
//! Law 10: what is so of the campaign is asked before the person is looked at.

/// One question that a campaign must pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gate {
    /// The brand may reach people of the app.
    Reach,
    /// The campaign has started and not ended.
    Dates,
    /// The store is open, if it has to be.
    StoreHours,
    /// It is within the campaign's own hours.
    Schedule,
    /// The campaign has units left.
    Budget,
    /// The person agreed to marketing.
    Consent,
    /// The transition was learnt in time.
    Freshness,
    /// The position is to be believed.
    Position,
    /// The person did not mute the brand.
    Muted,
    QuietHours,
    /// It is the visit that the campaign waits for.
    Visit,
    Audience,
    /// What the person had enough of in the app,
    AppCaps,
    /// of the brand,
    BrandCaps,
    /// and of the campaign.
    CampaignCaps,
}

impl Gate {
    /// First what is so of the campaign, the place and the moment, whoever comes: a campaign that has nothing to give is
    /// refused before the person is looked at, and its receipts tell nothing of people. Then who the person is, then what
    /// they had. The holdout of an experiment is told between these two: caps say nothing of whom it is about, and whom
    /// they leave out must not decide who is compared.
    pub const ORDER: [Gate; 15] = [
        Gate::Reach,
        Gate::Dates,
        Gate::StoreHours,
        Gate::Schedule,
        Gate::Budget,
        Gate::Consent,
        Gate::Freshness,
        Gate::Position,
        Gate::Muted,
        Gate::QuietHours,
        Gate::Visit,
        Gate::Audience,
        Gate::AppCaps,
        Gate::BrandCaps,
        Gate::CampaignCaps,
    ];

    /// How the API spells it.
    pub fn name(self) -> &'static str {
        match self {
            Gate::Reach => "REACH",
            Gate::Dates => "DATES",
            Gate::StoreHours => "STORE_HOURS",
            Gate::Schedule => "SCHEDULE",
            Gate::Budget => "BUDGET",
            Gate::Consent => "CONSENT",
            Gate::Freshness => "FRESHNESS",
            Gate::Position => "POSITION",
            Gate::Muted => "MUTED",
            Gate::QuietHours => "QUIET_HOURS",
            Gate::Visit => "VISIT",
            Gate::Audience => "AUDIENCE",
            Gate::AppCaps => "APP_CAPS",
            Gate::BrandCaps => "BRAND_CAPS",
            Gate::CampaignCaps => "CAMPAIGN_CAPS",
        }
    }

    /// Whether it is asked after experiments were drawn.
    pub fn is_after_draw(self) -> bool {
        self > Gate::Audience
    }

    const fn bit(self) -> u16 {
        1 << self as u16
    }
}

/// Some of the gates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GateSet(u16);

impl GateSet {
    pub const ALL: Self = Self((1 << Gate::ORDER.len()) - 1);
    /// What the person had enough of.
    pub const CAPS: Self = Self(Gate::AppCaps.bit() | Gate::BrandCaps.bit() | Gate::CampaignCaps.bit());

    /// These, but for the gate if `leave_out`.
    pub fn but(self, gate: Gate, leave_out: bool) -> Self {
        if leave_out { Self(self.0 & !gate.bit()) } else { self }
    }

    /// These, and the gate.
    pub fn and_also(self, gate: Gate) -> Self {
        Self(self.0 | gate.bit())
    }

    pub fn has(self, gate: Gate) -> bool {
        self.0 & gate.bit() != 0
    }

    /// The gates that are in both.
    pub fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// In the order in which they are asked.
    pub fn iter(self) -> impl Iterator<Item = Gate> {
        let mut left = self.0;
        std::iter::from_fn(move || {
            let gate = Gate::ORDER.get(left.trailing_zeros() as usize).copied()?;
            left &= left - 1;
            Some(gate)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_keeps_the_order_and_leaves_out_what_it_is_told() {
        assert!(GateSet::ALL.iter().eq(Gate::ORDER) && Gate::ORDER.is_sorted());
        let some = GateSet::ALL.but(Gate::Reach, true).but(Gate::Visit, false).but(Gate::CampaignCaps, true);
        assert!(some.iter().eq(Gate::ORDER[1..14].iter().copied()) && some.has(Gate::Visit) && !some.has(Gate::Reach));
    }
}
