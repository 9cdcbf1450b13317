//! A swarm's run, drawn by the viewer: truth from the simulator, the rest from each agent.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sedge_latency::{Budgets, LadderReport, Stage};
use sedge_oni::{Odometry, TypedMessage as _};
use sedge_planning::Verdict;
use sedge_runtime::swarm::{Sender, SwarmObserver};
use sedge_runtime::{
    AgentObserver, DriveMode, DrivenPlan, ForecastError, MadePrediction, SeenScan, Severity,
};
use sedge_simulation::{RobotDraw, RunHeader, STEP, Scenario};
use sedge_spacetime::{AgentName, Pose2, Stamp};
use sedge_transport::Outgoing;
use sedge_viewer::{
    FanLine, ImaginedPlan, MessageFlow, PlanHorizon, QueueFull, RobotMode, RobotState, SceneRobot,
    SceneWalker, SwarmRates, SwarmScene, SwarmViewer, TextLevel, ViewerConfig, ViewerTarget,
    WallBox,
};

use crate::rung_costs::RungCosts;
use crate::scripted_run::ticks_max;
use crate::viewer_observer::{drawn_error, text_level};
use crate::{Progress, ProgressStyle};

/// The stream on which the simulator says what is true.
const TRUTH: &str = "truth";
/// How often message rates are drawn.
const FLOWS_EVERY: Duration = Duration::from_secs(1);
/// A recording comes out whole: the run waits for the viewer.
const DRAWING_WAIT_MAX: Duration = Duration::from_secs(10);
/// How large walkers are drawn, in metres.
const WALKER_RADIUS_M: f64 = sedge_simulation::WALKER_RADIUS_M;

/// Whoever looks into one robot's mind, from the thread that keeps it.
pub(crate) type Eye = Box<dyn AgentObserver + Send>;

/// Watches a run, or looks away.
pub(crate) struct Cockpit {
    target: ViewerTarget,
    budgets: Budgets,
    rungs: Vec<String>,
    costs: Option<RungCosts>,
    show: Option<Show>,
    style: ProgressStyle,
    progress: Option<Progress>,
    n_ticks: u64,
}

/// A run that is shown.
struct Show {
    viewer: Arc<SwarmViewer>,
    starts: Vec<Pose2>,
    names: Vec<AgentName>,
    /// True poses by name: robots, then walkers.
    robots: BTreeMap<AgentName, Pose2>,
    walkers: Vec<(AgentName, Option<Pose2>)>,
    modes: Arc<Mutex<BTreeMap<AgentName, RobotMode>>>,
    /// When the newest true pose was sent, if it has not been drawn yet.
    fresh: Option<Stamp>,
    /// Messages since `flows_from`, by sender and type.
    flows: BTreeMap<(String, String), u64>,
    flows_from: Stamp,
}

impl Cockpit {
    /// Shows the next run that begins.
    pub(crate) fn new(target: ViewerTarget) -> Self {
        Self {
            target,
            budgets: Budgets::none(),
            rungs: Vec::new(),
            costs: None,
            show: None,
            style: ProgressStyle::Silent,
            progress: None,
            n_ticks: 0,
        }
    }

    /// And says on standard error how far the run is.
    #[must_use]
    pub(crate) fn with_progress(self, style: ProgressStyle) -> Self {
        Self { style, ..self }
    }

    /// Takes what the agents of the next run are to keep to, and the names of the rungs that they
    /// have for when they cannot.
    pub(crate) fn promise(&mut self, budgets: &Budgets, rungs: Vec<String>) {
        self.budgets = budgets.clone();
        self.rungs = rungs;
    }

    /// Shows nothing.
    pub(crate) fn off() -> Self {
        Self::new(ViewerTarget::Off)
    }

