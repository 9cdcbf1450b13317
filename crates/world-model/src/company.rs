//! Who else is there: movers and neighbours around a robot at one time, and where they will be.

use std::time::Duration;

use sedge_spacetime::{Pose2, Stamp};

use crate::discs::Disc;
use crate::movers::Followed;
use crate::neighbour_lidar::join;
use crate::{Mover, Neighbour, Neighbours, Reused};

/// Where a mover may be is believed this far, metres: beyond, a disc is no prediction.
const SIGMA_MAX_M: f64 = 3.0;
/// Who stands and will be this near to its place stays, metres.
const STAYS_M: f64 = 0.05;

/// Movers and neighbours in the frame of a scan, at its time.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Company {
    /// What moves, known by name or not.
    pub movers: Reused<Mover>,
    /// Robots known by name; those that are movers, too, say which.
    pub neighbours: Reused<Neighbour>,
}

impl Company {
    /// Movers given in the map, and everybody who was heard of. Neighbours learn their sizes.
    pub(crate) fn at(
        stamp: Stamp,
        map_from_scan: Pose2,
        followed: &Followed,
        neighbours: &mut Neighbours,
    ) -> Self {
        let followed = followed.seen_from(map_from_scan);
        let mut known = neighbours.at(stamp, map_from_scan);
        for (neighbour_idx, thing) in &join(&mut known, &followed) {
            neighbours.learn_size(&known[*neighbour_idx].name, thing);
        }
        Self {
            movers: followed.movers,
            neighbours: known,
        }
    }

    /// Every mover as if it went on as it goes.
    pub(crate) fn discs_at_constant_velocity(
        &self,
        newest_from_then: Pose2,
        ahead: Duration,
    ) -> Reused<Disc> {
        let discs = self.movers.iter();
        discs
            .filter_map(|mover| disc_of(mover, newest_from_then, ahead))
            .collect()
    }

    /// Neighbours as they announced, everybody else as if they went on as they go.
    pub(crate) fn discs_as_announced(
        &self,
        newest_from_then: Pose2,
        ahead: Duration,
    ) -> Reused<Disc> {
        let secs = ahead.as_secs_f64();
        let is_neighbour =
            |mover: &&Mover| self.neighbours.iter().any(|it| it.mover == Some(mover.id));
        let strangers = self.movers.iter().filter(|mover| !is_neighbour(mover));
        let mut discs: Reused<Disc> = strangers
            .filter_map(|mover| disc_of(mover, newest_from_then, ahead))
            .collect();
        for neighbour in &self.neighbours {
            let mover = neighbour
                .mover
                .and_then(|id| self.movers.iter().find(|mover| mover.id == id));
            let says_where = neighbour.heading_is_known()
                && (neighbour.intention.is_some() || neighbour.twist.is_some());
            if let (Some(mover), false) = (mover, says_where) {
                discs.extend(disc_of(mover, newest_from_then, ahead));
                continue;
            }
            let sigma_m = neighbour.sigma_after(secs);
            let then = neighbour.pose_after(secs);
            if sigma_m > SIGMA_MAX_M {
                continue;
            }
            let twist = neighbour.twist.unwrap_or_default();
            discs.push(Disc {
                centre_m: newest_from_then.inverse().transform([then.x_m, then.y_m]),
                radius_m: neighbour.radius_m,
                sigma_m,
                is_settled: neighbour.is_seen_standing
                    && neighbour.pose.between(then).distance_m() < STAYS_M,
                speed_mps: twist.vx_mps.hypot(twist.vy_mps),
                age_secs: neighbour.age_secs,
            });
        }
        discs
    }
}

fn disc_of(mover: &Mover, newest_from_then: Pose2, ahead: Duration) -> Option<Disc> {
    let secs = ahead.as_secs_f64();
    let sigma_m = mover.sigma_after(secs);
    (sigma_m <= SIGMA_MAX_M).then(|| Disc {
        centre_m: newest_from_then
            .inverse()
            .transform(mover.position_after(secs)),
        radius_m: mover.radius_m,
        sigma_m,
        is_settled: false,
        speed_mps: mover.speed_mps(),
        age_secs: mover.age_secs,
    })
}
