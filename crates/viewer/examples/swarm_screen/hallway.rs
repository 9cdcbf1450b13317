//! A hallway in which two groups of robots swap sides while people walk across.

use std::f64::consts::{PI, TAU};
use std::time::Duration;

use sedge_spacetime::{AgentName, Pose2};
use sedge_viewer::{RobotMode, SceneRobot, SceneWalker, SwarmRates, SwarmScene, WallBox};
use sedge_world_model::{LidarScan, ScanGeometry};

pub(crate) const HORIZONS: [Duration; 3] = [
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
];
const GEOMETRY: ScanGeometry = ScanGeometry {
    first_angle_rad: -PI,
    step_rad: TAU / 360.0,
    n_beams: 360,
};
const RADIUS_M: f64 = 0.3;
const WALKER_RADIUS_M: f64 = 0.3;
const RANGE_M: f64 = 20.0;
const SPEED_MPS: f64 = 0.8;
const N_FAN: i32 = 24;

/// A robot of the hallway.
pub(crate) struct Robot {
    pub(crate) name: AgentName,
    /// So that no two do the same.
    pub(crate) phase: f64,
    from_m: [f64; 2],
    to_m: [f64; 2],
}

impl Robot {
    /// A wavy line from start to goal.
    pub(crate) fn pose(&self, secs: f64) -> Pose2 {
        let place = |secs: f64| {
            let whole_m = self.to_m[0] - self.from_m[0];
            let share = (SPEED_MPS * secs / whole_m.abs()).clamp(0.0, 1.0);
            let wave = 0.35 * (PI * share).sin() * (3.0 * share * PI + self.phase).sin();
            let y_m = self.from_m[1] + wave;
            [self.from_m[0] + whole_m * share, y_m]
        };
        let [x_m, y_m] = place(secs);
        let [ahead_x, ahead_y] = place(secs + 0.05);
        let yaw_rad = if (ahead_x - x_m).abs() > 1e-9 {
            (ahead_y - y_m).atan2(ahead_x - x_m)
        } else {
            0.0
        };
        Pose2::new(x_m, y_m, yaw_rad)
    }

    /// Arcs of all curvatures; the nearer to what the robot will do, the cheaper.
    pub(crate) fn fan(&self, secs: f64) -> Vec<(Vec<[f32; 2]>, f32)> {
        let pose = self.pose(secs);
        let chosen = pose.between(self.pose(secs + 2.0));
        let arc = |nth: i32| {
            let curvature = 1.4 * f64::from(nth) / f64::from(N_FAN / 2);
            let points = (0..=20).map(|i| {
                let along_m = SPEED_MPS * 0.1 * f64::from(i);
                let half_turn = 0.5 * curvature * along_m;
                // The chord of an arc points half as far aside as the arc turns.
                let chord_m = along_m * (1.0 - half_turn * half_turn / 6.0);
                [chord_m * half_turn.cos(), chord_m * half_turn.sin()].map(|x| x as f32)
            });
            let points: Vec<_> = points.collect();
            let end = points[20];
            let off = f64::from(end[0]) - chosen.x_m;
            let aside = f64::from(end[1]) - chosen.y_m;
            (points, off.hypot(aside) as f32)
        };
        (-N_FAN / 2..=N_FAN / 2).map(arc).collect()
    }
}

/// The hallway.
pub(crate) struct Hallway {
    length_m: f64,
    width_m: f64,
    walls: Vec<WallBox>,
    robots: Vec<Robot>,
}

