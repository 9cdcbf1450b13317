//! What is timed, and on what.

use std::hint::black_box;
use std::time::Instant;

use sedge_world_model_onboard::{OnboardEngine, PlanRows};
use sedge_world_model_trained::structure::{
    COMPONENTS, DECODER_CHANNELS, ENCODER_BEAMS, ENCODER_CHANNELS, IMU_INPUTS, N_OTHERS,
    OTHER_INPUTS,
};
use sedge_world_model_trained::{CompanyRow, DecoderRows, Engine as _, FutureRows, SensedStep};

/// Beams of the scanner.
pub(crate) const N_BEAMS: usize = 360;
/// Numbers of the shipped network's latent.
pub(crate) const FEATURE: usize = 512;
/// Steps of a plan.
pub(crate) const N_STEPS: usize = 15;
/// How long one of them takes, in seconds.
const STEP_SECS: f32 = 0.1;
/// Multiplications of the recurrent step: from state and movement, to the hidden layer, to gates.
/// Those of one-hot inputs are sums, here and below.
const CORE: usize = 256 * 128 + 4 * 128 + 4 * (384 + 64) * 64 + 4 * 64 * 192;
/// Multiplications of a step of imagination: recurrent step and prior.
const IMAGINED: usize = CORE + 256 * 128 + 128 * 128 + 128 * 256;
/// Multiplications of the encoder: convolutions, what follows them, and the look at eight others.
const ENCODER: usize = 180 * 16 * 15
    + 90 * 32 * 80
    + 45 * 48 * 160
    + 15 * 64 * 240
    + (960 + 4 + 5) * 128
    + 8 * (16 * 128 + 128 * 16 + 128 * 128)
    + 128 * 16;
/// Multiplications of the posterior, the motion head and the decoder of one view.
const HEADS: usize = (256 + 128) * 128
    + 128 * 256
    + (256 + 4) * 128
    + 128 * 9
    + 256 * 64
    + (42 * 5 + 6 * 32 * 3 + 40) * 32 * N_BEAMS;
const N_SAMPLES: usize = 256;
const N_ITERATIONS: usize = 3;

/// Numbers from 0 to 1 that look random, the same each time.
pub(crate) fn numbers(n: usize, seed: usize) -> Vec<f32> {
    let number = |k: usize| ((k * 7919 + seed * 104_729) % 1009) as f32 / 1009.0;
    (0..n).map(number).collect()
}

/// A scan and all that is known beside it.
pub(crate) struct Sensed {
    pub(crate) scan: Vec<f32>,
    pub(crate) motion: [f32; 4],
    pub(crate) company: CompanyRow,
}

impl Sensed {
    pub(crate) fn new(seed: usize) -> Self {
        let valid = std::array::from_fn(|slot| f32::from(u8::from((slot + seed) % 8 < 5)));
        let imu = numbers(IMU_INPUTS, seed);
        Self {
            scan: numbers(ENCODER_CHANNELS * ENCODER_BEAMS, seed),
            motion: [0.4 * numbers(1, seed)[0], 0.0, 0.1, STEP_SECS.ln()],
            company: CompanyRow {
                imu: std::array::from_fn(|k| if k + 1 == IMU_INPUTS { 1.0 } else { imu[k] }),
                others: numbers(N_OTHERS * OTHER_INPUTS, seed + 1),
                valid,
            },
        }
    }

    pub(crate) fn step(&self) -> SensedStep<'_> {
        SensedStep {
            scan: &self.scan,
            motion: self.motion,
            dt_secs: STEP_SECS,
            company: &self.company,
        }
    }
}

/// One view to decode.
pub(crate) fn view() -> FutureRows {
    let candidates = numbers(COMPONENTS.len() * N_BEAMS, 4).into_iter();
    FutureRows {
        n: 1,
        n_beams: N_BEAMS,
        views: DecoderRows {
            features: numbers(DECODER_CHANNELS * N_BEAMS, 3),
            candidates_m: candidates.map(|x| 0.5 + 8.0 * x).collect(),
        },
        motions: vec![[0.3, 0.2, 0.5, 0.0]],
        part_motions: vec![[0.0; 4]],
        part_secs: vec![STEP_SECS],
        read_out: None,
    }
}

/// Plans of random movements.
pub(crate) fn plans(n: usize, n_steps: usize) -> PlanRows {
    let motion = |row: &[f32]| [row[0], 0.0, row[1] - 0.5, STEP_SECS.ln()];
    let drawn = numbers(2 * n * n_steps, 5);
    PlanRows {
        n,
        motions: drawn.chunks_exact(2).map(motion).collect(),
        secs: vec![STEP_SECS; n * n_steps],
        read_out: Vec::new(),
    }
}

/// The linear score of a latent: the network has no cost head.
pub(crate) fn read_out() -> Vec<f32> {
    numbers(FEATURE, 6).into_iter().map(|x| x - 0.5).collect()
}

