//! How likely a fix is inside a shape, when a fix is a Gaussian and not a point.
//!
//! The density around the fix is integrated over the shape by its boundary: in polar coordinates around the fix, what
//! lies beyond the boundary in direction θ at distance ρ has the probability exp(−ρ² / 2σ²), so for a fix inside
//! P = 1 − (1/2π) ∮ exp(−ρ(θ)² / 2σ²) dθ, and for one outside the same without the 1, angles signed by the direction
//! in which the boundary runs round the fix.

use std::{
    f64::consts::{PI, TAU},
    sync::LazyLock,
};

use super::{edges::Edges, plane::Plane, shape::Outline};
use crate::domain::{
    geo::Position,
    shape::{Circle, Polygons},
};

/// Beyond so many σ an edge takes less than 4e-5 of the probability.
const REACH_IN_SIGMA: f64 = 4.5;
/// Directions in which a circle is asked, as sines and cosines: the integrand is periodic and smooth, so evenly spaced
/// ones serve best, and the other half of them mirrors these. They are half a step off the axis, so that no direction and
/// its mirror image are both asked in vain.
static DIRECTIONS: LazyLock<[(f64, f64); 24]> =
    LazyLock::new(|| std::array::from_fn(|direction| (TAU * (direction as f64 + 0.5) / 48.0).sin_cos()));
/// Widest angle, in radians, that one set of Gauss-Legendre nodes takes.
const WIDEST_ANGLE: f64 = 0.6;
/// Nodes and weights of Gauss-Legendre quadrature of order 4 on [-1, 1].
const NODES: [(f64, f64); 4] = [
    (-0.861_136_311_594_052_6, 0.347_854_845_137_453_85),
    (-0.339_981_043_584_856_26, 0.652_145_154_862_546_2),
    (0.339_981_043_584_856_26, 0.652_145_154_862_546_2),
    (0.861_136_311_594_052_6, 0.347_854_845_137_453_85),
];

/// Standard deviation in each direction, in metres, of a fix whose 68 % radius is `accuracy_m`: a circle of 1.51 σ holds
/// 68 % of a Gaussian in two dimensions. No phone is better than 5 m.
pub fn sigma(accuracy_m: f64) -> f64 {
    accuracy_m.max(5.0) / 1.51
}

/// Most edges within reach of a fix that are looked at: coasts have some hundred. Of a shape with more nobody is sure to be
/// inside.
const MOST_EDGES: usize = 10_000;

/// Probability that the true position is inside, within 0.01, for a fix whose reported point is inside the shape; 0 if there
/// are too many edges around it.
pub fn inside(outline: Outline<'_>, reported: Position, sigma: f64) -> f64 {
    let beyond = match outline {
        Outline::Circle(circle) => beyond_circle(&circle, reported, sigma),
        Outline::Polygons(polygons, edges) => beyond_polygons(polygons, edges, reported, sigma),
    };
    (1.0 - beyond).clamp(0.0, 1.0)
}

/// The mean over all directions of what lies beyond the circle, for a point inside it.
fn beyond_circle(circle: &Circle, reported: Position, sigma: f64) -> f64 {
    let (radius, d) = (circle.radius_m(), circle.center().distance_to(reported));
    if radius - d >= REACH_IN_SIGMA * sigma {
        return 0.0;
    }
    let beyond = |(sin, cos): &(f64, f64)| {
        let to_edge = d * cos + (radius * radius - d * d * sin * sin).max(0.0).sqrt();
        (-to_edge.powi(2) / (2.0 * sigma * sigma)).exp()
    };
    DIRECTIONS.iter().map(beyond).sum::<f64>() / DIRECTIONS.len() as f64
}

fn beyond_polygons(polygons: &Polygons, edges: &Edges, reported: Position, sigma: f64) -> f64 {
    let plane = Plane::around(reported);
    let limit = REACH_IN_SIGMA * sigma;
    let (mut beyond, mut looked_at) = (0.0, 0);
    edges.near(reported, plane.reach(limit), |gap, piece| {
        if looked_at <= MOST_EDGES && plane.least_distance(gap) < limit {
            let (corners, inner) = (piece.corners(polygons), if piece.left() { 1.0 } else { -1.0 });
            looked_at += corners.len();
            let inner = Inner { side: inner, within_m: plane.straight_m() };
            let edges = corners.windows(2).map(|edge| plane.beyond_edge(edge[0], edge[1], (sigma, inner), limit));
            beyond += edges.sum::<f64>() * inner.side;
        }
        if looked_at > MOST_EDGES { 0.0 } else { 1.0 }
    });
    if looked_at > MOST_EDGES { 1.0 } else { beyond / TAU }
}

