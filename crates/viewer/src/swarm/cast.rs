//! Who takes part, and how closely each is drawn.

use std::collections::BTreeMap;

use sedge_spacetime::AgentName;

use super::scene::SwarmScene;

/// Robots that can be told apart; more than a screen can show.
pub(super) const ROBOTS_MAX: usize = 1024;
/// Up to so many robots, each has entities of its own; beyond, only the focus has.
pub(super) const DETAILED_MAX: usize = 8;
/// Points and lines of the robot in focus.
const FOCUS_POINTS_MAX: usize = 720;
const FOCUS_LINES_MAX: usize = 64;
/// However many robots there are, each keeps this much.
const POINTS_MIN: usize = 8;
const LINES_MIN: usize = 1;

/// How closely a robot is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Detail {
    /// Whether it has entities of its own.
    pub(super) is_own: bool,
    pub(super) points_max: usize,
    pub(super) lines_max: usize,
}

/// The robots that were expected at the start.
#[derive(Debug, Clone)]
pub(super) struct Cast {
    idx_by_name: BTreeMap<AgentName, usize>,
    focus: Option<AgentName>,
    /// Of every robot but the focus.
    usual: Detail,
}

impl Cast {
    pub(super) fn new(scene: &SwarmScene) -> Self {
        let robots = scene.robots.iter().take(ROBOTS_MAX).enumerate();
        let idx_by_name: BTreeMap<_, _> = robots
            .map(|(idx, robot)| (robot.name.clone(), idx))
            .collect();
        let n_robots = idx_by_name.len().max(1);
        let first = scene.robots.first().map(|robot| &robot.name);
        let usual = Detail {
            is_own: n_robots <= DETAILED_MAX,
            points_max: (scene.rates.scan_points_max / n_robots).max(POINTS_MIN),
            lines_max: (scene.rates.fan_lines_max / n_robots).max(LINES_MIN),
        };
        Self {
            focus: scene.focus.as_ref().or(first).cloned(),
            idx_by_name,
            usual,
        }
    }

    pub(super) fn idx_by_name(&self) -> &BTreeMap<AgentName, usize> {
        &self.idx_by_name
    }

    /// How closely a robot is drawn. Whoever joins later is one of many.
    pub(super) fn detail(&self, name: &AgentName) -> Detail {
        if self.focus.as_ref() == Some(name) {
            return Detail {
                is_own: true,
                points_max: FOCUS_POINTS_MAX.max(self.usual.points_max),
                lines_max: FOCUS_LINES_MAX.max(self.usual.lines_max),
            };
        }
        Detail {
            is_own: self.usual.is_own && self.idx_by_name.contains_key(name),
            ..self.usual
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::SceneRobot;
    use super::super::rates::SwarmRates;
    use super::*;

    fn cast(n_robots: usize, focus: Option<&str>) -> Cast {
        let robot = |idx| SceneRobot {
            name: AgentName::new(format!("crane{idx}")).unwrap(),
            radius_m: 0.3,
            goals_m: Vec::new(),
        };
        Cast::new(&SwarmScene {
            title: String::new(),
            walls: Vec::new(),
            robots: (1..=n_robots).map(robot).collect(),
            walkers: Vec::new(),
            rungs: Vec::new(),
            focus: focus.map(|name| AgentName::new(name).unwrap()),
            rates: SwarmRates::default(),
        })
    }

    #[test]
    fn few_robots_are_all_drawn_closely_and_of_many_only_the_focus() {
        let detailed = |cast: &Cast| -> Vec<String> {
            let names = cast.idx_by_name().keys();
            let names = names.filter(|name| cast.detail(name).is_own);
            names.map(ToString::to_string).collect()
        };
        assert_eq!(detailed(&cast(8, None)).len(), 8);
        assert_eq!(detailed(&cast(64, Some("crane7"))), ["crane7"]);
    }

    #[test]
    fn points_and_lines_are_shared_out() {
        for n_robots in [1, 8, 64, 1024, 5000] {
            let cast = cast(n_robots, None);
            let detail = cast.detail(&AgentName::new("crane2").unwrap());
            let n_drawn = n_robots.min(ROBOTS_MAX);
            assert!(detail.lines_max == LINES_MIN || detail.lines_max * n_drawn <= 192);
            assert!(detail.points_max == POINTS_MIN || detail.points_max * n_drawn <= 2880);
        }
    }
}
