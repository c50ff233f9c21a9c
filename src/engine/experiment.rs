//! Who is in which arm of an experiment.
//!
//! Laws: the arm is a function of the experiment's id, the campaign and the person, and of nothing else: no cap, budget,
//! hour or offer decides who is compared with whom. It stays while variants and weights stay.
//!
//! The holdout has a draw of its own: who is in a holdout of 10 % is in every larger one. Variants are drawn by weighted
//! rendezvous (highest random weight, Thaler and Ravishankar 1998): each has its own exponential time, of a rate as its
//! weight, and the earliest wins. So when one weight rises people move only to that variant, when it falls only away from
//! it, and no more of them than the shares differ by.

use crate::domain::{
    campaign::Campaign,
    content::Content,
    experiment::{Arm, Experiment, Variant},
    name::{CampaignName, ProfileName},
};

/// What a person was drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Drawn<'a> {
    experiment: &'a Experiment,
    /// Of the holdout, what it would have got.
    pub variant: Option<&'a Variant>,
    pub is_held_out: bool,
}

impl<'a> Drawn<'a> {
    /// None if the campaign makes no experiment.
    pub fn of(campaign: &'a Campaign, person: &ProfileName) -> Option<Self> {
        let experiment = campaign.experiment.as_ref()?;
        let people = Draw::new(experiment, &campaign.name, person);
        let is_held_out = people.uniform(b'h', "") * 100.0 < f64::from(experiment.holdout_percent);
        let time = |variant: &Variant| -people.uniform(b'v', variant.id.as_str()).ln() / f64::from(variant.weight);
        let variant = experiment.variants.iter().min_by(|a, b| time(a).total_cmp(&time(b)));
        Some(Self { experiment, variant, is_held_out })
    }

    pub fn arm(&self) -> Arm {
        let variant = self.variant.map(|variant| variant.id.clone());
        Arm { experiment: self.experiment.id.clone(), variant }
    }

    /// The variant's own content, if it has one.
    pub fn content(&self) -> Option<&'a Content> {
        self.variant?.content.as_ref()
    }
}

/// The draws of one person in one experiment: FNV-1a of the names, its bits mixed by the end of SplitMix64.
struct Draw(u64);

impl Draw {
    fn new(experiment: &Experiment, campaign: &CampaignName, person: &ProfileName) -> Self {
        const BASIS: u64 = 0xcbf2_9ce4_8422_2325;
        let names = [experiment.id.as_str(), campaign.as_str(), person.as_str()];
        Self(names.iter().fold(BASIS, |hash, name| add(hash, name)))
    }

    /// More than 0 and less than 1, the same for the same of what and whom.
    fn uniform(&self, what: u8, of: &str) -> f64 {
        const STEPS: f64 = (1_u64 << 53) as f64;
        let mut bits = add(self.0 ^ u64::from(what), of);
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^= bits >> 31;
        ((bits >> 11) as f64 + 0.5) / STEPS
    }
}

/// A zero byte ends each name, so that no two lists of names read alike.
fn add(hash: u64, name: &str) -> u64 {
    const PRIME: u64 = 0x100_0000_01b3;
    name.bytes().chain([0]).fold(hash, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME))
}
