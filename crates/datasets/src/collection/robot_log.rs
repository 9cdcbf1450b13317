//! One agent's messages, and the episode that they make.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use sedge_oni::{Forecast, Imu, InvalidMessage, Lidar, Message, Odometry, RangeBearing};
use sedge_oni::{InvalidMessage as Invalid, TypedMessage};
use sedge_spacetime::{Pose2, Stamp, Twist2};
use sedge_world_model::{
    Episode, EpisodeScan, ImuSample, IntendedMotion, LidarScan, Measured, Observation,
    OdometrySample, ScanGeometry, Seen, SensorEvent, Sighting,
};

use super::WORLD_FRAME;

/// The tensor that marks the noise-free scan: 1 where a beam hits a body that moves or could.
const MOVING: &str = "moving";

/// What became of a message.
pub(crate) enum Kept {
    /// It takes about so much memory.
    Bytes(usize),
    /// It is of a type that no episode has.
    Unused,
}

/// Everything that one agent said, in the order of the file.
#[derive(Debug, Default)]
pub(crate) struct RobotLog {
    geometry: Option<ScanGeometry>,
    scans: Vec<(Stamp, LidarScan)>,
    moving: BTreeMap<Stamp, Arc<[bool]>>,
    truth: BTreeMap<Stamp, Pose2>,
    odometry: Vec<(Stamp, Pose2)>,
    imu: Vec<SensorEvent>,
    /// Its own velocity by its odometry.
    pub(crate) twists: Vec<(Stamp, Twist2)>,
    /// Whom it saw.
    pub(crate) sightings: Vec<(Stamp, Arc<[Sighting]>)>,
    /// Where it meant to go.
    pub(crate) intentions: Vec<(Stamp, Arc<[IntendedMotion]>)>,
}

impl RobotLog {
    pub(crate) fn has_scans(&self) -> bool {
        !self.scans.is_empty()
    }

