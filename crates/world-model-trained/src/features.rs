//! Plain numbers to network inputs: one place for every scaling.

use std::time::Duration;

use sedge_spacetime::Pose2;
use sedge_world_model::{
    Candidate, CandidateSet, LidarScan, MoverRows, RANGE_MAX_M, Reused, ScanGeometry,
};

use crate::checkpoint::Normalisation;
use crate::company_rows::{IMU_SCALES, OTHER_SCALES};
use crate::motion_correction::ERROR_SCALE;
use crate::structure::{
    COMPONENTS, DECODER_CHANNELS, ENCODER_BEAMS, ENCODER_CHANNELS, MOTION_INPUTS,
    STEP_REFERENCE_SECS,
};

/// One unit of a mover's speed, m/s; of its age, seconds; of its doubt, metres.
const MOVER_SCALES: [f32; 3] = [1.5, 5.0, 0.5];
/// No more than so many units of any of them.
const MOVER_UNITS_MAX: f32 = 3.0;

/// Range at which the log scale bends, in metres.
const LOG_RANGE_BEND_M: f32 = 0.5;
const AGE_MAX_SECS: f32 = 20.0;
/// One unit of movement per scan, as networks see it: metres and radians.
const STEP_MOTION_SCALE: [f64; 3] = [0.1, 0.1, 0.1];
const HORIZON_SCALE_SECS: f32 = 2.0;

/// The constants above, for a checkpoint's story.
pub fn normalisation() -> Normalisation {
    Normalisation {
        log_range_bend_m: LOG_RANGE_BEND_M,
        range_max_m: RANGE_MAX_M,
        step_motion: STEP_MOTION_SCALE,
        motion_error: ERROR_SCALE,
        horizon_secs: HORIZON_SCALE_SECS,
        step_reference_secs: STEP_REFERENCE_SECS,
        mover: MOVER_SCALES,
        others: OTHER_SCALES,
        imu: IMU_SCALES,
    }
}

/// A range on a log scale from 0 to 1.
fn log_range(range_m: f32) -> f32 {
    (1.0 + range_m / LOG_RANGE_BEND_M).ln() / (1.0 + RANGE_MAX_M / LOG_RANGE_BEND_M).ln()
}

/// A scan as the encoder sees it: log range, hit and valid per bin over the field of view. A bin
/// takes its nearest return; a bin with beams but no return is valid without a hit.
///
/// # Shapes
/// `[channel, bin]`, flat.
pub fn encoder_scan(scan: &LidarScan) -> Reused<f32> {
    let n_beams = scan.ranges_m.len();
    let mut nearest = [f32::INFINITY; ENCODER_BEAMS];
    let mut row = Reused::filled(0.0, ENCODER_CHANNELS * ENCODER_BEAMS);
    for bin in 0..ENCODER_BEAMS.max(n_beams) {
        // Finer scans: every beam has a bin. Coarser ones: every bin has a beam.
        let (bin, beam) = if n_beams >= ENCODER_BEAMS {
            (bin * ENCODER_BEAMS / n_beams, bin)
        } else {
            (bin, bin * n_beams / ENCODER_BEAMS)
        };
        row[2 * ENCODER_BEAMS + bin] = 1.0;
        if scan.is_valid(beam) {
            nearest[bin] = nearest[bin].min(scan.ranges_m[beam]);
        }
    }
    for (bin, &range_m) in nearest.iter().enumerate() {
        if range_m.is_finite() {
            row[bin] = log_range(range_m);
            row[ENCODER_BEAMS + bin] = 1.0;
        }
    }
    row
}

/// A movement that took `dt_secs`, as networks see it.
pub fn motion_row(motion: Pose2, dt_secs: f64) -> [f32; MOTION_INPUTS] {
    let [x, y, yaw] = STEP_MOTION_SCALE;
    [
        (motion.x_m / x) as f32,
        (motion.y_m / y) as f32,
        (motion.yaw_rad / yaw) as f32,
        dt_secs.max(1e-3).ln() as f32,
    ]
}

/// The decoder's view of futures, one after the other.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DecoderRows {
    /// What each beam is told. `[future, DECODER_CHANNELS, beam]`
    pub features: Vec<f32>,
    /// The candidates of [`COMPONENTS`] in metres. `[future, N_COMPONENTS - 1, beam]`
    pub candidates_m: Vec<f32>,
}

impl DecoderRows {
    /// Without a future, and with room for so many.
    pub fn with_capacity(batch: usize, n_beams: usize) -> Self {
        Self {
            features: Vec::with_capacity(batch * DECODER_CHANNELS * n_beams),
            candidates_m: Vec::with_capacity(batch * COMPONENTS.len() * n_beams),
        }
    }

