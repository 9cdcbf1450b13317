//! Collecting episodes: many worlds in one process, one per thread at a time.

use std::path::Path;

use anyhow::{Context as _, ensure};
use sedge_datasets::{
    COLLECTION_FILE, CollectionFile, CollectionRecipe, EpisodeEntry, EpisodeWriter,
};
use sedge_runtime::Shutdown;
use sedge_simulation::{STEP_SECS, Scenario, TrueScans, Truth};
use sedge_transport::Outgoing;
use serde::Serialize;

use crate::scenario_file::hex;
use crate::scripted_run::{RunStory, ScriptedRun};
use crate::seed_crew::SeedCrew;
use crate::{Progress, ProgressStyle, ScriptedDriver, UsageError};

/// What to collect, and where.
pub(crate) struct CollectPlan<'a> {
    pub(crate) scenario: Scenario,
    /// Its file, as it is written beside the episodes.
    pub(crate) scenario_text: &'a str,
    pub(crate) driver: ScriptedDriver,
    pub(crate) first_seed: u64,
    pub(crate) n_episodes: u64,
    pub(crate) n_threads: usize,
    pub(crate) out: &'a Path,
    pub(crate) progress: ProgressStyle,
    pub(crate) shutdown: Shutdown,
}

/// What came of it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct CollectOutcome {
    /// Whole episodes in the folder now.
    pub(crate) n_episodes: u64,
    /// Of these, made by this call.
    pub(crate) n_new: u64,
    pub(crate) n_wanted: u64,
    pub(crate) n_robots: usize,
    pub(crate) n_walkers: usize,
    pub(crate) bytes: u64,
    /// Of all wanted episodes; missing while some are.
    pub(crate) dataset_hash: Option<String>,
    pub(crate) elapsed_secs: f64,
    pub(crate) episodes_per_sec: f64,
    pub(crate) robot_steps_per_sec: f64,
    /// Simulated seconds of all worlds together, per second.
    pub(crate) real_time_factor: f64,
    /// Share of the new episodes whose task was fulfilled by the driver.
    pub(crate) success_share: Option<f64>,
    /// Contacts of robots in the new episodes.
    pub(crate) collisions_per_episode: Option<f64>,
}

/// One episode that is now on disk.
struct Done {
    entry: EpisodeEntry,
    n_steps: u64,
    is_success: bool,
    n_collisions: u64,
}

/// What graders and teachers want: true poses, and with each scan what of it moves.
fn truth() -> Truth {
    Truth {
        scans: TrueScans::WithEachScan,
        ..Truth::default()
    }
}

/// Collects until all episodes are there or somebody asks to stop; goes on where an earlier call
/// stopped.
///
/// # Errors
/// When the folder holds another collection, or an episode cannot be made or written.
pub(crate) fn collect(plan: &CollectPlan<'_>) -> anyhow::Result<CollectOutcome> {
    let mut file = claim_folder(plan)?;
    let wanted = plan.first_seed..plan.first_seed.saturating_add(file.n_episodes);
    let is_there = |seed: &u64| {
        let found = file.episodes.binary_search_by_key(seed, |it| it.seed);
        found.is_ok()
    };
    let missing: Vec<u64> = wanted.filter(|seed| !is_there(seed)).collect();
    let n_there = file.episodes.len() as u64;
    let mut progress = Progress::begin("collecting", plan.progress, n_there, file.n_episodes);
    let mut tally = Tally::new(plan.scenario.n_robots());
    let crew = SeedCrew {
        name: "collect",
        n_threads: plan.n_threads,
        stop: plan.shutdown.clone(),
    };
    let (scenario, driver) = (plan.scenario.clone(), plan.driver);
    let (out, stop) = (plan.out.to_owned(), plan.shutdown.clone());
    let work = move |seed: u64| {
        let run = ScriptedRun {
            scenario: &scenario,
            seed,
            driver,
            truth: truth(),
        };
        episode(&run, &out, &stop)
    };
    crew.run(missing, work, &mut |done: Done| {
        tally.count(&done);
        let place = |it: &EpisodeEntry| it.seed < done.entry.seed;
        let place = file.episodes.partition_point(place);
        file.episodes.insert(place, done.entry);
        // A killed process loses a hundredth of its work at most; the file of many is long.
        if tally
            .n_new
            .is_multiple_of(1 + file.episodes.len() as u64 / 100)
        {
            file.write(plan.out)?;
        }
        let elapsed_secs = progress.elapsed().as_secs_f64();
        progress.set(file.episodes.len() as u64, |rate_hz| {
            tally.news(rate_hz, elapsed_secs)
        });
        Ok(())
    })?;
    if file.episodes.len() as u64 == file.n_episodes {
        file.dataset_hash = Some(file.hash_episodes());
    }
    file.write(plan.out)?;
    let elapsed_secs = progress.elapsed().as_secs_f64();
    let outcome = tally.outcome(&plan.scenario, &file, elapsed_secs);
    progress.end(
        outcome.n_episodes,
        &tally.news(outcome.episodes_per_sec, elapsed_secs),
    );
    Ok(outcome)
}

