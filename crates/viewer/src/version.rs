//! Which viewer recordings are made for.

/// The version of the viewer that opens what this build draws, such as `0.36.3`.
pub fn viewer_version() -> String {
    rerun::build_info().version.to_string()
}
