//! Chains: spans that follow each other and are judged together.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Stage;

/// Stages that one message goes through, and the name under which their sum is recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Chain {
    /// The name of the sum.
    pub name: Stage,
    /// What is summed, in order.
    pub stages: Vec<Stage>,
}

/// Why a chain has no total.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// A stage has no span. A sum without it would look better than the truth.
    #[error("expected a span of stage {missing} in chain {chain}, got only {got:?}")]
    MissingStage {
        /// The chain.
        chain: Stage,
        /// The stage without a span.
        missing: Stage,
        /// The stages that have one.
        got: Vec<Stage>,
    },
}

impl Chain {
    /// From the arrival of a sensor's message to the command that answers it.
    ///
    /// The sensor's own capture latency is not in it: it is a constant of the device, fitted from
    /// a log, and no code of ours can spend or save it.
    pub fn sensor_to_command() -> Self {
        Self {
            name: Stage::SENSOR_TO_COMMAND,
            stages: vec![
                Stage::DECODE,
                Stage::WAIT,
                Stage::FUSE,
                Stage::PLAN,
                Stage::SAFETY,
                Stage::ACT,
            ],
        }
    }

    /// From the arrival of a sensor's message to the prediction that holds it. An agent that
    /// drives commands first, and predicts what its command leads to; one that does not has no
    /// spans of those stages.
    pub fn sensor_to_prediction() -> Self {
        let mut stages = Self::sensor_to_command().stages;
        stages.extend([Stage::PREDICT, Stage::ENCODE]);
        let name = Stage::SENSOR_TO_PREDICTION;
        Self { name, stages }
    }

    /// The chains that an agent measures from end to end without being told.
    pub fn known() -> [Self; 5] {
        let from_put = |name, chain: Self| Self {
            name,
            stages: [Stage::WIRE].into_iter().chain(chain.stages).collect(),
        };
        [
            Self::sensor_to_command(),
            Self::sensor_to_prediction(),
            from_put(Stage::PUT_TO_COMMAND, Self::sensor_to_command()),
            from_put(Stage::PUT_TO_PREDICTION, Self::sensor_to_prediction()),
            from_put(Stage::END_TO_END, Self::sensor_to_command()),
        ]
    }

    /// Whether each of this chain's stages has a span.
    pub fn is_whole(&self, spans: &[(Stage, Duration)]) -> bool {
        let spanned = |stage: &Stage| spans.iter().any(|(other, _)| other == stage);
        self.stages.iter().all(spanned)
    }

    /// The sum of this chain's stages for one message; a stage met twice counts twice.
    ///
    /// # Errors
    /// [`ChainError::MissingStage`] when a stage of the chain has no span.
    pub fn total(&self, spans: &[(Stage, Duration)]) -> Result<Duration, ChainError> {
        let spanned = |stage: &Stage| spans.iter().any(|(other, _)| other == stage);
        if let Some(missing) = self.stages.iter().find(|stage| !spanned(stage)) {
            return Err(ChainError::MissingStage {
                chain: self.name.clone(),
                missing: missing.clone(),
                got: spans.iter().map(|(stage, _)| stage.clone()).collect(),
            });
        }
        let ours = spans
            .iter()
            .filter(|(stage, _)| self.stages.contains(stage));
        Ok(ours.fold(Duration::ZERO, |sum, (_, span)| sum.saturating_add(*span)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILLI: Duration = Duration::from_millis(1);

    #[test]
    fn total_sums_only_the_stages_of_the_chain() {
        let chain = Chain {
            name: Stage::new("two").unwrap(),
            stages: vec![Stage::FUSE],
        };
        let spans = [
            (Stage::FUSE, MILLI),
            (Stage::PLAN, MILLI),
            (Stage::FUSE, MILLI),
        ];
        assert_eq!(chain.total(&spans), Ok(2 * MILLI));
    }

    #[test]
    fn total_without_a_stage_is_refused_not_shortened() {
        let error = Chain::sensor_to_prediction()
            .total(&[(Stage::WIRE, MILLI)])
            .unwrap_err();
        let ChainError::MissingStage { missing, got, .. } = error;
        assert_eq!((missing, got), (Stage::DECODE, vec![Stage::WIRE]));
    }

    #[test]
    fn absurd_spans_saturate() {
        let spans = [(Stage::FUSE, Duration::MAX), (Stage::FUSE, MILLI)];
        let chain = Chain {
            name: Stage::new("two").unwrap(),
            stages: vec![Stage::FUSE],
        };
        assert_eq!(chain.total(&spans), Ok(Duration::MAX));
    }
}
