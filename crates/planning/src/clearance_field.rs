//! Distance to predicted obstacles around the robot at one point in time.

use sedge_spacetime::Pose2;
use sedge_world_model::{PredictedScan, RANGE_MAX_M, RangeReadout, ScanGeometry};
use serde::{Deserialize, Serialize};

use crate::ConfigError;
use crate::config::{check_count, check_non_negative, check_positive};
use crate::distance_transform::DistanceTransform;

const N_SIDE_MAX: usize = 512;
/// The share of its last bits that an angle of `f32` loses: beams at the very edge still count.
const EDGE_BEAMS: f32 = 0.51;

/// How space is taken that none of the predicted scans looks into.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum UnknownSpace {
    /// As free; right where scanners see little and nothing hides.
    Free,
    /// As if an obstacle were this far away, everywhere in it.
    AtMost {
        /// In metres, not negative; 0 makes it a wall.
        clearance_m: f64,
    },
}

/// How clearance is predicted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FieldConfig {
    /// Half the side of the square around the robot, in metres. Default 4.0; a plan must not leave
    /// it.
    pub half_size_m: f64,
    /// Side of a cell, in metres. Default 0.1: distances are exact to points, and blended between
    /// cells.
    pub cell_m: f64,
    /// Fields over a plan's time, from now to its end, at least two. Default 5: every 0.5 s of two
    /// seconds; between them clearance is blended.
    pub n_fields: usize,
    /// Plans that the model imagines, at most 3: the best known, straight to the goal, braking.
    /// Default 2: together with the fields this is how many scans are predicted a plan, and what
    /// most of its time is spent on.
    pub n_nominal: usize,
    /// Where obstacles are placed.
    pub readout: RangeReadout,
    /// Beams less likely to return than this show no obstacle. Default 0.3.
    pub hit_probability_min: f64,
    /// How many standard deviations of the predicted motion obstacles are taken to be closer by.
    /// Default 1.0.
    pub pose_sigmas: f64,
    /// What that may come to at most, in metres. Default 0.05: doubt about the own motion must not
    /// close every door.
    pub inflation_m_max: f64,
    /// How far from obstacles the base keeps where doubt is less than that, in metres: nearer is
    /// contact. Default 0.05, as the safety filter: it stops what comes nearer to measured points,
    /// and where a plan may, the same one is found and stopped for ever.
    pub keep_off_m: f64,
    /// How space is taken that no predicted scan looks into. Default: at most 0.5 m of clearance.
    pub unknown: UnknownSpace,
}

impl Default for FieldConfig {
    fn default() -> Self {
        Self {
            half_size_m: 4.0,
            cell_m: 0.1,
            n_fields: 5,
            n_nominal: 2,
            readout: RangeReadout::Median,
            hit_probability_min: 0.3,
            pose_sigmas: 1.0,
            inflation_m_max: 0.05,
            keep_off_m: 0.05,
            unknown: UnknownSpace::AtMost { clearance_m: 0.5 },
        }
    }
}

impl FieldConfig {
    /// Checks sizes and shares.
    ///
    /// # Errors
    /// [`ConfigError`] with the key that is wrong.
    pub fn check(&self) -> Result<(), ConfigError> {
        check_positive("field.half_size_m", self.half_size_m)?;
        check_positive("field.cell_m", self.cell_m)?;
        check_count("2 * half_size_m / cell_m", self.n_side(), 4, N_SIDE_MAX)?;
        check_count("field.n_fields", self.n_fields, 2, 200)?;
        check_count("field.n_nominal", self.n_nominal, 1, 3)?;
        check_non_negative("field.hit_probability_min", self.hit_probability_min)?;
        check_non_negative("field.pose_sigmas", self.pose_sigmas)?;
        check_non_negative("field.inflation_m_max", self.inflation_m_max)?;
        check_non_negative("field.keep_off_m", self.keep_off_m)?;
        match self.unknown {
            UnknownSpace::Free => Ok(()),
            UnknownSpace::AtMost { clearance_m } => {
                check_non_negative("field.unknown.at_most.clearance_m", clearance_m)
            }
        }
    }

    fn n_side(&self) -> usize {
        // A cast of what is not finite or too large saturates, and is refused.
        (2.0 * self.half_size_m / self.cell_m).ceil() as usize
    }
}