/// What is timed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Case {
    /// A scan is taken in, and a view is decoded.
    Filter,
    /// So many plans in the latent alone.
    Imagine(usize),
    /// MPPI over 256 samples of 15 steps, three times.
    Plan,
}

impl Case {
    pub(crate) fn named(name: &str) -> Self {
        match (name, name.strip_prefix("imagine-")) {
            ("filter", _) => Self::Filter,
            ("plan", _) => Self::Plan,
            (_, Some(n)) => Self::Imagine(n.parse().expect("a number of plans")),
            _ => panic!("expected filter, imagine-N or plan, got {name}"),
        }
    }

    /// Multiplications and additions in the products of a call, in millions.
    pub(crate) fn mega_operations(self) -> f64 {
        let rows = match self {
            Self::Filter => return 2e-6 * (ENCODER + CORE + HEADS) as f64,
            Self::Imagine(n) => n * N_STEPS,
            Self::Plan => N_SAMPLES * N_STEPS * N_ITERATIONS,
        };
        2e-6 * (IMAGINED * rows) as f64
    }

    /// Microseconds of so many calls.
    pub(crate) fn measured(self, engine: &mut OnboardEngine, n_calls: usize) -> Vec<f64> {
        match self {
            Self::Filter => {
                let (sensed, view) = (Sensed::new(1), view());
                timed(n_calls, || {
                    engine.filter(&sensed.step());
                    black_box(engine.decode(&view));
                })
            }
            Self::Imagine(n) => {
                let plans = plans(n, N_STEPS);
                timed(n_calls, || {
                    black_box(engine.imagine(&plans));
                })
            }
            Self::Plan => {
                let mut planner = Planner::new();
                timed(n_calls, || {
                    black_box(planner.plan(engine));
                })
            }
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a benchmark reads the machine's clock"
)]
fn timed(n_calls: usize, mut call: impl FnMut()) -> Vec<f64> {
    // What is taken up again after the other side's turn is not the engine's time.
    for _ in 0..3 {
        call();
    }
    (0..n_calls)
        .map(|_| {
            let begin = Instant::now();
            call();
            begin.elapsed().as_secs_f64() * 1e6
        })
        .collect()
}

/// MPPI on the latent: sample, imagine, score, weigh.
struct Planner {
    plans: PlanRows,
    /// `[step, sample, action]`
    actions: Vec<[f32; 2]>,
    weights: Vec<f32>,
    random: u64,
}

impl Planner {
    fn new() -> Self {
        Self {
            plans: PlanRows {
                read_out: read_out(),
                ..plans(N_SAMPLES, N_STEPS)
            },
            actions: vec![[0.0; 2]; N_SAMPLES * N_STEPS],
            weights: vec![0.0; N_SAMPLES],
            random: 1,
        }
    }

    /// Uniform in (0, 1]: splitmix64.
    fn uniform(&mut self) -> f32 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.random ^ (self.random >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed >> 40) + 1) as f32 / (1 << 24) as f32
    }

    /// Two standard normal numbers: Box and Muller.
    fn normals(&mut self) -> [f32; 2] {
        let (radius, turn) = (self.uniform(), self.uniform());
        let radius = (-2.0 * radius.ln()).sqrt();
        let (sin, cos) = (std::f32::consts::TAU * turn).sin_cos();
        [radius * cos, radius * sin]
    }

    fn plan(&mut self, engine: &mut OnboardEngine) -> [f32; 2] {
        let mut mean = [[0.0_f32; 2]; N_STEPS];
        let mut deviation = [[1.0_f32; 2]; N_STEPS];
        for _ in 0..N_ITERATIONS {
            for idx in 0..self.actions.len() {
                let (step, drawn) = (idx / N_SAMPLES, self.normals());
                let action = std::array::from_fn(|k| mean[step][k] + deviation[step][k] * drawn[k]);
                self.actions[idx] = action;
                self.plans.motions[idx] = [action[0], 0.0, action[1], STEP_SECS.ln()];
            }
            let scores = engine.imagine(&self.plans).scores();
            let least = scores.iter().copied().fold(f32::INFINITY, f32::min);
            for (weight, score) in self.weights.iter_mut().zip(scores) {
                *weight = (least - score).exp();
            }
            let total: f32 = self.weights.iter().sum();
            for (step, actions) in self.actions.chunks_exact(N_SAMPLES).enumerate() {
                let weighed = |value: &dyn Fn(&[f32; 2]) -> f32| {
                    let terms = actions.iter().zip(&self.weights);
                    terms.map(|(it, weight)| weight * value(it)).sum::<f32>() / total
                };
                for k in 0..2 {
                    let middle = weighed(&|action| action[k]);
                    let spread = weighed(&|action| (action[k] - middle).powi(2));
                    mean[step][k] = middle;
                    deviation[step][k] = spread.sqrt().clamp(0.05, 2.0);
                }
            }
        }
        mean[0]
    }
}
