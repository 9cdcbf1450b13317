//! The instructions, and the kernel's leave to use them.

#![expect(unsafe_code, reason = "these instructions have no safe form")]

use std::arch::asm;
use std::arch::x86_64::__cpuid_count;
use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::OnceLock;

use crate::{COLUMNS, GROUP, INPUTS, NUMBERS, PARTS, ROWS, Rows, SumRows, Sums};

thread_local! {
    /// How many [`Tiles`] this thread holds.
    static HELD: Cell<u32> = const { Cell::new(0) };
}

/// The calling thread's tiles, ready for products; given back when the last of them is dropped.
///
/// Taking them costs a hundred nanoseconds, and next to nothing while the thread holds others: hold
/// some around many products.
#[derive(Debug)]
pub struct Tiles {
    /// Registers are a thread's own.
    stays_here: PhantomData<*const ()>,
}

impl Tiles {
    /// Tiles for this thread, or `None` where the processor has none or the kernel keeps them.
    pub fn load() -> Option<Self> {
        static MAY_USE: OnceLock<bool> = OnceLock::new();
        if !MAY_USE.get_or_init(|| processor_has_tiles() && kernel_gives_leave()) {
            return None;
        }
        HELD.with(|held| {
            if held.get() == 0 {
                lay_out();
            }
            held.set(held.get() + 1);
        });
        Some(Self {
            stays_here: PhantomData,
        })
    }

    /// Multiplies rows of bytes by columns of signed bytes, exactly.
    ///
    /// `columns` is `[n_in / GROUP, COLUMNS, GROUP]`, and of each row its first `n_in` bytes are
    /// taken. Sums of rows that are not there are left as they were.
    ///
    /// # Panics
    /// When `n_in` is no multiple of [`INPUTS`], or there are fewer rows than said.
    pub fn multiply(&self, rows: Rows<'_, u8>, columns: &[i8], sums: &mut Sums) {
        check(&rows, columns.len(), [INPUTS, COLUMNS]);
        if rows.n_tiles == 2 {
            multiply_two(rows, columns, sums);
        } else {
            multiply_one(rows, columns, sums);
        }
    }

    /// Adds products of rows of numbers in [`parts`](crate::parts) by columns of such numbers, up
    /// to the rounding of `f32`: parts that together are less than a number's last digit are left
    /// out, and those smaller than the least normal number are zero.
    ///
    /// `columns` is `[n_in / NUMBERS, PARTS, NUMBERS / PAIR, COLUMNS, PAIR]`, and of each row its
    /// first numbers are taken, `[n_in / NUMBERS, PARTS, NUMBERS]`.
    ///
    /// # Panics
    /// When `n_in` is no multiple of [`NUMBERS`], or there are fewer rows than said.
    pub fn add_parts(&self, rows: Rows<'_, u16>, columns: &[u16], sums: &mut SumRows<'_>) {
        check(&rows, columns.len(), [NUMBERS * PARTS, COLUMNS]);
        let last = sums.stride.saturating_mul(ROWS * rows.n_tiles - 1);
        let expected = last.saturating_add(COLUMNS);
        assert!(
            sums.values.len() >= expected,
            "expected room for {expected} sums, got {}",
            sums.values.len()
        );
        if rows.n_tiles == 2 {
            add_two_parts(rows, columns, sums);
        } else {
            add_one_parts(rows, columns, sums);
        }
    }
}

/// Whether there is all that instructions read, which take `n_at_once` of a row.
///
/// # Panics
/// Where there is not.
fn check<T>(rows: &Rows<'_, T>, n_in_columns: usize, [n_at_once, n_columns]: [usize; 2]) {
    assert!(
        n_in_columns > 0 && n_in_columns.is_multiple_of(n_at_once * n_columns),
        "expected columns in multiples of {}, got {n_in_columns}",
        n_at_once * n_columns,
    );
    assert!(
        matches!(rows.n_tiles, 1 | 2),
        "expected one tile of rows or two, got {}",
        rows.n_tiles
    );
    let last = rows.stride.saturating_mul(ROWS * rows.n_tiles - 1);
    let expected = last.saturating_add(n_in_columns / n_columns);
    assert!(
        rows.values.len() >= expected,
        "expected rows of {expected}, got {}",
        rows.values.len()
    );
}

