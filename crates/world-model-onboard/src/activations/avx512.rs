//! The same functions where the processor takes powers and quotients apart by instructions made for
//! it: three quarters of the work. Beside products of bytes, which round a hundred times as much,
//! functions of four digits take a third.

use multiversion::multiversion;
use multiversion::target::match_target;

use super::{GatedUpdate, NormSilu};
use crate::Precision;

/// Does it, or says that this processor cannot.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+avx512vnni"))]
pub(super) fn norm_silu(it: &mut NormSilu<'_>, precision: Precision) -> bool {
    match_target! {
        "x86_64+avx512f+avx512bw+avx512dq+avx512vl+avx512vnni" => match precision {
            Precision::F32 => vectors::norm_silu::<{ vectors::FINE }>(it),
            Precision::Int8 => vectors::norm_silu::<{ vectors::COARSE }>(it),
        },
        _ => cannot(it, precision),
    }
}

/// Does it, or says that this processor cannot.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+avx512vnni"))]
pub(super) fn gated_update(it: &mut GatedUpdate<'_>, precision: Precision) -> bool {
    match_target! {
        "x86_64+avx512f+avx512bw+avx512dq+avx512vl+avx512vnni" => match precision {
            Precision::F32 => vectors::gated_update::<{ vectors::FINE }>(it),
            Precision::Int8 => vectors::gated_update::<{ vectors::COARSE }>(it),
        },
        _ => cannot(it, precision),
    }
}

fn cannot<T>(_: &T, _: Precision) -> bool {
    false
}

#[cfg(target_arch = "x86_64")]
mod vectors {
    use std::arch::x86_64::{
        __m512, _MM_FROUND_TO_NEAREST_INT, _MM_FROUND_TO_NEG_INF, _MM_MANT_NORM_1_2,
        _MM_MANT_SIGN_SRC, _mm512_add_ps, _mm512_fmadd_ps, _mm512_fmsub_ps, _mm512_fnmadd_ps,
        _mm512_getexp_ps, _mm512_getmant_ps, _mm512_min_ps, _mm512_mul_ps, _mm512_rcp14_ps,
        _mm512_reduce_add_ps, _mm512_reduce_ps, _mm512_scalef_ps, _mm512_set1_ps,
        _mm512_setzero_ps, _mm512_sub_ps,
    };

    use std::f32::consts::FRAC_1_SQRT_2;

    use sedge_world_model_trained::structure::RMS_EPSILON;

    use super::super::{AT_ONCE, EXP2, GatedUpdate, LOG2, LOG2_E, NormSilu, POWER_MAX};

    /// What functions are to some seven digits.
    pub(super) const FINE: usize = 7;
    /// What they are to some four.
    pub(super) const COARSE: usize = 4;
    /// Numbers of a vector.
    const LANES: usize = 16;

    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    #[inline]
    fn load(values: &[f32; LANES]) -> __m512 {
        bytemuck::cast(*values)
    }

    /// A polynomial, coefficients from the highest power down.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    #[inline]
    fn polynomial<const N: usize>(x: __m512, coefficients: [f32; N]) -> __m512 {
        let mut sum = _mm512_set1_ps(coefficients[0]);
        for k in &coefficients[1..] {
            sum = _mm512_fmadd_ps(sum, x, _mm512_set1_ps(*k));
        }
        sum
    }

    /// `2^x` for `x` up to [`POWER_MAX`], and its value there beyond.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    #[inline]
    fn exp2<const DIGITS: usize>(x: __m512) -> __m512 {
        /// The polynomial nearest to `2^x` for `x` in [0, 1].
        const NEAREST: [f32; 4] = [0.078_024_52, 0.226_067_17, 0.695_833_5, 0.999_925_2];
        // What is not a number stays so: of two, the second is taken.
        let x = _mm512_min_ps(_mm512_set1_ps(POWER_MAX), x);
        if DIGITS == COARSE {
            let rest = _mm512_reduce_ps::<_MM_FROUND_TO_NEG_INF>(x);
            return _mm512_scalef_ps(polynomial(rest, NEAREST), x);
        }
        let rest = _mm512_reduce_ps::<_MM_FROUND_TO_NEAREST_INT>(x);
        _mm512_scalef_ps(polynomial(rest, EXP2), _mm512_sub_ps(x, rest))
    }

    /// `log2(x)` from one up.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    #[inline]
    fn log2<const DIGITS: usize>(x: __m512) -> __m512 {
        /// The polynomial nearest to `log2(1 + x) / x` for `x` in [0, 1].
        const NEAREST: [f32; 4] = [-0.084_768_73, 0.325_595_86, -0.679_944_16, 1.439_014_7];
        let one = _mm512_set1_ps(1.0);
        if DIGITS == COARSE {
            let mantissa = _mm512_getmant_ps::<_MM_MANT_NORM_1_2, _MM_MANT_SIGN_SRC>(x);
            let rest = _mm512_sub_ps(mantissa, one);
            return _mm512_fmadd_ps(polynomial(rest, NEAREST), rest, _mm512_getexp_ps(x));
        }
        // From the root of 1/2 to that of 2.
        let power = _mm512_getexp_ps(_mm512_mul_ps(x, _mm512_set1_ps(FRAC_1_SQRT_2)));
        let power = _mm512_add_ps(power, one);
        let fraction = _mm512_scalef_ps(x, _mm512_sub_ps(_mm512_setzero_ps(), power));
        let rest = _mm512_sub_ps(fraction, one);
        _mm512_fmadd_ps(polynomial(rest, LOG2), rest, power)
    }

