//! One robot under watch: its commands by their own headers, and what was done by them when.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use sedge_oni::{Command, CommandStep, Envelope, Key, Lidar, Odometry, TypedMessage as _};
use sedge_spacetime::{Stamp, Twist2};
use sedge_transport::{LossCounts, LossLedger};
use serde::Serialize;

use crate::chaos::Withheld;

/// Commands that are remembered: those of a second and more.
const COMMANDS_MAX: usize = 64;
/// A base that moves less than this stands, in m/s and rad/s.
const STANDS_MPS: f64 = 0.02;
const STANDS_RADPS: f64 = 0.05;
/// Commands of a silence may be so long on their way after its end.
const AFTER_SILENCE: Duration = Duration::from_millis(200);

/// Delays of one kind.
#[derive(Debug, Clone, Default)]
pub(crate) struct Delays(Vec<Duration>);

impl Delays {
    fn add(&mut self, delay: Duration) {
        self.0.push(delay);
    }

    pub(crate) fn plus(mut self, other: &Self) -> Self {
        self.0.extend_from_slice(&other.0);
        self
    }

    pub(crate) fn n(&self) -> u64 {
        self.0.len() as u64
    }

    pub(crate) fn n_above(&self, limit: Duration) -> u64 {
        self.0.iter().filter(|it| **it > limit).count() as u64
    }

    pub(crate) fn worst(&self) -> Option<Duration> {
        self.0.iter().max().copied()
    }

    pub(crate) fn median(&self) -> Option<Duration> {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        sorted.get(sorted.len() / 2).copied()
    }
}

impl Serialize for Delays {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|it| it.as_secs_f64() * 1e3))
    }
}

/// A command, as its header and steps say it.
#[derive(Debug, Clone)]
pub(super) struct HeardCommand {
    begin: Stamp,
    /// When its lifespan, its deadline or, without both, its last step ends.
    end: Stamp,
    steps: Vec<CommandStep>,
}

impl HeardCommand {
    pub(super) fn new(envelope: &Envelope, command: Command) -> Self {
        let begin = envelope.capture.stamp;
        let limits = [envelope.deadline, envelope.lifespan];
        let whole = || command.steps.iter().map(|step| step.duration).sum();
        let lives: Duration = limits.into_iter().flatten().min().unwrap_or_else(whole);
        Self {
            begin,
            end: begin + lives,
            steps: command.steps,
        }
    }

    fn lives_at(&self, at: Stamp) -> bool {
        self.begin <= at && at < self.end
    }

    fn is_stop(&self) -> bool {
        let is_zero = |step: &CommandStep| step.twist == Twist2::default();
        self.steps.iter().all(is_zero)
    }
}

/// One step of the world, as far as it is about one robot.
#[derive(Debug, Clone, Copy)]
pub(super) struct WatchedStep {
    /// When it began.
    pub(super) at: Stamp,
    /// Whether the base executed a command in it.
    pub(super) is_driven: bool,
    /// What it was told.
    pub(super) target: Twist2,
    /// How it moved at the end.
    pub(super) twist: Twist2,
}

impl WatchedStep {
    fn stands(&self) -> bool {
        self.twist.vx_mps.hypot(self.twist.vy_mps) < STANDS_MPS
            && self.twist.yaw_rate_radps.abs() < STANDS_RADPS
    }
}

/// Sensors that are silent.
#[derive(Debug, Clone, Copy)]
struct OpenSilence {
    withheld: Withheld,
    until: Stamp,
    /// When the first message should have come.
    lost: Option<Stamp>,
    was_moving: bool,
    /// When the newest of what is withheld came again.
    back: Option<Stamp>,
    /// When the command came that has stopped the base since.
    stop: Option<Stamp>,
    has_stood: bool,
}

#[derive(Debug, Clone, Copy)]
struct OpenKill {
    at: Stamp,
    was_moving: bool,
    is_stopped: bool,
}

/// Whether a robot has an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Life {
    Away,
    /// Its agent was started then, and has commanded nothing yet.
    Starting(Stamp),
    /// Its agent has last been heard then.
    Joined(Stamp),
}

