//! How far a robot turned, by its gyroscope, with the bias estimated on the way.
//!
//! A gyroscope does not slip as wheels do, but it drifts: its bias is learnt from the turns that
//! scan registration found, as one number with a variance.

use std::collections::VecDeque;

use sedge_spacetime::Stamp;

use crate::{ImuSample, ObserveError};

/// Samples kept at most: ten seconds at 400 Hz. The oldest go first.
const N_SAMPLES_MAX: usize = 4_096;
/// Between samples farther apart than this nothing is known, seconds.
const GAP_MAX_SECS: f64 = 0.1;
/// Older samples say nothing of now, seconds.
const STALE_SECS: f64 = 0.5;
/// Bias at turn-on: standard deviation, rad/s. Cheap gyroscopes reach 3 degrees a second.
const TURN_ON_SIGMA_RADPS: f64 = 0.05;
/// How fast a bias wanders: variance per second, (rad/s)^2/s.
const WANDER_VARIANCE: f64 = 1e-7;
/// How wrong a registered turn may be, rad.
const REGISTERED_SIGMA_RAD: f64 = 0.004;
/// Turns that disagree by more standard deviations than this teach nothing.
const SURPRISE_SIGMAS_MAX: f64 = 5.0;
/// White noise of a turn: variance per second, rad2/s.
const TURN_VARIANCE_PER_SEC: f64 = 1e-5;
/// Error of the scale factor: share of the turn.
const SCALE_SIGMA_SHARE: f64 = 0.01;

/// One sample and the angle turned up to it since the first sample after the newest gap.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Heading {
    stamp: Stamp,
    rate_radps: f64,
    angle_rad: f64,
    /// How many gaps came before it: angles are comparable within one count only.
    n_gaps: u32,
}

/// A turn and how wrong it may be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Turn {
    pub(crate) yaw_rad: f64,
    pub(crate) sigma_rad: f64,
    /// Up to when it is known.
    pub(crate) until: Stamp,
}

/// What an inertial unit says at a scan.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ImuNow {
    /// Yaw rate, its bias taken out, rad/s.
    pub yaw_rate_radps: f64,
    /// Acceleration forward and to the left, as measured, m/s2.
    pub acceleration_mps2: [f64; 2],
    /// How old that is, in seconds, not negative.
    pub age_secs: f64,
}

/// The last seconds of a gyroscope.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct GyroTrack {
    headings: VecDeque<Heading>,
    newest_acceleration_mps2: [f64; 2],
    bias_radps: f64,
    bias_variance: f64,
}

impl Default for GyroTrack {
    fn default() -> Self {
        Self {
            headings: VecDeque::new(),
            newest_acceleration_mps2: [0.0; 2],
            bias_radps: 0.0,
            bias_variance: TURN_ON_SIGMA_RADPS * TURN_ON_SIGMA_RADPS,
        }
    }
}

impl GyroTrack {
    /// The stamp of the newest sample.
    pub(crate) fn newest_stamp(&self) -> Option<Stamp> {
        self.headings.back().map(|heading| heading.stamp)
    }

    /// The newest sample, if it is not older than [`STALE_SECS`] at `now`.
    pub(crate) fn at_scan(&self, now: Stamp) -> Option<ImuNow> {
        let newest = self.headings.back()?;
        let age_secs = now.secs_since(newest.stamp).max(0.0);
        (age_secs <= STALE_SECS).then_some(ImuNow {
            yaw_rate_radps: newest.rate_radps - self.bias_radps,
            acceleration_mps2: self.newest_acceleration_mps2,
            age_secs,
        })
    }

    /// Takes in samples that were checked.
    ///
    /// # Errors
    /// [`ObserveError::Late`] when the first is not newer than what is known.
    pub(crate) fn push(&mut self, stamp: Stamp, samples: &[ImuSample]) -> Result<(), ObserveError> {
        if let (Some(newest), Some(first)) = (self.newest_stamp(), samples.first()) {
            let stamp = stamp + first.offset;
            if stamp <= newest {
                return Err(ObserveError::Late { newest, stamp });
            }
        }
        for sample in samples {
            self.newest_acceleration_mps2 = sample.acceleration_mps2;
            self.append(stamp + sample.offset, sample.yaw_rate_radps);
        }
        while self.headings.len() > N_SAMPLES_MAX {
            self.headings.pop_front();
        }
        Ok(())
    }

    fn append(&mut self, stamp: Stamp, rate_radps: f64) {
        let (mut angle_rad, mut n_gaps) = (0.0, 0);
        if let Some(before) = self.headings.back() {
            let secs = stamp.secs_since(before.stamp);
            n_gaps = before.n_gaps;
            if secs > GAP_MAX_SECS {
                n_gaps = n_gaps.wrapping_add(1);
            } else {
                angle_rad = before.angle_rad + 0.5 * secs * (before.rate_radps + rate_radps);
            }
        }
        self.headings.push_back(Heading {
            stamp,
            rate_radps,
            angle_rad,
            n_gaps,
        });
    }

