//! What every task of a relay has in common.

use std::sync::Arc;

use sedge_spacetime::Clock;

use super::CutKind;
use super::passage::Passage;
use super::report::ConnectionCounts;
use super::weather::Weather;

pub(super) struct Shared {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) weather: Weather,
    pub(super) on_cut: CutKind,
    pub(super) forward: Passage,
    pub(super) back: Passage,
    pub(super) connections: ConnectionCounts,
}

impl Shared {
    pub(super) fn resets_when_cut(&self) -> bool {
        self.on_cut == CutKind::Reset
    }
}
