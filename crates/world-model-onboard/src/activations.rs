//! What follows a product, a row at a time: norms, activations and the recurrent update, each in one
//! pass over memory.
//!
//! Logarithms and quotients are taken by multiplications: processors divide a vector in the time of
//! thirty. Absolute errors are below 3e-7.

#![expect(
    clippy::inline_always,
    reason = "only what is inlined is compiled for the instructions that were chosen"
)]

use rten_simd::ops::{BitOps as _, FloatOps as _, IntOps as _, NumOps as _};
use rten_simd::{Isa, Simd as _, SimdOp};
use sedge_world_model_trained::structure::RMS_EPSILON;

/// Exponents are kept within this: beyond it, nothing changes in a sum with one.
const EXPONENT_MAX: f32 = 60.0;

/// `exp(x)` for `x` within [`EXPONENT_MAX`], and its value there beyond.
#[inline(always)]
fn exp<I: Isa>(isa: I, x: I::F32) -> I::F32 {
    /// Adding this leaves the nearest whole number in the lowest bits.
    const ROUNDER: f32 = 12_582_912.0;
    /// ln 2 in two parts: the first has so few digits that its products are exact.
    const LN_2: [f32; 2] = [0.693_145_75, 1.428_606_8e-6];
    /// 1 / k!, from the sixth down.
    const TAYLOR: [f32; 6] = [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0];
    let (ops, ints) = (isa.f32(), isa.i32());
    let x = ops.clamp(x, ops.splat(-EXPONENT_MAX), ops.splat(EXPONENT_MAX));
    let rounded = ops.mul_add(x, ops.splat(std::f32::consts::LOG2_E), ops.splat(ROUNDER));
    let power = ops.sub(rounded, ops.splat(ROUNDER));
    let rest = ops.mul_sub_from(power, ops.splat(LN_2[0]), x);
    let rest = ops.mul_sub_from(power, ops.splat(LN_2[1]), rest);
    let [first, others @ ..] = TAYLOR;
    let series = others
        .into_iter()
        .chain([1.0])
        .fold(ops.splat(first), |sum, k| {
            ops.mul_add(sum, rest, ops.splat(k))
        });
    let exponent = ints.add(ops.to_int_trunc(power), ints.splat(127));
    let scale: I::F32 = ints.shift_left::<23>(exponent).reinterpret_cast();
    ops.mul(series, scale)
}

/// `1 / x` for `x` from 1 to 1e30.
#[inline(always)]
fn reciprocal<I: Isa>(isa: I, x: I::F32) -> I::F32 {
    /// A number's bits taken from this are about those of its reciprocal.
    const MIRROR: i32 = 0x7ef3_11c7;
    let (ops, ints) = (isa.f32(), isa.i32());
    let bits: I::I32 = x.reinterpret_cast();
    let mut guess: I::F32 = ints.sub(ints.splat(MIRROR), bits).reinterpret_cast();
    // Newton: each time the error is squared, from 12 %.
    for _ in 0..3 {
        let off = ops.mul_sub_from(x, guess, ops.splat(2.0));
        guess = ops.mul(guess, off);
    }
    guess
}

/// `1 / (1 + exp(-x))`
#[inline(always)]
fn sigmoid<I: Isa>(isa: I, x: I::F32) -> I::F32 {
    let ops = isa.f32();
    reciprocal(isa, ops.add(ops.one(), exp(isa, ops.neg(x))))
}

/// `tanh(x) = 2 sigmoid(2 x) - 1`
#[inline(always)]
fn tanh<I: Isa>(isa: I, x: I::F32) -> I::F32 {
    let ops = isa.f32();
    let twice = ops.splat(2.0);
    ops.mul_add(twice, sigmoid(isa, ops.mul(twice, x)), ops.splat(-1.0))
}

