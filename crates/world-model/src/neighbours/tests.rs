use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::{IntendedMotion, Measured, Seen};

fn at(secs: f64) -> Stamp {
    Stamp::from_secs(secs).unwrap()
}

fn crane2() -> AgentName {
    AgentName::new("crane2").unwrap()
}

fn seen(of: Pose2) -> Seen {
    let measured = |value, sigma| Some(Measured { value, sigma });
    Seen {
        range_m: measured(of.distance_m(), 0.03),
        bearing_rad: measured(of.y_m.atan2(of.x_m), 0.01),
    }
}

const OWN: Pose2 = Pose2 {
    x_m: 1.0,
    y_m: 2.0,
    yaw_rad: 0.5,
};

/// It drives a left curve.
const TWIST: Twist2 = Twist2 {
    vx_mps: 0.8,
    vy_mps: 0.0,
    yaw_rate_radps: 0.4,
};

fn its_pose(secs: f64) -> Pose2 {
    Pose2::new(4.0, 1.0, 2.0) * Pose2::exp(TWIST.scaled(secs))
}

fn sighting(secs: f64) -> SensorEvent {
    let sighting = Sighting {
        name: crane2(),
        seen: seen(OWN.between(its_pose(secs))),
    };
    SensorEvent {
        stamp: at(secs),
        observation: Observation::RangeBearing([sighting].into()),
    }
}

fn report(secs: f64, said: Broadcast) -> SensorEvent {
    let name = crane2();
    SensorEvent {
        stamp: at(secs),
        observation: Observation::Neighbour(NeighbourReport { name, said }),
    }
}

fn sees_us(secs: f64) -> SensorEvent {
    report(secs, Broadcast::Sees(seen(its_pose(secs).between(OWN))))
}

/// What both measure and say over a second.
fn talk() -> Vec<SensorEvent> {
    let each = (0..10).map(|k| f64::from(k) * 0.1);
    each.flat_map(|secs| {
        [
            sighting(secs),
            sees_us(secs + 0.03),
            report(secs + 0.05, Broadcast::Moves(TWIST)),
        ]
    })
    .collect()
}

fn after(events: &[SensorEvent]) -> Neighbours {
    let mut neighbours = Neighbours::default();
    for event in events {
        neighbours.observe(event, OWN).unwrap();
    }
    neighbours
}

#[test]
fn two_that_see_each_other_know_their_relative_pose() {
    let known = after(&talk()).at(at(1.0), OWN);
    assert_eq!(known.len(), 1);
    let off = known[0].pose.between(OWN.between(its_pose(1.0)));
    assert!(
        off.distance_m() < 0.05 && off.yaw_rad.abs() < 0.03,
        "{off:?}"
    );
    assert!(known[0].heading_is_known() && known[0].sigma_after(0.0) < 0.06);
    assert!(known[0].age_secs < 0.11);
    let later = known[0].pose_after(1.0);
    let expected = OWN.between(its_pose(2.0));
    assert!(later.between(expected).distance_m() < 0.1, "{later:?}");
}

#[test]
fn what_comes_late_and_in_any_order_is_sorted_in() {
    let mut shuffled = talk();
    // Own sightings stay in order; what others say comes up to half a second late.
    shuffled.sort_by_key(|event| match event.observation {
        Observation::RangeBearing(_) => event.stamp,
        _ => event.stamp + Duration::from_millis(410),
    });
    let (here, there) = (after(&talk()).at(at(1.0), OWN), after(&shuffled));
    let there = there.at(at(1.0), OWN);
    let off = here[0].pose.between(there[0].pose);
    assert!(
        off.distance_m() < 1e-9 && off.yaw_rad.abs() < 1e-9,
        "{off:?}"
    );
}

#[test]
fn what_comes_too_late_or_twice_is_refused() {
    let mut neighbours = after(&talk());
    for k in 10..30 {
        neighbours
            .observe(&sighting(0.1 * f64::from(k)), OWN)
            .unwrap();
    }
    for event in [sees_us(0.53), sighting(2.9)] {
        let refused = neighbours.observe(&event, OWN);
        assert!(
            matches!(refused, Err(ObserveError::Late { .. })),
            "{refused:?}"
        );
    }
}

