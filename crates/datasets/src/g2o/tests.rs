use std::path::Path;

use sedge_spacetime::Pose2;

use super::read;
use crate::carmen::Drive;
use crate::lines::{Limits, Lines};
use crate::{LogError, OdometrySource};

fn read_text(text: &str) -> (Drive, Option<LogError>) {
    let mut input = text.as_bytes();
    read(&mut Lines::new(
        Path::new("a.g2o"),
        &mut input,
        Limits::FILE,
    ))
}

fn node(id: usize, pose: &str, secs: f64) -> String {
    format!(
        "VERTEX_SE2 {id} {pose}\nROBOTLASER1 0 -1.570796 3.141593 0.785398 50 0.1 0 4 1 2 3 51.2 \
         0 {pose} {pose} 0 0 0 0 0 {secs} host 1\n"
    )
}

fn edge(from: usize, to: usize, movement: &str) -> String {
    format!("EDGE_SE2 {from} {to} {movement} 1 0 0 1 0 1\n")
}

#[test]
fn poses_that_follow_from_the_edges_stand_in_for_odometry() {
    let text = [
        node(0, "0 0 0", 1.0),
        node(1, "1 0 0", 2.0),
        node(2, "2 0 0", 3.0),
        edge(1, 2, "1 0 0"),
        edge(0, 1, "1.001 0 0"),
    ];
    let (drive, defect) = read_text(&text.concat());
    assert!(defect.is_none());
    assert_eq!(drive.source, Some(OdometrySource::Scans));
    assert!(drive.scans.iter().all(|scan| scan.reference.is_none()));
    assert_eq!(
        drive.odometry[2].odometry_from_base,
        Pose2::new(2.0, 0.0, 0.0)
    );
    let step_rad = drive.scans[0].scan.geometry.step_rad;
    assert!((step_rad - 3_141_593e-6 / 4.0).abs() < 1e-12, "{step_rad}");
}

#[test]
fn optimised_poses_are_the_reference_and_the_edges_stand_in_for_odometry() {
    let text = [
        node(10, "0 0 0", 1.0),
        node(11, "1 0.5 0", 2.0),
        node(12, "2 1 0", 3.0),
        edge(10, 11, "1 0 0"),
        edge(10, 12, "2 1 0"),
    ];
    let (drive, defect) = read_text(&text.concat());
    assert!(defect.is_none());
    assert_eq!(drive.source, Some(OdometrySource::Edges));
    assert_eq!(drive.scans[1].reference, Some(Pose2::new(1.0, 0.5, 0.0)));
    let poses: Vec<Pose2> = drive
        .odometry
        .iter()
        .map(|sample| sample.odometry_from_base)
        .collect();
    // The second step has no edge: the poses say how it went.
    assert_eq!(
        poses[1..],
        [Pose2::new(1.0, 0.0, 0.0), Pose2::new(2.0, 0.5, 0.0)]
    );
}

#[test]
fn a_bad_line_is_named_and_what_came_before_is_kept() {
    let cases = [
        ("VERTEX_SE2 1 0 nan 0\n", "a vertex's pose"),
        ("VERTEX_SE2 -1 0 0 0\n", "a vertex of 0"),
        ("EDGE_SE2 0 1 1 0 1e300 1 0 0 1 0 1\n", "an edge's movement"),
        ("EDGE_SE2 0 1 1 0 0.", "an information matrix"),
        (
            "ROBOTLASER1 0 -1.5 3.1 0.785398 50 0.1 0 9223372036854775808",
            "a beam count",
        ),
        (
            "ROBOTLASER1 0 -1.5 3.1 -1 50 0.1 0 2 1 1 0 0 0 0 0 0 0 0 0 0 0 0 1 h 1\n",
            "a positive",
        ),
        (
            "ROBOTLASER1 0 -1.5 3.1 0.8 50 0.1 0 2 1 1 0 0 0 0 0 0 0 0 0 0 0 0 1 h 1\n",
            "4 beams",
        ),
    ];
    for (line, expected) in cases {
        let (drive, defect) = read_text(&format!("{}{line}", node(0, "0 0 0", 1.0)));
        let message = defect.expect(line).to_string();
        assert!(message.contains("a.g2o, line 3: expected"), "{message}");
        assert!(message.contains(expected), "{line}: {message}");
        assert_eq!(drive.scans.len(), 1, "{line}");
    }
}