    /// How far the robot turned from one time on, up to another or the newest sample if that is
    /// earlier; `None` where samples are missing.
    pub(crate) fn turn(&self, from: Stamp, to: Stamp) -> Option<Turn> {
        let until = to.min(self.newest_stamp()?);
        let secs = until.secs_since(from);
        if secs <= 0.0 {
            return None;
        }
        let yaw_rad = self.raw_turn(from, until)? - self.bias_radps * secs;
        let variance = self.bias_variance * secs * secs
            + TURN_VARIANCE_PER_SEC * secs
            + (SCALE_SIGMA_SHARE * yaw_rad).powi(2);
        Some(Turn {
            yaw_rad,
            sigma_rad: variance.sqrt(),
            until,
        })
    }

    /// Learns the bias from a turn that registration found.
    pub(crate) fn learn(&mut self, from: Stamp, to: Stamp, registered_rad: f64) {
        let secs = to.secs_since(from);
        let Some(raw_rad) = (secs > 0.0).then(|| self.raw_turn(from, to)).flatten() else {
            return;
        };
        self.bias_variance += WANDER_VARIANCE * secs;
        let surprise = (raw_rad - registered_rad) / secs - self.bias_radps;
        let noise = 2.0 * (REGISTERED_SIGMA_RAD / secs).powi(2) + TURN_VARIANCE_PER_SEC / secs;
        let variance = self.bias_variance + noise;
        if surprise * surprise > SURPRISE_SIGMAS_MAX * SURPRISE_SIGMAS_MAX * variance {
            return;
        }
        let gain = self.bias_variance / variance;
        self.bias_radps += gain * surprise;
        self.bias_variance *= 1.0 - gain;
    }

    fn raw_turn(&self, from: Stamp, to: Stamp) -> Option<f64> {
        let (first, last) = (self.at(from)?, self.at(to)?);
        (first.1 == last.1).then_some(last.0 - first.0)
    }

    /// Angle and gap count at a time within the samples.
    fn at(&self, stamp: Stamp) -> Option<(f64, u32)> {
        let after = self.headings.partition_point(|it| it.stamp < stamp);
        let next = self.headings.get(after)?;
        if next.stamp == stamp {
            return Some((next.angle_rad, next.n_gaps));
        }
        let before = self.headings.get(after.checked_sub(1)?)?;
        if before.n_gaps != next.n_gaps {
            return None;
        }
        let share = stamp.secs_since(before.stamp) / next.stamp.secs_since(before.stamp);
        Some((
            before.angle_rad + share * (next.angle_rad - before.angle_rad),
            next.n_gaps,
        ))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(secs: f64) -> Stamp {
        Stamp::from_secs(secs).unwrap()
    }

    fn sample(yaw_rate_radps: f64) -> [ImuSample; 1] {
        [ImuSample {
            offset: Duration::ZERO,
            yaw_rate_radps,
            acceleration_mps2: [0.0; 2],
        }]
    }

    /// Ten milliseconds a sample at a steady rate.
    fn turning(rate_radps: f64, until_secs: f64) -> GyroTrack {
        let mut track = GyroTrack::default();
        for k in 0..=(until_secs * 100.0).round() as u32 {
            track
                .push(at(f64::from(k) * 0.01), &sample(rate_radps))
                .unwrap();
        }
        track
    }

    #[test]
    fn a_steady_turn_is_integrated_between_samples_too() {
        let track = turning(0.5, 1.0);
        let turn = track.turn(at(0.104), at(0.608)).unwrap();
        assert!((turn.yaw_rad - 0.5 * 0.504).abs() < 1e-9, "{turn:?}");
    }

    #[test]
    fn beyond_the_newest_sample_nothing_is_claimed() {
        let track = turning(0.5, 1.0);
        assert_eq!(track.turn(at(0.9), at(1.5)).unwrap().until, at(1.0));
        assert!(track.turn(at(1.0), at(1.5)).is_none());
        assert!(track.turn(at(-1.0), at(0.5)).is_none());
    }

    #[test]
    fn a_gap_is_not_integrated_over() {
        let mut track = turning(0.5, 1.0);
        track.push(at(1.3), &sample(0.5)).unwrap();
        track.push(at(1.31), &sample(0.5)).unwrap();
        assert!(track.turn(at(0.9), at(1.31)).is_none());
        assert!(track.turn(at(1.3), at(1.31)).is_some());
    }

    #[test]
    fn the_bias_is_learnt_from_registered_turns_and_an_outlier_is_not() {
        let mut track = turning(0.53, 10.0);
        let before = track.turn(at(9.0), at(9.5)).unwrap().sigma_rad;
        for k in 0..90 {
            let from = f64::from(k) * 0.1;
            let wrong = if k == 60 { 0.4 } else { 0.0 };
            track.learn(at(from), at(from + 0.1), 0.05 + wrong);
        }
        let turn = track.turn(at(9.0), at(9.5)).unwrap();
        assert!((turn.yaw_rad - 0.25).abs() < 2e-3, "{turn:?}");
        assert!(turn.sigma_rad < 0.5 * before);
    }

    #[test]
    fn late_samples_are_refused_and_memory_is_bounded() {
        let mut track = turning(0.1, 50.0);
        assert_eq!(track.headings.len(), N_SAMPLES_MAX);
        let late = track.push(at(49.0), &sample(0.1));
        assert!(matches!(late, Err(ObserveError::Late { .. })));
    }
}