impl Hallway {
    pub(crate) fn new(n_robots: usize) -> Self {
        let n_rows = if n_robots > 16 { 8 } else { 4 };
        let n_columns = n_robots.div_ceil(2 * n_rows);
        let (length_m, width_m) = (16.0 + 1.6 * n_columns as f64, 1.5 * n_rows as f64 + 0.6);
        let wall = |x_m: f64, y_m: f64, size_m| WallBox {
            center_m: [x_m, y_m],
            size_m,
            yaw_rad: 0.0,
            height_m: 1.2,
        };
        let side = 0.5 * width_m + 0.1;
        let end = 0.5 * length_m + 0.1;
        let walls = vec![
            wall(0.0, side, [length_m + 0.4, 0.2]),
            wall(0.0, -side, [length_m + 0.4, 0.2]),
            wall(end, 0.0, [0.2, width_m]),
            wall(-end, 0.0, [0.2, width_m]),
            wall(-2.5, 0.5 * width_m - 0.4, [1.2, 0.8]),
            wall(2.0, 0.4 - 0.5 * width_m, [1.6, 0.8]),
        ];
        let robots = (0..n_robots).map(|idx| {
            let (row, column, is_left) = (idx / 2 % n_rows, idx / 2 / n_rows, idx % 2 == 0);
            let x_m = 0.5 * length_m - 1.2 - 1.5 * column as f64;
            let y_m = (row as f64 + 0.5) * 1.5 - 0.5 * width_m + 0.3;
            let sign = if is_left { -1.0 } else { 1.0 };
            Robot {
                name: AgentName::new(format!("crane{}", idx + 1)).expect("a name"),
                phase: 1.7 * idx as f64,
                from_m: [sign * x_m, y_m + 0.3 * sign],
                to_m: [-sign * x_m, y_m + 0.3 * sign],
            }
        });
        Self {
            robots: robots.collect(),
            length_m,
            width_m,
            walls,
        }
    }

    pub(crate) fn robots(&self) -> &[Robot] {
        &self.robots
    }

    pub(crate) fn scene(&self) -> SwarmScene {
        let robots = self.robots.iter().map(|robot| SceneRobot {
            name: robot.name.clone(),
            radius_m: RADIUS_M,
            goals_m: vec![robot.to_m],
        });
        let walker = SceneWalker {
            radius_m: WALKER_RADIUS_M,
        };
        SwarmScene {
            title: format!(
                "Hallway: {} robots swap sides, people walk",
                self.robots.len()
            ),
            walls: self.walls.clone(),
            robots: robots.collect(),
            walkers: vec![walker; 4],
            rungs: Vec::new(),
            focus: AgentName::new("crane3").ok(),
            rates: SwarmRates::default(),
        }
    }

    pub(crate) fn mode(&self, robot: &Robot, secs: f64) -> RobotMode {
        let pose = robot.pose(secs);
        let near_m = self
            .walkers(secs)
            .iter()
            .map(|walker| pose.between(*walker).distance_m())
            .fold(f64::INFINITY, f64::min);
        let left_m = (robot.to_m[0] - pose.x_m).abs();
        match near_m {
            _ if left_m < 0.05 => RobotMode::Arrived,
            near if near < 0.7 => RobotMode::Stopped,
            near if near < 1.3 => RobotMode::Slowed,
            _ => RobotMode::Driving,
        }
    }

