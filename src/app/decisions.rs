//! Reading receipts, each role as far as it may.
//!
//! Law 10: a brand sees its own campaigns in a receipt, as [`brand_view`] shows them, never other brands, or people it
//! cannot name. Whoever may not see a receipt is told that there is none.

use std::{fmt, sync::Arc};

use super::{
    brand_view::{self, BrandReceipt},
    live_catalog::LiveCatalog,
};
use crate::{
    domain::{
        decision::Decision,
        decision::{Considered, Reason, Verdict},
        name::{AppName, CampaignName, OrganizationName, ProfileName, StoreName},
        offer::DecisionId,
        reason::NOT_ELIGIBLE,
        time::Timestamp,
        violation::{Invalid, Violations},
    },
    engine::catalog::Catalog,
    ports::{
        Clock, CountQuery, FoundReceipts, ReceiptOrder, ReceiptQuery, Receipts, ReceiptsOf, Records, StoreError,
        VerdictCount,
    },
};

/// Receipts on a page of a brand, whatever it asks for: with few on one it would know which lines are of one decision.
const PAGE_OF_BRANDS: u32 = 1_000;

/// Who reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reader {
    Operator,
    /// The person, by one of its devices.
    Person(ProfileName),
    /// The publisher's own server.
    Server(AppName),
    /// The organization: all of its apps' receipts, and its campaigns in those of others.
    Owner(OrganizationName),
    /// Its campaigns, in whatever receipt.
    Brand(OrganizationName),
}

/// A receipt as one reader may see it.
#[derive(Debug, Clone, PartialEq)]
pub enum Receipt {
    Whole(Box<Decision>),
    OfBrand(BrandReceipt),
}

/// What a list of receipts asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    pub profile: Option<ProfileName>,
    pub campaign: Option<CampaignName>,
    pub store: Option<StoreName>,
    pub verdict: Option<String>,
    pub from: Option<Timestamp>,
    pub until: Option<Timestamp>,
    pub after: Option<Cursor>,
    pub most: u32,
}

/// Where a list goes on; spelt only in what nobody can read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// Which of the lists it is in: of the reader's own people, or of others.
    pub order: ReceiptOrder,
    /// Behind what.
    pub last: DecisionId,
}

impl Cursor {
    const NEWEST: &str = "newest";
    const HOURS: &str = "hours";

    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let order = match text.split_once(' ') {
            Some((Self::NEWEST, _)) => ReceiptOrder::Newest,
            Some((Self::HOURS, _)) => ReceiptOrder::Hours,
            _ => return Err(no_page()),
        };
        let last = text.split_once(' ').map_or("", |(_, last)| last);
        Ok(Self { order, last: DecisionId::parse(last).map_err(|_| no_page())? })
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let order = match self.order {
            ReceiptOrder::Newest => Self::NEWEST,
            ReceiptOrder::Hours => Self::HOURS,
        };
        write!(f, "{order} {}", self.last)
    }
}

fn no_page() -> Invalid {
    Invalid::new("must be the next_page_token of the same request, or empty")
}

/// What a count of verdicts asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct Counted {
    pub campaign: CampaignName,
    pub store: Option<StoreName>,
    pub from: Option<Timestamp>,
    pub until: Option<Timestamp>,
}

/// What a count of verdicts came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Counts {
    pub verdicts: Vec<VerdictCount>,
    /// Only what was decided before; none for all until now.
    pub until: Option<Timestamp>,
    /// In whole tens and days, as brands see them.
    pub in_tens: bool,
}

/// The reader may not ask for that.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    #[error("this credential does not open that person's receipts")]
    Person,
    #[error("a brand key reads receipts of its own campaigns only: it must name a campaign of {0}")]
    Campaign(OrganizationName),
}

#[derive(Debug, thiserror::Error)]
pub enum ListError {
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error("{0}")]
    Invalid(Violations),
    #[error("there is no {0}")]
    Missing(CampaignName),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Receipts as the reader may see each, and where each is in the record, of which only tokens may tell.
pub type Listed = Vec<(Cursor, Receipt)>;

/// Finds receipts.
pub struct Decisions {
    records: Arc<dyn Records>,
    receipts: Arc<dyn Receipts>,
    live: Arc<LiveCatalog>,
    clock: Arc<dyn Clock>,
}

impl Decisions {
    pub fn new(
        records: Arc<dyn Records>,
        receipts: Arc<dyn Receipts>,
        live: Arc<LiveCatalog>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { records, receipts, live, clock }
    }

    /// The receipts of the reader's own people, newest first, then those of others by their hours; and where it goes on, if
    /// there may be more.
    pub async fn list(&self, wanted: Wanted, reader: &Reader) -> Result<(Listed, Option<Cursor>), ListError> {
        let mut listed = Vec::new();
        for query in queries(wanted, reader, self.clock.now())? {
            let at = |last| Cursor { order: query.order, last };
            let FoundReceipts { decisions, next } = self.receipts.decisions(&query).await?;
            for decision in decisions {
                let place = at(decision.id);
                listed.extend(listed_for(decision, &query, reader).into_iter().map(|receipt| (place, receipt)));
            }
            if let Some(last) = next {
                return Ok((listed, Some(at(last))));
            }
        }
        Ok((listed, None))
    }

