//! Movers as discs: how far each beam gets, and what the network is told of them.

use std::f64::consts::FRAC_PI_2;

use crate::Reused;

/// A disc is widened by at most this much, metres: farther off it is not there any more.
const WIDENED_MAX_M: f64 = 1.0;

/// A thing that moves, where it will be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Disc {
    /// Centre in the frame of the view, metres.
    pub(crate) centre_m: [f64; 2],
    pub(crate) radius_m: f64,
    /// How wrong the centre may be, metres.
    pub(crate) sigma_m: f64,
    /// Whether it stays where lidar sees it stand: there is no doubt to widen it by.
    pub(crate) is_settled: bool,
    pub(crate) speed_mps: f64,
    /// How long it has been followed, seconds.
    pub(crate) age_secs: f64,
}

impl Disc {
    /// The same, wider by a share of how uncertain it is where it will be.
    pub(crate) fn widened(&self, share: f64) -> Self {
        Self {
            radius_m: self.radius_m + share * self.sigma_m.min(WIDENED_MAX_M),
            ..*self
        }
    }

    fn distance_m(&self) -> f64 {
        self.centre_m[0].hypot(self.centre_m[1])
    }

    /// Along a ray and to its left, metres.
    fn seen_along(&self, ray: [f64; 2]) -> [f64; 2] {
        let [x, y] = self.centre_m;
        [x * ray[0] + y * ray[1], y * ray[0] - x * ray[1]]
    }

    /// Shortens the ranges of the rays that hit it; a view from inside sees nothing of it.
    ///
    /// What is drawn is where the disc's own front would be: a widened disc is not nearer.
    pub(crate) fn draw(&self, rays: &[[f64; 2]], row: &mut [f64]) {
        if self.distance_m() <= self.radius_m {
            return;
        }
        for (ray, range) in rays.iter().zip(row) {
            let [along, across] = self.seen_along(*ray);
            if along > 0.0 && across.abs() < self.radius_m {
                let front = along - (self.radius_m * self.radius_m - across * across).sqrt();
                // NaN is a hole: the disc fills it.
                *range = range.min(front);
            }
        }
    }
}

/// What is known of the mover that a beam meets, or nearly meets. Zero where there is none.
///
/// # Shapes
/// All `[beam]`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MoverRows {
    /// How near the beam passes its centre: 1 through the middle, 0 at the edge of where it may be.
    pub nearness: Reused<f32>,
    /// Its distance along the beam, metres.
    pub range_m: Reused<f32>,
    /// Its speed over ground, m/s.
    pub speed_mps: Reused<f32>,
    /// How long it has been followed, seconds.
    pub age_secs: Reused<f32>,
    /// How wrong its position may be, one standard deviation, metres.
    pub sigma_m: Reused<f32>,
}

impl MoverRows {
    /// Nobody moves.
    pub fn none(n_beams: usize) -> Self {
        let zeros = || Reused::filled(0.0, n_beams);
        Self {
            nearness: zeros(),
            range_m: zeros(),
            speed_mps: zeros(),
            age_secs: zeros(),
            sigma_m: zeros(),
        }
    }

    /// The rows, for whoever treats them alike.
    pub fn rows(&self) -> [&[f32]; 5] {
        [
            &self.nearness,
            &self.range_m,
            &self.speed_mps,
            &self.age_secs,
            &self.sigma_m,
        ]
    }

    /// The same rows with another order of beams.
    #[must_use]
    pub fn map_rows(&self, map: impl Fn(&[f32]) -> Reused<f32>) -> Self {
        Self {
            nearness: map(&self.nearness),
            range_m: map(&self.range_m),
            speed_mps: map(&self.speed_mps),
            age_secs: map(&self.age_secs),
            sigma_m: map(&self.sigma_m),
        }
    }

