//! Who touches whom: counted by episode, not by step.

use serde::{Deserialize, Serialize};

use crate::outline::Placed;

/// Nearer than this is a touch, in metres.
pub const TOUCH_M: f64 = 0.001;
/// Farther than this ends an episode, in metres: what shakes against a wall has hit it once.
pub const PARTED_M: f64 = 0.02;

/// What a robot or walker touches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Contact {
    /// A robot, by index.
    Robot(usize),
    /// A walker, by index.
    Walker(usize),
    /// A wall, by index.
    Wall(usize),
}

/// An episode of contact of a robot begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContactReading {
    /// What it touches.
    pub with: Contact,
}

/// Two things that touch: the robot or walker with the lower index first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Touch {
    pub(crate) body: usize,
    pub(crate) other: Other,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Other {
    Body(usize),
    Wall(usize),
}

impl Touch {
    /// The distance between the two, less than zero by how deep they are in each other.
    pub(crate) fn clearance_m(self, placed: &[Placed], walls: &[Placed]) -> f64 {
        placed[self.body].clearance_m(self.other_of(placed, walls))
    }

    /// Where the other one is.
    pub(crate) fn other_of(self, placed: &[Placed], walls: &[Placed]) -> Placed {
        match self.other {
            Other::Body(other) => placed[other],
            Other::Wall(wall) => walls[wall],
        }
    }
}

/// The episodes that go on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ContactLedger {
    /// Sorted, so that looking up is quick and the order is that of the pairs.
    going_on: Vec<Touch>,
}

impl ContactLedger {
    /// Takes a pair that is near; whether an episode begins.
    pub(crate) fn offer(&mut self, touch: Touch, clearance_m: f64) -> bool {
        if clearance_m > TOUCH_M {
            return false;
        }
        let place = self.going_on.binary_search(&touch);
        if let Err(place) = place {
            self.going_on.insert(place, touch);
        }
        place.is_err()
    }

    /// Ends the episodes of those who have parted.
    pub(crate) fn part(&mut self, clearance_m: impl Fn(Touch) -> f64) {
        self.going_on
            .retain(|touch| clearance_m(*touch) <= PARTED_M);
    }
}
