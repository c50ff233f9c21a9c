//! What would have to be otherwise for a gate to let somebody pass, in words.
//!
//! Law: reasons with the same words have the same remedy.

use crate::domain::{decision::Reason, time::spoken};

fn too_many(most: u32, of: &str) -> String {
    match most {
        1 => format!("the person must have got no offer {of}"),
        most => format!("the person must have got less than {most} offers {of}"),
    }
}

/// What somebody could do about a refusal.
pub(super) fn remedy(reason: &Reason) -> String {
    match reason {
        Reason::Stale { .. } => "the ping must come sooner".to_owned(),
        Reason::Suspect => "the position must be the phone's own".to_owned(),
        Reason::NoMarketingConsent => "the person must agree to marketing".to_owned(),
        Reason::NotStarted { .. } => "the campaign must have started".to_owned(),
        Reason::Ended { .. } | Reason::EndsTooSoon { .. } => "the campaign must end later".to_owned(),
        Reason::NotGranted => "the publisher must let the brand reach the app's people".to_owned(),
        Reason::Muted => "the person must unmute the brand".to_owned(),
        Reason::QuietHours { from, to, .. } => {
            format!("it must not be {from} to {to} for the person, or the campaign be let into quiet hours")
        }
        Reason::OutsideWindows { .. } => "it must be within the campaign's hours".to_owned(),
        Reason::Visit { wanted, since_offer, .. } => {
            let since = if *since_offer { " since the last offer of it" } else { "" };
            format!("it must be visit {wanted} of the person to the place{since}, or a later one")
        }
        Reason::NoOpeningHours => "the store must have opening hours".to_owned(),
        Reason::StoreClosed { .. } => "the store must be open".to_owned(),
        Reason::LastCall { last_call, .. } => {
            format!("the store must stay open for {} more", spoken(*last_call))
        }
        Reason::DailyOffers { most, .. } => too_many(*most, "that day"),
        Reason::PriorityShare { most, priority, .. } => {
            too_many(*most, &format!("of {} or lower priority that day", priority.as_str()))
        }
        Reason::AppCoolDown { .. } | Reason::BrandCoolDown { .. } | Reason::CoolDown { .. } => {
            "the last offer must be longer ago".to_owned()
        }
        Reason::BrandCap { most, within, .. } => too_many(*most, &format!("of the brand {within}")),
        Reason::CampaignCap { most, within, .. } => too_many(*most, &format!("of the campaign {within}")),
        Reason::Redeemed { .. } => "the person must not have redeemed one of it".to_owned(),
        Reason::BudgetExhausted | Reason::UnitsExhausted { .. } => {
            "the budget must be raised, or units come back".to_owned()
        }
        Reason::ClaimedOut => "codes must be uploaded, a budget raised, or units come back".to_owned(),
        reason @ (Reason::Audience { .. }
        | Reason::Holdout { .. }
        | Reason::SameCampaign
        | Reason::Outranked { .. }) => reason.meaning().to_owned(),
    }
}
