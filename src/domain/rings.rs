//! Whether rings make sound polygons: simple, holes within their shell, and nothing on top of each other.
//!
//! Law: a shape with as many corners as are allowed is checked in a second or three, not in minutes, for anybody with a key
//! may send one. So a line sweeps over each ring; edges of different parts are compared where their boxes touch, and those
//! that meet tell how the parts lie to each other; the comparisons are counted.

use geo::{
    BoundingRect, CoordinatePosition,
    coordinate_position::CoordPos,
    kernels::{Kernel, Orientation, RobustKernel},
};

use super::{
    meeting::{Meeting, Outline, tree},
    sweep,
    violation::Invalid,
};

/// Most rings of one shape, its polygons and their holes together.
pub const MAX_RINGS: usize = 2_000;
/// Most comparisons between the rings of one polygon, or between polygons. Drawn shapes need a few for each corner.
const MAX_COMPARISONS: usize = 30_000_000;

/// Refuses polygons that are not sound, and says which ring of which polygon it is.
pub fn check(polygons: &geo::MultiPolygon) -> Result<(), Invalid> {
    for (p, polygon) in polygons.iter().enumerate() {
        check_polygon(polygon).map_err(|fault| Invalid::new(format!("polygon {p}: {fault}")))?;
    }
    let mut parts = Parts::new(&polygons.0);
    touching_pairs(&polygons.0, |a, b| parts.must_be_apart("polygons", a, b))
}

fn check_polygon(polygon: &geo::Polygon) -> Result<(), Invalid> {
    let rings: Vec<geo::Polygon> = std::iter::once(polygon.exterior()).chain(polygon.interiors()).map(alone).collect();
    for (r, ring) in rings.iter().enumerate() {
        check_ring(ring.exterior()).map_err(|fault| Invalid::new(format!("ring {r}: {fault}")))?;
    }
    let mut parts = Parts::new(&rings);
    (1..rings.len()).try_for_each(|hole| parts.must_hold(0, hole))?;
    touching_pairs(&rings, |a, b| if a == 0 { Ok(()) } else { parts.must_be_apart("rings", a, b) })
}

/// Polygons whose pairs are judged. Nothing is kept of a pair, for there may be millions.
struct Parts<'a> {
    polygons: &'a [geo::Polygon],
    outlines: Vec<Outline>,
    /// So many comparisons may still be made.
    left: usize,
}

impl<'a> Parts<'a> {
    fn new(polygons: &'a [geo::Polygon]) -> Self {
        // One alone is compared with nothing.
        let compared = if polygons.len() > 1 { polygons } else { &[] };
        Self { polygons, outlines: compared.iter().map(Outline::new).collect(), left: MAX_COMPARISONS }
    }

    /// None if no edges meet.
    fn meeting(&mut self, a: usize, b: usize) -> Result<Option<Meeting>, Invalid> {
        self.outlines[a].meet(&self.outlines[b], &mut self.left)
    }

    /// Whether `a` is around `b`, if their edges do not meet, or meet and tell of no overlap: then one corner speaks for all.
    fn surrounds(&self, a: usize, b: usize) -> bool {
        let corner = self.polygons[b].exterior().0.first();
        corner.is_some_and(|corner| self.polygons[a].coordinate_position(corner) == CoordPos::Inside)
    }

    /// The hole lies in the shell, at most touching its edge at points. Neither has holes.
    fn must_hold(&mut self, shell: usize, hole: usize) -> Result<(), Invalid> {
        let meeting = self.meeting(shell, hole)?;
        if !meeting.map_or_else(|| self.surrounds(shell, hole), |meeting| !meeting.outside) {
            return Err(Invalid::new(format!("ring {hole}: is a hole outside its shell")));
        }
        share_no_edge("rings", (shell, hole), meeting)
    }

    /// They have nothing but points in common.
    fn must_be_apart(&mut self, what: &str, a: usize, b: usize) -> Result<(), Invalid> {
        let meeting = self.meeting(a, b)?;
        if meeting.is_some_and(|meeting| meeting.overlap) || self.surrounds(a, b) || self.surrounds(b, a) {
            return Err(Invalid::new(format!("{what} {a} and {b} overlap")));
        }
        share_no_edge(what, (a, b), meeting)
    }
}

