//! The sedge command line
