//! A segment: an audience with a name, which the campaigns of its organization share.
//!
//! Law: a segment names no other segment, so that what a campaign asks for is found in one step and never in a circle.

use serde::{Deserialize, Serialize};

use super::{audience::Audience, name::SegmentName};

/// A named audience. What it says of "this campaign" is said of the campaign that names it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Segment {
    pub name: SegmentName,
    pub display_name: String,
    pub audience: Audience,
}
