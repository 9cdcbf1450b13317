//! Draws a made-up drive through a made-up room, so that the screen can be seen without a robot.
//!
//! `cargo run -p sedge-viewer --example viewer_screen -- file drive.rrd`, then `rerun drive.rrd`;
//! or `-- spawn` to see it at once. `-- file drive.rrd drive.png` also takes a picture.

use std::collections::VecDeque;
use std::error::Error;
use std::f64::consts::TAU;
use std::path::Path;
use std::time::Duration;

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use sedge_spacetime::{AgentName, Covariance2, Pose2, Stamp};
use sedge_viewer::{
    Forecaster, QueueFull, ScanError, ScreenshotConfig, TextLevel, Viewer, ViewerConfig,
    ViewerTarget, screenshot,
};
use sedge_world_model::{LidarScan, PredictedScan, ScanGeometry};

const SEED: u64 = 7;
const STEP: Duration = Duration::from_millis(100);
const N_STEPS: u32 = 300;
const HORIZONS: [Duration; 3] = [
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
];
const GEOMETRY: ScanGeometry = ScanGeometry {
    first_angle_rad: -TAU / 4.0,
    step_rad: TAU / 360.0,
    n_beams: 181,
};
/// Walls as pairs of corners, in metres: a room, a partition and a cupboard.
const WALLS_M: [[[f64; 2]; 2]; 9] = [
    [[-5.0, -3.5], [5.0, -3.5]],
    [[5.0, -3.5], [5.0, 3.5]],
    [[5.0, 3.5], [-5.0, 3.5]],
    [[-5.0, 3.5], [-5.0, -3.5]],
    [[-0.8, 0.0], [0.9, 0.0]],
    [[3.6, 3.5], [3.6, 2.6]],
    [[3.6, 2.6], [5.0, 2.6]],
    [[-5.0, -1.2], [-4.2, -1.2]],
    [[-4.2, -1.2], [-4.2, -2.4]],
];
/// Somebody who walks through the room: radius in metres.
const WALKER_RADIUS_M: f64 = 0.3;

fn main() -> Result<(), Box<dyn Error>> {
    let mut words: Vec<String> = std::env::args().skip(1).collect();
    let picture = if words.len() > 2 { words.pop() } else { None };
    let target = ViewerTarget::parse_words(&words)?;
    // A real run is paced by its sensors; this one waits for the drawing thread.
    let queue_full = QueueFull::Wait(Duration::from_secs(1));
    let config = ViewerConfig {
        queue_full,
        ..ViewerConfig::new("sedge", format!("seed-{SEED}"))
    };
    let viewer = Viewer::open(&target, &config)?;
    drive(&viewer)?;
    println!("{:?}", viewer.counts());
    drop(viewer);
    if let (Some(picture), ViewerTarget::File(recording)) = (picture, &target) {
        let outcome = screenshot(recording, Path::new(&picture), &ScreenshotConfig::default())?;
        println!("{picture}: {outcome:?}");
    }
    Ok(())
}

/// A prediction on its way to be graded.
struct Pending {
    due_step: u32,
    horizon: Duration,
    scan: PredictedScan,
}

fn drive(viewer: &Viewer) -> Result<(), Box<dyn Error>> {
    let agent = AgentName::new("crane1")?;
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    let mut pending: VecDeque<Pending> = VecDeque::new();
    let mut history: Vec<LidarScan> = Vec::new();
    viewer
        .at(&agent, Stamp::ZERO)
        .text(TextLevel::Info, "model loaded");
    for step in 0..N_STEPS {
        let canvas = viewer.at(&agent, Stamp::ZERO + STEP * step);
        let pose = pose_at(f64::from(step));
        let scan = measured(step, &mut rng);
        let sigma_m = 0.03 + 0.05 * (f64::from(step) / 40.0).sin().abs();
        canvas.pose(
            pose,
            &Covariance2::from_sigmas([sigma_m, 1.6 * sigma_m, 0.02]),
        );
        canvas.scan(pose, &scan);
        for due in pending.iter().filter(|pending| pending.due_step == step) {
            canvas.arrived(due.horizon, &due.scan, &scan);
            let steps_ago = steps(due.horizon) as usize;
            let stale = &history[history.len() - steps_ago];
            let model = graded(&due.scan.mode_m, &scan);
            let persistence = graded(&stale.ranges_m, &scan);
            let geometry = ScanError {
                mae_m: 0.6 * persistence.mae_m + 0.4 * model.mae_m,
                within_10cm: 0.5 * (persistence.within_10cm + model.within_10cm),
            };
            canvas.error(due.horizon, Forecaster::Model, model);
            canvas.error(due.horizon, Forecaster::Geometry, geometry);
            canvas.error(due.horizon, Forecaster::Persistence, persistence);
        }
        pending.retain(|pending| pending.due_step > step);
        for horizon in HORIZONS {
            let due_step = step + steps(horizon);
            let scan = predicted(due_step, horizon, &mut rng);
            canvas.prediction(horizon, pose_at(f64::from(due_step)), &scan, &GEOMETRY);
            pending.push_back(Pending {
                due_step,
                horizon,
                scan,
            });
        }
        for (stage, micros) in [("decode", 40.0), ("fuse", 900.0), ("imagine", 2600.0)] {
            let jitter: f64 = rng.random_range(0.8..1.3);
            canvas.latency(stage, Duration::from_secs_f64(1e-6 * micros * jitter));
        }
        match step {
            90 => canvas.text(TextLevel::Warn, "surprise: somebody walks in"),
            200 => canvas.text(TextLevel::Info, "calibration settled"),
            280 => canvas.text(TextLevel::Error, "imagine missed its budget of 3 ms"),
            _ => {}
        }
        history.push(scan);
    }
    Ok(())
}

