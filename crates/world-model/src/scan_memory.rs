//! The geometric part of a belief: recent scans and where they were seen from.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use sedge_spacetime::{Pose2, Stamp};

use crate::anchoring::{ANCHOR_AGE_MAX_SECS, Anchor, newest_from_anchored, smoothed_pose};
use crate::company::Company;
use crate::event_check::check_imu;
use crate::gyro_track::{GyroTrack, ImuNow};
use crate::motion_prior::{MotionPrior, turned_by_gyro};
use crate::registered_scans::carried_on;
use crate::registration::learn_bias;
use crate::{
    ActionSequence, CandidateSet, ImagineError, LidarScan, MotionModel, MoverTracker, Neighbours,
    Observation, ObserveError, OdometryTrack, RegisteredScan, Registrar, RenderableScan, Reused,
    ScanGeometry, ScanWindow, SensorEvent, WINDOW_SECS, WindowScan,
};

/// How long scans are kept.
const WINDOW: Duration = Duration::from_nanos((WINDOW_SECS * 1e9) as u64);
/// Odometry is kept this much longer than scans: the oldest scan is looked up one latency before
/// its stamp.
const LATENCY_MARGIN: Duration = Duration::from_secs(2);
/// At most this many scans are kept, whatever their rate; the oldest go first.
const N_SCANS_MAX: usize = 1024;
/// At most this many recent scans anchor the future motion, whatever their rate.
const N_ANCHORS_MAX: usize = 32;
/// At most this many odometry samples are kept, whatever their rate; the oldest go first.
const N_ODOMETRY_MAX: usize = 65_536;

/// A scan that is remembered.
#[derive(Debug, Clone)]
struct RememberedScan {
    stamp: Stamp,
    renderable: Arc<RenderableScan>,
    /// By registration; `None` in a memory that goes by odometry.
    registered: Option<RegisteredScan>,
}

impl RememberedScan {
    fn pose(&self) -> Option<Pose2> {
        self.registered.map(|it| it.map_from_scan)
    }
}

/// The last 20 seconds of scans and odometry, and what geometry alone makes of them.
///
/// Ranges that are finite but no measurement (zero, negative, "no return" codes) make invalid
/// beams; NaN and infinities are refused with the whole scan, since a sensor that means "no
/// return" has a finite code for it on our wire. Memory is bounded at any event rate.
#[derive(Debug, Clone)]
pub struct ScanMemory {
    geometry: ScanGeometry,
    motion_model: MotionModel,
    track: OdometryTrack,
    /// Oldest first.
    scans: VecDeque<RememberedScan>,
    newest_scan: Option<LidarScan>,
    /// `None` in a memory that goes by odometry.
    registrar: Option<Registrar>,
    gyro: GyroTrack,
    /// Looks for movers where scans are registered.
    movers: MoverTracker,
    neighbours: Neighbours,
    /// Who is around at the newest scan.
    company: Company,
    imu: Option<ImuNow>,
    /// Of a scan that was forgotten: its memory serves the next.
    spare: Option<Arc<RenderableScan>>,
}

impl ScanMemory {
    /// Nothing sensed yet, by this scanner on a robot that moves so. Every pose is that of
    /// calibrated odometry: what the reference baselines know.
    pub fn new(geometry: ScanGeometry, motion_model: MotionModel) -> Self {
        Self {
            geometry,
            motion_model,
            track: OdometryTrack::new(motion_model.calibration),
            scans: VecDeque::new(),
            newest_scan: None,
            registrar: None,
            gyro: GyroTrack::default(),
            movers: MoverTracker::default(),
            neighbours: Neighbours::default(),
            company: Company::default(),
            imu: None,
            spare: None,
        }
    }

    /// As [`ScanMemory::new`], but scans are registered as they come, future motion starts from
    /// the registered scans, and movers are looked for.
    pub fn registering(geometry: ScanGeometry, motion_model: MotionModel) -> Self {
        let registrar = Some(Registrar::default());
        Self {
            registrar,
            ..Self::new(geometry, motion_model)
        }
    }