/// Distance to the nearest predicted obstacle at one point in time, in the robot's frame now.
///
/// Scans are added, then it is finished, then it answers; buffers are reused from one use to the
/// next. What lies outside of the square is answered as its edge.
#[derive(Debug, Clone)]
pub struct ClearanceField {
    config: FieldConfig,
    n_side: usize,
    cells_a_metre: f32,
    transform: DistanceTransform,
    /// 1 where a scan looked, else 0. `[row, column]`
    seen: Vec<u8>,
    distances_m: Vec<f32>,
    /// One row of beams and distances, for finding out what was seen.
    beams: Vec<f32>,
    reaches_m2: Vec<f32>,
    far_m: f32,
}

impl ClearanceField {
    /// A field where nothing is known to be in the way.
    ///
    /// # Errors
    /// [`ConfigError`] as [`FieldConfig::check`].
    pub fn new(config: FieldConfig) -> Result<Self, ConfigError> {
        config.check()?;
        let n_side = config.n_side();
        let cell_m = (2.0 * config.half_size_m / n_side as f64) as f32;
        let far_m = 4.0 * config.half_size_m as f32;
        Ok(Self {
            config,
            n_side,
            cells_a_metre: 1.0 / cell_m,
            transform: DistanceTransform::new(n_side, cell_m),
            seen: vec![0; n_side * n_side],
            distances_m: vec![far_m; n_side * n_side],
            beams: vec![0.0; n_side],
            reaches_m2: vec![0.0; n_side],
            far_m,
        })
    }

    /// Cells along a side.
    pub(crate) fn n_side(&self) -> usize {
        self.n_side
    }

    /// Side of a cell, in metres.
    pub(crate) fn cell_m(&self) -> f32 {
        1.0 / self.cells_a_metre
    }

    /// Distances of the cells' middles, once finished. `[row, column]`
    pub(crate) fn distances_m(&self) -> &[f32] {
        &self.distances_m
    }

    /// Answers as another finished field of the same size from now on; what that one was filled
    /// from is not needed for that.
    pub(crate) fn copy_from(&mut self, other: &Self) {
        self.distances_m.copy_from_slice(&other.distances_m);
    }

    /// Forgets all scans.
    pub fn clear(&mut self) {
        self.transform.clear();
        self.seen.fill(0);
    }

    /// Adds what one scan is predicted to see, from where its scanner will be then.
    pub fn add_scan(
        &mut self,
        scan: &PredictedScan,
        geometry: &ScanGeometry,
        now_from_scanner: Pose2,
    ) {
        let ranges_m = scan.ranges_m(self.config.readout);
        let hit_probability_min = self.config.hit_probability_min as f32;
        for (beam, (&range_m, &hit)) in ranges_m.iter().zip(&scan.hit_probability).enumerate() {
            // At the far end of what can be stated, "there" means "no nearer".
            if hit >= hit_probability_min && range_m < RANGE_MAX_M {
                let (sin, cos) = geometry.angle_rad(beam).sin_cos();
                let range_m = f64::from(range_m);
                let [x_m, y_m] = now_from_scanner.transform([range_m * cos, range_m * sin]);
                self.transform.add(x_m as f32, y_m as f32);
            }
        }
        if self.config.unknown != UnknownSpace::Free {
            self.mark_seen(ranges_m, geometry, now_from_scanner);
        }
    }

