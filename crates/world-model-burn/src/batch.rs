//! One update's worth of data, drawn from a seed and an update number alone.

use burn::tensor::{Bool, Device, Int, Tensor, TensorData};
use rand::{Rng as _, RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use sedge_spacetime::Pose2;
use sedge_world_model::{CandidateSet, RANGE_MAX_M, RANGE_MIN_M, Reused};
use sedge_world_model_trained::structure::{
    COMPONENTS, DECODER_CHANNELS, ENCODER_BEAMS, ENCODER_CHANNELS, IMAGINE_STEPS, IMU_INPUTS,
    MOTION_INPUTS, N_OTHERS, OTHER_INPUTS,
};
use sedge_world_model_trained::{DecoderRows, FutureView, Hidden, TrainConfig, motion_row};

use crate::decoder::DecoderInput;
use crate::encoder::{OthersInput, SensedInput};
use crate::training_set::{Pair, TrainingSet};

/// Whether a stretch is seen as it was or in a mirror (left and right swapped).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum View {
    Plain,
    Mirrored,
}

/// One stretch of a batch and the pairs graded in it.
struct Stretch {
    first: usize,
    view: View,
    /// What is hidden at each scan. `[position]`
    hidden: Vec<Hidden>,
    /// `(position in the stretch, pair)`
    branches: Vec<(usize, usize)>,
}

/// A shard's tensors.
///
/// # Shapes
/// `S` stretches of `L` scans, `N` graded predictions.
pub(crate) struct Batch {
    /// Rows `[L * S]`, time-major.
    pub(crate) sensed: SensedInput,
    /// `[L * S, 1]`
    pub(crate) dt_secs: Tensor<2>,
    /// Gumbel noise of the filter. `[L * S, stoch]`
    pub(crate) filter_noise: Tensor<2>,
    /// Row of the stacked latents that each prediction starts from. `[N]`
    pub(crate) start_rows: Tensor<1, Int>,
    /// Movement and time step of one part of the way. `[N, 4]`, `[N, 1]`
    pub(crate) part_motions: Tensor<2>,
    pub(crate) part_dt_secs: Tensor<2>,
    /// Movement over the whole way. `[N, 4]`
    pub(crate) whole_motions: Tensor<2>,
    /// Gumbel noise per imagined step. `[N, stoch]`
    pub(crate) imagine_noise: Vec<Tensor<2>>,
    pub(crate) decoder: DecoderInput,
    /// What came: ranges in metres, and which of them count. `[N, beam]`
    pub(crate) target_m: Tensor<2>,
    pub(crate) target_valid: Tensor<2, Bool>,
    /// What came, as the encoder sees it. Rows `[N]`
    pub(crate) target_sensed: SensedInput,
    /// What the motion head should say. `[N, 3]`
    pub(crate) motion_errors: Tensor<2>,
    pub(crate) stretch_scans: usize,
}

/// The generator of one shard of one update: a stream of its own, so that resuming at any update
/// draws what an uninterrupted run would have drawn.
pub(crate) fn shard_rng(seed: u64, update: usize, shard: usize) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(1 + (update as u64) * 64 + shard as u64);
    rng
}

/// Draws a shard's share of an update.
pub(crate) fn draw(
    set: &TrainingSet,
    config: &TrainConfig,
    rng: &mut ChaCha8Rng,
    device: &Device,
) -> Batch {
    let stretches: Vec<Stretch> = (0..config.stretches / config.shards.max(1))
        .map(|_| draw_stretch(set, config, rng))
        .collect();
    BatchRows::gather(set, config, &stretches).into_tensors(config, rng, device)
}

fn draw_stretch(set: &TrainingSet, config: &TrainConfig, rng: &mut ChaCha8Rng) -> Stretch {
    let first = set.stretch_starts[rng.random_range(0..set.stretch_starts.len())];
    let view = if rng.random::<bool>() {
        View::Mirrored
    } else {
        View::Plain
    };
    // Starts in the later half only: before, the latent has not seen enough.
    let graded: Vec<usize> = (config.stretch_scans / 2..config.stretch_scans)
        .filter(|position| !set.pairs_of_start[first + position].is_empty())
        .collect();
    let branches = (0..config.branches)
        .map(|_| {
            let position = graded[rng.random_range(0..graded.len())];
            let pairs = &set.pairs_of_start[first + position];
            (position, pairs[rng.random_range(0..pairs.len())])
        })
        .collect();
    Stretch {
        first,
        view,
        hidden: draw_hidden(config, rng),
        branches,
    }
}

