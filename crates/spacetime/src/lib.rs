//! When and where: stamps, clocks as values, names, SE(2) and SE(3) poses, twists, covariances.
//!
//! The ground floor of the house. It never does I/O, knows no wire format and reads no clock: a
//! [`Clock`] is a parameter, and its real implementation lives in `runtime`.
//!
//! Conventions: SI units, radians, x forward, y left, z up. Transforms are named `a_from_b` and map
//! coordinates in `b` to coordinates in `a`.
//!
//! ```
//! use sedge_spacetime::{Pose2, Stamp};
//! use std::time::Duration;
//!
//! let world_from_base = Pose2::new(1.0, 0.0, std::f64::consts::FRAC_PI_2);
//! let point_in_world = world_from_base.transform([2.0, 0.0]);
//! assert!((point_in_world[0] - 1.0).abs() < 1e-12 && (point_in_world[1] - 2.0).abs() < 1e-12);
//!
//! let later = Stamp::from_nanos(5) + Duration::from_nanos(7);
//! assert_eq!(later.nanos(), 12);
//! ```

mod clock;
mod covariance;
mod name;
mod pose2;
mod pose3;
mod stamp;

pub use clock::{Clock, ManualClock};
pub use covariance::{Covariance2, Covariance3, CovarianceError};
pub use name::{AgentName, FrameName, NameError};
pub use pose2::{Pose2, Twist2, wrap_angle};
pub use pose3::{Pose3, Twist3};
pub use stamp::{Stamp, StampError};