    /// Draws the scene of a run.
    ///
    /// # Errors
    /// When the target cannot be drawn to.
    pub(crate) fn begin(&mut self, scenario: &Scenario, header: &RunHeader) -> anyhow::Result<()> {
        self.n_ticks = 0;
        let n_ticks_max = ticks_max(scenario);
        self.progress = Some(Progress::begin("simulating", self.style, 0, n_ticks_max));
        if matches!(self.target, ViewerTarget::Off) {
            return Ok(());
        }
        let title = format!("sedge-{}", header.scenario);
        let mut config = ViewerConfig::new(&title, format!("seed-{}", header.seed));
        config.queue_full = QueueFull::Wait(DRAWING_WAIT_MAX);
        let mut scene = scene(scenario, header);
        scene.rungs.clone_from(&self.rungs);
        let viewer = SwarmViewer::open(&self.target, &config, &scene)?;
        let robots: Vec<AgentName> = header.robots.iter().map(RobotDraw::agent_name).collect();
        let walkers = header.walkers.iter().map(|it| (it.agent_name(), None));
        self.show = Some(Show {
            viewer: Arc::new(viewer),
            starts: header.robots.iter().map(|it| it.start).collect(),
            names: robots,
            robots: BTreeMap::new(),
            walkers: walkers.collect(),
            modes: Arc::default(),
            fresh: None,
            flows: BTreeMap::new(),
            flows_from: Stamp::ZERO,
        });
        Ok(())
    }

    /// Hands whoever times the plans of the next run a watcher for each of its robots; what is
    /// shown is not timed.
    pub(crate) fn time_rungs(&mut self, costs: &RungCosts) {
        self.costs = Some(costs.clone());
    }

    /// What shows one robot's mind, or times it.
    pub(crate) fn eye(&self, robot_idx: usize) -> Option<Eye> {
        if let Some(costs) = &self.costs {
            return Some(Box::new(costs.watcher()));
        }
        let eye = self.robot_eye(robot_idx)?;
        Some(Box::new(eye))
    }

    fn robot_eye(&self, robot_idx: usize) -> Option<RobotEye> {
        let show = self.show.as_ref()?;
        let name = show.names.get(robot_idx)?.clone();
        for budget in &self.budgets {
            let robot = show.viewer.robot(&name, Stamp::ZERO);
            robot.budget(budget.stage.as_str(), budget.limit());
        }
        Some(RobotEye {
            viewer: Arc::clone(&show.viewer),
            name,
            world_from_start: *show.starts.get(robot_idx)?,
            modes: Arc::clone(&show.modes),
            horizons: Vec::new(),
        })
    }

    /// Takes in a message of a run without agents, and draws what is complete before it.
    pub(crate) fn hear(&mut self, outgoing: &Outgoing) {
        let Some(show) = &mut self.show else {
            return;
        };
        match truth_of(outgoing) {
            Some(truth) => {
                if let Some(fresh) = show.fresh.filter(|fresh| *fresh < truth.stamp) {
                    show.team(fresh);
                }
                show.put(truth);
            }
            None => show.count(outgoing),
        }
    }

    /// Waits until everything is where it goes.
    pub(crate) fn finish(&mut self) {
        if let Some(progress) = self.progress.take() {
            progress.end_in_place();
        }
        if let Some(show) = self.show.take() {
            let flushed = show.viewer.flush(DRAWING_WAIT_MAX);
            tracing::debug!("drawn: {:?}, {flushed:?}", show.viewer.counts());
        }
    }
}

fn scene(scenario: &Scenario, header: &RunHeader) -> SwarmScene {
    let walls = scenario.walls.iter().map(|wall| WallBox {
        center_m: wall.center_m,
        size_m: wall.size_m,
        yaw_rad: wall.yaw_rad,
        height_m: wall.height_m,
    });
    let robots = header.robots.iter().map(|robot| SceneRobot {
        name: robot.agent_name(),
        radius_m: scenario
            .kinds
            .get(&robot.kind)
            .map_or(0.2, |kind| kind.body.radius_m()),
        goals_m: robot
            .route
            .iter()
            .map(|goal| [goal.x_m, goal.y_m])
            .collect(),
    });
    let walkers = header.walkers.iter().map(|_| SceneWalker {
        radius_m: WALKER_RADIUS_M,
    });
    SwarmScene {
        walls: walls.collect(),
        robots: robots.collect(),
        walkers: walkers.collect(),
        title: format!("{}, seed {}", header.scenario, header.seed),
        rungs: Vec::new(),
        focus: None,
        rates: SwarmRates::default(),
    }
}

