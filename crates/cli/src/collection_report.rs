//! What collected runs hold, for people and as JSON.

use std::io::Write;

use sedge_datasets::{Collection, LogWarnings, RunReading, Split, dataset_hash};
use sedge_world_model::{Observation, ScanGeometry};
use serde::Serialize;

use crate::Table;

/// Collections, as `--json` prints them.
#[derive(Debug, Serialize)]
pub(crate) struct CollectionReport<'a> {
    kind: &'static str,
    dataset_hash: String,
    parts: Vec<PartReport<'a>>,
}

#[derive(Debug, Serialize)]
struct PartReport<'a> {
    folder: String,
    scenario: &'a str,
    scenario_hash: &'a str,
    driver: &'a str,
    sedge: &'a str,
    first_seed: u64,
    n_episodes: usize,
    n_wanted: u64,
    n_train: usize,
    n_validation: usize,
    n_test: usize,
    secs: f64,
    bytes: u64,
    dataset_hash: Option<&'a str>,
}

impl<'a> PartReport<'a> {
    fn of(part: &'a Collection) -> Self {
        let (recipe, file) = (&part.file.recipe, &part.file);
        let count = |split| part.entries(Some(split)).count();
        Self {
            folder: part.folder.display().to_string(),
            scenario: &recipe.scenario,
            scenario_hash: &recipe.scenario_hash,
            driver: &recipe.driver,
            sedge: &recipe.sedge,
            first_seed: recipe.first_seed,
            n_episodes: file.episodes.len(),
            n_wanted: file.n_episodes,
            n_train: count(Split::Train),
            n_validation: count(Split::Validation),
            n_test: count(Split::Test),
            secs: file.episodes.iter().map(|it| it.secs).sum(),
            bytes: file.episodes.iter().map(|it| it.bytes).sum(),
            dataset_hash: file.dataset_hash.as_deref(),
        }
    }
}

impl<'a> CollectionReport<'a> {
    pub(crate) fn of(collections: &'a [Collection]) -> Self {
        Self {
            kind: "collection",
            dataset_hash: dataset_hash(collections),
            parts: collections.iter().map(PartReport::of).collect(),
        }
    }

    pub(crate) fn say(&self, out: &mut dyn Write) -> anyhow::Result<()> {
        for part in &self.parts {
            let mut table = Table::new(["collection", &part.folder]);
            let scenario = format!("{} ({})", part.scenario, part.scenario_hash);
            table.push(["scenario", &scenario]);
            table.push(["driver", part.driver]);
            let PartReport {
                n_episodes,
                n_wanted,
                n_train,
                n_validation,
                n_test,
                ..
            } = part;
            let episodes = format!(
                "{n_episodes} of {n_wanted}: {n_train} train, {n_validation} validation, \
                 {n_test} test"
            );
            table.push(["episodes", &episodes]);
            table.push(["simulated", &format!("{:.0} s", part.secs)]);
            table.push(["size", &format!("{:.1} MB", part.bytes as f64 / 1e6)]);
            let hash = part.dataset_hash.unwrap_or("not whole yet");
            table.push(["blake3", hash]);
            writeln!(out, "{}", table.lines())?;
        }
        Ok(writeln!(out, "data set {}", self.dataset_hash)?)
    }
}

/// One run, as `--json` prints it.
#[derive(Debug, Serialize)]
pub(crate) struct RunReport<'a> {
    kind: &'static str,
    path: String,
    blake3: &'a str,
    n_messages: u64,
    robots: Vec<RobotReport<'a>>,
    walkers: Vec<&'a str>,
    defect: Option<String>,
}

#[derive(Debug, Serialize)]
struct RobotReport<'a> {
    name: &'a str,
    geometry: ScanGeometry,
    n_scans: usize,
    n_odometry: usize,
    n_imu: usize,
    n_range_bearing: usize,
    n_heard: usize,
    secs: f64,
    /// Share of beams that hit something that moves or could; none where the file does not say.
    moving_share: Option<f64>,
    warnings: &'a LogWarnings,
}

impl<'a> RunReport<'a> {
    pub(crate) fn of(run: &'a RunReading) -> Self {
        let robots = run.robots.iter().map(|robot| {
            let episode = &robot.episode;
            let count = |is: fn(&Observation) -> bool| {
                let others = episode.others.iter();
                others.filter(|event| is(&event.observation)).count()
            };
            let ends = episode.scans.first().zip(episode.scans.last());
            let moving = episode
                .scans
                .iter()
                .filter_map(|scan| scan.moving.as_deref());
            let (n_moving, n_beams) = moving.fold((0, 0), |(n_moving, n_beams), beams| {
                let hits = beams.iter().filter(|is_moving| **is_moving).count();
                (n_moving + hits, n_beams + beams.len())
            });
            RobotReport {
                name: robot.name.as_str(),
                geometry: episode.geometry,
                n_scans: episode.scans.len(),
                n_odometry: episode.odometry.len(),
                n_imu: count(|it| matches!(it, Observation::Imu(_))),
                n_range_bearing: count(|it| matches!(it, Observation::RangeBearing(_))),
                n_heard: count(|it| matches!(it, Observation::Neighbour(_))),
                secs: ends.map_or(0.0, |(first, last)| last.stamp.secs_since(first.stamp)),
                moving_share: (n_beams > 0).then(|| n_moving as f64 / n_beams as f64),
                warnings: &robot.warnings,
            }
        });
        Self {
            kind: "run",
            path: run.path.display().to_string(),
            blake3: &run.blake3,
            n_messages: run.n_messages,
            robots: robots.collect(),
            walkers: run
                .walkers
                .iter()
                .map(sedge_spacetime::AgentName::as_str)
                .collect(),
            defect: run.defect.as_ref().map(ToString::to_string),
        }
    }

    pub(crate) fn say(&self, out: &mut dyn Write) -> anyhow::Result<()> {
        let mut table = Table::new(["run", &self.path]);
        table.push(["blake3", self.blake3]);
        table.push(["messages", &self.n_messages.to_string()]);
        table.push(["walkers", &self.walkers.len().to_string()]);
        if let Some(defect) = &self.defect {
            table.push(["broken", defect]);
        }
        writeln!(out, "{}", table.lines())?;
        let mut table = Table::new([
            "robot",
            "time s",
            "scans",
            "beams",
            "odometry",
            "IMU",
            "range/bearing",
            "heard",
            "moving %",
        ]);
        for robot in &self.robots {
            table.push([
                robot.name.to_owned(),
                format!("{:.1}", robot.secs),
                robot.n_scans.to_string(),
                robot.geometry.n_beams.to_string(),
                robot.n_odometry.to_string(),
                robot.n_imu.to_string(),
                robot.n_range_bearing.to_string(),
                robot.n_heard.to_string(),
                robot
                    .moving_share
                    .map_or(String::new(), |share| format!("{:.1}", 100.0 * share)),
            ]);
        }
        Ok(write!(out, "{}", table.text())?)
    }
}
