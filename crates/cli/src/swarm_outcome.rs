//! How runs of a swarm went: one row a seed, and all of them together.

use sedge_simulation::{RobotMetrics, RunHeader, RunMetrics};
use serde::Serialize;

use crate::Table;
use crate::intervals::Estimate;

/// How one run went.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SeedOutcome {
    /// The seed.
    pub seed: u64,
    /// Whether the scenario's task was fulfilled.
    pub is_success: bool,
    /// Robots with somewhere to go.
    pub n_going: usize,
    /// Of these, who arrived.
    pub n_arrived: usize,
    /// Of these, who stood still at the end without having arrived.
    pub n_deadlocked: usize,
    /// Contacts between robots, each once.
    pub collisions_robot: u32,
    /// Contacts of robots with walkers.
    pub collisions_walker: u32,
    /// Contacts of robots with walls.
    pub collisions_wall: u32,
    /// The nearest that two came, hull to hull, in metres.
    pub separation_min_m: f64,
    /// When each of those who arrived did, in seconds.
    pub arrival_secs: Vec<f64>,
    /// Simulated seconds.
    pub secs: f64,
    /// Of every message of the run, hexadecimal; of all states and readings where there are no
    /// agents.
    pub hash: String,
    /// Simulated seconds a second.
    pub real_time_factor: f64,
    /// How far from where they were agents believed to be, on average over all beliefs, in metres.
    pub place_error_mean_m: Option<f64>,
    /// The worst of that, in metres.
    pub place_error_max_m: Option<f64>,
    /// Agents that were out before the end, and why.
    pub failures: Vec<String>,
}

impl SeedOutcome {
    pub(crate) fn of(header: &RunHeader, metrics: &RunMetrics) -> Self {
        let robots = || header.robots.iter().zip(&metrics.robots);
        let going: Vec<&RobotMetrics> = robots()
            .filter(|(draw, _)| !draw.route.is_empty())
            .map(|(_, robot)| robot)
            .collect();
        let sum = |of: fn(&RobotMetrics) -> u32| metrics.robots.iter().map(of).sum::<u32>();
        let separations = metrics.robots.iter().map(|it| it.separation_min_m);
        Self {
            seed: header.seed,
            is_success: metrics.is_success,
            n_going: going.len(),
            n_arrived: going.iter().filter(|it| it.reached_secs.is_some()).count(),
            n_deadlocked: going.iter().filter(|it| it.is_deadlocked).count(),
            // Both robots of a pair count it.
            collisions_robot: sum(|it| it.collisions_robot) / 2,
            collisions_walker: sum(|it| it.collisions_walker),
            collisions_wall: sum(|it| it.collisions_wall),
            separation_min_m: separations.fold(f64::INFINITY, f64::min),
            arrival_secs: going.iter().filter_map(|it| it.reached_secs).collect(),
            secs: metrics.secs,
            hash: String::new(),
            real_time_factor: 0.0,
            place_error_mean_m: None,
            place_error_max_m: None,
            failures: Vec::new(),
        }
    }

    /// All contacts.
    pub fn n_collisions(&self) -> u32 {
        self.collisions_robot + self.collisions_walker + self.collisions_wall
    }
}

/// How all runs went together. Intervals hold 95 %: Wilson's for shares, the bootstrap's over runs
/// for means.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SwarmSummary {
    /// Runs.
    pub n_runs: usize,
    /// Share of runs whose task was fulfilled.
    pub success: Option<Estimate>,
    /// Share of runs without any contact.
    pub collision_free: Option<Estimate>,
    /// Share of robots with somewhere to go that arrived.
    pub arrived: Option<Estimate>,
    /// Share of them that stood still at the end without having arrived.
    pub deadlocked: Option<Estimate>,
    /// Contacts a run.
    pub collisions: Option<Estimate>,
    /// Of these with other robots.
    pub collisions_robot: Option<Estimate>,
    /// Of these with walkers.
    pub collisions_walker: Option<Estimate>,
    /// Of these with walls.
    pub collisions_wall: Option<Estimate>,
    /// Mean time to the goal of those who arrived, in seconds.
    pub arrival_secs: Option<Estimate>,
    /// The nearest that two came in any run, in metres.
    pub separation_min_m: f64,
}

impl SwarmSummary {
    /// Of some runs.
    pub fn of(outcomes: &[SeedOutcome]) -> Self {
        let count = |is: fn(&SeedOutcome) -> bool| outcomes.iter().filter(|it| is(it)).count();
        let sum = |of: fn(&SeedOutcome) -> usize| outcomes.iter().map(of).sum::<usize>();
        let mean = |of: fn(&SeedOutcome) -> u32| {
            let values: Vec<f64> = outcomes.iter().map(|it| f64::from(of(it))).collect();
            Estimate::mean(&values)
        };
        let n_going = sum(|it| it.n_going);
        let arrival = |it: &SeedOutcome| {
            let n = it.arrival_secs.len();
            (n > 0).then(|| it.arrival_secs.iter().sum::<f64>() / n as f64)
        };
        let arrivals: Vec<f64> = outcomes.iter().filter_map(arrival).collect();
        let separations = outcomes.iter().map(|it| it.separation_min_m);
        Self {
            n_runs: outcomes.len(),
            success: Estimate::share(count(|it| it.is_success), outcomes.len()),
            collision_free: Estimate::share(count(|it| it.n_collisions() == 0), outcomes.len()),
            arrived: Estimate::share(sum(|it| it.n_arrived), n_going),
            deadlocked: Estimate::share(sum(|it| it.n_deadlocked), n_going),
            collisions: mean(SeedOutcome::n_collisions),
            collisions_robot: mean(|it| it.collisions_robot),
            collisions_walker: mean(|it| it.collisions_walker),
            collisions_wall: mean(|it| it.collisions_wall),
            arrival_secs: Estimate::mean(&arrivals),
            separation_min_m: separations.fold(f64::INFINITY, f64::min),
        }
    }

