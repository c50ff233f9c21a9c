//! What a coarse picture of a shape tells of a position: inside, outside, or that an edge is too near to tell.
//!
//! Law 7: it may leave a position undecided, never tell it wrong. A cell that an edge touches tells nothing; of any other
//! the exact test said what all of it is.

use super::boxes::DegreeBox;

/// Cells along each side. Of the positions in the box of a drawn shape a quarter then lies in cells that tell nothing, and a
/// picture is one line of memory.
const SIDE: usize = 16;
/// Wider than the rounding errors of both this and the exact test, in degrees: a tenth of a millimetre.
const BESIDE: f64 = 1e-9;

/// The picture, of cells of equal size.
#[derive(Debug, Clone, PartialEq)]
pub struct Raster {
    south_west: [f64; 2],
    /// How many cells a degree of longitude and one of latitude have.
    scale: [f64; 2],
    /// From south to north; a bit for each cell, from west to east.
    rows: [Row; SIDE],
}

#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Row {
    /// Touched by an edge.
    cut: u16,
    /// Of those that are not: inside.
    inside: u16,
}

impl Raster {
    /// Of the shape that has these edges, all of them within the bounds; `holds` is the exact test.
    pub fn new(
        bounds: &DegreeBox,
        edges: impl Iterator<Item = [[f64; 2]; 2]>,
        holds: impl Fn([f64; 2]) -> bool,
    ) -> Self {
        let ([west, south], [east, north]) = (bounds.south_west.map(f64::from), bounds.north_east.map(f64::from));
        let scale = [east - west, north - south].map(|length| SIDE as f64 / length.max(BESIDE));
        let mut raster = Self { south_west: [west, south], scale, rows: [Row::default(); SIDE] };
        edges.for_each(|edge| raster.cut(edge));
        raster.fill(holds);
        raster
    }

    /// Whether the shape holds what is at that longitude and latitude; none if an edge is near.
    pub fn tells(&self, at: [f64; 2]) -> Option<bool> {
        let row = self.rows[self.cell(1, at[1])];
        let bit = 1 << self.cell(0, at[0]);
        (row.cut & bit == 0).then_some(row.inside & bit != 0)
    }

    /// The column of a longitude, or the row of a latitude. It never falls where they rise, so what touches a cell is told
    /// from its ends; what is out of bounds counts to the cells at the edge.
    fn cell(&self, axis: usize, degrees: f64) -> usize {
        (((degrees - self.south_west[axis]) * self.scale[axis]) as usize).min(SIDE - 1)
    }

    /// Marks the cells that the edge touches, row by row.
    fn cut(&mut self, [mut a, mut b]: [[f64; 2]; 2]) {
        if a[1] > b[1] {
            (a, b) = (b, a);
        }
        for row in self.cell(1, a[1] - BESIDE)..=self.cell(1, b[1] + BESIDE) {
            let [south, north] = [row, row + 1].map(|line| self.south_west[1] + line as f64 / self.scale[1]);
            let [from, to] = [at_latitude([a, b], south - BESIDE), at_latitude([a, b], north + BESIDE)];
            let [first, last] = [from.min(to) - BESIDE, from.max(to) + BESIDE].map(|x| self.cell(0, x));
            self.rows[row].cut |= u16::MAX >> (SIDE - 1 - (last - first)) << first;
        }
    }

    /// Of neighbours that no edge touches all are inside, or none is: so few are asked.
    fn fill(&mut self, holds: impl Fn([f64; 2]) -> bool) {
        let mut below = Row { cut: u16::MAX, inside: 0 };
        for number in 0..SIDE {
            let mut row = Row { inside: 0, ..self.rows[number] };
            for column in (0..SIDE).filter(|column| row.cut & 1 << column == 0) {
                let (bit, before) = (1 << column, (1 << column) >> 1);
                let is_inside = if before & !row.cut != 0 {
                    row.inside & before != 0
                } else if below.cut & bit == 0 {
                    below.inside & bit != 0
                } else {
                    holds(self.middle([column, number]))
                };
                row.inside |= if is_inside { bit } else { 0 };
            }
            self.rows[number] = row;
            below = row;
        }
    }

