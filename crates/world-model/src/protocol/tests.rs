use super::*;
use crate::EpisodeScan;
use crate::test_scenes::{Room, half_circle};

const ROOM: Room = Room {
    half_x_m: 4.0,
    half_y_m: 3.0,
};

fn episode_at(secs: &[f64]) -> Episode {
    let empty = ROOM.drive(half_circle(3), 0.0);
    let scan = ROOM.scan(half_circle(3), sedge_spacetime::Pose2::IDENTITY);
    let scans = secs.iter().map(|&secs| EpisodeScan {
        stamp: Stamp::from_secs(secs).unwrap(),
        scan: scan.clone(),
        reference: None,
        moving: None,
    });
    Episode {
        scans: scans.collect(),
        ..empty
    }
}

fn by_secs(from: f64, secs: &[f64]) -> Protocol {
    Protocol {
        from,
        horizons: Horizons::Secs(secs.to_vec()),
    }
}

#[test]
fn starts_need_history_and_future_and_every_other_scan_is_one() {
    let times: Vec<f64> = (0..400).map(|k| 0.1 * f64::from(k)).collect();
    let starts = by_secs(0.0, &[1.0]).starts(&episode_at(&times)).unwrap();
    let indexes: Vec<usize> = starts.iter().map(|start| start.scan_idx).collect();
    assert_eq!(indexes[..3], [200, 202, 204]);
    // The last scan is at 39.9 s, so starts end at 34.65 s.
    assert_eq!(indexes.last(), Some(&346));
    let late = by_secs(0.801, &[1.0]).starts(&episode_at(&times)).unwrap();
    assert_eq!(late[0].scan_idx, 321);
}

#[test]
fn the_target_is_the_scan_nearest_the_horizon_or_none() {
    let mut times: Vec<f64> = (0..=60).map(|k| 0.5 * f64::from(k)).collect();
    times.retain(|&secs| !(22.1..23.9).contains(&secs));
    let starts = by_secs(0.0, &[0.4, 1.25, 3.0])
        .starts(&episode_at(&times))
        .unwrap();
    let targets = |start: &Start| -> Vec<(usize, usize)> {
        start
            .targets
            .iter()
            .map(|target| (target.horizon_idx, target.scan_idx - start.scan_idx))
            .collect()
    };
    assert_eq!(starts[0].scan_idx, 40);
    // 21.25 s lies midway between two scans: the earlier one is the target.
    assert_eq!(targets(&starts[0])[..2], [(0, 1), (1, 2)]);
    // After 22 s nothing comes for two seconds.
    assert_eq!(starts[2].scan_idx, 44);
    assert_eq!(targets(&starts[2]), [(2, 3)]);
}

#[test]
fn next_scan_starts_are_every_scan_with_enough_ahead() {
    let times: Vec<f64> = (0..20).map(|k| 3.0 * f64::from(k)).collect();
    let episode = episode_at(&times);
    assert_eq!(Horizons::fitting(&episode), Horizons::steps());
    let starts = Protocol::fitting(&episode, 0.1).starts(&episode).unwrap();
    let indexes: Vec<usize> = starts.iter().map(|start| start.scan_idx).collect();
    assert_eq!(indexes, (5..16).collect::<Vec<usize>>());
    let last = starts[0].targets[2];
    assert_eq!(
        last,
        Target {
            horizon_idx: 2,
            scan_idx: 9
        }
    );
}

#[test]
fn the_next_scan_is_a_target_even_if_its_stamp_runs_backwards() {
    let mut times: Vec<f64> = (0..20).map(|k| 3.0 * f64::from(k)).collect();
    times[8] = 1.0;
    let protocol = Protocol {
        from: 0.0,
        horizons: Horizons::Steps(vec![1]),
    };
    let starts = protocol.starts(&episode_at(&times)).unwrap();
    assert_eq!(
        starts[2].targets,
        [Target {
            horizon_idx: 0,
            scan_idx: 8
        }]
    );
}

#[test]
fn what_cannot_be_evaluated_is_refused_with_the_reason() {
    let short = episode_at(&[0.0, 0.1, 0.2]);
    let check = |protocol: Protocol, expected: &str| {
        let error = protocol.starts(&short).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    check(by_secs(0.5, &[1.0]), "20 s before");
    check(
        by_secs(1.0, &[1.0]),
        "share of the episode in [0, 1), got 1",
    );
    check(by_secs(f64::NAN, &[1.0]), "got NaN");
    check(by_secs(0.5, &[0.5, -1.0]), "got -1");
    check(by_secs(0.5, &[60.0]), "at most 5 s, got 60");
    check(
        Protocol {
            from: 0.0,
            horizons: Horizons::Steps(vec![1, 0]),
        },
        "scans, got 0",
    );
    let none = Protocol {
        from: 0.0,
        horizons: Horizons::Steps(vec![1]),
    };
    assert!(none.starts(&episode_at(&[])).is_err());
}
