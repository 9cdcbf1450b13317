//! The angle of a point, without branches: loops over many points vectorise.

use std::f64::consts::{FRAC_PI_2, FRAC_PI_4, PI};

/// Below this ratio the series is used as it is, above it around 45 degrees: tan(pi / 8).
const DIRECT_RATIO_MAX: f64 = 0.414_213_562_373_095_1;

/// `atan(t) / t` as a polynomial in `t * t` for `t` up to [`DIRECT_RATIO_MAX`]: Chebyshev
/// interpolation of degree 8, off by at most 1.1e-14 rad.
const ATAN_SERIES: [f64; 9] = [
    0.999_999_999_999_974_6,
    -0.333_333_333_308_742_15,
    0.199_999_996_135_110_57,
    -0.142_856_908_244_304_53,
    0.111_103_942_005_923_83,
    -0.090_785_057_789_091_8,
    0.075_644_864_602_202_67,
    -0.058_773_139_184_085_31,
    0.030_703_378_396_931_102,
];

/// The angle of the point `(x, y)` in `[-pi, pi]`: `y.atan2(x)` to within 1e-13 rad, and zero at
/// the origin.
#[inline]
pub(crate) fn bearing_rad(y: f64, x: f64) -> f64 {
    let (across, along) = (y.abs(), x.abs());
    let (low, high) = (across.min(along), across.max(along));
    let is_steep = low > DIRECT_RATIO_MAX * high;
    let numerator = if is_steep { low - high } else { low };
    let denominator = if is_steep { low + high } else { high };
    // Smallest positive number: the origin becomes 0 / tiny instead of NaN.
    let ratio = numerator / denominator.max(f64::MIN_POSITIVE);
    let square = ratio * ratio;
    let mut series = ATAN_SERIES[8];
    for idx in (0..8).rev() {
        series = series * square + ATAN_SERIES[idx];
    }
    let octant = series * ratio + if is_steep { FRAC_PI_4 } else { 0.0 };
    let quadrant = if across > along {
        FRAC_PI_2 - octant
    } else {
        octant
    };
    let half = if x < 0.0 { PI - quadrant } else { quadrant };
    half.copysign(y)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_atan2(x in -50.0..50.0f64, y in -50.0..50.0f64) {
            prop_assert!((bearing_rad(y, x) - y.atan2(x)).abs() < 1e-13);
        }

        #[test]
        fn it_is_atan2_at_any_scale(x in prop::num::f64::NORMAL, y in prop::num::f64::NORMAL) {
            prop_assert!((bearing_rad(y, x) - y.atan2(x)).abs() < 1e-13);
        }
    }

    #[test]
    fn axes_diagonals_and_the_origin_are_exact() {
        for (y, x) in [
            (0.0, 1.0),
            (1.0, 0.0),
            (0.0, -1.0),
            (-1.0, 0.0),
            (1.0, 1.0),
            (-1.0, -1.0),
            (1.0, -1.0),
            (0.0, 0.0),
            (-0.0, -1.0),
        ] {
            let (got, expected) = (bearing_rad(y, x), f64::atan2(y, x));
            assert!(
                (got - expected).abs() < 1e-15,
                "atan2({y}, {x}): {got} for {expected}"
            );
        }
    }
}
