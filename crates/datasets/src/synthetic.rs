//! The synthetic corridor: a log that no robot drove, for demonstrations and tests.
//!
//! A long corridor with doorways, a side corridor and rooms with boxes; people who walk along and
//! across it; a robot that drives, turns, slows down and pauses. Rays are cast exactly. The log
//! has the faults of real ones: odometry that slips and is off in distance, turn rate and heading,
//! a scanner ahead of the base whose stamps are late, centimetre resolution, noise, and a code
//! where nothing came back.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha12Rng;
use sedge_spacetime::{Pose2, Stamp};
use sedge_world_model::{Episode, EpisodeScan, LidarScan, OdometrySample, ScanGeometry};

use crate::OdometrySource;
use crate::reading::{LogFormat, LogReading, LogWarnings};
use crate::scan_line::half_circle;
use crate::write_carmen::{CarmenLayout, write_carmen};

mod drive;
mod world;

use drive::{STEP, State, normal};
use world::World;

/// What the scanner says where nothing came back, as SICK scanners do, metres.
const NO_RETURN_CODE_M: f64 = 81.91;
/// The scanner sees no farther, metres.
const SIGHT_M: f64 = 30.0;
/// Share of beams that come back from nothing at all, such as glass.
const LOST_SHARE: f64 = 0.003;
/// Steps between odometry samples: 20 Hz.
const STEPS_PER_SAMPLE: usize = 5;
/// The longest drive and the longest latency.
const DURATION_MAX: Duration = Duration::from_hours(4);
const LATENCY_MAX: Duration = Duration::from_secs(2);
/// The most people.
const WALKERS_MAX: usize = 1000;
/// The most beams: a scan is cast beam by beam.
const BEAMS_MAX: usize = 4096;

/// What the synthetic corridor is like.
#[derive(Debug, Clone, PartialEq)]
pub struct SyntheticConfig {
    /// The same seed gives the same log.
    pub seed: u64,
    /// How long the drive is: 1 s to 4 h. Default 300 s.
    pub duration: Duration,
    /// Beams over half a circle: 2 to 4096. Default 180.
    pub n_beams: usize,
    /// How many people walk about: at most 1000. Default 4.
    pub n_walkers: usize,
    /// How much later a scan is stamped than it was seen; kept to 10 ms, at most 2 s. Default
    /// 0.15 s.
    pub latency: Duration,
    /// Standard deviation of a range, in metres. Default 0.01.
    pub range_noise_m: f64,
    /// Metres that odometry counts per metre. Default 1.01.
    pub distance_scale: f64,
    /// Radians that odometry counts per radian. Default 0.97.
    pub yaw_scale: f64,
    /// Left turn that odometry misses per metre, in radians. Default 0.016.
    pub hidden_turn_rad_per_m: f64,
    /// How far ahead of the base the scanner is, in metres. Default 0.04.
    pub lever_arm_m: f64,
}

impl SyntheticConfig {
    /// Everything else by default.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            duration: Duration::from_mins(5),
            n_beams: 180,
            n_walkers: 4,
            latency: Duration::from_millis(150),
            range_noise_m: 0.01,
            distance_scale: 1.01,
            yaw_scale: 0.97,
            hidden_turn_rad_per_m: 0.016,
            lever_arm_m: 0.04,
        }
    }

    fn check(&self) -> Result<(), SyntheticError> {
        let durations = [
            (
                "duration",
                self.duration,
                Duration::from_secs(1),
                DURATION_MAX,
            ),
            ("latency", self.latency, Duration::ZERO, LATENCY_MAX),
        ];
        for (field, got, min, max) in durations {
            if got < min || got > max {
                let expected = format!("{min:?} to {max:?}");
                return Err(SyntheticError {
                    field,
                    expected,
                    got: format!("{got:?}"),
                });
            }
        }
        let counts = [
            ("n_beams", self.n_beams, 2, BEAMS_MAX),
            ("n_walkers", self.n_walkers, 0, WALKERS_MAX),
        ];
        for (field, got, min, max) in counts {
            if got < min || got > max {
                let expected = format!("{min} to {max}");
                return Err(SyntheticError {
                    field,
                    expected,
                    got: got.to_string(),
                });
            }
        }
        let numbers = [
            ("range_noise_m", self.range_noise_m, 0.0, 1.0),
            ("distance_scale", self.distance_scale, 0.5, 2.0),
            ("yaw_scale", self.yaw_scale, 0.5, 2.0),
            (
                "hidden_turn_rad_per_m",
                self.hidden_turn_rad_per_m,
                -1.0,
                1.0,
            ),
            ("lever_arm_m", self.lever_arm_m, -1.0, 1.0),
        ];
        for (field, got, min, max) in numbers {
            if !(min..=max).contains(&got) {
                let expected = format!("{min} to {max}");
                return Err(SyntheticError {
                    field,
                    expected,
                    got: got.to_string(),
                });
            }
        }
        Ok(())
    }
}

