//! The ways robots came.

use rerun::{LineStrips3D, Radius};
use sedge_spacetime::{Pose2, Stamp};

use super::height;
use super::mode::RobotMode;
use crate::color;
use crate::scan::at_height;

/// A new piece of trail is drawn after this much movement, in metres.
const PIECE_M: f64 = 0.15;
/// Whoever moves further than this between two drawings was put there, in metres.
const JUMP_M: f64 = 3.0;

/// The newest end of a trail.
#[derive(Debug, Clone, Copy)]
pub(super) struct TrailEnd {
    stamp: Stamp,
    at: Pose2,
}

/// One new piece, coloured by what the robot was doing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Piece {
    from: [f32; 3],
    to: [f32; 3],
    mode: RobotMode,
}

impl TrailEnd {
    pub(super) fn new(stamp: Stamp, at: Pose2) -> Self {
        Self { stamp, at }
    }

    /// The piece from the last end to here, when it is long enough to see. Time that runs
    /// backwards begins a new trail.
    pub(super) fn extend(&mut self, stamp: Stamp, to: Pose2, mode: RobotMode) -> Option<Piece> {
        let moved_m = self.at.between(to).distance_m();
        if stamp < self.stamp || moved_m > JUMP_M {
            *self = Self::new(stamp, to);
            return None;
        }
        self.stamp = stamp;
        if moved_m < PIECE_M {
            return None;
        }
        let [from, end] = [self.at, to].map(|p| at_height([p.x_m, p.y_m], height::TRAIL));
        self.at = to;
        Some(Piece {
            from,
            to: end,
            mode,
        })
    }
}

/// New pieces as one batch.
pub(super) fn strips(pieces: &[Piece]) -> LineStrips3D {
    let faint = |mode: RobotMode| color::mix(color::BACKGROUND, mode.color(), 0.55);
    LineStrips3D::new(pieces.iter().map(|piece| [piece.from, piece.to]))
        .with_colors(pieces.iter().map(|piece| faint(piece.mode)))
        .with_radii([Radius::new_ui_points(1.2)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trails_grow_by_pieces_and_do_not_follow_jumps() {
        let at = |secs: i64| Stamp::from_nanos(secs * 1_000_000_000);
        let x = |x_m| Pose2::new(x_m, 0.0, 0.0);
        let mut end = TrailEnd::new(at(0), x(0.0));
        let mut extend = |secs, x_m| end.extend(at(secs), x(x_m), RobotMode::Driving).is_some();
        assert!(!extend(1, 0.1), "too short to see");
        assert!(extend(2, 0.2), "short moves add up");
        assert!(!extend(3, 9.0), "a jump");
        assert!(extend(4, 9.3));
        assert!(!extend(1, 9.6), "time ran backwards");
    }
}