impl Show {
    fn count(&mut self, outgoing: &Outgoing) {
        let key = &outgoing.key;
        if key.stream() != TRUTH {
            let flow = (key.agent().to_owned(), key.message_type().to_owned());
            *self.flows.entry(flow).or_default() += 1;
        }
    }

    fn put(&mut self, truth: TruePose) {
        let TruePose { stamp, agent, pose } = truth;
        if let Some(walker) = self.walkers.iter_mut().find(|(name, _)| *name == agent) {
            walker.1 = Some(pose);
        } else {
            self.robots.insert(agent, pose);
        }
        self.fresh = Some(stamp);
    }

    /// Draws where everybody is.
    fn team(&mut self, stamp: Stamp) {
        let modes = self.modes.lock().unwrap_or_else(PoisonError::into_inner);
        let robots = self.names.iter().filter_map(|name| {
            Some(RobotState {
                name: name.clone(),
                world_from_base: *self.robots.get(name)?,
                mode: modes.get(name).copied().unwrap_or(RobotMode::Driving),
            })
        });
        let robots: Vec<RobotState> = robots.collect();
        drop(modes);
        let walkers: Option<Vec<Pose2>> = self.walkers.iter().map(|(_, pose)| *pose).collect();
        self.viewer
            .team(stamp, &robots, &walkers.unwrap_or_default());
        let past = stamp.saturating_since(self.flows_from);
        if past >= FLOWS_EVERY {
            let rate = |count: &u64| *count as f64 / past.as_secs_f64();
            let flows: Vec<MessageFlow<'_>> = self
                .flows
                .iter()
                .map(|((from, kind), count)| MessageFlow {
                    from,
                    to: receiver(kind),
                    kind,
                    hz: rate(count),
                })
                .collect();
            self.viewer.messages(stamp, &flows);
            self.flows.clear();
            self.flows_from = stamp;
        }
    }
}

/// Who listens to a type: commands go to the world, what agents say of themselves to everybody.
fn receiver(kind: &str) -> &'static str {
    match kind.split_once('.') {
        Some(("actuator", _)) => "world",
        Some(("sensor" | "mission", _)) => "agent",
        _ => "everybody",
    }
}

/// Where somebody really is.
pub(crate) struct TruePose {
    pub(crate) stamp: Stamp,
    pub(crate) agent: AgentName,
    pub(crate) pose: Pose2,
}

/// What a message says of that, if anything.
pub(crate) fn truth_of(outgoing: &Outgoing) -> Option<TruePose> {
    let key = &outgoing.key;
    if key.stream() != TRUTH || key.message_type() != Odometry::NAME {
        return None;
    }
    let message = outgoing.message.decode().ok()?;
    let pose = Odometry::from_message(&message).ok()?.odometry_from_base;
    let envelope = message.envelope();
    Some(TruePose {
        stamp: envelope.capture.stamp,
        agent: envelope.source.agent.clone(),
        pose,
    })
}

impl SwarmObserver for Cockpit {
    fn on_message(&mut self, _at: Stamp, _sender: Sender, outgoing: &Outgoing) {
        // Drawn at the end of the tick, when the agents have seen what was sensed at the time.
        if let Some(show) = &mut self.show {
            match truth_of(outgoing) {
                Some(truth) => show.put(truth),
                None => show.count(outgoing),
            }
        }
    }

    fn on_tick(&mut self, at: Stamp) -> ControlFlow<()> {
        self.n_ticks += 1;
        if let Some(progress) = &mut self.progress {
            progress.set(self.n_ticks, |rate_hz| {
                let factor = rate_hz * STEP.as_secs_f64();
                format!("ticks, {:.1} s, {factor:.2} times real time", at.secs())
            });
        }
        if let Some(show) = &mut self.show
            && let Some(stamp) = show.fresh.take()
        {
            show.team(stamp);
        }
        ControlFlow::Continue(())
    }

