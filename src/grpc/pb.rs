//! The messages and services that `proto/dintorni/v1` generates.
//!
//! Law: they stay on this floor; what goes below is taken apart into domain types.

tonic::include_proto!("dintorni.v1");

/// The compiled protos with their comments, for server reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
