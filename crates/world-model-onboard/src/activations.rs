//! What follows a product, a row at a time: norms, activations and the recurrent update, each in
//! one pass over memory.
//!
//! Logarithms and quotients are taken by multiplications: processors divide a vector in the time of
//! thirty. Errors are below 5e-7, of a value or of one, whichever is larger.

#![expect(
    clippy::inline_always,
    reason = "only what is inlined is compiled for the instructions that were chosen"
)]

use rten_simd::ops::{BitOps as _, FloatOps as _, IntOps as _, NumOps as _, ToFloat as _};
use rten_simd::{Isa, Simd as _, SimdOp};
use sedge_world_model_trained::structure::RMS_EPSILON;

use crate::Precision;

mod avx512;

/// Powers of two are kept within this: beyond it, nothing changes in a sum with one.
const POWER_MAX: f32 = 86.0;
const LOG2_E: f32 = std::f32::consts::LOG2_E;
/// The polynomial nearest to `2^x` for `x` in [-1/2, 1/2], from the fifth power down.
const EXP2: [f32; 6] = [
    1.340_999_9e-3,
    9.676_036e-3,
    5.550_297e-2,
    0.240_221_07,
    0.693_147_24,
    1.0,
];
/// The polynomial nearest to `log2(1 + x) / x` for `1 + x` from the root of 1/2 to that of 2, from
/// the seventh power down.
const LOG2: [f32; 8] = [
    -0.145_742_95,
    0.236_889_78,
    -0.250_069_3,
    0.286_707_55,
    -0.360_087_2,
    0.480_939_45,
    -0.721_357_17,
    1.442_694_8,
];

/// `2^x` for `x` within [`POWER_MAX`], and its value there beyond.
#[inline(always)]
fn exp2<I: Isa>(isa: I, x: I::F32) -> I::F32 {
    /// Adding this leaves the nearest whole number in the lowest bits.
    const ROUNDER: f32 = 12_582_912.0;
    let (ops, ints) = (isa.f32(), isa.i32());
    let x = ops.clamp(x, ops.splat(-POWER_MAX), ops.splat(POWER_MAX));
    let rounded = ops.add(x, ops.splat(ROUNDER));
    let rest = ops.sub(x, ops.sub(rounded, ops.splat(ROUNDER)));
    let fraction = polynomial(isa, rest, EXP2);
    // The whole number goes to where the exponent is.
    let (fraction, rounded): (I::I32, I::I32) =
        (fraction.reinterpret_cast(), rounded.reinterpret_cast());
    ints.add(fraction, ints.shift_left::<23>(rounded))
        .reinterpret_cast()
}

/// `log2(x)` for `x` from 1 up.
#[inline(always)]
fn log2<I: Isa>(isa: I, x: I::F32) -> I::F32 {
    /// The bits of the root of 1/2.
    const LEAST: i32 = 0x3f35_04f3;
    let (ops, ints) = (isa.f32(), isa.i32());
    let bits: I::I32 = x.reinterpret_cast();
    let power = ints.shift_right::<23>(ints.sub(bits, ints.splat(LEAST)));
    let fraction: I::F32 = ints
        .sub(bits, ints.shift_left::<23>(power))
        .reinterpret_cast();
    let rest = ops.sub(fraction, ops.one());
    ops.mul_add(polynomial(isa, rest, LOG2), rest, ints.to_float(power))
}

/// A polynomial, coefficients from the highest power down.
#[inline(always)]
fn polynomial<I: Isa, const N: usize>(isa: I, x: I::F32, coefficients: [f32; N]) -> I::F32 {
    let ops = isa.f32();
    let mut sum = ops.splat(coefficients[0]);
    for &k in &coefficients[1..] {
        sum = ops.mul_add(sum, x, ops.splat(k));
    }
    sum
}