    pub(crate) fn describe(&mut self, discs: &[Disc], rays: &[[f64; 2]]) {
        for disc in discs {
            let wide = disc.widened(1.0).radius_m;
            let distance = disc.distance_m();
            if distance <= disc.radius_m {
                continue;
            }
            // Behind this angle nothing of it is seen: spares most beams the arithmetic.
            let reach = if distance > wide {
                (wide / distance).asin()
            } else {
                FRAC_PI_2
            };
            let cos_reach = reach.cos() * distance;
            for (beam, ray) in rays.iter().enumerate() {
                let [along, across] = disc.seen_along(*ray);
                if along < cos_reach || along <= 0.0 || across.abs() >= wide {
                    continue;
                }
                let nearness = (1.0 - across.abs() / wide) as f32;
                let inside = disc.radius_m * disc.radius_m - across * across;
                let front = (along - inside.max(0.0).sqrt()) as f32;
                let is_first = self.nearness[beam] <= 0.0 || front < self.range_m[beam];
                if is_first {
                    self.nearness[beam] = nearness;
                    self.range_m[beam] = front;
                    self.speed_mps[beam] = disc.speed_mps as f32;
                    self.age_secs[beam] = disc.age_secs as f32;
                    self.sigma_m[beam] = disc.sigma_m as f32;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disc(x_m: f64, y_m: f64, radius_m: f64) -> Disc {
        Disc {
            centre_m: [x_m, y_m],
            radius_m,
            sigma_m: 0.3,
            is_settled: false,
            speed_mps: 1.0,
            age_secs: 2.0,
        }
    }

    fn rays(degrees: &[f64]) -> Vec<[f64; 2]> {
        let ray = |it: &f64| [it.to_radians().cos(), it.to_radians().sin()];
        degrees.iter().map(ray).collect()
    }

    #[test]
    fn a_disc_hides_what_is_behind_and_fills_holes_but_not_what_is_before_it() {
        let mut row = [9.0, f64::NAN, 1.0, 9.0];
        let rays = rays(&[0.0, 0.0, 0.0, 30.0]);
        disc(4.0, 0.0, 0.5).draw(&rays, &mut row);
        assert!((row[0] - 3.5).abs() < 1e-9 && (row[1] - 3.5).abs() < 1e-9);
        assert!((row[2] - 1.0).abs() < 1e-9 && (row[3] - 9.0).abs() < 1e-9);
    }

    #[test]
    fn doubt_widens_a_disc_by_a_share_up_to_a_limit() {
        let sure = disc(4.0, 0.0, 0.5);
        let lost = Disc {
            sigma_m: 9.0,
            ..sure
        };
        for (disc, share, radius_m) in [(sure, 0.0, 0.5), (sure, 0.5, 0.65), (lost, 0.5, 1.0)] {
            let wide = disc.widened(share);
            assert!((wide.radius_m - radius_m).abs() < 1e-12, "{wide:?}");
        }
    }

    #[test]
    fn from_inside_a_disc_and_behind_the_scanner_nothing_is_drawn() {
        let mut row = [9.0, 9.0];
        disc(0.2, 0.0, 0.5).draw(&rays(&[0.0, 90.0]), &mut row);
        disc(-3.0, 0.0, 0.5).draw(&rays(&[0.0, 90.0]), &mut row);
        assert!(row.iter().all(|range| (range - 9.0).abs() < 1e-12));
    }

    #[test]
    fn beams_that_nearly_meet_a_mover_are_told_so_and_the_nearest_mover_wins() {
        let mut rows = MoverRows::none(3);
        let rays = rays(&[0.0, 10.0, 40.0]);
        rows.describe(&[disc(4.0, 0.0, 0.5), disc(2.0, 0.0, 0.1)], &rays);
        assert!((rows.range_m[0] - 1.9).abs() < 1e-6 && rows.nearness[0] > 0.99);
        assert!(rows.nearness[1] > 0.0 && rows.nearness[1] < 0.5);
        assert!(rows.nearness[2] < f32::EPSILON);
    }
}