/// Begins a collection, or goes on with the one that the folder holds.
fn claim_folder(plan: &CollectPlan<'_>) -> anyhow::Result<CollectionFile> {
    let out = plan.out;
    let hash = plan.scenario.hash();
    let recipe = CollectionRecipe::new(
        plan.scenario.name.clone(),
        hex(&hash),
        plan.driver.as_str().to_owned(),
        plan.first_seed,
    );
    std::fs::create_dir_all(out).with_context(|| format!("cannot make {}", out.display()))?;
    let file = if out.join(COLLECTION_FILE).exists() {
        let there = CollectionFile::read(out)?;
        ensure!(
            there.recipe == recipe,
            UsageError(format!(
                "expected the collection that {} holds, {}; got {}",
                out.display(),
                serde_json::to_string(&there.recipe)?,
                serde_json::to_string(&recipe)?
            ))
        );
        let n_episodes = there.n_episodes.max(plan.n_episodes);
        CollectionFile {
            n_episodes,
            dataset_hash: None,
            ..there
        }
    } else {
        CollectionFile {
            recipe,
            n_episodes: plan.n_episodes,
            dataset_hash: None,
            episodes: Vec::new(),
        }
    };
    let copy = out.join("scenario.toml");
    std::fs::write(&copy, plan.scenario_text)
        .with_context(|| format!("cannot write {}", copy.display()))?;
    file.write(out)?;
    Ok(file)
}

/// Runs a seed and writes its files; `None` when asked to stop before its end.
fn episode(run: &ScriptedRun<'_>, out: &Path, stop: &Shutdown) -> anyhow::Result<Option<Done>> {
    let mut writer = EpisodeWriter::create(out, run.seed)?;
    let mut write =
        |outgoing: &Outgoing| -> anyhow::Result<()> { Ok(writer.push(&outgoing.message)?) };
    let Some(story) = run.run(&mut write, stop)? else {
        return Ok(None);
    };
    let secs = story.n_steps as f64 * STEP_SECS;
    let entry = writer.finish(&(serde_json::to_string_pretty(&story)? + "\n"), secs)?;
    Ok(Some(Done::of(entry, &story)))
}

impl Done {
    fn of(entry: EpisodeEntry, story: &RunStory) -> Self {
        let robots = story.metrics.robots.iter();
        Self {
            entry,
            n_steps: story.n_steps,
            is_success: story.metrics.is_success,
            n_collisions: robots.map(|it| u64::from(it.n_collisions())).sum(),
        }
    }
}

/// What this call has done.
#[expect(
    clippy::struct_field_names,
    reason = "all of them are numbers of something"
)]
struct Tally {
    n_robots: usize,
    n_new: u64,
    n_success: u64,
    n_collisions: u64,
    n_steps: u64,
}

impl Tally {
    fn new(n_robots: usize) -> Self {
        Self {
            n_robots,
            n_new: 0,
            n_success: 0,
            n_collisions: 0,
            n_steps: 0,
        }
    }

    fn count(&mut self, done: &Done) {
        self.n_new += 1;
        self.n_success += u64::from(done.is_success);
        self.n_collisions += done.n_collisions;
        self.n_steps += done.n_steps;
    }

    fn robot_steps_per_sec(&self, elapsed_secs: f64) -> f64 {
        (self.n_steps as f64 * self.n_robots as f64) / elapsed_secs.max(1e-9)
    }

    fn real_time_factor(&self, elapsed_secs: f64) -> f64 {
        self.n_steps as f64 * STEP_SECS / elapsed_secs.max(1e-9)
    }

    fn news(&self, rate_hz: f64, elapsed_secs: f64) -> String {
        format!(
            "{rate_hz:.2} episodes/s, {:.0} robot-steps/s, {:.1} times real time",
            self.robot_steps_per_sec(elapsed_secs),
            self.real_time_factor(elapsed_secs)
        )
    }

    fn outcome(
        &self,
        scenario: &Scenario,
        file: &CollectionFile,
        elapsed_secs: f64,
    ) -> CollectOutcome {
        let per_new = |count: u64| (self.n_new > 0).then(|| count as f64 / self.n_new as f64);
        CollectOutcome {
            n_episodes: file.episodes.len() as u64,
            n_new: self.n_new,
            n_wanted: file.n_episodes,
            n_robots: scenario.n_robots(),
            n_walkers: scenario.n_walkers(),
            bytes: file.episodes.iter().map(|it| it.bytes).sum(),
            dataset_hash: file.dataset_hash.clone(),
            elapsed_secs,
            episodes_per_sec: self.n_new as f64 / elapsed_secs.max(1e-9),
            robot_steps_per_sec: self.robot_steps_per_sec(elapsed_secs),
            real_time_factor: self.real_time_factor(elapsed_secs),
            success_share: per_new(self.n_success),
            collisions_per_episode: per_new(self.n_collisions),
        }
    }
}
