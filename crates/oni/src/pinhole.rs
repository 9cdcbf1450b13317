//! The pinhole model of a camera.

/// How a camera without lens distortion maps points to pixels.
///
/// # Units and frames
/// The optical frame: x right, y down, z forward. A point at (x, y, z) is seen at column
/// `focal_px[0] * x / z + centre_px[0]` and row `focal_px[1] * y / z + centre_px[1]`; the centre of
/// the first pixel is at (0, 0).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pinhole {
    /// Focal lengths along columns and rows, in pixels, positive.
    pub focal_px: [f64; 2],
    /// Principal point: column, row.
    pub centre_px: [f64; 2],
}
