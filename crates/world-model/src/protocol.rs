//! The evaluation protocol: from which scans to predict, and which scan is the answer.

use sedge_spacetime::Stamp;
use serde::{Deserialize, Serialize};

use crate::Episode;

/// Starts need this much history, seconds: the longest window of the geometric baselines.
const HISTORY_MIN_SECS: f64 = 20.0;
/// Starts need this much future, seconds, whichever horizons are asked for: so the starts of a
/// table do not depend on its horizons.
const FUTURE_MIN_SECS: f64 = 5.25;
/// A target this far from its horizon is none, seconds.
const TARGET_TOLERANCE_SECS: f64 = 0.25;
/// Every so many scans is a start, for horizons in seconds.
const START_STRIDE: usize = 2;
/// The first scans of an episode are no starts, for horizons in scans.
const FIRST_START: usize = 5;
/// Logs with a longer median scan period are evaluated by the next scans, seconds.
const PERIOD_MAX_SECS: f64 = 0.6;

/// How far ahead to predict.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Horizons {
    /// Seconds ahead; the target is the scan nearest that time.
    Secs(Vec<f64>),
    /// Scans ahead, for logs that are thinned.
    Steps(Vec<usize>),
}

impl Horizons {
    /// 0.5, 1 and 2 seconds.
    pub fn secs() -> Self {
        Self::Secs(vec![0.5, 1.0, 2.0])
    }

    /// 1, 2 and 4 scans.
    pub fn steps() -> Self {
        Self::Steps(vec![1, 2, 4])
    }

    /// By the episode's own pace: seconds, or scans if its scans are too far apart for that.
    pub fn fitting(episode: &Episode) -> Self {
        if is_thinned(episode) {
            Self::steps()
        } else {
            Self::secs()
        }
    }

    /// How many.
    pub fn len(&self) -> usize {
        match self {
            Self::Secs(secs) => secs.len(),
            Self::Steps(steps) => steps.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Which part of an episode to predict, and how far ahead.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Protocol {
    /// Starts come from the scans after this share of the episode, in `[0, 1)`.
    pub from: f64,
    /// How far ahead.
    pub horizons: Horizons,
}

/// A scan to predict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// Index into the protocol's horizons.
    pub horizon_idx: usize,
    /// Index into the episode's scans.
    pub scan_idx: usize,
}

/// A scan to predict from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// Index into the episode's scans.
    pub scan_idx: usize,
    /// What came after it, for each horizon that has a scan near enough.
    pub targets: Vec<Target>,
}

/// Why an episode cannot be evaluated.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ProtocolError {
    /// The share is no share.
    #[error("expected to start from a share of the episode in [0, 1), got {got}")]
    From {
        /// What came.
        got: f64,
    },
    /// A horizon is not ahead.
    #[error("expected horizons of more than 0 and at most {max} {unit}, got {got}")]
    Horizon {
        /// The longest.
        max: f64,
        /// Seconds or scans.
        unit: &'static str,
        /// What came.
        got: f64,
    },
    /// No scan has enough before and after it.
    #[error(
        "expected {episode} to hold starts after {from} of its {n_scans} scans over {secs:.1} s, \
         with {needed}; found none"
    )]
    NoStarts {
        /// The episode.
        episode: String,
        /// Share from which starts were looked for.
        from: f64,
        /// Scans in all.
        n_scans: usize,
        /// Time from first to last scan.
        secs: f64,
        /// What a start needs.
        needed: String,
    },
}

impl Protocol {
    /// The default horizons for this episode.
    pub fn fitting(episode: &Episode, from: f64) -> Self {
        Self {
            from,
            horizons: Horizons::fitting(episode),
        }
    }

    /// All starts with their targets, in the order of the scans. The next scans are targets
    /// whatever their stamps say: some logs have stamps that run backwards.
    ///
    /// # Errors
    /// [`ProtocolError`] for a bad share or horizon, or when no scan can be a start.
    pub fn starts(&self, episode: &Episode) -> Result<Vec<Start>, ProtocolError> {
        if !(0.0..1.0).contains(&self.from) {
            return Err(ProtocolError::From { got: self.from });
        }
        let (starts, needed) = match &self.horizons {
            Horizons::Secs(secs) => (
                starts_by_secs(episode, self.first_idx(episode), check_secs(secs)?),
                format!("{HISTORY_MIN_SECS} s before and {FUTURE_MIN_SECS} s after"),
            ),
            Horizons::Steps(steps) => (
                starts_by_steps(
                    episode,
                    self.first_idx(episode),
                    check_steps(steps, episode)?,
                ),
                format!(
                    "{FIRST_START} scans before and {:?} after",
                    steps.iter().max()
                ),
            ),
        };
        if starts.is_empty() {
            let ends = episode.scans.first().zip(episode.scans.last());
            return Err(ProtocolError::NoStarts {
                episode: episode.name.clone(),
                from: self.from,
                n_scans: episode.scans.len(),
                secs: ends.map_or(0.0, |(first, last)| last.stamp.secs_since(first.stamp)),
                needed,
            });
        }
        Ok(starts)
    }