impl Drop for Tiles {
    fn drop(&mut self) {
        HELD.with(|held| {
            held.set(held.get() - 1);
            if held.get() == 0 {
                // SAFETY: gives up what `lay_out` took; nobody on this thread holds tiles.
                unsafe { asm!("tilerelease", options(nostack, nomem)) };
            }
        });
    }
}

fn processor_has_tiles() -> bool {
    const TILE: u32 = 1 << 24;
    const INT8: u32 = 1 << 25;
    const BF16: u32 = 1 << 22;
    const ALL: u32 = TILE | INT8 | BF16;
    if __cpuid_count(0, 0).eax < 7 {
        return false;
    }
    __cpuid_count(7, 0).edx & ALL == ALL
}

/// Asks for the 8 KiB of state that each thread of this process may then have.
fn kernel_gives_leave() -> bool {
    const ARCH_PRCTL: i64 = 158;
    const ARCH_REQ_XCOMP_PERM: u64 = 0x1023;
    const XFEATURE_XTILEDATA: u64 = 18;
    let answer: i64;
    // SAFETY: a system call that takes numbers alone and touches no memory of ours; kernels that do
    // not know it say so. It overwrites `rcx` and `r11`, as all do.
    unsafe {
        asm!(
            "syscall",
            inout("rax") ARCH_PRCTL => answer,
            in("rdi") ARCH_REQ_XCOMP_PERM,
            in("rsi") XFEATURE_XTILEDATA,
            out("rcx") _,
            out("r11") _,
            options(nostack),
        );
    }
    answer == 0
}

/// All eight tiles with 16 rows of 64 bytes.
fn lay_out() {
    #[repr(C, align(64))]
    struct Layout {
        palette: u8,
        start_row: u8,
        reserved: [u8; 14],
        row_bytes: [u16; 16],
        rows: [u8; 16],
    }
    let mut layout = Layout {
        palette: 1,
        start_row: 0,
        reserved: [0; 14],
        row_bytes: [0; 16],
        rows: [0; 16],
    };
    layout.row_bytes[..8].fill(INPUTS as u16);
    layout.rows[..8].fill(ROWS as u8);
    // SAFETY: reads the 64 bytes of `layout`, which are a valid layout of palette 1; the processor
    // has tiles and the kernel has given leave, as `Tiles::load` has asked.
    unsafe {
        asm!(
            "ldtilecfg [{layout}]",
            layout = in(reg) &raw const layout,
            options(nostack, readonly),
        );
    }
}

/// From a row of inputs in columns to the next, in bytes.
const COLUMNS_STRIDE: usize = COLUMNS * GROUP;
/// From a tile of columns to the one of the next inputs, in bytes.
const COLUMNS_STEP: usize = COLUMNS * INPUTS;
/// From a row of sums to the next, in bytes.
const SUMS_STRIDE: usize = 4 * ROWS;

