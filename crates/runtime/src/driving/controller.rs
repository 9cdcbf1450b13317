//! Decides what the base does next: goal, orders, plan, and the filter that has the last word.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use sedge_latency::{LadderReport, Stage};
use sedge_oni::{Envelope, Goal as GoalMessage, Key, Severity};
use sedge_planning::{
    Evidence, Goal, Plan, SafetyFilter, SafetyReason, StopOrder, TimedScan, TimedTwist, Verdict,
};
use sedge_spacetime::{AgentName, Clock, Pose2, Stamp, Twist2};
use sedge_world_model::{Action, ActionSequence, Belief, LidarScan, Reused, WorldModel};

use super::ladder::Ladder;
use super::mission::{Aim, Mission, NotTaken};
use super::neighbourhood::Neighbourhood;
use super::sent_command::SentCommand;
use super::stop_orders::StopOrders;
use super::whereabouts::Whereabouts;
use super::{DriveMode, DrivingConfig, DrivingReport, Imagining};
use crate::DrivingError;

mod searching;

/// A base that moves less than this stands, in m/s or rad/s.
const STANDS: f64 = 0.02;
/// A scan that comes a little early is planned on all the same: this share of a period.
const EARLY_SHARE: f64 = 0.75;
/// Without a scan for this many periods, a command is sent all the same.
const LATE_PERIODS: f64 = 1.5;
/// Braking is written down in steps of this length, and this many.
const BRAKING_STEP: Duration = Duration::from_millis(100);
const N_BRAKING_STEPS: usize = 10;

/// Why a decision is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// A scan was taken in.
    Scan,
    /// It is time for a command between two scans.
    Between,
    /// Time has passed and nothing came, or an order came.
    Time,
}

/// How time is measured.
pub(crate) struct Timing<'t> {
    /// How long stages take.
    pub(crate) stopwatch: &'t dyn Clock,
    /// What a plan's time is measured with.
    pub(crate) clock: &'t dyn Clock,
    /// When the stage before ended, on the stopwatch: where planning begins.
    pub(crate) began: Stamp,
    /// How long planning may take, where budgets say.
    pub(crate) allowed: Option<Duration>,
}

/// What was decided.
#[derive(Debug, Clone)]
pub(crate) struct Decision {
    pub(crate) now: Stamp,
    pub(crate) mode: DriveMode,
    pub(crate) why: Cow<'static, str>,
    /// What may be executed from now on, as long as it lives; none where nothing is to be said.
    pub(crate) command: Option<ActionSequence>,
    /// What is meant from now on: the command, and how the plan goes on if nothing changes.
    pub(crate) intended: Option<ActionSequence>,
    pub(crate) plan: Option<Plan>,
    /// This was planned on another rung of the ladder than what was planned before.
    pub(crate) has_moved: bool,
    pub(crate) goal_in_base: Option<Goal>,
    pub(crate) start_from_base: Option<Pose2>,
    pub(crate) world_from_base: Option<Pose2>,
    pub(crate) verdict: Verdict,
    /// What happened, by the names of counters.
    pub(crate) events: Reused<&'static str>,
    pub(crate) spans: Reused<(Stage, Duration)>,
    /// When the last of the spans ended, on the stopwatch.
    pub(crate) ended: Stamp,
}

/// Everything that driving keeps from one decision to the next.
pub(crate) struct Controller {
    config: DrivingConfig,
    ladder: Ladder,
    filter: SafetyFilter,
    pub(crate) orders: StopOrders,
    mission: Mission,
    pub(crate) neighbourhood: Neighbourhood,
    pub(crate) whereabouts: Whereabouts,
    /// Why the robot must stand until budgets are kept again, if it must.
    pub(crate) overrun: Option<String>,
    scan: Option<(Stamp, LidarScan)>,
    /// When the plan that is followed was searched for.
    planned: Option<Stamp>,
    sent: Option<SentCommand>,
    decided: Option<Stamp>,
    /// When a scan was last decided on.
    answered: Option<Stamp>,
    state: (DriveMode, Cow<'static, str>),
    n_commands: u64,
    n_by_mode: BTreeMap<DriveMode, u64>,
    n_by_safety_reason: BTreeMap<String, u64>,
}

impl Controller {
    pub(crate) fn new(config: DrivingConfig, seed: u64) -> Result<Self, DrivingError> {
        config.check()?;
        Ok(Self {
            ladder: Ladder::new(&config, seed)?,
            filter: SafetyFilter::new(config.safety)?,
            orders: StopOrders::default(),
            mission: Mission::new(config.route),
            neighbourhood: Neighbourhood::new(config.n_neighbours_max),
            whereabouts: Whereabouts::new(config.mount()),
            overrun: None,
            scan: None,
            planned: None,
            sent: None,
            decided: None,
            answered: None,
            state: (DriveMode::Idle, Cow::Borrowed("")),
            n_commands: 0,
            n_by_mode: BTreeMap::new(),
            n_by_safety_reason: BTreeMap::new(),
            config,
        })
    }

