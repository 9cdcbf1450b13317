//! A run: bodies, sensors and metrics, stepped.

use std::sync::Arc;

use sedge_spacetime::{AgentName, Pose2, Stamp, Twist2};
use serde::{Deserialize, Serialize};

use crate::contacts::{Contact, ContactLedger, ContactReading, Other, Touch};
use crate::drive::Wheels;
use crate::lidar::ScanWork;
use crate::metrics::Progress;
use crate::outline::Placed;
use crate::parting::{Near, measure, part};
use crate::physics::{BodyState, Physics};
use crate::plan::Plan;
use crate::reading::floats;
use crate::scene::Scene;
use crate::sensors::{Sensors, Sight};
use crate::separation::Separation;
use crate::task::{IsSecondHalf, TaskProgress};
use crate::walker::{Passer, WalkerMind};
use crate::{
    Measurement, Reading, RunHeader, RunMetrics, STEP, Scenario, SpawnError, TrueScan, Wall,
};

mod snapshot;

pub use snapshot::SnapshotError;

/// Where somebody is and how it moves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AgentState {
    /// The base in the frame "world".
    pub pose: Pose2,
    /// Velocity of the base in its own frame.
    pub twist: Twist2,
    /// Radius of the smallest disc around the base that holds it, in metres.
    pub radius_m: f64,
}

/// One run of a scenario, 10 ms a step.
///
/// The same scenario, seed and commands give the same run, bit by bit; so do a snapshot and what
/// follows it.
///
/// # Examples
/// ```
/// use sedge_simulation::{Scenario, Simulation};
/// use sedge_spacetime::Twist2;
///
/// let text = r#"
///     name = "yard"
///     duration_secs = 30.0
///     kinds.crane.mass_kg = 12.0
///     kinds.crane.height_m = 0.4
///     kinds.crane.body.cylinder.radius_m = 0.2
///     kinds.crane.drive.differential.max_speed_mps = 1.0
///     robots = [{ kind = "crane", start = [0.0, 0.0, 0.0], route = [[2.0, 0.0, 0.0]] }]
/// "#;
/// let scenario = Scenario::parse(text, "yard.toml")?;
/// let mut simulation = Simulation::new(&scenario, 7)?;
/// let forward = Twist2 { vx_mps: 1.0, ..Twist2::default() };
/// while !simulation.is_over() {
///     simulation.step(&[forward]);
/// }
/// let reached_secs = simulation.metrics().robots[0].reached_secs;
/// assert!((1.7..2.3).contains(&reached_secs.unwrap()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Simulation {
    plan: Arc<Plan>,
    state: State,
    view: View,
}

/// All that moves: a snapshot is this and nothing else.
#[derive(Serialize, Deserialize)]
struct State {
    n_steps: u64,
    physics: Physics,
    robots: Vec<RobotBody>,
    walkers: Vec<WalkerMind>,
    contacts: ContactLedger,
    task: TaskProgress,
    penetration_max_m: f64,
    n_quarantined: usize,
    hash: [u8; 32],
}

#[derive(Serialize, Deserialize)]
struct RobotBody {
    wheels: Wheels,
    sensors: Sensors,
    progress: Progress,
}

/// What follows from the state, and memory that steps share.
#[derive(Default)]
struct View {
    /// Robots, then walkers.
    bodies: Vec<BodyState>,
    placed: Vec<Placed>,
    /// Pairs that touch or may.
    near: Vec<Near>,
    robots: Vec<AgentState>,
    walkers: Vec<AgentState>,
    readings: Vec<Reading>,
    separation: Separation,
    scan: ScanWork,
    bytes: Vec<u8>,
}

