//! Messages and beliefs drawn with Rerun
