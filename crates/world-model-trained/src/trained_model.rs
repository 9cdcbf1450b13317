//! A trained network as a [`WorldModel`].

use std::time::Duration;

use sedge_spacetime::Pose2;
use sedge_world_model::{
    ActionSequence, Belief, CandidateSet, Futures, ImagineError, Mover, Neighbour, Observation,
    ObserveError, Precision, PrecisionError, Prediction, RangeReadout, Reused, ScanMemory,
    SensorEvent, WorldModel,
};

use crate::engine::{Engine, FutureRows, SensedStep};
use crate::features::{FutureView, encoder_scan, motion_row};
use crate::motion_correction::corrected_motion;
use crate::structure::IMAGINE_STEPS;
use crate::{CheckpointStory, CompanyRow};

/// A trained network with its memory of recent scans; its engine keeps the recurrent state.
pub struct TrainedModel {
    story: CheckpointStory,
    memory: ScanMemory,
    engine: Box<dyn Engine>,
    /// Kept between calls for its memory.
    rows: FutureRows,
}

/// Everything about one future before it is decoded.
struct Future {
    horizon: Duration,
    motion: Pose2,
    candidates: CandidateSet,
}

impl TrainedModel {
    /// An engine that holds the weights of a story and has sensed nothing yet.
    pub fn new(story: CheckpointStory, engine: Box<dyn Engine>) -> Self {
        Self {
            memory: ScanMemory::registering(story.geometry, story.motion_model),
            story,
            engine,
            rows: FutureRows::default(),
        }
    }

    /// Where the weights come from.
    pub fn story(&self) -> &CheckpointStory {
        &self.story
    }

    /// What computes the network, for whoever wants to tell it steps and futures directly.
    pub fn engine(&mut self) -> &mut dyn Engine {
        self.engine.as_mut()
    }

    /// Takes the newest scan into the recurrent state.
    fn filter_newest(&mut self) {
        let Some(scan) = self.memory.newest_scan() else {
            return;
        };
        let dt_secs = self.memory.last_period_secs().unwrap_or(0.0).max(0.0);
        let motion = self.memory.last_motion().unwrap_or(Pose2::IDENTITY);
        self.engine.filter(&SensedStep {
            scan: &encoder_scan(scan),
            motion: motion_row(motion, dt_secs),
            dt_secs: dt_secs as f32,
            company: &CompanyRow::new(self.memory.company(), self.memory.imu()),
        });
    }

    /// What each plan leads to at each horizon, with all read-outs or one alone.
    fn foresee(
        &mut self,
        plans: &[ActionSequence],
        horizons: &[Duration],
        read_out: Option<RangeReadout>,
    ) -> Result<Reused<Futures>, ImagineError> {
        let mut futures = Reused::with_capacity(plans.len() * horizons.len());
        for plan in plans {
            let window = self.memory.scan_window(plan)?;
            let motions = self.memory.motions(plan, horizons)?;
            for (&horizon, &motion) in horizons.iter().zip(&motions) {
                futures.push(Future {
                    horizon,
                    motion,
                    candidates: window.candidates(motion, horizon),
                });
            }
        }
        if futures.is_empty() {
            return Ok(plans
                .iter()
                .map(|_| Futures {
                    predictions: Reused::new(),
                })
                .collect());
        }
        let mut predictions = self.decode(&futures, read_out);
        let mut predictions = predictions.drain(..);
        let mut next = || Futures {
            predictions: predictions.by_ref().take(horizons.len()).collect(),
        };
        Ok(plans.iter().map(|_| next()).collect())
    }

    fn decode(&mut self, futures: &[Future], read_out: Option<RangeReadout>) -> Reused<Prediction> {
        let geometry = self.memory.geometry();
        let rows = &mut self.rows;
        rows.clear();
        (rows.n, rows.n_beams) = (futures.len(), geometry.n_beams);
        rows.read_out = read_out;
        for future in futures {
            let Future {
                horizon,
                motion,
                ref candidates,
            } = *future;
            rows.views.push(&FutureView {
                candidates,
                motion,
                horizon,
                geometry,
            });
            let part_secs = horizon.as_secs_f64() / IMAGINE_STEPS as f64;
            let part = motion.powf(1.0 / IMAGINE_STEPS as f64);
            rows.motions.push(motion_row(motion, horizon.as_secs_f64()));
            rows.part_motions.push(motion_row(part, part_secs));
            rows.part_secs.push(part_secs as f32);
        }
        let mut foreseen = self.engine.foresee(&self.rows);
        let predictions = futures
            .iter()
            .zip(foreseen.drain(..))
            .map(|(future, foreseen)| {
                let (motion, covariance) = corrected_motion(future.motion, &foreseen.motion_head);
                Prediction {
                    horizon: future.horizon,
                    motion,
                    covariance,
                    scan: foreseen.scan,
                }
            });
        predictions.collect()
    }
}

impl WorldModel for TrainedModel {
    fn name(&self) -> &'static str {
        if self.story.config.network.latent {
            "sedge"
        } else {
            "sedge, no latent"
        }
    }

    fn observe(&mut self, event: &SensorEvent) -> Result<(), ObserveError> {
        self.memory.observe(event)?;
        if matches!(event.observation, Observation::Lidar(_)) && self.story.config.network.latent {
            self.filter_newest();
        }
        Ok(())
    }

    fn belief(&self) -> Option<Belief> {
        let period_secs = self.memory.last_period_secs().unwrap_or(0.0);
        Some(Belief {
            stamp: self.memory.newest_event_stamp()?,
            pose: self.memory.world_from_newest()?,
            covariance: self.story.motion_noise.covariance(period_secs),
            latent: if self.story.config.network.latent {
                self.engine.feature()
            } else {
                Reused::new()
            },
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
        self.foresee(plans, horizons, None)
    }

    fn imagine_ranges(
        &mut self,
        plans: &[ActionSequence],
        horizons: &[Duration],
        read_out: RangeReadout,
    ) -> Result<Reused<Futures>, ImagineError> {
        self.foresee(plans, horizons, Some(read_out))
    }

    fn imagine_in(&mut self, precision: Precision) -> Result<Precision, PrecisionError> {
        // Without a latent there is nothing that is imagined in a precision.
        if !self.story.config.network.latent {
            return Err(PrecisionError { precision });
        }
        self.engine.imagine_in(precision)
    }
}
