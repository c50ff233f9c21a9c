//! A receipt as a marketer reads it: why each campaign was chosen or refused.

use super::answer::transition;
use crate::{
    cli::{output::Paint, zoned::Zoned},
    domain::reason::NOT_ELIGIBLE,
    grpc::pb::{self, considered_campaign::Verdict},
};

/// One paragraph for each campaign that was considered.
pub fn tell(paint: Paint, zoned: &Zoned, receipt: Option<&pb::Decision>) -> String {
    let Some(receipt) = receipt else {
        return "Why: nothing changed, so no campaign was considered and there is no receipt. Campaigns fire when a \
                device enters, stays, leaves or hears, not while it is somewhere."
            .to_owned();
    };
    let title = match receipt.catalog_version {
        // As a brand sees it.
        0 => format!("Why, {}:", zoned.hour(receipt.decided_at)),
        version => format!("Why, as of {}, by version {version} of the catalog:", zoned.time(receipt.decided_at)),
    };
    let mut lines = vec![paint.title(title)];
    for considered in &receipt.considered {
        lines.extend(campaign(paint, zoned, considered));
    }
    if receipt.considered.is_empty() {
        lines.push("No active campaign is triggered by what happened here:".to_owned());
        lines.extend(receipt.transitions.iter().map(|change| format!("  {}", transition(zoned, change))));
    }
    lines.join("\n")
}

fn campaign(paint: Paint, zoned: &Zoned, considered: &pb::ConsideredCampaign) -> Vec<String> {
    let (verdict, because) = match &considered.verdict {
        Some(Verdict::Chosen(offer)) if offer.is_empty() => (paint.good("chosen "), "an offer was made".to_owned()),
        Some(Verdict::Chosen(offer)) => (paint.good("chosen "), format!("offer {offer}")),
        Some(Verdict::Refused(refusal)) => {
            (paint.bad("refused"), format!("{} ({})", zoned.words(&refusal.description), refusal.code))
        }
        None => ("unknown".to_owned(), "this binary is older than the server".to_owned()),
    };
    let otherwise = match &considered.verdict {
        Some(Verdict::Refused(refusal)) => otherwise(&refusal.code),
        _ => "",
    };
    let mut lines = vec![
        format!("{verdict}  {}", considered.campaign),
        format!("         at {}{}", considered.place, if considered.trial { ON_TRIAL } else { "" }),
        format!("         {because}"),
    ];
    if !otherwise.is_empty() {
        lines.push(paint.faint(format!("         otherwise if {otherwise}")));
    }
    if let Some(pb::Rank { score, weight, affinity, nearness, priority }) = &considered.rank {
        let made = format!("weight {weight} x (1 + interest {affinity:.2}) x nearness {nearness:.2}");
        lines.push(format!("         ranked {priority}, by {score:.2} = {made}"));
    }
    lines
}

/// Of a campaign that is not active.
const ON_TRIAL: &str = ", tried on this test device: it counts nowhere, and is worth nothing";

/// What would have changed such a refusal; empty for codes that this binary does not know.
fn otherwise(code: &str) -> &'static str {
    match code {
        "STALE" => "the phone had sent the fix within two minutes",
        "SUSPECT" => "the position had been the phone's own, and possible",
        "NO_MARKETING_CONSENT" => "the person had agreed to marketing",
        "NOT_STARTED" => "it had been later, or start_time earlier",
        "ENDED" => "it had been earlier, or end_time later",
        "NOT_GRANTED" => "the publisher had granted the brand its app's people",
        "MUTED" => "the person had not muted the brand",
        "QUIET_HOURS" => "it had been outside of the quiet hours, or the campaign been let into them",
        "OUTSIDE_WINDOWS" => "it had been within limits.windows",
        "VISIT_NUMBER" => "the person had been there more often, or the trigger waited for fewer visits",
        "NO_OPENING_HOURS" => "the network had said when the store is open",
        "STORE_CLOSED" => "the store had been open",
        "LAST_CALL" => "the store had stayed open longer, or last_call been shorter",
        "DAILY_OFFERS" => "the person had got fewer offers that day, or the app allowed more",
        "PRIORITY_SHARE" => "the campaign's priority had been higher, or the person got fewer offers that day",
        "APP_COOL_DOWN" => "the last offer of anybody had been longer ago",
        "BRAND_CAP" => "the person had got fewer offers of the brand, or brand_limits allowed more",
        "BRAND_COOL_DOWN" => "the brand's last offer had been longer ago",
        "REDEEMED" => "the person had redeemed none, or never_after_redeemed been off",
        "CAMPAIGN_CAP" => "the person had got fewer offers of the campaign, or limits.per_profile allowed more",
        "COOL_DOWN" => "the campaign's last offer had been longer ago, or limits.cool_down shorter",
        "AUDIENCE" => "the person had been in the audience",
        "HOLDOUT" => "the experiment had not held the person out",
        "BUDGET_EXHAUSTED" => "the budget had been higher, or units had come back",
        "SAME_CAMPAIGN" => "it had not been chosen at the better place",
        "OUTRANKED" => "it had ranked higher, by priority, weight, interest or nearness, or the phone asked for more",
        NOT_ELIGIBLE => "something about the person had been otherwise, which a brand is not told of one person",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::decision::Reason;

    #[test]
    fn every_refusal_is_told_what_would_have_changed_it() {
        for code in Reason::CODES.iter().chain(&[NOT_ELIGIBLE]) {
            assert_ne!(otherwise(code), "", "{code}");
        }
    }

    #[test]
    fn a_refusal_is_told_with_its_reason_and_a_choice_with_its_score() {
        let considered = |campaign: &str, verdict, rank| pb::ConsideredCampaign {
            campaign: campaign.to_owned(),
            place: "organizations/a/stores/s".to_owned(),
            verdict: Some(verdict),
            rank,
            store: String::new(),
            trial: false,
        };
        let rank = pb::Rank { score: 3.0, weight: 2.0, affinity: 0.5, nearness: 1.0, priority: "NORMAL".to_owned() };
        let refusal = pb::Refusal { code: "MUTED".to_owned(), description: "the person muted this brand".to_owned() };
        let receipt = pb::Decision {
            considered: vec![
                considered("organizations/a/campaigns/yes", Verdict::Chosen("7".to_owned()), Some(rank)),
                considered("organizations/a/campaigns/no", Verdict::Refused(refusal), None),
            ],
            ..Default::default()
        };
        let told = tell(Paint::off(), &Zoned::utc(), Some(&receipt));
        for part in [
            "chosen   organizations/a/campaigns/yes\n",
            "ranked NORMAL, by 3.00 = weight 2 x (1 + interest 0.50) x nearness 1.00\n",
            "refused  organizations/a/campaigns/no\n",
            "the person muted this brand (MUTED)",
        ] {
            assert!(told.contains(part), "{part} is not in:\n{told}");
        }
    }
}