    /// `1 / x` for `x` from 1 to 1e30.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    #[inline]
    fn reciprocal<const DIGITS: usize>(x: __m512) -> __m512 {
        let guess = _mm512_rcp14_ps(x);
        if DIGITS == COARSE {
            return guess;
        }
        // 1 / (1 - e) is 1 + e.
        let off = _mm512_fnmadd_ps(x, guess, _mm512_set1_ps(1.0));
        _mm512_fmadd_ps(guess, off, guess)
    }

    /// `1 / (1 + exp(-x))` of `scale * x`.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    #[inline]
    fn sigmoid<const DIGITS: usize>(scale: f32, x: __m512) -> __m512 {
        let power = exp2::<DIGITS>(_mm512_mul_ps(x, _mm512_set1_ps(-scale * LOG2_E)));
        reciprocal::<DIGITS>(_mm512_add_ps(_mm512_set1_ps(1.0), power))
    }

    /// `(1 - sigmoid(x - 1))^steps`, for `minus_steps`.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    #[inline]
    fn staying<const DIGITS: usize>(x: __m512, minus_steps: __m512) -> __m512 {
        let log2_e = _mm512_set1_ps(LOG2_E);
        let power = exp2::<DIGITS>(_mm512_fmsub_ps(x, log2_e, log2_e));
        let log = log2::<DIGITS>(_mm512_add_ps(power, _mm512_set1_ps(1.0)));
        exp2::<DIGITS>(_mm512_mul_ps(minus_steps, log))
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    pub(super) fn norm_silu<const DIGITS: usize>(it: &mut NormSilu<'_>) -> bool {
        for first in (0..it.n_rows).step_by(AT_ONCE) {
            let n = AT_ONCE.min(it.n_rows - first);
            let mut norms = [0.0; AT_ONCE];
            for (idx, norm) in norms[..n].iter_mut().enumerate() {
                let row = &it.values[(first + idx) * it.stride..][..it.width];
                *norm = one_over_rms(row, it.n);
            }
            for (idx, norm) in norms[..n].iter().enumerate() {
                let row = &mut it.values[(first + idx) * it.stride..][..it.width];
                finish::<DIGITS>(row, *norm, it.scale);
            }
        }
        true
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    #[inline]
    fn one_over_rms(row: &[f32], n: usize) -> f32 {
        let mut squares = _mm512_set1_ps(0.0);
        for x in row.as_chunks::<LANES>().0 {
            let x = load(x);
            squares = _mm512_fmadd_ps(x, x, squares);
        }
        1.0 / (_mm512_reduce_add_ps(squares) / n as f32 + RMS_EPSILON).sqrt()
    }

    /// Norm, scale and `SiLU` of a row.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    #[inline]
    fn finish<const DIGITS: usize>(row: &mut [f32], norm: f32, scale: Option<&[f32]>) {
        let norm = _mm512_set1_ps(norm);
        let row = row.as_chunks_mut::<LANES>().0;
        if let Some(scale) = scale {
            for (x, scale) in row.iter_mut().zip(scale.as_chunks::<LANES>().0) {
                *x = silu::<DIGITS>(_mm512_mul_ps(_mm512_mul_ps(load(x), norm), load(scale)));
            }
        } else {
            for x in row {
                *x = silu::<DIGITS>(_mm512_mul_ps(load(x), norm));
            }
        }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    #[inline]
    fn silu<const DIGITS: usize>(x: __m512) -> [f32; LANES] {
        bytemuck::cast(_mm512_mul_ps(x, sigmoid::<DIGITS>(1.0, x)))
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    pub(super) fn gated_update<const DIGITS: usize>(it: &mut GatedUpdate<'_>) -> bool {
        let gates = it.gates.chunks_exact(3 * it.gate_width);
        for (row, (gates, &steps)) in gates.zip(it.steps).enumerate() {
            let (reset, others) = gates.split_at(it.gate_width);
            let (fresh, update) = others.split_at(it.gate_width);
            let gates = reset.as_chunks().0.iter().zip(fresh.as_chunks().0);
            let gates = gates.zip(update.as_chunks().0);
            let state = &mut it.state[row * it.stride..][..it.width];
            let minus_steps = _mm512_set1_ps(-steps);
            for (state, ((reset, fresh), update)) in state.chunks_mut(LANES).zip(gates) {
                let gates = [load(reset), load(fresh), load(update)];
                if let Some(state) = state.as_mut_array() {
                    *state = bytemuck::cast(updated::<DIGITS>(load(state), gates, minus_steps));
                } else {
                    let mut before = [0.0; LANES];
                    before[..state.len()].copy_from_slice(state);
                    let after: [f32; LANES] =
                        bytemuck::cast(updated::<DIGITS>(load(&before), gates, minus_steps));
                    state.copy_from_slice(&after[..state.len()]);
                }
            }
        }
        true
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    #[inline]
    fn updated<const DIGITS: usize>(
        before: __m512,
        [reset, fresh, update]: [__m512; 3],
        minus_steps: __m512,
    ) -> __m512 {
        let reset = sigmoid::<DIGITS>(1.0, reset);
        // `tanh(x) = 2 sigmoid(2 x) - 1`
        let fresh = sigmoid::<DIGITS>(2.0, _mm512_mul_ps(reset, fresh));
        let fresh = _mm512_fmsub_ps(_mm512_set1_ps(2.0), fresh, _mm512_set1_ps(1.0));
        let stays = staying::<DIGITS>(update, minus_steps);
        _mm512_fmadd_ps(stays, _mm512_sub_ps(before, fresh), fresh)
    }
}
