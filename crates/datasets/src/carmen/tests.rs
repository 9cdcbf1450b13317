use std::fmt::Write as _;
use std::path::Path;

use sedge_spacetime::{Pose2, Stamp};

use super::{Drive, read};
use crate::lines::{Limits, Lines};
use crate::{LogError, OdometrySource};

/// Half a circle, as lines with six decimals say it.
const FIELD_OF_VIEW_RAD: f64 = 3_141_593e-6;

fn read_text(text: &str) -> (Drive, Option<LogError>) {
    let mut input = text.as_bytes();
    read(&mut Lines::new(
        Path::new("a.log"),
        &mut input,
        Limits::FILE,
    ))
}

fn whole(text: &str) -> Drive {
    let (drive, defect) = read_text(text);
    assert!(defect.is_none(), "{defect:?}");
    drive
}

fn flaser(first: &str, second: &str, secs: f64) -> String {
    format!("FLASER 4 1.0 2.0 81.91 3.5 {first} {second} {secs} host {secs}\n")
}

fn odom(pose: &str, secs: f64) -> String {
    format!("ODOM {pose} 0 0 0 {secs} host {secs}\n")
}

fn stamp(secs: f64) -> Stamp {
    Stamp::from_secs(secs).unwrap()
}

fn close(a: Pose2, b: Pose2) -> bool {
    let apart = a.between(b);
    apart.distance_m() < 1e-9 && apart.yaw_rad.abs() < 1e-9
}

#[test]
fn a_scan_matched_log_gives_the_chain_of_raw_increments() {
    let half_turn = std::f64::consts::PI;
    let text = [
        odom("9 9 9", 0.1),
        flaser("1 1 0", "1 1 0", 0.5),
        odom("1 1 0", 0.0),
        odom("1.5 1 0", 0.7),
        odom("2 1 0", 1.0),
        // Corrected sideways and by half a turn: the chain must not see it.
        flaser(
            &format!("2 1.2 {half_turn}"),
            &format!("2 1.2 {half_turn}"),
            1.0,
        ),
        odom(&format!("2 1.2 {half_turn}"), 1e-86),
        odom(&format!("1.5 1.2 {half_turn}"), 1.4),
    ];
    let drive = whole(&text.concat());
    assert_eq!(drive.source, Some(OdometrySource::ChainedIncrements));
    let stamps: Vec<Stamp> = drive.odometry.iter().map(|sample| sample.stamp).collect();
    assert_eq!(stamps, [0.5, 0.7, 1.0, 1.4].map(stamp));
    for (sample, x_m) in drive.odometry.iter().zip([0.0, 0.5, 1.0, 1.5]) {
        let pose = sample.odometry_from_base;
        assert!(
            close(pose, Pose2::new(x_m, 0.0, 0.0)),
            "{pose:?}, expected x {x_m}"
        );
    }
    assert!(close(
        drive.scans[1].reference.unwrap(),
        Pose2::new(2.0, 1.2, half_turn)
    ));
}

#[test]
fn a_repeated_pose_may_carry_any_time_at_all() {
    for garbage in ["nan", "1e300", "-0.96", "6.9e-310"] {
        let repeat = format!("ODOM 1 1 0 0 0 0 {garbage} host 0\n");
        let text = [
            flaser("1 1 0", "1 1 0", 5.0),
            repeat.clone(),
            odom("2 1 0", 6.0),
            flaser("1 1 0", "1 1 0", 6.0),
            repeat,
        ];
        let drive = whole(&text.concat());
        assert_eq!(
            drive.source,
            Some(OdometrySource::ChainedIncrements),
            "{garbage}"
        );
        assert_eq!(drive.odometry.len(), 2, "{garbage}");
    }
}

#[test]
fn an_ordinary_log_keeps_its_odometry_and_has_no_reference() {
    let text = [
        odom("0 0 0", 0.9),
        flaser("0.1 0 0", "0 0 0", 1.0),
        odom("0 0 0", 1.1),
        flaser("0.6 0 0", "0.5 0 0", 2.0),
        odom("1 0 0", 3.0),
    ];
    let drive = whole(&text.concat());
    assert_eq!(drive.source, Some(OdometrySource::LinesAndScans));
    let xs: Vec<f64> = drive
        .odometry
        .iter()
        .map(|s| s.odometry_from_base.x_m)
        .collect();
    assert_eq!(xs, [0.0, 0.0, 0.0, 0.5, 1.0]);
    assert!(
        drive.scans.iter().all(|scan| scan.reference.is_none()),
        "a mount is no reference"
    );
}