    /// Takes in one timed event; a refused one changes nothing.
    ///
    /// # Errors
    /// [`ObserveError`] when it is not newer than what is known of its kind, malformed, or of
    /// another scanner.
    pub fn observe(&mut self, event: &SensorEvent) -> Result<(), ObserveError> {
        match &event.observation {
            Observation::Lidar(scan) => self.observe_scan(event.stamp, scan)?,
            Observation::Odometry(pose) => self.track.push(event.stamp, *pose)?,
            Observation::DeadReckoning(pose) => self.track.reckon(event.stamp, *pose)?,
            Observation::Imu(samples) => {
                check_imu(samples)?;
                self.gyro.push(event.stamp, samples)?;
            }
            Observation::RangeBearing(_) | Observation::Neighbour(_) => {
                let here = self.world_from_scanner_at(event.stamp);
                self.neighbours.observe(event, here)?;
            }
        }
        self.forget_old();
        Ok(())
    }

    /// The scanner.
    pub fn geometry(&self) -> ScanGeometry {
        self.geometry
    }

    /// How the robot moves.
    pub fn motion_model(&self) -> MotionModel {
        self.motion_model
    }

    /// The stamp of the newest scan.
    pub fn newest_stamp(&self) -> Option<Stamp> {
        self.scans.back().map(|scan| scan.stamp)
    }

    /// The stamp of the newest event of any kind.
    pub fn newest_event_stamp(&self) -> Option<Stamp> {
        self.newest_stamp()
            .max(self.track.newest_stamp())
            .max(self.gyro.newest_stamp())
            .max(self.neighbours.newest_sightings())
    }

    /// Who is around, in the frame of the newest scan and at its time.
    pub fn company(&self) -> &Company {
        &self.company
    }

    /// What the inertial unit said by the newest scan; `None` without one, or a silent one.
    pub fn imu(&self) -> Option<ImuNow> {
        self.imu
    }

    /// The newest scan, as measured.
    pub fn newest_scan(&self) -> Option<&LidarScan> {
        self.newest_scan.as_ref()
    }

    /// Where the newest scan was seen from, in the frame that odometry began in.
    pub fn world_from_newest(&self) -> Option<Pose2> {
        self.world_from(self.scans.back()?)
    }

    /// Time between the newest two scans, in seconds.
    pub fn last_period_secs(&self) -> Option<f64> {
        Some(self.newest_stamp()?.secs_since(self.scan_before()?.stamp))
    }

    /// Movement between the newest two scans: the newest one's pose in the frame of the one
    /// before.
    pub fn last_motion(&self) -> Option<Pose2> {
        Some(
            self.world_from(self.scan_before()?)?
                .between(self.world_from_newest()?),
        )
    }

    /// Where the scanner will be `horizon` after the newest scan when the plan is carried out, in
    /// the frame of the newest scan (`newest_from_then`).
    ///
    /// # Errors
    /// [`ImagineError`] before the first scan and odometry, or for a plan that is not numbers.
    pub fn motion(&self, plan: &ActionSequence, horizon: Duration) -> Result<Pose2, ImagineError> {
        Ok(self.motions(plan, &[horizon])?[0])
    }

