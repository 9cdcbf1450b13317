//! Products of matrices in a processor's tile registers (Intel AMX), where it has these.
//!
//! A tile holds 16 rows of 64 bytes, and one instruction multiplies two of them, in an eighth of
//! the time that vectors take. Rust's own functions for them are not stable yet, and no well-kept
//! library has them, so the instructions are written out here, in the one file of the house that is
//! `unsafe`.
//!
//! Tiles multiply bytes exactly, and numbers of eight binary digits (`bf16`), whose products are
//! summed up in `f32`. A number has 24: it is the sum of three such parts ([`parts`]), and six of
//! their nine products are all that its own rounding leaves.
//!
//! This room never allocates, and never decides whether tiles are worth it.

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod amx;
#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
mod elsewhere;

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
pub use amx::Tiles;
#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
pub use elsewhere::Tiles;

/// Rows of a tile, and its columns of sums.
pub const ROWS: usize = 16;
/// Columns that are multiplied together: two tiles beside each other.
pub const COLUMNS: usize = 2 * ROWS;
/// Bytes that one instruction takes of a row: rows and columns have whole multiples of it.
pub const INPUTS: usize = 64;
/// Bytes of a column that lie together.
pub const GROUP: usize = 4;
/// Parts of a number.
pub const PARTS: usize = 3;
/// Numbers that one instruction takes of a row: rows and columns have whole multiples of it.
pub const NUMBERS: usize = 32;
/// Parts of a column that lie together.
pub const PAIR: usize = 2;

/// Rows to multiply, 16 or 32 of them: as many as one tile has or two.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a, T> {
    /// From the first row's first input on.
    pub values: &'a [T],
    /// From a row to the next, inputs.
    pub stride: usize,
    /// One or two.
    pub n_tiles: usize,
}

/// What one tile sums up. `[row, column]`
pub type Tile = [[i32; ROWS]; ROWS];

/// Sums of two tiles of rows by two of columns. `[tile of rows, tile of columns]`
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[repr(C, align(64))]
pub struct Sums(pub [[Tile; 2]; 2]);

/// Rows of [`COLUMNS`] sums, as many as are multiplied.
#[derive(Debug)]
pub struct SumRows<'a> {
    /// From the first row's first sum on.
    pub values: &'a mut [f32],
    /// From a row to the next.
    pub stride: usize,
    /// What products of each row are added to; `None` for what is there.
    pub bias: Option<&'a [f32; COLUMNS]>,
}

/// The three numbers of eight binary digits whose sum a finite number is, the largest first, each
/// as the upper half of its `f32`.
#[inline]
pub fn parts(x: f32) -> [u16; PARTS] {
    const UPPER: u32 = 0xffff_0000;
    let first = x.to_bits() & UPPER;
    let rest = x - f32::from_bits(first);
    let second = rest.to_bits() & UPPER;
    let third = rest - f32::from_bits(second);
    [first, second, third.to_bits()].map(|bits| (bits >> 16) as u16)
}
