//! Budgets: limits over all people together, and the accounts they are counted in.
//!
//! Law: an account has one name, which says the campaign, the unit, the place and the period, so that whoever counts the
//! same thing counts it in the same account.

use std::{fmt, sync::Arc};

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::{
    cap::CivilPeriod,
    name::CampaignName,
    offer::{OfferId, RedemptionId},
    time::{TimeZone, Timestamp},
    violation::Violations,
};

/// Largest limit: so far from the end of 64 bits that no sum of what is taken gets there.
pub const MAX_LIMIT: u64 = 1_000_000_000_000_000;

/// So much to all people together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    pub unit: Unit,
    /// Offers, redemptions, or minor units of money.
    pub limit: u64,
    pub period: Period,
    /// To each store, or place without a store, by itself.
    pub per_store: bool,
    /// Whose days, weeks and months count; the store's own, or UTC, if none is given.
    pub time_zone: Option<TimeZone>,
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    Offers,
    Redemptions,
    /// Minor units of the coupon's currency.
    Money,
}

/// In which it is counted anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Period {
    /// The campaign's whole life.
    Whole,
    Day,
    /// From Monday to Sunday.
    Week,
    Month,
}

/// Where and when something is taken.
#[derive(Debug, Clone, Copy)]
pub struct Spot<'a> {
    /// The name of the store, or of the place if it has none.
    pub place: &'a str,
    pub time_zone: Option<&'a TimeZone>,
    pub at: Timestamp,
}

/// Names a budget: `{campaign}/offers.store.day`, or a pool of codes: `{campaign}/codes`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BudgetId(Arc<str>);

/// Names an account of a budget: the budget's name, and the store's and the period's where it has them.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(Arc<str>);

/// What units are counted in, and the budget that limits them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Account {
    pub id: AccountId,
    pub budget: BudgetId,
}

/// Who holds units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Holder {
    Offer(OfferId),
    /// A redemption of no offer.
    Redemption(RedemptionId),
}

/// Units of an account, to be taken for a holder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Take {
    pub account: Account,
    pub holder: Holder,
    pub units: u64,
    /// Given back then, unless they are confirmed before.
    pub lapses_at: Option<Timestamp>,
}

impl Budget {
    pub fn id(&self, campaign: &CampaignName) -> BudgetId {
        let (unit, store, period) = (self.unit.as_str(), if self.per_store { ".store" } else { "" }, self.suffix());
        BudgetId(format!("{campaign}/{unit}{store}{period}").into())
    }

    /// The account that counts what is taken there and then.
    pub fn account(&self, campaign: &CampaignName, spot: Spot<'_>) -> Account {
        let budget = self.id(campaign);
        let mut id = budget.0.to_string();
        if self.per_store {
            id.push('/');
            id.push_str(spot.place);
        }
        if let Some(period) = self.period_of(spot) {
            id.push('/');
            id.push_str(&period);
        }
        Account { id: AccountId(id.into()), budget }
    }

    /// Whether it counts in one account for the campaign's whole life.
    pub fn is_whole(&self) -> bool {
        self.period == Period::Whole && !self.per_store
    }

    fn suffix(&self) -> &'static str {
        match self.period {
            Period::Whole => "",
            Period::Day => ".day",
            Period::Week => ".week",
            Period::Month => ".month",
        }
    }

    /// When the next account of it begins to count what is taken there; none if it has one for the campaign's whole life.
    pub fn next_period(&self, spot: Spot<'_>) -> Option<Timestamp> {
        let period = match self.period {
            Period::Whole => return None,
            Period::Day => CivilPeriod::Day,
            Period::Week => CivilPeriod::Week,
            Period::Month => CivilPeriod::Month,
        };
        Some(period.next(&self.zone(spot), spot.at))
    }

    fn zone(&self, spot: Spot<'_>) -> TimeZone {
        let own = spot.time_zone.filter(|_| self.per_store);
        self.time_zone.as_ref().or(own).cloned().unwrap_or_else(TimeZone::utc)
    }

    fn period_of(&self, spot: Spot<'_>) -> Option<String> {
        let date = || self.zone(spot).local(spot.at).date();
        match self.period {
            Period::Whole => None,
            Period::Day => Some(date().to_string()),
            Period::Week => Some(monday(date()).to_string()),
            Period::Month => Some(date().strftime("%Y-%m").to_string()),
        }
    }
}

