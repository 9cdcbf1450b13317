//! Counts of what became of drawings, shared between the callers and the drawing thread.

use std::fmt::Display;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What became of everything drawn so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ViewerCounts {
    /// Handed to the drawing thread.
    pub drawn: u64,
    /// Left out by the rate cap.
    pub thinned: u64,
    /// Left out because the drawing thread was behind: the target is slow, gone or not yet there.
    pub dropped: u64,
    /// Could not be drawn or written: numbers that are none, a full disk, a viewer that died.
    pub failed: u64,
}

/// The counts while they change. A kind of trouble is warned of once.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    drawn: AtomicU64,
    thinned: AtomicU64,
    dropped: AtomicU64,
    failed: AtomicU64,
    warned_of_drops: AtomicBool,
    warned_of_failures: AtomicBool,
}

impl Tally {
    pub(crate) fn drawn(&self) {
        self.drawn.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn thinned(&self) {
        self.thinned.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn dropped(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
        if !self.warned_of_drops.swap(true, Ordering::Relaxed) {
            tracing::warn!("viewer cannot keep up or is away: drawings are dropped (warned once)");
        }
    }

    pub(crate) fn failed(&self, error: &dyn Display) {
        self.failed.fetch_add(1, Ordering::Relaxed);
        if !self.warned_of_failures.swap(true, Ordering::Relaxed) {
            tracing::warn!(%error, "drawing failed; the run goes on (warned once)");
        }
    }

    pub(crate) fn counts(&self) -> ViewerCounts {
        ViewerCounts {
            drawn: self.drawn.load(Ordering::Relaxed),
            thinned: self.thinned.load(Ordering::Relaxed),
            dropped: self.dropped.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
        }
    }
}
