//! The areas that one ping speaks of, looked up once: what the device is believed to be at, and what holds its fixes.
//!
//! Law: for as long as one ping is decided upon; the areas of a version never change, so what was found stays true. Each
//! has a number, by which everything about it is asked; names are compared only for what is not where it was.

use std::{
    cell::{Cell, OnceCell, Ref, RefCell},
    collections::BTreeSet,
    ops::{Deref, Range},
    sync::Arc,
    time::Duration,
};

use super::{
    areas::{Areas, Fired},
    boxes::{self, DegreeBox},
    crowd::{self, MOST_AT_ONCE},
    entry::{AreaEntry, AreaView, Mark},
    forest::Bounds,
    grants::Reach,
    index::Place,
    trial::Tried,
};
use crate::domain::{dwelt::Dwelt, geo::Position, name::AppName, place::Store, presence::Area, time::Timestamp};

/// So many metres around a fix are looked through at once: the next questions are mostly about what is there.
pub const LOOKED_AROUND_M: f64 = 60.0;
/// Room for the areas that hold a fix: in the middle of a town there are more.
const MOSTLY_AT_ONCE: usize = 16;

/// Up to so many areas are told apart one by one; more are found by their marks.
const FEW: usize = 32;

/// The areas of a version of the catalog, with a memory for those that were asked for.
pub struct Known<'a> {
    areas: &'a Areas,
    /// Of a device that tries campaigns.
    tried: Option<&'a Tried<'a>>,
    /// Who may reach the people of the app that is asked for; if none is, everybody.
    reach: Option<Reach<'a>>,
    /// Those that the device was believed to be at have the first numbers.
    believed: RefCell<Arc<[Area]>>,
    spots: RefCell<Vec<Spot<'a>>>,
    marks: RefCell<Marks>,
    matched: RefCell<Matched>,
    near: RefCell<Near<'a>>,
    /// The number that was looked up last: what is asked for in order is mostly the one after.
    last: Cell<usize>,
}

/// An area with a number.
struct Spot<'a> {
    /// Of areas that were not believed before.
    area: Option<Area>,
    view: Option<AreaView<'a>>,
    fired: OnceCell<Option<&'a Fired>>,
}

/// The numbers of the first areas by their marks, where there are many.
#[derive(Default)]
struct Marks {
    numbers: BTreeSet<(Mark, usize)>,
    /// How many areas that are.
    count: usize,
}

/// The numbers of what holds a position, rising.
#[derive(Default)]
struct Matched {
    position: Option<Position>,
    numbers: Vec<usize>,
    /// Some that hold it do not count.
    is_crowded: bool,
}

/// Everything that meets some bounds.
struct Near<'a> {
    bounds: DegreeBox,
    leaves: Vec<(DegreeBox, &'a AreaEntry)>,
}

impl<'a> Known<'a> {
    pub fn of(areas: &'a Areas) -> Self {
        Self::trying(areas, None)
    }

    /// With what the device tries on top.
    pub fn trying(areas: &'a Areas, tried: Option<&'a Tried<'a>>) -> Self {
        Self {
            areas,
            tried,
            reach: None,
            believed: RefCell::default(),
            spots: RefCell::default(),
            marks: RefCell::default(),
            matched: RefCell::default(),
            near: RefCell::new(Near { bounds: DegreeBox::NOWHERE, leaves: Vec::new() }),
            last: Cell::new(0),
        }
    }

    /// For people of that app.
    pub fn of_app(self, app: &'a AppName) -> Self {
        Self { reach: Some(self.areas.grants().reach(app)), ..self }
    }

    /// Begins anew with what a device is believed to be at, in that order, and what is around its newest fix.
    pub fn attend(&self, believed: &Arc<[Area]>, newest: Option<Position>) {
        let here = newest.map(|position| self.views_at(position)).unwrap_or_default();
        let is_there = |area: &Area| like(&here, area).iter().copied().find(|view| view.lends_name_to(area));
        let views = believed.iter().map(|area| is_there(area).or_else(|| self.look_up(area)));
        let mut spots = Vec::with_capacity(believed.len() + here.len());
        spots.extend(views.map(|view| Spot { area: None, view, fired: OnceCell::new() }));
        self.spots.replace(spots);
        self.believed.replace(believed.clone());
        self.marks.replace(Marks::default());
        self.matched.replace(Matched::default());
        if let Some(position) = newest {
            self.match_with(position, here);
        }
    }

