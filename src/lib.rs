//! Dintorni: the open, self-hosted backend for mobile proximity marketing.

#![forbid(unsafe_code)]

pub mod app;
pub mod domain;
pub mod engine;
pub mod grpc;
pub mod ports;
pub mod storage;
