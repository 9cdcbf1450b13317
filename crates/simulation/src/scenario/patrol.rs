//! Robots that go to and fro for as long as a run lasts.

use super::{Region, Scenario};
use crate::limits::WAYPOINTS_MAX;

impl Scenario {
    /// The same for so many seconds: at the end of its route each robot turns back to its start,
    /// then to the end again, and so on until the time is up, or for the longest route there may
    /// be. Robots without a route stay where they are.
    #[must_use]
    pub fn patrolling(&self, duration_secs: f64) -> Self {
        let mut patrol = self.clone();
        patrol.duration_secs = duration_secs;
        let speed_mps = |kind: &str| {
            let kind = self.kinds.get(kind);
            kind.map_or(0.0, |kind| kind.drive.limits().max_speed_mps)
        };
        for robot in &mut patrol.robots {
            let place = |pose: &[f64; 3]| [pose[0], pose[1]];
            let reach_m = duration_secs * speed_mps(&robot.kind);
            robot.route = to_and_fro(robot.start, &robot.route, place, reach_m);
        }
        for group in &mut patrol.groups {
            let middle = |region: &Region| {
                [0, 1].map(|axis| region.min_m[axis].midpoint(region.max_m[axis]))
            };
            let reach_m = duration_secs * speed_mps(&group.kind);
            group.route = to_and_fro(group.spawn, &group.route, middle, reach_m);
        }
        patrol
    }
}

/// The route there and back, as often as it takes to be longer than `reach_m`.
fn to_and_fro<Point: Copy>(
    start: Point,
    route: &[Point],
    place: impl Fn(&Point) -> [f64; 2],
    reach_m: f64,
) -> Vec<Point> {
    let Some((_, before_end)) = route.split_last() else {
        return Vec::new();
    };
    let back = before_end.iter().rev().copied().chain([start]);
    let lap: Vec<Point> = route.iter().copied().chain(back).collect();
    let mut length_m = 0.0;
    let mut at = place(&start);
    for point in &lap {
        let [x_m, y_m] = place(point);
        length_m += (x_m - at[0]).hypot(y_m - at[1]);
        at = [x_m, y_m];
    }
    let n_laps_max = (WAYPOINTS_MAX / lap.len()).max(1);
    // A float beyond the range of integers becomes the largest of them.
    let n_laps = (reach_m / length_m.max(f64::MIN_POSITIVE)).floor() as usize;
    lap.repeat(n_laps.saturating_add(1).min(n_laps_max))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patrol_is_longer_than_its_robots_can_drive() {
        let there = [[1.0, 0.0], [3.0, 0.0]];
        let lap = [[1.0, 0.0], [3.0, 0.0], [1.0, 0.0], [0.0, 0.0]];
        let patrol = |reach_m| to_and_fro([0.0, 0.0], &there, |it| *it, reach_m);
        assert_eq!(patrol(5.0), lap);
        assert_eq!(patrol(13.0), lap.repeat(3));
        assert_eq!(patrol(1e300).len(), WAYPOINTS_MAX);
        let nowhere = to_and_fro([0.0, 0.0], &[], |it| *it, 5.0);
        assert!(nowhere.is_empty());
    }

    #[test]
    fn a_patrolling_scenario_is_still_one() {
        let text = r#"
            name = "yard"
            duration_secs = 30.0
            [kinds.crane]
            mass_kg = 12.0
            height_m = 0.4
            body.cylinder.radius_m = 0.2
            drive.differential.max_speed_mps = 1.0
            [[robots]]
            kind = "crane"
            start = [0.0, 0.0, 0.0]
            route = [[3.0, 0.0, 0.0]]
            [[robots]]
            kind = "crane"
            start = [0.0, 2.0, 0.0]
            [[groups]]
            kind = "crane"
            count = 2
            spawn = { min_m = [-5.0, -5.0], max_m = [-3.0, -3.0] }
            route = [{ min_m = [3.0, 3.0], max_m = [5.0, 5.0] }]
        "#;
        let scenario = Scenario::parse(text, "yard.toml").unwrap();
        let patrol = scenario.patrolling(600.0);
        assert_eq!(patrol.robots[0].route.len(), 202);
        assert_eq!(patrol.robots[1].route.len(), 0);
        let text = toml::to_string(&patrol).unwrap();
        assert_eq!(Scenario::parse(&text, "patrol.toml"), Ok(patrol.clone()));
        assert!(crate::Simulation::new(&patrol, 1).is_ok());
    }
}
