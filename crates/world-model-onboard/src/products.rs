//! The two products that a network is made of, in vectors as wide as the machine has.
//!
//! Everything is written over rows of plain slices: no packing on the way, no threads and no memory
//! of their own. Rows are padded to [`LANES`] numbers, so that vectors never need a mask.

#![expect(
    clippy::inline_always,
    reason = "only what is inlined is compiled for the instructions that were chosen"
)]

use rten_simd::ops::{BitOps as _, NumOps as _};
use rten_simd::{Isa, SimdOp};

use crate::aligned::Aligned;

/// The widest vector of `f32` that any instruction set has here; rows are padded to it.
pub(crate) const LANES: usize = 16;
/// Output channels that a convolution works on at once.
pub(crate) const CHANNEL_BLOCK: usize = 8;
/// Vectors along the beams that it works on at once.
const BEAM_VECTORS: usize = 2;
/// Beams are padded to this.
pub(crate) const BEAM_BLOCK: usize = BEAM_VECTORS * LANES;
/// Zeros before and after the beams of a row: as far as a convolution reaches.
pub(crate) const MARGIN: usize = 16;

/// Columns of weights that lie together: two of the widest vectors.
const PANEL: usize = 2 * LANES;

/// `[n_in, width]` weights, laid out as products read them: in panels of [`PANEL`] columns, each
/// row by row, so that a panel is one stretch of memory.
#[derive(Clone)]
pub(crate) struct Panels {
    values: Aligned<f32>,
    pub(crate) n_in: usize,
    /// A multiple of [`LANES`].
    pub(crate) width: usize,
}

impl Panels {
    /// From rows of `width` numbers.
    pub(crate) fn new(rows: &[f32], width: usize) -> Self {
        let starts = (0..width).step_by(PANEL);
        let panel = |start: usize| {
            let n = PANEL.min(width - start);
            rows.chunks_exact(width)
                .flat_map(move |row| row[start..start + n].iter().copied())
        };
        Self {
            values: starts.flat_map(panel).collect::<Vec<f32>>().into(),
            n_in: rows.len() / width.max(1),
            width,
        }
    }

    /// The panel that starts at a column, from one row on, and its width.
    #[inline(always)]
    fn panel(&self, start: usize, from: usize) -> (&[f32], usize) {
        let n = PANEL.min(self.width - start);
        let panel = &self.values[start * self.n_in..][..n * self.n_in];
        (&panel[from * n..], n)
    }
}

/// Adds the weights' rows of inputs that are one: `hot` says which, and all others are zero.
pub(crate) struct HotProduct<'a> {
    /// Indices, so many each row. Those of [`NOTHING`] are zero.
    pub(crate) hot: &'a [u32],
    pub(crate) groups: usize,
    pub(crate) weight: &'a Panels,
    /// The weights' row of the first index.
    pub(crate) from: usize,
    pub(crate) out: Out<'a>,
}

/// Index of an input that is zero.
pub(crate) const NOTHING: u32 = u32::MAX;

impl SimdOp for HotProduct<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        let ops = isa.f32();
        let lanes = ops.len();
        for (row, hot) in self.hot.chunks_exact(self.groups).enumerate() {
            for column in (0..self.weight.width).step_by(PANEL) {
                let (panel, panel_width) = self.weight.panel(column, self.from);
                for skipped in (0..panel_width).step_by(lanes) {
                    let mut sum = ops.zero();
                    for &idx in hot.iter().filter(|&&idx| idx != NOTHING) {
                        let weights = &panel[idx as usize * panel_width + skipped..];
                        sum = ops.add(sum, ops.load(&weights[..lanes]));
                    }
                    let at = self.out.at(row, column + skipped);
                    let before = self.out.before(isa, at, column + skipped);
                    ops.store(ops.add(before, sum), &mut self.out.values[at..][..lanes]);
                }
            }
        }
    }
}

/// Where a product goes: rows, each `stride` after the one before.
pub(crate) struct Out<'a> {
    pub(crate) values: &'a mut [f32],
    pub(crate) stride: usize,
    /// What a product is added to: the same numbers in each row, or what is there.
    pub(crate) bias: Option<&'a [f32]>,
}

