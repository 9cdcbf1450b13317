//! Neighbours and movers, as a planner sees them.

use std::time::Duration;

use sedge_planning::{DiscWaypoint, MovingDisc, RightOfWay};
use sedge_spacetime::Pose2;
use sedge_world_model::{Mover, Neighbour, Reused, WorldModel};

/// Where a disc will be is written down this often, in seconds, and this many times; beyond, it
/// keeps its last velocity.
const SPACING_SECS: f64 = 0.25;
const N_WAYPOINTS: usize = 9;

/// Everything that the model knows to move, each once: robots by name where they mean to go, and
/// strangers as they move.
///
/// `base_now_from_scanner` is where the scanner was at the newest scan, which was `scan_secs` ago.
pub(crate) fn moving_discs(
    model: &dyn WorldModel,
    base_now_from_scanner: Pose2,
    scan_secs: f64,
) -> Reused<MovingDisc> {
    let (neighbours, movers) = (model.neighbours(), model.movers());
    let is_named = |mover: &Mover| neighbours.iter().any(|it| it.mover == Some(mover.id));
    let strangers = movers.iter().filter(|mover| !is_named(mover));
    let of_neighbour = |neighbour: &Neighbour| {
        let at = |secs| {
            let pose = neighbour.pose_after(secs);
            ([pose.x_m, pose.y_m], neighbour.sigma_after(secs))
        };
        disc(neighbour.radius_m, (base_now_from_scanner, scan_secs), at)
    };
    let of_mover = |mover: &Mover| {
        let at = |secs| (mover.position_after(secs), mover.sigma_after(secs));
        disc(mover.radius_m, (base_now_from_scanner, scan_secs), at)
    };
    let discs = neighbours.iter().map(of_neighbour);
    discs.chain(strangers.map(of_mover)).collect()
}

/// The age is zero: places and doubts are already those of each time.
fn disc(
    radius_m: f64,
    (base_now_from_scanner, scan_secs): (Pose2, f64),
    at: impl Fn(f64) -> ([f64; 2], f64),
) -> MovingDisc {
    let waypoint = |idx: usize| {
        let secs = idx as f64 * SPACING_SECS;
        let (place, sigma_m) = at(scan_secs + secs);
        DiscWaypoint {
            after: Duration::from_secs_f64(secs),
            position_m: base_now_from_scanner.transform(place),
            sigma_m,
        }
    };
    MovingDisc {
        radius_m,
        waypoints: (0..N_WAYPOINTS).map(waypoint).collect(),
        age: Duration::ZERO,
        right_of_way: RightOfWay::Equal,
    }
}