/// `ln(1 + exp(x))`
#[inline(always)]
fn softplus<I: Isa>(isa: I, x: I::F32) -> I::F32 {
    /// The series of the inverse hyperbolic tangent, from its eleventh power down to the third.
    const ODD: [f32; 5] = [1.0 / 11.0, 1.0 / 9.0, 1.0 / 7.0, 1.0 / 5.0, 1.0 / 3.0];
    let ops = isa.f32();
    // ln(1 + z) = 2 artanh(z / (2 + z)), and z is at most one.
    let z = exp(isa, ops.neg(ops.abs(x)));
    let w = ops.mul(z, reciprocal(isa, ops.add(z, ops.splat(2.0))));
    let square = ops.mul(w, w);
    let [first, others @ ..] = ODD;
    let series = others.into_iter().fold(ops.splat(first), |sum, k| {
        ops.mul_add(sum, square, ops.splat(k))
    });
    let series = ops.mul_add(series, square, ops.one());
    let log = ops.mul(ops.splat(2.0), ops.mul(w, series));
    ops.add(ops.max(x, ops.zero()), log)
}

/// RMS norm, scale and `SiLU` of rows, in place.
pub(crate) struct NormSilu<'a> {
    pub(crate) n_rows: usize,
    /// Rows of whole vectors, each `stride` after the one before. Numbers beyond `n` are zero.
    pub(crate) values: &'a mut [f32],
    pub(crate) stride: usize,
    /// Numbers of a row that count.
    pub(crate) n: usize,
    /// As long as a row, padding included; `None` for ones.
    pub(crate) scale: Option<&'a [f32]>,
    /// Numbers of a row, padding included.
    pub(crate) width: usize,
}

impl SimdOp for NormSilu<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        let ops = isa.f32();
        let lanes = ops.len();
        for row in 0..self.n_rows {
            let row = &mut self.values[row * self.stride..][..self.width];
            let mut squares = ops.zero();
            for x in row.chunks_exact(lanes) {
                let x = ops.load(x);
                squares = ops.mul_add(x, x, squares);
            }
            let mean = ops.sum(squares) / self.n as f32;
            let norm = ops.splat(1.0 / (mean + RMS_EPSILON).sqrt());
            for (idx, x) in row.chunks_exact_mut(lanes).enumerate() {
                let mut normed = ops.mul(ops.load(x), norm);
                if let Some(scale) = self.scale {
                    normed = ops.mul(normed, ops.load(&scale[idx * lanes..][..lanes]));
                }
                ops.store(ops.mul(normed, sigmoid(isa, normed)), x);
            }
        }
    }
}

/// The gated update of one block of the recurrent state.
pub(crate) struct GatedUpdate<'a> {
    /// Reset, candidate and update of each row, each of `gate_width` numbers.
    pub(crate) gates: &'a [f32],
    /// `width` padded to whole vectors.
    pub(crate) gate_width: usize,
    /// Rows of the state, from the block's first number on, each `stride` after the one before.
    pub(crate) state: &'a mut [f32],
    pub(crate) stride: usize,
    /// Numbers of the block.
    pub(crate) width: usize,
    /// How many reference steps each row takes.
    pub(crate) steps: &'a [f32],
}