    pub(crate) fn config(&self) -> &DrivingConfig {
        &self.config
    }

    /// Takes a goal in place of the one before; what was planned for that one is forgotten.
    pub(crate) fn take_goal(
        &mut self,
        key: &Key,
        envelope: &Envelope,
        goal: &GoalMessage,
        robot: &AgentName,
    ) -> Result<(), NotTaken> {
        self.mission.take(key, envelope, goal, robot)?;
        self.ladder.forget();
        Ok(())
    }

    /// Takes in a scan and what is believed with it.
    pub(crate) fn believed(&mut self, stamp: Stamp, scan: &LidarScan, belief: &Belief) {
        self.whereabouts.believed(stamp, belief);
        self.scan = Some((stamp, scan.clone()));
    }

    /// The belief begins anew: what was seen and planned is gone, what was ordered stays.
    pub(crate) fn restart(&mut self) {
        self.whereabouts.clear();
        self.ladder.forget();
        self.scan = None;
        self.planned = None;
    }

    /// What it does, and why.
    pub(crate) fn state(&self) -> (DriveMode, &str) {
        (self.state.0, &self.state.1)
    }

    /// As [`Controller::state`], to be compared with later.
    pub(crate) fn said(&self) -> (DriveMode, Cow<'static, str>) {
        self.state.clone()
    }

    pub(crate) fn report(&self) -> DrivingReport {
        DrivingReport {
            mode: self.state.0,
            why: self.state.1.to_string(),
            n_commands: self.n_commands,
            n_by_mode: self.n_by_mode.clone(),
            n_by_safety_reason: self.n_by_safety_reason.clone(),
            ladder: self.ladder.report(),
        }
    }

    /// What became of the degradation ladder, where one was declared.
    pub(crate) fn ladder(&mut self) -> Option<&LadderReport> {
        self.ladder.tell()
    }

    /// A budget was missed that says to go down a rung of the ladder.
    pub(crate) fn degrade(&mut self) {
        self.ladder.miss();
    }

    /// Whether a scan at `now` is to be planned on, or the one before is recent enough. Where
    /// commands between scans are cheap, each scan is answered, whenever the last of those was.
    pub(crate) fn is_due(&self, now: Stamp) -> bool {
        let gap = self.config.period().mul_f64(EARLY_SHARE);
        let before = match self.config.imagining {
            Imagining::First => self.decided,
            Imagining::Afterwards => self.answered,
        };
        before.is_none_or(|before| now >= before + gap)
    }

    /// When a decision is due whether or not anything comes: when the next scan is late, and when
    /// what is known becomes too old to move by.
    pub(crate) fn next_due(&self) -> Option<Stamp> {
        let decided = self.decided?;
        let late = decided + self.config.period().mul_f64(LATE_PERIODS);
        let odometry = self.whereabouts.odometry();
        let safety = &self.config.safety;
        // A microsecond further, they are older than they may be.
        let beyond = |stamp: Stamp, secs_max: f64| {
            let max = Duration::try_from_secs_f64(secs_max).unwrap_or(Duration::MAX);
            stamp + max.saturating_add(Duration::from_micros(1))
        };
        let scan = self.scan.as_ref();
        let scan = scan.map(|(stamp, _)| beyond(*stamp, safety.scan_age_secs_max));
        let odometry = odometry.map(|newest| beyond(newest.stamp, safety.odometry_age_secs_max));
        let losses = scan.into_iter().chain(odometry);
        let between = self.between_due();
        losses
            .filter(|at| *at > decided)
            .chain([late])
            .chain(between)
            .min()
    }

