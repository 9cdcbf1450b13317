use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use sedge_latency::{Budget, Budgets, LadderReport};
use sedge_oni::{Command, TypedMessage as _};
use sedge_spacetime::{Clock as _, ManualClock};
use sedge_world_model::{
    ActionSequence, Belief, Futures, ImagineError, ObserveError, Reused, SensorEvent, WorldModel,
};

use super::*;
use crate::put_time::note_put;
use crate::test_drive::{Bench, Bound, PERIOD_MILLIS, Robot, WallModel, goal, name};
use crate::{
    AgentConfig, AgentError, AgentObserver, AgentReport, DriveMode, DrivingConfig, DrivingError,
    Imagining, ModelFactory, PlayItem, RungAction, RungConfig,
};

/// Takes so many milliseconds for each plan that it imagines, and a tenth of that for each scan.
struct Loaded {
    model: Box<dyn WorldModel>,
    clock: Arc<ManualClock>,
    millis: Arc<AtomicU64>,
}

impl Loaded {
    fn work(&self, n_tenths: u64) {
        let micros = 100 * n_tenths * self.millis.load(Ordering::Relaxed);
        let now = self.clock.now();
        self.clock.advance_to(now + Duration::from_micros(micros));
    }
}

impl WorldModel for Loaded {
    fn name(&self) -> &str {
        self.model.name()
    }

    fn observe(&mut self, event: &SensorEvent) -> Result<(), ObserveError> {
        self.work(1);
        self.model.observe(event)
    }

    fn belief(&self) -> Option<Belief> {
        self.model.belief()
    }

    fn imagine(
        &mut self,
        plans: &[ActionSequence],
        horizons: &[Duration],
    ) -> Result<Reused<Futures>, ImagineError> {
        self.work(10 * plans.len() as u64);
        self.model.imagine(plans, horizons)
    }
}

/// A robot that drives towards a wall, on a computer whose load is set by hand.
struct Drive {
    bench: Bench,
    agent: Bound<AgentNode>,
    millis: Arc<AtomicU64>,
    robot: Robot,
    n_scans: i64,
}

fn micros(stage: Stage, span_micros_max: u64, on_miss: MissPolicy) -> Budget {
    Budget::new(stage, span_micros_max, on_miss)
}

fn rung(name: &str, skill: f64, action: RungAction) -> RungConfig {
    RungConfig {
        name: Stage::new(name).unwrap(),
        skill,
        action,
        n_samples: None,
        n_iterations_max: None,
        n_steps: None,
        n_nominal: None,
        precision: None,
    }
}

/// Two plans are imagined, one, or none at all.
fn ladder() -> Vec<RungConfig> {
    let one = RungConfig {
        n_nominal: Some(1),
        n_steps: Some(12),
        ..rung("one-plan", 0.7, RungAction::Search)
    };
    vec![
        rung("full", 1.0, RungAction::Search),
        one,
        rung("last-plan", 0.3, RungAction::LastPlan),
        rung("stop", 0.0, RungAction::Stop),
    ]
}

fn agent(
    bench: &Bench,
    millis: &Arc<AtomicU64>,
    budgets: Vec<Budget>,
    driving: DrivingConfig,
) -> Result<AgentNode, AgentError> {
    let mut config = AgentConfig::new(name("flock"), name("crane3"), 7);
    config.clock_domain = Some("log".into());
    config.budgets = Budgets::new(budgets).unwrap();
    let (clock, millis) = (Arc::clone(&bench.clock), Arc::clone(millis));
    let wall = WallModel::factory("wall", 0.0);
    let model: ModelFactory = Box::new(move || {
        Ok(Box::new(Loaded {
            model: wall()?,
            clock: Arc::clone(&clock),
            millis: Arc::clone(&millis),
        }))
    });
    let clock = Arc::clone(&bench.clock);
    AgentNode::new(config, clock, model, Vec::new())?.with_driving(driving, 1)
}

impl Drive {
    fn new(budgets: Vec<Budget>, driving: DrivingConfig) -> Self {
        Self::with(budgets, driving, |agent, _| agent)
    }

    fn with(
        budgets: Vec<Budget>,
        driving: DrivingConfig,
        change: impl FnOnce(AgentNode, &Bench) -> AgentNode,
    ) -> Self {
        let (bench, millis) = (Bench::new(), Arc::new(AtomicU64::new(1)));
        let node = agent(&bench, &millis, budgets, driving).unwrap();
        let node = change(node, &bench);
        let (subscriptions, publications) = (node.subscriptions(), node.publications());
        let mut agent = bench.bind(node, &subscriptions, &publications);
        agent.feed_encoded(&bench.clock, &[goal()]);
        Self {
            bench,
            agent,
            millis,
            robot: Robot::new(1),
            n_scans: 0,
        }
    }

