//! What a seed makes of a scenario: places, routes and the numbers that differ between runs.

use sedge_spacetime::{AgentName, Pose2};
use serde::{Deserialize, Serialize};

use crate::limits::SPAWN_TRIES_MAX;
use crate::noise::{Noise, Purpose};
use crate::outline::{Outline, Placed};
use crate::walker::WALKER_RADIUS_M;
use crate::{AtEnd, Region, Scenario};

/// What tells a run from every other: scenario, seed and all that was drawn. It belongs into the
/// header of every recording.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunHeader {
    /// The scenario's name.
    pub scenario: String,
    /// Its hash, [`Scenario::hash`], in hexadecimal digits.
    pub scenario_hash: String,
    /// The seed.
    pub seed: u64,
    /// Friction coefficient between wheels and floor.
    pub floor_friction: f64,
    /// The robots, in order.
    pub robots: Vec<RobotDraw>,
    /// The walkers, in order.
    pub walkers: Vec<WalkerDraw>,
}

/// A robot of one run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RobotDraw {
    /// Its name, such as `crane1`.
    pub name: String,
    /// Its kind in the scenario.
    pub kind: String,
    /// Where it starts, in the frame "world".
    pub start: Pose2,
    /// Its way points in the frame "world", the last one its goal.
    pub route: Vec<Pose2>,
    /// How near is near enough, in metres.
    pub position_tolerance_m: f64,
    /// How well the last heading must fit, in radians.
    pub yaw_tolerance_rad: f64,
    /// Its mass, in kilograms.
    pub mass_kg: f64,
    /// Its speed for a commanded speed of 1.
    pub motor_gain: f64,
    /// What all sigmas of its sensors are multiplied with.
    pub noise_factor: f64,
}

/// A walker of one run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WalkerDraw {
    /// Its name, such as `walker1`.
    pub name: String,
    /// Where it starts, in the frame "world".
    pub start_m: [f64; 2],
    /// Its way points in the frame "world".
    pub route_m: Vec<[f64; 2]>,
    /// How fast it likes to walk.
    pub speed_mps: f64,
    /// How much of its regard for people it has for robots, 0 to 1.
    pub regard: f64,
    /// What it does at the end of its route.
    pub at_end: AtEnd,
}

/// A run cannot begin: there is no room.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{who}: expected a free place {place}, found none in {SPAWN_TRIES_MAX} tries")]
pub struct SpawnError {
    /// Whom there is no room for.
    pub who: String,
    /// Where it was to be.
    pub place: &'static str,
}

impl RunHeader {
    /// Draws a run.
    ///
    /// # Errors
    /// [`SpawnError`] where somebody has no free place to start or to end.
    pub fn draw(scenario: &Scenario, seed: u64) -> Result<Self, SpawnError> {
        let walls: Vec<Placed> = scenario.walls.iter().map(Placed::wall).collect();
        let mut draw = Draw {
            scenario,
            seed,
            walls,
            bodies: Vec::new(),
        };
        let mut noise = Noise::new(seed, 0, Purpose::Randomisation);
        let share = scenario.randomisation.friction_share;
        let floor_friction = scenario.floor_friction * factor(&mut noise, share);
        let digit = |byte: &u8| format!("{byte:02x}");
        Ok(Self {
            scenario: scenario.name.clone(),
            scenario_hash: scenario.hash().iter().map(digit).collect(),
            seed,
            floor_friction,
            robots: draw.robots()?,
            walkers: draw.walkers()?,
        })
    }
}

impl RobotDraw {
    /// Its name.
    ///
    /// # Panics
    /// Never for a drawn robot: its name is one of agents.
    pub fn agent_name(&self) -> AgentName {
        AgentName::new(self.name.clone()).expect("crane and a number is a name")
    }
}

impl WalkerDraw {
    /// Its name.
    ///
    /// # Panics
    /// Never for a drawn walker: its name is one of agents.
    pub fn agent_name(&self) -> AgentName {
        AgentName::new(self.name.clone()).expect("walker and a number is a name")
    }
}

