//! What moves around the robot: found by the free space that it takes, tracked, and predicted.
//!
//! A point where earlier scans saw through is new; a place that was a surface and is seen through
//! now was left. Small things that show either, scan after scan, and have come a way, are movers.
//! No learning: what is found here is what the network gets to see.

use nalgebra::{Matrix2, Matrix4, Vector2};
use sedge_spacetime::{Pose2, Stamp};

use crate::mover_track::{RADIUS_ASSUMED_M, Track, acceleration_variance};
use crate::scan_clusters::{Cluster, ScanPoints};
use crate::seen_space::{Look, PlacedScan, SeenSpace};
use crate::{LidarScan, Reused};

/// Tracks of everything small, movers or not; what comes later waits for a place.
const N_TRACKS_MAX: usize = 128;
/// After a pause this long nothing is known of velocities, seconds.
const PAUSE_MAX_SECS: f64 = 1.5;
/// Squared Mahalanobis distance up to which a cluster may be a track's.
const GATE: f64 = 16.0;
/// However large the doubt, a track does not jump farther than this, metres.
const JUMP_MAX_M: f64 = 0.9;
/// A disc's centre is no farther than this from the middle of its points, metres.
const CENTRE_OFF_MAX_M: f64 = 0.6;
/// Confirmed movers choose first: so much nearer they count.
const CONFIRMED_BONUS: f64 = 8.0;
/// Two movers closer than this share of their radii together are one.
const SAME_SHARE: f64 = 0.7;
/// Points this far outside a mover's disc are still its own (legs, arms), metres.
const SKIRT_M: f64 = 0.12;

/// Something that moves, as believed at one time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mover {
    /// The same number for as long as it is followed.
    pub id: u64,
    /// Its centre, metres, in the frame of whoever hands it out.
    pub position_m: [f64; 2],
    /// Its velocity over ground along the same axes, m/s.
    pub velocity_mps: [f64; 2],
    /// Uncertainty of x, y, vx, vy.
    pub covariance: Matrix4<f64>,
    /// Radius of the disc that it is taken to be, metres.
    pub radius_m: f64,
    /// How long it has been followed, in seconds.
    pub age_secs: f64,
    /// How long ago it was seen last, in seconds: zero unless something hides it.
    pub unseen_secs: f64,
}

impl Mover {
    /// Where its centre will be after some seconds at constant velocity.
    pub fn position_after(&self, secs: f64) -> [f64; 2] {
        [0, 1].map(|axis| self.position_m[axis] + secs * self.velocity_mps[axis])
    }

    /// How wrong that may be: one standard deviation of the worse axis, in metres. People turn:
    /// doubt grows as the track's own does.
    pub fn sigma_after(&self, secs: f64) -> f64 {
        let block = |row, column| self.covariance.fixed_view::<2, 2>(row, column).into_owned();
        let cross = block(0, 2) + block(2, 0);
        let turning = acceleration_variance(secs);
        let then = block(0, 0) + cross * secs + block(2, 2) * (secs * secs);
        let then = (then + then.transpose()) * 0.5;
        (Matrix2::symmetric_eigenvalues(&then).max().max(0.0) + turning).sqrt()
    }

    /// Its speed over ground, m/s.
    pub fn speed_mps(&self) -> f64 {
        self.velocity_mps[0].hypot(self.velocity_mps[1])
    }

    /// The same mover in another frame.
    pub(crate) fn seen_from(&self, frame_from_other: Pose2) -> Self {
        let back = frame_from_other.inverse();
        let (sin, cos) = back.yaw_rad.sin_cos();
        let turn = Matrix2::new(cos, -sin, sin, cos);
        let velocity = turn * Vector2::from(self.velocity_mps);
        let mut both = Matrix4::zeros();
        both.fixed_view_mut::<2, 2>(0, 0).copy_from(&turn);
        both.fixed_view_mut::<2, 2>(2, 2).copy_from(&turn);
        Self {
            position_m: back.transform(self.position_m),
            velocity_mps: velocity.into(),
            covariance: both * self.covariance * both.transpose(),
            ..*self
        }
    }
}

/// Follows what moves, scan by scan.
#[derive(Debug, Clone, Default)]
pub struct MoverTracker {
    newest: Option<Stamp>,
    seen: SeenSpace,
    tracks: Vec<Track>,
    n_born: u64,
}

/// What lidar follows at one time, in the frame of whoever hands it out.
#[derive(Debug, Clone, Default)]
pub(crate) struct Followed {
    /// What moves.
    pub(crate) movers: Reused<Mover>,
    /// What is in the newest scan, small, and has not moved yet.
    pub(crate) standing: Reused<Mover>,
}

