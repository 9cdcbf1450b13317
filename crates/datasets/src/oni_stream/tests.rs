use std::sync::Arc;
use std::time::Duration;

use sedge_oni::{Command, Lidar, Odometry, TypedMessage as _};
use sedge_spacetime::{AgentName, Pose2, Stamp};
use sedge_world_model::{Episode, EpisodeScan, LidarScan, OdometrySample, ScanGeometry};

use super::{OniItem, OniStream, OniStreamConfig};

fn millis(millis: i64) -> Stamp {
    Stamp::from_nanos(millis * 1_000_000)
}

/// Straight on at 1 m/s with odometry at 10 Hz for 5 s; scans at 1 s, 2.05 s and, in the wrong
/// order, 2 s.
fn episode() -> Episode {
    let geometry = ScanGeometry {
        first_angle_rad: -1.0,
        step_rad: 1.0,
        n_beams: 3,
    };
    let scan = |stamp| EpisodeScan {
        stamp,
        scan: LidarScan {
            geometry,
            ranges_m: Arc::from([1.0, 2.0, 81.91]),
        },
        reference: None,
        moving: None,
    };
    let sample = |idx: i64| OdometrySample {
        stamp: millis(100 * idx),
        odometry_from_base: Pose2::new(0.1 * idx as f64, 0.0, 0.0),
    };
    Episode {
        name: "straight".to_owned(),
        source_hash: String::new(),
        geometry,
        scans: [1000, 2050, 2000].map(|stamp| scan(millis(stamp))).to_vec(),
        odometry: (5..=50).map(sample).collect(),
        others: Vec::new(),
    }
}

fn config() -> OniStreamConfig {
    let name = |name| AgentName::new(name).unwrap();
    OniStreamConfig::new(name("flock"), name("crane"), 7)
}

fn tell(episode: &Episode, config: OniStreamConfig) -> Vec<OniItem> {
    let mut stream = OniStream::new(episode, config).unwrap();
    let items: Vec<OniItem> = stream.by_ref().collect();
    assert_eq!(stream.refused(), 0);
    items
}

#[test]
fn messages_come_in_time_order_with_a_plan_before_each_scan() {
    let episode = episode();
    let config = OniStreamConfig {
        stamp_offset_nanos: 1_000,
        ..config()
    };
    let items = tell(&episode, config);
    assert_eq!(items.len(), 46 + 2 * 3);
    assert!(items.windows(2).all(|pair| pair[0].due <= pair[1].due));
    assert_eq!(items[0].due, Duration::ZERO);
    assert_eq!(items.last().unwrap().due, Duration::from_millis(4500));

    let scan_idx = items
        .iter()
        .position(|item| item.key.message_type() == Lidar::NAME)
        .unwrap();
    let [odometry, plan, scan] = &items[scan_idx - 2..=scan_idx] else {
        unreachable!()
    };
    let stamp = |item: &OniItem| item.message.envelope().capture.stamp.nanos();
    assert_eq!([odometry, plan, scan].map(stamp), [1_000_001_000; 3]);
    assert_eq!(scan.key.as_str(), "oni/flock/crane/sensor.lidar/front");
    let lidar = Lidar::from_message(&scan.message).unwrap();
    assert_eq!(*lidar.ranges_m, [1.0, 2.0, 81.91]);
    let odometry = Odometry::from_message(&odometry.message).unwrap();
    assert!((odometry.odometry_from_base.x_m - 1.0).abs() < 1e-12);
    assert!((odometry.twist.vx_mps - 1.0).abs() < 1e-9);
}

#[test]
fn a_plan_is_the_recorded_future_of_the_odometry() {
    let episode = episode();
    let items = tell(&episode, config());
    let plans: Vec<&OniItem> = items
        .iter()
        .filter(|item| item.key.message_type() == Command::NAME)
        .collect();
    for plan in &plans {
        let command = Command::from_message(&plan.message).unwrap();
        let end: Duration = command.steps.iter().map(|step| step.duration).sum();
        assert!(end >= Duration::from_millis(2750), "{end:?}");
        let driven = command.steps.iter().fold(Pose2::IDENTITY, |pose, step| {
            pose * Pose2::exp(step.twist.scaled(step.duration.as_secs_f64()))
        });
        assert!(
            (driven.x_m - end.as_secs_f64()).abs() < 1e-9,
            "{driven:?} in {end:?}"
        );
    }
    // The scan at 2.05 s: its plan begins where the newest odometry is.
    assert_eq!(plans[2].message.envelope().capture.stamp, millis(2000));
}

#[test]
fn each_key_counts_its_own_messages() {
    let episode = episode();
    let items = tell(&episode, config());
    for message_type in [Lidar::NAME, Odometry::NAME, Command::NAME] {
        let of_type = items
            .iter()
            .filter(|item| item.key.message_type() == message_type);
        let sources = of_type.map(|item| item.message.envelope().source.clone());
        let sequence: Vec<u64> = sources
            .map(|source| {
                assert_eq!(source.epoch, 7);
                source.sequence
            })
            .collect();
        let first = sequence[0];
        let expected: Vec<u64> = (first..first + sequence.len() as u64).collect();
        assert_eq!(sequence, expected, "{message_type}");
    }
}

#[test]
fn plans_and_the_beginning_can_be_left_out() {
    let episode = episode();
    let config = OniStreamConfig {
        plan_horizon: None,
        start: Some(millis(2000)),
        ..config()
    };
    assert_eq!(
        OniStream::new(&episode, config.clone())
            .unwrap()
            .keys()
            .len(),
        2
    );
    let items = tell(&episode, config);
    assert_eq!(items.len(), 31 + 2);
    assert_eq!(items[0].due, Duration::ZERO);
    assert_eq!(items[0].message.envelope().capture.stamp, millis(2000));
}

#[test]
fn what_no_message_may_hold_is_counted_and_left_out() {
    let mut episode = episode();
    episode.scans[1].scan.ranges_m = Arc::from([f32::NAN, 1.0, 1.0]);
    let mut stream = OniStream::new(&episode, config()).unwrap();
    let n_scans = stream
        .by_ref()
        .filter(|item| item.key.message_type() == Lidar::NAME)
        .count();
    assert_eq!((n_scans, stream.refused()), (2, 1));
}
