//! Cross-crate tests of Sedge; this library is empty on purpose, each test target stands alone.
