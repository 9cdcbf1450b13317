//! Robots known by name: where they are, how sure that is, and where they mean to go.
//!
//! Two robots that measure each other's range and bearing know their full relative pose: the
//! heading of one in the other's frame is the difference of the two bearings plus half a turn.
//! Between measures the neighbour's own odometry carries it on, and doubt grows.

use std::collections::BTreeMap;
use std::collections::VecDeque;

use nalgebra::Matrix2;
use sedge_spacetime::{AgentName, Covariance2, Pose2, Stamp, Twist2};

use crate::event_check::{check_broadcast, check_sightings};
use crate::intention::Intention;
use crate::neighbour_place::{Heard, Note, Place};
use crate::{
    Broadcast, Mover, NeighbourReport, Observation, ObserveError, Reused, SensorEvent, Sighting,
};

/// Robots followed at once; whoever comes later is refused until one is forgotten.
const N_NEIGHBOURS_MAX: usize = 64;
/// What is heard late is sorted in among so much, seconds; what is later still is refused.
const LATE_MAX_SECS: f64 = 1.0;
/// Notes kept to be sorted in, per neighbour.
const N_NOTES_MAX: usize = 96;
/// Without any relative measure for so long a neighbour is forgotten, seconds.
const FORGOTTEN_AFTER_SECS: f64 = 5.0;
/// Intentions and velocities older than this are masked, seconds.
const FRESH_SECS: f64 = 1.0;
/// A robot that never was seen by lidar is taken to be so large, metres.
const RADIUS_ASSUMED_M: f64 = 0.25;
/// A heading with more doubt than this is unknown, radians.
const HEADING_SIGMA_MAX_RAD: f64 = 0.5;
/// How wrong an announced way gets, standard deviation in metres per second ahead.
const INTENTION_SIGMA_MPS: f64 = 0.1;
/// How wrong a held velocity gets.
const VELOCITY_SIGMA_MPS: f64 = 0.3;
/// How wrong "it stays" gets: a walking pace, about.
const UNKNOWN_SIGMA_MPS: f64 = 0.7;
/// Lidar must have followed a robot for so long before its size is believed, seconds.
const SIZE_AFTER_SECS: f64 = 0.5;

/// A robot known by name, as believed at one time.
#[derive(Debug, Clone, PartialEq)]
pub struct Neighbour {
    /// Who it is.
    pub name: AgentName,
    /// Where it is in this robot's scanner frame (`scanner_from_neighbour`).
    pub pose: Pose2,
    /// Uncertainty of x and y along this scanner's axes, and of yaw.
    pub covariance: Covariance2,
    /// Its velocity in its own frame; `None` when it has not said, or too long ago.
    pub twist: Option<Twist2>,
    /// How large it is, metres: as lidar sees it, else an assumption.
    pub radius_m: f64,
    /// Since the last measure of where it is, in seconds.
    pub age_secs: f64,
    /// Where it means to go; `None` when it has not said, or too long ago.
    pub intention: Option<Intention>,
    /// The mover that it is, if lidar sees it as one.
    pub mover: Option<u64>,
    /// Whether lidar sees it as something that stands: it is in the map of what stands.
    pub is_seen_standing: bool,
    /// Whether lidar ever saw how large it is; it keeps its size while it is hidden.
    pub(crate) is_size_known: bool,
}

impl Neighbour {
    /// Whether its heading is known well enough to use what it says in its own frame.
    pub fn heading_is_known(&self) -> bool {
        self.covariance.matrix()[(2, 2)] < HEADING_SIGMA_MAX_RAD * HEADING_SIGMA_MAX_RAD
    }

    /// Where it will be after some seconds, in the frame of [`Neighbour::pose`]: by its intention,
    /// else by its velocity, else where it is.
    pub fn pose_after(&self, secs: f64) -> Pose2 {
        if !self.heading_is_known() {
            return self.pose;
        }
        match (&self.intention, self.twist) {
            (Some(intention), _) => self.pose * intention.moved_after(secs),
            (None, Some(twist)) => self.pose * Pose2::exp(twist.scaled(secs.max(0.0))),
            (None, None) => self.pose,
        }
    }

