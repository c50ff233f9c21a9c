//! The messages and services that `proto/dintorni/v1` generates.
//!
//! Law: they stay on this floor; what goes below is taken apart into domain types.

tonic::include_proto!("dintorni.v1");

/// The compiled protos with their comments, for server reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// Every service of the API by its full name.
pub const SERVICES: [&str; 9] = [
    campaign_service_server::SERVICE_NAME,
    decision_service_server::SERVICE_NAME,
    device_service_server::SERVICE_NAME,
    engagement_service_server::SERVICE_NAME,
    organization_service_server::SERVICE_NAME,
    place_service_server::SERVICE_NAME,
    profile_service_server::SERVICE_NAME,
    proximity_service_server::SERVICE_NAME,
    segment_service_server::SERVICE_NAME,
];