/// What was seen.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Watched {
    /// Steps in which the base executed a command.
    pub(crate) n_steps_driven: u64,
    /// Of these, those in which no command that had come was within its lifespan and deadline.
    pub(crate) n_steps_overdue: u64,
    /// Commands that came.
    pub(crate) n_commands: u64,
    pub(crate) n_kills: u64,
    pub(crate) n_starts: u64,
    /// From the start of an agent's process to its first command, in milliseconds.
    pub(crate) join_millis: Delays,
    /// The longest that an agent which had joined and lived was not heard.
    pub(crate) unheard_secs_max: f64,
    /// Silences of its sensors while it moved: from the first message that did not come to the
    /// arrival of the command to stop, in milliseconds.
    pub(crate) stop_millis: Delays,
    /// Those after which no stop came before its sensors did.
    pub(crate) n_unstopped: u64,
    /// From that first message to a standstill.
    pub(crate) stand_millis: Delays,
    /// Silences while it stood, and those that a kill cut short.
    pub(crate) n_silences_untried: u64,
    /// Kills while it moved: from the end of its agent's last command to the step in which the base
    /// stopped by itself, in milliseconds.
    pub(crate) lapse_millis: Delays,
    /// From the kill to that step.
    pub(crate) kill_to_stop_millis: Delays,
    /// From the kill to a standstill, where it stood before its agent was back.
    pub(crate) kill_to_stand_millis: Delays,
}

/// A robot under watch.
pub(super) struct RobotWatch {
    pub(super) watched: Watched,
    life: Life,
    commands: VecDeque<HeardCommand>,
    is_moving: bool,
    silence: Option<OpenSilence>,
    kill: Option<OpenKill>,
    epochs: BTreeMap<u64, LossLedger>,
}

impl RobotWatch {
    pub(super) fn new() -> Self {
        Self {
            watched: Watched::default(),
            life: Life::Away,
            commands: VecDeque::new(),
            is_moving: false,
            silence: None,
            kill: None,
            epochs: BTreeMap::new(),
        }
    }

    /// Whether its agent drives and nothing is being done to it.
    pub(super) fn is_at_peace(&self) -> bool {
        matches!(self.life, Life::Joined(_)) && self.silence.is_none() && self.kill.is_none()
    }

    pub(super) fn started(&mut self, now: Stamp) {
        self.watched.n_starts += 1;
        self.life = Life::Starting(now);
    }

    /// Its agent is no more, killed or by itself.
    pub(super) fn ended(&mut self, now: Stamp) {
        self.unheard_until(now);
        self.life = Life::Away;
        if self.silence.take().is_some() {
            self.watched.n_silences_untried += 1;
        }
    }

    pub(super) fn killed(&mut self, now: Stamp) {
        self.ended(now);
        self.watched.n_kills += 1;
        self.kill = Some(OpenKill {
            at: now,
            was_moving: self.is_moving,
            is_stopped: false,
        });
    }

    /// Counts a command, whatever becomes of it.
    pub(super) fn count(&mut self, key: &Key, envelope: &Envelope) {
        self.watched.n_commands += 1;
        let epoch = self.epochs.entry(envelope.source.epoch).or_default();
        epoch.observe(key, &envelope.source);
    }

    /// Commands of one start of its agent.
    pub(super) fn commands_of(&self, epoch: u64) -> LossCounts {
        self.epochs
            .get(&epoch)
            .map(LossLedger::total)
            .unwrap_or_default()
    }

    /// Takes a command that has come and was counted.
    pub(super) fn command(&mut self, epoch: u64, command: HeardCommand, arrival: Stamp) {
        self.unheard_until(arrival);
        let is_newest = self.epochs.keys().next_back() == Some(&epoch);
        match self.life {
            // The last words of the agent before are no sign of life of this one.
            Life::Starting(since) if is_newest && self.commands_of(epoch).received == 1 => {
                self.watched
                    .join_millis
                    .add(arrival.saturating_since(since));
                self.life = Life::Joined(arrival);
                self.kill = None;
            }
            Life::Joined(_) => self.life = Life::Joined(arrival),
            Life::Starting(_) | Life::Away => {}
        }
        if let Some(silence) = &mut self.silence {
            silence.commanded(&command, arrival);
        }
        if self.commands.len() == COMMANDS_MAX {
            self.commands.pop_front();
        }
        self.commands.push_back(command);
    }