    /// How wrong its position will be, one standard deviation of the worse axis, metres.
    pub fn sigma_after(&self, secs: f64) -> f64 {
        let now = self
            .covariance
            .matrix()
            .fixed_view::<2, 2>(0, 0)
            .into_owned();
        let now = Matrix2::symmetric_eigenvalues(&now).max().max(0.0);
        let secs = secs.max(0.0);
        let then = match (&self.intention, self.twist) {
            _ if !self.heading_is_known() => (UNKNOWN_SIGMA_MPS * secs).powi(2),
            (Some(intention), _) => {
                intention.variance_after(secs) + (INTENTION_SIGMA_MPS * secs).powi(2)
            }
            (None, Some(_)) => (VELOCITY_SIGMA_MPS * secs).powi(2),
            (None, None) => (UNKNOWN_SIGMA_MPS * secs).powi(2),
        };
        (now + then).sqrt()
    }
}

/// What is known of one neighbour, in the frame of this robot's map.
#[derive(Debug, Clone, PartialEq, Default)]
struct Track {
    /// What is older than every note.
    settled: Option<Place>,
    /// Up to when it is settled: nothing older may come.
    settled_until: Option<Stamp>,
    /// By stamp, then by kind.
    notes: VecDeque<Note>,
    intention: Option<(Stamp, Intention)>,
    /// As lidar saw it.
    radius_m: Option<f64>,
}

impl Track {
    fn note(&mut self, note: Note) -> Result<(), ObserveError> {
        let stamp = note.stamp;
        if let Some(newest) = self.settled_until.filter(|&until| stamp <= until) {
            return Err(ObserveError::Late { newest, stamp });
        }
        let idx = self.notes.partition_point(|it| it.order() < note.order());
        if self
            .notes
            .get(idx)
            .is_some_and(|it| it.order() == note.order())
        {
            return Err(ObserveError::Late {
                newest: stamp,
                stamp,
            });
        }
        self.notes.insert(idx, note);
        let newest = self.notes.back().map_or(stamp, |it| it.stamp);
        while self.notes.len() > N_NOTES_MAX
            || self
                .notes
                .front()
                .is_some_and(|it| newest.secs_since(it.stamp) > LATE_MAX_SECS)
        {
            let Some(oldest) = self.notes.pop_front() else {
                break;
            };
            self.settled_until = Some(oldest.stamp);
            oldest.take_into(&mut self.settled);
        }
        Ok(())
    }

    fn place_at(&self, now: Stamp) -> Option<Place> {
        let mut place = self.settled.clone();
        for note in self.notes.iter().take_while(|it| it.stamp <= now) {
            note.take_into(&mut place);
        }
        let mut place = place?;
        place.predict_to(now);
        Some(place)
    }

    fn newest_stamp(&self) -> Option<Stamp> {
        self.notes.back().map(|it| it.stamp).or(self.settled_until)
    }
}

/// Follows every robot that was seen or heard.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Neighbours {
    /// In the order of names, so that nothing depends on who was met first.
    tracks: BTreeMap<AgentName, Track>,
    newest_sightings: Option<Stamp>,
    n_passed_over: u64,
}

impl Neighbours {
    /// Sightings that were passed over: of one robot too many, or of one that was heard of too
    /// much later already.
    pub fn n_passed_over(&self) -> u64 {
        self.n_passed_over
    }

    /// The stamp of the newest sightings.
    pub fn newest_sightings(&self) -> Option<Stamp> {
        self.newest_sightings
    }

    /// Takes in an event, sensed or true when this robot's scanner was at `map_from_scanner`;
    /// events that tell nothing of others are passed over.
    ///
    /// # Errors
    /// [`ObserveError`] when it is late, malformed, or of one robot too many.
    pub fn observe(
        &mut self,
        event: &SensorEvent,
        map_from_scanner: Pose2,
    ) -> Result<(), ObserveError> {
        match &event.observation {
            Observation::RangeBearing(sightings) => {
                check_sightings(sightings)?;
                self.saw(event.stamp, map_from_scanner, sightings)
            }
            Observation::Neighbour(report) => {
                check_broadcast(&report.said)?;
                self.heard(event.stamp, map_from_scanner, report)
            }
            Observation::Lidar(_)
            | Observation::Odometry(_)
            | Observation::DeadReckoning(_)
            | Observation::Imu(_) => Ok(()),
        }
    }