#[test]
fn without_its_own_bearing_the_heading_is_unknown_and_nothing_is_turned_by_it() {
    let events: Vec<SensorEvent> = (0..5).map(|k| sighting(0.1 * f64::from(k))).collect();
    let known = &after(&events).at(at(0.5), OWN)[0];
    assert!(!known.heading_is_known());
    assert_eq!(known.pose_after(1.0), known.pose);
    assert!(known.sigma_after(1.0) > 0.5);
}

#[test]
fn an_announced_way_is_believed_while_it_is_fresh() {
    let mut neighbours = after(&talk());
    let stays = IntendedMotion {
        ahead: Duration::from_secs(2),
        now_from_then: Pose2::IDENTITY,
        covariance: Covariance2::zero(),
    };
    let says = report(0.9, Broadcast::Intends(Arc::from([stays])));
    neighbours.observe(&says, OWN).unwrap();
    let known = &neighbours.at(at(1.0), OWN)[0];
    let moved = known.pose.between(known.pose_after(1.0));
    assert!(moved.distance_m() < 1e-9, "{moved:?}");
    for k in 11..30 {
        neighbours
            .observe(&sighting(0.1 * f64::from(k)), OWN)
            .unwrap();
    }
    let later = &neighbours.at(at(2.9), OWN)[0];
    assert!(later.intention.is_none() && later.twist.is_none());
}

#[test]
fn doubt_grows_while_nobody_measures_until_it_is_forgotten() {
    let neighbours = after(&talk());
    let sigma = |secs: f64| neighbours.at(at(secs), OWN)[0].sigma_after(0.0);
    assert!(sigma(1.5) > sigma(1.0) && sigma(4.0) > 1.0);
    assert!(neighbours.at(at(7.0), OWN).is_empty());
}

#[test]
fn one_lie_is_not_believed_but_a_robot_that_was_carried_away_is_found() {
    let mut neighbours = after(&talk());
    let elsewhere = Pose2::new(-4.0, -3.0, 0.0);
    let mut tell = |k: u32| {
        let sighting = Sighting {
            name: crane2(),
            seen: seen(elsewhere),
        };
        let event = SensorEvent {
            stamp: at(0.9 + 0.1 * f64::from(k)),
            observation: Observation::RangeBearing([sighting].into()),
        };
        neighbours.observe(&event, OWN).unwrap();
        neighbours.at(event.stamp, OWN)[0].pose
    };
    let away = |pose: Pose2| elsewhere.between(pose).distance_m();
    assert!(away(tell(1)) > 3.0);
    let last = (2..12).map(&mut tell).last().unwrap();
    assert!(away(last) < 0.2, "{last:?}");
}

#[test]
fn robots_are_bounded_and_nonsense_is_refused() {
    let mut neighbours = Neighbours::default();
    for k in 0..200 {
        let name = AgentName::new(format!("crane{k}")).unwrap();
        let said = Broadcast::Moves(TWIST);
        let event = SensorEvent {
            stamp: at(1.0),
            observation: Observation::Neighbour(NeighbourReport { name, said }),
        };
        let taken = neighbours.observe(&event, OWN);
        assert_eq!(taken.is_ok(), k < N_NEIGHBOURS_MAX, "{k}");
    }
    let nan = Broadcast::Moves(Twist2 {
        vx_mps: f64::NAN,
        ..TWIST
    });
    let refused = Neighbours::default().observe(&report(1.0, nan), OWN);
    assert!(matches!(refused, Err(ObserveError::NotFinite { .. })));
    let negative = Seen {
        range_m: Some(Measured {
            value: -1.0,
            sigma: 0.1,
        }),
        bearing_rad: None,
    };
    let refused = Neighbours::default().observe(&report(1.0, Broadcast::Sees(negative)), OWN);
    assert!(matches!(refused, Err(ObserveError::Negative { .. })));
}