/// What a network has to do without in a stretch.
fn draw_hidden(config: &TrainConfig, rng: &mut ChaCha8Rng) -> Vec<Hidden> {
    let imu = rng.random_bool(config.imu_dropout);
    let everybody = rng.random_bool(0.5 * config.others_dropout);
    (0..config.stretch_scans)
        .map(|_| {
            let others =
                std::array::from_fn(|_| rng.random_bool(config.others_dropout) || everybody);
            Hidden { imu, others }
        })
        .collect()
}

/// Encoder inputs before they become tensors.
#[derive(Default)]
struct SensedRows {
    n_rows: usize,
    scans: Vec<f32>,
    motions: Vec<f32>,
    imu: Vec<f32>,
    others: Vec<f32>,
    valid: Vec<f32>,
}

impl SensedRows {
    fn push(
        &mut self,
        set: &TrainingSet,
        (scan, view): (usize, View),
        motion: [f32; MOTION_INPUTS],
        hidden: Hidden,
    ) {
        self.n_rows += 1;
        push_scan(&mut self.scans, &set.scans[scan], view);
        self.motions.extend(motion);
        let company = set.company[scan].without(hidden);
        let company = match view {
            View::Plain => company,
            View::Mirrored => company.mirrored(),
        };
        self.imu.extend(company.imu);
        self.others.extend_from_slice(&company.others);
        self.valid.extend(company.valid);
    }

    fn into_input(self, device: &Device) -> SensedInput {
        let n = self.n_rows;
        let two = |values: Vec<f32>, width: usize| {
            Tensor::<2>::from_data(TensorData::new(values, [n, width]), device)
        };
        let three = |values: Vec<f32>, rows: usize, width: usize| {
            Tensor::<3>::from_data(TensorData::new(values, [n, rows, width]), device)
        };
        let is_anybody_there = self.valid.iter().any(|&valid| valid > 0.0);
        SensedInput {
            scans: three(self.scans, ENCODER_CHANNELS, ENCODER_BEAMS),
            motions: two(self.motions, MOTION_INPUTS),
            imu: two(self.imu, IMU_INPUTS),
            others: is_anybody_there.then(|| OthersInput {
                rows: three(self.others, N_OTHERS, OTHER_INPUTS),
                valid: two(self.valid, N_OTHERS),
            }),
        }
    }
}

/// The rows of a shard before they become tensors.
#[derive(Default)]
struct BatchRows {
    sensed: SensedRows,
    dt_secs: Vec<f32>,
    start_rows: Vec<i64>,
    part_motions: Vec<f32>,
    part_dt_secs: Vec<f32>,
    whole_motions: Vec<f32>,
    features: Vec<f32>,
    candidates_m: Vec<f32>,
    target_m: Vec<f32>,
    target_valid: Vec<bool>,
    target_sensed: SensedRows,
    motion_errors: Vec<f32>,
    n_beams: usize,
    n_stretches: usize,
}

impl BatchRows {
    fn gather(set: &TrainingSet, config: &TrainConfig, stretches: &[Stretch]) -> Self {
        let mut rows = Self {
            n_beams: set.geometry.n_beams,
            n_stretches: stretches.len(),
            ..Self::default()
        };
        for position in 0..config.stretch_scans {
            for stretch in stretches {
                let scan = stretch.first + position;
                let motion = viewed_row(set.motions[scan], stretch.view);
                let hidden = stretch.hidden[position];
                rows.sensed.push(set, (scan, stretch.view), motion, hidden);
                rows.dt_secs.push(set.dt_secs[scan]);
            }
        }
        let mut decoder =
            DecoderRows::with_capacity(stretches.len() * config.branches, rows.n_beams);
        for (stretch_idx, stretch) in stretches.iter().enumerate() {
            for &(position, pair) in &stretch.branches {
                rows.start_rows
                    .push((position * stretches.len() + stretch_idx) as i64);
                rows.push_pair(set, &set.pairs[pair], stretch.view, &mut decoder);
            }
        }
        (rows.features, rows.candidates_m) = (decoder.features, decoder.candidates_m);
        rows
    }

