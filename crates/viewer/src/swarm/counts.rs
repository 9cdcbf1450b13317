//! What became of everything drawn of a swarm, kind by kind.

use std::sync::atomic::{AtomicU64, Ordering};

use super::layer::SwarmLayer;
use crate::ViewerCounts;

/// What became of the drawings of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LayerCounts {
    /// Handed to the drawing thread.
    pub drawn: u64,
    /// Left out by the rate cap.
    pub thinned: u64,
    /// Left out because the drawing thread was behind.
    pub dropped: u64,
    /// Values that cannot be drawn: numbers that are none, nothing in them, robots beyond the
    /// limit.
    pub skipped: u64,
}

/// What became of everything drawn so far.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SwarmCounts {
    /// All kinds together; `failed` also holds what could not be written.
    pub total: ViewerCounts,
    /// Each kind, in the order of [`SwarmLayer::ALL`]; none when the viewer is off.
    pub layers: Vec<(SwarmLayer, LayerCounts)>,
}

impl SwarmCounts {
    /// The counts of one kind; zeros when the viewer is off.
    pub fn of(&self, layer: SwarmLayer) -> LayerCounts {
        let found = self.layers.iter().find(|(of, _)| *of == layer);
        found.map_or_else(LayerCounts::default, |(_, counts)| *counts)
    }
}

/// What becomes of one drawing.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fate {
    Drawn,
    Thinned,
    Dropped,
    Skipped,
}

/// The counts while they change.
#[derive(Debug, Default)]
pub(super) struct LayerTally {
    /// Per layer and fate.
    counts: [[AtomicU64; 4]; SwarmLayer::ALL.len()],
}

impl LayerTally {
    pub(super) fn add(&self, layer: SwarmLayer, fate: Fate, n: u64) {
        self.counts[layer as usize][fate as usize].fetch_add(n, Ordering::Relaxed);
    }

    pub(super) fn counts(&self) -> Vec<(SwarmLayer, LayerCounts)> {
        let of = |layer: SwarmLayer| {
            let [drawn, thinned, dropped, skipped] =
                [Fate::Drawn, Fate::Thinned, Fate::Dropped, Fate::Skipped]
                    .map(|fate| self.counts[layer as usize][fate as usize].load(Ordering::Relaxed));
            LayerCounts {
                drawn,
                thinned,
                dropped,
                skipped,
            }
        };
        SwarmLayer::ALL
            .into_iter()
            .map(|layer| (layer, of(layer)))
            .collect()
    }
}