    /// As [`ScanMemory::motion`], for several horizons of one plan. `[horizon]`
    ///
    /// # Errors
    /// [`ImagineError`] before the first scan and odometry, or for a plan that is not numbers.
    pub fn motions(
        &self,
        plan: &ActionSequence,
        horizons: &[Duration],
    ) -> Result<Reused<Pose2>, ImagineError> {
        let newest = self.scans.back().ok_or(ImagineError::NoBelief)?;
        let track = self.track.extended_by(plan)?;
        let Some(registered) = newest.pose() else {
            let pose = |stamp| track.pose_at(self.motion_model.seen_at(stamp));
            let now = pose(newest.stamp);
            let then = |&horizon| now.between(pose(newest.stamp + horizon));
            return Ok(horizons.iter().map(then).collect());
        };
        let pose = |stamp| {
            let seen_at = self.motion_model.seen_at(stamp);
            smoothed_pose(
                |stamp| track.pose_at(stamp),
                seen_at,
                self.motion_model.smoothing(),
            )
        };
        let now = Anchor {
            registered,
            odometry: pose(newest.stamp),
        };
        let earlier = self
            .scans
            .iter()
            .rev()
            .skip(1)
            .take(N_ANCHORS_MAX)
            .filter_map(|scan| {
                let age_secs = newest.stamp.secs_since(scan.stamp);
                let registered = scan.pose().filter(|_| age_secs <= ANCHOR_AGE_MAX_SECS)?;
                Some((
                    age_secs,
                    Anchor {
                        registered,
                        odometry: pose(scan.stamp),
                    },
                ))
            });
        let newest_from_odometry = newest_from_anchored(now, earlier);
        let then = |&horizon| now.odometry.between(pose(newest.stamp + horizon));
        Ok(horizons
            .iter()
            .map(then)
            .map(|moved| newest_from_odometry * moved)
            .collect())
    }

    /// The remembered scans, posed relative to the newest one. The plan matters only for a scanner
    /// with negative latency, whose newest scans were seen after the newest odometry.
    ///
    /// # Errors
    /// [`ImagineError`] before the first scan and odometry, or for a plan that is not numbers.
    pub fn scan_window(&self, plan: &ActionSequence) -> Result<ScanWindow, ImagineError> {
        let newest = self.newest_stamp().ok_or(ImagineError::NoBelief)?;
        let track = self.track.extended_by(plan)?;
        let pose = |scan: &RememberedScan| {
            scan.pose()
                .unwrap_or_else(|| track.pose_at(self.motion_model.seen_at(scan.stamp)))
        };
        let world_from_newest = self.scans.back().map(pose).unwrap_or_default();
        let scans = self.scans.iter().rev().map(|scan| WindowScan {
            scan: Arc::clone(&scan.renderable),
            newest_from_scan: world_from_newest.between(pose(scan)),
            age_secs: newest.secs_since(scan.stamp),
        });
        let window = ScanWindow::new(self.geometry, scans.collect());
        Ok(if self.registrar.is_some() {
            window.thinned().with_company(self.company.clone())
        } else {
            window.with_company(self.company.clone())
        })
    }

    /// What geometry expects to be seen from a pose given in the frame of the newest scan, that
    /// long after it.
    ///
    /// # Errors
    /// [`ImagineError::NoBelief`] before the first scan and odometry.
    pub fn candidates(
        &self,
        newest_from_then: Pose2,
        ahead: Duration,
    ) -> Result<CandidateSet, ImagineError> {
        Ok(self
            .scan_window(&ActionSequence::default())?
            .candidates(newest_from_then, ahead))
    }

    fn scan_before(&self) -> Option<&RememberedScan> {
        self.scans.get(self.scans.len().checked_sub(2)?)
    }

    fn observe_scan(&mut self, stamp: Stamp, scan: &LidarScan) -> Result<(), ObserveError> {
        if let Some(newest) = self.newest_stamp().filter(|&newest| stamp <= newest) {
            return Err(ObserveError::Late { newest, stamp });
        }
        let got = ScanGeometry {
            n_beams: scan.ranges_m.len(),
            ..scan.geometry
        };
        if got != self.geometry || scan.geometry != self.geometry {
            return Err(ObserveError::OtherScanner {
                expected: self.geometry,
                got,
            });
        }
        if !scan.ranges_m.iter().all(|range| range.is_finite()) {
            return Err(ObserveError::NotFinite { what: "ranges" });
        }
        let registered = self.register(stamp, scan);
        let hits = registered.map_or_else(Reused::new, |registered| {
            self.movers.observe(stamp, scan, registered.map_from_scan)
        });
        let renderable = self.shared(RenderableScan::with_movers(scan, &hits));
        self.scans.push_back(RememberedScan {
            stamp,
            renderable,
            registered,
        });
        self.newest_scan = Some(scan.clone());
        self.imu = self.gyro.at_scan(self.motion_model.seen_at(stamp));
        let here = self.world_from_newest().unwrap_or_default();
        let followed = self.movers.followed();
        self.company = Company::at(stamp, here, &followed, &mut self.neighbours);
        Ok(())
    }