    fn first_idx(&self, episode: &Episode) -> usize {
        (self.from * episode.scans.len() as f64).ceil() as usize
    }
}

/// Whether an episode's scans are too far apart for horizons in seconds.
pub(crate) fn is_thinned(episode: &Episode) -> bool {
    episode.median_scan_period_secs() > PERIOD_MAX_SECS
}

fn check_secs(secs: &[f64]) -> Result<&[f64], ProtocolError> {
    let max = FUTURE_MIN_SECS - TARGET_TOLERANCE_SECS;
    match secs.iter().find(|&&secs| !(secs > 0.0 && secs <= max)) {
        Some(&got) => Err(ProtocolError::Horizon {
            max,
            unit: "s",
            got,
        }),
        None => Ok(secs),
    }
}

fn check_steps<'a>(steps: &'a [usize], episode: &Episode) -> Result<&'a [usize], ProtocolError> {
    let max = episode.scans.len();
    match steps.iter().find(|&&steps| steps == 0 || steps > max) {
        Some(&got) => Err(ProtocolError::Horizon {
            max: max as f64,
            unit: "scans",
            got: got as f64,
        }),
        None => Ok(steps),
    }
}

fn starts_by_secs(episode: &Episode, first_idx: usize, horizons: &[f64]) -> Vec<Start> {
    let stamps: Vec<Stamp> = episode.scans.iter().map(|scan| scan.stamp).collect();
    let (Some(&first), Some(&last)) = (stamps.first(), stamps.last()) else {
        return Vec::new();
    };
    let has_history = |stamp: &Stamp| stamp.secs_since(first) >= HISTORY_MIN_SECS;
    let Some(with_history) = stamps.iter().position(has_history) else {
        return Vec::new();
    };
    let nearest = NearestScan::new(&stamps);
    let start = |scan_idx: usize| {
        let target = |(horizon_idx, &secs): (usize, &f64)| {
            let target_idx = nearest.find(stamps[scan_idx], secs)?;
            let ahead = stamps[target_idx].secs_since(stamps[scan_idx]);
            let is_near = (ahead - secs).abs() <= TARGET_TOLERANCE_SECS && ahead > 0.0;
            is_near.then_some(Target {
                horizon_idx,
                scan_idx: target_idx,
            })
        };
        Start {
            scan_idx,
            targets: horizons.iter().enumerate().filter_map(target).collect(),
        }
    };
    (first_idx.max(with_history)..stamps.len())
        .step_by(START_STRIDE)
        .filter(|&idx| last.secs_since(stamps[idx]) >= FUTURE_MIN_SECS)
        .map(start)
        .collect()
}

fn starts_by_steps(episode: &Episode, first_idx: usize, horizons: &[usize]) -> Vec<Start> {
    let longest = horizons.iter().copied().max().unwrap_or(0);
    let end = episode.scans.len().saturating_sub(longest);
    let start = |scan_idx: usize| {
        let targets = horizons
            .iter()
            .enumerate()
            .map(|(horizon_idx, steps)| Target {
                horizon_idx,
                scan_idx: scan_idx + steps,
            });
        Start {
            scan_idx,
            targets: targets.collect(),
        }
    };
    (first_idx.max(FIRST_START)..end).map(start).collect()
}

/// Finds the scan nearest a time, the earliest in the log of several.
///
/// Times are compared as `f64` seconds since the clock's origin, as the reference protocol does:
/// where two scans are equally near but for rounding, both then choose the same one.
pub(crate) struct NearestScan {
    by_secs: Vec<(f64, usize)>,
}

impl NearestScan {
    pub(crate) fn new(stamps: &[Stamp]) -> Self {
        let mut by_secs: Vec<(f64, usize)> = stamps
            .iter()
            .enumerate()
            .map(|(idx, stamp)| (stamp.secs(), idx))
            .collect();
        by_secs.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        Self { by_secs }
    }

    /// The scan nearest the time that lies `ahead_secs` after `stamp` (before, when negative).
    pub(crate) fn find(&self, stamp: Stamp, ahead_secs: f64) -> Option<usize> {
        let off_secs = |secs: f64| secs - stamp.secs() - ahead_secs;
        let after = self
            .by_secs
            .partition_point(|&(secs, _)| off_secs(secs) < 0.0);
        // Of scans with one stamp, the first in the log.
        let before = after.checked_sub(1).map(|idx| {
            let stamp_secs = self.by_secs[idx].0;
            self.by_secs.partition_point(|&(secs, _)| secs < stamp_secs)
        });
        [before, Some(after)]
            .into_iter()
            .filter_map(|idx| self.by_secs.get(idx?))
            .map(|&(secs, scan_idx)| (off_secs(secs).abs(), scan_idx))
            .min_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)))
            .map(|(_, scan_idx)| scan_idx)
    }
}

#[cfg(test)]
mod tests;