    fn middle(&self, cell: [usize; 2]) -> [f64; 2] {
        [0, 1].map(|axis| self.south_west[axis] + (cell[axis] as f64 + 0.5) / self.scale[axis])
    }
}

/// The longitude at which an edge, given from south to north, is nearest to a latitude.
fn at_latitude([a, b]: [[f64; 2]; 2], latitude: f64) -> f64 {
    if latitude <= a[1] {
        return a[0];
    }
    if latitude >= b[1] {
        return b[0];
    }
    a[0] + (latitude - a[1]) / (b[1] - a[1]) * (b[0] - a[0])
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use proptest::prelude::*;

    use super::*;

    /// A ring around a point, whose corners are as far out as is given.
    fn star(middle: [f64; 2], far: &[f64]) -> Vec<[f64; 2]> {
        let corner = |(i, far): (usize, &f64)| {
            let (up, across) = (i as f64 / 7.0).sin_cos();
            [middle[0] + across * far, middle[1] + up * far]
        };
        far.iter().enumerate().map(corner).collect()
    }

    fn edges(ring: &[[f64; 2]]) -> impl Iterator<Item = [[f64; 2]; 2]> {
        ring.iter().copied().zip(ring.iter().copied().cycle().skip(1)).map(|(a, b)| [a, b])
    }

    /// Even-odd, whether or not the ring crosses itself.
    fn is_inside(ring: &[[f64; 2]], [x, y]: [f64; 2]) -> bool {
        let crosses =
            |[a, b]: &[[f64; 2]; 2]| (a[1] > y) != (b[1] > y) && x < a[0] + (y - a[1]) / (b[1] - a[1]) * (b[0] - a[0]);
        edges(ring).filter(crosses).count() % 2 == 1
    }

    fn bounds(ring: &[[f64; 2]]) -> DegreeBox {
        let of = |most: fn(f64, f64) -> f64| ring.iter().fold(ring[0], |a, b| [most(a[0], b[0]), most(a[1], b[1])]);
        DegreeBox::new(of(f64::min), of(f64::max))
    }

    proptest! {
        #[test]
        fn what_it_tells_is_what_the_exact_test_says(
            middle in prop_oneof![[-170.0..170.0f64, -80.0..80.0], Just([179.5, 89.5]), Just([-179.5, -89.5])],
            far in prop::collection::vec(0.0..0.5f64, 3..44), share in [-0.1..1.1f64, -0.1..1.1], beside in -2e-8..2e-8f64,
        ) {
            let ring = star(middle, &far);
            let raster = Raster::new(&bounds(&ring), edges(&ring), |at| is_inside(&ring, at));
            let within = [0, 1].map(|axis| middle[axis] + (share[axis] - 0.5));
            // Wherever it may be, and closely beside a corner, the middle of an edge, and a line between cells.
            let [a, b] = edges(&ring).next().expect("some");
            let half = [0, 1].map(|axis| f64::midpoint(a[axis], b[axis]));
            let line = [0, 1].map(|axis| raster.south_west[axis] + (share[axis] * 17.0).floor() / raster.scale[axis]);
            let near = [a, half, line].map(|[x, y]| [x + beside, y - beside / 3.0]);
            for at in [within, a, half, line].into_iter().chain(near) {
                prop_assert!(raster.tells(at).is_none_or(|told| told == is_inside(&ring, at)), "{at:?}");
            }
        }
    }

    #[test]
    fn most_of_a_shape_is_told_after_few_questions() {
        let ring: Vec<[f64; 2]> = star([9.0, 45.0], &[0.01; 44]);
        let asked = Cell::new(0);
        let holds = |at| {
            asked.set(asked.get() + 1);
            is_inside(&ring, at)
        };
        let raster = Raster::new(&bounds(&ring), edges(&ring), holds);
        assert!(asked.get() < SIDE, "{} cells were asked about", asked.get());
        let told: u32 = raster.rows.iter().map(|row| row.cut.count_zeros()).sum();
        assert!(told > 150, "{told} of {} cells tell", SIDE * SIDE);
        assert_eq!((raster.tells([9.0, 45.0]), raster.tells([9.0099, 45.0099])), (Some(true), Some(false)));
    }
}