    /// So many periods under a load, in milliseconds a plan; the last has its scan put earlier.
    fn drive(&mut self, n: usize, millis: u64) {
        self.millis.store(millis, Ordering::Relaxed);
        for _ in 0..n {
            let at = crate::test_drive::millis(self.n_scans * PERIOD_MILLIS);
            self.n_scans += 1;
            self.bench.clock.advance_to(at);
            let mut scan = self.robot.scan(at);
            note_stages(&mut scan, at);
            // The clock goes on while the message is on its way.
            self.bench.clock.advance_to(at + Duration::from_millis(2));
            let items = [self.robot.odometry(at), scan];
            self.agent.feed(&self.bench.clock, &items);
        }
    }

    fn report(&self) -> AgentReport {
        self.agent.node.report()
    }

    fn counters(&self, names: &[&str]) -> Vec<u64> {
        let all = self.report().counters;
        let counter = |name: &&str| all.get(*name).copied().unwrap_or_default();
        names.iter().map(counter).collect()
    }

    fn ladder(&self) -> LadderReport {
        self.report().driving.unwrap().ladder.unwrap()
    }

    fn mode(&self) -> (DriveMode, String) {
        let driving = self.report().driving.unwrap();
        (driving.mode, driving.why)
    }

    /// The fastest of what was last commanded, in m/s.
    fn commanded_mps(&self) -> f64 {
        let commands = self.agent.sent_of("actuator.cmd");
        let message = commands[commands.len() - 1].decode().unwrap();
        let steps = Command::from_message(&message).unwrap().steps;
        let speeds = steps.iter().map(|step| step.twist.vx_mps.abs());
        speeds.fold(0.0, f64::max)
    }
}

/// The scanner's driver says what it took before, and when it put the message.
fn note_stages(scan: &mut PlayItem, at: Stamp) {
    let envelope = scan.message.envelope_mut();
    for (stage, nanos) in [("capture", 700_000), ("encode", 300_000)] {
        envelope.ledger.extend(LedgerEntry::new(stage, nanos));
    }
    note_put(envelope, "log", at);
}

fn driving() -> DrivingConfig {
    DrivingConfig {
        ladder: ladder(),
        ..DrivingConfig::default()
    }
}

#[test]
fn stages_sum_to_what_their_chains_took_and_the_command_says_them() {
    let own = Budget {
        stages: vec![Stage::FUSE, Stage::PLAN],
        ..micros(Stage::new("think").unwrap(), 50_000, MissPolicy::Warn)
    };
    let mut drive = Drive::new(vec![own], driving());
    drive.drive(40, 10);
    let report = drive.report();
    let row = |stage: &Stage| report.latency.row(stage).unwrap();
    for chain in sedge_latency::Chain::known() {
        let whole = row(&chain.name);
        let parts = chain.stages.iter().map(|stage| row(stage).max_nanos);
        let before = if chain.name == Stage::END_TO_END {
            1_000_000
        } else {
            0
        };
        // Each round is as long as the others, so maxima are sums: exactly, and not within 1 %.
        assert_eq!(whole.max_nanos, parts.sum::<u64>() + before, "{chain:?}");
        assert_eq!(whole.n, 40);
    }
    let think = row(&Stage::new("think").unwrap());
    assert_eq!((think.n, think.max_nanos), (40, 21_000_000));
    assert_eq!(row(&Stage::WIRE).max_nanos, 2_000_000);

    let commands = drive.agent.sent_of("actuator.cmd");
    let message = commands[commands.len() - 1].decode().unwrap();
    let ledger = &message.envelope().ledger;
    let stages: Vec<&str> = ledger.iter().map(|entry| entry.stage.as_str()).collect();
    let expected = [
        "capture", "encode", "wire", "decode", "wait", "fuse", "plan", "safety", "put@log",
    ];
    assert_eq!(stages, expected);
    let spent: u64 = ledger[..8].iter().map(|entry| entry.nanos).sum();
    assert_eq!(spent, row(&Stage::END_TO_END).max_nanos);
}