    /// The store an area belongs to.
    pub fn store_of(&self, view: AreaView<'a>) -> Option<&'a Arc<Store>> {
        self.areas.stores.get(view.store()?).map(|entry| &entry.value)
    }

    /// The numbers of the areas that hold the position, rising: the [`crowd::smallest`], and those that had numbers before.
    pub fn holding(&self, position: Position) -> Ref<'_, [usize]> {
        if self.matched.borrow().position != Some(position) {
            self.match_with(position, self.views_at(position));
        }
        Ref::map(self.matched.borrow(), |matched| matched.numbers.as_slice())
    }

    /// Whether areas hold the position that nobody is taken to be in, for there are too many.
    pub fn is_crowded(&self, position: Position) -> bool {
        drop(self.holding(position));
        self.matched.borrow().is_crowded
    }

    fn match_with(&self, position: Position, views: Vec<AreaView<'a>>) {
        let (views, larger) = crowd::smallest(views);
        let is_crowded = !larger.is_empty();
        let known = larger.into_iter().filter(|view| self.known(*view).is_some());
        let counted: Vec<AreaView<'a>> = views.into_iter().chain(known).collect();
        let mut numbers: Vec<usize> = counted.into_iter().map(|view| self.number_of(view)).collect();
        numbers.sort_unstable();
        self.matched.replace(Matched { position: Some(position), numbers, is_crowded });
    }

