//! What this machine can multiply at best.

use std::hint::black_box;
use std::time::Instant;

use rten_gemm::{GemmExecutor, GemmInputA, GemmInputB, GemmOptions};
use rten_tensor::NdTensorView;
use sedge_matrix_tiles::{COLUMNS, PARTS, ROWS, Rows, SumRows, Sums, Tiles};

/// Rows, inputs and outputs: large enough that nothing but products counts.
const SHAPE: [usize; 3] = [512, 1024, 1024];
const N_TRIALS: usize = 15;

/// Billions of operations a second, the best of some trials.
#[expect(
    clippy::disallowed_methods,
    reason = "a benchmark reads the machine's clock"
)]
fn best(mut product: impl FnMut()) -> f64 {
    let trial = |_| {
        let begin = Instant::now();
        product();
        begin.elapsed().as_secs_f64()
    };
    let secs = (0..N_TRIALS).map(trial).fold(f64::INFINITY, f64::min);
    2e-9 * SHAPE.iter().product::<usize>() as f64 / secs
}

/// Large products on so many threads, of `rten-gemm` or in tile registers, whichever does more:
/// `f32` GFLOP/s and `int8` GOP/s.
pub(crate) fn reached(n_threads: usize) -> String {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads);
    let pool = pool.build().expect("threads");
    let [m, k, n] = SHAPE;
    let wide = pool.install(|| {
        let executor = GemmExecutor::<f32>::default();
        let (a, b) = (vec![0.5_f32; m * k], vec![0.25_f32; k * n]);
        let packed = executor.prepack_b(NdTensorView::from_data([k, n], b.as_slice()));
        let mut out = vec![0.0_f32; m * n];
        best(|| {
            let a = GemmInputA::Unpacked(NdTensorView::from_data([m, k], a.as_slice()));
            let options = GemmOptions::default();
            let done = executor.gemm(&mut out, a, GemmInputB::Packed(&packed), options);
            done.expect("shapes fit");
            black_box(&mut out);
        })
    });
    let narrow = pool.install(|| {
        let executor = GemmExecutor::<u8, i8, i32>::default();
        let (a, b) = (vec![3_u8; m * k], vec![-2_i8; k * n]);
        let packed = executor.prepack_b(NdTensorView::from_data([k, n], b.as_slice()));
        let mut out = vec![0_i32; m * n];
        best(|| {
            let a = GemmInputA::Unpacked(NdTensorView::from_data([m, k], a.as_slice()));
            let options = GemmOptions::default();
            let done = executor.gemm(&mut out, a, GemmInputB::Packed(&packed), options);
            done.expect("shapes fit");
            black_box(&mut out);
        })
    });
    let [wide_in_tiles, narrow_in_tiles] = in_tiles(n_threads);
    let (wide, narrow) = (wide.max(wide_in_tiles), narrow.max(narrow_in_tiles));
    format!("{wide:.1} {narrow:.1}")
}

/// Values that look random, from a cache line on.
fn at_line<T>(n: usize, value: impl Fn(usize) -> T) -> (Vec<T>, usize) {
    const LINE: usize = 64;
    let values: Vec<T> = (0..n + LINE).map(|k| value(k * 7919 % 2003)).collect();
    let from = values.as_ptr().align_offset(LINE);
    (values, from)
}

/// The same products in tile registers: nothing where there are none.
fn in_tiles(n_threads: usize) -> [f64; 2] {
    if Tiles::load().is_none() {
        return [0.0; 2];
    }
    let [m, k, n] = SHAPE;
    let number = |k: usize| sedge_matrix_tiles::parts(k as f32 / 1001.0 - 1.0)[0];
    let (a, a_from) = at_line(m * k * PARTS, number);
    let (b, b_from) = at_line(k * n * PARTS, number);
    let wide = shared_out(n_threads, |tiles, first| {
        let mut out = [0.0; 2 * ROWS * COLUMNS];
        let rows = Rows {
            values: &a[a_from + first * k * PARTS..],
            stride: k * PARTS,
            n_tiles: 2,
        };
        for panel in b[b_from..][..k * n * PARTS].chunks_exact(k * COLUMNS * PARTS) {
            let mut sums = SumRows {
                values: &mut out,
                stride: COLUMNS,
                bias: None,
            };
            tiles.add_parts(rows, panel, &mut sums);
        }
        black_box(&mut out);
    });
    let (a, a_from) = at_line(m * k, |k| k as u8);
    let (b, b_from) = at_line(k * n, |k| k as i8);
    let narrow = shared_out(n_threads, |tiles, first| {
        let mut sums = Sums::default();
        let rows = Rows {
            values: &a[a_from + first * k..],
            stride: k,
            n_tiles: 2,
        };
        for panel in b[b_from..][..k * n].chunks_exact(k * COLUMNS) {
            tiles.multiply(rows, panel, &mut sums);
            black_box(&mut sums);
        }
    });
    [wide, narrow]
}

/// Products of all rows, two tiles of them at a time, each thread its share.
fn shared_out(n_threads: usize, product: impl Fn(&Tiles, usize) + Sync) -> f64 {
    best(|| {
        let work = |share: usize| {
            let tiles = Tiles::load().expect("there are some");
            let rows = (0..SHAPE[0]).step_by(2 * ROWS);
            for first in rows.skip(share).step_by(n_threads) {
                product(&tiles, first);
            }
        };
        std::thread::scope(|scope| {
            for share in 1..n_threads {
                let work = &work;
                scope.spawn(move || work(share));
            }
            work(0);
        });
    })
}