/// `1 / x` for `x` from 1 to 1e30.
#[inline(always)]
fn reciprocal<I: Isa>(isa: I, x: I::F32) -> I::F32 {
    /// A number's bits taken from this are those of its reciprocal to within 5 %.
    const MIRROR: i32 = 0x7ef3_11c7;
    let (ops, ints) = (isa.f32(), isa.i32());
    let bits: I::I32 = x.reinterpret_cast();
    let guess: I::F32 = ints.sub(ints.splat(MIRROR), bits).reinterpret_cast();
    // 1 / (1 - e) is 1 + e + e^2 first, and 1 + e for what is left.
    let off = ops.mul_sub_from(x, guess, ops.one());
    let guess = ops.mul_add(guess, ops.mul_add(off, off, off), guess);
    let off = ops.mul_sub_from(x, guess, ops.one());
    ops.mul_add(guess, off, guess)
}

/// `1 / (1 + exp(-x))` of `scale * x`.
#[inline(always)]
fn sigmoid<I: Isa>(isa: I, scale: f32, x: I::F32) -> I::F32 {
    let ops = isa.f32();
    let power = exp2(isa, ops.mul(x, ops.splat(-scale * LOG2_E)));
    reciprocal(isa, ops.add(ops.one(), power))
}

/// `tanh(x) = 2 sigmoid(2 x) - 1`
#[inline(always)]
fn tanh<I: Isa>(isa: I, x: I::F32) -> I::F32 {
    let ops = isa.f32();
    ops.mul_add(ops.splat(2.0), sigmoid(isa, 2.0, x), ops.splat(-1.0))
}

/// `(1 - sigmoid(x - 1))^steps`, for `minus_steps`.
#[inline(always)]
fn staying<I: Isa>(isa: I, x: I::F32, minus_steps: I::F32) -> I::F32 {
    let ops = isa.f32();
    let log2_e = ops.splat(LOG2_E);
    let power = exp2(isa, ops.mul_add(x, log2_e, ops.neg(log2_e)));
    let log = log2(isa, ops.add(power, ops.one()));
    exp2(isa, ops.mul(minus_steps, log))
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

impl NormSilu<'_> {
    /// Where products are of eight bits, functions need no more than some four digits.
    pub(crate) fn run(mut self, precision: Precision) {
        if !avx512::norm_silu(&mut self, precision) {
            self.dispatch();
        }
    }
}

impl SimdOp for NormSilu<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(mut self, isa: I) {
        for first in (0..self.n_rows).step_by(AT_ONCE) {
            let n = AT_ONCE.min(self.n_rows - first);
            let mut norms = [0.0; AT_ONCE];
            for (idx, norm) in norms[..n].iter_mut().enumerate() {
                *norm = self.norm(isa, first + idx);
            }
            for (idx, norm) in norms[..n].iter().enumerate() {
                self.finish(isa, first + idx, *norm);
            }
        }
    }
}

/// Rows whose norms are found before any is used: each waits long for its root and its quotient.
const AT_ONCE: usize = 4;