    fn on_failure(&mut self, at: Stamp, member: &AgentName, why: &str) {
        if let Some(show) = &self.show {
            let mut modes = show.modes.lock().unwrap_or_else(PoisonError::into_inner);
            modes.insert(member.clone(), RobotMode::Away);
            drop(modes);
            show.viewer.robot(member, at).text(TextLevel::Error, why);
        }
    }
}

/// One robot's mind, drawn from its own thread.
pub(crate) struct RobotEye {
    viewer: Arc<SwarmViewer>,
    name: AgentName,
    /// The model's world begins where the robot does.
    world_from_start: Pose2,
    modes: Arc<Mutex<BTreeMap<AgentName, RobotMode>>>,
    horizons: Vec<PlanHorizon>,
}

impl RobotEye {
    fn set(&self, mode: RobotMode) {
        let mut modes = self.modes.lock().unwrap_or_else(PoisonError::into_inner);
        modes.insert(self.name.clone(), mode);
    }
}

impl AgentObserver for RobotEye {
    fn on_scan(&mut self, seen: &SeenScan<'_>) {
        let world_from_scanner = self.world_from_start * seen.belief.pose;
        let robot = self.viewer.robot(&self.name, seen.stamp);
        robot.scan(world_from_scanner, seen.scan, None);
        robot.belief(world_from_scanner, &seen.belief.covariance);
    }

    fn on_prediction(&mut self, made: &MadePrediction<'_>) {
        let horizon = PlanHorizon {
            after: made.prediction.horizon,
            base_from_then: made.prediction.motion,
            covariance: made.prediction.covariance,
        };
        if self
            .horizons
            .last()
            .is_some_and(|last| last.after >= horizon.after)
        {
            self.horizons.clear();
        }
        self.horizons.push(horizon);
    }

    fn on_plan(&mut self, driven: &DrivenPlan<'_>) {
        let world_from_base = self.world_from_start * driven.world_from_base;
        let fan: Vec<FanLine<'_>> = driven
            .plan
            .fan
            .iter()
            .map(|tried| FanLine {
                points_m: &tried.points_m,
                cost: tried.cost,
            })
            .collect();
        let imagined = ImaginedPlan {
            fan: &fan,
            chosen: &driven.plan.poses,
            horizons: &self.horizons,
        };
        self.viewer
            .robot(&self.name, driven.stamp)
            .plan(world_from_base, &imagined);
        match driven.verdict {
            Verdict::Passed => self.set(RobotMode::Driving),
            Verdict::Slowed { .. } => self.set(RobotMode::Slowed),
            Verdict::Stopped => self.set(RobotMode::Stopped),
        }
    }

    fn on_mode(&mut self, stamp: Stamp, mode: DriveMode, why: &str) {
        self.set(match mode {
            DriveMode::Driving => RobotMode::Driving,
            DriveMode::Arrived | DriveMode::Idle => RobotMode::Arrived,
            DriveMode::Holding | DriveMode::Stopped => RobotMode::Stopped,
        });
        let level = match mode {
            DriveMode::Stopped => TextLevel::Warn,
            _ => TextLevel::Info,
        };
        let text = format!("{mode}: {why}");
        self.viewer.robot(&self.name, stamp).text(level, &text);
    }

    fn on_error(&mut self, error: &ForecastError<'_>) {
        let Some((forecaster, drawn)) = drawn_error(error) else {
            return;
        };
        self.viewer
            .robot(&self.name, error.stamp)
            .error(error.horizon, forecaster, drawn);
    }

    fn on_latency(&mut self, stamp: Stamp, stage: &Stage, span: Duration) {
        self.viewer
            .robot(&self.name, stamp)
            .latency(stage.as_str(), span);
    }

    fn on_rung(&mut self, stamp: Stamp, ladder: &LadderReport) {
        if let Some(rung) = ladder.rungs.get(ladder.rung) {
            self.viewer
                .robot(&self.name, stamp)
                .rung(rung.name.as_str());
        }
    }

    fn on_text(&mut self, stamp: Stamp, severity: Severity, message: &str) {
        let level = text_level(severity);
        self.viewer.robot(&self.name, stamp).text(level, message);
    }
}