fn steps(horizon: Duration) -> u32 {
    (horizon.as_millis() / STEP.as_millis()) as u32
}

/// An ellipse around the partition, once in 20 s.
fn pose_at(step: f64) -> Pose2 {
    let angle = TAU * step / 200.0;
    let (sin, cos) = angle.sin_cos();
    Pose2::new(3.2 * cos, 2.0 * sin, (2.0 * cos).atan2(-3.2 * sin))
}

fn walker_at(step: f64) -> [f64; 2] {
    [-4.0 + 0.03 * step, 2.2 - 2.8 * (step / 70.0).sin()]
}

fn measured(step: u32, rng: &mut ChaCha8Rng) -> LidarScan {
    let pose = pose_at(f64::from(step));
    let mut beam = |beam_idx| {
        let range_m = cast(pose, beam_idx, walker_at(f64::from(step)));
        range_m + rng.random_range(-0.015..0.015f32)
    };
    LidarScan {
        geometry: GEOMETRY,
        ranges_m: (0..GEOMETRY.n_beams).map(&mut beam).collect(),
    }
}

/// The true future, spoilt: a wrong heading, and a walker who is expected to stand still.
fn predicted(due_step: u32, horizon: Duration, rng: &mut ChaCha8Rng) -> PredictedScan {
    let (secs, due) = (horizon.as_secs_f64(), f64::from(due_step));
    let truth = pose_at(due);
    let turn_rad = 0.02 * secs * rng.random_range(-1.0..1.0);
    let pose = truth * Pose2::new(0.04 * secs * rng.random_range(-1.0..1.0), 0.0, turn_rad);
    let walker = walker_at(due - f64::from(steps(horizon)));
    let ranges: Vec<f32> = (0..GEOMETRY.n_beams)
        .map(|beam| cast(pose, beam, walker))
        .collect();
    let mut scan = PredictedScan::certain(ranges.iter().copied());
    for (beam_idx, range_m) in ranges.iter().enumerate() {
        let neighbour = ranges[(beam_idx + 1).min(ranges.len() - 1)];
        let edge_m = (neighbour - range_m).abs().min(0.5);
        let doubt_m = (0.03 + 0.02 * range_m + edge_m) * secs as f32;
        scan.low_m[beam_idx] = (range_m - doubt_m).max(0.05);
        scan.high_m[beam_idx] = range_m + doubt_m;
    }
    scan
}

fn graded(predicted_m: &[f32], came: &LidarScan) -> ScanError {
    let errors: Vec<f64> = predicted_m
        .iter()
        .zip(came.ranges_m.iter())
        .map(|(a, b)| f64::from((a - b).abs()))
        .collect();
    let n_beams = errors.len() as f64;
    ScanError {
        mae_m: errors.iter().sum::<f64>() / n_beams,
        within_10cm: errors.iter().filter(|error| **error < 0.1).count() as f64 / n_beams,
    }
}

/// Range of one beam to the nearest wall or walker, in metres.
fn cast(pose: Pose2, beam_idx: usize, walker: [f64; 2]) -> f32 {
    let (sin, cos) = (pose.yaw_rad + GEOMETRY.angle_rad(beam_idx)).sin_cos();
    let walls = WALLS_M
        .iter()
        .filter_map(|wall| to_wall(pose, [cos, sin], wall));
    let nearest = walls
        .chain(to_walker(pose, [cos, sin], walker))
        .fold(20.0, f64::min);
    nearest as f32
}

fn to_wall(pose: Pose2, ray: [f64; 2], [from, to]: &[[f64; 2]; 2]) -> Option<f64> {
    let along = [to[0] - from[0], to[1] - from[1]];
    let offset = [from[0] - pose.x_m, from[1] - pose.y_m];
    let cross = ray[0] * along[1] - ray[1] * along[0];
    let range = (offset[0] * along[1] - offset[1] * along[0]) / cross;
    let share = (offset[0] * ray[1] - offset[1] * ray[0]) / cross;
    (range > 0.0 && (0.0..=1.0).contains(&share)).then_some(range)
}

fn to_walker(pose: Pose2, ray: [f64; 2], walker: [f64; 2]) -> Option<f64> {
    let offset = [walker[0] - pose.x_m, walker[1] - pose.y_m];
    let along = offset[0] * ray[0] + offset[1] * ray[1];
    let aside = offset[0] * ray[1] - offset[1] * ray[0];
    let half = (WALKER_RADIUS_M * WALKER_RADIUS_M - aside * aside).sqrt();
    (along > half).then_some(along - half)
}
