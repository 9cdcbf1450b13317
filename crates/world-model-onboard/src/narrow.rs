//! Products of eight-bit integers: a layer's weights by a scale for each output, its inputs by a
//! scale for each row, found when they are there.
//!
//! Sums are whole numbers, so that they are the same whatever multiplies: `rten-gemm`, or loops of
//! our own on processors without products of bytes, where it would saturate (and where these loops
//! are slower than `f32`).
//!
//! `rten-gemm` asks rayon how many threads there are. Whoever multiplies here must be the only
//! thread of a pool of its own, as [`crate::workers`] are; on any other thread rayon would start its pool.

#![expect(
    clippy::inline_always,
    reason = "only what is inlined is compiled for the instructions that were chosen"
)]

use rten_gemm::{GemmExecutor, GemmInputA, GemmInputB, GemmOptions, PackedBMatrix};
use rten_simd::ops::{BitOps as _, FloatOps as _, NarrowSaturate as _, NumOps as _, ToFloat as _};
use rten_simd::{Isa, Simd as _, SimdOp};
use rten_tensor::NdTensorView;

use crate::layers::Rows;
use crate::products::{LANES, Out};

/// What stands for zero in an input: the middle of its range.
const ZERO: u8 = 128;
/// The largest step from it.
const STEPS_MAX: f32 = 127.0;

type Executor = GemmExecutor<u8, i8, i32>;

thread_local! {
    /// What multiplies on this thread: it cannot be sent to another.
    static EXECUTOR: Executor = Executor::default();
}

/// How weights are laid out.
enum Weights {
    Packed(PackedBMatrix<i8>),
    /// `[n_in, width]`
    Plain(Vec<i8>),
}

/// `y = x W + b` in eight bits.
pub(crate) struct NarrowDense {
    weights: Weights,
    n_in: usize,
    /// By output: what a step of the weights is worth.
    scale: Vec<f32>,
    /// By output: what inputs of zero add to the sum, as they are stored.
    at_zero: Vec<i32>,
    bias: Vec<f32>,
}

/// Memory that serves again.
#[derive(Default)]
pub(crate) struct NarrowScratch {
    /// `[row, n_in]`
    steps: Vec<u8>,
    /// By row: what a step is worth.
    scale: Vec<f32>,
    /// `[row, width]`
    sums: Vec<i32>,
}

impl NarrowDense {
    /// From rows of weights as long as the bias.
    pub(crate) fn new(rows: &[f32], bias: Vec<f32>) -> Self {
        EXECUTOR.with(|executor| {
            Self::laid_out(rows, bias, (!executor.may_saturate()).then_some(executor))
        })
    }

    /// For an executor, or for loops of our own.
    fn laid_out(rows: &[f32], bias: Vec<f32>, executor: Option<&Executor>) -> Self {
        let width = bias.len();
        let n_in = rows.len() / width.max(1);
        let column = |j: usize| rows[j..].iter().step_by(width);
        let scale: Vec<f32> = (0..width)
            .map(|j| column(j).fold(0.0, |most: f32, w| most.max(w.abs())) / STEPS_MAX)
            .collect();
        let step = |(idx, weight): (usize, &f32)| match scale[idx % width] {
            0.0 => 0,
            scale => (weight / scale).round_ties_even() as i8,
        };
        let steps: Vec<i8> = rows.iter().enumerate().map(step).collect();
        let at_zero = (0..width)
            .map(|j| {
                let column = steps[j..].iter().step_by(width);
                i32::from(ZERO) * column.map(|&w| i32::from(w)).sum::<i32>()
            })
            .collect();
        let weights = match executor {
            Some(executor) => {
                let matrix = NdTensorView::from_data([n_in, width], steps.as_slice());
                Weights::Packed(executor.prepack_b(matrix))
            }
            None => Weights::Plain(steps),
        };
        Self {
            weights,
            n_in,
            scale,
            at_zero,
            bias,
        }
    }

    /// Numbers of an output row, padding included.
    pub(crate) fn width(&self) -> usize {
        self.bias.len()
    }

    pub(crate) fn bias(&self) -> &[f32] {
        &self.bias
    }