#[test]
fn a_skipped_tick_commands_and_predicts_nothing() {
    let skip = micros(Stage::SENSOR_TO_COMMAND, 40_000, MissPolicy::Skip);
    let mut drive = Drive::new(vec![skip], DrivingConfig::default());
    drive.drive(4, 10);
    drive.drive(3, 20);
    drive.drive(4, 10);
    let sent = |of: &str| drive.agent.sent_of(of).len();
    assert_eq!(sent("model.prediction"), 8);
    assert_eq!(drive.counters(&["scans", "ticks-cut-short"]), [11, 3]);
    let row = &drive.report().budgets[0];
    assert_eq!((row.n, row.n_missed, row.n_missed_in_a_row_max), (11, 3, 3));
    assert!(sent("actuator.cmd") >= 11);
    // The prediction alone is past its own budget: it is left out too.
    let skip = micros(Stage::PREDICT, 15_000, MissPolicy::Skip);
    let mut drive = Drive::new(vec![skip], DrivingConfig::default());
    drive.drive(3, 20);
    assert!(drive.agent.sent_of("model.prediction").is_empty());
}

#[test]
fn a_load_step_is_followed_down_the_ladder_and_back() {
    // 21 ms for two plans at 10 ms each, and 11 ms for one.
    let whole = micros(Stage::SENSOR_TO_COMMAND, 50_000, MissPolicy::Warn);
    let mut drive = Drive::new(vec![whole], driving());
    drive.drive(10, 10);
    assert_eq!(drive.ladder().rung, 0);
    drive.drive(12, 40);
    let ladder = drive.ladder();
    assert_eq!((ladder.rung, ladder.n_changes), (1, 1));
    // Two plans were late until the load was believed; at 44 ms one plan fits.
    assert_eq!(drive.report().budgets[0].n_missed, 2);
    drive.drive(10, 10);
    let ladder = drive.ladder();
    assert_eq!((ladder.rung, ladder.n_changes), (0, 2));
    assert_eq!(drive.report().budgets[0].n_missed, 2);
    assert!(ladder.skill_lost() > 0.0);
    // Where nothing fits the plan before is kept, and the filter stops the robot in the end.
    drive.drive(8, 70);
    assert!(drive.ladder().rung >= 2);
    assert_eq!(drive.mode().0, DriveMode::Stopped);
    drive.drive(30, 10);
    assert_eq!(
        (drive.ladder().rung, drive.mode().0),
        (0, DriveMode::Driving)
    );
    let text = drive.report().driving.unwrap().to_string();
    assert!(
        text.contains("rung one-plan: ") && text.contains("of the skill lost"),
        "{text}"
    );
}

/// The rungs that an observer was told of.
struct RungWatcher(Arc<Mutex<Vec<(usize, usize)>>>);

impl AgentObserver for RungWatcher {
    fn on_rung(&mut self, _stamp: Stamp, ladder: &LadderReport) {
        self.0
            .lock()
            .unwrap()
            .push((ladder.rung, ladder.rungs.len()));
    }
}

#[test]
fn an_observer_sees_each_change_of_rung_once() {
    let whole = micros(Stage::SENSOR_TO_COMMAND, 50_000, MissPolicy::Warn);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let watcher = Box::new(RungWatcher(Arc::clone(&seen)));
    let mut drive = Drive::with(vec![whole], driving(), |agent, _| {
        agent.with_observer(watcher)
    });
    drive.drive(10, 10);
    drive.drive(12, 40);
    drive.drive(10, 10);
    assert_eq!(*seen.lock().unwrap(), [(0, 4), (1, 4), (0, 4)]);
}

#[test]
fn a_rung_that_keeps_the_plan_before_has_nothing_imagined() {
    let afterwards = |held: &[&str]| DrivingConfig {
        imagining: Imagining::Afterwards,
        ladder_held: held.iter().map(|it| Stage::new(it).unwrap()).collect(),
        ..driving()
    };
    let looked = |held: &[&str]| {
        let mut drive = Drive::new(Vec::new(), afterwards(held));
        drive.drive(12, 10);
        let row = drive.report().latency.row(&Stage::LOOK_AHEAD).cloned();
        row.map_or(0, |row| row.n)
    };
    let always = looked(&["full"]);
    assert!(always >= 10, "{always}");
    assert!(looked(&["full", "last-plan"]) < always);
    assert_eq!(looked(&["stop"]), 0);
}

/// What plans on scans took.
struct PlanTimer(Arc<Mutex<Vec<Duration>>>);

impl AgentObserver for PlanTimer {
    fn on_latency(&mut self, _stamp: Stamp, stage: &Stage, span: Duration) {
        if *stage == Stage::PLAN {
            self.0.lock().unwrap().push(span);
        }
    }
}