    /// What became of the campaign of people that the reader knows of; to brands in whole days and tens of people. Those
    /// who may list campaigns are told if nobody has it.
    pub async fn count(&self, counted: Counted, reader: &Reader) -> Result<Counts, ListError> {
        let (Counted { campaign, store, from, until }, now) = (counted, self.clock.now());
        let of = whose(None, Some(&campaign), reader)?;
        let is_told = *reader == Reader::Operator || sees_as_brand(reader, &of);
        let has = |catalog: &Catalog| catalog.campaigns.get(&campaign).is_some();
        if is_told && !has(&*self.live.having(has).await?) {
            return Err(ListError::Missing(campaign));
        }
        if !sees_as_brand(reader, &of) {
            let verdicts = self.receipts.verdicts(&CountQuery { of, campaign, store, from, until, now }).await?;
            return Ok(Counts { verdicts, until, in_tens: false });
        }
        // Of today one more would tell what became of whoever came last.
        let today = brand_view::day(now);
        let (from, until) = (from.map(brand_view::day), until.map_or(today, brand_view::day_after).min(today));
        let until = Some(until);
        let counts = self.receipts.verdicts(&CountQuery { of, campaign, store, from, until, now }).await?;
        let in_tens = |count: VerdictCount| {
            let people = brand_view::in_tens(count.people)?;
            Some(VerdictCount { people, decisions: brand_view::in_tens(count.decisions)?, ..count })
        };
        Ok(Counts { verdicts: counts.into_iter().filter_map(in_tens).collect(), until, in_tens: true })
    }

    /// The receipt, while it is kept; none for whoever may see nothing of it.
    pub async fn get(&self, id: &DecisionId, reader: &Reader) -> Result<Option<Receipt>, StoreError> {
        Ok(self.records.decision(id, self.clock.now()).await?.and_then(|decision| seen_by(decision, reader)))
    }
}

/// The lists that are asked of the record, one after the other, from where the reader is.
fn queries(wanted: Wanted, reader: &Reader, now: Timestamp) -> Result<Vec<ReceiptQuery>, ListError> {
    let after = wanted.after;
    let lists = lists(wanted, reader, now)?;
    let Some(Cursor { order, last }) = after else { return Ok(lists) };
    let mut left: Vec<_> = lists.into_iter().skip_while(|list| list.order != order).collect();
    let first = left.first_mut().ok_or_else(|| ListError::Invalid(Violations::one("page_token", no_page())))?;
    first.after = Some(last);
    Ok(left)
}

/// The whole list of people that the reader sees, and that of others as brands see them: two, or where one ends would tell
/// times of the other.
fn lists(wanted: Wanted, reader: &Reader, now: Timestamp) -> Result<Vec<ReceiptQuery>, ListError> {
    let of = whose(wanted.profile.as_ref(), wanted.campaign.as_ref(), reader)?;
    let refused = |said: String| Err(ListError::Invalid(Violations::one("verdict", said)));
    let code = wanted.verdict.as_deref();
    let (whole, of_others) = match (sees_as_brand(reader, &of), reader) {
        (false, _) => (Some(of), None),
        (true, Reader::Owner(own)) => (Some(ReceiptsOf::Publisher(own.clone())), Some(ReceiptsOf::Others(own.clone()))),
        (true, _) => (None, Some(of)),
    };
    let codes = match code {
        None => Some(Vec::new()),
        Some(code) => brand_view::codes_read_as(code),
    };
    // No whole receipt has a code that only brands read, and no brand reads one of people.
    let whole = match (whole, code == Some(NOT_ELIGIBLE)) {
        (Some(_), true) if of_others.is_none() => {
            return refused(format!(
                "must not be {NOT_ELIGIBLE}, which is what brands read instead of the codes you see"
            ));
        }
        (_, true) => None,
        (whole, false) => whole.map(|of| of_whole(&wanted, of, now)),
    };
    let of_others = match (of_others, codes) {
        (Some(_), None) if whole.is_none() => {
            let code = code.unwrap_or_default();
            return refused(format!("must not be {code}, which is of people: a brand reads {NOT_ELIGIBLE} instead"));
        }
        (Some(of), Some(codes)) => Some(of_brand(&wanted, of, codes, now)),
        _ => None,
    };
    Ok(whole.into_iter().chain(of_others).collect())
}

fn of_whole(wanted: &Wanted, of: ReceiptsOf, now: Timestamp) -> ReceiptQuery {
    let Wanted { profile: _, campaign, store, verdict, from, until, after: _, most } = wanted.clone();
    let (order, verdicts) = (ReceiptOrder::Newest, verdict.into_iter().collect());
    ReceiptQuery { of, order, campaign, store, verdicts, from, until, now, after: None, most }
}