    /// As lines of a name and a figure with its interval.
    pub(crate) fn table(&self, title: &str) -> Table {
        let mut table = Table::new(["runs".to_owned(), format!("{}, {title}", self.n_runs)]);
        let mut push = |name: &str, estimate: Option<Estimate>, factor: f64, unit: &str| {
            let digits = if unit == "%" { 1 } else { 2 };
            if let Some(it) = estimate {
                table.push([
                    name.to_owned(),
                    format!("{} {unit}", it.text(factor, digits)),
                ]);
            }
        };
        push("success", self.success, 100.0, "%");
        push("without contact", self.collision_free, 100.0, "%");
        push("robots that arrived", self.arrived, 100.0, "%");
        push("robots stuck", self.deadlocked, 100.0, "%");
        push("contacts", self.collisions, 1.0, "a run");
        push("- robot with robot", self.collisions_robot, 1.0, "a run");
        push("- with walkers", self.collisions_walker, 1.0, "a run");
        push("- with walls", self.collisions_wall, 1.0, "a run");
        push("time to goal", self.arrival_secs, 1.0, "s");
        let nearest = format!("{:.3} m", self.separation_min_m);
        table.push(["nearest".to_owned(), nearest]);
        table
    }
}

/// One row a run.
pub(crate) fn seed_table(outcomes: &[SeedOutcome]) -> Table {
    let mut table = Table::new([
        "seed",
        "success",
        "arrived",
        "stuck",
        "contacts",
        "walkers",
        "nearest m",
        "goal s",
        "place off m",
        "times real",
        "hash",
    ]);
    for it in outcomes {
        let n = it.arrival_secs.len();
        let mean_secs = it.arrival_secs.iter().sum::<f64>() / n.max(1) as f64;
        table.push([
            it.seed.to_string(),
            if it.is_success { "yes" } else { "no" }.to_owned(),
            format!("{}/{}", it.n_arrived, it.n_going),
            it.n_deadlocked.to_string(),
            it.n_collisions().to_string(),
            it.collisions_walker.to_string(),
            format!("{:.3}", it.separation_min_m),
            if n > 0 {
                format!("{mean_secs:.1}")
            } else {
                String::new()
            },
            match it.place_error_mean_m.zip(it.place_error_max_m) {
                Some((mean_m, max_m)) => format!("{mean_m:.3} ({max_m:.2})"),
                None => String::new(),
            },
            format!("{:.1}", it.real_time_factor),
            it.hash.chars().take(16).collect(),
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(seed: u64, n_arrived: usize, collisions_robot: u32) -> SeedOutcome {
        SeedOutcome {
            seed,
            is_success: n_arrived == 2,
            n_going: 2,
            n_arrived,
            n_deadlocked: 2 - n_arrived,
            collisions_robot,
            collisions_walker: 0,
            collisions_wall: 0,
            separation_min_m: 0.5 - seed as f64 / 10.0,
            arrival_secs: vec![10.0; n_arrived],
            secs: 30.0,
            hash: "0123456789abcdef0123".to_owned(),
            real_time_factor: 2.0,
            place_error_mean_m: Some(0.1),
            place_error_max_m: None,
            failures: Vec::new(),
        }
    }

    #[test]
    fn runs_are_pooled_by_run_and_by_robot() {
        let outcomes = [outcome(1, 2, 0), outcome(2, 1, 3), outcome(3, 0, 0)];
        let summary = SwarmSummary::of(&outcomes);
        let value = |it: Option<Estimate>| it.map(|it| (it.value * 6.0).round());
        assert_eq!(value(summary.success), Some(2.0));
        assert_eq!(value(summary.collision_free), Some(4.0));
        assert_eq!(value(summary.arrived), Some(3.0));
        assert_eq!(value(summary.collisions), Some(6.0));
        // Nobody of the third run arrived: it has no time to its goal.
        assert_eq!(summary.arrival_secs.map(|it| it.n), Some(2));
        assert!((summary.separation_min_m - 0.2).abs() < 1e-12);
        let text = summary.table("orca").lines();
        assert!(text.starts_with("runs                 3, orca\n"), "{text}");
        assert!(text.contains("success              33.3 ["), "{text}");
        let rows = seed_table(&outcomes).text();
        assert!(rows.contains("0123456789abcdef\n"), "{rows}");
    }
}
