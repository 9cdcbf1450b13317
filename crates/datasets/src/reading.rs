//! What reading a log gives.

use std::collections::BTreeMap;
use std::fmt;

use sedge_world_model::{Episode, RANGE_MAX_M, RANGE_MIN_M};
use serde::Serialize;

use crate::LogError;

/// Ranges at or above this are a scanner's "nothing came back" in every log met so far (codes
/// 50.00, 51.15, 81.83, 81.91), metres.
pub(crate) const NO_RETURN_M: f32 = 50.0;
/// A log with a longer typical time between scans cannot be graded by seconds, only by scans.
const DENSE_PERIOD_SECS_MAX: f64 = 0.5;
/// How many different keywords are counted one by one; the rest are counted together.
const KEYWORDS_MAX: usize = 64;
/// How much of a keyword is kept.
const KEYWORD_CHARS_MAX: usize = 32;

/// The kinds of logs that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// CARMEN text.
    Carmen,
    /// Planar g2o with scans.
    G2o,
    /// Made by this crate, not by a robot.
    Synthetic,
    /// Framed ONI messages of a simulated run.
    Collected,
}

impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Carmen => "a CARMEN text log",
            Self::G2o => "a planar g2o file",
            Self::Synthetic => "a synthetic log",
            Self::Collected => "a collected run",
        })
    }
}

/// Where an episode's odometry came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OdometrySource {
    /// The scans carry scan-matched poses, and the odometry lines after each are that pose plus
    /// raw increments: the increments were chained.
    ChainedIncrements,
    /// The odometry lines as they stand, and the odometry poses on the scans' lines.
    LinesAndScans,
    /// The odometry lines alone: the scans carry no poses, or poses in another frame.
    Lines,
    /// The poses on the scans' lines: there are no odometry lines.
    Scans,
    /// The edges of a pose graph from each scan to the next: the poses themselves are optimised.
    Edges,
    /// Messages of `sensor.odometry`.
    Messages,
    /// There is no odometry at all.
    Absent,
}

/// How dense the scans are in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Sampling {
    /// Several scans a second: horizons in seconds make sense.
    Dense,
    /// Thinned, such as one scan a metre: only "next scan" horizons make sense.
    Thinned,
}

/// What is odd about a log that could be read.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LogWarnings {
    /// Where the odometry came from.
    pub odometry_source: OdometrySource,
    /// How dense the scans are in time.
    pub sampling: Sampling,
    /// The middle one of the times between scans, in seconds.
    pub median_scan_period_secs: f64,
    /// Lines that were not used, by keyword. Other robots' keywords past the first 64 are counted
    /// as `(others)`.
    pub skipped_lines: BTreeMap<String, u64>,
    /// Scans stamped earlier than the scan before them.
    pub backwards_scans: u64,
    /// Odometry samples left out because they are not later than the one kept before.
    pub dropped_odometry: u64,
    /// Share of beams at or above 50 m: scanners' codes for "nothing came back".
    pub no_return_share: f64,
    /// Share of beams outside the range that is ever counted (0.02 m to 20 m).
    pub uncounted_share: f64,
}

impl LogWarnings {
    /// Measures an episode; the lines that were skipped and samples dropped are the reader's.
    pub(crate) fn of(
        episode: &Episode,
        odometry_source: OdometrySource,
        skipped_lines: BTreeMap<String, u64>,
        dropped_odometry: u64,
    ) -> Self {
        let ranges = || {
            episode
                .scans
                .iter()
                .flat_map(|scan| scan.scan.ranges_m.iter().copied())
        };
        let n_ranges = (episode.scans.len() * episode.geometry.n_beams).max(1) as f64;
        let share = |counted: usize| counted as f64 / n_ranges;
        let median_scan_period_secs = episode.median_scan_period_secs();
        let dense = median_scan_period_secs <= DENSE_PERIOD_SECS_MAX;
        Self {
            odometry_source,
            sampling: if dense {
                Sampling::Dense
            } else {
                Sampling::Thinned
            },
            median_scan_period_secs,
            skipped_lines,
            backwards_scans: episode
                .scans
                .windows(2)
                .filter(|p| p[1].stamp < p[0].stamp)
                .count() as u64,
            dropped_odometry,
            no_return_share: share(ranges().filter(|range| *range >= NO_RETURN_M).count()),
            uncounted_share: share(
                ranges()
                    .filter(|range| !(*range > RANGE_MIN_M && *range < RANGE_MAX_M))
                    .count(),
            ),
        }
    }

    /// One line for people per oddity; empty when there is none.
    pub fn messages(&self) -> Vec<String> {
        let mut messages = Vec::new();
        if self.sampling == Sampling::Thinned {
            messages.push(format!(
                "thinned log: one scan per {:.2} s (median); use next-scan horizons, not seconds",
                self.median_scan_period_secs
            ));
        }
        match self.odometry_source {
            OdometrySource::ChainedIncrements
            | OdometrySource::LinesAndScans
            | OdometrySource::Messages => {}
            OdometrySource::Lines => {
                messages.push("odometry is taken from the odometry lines alone".to_owned());
            }
            OdometrySource::Scans => {
                messages.push("no odometry lines: the scans' poses stand in".to_owned());
            }
            OdometrySource::Edges => {
                messages.push("odometry is the chain of a pose graph's edges".to_owned());
            }
            OdometrySource::Absent => messages.push("no odometry at all".to_owned()),
        }
        if self.backwards_scans > 0 {
            messages.push(format!(
                "{} scans are stamped backwards in time",
                self.backwards_scans
            ));
        }
        if self.dropped_odometry > 0 {
            messages.push(format!(
                "{} odometry samples are not later than the one before and were left out",
                self.dropped_odometry
            ));
        }
        if self.no_return_share > 0.0 {
            messages.push(format!(
                "{:.1} % of beams saw nothing",
                100.0 * self.no_return_share
            ));
        }
        for (keyword, count) in &self.skipped_lines {
            let what = match self.odometry_source {
                OdometrySource::Messages => "messages",
                _ => "lines",
            };
            messages.push(format!("{count} {keyword} {what} were not used"));
        }
        messages
    }
}

/// Adds one to the count of a keyword, with bounded memory whatever the file says.
pub(crate) fn count_skipped(counts: &mut BTreeMap<String, u64>, keyword: &str) {
    let keyword: String = keyword.chars().take(KEYWORD_CHARS_MAX).collect();
    let known = counts.contains_key(&keyword) || counts.len() < KEYWORDS_MAX;
    *counts
        .entry(if known {
            keyword
        } else {
            "(others)".to_owned()
        })
        .or_default() += 1;
}

/// A log, read as far as it goes.
#[derive(Debug)]
pub struct LogReading {
    /// The good part.
    pub episode: Episode,
    /// What kind of log it is.
    pub format: LogFormat,
    /// What ended the reading early, if anything did.
    pub defect: Option<LogError>,
    /// What is odd about the good part.
    pub warnings: LogWarnings,
}
