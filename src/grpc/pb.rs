//! The messages and services that `proto/dintorni/v1` generates.
//!
//! Law: they stay on this floor; what goes below is taken apart into domain types.

tonic::include_proto!("dintorni.v1");

/// The compiled protos with their comments, for server reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// Every service of the API by its full name.
pub const SERVICES: [&str; 13] = [
    audit_service_server::SERVICE_NAME,
    campaign_service_server::SERVICE_NAME,
    decision_service_server::SERVICE_NAME,
    device_service_server::SERVICE_NAME,
    engagement_service_server::SERVICE_NAME,
    ledger_service_server::SERVICE_NAME,
    organization_service_server::SERVICE_NAME,
    place_service_server::SERVICE_NAME,
    profile_service_server::SERVICE_NAME,
    proximity_service_server::SERVICE_NAME,
    redemption_service_server::SERVICE_NAME,
    segment_service_server::SERVICE_NAME,
    wallet_service_server::SERVICE_NAME,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_service_of_the_protos_is_named() {
        let pool = prost_reflect::DescriptorPool::decode(DESCRIPTORS).expect("descriptors");
        let mut named: Vec<String> = pool.services().map(|service| service.full_name().to_owned()).collect();
        named.sort();
        assert_eq!(named, SERVICES);
    }
}
