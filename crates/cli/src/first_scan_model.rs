//! The geometric model for a scanner that is only known once its first scan comes.

use std::collections::VecDeque;
use std::time::Duration;

use sedge_world_model::{
    ActionSequence, Belief, Candidate, Futures, GeometricModel, ImagineError, MotionModel,
    MotionNoise, Mover, Neighbour, Observation, ObserveError, Reused, ScanGeometry, SensorEvent,
    WorldModel,
};

use crate::commands::agent::UntrainedModel;

/// Odometry that is kept until the first scan: more than its latency can ask for.
const KEPT_MAX: usize = 1_024;

/// A model that needs no training, for a known scanner.
pub(crate) fn untrained(
    kind: UntrainedModel,
    geometry: ScanGeometry,
    motion: MotionModel,
) -> GeometricModel {
    let noise = MotionNoise::ASSUMED;
    match kind {
        UntrainedModel::Geometric => GeometricModel::new(geometry, motion, noise),
        UntrainedModel::ConstantVelocity => {
            GeometricModel::with_movers(geometry, motion, noise).with_candidate(Candidate::Movers)
        }
    }
}

/// A geometric model whose scanner is that of the first scan it sees.
pub(crate) struct FirstScanModel {
    kind: UntrainedModel,
    motion: MotionModel,
    /// Until the first scan it is of a scanner without beams, and judges odometry.
    model: GeometricModel,
    kept: VecDeque<SensorEvent>,
    has_scanner: bool,
}

impl FirstScanModel {
    pub(crate) fn new(kind: UntrainedModel, motion: MotionModel) -> Self {
        let nothing = ScanGeometry {
            first_angle_rad: 0.0,
            step_rad: 1.0,
            n_beams: 0,
        };
        let model = untrained(kind, nothing, motion);
        Self {
            kind,
            motion,
            model,
            kept: VecDeque::new(),
            has_scanner: false,
        }
    }

    fn begin(&mut self, event: &SensorEvent, geometry: ScanGeometry) -> Result<(), ObserveError> {
        let mut model = untrained(self.kind, geometry, self.motion);
        self.kept.iter().try_for_each(|kept| model.observe(kept))?;
        model.observe(event)?;
        self.kept.clear();
        self.model = model;
        self.has_scanner = true;
        Ok(())
    }
}

impl WorldModel for FirstScanModel {
    fn name(&self) -> &str {
        self.model.name()
    }

    fn observe(&mut self, event: &SensorEvent) -> Result<(), ObserveError> {
        match &event.observation {
            Observation::Lidar(scan) if !self.has_scanner => self.begin(event, scan.geometry),
            _ if self.has_scanner => self.model.observe(event),
            _ => {
                self.model.observe(event)?;
                if self.kept.len() == KEPT_MAX {
                    self.kept.pop_front();
                }
                self.kept.push_back(event.clone());
                Ok(())
            }
        }
    }

    fn belief(&self) -> Option<Belief> {
        self.model.belief()
    }

    fn movers(&self) -> &[Mover] {
        self.model.movers()
    }

    fn neighbours(&self) -> &[Neighbour] {
        self.model.neighbours()
    }

    fn imagine(
        &mut self,
        plans: &[ActionSequence],
        horizons: &[Duration],
    ) -> Result<Reused<Futures>, ImagineError> {
        self.model.imagine(plans, horizons)
    }
}

#[cfg(test)]
mod tests {
    use sedge_world_model::conformance;

    use super::*;

    #[test]
    fn it_keeps_the_contract_of_a_world_model() {
        for kind in [UntrainedModel::Geometric, UntrainedModel::ConstantVelocity] {
            let motion = MotionModel::default();
            conformance::check(&|_| Box::new(FirstScanModel::new(kind, motion)));
        }
    }
}
