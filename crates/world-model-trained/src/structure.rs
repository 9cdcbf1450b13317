//! What weights cannot say of the network: the constants of its structure, which every engine and
//! every checkpoint share. Another value needs another `CHECKPOINT_VERSION`.

use sedge_world_model::{Candidate, N_CANDIDATES};

/// Beams that a scan is resampled to before it is encoded.
pub const ENCODER_BEAMS: usize = 360;
/// Channels of an encoded scan: log range, hit, valid.
pub const ENCODER_CHANNELS: usize = 3;
/// The encoder's convolutions along the beams: channels in, channels out, stride.
pub const ENCODER_CONVS: [(usize, usize, usize); 4] =
    [(3, 16, 2), (16, 32, 2), (32, 48, 2), (48, 64, 3)];
/// Kernel of these convolutions, and of the decoder's first.
pub const WIDE_KERNEL: usize = 5;
/// Numbers of an encoded scan: channels times beams after the last convolution.
pub const ENCODED: usize = 64 * 15;
/// Numbers of a movement: x, y, yaw (scaled) and log time step.
pub const MOTION_INPUTS: usize = 4;
/// At most so many movers and neighbours are looked at, the nearest first.
pub const N_OTHERS: usize = 8;
/// Numbers of each: place, heading, velocity, doubt, age, kind, announced way, size.
pub const OTHER_INPUTS: usize = 16;
/// Numbers of the inertial unit: yaw rate, acceleration forward and left, age, and one where it is
/// there at all.
pub const IMU_INPUTS: usize = 5;
/// Width of the keys by which others are looked up.
pub const KEY: usize = 16;

/// Guards the root mean square against division by zero (DreamerV3's value).
pub const RMS_EPSILON: f32 = 1e-4;
/// The time step at which the update gate is used as it is, in seconds: a usual scan period.
pub const STEP_REFERENCE_SECS: f32 = 0.25;
/// Steps of imagination to any horizon: the time step adapts, the number of steps does not.
pub const IMAGINE_STEPS: usize = 4;

/// The geometric candidates that are components of the mixture; one free component comes after.
pub const COMPONENTS: [Candidate; 12] = [
    Candidate::Last,
    Candidate::LastNearFill,
    Candidate::Map1Latest,
    Candidate::Map1Med3,
    Candidate::Map5Med3,
    Candidate::Map20Latest,
    Candidate::Map20Med3,
    Candidate::Map5Min,
    Candidate::Map20Min,
    Candidate::StillMed3,
    Candidate::MoversWide,
    Candidate::Neighbours,
];
/// Components of the mixture, the free one included.
pub const N_COMPONENTS: usize = COMPONENTS.len() + 1;
/// What the decoder's head says of each beam: a shift, a scale and a weight per component, and
/// whether the beam returns.
pub const HEAD_CHANNELS: usize = 3 * N_COMPONENTS + 1;
/// What a beam is told of a mover: how near it passes, range, speed, age, doubt.
pub const MOVER_CHANNELS: usize = 5;
/// Channels of the decoder's input: log range and hole of each candidate, spread, age, movers,
/// motion (x, y, sin and cos of yaw), horizon, and the beam's direction (sin, cos).
pub const DECODER_CHANNELS: usize = 2 * N_CANDIDATES + 2 + MOVER_CHANNELS + 4 + 1 + 2;
/// Dilations of the decoder's residual convolutions: a receptive field of 95 beams.
pub const DILATIONS: [usize; 6] = [1, 2, 4, 8, 16, 16];
/// Kernel of these convolutions.
pub const NARROW_KERNEL: usize = 3;

/// The farthest that a component moves from its candidate, as a share of the range.
pub const SHIFT_MAX: f32 = 0.3;
/// The free component lies within this factor (as a logarithm) of [`FREE_CENTRE_M`].
pub const FREE_LOG_REACH: f32 = 2.2;
/// Where the free component starts, in metres.
pub const FREE_CENTRE_M: f32 = 2.2;
/// The sharpest component, in metres: scanners quantise to a centimetre; a finer scale would only
/// chase that.
pub const SCALE_MIN_M: f32 = 0.006;
/// The least sharp component, in metres.
pub const SCALE_MAX_M: f32 = 8.0;
/// Where scales start, in metres: a candidate's usual error, and no idea for the free component.
pub const SCALE_START_M: f32 = 0.06;

/// Numbers that the motion head says of each prediction: mean, log diagonal, off-diagonal.
pub const MOTION_OUTPUTS: usize = 9;
/// The head's log precisions stay within this of their start: a covariance is never zero.
pub const LOG_PRECISION_MAX: f32 = 4.0;
