use super::*;
use crate::test_scenes::{Room, half_circle};

#[test]
fn walls_have_their_normals_and_corners_have_none() {
    let room = Room {
        half_x_m: 2.0,
        half_y_m: 1.5,
    };
    let surface = Surface::new(&room.scan(half_circle(181), sedge_spacetime::Pose2::IDENTITY));
    let walls = [
        Vector2::new(-1.0, 0.0),
        Vector2::new(0.0, 1.0),
        Vector2::new(0.0, -1.0),
    ];
    for point in surface.points() {
        let closest = walls
            .iter()
            .map(|wall| wall.dot(&point.normal))
            .fold(-1.0, f64::max);
        assert!(closest > 0.99, "{point:?}");
    }
    assert!(surface.points().count() > 150);
    assert!(
        surface.towards(Vector2::new(2.0, 1.5)).is_none(),
        "the corner"
    );
}

#[test]
fn a_direction_finds_the_surface_there() {
    let room = Room {
        half_x_m: 2.0,
        half_y_m: 1.5,
    };
    let surface = Surface::new(&room.scan(half_circle(181), sedge_spacetime::Pose2::IDENTITY));
    let ahead = surface.towards(Vector2::new(0.7, 0.0)).unwrap();
    assert!(
        (ahead.point - Vector2::new(2.0, 0.0)).norm() < 1e-4,
        "{ahead:?}"
    );
    assert!(surface.towards(Vector2::new(-1.0, 0.1)).is_none(), "behind");
}

#[test]
fn scattered_points_are_no_surface() {
    let geometry = half_circle(181);
    let ragged = |beam: usize| 2.0 + 0.1 * (beam % 3) as f32;
    let ranges_m = (0..geometry.n_beams).map(ragged).collect();
    let surface = Surface::new(&LidarScan { geometry, ranges_m });
    assert_eq!(surface.points().count(), 0);
}