    fn unheard_until(&mut self, now: Stamp) {
        if let Life::Joined(heard) = self.life {
            let secs = now.saturating_since(heard).as_secs_f64();
            self.watched.unheard_secs_max = self.watched.unheard_secs_max.max(secs);
        }
    }

    /// Begins to withhold what its sensors say.
    pub(super) fn silence(&mut self, withheld: Withheld, until: Stamp) {
        self.silence = Some(OpenSilence {
            withheld,
            until,
            lost: None,
            was_moving: false,
            back: None,
            stop: None,
            has_stood: false,
        });
    }

    /// Whether a message of its sensors is withheld.
    pub(super) fn withholds(&mut self, message_type: &str, stamp: Stamp) -> bool {
        let is_moving = self.is_moving;
        let Some(silence) = &mut self.silence else {
            return false;
        };
        let is_evidence = match message_type {
            Lidar::NAME => silence.withheld != Withheld::Odometry,
            Odometry::NAME => silence.withheld != Withheld::Scans,
            _ => false,
        };
        let is_withheld = stamp < silence.until
            && (is_evidence || silence.withheld == Withheld::Everything)
            && silence.back.is_none();
        if is_evidence && is_withheld && silence.lost.is_none() {
            (silence.lost, silence.was_moving) = (Some(stamp), is_moving);
        }
        if is_evidence && !is_withheld && silence.back.is_none() {
            silence.back = Some(stamp);
        }
        is_withheld
    }

    /// Takes what a step of the world did with the robot.
    pub(super) fn step(&mut self, step: &WatchedStep) {
        if step.is_driven {
            self.watched.n_steps_driven += 1;
            let is_due = self.commands.iter().any(|it| it.lives_at(step.at));
            self.watched.n_steps_overdue += u64::from(!is_due);
        }
        self.is_moving = step.target != Twist2::default();
        self.watch_kill(step);
        self.watch_silence(step);
    }

    fn watch_kill(&mut self, step: &WatchedStep) {
        let Some(kill) = &mut self.kill else { return };
        if !step.is_driven && !kill.is_stopped {
            kill.is_stopped = true;
            if kill.was_moving {
                let end = self.commands.iter().map(|it| it.end).max();
                let end = end.unwrap_or(kill.at);
                self.watched.lapse_millis.add(step.at.saturating_since(end));
                let since_kill = step.at.saturating_since(kill.at);
                self.watched.kill_to_stop_millis.add(since_kill);
            }
        }
        if kill.is_stopped && step.stands() {
            if kill.was_moving {
                let since_kill = step.at.saturating_since(kill.at);
                self.watched.kill_to_stand_millis.add(since_kill);
            }
            self.kill = None;
        }
    }

    fn watch_silence(&mut self, step: &WatchedStep) {
        let now = step.at;
        let Some(silence) = &mut self.silence else {
            return;
        };
        if let Some(lost) = silence.lost
            && step.stands()
            && silence.was_moving
            && silence.back.is_none()
            && !silence.has_stood
        {
            silence.has_stood = true;
            self.watched.stand_millis.add(now.saturating_since(lost));
        }
        let is_over = silence.back.is_some_and(|back| now >= back + AFTER_SILENCE);
        if !is_over {
            return;
        }
        match (silence.lost, silence.stop) {
            (Some(lost), Some(stop)) if silence.was_moving => {
                self.watched.stop_millis.add(stop.saturating_since(lost));
            }
            (Some(_), None) if silence.was_moving => self.watched.n_unstopped += 1,
            _ => self.watched.n_silences_untried += 1,
        }
        self.silence = None;
    }

    /// The world has ended; what is open stays untried.
    pub(super) fn finish(&mut self, now: Stamp) {
        self.unheard_until(now);
        if self.silence.take().is_some() {
            self.watched.n_silences_untried += 1;
        }
    }
}

impl OpenSilence {
    fn commanded(&mut self, command: &HeardCommand, arrival: Stamp) {
        let Some(lost) = self.lost else { return };
        let is_of_silence = command.begin >= lost && self.back.is_none_or(|it| command.begin < it);
        if !is_of_silence {
            return;
        }
        if !command.is_stop() {
            // Whatever stopped it before did not last.
            self.stop = None;
        } else if self.stop.is_none() {
            self.stop = Some(arrival);
        }
    }
}

#[cfg(test)]
mod tests;
