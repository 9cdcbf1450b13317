//! Many plans imagined at once, in the latent alone.

use std::ops::Range;

use rten_simd::ops::{BitOps as _, NumOps as _};
use rten_simd::{Isa, SimdOp};
use sedge_matrix_tiles::Tiles;
use sedge_world_model::Precision;
use sedge_world_model_trained::structure::MOTION_INPUTS;

use crate::linear::Form;
use crate::products::NOTHING;
use crate::recurrent_core::{Latents, Moves, Sequences, Workspace};

/// Rows that go through all steps together: few enough that what lies between two layers stays in
/// the fastest caches, and a multiple of the rows that a product of tiles works on at once.
const BLOCK_ROWS: usize = 128;

/// Plans to imagine, all from what is believed now.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PlanRows {
    /// How many plans.
    pub n: usize,
    /// The movement of each step, as [`motion_row`](sedge_world_model_trained::motion_row) makes
    /// it. `[step, plan]`
    pub motions: Vec<[f32; MOTION_INPUTS]>,
    /// How long each step takes, in seconds. `[step, plan]`
    pub secs: Vec<f32>,
    /// What the latent is multiplied with after each step to score a plan; empty for no scores.
    /// `[deter + groups * classes]`
    pub read_out: Vec<f32>,
}

/// What became of plans.
#[derive(Debug, Default)]
pub struct ImaginedRows {
    pub(crate) latents: Latents,
    scores: Vec<f32>,
}

impl ImaginedRows {
    /// How many plans.
    pub fn n(&self) -> usize {
        self.latents.n
    }

    /// The deterministic state after the last step. `[plan, deter]`
    pub fn deter(&self) -> &[f32] {
        &self.latents.deter
    }

    /// Which numbers of the stochastic state are one after the last step. `[plan, groups]`
    pub fn hot(&self) -> &[u32] {
        &self.latents.hot
    }

    /// The latent times the read-out, summed over the steps; zero without one. `[plan]`
    pub fn scores(&self) -> &[f32] {
        &self.scores
    }

    /// Without a plan, its memory kept.
    pub(crate) fn clear(&mut self) {
        self.latents.n = 0;
        self.latents.deter.clear();
        self.latents.hot.clear();
        self.scores.clear();
    }

    /// Adds what became of the next plans.
    pub(crate) fn append(&mut self, others: &Self) {
        self.latents.append(&others.latents);
        self.scores.extend_from_slice(&others.scores);
    }
}

/// Some of the plans, and all memory that imagining them takes.
#[derive(Default)]
pub(crate) struct Rollout {
    start: Latents,
    plans: PlanRows,
    precision: Precision,
    /// How many plans there are with those of others.
    n_of_all: usize,
    block: Latents,
    space: Workspace,
    pub(crate) imagined: ImaginedRows,
}

impl Rollout {
    /// Takes some of the plans, to be imagined in these numbers.
    pub(crate) fn take(
        &mut self,
        (start, precision): (&Latents, Precision),
        plans: &PlanRows,
        rows: Range<usize>,
    ) {
        self.start.repeat(start, 1);
        self.precision = precision;
        let mine = &mut self.plans;
        mine.n = rows.len();
        self.n_of_all = plans.n;
        mine.motions.clear();
        mine.secs.clear();
        let motions = plans.motions.chunks_exact(plans.n.max(1));
        for (motions, secs) in motions.zip(plans.secs.chunks_exact(plans.n.max(1))) {
            mine.motions.extend_from_slice(&motions[rows.clone()]);
            mine.secs.extend_from_slice(&secs[rows.clone()]);
        }
        mine.read_out.clone_from(&plans.read_out);
    }

    /// Imagines them.
    pub(crate) fn run(&mut self, sequences: &Sequences) {
        let sequence = sequences.of(self.precision);
        let plans = &self.plans;
        // By how many there are on all threads, so that these change no bit.
        self.space.form = sequence.form(self.n_of_all);
        // Held around all products, so that none of them takes them anew.
        let _tiles = Tiles::load().filter(|_| self.space.form != Form::Numbers);
        self.imagined.clear();
        self.imagined.scores.resize(plans.n, 0.0);
        for first in (0..plans.n).step_by(BLOCK_ROWS) {
            let rows = first..plans.n.min(first + BLOCK_ROWS);
            self.block.repeat(&self.start, rows.len());
            sequence.look(&self.start, &mut self.space);
            self.space.repeat_look(rows.len());
            let motions = plans.motions.chunks_exact(plans.n);
            for (motions, secs) in motions.zip(plans.secs.chunks_exact(plans.n)) {
                let moves = Moves {
                    motions: &motions[rows.clone()],
                    secs: &secs[rows.clone()],
                };
                sequence.step(&mut self.block, moves, &mut self.space);
                sequence.look(&self.block, &mut self.space);
                sequence.take_prior(&mut self.block, &mut self.space);
                if !plans.read_out.is_empty() {
                    let scores = &mut self.imagined.scores[rows.clone()];
                    Score(&self.block, &plans.read_out, scores).dispatch();
                }
            }
            self.imagined.latents.append(&self.block);
        }
    }
}

/// Adds the read-out of each latent to its score.
struct Score<'a>(&'a Latents, &'a [f32], &'a mut [f32]);

impl SimdOp for Score<'_> {
    type Output = ();

    #[inline(always)]
    #[expect(
        clippy::inline_always,
        reason = "only what is inlined is compiled for the instructions that were chosen"
    )]
    fn eval<I: Isa>(self, isa: I) {
        let Self(latents, read_out, scores) = self;
        let ops = isa.f32();
        let lanes = ops.len();
        let width = latents.deter.len() / latents.n.max(1);
        let groups = latents.hot.len() / latents.n.max(1);
        for (row, score) in scores.iter_mut().enumerate() {
            let deter = &latents.deter[row * width..][..width];
            let (vectors, rest) = deter.split_at(width / lanes * lanes);
            let mut sum = ops.zero();
            for (x, weight) in vectors
                .chunks_exact(lanes)
                .zip(read_out.chunks_exact(lanes))
            {
                sum = ops.mul_add(ops.load(x), ops.load(weight), sum);
            }
            *score += ops.sum(sum);
            for (x, weight) in rest.iter().zip(&read_out[vectors.len()..]) {
                *score += x * weight;
            }
            let hot = latents.hot[row * groups..][..groups].iter();
            for &idx in hot.filter(|&&idx| idx != NOTHING) {
                *score += read_out[width + idx as usize];
            }
        }
    }
}
