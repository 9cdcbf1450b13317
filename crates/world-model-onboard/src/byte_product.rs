//! Products of bytes by the instructions made for them, where the processor has these: those of
//! tile registers before those of vectors.
//!
//! Sums stay in registers, and leave them as numbers: nothing of whole numbers goes through memory.

use multiversion::multiversion;
use multiversion::target::match_target;
use sedge_matrix_tiles::{COLUMNS, GROUP, ROWS, Rows, Sums, Tile, Tiles};

use crate::products::Out;

/// Columns of weights that lie together.
pub(crate) const PANEL: usize = COLUMNS;

/// `out = (steps W - at_zero) * row_scale * scale + ..`
pub(crate) struct ByteProduct<'a> {
    /// Rows each `stride` after the one before, as many as fill tiles.
    pub(crate) steps: &'a [u8],
    pub(crate) stride: usize,
    /// Of each row, a multiple of what a tile takes.
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
    use std::ops::Range;

    use std::arch::x86_64::{
        __m512, __m512i, _mm512_cvtepi32_ps, _mm512_dpbusd_epi32, _mm512_fmadd_ps, _mm512_mul_ps,
        _mm512_set1_epi32, _mm512_set1_ps, _mm512_setzero_si512, _mm512_sub_epi32,
    };

    use super::{ByteProduct, GROUP, PANEL, ROWS, Rows, Sums, Tile, Tiles};

    /// Numbers of a vector.
    const LANES: usize = 16;
    /// Rows that share weights in registers: 16 sums, and as many products under way.
    const ROWS_AT_ONCE: usize = 8;

    /// Does it, and says so.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    pub(super) fn multiply(product: &mut ByteProduct<'_>) -> bool {
        match Tiles::load() {
            Some(tiles) => multiply_in_tiles(product, &tiles),
            None => multiply_in_vectors(product),
        }
        true
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    fn multiply_in_tiles(product: &mut ByteProduct<'_>, tiles: &Tiles) {
        let mut sums = Sums::default();
        for column in (0..product.scale.len()).step_by(PANEL) {
            if column + PANEL <= product.scale.len() {
                panel_in_tiles::<2>(product, (tiles, &mut sums), column);
            } else {
                panel_in_tiles::<1>(product, (tiles, &mut sums), column);
            }
        }
    }

    /// All rows by a panel, or by its first half.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    fn panel_in_tiles<const C: usize>(
        product: &mut ByteProduct<'_>,
        (tiles, sums): (&Tiles, &mut Sums),
        column: usize,
    ) {
        let (n_rows, n_in) = (product.row_scale.len(), product.n_in);
        let panel = &product.weights[column * n_in..][..PANEL * n_in];
        for first in (0..n_rows).step_by(2 * ROWS) {
            let n = (n_rows - first).min(2 * ROWS);
            let rows = Rows {
                values: &product.steps[first * product.stride..],
                stride: product.stride,
                n_tiles: n.div_ceil(ROWS),
            };
            tiles.multiply(rows, panel, sums);
            for (idx, tiles) in sums.0.iter().enumerate().take(n.div_ceil(ROWS)) {
                let rows = first + idx * ROWS..n_rows.min(first + (idx + 1) * ROWS);
                let tiles: &[Tile; C] = tiles.first_chunk().expect("two tiles of columns");
                widen_tiles(product, rows, column, tiles);
            }
        }
    }

    /// The sums of some rows as numbers, to where they go.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    #[inline]
    fn widen_tiles<const C: usize>(
        product: &mut ByteProduct<'_>,
        rows: Range<usize>,
        column: usize,
        tiles: &[Tile; C],
    ) {
        let mut scale = [_mm512_set1_ps(0.0); C];
        let mut at_zero = [_mm512_setzero_si512(); C];
        let mut bias = [_mm512_set1_ps(0.0); C];
        for c in 0..C {
            let column = column + c * LANES;
            scale[c] = numbers(&product.scale[column..][..LANES]);
            at_zero[c] = wholes(&product.at_zero[column..][..LANES]);
            if let Some(all) = product.out.bias {
                bias[c] = numbers(&all[column..][..LANES]);
            }
        }
        let is_added = product.out.bias.is_none();
        let (first, stride) = (product.out.at(rows.start, column), product.out.stride);
        let outs = product.out.values[first..].chunks_mut(stride);
        for (r, (out, row_scale)) in outs.zip(&product.row_scale[rows]).enumerate() {
            let row_scale = _mm512_set1_ps(*row_scale);
            let out = &mut out[..C * LANES];
            for (c, out) in out.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
                let before = if is_added {
                    bytemuck::cast(*out)
                } else {
                    bias[c]
                };
                let sum = _mm512_sub_epi32(bytemuck::cast(tiles[c][r]), at_zero[c]);
                let scale = _mm512_mul_ps(scale[c], row_scale);
                *out = bytemuck::cast(_mm512_fmadd_ps(_mm512_cvtepi32_ps(sum), scale, before));
            }
        }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    pub(super) fn multiply_in_vectors(product: &mut ByteProduct<'_>) {
        for column in (0..product.scale.len()).step_by(PANEL) {
            let mut row = 0;
            while row + ROWS_AT_ONCE <= product.row_scale.len() {
                panel_rows::<ROWS_AT_ONCE>(product, row, column);
                row += ROWS_AT_ONCE;
            }
            while row < product.row_scale.len() {
                panel_rows::<1>(product, row, column);
                row += 1;
            }
        }
    }

    /// So many rows by a panel, or by its first half where there are no more columns.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    #[inline]
    fn panel_rows<const R: usize>(product: &mut ByteProduct<'_>, row: usize, column: usize) {
        if column + PANEL <= product.scale.len() {
            rows_by_vectors::<R, 2>(product, row, column);
        } else {
            rows_by_vectors::<R, 1>(product, row, column);
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
    fn rows_by_vectors<const R: usize, const C: usize>(
        product: &mut ByteProduct<'_>,
        row: usize,
        column: usize,
    ) {
        let n_in = product.n_in;
        let panel = &product.weights[column * n_in..][..PANEL * n_in];
        let panel = panel.as_chunks::<{ PANEL * GROUP }>().0;
        let mut rows: [&[[u8; GROUP]]; R] = [&[]; R];
        for (r, steps) in rows.iter_mut().enumerate() {
            let row = &product.steps[(row + r) * product.stride..][..n_in];
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
        for (r, sums) in sums.into_iter().enumerate() {
            for (c, sum) in sums.into_iter().enumerate() {
                widen(product, sum, row + r, column + c * LANES);
            }
        }
    }

    /// A vector of sums as numbers, to where it goes.
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")]
    #[inline]
    fn widen(product: &mut ByteProduct<'_>, sum: __m512i, row: usize, column: usize) {
        let scale = numbers(&product.scale[column..][..LANES]);
        let at_zero = wholes(&product.at_zero[column..][..LANES]);
        let at = product.out.at(row, column);
        let before = match product.out.bias {
            Some(bias) => numbers(&bias[column..][..LANES]),
            None => numbers(&product.out.values[at..][..LANES]),
        };
        let sum = _mm512_cvtepi32_ps(_mm512_sub_epi32(sum, at_zero));
        let scale = _mm512_mul_ps(scale, _mm512_set1_ps(product.row_scale[row]));
        let after: [f32; LANES] = bytemuck::cast(_mm512_fmadd_ps(sum, scale, before));
        product.out.values[at..][..LANES].copy_from_slice(&after);
    }
}
