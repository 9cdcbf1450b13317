//! How an engine computes.

use sedge_world_model::Precision;

/// How an engine computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EngineConfig {
    /// The numbers that imagination is computed in, until it is told otherwise.
    pub precision: Precision,
    /// Other numbers to be ready for, with
    /// [`imagine_in`](sedge_world_model_trained::Engine::imagine_in). For eight bits that is the
    /// recurrent weights once more in memory, made at the start; `f32`, which filters, is there in
    /// any case. Default none.
    pub also: Option<Precision>,
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
            also: None,
            threads: 1,
        }
    }
}