/// A field of a [`SyntheticConfig`] is out of its range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("synthetic corridor: expected {field} of {expected}, got {got}")]
pub struct SyntheticError {
    field: &'static str,
    expected: String,
    got: String,
}

/// Makes the log of a synthetic drive: a function of its configuration and nothing else.
///
/// Scans come about every 0.23 s, odometry at 20 Hz and at each scan's stamp. The reference is the
/// scanner's true pose with a little jitter. The source's hash is that of the text that
/// [`write_carmen`] gives in the ordinary layout.
///
/// # Errors
/// [`SyntheticError`] when a field is out of its range.
pub fn synthetic_corridor(config: &SyntheticConfig) -> Result<LogReading, SyntheticError> {
    config.check()?;
    let mut rng = ChaCha12Rng::seed_from_u64(config.seed);
    let world = World::new(config.n_walkers, &mut rng);
    let n_steps = (config.duration.as_nanos() / STEP.as_nanos()) as usize;
    let states = drive::drive(n_steps, config, &mut rng);
    let latency_steps = (config.latency.as_nanos() / STEP.as_nanos()) as usize;

    let geometry = half_circle(config.n_beams);
    let mut scans = Vec::new();
    let mut sample_steps: BTreeSet<usize> = (0..=n_steps).step_by(STEPS_PER_SAMPLE).collect();
    let mut seen_step = 0;
    while seen_step + latency_steps <= n_steps {
        let stamp_step = seen_step + latency_steps;
        let world_from_base = states[seen_step].world_from_base;
        let world_from_scanner = world_from_base * Pose2::new(config.lever_arm_m, 0.0, 0.0);
        let scan = cast(
            &world,
            (world_from_scanner, seen_step),
            config,
            geometry,
            &mut rng,
        );
        let reference = Some(world_from_scanner * jitter(&mut rng));
        scans.push(EpisodeScan {
            stamp: stamp_of(stamp_step),
            scan,
            reference,
            moving: None,
        });
        sample_steps.insert(stamp_step);
        let is_missed = rng.random_bool(0.01);
        seen_step += rng.random_range(20..27) * if is_missed { 2 } else { 1 };
    }
    let sample = |step: usize| OdometrySample {
        stamp: stamp_of(step),
        odometry_from_base: states
            .get(step)
            .map_or(Pose2::IDENTITY, |s: &State| s.odometry_from_base),
    };
    let mut episode = Episode {
        name: format!("synthetic corridor (seed {})", config.seed),
        source_hash: String::new(),
        geometry,
        scans,
        odometry: sample_steps.into_iter().map(sample).collect(),
        others: Vec::new(),
    };
    episode.source_hash = hash_of(&episode);
    let warnings = LogWarnings::of(&episode, OdometrySource::LinesAndScans, BTreeMap::new(), 0);
    Ok(LogReading {
        episode,
        format: LogFormat::Synthetic,
        defect: None,
        warnings,
    })
}

fn hash_of(episode: &Episode) -> String {
    let mut hasher = blake3::Hasher::new();
    write_carmen(episode, CarmenLayout::Ordinary, &mut hasher)
        .expect("hashing writes into memory and cannot fail");
    hasher.finalize().to_hex().to_string()
}

fn stamp_of(step: usize) -> Stamp {
    Stamp::ZERO + STEP * u32::try_from(step).expect("four hours have fewer steps than 2^32")
}

/// What a scan matcher leaves of the truth.
fn jitter(rng: &mut ChaCha12Rng) -> Pose2 {
    Pose2::new(
        0.004 * normal(rng),
        0.004 * normal(rng),
        0.002 * normal(rng),
    )
}

fn cast(
    world: &World,
    (world_from_scanner, step): (Pose2, usize),
    config: &SyntheticConfig,
    geometry: ScanGeometry,
    rng: &mut ChaCha12Rng,
) -> LidarScan {
    let origin = [world_from_scanner.x_m, world_from_scanner.y_m];
    let people = world.people(origin, step as f64 * drive::STEP_SECS);
    let ranges_m: Arc<[f32]> = (0..geometry.n_beams)
        .map(|beam_idx| {
            let angle_rad = world_from_scanner.yaw_rad + geometry.angle_rad(beam_idx);
            let seen_m = world.range_m(origin, angle_rad, &people);
            let noise_m = config.range_noise_m * normal(rng);
            let is_lost = rng.random_bool(LOST_SHARE);
            let range_m = match seen_m.filter(|range| *range < SIGHT_M && !is_lost) {
                Some(range_m) => ((range_m + noise_m).max(0.03) * 100.0).round() / 100.0,
                None => NO_RETURN_CODE_M,
            };
            range_m as f32
        })
        .collect();
    LidarScan { geometry, ranges_m }
}

#[cfg(test)]
mod tests;
