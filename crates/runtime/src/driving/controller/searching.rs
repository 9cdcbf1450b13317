//! Where the next command comes from: a plan that is searched for, or the rest of the last.

use std::time::Duration;

use sedge_planning::{
    Fallback, FallbackReason, Goal, MovingDisc, Plan, PlanError, PlanRequest, StandIn,
};
use sedge_spacetime::{Pose2, Stamp, Twist2};
use sedge_world_model::{Action, Reused, ScanGeometry, WorldModel};

use super::{Controller, Decision, Timing};
use crate::driving::Imagining;
use crate::driving::discs::moving_discs;
use crate::driving::ladder::RungAction;
use crate::driving::mission::Aim;
use crate::driving::sent_command::SentCommand;

/// What a planner is asked, but for the goal.
struct Asked {
    now: Stamp,
    scan_stamp: Stamp,
    odometry_stamp: Stamp,
    twist: Twist2,
    in_flight: Reused<Action>,
    geometry: ScanGeometry,
    base_from_scanner: Pose2,
    odometry_from_base: Pose2,
    discs: Reused<MovingDisc>,
}

impl Asked {
    fn request(&self, goal: Goal) -> PlanRequest<'_> {
        PlanRequest {
            now: self.now,
            scan_stamp: self.scan_stamp,
            odometry_stamp: self.odometry_stamp,
            twist: self.twist,
            in_flight: &self.in_flight,
            goal,
            geometry: self.geometry,
            base_from_scanner: self.base_from_scanner,
            odometry_from_base: self.odometry_from_base,
            discs: &self.discs,
        }
    }
}

impl Controller {
    /// Plans as the ladder's rung in force says.
    pub(super) fn plan(
        &mut self,
        goal: Goal,
        model: &mut dyn WorldModel,
        timing: &Timing<'_>,
        decision: &mut Decision,
    ) -> Option<Reused<Action>> {
        let began = timing.clock.now();
        let wish = match self.ladder.pick(timing.allowed) {
            RungAction::Search => self.search(goal, model, timing, decision),
            RungAction::LastPlan => self.rest(decision.now, decision),
            RungAction::Stop => None,
        };
        let cost = timing.clock.now().saturating_since(began);
        let plan = decision.plan.as_ref();
        if plan.is_none_or(|plan| !lacks_prediction(plan)) {
            let found = plan.filter(|plan| is_searched(plan));
            self.ladder.observe(cost, found);
        }
        decision.has_moved = self.ladder.has_moved();
        wish
    }

    /// Has the model imagine what the next plans are searched in, where commands do not wait for
    /// that; whether it did.
    pub(crate) fn look_ahead(&mut self, now: Stamp, model: &mut dyn WorldModel) -> bool {
        if self.config.imagining == Imagining::First || !self.ladder.searches() {
            return false;
        }
        let Aim::Towards(goal) = self.mission.aim(self.whereabouts.start_from_base(now)) else {
            return false;
        };
        let Some(asked) = self.asked(now, model) else {
            return false;
        };
        let looked = self.ladder.look_ahead(model, &asked.request(goal));
        if let Err(error) = &looked {
            tracing::debug!("nothing imagined: {error}");
        }
        looked.is_ok()
    }

    /// What a planner is asked at `now`; nothing before there is a scan and a place.
    fn asked(&self, now: Stamp, model: &dyn WorldModel) -> Option<Asked> {
        let (scan_stamp, scan) = self.scan.as_ref()?;
        let base_now_from_scanner = self.whereabouts.base_now_from_scanner(now)?;
        let scan_secs = now.secs_since(*scan_stamp).max(0.0);
        let latency = self.config.latency();
        let in_flight = match &self.sent {
            Some(sent) => sent.next(now, latency),
            None => SentCommand::new(now, &[]).next(now, latency),
        };
        let odometry_from_base = self.whereabouts.start_from_base(now);
        Some(Asked {
            now,
            scan_stamp: *scan_stamp,
            odometry_stamp: self.whereabouts.fused_until()?,
            twist: self.whereabouts.twist(),
            in_flight,
            geometry: scan.geometry,
            base_from_scanner: self.config.mount(),
            odometry_from_base: odometry_from_base.unwrap_or(Pose2::IDENTITY),
            discs: moving_discs(model, base_now_from_scanner, scan_secs),
        })
    }

    /// Searches for a plan; nothing where the request is none.
    fn search(
        &mut self,
        goal: Goal,
        model: &mut dyn WorldModel,
        timing: &Timing<'_>,
        decision: &mut Decision,
    ) -> Option<Reused<Action>> {
        let now = decision.now;
        let asked = self.asked(now, model)?;
        let time_max = self.config.plan_secs_max.map(Duration::from_secs_f64);
        let over = time_max.map(|time_max| timing.clock.now() + time_max);
        let mut has_time = || over.is_none_or(|over| timing.clock.now() < over);
        let plan = match self.found(&asked.request(goal), model, &mut has_time) {
            Ok(plan) => plan,
            Err(error) => {
                tracing::debug!("no plan: {error}");
                decision.events.push("plans-refused");
                return None;
            }
        };
        decision.events.push("plans");
        decision
            .events
            .extend(plan.fallback.as_ref().map(fallback_event));
        if is_searched(&plan) {
            self.planned = Some(now);
        }
        let mut wish = asked.in_flight;
        wish.extend(plan.actions.actions.iter().copied());
        decision.plan = Some(plan);
        Some(wish)
    }

    /// A plan in what the model imagines now, or imagined last. The first plan waits in any case.
    fn found(
        &mut self,
        request: &PlanRequest<'_>,
        model: &mut dyn WorldModel,
        has_time: &mut dyn FnMut() -> bool,
    ) -> Result<Plan, PlanError> {
        if self.config.imagining == Imagining::Afterwards {
            let plan = self.ladder.replan(request, has_time)?;
            let reason = plan.fallback.as_ref().map(|fallback| &fallback.reason);
            if reason != Some(&FallbackReason::NothingImagined) {
                return Ok(plan);
            }
        }
        self.ladder.search(model, request, has_time)
    }

    /// What is left of the command before.
    pub(super) fn rest(&self, now: Stamp, decision: &mut Decision) -> Option<Reused<Action>> {
        let rest = self.sent.as_ref()?.rest(now);
        if rest.is_empty() {
            return None;
        }
        decision.events.push("plans-shifted");
        Some(rest)
    }
}

/// Whether the plan comes from what is predicted now, and not from an earlier plan or none.
fn is_searched(plan: &Plan) -> bool {
    let stand_in = plan.fallback.as_ref().map(|fallback| fallback.stand_in);
    matches!(stand_in, None | Some(StandIn::BestKnown))
}

/// Whether nothing was tried, as what was imagined is too old or nothing: what that took says
/// nothing of what searching would.
fn lacks_prediction(plan: &Plan) -> bool {
    let reason = plan.fallback.as_ref().map(|fallback| &fallback.reason);
    matches!(
        reason,
        Some(FallbackReason::StaleScan { .. } | FallbackReason::NothingImagined)
    )
}

fn fallback_event(fallback: &Fallback) -> &'static str {
    match fallback.reason {
        FallbackReason::NoTimeToImagine => "plans-without-time-to-imagine",
        FallbackReason::NoTimeToSearch => "plans-without-time-to-search",
        FallbackReason::StaleScan { .. } => "plans-on-a-stale-scan",
        FallbackReason::ModelRefused(_) => "plans-refused-by-model",
        FallbackReason::OtherPrediction => "plans-on-another-prediction",
        FallbackReason::NothingImagined => "plans-without-anything-imagined",
    }
}
