//! `model.latent_state`.

use std::borrow::Cow;
use std::time::Duration;

use crate::command::{duration, nanos};
use crate::content::{ascending, ascending_values};
use crate::typed::values;
use crate::{InvalidMessage, Message, MessageBuilder, TypedMessage};

const HORIZONS: &str = "horizons_nanos";

/// When a latent vector holds, and whether it may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LatentStep {
    /// How far ahead of the capture stamp; zero is now.
    pub horizon: Duration,
    /// Whether the model had seen enough.
    pub validity: Validity,
}

/// Whether a latent vector may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Validity {
    /// It may.
    Valid,
    /// The model has not seen enough; the numbers are there, and mean nothing.
    Unsettled,
}

/// The latent state of a model, now or ahead.
///
/// What its numbers mean, only the model knows that the header names by its hash: latents of two
/// models must not be compared.
#[derive(Debug, Clone, PartialEq)]
pub struct LatentState<'a> {
    /// The steps, at least one, by horizon. `[step]`
    pub steps: Vec<LatentStep>,
    /// The latent vector of each step, one after the other. `[step, latent]`
    pub latent: Cow<'a, [f32]>,
}

impl LatentState<'_> {
    /// The latent vector of a step; none where there is no such step.
    pub fn vector(&self, step_idx: usize) -> Option<&[f32]> {
        let n_latents = self.latent.len().checked_div(self.steps.len())?;
        let begin = step_idx.checked_mul(n_latents)?;
        self.latent.get(begin..begin.checked_add(n_latents)?)
    }
}

impl<'a> TypedMessage<'a> for LatentState<'a> {
    const NAME: &'static str = "model.latent_state";

    fn write(&self, builder: MessageBuilder) -> Result<MessageBuilder, InvalidMessage> {
        let n_steps = self.steps.len();
        let horizons: Vec<i64> = self.steps.iter().map(|step| nanos(step.horizon)).collect();
        ascending(HORIZONS, &horizons)?;
        let valid = |step: &LatentStep| u8::from(step.validity == Validity::Valid);
        let valid: Vec<u8> = self.steps.iter().map(valid).collect();
        let n_latents = self.latent.len() / n_steps.max(1);
        Ok(builder
            .tensor(HORIZONS, &[n_steps], &horizons)?
            .tensor("valid", &[n_steps], &valid)?
            .tensor("latent", &[n_steps, n_latents], &self.latent)?)
    }

    fn read(message: &'a Message<'_>) -> Result<Self, InvalidMessage> {
        let horizons = ascending_values::<i64>(message, HORIZONS)?;
        let valid = values::<u8>(message, "valid")?;
        let step = |(nanos, valid): (&i64, &u8)| LatentStep {
            horizon: duration(*nanos),
            validity: match valid {
                0 => Validity::Unsettled,
                _ => Validity::Valid,
            },
        };
        Ok(Self {
            steps: horizons.iter().zip(valid).map(step).collect(),
            latent: values(message, "latent")?.into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_has_its_vector() {
        let step = LatentStep {
            horizon: Duration::ZERO,
            validity: Validity::Valid,
        };
        let state = LatentState {
            steps: vec![step; 2],
            latent: vec![1.0, 2.0, 3.0, 4.0].into(),
        };
        assert_eq!(state.vector(0), Some(&[1.0, 2.0][..]));
        assert_eq!(state.vector(1), Some(&[3.0, 4.0][..]));
        assert_eq!(state.vector(2), None);
        assert_eq!(state.vector(usize::MAX), None);
    }
}