    /// Forgets all futures but keeps their memory.
    pub(crate) fn clear(&mut self) {
        self.features.clear();
        self.candidates_m.clear();
    }

    /// Appends one future.
    pub fn push(&mut self, view: &FutureView<'_>) {
        let set = view.candidates;
        let n_beams = set.n_beams;
        let rows = &mut self.features;
        for candidate in Candidate::ALL {
            rows.extend(set.row(candidate).iter().map(|&range| log_range(range)));
        }
        for candidate in Candidate::ALL {
            rows.extend(
                set.hole_row(candidate)
                    .iter()
                    .map(|&hole| f32::from(u8::from(hole))),
            );
        }
        rows.extend(set.spread_m.iter().map(|&spread| log_range(spread)));
        rows.extend(
            set.age_secs
                .iter()
                .map(|&age| (age / AGE_MAX_SECS).min(1.0).sqrt()),
        );
        push_movers(rows, &set.movers);
        let (sin, cos) = view.motion.yaw_rad.sin_cos();
        let horizon = view.horizon.as_secs_f32() / HORIZON_SCALE_SECS;
        let whole = [
            view.motion.x_m as f32,
            view.motion.y_m as f32,
            sin as f32,
            cos as f32,
            horizon,
        ];
        for value in whole {
            rows.extend(std::iter::repeat_n(value, n_beams));
        }
        rows.extend((0..n_beams).map(|beam| view.angle_rad(beam).sin()));
        rows.extend((0..n_beams).map(|beam| view.angle_rad(beam).cos()));
        for candidate in COMPONENTS {
            self.candidates_m.extend_from_slice(set.row(candidate));
        }
    }
}

/// The rows of [`MoverRows`], scaled; zeros where there is no mover.
fn push_movers(rows: &mut Vec<f32>, movers: &MoverRows) {
    let [speed, age, doubt] = MOVER_SCALES;
    let units = |value: f32, unit: f32| (value / unit).min(MOVER_UNITS_MAX);
    rows.extend_from_slice(&movers.nearness);
    let is_there = movers.nearness.iter().map(|&nearness| nearness > 0.0);
    let range = |(there, &range): (bool, &f32)| {
        if there {
            log_range(range.max(0.0))
        } else {
            0.0
        }
    };
    rows.extend(is_there.zip(&movers.range_m).map(range));
    rows.extend(movers.speed_mps.iter().map(|&value| units(value, speed)));
    rows.extend(movers.age_secs.iter().map(|&value| units(value, age)));
    rows.extend(movers.sigma_m.iter().map(|&value| units(value, doubt)));
}

/// One future to decode.
#[derive(Debug, Clone, Copy)]
pub struct FutureView<'a> {
    /// What geometry expects there.
    pub candidates: &'a CandidateSet,
    /// `now_from_then`
    pub motion: Pose2,
    /// How far ahead.
    pub horizon: Duration,
    /// The scanner.
    pub geometry: ScanGeometry,
}

impl FutureView<'_> {
    fn angle_rad(&self, beam_idx: usize) -> f32 {
        self.geometry.angle_rad(beam_idx) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sedge_world_model::ScanGeometry;

    fn scan(ranges_m: Vec<f32>) -> LidarScan {
        let geometry = ScanGeometry {
            first_angle_rad: 0.0,
            step_rad: 0.01,
            n_beams: ranges_m.len(),
        };
        LidarScan {
            geometry,
            ranges_m: ranges_m.into(),
        }
    }

    #[test]
    fn fine_and_coarse_scans_of_one_wall_look_alike() {
        let coarse = encoder_scan(&scan(vec![3.0; 181]));
        let fine = encoder_scan(&scan(vec![3.0; 1081]));
        assert_eq!(coarse, fine);
    }

    #[test]
    fn a_bin_keeps_its_nearest_return_and_no_return_is_no_range() {
        let mut ranges = vec![81.91; 720];
        (ranges[0], ranges[1]) = (4.0, 2.0);
        let row = encoder_scan(&scan(ranges));
        assert!((row[0] - log_range(2.0)).abs() < 1e-6);
        assert_eq!(
            (row[1], row[ENCODER_BEAMS + 1], row[2 * ENCODER_BEAMS + 1]),
            (0.0, 0.0, 1.0)
        );
    }

    #[test]
    fn log_range_runs_from_zero_to_one() {
        assert!(log_range(0.0).abs() < 1e-6 && (log_range(RANGE_MAX_M) - 1.0).abs() < 1e-6);
    }
}