fn share_no_edge(what: &str, (a, b): (usize, usize), meeting: Option<Meeting>) -> Result<(), Invalid> {
    match meeting {
        Some(Meeting { on_a_line: true, .. }) => Err(Invalid::new(format!("{what} {a} and {b} share an edge"))),
        _ => Ok(()),
    }
}

fn alone(ring: &geo::LineString) -> geo::Polygon {
    geo::Polygon::new(ring.clone(), Vec::new())
}

/// Asks about every pair whose boxes touch, each once and the lower number first, until one is refused.
fn touching_pairs(
    polygons: &[geo::Polygon],
    mut ask: impl FnMut(usize, usize) -> Result<(), Invalid>,
) -> Result<(), Invalid> {
    let tree = tree(polygons.iter().map(BoundingRect::bounding_rect));
    for one in tree.iter() {
        for other in tree.locate_in_envelope_intersecting(one.bounds) {
            if one.number < other.number {
                ask(one.number, other.number)?;
            }
        }
    }
    Ok(())
}

/// At least three different corners, no edge that goes back on the one before, and no two edges that cross or touch,
/// unless one begins where the other ends.
fn check_ring(ring: &geo::LineString) -> Result<(), Invalid> {
    let edges: Vec<(usize, geo::Line)> = ring.lines().enumerate().filter(|(_, edge)| edge.start != edge.end).collect();
    if edges.len() < 3 {
        return Err(Invalid::new("must have at least three different corners"));
    }
    let next = edges.iter().cycle().skip(1);
    if let Some((_, (corner, _))) = edges.iter().zip(next).find(|((_, one), (_, next))| folds(one, next)) {
        return Err(Invalid::new(format!("turns back on itself at corner {corner}")));
    }
    let lines: Vec<geo::Line> = edges.iter().map(|(_, edge)| *edge).collect();
    let Some((a, b)) = sweep::meeting(&lines) else { return Ok(()) };
    let (from, to) = (edges[a].0, edges[b].0);
    Err(Invalid::new(format!("crosses or touches itself: the edges from corners {from} and {to} meet")))
}

/// Whether an edge goes back the way the one before it came. A ring that encloses nothing does so somewhere.
fn folds(one: &geo::Line, next: &geo::Line) -> bool {
    let back = one.dx() * next.dx() + one.dy() * next.dy() < 0.0;
    back && RobustKernel::orient2d(one.start, one.end, next.end) == Orientation::Collinear
}

#[cfg(test)]
mod tests {
    use geo::{Relate, Validation, dimensions::Dimensions};
    use proptest::prelude::*;

    use super::*;

    /// On a coarse grid corners and edges meet often.
    fn ring(at: std::ops::Range<i32>) -> impl Strategy<Value = geo::LineString> {
        prop::collection::vec((at.clone(), at), 3..7).prop_map(|corners| {
            let mut ring: Vec<(f64, f64)> = corners.into_iter().map(|(x, y)| (x.into(), y.into())).collect();
            ring.push(ring[0]);
            ring.into()
        })
    }

    fn polygon() -> impl Strategy<Value = geo::Polygon> {
        let holes = prop::collection::vec(ring(1..6), 0..3);
        (prop_oneof![ring(0..7), Just(square(0.0, 7.0))], holes)
            .prop_map(|(shell, holes)| geo::Polygon::new(shell, holes))
    }

    fn square(from: f64, to: f64) -> geo::LineString {
        vec![(from, from), (to, from), (to, to), (from, to), (from, from)].into()
    }

    fn diamond(reach: f64) -> geo::LineString {
        vec![(reach, 0.0), (0.0, reach), (-reach, 0.0), (0.0, -reach), (reach, 0.0)].into()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn it_agrees_with_comparing_everything(polygons in prop::collection::vec(polygon(), 1..3)) {
            let polygons = geo::MultiPolygon(polygons);
            let folded = polygons.iter().any(|polygon| {
                let rings = std::iter::once(polygon.exterior()).chain(polygon.interiors());
                rings.into_iter().any(|ring| turns_back(&ring.0))
            });
            // geo panics at some rings that turn back on themselves.
            prop_assert_eq!(check(&polygons).is_ok(), !folded && polygons.is_valid(), "{:?}", polygons);
        }
    }