impl Out<'_> {
    #[inline(always)]
    pub(crate) fn at(&self, row: usize, column: usize) -> usize {
        row * self.stride + column
    }

    /// What a vector of the product is added to.
    #[inline(always)]
    pub(crate) fn before<I: Isa>(&self, isa: I, at: usize, column: usize) -> I::F32 {
        let from = match self.bias {
            Some(bias) => &bias[column..],
            None => &self.values[at..],
        };
        isa.f32().load(&from[..isa.f32().len()])
    }
}

/// `out = x W + ..`, row by row.
pub(crate) struct RowProduct<'a> {
    pub(crate) n_rows: usize,
    /// Rows of `n_in` numbers, each `x_stride` after the one before; they may overlap.
    pub(crate) x: &'a [f32],
    pub(crate) x_stride: usize,
    pub(crate) n_in: usize,
    pub(crate) weight: &'a Panels,
    /// The first of the weights' rows that take part.
    pub(crate) from: usize,
    /// Rows as wide as the weights.
    pub(crate) out: Out<'a>,
}

/// A part of the output: where it starts, and the weights of its columns.
#[derive(Clone, Copy)]
struct Tile<'a> {
    row: usize,
    column: usize,
    panel: &'a [f32],
    panel_width: usize,
    /// Columns of the panel before it.
    skipped: usize,
}

impl SimdOp for RowProduct<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(mut self, isa: I) {
        // A panel stays in the fastest cache while all rows go by.
        let in_tiles = self.n_rows / 4 * 4;
        let weight = self.weight;
        for column in (0..weight.width).step_by(PANEL) {
            let (panel, panel_width) = weight.panel(column, self.from);
            let mut tile = Tile {
                row: 0,
                column,
                panel,
                panel_width,
                skipped: 0,
            };
            // Sums of a tile stay in registers: of 32 in the widest set, and of 16 in others.
            while isa.f32().len() == LANES && tile.row + 12 <= in_tiles {
                self.rows::<I, 12>(isa, tile);
                tile.row += 12;
            }
            while tile.row < in_tiles {
                self.rows::<I, 4>(isa, tile);
                tile.row += 4;
            }
        }
        for row in in_tiles..self.n_rows {
            self.row(isa, row);
        }
    }
}

