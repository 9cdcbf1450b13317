//! Products of `f32` in tile registers, which multiply numbers of eight binary digits: inputs and
//! weights are three such parts each, whose sum they are.
//!
//! Sums are those of `f32` to within its rounding. Six products of tiles take less than half of the
//! time of one in vectors, where there are rows enough to fill a tile.

use multiversion::multiversion;
use sedge_matrix_tiles::{
    COLUMNS, NUMBERS, PAIR, PARTS, ROWS, Rows as TileRows, SumRows, Tiles, parts,
};

use crate::aligned::Aligned;
use crate::layers::Rows;
use crate::products::Out;

/// Parts of the numbers that an instruction takes of a row.
const CHUNK: usize = NUMBERS * PARTS;

/// Rows in parts, for any number of layers to read. The memory serves again.
#[derive(Default)]
pub(crate) struct PartRows {
    /// As many rows as fill tiles, and a chunk more. `[row, chunk, PARTS, NUMBERS]`
    values: Aligned<u16>,
    /// A multiple of [`CHUNK`].
    stride: usize,
    n: usize,
}

impl PartRows {
    /// Takes rows, instead of what was there.
    pub(crate) fn take(&mut self, x: Rows<'_>) {
        self.stride = x.width.div_ceil(NUMBERS) * CHUNK;
        self.resize(x.n);
        split(x, self.stride, &mut self.values);
    }

    /// As many copies of its only row.
    pub(crate) fn repeat(&mut self, n: usize) {
        self.resize(n);
        for row in 1..n {
            self.values.copy_within(..self.stride, row * self.stride);
        }
    }

    /// Room for rows. What lies beyond their numbers is multiplied with weights of zero, or never
    /// looked at.
    fn resize(&mut self, n: usize) {
        self.n = n;
        let n_rows = n.next_multiple_of(ROWS);
        self.values.resize(n_rows * self.stride + CHUNK, 0);
    }
}

#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl"))]
fn split(x: Rows<'_>, stride: usize, values: &mut [u16]) {
    for (row, values) in (0..x.n).zip(values.chunks_exact_mut(stride)) {
        let x = &x.values[row * x.stride..][..x.width];
        let (chunks, rest) = x.as_chunks::<NUMBERS>();
        let (outs, _) = values.as_chunks_mut::<CHUNK>();
        for (x, out) in chunks.iter().zip(&mut *outs) {
            split_chunk(x, out);
        }
        if let Some(out) = outs.get_mut(chunks.len()) {
            let mut x = [0.0; NUMBERS];
            x[..rest.len()].copy_from_slice(rest);
            split_chunk(&x, out);
        }
    }
}

#[inline]
fn split_chunk(x: &[f32; NUMBERS], out: &mut [u16; CHUNK]) {
    for (k, x) in x.iter().enumerate() {
        let [first, second, third] = parts(*x);
        out[k] = first;
        out[NUMBERS + k] = second;
        out[2 * NUMBERS + k] = third;
    }
}

/// Weights in parts.
pub(crate) struct PartPanels {
    /// `[panel, chunk, PARTS, NUMBERS / PAIR, COLUMNS, PAIR]`
    weights: Aligned<u16>,
    width: usize,
}

impl PartPanels {
    /// From rows of `width` numbers.
    pub(crate) fn new(rows: &[f32], width: usize) -> Self {
        let n_in = rows.len() / width.max(1);
        let part = |k: usize, j: usize, part: usize| {
            let is_there = k < n_in && j < width;
            let weight = if is_there { rows[k * width + j] } else { 0.0 };
            parts(weight)[part]
        };
        let mut weights = Vec::new();
        for panel in (0..width).step_by(COLUMNS) {
            for chunk in (0..n_in).step_by(NUMBERS) {
                for idx in 0..PARTS {
                    for k in (chunk..chunk + NUMBERS).step_by(PAIR) {
                        for j in panel..panel + COLUMNS {
                            weights.extend((k..k + PAIR).map(|k| part(k, j, idx)));
                        }
                    }
                }
            }
        }
        Self {
            weights: weights.into(),
            width,
        }
    }

