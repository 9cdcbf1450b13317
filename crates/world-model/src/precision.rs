//! The numbers that imagination is computed in.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The numbers that imagination is computed in. Filtering is as the model was trained in either:
/// its errors would stay in the belief, and one row at a time gains nothing from shorter numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// Single precision, as networks are trained.
    #[default]
    F32,
    /// Products of eight-bit integers with a scale for each output of a layer and for each row of
    /// its inputs; everything else in `f32`. Scales of inputs are found as they come, so nothing is
    /// calibrated. Fast where the processor has AVX-512 VNNI; elsewhere loops with the same sums
    /// are slower than `f32`.
    Int8,
}

impl Precision {
    /// Its name, as configurations have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Int8 => "int8",
        }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A model was to imagine in numbers that it has no weights in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a model that can imagine in {precision}, got one that cannot")]
pub struct PrecisionError {
    /// What it was to imagine in.
    pub precision: Precision,
}
