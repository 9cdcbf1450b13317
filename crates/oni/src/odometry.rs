//! `sensor.odometry`.

use sedge_spacetime::{Pose2, Twist2};

use crate::typed::{pose_from_row, pose_to_row, twist_from_row, twist_to_row, values};
use crate::{InvalidMessage, Message, MessageBuilder, TypedMessage};

/// Where the base is in the drifting odometry frame, and how it moves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Odometry {
    /// The pose of the base in the odometry frame.
    pub odometry_from_base: Pose2,
    /// Velocity of the base in its own frame.
    pub twist: Twist2,
}

impl TypedMessage<'_> for Odometry {
    const NAME: &'static str = "sensor.odometry";

    fn write(&self, builder: MessageBuilder) -> Result<MessageBuilder, InvalidMessage> {
        Ok(builder
            .tensor("pose", &[3], &pose_to_row(self.odometry_from_base))?
            .tensor("twist", &[3], &twist_to_row(self.twist))?)
    }

    fn read(message: &Message<'_>) -> Result<Self, InvalidMessage> {
        Ok(Self {
            odometry_from_base: pose_from_row(values(message, "pose")?),
            twist: twist_from_row(values(message, "twist")?),
        })
    }
}
