//! Numbers that look random and are the same for the same seed, for ever.
//!
//! Law: no crate's generator, since those may change between versions, and with them every world that was ever drawn: the
//! same seed must find its own places again. This one is SplitMix64: a counter, and a mixing of its bits.

/// The golden ratio of 2^64: counting by it visits every number before any comes again.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// One sequence of numbers.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// The sequence of one thing of a world: of what `kind` it is, and its number. Sequences of different things have
    /// nothing to do with each other, so a thing is the same however many others there are.
    pub fn of(seed: u64, kind: u64, number: u64) -> Self {
        Self(mix(mix(mix(seed.wrapping_add(STEP)) ^ kind).wrapping_add(number)))
    }

    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        mix(self.0)
    }

    /// From 0 to less than 1.
    pub fn unit(&mut self) -> f64 {
        // As many bits as a double holds.
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub fn between(&mut self, least: f64, most: f64) -> f64 {
        least + (most - least) * self.unit()
    }

    /// From `least` to `most`, both included.
    pub fn whole(&mut self, least: u64, most: u64) -> u64 {
        // The bias is 2^-64 times the range: nothing.
        least + ((u128::from(self.bits()) * u128::from(most - least + 1)) >> 64) as u64
    }

    /// Two numbers of the normal distribution with mean 0 and deviation 1 (Box and Muller).
    pub fn normals(&mut self) -> (f64, f64) {
        let length = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        let (sin, cos) = (std::f64::consts::TAU * self.unit()).sin_cos();
        (length * cos, length * sin)
    }
}

fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_of_a_thing_never_changes() {
        let mut random = Random::of(1, 2, 3);
        let first = [random.bits(), random.bits()];
        assert_eq!(
            first,
            [13_811_584_246_906_094_223, 9_152_601_669_076_045_809],
            "recorded: another number here makes another world of every seed"
        );
    }

    #[test]
    fn numbers_are_spread_as_they_say() {
        let mut random = Random::of(7, 0, 0);
        let units: f64 = (0..20_000).map(|_| random.unit()).sum::<f64>() / 20_000.0;
        assert!((units - 0.5).abs() < 0.01, "{units}");
        let squares: f64 = (0..10_000).map(|_| random.normals()).map(|(a, b)| a * a + b * b).sum::<f64>() / 20_000.0;
        assert!((squares - 1.0).abs() < 0.03, "{squares}");
        let mut seen = [0; 6];
        (0..6_000).for_each(|_| seen[random.whole(0, 5) as usize] += 1);
        assert!(seen.iter().all(|&count| (850..1_150).contains(&count)), "{seen:?}");
    }
}
