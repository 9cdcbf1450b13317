//! What MPPI and CEM share: imagining, sampling, scoring, keeping the best.

use std::iter;
use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng as _;
use sedge_spacetime::Stamp;
use sedge_world_model::{Action, ActionSequence, Reused, WorldModel};

use crate::disc_table::{Among, DiscTable};
use crate::field_stack::{Between, FieldStack};
use crate::noise::KnotNoise;
use crate::nominal::{Previous, Tail, along_way, towards_goal};
use crate::rollout::{Rollouts, Start, StepLimits, Twist3, twist2};
use crate::scores::{Scene, Scores};
use crate::setting::{Setting, setting};
use crate::shift::{Seen, Shift};
use crate::way::{Room, Way};
use crate::{
    ConfigError, CostTerms, Fallback, FallbackReason, Goal, GoalDistance, MovingDisc, Plan,
    PlanError, PlanRequest, PlannerConfig, StandIn,
};

mod imagined;
mod planner;
mod telling;

pub use imagined::Imagined;

/// Motions that are known before anything is imagined: the rest of the plan before, straight to the
/// goal, braking.
const N_KNOWN: usize = 3;
/// These, and the way around what was imagined.
const N_FEW: usize = N_KNOWN + 1;

/// One iteration's motions, for whoever makes a better mean of them.
pub(crate) struct Batch<'a> {
    pub(crate) rollouts: &'a Rollouts,
    pub(crate) noise: &'a KnotNoise,
    /// `[sample]`
    pub(crate) costs: &'a [f32],
}

/// Where the next motions are drawn.
#[derive(Debug, Clone, Default)]
pub(crate) struct Proposal {
    /// `[step]`
    pub(crate) mean: Vec<Twist3>,
    /// `[knot]`
    pub(crate) sigmas: Vec<Twist3>,
}

/// Makes a better proposal from a batch.
pub(crate) trait Refine {
    fn refine(&mut self, batch: &Batch<'_>, proposal: &mut Proposal);
}

/// A planner that searches, and what it makes better proposals with.
pub(crate) trait Searching {
    const NAME: &'static str;

    fn search(&self) -> &Search;

    fn parts(&mut self) -> (&mut Search, &mut dyn Refine);
}

/// The part of a planner that does not depend on how samples are weighed.
#[derive(Debug, Clone)]
pub(crate) struct Search {
    stage: Stage,
    seed: u64,
    n_plans: u64,
    many: Rollouts,
    many_scores: Scores,
    few: Rollouts,
    few_scores: Scores,
    noise: KnotNoise,
    proposal: Proposal,
    best: Vec<Twist3>,
    previous: Option<Previous>,
    /// What is in the fields, or why nothing is.
    seen: Result<Seen, FallbackReason>,
    horizons: Vec<Duration>,
    step_ends_secs: Vec<f64>,
}

/// What motions are scored in, for all of one plan.
#[derive(Debug, Clone)]
struct Stage {
    config: PlannerConfig,
    limits: StepLimits,
    fields: FieldStack,
    discs: DiscTable,
    way: Way,
    /// `[step]`
    times: Vec<Between>,
}

impl Stage {
    fn scene(&self, goal: Goal, start_twist: Twist3) -> Scene<'_> {
        Scene {
            costs: &self.config.costs,
            limits: &self.limits,
            body_radius_m: self.config.footprint_radius_m as f32,
            goal,
            start_twist,
            times: &self.times,
            fields: &self.fields,
            discs: &self.discs,
            way: match self.config.costs.goal_distance {
                GoalDistance::Around => Some(&self.way),
                GoalDistance::Straight => None,
            },
        }
    }
}

/// What a search found.
struct Found {
    terms: CostTerms,
    n_iterations: usize,
    n_discs_left_out: usize,
    fallback: Option<Fallback>,
}

impl Search {
    pub(crate) fn new(config: &PlannerConfig, seed: u64) -> Result<Self, ConfigError> {
        config.check()?;
        let (n_steps, n_samples) = (config.n_steps, config.n_samples);
        let fields = FieldStack::new(config.field)?;
        Ok(Self {
            stage: Stage {
                config: *config,
                limits: StepLimits::new(&config.limits, config.step_secs),
                way: Way::new(&fields.fields()[0]),
                fields,
                discs: DiscTable::default(),
                times: Vec::new(),
            },
            seed,
            n_plans: 0,
            many: Rollouts::new(n_steps, n_samples),
            many_scores: Scores::new(n_samples),
            few: Rollouts::new(n_steps, N_FEW),
            few_scores: Scores::new(N_FEW),
            noise: KnotNoise::new(config.n_knots, n_steps, n_samples),
            proposal: Proposal::default(),
            best: Vec::new(),
            previous: None,
            seen: Err(FallbackReason::NothingImagined),
            horizons: Vec::new(),
            step_ends_secs: Vec::new(),
        })
    }

