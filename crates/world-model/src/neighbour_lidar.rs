//! Which neighbour is which thing that lidar follows.
//!
//! Range and bearing are a few centimetres wrong, lidar one: whoever is seen by both is where both
//! together say, and as large as lidar sees it.

use nalgebra::{Matrix2x3, Matrix3, Vector2};
use sedge_spacetime::{Covariance2, Pose2, wrap_angle};

use crate::movers::Followed;
use crate::{Mover, Neighbour, Reused};

/// A mover and a neighbour this close are one, metres, plus so many standard deviations.
const SAME_M: f64 = 0.3;
const N_SIGMAS: f64 = 3.0;
/// However large the doubt, farther apart than this they are two.
const SAME_MAX_M: f64 = 0.9;
/// Furniture stands beside robots: what does not move must be nearer, metres.
const STANDING_MAX_M: f64 = 0.3;

/// Tells which neighbours are things that lidar follows, the nearest pair first; those take on the
/// thing's size and, by how sure each is, its place. Returns who is what.
pub(crate) fn join(neighbours: &mut [Neighbour], followed: &Followed) -> Reused<(usize, Mover)> {
    let mut joined = Reused::new();
    let may_move = |sigma_m: f64| (SAME_M + N_SIGMAS * sigma_m).min(SAME_MAX_M);
    for &(neighbour_idx, thing_idx) in &pairs(neighbours, &followed.movers, may_move) {
        let mover = &followed.movers[thing_idx];
        neighbours[neighbour_idx].mover = Some(mover.id);
        take_on(&mut neighbours[neighbour_idx], mover);
        joined.push((neighbour_idx, *mover));
    }
    let stands = |sigma_m: f64| (N_SIGMAS * sigma_m).min(STANDING_MAX_M);
    for &(neighbour_idx, thing_idx) in &pairs(neighbours, &followed.standing, stands) {
        let thing = &followed.standing[thing_idx];
        neighbours[neighbour_idx].is_seen_standing = true;
        take_on(&mut neighbours[neighbour_idx], thing);
        joined.push((neighbour_idx, *thing));
    }
    joined
}

/// Indexes of neighbours that are nothing yet, and of the things that they are.
fn pairs(
    neighbours: &[Neighbour],
    things: &[Mover],
    reach_m: impl Fn(f64) -> f64,
) -> Reused<(usize, usize)> {
    let mut near: Reused<(f64, usize, usize)> = Reused::new();
    for (neighbour_idx, neighbour) in neighbours.iter().enumerate() {
        if neighbour.mover.is_some() {
            continue;
        }
        for (thing_idx, thing) in things.iter().enumerate() {
            let [x, y] = thing.position_m;
            let off_m = (x - neighbour.pose.x_m).hypot(y - neighbour.pose.y_m);
            let sigma_m = neighbour.sigma_after(0.0).hypot(thing.sigma_after(0.0));
            if off_m <= reach_m(sigma_m) {
                near.push((off_m, neighbour_idx, thing_idx));
            }
        }
    }
    near.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then((a.1, a.2).cmp(&(b.1, b.2))));
    let mut taken: Reused<(usize, usize)> = Reused::new();
    for &(_, neighbour_idx, thing_idx) in &near {
        let is_free = |&(other, its): &(usize, usize)| other != neighbour_idx && its != thing_idx;
        if taken.iter().all(is_free) {
            taken.push((neighbour_idx, thing_idx));
        }
    }
    taken
}

/// Corrects where a neighbour is by where lidar sees it, unless that is the older news.
fn take_on(neighbour: &mut Neighbour, thing: &Mover) {
    if !neighbour.is_size_known {
        neighbour.radius_m = thing.radius_m;
    }
    if thing.unseen_secs > neighbour.age_secs {
        return;
    }
    let before = *neighbour.covariance.matrix();
    let seen = thing.covariance.fixed_view::<2, 2>(0, 0).into_owned();
    let place: Matrix2x3<f64> = Matrix2x3::identity();
    let Some(inverse) = (before.fixed_view::<2, 2>(0, 0) + seen).try_inverse() else {
        return;
    };
    let gain = before * place.transpose() * inverse;
    let pose = neighbour.pose;
    let off = Vector2::from(thing.position_m) - Vector2::new(pose.x_m, pose.y_m);
    let step = gain * off;
    let kept = Matrix3::identity() - gain * place;
    // Joseph's form stays symmetric and positive.
    let after = kept * before * kept.transpose() + gain * seen * gain.transpose();
    let Ok(covariance) = Covariance2::new((after + after.transpose()) * 0.5) else {
        return;
    };
    neighbour.covariance = covariance;
    neighbour.pose = Pose2::new(
        pose.x_m + step.x,
        pose.y_m + step.y,
        wrap_angle(pose.yaw_rad + step.z),
    );
}

#[cfg(test)]
mod tests;
