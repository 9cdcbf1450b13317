//! Clearance over a plan's time, from the scans of a few imagined plans.

use std::time::Duration;

use sedge_spacetime::Pose2;
use sedge_world_model::{Futures, Prediction, ScanGeometry};

use crate::{ClearanceField, ConfigError, FieldConfig};

/// One field per point in time, evenly from `now` to the plan's end.
#[derive(Debug, Clone)]
pub(crate) struct FieldStack {
    fields: Vec<ClearanceField>,
    /// How much closer obstacles are taken to be: what is kept off in any case, or the doubt about
    /// the own motion where that is more.
    inflations_m: Vec<f32>,
    config: FieldConfig,
    secs_a_field: f64,
}

/// Which two fields a time lies between.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Between {
    first: usize,
    share: f32,
    inflation_m: f32,
}

impl FieldStack {
    pub(crate) fn new(config: FieldConfig) -> Result<Self, ConfigError> {
        Ok(Self {
            fields: vec![ClearanceField::new(config)?; config.n_fields],
            inflations_m: vec![0.0; config.n_fields],
            config,
            secs_a_field: 1.0,
        })
    }

    /// Lays the fields' times out and writes the horizons to imagine, counted from the newest scan,
    /// which is `age` old.
    pub(crate) fn lay_out(&mut self, age: Duration, span_secs: f64, horizons: &mut Vec<Duration>) {
        self.secs_a_field = span_secs / (self.fields.len() - 1) as f64;
        horizons.clear();
        let ahead = (0..self.fields.len())
            .map(|field| age + Duration::from_secs_f64(field as f64 * self.secs_a_field));
        horizons.extend(ahead);
    }

    /// Fills the fields from what was imagined for the horizons of [`FieldStack::lay_out`]. False
    /// if that is not what was asked for.
    pub(crate) fn fill(
        &mut self,
        imagined: &[Futures],
        geometry: &ScanGeometry,
        base_from_scanner: Pose2,
        body_radius_m: f64,
    ) -> bool {
        let is_whole = |futures: &Futures| {
            let is_scan = |it: &Prediction| {
                it.scan.ranges_m(self.config.readout).len() == geometry.n_beams
                    && it.scan.hit_probability.len() == geometry.n_beams
                    && it.motion.is_finite()
            };
            futures.predictions.len() == self.fields.len()
                && futures.predictions.iter().all(is_scan)
        };
        if imagined.is_empty() || !imagined.iter().all(is_whole) {
            return false;
        }
        // Motions are told from where the scanner was at the newest scan; the first horizon is
        // `now`, before any plan differs from another.
        let now_from_newest = base_from_scanner * imagined[0].predictions[0].motion.inverse();
        for (idx, field) in self.fields.iter_mut().enumerate() {
            field.clear();
            let mut variance_m2: f64 = 0.0;
            for futures in imagined {
                let prediction = &futures.predictions[idx];
                field.add_scan(
                    &prediction.scan,
                    geometry,
                    now_from_newest * prediction.motion,
                );
                let covariance = prediction.covariance.matrix();
                variance_m2 = variance_m2.max(covariance[(0, 0)].max(covariance[(1, 1)]));
            }
            field.finish(body_radius_m);
            let doubt_m = self.config.pose_sigmas * variance_m2.sqrt();
            let doubt_m = doubt_m.min(self.config.inflation_m_max);
            self.inflations_m[idx] = doubt_m.max(self.config.keep_off_m) as f32;
        }
        true
    }

    /// Whether both have fields of the same number and extent.
    pub(crate) fn is_laid_out_as(&self, other: &Self) -> bool {
        // However many plans they are filled from.
        let n_nominal = self.config.n_nominal;
        self.config
            == FieldConfig {
                n_nominal,
                ..other.config
            }
    }

    /// Takes over what is in another's fields, which are laid out as these, without taking memory.
    pub(crate) fn copy_from(&mut self, other: &Self) {
        for (mine, other) in self.fields.iter_mut().zip(&other.fields) {
            mine.copy_from(other);
        }
        self.inflations_m.copy_from_slice(&other.inflations_m);
        self.secs_a_field = other.secs_a_field;
    }

    /// The fields, in the order of their times.
    pub(crate) fn fields(&self) -> &[ClearanceField] {
        &self.fields
    }

    /// Where a time after `now` lies.
    pub(crate) fn between(&self, secs: f64) -> Between {
        let place = (secs / self.secs_a_field).clamp(0.0, (self.fields.len() - 1) as f64);
        let first = (place as usize).min(self.fields.len() - 2);
        let share = (place - first as f64) as f32;
        let (from, to) = (self.inflations_m[first], self.inflations_m[first + 1]);
        Between {
            first,
            share,
            inflation_m: from + share * (to - from),
        }
    }

    /// Writes the predicted distance from a disc of some radius to the nearest obstacle, for many
    /// places at one time.
    pub(crate) fn write_clearance(
        &self,
        between: Between,
        radius_m: f32,
        (x_m, y_m): (&[f32], &[f32]),
        clearance_m: &mut [f32],
    ) {
        let (from, to) = (&self.fields[between.first], &self.fields[between.first + 1]);
        let off_m = radius_m + between.inflation_m;
        for ((out_m, &x_m), &y_m) in clearance_m.iter_mut().zip(x_m).zip(y_m) {
            let near_m = from.distance_m(x_m, y_m);
            let far_m = to.distance_m(x_m, y_m);
            *out_m = near_m + between.share * (far_m - near_m) - off_m;
        }
    }
}
