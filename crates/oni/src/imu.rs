//! `sensor.imu`.

use std::borrow::Cow;

use crate::content::{ascending, ascending_values};
use crate::typed::rows;
use crate::{InvalidMessage, Message, MessageBuilder, TypedMessage};

const OFFSETS: &str = "offsets_nanos";

/// Samples of an inertial measurement unit, as measured; several at once, because one message a
/// sample would cost more than the sample.
///
/// # Units and frames
/// Axes of the sensor, which the header names. The capture stamp is the time from which
/// `offsets_nanos` count, usually that of the first sample.
#[derive(Debug, Clone, PartialEq)]
pub struct Imu<'a> {
    /// When each sample was taken after the capture stamp, in order, not negative. `[sample]`
    pub offsets_nanos: Cow<'a, [i64]>,
    /// Rate of turn about x, y, z, in rad/s. `[sample, 3]`
    pub angular_velocity: Cow<'a, [[f32; 3]]>,
    /// What an accelerometer measures along x, y, z, in m/s²: at rest, 9.81 along the axis that
    /// points up. `[sample, 3]`
    pub linear_acceleration: Cow<'a, [[f32; 3]]>,
}

impl<'a> TypedMessage<'a> for Imu<'a> {
    const NAME: &'static str = "sensor.imu";

    fn write(&self, builder: MessageBuilder) -> Result<MessageBuilder, InvalidMessage> {
        ascending(OFFSETS, &self.offsets_nanos)?;
        let (turns, pulls) = (&self.angular_velocity, &self.linear_acceleration);
        Ok(builder
            .tensor(OFFSETS, &[self.offsets_nanos.len()], &self.offsets_nanos)?
            .tensor("angular_velocity", &[turns.len(), 3], turns.as_flattened())?
            .tensor(
                "linear_acceleration",
                &[pulls.len(), 3],
                pulls.as_flattened(),
            )?)
    }

    fn read(message: &'a Message<'_>) -> Result<Self, InvalidMessage> {
        Ok(Self {
            offsets_nanos: ascending_values(message, OFFSETS)?.into(),
            angular_velocity: rows(message, "angular_velocity")?.into(),
            linear_acceleration: rows(message, "linear_acceleration")?.into(),
        })
    }
}
