//! The bodies in rapier: the only place that knows it, its types and its single precision.

use rapier3d::prelude::{
    ColliderBuilder, ColliderHandle, MassProperties, PhysicsWorld, Pose, RigidBodyBuilder,
    RigidBodyHandle, Vector,
};
use sedge_spacetime::{Pose2, wrap_angle};
use serde::{Deserialize, Serialize};

use crate::STEP_SECS;
use crate::contacts::{Other, Touch};
use crate::outline::{Outline, Placed};

/// Friction between bodies: hulls of plastic. Wheels are the drive's matter.
const HULL_FRICTION: f32 = 0.2;
/// Half the height of every collider. Bodies move in the plane alone, so heights do not matter to
/// contacts; what sensors see of them is computed elsewhere.
const HALF_HEIGHT_M: f32 = 1.0;

/// A body that moves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct BodyPlan {
    pub(crate) outline: Outline,
    pub(crate) pose: Pose2,
    pub(crate) mass_kg: f64,
    pub(crate) turning: Turning,
    pub(crate) speed_max_mps: f64,
}

/// Whether contacts and commands may turn a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turning {
    Free,
    Locked,
}

/// Where a body is and how it moves, in the frame "world".
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct BodyState {
    pub(crate) pose: Pose2,
    pub(crate) velocity_mps: [f64; 2],
    pub(crate) yaw_rate_radps: f64,
}

/// Bodies and walls. A snapshot is this, serialised: rapier restores bit by bit.
#[derive(Serialize, Deserialize)]
pub(crate) struct Physics {
    world: PhysicsWorld,
    bodies: Vec<RigidBodyHandle>,
}

impl Physics {
    pub(crate) fn new(walls: &[Placed], bodies: &[BodyPlan]) -> Self {
        let mut world = PhysicsWorld {
            gravity: Vector::ZERO,
            ..PhysicsWorld::default()
        };
        let fastest_mps = bodies
            .iter()
            .map(|body| body.speed_max_mps)
            .fold(0.0, f64::max);
        let parameters = &mut world.integration_parameters;
        parameters.dt = STEP_SECS as f32;
        // Two bodies that meet at full speed are in contact before they are in each other.
        parameters.normalized_prediction_distance = (2.2 * fastest_mps * STEP_SECS + 0.01) as f32;
        // Recycled contacts are off by up to the drift that is allowed, and drift is what counts.
        parameters.contact_recycling = false;
        // Four times as stiff as rapier's own: its softness is for piles, and pushed robots sank
        // 2 cm into each other.
        for softness in [
            &mut parameters.contact_softness,
            &mut parameters.static_contact_softness,
        ] {
            softness.natural_frequency *= 4.0;
            softness.damping_ratio = 5.0;
        }
        for (idx, wall) in walls.iter().enumerate() {
            let [cos, sin] = wall.heading;
            let pose = pose3(wall.center_m, sin.atan2(cos));
            let collider = collider(wall.outline)
                .position(pose)
                .user_data((bodies.len() + idx) as u128);
            world.insert_collider(collider, None);
        }
        let bodies = bodies
            .iter()
            .enumerate()
            .map(|(idx, plan)| insert(&mut world, idx, plan))
            .collect();
        Self { world, bodies }
    }

    pub(crate) fn state(&self, idx: usize) -> BodyState {
        let body = &self.world.bodies[self.bodies[idx]];
        let (place, rotation) = (body.translation(), body.rotation());
        // Turns about z alone have two numbers that are not zero.
        let yaw_rad = 2.0 * f64::from(rotation.z).atan2(f64::from(rotation.w));
        let velocity = body.linvel();
        BodyState {
            pose: Pose2::new(place.x.into(), place.y.into(), wrap_angle(yaw_rad)),
            velocity_mps: [velocity.x.into(), velocity.y.into()],
            yaw_rate_radps: body.angvel().z.into(),
        }
    }

    pub(crate) fn set_velocity(&mut self, idx: usize, [vx, vy]: [f64; 2], yaw_rate_radps: f64) {
        let body = &mut self.world.bodies[self.bodies[idx]];
        body.set_linvel(Vector::new(vx as f32, vy as f32, 0.0), true);
        body.set_angvel(Vector::new(0.0, 0.0, yaw_rate_radps as f32), true);
    }

    /// Puts a body elsewhere; how it turns and moves stays.
    pub(crate) fn set_place(&mut self, idx: usize, [x_m, y_m]: [f64; 2]) {
        let body = &mut self.world.bodies[self.bodies[idx]];
        body.set_translation(Vector::new(x_m as f32, y_m as f32, 0.0), true);
    }

    /// One step; how many bodies it had to take out because their numbers were none any more.
    pub(crate) fn step(&mut self) -> usize {
        self.world.step();
        self.world.quarantine().bodies().len()
    }

    /// Whatever is nearer than a step's motion, and some that is not.
    pub(crate) fn near_pairs(&self) -> impl Iterator<Item = Touch> {
        let n_bodies = self.bodies.len();
        let number_of = |handle: ColliderHandle| self.world.colliders[handle].user_data as usize;
        self.world.narrow_phase.contact_pairs().map(move |pair| {
            let (a, b) = (number_of(pair.collider1), number_of(pair.collider2));
            let (low, high) = (a.min(b), a.max(b));
            let other = match high.checked_sub(n_bodies) {
                None => Other::Body(high),
                Some(wall) => Other::Wall(wall),
            };
            Touch { body: low, other }
        })
    }
}

fn insert(world: &mut PhysicsWorld, idx: usize, plan: &BodyPlan) -> RigidBodyHandle {
    let is_free = plan.turning == Turning::Free;
    let body = RigidBodyBuilder::dynamic()
        .pose(pose3([plan.pose.x_m, plan.pose.y_m], plan.pose.yaw_rad))
        .enabled_translations(true, true, false)
        .enabled_rotations(false, false, is_free)
        // A sleeping body does not hear its commands.
        .can_sleep(false);
    let mass = plan.mass_kg as f32;
    // About z: of a full cylinder and of a box.
    let inertia = match plan.outline {
        Outline::Disc { radius_m } => 0.5 * mass * (radius_m * radius_m) as f32,
        Outline::Box { half_m: [hx, hy] } => mass * (hx * hx + hy * hy) as f32 / 3.0,
    };
    let properties = MassProperties::new(Vector::ZERO, mass, Vector::splat(inertia));
    let collider = collider(plan.outline)
        .mass_properties(properties)
        .user_data(idx as u128);
    world.insert(body, collider).0
}

/// A cylinder touches through a ball around its middle: every middle lies at the same height, where
/// a ball's section is the cylinder's, and contacts of balls are exact and cheap.
fn collider(outline: Outline) -> ColliderBuilder {
    let shape = match outline {
        Outline::Disc { radius_m } => ColliderBuilder::ball(radius_m as f32),
        Outline::Box { half_m: [hx, hy] } => {
            ColliderBuilder::cuboid(hx as f32, hy as f32, HALF_HEIGHT_M)
        }
    };
    shape.friction(HULL_FRICTION)
}

fn pose3([x_m, y_m]: [f64; 2], yaw_rad: f64) -> Pose {
    let place = Vector::new(x_m as f32, y_m as f32, 0.0);
    Pose::new(place, Vector::new(0.0, 0.0, yaw_rad as f32))
}
