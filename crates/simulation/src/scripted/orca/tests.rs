use super::*;
use crate::noise::{Noise, Purpose};

fn plane(noise: &mut Noise) -> HalfPlane {
    let rad = noise.between(-3.2, 3.2);
    HalfPlane {
        point: [noise.between(-0.8, 0.8), noise.between(-0.8, 0.8)],
        along: [rad.cos(), rad.sin()],
    }
}

/// The best of a fine grid of velocities.
fn by_search(planes: &[HalfPlane], wanted: [f64; 2]) -> Option<f64> {
    let mut best: Option<f64> = None;
    for row in -200..=200 {
        for column in -200..=200 {
            let velocity = [f64::from(column) / 200.0, f64::from(row) / 200.0];
            let is_allowed = velocity[0].hypot(velocity[1]) <= 1.0
                && planes.iter().all(|it| it.violation(velocity) <= 0.0);
            if is_allowed {
                let off = (velocity[0] - wanted[0]).hypot(velocity[1] - wanted[1]);
                best = Some(best.map_or(off, |known| known.min(off)));
            }
        }
    }
    best
}

#[test]
fn the_linear_program_finds_what_a_search_finds() {
    let mut noise = Noise::new(4, 0, Purpose::Lidar);
    let mut n_possible = 0;
    for _ in 0..40 {
        let planes: Vec<HalfPlane> = (0..4).map(|_| plane(&mut noise)).collect();
        let wanted = [noise.between(-0.7, 0.7), noise.between(-0.7, 0.7)];
        let found = nearest(&planes, 1.0, Aim::At(wanted));
        let Some(searched) = by_search(&planes, wanted) else {
            continue;
        };
        n_possible += 1;
        let velocity = found.expect("the search found one");
        assert!(planes.iter().all(|it| it.violation(velocity) < 1e-9));
        assert!(velocity[0].hypot(velocity[1]) < 1.0 + 1e-9);
        let off = (velocity[0] - wanted[0]).hypot(velocity[1] - wanted[1]);
        assert!((off - searched).abs() < 0.01, "{off} {searched}");
    }
    assert!(n_possible > 10, "{n_possible}");
}

#[test]
fn where_nothing_is_allowed_the_worst_violation_is_least_and_walls_hold() {
    let towards = |[x, y]: [f64; 2], by: f64| HalfPlane {
        point: [x * by, y * by],
        along: [y, -x],
    };
    // East by at least 0.2 and west by at least 0.6: the middle violates both by 0.4.
    let planes = [towards([1.0, 0.0], 0.2), towards([-1.0, 0.0], 0.6)];
    let velocity = solve(&planes, 0, 1.0, [0.0, 0.0]);
    assert!((velocity[0] + 0.2).abs() < 1e-9, "{velocity:?}");
    let velocity = solve(&planes, 1, 1.0, [0.0, 0.0]);
    assert!(
        (velocity[0] - 0.2).abs() < 1e-9,
        "the first one is a wall: {velocity:?}"
    );
}
