//! `sedge demo --log`: one robot, from its log to its predictions.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use sedge_runtime::{AgentReport, PlayState, Shutdown};
use sedge_viewer::{ScreenshotConfig, ViewerTarget, screenshot};
use sedge_world_model_burn::DeviceKind;
use sedge_world_model_trained::{Preset, TrainConfig};

use super::agent::HorizonSecs;
use super::dataset::DatasetName;
use super::demo::{DemoPlace, say_picture};
use super::play::{Plan, PlaySettings, Share, Speed, Stage};
use super::train::fit_to_log;
use crate::agent_process::{AgentOrder, AgentProcess};
use crate::interrupt::shutdown_of_process;
use crate::log_file::{fit_and_say, synthetic_log};
use crate::{
    Endpoint, OpenedLog, ProgressStyle, Start, Stop, TrainPlan, TrainSource, UsageError, open_log,
    train,
};

/// How long the synthetic log is, and how long when seconds must do.
const SECS: Duration = Duration::from_mins(5);
const SECS_QUICK: Duration = Duration::from_mins(2);
/// The part of the log that is learnt from; the rest is played.
const TRAIN_SHARE: f64 = 0.7;
/// Training stops here on slow machines.
const TRAIN_TIME_MAX: Duration = Duration::from_mins(2);
/// How long the agent may take to finish once everything was played.
const AGENT_END_MAX: Duration = Duration::from_mins(1);
/// How many times as fast the rest is played, so that the latencies are those of a live robot and
/// not of a backlog; faster where that would take longer than a minute.
const SPEED: f64 = 8.0;
const PLAY_SECS_MAX: f64 = 60.0;
/// Horizons of logs whose scans are dense, seconds.
const HORIZONS_SECS: [f64; 3] = [0.5, 1.0, 2.0];

/// Everything the demo decided before it begins.
struct Demo {
    out: PathBuf,
    run: PathBuf,
    log: OpenedLog,
    config: TrainConfig,
    target: ViewerTarget,
    shutdown: Shutdown,
}

/// Trains on the first part of a log, plays the rest to an agent, and says how that went.
///
/// # Errors
/// When any part of it fails.
pub(super) fn run(log: &Path, place: DemoPlace, out: &mut dyn Write) -> anyhow::Result<()> {
    let demo = Demo::prepare(log, place, out)?;
    demo.train(out)?;
    if demo.shutdown.is_requested() {
        return Ok(writeln!(out, "stopped")?);
    }
    let report = demo.play(out)?;
    demo.say(&report, out)
}

/// The log that a word or a path means.
fn log_of(word: &Path, place: &DemoPlace) -> anyhow::Result<OpenedLog> {
    match word.to_str() {
        Some("synthetic") => {
            let secs = if place.quick { SECS_QUICK } else { SECS };
            synthetic_log(place.seed, secs)
        }
        Some("killian") => {
            let fetched = DatasetName::Killian.fetched();
            let fetched = fetched.ok_or_else(|| {
                let what = "expected a fetched Killian Court, found none: `sedge dataset get \
                            killian` fetches it";
                UsageError(what.to_owned())
            })?;
            open_log(&fetched)
        }
        _ => open_log(word),
    }
}

impl Demo {
    fn prepare(log: &Path, place: DemoPlace, out: &mut dyn Write) -> anyhow::Result<Self> {
        let log = log_of(log, &place)?;
        let mut config = Preset::Tiny.train(place.seed);
        config.train_share = TRAIN_SHARE;
        if place.quick {
            config.updates = 8;
            config.warmup_updates = 4;
        }
        fit_to_log(&mut config, &log);
        let demo = Self {
            run: place.out.join("model"),
            out: place.out,
            log,
            config,
            target: place.target,
            shutdown: shutdown_of_process(),
        };
        demo.say_log(out)?;
        Ok(demo)
    }

    fn say_log(&self, out: &mut dyn Write) -> anyhow::Result<()> {
        let episode = &self.log.episode;
        writeln!(
            out,
            "log: {} ({}, {} scans x {} beams)",
            self.log.path.display(),
            self.log.format,
            episode.scans.len(),
            episode.geometry.n_beams
        )?;
        if self.log.is_synthetic() {
            writeln!(
                out,
                "This log was made up: a corridor and a scanner that nobody ever drove. \
                 `sedge dataset get killian` fetches a real one for --log killian, and --log takes \
                 yours."
            )?;
        }
        Ok(out.flush()?)
    }

