//! Products of eight-bit integers: a layer's weights by a scale for each output, its inputs by a
//! scale for each row, found when they are there.
//!
//! Sums are whole numbers, so that they are the same whatever multiplies: the processor's
//! products of bytes, or loops where it has none of those that [`crate::byte_product`] knows. These
//! loops are slower than `f32`.

#![expect(
    clippy::inline_always,
    reason = "only what is inlined is compiled for the instructions that were chosen"
)]

use rten_simd::ops::{BitOps as _, FloatOps as _, NarrowSaturate as _, NumOps as _, ToFloat as _};
use rten_simd::{Isa, Simd as _, SimdOp};
use sedge_matrix_tiles::{GROUP, INPUTS, ROWS};

use crate::aligned::Aligned;
use crate::byte_product::{ByteProduct, PANEL, multiply};
use crate::layers::Rows;
use crate::products::{LANES, Out};

/// What stands for zero in an input: the middle of its range.
const ZERO: u8 = 128;
/// The largest step from it.
const STEPS_MAX: f32 = 127.0;

/// `y = x W + b` in eight bits.
pub(crate) struct NarrowDense {
    /// `[panel, padded n_in / GROUP, PANEL, GROUP]`
    weights: Aligned<i8>,
    n_in: usize,
    /// By output: what a step of the weights is worth.
    scale: Aligned<f32>,
    /// By output: what inputs of zero add to the sum, as they are stored.
    at_zero: Vec<i32>,
    bias: Aligned<f32>,
}

/// Rows in steps of a scale of their own, for any number of layers to read. The memory serves
/// again.
#[derive(Default)]
pub(crate) struct NarrowRows {
    /// Rows each `stride` after the one before, as many as fill tiles, and a tile's width more.
    steps: Aligned<u8>,
    /// A multiple of [`INPUTS`].
    stride: usize,
    /// By row: what a step is worth.
    scale: Aligned<f32>,
}

impl NarrowRows {
    /// Takes rows, instead of what was there.
    pub(crate) fn take(&mut self, x: Rows<'_>) {
        self.stride = x.width.next_multiple_of(INPUTS);
        self.resize(x.n);
        Narrow { x, rows: self }.dispatch();
    }

    /// As many copies of its only row.
    pub(crate) fn repeat(&mut self, n: usize) {
        self.resize(n);
        for row in 1..n {
            self.steps.copy_within(..self.stride, row * self.stride);
            self.scale[row] = self.scale[0];
        }
    }

    /// Room for rows. What lies beyond their numbers is multiplied with weights of zero, or never
    /// looked at.
    fn resize(&mut self, n: usize) {
        let n_rows = n.next_multiple_of(ROWS);
        self.steps.resize(n_rows * self.stride + INPUTS, ZERO);
        self.scale.resize(n, 0.0);
    }
}

impl NarrowDense {
    /// From rows of weights as long as the bias.
    pub(crate) fn new(rows: &[f32], bias: Vec<f32>) -> Self {
        let width = bias.len();
        let n_in = rows.len() / width.max(1);
        let column = |j: usize| rows[j..].iter().step_by(width);
        let scale: Vec<f32> = (0..width)
            .map(|j| column(j).fold(0.0, |most: f32, w| most.max(w.abs())) / STEPS_MAX)
            .collect();
        let step = |k: usize, j: usize| match scale.get(j) {
            Some(&scale) if scale > 0.0 && k < n_in => {
                (rows[k * width + j] / scale).round_ties_even() as i8
            }
            _ => 0,
        };
        let sum = |j: usize| (0..n_in).map(|k| i32::from(step(k, j))).sum::<i32>();
        let at_zero = (0..width).map(|j| i32::from(ZERO) * sum(j)).collect();
        let mut weights = Vec::new();
        for panel in (0..width).step_by(PANEL) {
            for group in (0..n_in.next_multiple_of(INPUTS)).step_by(GROUP) {
                for j in panel..panel + PANEL {
                    weights.extend((group..group + GROUP).map(|k| step(k, j)));
                }
            }
        }
        Self {
            weights: weights.into(),
            n_in,
            scale: scale.into(),
            at_zero,
            bias: bias.into(),
        }
    }

    /// Numbers of an output row, padding included.
    pub(crate) fn width(&self) -> usize {
        self.bias.len()
    }

    pub(crate) fn bias(&self) -> &[f32] {
        &self.bias
    }

    /// Puts `x W` to rows, for inputs from one on.
    pub(crate) fn multiply(&self, x: &NarrowRows, from: usize, out: Out<'_>) {
        let mut product = self.product(x, from, out);
        if !multiply(&mut product) {
            PlainProduct(product).dispatch();
        }
    }

