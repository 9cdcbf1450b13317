//! The colours of the screen: one meaning, one colour.

use std::time::Duration;

/// Red, green, blue.
pub(crate) type Rgb = [u8; 3];

/// Behind everything.
pub(crate) const BACKGROUND: Rgb = [13, 16, 22];
/// The metre grid.
pub(crate) const GRID: Rgb = [38, 44, 55];
/// What was sensed.
pub(crate) const SENSED: Rgb = [226, 232, 240];
/// The robot itself.
pub(crate) const ROBOT: Rgb = [134, 239, 172];
/// Where the robot was.
pub(crate) const TRAJECTORY: Rgb = [45, 140, 85];

/// What stands, in a scan that tells it from what moves.
pub(crate) const STANDING: Rgb = [148, 163, 184];
/// What moves, as sensed and as believed.
pub(crate) const MOVING: Rgb = [255, 122, 200];
/// Those who walk.
pub(crate) const WALKER: Rgb = [204, 121, 167];
/// Walls.
pub(crate) const WALL: Rgb = [84, 98, 120];
/// Where robots are to go.
pub(crate) const GOAL: Rgb = [140, 150, 165];
/// The plan a robot chose.
pub(crate) const CHOSEN: Rgb = [255, 255, 255];
/// What a robot knows of another.
pub(crate) const NEIGHBOUR: Rgb = [64, 224, 208];

const SOON: Rgb = [56, 189, 248];
const LATER: Rgb = [251, 191, 36];
const FAR: Rgb = [244, 96, 154];

/// The colour of all that is said about one horizon.
pub(crate) fn of_horizon(horizon: Duration) -> Rgb {
    match horizon.as_millis() {
        0..=750 => SOON,
        751..=1500 => LATER,
        _ => FAR,
    }
}

/// Green for a beam predicted well, through yellow at 0.25 m, to red from 0.5 m on.
pub(crate) fn of_error(error_m: f32) -> Rgb {
    const GOOD: Rgb = [74, 222, 128];
    const FAIR: Rgb = [250, 204, 21];
    const BAD: Rgb = [248, 60, 60];
    let share = error_m / 0.25;
    if share < 1.0 {
        mix(GOOD, FAIR, share)
    } else {
        mix(FAIR, BAD, share - 1.0)
    }
}

/// Green for the full rung of a ladder, through yellow, to red for the last; a ladder of one rung
/// is green.
pub(crate) fn of_rung(rung: usize, n_rungs: usize) -> Rgb {
    let last = n_rungs.saturating_sub(1).max(1);
    // As an error that goes from nothing to the worst.
    of_error(0.5 * rung as f32 / last as f32)
}

/// One of a few colours that are told apart easily, again and again.
pub(crate) fn nth(nth: usize) -> Rgb {
    const PALETTE: [Rgb; 6] = [
        [125, 211, 252],
        [167, 139, 250],
        [251, 146, 60],
        [110, 231, 183],
        [244, 114, 182],
        [250, 204, 21],
    ];
    PALETTE[nth % PALETTE.len()]
}

/// A colour between two: `a` at share 0 and below, `b` at share 1 and above.
pub(crate) fn mix(a: Rgb, b: Rgb, share: f32) -> Rgb {
    let share = share.clamp(0.0, 1.0);
    let channel = |i: usize| {
        let (a, b) = (f32::from(a[i]), f32::from(b[i]));
        (a + (b - a) * share).round() as u8
    };
    [channel(0), channel(1), channel(2)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mixing_ends_at_both_colours() {
        let (a, b) = ([0, 10, 200], [100, 20, 0]);
        assert_eq!(mix(a, b, -1.0), a);
        assert_eq!(mix(a, b, 2.0), b);
        assert_eq!(mix(a, b, 0.5), [50, 15, 100]);
    }

    #[test]
    fn rungs_go_from_green_to_red_whatever_their_number() {
        assert_eq!(of_rung(0, 1), of_error(0.0));
        for n_rungs in [2, 5, 16] {
            assert_eq!(of_rung(0, n_rungs), of_error(0.0));
            assert_eq!(of_rung(n_rungs - 1, n_rungs), of_error(0.5));
        }
    }

    #[test]
    fn errors_go_from_green_to_red() {
        let greenness = |error| i32::from(of_error(error)[1]) - i32::from(of_error(error)[0]);
        assert!(greenness(0.0) > greenness(0.25) && greenness(0.25) > greenness(0.5));
        assert_eq!(of_error(0.5), of_error(9.0));
    }
}
