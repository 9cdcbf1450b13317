//! The command that the base executes now.

use std::time::Duration;

use sedge_oni::{Command, CommandStep};
use sedge_spacetime::{Stamp, Twist2};
use sedge_world_model::{Action, ActionSequence, Reused};

/// A command that was sent.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SentCommand {
    stamp: Stamp,
    actions: Reused<Action>,
}

impl SentCommand {
    /// Actions that begin at `stamp`.
    pub(crate) fn new(stamp: Stamp, actions: &[Action]) -> Self {
        Self {
            stamp,
            actions: Reused::copy_of(actions),
        }
    }

    /// What is left of it at `now`; nothing when it is over.
    pub(crate) fn rest(&self, now: Stamp) -> Reused<Action> {
        let mut over = now.saturating_since(self.stamp);
        let mut rest = Reused::with_capacity(self.actions.len());
        for action in &self.actions {
            let duration = action.duration.saturating_sub(over);
            over = over.saturating_sub(action.duration);
            if duration > Duration::ZERO {
                rest.push(Action {
                    duration,
                    twist: action.twist,
                });
            }
        }
        rest
    }

    /// What is executed for so long from `now` on; where it ends sooner, standing still.
    pub(crate) fn next(&self, now: Stamp, duration: Duration) -> Reused<Action> {
        let mut left = duration;
        let mut next = Reused::new();
        let still = Action {
            duration,
            twist: Twist2::default(),
        };
        for action in self.rest(now).iter().chain([&still]) {
            let duration = action.duration.min(left);
            left -= duration;
            if duration > Duration::ZERO {
                next.push(Action {
                    duration,
                    twist: action.twist,
                });
            }
        }
        next
    }
}

/// Writes the message that says so over another.
pub(crate) fn write_command(actions: &ActionSequence, command: &mut Command) {
    let step = |action: &Action| CommandStep {
        duration: action.duration,
        twist: action.twist,
    };
    command.steps.clear();
    command.steps.extend(actions.actions.iter().map(step));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn action(millis: u64, vx_mps: f64) -> Action {
        let twist = Twist2 {
            vx_mps,
            ..Twist2::default()
        };
        Action {
            duration: Duration::from_millis(millis),
            twist,
        }
    }

    #[test]
    fn what_is_over_is_left_out_and_what_is_missing_stands_still() {
        let sent = SentCommand::new(Stamp::ZERO, &[action(100, 1.0), action(100, 2.0)]);
        let at = |millis: u64| Stamp::ZERO + Duration::from_millis(millis);
        assert_eq!(sent.rest(at(130)), [action(70, 2.0)]);
        assert!(sent.rest(at(200)).is_empty());
        let next = sent.next(at(50), Duration::from_millis(100));
        assert_eq!(next, [action(50, 1.0), action(50, 2.0)]);
        let next = sent.next(at(150), Duration::from_millis(100));
        assert_eq!(next, [action(50, 2.0), action(50, 0.0)]);
        assert!(sent.next(at(150), Duration::ZERO).is_empty());
    }
}