#[test]
fn a_localised_log_has_its_first_poses_for_reference() {
    let text = [
        odom("0 0 0", 0.9),
        flaser("5 0 0", "0 0 0", 1.0),
        odom("0.1 0 0", 1.1),
        flaser("5.6 0 0.2", "0.5 0 0", 2.0),
    ];
    let drive = whole(&text.concat());
    assert_eq!(drive.source, Some(OdometrySource::LinesAndScans));
    assert_eq!(drive.scans[1].reference, Some(Pose2::new(5.6, 0.0, 0.2)));
    assert_eq!(drive.odometry.len(), 4);
}

#[test]
fn poses_in_another_frame_are_a_reference_and_no_odometry() {
    let text = [
        odom("100 0 0", 0.9),
        flaser("0 0 0", "0 0 0", 1.0),
        odom("101 0 0", 1.9),
        flaser("0.9 0.1 0", "0.9 0.1 0", 2.0),
    ];
    let drive = whole(&text.concat());
    assert_eq!(drive.source, Some(OdometrySource::Lines));
    assert_eq!(drive.odometry.len(), 2);
    assert_eq!(drive.scans[1].reference, Some(Pose2::new(0.9, 0.1, 0.0)));
}

#[test]
fn without_odometry_lines_the_poses_on_the_scans_stand_in() {
    let drive = whole(&[flaser("0 0 0", "0 0 0", 1.0), flaser("1 0 0", "1 0 0", 2.0)].concat());
    assert_eq!(drive.source, Some(OdometrySource::Scans));
    assert_eq!(
        drive.odometry[1].odometry_from_base,
        Pose2::new(1.0, 0.0, 0.0)
    );
    assert_eq!(drive.scans[1].reference, None);
}

#[test]
fn scans_that_run_backwards_stay_in_the_logs_order() {
    let text = [
        flaser("0 0 0", "0 0 0", 2.0),
        flaser("1 0 0", "1 0 0", 1.5),
        flaser("2 0 0", "2 0 0", 3.0),
    ];
    let drive = whole(&text.concat());
    let stamps: Vec<Stamp> = drive.scans.iter().map(|scan| scan.stamp).collect();
    assert_eq!(stamps, [2.0, 1.5, 3.0].map(stamp));
    assert!(
        drive
            .odometry
            .windows(2)
            .all(|pair| pair[0].stamp < pair[1].stamp)
    );
}

#[test]
fn beams_cover_half_a_circle_with_or_without_the_last() {
    for (n_beams, step_degrees) in [(180, 1.0), (181, 1.0), (360, 0.5), (361, 0.5)] {
        let ranges = "1.5 ".repeat(n_beams);
        let text = format!("FLASER {n_beams} {ranges} 0 0 0 0 0 0 1 host 1\n");
        let geometry = whole(&text).scans[0].scan.geometry;
        assert_eq!(geometry.n_beams, n_beams);
        assert!((geometry.first_angle_rad + std::f64::consts::FRAC_PI_2).abs() < 1e-12);
        assert!((geometry.step_rad.to_degrees() - step_degrees).abs() < 1e-9);
    }
}

