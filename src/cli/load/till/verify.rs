//! Whether everybody tells the same of a load of tills: their log, the server's list, and its ledger.
//!
//! Law 1: a coupon that was redeemed twice, or of which the tills and the record differ, fails the load.

use std::collections::BTreeMap;

use tonic::transport::Channel;

use super::{
    drive::{Log, Work},
    scene::Scene,
};
use crate::{
    cli::{connection::Connection, output::refusal},
    grpc::pb::{self, ledger_service_client::LedgerServiceClient, redemption_service_client::RedemptionServiceClient},
};

const PAGE: i32 = 1_000;

/// What was compared, and what disagrees.
#[derive(Debug, Default)]
pub struct Proof {
    pub listed: u64,
    pub ledger: pb::CheckLedgerResponse,
    /// In words; empty if all agree.
    pub faults: Vec<String>,
}

/// Asks the server, and compares.
pub async fn prove(
    connection: &Connection,
    channel: &Channel,
    scene: &Scene,
    work: &Work,
    log: &Log,
) -> anyhow::Result<Proof> {
    let mut listed = Vec::new();
    for campaign in &scene.campaigns {
        listed.extend(list(connection, channel, campaign).await?);
    }
    let mut client = LedgerServiceClient::new(channel.clone());
    let ledger = client.check_ledger(connection.request(pb::CheckLedgerRequest {})?).await;
    let ledger = ledger.map_err(|status| refusal(&status))?.into_inner();
    let offers: Vec<&str> = work.coupons.iter().map(|coupon| coupon.offer.as_str()).collect();
    let redeemed: Vec<(&str, &str)> = log.redeemed.iter().map(|(of, id)| (offers[*of], id.as_str())).collect();
    let kept: Vec<(&str, &str)> = listed.iter().map(|one| (one.offer.as_str(), one.id.as_str())).collect();
    let mut faults = compare(&offers, &redeemed, &kept);
    if log.differing > 0 {
        faults.push(format!("{} repeated requests were answered otherwise than at first", log.differing));
    }
    if ledger.fault_count > 0 {
        let first = ledger.faults.first().map(|fault| format!("{}: {}", fault.subject, fault.description));
        faults.push(format!("the ledger has {} faults: {}", ledger.fault_count, first.unwrap_or_default()));
    }
    Ok(Proof { listed: listed.len() as u64, ledger, faults })
}

/// Every coupon once in the tills' log, and the same redemption of it in the record.
fn compare(offers: &[&str], redeemed: &[(&str, &str)], kept: &[(&str, &str)]) -> Vec<String> {
    let mut all: BTreeMap<&str, (Vec<&str>, Vec<&str>)> =
        offers.iter().map(|offer| (*offer, Default::default())).collect();
    redeemed.iter().for_each(|(offer, id)| all.entry(offer).or_default().0.push(id));
    kept.iter().for_each(|(offer, id)| all.entry(offer).or_default().1.push(id));
    let count = |wrong: fn(&(Vec<&str>, Vec<&str>)) -> bool| all.values().filter(|of| wrong(of)).count();
    [
        ("were not redeemed", count(|(log, _)| log.is_empty())),
        ("were redeemed more than once, by the tills' log", count(|(log, _)| log.len() > 1)),
        ("were redeemed more than once, by the record", count(|(_, record)| record.len() > 1)),
        ("have other redemptions in the record than in the tills' log", count(|(log, record)| log != record)),
    ]
    .into_iter()
    .filter(|(_, count)| *count > 0)
    .map(|(what, count)| format!("{count} coupons {what}"))
    .collect()
}

async fn list(connection: &Connection, channel: &Channel, campaign: &str) -> anyhow::Result<Vec<pb::Redemption>> {
    let mut client = RedemptionServiceClient::new(channel.clone());
    let (mut all, mut page_token) = (Vec::new(), String::new());
    loop {
        let parent = campaign.to_owned();
        let request = pb::ListRedemptionsRequest { parent, page_size: PAGE, page_token, ..Default::default() };
        let page = client.list_redemptions(connection.request(request)?).await;
        let page = page.map_err(|status| refusal(&status))?.into_inner();
        all.extend(page.redemptions);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(all);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_coupon_is_redeemed_once_and_all_agree_on_it() {
        let offers = ["a", "b"];
        let good = [("a", "1"), ("b", "2")];
        assert!(compare(&offers, &good, &[("b", "2"), ("a", "1")]).is_empty());
        type Pairs<'a> = &'a [(&'a str, &'a str)];
        let wrong: [(Pairs<'_>, Pairs<'_>, &str); 4] = [
            (&good[..1], &good[..1], "1 coupons were not redeemed"),
            (&[("a", "1"), ("a", "3"), ("b", "2")], &good, "1 coupons were redeemed more than once, by the tills' log"),
            (&good, &[("a", "1"), ("a", "3"), ("b", "2")], "1 coupons were redeemed more than once, by the record"),
            (&good, &[("a", "1"), ("b", "3")], "1 coupons have other redemptions in the record than in the tills' log"),
        ];
        for (log, record, fault) in wrong {
            let found = compare(&offers, log, record);
            assert!(found.iter().any(|found| found == fault), "{fault} is not in {found:?}");
        }
    }
}
