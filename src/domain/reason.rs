//! Why a campaign was refused: a closed list, with the numbers behind each refusal.
//!
//! Law 5: one table gives every reason its code and its meaning; a reason that is not in it does not compile.

use std::{fmt, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    campaign::Priority,
    cap::Within,
    offer::OfferId,
    schedule::{Clock, Weekdays},
    time::{TimeOfDay, Timestamp, spoken},
};

/// Why a campaign was refused: the first gate that said no, with the numbers behind it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The transition was learnt too late.
    Stale {
        age: Duration,
    },
    /// The position is not to be believed.
    Suspect,
    NoMarketingConsent,
    NotStarted {
        starts_at: Timestamp,
    },
    Ended {
        ended_at: Timestamp,
    },
    /// Its coupon could not be redeemed before the campaign ends.
    EndsTooSoon {
        ends_at: Timestamp,
        redeem_after: Duration,
    },
    /// The publisher did not let this brand reach the app's people.
    NotGranted,
    /// The person muted the brand.
    Muted,
    QuietHours {
        local: TimeOfDay,
        from: TimeOfDay,
        to: TimeOfDay,
    },
    /// Outside of the campaign's hours of the week.
    OutsideWindows {
        day: Weekdays,
        local: TimeOfDay,
        /// Whose clock shows that; receipts from before it was kept do not say.
        #[serde(default)]
        clock: Option<Clock>,
        /// When the next of them begins, within eight days.
        next_at: Option<Timestamp>,
    },
    /// It is only for open stores, and nobody knows when this one is; or there is no store.
    NoOpeningHours,
    StoreClosed {
        /// Within eight days.
        opens_at: Option<Timestamp>,
    },
    /// The store closes too soon.
    LastCall {
        closes_at: Timestamp,
        last_call: Duration,
    },
    /// It is for another visit of the person to the place.
    Visit {
        /// None if it is not to be known.
        visit: Option<u32>,
        wanted: u32,
        /// Counted since the campaign's last offer.
        since_offer: bool,
    },
    /// Over all campaigns of the app, in the person's civil day.
    DailyOffers {
        given: u32,
        most: u32,
    },
    /// Of the class and lower ones, in the person's civil day: the rest of it is kept for higher ones.
    PriorityShare {
        priority: Priority,
        given: u32,
        most: u32,
        daily: u32,
    },
    /// After any offer in the app.
    AppCoolDown {
        until: Timestamp,
    },
    /// Of all campaigns of the brand.
    BrandCap {
        given: u32,
        most: u32,
        #[serde(flatten)]
        within: Within,
    },
    BrandCoolDown {
        until: Timestamp,
    },
    /// The person redeemed one, and gets no more of the campaign.
    Redeemed {
        at: Timestamp,
    },
    /// Of this campaign.
    CampaignCap {
        given: u32,
        most: u32,
        #[serde(flatten)]
        within: Within,
    },
    CoolDown {
        until: Timestamp,
    },
    Audience {
        /// The term that failed, in words.
        term: Arc<str>,
        /// What there was of what it asks, in words; receipts from before it was kept do not say.
        #[serde(default)]
        found: Option<Box<str>>,
    },
    /// The person is in the holdout of the campaign's experiment, so gets nothing whatever the caps and budgets say.
    Holdout {
        /// What they would have got.
        ghost: Option<OfferId>,
        /// Why they would have got nothing without the experiment either.
        otherwise: Option<Box<Reason>>,
    },
    /// A budget is of nothing at all; of receipts from before the other one was told, all its units are taken.
    BudgetExhausted,
    /// All units of a budget are taken.
    UnitsExhausted {
        most: u64,
        /// The place that they are of, if each has its own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        place: Option<Box<str>>,
        /// The day, week (by its first day) or month that they are of, if they are renewed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        period: Option<Box<str>>,
    },
    /// Nobody can claim a coupon of it any more: the codes of its pool, or its redemptions, are taken.
    ClaimedOut,
    /// The same campaign was chosen at a better place of this ping.
    SameCampaign,
    /// Others ranked higher.
    Outranked {
        rank: u32,
        most: u32,
    },
}

/// What a reason is of (law 10).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// Of the campaign, the place and the moment: so for everybody who comes there and then, and asked before anything
    /// that is not. That a campaign was chosen elsewhere says no more than that it was chosen.
    Campaign,
    /// Of who the person is, agreed to and had before, or where their phone's clock is; and whatever is found out only of
    /// those who fit so far, such as what the ledger has left.
    Person,
}

/// What a brand is told instead of any reason that is of the person.
pub const NOT_ELIGIBLE: &str = "NOT_ELIGIBLE";
/// The same in words.
pub const NOT_ELIGIBLE_MEANING: &str = "it was not for this person at that moment";