/// Two tiles of rows by two of columns.
fn multiply_two(rows: Rows<'_, u8>, columns: &[i8], sums: &mut Sums) {
    let [[s00, s01], [s10, s11]] = &mut sums.0;
    // SAFETY: the thread's tiles are laid out, as `Tiles` is not sent to another and gives them up
    // only when dropped. Of n_in bytes of 32 rows, which `check` has counted, it reads 64
    // at a time, of the first 16 and of those after them; and as often 16 stretches of 128 bytes
    // from `columns`, which are its n_in * 32 bytes. It writes the 16 rows of 64 bytes of each of
    // four `Tile`s.
    unsafe {
        asm!(
            "tilezero tmm0",
            "tilezero tmm1",
            "tilezero tmm2",
            "tilezero tmm3",
            "2:",
            "tileloadd tmm4, [{low} + {stride}*1]",
            "tileloadd tmm6, [{columns} + {columns_stride}*1]",
            "tdpbusd tmm0, tmm4, tmm6",
            "tileloadd tmm7, [{columns} + {columns_stride}*1 + 64]",
            "tdpbusd tmm1, tmm4, tmm7",
            "tileloadd tmm5, [{high} + {stride}*1]",
            "tdpbusd tmm2, tmm5, tmm6",
            "tdpbusd tmm3, tmm5, tmm7",
            "add {low}, {inputs}",
            "add {high}, {inputs}",
            "add {columns}, {columns_step}",
            "dec {n}",
            "jnz 2b",
            "tilestored [{s00} + {sums_stride}*1], tmm0",
            "tilestored [{s01} + {sums_stride}*1], tmm1",
            "tilestored [{s10} + {sums_stride}*1], tmm2",
            "tilestored [{s11} + {sums_stride}*1], tmm3",
            low = inout(reg) rows.values.as_ptr() => _,
            high = inout(reg) rows.values[ROWS * rows.stride..].as_ptr() => _,
            columns = inout(reg) columns.as_ptr() => _,
            n = inout(reg) columns.len() / COLUMNS_STEP => _,
            stride = in(reg) rows.stride,
            columns_stride = in(reg) COLUMNS_STRIDE,
            sums_stride = in(reg) SUMS_STRIDE,
            s00 = in(reg) s00.as_mut_ptr(),
            s01 = in(reg) s01.as_mut_ptr(),
            s10 = in(reg) s10.as_mut_ptr(),
            s11 = in(reg) s11.as_mut_ptr(),
            inputs = const INPUTS,
            columns_step = const COLUMNS_STEP,
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
            out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
            options(nostack),
        );
    }
}

/// One tile of rows by two of columns.
fn multiply_one(rows: Rows<'_, u8>, columns: &[i8], sums: &mut Sums) {
    let [[s00, s01], _] = &mut sums.0;
    // SAFETY: as for two, with 16 rows and two `Tile`s.
    unsafe {
        asm!(
            "tilezero tmm0",
            "tilezero tmm1",
            "2:",
            "tileloadd tmm4, [{low} + {stride}*1]",
            "tileloadd tmm6, [{columns} + {columns_stride}*1]",
            "tdpbusd tmm0, tmm4, tmm6",
            "tileloadd tmm7, [{columns} + {columns_stride}*1 + 64]",
            "tdpbusd tmm1, tmm4, tmm7",
            "add {low}, {inputs}",
            "add {columns}, {columns_step}",
            "dec {n}",
            "jnz 2b",
            "tilestored [{s00} + {sums_stride}*1], tmm0",
            "tilestored [{s01} + {sums_stride}*1], tmm1",
            low = inout(reg) rows.values.as_ptr() => _,
            columns = inout(reg) columns.as_ptr() => _,
            n = inout(reg) columns.len() / COLUMNS_STEP => _,
            stride = in(reg) rows.stride,
            columns_stride = in(reg) COLUMNS_STRIDE,
            sums_stride = in(reg) SUMS_STRIDE,
            s00 = in(reg) s00.as_mut_ptr(),
            s01 = in(reg) s01.as_mut_ptr(),
            inputs = const INPUTS,
            columns_step = const COLUMNS_STEP,
            out("tmm0") _, out("tmm1") _, out("tmm4") _, out("tmm6") _, out("tmm7") _,
            options(nostack),
        );
    }
}

/// From the parts of some numbers of a row to the next, in bytes.
const PARTS_ROW_STEP: usize = 2 * PARTS * NUMBERS;
/// As many of columns, in bytes.
const PARTS_STEP: usize = COLUMNS * PARTS_ROW_STEP;

