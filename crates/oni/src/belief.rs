//! `model.belief`.

use std::borrow::Cow;

use sedge_spacetime::{Covariance2, Pose2};

use crate::typed::{covariance_from_rows, covariance_to_rows, pose_from_row, pose_to_row, values};
use crate::{InvalidMessage, Message, MessageBuilder, TypedMessage};

/// What an agent believes about itself at the capture stamp.
#[derive(Debug, Clone, PartialEq)]
pub struct BeliefReport<'a> {
    /// Where the scanner is; the world is where the model began.
    pub world_from_scanner: Pose2,
    /// Uncertainty of the movement since the scan before, in the scanner's frame.
    pub covariance: Covariance2,
    /// The latent state, empty for a model that has none. `[latent]`
    pub latent: Cow<'a, [f32]>,
}

impl<'a> TypedMessage<'a> for BeliefReport<'a> {
    const NAME: &'static str = "model.belief";

    fn write(&self, builder: MessageBuilder) -> Result<MessageBuilder, InvalidMessage> {
        Ok(builder
            .tensor("pose", &[3], &pose_to_row(self.world_from_scanner))?
            .tensor("covariance", &[3, 3], &covariance_to_rows(&self.covariance))?
            .tensor("latent", &[self.latent.len()], &self.latent)?)
    }

    fn read(message: &'a Message<'_>) -> Result<Self, InvalidMessage> {
        Ok(Self {
            world_from_scanner: pose_from_row(values(message, "pose")?),
            covariance: covariance_from_rows("covariance", values(message, "covariance")?)?,
            latent: Cow::Borrowed(values(message, "latent")?),
        })
    }
}
