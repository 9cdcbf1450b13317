//! Names of stages.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

/// The longest name of a stage, in bytes: it travels in every message's ledger.
pub const STAGE_BYTES_MAX: usize = 64;

/// What a span of time was spent on, or a whole chain of it: a short name such as `fuse`.
///
/// Lower-case letters, digits and `-`, beginning with a letter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Stage(Cow<'static, str>);

/// A text that is no name of a stage.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected a stage name of 1 to {STAGE_BYTES_MAX} lower-case letters, digits and '-', \
     beginning with a letter, got {got:?}"
)]
pub struct StageError {
    /// What came, cut to the longest name and one more character.
    pub got: String,
}

impl Stage {
    /// From the physical event to the sensor's message.
    pub const CAPTURE: Self = Self(Cow::Borrowed("capture"));
    /// From the sender's publish to the receiver's inbox.
    pub const WIRE: Self = Self(Cow::Borrowed("wire"));
    /// From the inbox to a checked value, waiting included.
    pub const DECODE: Self = Self(Cow::Borrowed("decode"));
    /// From a checked value to the belief that holds it.
    pub const FUSE: Self = Self(Cow::Borrowed("fuse"));
    /// From the belief to its futures.
    pub const PREDICT: Self = Self(Cow::Borrowed("predict"));
    /// From the futures to the chosen actions.
    pub const PLAN: Self = Self(Cow::Borrowed("plan"));
    /// From what the safety filter let through to the command in the outbox.
    pub const ACT: Self = Self(Cow::Borrowed("act"));
    /// From values to bytes in the outbox.
    pub const ENCODE: Self = Self(Cow::Borrowed("encode"));
    /// From a checked value to its turn: waiting for what places it in time.
    pub const WAIT: Self = Self(Cow::Borrowed("wait"));
    /// From checked odometry to the belief that holds it.
    pub const FUSE_ODOMETRY: Self = Self(Cow::Borrowed("fuse-odometry"));
    /// From the chosen actions to what the safety filter lets through.
    pub const SAFETY: Self = Self(Cow::Borrowed("safety"));
    /// From a command that is out to the futures that the next are searched for in.
    pub const LOOK_AHEAD: Self = Self(Cow::Borrowed("look-ahead"));
    /// The chain from the arrival of a sensor's message to the prediction that holds it.
    pub const SENSOR_TO_PREDICTION: Self = Self(Cow::Borrowed("sensor-to-prediction"));
    /// The chain from the arrival of a sensor's message to the command that answers it.
    pub const SENSOR_TO_COMMAND: Self = Self(Cow::Borrowed("sensor-to-command"));
    /// [`Stage::SENSOR_TO_PREDICTION`] from the sender's publish on.
    pub const PUT_TO_PREDICTION: Self = Self(Cow::Borrowed("put-to-prediction"));
    /// [`Stage::SENSOR_TO_COMMAND`] from the sender's publish on.
    pub const PUT_TO_COMMAND: Self = Self(Cow::Borrowed("put-to-command"));
    /// [`Stage::PUT_TO_COMMAND`] and every stage before it that the message's own ledger states.
    pub const END_TO_END: Self = Self(Cow::Borrowed("end-to-end"));

    /// The stages that an agent measures, in the order in which they run.
    pub const MEASURED: [Self; 11] = [
        Self::WIRE,
        Self::DECODE,
        Self::WAIT,
        Self::FUSE_ODOMETRY,
        Self::FUSE,
        Self::PLAN,
        Self::SAFETY,
        Self::ACT,
        Self::PREDICT,
        Self::ENCODE,
        Self::LOOK_AHEAD,
    ];

    /// A stage of this name.
    ///
    /// # Errors
    /// [`StageError`] when the name is empty, too long or holds another character.
    pub fn new(name: &str) -> Result<Self, StageError> {
        let begins_well = name.starts_with(|first: char| first.is_ascii_lowercase());
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if begins_well && name.len() <= STAGE_BYTES_MAX && name.chars().all(allowed) {
            Ok(Self(Cow::Owned(name.to_owned())))
        } else {
            Err(StageError {
                got: name.chars().take(STAGE_BYTES_MAX + 1).collect(),
            })
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl TryFrom<String> for Stage {
    type Error = StageError;

    fn try_from(name: String) -> Result<Self, StageError> {
        Self::new(&name)
    }
}

impl From<Stage> for String {
    fn from(stage: Stage) -> Self {
        stage.0.into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_stages_have_valid_names_and_equal_their_parsed_selves() {
        let chains = [
            Stage::CAPTURE,
            Stage::SENSOR_TO_PREDICTION,
            Stage::SENSOR_TO_COMMAND,
            Stage::PUT_TO_PREDICTION,
            Stage::PUT_TO_COMMAND,
            Stage::END_TO_END,
        ];
        for stage in Stage::MEASURED.into_iter().chain(chains) {
            assert_eq!(Stage::new(stage.as_str()).as_ref(), Ok(&stage));
        }
    }

    #[test]
    fn other_names_are_refused_with_what_came() {
        let too_long = "x".repeat(1 << 20);
        for name in [
            "",
            "Fuse",
            "9lives",
            "-fuse",
            "fuse\n",
            "föse",
            "a b",
            too_long.as_str(),
        ] {
            let error = Stage::new(name).unwrap_err();
            assert!(name.starts_with(&error.got) && error.got.len() <= STAGE_BYTES_MAX + 1);
        }
    }

    #[test]
    fn json_form_is_the_bare_name_and_is_checked() {
        assert_eq!(serde_json::to_string(&Stage::FUSE).unwrap(), "\"fuse\"");
        assert_eq!(
            serde_json::from_str::<Stage>("\"fuse\"").unwrap(),
            Stage::FUSE
        );
        let error = serde_json::from_str::<Stage>("\"Fuse!\"")
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("expected a stage name") && error.contains("Fuse!"),
            "{error}"
        );
    }
}