    /// Puts `x W` to rows, for inputs from one on, a multiple of [`NUMBERS`].
    pub(crate) fn multiply(&self, x: &PartRows, from: usize, tiles: &Tiles, out: &mut Out<'_>) {
        let n_panels = self.width.div_ceil(COLUMNS);
        let panels = self.weights.chunks_exact(self.weights.len() / n_panels);
        for (column, panel) in (0..self.width).step_by(COLUMNS).zip(panels) {
            let width = COLUMNS.min(self.width - column);
            let bias = out.bias.map(|bias| {
                let mut whole = [0.0; COLUMNS];
                whole[..width].copy_from_slice(&bias[column..][..width]);
                whole
            });
            for first in (0..x.n).step_by(2 * ROWS) {
                let n = (x.n - first).min(2 * ROWS);
                let rows = TileRows {
                    values: &x.values[first * x.stride + from * PARTS..],
                    stride: x.stride,
                    n_tiles: n.div_ceil(ROWS),
                };
                let at = out.at(first, column);
                let mut sums = SumRows {
                    values: &mut out.values[at..],
                    stride: out.stride,
                    bias: bias.as_ref(),
                };
                if n == rows.n_tiles * ROWS && width == COLUMNS {
                    tiles.add_parts(rows, panel, &mut sums);
                } else {
                    add_some(tiles, (rows, panel), &mut sums, [n, width]);
                }
            }
        }
    }
}

/// Adds products to fewer rows than tiles have, or fewer columns.
fn add_some(
    tiles: &Tiles,
    (rows, panel): (TileRows<'_, u16>, &[u16]),
    sums: &mut SumRows<'_>,
    [n, width]: [usize; 2],
) {
    let mut whole = [0.0; 2 * ROWS * COLUMNS];
    for (row, sums) in whole
        .chunks_exact_mut(COLUMNS)
        .zip(sums.values.chunks(sums.stride))
        .take(n)
    {
        row[..width].copy_from_slice(&sums[..width]);
    }
    let mut to = SumRows {
        values: &mut whole,
        stride: COLUMNS,
        bias: sums.bias,
    };
    tiles.add_parts(rows, panel, &mut to);
    for (row, sums) in whole
        .chunks_exact(COLUMNS)
        .zip(sums.values.chunks_mut(sums.stride))
        .take(n)
    {
        sums[..width].copy_from_slice(&row[..width]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::{Dense, RowsMut};

    fn numbers(n: usize, seed: usize) -> Vec<f32> {
        let number = |k: usize| ((k * 7919 + seed * 104_729) % 2003) as f32 / 1001.0 - 1.0;
        (0..n).map(number).collect()
    }

    #[test]
    fn products_are_those_of_vectors_to_the_last_digits() {
        let Some(tiles) = Tiles::load() else {
            eprintln!("skipped: this processor or kernel gives no tiles");
            return;
        };
        for (n_rows, n_in, from, width) in [
            (1, 32, 0, 16),
            (17, 128, 64, 48),
            (64, 384, 0, 256),
            (40, 100, 32, 64),
        ] {
            let (x, weights) = (numbers(n_rows * n_in, 1), numbers((n_in - from) * width, 2));
            let bias = numbers(width, 3);
            let mut expected = vec![0.5; n_rows * width];
            Dense::new(&weights, bias.clone()).put(
                Rows::dense(&x, n_rows).part(from, n_in - from),
                &mut RowsMut::dense(&mut expected, n_rows),
            );
            let mut rows = PartRows::default();
            rows.take(Rows::dense(&x, n_rows));
            let mut got = vec![0.5; n_rows * width];
            let panels = PartPanels::new(&weights, width);
            let mut out = RowsMut::dense(&mut got, n_rows);
            panels.multiply(&rows, from, &tiles, &mut out.out(Some(&bias)));
            for (got, expected) in got.iter().zip(expected) {
                assert!((got - expected).abs() < 2e-5, "{got} {expected}");
            }
        }
    }
}