fn monday(date: Date) -> Date {
    let days = i64::from(date.weekday().to_monday_zero_offset());
    date.checked_sub(jiff::Span::new().days(days)).unwrap_or(date)
}

impl Unit {
    pub const ALL: [Unit; 3] = [Unit::Offers, Unit::Redemptions, Unit::Money];

    pub fn as_str(self) -> &'static str {
        match self {
            Unit::Offers => "offers",
            Unit::Redemptions => "redemptions",
            Unit::Money => "money",
        }
    }
}

impl AccountId {
    /// The name of its budget: a campaign's, and what is counted.
    pub fn budget(&self) -> &str {
        let ends = self.0.match_indices('/').nth(4);
        ends.map_or(&self.0, |(end, _)| &self.0[..end])
    }

    /// Whether its units are offers.
    pub fn counts_offers(&self) -> bool {
        self.budget().rsplit('/').next().is_some_and(|kind| kind.starts_with(Unit::Offers.as_str()))
    }

    pub fn is_of(&self, campaign: &CampaignName) -> bool {
        self.0.strip_prefix(campaign.as_str()).is_some_and(|rest| rest.starts_with('/'))
    }
}

impl Account {
    /// The place and the period that it counts apart, each empty if it does not.
    pub fn parts(&self) -> (&str, &str) {
        let rest = self.id.0.strip_prefix(&*self.budget.0).unwrap_or_default().trim_start_matches('/');
        let kind = self.budget.0.rsplit('/').next().unwrap_or_default();
        let [per_store, per_period] =
            [kind.contains(".store"), [".day", ".week", ".month"].iter().any(|p| kind.ends_with(p))];
        match (per_store, per_period) {
            (true, true) => rest.rsplit_once('/').unwrap_or((rest, "")),
            (true, false) => (rest, ""),
            (false, _) => ("", rest),
        }
    }

    /// The last day of the period that it counts; none if it counts for the campaign's whole life.
    pub fn last_day(&self) -> Option<Date> {
        let (_, period) = self.parts();
        let kind = self.budget.0.rsplit('.').next().unwrap_or_default();
        match kind {
            "day" => period.parse().ok(),
            "week" => period.parse::<Date>().ok()?.checked_add(jiff::Span::new().days(6)).ok(),
            "month" => Some(format!("{period}-01").parse::<Date>().ok()?.last_of_month()),
            _ => None,
        }
    }

    /// The pool of codes of a campaign: one unit a code, and as many as were uploaded.
    pub fn pool(campaign: &CampaignName) -> Self {
        let id: Arc<str> = format!("{campaign}/codes").into();
        Self { id: AccountId(id.clone()), budget: BudgetId(id) }
    }
}

/// What is wrong with budgets of one campaign, by their place in the list.
pub fn check(budgets: &[Budget]) -> Result<(), Violations> {
    let mut wrong = Violations::default();
    let kind = |budget: &Budget| (budget.unit, budget.period, budget.per_store);
    for (i, budget) in budgets.iter().enumerate() {
        if budgets[..i].iter().any(|earlier| kind(earlier) == kind(budget)) {
            wrong.add(format!("[{i}]"), "must differ from the others in unit, period or per_store");
        }
        if budget.limit > MAX_LIMIT {
            wrong.add(format!("[{i}].limit"), format!("must be at most {MAX_LIMIT}, was {}", budget.limit));
        }
        if budget.period == Period::Whole && budget.time_zone.is_some() {
            wrong.add(format!("[{i}].time_zone"), "must be empty without a period");
        }
    }
    wrong.finish(Some(()))
}

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let store = if self.per_store { " a store" } else { "" };
        let period = match self.period {
            Period::Whole => "",
            Period::Day => " a day",
            Period::Week => " a week",
            Period::Month => " a month",
        };
        write!(f, "{} {}{store}{period}", self.limit, self.unit.as_str())
    }
}

