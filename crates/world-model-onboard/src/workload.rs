//! What benchmarks have an engine do, the same each time: a scan taken in, plans imagined, a plan
//! searched for. Numbers are of the shipped weights' preset.
//!
//! Nothing here is timed: whoever has a clock does that.

use std::hint::black_box;

use sedge_world_model_trained::structure::{
    COMPONENTS, DECODER_CHANNELS, ENCODER_BEAMS, ENCODER_CHANNELS, IMU_INPUTS, N_OTHERS,
    OTHER_INPUTS,
};
use sedge_world_model_trained::{CompanyRow, DecoderRows, Engine as _, FutureRows, SensedStep};

use crate::{OnboardEngine, PlanRows};

/// Beams of the scanner.
pub const N_BEAMS: usize = 360;
/// Numbers of the shipped network's latent.
pub const FEATURE: usize = 512;
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

/// Numbers from 0 to 1 that look random, the same each time.
fn numbers(n: usize, seed: usize) -> Vec<f32> {
    let number = |k: usize| ((k * 7919 + seed * 104_729) % 1009) as f32 / 1009.0;
    (0..n).map(number).collect()
}

/// A scan and all that is known beside it.
pub struct Sensed {
    /// `[channel, beam]`
    pub scan: Vec<f32>,
    /// The movement since the scan before.
    pub motion: [f32; 4],
    /// The others and the inertial unit.
    pub company: CompanyRow,
}

impl Sensed {
    /// Looks random, and is the same for the same seed.
    pub fn new(seed: usize) -> Self {
        let valid = std::array::from_fn(|slot| f32::from(u8::from((slot + seed) % 8 < 5)));
        let imu = numbers(IMU_INPUTS, seed);
        Self {
            scan: numbers(ENCODER_CHANNELS * ENCODER_BEAMS, seed),
            motion: [0.4 * numbers(1, seed)[0], 0.0, 0.1, STEP_SECS.ln()],
            company: CompanyRow {
                imu: std::array::from_fn(|k| if k + 1 == IMU_INPUTS { 1.0 } else { imu[k] }),
                others: numbers(N_OTHERS * OTHER_INPUTS, seed + 1).into(),
                valid,
            },
        }
    }

    /// As an engine takes it.
    pub fn step(&self) -> SensedStep<'_> {
        SensedStep {
            scan: &self.scan,
            motion: self.motion,
            dt_secs: STEP_SECS,
            company: &self.company,
        }
    }
}

