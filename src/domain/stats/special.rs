//! The functions that distributions are made of: the logarithm of the gamma function, and the incomplete gamma and beta
//! functions, to ten digits or more. Formulas by number from NIST's Digital Library of Mathematical Functions
//! (<https://dlmf.nist.gov>).

/// Terms of a series or continued fraction. Some ten times the square root of the largest parameter is enough, and more
/// than a hundred million orders are not expected.
const TERMS_MAX: u32 = 100_000;
/// Where a next term changes nothing any more.
const PRECISION: f64 = 1e-15;
/// Stands in for a zero that would be divided by.
const TINY: f64 = 1e-300;

/// ln Γ(`x`) for `x` > 0: Stirling's series (DLMF 5.11.1) for 10 and above, stepped up to by Γ(x + 1) = x Γ(x).
pub fn ln_gamma(x: f64) -> f64 {
    let (mut x, mut product) = (x, 1.0);
    while x < 10.0 {
        product *= x;
        x += 1.0;
    }
    // B2/(1·2), B4/(3·4), … of the Bernoulli numbers.
    const SERIES: [f64; 7] = [
        1.0 / 12.0,
        -1.0 / 360.0,
        1.0 / 1260.0,
        -1.0 / 1680.0,
        1.0 / 1188.0,
        -691.0 / 360_360.0,
        1.0 / 156.0,
    ];
    let inverse = 1.0 / (x * x);
    let tail = SERIES.iter().rev().fold(0.0, |sum, term| sum * inverse + term) / x;
    let half_ln_tau = 0.5 * std::f64::consts::TAU.ln();
    (x - 0.5) * x.ln() - x + half_ln_tau + tail - f64::ln(product)
}

/// The regularised upper incomplete gamma function Q(`a`, `x`), `a` > 0: the chance that a gamma variable of shape `a`
/// exceeds `x`. By the series of its complement (DLMF 8.7.1) below the mean, by the continued fraction (DLMF 8.9.2)
/// above it.
pub fn gamma_above(a: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 1.0;
    }
    let front = (a * x.ln() - x - ln_gamma(a)).exp();
    if x < a + 1.0 {
        let (mut term, mut sum) = (1.0 / a, 1.0 / a);
        for n in 1..TERMS_MAX {
            term *= x / (a + f64::from(n));
            sum += term;
            if term < sum * PRECISION {
                break;
            }
        }
        return (1.0 - front * sum).clamp(0.0, 1.0);
    }
    let fraction = lentz(x + 1.0 - a, |n| {
        let n = f64::from(n);
        (-n * (n - a), x + 2.0 * n + 1.0 - a)
    });
    (front / fraction).clamp(0.0, 1.0)
}

/// The regularised incomplete beta function I(`x`; `a`, `b`), `a`, `b` > 0: the chance that a beta variable is at most
/// `x`. By the continued fraction DLMF 8.17.22, which converges fast below the mean; above it by symmetry (8.17.4).
pub fn beta_below(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return x.clamp(0.0, 1.0);
    }
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - beta_below(1.0 - x, b, a);
    }
    let front = a * x.ln() + b * (-x).ln_1p() + ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b);
    let fraction = lentz(1.0, |n| {
        let m = f64::from(n / 2);
        let term = if n % 2 == 0 {
            m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m))
        } else {
            -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0))
        };
        (term, 1.0)
    });
    (front.exp() / (a * fraction)).clamp(0.0, 1.0)
}

/// Below what a beta variable stays with probability `p`: bisection, for its distribution only grows.
pub fn beta_quantile(p: f64, a: f64, b: f64) -> f64 {
    let (mut low, mut high) = (0.0f64, 1.0f64);
    // Each step halves the interval: after 60 it is smaller than what the type tells apart.
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if beta_below(middle, a, b) < p {
            low = middle;
        } else {
            high = middle;
        }
    }
    0.5 * (low + high)
}

