//! The header as it is on the wire: `schemas/oni/v1/header.proto`, written by hand.

/// `oni.v1.Header`.
#[derive(Clone, PartialEq, ::prost::Message)]
pub(crate) struct Header {
    #[prost(string, tag = "1")]
    pub(crate) schema_name: String,
    #[prost(uint32, tag = "2")]
    pub(crate) schema_major: u32,
    #[prost(uint32, tag = "3")]
    pub(crate) schema_minor: u32,
    #[prost(bytes = "vec", tag = "4")]
    pub(crate) schema_hash: Vec<u8>,
    #[prost(string, tag = "5")]
    pub(crate) agent: String,
    #[prost(uint64, tag = "6")]
    pub(crate) epoch: u64,
    #[prost(uint64, tag = "7")]
    pub(crate) sequence: u64,
    #[prost(sfixed64, tag = "8")]
    pub(crate) capture_nanos: i64,
    #[prost(string, tag = "9")]
    pub(crate) clock_id: String,
    #[prost(uint64, tag = "10")]
    pub(crate) capture_error_nanos: u64,
    #[prost(string, tag = "11")]
    pub(crate) frame_id: String,
    #[prost(bytes = "vec", tag = "12")]
    pub(crate) trace_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "13")]
    pub(crate) span_id: Vec<u8>,
    #[prost(uint64, tag = "14")]
    pub(crate) deadline_nanos: u64,
    #[prost(uint64, tag = "15")]
    pub(crate) lifespan_nanos: u64,
    #[prost(bytes = "vec", tag = "16")]
    pub(crate) model_hash: Vec<u8>,
    #[prost(message, repeated, tag = "17")]
    pub(crate) ledger: Vec<LedgerEntry>,
    #[prost(message, repeated, tag = "18")]
    pub(crate) tensors: Vec<Tensor>,
}

/// `oni.v1.LedgerEntry`.
#[derive(Clone, PartialEq, Eq, ::prost::Message)]
pub(crate) struct LedgerEntry {
    #[prost(string, tag = "1")]
    pub(crate) stage: String,
    #[prost(uint64, tag = "2")]
    pub(crate) nanos: u64,
}

/// `oni.v1.Tensor`; the enums stay numbers so that unknown ones can be named in an error.
#[derive(Clone, PartialEq, ::prost::Message)]
pub(crate) struct Tensor {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(int32, tag = "2")]
    pub(crate) dtype: i32,
    #[prost(uint64, repeated, tag = "3")]
    pub(crate) shape: Vec<u64>,
    #[prost(uint64, tag = "4")]
    pub(crate) offset: u64,
    #[prost(uint64, tag = "5")]
    pub(crate) length: u64,
    #[prost(int32, tag = "6")]
    pub(crate) encoding: i32,
    #[prost(double, tag = "7")]
    pub(crate) scale: f64,
}

#[cfg(test)]
mod tests;
