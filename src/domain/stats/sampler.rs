//! Random numbers for models that are drawn: always the same ones for the same seed, on every machine.
//!
//! For statistics alone; whoever must not be guessed draws from the system.

/// A generator of uniform, normal and gamma variables.
pub struct Sampler {
    state: u64,
}

impl Sampler {
    /// Begins with `seed`.
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// SplitMix64 (Steele, Lea and Flood, 2014): a counter and a finaliser.
    fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.state;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// Evenly between 0 and 1, neither of them.
    fn uniform(&mut self) -> f64 {
        ((self.bits() >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    }

    /// Of mean 0 and variance 1, by the polar method (Marsaglia and Bray, 1964).
    fn normal(&mut self) -> f64 {
        loop {
            let (x, y) = (2.0 * self.uniform() - 1.0, 2.0 * self.uniform() - 1.0);
            let square = x * x + y * y;
            if square < 1.0 && square > 0.0 {
                return x * (-2.0 * square.ln() / square).sqrt();
            }
        }
    }

    /// Of shape `shape` > 0 and scale 1 (Marsaglia and Tsang, "A simple method for generating gamma variables", 2000).
    /// Never 0.
    pub fn gamma(&mut self, shape: f64) -> f64 {
        if shape < 1.0 {
            // Section 8 there: one of a larger shape, times a power of a uniform variable.
            let power = self.uniform().powf(1.0 / shape);
            return (self.gamma(shape + 1.0) * power).max(f64::MIN_POSITIVE);
        }
        let d = shape - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        loop {
            let x = self.normal();
            let v = (1.0 + c * x).powi(3);
            // Four in five tries succeed and the better, the larger the shape.
            if v > 0.0 && self.uniform().ln() < 0.5 * x * x + d - d * v + d * v.ln() {
                return d * v;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::special::gamma_above;
    use super::*;

    #[test]
    fn gammas_are_spread_as_their_distribution_says() {
        for shape in [0.3, 1.0, 2.5, 40.0, 5_000.0] {
            let mut sampler = Sampler::new(7);
            let mut drawn: Vec<f64> = (0..50_000).map(|_| sampler.gamma(shape)).collect();
            drawn.sort_unstable_by(f64::total_cmp);
            // The largest distance between the drawn and the true distribution (Kolmogorov): 1.63/√n is met by 99 %.
            let count = drawn.len() as f64;
            let distance = drawn.iter().enumerate().map(|(place, value)| {
                let below = 1.0 - gamma_above(shape, *value);
                (below - (place as f64 + 0.5) / count).abs()
            });
            let distance = distance.fold(0.0, f64::max);
            assert!(distance < 1.63 / count.sqrt(), "{shape}: {distance}");
        }
    }

    #[test]
    fn a_seed_makes_the_same_numbers() {
        let drawn = |seed| {
            let mut sampler = Sampler::new(seed);
            [0.5, 3.0].map(|shape| sampler.gamma(shape).to_bits())
        };
        assert_eq!(drawn(1), drawn(1));
        assert_ne!(drawn(1), drawn(2));
    }
}