    /// Puts `x W` to rows.
    pub(crate) fn multiply(&self, x: Rows<'_>, out: Out<'_>, scratch: &mut NarrowScratch) {
        let NarrowScratch { steps, scale, sums } = scratch;
        steps.resize(x.n * self.n_in, ZERO);
        scale.resize(x.n, 0.0);
        sums.resize(x.n * self.width(), 0);
        Narrow {
            x: x.first(self.n_in),
            steps,
            scale,
        }
        .dispatch();
        self.sum(x.n, steps, sums);
        Widen {
            sums,
            row_scale: scale,
            layer: self,
            out,
        }
        .dispatch();
    }

    /// `[row, n_in]` to `[row, width]`
    fn sum(&self, n_rows: usize, steps: &[u8], sums: &mut [i32]) {
        match &self.weights {
            Weights::Packed(packed) => {
                let steps = NdTensorView::from_data([n_rows, self.n_in], steps);
                let steps = GemmInputA::Unpacked(steps);
                let weights = GemmInputB::Packed(packed);
                EXECUTOR
                    .with(|it| it.gemm(sums, steps, weights, GemmOptions::default()))
                    .expect("shapes fit, as both sides are sized by this layer");
            }
            Weights::Plain(weights) => PlainProduct {
                n_in: self.n_in,
                steps,
                weights,
                sums,
            }
            .dispatch(),
        }
    }
}

/// Rows of numbers to steps of each row's own scale.
struct Narrow<'a> {
    x: Rows<'a>,
    /// `[row, width]`
    steps: &'a mut [u8],
    /// `[row]`
    scale: &'a mut [f32],
}

impl SimdOp for Narrow<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        let (ops, ints) = (isa.f32(), isa.i32());
        let lanes = ops.len();
        let zero = ints.splat(i32::from(ZERO));
        let rows = self.steps.chunks_exact_mut(self.x.width);
        for (row, (steps, scale)) in rows.zip(self.scale).enumerate() {
            let x = &self.x.values[row * self.x.stride..][..self.x.width];
            let vectors = x.chunks_exact(lanes);
            let rest = vectors.remainder();
            let most = vectors.fold(ops.zero(), |most, x| ops.max(most, ops.abs(ops.load(x))));
            let most = largest(most.to_array().as_ref());
            let most = rest.iter().fold(most, |most: f32, x| most.max(x.abs()));
            *scale = most / STEPS_MAX;
            let per_unit = if most > 0.0 { STEPS_MAX / most } else { 0.0 };
            let per_unit_lanes = ops.splat(per_unit);
            let step =
                |x: &[f32]| ints.add(ops.to_int_round(ops.mul(ops.load(x), per_unit_lanes)), zero);
            let mut blocks = x.chunks_exact(4 * lanes);
            let mut out = steps.chunks_exact_mut(4 * lanes);
            for (x, out) in blocks.by_ref().zip(out.by_ref()) {
                let quarter = |k: usize| step(&x[k * lanes..]);
                let low = ints.narrow_saturate(quarter(0), quarter(1));
                let high = ints.narrow_saturate(quarter(2), quarter(3));
                isa.u8().store(isa.i16().narrow_saturate(low, high), out);
            }
            for (x, out) in blocks.remainder().iter().zip(out.into_remainder()) {
                *out = ((x * per_unit).round_ties_even() + f32::from(ZERO)) as u8;
            }
        }
    }
}

/// The largest of some numbers, a power of two of them and no more than [`LANES`]. Halves are
/// compared at once.
#[inline(always)]
fn largest(numbers: &[f32]) -> f32 {
    let mut most = [0.0; LANES];
    most[..numbers.len()].copy_from_slice(numbers);
    let mut n = LANES;
    while n > 1 {
        n /= 2;
        for idx in 0..n {
            let other = most[idx + n];
            most[idx] = if other > most[idx] { other } else { most[idx] };
        }
    }
    most[0]
}

/// Sums to numbers, added to rows.
struct Widen<'a> {
    /// `[row, width]`
    sums: &'a [i32],
    row_scale: &'a [f32],
    layer: &'a NarrowDense,
    out: Out<'a>,
}

