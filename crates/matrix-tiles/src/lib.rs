//! Products of matrices in a processor's tile registers (Intel AMX), where it has these.
//!
//! A tile holds 16 rows of 64 bytes, and one instruction multiplies two of them, in an eighth of
//! the time that vectors take. Rust's own functions for them are not stable yet, and no well-kept
//! library has them, so the instructions are written out here, in the one file of the house that is
//! `unsafe`.
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
/// Inputs that one instruction takes, bytes: rows and columns are whole multiples of it.
pub const INPUTS: usize = 64;
/// Inputs of a column that lie together.
pub const GROUP: usize = 4;
/// Columns that are multiplied together: two tiles beside each other.
pub const COLUMNS: usize = 2 * ROWS;

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
