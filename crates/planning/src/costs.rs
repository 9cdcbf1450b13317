//! What a motion costs, as data.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ConfigError;
use crate::config::{check_non_negative, check_positive};

/// Which side to pass on where two would otherwise mirror each other for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Keep right: the other is seen a little to the left of where it is.
    #[default]
    Right,
    /// Keep left.
    Left,
    /// No preference; two equal robots that face each other may stay there.
    Either,
}

/// How the distance to the goal is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GoalDistance {
    /// Around what is predicted to stand in between, as far as the fields reach: no dead ends
    /// within sight.
    #[default]
    Around,
    /// Straight, whatever is in between.
    Straight,
}

/// Weights and distances of the cost. Costs are per second of motion unless said otherwise, so
/// that they mean the same for every step length.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CostConfig {
    /// How the distance to the goal is told. Default: around obstacles.
    pub goal_distance: GoalDistance,
    /// Distance to the goal, per metre and second. Default 1.0: the unit of all the others.
    pub goal: f64,
    /// Distance to the goal at the end of the plan, per metre. Default 2.0: what comes after the
    /// plan's end, about two seconds' worth.
    pub goal_at_end: f64,
    /// Facing away from the way to the goal, or near it from the heading asked for: 0 aligned, 2
    /// opposite. Default 0.2.
    pub heading: f64,
    /// How near the goal its own heading counts instead of the direction to it, in metres,
    /// positive. Default 0.4.
    pub heading_within_m: f64,
    /// Being closer to predicted obstacles than `clearance_margin_m`: 0 at the margin, the whole
    /// weight at contact, quadratic between. Default 1.5.
    pub clearance: f64,
    /// How much room beside the footprint is wished for, in metres, positive. Default 0.2.
    pub clearance_margin_m: f64,
    /// Touching an obstacle or a neighbour, rising with the depth. Default 100.0.
    pub collision: f64,
    /// Others as moving discs.
    pub neighbours: NeighbourCosts,
    /// Changes of the twist: the square of each change over what limits allow in a step, summed
    /// over directions. Default 0.3.
    pub effort: f64,
    /// Moving faster than `speed_mps_preferred`: the square of the excess in m/s. Default 4.0.
    pub speed: f64,
    /// The speed to travel with, in m/s, positive. Default 0.8.
    pub speed_mps_preferred: f64,
    /// Driving backwards, per metre. Default 1.0.
    pub reverse: f64,
}

/// What it costs to be near neighbours and movers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NeighbourCosts {
    /// Being closer than `margin_m`, as [`CostConfig::clearance`]. Default 2.0: with
    /// 6.0 and wider margins, robots wait for each other for ever where two could pass.
    pub weight: f64,
    /// How much room between the bodies is wished for, in metres, positive. Default 0.25.
    pub margin_m: f64,
    /// How many standard deviations of its place a disc grows by. Default 0.5.
    pub sigmas: f64,
    /// How fast that standard deviation grows with the evidence's age and with the time ahead, in
    /// m/s. Default 0.1.
    pub sigma_growth_mps: f64,
    /// Growth stops here, in metres: old evidence says little, and must not block the world.
    /// Default 0.4.
    pub growth_m_max: f64,
    /// Which side to pass on.
    pub side: Side,
    /// How far to the side a disc that lies towards the goal is seen, in metres. Default 0.2.
    pub side_shift_m: f64,
    /// The weight's factor for who goes first. Default 2.0.
    pub yield_factor: f64,
    /// The weight's factor for who is to give way. Default 0.5.
    pub go_factor: f64,
}

impl Default for CostConfig {
    fn default() -> Self {
        Self {
            goal_distance: GoalDistance::Around,
            goal: 1.0,
            goal_at_end: 2.0,
            heading: 0.2,
            heading_within_m: 0.4,
            clearance: 1.5,
            clearance_margin_m: 0.2,
            collision: 100.0,
            neighbours: NeighbourCosts::default(),
            effort: 0.3,
            speed: 4.0,
            speed_mps_preferred: 0.8,
            reverse: 1.0,
        }
    }
}

