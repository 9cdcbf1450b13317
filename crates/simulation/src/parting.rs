//! Bodies that the solver leaves too deep in each other are moved apart.
//!
//! rapier's contacts are springs, solved by a few sweeps. Where a body of 800 kg pushes one of 8 kg
//! into a wall, or two meet at 5 m/s, they give way by centimetres for some steps, and more sweeps
//! or stiffer springs help little: the impulse that holds the light one must grow through all of
//! them. So depth has an end: what is deeper than [`DEEP_M`] after a step is moved apart in place
//! (non-linear Gauss-Seidel on positions, as engines do after their velocity solver). Velocities
//! stay the solver's. Runs without such depth are untouched, bit by bit.

use crate::contacts::{Other, Touch};
use crate::outline::Placed;

/// What the solver may leave, in metres: half of what is promised.
const DEEP_M: f64 = 0.005;
/// How deep those are that were moved apart: less than what counts, so that an exact touch of the
/// limit is not mended again by rounding.
const LEFT_M: f64 = 0.004;
/// Sweeps over the pairs at most. A few do for two bodies, tens for a crowd in a corner; where they
/// do not, the next step goes on.
const SWEEPS_MAX: usize = 64;
/// The heavier of two moves by at least this share of the depth: by their masses alone, the depth
/// of a light body between a heavy one and a wall would outlast any number of sweeps.
const SHARE_MIN: f64 = 0.3;

/// Two that touch or are about to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Near {
    pub(crate) pair: Touch,
    /// Less than zero by how deep they are in each other.
    pub(crate) clearance_m: f64,
}

impl From<Touch> for Near {
    /// Not measured yet.
    fn from(pair: Touch) -> Self {
        Self {
            pair,
            clearance_m: f64::INFINITY,
        }
    }
}

impl Near {
    /// Whether the pair is so deep that it must be moved apart.
    pub(crate) fn is_deep(&self) -> bool {
        self.clearance_m < -DEEP_M
    }
}

/// Measures how near they are.
pub(crate) fn measure(near: &mut [Near], placed: &[Placed], walls: &[Placed]) {
    for it in near {
        it.clearance_m = it.pair.clearance_m(placed, walls);
    }
}

/// Moves `placed` apart where pairs are deep, and lists who was moved, each once, in order.
///
/// The way apart is shared by inverse mass; walls stay where they are.
pub(crate) fn part(
    near: &[Near],
    placed: &mut [Placed],
    walls: &[Placed],
    masses_kg: &[f64],
) -> Vec<usize> {
    let mut moved = Vec::new();
    for _ in 0..SWEEPS_MAX {
        let mut is_clear = true;
        for Near { pair, .. } in near {
            let Touch { body, other } = *pair;
            let ([nx, ny], clearance_m) = placed[body].way_out(pair.other_of(placed, walls));
            if clearance_m >= -DEEP_M {
                continue;
            }
            is_clear = false;
            let way_m = -clearance_m - LEFT_M;
            let mut share = 1.0;
            if let Other::Body(other) = other {
                share = masses_kg[other] / (masses_kg[body] + masses_kg[other]);
                share = share.clamp(SHARE_MIN, 1.0 - SHARE_MIN);
                shift(&mut placed[other], [-nx, -ny], way_m * (1.0 - share));
                moved.push(other);
            }
            shift(&mut placed[body], [nx, ny], way_m * share);
            moved.push(body);
        }
        if is_clear {
            break;
        }
    }
    moved.sort_unstable();
    moved.dedup();
    moved
}

fn shift(placed: &mut Placed, [nx, ny]: [f64; 2], way_m: f64) {
    placed.center_m[0] += nx * way_m;
    placed.center_m[1] += ny * way_m;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outline::Outline;
    use sedge_spacetime::Pose2;

    fn disc(x_m: f64) -> Placed {
        Placed::new(Outline::Disc { radius_m: 0.2 }, Pose2::new(x_m, 0.0, 0.0))
    }

    fn wall(x_m: f64) -> Placed {
        let half_m = [0.1, 2.0];
        Placed::new(Outline::Box { half_m }, Pose2::new(x_m, 0.0, 0.0))
    }

    fn near(pairs: &[(usize, Other)]) -> Vec<Near> {
        let touch = |(body, other)| Near::from(Touch { body, other });
        pairs.iter().copied().map(touch).collect()
    }

    #[test]
    fn the_lighter_gives_way() {
        let mut placed = [disc(0.0), disc(0.35)];
        let pair = near(&[(0, Other::Body(1))]);
        let moved = part(&pair, &mut placed, &[], &[20.0, 10.0]);
        assert_eq!(moved, [0, 1]);
        let [heavy_m, light_m] = placed.map(|it| it.center_m[0]);
        assert!((light_m - heavy_m - 0.396).abs() < 1e-9, "{placed:?}");
        assert!((light_m - 0.35 - 2.0 * -heavy_m).abs() < 1e-9, "{placed:?}");
    }

    #[test]
    fn a_light_one_between_a_heavy_one_and_a_wall_is_let_out() {
        let mut placed = [disc(0.0), disc(0.35)];
        let mut pairs = near(&[(0, Other::Body(1)), (1, Other::Wall(0))]);
        let walls = [wall(0.6)];
        measure(&mut pairs, &placed, &walls);
        assert!(pairs.iter().all(Near::is_deep), "{pairs:?}");
        part(&pairs, &mut placed, &walls, &[10_000.0, 0.1]);
        measure(&mut pairs, &placed, &walls);
        assert!(!pairs.iter().any(Near::is_deep), "{pairs:?}");
    }

    #[test]
    fn what_is_not_deep_stays_to_the_bit() {
        let mut placed = [disc(0.0), disc(0.3951)];
        let before = placed;
        let pair = near(&[(0, Other::Body(1))]);
        assert!(part(&pair, &mut placed, &[], &[1.0, 1.0]).is_empty());
        assert_eq!(placed, before);
    }
}
