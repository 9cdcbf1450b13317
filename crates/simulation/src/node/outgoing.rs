//! Readings and truth as ONI messages.

use sedge_oni::{
    Depth, EncodedMessage, Envelope, Goal, Imu, InvalidMessage, Lidar, Measured, MessageBuilder,
    Neighbour, Odometry, Pinhole, RangeBearing, TypedMessage, Waypoint,
};

use crate::{
    AgentState, DepthReading, ImuReading, LidarReading, OdometryReading, RangeBearingReading,
    RobotDraw, Simulation, TrueScan,
};

pub(super) fn lidar(reading: &LidarReading) -> Lidar<'_> {
    Lidar {
        first_angle_rad: reading.first_angle_rad,
        step_rad: reading.step_rad,
        ranges_m: reading.ranges_m.as_ref().into(),
    }
}

pub(super) fn odometry(reading: &OdometryReading) -> Odometry {
    Odometry {
        odometry_from_base: reading.odometry_from_base,
        twist: reading.twist,
    }
}

pub(super) fn imu(reading: &ImuReading) -> Imu<'static> {
    let samples = &reading.samples;
    let offset = |idx: u32| (reading.period * idx).as_nanos() as i64;
    let offsets = (0_u32..).zip(samples).map(|(idx, _)| offset(idx));
    Imu {
        offsets_nanos: offsets.collect(),
        angular_velocity: samples.iter().map(|it| it.angular_velocity).collect(),
        linear_acceleration: samples.iter().map(|it| it.linear_acceleration).collect(),
    }
}

pub(super) fn range_bearing(
    simulation: &Simulation,
    reading: &RangeBearingReading,
) -> RangeBearing {
    let measured = |value: f64, sigma: f64| {
        Some(Measured {
            value: value as f32,
            sigma: sigma as f32,
        })
    };
    let peers = reading.peers.iter().map(|peer| Neighbour {
        name: simulation.robot_name(peer.robot_idx).clone(),
        range_m: measured(peer.range_m, peer.range_sigma_m),
        bearing_rad: measured(peer.bearing_rad, peer.bearing_sigma_rad),
    });
    RangeBearing {
        neighbours: peers.collect(),
    }
}

pub(super) fn depth(reading: &DepthReading) -> Depth<'_> {
    Depth {
        n_columns: reading.n_columns,
        depth_ticks: reading.depth_ticks.as_slice().into(),
        metres_per_tick: reading.metres_per_tick,
        pinhole: Pinhole {
            focal_px: [reading.focal_px; 2],
            centre_px: reading.centre_px,
        },
    }
}

pub(super) fn true_pose(state: &AgentState) -> Odometry {
    Odometry {
        odometry_from_base: state.pose,
        twist: state.twist,
    }
}

/// Way points in the frame "start": the robot's pose at the start of the run.
pub(super) fn goal(simulation: &Simulation, robot_idx: usize, draw: &RobotDraw) -> Goal {
    let waypoint = |pose| Waypoint {
        goal_from_base: draw.start.between(pose),
        position_tolerance_m: draw.position_tolerance_m,
        yaw_tolerance_rad: draw.yaw_tolerance_rad,
        deadline: None,
    };
    Goal {
        agents: vec![simulation.robot_name(robot_idx).clone()],
        waypoints: draw.route.iter().copied().map(waypoint).collect(),
    }
}

/// The bytes of a typed message.
pub(super) fn encode<'a>(
    content: &impl TypedMessage<'a>,
    envelope: Envelope,
) -> Result<EncodedMessage, InvalidMessage> {
    let message = content.to_message(envelope)?;
    Ok(encoded(&message))
}

/// A scan with one tensor more: `moving`, 1 where the beam hits what moves.
pub(super) fn encode_true_scan(
    scan: &TrueScan,
    envelope: Envelope,
) -> Result<EncodedMessage, InvalidMessage> {
    let typed = Lidar {
        first_angle_rad: scan.first_angle_rad,
        step_rad: scan.step_rad,
        ranges_m: scan.ranges_m.as_slice().into(),
    };
    let builder = MessageBuilder::new(Lidar::schema().id.clone(), envelope);
    let builder = typed.write(builder)?;
    let builder = builder.tensor("moving", &[scan.moving.len()], &scan.moving)?;
    Ok(encoded(&builder.build()))
}

fn encoded(message: &sedge_oni::Message<'_>) -> EncodedMessage {
    let encoded = message.encode();
    encoded.expect("names and stamps of the envelope were checked when the lanes were made")
}
