//! Error codes: one name for a refusal in every language, as the specification lists them.

use std::fmt;

use crate::{
    BundleError, DecodeError, FrameError, HeaderError, InvalidMessage, SchemaMismatch, TensorError,
};

/// Why bytes or a message are refused, by its name in the specification.
///
/// Counters of refused messages go by it, and the invalid golden vectors name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ErrorCode(&'static str);

macro_rules! codes {
    ($($name:ident = $text:literal,)*) => {
        impl ErrorCode {
            /// Every code, in the order of the specification.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];
            $(
                #[doc = concat!("`", $text, "`")]
                pub const $name: Self = Self($text);
            )*
        }
    };
}

codes! {
    BAD_MAGIC = "bad-magic",
    TRUNCATED_FRAME = "truncated-frame",
    BAD_CHECKSUM = "bad-checksum",
    BAD_BUNDLE = "bad-bundle",
    HEADER_TOO_LONG = "header-too-long",
    PAYLOAD_TOO_LONG = "payload-too-long",
    BAD_PROTOBUF = "bad-protobuf",
    BAD_FIELD_LENGTH = "bad-field-length",
    ZERO_ID = "zero-id",
    BAD_NAME = "bad-name",
    TOO_MANY_ENTRIES = "too-many-entries",
    BAD_DURATION = "bad-duration",
    DUPLICATE_TENSOR = "duplicate-tensor",
    UNKNOWN_DTYPE = "unknown-dtype",
    UNKNOWN_ENCODING = "unknown-encoding",
    TOO_MANY_DIMENSIONS = "too-many-dimensions",
    TENSOR_TOO_LARGE = "tensor-too-large",
    TENSOR_LENGTH = "tensor-length",
    TENSOR_UNALIGNED = "tensor-unaligned",
    TENSOR_OUTSIDE = "tensor-outside",
    TENSOR_OVERLAP = "tensor-overlap",
    ENCODING_MISFIT = "encoding-misfit",
    BAD_SCALE = "bad-scale",
    BAD_PACKED_DATA = "bad-packed-data",
    UNKNOWN_SCHEMA = "unknown-schema",
    OTHER_SCHEMA = "other-schema",
    OTHER_MAJOR = "other-major",
    OTHER_HASH = "other-hash",
    OTHER_TENSOR = "other-tensor",
    MODEL_HASH = "model-hash",
    DIMENSION_MISMATCH = "dimension-mismatch",
    EMPTY_TENSOR = "empty-tensor",
    NOT_FINITE = "not-finite",
    OUT_OF_RANGE = "out-of-range",
    NOT_A_COVARIANCE = "not-a-covariance",
    BAD_TEXT = "bad-text",
    BAD_SCHEMA_DOCUMENT = "bad-schema-document",
}

impl ErrorCode {
    /// Its text, such as `tensor-overlap`.
    pub fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl FrameError {
    /// Its code.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Magic { .. } => ErrorCode::BAD_MAGIC,
            Self::Truncated { .. } => ErrorCode::TRUNCATED_FRAME,
            Self::TooLong { part: "header", .. } => ErrorCode::HEADER_TOO_LONG,
            Self::TooLong { .. } => ErrorCode::PAYLOAD_TOO_LONG,
            Self::Checksum { .. } => ErrorCode::BAD_CHECKSUM,
            Self::Message(error) => error.code(),
        }
    }
}

impl BundleError {
    /// Its code.
    pub fn code(&self) -> ErrorCode {
        ErrorCode::BAD_BUNDLE
    }
}

impl DecodeError {
    /// Its code.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Header(error) => error.code(),
            Self::Tensor(error) => error.code(),
            Self::PayloadTooLong { .. } => ErrorCode::PAYLOAD_TOO_LONG,
        }
    }
}

impl HeaderError {
    /// Its code.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::TooLong { .. } => ErrorCode::HEADER_TOO_LONG,
            Self::Protobuf(_) => ErrorCode::BAD_PROTOBUF,
            Self::FieldLength { .. } => ErrorCode::BAD_FIELD_LENGTH,
            Self::ZeroId { .. } => ErrorCode::ZERO_ID,
            Self::Name(_) | Self::Text { .. } => ErrorCode::BAD_NAME,
            Self::TooMany { .. } => ErrorCode::TOO_MANY_ENTRIES,
            Self::Duration { .. } => ErrorCode::BAD_DURATION,
            Self::Tensor(error) => error.code(),
        }
    }
}

impl TensorError {
    /// Its code.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Name { .. } => ErrorCode::BAD_NAME,
            Self::SameName { .. } => ErrorCode::DUPLICATE_TENSOR,
            Self::UnknownDtype { .. } => ErrorCode::UNKNOWN_DTYPE,
            Self::UnknownEncoding { .. } => ErrorCode::UNKNOWN_ENCODING,
            Self::EncodingMisfit { .. } => ErrorCode::ENCODING_MISFIT,
            Self::Scale { .. } => ErrorCode::BAD_SCALE,
            Self::PackedData { .. } => ErrorCode::BAD_PACKED_DATA,
            Self::UnpackedTooLarge { .. } => ErrorCode::PAYLOAD_TOO_LONG,
            // Writers only.
            Self::NotInt8 { .. } => ErrorCode::OUT_OF_RANGE,
            Self::Rank { .. } => ErrorCode::TOO_MANY_DIMENSIONS,
            Self::TooLarge { .. } => ErrorCode::TENSOR_TOO_LARGE,
            Self::Length { .. } => ErrorCode::TENSOR_LENGTH,
            Self::Unaligned { .. } => ErrorCode::TENSOR_UNALIGNED,
            Self::OutOfPayload { .. } => ErrorCode::TENSOR_OUTSIDE,
            Self::Overlap { .. } => ErrorCode::TENSOR_OVERLAP,
            Self::NoSuchTensor { .. } | Self::OtherDtype { .. } => ErrorCode::OTHER_TENSOR,
        }
    }
}

impl SchemaMismatch {
    /// Its code.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Unknown { .. } => ErrorCode::UNKNOWN_SCHEMA,
            Self::OtherType { .. } => ErrorCode::OTHER_SCHEMA,
            Self::OtherMajor { .. } => ErrorCode::OTHER_MAJOR,
            Self::OtherHash { .. } => ErrorCode::OTHER_HASH,
            Self::OtherTensor { .. } => ErrorCode::OTHER_TENSOR,
        }
    }
}

impl InvalidMessage {
    /// Its code.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Schema(error) => error.code(),
            Self::Tensor(error) => error.code(),
            Self::ModelHash { .. } => ErrorCode::MODEL_HASH,
            Self::Dimension { .. } => ErrorCode::DIMENSION_MISMATCH,
            Self::Empty { .. } => ErrorCode::EMPTY_TENSOR,
            Self::NotFinite { .. } => ErrorCode::NOT_FINITE,
            Self::OutOfRange { .. } => ErrorCode::OUT_OF_RANGE,
            Self::Covariance { .. } => ErrorCode::NOT_A_COVARIANCE,
            Self::Text { .. } => ErrorCode::BAD_TEXT,
            Self::Document(_) => ErrorCode::BAD_SCHEMA_DOCUMENT,
        }
    }
}