    /// When a command between two scans is due, where such are wanted.
    fn between_due(&self) -> Option<Stamp> {
        let wanted = self.config.imagining == Imagining::Afterwards;
        let decided = self.decided.filter(|_| wanted)?;
        Some(decided + self.config.period())
    }

    /// Why a decision is due at `now`, if one is without anything having come.
    pub(crate) fn cause_by_time(&self, now: Stamp) -> Option<Cause> {
        let is_over = |at: Stamp| now >= at;
        if self.between_due().is_some_and(is_over) {
            return Some(Cause::Between);
        }
        self.next_due().is_some_and(is_over).then_some(Cause::Time)
    }

    /// Decides what the base does from `now` on. Without a model nothing is planned.
    pub(crate) fn decide(
        &mut self,
        cause: Cause,
        now: Stamp,
        model: Option<&mut dyn WorldModel>,
        timing: &Timing<'_>,
    ) -> Decision {
        self.decided = Some(now);
        if cause == Cause::Scan {
            self.answered = Some(now);
        }
        let start_from_base = self.whereabouts.start_from_base(now);
        let aim = self.mission.aim(start_from_base);
        let order = self
            .orders
            .worst()
            .map(|(severity, who)| (severity, who.to_owned()));
        let mut decision = Decision {
            now,
            mode: DriveMode::Idle,
            why: Cow::Borrowed(""),
            command: None,
            intended: None,
            plan: None,
            has_moved: false,
            goal_in_base: match aim {
                Aim::Towards(goal) => Some(goal),
                _ => None,
            },
            start_from_base,
            world_from_base: self.whereabouts.world_from_base(now),
            verdict: Verdict::Passed,
            events: Reused::new(),
            spans: Reused::new(),
            ended: timing.began,
        };
        let wish = match (&order, aim, cause) {
            (None, Aim::Towards(goal), Cause::Scan | Cause::Between) => {
                model.and_then(|model| self.plan(goal, model, timing, &mut decision))
            }
            (None, Aim::Towards(_), Cause::Time) => self.rest(now, &mut decision),
            _ => None,
        };
        let planned = timing.stopwatch.now();
        let overrun = self.overrun.clone();
        let reason = match (&order, aim, overrun) {
            // Standing still is always safe, and asks for no evidence.
            (Some(_), ..) => self.stand(self.standstill(), &mut decision),
            (None, Aim::Nowhere | Aim::Arrived, _) => self.stand(self.braking(), &mut decision),
            // What was planned is not driven; that it was planned says when budgets are kept.
            (None, Aim::Towards(_) | Aim::Unplaced, Some(why)) => {
                self.stand(self.standstill(), &mut decision);
                Some(Cow::Owned(why))
            }
            (None, Aim::Towards(_) | Aim::Unplaced, None) => self.filter(wish, &mut decision),
        };
        (decision.mode, decision.why) = mode(order, aim, reason);
        self.conclude(&mut decision);
        decision.ended = timing.stopwatch.now();
        decision.spans = Reused::copy_of(&[
            (Stage::PLAN, planned.saturating_since(timing.began)),
            (Stage::SAFETY, decision.ended.saturating_since(planned)),
        ]);
        decision
    }

    /// Slows down as fast as the base can.
    fn braking(&self) -> Reused<Action> {
        let limits = &self.config.planner.limits;
        let mut twist = self.whereabouts.twist();
        let mut slower = || {
            twist = limits.approach(twist, Twist2::default(), BRAKING_STEP.as_secs_f64());
            twist
        };
        let steps = (0..N_BRAKING_STEPS).map(|_| Action {
            duration: BRAKING_STEP,
            twist: slower(),
        });
        steps.collect()
    }

    /// No motion at all.
    fn standstill(&self) -> Reused<Action> {
        let still = Action {
            duration: self.config.lifespan(),
            twist: Twist2::default(),
        };
        Reused::filled(still, 1)
    }

    /// Slows down, and says nothing about why.
    fn stand(&self, command: Reused<Action>, decision: &mut Decision) -> Option<Cow<'static, str>> {
        decision.command = Some(ActionSequence { actions: command });
        decision.intended = Some(ActionSequence {
            actions: self.braking(),
        });
        None
    }

