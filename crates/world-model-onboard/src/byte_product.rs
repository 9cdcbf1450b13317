//! Products of bytes by the instructions made for them, where the processor has these.
//!
//! Sums stay in registers, and leave them as numbers: nothing of whole numbers goes through memory.

use multiversion::multiversion;
use multiversion::target::match_target;

use crate::products::Out;

/// Columns of weights that lie together.
pub(crate) const PANEL: usize = 32;
/// Inputs that one instruction takes.
pub(crate) const GROUP: usize = 4;

/// `out = (steps W - at_zero) * row_scale * scale + ..`
pub(crate) struct ByteProduct<'a> {
    /// `[row, n_in]`; `n_in` is a multiple of [`GROUP`].
    pub(crate) steps: &'a [u8],
    pub(crate) n_in: usize,
    /// `[row]`
    pub(crate) row_scale: &'a [f32],
    /// `[panel, n_in / GROUP, PANEL, GROUP]`
    pub(crate) weights: &'a [i8],
    /// By column, as many as go out: a multiple of 16.
    pub(crate) scale: &'a [f32],
    pub(crate) at_zero: &'a [i32],
    pub(crate) out: Out<'a>,
}

/// Multiplies, or says that this processor cannot.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl+avx512vnni"))]
pub(crate) fn multiply(product: &mut ByteProduct<'_>) -> bool {
    match_target! {
        "x86_64+avx512f+avx512bw+avx512dq+avx512vl+avx512vnni" => avx512_vnni::multiply(product),
        _ => cannot(product),
    }
}

fn cannot(_: &ByteProduct<'_>) -> bool {
    false
}

#[cfg(target_arch = "x86_64")]
mod avx512_vnni {
    use std::arch::x86_64::{
        __m512, __m512i, _mm512_cvtepi32_ps, _mm512_dpbusd_epi32, _mm512_fmadd_ps, _mm512_mul_ps,
        _mm512_set1_epi32, _mm512_set1_ps, _mm512_setzero_si512, _mm512_sub_epi32,
    };

    use super::{ByteProduct, GROUP, PANEL};

    /// Numbers of a vector.
    const LANES: usize = 16;
    /// Rows that share weights in registers: 16 sums, and as many products under way.
    const ROWS: usize = 8;

    /// Does it, and says so.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    pub(super) fn multiply(product: &mut ByteProduct<'_>) -> bool {
        for column in (0..product.scale.len()).step_by(PANEL) {
            let mut row = 0;
            while row + ROWS <= product.row_scale.len() {
                panel_rows::<ROWS>(product, row, column);
                row += ROWS;
            }
            while row < product.row_scale.len() {
                panel_rows::<1>(product, row, column);
                row += 1;
            }
        }
        true
    }

    /// So many rows by a panel, or by its first half where there are no more columns.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    #[inline]
    fn panel_rows<const R: usize>(product: &mut ByteProduct<'_>, row: usize, column: usize) {
        if column + PANEL <= product.scale.len() {
            tile::<R, 2>(product, row, column);
        } else {
            tile::<R, 1>(product, row, column);
        }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    #[inline]
    fn bytes(values: &[i8]) -> __m512i {
        let values: [i8; 64] = values.try_into().expect("a vector of bytes");
        bytemuck::cast(values)
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    #[inline]
    fn wholes(values: &[i32]) -> __m512i {
        let values: [i32; LANES] = values.try_into().expect("a vector of whole numbers");
        bytemuck::cast(values)
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    #[inline]
    fn numbers(values: &[f32]) -> __m512 {
        let values: [f32; LANES] = values.try_into().expect("a vector of numbers");
        bytemuck::cast(values)
    }

    /// `R` rows by `C` vectors of the output.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    #[inline]
    fn tile<const R: usize, const C: usize>(
        product: &mut ByteProduct<'_>,
        row: usize,
        column: usize,
    ) {
        let n_in = product.n_in;
        let panel = &product.weights[column * n_in..][..PANEL * n_in];
        let panel = panel.as_chunks::<{ PANEL * GROUP }>().0;
        let mut rows: [&[[u8; GROUP]]; R] = [&[]; R];
        for (r, steps) in rows.iter_mut().enumerate() {
            let row = &product.steps[(row + r) * n_in..][..n_in];
            *steps = &row.as_chunks::<GROUP>().0[..panel.len()];
        }
        let mut sums = [[_mm512_setzero_si512(); C]; R];
        for (group, weights) in panel.iter().enumerate() {
            let mut vectors = [_mm512_setzero_si512(); C];
            for (vector, weights) in vectors.iter_mut().zip(weights.chunks_exact(64)) {
                *vector = bytes(weights);
            }
            for (sums, steps) in sums.iter_mut().zip(rows) {
                let steps = _mm512_set1_epi32(i32::from_le_bytes(steps[group]));
                for (sum, vector) in sums.iter_mut().zip(vectors) {
                    *sum = _mm512_dpbusd_epi32(*sum, steps, vector);
                }
            }
        }
        let row_scale = &product.row_scale[row..][..R];
        for c in 0..C {
            let column = column + c * LANES;
            let scale = numbers(&product.scale[column..][..LANES]);
            let at_zero = wholes(&product.at_zero[column..][..LANES]);
            for (r, sums) in sums.iter().enumerate() {
                let at = product.out.at(row + r, column);
                let before = match product.out.bias {
                    Some(bias) => numbers(&bias[column..][..LANES]),
                    None => numbers(&product.out.values[at..][..LANES]),
                };
                let sum = _mm512_cvtepi32_ps(_mm512_sub_epi32(sums[c], at_zero));
                let scale = _mm512_mul_ps(scale, _mm512_set1_ps(row_scale[r]));
                let after: [f32; LANES] = bytemuck::cast(_mm512_fmadd_ps(sum, scale, before));
                product.out.values[at..][..LANES].copy_from_slice(&after);
            }
        }
    }
}
