//! Floor 4: the public API over gRPC. One file per service, and what all of them share:
//!
//! | question | file |
//! |---|---|
//! | who is calling, and may they? | [`auth`] |
//! | what may a key touch? | [`access`]; whose people: [`people`] |
//! | get, list, create, update, delete of resources? | [`resource`], [`mask`], [`pages`] |
//! | how is a refusal said? | [`status`]; in the log, `told` |
//! | how does a message become a domain value, and back? | [`wire`], and [`offers`] for answers |
//! | is it a call at all? | [`envelope`] |
//! | too often, or too much at once? | [`limits`], [`overload`], [`importing`] |
//! | who takes the answer? | `leaving` |
//! | has it all arrived? | [`arriving`], in `frames`; where it waits: `room` |
//! | what may anybody ask? | `public` |
//! | how long did it take? | [`measure`] |
//! | which bytes are a message? | [`codec`] |
//! | the generated messages | [`pb`] |
//!
//! Law 8: a request is taken apart field by field, so that a new field must be decided upon, and everything wrong with
//! it is said in one answer.

pub mod access;
mod app_event;
mod app_wire;
pub mod arriving;
pub mod audience_wire;
pub mod audit_service;
pub mod auth;
mod browsing;
mod campaign_limits_wire;
pub mod campaign_service;
pub mod campaign_wire;
mod cap_wire;
mod code_upload;
pub mod codec;
mod content_wire;
mod coupon_wire;
pub mod decision_service;
pub mod detection_wire;
pub mod device_service;
pub mod engagement_service;
pub mod envelope;
mod experiment_wire;
mod explain_wire;
mod frames;
pub mod importing;
mod leaving;
pub mod ledger_service;
pub mod limits;
pub mod mask;
pub mod measure;
pub mod nearby;
pub mod offers;
pub mod open_streams;
pub mod organization_service;
pub mod organization_wire;
pub mod overload;
pub mod pages;
pub mod pb;
pub mod people;
pub mod ping;
pub mod ping_stream;
pub mod pings;
pub mod place_import;
pub mod place_service;
pub mod place_wire;
pub mod profile_service;
pub mod profile_wire;
pub mod proxies;
pub mod proximity_service;
mod public;
mod reading;
pub mod redemption_service;
mod redemption_wire;
pub mod resource;
mod room;
mod schedule_wire;
pub mod sealed;
pub mod segment_service;
pub mod status;
mod sync_wire;
mod told;
mod trigger_wire;
mod versions;
pub mod wallet_service;
pub mod wire;