    /// Lets the filter have the last word on what may be executed of a wish; why the base is
    /// stopped, if it is.
    fn filter(
        &mut self,
        wish: Option<Reused<Action>>,
        decision: &mut Decision,
    ) -> Option<Cow<'static, str>> {
        let now = decision.now;
        let has_wish = wish.is_some();
        let wish = wish.unwrap_or_else(|| self.braking());
        let evidence = Evidence {
            now,
            scan: self.scan.as_ref().map(|(stamp, scan)| TimedScan {
                stamp: *stamp,
                scan,
            }),
            odometry: self.whereabouts.odometry().map(|newest| TimedTwist {
                stamp: newest.stamp,
                twist: newest.twist,
            }),
            plan_stamp: self.planned,
            stop: StopOrder::None,
            base_now_from_scanner: self
                .whereabouts
                .base_now_from_scanner(now)
                .unwrap_or(self.config.mount()),
        };
        // Beyond its lifespan nothing of a command is executed, and nothing need be free.
        let sent = SentCommand::new(now, &wish).next(now, self.config.lifespan());
        let safe = self.filter.check(&sent, &evidence);
        let intended = match safe.verdict {
            Verdict::Passed => wish,
            Verdict::Slowed { factor } => slowed(&wish, factor),
            Verdict::Stopped => self.braking(),
        };
        decision.verdict = safe.verdict;
        decision.command = Some(safe.actions);
        decision.intended = Some(ActionSequence { actions: intended });
        let reason = safe.reason.map(SafetyReason::name);
        if let Some(reason) = reason {
            match self.n_by_safety_reason.get_mut(reason) {
                Some(n) => *n += 1,
                None => drop(self.n_by_safety_reason.insert(reason.to_owned(), 1)),
            }
        }
        match safe.verdict {
            Verdict::Stopped => reason.map(Cow::Borrowed),
            _ if !has_wish => Some(Cow::Borrowed("no plan")),
            _ => None,
        }
    }

    /// Keeps what was decided. Where there is nowhere to go, nothing is said once the base stands.
    fn conclude(&mut self, decision: &mut Decision) {
        *self.n_by_mode.entry(decision.mode).or_default() += 1;
        self.state = (decision.mode, decision.why.clone());
        if decision.mode == DriveMode::Idle && self.sent.is_none() {
            (decision.command, decision.intended) = (None, None);
        }
        let Some(intended) = &decision.intended else {
            return;
        };
        self.n_commands += 1;
        self.sent = Some(SentCommand::new(decision.now, &intended.actions));
        let twist = self.whereabouts.twist();
        let fastest = [twist.vx_mps, twist.vy_mps, twist.yaw_rate_radps];
        if decision.mode == DriveMode::Idle && fastest.iter().all(|it| it.abs() < STANDS) {
            self.sent = None;
        }
    }
}

fn mode(
    order: Option<(Severity, String)>,
    aim: Aim,
    stopped: Option<Cow<'static, str>>,
) -> (DriveMode, Cow<'static, str>) {
    match (order, aim, stopped) {
        (Some((Severity::Hold, who)), ..) => (DriveMode::Holding, format!("told by {who}").into()),
        (Some((Severity::Emergency, who)), ..) => (
            DriveMode::Stopped,
            format!("emergency stop by {who}").into(),
        ),
        (Some((_, who)), ..) => (
            DriveMode::Stopped,
            format!("until a person lets go, by {who}").into(),
        ),
        (None, Aim::Nowhere, _) => (DriveMode::Idle, Cow::Borrowed("")),
        (None, Aim::Arrived, _) => (DriveMode::Arrived, Cow::Borrowed("")),
        (None, _, Some(reason)) => (DriveMode::Stopped, reason),
        (None, Aim::Unplaced, None) => (DriveMode::Stopped, Cow::Borrowed("not placed yet")),
        (None, Aim::Towards(_), None) => (DriveMode::Driving, Cow::Borrowed("")),
    }
}

fn slowed(actions: &[Action], factor: f64) -> Reused<Action> {
    let slower = |action: &Action| Action {
        duration: action.duration,
        twist: action.twist.scaled(factor),
    };
    actions.iter().map(slower).collect()
}
