//! What this machine can multiply at best.

use std::hint::black_box;
use std::time::Instant;

use rten_gemm::{GemmExecutor, GemmInputA, GemmInputB, GemmOptions};
use rten_tensor::NdTensorView;

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

/// Large products of `rten-gemm` on so many threads: `f32` GFLOP/s and `int8` GOP/s.
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
    format!("{wide:.1} {narrow:.1}")
}