/// Of people that the reader does not see, neither times finer than it is shown nor codes that it is not shown may choose
/// what is in the list.
fn of_brand(wanted: &Wanted, of: ReceiptsOf, verdicts: Vec<String>, now: Timestamp) -> ReceiptQuery {
    let Wanted { campaign, store, from, until, .. } = wanted.clone();
    // Of this hour one more would tell the second in which somebody came.
    let over = brand_view::hour(now);
    let until = until.map_or(over, brand_view::hour_after).min(over);
    let (order, from, until) = (ReceiptOrder::Hours, from.map(brand_view::hour), Some(until));
    ReceiptQuery { of, order, campaign, store, verdicts, from, until, now, after: None, most: PAGE_OF_BRANDS }
}

/// Whether some of them are shown as a brand sees them.
fn sees_as_brand(reader: &Reader, of: &ReceiptsOf) -> bool {
    match reader {
        Reader::Brand(_) => true,
        Reader::Owner(_) => *of == ReceiptsOf::Everybody,
        Reader::Operator | Reader::Person(_) | Reader::Server(_) => false,
    }
}

/// Of whose receipts the reader may see something.
fn whose(person: Option<&ProfileName>, campaign: Option<&CampaignName>, reader: &Reader) -> Result<ReceiptsOf, Denied> {
    let is_own = |brand: &OrganizationName| campaign.is_some_and(|own| own.organization() == *brand);
    match (person, reader) {
        (None, Reader::Brand(brand)) if !is_own(brand) => Err(Denied::Campaign(brand.clone())),
        (Some(profile), _) if opens(reader, profile) => Ok(ReceiptsOf::Person(profile.clone())),
        (Some(_), _) => Err(Denied::Person),
        (None, Reader::Operator | Reader::Brand(_)) => Ok(ReceiptsOf::Everybody),
        (None, Reader::Owner(owner)) if is_own(owner) => Ok(ReceiptsOf::Everybody),
        (None, Reader::Owner(owner)) => Ok(ReceiptsOf::Publisher(owner.clone())),
        (None, Reader::Server(app)) => Ok(ReceiptsOf::App(app.clone())),
        (None, Reader::Person(own)) => Ok(ReceiptsOf::Person(own.clone())),
    }
}

/// Whether the reader sees the whole of that person's receipts.
fn opens(reader: &Reader, profile: &ProfileName) -> bool {
    match reader {
        Reader::Operator => true,
        Reader::Person(own) => profile == own,
        Reader::Server(app) => profile.app() == *app,
        Reader::Owner(owner) => profile.organization() == *owner,
        Reader::Brand(_) => false,
    }
}

/// Whether the reader is told how large budgets of the campaign are: that is its brand's own affair.
pub fn knows_budgets(reader: &Reader, campaign: &CampaignName) -> bool {
    match reader {
        Reader::Operator => true,
        Reader::Person(_) => false,
        Reader::Server(app) => app.organization() == campaign.organization(),
        Reader::Owner(own) | Reader::Brand(own) => *own == campaign.organization(),
    }
}

/// All of it, but for what campaigns there are of brands that may not reach the person: that is their own affair.
fn whole(mut decision: Decision, reader: &Reader) -> Receipt {
    if *reader != Reader::Operator {
        decision.considered.retain(|one| one.verdict != Verdict::Refused(Reason::NotGranted));
    }
    for Considered { campaign, verdict, .. } in &mut decision.considered {
        let spent = matches!(verdict, Verdict::Refused(Reason::UnitsExhausted { .. } | Reason::ClaimedOut));
        if spent && !knows_budgets(reader, campaign) {
            *verdict = Verdict::Refused(Reason::BudgetExhausted);
        }
    }
    Receipt::Whole(Box::new(decision))
}

fn seen_by(decision: Decision, reader: &Reader) -> Option<Receipt> {
    match reader {
        _ if opens(reader, &decision.profile) => Some(whole(decision, reader)),
        Reader::Owner(brand) | Reader::Brand(brand) => BrandReceipt::named(&decision, brand).map(Receipt::OfBrand),
        Reader::Operator | Reader::Person(_) | Reader::Server(_) => None,
    }
}

/// As in a list of a campaign, if it is one.
fn listed_for(decision: Decision, query: &ReceiptQuery, reader: &Reader) -> Vec<Receipt> {
    match reader {
        _ if opens(reader, &decision.profile) => vec![whole(decision, reader)],
        Reader::Owner(_) | Reader::Brand(_) => {
            BrandReceipt::listed(&decision, query).into_iter().map(Receipt::OfBrand).collect()
        }
        Reader::Operator | Reader::Person(_) | Reader::Server(_) => Vec::new(),
    }
}

#[cfg(test)]
#[path = "decisions_tests.rs"]
mod tests;