    /// What holds the position, each area once; if they are many, in the order of their marks.
    fn views_at(&self, position: Position) -> Vec<AreaView<'a>> {
        let (place, point) = (Place::new(position), DegreeBox::at(position));
        if !self.near.borrow().bounds.holds(&point) {
            self.look_around(position);
        }
        let mut views: Vec<AreaView<'a>> = Vec::with_capacity(MOSTLY_AT_ONCE);
        self.meeting(&point, |bounds, entry| {
            let view = entry.view();
            if place.is_in(&bounds, entry) && (views.len() > FEW || !views.contains(&view)) {
                views.push(view);
            }
        });
        if views.len() > FEW {
            views.sort_unstable_by_key(|view| (view.mark(), view.address()));
            views.dedup();
        }
        views
    }

    /// Keeps what is around a position, unless that takes two boxes.
    fn look_around(&self, position: Position) {
        let mut boxes = boxes::around(position, LOOKED_AROUND_M);
        if let (Some(bounds), None) = (boxes.next(), boxes.next()) {
            let mut leaves = Vec::with_capacity(32);
            self.areas.meeting(&bounds, |leaf, entry| leaves.push((leaf, entry)));
            self.near.replace(Near { bounds, leaves });
        }
    }

    /// As [`Areas::meeting`], from memory where that will do.
    pub fn meeting(&self, bounds: &DegreeBox, visit: impl FnMut(DegreeBox, &'a AreaEntry)) {
        self.narrowing(&Cell::new(*bounds), visit);
    }

    /// As [`Areas::narrowing`], from memory where that will do.
    pub fn narrowing(&self, bounds: &Cell<DegreeBox>, mut visit: impl FnMut(DegreeBox, &'a AreaEntry)) {
        let near = self.near.borrow();
        if near.bounds.holds(&bounds.get()) {
            let meeting = near.leaves.iter().filter(|(leaf, _)| leaf.meets(&bounds.get()));
            meeting.for_each(|(leaf, entry)| visit(*leaf, entry));
        } else {
            self.areas.narrowing(bounds, &mut visit);
        }
        if let Some(tried) = self.tried {
            tried.narrowing(bounds, visit);
        }
    }

    /// Finds an area by its name: first among what is near, by its mark.
    fn look_up(&self, area: &Area) -> Option<AreaView<'a>> {
        let (near, mark) = (self.near.borrow(), Mark::of(area));
        let looked_at = if near.leaves.len() > MOST_AT_ONCE { &[] } else { near.leaves.as_slice() };
        let like = looked_at.iter().map(|(_, entry)| entry).filter(|entry| entry.mark() == mark);
        let found = like.map(|entry| entry.view()).find(|view| view.area() == *area);
        found.or_else(|| self.areas.get(area)).or_else(|| self.tried?.circle(area))
    }

    /// How many areas have numbers.
    pub fn count(&self) -> usize {
        self.spots.borrow().len()
    }

    /// The number of an area, which it has from now on.
    pub fn number(&self, area: &Area) -> usize {
        let next = self.last.get() + 1;
        let at = if self.is(next, area) { Some(next) } else { self.number_named(area) };
        let at = at.unwrap_or_else(|| self.add(Some(area.clone()), self.look_up(area)));
        self.last.set(at);
        at
    }

    /// The one that has this very name is found without reading the names of others.
    fn number_named(&self, area: &Area) -> Option<usize> {
        let lends_name = |number| self.view(number).is_some_and(|view| view.lends_name_to(area));
        let (mark, count) = (|| Mark::of(area), self.count());
        if count > FEW {
            return self.marked(mark(), |number| lends_name(number) || self.is(number, area));
        }
        (0..count).find(|&number| lends_name(number)).or_else(|| (0..count).find(|&number| self.is(number, area)))
    }

    fn is(&self, number: usize, area: &Area) -> bool {
        match self.believed.borrow().get(number) {
            Some(known) => known == area,
            None => self.spots.borrow().get(number).is_some_and(|spot| spot.area.as_ref() == Some(area)),
        }
    }

    /// As [`Self::number`].
    pub fn number_of(&self, view: AreaView<'a>) -> usize {
        self.known(view).unwrap_or_else(|| self.add(Some(view.area()), Some(view)))
    }

    /// The number of an area, if it has one.
    pub fn known(&self, view: AreaView<'a>) -> Option<usize> {
        if self.count() > FEW {
            return self.marked(view.mark(), |number| self.view(number) == Some(view));
        }
        self.spots.borrow().iter().position(|spot| spot.view == Some(view))
    }

    /// Of the areas of that mark the number of the one that is meant.
    fn marked(&self, mark: Mark, is_meant: impl Fn(usize) -> bool) -> Option<usize> {
        let Marks { numbers, count } = &mut *self.marks.borrow_mut();
        while *count < self.count() {
            numbers.insert((self.mark(*count), *count));
            *count += 1;
        }
        let like = numbers.range((mark, 0)..=(mark, usize::MAX)).map(|(_, number)| *number);
        like.into_iter().find(|&number| is_meant(number))
    }

    fn mark(&self, number: usize) -> Mark {
        let marked = self.view(number).map(AreaView::mark);
        marked.unwrap_or_else(|| self.area(number).map_or(Mark::of(&Area::Anywhere), |area| Mark::of(&area)))
    }

    fn add(&self, area: Option<Area>, view: Option<AreaView<'a>>) -> usize {
        let mut spots = self.spots.borrow_mut();
        spots.push(Spot { area, view, fired: OnceCell::new() });
        spots.len() - 1
    }

    /// The area of that number.
    pub fn area(&self, number: usize) -> Option<Area> {
        let believed = self.believed.borrow().get(number).cloned();
        believed.or_else(|| self.spots.borrow().get(number)?.area.clone())
    }

    /// The area of that number as it is now; none if it is gone.
    pub fn view(&self, number: usize) -> Option<AreaView<'a>> {
        self.spots.borrow().get(number)?.view
    }

    /// What happens at the area of that number, if it has campaigns.
    pub fn fired(&self, number: usize) -> Option<&'a Fired> {
        let (spots, believed) = (self.spots.borrow(), self.believed.borrow());
        let spot = spots.get(number)?;
        let look_up = || {
            let area = believed.get(number).or(spot.area.as_ref())?;
            let mark = spot.view.map_or_else(|| Mark::of(area), AreaView::mark);
            let for_all = self.areas.fired(mark, area).map(Arc::as_ref);
            self.tried.map_or(for_all, |tried| tried.fired(area, for_all))
        };
        *spot.fired.get_or_init(look_up)
    }

    /// The least dwell threshold not reported yet that some campaign or the place itself waits for.
    pub fn next_dwell(&self, number: usize, dwelt: &Dwelt) -> Option<Duration> {
        Areas::next_dwell(self.view(number), self.fired(number), dwelt)
    }

    /// When campaigns run that wait for who leaves the area of that number, and may reach them.
    pub fn exits(&self, number: usize) -> impl Iterator<Item = &'a Range<Timestamp>> {
        let exits = self.fired(number).map(|fired| fired.exits.as_slice()).unwrap_or_default();
        let may_reach = |brand: &str| self.reach.as_ref().is_none_or(|reach| reach.has(brand));
        exits.iter().filter(move |(brand, _)| may_reach(brand.as_str())).flat_map(|(_, runs)| runs)
    }
}

/// Those among the views that may be the area; if they are many, they are in the order of their marks.
fn like<'s, 'a>(views: &'s [AreaView<'a>], area: &Area) -> &'s [AreaView<'a>] {
    if views.len() <= FEW {
        return views;
    }
    let mark = Mark::of(area);
    let first = views.partition_point(|view| view.mark() < mark);
    let count = views[first..].iter().take_while(|view| view.mark() == mark).count();
    &views[first..first + count]
}

impl Deref for Known<'_> {
    type Target = Areas;

    fn deref(&self) -> &Areas {
        self.areas
    }
}
