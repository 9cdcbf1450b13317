//! Systems that are not asked for anything: whoever asks is told so.

use super::{Answer, FifoPriority, Refusal};

pub(super) fn pin(_: &[usize]) -> Answer {
    Err(Refusal::NotSupported)
}

pub(super) fn run_fifo(_: FifoPriority) -> Answer {
    Err(Refusal::NotSupported)
}

pub(super) fn lock_memory() -> Answer {
    Err(Refusal::NotSupported)
}