impl Followed {
    /// The same in another frame.
    pub(crate) fn seen_from(&self, frame_from_other: Pose2) -> Self {
        let turned = |things: &[Mover]| {
            let things = things.iter();
            things.map(|it| it.seen_from(frame_from_other)).collect()
        };
        Self {
            movers: turned(&self.movers),
            standing: turned(&self.standing),
        }
    }
}

/// A scan on its way through the tracker.
struct Arrival {
    stamp: Stamp,
    placed: PlacedScan,
    points: ScanPoints,
    clusters: Reused<Cluster>,
    /// The track that each cluster was given to. `[cluster]`
    owners: Reused<Option<u64>>,
}

impl MoverTracker {
    /// Takes in a scan seen from `map_from_scan` and says which beams hit movers. `[beam]`
    ///
    /// Scans must come in the order of their stamps; one that does not is passed over.
    pub fn observe(
        &mut self,
        stamp: Stamp,
        scan: &LidarScan,
        map_from_scan: Pose2,
    ) -> Reused<bool> {
        let elapsed_secs = self.newest.map_or(0.0, |newest| stamp.secs_since(newest));
        if self.newest.is_some_and(|newest| stamp <= newest) || !map_from_scan.is_finite() {
            return Reused::filled(false, scan.ranges_m.len());
        }
        if elapsed_secs > PAUSE_MAX_SECS {
            self.tracks.clear();
        }
        self.newest = Some(stamp);
        // Room for all that there may be: tracks come and go.
        self.tracks.reserve(N_TRACKS_MAX - self.tracks.len());
        for track in &mut self.tracks {
            track.predict(elapsed_secs);
        }
        let points = ScanPoints::new(scan, map_from_scan);
        let fresh = self
            .seen
            .newly_taken(stamp, points.in_map().iter().copied());
        let clusters = points.clusters(&fresh);
        let mut arrival = Arrival {
            stamp,
            placed: PlacedScan::new(stamp, scan, map_from_scan),
            points,
            owners: Reused::filled(None, clusters.len()),
            clusters,
        };
        self.associate(&mut arrival);
        self.judge_unseen(&arrival);
        self.give_birth(&arrival);
        self.tracks.retain(|track| !track.is_over(stamp));
        self.merge();
        let hit = self.label(&arrival);
        self.seen.remember(arrival.placed);
        hit
    }

    /// Which beams of a scan probably hit movers, before it is known where it was seen from: what
    /// lies where nothing was, and what lies where a mover should be by now, if the scan was seen
    /// from `map_from_scan`. Changes nothing. `[beam]`
    pub fn expected(&self, stamp: Stamp, scan: &LidarScan, map_from_scan: Pose2) -> Reused<bool> {
        let elapsed_secs = self.newest.map_or(0.0, |newest| stamp.secs_since(newest));
        if !(0.0..=PAUSE_MAX_SECS).contains(&elapsed_secs) || !map_from_scan.is_finite() {
            return Reused::filled(false, scan.ranges_m.len());
        }
        let points = ScanPoints::new(scan, map_from_scan);
        let mut moves = self
            .seen
            .newly_taken(stamp, points.in_map().iter().copied());
        let confirmed = self.tracks.iter().filter(|track| track.is_confirmed());
        let predicted: Reused<(Vector2<f64>, f64)> = confirmed
            .map(|track| (track.position_after(elapsed_secs), reach_m(track)))
            .collect();
        for (moves, point) in moves.iter_mut().zip(points.in_map()) {
            let mut predicted = predicted.iter();
            *moves = *moves || predicted.any(|&(middle, reach_m)| is_near(middle, reach_m, *point));
        }
        moves
    }

    /// Every confirmed mover at the newest scan, in the map's frame, oldest first.
    pub fn movers(&self) -> Reused<Mover> {
        let Some(now) = self.newest else {
            return Reused::new();
        };
        let confirmed = self.tracks.iter().filter(|track| track.is_confirmed());
        confirmed.map(|track| track.mover(now)).collect()
    }

    /// Movers and what stands, in the map's frame, oldest first.
    pub(crate) fn followed(&self) -> Followed {
        let Some(now) = self.newest else {
            return Followed::default();
        };
        let tentative = self.tracks.iter().filter(|track| !track.is_confirmed());
        let things = tentative.map(|track| track.mover(now));
        Followed {
            movers: self.movers(),
            standing: things.filter(|it| it.unseen_secs <= 0.0).collect(),
        }
    }

