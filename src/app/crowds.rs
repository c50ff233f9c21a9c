//! Who is left out of crowds: found once for all who ask, and kept for the brands that were asked for last.
//!
//! Law: it is found beside the pings, by one call for each brand at a time; others of the brand wait, and are told the same.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use tokio::sync::Mutex as Awaited;

use super::{
    aside::{Aside, Refused},
    resources::Resources,
    turns::Turns,
};
use crate::{
    domain::name::OrganizationName,
    engine::{areas::Areas, catalog::Catalog, foremost::LeftOut},
};

/// Calls that find it, or wait for it.
const AT_ONCE: usize = 256;

/// Brands that it is kept of: each may have as many left out as it has campaigns.
const KEPT: usize = 8;

/// Finds and keeps it.
pub struct Crowds {
    resources: Arc<Resources>,
    pub(super) aside: Aside,
    /// The newest first.
    kept: Mutex<VecDeque<(OrganizationName, Arc<Slot>)>>,
}

/// Locked by whoever finds it.
type Slot = Awaited<Option<Found>>;

/// What was found under these areas, which need not be kept to be told from others.
struct Found {
    areas: Weak<Areas>,
    /// Of that catalog.
    version: u64,
    left_out: Arc<LeftOut>,
}

impl Crowds {
    pub fn new(resources: Arc<Resources>, turns: Arc<Turns>) -> Self {
        let aside = Aside::new("questions about campaigns", AT_ONCE, turns);
        Self { resources, aside, kept: Mutex::default() }
    }

    /// Of the brand as of now, and the catalog of now. What is known costs neither a place nor a turn; what is not, as long
    /// as there are places. Who goes away in the midst of it leaves what is found to the others.
    ///
    /// # Errors
    /// As [`Aside::enter`].
    pub async fn of(&self, brand: &OrganizationName) -> Result<(Arc<Catalog>, Arc<LeftOut>), Refused> {
        let slot = self.slot(brand);
        let known = slot.try_lock().ok().and_then(|found| self.still(&found));
        if let Some(known) = known {
            return Ok(known);
        }
        let place = self.aside.enter(brand.clone())?;
        let since = self.resources.snapshot().version;
        let mut found = slot.lock_owned().await;
        // Found since this was asked, it answers all who waited, though somebody edits all the time.
        let (catalog, now) = (self.resources.snapshot(), self.resources.now());
        let is_so = |found: &&Found| (since..=catalog.version).contains(&found.version) && found.left_out.is_so_at(now);
        if let Some(known) = found.as_ref().filter(is_so) {
            return Ok((catalog, known.left_out.clone()));
        }
        let (resources, brand) = (self.resources.clone(), brand.clone());
        let find = move || {
            let (catalog, now) = (resources.snapshot(), resources.now());
            let left_out = Arc::new(LeftOut::of(&catalog.areas, brand.as_str(), now));
            let (areas, version) = (Arc::downgrade(&catalog.areas), catalog.version);
            *found = Some(Found { areas, version, left_out: left_out.clone() });
            (catalog, left_out)
        };
        place.run(find).await
    }

    /// What was found, if it is so under the catalog and at the moment of now.
    fn still(&self, found: &Option<Found>) -> Option<(Arc<Catalog>, Arc<LeftOut>)> {
        let (catalog, now) = (self.resources.snapshot(), self.resources.now());
        let is_so = |found: &&Found| {
            std::ptr::eq(found.areas.as_ptr(), Arc::as_ptr(&catalog.areas)) && found.left_out.is_so_at(now)
        };
        let left_out = found.as_ref().filter(is_so)?.left_out.clone();
        Some((catalog, left_out))
    }

    fn slot(&self, brand: &OrganizationName) -> Arc<Slot> {
        // Nobody panics while it is held.
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let known = kept.iter().position(|(of, _)| of == brand).and_then(|at| kept.remove(at));
        let newest = known.unwrap_or_else(|| (brand.clone(), Arc::default()));
        let slot = newest.1.clone();
        kept.push_front(newest);
        kept.truncate(KEPT);
        slot
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt, future::join};

    use super::*;
    use crate::{
        app::{
            campaign_check::tests::{crowd, crowd_name},
            campaigns::Campaigns,
            fakes::{AUTHOR, owner},
        },
        domain::campaign::CampaignState,
        engine::foremost::MOST_CONSIDERED,
    };

    #[tokio::test]
    async fn it_is_found_once_until_the_catalog_changes() {
        let (resources, turns) = (crowd().await, Turns::new(1));
        let crowds = Crowds::new(resources.clone(), turns.clone());
        let (brand, last) = (owner("brand"), crowd_name(MOST_CONSIDERED));
        let turn = turns.take(&owner("acme")).await;
        assert!(crowds.of(&brand).now_or_never().is_none(), "whoever goes away leaves its place to others");
        let (first, second) = {
            let both = join(crowds.of(&brand), crowds.of(&brand));
            futures_util::pin_mut!(both);
            assert!(both.as_mut().now_or_never().is_none(), "they wait for a turn");
            drop(turn);
            both.await
        };
        let ((_, first), (_, second)) = (first.expect("found"), second.expect("found"));
        assert!(Arc::ptr_eq(&first, &second), "one finds it for both");
        assert!(first.at(&last).is_some());
        let turn = turns.take(&owner("acme")).await;
        let full: Vec<_> = std::iter::from_fn(|| crowds.aside.enter(brand.clone()).ok()).collect();
        let (_, known) = crowds.of(&brand).now_or_never().expect("without a turn").expect("without a place");
        assert!(Arc::ptr_eq(&first, &known));
        drop((full, turn));
        let campaigns = Campaigns::new(resources);
        campaigns.become_state(&crowd_name(0), CampaignState::Paused, None, AUTHOR).await.expect("allowed");
        assert!(crowds.of(&brand).await.expect("found").1.at(&last).is_none(), "there is room for it now");
    }

    #[tokio::test]
    async fn it_is_kept_of_few_brands() {
        let crowds = Crowds::new(crate::app::fakes::resources().await, Turns::new(1));
        let brands: Vec<OrganizationName> = (0..=KEPT).map(|i| owner(&format!("brand{i}"))).collect();
        let first = crowds.slot(&brands[0]);
        brands[1..KEPT].iter().for_each(|brand| drop(crowds.slot(brand)));
        assert!(Arc::ptr_eq(&first, &crowds.slot(&brands[0])), "it is the newest again");
        drop(crowds.slot(&brands[KEPT]));
        let kept = crowds.kept.lock().expect("whole");
        let kept: Vec<&OrganizationName> = kept.iter().map(|(brand, _)| brand).collect();
        assert!(kept.len() == KEPT && kept.contains(&&brands[0]) && !kept.contains(&&brands[1]));
    }
}
