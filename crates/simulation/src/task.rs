//! Tasks that are more than reaching goals, measured as the run goes on.

use sedge_spacetime::Stamp;
use serde::{Deserialize, Serialize};

use crate::outline::Placed;
use crate::physics::BodyState;
use crate::{CoverTask, FlockTask, RunMetrics, Task};

/// Robots slower than this have no direction, in m/s.
const MOVING_MPS_MIN: f64 = 0.05;

/// What the task has seen so far.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum TaskProgress {
    Reach,
    Cover(Covered),
    Flock(Flocked),
}

/// Which cells were seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Covered {
    n_columns: usize,
    cells: Vec<Cell>,
    n_free: usize,
    n_seen: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Cell {
    InWall,
    Unseen,
    Seen,
}

/// Sums over the second half of the run.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Flocked {
    n_steps: u64,
    alignment: f64,
    spread_m: f64,
}

impl TaskProgress {
    pub(crate) fn new(task: Task, walls: &[Placed]) -> Self {
        match task {
            Task::Reach => Self::Reach,
            Task::Cover(cover) => Self::Cover(Covered::new(&cover, walls)),
            Task::Flock(_) => Self::Flock(Flocked::default()),
        }
    }

    pub(crate) fn step(&mut self, task: Task, is_second_half: IsSecondHalf, robots: &[BodyState]) {
        match (self, task) {
            (Self::Cover(covered), Task::Cover(cover)) => {
                for robot in robots {
                    covered.see(&cover, robot);
                }
            }
            (Self::Flock(flocked), Task::Flock(_)) if is_second_half.0 => flocked.add(robots),
            _ => {}
        }
    }

    /// Fills in what belongs to the task; `reached_share` is that of the robots.
    pub(crate) fn report(&self, task: Task, reached_share: f64, metrics: &mut RunMetrics) {
        match (self, task) {
            (Self::Cover(covered), Task::Cover(cover)) => {
                let share = covered.share();
                metrics.covered_share = Some(share);
                metrics.is_success = share >= cover.share;
            }
            (Self::Flock(flocked), Task::Flock(flock)) => flocked.report(&flock, metrics),
            _ => metrics.is_success = reached_share >= 1.0,
        }
    }

    /// Whether nothing is left to be done, where a task has an end.
    pub(crate) fn is_done(&self, task: Task, reached_share: f64) -> bool {
        match (self, task) {
            (Self::Cover(covered), Task::Cover(cover)) => covered.share() >= cover.share,
            (Self::Flock(_), _) => false,
            _ => reached_share >= 1.0,
        }
    }
}

/// Whether the first half of the run is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct IsSecondHalf(bool);

impl IsSecondHalf {
    pub(crate) fn at(now: Stamp, duration_secs: f64) -> Self {
        Self(now.secs() * 2.0 > duration_secs)
    }
}

impl Covered {
    fn new(cover: &CoverTask, walls: &[Placed]) -> Self {
        let cells_along = |axis: usize| {
            let length_m = cover.max_m[axis] - cover.min_m[axis];
            (length_m / cover.cell_m).ceil().max(1.0) as usize
        };
        let (n_columns, n_rows) = (cells_along(0), cells_along(1));
        let cell = |idx: usize| {
            let middle = middle(cover, idx % n_columns, idx / n_columns);
            let is_in_wall = walls.iter().any(|wall| wall.nearest(middle).1 <= 0.0);
            if is_in_wall {
                Cell::InWall
            } else {
                Cell::Unseen
            }
        };
        let cells: Vec<Cell> = (0..n_columns * n_rows).map(cell).collect();
        Self {
            n_columns,
            n_free: cells.iter().filter(|cell| **cell == Cell::Unseen).count(),
            n_seen: 0,
            cells,
        }
    }

    fn see(&mut self, cover: &CoverTask, robot: &BodyState) {
        let here = [robot.pose.x_m, robot.pose.y_m];
        let n_rows = self.cells.len() / self.n_columns;
        let span = |axis: usize, n_cells: usize| {
            let at = |m: f64| ((m - cover.min_m[axis]) / cover.cell_m).floor();
            let low = at(here[axis] - cover.reach_m).max(0.0) as usize;
            let high = (at(here[axis] + cover.reach_m) + 1.0).max(0.0) as usize;
            low.min(n_cells)..high.min(n_cells)
        };
        for row in span(1, n_rows) {
            for column in span(0, self.n_columns) {
                let cell = &mut self.cells[row * self.n_columns + column];
                let [x, y] = middle(cover, column, row);
                let is_near = (x - here[0]).hypot(y - here[1]) <= cover.reach_m;
                if *cell == Cell::Unseen && is_near {
                    *cell = Cell::Seen;
                    self.n_seen += 1;
                }
            }
        }
    }

    fn share(&self) -> f64 {
        self.n_seen as f64 / self.n_free.max(1) as f64
    }
}

fn middle(cover: &CoverTask, column: usize, row: usize) -> [f64; 2] {
    let at = |axis: usize, idx: usize| cover.min_m[axis] + (idx as f64 + 0.5) * cover.cell_m;
    [at(0, column), at(1, row)]
}

impl Flocked {
    fn add(&mut self, robots: &[BodyState]) {
        let n_robots = robots.len().max(1) as f64;
        let mut direction = [0.0; 2];
        let mut middle_m = [0.0; 2];
        for robot in robots {
            let [vx, vy] = robot.velocity_mps;
            let speed_mps = vx.hypot(vy);
            if speed_mps > MOVING_MPS_MIN {
                direction[0] += vx / speed_mps;
                direction[1] += vy / speed_mps;
            }
            middle_m[0] += robot.pose.x_m / n_robots;
            middle_m[1] += robot.pose.y_m / n_robots;
        }
        let away_m =
            |robot: &BodyState| (robot.pose.x_m - middle_m[0]).hypot(robot.pose.y_m - middle_m[1]);
        self.n_steps += 1;
        self.alignment += direction[0].hypot(direction[1]) / n_robots;
        self.spread_m += robots.iter().map(away_m).sum::<f64>() / n_robots;
    }

    fn report(&self, flock: &FlockTask, metrics: &mut RunMetrics) {
        if self.n_steps == 0 {
            return;
        }
        let alignment = self.alignment / self.n_steps as f64;
        let spread_m = self.spread_m / self.n_steps as f64;
        metrics.alignment = Some(alignment);
        metrics.spread_m = Some(spread_m);
        metrics.is_success = alignment >= flock.alignment && spread_m <= flock.spread_m;
    }
}
