//! The geometric model for a scanner that is only known once its first scan comes.

use std::collections::VecDeque;
use std::time::Duration;

use sedge_world_model::{
    ActionSequence, Belief, Futures, GeometricModel, ImagineError, MotionModel, MotionNoise,
    Observation, ObserveError, ScanGeometry, SensorEvent, WorldModel,
};

/// Odometry that is kept until the first scan: more than its latency can ask for.
const KEPT_MAX: usize = 1_024;

/// A geometric model whose scanner is that of the first scan it sees.
pub(crate) struct FirstScanModel {
    motion: MotionModel,
    /// Until the first scan it is of a scanner without beams, and judges odometry.
    model: GeometricModel,
    kept: VecDeque<SensorEvent>,
    has_scanner: bool,
}

impl FirstScanModel {
    pub(crate) fn new(motion: MotionModel) -> Self {
        let nothing = ScanGeometry {
            first_angle_rad: 0.0,
            step_rad: 1.0,
            n_beams: 0,
        };
        let model = GeometricModel::new(nothing, motion, MotionNoise::ASSUMED);
        Self {
            motion,
            model,
            kept: VecDeque::new(),
            has_scanner: false,
        }
    }

    fn begin(&mut self, event: &SensorEvent, geometry: ScanGeometry) -> Result<(), ObserveError> {
        let mut model = GeometricModel::new(geometry, self.motion, MotionNoise::ASSUMED);
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

    fn imagine(
        &mut self,
        plans: &[ActionSequence],
        horizons: &[Duration],
    ) -> Result<Vec<Futures>, ImagineError> {
        self.model.imagine(plans, horizons)
    }
}

#[cfg(test)]
mod tests {
    use sedge_world_model::conformance;

    use super::*;

    #[test]
    fn it_keeps_the_contract_of_a_world_model() {
        conformance::check(&|_| Box::new(FirstScanModel::new(MotionModel::default())));
    }
}
