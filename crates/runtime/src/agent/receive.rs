//! From messages to sensor events: decoded, counted, judged, and put into the reorder buffer.

use std::sync::Arc;
use std::time::Duration;

use sedge_oni::{
    Command, Envelope, Goal, Imu, InvalidMessage, Key, Lidar, Message, Odometry, RangeBearing,
    Stop, TypedMessage as _,
};
use sedge_spacetime::Stamp;
use sedge_transport::{Arrival, DropPlace, DropReason, QosClass, Received};
use sedge_world_model::{ImuSample, LidarScan, Observation, Reused, ScanGeometry, SensorEvent};

use super::AgentNode;
use super::hear::{Sense, sightings};
use super::life::Silence;
use super::shared_lists::SharedLists;
use crate::Severity;
use crate::intake::{ArrivedEvent, NotTaken};
use crate::put_time::{is_end, put_time, stages_before};
use crate::registry::Standing;
use crate::restarts::Continuity;

/// The stream under which simulations publish what is really there, for graders and viewers.
const TRUTH: &str = "truth";

/// What a message says.
enum Input {
    Sensed(SensorEvent, Sense),
    Commanded(Command),
}

/// Why a message says nothing to an agent.
enum Unreadable {
    OtherType,
    Invalid(InvalidMessage),
}

impl From<InvalidMessage> for Unreadable {
    fn from(error: InvalidMessage) -> Self {
        Self::Invalid(error)
    }
}

/// The memory of events.
#[derive(Debug, Default)]
pub(super) struct Lists {
    ranges_m: SharedLists<f32>,
    samples: SharedLists<ImuSample>,
}

impl Input {
    fn read(key: &Key, message: &Message<'_>, lists: &mut Lists) -> Result<Self, Unreadable> {
        let stamp = message.envelope().capture.stamp;
        let sensed = |observation, sense| Self::Sensed(SensorEvent { stamp, observation }, sense);
        match key.message_type() {
            Lidar::NAME => {
                let scan = scan(&Lidar::from_message(message)?, lists);
                Ok(sensed(Observation::Lidar(scan), Sense::Nothing))
            }
            Odometry::NAME => {
                let odometry = Odometry::from_message(message)?;
                let pose = Observation::Odometry(odometry.odometry_from_base);
                Ok(sensed(pose, Sense::Moved(odometry)))
            }
            Imu::NAME => Ok(sensed(
                inertial(&Imu::from_message(message)?, lists),
                Sense::Nothing,
            )),
            RangeBearing::NAME => {
                let seen = RangeBearing::from_message(message)?;
                Ok(sensed(sightings(&seen), Sense::Saw(seen)))
            }
            Command::NAME => Ok(Self::Commanded(Command::from_message(message)?)),
            _ => Err(Unreadable::OtherType),
        }
    }
}

fn scan(lidar: &Lidar<'_>, lists: &mut Lists) -> LidarScan {
    let geometry = ScanGeometry {
        first_angle_rad: lidar.first_angle_rad,
        step_rad: lidar.step_rad,
        n_beams: lidar.ranges_m.len(),
    };
    LidarScan {
        geometry,
        ranges_m: lists.ranges_m.of(lidar.ranges_m.iter().copied()),
    }
}

/// Samples of a sensor whose z axis points up.
fn inertial(imu: &Imu<'_>, lists: &mut Lists) -> Observation {
    let turns = imu.angular_velocity.iter();
    let samples = turns.zip(imu.linear_acceleration.iter());
    let sample = |(nanos, (turn, pull)): (&i64, (&[f32; 3], &[f32; 3]))| ImuSample {
        offset: Duration::from_nanos(nanos.unsigned_abs()),
        yaw_rate_radps: f64::from(turn[2]),
        acceleration_mps2: [f64::from(pull[0]), f64::from(pull[1])],
    };
    let samples = imu.offsets_nanos.iter().zip(samples).map(sample);
    Observation::Imu(lists.samples.of(samples))
}

impl AgentNode {
    /// Takes one message in; whatever is wrong with it is counted and goes no further.
    pub(super) fn receive(&mut self, received: &Received, now: Stamp) {
        if self.is_of_a_neighbour(&received.key) {
            return self.hear_neighbour(received, now);
        }
        if received.key.stream() == TRUTH {
            return self.counters.add("refused-truth");
        }
        if self.life.heard(received.arrival) == Silence::Long {
            self.say(
                "gaps",
                Severity::Warn,
                "the sensor streams are back after a silence",
            );
        }
        let Some(message) = self.decoded(received) else {
            return;
        };
        let standing = self.contacts.meet(now, received, message.header());
        if standing == Standing::Waits {
            return;
        }
        let envelope = message.envelope();
        let arrival = self.loss.observe(&received.key, &envelope.source);
        if is_end(envelope) {
            return self.end(envelope, received.arrival);
        }
        if standing == Standing::Refused {
            // Which stream and why is said once, when it is decided.
            self.counters.add("refused-schema");
            return self.dropped(&received.key, DropReason::Refused);
        }
        if let Some(reason) = self.too_old(&received.key, envelope, now) {
            self.dropped(&received.key, reason);
            return self.say("refused-too-old", Severity::Warn, received.key.as_str());
        }
        match received.key.message_type() {
            Stop::NAME => return self.ordered(&received.key, &message),
            Goal::NAME => return self.sent_somewhere(&received.key, &message),
            _ => {}
        }
        match Input::read(&received.key, &message, &mut self.lists) {
            Ok(input) => self.take(input, (received, envelope), arrival),
            Err(error) => self.unreadable(&received.key, &error),
        }
    }

