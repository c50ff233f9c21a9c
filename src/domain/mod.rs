//! Floor 0: the words of the house as types whose constructors keep their invariants.
//!
//! Law: nothing here reads a clock, a socket or a random number, and a value that exists is valid.
//!
//! | word | file |
//! |---|---|
//! | what is wrong with an input | [`violation`] |
//! | resource names (`organizations/{o}/stores/{s}`) | [`name`] |
//! | points in time, days | [`time`], [`date`] |
//! | positions and distances | [`geo`], [`shape`] |
//! | stores, geofences, beacons | [`place`], [`detection`] |
//! | organizations, apps, keys, grants | [`organization`] |
//! | what a phone reports | [`ping`] |
//! | people, their devices and consents | [`profile`], [`consent`], [`presence`], [`beliefs`], [`dwelt`], [`visits`], [`app_version`], [`few`] |
//! | campaigns: WHO, WHAT, TRIGGER, limits | [`campaign`], [`audience`], [`trigger`], [`segment`], [`content`], [`language`], [`template`], [`link`], [`money`], [`budget`], [`cap`], [`schedule`], [`experiment`] |
//! | when stores are open | [`opening`] |
//! | what was decided, why, and of what | [`decision`], [`reason`], [`offer`], [`inputs`] |
//! | coupons, and what happens at the till | [`coupon`], [`code`], [`redemption`] |
//! | everything the catalog holds | [`catalog`] |

pub mod app_version;
pub mod audience;
pub mod beliefs;
pub mod budget;
pub mod campaign;
pub mod cap;
pub mod catalog;
pub mod code;
pub mod consent;
pub mod content;
pub mod coupon;
pub mod date;
pub mod decision;
pub mod detection;
pub mod dwelt;
pub mod experiment;
pub mod few;
pub mod geo;
pub mod inputs;
pub mod language;
pub mod link;
mod meeting;
pub mod money;
pub mod name;
pub mod offer;
pub mod opening;
pub mod organization;
pub mod ping;
pub mod place;
pub mod presence;
pub mod profile;
pub mod reason;
pub mod redemption;
pub mod rings;
pub mod schedule;
pub mod segment;
pub mod shape;
pub mod source;
mod sweep;
pub mod template;
pub mod text;
pub mod time;
pub mod trigger;
pub mod violation;
pub mod visits;
