//! A tiny flat world for tests and the benchmark: walls, discs that keep their velocity, and a
//! model that knows exactly what will be seen.

use std::time::Duration;

use sedge_planning::{Goal, MotionLimits, MovingDisc, Plan, PlanRequest};
use sedge_spacetime::{Covariance2, Pose2, Stamp, Twist2};
use sedge_world_model::{
    ActionSequence, Belief, Futures, ImagineError, ObserveError, PredictedScan, Prediction, Reused,
    ScanGeometry, SensorEvent, WorldModel,
};

/// Radius of every robot here, in metres.
pub(crate) const RADIUS_M: f64 = 0.25;
/// How far apart plans are.
pub(crate) const TICK: Duration = Duration::from_millis(100);

/// A body that keeps its velocity.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Body {
    pub(crate) position_m: [f64; 2],
    pub(crate) velocity_mps: [f64; 2],
    pub(crate) radius_m: f64,
}

impl Body {
    pub(crate) fn at_secs(&self, secs: f64) -> [f64; 2] {
        let [x, y] = self.position_m;
        [
            x + secs * self.velocity_mps[0],
            y + secs * self.velocity_mps[1],
        ]
    }
}

/// The world around one robot, which is also the model of it: it sees exactly what will be there.
#[derive(Debug, Clone)]
pub(crate) struct ToyWorld {
    pub(crate) walls: Vec<[[f64; 2]; 2]>,
    pub(crate) bodies: Vec<Body>,
    pub(crate) world_from_base: Pose2,
    pub(crate) twist: Twist2,
    pub(crate) now: Stamp,
    pub(crate) geometry: ScanGeometry,
    pub(crate) limits: MotionLimits,
}

impl ToyWorld {
    pub(crate) fn new(n_beams: usize) -> Self {
        Self {
            walls: Vec::new(),
            bodies: Vec::new(),
            world_from_base: Pose2::IDENTITY,
            twist: Twist2::default(),
            now: Stamp::ZERO,
            geometry: ScanGeometry {
                first_angle_rad: -std::f64::consts::PI,
                step_rad: std::f64::consts::TAU / n_beams as f64,
                n_beams,
            },
            limits: MotionLimits::default(),
        }
    }