    /// Keeps what an episode has a use for.
    pub(crate) fn take(&mut self, message: &Message<'_>) -> Result<Kept, Invalid> {
        let stamp = message.envelope().capture.stamp;
        let bytes = match message.header().schema.name.as_str() {
            <Lidar<'_> as TypedMessage<'_>>::NAME => self.take_scan(stamp, message)?,
            <Odometry as TypedMessage<'_>>::NAME => self.take_odometry(stamp, message)?,
            <Imu<'_> as TypedMessage<'_>>::NAME => self.take_imu(stamp, message)?,
            <RangeBearing as TypedMessage<'_>>::NAME => {
                let seen = RangeBearing::from_message(message)?;
                let sightings: Arc<[Sighting]> = seen.neighbours.iter().map(sighting).collect();
                let bytes = size_of_val(&*sightings);
                self.sightings.push((stamp, sightings));
                bytes
            }
            <Forecast<'_> as TypedMessage<'_>>::NAME => {
                let forecast = Forecast::from_message(message)?;
                let motions = intended(&forecast);
                let bytes = size_of_val(&*motions);
                self.intentions.push((stamp, motions));
                bytes
            }
            _ => return Ok(Kept::Unused),
        };
        Ok(Kept::Bytes(bytes + size_of::<SensorEvent>()))
    }

    fn take_scan(&mut self, stamp: Stamp, message: &Message<'_>) -> Result<usize, Invalid> {
        let lidar = Lidar::from_message(message)?;
        if let Some(moving) = message.tensor(MOVING) {
            let moving: Arc<[bool]> = moving.values::<u8>()?.iter().map(|it| *it != 0).collect();
            let bytes = moving.len();
            self.moving.insert(stamp, moving);
            return Ok(bytes);
        }
        let geometry = ScanGeometry {
            first_angle_rad: lidar.first_angle_rad,
            step_rad: lidar.step_rad,
            n_beams: lidar.ranges_m.len(),
        };
        let expected = *self.geometry.get_or_insert(geometry);
        if expected != geometry {
            return Err(other_scanner(expected, geometry));
        }
        let ranges_m: Arc<[f32]> = lidar.ranges_m.as_ref().into();
        let bytes = size_of_val(&*ranges_m);
        self.scans.push((stamp, LidarScan { geometry, ranges_m }));
        Ok(bytes)
    }

    fn take_odometry(&mut self, stamp: Stamp, message: &Message<'_>) -> Result<usize, Invalid> {
        let Odometry {
            odometry_from_base,
            twist,
        } = Odometry::from_message(message)?;
        let frame = message.envelope().frame.as_ref();
        if frame.is_some_and(|frame| frame.as_str() == WORLD_FRAME) {
            self.truth.insert(stamp, odometry_from_base);
        } else {
            self.odometry.push((stamp, odometry_from_base));
            self.twists.push((stamp, twist));
        }
        Ok(size_of::<(Stamp, Twist2)>())
    }

    fn take_imu(&mut self, stamp: Stamp, message: &Message<'_>) -> Result<usize, Invalid> {
        let imu = Imu::from_message(message)?;
        let turns = imu.angular_velocity.iter();
        let pulls = imu.linear_acceleration.iter();
        let each = imu.offsets_nanos.iter().zip(turns.zip(pulls));
        let samples: Arc<[ImuSample]> = each
            .map(|(offset_nanos, (turn, pull))| ImuSample {
                offset: Duration::from_nanos(offset_nanos.unsigned_abs()),
                yaw_rate_radps: f64::from(turn[2]),
                acceleration_mps2: [pull[0], pull[1]].map(f64::from),
            })
            .collect();
        let bytes = size_of_val(&*samples);
        let observation = Observation::Imu(samples);
        self.imu.push(SensorEvent { stamp, observation });
        Ok(bytes)
    }

    /// The episode, and how many samples of odometry were left out because they are not later
    /// than the one before. Its name and its source's hash are the caller's.
    pub(crate) fn episode(&self, heard: Vec<SensorEvent>) -> (Episode, u64) {
        let scans = self.scans.iter().map(|(stamp, scan)| EpisodeScan {
            stamp: *stamp,
            scan: scan.clone(),
            reference: self.true_pose(*stamp),
            moving: self.moving_at(*stamp, scan),
        });
        let mut odometry: Vec<OdometrySample> = Vec::with_capacity(self.odometry.len());
        for (stamp, odometry_from_base) in self.odometry.iter().copied() {
            if odometry.last().is_none_or(|last| last.stamp < stamp) {
                odometry.push(OdometrySample {
                    stamp,
                    odometry_from_base,
                });
            }
        }
        let dropped = (self.odometry.len() - odometry.len()) as u64;
        let seen = self.sightings.iter().map(|(stamp, seen)| SensorEvent {
            stamp: *stamp,
            observation: Observation::RangeBearing(Arc::clone(seen)),
        });
        let mut others: Vec<SensorEvent> = self.imu.iter().cloned().chain(seen).collect();
        others.extend(heard);
        others.sort_by_key(|event| event.stamp);
        let geometry = self.geometry.unwrap_or(ScanGeometry {
            first_angle_rad: 0.0,
            step_rad: 1.0,
            n_beams: 0,
        });
        let episode = Episode {
            name: String::new(),
            source_hash: String::new(),
            geometry,
            scans: scans.collect(),
            odometry,
            others,
        };
        (episode, dropped)
    }

    fn moving_at(&self, stamp: Stamp, scan: &LidarScan) -> Option<Arc<[bool]>> {
        let moving = self.moving.get(&stamp)?;
        (moving.len() == scan.ranges_m.len()).then(|| Arc::clone(moving))
    }

    /// Between two true poses at constant twist; none outside of them.
    fn true_pose(&self, stamp: Stamp) -> Option<Pose2> {
        let (before_stamp, before) = self.truth.range(..=stamp).next_back()?;
        if *before_stamp == stamp {
            return Some(*before);
        }
        let (after_stamp, after) = self.truth.range(stamp..).next()?;
        let share = stamp.secs_since(*before_stamp) / after_stamp.secs_since(*before_stamp);
        Some(*before * before.between(*after).powf(share))
    }
}

fn other_scanner(expected: ScanGeometry, got: ScanGeometry) -> InvalidMessage {
    InvalidMessage::Dimension {
        tensor: "ranges_m".to_owned(),
        dim: "beam".to_owned(),
        expected: expected.n_beams as u64,
        got: got.n_beams as u64,
    }
}

fn sighting(neighbour: &sedge_oni::Neighbour) -> Sighting {
    let number = |it: sedge_oni::Measured| Measured {
        value: f64::from(it.value),
        sigma: f64::from(it.sigma),
    };
    Sighting {
        name: neighbour.name.clone(),
        seen: Seen {
            range_m: neighbour.range_m.map(number),
            bearing_rad: neighbour.bearing_rad.map(number),
        },
    }
}

fn intended(forecast: &Forecast<'_>) -> Arc<[IntendedMotion]> {
    let each = forecast.horizons.iter().map(|at| IntendedMotion {
        ahead: at.horizon,
        now_from_then: at.motion,
        covariance: at.covariance,
    });
    each.collect()
}