impl RowProduct<'_> {
    /// `R` rows by a panel, two vectors at a time.
    #[inline(always)]
    fn rows<I: Isa, const R: usize>(&mut self, isa: I, mut tile: Tile<'_>) {
        let lanes = isa.f32().len();
        while tile.skipped < tile.panel_width {
            if tile.skipped + 2 * lanes <= tile.panel_width {
                self.tile::<I, R, 2>(isa, tile);
                tile.skipped += 2 * lanes;
                tile.column += 2 * lanes;
            } else {
                self.tile::<I, R, 1>(isa, tile);
                tile.skipped += lanes;
                tile.column += lanes;
            }
        }
    }

    /// One row: several panels at once, so that sums do not wait for each other.
    #[inline(always)]
    fn row<I: Isa>(&mut self, isa: I, row: usize) {
        const AT_ONCE: usize = 4;
        let weight = self.weight;
        let mut column = 0;
        if isa.f32().len() == LANES {
            while column + AT_ONCE * PANEL <= weight.width {
                let panels = std::array::from_fn(|k| weight.panel(column + k * PANEL, self.from).0);
                self.wide_row::<I, AT_ONCE>(isa, (row, column), panels);
                column += AT_ONCE * PANEL;
            }
        }
        let lanes = isa.f32().len();
        for column in (column..weight.width).step_by(PANEL) {
            let (panel, panel_width) = weight.panel(column, self.from);
            let tile = |skipped| Tile {
                row,
                column: column + skipped,
                panel,
                panel_width,
                skipped,
            };
            if panel_width == 8 * lanes {
                self.tile::<I, 1, 8>(isa, tile(0));
            } else if panel_width == 4 * lanes {
                self.tile::<I, 1, 4>(isa, tile(0));
            } else {
                for skipped in (0..panel_width).step_by(lanes) {
                    self.tile::<I, 1, 1>(isa, tile(skipped));
                }
            }
        }
    }

    /// One row by `P` whole panels, of two vectors each.
    #[inline(always)]
    fn wide_row<I: Isa, const P: usize>(
        &mut self,
        isa: I,
        (row, column): (usize, usize),
        panels: [&[f32]; P],
    ) {
        let ops = isa.f32();
        let x = &self.x[row * self.x_stride..][..self.n_in];
        let panels = panels.map(|panel| &panel.as_chunks::<PANEL>().0[..self.n_in]);
        let mut sums = [[ops.zero(); 2]; P];
        for (idx, &x) in x.iter().enumerate() {
            let x = ops.splat(x);
            for (sums, panel) in sums.iter_mut().zip(panels) {
                let (low, high) = panel[idx].split_at(LANES);
                sums[0] = ops.mul_add(x, ops.load(low), sums[0]);
                sums[1] = ops.mul_add(x, ops.load(high), sums[1]);
            }
        }
        for (idx, &sum) in sums.as_flattened().iter().enumerate() {
            self.put(isa, (row, column + idx * LANES), sum);
        }
    }

    /// `R` rows by `C` vectors of the output, kept in registers.
    #[inline(always)]
    fn tile<I: Isa, const R: usize, const C: usize>(&mut self, isa: I, tile: Tile<'_>) {
        let ops = isa.f32();
        let lanes = ops.len();
        let xs: [&[f32]; R] =
            std::array::from_fn(|r| &self.x[(tile.row + r) * self.x_stride..][..self.n_in]);
        let mut sums = [[ops.zero(); C]; R];
        let weights = &tile.panel[tile.skipped..];
        for idx in 0..self.n_in {
            let weights = &weights[idx * tile.panel_width..][..C * lanes];
            let mut vectors = [ops.zero(); C];
            for (vector, weights) in vectors.iter_mut().zip(weights.chunks_exact(lanes)) {
                *vector = ops.load(weights);
            }
            for (sums, x) in sums.iter_mut().zip(xs) {
                let x = ops.splat(x[idx]);
                for (sum, vector) in sums.iter_mut().zip(vectors) {
                    *sum = ops.mul_add(x, vector, *sum);
                }
            }
        }
        for (r, sums) in sums.into_iter().enumerate() {
            for (c, sum) in sums.into_iter().enumerate() {
                self.put(isa, (tile.row + r, tile.column + c * lanes), sum);
            }
        }
    }

    /// Puts a vector of sums to the output. Sums begin at zero whatever the tile, so that a row has
    /// the same bits wherever it stands.
    #[inline(always)]
    fn put<I: Isa>(&mut self, isa: I, (row, column): (usize, usize), sum: I::F32) {
        let ops = isa.f32();
        let at = self.out.at(row, column);
        let sum = ops.add(self.out.before(isa, at, column), sum);
        ops.store(sum, &mut self.out.values[at..][..ops.len()]);
    }
}

/// What follows a convolution.
#[derive(Clone, Copy)]
pub(crate) enum After<'a> {
    /// Nothing.
    Linear,
    /// `relu(gain * y + offset)`, by channel.
    Modulated { gain: &'a [f32], offset: &'a [f32] },
    /// `x + relu(y)`.
    Residual,
}

/// A convolution along the beams of one scan that keeps their number.
///
/// Rows of `x` and `out` are [`beam_stride`] numbers long, with [`MARGIN`] zeros on both sides.
pub(crate) struct BeamProduct<'a> {
    pub(crate) n_beams: usize,
    /// `[n_in]` rows.
    pub(crate) x: &'a [f32],
    pub(crate) n_in: usize,
    /// `[channel block, n_in, kernel, CHANNEL_BLOCK]`
    pub(crate) weight: &'a [f32],
    pub(crate) kernel: usize,
    pub(crate) dilation: usize,
    /// By output channel, padded to [`CHANNEL_BLOCK`].
    pub(crate) bias: &'a [f32],
    pub(crate) after: After<'a>,
    /// Rows of the output channels, padded to [`CHANNEL_BLOCK`].
    pub(crate) out: &'a mut [f32],
}