impl Simulation {
    /// Puts everybody at the start.
    ///
    /// # Errors
    /// [`SpawnError`] where a region of the scenario is too full.
    pub fn new(scenario: &Scenario, seed: u64) -> Result<Self, SpawnError> {
        let header = RunHeader::draw(scenario, seed)?;
        let plan = Plan::new(scenario, header);
        let robot = |robot_idx: usize| RobotBody {
            wheels: Wheels::default(),
            sensors: Sensors::new(&plan, robot_idx),
            progress: Progress::new(plan.header.robots[robot_idx].start),
        };
        let facing = |draw: &crate::WalkerDraw| {
            let to = draw.route_m.first().unwrap_or(&draw.start_m);
            let [dx, dy] = [to[0] - draw.start_m[0], to[1] - draw.start_m[1]];
            WalkerMind::facing(dy.atan2(dx))
        };
        let state = State {
            n_steps: 0,
            physics: plan.physics(),
            robots: (0..plan.robots.len()).map(robot).collect(),
            walkers: plan.header.walkers.iter().map(facing).collect(),
            contacts: ContactLedger::default(),
            task: TaskProgress::new(scenario.task, &plan.walls),
            penetration_max_m: 0.0,
            n_quarantined: 0,
            hash: plan.identity,
        };
        let mut simulation = Self {
            plan: Arc::new(plan),
            state,
            view: View::default(),
        };
        simulation.look();
        Ok(simulation)
    }

    /// Moves everything on by [`STEP`]. One wanted twist per robot, in its own frame: it is cut to
    /// what the drive can do; robots without one, and those whose numbers are none, are to stop.
    pub fn step(&mut self, targets: &[Twist2]) {
        self.drive(targets);
        self.walk();
        self.state.n_quarantined += self.state.physics.step();
        self.state.n_steps += 1;
        self.look();
        self.part();
        self.view.readings.clear();
        self.touch();
        self.measure();
        self.progress();
        self.chain();
    }

    /// The simulated time, from 0 at the start.
    pub fn now(&self) -> Stamp {
        Stamp::ZERO + STEP * u32::try_from(self.state.n_steps).unwrap_or(u32::MAX)
    }

    /// Steps so far.
    pub fn n_steps(&self) -> u64 {
        self.state.n_steps
    }

    /// Whether the scenario's time is up or its task is done. Stepping on is possible.
    pub fn is_over(&self) -> bool {
        let plan = &self.plan;
        let is_late = self.now().secs() >= plan.scenario.duration_secs;
        is_late
            || self
                .state
                .task
                .is_done(plan.scenario.task, self.reached_share())
    }

    /// The scenario.
    pub fn scenario(&self) -> &Scenario {
        &self.plan.scenario
    }

    /// What was drawn for this run.
    pub fn header(&self) -> &RunHeader {
        &self.plan.header
    }

    /// What stands.
    pub fn walls(&self) -> &[Wall] {
        &self.plan.scenario.walls
    }

    /// The robots, in order.
    pub fn robots(&self) -> &[AgentState] {
        &self.view.robots
    }

    /// The walkers, in order.
    pub fn walkers(&self) -> &[AgentState] {
        &self.view.walkers
    }

    /// A robot's name.
    ///
    /// # Panics
    /// When there is no such robot.
    pub fn robot_name(&self, robot_idx: usize) -> &AgentName {
        &self.plan.robots[robot_idx].name
    }

    /// A walker's name.
    ///
    /// # Panics
    /// When there is no such walker.
    pub fn walker_name(&self, walker_idx: usize) -> &AgentName {
        &self.plan.walker_names[walker_idx]
    }

    /// The way point that a robot goes to, in the frame "world"; none where it has nowhere to go.
    ///
    /// # Panics
    /// When there is no such robot.
    pub fn next_waypoint(&self, robot_idx: usize) -> Option<Pose2> {
        let n_passed = self.state.robots[robot_idx].progress.metrics.n_passed;
        let route = &self.plan.header.robots[robot_idx].route;
        route.get(n_passed).copied()
    }

    /// What the sensors gave in the last step; nothing after a restore.
    pub fn readings(&self) -> &[Reading] {
        &self.view.readings
    }

    /// What a robot's lidar would see now without noise; none where it has no lidar.
    ///
    /// # Panics
    /// When there is no such robot.
    pub fn true_scan(&self, robot_idx: usize) -> Option<TrueScan> {
        let beams = self.plan.robots[robot_idx].lidar.as_ref()?;
        let pose = self.view.bodies[robot_idx].pose;
        Some(beams.true_scan(&self.scene(), pose, robot_idx))
    }

    /// How the run went so far.
    pub fn metrics(&self) -> RunMetrics {
        let robots = self.state.robots.iter();
        let mut metrics = RunMetrics {
            secs: self.now().secs(),
            robots: robots.map(|it| it.progress.metrics.clone()).collect(),
            penetration_max_m: self.state.penetration_max_m,
            n_quarantined: self.state.n_quarantined,
            ..RunMetrics::default()
        };
        let task = self.plan.scenario.task;
        let reached_share = metrics.reached_share(&self.plan.header.robots);
        self.state.task.report(task, reached_share, &mut metrics);
        metrics
    }

