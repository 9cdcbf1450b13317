//! Reading one run: what each robot sensed and heard, as an episode.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use sedge_oni::{InvalidMessage, Message};
use sedge_spacetime::AgentName;
use sedge_world_model::Episode;

use super::frames::Frames;
use super::hearsay::Hearsay;
use super::robot_log::{Kept, RobotLog};
use crate::reading::count_skipped;
use crate::{LogError, LogWarnings, OdometrySource};

/// More agents than any run has.
const AGENTS_MAX: usize = 4096;
/// Unpacked bytes that are kept of one file: ten times those of the largest run so far.
const KEPT_BYTES_MAX: u64 = 4 << 30;

/// What one robot sensed and heard in a run.
#[derive(Debug)]
pub struct RobotReading {
    /// Who it is.
    pub name: AgentName,
    /// Its drive. Scans carry the true pose and which beams hit something that moves, where the
    /// file says so; `others` holds IMU, range/bearing and what its neighbours said.
    pub episode: Episode,
    /// What is odd about it.
    pub warnings: LogWarnings,
}

/// A run, read as far as it goes.
#[derive(Debug)]
pub struct RunReading {
    /// The file.
    pub path: PathBuf,
    /// blake3 of what was read of it, hexadecimal.
    pub blake3: String,
    /// The robots, by name.
    pub robots: Vec<RobotReading>,
    /// Who was there and has no scanner, such as people, by name.
    pub walkers: Vec<AgentName>,
    /// Messages that were read.
    pub n_messages: u64,
    /// What ended the reading early, if anything did.
    pub defect: Option<LogError>,
}

/// Reads a file of framed messages: one episode for each agent that sends scans.
///
/// # Errors
/// [`LogError`] when the file cannot be read, or breaks before its first scan.
pub fn read_run(path: &Path) -> Result<RunReading, LogError> {
    let mut frames = Frames::open(path)?;
    let mut run = Run::default();
    let defect = run.read_all(path, &mut frames).err();
    let blake3 = frames.hash();
    let n_messages = run.n_messages;
    let (robots, walkers) = run.finish(path, &blake3);
    if robots.is_empty() {
        let no_scans = LogError::NoScanMessages {
            path: path.into(),
            n_messages,
        };
        return Err(defect.unwrap_or(no_scans));
    }
    Ok(RunReading {
        path: path.into(),
        blake3,
        robots,
        walkers,
        n_messages,
        defect,
    })
}

#[derive(Default)]
struct Run {
    agents: BTreeMap<AgentName, RobotLog>,
    clock: Option<String>,
    skipped: BTreeMap<String, u64>,
    n_messages: u64,
    kept_bytes: u64,
}

impl Run {
    fn read_all(&mut self, path: &Path, frames: &mut Frames) -> Result<(), LogError> {
        while let Some(message) = frames.next_message()? {
            let kept = self.take(&message);
            let offset = frames.offset();
            kept.map_err(|reason| LogError::Message {
                path: path.into(),
                offset,
                reason,
            })?;
            if self.kept_bytes > KEPT_BYTES_MAX {
                return Err(LogError::TooLong {
                    path: path.into(),
                    line: 0,
                    bytes_max: KEPT_BYTES_MAX,
                });
            }
            self.n_messages += 1;
        }
        Ok(())
    }

    fn take(&mut self, message: &Message<'_>) -> Result<(), String> {
        let envelope = message.envelope();
        let clock = self
            .clock
            .get_or_insert_with(|| envelope.capture.clock.clone());
        if *clock != envelope.capture.clock {
            return Err(format!(
                "expected stamps of the clock {clock:?} as before, got {:?}",
                envelope.capture.clock
            ));
        }
        let agent = &envelope.source.agent;
        if !self.agents.contains_key(agent) {
            if self.agents.len() == AGENTS_MAX {
                return Err(format!("expected at most {AGENTS_MAX} agents, got more"));
            }
            self.agents.insert(agent.clone(), RobotLog::default());
        }
        let log = self.agents.get_mut(agent).expect("it was just put there");
        let kept = log.take(message);
        match kept.map_err(|error: InvalidMessage| error.to_string())? {
            Kept::Bytes(bytes) => self.kept_bytes += bytes as u64,
            Kept::Unused => count_skipped(&mut self.skipped, &message.header().schema.name),
        }
        Ok(())
    }

    fn finish(self, path: &Path, hash: &str) -> (Vec<RobotReading>, Vec<AgentName>) {
        let (robots, others): (BTreeMap<_, _>, BTreeMap<_, _>) = self
            .agents
            .into_iter()
            .partition(|(_, log)| log.has_scans());
        let hearsay = Hearsay::of(&robots);
        let file = path.file_stem().unwrap_or_default().to_string_lossy();
        let readings = robots.iter().map(|(name, log)| {
            let heard = hearsay.of_robot(name);
            let (mut episode, dropped) = log.episode(heard);
            episode.name = format!("{file} {name}");
            hash.clone_into(&mut episode.source_hash);
            let source = OdometrySource::Messages;
            let warnings = LogWarnings::of(&episode, source, self.skipped.clone(), dropped);
            RobotReading {
                name: name.clone(),
                episode,
                warnings,
            }
        });
        let robots_read = readings.collect();
        let walkers: BTreeSet<AgentName> = others.into_keys().collect();
        (robots_read, walkers.into_iter().collect())
    }
}
