//! The transport traits over Zenoh