macro_rules! ids {
    ($($T:ident)*) => { $(
        impl $T {
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// As it was stored.
            pub fn of_record(text: &str) -> Self {
                Self(text.into())
            }
        }

        impl fmt::Display for $T {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $T {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )* };
}
ids!(BudgetId AccountId);

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Holder::Offer(id) => id.fmt(f),
            Holder::Redemption(id) => id.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(unit: Unit, period: Period, per_store: bool, zone: Option<&str>) -> Budget {
        let time_zone = zone.map(|zone| TimeZone::new(zone).expect("known"));
        Budget { unit, limit: 9, period, per_store, time_zone }
    }

    #[test]
    fn an_account_is_named_by_what_it_counts() {
        let campaign = CampaignName::parse("organizations/a/campaigns/c").expect("sound");
        let tokyo = TimeZone::new("Asia/Tokyo").expect("known");
        // Sunday 2026-11-22, 23:30 UTC: Monday in Tokyo.
        let at = Timestamp::from_micros(1_795_390_200_000_000);
        let spot = Spot { place: "organizations/a/stores/s", time_zone: Some(&tokyo), at };
        let named = |budget: Budget| {
            let Account { id, budget } = budget.account(&campaign, spot);
            assert_eq!(id.budget(), budget.as_str());
            id.to_string()
        };
        let prefix = "organizations/a/campaigns/c";
        let store = "organizations/a/stores/s";
        assert_eq!(named(budget(Unit::Offers, Period::Whole, false, None)), format!("{prefix}/offers"));
        assert_eq!(
            named(budget(Unit::Money, Period::Day, true, None)),
            format!("{prefix}/money.store.day/{store}/2026-11-23")
        );
        assert_eq!(named(budget(Unit::Offers, Period::Day, false, None)), format!("{prefix}/offers.day/2026-11-22"));
        let rome = budget(Unit::Redemptions, Period::Week, true, Some("Europe/Rome"));
        assert_eq!(named(rome), format!("{prefix}/redemptions.store.week/{store}/2026-11-23"));
        let month = budget(Unit::Offers, Period::Month, false, Some("America/New_York"));
        assert_eq!(named(month.clone()), format!("{prefix}/offers.month/2026-11"));
        let parts = |budget: Budget| {
            let account = budget.account(&campaign, spot);
            let (place, period) = account.parts();
            (place.to_owned(), period.to_owned())
        };
        let said = |place: &str, period: &str| (place.to_owned(), period.to_owned());
        let last = |period| budget(Unit::Offers, period, true, None).account(&campaign, spot).last_day();
        let days = [Period::Day, Period::Week, Period::Month, Period::Whole].map(last);
        let november = |day| Some(jiff::civil::date(2026, 11, day));
        assert_eq!(days, [november(23), november(29), november(30), None]);
        assert_eq!(parts(month), said("", "2026-11"));
        assert_eq!(parts(budget(Unit::Offers, Period::Whole, false, None)), said("", ""));
        assert_eq!(parts(budget(Unit::Offers, Period::Whole, true, None)), said(store, ""));
        assert_eq!(parts(budget(Unit::Money, Period::Day, true, None)), said(store, "2026-11-23"));
        let pool = Account::pool(&campaign);
        let of = |name| CampaignName::parse(name).is_ok_and(|name| pool.id.is_of(&name));
        assert!(of(prefix) && !of("organizations/a/campaigns/cc") && !of("organizations/b/campaigns/c"));
        assert_eq!((pool.parts(), pool.id.budget()), (("", ""), pool.budget.as_str()));
    }

    #[test]
    fn budgets_that_count_the_same_are_refused() {
        let twice = [budget(Unit::Offers, Period::Day, false, None), budget(Unit::Offers, Period::Day, false, None)];
        assert_eq!(check(&twice).expect_err("refused").iter().next().expect("one").field, "[1]");
        assert!(check(&[twice[0].clone(), budget(Unit::Offers, Period::Day, true, None)]).is_ok());
    }
}
