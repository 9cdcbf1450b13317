//! What sensors give.

use crate::contacts::{Contact, ContactReading};
use crate::{DepthReading, ImuReading, LidarReading, OdometryReading, RangeBearingReading};

/// What one sensor of one robot gave in a step.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// Whose it is.
    pub robot_idx: usize,
    /// What it measured.
    pub measured: Measurement,
}

/// What a sensor measured.
#[derive(Debug, Clone, PartialEq)]
pub enum Measurement {
    /// Of the wheels.
    Odometry(OdometryReading),
    /// Of the inertial measurement unit.
    Imu(ImuReading),
    /// Of the planar scanner.
    Lidar(LidarReading),
    /// Of other robots.
    RangeBearing(RangeBearingReading),
    /// Of the depth camera.
    Depth(DepthReading),
    /// Of the hull: an episode of contact begins.
    Contact(ContactReading),
}

impl Reading {
    /// Adds what tells it from every other reading.
    pub(crate) fn write_bytes(&self, bytes: &mut Vec<u8>) {
        bytes.extend((self.robot_idx as u64).to_le_bytes());
        match &self.measured {
            Measurement::Odometry(it) => {
                let (pose, twist) = (it.odometry_from_base, it.twist);
                floats(bytes, [pose.x_m, pose.y_m, pose.yaw_rad]);
                floats(bytes, [twist.vx_mps, twist.vy_mps, twist.yaw_rate_radps]);
            }
            Measurement::Imu(it) => {
                for sample in &it.samples {
                    floats(bytes, sample.angular_velocity.map(f64::from));
                    floats(bytes, sample.linear_acceleration.map(f64::from));
                }
            }
            Measurement::Lidar(it) => {
                bytes.extend(it.ranges_m.iter().flat_map(|range| range.to_le_bytes()));
            }
            Measurement::RangeBearing(it) => {
                for peer in &it.peers {
                    bytes.extend((peer.robot_idx as u64).to_le_bytes());
                    floats(bytes, [peer.range_m, peer.bearing_rad]);
                }
            }
            Measurement::Depth(it) => {
                bytes.extend(it.depth_ticks.iter().flat_map(|tick| tick.to_le_bytes()));
            }
            Measurement::Contact(it) => {
                let (kind, idx) = match it.with {
                    Contact::Robot(idx) => (0, idx),
                    Contact::Walker(idx) => (1, idx),
                    Contact::Wall(idx) => (2, idx),
                };
                bytes.push(kind);
                bytes.extend((idx as u64).to_le_bytes());
            }
        }
    }
}

pub(crate) fn floats(bytes: &mut Vec<u8>, values: impl IntoIterator<Item = f64>) {
    bytes.extend(values.into_iter().flat_map(f64::to_le_bytes));
}