    /// Takes in whom this robot's range/bearing sensor saw from `map_from_scanner`.
    ///
    /// # Errors
    /// [`ObserveError`] when it is not newer than the sightings before.
    fn saw(
        &mut self,
        stamp: Stamp,
        map_from_scanner: Pose2,
        sightings: &[Sighting],
    ) -> Result<(), ObserveError> {
        if let Some(newest) = self.newest_sightings.filter(|&newest| stamp <= newest) {
            return Err(ObserveError::Late { newest, stamp });
        }
        self.newest_sightings = Some(stamp);
        self.forget(stamp);
        for Sighting { name, seen } in sightings {
            let heard = Heard::Saw {
                map_from_scanner,
                seen: *seen,
            };
            let noted = self
                .track(name)
                .and_then(|track| track.note(Note { stamp, heard }));
            // One robot too many must not cost the others their sightings.
            self.n_passed_over += u64::from(noted.is_err());
        }
        Ok(())
    }

    /// Takes in what a neighbour said; this robot was at `map_from_scanner` at that time.
    ///
    /// # Errors
    /// [`ObserveError`] when it is too late, or of one robot too many.
    fn heard(
        &mut self,
        stamp: Stamp,
        map_from_scanner: Pose2,
        report: &NeighbourReport,
    ) -> Result<(), ObserveError> {
        let track = self.track(&report.name)?;
        let heard = match &report.said {
            Broadcast::Sees(seen) => Heard::Sees {
                map_from_scanner,
                seen: *seen,
            },
            Broadcast::Moves(twist) => Heard::Moves(*twist),
            Broadcast::Intends(motions) => {
                let newest = track.intention.as_ref().map(|&(newest, _)| newest);
                if let Some(newest) = newest.filter(|&newest| stamp <= newest) {
                    return Err(ObserveError::Late { newest, stamp });
                }
                track.intention = Some((stamp, Intention::new(motions)));
                return Ok(());
            }
        };
        track.note(Note { stamp, heard })
    }

    /// Everybody whose place is known, predicted to `now` and seen from `map_from_scanner`; by
    /// name.
    pub fn at(&self, now: Stamp, map_from_scanner: Pose2) -> Reused<Neighbour> {
        let known = self.tracks.iter().filter_map(|(name, track)| {
            let place = track.place_at(now)?;
            let age_secs = now.secs_since(place.measured).max(0.0);
            if age_secs > FORGOTTEN_AFTER_SECS {
                return None;
            }
            let intention = track.intention.as_ref().and_then(|(stamp, intention)| {
                let age_secs = now.secs_since(*stamp);
                (age_secs <= FRESH_SECS).then(|| intention.aged(age_secs))
            });
            Some(Neighbour {
                name: name.clone(),
                pose: map_from_scanner.between(place.map_from_neighbour),
                covariance: place.covariance_seen_from(map_from_scanner),
                twist: place.fresh_twist(now, FRESH_SECS),
                radius_m: track.radius_m.unwrap_or(RADIUS_ASSUMED_M),
                age_secs,
                intention,
                mover: None,
                is_seen_standing: false,
                is_size_known: track.radius_m.is_some(),
            })
        });
        known.collect()
    }

    /// Keeps in mind how large a neighbour is, once lidar has followed it for long enough.
    pub(crate) fn learn_size(&mut self, name: &AgentName, thing: &Mover) {
        if let Some(track) = self
            .tracks
            .get_mut(name)
            .filter(|_| thing.age_secs >= SIZE_AFTER_SECS)
        {
            track.radius_m = Some(thing.radius_m);
        }
    }

    fn track(&mut self, name: &AgentName) -> Result<&mut Track, ObserveError> {
        if !self.tracks.contains_key(name) && self.tracks.len() >= N_NEIGHBOURS_MAX {
            return Err(ObserveError::TooMany {
                what: "neighbours",
                max: N_NEIGHBOURS_MAX,
                got: N_NEIGHBOURS_MAX + 1,
            });
        }
        Ok(self.tracks.entry(name.clone()).or_default())
    }

    /// Forgets whom nothing was heard of for long.
    fn forget(&mut self, now: Stamp) {
        self.tracks.retain(|_, track| {
            let heard = track.newest_stamp();
            let announced = track.intention.as_ref().map(|&(stamp, _)| stamp);
            heard
                .max(announced)
                .is_some_and(|newest| now.secs_since(newest) <= FORGOTTEN_AFTER_SECS)
        });
    }
}

#[cfg(test)]
mod tests;