#[test]
fn newer_laser_lines_say_their_own_geometry() {
    let robot = "ROBOTLASER1 0 -1.570796 3.141593 1.047198 50.0 0.1 0 4 1 2 3 4 2 9 9 \
                 1 2 0.5 1 2 0.5 0 0 0 0 0 7.5 host 0.1\n";
    let raw = "RAWLASER1 0 -1.570796 3.141593 1.047198 50.0 0.1 0 4 1 2 3 4 0 7.4 host 0.1\n";
    let rear = "RLASER 4 1 1 1 1 0 0 0 0 0 0 7 host 7\n";
    let drive = whole(&[raw, robot, raw, rear, "SYNC hello\n", "# words\n", "\n"].concat());
    assert_eq!(drive.scans.len(), 1, "the kind with poses wins");
    assert_eq!(drive.scans[0].stamp, stamp(7.5));
    assert_eq!(*drive.scans[0].scan.ranges_m, [1.0, 2.0, 3.0, 4.0]);
    let step_rad = drive.scans[0].scan.geometry.step_rad;
    assert!(
        (step_rad - FIELD_OF_VIEW_RAD / 3.0).abs() < 1e-12,
        "{step_rad}"
    );
    let skipped: Vec<(&str, u64)> = drive
        .skipped_lines
        .iter()
        .map(|(keyword, n)| (keyword.as_str(), *n))
        .collect();
    assert_eq!(skipped, [("RAWLASER1", 2), ("RLASER", 1), ("SYNC", 1)]);

    let drive = whole(&[odom("0 0 0", 7.0), raw.to_owned(), odom("1 0 0", 7.5)].concat());
    assert_eq!(drive.scans.len(), 1);
    assert_eq!(drive.source, Some(OdometrySource::Lines));
}

#[test]
fn a_bad_line_is_named_and_what_came_before_is_kept() {
    let good = flaser("0 0 0", "0 0 0", 1.0);
    let cases = [
        ("FLASER 3 1 2 3 0 0 0 0 0 0 2 host 2", "4 beams"),
        ("FLASER 4 1 2 nan 3 0 0 0 0 0 0 2 host 2", "a range of 0"),
        ("FLASER 4 1 2 -1 3 0 0 0 0 0 0 2 host 2", "a range of 0"),
        ("FLASER 4 1 2 1e300 3 0 0 0 0 0 0 2 host 2", "a range of 0"),
        (
            "FLASER 9223372036854775808 1 2",
            "a beam count of 2 to 65536",
        ),
        ("FLASER -4 1 2 3 4 0 0 0 0 0 0 2 host 2", "a beam count"),
        ("FLASER 4 1 2 3", "a range as field 6"),
        (
            "FLASER 4 1 2 3 4 0 0 inf 0 0 0 2 host 2",
            "the scanner's pose",
        ),
        (
            "FLASER 4 1 2 3 4 0 0 0 0 0 0 1e300 host 2",
            "the time of the scan",
        ),
        ("FLASER 4 1 2 3 4 0 0 0 0 0 0 1e9 host 2", "within a day"),
        ("FLASER 4 1 2 3 4 0 0 0 0 0 0 2 ho", "a logger's time"),
        ("ODOM 5 0 0 0 0 0 nan host 2", "the time of the odometry"),
        ("ODOM 5 0 x 0 0 0 2 host 2", "an odometry pose"),
        ("ODOM 5 0", "an odometry pose"),
        ("FLA", "a whole line"),
    ];
    for (line, expected) in cases {
        let (drive, defect) = read_text(&format!("{good}{line}"));
        let message = defect.expect(line).to_string();
        assert!(message.contains("a.log, line 2: expected"), "{message}");
        assert!(message.contains(expected), "{line}: {message}");
        assert_eq!(drive.scans.len(), 1, "{line}");
    }
}

#[test]
fn a_hostile_text_cannot_fill_the_memory() {
    let mut text = String::new();
    for n in 0..1000 {
        writeln!(text, "KEYWORD{n}{} 1", "x".repeat(100)).unwrap();
    }
    let drive = whole(&text);
    assert!(drive.skipped_lines.len() <= 65);
    assert_eq!(drive.skipped_lines.values().sum::<u64>(), 1000);

    let long_line = format!("FLASER 4 {}", "1 ".repeat(2 << 20));
    let (_, defect) = read_text(&long_line);
    assert!(defect.unwrap().to_string().contains("a line of at most"));
    let mut input = text.as_bytes();
    let limits = Limits {
        text_bytes_max: 10_000,
        ..Limits::FILE
    };
    let (_, defect) = read(&mut Lines::new(Path::new("a.log"), &mut input, limits));
    assert!(matches!(
        defect,
        Some(LogError::TooLong {
            bytes_max: 10_000,
            ..
        })
    ));
}