    /// Marks the cells that lie on beams, up to where each is predicted to end.
    fn mark_seen(&mut self, ranges_m: &[f32], geometry: &ScanGeometry, now_from_scanner: Pose2) {
        let scanner_from_now = now_from_scanner.inverse();
        let (sin, cos) = scanner_from_now.yaw_rad.sin_cos();
        let (sin, cos) = (sin as f32, cos as f32);
        let (x_m, y_m) = (scanner_from_now.x_m as f32, scanner_from_now.y_m as f32);
        // Angles are counted from the middle of the field of view, so that its edges are found.
        let half_span = 0.5 * (geometry.n_beams as f32 - 1.0);
        let middle_rad = geometry.first_angle_rad + f64::from(half_span) * geometry.step_rad;
        let (middle_sin, middle_cos) = middle_rad.sin_cos();
        let (middle_sin, middle_cos) = (middle_sin as f32, middle_cos as f32);
        let beams_a_rad = (1.0 / geometry.step_rad) as f32;
        let cell_m = 1.0 / self.cells_a_metre;
        for row in 0..self.n_side {
            let y_now_m = self.transform.middle_m(row);
            let columns = self.beams.iter_mut().zip(&mut self.reaches_m2).enumerate();
            for (column, (beam, reach_m2)) in columns {
                let x_now_m = self.transform.middle_m(column);
                let x = x_m + cos * x_now_m - sin * y_now_m;
                let y = y_m + sin * x_now_m + cos * y_now_m;
                let along = middle_cos * x + middle_sin * y;
                let across = middle_cos * y - middle_sin * x;
                *beam = half_span + beams_a_rad * angle_rad(across, along);
                *reach_m2 = x * x + y * y;
            }
            let from = row * self.n_side;
            let seen = &mut self.seen[from..from + self.n_side];
            for ((seen, &beam), &reach_m2) in seen.iter_mut().zip(&self.beams).zip(&self.reaches_m2)
            {
                if beam < -EDGE_BEAMS || beam > 2.0 * half_span + EDGE_BEAMS {
                    continue;
                }
                // A cast saturates at beam 0; the other end is checked.
                let Some(range_m) = ranges_m.get((beam + 0.5) as usize) else {
                    continue;
                };
                let range_m = range_m + cell_m;
                *seen |= u8::from(reach_m2 <= range_m * range_m);
            }
        }
    }

    /// Computes the distances from the scans added; `body_radius_m` around the robot is never
    /// unknown, because it stands there.
    pub fn finish(&mut self, body_radius_m: f64) {
        self.transform.write(self.far_m, &mut self.distances_m);
        let UnknownSpace::AtMost { clearance_m } = self.config.unknown else {
            return;
        };
        let known_m2 = (body_radius_m * body_radius_m) as f32;
        let clearance_m = clearance_m as f32;
        for row in 0..self.n_side {
            let y_m = self.transform.middle_m(row);
            let cells = row * self.n_side..(row + 1) * self.n_side;
            let cells = self.distances_m[cells.clone()]
                .iter_mut()
                .zip(&self.seen[cells]);
            for (column, (distance_m, &seen)) in cells.enumerate() {
                let x_m = self.transform.middle_m(column);
                let is_known = seen != 0 || x_m * x_m + y_m * y_m <= known_m2;
                let most_m = if is_known { self.far_m } else { clearance_m };
                *distance_m = distance_m.min(most_m);
            }
        }
    }

    /// Distance from a point to the nearest predicted obstacle, in metres, blended between cells.
    #[inline]
    pub fn distance_m(&self, x_m: f32, y_m: f32) -> f32 {
        let half = 0.5 * self.n_side as f32;
        let last = self.n_side as f32 - 1.0 - 1e-3;
        // The order makes NaN the first cell.
        let column = (x_m * self.cells_a_metre + half - 0.5).max(0.0).min(last);
        let row = (y_m * self.cells_a_metre + half - 0.5).max(0.0).min(last);
        let (left, below) = (column as usize, row as usize);
        let (to_right, up) = (column - left as f32, row - below as f32);
        let from = below * self.n_side + left;
        let below = &self.distances_m[from..from + 2];
        let above = &self.distances_m[from + self.n_side..from + self.n_side + 2];
        let near = below[0] + to_right * (below[1] - below[0]);
        let far = above[0] + to_right * (above[1] - above[0]);
        near + up * (far - near)
    }
}

/// `atan2` to 0.0004 rad without branches, so that a whole row of it becomes vector code
/// (a polynomial of the arc tangent over the smaller of the two, unfolded by octant).
fn angle_rad(y: f32, x: f32) -> f32 {
    use std::f32::consts::{FRAC_PI_2, PI};
    let (x_size, y_size) = (x.abs(), y.abs());
    let (small, large) = (x_size.min(y_size), x_size.max(y_size));
    let ratio = small / (large + f32::MIN_POSITIVE);
    let square = ratio * ratio;
    let octant = ratio * (0.999_866 + square * (-0.330_299_5 + square * series_end(square)));
    let quadrant = if y_size > x_size {
        FRAC_PI_2 - octant
    } else {
        octant
    };
    let half = if x < 0.0 { PI - quadrant } else { quadrant };
    half.copysign(y)
}