/// b0 + a1/(b1 + a2/(b2 + …)) with `term(n)` = (an, bn), by the modified method of Lentz (1976; Thompson and Barnett,
/// 1986).
fn lentz(first: f64, term: impl Fn(u32) -> (f64, f64)) -> f64 {
    let not_zero = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut value = not_zero(first);
    let (mut c, mut d) = (value, 0.0);
    for n in 1..TERMS_MAX {
        let (a, b) = term(n);
        d = 1.0 / not_zero(b + a * d);
        c = not_zero(b + a / c);
        let factor = c * d;
        value *= factor;
        if (factor - 1.0).abs() < PRECISION {
            break;
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: f64, expected: f64, within: f64, what: &str) {
        assert!((found - expected).abs() <= within, "{what}: {found}, not {expected}");
    }

    /// The integral of `f` from 0 to `end` by Simpson's rule: slow, plain, and with nothing in common with the above.
    fn integral(end: f64, f: impl Fn(f64) -> f64) -> f64 {
        const STEPS: u32 = 20_000;
        let at = |n: u32| f(end * f64::from(n) / f64::from(STEPS));
        let inner: f64 = (1..STEPS).map(|n| at(n) * if n % 2 == 1 { 4.0 } else { 2.0 }).sum();
        (at(0) + inner + at(STEPS)) * end / f64::from(STEPS) / 3.0
    }

    #[test]
    fn gammas_of_whole_numbers_are_factorials() {
        let mut factorial = 0.0f64;
        for n in 1..200u32 {
            near(ln_gamma(f64::from(n)), factorial, 1e-12 * factorial.max(1.0), "ln Γ(n)");
            factorial += f64::from(n).ln();
        }
        near(ln_gamma(0.5), 0.5 * std::f64::consts::PI.ln(), 1e-13, "ln Γ(1/2)");
    }

    #[test]
    fn chances_of_chi_square_are_those_of_the_tables() {
        // Critical values as every table of the distribution prints them, to the digits printed.
        for (freedom, value, chance) in [
            (1.0, 3.841_459, 0.05),
            (1.0, 10.827_566, 0.001),
            (3.0, 7.814_728, 0.05),
            (3.0, 16.266_236, 0.001),
            (7.0, 24.321_886, 0.001),
        ] {
            near(gamma_above(freedom / 2.0, value / 2.0), chance, 1e-7, "chi-square");
        }
        near(gamma_above(1.0, 2.5), (-2.5f64).exp(), 1e-14, "an exponential's tail");
        near(gamma_above(3.0, 0.0), 1.0, 0.0, "everything is above 0");
    }

    #[test]
    fn betas_are_integrals_of_their_density() {
        for (a, b) in [(1.0, 1.0), (2.0, 3.0), (11.0, 91.0), (101.0, 901.0), (400.0, 3.0)] {
            let scale = ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b);
            let density = |x: f64| match x {
                x if x <= 0.0 && a > 1.0 => 0.0,
                x if x >= 1.0 && b > 1.0 => 0.0,
                x => (scale + (a - 1.0) * x.max(1e-300).ln() + (b - 1.0) * (1.0 - x).max(1e-300).ln()).exp(),
            };
            for x in [0.01, 0.1, 0.12, 0.5, 0.97, 0.999] {
                near(beta_below(x, a, b), integral(x, density), 1e-8, "a beta");
            }
        }
    }

    #[test]
    fn quantiles_come_back() {
        for (a, b) in [(1.0, 1.0), (11.0, 91.0), (1.0, 1e6), (5_001.0, 95_001.0)] {
            for p in [0.025, 0.5, 0.975] {
                near(beta_below(beta_quantile(p, a, b), a, b), p, 1e-9, "a quantile");
            }
        }
        // Of a uniform variable it is p itself; of 10 in 100 tries under a uniform prior, by integrating the density.
        near(beta_quantile(0.3, 1.0, 1.0), 0.3, 1e-12, "uniform");
    }
}