#[test]
fn a_change_of_rung_does_not_imagine_in_the_way_of_a_command() {
    // Both search, and each is every second plan: what one imagined serves the other.
    let held = ["full", "one-plan"].map(|it| Stage::new(it).unwrap());
    let driving = DrivingConfig {
        imagining: Imagining::Afterwards,
        ladder_held: held.to_vec(),
        ..driving()
    };
    let spans = Arc::new(Mutex::new(Vec::new()));
    let timer = Box::new(PlanTimer(Arc::clone(&spans)));
    let mut drive = Drive::with(Vec::new(), driving, |agent, _| agent.with_observer(timer));
    drive.drive(12, 10);
    let spans = spans.lock().unwrap();
    // The first waits for two plans at 10 ms each, and no other for any.
    assert_eq!(spans[0], Duration::from_millis(20), "{spans:?}");
    assert!(
        spans.len() == 12 && spans[1..].iter().all(Duration::is_zero),
        "{spans:?}"
    );
}

#[test]
fn telemetry_says_the_rung_in_force() {
    let degrade = micros(Stage::PLAN, 35_000, MissPolicy::Degrade);
    let mut drive = Drive::new(vec![degrade], driving());
    drive.drive(8, 10);
    drive.drive(1, 20);
    // The very next plan is made one rung lower.
    drive.drive(1, 10);
    assert_eq!(
        (
            drive.ladder().rung,
            drive.counters(&["budget-degradations"])[0]
        ),
        (1, 1)
    );
    drive.drive(4, 10);
    let telemetry = drive.agent.sent_of("telemetry.latency");
    let message = telemetry[telemetry.len() - 1].decode().unwrap();
    let said = sedge_oni::LatencyReport::from_message(&message).unwrap();
    let said = said.ladder.unwrap();
    let names: Vec<&str> = said.rungs.iter().map(|rung| rung.name.as_str()).collect();
    assert_eq!(names, ["full", "one-plan", "last-plan", "stop"]);
    assert!(said.rungs[0].plans >= 9 && said.rungs[1].plans >= 1);
    assert!(said.changes >= 1);
}

#[test]
fn a_safe_stop_is_commanded_at_once_and_is_over_when_budgets_are_kept() {
    let stop = Budget {
        stop_after: Some(3),
        recover_after: 4,
        ..micros(Stage::SENSOR_TO_COMMAND, 40_000, MissPolicy::Warn)
    };
    let mut drive = Drive::new(vec![stop], DrivingConfig::default());
    drive.drive(10, 10);
    drive.drive(2, 20);
    assert_eq!(drive.mode(), (DriveMode::Driving, String::new()));
    assert!(drive.commanded_mps() > 0.1, "{}", drive.commanded_mps());
    drive.drive(1, 20);
    let why = "sensor-to-command past its budget of 40ms";
    assert_eq!(drive.mode(), (DriveMode::Stopped, why.to_owned()));
    assert!(drive.commanded_mps().abs() < f64::EPSILON);
    drive.drive(3, 10);
    assert_eq!(drive.mode().0, DriveMode::Stopped);
    assert!(drive.commanded_mps().abs() < f64::EPSILON);
    drive.drive(2, 10);
    assert_eq!(drive.mode(), (DriveMode::Driving, String::new()));
    assert!(drive.commanded_mps() > 0.1);
    assert_eq!(drive.counters(&["budget-stops"]), [1]);
    assert_eq!(drive.report().budgets[0].n_stops, 1);
}

#[test]
fn what_a_stopwatch_measures_changes_nothing() {
    let budgets = || {
        let stop = micros(Stage::SENSOR_TO_COMMAND, 1, MissPolicy::SafeStop);
        vec![stop, micros(Stage::FUSE, 1, MissPolicy::Degrade)]
    };
    let measured = |agent: AgentNode, bench: &Bench| {
        let stopwatch = Arc::clone(&bench.clock);
        agent.with_stopwatch(stopwatch)
    };
    let mut drive = Drive::with(budgets(), driving(), measured);
    drive.drive(10, 10);
    let report = drive.report();
    assert!(report.budgets.iter().all(|row| row.n_missed == 10));
    assert_eq!(
        (drive.ladder().rung, drive.mode().0),
        (0, DriveMode::Driving)
    );
    assert_eq!(drive.agent.sent_of("model.prediction").len(), 10);
    let commands = drive.agent.sent_of("actuator.cmd");
    let message = commands[commands.len() - 1].decode().unwrap();
    assert!(message.envelope().ledger.is_empty());
}

#[test]
fn a_budget_that_degrades_needs_a_ladder() {
    let (bench, millis) = (Bench::new(), Arc::new(AtomicU64::new(1)));
    let degrade = micros(Stage::FUSE, 5, MissPolicy::Degrade);
    let made = agent(&bench, &millis, vec![degrade], DrivingConfig::default());
    let error = made.err().unwrap();
    let AgentError::Driving(DrivingError::NoLadder { stage }) = error else {
        panic!("{error}");
    };
    assert_eq!(stage, Stage::FUSE);
}