/// One view to decode.
pub fn view() -> FutureRows {
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
pub fn plans(n: usize, n_steps: usize) -> PlanRows {
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
pub fn read_out() -> Vec<f32> {
    numbers(FEATURE, 6).into_iter().map(|x| x - 0.5).collect()
}

/// What an engine is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// A scan is taken in, and a view is decoded.
    Filter,
    /// Plans in the latent alone.
    Imagine {
        /// How many.
        n_plans: usize,
        /// Steps of each.
        n_steps: usize,
    },
    /// MPPI on the latent.
    Plan {
        /// Motions that are drawn in each iteration.
        n_samples: usize,
        /// Steps of each.
        n_steps: usize,
        /// How often they are drawn.
        n_iterations: usize,
    },
}

impl Work {
    /// Multiplications and additions in the products of a call, in millions.
    pub fn mega_operations(self) -> f64 {
        let rows = match self {
            Self::Filter => return 2e-6 * (ENCODER + CORE + HEADS) as f64,
            Self::Imagine { n_plans, n_steps } => n_plans * n_steps,
            Self::Plan {
                n_samples,
                n_steps,
                n_iterations,
            } => n_samples * n_steps * n_iterations,
        };
        2e-6 * (IMAGINED * rows) as f64
    }
}

/// Work with all that it needs, to be done again and again.
pub struct Workload(Prepared);

enum Prepared {
    Filter(Box<(Sensed, FutureRows)>),
    Imagine(PlanRows),
    Plan(Planner),
}

impl Workload {
    /// Draws what the work is done on.
    pub fn new(work: Work) -> Self {
        Self(match work {
            Work::Filter => Prepared::Filter(Box::new((Sensed::new(1), view()))),
            Work::Imagine { n_plans, n_steps } => Prepared::Imagine(plans(n_plans, n_steps)),
            Work::Plan {
                n_samples,
                n_steps,
                n_iterations,
            } => Prepared::Plan(Planner::new(n_samples, n_steps, n_iterations)),
        })
    }

    /// Does it once.
    pub fn call(&mut self, engine: &mut OnboardEngine) {
        match &mut self.0 {
            Prepared::Filter(rows) => {
                engine.filter(&rows.0.step());
                black_box(engine.decode(&rows.1));
            }
            Prepared::Imagine(plans) => {
                black_box(engine.imagine(plans));
            }
            Prepared::Plan(planner) => {
                black_box(planner.plan(engine));
            }
        }
    }
}

/// MPPI on the latent: sample, imagine, score, weigh.
struct Planner {
    plans: PlanRows,
    /// `[step, sample, action]`
    actions: Vec<[f32; 2]>,
    weights: Vec<f32>,
    /// Of the next plan. `[step, action]`
    mean: Vec<[f32; 2]>,
    deviation: Vec<[f32; 2]>,
    n_iterations: usize,
    random: u64,
}

impl Planner {
    fn new(n_samples: usize, n_steps: usize, n_iterations: usize) -> Self {
        Self {
            plans: PlanRows {
                read_out: read_out(),
                ..plans(n_samples, n_steps)
            },
            actions: vec![[0.0; 2]; n_samples * n_steps],
            weights: vec![0.0; n_samples],
            mean: vec![[0.0; 2]; n_steps],
            deviation: vec![[1.0; 2]; n_steps],
            n_iterations,
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

    /// The first action of the best plan.
    fn plan(&mut self, engine: &mut OnboardEngine) -> Option<[f32; 2]> {
        self.mean.fill([0.0; 2]);
        self.deviation.fill([1.0; 2]);
        let n_samples = self.weights.len();
        for _ in 0..self.n_iterations {
            for idx in 0..self.actions.len() {
                let (step, drawn) = (idx / n_samples, self.normals());
                let (mean, deviation) = (self.mean[step], self.deviation[step]);
                let action = std::array::from_fn(|k| mean[k] + deviation[k] * drawn[k]);
                self.actions[idx] = action;
                self.plans.motions[idx] = [action[0], 0.0, action[1], STEP_SECS.ln()];
            }
            let scores = engine.imagine(&self.plans).scores();
            let least = scores.iter().copied().fold(f32::INFINITY, f32::min);
            for (weight, score) in self.weights.iter_mut().zip(scores) {
                *weight = (least - score).exp();
            }
            self.fit();
        }
        self.mean.first().copied()
    }

    /// Mean and deviation of the actions, as they are weighed.
    fn fit(&mut self) {
        let total: f32 = self.weights.iter().sum();
        let steps = self.actions.chunks_exact(self.weights.len().max(1));
        for (step, actions) in steps.enumerate() {
            let weighed = |value: &dyn Fn(&[f32; 2]) -> f32| {
                let terms = actions.iter().zip(&self.weights);
                terms.map(|(it, weight)| weight * value(it)).sum::<f32>() / total
            };
            for k in 0..2 {
                let middle = weighed(&|action| action[k]);
                let spread = weighed(&|action| (action[k] - middle).powi(2));
                self.mean[step][k] = middle;
                self.deviation[step][k] = spread.sqrt().clamp(0.05, 2.0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::EngineConfig;

    fn engine() -> OnboardEngine {
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../weights/swarm-s");
        OnboardEngine::load(&shipped, EngineConfig::default())
            .unwrap()
            .0
    }

    #[test]
    fn a_plan_is_the_same_each_time_and_within_what_is_drawn() {
        let plan = || Planner::new(16, 3, 2).plan(&mut engine()).unwrap();
        let first = plan();
        assert_eq!(first.map(f32::to_bits), plan().map(f32::to_bits));
        assert!(
            first.iter().all(|x| x.is_finite() && x.abs() < 4.0),
            "{first:?}"
        );
    }

    #[test]
    fn filtering_moves_the_belief() {
        let mut engine = engine();
        let before = engine.feature();
        Workload::new(Work::Filter).call(&mut engine);
        assert_eq!(before.len(), FEATURE);
        assert_ne!(before, engine.feature());
    }

    #[test]
    fn work_grows_with_plans_steps_and_iterations() {
        let imagine = Work::Imagine {
            n_plans: 256,
            n_steps: 15,
        };
        let plan = Work::Plan {
            n_samples: 256,
            n_steps: 15,
            n_iterations: 3,
        };
        let ratio = plan.mega_operations() / imagine.mega_operations();
        assert!((ratio - 3.0).abs() < 1e-9, "{ratio}");
        assert!(Work::Filter.mega_operations() > 1.0);
    }
}