/// On which side of an edge the origin is, which is inside, where the edge's line is too near to tell.
#[derive(Debug, Clone, Copy)]
pub(super) struct Inner {
    /// 1 if the shape lies to the left of the edge, -1 if it lies to the right.
    pub side: f64,
    /// Metres that the line may be beside the edge.
    pub within_m: f64,
}

/// ∫ exp(−h² / (2σ² cos² θ)) dθ over the angle under which the edge is seen from the origin, counter-clockwise positive;
/// θ is measured from the perpendicular of length h to the edge's line. On that line it is the limit from the side where the
/// shape is.
pub(super) fn beyond_edge(a: [f64; 2], b: [f64; 2], (sigma, inner): (f64, Inner)) -> f64 {
    let (dx, dy) = (b[0] - a[0], b[1] - a[1]);
    let length = dx.hypot(dy);
    if length == 0.0 {
        return 0.0;
    }
    let h = (a[0] * b[1] - a[1] * b[0]) / length;
    let limit = REACH_IN_SIGMA * sigma;
    if h.abs() >= limit {
        return 0.0;
    }
    let foot = |p: [f64; 2]| (p[0] * dx + p[1] * dy) / length;
    let least = 1e-6 * sigma;
    let height = h.abs().max(least);
    // The sign of what rounding left of nothing is chance.
    let side = if h.abs() < least.max(inner.within_m) { inner.side } else { h.signum() };
    // Beyond this angle the edge is out of reach.
    let widest = (height / limit).acos();
    let (from, to) = (foot(a).atan2(height).clamp(-widest, widest), foot(b).atan2(height).clamp(-widest, widest));
    if to - from <= 0.0 {
        return 0.0;
    }
    let falloff = height * height / (2.0 * sigma * sigma);
    integral(from, to, |theta| (-falloff / theta.cos().powi(2)).exp()) * side
}

