//! Typed messages: a Rust type, its schema, and the two ways between them.

use sedge_spacetime::{Covariance2, CovarianceError, Pose2, Twist2};

use crate::validate::validate;
use crate::{
    Dim, Element, Envelope, Message, MessageBuilder, Schema, SchemaError, SchemaMismatch,
    TensorError, schemas,
};

/// A message type of `schemas/oni/v1`.
///
/// Both ways check the schema, the shapes and every number, so that neither a bad sender nor a bad
/// reader gets past this boundary.
pub trait TypedMessage<'a>: Sized {
    /// Its schema's name, which is also its chunk of a key.
    const NAME: &'static str;

    /// Its schema.
    fn schema() -> &'static Schema {
        let schema = schemas().iter().find(|schema| schema.id.name == Self::NAME);
        schema.expect("every typed message has an embedded schema, which a test checks")
    }

    /// Lays the tensors out.
    ///
    /// # Errors
    /// [`InvalidMessage`] for messages beyond the limits, and for what the schema cannot say.
    fn write(&self, builder: MessageBuilder) -> Result<MessageBuilder, InvalidMessage>;

    /// Reads the tensors of a message that follows the schema.
    ///
    /// # Errors
    /// [`InvalidMessage`] for what the schema cannot say.
    fn read(message: &'a Message<'_>) -> Result<Self, InvalidMessage>;

    /// The message.
    ///
    /// # Errors
    /// [`InvalidMessage`] where the content does not follow the schema.
    fn to_message(&self, envelope: Envelope) -> Result<Message<'static>, InvalidMessage> {
        let builder = MessageBuilder::new(Self::schema().id.clone(), envelope);
        let message = self.write(builder)?.build();
        validate(Self::schema(), &message)?;
        Ok(message)
    }

    /// Checks the message and reads it, its large tensors in place.
    ///
    /// # Errors
    /// [`InvalidMessage`] where it is of another type or version or does not follow the schema.
    fn from_message(message: &'a Message<'_>) -> Result<Self, InvalidMessage> {
        validate(Self::schema(), message)?;
        Self::read(message)
    }
}

/// Why a message does not follow its schema.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum InvalidMessage {
    /// It is of another type or an incompatible version.
    #[error(transparent)]
    Schema(#[from] SchemaMismatch),
    /// A tensor cannot be laid out or viewed.
    #[error(transparent)]
    Tensor(#[from] TensorError),
    /// The header names a model and should not, or the other way round.
    #[error("{schema}: expected {expected} model hash in the header, got {got}")]
    ModelHash {
        /// The schema's name.
        schema: String,
        /// What the schema says.
        expected: &'static str,
        /// What came.
        got: &'static str,
    },
    /// Two dimensions of one name differ.
    #[error("tensor {tensor:?}: expected dimension {dim} to be {expected} as before, got {got}")]
    Dimension {
        /// The tensor.
        tensor: String,
        /// The dimension's name.
        dim: String,
        /// Its length in tensors before.
        expected: u64,
        /// Its length here.
        got: u64,
    },
    /// There is no value where one is needed.
    #[error("tensor {tensor:?}: expected at least one value, got shape {shape:?} of {dims:?}")]
    Empty {
        /// The tensor.
        tensor: String,
        /// What came.
        shape: Vec<u64>,
        /// What the schema says.
        dims: Vec<Dim>,
    },
    /// A number is NaN or infinite.
    #[error("tensor {tensor:?}: expected finite numbers, got {value} at {index}")]
    NotFinite {
        /// The tensor.
        tensor: String,
        /// Which value, counted flat.
        index: usize,
        /// What came.
        value: f64,
    },
    /// A number is out of the schema's range.
    #[error("tensor {tensor:?}: expected values {expected}, got {value} at {index}")]
    OutOfRange {
        /// The tensor.
        tensor: String,
        /// What the schema says.
        expected: String,
        /// Which value, counted flat.
        index: usize,
        /// What came.
        value: f64,
    },
    /// A matrix is no covariance.
    #[error("tensor {tensor:?}: {error}")]
    Covariance {
        /// The tensor.
        tensor: String,
        /// Why not.
        error: CovarianceError,
    },
    /// A text is none, or not as many as there should be.
    #[error("tensor {tensor:?}: expected {expected}, got {got:?}")]
    Text {
        /// The tensor.
        tensor: String,
        /// What it should hold.
        expected: String,
        /// What came, cut.
        got: String,
    },
    /// The document of an `agent.schema` is no schema.
    #[error(transparent)]
    Document(#[from] SchemaError),
}

/// The numbers of a tensor that the schema check has already found.
pub(crate) fn values<'m, T: Element>(
    message: &'m Message<'_>,
    name: &str,
) -> Result<&'m [T], TensorError> {
    message
        .tensor(name)
        .expect("the schema check found every required tensor")
        .values()
}

/// The only number of a tensor of shape `[1]`.
pub(crate) fn scalar<T: Element>(message: &Message<'_>, name: &str) -> Result<T, TensorError> {
    Ok(values(message, name)?[0])
}

/// The lengths of a tensor's dimensions; what came fits into memory, so they fit into `usize`.
pub(crate) fn shape<const N: usize>(message: &Message<'_>, name: &str) -> [usize; N] {
    let tensor = message.tensor(name);
    let shape = &tensor
        .expect("the schema check found every required tensor")
        .entry()
        .shape;
    std::array::from_fn(|idx| shape[idx] as usize)
}

/// Rows of `N` numbers, in place; the schema fixes the last dimension.
pub(crate) fn rows<'m, T: Element, const N: usize>(
    message: &'m Message<'_>,
    name: &str,
) -> Result<&'m [[T; N]], TensorError> {
    Ok(values::<T>(message, name)?.as_chunks().0)
}

/// Numbers that are counts: stored up to 2^63 - 1, more is stored as that.
pub(crate) fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

pub(crate) fn pose_to_row(pose: Pose2) -> [f64; 3] {
    [pose.x_m, pose.y_m, pose.yaw_rad]
}

/// `row` has three numbers: the schema fixes the dimension.
pub(crate) fn pose_from_row(row: &[f64]) -> Pose2 {
    Pose2::new(row[0], row[1], row[2])
}

pub(crate) fn twist_to_row(twist: Twist2) -> [f64; 3] {
    [twist.vx_mps, twist.vy_mps, twist.yaw_rate_radps]
}

/// `row` has three numbers: the schema fixes the dimension.
pub(crate) fn twist_from_row(row: &[f64]) -> Twist2 {
    Twist2 {
        vx_mps: row[0],
        vy_mps: row[1],
        yaw_rate_radps: row[2],
    }
}

/// Row-major; a covariance is symmetric, so the matrix's own column-major order is the same.
pub(crate) fn covariance_to_rows(covariance: &Covariance2) -> [f64; 9] {
    let matrix = covariance.matrix();
    std::array::from_fn(|idx| matrix[(idx / 3, idx % 3)])
}

/// `rows` has nine numbers: the schema fixes the dimensions.
pub(crate) fn covariance_from_rows(
    tensor: &str,
    rows: &[f64],
) -> Result<Covariance2, InvalidMessage> {
    // The matrix type belongs to spacetime's vendor; a covariance that exists lends it.
    let mut matrix = *Covariance2::zero().matrix();
    for (idx, value) in rows.iter().enumerate() {
        matrix[(idx / 3, idx % 3)] = *value;
    }
    Covariance2::new(matrix).map_err(|error| InvalidMessage::Covariance {
        tensor: tensor.to_string(),
        error,
    })
}