impl SimdOp for Widen<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        let (ops, ints) = (isa.f32(), isa.i32());
        let lanes = ops.len();
        let width = self.layer.width();
        for (row, &row_scale) in self.row_scale.iter().enumerate() {
            let row_scale = ops.splat(row_scale);
            let sums = &self.sums[row * width..][..width];
            for column in (0..width).step_by(lanes) {
                let sum = ints.load(&sums[column..][..lanes]);
                let sum = ints.sub(sum, ints.load(&self.layer.at_zero[column..][..lanes]));
                let scale = ops.load(&self.layer.scale[column..][..lanes]);
                let scale = ops.mul(scale, row_scale);
                let at = self.out.at(row, column);
                let before = self.out.before(isa, at, column);
                let after = ops.mul_add(ints.to_float(sum), scale, before);
                ops.store(after, &mut self.out.values[at..][..lanes]);
            }
        }
    }
}

/// The product in loops that any processor has.
struct PlainProduct<'a> {
    n_in: usize,
    /// `[row, n_in]`
    steps: &'a [u8],
    /// `[n_in, width]`
    weights: &'a [i8],
    /// `[row, width]`
    sums: &'a mut [i32],
}

impl SimdOp for PlainProduct<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, _isa: I) {
        let width = self.weights.len() / self.n_in;
        let rows = self.steps.chunks_exact(self.n_in);
        for (steps, sums) in rows.zip(self.sums.chunks_exact_mut(width)) {
            sums.fill(0);
            for (&step, weights) in steps.iter().zip(self.weights.chunks_exact(width)) {
                for (sum, &weight) in sums.iter_mut().zip(weights) {
                    *sum += i32::from(step) * i32::from(weight);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers that look random, the same each time.
    fn numbers(n: usize, seed: usize) -> Vec<f32> {
        let number = |k: usize| ((k * 7919 + seed * 104_729) % 2003) as f32 / 1001.0 - 1.0;
        (0..n).map(number).collect()
    }

    const SHAPES: [(usize, usize, usize); 4] =
        [(1, 3, 16), (5, 100, 64), (48, 384, 256), (9, 64, 192)];

    /// What a layer adds to zeros.
    fn product(layer: &NarrowDense, x: &[f32], n_rows: usize) -> Vec<f32> {
        let mut out = vec![0.0; n_rows * layer.width()];
        let to = Out {
            values: &mut out,
            stride: layer.width(),
            bias: None,
        };
        layer.multiply(Rows::dense(x, n_rows), to, &mut NarrowScratch::default());
        out
    }

    #[test]
    fn eight_bits_are_near_the_product() {
        for (n_rows, n_in, width) in SHAPES {
            let (x, weight) = (numbers(n_rows * n_in, 1), numbers(n_in * width, 2));
            let layer = NarrowDense::new(&weight, vec![0.0; width]);
            let got = product(&layer, &x, n_rows);
            // Rounding is half a step on both sides, with random signs.
            let error = 3.0 * (n_in as f32).sqrt() / STEPS_MAX;
            for (idx, got) in got.iter().enumerate() {
                let (row, column) = (idx / width, idx % width);
                let terms = (0..n_in).map(|k| x[row * n_in + k] * weight[k * width + column]);
                let expected: f32 = terms.sum();
                assert!((got - expected).abs() < error, "{got} {expected}");
            }
        }
    }

    #[test]
    fn loops_of_our_own_and_the_processors_products_give_the_same_bits() {
        for (n_rows, n_in, width) in SHAPES {
            // Each sign at its largest, so that what saturates would show.
            let weight: Vec<f32> = (0..n_in * width).map(|k| [1.0, -1.0][k % 7 % 2]).collect();
            let x: Vec<f32> = (0..n_rows * n_in)
                .map(|k| [1.0, 0.99, -0.7][k % 3])
                .collect();
            let plain = NarrowDense::laid_out(&weight, vec![0.0; width], None);
            let chosen = NarrowDense::new(&weight, vec![0.0; width]);
            assert_eq!(product(&plain, &x, n_rows), product(&chosen, &x, n_rows));
        }
    }

    #[test]
    fn rows_of_zeros_and_columns_of_zeros_give_zero() {
        let mut weight = numbers(8 * 16, 3);
        weight.iter_mut().step_by(16).for_each(|it| *it = 0.0);
        let layer = NarrowDense::new(&weight, vec![0.0; 16]);
        let x = [[0.0; 8], [0.5; 8]].concat();
        let got = product(&layer, &x, 2);
        assert_eq!(got[..17], [0.0; 17]);
        assert!(got[17..].iter().any(|it| *it != 0.0));
    }
}