    pub(crate) fn stop_reason(&self, robot: &Robot, secs: f64) -> Option<&'static str> {
        let is_stopped = |secs| self.mode(robot, secs) == RobotMode::Stopped;
        (is_stopped(secs) && !is_stopped(secs - 0.1)).then_some("safety stop: someone within 0.7 m")
    }

    pub(crate) fn walkers(&self, secs: f64) -> Vec<Pose2> {
        let walker = |idx: u32| {
            let idx = f64::from(idx);
            let phase = 0.25 * secs + 1.9 * idx;
            let y_m = (0.5 * self.width_m - 0.7) * phase.sin();
            let x_m = -0.3 * self.length_m + 0.18 * self.length_m * idx + 0.8 * (0.7 * phase).cos();
            Pose2::new(x_m, y_m, 0.0)
        };
        (0..4).map(walker).collect()
    }

    /// Where people are and how fast they go, from a pose.
    pub(crate) fn walkers_seen(
        &self,
        pose: Pose2,
        secs: f64,
    ) -> impl Iterator<Item = ([f64; 2], [f64; 2])> {
        let back = pose.inverse();
        let (now, then) = (self.walkers(secs), self.walkers(secs + 0.1));
        now.into_iter().zip(then).map(move |(now, then)| {
            let [from, to] = [now, then].map(|at| back.transform([at.x_m, at.y_m]));
            (from, [0, 1].map(|axis| (to[axis] - from[axis]) / 0.1))
        })
    }

    /// Where other robots are and will go, from one robot.
    pub(crate) fn others_seen(&self, robot: &Robot, secs: f64) -> Vec<([f64; 2], Vec<[f64; 2]>)> {
        let back = robot.pose(secs).inverse();
        let seen = |other: &Robot, secs: f64| {
            let pose = other.pose(secs);
            back.transform([pose.x_m, pose.y_m])
        };
        let others = self.robots.iter().filter(|other| other.name != robot.name);
        others
            .map(|other| (seen(other, secs), other))
            .filter(|(at, _)| at[0].hypot(at[1]) < 6.0)
            .map(|(at, other)| {
                let path = (1..=10).map(|i| seen(other, secs + 0.2 * f64::from(i)));
                (at, path.collect())
            })
            .collect()
    }

    /// A scan of walls, people and other robots, and which beams hit what moves.
    pub(crate) fn scan(&self, pose: Pose2, name: &AgentName, secs: f64) -> (LidarScan, Vec<bool>) {
        let others = self.robots.iter().filter(|other| other.name != *name);
        let others = others.map(|other| (other.pose(secs), RADIUS_M));
        let walkers = self.walkers(secs).into_iter();
        let discs: Vec<_> = walkers
            .map(|walker| (walker, WALKER_RADIUS_M))
            .chain(others)
            .collect();
        let cast = |beam_idx: usize| {
            let (sin, cos) = (pose.yaw_rad + GEOMETRY.angle_rad(beam_idx)).sin_cos();
            let ray = [cos, sin];
            let walls = self.walls.iter().filter_map(|wall| to_box(pose, ray, wall));
            let wall_m = walls.fold(RANGE_M, f64::min);
            let discs = discs
                .iter()
                .filter_map(|(disc, r)| to_disc(pose, ray, disc, *r));
            let disc_m = discs.fold(RANGE_M, f64::min);
            (wall_m.min(disc_m) as f32, disc_m < wall_m)
        };
        let (ranges, moving): (Vec<f32>, Vec<bool>) = (0..GEOMETRY.n_beams).map(cast).unzip();
        let scan = LidarScan {
            geometry: GEOMETRY,
            ranges_m: ranges.into(),
        };
        (scan, moving)
    }
}

/// Where a ray enters a box along the axes.
fn to_box(pose: Pose2, ray: [f64; 2], wall: &WallBox) -> Option<f64> {
    let at = [pose.x_m, pose.y_m];
    let (mut enter, mut leave) = (0.0_f64, f64::INFINITY);
    for axis in [0, 1] {
        let sides = [-0.5, 0.5]
            .map(|half| (wall.center_m[axis] + half * wall.size_m[axis] - at[axis]) / ray[axis]);
        enter = enter.max(sides[0].min(sides[1]));
        leave = leave.min(sides[0].max(sides[1]));
    }
    (enter > 0.0 && enter <= leave).then_some(enter)
}

fn to_disc(pose: Pose2, ray: [f64; 2], disc: &Pose2, radius_m: f64) -> Option<f64> {
    let offset = [disc.x_m - pose.x_m, disc.y_m - pose.y_m];
    let along = offset[0] * ray[0] + offset[1] * ray[1];
    let aside = offset[0] * ray[1] - offset[1] * ray[0];
    let half = (radius_m * radius_m - aside * aside).sqrt();
    (along > half).then_some(along - half)
}