impl Default for NeighbourCosts {
    fn default() -> Self {
        Self {
            weight: 2.0,
            margin_m: 0.25,
            sigmas: 0.5,
            sigma_growth_mps: 0.1,
            growth_m_max: 0.4,
            side: Side::Right,
            side_shift_m: 0.2,
            yield_factor: 2.0,
            go_factor: 0.5,
        }
    }
}

impl CostConfig {
    /// Checks that every weight is finite and not negative, and every length positive.
    ///
    /// # Errors
    /// [`ConfigError`] with the key that is wrong.
    pub fn check(&self) -> Result<(), ConfigError> {
        let n = &self.neighbours;
        let weights = [
            ("costs.goal", self.goal),
            ("costs.goal_at_end", self.goal_at_end),
            ("costs.heading", self.heading),
            ("costs.clearance", self.clearance),
            ("costs.collision", self.collision),
            ("costs.effort", self.effort),
            ("costs.speed", self.speed),
            ("costs.reverse", self.reverse),
            ("costs.neighbours.weight", n.weight),
            ("costs.neighbours.sigmas", n.sigmas),
            ("costs.neighbours.sigma_growth_mps", n.sigma_growth_mps),
            ("costs.neighbours.growth_m_max", n.growth_m_max),
            ("costs.neighbours.side_shift_m", n.side_shift_m),
            ("costs.neighbours.yield_factor", n.yield_factor),
            ("costs.neighbours.go_factor", n.go_factor),
        ];
        for (key, weight) in weights {
            check_non_negative(key, weight)?;
        }
        check_positive("costs.heading_within_m", self.heading_within_m)?;
        check_positive("costs.clearance_margin_m", self.clearance_margin_m)?;
        check_positive("costs.speed_mps_preferred", self.speed_mps_preferred)?;
        check_positive("costs.neighbours.margin_m", n.margin_m)
    }
}

/// How many terms a cost has.
pub(crate) const N_TERMS: usize = 8;
pub(crate) const GOAL: usize = 0;
pub(crate) const HEADING: usize = 1;
pub(crate) const CLEARANCE: usize = 2;
pub(crate) const COLLISION: usize = 3;
pub(crate) const NEIGHBOURS: usize = 4;
pub(crate) const EFFORT: usize = 5;
pub(crate) const SPEED: usize = 6;
pub(crate) const REVERSE: usize = 7;

/// A plan's cost, term by term, weights included.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct CostTerms {
    /// Distance to the goal, on the way and at the end.
    pub goal: f32,
    /// Heading.
    pub heading: f32,
    /// Closeness to predicted obstacles.
    pub clearance: f32,
    /// Contact with obstacles or neighbours; zero for a plan that is predicted to be free.
    pub collision: f32,
    /// Closeness to neighbours and movers.
    pub neighbours: f32,
    /// Changes of the twist.
    pub effort: f32,
    /// Moving too fast.
    pub speed: f32,
    /// Driving backwards.
    pub reverse: f32,
}

impl CostTerms {
    pub(crate) fn of(terms: [f32; N_TERMS]) -> Self {
        Self {
            goal: terms[GOAL],
            heading: terms[HEADING],
            clearance: terms[CLEARANCE],
            collision: terms[COLLISION],
            neighbours: terms[NEIGHBOURS],
            effort: terms[EFFORT],
            speed: terms[SPEED],
            reverse: terms[REVERSE],
        }
    }

    /// Name and cost of every term, for tables and viewers.
    pub fn rows(&self) -> [(&'static str, f32); N_TERMS] {
        [
            ("goal", self.goal),
            ("heading", self.heading),
            ("clearance", self.clearance),
            ("collision", self.collision),
            ("neighbours", self.neighbours),
            ("effort", self.effort),
            ("speed", self.speed),
            ("reverse", self.reverse),
        ]
    }

    /// All of it.
    pub fn total(&self) -> f32 {
        self.rows().iter().map(|(_, cost)| cost).sum()
    }
}

impl fmt::Display for CostTerms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3} (", self.total())?;
        for (idx, (name, cost)) in self.rows().into_iter().enumerate() {
            let comma = if idx == 0 { "" } else { ", " };
            write!(f, "{comma}{name} {cost:.3}")?;
        }
        write!(f, ")")
    }
}