    /// Gives clusters to tracks, the surest pair first.
    fn associate(&mut self, arrival: &mut Arrival) {
        let mut pairs: Reused<(f64, usize, usize)> = Reused::new();
        for (track_idx, track) in self.tracks.iter().enumerate() {
            for (cluster_idx, cluster) in arrival.clusters.iter().enumerate() {
                let apart = (cluster.middle - track.position()).norm();
                if apart > JUMP_MAX_M + CENTRE_OFF_MAX_M {
                    continue;
                }
                let sight = arrival.points.measure(cluster, track.radius_m());
                let (distance_m, mahalanobis) = track.distance(&sight);
                if distance_m > JUMP_MAX_M || mahalanobis > GATE {
                    continue;
                }
                let bonus = if track.is_confirmed() {
                    CONFIRMED_BONUS
                } else {
                    0.0
                };
                pairs.push((mahalanobis - bonus, track_idx, cluster_idx));
            }
        }
        pairs.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then((a.1, a.2).cmp(&(b.1, b.2))));
        let mut is_served = Reused::filled(false, self.tracks.len());
        for &(_, track_idx, cluster_idx) in &pairs {
            if is_served[track_idx] || arrival.owners[cluster_idx].is_some() {
                continue;
            }
            let track = &mut self.tracks[track_idx];
            is_served[track_idx] = true;
            arrival.owners[cluster_idx] = Some(track.id());
            let cluster = &arrival.clusters[cluster_idx];
            let sight = arrival.points.measure(cluster, track.radius_m());
            let left = track
                .near_before(arrival.stamp)
                .map_or(Look::Unknown, |place| arrival.placed.look_at(place));
            track.update(arrival.stamp, &sight, left);
        }
    }

    /// A track without a cluster is hidden, or it is not where it was thought to be.
    fn judge_unseen(&mut self, arrival: &Arrival) {
        for track in &mut self.tracks {
            if !arrival.owners.contains(&Some(track.id())) {
                track.missed(arrival.placed.look_at(track.position()));
            }
        }
    }

    fn give_birth(&mut self, arrival: &Arrival) {
        for (cluster, owner) in arrival.clusters.iter().zip(&arrival.owners) {
            if owner.is_some() || self.tracks.len() >= N_TRACKS_MAX {
                continue;
            }
            self.n_born += 1;
            let sight = arrival.points.measure(cluster, RADIUS_ASSUMED_M);
            self.tracks
                .push(Track::new(self.n_born, arrival.stamp, &sight));
        }
    }

    /// Of two confirmed tracks on one thing the younger goes.
    fn merge(&mut self) {
        let mut n_kept = 0;
        for idx in 0..self.tracks.len() {
            let (kept, track) = (&self.tracks[..n_kept], &self.tracks[idx]);
            let is_double = track.is_confirmed()
                && kept.iter().any(|older| {
                    let radii = older.radius_m() + track.radius_m();
                    let apart = (older.position() - track.position()).norm();
                    older.is_confirmed() && apart < SAME_SHARE * radii
                });
            if !is_double {
                self.tracks.swap(n_kept, idx);
                n_kept += 1;
            }
        }
        self.tracks.truncate(n_kept);
    }

    /// Beams on movers' clusters, and on whatever else is where a mover is.
    fn label(&self, arrival: &Arrival) -> Reused<bool> {
        let confirmed = || self.tracks.iter().filter(|it| it.is_confirmed());
        let points = arrival.points.in_map().iter();
        let mut hit: Reused<bool> = points
            .map(|point| confirmed().any(|track| is_on(track, *point)))
            .collect();
        for (cluster, owner) in arrival.clusters.iter().zip(&arrival.owners) {
            if confirmed().any(|track| Some(track.id()) == *owner) {
                hit[cluster.beams.clone()].fill(true);
            }
        }
        hit
    }
}

/// Whether a point is where a track is.
fn is_on(track: &Track, point: Option<Vector2<f64>>) -> bool {
    is_near(track.position(), reach_m(track), point)
}

/// How far from its middle points are still a track's own, in metres.
fn reach_m(track: &Track) -> f64 {
    track.radius_m() + SKIRT_M
}

fn is_near(middle: Vector2<f64>, reach_m: f64, point: Option<Vector2<f64>>) -> bool {
    point.is_some_and(|point| (point - middle).norm() <= reach_m)
}

#[cfg(test)]
mod tests;
