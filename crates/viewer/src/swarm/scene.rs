//! What a scene is made of before anything moves.

use sedge_spacetime::AgentName;

use super::rates::SwarmRates;

/// Half the side of a scene without anything in it, in metres.
const EMPTY_HALF_M: f64 = 5.0;
/// Beyond this from the origin, a thing does not widen the picture, in metres.
const FAR_M: f64 = 10_000.0;

/// A scene: everything that is known before the run begins.
///
/// # Units and frames
/// Metres and radians in the frame of the world.
#[derive(Debug, Clone, PartialEq)]
pub struct SwarmScene {
    /// What the screen is called, such as `doorway, 8 robots`.
    pub title: String,
    /// What stands.
    pub walls: Vec<WallBox>,
    /// The robots that are expected; others may join, up to 1,024 in all.
    pub robots: Vec<SceneRobot>,
    /// Those who walk, in the order in which [`SwarmViewer::team`](super::SwarmViewer::team) says
    /// where they are.
    pub walkers: Vec<SceneWalker>,
    /// The rungs of the robots' degradation ladder by name, the full one first; none where they
    /// have no ladder, and the screen no lane for it.
    pub rungs: Vec<String>,
    /// The robot that is drawn in full detail, whatever their number. Default: the first.
    pub focus: Option<AgentName>,
    /// How much is drawn.
    pub rates: SwarmRates,
}

/// A box that stands on the floor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WallBox {
    /// Its centre on the floor, in metres.
    pub center_m: [f64; 2],
    /// Its sides before it is turned, in metres.
    pub size_m: [f64; 2],
    /// How far it is turned, in radians.
    pub yaw_rad: f64,
    /// Its height, in metres.
    pub height_m: f64,
}

/// A robot that is expected.
#[derive(Debug, Clone, PartialEq)]
pub struct SceneRobot {
    /// Its name.
    pub name: AgentName,
    /// The radius of its body, in metres.
    pub radius_m: f64,
    /// Where it is to go, one after the other, in metres; may be empty.
    pub goals_m: Vec<[f64; 2]>,
}

/// Somebody who walks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SceneWalker {
    /// The radius of the body, in metres.
    pub radius_m: f64,
}

/// The part of the floor that is looked at, in metres.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Bounds {
    pub(super) min_m: [f64; 2],
    pub(super) max_m: [f64; 2],
}

impl Bounds {
    pub(super) fn size_m(&self) -> [f64; 2] {
        [0, 1].map(|axis| self.max_m[axis] - self.min_m[axis])
    }

    pub(super) fn center_m(&self) -> [f64; 2] {
        [0, 1].map(|axis| 0.5 * (self.max_m[axis] + self.min_m[axis]))
    }
}

impl WallBox {
    /// Whether it can be drawn.
    pub(super) fn is_drawable(&self) -> bool {
        let sides = [self.size_m[0], self.size_m[1], self.height_m];
        let sized = sides.iter().all(|side| side.is_finite() && *side >= 0.0);
        sized && is_near(self.center_m) && self.yaw_rad.is_finite()
    }

    fn corners_m(&self) -> [[f64; 2]; 4] {
        let (sin, cos) = self.yaw_rad.sin_cos();
        [[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]].map(|[x, y]| {
            let (x, y) = (x * self.size_m[0], y * self.size_m[1]);
            [
                self.center_m[0] + cos * x - sin * y,
                self.center_m[1] + sin * x + cos * y,
            ]
        })
    }
}

impl SwarmScene {
    /// What holds all walls and goals.
    pub(super) fn bounds(&self) -> Bounds {
        let walls = self.walls.iter().filter(|wall| wall.is_drawable());
        let goals = self.robots.iter().flat_map(|robot| &robot.goals_m);
        let points = walls
            .flat_map(WallBox::corners_m)
            .chain(goals.copied())
            .filter(|point| is_near(*point));
        let mut bounds: Option<Bounds> = None;
        for point in points {
            let bounds = bounds.get_or_insert(Bounds {
                min_m: point,
                max_m: point,
            });
            for axis in [0, 1] {
                bounds.min_m[axis] = bounds.min_m[axis].min(point[axis]);
                bounds.max_m[axis] = bounds.max_m[axis].max(point[axis]);
            }
        }
        bounds.unwrap_or(Bounds {
            min_m: [-EMPTY_HALF_M; 2],
            max_m: [EMPTY_HALF_M; 2],
        })
    }
}

/// Whether a point is a place on the floor that is worth looking at.
pub(super) fn is_near(point_m: [f64; 2]) -> bool {
    point_m.iter().all(|coordinate| coordinate.abs() <= FAR_M)
}

#[cfg(test)]
mod tests {
    use std::f64::consts::FRAC_PI_2;

    use super::*;

    fn scene(walls: Vec<WallBox>) -> SwarmScene {
        SwarmScene {
            title: String::new(),
            walls,
            robots: Vec::new(),
            walkers: Vec::new(),
            rungs: Vec::new(),
            focus: None,
            rates: SwarmRates::default(),
        }
    }

    #[test]
    fn bounds_hold_turned_walls_and_leave_out_what_is_no_place() {
        let wall = WallBox {
            center_m: [1.0, 0.0],
            size_m: [4.0, 2.0],
            yaw_rad: FRAC_PI_2,
            height_m: 1.0,
        };
        let nowhere = WallBox {
            center_m: [f64::NAN, 0.0],
            ..wall
        };
        let bounds = scene(vec![wall, nowhere]).bounds();
        assert!((bounds.min_m[0] - 0.0).abs() < 1e-9 && (bounds.max_m[1] - 2.0).abs() < 1e-9);
        assert!((bounds.size_m()[0] - 2.0).abs() < 1e-9, "{bounds:?}");
    }

    #[test]
    fn an_empty_scene_has_room() {
        let sides = scene(Vec::new()).bounds().size_m();
        assert!(sides.iter().all(|side| (side - 10.0).abs() < 1e-9));
    }
}
