//! The public API as one caller sees it: a channel, and the key or token it shows with every call.

use anyhow::Context;
use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
    transport::Channel,
};

use crate::grpc::pb::{
    Decision, GetDecisionRequest, campaign_service_client::CampaignServiceClient,
    decision_service_client::DecisionServiceClient, device_service_client::DeviceServiceClient,
    organization_service_client::OrganizationServiceClient, place_service_client::PlaceServiceClient,
    profile_service_client::ProfileServiceClient, proximity_service_client::ProximityServiceClient,
};

/// A channel on which every call carries `authorization`.
pub type Authorized = InterceptedService<Channel, Bearer>;

/// One caller.
#[derive(Clone)]
pub struct Api {
    channel: Channel,
    bearer: Bearer,
}

#[derive(Clone)]
pub struct Bearer(MetadataValue<Ascii>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.0.clone());
        Ok(request)
    }
}

macro_rules! clients {
    ($($name:ident -> $Client:ident),* $(,)?) => { $(
        pub fn $name(&self) -> $Client<Authorized> {
            $Client::with_interceptor(self.channel.clone(), self.bearer.clone())
        }
    )* };
}

impl Api {
    /// A caller that shows this key or token.
    pub fn new(channel: Channel, credential: &str) -> anyhow::Result<Self> {
        let bearer = format!("Bearer {credential}").parse().context("the credential has strange characters")?;
        Ok(Self { channel, bearer: Bearer(bearer) })
    }

    clients! {
        organizations -> OrganizationServiceClient,
        places -> PlaceServiceClient,
        campaigns -> CampaignServiceClient,
        devices -> DeviceServiceClient,
        profiles -> ProfileServiceClient,
        proximity -> ProximityServiceClient,
        decisions -> DecisionServiceClient,
    }

    /// The receipt of a decision.
    pub async fn receipt(&self, decision: &str) -> anyhow::Result<Decision> {
        let request = GetDecisionRequest { decision: decision.to_owned() };
        Ok(self.decisions().get_decision(request).await?.into_inner())
    }
}
