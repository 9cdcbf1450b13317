//! A world model that learns nothing: recent scans, moved by calibrated odometry.

use std::time::Duration;

use sedge_spacetime::Pose2;

use crate::{
    ActionSequence, Belief, Candidate, Futures, ImagineError, MotionModel, MotionNoise, Mover,
    Neighbour, ObserveError, PredictedScan, Prediction, Reused, ScanGeometry, ScanMemory,
    SensorEvent, WorldModel,
};

/// Predicts one geometric candidate, without doubt about it.
#[derive(Debug, Clone)]
pub struct GeometricModel {
    name: String,
    label: &'static str,
    memory: ScanMemory,
    noise: MotionNoise,
    candidate: Candidate,
}

impl GeometricModel {
    /// Moves scans by calibrated odometry alone, as the reference baselines do. Predicts
    /// `map1-med3`, the best all-rounder of the baselines below two seconds.
    pub fn new(geometry: ScanGeometry, motion_model: MotionModel, noise: MotionNoise) -> Self {
        let memory = ScanMemory::new(geometry, motion_model);
        Self::with_memory(memory, "cal", noise)
    }

    /// Registers scans against each other as they come. Predicts `map1-med3`.
    pub fn registered(
        geometry: ScanGeometry,
        motion_model: MotionModel,
        noise: MotionNoise,
    ) -> Self {
        Self::with_memory(
            ScanMemory::registering(geometry, motion_model),
            "registered",
            noise,
        )
    }

    /// Registers scans, follows movers and neighbours, and predicts [`Candidate::Neighbours`]:
    /// strangers at constant velocity, known robots where they mean to go. The baseline of a
    /// planner among people.
    pub fn with_movers(
        geometry: ScanGeometry,
        motion_model: MotionModel,
        noise: MotionNoise,
    ) -> Self {
        Self::registered(geometry, motion_model, noise).with_candidate(Candidate::Neighbours)
    }

    /// Predicts another candidate.
    #[must_use]
    pub fn with_candidate(self, candidate: Candidate) -> Self {
        let name = format!("geometry {} {}", candidate.name(), self.label);
        Self {
            name,
            candidate,
            ..self
        }
    }

    fn with_memory(memory: ScanMemory, label: &'static str, noise: MotionNoise) -> Self {
        let candidate = Candidate::Map1Med3;
        Self {
            name: String::new(),
            label,
            memory,
            noise,
            candidate,
        }
        .with_candidate(candidate)
    }

    /// What it remembers.
    pub fn memory(&self) -> &ScanMemory {
        &self.memory
    }

    fn futures(
        &self,
        plan: &ActionSequence,
        horizons: &[Duration],
    ) -> Result<Futures, ImagineError> {
        let motions = self.memory.motions(plan, horizons)?;
        let window = self.memory.scan_window(plan)?;
        let prediction = |(&horizon, &motion): (&Duration, &Pose2)| {
            let candidates = window.candidates(motion, horizon);
            Prediction {
                horizon,
                motion,
                covariance: self.noise.covariance(horizon.as_secs_f64()),
                scan: PredictedScan::certain(candidates.row(self.candidate).iter().copied()),
            }
        };
        Ok(Futures {
            predictions: horizons.iter().zip(&motions).map(prediction).collect(),
        })
    }
}

impl WorldModel for GeometricModel {
    fn name(&self) -> &str {
        &self.name
    }

    fn observe(&mut self, event: &SensorEvent) -> Result<(), ObserveError> {
        self.memory.observe(event)
    }

    fn belief(&self) -> Option<Belief> {
        self.memory.newest_stamp()?;
        Some(Belief {
            stamp: self.memory.newest_event_stamp()?,
            // Without odometry there is no telling: the robot is where it began.
            pose: self.memory.world_from_newest().unwrap_or_default(),
            covariance: self
                .noise
                .covariance(self.memory.last_period_secs().unwrap_or(0.0)),
            latent: Reused::new(),
        })
    }

    fn movers(&self) -> &[Mover] {
        &self.memory.company().movers
    }

    fn neighbours(&self) -> &[Neighbour] {
        &self.memory.company().neighbours
    }

    fn imagine(
        &mut self,
        plans: &[ActionSequence],
        horizons: &[Duration],
    ) -> Result<Reused<Futures>, ImagineError> {
        self.memory.newest_stamp().ok_or(ImagineError::NoBelief)?;
        plans
            .iter()
            .map(|plan| self.futures(plan, horizons))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance;

    #[test]
    fn it_keeps_the_contract() {
        let model = |geometry| -> Box<dyn WorldModel> {
            Box::new(GeometricModel::new(
                geometry,
                MotionModel::default(),
                MotionNoise::ASSUMED,
            ))
        };
        conformance::check(&model);
    }

    #[test]
    fn it_keeps_the_contract_when_it_registers() {
        let model = |geometry| -> Box<dyn WorldModel> {
            let (motion, noise) = (MotionModel::default(), MotionNoise::ASSUMED);
            Box::new(GeometricModel::registered(geometry, motion, noise))
        };
        conformance::check(&model);
    }

    #[test]
    fn it_keeps_the_contract_when_it_follows_movers() {
        let model = |geometry| -> Box<dyn WorldModel> {
            let (motion, noise) = (MotionModel::default(), MotionNoise::ASSUMED);
            Box::new(GeometricModel::with_movers(geometry, motion, noise))
        };
        conformance::check(&model);
    }

    #[test]
    fn in_a_crowd_it_knows_who_moves_and_who_its_neighbour_is() {
        let geometry = conformance::full_circle(240);
        let episode = conformance::crowded_drive(geometry, 6.0, (4, 9));
        let mut model =
            GeometricModel::with_movers(geometry, MotionModel::default(), MotionNoise::ASSUMED);
        for event in episode.events() {
            model.observe(&event).unwrap();
        }
        assert!(model.movers().len() >= 2, "{:?}", model.movers());
        let neighbours = model.neighbours();
        assert_eq!(neighbours.len(), 1);
        assert!(neighbours[0].heading_is_known() && neighbours[0].intention.is_some());
        let plan = ActionSequence::default();
        let futures = model.imagine(&[plan], &[Duration::from_secs(1)]).unwrap();
        assert_eq!(futures[0].predictions[0].scan.mean_m.len(), 240);
    }

    #[test]
    fn it_keeps_the_contract_whatever_the_latency_and_candidate() {
        for (latency_secs, candidate) in [(0.15, Candidate::Map20Min), (-0.1, Candidate::Last)] {
            let motion = MotionModel {
                latency_secs,
                ..MotionModel::default()
            };
            let model = |geometry| -> Box<dyn WorldModel> {
                let model = GeometricModel::new(geometry, motion, MotionNoise::ASSUMED);
                Box::new(model.with_candidate(candidate))
            };
            conformance::check(&model);
        }
    }
}
