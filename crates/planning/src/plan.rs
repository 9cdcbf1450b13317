//! What a planner answers.

use sedge_spacetime::{Pose2, Stamp};
use sedge_world_model::{Action, ActionSequence, ImagineError, Reused, WorldModel};

use crate::{CostTerms, Imagined, PlanError, PlanRequest};

/// A motion that was tried, for a viewer.
#[derive(Debug, Clone, PartialEq)]
pub struct FanTrajectory {
    /// Places at the ends of the steps, the start first, in the base's frame at the request's
    /// `now`, in metres. `[step + 1]`
    pub points_m: Reused<[f32; 2]>,
    /// What it costs in all.
    pub cost: f32,
}

/// Why a plan was not searched for.
#[derive(Debug, Clone, PartialEq)]
pub enum FallbackReason {
    /// There was no time to imagine anything.
    NoTimeToImagine,
    /// The scenes were imagined and the known plans compared in them, and then time was up.
    NoTimeToSearch,
    /// The newest scan is too old for its futures to mean anything.
    StaleScan {
        /// How old it is, in seconds.
        age_secs: f64,
    },
    /// The model has nothing to say.
    ModelRefused(ImagineError),
    /// The model's predictions are not of the scanner, plans and horizons asked for.
    OtherPrediction,
    /// Nothing was imagined yet that it could be searched in.
    NothingImagined,
}

/// What stands in for a plan that could not be searched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StandIn {
    /// The rest of the plan before, then braking.
    ShiftedPlan,
    /// Braking.
    Stop,
    /// The best of the plans that were at hand, scored in the predicted scenes.
    BestKnown,
}

/// That a plan was not searched for, why, and what it is instead.
#[derive(Debug, Clone, PartialEq)]
pub struct Fallback {
    /// Why.
    pub reason: FallbackReason,
    /// What it is instead.
    pub stand_in: StandIn,
}

/// What to do, and how that was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// When the first action begins: the request's `now` and what was in flight.
    pub start: Stamp,
    /// One action per step, within the limits from the twist at `start` on.
    pub actions: ActionSequence,
    /// Where they lead, in the base's frame at the request's `now`, the start first. `[step + 1]`
    pub poses: Reused<Pose2>,
    /// Predicted distance from the footprint to the nearest obstacle at the end of each step,
    /// doubt or what is kept off taken off, in metres, neighbours not counted. `[step]`; empty
    /// where nothing was imagined.
    pub clearance_m: Reused<f32>,
    /// What it costs; zero where nothing was imagined.
    pub terms: CostTerms,
    /// Some of the motions tried last, cheapest first.
    pub fan: Reused<FanTrajectory>,
    /// Iterations done.
    pub n_iterations: usize,
    /// Motions tried in all.
    pub n_samples: usize,
    /// Discs that were left out because there were too many.
    pub n_discs_left_out: usize,
    /// Set if this was not searched for.
    pub fallback: Option<Fallback>,
}

/// Finds plans. The same seed and the same calls give the same plans, bit for bit, as long as
/// `has_time` answers the same.
pub trait Planner {
    /// What it is called in tables.
    fn name(&self) -> &'static str;

    /// A plan for now: always a valid one, and a better one with more time.
    ///
    /// `has_time` is asked before the model imagines and before each iteration; iterations also
    /// have a limit of their own. A plan continues the one before, so that each call improves on
    /// the last.
    ///
    /// # Errors
    /// [`PlanError`] for a request that is none. Whatever the model or the clock does is no error
    /// but a plan with a [`Fallback`].
    fn plan(
        &mut self,
        model: &mut dyn WorldModel,
        request: &PlanRequest<'_>,
        has_time: &mut dyn FnMut() -> bool,
    ) -> Result<Plan, PlanError>;

    /// Has the model imagine what later plans are searched in, and does nothing else. Why that may
    /// have failed is said by the next [`Planner::replan`].
    ///
    /// # Errors
    /// [`PlanError`] for a request that is none.
    fn look_ahead(
        &mut self,
        model: &mut dyn WorldModel,
        request: &PlanRequest<'_>,
    ) -> Result<(), PlanError>;

    /// As [`Planner::plan`], in what was imagined last: the robot, its goal and others have moved
    /// on meanwhile, and predictions say where things are by now. A command need not wait for
    /// imagining then, and there can be more commands than scans.
    ///
    /// # Errors
    /// [`PlanError`] for a request that is none.
    fn replan(
        &mut self,
        request: &PlanRequest<'_>,
        has_time: &mut dyn FnMut() -> bool,
    ) -> Result<Plan, PlanError>;

    /// Goes on from another planner's plan instead of its own last one: these actions, one a step
    /// of the same length, begin at `start`. What is longer than this planner's plans is cut.
    fn resume(&mut self, start: Stamp, actions: &[Action]);

    /// What it imagined last, for another planner to search in; none where that is nothing.
    fn imagined(&self) -> Option<Imagined<'_>>;

    /// Takes over what another planner imagined, as if it had itself; whether it can search in it,
    /// which it cannot where the two lay their fields out differently. Fields that end before its
    /// own plans do stand still from then on.
    fn adopt(&mut self, imagined: &Imagined<'_>) -> bool;

    /// Forgets the plan before and what was imagined: another mission, or a robot that was carried
    /// away.
    fn forget(&mut self);
}