    fn push_pair(&mut self, set: &TrainingSet, pair: &Pair, view: View, rows: &mut DecoderRows) {
        let motion = viewed_pose(pair.motion, view);
        let part_secs = pair.horizon.as_secs_f64() / IMAGINE_STEPS as f64;
        let part = motion.powf(1.0 / IMAGINE_STEPS as f64);
        let part_row = motion_row(part, part_secs);
        self.part_motions.extend(part_row);
        self.part_dt_secs.push(part_secs as f32);
        self.whole_motions
            .extend(motion_row(motion, pair.horizon.as_secs_f64()));
        let mirrored;
        let candidates = match view {
            View::Plain => &pair.candidates,
            View::Mirrored => {
                mirrored = mirrored_candidates(&pair.candidates);
                &mirrored
            }
        };
        let horizon = pair.horizon;
        rows.push(&FutureView {
            candidates,
            motion,
            horizon,
            geometry: set.geometry,
        });
        let ranges = &set.ranges_m[pair.target];
        let valid = |range: &f32| *range > RANGE_MIN_M && *range < RANGE_MAX_M;
        let kept = |range: f32| if valid(&range) { range } else { RANGE_MAX_M };
        match view {
            View::Plain => {
                self.target_m
                    .extend(ranges.iter().map(|&range| kept(range)));
                self.target_valid.extend(ranges.iter().map(valid));
            }
            View::Mirrored => {
                self.target_m
                    .extend(ranges.iter().rev().map(|&range| kept(range)));
                self.target_valid.extend(ranges.iter().rev().map(valid));
            }
        }
        let target = (pair.target, view);
        self.target_sensed
            .push(set, target, part_row, Hidden::default());
        let [x, y, yaw] = pair.motion_error;
        self.motion_errors.extend(match view {
            View::Plain => [x, y, yaw],
            View::Mirrored => [x, -y, -yaw],
        });
    }

    fn into_tensors(self, config: &TrainConfig, rng: &mut ChaCha8Rng, device: &Device) -> Batch {
        let (steps, n) = (
            config.stretch_scans * self.n_stretches,
            self.start_rows.len(),
        );
        let (stoch, beams) = (config.network.stoch(), self.n_beams);
        let two = |values: Vec<f32>, shape: [usize; 2]| {
            Tensor::<2>::from_data(TensorData::new(values, shape), device)
        };
        let three = |values: Vec<f32>, shape: [usize; 3]| {
            Tensor::<3>::from_data(TensorData::new(values, shape), device)
        };
        let mut noise = |rows: usize| two(gumbel(rows * stoch, rng), [rows, stoch]);
        Batch {
            filter_noise: noise(steps),
            imagine_noise: (0..IMAGINE_STEPS).map(|_| noise(n)).collect(),
            sensed: self.sensed.into_input(device),
            dt_secs: two(self.dt_secs, [steps, 1]),
            start_rows: Tensor::from_data(TensorData::new(self.start_rows, [n]), device),
            part_motions: two(self.part_motions, [n, MOTION_INPUTS]),
            part_dt_secs: two(self.part_dt_secs, [n, 1]),
            whole_motions: two(self.whole_motions, [n, MOTION_INPUTS]),
            decoder: DecoderInput {
                features: three(self.features, [n, DECODER_CHANNELS, beams]),
                candidates_m: three(self.candidates_m, [n, COMPONENTS.len(), beams]),
            },
            target_m: two(self.target_m, [n, beams]),
            target_valid: Tensor::from_data(TensorData::new(self.target_valid, [n, beams]), device),
            target_sensed: self.target_sensed.into_input(device),
            motion_errors: two(self.motion_errors, [n, 3]),
            stretch_scans: config.stretch_scans,
        }
    }
}

/// Standard Gumbel noise.
fn gumbel(n: usize, rng: &mut ChaCha8Rng) -> Vec<f32> {
    let mut draw = || {
        // 24 bits in the open interval (0, 1): neither logarithm meets zero.
        let uniform = ((rng.next_u32() >> 8) as f32 + 0.5) / 16_777_216.0;
        -(-uniform.ln()).ln()
    };
    (0..n).map(|_| draw()).collect()
}

fn push_scan(rows: &mut Vec<f32>, scan: &[f32], view: View) {
    match view {
        View::Plain => rows.extend_from_slice(scan),
        View::Mirrored => {
            for channel in scan.chunks_exact(ENCODER_BEAMS) {
                rows.extend(channel.iter().rev());
            }
        }
    }
}

fn viewed_row([x, y, yaw, dt]: [f32; MOTION_INPUTS], view: View) -> [f32; MOTION_INPUTS] {
    match view {
        View::Plain => [x, y, yaw, dt],
        View::Mirrored => [x, -y, -yaw, dt],
    }
}

fn viewed_pose(pose: Pose2, view: View) -> Pose2 {
    match view {
        View::Plain => pose,
        View::Mirrored => Pose2::new(pose.x_m, -pose.y_m, -pose.yaw_rad),
    }
}

fn mirrored_candidates(set: &CandidateSet) -> CandidateSet {
    fn flipped<T: Copy + 'static>(rows: &[T], n_beams: usize) -> Reused<T> {
        rows.chunks_exact(n_beams)
            .flat_map(|row| row.iter().rev().copied())
            .collect()
    }
    CandidateSet {
        n_beams: set.n_beams,
        ranges_m: flipped(&set.ranges_m, set.n_beams),
        holes: flipped(&set.holes, set.n_beams),
        spread_m: flipped(&set.spread_m, set.n_beams),
        age_secs: flipped(&set.age_secs, set.n_beams),
        movers: set.movers.map_rows(|row| flipped(row, set.n_beams)),
    }
}