/// Two tiles of rows by two of columns, the smallest products first.
#[expect(clippy::too_many_lines, reason = "one loop, an instruction a line")]
fn add_two_parts(rows: Rows<'_, u16>, columns: &[u16], sums: &mut SumRows<'_>) {
    let (above, below) = sums.values.split_at_mut(ROWS * sums.stride);
    // The same row again and again, or those that are there.
    let (first, second, first_stride) = match sums.bias {
        Some(bias) => (bias.as_ptr(), bias.as_ptr(), 0),
        None => (above.as_ptr(), below.as_ptr(), 4 * sums.stride),
    };
    // SAFETY: as for bytes, but that it reads three times 64 bytes of a row at a time, its parts
    // one after the other, and three times 16 stretches of 128 bytes from `columns`. It writes the
    // first 128 bytes of 32 rows of sums, which `Tiles::add_parts` has counted, and reads these or
    // the 128 bytes of `bias`.
    unsafe {
        asm!(
            "tileloadd tmm0, [{first} + {first_stride}*1]",
            "tileloadd tmm1, [{first} + {first_stride}*1 + 64]",
            "tileloadd tmm2, [{second} + {first_stride}*1]",
            "tileloadd tmm3, [{second} + {first_stride}*1 + 64]",
            "2:",
            // The third part by the first.
            "tileloadd tmm4, [{low} + {stride}*1 + 128]",
            "tileloadd tmm6, [{columns} + {columns_stride}*1]",
            "tdpbf16ps tmm0, tmm4, tmm6",
            "tileloadd tmm7, [{columns} + {columns_stride}*1 + 64]",
            "tdpbf16ps tmm1, tmm4, tmm7",
            "tileloadd tmm5, [{high} + {stride}*1 + 128]",
            "tdpbf16ps tmm2, tmm5, tmm6",
            "tdpbf16ps tmm3, tmm5, tmm7",
            // The second by the first.
            "tileloadd tmm4, [{low} + {stride}*1 + 64]",
            "tdpbf16ps tmm0, tmm4, tmm6",
            "tdpbf16ps tmm1, tmm4, tmm7",
            "tileloadd tmm5, [{high} + {stride}*1 + 64]",
            "tdpbf16ps tmm2, tmm5, tmm6",
            "tdpbf16ps tmm3, tmm5, tmm7",
            // The second by the second.
            "tileloadd tmm6, [{columns} + {columns_stride}*1 + 2048]",
            "tdpbf16ps tmm0, tmm4, tmm6",
            "tdpbf16ps tmm2, tmm5, tmm6",
            "tileloadd tmm7, [{columns} + {columns_stride}*1 + 2112]",
            "tdpbf16ps tmm1, tmm4, tmm7",
            "tdpbf16ps tmm3, tmm5, tmm7",
            // The first by the second.
            "tileloadd tmm4, [{low} + {stride}*1]",
            "tdpbf16ps tmm0, tmm4, tmm6",
            "tdpbf16ps tmm1, tmm4, tmm7",
            "tileloadd tmm5, [{high} + {stride}*1]",
            "tdpbf16ps tmm2, tmm5, tmm6",
            "tdpbf16ps tmm3, tmm5, tmm7",
            // The first by the third.
            "tileloadd tmm6, [{columns} + {columns_stride}*1 + 4096]",
            "tdpbf16ps tmm0, tmm4, tmm6",
            "tdpbf16ps tmm2, tmm5, tmm6",
            "tileloadd tmm7, [{columns} + {columns_stride}*1 + 4160]",
            "tdpbf16ps tmm1, tmm4, tmm7",
            "tdpbf16ps tmm3, tmm5, tmm7",
            // The first by the first.
            "tileloadd tmm6, [{columns} + {columns_stride}*1]",
            "tdpbf16ps tmm0, tmm4, tmm6",
            "tdpbf16ps tmm2, tmm5, tmm6",
            "tileloadd tmm7, [{columns} + {columns_stride}*1 + 64]",
            "tdpbf16ps tmm1, tmm4, tmm7",
            "tdpbf16ps tmm3, tmm5, tmm7",
            "add {low}, {row_step}; add {high}, {row_step}",
            "add {columns}, {columns_step}",
            "dec {n}",
            "jnz 2b",
            "tilestored [{above} + {sums_stride}*1], tmm0",
            "tilestored [{above} + {sums_stride}*1 + 64], tmm1",
            "tilestored [{below} + {sums_stride}*1], tmm2",
            "tilestored [{below} + {sums_stride}*1 + 64], tmm3",
            low = inout(reg) rows.values.as_ptr() => _,
            high = inout(reg) rows.values[ROWS * rows.stride..].as_ptr() => _,
            columns = inout(reg) columns.as_ptr() => _,
            n = inout(reg) 2 * columns.len() / PARTS_STEP => _,
            stride = in(reg) 2 * rows.stride,
            columns_stride = in(reg) COLUMNS_STRIDE,
            sums_stride = in(reg) 4 * sums.stride,
            first = in(reg) first,
            second = in(reg) second,
            first_stride = in(reg) first_stride,
            above = in(reg) above.as_mut_ptr(),
            below = in(reg) below.as_mut_ptr(),
            row_step = const PARTS_ROW_STEP,
            columns_step = const PARTS_STEP,
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
            out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
            options(nostack),
        );
    }
}

