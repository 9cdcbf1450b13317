use std::f64::consts::PI;
use std::time::Duration;

use sedge_spacetime::{AgentName, Stamp, Twist2};

use super::*;
use crate::conformance::full_circle;
use crate::test_scenes::{Room, odometry_event, scan_event, scan_with_discs};
use crate::{
    Broadcast, Candidate, CandidateSet, Company, Measured, MotionModel, NeighbourReport,
    Observation, ScanMemory, Seen, SensorEvent, Sighting,
};

const ROOM: Room = Room {
    half_x_m: 5.0,
    half_y_m: 4.0,
};
const N_BEAMS: usize = 360;
/// A robot that is smaller than one that was never seen is taken to be.
const RADIUS_M: f64 = 0.2;
const RANGE_SIGMA_M: f64 = 0.05;

fn name(text: &str) -> AgentName {
    AgentName::new(text).unwrap()
}

fn neighbour(text: &str, pose: Pose2, sigma_m: f64) -> Neighbour {
    Neighbour {
        name: name(text),
        pose,
        covariance: Covariance2::from_sigmas([sigma_m, sigma_m, 0.1]),
        twist: None,
        radius_m: 0.25,
        age_secs: 0.0,
        intention: None,
        mover: None,
        is_seen_standing: false,
        is_size_known: false,
    }
}

fn thing(id: u64, position_m: [f64; 2]) -> Mover {
    Mover {
        id,
        position_m,
        velocity_mps: [0.0; 2],
        covariance: nalgebra::Matrix4::identity() * 1e-4,
        radius_m: 0.37,
        age_secs: 3.0,
        unseen_secs: 0.0,
    }
}

#[test]
fn a_neighbour_that_lidar_follows_takes_its_place_and_size() {
    let mut known = [neighbour("crane2", Pose2::new(3.0, 1.0, 0.3), 0.1)];
    let followed = Followed {
        movers: vec![thing(4, [5.0, 1.0]), thing(7, [3.1, 1.0])].into(),
        standing: vec![thing(9, [3.0, 1.0])].into(),
    };
    let joined = join(&mut known, &followed);
    assert_eq!(joined.len(), 1);
    let found = &known[0];
    assert!(found.mover == Some(7) && !found.is_seen_standing);
    assert!((found.radius_m - 0.37).abs() < 1e-9);
    assert!((found.pose.x_m - 3.1).abs() < 0.002, "{:?}", found.pose);
    assert!(found.sigma_after(0.0) < 0.011);
}

#[test]
fn of_two_neighbours_the_nearer_one_is_the_thing() {
    let mut known = [
        neighbour("crane1", Pose2::new(2.6, 1.0, 0.0), 0.1),
        neighbour("crane2", Pose2::new(3.0, 1.0, 0.0), 0.1),
    ];
    let followed = Followed {
        movers: vec![thing(7, [2.9, 1.0])].into(),
        standing: Reused::new(),
    };
    join(&mut known, &followed);
    assert_eq!([known[0].mover, known[1].mover], [None, Some(7)]);
    assert!((known[0].pose.x_m - 2.6).abs() < 1e-12);
}

#[test]
fn where_a_hidden_mover_was_thought_to_be_does_not_outweigh_a_newer_measure() {
    let mut known = [neighbour("crane2", Pose2::new(3.0, 1.0, 0.0), 0.1)];
    let hidden = Mover {
        unseen_secs: 1.0,
        ..thing(7, [3.3, 1.0])
    };
    let followed = Followed {
        movers: vec![hidden].into(),
        standing: Reused::new(),
    };
    join(&mut known, &followed);
    assert_eq!(known[0].mover, Some(7));
    assert!((known[0].pose.x_m - 3.0).abs() < 1e-12);
}

#[test]
fn furniture_beside_a_robot_is_not_that_robot() {
    let mut known = [neighbour("crane2", Pose2::new(3.0, 1.0, 0.0), 0.1)];
    let followed = Followed {
        movers: Reused::new(),
        standing: vec![thing(7, [3.4, 1.0])].into(),
    };
    assert!(join(&mut known, &followed).is_empty() && !known[0].is_seen_standing);
}

/// What is sensed of a robot that stands, whose range is measured wrong by `off_m`.
fn sensed(secs: f64, place: [f64; 2], off_m: f64) -> Vec<SensorEvent> {
    let stamp = Stamp::from_secs(secs).unwrap();
    let measured = |value, sigma| Some(Measured { value, sigma });
    let range_m = measured(place[0].hypot(place[1]) + off_m, RANGE_SIGMA_M);
    let sighting = Sighting {
        name: name("crane2"),
        seen: Seen {
            range_m,
            bearing_rad: measured(place[1].atan2(place[0]), 0.03),
        },
    };
    let says = |said| {
        let name = name("crane2");
        Observation::Neighbour(NeighbourReport { name, said })
    };
    // It looks at this robot.
    let sees = Broadcast::Sees(Seen {
        range_m,
        bearing_rad: measured(0.0, 0.03),
    });
    let observations = [
        Observation::RangeBearing([sighting].into()),
        says(sees),
        says(Broadcast::Moves(Twist2::default())),
    ];
    let events = observations.map(|observation| SensorEvent { stamp, observation });
    let discs = [(place, RADIUS_M)];
    let scan = scan_with_discs(ROOM, full_circle(N_BEAMS), &discs, Pose2::IDENTITY);
    let mut all = vec![odometry_event(secs, Pose2::IDENTITY)];
    all.extend(events);
    all.push(scan_event(secs, scan));
    all
}

fn expected(place: [f64; 2], off_m: f64) -> (CandidateSet, Company) {
    let mut memory = ScanMemory::registering(full_circle(N_BEAMS), MotionModel::default());
    for k in 0..30 {
        for event in sensed(f64::from(k) * 0.1, place, off_m) {
            memory.observe(&event).unwrap();
        }
    }
    let ahead = Duration::from_millis(500);
    let set = memory.candidates(Pose2::IDENTITY, ahead).unwrap();
    (set, memory.company().clone())
}

#[test]
fn a_robot_that_stands_in_sight_is_expected_where_lidar_sees_it_and_as_large() {
    // A bias of a standard deviation: no average of measures takes it away.
    let biases = [-RANGE_SIGMA_M, 0.0, RANGE_SIGMA_M];
    for (place, off_m) in [[2.0, 0.5], [-1.0, -2.5], [0.3, 3.0]]
        .into_iter()
        .zip(biases)
    {
        let (set, company) = expected(place, off_m);
        let geometry = full_circle(N_BEAMS);
        let found = &company.neighbours[0];
        assert!(found.is_seen_standing && found.is_size_known, "{found:?}");
        assert!((found.radius_m - RADIUS_M).abs() < 0.02, "{found:?}");
        let seen = scan_with_discs(ROOM, geometry, &[(place, RADIUS_M)], Pose2::IDENTITY);
        let bearing = place[1].atan2(place[0]);
        let middle = ((bearing + PI) / geometry.step_rad).round() as usize;
        let (mut n_near, mut n_all) = (0, 0);
        for beam in middle.saturating_sub(3)..=middle + 3 {
            let row = set.row(Candidate::Neighbours);
            n_all += 1;
            n_near += usize::from((row[beam] - seen.ranges_m[beam]).abs() < 0.03);
        }
        assert_eq!(n_near, n_all, "{place:?}: {found:?}");
    }
}