/// The rest of the polynomial of Abramowitz & Stegun, 4.4.49.
#[inline]
fn series_end(square: f32) -> f32 {
    0.180_141 + square * (-0.085_133 + square * 0.020_835_1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(n_beams: usize) -> ScanGeometry {
        ScanGeometry {
            first_angle_rad: -std::f64::consts::PI,
            step_rad: std::f64::consts::TAU / n_beams as f64,
            n_beams,
        }
    }

    fn field_of(unknown: UnknownSpace, geometry: &ScanGeometry, at: Pose2) -> ClearanceField {
        let config = FieldConfig {
            unknown,
            ..FieldConfig::default()
        };
        let mut field = ClearanceField::new(config).unwrap();
        field.clear();
        let scan = PredictedScan::certain(vec![2.0; geometry.n_beams]);
        field.add_scan(&scan, geometry, at);
        field.finish(0.25);
        field
    }

    #[test]
    fn the_quick_angle_is_the_angle() {
        for step in 0..1000 {
            let angle = (f64::from(step) - 500.0) / 500.0 * 3.13;
            let got = angle_rad(3.0 * angle.sin() as f32, 3.0 * angle.cos() as f32);
            assert!((f64::from(got) - angle).abs() < 4e-4, "{angle}: {got}");
        }
    }

    #[test]
    fn inside_a_round_room_clearance_is_the_distance_to_its_wall() {
        let field = field_of(UnknownSpace::Free, &ring(720), Pose2::IDENTITY);
        for (x, y) in [(1.0f32, 0.0f32), (-0.7, 0.9), (0.0, 1.8), (0.5, -0.4)] {
            let expected = 2.0 - x.hypot(y);
            assert!(
                (field.distance_m(x, y) - expected).abs() < 0.03,
                "({x}, {y})"
            );
        }
        // Outside it grows again: nothing is known to be there.
        assert!((field.distance_m(3.0, 0.0) - 1.0).abs() < 0.03);
    }

    #[test]
    fn behind_what_is_seen_clearance_is_what_unknown_space_is_given() {
        let unknown = UnknownSpace::AtMost { clearance_m: 0.2 };
        let field = field_of(unknown, &ring(360), Pose2::IDENTITY);
        assert!((field.distance_m(3.0, 0.5) - 0.2).abs() < 1e-6);
        assert!((field.distance_m(0.5, -0.5) - (2.0 - 0.5_f32.hypot(0.5))).abs() < 0.03);
    }

    #[test]
    fn a_half_circle_does_not_see_behind_itself() {
        let half = sedge_world_model::conformance::half_circle(181);
        let unknown = UnknownSpace::AtMost { clearance_m: 0.1 };
        let turned = Pose2::new(0.0, 0.0, std::f64::consts::FRAC_PI_2);
        let field = field_of(unknown, &half, turned);
        assert!(field.distance_m(0.0, 1.0) > 0.9);
        assert!(field.distance_m(1.0, 0.5) > 0.8);
        assert!((field.distance_m(0.0, -1.0) - 0.1).abs() < 1e-6);
        // Its own place is known.
        assert!(field.distance_m(0.0, -0.05) > 1.0);
    }

    #[test]
    fn beams_that_are_not_expected_back_show_no_obstacle() {
        let geometry = ring(360);
        let mut field = ClearanceField::new(FieldConfig::default()).unwrap();
        let mut scan = PredictedScan::certain(vec![2.0; 360]);
        scan.hit_probability.fill(0.1);
        field.clear();
        field.add_scan(&scan, &geometry, Pose2::IDENTITY);
        field.finish(0.25);
        assert!(field.distance_m(1.0, 0.0) > 5.0);
    }

    #[test]
    fn positions_that_are_no_numbers_or_far_away_are_answered() {
        let field = field_of(UnknownSpace::Free, &ring(360), Pose2::IDENTITY);
        for (x, y) in [(f32::NAN, 0.0), (1e30, -1e30), (f32::INFINITY, 3.0)] {
            assert!(field.distance_m(x, y).is_finite());
        }
    }
}
