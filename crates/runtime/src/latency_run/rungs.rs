//! The rungs of degradation ladders: how much they were used, what they took, and what was lost.

use serde::{Deserialize, Serialize};

use crate::AgentReport;
use crate::bus::AgentStages;

/// One rung of an agent's degradation ladder, and how much it was used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RungRow {
    /// Whose ladder.
    pub whose: String,
    /// The rung's name.
    pub rung: String,
    /// Plans that were made on it.
    pub plans: u64,
    /// What it took lately, in nanoseconds; more than that in a tenth of cases.
    pub cost_nanos: u64,
    /// How well it drives as a share of the full rung, where somebody said or measured it.
    pub skill: Option<f64>,
    /// Whether that was measured ([`MeasuredSkills`]), or only said in a launch file.
    pub is_measured: bool,
}

/// What rungs took and were worth where each of them drove alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MeasuredSkills {
    /// The machine that took the times.
    pub machine: String,
    /// Its load averages at the end.
    pub load: String,
    /// The scenario that was driven through.
    pub scenario: String,
    /// The model that the agents believed with.
    pub model: String,
    /// From which seed to the one before which.
    pub seeds: [u64; 2],
    /// The rungs, the full one first.
    pub rungs: Vec<MeasuredRung>,
}

/// What one rung took and was worth.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MeasuredRung {
    /// Its name.
    pub name: String,
    /// The rungs that plans were made on in turn: itself alone, or, of one that does not search,
    /// after a plan of the full one.
    pub held: Vec<String>,
    /// What computed the network.
    pub engine: String,
    /// Plans that were timed.
    pub n_plans: u64,
    /// Half of them took no longer, in nanoseconds.
    pub p50_nanos: u64,
    /// 99 % of them took no longer, in nanoseconds.
    pub p99_nanos: u64,
    /// Robots with somewhere to go, over all seeds, and how many arrived.
    pub n_going: usize,
    /// Those that arrived.
    pub n_arrived: usize,
    /// Mean time to the goal of those that arrived, in seconds.
    pub arrival_secs: Option<f64>,
    /// Contacts a run, with robots, walkers and walls.
    pub contacts_per_run: f64,
    /// Mean over seeds of the robots' mean speed of arrival (1 / time to the goal, 0 for those that
    /// did not arrive), as a share of the full rung's with the same seed.
    pub skill: f64,
    /// The 95 % interval of that.
    pub skill_interval: [f64; 2],
}

impl MeasuredSkills {
    /// Puts what was measured in place of what was said, rung by rung.
    pub fn apply(&self, rows: &mut [RungRow]) {
        for row in rows {
            if let Some(measured) = self.rungs.iter().find(|rung| rung.name == row.rung) {
                (row.skill, row.is_measured) = (Some(measured.skill), true);
            }
        }
    }
}

/// The rungs of an agent that speaks of them; it does not say what they are worth.
pub fn rungs_of_agent(agent: &AgentStages) -> Vec<RungRow> {
    let uses = agent.rung.iter().flat_map(|rung| &rung.uses);
    let row = |it: &crate::bus::RungUse| RungRow {
        whose: super::whose(agent),
        rung: it.name.clone(),
        plans: it.plans,
        cost_nanos: it.cost_nanos,
        skill: None,
        is_measured: false,
    };
    uses.map(row).collect()
}

/// The rungs that the report says that an agent wrote when it ended.
pub fn rungs_of_report(report: &AgentReport) -> Vec<RungRow> {
    let ladder = report.driving.as_ref().and_then(|it| it.ladder.as_ref());
    let rungs = ladder.iter().flat_map(|ladder| &ladder.rungs);
    let row = |rung: &sedge_latency::RungReport| RungRow {
        whose: report.agent.clone(),
        rung: rung.name.to_string(),
        plans: rung.n,
        cost_nanos: rung.cost_nanos,
        skill: Some(rung.skill),
        is_measured: false,
    };
    rungs.map(row).collect()
}

/// The share of the full rung's skill that was lost over all plans of one agent; nothing where a
/// rung that was used has no skill, or none was used.
pub fn skill_lost(rows: &[RungRow], whose: &str) -> Option<f64> {
    let used = || {
        let rows = rows.iter().filter(|row| row.whose == whose);
        rows.filter(|row| row.plans > 0)
    };
    let n: u64 = used().map(|row| row.plans).sum();
    let lost = |row: &RungRow| Some(row.plans as f64 * (1.0 - row.skill?));
    let lost: Option<f64> = used().map(lost).sum();
    lost.filter(|_| n > 0).map(|lost| lost / n as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(rung: &str, plans: u64, skill: Option<f64>) -> RungRow {
        RungRow {
            whose: "crane".into(),
            rung: rung.into(),
            plans,
            cost_nanos: 1,
            skill,
            is_measured: false,
        }
    }

    #[test]
    fn skill_is_lost_by_use_and_unknown_where_nobody_said_it() {
        let rows = [row("full", 60, Some(1.0)), row("few", 40, Some(0.5))];
        let lost = skill_lost(&rows, "crane").unwrap();
        assert!((lost - 0.2).abs() < 1e-12, "{lost}");
        assert_eq!(skill_lost(&rows, "heron"), None);
        let unknown = [row("full", 1, Some(1.0)), row("few", 1, None)];
        assert_eq!(skill_lost(&unknown, "crane"), None);
        let unused = [row("full", 1, Some(1.0)), row("few", 0, None)];
        assert_eq!(skill_lost(&unused, "crane"), Some(0.0));
    }

    #[test]
    fn what_was_measured_takes_the_place_of_what_was_said() {
        let rung = MeasuredRung {
            name: "few".into(),
            held: vec!["few".into()],
            engine: "onboard".into(),
            n_plans: 9,
            p50_nanos: 1,
            p99_nanos: 2,
            n_going: 2,
            n_arrived: 2,
            arrival_secs: Some(9.0),
            contacts_per_run: 0.0,
            skill: 0.75,
            skill_interval: [0.7, 0.8],
        };
        let skills = MeasuredSkills {
            machine: "m".into(),
            load: String::new(),
            scenario: "yard".into(),
            model: "a".into(),
            seeds: [0, 10],
            rungs: vec![rung],
        };
        let mut rows = [row("full", 1, Some(1.0)), row("few", 1, Some(0.9))];
        skills.apply(&mut rows);
        assert_eq!((rows[0].skill, rows[0].is_measured), (Some(1.0), false));
        assert_eq!((rows[1].skill, rows[1].is_measured), (Some(0.75), true));
        let text = serde_json::to_string(&skills).unwrap();
        let read: MeasuredSkills = serde_json::from_str(&text).unwrap();
        assert_eq!(read, skills);
    }
}