    fn product<'a>(&'a self, x: &'a NarrowRows, from: usize, out: Out<'a>) -> ByteProduct<'a> {
        ByteProduct {
            steps: &x.steps[from..],
            stride: x.stride,
            n_in: self.n_in.next_multiple_of(INPUTS),
            row_scale: &x.scale,
            weights: &self.weights,
            scale: &self.scale,
            at_zero: &self.at_zero,
            out,
        }
    }
}

/// Rows of numbers to steps of each row's own scale.
struct Narrow<'a> {
    x: Rows<'a>,
    rows: &'a mut NarrowRows,
}

impl SimdOp for Narrow<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        let (ops, ints) = (isa.f32(), isa.i32());
        let lanes = ops.len();
        let zero = ints.splat(i32::from(ZERO));
        let NarrowRows {
            steps,
            stride,
            scale,
        } = self.rows;
        let rows = steps.chunks_exact_mut(*stride);
        for (row, (steps, scale)) in rows.zip(scale.iter_mut()).enumerate() {
            let x = &self.x.values[row * self.x.stride..][..self.x.width];
            let steps = &mut steps[..self.x.width];
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

/// What [`multiply`] does, in loops that any processor has.
struct PlainProduct<'a>(ByteProduct<'a>);

impl SimdOp for PlainProduct<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(mut self, isa: I) {
        for row in 0..self.0.row_scale.len() {
            for column in (0..self.0.scale.len()).step_by(PANEL) {
                let sums = self.sums(row, column);
                self.widen(isa, (row, column), &sums);
            }
        }
    }
}

impl PlainProduct<'_> {
    /// The sums of a row and a panel.
    #[inline(always)]
    fn sums(&self, row: usize, column: usize) -> [i32; PANEL] {
        let product = &self.0;
        let steps = &product.steps[row * product.stride..][..product.n_in];
        let panel = &product.weights[column * product.n_in..][..PANEL * product.n_in];
        let mut sums = [0; PANEL];
        let groups = steps.as_chunks::<GROUP>().0;
        for (steps, weights) in groups.iter().zip(panel.chunks_exact(PANEL * GROUP)) {
            for (sum, weights) in sums.iter_mut().zip(weights.as_chunks::<GROUP>().0) {
                for (&step, &weight) in steps.iter().zip(weights) {
                    *sum += i32::from(step) * i32::from(weight);
                }
            }
        }
        sums
    }

    /// These sums as numbers.
    #[inline(always)]
    fn widen<I: Isa>(&mut self, isa: I, (row, panel): (usize, usize), sums: &[i32; PANEL]) {
        let (ops, ints) = (isa.f32(), isa.i32());
        let lanes = ops.len();
        let product = &mut self.0;
        let row_scale = ops.splat(product.row_scale[row]);
        for (idx, sums) in sums.chunks_exact(lanes).enumerate() {
            let column = panel + idx * lanes;
            if column >= product.scale.len() {
                return;
            }
            let sum = ints.sub(
                ints.load(sums),
                ints.load(&product.at_zero[column..][..lanes]),
            );
            let scale = ops.load(&product.scale[column..][..lanes]);
            let scale = ops.mul(scale, row_scale);
            let at = product.out.at(row, column);
            let before = product.out.before(isa, at, column);
            let after = ops.mul_add(ints.to_float(sum), scale, before);
            ops.store(after, &mut product.out.values[at..][..lanes]);
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

    /// What a layer adds to zeros, by whatever multiplies.
    fn sums(layer: &NarrowDense, rows: &NarrowRows, by: impl Fn(ByteProduct<'_>)) -> Vec<f32> {
        let mut out = vec![0.0; rows.scale.len() * layer.width()];
        let to = Out {
            values: &mut out,
            stride: layer.width(),
            bias: None,
        };
        by(layer.product(rows, 0, to));
        out
    }

    fn narrowed(x: &[f32], n_rows: usize) -> NarrowRows {
        let mut rows = NarrowRows::default();
        rows.take(Rows::dense(x, n_rows));
        rows
    }

    /// By the processor's products, where it has these.
    fn product(layer: &NarrowDense, x: &[f32], n_rows: usize) -> Vec<f32> {
        sums(layer, &narrowed(x, n_rows), |mut product| {
            if !multiply(&mut product) {
                PlainProduct(product).dispatch();
            }
        })
    }

    fn product_in_loops(layer: &NarrowDense, x: &[f32], n_rows: usize) -> Vec<f32> {
        sums(layer, &narrowed(x, n_rows), |product| {
            PlainProduct(product).dispatch();
        })
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
            let layer = NarrowDense::new(&weight, vec![0.0; width]);
            let in_loops = product_in_loops(&layer, &x, n_rows);
            assert_eq!(product(&layer, &x, n_rows), in_loops);
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
