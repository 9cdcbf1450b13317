//! All scans of an episode with poses: for training sets, baselines and offline grading.

use std::sync::Arc;

use sedge_spacetime::{Pose2, Stamp};

use crate::company::Company;
use crate::{
    Episode, EpisodeScan, MotionModel, ObserveError, OdometryTrack, RenderableScan, Reused,
    ScanGeometry, ScanWindow, WINDOW_SECS, WindowScan,
};

/// Ages are compared with this tolerance, in seconds: one nanosecond.
const AGE_TOLERANCE_SECS: f64 = 1e-9;

/// Why an episode's scans cannot be posed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PoseScansError {
    /// There is no odometry to take poses from.
    #[error("expected odometry in episode {episode}, got none")]
    NoOdometry {
        /// The episode.
        episode: String,
    },
    /// Odometry is out of order or absurd.
    #[error("bad odometry in episode {episode}")]
    Odometry {
        /// The episode.
        episode: String,
        /// What is wrong.
        source: ObserveError,
    },
    /// A scan has no pose in the log's corrected map.
    #[error(
        "expected a reference pose on each of {n_scans} scans of {episode}, {n_missing} lack it"
    )]
    NoReference {
        /// The episode.
        episode: String,
        /// Scans in all.
        n_scans: usize,
        /// Scans without a reference.
        n_missing: usize,
    },
    /// The poses are not one per scan.
    #[error("expected one pose for each of {expected} scans, got {got}")]
    PoseCount {
        /// Scans in all.
        expected: usize,
        /// Poses that came.
        got: usize,
    },
}

/// The scans of an episode, each with the pose it was seen from.
#[derive(Debug, Clone)]
pub struct PosedScans {
    geometry: ScanGeometry,
    stamps: Arc<[Stamp]>,
    scans: Arc<[Arc<RenderableScan>]>,
    map_from_scans: Vec<Pose2>,
    /// Who was around at each scan, in its frame; empty where nobody looked. `[scan]`
    company: Arc<[Company]>,
}

impl PosedScans {
    /// Poses from odometry: the calibrated chain at each scan's stamp less the latency.
    ///
    /// # Errors
    /// [`PoseScansError`] when the episode has no odometry, or bad odometry.
    pub fn calibrated(episode: &Episode, motion: &MotionModel) -> Result<Self, PoseScansError> {
        let map_from_scans = odometry_poses(episode, motion)?;
        Ok(Self {
            geometry: episode.geometry,
            stamps: episode.scans.iter().map(|scan| scan.stamp).collect(),
            scans: episode
                .scans
                .iter()
                .map(|s| Arc::new(RenderableScan::new(&s.scan)))
                .collect(),
            map_from_scans,
            company: Arc::from([]),
        })
    }

    /// The same scans, knowing which beams hit movers (`[scan][beam]`) and who was around.
    pub(crate) fn with_company(
        &self,
        episode: &Episode,
        hits: &[Reused<bool>],
        company: Vec<Company>,
    ) -> Self {
        let scans = self.scans.iter().zip(&episode.scans).zip(hits);
        let scan =
            |((known, scan), hits): ((&Arc<RenderableScan>, &EpisodeScan), &Reused<bool>)| {
                if hits.contains(&true) {
                    Arc::new(RenderableScan::with_movers(&scan.scan, hits))
                } else {
                    Arc::clone(known)
                }
            };
        Self {
            scans: scans.map(scan).collect(),
            company: company.into(),
            ..self.clone()
        }
    }

    /// The same scans with other poses.
    ///
    /// # Errors
    /// [`PoseScansError::PoseCount`] when there is not one pose per scan.
    pub fn with_poses(&self, map_from_scans: Vec<Pose2>) -> Result<Self, PoseScansError> {
        let (expected, got) = (self.scans.len(), map_from_scans.len());
        if got != expected {
            return Err(PoseScansError::PoseCount { expected, got });
        }
        Ok(Self {
            map_from_scans,
            ..self.clone()
        })
    }

    pub(crate) fn company(&self) -> &[Company] {
        &self.company
    }

    /// The poses, one per scan.
    pub fn poses(&self) -> &[Pose2] {
        &self.map_from_scans
    }

    /// The movement from one scan to another: where scan `to_idx` was seen from, in the frame of
    /// scan `from_idx`.
    ///
    /// # Panics
    /// When there are not that many scans.
    pub fn motion(&self, from_idx: usize, to_idx: usize) -> Pose2 {
        self.map_from_scans[from_idx].between(self.map_from_scans[to_idx])
    }

    /// The last 20 seconds up to and with a scan.
    ///
    /// # Panics
    /// When there are not that many scans.
    pub fn window(&self, newest_idx: usize) -> ScanWindow {
        self.window_of(newest_idx, WINDOW_SECS)
    }

    /// The last seconds up to and with a scan; zero for that scan alone.
    ///
    /// # Panics
    /// When there are not that many scans.
    pub fn window_of(&self, newest_idx: usize, window_secs: f64) -> ScanWindow {
        let newest = self.stamps[newest_idx];
        let aged = (0..=newest_idx)
            .rev()
            .map(|idx| (idx, newest.secs_since(self.stamps[idx])));
        let scans = aged
            .take_while(|&(idx, age_secs)| {
                idx == newest_idx
                    || (window_secs > 0.0 && age_secs <= window_secs + AGE_TOLERANCE_SECS)
            })
            .map(|(idx, age_secs)| WindowScan {
                scan: Arc::clone(&self.scans[idx]),
                newest_from_scan: self.motion(newest_idx, idx),
                age_secs: age_secs.max(0.0),
            });
        let window = ScanWindow::new(self.geometry, scans.collect());
        match self.company.get(newest_idx) {
            // What a belief looks at.
            Some(company) => window.thinned().with_company(company.clone()),
            None => window,
        }
    }
}

/// The pose of each scan by odometry.
///
/// # Errors
/// [`PoseScansError`] when the episode has no odometry, or bad odometry.
pub fn odometry_poses(
    episode: &Episode,
    motion: &MotionModel,
) -> Result<Vec<Pose2>, PoseScansError> {
    let name = || episode.name.clone();
    let track =
        OdometryTrack::from_samples(&episode.odometry, motion.calibration).map_err(|source| {
            PoseScansError::Odometry {
                episode: name(),
                source,
            }
        })?;
    let pose = |stamp| track.pose_at(motion.seen_at(stamp));
    let poses: Option<Vec<Pose2>> = episode.scans.iter().map(|scan| pose(scan.stamp)).collect();
    poses.ok_or_else(|| PoseScansError::NoOdometry { episode: name() })
}

/// The pose of each scan in the log's corrected map.
///
/// # Errors
/// [`PoseScansError::NoReference`] when any scan lacks one.
pub fn reference_poses(episode: &Episode) -> Result<Vec<Pose2>, PoseScansError> {
    let poses: Vec<Pose2> = episode
        .scans
        .iter()
        .filter_map(|scan| scan.reference)
        .collect();
    let n_scans = episode.scans.len();
    if poses.len() == n_scans {
        return Ok(poses);
    }
    let n_missing = n_scans - poses.len();
    Err(PoseScansError::NoReference {
        episode: episode.name.clone(),
        n_scans,
        n_missing,
    })
}
