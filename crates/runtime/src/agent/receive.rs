//! From messages to sensor events: decoded, counted, judged, and put into the reorder buffer.

use std::sync::Arc;

use sedge_oni::{
    Command, Envelope, InvalidMessage, Key, Lidar, Message, Odometry, TypedMessage as _,
};
use sedge_spacetime::Stamp;
use sedge_transport::Received;
use sedge_world_model::{LidarScan, Observation, ScanGeometry, SensorEvent};

use super::AgentNode;
use super::life::Silence;
use crate::Severity;
use crate::intake::{ArrivedEvent, NotTaken};
use crate::put_time::{is_end, put_time};
use crate::restarts::Continuity;

/// What a message says.
enum Input {
    Sensed(SensorEvent),
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

impl Input {
    fn read(key: &Key, message: &Message<'_>) -> Result<Self, Unreadable> {
        let stamp = message.envelope().capture.stamp;
        let sensed = |observation| Self::Sensed(SensorEvent { stamp, observation });
        match key.message_type() {
            Lidar::NAME => Ok(sensed(Observation::Lidar(scan(&Lidar::from_message(
                message,
            )?)))),
            Odometry::NAME => {
                let odometry = Odometry::from_message(message)?;
                Ok(sensed(Observation::Odometry(odometry.odometry_from_base)))
            }
            Command::NAME => Ok(Self::Commanded(Command::from_message(message)?)),
            _ => Err(Unreadable::OtherType),
        }
    }
}

fn scan(lidar: &Lidar<'_>) -> LidarScan {
    let geometry = ScanGeometry {
        first_angle_rad: lidar.first_angle_rad,
        step_rad: lidar.step_rad,
        n_beams: lidar.ranges_m.len(),
    };
    LidarScan {
        geometry,
        ranges_m: Arc::from(lidar.ranges_m.as_ref()),
    }
}

impl AgentNode {
    /// Takes one message in; whatever is wrong with it is counted and goes no further.
    pub(super) fn receive(&mut self, received: &Received) {
        if self.life.heard(received.arrival) == Silence::Long {
            self.say(
                "gaps",
                Severity::Warn,
                "the sensor streams are back after a silence",
            );
        }
        let message = match received.message.decode() {
            Ok(message) => message,
            Err(error) => {
                let text = format!("{}: {error}", received.key);
                return self.say("refused-undecodable", Severity::Warn, &text);
            }
        };
        let envelope = message.envelope();
        let arrival = self.loss.observe(&received.key, &envelope.source);
        if is_end(envelope) {
            return self.end(envelope, received.arrival);
        }
        let input = match Input::read(&received.key, &message) {
            Ok(input) => input,
            Err(Unreadable::OtherType) => {
                return self.say("refused-other-type", Severity::Warn, received.key.as_str());
            }
            Err(Unreadable::Invalid(error)) => {
                let text = format!("{}: {error}", received.key);
                let is_schema = matches!(error, InvalidMessage::Schema(_));
                let counter = if is_schema {
                    "refused-schema"
                } else {
                    "refused-content"
                };
                return self.say(counter, Severity::Warn, &text);
            }
        };
        let newest = match &input {
            Input::Sensed(event) => self.intake.newest_of_kind(event),
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
            Continuity::Over => return self.counters.add("refused-old-epoch"),
            Continuity::Stale => return self.counters.add("refused-duplicate"),
        }
        match input {
            Input::Sensed(event) => self.queue(event, envelope, received.arrival),
            Input::Commanded(command) => {
                self.counters.add("commands");
                self.plans.command(envelope.capture.stamp, &command);
            }
        }
    }

    fn queue(&mut self, event: SensorEvent, envelope: &Envelope, arrived: Stamp) {
        let domain = self.config.clock_domain.as_deref();
        let is_scan = matches!(event.observation, Observation::Lidar(_));
        let queued = self.intake.push(ArrivedEvent {
            event,
            arrived,
            put: domain.and_then(|domain| put_time(envelope, domain)),
            decode: self.clock.now().saturating_since(arrived),
            trace: envelope.trace,
            clock: envelope.capture.clock.clone(),
            stamp_error: envelope.capture.error,
        });
        match (queued, is_scan) {
            (Ok(()), _) => {}
            (Err(NotTaken::Late), true) => self.counters.add("refused-late-scan"),
            (Err(NotTaken::Late), false) => self.counters.add("refused-late-odometry"),
            (Err(NotTaken::Full), _) => self.counters.add("refused-full"),
        }
    }

    fn end(&mut self, envelope: &Envelope, arrived: Stamp) {
        if !self.restarts.is_over(envelope.source.epoch) {
            self.life.ended(arrived);
            self.say("ends", Severity::Info, "the sensor streams have ended");
        }
    }
}
