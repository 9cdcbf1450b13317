//! `sensor.lidar`.

use std::borrow::Cow;

use crate::typed::{scalar, values};
use crate::{InvalidMessage, Message, MessageBuilder, TypedMessage};

/// One planar scan, as measured: codes for "no return" are still in it.
///
/// # Units and frames
/// Beam `b` has angle `first_angle_rad + b * step_rad` in the scanner's frame, which the header
/// names: 0 is forward, counter-clockwise is positive.
#[derive(Debug, Clone, PartialEq)]
pub struct Lidar<'a> {
    /// Angle of beam 0, in radians.
    pub first_angle_rad: f64,
    /// Angle from one beam to the next, in radians, positive.
    pub step_rad: f64,
    /// Range per beam, in metres, not negative. `[beam]`
    pub ranges_m: Cow<'a, [f32]>,
}

impl<'a> TypedMessage<'a> for Lidar<'a> {
    const NAME: &'static str = "sensor.lidar";

    fn write(&self, builder: MessageBuilder) -> Result<MessageBuilder, InvalidMessage> {
        Ok(builder
            .tensor("first_angle_rad", &[1], &[self.first_angle_rad])?
            .tensor("step_rad", &[1], &[self.step_rad])?
            .tensor("ranges_m", &[self.ranges_m.len()], &self.ranges_m)?)
    }

    fn read(message: &'a Message<'_>) -> Result<Self, InvalidMessage> {
        Ok(Self {
            first_angle_rad: scalar(message, "first_angle_rad")?,
            step_rad: scalar(message, "step_rad")?,
            ranges_m: Cow::Borrowed(values(message, "ranges_m")?),
        })
    }
}
