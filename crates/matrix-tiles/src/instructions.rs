//! The instructions, and the kernel's leave to use them. The only file here that is `unsafe`.

#![cfg_attr(
    all(target_arch = "x86_64", target_os = "linux"),
    expect(unsafe_code, reason = "these instructions have no safe form")
)]

use crate::{COLUMNS, GROUP, INPUTS, ROWS, Sums};

/// Leave to use tiles: this processor has them, and the kernel lets this process.
///
/// Tiles of the calling thread are laid out when this is taken, and given back when it is dropped;
/// who has two of them on one thread and drops one may go on with the other.
#[derive(Debug)]
pub struct Tiles {
    #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
    leave: linux::Layout,
    #[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
    never: std::convert::Infallible,
}

/// Columns of weights, laid out for [`Tiles::multiply`].
#[derive(Debug, Clone, Copy)]
pub struct ByteColumns<'a> {
    /// `[inputs / GROUP, COLUMNS, GROUP]`
    pub weights: &'a [i8],
}