/// One tile of rows by two of columns.
fn add_one_parts(rows: Rows<'_, u16>, columns: &[u16], sums: &mut SumRows<'_>) {
    let (first, first_stride) = match sums.bias {
        Some(bias) => (bias.as_ptr(), 0),
        None => (sums.values.as_ptr(), 4 * sums.stride),
    };
    // SAFETY: as for two, with 16 rows.
    unsafe {
        asm!(
            "tileloadd tmm0, [{first} + {first_stride}*1]",
            "tileloadd tmm1, [{first} + {first_stride}*1 + 64]",
            "2:",
            "tileloadd tmm4, [{low} + {stride}*1 + 128]",
            "tileloadd tmm6, [{columns} + {columns_stride}*1]",
            "tdpbf16ps tmm0, tmm4, tmm6",
            "tileloadd tmm7, [{columns} + {columns_stride}*1 + 64]",
            "tdpbf16ps tmm1, tmm4, tmm7",
            "tileloadd tmm5, [{low} + {stride}*1 + 64]",
            "tdpbf16ps tmm0, tmm5, tmm6",
            "tdpbf16ps tmm1, tmm5, tmm7",
            "tileloadd tmm2, [{columns} + {columns_stride}*1 + 2048]",
            "tdpbf16ps tmm0, tmm5, tmm2",
            "tileloadd tmm3, [{columns} + {columns_stride}*1 + 2112]",
            "tdpbf16ps tmm1, tmm5, tmm3",
            "tileloadd tmm4, [{low} + {stride}*1]",
            "tdpbf16ps tmm0, tmm4, tmm2",
            "tdpbf16ps tmm1, tmm4, tmm3",
            "tileloadd tmm2, [{columns} + {columns_stride}*1 + 4096]",
            "tdpbf16ps tmm0, tmm4, tmm2",
            "tileloadd tmm3, [{columns} + {columns_stride}*1 + 4160]",
            "tdpbf16ps tmm1, tmm4, tmm3",
            "tdpbf16ps tmm0, tmm4, tmm6",
            "tdpbf16ps tmm1, tmm4, tmm7",
            "add {low}, {row_step}",
            "add {columns}, {columns_step}",
            "dec {n}",
            "jnz 2b",
            "tilestored [{sums} + {sums_stride}*1], tmm0",
            "tilestored [{sums} + {sums_stride}*1 + 64], tmm1",
            low = inout(reg) rows.values.as_ptr() => _,
            columns = inout(reg) columns.as_ptr() => _,
            n = inout(reg) 2 * columns.len() / PARTS_STEP => _,
            stride = in(reg) 2 * rows.stride,
            columns_stride = in(reg) COLUMNS_STRIDE,
            sums_stride = in(reg) 4 * sums.stride,
            first = in(reg) first,
            first_stride = in(reg) first_stride,
            sums = in(reg) sums.values.as_mut_ptr(),
            row_step = const PARTS_ROW_STEP,
            columns_step = const PARTS_STEP,
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
            out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
            options(nostack),
        );
    }
}