/// The one table of codes: of each reason its code, what it is of, and what it means whatever the numbers.
macro_rules! codes {
    ($($($variant:ident)|+ => $code:literal, $of:ident, $meaning:literal;)*) => {
        impl Reason {
            /// All codes there are.
            pub const CODES: &'static [&'static str] = &[$($code),*];

            /// What the reason of each code is of.
            const CODES_OF: &'static [(&'static str, Of)] = &[$(($code, Of::$of)),*];

            /// What a code means, without the numbers; none if there is no such code.
            pub fn meaning_of(code: &str) -> Option<&'static str> {
                [$(($code, $meaning)),*].into_iter().find(|(other, _)| *other == code).map(|(_, meaning)| meaning)
            }

            /// The stable code of the reason, as the API and metrics spell it.
            pub fn code(&self) -> &'static str {
                match self {
                    $($(Reason::$variant { .. })|+ => $code,)*
                }
            }

            pub fn of(&self) -> Of {
                match self {
                    $($(Reason::$variant { .. })|+ => Of::$of,)*
                }
            }

            /// What the code means, without the numbers.
            pub fn meaning(&self) -> &'static str {
                match self {
                    $($(Reason::$variant { .. })|+ => $meaning,)*
                }
            }
        }
    };
}

codes! {
    Stale => "STALE", Person, "the transition was learnt too late";
    Suspect => "SUSPECT", Person, "the position is not to be believed";
    NoMarketingConsent => "NO_MARKETING_CONSENT", Person, "the person did not agree to marketing";
    NotStarted => "NOT_STARTED", Campaign, "the campaign has not started";
    Ended | EndsTooSoon => "ENDED", Campaign, "the campaign has ended";
    NotGranted => "NOT_GRANTED", Campaign, "the publisher has not let this brand reach the app's people";
    Muted => "MUTED", Person, "the person muted this brand";
    QuietHours => "QUIET_HOURS", Person, "it was in the app's quiet hours";
    OutsideWindows => "OUTSIDE_WINDOWS", Person, "it was outside of the campaign's hours";
    NoOpeningHours => "NO_OPENING_HOURS", Campaign, "nobody knows when a store there is open";
    StoreClosed => "STORE_CLOSED", Campaign, "the store is closed";
    LastCall => "LAST_CALL", Campaign, "the store closes too soon";
    Visit => "VISIT_NUMBER", Person, "it was not the visit that the campaign is for";
    DailyOffers => "DAILY_OFFERS", Person, "the person got all offers of today";
    PriorityShare => "PRIORITY_SHARE", Person, "the rest of the person's day is kept for higher priorities";
    AppCoolDown => "APP_COOL_DOWN", Person, "it is too soon after another offer";
    BrandCap => "BRAND_CAP", Person, "the person got enough offers of this brand";
    BrandCoolDown => "BRAND_COOL_DOWN", Person, "the brand rests for this person";
    Redeemed => "REDEEMED", Person, "the person redeemed an offer of it, and gets no more";
    CampaignCap => "CAMPAIGN_CAP", Person, "the person got enough offers of this campaign";
    CoolDown => "COOL_DOWN", Person, "the campaign rests for this person";
    Audience => "AUDIENCE", Person, "the person is not in the audience";
    Holdout => "HOLDOUT", Person, "the person is in the experiment's holdout";
    BudgetExhausted | UnitsExhausted | ClaimedOut => "BUDGET_EXHAUSTED", Person, "the campaign's budget is used up";
    SameCampaign => "SAME_CAMPAIGN", Campaign, "the campaign was chosen at a better place";
    Outranked => "OUTRANKED", Person, "others ranked higher";
}

impl Reason {
    /// The codes of reasons that are of the person.
    pub fn codes_of_person() -> impl Iterator<Item = &'static str> {
        Self::CODES_OF.iter().filter(|(_, of)| *of == Of::Person).map(|(code, _)| *code)
    }
}

