//! Dintorni: the open, self-hosted backend for mobile proximity marketing.
//!
//! The house, top to bottom. Imports point down only; `tests/it/layers.rs` keeps that.
//!
//! | floor | modules | what it is |
//! |---|---|---|
//! | 5 | [`cli`], [`server`], [`config`], [`lifecycle`], [`telemetry`], [`clock`] | the shell: puts all together and runs it |
//! | 4 | [`grpc`] | the public API, one file per service |
//! | 3a | [`app`] | the use cases |
//! | 3b | [`storage`] | the adapters of the ports; it and `app` never see each other |
//! | 2 | [`ports`] | what the use cases need of the outside, with its laws |
//! | 1 | [`engine`] | the decision, pure |
//! | 0 | [`domain`] | the words of the house |
//!
//! Beside the house, on floor 0 alone: [`world`], made-up worlds to measure with.

#![forbid(unsafe_code)]

pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod domain;
pub mod engine;
pub mod grpc;
pub mod lifecycle;
pub mod ports;
pub mod server;
pub mod storage;
pub mod telemetry;
pub mod world;