/// Numbers of a row of beams with its margins.
pub(crate) fn beam_stride(n_beams: usize) -> usize {
    n_beams.next_multiple_of(BEAM_BLOCK) + 2 * MARGIN
}

impl SimdOp for BeamProduct<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(mut self, isa: I) {
        let block = BEAM_VECTORS * isa.f32().len();
        for channel in (0..self.bias.len()).step_by(CHANNEL_BLOCK) {
            for beam in (0..self.n_beams).step_by(block) {
                self.tile(isa, channel, beam);
            }
        }
        self.clear_ends();
    }
}

impl BeamProduct<'_> {
    /// One block of channels and beams, kept in registers.
    #[inline(always)]
    fn tile<I: Isa>(&mut self, isa: I, channel: usize, beam: usize) {
        let ops = isa.f32();
        let lanes = ops.len();
        let stride = beam_stride(self.n_beams);
        let taps = self.n_in * self.kernel * CHANNEL_BLOCK;
        let weights = &self.weight[channel / CHANNEL_BLOCK * taps..][..taps];
        let bias = &self.bias[channel..][..CHANNEL_BLOCK];
        let mut sums: [[I::F32; BEAM_VECTORS]; CHANNEL_BLOCK] =
            std::array::from_fn(|o| [ops.splat(bias[o]); BEAM_VECTORS]);
        let first = MARGIN + beam - self.dilation * (self.kernel - 1) / 2;
        let span = BEAM_VECTORS * lanes;
        let rows = self.x.chunks_exact(stride);
        for (row, weights) in rows.zip(weights.chunks_exact(self.kernel * CHANNEL_BLOCK)) {
            for (k, weights) in weights.chunks_exact(CHANNEL_BLOCK).enumerate() {
                let x = &row[first + k * self.dilation..][..span];
                let x = ops.load_many::<BEAM_VECTORS>(x);
                for (sums, weight) in sums.iter_mut().zip(weights) {
                    let weight = ops.splat(*weight);
                    for (sum, x) in sums.iter_mut().zip(x) {
                        *sum = ops.mul_add(weight, x, *sum);
                    }
                }
            }
        }
        for (o, sums) in sums.into_iter().enumerate() {
            for (v, sum) in sums.into_iter().enumerate() {
                let at = (channel + o) * stride + MARGIN + beam + v * lanes;
                let value = match self.after {
                    After::Linear => sum,
                    After::Modulated { gain, offset } => {
                        let (gain, offset) = (gain[channel + o], offset[channel + o]);
                        let moved = ops.mul_add(sum, ops.splat(gain), ops.splat(offset));
                        ops.max(moved, ops.zero())
                    }
                    After::Residual => {
                        let x = ops.load(&self.x[at..][..lanes]);
                        ops.add(x, ops.max(sum, ops.zero()))
                    }
                };
                ops.store(value, &mut self.out[at..][..lanes]);
            }
        }
    }

    /// Beams that there are not are zero, as the next convolution expects.
    fn clear_ends(&mut self) {
        let stride = beam_stride(self.n_beams);
        for row in self.out.chunks_exact_mut(stride) {
            row[MARGIN + self.n_beams..].fill(0.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use rten_simd::isa::GenericIsa;

    use super::*;

    /// Instruction sets whose vectors have different widths: 4 lanes, 8 and whatever is best.
    const SETS: [Set; 3] = [Set::Generic, Set::Middle, Set::Best];

    #[derive(Clone, Copy)]
    enum Set {
        Generic,
        Middle,
        Best,
    }

    fn run(op: impl SimdOp<Output = ()>, set: Set) {
        match set {
            Set::Generic => op.eval(GenericIsa::new()),
            #[cfg(target_arch = "x86_64")]
            Set::Middle if rten_simd::isa::Avx2Isa::new().is_some() => {
                op.eval(rten_simd::isa::Avx2Isa::new().unwrap());
            }
            Set::Middle | Set::Best => op.dispatch(),
        }
    }

    /// Numbers that look random, the same each time.
    fn numbers(n: usize, seed: usize) -> Vec<f32> {
        let number = |k: usize| ((k * 7919 + seed * 104_729) % 2003) as f32 / 1001.0 - 1.0;
        (0..n).map(number).collect()
    }

    #[test]
    fn rows_times_weights_are_what_the_definition_says() {
        for (n_rows, n_in, width) in [(1, 3, 16), (1, 37, 144), (5, 8, 80), (29, 64, 192)] {
            let stride = n_in + 2;
            let out_stride = width + 5;
            let (x, weight) = (numbers(n_rows * stride, 1), numbers(n_in * width, 2));
            let mut out = numbers(n_rows * out_stride, 3);
            let mut expected = out.clone();
            // The first of the weights' rows is left out.
            for row in 0..n_rows {
                for column in 0..width {
                    let terms =
                        (1..n_in).map(|k| x[row * stride + k - 1] * weight[k * width + column]);
                    expected[row * out_stride + column] += terms.sum::<f32>();
                }
            }
            let weight = Panels::new(&weight, width);
            let before = out.clone();
            for set in SETS {
                out.clone_from(&before);
                let product = RowProduct {
                    n_rows,
                    x: &x,
                    x_stride: stride,
                    n_in: n_in - 1,
                    weight: &weight,
                    from: 1,
                    out: Out {
                        values: &mut out,
                        stride: out_stride,
                        bias: None,
                    },
                };
                run(product, set);
                for (got, expected) in out.iter().zip(&expected) {
                    assert!((got - expected).abs() < 1e-4, "{got} {expected}");
                }
            }
        }
    }

    /// A convolution by its definition, zero beyond both ends.
    fn convolved(x: &[f32], shape: (usize, usize, usize, usize), weight: &[f32]) -> Vec<f32> {
        let (n_beams, n_in, kernel, dilation) = shape;
        let at = |channel: usize, beam: usize, k: usize| {
            let from = (beam + k * dilation).checked_sub(dilation * (kernel - 1) / 2)?;
            (from < n_beams).then(|| x[channel * n_beams + from])
        };
        (0..CHANNEL_BLOCK * n_beams)
            .map(|idx| {
                let (o, beam) = (idx / n_beams, idx % n_beams);
                (0..n_in * kernel)
                    .map(|tap| {
                        let value = at(tap / kernel, beam, tap % kernel).unwrap_or(0.0);
                        weight[tap * CHANNEL_BLOCK + o] * value
                    })
                    .sum()
            })
            .collect()
    }

    #[test]
    fn a_convolution_is_what_the_definition_says_also_at_the_ends() {
        for (n_beams, n_in, kernel, dilation) in [(361, 3, 5, 1), (32, 2, 3, 16), (7, 4, 3, 4)] {
            let x = numbers(n_in * n_beams, 4);
            let weight = numbers(n_in * kernel * CHANNEL_BLOCK, 5);
            let expected = convolved(&x, (n_beams, n_in, kernel, dilation), &weight);
            let stride = beam_stride(n_beams);
            let mut padded = vec![0.0; n_in * stride];
            for (row, x) in padded.chunks_exact_mut(stride).zip(x.chunks(n_beams)) {
                row[MARGIN..][..n_beams].copy_from_slice(x);
            }
            for set in SETS {
                let mut out = vec![0.0; CHANNEL_BLOCK * stride];
                let product = BeamProduct {
                    n_beams,
                    x: &padded,
                    n_in,
                    weight: &weight,
                    kernel,
                    dilation,
                    bias: &[0.25; CHANNEL_BLOCK],
                    after: After::Linear,
                    out: &mut out,
                };
                run(product, set);
                for (row, expected) in out.chunks(stride).zip(expected.chunks(n_beams)) {
                    for (got, expected) in row[MARGIN..].iter().zip(expected) {
                        assert!((got - expected - 0.25).abs() < 1e-4, "{got} {expected}");
                    }
                    assert!(row[MARGIN + n_beams..].iter().all(|&it| it == 0.0));
                }
            }
        }
    }
}