    pub(crate) fn resume(&mut self, start: Stamp, actions: &[Action]) {
        self.previous = Previous::of(start, actions, self.stage.config.n_steps);
    }

    pub(crate) fn forget(&mut self) {
        self.previous = None;
        self.seen = Err(FallbackReason::NothingImagined);
    }

    pub(crate) fn plan(
        &mut self,
        model: &mut dyn WorldModel,
        request: &PlanRequest<'_>,
        has_time: &mut dyn FnMut() -> bool,
        refine: &mut dyn Refine,
    ) -> Result<Plan, PlanError> {
        request.check()?;
        let setting = setting(request);
        let known = self.known_plans(request, &setting);
        self.see(model, request, &setting, (&known, has_time));
        Ok(match self.seen.as_ref().err().cloned() {
            None => self.find(request, &setting, (&known, has_time), refine),
            Some(reason) => self.stand_in(&setting, reason),
        })
    }

    pub(crate) fn look_ahead(
        &mut self,
        model: &mut dyn WorldModel,
        request: &PlanRequest<'_>,
    ) -> Result<(), PlanError> {
        request.check()?;
        let setting = setting(request);
        let known = self.known_plans(request, &setting);
        self.see(model, request, &setting, (&known, &mut || true));
        Ok(())
    }

    pub(crate) fn replan(
        &mut self,
        request: &PlanRequest<'_>,
        has_time: &mut dyn FnMut() -> bool,
        refine: &mut dyn Refine,
    ) -> Result<Plan, PlanError> {
        request.check()?;
        let setting = setting(request);
        let shift = match self.still_seen(request) {
            Ok(shift) => shift,
            Err(reason) => return Ok(self.stand_in(&setting, reason)),
        };
        // All of it as it was seen from where the base was then.
        let discs: Reused<MovingDisc> = request.discs.iter().map(|it| shift.disc(it)).collect();
        let then = PlanRequest {
            goal: request.goal.seen_from(shift.then_from_now),
            discs: &discs,
            ..*request
        };
        let setting = shift.setting(setting);
        let known = self.known_plans(&then, &setting);
        Ok(shift.back(self.find(&then, &setting, (&known, has_time), refine)))
    }

    /// How far a request is from what was imagined, or why there is nothing to search in.
    fn still_seen(&self, request: &PlanRequest<'_>) -> Result<Shift, FallbackReason> {
        let seen = self.seen.as_ref().map_err(Clone::clone)?;
        let age_secs = request.now.secs_since(seen.scan_stamp);
        if age_secs > self.stage.config.scan_age_secs_max {
            return Err(FallbackReason::StaleScan { age_secs });
        }
        Ok(Shift {
            then_from_now: seen.odometry_from_base.inverse() * request.odometry_from_base,
            elapsed: request.now.saturating_since(seen.now),
        })
    }

    /// Has the model imagine the known plans, and remembers from where.
    fn see(
        &mut self,
        model: &mut dyn WorldModel,
        request: &PlanRequest<'_>,
        setting: &Setting,
        (known, has_time): (&[Reused<Twist3>; N_KNOWN], &mut dyn FnMut() -> bool),
    ) {
        let imagined = self.imagine(model, request, setting, (known, has_time));
        self.seen = imagined.map(|()| Seen {
            now: request.now,
            scan_stamp: request.scan_stamp,
            odometry_from_base: request.odometry_from_base,
        });
    }

    /// The best motion in what was imagined.
    fn find(
        &mut self,
        request: &PlanRequest<'_>,
        setting: &Setting,
        (known, has_time): (&[Reused<Twist3>; N_KNOWN], &mut dyn FnMut() -> bool),
        refine: &mut dyn Refine,
    ) -> Plan {
        // Each plan has random numbers of its own, so that one more iteration in this plan does
        // not change the next.
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(self.n_plans);
        let found = self.search(request, setting, (known, has_time, &mut rng), refine);
        self.report(setting, found)
    }

