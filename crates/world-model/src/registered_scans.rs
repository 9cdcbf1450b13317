//! All scans of an episode as a belief would have registered them at the time.

use sedge_spacetime::{Pose2, Stamp};

use crate::anchoring::{ANCHOR_AGE_MAX_SECS, Anchor, newest_from_anchored, smoothed_pose};
use crate::company::Company;
use crate::gyro_track::ImuNow;
use crate::movers::Followed;
use crate::registration::register_all;
use crate::{
    Episode, MotionModel, Neighbours, OdometryTrack, PoseScansError, PosedScans, Reused, ScanWindow,
};

/// The offline twin of a registering [`crate::ScanMemory`]: the same windows and motions, for any
/// start, without living through the episode each time.
#[derive(Debug, Clone)]
pub struct RegisteredScans {
    stamps: Vec<Stamp>,
    posed: PosedScans,
    /// Smoothed, calibrated odometry at each scan.
    odometry: Vec<Pose2>,
    /// Empty where nobody asked.
    imu: Vec<Option<ImuNow>>,
}

impl RegisteredScans {
    /// Registers each scan of an episode against those before it.
    ///
    /// # Errors
    /// [`PoseScansError`] when the episode has no odometry, or bad odometry.
    pub fn new(episode: &Episode, motion: &MotionModel) -> Result<Self, PoseScansError> {
        let posed = PosedScans::calibrated(episode, motion)?;
        let known = register_all(episode, motion)?;
        let posed = posed.with_poses(known.poses)?;
        let scans = Self::with_poses(episode, motion, posed)?;
        Ok(Self {
            imu: known.imu,
            ..scans.with_company(episode, motion, (&known.hits, &known.followed))
        })
    }

    /// From scans that are registered already.
    pub(crate) fn with_poses(
        episode: &Episode,
        motion: &MotionModel,
        posed: PosedScans,
    ) -> Result<Self, PoseScansError> {
        let track = OdometryTrack::from_samples(&episode.odometry, motion.calibration).map_err(
            |source| PoseScansError::Odometry {
                episode: episode.name.clone(),
                source,
            },
        )?;
        // Never the default: without odometry the scans could not have been posed.
        let pose_at = |stamp| track.pose_at(stamp).unwrap_or_default();
        let smoothing = motion.smoothing();
        let stamps: Vec<Stamp> = episode.scans.iter().map(|scan| scan.stamp).collect();
        let smoothed = |&stamp: &Stamp| smoothed_pose(pose_at, motion.seen_at(stamp), smoothing);
        Ok(Self {
            odometry: stamps.iter().map(smoothed).collect(),
            stamps,
            posed,
            imu: Vec::new(),
        })
    }

    /// With the movers seen by each scan, and whom was heard of.
    fn with_company(
        self,
        episode: &Episode,
        motion: &MotionModel,
        (hits, followed): (&[Reused<bool>], &[Followed]),
    ) -> Self {
        let Ok(track) = OdometryTrack::from_samples(&episode.odometry, motion.calibration) else {
            return self;
        };
        let odometry_at = |stamp| track.pose_at(stamp).unwrap_or_default();
        let mut neighbours = Neighbours::default();
        let mut others = episode.others.iter().peekable();
        let mut before: Option<(Stamp, Pose2)> = None;
        let mut company = Vec::new();
        let placed = episode.scans.iter().zip(self.posed.poses());
        for ((scan, &map_from_scan), seen) in placed.zip(followed) {
            while let Some(event) = others.next_if(|event| event.stamp <= scan.stamp) {
                let here = carried_on(before, odometry_at, motion.seen_at(event.stamp));
                // What the belief refuses is passed over here, too.
                neighbours.observe(event, here).unwrap_or_default();
            }
            company.push(Company::at(
                scan.stamp,
                map_from_scan,
                seen,
                &mut neighbours,
            ));
            before = Some((motion.seen_at(scan.stamp), map_from_scan));
        }
        Self {
            posed: self.posed.with_company(episode, hits, company),
            ..self
        }
    }

    /// The scans with their registered poses.
    pub fn posed(&self) -> &PosedScans {
        &self.posed
    }

    /// The last 20 seconds up to and with a scan.
    ///
    /// # Panics
    /// When there are not that many scans.
    pub fn window(&self, newest_idx: usize) -> ScanWindow {
        self.posed.window(newest_idx)
    }

    /// What the inertial unit said by a scan.
    pub fn imu(&self, scan_idx: usize) -> Option<ImuNow> {
        self.imu.get(scan_idx).copied().flatten()
    }

    /// Who was around at a scan, in its frame.
    ///
    /// # Panics
    /// When there are not that many scans.
    pub fn company(&self, scan_idx: usize) -> &Company {
        &self.posed.company()[scan_idx]
    }

    /// The movement from scan `from_idx` on to a later scan that a belief expects at scan
    /// `from_idx`, given the odometry in between.
    ///
    /// # Panics
    /// When there are not that many scans.
    pub fn expected_motion(&self, from_idx: usize, to_idx: usize) -> Pose2 {
        let anchor = |idx: usize| Anchor {
            registered: self.posed.poses()[idx],
            odometry: self.odometry[idx],
        };
        let now = self.stamps[from_idx];
        let earlier = (0..from_idx)
            .rev()
            .map(|idx| (now.secs_since(self.stamps[idx]), anchor(idx)))
            .take_while(|&(age_secs, _)| age_secs <= ANCHOR_AGE_MAX_SECS);
        newest_from_anchored(anchor(from_idx), earlier)
            * self.odometry[from_idx].between(self.odometry[to_idx])
    }

    /// The movement between two scans by registration: hindsight, for learning from and grading,
    /// never an input of a prediction.
    ///
    /// # Panics
    /// When there are not that many scans.
    pub fn registered_motion(&self, from_idx: usize, to_idx: usize) -> Pose2 {
        self.posed.motion(from_idx, to_idx)
    }
}

/// The scanner's pose in the map at a time, carried on from a registered scan by odometry.
pub(crate) fn carried_on(
    registered: Option<(Stamp, Pose2)>,
    odometry_at: impl Fn(Stamp) -> Pose2,
    seen_at: Stamp,
) -> Pose2 {
    let there = odometry_at(seen_at);
    registered.map_or(there, |(stamp, map_from_scan)| {
        map_from_scan * odometry_at(stamp).between(there)
    })
}

#[cfg(test)]
mod tests;