    /// The message, if it is one; what is none is counted and said.
    pub(super) fn decoded<'r>(&mut self, received: &'r Received) -> Option<Message<'r>> {
        let decoded = received.message.decode();
        decoded
            .inspect_err(|error| {
                self.dropped(&received.key, DropReason::Malformed);
                let text = format!("{}: {error}", received.key);
                self.say("refused-undecodable", Severity::Warn, &text);
            })
            .ok()
    }

    /// Takes in what a message says, unless its sender's past says otherwise.
    fn take(
        &mut self,
        input: Input,
        (received, envelope): (&Received, &Envelope),
        arrival: Arrival,
    ) {
        let newest = match &input {
            Input::Sensed(event, _) => self.intake.newest_of_kind(event),
            Input::Commanded(_) => None,
        };
        let stamps = (newest, envelope.capture.stamp);
        match self
            .restarts
            .judge(&received.key, &envelope.source, arrival, stamps)
        {
            Continuity::Continues => {}
            Continuity::Restarted => self.restart("restarts", "the sender began anew"),
            Continuity::Rewound => self.restart("rewinds", "the sender's stamps ran back"),
            Continuity::Over => {
                self.dropped(&received.key, DropReason::Refused);
                return self.counters.add("refused-old-epoch");
            }
            Continuity::Stale => return self.counters.add("refused-duplicate"),
        }
        match input {
            Input::Sensed(event, sense) => {
                self.reckon_with(&event, &sense);
                self.sensed(&sense, envelope, received.arrival);
                self.queue(event, envelope, received);
            }
            Input::Commanded(command) => {
                self.counters.add("commands");
                self.plans.command(envelope.capture.stamp, &command);
            }
        }
    }

    /// Notes how fast the robot goes.
    fn reckon_with(&mut self, event: &SensorEvent, sense: &Sense) {
        match (&event.observation, sense) {
            (Observation::Imu(samples), _) => self.intake.reckoning().turned(event.stamp, samples),
            (_, Sense::Moved(odometry)) => self.intake.reckoning().moved(event.stamp, odometry),
            _ => {}
        }
    }

    fn unreadable(&mut self, key: &Key, error: &Unreadable) {
        self.dropped(key, DropReason::Refused);
        let (counter, text) = match error {
            Unreadable::OtherType => ("refused-other-type", key.to_string()),
            Unreadable::Invalid(error @ InvalidMessage::Schema(_)) => {
                ("refused-schema", format!("{key}: {error}"))
            }
            Unreadable::Invalid(error) => ("refused-content", format!("{key}: {error}")),
        };
        self.say(counter, Severity::Warn, &text);
    }

    /// What follows its schema and says nothing all the same.
    pub(super) fn unreadable_content(&mut self, key: &Key, error: &InvalidMessage) {
        self.unreadable(key, &Unreadable::Invalid(error.clone()));
    }

    pub(super) fn queue(&mut self, event: SensorEvent, envelope: &Envelope, received: &Received) {
        let arrived = received.arrival;
        let domain = self.config.clock_domain.as_deref();
        let is_scan = matches!(event.observation, Observation::Lidar(_));
        let timed = match &self.stopwatch {
            Some(_) => self.began_receiving,
            None => arrived,
        };
        let put = domain.and_then(|domain| put_time(envelope, domain));
        let put = put.filter(|put| self.is_possible(*put, envelope.capture.error, arrived));
        let is_told = is_scan && put.is_some() && self.stopwatch.is_none();
        let clock = self.clock_of(envelope);
        let queued = self.intake.push(ArrivedEvent {
            event,
            arrived,
            timed,
            put,
            upstream: if is_told {
                stages_before(envelope)
            } else {
                Reused::new()
            },
            decode: self.watch().saturating_since(timed),
            trace: envelope.trace,
            clock,
            stamp_error: envelope.capture.error,
        });
        let Err(not_taken) = queued else { return };
        let (counter, reason) = match (not_taken, is_scan) {
            (NotTaken::Late, true) => ("refused-late-scan", DropReason::Refused),
            (NotTaken::Late, false) => ("refused-late-odometry", DropReason::Refused),
            (NotTaken::Full, _) => ("refused-full", DropReason::Full),
        };
        self.counters.add(counter);
        self.dropped(&received.key, reason);
    }

    /// Which clock a message's stamp is of; the same text for as long as it is the same.
    fn clock_of(&mut self, envelope: &Envelope) -> Arc<str> {
        let clock = envelope.capture.clock.as_str();
        if *self.heard_clock != *clock {
            self.heard_clock = clock.into();
        }
        Arc::clone(&self.heard_clock)
    }

    /// Why a message is too old to be used, if it is. Stamps of another clock are not compared with
    /// ours, so a log that is played is never too old.
    pub(super) fn too_old(&self, key: &Key, envelope: &Envelope, now: Stamp) -> Option<DropReason> {
        let is_comparable = self.config.clock_domain.as_deref() == Some(&envelope.capture.clock);
        let rule = QosClass::of_message_type(key.message_type()).profile().age;
        (is_comparable && !rule.admits(envelope, now)).then(|| DropReason::too_old(rule))
    }

    pub(super) fn dropped(&mut self, key: &Key, reason: DropReason) {
        self.drops.add(key, DropPlace::Reader, reason, 1);
    }

    fn end(&mut self, envelope: &Envelope, arrived: Stamp) {
        if !self.restarts.is_over(envelope.source.epoch) {
            self.life.ended(arrived);
            self.say("ends", Severity::Info, "the sensor streams have ended");
        }
    }
}