    pub(crate) fn request<'a>(
        &self,
        goal_in_world: Goal,
        discs: &'a [MovingDisc],
    ) -> PlanRequest<'a> {
        PlanRequest {
            now: self.now,
            scan_stamp: self.now,
            odometry_stamp: self.now,
            twist: self.twist,
            in_flight: &[],
            goal: goal_in_world.seen_from(self.world_from_base.inverse()),
            geometry: self.geometry,
            base_from_scanner: Pose2::IDENTITY,
            odometry_from_base: self.world_from_base,
            discs,
        }
    }

    /// The bodies as a tracker would tell them.
    pub(crate) fn discs(&self) -> Vec<MovingDisc> {
        let base_from_world = self.world_from_base.inverse();
        let secs = self.now.secs();
        let disc = |body: &Body| {
            let turned = Pose2::new(0.0, 0.0, base_from_world.yaw_rad);
            let position_m = base_from_world.transform(body.at_secs(secs));
            let velocity_mps = turned.transform(body.velocity_mps);
            let age = Duration::ZERO;
            MovingDisc::constant_velocity(body.radius_m, position_m, velocity_mps, 0.0, age)
        };
        self.bodies.iter().map(disc).collect()
    }

    /// Executes one tick of a plan.
    pub(crate) fn drive(&mut self, plan: &Plan) {
        let wanted = plan.actions.actions[0].twist;
        let secs = TICK.as_secs_f64();
        self.twist = self.limits.approach(self.twist, wanted, secs);
        self.world_from_base = self.world_from_base * Pose2::exp(self.twist.scaled(secs));
        self.now = self.now + TICK;
    }

    /// Distance from the robot's edge to the nearest wall or body.
    pub(crate) fn clearance_m(&self) -> f64 {
        let here = [self.world_from_base.x_m, self.world_from_base.y_m];
        let walls = self.walls.iter().map(|wall| to_wall_m(here, *wall));
        let bodies = self.bodies.iter().map(|body| {
            let [x, y] = body.at_secs(self.now.secs());
            (x - here[0]).hypot(y - here[1]) - body.radius_m
        });
        walls.chain(bodies).fold(f64::INFINITY, f64::min) - RADIUS_M
    }

    pub(crate) fn distance_m(&self, goal: Goal) -> f64 {
        let [x, y] = goal.position_m;
        (x - self.world_from_base.x_m).hypot(y - self.world_from_base.y_m)
    }

    pub(crate) fn scan(&self, world_from_scan: Pose2, secs: f64) -> PredictedScan {
        let from = [world_from_scan.x_m, world_from_scan.y_m];
        let range = |beam: usize| {
            let angle = world_from_scan.yaw_rad + self.geometry.angle_rad(beam);
            let along = [angle.cos(), angle.sin()];
            let walls = self
                .walls
                .iter()
                .map(|wall| along_to_wall_m(from, along, *wall));
            let bodies = self
                .bodies
                .iter()
                .map(|body| along_to_disc_m(from, along, body.at_secs(secs), body.radius_m));
            walls.chain(bodies).fold(f64::INFINITY, f64::min) as f32
        };
        PredictedScan::certain((0..self.geometry.n_beams).map(range))
    }

    fn future(&self, plan: &ActionSequence, horizon: Duration) -> Prediction {
        let (mut motion, mut left) = (Pose2::IDENTITY, horizon);
        for action in &plan.actions {
            let secs = action.duration.min(left);
            motion = motion * Pose2::exp(action.twist.scaled(secs.as_secs_f64()));
            left -= secs;
        }
        let secs = (self.now + horizon).secs();
        Prediction {
            horizon,
            motion,
            covariance: Covariance2::zero(),
            scan: self.scan(self.world_from_base * motion, secs),
        }
    }
}

impl WorldModel for ToyWorld {
    fn name(&self) -> &'static str {
        "toy world"
    }

    fn observe(&mut self, _: &SensorEvent) -> Result<(), ObserveError> {
        Ok(())
    }

    fn belief(&self) -> Option<Belief> {
        None
    }

    fn imagine(
        &mut self,
        plans: &[ActionSequence],
        horizons: &[Duration],
    ) -> Result<Reused<Futures>, ImagineError> {
        let futures = |plan: &ActionSequence| Futures {
            predictions: horizons.iter().map(|&it| self.future(plan, it)).collect(),
        };
        Ok(plans.iter().map(futures).collect())
    }
}

fn to_wall_m(point: [f64; 2], [from, to]: [[f64; 2]; 2]) -> f64 {
    let (dx, dy) = (to[0] - from[0], to[1] - from[1]);
    let (x, y) = (point[0] - from[0], point[1] - from[1]);
    let share = ((x * dx + y * dy) / (dx * dx + dy * dy)).clamp(0.0, 1.0);
    (x - share * dx).hypot(y - share * dy)
}

fn along_to_wall_m(from: [f64; 2], along: [f64; 2], [a, b]: [[f64; 2]; 2]) -> f64 {
    let (dx, dy) = (b[0] - a[0], b[1] - a[1]);
    let (x, y) = (a[0] - from[0], a[1] - from[1]);
    let cross = along[0] * dy - along[1] * dx;
    let (range, share) = (
        (x * dy - y * dx) / cross,
        (x * along[1] - y * along[0]) / cross,
    );
    if range > 0.0 && (0.0..=1.0).contains(&share) {
        range
    } else {
        f64::INFINITY
    }
}

fn along_to_disc_m(from: [f64; 2], along: [f64; 2], centre: [f64; 2], radius_m: f64) -> f64 {
    let (x, y) = (centre[0] - from[0], centre[1] - from[1]);
    let (ahead, aside) = (x * along[0] + y * along[1], y * along[0] - x * along[1]);
    if ahead <= 0.0 || aside.abs() >= radius_m {
        return f64::INFINITY;
    }
    ahead - (radius_m * radius_m - aside * aside).sqrt()
}