    /// Where the scanner was at a time, as far as odometry carries on from the newest scan.
    fn world_from_scanner_at(&self, stamp: Stamp) -> Pose2 {
        let newest = self.scans.back().and_then(|scan| {
            let pose = scan.pose()?;
            Some((self.motion_model.seen_at(scan.stamp), pose))
        });
        let odometry_at = |stamp| self.track.pose_at(stamp).unwrap_or_default();
        carried_on(newest, odometry_at, self.motion_model.seen_at(stamp))
    }

    /// Odometry's pose of a scan, as far as odometry is there.
    fn odometry_at(&self, scan_stamp: Stamp) -> Option<Pose2> {
        self.track.pose_at(self.motion_model.seen_at(scan_stamp))
    }

    fn world_from(&self, scan: &RememberedScan) -> Option<Pose2> {
        scan.pose().or_else(|| self.odometry_at(scan.stamp))
    }

    /// The pose of a scan that is not in memory yet.
    fn register(&mut self, stamp: Stamp, scan: &LidarScan) -> Option<RegisteredScan> {
        self.registrar.as_ref()?;
        let done: Reused<(Stamp, RegisteredScan)> = self
            .scans
            .range(self.scans.len().saturating_sub(2)..)
            .filter_map(|scan| Some((self.motion_model.seen_at(scan.stamp), scan.registered?)))
            .collect();
        learn_bias(&mut self.gyro, &done);
        // Before the first odometry the robot is taken to stand still.
        let odometry_at = |stamp| self.track.pose_at(stamp).unwrap_or_default();
        let seen_at = self.motion_model.seen_at(stamp);
        let prior = match done.last() {
            None => MotionPrior {
                predicted: odometry_at(seen_at),
                moved: Pose2::IDENTITY,
                yaw_sigma_rad: None,
            },
            Some(&(before, registered)) => {
                let (moved, yaw_sigma_rad) =
                    turned_by_gyro(odometry_at, &self.gyro, (before, seen_at));
                MotionPrior {
                    predicted: registered.map_from_scan * moved,
                    moved,
                    yaw_sigma_rad,
                }
            }
        };
        let moves = self.movers.expected(stamp, scan, prior.predicted);
        let registrar = self.registrar.as_mut()?;
        Some(registrar.register(stamp, (scan, &moves), &prior))
    }

    /// A scan that windows share with this memory.
    fn shared(&mut self, scan: RenderableScan) -> Arc<RenderableScan> {
        let mut spare = self.spare.take();
        match spare.as_mut().and_then(Arc::get_mut) {
            Some(old) => *old = scan,
            None => return Arc::new(scan),
        }
        spare.expect("it was just written over")
    }

    fn forget_old(&mut self) {
        self.track.truncate_to_newest(N_ODOMETRY_MAX);
        let Some(newest) = self.newest_event_stamp() else {
            return;
        };
        // Scans count from the newest scan: when the scanner stops, the map it left behind stays.
        let newest_scan = self.newest_stamp().unwrap_or(newest);
        while self.scans.len() > N_SCANS_MAX
            || self
                .scans
                .front()
                .is_some_and(|scan| scan.stamp < newest_scan - WINDOW)
        {
            self.spare = self.scans.pop_front().map(|scan| scan.renderable);
        }
        let oldest_needed = self.scans.front().map_or(newest, |scan| scan.stamp);
        self.track.forget_before(oldest_needed - LATENCY_MARGIN);
    }
}

#[cfg(test)]
mod tests;