fn held_out(ghost: Option<OfferId>, otherwise: Option<String>) -> String {
    let held_out = "the person is in the experiment's holdout";
    match (ghost, otherwise) {
        (Some(ghost), _) => format!("{held_out}, and this would have been an offer (ghost {ghost})"),
        (None, Some(otherwise)) => format!("{held_out}, and this would have been no offer either: {otherwise}"),
        (None, None) => held_out.to_owned(),
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Stale { age } => write!(f, "the transition was learnt {} s late", age.as_secs()),
            Reason::Suspect => f.write_str("the position is not to be believed"),
            Reason::NoMarketingConsent => f.write_str("the person did not agree to marketing"),
            Reason::NotStarted { starts_at } => write!(f, "the campaign starts at {starts_at}"),
            Reason::Ended { ended_at } => write!(f, "the campaign ended at {ended_at}"),
            Reason::EndsTooSoon { ends_at, redeem_after } => {
                write!(
                    f,
                    "its coupon is good {} after the offer, and the campaign ends at {ends_at}",
                    spoken(*redeem_after)
                )
            }
            Reason::NotGranted => f.write_str("the publisher has not let this brand reach the app's people"),
            Reason::Muted => f.write_str("the person muted this brand"),
            Reason::QuietHours { local, from, to } => {
                write!(f, "it was {local} for the person, and {from} to {to} is quiet")
            }
            Reason::DailyOffers { given, most } => write!(f, "the person got {given} of at most {most} offers today"),
            Reason::OutsideWindows { day, local, clock, next_at } => {
                let whose = match clock {
                    Some(Clock::Store) => " at the store",
                    Some(Clock::Person) => " for the person",
                    None => "",
                };
                write!(f, "it was {day} {local}{whose}, outside of the campaign's hours")?;
                next_at.map_or(Ok(()), |at| write!(f, ", which begin again at {at}"))
            }
            Reason::NoOpeningHours => f.write_str("nobody knows when a store there is open"),
            Reason::StoreClosed { opens_at } => {
                f.write_str("the store is closed")?;
                opens_at.map_or(Ok(()), |at| write!(f, " until {at}"))
            }
            Reason::LastCall { closes_at, last_call } => {
                write!(f, "the store closes at {closes_at}, and its last {} are without offers", spoken(*last_call))
            }
            Reason::Visit { visit: None, .. } => f.write_str("it is not known which visit of the person it was"),
            Reason::Visit { visit: Some(visit), wanted, since_offer } => {
                let since = if *since_offer { " since the last offer of it" } else { " in 90 days" };
                write!(f, "it was visit {visit}{since}, and the campaign is for visit {wanted} and later ones")
            }
            Reason::PriorityShare { priority, given, most, daily } => {
                let class = priority.as_str();
                write!(f, "of {daily} offers a day {most} may be of {class} or lower priority, and {given} were")
            }
            Reason::AppCoolDown { until } => write!(f, "the person is left alone until {until}"),
            Reason::BrandCap { given, most, within } => {
                write!(f, "the person got {given} of at most {most} offers of this brand {within}")
            }
            Reason::BrandCoolDown { until } => write!(f, "the brand rests for this person until {until}"),
            Reason::Redeemed { at } => write!(f, "the person redeemed an offer of it at {at}, and gets no more"),
            Reason::CampaignCap { given, most, within } => {
                write!(f, "the person got {given} of at most {most} offers of this campaign {within}")
            }
            Reason::CoolDown { until } => write!(f, "the campaign rests for this person until {until}"),
            Reason::Audience { term, found } => {
                write!(f, "the person is not in the audience: {term}")?;
                found.as_ref().map_or(Ok(()), |found| write!(f, "; {found}"))
            }
            Reason::Holdout { ghost, otherwise } => {
                f.write_str(&held_out(*ghost, otherwise.as_ref().map(|reason| reason.to_string())))
            }
            Reason::BudgetExhausted => f.write_str("the campaign's budget is used up"),
            Reason::UnitsExhausted { most, place, period } => {
                write!(f, "all {most} offers of the campaign's budget")?;
                period.as_ref().map_or(Ok(()), |period| write!(f, " for {period}"))?;
                place.as_ref().map_or(Ok(()), |place| write!(f, " at {place}"))?;
                f.write_str(" are taken")
            }
            Reason::ClaimedOut => {
                f.write_str("no coupon of it can be claimed: its codes, or its redemptions, are taken")
            }
            Reason::SameCampaign => f.write_str("the campaign was chosen at a better place"),
            Reason::Outranked { rank, most } => write!(f, "it ranked {rank}, and {most} could be given"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn receipts_of_before_still_say_their_reasons() {
        let read = |stored: &str| serde_json::from_str::<Reason>(stored).expect("read").to_string();
        assert_eq!(read(r#""budget_exhausted""#), "the campaign's budget is used up");
        assert_eq!(read(r#"{"audience":{"term":"points > 10"}}"#), "the person is not in the audience: points > 10");
    }

    #[test]
    fn a_budget_is_named_by_what_it_counts_apart() {
        let told = |place: Option<&str>, period: Option<&str>| {
            let [place, period] = [place, period].map(|part| part.map(Into::into));
            let reason = Reason::UnitsExhausted { most: 500, place, period };
            let stored = serde_json::to_string(&reason).expect("written");
            assert_eq!(serde_json::from_str::<Reason>(&stored).expect("read"), reason);
            assert_eq!(reason.code(), "BUDGET_EXHAUSTED");
            reason.to_string()
        };
        assert_eq!(told(None, None), "all 500 offers of the campaign's budget are taken");
        assert_eq!(
            told(Some("organizations/acme/stores/42"), Some("2026-11-23")),
            "all 500 offers of the campaign's budget for 2026-11-23 at organizations/acme/stores/42 are taken"
        );
    }
}
