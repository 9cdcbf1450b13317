//! Where agents spend their time, as each of them last said in `telemetry.latency`.

use std::collections::BTreeMap;

use sedge_oni::{
    Key, LadderReport, LatencyReport, Message, RungLatency, StageLatency, TypedMessage as _,
};
use sedge_spacetime::Stamp;
use sedge_transport::{Received, STREAMS_MAX};
use serde::Serialize;

use super::per_sec;

/// What every agent last said of its stages, in bounded memory: agents beyond [`STREAMS_MAX`] are
/// only counted.
#[derive(Debug, Default)]
pub struct StageBoard {
    agents: BTreeMap<Key, Said>,
    unlisted: u64,
    refused: u64,
    last_error: Option<String>,
}

#[derive(Debug)]
struct Said {
    epoch: u64,
    arrival: Stamp,
    report: LatencyReport,
    /// What it said before that, of the same start.
    before: Option<(Stamp, LatencyReport)>,
}

/// One stage of an agent since the agent started.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StageFigures {
    /// The stage or chain.
    pub stage: String,
    /// The longest span that keeps to its budget, where it has one.
    pub budget_nanos: Option<u64>,
    /// How often it ran.
    pub n: u64,
    /// How often a second it ran between the last two reports.
    pub per_sec: Option<f64>,
    /// Median.
    pub p50_nanos: u64,
    /// 99 % quantile.
    pub p99_nanos: u64,
    /// 99.9 % quantile.
    pub p999_nanos: u64,
    /// The longest.
    pub max_nanos: u64,
    /// Spans past the budget.
    pub missed: u64,
    /// How many of them between the last two reports.
    pub missed_lately: Option<u64>,
    /// The most spans past the budget without a kept one between.
    pub missed_in_a_row_max: u64,
}

/// Where an agent stands on its degradation ladder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RungFigures {
    /// The rung's name.
    pub name: String,
    /// Which one it is, counted from 0, the full one.
    pub idx: usize,
    /// How many there are.
    pub n_rungs: usize,
    /// How often it changed since the agent started.
    pub changes: u64,
    /// All rungs, the full one first, and how much they were used.
    pub uses: Vec<RungUse>,
}

/// How much a rung of an agent's degradation ladder was used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RungUse {
    /// The rung's name.
    pub name: String,
    /// Plans that were made on it since the agent started.
    pub plans: u64,
    /// What it took lately, in nanoseconds.
    pub cost_nanos: u64,
}

/// What one agent last said.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AgentStages {
    /// Its fleet.
    pub fleet: String,
    /// Its name.
    pub agent: String,
    /// The last chunk of its keys.
    pub stream: String,
    /// Its start.
    pub epoch: u64,
    /// Seconds since it said so.
    pub age_secs: f64,
    /// Messages it received.
    pub received: u64,
    /// Messages that were sent to it and never came.
    pub lost: u64,
    /// Messages that came to it more than once.
    pub duplicated: u64,
    /// Where it stands on its degradation ladder, if it has one.
    pub rung: Option<RungFigures>,
    /// Its stages, in the order in which it names them.
    pub stages: Vec<StageFigures>,
}

impl StageBoard {
    /// Takes in what an agent says of its stages; other messages are none of its business.
    pub fn observe(&mut self, received: &Received) {
        if received.key.message_type() != LatencyReport::NAME {
            return;
        }
        let encoded = &received.message;
        let message = match Message::decode(encoded.header(), encoded.payload()) {
            Ok(message) => message,
            Err(error) => return self.refuse(&received.key, &error),
        };
        let report = match LatencyReport::from_message(&message) {
            Ok(report) => report,
            Err(error) => return self.refuse(&received.key, &error),
        };
        let epoch = message.envelope().source.epoch;
        let is_full = self.agents.len() == STREAMS_MAX;
        match self.agents.get_mut(&received.key) {
            Some(said) => said.says(epoch, received.arrival, report),
            None if is_full => self.unlisted = self.unlisted.saturating_add(1),
            None => {
                let said = Said {
                    epoch,
                    arrival: received.arrival,
                    report,
                    before: None,
                };
                self.agents.insert(received.key.clone(), said);
            }
        }
    }

