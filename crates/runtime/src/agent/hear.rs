//! What others say to a driving agent: neighbours, orders, goals.

use std::sync::Arc;

use sedge_oni::{
    Envelope, Forecast, Goal, InvalidMessage, Key, Message, Odometry, RangeBearing,
    Severity as StopSeverity, Stop, TypedMessage as _,
};
use sedge_spacetime::{AgentName, Stamp};
use sedge_transport::{DropReason, Received};
use sedge_world_model::{
    Broadcast, IntendedMotion, Measured, NeighbourReport, Observation, Seen, SensorEvent, Sighting,
};

use super::AgentNode;
use crate::Severity;
use crate::driving::{GoalNotTaken, Hearing, StopHeard};
use crate::registry::Standing;

/// What own sensors say beside what the model takes in.
pub(super) enum Sense {
    Nothing,
    Moved(Odometry),
    Saw(RangeBearing),
}

/// Whom the own range/bearing sensor sees.
pub(super) fn sightings(seen: &RangeBearing) -> Observation {
    let sighting = |neighbour: &sedge_oni::Neighbour| Sighting {
        name: neighbour.name.clone(),
        seen: seen_of(neighbour),
    };
    Observation::RangeBearing(seen.neighbours.iter().map(sighting).collect())
}

fn seen_of(neighbour: &sedge_oni::Neighbour) -> Seen {
    let measured = |it: sedge_oni::Measured| Measured {
        value: f64::from(it.value),
        sigma: f64::from(it.sigma),
    };
    Seen {
        range_m: neighbour.range_m.map(measured),
        bearing_rad: neighbour.bearing_rad.map(measured),
    }
}

/// What a neighbour's message says to `robot`; nothing where it does not speak of it.
fn broadcast(
    message_type: &str,
    message: &Message<'_>,
    robot: &AgentName,
) -> Result<Option<Broadcast>, InvalidMessage> {
    Ok(match message_type {
        RangeBearing::NAME => {
            let seen = RangeBearing::from_message(message)?.neighbours;
            let us = seen.iter().find(|neighbour| neighbour.name == *robot);
            us.map(|us| Broadcast::Sees(seen_of(us)))
        }
        Odometry::NAME => Some(Broadcast::Moves(Odometry::from_message(message)?.twist)),
        _ => {
            let motion = |at: &sedge_oni::ScanForecast<'_>| IntendedMotion {
                ahead: at.horizon,
                now_from_then: at.motion,
                covariance: at.covariance,
            };
            let forecast = Forecast::from_message(message)?;
            let motions: Arc<[IntendedMotion]> = forecast.horizons.iter().map(motion).collect();
            Some(Broadcast::Intends(motions))
        }
    })
}

impl AgentNode {
    /// Whether a message is for an agent that drives, and from another robot of its fleet; of what
    /// it hears of itself, only its sensors are anything new.
    pub(super) fn is_of_a_neighbour(&self, key: &Key) -> bool {
        let is_own = key.agent() == self.config.robot.as_str();
        self.controller.is_some()
            && match key.message_type() {
                Forecast::NAME => true,
                RangeBearing::NAME | Odometry::NAME => !is_own,
                _ => false,
            }
    }

