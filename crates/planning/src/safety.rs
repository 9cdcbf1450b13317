//! The last look before the wheels: evidence must be fresh and the way measured to be free.

mod evidence;
mod sweep;

use std::time::Duration;

use sedge_spacetime::Twist2;
use sedge_world_model::{Action, ActionSequence, Reused};
use serde::{Deserialize, Serialize};

use crate::config::{check_non_negative, check_positive};
use crate::{ConfigError, MotionLimits};
pub use evidence::{Evidence, StopOrder, TimedScan, TimedTwist};
use sweep::Sweep;

/// A command that obstructs itself is tried at this many speeds, evenly down to one part.
const N_SPEEDS: u32 = 8;
/// How long a safe stop is commanded when the command was none.
const STOP_DURATION: Duration = Duration::from_millis(100);
/// Longer commands than this are refused: nothing that is measured now says so much of the future.
const COMMAND_SECS_MAX: f64 = 5.0;

/// What the filter requires.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SafetyConfig {
    /// Radius of the disc that covers the base, in metres, positive. Default 0.25.
    pub radius_m: f64,
    /// How far from measured points that disc must stay, in metres. Default 0.05: a lidar's noise.
    pub margin_m: f64,
    /// How long the base goes on as it does before a command takes effect, in seconds. Default 0.1.
    pub reaction_secs: f64,
    /// Older scans are no evidence, in seconds. Default 0.3: two may be lost at 10 Hz.
    pub scan_age_secs_max: f64,
    /// Older odometry is no evidence, in seconds. Default 0.2.
    pub odometry_age_secs_max: f64,
    /// Older plans are not executed, in seconds. Default 0.5.
    pub plan_age_secs_max: f64,
    /// How far evidence may be dated ahead of `now`, in seconds. Default 0.02.
    pub ahead_secs_max: f64,
    /// The share of a scan's beams that must have measured something. Default 0.02.
    pub valid_share_min: f64,
    /// What the base can do; stopping distances follow from its accelerations.
    pub limits: MotionLimits,
}

impl Default for SafetyConfig {
    fn default() -> Self {
        Self {
            radius_m: 0.25,
            margin_m: 0.05,
            reaction_secs: 0.1,
            scan_age_secs_max: 0.3,
            odometry_age_secs_max: 0.2,
            plan_age_secs_max: 0.5,
            ahead_secs_max: 0.02,
            valid_share_min: 0.02,
            limits: MotionLimits::default(),
        }
    }
}

impl SafetyConfig {
    /// Checks that something can satisfy this.
    ///
    /// # Errors
    /// [`ConfigError`] with the key that is wrong.
    pub fn check(&self) -> Result<(), ConfigError> {
        check_positive("safety.radius_m", self.radius_m)?;
        check_non_negative("safety.margin_m", self.margin_m)?;
        check_non_negative("safety.reaction_secs", self.reaction_secs)?;
        check_positive("safety.scan_age_secs_max", self.scan_age_secs_max)?;
        check_positive("safety.odometry_age_secs_max", self.odometry_age_secs_max)?;
        check_positive("safety.plan_age_secs_max", self.plan_age_secs_max)?;
        check_non_negative("safety.ahead_secs_max", self.ahead_secs_max)?;
        check_non_negative("safety.valid_share_min", self.valid_share_min)?;
        self.limits.check()
    }
}

/// Why a command was slowed or stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SafetyReason {
    /// Somebody asked for a stop.
    StopOrdered,
    /// The command is not finite, not of a ground robot, or too long.
    BadCommand,
    /// There is no scan.
    NoScan,
    /// The newest scan is too old.
    StaleScan,
    /// The newest scan is malformed, or hardly a beam measured anything.
    BadScan,
    /// There is no odometry.
    NoOdometry,
    /// The newest odometry is too old.
    StaleOdometry,
    /// The newest odometry is not finite.
    BadOdometry,
    /// There is no plan behind the command.
    NoPlan,
    /// That plan is too old.
    StalePlan,
    /// Evidence or plan are dated ahead of now: clocks disagree.
    FromTheFuture,
    /// The way leads to where the scanner does not look.
    Blind,
    /// Measured points are closer than the way to a standstill.
    Obstructed,
}

const N_REASONS: usize = 13;

impl SafetyReason {
    /// All of them, in order.
    pub const ALL: [Self; N_REASONS] = [
        Self::StopOrdered,
        Self::BadCommand,
        Self::NoScan,
        Self::StaleScan,
        Self::BadScan,
        Self::NoOdometry,
        Self::StaleOdometry,
        Self::BadOdometry,
        Self::NoPlan,
        Self::StalePlan,
        Self::FromTheFuture,
        Self::Blind,
        Self::Obstructed,
    ];

    /// For tables and counters.
    pub fn name(self) -> &'static str {
        match self {
            Self::StopOrdered => "stop-ordered",
            Self::BadCommand => "bad-command",
            Self::NoScan => "no-scan",
            Self::StaleScan => "stale-scan",
            Self::BadScan => "bad-scan",
            Self::NoOdometry => "no-odometry",
            Self::StaleOdometry => "stale-odometry",
            Self::BadOdometry => "bad-odometry",
            Self::NoPlan => "no-plan",
            Self::StalePlan => "stale-plan",
            Self::FromTheFuture => "from-the-future",
            Self::Blind => "blind",
            Self::Obstructed => "obstructed",
        }
    }
}

