//! How long stages took, and may take: median and worst of the team between two points of the
//! series, in milliseconds.

use std::collections::BTreeMap;
use std::time::Duration;

use rerun::Scalars;
use sedge_spacetime::AgentName;

use super::cast::Cast;
use crate::path;
use crate::recorder::Recorder;

/// Stages that are told apart.
const STAGES_MAX: usize = 16;
/// Measurements of one stage that are kept for the next point.
const KEPT_MAX: usize = 8192;

/// Measurements since the last point, in microseconds.
#[derive(Debug, Default)]
pub(super) struct Latencies {
    /// Stages in the order in which they came: their colours.
    stages: Vec<String>,
    team: BTreeMap<usize, Vec<f64>>,
    robots: BTreeMap<(AgentName, usize), f64>,
    /// How long stages may take, by name: the least that anybody said.
    team_limits: BTreeMap<String, f64>,
    /// And what each robot with entities of its own said.
    limits: BTreeMap<(AgentName, String), f64>,
}

impl Latencies {
    /// Takes one more; whether there was room for it.
    pub(super) fn add(
        &mut self,
        cast: &Cast,
        name: &AgentName,
        stage: &str,
        taken: Duration,
    ) -> bool {
        let known = self.stages.iter().position(|known| known == stage);
        let Some(stage_idx) = known.or_else(|| self.new_stage(stage)) else {
            return false;
        };
        let micros = taken.as_secs_f64() * 1e6;
        if cast.detail(name).is_own {
            let worst = self.robots.entry((name.clone(), stage_idx)).or_default();
            *worst = worst.max(micros);
        }
        let kept = self.team.entry(stage_idx).or_default();
        let has_room = kept.len() < KEPT_MAX;
        if has_room {
            kept.push(micros);
        }
        has_room
    }

    /// Takes a budget, to be drawn with each point of its stage's series; whether there was room.
    pub(super) fn limit(
        &mut self,
        cast: &Cast,
        name: &AgentName,
        stage: &str,
        limit: Duration,
    ) -> bool {
        let is_known = self.team_limits.contains_key(stage);
        if !is_known && self.team_limits.len() >= STAGES_MAX {
            return false;
        }
        let millis = limit.as_secs_f64() * 1e3;
        let least = self.team_limits.entry(stage.to_owned()).or_insert(millis);
        *least = least.min(millis);
        if cast.detail(name).is_own {
            self.limits.insert((name.clone(), stage.to_owned()), millis);
        }
        true
    }

    fn new_stage(&mut self, stage: &str) -> Option<usize> {
        (self.stages.len() < STAGES_MAX).then(|| {
            self.stages.push(stage.to_owned());
            self.stages.len() - 1
        })
    }

    /// Logs median and worst, with the budgets beside the worst, and starts anew.
    pub(super) fn log(&mut self, recorder: &mut Recorder) {
        for (stage_idx, mut micros) in std::mem::take(&mut self.team) {
            let stage = &self.stages[stage_idx];
            micros.sort_by(f64::total_cmp);
            let (median, worst) = (micros[micros.len() / 2], micros[micros.len() - 1]);
            for (of, micros) in [("median", median), ("worst", worst)] {
                let series = path::entity(&["latency", of, stage]);
                recorder.once(&series, || crate::latency::style(stage, stage_idx));
                recorder.log_at(series, &Scalars::single(micros * 1e-3));
            }
            let limit = self.team_limits.get(stage);
            log_limit(recorder, &["latency", "worst"], stage, limit);
        }
        for ((name, stage_idx), micros) in std::mem::take(&mut self.robots) {
            let stage = &self.stages[stage_idx];
            let of = ["latency", "robots", name.as_str()];
            let series = path::entity(&[&of[..], &[stage]].concat());
            recorder.once(&series, || crate::latency::style(stage, stage_idx));
            recorder.log_at(series, &Scalars::single(micros * 1e-3));
            let limit = self.limits.get(&(name.clone(), stage.clone()));
            log_limit(recorder, &of, stage, limit);
        }
    }
}

/// Logs how long a stage may take, where that is said, beside how long it took.
fn log_limit(recorder: &mut Recorder, of: &[&str], stage: &str, millis: Option<&f64>) {
    let Some(millis) = millis else {
        return;
    };
    // Not below the stage's own series: a series is a leaf.
    let lane = format!("{stage}-budget");
    let series = path::entity(&[of, &[&lane]].concat());
    recorder.once(&series, || crate::latency::limit_style(&lane));
    recorder.log_at(series, &Scalars::single(*millis));
}