    /// Listens to a neighbour, if it is near. Its messages are in no loss ledger: those of robots
    /// far off are not even looked at.
    pub(super) fn hear_neighbour(&mut self, received: &Received, now: Stamp) {
        let Some(controller) = &mut self.controller else {
            return;
        };
        let (name, message_type) = (received.key.agent(), received.key.message_type());
        if name == self.config.robot.as_str() {
            return;
        }
        let neighbourhood = &mut controller.neighbourhood;
        match neighbourhood.hears(name, message_type, received.arrival) {
            Hearing::Listen => {}
            Hearing::TooFar => return self.counters.add("neighbours-too-far"),
            Hearing::TooSoon => return self.counters.add("neighbours-too-soon"),
        }
        let Some(message) = self.decoded(received) else {
            return;
        };
        match self.contacts.meet(now, received, message.header()) {
            Standing::Passes => {}
            Standing::Waits => return,
            Standing::Refused => {
                self.counters.add("refused-schema");
                return self.dropped(&received.key, DropReason::Refused);
            }
        }
        let envelope = message.envelope();
        let is_news = self.controller.as_mut().is_some_and(|controller| {
            let neighbourhood = &mut controller.neighbourhood;
            neighbourhood.is_news(name, message_type, &envelope.source)
        });
        if !is_news {
            return self.counters.add("neighbours-old-news");
        }
        if !self.is_comparable(envelope.into(), received.arrival) {
            return self.counters.add("neighbours-of-another-clock");
        }
        if let Some(reason) = self.too_old(&received.key, envelope, now) {
            self.counters.add("neighbours-too-old");
            return self.dropped(&received.key, reason);
        }
        let said = match broadcast(message_type, &message, &self.config.robot) {
            Ok(Some(said)) => said,
            Ok(None) => return,
            Err(error) => return self.unreadable_content(&received.key, &error),
        };
        let Ok(name) = AgentName::new(name) else {
            return;
        };
        self.counters.add("neighbours-heard");
        let observation = Observation::Neighbour(NeighbourReport { name, said });
        let stamp = envelope.capture.stamp;
        let event = SensorEvent { stamp, observation };
        self.queue(event, envelope, received);
    }

    /// Notes what driving needs to know of the own sensors.
    pub(super) fn sensed(&mut self, sense: &Sense, envelope: &Envelope, arrival: Stamp) {
        let is_comparable =
            matches!(sense, Sense::Moved(_)) && self.is_comparable(envelope.into(), arrival);
        let Some(controller) = &mut self.controller else {
            return;
        };
        match sense {
            Sense::Nothing => {}
            Sense::Moved(odometry) if is_comparable => {
                let stamp = envelope.capture.stamp;
                controller.whereabouts.moved(stamp, odometry);
            }
            Sense::Moved(_) => self.counters.add("odometry-of-another-clock"),
            Sense::Saw(seen) => controller.neighbourhood.saw(seen),
        }
    }

    /// Obeys an order to stop or to go on, if it is meant.
    pub(super) fn ordered(&mut self, key: &Key, message: &Message<'_>) {
        let stop = match Stop::from_message(message) {
            Ok(stop) => stop,
            Err(error) => return self.unreadable_content(key, &error),
        };
        let Some(controller) = &mut self.controller else {
            return;
        };
        if !stop.is_for(&self.config.robot) {
            return;
        }
        let source = &message.envelope().source;
        let counter = match controller.orders.hear(key, source, stop.severity) {
            StopHeard::Taken => match stop.severity {
                StopSeverity::Release => "stops-released",
                _ => "stops",
            },
            StopHeard::Older => return self.counters.add("stops-older"),
            StopHeard::Unreleasable => "stops-unreleasable",
        };
        self.order_came = true;
        let text = format!("{:?} by {}: {}", stop.severity, key.agent(), stop.reason);
        self.say(counter, Severity::Info, &text);
    }

    /// Takes a goal, if it is meant.
    pub(super) fn sent_somewhere(&mut self, key: &Key, message: &Message<'_>) {
        let goal = match Goal::from_message(message) {
            Ok(goal) => goal,
            Err(error) => return self.unreadable_content(key, &error),
        };
        let Some(controller) = &mut self.controller else {
            return;
        };
        let (envelope, robot) = (message.envelope(), &self.config.robot);
        match controller.take_goal(key, envelope, &goal, robot) {
            Ok(()) => {
                let text = format!("{} waypoints by {key}", goal.waypoints.len());
                self.say("goals", Severity::Info, &text);
            }
            Err(GoalNotTaken::ForOthers) => {}
            Err(GoalNotTaken::Older) => self.counters.add("goals-older"),
            Err(error) => {
                self.dropped(key, DropReason::Refused);
                let text = format!("{key}: {error}");
                self.say("goals-refused", Severity::Warn, &text);
            }
        }
    }
}
