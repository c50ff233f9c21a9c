//! Versions of campaigns, going back to them, and the audit, over the wire.

use dintorni::grpc::pb::{self, audit_service_client::AuditServiceClient, campaign::State, change::Action, key::Scope};
use tonic::Code;

use crate::support::harness::{TestServer, bearing, fields, refusal};

#[tokio::test]
async fn a_campaign_goes_back_to_what_it_was_and_stays_active() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    let brand = acme.key_of(Scope::Brand).await;
    let name = acme.cafe().await;
    let edit = async |title: &str| {
        let content = Some(pb::Content { title: title.into(), ..Default::default() });
        let campaign = Some(pb::Campaign { name: name.clone(), content, ..Default::default() });
        let request = pb::UpdateCampaignRequest { campaign, update_mask: None };
        server.campaigns().update_campaign(bearing(&brand, request)).await.expect("edited").into_inner()
    };
    edit("A cake on us").await;
    let list = async |page_size, page_token: String| {
        let request = pb::ListCampaignVersionsRequest { name: name.clone(), page_size, page_token };
        server.campaigns().list_campaign_versions(bearing(&brand, request)).await.map(tonic::Response::into_inner)
    };
    let first = list(2, String::new()).await.expect("listed");
    let rest = list(2, first.next_page_token.clone()).await.expect("listed");
    let foreign = pb::GetCampaignUseRequest { name: name.clone(), page_token: first.next_page_token };
    let refused = server.campaigns().get_campaign_use(bearing(&brand, foreign)).await.expect_err("of another call");
    assert_eq!(fields(&refused), ["page_token"]);
    let versions = [first.versions, rest.versions].concat();
    let was = |version: &pb::CampaignVersion| {
        let campaign = version.campaign.clone().expect("it was there");
        assert_eq!(campaign.etag, version.version);
        let state = campaign.state();
        (campaign.content.expect("required").title, state, version.author.clone())
    };
    let (by_brand, by_operator) = (format!("{}/keys/kbrand", acme.organization), "organizations/operator/keys/");
    assert_eq!(was(&versions[0]), ("A cake on us".into(), State::Active, by_brand));
    assert_eq!((versions.len(), rest.next_page_token.as_str()), (3, ""));
    assert!(was(&versions[1]).2.starts_with(by_operator), "{versions:?}");
    assert_eq!(was(&versions[2]).1, State::Draft);

    let back = |version: &str, etag: &str| pb::RollbackCampaignRequest {
        name: name.clone(),
        version: version.into(),
        etag: etag.into(),
    };
    let roll = async |request| server.campaigns().rollback_campaign(bearing(&brand, request)).await;
    let campaign = roll(back(&versions[2].version, &versions[0].version)).await.expect("back").into_inner();
    assert_eq!(
        (campaign.content.clone().expect("there").title.as_str(), campaign.state()),
        ("An espresso on us", State::Active)
    );
    let stale = roll(back(&versions[2].version, &versions[0].version)).await.expect_err("an old etag");
    assert_eq!(refusal(&stale).1, "ETAG_MISMATCH");
    assert_eq!(roll(back("1", "")).await.expect_err("no such version").code(), Code::FailedPrecondition);
    assert_eq!(roll(back("", "x")).await.expect_err("two faults").code(), Code::InvalidArgument);
}

#[tokio::test]
async fn a_step_whose_answer_was_lost_may_be_taken_again() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    let brand = acme.key_of(Scope::Brand).await;
    let name = acme.cafe().await;
    let read = pb::GetCampaignRequest { name: name.clone() };
    let etag = server.campaigns().get_campaign(bearing(&brand, read)).await.expect("there").into_inner().etag;
    let pause = async || {
        let request = pb::PauseCampaignRequest { name: name.clone(), etag: etag.clone() };
        server.campaigns().pause_campaign(bearing(&brand, request)).await
    };
    let paused = pause().await.expect("paused").into_inner();
    assert_eq!(pause().await.expect("as it was answered").into_inner(), paused);
    let activate = pb::ActivateCampaignRequest { name: name.clone(), etag: paused.etag };
    server.campaigns().activate_campaign(bearing(&brand, activate)).await.expect("active again");
    assert_eq!(refusal(&pause().await.expect_err("something came behind it")).1, "ETAG_MISMATCH");
}

#[tokio::test]
async fn an_owner_sees_every_change_of_its_own() {
    let server = TestServer::start().await;
    let acme = server.publisher("acme").await;
    let (owner, brand) = (acme.key_of(Scope::Owner).await, acme.key_of(Scope::Brand).await);
    server.publisher("rival").await;
    let campaign = acme.cafe().await;
    let changes = async |key: &str, parent: &str, page_token: String| {
        let request = pb::ListChangesRequest { parent: parent.into(), page_size: 3, page_token };
        AuditServiceClient::new(server.channel.clone()).list_changes(bearing(key, request)).await
    };
    let (mut all, mut token) = (Vec::new(), String::new());
    loop {
        let page = changes(&owner, &acme.organization, token).await.expect("listed").into_inner();
        all.extend(page.changes);
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!((all[0].name.as_str(), all[0].action()), (campaign.as_str(), Action::Changed), "activated");
    assert_eq!((all[1].name.as_str(), all[1].action()), (campaign.as_str(), Action::Created));
    assert_eq!(all.last().map(|change| change.name.as_str()), Some(acme.organization.as_str()));
    assert!(all.iter().all(|change| change.name.starts_with(&acme.organization)), "{all:?}");
    assert!(all.is_sorted_by(|a, b| a.catalog_version >= b.catalog_version));
    for (key, parent) in [(&brand, &acme.organization), (&owner, &"organizations/rival".to_owned())] {
        assert_eq!(changes(key, parent, String::new()).await.expect_err("refused").code(), Code::PermissionDenied);
    }
}