    fn refuse(&mut self, key: &Key, error: &dyn std::error::Error) {
        self.refused = self.refused.saturating_add(1);
        self.last_error = Some(format!("{key}: {error}"));
    }

    /// Every agent as it last said at `now`, in the order of keys.
    pub fn agents(&self, now: Stamp) -> Vec<AgentStages> {
        self.agents
            .iter()
            .map(|(key, said)| said.view(key, now))
            .collect()
    }

    /// Whether nobody has said anything yet.
    pub fn is_empty(&self) -> bool {
        self.agents.is_empty()
    }

    /// Messages of agents beyond the limit of what is listed.
    pub fn unlisted(&self) -> u64 {
        self.unlisted
    }

    /// Messages that could not be read.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// Why the last of them could not be read.
    pub fn last_error(&self) -> Option<&str> {
        self.last_error.as_deref()
    }
}

impl Said {
    fn says(&mut self, epoch: u64, arrival: Stamp, report: LatencyReport) {
        // A late copy of an earlier start says nothing about now.
        if epoch < self.epoch {
            return;
        }
        let old = std::mem::replace(&mut self.report, report);
        self.before = (epoch == self.epoch).then_some((self.arrival, old));
        self.epoch = epoch;
        self.arrival = arrival;
    }

    fn view(&self, key: &Key, now: Stamp) -> AgentStages {
        let LatencyReport {
            stages,
            received,
            lost,
            duplicated,
            ladder,
        } = &self.report;
        AgentStages {
            fleet: key.fleet().to_owned(),
            agent: key.agent().to_owned(),
            stream: key.stream().to_owned(),
            epoch: self.epoch,
            age_secs: now.saturating_since(self.arrival).as_secs_f64(),
            received: *received,
            lost: *lost,
            duplicated: *duplicated,
            rung: ladder.as_ref().and_then(rung),
            stages: stages.iter().map(|stage| self.figures(stage)).collect(),
        }
    }

    fn figures(&self, stage: &StageLatency) -> StageFigures {
        let before = self.before.as_ref().and_then(|(arrival, report)| {
            let mut stages = report.stages.iter();
            let secs = self.arrival.saturating_since(*arrival).as_secs_f64();
            Some((secs, stages.find(|old| old.stage == stage.stage)?))
        });
        let more = |now: u64, then: u64| now.saturating_sub(then);
        StageFigures {
            stage: stage.stage.clone(),
            budget_nanos: (stage.budget_nanos > 0).then_some(stage.budget_nanos),
            n: stage.count,
            per_sec: before.map(|(secs, old)| per_sec(more(stage.count, old.count), secs)),
            p50_nanos: stage.p50_nanos,
            p99_nanos: stage.p99_nanos,
            p999_nanos: stage.p999_nanos,
            max_nanos: stage.max_nanos,
            missed: stage.missed,
            missed_lately: before.map(|(_, old)| more(stage.missed, old.missed)),
            missed_in_a_row_max: stage.missed_in_a_row_max,
        }
    }
}

fn rung(ladder: &LadderReport) -> Option<RungFigures> {
    Some(RungFigures {
        name: ladder.rungs.get(ladder.rung)?.name.clone(),
        idx: ladder.rung,
        n_rungs: ladder.rungs.len(),
        changes: ladder.changes,
        uses: ladder.rungs.iter().map(rung_use).collect(),
    })
}

fn rung_use(rung: &RungLatency) -> RungUse {
    RungUse {
        name: rung.name.clone(),
        plans: rung.plans,
        cost_nanos: rung.cost_nanos,
    }
}

#[cfg(test)]
mod tests;
