//! What robots heard from each other.

use std::collections::BTreeMap;
use std::time::Duration;

use sedge_spacetime::{AgentName, Stamp};
use sedge_world_model::{Broadcast, NeighbourReport, Observation, SensorEvent};

use super::robot_log::RobotLog;

/// A model has a use for what a neighbour says of itself for as long as it knows where that one
/// is: this long after one of them saw the other.
const IN_TOUCH: Duration = Duration::from_secs(2);
/// Velocities are passed on at this pace, as an agent passes them on.
const MOVES_EVERY: Duration = Duration::from_millis(100);

/// All robots of a run, to ask what each of them heard.
///
/// A message is heard at its capture stamp and by everybody: delay and loss of the radio are not
/// in these files.
pub(crate) struct Hearsay<'a> {
    robots: &'a BTreeMap<AgentName, RobotLog>,
}

impl<'a> Hearsay<'a> {
    pub(crate) fn of(robots: &'a BTreeMap<AgentName, RobotLog>) -> Self {
        Self { robots }
    }

    /// What reached a robot of the others' broadcasts, by neighbour and kind.
    pub(crate) fn of_robot(&self, name: &AgentName) -> Vec<SensorEvent> {
        let Some(own) = self.robots.get(name) else {
            return Vec::new();
        };
        let others = self.robots.iter().filter(|(other, _)| *other != name);
        others
            .flat_map(|(other, log)| heard_of(name, own, other, log))
            .collect()
    }
}

/// What one robot heard of another.
fn heard_of(
    name: &AgentName,
    own: &RobotLog,
    other: &AgentName,
    log: &RobotLog,
) -> Vec<SensorEvent> {
    let says = |stamp: Stamp, said: Broadcast| SensorEvent {
        stamp,
        observation: Observation::Neighbour(NeighbourReport {
            name: other.clone(),
            said,
        }),
    };
    let mut touches: Vec<Stamp> = Vec::new();
    let mut heard = Vec::new();
    for (stamp, sightings) in &log.sightings {
        if let Some(us) = sightings.iter().find(|sighting| sighting.name == *name) {
            touches.push(*stamp);
            heard.push(says(*stamp, Broadcast::Sees(us.seen)));
        }
    }
    let of_them = own.sightings.iter().filter(|(_, seen)| sees(seen, other));
    touches.extend(of_them.map(|(stamp, _)| *stamp));
    touches.sort_unstable();
    let in_touch = |stamp: Stamp| {
        let n_before = touches.partition_point(|touch| *touch <= stamp);
        let last = n_before.checked_sub(1).map(|idx| touches[idx]);
        last.is_some_and(|last| stamp.saturating_since(last) <= IN_TOUCH)
    };
    let mut next = None;
    for (stamp, twist) in &log.twists {
        if next.is_none_or(|next| *stamp >= next) && in_touch(*stamp) {
            heard.push(says(*stamp, Broadcast::Moves(*twist)));
            next = Some(*stamp + MOVES_EVERY);
        }
    }
    let meant = log.intentions.iter().filter(|(stamp, _)| in_touch(*stamp));
    heard.extend(meant.map(|(stamp, way)| says(*stamp, Broadcast::Intends(way.clone()))));
    heard
}

fn sees(sightings: &[sedge_world_model::Sighting], other: &AgentName) -> bool {
    sightings.iter().any(|sighting| sighting.name == *other)
}