/// Gauss-Legendre over parts of at most [`WIDEST_ANGLE`].
fn integral(from: f64, to: f64, f: impl Fn(f64) -> f64) -> f64 {
    let parts = ((to - from) / WIDEST_ANGLE).ceil().clamp(1.0, PI / WIDEST_ANGLE + 1.0);
    let half = (to - from) / (2.0 * parts);
    let part = |n: u32| {
        let middle = from + half * f64::from(2 * n + 1);
        NODES.iter().map(|(node, weight)| weight * f(middle + half * node)).sum::<f64>() * half
    };
    (0..parts as u32).map(part).sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::engine::fixture::metres;

    /// The share of a fine grid, weighted by the Gaussian, that the exact test finds inside.
    fn by_brute_force(outline: Outline<'_>, north: f64, east: f64, sigma: f64) -> f64 {
        const STEPS: i32 = 160;
        let (mut inside, mut all) = (0.0, 0.0);
        for i in -STEPS..=STEPS {
            for j in -STEPS..=STEPS {
                let (x, y) = (f64::from(i) / 40.0, f64::from(j) / 40.0);
                let weight = (-(x * x + y * y) / 2.0).exp();
                all += weight;
                if outline.holds(metres(north + y * sigma, east + x * sigma)) {
                    inside += weight;
                }
            }
        }
        inside / all
    }

    fn polygon(corners: &[[f64; 2]]) -> Vec<[f64; 2]> {
        let ring = corners.iter().chain(corners.first()).map(|&[n, e]| metres(n, e));
        ring.map(|p| [p.longitude(), p.latitude()]).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn circles_agree_with_brute_force(radius in 5.0..400.0f64, share in 0.0..1.0f64, accuracy in 1.0..400.0f64) {
            let circle = Outline::Circle(Circle::new(metres(0.0, 0.0), radius).expect("sound"));
            let d = radius * share;
            let ours = inside(circle, metres(0.0, d), sigma(accuracy));
            let brute = by_brute_force(circle, 0.0, d, sigma(accuracy));
            prop_assert!((ours - brute).abs() < 0.01, "{ours} {brute}");
        }

        #[test]
        fn polygons_with_holes_agree_with_brute_force(
            half in 20.0..200.0f64, hole in 0.1..0.6f64, n in -0.99..0.99f64, e in -0.99..0.99f64, accuracy in 1.0..300.0f64, turned: bool,
        ) {
            let square = |h: f64| polygon(&[[-h, -h], [-h, h], [h, h], [h, -h]]);
            let mut shell = square(half);
            if turned {
                shell.reverse();
            }
            let polygons = Polygons::new(&vec![vec![shell, square(half * hole)]]).expect("sound");
            let edges = Edges::of(&polygons);
            let shape = Outline::Polygons(&polygons, &edges);
            let (n, e) = (n * half, e * half);
            prop_assume!(shape.holds(metres(n, e)));
            let ours = inside(shape, metres(n, e), sigma(accuracy));
            let brute = by_brute_force(shape, n, e, sigma(accuracy));
            prop_assert!((ours - brute).abs() < 0.01, "{ours} {brute}");
        }
    }

    #[test]
    fn a_fix_on_an_edge_is_inside_as_likely_as_not() {
        let ring = |corners: &[[f64; 2]]| Polygons::new(&vec![vec![corners.to_vec()]]).expect("sound");
        let (w, s, e, n) = (24.94, 60.17, 24.95, 60.175);
        let counter_clockwise = ring(&[[w, s], [e, s], [e, n], [w, n], [w, s]]);
        let clockwise = ring(&[[w, s], [w, n], [e, n], [e, s], [w, s]]);
        let slanted = ring(&[[w, s], [e, n], [w, n], [w, s]]);
        let on_the_way = |i: u32| [w + (e - w) * f64::from(i) / 200.0, s + (n - s) * f64::from(i) / 200.0];
        let upright = [[w, 60.172], [24.945, s]].map(|at| [(&counter_clockwise, at), (&clockwise, at)]);
        let diagonal = (20..180).map(|i| (&slanted, on_the_way(i)));
        let mut held = 0;
        for (shape, [x, y]) in upright.into_iter().flatten().chain(diagonal) {
            let (edges, at) = (Edges::of(shape), Position::new(y, x).expect("sound"));
            let outline = Outline::Polygons(shape, &edges);
            if outline.holds(at) {
                let likely = inside(outline, at, sigma(10.0));
                assert!((0.49..=0.51).contains(&likely), "{likely} at {at:?}");
                held += 1;
            }
        }
        assert!(held > 20, "{held}");
    }

    #[test]
    fn a_fix_beside_a_pole_or_a_cut_is_as_sure_as_anywhere() {
        let ring = |w: f64, s: f64, e: f64, n: f64| vec![[w, s], [e, s], [e, n], [w, n], [w, s]];
        let of = |parts: Vec<Vec<[f64; 2]>>| {
            Polygons::new(&parts.into_iter().map(|part| vec![part]).collect()).expect("sound")
        };
        let at = |lat, lng| Position::new(lat, lng).expect("sound");
        let around = [-180.0, -60.0, 60.0, 180.0].map(|lng| [lng, 89.99]);
        let cap = of(vec![[&around[..], &[[180.0, 90.0], [-180.0, 90.0], [-180.0, 89.99]]].concat()]);
        let south = [-180.0, -60.0, 60.0, 180.0].map(|lng| [lng, -60.0]);
        let south = of(vec![[&south[..], &[[180.0, -90.0], [-180.0, -90.0], [-180.0, -60.0]]].concat()]);
        // Around the world in edges of 180 degrees.
        let band = [[-180.0, -60.0], [0.0, -60.0], [180.0, -60.0], [180.0, 60.0], [0.0, 60.0], [-180.0, 60.0]];
        let band = of(vec![[&band[..], &band[..1]].concat()]);
        let wide = of(vec![ring(10.0, 80.2, 13.0, 80.5)]);
        let fiji = of(vec![ring(179.99, -18.0, 180.0, -17.0), ring(-180.0, -18.0, -179.99, -17.0)]);
        // The edge of the cap is a parallel, 1,112 m from the pole.
        for (shape, at, least, most) in [
            (&cap, at(90.0, 0.0), 0.99, 1.0),
            (&cap, at(89.995, 0.01), 0.95, 1.0),
            (&cap, at(89.990_01, 90.0), 0.4, 0.5),
            // Its edges reach all round, so both sides of the antimeridian find them.
            (&south, at(-60.000_01, 179.999_9), 0.49, 0.51),
            (&band, at(59.999_99, 179.999_99), 0.49, 0.51),
            // In the middle of long edges beyond 80 degrees; the fix is 1.1 m inside.
            (&wide, at(80.499_99, 11.5), 0.49, 0.52),
            (&wide, at(80.200_01, 11.5), 0.49, 0.52),
            // On the edge, and where the piece that stands for it is on the other side.
            (&wide, at(80.2, 11.3), 0.49, 0.51),
            (&wide, at(80.2 + 5e-7, 11.7), 0.49, 0.51),
            (&cap, at(89.99, 10.0), 0.4, 0.51),
            (&wide, at(80.499, 11.5), 0.68, 0.73),
            (&band, at(59.999_99, -0.000_01), 0.49, 0.51),
            (&band, at(-59.999_99, 0.000_01), 0.49, 0.51),
            (&fiji, at(-17.5, 179.999_9), 0.99, 1.0),
            (&fiji, at(-17.000_01, -179.999_9), 0.49, 0.51),
        ] {
            let likely = inside(Outline::Polygons(shape, &Edges::of(shape)), at, sigma(300.0));
            assert!((least..=most).contains(&likely), "{likely} at {at:?}");
        }
    }
}
