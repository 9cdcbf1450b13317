//! The future arrives: forecasts meet the scans that they were made for.

use std::collections::VecDeque;
use std::time::Duration;

use sedge_spacetime::Stamp;
use sedge_world_model::{LidarScan, PredictedScan, Reused};

use crate::error_tally::{ErrorTally, Pooled};
use crate::{AgentObserver, ArrivedFuture, ForecastError, MethodRole};

/// A scan further than this from where a forecast was made for is not what it was made for.
const OFF_MAX: Duration = Duration::from_millis(250);

/// One row of the report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Method {
    pub(crate) name: String,
    pub(crate) role: MethodRole,
}

/// What all forecasters said about one horizon of one start.
#[derive(Debug, Clone)]
pub(crate) struct Expectation {
    pub(crate) started: Stamp,
    pub(crate) horizon_idx: usize,
    pub(crate) model: PredictedScan,
    /// By method, the three read-outs of the model left out. `[method - 3][beam]`
    pub(crate) others: Reused<Option<Reused<f32>>>,
}

/// What happened to expectations that were not graded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Ungraded {
    /// No scan came near enough.
    pub(crate) no_scan: u64,
    /// The scan that came has other beams.
    pub(crate) other_scanner: u64,
    /// Too many were waiting; the oldest was forgotten.
    pub(crate) forgotten: u64,
    /// The streams began anew before the future came.
    pub(crate) restarted: u64,
}

/// Keeps forecasts until a scan comes that is nearest to their horizon, and pools the errors.
///
/// A forecast is made for a nominal horizon, since nobody knows beforehand when the next scans
/// will be; it is graded against the scan nearest to that time, at most 0.25 s off, and nothing is
/// interpolated. The figures are therefore a little worse than those of the offline protocol,
/// which predicts for the stamp of the very scan that it grades against. An exact grade would need
/// the belief of the start once more, which a model need not be able to give, so there is none.
pub(crate) struct Grader {
    horizons: Vec<Duration>,
    methods: Vec<Method>,
    /// `[horizon][method]`
    tallies: Vec<Vec<ErrorTally>>,
    waiting: VecDeque<Expectation>,
    waiting_max: usize,
    previous: Option<(Stamp, LidarScan)>,
    ungraded: Ungraded,
}

impl Grader {
    /// For a model and its baselines, of which persistence is always one.
    pub(crate) fn new(horizons: &[Duration], methods: Vec<Method>, waiting_max: usize) -> Self {
        let tallies = || methods.iter().map(|_| ErrorTally::new()).collect();
        Self {
            tallies: horizons.iter().map(|_| tallies()).collect(),
            horizons: horizons.to_vec(),
            methods,
            waiting: VecDeque::new(),
            waiting_max,
            previous: None,
            ungraded: Ungraded::default(),
        }
    }

    /// Keeps a forecast until its future comes; the oldest is forgotten when there are too many.
    pub(crate) fn expect(&mut self, expectation: Expectation) {
        if self.waiting.len() >= self.waiting_max && self.waiting.pop_front().is_some() {
            self.ungraded.forgotten += 1;
        }
        self.waiting.push_back(expectation);
    }

    /// Grades what this scan decides: all that was expected at or before its stamp. Stamps of
    /// scans strictly increase between restarts.
    pub(crate) fn arrived(
        &mut self,
        stamp: Stamp,
        scan: &LidarScan,
        observer: &mut dyn AgentObserver,
    ) {
        let previous = self.previous.replace((stamp, scan.clone()));
        for _ in 0..self.waiting.len() {
            let Some(expectation) = self.waiting.pop_front() else {
                break;
            };
            let due = expectation.started + self.horizons[expectation.horizon_idx];
            if due > stamp {
                self.waiting.push_back(expectation);
                continue;
            }
            let before = previous
                .as_ref()
                .filter(|(before, _)| due.saturating_since(*before) <= stamp.saturating_since(due));
            let (came_at, came) = before.map_or((stamp, scan), |(at, scan)| (*at, scan));
            let off = due
                .saturating_since(came_at)
                .max(came_at.saturating_since(due));
            if off > OFF_MAX {
                self.ungraded.no_scan += 1;
            } else if came.ranges_m.len() == expectation.model.mean_m.len() {
                self.grade(&expectation, (came_at, came), observer);
            } else {
                self.ungraded.other_scanner += 1;
            }
        }
    }

    /// The streams began anew: what was expected will never be known.
    pub(crate) fn forget_waiting(&mut self) {
        self.ungraded.restarted += self.waiting.len() as u64;
        self.waiting.clear();
        self.previous = None;
    }

    pub(crate) fn ungraded(&self) -> Ungraded {
        self.ungraded
    }

    pub(crate) fn n_waiting(&self) -> usize {
        self.waiting.len()
    }

    /// The figures of each method at each horizon that has any.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (Duration, &Method, Pooled)> {
        let at = |(horizon, tallies): (&Duration, &'_ Vec<ErrorTally>)| {
            let pooled = tallies.iter().map(ErrorTally::pooled).collect::<Vec<_>>();
            (*horizon, pooled)
        };
        let horizons = self.horizons.iter().zip(&self.tallies).map(at);
        horizons.flat_map(|(horizon, pooled)| {
            let rows = self.methods.iter().zip(pooled);
            rows.filter_map(move |(method, pooled)| Some((horizon, method, pooled?)))
        })
    }

    fn grade(
        &mut self,
        expectation: &Expectation,
        (came_at, came): (Stamp, &LidarScan),
        observer: &mut dyn AgentObserver,
    ) {
        let horizon = self.horizons[expectation.horizon_idx];
        let predicted = &expectation.model;
        let counted: Reused<usize> = (0..came.ranges_m.len())
            .filter(|beam_idx| came.is_valid(*beam_idx))
            .collect();
        let read_outs = [
            &predicted.mean_m,
            &predicted.least_error_m,
            &predicted.mode_m,
        ];
        let others = expectation.others.iter().map(Option::as_ref);
        let forecasts = read_outs.into_iter().map(Some).chain(others);
        let tallies = &mut self.tallies[expectation.horizon_idx];
        observer.on_arrived(&ArrivedFuture {
            horizon,
            started: expectation.started,
            came_at,
            predicted,
            came,
        });
        for ((method, tally), forecast) in self.methods.iter().zip(tallies).zip(forecasts) {
            let same_beams = |forecast: &&Reused<f32>| forecast.len() == came.ranges_m.len();
            let Some(forecast) = forecast.filter(same_beams) else {
                continue;
            };
            let pair = |beam_idx: &usize| (forecast[*beam_idx], came.ranges_m[*beam_idx]);
            let errors = tally.add(counted.iter().map(pair));
            if method.role == MethodRole::Model {
                let inside = |beam_idx: &usize| {
                    let range = came.ranges_m[*beam_idx];
                    (predicted.low_m[*beam_idx]..=predicted.high_m[*beam_idx]).contains(&range)
                };
                tally.add_coverage(counted.iter().map(inside));
            }
            observer.on_error(&ForecastError {
                stamp: came_at,
                horizon,
                method: &method.name,
                role: method.role,
                mae_m: errors.mae_m,
                rmse_m: errors.rmse_m,
                within_10cm: errors.within_10cm,
                n_beams: errors.n_beams,
            });
        }
    }
}

#[cfg(test)]
mod tests;
