//! Floor 3a: the use cases. Each speaks to the outside through ports only.

pub mod aside;
pub mod brand_view;
pub mod browsing;
pub mod campaign_check;
pub mod campaign_versions;
pub mod campaigns;
pub mod coupon_search;
pub mod crowds;
pub mod decisions;
pub mod devices;
pub mod differences;
pub mod doubts;
pub mod engagement;
pub mod explain_access;
pub mod explanations;
pub mod imports;
pub mod ingest;
pub mod keys;
pub mod links;
pub mod live_catalog;
pub mod lockouts;
pub mod nearby;
pub mod open_profiles;
pub mod opened;
pub mod organizations;
pub mod past_catalogs;
pub mod people;
pub mod phone_size;
pub mod place_files;
pub mod place_use;
pub mod places;
pub mod pools;
pub mod profile_edits;
pub mod profile_patch;
pub mod profile_store;
#[cfg(test)]
mod profile_store_tests;
pub mod promises;
pub mod replays;
#[cfg(test)]
mod replays_tests;
pub mod resources;
#[cfg(test)]
mod resources_tests;
pub mod reversals;
pub mod segments;
pub mod settling;
pub mod sharing;
pub mod spent;
pub mod stages;
pub mod stripes;
pub mod till_answers;
pub mod tills;
pub mod tokens;
pub mod turns;
pub mod wallet;

#[cfg(test)]
mod fakes;