    /// A number for all that happened so far: blake3 over the one before and over every body's pose
    /// and velocity and every reading of the step.
    pub fn hash(&self) -> [u8; 32] {
        self.state.hash
    }

    pub(crate) fn plan(&self) -> &Plan {
        &self.plan
    }

    pub(crate) fn placed_walls(&self) -> &[Placed] {
        &self.plan.walls
    }

    pub(crate) fn body_states(&self) -> &[BodyState] {
        &self.view.bodies
    }

    fn scene(&self) -> Scene<'_> {
        Scene {
            walls: &self.plan.walls,
            bodies: &self.view.placed,
        }
    }

    fn reached_share(&self) -> f64 {
        let draws = self.plan.header.robots.iter();
        let robots = draws.zip(&self.state.robots);
        let with_route = robots.filter(|(draw, _)| !draw.route.is_empty());
        let (n, n_reached) = with_route.fold((0_u32, 0_u32), |(n, n_reached), (_, robot)| {
            let is_there = robot.progress.metrics.reached_secs.is_some();
            (n + 1, n_reached + u32::from(is_there))
        });
        // Where nobody has a goal, there is nothing that ends the run early.
        f64::from(n_reached) / f64::from(n.max(1))
    }

    fn drive(&mut self, targets: &[Twist2]) {
        let robots = self.state.robots.iter_mut().zip(&self.plan.robots);
        for (robot_idx, (robot, plan)) in robots.enumerate() {
            let target = targets.get(robot_idx).copied().unwrap_or_default();
            let body = &self.view.bodies[robot_idx];
            let (velocity, turn) = plan.drive.step(&mut robot.wheels, target, body);
            self.state.physics.set_velocity(robot_idx, velocity, turn);
            if let Some(odometry) = &mut robot.sensors.odometry {
                odometry.roll(robot.wheels.twist);
            }
        }
    }

    fn walk(&mut self) {
        let n_robots = self.plan.robots.len();
        let (bodies, placed) = (&self.view.bodies, &self.view.placed);
        let draws = &self.plan.header.walkers;
        for (walker_idx, mind) in self.state.walkers.iter_mut().enumerate() {
            let own = n_robots + walker_idx;
            let draw = &draws[walker_idx];
            let others = placed.iter().enumerate().filter(|(idx, _)| *idx != own);
            let others = others.map(|(idx, other)| Passer {
                center_m: other.center_m,
                radius_m: other.outline.radius_m(),
                weight: if idx < n_robots { draw.regard } else { 1.0 },
            });
            let velocity = mind.step(draw, &bodies[own], others, &self.plan.walls);
            mind.face(velocity);
            self.state.physics.set_velocity(own, velocity, 0.0);
        }
    }

    /// Reads everybody's place from the physics.
    fn look(&mut self) {
        let n_robots = self.plan.robots.len();
        let view = &mut self.view;
        view.bodies.clear();
        view.placed.clear();
        view.robots.clear();
        view.walkers.clear();
        for (idx, outline) in self.plan.outlines.iter().enumerate() {
            let mut body = self.state.physics.state(idx);
            let mind = idx.checked_sub(n_robots).map(|it| self.state.walkers[it]);
            if let Some(mind) = mind {
                body.pose.yaw_rad = mind.yaw_rad;
                body.yaw_rate_radps = mind.yaw_rate_radps;
            }
            let placed = Placed::new(*outline, body.pose);
            let [cos, sin] = placed.heading;
            let [vx, vy] = body.velocity_mps;
            let state = AgentState {
                pose: body.pose,
                twist: Twist2 {
                    vx_mps: cos * vx + sin * vy,
                    vy_mps: cos * vy - sin * vx,
                    yaw_rate_radps: body.yaw_rate_radps,
                },
                radius_m: outline.radius_m(),
            };
            let agents = if mind.is_some() {
                &mut view.walkers
            } else {
                &mut view.robots
            };
            agents.push(state);
            view.bodies.push(body);
            view.placed.push(placed);
        }
    }

    /// Finds who is near whom, and moves apart who is too deep in another.
    fn part(&mut self) {
        let (plan, view) = (Arc::clone(&self.plan), &mut self.view);
        view.near.clear();
        view.near
            .extend(self.state.physics.near_pairs().map(Near::from));
        measure(&mut view.near, &view.placed, &plan.walls);
        if view.near.iter().any(Near::is_deep) {
            for idx in part(&view.near, &mut view.placed, &plan.walls, &plan.masses_kg) {
                let place_m = view.placed[idx].center_m;
                self.state.physics.set_place(idx, place_m);
            }
            // What counts is where physics has them, in its precision.
            self.look();
            measure(&mut self.view.near, &self.view.placed, &plan.walls);
        }
    }

    /// Counts contacts and how deep they are.
    fn touch(&mut self) {
        let n_robots = self.plan.robots.len();
        let (walls, placed) = (&self.plan.walls, &self.view.placed);
        let contacts = &mut self.state.contacts;
        contacts.part(|touch| touch.clearance_m(placed, walls));
        for near in &self.view.near {
            let (touch, clearance) = (near.pair, near.clearance_m);
            let Touch { body, other } = touch;
            self.state.penetration_max_m = self.state.penetration_max_m.max(-clearance);
            if body >= n_robots || !self.state.contacts.offer(touch, clearance) {
                continue;
            }
            let with = match other {
                Other::Body(other) if other < n_robots => Contact::Robot(other),
                Other::Body(other) => Contact::Walker(other - n_robots),
                Other::Wall(wall) => Contact::Wall(wall),
            };
            count(&mut self.state.robots, &mut self.view.readings, body, with);
            if let Contact::Robot(other) = with {
                let with = Contact::Robot(body);
                count(&mut self.state.robots, &mut self.view.readings, other, with);
            }
        }
    }

    fn measure(&mut self) {
        let view = &mut self.view;
        let sight = Sight {
            plan: &self.plan,
            scene: Scene {
                walls: &self.plan.walls,
                bodies: &view.placed,
            },
            bodies: &view.bodies,
            n_steps: self.state.n_steps,
        };
        for (robot_idx, robot) in self.state.robots.iter_mut().enumerate() {
            let sensors = &mut robot.sensors;
            sensors.measure(robot_idx, &sight, &mut view.scan, &mut view.readings);
        }
    }

    fn progress(&mut self) {
        let now = self.now();
        let draws = &self.plan.header.robots;
        for (robot_idx, robot) in self.state.robots.iter_mut().enumerate() {
            let pose = self.view.bodies[robot_idx].pose;
            robot.progress.step(now, pose, &draws[robot_idx]);
        }
        let robots = &mut self.state.robots;
        let n_robots = robots.len();
        let lower = |idx: usize, clearance_m: f64| {
            if let Some(robot) = robots.get_mut(idx) {
                let least_m = &mut robot.progress.metrics.separation_min_m;
                *least_m = least_m.min(clearance_m);
            }
        };
        self.view
            .separation
            .lower(&self.view.placed, n_robots, lower);
        let task = self.plan.scenario.task;
        let half = IsSecondHalf::at(now, self.plan.scenario.duration_secs);
        let bodies = &self.view.bodies[..n_robots];
        self.state.task.step(task, half, bodies);
    }

    fn chain(&mut self) {
        let bytes = &mut self.view.bytes;
        bytes.clear();
        bytes.extend(self.state.hash);
        for body in &self.view.bodies {
            let ([vx, vy], pose) = (body.velocity_mps, body.pose);
            let numbers = [
                pose.x_m,
                pose.y_m,
                pose.yaw_rad,
                vx,
                vy,
                body.yaw_rate_radps,
            ];
            floats(bytes, numbers);
        }
        for reading in &self.view.readings {
            reading.write_bytes(bytes);
        }
        self.state.hash = *blake3::hash(bytes).as_bytes();
    }
}

fn count(robots: &mut [RobotBody], readings: &mut Vec<Reading>, robot_idx: usize, with: Contact) {
    let metrics = &mut robots[robot_idx].progress.metrics;
    match with {
        Contact::Robot(_) => metrics.collisions_robot += 1,
        Contact::Walker(_) => metrics.collisions_walker += 1,
        Contact::Wall(_) => metrics.collisions_wall += 1,
    }
    readings.push(Reading {
        robot_idx,
        measured: Measurement::Contact(ContactReading { with }),
    });
}