impl NormSilu<'_> {
    /// One over the root mean square of a row.
    #[inline(always)]
    fn norm<I: Isa>(&self, isa: I, row: usize) -> f32 {
        let ops = isa.f32();
        let row = &self.values[row * self.stride..][..self.width];
        let mut squares = ops.zero();
        for x in row.chunks_exact(ops.len()) {
            let x = ops.load(x);
            squares = ops.mul_add(x, x, squares);
        }
        1.0 / (ops.sum(squares) / self.n as f32 + RMS_EPSILON).sqrt()
    }

    /// Norm, scale and `SiLU` of a row.
    #[inline(always)]
    fn finish<I: Isa>(&mut self, isa: I, row: usize, norm: f32) {
        let ops = isa.f32();
        let lanes = ops.len();
        let norm = ops.splat(norm);
        let row = &mut self.values[row * self.stride..][..self.width];
        for (idx, x) in row.chunks_exact_mut(lanes).enumerate() {
            let mut normed = ops.mul(ops.load(x), norm);
            if let Some(scale) = self.scale {
                normed = ops.mul(normed, ops.load(&scale[idx * lanes..][..lanes]));
            }
            ops.store(ops.mul(normed, sigmoid(isa, 1.0, normed)), x);
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

impl GatedUpdate<'_> {
    /// As [`NormSilu::run`].
    pub(crate) fn run(mut self, precision: Precision) {
        if !avx512::gated_update(&mut self, precision) {
            self.dispatch();
        }
    }
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
                let gate =
                    |k: usize| ops.load(&gates[k * self.gate_width + idx * lanes..][..lanes]);
                let (before, _) = ops.load_pad(state);
                let reset = sigmoid(isa, 1.0, gate(0));
                let fresh = tanh(isa, ops.mul(reset, gate(1)));
                // The share that stays over one reference step, to the power of how many.
                let stays = staying(isa, gate(2), minus_steps);
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

    /// Functions of `k / 100` for whole `k` within 4000: the farthest that vectors are from the
    /// exact ones, as a share of what is larger than one.
    struct Worst;

    impl SimdOp for Worst {
        type Output = f64;

        #[inline(always)]
        fn eval<I: Isa>(self, isa: I) -> f64 {
            let ops = isa.f32();
            let mut worst = 0.0_f64;
            let mut check = |got: I::F32, exact: f64| {
                let off = (f64::from(got.to_array()[0]) - exact).abs();
                worst = worst.max(off / exact.abs().max(1.0));
            };
            for k in -4000..=4000_i16 {
                let x = f32::from(k) / 100.0;
                let (lanes, exact) = (ops.splat(x), f64::from(x));
                check(exp2(isa, lanes), exact.exp2());
                check(
                    reciprocal(isa, ops.splat(1.0 + x.abs())),
                    1.0 / (1.0 + exact.abs()),
                );
                check(
                    log2(isa, ops.splat(x.abs() + 1.0)),
                    (f64::from(x.abs() + 1.0)).log2(),
                );
                check(sigmoid(isa, 1.0, lanes), 1.0 / (1.0 + (-exact).exp()));
                check(tanh(isa, lanes), exact.tanh());
                let share = 1.0 - 1.0 / (1.0 + (1.0 - exact).exp());
                check(staying(isa, lanes, ops.splat(-0.4)), share.powf(0.4));
            }
            worst
        }
    }

    #[test]
    fn functions_are_what_they_are_called() {
        let worst = Worst.dispatch();
        assert!(worst < 5e-7, "{worst}");
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

    #[test]
    fn every_way_to_functions_is_near_the_others() {
        let values: Vec<f32> = (-400..=399).map(|k| f32::from(k as i16) / 20.0).collect();
        let norm = |run: fn(NormSilu<'_>)| {
            let mut values = values.clone();
            run(NormSilu {
                n_rows: 10,
                values: &mut values,
                stride: 80,
                n: 80,
                scale: Some(&[1.5; 80]),
                width: 80,
            });
            values
        };
        let update = |run: fn(GatedUpdate<'_>)| {
            let mut state = [0.9; 10 * 20];
            run(GatedUpdate {
                gates: &[&values[..], &values[..160]].concat(),
                gate_width: 32,
                state: &mut state,
                stride: 20,
                width: 20,
                steps: &[0.0, 0.1, 0.3, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 10.0],
            });
            state.to_vec()
        };
        let vectors = [norm(|it| it.dispatch()), update(|it| it.dispatch())].concat();
        let fine = [
            norm(|it| it.run(Precision::F32)),
            update(|it| it.run(Precision::F32)),
        ]
        .concat();
        let coarse = [
            norm(|it| it.run(Precision::Int8)),
            update(|it| it.run(Precision::Int8)),
        ]
        .concat();
        for (idx, vectors) in vectors.iter().enumerate() {
            let off = |it: f32| (it - vectors).abs() / vectors.abs().max(1.0);
            assert!(off(fine[idx]) < 2e-6, "{vectors} {}", fine[idx]);
            assert!(off(coarse[idx]) < 4e-4, "{vectors} {}", coarse[idx]);
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
        assert!(
            once.iter()
                .zip(start)
                .any(|(once, start)| (once - start).abs() > 0.1)
        );
    }
}