struct Draw<'a> {
    scenario: &'a Scenario,
    seed: u64,
    walls: Vec<Placed>,
    /// Whoever has a place.
    bodies: Vec<Placed>,
}

impl Draw<'_> {
    fn robots(&mut self) -> Result<Vec<RobotDraw>, SpawnError> {
        let mut robots = Vec::with_capacity(self.scenario.n_robots());
        for spawn in &self.scenario.robots {
            let mut noise = self.noise(robots.len());
            let name = format!("crane{}", robots.len() + 1);
            let start = self.jittered(&mut noise, spawn.start, self.outline(&spawn.kind), &name)?;
            robots.push(RobotDraw {
                route: spawn.route.iter().map(|it| pose(*it)).collect(),
                yaw_tolerance_rad: spawn.yaw_tolerance_rad,
                position_tolerance_m: spawn.position_tolerance_m,
                ..self.robot(&mut noise, name, &spawn.kind, start)
            });
        }
        for group in &self.scenario.groups {
            let outline = self.outline(&group.kind);
            let mut goals: Vec<Placed> = Vec::new();
            for _ in 0..group.count {
                let mut noise = self.noise(robots.len());
                let name = format!("crane{}", robots.len() + 1);
                let start = self.free(&mut noise, &group.spawn, outline, &name)?;
                let mut route = Vec::with_capacity(group.route.len());
                for (idx, region) in group.route.iter().enumerate() {
                    let is_last = idx + 1 == group.route.len();
                    let taken: &[Placed] = if is_last { &goals } else { &[] };
                    let goal = self.free_of(&mut noise, region, outline, taken);
                    let place = "on its route";
                    let who = name.clone();
                    let goal = goal.ok_or(SpawnError { who, place })?;
                    if is_last {
                        goals.push(Placed::new(outline, goal));
                    }
                    route.push(goal);
                }
                robots.push(RobotDraw {
                    route,
                    position_tolerance_m: group.position_tolerance_m,
                    ..self.robot(&mut noise, name, &group.kind, start)
                });
            }
        }
        Ok(robots)
    }

    fn robot(&self, noise: &mut Noise, name: String, kind: &str, start: Pose2) -> RobotDraw {
        let randomisation = &self.scenario.randomisation;
        RobotDraw {
            name,
            kind: kind.to_owned(),
            start,
            route: Vec::new(),
            position_tolerance_m: 0.0,
            yaw_tolerance_rad: 4.0,
            mass_kg: self.scenario.kinds[kind].mass_kg * factor(noise, randomisation.mass_share),
            motor_gain: factor(noise, randomisation.motor_gain_share),
            noise_factor: factor(noise, randomisation.sensor_noise_share),
        }
    }

    fn walkers(&mut self) -> Result<Vec<WalkerDraw>, SpawnError> {
        let n_robots = self.scenario.n_robots();
        let outline = Outline::Disc {
            radius_m: WALKER_RADIUS_M,
        };
        let speed_share = self.scenario.randomisation.walker_speed_share;
        let mut walkers = Vec::with_capacity(self.scenario.n_walkers());
        for spawn in &self.scenario.walkers {
            let mut noise = self.noise(n_robots + walkers.len());
            let name = format!("walker{}", walkers.len() + 1);
            let [x_m, y_m] = spawn.start;
            let start = self.jittered(&mut noise, [x_m, y_m, 0.0], outline, &name)?;
            walkers.push(WalkerDraw {
                name,
                start_m: [start.x_m, start.y_m],
                route_m: spawn.route.clone(),
                speed_mps: spawn.speed_mps * factor(&mut noise, speed_share),
                regard: spawn.regard,
                at_end: spawn.at_end,
            });
        }
        for crowd in &self.scenario.crowds {
            for _ in 0..crowd.count {
                let mut noise = self.noise(n_robots + walkers.len());
                let name = format!("walker{}", walkers.len() + 1);
                let start = self.free(&mut noise, &crowd.spawn, outline, &name)?;
                let mut route_m = Vec::with_capacity(crowd.route.len());
                for region in &crowd.route {
                    let point = self.free_of(&mut noise, region, outline, &[]);
                    let (who, place) = (name.clone(), "on its route");
                    let point = point.ok_or(SpawnError { who, place })?;
                    route_m.push([point.x_m, point.y_m]);
                }
                let [slow, fast] = crowd.speeds_mps;
                let liked_mps = noise.between(slow, fast);
                walkers.push(WalkerDraw {
                    name,
                    start_m: [start.x_m, start.y_m],
                    route_m,
                    speed_mps: liked_mps * factor(&mut noise, speed_share),
                    regard: crowd.regard,
                    at_end: crowd.at_end,
                });
            }
        }
        Ok(walkers)
    }

    /// Stream 0 is the world's.
    fn noise(&self, body_idx: usize) -> Noise {
        Noise::new(self.seed, body_idx + 1, Purpose::Randomisation)
    }

    fn outline(&self, kind: &str) -> Outline {
        self.scenario.kinds[kind].body.into()
    }

    /// A place near the wanted one, apart from everybody placed before; itself where there is no
    /// jitter, as the scenario was checked to have room there.
    fn jittered(
        &mut self,
        noise: &mut Noise,
        [x_m, y_m, yaw_rad]: [f64; 3],
        outline: Outline,
        who: &str,
    ) -> Result<Pose2, SpawnError> {
        let (by_m, by_rad) = {
            let randomisation = &self.scenario.randomisation;
            (randomisation.spawn_jitter_m, randomisation.spawn_jitter_rad)
        };
        let tried = (0..SPAWN_TRIES_MAX).find_map(|_| {
            let pose = Pose2::new(
                x_m + noise.between(-by_m, by_m),
                y_m + noise.between(-by_m, by_m),
                yaw_rad + noise.between(-by_rad, by_rad),
            );
            self.is_free(Placed::new(outline, pose)).then_some(pose)
        });
        self.taken(tried, outline, who)
    }

    fn free(
        &mut self,
        noise: &mut Noise,
        region: &Region,
        outline: Outline,
        who: &str,
    ) -> Result<Pose2, SpawnError> {
        let tried = (0..SPAWN_TRIES_MAX).find_map(|_| {
            let pose = within(noise, region);
            self.is_free(Placed::new(outline, pose)).then_some(pose)
        });
        self.taken(tried, outline, who)
    }

    fn taken(
        &mut self,
        tried: Option<Pose2>,
        outline: Outline,
        who: &str,
    ) -> Result<Pose2, SpawnError> {
        let place = "to start";
        let who = who.to_owned();
        let pose = tried.ok_or(SpawnError { who, place })?;
        self.bodies.push(Placed::new(outline, pose));
        Ok(pose)
    }

    /// A place apart from the walls and from those taken.
    fn free_of(
        &self,
        noise: &mut Noise,
        region: &Region,
        outline: Outline,
        taken: &[Placed],
    ) -> Option<Pose2> {
        (0..SPAWN_TRIES_MAX).find_map(|_| {
            let pose = within(noise, region);
            let placed = Placed::new(outline, pose);
            let mut others = self.walls.iter().chain(taken);
            let is_free = others.all(|other| placed.clearance_m(*other) >= 0.0);
            is_free.then_some(pose)
        })
    }

    fn is_free(&self, placed: Placed) -> bool {
        let mut others = self.walls.iter().chain(&self.bodies);
        others.all(|other| placed.clearance_m(*other) >= 0.0)
    }
}

fn within(noise: &mut Noise, region: &Region) -> Pose2 {
    let (min, max) = (region.min_m, region.max_m);
    let x_m = noise.between(min[0], max[0]);
    Pose2::new(x_m, noise.between(min[1], max[1]), region.yaw_rad)
}

fn factor(noise: &mut Noise, share: f64) -> f64 {
    noise.between(1.0 - share, 1.0 + share)
}

fn pose([x_m, y_m, yaw_rad]: [f64; 3]) -> Pose2 {
    Pose2::new(x_m, y_m, yaw_rad)
}