    /// The rest of the plan before, or else the way to the goal again; the way to the goal;
    /// braking.
    fn known_plans(
        &self,
        request: &PlanRequest<'_>,
        setting: &Setting,
    ) -> [Reused<Twist3>; N_KNOWN] {
        let (pose, twist) = (setting.start.pose, setting.start.twist);
        let to_goal = towards_goal(&self.stage.config, pose, twist, &request.goal);
        let rest = self.previous.as_ref().and_then(|previous| {
            previous.shifted(setting.start_stamp, self.stage.config.step_secs, Tail::Hold)
        });
        let braking = Reused::filled([0.0; 3], self.stage.config.n_steps);
        [rest.unwrap_or_else(|| to_goal.clone()), to_goal, braking]
    }

    /// Has the model imagine the known plans, and turns what it sees into fields.
    fn imagine(
        &mut self,
        model: &mut dyn WorldModel,
        request: &PlanRequest<'_>,
        setting: &Setting,
        (known, has_time): (&[Reused<Twist3>; N_KNOWN], &mut dyn FnMut() -> bool),
    ) -> Result<(), FallbackReason> {
        let age_secs = setting.scan_age.as_secs_f64();
        if age_secs > self.stage.config.scan_age_secs_max {
            return Err(FallbackReason::StaleScan { age_secs });
        }
        if !has_time() {
            return Err(FallbackReason::NoTimeToImagine);
        }
        let step = Duration::from_secs_f64(self.stage.config.step_secs);
        let since_odometry = request.now.saturating_since(request.odometry_stamp);
        let goes_on = Action {
            duration: since_odometry,
            twist: request.twist,
        };
        let before = || iter::once(goes_on).chain(request.in_flight.iter().copied());
        for (sample, twists) in known.iter().enumerate() {
            self.few.command(sample, twists);
        }
        self.few.run(setting.start, &self.stage.limits);
        let plans: Reused<ActionSequence> = (0..self.stage.config.field.n_nominal)
            .map(|sample| {
                self.few.read_twists(sample, &mut self.best);
                let ahead = self.best.iter().map(|&twist| Action {
                    duration: step,
                    twist: twist2(twist),
                });
                ActionSequence {
                    actions: before().chain(ahead).collect(),
                }
            })
            .collect();
        let span_secs =
            setting.start_secs + self.stage.config.step_secs * self.stage.config.n_steps as f64;
        self.stage
            .fields
            .lay_out(setting.scan_age, span_secs, &mut self.horizons);
        let imagined = model
            .imagine_ranges(&plans, &self.horizons, self.stage.config.field.readout)
            .map_err(FallbackReason::ModelRefused)?;
        let (mount, radius_m) = (
            request.base_from_scanner,
            self.stage.config.footprint_radius_m,
        );
        let fields = &mut self.stage.fields;
        if fields.fill(&imagined, &request.geometry, mount, radius_m) {
            Ok(())
        } else {
            Err(FallbackReason::OtherPrediction)
        }
    }

    /// What to do where there is a reason not to search.
    fn stand_in(&mut self, setting: &Setting, reason: FallbackReason) -> Plan {
        let rest = self.previous.as_ref().and_then(|previous| {
            previous.shifted(setting.start_stamp, self.stage.config.step_secs, Tail::Stop)
        });
        self.best.clear();
        let stand_in = if let Some(rest) = rest {
            self.best.extend_from_slice(&rest);
            StandIn::ShiftedPlan
        } else {
            self.best.resize(self.stage.config.n_steps, [0.0; 3]);
            StandIn::Stop
        };
        let found = Found {
            terms: CostTerms::default(),
            n_iterations: 0,
            n_discs_left_out: 0,
            fallback: Some(Fallback { reason, stand_in }),
        };
        self.report(setting, found)
    }

    /// Lays out times and discs. Returns how many discs were left out.
    fn lay_out(&mut self, request: &PlanRequest<'_>, setting: &Setting) -> usize {
        let stage = &mut self.stage;
        let config = &stage.config;
        let end = |step: usize| setting.start_secs + config.step_secs * (step + 1) as f64;
        self.step_ends_secs.clear();
        self.step_ends_secs.extend((0..config.n_steps).map(end));
        let fields = &stage.fields;
        stage.times.clear();
        stage
            .times
            .extend(self.step_ends_secs.iter().map(|&secs| fields.between(secs)));
        let costs = &config.costs.neighbours;
        let span_secs = config.step_secs * config.n_steps as f64;
        let doubt_m = costs.sigmas * costs.growth_m_max + costs.side_shift_m;
        let among = Among {
            body_radius_m: config.footprint_radius_m,
            start_m: [setting.start.pose.x_m, setting.start.pose.y_m],
            goal_m: request.goal.position_m,
            reach_m: config.limits.fastest_mps() * span_secs
                + config.footprint_radius_m
                + costs.margin_m
                + doubt_m,
        };
        stage
            .discs
            .fill(request.discs, &self.step_ends_secs, &among, costs)
    }