impl SimdOp for GatedUpdate<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        let ops = isa.f32();
        let lanes = ops.len();
        let gates = self.gates.chunks_exact(3 * self.gate_width);
        for (row, (gates, &steps)) in gates.zip(self.steps).enumerate() {
            let state = &mut self.state[row * self.stride..][..self.width];
            let minus_steps = ops.splat(-steps);
            for (idx, state) in state.chunks_mut(lanes).enumerate() {
                let gate = |k: usize| {
                    ops.load(&gates[k * self.gate_width + idx * lanes..][..lanes])
                };
                let (before, _) = ops.load_pad(state);
                let reset = sigmoid(isa, gate(0));
                let fresh = tanh(isa, ops.mul(reset, gate(1)));
                // The share that stays over one reference step is 1 - sigmoid(u - 1), and this to
                // the power of `steps` over all of them: exp(-steps * softplus(u - 1)).
                let opens = softplus(isa, ops.sub(gate(2), ops.one()));
                let stays = exp(isa, ops.mul(minus_steps, opens));
                let after = ops.mul_add(stays, ops.sub(before, fresh), fresh);
                if state.len() == lanes {
                    ops.store(after, state);
                } else {
                    state.copy_from_slice(&after.to_array().as_ref()[..state.len()]);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A function of numbers, with vectors.
    struct Each<'a>(fn(f32) -> f64, Which, &'a mut f64);

    #[derive(Clone, Copy)]
    enum Which {
        Exp,
        Sigmoid,
        Tanh,
        Softplus,
    }

    impl SimdOp for Each<'_> {
        type Output = ();

        #[inline(always)]
        fn eval<I: Isa>(self, isa: I) {
            let Self(exact, which, worst) = self;
            for k in -4000..=4000_i16 {
                let x = f32::from(k) / 100.0;
                let lanes = isa.f32().splat(x);
                let got = match which {
                    Which::Exp => exp(isa, isa.f32().neg(isa.f32().abs(lanes))),
                    Which::Sigmoid => sigmoid(isa, lanes),
                    Which::Tanh => tanh(isa, lanes),
                    Which::Softplus => softplus(isa, lanes),
                };
                let expected = exact(x);
                let off = (f64::from(got.to_array()[0]) - expected).abs();
                *worst = worst.max(off / expected.abs().max(1.0));
            }
        }
    }

    #[test]
    fn functions_are_what_they_are_called() {
        let exact: [(fn(f32) -> f64, Which); 4] = [
            (|x| (-f64::from(x).abs()).exp(), Which::Exp),
            (|x| 1.0 / (1.0 + (-f64::from(x)).exp()), Which::Sigmoid),
            (|x| f64::from(x).tanh(), Which::Tanh),
            (|x| f64::from(x).exp().ln_1p(), Which::Softplus),
        ];
        for (exact, which) in exact {
            let mut worst = 0.0;
            Each(exact, which, &mut worst).dispatch();
            assert!(worst < 3e-7, "{worst}");
        }
    }

    #[test]
    fn numbers_far_out_stay_numbers() {
        for x in [1e9, -1e9, f32::MAX, f32::MIN] {
            let mut row = [x, 0.0, 0.0, 0.0].repeat(4);
            NormSilu {
                n_rows: 1,
                values: &mut row,
                stride: 16,
                n: 16,
                scale: None,
                width: 16,
            }
            .dispatch();
            assert!(row.iter().all(|it| it.is_finite()), "{row:?}");
            let mut state = [0.5];
            GatedUpdate {
                gates: &[x; 48],
                gate_width: 16,
                state: &mut state,
                stride: 1,
                width: 1,
                steps: &[1.0],
            }
            .dispatch();
            assert!(state[0].is_finite() && state[0].abs() <= 1.0, "{state:?}");
        }
    }

    fn updated(gates: &[f32], mut state: [f32; 4], steps: &[f32]) -> [f32; 4] {
        for &steps in steps {
            GatedUpdate {
                gates,
                gate_width: 16,
                state: &mut state,
                stride: 4,
                width: 4,
                steps: &[steps],
            }
            .dispatch();
        }
        state
    }

    #[test]
    fn two_short_steps_change_as_much_as_one_long_one() {
        let gates: Vec<f32> = (0..48).map(|k| 0.2 * (k as f32 - 24.0)).collect();
        let start = [0.3, -0.2, 0.9, -1.0];
        let once = updated(&gates, start, &[1.0]);
        let twice = updated(&gates, start, &[0.5, 0.5]);
        for (once, twice) in once.iter().zip(twice) {
            assert!((once - twice).abs() < 1e-6, "{once} {twice}");
        }
        assert!(once.iter().zip(start).any(|(once, start)| (once - start).abs() > 0.1));
    }
}
