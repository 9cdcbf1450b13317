//! How an engine computes.

/// The numbers that imagination is computed in. Filtering is `f32` in either: its errors would stay
/// in the belief, and one row at a time gains nothing from shorter numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Precision {
    /// Single precision, as the network was trained.
    #[default]
    F32,
    /// Products of eight-bit integers with a scale for each output of a layer and for each row of
    /// its inputs; everything else in `f32`. Scales of inputs are found as they come, so nothing is
    /// calibrated. Fast where the processor has AVX-512 VNNI; elsewhere loops with the same sums
    /// are slower than `f32`.
    Int8,
}

/// How an engine computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EngineConfig {
    /// The numbers that imagination is computed in.
    pub precision: Precision,
    /// Threads that imagine at once, the caller's among them: 1 to [`EngineConfig::THREADS_MAX`],
    /// and what is beyond counts as the nearest of them.
    pub threads: usize,
}

impl EngineConfig {
    /// More threads than a robot's computer has cores.
    pub const THREADS_MAX: usize = 64;
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            precision: Precision::F32,
            threads: 1,
        }
    }
}
