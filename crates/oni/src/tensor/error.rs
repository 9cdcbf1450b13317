//! Why a tensor is refused.

use crate::Dtype;
use crate::limits::{ALIGNMENT_BYTES, NAME_BYTES_MAX, PAYLOAD_BYTES_MAX, RANK_MAX};

/// Why a tensor table, or one tensor of it, is refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum TensorError {
    /// The name is no tensor name.
    #[error("expected a tensor name of 1 to {NAME_BYTES_MAX} of a-z 0-9 _, got {got:?}")]
    Name {
        /// What came, cut.
        got: String,
    },
    /// Two tensors have one name.
    #[error("expected tensor names to differ, got {name:?} twice")]
    SameName {
        /// The name.
        name: String,
    },
    /// The dtype's number is unknown.
    #[error("tensor {name:?}: expected a dtype number from 1 to 7, got {number}")]
    UnknownDtype {
        /// The tensor.
        name: String,
        /// What came.
        number: i32,
    },
    /// The encoding is unknown.
    #[error("tensor {name:?}: expected an encoding number from 1 to 4, got {number}")]
    UnknownEncoding {
        /// The tensor.
        name: String,
        /// What came.
        number: i32,
    },
    /// The encoding is for other tensors.
    #[error("tensor {name:?}: expected {expected} for encoding {encoding}, got {dtype} {shape:?}")]
    EncodingMisfit {
        /// The tensor.
        name: String,
        /// The encoding's name.
        encoding: &'static str,
        /// What it is for.
        expected: &'static str,
        /// What the tensor's numbers are.
        dtype: Dtype,
        /// The tensor's shape.
        shape: Vec<u64>,
    },
    /// The scale is none, or there is one and should not be.
    #[error("tensor {name:?}: expected {expected}, got scale {got:?}")]
    Scale {
        /// The tensor.
        name: String,
        /// What it may be.
        expected: &'static str,
        /// What came.
        got: f64,
    },
    /// The packed bytes do not unpack to the tensor.
    #[error("tensor {name:?}: expected {encoding} bytes with {expected}, got {got}")]
    PackedData {
        /// The tensor.
        name: String,
        /// The encoding's name.
        encoding: &'static str,
        /// What they should hold.
        expected: String,
        /// What is wrong with them.
        got: String,
    },
    /// Unpacked, the tensors take more bytes than a payload may have.
    #[error(
        "tensor {name:?}: expected all tensors to take at most {PAYLOAD_BYTES_MAX} bytes unpacked, \
         got {got} with it"
    )]
    UnpackedTooLarge {
        /// The first tensor that is too much.
        name: String,
        /// Bytes up to its end.
        got: u64,
    },
    /// A number cannot be packed.
    #[error(
        "tensor {name:?}: expected finite numbers of -128 to 127 steps of {scale:?} for encoding \
         int8, got {value} at {index}"
    )]
    NotInt8 {
        /// The tensor.
        name: String,
        /// What one step is worth.
        scale: f64,
        /// Which value, counted flat.
        index: usize,
        /// What it is.
        value: f64,
    },
    /// There is no tensor of this name to be packed.
    #[error("expected the name of a tensor of the message, got {name:?}")]
    NoSuchTensor {
        /// What was asked for, cut.
        name: String,
    },
    /// Too many dimensions.
    #[error("tensor {name:?}: expected at most {RANK_MAX} dimensions, got {got}")]
    Rank {
        /// The tensor.
        name: String,
        /// What came.
        got: usize,
    },
    /// The shape and dtype take more bytes than a payload may have.
    #[error("tensor {name:?}: expected at most {PAYLOAD_BYTES_MAX} bytes, got shape {shape:?}")]
    TooLarge {
        /// The tensor.
        name: String,
        /// What came.
        shape: Vec<u64>,
    },
    /// The length is not what shape and dtype take.
    #[error("tensor {name:?}: expected length {expected} from its shape and dtype, got {got}")]
    Length {
        /// The tensor.
        name: String,
        /// From shape and dtype.
        expected: u64,
        /// What came.
        got: u64,
    },
    /// The offset is not aligned.
    #[error("tensor {name:?}: expected an offset that {ALIGNMENT_BYTES} divides, got {offset}")]
    Unaligned {
        /// The tensor.
        name: String,
        /// What came.
        offset: u64,
    },
    /// The tensor ends behind the payload's end.
    #[error("tensor {name:?}: expected it to end by byte {payload_bytes}, got {offset}+{length}")]
    OutOfPayload {
        /// The tensor.
        name: String,
        /// First byte.
        offset: u64,
        /// Bytes.
        length: u64,
        /// Bytes that there are.
        payload_bytes: usize,
    },
    /// Two tensors share bytes.
    #[error("expected tensors {first:?} and {second:?} to share no byte, they overlap")]
    Overlap {
        /// The one that begins earlier.
        first: String,
        /// The other.
        second: String,
    },
    /// A view of another type was asked for.
    #[error("tensor {name:?}: expected dtype {expected}, got {got}")]
    OtherDtype {
        /// The tensor.
        name: String,
        /// What was asked for.
        expected: Dtype,
        /// What it is.
        got: Dtype,
    },
}
