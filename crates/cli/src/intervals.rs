//! How sure a share or a mean of a few runs is.

use serde::Serialize;

/// The 97.5 % quantile of the standard normal distribution: intervals hold 95 %.
const Z_95: f64 = 1.959_963_984_540_054;
/// Means of drawn samples; the ends of the interval are then good to about a hundredth of it.
const N_RESAMPLES: usize = 2_000;

/// A figure and the interval that holds the true one in 95 of 100 such samples.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Estimate {
    /// Share or mean.
    pub value: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Of how many.
    pub n: usize,
}

impl Estimate {
    /// A share with Wilson's score interval (Wilson 1927), which stays within 0 and 1 and says
    /// something at 0 and `n` too. `None` of none.
    pub fn share(n_hits: usize, n: usize) -> Option<Self> {
        if n == 0 {
            return None;
        }
        let (count, value) = (n as f64, n_hits as f64 / n as f64);
        let spread = Z_95 * Z_95 / count;
        let middle = (value + spread / 2.0) / (1.0 + spread);
        let half =
            Z_95 / (1.0 + spread) * (value * (1.0 - value) / count + spread / (4.0 * count)).sqrt();
        Some(Self {
            value,
            low: (middle - half).max(0.0),
            high: (middle + half).min(1.0),
            n,
        })
    }

    /// A mean with the percentile bootstrap's interval (Efron 1979), from a fixed seed. `None` of
    /// none.
    pub fn mean(values: &[f64]) -> Option<Self> {
        let n = values.len();
        if n == 0 {
            return None;
        }
        let mut state = 0x5EED_u64;
        let mut resampled = || {
            let drawn = (0..n).map(|_| values[(split_mix(&mut state) % n as u64) as usize]);
            drawn.sum::<f64>() / n as f64
        };
        let mut means: Vec<f64> = (0..N_RESAMPLES).map(|_| resampled()).collect();
        means.sort_by(f64::total_cmp);
        let at = |share: f64| means[(share * (N_RESAMPLES - 1) as f64).round() as usize];
        Some(Self {
            value: values.iter().sum::<f64>() / n as f64,
            low: at(0.025),
            high: at(0.975),
            n,
        })
    }

    /// `value [low, high]`, each times `factor`.
    pub(crate) fn text(&self, factor: f64, digits: usize) -> String {
        let [value, low, high] = [self.value, self.low, self.high].map(|it| it * factor);
        format!("{value:.digits$} [{low:.digits$}, {high:.digits$}]")
    }
}

/// `SplitMix64` (Steele, Lea, Flood 2014): small, and good enough to draw indexes with.
pub(crate) fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut mixed = *state;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_have_wilsons_interval() {
        // Of Newcombe 1998, table I, method 3.
        let check = |n_hits, n, low: f64, high: f64| {
            let got = Estimate::share(n_hits, n).unwrap();
            assert!((got.low - low).abs() < 5e-5, "{got:?}");
            assert!((got.high - high).abs() < 5e-5, "{got:?}");
        };
        check(81, 263, 0.2553, 0.3662);
        check(15, 148, 0.0624, 0.1605);
        check(0, 20, 0.0, 0.1611);
        check(1, 29, 0.0061, 0.1718);
        assert_eq!(Estimate::share(0, 0), None);
    }

    #[test]
    fn means_have_an_interval_that_shrinks_with_their_number() {
        let values: Vec<f64> = (0..100).map(|idx| f64::from(idx % 10)).collect();
        let many = Estimate::mean(&values).unwrap();
        let few = Estimate::mean(&values[..10]).unwrap();
        assert!((many.value - 4.5).abs() < 1e-12 && (few.value - 4.5).abs() < 1e-12);
        // 1.96 standard errors: 2.87 / sqrt(n).
        assert!((many.high - many.low - 1.126).abs() < 0.15, "{many:?}");
        assert!((few.high - few.low - 3.56).abs() < 0.5, "{few:?}");
        assert_eq!(Estimate::mean(&values), Some(many));
        assert_eq!(Estimate::mean(&[]), None);
        assert_eq!(few.text(10.0, 0).split(' ').next(), Some("45"));
    }
}
