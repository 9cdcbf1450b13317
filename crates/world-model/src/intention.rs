//! An announced way, aged and read at any time ahead.

use std::sync::Arc;

use sedge_spacetime::Pose2;

use crate::IntendedMotion;

/// Where a neighbour said it would be.
#[derive(Debug, Clone, PartialEq)]
pub struct Intention {
    /// How long ago it said so, in seconds.
    pub age_secs: f64,
    /// What it said, seen from where it was then, in order of time; never empty.
    motions: Arc<[IntendedMotion]>,
}

impl Intention {
    pub(crate) fn new(motions: &Arc<[IntendedMotion]>) -> Self {
        Self {
            age_secs: 0.0,
            motions: Arc::clone(motions),
        }
    }

    pub(crate) fn aged(&self, age_secs: f64) -> Self {
        Self {
            age_secs: age_secs.max(0.0),
            motions: Arc::clone(&self.motions),
        }
    }

    /// The steps that were announced, `ahead` of when they were.
    pub fn motions(&self) -> &[IntendedMotion] {
        &self.motions
    }

    /// Its movement from now to some seconds ahead (`now_from_then`). Past the last step it goes
    /// on as in the last part.
    pub fn moved_after(&self, secs: f64) -> Pose2 {
        let now = self.pose_at(self.age_secs);
        now.between(self.pose_at(self.age_secs + secs.max(0.0)))
    }

    /// Its own doubt about its position after some seconds, m2: variance of the worse axis.
    pub(crate) fn variance_after(&self, secs: f64) -> f64 {
        let ahead = self.age_secs + secs;
        let after = self.after(ahead).min(self.motions.len().saturating_sub(1));
        self.motions.get(after).map_or(0.0, |motion| {
            let matrix = motion.covariance.matrix();
            matrix[(0, 0)].max(matrix[(1, 1)]).max(0.0)
        })
    }

    fn after(&self, ahead_secs: f64) -> usize {
        self.motions
            .partition_point(|it| it.ahead.as_secs_f64() <= ahead_secs)
    }

    fn pose_at(&self, ahead_secs: f64) -> Pose2 {
        let step = |idx: usize| {
            let motion = self.motions.get(idx)?;
            Some((motion.ahead.as_secs_f64(), motion.now_from_then))
        };
        let n = self.motions.len();
        let after = self.after(ahead_secs).min(n.saturating_sub(1));
        let start = (0.0, Pose2::IDENTITY);
        let before = after.checked_sub(1).and_then(step).unwrap_or(start);
        let Some(next) = step(after) else {
            return Pose2::IDENTITY;
        };
        let part_secs = next.0 - before.0;
        if part_secs <= 0.0 {
            return next.1;
        }
        before.1
            * before
                .1
                .between(next.1)
                .powf((ahead_secs - before.0) / part_secs)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use sedge_spacetime::Covariance2;

    use super::*;

    fn straight_then_left() -> Intention {
        let motion = |ahead: f64, x_m: f64, y_m: f64, sigma: f64| IntendedMotion {
            ahead: Duration::from_secs_f64(ahead),
            now_from_then: Pose2::new(x_m, y_m, 0.0),
            covariance: Covariance2::from_sigmas([sigma, 0.5 * sigma, 0.1]),
        };
        Intention::new(&Arc::from([
            motion(1.0, 1.0, 0.0, 0.1),
            motion(2.0, 1.0, 1.0, 0.3),
        ]))
    }

    fn check(intention: &Intention, secs: f64, expected: [f64; 2]) {
        let moved = intention.moved_after(secs);
        let off = (moved.x_m - expected[0]).hypot(moved.y_m - expected[1]);
        assert!(off < 1e-9, "{secs}: {moved:?}");
    }

    #[test]
    fn between_steps_it_is_on_the_way_and_after_the_last_it_goes_on() {
        let said = straight_then_left();
        check(&said, 0.0, [0.0, 0.0]);
        check(&said, 0.5, [0.5, 0.0]);
        check(&said, 1.5, [1.0, 0.5]);
        check(&said, 3.0, [1.0, 2.0]);
    }

    #[test]
    fn an_aged_intention_starts_from_where_it_is_by_now() {
        let said = straight_then_left().aged(0.5);
        check(&said, 0.5, [0.5, 0.0]);
        check(&said, 1.5, [0.5, 1.0]);
    }

    #[test]
    fn doubt_grows_with_the_step() {
        let said = straight_then_left();
        assert!((said.variance_after(0.2) - 0.01).abs() < 1e-12);
        assert!((said.variance_after(9.0) - 0.09).abs() < 1e-12);
    }
}
