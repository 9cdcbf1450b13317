//! How far predictions were off, averaged between two points of the series.

use std::collections::BTreeMap;
use std::time::Duration;

use rerun::{EntityPath, Scalars, SeriesLines};
use sedge_spacetime::AgentName;

use super::cast::Cast;
use crate::drawing::Forecaster;
use crate::recorder::Recorder;
use crate::{color, error, path};

/// Horizons that are told apart.
const HORIZONS_MAX: usize = 4;

/// A mean on its way.
#[derive(Debug, Clone, Copy, Default)]
struct Mean {
    sum: f64,
    n: u32,
}

impl Mean {
    fn add(&mut self, value: f64) {
        self.sum += value;
        self.n += 1;
    }

    fn get(self) -> f64 {
        self.sum / f64::from(self.n)
    }
}

/// Errors since the last point: mean absolute errors, in metres.
#[derive(Debug, Default)]
pub(super) struct Errors {
    team: BTreeMap<(Duration, Forecaster), Mean>,
    robots: BTreeMap<(AgentName, Duration, Forecaster), Mean>,
}

impl Errors {
    /// Takes one more; whether there was room for its horizon.
    pub(super) fn add(
        &mut self,
        cast: &Cast,
        name: &AgentName,
        (horizon, by): (Duration, Forecaster),
        mae_m: f64,
    ) -> bool {
        let mut horizons: Vec<_> = self.team.keys().map(|(horizon, _)| *horizon).collect();
        horizons.dedup();
        if horizons.len() >= HORIZONS_MAX && !horizons.contains(&horizon) {
            return false;
        }
        self.team.entry((horizon, by)).or_default().add(mae_m);
        if cast.idx_by_name().contains_key(name) {
            let key = (name.clone(), horizon, by);
            self.robots.entry(key).or_default().add(mae_m);
        }
        true
    }

    /// Logs the means and starts anew.
    pub(super) fn log(&mut self, recorder: &mut Recorder, cast: &Cast) {
        for ((horizon, by), mean) in std::mem::take(&mut self.team) {
            let series = team_path(horizon, by);
            recorder.once(&series, || error::style(horizon, by));
            recorder.log_at(series, &Scalars::single(mean.get()));
        }
        let robots = std::mem::take(&mut self.robots);
        for ((name, horizon, by), mean) in &robots {
            if cast.detail(name).is_own {
                let series = robot_path(name, *horizon, *by);
                recorder.once(&series, || error::style(*horizon, *by));
                recorder.log_at(series, &Scalars::single(mean.get()));
            }
        }
        everybody(recorder, cast, &robots);
    }
}

/// One row of one entity per horizon with the model's error of every robot.
fn everybody(
    recorder: &mut Recorder,
    cast: &Cast,
    robots: &BTreeMap<(AgentName, Duration, Forecaster), Mean>,
) {
    let mut rows: BTreeMap<Duration, Vec<f64>> = BTreeMap::new();
    for ((name, horizon, by), mean) in robots {
        let Some(idx) = cast.idx_by_name().get(name) else {
            continue;
        };
        if *by == Forecaster::Model {
            let nobody = || vec![f64::NAN; cast.idx_by_name().len()];
            rows.entry(*horizon).or_insert_with(nobody)[*idx] = mean.get();
        }
    }
    for (horizon, row) in rows {
        let series = path::entity(&["error", "everybody", &path::horizon(horizon)]);
        recorder.once(&series, || names(cast));
        recorder.log_at(series, &Scalars::new(row));
    }
}

fn names(cast: &Cast) -> SeriesLines {
    let mut by_idx: Vec<_> = cast.idx_by_name().iter().collect();
    by_idx.sort_by_key(|(_, idx)| **idx);
    SeriesLines::new()
        .with_names(by_idx.iter().map(|(name, _)| name.as_str()))
        .with_colors(by_idx.iter().map(|(_, idx)| color::nth(**idx)))
        .with_widths(by_idx.iter().map(|_| 1.2))
}

/// The mean over the team.
fn team_path(horizon: Duration, by: Forecaster) -> EntityPath {
    path::entity(&["error", "team", &path::horizon(horizon), &by.to_string()])
}

fn robot_path(name: &AgentName, horizon: Duration, by: Forecaster) -> EntityPath {
    let (horizon, by) = (path::horizon(horizon), by.to_string());
    path::entity(&["error", "robots", name.as_str(), &horizon, &by])
}