    fn train(&self, out: &mut dyn Write) -> anyhow::Result<()> {
        let motion = fit_and_say(&self.log);
        let outcome = train(&TrainPlan {
            source: TrainSource::Log {
                log: &self.log,
                motion: &motion,
            },
            config: self.config.clone(),
            device: DeviceKind::Flex,
            out: &self.run,
            start: Start::Replace,
            stop: Stop {
                shutdown: self.shutdown.clone(),
                after_updates: None,
                after: Some(TRAIN_TIME_MAX),
            },
            progress: ProgressStyle::detect(),
        })?;
        writeln!(
            out,
            "trained: {} of {} updates of the tiny preset, {:.1} a second, on the first {:.0} %",
            outcome.run.updates,
            self.config.updates,
            outcome.updates_per_sec,
            100.0 * TRAIN_SHARE
        )?;
        Ok(out.flush()?)
    }

    /// Plays the rest of the log to an agent in a process of its own.
    fn play(&self, out: &mut dyn Write) -> anyhow::Result<AgentReport> {
        let loopback: Endpoint = "tcp/127.0.0.1:0".parse()?;
        let settings = PlaySettings {
            speed: Some(Speed::Times(self.speed())),
            from: Some(Share::try_from(TRAIN_SHARE).map_err(anyhow::Error::msg)?),
            plan: Some(Plan::On),
            plan_secs: Some(self.plan_secs()?),
            listen: vec![loopback],
            ..PlaySettings::default()
        };
        let stage = Stage::open(&settings)?;
        let locators = stage.locators();
        let locator = locators
            .first()
            .context("expected the network to listen somewhere")?;
        let report = self.out.join("report.json");
        let agent = AgentProcess::start(&AgentOrder {
            run: &self.run,
            connect: locator,
            horizons_secs: &self.horizons_secs(),
            target: &self.target,
            report: &report,
        })?;
        let played = stage.play(&self.log, &settings, &self.shutdown)?;
        if played.state == PlayState::Played {
            agent.wait_for_end(AGENT_END_MAX)?;
        } else {
            agent.end(AGENT_END_MAX)?;
        }
        ensure!(
            played.state != PlayState::Refused,
            "expected the agent to listen, it did not"
        );
        writeln!(
            out,
            "played: {} scans of the rest over Zenoh to an agent process, {:.0} times as fast as \
             they were recorded, in {:.1} s; {} answered\n",
            played.scans,
            self.speed(),
            played.elapsed.as_secs_f64(),
            played.answered
        )?;
        read_report(&report)
    }

    fn speed(&self) -> f64 {
        let scans = &self.log.episode.scans;
        let ends = scans.first().zip(scans.last());
        let secs = ends.map_or(0.0, |(first, last)| last.stamp.secs_since(first.stamp));
        SPEED.max((1.0 - TRAIN_SHARE) * secs / PLAY_SECS_MAX)
    }

    /// Thinned logs have no scan half a second ahead: there it is one, two and four of the log's
    /// own periods, and the agent grades the predictions that a scan comes near enough to.
    fn horizons_secs(&self) -> Vec<f64> {
        if self.log.is_dense() {
            return HORIZONS_SECS.to_vec();
        }
        let period_secs = self.log.episode.median_scan_period_secs();
        [1.0, 2.0, 4.0]
            .map(|n_scans| (10.0 * n_scans * period_secs).round() / 10.0)
            .to_vec()
    }

    /// Plans reach a little past the farthest horizon.
    fn plan_secs(&self) -> anyhow::Result<HorizonSecs> {
        let farthest_secs = self.horizons_secs().into_iter().fold(0.0, f64::max);
        HorizonSecs::try_from(farthest_secs + 0.5).map_err(anyhow::Error::msg)
    }

    fn say(&self, report: &AgentReport, out: &mut dyn Write) -> anyhow::Result<()> {
        writeln!(out, "{report}\n")?;
        if !self.log.is_dense() {
            writeln!(
                out,
                "This log has a scan every {:.1} s: the horizons are one, two and four of that, \
                 and only predictions with a scan within 0.25 s are graded.",
                self.log.episode.median_scan_period_secs()
            )?;
        }
        writeln!(out, "model:     {}", self.run.display())?;
        writeln!(out, "report:    {}", self.out.join("report.json").display())?;
        let ViewerTarget::File(recording) = &self.target else {
            return Ok(());
        };
        writeln!(out, "recording: {}", recording.display())?;
        let picture = self.out.join("demo.png");
        let outcome = screenshot(recording, &picture, &ScreenshotConfig::default())?;
        say_picture(&outcome, &picture, out)
    }
}

fn read_report(path: &Path) -> anyhow::Result<AgentReport> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("expected the agent's report in {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is damaged", path.display()))
}