    /// Corners in the order of turning around their middle are mostly sound.
    fn sound_ring() -> impl Strategy<Value = geo::LineString> {
        prop::collection::vec((0..7, 0..7), 3..8).prop_filter_map("unsound", |corners| {
            let mut ring: Vec<(f64, f64)> =
                corners.into_iter().map(|(x, y): (i32, i32)| (x.into(), y.into())).collect();
            let sum = ring.iter().fold((0.0, 0.0), |sum, at| (sum.0 + at.0, sum.1 + at.1));
            let middle = (sum.0 / ring.len() as f64, sum.1 / ring.len() as f64);
            let turn = |at: &(f64, f64)| (at.1 - middle.1).atan2(at.0 - middle.0);
            ring.sort_by(|a, b| turn(a).total_cmp(&turn(b)));
            ring.push(ring[0]);
            let ring: geo::LineString = ring.into();
            check_ring(&ring).is_ok().then_some(ring)
        })
    }

    /// As many of the holes as go together.
    fn sound_polygon() -> impl Strategy<Value = geo::Polygon> {
        let shell = prop_oneof![sound_ring(), Just(square(0.0, 6.0))];
        (shell, prop::collection::vec(sound_ring(), 0..4)).prop_map(|(shell, holes)| {
            holes.into_iter().fold(geo::Polygon::new(shell, Vec::new()), |polygon, hole| {
                let mut more = polygon.clone();
                more.interiors_push(hole);
                if check_polygon(&more).is_ok() { more } else { polygon }
            })
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_000))]
        #[test]
        fn what_meets_is_told_as_if_it_had_been_related_in_full(one in sound_polygon(), other in sound_polygon()) {
            let both = [one, other];
            let matrix = both[0].relate(&both[1]);
            let expected = if matrix.get(CoordPos::Inside, CoordPos::Inside) == Dimensions::TwoDimensional {
                Err("polygons 0 and 1 overlap")
            } else if matrix.get(CoordPos::OnBoundary, CoordPos::OnBoundary) == Dimensions::OneDimensional {
                Err("polygons 0 and 1 share an edge")
            } else {
                Ok(())
            };
            let said = check(&geo::MultiPolygon(both.to_vec())).map_err(|fault| fault.to_string());
            prop_assert_eq!(said, expected.map_err(str::to_owned), "{:?}", both);
            let shells = both.each_ref().map(|polygon| alone(polygon.exterior()));
            let outside = Err("ring 1: is a hole outside its shell".to_owned());
            let held = Parts::new(&shells).must_hold(0, 1).map_err(|fault| fault.to_string()) != outside;
            prop_assert_eq!(held, shells[0].relate(&shells[1]).is_contains(), "{:?}", shells);
        }
    }

    /// On a grid of whole numbers products are exact.
    fn turns_back(ring: &[geo::Coord]) -> bool {
        let mut corners = ring.to_vec();
        corners.dedup();
        corners.pop();
        let n = corners.len();
        (0..n).any(|i| {
            let (a, b) = (corners[(i + 1) % n] - corners[i], corners[(i + 2) % n] - corners[(i + 1) % n]);
            a.x * b.y == a.y * b.x && a.x * b.x + a.y * b.y < 0.0
        })
    }

    #[test]
    fn a_ring_of_spikes_is_as_sound_as_any_other() {
        const CORNERS: u32 = 100_000;
        let corner = |i: u32| {
            // The fractions of multiples of the golden ratio are as good as random, and the same each time.
            let radius = 1.0 + (f64::from(i % CORNERS) * 0.618_033_988_749_895).fract();
            let (y, x) = (f64::from(i % CORNERS) / f64::from(CORNERS) * std::f64::consts::TAU).sin_cos();
            (x * radius, y * radius)
        };
        let mut ring: Vec<(f64, f64)> = (0..=CORNERS).map(corner).collect();
        let polygon =
            |ring: &[(f64, f64)]| geo::MultiPolygon(vec![geo::Polygon::new(ring.to_vec().into(), vec![diamond(0.99)])]);
        assert_eq!(check(&polygon(&ring)), Ok(()));
        ring[50_000] = (0.0, 1.05);
        let said = check(&polygon(&ring)).expect_err("it reaches through the others").to_string();
        assert!(said.starts_with("polygon 0: ring 0: crosses or touches itself: the edges from corners "), "{said}");
    }

    #[test]
    fn a_coast_that_all_the_other_rings_touch_is_as_sound_as_any_other() {
        const CORNERS: u32 = 90_000;
        const OTHERS: u32 = MAX_RINGS as u32 - 1;
        let corner = |i: f64, radius: f64| {
            let (y, x) = (i / f64::from(CORNERS) * std::f64::consts::TAU).sin_cos();
            (x * radius, y * radius)
        };
        let coast = || (0..=CORNERS).map(|i| corner(f64::from(i % CORNERS), 50.0));
        let triangles = |radius: f64, reach: f64| -> Vec<geo::LineString> {
            let starts = (0..OTHERS).map(|i| f64::from(i * (CORNERS / OTHERS)));
            let corners = |i: f64| [(i, 50.0), (i - reach, radius), (i + reach, radius), (i, 50.0)];
            starts.map(|i| corners(i).map(|(i, radius)| corner(i, radius)).to_vec().into()).collect()
        };
        let lakes = |reach| geo::MultiPolygon(vec![geo::Polygon::new(coast().collect(), triangles(49.99, reach))]);
        assert_eq!(check(&lakes(0.4)), Ok(()));
        let said = check(&lakes(40.0)).expect_err("each reaches over the next").to_string();
        assert!(said.starts_with("polygon 0: rings ") && said.ends_with(" overlap"), "{said}");
        let mut islands = vec![geo::Polygon::new(coast().collect(), Vec::new())];
        islands.extend(triangles(50.01, 0.4).iter().map(alone));
        assert_eq!(check(&geo::MultiPolygon(islands)), Ok(()));
    }

    #[test]
    fn faults_are_named_by_their_corners() {
        let said = |corners: &[(f64, f64)]| {
            let ring: geo::LineString = corners.to_vec().into();
            check(&geo::MultiPolygon(vec![alone(&ring)])).expect_err("refused").to_string()
        };
        let flat = [(0.0, 0.0), (1.0, 0.0), (2.0, 0.0), (2.0, 0.0), (1.0, 0.0), (0.0, 0.0)];
        assert_eq!(said(&flat), "polygon 0: ring 0: turns back on itself at corner 3");
        let bow = [(0.0, 0.0), (2.0, 2.0), (2.0, 0.0), (0.0, 2.0), (0.0, 0.0)];
        let expected = "polygon 0: ring 0: crosses or touches itself: the edges from corners 0 and 2 meet";
        assert_eq!(said(&bow), expected);
    }

    #[test]
    fn islands_and_holes_in_holes_are_told_apart() {
        let nested = |hole: (f64, f64), island: (f64, f64)| {
            let shell = geo::Polygon::new(square(0.0, 9.0), vec![square(hole.0, hole.1)]);
            check(&geo::MultiPolygon(vec![shell, alone(&square(island.0, island.1))]))
        };
        assert_eq!(nested((2.0, 7.0), (3.0, 6.0)), Ok(()), "an island in a lake");
        let said = nested((4.0, 5.0), (3.0, 6.0)).expect_err("refused").to_string();
        assert_eq!(said, "polygons 0 and 1 overlap");
        let said = nested((2.0, 7.0), (7.5, 8.5)).expect_err("refused").to_string();
        assert_eq!(said, "polygons 0 and 1 overlap");
        let said = nested((2.0, 7.0), (7.0, 8.0)).expect_err("refused").to_string();
        assert_eq!(said, "polygons 0 and 1 overlap");
    }
}
