//! What a robot is doing, and where it is.

use sedge_spacetime::{AgentName, Pose2};

use crate::color::Rgb;

/// What a robot is doing: the colour of its body and of its lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RobotMode {
    /// It drives as planned.
    Driving,
    /// Its safety filter slows it down.
    Slowed,
    /// Its safety filter has stopped it, or somebody else has.
    Stopped,
    /// It has reached its goal.
    Arrived,
    /// It has not joined yet, or is dead.
    Away,
}

impl RobotMode {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Driving,
        Self::Slowed,
        Self::Stopped,
        Self::Arrived,
        Self::Away,
    ];

    /// Its name in lanes.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Driving => "driving",
            Self::Slowed => "slowed",
            Self::Stopped => "stopped",
            Self::Arrived => "arrived",
            Self::Away => "away",
        }
    }

    /// Colours that differ in brightness too, for those who see fewer hues.
    pub(crate) const fn color(self) -> Rgb {
        match self {
            Self::Driving => [86, 180, 233],
            Self::Slowed => [240, 180, 40],
            Self::Stopped => [226, 84, 30],
            Self::Arrived => [42, 157, 122],
            Self::Away => [90, 98, 112],
        }
    }
}

/// Where a robot is and what it is doing.
#[derive(Debug, Clone, PartialEq)]
pub struct RobotState {
    /// Which robot.
    pub name: AgentName,
    /// Where it is: the truth where that is known, else its belief.
    pub world_from_base: Pose2,
    /// What it is doing.
    pub mode: RobotMode,
}
