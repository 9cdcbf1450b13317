//! What a decoder accepts at most; anything beyond is refused before memory is taken for it.
//!
//! A decoded header takes less than 32 KiB, whatever came: rows beyond the limits are counted and
//! not kept. A payload is copied at most once, or unpacked once into at most
//! [`PAYLOAD_BYTES_MAX`].

/// Bytes of an encoded header.
pub const HEADER_BYTES_MAX: usize = 64 * 1024;
/// Bytes of a payload.
pub const PAYLOAD_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Messages of a bundle.
pub const BUNDLE_MESSAGES_MAX: usize = 1024;
/// Bytes of a bundle, its attachment and its payload together: what one batch of a link takes.
pub const BUNDLE_BYTES_MAX: usize = 62 * 1024;
/// Tensors in a message.
pub const TENSORS_MAX: usize = 64;
/// Dimensions of a tensor.
pub const RANK_MAX: usize = 8;
/// Entries of a header's ledger.
pub const LEDGER_ENTRIES_MAX: usize = 64;
/// Bytes of each name in a header: agent, frame, clock, schema, stage, tensor.
pub const NAME_BYTES_MAX: usize = 64;
/// Bytes of a key expression.
pub const KEY_BYTES_MAX: usize = 320;
/// Every tensor begins at a multiple of this many bytes of the payload.
pub const ALIGNMENT_BYTES: usize = 64;
/// Bytes of a schema document.
pub const SCHEMA_BYTES_MAX: usize = 256 * 1024;
/// Levels of objects and arrays in a schema document.
pub const SCHEMA_DEPTH_MAX: usize = 64;
/// Bytes of a text in a tensor.
pub const TEXT_BYTES_MAX: usize = 1024;
/// Lines of a list in a tensor.
pub const LINES_MAX: usize = 64 * 1024;