/// What became of a command.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It goes through as it is.
    Passed,
    /// Its twists were scaled: the same way, slower.
    Slowed {
        /// By this factor, within (0, 1).
        factor: f64,
    },
    /// A stop goes instead.
    Stopped,
}

/// What may be sent to the wheels.
#[derive(Debug, Clone, PartialEq)]
pub struct SafeCommand {
    /// The command, slowed if need be, or a standstill for as long.
    pub actions: ActionSequence,
    /// What became of the command.
    pub verdict: Verdict,
    /// Why, unless it passed.
    pub reason: Option<SafetyReason>,
}

/// How often what happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SafetyCounts {
    /// Commands that passed.
    pub passed: u64,
    /// Commands that were slowed.
    pub slowed: u64,
    stopped: [u64; N_REASONS],
}

impl SafetyCounts {
    /// Commands that were stopped for a reason.
    pub fn stopped(&self, reason: SafetyReason) -> u64 {
        self.stopped[reason as usize]
    }

    /// Reasons and how many commands each stopped, in the order of [`SafetyReason::ALL`].
    pub fn rows(&self) -> impl Iterator<Item = (SafetyReason, u64)> + '_ {
        SafetyReason::ALL.into_iter().zip(self.stopped)
    }
}

/// Lets a command through, slows it, or stops; keeps count.
///
/// A command passes if fresh evidence says that the base, driving it to its end and then braking
/// as hard as it may, comes no closer than the margin to any point of the newest scan. Points that
/// are closer already may not be approached further; driving away from them is free. Beams that
/// did not return count as free, and points are taken to stand still: who moves is the planner's
/// business, and the next check's.
#[derive(Debug, Clone)]
pub struct SafetyFilter {
    config: SafetyConfig,
    counts: SafetyCounts,
    sweep: Sweep,
}

impl SafetyFilter {
    /// A filter that has judged nothing yet.
    ///
    /// # Errors
    /// [`ConfigError`] as [`SafetyConfig::check`].
    pub fn new(config: SafetyConfig) -> Result<Self, ConfigError> {
        config.check()?;
        Ok(Self {
            config,
            counts: SafetyCounts::default(),
            sweep: Sweep::default(),
        })
    }

    /// Judges what is about to be sent, all of which could be executed: `actions` begin now (the
    /// base reacts later), one after the other.
    pub fn check(&mut self, actions: &[Action], evidence: &Evidence<'_>) -> SafeCommand {
        match self.judge(actions, evidence) {
            Ok(1.0) => {
                self.counts.passed += 1;
                SafeCommand {
                    actions: scaled(actions, 1.0),
                    verdict: Verdict::Passed,
                    reason: None,
                }
            }
            Ok(factor) => {
                self.counts.slowed += 1;
                SafeCommand {
                    actions: scaled(actions, factor),
                    verdict: Verdict::Slowed { factor },
                    reason: Some(SafetyReason::Obstructed),
                }
            }
            Err(reason) => {
                self.counts.stopped[reason as usize] += 1;
                SafeCommand {
                    actions: standstill(actions),
                    verdict: Verdict::Stopped,
                    reason: Some(reason),
                }
            }
        }
    }

    /// How often what happened.
    pub fn counts(&self) -> &SafetyCounts {
        &self.counts
    }

    /// The factor to slow by, 1 to pass.
    fn judge(&mut self, actions: &[Action], evidence: &Evidence<'_>) -> Result<f64, SafetyReason> {
        if evidence.stop != StopOrder::None {
            return Err(SafetyReason::StopOrdered);
        }
        let secs: f64 = actions.iter().map(|it| it.duration.as_secs_f64()).sum();
        let are_twists = actions.iter().all(|it| crate::request::is_twist(it.twist));
        if secs > COMMAND_SECS_MAX || !are_twists {
            return Err(SafetyReason::BadCommand);
        }
        let (scan, twist) = evidence.fresh(&self.config)?;
        self.sweep.take_points(scan, evidence.base_now_from_scanner);
        for part in (1..=N_SPEEDS).rev() {
            let factor = f64::from(part) / f64::from(N_SPEEDS);
            self.sweep.follow(&self.config, twist, actions, factor);
            // Creeping to where nobody looks is no better than driving there.
            if self.sweep.leaves_view(scan, evidence) {
                return Err(SafetyReason::Blind);
            }
            if self.sweep.is_free(&self.config) {
                return Ok(factor);
            }
        }
        Err(SafetyReason::Obstructed)
    }
}

fn scaled(actions: &[Action], factor: f64) -> ActionSequence {
    let slower = |action: &Action| Action {
        duration: action.duration,
        twist: action.twist.scaled(factor),
    };
    ActionSequence {
        actions: actions.iter().map(slower).collect(),
    }
}

/// Standing still for as long as the command, which may be nonsense.
fn standstill(actions: &[Action]) -> ActionSequence {
    let asked = actions
        .iter()
        .fold(Duration::ZERO, |sum, it| sum.saturating_add(it.duration));
    let most = Duration::from_secs_f64(COMMAND_SECS_MAX);
    let still = Action {
        duration: asked.clamp(STOP_DURATION, most),
        twist: Twist2::default(),
    };
    ActionSequence {
        actions: Reused::filled(still, 1),
    }
}

#[cfg(test)]
mod tests;
