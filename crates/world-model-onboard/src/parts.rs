//! Products of `f32` in tile registers, which multiply numbers of eight binary digits: inputs and
//! weights are three such parts each, whose sum they are.
//!
//! Sums are those of `f32` to within its rounding. Six products of tiles take less than half of the
//! time of one in vectors, where there are rows enough to fill a tile.

use multiversion::multiversion;
use sedge_matrix_tiles::{
    COLUMNS, NUMBERS, PAIR, PARTS, ROWS, Rows as TileRows, Sums, Tile, Tiles, parts,
};

use crate::layers::Rows;
use crate::products::{LANES, Out};

/// Parts of the numbers that an instruction takes of a row.
const CHUNK: usize = NUMBERS * PARTS;

/// Rows in parts, for any number of layers to read. The memory serves again.
#[derive(Default)]
pub(crate) struct PartRows {
    /// As many rows as fill tiles, and a chunk more. `[row, chunk, PARTS, NUMBERS]`
    values: Vec<u16>,
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
    weights: Vec<u16>,
    /// A multiple of [`LANES`].
    width: usize,
    /// Values of a panel.
    n_panel: usize,
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
            weights,
            width,
            n_panel: n_in.div_ceil(NUMBERS) * CHUNK * COLUMNS,
        }
    }

    /// Puts `x W` to rows, for inputs from one on, a multiple of [`NUMBERS`].
    pub(crate) fn multiply(&self, x: &PartRows, from: usize, tiles: &Tiles, mut out: Out<'_>) {
        let mut sums = Sums::default();
        for column in (0..self.width).step_by(COLUMNS) {
            let panel = &self.weights[column / COLUMNS * self.n_panel..][..self.n_panel];
            for first in (0..x.n).step_by(2 * ROWS) {
                let n = (x.n - first).min(2 * ROWS);
                let rows = TileRows {
                    values: &x.values[first * x.stride + from * PARTS..],
                    stride: x.stride,
                    n_tiles: n.div_ceil(ROWS),
                };
                tiles.multiply_parts(rows, panel, &mut sums);
                for (idx, tiles) in sums.0.iter().enumerate().take(n.div_ceil(ROWS)) {
                    let row = first + idx * ROWS;
                    let n = (x.n - row).min(ROWS);
                    let tiles = &tiles[..(self.width - column).div_ceil(LANES).min(2)];
                    put(&mut out, (row, n), column, tiles);
                }
            }
        }
    }
}

/// Puts sums of some rows to where they go.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl"))]
fn put(out: &mut Out<'_>, (row, n): (usize, usize), column: usize, tiles: &[Tile<f32>]) {
    for (c, tile) in tiles.iter().enumerate() {
        let column = column + c * LANES;
        for (r, sums) in tile[..n].iter().enumerate() {
            let at = out.at(row + r, column);
            let before = match out.bias {
                Some(bias) => &bias[column..][..LANES],
                None => &out.values[at..][..LANES],
            };
            let mut after = *sums;
            for (after, before) in after.iter_mut().zip(before) {
                *after += before;
            }
            out.values[at..][..LANES].copy_from_slice(&after);
        }
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
            panels.multiply(&rows, from, &tiles, out.out(Some(&bias)));
            for (got, expected) in got.iter().zip(expected) {
                assert!((got - expected).abs() < 2e-5, "{got} {expected}");
            }
        }
    }
}