    /// Finds the ways to the goal through what was imagined, and how to drive along them.
    fn find_way(&mut self, request: &PlanRequest<'_>, setting: &Setting) -> Reused<Twist3> {
        let Stage {
            config,
            way,
            fields,
            ..
        } = &mut self.stage;
        let Start { pose, twist } = setting.start;
        if config.costs.goal_distance == GoalDistance::Straight {
            return towards_goal(config, pose, twist, &request.goal);
        }
        way.fill(fields.fields(), Room::of(config), &request.goal);
        along_way(config, pose, twist, (way, &request.goal))
    }

    /// Scores what is known, then tries what is near the best of it, as long as there is time.
    fn search(
        &mut self,
        request: &PlanRequest<'_>,
        setting: &Setting,
        (known, has_time, rng): (
            &[Reused<Twist3>; N_KNOWN],
            &mut dyn FnMut() -> bool,
            &mut ChaCha8Rng,
        ),
        refine: &mut dyn Refine,
    ) -> Found {
        let n_discs_left_out = self.lay_out(request, setting);
        for (sample, twists) in known.iter().enumerate() {
            self.few.command(sample, twists);
        }
        let along_way = self.find_way(request, setting);
        self.few.command(N_KNOWN, &along_way);
        let sample = self.score_few(&request.goal, setting);
        let mut terms = self.few_scores.terms(sample);
        self.few.read_twists(sample, &mut self.best);
        self.proposal.mean.clone_from(&self.best);
        let sigmas = self.sigmas();
        self.proposal.sigmas.clear();
        self.proposal
            .sigmas
            .resize(self.stage.config.n_knots, sigmas);
        let mut n_iterations = 0;
        while n_iterations < self.stage.config.n_iterations_max && has_time() {
            self.noise.draw(rng, &self.proposal.sigmas);
            self.noise.command(&self.proposal.mean, &mut self.many);
            self.many.run(setting.start, &self.stage.limits);
            let sample = self.score_many(&request.goal, setting);
            if self.many_scores.totals[sample] < terms.total() {
                terms = self.many_scores.terms(sample);
                self.many.read_twists(sample, &mut self.best);
            }
            let batch = Batch {
                rollouts: &self.many,
                noise: &self.noise,
                costs: &self.many_scores.totals,
            };
            refine.refine(&batch, &mut self.proposal);
            // The new mean, beside what it must beat.
            self.few.command(0, &self.proposal.mean);
            for sample in 1..N_FEW {
                self.few.command(sample, &self.best);
            }
            let sample = self.score_few(&request.goal, setting);
            if sample == 0 && self.few_scores.totals[0] < terms.total() {
                terms = self.few_scores.terms(0);
                self.few.read_twists(0, &mut self.best);
            }
            n_iterations += 1;
        }
        let fallback = (n_iterations == 0).then_some(Fallback {
            reason: FallbackReason::NoTimeToSearch,
            stand_in: StandIn::BestKnown,
        });
        Found {
            terms,
            n_iterations,
            n_discs_left_out,
            fallback,
        }
    }

    fn sigmas(&self) -> Twist3 {
        let (noise, high) = (&self.stage.config.noise, self.stage.limits.high);
        [
            noise.forward as f32 * high[0],
            noise.lateral as f32 * high[1],
            noise.yaw as f32 * high[2],
        ]
    }

    /// Runs and scores the few; the cheapest of them.
    fn score_few(&mut self, goal: &Goal, setting: &Setting) -> usize {
        self.few.run(setting.start, &self.stage.limits);
        let scene = self.stage.scene(*goal, setting.start.twist);
        self.few_scores.score(&self.few, &scene);
        self.few_scores.cheapest()
    }

    /// Scores the many, which have been run; the cheapest of them.
    fn score_many(&mut self, goal: &Goal, setting: &Setting) -> usize {
        let scene = self.stage.scene(*goal, setting.start.twist);
        self.many_scores.score(&self.many, &scene);
        self.many_scores.cheapest()
    }
}
